//! Bounds around a browser. In a control group of its own, where the system lets us make one, memory, processes and processor time of all of it;
//! and for each process that shows pages its own memory and processor time, which every system has. A page that reaches one gets no
//! more, or loses its own process, and the browser goes on: it marks those as the first to go.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Weak;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::time::MissedTickBehavior;

use super::check;
use super::launch::Process;
use super::settings::BrowserSettings;
use super::transport::Transport;

/// How groups are called, before the id of the browser's process.
const PREFIX: &str = "consentry-browser-";
/// Most processes and threads of a browser with all its pages.
const TASKS: &str = "4096";
/// How often, and after what rest, it is tried to remove a group.
const REMOVALS: u32 = 100;
const REMOVAL: Duration = Duration::from_millis(20);
/// Processor time is counted in periods of so many microseconds.
const PERIOD: u64 = 100_000;
/// How often it is looked what all pages hold together.
const LOOKS: Duration = Duration::from_secs(1);

/// The groups that one browser stands in; removed when it is over.
pub(super) struct Confines(Vec<PathBuf>);

/// A file of a group, and what is written into it.
type Bound = (&'static str, String);

impl Confines {
    /// Puts a process, and what it starts from now on, into groups of its own. None where that is not allowed.
    pub(super) fn around(pid: u32, settings: &BrowserSettings) -> Option<Self> {
        let groups: Vec<PathBuf> =
            places(settings).iter().filter_map(|(parent, bounds)| make(parent, pid, bounds)).collect();
        if groups.is_empty() {
            tracing::info!(
                "the browser has no control group of its own: this service's bounds alone hold it as a whole"
            );
        }
        (!groups.is_empty()).then_some(Self(groups))
    }

    /// Puts in what the browser had started before it was put there itself.
    pub(super) fn take_in(&self, browser: u32) {
        for (group, pid) in
            self.0.iter().flat_map(|group| check::descendants(browser).into_iter().map(move |pid| (group, pid)))
        {
            // One that has ended needs no group.
            let _ = fs::write(group.join("cgroup.procs"), pid.to_string());
        }
    }

    /// Where it stands.
    #[cfg(test)]
    pub(super) fn groups(&self) -> &[PathBuf] {
        &self.0
    }
}

/// Removes the groups of browsers that are gone, and whose engine was killed before it could. One with a process in it stays.
pub(super) fn sweep(settings: &BrowserSettings) {
    for (parent, _) in places(settings) {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        for group in entries.flatten().map(|entry| entry.path()) {
            let name = group.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let gone =
                |pid: &str| pid.parse::<u32>().is_ok_and(|pid| !Path::new("/proc").join(pid.to_string()).exists());
            if name.strip_prefix(PREFIX).is_some_and(gone) && fs::remove_dir(&group).is_ok() {
                tracing::info!("removed the control group of a browser whose engine is gone");
            }
        }
    }
}

/// Where groups may be made, and what bounds there.
fn places(settings: &BrowserSettings) -> Vec<(PathBuf, Vec<Bound>)> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Beside version 1, version 2 stands elsewhere and bounds nothing; there this is no control group at all, and takes any file.
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    own.lines().filter_map(|line| place(line, unified, settings)).collect()
}

/// Below which group a browser gets its own, by a line of `/proc/self/cgroup`, and what bounds it there.
fn place(line: &str, unified: bool, settings: &BrowserSettings) -> Option<(PathBuf, Vec<Bound>)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, own) = (parts.next()?, parts.next()?.trim_start_matches('/'));
    let tree = Path::new("/sys/fs/cgroup");
    let (memory, quota) = (settings.memory_bytes.to_string(), u64::from(settings.cpu_percent) * PERIOD / 100);
    let tasks = ("pids.max", TASKS.to_owned());
    match controllers {
        "" if unified => {
            let own = tree.join(own);
            // There only groups without processes have groups with bounds below them: a service that was put into one of its own
            // (`DelegateSubgroup=`) makes the browser's beside it.
            let service = own.parent().filter(|above| above.extension().is_some_and(|kind| kind == "service"));
            let parent = service.map_or_else(|| own.clone(), Path::to_path_buf);
            let cpu = ("cpu.max", format!("{quota} {PERIOD}"));
            Some((parent, vec![("memory.max", memory), tasks, cpu]))
        }
        "memory" => Some((tree.join("memory").join(own), vec![("memory.limit_in_bytes", memory)])),
        "pids" => Some((tree.join("pids").join(own), vec![tasks])),
        _ if controllers.split(',').any(|each| each == "cpu") => {
            let bounds = vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota.to_string())];
            Some((tree.join(controllers).join(own), bounds))
        }
        _ => None,
    }
}

fn make(parent: &Path, pid: u32, bounds: &[Bound]) -> Option<PathBuf> {
    let group = parent.join(format!("{PREFIX}{pid}"));
    // Of version 2: whoever made the parent may have done it, or left it to us.
    let below = parent.join("cgroup.subtree_control");
    if below.exists() {
        ["+memory", "+pids", "+cpu"].iter().for_each(|controller| drop(fs::write(&below, controller)));
    }
    fs::create_dir(&group).ok()?;
    // What is not there was not given to us.
    let mut there = bounds.iter().filter(|(name, _)| group.join(name).exists()).peekable();
    let bounded = there.peek().is_some() && there.all(|(name, most)| fs::write(group.join(name), most).is_ok());
    if bounded && fs::write(group.join("cgroup.procs"), pid.to_string()).is_ok() {
        return Some(group);
    }
    // Nothing is in it.
    let _ = fs::remove_dir(&group);
    None
}

