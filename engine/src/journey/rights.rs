//! Requests under a person's rights, in words: what can be asked, what was asked, and where it stands.

use maud::{Markup, html};
use serde_json::Value;

use super::form::Form;
use super::key::Wanted;
use super::visitor::Reader;
use super::words;
use crate::rights::{Ask, Ground, Right, TEXT_BYTES_MAX};

fn name(reader: &Reader, right: Right) -> &'static str {
    let (en, fr) = match right {
        Right::Access => ("A copy of everything that is kept", "Une copie de tout ce qui est conservé"),
        Right::Rectification => ("Put something right", "Rectifier quelque chose"),
        Right::Erasure => ("Erase what can be erased", "Effacer ce qui peut l'être"),
        Right::Restriction => ("Do nothing with it for now", "Ne rien en faire pour l'instant"),
        Right::Portability => ("A copy that machines can read", "Une copie lisible par des machines"),
        Right::Objection => ("I object", "Je m'oppose"),
        Right::Withdrawal => ("Take my consent back", "Retirer mon consentement"),
        Right::PostMortem => ("What shall happen after my death", "Ce qui doit se passer après ma mort"),
    };
    reader.language.pick(en, fr)
}

fn ground(reader: &Reader, ground: Ground) -> (&'static str, &'static str) {
    let (word, en, fr) = match ground {
        Ground::AccuracyDisputed => ("accuracy-disputed", "I dispute that it is right", "J'en conteste l'exactitude"),
        Ground::Unlawful => {
            ("unlawful", "It is unlawful, and I want no erasure", "C'est illicite et je ne veux pas d'effacement")
        }
        Ground::Claims => ("claims", "I need it for a claim", "J'en ai besoin pour faire valoir un droit"),
        Ground::ObjectionPending => {
            ("objection-pending", "My objection is being decided", "Mon opposition est en cours d'examen")
        }
    };
    (word, reader.language.pick(en, fr))
}

const GROUNDS: [Ground; 4] = [Ground::AccuracyDisputed, Ground::Unlawful, Ground::Claims, Ground::ObjectionPending];

/// What the form asks for; none if it names no right.
pub(super) fn read(form: &Form) -> Option<Ask> {
    let right = form.get("right").and_then(|given| Right::ALL.into_iter().find(|right| right.name() == given))?;
    let text = form.get("statement").unwrap_or_default().trim();
    let chosen = form.get("ground").unwrap_or_default();
    let ground: Option<Ground> = serde_json::from_value(chosen.into()).ok();
    Some(Ask {
        right,
        // One form for all rights: what belongs to another one is not sent on.
        ground: ground.filter(|_| right == Right::Restriction),
        statement: (!text.is_empty()).then(|| text.to_owned()),
        transmit_to: None,
    })
}

/// The requests so far, and the form for another one.
pub(super) fn section(reader: &Reader, requests: &Value, receipt: &str, key: Option<&Wanted>) -> Markup {
    let known = requests["requests"].as_array().cloned().unwrap_or_default();
    html! {
        section {
            h2 { (reader.say("Your requests", "Vos demandes")) }
            @if known.is_empty() { p { (reader.say("There are none yet.", "Il n'y en a pas encore.")) } }
            @for request in &known { (one(reader, request)) }
        }
        section {
            h2 { (reader.say("Use a right", "Exercer un droit")) }
            p { (reader.say(
                "What is to be done here is done at once; what is the service's to do has a date by which it must answer.",
                "Ce qui est à faire ici est fait tout de suite ; ce qui revient au service a une date limite de réponse.",
            )) }
            (form(reader, receipt, key))
        }
    }
}

fn form(reader: &Reader, receipt: &str, key: Option<&Wanted>) -> Markup {
    html! {
        form method="post" action={ (reader.place.base) "/my-data/ask" } {
            input type="hidden" name="receipt" value=(receipt);
            fieldset {
                legend { (reader.say("What do you want?", "Que souhaitez-vous ?")) }
                @for right in Right::ALL {
                    div .check {
                        input id={ "r-" (right.name()) } type="radio" name="right" value=(right.name()) required;
                        label for={ "r-" (right.name()) } { (name(reader, right)) }
                    }
                }
            }
            div .field {
                label for="ground" { (reader.say("For a restriction: why", "Pour une limitation : le motif")) }
                select #ground name="ground" {
                    option value="" { (reader.say("None", "Aucun")) }
                    @for each in GROUNDS { @let (word, text) = ground(reader, each); option value=(word) { (text) } }
                }
            }
            div .field {
                label for="statement" { (reader.say("In your words", "Avec vos mots")) }
                p .hint #statement-hint { (reader.say(
                    "For a rectification: what is wrong, and how it is right. For a directive: what shall be done.",
                    "Pour une rectification : ce qui est faux et ce qui est juste. Pour une directive : ce qui doit être fait.",
                )) }
                textarea #statement name="statement" rows="4" maxlength=(TEXT_BYTES_MAX / 4) aria-describedby="statement-hint" {}
            }
            @if let Some(key) = key { (key.fields(reader, "ask")) }
            div .actions { button type="submit" { (reader.say("Send the request", "Envoyer la demande")) } }
        }
    }
}

fn right_of(request: &Value) -> Option<Right> {
    Right::ALL.into_iter().find(|right| request["right"] == right.name())
}

fn moment(reader: &Reader, value: &Value) -> Option<String> {
    value.as_str()?.parse().ok().map(|at| words::day(reader, at))
}

fn one(reader: &Reader, request: &Value) -> Markup {
    let service = &request["online_service"];
    html! {
        dl .facts {
            div { dt { (right_of(request).map_or("", |right| name(reader, right))) } dd .code { (request["request"].as_str().unwrap_or_default()) } }
            @if let Some(at) = moment(reader, &request["received_at"]) { div { dt { (reader.say("Received", "Reçue")) } dd { (at) } } }
            div { dt { (reader.say("Here", "Ici")) } dd {
                @if request["closed_at"].is_null() { (reader.say("open", "en cours")) } @else { (reader.say("done", "traitée")) }
            } }
            @if let (true, Some(by)) = (request["closed_at"].is_null(), moment(reader, &request["expected_by"])) {
                div { dt { (reader.say("Answer by", "Réponse au plus tard le")) } dd { (by) } }
            }
            @if !service.is_null() {
                div { dt { (reader.say("The service", "Le service")) } dd {
                    @if !service["answer"].is_null() { (reader.say("has answered", "a répondu")) }
                    @else if service["silent"] == true { (reader.say("has not answered in time", "n'a pas répondu à temps")) }
                    @else if let Some(by) = moment(reader, &service["answer_by"]) { (reader.say("has to answer by ", "doit répondre avant le ")) (by) }
                } }
            }
        }
    }
}

/// What a request led to at once.
pub(super) fn done(reader: &Reader, told: &Value) -> Markup {
    let copy = serde_json::to_string_pretty(&told["result"]).unwrap_or_default();
    html! {
        h2 {
            @if told["duplicate"] == true { (reader.say("You had asked this already", "Vous l'aviez déjà demandé")) }
            @else { (reader.say("Your request is taken", "Votre demande est enregistrée")) }
        }
        @if !told["result"].is_null() {
            details { summary { (reader.say("What was done, or your copy", "Ce qui a été fait, ou votre copie")) } pre tabindex="0" { (copy) } }
        }
    }
}
