//! A signal to end: the programs that the demo has started end, and what it has written goes.

use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often a start that was under way is looked for.
const AGAIN: Duration = Duration::from_millis(20);

/// Tells which signal came, if any.
pub(crate) struct Interrupt(watch::Receiver<Option<Signal>>);

impl Interrupt {
    /// Listens from now on. From the first signal on no child of this process lives: whoever waits for a line of one is told that it has
    /// ended, and gives everything back on the way out.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            let which = tokio::select! {
                _ = terminate.recv() => Signal::SIGTERM,
                _ = interrupt.recv() => Signal::SIGINT,
            };
            // The listener lives as long as the demo.
            let _ = tell.send(Some(which));
            loop {
                children().into_iter().for_each(|child| {
                    // Gone already is what is wanted.
                    let _ = kill(child, Signal::SIGKILL);
                });
                tokio::time::sleep(AGAIN).await;
            }
        });
        Ok(Self(told))
    }

    /// Waits for a signal.
    pub(crate) async fn came(&mut self) -> anyhow::Result<()> {
        self.0.wait_for(Option::is_some).await.context("nobody listens for signals").map(drop)
    }

    /// The exit code of a program that ended by the signal, as shells write it.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.0.borrow().map(|signal| 128 + signal as u8)
    }
}

/// The processes that this one has started, and has not waited for yet: so no number is another program's.
fn children() -> Vec<Pid> {
    let parent = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |number: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        // Number, name in parentheses, state, parent.
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.split_whitespace().nth(1) == Some(&parent))
    };
    numbers.filter(is_child).map(Pid::from_raw).collect()
}
