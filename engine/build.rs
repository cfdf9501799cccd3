//! Compiles `retention.csv` into the library: a type for each row; a table that is wrong does not build. And carries what an author needs
//! to write a connector: the SDK, the contract, the templates.

#[path = "build/carried.rs"]
mod carried;
#[path = "build/table.rs"]
mod table;

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=retention.csv");
    println!("cargo::rerun-if-changed=build/table.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let rows = table::read(&fs::read_to_string(root.join("retention.csv"))?)?;
    fs::write(out.join("retention.rs"), table::generate(&rows))?;
    println!("cargo::rerun-if-changed=build/carried.rs");
    fs::write(out.join("carried.rs"), carried::generate(&root.join(".."))?)?;
    Ok(())
}
