//! Who names the failure. The host has seen more than the connector says, and most wrong reports in this trade come from code that
//! guesses ("still on the login page, so the password was wrong"). So what the host saw comes first, in a fixed order: limit, trap,
//! platform or egress, declared error text, unrecognised page, and only then the connector's own code, else kept as `claimed`.
//! Pure: facts in, verdict out.

use super::{Code, Failure, Missing, Name, PageId, Retry, Stage};
use crate::item;
use crate::limits::{Beyond, LimitName};

/// What the host noted while the connector ran.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// How far the run had come.
    pub stage: Stage,
    /// A login went out. From then on nothing is tried again without the person.
    pub login_submitted: bool,
    /// The first limit that was reached, [`RunFacts::WALL_TIME`] among them.
    pub limit: Option<Name>,
    /// What the host itself stopped the run for, or the fault that a capability last answered with: no connection, a refused
    /// capability, an absent person. Forgotten when a later call of the same capability works: the connector got over it.
    pub host: Option<Code>,
    /// The failure code of a known error text on the last answer.
    pub declared: Option<Code>,
    /// Page rule that recognised the last answer, or that it should have been.
    pub page: Option<PageId>,
    /// No page rule recognised the last answer.
    pub unrecognised: bool,
    /// What a `need` or `form` missed on the last answer, or the page rule that came nearest to it.
    pub missing: Option<Missing>,
    /// Milliseconds to wait, as the Data Source said.
    pub retry_after_ms: Option<u64>,
    /// Every category that this run was to bring.
    pub datasets: Vec<DatasetFacts>,
}

/// What the host noted about one category.
#[derive(Debug, Clone, Default)]
pub struct DatasetFacts {
    /// The category.
    pub category: String,
    /// Items that were accepted.
    pub accepted: u64,
    /// The field for which an item was first refused.
    pub refused: Option<Name>,
    /// The reason with which the connector called the dataset partial, as [`RunFacts::admit`] took it at that time.
    pub partial: Option<Code>,
    /// The page that it was read from when it first became incomplete.
    pub page: Option<PageId>,
    /// What was missing on that page.
    pub missing: Option<Missing>,
    /// The page on which a declared empty marker for this category was seen.
    pub empty: Option<PageId>,
    /// A recognised page was there that speaks for this category, and did not say that there is nothing.
    pub read: bool,
    /// An item was left out because it is older than the consent allows.
    pub older: bool,
}

/// Why a dataset is incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// An item was refused because of this field.
    Refused(Name),
    /// The connector could not read the rest, for this reason, as [`RunFacts::admit`] took it.
    Partial(Code),
}

/// How the connector came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestEnd {
    /// It returned `ok`: it is done, which does not say that it worked.
    Returned,
    /// It returned a fault with this code.
    Fault(String),
    /// It crashed.
    Trapped,
    /// The host ended it; why stands in [`RunFacts::limit`] or [`RunFacts::host`].
    Stopped,
}

/// What a collection brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// Every category asked for, in the order of [`RunFacts::datasets`].
    pub datasets: Vec<Dataset>,
    /// Why something is missing; none if every dataset is complete or confirmed to be empty.
    pub shortfall: Option<Failure>,
}

/// One category of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The category.
    pub category: String,
    /// Items that were accepted.
    pub count: u64,
    /// What is known about their completeness.
    pub quality: Quality,
}

/// How much of a dataset was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quality {
    /// All that the connector found, and every item was accepted.
    Complete,
    /// Something is missing, for this reason.
    Partial(Code),
    /// The Data Source itself says on this page that there is nothing.
    EmptyConfirmed(PageId),
}

impl RunFacts {
    /// The limit that is told as [`Code::FlowTimeout`].
    pub const WALL_TIME: &'static str = LimitName::Wall.as_str();

    /// A run that has seen nothing yet.
    #[must_use]
    pub fn new(datasets: Vec<DatasetFacts>) -> Self {
        Self {
            stage: Stage::Start,
            login_submitted: false,
            limit: None,
            host: None,
            declared: None,
            page: None,
            unrecognised: false,
            missing: None,
            retry_after_ms: None,
            datasets,
        }
    }

    /// Forgets the page of the last answer: there is none yet for what was asked since.
    pub fn left_page(&mut self) {
        (self.page, self.missing, self.declared, self.retry_after_ms) = (None, None, None, None);
        self.unrecognised = false;
    }

    /// Takes a code from the connector: one that it may name, or the one that a capability has just answered with.
    #[must_use]
    pub fn admit(&self, claimed: &str) -> Code {
        match claimed.parse::<Code>() {
            Ok(code) if code.guest_may_claim() || self.host == Some(code) => code,
            _ => Code::Unclassified,
        }
    }

    /// Remembers that a dataset is incomplete from now on, and where that was seen.
    pub fn incomplete(&mut self, category: &str, how: Incomplete) {
        let Some(dataset) = self.datasets.iter_mut().find(|dataset| dataset.category == category) else { return };
        if dataset.partial.is_none() && dataset.refused.is_none() {
            dataset.page.clone_from(&self.page);
        }
        match how {
            Incomplete::Refused(field) => _ = dataset.refused.get_or_insert(field),
            Incomplete::Partial(code) if dataset.partial.is_none() => {
                // What the host saw says more than "this is not the page".
                let seen = self.declared.filter(|_| code == Code::PageUnrecognised);
                dataset.partial = Some(seen.unwrap_or(code));
                dataset.missing = self.missing.clone().filter(|_| code == Code::PageUnrecognised);
            }
            Incomplete::Partial(_) => {}
        }
    }

