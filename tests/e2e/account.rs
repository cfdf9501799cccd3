//! Accounts: a passkey of a browser's authenticator, the receipts of a session that was linked, rights without a receipt in the hand, and
//! closing it.

use consentry_tests::journey::{Reply, client, send};
use consentry_tests::node::Node;
use consentry_tests::service::{Service, next};
use online_service::inbox::Kept;
use online_service::receiver::Taken;
use reqwest::{Method, StatusCode};
use sample_bank::{Change, SampleBank};
use serde_json::{Value, json};

use crate::cli::{call, words};
use crate::journey::drive;
use crate::serve::{EVENT, LOGIN};

/// Somebody who is signed in.
struct Holder {
    engine: String,
    token: String,
}

impl Holder {
    fn told(printed: &str, word: &str, node: &Node) -> Self {
        let token = printed.lines().find_map(|line| line.strip_prefix(word)).unwrap().trim().to_owned();
        Self { engine: node.url.clone(), token }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = client().unwrap().request(method, format!("{}{path}", self.engine)).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        send(request).await.unwrap()
    }

    async fn held(&self) -> Value {
        self.call(Method::GET, "/v1/account", None).await.good().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_keeps_what_its_person_shared_and_is_gone_when_they_close_it() {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { operations: Some([2, 0, 0]), ..Change::default() });
    let mut service = Service::new().unwrap();
    let mut node = Node::prepare(&bank.site_url, &service.registered().unwrap()).unwrap();
    // Passkeys need a name.
    let origin = node.url.replace("127.0.0.1", "localhost");
    let config = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    let public = format!("public-url = \"{}", node.url);
    assert!(config.contains(&public), "{config}");
    let config = config.replace(&public, &format!("public-url = \"{origin}"));
    // And an authority has a key, which is no node's.
    let authority = node.path("authority").display().to_string();
    assert_eq!(call(words(&format!("keys recipient {authority}"))).await.code, Some(0));
    let config = config.replace("[hosting]", "[anonymity]\nauthority-key-file = \"authority.jwk.json\"\n\n[hosting]");
    std::fs::write(node.path("consentry.toml"), config).unwrap();
    tokio::task::block_in_place(|| node.serve()).unwrap();
    node.url.clone_from(&origin);
    let mut told = service.listen(&node).await.unwrap();
    let printed = drive("account.mjs", json!({ "engine": node.url, "origin": origin })).await;
    let (julie, other) = (Holder::told(&printed, "TOKEN", &node), Holder::told(&printed, "OTHER", &node));

    let reached = json!({ "contact": "julie@example.org" });
    julie.call(Method::PUT, "/v1/account/contact", Some(reached)).await.good().unwrap();
    let mut subjects = vec![];
    for (holder, another) in [(&julie, &other), (&julie, &other), (&other, &julie)] {
        let person = service.ask(&node).await.unwrap();
        let wrong = person.call(Method::PUT, "account", Some(json!({ "account": "no token" }))).await.unwrap();
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        let linked = person.call(Method::PUT, "account", Some(json!({ "account": holder.token }))).await.unwrap();
        linked.good().unwrap();
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        person.agree(&notice).await.unwrap();
        let mut events = person.events().await.unwrap();
        person.log_in(&LOGIN).await.unwrap();
        events.until("in-review", EVENT).await.unwrap();
        let late = person.call(Method::PUT, "account", Some(json!({ "account": another.token }))).await.unwrap();
        assert_eq!(late.status, StatusCode::CONFLICT);
        person.share(&[]).await.unwrap();
        let taken = next(&mut told, EVENT).await.unwrap();
        let Ok(Taken::Received(parcel, Kept::New)) = taken else { panic!("not received") };
        subjects.push(parcel.content["provenance"]["subject"].as_str().unwrap().to_owned());
        events.until("completed", EVENT).await.unwrap();
        service.receipts(&node, &person).await.unwrap();
    }
    assert!(subjects[0].starts_with("sub_") && subjects[0] == subjects[1], "the same person again");
    assert!(subjects[2].starts_with("sub_") && subjects[2] != subjects[0], "somebody else");
    let held = julie.held().await;
    let receipts = held["receipts"].as_array().unwrap();
    assert_eq!((receipts.len(), &receipts[0]["source"]), (2, &json!("sample-bank")), "{held}");

    erased_as_one_online_service_knows_them(&node, &other, &subjects[2]).await;
    assert_eq!(julie.held().await["receipts"].as_array().unwrap().len(), 2, "somebody else's stay");

    let ask = json!({ "consent": receipts[0]["consent"], "ask": { "right": "access" } });
    let copy = julie.call(Method::POST, "/v1/account/rights", Some(ask.clone())).await.good().unwrap();
    assert_eq!(copy["result"]["consent"]["record_id"], receipts[0]["consent"]);
    let not_theirs = other.call(Method::POST, "/v1/account/rights", Some(ask)).await;
    assert_eq!(not_theirs.status, StatusCode::NOT_FOUND);
    let looked = format!("/v1/account/rights/{}", receipts[0]["consent"].as_str().unwrap());
    let looked = julie.call(Method::GET, &looked, None).await.good().unwrap();
    assert_eq!(looked["requests"][0]["right"], "access");
    let gone = format!("/v1/account/receipts/{}", receipts[0]["receipt"].as_str().unwrap());
    julie.call(Method::DELETE, &gone, None).await.good().unwrap();
    let kept = json!({ "receipt": receipts[0]["token"] });
    other.call(Method::POST, "/v1/account/receipts", Some(kept)).await.good().unwrap();
    assert_eq!(julie.held().await["receipts"].as_array().unwrap().len(), 1);

    julie.call(Method::DELETE, "/v1/account", None).await.good().unwrap();
    assert_eq!(julie.call(Method::GET, "/v1/account", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.held().await["receipts"].as_array().unwrap().len(), 1, "a receipt is its holder's");
    let keys = send(client().unwrap().get(format!("{}/v1/keys", node.url))).await.unwrap();
    std::fs::write(node.path("keys.json"), &keys.bytes).unwrap();
    tokio::task::block_in_place(|| node.stop()).unwrap();
    lifted_on_an_order_alone(&node, &subjects[0], &authority).await;
}

/// The operator erases what is kept of one person, whose receipts leave their account.
async fn erased_as_one_online_service_knows_them(node: &Node, holder: &Holder, subject: &str) {
    assert_eq!(holder.held().await["receipts"].as_array().unwrap().len(), 1);
    let config = node.path("consentry.toml");
    let erased = call(words(&format!("erase --subject {subject} --json --config {}", config.display()))).await.json();
    assert_eq!(erased["facts"]["scope"], json!(subject), "{erased}");
    let survives = erased["facts"]["survives"].as_array().unwrap();
    assert!(survives.iter().any(|kept| kept["row"] == "R14"), "the consent's record: {erased}");
    assert!(holder.held().await["receipts"].as_array().unwrap().is_empty());
}

/// What is left of a closed account is sealed to somebody who is not here, and handed out on an order that is in the ledger.
async fn lifted_on_an_order_alone(node: &Node, subject: &str, authority: &str) {
    let [config, keys, envelope] = ["consentry.toml", "keys.json", "envelope.json"].map(|name| node.path(name));
    let mut order = words(&format!("anonymity order {subject} --authority CNIL --config {}", config.display()));
    order.extend([
        "--out".to_owned(),
        envelope.display().to_string(),
        "--basis".to_owned(),
        "order 12, Art. 58".to_owned(),
    ]);
    let told = call(order).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(!std::fs::read_to_string(&envelope).unwrap().contains("julie@"));
    let open = |file: &std::path::Path| {
        words(&format!("anonymity open {} --key {authority}.key.der --keys {}", file.display(), keys.display()))
    };
    let opened = call(open(&envelope)).await.json();
    assert_eq!(
        (&opened["identity"]["contact"], &opened["identity"]["subject"]),
        (&json!("julie@example.org"), &json!(subject))
    );
    assert_eq!(opened["order"]["event"], "anonymity-lifted", "{opened}");
    // Without the proof that the order is in the ledger the tool opens nothing.
    let mut changed: Value = serde_json::from_slice(&std::fs::read(&envelope).unwrap()).unwrap();
    changed["event"]["order"] = json!("evt_01JD8Z3M7K0000000000000000");
    std::fs::write(node.path("changed.json"), changed.to_string()).unwrap();
    let refused = call(open(&node.path("changed.json"))).await;
    assert!(refused.code == Some(1) && refused.err.contains("in the ledger"), "{refused:?}");
    let register = call(words(&format!("rights disclosures --config {}", config.display()))).await.json();
    assert_eq!(register[0]["authority"], "CNIL", "{register}");
}
