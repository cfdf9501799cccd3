//! After a report was given, a question of its own: whether the person lends their login for live re-tests. It is sealed in the browser to
//! the maintenance key. And what they see of it as long as its record is there.

use axum::response::{IntoResponse, Redirect, Response};
use consentry_contract::failure::Code;
use maud::{Markup, html};

use super::form::Sealed;
use super::key::Wanted;
use super::visitor::{Reader, Visitor};
use super::{acts, login, trouble, words};
use crate::engine::Visit;
use crate::maintenance::lent::{Opening, Seen, Why, until};

/// Offers to lend the login, or shows the one that was lent; nothing where no report was given.
pub(super) async fn section(visitor: &Visitor) -> Markup {
    let reader = &visitor.reader;
    let Some(offer) = visitor.engine.offered(&visitor.session).filter(|offer| offer.given.is_some()) else {
        return Markup::default();
    };
    let lent = visitor.engine.lent(&visitor.session).await.ok().flatten();
    if let Some(seen) = lent.filter(|seen| seen.kept) {
        return html! {
            section {
                h2 { (title(reader)) }
                (facts(reader, &seen))
                form .actions method="post" action=(visitor.at("/report/login/end")) { (take_it_back(reader)) }
            }
        };
    }
    let keys = visitor.engine.maintenance_keys().await.unwrap_or_default();
    let key = keys.first().map(|key| key.to_jwk().to_string());
    let (Some(key), Some((source, fields))) = (key, login::fields(visitor)) else { return Markup::default() };
    html! {
        section {
            h2 { (reader.say("Lend your login for the repair?", "Prêter vos identifiants pour la réparation ?")) }
            p { (asked(reader, &source, &words::day(reader, until(offer.at)))) }
            p { (reader.say(
                "This is a consent of its own, and not lending it costs you nothing. You see each time that it was used and take it back at any moment: here, or under My data and rights, with your receipt. One-time codes are never a part of it.",
                "C'est un consentement à part ; ne pas les prêter ne vous coûte rien. Vous voyez chaque utilisation et pouvez les reprendre à tout moment : ici, ou sous Mes données et mes droits, avec votre reçu. Les codes à usage unique n'en font jamais partie.",
            )) }
            (login::no_script(visitor))
            form method="post" action=(visitor.at("/report/login")) data-seal=(key) data-session=(visitor.session.id())
                data-done=(visitor.at("")) autocomplete="off" novalidate {
                (login::errors(reader))
                @for field in &fields { (login::input(reader, field)) }
                (login::seal(reader, reader.say("Lend my login", "Prêter mes identifiants")))
            }
        }
    }
}

fn asked(reader: &Reader, source: &str, day: &str) -> String {
    match reader.say("en", "fr") {
        "en" => format!(
            "To see whether it works again, somebody has to sign in to {source} once more. For that alone you can lend your login: until it is \
             repaired, and until {day} at the latest, 120 days after the failure. It is encrypted here, on your device, and kept like that; \
             nobody can look at it. Each time it is opened for one sign-in, and what is read is thrown away at once."
        ),
        _ => format!(
            "Pour voir si cela fonctionne à nouveau, il faut se connecter encore une fois à {source}. Vous pouvez prêter vos identifiants pour cela \
             seulement : jusqu'à la réparation, et jusqu'au {day} au plus tard, 120 jours après l'échec. Ils sont chiffrés ici, sur votre \
             appareil, et conservés ainsi ; personne ne peut les voir. Chaque fois, ils sont ouverts pour une seule connexion, et ce qui est lu \
             est jeté aussitôt."
        ),
    }
}

fn title(reader: &Reader) -> &'static str {
    reader.language.pick("The login that you lent", "Les identifiants que vous avez prêtés")
}

fn take_it_back(reader: &Reader) -> Markup {
    html! { button .secondary type="submit" { (reader.say("Take the login back", "Reprendre les identifiants")) } }
}

