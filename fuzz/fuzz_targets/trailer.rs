#![no_main]
//! `targets::trailer` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::trailer::run(input));
