//! Metrics as text, in the exposition format of Prometheus (0.0.4).

use std::fmt::Write;

use super::table::{Kind, Metric, Sample, Value};

/// A page of metrics.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds a metric with its samples. One without samples has none now, and is still announced.
    pub(super) fn metric(&mut self, metric: &Metric, samples: Vec<Sample>) {
        let Metric { name, help, .. } = metric;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        for sample in samples {
            self.sample(name, &sample);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn sample(&mut self, name: &str, sample: &Sample) {
        let labels = sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        match &sample.value {
            Value::Count(count) => self.line(format_args!("{name}{braced} {count}")),
            Value::Measure(measure) => self.line(format_args!("{name}{braced} {measure}")),
            Value::Distribution(distribution, unit) => {
                let comma = if labels.is_empty() { "" } else { "," };
                let mut below = 0;
                for (bound, count) in distribution.bounded() {
                    below += count;
                    let bound = unit.of(bound);
                    self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}"));
                }
                // Counted one after the other while others count on: the last bucket must not be less than the one before it.
                let count = distribution.count.max(below);
                self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}"));
                self.line(format_args!("{name}_sum{braced} {}", unit.of(distribution.sum)));
                self.line(format_args!("{name}_count{braced} {count}"));
            }
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The value of a label as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gesta_store::measures::Meter;

    use super::*;
    use crate::metrics::table::Unit;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let metric = |name, kind| Metric { name, kind, labels: &[], help: "Some help.", read: |_| Vec::new() };
        let labelled = |value| Sample { labels: vec![("group", "a\"b\\c\nd".to_owned())], value };
        let meter = Meter::default();
        [1, 3, 1 << 40].into_iter().for_each(|micros| meter.meet(micros));
        let mut page = Page::default();
        page.metric(&metric("gesta_one_total", Kind::Counter), vec![Sample::of(7)]);
        page.metric(&metric("gesta_two_seconds", Kind::Gauge), vec![labelled(Value::Measure(0.25))]);
        page.metric(&metric("gesta_none", Kind::Gauge), vec![]);
        page.metric(
            &metric("gesta_three_seconds", Kind::Histogram),
            vec![labelled(Value::Distribution(Box::new(meter.shown()), Unit::Seconds))],
        );
        let text = page.into_text();
        let shown: Vec<_> = text.lines().filter(|line| !line.contains("_bucket") || line.contains("e-06")).collect();
        let buckets: Vec<_> = text.lines().filter(|line| line.contains("_bucket")).collect();
        expect![[r##"
            # HELP gesta_one_total Some help.
            # TYPE gesta_one_total counter
            gesta_one_total 7
            # HELP gesta_two_seconds Some help.
            # TYPE gesta_two_seconds gauge
            gesta_two_seconds{group="a\"b\\c\nd"} 0.25
            # HELP gesta_none Some help.
            # TYPE gesta_none gauge
            # HELP gesta_three_seconds Some help.
            # TYPE gesta_three_seconds histogram
            gesta_three_seconds_sum{group="a\"b\\c\nd"} 1099511.62778
            gesta_three_seconds_count{group="a\"b\\c\nd"} 3"##]]
        .assert_eq(&shown.join("\n"));
        expect![[r#"
            gesta_three_seconds_bucket{group="a\"b\\c\nd",le="0.000001"} 1
            gesta_three_seconds_bucket{group="a\"b\\c\nd",le="0.000002"} 1
            gesta_three_seconds_bucket{group="a\"b\\c\nd",le="0.000004"} 2"#]]
        .assert_eq(&buckets[..3].join("\n"));
        assert_eq!(buckets.last(), Some(&r#"gesta_three_seconds_bucket{group="a\"b\\c\nd",le="+Inf"} 3"#));
    }
}
