//! See `consentry_properties::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::manifest::check(data));
