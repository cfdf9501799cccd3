//! What the bank knows of the customer: the profile, and the statements.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::accounts::block_automation;
use super::layout::page;
use super::visit::Customer;
use crate::operation::french_date;
use crate::state::SiteState;
use crate::statement;

pub(crate) async fn profile(customer: Customer) -> Html<String> {
    let person = customer.person;
    let body = match customer.settings().state {
        SiteState::TableText => block_automation(),
        _ => html! {
            dl.profil {
                (entry("Civilité", html! { (person.title) }))
                (entry("Nom", html! { (person.last_name) }))
                (entry("Prénom(s)", html! { (person.first_names) }))
                (entry("Date de naissance", html! { (french_date(person.birth_date)) }))
                (entry("Lieu de naissance", html! { (person.birth_place) }))
                (entry("Adresse postale", html! { (person.street) br; (person.town) }))
                (entry("Téléphone", html! { (person.phone) }))
                (entry("Adresse e-mail", html! { (person.email) }))
            }
        },
    };
    page("Mon profil", true, None, body)
}

fn entry(label: &str, value: Markup) -> Markup {
    html! { div { dt { (label) } dd { (value) } } }
}

pub(crate) async fn documents(customer: Customer) -> Html<String> {
    let body = match customer.settings().state {
        SiteState::TableText => block_automation(),
        SiteState::Empty | SiteState::NotACustomer => html! { p.liste-vide { "Aucun document disponible." } },
        _ => html! {
            ul.releves {
                @for month in statement::months() {
                    li {
                        a href={ "/documents/" (statement::name(month)) ".pdf" } { "Relevé de compte " (month.strftime("%m/%Y")) }
                        " du " span.date { (french_date(month)) }
                    }
                }
            }
        },
    };
    page("Mes documents", true, None, body)
}

/// As many sites do: a PDF under a type that says only "bytes".
pub(crate) async fn document(customer: Customer, Path(file): Path<String>) -> Response {
    let none = matches!(customer.settings().state, SiteState::Empty | SiteState::NotACustomer);
    let name = file.strip_suffix(".pdf").unwrap_or_default();
    let month = statement::months().find(|month| !none && statement::name(*month) == name);
    let Some(month) = month else {
        let body = html! { p { a href="/documents" { "Retour à mes documents" } } };
        return (StatusCode::NOT_FOUND, page("Document introuvable", true, None, body)).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.pdf\"")),
    ];
    (headers, statement::pdf(customer.person, month)).into_response()
}
