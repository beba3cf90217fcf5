#![no_main]
//! `targets::entry` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::entry::run(input));
