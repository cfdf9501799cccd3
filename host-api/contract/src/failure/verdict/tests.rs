use super::*;
use crate::failure::Blame;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn named(text: &str) -> Missing {
    name(text).into()
}

fn dataset(category: &str, accepted: u64) -> DatasetFacts {
    DatasetFacts { category: category.into(), accepted, ..DatasetFacts::default() }
}

/// A run in the middle of reading transactions, one account and three transactions in hand.
fn midway() -> RunFacts {
    let datasets = vec![dataset("bank.account", 1), dataset("bank.transaction", 3)];
    RunFacts { stage: Stage::Extract, login_submitted: true, page: Some(name("history")), ..RunFacts::new(datasets) }
}

/// The same run with nothing in hand.
fn nothing() -> RunFacts {
    RunFacts { datasets: vec![dataset("bank.account", 0), dataset("bank.transaction", 0)], ..midway() }
}

fn fault(code: &str) -> GuestEnd {
    GuestEnd::Fault(code.into())
}

#[test]
fn what_the_host_saw_counts_before_what_the_connector_says() {
    // Everything went wrong at once; taking away the first cause shows the next.
    let mut facts = RunFacts {
        limit: Some(name("requests")),
        host: Some(Code::EgressFailed),
        declared: Some(Code::AccountLocked),
        unrecognised: true,
        ..nothing()
    };
    let code = |facts: &RunFacts, guest: &GuestEnd| verdict(facts, guest).unwrap_err().code;
    assert_eq!(code(&facts, &GuestEnd::Trapped), Code::LimitExceeded);
    facts.limit = None;
    assert_eq!(code(&facts, &GuestEnd::Trapped), Code::Trap);
    let guest = fault("credentials-rejected");
    assert_eq!(code(&facts, &guest), Code::EgressFailed);
    facts.host = None;
    assert_eq!(code(&facts, &guest), Code::AccountLocked);
    facts.declared = None;
    assert_eq!(code(&facts, &guest), Code::PageUnrecognised);
    facts.unrecognised = false;
    facts.missing = Some(named("login-form"));
    assert_eq!(code(&facts, &guest), Code::PageUnrecognised);
    facts.missing = None;
    assert_eq!(code(&facts, &guest), Code::CredentialsRejected);
}

#[test]
fn a_guess_of_the_connector_is_kept_as_claimed() {
    let facts = RunFacts { missing: Some(named("balance")), stage: Stage::Navigate, ..nothing() };
    let failure = verdict(&facts, &fault("credentials-rejected")).unwrap_err();
    assert_eq!(failure.claimed, Some(Code::CredentialsRejected));
    assert_eq!((failure.page, failure.missing), (Some(name("history")), Some(named("balance"))));
    assert_eq!((failure.blame, failure.stage), (Blame::Connector, Stage::Navigate));
    assert_eq!(verdict(&nothing(), &fault("session-lost")).unwrap_err().claimed, None, "nothing to add");
}

#[test]
fn a_connector_names_only_codes_that_it_may_name() {
    let cases = [
        ("no-such-code 1234", Code::Unclassified, None),
        ("delivery-failed", Code::Unclassified, Some(Code::DeliveryFailed)),
        ("consent-withdrawn", Code::Unclassified, Some(Code::ConsentWithdrawn)),
        ("egress-failed", Code::Unclassified, Some(Code::EgressFailed)),
        ("rate-limited", Code::RateLimited, None),
    ];
    for (text, code, claimed) in cases {
        let failure = verdict(&nothing(), &fault(text)).unwrap_err();
        assert_eq!((failure.code, failure.claimed), (code, claimed), "{text}");
    }
    let facts = RunFacts { host: Some(Code::EgressFailed), ..nothing() };
    assert_eq!(facts.admit("egress-failed"), Code::EgressFailed, "a capability has just answered with it");
}

