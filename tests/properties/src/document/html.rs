//! The same page by `scraper`, which has a tree and a selector engine of its own glue, and a reader of forms written here.

use consentry_contract::document::{Document, Unmetered};
use scraper::{ElementRef, Html, Selector};

use super::Question;

/// Elements that close each other when nested, that a parser moves, or whose text ends where it thinks.
const FRAGILE: &str = "plaintext xmp iframe noembed noframes noscript script style template svg math form table \
    a p button nobr select option optgroup frameset frame isindex textarea title pre listing image li dd dt h1 \
    h2 h3 h4 h5 h6 ruby rb rt rp b i u s em strong font big small tt code strike hr body td tr th tbody caption \
    col applet object marquee head";

/// Whether a page holds nothing of what the standard says can't be written down so that it reads back the same.
pub(super) fn is_plain(source: &str) -> bool {
    let source = source.to_ascii_lowercase().replacen("<html><head></head><body>", "", 1);
    let mut tags =
        source.split('<').skip(1).map(|tag| tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default());
    !source.contains("<!--") && !tags.any(|tag| FRAGILE.split(' ').any(|fragile| fragile == tag))
}

/// Selections, texts and attributes; and the fields of a form.
pub(super) fn agrees(document: &Document, question: &Question<'_>) {
    let Some(source) = decoded(document, question) else { return };
    let lower = source.to_ascii_lowercase();
    // There scraper runs scripts (`noscript` is text), and keeps a template's content apart.
    if lower.contains("noscript") || lower.contains("template") || question.at.trim().is_empty() {
        return;
    }
    let page = Html::parse_document(&source);
    selected(document, question, &page);
    if lower.contains("<form") {
        form::agrees(document, &page);
    }
}

/// The source as text, where it is UTF-8 and was read as that.
fn decoded(document: &Document, question: &Question<'_>) -> Option<String> {
    let text = std::str::from_utf8(question.source).ok()?;
    (document.charset() == "UTF-8").then(|| text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

fn selected(document: &Document, question: &Question<'_>, page: &Html) {
    let at = question.at;
    // Relative to a scope, and states of a live page: no business of a page that is only read.
    if at.trim_start().starts_with(['>', '+', '~']) || at.contains(":has") || at.contains(":scope") {
        return;
    }
    let (Ok(found), Ok(selector)) = (document.parts(at, &mut Unmetered), Selector::parse(at)) else { return };
    let expected: Vec<ElementRef<'_>> = page.select(&selector).collect();
    assert_eq!(found.len(), expected.len(), "matches of {at:?}");
    for (found, expected) in found.iter().zip(expected).take(50) {
        let raw = found.find("", "raw", &mut Unmetered).unwrap().unwrap();
        assert_eq!(raw, expected.text().collect::<String>(), "the text at {at:?}");
        for (name, value) in expected.value().attrs() {
            let taken = found.find("", &format!("attr:{name}"), &mut Unmetered).unwrap();
            assert_eq!(taken.as_deref(), Some(value), "the attribute {name:?} at {at:?}");
        }
    }
}

mod form {
    use super::*;

    /// The controls of a plain form: inputs, areas and drop-downs that stand in it.
    pub(super) fn agrees(document: &Document, page: &Html) {
        let select = |text: &str| Selector::parse(text).unwrap();
        let forms: Vec<_> = page.select(&select("form")).collect();
        let strange =
            "form form, [form], datalist, fieldset, table form, form table, svg, math, optgroup, select select, button";
        let [form] = forms[..] else { return };
        let controls = select("input, select, textarea");
        // A parser ties controls to a form that it takes out of a table, and in which they don't stand.
        let outside = page.select(&controls).count() != form.select(&controls).count();
        if outside || page.select(&select(strange)).next().is_some() {
            return;
        }
        let Ok(Some(found)) = document.form("form", &mut Unmetered) else { panic!("the form is not found") };
        let expected: Vec<(String, String)> = form.select(&controls).flat_map(fields).collect();
        let radios = form.select(&select("input[type=radio i]")).next().is_some();
        if radios {
            // Of one group the last checked one counts: the names are enough here.
            let names = |fields: &[(String, String)]| {
                let mut names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
                names.sort();
                names.dedup();
                names
            };
            assert_eq!(names(&found.fields), names(&expected));
        } else {
            assert_eq!(found.fields, expected);
        }
        let method = form.value().attr("method").unwrap_or_default().to_ascii_lowercase();
        assert_eq!(found.method, if ["post", "dialog"].contains(&method.as_str()) { method } else { "get".to_owned() });
    }

    fn fields(control: ElementRef<'_>) -> Vec<(String, String)> {
        let element = control.value();
        let Some(name) = element.attr("name").filter(|name| !name.is_empty()) else { return Vec::new() };
        if element.attr("disabled").is_some() {
            return Vec::new();
        }
        let values = match element.name() {
            "select" => options(control),
            "textarea" => vec![control.text().collect()],
            _ => input(control).into_iter().collect(),
        };
        values.into_iter().map(|value| (name.to_owned(), value)).collect()
    }

    fn input(control: ElementRef<'_>) -> Option<String> {
        let element = control.value();
        let value = element.attr("value");
        let line = value.unwrap_or_default().replace(['\n', '\r'], "");
        let kind = element.attr("type").unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "submit" | "button" | "reset" | "image" => None,
            "checkbox" | "radio" => element.attr("checked").map(|_| value.unwrap_or("on").to_owned()),
            "password" | "file" => Some(String::new()),
            "hidden" if element.attr("name").is_some_and(|name| name.eq_ignore_ascii_case("_charset_")) => {
                Some("UTF-8".to_owned())
            }
            "hidden" => Some(value.unwrap_or_default().to_owned()),
            "email" | "url" => Some(line.trim().to_owned()),
            _ => Some(line),
        }
    }

    fn options(control: ElementRef<'_>) -> Vec<String> {
        let all: Vec<ElementRef<'_>> = control.select(&Selector::parse("option").unwrap()).collect();
        let is = |option: &&ElementRef<'_>, name: &str| option.value().attr(name).is_some();
        let value = |option: &ElementRef<'_>| match option.value().attr("value") {
            Some(value) => value.to_owned(),
            None => option.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "),
        };
        if control.value().attr("multiple").is_some() {
            return all.iter().filter(|o| is(o, "selected") && !is(o, "disabled")).map(value).collect();
        }
        let size: u32 = control.value().attr("size").and_then(|size| size.trim().parse().ok()).unwrap_or(1);
        let chosen = all.iter().rfind(|option| is(option, "selected"));
        let chosen = chosen.or_else(|| all.iter().find(|option| size <= 1 && !is(option, "disabled")));
        chosen.filter(|option| !is(option, "disabled")).map(value).into_iter().collect()
    }
}
