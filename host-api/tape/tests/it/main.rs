//! Tapes as others use them: what stays of one, and what its report tells.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

mod redaction;
mod shapes;
