//! A Data Source that repeats what it is sent, in the way a test says: careless sites, in one place.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::collecting::lock;

/// What was sent: the password, a word beside it, and the address.
pub struct Sent {
    /// The path.
    pub path: String,
    /// The password.
    pub password: String,
    /// Another field of the form.
    pub word: String,
    /// The query.
    pub query: String,
    /// Who somebody says they are, in the header for that.
    pub authorization: String,
}

/// How an answer repeats it.
pub type Echo = fn(&Sent) -> Answer;

/// An answer of the site.
#[derive(Default)]
pub struct Answer {
    /// Status; 200 if it is 0.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Content type and body.
    pub body: (&'static str, String),
}

/// The running site.
pub struct EchoSite {
    /// Its address.
    pub url: String,
    told: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<(Instant, String)>>>,
}

struct Shared {
    echo: Echo,
    told: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl EchoSite {
    /// Starts one on loopback, whose every path answers so; only a page of the person's own is at `/home`. It ends with the test's runtime.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(echo: Echo) -> anyhow::Result<Self> {
        let (told, heard) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<(Instant, String)>>>::default());
        let shared = Arc::new(Shared { echo, told: told.clone(), heard: heard.clone() });
        let app = Router::new().route("/home", get(home)).fallback(answer).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("no port on loopback")?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, told, heard })
    }

    /// Every request as it came in: method, address, headers and body.
    pub fn heard(&self) -> Vec<String> {
        lock(&self.heard).iter().map(|(_, request)| request.clone()).collect()
    }

    /// Forgets what it heard.
    pub fn forget(&self) {
        lock(&self.heard).clear();
    }

    /// When each of them came in.
    pub fn heard_at(&self) -> Vec<Instant> {
        lock(&self.heard).iter().map(|(at, _)| *at).collect()
    }

    /// Every answer as it went out, headers and body.
    pub fn told(&self) -> String {
        lock(&self.told).join("\n")
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    request: HeaderMap,
    body: String,
) -> Response {
    let came = (Instant::now(), format!("{method} {uri} {request:?} {body}"));
    lock(&shared.heard).push(came);
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let of = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let sent = Sent {
        password: of("motdepasse").unwrap_or_default(),
        word: of("q").unwrap_or_default(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        authorization: request.get("authorization").map(|value| format!("{value:?}")).unwrap_or_default(),
    };
    let Answer { status, headers, body: (content_type, body) } = (shared.echo)(&sent);
    lock(&shared.told).push(format!("{headers:?} {body}"));
    let mut map = HeaderMap::new();
    for (name, value) in
        headers.iter().map(|(name, value)| (*name, value.as_str())).chain([("content-type", content_type)])
    {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            map.append(name, value);
        }
    }
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), map, body).into_response()
}

/// A page of the person's own, with an address on it.
async fn home() -> Response {
    ([("content-type", "text/html")], "<p>12 rue de Rivoli, 75001 Paris</p>").into_response()
}

fn page(body: String) -> Answer {
    Answer { body: ("text/html; charset=utf-8", body), ..Answer::default() }
}

fn header(name: &'static str, value: String) -> Answer {
    Answer { headers: vec![(name, value)], ..page("<p>hello</p>".to_owned()) }
}

fn each(text: &str, write: fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Every way in which a site here repeats a password, by name.
#[rustfmt::skip] // a table
pub const ECHOES: &[(&str, Echo)] = &[
    ("redirect", |sent| Answer { status: 302, ..header("location", format!("/home?p={}", percent(&sent.password))) }),
    ("redirect-fragment", |sent| Answer { status: 302, ..header("location", format!("/home#{}", sent.password)) }),
    ("header", |sent| header("x-note", format!("no such password: {}", sent.password))),
    ("header-base64", |sent| header("link", STANDARD.encode(format!("marie:{}", sent.password)))),
    ("cookie", |sent| header("set-cookie", format!("last={}", sent.password))),
    ("json-error", |sent| Answer { status: 200, body: ("application/json", format!(r#"{{"error":"{} is wrong","code":7}}"#, sent.password)), ..Answer::default() }),
    ("json-name", |sent| Answer { body: ("application/json", format!(r#"{{"{}":1}}"#, sent.password)), ..Answer::default() }),
    ("json-unicode", |sent| Answer { body: ("application/json", format!(r#"{{"error":"{}"}}"#, each(&sent.password, |c| format!("\\u{:04x}", u32::from(c))))), ..Answer::default() }),
    ("hidden-input", |sent| page(format!("<form><input type=hidden name=motdepasse value='{}'></form>", sent.password))),
    ("comment", |sent| page(format!("<p>hello</p><!-- tried {} -->", sent.password))),
    ("attribute", |sent| page(format!("<p data-tried='{}'>hello</p>", sent.password))),
    ("script", |sent| page(format!("<script>var tried = \"{}\";</script>", each(&sent.password, |c| format!("\\x{:02x}", u32::from(c)))))),
    ("text", |sent| page(format!("<p>{} is wrong</p>", sent.password))),
    ("split", |sent| { let (start, end) = sent.password.split_at(4); page(format!("<p><b>{start}</b>{end}</p>")) }),
    ("upper", |sent| page(format!("<p>{}</p>", sent.password.to_uppercase()))),
    ("percent", |sent| page(format!("<a href='/x?p={}'>again</a>", percent(&sent.password)))),
    ("base64", |sent| page(format!("<i>{}</i>", STANDARD.encode(&sent.password)))),
    ("base64-url-inside", |sent| page(format!("<i>{}</i>", URL_SAFE_NO_PAD.encode(format!("~{}", sent.password))))),
    ("hex", |sent| page(format!("<i>{}</i>", hex(&sent.password)))),
    ("entity-decimal", |sent| page(format!("<i>{}</i>", each(&sent.password, |c| format!("&#{};", u32::from(c)))))),
    ("entity-hex-twice", |sent| page(format!("<i>{}</i>", each(&sent.password, |c| format!("&amp;#x{:x};", u32::from(c)))))),
    ("percent-of-base64", |sent| page(format!("<i>{}</i>", percent(&STANDARD.encode(&sent.password))))),
    ("hex-of-utf16", |sent| page(format!("<i>{}</i>", sent.password.encode_utf16().map(|unit| format!("{:04x}", unit.swap_bytes())).collect::<String>()))),
    ("xml", |sent| Answer { body: ("application/xml", format!("<error><tried a=\"{0}\">{0}</tried></error>", sent.password)), ..Answer::default() }),
    ("plain", |sent| Answer { body: ("text/plain", format!("wrong: {}", sent.password)), ..Answer::default() }),
    ("bytes", |sent| Answer { body: ("application/octet-stream", format!("\0\u{1}{}\0", sent.password)), ..Answer::default() }),
];
