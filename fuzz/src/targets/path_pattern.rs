//! Path patterns against a matcher that is written down straight from the grammar. Input: pattern, line feed, path.

use gesta_store::PathPattern;

/// Pieces of patterns and paths.
pub const TOKENS: &[&[u8]] =
    &[b"/", b"/*", b"/**", b"/{x}", b"/{n:int}", b"/{a|b}", b"/~*", b"/~{x}", b"~0", b"\n", b"/a", b"/b", b"/-12"];

/// Feeds parser and matcher.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (pattern_text, path) = text.split_once('\n').unwrap_or((text, "/a"));
    let Ok(pattern) = PathPattern::new(pattern_text) else { return };
    assert_eq!(pattern.as_str(), pattern_text);

    let matches = pattern.matches(path);
    assert_eq!(matches, naive(pattern_text, path), "pattern={pattern_text:?} path={path:?}");
    if matches {
        let prefix = pattern.literal_prefix();
        assert!(path.starts_with(prefix), "pattern={pattern_text:?} path={path:?} prefix={prefix:?}");
    }
    if let Some(exact) = pattern.exact() {
        assert_eq!(matches, exact == path, "pattern={pattern_text:?} path={path:?} exact={exact:?}");
    }
}

fn naive(pattern: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let pattern: Vec<&str> = pattern[1..].split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    all_match(&pattern, &path)
}

fn all_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        (["**"], _) | ([], []) => true,
        ([], _) | (_, []) => false,
        ([part, pattern @ ..], [segment, path @ ..]) => one_matches(part, segment) && all_match(pattern, path),
    }
}

fn one_matches(part: &str, segment: &str) -> bool {
    let bytes = part.as_bytes();
    match bytes {
        [b'~', b'0' | b'1', ..] => part == segment,
        [b'~', ..] => &part[1..] == segment,
        b"*" => true,
        [b'{', .., b'}'] => {
            let inner = &part[1..part.len() - 1];
            if inner.contains('|') {
                inner.split('|').any(|choice| choice == segment)
            } else if inner.contains(':') {
                let digits = segment.strip_prefix('-').unwrap_or(segment);
                !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit())
            } else {
                true
            }
        }
        _ => part == segment,
    }
}
