//! The fourth screen: the collection, step by step, and what the Data Source asks meanwhile.

use std::convert::Infallible;

use axum::extract::Query;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::Stream;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::Step;
use super::login::{errors, seal};
use super::told::Told;
use super::visitor::{MISSING, Reader, Visitor};
use super::words;
use crate::api::problem::Problem;
use crate::session::Place;
use crate::session::events::{AnswerField, Question, Subscription};

pub(super) async fn page(visitor: &Visitor) -> Response {
    let reader = &visitor.reader;
    let told = Told::of(&visitor.session);
    let source = visitor.session.notice().map(|notice| notice.facts().source.name.clone()).unwrap_or_default();
    let title = match (&told.question, reader.say("en", "fr")) {
        (Some(_), "en") => format!("{source} wants to hear from you"),
        (Some(_), _) => format!("{source} attend une action de votre part"),
        (None, "en") => format!("Reading from {source}"),
        (None, _) => format!("Lecture chez {source}"),
    };
    let key = match (&told.question, visitor.engine.intake_keys().await) {
        (Some(_), Ok(keys)) => keys.first().map(|key| key.to_jwk().to_string()),
        _ => None,
    };
    reader.frame(&title).of(visitor, Step::Collection).page(html! {
        h1 { (title) }
        @match (&told.question, &key) {
            (Some(question), Some(key)) => (asked(visitor, question, key)),
            _ => p .lead { (reader.say(
                "This takes a few seconds, sometimes a minute. You can leave the page open; what is found is shown to you first.",
                "Cela prend quelques secondes, parfois une minute. Vous pouvez laisser la page ouverte ; ce qui est trouvé vous est d'abord montré.",
            )) },
        }
        div #events data-events=(visitor.at("/events")) data-seen=(told.seen) {
            (progress(visitor, &told))
            p .note data-lost="" hidden {
                (reader.say("The connection is gone. ", "La connexion est coupée. "))
                a href=(visitor.at("")) { (reader.say("Reload the page", "Recharger la page")) }
            }
        }
        noscript { p { a .button href=(visitor.at("")) { (reader.say("Look how far it is", "Voir où cela en est")) } } }
    })
}

/// The steps that the manifest names, as far as they are.
fn progress(visitor: &Visitor, told: &Told) -> Markup {
    let reader = &visitor.reader;
    let catalogue = visitor.engine.catalogue();
    let connector = visitor.session.choice().and_then(|choice| catalogue.version(&choice.connector, &choice.digest));
    let declared =
        connector.map(|one| one.package.manifest().steps().iter().map(|step| step.as_str()).collect::<Vec<_>>());
    let at = told.steps.last();
    html! {
        ol .progress {
            @for step in declared.unwrap_or_default() {
                @let (done, current) = (told.steps.iter().any(|known| known == step), at.is_some_and(|at| at == step));
                li data-step=(step) .done[done && !current] .current[current] aria-current=[current.then_some("step")] {
                    (words::doing(reader, step))
                }
            }
        }
        p .status role="status" {
            span data-count="" { @if let Some((done, total)) = told.count { (done) " / " (total) } }
            span data-waiting=(reader.say("Waiting for a turn; before you: ", "En attente ; avant vous : ")) {
                @if let Some(ahead) = told.ahead { (reader.say("Waiting for a turn; before you: ", "En attente ; avant vous : ")) (ahead) }
            }
        }
    }
}

fn detail<'q>(question: &'q Question, name: &str) -> Option<&'q str> {
    question.details.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A question, by its kind.
fn asked(visitor: &Visitor, question: &Question, key: &str) -> Markup {
    let reader = &visitor.reader;
    let left = question.until.duration_since(visitor.engine.now()).as_secs().max(0);
    html! {
        p .lead { (lead(reader, question)) }
        @if question.image.is_some() {
            p { img .captcha src={ (visitor.at("/image")) "?question=" (question.question) }
                alt=(reader.say("Characters to copy. If you can't read them, refuse below and start again for another image.", "Caractères à recopier. S'ils sont illisibles, refusez ci-dessous et recommencez pour une autre image.")); }
        }
        @if let (true, Some(url)) = (question.kind == "redirect", detail(question, "url")) {
            p { a .button href=(url) target="_blank" rel="noopener noreferrer external" {
                (reader.say("Go to their site (a new tab)", "Aller sur leur site (nouvel onglet)"))
            } }
        } @else if !question.fields.is_empty() {
            form method="post" action=(visitor.at("/answer")) data-seal=(key) data-session=(visitor.session.id())
                data-question=(question.question) data-done=(visitor.at("")) autocomplete="off" novalidate {
                (errors(reader))
                @for field in &question.fields { (input(reader, question, field)) }
                (seal(reader, reader.say("Send", "Envoyer")))
            }
        }
        p .hint {
            (reader.say("It can be answered for: ", "Réponse possible pendant : "))
            span data-left=(left) { (left.div_euclid(60)) " min" }
        }
        form method="post" action=(visitor.at("/deny")) {
            input type="hidden" name="question" value=(question.question);
            button .secondary type="submit" { (reader.say("Refuse, or I can't", "Refuser, ou je ne peux pas")) }
        }
    }
}

