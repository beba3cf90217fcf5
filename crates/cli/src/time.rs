//! Time as people write and read it. The store keeps nanoseconds since the epoch; civil times are in the system's time zone.

use std::time::Duration;

use gesta::Timestamp;
use jiff::{SignedDuration, Span, ZonedDateTime, civil, tz::TimeZone};

/// The moment `text` means: RFC 3339 (`2026-01-31T18:00:00Z`), RFC 9557, a civil date or date and time (`2026-01-31`,
/// `2026-01-31 18:00`), `now`, `today`, `yesterday`, or a span before `now` (`2 days ago`, `90m ago`, `-1w`).
pub(crate) fn parse(text: &str, now: &ZonedDateTime) -> Result<Timestamp, String> {
    let text = text.trim();
    let moment = parse_moment(text, now).ok_or_else(|| {
        format!(
            "not a time, given={text:?}; write 2026-01-31, '2026-01-31 18:00', 2026-01-31T18:00:00Z, yesterday or '2 days ago'"
        )
    })?;
    let nanos = i64::try_from(moment.as_nanosecond());
    nanos.map(Timestamp).map_err(|_| format!("time is outside the years 1677 to 2262, given={text:?}"))
}

fn parse_moment(text: &str, now: &ZonedDateTime) -> Option<jiff::Timestamp> {
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return start_of_day(now.date(), now.time_zone()),
        "yesterday" => return start_of_day(now.date().yesterday().ok()?, now.time_zone()),
        _ => {}
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment);
    }
    if let Ok(zoned) = text.parse::<ZonedDateTime>() {
        return Some(zoned.timestamp());
    }
    if looks_like_a_span(text) {
        let span: Span = text.parse().ok()?;
        return now.checked_add(span).ok().map(|zoned| zoned.timestamp());
    }
    let civil: civil::DateTime = text.parse().ok()?;
    civil.to_zoned_datetime(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
}

/// A span without a direction (`2 days`) would be a moment to come, which nobody means here.
fn looks_like_a_span(text: &str) -> bool {
    text.ends_with(" ago") || text.starts_with('-')
}

fn start_of_day(day: civil::Date, zone: &TimeZone) -> Option<jiff::Timestamp> {
    day.to_zoned_datetime(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// A length of time: `500ms`, `2s`, `1m 30s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| format!("not a length of time, given={text:?}; write 500ms, 2s or 1m"))?;
    Duration::try_from(duration).map_err(|_| format!("a length of time cannot be negative, given={text:?}"))
}

/// The current moment in the system's time zone.
pub(crate) fn now() -> ZonedDateTime {
    ZonedDateTime::now()
}

/// The current moment as the store counts it.
pub(crate) fn now_timestamp() -> Timestamp {
    Timestamp(i64::try_from(now().timestamp().as_nanosecond()).unwrap_or(i64::MAX))
}

fn moment(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(time.0)).expect("every i64 of nanoseconds is in jiff's range")
}

/// RFC 3339, UTC, with all nine digits of the nanoseconds: sorts as text and loses nothing.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    format!("{:.9}", moment(time))
}

/// The time `text` is, in RFC 3339 exactly; for machine-written input.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(moment.as_nanosecond()).ok().map(Timestamp)
}

/// Date and time of day in the system's time zone, for tables.
pub(crate) fn civil(time: Timestamp) -> String {
    moment(time).to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The first whole second at `time` or after it: what [`civil`] shows without loss, and what had happened by `time` had happened by then.
pub(crate) fn next_second(time: Timestamp) -> Timestamp {
    let behind = time.0.rem_euclid(1_000_000_000);
    Timestamp(if behind == 0 { time.0 } else { time.0.saturating_add(1_000_000_000 - behind) })
}

/// Seconds since the epoch with an offset from UTC in minutes, as git keeps them, in RFC 3339. `None` outside the calendar.
pub(crate) fn rfc3339_with_offset(seconds: i64, offset_minutes: i32) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    let offset = jiff::tz::Offset::from_seconds(offset_minutes.checked_mul(60)?).ok()?;
    Some(moment.display_with_offset(offset).to_string())
}

