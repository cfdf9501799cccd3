//! The thread that serves the sockets and timers of every run. One thread with a runtime of its own, because a guest asks for one thing
//! at a time: on a runtime of many threads each question wakes a second thread that finds nothing to do, and each timer wakes the one
//! that waits for the sockets. It never runs a guest, nor any of the engine's own work.

use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Ends with its thread when it is dropped.
pub(super) struct NetworkThread {
    handle: Handle,
    _alive: oneshot::Sender<()>,
}

/// A timer that is due later than another never interrupts the wait for sockets; this is the other.
const HEARTBEAT: Duration = Duration::from_secs(1);

impl NetworkThread {
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, mut ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("network".to_owned()).spawn(move || {
            runtime.block_on(async move { while tokio::time::timeout(HEARTBEAT, &mut ended).await.is_err() {} });
        })?;
        Ok(Self { handle, _alive: alive })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}
