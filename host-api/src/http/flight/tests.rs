//! Redirects, over a network that answers what the test says and remembers what was asked.

use std::sync::Mutex;

use async_trait::async_trait;
use consentry_contract::manifest::{Manifest, Origin};
use http::header::CONTENT_LOCATION;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::network::{LiveNetwork, TlsSettings};

const MANIFEST: &str = r#"
contract = "0.1"
id = "provider"
version = "0.1.0"
owner = { name = "Authors", contact = "authors@consentry.example" }
categories = ["person.name"]
[[source]]
id = "provider"
name = "Provider"
country = "FR"
kind = "identity"
base = "https://provider.example"
origins = ["{base}", "https://other.example"]
[[capture]]
name = "code"
from = "GET {base}/auth"
at = "query:code"
"#;
const CALLBACK: &str = "https://engine.example/callback";

/// Redirects from `/auth` to this target, and repeats it wherever a server may; any other page is `done`.
struct Redirecting {
    target: String,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Network for Redirecting {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        self.asked.lock().unwrap().push(request.url.to_string());
        if request.url.path() != "/auth" {
            return Ok(Incoming { status: StatusCode::OK, headers: HeaderMap::new(), body: b"done".to_vec() });
        }
        let target = HeaderValue::from_str(&self.target).unwrap();
        let headers = HeaderMap::from_iter([(LOCATION, target.clone()), (CONTENT_LOCATION, target)]);
        Ok(Incoming {
            status: StatusCode::FOUND,
            headers,
            body: format!("Redirecting to {}", self.target).into_bytes(),
        })
    }
}

async fn fly(target: &str, follow: bool) -> (Result<Landed, FlightError>, Vec<String>) {
    let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
    let network = Arc::new(Redirecting { target: target.to_owned(), asked: Mutex::default() });
    let landed = flight(network.clone(), plan, follow).fly().await;
    let asked = network.asked.lock().unwrap().clone();
    (landed, asked)
}

fn flight(network: Arc<dyn Network>, plan: SourcePlan, follow: bool) -> Flight {
    let url = Url::parse("https://provider.example/auth").unwrap();
    Flight {
        network,
        egress: Egress::new(plan.origins(), false),
        plan: Arc::new(plan),
        jar: Jar::default(),
        method: Method::GET,
        shown: url.clone(),
        url,
        headers: HeaderMap::new(),
        secret_headers: Vec::new(),
        body: None,
        withheld: false,
        secret: false,
        typed: false,
        operator: false,
        identity: None,
        follow,
        callback: (CALLBACK.to_owned(), "mine".to_owned()),
        passed: Passed::default(),
        redirects_max: 5,
        answer_bytes_max: 1000,
    }
}

/// Everything of an answer that a connector may read.
fn shown(landed: &Landed) -> String {
    format!("{} {:?} {}", landed.url, landed.incoming.headers, String::from_utf8_lossy(&landed.incoming.body))
}

/// A chain of redirects of any spelling: whatever is asked was allowed, and the first that is not ends the flight.
struct Chain {
    targets: Vec<String>,
    asked: Mutex<Vec<Url>>,
}

#[async_trait]
impl Network for Chain {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.url);
        let target =
            self.targets.get(asked.len() - 1).and_then(|target| HeaderValue::from_bytes(target.as_bytes()).ok());
        let status = if target.is_some() { StatusCode::SEE_OTHER } else { StatusCode::OK };
        let headers = target.into_iter().map(|target| (LOCATION, target)).collect();
        Ok(Incoming { status, headers, body: Vec::new() })
    }
}

