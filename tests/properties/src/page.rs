//! Page recognition against the plainest reading of it: of the rules in their order the first that fits, and what each before it misses.

use std::sync::Arc;

use consentry_contract::document::{Document, DocumentError, Format, Limits, Unmetered};
use consentry_contract::manifest::UrlPattern;
use consentry_contract::page::{Page, PageRule, Recognition, recognise};
use regex::Regex;
use url::Url;

use crate::bound::bounded;

/// Takes lines: the URL; the status; rules (pattern, statuses, required, lacking, between tabs; several of one kind with `|` between
/// them); an empty line; then the page, as JSON if it begins with `{` or `[`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let Ok(url) = Url::parse(lines.next().unwrap_or_default()) else { return };
    let Ok(status) = lines.next().unwrap_or_default().parse::<u16>() else { return };
    let rules: Vec<PageRule> = lines.take(12).enumerate().filter_map(|(at, line)| rule(at, line)).collect();
    let format = if body.starts_with(['{', '[']) { Format::Json } else { Format::Html };
    let document =
        Document::parse(format, body.as_bytes(), Some("utf-8"), None, &Limits::default(), &mut Unmetered).ok();
    let document = document.as_ref();
    let asked = |rules: &[PageRule]| recognise(rules, &url, status, document, &mut Unmetered);
    let found = bounded("recognising a page", data.len() * (1 + rules.len()), || asked(&rules));
    for rule in &rules {
        assert_eq!(rule.url.matches(&url), matches(&rule.url, &url), "{} on {url}", rule.url);
    }
    let expected = reading(&rules, &url, status, document);
    let (found, (winner, missing)) = match (found, expected) {
        (Ok(found), Ok(expected)) => (found, expected),
        (found, expected) => {
            assert_eq!(found.is_err(), expected.is_err(), "{found:?}");
            return;
        }
    };
    assert_eq!(found.page.as_ref().map(|page| page.as_str()), winner.map(|at| rules[at].page.id.as_str()));
    let told: Vec<_> = found.missing.iter().map(|missing| (missing.page.as_str(), missing.at.as_str())).collect();
    assert_eq!(told, if winner.is_some() { Vec::new() } else { missing });
    if let Some(winner) = winner {
        order_counts(&rules, winner, &found, &asked);
    }
}

/// What stands behind the winner doesn't count, nor what stands before it; and it wins only because it stands where it does.
fn order_counts(
    rules: &[PageRule],
    winner: usize,
    found: &Recognition,
    asked: &dyn Fn(&[PageRule]) -> Result<Recognition, DocumentError>,
) {
    let same = |rules: &[PageRule]| asked(rules).is_ok_and(|again| again == *found);
    assert!(same(&rules[..=winner]) && same(&rules[winner..]));
    for other in &rules[winner + 1..] {
        let alone = asked(std::slice::from_ref(other));
        if alone.is_ok_and(|alone| alone.page.is_some()) {
            let turned = asked(&[other.clone(), rules[winner].clone()]);
            assert_eq!(turned.unwrap().page.as_ref(), Some(&other.page.id));
        }
    }
}

fn rule(at: usize, line: &str) -> Option<PageRule> {
    let mut columns = line.split('\t');
    let url = UrlPattern::parse(columns.next()?).ok()?;
    let several = |text: Option<&str>| -> Vec<String> {
        text.unwrap_or_default().split('|').filter(|at| !at.is_empty()).map(str::to_owned).collect()
    };
    let status = several(columns.next()).iter().filter_map(|status| status.parse().ok()).collect();
    let page = Page {
        id: format!("page-{at}").parse().ok()?,
        status,
        requires: several(columns.next()),
        lacks: several(columns.next()),
        failure: None,
        errors: Vec::new(),
        empty: None,
        feeds: Vec::new(),
        login: false,
    };
    Some(PageRule { url, page: Arc::new(page) })
}

/// The first rule that fits, by its place, and what those before it miss.
type Reading<'a> = (Option<usize>, Vec<(&'a str, &'a str)>);

fn reading<'a>(
    rules: &'a [PageRule],
    url: &Url,
    status: u16,
    document: Option<&Document>,
) -> Result<Reading<'a>, DocumentError> {
    let there = |at: &str| -> Result<bool, DocumentError> {
        match document {
            Some(document) if (document.format() == Format::Json) == at.starts_with('/') => {
                Ok(document.find(at, "raw", &mut Unmetered)?.is_some()
                    || !document.parts(at, &mut Unmetered)?.is_empty())
            }
            _ => Ok(false),
        }
    };
    let mut missing = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let page = &rule.page;
        if !matches(&rule.url, url) || !(page.status.is_empty() || page.status.contains(&status)) {
            continue;
        }
        let mut fits = true;
        for at in &page.requires {
            if !there(at)? {
                missing.push((page.id.as_str(), at.as_str()));
                fits = false;
            }
        }
        // Once something is missing nobody asks for more.
        for at in page.lacks.iter().take_while(|_| fits).map(|at| there(at)).collect::<Result<Vec<_>, _>>()? {
            fits &= !at;
        }
        if fits {
            return Ok((Some(place), missing));
        }
    }
    Ok((None, missing))
}

/// The pattern as a regular expression over the written URL.
fn matches(pattern: &UrlPattern, url: &Url) -> bool {
    let written = Url::parse(&pattern.to_string()).unwrap();
    let same_place = (written.scheme(), written.host_str(), written.port_or_known_default())
        == (url.scheme(), url.host_str(), url.port_or_known_default());
    if !same_place || !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    let (path, rest) = match written.path().strip_suffix('*') {
        Some(path) => (path, ".*"),
        None => (written.path(), ""),
    };
    let path = format!("{}{rest}", expression(path, "[^/]+"));
    let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    whole(&path, url.path())
        && written.query_pairs().all(|(name, wanted)| {
            let wanted = expression(&wanted, ".*");
            parameters.iter().any(|(other, value)| *other == name && whole(&wanted, value))
        })
}

fn expression(pattern: &str, star: &str) -> String {
    pattern.split('*').map(regex::escape).collect::<Vec<_>>().join(star)
}

fn whole(expression: &str, text: &str) -> bool {
    Regex::new(&format!("(?s)\\A(?:{expression})\\z")).is_ok_and(|expression| expression.is_match(text))
}
