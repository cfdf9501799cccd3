//! See `consentry_properties::jwe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::jwe::check(data));