#[test]
fn limits_and_waits_are_told_and_a_submitted_login_is_never_tried_again_alone() {
    let facts = RunFacts { limit: Some(name(RunFacts::WALL_TIME)), login_submitted: false, ..nothing() };
    let failure = verdict(&facts, &GuestEnd::Stopped).unwrap_err();
    assert_eq!(
        (failure.code, failure.limit, failure.retry),
        (Code::FlowTimeout, Some(name(RunFacts::WALL_TIME)), Retry::After)
    );
    // A site that redirects without end is at fault itself, and the limit's name is told all the same.
    let facts = RunFacts { limit: Some(name(LimitName::Redirects.as_str())), ..nothing() };
    let failure = verdict(&facts, &GuestEnd::Stopped).unwrap_err();
    assert_eq!(
        (failure.code, failure.blame, failure.limit),
        (Code::SourceUnavailable, Blame::Source, Some(name("redirects")))
    );
    let facts = RunFacts { declared: Some(Code::RateLimited), retry_after_ms: Some(30_000), ..nothing() };
    let failure = verdict(&facts, &GuestEnd::Returned).unwrap_err();
    assert_eq!((failure.retry, failure.retry_after_ms), (Retry::WithPerson, Some(30_000)));
}

#[test]
fn datasets_are_qualified_one_by_one() {
    let empty = DatasetFacts { empty: Some(name("no-accounts")), ..dataset("bank.account", 0) };
    let refused = DatasetFacts { refused: Some(name("iban")), ..dataset("bank.account", 2) };
    let partial = DatasetFacts { partial: Some(Code::RateLimited), ..dataset("bank.account", 2) };
    let cases = [
        (dataset("bank.account", 2), Quality::Complete),
        (dataset("bank.account", 0), Quality::Partial(Code::PageUnrecognised)),
        (empty, Quality::EmptyConfirmed(name("no-accounts"))),
        (refused, Quality::Partial(Code::ValueUnparsable)),
        (partial, Quality::Partial(Code::RateLimited)),
    ];
    for (facts, quality) in cases {
        let run = RunFacts::new(vec![dataset("person.name", 1), facts]);
        let gathered = verdict(&run, &GuestEnd::Returned).unwrap();
        assert_eq!(gathered.datasets[0].quality, Quality::Complete);
        assert_eq!(gathered.datasets[1].quality, quality);
        let told = gathered.shortfall.map(|failure| failure.code);
        assert_eq!(told, if let Quality::Partial(code) = quality { Some(code) } else { None });
    }
}

#[test]
fn an_incomplete_dataset_is_told_with_the_page_it_was_read_from() {
    let mut facts = RunFacts { missing: Some(named("amount")), ..midway() };
    facts.incomplete("bank.transaction", Incomplete::Partial(Code::PageUnrecognised));
    (facts.page, facts.missing) = (Some(name("documents")), None);
    facts.incomplete("bank.transaction", Incomplete::Partial(Code::RateLimited));
    let failure = verdict(&facts, &GuestEnd::Returned).unwrap().shortfall.unwrap();
    assert_eq!(failure.code, Code::PageUnrecognised);
    assert_eq!((failure.page, failure.missing), (Some(name("history")), Some(named("amount"))));

    let mut facts = midway();
    facts.incomplete("bank.account", Incomplete::Refused(name("iban")));
    facts.page = Some(name("documents"));
    facts.incomplete("bank.account", Incomplete::Refused(name("bic")));
    let failure = verdict(&facts, &GuestEnd::Returned).unwrap().shortfall.unwrap();
    assert_eq!(
        (failure.code, failure.page, failure.missing),
        (Code::ValueUnparsable, Some(name("history")), Some(named("iban")))
    );

    // The page was a wall, whatever the connector took it for.
    let mut facts = RunFacts { declared: Some(Code::AutomationBlocked), unrecognised: true, ..midway() };
    facts.incomplete("bank.transaction", Incomplete::Partial(Code::PageUnrecognised));
    assert_eq!(facts.datasets[1].partial, Some(Code::AutomationBlocked));
}

