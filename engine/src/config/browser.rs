//! The section of the browser, and what its numbers may be.

use std::path::PathBuf;
use std::time::Duration;

use consentry_host_api::browser::BrowserSettings;
use serde::Deserialize;

use super::{ConfigError, value};

/// The browser of connectors that need one; what is not set here has the value of the documented example. Nothing is started before a
/// connector that needs one is served.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BrowserSection {
    /// The program: chromium-headless-shell, or Chromium. Found by itself where Debian has it.
    pub program: Option<PathBuf>,
    /// The account it runs as: never root, nor the engine's own.
    pub account: Option<String>,
    /// Where the engine may not change to that account, it runs as the engine's own. It is refused there otherwise.
    #[serde(default)]
    pub shared_account: bool,
    /// Where its profiles are made, on a file system in memory.
    pub folder: Option<PathBuf>,
    /// Collections with open pages at once; others wait for a turn. Eight times the number of cores, at most 24, by itself.
    pub runs_max: Option<usize>,
    /// Longest wait for a turn.
    pub queue_seconds: Option<u64>,
    /// So many collections until it is started anew.
    pub runs_each: Option<u32>,
    /// So long it stays without one.
    pub idle_seconds: Option<u64>,
    /// So many contexts are made ahead, and again when one was taken.
    pub contexts_ready: Option<usize>,
    /// Most memory of it and its pages together, where this system lets the engine make a control group.
    pub memory_mib: Option<u64>,
    /// What it may hold without a page; with more it is started anew.
    pub rest_memory_mib: Option<u64>,
    /// Most processor time of it and its pages together, in hundredths of one core, as memory.
    pub cpu_percent: Option<u32>,
    /// Most memory of one page's process.
    pub page_memory_mib: Option<u64>,
    /// Most processor time of one page's process.
    pub page_cpu_seconds: Option<u64>,
    /// Runs although its sandbox does not work here, or on a folder that is not in memory. In development only.
    #[serde(default)]
    pub unconfined: bool,
}

impl BrowserSection {
    /// What it means.
    ///
    /// # Errors
    /// A number that makes no sense, or no sandbox outside of development.
    pub fn settings(&self, development: bool) -> Result<BrowserSettings, ConfigError> {
        if self.unconfined && !development {
            return Err(value("browser.unconfined", "is for development = true only: see docs/browser.md"));
        }
        let usual = BrowserSettings::default();
        let numbers = [
            ("browser.runs-max", self.runs_max.map(|runs| runs as u64), 1, 1000),
            ("browser.queue-seconds", self.queue_seconds, 1, 1800),
            ("browser.runs-each", self.runs_each.map(u64::from), 1, 1_000_000),
            ("browser.idle-seconds", self.idle_seconds, 1, 86_400),
            ("browser.contexts-ready", self.contexts_ready.map(|contexts| contexts as u64), 0, 64),
            ("browser.memory-mib", self.memory_mib, 256, 1 << 20),
            ("browser.rest-memory-mib", self.rest_memory_mib, 64, 1 << 20),
            ("browser.cpu-percent", self.cpu_percent.map(u64::from), 10, 100_000),
            ("browser.page-memory-mib", self.page_memory_mib, 512, 1 << 20),
            ("browser.page-cpu-seconds", self.page_cpu_seconds, 1, 86_400),
        ];
        for (key, given, least, most) in numbers {
            if given.is_some_and(|given| !(least..=most).contains(&given)) {
                return Err(value(key, &format!("must be from {least} to {most}")));
            }
        }
        Ok(BrowserSettings {
            program: self.program.clone(),
            account: self.account.clone().unwrap_or(usual.account),
            shared_account: self.shared_account,
            folder: self.folder.clone().unwrap_or(usual.folder),
            runs_max: self.runs_max.unwrap_or(usual.runs_max),
            queue: self.queue_seconds.map_or(usual.queue, Duration::from_secs),
            runs_each: self.runs_each.unwrap_or(usual.runs_each),
            idle: self.idle_seconds.map_or(usual.idle, Duration::from_secs),
            contexts_ready: self.contexts_ready.unwrap_or(usual.contexts_ready),
            memory_bytes: self.memory_mib.map_or(usual.memory_bytes, |mebibytes| mebibytes << 20),
            rest_bytes: self.rest_memory_mib.map_or(usual.rest_bytes, |mebibytes| mebibytes << 20),
            cpu_percent: self.cpu_percent.unwrap_or(usual.cpu_percent),
            page_bytes: self.page_memory_mib.map_or(usual.page_bytes, |mebibytes| mebibytes << 20),
            page_cpu: self.page_cpu_seconds.map_or(usual.page_cpu, Duration::from_secs),
            unconfined: self.unconfined,
            answer: usual.answer,
        })
    }
}
