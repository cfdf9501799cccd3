//! The way from collected to released: cut to what was granted, seen by the person, then the consent gate. Pure.
//!
//! Nothing else can lead data to another stage: a step is made here only. The gate asks for a proof that the consent is
//! active *and* for an accepted entry of the ledger: no leaf, no release.
//!
//! A stage is reached through its door:
//! ```
//! # use consentry::{data::{self, Data, Minimised, Reviewed}, release::{self, Decision}};
//! fn review(data: Data<Minimised>) -> Data<Reviewed> {
//!     data.review(&Decision::all())
//! }
//! ```
//! No stage is left out:
//! ```compile_fail,E0599
//! # use consentry::{data::{Collected, Data, Reviewed}, release::Decision};
//! fn review(data: Data<Collected>) -> Data<Reviewed> {
//!     data.review(&Decision::all())
//! }
//! ```
//! ```compile_fail,E0599
//! # use consentry::{consent::ActiveConsent, data::{Data, Minimised, Released}, id::ParcelId, ledger::AcceptedLeaf};
//! fn release(data: Data<Minimised>, by: &ActiveConsent, leaf: &AcceptedLeaf, parcel: ParcelId) -> Data<Released> {
//!     data.release(by, leaf, parcel).unwrap()
//! }
//! ```
//! And what was reviewed is released with both proofs, or not at all:
//! ```
//! # use consentry::{consent::ActiveConsent, data::{Data, Released, Reviewed}, id::ParcelId, ledger::AcceptedLeaf};
//! fn release(data: Data<Reviewed>, by: &ActiveConsent, leaf: &AcceptedLeaf, parcel: ParcelId) -> Data<Released> {
//!     data.release(by, leaf, parcel).unwrap()
//! }
//! ```
//! ```compile_fail,E0061
//! # use consentry::{consent::ActiveConsent, data::{Data, Released, Reviewed}, id::ParcelId};
//! fn release(data: Data<Reviewed>, by: &ActiveConsent, parcel: ParcelId) -> Data<Released> {
//!     data.release(by, parcel).unwrap()
//! }
//! ```
//! Nor is there another door:
//! ```compile_fail,E0603
//! # use consentry::{data::{self, Data, Minimised, Reviewed}, release::{self, Decision}};
//! fn review(data: Data<Minimised>) -> Data<Reviewed> {
//!     data::advance(data, release::Step(()), data.terms().clone(), |_, _| true)
//! }
//! ```

use std::collections::BTreeSet;

use consentry_contract::failure::Quality;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::consent::{ActiveConsent, Grant};
use crate::data::{self, Category, Collected, Data, Gate, Item, Minimised, Released, Reviewed, Stage, Terms};
use crate::id::ParcelId;
use crate::ledger::{AcceptedLeaf, Event};
use crate::predicate::Predicate;

/// The category that tells of other people.
const TRANSACTION: &str = "bank.transaction";
/// Its fields that do.
const OTHERS: [&str; 3] = ["counterparty.name", "counterparty.iban", "remittance"];

/// Shows that the caller of [`data::advance`] is this module.
pub(crate) struct Step(());

/// What the person chose in the preview. Items are named by their place in the minimised data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    without_items: BTreeSet<usize>,
    without_categories: BTreeSet<Category>,
}

/// Why the gate stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The proof is about another consent than the data.
    #[error("the consent that was looked up is not the one the data was collected under")]
    OtherConsent,
    /// The ledger entry is about something else.
    #[error("the ledger entry is about another release")]
    OtherLeaf,
    /// An item's category is not granted any more.
    #[error("an item is of a category that is not granted")]
    NotGranted,
    /// The decision is about another list than the one that was shown.
    #[error("the decision names an item or a category that was not found")]
    Unknown,
    /// The person shares nothing.
    #[error("there is nothing to share")]
    Nothing,
}

impl Decision {
    /// Shares everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Leaves out one item.
    #[must_use]
    pub fn without_item(mut self, at: usize) -> Self {
        self.without_items.insert(at);
        self
    }

    /// Leaves out a whole category.
    #[must_use]
    pub fn without_category(mut self, category: Category) -> Self {
        self.without_categories.insert(category);
        self
    }

    /// Whether it is about this data, and leaves something of it.
    ///
    /// # Errors
    /// [`Refusal::Unknown`]: what is named is not there, so what was meant may be what would be shared. [`Refusal::Nothing`].
    pub fn check(&self, data: &Data<Minimised>) -> Result<(), Refusal> {
        let known = |at: &usize| *at < data.items().len();
        if !self.without_items.iter().all(known) || !self.without_categories.is_subset(&data.terms().granted) {
            return Err(Refusal::Unknown);
        }
        if self.leaves_something(data) { Ok(()) } else { Err(Refusal::Nothing) }
    }

