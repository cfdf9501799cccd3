//! What the page encrypts, at both of its doors: a login and an answer that were not sealed for this session, or hold what can't be used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry::credentials::VALUE_BYTES_MAX;
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, Content};
use consentry::jose::{Algorithm, PrivateKey, RecipientKey};
use consentry_tests::journey::{Journey, Reply};
use reqwest::Method;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{EVENT, LOGIN, World};

/// What an answer is written in, when it is wrong on purpose.
const CODE: [(&str, &str); 1] = [("code", "123456")];

async fn send(person: &Journey, door: &str, jwe: &str) -> Reply {
    person.call(Method::POST, door, Some(jwe.into())).await.unwrap()
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

/// The sealed message fits no form: one problem document, which says what is wrong and repeats no value.
fn check_fields(reply: &Reply, named: &str) {
    assert_eq!((reply.status.as_u16(), reply.media.as_str()), (422, "application/problem+json"), "{named}: {reply:?}");
    let problem = reply.json();
    assert_eq!(problem["type"], "urn:consentry:problem:fields", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    let said = problem.to_string();
    assert!(said.len() < 1000 && !said.contains("not-a-number") && !said.contains("43"), "{said}");
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

/// Every way in which a message for this person, or for this question to them, is not the one that it should be.
async fn wrong(person: &Journey, question: Option<&str>, bystander: &Journey) -> Vec<(&'static str, String)> {
    let fields: &[(&str, &str)] = if question.is_some() { &CODE } else { &LOGIN };
    let good = person.seal(question, fields).await.unwrap();
    let other_key = PrivateKey::generate(Algorithm::RsaOaep256).unwrap();
    let other_key = RecipientKey::from_public(other_key.public().clone()).unwrap();
    let to_other = person.seal_to(&other_key, question, fields).unwrap();
    let kid = person.published_key().await.unwrap().public().kid().to_owned();
    let elsewhere = if question.is_some() { None } else { Some("qst_01JD8Z3M7K0000000000000000") };
    vec![
        ("another key under our key's name", with_header(&to_other, |header| header["kid"] = kid.as_str().into())),
        ("another key", to_other),
        ("another algorithm", with_header(&good, |header| header["alg"] = "RSA1_5".into())),
        ("another encryption", with_header(&good, |header| header["enc"] = "A128GCM".into())),
        ("a damaged tag", damaged(&good, 4)),
        ("a damaged key", damaged(&good, 1)),
        ("a damaged text", damaged(&good, 3)),
        ("another session's", bystander.seal(question, fields).await.unwrap()),
        ("nothing", String::new()),
        (
            "an answer instead of a login, or a login instead of an answer",
            person.seal(elsewhere, fields).await.unwrap(),
        ),
    ]
}

/// Values that no field may hold: one byte too long, and not UTF-8.
async fn unusable(person: &Journey, question: Option<&str>, name: &str) -> Vec<String> {
    let key = person.published_key().await.unwrap();
    let value = |bytes: Vec<u8>| {
        let values = [(name.to_owned(), Zeroizing::new(bytes))];
        let question = question.map(|question| question.parse().unwrap());
        let typed = consentry::credentials::write(person.session().parse().unwrap(), question, &values);
        Entropy::system().with(|rng| jwe::seal(&typed, Content::Plain, &key, rng)).unwrap()
    };
    vec![value(vec![b'4'; VALUE_BYTES_MAX + 1]), value(vec![b'4', 0xff])]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_not_sealed_for_this_session_is_refused_alike() {
    let world = World::new().await;
    let (bystander, mut bystander_events) = world.agreed().await;
    let (some, _) = world.agreed().await;
    for at in 0..wrong(&some, None, &bystander).await.len() {
        // Each has its own session: some of them use up one of its three tries.
        let (person, _) = world.agreed().await;
        let (what, token) = wrong(&person, None, &bystander).await.swap_remove(at);
        check_sealed(&send(&person, "credentials", &token).await, what);
        assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials", "{what}");
    }
    assert!(world.bank.requests().is_empty());
    // The one whose login was tried elsewhere goes on undisturbed.
    bystander.log_in(&LOGIN).await.unwrap();
    bystander_events.until("in-review", EVENT).await.unwrap();
    // Who sent one that was none gives another.
    let (person, mut events) = world.agreed().await;
    let token = damaged(&person.seal(None, &LOGIN).await.unwrap(), 4);
    check_sealed(&send(&person, "credentials", &token).await, "first");
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_not_sealed_for_this_question_is_refused_alike_and_the_run_waits_on() {
    let world = World::new().await;
    let (bystander, _) = world.agreed().await;
    let (person, mut events, question) = world.asked().await;
    let asked = question["question"].as_str();
    let seen = world.bank.requests().len();
    for (what, token) in wrong(&person, asked, &bystander).await {
        check_sealed(&send(&person, "answers", &token).await, what);
    }
    for token in unusable(&person, asked, "code").await {
        check_fields(&send(&person, "answers", &token).await, "the answer is longer than 4096 bytes, or is not UTF-8");
    }
    // The bank was asked nothing on the strength of any of them; the right answer is taken.
    assert_eq!(world.bank.requests().len(), seen);
    world.answer(&person, &question).await;
    events.until("in-review", EVENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_does_not_fit_the_form_is_refused_by_field_and_without_a_value() {
    let world = World::new().await;
    for (fields, named) in [
        (vec![("login", "12345678")], "password is missing"),
        (vec![("login", "not-a-number"), ("password", "x")], "login has another form"),
        // Who confuses names and values may have put a password there: an unknown name is not repeated.
        (vec![("login", "12345678"), ("password", "x"), ("shoe", "43")], "a field that the connector does not ask for"),
    ] {
        let (person, _) = world.agreed().await;
        let token = person.seal(None, &fields).await.unwrap();
        check_fields(&send(&person, "credentials", &token).await, named);
    }
    let told = "is longer than 4096 bytes, or is not UTF-8";
    for (name, named) in [("password", format!("password {told}")), ("shoe43", "a field that the connector".to_owned())]
    {
        let (person, _) = world.agreed().await;
        for token in unusable(&person, None, name).await {
            check_fields(&send(&person, "credentials", &token).await, &named);
        }
        assert_eq!(person.status().await.unwrap()["state"], "awaiting-credentials");
    }
    assert!(world.bank.requests().is_empty());
}
