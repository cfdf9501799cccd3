//! The trace of a transaction: what is kept for thirteen months, and nothing else (row R05).
//!
//! Five fields: the Data Source; the login, as HMAC under the key of the month; the Online Service; navigation data, which
//! is the class of device and the language; the date. A month's key dies before its last trace does, and from then on
//! nobody can say whose trace it was, we included.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use caseless::Caseless as _;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::clock::Month;
use crate::entropy::Entropy;
use crate::erase::retention::{R05TransactionTrace, Term};
use crate::id::{OnlineServiceId, TraceId};
use crate::keys::{KeyError, KeyProvider};
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::seal::joined;
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

/// One transaction. These are all its fields; their names are the policy's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The Data Source, by its id.
    pub data_source: String,
    /// The login there, as HMAC under the key of the month.
    pub login: LoginTag,
    /// The Online Service.
    pub online_service: OnlineServiceId,
    /// From what kind of device, and in which language.
    pub navigation: Navigation,
    /// The day, in UTC.
    pub date: Date,
}

/// HMAC-SHA-256 of a login and its Data Source under a month's key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginTag(#[serde(with = "hex::serde")] [u8; 32]);

/// What is kept of how somebody came: nothing that tells people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Navigation {
    /// The class of the device.
    pub device: Device,
    /// The language.
    pub language: Language,
}

/// The class of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// A telephone.
    Phone,
    /// A tablet.
    Tablet,
    /// A computer.
    Desktop,
    /// Something else, or not said.
    Other,
}

/// A language, by its primary subtag of two or three letters.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Language([u8; 3]);

/// A text that is not a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is two or three lower-case letters")]
pub struct NotALanguage;

/// Why a trace was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The store failed.
    #[error("the trace can't be written")]
    Store(#[from] StoreError),
    /// The month has no key.
    #[error("the trace of this month can't be keyed")]
    Keys(#[from] KeyError),
}

/// Keeps traces.
#[derive(Debug)]
pub struct Traces {
    shelf: Shelf<R05TransactionTrace>,
    keys: Arc<dyn KeyProvider>,
    entropy: Arc<Entropy>,
}

impl Traces {
    /// Keeps traces on this shelf.
    pub fn new(shelves: &Shelves, keys: Arc<dyn KeyProvider>, entropy: Arc<Entropy>) -> Self {
        Self { shelf: shelves.shelf(), keys, entropy }
    }

    /// Keeps the trace of one transaction. `login` is the one field that the manifest marks as the login.
    ///
    /// # Errors
    /// [`TraceError`]: nothing was kept.
    pub async fn keep(
        &self,
        data_source: &str,
        login: &str,
        online_service: OnlineServiceId,
        navigation: Navigation,
        now: Timestamp,
    ) -> Result<TraceId, TraceError> {
        let login = self.tag(data_source, login, Month::of(now), now).await?;
        let day = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |start| start.timestamp());
        // An id tells when it was made; this one tells the day only, as its record does.
        let id = self.entropy.with(|rng| TraceId::new(day, rng));
        let date = now.to_zoned(TimeZone::UTC).date();
        let trace = Trace { data_source: data_source.to_owned(), login, online_service, navigation, date };
        self.shelf.put(&id.to_string(), &trace, Expect::Absent, Term::from(day)).await?;
        Ok(id)
    }

    /// The traces of one Online Service.
    ///
    /// # Errors
    /// [`TraceError::Store`].
    pub async fn of(&self, online_service: OnlineServiceId) -> Result<Vec<TraceId>, TraceError> {
        let mut of = Vec::new();
        for name in self.shelf.names::<Trace>().await? {
            let trace = self.shelf.get::<Trace>(&name).await?;
            if trace.is_some_and(|trace| trace.value.online_service == online_service) {
                of.extend(name.parse::<TraceId>().ok());
            }
        }
        Ok(of)
    }

    /// Reads a trace.
    ///
    /// # Errors
    /// [`TraceError::Store`].
    pub async fn get(&self, id: TraceId) -> Result<Option<Trace>, TraceError> {
        Ok(self.shelf.get::<Trace>(&id.to_string()).await?.map(|stored| stored.value))
    }

    /// Finds the traces of a login at a Data Source: under the key of each month that still has one.
    ///
    /// # Errors
    /// [`TraceError`].
    pub async fn find(
        &self,
        data_source: &str,
        login: &str,
        now: Timestamp,
    ) -> Result<Vec<(TraceId, Trace)>, TraceError> {
        let mut tags: BTreeMap<Month, Option<LoginTag>> = BTreeMap::new();
        let mut found = Vec::new();
        for name in self.shelf.names::<Trace>().await? {
            let (Ok(id), Some(stored)) = (name.parse::<TraceId>(), self.shelf.get::<Trace>(&name).await?) else {
                continue;
            };
            let month = Month::of(id.made_at());
            if let Entry::Vacant(place) = tags.entry(month) {
                place.insert(match self.tag(data_source, login, month, now).await {
                    Ok(tag) => Some(tag),
                    // Its key is gone: nobody can tell any more whose it was.
                    Err(TraceError::Keys(KeyError::Destroyed(_))) => None,
                    Err(error) => return Err(error),
                });
            }
            if stored.value.data_source == data_source && tags[&month] == Some(stored.value.login) {
                found.push((id, stored.value));
            }
        }
        Ok(found)
    }

    /// Erases a trace that its person asked for.
    ///
    /// # Errors
    /// [`TraceError::Store`].
    pub async fn erase(&self, id: TraceId) -> Result<(), TraceError> {
        Ok(self.shelf.delete::<Trace>(&id.to_string()).await?)
    }

    /// Computes the tag of a login as it would stand in the traces of a month.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] once the month's key is gone.
    pub async fn tag(
        &self,
        data_source: &str,
        login: &str,
        month: Month,
        now: Timestamp,
    ) -> Result<LoginTag, TraceError> {
        let data = Zeroizing::new(joined(&[data_source.as_bytes(), normal(login).as_bytes()]));
        Ok(LoginTag(self.keys.month_hmac(month, &data, now).await?))
    }
}