impl Drop for Confines {
    fn drop(&mut self) {
        // Its processes were killed, and the last of them may need a moment; this is the browser's own thread, which has nothing else to do.
        for group in &self.0 {
            let busy = || fs::remove_dir(group).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy);
            for _ in 0..REMOVALS {
                if !busy() {
                    break;
                }
                std::thread::sleep(REMOVAL);
            }
        }
    }
}

/// Ends the page that holds most, whenever the browser and its pages hold nearly all that they may together. The bound of a control group
/// alone would not: below it the system takes back, and reads again, what every process runs on, and nothing gets on any more. Ends with
/// the browser.
pub(super) async fn hold_together(pages: Weak<Process>, browser: u32, gone: Transport, settings: BrowserSettings) {
    let most = settings.memory_bytes / 4 * 3;
    let mut looks = tokio::time::interval(LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = gone.gone() => return,
            _ = looks.tick() => {}
        }
        if pages.strong_count() == 0 {
            return;
        }
        if check::memory(browser) < most {
            continue;
        }
        let shown =
            check::descendants(browser).into_iter().filter(|pid| check::is_started_with(*pid, "--type=renderer"));
        if let Some(largest) = shown.max_by_key(|pid| check::own_memory(*pid)) {
            tracing::warn!("the browser's pages hold nearly all the memory that they may: the largest was ended");
            kill(largest);
        }
    }
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is what is wanted.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Bounds each process that shows pages, those that come as well: all are made by one that stays, and have its bounds from it.
pub(super) fn bound_pages(browser: u32, runs_as: Option<(u32, u32)>, settings: &BrowserSettings) {
    let makes_pages = |pid: &u32| {
        check::is_started_with(*pid, "--type=zygote") && !check::is_started_with(*pid, "--no-zygote-sandbox")
    };
    let makers: Vec<u32> = check::descendants(browser).into_iter().filter(makes_pages).collect();
    let all = makers.iter().flat_map(|maker| std::iter::once(*maker).chain(check::descendants(*maker)));
    let unbounded = all.filter(|pid| !is_bounded(*pid, runs_as, settings)).count();
    if makers.is_empty() || unbounded > 0 {
        tracing::warn!(
            "the browser's pages have no bounds of their own on memory and processor time: nobody may set them here"
        );
    }
}

/// Bounds a process, unless it has ended since it was looked for.
fn is_bounded(pid: u32, runs_as: Option<(u32, u32)>, settings: &BrowserSettings) -> bool {
    bound(pid, settings) || bound_as(pid, runs_as, settings) || !Path::new(&format!("/proc/{pid}")).exists()
}

fn bound(pid: u32, settings: &BrowserSettings) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    let most = |amount| Rlimit { current: Some(amount), maximum: Some(amount) };
    let bounds = [(Resource::Data, settings.page_bytes), (Resource::Cpu, settings.page_cpu.as_secs())];
    bounds.into_iter().all(|(resource, amount)| prlimit(Some(pid), resource, most(amount)).is_ok())
}

/// Without `CAP_SYS_RESOURCE`, which containers do not have, root may not, but the account itself may.
fn bound_as(pid: u32, runs_as: Option<(u32, u32)>, settings: &BrowserSettings) -> bool {
    let Some((user, group)) = runs_as else { return false };
    let mut command = Command::new("/usr/bin/prlimit");
    command.uid(user).gid(group).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.arg(format!("--pid={pid}")).arg(format!("--data={}", settings.page_bytes));
    command.arg(format!("--cpu={}", settings.page_cpu.as_secs()));
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_lacks_no_bounds() {
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        assert!(is_bounded(ended.id(), None, &BrowserSettings::default()));
    }

    #[test]
    fn a_browser_gets_its_group_where_groups_may_be_made() {
        let settings = BrowserSettings { memory_bytes: 7, cpu_percent: 150, ..BrowserSettings::default() };
        let found = |line: &str, unified| {
            let found = place(line, unified, &settings)?;
            let bounds: Vec<String> = found.1.iter().map(|(name, most)| format!("{name}={most}")).collect();
            Some((found.0.to_str()?.to_owned(), bounds.join(" ")))
        };
        for (line, unified, expected) in [
            ("0::/", false, None),
            (
                "0::/system.slice/consentry.service",
                true,
                Some((
                    "/sys/fs/cgroup/system.slice/consentry.service",
                    "memory.max=7 pids.max=4096 cpu.max=150000 100000",
                )),
            ),
            (
                "0::/system.slice/consentry.service/engine",
                true,
                Some((
                    "/sys/fs/cgroup/system.slice/consentry.service",
                    "memory.max=7 pids.max=4096 cpu.max=150000 100000",
                )),
            ),
            ("4:memory:/a", false, Some(("/sys/fs/cgroup/memory/a", "memory.limit_in_bytes=7"))),
            ("8:pids:/", false, Some(("/sys/fs/cgroup/pids/", "pids.max=4096"))),
            (
                "1:cpu,cpuacct:/",
                false,
                Some(("/sys/fs/cgroup/cpu,cpuacct/", "cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000")),
            ),
            ("2:cpuacct:/", false, None),
            ("3:cpuset:/", false, None),
        ] {
            let found = found(line, unified);
            assert_eq!(found.as_ref().map(|(path, bounds)| (path.as_str(), bounds.as_str())), expected, "{line}");
        }
    }
}
