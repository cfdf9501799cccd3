//! End-to-end tests: real third-party applications as Data Sources, real connectors in the real sandbox, and the wire between them;
//! and the real binary, over HTTP (`serve`), on a terminal (`cli`) and with its keys in a token (`keys`); and all of it together (`real`). Each application is started once for all tests.

#![expect(clippy::unwrap_used, reason = "a test that can't go on may end there")]

mod account;
mod author;
mod berlin_group;
mod breaks;
mod cli;
mod clients;
mod console;
mod demo;
mod journey;
mod described;
mod juntagrico;
mod keys;
mod kresus;
mod oidc_provider;
mod operation;
mod operators;
mod peers;
mod real;
mod sandbox;
mod serve;
mod wire;

use std::fs;
use std::path::Path;

use consentry::collect::Collection;
use consentry_contract::item::{Item, Value};

/// One of the people whom both applications know: `marie`, `zoe`, `paul`.
fn person(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources/people.json");
    let mut people: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    people[name].take()
}

/// A text of a person.
fn of<'p>(person: &'p serde_json::Value, key: &str) -> &'p str {
    person[key].as_str().unwrap_or_else(|| panic!("people.json: {key}"))
}

/// Every item in one line, `category field=value …`, a document by its media type.
fn lines(collection: &Collection) -> Vec<String> {
    collection.items.iter().map(line).collect()
}

fn line(item: &Item) -> String {
    let mut line = item.category().name.to_owned();
    for (field, value) in item.fields() {
        let value = match value {
            Value::Text(text) | Value::Decimal(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Date(date) => date.to_string(),
            Value::Instant(instant) => instant.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::Blob { media, bytes } => {
                assert!(bytes.len() > 1000, "a document of {} bytes", bytes.len());
                media.name().to_owned()
            }
        };
        line += &format!(" {}={value}", field.name);
    }
    line
}
