//! Component tests: real connectors in the real sandbox against the sample bank, in this process.

mod contract;
mod sample_bank;
