//! Who may ask what: every operation of the description, asked by everybody there is, as `golden/authorisation.txt` has it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rights::ask;
use super::*;
use crate::online_service::assertion::tests::{claims, signed};
use crate::online_service::{KeyHash, OnlineService};
use crate::operator::{OperatorKey, Role as Duty};
use crate::rights::Right;

/// Who asks, in the order of the columns.
const ROLES: [&str; 10] = [
    "nobody",
    "person",
    "other person",
    "service",
    "other service",
    "component",
    "platform",
    "author",
    "maintenance",
    "dpo",
];
/// Nobody's digest.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What is asked with: what would do, if it came from the right one.
fn body(path: &str) -> (&'static str, String) {
    let json = "application/json";
    let text = match path {
        "/v1/token" => return ("application/x-www-form-urlencoded", "grant_type=x".to_owned()),
        "/v1/sessions/{session}/credentials"
        | "/v1/sessions/{session}/answers"
        | "/v1/sessions/{session}/report/login"
        | "/v1/rights/{request}/answer" => {
            return ("application/jose", "{}".to_owned());
        }
        "/v1/sessions" => REQUEST.to_owned(),
        "/v1/sessions/{session}/source" => r#"{"connector":"sample-bank","source":"sample-bank"}"#.to_owned(),
        "/v1/sessions/{session}/consent" => r#"{"decision":"refused"}"#.to_owned(),
        "/v1/parcels/{parcel}/ack" => format!(r#"{{"digest":"{DIGEST}"}}"#),
        "/v1/rights" => r#"{"receipt":"x","ask":{"right":"access"}}"#.to_owned(),
        "/v1/reports/retest" | "/v1/reports/close" => r#"{"break":"x"}"#.to_owned(),
        "/v1/connectors/approve" => format!(r#"{{"digest":"{DIGEST}","difference":"{DIGEST}"}}"#),
        "/v1/connectors/serve" | "/v1/connectors/hold" | "/v1/connectors/release" => {
            r#"{"connector":"sample-bank","source":"sample-bank"}"#.to_owned()
        }
        "/v1/rights/look" | "/v1/rights/take-back" => r#"{"receipt":"x"}"#.to_owned(),
        _ => "{}".to_owned(),
    };
    (json, text)
}

/// What stands in the paths, made once.
struct Things {
    world: World,
    parcel: String,
    consent: String,
    request: String,
    doors: [SocketAddr; 2],
}

impl Things {
    async fn make() -> Self {
        let clock = Arc::new(ManualClock::new(now()));
        let engine = builder(hollow_connector(), &clock).online_service(lender_as(id(2))).build().await.unwrap();
        let world = World { engine, clock };
        let session = world.in_review().await;
        let delivered = world.parcel(&session).await;
        let bytes = world.engine.fetch_parcel(&lender(), delivered).await.unwrap();
        world.engine.acknowledge(&lender(), delivered, Digest::of(&bytes)).await.unwrap();
        let token = session.receipts()[0].1.clone();
        let operators = Duty::ALL.iter().zip(1..);
        let operators = operators.map(|(role, digit)| OperatorKey {
            id: id(digit),
            roles: [*role].into(),
            key_sha256: KeyHash::of(role.name()),
            signs: Default::default(),
        });
        world.engine.operators.replace(operators.collect());
        let told = world.engine.ask_right(&token, ask(Right::Rectification)).await.unwrap();
        let session = world.in_review().await;
        let parcel = world.parcel(&session).await.to_string();
        let consent = session.consent().unwrap().to_string();
        let doors = [door(&world, None).await, door(&world, Some("monitor")).await];
        Self { parcel, consent, request: told["request"].as_str().unwrap().to_owned(), world, doors }
    }

    /// Asks for one operation as somebody; gives the status, and the problem's name.
    async fn cell(&self, method: &str, path: &str, role: &str) -> String {
        let own = self.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
        let other = self.world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
        let at = path
            .replace("{session}", &own.session.id().to_string())
            .replace("{question}", "qst_01JD8Z3M7K0000000000000000")
            .replace("{parcel}", &self.parcel)
            .replace("{consent}", &self.consent)
            .replace("{request}", &self.request)
            .replace("{path}", "0/000");
        let key = match role {
            "person" => Some(own.token),
            "other person" => Some(other.token),
            "service" => Some(self.access(&lender())),
            "other service" => Some(self.access(&lender_as(id(2)))),
            role => Duty::parse(role).map(|role| role.name().to_owned()),
        };
        let door = self.doors[usize::from(role == "component")];
        let cell = exchange(door, method, &at, key.as_deref(), body(path)).await;
        self.world.engine.sessions.remove(&own.session);
        self.world.engine.sessions.remove(&other.session);
        cell
    }

    fn access(&self, service: &OnlineService) -> String {
        let mut jti = [0; 16];
        entropy_of_the_system(&mut jti);
        let claims = claims(service.id(), &hex::encode(jti), self.world.clock.now());
        self.world.engine.give_access(&signed(&claims, "JWT")).unwrap()
    }
}

fn entropy_of_the_system(bytes: &mut [u8]) {
    Entropy::system().with(|rng| rng.fill_bytes(bytes));
}

pub(super) async fn door(world: &World, component: Option<&'static str>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(crate::api::serve_as(listener, world.engine.clone(), component));
    address
}

pub(super) async fn exchange(
    door: SocketAddr,
    method: &str,
    path: &str,
    key: Option<&str>,
    (media, body): (&str, String),
) -> String {
    let mut stream = tokio::net::TcpStream::connect(door).await.unwrap();
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let (method, length) = (method.to_uppercase(), body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A stream of events has no end; a problem ends with its brace.
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let problem = head.contains("application/problem+json");
        if problem && serde_json::from_str::<Value>(body).is_err() && read > 0 {
            continue;
        }
        let name = problem.then(|| serde_json::from_str::<Value>(body).unwrap()["type"].clone());
        let name = name.and_then(|name| name.as_str().and_then(|name| name.rsplit(':').next().map(str::to_owned)));
        return format!("{} {}", &head[9..12], name.unwrap_or_default()).trim().to_owned();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_matrix_says() {
    let things = Things::make().await;
    let document = crate::api::document();
    let mut table = format!("{:<7}{:<44}", "", "");
    ROLES.iter().for_each(|role| table += &format!("{role:<20}"));
    let mut table = table.trim_end().to_owned() + "\n";
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let mut line = format!("{:<7}{path:<44}", method.to_uppercase());
            for role in ROLES {
                let cell = things.cell(method, path, role).await;
                // What the description says of who may ask is what happens.
                let closed = !operation["security"].as_array().unwrap().is_empty();
                if matches!(role, "nobody" | "component") {
                    assert_eq!(cell == "401 unauthorized", closed, "{method} {path}: {cell}");
                }
                let _ = write!(line, "{cell:<20}");
            }
            table += line.trim_end();
            table.push('\n');
        }
    }
    crate::fixtures::golden("authorisation.txt", &table);
}
