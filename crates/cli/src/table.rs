//! Columns for people: aligned, cut to the width of the terminal, printed batch by batch.
//!
//! Rows must come with their cells in the order of the columns. A column never becomes narrower from one batch to the next, so
//! that a long listing stays aligned without being held in memory.

use std::io::Write;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    exit::Outcome,
    shell::{BOLD, Shell, printable},
};

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// What happens to a column when the line is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It keeps its width.
    Whole,
    /// Its cells are cut, with a `…`.
    Cut,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    heading: &'static str,
    align: Align,
    fit: Fit,
    style: Style,
}

impl Column {
    /// Text that must be seen whole.
    pub(crate) const fn text(heading: &'static str) -> Self {
        Self { heading, align: Align::Left, fit: Fit::Whole, style: Style::new() }
    }

    /// A number.
    pub(crate) const fn number(heading: &'static str) -> Self {
        Self { heading, align: Align::Right, fit: Fit::Whole, style: Style::new() }
    }

    /// Text that is cut when the line is too long.
    pub(crate) const fn long(heading: &'static str) -> Self {
        Self { heading, align: Align::Left, fit: Fit::Cut, style: Style::new() }
    }

    /// The same column in a style.
    pub(crate) const fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// Narrowest a column is cut to.
const CUT_WIDTH_MIN: usize = 8;
/// Between columns.
const GAP: &str = "  ";

/// A table being printed.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    begun: bool,
    indent: &'static str,
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        let columns: Vec<Column> = columns.into();
        let widths = columns.iter().map(|column| column.heading.width()).collect();
        Self { columns, rows: Vec::new(), widths, begun: false, indent: "" }
    }

    /// The same table, set in by `indent`.
    pub(crate) fn indented(mut self, indent: &'static str) -> Self {
        self.indent = indent;
        self
    }

    /// Adds a row; it is printed by the next [`print`](Self::print).
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has a cell for every column");
        self.rows.push(cells);
    }

    /// Rows added and not yet printed.
    pub(crate) fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// Prints the rows added since the last call; the heading before the first.
    pub(crate) fn print(&mut self, shell: &mut Shell) -> Outcome<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let width = shell.width().saturating_sub(self.indent.len());
        for line in self.render(width) {
            writeln!(shell.out(), "{}{line}", self.indent)?;
        }
        Ok(())
    }

    fn render(&mut self, width: usize) -> Vec<String> {
        for row in &self.rows {
            for (known, cell) in self.widths.iter_mut().zip(row) {
                *known = (*known).max(cell.width());
            }
        }
        let mut cut: Vec<Fit> = self.columns.iter().map(|column| column.fit).collect();
        let widths = fit(&self.widths, &mut cut, width);
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if !self.begun && self.columns.iter().any(|column| !column.heading.is_empty()) {
            let headings = self.columns.iter().map(|column| column.heading.to_owned()).collect::<Vec<_>>();
            lines.push(self.line(&headings, &widths, Some(BOLD)));
        }
        self.begun = true;
        for row in std::mem::take(&mut self.rows) {
            lines.push(self.line(&row, &widths, None));
        }
        lines
    }

    fn line(&self, cells: &[String], widths: &[usize], style: Option<Style>) -> String {
        let mut line = String::new();
        for (at, ((cell, width), column)) in cells.iter().zip(widths).zip(&self.columns).enumerate() {
            let style = style.unwrap_or(column.style);
            let shown = cut(cell, *width);
            let padding = " ".repeat(width.saturating_sub(shown.width()));
            let last = at + 1 == self.columns.len();
            match column.align {
                Align::Left if last => line.push_str(&format!("{style}{shown}{style:#}")),
                Align::Left => line.push_str(&format!("{style}{shown}{style:#}{padding}{GAP}")),
                Align::Right => {
                    let gap = if last { "" } else { GAP };
                    line.push_str(&format!("{padding}{style}{shown}{style:#}{gap}"));
                }
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The widths the columns get on a line of `width`: the widest column that may be cut gives first.
fn fit(natural: &[usize], fits: &mut [Fit], width: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    loop {
        let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        let widest = (0..widths.len())
            .filter(|at| fits[*at] == Fit::Cut && widths[*at] > CUT_WIDTH_MIN)
            .max_by_key(|at| widths[*at]);
        let (Some(widest), 1..) = (widest, excess) else {
            return widths;
        };
        // Down to the next widest that may be cut, so that two long columns share the loss.
        let next = (0..widths.len())
            .filter(|at| fits[*at] == Fit::Cut && widths[*at] < widths[widest])
            .map(|at| widths[at])
            .max()
            .unwrap_or(0)
            .max(CUT_WIDTH_MIN);
        let room = widths[widest] - next;
        widths[widest] -= excess.min(room.max(1));
    }
}

/// `text` in at most `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let mut shown: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used < width
        })
        .collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(table: &mut Table, width: usize) -> Vec<String> {
        table.render(width).into_iter().map(|line| anstream::adapter::strip_str(&line).to_string()).collect()
    }

    #[test]
    fn columns_line_up_and_the_long_one_is_cut() {
        let mut table = Table::new([Column::number("position"), Column::text("type"), Column::long("data")]);
        table.row(["7".into(), "OrderPlaced".into(), "x".repeat(40)]);
        table.row(["12345".into(), "Paid".into(), "{}".into()]);
        let lines = rendered(&mut table, 40);
        assert_eq!(lines[0], "position  type         data");
        assert_eq!(lines[1], "       7  OrderPlaced  xxxxxxxxxxxxxxxx…");
        assert_eq!(lines[2], "   12345  Paid         {}");
        assert!(lines.iter().all(|line| line.width() <= 40));
    }

    #[test]
    fn a_later_batch_keeps_the_columns_and_has_no_heading() {
        let mut table = Table::new([Column::text("stream"), Column::number("last")]);
        table.row(["a-long-stream".into(), "1".into()]);
        assert_eq!(rendered(&mut table, 80).len(), 2);
        table.row(["b".into(), "2".into()]);
        assert_eq!(rendered(&mut table, 80), ["b                 2"]);
    }

    #[test]
    fn wide_characters_are_counted_as_the_terminal_shows_them() {
        assert_eq!(cut("日本語日本語", 7), "日本語…");
        assert_eq!(cut("日本語", 6), "日本語");
    }
}
