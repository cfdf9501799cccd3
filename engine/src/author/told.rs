//! A collection in lines: what a recording is compared by, and what an author reads.

use std::fmt::Write as _;

use consentry_contract::failure::{Failure, Quality};
use consentry_contract::item::{Item, Value};
use sha2::{Digest as _, Sha256};

use crate::collect::Collection;

/// How it ended, in one line: each category with its count, or the failure with page and what was missing.
#[must_use]
pub fn outcome(collection: &Collection) -> String {
    let gathered = match &collection.result {
        Ok(gathered) => gathered,
        Err(failure) => return failed(failure),
    };
    let datasets = gathered.datasets.iter().map(|dataset| {
        let quality = match &dataset.quality {
            Quality::Complete => dataset.count.to_string(),
            Quality::Partial(code) => format!("{}!{code}", dataset.count),
            Quality::EmptyConfirmed(page) => format!("empty@{}", page.as_str()),
        };
        format!("{}={quality}", dataset.category)
    });
    let told = datasets.collect::<Vec<_>>().join(" ");
    let why = gathered.shortfall.as_ref().map(|shortfall| format!(" because {}", failed(shortfall)));
    told + &why.unwrap_or_default()
}

/// A failure in one line.
#[must_use]
pub fn failed(failure: &Failure) -> String {
    let mut told = failure.code.to_string();
    let named = [
        ("@", failure.page.as_ref().map(|page| page.as_str())),
        ("missing=", failure.missing.as_ref().map(|missing| missing.as_str())),
        ("limit=", failure.limit.as_ref().map(|limit| limit.as_str())),
    ];
    for (what, name) in named {
        if let Some(name) = name {
            // A String takes all.
            let _ = write!(told, " {what}{name}");
        }
    }
    told
}

/// Each item in one line; a document by its kind, length and the beginning of its digest.
#[must_use]
pub fn items(items: &[Item]) -> Vec<String> {
    items.iter().map(line).collect()
}

fn line(item: &Item) -> String {
    let mut line = item.category().name.to_owned();
    for (field, value) in item.fields() {
        let value = match value {
            Value::Text(text) => format!("{text:?}"),
            Value::Decimal(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Date(day) => day.to_string(),
            Value::Instant(instant) => instant.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::Blob { media, bytes } => {
                let digest = hex::encode(&Sha256::digest(&***bytes)[..4]);
                format!("{} of {} bytes, {digest}", media.name(), bytes.len())
            }
        };
        // A String takes all.
        let _ = write!(line, " {}={value}", field.name);
    }
    line
}

/// Lines that are in one and not in the other: `-` those that were expected, `+` those that came.
#[must_use]
pub fn difference(expected: &[String], came: &[String]) -> Vec<String> {
    let without = |all: &[String], other: &[String]| {
        let mut other = other.to_vec();
        let mut left = Vec::new();
        for line in all {
            match other.iter().position(|known| known == line) {
                Some(at) => drop(other.swap_remove(at)),
                None => left.push(line.clone()),
            }
        }
        left
    };
    let gone = without(expected, came).into_iter().map(|line| format!("- {line}"));
    gone.chain(without(came, expected).into_iter().map(|line| format!("+ {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_lines() {
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(difference(&lines("a b b c"), &lines("c b a d")), ["- b", "+ d"]);
        assert!(difference(&lines("a b"), &lines("b a")).is_empty());
    }
}