    /// Whether anything would be shared: an item, or the confirmation that there is none.
    fn leaves_something(&self, data: &Data<Minimised>) -> bool {
        let item = data.items().iter().enumerate().any(|(at, item)| self.keeps(at, item.category().into()));
        item || confirms_emptiness(data) || !data.answers().is_empty()
    }

    fn keeps(&self, at: usize, category: Category) -> bool {
        !self.without_items.contains(&at) && !self.without_categories.contains(&category)
    }
}

impl Data<Collected> {
    /// Cuts the data down to what the grant allows. The boundary refuses what was not granted when it is emitted; this
    /// is the second lock on the same door. Questions that were granted are answered here; what was collected for them alone is
    /// dropped. What transactions say of other people is cut out unless that was granted.
    pub fn minimise(self, grant: &Grant, asked: &[Predicate], now: Timestamp) -> Data<Minimised> {
        let granted = grant.shared();
        let terms =
            Terms { consent: grant.consent(), online_service: grant.online_service(), granted: granted.clone() };
        let asked = asked.iter().filter(|asked| grant.predicates().contains(&asked.told()));
        let answers = asked.map(|asked| asked.answer(self.items(), now)).collect();
        let kept: Data<Minimised> =
            data::advance(self, Step(()), terms, |_, item| granted.contains(&item.category().into()));
        kept.cut(Step(()), answers, |item| {
            if !grant.third_parties() {
                without_others(item);
            }
        })
    }
}

impl Data<Minimised> {
    /// Leaves out what the person does not want to share. It stays in memory, beside the rest, until that has gone on.
    pub fn review(self, decision: &Decision) -> Data<Reviewed> {
        let terms = self.terms().clone();
        data::set_aside(self, Step(()), terms, |at, item| decision.keeps(at, item.category().into()))
    }
}

impl Data<Reviewed> {
    /// Passes the consent gate, to become this parcel. What was refused is gone: the data is not given back.
    ///
    /// # Errors
    /// Says which of the two proofs does not fit the data.
    pub fn release(self, by: &ActiveConsent, leaf: &AcceptedLeaf, parcel: ParcelId) -> Result<Data<Released>, Refusal> {
        let terms = self.terms().clone();
        self.check(&terms, by)?;
        let wanted = Event::Released { consent: terms.consent, run: self.provenance().run, parcel };
        if leaf.event() != &wanted {
            return Err(Refusal::OtherLeaf);
        }
        let gate = Gate { leaf: leaf.id(), parcel, released_at: by.looked_at(), terms };
        Ok(data::set_aside(self, Step(()), gate, |_, _| true))
    }

    /// Goes back to the review: the person may decide anew.
    pub(crate) fn recall(self) -> Data<Minimised> {
        let terms = self.terms().clone();
        data::recall(self, Step(()), terms)
    }

    fn check(&self, terms: &Terms, by: &ActiveConsent) -> Result<(), Refusal> {
        if by.consent() != terms.consent || by.online_service() != terms.online_service {
            return Err(Refusal::OtherConsent);
        }
        if !self.items().iter().all(|item| by.categories().contains(&item.category().into())) {
            return Err(Refusal::NotGranted);
        }
        if self.is_empty() && !confirms_emptiness(self) && self.answers().is_empty() {
            return Err(Refusal::Nothing);
        }
        Ok(())
    }
}

impl Data<Released> {
    /// Goes back to the review, because the parcel that was made of it was not taken and is gone.
    pub(crate) fn recall(self) -> Data<Minimised> {
        let terms = self.terms().terms.clone();
        data::recall(self, Step(()), terms)
    }
}

/// Cuts out of a transaction what it says of other people: who they are, their account, what they wrote.
fn without_others(item: &mut Item) {
    if item.category().name != TRANSACTION {
        return;
    }
    for name in OTHERS {
        if let Some(words) =
            item.get(name).and_then(|value| value.as_text()).map(|text| Zeroizing::new(text.to_owned()))
        {
            item.mask("label", &words);
        }
    }
    item.drop_fields(&OTHERS);
}

/// Whether a page of the Data Source said that there is nothing: that is something to share, too.
fn confirms_emptiness<S: Stage>(data: &Data<S>) -> bool {
    data.gathered().datasets.iter().any(|dataset| matches!(dataset.quality, Quality::EmptyConfirmed(_)))
}

#[cfg(test)]
mod tests;