/// A length of time as people say it: in three significant digits (`1.24 s`, `830 ms`, `12.0 µs`), or, from a minute on, in its two largest units
/// (`3 h 12 min`).
pub(crate) fn short(duration: Duration) -> String {
    // What would be rounded to sixty seconds is a minute.
    if duration >= Duration::from_millis(59_950) {
        return long(duration);
    }
    let nanos = duration.as_secs_f64() * 1e9;
    let (value, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = match value {
        v if v >= 100.0 || unit == "ns" => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

fn long(duration: Duration) -> String {
    /// The lengths of the units, in seconds.
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let to_nearest = |unit: u64| {
        let half = Duration::from_secs(unit) / 2;
        duration.saturating_add(half).as_secs() / unit
    };
    // Rounded before the larger unit is chosen: an hour less a second is an hour where only minutes are told.
    let (count, per_large, large, small) = match (to_nearest(1), to_nearest(MINUTE)) {
        (seconds, _) if seconds < HOUR => (seconds, 60, "min", "s"),
        (_, minutes) if minutes < DAY / MINUTE => (minutes, 60, "h", "min"),
        _ => (to_nearest(HOUR), 24, "d", "h"),
    };
    match (count / per_large, count % per_large) {
        (count, 0) => format!("{count} {large}"),
        (count, rest) => format!("{count} {large} {rest} {small}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> ZonedDateTime {
        "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().unwrap()
    }

    fn parsed(text: &str) -> String {
        parse(text, &noon()).map_or_else(|error| error, rfc3339)
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let cases = [
            ("2026-01-31T18:00:00Z", "2026-01-31T18:00:00.000000000Z"),
            ("2026-01-31T18:00:00.123456789+01:00", "2026-01-31T17:00:00.123456789Z"),
            ("2026-01-31T18:00:00+01:00[Europe/Berlin]", "2026-01-31T17:00:00.000000000Z"),
            ("2026-01-31", "2026-01-30T23:00:00.000000000Z"),
            ("2026-01-31 18:00", "2026-01-31T17:00:00.000000000Z"),
            ("2026-01-31T18:00:30", "2026-01-31T17:00:30.000000000Z"),
            ("now", "2026-03-29T10:00:00.000000000Z"),
            ("today", "2026-03-28T23:00:00.000000000Z"),
            ("yesterday", "2026-03-27T23:00:00.000000000Z"),
            // The day has 23 hours: the clocks went forward that night.
            ("1 day ago", "2026-03-28T11:00:00.000000000Z"),
            ("24 hours ago", "2026-03-28T10:00:00.000000000Z"),
            ("90m ago", "2026-03-29T08:30:00.000000000Z"),
            ("-1w", "2026-03-22T11:00:00.000000000Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for text in ["", "2 days", "soon", "2026-13-01", "12"] {
            assert!(parsed(text).starts_with("not a time, given="), "{text:?} gave {}", parsed(text));
        }
        assert!(parsed("1066-10-14T00:00:00Z").starts_with("time is outside the years"));
    }

    #[test]
    fn recorded_times_round_trip_to_the_nanosecond() {
        for nanos in [0, 1, -1, 1_795_634_900_123_456_789, i64::MAX, i64::MIN] {
            assert_eq!(parse_rfc3339(&rfc3339(Timestamp(nanos))), Some(Timestamp(nanos)));
        }
    }

    #[test]
    fn whole_seconds_are_never_before() {
        for (nanos, expected) in [(0, 0), (1, 1_000_000_000), (-1, 0), (-1_000_000_000, -1_000_000_000)] {
            assert_eq!(next_second(Timestamp(nanos)), Timestamp(expected), "{nanos}");
        }
    }

    #[test]
    fn offsets_of_git_are_kept() {
        assert_eq!(rfc3339_with_offset(0, 330).as_deref(), Some("1970-01-01T05:30:00+05:30"));
        assert_eq!(rfc3339_with_offset(i64::MAX, 0), None);
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(short(Duration::from_nanos(412)), "412 ns");
        assert_eq!(short(Duration::from_micros(12)), "12.0 µs");
        assert_eq!(short(Duration::from_millis(1240)), "1.24 s");
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("-2s").is_err());
    }

    #[test]
    fn long_durations_are_told_in_their_two_largest_units() {
        let cases = [
            (59_949, "59.9 s"),
            (59_950, "1 min"),
            (60_000, "1 min"),
            (89_600, "1 min 30 s"),
            (3_599_499, "59 min 59 s"),
            (3_599_500, "1 h"),
            (3_629_000, "1 h"),
            (3_630_000, "1 h 1 min"),
            (11_520_000, "3 h 12 min"),
            (86_369_000, "23 h 59 min"),
            (86_370_000, "1 d"),
            (86_400_000 + 5 * 3_600_000, "1 d 5 h"),
            (400 * 86_400_000 - 1, "400 d"),
        ];
        for (millis, expected) in cases {
            assert_eq!(short(Duration::from_millis(millis)), expected, "{millis}");
        }
        assert_eq!(short(Duration::MAX), "213503982334601 d 7 h");
    }
}
