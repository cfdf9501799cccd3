//! A bound of memory and processes around a browser, in a control group of its own where the system lets us make one. A page that eats
//! memory loses its own process then, since the browser marks those as the first to go.

use std::fs;
use std::path::{Path, PathBuf};

/// Most processes and threads of a browser with all its pages.
const TASKS: &str = "4096";

/// The groups that one browser stands in; removed when it is over.
pub(super) struct Confines(Vec<PathBuf>);

impl Confines {
    /// Puts a process, and what it starts from now on, into groups of its own. None where that is not allowed.
    pub(super) fn around(pid: u32, memory_bytes: u64) -> Option<Self> {
        let memory = memory_bytes.to_string();
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mut groups = Vec::new();
        for line in own.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
            let (root, bounds): (PathBuf, &[(&str, &str)]) = match controllers {
                // Version 2: one tree for all. Beside version 1 it stands elsewhere and bounds nothing; there this is no control group at all, and
                // takes any file.
                "" if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() => continue,
                "" => (PathBuf::from("/sys/fs/cgroup"), &[("memory.max", &memory), ("pids.max", TASKS)]),
                "memory" => (PathBuf::from("/sys/fs/cgroup/memory"), &[("memory.limit_in_bytes", &memory)]),
                "pids" => (PathBuf::from("/sys/fs/cgroup/pids"), &[("pids.max", TASKS)]),
                _ => continue,
            };
            groups.extend(make(&root.join(path), pid, bounds));
        }
        if groups.is_empty() {
            tracing::info!("the browser has no control group of its own: its memory is bounded by this service's");
        }
        (!groups.is_empty()).then_some(Self(groups))
    }
}

fn make(parent: &Path, pid: u32, bounds: &[(&str, &str)]) -> Option<PathBuf> {
    let group = parent.join(format!("consentry-browser-{pid}"));
    fs::create_dir(&group).ok()?;
    let set = bounds.iter().try_for_each(|(name, most)| fs::write(group.join(name), most));
    match set.and_then(|()| fs::write(group.join("cgroup.procs"), pid.to_string())) {
        Ok(()) => Some(group),
        Err(_) => {
            // Nothing is in it.
            let _ = fs::remove_dir(&group);
            None
        }
    }
}

impl Drop for Confines {
    fn drop(&mut self) {
        // Its processes have ended; one that lingers keeps the group until the system goes.
        self.0.iter().for_each(|group| drop(fs::remove_dir(group)));
    }
}
