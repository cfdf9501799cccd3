//! From released data to a parcel that only one Online Service can open: JSON by the parcel's schema, signed by us (JWS),
//! then encrypted to the registered key (JWE).
//!
//! Only [`Data<Released>`] has a way to be sealed, and only for the Online Service that the consent names. The JSON is
//! written straight into a buffer that is wiped: no tree of values is built.
//!
//! What has not been released can't be sealed. This compiles:
//! ```
//! # use consentry::{data::{Data, Released, Reviewed}, entropy::Entropy, keys::KeyProvider, online_service::OnlineService};
//! # use consentry::seal::recipient::{Parcel, ParcelError};
//! async fn seal(data: Data<Released>, to: &OnlineService, keys: &dyn KeyProvider, entropy: &Entropy) -> Result<Parcel, ParcelError> {
//!     data.seal_for(to, keys, entropy).await
//! }
//! ```
//! and this does not:
//! ```compile_fail,E0599
//! # use consentry::{data::{Data, Released, Reviewed}, entropy::Entropy, keys::KeyProvider, online_service::OnlineService};
//! # use consentry::seal::recipient::{Parcel, ParcelError};
//! async fn seal(data: Data<Reviewed>, to: &OnlineService, keys: &dyn KeyProvider, entropy: &Entropy) -> Result<Parcel, ParcelError> {
//!     data.seal_for(to, keys, entropy).await
//! }
//! ```
//!
//! What is handed over is a parcel:
//! ```
//! # use consentry::{data::{Data, Released}, id::SessionId, outbox::{Outbox, OutboxError}, seal::{AtRest, Sealed, recipient::Parcel}};
//! # use jiff::Timestamp;
//! async fn hand_over(outbox: &Outbox, parcel: &Parcel, session: SessionId, at: Timestamp) -> Result<(), OutboxError> {
//!     outbox.enqueue(parcel, session, at, at).await
//! }
//! ```
//! and not something that is sealed for ourselves:
//! ```compile_fail,E0308
//! # use consentry::{data::{Data, Released}, id::SessionId, outbox::{Outbox, OutboxError}, seal::{AtRest, Sealed, recipient::Parcel}};
//! # use jiff::Timestamp;
//! async fn hand_over(outbox: &Outbox, parcel: &Sealed<Data<Released>, AtRest>, session: SessionId, at: Timestamp) -> Result<(), OutboxError> {
//!     outbox.enqueue(parcel, session, at, at).await
//! }
//! ```

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use consentry_contract::failure::Quality;
use consentry_contract::item::{SCHEMA_ID, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use zeroize::Zeroizing;

use super::{Deliverable, ForRecipient, SealError, Sealable, Sealed};
use crate::data::{Category, Data, Digest, Item, Released, Stage};
use crate::entropy::Entropy;
use crate::id::{ConsentId, OnlineServiceId, ParcelId};
use crate::keys::KeyProvider;
use crate::online_service::OnlineService;

/// What the signed part of a parcel says it is (`typ`).
pub const PARCEL_TYPE: &str = "consentry-parcel+jwt";

/// Released data, sealed: nobody but the Online Service opens it, we included.
#[derive(Debug)]
pub struct Parcel {
    id: ParcelId,
    consent: ConsentId,
    online_service: OnlineServiceId,
    sealed: Sealed<Data<Released>, ForRecipient>,
}

/// Why released data was not sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParcelError {
    /// It was released to somebody else.
    #[error("the data was released to another Online Service")]
    OtherOnlineService,
    /// It can't be signed or encrypted.
    #[error("the parcel can't be sealed")]
    Seal(#[from] SealError),
}

impl Data<Released> {
    /// Signs the data and seals it to the one Online Service it was released to.
    ///
    /// # Errors
    /// [`ParcelError`].
    pub async fn seal_for(
        &self,
        to: &OnlineService,
        keys: &dyn KeyProvider,
        entropy: &Entropy,
    ) -> Result<Parcel, ParcelError> {
        let gate = self.terms();
        if gate.terms.online_service != to.id() {
            return Err(ParcelError::OtherOnlineService);
        }
        Ok(Parcel {
            id: gate.parcel,
            consent: gate.terms.consent,
            online_service: gate.terms.online_service,
            sealed: Sealed::for_recipient(self, to.key(), keys, entropy).await?,
        })
    }
}

impl Sealable for Data<Released> {
    const NAMESPACE: &'static str = "consentry-parcel";

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        super::json(&Content(self), Self::NAMESPACE)
    }
}

