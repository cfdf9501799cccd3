//! One person's way through a session, over HTTP, as their browser goes it: what is typed is encrypted here, with the key that
//! the engine publishes, and nothing of it is sent in clear. Every wait has a deadline.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use consentry::credentials;
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, Content};
use consentry::jose::{Algorithm, PublicKey, RecipientKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Longest wait for anything but a collection.
const SOON: Duration = Duration::from_secs(30);

/// A person's browser in one session.
#[derive(Debug, Clone)]
pub struct Journey {
    base: String,
    session: String,
    token: String,
    http: reqwest::Client,
}

/// An answer of the engine, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// `application/json`, `application/problem+json` and so on.
    pub media: String,
    /// The body, as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The body of a success.
    ///
    /// # Errors
    /// Any other status, with the problem's text.
    pub fn good(self) -> anyhow::Result<Value> {
        ensure!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.bytes));
        Ok(self.json())
    }
}

/// An HTTP client that follows nothing and gives up after a while.
///
/// # Errors
/// It can't be built.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // One provider for the process; another test may have installed one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?)
}

/// Sends one request and reads its answer.
///
/// # Errors
/// No answer in time.
pub async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<Reply> {
    let response = request.timeout(SOON).send().await?;
    let media =
        response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Reply { status: response.status(), media, bytes: response.bytes().await?.to_vec() })
}

impl Journey {
    /// Takes up a session with the secret that its person got.
    ///
    /// # Errors
    /// No HTTP client can be built.
    pub fn new(base: &str, session: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self { base: base.to_owned(), session: session.to_owned(), token: token.to_owned(), http: client()? })
    }

    /// The session's id.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The person's secret for the session.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// One request below the session's path. `body` is JSON, or text as it is (a JWE).
    ///
    /// # Errors
    /// No answer in time.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Reply> {
        let request = self.http.request(method, self.url(path)).bearer_auth(&self.token);
        send(match body {
            Some(Value::String(text)) => request.header("content-type", "application/jose").body(text),
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        })
        .await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await?.good()
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await?.good()
    }

    fn url(&self, path: &str) -> String {
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{}/v1/sessions/{}{slash}{path}", self.base, self.session)
    }

    /// Where the session stands: the answer's `status`.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn status(&self) -> anyhow::Result<Value> {
        Ok(self.get("").await?["status"].clone())
    }

    /// The Data Sources that can be chosen.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn sources(&self) -> anyhow::Result<Value> {
        Ok(self.get("sources").await?["sources"].clone())
    }

    /// Chooses a Data Source, and gives the notice.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn choose(&self, connector: &str, source: &str) -> anyhow::Result<Value> {
        self.post("source", json!({ "connector": connector, "source": source })).await
    }

    /// Agrees to everything that the notice asks.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn agree(&self, notice: &Value) -> anyhow::Result<()> {
        let asked = notice["facts"]["asked"].as_array().context("the notice asks for something")?;
        let categories: Vec<&Value> = asked.iter().map(|asked| &asked["category"]).collect();
        let decision = json!({ "decision": "given", "notice": notice["digest"], "categories": categories,
            "attests_access": true });
        self.post("consent", decision).await.map(drop)
    }

    /// Gives the login, encrypted.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn log_in(&self, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let jwe = self.seal(None, fields).await?;
        self.post("credentials", jwe.into()).await.map(drop)
    }

    /// Answers a question, encrypted.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn answer(&self, question: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let jwe = self.seal(Some(question), fields).await?;
        self.post("answers", jwe.into()).await.map(drop)
    }

    /// Encrypts what was typed to the engine's published key, as the page's script does.
    ///
    /// # Errors
    /// There is no such key.
    pub async fn seal(&self, question: Option<&str>, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        self.seal_to(&self.published_key().await?, question, fields)
    }

    /// As [`Journey::seal`], to a key that was read before.
    ///
    /// # Errors
    /// As [`Journey::typed`].
    pub fn seal_to(
        &self,
        key: &RecipientKey,
        question: Option<&str>,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let typed = self.typed(question, fields)?;
        Entropy::system().with(|rng| Ok(jwe::seal(&typed, Content::Plain, key, rng)?))
    }

    /// What the page's script encrypts.
    ///
    /// # Errors
    /// The session's or question's id is none.
    pub fn typed(&self, question: Option<&str>, fields: &[(&str, &str)]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let value = |value: &str| Zeroizing::new(value.as_bytes().to_vec());
        let values: Vec<_> = fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
        Ok(credentials::write(self.session.parse()?, question.map(str::parse).transpose()?, &values))
    }

    /// The key to encrypt to.
    ///
    /// # Errors
    /// None is published.
    pub async fn published_key(&self) -> anyhow::Result<RecipientKey> {
        let jwks = send(self.http.get(format!("{}/v1/keys", self.base))).await?.good()?;
        let keys = jwks["keys"].as_array().context("a JWKS")?;
        let key = keys.iter().find(|key| key["use"] == "enc").context("a key to encrypt to")?;
        Ok(RecipientKey::from_public(PublicKey::from_jwk(&key.to_string(), Algorithm::RsaOaep256)?)?)
    }

    /// What was found.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn preview(&self) -> anyhow::Result<Value> {
        self.get("preview").await
    }

    /// Shares everything but these items of the preview.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn share(&self, without: &[usize]) -> anyhow::Result<()> {
        self.post("share", json!({ "without_items": without })).await.map(drop)
    }

    /// Takes the consent back.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn withdraw(&self) -> anyhow::Result<Value> {
        self.call(Method::POST, "withdraw", None).await?.good()
    }

    /// The receipts so far.
    ///
    /// # Errors
    /// As [`Journey::status`].
    pub async fn receipts(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.get("receipts").await?;
        Ok(answer["receipts"].as_array().context("a list")?.clone())
    }

    /// The session's events.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn events(&self) -> anyhow::Result<Events> {
        self.events_after("").await
    }

    /// The session's events from the one after this one on, as [`Events::last`] named it.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn events_after(&self, last: &str) -> anyhow::Result<Events> {
        let request = self.http.get(self.url("events")).bearer_auth(&self.token).header("last-event-id", last);
        let response = tokio::time::timeout(SOON, request.send()).await??;
        ensure!(response.status() == StatusCode::OK, "events: {}", response.status());
        Ok(Events { response, buffer: vec![], last: last.to_owned() })
    }
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    buffer: Vec<u8>,
    last: String,
}

