//! What is written from the table for connectors, so that none can lag behind it.

use std::fmt::Write as _;

use super::Code;

/// Rust source for connectors: an enum of all codes, each with the name that the contract writes.
#[must_use]
pub fn rust_codes() -> String {
    let (mut variants, mut arms) = (String::new(), String::new());
    for code in Code::ALL {
        let host = if code.guest_may_claim() { "" } else { " Only the host may name it." };
        // A String takes all.
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

fn pascal(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