/// One spelling of a login, however it was typed: trimmed, case-folded, in NFC.
fn normal(login: &str) -> Zeroizing<String> {
    // Folding can leave NFC; large enough from the start, the buffer is not copied.
    let mut normal = Zeroizing::new(String::with_capacity(login.len() * 4));
    normal.extend(login.trim().nfc().default_case_fold().nfc());
    normal
}

impl Record for Trace {
    const NAMESPACE: &'static str = "trace";
    const RIGHTS: Declared = Declared {
        export: Export::ByLogin,
        rectify: Rectify::WhereItCameFromOrWent,
        erase: Erase::WithItsMonthsKey,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R05TransactionTrace;
}

impl Device {
    /// Reads the class from a `User-Agent`, of which nothing else is kept.
    pub fn of_user_agent(text: &str) -> Self {
        let says = |word: &str| text.contains(word);
        if says("iPad") || says("Tablet") || (says("Android") && !says("Mobile")) {
            Self::Tablet
        } else if says("Mobile") || says("iPhone") {
            Self::Phone
        } else if says("Windows NT") || says("Macintosh") || says("X11") {
            Self::Desktop
        } else {
            Self::Other
        }
    }
}

impl Language {
    /// No language was said.
    pub const UNDETERMINED: Self = Self(*b"und");

    /// Reads the first language from an `Accept-Language`, without its region.
    pub fn of_accept_language(text: &str) -> Self {
        let first = text.split([',', ';', '-']).next().unwrap_or_default().trim().to_ascii_lowercase();
        Self::try_from(first).unwrap_or(Self::UNDETERMINED)
    }

    /// The subtag.
    pub fn as_str(&self) -> &str {
        let length = if self.0[2] == 0 { 2 } else { 3 };
        std::str::from_utf8(&self.0[..length]).unwrap_or("und")
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(text: String) -> Result<Self, NotALanguage> {
        match *text.as_bytes() {
            [a, b] if text.bytes().all(|b| b.is_ascii_lowercase()) => Ok(Self([a, b, 0])),
            [a, b, c] if text.bytes().all(|b| b.is_ascii_lowercase()) => Ok(Self([a, b, c])),
            _ => Err(NotALanguage),
        }
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.as_str().to_owned()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LoginTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTag")
    }
}

#[cfg(test)]
mod tests;