    /// The failure of this run under this code.
    fn failure(&self, code: Code) -> Failure {
        let retry = match code.row().retry {
            Retry::After if self.login_submitted => Retry::WithPerson,
            retry => retry,
        };
        Failure {
            retry,
            stage: self.stage,
            page: self.page.clone(),
            missing: self.missing.clone().filter(|_| code == Code::PageUnrecognised),
            retry_after_ms: self.retry_after_ms,
            limit: self.limit.clone().filter(|limit| code_of(limit) == code),
            ..Failure::new(code)
        }
    }

    /// What the host saw, in the order in which it counts.
    fn seen(&self, guest: &GuestEnd) -> Option<Code> {
        if let Some(limit) = &self.limit {
            return Some(code_of(limit));
        }
        if *guest == GuestEnd::Trapped {
            return Some(Code::Trap);
        }
        let page = (self.unrecognised || self.missing.is_some()).then_some(Code::PageUnrecognised);
        self.host.or(self.declared).or(page)
    }
}

/// The code under which a limit is told.
fn code_of(limit: &Name) -> Code {
    match LimitName::parse(limit.as_str()).map(|limit| limit.row().beyond) {
        Some(Beyond::Ends(code)) => code,
        _ => Code::LimitExceeded,
    }
}

/// Names the failure of a run, or says what it brought.
///
/// # Errors
/// The failure, if nothing was brought or if what was brought can't be trusted to be this person's, wanted and whole.
pub fn verdict(facts: &RunFacts, guest: &GuestEnd) -> Result<Gathered, Failure> {
    let (cause, claimed) = cause(facts, guest);
    let datasets: Vec<Dataset> = facts.datasets.iter().map(|dataset| qualify(dataset, facts, guest, cause)).collect();
    let fail = |code| Failure { claimed: claimed.filter(|claim| *claim != code), ..facts.failure(code) };
    if let Some(code) = cause.filter(|code| !keeps_items(*code)) {
        return Err(fail(code));
    }
    let partial = facts.datasets.iter().zip(&datasets).find_map(|(facts, dataset)| match dataset.quality {
        Quality::Partial(code) => Some((code, facts)),
        _ => None,
    });
    // A run that says it is done failed at what its datasets lack; any other run failed at its cause.
    let shortfall = match (cause, partial) {
        (Some(code), _) => Some(fail(code)),
        (None, Some((code, dataset))) => {
            let failure = fail(code);
            // The run went on to other pages since.
            let refused = dataset.refused.clone().map(Missing::from);
            let own = if code == Code::ValueUnparsable { refused } else { dataset.missing.clone() };
            let missing = own.or(failure.missing.filter(|_| dataset.page.is_none()));
            Some(Failure { page: dataset.page.clone().or(failure.page), missing, ..failure })
        }
        (None, None) => None,
    };
    let useful = |dataset: &Dataset| dataset.count > 0 || matches!(dataset.quality, Quality::EmptyConfirmed(_));
    match shortfall {
        Some(failure) if !datasets.iter().any(useful) => Err(failure),
        shortfall => Ok(Gathered { datasets, shortfall }),
    }
}

/// Why the whole run ended early, if it did, and what the connector claimed.
fn cause(facts: &RunFacts, guest: &GuestEnd) -> (Option<Code>, Option<Code>) {
    match guest {
        // Only a limit reaches past a connector's "I am done": it may have swallowed the refusal and left out the rest.
        GuestEnd::Returned => (facts.limit.as_ref().and_then(|_| facts.seen(guest)), None),
        GuestEnd::Trapped => (facts.seen(guest), None),
        GuestEnd::Stopped => (Some(facts.seen(guest).unwrap_or(Code::Cancelled)), None),
        GuestEnd::Fault(text) => {
            let own = facts.admit(text);
            (Some(facts.seen(guest).unwrap_or(own)), Some(text.parse().unwrap_or(own)))
        }
    }
}

fn qualify(dataset: &DatasetFacts, facts: &RunFacts, guest: &GuestEnd, cause: Option<Code>) -> Dataset {
    let category = item::category(&dataset.category);
    let single = category.is_some_and(|category| !category.many);
    let refused = dataset.refused.as_ref().map(|_| Code::ValueUnparsable);
    // Something was there, and none of it may be taken.
    let older_alone = dataset.older && cause.or_else(|| facts.seen(guest)).is_none();
    let quality = match (dataset.accepted, dataset.partial.or(refused), &dataset.empty) {
        (1, None, _) if single => Quality::Complete,
        (_, Some(code), _) => Quality::Partial(code),
        // Of several accounts one may be empty; that says nothing about the others.
        (0, None, Some(page)) if !dataset.read => Quality::EmptyConfirmed(page.clone()),
        (0, None, _) if older_alone => Quality::Complete,
        (0, None, _) => Quality::Partial(cause.or_else(|| facts.seen(guest)).unwrap_or(Code::PageUnrecognised)),
        (_, None, _) => cause.map_or(Quality::Complete, Quality::Partial),
    };
    Dataset { category: dataset.category.clone(), count: dataset.accepted, quality }
}

/// Whether what was emitted before this failure may still be reviewed and delivered. Not when the permission is gone, when the data
/// may be somebody else's or wrong, or when the run was broken off in the middle of an item.
fn keeps_items(code: Code) -> bool {
    !matches!(
        code,
        Code::ConsentExpired
            | Code::ConsentRevoked
            | Code::ConsentWithdrawn
            | Code::SubjectMismatch
            | Code::InvariantBroken
            | Code::Trap
            | Code::Cancelled
            | Code::ConnectorRevoked
            | Code::NodeLost
            | Code::PlatformFailed
    )
}

#[cfg(test)]
mod tests;
