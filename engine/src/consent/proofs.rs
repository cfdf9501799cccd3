//! What the proofs of the register tell of themselves.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ActiveConsent, Consent, DispatchProof, Grant};
use crate::data::Category;
use crate::id::{ConsentId, GrantId, OnlineServiceId, ParcelId};

impl ActiveConsent {
    /// Names the consent.
    pub fn consent(&self) -> ConsentId {
        self.record.id()
    }

    /// The only Online Service that may receive data under it.
    pub fn online_service(&self) -> OnlineServiceId {
        self.record.online_service()
    }

    /// What was granted.
    pub fn categories(&self) -> &BTreeSet<Category> {
        self.record.granted()
    }

    /// When it was looked up.
    pub fn looked_at(&self) -> Timestamp {
        self.looked_at
    }
}

impl Consent {
    /// What may be collected: what is shared, and what questions need that are answered here.
    pub fn collected(&self) -> BTreeSet<Category> {
        let granted = self.told.predicates.iter().filter(|asked| self.predicates.contains(&asked.predicate));
        self.granted.iter().copied().chain(granted.map(|asked| asked.category)).collect()
    }
}

impl Grant {
    /// Names the grant.
    pub fn id(&self) -> GrantId {
        self.id
    }

    /// The consent it stands on.
    pub fn consent(&self) -> ConsentId {
        self.record.id()
    }

    /// The only Online Service that may receive what is collected.
    pub fn online_service(&self) -> OnlineServiceId {
        self.record.online_service()
    }

    /// What may be collected: what is shared, and what questions need that are answered here.
    pub fn categories(&self) -> BTreeSet<Category> {
        self.record.collected()
    }

    /// What may be shared.
    pub fn shared(&self) -> &BTreeSet<Category> {
        self.record.granted()
    }

    /// The questions that may be answered.
    pub fn predicates(&self) -> &BTreeSet<String> {
        self.record.predicates()
    }

    /// Whether what transactions say of other people may be shared.
    pub fn third_parties(&self) -> bool {
        self.record.told().third_parties.is_some()
    }

    /// From which Data Source, by id.
    pub fn source(&self) -> &str {
        self.record.source()
    }

    /// How far back, in days.
    pub fn history_days(&self) -> Option<u16> {
        self.record.history_days()
    }
}

impl DispatchProof {
    /// The consent under which it is sent.
    pub fn consent(&self) -> ConsentId {
        self.consent
    }

    /// The one parcel it is about.
    pub fn parcel(&self) -> ParcelId {
        self.parcel
    }

    /// When the send began.
    pub fn began_at(&self) -> Timestamp {
        self.began_at
    }
}
