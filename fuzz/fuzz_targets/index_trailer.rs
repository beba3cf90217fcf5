#![no_main]
//! `targets::index_trailer` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::index_trailer::run(input));
