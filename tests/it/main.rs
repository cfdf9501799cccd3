//! Component tests: real connectors in the real sandbox against the sample bank, in this process.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

mod author;
mod catalogue;
mod contract;
mod faulty_pages;
mod identity;
mod live_pages;
mod logins;
mod own_scripts;
mod packaging;
mod pages;
mod printed;
mod replay;
mod sample_bank;
mod sample_branch;
mod tax_notice;
mod tidy;
mod toolchain;
