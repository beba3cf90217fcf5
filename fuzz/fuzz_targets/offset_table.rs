#![no_main]
//! `targets::offset_table` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::offset_table::run(input));
