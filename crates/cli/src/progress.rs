//! Progress of long work: a bar on a terminal's standard error, silence elsewhere.

use std::{fmt::Write, time::Duration};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::shell::Shell;

/// How far some work is.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Work of `total` steps; of an unknown number, if `None`.
    pub(crate) fn new(shell: &Shell, doing: &'static str, noun: &'static str, total: Option<u64>) -> Self {
        if !shell.shows_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template = if total.is_some() {
            format!("  {{msg}} {{human_pos}} of {{human_len}} {noun} {{bar:30}} {{percent}}% {{rate}} {{eta}} left")
        } else {
            format!("  {{msg}} {{human_pos}} {noun} {{rate}}")
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ ").with_key("rate", rate));
        }
        bar.set_message(doing);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// `steps` of the work are done, in all.
    pub(crate) fn at(&self, steps: u64) {
        self.0.set_position(steps);
    }

    /// `steps` more are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// Prints a line above the bar.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}

/// Steps a second, in whole ones.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    let _ = write!(out, "{:.0}/s", state.per_sec()); // nobody can be told that a bar cannot be drawn
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
