//! Where words go: data to standard output, talk to standard error, colour only where it is wanted. The one door to both.

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal, Write},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::exit::{Exit, Failure, Outcome};

/// The shape of the data on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people; the default on a terminal
    Table,
    /// One JSON object a line; the default in a pipe
    Ndjson,
    /// Fields separated by tabs, no heading
    Plain,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Names of kinds of things, such as event types.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();

/// Columns assumed when standard output is no terminal and `COLUMNS` says nothing.
const WIDTH_DEFAULT: usize = 100;

/// Standard output and standard error, as the command line asked for them.
pub(crate) struct Shell {
    out: BufWriter<Box<dyn Write>>,
    format: Format,
    width: usize,
    quiet: bool,
}

impl Shell {
    pub(crate) fn new(format: Option<Format>, color: Color, quiet: bool) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        let terminal = io::stdout().is_terminal();
        let format = format.unwrap_or(if terminal { Format::Table } else { Format::Ndjson });
        let stdout = io::stdout();
        // What is for scripts has no colours, whatever was asked for; the bytes of NDJSON pass untouched.
        let raw: Box<dyn Write> = match format {
            Format::Table => Box::new(AutoStream::new(stdout, AutoStream::choice(&io::stdout()))),
            Format::Plain => Box::new(AutoStream::never(stdout)),
            Format::Ndjson => Box::new(stdout),
        };
        Self { out: BufWriter::with_capacity(64 << 10, raw), format, width: terminal_width(), quiet }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Columns a line may have.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Whether progress may be drawn: somebody looks at standard error and did not ask for quiet.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Standard output.
    pub(crate) fn out(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Writes a line of data.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Outcome<()> {
        writeln!(self.out, "{line}").map_err(|error| Failure::output(&error))
    }

    /// Writes an object as a line of NDJSON.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Outcome<()> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| Failure::output(&error.into()))?;
        self.line("")
    }

    /// Sends what was written on its way.
    pub(crate) fn flush(&mut self) -> Outcome<()> {
        self.out.flush().map_err(|error| Failure::output(&error))
    }

    /// Tells the person at the terminal something; not data.
    pub(crate) fn say(&self, words: impl fmt::Display) {
        if !self.quiet {
            to_stderr(format_args!("{}", printable(&words.to_string())));
        }
    }

    /// Tells something that even `--quiet` does not silence: a line of input refused.
    pub(crate) fn warn(&self, words: impl fmt::Display) {
        to_stderr(format_args!("{BAD}warning:{BAD:#} {}", printable(&words.to_string())));
    }

    /// Tells why the command failed.
    pub(crate) fn report(&self, failure: &Failure) {
        if failure.is_quiet() {
            return;
        }
        let what = printable(&failure.to_string());
        if failure.exit == Exit::Interrupted {
            to_stderr(format_args!("{what}"));
        } else {
            to_stderr(format_args!("{BAD}error:{BAD:#} {what}"));
        }
        if let Some(remedy) = failure.remedy() {
            to_stderr(format_args!("  {}", printable(remedy)));
        }
    }
}

/// Nobody can be told that standard error does not work, so that failure is let go.
fn to_stderr(words: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}

fn terminal_width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    asked
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .filter(|columns| *columns >= 40)
        .unwrap_or(WIDTH_DEFAULT)
}

/// `text` on one line, with everything escaped that could move the cursor, change colours or reorder a line: what an event
/// holds must not be able to speak to the terminal.
pub(crate) fn printable(text: &str) -> String {
    if !text.chars().any(is_unprintable) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            c if is_unprintable(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of bytes in three significant digits: `1.21 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let mut value = count as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    let digits = match value {
        _ if unit == "B" => 0,
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

/// `one` or `many`, by the count: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_holds_cannot_speak_to_the_terminal() {
        assert_eq!(printable("plain ünï"), "plain ünï");
        assert_eq!(printable("a\x1b[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\nc\\u{202e}d");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1 << 20), "1.00 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(counted(1, "event"), "1 event");
    }
}
