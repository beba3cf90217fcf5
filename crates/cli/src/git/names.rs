//! Paths of git as names the store takes.
//!
//! A path of git is any bytes but NUL; a name is UTF-8 without control characters and of bounded length. So `%`, control characters
//! and bytes that are not UTF-8 are written as `%XX`: two paths never share a name, and almost every path is its own.

use std::fmt::Write;

use gesta::{StreamName, Tag, limits};
use uuid::Uuid;

/// `path` with what a name may not hold written as `%XX`.
pub(super) fn escaped(path: &[u8]) -> String {
    let mut name = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() {
                escape(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut name);
            } else {
                name.push(c);
            }
        }
        escape(chunk.invalid(), &mut name);
    }
    name
}

fn escape(bytes: &[u8], name: &mut String) {
    for byte in bytes {
        let _ = write!(name, "%{byte:02X}"); // writing to a string does not fail
    }
}

/// The stream of a file, from its escaped path: `file-src/lib.rs`. A path too long for a name keeps its beginning, and its end
/// becomes a digest.
pub(super) fn file_stream(path: &str) -> StreamName {
    let whole = format!("file-{path}");
    if let Ok(stream) = StreamName::new(&whole) {
        return stream;
    }
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_URL, path.as_bytes()).simple().to_string();
    let room = limits::STREAM_NAME_BYTES_MAX - digest.len() - 1;
    let start = &whole[..whole.floor_char_boundary(room)];
    StreamName::new(format!("{start}%{digest}")).expect("an escaped path of a checked length is a name")
}

/// The path tag of a file or directory, from its escaped path: `/files/src/lib.rs`, as a JSON Pointer. Ends early, at a whole segment, where a
/// path would be too deep or too long; so a pattern that ends in `**` finds it all the same.
pub(crate) fn path_tag(path: &str) -> Tag {
    let mut tag = String::from("/files");
    for segment in path.split('/').filter(|segment| !segment.is_empty()).take(limits::PATH_DEPTH_MAX - 1) {
        let segment = segment.replace('~', "~0");
        if tag.len() + 1 + segment.len() > limits::PATH_BYTES_MAX {
            break;
        }
        tag.push('/');
        tag.push_str(&segment);
    }
    Tag::new(&tag).expect("escaped segments within the limits are a tag")
}

/// The tag of an author, by address; `None` without one.
pub(super) fn author_tag(email: &str) -> Option<Tag> {
    let email: String = email.chars().filter(|c| !c.is_control()).collect();
    if email.trim().is_empty() {
        return None;
    }
    let tag = format!("author:{}", email.trim());
    Tag::new(&tag[..tag.floor_char_boundary(limits::TAG_BYTES_MAX)]).ok()
}

#[cfg(test)]
mod tests {
    use gesta::PathPattern;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_paths_are_their_own_names() {
        assert_eq!(&*file_stream(&escaped(b"src/lib.rs")), "file-src/lib.rs");
        assert_eq!(&*path_tag("src/lib.rs"), "/files/src/lib.rs");
        assert_eq!(&*path_tag("a~b/ü c"), "/files/a~0b/ü c");
    }

    #[test]
    fn odd_bytes_are_written_out() {
        assert_eq!(escaped(b"100%/a\tb\n"), "100%25/a%09b%0A");
        assert_eq!(escaped(b"\xff\xc3\xbc\xc2\x85"), "%FFü%C2%85");
    }

    #[test]
    fn long_and_deep_paths_still_have_names() {
        let (one, other) = ("ü".repeat(1000), format!("{}x", "ü".repeat(999)));
        assert_ne!(file_stream(&one), file_stream(&other));
        assert!(file_stream(&one).len() <= limits::STREAM_NAME_BYTES_MAX);
        let deep = path_tag(&vec!["d"; 100].join("/"));
        assert!(deep.path().is_some());
        assert!(PathPattern::new("/files/d/d/**").unwrap().matches(&deep));
        assert!(path_tag(&one).path().is_some());
    }

    #[test]
    fn authors_are_tags_whatever_they_call_themselves() {
        assert_eq!(author_tag("ada@x").as_deref(), Some("author:ada@x"));
        assert_eq!(author_tag(" \n"), None);
        assert_eq!(author_tag("a\u{7}b").as_deref(), Some("author:ab"));
        assert!(author_tag(&"ü".repeat(2000)).is_some());
    }

    proptest! {
        #[test]
        fn different_paths_have_different_names(one: Vec<u8>, other: Vec<u8>) {
            prop_assert_eq!(escaped(&one) == escaped(&other), one == other);
        }

        #[test]
        fn any_path_has_a_stream_and_a_tag(path in proptest::collection::vec(1_u8.., 1..3000)) {
            let name = escaped(&path);
            file_stream(&name);
            prop_assert!(path_tag(&name).path().is_some());
        }
    }
}
