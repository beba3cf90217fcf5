//! The list of targets, in the order of the layers they test.

pub mod append;
pub mod clean_mark;
pub mod correlation;
pub mod entry;
pub mod frame;
pub mod frame_header;
pub mod import_ndjson;
pub mod index_damage;
pub mod index_manifest;
pub mod index_run;
pub mod index_trailer;
pub mod names;
pub mod offset_table;
pub mod path;
pub mod path_pattern;
pub mod query;
pub mod segment_header;
pub mod store_toml;
pub mod stream_metadata;
pub mod stream_pattern;
pub mod tags;
pub mod trailer;
pub mod wire;

/// Something that is fed bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of its module, of its libFuzzer program and of its folder in `corpus/`.
    pub name: &'static str,
    /// Feeds it; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Pieces that valid inputs are made of, for the blind driver.
    pub tokens: &'static [&'static [u8]],
}

/// Every target.
pub const ALL: &[Target] = &[
    // Vocabulary: what enters from outside.
    Target { name: "names", run: names::run, tokens: &[b"$$", b"$ce-", b"-", b"\xc2\x85", b"application/json"] },
    Target { name: "path", run: path::run, tokens: &[b"/", b"~0", b"~1", b"~"] },
    Target { name: "path_pattern", run: path_pattern::run, tokens: path_pattern::TOKENS },
    Target { name: "stream_pattern", run: stream_pattern::run, tokens: &[b"*", b"**", b"\n", b"a", b"ab"] },
    Target { name: "correlation", run: correlation::run, tokens: correlation::TOKENS },
    // Log: frames, entries, segments, recovery's marks.
    Target { name: "tags", run: tags::run, tokens: &[b"\x00\x00", b"\x01\x00a", b"\xff\xff", b"\xc3\xa9"] },
    Target { name: "frame_header", run: frame_header::run, tokens: &[b"GFR\x01"] },
    Target { name: "frame", run: frame::run, tokens: &[b"GFR\x01"] },
    Target { name: "entry", run: entry::run, tokens: &[b"\x00\x00\x00\x00", b"\x3c\x00\x00\x00"] },
    Target { name: "segment_header", run: segment_header::run, tokens: &[] },
    Target { name: "trailer", run: trailer::run, tokens: &[] },
    Target { name: "offset_table", run: offset_table::run, tokens: &[b"\x00\x00\x00\x80", b"\xff\xff\x00\x00"] },
    Target { name: "clean_mark", run: clean_mark::run, tokens: &[b"GESTACLN"] },
    // Index: manifest, runs, postings, queries.
    Target { name: "index_manifest", run: index_manifest::run, tokens: &[] },
    Target { name: "index_trailer", run: index_trailer::run, tokens: &[] },
    Target { name: "index_run", run: index_run::run, tokens: &[b"\x03Placed", b"\x80\x01", b"\x81\x01"] },
    Target { name: "index_damage", run: index_damage::run, tokens: &[b"\x00\x10\x00\x01", b"\x01\x40\x00\x00"] },
    Target { name: "query", run: query::run, tokens: query::TOKENS },
    // Files beside the log: `store.toml`, stream metadata documents.
    Target {
        name: "store_toml",
        run: store_toml::run,
        tokens: &[b"format = ", b"segment_bytes = ", b"\n", b"-1", b"18446744073709551615"],
    },
    Target {
        name: "stream_metadata",
        run: stream_metadata::run,
        tokens: &[
            b"\"$tb\":",
            b"\"$maxAge\":",
            b"\"$maxCount\":",
            b",",
            b"{",
            b"}",
            b"9223372036854775807",
            b"1e3",
            b"-1",
        ],
    },
    // Front door: requests to append.
    Target { name: "append", run: append::run, tokens: append::TOKENS },
    // Server: messages of clients.
    Target { name: "wire", run: wire::run, tokens: wire::TOKENS },
    // Program: NDJSON import.
    Target { name: "import_ndjson", run: import_ndjson::run, tokens: import_ndjson::TOKENS },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ALL;

    #[test]
    fn every_target_has_a_corpus_and_a_libfuzzer_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("manifest");
        for target in ALL {
            let name = target.name;
            assert!(!crate::corpus::of(name).expect("corpus").is_empty(), "{name} has no corpus");
            assert!(root.join(format!("fuzz_targets/{name}.rs")).exists(), "fuzz_targets/{name}.rs is missing");
            assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "Cargo.toml does not list {name}");
        }
    }

    #[test]
    fn every_input_of_the_corpus_keeps_the_promises() {
        for target in ALL {
            for input in crate::corpus::of(target.name).expect("corpus") {
                (target.run)(&input);
            }
        }
    }
}
