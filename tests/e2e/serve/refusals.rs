//! What the engine refuses: one clear answer each, and everybody else is served on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, Content};
use consentry::jose::{Algorithm, PrivateKey, RecipientKey};
use consentry_tests::journey::{Journey, Reply, client, send};
use consentry_tests::service::BEARER;
use reqwest::Method;
use serde_json::{Value, json};

use super::{EVENT, LOGIN, World};

async fn credentials(person: &Journey, jwe: &str) -> Reply {
    person.call(Method::POST, "credentials", Some(jwe.into())).await.unwrap()
}

/// One problem document, whose words do not tell one cause from another.
fn check_sealed(reply: &Reply, what: &str) {
    assert_eq!((reply.status.as_u16(), reply.media.as_str()), (400, "application/problem+json"), "{what}: {reply:?}");
    let problem = reply.json();
    assert_eq!(problem["type"], "urn:consentry:failure:decrypt-failed", "{what}");
    assert!(
        problem["title"].is_string() && problem["next"].is_string() && problem["detail"].is_null(),
        "{what}: {problem}"
    );
    assert_eq!(problem["failure"]["blame"], "person", "{what}");
}

/// The token with another header.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The token with one bit of one part flipped.
fn damaged(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    bytes[0] ^= 1;
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sealed_for_this_session_is_refused_alike() {
    let world = World::new().await;
    let (bystander, mut bystander_events) = world.agreed().await;
    let other_key = PrivateKey::generate(Algorithm::RsaOaep256).unwrap();

    for (what, make) in [
        ("another key under our key's name", 0),
        ("another key", 1),
        ("another algorithm", 2),
        ("another encryption", 3),
        ("a damaged tag", 4),
        ("a damaged key", 5),
        ("a damaged text", 6),
        ("another session's login", 7),
        ("nothing", 8),
        ("an answer instead of a login", 9),
    ] {
        let (person, _) = world.agreed().await;
        let good = person.seal(None, &LOGIN).await.unwrap();
        let typed = person.typed(None, &LOGIN).unwrap();
        let to_other = || {
            let key = RecipientKey::from_public(other_key.public().clone()).unwrap();
            Entropy::system().with(|rng| jwe::seal(&typed, Content::Plain, &key, rng)).unwrap()
        };
        let token = match make {
            0 => {
                let kid = person.published_key().await.unwrap().public().kid().to_owned();
                with_header(&to_other(), |header| header["kid"] = kid.as_str().into())
            }
            1 => to_other(),
            2 => with_header(&good, |header| header["alg"] = "RSA1_5".into()),
            3 => with_header(&good, |header| header["enc"] = "A128GCM".into()),
            4 => damaged(&good, 4),
            5 => damaged(&good, 1),
            6 => damaged(&good, 3),
            7 => bystander.seal(None, &LOGIN).await.unwrap(),
            8 => String::new(),
            _ => person.seal(Some("qst_01JD8Z3M7K0000000000000000"), &LOGIN).await.unwrap(),
        };
        check_sealed(&credentials(&person, &token).await, what);
        assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials", "{what}");
    }
    assert!(world.bank.requests().is_empty());
    // The one whose login was tried elsewhere goes on undisturbed.
    bystander.log_in(&LOGIN).await.unwrap();
    bystander_events.until("in-review", EVENT).await.unwrap();
    // Who sent one that was none gives another.
    let (person, mut events) = world.agreed().await;
    check_sealed(&credentials(&person, &damaged(&person.seal(None, &LOGIN).await.unwrap(), 4)).await, "first");
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_does_not_fit_the_form_is_refused_by_field_and_without_a_value() {
    let world = World::new().await;
    for (fields, named) in [
        (vec![("login", "12345678")], "password"),
        (vec![("login", "not-a-number"), ("password", "x")], "login"),
        // Who confuses names and values may have put a password there: an unknown name is not repeated.
        (vec![("login", "12345678"), ("password", "x"), ("shoe", "43")], "a field that the connector does not ask for"),
    ] {
        let (person, _) = world.agreed().await;
        let token = person.seal(None, &fields).await.unwrap();
        let reply = credentials(&person, &token).await;
        assert_eq!((reply.status.as_u16(), reply.media.as_str()), (422, "application/problem+json"), "{reply:?}");
        let problem = reply.json();
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
        assert!(!problem.to_string().contains("not-a-number") && !problem.to_string().contains("43"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_said_to_be_something_else_is_refused_with_415() {
    let world = World::new().await;
    let (person, _) = world.agreed().await;
    let post = |path: &str| client().unwrap().post(format!("{}/v1/{path}", world.node.url));
    let session = format!("sessions/{}", person.session());
    let sealed = person.seal(None, &[("login", "12345678"), ("password", "x")]).await.unwrap();
    for (request, body) in [
        (post("sessions").bearer_auth(BEARER), json!({ "purpose": "tenant-check" }).to_string()),
        (post(&format!("{session}/credentials")).bearer_auth(person.token()), sealed.clone()),
        (post(&format!("{session}/answers")).bearer_auth(person.token()), sealed),
    ] {
        let reply = send(request.header("content-type", "text/plain").body(body)).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.media.as_str()), (415, "application/problem+json"), "{reply:?}");
    }
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_with_413() {
    let world = World::new().await;
    let (person, _) = world.agreed().await;
    let large = "A".repeat(200 * 1024);
    for path in ["credentials", "answers", "consent", "share", "source"] {
        let body = if path == "credentials" || path == "answers" { json!(large) } else { json!({ "decision": large }) };
        let reply = person.call(Method::POST, path, Some(body)).await.unwrap();
        assert_eq!(
            (reply.status.as_u16(), reply.media.as_str()),
            (413, "application/problem+json"),
            "{path}: {reply:?}"
        );
    }
    let ask = client().unwrap().post(format!("{}/v1/sessions", world.node.url)).bearer_auth(BEARER);
    let reply = send(ask.header("content-type", "application/json").body(json!({ "purpose": large }).to_string()))
        .await
        .unwrap();
    assert_eq!((reply.status.as_u16(), reply.media.as_str()), (413, "application/problem+json"), "{reply:?}");
    // Nothing came of it.
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_refused_with_what_is_wrong_with_it() {
    let world = World::new().await;
    let ask = async |body: Value| {
        let request = client().unwrap().post(format!("{}/v1/sessions", world.node.url)).bearer_auth(BEARER);
        send(request.header("content-type", "application/json").body(body.to_string())).await.unwrap()
    };
    for (body, named) in [
        (json!({ "purpose": "curiosity", "categories": ["person.name"] }), "curiosity"),
        (json!({ "purpose": "tenant-check", "categories": ["person.gender"] }), "person.gender"),
        (json!({ "purpose": "tenant-check", "categories": [] }), "at least one"),
        (json!({ "purpose": "tenant-check", "categories": ["person.name"], "speed": 9 }), "speed"),
        (json!({ "purpose": "tenant-check", "categories": ["person.name"], "history_days": 9999 }), "history"),
    ] {
        let reply = ask(body).await;
        assert_eq!((reply.status.as_u16(), reply.media.as_str()), (422, "application/problem+json"), "{reply:?}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(named), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_a_session_that_is_not_theirs() {
    let world = World::new().await;
    let (person, _) = world.agreed().await;
    let (other, _) = world.agreed().await;
    let stranger = Journey::new(&world.node.url, person.session(), other.token()).unwrap();
    for path in ["", "notice", "events", "preview", "receipts", "sources"] {
        let reply = stranger.call(Method::GET, path, None).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.media.as_str()), (404, "application/problem+json"), "{path}");
    }
    let anybody =
        send(client().unwrap().get(format!("{}/v1/sessions/{}", world.node.url, person.session()))).await.unwrap();
    assert_eq!(anybody.status, 401);
    let nowhere = send(client().unwrap().get(format!("{}/v2/everything", world.node.url))).await.unwrap();
    assert_eq!((nowhere.status.as_u16(), nowhere.media.as_str()), (404, "application/problem+json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_there_ends_one_session_and_no_other() {
    let mut world = World::new().await;
    let (waiting, _) = world.agreed().await;
    let any = "127.0.0.1:0".parse().unwrap();
    let address: std::net::SocketAddr = world.bank.site_url.trim_start_matches("http://").parse().unwrap();
    let elsewhere = sample_bank::SampleBank::start(any, any).await.unwrap();
    std::mem::replace(&mut world.bank, elsewhere).stop().await;

    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    while events.next(EVENT).await.unwrap().is_some() {}
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("source-unavailable")), "{status}");

    world.bank = sample_bank::SampleBank::start(address, any).await.unwrap();
    let mut events = waiting.events().await.unwrap();
    waiting.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_body_in_drops_is_answered_when_its_time_is_over() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let world = World::new().await;
    let (person, _) = world.agreed().await;
    let mut stream = tokio::net::TcpStream::connect(world.node.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/sessions/{}/credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/jose\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nhalf",
        person.session(),
        person.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(EVENT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not come in time"), "{answer}");
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
}
