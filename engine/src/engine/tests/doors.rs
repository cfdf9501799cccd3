//! What the doors hand through: why something failed, and the way back of a person who was sent elsewhere.

use std::net::SocketAddr;

use consentry_contract::failure::{Failure, Name};
use consentry_contract::manifest::Manifest;
use consentry_host_api::ports::{Answer, Asked, Prompter as _, Question};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::online_service::KeyHash;
use crate::session::question::AskPerson;

pub(super) const MANIFEST: &str = include_str!("../../../../connectors/sample-bank/manifest.toml");
/// What the person brings back: one part that the connector's code never sees, one that it does.
const PARTS: &str = r#"
[[answer]]
prompt = "redirect"
name = "authorisation"
kind = "secret"
label = { en = "Authorisation" }
[[answer.sink]]
request = "POST {base}/token"
slot = "form:code"
recipe = "raw"
max = 1

[[answer]]
prompt = "redirect"
name = "scope"
kind = "public"
label = { en = "Scope" }
"#;

/// The API of this engine, on loopback.
pub(super) async fn serve(engine: &Arc<Engine>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(crate::api::serve(listener, engine.clone(), std::future::pending()));
    address
}

/// Asks as a browser does; gives the status and everything else.
pub(super) async fn get(address: SocketAddr, path: &str, bearer: &str) -> (u16, String) {
    let answer = send(
        address,
        &format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\nConnection: close\r\n\r\n"
        ),
    )
    .await;
    (answer[9..12].parse().unwrap(), answer)
}

