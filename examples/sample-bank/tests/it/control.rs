//! The control port over HTTP.

use reqwest::header::CONTENT_TYPE;
use sample_bank::{MARIE, SampleBank, SiteState};
use serde_json::{Value, json};

use crate::visitor::{Visitor, bank, client};

async fn call(bank: &SampleBank, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let method = method.parse::<reqwest::Method>().unwrap();
    let mut request = client().request(method, format!("{}{path}", bank.control_url));
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
}

#[tokio::test]
async fn settings_can_be_read_changed_in_part_and_reset() {
    let bank = bank(SiteState::Ok).await;
    let at_start = json!({"state": "ok", "operations": [300, 0, 0], "ask_otp": false, "slow_ms": 5000});
    assert_eq!(call(&bank, "GET", "/state", None).await, (200, at_start.clone()));
    let (status, now) = call(&bank, "PUT", "/state", Some(json!({"state": "bot-wall", "slow_ms": 7}))).await;
    assert_eq!(status, 200);
    assert_eq!(now, json!({"state": "bot-wall", "operations": [300, 0, 0], "ask_otp": false, "slow_ms": 7}));
    assert_eq!(Visitor::of(&bank).get("/").await.status, 403);
    assert_eq!(call(&bank, "POST", "/reset", None).await, (200, at_start));
    assert_eq!(Visitor::of(&bank).get("/").await.status, 200);
    bank.stop().await;
}

#[tokio::test]
async fn every_state_can_be_set_by_its_name() {
    let bank = bank(SiteState::Ok).await;
    let (_, listed) = call(&bank, "GET", "/states", None).await;
    assert_eq!(listed.as_array().unwrap().len(), SiteState::TABLE.len());
    for (state, name, _) in SiteState::TABLE {
        let (status, now) = call(&bank, "PUT", "/state", Some(json!({"state": name}))).await;
        assert_eq!((status, &now["state"]), (200, &json!(name)));
        assert_eq!(bank.settings().state, *state);
        assert_eq!(name.parse::<SiteState>().unwrap(), *state);
    }
    bank.stop().await;
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_refused_and_changes_nothing() {
    let bank = bank(SiteState::Empty).await;
    for nonsense in [json!({"state": "closed"}), json!({"sate": "ok"}), json!({"operations": [1]}), json!([])] {
        let (status, answer) = call(&bank, "PUT", "/state", Some(nonsense)).await;
        assert!((400..500).contains(&status) && answer["error"].is_string());
    }
    let (_, answer) = call(&bank, "PUT", "/state", Some(json!({"state": "closed"}))).await;
    assert!(answer["error"].as_str().unwrap().contains("`session-lost`"), "the answer lists the states");
    assert_eq!(bank.settings().state, SiteState::Empty);
    bank.stop().await;
}

#[tokio::test]
async fn the_site_tells_what_it_was_asked_without_values() {
    let bank = bank(SiteState::Ok).await;
    let visitor = Visitor::of(&bank);
    visitor.log_in_as(&MARIE).await;
    visitor.get("/accounts/1/operations?page=2").await;
    let (_, seen) = call(&bank, "GET", "/requests", None).await;
    assert_eq!(
        seen,
        json!([
            {"method": "GET", "path": "/login", "fields": []},
            {"method": "POST", "path": "/login", "fields": ["identifiant", "motdepasse", "jeton"]},
            {"method": "GET", "path": "/accounts/1/operations", "fields": ["page"]},
        ])
    );
    bank.stop().await;
}

#[tokio::test]
async fn the_last_login_form_can_be_read_and_is_not_in_debug_output() {
    let bank = bank(SiteState::WrongPassword).await;
    assert_eq!(call(&bank, "GET", "/received", None).await.0, 404);
    Visitor::of(&bank).log_in("11112222", "first try").await;
    Visitor::of(&bank).log_in("33334444", "it's & ünï=code").await;
    let (status, received) = call(&bank, "GET", "/received", None).await;
    assert_eq!((status, received), (200, json!({"login": "33334444", "password": "it's & ünï=code"})));
    assert_eq!(format!("{:?}", bank.received().unwrap()), "Received { .. }");
    bank.stop().await;
}

#[tokio::test]
async fn codes_and_taps_are_there_once_a_login_waits_for_them() {
    let bank = bank(SiteState::Otp).await;
    for path in ["/last-otp", "/last-captcha"] {
        assert_eq!(call(&bank, "GET", path, None).await.0, 404);
    }
    for path in ["/approve", "/deny"] {
        assert_eq!(call(&bank, "POST", path, None).await.0, 409);
    }
    Visitor::of(&bank).log_in_as(&MARIE).await;
    let (_, code) = call(&bank, "GET", "/last-otp", None).await;
    assert_eq!(code["code"].as_str(), bank.last_otp().as_deref());
    assert_eq!(code["code"].as_str().unwrap().len(), 6);
    bank.set_state(SiteState::ApproveInApp);
    let visitor = Visitor::of(&bank);
    visitor.log_in_as(&MARIE).await;
    assert_eq!(call(&bank, "POST", "/approve", None).await.0, 204);
    assert_eq!(visitor.get("/approval").await.header("location"), "/accounts");
    bank.stop().await;
}

#[tokio::test]
async fn a_reset_ends_sessions_and_forgets_what_was_seen() {
    let bank = bank(SiteState::Ok).await;
    let visitor = Visitor::of(&bank);
    visitor.log_in_as(&MARIE).await;
    bank.reset();
    assert!(bank.requests().is_empty() && bank.received().is_none());
    assert_eq!(visitor.get("/accounts").await.status, 302);
    bank.stop().await;
}
