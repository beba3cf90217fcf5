//! A build: the tables of one version of a projector, and what they are called.
//!
//! Tables of a build are named after it, `balances_v2`; the plain name is a view, which shows the tables of the live build. So another build
//! can grow beside it, and take its place in one transaction.

use std::{borrow::Cow, fmt};

use crate::connection::SqlError;

/// Longest name of a projector or a table: PostgreSQL cuts identifiers at 63 bytes, and ours are given endings.
const NAME_BYTES_MAX: usize = 40;

/// Which build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Build {
    /// Name of the projector.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// How often this version was built before.
    pub generation: u32,
}

impl Build {
    /// What a table is called in this build.
    #[must_use]
    pub fn table(&self, table: &str) -> String {
        let Self { version, generation, .. } = self;
        if *generation == 0 { format!("{table}_v{version}") } else { format!("{table}_v{version}_{generation}") }
    }

    /// A statement in which `{table}` stands for the name that a table has in this build.
    pub(crate) fn expand<'s>(&self, sql: &'s str, tables: &[&str]) -> Cow<'s, str> {
        let mut expanded = Cow::Borrowed(sql);
        for table in tables {
            let hole = format!("{{{table}}}");
            if expanded.contains(&hole) {
                expanded = Cow::Owned(expanded.replace(&hole, &self.table(table)));
            }
        }
        expanded
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, generation } = self;
        write!(f, "{name}@v{version}")?;
        if *generation == 0 { Ok(()) } else { write!(f, ".{generation}") }
    }
}

/// Checks a name that goes into statements as it is.
pub(crate) fn check_name(name: &str) -> Result<(), SqlError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if begins && name.len() <= NAME_BYTES_MAX && name.chars().all(fits) {
        return Ok(());
    }
    let rule = format!("a name is up to {NAME_BYTES_MAX} lower-case letters, digits and underlines, a letter first");
    Err(SqlError::refused(format!("{rule}, name={name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_after_their_build() {
        let build = |version, generation| Build { name: "balances".into(), version, generation };
        let sql = "insert into {balances} select '{\"a\":1}' from {owners}_by";
        assert_eq!(
            build(2, 0).expand(sql, &["balances", "owners"]),
            "insert into balances_v2 select '{\"a\":1}' from owners_v2_by"
        );
        assert_eq!(build(2, 3).table("balances"), "balances_v2_3");
        assert_eq!((build(2, 0).to_string(), build(2, 3).to_string()), ("balances@v2".into(), "balances@v2.3".into()));
    }

    #[test]
    fn names_are_plain() {
        assert!(check_name("balances_2").is_ok());
        for wrong in ["", "2a", "a-b", "A", "a b", "ä", &"a".repeat(41)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }
}
