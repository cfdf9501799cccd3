//! See `consentry_properties::egress`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| consentry_properties::egress::check(data));
