//! A figure beside what must hold of it.

/// What a figure must be.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    AtLeast(f64),
    AtMost(f64),
}

/// Rows as they are measured, and how many hold.
pub(crate) struct Report {
    judged: usize,
    held: usize,
}

impl Report {
    pub(crate) fn begin() -> Self {
        println!("{:<66}{:>12}  {:<10}{:<12}", "what", "measured", "unit", "hold");
        Self { judged: 0, held: 0 }
    }

    /// A figure that need not hold anything.
    pub(crate) fn tell(&self, what: &str, measured: f64, unit: &str) {
        println!("{what:<66}{:>12}  {unit}", figure(measured));
    }

    /// A figure that is judged.
    pub(crate) fn judge(&mut self, what: &str, measured: f64, unit: &str, hold: Hold) {
        let (words, holds) = match hold {
            Hold::AtLeast(bound) => (format!("≥ {}", figure(bound)), measured >= bound),
            Hold::AtMost(bound) => (format!("≤ {}", figure(bound)), measured <= bound),
        };
        self.judged += 1;
        self.held += usize::from(holds);
        let verdict = if holds { "holds" } else { "FAILS" };
        println!("{what:<66}{:>12}  {unit:<10}{words:<12}{verdict}", figure(measured));
    }

    pub(crate) fn end(self) {
        println!("\n{} of {} hold", self.held, self.judged);
    }
}

/// Three digits, or a whole number.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}
