//! What a drill planted, and where it looks for it: in every file that its engine can name or has open for writing, in cores, in what
//! its ports carried, in its memory.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::bail;
use serde::Serialize;

use super::home::Home;
use crate::canary::{Searched, Unseen, search, search_memory};

/// Shortest value that is looked for by itself; digits that are shorter stand in any log by chance.
const CHARS_MIN: usize = 8;
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";
/// Where systemd's program for cores keeps them.
const SYSTEMD_CORES: &str = "/var/lib/systemd/coredump";

/// Values with names. Neither is printed but the name.
#[derive(Default)]
pub(super) struct Values {
    names: Vec<String>,
    texts: Vec<String>,
}

/// What was planted.
#[derive(Default)]
pub(super) struct Planted {
    /// What a person typed: nowhere.
    pub(super) typed: Values,
    /// What was found for them, and their number: shown to them, and otherwise nowhere.
    pub(super) shown: Values,
}

/// A value where none may be.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) when: &'static str,
    pub(super) value: String,
    pub(super) place: String,
}

/// All that was looked at.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) looks: Vec<&'static str>,
    /// Files, or mappings of memory.
    pub(super) places: usize,
    pub(super) bytes: usize,
    pub(super) in_clear: Vec<Clear>,
    pub(super) found: Vec<Found>,
    /// What was not searched, or not for everything, and why.
    pub(super) not_searched: BTreeSet<String>,
    /// Whether a whole place was not.
    #[serde(skip)]
    pub(super) is_partial: bool,
}

/// How long secrets stood in memory in clear, in one of the moments in which they do.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Clear {
    pub(super) moment: &'static str,
    pub(super) times: u64,
    pub(super) median_within_ms: f64,
}

impl Clear {
    /// By the histogram of an engine's metrics; none of what never was.
    pub(super) fn of(moment: &'static str, metrics: &str) -> Option<Self> {
        let place = format!("consentry_plaintext_seconds_bucket{{moment=\"{moment}\",le=\"");
        let bounds = metrics.lines().filter_map(|line| line.strip_prefix(&place)?.split_once("\"} "));
        let bounds: Vec<(f64, u64)> =
            bounds.filter_map(|(bound, count)| Some((bound.parse().ok()?, count.parse().ok()?))).collect();
        let times = bounds.last()?.1;
        let (bound, _) = bounds.iter().find(|(_, count)| times > 0 && count * 2 >= times)?;
        Some(Self { moment, times, median_within_ms: bound * 1000.0 })
    }
}

impl Values {
    /// Adds a value. A short one counts only where it is given as one: in a form, in JSON.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        let texts = match text.chars().count() {
            0..CHARS_MIN => vec![format!("={text}"), format!("\"{text}\"")],
            _ => vec![text.to_owned()],
        };
        for text in texts {
            self.names.push(name.to_owned());
            self.texts.push(text);
        }
    }

    /// Both.
    fn and(&self, other: &Self) -> Self {
        let both = |one: &[String], other: &[String]| [one, other].concat();
        Self { names: both(&self.names, &other.names), texts: both(&self.texts, &other.texts) }
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(String::as_str).collect()
    }

    /// Shows that the search sees what is known to be there: a search that sees nothing proves nothing.
    pub(super) fn are_in_file(&self, place: &Path) -> anyhow::Result<()> {
        self.seen(&search(place, &self.texts())?, &place.display().to_string())
    }

    /// The same for memory.
    pub(super) fn are_in_memory(&self, process: u32) -> anyhow::Result<()> {
        self.seen(&memory(process, &self.texts())?, "the memory of the engine")
    }

    fn seen(&self, searched: &Searched, place: &str) -> anyhow::Result<()> {
        if searched.found.is_empty() {
            let name = self.names.first().map(String::as_str).unwrap_or_default();
            bail!("the search is blind: {name} is in {place}, and was not found there");
        }
        Ok(())
    }
}

