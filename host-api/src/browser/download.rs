//! Files that a page gives: the browser writes each into its profile, which stands in memory, under a name of the browser's own; from there it
//! is taken and removed.

use std::time::{Duration, Instant};

use super::context::{Context, PageError};
use super::frame::At;

/// Longest wait for a file that a click brings.
const FILE: Duration = Duration::from_secs(60);
/// So much more than what has arrived may be on its way to the disk when that is full.
const BESIDE: u64 = 1 << 20;
/// How long a click may take until a file begins to come.
const FILE_BEGINS: Duration = Duration::from_secs(20);

impl Context {
    /// Clicks, and takes the file that comes of it.
    pub(super) async fn download(&self, at: &At, selector: &str, bytes_max: u64) -> Result<Vec<u8>, PageError> {
        let room = self.room();
        {
            let mut state = self.state();
            state.downloads.clear();
            state.downloading = true;
        }
        self.click(at, selector).await?;
        let begun = self.wait(Instant::now() + FILE_BEGINS, |state| state.downloads.keys().next().cloned()).await?;
        let guid = begun.ok_or(PageError::NoFile)?;
        let ended = self.wait(Instant::now() + FILE, |state| {
            let download = state.downloads.get(&guid)?;
            if download.failed {
                // Whose fault it is the browser does not say.
                let full = download.total.max(download.received + BESIDE) > room.min(self.room());
                return Some(Err(if full { PageError::Full } else { PageError::Failed("the file broke off") }));
            }
            if download.received > bytes_max {
                return Some(Err(PageError::Large(bytes_max)));
            }
            download.done.then_some(Ok(()))
        });
        let ended = ended.await?.unwrap_or(Err(PageError::NoFile));
        if !is_guid(&guid) {
            return Err(PageError::NoFile);
        }
        let (process, wanted) = (self.process.clone(), ended.is_ok());
        let taken = tokio::task::spawn_blocking(move || process.take_file(&guid, wanted)).await;
        ended.and_then(|()| taken.ok().and_then(Result::ok).ok_or(PageError::Full))
    }

    /// Bytes that fit where files pass through.
    fn room(&self) -> u64 {
        let room = self.process.folder().and_then(|folder| rustix::fs::statvfs(folder).ok());
        room.map_or(u64::MAX, |room| room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Files that nobody waits for are not taken.
    pub(super) fn downloads_end(&self) {
        let mut state = self.state();
        state.downloading = false;
        for (guid, download) in state.downloads.drain() {
            if !download.done && !download.failed {
                let asked = serde_json::json!({ "guid": guid, "browserContextId": self.id });
                self.transport().post("", "Browser.cancelDownload", asked);
            }
        }
    }
}

/// What the browser names a file; no path is made of anything else.
fn is_guid(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
