//! Has the password typed into a page, and then looks for it wherever a page can be looked at. Its aim says what it does, step by step.

use consentry_sdk::browser::{self, Document, Page};
use consentry_sdk::prelude::*;

use crate::{Modes, aim, honest, told};

pub const MODES: Modes = &[("browses", browses)];

fn browses() -> Result {
    let page = browser::open()?;
    for step in aim().split("; ") {
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        match word {
            "go" => told(page.visit(rest))?,
            "secret" => told(page.fill_secret(rest, &credential("password")?))?,
            "click" => told(page.click(rest))?,
            "key" => told(page.key(rest))?,
            "sees" => log::write("info", &format!("sees {rest} {}", page.wait_for("selector", rest, 5_000)?)),
            "asks" => log::write("info", &format!("asks {}", told(page.wait_for("selector", rest, 1_000))?)),
            "tell" => tell(&page)?,
            "answer" => match told(page.answer(rest, 5_000)) {
                Ok(answer) => tells("answer", &answer),
                Err(fault) => return Err(fault),
            },
            _ => return Err(Code::Unclassified.fault("no such step")),
        }
    }
    honest()
}

fn tell(page: &Page) -> Result {
    log::write("info", &format!("url {}", page.url()));
    tells("page", &told(page.snapshot("").map(Document::from))?);
    Ok(())
}

fn tells(what: &str, document: &Document) {
    for (at, take) in [("", "html"), ("", "raw"), ("", "json"), ("input", "attr:value"), ("#password", "attr:value")] {
        for part in document.find(at, take).ok().flatten().unwrap_or_default().as_bytes().chunks(256) {
            log::write("info", &format!("{what} {}", String::from_utf8_lossy(part)));
        }
    }
}
