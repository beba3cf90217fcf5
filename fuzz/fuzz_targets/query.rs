#![no_main]
//! `targets::query` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::query::run(input));
