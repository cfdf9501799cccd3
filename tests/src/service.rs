//! The Online Service of the tests: `examples/online-service` in this process, registered with an engine. It can be away, and
//! come back on the same address.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use consentry::id::OnlineServiceId;
use consentry::jose::{Algorithm, PrivateKey, PublicKey};
use consentry::online_service::KeyHash;
use consentry::online_service::commitment::Commitment;
use consentry::receipt::{Facts, Receipt};
use online_service::endpoint::{self, Told};
use online_service::engine::{DataRequest, Session};
use online_service::{Engine, Inbox, Receiver};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::journey::Journey;
use crate::node::{CATEGORIES, Node, Registered, free_address};

/// Its id in every configuration.
pub const ID: &str = "osv_01JD8Z3M7K0000000000000000";
/// Its key to the interface of an engine in development.
pub const BEARER: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// An Online Service with an address, a key and an inbox.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    folder: tempfile::TempDir,
    listening: Option<JoinHandle<std::io::Result<()>>>,
}

impl Service {
    /// Takes a free port; listens to nothing yet.
    ///
    /// # Errors
    /// There is no port, or no folder.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { address: free_address()?, folder: tempfile::tempdir()?, listening: None })
    }

    /// Where it listens, or will.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As the engine's configuration knows it.
    ///
    /// # Errors
    /// There is no key.
    pub fn registered(&self) -> anyhow::Result<Registered> {
        ID.parse::<OnlineServiceId>()?;
        Ok(Registered {
            id: ID.to_owned(),
            jwk: recipient()?.public().to_jwk().to_string(),
            events: format!("http://{}{}", self.address, endpoint::PATH),
            bearer_sha256: KeyHash::of(BEARER).to_hex(),
            signer: signer()?.public().to_jwk().to_string(),
            commitments: commitments(ID)?,
        })
    }

    /// Calls the engine as this Online Service.
    ///
    /// # Errors
    /// There is no key or no inbox.
    pub fn receiver(&self, node: &Node) -> anyhow::Result<Receiver> {
        Ok(Receiver {
            engine: Engine::new(&node.url, ID, signer()?)?,
            id: ID.to_owned(),
            key: recipient()?,
            inbox: self.inbox()?,
        })
    }

    /// What it received.
    ///
    /// # Errors
    /// The folder can't be used.
    pub fn inbox(&self) -> anyhow::Result<Inbox> {
        Ok(Inbox::open(self.folder.path())?)
    }

    /// Begins to take events, and tells what becomes of each.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn listen(&mut self, node: &Node) -> anyhow::Result<mpsc::Receiver<Told>> {
        let (tell, told) = mpsc::channel(64);
        let router = endpoint::router(Arc::new(self.receiver(node)?), tell);
        let listener = tokio::net::TcpListener::bind(self.address).await?;
        self.listening = Some(tokio::spawn(async move { axum::serve(listener, router).await }));
        Ok(told)
    }

    /// Asks for everything that its purpose allows, and gives the person's way in.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn ask(&self, node: &Node) -> anyhow::Result<Journey> {
        self.ask_for(&CATEGORIES, node).await
    }

    /// Asks for these categories, and gives the person's way in.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn ask_for(&self, categories: &[&str], node: &Node) -> anyhow::Result<Journey> {
        let session = self.session(categories, node).await?;
        Journey::new(&node.url, &session.id, &session.token)
    }

    /// What the receipts of a person's session say, each verified with the keys that the engine publishes.
    ///
    /// # Errors
    /// One does not hold, or the engine gives none.
    pub async fn receipts(&self, node: &Node, person: &Journey) -> anyhow::Result<Vec<Facts>> {
        let keys: Vec<PublicKey> = self.receiver(node)?.engine.signing_keys().await?;
        let mut facts = vec![];
        for receipt in person.receipts().await? {
            let receipt = receipt["receipt"].as_str().context("a receipt")?;
            facts.push(Receipt::verify(receipt, &keys)?.facts().clone());
        }
        Ok(facts)
    }

    async fn session(&self, categories: &[&str], node: &Node) -> anyhow::Result<Session> {
        let request = DataRequest {
            purpose: "tenant-check".to_owned(),
            categories: categories.iter().map(|&category| category.to_owned()).collect(),
            history_days: None,
            reference: Some("application-7".to_owned()),
        };
        Ok(self.receiver(node)?.engine.ask(&request).await?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// What became of the next event.
///
/// # Errors
/// None came in time.
pub async fn next(told: &mut mpsc::Receiver<Told>, within: Duration) -> anyhow::Result<Told> {
    let told = tokio::time::timeout(within, told.recv()).await.context("no event came in time")?;
    told.context("nothing listens any more")
}

/// The code of trust, signed by the Online Service of the tests under this id.
///
/// # Errors
/// There is no key.
pub fn commitments(id: &str) -> anyhow::Result<String> {
    let signed = Commitment::new(id.parse()?, "Ada Martin, managing director", "2026-11-01T09:00:00Z".parse()?);
    Ok(signed.sign(&signer()?)?)
}

/// The key that the Online Service of the tests signs its answers with.
///
/// # Errors
/// There is no key.
pub fn signer() -> anyhow::Result<PrivateKey> {
    static KEY: OnceLock<Zeroizing<Vec<u8>>> = OnceLock::new();
    made(&KEY, Algorithm::Ps256)
}

/// The key that parcels are sealed to in the tests.
///
/// # Errors
/// There is no key.
pub fn recipient() -> anyhow::Result<PrivateKey> {
    static KEY: OnceLock<Zeroizing<Vec<u8>>> = OnceLock::new();
    made(&KEY, Algorithm::RsaOaep256)
}

/// One key for all tests of a program: to make one takes seconds.
fn made(kept: &OnceLock<Zeroizing<Vec<u8>>>, algorithm: Algorithm) -> anyhow::Result<PrivateKey> {
    let pkcs8 = match kept.get() {
        Some(pkcs8) => pkcs8,
        None => {
            let made = PrivateKey::generate(algorithm)?.danger_to_pkcs8();
            kept.get_or_init(|| made)
        }
    };
    Ok(PrivateKey::from_pkcs8(algorithm, pkcs8)?)
}
