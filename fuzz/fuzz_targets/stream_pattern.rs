#![no_main]
//! `targets::stream_pattern` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::stream_pattern::run(input));
