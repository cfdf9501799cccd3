//! My data, by receipt: what the receipt says and whether that holds, its entries in the ledger, requests under one's rights. Nobody
//! has an account here; who has the receipt is the person, and where it is bound to a key, who has that too.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::form::Form;
use super::frame::Frame;
use super::visitor::Reader;
use super::{end, key, lend, rights, words};
use crate::api::Shared;
use crate::engine::{EngineError, Proven};
use crate::ledger::Event;
use crate::maintenance::lent::Seen;
use crate::receipt::file::{FILE_BYTES_MAX, ReceiptFile};
use crate::receipt::{Facts, Receipt};

/// A form with a receipt file, percent-encoded, and the words of a request.
pub(super) const RECEIPT_FORM_BYTES_MAX: usize = FILE_BYTES_MAX * 2 + 16 * 1024;

/// A receipt that holds.
struct Shown {
    receipt: Receipt,
    /// Each leaf is in the log.
    proven: bool,
    /// Who shows it; none where nothing is kept about it any more.
    who: Option<Proven>,
}

/// Asks for a receipt.
pub(super) async fn show(reader: Reader) -> Response {
    entry(&reader, None)
}

pub(super) fn title(reader: &Reader) -> &str {
    reader.say("My data and rights", "Mes données et mes droits")
}

fn entry(reader: &Reader, alert: Option<Markup>) -> Response {
    let status = if alert.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    reader.frame(title(reader)).status(status).alert(alert).page(html! {
        h1 { (title(reader)) }
        p .lead { (reader.say(
            "Your receipt is your key: it shows that you are the person it is about. No account, no identity document.",
            "Votre reçu est votre clé : il montre que vous êtes la personne concernée. Ni compte, ni pièce d'identité.",
        )) }
        form method="post" action={ (reader.place.base) "/my-data" } {
            div .field {
                label for="receipt" { (reader.say("Your receipt", "Votre reçu")) }
                p .hint #receipt-hint { (reader.say(
                    "Open the file that you saved and paste all of its text, or choose the file.",
                    "Ouvrez le fichier que vous avez enregistré et collez tout son texte, ou choisissez le fichier.",
                )) }
                textarea #receipt name="receipt" rows="6" required spellcheck="false" autocomplete="off" aria-describedby="receipt-hint" {}
            }
            div .field data-file="receipt" hidden {
                label for="file" { (reader.say("Or the file", "Ou le fichier")) }
                // Without a name: its text goes into the field above, and it is not sent itself.
                input #file type="file" accept=".json,application/json,text/plain";
            }
            div .actions { button type="submit" { (reader.say("Show my data", "Voir mes données")) } }
        }
    })
}

/// What is kept about a receipt's consent.
pub(super) async fn look(reader: Reader, State(engine): State<Shared>, form: Form) -> Response {
    match opened(&reader, &engine, &form).await {
        Ok(shown) => about(&reader, &engine, &form, &shown, None).await,
        Err(page) => page,
    }
}

fn not_one(reader: &Reader) -> Markup {
    html! {
        p { strong { (reader.say("This is not a receipt of ours, or it was changed.", "Ce n'est pas un reçu de notre part, ou il a été modifié.")) } }
        p { (reader.say("Paste all of the file's text, from the first { to the last }.", "Collez tout le texte du fichier, du premier { au dernier }.")) }
    }
}

/// A request under one's rights.
pub(super) async fn ask(reader: Reader, State(engine): State<Shared>, form: Form) -> Response {
    let shown = match opened(&reader, &engine, &form).await {
        Ok(shown) => shown,
        Err(page) => return page,
    };
    let told = match (&shown.who, rights::read(&form)) {
        (Some(who), Some(ask)) => engine.ask_right_as(who, ask).await,
        _ => Err(EngineError::NotFound),
    };
    let done = told.map(|told| rights::done(&reader, &told)).map_err(|error| refused(&reader, &error));
    about(&reader, &engine, &form, &shown, Some(done)).await
}

/// Takes back the login that was lent.
pub(super) async fn take_back(reader: Reader, State(engine): State<Shared>, form: Form) -> Response {
    let shown = match opened(&reader, &engine, &form).await {
        Ok(shown) => shown,
        Err(page) => return page,
    };
    let erased = match &shown.who {
        Some(who) => engine.take_back_as(who).await,
        None => Err(EngineError::NotFound),
    };
    let done =
        erased.map(|erasure| lend::taken_back(&reader, erasure.token())).map_err(|error| refused(&reader, &error));
    about(&reader, &engine, &form, &shown, Some(done)).await
}

fn refused(reader: &Reader, error: &EngineError) -> Markup {
    let text = match error {
        EngineError::Right(_) => reader.say(
            "Something is missing: a restriction needs its reason; a rectification and a directive need your words.",
            "Il manque quelque chose : une limitation demande son motif ; une rectification et une directive demandent vos mots.",
        ),
        EngineError::NotFound => reader.say(
            "Nothing is kept about this receipt any more, so there is nothing to be done.",
            "Plus rien n'est conservé au sujet de ce reçu ; il n'y a donc rien à faire.",
        ),
        _ => reader.say("This could not be done now. Please try again later.", "Cela n'a pas pu être fait. Veuillez réessayer plus tard."),
    };
    html! { p { strong { (text) } } }
}

