//! The last screen: how it ended, the receipt to keep, the way back to the Online Service; and the way out before that.

use axum::extract::Path;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use consentry_contract::failure::{Blame, Failure};
use maud::{Markup, html};

use super::frame::Step;
use super::told::Told;
use super::visitor::{MISSING, Reader, Visitor};
use super::{lend, trouble, words};
use crate::consent::PassedOn;
use crate::receipt::{Facts, Receipt};
use crate::session::state::State;

pub(super) async fn page(visitor: &Visitor, state: &State) -> Response {
    let reader = &visitor.reader;
    let service = visitor.service();
    let (title, text) = outcome(reader, state, &service);
    let frame = reader.frame(&title);
    let frame = if state.is_end() { frame.ended() } else { frame.of(visitor, Step::Receipt) };
    // A receipt that comes after the end is told, too.
    let told = Told::of(&visitor.session);
    let receipts = visitor.session.receipts();
    let passed_on = visitor.engine.passed_on(&visitor.session).await;
    let lending = lend::section(visitor).await;
    frame.page(html! {
        div .outcome .good[matches!(state, State::Completed | State::Partial | State::Delivering)] {
            h1 { (title) }
            @if !text.is_empty() { p .lead { (text) } }
            (why(reader, state, visitor.session.failure().as_ref()))
            @if let Some(to) = &passed_on { (answers(reader, &service, to)) }
        }
        @if !told.closed { div data-events=(visitor.at("/events")) data-seen=(told.seen) {} }
        @if !receipts.is_empty() { (keep(visitor, &receipts)) }
        (report(visitor))
        (lending)
        (leave(visitor, &service))
    })
}

fn outcome(reader: &Reader, state: &State, service: &str) -> (String, String) {
    let (en, fr) = match state {
        State::Delivering => (
            (
                "Sealed and on its way",
                format!(
                    "Only {service} can open it. The receipt appears here as soon as it has taken it; you need not wait for that."
                ),
            ),
            (
                "Scellé et en route",
                format!(
                    "Seul {service} peut l'ouvrir. Le reçu apparaît ici dès que les données ont été prises ; vous n'êtes pas obligé d'attendre."
                ),
            ),
        ),
        State::Completed => (
            ("Done: your data was shared", format!("{service} has it. Here it has been erased.")),
            (
                "C'est fait : vos données ont été partagées",
                format!("{service} les a reçues. Ici, elles ont été effacées."),
            ),
        ),
        State::Partial => (
            ("Done: a part was shared", format!("{service} has what could be read. Here it has been erased.")),
            (
                "C'est fait : une partie a été partagée",
                format!("{service} a reçu ce qui a pu être lu. Ici, tout a été effacé."),
            ),
        ),
        State::Withdrawn => (
            ("Stopped. Nothing more is sent", "What was here has been erased.".to_owned()),
            ("Arrêté. Plus rien n'est envoyé", "Ce qui se trouvait ici a été effacé.".to_owned()),
        ),
        State::Expired => (
            (
                "The hour is over",
                "Nothing was shared, and what was here has been erased. Go back to start again.".to_owned(),
            ),
            (
                "L'heure est écoulée",
                "Rien n'a été partagé et ce qui se trouvait ici a été effacé. Revenez au service pour recommencer."
                    .to_owned(),
            ),
        ),
        _ => (
            ("It did not work", "Nothing was shared, and what was here has been erased.".to_owned()),
            ("Cela n'a pas abouti", "Rien n'a été partagé et ce qui se trouvait ici a été effacé.".to_owned()),
        ),
    };
    let (title, text) = if reader.say("en", "fr") == "en" { en } else { fr };
    (title.to_owned(), text)
}

/// What the Online Service has to say, where the person took back what it had received.
fn answers(reader: &Reader, service: &str, to: &PassedOn) -> Markup {
    let day = words::day(reader, to.answer_by);
    html! {
        p data-passed-on=(to.request) { @match reader.say("en", "fr") {
            "en" => {
                (service) " had already received something. It has to say by " (day) " what it did with it. Your receipt shows its answer, or its "
                "silence, under " a href={ (reader.place.base) "/my-data" } { "My data and rights" } "."
            }
            _ => {
                (service) " avait déjà reçu quelque chose. Il doit dire avant le " (day) " ce qu'il en a fait. Votre reçu montre sa réponse, ou son "
                "silence, sous " a href={ (reader.place.base) "/my-data" } { "Mes données et mes droits" } "."
            }
        } }
    }
}

