//! What somebody wants to do.

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Something with a stream. `$all` is one here: reading the log. Made by [`Action::read`] and its like.
    Stream(StreamAction, &'a str),
    /// Ask what the server is: what it offers, which members there are.
    Greet,
    /// Look at how the server does: statistics, groups, projections.
    Observe,
    /// Run the server, and the groups and projections on it.
    Operate,
    /// Make, change and delete users, see all of them, set their passwords.
    ManageUsers,
    /// See what is known of a user.
    SeeUser(&'a str),
    /// Give a user another password, knowing the old one.
    ChangePassword(&'a str),
}

/// What somebody wants to do with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAction {
    /// Read its events.
    Read,
    /// Append to it.
    Write,
    /// Delete it, for a while or for ever.
    Delete,
    /// Read its metadata.
    ReadMetadata,
    /// Set its metadata, and with that who may do what with it.
    WriteMetadata,
}

impl StreamAction {
    /// All of them, in the order of their keys in a list.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Delete, Self::ReadMetadata, Self::WriteMetadata];

    /// The key under which a list names who may.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Read => "$r",
            Self::Write => "$w",
            Self::Delete => "$d",
            Self::ReadMetadata => "$mr",
            Self::WriteMetadata => "$mw",
        }
    }

    /// The word for it in a refusal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "streams:read",
            Self::Write => "streams:write",
            Self::Delete => "streams:delete",
            Self::ReadMetadata => "streams:metadata:read",
            Self::WriteMetadata => "streams:metadata:write",
        }
    }
}

impl<'a> Action<'a> {
    /// Reading a stream, `$all` or the metadata of a stream (`$$s`).
    #[must_use]
    pub fn read(stream: &'a str) -> Self {
        Self::on(stream, StreamAction::Read, StreamAction::ReadMetadata)
    }

    /// Appending to a stream, or setting the metadata of one.
    #[must_use]
    pub fn write(stream: &'a str) -> Self {
        Self::on(stream, StreamAction::Write, StreamAction::WriteMetadata)
    }

    /// Deleting a stream, or the metadata of one.
    #[must_use]
    pub fn delete(stream: &'a str) -> Self {
        Self::on(stream, StreamAction::Delete, StreamAction::WriteMetadata)
    }

    fn on(stream: &'a str, plain: StreamAction, metadata: StreamAction) -> Self {
        match described_by(stream) {
            Some(described) => Self::Stream(metadata, described),
            None => Self::Stream(plain, stream),
        }
    }

    /// The word for it in a refusal.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stream(action, _) => action.word(),
            Self::Greet => "node:information",
            Self::Observe => "node:statistics",
            Self::Operate => "node:operate",
            Self::ManageUsers => "users:manage",
            Self::SeeUser(_) => "users:read",
            Self::ChangePassword(_) => "users:change-password",
        }
    }
}

/// The stream whose metadata `stream` holds; of the metadata of metadata, the stream at the end of it.
pub(super) fn described_by(stream: &str) -> Option<&str> {
    let mut described = stream.strip_prefix("$$").filter(|rest| !rest.is_empty())?;
    while let Some(rest) = described.strip_prefix("$$").filter(|rest| !rest.is_empty()) {
        described = rest;
    }
    Some(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_belongs_to_the_stream_it_describes() {
        let cases = [
            ("order-1", Action::Stream(StreamAction::Write, "order-1")),
            ("$settings", Action::Stream(StreamAction::Write, "$settings")),
            ("$$order-1", Action::Stream(StreamAction::WriteMetadata, "order-1")),
            ("$$$settings", Action::Stream(StreamAction::WriteMetadata, "$settings")),
            ("$$$$order-1", Action::Stream(StreamAction::WriteMetadata, "order-1")),
            ("$$", Action::Stream(StreamAction::Write, "$$")),
        ];
        for (stream, expected) in cases {
            assert_eq!(Action::write(stream), expected, "{stream}");
        }
        assert_eq!(Action::delete("$$a"), Action::Stream(StreamAction::WriteMetadata, "a"));
    }
}
