//! The engine's HTTP interface, as far as an Online Service needs it. Answers are bounded; what the engine says about a
//! refusal (RFC 9457) is in the error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consentry::clock::{Clock as _, SystemClock};
use consentry::entropy::Entropy;
use consentry::jose::{Algorithm, PrivateKey, PublicKey, jwe, jws};
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// Longest answer other than a parcel.
const JSON_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An access token is asked for anew so long before its end.
const EARLY: Duration = Duration::from_secs(30);
/// The rest of the form that an assertion is sent in.
const GRANT: &str = "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                     &client_assertion=";

/// The engine at one address, called by one Online Service, which proves with its signing key who it is.
#[derive(Clone)]
pub struct Engine {
    base: String,
    id: String,
    signer: Arc<PrivateKey>,
    access: Arc<Mutex<Option<Access>>>,
    http: reqwest::Client,
}

struct Access {
    token: Zeroizing<String>,
    until: Instant,
}

/// What is asked for. Nothing beyond the registered purpose is granted.
#[derive(Debug, Clone, Serialize)]
pub struct DataRequest {
    /// The id of a registered purpose.
    pub purpose: String,
    /// Categories of the item table, `bank.account`.
    pub categories: Vec<String>,
    /// How far back, in days; what was registered, without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_days: Option<u16>,
    /// Our own name for it, given back in the session; nothing about the person.
    pub reference: Option<String>,
}

/// A session that waits for its person.
#[derive(Clone, Deserialize)]
pub struct Session {
    /// Its id.
    #[serde(rename = "session")]
    pub id: String,
    /// The person's secret for it. It goes to the person's browser and is kept nowhere.
    pub token: String,
    /// Where the person's browser is sent, in the place of a page of our own; it lets one in, once.
    pub url: Option<String>,
    /// When it ends at the latest.
    pub expires_at: String,
}

/// Why the engine gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Not reached, or the connection broke.
    #[error("the engine can't be reached at {0}")]
    Unreachable(String, #[source] reqwest::Error),
    /// It refuses.
    #[error("the engine answers {status}: {problem}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What happened and what to do, in its words.
        problem: String,
    },
    /// The answer is too long.
    #[error("the engine's answer is longer than {0} bytes")]
    TooLong(usize),
    /// The answer is of another form.
    #[error("the engine's answer is not of the expected form: {0}")]
    Form(String),
}

impl EngineError {
    /// The parcel is not there any more: acknowledged, withdrawn, or its hour is over.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::GONE, .. })
    }
}

impl Engine {
    /// Calls the engine at `base`, `https://consentry.operator.example`, as the Online Service with this id and signing key.
    ///
    /// # Errors
    /// The HTTP client can't be built.
    pub fn new(base: &str, id: &str, signer: PrivateKey) -> Result<Self, EngineError> {
        // One provider for the process; another part of it may have installed one already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| EngineError::Unreachable(base.to_owned(), error))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { base, id: id.to_owned(), signer: Arc::new(signer), access: Arc::default(), http })
    }

    /// Access, by `private_key_jwt` (RFC 7523): a new assertion each time.
    async fn access(&self) -> Result<Zeroizing<String>, EngineError> {
        #[derive(Deserialize)]
        struct Given {
            access_token: Zeroizing<String>,
            expires_in: u64,
        }
        let mut access = self.access.lock().await;
        if let Some(held) = access.as_ref().filter(|held| Instant::now() + EARLY < held.until) {
            return Ok(held.token.clone());
        }
        let endpoint = format!("{}/v1/token", self.base);
        let (now, name) = (SystemClock.now().as_second(), Entropy::system().with(|rng| rng.next_u64()));
        let claims = json!({ "iss": self.id, "sub": self.id, "aud": endpoint, "jti": format!("{now}-{name:016x}"), "iat": now, "exp": now + 60 });
        let unsigned = jws::Unsigned::new("JWT", self.signer.public().kid(), claims.to_string().as_bytes());
        let signature = self.signer.sign(unsigned.message()).map_err(|_| EngineError::Form("no signing key".into()))?;
        let form = format!("{GRANT}{}", unsigned.with(&signature));
        let request = self.http.post(endpoint).header("content-type", "application/x-www-form-urlencoded").body(form);
        let given = self.answer(request, JSON_BYTES_MAX).await?;
        let Given { access_token: token, expires_in } =
            serde_json::from_slice(&given).map_err(|error| EngineError::Form(error.to_string()))?;
        *access = Some(Access { token: token.clone(), until: Instant::now() + Duration::from_secs(expires_in) });
        Ok(token)
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn ask(&self, request: &DataRequest) -> Result<Session, EngineError> {
        let body = json!(request).to_string();
        self.json(self.http.post(format!("{}/v1/sessions", self.base)).body(body)).await
    }

    /// Where a session stands.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn session(&self, id: &str) -> Result<Value, EngineError> {
        self.json(self.http.get(format!("{}/v1/sessions/{id}", self.base))).await
    }

