//! When something goes wrong: what happened and what to do next, in the reader's words. Nothing of what is inside is shown; that is in
//! the log.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use consentry_contract::failure::{Code, Failure};
use maud::{Markup, html};

use super::visitor::{MISSING, Reader, Visitor};
use crate::engine::EngineError;

/// What happened, and what to do next.
pub(super) fn sentence(what: &str, next: &str) -> Markup {
    html! { p { strong { (what) } } p { (next) } }
}

/// A failure of the table. Whose turn it is, the person needs to know only if it is not theirs.
pub(super) fn failure(reader: &Reader, code: Code) -> Markup {
    let row = code.row();
    sentence(reader.text(&row.what), reader.text(&row.next))
}

/// The same, with the time to wait where the Data Source named one.
pub(super) fn failed(reader: &Reader, failed: &Failure) -> Markup {
    let minutes = failed.retry_after_ms.map(|wait| wait.div_ceil(60_000));
    html! {
        (failure(reader, failed.code))
        @if let Some(minutes) = minutes {
            p { (reader.say("They ask to wait for so many minutes: ", "Délai d'attente demandé, en minutes : ")) (minutes) }
        }
    }
}

/// A page that says only that.
fn page(reader: &Reader, status: StatusCode, title: &str, next: &str) -> Response {
    reader.frame(title).status(status).page(html! { h1 { (title) } p .lead { (next) } })
}

/// Nothing is here for this browser.
pub(super) fn nobody(reader: &Reader) -> Response {
    page(
        reader,
        MISSING,
        reader.say("There is nothing here for this browser", "Il n'y a rien ici pour ce navigateur"),
        reader.say(
            "A session can be seen in the browser it was opened in, for one hour. Go back to the service that sent you here and start again from there.",
            "Une session n'est visible que dans le navigateur où elle a été ouverte, pendant une heure. Retournez au service qui vous a envoyé ici et recommencez de là.",
        ),
    )
}

/// The link was used.
pub(super) fn used(reader: &Reader) -> Response {
    page(
        reader,
        StatusCode::GONE,
        reader.say("This link has been used", "Ce lien a déjà servi"),
        reader.say(
            "It works once, in one browser. If that was not you, go back to the service that sent you here and start again: nobody gets any data without signing in.",
            "Il ne fonctionne qu'une fois, dans un seul navigateur. Si ce n'était pas vous, retournez au service qui vous a envoyé ici et recommencez : personne n'obtient de données sans se connecter.",
        ),
    )
}

/// The request does not come from a page of ours.
pub(super) fn foreign(reader: &Reader) -> Response {
    page(
        reader,
        StatusCode::FORBIDDEN,
        reader.say("This did not come from our own page", "Ceci ne venait pas de notre propre page"),
        reader.say(
            "Nothing was done. Go back, reload the page and try again there.",
            "Rien n'a été fait. Revenez en arrière, rechargez la page et réessayez depuis celle-ci.",
        ),
    )
}

/// The engine does not do what the person asked for.
pub(super) fn engine(visitor: &Visitor, error: EngineError) -> Response {
    let reader = &visitor.reader;
    match error {
        // The session went on meanwhile, for example in another tab: what fits it now is shown.
        EngineError::Step(_) | EngineError::NotAsked(_) | EngineError::NotFound | EngineError::Gone => {
            Redirect::to(&visitor.at("")).into_response()
        }
        error => {
            let code = error.code();
            if code == Code::PlatformFailed {
                tracing::error!(error = %crate::causes::chain(&error), "a page could not be shown");
            }
            let title = reader.text(&code.row().what);
            reader.frame(title).status(StatusCode::SERVICE_UNAVAILABLE).page(html! {
                h1 { (title) }
                p .lead { (reader.text(&code.row().next)) }
                p { a .button href=(visitor.at("")) { (reader.say("Try again", "Réessayer")) } }
            })
        }
    }
}
