//! Hidden input. The echo goes off before the question is shown: whoever types at once, or on a slow machine, is not shown either.
//! The line is read straight into a buffer that wipes itself, past the standard library's own.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// A terminal hands over at most so much of a line (`termios(3)`: MAX_CANON).
const LINE_BYTES_MAX: usize = 4096;

/// The terminal as it was; dropping this restores it.
struct EchoOff(Termios);

impl EchoOff {
    fn now() -> anyhow::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin()).context("the terminal can't be asked for its settings")?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        quiet.local_modes |= LocalModes::ECHONL;
        // At once: what was typed ahead stays.
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &quiet).context("the terminal can't be kept quiet")?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Asks for a line without showing it.
pub(super) fn read(prompt: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let _quiet = EchoOff::now()?;
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let mut line = Zeroizing::new(vec![0; LINE_BYTES_MAX]);
    let length = rustix::io::read(rustix::stdio::stdin(), line.as_mut_slice())?;
    if length == 0 {
        bail!("the input ended");
    }
    line.truncate(length);
    while matches!(line.last(), Some(b'\r' | b'\n')) {
        line.pop();
    }
    Ok(line)
}
