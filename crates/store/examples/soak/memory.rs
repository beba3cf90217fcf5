//! What the process has of its own in memory, and whether that is flat.

/// Memory that is not that of files, in MiB, where Linux says so.
pub(crate) fn anonymous_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// What memory may grow by from the second quarter of the time to the last, in MiB: half of what the index may have in memory at once, where it is when one
/// looks being chance, and what the allocator keeps of what 300 threads free.
const GROWTH_MIB_MAX: f64 = 48.0;

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
    let said = format!(
        "memory: {before:.0} MiB in the second quarter, {after:.0} MiB in the last, may grow by {GROWTH_MIB_MAX}"
    );
    if after - before <= GROWTH_MIB_MAX { Ok(said) } else { Err(said) }
}
