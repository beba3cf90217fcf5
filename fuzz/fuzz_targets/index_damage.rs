#![no_main]
//! `targets::index_damage` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::index_damage::run(input));
