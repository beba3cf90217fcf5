//! How much memory and time of processors the process has, and how many files it may have, as the system says.

use std::time::Duration;

/// What the system counts the time of processors in, in a second: the same on every Linux, whatever its kernel ticks at.
const TICKS_PER_SECOND: u32 = 100;

/// Bytes of memory the process really has; `None` where the system does not say.
#[allow(clippy::disallowed_methods, reason = "a file of the system, not of the store")]
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// Time of processors all threads of the process, also those that ended, have used since it began, in the kernel too, in hundredths of a second; `None` where the system does not say.
#[allow(clippy::disallowed_methods, reason = "a file of the system, not of the store")]
#[must_use]
pub fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    used(&text)
}

/// How many files, sockets among them, the process may have open at once; `None` where the system does not say.
#[allow(clippy::disallowed_methods, reason = "a file of the system, not of the store")]
#[must_use]
pub fn open_files_max() -> Option<usize> {
    allowed(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// The first figure, which holds; the second is how far the process could raise it. `unlimited` is no figure.
fn allowed(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15; the second is a name in parentheses, which may have anything in it.
fn used(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_secs(ticks) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_many_files_there_may_be() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             63432                63432                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(allowed(limits), Some(1024));
        assert_eq!(allowed(&limits.replace("1024  ", "unlimited")), None);
        assert_eq!(allowed(""), None);
        assert!(open_files_max().is_none_or(|files| files > 2));
    }

    #[test]
    fn the_system_says_what_the_process_has_used() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 5 0";
        assert_eq!(used(stat), Some(Duration::from_secs(3)));
        assert_eq!(used("7 (a"), None);
        assert!(processor_time().is_some() && resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
