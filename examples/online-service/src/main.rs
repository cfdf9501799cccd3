//! examples/online-service
fn main() {}
