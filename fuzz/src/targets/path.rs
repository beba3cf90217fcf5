//! Paths: what is accepted is a JSON Pointer with non-empty segments, within its bounds.

use gesta_store::{Path, limits};

/// Feeds the parser of paths.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    assert_eq!(Path::new(text).is_ok(), is_path(text), "{text:?}");
    let Ok(path) = Path::new(text) else { return };
    let joined: String = path.segments().flat_map(|segment| ["/", segment]).collect();
    assert_eq!(joined, text);
}

/// The rules again, character by character.
fn is_path(text: &str) -> bool {
    let mut before = None;
    let mut depth = 0;
    for character in text.chars() {
        let allowed = match (before, character) {
            (None, first) => first == '/',
            (Some('/'), '/') => false,
            (Some('~'), next) => next == '0' || next == '1',
            (Some(_), next) => !next.is_control(),
        };
        if !allowed {
            return false;
        }
        depth += usize::from(character == '/');
        // An escape is one character: what follows it is free again.
        before = Some(if before == Some('~') { ' ' } else { character });
    }
    text.len() <= limits::PATH_BYTES_MAX
        && (1..=limits::PATH_DEPTH_MAX).contains(&depth)
        && !matches!(before, None | Some('/' | '~'))
}
