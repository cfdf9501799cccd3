//! See `consentry_properties::recipe`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::recipe::check(data));
