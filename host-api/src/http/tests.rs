//! What a connector can see of an answer that holds a secret, and how often it can use one: the contract's own functions over a network
//! that answers as the table says.

use std::sync::Arc;

use async_trait::async_trait;
use consentry_contract::failure::Code;
use consentry_contract::limits::{LimitName, Limits};
use consentry_contract::manifest::Manifest;
use consentry_contract::recipe::{Leaf, LeafKind, Reveal as _};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use tokio_util::task::TaskTracker;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::{FlightError, Response, Sent, wit};
use crate::bindings::consentry::connector::credentials::{Piece, Slot};
use crate::bindings::consentry::connector::http::{Host as _, HostRequest as _, HostResponse as _};
use crate::bindings::consentry::connector::prompt::Host as _;
use crate::bindings::consentry::connector::types::HostBlob as _;
use crate::egress::Egress;
use crate::fault::Fail;
use crate::network::{Incoming, Network, NetworkError, Outgoing};
use crate::ports::{Asked, Clock, Observer, Prompter, Question, Random};
use crate::stop::Stopper;
use crate::tape::NoTape;
use crate::vault::Vault;
use crate::{Grants, HostCtx, Ports, RunSpec};

const MANIFEST: &str = r#"
contract = "0.1"
id = "bank"
version = "0.1.0"
owner = { name = "Authors", contact = "authors@consentry.example" }
capabilities = ["http", "prompt"]
categories = ["person.name"]
[[source]]
id = "bank"
name = "Bank"
country = "FR"
kind = "bank"
base = "https://bank.example"
origins = ["{base}"]
[[field]]
name = "login"
kind = "identifier"
login = true
label = { en = "Login" }
[[field.sink]]
request = "POST {base}/login"
slot = "form:login"
recipe = "raw"
max = 9
[[field]]
name = "password"
kind = "secret"
label = { en = "Password" }
[[field.sink]]
request = "POST {base}/login"
slot = "form:password"
recipe = "raw"
max = 9
[[field.sink]]
request = "POST {base}/login"
slot = "form:proof"
recipe = "hex(sha-256(text, raw))"
max = 9
[[answer]]
prompt = "otp"
name = "code"
kind = "secret"
label = { en = "Code", fr = "Code" }
[[answer.sink]]
request = "POST {base}/otp"
slot = "form:code"
recipe = "raw"
max = 5
[[capture]]
name = "token"
from = "POST {base}/token"
at = "/access_token"
[[capture.sink]]
request = "GET {base}/me"
slot = "header:authorization"
recipe = "join(\"Bearer \", raw)"
max = 5
[[capture]]
name = "refresh"
from = "POST {base}/refresh"
at = "/refresh_token"
[[capture.sink]]
request = "POST {base}/refresh"
slot = "form:refresh_token"
recipe = "raw"
max = 5
[[capture]]
name = "stolen"
from = "POST {base}/login"
at = "/password"
[[capture]]
name = "nonce"
from = "GET {base}/form"
at = "input[name=nonce]@value"
"#;

/// Always the same answer.
struct Says(u16, &'static str, &'static str);

#[async_trait]
impl Network for Says {
    async fn fetch(&self, _: Outgoing) -> Result<Incoming, NetworkError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.1));
        Ok(Incoming { status: StatusCode::from_u16(self.0).unwrap(), headers, body: self.2.as_bytes().to_vec() })
    }
}

struct Nobody;

impl Prompter for Nobody {
    fn ask(&self, _: Question) -> Result<Asked, Code> {
        Err(Code::PersonAbsent)
    }
}

impl Observer for Nobody {
    fn step(&self, _: &str) {}
    fn count(&self, _: u32, _: u32) {}
    fn login_submitted(&self) {}
    fn authenticated(&self) {}
    fn log(&self, _: &str, _: &str) {}
}

