//! Shareable Data on its way through the flow. [`Data`] carries the stage it has reached in its type: what was collected
//! can't be sealed, and what was not reviewed can't be released. The only way on is through `release.rs`.
//!
//! It lives in memory only. It has no serde, its `Debug` prints counts, and dropping it wipes the values. What is left out
//! on the way is counted: collected = kept + omitted, always.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Weak};

use consentry_contract::failure::Gathered;
pub use consentry_contract::item::Item;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::consent::Grant;
use crate::id::{ConsentId, LeafId, OnlineServiceId, ParcelId, RunId, SubjectId};
use crate::predicate::Answered;
use crate::release::Step;

mod category;

pub use category::{Category, UnknownCategory};

/// The SHA-256 of something that others may check: a notice, a connector, a parcel. Written as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 lower-case hexadecimal digits")]
pub struct NotADigest;

/// How far the data has come. Sealed: there are these four stages and no more.
pub trait Stage: stage::Sealed {
    /// What is known about the data from this stage on.
    type Terms: fmt::Debug;
}

/// Emitted by a connector, checked by the host's table.
#[derive(Debug)]
pub enum Collected {}
/// Cut down to what the person granted.
#[derive(Debug)]
pub enum Minimised {}
/// Seen by the person, who chose what to share.
#[derive(Debug)]
pub enum Reviewed {}
/// Passed the consent gate; may be sealed to the Online Service.
#[derive(Debug)]
pub enum Released {}

mod stage {
    pub trait Sealed {}
    impl Sealed for super::Collected {}
    impl Sealed for super::Minimised {}
    impl Sealed for super::Reviewed {}
    impl Sealed for super::Released {}
}

impl Stage for Collected {
    type Terms = ();
}
impl Stage for Minimised {
    type Terms = Terms;
}
impl Stage for Reviewed {
    type Terms = Terms;
}
impl Stage for Released {
    type Terms = Gate;
}

/// Under which consent, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The consent.
    pub consent: ConsentId,
    /// The only Online Service it may be sealed to.
    pub online_service: OnlineServiceId,
    /// What was granted.
    pub granted: BTreeSet<Category>,
}

/// Under which consent and ledger entry it was released, and as which parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The terms.
    pub terms: Terms,
    /// The accepted entry of the ledger.
    pub leaf: LeafId,
    /// The parcel it becomes; also the idempotency key of the delivery.
    pub parcel: ParcelId,
    /// When.
    pub released_at: Timestamp,
}

/// Where data comes from. Named in every parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The run that collected it.
    pub run: RunId,
    /// The Data Source, by its id in the connector's manifest.
    pub source: String,
    /// The connector, by id.
    pub connector: String,
    /// The connector's version.
    pub version: String,
    /// The connector, by the digest of its one file.
    pub digest: Digest,
    /// When the last item was observed.
    pub observed_at: Timestamp,
    /// The person as this Online Service knows them, if they have an account.
    pub subject: Option<SubjectId>,
}

/// How many items were left out, by category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omissions(BTreeMap<Category, usize>);

/// Shareable Data at stage `S`.
pub struct Data<S: Stage> {
    items: Vec<Item>,
    gathered: Gathered,
    provenance: Provenance,
    collected: usize,
    omitted: Omissions,
    /// What the person leaves out, each with its place: it goes nowhere, and is there again if they decide once more.
    aside: Vec<(usize, Item)>,
    /// What questions came to whose values are not here any more.
    answers: Vec<Answered>,
    terms: S::Terms,
    /// Lives as long as these items do, at whatever stage: erasure looks whether it is gone.
    presence: Arc<()>,
}

impl Data<Collected> {
    /// Takes what a collection found that used this grant. Only the collection itself makes this.
    pub(crate) fn collected(_: &Grant, items: Vec<Item>, gathered: Gathered, provenance: Provenance) -> Self {
        let collected = items.len();
        Self {
            items,
            gathered,
            provenance,
            collected,
            omitted: Omissions::default(),
            aside: Vec::new(),
            answers: Vec::new(),
            terms: (),
            presence: Arc::default(),
        }
    }
}

impl Data<Minimised> {
    /// Keeps what questions came to, tells of no dataset that was collected for them alone, and cuts what `strip` cuts.
    pub(crate) fn cut(mut self, _step: Step, answers: Vec<Answered>, strip: impl Fn(&mut Item)) -> Self {
        let granted = &self.terms.granted;
        self.gathered.datasets.retain(|dataset| granted.iter().any(|category| category.name() == dataset.category));
        self.items.iter_mut().for_each(strip);
        Self { answers, ..self }
    }
}

