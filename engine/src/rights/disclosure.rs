//! The register of disclosures to authorities: on what basis, which elements, what was answered; and the log of accesses that the
//! law has us keep: names and counts of elements, never a value.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::erase::retention::{R18SecurityAuditLog, R21FallbackAccessLog, R28AuthorityDisclosure};
use crate::id::EventId;
use crate::store::Record;

/// One disclosure to an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Names it.
    pub id: EventId,
    /// When.
    pub made_at: Timestamp,
    /// Which authority.
    pub authority: String,
    /// The law and the order that it rests on.
    pub basis: String,
    /// Which elements were asked for: names, never values.
    pub elements: Vec<String>,
    /// What was given, or why not.
    pub answer: String,
}

/// One access whose logging the law requires: which elements were read, and how many, never what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// When.
    pub at: Timestamp,
    /// Which Data Source.
    pub data_source: String,
    /// How many items of each category.
    pub elements: Vec<(String, usize)>,
}

/// A look-up by somebody of the operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// When.
    pub at: Timestamp,
    /// Who looked.
    pub by: String,
    /// What was looked for: its kind, never its value.
    pub what: String,
    /// Why.
    pub why: String,
    /// How much was found.
    pub found: usize,
}

/// Records of what the operator did, which name no person.
const OF_THE_OPERATOR: Declared = Declared {
    export: Export::NotPersonal,
    rectify: Rectify::ByStatement,
    erase: Erase::AtTheEndOfItsPeriod,
    restrict: Restrict::NothingIsDoneWithIt,
};

impl Record for Disclosure {
    const NAMESPACE: &'static str = "disclosure";
    const RIGHTS: Declared = OF_THE_OPERATOR;
    type Row = R28AuthorityDisclosure;
}

impl Record for Access {
    const NAMESPACE: &'static str = "access";
    const RIGHTS: Declared = OF_THE_OPERATOR;
    type Row = R21FallbackAccessLog;
}

impl Record for LookUp {
    const NAMESPACE: &'static str = "look-up";
    const RIGHTS: Declared = OF_THE_OPERATOR;
    type Row = R18SecurityAuditLog;
}
