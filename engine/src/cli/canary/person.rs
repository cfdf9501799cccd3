//! The person of a drill, as their browser goes through a session: what is typed is sealed here, with the key that the engine
//! publishes.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::service::Begun;
use crate::cli::stand_in::wire::{Asked, Events};
use crate::credentials;
use crate::entropy::Entropy;
use crate::jose::jwe::{self, Content};
use crate::jose::{Algorithm, PublicKey, RecipientKey};

/// A person in one session, behind a door.
pub(super) struct Person {
    door: SocketAddr,
    begun: Begun,
    events: Events,
}

impl Person {
    /// Chooses this Data Source, reads its notice, agrees to all of it, and listens.
    pub(super) fn agreed(door: SocketAddr, begun: Begun, connector: &str, source: &str) -> anyhow::Result<Self> {
        let notice = call(door, &begun, "POST", "source", Some(&json!({ "connector": connector, "source": source })))?;
        let asked = notice["facts"]["asked"].as_array().context("the notice asks for something")?;
        let categories: Vec<&Value> = asked.iter().map(|asked| &asked["category"]).collect();
        let decision = json!({ "decision": "given", "notice": notice["digest"], "categories": categories, "attests_access": true });
        call(door, &begun, "POST", "consent", Some(&decision))?;
        let path = format!("/v1/sessions/{}/events", begun.session);
        let events = Asked { method: "GET", path: &path, token: Some(&begun.token), body: None }.listen(door)?;
        Ok(Self { door, begun, events })
    }

    /// Gives a login.
    pub(super) fn log_in(&self, fields: &[(String, String)]) -> anyhow::Result<()> {
        self.give("credentials", None, fields)
    }

    /// Lends a login, once the report was given.
    pub(super) fn lend(&self, fields: &[(String, String)]) -> anyhow::Result<()> {
        self.seal(("PUT", "report/login"), Some("maintenance"), None, fields)
    }

    /// Waits for a question, and gives the name by which it is answered, and of its first field.
    pub(super) fn asked(&mut self) -> anyhow::Result<(String, String)> {
        loop {
            let event = self.events.next()?;
            if event["type"] == "question" {
                let text = |value: &Value| value.as_str().map(str::to_owned).context("a question names a field");
                return Ok((text(&event["question"])?, text(&event["fields"][0]["name"])?));
            }
            self.not_over(&event, "")?;
        }
    }

    /// Answers a question.
    pub(super) fn answer(&self, question: &str, field: &str, value: &str) -> anyhow::Result<()> {
        self.give("answers", Some(question), &[(field.to_owned(), value.to_owned())])
    }

    /// Waits until the session is in this state. Another end is an error.
    pub(super) fn until(&mut self, state: &str) -> anyhow::Result<()> {
        loop {
            let event = self.events.next()?;
            if event["type"] == "state" && event["state"] == state {
                return Ok(());
            }
            self.not_over(&event, state)?;
        }
    }

    fn not_over(&self, event: &Value, wanted: &str) -> anyhow::Result<()> {
        let over = ["completed", "partial", "failed", "expired", "withdrawn"];
        if event["type"] == "state" && over.iter().any(|end| event["state"] == *end) {
            bail!("the session {} was to be {wanted}, and ended: {event}", self.begun.session);
        }
        Ok(())
    }

    /// Any other request below the session's path; the answer is JSON or nothing.
    pub(super) fn does(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        call(self.door, &self.begun, method, path, body)
    }

    fn give(&self, path: &str, question: Option<&str>, fields: &[(String, String)]) -> anyhow::Result<()> {
        self.seal(("POST", path), None, question, fields)
    }

    /// Sends fields, sealed to the published key of this duty.
    fn seal(
        &self,
        (method, path): (&str, &str),
        duty: Option<&str>,
        question: Option<&str>,
        fields: &[(String, String)],
    ) -> anyhow::Result<()> {
        let values: Vec<_> =
            fields.iter().map(|(name, text)| (name.clone(), Zeroizing::new(text.as_bytes().to_vec()))).collect();
        let question = question.map(str::parse).transpose()?;
        let typed = credentials::write(self.begun.session.parse()?, question, &values);
        let key = published_key(self.door, duty)?;
        let sealed = Entropy::system().with(|rng| jwe::seal(&typed, Content::Plain, &key, rng))?;
        let path = format!("/v1/sessions/{}/{path}", self.begun.session);
        let body = Some(("application/jose", sealed.as_str()));
        let asked = Asked { method, path: &path, token: Some(&self.begun.token), body };
        asked.ask(self.door)?.good(&path).map(drop)
    }
}

/// Asks for something outside of a session, as who is signed in by this token; the answer is JSON or nothing.
pub(super) fn ask(
    door: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let text = body.map(Value::to_string);
    let body = text.as_deref().map(|text| ("application/json", text));
    let answer = Asked { method, path, token, body }.ask(door)?.good(path)?;
    Ok(if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer)? })
}

fn call(door: SocketAddr, begun: &Begun, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    ask(door, method, &format!("/v1/sessions/{}/{path}", begun.session), Some(&begun.token), body)
}

/// The key that the engine publishes for logins of collections; with a duty, the one for that.
fn published_key(door: SocketAddr, duty: Option<&str>) -> anyhow::Result<RecipientKey> {
    let asked = Asked { method: "GET", path: "/v1/keys", token: None, body: None };
    let jwks: Value = serde_json::from_slice(&asked.ask(door)?.good("the engine's keys")?)?;
    let key =
        jwks["keys"].as_array().into_iter().flatten().find(|key| key["use"] == "enc" && key["duty"].as_str() == duty);
    let key = key.context("the engine publishes a key for logins")?;
    Ok(RecipientKey::from_public(PublicKey::from_jwk(&key.to_string(), Algorithm::RsaOaep256)?)?)
}