    /// The keys that the engine signs with, by their ids. Old ones stay as long as something signed with them may come.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn signing_keys(&self) -> Result<Vec<PublicKey>, EngineError> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let jwks: Jwks = self.json(self.http.get(format!("{}/v1/keys", self.base))).await?;
        let signing = jwks.keys.iter().filter(|key| key["use"] == "sig" && key["duty"].is_null());
        let read = signing.map(|key| PublicKey::from_jwk(&key.to_string(), Algorithm::Ps256));
        read.collect::<Result<_, _>>().map_err(|error| EngineError::Form(error.to_string()))
    }

    /// The keys that the engine signs events with.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn webhook_keys(&self) -> Result<Vec<String>, EngineError> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<String>,
        }
        let published: Published = self.json(self.http.get(format!("{}/v1/webhooks/keys", self.base))).await?;
        Ok(published.keys)
    }

    /// A parcel's sealed bytes. Asking again gives the same bytes.
    ///
    /// # Errors
    /// [`EngineError`]; see [`EngineError::is_gone`].
    pub async fn fetch(&self, parcel: &str) -> Result<String, EngineError> {
        let request = self.http.get(format!("{}/v1/parcels/{parcel}", self.base));
        let bytes = self.send(request, jwe::PARCEL_BYTES_MAX).await?;
        String::from_utf8(bytes).map_err(|_| EngineError::Form("not text".to_owned()))
    }

    /// Says that the parcel with this digest is ours. From then on it is nowhere else.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn acknowledge(&self, parcel: &str, digest: &str) -> Result<(), EngineError> {
        let request = self.http.post(format!("{}/v1/parcels/{parcel}/ack", self.base));
        self.send(request.body(json!({ "digest": digest }).to_string()), JSON_BYTES_MAX).await.map(drop)
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, EngineError> {
        let bytes = self.send(request, JSON_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|error| EngineError::Form(error.to_string()))
    }

    async fn send(&self, request: RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, EngineError> {
        let request = request.header("content-type", "application/json");
        let again = request.try_clone();
        let answer = self.answer(request.bearer_auth(self.access().await?.as_str()), bytes_max).await;
        match (answer, again) {
            // The engine was restarted and knows the token no more.
            (Err(EngineError::Refused { status: StatusCode::UNAUTHORIZED, .. }), Some(request)) => {
                *self.access.lock().await = None;
                self.answer(request.bearer_auth(self.access().await?.as_str()), bytes_max).await
            }
            (answer, _) => answer,
        }
    }

    async fn answer(&self, request: RequestBuilder, bytes_max: usize) -> Result<Vec<u8>, EngineError> {
        let unreachable = |error: reqwest::Error| EngineError::Unreachable(self.base.clone(), error.without_url());
        let mut response = request.send().await.map_err(unreachable)?;
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(EngineError::TooLong(bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        if status.is_success() { Ok(body) } else { Err(EngineError::Refused { status, problem: problem(&body) }) }
    }
}

/// What happened and what to do next, from a problem document.
fn problem(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = ["title", "detail", "next"].into_iter().filter_map(|member| problem[member].as_str());
    let said: Vec<&str> = said.collect();
    if said.is_empty() { "no reason given".to_owned() } else { said.join(" ") }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("base", &self.base).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
