//! Guests written as text, for what no connector in Rust can do, and where a small one is enough.

use std::path::Path;

use consentry::collect::package::{MANIFEST_SECTION, Package};
use consentry::collect::signature::Trust;
use consentry_contract::limits::LimitName;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const MANIFEST: &str = r#"
contract = "0.1"
id = "raw"
version = "0.1.0"
owner = { name = "Consentry authors", contact = "connectors@consentry.example" }
capabilities = ["http"]
categories = ["person.name"]
source = [{ id = "raw", name = "Raw", country = "FR", kind = "other", origins = ["https://raw.example"] }]
"#;

/// A connector of this core module, whose memory is exported and whose `collect` answers with the place of its result.
pub fn guest(text: &str) -> Package {
    Package::read(component(text), &Trust::default().or_unsigned()).unwrap()
}

/// The same, not yet read by anybody.
pub fn component(text: &str) -> Vec<u8> {
    component_with(text, MANIFEST)
}

fn component_with(text: &str, manifest: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("connector")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    CustomSection { name: MANIFEST_SECTION.into(), data: manifest.as_bytes().into() }
        .append_to_component(&mut component);
    component
}

/// One that runs these instructions and says that it is done.
pub fn doing(body: &str) -> Package {
    guest(&format!(
        r#"(module
            (memory (export "memory") 1)
            (table $table 1 funcref)
            (func (export "collect") (result i32) {body} (i32.const 0)))"#
    ))
}

/// Where the edge stands in [`edge`]'s guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among the instructions of `collect`.
    Body,
    /// What the guest's allocator answers with when the host asks it for room.
    Room,
    /// The last thing that `collect` does: what it answers with.
    End,
    /// The memory's size, in pages.
    Memory,
    /// What runs before `collect`.
    Start,
    /// The name under which it imports the clock.
    Import,
    /// The name of a function that it imports.
    Function,
}

impl Place {
    /// Nothing comes after it.
    pub fn is_end(self) -> bool {
        self == Self::End
    }
}

const CLOCK: &str = "consentry:connector/clock@0.1.1";

/// A guest that calls most kinds of functions of the contract, with these in their places. Its manifest asks for all the memory, tables and
/// time that a run may have.
pub fn edge(texts: &[(Place, &str)]) -> Vec<u8> {
    let at = |wanted: Place, otherwise: &'static str| {
        let texts: Vec<_> = texts.iter().filter(|(place, _)| *place == wanted).map(|(_, text)| *text).collect();
        if texts.is_empty() { otherwise.to_owned() } else { texts.join(" ") }
    };
    let text = include_str!("edge.wat")
        .replace("(;BODY;)", &at(Place::Body, ""))
        .replace("(;ROOM;)", &at(Place::Room, "(global.get $free)"))
        .replace("(;END;)", &at(Place::End, "(i32.const 0)"))
        .replace("(;PAGES;)", &at(Place::Memory, "1"))
        .replace("(;START;)", &at(Place::Start, ""));
    let asks = [LimitName::Memory, LimitName::TableElements, LimitName::Cpu]
        .map(|limit| format!("{limit} = {}", limit.row().maximum));
    let greedy = format!("{MANIFEST}\n[limits]\n{}\n", asks.join("\n"));
    let renamed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "a name of the same length, so that nothing else changes");
        let mut bytes = component_with(&text, &greedy);
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from.as_bytes()).collect();
        assert!(!places.is_empty());
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        }
        bytes
    };
    match texts {
        [(Place::Import, edge)] => renamed(CLOCK, edge),
        [(Place::Function, edge)] => renamed("uuid", edge),
        _ => component_with(&text, &greedy),
    }
}
