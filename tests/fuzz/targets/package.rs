//! See `consentry_properties::package`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::package::check(data));
