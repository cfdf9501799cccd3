//! The contract as a page for authors: every interface with every function, and every failure code. Written from the contract's own texts and
//! the host's table, so it can't lag behind them.

use std::fmt::Write as _;

use consentry_contract::failure::{Claim, Code};

use super::carried;

const HEAD: &str = "# The contract, for authors

Everything that a connector may ask of its host, written by `consentry connector docs` from the contract itself; the same text is compiled into every
connector. The SDK (`cargo doc -p consentry-sdk --open`) wraps it in shorter words. What a connector may do with it stands in its manifest
([manifest.md](manifest.md)), what it may emit in [items.md](items.md).

What is `Host` in the table of failures only the host names; `Guest` codes a connector may end with; `Page` codes a manifest may besides give to a page or
to an error text.
";

/// The page.
#[must_use]
pub fn contract() -> String {
    let mut out = HEAD.to_owned();
    // The world first: it lists the others.
    let mut texts: Vec<(&str, &[u8])> = carried::wit().collect();
    texts.sort_by_key(|(path, _)| (*path != "world.wit", *path));
    for (path, bytes) in texts {
        let text = String::from_utf8_lossy(bytes);
        let about = text.lines().take_while(|line| line.starts_with("///"));
        let about: Vec<&str> = about.map(|line| line.trim_start_matches('/').trim()).collect();
        let code: Vec<&str> = text.lines().skip_while(|line| line.starts_with("///")).collect();
        let name = path.trim_end_matches(".wit");
        // A String takes all.
        let _ = write!(out, "\n## `{name}`\n\n{}\n\n```wit\n{}\n```\n", about.join("\n"), code.join("\n").trim());
    }
    out += "\n## Failures\n\n| code | whose turn | named by | what it means |\n|---|---|---|---|\n";
    for code in Code::ALL {
        let row = code.row();
        let claim = match row.claim {
            Claim::Host => "Host",
            Claim::Page => "Page",
            _ => "Guest",
        };
        let _ = writeln!(out, "| `{code}` | {} | {claim} | {} |", row.blame.name(), row.author);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_docs_is_the_contract() {
        assert!(include_str!("../../../docs/contract.md") == contract(), "consentry connector docs > docs/contract.md");
    }
}
