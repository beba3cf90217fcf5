//! What `git log -z --raw --numstat` says, read commit by commit.
//!
//! The output is a sequence of fields ended by NUL, which neither a message nor a path can contain; so no quoting, and any path
//! git allows is read as it is. A commit is the field `commit`, nine fields of [`FORMAT`], and for every file a raw entry
//! (`:modes blobs status`, path) followed, after all of those, by its line counts.

use std::{collections::HashMap, io::BufRead};

use super::error::GitError;

/// Hash, parents, author, committer, message: what `git log` is asked for.
pub(super) const FORMAT: &str =
    "--format=tformat:commit%x00%H%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x00";

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitCommit {
    pub(super) id: String,
    pub(super) parents: Vec<String>,
    pub(super) author: Person,
    pub(super) committer: Person,
    pub(super) message: String,
    pub(super) changes: Vec<FileChange>,
}

/// Who, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
    /// Seconds since the epoch.
    pub(super) seconds: i64,
    /// Offset from UTC.
    pub(super) offset_minutes: i32,
}

/// What a commit did to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileChange {
    /// The path, as the bytes git has.
    pub(super) path: Vec<u8>,
    pub(super) before: Option<Blob>,
    pub(super) after: Option<Blob>,
    pub(super) lines: LineCounts,
}

/// A version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    /// Octal: `100644`, `100755`, `120000` (symbolic link), `160000` (commit of a submodule).
    pub(super) mode: String,
    /// The object's name.
    pub(super) id: String,
}

/// Lines added and removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineCounts {
    Text { added: u64, removed: u64 },
    Binary,
}

/// A log being read.
#[derive(Debug)]
pub(super) struct Log<R> {
    input: R,
    /// A field read ahead.
    peeked: Option<Vec<u8>>,
}

impl<R: BufRead> Log<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, peeked: None }
    }

    /// The next commit; `None` at the end.
    pub(super) fn next_commit(&mut self) -> Result<Option<GitCommit>, GitError> {
        let begin = loop {
            match self.field()? {
                None => return Ok(None),
                Some(field) if trimmed(&field).is_empty() => {}
                Some(field) => break field,
            }
        };
        if trimmed(&begin) != b"commit" {
            return Err(malformed("the start of a commit", &begin));
        }
        let mut commit = GitCommit {
            id: self.text("hash")?,
            parents: self.text("parents")?.split_whitespace().map(str::to_owned).collect(),
            author: self.person()?,
            committer: self.person()?,
            message: self.text("message")?,
            changes: Vec::new(),
        };
        self.changes(&mut commit.changes)?;
        Ok(Some(commit))
    }

    fn changes(&mut self, changes: &mut Vec<FileChange>) -> Result<(), GitError> {
        let mut counted = Counted::default();
        while let Some(field) = self.field()? {
            let entry = trimmed(&field);
            match entry.first() {
                None => {}
                Some(b':') => changes.push(self.raw_entry(entry)?),
                Some(_) if entry == b"commit" => {
                    self.peeked = Some(field);
                    break;
                }
                Some(_) => counted.count(entry, changes)?,
            }
        }
        Ok(())
    }

    /// `:100644 100755 <before> <after> M`, and the path behind it.
    fn raw_entry(&mut self, entry: &[u8]) -> Result<FileChange, GitError> {
        let text = std::str::from_utf8(&entry[1..]).map_err(|_| malformed("a raw entry", entry))?;
        let parts: Vec<&str> = text.split(' ').collect();
        let [mode_before, mode_after, before, after, status] = parts[..] else {
            return Err(malformed("a raw entry", entry));
        };
        let blob = |mode: &str, id: &str| Blob { mode: mode.to_owned(), id: id.to_owned() };
        let (before, after) = match status {
            "A" => (None, Some(blob(mode_after, after))),
            "D" => (Some(blob(mode_before, before)), None),
            "M" | "T" => (Some(blob(mode_before, before)), Some(blob(mode_after, after))),
            _ => return Err(malformed("the status of a raw entry", entry)),
        };
        let path = self.field()?.ok_or_else(|| malformed("the path of a raw entry", entry))?;
        Ok(FileChange { path, before, after, lines: LineCounts::Text { added: 0, removed: 0 } })
    }

    fn person(&mut self) -> Result<Person, GitError> {
        let (name, email, date) = (self.text("name")?, self.text("email")?, self.text("date")?);
        let (seconds, offset) = date.split_once(' ').unwrap_or((&date, ""));
        // Broken dates exist in real histories; such a commit counts as made at the epoch.
        Ok(Person { name, email, seconds: seconds.parse().unwrap_or(0), offset_minutes: offset_minutes(offset) })
    }

    /// A field of text; what is not UTF-8 in it is replaced.
    fn text(&mut self, what: &'static str) -> Result<String, GitError> {
        let field = self.field()?.ok_or_else(|| malformed(what, b"the end of the output"))?;
        Ok(String::from_utf8(field).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn field(&mut self) -> Result<Option<Vec<u8>>, GitError> {
        if let Some(field) = self.peeked.take() {
            return Ok(Some(field));
        }
        let mut field = Vec::new();
        self.input.read_until(0, &mut field)?;
        match field.pop() {
            None => Ok(None),
            Some(0) => Ok(Some(field)),
            Some(last) => {
                field.push(last);
                // Nothing but a line feed may stand behind the last NUL.
                if trimmed(&field).is_empty() { Ok(None) } else { Err(malformed("the end of a field", &field)) }
            }
        }
    }
}

/// Puts line counts where they belong. They come in the order of the raw entries, so the next one is almost always right.
#[derive(Default)]
struct Counted {
    next: usize,
    by_path: Option<HashMap<Vec<u8>, usize>>,
}

impl Counted {
    /// `1<tab>0<tab>path`; for binary files `-<tab>-<tab>path`.
    fn count(&mut self, entry: &[u8], changes: &mut [FileChange]) -> Result<(), GitError> {
        let mut parts = entry.splitn(3, |byte| *byte == b'\t');
        let (Some(added), Some(removed), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("line counts", entry));
        };
        let lines = match (number(added), number(removed)) {
            (Some(added), Some(removed)) => LineCounts::Text { added, removed },
            _ if added == b"-" && removed == b"-" => LineCounts::Binary,
            _ => return Err(malformed("line counts", entry)),
        };
        let at = match changes.get(self.next) {
            Some(change) if change.path == path => Some(self.next),
            _ => {
                let index = || changes.iter().enumerate().map(|(at, change)| (change.path.clone(), at)).collect();
                self.by_path.get_or_insert_with(index).get(path).copied()
            }
        };
        let at = at.ok_or_else(|| malformed("line counts of an unknown file", entry))?;
        changes[at].lines = lines;
        self.next = at + 1;
        Ok(())
    }
}

