#![no_main]
//! `targets::import_ndjson` under libFuzzer.

libfuzzer_sys::fuzz_target!(|input: &[u8]| gesta_fuzz::targets::import_ndjson::run(input));
