//! What the engine refuses: one clear answer each, and everybody else is served on.

use consentry_tests::journey::{Journey, client, send};
use consentry_tests::service::BEARER;
use reqwest::Method;
use serde_json::{Value, json};

use super::{EVENT, LOGIN, World};

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
async fn an_address_at_which_the_connector_may_not_collect_is_refused_before_a_grant_is_used() {
    let mut world = World::prepared().await;
    // Without the ground for it, only a bank on this machine is nobody's bank.
    let ground = "tpp-exempt = \"a bank of made-up people, for tests and demonstrations\"\n";
    world.update("sample-bank.wasm", &[(ground, "")]);
    world.node.approve("connectors/sample-bank.wasm").unwrap();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let (person, _) = world.agreed().await;
    // The operator moves the source while the person looks for their password.
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let moved = config.replace(&world.bank.site_url, "https://bank.example");
    assert_ne!(moved, config);
    std::fs::write(&path, moved).unwrap();
    world.kill_and_restart();

    let sealed = person.seal(None, &LOGIN).await.unwrap();
    let reply = person.call(Method::POST, "credentials", Some(sealed.into())).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.media.as_str()), (422, "application/problem+json"), "{reply:?}");
    assert!(reply.json()["detail"].as_str().unwrap().contains("is a payment account"), "{reply:?}");
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("platform-failed")), "{status}");
    assert_eq!(person.receipts().await.unwrap(), Vec::<Value>::new(), "no login was opened");
    // Nobody else gets so far.
    let other = world.service.ask(&world.node).await.unwrap();
    let refused = other.choose("sample-bank", "sample-bank").await.unwrap_err().to_string();
    assert!(refused.contains("is a payment account"), "{refused}");
    assert!(world.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_limits_bound_every_run() {
    let mut world = World::prepared().await;
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("[events]\n", "[limits]\nrequests = 2\n\n[events]\n", 1)).unwrap();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    while events.next(EVENT).await.unwrap().is_some() {}
    let status = person.status().await.unwrap();
    assert_eq!((&status["state"], &status["code"]), (&json!("failed"), &json!("limit-exceeded")), "{status}");
    let asked = format!("{:?}", world.bank.requests());
    assert!(asked.contains("/login") && !asked.contains("/accounts"), "the third is not sent: {asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_takes_no_more_than_its_streams_of_events() {
    let world = World::new().await;
    let (person, _) = world.agreed().await;
    let mut streams = Vec::new();
    let refused = loop {
        match person.events().await {
            Ok(stream) => streams.push(stream),
            Err(_) => break person.call(Method::GET, "events", None).await.unwrap(),
        }
        assert!(streams.len() < 100, "there is no end");
    };
    assert_eq!((refused.status.as_u16(), refused.media.as_str()), (429, "application/problem+json"), "{refused:?}");
    assert_eq!(refused.json()["type"], "urn:consentry:problem:too-many-streams");
    // Others are served on, and so is this one.
    let (other, mut events) = world.agreed().await;
    other.call(Method::POST, "withdraw", None).await.unwrap();
    while events.next(EVENT).await.unwrap().is_some() {}
    assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
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