/// What was lent under the consent of a receipt; nothing where nothing was.
pub(super) fn of_receipt(reader: &Reader, seen: Option<&Seen>, receipt: &str, key: Option<&Wanted>) -> Markup {
    let Some(seen) = seen else { return Markup::default() };
    html! {
        section {
            h2 { (title(reader)) }
            (facts(reader, seen))
            @if seen.kept {
                form method="post" action={ (reader.place.base) "/my-data/take-back" } {
                    input type="hidden" name="receipt" value=(receipt);
                    @if let Some(key) = key { (key.fields(reader, "take-back")) }
                    div .actions { (take_it_back(reader)) }
                }
            }
        }
    }
}

/// That it was taken back, with the receipt of that.
pub(super) fn taken_back(reader: &Reader, erasure: &str) -> Markup {
    html! {
        p { strong { (reader.say("The login that you lent is erased.", "Les identifiants que vous aviez prêtés sont effacés.")) } }
        details {
            summary { (reader.say("The signed receipt of the erasure", "Le reçu signé de l'effacement")) }
            pre tabindex="0" { (erasure) }
        }
    }
}

/// Until when, what was done with it, how it ended.
fn facts(reader: &Reader, seen: &Seen) -> Markup {
    html! {
        dl .facts {
            div { dt { (reader.say("For", "Pour")) } dd { (seen.source) } }
            div { dt { (reader.say("Lent", "Prêtés le")) } dd { (words::moment(reader, seen.agreed_at)) } }
            div {
                dt { (reader.say("Kept", "Conservés")) }
                dd {
                    @if seen.kept {
                        (reader.say("until it is repaired, at the latest until ", "jusqu'à la réparation, au plus tard jusqu'au "))
                        (words::day(reader, seen.until))
                    } @else { (reader.say("no more: ", "plus maintenant : ")) (why_not(reader, seen)) }
                }
            }
        }
        @if seen.openings.is_empty() { p { (reader.say("It was not used yet.", "Ils n'ont pas encore été utilisés.")) } }
        @else {
            p { (reader.say("Each time that it was used:", "Chaque utilisation :")) }
            ol .ledger { @for opening in &seen.openings { li { (opened(reader, opening)) } } }
        }
    }
}

fn why_not(reader: &Reader, seen: &Seen) -> String {
    let Some(ended) = seen.ended else {
        return reader.say("the 120 days are over", "les 120 jours sont passés").to_owned();
    };
    let (en, fr) = match ended.why {
        Why::Withdrawn => ("you took it back", "vous les avez repris"),
        Why::Fixed => ("it is repaired", "c'est réparé"),
        Why::Unusable => ("it is not accepted any more", "ils ne sont plus acceptés"),
        Why::Erased => ("everything was erased", "tout a été effacé"),
    };
    format!("{} ({})", reader.say(en, fr), words::moment(reader, ended.at))
}

fn opened(reader: &Reader, opening: &Opening) -> Markup {
    let outcome = match opening.outcome.as_deref() {
        None => reader.say("no outcome is known", "issue inconnue"),
        Some("complete") => reader.say("it works again", "cela fonctionne à nouveau"),
        Some("partial") => reader.say("it works in part", "cela fonctionne en partie"),
        Some(code) => code.parse::<Code>().map_or("", |code| reader.text(&code.row().what)),
    };
    html! { (words::moment(reader, opening.at)) ": " span data-outcome=[opening.outcome.as_deref()] { (outcome) } }
}

/// The sealed login that the person lends.
pub(super) async fn lend(visitor: Visitor, visit: Visit, Sealed(jwe): Sealed) -> Response {
    let language = visit.navigation.language;
    acts::status(visitor.engine.lend_login(&visitor.session, &jwe, language).await.map(drop))
}

/// Takes it back.
pub(super) async fn take_back(visitor: Visitor) -> Response {
    match visitor.engine.take_back_in_session(&visitor.session).await {
        Ok(_) => Redirect::to(&visitor.at("")).into_response(),
        Err(error) => trouble::engine(&visitor, error),
    }
}