proptest::proptest! {
    #[test]
    fn no_spelling_of_a_redirect_leads_outside(targets in proptest::collection::vec(
        "(https?:|HTTPS:|//|/|\\\\|ftp:|javascript:|)(//|/\\\\|)(|u@|provider\\.example@|\t)\
         (provider\\.example|PROVIDER\\.example|provider\\.example\\.|evil\\.test|127\\.1|0x7f000001|\\[::1\\]|provider。example|)\
         (|:443|:8443|#|\\?)(|/next|/auth\\?code=x|/\\.\\.//evil\\.test)", 0..8)) {
        let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
        let egress = Egress::new(plan.origins(), false);
        let network = Arc::new(Chain { targets, asked: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let landed = runtime.block_on(flight(network.clone(), plan, true).fly());
        let asked = network.asked.lock().unwrap();
        proptest::prop_assert!(!asked.is_empty() && asked.len() <= 6, "{asked:?}");
        for url in asked.iter() {
            proptest::prop_assert!(egress.check(url).is_ok() && url.host_str() == Some("provider.example"), "{url}");
        }
        if let Ok(landed) = landed {
            proptest::prop_assert!(egress.check(&landed.url).is_ok(), "{}", landed.url);
        }
    }
}

/// Redirects everything to one place with one status, and keeps what was asked.
struct Turning {
    status: u16,
    target: &'static str,
    asked: Mutex<Vec<Outgoing>>,
}

#[async_trait]
impl Network for Turning {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        self.asked.lock().unwrap().push(request);
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(self.target))]);
        Ok(Incoming { status: StatusCode::from_u16(self.status).unwrap(), headers, body: Vec::new() })
    }
}

/// A login that is redirected once: what the second request looks like, or why there is none.
async fn turned(status: u16, target: &'static str, method: Method, secret: bool) -> Result<Outgoing, FlightError> {
    let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
    let network = Arc::new(Turning { status, target, asked: Mutex::default() });
    let mut flight = flight(network.clone(), plan, true);
    for name in ["x-pin", "authorization", "content-type", "x-other"] {
        flight.headers.insert(HeaderName::from_static(name), HeaderValue::from_static("v"));
    }
    flight.secret_headers = vec![HeaderName::from_static("x-pin")];
    (flight.method, flight.secret, flight.redirects_max) = (method, secret, 1);
    flight.body = Some(Payload::plain(Zeroizing::new(b"proof=x".to_vec())));
    let landed = flight.fly().await.map(drop);
    let mut asked = std::mem::take(&mut *network.asked.lock().unwrap());
    match (landed, asked.len()) {
        (Err(FlightError::TooManyRedirects), 2) => Ok(asked.remove(1)),
        (Err(error), 1) => Err(error),
        (landed, count) => panic!("{landed:?} after {count} requests"),
    }
}

#[tokio::test]
async fn what_is_secret_does_not_ride_along_with_a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        for (target, elsewhere) in [("/next", false), ("https://other.example/next", true)] {
            let keeps = status >= 307;
            let next = turned(status, target, Method::POST, false).await.unwrap();
            assert_eq!(next.method, if keeps { Method::POST } else { Method::GET }, "{status}");
            assert_eq!((next.body.is_some(), next.headers.contains_key(CONTENT_TYPE)), (keeps, keeps), "{status}");
            assert!(!next.headers.contains_key("x-pin") && next.headers.contains_key("x-other"), "{status}");
            assert_eq!(next.headers.contains_key(AUTHORIZATION), !elsewhere, "{status} to {target}");
            let again = turned(status, target, Method::POST, true).await;
            assert_eq!(matches!(again, Err(FlightError::SecretRedirect)), keeps, "{status}");
            let asked = turned(status, target, Method::HEAD, false).await.unwrap();
            assert_eq!(asked.method, Method::HEAD, "{status}");
        }
    }
}

#[tokio::test]
async fn what_the_person_typed_goes_out_once_and_what_follows_may_be_repeated() {
    let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
    let network = Arc::new(Turning { status: 303, target: "/next", asked: Mutex::default() });
    let mut flight = flight(network.clone(), plan, true);
    (flight.typed, flight.redirects_max) = (true, 1);
    assert!(matches!(flight.fly().await, Err(FlightError::TooManyRedirects)));
    let asked = network.asked.lock().unwrap();
    assert_eq!(asked.iter().map(|request| request.repeatable).collect::<Vec<_>>(), [false, true]);
}

