#![no_main]
//! `targets::correlation` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::correlation::run(input));
