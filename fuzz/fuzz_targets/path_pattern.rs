#![no_main]
//! `targets::path_pattern` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::path_pattern::run(input));
