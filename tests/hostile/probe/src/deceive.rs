//! Says what is not so: to the host, to the person, to whoever receives the items.

use consentry_sdk::contract::output;
use consentry_sdk::prelude::*;

use crate::{Modes, aim, honest, told};

pub const MODES: Modes = &[
    ("emits", emits),
    ("emits-all", emits_all),
    ("asks", asks),
    ("claims", claims),
    ("misses", misses),
    ("steps", || Ok(progress::step(&aim())).and_then(|()| honest())),
    ("adds-fields", adds_fields),
    ("brings-nothing", || get("/home").send().map(drop)),
];

/// `CATEGORY;KIND NAME=VALUE;…`, each item on a line of its own, and then what was asked for.
fn emits() -> Result {
    for item in aim().lines() {
        let mut parts = item.split(';');
        let category = parts.next().unwrap_or_default();
        let fields: Vec<_> = parts
            .filter_map(|field| field.split_once(' ').zip(field.split_once('=')))
            .map(|((kind, rest), (_, value))| {
                (kind, rest.split('=').next().unwrap_or_default(), value, Blob::new(value.as_bytes()))
            })
            .collect();
        let fields: Vec<_> =
            fields.iter().map(|(kind, name, text, blob)| ((*name).to_owned(), value(kind, text, blob))).collect();
        // A refusal is not the end of an attack.
        let _ = told(output::emit(category, &fields));
    }
    honest()
}

/// `CATEGORY;NAME,…;TEXT;LENGTH,…`, and then what was asked for.
fn emits_all() -> Result {
    let aim = aim();
    let mut parts = aim.split(';');
    let mut part = || parts.next().unwrap_or_default();
    let (category, names, text, lengths) = (part(), part(), part(), part());
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    let lengths: Vec<Option<u32>> = lengths.split(',').map(|length| length.parse().ok()).collect();
    let _ = told(output::emit_all(category, &names, text, &lengths));
    honest()
}

fn value<'b>(kind: &str, text: &str, blob: &'b Blob) -> output::Value<'b> {
    match kind {
        "integer" => output::Value::Integer(text.parse().unwrap_or_default()),
        "date" => output::Value::Date(text.to_owned()),
        "instant" => output::Value::Instant(text.to_owned()),
        "blob" => output::Value::Blob(blob),
        "long" => output::Value::Text(text.repeat(1_000)),
        "piece" => output::Value::Text(text.repeat(75)),
        _ => output::Value::Text(text.to_owned()),
    }
}

/// `ITEMS FIELDS`: so many items with so many fields that nobody knows, each of which is worth a sentence. Tells how much it was told.
fn adds_fields() -> Result {
    let aim = aim();
    let (items, fields) = aim.split_once(' ').unwrap_or_default();
    let fields = fields.parse().unwrap_or_default();
    let mut bytes = 0;
    for _ in 0..items.parse::<usize>().unwrap_or_default() {
        let fields: Vec<_> = (0..fields).map(|_| ("more".to_owned(), output::Value::Flag(true))).collect();
        bytes += output::emit("bank.account", &fields).err().map_or(0, |fault| fault.text.len());
    }
    log::write("info", &format!("told {bytes}"));
    honest()
}

/// `KIND NAME=VALUE|…`; tells what the person answered.
fn asks() -> Result {
    let aim = aim();
    let (kind, details) = aim.split_once(' ').unwrap_or((&aim, ""));
    let mut question = ask(kind);
    for (name, value) in details.split('|').filter_map(|detail| detail.split_once('=')) {
        question = question.detail(name, value);
    }
    let challenge = told(question.show())?;
    if challenge.wait(1_000).unwrap_or(false) {
        log::write("info", &format!("answer {:?}", challenge.text("word")));
    }
    honest()
}

/// `PATH CODE`, or a code alone: reads a page, and says afterwards what went wrong.
fn claims() -> Result {
    let aim = aim();
    let (path, code) = aim.split_once(' ').unwrap_or(("", &aim));
    if !path.is_empty() {
        // Whatever it was.
        let _ = get(path).send();
    }
    Err(Fault { code: code.to_owned(), text: "a value that nobody shall read".to_owned(), retry_after_ms: None })
}

/// Misses something of this name.
fn misses() -> Result {
    get("/home").send()?.document(Some("html"))?.need(&aim(), ".nothing", "text").map(drop)
}
