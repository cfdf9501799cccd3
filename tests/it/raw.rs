//! Guests written as text, for what no connector in Rust can do, and where a small one is enough.

use std::path::Path;

use consentry::collect::package::{MANIFEST_SECTION, Package};
use consentry::collect::signature::Trust;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const MANIFEST: &str = r#"
contract = "0.1"
id = "raw"
version = "0.1.0"
owner = { name = "Consentry authors", contact = "connectors@consentry.example" }
categories = ["person.name"]
source = [{ id = "raw", name = "Raw", country = "FR", kind = "other", origins = ["https://raw.example"] }]
"#;

/// A connector of this core module, whose memory is exported and whose `collect` answers with the place of its result.
pub fn guest(text: &str) -> Package {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("connector")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    CustomSection { name: MANIFEST_SECTION.into(), data: MANIFEST.as_bytes().into() }
        .append_to_component(&mut component);
    Package::read(component, &Trust::default().or_unsigned()).unwrap()
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
