//! See `consentry_properties::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::page::check(data));
