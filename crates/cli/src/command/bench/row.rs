//! A figure beside what it must hold, and the table of them.
//!
//! Rows come from more than one process (some must be measured in one that is killed), so a row can be written as JSON and read back.

use serde::{Deserialize, Serialize};

use crate::{
    exit::Outcome,
    shell::{BAD, GOOD, Shell, grouped},
    table::{Column, Table},
};

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hold {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// At least so many times the figure it stands beside.
    RatioAtLeast(f64),
    /// At most so many times the figure it stands beside.
    RatioAtMost(f64),
}

/// Whether a figure is what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    /// It is.
    Holds,
    /// It is, in a smaller store than it must hold for.
    HoldsSoFar,
    /// It is not.
    Fails,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// What is measured.
    what: String,
    /// What was measured.
    measured: f64,
    /// What it stands beside: what the bare disk did with the same bytes in the same run, unless `what` names something else.
    beside: Option<f64>,
    /// Measured by beside.
    ratio: Option<f64>,
    /// Of both.
    unit: String,
    /// What must hold, in words; null for a yardstick.
    hold: Option<String>,
    /// Whether it does.
    verdict: Option<Verdict>,
}

impl Row {
    /// A figure that need not hold anything.
    pub(super) fn new(what: impl Into<String>, measured: f64, unit: &str) -> Self {
        let (beside, ratio, hold, verdict) = (None, None, None, None);
        Self { what: what.into(), measured, beside, ratio, unit: unit.to_owned(), hold, verdict }
    }

    /// The same figure beside another.
    pub(super) fn beside(mut self, beside: f64) -> Self {
        self.beside = Some(beside);
        self.ratio = (beside > 0.0).then(|| self.measured / beside);
        self
    }

    /// The same figure, judged.
    pub(super) fn hold(mut self, hold: Hold) -> Self {
        let (words, holds) = match hold {
            Hold::AtLeast(bound) => (format!("≥ {}", figure(bound)), Some(self.measured >= bound)),
            Hold::AtMost(bound) => (format!("≤ {}", figure(bound)), Some(self.measured <= bound)),
            Hold::RatioAtLeast(bound) => (format!("≥ {bound} ×"), self.ratio.map(|ratio| ratio >= bound)),
            Hold::RatioAtMost(bound) => (format!("≤ {bound} ×"), self.ratio.map(|ratio| ratio <= bound)),
        };
        self.hold = Some(words);
        self.verdict = holds.map(|holds| if holds { Verdict::Holds } else { Verdict::Fails });
        self
    }

    /// The same figure, measured in a store of `events` when it must hold in one of `needed`.
    pub(super) fn in_store_of(mut self, events: u64, needed: u64) -> Self {
        if self.verdict == Some(Verdict::Holds) && events < needed {
            self.verdict = Some(Verdict::HoldsSoFar);
        }
        self
    }
}

/// Rows on their way to standard output.
#[derive(Debug)]
pub(super) struct Report {
    table: Table,
    shape: Shape,
    judged: usize,
    failed: usize,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Columns.
    Table,
    /// An object a line.
    Json,
}

impl Report {
    pub(super) fn new(shape: Shape) -> Self {
        let table = Table::new([
            Column::long("what"),
            Column::number("measured"),
            Column::number("beside"),
            Column::number("ratio"),
            Column::text("unit"),
            Column::text("hold"),
            Column::text(""),
        ]);
        Self { table, shape, judged: 0, failed: 0 }
    }

    /// Prints rows.
    pub(super) fn add(&mut self, rows: &[Row], shell: &mut Shell) -> Outcome<()> {
        self.judged += rows.iter().filter(|row| row.verdict.is_some()).count();
        self.failed += rows.iter().filter(|row| row.verdict == Some(Verdict::Fails)).count();
        match self.shape {
            Shape::Json => rows.iter().try_for_each(|row| shell.json(row))?,
            Shape::Table => {
                rows.iter().for_each(|row| self.table.row(cells(row)));
                self.table.print(shell)?;
            }
        }
        shell.flush()
    }

    /// Prints what the rows come to.
    pub(super) fn finish(&self, shell: &mut Shell) -> Outcome<()> {
        match (self.shape, self.judged, self.failed) {
            (Shape::Json, ..) | (Shape::Table, 0, _) => Ok(()),
            (Shape::Table, judged, 0) => shell.line(format_args!("{GOOD}all {judged} hold{GOOD:#}")),
            (Shape::Table, judged, failed) => shell.line(format_args!("{BAD}{failed} of {judged} do not hold{BAD:#}")),
        }
    }
}

fn cells(row: &Row) -> [String; 7] {
    let verdict = match row.verdict {
        None => "",
        Some(Verdict::Holds) => "holds",
        Some(Verdict::HoldsSoFar) => "so far",
        Some(Verdict::Fails) => "fails",
    };
    [
        row.what.clone(),
        figure(row.measured),
        row.beside.map_or_else(String::new, figure),
        row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        row.unit.clone(),
        row.hold.clone().unwrap_or_default(),
        verdict.to_owned(),
    ]
}

/// Three significant digits, or the whole number with its thousands apart.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rounded and not negative
fn figure(value: f64) -> String {
    if value >= 1e6 {
        return format!("{} M", figure(value / 1e6));
    }
    if value >= 1000.0 {
        return grouped(value.round() as u64);
    }
    let digits = match value {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        assert_eq!(figure(12_345_678.9), "12.3 M");
        assert_eq!(figure(123_456.7), "123,457");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(0.567), "0.57");
        assert_eq!(figure(0.0), "0");
    }

    #[test]
    fn a_ratio_is_judged_and_a_small_store_proves_little() {
        let row = Row::new("append", 95.0, "events/s").beside(100.0).hold(Hold::RatioAtLeast(0.9));
        assert_eq!(row.verdict, Some(Verdict::Holds));
        assert_eq!(row.clone().in_store_of(1_000, 2_000).verdict, Some(Verdict::HoldsSoFar));
        assert_eq!(row.in_store_of(2_000, 2_000).verdict, Some(Verdict::Holds));
        let row = Row::new("reopen", 1_200.0, "ms").hold(Hold::AtMost(1_000.0)).in_store_of(1, 2);
        assert_eq!(row.verdict, Some(Verdict::Fails), "a figure that fails in a small store fails in a large one");
        assert_eq!(Row::new("alone", 1.0, "x").hold(Hold::RatioAtMost(2.0)).verdict, None);
    }

    #[test]
    fn a_row_comes_back_from_another_process_as_it_was() {
        let row = Row::new("by type", 2.5e6, "events/s").beside(1.0).hold(Hold::AtLeast(2e6));
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&line).unwrap(), row);
    }
}
