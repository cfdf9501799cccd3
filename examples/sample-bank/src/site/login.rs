//! Home, the login form, and the way out.

use axum::Form;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::html;
use serde::Deserialize;

use super::layout::{self, Notice, page};
use super::visit::{Visit, clear_cookie, set_cookie};
use super::{found, steps, turned_away};
use crate::bank::Received;
use crate::person::Person;
use crate::session::Step;
use crate::state::SiteState;

const WRONG: Notice = Notice::Error("Identifiant ou mot de passe incorrect.");
const ENDED: Notice = Notice::Error("Votre convention de banque à distance a pris fin.");
const LOCKED: Notice = Notice::Error("Votre accès est bloqué. Veuillez contacter votre agence.");
const FORM_SPENT: Notice = Notice::Error("Votre formulaire a expiré. Veuillez recommencer.");
const SESSION_OVER: Notice = Notice::Info("Votre session a expiré. Veuillez vous identifier de nouveau.");

#[derive(Deserialize)]
pub(crate) struct Why {
    motif: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    #[serde(default)]
    identifiant: String,
    #[serde(default)]
    motdepasse: String,
    #[serde(default)]
    jeton: String,
}

pub(crate) async fn home(visit: Visit) -> Html<String> {
    let body = html! {
        p { "Depuis 1923, la Banque du Vallon accompagne ses clients, de génération en génération." }
        h2 { "Actualités" }
        ul {
            li { "Livret A : votre épargne disponible à tout moment." }
            li { "Soyez vigilants : la banque ne vous demande jamais votre mot de passe par téléphone." }
        }
        p { a href="/login" { "Accéder à mes comptes" } }
    };
    page("Bienvenue", visit.is_inside(), None, body)
}

pub(crate) async fn form(visit: Visit, Query(why): Query<Why>) -> Response {
    if visit.is_inside() {
        return found("/accounts");
    }
    let notice = (why.motif.as_deref() == Some("session")).then_some(SESSION_OVER);
    login_page(visit, StatusCode::OK, notice)
}

/// The form, for a session that stands at the login. Others begin anew: who comes back from a later step starts over.
fn login_page(mut visit: Visit, status: StatusCode, notice: Option<Notice>) -> Response {
    let at_login = visit.session.is_some() && visit.step() == Some(Step::Login);
    if !at_login {
        let mut memory = visit.bank.memory();
        if let Some(old) = &visit.session {
            memory.end_session(old);
        }
        let id = memory.open_session();
        drop(memory);
        visit.session = Some(id);
    }
    let fields = html! {
        p {
            label for="identifiant" { "Identifiant" }
            input #identifiant type="text" name="identifiant" inputmode="numeric" pattern="[0-9]{8}" maxlength="8"
                autocomplete="username" required;
        }
        p {
            label for="motdepasse" { "Mot de passe" }
            input #motdepasse type="password" name="motdepasse" autocomplete="current-password" required;
        }
    };
    let body = html! {
        (layout::form("connexion", "/login", &visit.form_token(), fields, "Se connecter"))
        p { "Votre identifiant à 8 chiffres figure sur vos relevés de compte." }
    };
    let id = visit.session.as_deref().filter(|_| !at_login);
    let page = page("Connexion", false, notice, body);
    match id {
        Some(id) => (status, set_cookie(id), page).into_response(),
        None => (status, page).into_response(),
    }
}

pub(crate) async fn submit(mut visit: Visit, Form(form): Form<LoginForm>) -> Response {
    let login = Person::with_login(&form.identifiant, &form.motdepasse, &visit.bank.settings());
    visit.bank.memory().received = Some(Received { login: form.identifiant, password: form.motdepasse });
    if !visit.spend_form(&form.jeton) {
        return login_page(visit, StatusCode::FORBIDDEN, Some(FORM_SPENT));
    }
    let (Some(login), Some(old)) = (login, visit.session.clone()) else {
        return login_page(visit, StatusCode::OK, Some(WRONG));
    };
    match login.fault.unwrap_or(visit.state()) {
        SiteState::WrongPassword => return login_page(visit, StatusCode::OK, Some(WRONG)),
        SiteState::AccountLocked => return login_page(visit, StatusCode::OK, Some(LOCKED)),
        SiteState::ClosedAccount => return login_page(visit, StatusCode::OK, Some(ENDED)),
        _ => {}
    }
    let id = visit.bank.memory().admit(&old, login);
    visit.session = Some(id.clone());
    // What stands before everybody's pages was passed on the way here; what stands before this session's begins now.
    if login.fault.is_some()
        && let Some(away) = turned_away(&visit.bank, &visit.settings()).await
    {
        return (set_cookie(&id), away).into_response();
    }
    if visit.step() == Some(Step::Captcha) {
        return (set_cookie(&id), steps::captcha_page(&visit, None)).into_response();
    }
    (set_cookie(&id), visit.onwards()).into_response()
}

pub(crate) async fn logout(visit: Visit) -> Response {
    if let Some(id) = &visit.session {
        visit.bank.memory().end_session(id);
    }
    (clear_cookie(), found("/")).into_response()
}
