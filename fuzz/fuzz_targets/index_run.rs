#![no_main]
//! `targets::index_run` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::index_run::run(input));
