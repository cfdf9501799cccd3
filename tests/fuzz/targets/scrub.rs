//! See `consentry_properties::scrub`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::scrub::check(data));
