//! examples/sample-bank
fn main() {}
