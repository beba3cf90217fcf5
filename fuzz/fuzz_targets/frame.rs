#![no_main]
//! `targets::frame` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::frame::run(input));