impl Events {
    /// What the last event is called.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// The next event; nothing when the stream ended.
    ///
    /// # Errors
    /// None came in time, or the connection broke.
    pub async fn next(&mut self, within: Duration) -> anyhow::Result<Option<Value>> {
        let read = async {
            loop {
                if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                    let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
                    let frame = String::from_utf8(frame)?;
                    if let Some(id) = frame.lines().find_map(|line| line.strip_prefix("id:")) {
                        id.trim().clone_into(&mut self.last);
                    }
                    if let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data:")) {
                        return Ok(Some(serde_json::from_str(data)?));
                    }
                } else if let Some(chunk) = self.response.chunk().await? {
                    self.buffer.extend_from_slice(&chunk);
                } else {
                    return Ok(None);
                }
            }
        };
        tokio::time::timeout(within, read).await.with_context(|| format!("no event within {} s", within.as_secs()))?
    }

    /// Reads until the session is in this state, and gives that event. Any end that was not asked for is an error.
    ///
    /// # Errors
    /// It ended otherwise, or not in time.
    pub async fn until(&mut self, state: &str, within: Duration) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        while let Some(event) = self.next(within).await? {
            if event["type"] != "state" {
                continue;
            }
            if event["state"] == state {
                return Ok(event);
            }
            let over = ["completed", "partial", "failed", "expired", "withdrawn"];
            if over.iter().any(|end| event["state"] == *end) {
                bail!("wanted {state}, and it ended: {event}");
            }
            last = event;
        }
        bail!("the events ended before {state}; the last was {last}")
    }

    /// Reads until something is asked, and gives the question.
    ///
    /// # Errors
    /// As [`Events::until`].
    pub async fn question(&mut self, within: Duration) -> anyhow::Result<Value> {
        while let Some(event) = self.next(within).await? {
            if event["type"] == "question" {
                return Ok(event);
            }
        }
        bail!("the events ended and nothing was asked")
    }
}
