//! The pages. A session is the person's place in the list, a form's token its number: whoever attacks this office wins nothing.

use axum::extract::{Form, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, routing::get};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use crate::{Notice, PEOPLE, Person, notice};

const TOKEN: &str = "f2c1b09e";

pub(crate) fn router() -> Router {
    Router::new()
        .route("/connexion", get(login).post(submit))
        .route("/documents", get(documents))
        .route("/documents/{file}", get(document))
        .route("/deconnexion", get(logout))
}

fn page(title: &str, body: &Markup) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang="fr" {
            head { meta charset="utf-8"; title { (title) " - Centre des impôts du Vallon" } }
            body { header #bandeau { "Centre des impôts du Vallon" } main { h1 { (title) } (body) } }
        }
    };
    Html(whole.into_string())
}

fn form(error: Option<&str>) -> Html<String> {
    let body = html! {
        @if let Some(error) = error { p.erreur role="alert" { (error) } }
        form #connexion method="post" action="/connexion" {
            input type="hidden" name="jeton" value=(TOKEN);
            label { "Numéro fiscal" input name="numero" autocomplete="username"; }
            label { "Mot de passe" input type="password" name="secret" autocomplete="current-password"; }
            button { "Me connecter" }
        }
    };
    page("Connexion", &body)
}

async fn login() -> Html<String> {
    form(None)
}

#[derive(Deserialize)]
struct Login {
    numero: String,
    secret: String,
    jeton: String,
}

async fn submit(Form(login): Form<Login>) -> Response {
    let found = PEOPLE.iter().position(|person| person.login == login.numero && person.password == login.secret);
    let Some(place) = found.filter(|_| login.jeton == TOKEN) else {
        return form(Some("Numéro fiscal ou mot de passe incorrect.")).into_response();
    };
    if PEOPLE[place].locked {
        return form(Some("Votre espace est bloqué. Contactez votre centre des impôts.")).into_response();
    }
    let cookie = format!("session={place}; Path=/; HttpOnly");
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, "/documents".to_owned())]).into_response()
}

fn visitor(headers: &HeaderMap) -> Option<&'static Person> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let place = cookies.split("; ").find_map(|pair| pair.strip_prefix("session="))?;
    PEOPLE.get(place.parse::<usize>().ok()?)
}

fn turned_away() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/connexion")]).into_response()
}

async fn documents(headers: HeaderMap) -> Response {
    let Some(person) = visitor(&headers) else { return turned_away() };
    let row = |notice: &Notice| {
        html! {
            tr {
                td.annee { (notice.year) }
                td.titre { "Avis d’impôt sur les revenus" }
                td.date { (notice.issued) }
                td { a href={ "/documents/avis-" (notice.year) ".pdf" } { "Télécharger" } }
            }
        }
    };
    let body = html! {
        @if person.notices.is_empty() {
            p.aucun { "Vous n’avez aucun document." }
        } @else {
            table #avis {
                thead { tr { th { "Revenus de" } th { "Document" } th { "Établi le" } th {} } }
                tbody { @for notice in person.notices { (row(notice)) } }
            }
        }
        p { a href="/deconnexion" { "Me déconnecter" } }
    };
    page("Mes documents", &body).into_response()
}

async fn document(headers: HeaderMap, Path(file): Path<String>) -> Response {
    let Some(person) = visitor(&headers) else { return turned_away() };
    let named = |notice: &&Notice| format!("avis-{}.pdf", notice.year) == file;
    let Some(found) = person.notices.iter().find(named) else {
        return (StatusCode::NOT_FOUND, page("Document introuvable", &html! {})).into_response();
    };
    let body = if found.scanned { notice::scanned() } else { notice::pdf(person, found) };
    ([(header::CONTENT_TYPE, "application/pdf")], body).into_response()
}

async fn logout() -> Response {
    let cookie = "session=; Path=/; Max-Age=0";
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, "/connexion")]).into_response()
}
