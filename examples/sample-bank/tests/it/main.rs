//! Drives the bank over HTTP, as a browser and as a test would. One binary, since linking costs more than running.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod control;
mod journey;
mod states;
mod visitor;
