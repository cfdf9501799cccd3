//! The first screen: who asks for what, and the Data Sources that can give it, each with what it would read.

use std::collections::BTreeSet;

use axum::response::Response;
use maud::{Markup, html};

use super::frame::Step;
use super::visitor::{Reader, Visitor};
use super::words;
use crate::data::Category;
use crate::engine::catalogue::Offer;

/// From so many on there is a search.
const SEARCH_FROM: usize = 8;
/// So many are shown at once; the search finds the others.
const SHOWN_MAX: usize = 60;

pub(super) fn page(visitor: &Visitor, wanted: Option<&str>, alert: Option<Markup>) -> Response {
    let reader = &visitor.reader;
    let service = visitor.service();
    let all = visitor.engine.sources_for(visitor.session.request());
    let words = wanted.unwrap_or_default().trim().to_lowercase();
    let fits = |offer: &&Offer| {
        let text = format!("{} {}", offer.name, words::kind(reader, offer.kind)).to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
    };
    let found: Vec<&Offer> = all.iter().filter(fits).collect();
    let title = reader.say("Where should the data come from?", "D'où doivent venir les données ?");
    reader.frame(title).of(visitor, Step::Source).alert(alert).page(html! {
        h1 { (title) }
        (asks(visitor, &service))
        @if all.len() >= SEARCH_FROM || !words.is_empty() { (search(visitor, &words)) }
        @if all.is_empty() {
            p .note { (reader.say(
                "No source that is connected here has what is asked for. Go back to the service that sent you here: it may accept the data in another way.",
                "Aucune source reliée ici n'a ce qui est demandé. Retournez au service qui vous a envoyé ici : il acceptera peut-être les données autrement.",
            )) }
        } @else if found.is_empty() {
            p .note role="status" { (reader.say("Nothing has that name. Try fewer letters.", "Rien ne porte ce nom. Essayez avec moins de lettres.")) }
        } @else {
            (list(visitor, &found))
        }
    })
}

fn asks(visitor: &Visitor, service: &str) -> Markup {
    let reader = &visitor.reader;
    let request = visitor.session.request();
    let why = visitor.engine.online_service(request.online_service());
    let why = why.and_then(|service| service.purpose(request.purpose()).map(|purpose| purpose.why.clone()));
    html! {
        p .lead {
            strong { (service) }
            (reader.say(" asks for data about you", " demande des données sur vous"))
            @if let Some(why) = &why { (reader.say(": ", " : ")) (reader.localised(why)) }
        }
        p { (reader.say(
            "You choose from where. Nothing is read before you agree, and you see everything before it is shared.",
            "Vous choisissez d'où elles viennent. Rien n'est lu avant votre accord, et vous voyez tout avant le partage.",
        )) }
    }
}

fn search(visitor: &Visitor, words: &str) -> Markup {
    let reader = &visitor.reader;
    html! {
        form .search method="get" action=(visitor.at("")) role="search" {
            label for="q" { (reader.say("Find your bank, provider or office", "Trouver votre banque, fournisseur ou administration")) }
            div .row {
                input #q name="q" type="search" value=(words) maxlength="60" autocomplete="off";
                button .secondary type="submit" { (reader.say("Search", "Chercher")) }
            }
        }
    }
}

fn list(visitor: &Visitor, found: &[&Offer]) -> Markup {
    let reader = &visitor.reader;
    let wanted = visitor.session.request().looked_at();
    let more = found.len().saturating_sub(SHOWN_MAX);
    html! {
        form method="post" action=(visitor.at("/source")) {
            ul .choices {
                @for (at, offer) in found.iter().take(SHOWN_MAX).enumerate() {
                    li {
                        button .choice type="submit" name="source" value={ (offer.connector) "/" (offer.source) }
                            disabled[offer.maintenance_since.is_some()]
                            aria-describedby={ "reads-" (at) } {
                            span .name { (offer.name) }
                            span .kind { (words::kind(reader, offer.kind)) " · " (offer.country) }
                        }
                        div .reads #{ "reads-" (at) } { (reads(reader, offer, &wanted)) }
                    }
                }
            }
        }
        @if more > 0 { p .note { "+ " (more) " " (reader.say("more: use the search", "autres : utilisez la recherche")) } }
    }
}

fn reads(reader: &Reader, offer: &Offer, wanted: &BTreeSet<Category>) -> Markup {
    let labels =
        |list: Vec<Category>| list.into_iter().map(|one| words::category(reader, one)).collect::<Vec<_>>().join(", ");
    let lacking: Vec<Category> = wanted.difference(&offer.categories).copied().collect();
    html! {
        p { (reader.say("Would read: ", "Y serait lu : ")) (labels(offer.categories.iter().copied().collect())) }
        @if offer.maintenance_since.is_some() {
            p { strong { (reader.say("In maintenance: it can't be used now.", "En maintenance : inutilisable en ce moment.")) } }
        }
        @if !lacking.is_empty() {
            p .lacks { (reader.say("Does not have: ", "N'y figure pas : ")) (labels(lacking)) }
        }
    }
}
