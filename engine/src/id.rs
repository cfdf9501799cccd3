//! Typed, prefixed, sortable names of the things in the flow.
//!
//! An id is a ULID with a kind: 48 bits of the millisecond it was made, 80 bits of randomness. An id of one kind is never
//! taken for one of another, neither by the compiler nor on the wire, where it stands as `ses_01JD8Z…`. It names a thing
//! and says nothing about a person: no id is ever derived from personal data.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// The kinds of things that have an id. They have no values; they only tell ids apart.
pub mod kind {
    /// Ties a kind to its prefix on the wire.
    pub trait Kind: 'static {
        /// What stands before the underscore: three lower-case letters.
        const PREFIX: &'static str;
    }

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {
            $($(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Kind for $name {
                const PREFIX: &'static str = $prefix;
            })*
            #[cfg(test)]
            pub(super) const PREFIXES: &[&str] = &[$($prefix),*];
        };
    }

    kinds! {
        /// The owner of one flow, from request to receipt.
        Session "ses"
        /// A data subject, as one Online Service knows it.
        Subject "sub"
        /// What an Online Service asks for.
        DataRequest "req"
        /// A person's consent.
        Consent "cns"
        /// The permission to open a login once.
        Grant "grt"
        /// A registered recipient.
        OnlineService "osv"
        /// One collection run of a connector.
        Run "run"
        /// A challenge put to the person.
        Question "qst"
        /// A sealed delivery.
        Parcel "pcl"
        /// A thin event told to an Online Service; also its idempotency key.
        Event "evt"
        /// What happened, signed.
        Receipt "rct"
        /// An accepted entry of the ledger.
        Leaf "lef"
        /// One row of the transaction trace.
        Trace "trc"
        /// A person's request under their rights.
        RightsRequest "rgt"
        /// A report of a failure that a person gave.
        Report "rpt"
        /// Somebody who operates a node.
        Operator "opr"
    }
}

pub use kind::Kind;

/// Names a [`kind::Session`].
pub type SessionId = Id<kind::Session>;
/// Names a [`kind::Subject`].
pub type SubjectId = Id<kind::Subject>;
/// Names a [`kind::DataRequest`].
pub type DataRequestId = Id<kind::DataRequest>;
/// Names a [`kind::Consent`].
pub type ConsentId = Id<kind::Consent>;
/// Names a [`kind::Grant`].
pub type GrantId = Id<kind::Grant>;
/// Names a [`kind::OnlineService`].
pub type OnlineServiceId = Id<kind::OnlineService>;
/// Names a [`kind::Run`].
pub type RunId = Id<kind::Run>;
/// Names a [`kind::Question`].
pub type QuestionId = Id<kind::Question>;
/// Names a [`kind::Parcel`].
pub type ParcelId = Id<kind::Parcel>;
/// Names a [`kind::Event`].
pub type EventId = Id<kind::Event>;
/// Names a [`kind::Receipt`].
pub type ReceiptId = Id<kind::Receipt>;
/// Names a [`kind::Leaf`].
pub type LeafId = Id<kind::Leaf>;
/// Names a [`kind::RightsRequest`].
pub type RightsRequestId = Id<kind::RightsRequest>;
/// Names a [`kind::Trace`].
pub type TraceId = Id<kind::Trace>;
/// Names a [`kind::Report`].
pub type ReportId = Id<kind::Report>;
/// Names a [`kind::Operator`].
pub type OperatorId = Id<kind::Operator>;

/// Names one thing of kind `K`. Sorts by the moment it was made, to the millisecond.
///
/// ```
/// # use consentry::id::{Id, SessionId};
/// # fn open(_: SessionId) {}
/// # let text = "ses_01JD8Z3M7K0000000000000000";
/// let session: SessionId = text.parse().unwrap();
/// open(session);
/// ```
/// An id of another kind does not fit:
/// ```compile_fail,E0308
/// # use consentry::id::{Id, SessionId, ParcelId};
/// # fn open(_: SessionId) {}
/// # let text = "pcl_01JD8Z3M7K0000000000000000";
/// let parcel: ParcelId = text.parse().unwrap();
/// open(parcel);
/// ```
pub struct Id<K>(Ulid, PhantomData<fn() -> K>);

/// Says why a text is not an id of the kind wanted. It does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{prefix}_` and 26 letters and digits")]
pub struct IdError {
    prefix: &'static str,
}

impl<K: Kind> Id<K> {
    /// Makes a new id for something that begins `at`. Instants before 1970 count as 1970.
    pub fn new(at: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let random = u128::from(rng.next_u64()) | u128::from(rng.next_u64()) << 64;
        Self(Ulid::from_parts(milliseconds, random), PhantomData)
    }

    /// Tells when the id was made, to the millisecond.
    pub fn made_at(&self) -> Timestamp {
        // A ULID holds 48 bits of milliseconds, beyond the year 9999 that a `Timestamp` ends with.
        i64::try_from(self.0.timestamp_ms())
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    /// Reads an id; there is exactly one spelling for each.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { prefix: K::PREFIX };
        let rest = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or_else(|| error.clone())?;
        let ulid = Ulid::from_string(rest).map_err(|_| error.clone())?;
        // Crockford's alphabet reads lower case, and `o` for zero: two spellings of one name would be two keys in a store.
        if ulid.to_string() == rest { Ok(Self(ulid, PhantomData)) } else { Err(error) }
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

// By hand: a derive would ask the same of `K`, which has no values.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_reads_back_as_itself_and_tells_its_moment() {
        let moment = at("2026-11-21T10:00:00.123Z");
        let id = SessionId::new(moment, &mut StdRng::seed_from_u64(1));
        assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        assert_eq!(id.made_at(), moment);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
    }

    #[test]
    fn ids_sort_by_the_moment_they_were_made() {
        let rng = &mut StdRng::seed_from_u64(1);
        let early = ParcelId::new(at("2026-11-21T10:00:00Z"), rng);
        let late = ParcelId::new(at("2026-11-21T10:00:00.001Z"), rng);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn another_kind_another_spelling_or_another_length_is_refused() {
        let id = SessionId::new(at("2026-11-21T10:00:00Z"), &mut StdRng::seed_from_u64(1)).to_string();
        assert!(id.parse::<ParcelId>().is_err());
        for wrong in [id.to_lowercase(), format!("{id}0"), id[..id.len() - 1].to_owned(), "ses_".into(), String::new()]
        {
            assert!(wrong.parse::<SessionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_two_kinds_share_a_prefix() {
        let mut seen = std::collections::BTreeSet::new();
        for prefix in kind::PREFIXES {
            assert!(prefix.len() == 3 && prefix.bytes().all(|b| b.is_ascii_lowercase()) && seen.insert(prefix));
        }
    }
}
