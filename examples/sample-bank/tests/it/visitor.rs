//! A browser without a screen: one cookie jar, redirects shown and not followed unless asked.

use std::sync::{Mutex, Once};

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, redirect};
use sample_bank::{MARIE, Person, SampleBank, SiteState};

/// Redirects that `follow` goes along with, as many as browsers do.
const HOPS_MAX: usize = 20;

pub struct Visitor {
    client: Client,
    site: String,
    cookie: Mutex<Option<String>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    pub fn has(&self, fragment: &str) -> bool {
        self.text().contains(fragment)
    }

    pub fn is_customers(&self) -> bool {
        self.has("href=\"/logout\"")
    }

    /// The text between each two marks, in the order of the page.
    pub fn all(&self, from: &str, to: &str) -> Vec<String> {
        let text = self.text();
        text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap().replace('\u{a0}', " ")).collect()
    }

    pub fn token(&self) -> String {
        self.all("name=\"jeton\" value=\"", "\"").first().expect("a form with a token").clone()
    }
}

pub async fn bank(state: SiteState) -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.set_state(state);
    bank
}

pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
    Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap()
}

impl Visitor {
    pub fn of(bank: &SampleBank) -> Self {
        Self { client: client(), site: bank.site_url.clone(), cookie: Mutex::new(None) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn response(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = self.client.get(format!("{}{path}", self.site));
        if let Some(cookie) = self.cookie() {
            request = request.header(COOKIE, cookie);
        }
        request.send().await
    }

    async fn send(&self, method: Method, path: &str, form: Option<String>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.site));
        if let Some(cookie) = self.cookie() {
            request = request.header(COOKIE, cookie);
        }
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(cookie) = headers.get(SET_COOKIE) {
            *self.cookie.lock().unwrap() = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        Answer { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    /// Gets a page and goes along with redirects; nothing when they don't end.
    pub async fn follow(&self, path: &str) -> Option<Answer> {
        let mut path = path.to_owned();
        for _ in 0..HOPS_MAX {
            let answer = self.get(&path).await;
            if answer.status != 302 {
                return Some(answer);
            }
            path = answer.header(LOCATION.as_str()).to_owned();
        }
        None
    }

    /// Sends the login form; the answer is the form's own, no redirect is followed.
    pub async fn log_in(&self, login: &str, password: &str) -> Answer {
        let token = self.get("/login").await.token();
        self.post("/login", &[("identifiant", login), ("motdepasse", password), ("jeton", &token)]).await
    }

    pub async fn log_in_as(&self, person: &Person) -> Answer {
        self.log_in(person.login, person.password).await
    }

    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap().clone()
    }

    pub fn set_cookie(&self, cookie: Option<String>) {
        *self.cookie.lock().unwrap() = cookie;
    }
}

/// A visitor who has sent Marie's login and password, to a bank in this state.
pub async fn marie_at(state: SiteState) -> (SampleBank, Visitor, Answer) {
    let bank = bank(state).await;
    let visitor = Visitor::of(&bank);
    let answer = visitor.log_in_as(&MARIE).await;
    (bank, visitor, answer)
}
