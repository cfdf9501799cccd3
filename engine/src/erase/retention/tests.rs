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

/// The part of a policy text under a heading that begins so, in one line.
fn section(policy: &str, number: &str) -> String {
    let heading = |line: &str| {
        let rest = line.trim_start_matches('#').trim_start().strip_prefix(number);
        rest.is_some_and(|rest| rest.starts_with(' ') || rest.starts_with(". "))
    };
    let mut lines = policy.lines().skip_while(|line| !line.starts_with('#') || !heading(line)).skip(1);
    let text: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with('#')).collect();
    text.join(" ")
}

/// A length of time in the words of the policy.
fn words(period: Period) -> [String; 2] {
    let both = |number: u32, en: &str, fr: &str| [format!("{number} {en}"), format!("{number} {fr}")];
    match period {
        Period::Seconds(3600) => ["one hour", "une heure"].map(str::to_owned),
        Period::Seconds(short) if short < 3600 => both(short / 60, "minutes", "minutes"),
        Period::Seconds(days) if days % 86_400 == 0 && days > 3 * 86_400 => both(days / 86_400, "days", "jours"),
        Period::Seconds(hours) => both(hours / 3600, "hours", "heures"),
        Period::Months(years) if years % 12 == 0 && years > 12 => both(years / 12, "years", "ans"),
        Period::Months(months) => both(months, "months", "mois"),
    }
}

/// The sentences with these words; none where there is none.
fn sentences(text: &str, with: &str) -> Option<String> {
    let told: Vec<&str> = text.split(". ").filter(|sentence| sentence.contains(with)).collect();
    (!told.is_empty()).then(|| told.join(". ").trim_end_matches('.').to_owned() + ".")
}

/// Every period that the software keeps is one that the policy names, in both languages, in the section that the table cites; as
/// `golden/retention.md` has it, for a lawyer to read.
#[test]
fn every_period_stands_in_the_policy_in_the_section_that_its_row_cites() {
    let [en, fr] = crate::processing::POLICY;
    let mut table = String::from(
        "# How long, and where the policy says so\n\nFor each row of the retention table (`engine/retention.csv`): its periods, and the sentence \
         of `docs/policy/policy.en.md` that names\neach. The French text is held to the same. A period of none is over at once.\n\n\
         | row | what | after | period | policy | its words |\n|---|---|---|---|---|---|\n",
    );
    for row in TABLE {
        let cited = row.source.strip_prefix("policy ").unwrap_or_else(|| panic!("{} cites no policy", row.id));
        let number = cited.split('+').next().unwrap();
        let (what, after) = (row.categories.join(", "), row.triggers.join(", "));
        let named = [(row.period, ""), (row.cap.filter(|cap| row.period != Some(*cap)), ", at most")];
        for (period, kind) in named {
            let Some(period) = period else { continue };
            if period == Period::Seconds(0) {
                continue;
            }
            let [told, dit] = words(period);
            let (text, texte) = (section(en, number), section(fr, number));
            let quoted =
                sentences(&text, &told).unwrap_or_else(|| panic!("{}: {number} has no {told}: {text}", row.id));
            assert!(texte.contains(&dit), "{}: {number} has no {dit}: {texte}", row.id);
            table += &format!("| {} | {what} | {after} | {told}{kind} | {number} | {quoted} |\n", row.id);
        }
        if row.period.is_none() {
            let text = section(en, number);
            let quoted = sentences(&text, "remains").unwrap_or_else(|| panic!("{}: {text}", row.id));
            table += &format!("| {} | {what} | {after} | for ever | {number} | {quoted} |\n", row.id);
        }
    }
    crate::fixtures::golden("retention.md", &table);
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
