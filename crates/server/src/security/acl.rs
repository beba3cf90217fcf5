//! Access control lists, as streams have them in their metadata and as `$settings` has them for streams without one.
//!
//! A list names, for each action, who may; an action it does not name is left to the next list. What is malformed names nobody, so that a typing
//! error does not open what was to be closed: administrators need no list, and can correct it.

use serde_json::{Map, Value};

use super::{
    action::StreamAction,
    caller::{ADMINS, EVERYBODY},
};

/// The key of a list in the metadata of a stream.
const ACL: &str = "$acl";
/// The key of the list for streams of applications, in `$settings`.
const USER_STREAM_ACL: &str = "$userStreamAcl";
/// The key of the list for streams of the system.
const SYSTEM_STREAM_ACL: &str = "$systemStreamAcl";

/// Who may do what with a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamAcl {
    /// By [`StreamAction::ALL`]; `None` where the list says nothing.
    roles: [Option<Vec<String>>; 5],
}

impl StreamAcl {
    /// The list in a metadata document; an empty one if there is none.
    #[must_use]
    pub fn from_metadata(document: &str) -> Self {
        match object(document) {
            Some(mut metadata) => metadata.remove(ACL).map_or_else(Self::default, Self::from_value),
            None => Self::for_all(&[]),
        }
    }

    /// A list that names the same roles for every action.
    fn for_all(roles: &[&str]) -> Self {
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        Self { roles: std::array::from_fn(|_| Some(roles.clone())) }
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::default(),
            Value::Object(mut acl) => {
                Self { roles: StreamAction::ALL.map(|action| acl.remove(action.key()).and_then(roles)) }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Self::for_all(&[]),
        }
    }

    /// Who may; `None` if the list does not say.
    #[must_use]
    pub fn roles(&self, action: StreamAction) -> Option<&[String]> {
        StreamAction::ALL
            .iter()
            .zip(&self.roles)
            .find(|(one, _)| **one == action)
            .and_then(|(_, roles)| roles.as_deref())
    }
}

/// The roles a key names: one, or several; `None` if it names none of its own.
fn roles(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Null => None,
        Value::String(role) => Some(vec![role]),
        Value::Array(roles) => {
            let named = roles.into_iter().map(|role| match role {
                Value::String(role) => Some(role),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            });
            Some(named.collect::<Option<_>>().unwrap_or_default())
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(Vec::new()),
    }
}

fn object(document: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(document) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

/// The lists for streams that have none of their own, or whose own does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultAcls {
    user: StreamAcl,
    system: StreamAcl,
}

impl Default for DefaultAcls {
    /// Streams of applications are every user's, those of the system are the administrators'.
    fn default() -> Self {
        Self { user: StreamAcl::for_all(&[EVERYBODY]), system: StreamAcl::for_all(&[ADMINS]) }
    }
}

impl DefaultAcls {
    /// The lists of a `$settings` document; for what it does not say, the default.
    #[must_use]
    pub fn from_settings(document: &str) -> Self {
        let default = Self::default();
        let Some(mut settings) = object(document) else {
            return Self { user: StreamAcl::for_all(&[]), system: StreamAcl::for_all(&[]) };
        };
        let mut list = |key: &str, default: StreamAcl| {
            let acl = settings.remove(key).map_or_else(StreamAcl::default, StreamAcl::from_value);
            let mut roles = acl.roles.into_iter().zip(default.roles).map(|(said, default)| said.or(default));
            StreamAcl { roles: std::array::from_fn(|_| roles.next().flatten()) }
        };
        Self { user: list(USER_STREAM_ACL, default.user), system: list(SYSTEM_STREAM_ACL, default.system) }
    }

    /// The list for a stream.
    #[must_use]
    pub fn of(&self, stream: &str) -> &StreamAcl {
        if stream.starts_with('$') { &self.system } else { &self.user }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(acl: &StreamAcl) -> String {
        let shown = StreamAction::ALL.map(|action| match acl.roles(action) {
            None => format!("{}:-", action.key()),
            Some(roles) => format!("{}:{}", action.key(), roles.join("|")),
        });
        shown.join(" ")
    }

    #[test]
    fn a_list_is_read_as_clients_write_it() {
        let cases = [
            (r#"{"$maxCount":3}"#, "$r:- $w:- $d:- $mr:- $mw:-"),
            (r#"{"$acl":null}"#, "$r:- $w:- $d:- $mr:- $mw:-"),
            (r#"{"$acl":{"$r":"ada","$w":["ada","$ops"]}}"#, "$r:ada $w:ada|$ops $d:- $mr:- $mw:-"),
            (r#"{"$acl":{"$d":[],"$mr":null,"$mw":""}}"#, "$r:- $w:- $d: $mr:- $mw:"),
        ];
        for (document, expected) in cases {
            assert_eq!(shown(&StreamAcl::from_metadata(document)), expected, "{document}");
        }
    }

    #[test]
    fn what_is_malformed_names_nobody() {
        for document in ["", "[]", r#"{"$acl":"ada"}"#, r#"{"$acl":["ada"]}"#, r#"{"$acl":7}"#, "{"] {
            assert_eq!(shown(&StreamAcl::from_metadata(document)), "$r: $w: $d: $mr: $mw:", "{document}");
        }
        let acl = StreamAcl::from_metadata(r#"{"$acl":{"$r":["ada",7],"$w":{"ada":true},"$d":true}}"#);
        assert_eq!(shown(&acl), "$r: $w: $d: $mr:- $mw:-");
    }

    #[test]
    fn settings_change_what_they_name() {
        let acls =
            DefaultAcls::from_settings(r#"{"$userStreamAcl":{"$w":"writers"},"$systemStreamAcl":{"$r":"$all"}}"#);
        assert_eq!(shown(acls.of("order-1")), "$r:$all $w:writers $d:$all $mr:$all $mw:$all");
        assert_eq!(shown(acls.of("$ce-order")), "$r:$all $w:$admins $d:$admins $mr:$admins $mw:$admins");
        assert_eq!(shown(DefaultAcls::from_settings("nonsense").of("order-1")), "$r: $w: $d: $mr: $mw:");
        assert_eq!(DefaultAcls::from_settings("{}"), DefaultAcls::default());
    }
}
