//! Pages: an answer and its document, read with selectors. Tables come as rows of texts, to be taken apart by a pattern:
//! `for [date, label] in page.table("table tr", [text("date", ".date"), text("label", ".label")])?`.

pub use crate::contract::document::{Column, Document};

use crate::fault::{Code, Result};
use crate::request::Response;

/// An answer that can be asked.
#[derive(Debug)]
pub struct Page {
    response: Response,
    document: Document,
}

impl Page {
    /// Reads an answer as a page.
    ///
    /// # Errors
    /// `value-unparsable` for what is no HTML, XML or JSON.
    pub fn of(response: Response) -> Result<Self> {
        let document = response.document(None)?;
        Ok(Self { response, document })
    }

    /// Which page of the manifest it is, if any.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.response.page()
    }

    /// Whether it is this page of the manifest.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.id().is_some_and(|page| page == id)
    }

    /// Itself, if it is one of these pages of the manifest.
    ///
    /// # Errors
    /// `page-unrecognised` if not.
    pub fn expect(self, pages: &[&str]) -> Result<Self> {
        match self.id() {
            Some(page) if pages.contains(&page.as_str()) => Ok(self),
            _ => Err(Code::PageUnrecognised.fault(format!("expected here: {}", pages.join(" or ")))),
        }
    }

    /// The answer: status, URL, headers, captured secrets.
    #[must_use]
    pub fn response(&self) -> &Response {
        &self.response
    }
}

impl std::ops::Deref for Page {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl Document {
    /// Whether something is there.
    ///
    /// # Errors
    /// For a selector that is none.
    pub fn has(&self, at: &str) -> Result<bool> {
        Ok(self.find(at, "text")?.is_some())
    }

    /// The rows of a table, each with all of its columns. A row without one is `page-unrecognised`, reported by the column's name.
    ///
    /// # Errors
    /// What the host answers, or a cell that is not there.
    pub fn table<const N: usize>(&self, at: &str, columns: [Column; N]) -> Result<Vec<[String; N]>> {
        let rows = self.list(at, &columns)?;
        rows.into_iter().map(|row| complete(row).map_err(|place| self.missing(&columns[place].name))).collect()
    }

    /// The rows of a table whose cells may be absent.
    ///
    /// # Errors
    /// What the host answers.
    pub fn list<const N: usize>(&self, at: &str, columns: &[Column; N]) -> Result<Vec<[Option<String>; N]>> {
        let rows = self.rows(at, columns)?;
        Ok(rows.into_iter().map(|row| row.try_into().unwrap_or([const { None }; N])).collect())
    }
}

/// The text of a cell.
#[must_use]
pub fn text(name: &str, at: &str) -> Column {
    column(name, at, "text")
}

/// Where a link in a cell leads to.
#[must_use]
pub fn link(name: &str, at: &str) -> Column {
    column(name, at, "url:href")
}

/// A column: its name where it is missed, where it stands in the row, and what is taken (`text`, `attr:NAME`, …).
#[must_use]
pub fn column(name: &str, at: &str, take: &str) -> Column {
    Column { name: name.to_owned(), at: at.to_owned(), take: take.to_owned() }
}

/// The row, or the place of the first cell that is not there.
fn complete<const N: usize>(row: [Option<String>; N]) -> Result<[String; N], usize> {
    match row.iter().position(Option::is_none) {
        Some(place) => Err(place),
        None => Ok(row.map(Option::unwrap_or_default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_complete_or_names_its_first_gap() {
        let cell = |text: &str| Some(text.to_owned());
        assert_eq!(complete([cell("a"), cell("")]), Ok(["a".to_owned(), String::new()]));
        assert_eq!(complete([cell("a"), None, None]), Err(1));
        assert_eq!(complete::<0>([]), Ok([]));
    }
}
