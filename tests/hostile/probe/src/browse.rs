//! Does on pages whatever its aim says, step by step: has the password typed, looks for it wherever a page can be looked at, and all else that
//! the interface has. What it is told goes into its log.

use consentry_sdk::browser::{self, Document, Page};
use consentry_sdk::prelude::*;

use crate::{Modes, aim, honest, told};

pub const MODES: Modes = &[("browses", browses)];

/// How long it waits for what should come, and for what should not, in milliseconds.
const PATIENCE: u32 = 30_000;
const MOMENT: u32 = 1_000;

fn browses() -> Result {
    let mut page = browser::open()?;
    for step in aim().split("; ") {
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        match word {
            "go" => told(page.visit(rest))?,
            "page" => page = told(browser::open())?,
            "popup" => match told(page.popup(PATIENCE))? {
                Some(popup) => page = popup,
                None => says("no popup"),
            },
            "frame" => told(page.frame(rest))?,
            "close" => page.close(),
            _ => acts(&page, word, rest)?,
        }
    }
    honest()
}

/// What a hand does.
fn acts(page: &Page, word: &str, rest: &str) -> Result {
    let (selector, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        "secret" => told(page.fill_secret(rest, &credential("password")?)),
        "fill" => told(page.fill(selector, text)),
        "select" => told(page.select(selector, &text.split(' ').map(str::to_owned).collect::<Vec<_>>())),
        "click" => told(page.click(rest)),
        "key" => told(page.key(rest)),
        "keypad" => {
            let keys = ('0'..='9').enumerate();
            let keys: Vec<_> =
                keys.map(|(at, digit)| (digit.to_string(), format!("{rest}:nth-child({})", at + 1))).collect();
            told(page.press_keypad(&credential("password")?, &keys))
        }
        "dialog" => told(page.dialog(rest)),
        "login" => told(page.authenticate(&from_base(rest), &credential("login")?, &credential("password")?)),
        "show" => {
            let challenge = told(page.show(rest, "captcha", &[]))?;
            while !told(challenge.wait(PATIENCE))? {}
            says(&format!("the person reads {}", challenge.text("word").unwrap_or_default()));
            Ok(())
        }
        "download" => {
            let file = told(page.download(rest))?;
            tell_bytes("file", &file.read(0, 1 << 16));
            says(&format!("{} bytes", file.size()));
            Ok(())
        }
        _ => looks(page, word, rest),
    }
}

/// What an eye does.
fn looks(page: &Page, word: &str, rest: &str) -> Result {
    let (what, value) = rest.split_once(' ').unwrap_or((rest, ""));
    match word {
        "sees" => says(&format!("sees {rest} {}", told(page.wait_for("selector", rest, PATIENCE))?)),
        "asks" => says(&format!("asks {}", told(page.wait_for("selector", rest, MOMENT))?)),
        "waits" => says(&format!("waits {rest} {}", told(page.wait_for(what, &from_base(value), PATIENCE))?)),
        "doubts" => says(&format!("doubts {rest} {}", told(page.wait_for(what, &from_base(value), MOMENT))?)),
        "tell" => {
            says(&format!("url {}", page.url()));
            tells("page", &told(page.snapshot(rest).map(Document::from))?);
        }
        "answer" => tells("answer", &told(page.answer(rest, PATIENCE))?),
        "answers" => says(&format!("answers {rest} {}", told(page.response(&from_base(rest), MOMENT))?.is_some())),
        _ => return Err(Code::Unclassified.fault("no such step")),
    }
    Ok(())
}

fn from_base(text: &str) -> String {
    if text.starts_with('/') { job::base() + text } else { text.to_owned() }
}

fn says(text: &str) {
    log::write("info", text);
}

fn tells(what: &str, document: &Document) {
    for (at, take) in [("", "html"), ("", "raw"), ("", "json"), ("input", "attr:value"), ("#password", "attr:value")] {
        tell_bytes(what, document.find(at, take).ok().flatten().unwrap_or_default().as_bytes());
    }
}

fn tell_bytes(what: &str, bytes: &[u8]) {
    for part in bytes.chunks(256) {
        says(&format!("{what} {}", String::from_utf8_lossy(part)));
    }
}
