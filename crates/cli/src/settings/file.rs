//! Settings in a file: TOML, a table for each group of them.

use std::{fs, ops::Range, path::Path};

use toml::de::{DeTable, DeValue};

use super::{Origin, SETTINGS, Said, field::Given, unread, wrong};
use crate::exit::{Exit, Failure, Outcome};

/// Longest file that is read, in bytes: a hundred times one in which everything is set.
const BYTES_MAX: u64 = 64 << 10;

/// What a file says.
pub(super) fn read(path: &Path) -> Outcome<Vec<Said>> {
    let failed = |error| unread("reading settings", path, &error);
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > BYTES_MAX {
        let what = format!("file of settings is too long, file={} bytes={bytes} bytes_max={BYTES_MAX}", path.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    parse(path, &fs::read_to_string(path).map_err(failed)?)
}

/// What the text of a file says.
pub(super) fn parse(path: &Path, text: &str) -> Outcome<Vec<Said>> {
    let origin = |span: &Range<usize>| Origin::File(path.to_owned(), line_of(text, span.start));
    let table = DeTable::parse(text).map_err(|error| {
        let origin = origin(&error.span().unwrap_or_default());
        Failure::usage(format!("file of settings is not TOML: {}, source={origin}", error.message()))
    })?;
    let mut said = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(inner) if !is_setting(name) => {
                if !SETTINGS.iter().any(|setting| setting.name.split_once('.').is_some_and(|(table, _)| table == name))
                {
                    return Err(unknown(&origin(&key.span()), name));
                }
                for (key, value) in inner {
                    let name = format!("{name}.{}", key.get_ref());
                    said.push(entry(&name, value.get_ref(), origin(&key.span()))?);
                }
            }
            value @ (DeValue::Table(_)
            | DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)) => said.push(entry(name, value, origin(&key.span()))?),
        }
    }
    Ok(said)
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

fn entry(name: &str, value: &DeValue<'_>, origin: Origin) -> Outcome<Said> {
    let Some(setting) = SETTINGS.iter().position(|setting| setting.name == name) else {
        return Err(unknown(&origin, name));
    };
    let given = match value {
        DeValue::String(text) => Given::FileText(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Given::FileNumber(number),
            Err(_) => Given::FileOther("a number beyond 64 bits"),
        },
        DeValue::Boolean(flag) => Given::FileFlag(*flag),
        DeValue::Float(_) => Given::FileOther("a fraction"),
        DeValue::Datetime(_) => Given::FileOther("a date"),
        DeValue::Array(_) => Given::FileOther("a list"),
        DeValue::Table(_) => Given::FileOther("a table"),
    };
    Ok(Said { setting, given, origin })
}

fn unknown(origin: &Origin, name: &str) -> Failure {
    wrong(origin, name, "there is no such setting")
}

/// The line, from 1 on, a byte of a text is on.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}
