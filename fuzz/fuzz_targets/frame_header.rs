#![no_main]
//! `targets::frame_header` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::frame_header::run(input));
