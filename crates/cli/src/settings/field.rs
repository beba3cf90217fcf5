//! What a setting is made of, and how it is written: in a file with its type, elsewhere as text.

use std::{ops::RangeInclusive, time::Duration};

use super::Settings;
use crate::time;

/// What somebody gave for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// In a flag or a variable, where everything is text.
    Text(String),
    /// In a file, text.
    FileText(String),
    /// In a file, a number.
    FileNumber(i64),
    /// In a file, a truth.
    FileFlag(bool),
    /// In a file, something no setting is.
    FileOther(&'static str),
}

impl Given {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::FileText(_) => "text",
            Self::FileNumber(_) => "a number",
            Self::FileFlag(_) => "true or false",
            Self::FileOther(kind) => kind,
        }
    }
}

/// A place in the settings, and what may stand there.
pub(crate) enum Field {
    /// A count.
    Number { range: RangeInclusive<u64>, get: fn(&Settings) -> u64, set: fn(&mut Settings, u64) },
    /// Bytes: a number, or text with `KiB` or `MiB`.
    Bytes { range: RangeInclusive<u64>, get: fn(&Settings) -> u64, set: fn(&mut Settings, u64) },
    /// A length of time: `500ms`, `10s`.
    Span { range: RangeInclusive<Duration>, get: fn(&Settings) -> Duration, set: fn(&mut Settings, Duration) },
    /// Yes or no.
    Flag { get: fn(&Settings) -> bool, set: fn(&mut Settings, bool) },
    /// What has a form of its own.
    Text { shape: &'static str, get: fn(&Settings) -> String, set: fn(&mut Settings, &str) -> Result<(), String> },
}

impl Field {
    /// What stands in the place of a value in help.
    pub(crate) fn shape(&self) -> &'static str {
        match self {
            Self::Number { .. } => "NUMBER",
            Self::Bytes { .. } => "BYTES",
            Self::Span { .. } => "TIME",
            Self::Flag { .. } => "BOOL",
            Self::Text { shape, .. } => shape,
        }
    }

    /// What may be given, in words.
    pub(crate) fn range(&self) -> String {
        match self {
            Self::Number { range, .. } => format!("{} to {}", range.start(), range.end()),
            Self::Bytes { range, .. } => format!("{} to {}", bytes(*range.start()), bytes(*range.end())),
            Self::Span { range, .. } => format!("{} to {}", span(*range.start()), span(*range.end())),
            Self::Flag { .. } => "true, false".to_owned(),
            Self::Text { .. } => String::new(),
        }
    }

    /// The value.
    pub(crate) fn shown(&self, settings: &Settings) -> String {
        match self {
            Self::Number { get, .. } => get(settings).to_string(),
            Self::Bytes { get, .. } => bytes(get(settings)),
            Self::Span { get, .. } => span(get(settings)),
            Self::Flag { get, .. } => get(settings).to_string(),
            Self::Text { get, .. } => get(settings),
        }
    }

    /// Takes what was given; says what is wrong with it.
    pub(crate) fn set(&self, settings: &mut Settings, given: &Given) -> Result<(), String> {
        let unfit = |wanted: &str| format!("{} is not {wanted}", quoted(given));
        match self {
            Self::Number { range, set, .. } => {
                let number = match given {
                    Given::Text(text) => text.parse().map_err(|_| unfit("a number"))?,
                    Given::FileNumber(number) => u64::try_from(*number).map_err(|_| self.outside(given))?,
                    Given::FileText(_) | Given::FileFlag(_) | Given::FileOther(_) => return Err(unfit("a number")),
                };
                range.contains(&number).then(|| set(settings, number)).ok_or_else(|| self.outside(given))
            }
            Self::Bytes { range, set, .. } => {
                let wanted = "a number of bytes (65536, 64KiB, 4MiB)";
                let count = match given {
                    Given::Text(text) | Given::FileText(text) => parse_bytes(text).ok_or_else(|| unfit(wanted))?,
                    Given::FileNumber(number) => u64::try_from(*number).map_err(|_| self.outside(given))?,
                    Given::FileFlag(_) | Given::FileOther(_) => return Err(unfit(wanted)),
                };
                range.contains(&count).then(|| set(settings, count)).ok_or_else(|| self.outside(given))
            }
            Self::Span { range, set, .. } => {
                let (Given::Text(text) | Given::FileText(text)) = given else {
                    return Err(unfit("a length of time in quotes (\"500ms\", \"10s\")"));
                };
                let time = time::parse_duration(text)?;
                range.contains(&time).then(|| set(settings, time)).ok_or_else(|| self.outside(given))
            }
            Self::Flag { set, .. } => {
                let flag = match given {
                    Given::Text(text) => text.parse().map_err(|_| unfit("true or false"))?,
                    Given::FileFlag(flag) => *flag,
                    Given::FileText(_) | Given::FileNumber(_) | Given::FileOther(_) => {
                        return Err(unfit("true or false"));
                    }
                };
                set(settings, flag);
                Ok(())
            }
            Self::Text { set, .. } => match given {
                Given::Text(text) | Given::FileText(text) => {
                    set(settings, text).map_err(|what| format!("{} is not understood, {what}", quoted(given)))
                }
                Given::FileNumber(_) | Given::FileFlag(_) | Given::FileOther(_) => Err(unfit("text in quotes")),
            },
        }
    }

    fn outside(&self, given: &Given) -> String {
        format!("{} is out of range, which is {}", quoted(given), self.range())
    }
}

/// What was given, as it is named in a message.
fn quoted(given: &Given) -> String {
    match given {
        Given::Text(text) | Given::FileText(text) => format!("{text:?}"),
        Given::FileNumber(number) => number.to_string(),
        Given::FileFlag(flag) => flag.to_string(),
        Given::FileOther(_) => given.kind().to_owned(),
    }
}

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_bytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|&(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let (digits, size) = unit.unwrap_or((text, 1));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(size)
}

fn bytes(count: u64) -> String {
    match UNITS.iter().find(|&&(_, size)| count > 0 && count.is_multiple_of(size)) {
        Some((unit, size)) => format!("{}{unit}", count / size),
        None => count.to_string(),
    }
}

fn span(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}
