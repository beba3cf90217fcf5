#![no_main]
//! `targets::store_toml` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::store_toml::run(input));
