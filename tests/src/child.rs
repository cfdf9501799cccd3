//! A program as a child process whose lines are shown and can be waited for. It is killed when it is dropped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts a program. Each line that it writes to standard output goes to `show` and can be waited for.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        show: impl Fn(&str) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                show(&line);
                // Nobody waits for lines any more, and they are shown all the same.
                let _ = send.send(line);
            }
        });
        Ok(Self { name, child, lines })
    }

    /// Waits for a line that begins with this word, and gives the rest of it.
    ///
    /// # Errors
    /// It does not come in time, or the program ended.
    pub fn line(&self, word: &str, within: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(word) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not say `{word}` within {} s", self.name, within.as_secs())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("{} ended before it said `{word}`", self.name),
            }
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Waits until it ends by itself and every line of it was shown.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            let quiet = self.lines.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Disconnected);
            if let (true, Some(status)) = (quiet, self.child.try_wait()?) {
                return Ok(status);
            }
        }
        bail!("{} did not end within {} s", self.name, within.as_secs())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A failure means that it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
