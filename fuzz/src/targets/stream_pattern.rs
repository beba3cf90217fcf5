//! Stream name patterns (`*` is any run of characters) against the textbook table of prefixes. Input: pattern, line feed, name.

use gesta_store::StreamFilter;

/// Feeds the matcher.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, "order-17"));
    let filter = StreamFilter::Pattern(pattern.into());
    let matches = filter.matches(name);
    assert_eq!(matches, naive(pattern, name), "pattern={pattern:?} name={name:?}");
    assert!(!matches || name.starts_with(filter.literal_prefix()), "pattern={pattern:?} name={name:?}");
}

/// `row[j]`: the pattern so far matches the first `j` bytes of the name.
fn naive(pattern: &str, name: &str) -> bool {
    let name = name.as_bytes();
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for byte in pattern.bytes() {
        let mut next = vec![false; name.len() + 1];
        next[0] = byte == b'*' && row[0];
        for at in 1..next.len() {
            next[at] = if byte == b'*' { row[at] || next[at - 1] } else { row[at - 1] && name[at - 1] == byte };
        }
        row = next;
    }
    row[name.len()]
}
