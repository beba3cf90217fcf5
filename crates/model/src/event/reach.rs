//! Whether an event of some template can be on a path of some pattern: answered by the compiler, so that a model which could never see an event
//! does not compile instead of being silently empty.
//!
//! In both, literal text stands for itself. A hole `{…}` of a template, and a `*` of a pattern, stand for any text of at least one character;
//! in paths, which begin with `/`, for one segment.

use super::Kind;

/// By what the events of a type can be on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Some kind can have its home there.
    pub(crate) home: bool,
    /// Some kind can be tagged with it.
    pub(crate) further: bool,
}

/// By what events of `kinds` can be on paths of `pattern`.
pub(crate) const fn reach(pattern: &str, kinds: &[Kind]) -> Reach {
    let mut reach = Reach { home: false, further: false };
    let mut kind = 0;
    while kind < kinds.len() {
        reach.home = reach.home || meets(pattern, kinds[kind].at);
        let mut also = 0;
        while also < kinds[kind].also.len() {
            reach.further = reach.further || meets(pattern, kinds[kind].also[also]);
            also += 1;
        }
        kind += 1;
    }
    reach
}

/// The number of `*`s in a pattern.
pub(crate) const fn stars(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'*' {
            count += 1;
        }
        at += 1;
    }
    count
}

/// Whether a pattern is one of which models are made: text and single `*`s. A `{…}` belongs to templates, and a `**` to queries: taken for text, they would
/// fit nothing that is ever recorded.
pub(crate) const fn is_plain(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let star_twice = bytes[at] == b'*' && at > 0 && bytes[at - 1] == b'*';
        if bytes[at] == b'{' || bytes[at] == b'}' || star_twice {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether some text fits both.
pub(crate) const fn meets(pattern: &str, template: &str) -> bool {
    let (pattern, template) = (pattern.as_bytes(), template.as_bytes());
    let is_path = !pattern.is_empty() && pattern[0] == b'/';
    if is_path != (!template.is_empty() && template[0] == b'/') {
        return false;
    }
    meet(pattern, 0, template, 0, is_path)
}

const fn meet(pattern: &[u8], p: usize, template: &[u8], t: usize, is_path: bool) -> bool {
    let (pattern_ends, template_ends) = (p == pattern.len(), t == template.len());
    if pattern_ends && template_ends {
        return true;
    }
    if pattern_ends || template_ends {
        return false;
    }
    let star = pattern[p] == b'*';
    let hole = template[t] == b'{';
    if star && hole {
        // Either may reach beyond the other.
        return stretch(pattern, p, template, t, is_path, Wild::Pattern)
            || stretch(pattern, p, template, t, is_path, Wild::Template);
    }
    if star {
        return stretch(pattern, p, template, t, is_path, Wild::Pattern);
    }
    if hole {
        return stretch(pattern, p, template, t, is_path, Wild::Template);
    }
    pattern[p] == template[t] && meet(pattern, p + 1, template, t + 1, is_path)
}

/// Which side's wildcard is stretched over the other side.
#[derive(Clone, Copy)]
enum Wild {
    Pattern,
    Template,
}

/// Lets a wildcard cover one token, two, and so on of the other side.
const fn stretch(pattern: &[u8], p: usize, template: &[u8], t: usize, is_path: bool, wild: Wild) -> bool {
    let (mut p_next, mut t_next) = match wild {
        Wild::Pattern => (p + 1, t),
        Wild::Template => (p, after_hole(template, t)),
    };
    loop {
        match wild {
            Wild::Pattern => {
                if t_next == template.len() || (is_path && template[t_next] == b'/') {
                    return false;
                }
                t_next = if template[t_next] == b'{' { after_hole(template, t_next) } else { t_next + 1 };
            }
            Wild::Template => {
                if p_next == pattern.len() || (is_path && pattern[p_next] == b'/') {
                    return false;
                }
                p_next += 1;
            }
        }
        if meet(pattern, p_next, template, t_next, is_path) {
            return true;
        }
    }
}

const fn after_hole(template: &[u8], mut at: usize) -> usize {
    while at < template.len() && template[at] != b'}' {
        at += 1;
    }
    if at < template.len() { at + 1 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_meets_what_some_text_fits() {
        let cases: &[(&str, &str, bool)] = &[
            ("account-*", "account-{account}", true),
            ("account-*", "account-{a}-{b}", true),
            ("account-*", "account-main", true),
            ("account-*", "account-", false),
            ("acount-*", "account-{account}", false),
            ("account-*", "transfer-{account}", false),
            ("account-*", "{anything}", true),
            ("*", "account-{account}", true),
            ("account-*-x", "account-{a}", true),
            ("account-*-x", "account-{a}-y", false),
            ("settings", "settings", true),
            ("settings", "settings-{a}", false),
            ("/shops/*", "/shops/{shop}", true),
            ("/shops/*", "/shops/{shop}/carts/{cart}", false),
            ("/shops/*/carts/*", "/shops/{shop}/carts/{cart}", true),
            ("/shops/*/carts", "/shops/{shop}/orders", false),
            ("/shops/*", "shops-{shop}", false),
        ];
        for (pattern, template, expected) in cases {
            assert_eq!(meets(pattern, template), *expected, "{pattern} and {template}");
        }
        assert_eq!((stars("/a/*/b/*"), stars("a")), (2, 0));
        let plain = ["account-*", "/shops/*/carts/*", "a", "*"];
        let other = ["account-{account}", "/shops/**", "a-**", "/shops/{a|b}", "}"];
        assert!(plain.iter().all(|pattern| is_plain(pattern)) && !other.iter().any(|pattern| is_plain(pattern)));
    }
}