impl Report {
    /// Looks everywhere. `is_shown` where somebody looks at what was found just now: then that is in memory, as it has to be.
    pub(super) fn look(
        &mut self,
        when: &'static str,
        planted: &Planted,
        home: &Home,
        engine: Option<(u32, bool)>,
    ) -> anyhow::Result<()> {
        self.looks.push(when);
        let Planted { typed, shown } = planted;
        let mut places = vec![home.engine(), home.browser.clone(), home.wire("events")];
        places.extend(cores(&home.engine())?);
        let all = typed.and(shown);
        for place in places {
            self.note(when, &all, |values| search(&place, values))?;
        }
        for file in engine.into_iter().flat_map(|(process, _)| open_elsewhere(process, home)) {
            self.note(when, &all, |values| file.search(values))?;
        }
        // What was found passes here, on its way to the person.
        self.note(when, typed, |values| search(&home.wire("persons"), values))?;
        if let Some((process, is_shown)) = engine {
            let may_not = if is_shown { typed } else { &all };
            self.note(when, may_not, |values| memory(process, values))?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        when: &'static str,
        values: &Values,
        search: impl FnOnce(&[&str]) -> io::Result<Searched>,
    ) -> anyhow::Result<()> {
        let searched = search(&values.texts())?;
        for (place, why) in searched.unseen {
            match why {
                // It is looked for in every file all the same.
                Unseen::Short(at) => self.not_searched.insert(format!("memory, for {}: too short", values.names[at])),
                why => {
                    self.is_partial = true;
                    self.not_searched.insert(format!("{}: {why}", place.display()))
                }
            };
        }
        self.places += searched.files;
        self.bytes += searched.bytes;
        let found: BTreeSet<_> = searched.found.into_iter().map(|(place, at)| (place, &values.names[at])).collect();
        let told =
            |(place, name): (PathBuf, &String)| Found { when, value: name.clone(), place: place.display().to_string() };
        self.found.extend(found.into_iter().map(told));
        Ok(())
    }
}

fn memory(process: u32, values: &[&str]) -> io::Result<Searched> {
    search_memory(process, values).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("the memory of the engine can't be read ({error}): this needs root's rights"),
        )
    })
}

/// Cores that were written since this folder was made, elsewhere than in it.
fn cores(since: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let since = std::fs::metadata(since)?.created().unwrap_or(SystemTime::UNIX_EPOCH);
    let pattern = std::fs::read_to_string(CORE_PATTERN).unwrap_or_default();
    let folder = match pattern.trim() {
        piped if piped.starts_with('|') => Path::new(SYSTEMD_CORES),
        // One without a folder is written where the engine works.
        path => Path::new(path).parent().filter(|folder| folder.is_absolute()).unwrap_or(Path::new("")),
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(vec![]) };
    let mut cores = vec![];
    for entry in entries {
        let entry = entry?;
        let is_new = entry.metadata().and_then(|file| file.modified()).is_ok_and(|at| at >= since);
        if is_new && entry.file_type()?.is_file() {
            cores.push(entry.path());
        }
    }
    Ok(cores)
}

/// A file that a process has open.
struct Open {
    /// Among its open files, where one stands that has no name any more.
    file: PathBuf,
    name: PathBuf,
}

impl Open {
    /// Searches it where it is open, or by its name where it was closed meanwhile. One that was closed and has no name is gone.
    fn search(&self, values: &[&str]) -> io::Result<Searched> {
        // Its place among the open files may be another's by now.
        let is_open = std::fs::read_link(&self.file).is_ok_and(|name| name == self.name);
        for place in [&self.file, &self.name].into_iter().skip(usize::from(!is_open)) {
            match search(place, values) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                searched => return searched,
            }
        }
        Ok(Searched::default())
    }
}

/// Files on a disk that this process, or one of its children, has open for writing, outside of the drill's own folder.
fn open_elsewhere(process: u32, home: &Home) -> Vec<Open> {
    let mut files = vec![];
    for process in tree(process) {
        let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { continue };
        for entry in open.flatten() {
            let (path, number) = (entry.path(), entry.file_name());
            let is_file = std::fs::metadata(&path).is_ok_and(|file| file.is_file());
            let info = Path::new("/proc").join(process.to_string()).join("fdinfo").join(number);
            // It was closed meanwhile.
            let (Ok(name), Ok(info)) = (std::fs::read_link(&path), std::fs::read_to_string(info)) else { continue };
            if is_file && is_written(&info) && !is_memory(&path) && !name.starts_with(home.engine()) {
                files.push(Open { file: path, name });
            }
        }
    }
    files
}

/// Whether a file was opened for writing, by its `fdinfo`.
fn is_written(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0b11 != 0)
}

/// Whether a file stands in memory: those that browsers share between their processes do.
fn is_memory(path: &Path) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::statfs(path).is_ok_and(|disk| disk.f_type == TMPFS)
}

