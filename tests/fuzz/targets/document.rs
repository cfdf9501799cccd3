//! See `consentry_properties::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::document::check(data));
