//! The accounts and their operations.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt, stream};
use maud::{Markup, html};
use serde::Deserialize;

use super::found;
use super::layout::{Notice, page};
use super::visit::Customer;
use crate::operation::{Operation, french_amount, french_date, operation};
use crate::person::{Account, BIC};
use crate::state::SiteState;

/// Operations on one page.
pub const PAGE_SIZE: u32 = 100;

/// The operation on each page whose amount is no number in the state `wrong-amount`, counted from 0.
const WRONG_AMOUNT_AT: usize = 2;

#[derive(Deserialize)]
pub(crate) struct PageNumber {
    page: Option<String>,
}

pub(crate) async fn list(customer: Customer) -> Response {
    let body = match customer.settings().state {
        SiteState::RedirectLoop => return found("/login"),
        SiteState::NotACustomer => return prospect().into_response(),
        SiteState::Empty => html! { p.liste-vide { "Vous ne détenez aucun compte." } },
        SiteState::TableText => block_automation(),
        SiteState::JsonError => return json_error(),
        SiteState::SessionLost => {
            customer.bank.memory().end_session(&customer.session);
            accounts_table(&customer)
        }
        _ => accounts_table(&customer),
    };
    page("Mes comptes", true, None, body).into_response()
}

/// The answer of a program that was meant for another program.
fn json_error() -> Response {
    axum::Json(serde_json::json!({ "error": { "code": "E-4711", "retryable": false } })).into_response()
}

fn accounts_table(customer: &Customer) -> Markup {
    html! {
        table #comptes {
            thead {
                tr { th { "Compte" } th { "Titulaire" } th { "IBAN" } th { "Devise" } th.montant { "Solde" } }
            }
            tbody {
                @for (place, account) in customer.person.accounts.iter().enumerate() {
                    tr {
                        td.libelle { a href={ "/accounts/" (place + 1) "/operations" } { (account.label) } }
                        td.titulaire { (customer.person.holder()) }
                        td.iban { (grouped(account.iban)) }
                        td.devise { (account.currency) }
                        td.montant { (french_amount(account.balance_cents)) }
                    }
                }
            }
        }
        p { "Code BIC de la banque : " span.bic { (BIC) } }
    }
}

/// What somebody sees who has a login and no product.
fn prospect() -> Html<String> {
    let body = html! {
        div.devenir-client {
            p { "Vous n’êtes pas encore client de la Banque du Vallon." }
            p { a href="/" { "Découvrir nos offres" } }
        }
    };
    page("Devenir client", true, None, body)
}

pub(crate) fn block_automation() -> Markup {
    html! { "Block Automation" }
}

pub(crate) async fn operations(
    customer: Customer,
    Path(number): Path<String>,
    Query(asked): Query<PageNumber>,
) -> Response {
    let settings = customer.settings();
    let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let Some((place, account)) = place.and_then(|place| Some((place, customer.person.accounts.get(place)?))) else {
        return no_such_page();
    };
    let count = match settings.state {
        SiteState::NotACustomer => return no_such_page(),
        SiteState::HugePage => return endless(&customer, place, account),
        SiteState::Empty => 0,
        _ => settings.operations[place],
    };
    let pages = count.div_ceil(PAGE_SIZE).max(1);
    let asked = asked.page.map_or(Some(1), |text| text.parse::<u32>().ok());
    let Some(current) = asked.filter(|current| (1..=pages).contains(current)) else {
        return no_such_page();
    };
    let first = (current - 1) * PAGE_SIZE;
    let rows: Vec<Operation> =
        (first..count.min(first + PAGE_SIZE)).map(|number| operation(customer.person, place, number)).collect();
    let body = html! {
        (heading(account))
        @match settings.state {
            SiteState::TableText => (block_automation()),
            _ if rows.is_empty() => p.liste-vide { "Aucune opération sur la période." },
            SiteState::LayoutChanged => (blocks(&rows)),
            state => (table(&rows, state)),
        }
        (pagination(place, current, pages))
    };
    page("Opérations", true, None, body).into_response()
}

fn heading(account: &Account) -> Markup {
    html! { p.compte { (account.label) " - " span.iban { (grouped(account.iban)) } } }
}

fn table(rows: &[Operation], state: SiteState) -> Markup {
    let amounts = state != SiteState::MissingColumn;
    html! {
        table #operations {
            thead {
                tr { th { "Date" } th { "Libellé" } @if amounts { th.montant { "Montant" } } th { "Référence" } }
            }
            tbody {
                @for (place, row) in rows.iter().enumerate() {
                    @let wrong = state == SiteState::WrongAmount && place == WRONG_AMOUNT_AT;
                    tr {
                        td.date { (french_date(row.date)) }
                        td.libelle { (row.label) }
                        @if amounts { td.montant { @if wrong { "N/C" } @else { (french_amount(row.cents)) } } }
                        td.reference { (row.reference) }
                    }
                }
            }
        }
    }
}

fn blocks(rows: &[Operation]) -> Markup {
    html! {
        div.mouvements {
            @for row in rows {
                div.mouvement {
                    span.quand { (french_date(row.date)) }
                    span.quoi { (row.label) }
                    span.combien { (french_amount(row.cents)) }
                    span.ref { (row.reference) }
                }
            }
        }
    }
}

fn pagination(place: usize, current: u32, pages: u32) -> Markup {
    let link = |page: u32| format!("/accounts/{}/operations?page={page}", place + 1);
    html! {
        p.pagination {
            @if current > 1 { a.precedente href=(link(current - 1)) { "Page précédente" } " " }
            "Page " (current) " sur " (pages)
            @if current < pages { " " a.suivante href=(link(current + 1)) { "Page suivante" } }
        }
    }
}

/// A well-formed table whose rows go on until the reader hangs up or the bank stops.
fn endless(customer: &Customer, place: usize, account: &Account) -> Response {
    const MARK: &str = "</tbody>";
    let person = customer.person;
    let first: Vec<Operation> = (0..PAGE_SIZE).map(|number| operation(person, place, number)).collect();
    let body = html! { (heading(account)) (table(&first, SiteState::HugePage)) };
    let Html(whole) = page("Opérations", true, None, body);
    let head = whole.split(MARK).next().unwrap_or_default().to_owned();
    let rows = table(&first, SiteState::HugePage).into_string();
    let rows = rows.split_once("<tbody>").and_then(|(_, rest)| rest.split_once(MARK)).map_or("", |(rows, _)| rows);
    let again = stream::repeat(Bytes::from(rows.to_owned()));
    let stopping = customer.bank.stopping.clone().cancelled_owned();
    let chunks = stream::once(async { Bytes::from(head) }).chain(again).take_until(stopping);
    let body = Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

fn no_such_page() -> Response {
    let notice = Notice::Error("La page demandée n’existe pas ou n’existe plus.");
    let body = html! { p { a href="/accounts" { "Retour à mes comptes" } } };
    (StatusCode::NOT_FOUND, page("Page introuvable", true, Some(notice), body)).into_response()
}

/// An IBAN in groups of four, as it is printed.
fn grouped(iban: &str) -> String {
    let mut printed = String::new();
    for (place, c) in iban.chars().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            printed.push(' ');
        }
        printed.push(c);
    }
    printed
}
