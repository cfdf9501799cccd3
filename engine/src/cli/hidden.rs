//! Hidden input. The echo goes off before the question is shown: whoever types at once, or on a slow machine, is not shown either.
//! The line is read straight into a buffer that wipes itself, past the standard library's own.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::interrupt::Interrupt;

/// A terminal hands over at most so much of a line (`termios(3)`: MAX_CANON).
const LINE_BYTES_MAX: usize = 4096;

/// The terminal as it was, while its echo is off.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The echo is off; dropping this restores it.
struct EchoOff;

impl EchoOff {
    fn now() -> anyhow::Result<Self> {
        let before = tcgetattr(rustix::stdio::stdin()).context("the terminal can't be asked for its settings")?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        quiet.local_modes |= LocalModes::ECHONL;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let off = Self;
        // At once: what was typed ahead stays.
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &quiet).context("the terminal can't be kept quiet")?;
        Ok(off)
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal its echo back, if it is off. Who ends the program from elsewhere calls this before.
pub(super) fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
    }
}

/// Asks for a line without showing it.
pub(super) fn read(prompt: &str, interrupt: &Interrupt) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let _quiet = EchoOff::now()?;
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    interrupt.until_input()?;
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
