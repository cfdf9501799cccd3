//! Does what it may not, or breaks.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use consentry_sdk::contract::{http, session_state};
use consentry_sdk::prelude::*;

use crate::{Modes, aim, amount, honest, told};

pub const MODES: Modes = &[
    ("honest", honest),
    ("panics", panics),
    ("aborts", aborts),
    ("recurses", recurses),
    ("keeps-a-note", keeps_a_note),
    ("keeps-a-secret", || session_state::keep_secret("earlier", &credential("password")?).and_then(|()| honest())),
    ("forges-a-line", forges_a_line),
    ("looks-for-earlier-runs", looks_for_earlier_runs),
];

/// Puts a value where only its author may read it, if the host shows it to anybody; or asks for it to be shown, as its aim says.
#[inline(never)]
fn panics() -> Result {
    let text = "a value that nobody shall read";
    if aim() == "log" {
        log::write("info", text);
        return honest();
    }
    let nothing: Option<Result> = std::hint::black_box(None);
    nothing.expect(text)
}

#[inline(never)]
fn aborts() -> Result {
    std::process::abort()
}

fn recurses() -> Result {
    log::write("info", &descends(amount()).to_string());
    honest()
}

/// Not by a loop: what comes back is needed.
#[inline(never)]
fn descends(levels: usize) -> usize {
    match std::hint::black_box(levels) {
        0 => 0,
        levels => descends(levels - 1) ^ levels,
    }
}

/// As its aim says: in what the contract has for the next run, or in its own memory, as this run may.
fn keeps_a_note() -> Result {
    static NOTE: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);
    let own = |text| Ok(NOTE.lock().map_or(None, |mut note| note.replace(text)));
    let note = || match aim().as_str() {
        "memory" => own("read of Marie".to_owned()),
        _ => {
            let kept = session_state::note("earlier")?;
            session_state::keep_note("earlier", "read of Marie").map(|()| kept)
        }
    };
    for _ in 0..2 {
        log::write("info", &format!("found {:?}", told(note())?));
    }
    honest()
}

/// A line that looks like the engine's, and one that paints over what stands there.
fn forges_a_line() -> Result {
    log::write("info", "x\r\n2026-01-01T00:00:00Z ERROR consentry: all keys are lost\u{1b}[2J\u{202e}");
    honest()
}

/// A number in this guest's own memory, and a session cookie of the site: neither may be there before this run puts it there. Looks a
/// second time if its aim says so.
fn looks_for_earlier_runs() -> Result {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let looks = || {
        let cookie = http::cookie(&(job::base() + "/"), "sid").is_some();
        log::write("info", &format!("found {} {cookie}", RUNS.fetch_add(1, Relaxed)));
    };
    looks();
    get("/session").send()?;
    if aim() == "again" {
        looks();
    }
    honest()
}