fn lead(reader: &Reader, question: &Question) -> String {
    let text = match question.kind.as_str() {
        "otp" => reader.say(
            "They have sent you a code. Enter it here; it goes to them alone.",
            "Un code vous a été envoyé. Saisissez-le ici ; il ne va qu'à eux.",
        ),
        "approve" => reader.say(
            "Confirm the sign-in in their app, then come back here. This page goes on by itself.",
            "Confirmez la connexion dans leur application, puis revenez ici. Cette page continue d'elle-même.",
        ),
        "choose" => reader.say("They ask you to choose.", "Un choix vous est demandé."),
        "captcha" => reader.say("Copy the characters of the image.", "Recopiez les caractères de l'image."),
        "redirect" => reader.say(
            "They want you to confirm on their own site. This page goes on by itself afterwards.",
            "Une confirmation est demandée sur leur propre site. Cette page continue ensuite d'elle-même.",
        ),
        _ => reader.say("They ask for more.", "Une information de plus est demandée."),
    };
    let by = match detail(question, "medium") {
        Some("sms") => reader.say(" By text message", " Par SMS"),
        Some("email") => reader.say(" By e-mail", " Par courriel"),
        Some("call") => reader.say(" By telephone call", " Par appel téléphonique"),
        Some("app") => reader.say(" In their app", " Dans leur application"),
        _ => "",
    };
    match (by, detail(question, "target")) {
        ("", None) => text.to_owned(),
        (by, None) => format!("{text}{by}."),
        (by, Some(target)) => format!("{text}{by} ({target})."),
    }
}

fn input(reader: &Reader, question: &Question, field: &AnswerField) -> Markup {
    let (id, label) = (format!("a-{}", field.name), reader.localised(&field.label));
    let options = || question.details.iter().filter_map(|(name, text)| Some((name.strip_prefix("option:")?, text)));
    if question.kind == "choose" && options().next().is_some() {
        return html! {
            fieldset data-name=(field.name) data-label=(label) {
                legend { (label) }
                @for (at, (value, text)) in options().enumerate() {
                    div .check {
                        // Radios of one group need a name; what they hold is what the Data Source offered, no secret.
                        input id={ (id) "-" (at) } type="radio" name="option" value=(value) data-option=(field.name);
                        label for={ (id) "-" (at) } { (text) }
                    }
                }
            }
        };
    }
    html! {
        div .field {
            label for=(id) { (label) }
            input id=(id) data-name=(field.name) data-label=(label) type="text" required autocomplete="one-time-code"
                autocapitalize="none" spellcheck="false" maxlength="1000" aria-describedby="sealed"
                inputmode=[(question.kind == "otp").then_some("numeric")];
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Image {
    question: String,
}

/// The image that belongs to the open question.
pub(super) async fn image(visitor: Visitor, Query(asked): Query<Image>) -> Response {
    let open = Told::of(&visitor.session).question.filter(|open| open.question.to_string() == asked.question);
    let shown = open.and_then(|open| {
        let (media, bytes) = open.image.as_deref()?.strip_prefix("data:")?.split_once(";base64,")?;
        Some(([(CONTENT_TYPE, media.to_owned())], STANDARD.decode(bytes).ok()?))
    });
    shown.map_or_else(|| MISSING.into_response(), IntoResponse::into_response)
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    seen: u64,
}

/// What happens from here on, for the script: that something happened, not what the page shows of it.
pub(super) async fn events(
    visitor: Visitor,
    Query(after): Query<After>,
    headers: axum::http::HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let following = (visitor.session.subscribe(last.unwrap_or(after.seen)), visitor.engine.follow(&visitor.session)?);
    Ok(Sse::new(futures_util::stream::unfold(following, next_event)).keep_alive(KeepAlive::default()))
}

async fn next_event(
    (mut events, place): (Subscription, Place),
) -> Option<(Result<Event, Infallible>, (Subscription, Place))> {
    use crate::session::events::What;
    let event = events.next().await?;
    let sent = Event::default().id(event.seq.to_string());
    let sent = match event.what {
        // The page is written anew; a question stands in it, not here.
        What::State { .. } | What::Question { .. } | What::QuestionClosed { .. } => sent.event("page").data("-"),
        What::Receipt { .. } | What::ReportOffered { .. } => sent.event("page").data("-"),
        What::Progress { step } => sent.event("step").data(step),
        What::Count { done, total } => sent.event("count").data(format!("{done} / {total}")),
        What::Waiting { ahead } => sent.event("waiting").data(ahead.to_string()),
    };
    Some((Ok(sent), (events, place)))
}
