//! What an erasure leaves: what a law or another basis keeps, until when, and why.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::erase::receipt::Survivor;
use crate::erase::retention::{R13Account, R15ConsentLogLeaf, R18SecurityAuditLog, Retained as _, Row, Term};
use crate::receipt::Kept;

/// What survives, by row, and how many records of it; none where they can't be told apart.
#[derive(Default)]
pub(super) struct Survivors(BTreeMap<&'static str, (Kept, Option<usize>)>);

impl Survivors {
    /// Of several, the one that is kept longest says until when.
    pub(super) fn survive(&mut self, row: &'static Row, term: &Term, records: Option<usize>) {
        let kept = Kept::under(row, term);
        let (known, count) = self.0.entry(row.id).or_insert_with(|| (kept.clone(), records.map(|_| 0)));
        known.until = known.until.zip(kept.until).map(|(one, other)| one.max(other));
        *count = count.zip(records).map(|(sum, more)| sum + more);
    }

    /// Those whose time is not over.
    pub(super) fn at(self, now: Timestamp) -> Vec<Survivor> {
        let all = self.0.into_values().filter(|(kept, _)| kept.until.is_none_or(|until| now < until));
        all.map(|(kept, records)| survivor(kept, records)).collect()
    }
}

/// Why a record of a row stays although somebody asks for its erasure; none if it goes.
pub(super) fn why_kept(row: &Row) -> Option<&'static str> {
    let by = |basis: &str| row.basis.contains(&basis);
    if by("no_personal_data") {
        return Some("it holds no personal data");
    }
    if by("salted_commitment") {
        return Some("it says nothing without a salt that is erased with the consent's record");
    }
    by("A6-1-c").then_some("a law demands it: GDPR, Art. 6(1)(c) and 17(3)(b)")
}

fn survivor(kept: Kept, records: Option<usize>) -> Survivor {
    let why = match Row::by_id(&kept.row) {
        Some(row) if row.id == R18SecurityAuditLog::ROW.id => Some(
            "it shows that operators did what they did, this erasure too: GDPR, Art. 6(1)(f); of the person it has a name of ours",
        ),
        Some(row) if row.id == R13Account::ROW.id => Some(
            "the account is its person's, who closes it: of this it has the name under which the Online Service knows them, for other sessions too",
        ),
        Some(_) if records.is_none() && kept.row != R15ConsentLogLeaf::ROW.id => None,
        row => row.and_then(why_kept),
    };
    let why = why.unwrap_or("it names no session and no person: nobody can tell which one it is");
    Survivor { kept, records, why: why.to_owned() }
}
