//! See `consentry_properties::item`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::item::check(data));