/// Reads the file, or the bare receipt, and checks it by our own keys. Gives the page that asks for what is missing.
async fn opened(reader: &Reader, engine: &Shared, form: &Form) -> Result<Shown, Response> {
    let Some((receipt, proven)) = read(engine, form).await else { return Err(entry(reader, Some(not_one(reader)))) };
    let proof = form.get("proof").map(str::trim).filter(|proof| !proof.is_empty());
    let who = match (&receipt.facts().cnf, proof) {
        (Some(_), Some(proof)) => engine.prove(&format!("{}{proof}", receipt.token())).await,
        _ => engine.prove(receipt.token()).await,
    };
    match (who, key::Wanted::of(engine, &receipt)) {
        (Err(_), Some(wanted)) => {
            Err(key::page(reader, &wanted, form.get("receipt").unwrap_or_default(), proof.is_some()))
        }
        (who, _) => Ok(Shown { receipt, proven, who: who.ok() }),
    }
}

/// The receipt, and whether each of its leaves is shown to be in the log.
async fn read(engine: &Shared, form: &Form) -> Option<(Receipt, bool)> {
    let text = form.get("receipt")?.trim();
    let signing = engine.signing_keys().await.ok()?;
    match ReceiptFile::read(text) {
        Ok(file) => {
            let log = engine.log_keys().await.ok()?;
            let proven = file.verify(&signing, &log).is_ok();
            Receipt::verify(&file.receipt, &signing).ok().map(|receipt| (receipt, proven))
        }
        Err(_) => Receipt::verify(text, &signing).ok().map(|receipt| (receipt, false)),
    }
}

type Done = Result<Markup, Markup>;

async fn about(reader: &Reader, engine: &Shared, form: &Form, shown: &Shown, done: Option<Done>) -> Response {
    let facts = shown.receipt.facts();
    let requests = match &shown.who {
        Some(who) => engine.look_at_rights_as(who).await,
        None => Err(EngineError::NotFound),
    };
    let wanted = key::Wanted::of(engine, &shown.receipt);
    let lent: Option<Seen> =
        requests.as_ref().ok().and_then(|told| serde_json::from_value(told["lent"].clone()).ok()).flatten();
    let kept = form.get("receipt").unwrap_or_default();
    let (done, alert) = match done {
        Some(Ok(done)) => (Some(done), None),
        Some(Err(alert)) => (None, Some(alert)),
        None => (None, None),
    };
    let frame: Frame<'_> = reader.frame(title(reader)).alert(alert);
    frame.page(html! {
        h1 { (title(reader)) }
        @if let Some(done) = &done { div .good .outcome role="status" { (done) } }
        p .note { (reader.say("The receipt is ours and unchanged. ", "Le reçu est bien de nous et inchangé. "))
            @if shown.proven { (reader.say("Its entries are in the public ledger.", "Ses inscriptions figurent au registre public.")) }
            @else { (reader.say("It holds no proof from the ledger: it was saved before that was there.", "Il ne contient pas de preuve du registre : il a été enregistré avant qu'elle n'existe.")) }
        }
        section { h2 { (reader.say("What happened", "Ce qui s'est passé")) } (end::facts_of(reader, facts)) }
        (consent(reader, engine, facts))
        (lend::of_receipt(reader, lent.as_ref(), kept, wanted.as_ref()))
        (ledger(reader, facts))
        @match &requests {
            Ok(requests) => (rights::section(reader, requests, kept, wanted.as_ref())),
            Err(_) => section {
                h2 { (reader.say("Your rights", "Vos droits")) }
                p { (refused(reader, &EngineError::NotFound)) }
            },
        }
    })
}

fn consent(reader: &Reader, engine: &Shared, facts: &Facts) -> Markup {
    let service = engine.online_service(facts.online_service);
    html! {
        section {
            h2 { (reader.say("Your consent", "Votre consentement")) }
            dl .facts {
                div { dt { (reader.say("Consent", "Consentement")) } dd .code { (facts.consent) } }
                div { dt { (reader.say("Given to", "Donné à")) } dd {
                    @match &service {
                        Some(service) => { (service.name()) " (" (service.contact()) ")" }
                        None => span .code { (facts.online_service) }
                    }
                } }
                div { dt { (reader.say("Notice", "Notice")) } dd .code { (facts.notice) } }
                @for kept in &facts.kept {
                    div {
                        dt { (reader.say("Still kept here", "Encore conservé ici")) " (" (kept.row) ")" }
                        dd {
                            (kept.what.join(", ").replace('_', " "))
                            @if let Some(until) = kept.until { (reader.say(", until ", ", jusqu'au ")) (words::day(reader, until)) }
                        }
                    }
                }
            }
        }
    }
}

fn ledger(reader: &Reader, facts: &Facts) -> Markup {
    let word = |event: &Event| match event {
        Event::ConsentGiven { .. } => reader.say("You agreed", "Vous avez accepté"),
        Event::ConsentWithdrawn { .. } => reader.say("You took it back", "Vous avez retiré votre accord"),
        Event::LoginOpened { .. } => reader.say("Your login was used", "Vos identifiants ont été utilisés"),
        Event::AccessBegan { .. } => {
            reader.say("Your Data Source was asked, without you there", "Votre source a été interrogée sans vous")
        }
        Event::Released { .. } => reader.say("Data was released", "Des données ont été remises"),
        Event::Erased { .. } => reader.say("All of it was erased", "Tout a été effacé"),
        Event::AnonymityLifted { .. } => {
            reader.say("An authority was told who you are", "Une autorité a appris qui vous êtes")
        }
    };
    html! {
        section {
            h2 { (reader.say("Entries in the ledger", "Inscriptions au registre")) }
            ol .ledger {
                @for leaf in &facts.leaves {
                    li { strong { (word(&leaf.event)) } " " span .code { (leaf.leaf) } }
                }
            }
        }
    }
}
