//! The text of a PDF, read here in the sandbox: a hostile file costs its own run. The connector's package asks for it:
//! `consentry-sdk = { path = "sdk", features = ["pdf"] }`.
//!
//! ```no_run
//! # use consentry_sdk::prelude::*;
//! # fn notice(answer: &Response) -> Result<i64> {
//! let text = pdf::Text::of(&answer.blob()?)?;
//! french::amount(text.beside("Revenu fiscal de référence")?, "EUR")
//! # }
//! ```

use crate::fault::{Code, Result};
use crate::output::Blob;

/// How much of a file is fetched from the host at once.
const PIECE: u32 = 1 << 20;

/// Lines from the top, each of cells from the left; a wide gap parts two cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    lines: Vec<Vec<String>>,
}

impl Text {
    /// Reads a file.
    ///
    /// # Errors
    /// `value-unparsable` for what is no PDF, is locked, or has no text in it.
    pub fn of(file: &Blob) -> Result<Self> {
        let mut bytes = Vec::new();
        loop {
            let piece = file.read(bytes.len() as u64, PIECE);
            if piece.is_empty() {
                return Self::read(bytes);
            }
            bytes.extend(piece);
        }
    }

    /// Reads the bytes of a file: what tests have.
    ///
    /// # Errors
    /// As [`Text::of`].
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let lines = consentry_pdf::lines(bytes);
        lines.map(|lines| Self { lines }).map_err(|error| Code::ValueUnparsable.fault(error.to_string()))
    }

    /// Every line, as its cells.
    pub fn lines(&self) -> impl Iterator<Item = &[String]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// What stands beside a label: the next cell of the first line with a cell that begins with it, or what follows in the same one.
    ///
    /// # Errors
    /// `page-unrecognised` if there is no such line, or nothing beside it.
    pub fn beside(&self, label: &str) -> Result<&str> {
        let found = self.lines.iter().find_map(|line| {
            let (at, rest) = line.iter().enumerate().find_map(|(at, cell)| Some((at, cell.strip_prefix(label)?)))?;
            let rest = rest.trim_start_matches([' ', ':', '\u{a0}']);
            line.get(at + 1).map(String::as_str).or(Some(rest).filter(|rest| !rest.is_empty()))
        });
        found.ok_or_else(|| Code::PageUnrecognised.fault(format!("the file says nothing beside {label:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_a_label_is_its_next_cell_or_its_own_rest() {
        let cells = |line: &str| line.split('|').map(str::to_owned).collect::<Vec<_>>();
        let text = Text {
            lines: ["Titre", "Total en euros|1,00|2,00", "Total : 3,00", "Total|4,00", "Vide"].map(cells).to_vec(),
        };
        assert_eq!(text.beside("Total en").unwrap(), "1,00");
        assert_eq!(text.beside("Total :").unwrap(), "3,00");
        assert_eq!(text.beside("Titre").unwrap_err().code, Code::PageUnrecognised.name());
        assert_eq!(text.beside("Vide").unwrap_err().text, "the file says nothing beside \"Vide\"");
        assert_eq!(text.lines().count(), 5);
        assert_eq!(Text::read(b"no file".to_vec()).unwrap_err().code, Code::ValueUnparsable.name());
    }
}