/// A site that redirects on a connection which it keeps, and closes when it is asked again; it answers on the next one.
async fn closing_site(listener: TcpListener) -> std::io::Result<()> {
    let mut lines = BufReader::new(listener.accept().await?.0).lines();
    for answer in ["HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n", ""] {
        while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
        lines.get_mut().write_all(answer.as_bytes()).await?;
    }
    drop(lines);
    let mut lines = BufReader::new(listener.accept().await?.0).lines();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    lines.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await
}

#[tokio::test]
async fn a_request_that_was_repeated_on_a_new_connection_counts_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/auth", listener.local_addr().unwrap())).unwrap();
    let site = tokio::spawn(closing_site(listener));
    let egress = Egress::new(&[Origin::of(&url).unwrap()], true);
    let tls = TlsSettings::trusting(rustls::RootCertStore::empty()).unwrap();
    let network = Arc::new(LiveNetwork::new(&egress, &tls, "tests").unwrap());
    let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
    let landed = Flight { egress, url, ..flight(network, plan, true) }.fly().await.unwrap();
    assert_eq!((landed.requests, landed.incoming.body.as_slice()), (2, b"done".as_slice()));
    site.await.unwrap().unwrap();
}

#[tokio::test]
async fn so_many_redirects_are_followed_and_no_more() {
    for (count, lands) in [(0, true), (5, true), (6, false)] {
        let plan = Manifest::parse(MANIFEST).unwrap().for_source("provider", None).unwrap();
        let network = Arc::new(Chain { targets: vec!["/next".to_owned(); count], asked: Mutex::default() });
        let landed = flight(network.clone(), plan, true).fly().await;
        let expected = if lands { Some(count as u64 + 1) } else { None };
        assert_eq!(landed.as_ref().map(|landed| landed.requests).ok(), expected);
        assert!(lands || matches!(landed, Err(FlightError::TooManyRedirects)));
        assert_eq!(network.asked.lock().unwrap().len(), count.min(5) + 1);
    }
}

#[tokio::test]
async fn a_redirect_to_the_callback_is_handed_back_without_the_code() {
    for follow in [true, false] {
        let (landed, asked) = fly(&format!("{CALLBACK}?code=s3cret&state=mine"), follow).await;
        let landed = landed.unwrap();
        assert!(landed.callback);
        assert_eq!(landed.url.as_str(), format!("{CALLBACK}?code=captured&state=mine"));
        assert!(!shown(&landed).contains("s3cret"), "{}", shown(&landed));
        assert_eq!(landed.captured, [("code".to_owned(), Zeroizing::new(b"s3cret".to_vec()))]);
        assert_eq!(asked, ["https://provider.example/auth"], "nobody is asked at the callback");
    }
}

#[tokio::test]
async fn a_redirect_that_is_not_followed_shows_its_target_without_the_code() {
    let (landed, _) = fly("/next?code=s3cret&page=2", false).await;
    let landed = landed.unwrap();
    assert!(!landed.callback && !shown(&landed).contains("s3cret"), "{}", shown(&landed));
    assert_eq!(landed.incoming.headers[LOCATION], "https://provider.example/next?code=captured&page=2");
}

#[tokio::test]
async fn a_redirect_that_is_followed_goes_to_the_real_target_and_shows_another() {
    let (landed, asked) = fly("/next?code=s3cret&page=2", true).await;
    let landed = landed.unwrap();
    assert_eq!(landed.url.as_str(), "https://provider.example/next?code=captured&page=2");
    assert_eq!(asked[1], "https://provider.example/next?code=s3cret&page=2");
    assert_eq!(landed.incoming.body, b"done");
}

#[tokio::test]
async fn an_answer_for_another_run_is_refused_and_a_foreign_place_is_not_visited() {
    for target in [format!("{CALLBACK}?code=s3cret&state=another"), format!("{CALLBACK}?code=s3cret")] {
        assert!(matches!(fly(&target, true).await.0, Err(FlightError::ForeignState)), "{target}");
    }
    let (landed, asked) = fly("https://elsewhere.example/?code=s3cret", true).await;
    assert!(matches!(landed, Err(FlightError::Redirect(_))));
    assert_eq!(asked.len(), 1);
}
