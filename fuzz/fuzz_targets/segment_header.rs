#![no_main]
//! `targets::segment_header` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::segment_header::run(input));
