//! The desk of the data protection officer: requests under persons' rights with their clocks, what went on to whom, disclosures to
//! authorities. It shows what persons wrote, so nobody without that role reaches it, and each look is in the audit log.

use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::page::{Page, instant, span};
use super::{Answer, Sent, Signed, shown, to};
use crate::api::Shared;
use crate::engine::EngineError;
use crate::id::RightsRequestId;
use crate::operator::Deed;
use crate::rights::RightsRequest;
use crate::rights::disclosure::{Disclosure, LookUp};

pub(super) async fn page(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::RightsLook, None).await?;
    let mut requests = engine.rights_requests().await?;
    requests.sort_by_key(|request| (request.closed_at, request.expected_by));
    let (disclosures, look_ups) = (engine.disclosures().await?, engine.look_ups().await?);
    let now = engine.now();
    let page = Page::new("Desk", &signed.csrf());
    let csrf = page.csrf().to_owned();
    let open: Vec<&RightsRequest> = requests.iter().filter(|request| request.closed_at.is_none()).collect();
    let page = page
        .desk(html! {
            dl.facts {
                div { dt { "Open" } dd { (open.len()) } }
                div { dt { "Late" } dd { @let late = open.iter().filter(|each| each.is_late(now)).count(); span class=(if late == 0 { "good" } else { "bad" }) { (late) } } }
                div { dt { "Closed" } dd { (requests.len() - open.len()) } }
            }
        })
        .heading("Open requests")
        .desk(html! {
            @if open.is_empty() { p { "None." } }
            @for request in &open { (card(request, &csrf, now)) }
        })
        .heading("All requests")
        .desk(all(&requests, now))
        .heading("Disclosures to authorities")
        .desk(disclosed(&disclosures, &csrf))
        .heading("Look-ups of traces")
        .desk(looked(&look_ups));
    Ok(shown(page.show(&signed.operator)))
}

/// The word of a variant.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// How long there is until an instant, or since when it is over.
fn clock(until: Timestamp, now: Timestamp) -> Markup {
    let left = until.duration_since(now);
    html! {
        (instant(until)) " "
        @if left.is_negative() { span.bad { "(" (span(left)) " late)" } }
        @else if left.as_hours() < 7 * 24 { span.warn { "(in " (span(left)) ")" } }
        @else { span.good { "(in " (span(left)) ")" } }
    }
}

fn card(request: &RightsRequest, csrf: &str, now: Timestamp) -> Markup {
    html! {
        section.sheet aria-label=(format!("{} {}", request.ask.right.name(), request.id)) {
            h3 { (request.ask.right.name()) ", " (request.ask.right.law()) " · " code { (request.id) } }
            dl.facts {
                div { dt { "State" } dd { (word(&request.state)) } }
                div { dt { "Received" } dd { (instant(request.received_at)) } }
                div { dt { "Answer by" } dd { (clock(request.expected_by, now)) } }
                div { dt { "Online Service" } dd { code { (request.online_service) } } }
                @if let Some(forwarded) = &request.forwarded {
                    div { dt { "It answers by" } dd { (clock(forwarded.answer_by, now)) } }
                    div { dt { "It fetched" } dd { @match forwarded.fetched_at { Some(at) => { (instant(at)) } None => { span.warn { "not yet" } } } } }
                }
            }
            @if let Some(ground) = &request.ask.ground { p { "Ground: " (word(ground)) } }
            @if let Some(words) = &request.ask.statement { p { "In the person's words:" } p.words { (words) } }
            @if let Some(why) = &request.extended { p { "Extended: " (why) } }
            div.pair {
                @if request.extended.is_none() { (decision("/console/desk/extend", "Take longer", request, csrf)) }
                (decision("/console/desk/refuse", "Close with a refusal", request, csrf))
            }
        }
    }
}

fn decision(to: &'static str, label: &'static str, request: &RightsRequest, csrf: &str) -> Markup {
    let field = format!("{}-{}", to.rsplit('/').next().unwrap_or_default(), request.id);
    html! {
        form method="post" action=(to) {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="request" value=(request.id);
            label for=(field) { "Why, in words for the person" }
            textarea id=(field) name="why" rows="2" required maxlength="2000" {}
            button type="submit" { (label) }
        }
    }
}