/// Why it failed, or why something is missing, and what can be done about it.
fn why(reader: &Reader, state: &State, failure: Option<&Failure>) -> Markup {
    let shown = matches!(state, State::Failed { .. } | State::Partial);
    let Some(failure) = failure.filter(|_| shown) else { return Markup::default() };
    let turn = match failure.blame {
        Blame::Person => "",
        Blame::Source => reader.say("This lies with them, not with you.", "Cela vient de chez eux, pas de vous."),
        Blame::Recipient => {
            reader.say("This lies with the service, not with you.", "Cela vient du service, pas de vous.")
        }
        _ => reader.say("This lies with us, not with you.", "Cela vient de nous, pas de vous."),
    };
    html! {
        div .why data-code=(failure.code) {
            (trouble::failed(reader, failure))
            @if !turn.is_empty() { p { (turn) } }
            @if matches!(state, State::Failed { .. }) {
                p { (reader.say(
                    "This session has ended. To start again, go back to the service that sent you here.",
                    "Cette session est terminée. Pour recommencer, revenez au service qui vous a envoyé ici.",
                )) }
            }
        }
    }
}

fn keep(visitor: &Visitor, receipts: &[(crate::id::ReceiptId, String)]) -> Markup {
    let reader = &visitor.reader;
    html! {
        section .receipt {
            h2 { (reader.say("Your receipt", "Votre reçu")) }
            p { (reader.say(
                "Signed; we keep no copy. With it you can check everything without us, and use your rights at any time. Keep it like a bank statement.",
                "Signé ; nous n'en gardons pas de copie. Il vous permet de tout vérifier sans nous et d'exercer vos droits à tout moment. Conservez-le comme un relevé.",
            )) }
            @for (id, receipt) in receipts.iter().rev() {
                @if let Some(facts) = Receipt::unverified(receipt) { (facts_of(reader, &facts)) }
                p { a .button href={ (visitor.at("/receipt/")) (id) } download={ "consentry-receipt-" (id) ".json" } {
                    (reader.say("Save the receipt", "Enregistrer le reçu"))
                } }
            }
            p .hint {
                (reader.say("It can be saved here until ", "Il peut être enregistré ici jusqu'au "))
                (words::moment(reader, visitor.session.deadline())) "."
            }
        }
    }
}

/// What a receipt says, in words.
pub(super) fn facts_of(reader: &Reader, facts: &Facts) -> Markup {
    let outcome = match facts.outcome.as_str() {
        "delivered" => reader.say("delivered", "remis"),
        "partial" => reader.say("delivered in part", "remis en partie"),
        "withdrawn" => reader.say("withdrawn", "retiré"),
        "expired" => reader.say("its time was over", "délai écoulé"),
        _ => reader.say("nothing delivered", "rien de remis"),
    };
    html! {
        dl .facts {
            div { dt { (reader.say("Receipt", "Reçu")) } dd .code { (facts.receipt) } }
            div { dt { (reader.say("Outcome", "Issue")) } dd { (outcome) } }
            div { dt { (reader.say("From", "De")) } dd { (facts.source.id) } }
            div { dt { (reader.say("Ended", "Terminé")) } dd { (words::moment(reader, facts.ended_at)) } }
            @for counted in &facts.categories {
                div {
                    dt { (words::category_named(reader, &counted.category)) }
                    dd { (counted.shared) (reader.say(" shared of ", " partagé(s) sur ")) (counted.collected) }
                }
            }
            div { dt { (reader.say("Erased here", "Effacé ici")) } dd { (words::moment(reader, facts.erased.at)) } }
        }
    }
}

/// A report of the failure, for the person to give or not.
fn report(visitor: &Visitor) -> Markup {
    let reader = &visitor.reader;
    let Some(offer) = visitor.engine.offered(&visitor.session) else { return Markup::default() };
    let text = serde_json::to_string_pretty(&*offer.report).unwrap_or_default();
    html! {
        section {
            h2 { (reader.say("Help to repair it?", "Aider à réparer ?")) }
            p { (reader.say(
                "You can give a report of what broke. It holds nothing about you: every word and number is replaced. Here it is, whole. Not giving it costs you nothing.",
                "Vous pouvez donner un rapport de ce qui n'a pas marché. Il ne contient rien sur vous : mots et nombres sont remplacés. Le voici, en entier. Ne pas le donner ne vous coûte rien.",
            )) }
            details { summary { (reader.say("Look at the report", "Voir le rapport")) } pre tabindex="0" { (text) } }
            form .actions method="post" action=(visitor.at("/report")) {
                @if offer.given.is_some() {
                    p role="status" { (reader.say("Given. Thank you.", "Donné. Merci.")) }
                } @else {
                    button .secondary type="submit" name="give" value="yes" { (reader.say("Give the report", "Donner le rapport")) }
                }
                button .secondary type="submit" name="give" value="no" {
                    @if offer.given.is_some() { (reader.say("Take it back", "Le reprendre")) } @else { (reader.say("Do not give it", "Ne pas le donner")) }
                }
            }
        }
    }
}

