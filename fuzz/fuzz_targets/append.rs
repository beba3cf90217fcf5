#![no_main]
//! `targets::append` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::append::run(input));
