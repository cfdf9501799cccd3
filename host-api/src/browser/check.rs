//! Looks whether pages are confined: whether the processes that run them stand under a filter of kernel calls. A browser whose own sandbox
//! does not work says so to nobody, and would open a page of a Data Source with all the rights of its account.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::BrowserError;
use super::transport::Transport;

/// A process that shows a page that answers has let go of its rights; one that is kept ready for the next may be about to.
const BEGINS: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    session_id: String,
}

/// Opens an empty page and looks at the process that shows it.
pub(super) async fn confined(transport: &Transport, browser: u32, unconfined: bool) -> Result<(), BrowserError> {
    let page: Made = transport.call("", "Target.createTarget", json!({ "url": "about:blank" })).await?;
    let asked = json!({ "targetId": page.target_id, "flatten": true });
    let attached: Attached = transport.call("", "Target.attachToTarget", asked).await?;
    transport.tell(&attached.session_id, "Page.enable", json!({})).await?;
    let until = Instant::now() + BEGINS;
    let mut confined = are_confined(browser);
    while !confined && Instant::now() < until && !transport.is_gone() {
        tokio::time::sleep(AGAIN).await;
        confined = are_confined(browser);
    }
    transport.tell("", "Target.closeTarget", json!({ "targetId": page.target_id })).await?;
    match (confined, unconfined) {
        (true, _) => Ok(()),
        (false, true) => {
            tracing::warn!("DEVELOPMENT: the browser's pages are not confined by its sandbox");
            Ok(())
        }
        (false, false) => Err(BrowserError::Unconfined),
    }
}

fn are_confined(browser: u32) -> bool {
    let inherited = filters(browser);
    let pages: Vec<u32> =
        descendants(browser).into_iter().filter(|pid| is_started_with(*pid, "--type=renderer")).collect();
    !pages.is_empty() && pages.iter().all(|pid| filters(*pid) > inherited)
}

/// Whether a process was started with this argument. Chromium writes its own anew, with blanks between.
pub(super) fn is_started_with(pid: u32, argument: &str) -> bool {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|byte| *byte == 0 || *byte == b' ').any(|each| each == argument.as_bytes())
}

/// How many filters a process stands under: `Seccomp_filters:` of proc(5). All that it starts inherit them, as of a container or of a
/// systemd unit, so that only one more than the browser's is of its own sandbox. A kernel before Linux 5.9 doesn't count them: one is all
/// that can be known there.
fn filters(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value("Seccomp_filters:").unwrap_or_else(|| u32::from(value("Seccomp:") == Some(2)))
}

/// What a browser and everything below it hold of memory for themselves alone, in bytes.
pub(super) fn memory(browser: u32) -> u64 {
    own_memory(browser) + descendants(browser).into_iter().map(own_memory).sum::<u64>()
}

/// The same without the processes that show pages.
pub(super) fn memory_beside_pages(browser: u32) -> u64 {
    let beside = descendants(browser).into_iter().filter(|pid| !is_started_with(*pid, "--type=renderer"));
    own_memory(browser) + beside.map(own_memory).sum::<u64>()
}

/// What one process holds for itself alone, in bytes.
pub(super) fn own_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok());
    line.unwrap_or(0u64) << 10
}

/// Every process below this one.
pub(super) fn descendants(of: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, parent(pid)?))
        })
        .collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(pid, _)| *pid));
        at += 1;
    }
    found.remove(0);
    found
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}
