#![no_main]
//! `targets::index_manifest` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::index_manifest::run(input));
