//! Writes what follows from the host's tables: a builder for each category of Shareable Data, the failure codes, the currencies.
//! Connectors can't lag behind the host by a table.

use std::path::PathBuf;
use std::{env, fs};

use consentry_contract::{failure, item};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("items.rs"), item::rust_constructors())?;
    fs::write(out.join("codes.rs"), failure::rust_codes())?;
    fs::write(out.join("currencies.rs"), item::rust_currencies())?;
    Ok(())
}