/// Git puts a line feed between a message and the entries.
fn trimmed(field: &[u8]) -> &[u8] {
    field.iter().position(|byte| *byte != b'\n').map_or(&[], |start| &field[start..])
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `+0530` in minutes.
fn offset_minutes(offset: &str) -> i32 {
    let minutes = |digits: &str| {
        let number: i32 = digits.parse().ok()?;
        Some(number / 100 * 60 + number % 100)
    };
    match offset.split_at_checked(1) {
        Some(("+", digits)) => minutes(digits).unwrap_or(0),
        Some(("-", digits)) => minutes(digits).map_or(0, |minutes| -minutes),
        _ => 0,
    }
}

fn malformed(what: &'static str, found: &[u8]) -> GitError {
    GitError::Malformed { what, found: String::from_utf8_lossy(&found[..found.len().min(200)]).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "commit\0c1\0p1 p2\0Ada\0ada@x\x001795634900 +0530\0Bob\0bob@x\x00-5 -0100\0subject\n\nbody\n\0";

    fn read(output: &[u8]) -> Result<Vec<GitCommit>, GitError> {
        let mut log = Log::new(output);
        let mut commits = Vec::new();
        while let Some(commit) = log.next_commit()? {
            commits.push(commit);
        }
        Ok(commits)
    }

    #[test]
    fn commits_and_their_files_are_read() {
        let output = [
            HEADER.as_bytes(),
            b"\0\n:000000 100644 000 aaa A\0a\0:100644 100755 bbb bbb M\0odd\tname\n\xff\0:120000 000000 ddd 000 D\0commit\0",
            b"1\t0\ta\0-\t-\todd\tname\n\xff\x000\t1\tcommit\0",
            HEADER.as_bytes(),
            b"\0",
        ]
        .concat();
        let commits = read(&output).unwrap();
        assert_eq!(commits.len(), 2);
        let first = &commits[0];
        assert_eq!((first.id.as_str(), first.parents.len()), ("c1", 2));
        assert_eq!((first.author.seconds, first.author.offset_minutes), (1_795_634_900, 330));
        assert_eq!((first.committer.seconds, first.committer.offset_minutes), (-5, -60));
        assert_eq!(first.message, "subject\n\nbody\n");
        let [added, changed, removed] = &first.changes[..] else { panic!("three files") };
        assert_eq!(added.before, None);
        assert_eq!(added.lines, LineCounts::Text { added: 1, removed: 0 });
        assert_eq!((changed.path.as_slice(), changed.lines), (&b"odd\tname\n\xff"[..], LineCounts::Binary));
        assert_eq!(removed.after, None);
        assert_eq!(
            (removed.path.as_slice(), removed.lines),
            (&b"commit"[..], LineCounts::Text { added: 0, removed: 1 })
        );
        assert!(commits[1].changes.is_empty());
    }

    #[test]
    fn counts_find_their_file_in_any_order() {
        let output = [HEADER.as_bytes(), b"\0\n:0 1 0 a A\0a\0:0 1 0 b A\0b\x002\t0\tb\x001\t0\ta\0"].concat();
        let lines: Vec<_> = read(&output).unwrap()[0].changes.iter().map(|change| change.lines).collect();
        assert_eq!(lines, [1, 2].map(|added| LineCounts::Text { added, removed: 0 }));
    }

    #[test]
    fn torn_and_foreign_output_is_refused() {
        for output in [
            &b"commit\0c1\0p"[..],
            b"something\0",
            b"commit\0a\0b\0",
            &[HEADER.as_bytes(), b"\0:1 2 3 X\0a\0"].concat(),
        ] {
            assert!(read(output).is_err(), "{:?}", String::from_utf8_lossy(output));
        }
        assert_eq!(read(b"").unwrap(), []);
    }
}
