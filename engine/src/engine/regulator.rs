//! What the operator did about persons' data, or an authority asked for: look-ups, disclosures, and the log of accesses to Data Sources.
//! None of it holds a value of anybody.

use std::collections::BTreeMap;

use super::{Engine, EngineError};
use crate::data::Item;
use crate::erase::retention::{R18SecurityAuditLog, R21FallbackAccessLog, R28AuthorityDisclosure, Term};
use crate::id::{EventId, TraceId};
use crate::rights::disclosure::{Access, Disclosure, LookUp};
use crate::store::{Expect, StoreError};
use crate::trace::Trace;

impl Engine {
    /// Finds the traces of a login, for the person who has it, and erases them if that is wanted. Every look is in the log of
    /// look-ups: who looked and why, never the login.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn find_traces(
        &self,
        data_source: &str,
        login: &str,
        by: &str,
        why: &str,
        erase: bool,
    ) -> Result<Vec<(TraceId, Trace)>, EngineError> {
        let now = self.clock.now();
        let found = self.traces.find(data_source, login, now).await?;
        let what = if erase { "traces of a login, erased" } else { "traces of a login" };
        let look =
            LookUp { at: now, by: by.to_owned(), what: what.to_owned(), why: why.to_owned(), found: found.len() };
        let name = self.entropy.with(|rng| EventId::new(now, rng)).to_string();
        self.shelves.shelf::<R18SecurityAuditLog>().put(&name, &look, Expect::Absent, Term::from(now)).await?;
        if erase {
            for (id, _) in &found {
                self.traces.erase(*id).await?;
            }
        }
        Ok(found)
    }

    /// The log of look-ups.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn look_ups(&self) -> Result<Vec<LookUp>, EngineError> {
        let shelf = self.shelves.shelf::<R18SecurityAuditLog>();
        let mut all = Vec::new();
        for name in shelf.names::<LookUp>().await? {
            all.extend(shelf.get::<LookUp>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// Notes what an authority asked for and got.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn note_disclosure(
        &self,
        authority: &str,
        basis: &str,
        elements: Vec<String>,
        answer: &str,
    ) -> Result<Disclosure, EngineError> {
        let now = self.clock.now();
        let id = self.entropy.with(|rng| EventId::new(now, rng));
        let [authority, basis, answer] = [authority, basis, answer].map(str::to_owned);
        let disclosure = Disclosure { id, made_at: now, authority, basis, elements, answer };
        let shelf = self.shelves.shelf::<R28AuthorityDisclosure>();
        shelf.put(&id.to_string(), &disclosure, Expect::Absent, Term::from(now)).await?;
        Ok(disclosure)
    }

    /// The register of disclosures to authorities.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn disclosures(&self) -> Result<Vec<Disclosure>, EngineError> {
        let shelf = self.shelves.shelf::<R28AuthorityDisclosure>();
        let mut all = Vec::new();
        for name in shelf.names::<Disclosure>().await? {
            all.extend(shelf.get::<Disclosure>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }

    /// Notes which elements were read at a Data Source, and how many of each: no value, no person, no session (row R21). The hour is
    /// noted, not the moment, which would lead to a session.
    pub(super) async fn note_access(&self, data_source: &str, items: &[Item]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let hour = now.round(jiff::TimestampRound::new().smallest(jiff::Unit::Hour).mode(jiff::RoundMode::Trunc));
        let hour = hour.unwrap_or(now);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        items.iter().for_each(|item| *counts.entry(item.category().name).or_default() += 1);
        let elements = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let access = Access { at: hour, data_source: data_source.to_owned(), elements };
        // Its name tells the hour only, as its record does.
        let name = self.entropy.with(|rng| EventId::new(hour, rng)).to_string();
        let shelf = self.shelves.shelf::<R21FallbackAccessLog>();
        shelf.put(&name, &access, Expect::Absent, Term::from(hour)).await.map(drop)
    }

    /// The log of accesses to Data Sources, for an authority.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn accesses(&self) -> Result<Vec<Access>, EngineError> {
        let shelf = self.shelves.shelf::<R21FallbackAccessLog>();
        let mut all = Vec::new();
        for name in shelf.names::<Access>().await? {
            all.extend(shelf.get::<Access>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }
}
