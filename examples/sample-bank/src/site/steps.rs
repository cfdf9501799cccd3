//! The steps that may stand between a right password and the accounts.

use axum::Form;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use maud::html;
use serde::Deserialize;

use super::layout::{self, Notice, page, page_with_head};
use super::visit::Visit;
use crate::captcha::png;
use crate::session::{Approval, Step};
use crate::state::SiteState;

const CODE_WRONG: Notice = Notice::Error("Le code saisi est incorrect.");
const CODE_TOO_OLD: Notice =
    Notice::Error("Le code saisi a expiré. Veuillez vous reconnecter pour en recevoir un nouveau.");
const CAPTCHA_WRONG: Notice = Notice::Error("Les caractères saisis ne correspondent pas à l’image.");
const APPROVAL_REFUSED: Notice = Notice::Error("Vous avez refusé cette connexion depuis votre application mobile.");
const PASSWORD_TOO_OLD: Notice =
    Notice::Error("Votre mot de passe a expiré. Vous devez le modifier pour accéder à vos comptes.");

/// A form with one code.
#[derive(Deserialize)]
pub(crate) struct CodeForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    jeton: String,
}

/// A form with one box to tick.
#[derive(Deserialize)]
pub(crate) struct TermsForm {
    #[serde(default)]
    accord: String,
    #[serde(default)]
    jeton: String,
}

pub(crate) async fn otp(visit: Visit) -> Response {
    if visit.step() != Some(Step::Otp) {
        return visit.onwards();
    }
    otp_page(&visit, None).into_response()
}

fn otp_page(visit: &Visit, notice: Option<Notice>) -> Html<String> {
    let phone = visit.with(|session| session.person().map(|person| person.phone)).flatten().unwrap_or_default();
    let last_two: String = phone.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let digits = visit.with(|session| session.code.chars().count()).unwrap_or(6).max(6);
    let fields = html! {
        p { "Un code à " (digits) " chiffres vient d’être envoyé par SMS au " span.telephone { "•• •• •• •• " (last_two) } "." }
        p {
            label for="code" { "Code de sécurité" }
            input #code type="text" name="code" inputmode="numeric" maxlength=(digits) autocomplete="one-time-code" required;
        }
    };
    page(
        "Authentification forte",
        false,
        notice,
        layout::form("code-sms", "/otp", &visit.form_token(), fields, "Valider"),
    )
}

pub(crate) async fn submit_otp(visit: Visit, Form(form): Form<CodeForm>) -> Response {
    if visit.step() != Some(Step::Otp) || !visit.spend_form(&form.jeton) {
        return visit.onwards();
    }
    match visit.state() {
        SiteState::OtpWrong => return otp_page(&visit, Some(CODE_WRONG)).into_response(),
        SiteState::OtpExpired => return otp_too_old(visit),
        _ => {}
    }
    if !passed(&visit, |session| session.code == form.code) {
        return otp_page(&visit, Some(CODE_WRONG)).into_response();
    }
    visit.onwards()
}

/// No second try: the session ends with the code.
fn otp_too_old(visit: Visit) -> Response {
    if let Some(id) = &visit.session {
        visit.bank.memory().end_session(id);
    }
    let body = html! { p { a href="/login" { "Se reconnecter" } } };
    page("Authentification forte", false, Some(CODE_TOO_OLD), body).into_response()
}

pub(crate) async fn captcha(visit: Visit) -> Response {
    if visit.step() != Some(Step::Captcha) {
        return visit.onwards();
    }
    captcha_page(&visit, None).into_response()
}

