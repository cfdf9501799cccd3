//! What every page has: head, the way home, the switch of languages, the steps, what can go wrong told at the top, the foot.

use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON_NAME, SCRIPT_NAME, STYLE_NAME};
use super::visitor::{LANGUAGE, LANGUAGE_SECONDS, Reader, Visitor};
use super::words;
use crate::consent::notice::Language;

/// One of the six screens between the notice and the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Source,
    Agreement,
    SignIn,
    Collection,
    Check,
    Receipt,
}

/// A page to be.
pub(super) struct Frame<'r> {
    reader: &'r Reader,
    title: &'r str,
    status: StatusCode,
    step: Option<Step>,
    alert: Option<Markup>,
    stop: Option<String>,
    seconds_left: Option<i64>,
}

impl<'r> Frame<'r> {
    pub(super) fn new(reader: &'r Reader, title: &'r str) -> Self {
        Self { reader, title, status: StatusCode::OK, step: None, alert: None, stop: None, seconds_left: None }
    }

    #[must_use]
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A screen of an open session: its step, its time, and the way out.
    #[must_use]
    pub(super) fn of(self, visitor: &Visitor, step: Step) -> Self {
        let left = visitor.session.deadline().duration_since(visitor.engine.now()).as_secs().max(0);
        Self { step: Some(step), stop: Some(visitor.at("/stop")), seconds_left: Some(left), ..self }
    }

    /// The last step of a session, which nothing can stop any more.
    #[must_use]
    pub(super) fn ended(self) -> Self {
        Self { step: Some(Step::Receipt), stop: None, seconds_left: None, ..self }
    }

    /// What went wrong, above everything, where reading begins.
    #[must_use]
    pub(super) fn alert(self, alert: Option<Markup>) -> Self {
        Self { alert, ..self }
    }

    /// The page.
    pub(super) fn page(self, content: Markup) -> Response {
        let (status, switched) = (self.status, self.reader.switched);
        let cookie = switched.map(|language| {
            let word = language.pick("en", "fr");
            self.reader.place.set_cookie(LANGUAGE, word, LANGUAGE_SECONDS)
        });
        let body = self.markup(&content).into_string();
        let mut response = (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response();
        if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    pub(super) fn markup(&self, content: &Markup) -> Markup {
        let (reader, base) = (self.reader, &self.reader.place.base);
        let wrong = self.alert.as_ref().map(|_| reader.say("Error: ", "Erreur : "));
        html! {
            (DOCTYPE)
            html lang=(reader.say("en", "fr")) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { @if let Some(wrong) = wrong { (wrong) } (self.title) " – Consentry" }
                    link rel="stylesheet" href={ (base) "/journey/assets/" (*STYLE_NAME) };
                    link rel="icon" href={ (base) "/journey/assets/" (*ICON_NAME) } type="image/svg+xml";
                    script src={ (base) "/journey/assets/" (*SCRIPT_NAME) } defer {}
                }
                body {
                    a .skip href="#main" { (reader.say("Skip to the content", "Aller au contenu")) }
                    header .top {
                        a .brand href={ (base) "/" } { span .mark aria-hidden="true" {} "Consentry" }
                        (self.switch())
                    }
                    main #main tabindex="-1" {
                        (self.steps())
                        @if let Some(alert) = &self.alert {
                            div .alert role="alert" tabindex="-1" data-focus="" { (alert) }
                        }
                        (content)
                        (self.way_out())
                    }
                    (self.foot())
                }
            }
        }
    }

    fn switch(&self) -> Markup {
        let path = self.reader.path();
        let name = self.reader.say("Language", "Langue");
        html! {
            nav .languages aria-label=(name) {
                @for (language, word, own) in [(Language::En, "en", "English"), (Language::Fr, "fr", "Français")] {
                    @if language == self.reader.language {
                        span lang=(word) aria-current="true" { (own) }
                    } @else {
                        a lang=(word) hreflang=(word) href={ (path) "?lang=" (word) } { (own) }
                    }
                }
            }
        }
    }

    fn steps(&self) -> Markup {
        let Some(step) = self.step else { return Markup::default() };
        let (at, all) = (step as usize + 1, words::STEPS.len());
        let name = self.reader.text(&words::STEPS[step as usize]);
        let label = match self.reader.language {
            Language::En => format!("Step {at} of {all}: {name}"),
            Language::Fr => format!("Étape {at} sur {all} : {name}"),
        };
        html! {
            div .steps {
                p { (label) }
                div .bar aria-hidden="true" {
                    @for each in 1..=all { span .done[each <= at] {} }
                }
            }
        }
    }

    /// What is always in reach: to stop, and how long there is.
    fn way_out(&self) -> Markup {
        let Some(stop) = &self.stop else { return Markup::default() };
        let minutes = self.seconds_left.unwrap_or_default().div_euclid(60);
        html! {
            div .way-out {
                a .stop href=(stop) { (self.reader.say("Stop and share nothing", "Arrêter et ne rien partager")) }
                p {
                    (self.reader.say("Time left: ", "Temps restant : "))
                    span data-left=[self.seconds_left] { (minutes) " min" }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        let (reader, base) = (self.reader, &self.reader.place.base);
        html! {
            footer .foot {
                nav aria-label=(reader.say("About", "À propos")) {
                    a href={ (base) "/policy" } { (reader.say("Privacy policy", "Politique de confidentialité")) }
                    a href={ (base) "/trust" } { (reader.say("Code of trust", "Code de confiance")) }
                    a href={ (base) "/my-data" } { (reader.say("My data and rights", "Mes données et mes droits")) }
                }
            }
        }
    }
}
