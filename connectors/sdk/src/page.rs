//! Pages: an answer and its document, read with selectors. Tables come as rows of texts, to be taken apart by a pattern:
//! `for [date, label] in page.table("table tr", [text("date", ".date"), text("label", ".label")])?.rows()`.

pub use crate::contract::document::Column;
pub use crate::host::Document;

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
        let document = response.document(None)?.into();
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

/// A table all of whose cells are there, in one piece: `for [date, label] in table.rows()`.
#[derive(Debug, PartialEq, Eq)]
pub struct Table<const N: usize> {
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
}

impl<const N: usize> Table<N> {
    /// The table, or the column of the first cell that is not there.
    fn complete(text: String, lengths: &[Option<u32>]) -> Result<Self, usize> {
        let (mut ends, mut end) = (Vec::with_capacity(lengths.len()), 0);
        for (place, length) in lengths.iter().enumerate() {
            end += length.ok_or(place % N.max(1))? as usize;
            ends.push(end);
        }
        Ok(Self { text, ends })
    }

    /// Its rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = [&str; N]> {
        let mut from = 0;
        self.ends.chunks_exact(N.max(1)).map(move |ends| {
            std::array::from_fn(|column| {
                let start = std::mem::replace(&mut from, ends.get(column).copied().unwrap_or(usize::MAX));
                self.text.get(start..from).unwrap_or_default()
            })
        })
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
    pub fn table<const N: usize>(&self, at: &str, columns: [Column; N]) -> Result<Table<N>> {
        let (text, lengths) = self.cells(at, &columns)?;
        Table::complete(text, &lengths)
            .map_err(|place| self.missing(columns.get(place).map_or("", |column| &column.name)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_complete_or_names_the_column_of_its_first_gap() {
        let table = |lengths: &[Option<u32>]| Table::<2>::complete("abcde".to_owned(), lengths);
        let whole = table(&[Some(1), Some(2), Some(0), Some(2)]).unwrap();
        assert_eq!(whole.rows().collect::<Vec<_>>(), [["a", "bc"], ["", "de"]]);
        assert_eq!(table(&[Some(1), Some(2), Some(0), None]), Err(1));
        assert_eq!(table(&[]).unwrap().rows().count(), 0);
        assert_eq!(Table::<0>::complete(String::new(), &[]).unwrap().rows().count(), 0);
    }
}
