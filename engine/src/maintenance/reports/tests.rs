use consentry_contract::failure::Code;
use consentry_tape::{Point, REPORT_VERSION};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::fixtures::id;
use crate::keys::software::tests::keys;
use crate::maintenance::lent::{Lending, Why};

struct World {
    reports: Reports,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:11:12Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let shelves = Shelves::memory(keys(), entropy.clone(), clock.clone());
    World { reports: Reports::new(&shelves, entropy), clock }
}

fn report(source: &str, page: &str, version: &str, proof: Proof) -> Report {
    Report {
        version: REPORT_VERSION,
        engine: "0.1.0".to_owned(),
        connector: "sample-bank".to_owned(),
        connector_version: version.to_owned(),
        connector_digest: "d".to_owned(),
        source: source.to_owned(),
        point: Point {
            code: Code::PageUnrecognised,
            page: Some(page.parse().unwrap()),
            missing: None,
            limit: None,
            last: None,
        },
        proof,
        pages: Vec::new(),
        shape: Vec::new(),
        good: None,
        kept: Default::default(),
        recording: None,
    }
}

async fn given(reports: &Reports, failed: &Report) -> Vec<ReportId> {
    let given = reports.seen_by(Sight::Node).of(&failed.fingerprint()).await.unwrap();
    given.into_iter().map(|given| given.id).collect()
}

/// What the operator's address is told by now, each once.
async fn announced(reports: &Reports, now: Timestamp) -> Vec<String> {
    let mut told = Vec::new();
    for announcement in reports.announcements().take_due(now).await.unwrap() {
        reports.announcements().end(announcement.id).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&announcement.body()).unwrap();
        told.push(body["type"].as_str().unwrap().to_owned());
    }
    told.sort();
    told
}

#[tokio::test]
async fn a_break_is_announced_when_it_opens_is_closed_and_comes_back_and_not_at_each_failure() {
    let World { reports, clock } = world();
    let failed = report("bank", "accounts", "1.0.0", Proof::Replayed);
    for _ in 0..3 {
        reports.count(&failed, None, clock.now()).await.unwrap();
    }
    assert_eq!(announced(&reports, clock.now()).await, ["break.opened"]);
    for _ in 0..2 {
        reports.seen_by(Sight::Node).close(&failed.fingerprint(), clock.now()).await.unwrap();
    }
    for _ in 0..2 {
        reports.count(&failed, None, clock.now()).await.unwrap();
    }
    assert_eq!(announced(&reports, clock.now()).await, ["break.fixed", "break.regressed"]);
}

#[tokio::test]
async fn what_nobody_took_is_told_again_under_the_same_name_and_not_for_ever() {
    let World { reports, clock } = world();
    reports.count(&report("bank", "accounts", "1.0.0", Proof::Replayed), None, clock.now()).await.unwrap();
    let mut names = std::collections::BTreeSet::new();
    let mut attempts = 0;
    for _ in 0..24 * 60 * 2 {
        for announcement in reports.announcements().take_due(clock.now()).await.unwrap() {
            names.insert(announcement.id);
            attempts += 1;
        }
        clock.advance(jiff::SignedDuration::from_secs(30));
    }
    assert_eq!((names.len(), attempts), (1, 10));
}

#[tokio::test]
async fn an_author_sees_what_their_key_signed_and_closes_nothing_else() {
    let World { reports, clock } = world();
    let (one, other) =
        (report("bank", "accounts", "1", Proof::Replayed), report("tax", "notice", "1", Proof::Replayed));
    for (failed, signer) in [(&one, "RWone"), (&other, "RWother")] {
        reports.count(failed, Some(signer), clock.now()).await.unwrap();
        reports.keep(failed, Some(signer), clock.now()).await.unwrap();
    }
    let author = reports.seen_by(Sight::Signed(["RWone".to_owned()].into()));
    let tickets = author.tickets().await.unwrap();
    assert_eq!(tickets.iter().map(|ticket| &*ticket.fingerprint).collect::<Vec<_>>(), [one.fingerprint()]);
    assert_eq!(author.of(&one.fingerprint()).await.unwrap().len(), 1);
    assert!(author.of(&other.fingerprint()).await.unwrap().is_empty());
    assert_eq!(author.close(&other.fingerprint(), clock.now()).await.unwrap(), None);
    assert!(reports.is_open(&other.fingerprint()).await.unwrap());
    // What nobody signed is seen by nobody but who keeps the node.
    reports.count(&report("shop", "orders", "1", Proof::Replayed), None, clock.now()).await.unwrap();
    assert!(reports.seen_by(Sight::Signed(Default::default())).tickets().await.unwrap().is_empty());
    assert_eq!(reports.seen_by(Sight::Node).tickets().await.unwrap().len(), 3);
}

