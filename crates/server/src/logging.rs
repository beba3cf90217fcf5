//! What the server says of itself while it runs: a line for each start, end, refusal, failure and slow call, and none for an event.
//!
//! Lines go to standard error, as text for people or as one JSON object each for programs. They are the facts of the moment; what adds up is in
//! [`metrics`](crate::metrics).

use std::{fmt, io, str::FromStr};

use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, registry::Registry, util::SubscriberInitExt};

use crate::traces::Exporter;

/// The shape of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("write `text` or `json`".to_owned()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Which lines: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), and levels of parts of the program behind it: `info,gesta_server=debug`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter {
    text: String,
    targets: Targets,
}

impl Default for LogFilter {
    fn default() -> Self {
        "info".parse().expect("a level is a filter")
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let targets = text.parse().map_err(|_| "write a level, and `target=level` behind commas".to_owned())?;
        Ok(Self { text: text.to_owned(), targets })
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogColor {
    /// They are.
    Colored,
    /// They are not.
    Plain,
}

/// What is told while the program runs; dropped at its end, so that what is still to be sent is.
#[derive(Debug)]
pub struct Telling {
    _spans: Option<Exporter>,
}

/// Lets lines be written from here on, and spans be sent to the collector at `collector`, if one is named. Done once in a program; the first one that does it decides.
///
/// # Errors
/// What is wrong with the collector's address; that this program sends no spans.
pub fn start(
    format: LogFormat,
    filter: &LogFilter,
    color: LogColor,
    collector: Option<&str>,
) -> Result<Telling, String> {
    let spans = collector.map(Exporter::start).transpose()?;
    // A list: a layer that is not there would count as one that wants nothing, for all of them.
    let mut layers = vec![lines(format, filter, color)];
    layers.extend(spans.as_ref().map(Exporter::layer));
    // Somebody else's subscriber stays: this is then a part of his program.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(Telling { _spans: spans })
}

fn lines(format: LogFormat, filter: &LogFilter, color: LogColor) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            let colored = color == LogColor::Colored;
            layer.with_target(false).with_ansi(colored).with_filter(filter.targets.clone()).boxed()
        }
        LogFormat::Json => {
            layer.json().flatten_event(true).with_span_list(false).with_filter(filter.targets.clone()).boxed()
        }
    }
}
