use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[track_caller]
fn check(row: &Row, term: Term, deadline: Option<&str>) {
    assert_eq!(row.deadline(&term), deadline.map(at), "{}", row.id);
}

#[test]
fn deadlines_follow_the_table() {
    let noon = Term::from(at("2026-01-31T12:00:00Z"));
    check(R23SealedParcel::ROW, noon, Some("2026-01-31T13:00:00Z"));
    check(R09OneTimePassword::ROW, noon, Some("2026-01-31T12:10:00Z"));
    check(R06IdentityVerification::ROW, noon, Some("2026-02-03T12:00:00Z"));
    check(R11ErrorReportRedacted::ROW, noon, Some("2026-05-31T12:00:00Z"));
    check(R05TransactionTrace::ROW, noon, Some("2027-02-28T12:00:00Z"));
    check(R20MeteringEvent::ROW, noon, Some("2036-01-31T12:00:00Z"));
    check(R13Account::ROW, noon, Some("2026-01-31T12:00:00Z"));
    check(R15ConsentLogLeaf::ROW, noon, None);
    check(R14ConsentRecord::ROW, Term::open(), None);
}

#[test]
fn a_cap_counts_from_the_first_trigger_and_nothing_extends_it() {
    let mut term = Term::from(at("2026-01-01T00:00:00Z"));
    for month in 2..=12 {
        term = term.then(Term::from(at(&format!("2026-{month:02}-01T00:00:00Z"))));
    }
    check(R02ContactRequest::ROW, term, Some("2027-06-01T00:00:00Z"));
    let term = term.then(Term::from(at("2027-12-01T00:00:00Z")));
    check(R02ContactRequest::ROW, term, Some("2028-01-01T00:00:00Z"));
}

#[test]
fn a_sessions_hour_ends_what_belongs_to_it() {
    let end = at("2026-01-31T12:30:00Z");
    let term = Term::from(at("2026-01-31T12:00:00Z")).ending_by(end);
    check(R23SealedParcel::ROW, term, Some("2026-01-31T12:30:00Z"));
    check(R23SealedParcel::ROW, term.ending_by(at("2026-01-31T14:00:00Z")), Some("2026-01-31T12:30:00Z"));
    check(R23SealedParcel::ROW, term.then(Term::from(at("2026-01-31T12:20:00Z"))), Some("2026-01-31T12:30:00Z"));
    check(R14ConsentRecord::ROW, Term::open().ending_by(end), Some("2026-01-31T12:30:00Z"));
}

#[test]
fn time_ends_rather_than_overflows() {
    check(R20MeteringEvent::ROW, Term::from(Timestamp::MAX), Some(&Timestamp::MAX.to_string()));
}

#[test]
fn every_row_is_found_by_its_id() {
    assert_eq!(TABLE.len(), 29);
    for row in TABLE {
        assert_eq!(Row::by_id(row.id), Some(*row));
    }
    assert_eq!(Row::by_id("R00"), None);
}

const HEADER: &str = "id,category,purpose,basis,trigger,period,early_end,cap,action,store,backup,source";
const GOOD: &str = "R01,sealed_parcel,p,b,t,PT1H,-,PT1H,delete,outbox,never,s";

#[track_caller]
fn refused(text: &str, why: &str) {
    let error = table::read(text).err().expect("the table is wrong");
    assert!(error.contains(why), "{error}");
}

#[test]
fn a_wrong_table_does_not_build() {
    let rows = table::read(&format!("{HEADER}\n{GOOD}\n")).unwrap();
    assert!(table::generate(&rows).contains("impl Storable for R01SealedParcel {}"));
    refused(&format!("{HEADER},why\n{GOOD},x\n"), "the columns must be");
    refused(&format!("{}\n{GOOD}\n", HEADER.replace("cap", "limit")), "the columns must be");
    refused(&format!("{HEADER}\n"), "no rows");
    refused(&format!("{HEADER}\n{}\n", GOOD.replace("R01", "R02")), "must be R01");
    for period in ["", "1H", "P1H", "PT1D", "PT", "P", "PT1H30M", "P-1D", "PT1.5H", "P999999999Y", "forever", "Pé"] {
        refused(&format!("{HEADER}\n{}\n", GOOD.replace(",PT1H,-", &format!(",{period},-"))), "is not a period");
    }
    refused(&format!("{HEADER}\n{}\n", GOOD.replace("-,PT1H", "-,keep")), "both `keep`");
    refused(&format!("{HEADER}\n{}\n", GOOD.replace("outbox", "attic")), "no store");
    refused(&format!("{HEADER}\n{}\n", GOOD.replace("never", "maybe")), "`backup`");
    refused(&format!("{HEADER}\n{}\n", GOOD.replace("sealed_parcel", "Sealed parcel")), "a category");
    refused(&format!("{HEADER}\n{GOOD},x\n"), "found record with 13 fields");
}

#[test]
fn a_row_in_memory_only_is_not_storable() {
    let rows = table::read(&format!("{HEADER}\n{}\n", GOOD.replace("outbox", "ram"))).unwrap();
    assert!(!table::generate(&rows).contains("Storable"));
}
