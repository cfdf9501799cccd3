//! Writes what follows from the host's tables: a builder for each category of Shareable Data, the failure codes, the currencies.
//! Connectors can't lag behind the host by a table.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use consentry_contract::failure::Code;
use consentry_contract::item;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("items.rs"), item::rust_constructors())?;
    fs::write(out.join("codes.rs"), codes())?;
    fs::write(out.join("currencies.rs"), currencies())?;
    Ok(())
}

fn codes() -> String {
    let (mut variants, mut arms) = (String::new(), String::new());
    for code in Code::ALL {
        let host = if code.guest_may_claim() { "" } else { " Only the host may name it." };
        let _ = writeln!(variants, "    /// {}{host}\n    {},", code.row().author, pascal(code.name()));
        let _ = writeln!(arms, "            Self::{} => \"{}\",", pascal(code.name()), code.name());
    }
    format!(
        "/// Why something failed: the host's closed list. Blame and retry follow from the code in the host's table.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\n#[non_exhaustive]\npub enum Code {{\n{variants}}}\n\nimpl Code {{\n    \
         /// As the contract writes it.\n    #[must_use]\n    pub const fn name(self) -> &'static str {{\n        match self {{\n\
         {arms}        }}\n    }}\n}}\n"
    )
}

/// Every currency whose minor unit is not the hundredth, and the list of all.
fn currencies() -> String {
    let letters = || 'A'..='Z';
    let codes = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c].iter().collect::<String>())));
    let known: Vec<(String, u8)> =
        codes.filter_map(|code| item::minor_digits(&code).map(|digits| (code, digits))).collect();
    format!("static CURRENCIES: [(&str, u8); {}] = {known:?};\n", known.len())
}

fn pascal(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