/// What comes back until the connection is closed.
pub(super) async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A session whose connector sent the person elsewhere with this state.
async fn sent_elsewhere(world: &World, state: &str) -> (Arc<Session>, Asked) {
    let (session, now) = (world.agreed().await, world.clock.now());
    session.step(Step::CredentialsGiven, now).unwrap();
    session.expect_back(KeyHash::of(state));
    let manifest = Manifest::parse(&format!("{MANIFEST}{PARTS}")).unwrap();
    let person = AskPerson::new(session.clone(), world.clock.clone(), entropy(), manifest.answers());
    let details = vec![("url".to_owned(), "https://bank.example/authorise".to_owned())];
    let asked = person.ask(Question { kind: "redirect".to_owned(), details, image: None }).unwrap();
    (session, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_comes_back_reaches_the_run_that_waits_for_them_once() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let (session, asked) = sent_elsewhere(&world, "state-1").await;
    let (other, other_asked) = sent_elsewhere(&world, "state-2").await;
    for unknown in ["", "?state=", "?authorisation=x", "?state=state-3&authorisation=x", "?state=state-10"] {
        assert_eq!(get(address, &format!("/v1/callback{unknown}"), "").await.0, 404, "{unknown}");
    }
    assert!(matches!(session.state(), State::AwaitingPerson { .. }), "nothing reached it");

    for path in ["/v1/callback?state=state-1&authorisation=x", "/v1/parcels/par_01JD8Z3M7K0000000000000000"] {
        let looked =
            send(address, &format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(looked.starts_with("HTTP/1.1 405") && looked.contains("allow: GET"), "{looked}");
    }
    assert!(matches!(session.state(), State::AwaitingPerson { .. }), "who looks ahead uses nothing up");

    let back = "/v1/callback?authorisation=a%2Bb&scope=read&state=state-1&session_state=more&authorisation=twice";
    let (status, page) = get(address, back, "").await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("You can close this window") && !page.contains("a+b") && !page.contains("state-1"), "{page}");
    let Answer::Given(typed) = asked.answer.await.unwrap() else { panic!("no answer") };
    let parts = typed.take().unwrap();
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    assert_eq!(parts, [("authorisation", &b"a+b"[..]), ("scope", b"read")], "what the manifest declares, decoded");
    assert!(matches!(session.state(), State::Collecting { .. }));
    assert_eq!(get(address, back, "").await.0, 404, "one use");

    assert!(matches!(other.state(), State::AwaitingPerson { .. }), "the other person is still elsewhere");
    assert_eq!(get(address, "/v1/callback?state=state-2&error=access_denied", "").await.0, 200);
    assert!(matches!(other_asked.answer.await.unwrap(), Answer::Denied));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_opens_no_question_that_sent_nobody_elsewhere() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let (session, asked) = sent_elsewhere(&world, "state-1").await;
    drop(asked);
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let person = AskPerson::new(session.clone(), world.clock.clone(), entropy(), manifest.answers());
    let _asked = person.ask(Question { kind: "otp".to_owned(), details: vec![], image: None }).unwrap();
    assert_eq!(get(address, "/v1/callback?state=state-1&code=123456", "").await.0, 404);
    assert!(matches!(session.state(), State::AwaitingPerson { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_failed_is_told_whole_and_to_everybody() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let new = world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
    let failure = Failure {
        page: Some("profile".parse().unwrap()),
        missing: Some("family".parse::<Name>().unwrap().into()),
        retry_after_ms: Some(1500),
        ..Failure::new(Code::PageUnrecognised)
    };
    let now = world.clock.now();
    new.session.step_for(Step::Failed(failure.code), Some(failure.clone()), now).unwrap();
    new.session.close();
    let path = format!("/v1/sessions/{}", new.session.id());
    let told = serde_json::to_string(&failure).unwrap();
    assert!(told.contains(r#""stage""#) && told.contains(r#""retry""#) && told.contains(r#""blame""#), "{told}");
    for (path, bearer) in [(path.clone(), BEARER), (path.clone(), &new.token), (format!("{path}/events"), &new.token)] {
        let (status, answer) = get(address, &path, bearer).await;
        assert!(status == 200 && answer.contains(&format!(r#""failure":{told}"#)), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_events_keeps_no_node_from_stopping() {
    let world = world().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move { stopped.await.unwrap() };
    let served = tokio::spawn(crate::api::serve(listener, world.engine.clone(), stopped));
    let new = world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
    let mut reader = tokio::net::TcpStream::connect(address).await.unwrap();
    let path = format!("/v1/sessions/{}/events", new.session.id());
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", new.token);
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 15];
    reader.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    let mut rest = vec![];
    reader.read_to_end(&mut rest).await.unwrap();
    served.await.unwrap();
    assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "the stream came to its end, nothing was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_scheme_has_no_case() {
    let world = world().await;
    let address = serve(&world.engine).await;
    let new = world.engine.create_session(&lender(), REQUEST.as_bytes()).await.unwrap();
    let path = format!("/v1/sessions/{}", new.session.id());
    for (scheme, status) in [("Bearer", "200"), ("bearer", "200"), ("BEARER", "200"), ("Basic", "401"), ("", "401")] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let answer = send(address, &format!("{head}Authorization: {scheme} {BEARER}\r\n\r\n")).await;
        assert_eq!(&answer[9..12], status, "{scheme}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_refused_is_told_with_its_reason_until_the_next_one() {
    let world = world().await;
    let (session, now) = (world.agreed().await, world.clock.now());
    session.step(Step::CredentialsGiven, now).unwrap();
    let failure = Failure { page: Some("login".parse().unwrap()), ..Failure::new(Code::CredentialsRejected) };
    session.step_for(Step::LoginRejected(failure.code), Some(failure.clone()), now).unwrap();
    assert_eq!(session.failure().as_ref(), Some(&failure));
    world.engine.fail(&session, Code::CredentialsRejected).await;
    assert_eq!(session.failure().as_ref(), Some(&failure), "the end keeps the reason");

    let again = world.agreed().await;
    again.step(Step::CredentialsGiven, now).unwrap();
    again.step_for(Step::LoginRejected(failure.code), Some(failure), now).unwrap();
    again.step(Step::CredentialsGiven, now).unwrap();
    assert_eq!(again.failure(), None);
}
