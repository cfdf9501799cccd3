//! Keys that count what was opened with them: every login that was opened needs a receipt.

use async_trait::async_trait;

use super::*;
use crate::clock::Month;
use crate::entropy::Entropy;
use crate::jose::PublicKey;
use crate::keys::{Destroyed, Duty, KeyError, KeyInfo, RecordKey, Wrap};

#[derive(Debug)]
pub(super) struct CountingKeys {
    below: Arc<dyn KeyProvider>,
    opened: AtomicUsize,
    /// Whoever looks at a copy must not destroy what the next life stands under.
    only_looks: bool,
    /// Nothing is destroyed: the token is away.
    is_away: AtomicBool,
    /// Nothing is answered: the token hangs.
    hangs: AtomicBool,
    /// Told when somebody begins to wait for it.
    waits: tokio::sync::Notify,
}

impl CountingKeys {
    pub(super) fn over(below: &Arc<dyn KeyProvider>) -> Arc<Self> {
        Arc::new(Self {
            below: below.clone(),
            opened: AtomicUsize::default(),
            only_looks: false,
            is_away: AtomicBool::default(),
            hangs: AtomicBool::default(),
            waits: tokio::sync::Notify::default(),
        })
    }

    /// The same keys, for whoever looks at a copy of what a life left.
    pub(super) fn to_look(&self) -> Arc<Self> {
        Arc::new(Self {
            below: self.below.clone(),
            opened: AtomicUsize::default(),
            only_looks: true,
            is_away: AtomicBool::default(),
            hangs: AtomicBool::default(),
            waits: tokio::sync::Notify::default(),
        })
    }

    async fn answers(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            self.waits.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// How many sealed messages of people were opened, in all lives.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyProvider for CountingKeys {
    async fn publics(&self, duty: Duty) -> Result<Vec<PublicKey>, KeyError> {
        self.below.publics(duty).await
    }

    async fn unwrap(&self, duty: Duty, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if duty == Duty::Intake {
            self.opened.fetch_add(1, Ordering::SeqCst);
        }
        self.below.unwrap(duty, kid, wrapped).await
    }

    async fn sign(&self, duty: Duty, kid: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.answers().await;
        self.below.sign(duty, kid, message).await
    }

    async fn wrap_record(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        self.below.wrap_record(key, aad).await
    }

    async fn wrap_under_root(&self, owner: &str, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        self.answers().await;
        self.below.wrap_under_root(owner, key, aad).await
    }

    async fn destroy_roots(&self, owner: &str, but: &str, now: jiff::Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        self.answers().await;
        if self.is_away.load(Ordering::SeqCst) {
            return Err(KeyError::Unavailable("the token is away".into()));
        }
        if self.only_looks { Ok(vec![]) } else { self.below.destroy_roots(owner, but, now).await }
    }

    async fn unwrap_record(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, KeyError> {
        self.below.unwrap_record(wrap, aad).await
    }

    async fn month_hmac(&self, month: Month, data: &[u8], now: jiff::Timestamp) -> Result<[u8; 32], KeyError> {
        self.below.month_hmac(month, data, now).await
    }

    async fn destroy_due(&self, now: jiff::Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        self.below.destroy_due(now).await
    }

    async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        self.below.list().await
    }

    async fn rotate(&self, duty: Duty, now: jiff::Timestamp) -> Result<KeyInfo, KeyError> {
        self.below.rotate(duty, now).await
    }

    async fn retire(&self, kid: &str) -> Result<KeyInfo, KeyError> {
        self.below.retire(kid).await
    }

    async fn destroy(&self, kid: &str, now: jiff::Timestamp) -> Result<Destroyed, KeyError> {
        self.below.destroy(kid, now).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_away_keeps_no_other_step_from_being_taken() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = CountingKeys::over(&crate::keys::software::tests::keys());
    let world = world_in(Some(folder.path()), clock, keys.clone()).await;
    let session = world.agreed().await;
    // Asks for no erasure: whoever looks takes it away.
    let request = folder.path().join("erase/one.request");
    crate::forward::file::receive(&request, b"all", &Entropy::system()).unwrap();
    keys.is_away.store(true, Ordering::SeqCst);
    world.engine.withdraw(&session).await.unwrap();
    assert!(world.engine.sweep().await.is_err(), "the row's key is not gone yet");
    assert!(!request.exists(), "what comes after keys was done all the same");
    keys.is_away.store(false, Ordering::SeqCst);
    world.engine.sweep().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_hangs_keeps_nothing_beyond_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let keys = CountingKeys::over(&crate::keys::software::tests::keys());
    let world = world_in(Some(folder.path()), clock, keys.clone()).await;
    let (one, other) = (world.in_review().await, world.in_review().await);
    // Something was let go, and is to be settled with the token.
    world.engine.withdraw(&one).await.unwrap();
    keys.hangs.store(true, Ordering::SeqCst);
    let engine = world.engine.clone();
    let stuck = tokio::spawn(async move { engine.sweep().await });
    keys.waits.notified().await;
    world.pass(59);
    world.engine.keep_times().await.unwrap();
    let used = world.engine.shelves.keys_used();
    assert_eq!(other.state(), State::InReview);
    world.pass(1);
    let kept = tokio::time::timeout(std::time::Duration::from_secs(20), world.engine.keep_times()).await;
    assert!(matches!(kept, Ok(Ok(()))), "it waits for nobody");
    assert_eq!(other.state(), State::Expired);
    assert!(other.with_review(|_| ()).is_none(), "what was found is gone from memory");
    let left = world.engine.shelves.keys_used();
    assert!(left < used, "{left} of {used}: the keys of their rows are in no file");
    assert!(!stuck.is_finished(), "the token hangs all the while");
    stuck.abort();
}
