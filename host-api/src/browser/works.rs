//! The thread that serves the browser: its pipes, the proxies of its collections, and every wait for a page. Guests' threads wait for what it
//! brings and serve nothing of it, so that a page that talks much keeps no guest from its turn.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A timer that is due later than another never interrupts the wait for sockets; this is the other.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Ends with its thread when it is dropped.
pub(super) struct Works {
    handle: Handle,
    _alive: oneshot::Sender<()>,
}

impl Works {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, mut ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("pages".to_owned()).spawn(move || {
            runtime.block_on(async move { while tokio::time::timeout(HEARTBEAT, &mut ended).await.is_err() {} });
        })?;
        Ok(Self { handle, _alive: alive })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}
