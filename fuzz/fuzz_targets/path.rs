#![no_main]
//! `targets::path` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::path::run(input));
