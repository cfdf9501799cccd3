//! The online branch: a way in that works in a browser only. A script builds the form, and the secret code is typed on a keypad in a frame,
//! whose keys stand elsewhere each time and heed no click but a person's.

use axum::Form;
use axum::extract::Query;
use axum::response::{Html, IntoResponse, Response};
use maud::{PreEscaped, html};
use serde::Deserialize;

use super::layout::{Notice, page};
use super::visit::{Visit, set_cookie};
use super::{found, steps};
use crate::bank::Received;
use crate::person::Person;
use crate::session::Step;

const WRONG: Notice = Notice::Error("Identifiant ou code secret incorrect.");
/// Most digits of a secret code; customers have six, unless the settings say otherwise.
const CODE_DIGITS_MAX: usize = 64;

/// Builds the form, and counts what the frame says was pressed.
const FORM: &str = "
const form = document.querySelector('#agence');
const field = (name, type) => Object.assign(document.createElement('input'), { name, type });
const [client, cle, places] = [field('client', 'text'), field('cle', 'hidden'), field('places', 'hidden')];
const key = Math.floor(Math.random() * 1000);
const pad = Object.assign(document.createElement('iframe'), { src: '/branch/keypad', width: 240, height: 320 });
const enter = Object.assign(document.createElement('button'), { textContent: 'Entrer', disabled: true });
client.id = 'client'; pad.id = 'clavier'; enter.id = 'entrer'; cle.value = key;
pad.src += '?cle=' + key;
form.append(client, cle, places, pad, enter);
addEventListener('message', event => {
    if (event.origin !== location.origin) return;
    places.value += event.data;
    enter.disabled = places.value.length < Number(form.dataset.chiffres);
});";

/// Says which place was pressed, never which digit.
const KEYPAD: &str = "
document.querySelector('#touches').addEventListener('click', event => {
    if (event.isTrusted && event.target.dataset.place) parent.postMessage(event.target.dataset.place, location.origin);
});";

#[derive(Deserialize)]
pub(crate) struct Why {
    motif: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Key {
    #[serde(default)]
    cle: u32,
}

#[derive(Deserialize)]
pub(crate) struct CodeForm {
    #[serde(default)]
    client: String,
    #[serde(default)]
    cle: u32,
    #[serde(default)]
    places: String,
}

/// Which digit stands at a place.
fn digit(key: u32, place: u32) -> u32 {
    (place * 7 + key) % 10
}

pub(crate) async fn form(visit: Visit, Query(why): Query<Why>) -> Html<String> {
    let notice = (why.motif.as_deref() == Some("refus")).then_some(WRONG);
    let digits = visit.bank.settings().code_digits();
    let body = html! {
        form #agence method="post" action="/branch" data-chiffres=(digits) {}
        script { (PreEscaped(FORM)) }
    };
    page("Agence en ligne", visit.is_inside(), notice, body)
}

pub(crate) async fn keypad(Query(key): Query<Key>) -> Html<String> {
    let body = html! {
        (maud::DOCTYPE)
        html lang="fr" {
            head { title { "Clavier" } }
            body {
                div #touches {
                    @for place in 0..10 {
                        button type="button" data-place=(place) style="width:60px;height:60px" { (digit(key.cle, place)) }
                    }
                }
                script { (PreEscaped(KEYPAD)) }
            }
        }
    };
    Html(body.into_string())
}

pub(crate) async fn submit(mut visit: Visit, Form(form): Form<CodeForm>) -> Response {
    let digits = form.places.chars().take(CODE_DIGITS_MAX).filter_map(|place| place.to_digit(10));
    let code: String = digits.map(|place| digit(form.cle, place).to_string()).collect();
    let login = Person::with_code(&form.client, &code, &visit.bank.settings());
    visit.bank.memory().received = Some(Received { login: form.client, password: code });
    let Some(login) = login else { return found("/branch?motif=refus") };
    let id = {
        let mut memory = visit.bank.memory();
        let old = memory.open_session();
        memory.admit(&old, login)
    };
    visit.session = Some(id.clone());
    if visit.step() == Some(Step::Captcha) {
        return (set_cookie(&id), steps::captcha_page(&visit, None)).into_response();
    }
    (set_cookie(&id), visit.onwards()).into_response()
}

#[cfg(test)]
mod tests {
    use super::digit;

    #[test]
    fn a_keypad_has_each_digit_once() {
        for key in 0..30 {
            let mut digits: Vec<u32> = (0..10).map(|place| digit(key, place)).collect();
            digits.sort_unstable();
            assert_eq!(digits, (0..10).collect::<Vec<_>>());
        }
    }
}
