//! What this process has used, as the system counts it below `/proc`. `None` where the system does not tell.

use std::fs;

pub(super) use gesta_server::metrics::process::processor_time as cpu;

/// Memory of this process, in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Everything resident, pages of mapped files included.
    pub(super) resident: f64,
    /// What only this process has: heap and stacks.
    pub(super) anonymous: f64,
    /// The most that ever was resident.
    pub(super) peak: f64,
}

/// Memory now.
pub(super) fn memory() -> Option<Memory> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mib = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kib| kib / 1024.0)
    };
    Some(Memory { resident: mib("VmRSS")?, anonymous: mib("RssAnon")?, peak: mib("VmHWM")? })
}

/// How often this process went to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// Calls that read.
    pub(super) calls: u64,
    /// Bytes fetched from a device, through calls or mapped pages.
    pub(super) device_bytes: u64,
}

/// Reads done by `work`, without those it takes to count them.
pub(super) fn reads_of(work: impl FnOnce()) -> Option<Reads> {
    let counting = reads()?;
    let before = reads()?;
    work();
    let after = reads()?;
    let calls = (after.calls - before.calls).saturating_sub(before.calls - counting.calls);
    Some(Reads { calls, device_bytes: after.device_bytes - before.device_bytes })
}

fn reads() -> Option<Reads> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    let count = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some(Reads { calls: count("syscr:")?, device_bytes: count("read_bytes:")? })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        assert!(cpu().is_some());
        let memory = memory().unwrap();
        assert!(memory.anonymous <= memory.resident && memory.resident <= memory.peak);
        assert!(reads_of(|| drop(fs::read("/proc/self/stat").unwrap())).unwrap().calls >= 1);
    }
}
