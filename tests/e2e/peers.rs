//! Other implementations open what we seal and check what we sign, and the other way round: jose, jwcrypto, and the browser's own
//! cryptography in real Chromium (`tests/peers`). Each has its private key from `consentry keys recipient` and reads our keys as they
//! are published.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::Html;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry::clock::{Clock as _, SystemClock};
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content};
use consentry::jose::{Algorithm, PrivateKey, PublicKey, RecipientKey, jws};
use consentry::keys::{Duty, KeyProvider, SoftwareKeys};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// How long a browser may take to start and answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const TEXT: &str = "pässwörd \"\\ 🔑";

/// Our side: the keys of an engine, and a recipient.
struct Ours {
    keys: Arc<dyn KeyProvider>,
    recipient: PrivateKey,
    /// The recipient's public half, for signatures: it is one pair.
    checking: PublicKey,
}

impl Ours {
    async fn new() -> Self {
        let keys: Arc<dyn KeyProvider> = Arc::new(SoftwareKeys::ephemeral(SystemClock.now()));
        let recipient = tokio::task::block_in_place(|| PrivateKey::generate(Algorithm::RsaOaep256)).unwrap();
        let checking = PrivateKey::from_pkcs8(Algorithm::Ps256, &recipient.danger_to_pkcs8()).unwrap();
        Self { keys, recipient, checking: checking.public().clone() }
    }

    /// What a peer is given.
    async fn given(&self) -> Value {
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(self.recipient.danger_to_pkcs8().as_slice())
        );
        let to = RecipientKey::from_jwk(&self.recipient.public().to_jwk().to_string()).unwrap();
        let sealed = Entropy::system().with(|rng| jwe::seal(TEXT.as_bytes(), Content::Plain, &to, rng)).unwrap();
        json!({
            "private_pem": pem,
            "kid": self.checking.kid(),
            "text": TEXT,
            "jwe": sealed,
            "jws": self.keys.sign_compact(Duty::Signing, "receipt+jwt", TEXT.as_bytes()).await.unwrap(),
            "seal_to": self.keys.public(Duty::Intake).await.unwrap().to_jwk(),
            "check_with": self.keys.public(Duty::Signing).await.unwrap().to_jwk(),
        })
    }

    /// Checks what a peer answers.
    async fn take(&self, answer: &Value) {
        assert_eq!(
            (&answer["opened"], &answer["checked"], &answer["typ"]),
            (&json!(TEXT), &json!(TEXT), &json!("receipt+jwt")),
            "{answer}"
        );
        let token = answer["jwe"].as_str().unwrap();
        let opened = self.keys.open(Duty::Intake, token, CREDENTIALS_BYTES_MAX).await.unwrap();
        assert_eq!(opened.as_slice(), TEXT.as_bytes());
        let signed = answer["jws"].as_str().unwrap();
        assert_eq!(jws::verify(signed, "peer+jwt", 10_000, &self.checking).unwrap(), TEXT.as_bytes());
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Gives a program an object and takes one.
fn ask(program: &str, script: &str, given: &Value) -> Value {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let mut child = Command::new(installed.join("venv/bin").join(program))
        .arg(peers().join(script))
        .current_dir(&installed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}: run `tests/peers/install target/peers`"));
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn jose_and_we_read_each_other() {
    let ours = Ours::new().await;
    let given = ours.given().await;
    ours.take(&tokio::task::block_in_place(|| ask("node", "jose.mjs", &given))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jwcrypto_and_we_read_each_other() {
    let ours = Ours::new().await;
    let given = ours.given().await;
    ours.take(&tokio::task::block_in_place(|| ask("python", "jwcrypto.py", &given))).await;
}

/// A browser on a folder of its own; dropping it ends it.
struct Browser(Child, #[expect(dead_code, reason = "it is removed with the browser")] tempfile::TempDir);

impl Browser {
    fn open(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("chromium-headless-shell")
            // It has one page to show, which is ours; its own sandbox can't be made as root.
            .args(["--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Chromium: {error}: run `tests/peers/install target/peers`"));
        Self(child, folder)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A failure means that it is gone already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browsers_cryptography_and_we_read_each_other() {
    let ours = Ours::new().await;
    let given = ours.given().await.to_string();
    let page = std::fs::read_to_string(peers().join("webcrypto.html")).unwrap();
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(Mutex::new(Some(tell)));
    let take = async move |body: String| {
        if let Some(tell) = tell.lock().unwrap().take() {
            let _ = tell.send(body);
        }
    };
    let app = axum::Router::new()
        .route("/", get(async move || Html(page)))
        .route("/given", get(async move || given))
        .route("/answer", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Loopback is a secure context, which WebCrypto asks for.
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let site = tokio::spawn(async move { axum::serve(listener, app).await });
    let _browser = Browser::open(&url);
    let answer = tokio::time::timeout(ANSWERS_WITHIN, told).await.expect("the browser answers").unwrap();
    ours.take(&serde_json::from_str(&answer).unwrap()).await;
    site.abort();
}
