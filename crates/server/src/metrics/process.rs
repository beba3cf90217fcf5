//! How much memory the process has, as the system says.

/// Bytes of memory the process really has; `None` where the system does not say.
#[allow(clippy::disallowed_methods, reason = "a file of the system, not of the store")]
pub(super) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