/// A process and everything that it started.
fn tree(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    for at in 0.. {
        let Some(process) = all.get(at) else { break };
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// Needs root's rights where memory is read: said before anything is begun.
pub(super) fn may_look() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("an engine lets nobody look into its memory but root: run this as root");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_value_counts_only_where_it_is_given_as_one() {
        let mut values = Values::default();
        values.add("code", "314159");
        values.add("password", "Distant-Ocean-4!");
        assert_eq!(values.texts(), ["=314159", "\"314159\"", "Distant-Ocean-4!"]);
        assert_eq!(values.names, ["code", "code", "password"]);
    }

    #[test]
    fn files_that_are_written_elsewhere_are_found_and_those_that_are_read_are_not() {
        let home = Home::new().unwrap();
        let disk = Path::new(env!("CARGO_MANIFEST_DIR"));
        let written = tempfile::NamedTempFile::new_in(disk).unwrap();
        let _read = std::fs::File::open(disk.join("Cargo.toml")).unwrap();
        let found = open_elsewhere(std::process::id(), &home);
        let names: Vec<_> = found.iter().map(|open| open.name.clone()).collect();
        assert!(names.contains(&written.path().to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.ends_with("Cargo.toml")), "{names:?}");
        // It is closed before it is searched: with its name first, then without.
        std::fs::write(written.path(), "canary-in-an-open-file-5e1f").unwrap();
        let open = found.into_iter().find(|open| open.name == written.path()).unwrap();
        let looked = |open: &Open| open.search(&["canary-in-an-open-file-5e1f"]).unwrap().found.len();
        assert_eq!(looked(&open), 1);
        let (file, path) = written.keep().unwrap();
        drop(file);
        assert_eq!(looked(&open), 1);
        std::fs::remove_file(path).unwrap();
        assert_eq!(looked(&open), 0);
    }

    /// What the test below starts: it holds a value in an encoding, says so, and waits for its end.
    #[test]
    #[ignore = "runs only as the child of the test below"]
    fn one_that_holds_a_value() {
        use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
        use std::io::Write as _;
        let Some(value) = std::io::stdin().lines().next() else { return };
        // Where the hard limit is lower, there is no core; the test sees that.
        let _ = setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY);
        let held = std::hint::black_box(hex::encode(value.unwrap()));
        let mut out = std::io::stdout();
        writeln!(out, "\nit holds it").unwrap();
        out.flush().unwrap();
        let _ = std::io::stdin().lines().next();
        drop(held);
    }

    #[test]
    fn a_value_is_found_in_the_memory_of_a_process_and_in_the_core_that_it_leaves() {
        use std::io::{BufRead as _, BufReader, Write as _};
        use std::process::{Command, Stdio};
        let folder = tempfile::tempdir().unwrap();
        let (value, mut values) = ("canary-in-a-core-5e1f", Values::default());
        values.add("a value", value);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::canary::places::tests::one_that_holds_a_value", "--ignored", "--nocapture"])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{value}").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "it holds it"));
        values.are_in_memory(child.id()).unwrap();
        let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGABRT).unwrap();
        let dumped = std::os::unix::process::ExitStatusExt::core_dumped(&child.wait().unwrap());
        let pattern = std::fs::read_to_string(CORE_PATTERN).unwrap_or_default();
        if !dumped || pattern.starts_with(['|', '/']) {
            // Not by `println`, which a test that passes keeps to itself.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: a core: this machine writes none where a process works: {pattern}"
            );
            return;
        }
        values.are_in_file(folder.path()).unwrap();
        let mut other = Values::default();
        other.add("another", "canary-in-no-core-5e1f");
        assert!(other.are_in_file(folder.path()).is_err());
    }

    #[test]
    fn half_of_all_is_within_the_bound_that_is_told() {
        let line = |bound: &str, count: u64| {
            format!("consentry_plaintext_seconds_bucket{{moment=\"send\",le=\"{bound}\"}} {count}\n")
        };
        let metrics = [line("0.001", 4), line("0.002", 5), line("0.005", 9), line("+Inf", 10)].concat();
        assert_eq!(Clear::of("send", &metrics), Some(Clear { moment: "send", times: 10, median_within_ms: 2.0 }));
        assert_eq!(Clear::of("search", &metrics), None);
    }

    #[test]
    fn a_search_that_sees_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (file, mut values) = (folder.path().join("log"), Values::default());
        values.add("password", "Distant-Ocean-4!");
        std::fs::write(&file, "nothing").unwrap();
        let error = values.are_in_file(&file).unwrap_err().to_string();
        assert!(error.contains("blind") && error.contains("password") && !error.contains("Ocean"), "{error}");
        std::fs::write(&file, "Distant-Ocean-4!").unwrap();
        values.are_in_file(&file).unwrap();
    }
}
