//! What all shelves share: how a record is found, written and dropped with its key.

use std::sync::Arc;

use jiff::Timestamp;

use super::{ATTEMPTS_MAX, Expired, Kept};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::erase::retention::{Retained, Row};
use crate::keys::{KeyProvider, RecordKey};
use crate::seal::{Place, SealError, Sealed};
use crate::store::head::Head;
use crate::store::watched::Watched;
use crate::store::wraps::{KeyName, Wraps};
use crate::store::{Entry, Expect, NAME_BYTES_MAX, Revision, Store, StoreError, VALUE_BYTES_MAX, is_due};

pub(super) struct Parts {
    pub(super) store: Watched,
    pub(super) keys: Arc<dyn KeyProvider>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A record that is there and can be opened.
pub(super) struct Live {
    pub(super) entry: Entry,
    pub(super) head: Head,
    pub(super) key: RecordKey,
}

/// What a key of the store holds.
pub(super) enum Found {
    Nothing,
    /// Past its deadline, or without its key: gone for everybody, and not yet cleared away.
    Remains(Revision, KeyName),
    Live(Box<Live>),
}

impl Parts {
    pub(super) fn wraps(&self) -> Wraps<'_> {
        Wraps { store: &self.store, keys: &*self.keys }
    }

    pub(super) async fn find<T: Kept>(&self, key: &str) -> Result<Found, StoreError> {
        let Some(entry) = self.store.get(key).await? else { return Ok(Found::Nothing) };
        let head = Head::read(&entry.head).ok_or(StoreError::Damaged { namespace: T::NAMESPACE })?;
        if is_due(head.deadline(), self.clock.now()) {
            return Ok(Found::Remains(entry.revision, head.key));
        }
        match self.wraps().key(head.key, key).await? {
            Some(key) => Ok(Found::Live(Box::new(Live { entry, head, key }))),
            None => Ok(Found::Remains(entry.revision, head.key)),
        }
    }

    pub(super) async fn write<T: Kept>(
        &self,
        key: &str,
        name: &str,
        value: &T,
        head: &Head,
        record_key: &RecordKey,
        expect: Expect,
    ) -> Result<Revision, StoreError> {
        let head = serde_json::to_vec(head).map_err(|_| SealError::Unwritable(T::NAMESPACE))?;
        let place = Place { head: &head, name };
        let sealed = self.entropy.with(|rng| Sealed::at_rest(value, place, record_key, rng))?;
        if sealed.as_bytes().len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let body = sealed.as_bytes().to_vec();
        self.store.put(key, head, body, expect).await
    }

    /// Drops the key of a record that `condition` accepts, then the record. Between the two it opens for nobody any more; a
    /// crash there leaves bytes without a key, which go at their deadline.
    pub(super) async fn delete(&self, key: &str, condition: impl Fn(&Head) -> bool + Sync) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(entry) = self.store.get(key).await? else { return Ok(false) };
            let head = Head::read(&entry.head);
            if !head.as_ref().is_none_or(&condition) {
                return Ok(false);
            }
            if let Some(head) = head {
                self.wraps().drop_key(head.key).await?;
            }
            match self.store.delete(key, Expect::At(entry.revision)).await {
                // Somebody wrote in between: the condition is asked again.
                Err(StoreError::Conflict) => {}
                result => return result.map(|()| true),
            }
        }
        Err(StoreError::Conflict)
    }

    pub(super) async fn expired(&self, row: &'static Row, now: Timestamp) -> Result<Vec<Expired>, StoreError> {
        let mut expired = Vec::new();
        let prefix = format!("{}/", row.id);
        for (key, head, _) in self.store.scan(&prefix).await? {
            // A head that can't be read has no deadline we could trust; the record is served to nobody either.
            let Some(deadline) = Head::read(&head).and_then(|head| head.deadline()) else { continue };
            if let (true, Some((namespace, name))) = (is_due(Some(deadline), now), key[prefix.len()..].split_once('/'))
            {
                expired.push(Expired { row, namespace: namespace.to_owned(), name: name.to_owned(), deadline });
            }
        }
        Ok(expired)
    }
}

impl Found {
    pub(super) fn expected(&self) -> Expect {
        match self {
            Self::Nothing => Expect::Absent,
            Self::Remains(revision, _) => Expect::At(*revision),
            Self::Live(live) => Expect::At(live.entry.revision),
        }
    }
}

pub(super) fn key<T: Kept>(name: &str) -> Result<String, StoreError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(StoreError::BadName);
    }
    Ok(format!("{}/{}/{name}", <T::Row as Retained>::ROW.id, T::NAMESPACE))
}
