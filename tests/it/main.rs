//! Component tests: real connectors in the real sandbox against the sample bank, in this process.
#![expect(missing_docs, reason = "tests")]

mod contract;
mod sample_bank;