#[tokio::test]
async fn many_failures_of_few_breaks_are_as_many_tickets_as_breaks() {
    let World { reports, clock } = world();
    for number in 0..1000 {
        let (source, page) = (format!("source-{}", number % 5), format!("page-{}", number / 5 % 5));
        let version = if number < 500 { "1.0.0" } else { "1.0.1" };
        reports.count(&report(&source, &page, version, Proof::Elsewhere), None, clock.now()).await.unwrap();
    }
    let tickets = reports.seen_by(Sight::Node).tickets().await.unwrap();
    assert_eq!(tickets.len(), 25);
    assert!(tickets.iter().all(|ticket| ticket.failures == 40 && ticket.versions.len() == 2 && !ticket.replayable));
}

#[tokio::test]
async fn a_closed_break_keeps_no_report_and_one_that_comes_back_is_told() {
    let World { reports, clock } = world();
    let failed = report("bank", "accounts", "1.0.0", Proof::Replayed);
    reports.count(&failed, None, clock.now()).await.unwrap();
    let id = reports.keep(&failed, None, clock.now()).await.unwrap();
    assert_eq!(reports.seen_by(Sight::Node).of(&failed.fingerprint()).await.unwrap()[0].report, failed);
    assert_eq!(reports.seen_by(Sight::Node).close(&failed.fingerprint(), clock.now()).await.unwrap(), Some(1));
    assert!(!given(&reports, &failed).await.contains(&id));
    assert_eq!(reports.seen_by(Sight::Node).tickets().await.unwrap()[0].state, TicketState::Fixed);
    assert_eq!(reports.count(&failed, None, clock.now()).await.unwrap().state, TicketState::Regressed);
    assert_eq!(reports.seen_by(Sight::Node).close("1|nowhere|x|-|-", clock.now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_report_is_taken_back_by_who_gave_it_and_gone_after_120_days() {
    let World { reports, clock } = world();
    let failed = report("bank", "accounts", "1.0.0", Proof::Replayed);
    let first = reports.keep(&failed, None, clock.now()).await.unwrap();
    let second = reports.keep(&failed, None, clock.now()).await.unwrap();
    reports.withdraw(first).await.unwrap();
    assert_eq!(given(&reports, &failed).await, [second]);
    clock.advance(jiff::SignedDuration::from_hours(24 * 120 + 1));
    assert!(given(&reports, &failed).await.is_empty());
}

#[tokio::test]
async fn a_break_that_is_closed_takes_the_logins_that_were_lent_for_it_along() {
    let World { reports, clock } = world();
    let failed = report("bank", "accounts", "1.0.0", Proof::Replayed);
    reports.count(&failed, None, clock.now()).await.unwrap();
    assert!(reports.is_open(&failed.fingerprint()).await.unwrap());
    let lent = |digit, ticket: &str| Lending {
        consent: id(digit),
        session: id(digit),
        online_service: id(1),
        subject: None,
        report: id(digit),
        ticket: ticket.to_owned(),
        connector: "sample-bank".to_owned(),
        source: "bank".to_owned(),
        language: "en".to_owned(),
        agreed_at: clock.now(),
        failed_at: clock.now(),
        openings: Vec::new(),
        ended: None,
        before: Vec::new(),
    };
    let (here, elsewhere) = (lent(1, &failed.fingerprint()), lent(2, "1|bank|trap|-|-"));
    for lending in [&here, &elsewhere] {
        reports.lendings().lend(lending, "sealed").await.unwrap();
    }
    reports.seen_by(Sight::Node).close(&failed.fingerprint(), clock.now()).await.unwrap();
    assert!(!reports.is_open(&failed.fingerprint()).await.unwrap());
    let seen = async |lending: &Lending| reports.lendings().seen(lending.consent).await.unwrap().unwrap();
    assert_eq!((seen(&here).await.kept, seen(&here).await.ended.unwrap().why), (false, Why::Fixed));
    assert!(seen(&elsewhere).await.kept);
}
