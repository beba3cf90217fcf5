#![no_main]
//! `targets::wire` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::wire::run(input));