/// Shown on the login's own URL first: the login form's answer is this page.
pub(crate) fn captcha_page(visit: &Visit, notice: Option<Notice>) -> Html<String> {
    let fields = html! {
        p { "Merci de recopier les caractères de l’image afin de confirmer que vous n’êtes pas un robot." }
        p { img #captcha-image src="/captcha.png" alt="Caractères à recopier"; }
        p {
            label for="captcha" { "Caractères" }
            input #captcha type="text" name="code" autocomplete="off" required;
        }
    };
    page(
        "Contrôle de sécurité",
        false,
        notice,
        layout::form("controle", "/captcha", &visit.form_token(), fields, "Valider"),
    )
}

pub(crate) async fn captcha_image(visit: Visit) -> Response {
    let code = visit.with(|session| session.code.clone()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "no-store")], png(&code)).into_response()
}

pub(crate) async fn submit_captcha(visit: Visit, Form(form): Form<CodeForm>) -> Response {
    if visit.step() != Some(Step::Captcha) || !visit.spend_form(&form.jeton) {
        return visit.onwards();
    }
    if !passed(&visit, |session| session.code == form.code) {
        return captcha_page(&visit, Some(CAPTCHA_WRONG)).into_response();
    }
    visit.onwards()
}

/// Reloads itself until the person has answered in the app.
pub(crate) async fn approval(visit: Visit) -> Response {
    if visit.step() != Some(Step::Approval) {
        return visit.onwards();
    }
    match visit.with(|session| session.approval).unwrap_or_default() {
        Approval::Given => {
            visit.with(|session| session.step_done());
            visit.onwards()
        }
        Approval::Refused => {
            let body = html! { p { a href="/login" { "Se reconnecter" } } };
            page("Validation par application", false, Some(APPROVAL_REFUSED), body).into_response()
        }
        Approval::Awaited => {
            let reload = html! { meta http-equiv="refresh" content="3"; };
            let body = html! {
                p #attente-validation { "Une demande de validation a été envoyée sur l’appareil " span.appareil { "Téléphone de " (first_names(&visit)) } "." }
                p { "Ouvrez l’application Banque du Vallon et validez la connexion. Cette page se met à jour toute seule." }
            };
            page_with_head("Validation par application", false, None, reload, body).into_response()
        }
    }
}

fn first_names(visit: &Visit) -> &'static str {
    visit.with(|session| session.person().map(|person| person.first_names)).flatten().unwrap_or_default()
}

pub(crate) async fn terms(visit: Visit) -> Response {
    if visit.step() != Some(Step::Terms) {
        return visit.onwards();
    }
    let fields = html! {
        p { "Nos conditions générales évoluent. Pour continuer, vous devez en prendre connaissance et les accepter." }
        p { input #accord type="checkbox" name="accord" value="oui" required; " J’accepte les nouvelles conditions générales" }
    };
    let form = layout::form("conditions", "/terms", &visit.form_token(), fields, "Continuer");
    page("Nouvelles conditions générales", false, None, form).into_response()
}

pub(crate) async fn accept_terms(visit: Visit, Form(form): Form<TermsForm>) -> Response {
    if visit.step() == Some(Step::Terms) && visit.spend_form(&form.jeton) {
        passed(&visit, |_| form.accord == "oui");
    }
    visit.onwards()
}

/// The form leads nowhere on purpose: nothing that reads data has any business changing a password.
pub(crate) async fn new_password(visit: Visit) -> Response {
    if visit.step() != Some(Step::NewPassword) {
        return visit.onwards();
    }
    let fields = html! {
        p {
            label for="nouveau" { "Nouveau mot de passe" }
            input #nouveau type="password" name="nouveau" autocomplete="new-password" required;
        }
        p {
            label for="confirmation" { "Confirmation" }
            input #confirmation type="password" name="confirmation" autocomplete="new-password" required;
        }
    };
    let form = layout::form("nouveau-mot-de-passe", "/password", &visit.form_token(), fields, "Modifier");
    page("Modification du mot de passe", false, Some(PASSWORD_TOO_OLD), form).into_response()
}

/// Ends the step before the visitor if the answer is right.
fn passed(visit: &Visit, right: impl FnOnce(&crate::session::Session) -> bool) -> bool {
    visit
        .with(|session| {
            let right = right(session);
            if right {
                session.step_done();
            }
            right
        })
        .unwrap_or(false)
}
