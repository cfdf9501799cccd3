//! See `consentry_properties::redact`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::redact::check(data));
