//! The fifth screen: everything that was found, ticked item by item; what is unticked is left out and erased.

use axum::response::Response;
use consentry_contract::item::{Check, Kind};
use maud::{Markup, html};
use serde_json::Value;

use super::frame::Step;
use super::trouble;
use super::visitor::{Reader, Visitor};
use super::words;
use crate::data::Category;

/// More rows than this are folded, under a line that tells how many there are.
const OPEN_ROWS: usize = 10;

pub(super) fn page(visitor: &Visitor, alert: Option<Markup>) -> Response {
    let reader = &visitor.reader;
    let found = match visitor.engine.preview(&visitor.session) {
        Ok(found) => found,
        Err(error) => return trouble::engine(visitor, error),
    };
    let service = visitor.service();
    let title = match reader.say("en", "fr") {
        "en" => format!("Share this with {service}?"),
        _ => format!("Partager ceci avec {service} ?"),
    };
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let (items, datasets) = (list("items"), list("datasets"));
    reader.frame(&title).of(visitor, Step::Check).alert(alert).page(html! {
        h1 { (title) }
        p .lead { (reader.say(
            "This is all that was found. Untick what you do not want to share: it is erased. Nothing leaves before you press the button.",
            "Voici tout ce qui a été trouvé. Décochez ce que vous ne voulez pas partager : c'est effacé. Rien ne part avant que vous n'appuyiez sur le bouton.",
        )) }
        form method="post" action=(visitor.at("/share")) {
            @for dataset in &datasets { (group(visitor, dataset, &items)) }
            (predicates(reader, &found["predicates"]))
            div .actions {
                button type="submit" { (reader.say("Share what is ticked", "Partager ce qui est coché")) }
                a .button .secondary href=(visitor.at("/stop")) { (reader.say("Share nothing", "Ne rien partager")) }
            }
        }
    })
}

fn group(visitor: &Visitor, dataset: &Value, items: &[Value]) -> Markup {
    let reader = &visitor.reader;
    let name = dataset["category"].as_str().unwrap_or_default();
    let Ok(category) = name.parse::<Category>() else { return Markup::default() };
    let rows: Vec<(usize, &Value)> = items.iter().enumerate().filter(|(_, item)| item["category"] == name).collect();
    let label = words::category(reader, category);
    let note = match dataset["result"].as_str() {
        Some("partial") => reader.say("Not everything could be read.", "Tout n'a pas pu être lu."),
        Some("empty-confirmed") => reader.say("There is none there.", "Il n'y en a pas."),
        _ => "",
    };
    let list = html! { ul .items { @for (at, item) in &rows { (row(visitor, category, *at, item)) } } };
    html! {
        fieldset .group {
            legend { (label) " " span .count { (rows.len()) } }
            @if !note.is_empty() { p .hint { (note) } }
            @if !rows.is_empty() {
                @if rows.len() > 1 {
                    div .check .whole {
                        input id={ "g-" (name) } type="checkbox" name="category" value=(name) checked data-group="";
                        label for={ "g-" (name) } { (reader.say("Share from this list", "Partager de cette liste")) }
                    }
                } @else {
                    input type="hidden" name="category" value=(name);
                }
                @if rows.len() > OPEN_ROWS {
                    details { summary { (reader.say("Look at each of the ", "Voir chacun des ")) (rows.len()) } (list) }
                } @else { (list) }
            }
        }
    }
}

fn row(visitor: &Visitor, category: Category, at: usize, item: &Value) -> Markup {
    let reader = &visitor.reader;
    let fields = &item["fields"];
    let currency = fields["currency"].as_str();
    let shown = category.row().fields.iter().filter(|field| {
        let own = !matches!(field.check, Check::Ref | Check::RefOf(_));
        // An amount has its currency beside it.
        own && !fields[field.name].is_null() && (field.name != "currency" || fields["amount"].is_null())
    });
    let label = match reader.say("en", "fr") {
        "en" => format!("Share {}, {}", words::category(reader, category), at + 1),
        _ => format!("Partager {}, {}", words::category(reader, category), at + 1),
    };
    html! {
        li {
            input id={ "i-" (at) } type="checkbox" name="item" value=(at) checked aria-label=(label);
            dl {
                @for field in shown {
                    div {
                        dt { (reader.text(&field.label)) }
                        @let value = &fields[field.name];
                        dd {
                            @if field.kind == Kind::Blob { (file(visitor, at, field.name, value)) }
                            @else { (words::value(reader, field.kind, field.name, value, currency)) }
                        }
                    }
                }
            }
        }
    }
}

fn file(visitor: &Visitor, at: usize, field: &str, value: &Value) -> Markup {
    let reader = &visitor.reader;
    let bytes = value["bytes"].as_str().map_or(0, |text| text.len() / 4 * 3);
    html! {
        a href={ (visitor.at("/item/")) (at) "?field=" (field) } { (reader.say("Open", "Ouvrir")) }
        " (" (value["media"].as_str().unwrap_or_default()) ", " (bytes.div_ceil(1024)) " kB)"
    }
}

fn predicates(reader: &Reader, answers: &Value) -> Markup {
    let Some(answers) = answers.as_array().filter(|answers| !answers.is_empty()) else { return Markup::default() };
    html! {
        fieldset .group {
            legend { (reader.say("Answers, without the value", "Réponses, sans la valeur")) }
            dl { @for answer in answers {
                div { dt { (answer["predicate"].as_str().unwrap_or_default()) } dd { (answered(reader, &answer["holds"])) } }
            } }
        }
    }
}

fn answered(reader: &Reader, holds: &Value) -> &'static str {
    match holds {
        Value::Bool(true) => reader.language.pick("yes", "oui"),
        Value::Bool(false) => reader.language.pick("no", "non"),
        _ => reader.language.pick("not known", "inconnu"),
    }
}
