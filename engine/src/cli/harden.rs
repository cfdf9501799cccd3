//! What this process may leave behind outside of itself: no core file, no memory that others of the same account can read, and nothing on
//! a swap device.

use std::path::Path;

use anyhow::{Context as _, bail};
use caps::CapSet;
use consentry_host_api::memory;
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Keeps others out of this process's memory, from now on.
///
/// # Errors
/// The kernel refuses, which it has no reason for.
pub(super) fn keep_to_itself() -> anyhow::Result<()> {
    set_dumpable(false).context("this process can't be kept from being looked into")
}

/// What this process starts has none of the rights that a service manager gave it (`AmbientCapabilities=`). It keeps them itself.
///
/// # Errors
/// As [`keep_to_itself`].
pub(super) fn hand_on_no_rights() -> anyhow::Result<()> {
    caps::clear(None, CapSet::Ambient).context("rights that this process hands on can't be taken back")
}

/// Neither this process nor what it starts writes a core file.
///
/// # Errors
/// As [`keep_to_itself`].
pub(super) fn write_no_core() -> anyhow::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("core files can't be turned off")
}

/// What this process starts writes a core file, as far as this machine allows, unless it sees to it that it does not.
///
/// # Errors
/// As [`keep_to_itself`].
pub(super) fn let_others_write_cores() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, most, most).context("core files can't be turned on")
}

/// Sees to it that no memory with personal data is written to a disk; says so where it matters less: in development, or at a desk.
///
/// # Errors
/// Why it may be, and what to do.
pub(super) fn refuse_swap(is_lenient: bool) -> anyhow::Result<()> {
    match may_be_swapped() {
        Some(why) if is_lenient => eprintln!("consentry: {why}"),
        Some(why) => bail!("{why}"),
        None => {}
    }
    Ok(())
}

/// Why the kernel may write memory of ours to a disk, if it may.
fn may_be_swapped() -> Option<&'static str> {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let group = read(Path::new("/proc/self/cgroup"));
    let bounds = groups(&group).map(|group| read(&Path::new("/sys/fs/cgroup").join(group).join("memory.swap.max")));
    if swaps(&read(Path::new("/proc/swaps"))) && !bounds.into_iter().any(|bound| bound.trim() == "0") {
        return Some(
            "this machine swaps: turn that off (swapoff -a), or for this service (MemorySwapMax=0 in its unit), so that no memory with \
             personal data is written to a disk",
        );
    }
    if memory::can_lock() {
        return None;
    }
    Some("no pages can be locked: let this service lock 8 MiB (LimitMEMLOCK=8M in its unit)")
}

/// Whether `/proc/swaps` names a place that is not memory itself.
fn swaps(text: &str) -> bool {
    text.lines().skip(1).any(|line| !line.starts_with("/dev/zram"))
}

/// A group of processes and all around it, as paths.
fn groups(text: &str) -> impl Iterator<Item = &Path> {
    let own = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    Path::new(own).ancestors()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_device_counts_and_compressed_memory_does_not() {
        let head = "Filename\tType\tSize\tUsed\tPriority\n";
        for (line, counts) in [
            ("", false),
            ("/dev/sda2 partition 1 0 -2\n", true),
            ("/swap.img file 1 0 -2\n", true),
            ("/dev/zram0 partition 1 0 5\n", false),
        ] {
            assert_eq!(swaps(&format!("{head}{line}")), counts, "{line}");
        }
        let all: Vec<_> =
            groups("0::/system.slice/consentry.service\n").map(|path| path.to_str().unwrap().to_owned()).collect();
        assert_eq!(all, ["system.slice/consentry.service", "system.slice", ""]);
    }
}