fn leave(visitor: &Visitor, service: &str) -> Markup {
    let reader = &visitor.reader;
    if visitor.session.request().callback().is_none() {
        return html! { p { (reader.say("You can close this page.", "Vous pouvez fermer cette page.")) } };
    }
    html! {
        p .leave { a .button .secondary href=(visitor.at("/leave")) {
            (reader.say("Back to ", "Retour à ")) (service)
        } }
    }
}

/// Asks once more before everything is stopped.
pub(super) async fn stop(visitor: Visitor) -> Response {
    let reader = &visitor.reader;
    if visitor.session.state().is_end() {
        return Redirect::to(&visitor.at("")).into_response();
    }
    let title = reader.say("Stop and share nothing?", "Arrêter et ne rien partager ?");
    reader.frame(title).page(html! {
        h1 { (title) }
        p .lead { (reader.say(
            "What runs is stopped, what is here is erased, and your agreement is taken back. What the service has already taken, we can't take back from it; it is told.",
            "Ce qui tourne est arrêté, ce qui se trouve ici est effacé et votre accord est retiré. Ce que le service a déjà pris, nous ne pouvons le lui reprendre ; il en est averti.",
        )) }
        form .actions method="post" action=(visitor.at("/stop")) {
            button type="submit" { (reader.say("Yes, stop and erase", "Oui, arrêter et effacer")) }
            a .button .secondary href=(visitor.at("")) { (reader.say("Go on", "Continuer")) }
        }
    })
}

/// The receipt as a file.
pub(super) async fn receipt(visitor: Visitor, Path((_, id)): Path<(String, String)>) -> Response {
    // Now, not within a second: so it has its proofs however soon it is asked for.
    visitor.engine.write_log().await;
    let files = match visitor.engine.receipt_files(&visitor.session).await {
        Ok(files) => files,
        Err(error) => return trouble::engine(&visitor, error),
    };
    let Some((id, file)) = files.into_iter().find(|(known, _)| known.to_string() == id) else {
        return MISSING.into_response();
    };
    let name = format!("attachment; filename=\"consentry-receipt-{id}.json\"");
    let media = "application/json".to_owned();
    ([(CONTENT_TYPE, media), (CONTENT_DISPOSITION, name)], file.to_text()).into_response()
}

/// Back to the Online Service, with how it went and no data.
pub(super) async fn leave_for(visitor: Visitor) -> Response {
    let request = visitor.session.request();
    let Some(callback) = request.callback() else { return Redirect::to(&visitor.at("")).into_response() };
    let mut to = callback.clone();
    to.query_pairs_mut()
        .append_pair("session", &visitor.session.id().to_string())
        .append_pair("outcome", visitor.session.state().name())
        .extend_pairs(request.reference().map(|reference| ("reference", reference)));
    Redirect::to(to.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use consentry_contract::failure::Code;

    use super::*;
    use crate::consent::notice::Language;

    /// Most codes are provoked in a browser (`tests/journey/failures.mjs`); these are all of them.
    #[test]
    fn every_failure_is_told_in_both_languages_with_what_to_do_next() {
        for code in Code::ALL {
            for language in [Language::En, Language::Fr] {
                let reader = Reader::for_tests(language);
                let told = why(&reader, &State::Failed { code: *code }, Some(&Failure::new(*code))).into_string();
                let row = code.row();
                for text in [reader.text(&row.what), reader.text(&row.next)] {
                    assert!(told.contains(&html! { (text) }.into_string()), "{code}: {told}");
                }
                assert!(told.contains(&format!("data-code=\"{code}\"")), "{told}");
            }
        }
        let reader = Reader::for_tests(Language::En);
        assert!(why(&reader, &State::Completed, Some(&Failure::new(Code::Trap))).into_string().is_empty());
    }
}
