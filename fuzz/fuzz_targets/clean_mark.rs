#![no_main]
//! `targets::clean_mark` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::clean_mark::run(input));
