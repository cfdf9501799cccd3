//! What is wrong with a manifest, and where.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::plain::plain;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}, {key}: {problem}")]
pub struct ManifestError {
    /// Line in the manifest, counted from 1.
    pub line: usize,
    /// The key, such as `field[1].sink[0].slot`.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

/// Most things that are told at once: who reads more?
pub(super) const ERRORS_MAX: usize = 100;

/// Everything that could be found wrong at once, [`ERRORS_MAX`] things at most: never empty, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors(Vec<ManifestError>);

impl ManifestErrors {
    /// None if there is nothing wrong.
    pub(super) fn of(mut errors: Vec<ManifestError>) -> Option<Self> {
        errors.sort();
        errors.dedup();
        errors.truncate(ERRORS_MAX);
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ManifestError> {
        self.0.iter()
    }
}

impl From<ManifestError> for ManifestErrors {
    fn from(error: ManifestError) -> Self {
        Self(vec![error])
    }
}

impl std::error::Error for ManifestErrors {}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    line: usize,
    key: String,
}

impl Place {
    pub(super) fn error(&self, problem: impl Into<String>) -> ManifestError {
        // What is wrong is often quoted, and it is a stranger's.
        let problem = plain(&problem.into()).into_owned();
        ManifestError { line: self.line, key: self.key.clone(), problem }
    }
}

/// Finds lines and keys for positions in the text.
pub(super) struct Locator<'a> {
    text: &'a str,
    tree: Spanned<DeTable<'a>>,
}

impl<'a> Locator<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, tree: DeTable::parse_recoverable(text).0 }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let key = in_table(self.tree.get_ref(), span.start).unwrap_or_default();
        let key = key.trim_start_matches('.');
        Place {
            line: before.matches('\n').count() + 1,
            key: if key.is_empty() { "manifest".to_owned() } else { plain(key).into_owned() },
        }
    }

    pub(super) fn schema(&self, error: &toml::de::Error) -> ManifestError {
        let span = error.span().unwrap_or_default();
        let mut place = self.place(span.clone());
        // A key that is missing has no position; its table has, and the whole text is the outermost one.
        if let Some(missing) = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            place.key = if span == self.tree.span() { missing.to_owned() } else { format!("{}.{missing}", place.key) };
        }
        place.error(error.message().replace('\n', ", "))
    }
}

/// The path of the innermost key whose name or value holds this position.
fn in_table(table: &DeTable<'_>, position: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = format!(".{}", key.get_ref());
        let inner = in_value(value, position).map(|inner| format!("{name}{inner}"));
        inner.or_else(|| key.span().contains(&position).then_some(name))
    })
}

fn in_value(value: &Spanned<DeValue<'_>>, position: usize) -> Option<String> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => in_table(table, position),
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .find_map(|(index, each)| in_value(each, position).map(|inner| format!("[{index}]{inner}"))),
        _ => None,
    };
    inner.or_else(|| value.span().contains(&position).then(String::new))
}
