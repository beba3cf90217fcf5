#![no_main]
//! `targets::tags` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::tags::run(input));
