//! Ctrl-C at the terminal. The first takes back what is under way, so that it ends as it should: logged out, erased, with a receipt. The
//! second ends the program at once. Neither leaves the terminal without its echo.

use std::io::{self, PipeReader, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::hidden;

/// How shells call the end by a second Ctrl-C.
const EXIT: i32 = 130;

/// Somebody interrupted while they were asked for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// Tells whether somebody interrupted.
#[derive(Clone)]
pub(super) struct Interrupt {
    asked: CancellationToken,
    /// Has something to read from then on: it wakes whoever waits for a line.
    wake: Arc<PipeReader>,
}

impl Interrupt {
    /// Takes the signals that end a program, from now on to its end.
    ///
    /// # Errors
    /// The system gives no pipe, or no signals.
    pub(super) fn listen() -> io::Result<Self> {
        let (wake, waker) = io::pipe()?;
        let (asked, waker) = (CancellationToken::new(), Arc::new(waker));
        for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()] {
            let (mut signals, asked, waker) = (signal(kind)?, asked.clone(), waker.clone());
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if asked.is_cancelled() {
                        hidden::restore();
                        std::process::exit(EXIT);
                    }
                    asked.cancel();
                    // The reader lives as long as anybody who could wait for it.
                    let _ = (&*waker).write_all(b"!");
                }
            });
        }
        Ok(Self { asked, wake: Arc::new(wake) })
    }

    /// Waits until somebody interrupts.
    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Whether somebody has.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Waits until there is something to read from the terminal.
    ///
    /// # Errors
    /// [`Interrupted`], or the terminal's.
    pub(super) fn until_input(&self) -> anyhow::Result<()> {
        let stdin = io::stdin();
        let mut ready = [self.wake.as_fd(), stdin.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        loop {
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
                Ok(_) if ready[0].any().unwrap_or(true) => return Err(Interrupted.into()),
                Ok(_) => return Ok(()),
            }
        }
    }
}