#[test]
fn done_with_nothing_is_no_success_unless_the_source_says_so() {
    assert_eq!(verdict(&nothing(), &GuestEnd::Returned).unwrap_err().code, Code::PageUnrecognised);
    let refused = DatasetFacts { refused: Some(name("iban")), ..dataset("bank.account", 0) };
    let failure = verdict(&RunFacts::new(vec![refused]), &GuestEnd::Returned).unwrap_err();
    assert_eq!((failure.code, failure.missing), (Code::ValueUnparsable, Some(named("iban"))));
    let empty = DatasetFacts { empty: Some(name("no-accounts")), ..dataset("bank.account", 0) };
    assert_eq!(verdict(&RunFacts::new(vec![empty]), &GuestEnd::Returned).unwrap().shortfall, None);
}

#[test]
fn a_run_that_broke_off_keeps_what_it_has_but_calls_none_of_it_complete() {
    let facts = RunFacts { datasets: vec![dataset("person.name", 1), dataset("bank.account", 2)], ..midway() };
    let gathered = verdict(&facts, &fault("session-lost")).unwrap();
    assert_eq!(gathered.datasets[0].quality, Quality::Complete, "a person has one name");
    assert_eq!(gathered.datasets[1].quality, Quality::Partial(Code::SessionLost));
    assert_eq!(gathered.shortfall.map(|failure| failure.code), Some(Code::SessionLost));

    let swallowed = RunFacts { limit: Some(name("requests")), ..midway() };
    let gathered = verdict(&swallowed, &GuestEnd::Returned).unwrap();
    assert!(gathered.datasets.iter().all(|dataset| dataset.quality == Quality::Partial(Code::LimitExceeded)));
}

#[test]
fn nothing_is_kept_when_the_permission_is_gone_or_the_data_is_in_doubt() {
    let stopped = |code| RunFacts { host: Some(code), ..midway() };
    let cases = [
        (stopped(Code::ConsentWithdrawn), GuestEnd::Stopped, Code::ConsentWithdrawn),
        (stopped(Code::NodeLost), GuestEnd::Stopped, Code::NodeLost),
        (midway(), GuestEnd::Stopped, Code::Cancelled),
        (midway(), GuestEnd::Trapped, Code::Trap),
        (midway(), fault("subject-mismatch"), Code::SubjectMismatch),
        (midway(), fault("invariant-broken"), Code::InvariantBroken),
    ];
    for (facts, guest, code) in cases {
        assert_eq!(verdict(&facts, &guest).unwrap_err().code, code);
    }
}

#[test]
fn a_failure_survives_being_written_down() {
    let failure = verdict(&RunFacts { missing: Some(named("balance")), ..nothing() }, &fault("trap")).unwrap_err();
    let written = serde_json::to_string(&failure).unwrap();
    assert_eq!(serde_json::from_str::<Failure>(&written).unwrap(), failure);
    assert!(written.contains(r#""code":"page-unrecognised""#) && written.contains(r#""claimed":"trap""#), "{written}");
}

#[test]
fn nothing_is_believed_where_the_source_says_so_for_all_of_it() {
    let quality = |empty: bool, read: bool, older: bool, missing: bool| {
        let empty = empty.then(|| name("no-operations"));
        let dataset = DatasetFacts { empty, read, older, ..dataset("bank.transaction", 0) };
        let missing = missing.then(|| named("day"));
        let facts = RunFacts { missing, datasets: vec![dataset], ..midway() };
        verdict(&facts, &GuestEnd::Returned).map(|gathered| gathered.datasets[0].quality.clone())
    };
    let confirmed = Ok(Quality::EmptyConfirmed(name("no-operations")));
    assert_eq!(quality(true, false, false, false), confirmed);
    // One account is empty; of another a page was read, and nothing came of it.
    assert!(quality(true, true, false, false).is_err());
    assert!(quality(false, true, false, false).is_err());
    // All that is there is older than the consent allows, unless the run missed something on the page.
    assert_eq!(quality(false, true, true, false), Ok(Quality::Complete));
    assert_eq!(quality(true, true, true, false), Ok(Quality::Complete));
    assert!(quality(false, true, true, true).is_err());
}
