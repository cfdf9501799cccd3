//! The second screen: the notice, word for word as the consent binds to it, and the decision. Nothing is ticked beforehand.

use axum::response::Response;
use maud::{Markup, html};

use super::frame::Step;
use super::visitor::{Reader, Visitor};
use super::words;
use crate::consent::Notice;
use crate::consent::notice::Section;

pub(super) fn page(visitor: &Visitor, notice: &Notice, alert: Option<Markup>) -> Response {
    let reader = &visitor.reader;
    let facts = notice.facts();
    let title = match reader.say("en", "fr") {
        "en" => format!("{} asks for data from {}", facts.online_service.name, facts.source.name),
        _ => format!("{} demande des données de {}", facts.online_service.name, facts.source.name),
    };
    let [who, what, rest @ ..] = notice.sections(reader.language) else { return super::trouble::nobody(reader) };
    reader.frame(&title).of(visitor, Step::Agreement).alert(alert).page(html! {
        h1 { (title) }
        (section(who))
        form method="post" action=(visitor.at("/consent")) {
            input type="hidden" name="notice" value=(notice.digest());
            (asked(reader, notice, what))
            div .details {
                @for section in rest {
                    details { summary { (section.title) } ul { @for line in &section.lines { li { (line) } } } }
                }
            }
            div .check .attest {
                input #attest type="checkbox" name="attests" value="yes";
                label for="attest" { (reader.say(
                    "The account there is mine, or I may use it.",
                    "Le compte sur place est le mien, ou j'ai le droit de l'utiliser.",
                )) }
            }
            div .actions {
                button type="submit" name="decision" value="ticked" { (reader.say("Agree to what I ticked", "Accepter ce que j'ai coché")) }
                button .secondary type="submit" name="decision" value="all" { (reader.say("Agree to all of it", "Tout accepter")) }
                button .secondary type="submit" name="decision" value="refused" { (reader.say("No, share nothing", "Non, ne rien partager")) }
            }
        }
        p { a href={ (visitor.at("")) "?choose=1" } { (reader.say("Choose another source", "Choisir une autre source")) } }
    })
}

fn section(section: &Section) -> Markup {
    html! {
        section {
            h2 { (section.title) }
            @for line in &section.lines { p { (line) } }
        }
    }
}

/// Each category with its own box, in the notice's words; then what else is said about them.
fn asked(reader: &Reader, notice: &Notice, what: &Section) -> Markup {
    let facts = notice.facts();
    let count = facts.asked.len() + facts.predicates.len();
    let line = |at: usize| what.lines.get(at).map(String::as_str).unwrap_or_default();
    html! {
        fieldset {
            legend { (what.title) }
            p .hint { (reader.say("Tick what you agree to.", "Cochez ce que vous acceptez.")) }
            @for (at, asked) in facts.asked.iter().enumerate() {
                @let (name, label) = (asked.category.name(), words::category(reader, asked.category));
                div .check {
                    input id={ "c-" (at) } type="checkbox" name="category" value=(name) aria-describedby={ "w-" (at) };
                    label for={ "c-" (at) } { (label) }
                    p .hint id={ "w-" (at) } { (line(at).strip_prefix(label).unwrap_or(line(at)).trim_start()) }
                }
            }
            @for (at, asked) in facts.predicates.iter().enumerate() {
                div .check {
                    input id={ "p-" (at) } type="checkbox" name="predicate" value=(asked.predicate);
                    label for={ "p-" (at) } { (line(facts.asked.len() + at)) }
                }
            }
            ul .also { @for line in what.lines.iter().skip(count) { li { (line) } } }
        }
    }
}