impl Clock for Nobody {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

impl Random for Nobody {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn context(network: impl Network + 'static) -> HostCtx {
    let manifest = Arc::new(Manifest::parse(MANIFEST).unwrap());
    let plan = Arc::new(manifest.for_source("bank", None).unwrap());
    HostCtx::new(RunSpec {
        egress: Egress::new(plan.origins(), false),
        manifest,
        plan,
        grants: Grants {
            capabilities: ["http".to_owned(), "prompt".to_owned()].into(),
            wanted: ["person.name".to_owned()].into(),
            ..Grants::default()
        },
        limits: Limits::default(),
        vault: Vault::new(Zeroizing::new([1; 32])).unwrap(),
        language: "en".to_owned(),
        callback: ("https://engine.example/callback".to_owned(), "state".to_owned()),
        ports: Ports {
            browser: None,
            pages: None,
            network: Arc::new(network),
            prompter: Arc::new(Nobody),
            observer: Arc::new(Nobody),
            tape: Arc::new(NoTape),
            clock: Arc::new(Nobody),
            random: Box::new(Nobody),
            io: tokio::runtime::Handle::current(),
        },
        stopper: Stopper::default(),
        hops: TaskTracker::new(),
    })
}

async fn send(ctx: &mut HostCtx, method: &str, path: &str) -> Result<Resource<Response>, Fail> {
    let request = wit::HostRequest::new(ctx, method.to_owned(), format!("https://bank.example{path}")).unwrap();
    wit::Host::send(ctx, request).await
}

impl HostCtx {
    fn response_has_tree(&self, response: &Resource<Response>) -> bool {
        self.table.get(response).unwrap().tree().is_some_and(|tree| tree.is_grown())
    }
}

/// Everything of an answer that a connector can get at, as one text.
fn visible(ctx: &mut HostCtx, response: &Resource<Response>) -> String {
    let again = || Resource::<Response>::new_borrow(response.rep());
    let blob = ctx.blob(again()).unwrap();
    let mut seen = String::from_utf8(ctx.read(blob, 0, 4096).unwrap()).unwrap();
    for format in ["html", "json", "xml"] {
        if let Ok(document) = ctx.document_of(&again(), Some(format)) {
            let document = ctx.document(&document).unwrap();
            seen += &document.source(&mut consentry_contract::document::Unmetered).unwrap();
        }
    }
    seen
}

mod answers;
mod echoes;
mod kept;

#[tokio::test]
async fn a_captured_secret_is_cut_out_whatever_the_answer_calls_itself() {
    let json = r#"{"access_token":"s3cret-token","expires_in":60}"#;
    for (status, content_type, body, captured) in [
        (200, "application/json", json, true),
        (200, "text/html", json, true),
        (200, "text/plain", json, true),
        (200, "application/octet-stream", json, true),
        (500, "application/json", json, true),
        (200, "application/json", r#"{"expires_in":60}"#, false),
    ] {
        let mut ctx = context(Says(status, content_type, body));
        let response = send(&mut ctx, "POST", "/token").await.unwrap();
        let seen = visible(&mut ctx, &response);
        assert!(!seen.contains("s3cret"), "{content_type}: {seen}");
        assert!(seen.contains("60"), "{content_type}: {seen}");
        assert_eq!(ctx.vault.holds(&Leaf::new(LeafKind::Captured, "token")), captured, "{content_type}");
    }
}

#[tokio::test]
async fn an_answer_that_should_hold_a_secret_and_can_not_be_read_is_withheld() {
    for (status, content_type, body, withheld) in [
        (200, "application/json", r#"{"access_token":"s3cret-token","#, true),
        (200, "text/plain", r#"access_token=s3cret-token"#, true),
        (200, "text/html", r#" {"access_token":"s3cret-token" "#, true),
        (200, "text/html", "<h1>Try again later</h1>", false),
        (502, "text/plain", "bad gateway", false),
    ] {
        let mut ctx = context(Says(status, content_type, body));
        let answer = send(&mut ctx, "POST", "/token").await;
        match answer {
            Err(Fail::Fault(fault)) => assert!(withheld && fault.code == "page-unrecognised", "{body}"),
            Ok(_) => assert!(!withheld, "{body}"),
            Err(Fail::Stop(error)) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_captured_attribute_is_cut_out_of_a_page() {
    let mut ctx = context(Says(200, "text/html", "<form><input name=nonce value=s3cret><input name=b value=kept>"));
    let response = send(&mut ctx, "GET", "/form").await.unwrap();
    let seen = visible(&mut ctx, &response);
    assert!(!seen.contains("s3cret") && seen.contains("kept"), "{seen}");
    let value = ctx.vault.reveal(&Leaf::new(LeafKind::Captured, "nonce")).unwrap();
    assert_eq!(value.as_slice(), b"s3cret");
}

#[tokio::test]
async fn while_a_person_is_asked_a_tree_goes_and_grows_again_as_it_was() {
    use crate::bindings::consentry::connector::document::HostDocument as _;
    let table = "<table><tr><td>1<td>2<tr><td>3<td>4</table>";
    for (method, path, body, goes) in [
        ("GET", "/", table, true),
        // Something was cut out of it, so nobody can parse it again.
        ("GET", "/form", "<form><input name=nonce value=s3cret><tr><td>4</form>", false),
    ] {
        let mut ctx = context(Says(200, "text/html", body));
        let response = send(&mut ctx, method, path).await.unwrap();
        let whole = ctx.document_of(&response, None).unwrap();
        let again = |parsed: &Resource<_>| Resource::new_borrow(parsed.rep());
        let parts = ctx.parts(again(&whole), "td, input".to_owned()).unwrap();
        let read = |ctx: &mut HostCtx| -> Vec<String> {
            let parts = [&whole].into_iter().chain(&parts);
            let source =
                |part| ctx.document(part).unwrap().source(&mut consentry_contract::document::Unmetered).unwrap();
            parts.map(source).collect()
        };
        let before = read(&mut ctx);
        ctx.shrink();
        assert_eq!(ctx.response_has_tree(&response), !goes, "{path}");
        assert_eq!(read(&mut ctx), before, "{path}");
        assert!(ctx.response_has_tree(&response), "{path}: one tree for all views, kept once it is there again");
    }
}

#[tokio::test]
async fn a_one_time_answer_is_used_once() {
    let mut ctx = context(Says(200, "text/html", "<p>"));
    let leaf = Leaf::new(LeafKind::Answer, "code");
    ctx.vault.put(leaf.clone(), Zeroizing::new(b"123456".to_vec())).unwrap();
    let secret = ctx.handle_if_held(leaf.clone()).unwrap().unwrap();
    for expected in [true, false] {
        let request =
            wit::HostRequest::new(&mut ctx, "POST".to_owned(), "https://bank.example/otp".to_owned()).unwrap();
        let slot = Slot { secret: Resource::new_borrow(secret.rep()), encoding: "raw".to_owned() };
        let borrowed = Resource::new_borrow(request.rep());
        ctx.field(borrowed, "code".to_owned(), vec![Piece::Secret(slot)]).unwrap();
        let sent = ctx.send(request).await;
        assert_eq!(sent.is_ok(), expected);
        assert!(!ctx.vault.holds(&leaf));
    }
}

/// What is left of a limit can be tried out, until the run ends by it.
#[tokio::test]
async fn what_a_login_takes_of_the_limits_does_not_depend_on_the_secret() {
    let mut left = Vec::new();
    for (password, page) in [
        ("Correct-Horse-7!", "<p>Correct-Horse-7! is wrong</p>"),
        ("A-much-longer-one-8!%%%%", "<p>A-much-longer-one-8!%%%% is wrong</p>"),
    ] {
        let mut ctx = context(Says(200, "text/html", page));
        let leaf = Leaf::new(LeafKind::Field, "password");
        ctx.vault.put(leaf.clone(), Zeroizing::new(password.as_bytes().to_vec())).unwrap();
        let secret = ctx.handle_if_held(leaf).unwrap().unwrap();
        let url = "https://bank.example/login".to_owned();
        let request = wit::HostRequest::new(&mut ctx, "POST".to_owned(), url).unwrap();
        let slot = Slot { secret: Resource::new_borrow(secret.rep()), encoding: "raw".to_owned() };
        ctx.field(Resource::new_borrow(request.rep()), "password".to_owned(), vec![Piece::Secret(slot)]).unwrap();
        let response = ctx.send(request).await.unwrap();
        assert!(visible(&mut ctx, &response).contains("<p>*** is wrong</p>"));
        let limits = [LimitName::BytesOut, LimitName::BytesIn];
        left.push(limits.map(|limit| (ctx.budget.left(limit), ctx.budget.left(limit) < limit.row().default)));
    }
    assert_eq!(left[0], left[1]);
    assert!(left[0].iter().all(|(_, counted)| *counted));
}

#[tokio::test]
async fn a_person_is_sent_to_declared_origins_only() {
    for (url, expected) in [
        ("https://bank.example/authorise", "person-absent"),
        ("https://bank.example.evil.test/authorise", "capability-denied"),
        ("https://bank.example@evil.test/", "capability-denied"),
        ("javascript:alert(1)", "capability-denied"),
        ("/authorise", "invalid-argument"),
    ] {
        let mut ctx = context(Says(200, "text/html", ""));
        let details = vec![("url".to_owned(), url.to_owned())];
        let Err(Fail::Fault(fault)) = ctx.ask("redirect".to_owned(), details, None) else { panic!("{url}") };
        assert_eq!(fault.code, expected, "{url}: {}", fault.text);
    }
}

#[tokio::test]
async fn a_source_that_redirects_outside_is_blamed_and_the_author_reads_the_line() {
    let mut ctx = context(Says(200, "text/html", ""));
    let outside = crate::egress::EgressError::Origin { origin: "https://other.example".to_owned() };
    for (error, told) in [
        (FlightError::Redirect(outside), r#"origins = ["https://other.example"]"#),
        (FlightError::SecretRedirect, "status 307 or 308"),
    ] {
        let Fail::Fault(fault) = ctx.no_answer(Sent { method: "GET".to_owned(), ..Sent::default() }, &error) else {
            panic!("{error}: the run goes on")
        };
        assert!(fault.text.contains(told), "{}", fault.text);
        assert_eq!(ctx.facts.host, Some(Code::SourceUnavailable), "{error}");
    }
}