fn all(requests: &[RightsRequest], now: Timestamp) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="All requests" {
            table {
                caption { "All requests, with their clocks" }
                thead { tr {
                    @for name in ["request", "right", "state", "received", "answer by", "closed", "reasons", "passed on"] { th scope="col" { (name) } }
                } }
                tbody {
                    @if requests.is_empty() { tr { td.none colspan="8" { "none" } } }
                    @for request in requests { tr {
                        td { code { (request.id) } }
                        td { (request.ask.right.name()) }
                        td { (word(&request.state)) }
                        td.fixed { (instant(request.received_at)) }
                        td.fixed { @if request.closed_at.is_some() { (instant(request.expected_by)) } @else { (clock(request.expected_by, now)) } }
                        td.fixed { @match request.closed_at { Some(at) => { (instant(at)) } None => { span.none { "–" } } } }
                        td { (request.reasons.iter().map(word).collect::<Vec<_>>().join(" ")) @if let Some(why) = &request.decision { " " (why) } }
                        td { @match &request.forwarded {
                            None => { span.none { "–" } }
                            Some(forwarded) if forwarded.answer.is_some() => { span.good { "answered" } }
                            Some(_) if request.is_silent(now) => { span.bad { "silent" } }
                            Some(forwarded) => { "until " (instant(forwarded.answer_by)) }
                        } }
                    } }
                }
            }
        }
    }
}

fn disclosed(disclosures: &[Disclosure], csrf: &str) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Disclosures" {
            table {
                caption { "Disclosures: on what basis, which elements, what was answered" }
                thead { tr { @for name in ["when", "authority", "basis", "elements", "answer"] { th scope="col" { (name) } } } }
                tbody {
                    @if disclosures.is_empty() { tr { td.none colspan="5" { "none" } } }
                    @for each in disclosures { tr {
                        td.fixed { (instant(each.made_at)) }
                        td { (each.authority) }
                        td { (each.basis) }
                        td { (each.elements.join(", ")) }
                        td { (each.answer) }
                    } }
                }
            }
        }
        form.sheet method="post" action="/console/desk/disclosure" {
            h3 { "Note a disclosure" }
            input type="hidden" name="csrf" value=(csrf);
            div.pair {
                div { label for="authority" { "Authority" } input id="authority" name="authority" required maxlength="200"; }
                div { label for="basis" { "The law and the order it rests on" } input id="basis" name="basis" required maxlength="500"; }
                div { label for="elements" { "Kinds of data, separated by commas; no values" } input id="elements" name="elements" required maxlength="500"; }
                div { label for="answer" { "What was given, or why not" } input id="answer" name="answer" required maxlength="500"; }
            }
            button type="submit" { "Note it" }
        }
    }
}

fn looked(look_ups: &[LookUp]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Look-ups" {
            table {
                caption { "Who looked for whose traces, and why" }
                thead { tr { @for name in ["when", "who", "what", "why", "found"] { th scope="col" { (name) } } } }
                tbody {
                    @if look_ups.is_empty() { tr { td.none colspan="5" { "none" } } }
                    @for each in look_ups { tr {
                        td.fixed { (instant(each.at)) } td { (each.by) } td { (each.what) } td { (each.why) } td.figure { (each.found) }
                    } }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Decided {
    request: String,
    why: String,
}

impl Decided {
    fn request(&self) -> Result<RightsRequestId, EngineError> {
        self.request.parse().map_err(|_| EngineError::NotFound)
    }
}

pub(super) async fn extend(State(engine): State<Shared>, Sent(signed, sent): Sent<Decided>) -> Answer {
    let request = sent.request()?;
    engine.note(&signed.operator, Deed::RightExtend, Some(crate::operator::audit::About::of(request))).await?;
    engine.extend_right(request, sent.why.trim()).await?;
    Ok(to("/console/desk"))
}

pub(super) async fn refuse(State(engine): State<Shared>, Sent(signed, sent): Sent<Decided>) -> Answer {
    let request = sent.request()?;
    engine.note(&signed.operator, Deed::RightRefuse, Some(crate::operator::audit::About::of(request))).await?;
    engine.refuse_right(request, sent.why.trim()).await?;
    Ok(to("/console/desk"))
}

#[derive(Deserialize)]
pub(super) struct Noted {
    authority: String,
    basis: String,
    elements: String,
    answer: String,
}

pub(super) async fn disclosure(State(engine): State<Shared>, Sent(signed, sent): Sent<Noted>) -> Answer {
    engine.note(&signed.operator, Deed::DisclosureNote, None).await?;
    let elements: Vec<String> =
        sent.elements.split(',').map(str::trim).filter(|each| !each.is_empty()).map(str::to_owned).collect();
    if elements.is_empty() || [&sent.authority, &sent.basis, &sent.answer].iter().any(|text| text.trim().is_empty()) {
        return Err(EngineError::Right("authority, basis, elements and answer are all needed".to_owned()).into());
    }
    engine.note_disclosure(sent.authority.trim(), sent.basis.trim(), elements, sent.answer.trim()).await?;
    Ok(to("/console/desk"))
}
