//! See `consentry_properties::signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::signature::check(data));