impl Deliverable for Data<Released> {}

impl Parcel {
    /// Names it.
    pub fn id(&self) -> ParcelId {
        self.id
    }

    /// The consent it stands on.
    pub fn consent(&self) -> ConsentId {
        self.consent
    }

    /// Who can open it.
    pub fn online_service(&self) -> OnlineServiceId {
        self.online_service
    }

    /// The digest of its bytes: what the receiver acknowledges.
    pub fn digest(&self) -> Digest {
        self.sealed.digest()
    }

    /// Its bytes, a JWE in compact serialisation, as what they are.
    pub fn sealed(&self) -> &Sealed<Data<Released>, ForRecipient> {
        &self.sealed
    }
}

/// The members of a parcel, in the order of the schema.
struct Content<'a>(&'a Data<Released>);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let gate = self.0.terms();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA_ID)?;
        map.serialize_entry("parcel", &gate.parcel)?;
        map.serialize_entry("consent", &gate.terms.consent)?;
        map.serialize_entry("online_service", &gate.terms.online_service)?;
        map.serialize_entry("released_at", &gate.released_at)?;
        map.serialize_entry("provenance", &Provenance(self.0))?;
        map.serialize_entry("datasets", &Datasets(self.0))?;
        map.serialize_entry("items", &Items(self.0.items()))?;
        if !self.0.answers().is_empty() {
            map.serialize_entry("predicates", self.0.answers())?;
        }
        map.end()
    }
}

struct Provenance<'a>(&'a Data<Released>);

impl Serialize for Provenance<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let provenance = self.0.provenance();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run", &provenance.run)?;
        map.serialize_entry("source", &provenance.source)?;
        map.serialize_entry("connector", &provenance.connector)?;
        map.serialize_entry("version", &provenance.version)?;
        map.serialize_entry("digest", &provenance.digest)?;
        map.serialize_entry("observed_at", &provenance.observed_at)?;
        if let Some(subject) = &provenance.subject {
            map.serialize_entry("subject", subject)?;
        }
        map.end()
    }
}

/// The datasets as they stand in a parcel and in a preview.
pub(crate) struct Datasets<'a, S: Stage>(pub(crate) &'a Data<S>);

impl<S: Stage> Serialize for Datasets<'_, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let data = self.0;
        let mut list = serializer.serialize_seq(None)?;
        for dataset in &data.gathered().datasets {
            let count = data.items().iter().filter(|item| item.category().name == dataset.category).count();
            let withheld = data.withheld(&dataset.category);
            list.serialize_element(&Dataset { dataset, count, withheld })?;
        }
        list.end()
    }
}

struct Dataset<'a> {
    dataset: &'a consentry_contract::failure::Dataset,
    count: usize,
    /// What the person left out: a receiver must not take the rest for everything.
    withheld: usize,
}

impl Serialize for Dataset<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("category", &self.dataset.category)?;
        let (result, code) = match &self.dataset.quality {
            Quality::Complete => ("complete", None),
            Quality::Partial(code) => ("partial", Some(code.name())),
            Quality::EmptyConfirmed(_) => ("empty-confirmed", None),
        };
        map.serialize_entry("result", result)?;
        if let Some(code) = code {
            map.serialize_entry("code", code)?;
        }
        map.serialize_entry("count", &self.count)?;
        if self.withheld > 0 {
            map.serialize_entry("withheld", &self.withheld)?;
        }
        map.end()
    }
}

struct Items<'a>(&'a [Item]);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ItemForm))
    }
}

/// One item as it stands in a parcel and in a preview.
pub(crate) struct ItemForm<'a>(pub(crate) &'a Item);

impl Serialize for ItemForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("category", &Category::from(self.0.category()))?;
        map.serialize_entry("observed_at", &self.0.observed())?;
        map.serialize_entry("fields", &Fields(self.0))?;
        map.end()
    }
}

struct Fields<'a>(&'a Item);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.fields().map(|(field, value)| (field.name, ValueForm(value))))
    }
}

struct ValueForm<'a>(&'a Value);

impl Serialize for ValueForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) | Value::Decimal(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Date(date) => serializer.collect_str(date),
            Value::Instant(instant) => serializer.collect_str(instant),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Blob { media, bytes } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("media", media.name())?;
                map.serialize_entry("bytes", &Base64(bytes))?;
                map.end()
            }
        }
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}
