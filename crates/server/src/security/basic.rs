//! Names and passwords as clients send them: `authorization: Basic …` (RFC 7617).

use base64::{Engine, engine::general_purpose::STANDARD};

/// A name and a password, as they were sent.
pub(super) struct Credentials {
    pub(super) login: String,
    pub(super) password: String,
}

impl Credentials {
    /// Reads a header; `None` for another scheme, and for what is none.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (login, password) = decoded.split_once(':')?;
        Some(Self { login: login.to_owned(), password: password.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_colon_and_a_password_may_have_more() {
        let parsed = |header: &str| {
            Credentials::parse(header.as_bytes()).map(|credentials| (credentials.login, credentials.password))
        };
        let of = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(parsed("Basic YWRhOnNlY3JldA=="), of("ada", "secret"));
        assert_eq!(parsed("basic YWRhOnNlY3JldA=="), of("ada", "secret"));
        assert_eq!(parsed(&header("ada:a:b")), of("ada", "a:b"));
        assert_eq!(parsed(&header("ada:")), of("ada", ""));
        assert_eq!(parsed(&header("žofie:čau")), of("žofie", "čau"));
        for wrong in ["", "Basic", "Basic ", "Basic ~~~~", "Bearer YWRhOnNlY3JldA==", &header("ada")] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
