#![no_main]
//! `targets::stream_metadata` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::stream_metadata::run(input));
