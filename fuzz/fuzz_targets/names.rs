#![no_main]
//! `targets::names` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::names::run(input));
