//! What an operator sets about the browser, and where it is found without that.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Debian has it; the shell first, which needs a third of the memory.
const PROGRAMS: [&str; 4] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium-headless-shell",
    "/opt/google/chrome/chrome",
];

/// The browser of one engine.
#[derive(Debug, Clone)]
pub struct BrowserSettings {
    /// The program; where Debian has it without one.
    pub program: Option<PathBuf>,
    /// The account that it runs as. Never root, nor the engine's own.
    pub account: String,
    /// Where the engine may not change to that account, the browser runs as the engine's own. It is refused there otherwise.
    pub shared_account: bool,
    /// Where profiles are made: a file system in memory, since what is downloaded passes through it.
    pub folder: PathBuf,
    /// Collections that have a page open at once. Others wait for their turn.
    pub runs_max: usize,
    /// Longest wait for a turn.
    pub queue: Duration,
    /// So many collections until it is started anew.
    pub runs_each: u32,
    /// So long it stays without one.
    pub idle: Duration,
    /// So many contexts, each with a page and a proxy of its own, are made ahead, and again when one was taken.
    pub contexts_ready: usize,
    /// What it may hold of memory beside its pages, in bytes; with more it is started anew.
    pub rest_bytes: u64,
    /// Longest wait for what a page answers to one call. A page that hangs answers none.
    pub answer: Duration,
    /// Most memory of the browser and all its pages, in bytes; before it is reached, the page that holds most is ended. A bound of the
    /// system's stands behind it where one may be set.
    pub memory_bytes: u64,
    /// Most processor time of the browser and all its pages, in hundredths of one core, where the system lets us set that.
    pub cpu_percent: u32,
    /// Most memory that one page's process may have for its own data, in bytes, what it sets aside and does not use included.
    pub page_bytes: u64,
    /// Most processor time that one page's process may take in its life.
    pub page_cpu: Duration,
    /// Runs also where pages are not confined by the browser's own sandbox, or where the folder is on a disk. For development alone.
    pub unconfined: bool,
    /// What passes the proxy by: shows that tests of it see what they should not.
    #[cfg(test)]
    pub(super) bypass: Option<&'static str>,
}

impl Default for BrowserSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            program: None,
            account: "consentry-browser".to_owned(),
            shared_account: false,
            folder: PathBuf::from("/dev/shm"),
            // Most of them wait for a person, which takes memory and no time.
            runs_max: (8 * cores).min(24),
            queue: Duration::from_secs(60),
            runs_each: 200,
            idle: Duration::from_secs(300),
            contexts_ready: 1,
            rest_bytes: 1 << 30,
            answer: Duration::from_secs(20),
            memory_bytes: 2 << 30,
            cpu_percent: u32::try_from(cores).unwrap_or(1).saturating_mul(100).saturating_sub(25),
            page_bytes: 1 << 30,
            page_cpu: Duration::from_secs(120),
            unconfined: false,
            #[cfg(test)]
            bypass: None,
        }
    }
}

impl BrowserSettings {
    /// On the desk of one person, who starts it for themselves: as their own account where it can be no other's.
    #[must_use]
    pub fn at_a_desk() -> Self {
        Self { shared_account: true, ..Self::default() }
    }

    /// What passes a collection's proxy by: nothing, not even this machine.
    pub(super) fn bypass(&self) -> &'static str {
        #[cfg(test)]
        if let Some(bypass) = self.bypass {
            return bypass;
        }
        "<-loopback>"
    }

    /// The program that would be started.
    pub fn found(&self) -> Option<&Path> {
        match &self.program {
            Some(program) => Some(program),
            None => PROGRAMS.iter().map(Path::new).find(|program| program.exists()),
        }
    }
}
