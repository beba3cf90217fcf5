//! What the process has of its own in memory, and whether that is flat.

/// Memory that is not that of files, in MiB, where Linux says so.
pub(crate) fn anonymous_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// What memory may be more in the last quarter of the time than in the second. In 90 seconds it stayed between 70 and 82 MiB, most of which is the index and the
/// tail of what is not sealed, and what the allocator gives back some seconds late: that comes and goes by a tenth. A third of it, some 24 MiB, is six bytes
/// for each event of ten minutes: what is kept of what was followed would show.
const GROWTH_MAX: f64 = 0.3;

/// Whether the readings, taken at equal intervals while events were appended, are flat: the medians of the second and of the last quarter, which
/// are the same but for chance if nothing is kept of what has been followed.
pub(crate) fn judge(readings: &[f64]) -> Result<String, String> {
    let quarter = readings.len() / 4;
    if quarter == 0 {
        return Ok("memory: too short a time to say".to_owned());
    }
    let median = |part: &[f64]| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    let before = median(&readings[quarter..2 * quarter]);
    let after = median(&readings[readings.len() - quarter..]);
    let grown = (after / before - 1.0) * 100.0;
    let said = format!("memory: {before:.0} MiB in the second quarter, {after:.0} MiB in the last, {grown:+.0} %");
    if after <= before * (1.0 + GROWTH_MAX) { Ok(said) } else { Err(format!("{said}, may grow by {GROWTH_MAX}")) }
}
