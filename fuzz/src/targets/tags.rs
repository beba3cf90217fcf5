//! The tag block of an event: a block that parses is read back whole, and nothing else parses.

use gesta_store::Tags;

/// Feeds the decoder of tag blocks.
pub fn run(input: &[u8]) {
    assert_eq!(Tags::parse(input).is_some(), naive(input));
    let Some(tags) = Tags::parse(input) else { return };
    let mut encoded = Vec::new();
    for tag in tags.iter() {
        let length = u16::try_from(tag.len()).expect("a length of two bytes was read");
        encoded.extend_from_slice(&length.to_le_bytes());
        encoded.extend_from_slice(tag.as_bytes());
    }
    assert_eq!(encoded, input);
    assert_eq!(tags.is_empty(), input.is_empty());
    assert_eq!(tags.as_bytes(), input);
}

/// The format again, by index.
fn naive(block: &[u8]) -> bool {
    let mut at = 0;
    while at < block.len() {
        if at + 2 > block.len() {
            return false;
        }
        let end = at + 2 + usize::from(block[at]) + 256 * usize::from(block[at + 1]);
        if end > block.len() || str::from_utf8(&block[at + 2..end]).is_err() {
            return false;
        }
        at = end;
    }
    true
}
