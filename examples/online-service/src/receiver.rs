//! The flow: from an event to an acknowledgement. It can be run again at any point, after any failure: every step is
//! idempotent, and the engine keeps its copy until the last one.

use consentry::clock::{Clock as _, SystemClock};
use consentry::jose::PrivateKey;

use crate::engine::{Engine, EngineError};
use crate::event::{self, EventError, Head, ParcelReady};
use crate::inbox::{Inbox, Kept};
use crate::parcel::{self, Expected, Opened, ParcelError};

/// What an Online Service receives with.
#[derive(Debug)]
pub struct Receiver {
    /// The engine.
    pub engine: Engine,
    /// Our own id, `osv_…`, as it was registered.
    pub id: String,
    /// The key that parcels are sealed to.
    pub key: PrivateKey,
    /// Where they are kept.
    pub inbox: Inbox,
}

/// What came of an event.
#[derive(Debug)]
pub enum Taken {
    /// The parcel is ours, and the engine's copy is erased.
    Received(Opened, Kept),
    /// It was received and acknowledged before; this was the same event again.
    Again,
}

/// Why a parcel was not taken. It was not acknowledged either: the engine tells it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Not an event of our engine.
    #[error("the event is refused")]
    Event(#[from] EventError),
    /// The engine gave no answer, or a refusal.
    #[error("the engine did not do it")]
    Engine(#[from] EngineError),
    /// Not a parcel for us, or not of the expected form.
    #[error("the parcel is refused")]
    Parcel(#[from] ParcelError),
    /// It could not be kept.
    #[error("the parcel could not be kept")]
    Inbox(#[from] std::io::Error),
}

impl Receiver {
    /// Takes what an event announces: verify, fetch, open, check, keep, acknowledge.
    ///
    /// # Errors
    /// [`ReceiveError`]. Nothing was acknowledged, unless the acknowledgement itself was lost on its way.
    pub async fn take(&self, head: &Head, body: &str) -> Result<Taken, ReceiveError> {
        let keys = self.engine.webhook_keys().await?;
        let event = event::verify(head, body, &keys, SystemClock.now().as_second())?;
        let signers = self.engine.signing_keys().await?;
        let sealed = match self.engine.fetch(&event.parcel).await {
            Err(error) if error.is_gone() && self.inbox.has(&event.parcel) => return Ok(Taken::Again),
            fetched => fetched?,
        };
        let consent = self.consent(&event).await?;
        let expected = Expected { parcel: &event.parcel, online_service: &self.id, consent: &consent };
        let opened = parcel::open(&sealed, &self.key, &signers, expected)?;
        let kept = self.inbox.keep(&opened)?;
        self.engine.acknowledge(&opened.id, &opened.digest).await?;
        Ok(Taken::Received(opened, kept))
    }

    /// The consent of the session that we began: the parcel must stand on it and no other.
    async fn consent(&self, event: &ParcelReady) -> Result<String, EngineError> {
        let session = self.engine.session(&event.session).await?;
        let consent = session["consent"].as_str().ok_or_else(|| EngineError::Form("no consent".to_owned()))?;
        Ok(consent.to_owned())
    }
}