impl<S: Stage> Data<S> {
    /// What questions came to.
    pub fn answers(&self) -> &[Answered] {
        &self.answers
    }

    /// The items, for the gate, the preview and the parcel.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// What the Data Source gave of each category, and why something is missing.
    pub fn gathered(&self) -> &Gathered {
        &self.gathered
    }

    /// Where it comes from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The consent and, in the end, the ledger entry it stands on.
    pub fn terms(&self) -> &S::Terms {
        &self.terms
    }

    /// Something that can be upgraded for as long as these items are in memory, at whatever stage.
    pub(crate) fn presence(&self) -> Weak<()> {
        Arc::downgrade(&self.presence)
    }

    /// How many items of each category are here.
    pub fn counts(&self) -> BTreeMap<Category, usize> {
        let mut counts = BTreeMap::new();
        for item in &self.items {
            *counts.entry(item.category().into()).or_default() += 1;
        }
        counts
    }

    /// How many items are here.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items of a category, by name, were left out.
    pub(crate) fn withheld(&self, category: &str) -> usize {
        self.omitted.by_category().filter(|(omitted, _)| omitted.name() == category).map(|(_, count)| count).sum()
    }

    /// What was left out so far.
    pub fn omissions(&self) -> &Omissions {
        &self.omitted
    }
}

/// Leads data to its next stage, without the items that `keep` refuses. Only `release.rs` can make a [`Step`].
pub(crate) fn advance<S: Stage, T: Stage>(
    data: Data<S>,
    _step: Step,
    terms: T::Terms,
    mut keep: impl FnMut(usize, &Item) -> bool,
) -> Data<T> {
    let mut data = set_aside(data, _step, terms, &mut keep);
    data.aside.clear();
    data
}

/// The same, with the items that `keep` refuses laid aside, for [`recall`].
pub(crate) fn set_aside<S: Stage, T: Stage>(
    data: Data<S>,
    _step: Step,
    terms: T::Terms,
    mut keep: impl FnMut(usize, &Item) -> bool,
) -> Data<T> {
    let Data { items, gathered, provenance, collected, mut omitted, mut aside, answers, presence, terms: _ } = data;
    let mut kept = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if keep(at, &item) {
            kept.push(item);
        } else {
            omitted.count(item.category().into());
            aside.push((at, item));
        }
    }
    debug_assert_eq!(collected, kept.len() + omitted.total(), "items are kept or counted");
    Data { items: kept, gathered, provenance, collected, omitted, aside, answers, terms, presence }
}

/// Leads data back to the review, because what followed did not come about. What was laid aside is in its place again.
pub(crate) fn recall<S: Stage>(data: Data<S>, _step: Step, terms: Terms) -> Data<Minimised> {
    let Data { mut items, gathered, provenance, collected, mut omitted, aside, answers, presence, terms: _ } = data;
    for (at, item) in aside {
        omitted.uncount(item.category().into());
        items.insert(at.min(items.len()), item);
    }
    debug_assert_eq!(collected, items.len() + omitted.total(), "items are kept or counted");
    Data { items, gathered, provenance, collected, omitted, aside: Vec::new(), answers, terms, presence }
}

impl<S: Stage> fmt::Debug for Data<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("run", &self.provenance.run)
            .field("collected", &self.collected)
            .field("kept", &self.items.len())
            .field("omitted", &self.omitted.total())
            .finish_non_exhaustive()
    }
}

impl Omissions {
    fn count(&mut self, category: Category) {
        *self.0.entry(category).or_default() += 1;
    }

    fn uncount(&mut self, category: Category) {
        if let Some(count) = self.0.get_mut(&category) {
            *count -= 1;
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// How many items were left out.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// How many of each category.
    pub fn by_category(&self) -> impl Iterator<Item = (Category, usize)> + '_ {
        self.0.iter().map(|(category, count)| (*category, *count))
    }
}

impl Digest {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Takes bytes that are a SHA-256.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix("sha256:").ok_or(NotADigest)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| NotADigest)?;
        // Upper case is another spelling of the same digest; one spelling is enough.
        if digits.bytes().any(|b| b.is_ascii_uppercase()) { Err(NotADigest) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
