//! What a hostile connector gets. The attacks are those of `tests/hostile/probe`; each line here says what must come of one.

use std::sync::Arc;

use consentry::collect::{Collection, Collector};
use consentry_contract::limits::{LimitName, Wishes};
use consentry_host_api::stop::StopReason;
use consentry_tests::collecting::{Collecting, Reaction, Seen, collector, lock, told};
use sample_bank::{MARIE, SampleBank};

use crate::raw;

async fn bank() -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    SampleBank::start(any, any).await.unwrap()
}

fn attack(mode: &str, bank: &SampleBank) -> Collecting {
    let attack = Collecting::with("probe").unwrap().from_source(mode).at(&bank.site_url).wanting(&["person.name"]);
    attack.field("login", MARIE.login).field("password", MARIE.password)
}

fn lines(seen: &Seen) -> String {
    lock(&seen.lines).join("\n")
}

/// What came of an attack, everything that was said about it, and the bank it was made at.
async fn outcome(collector: &Collector, mode: &str) -> (Collection, String, SampleBank) {
    let bank = bank().await;
    let attack = attack(mode, &bank);
    let seen = attack.seen.clone();
    let collection = attack.collect(collector).await.unwrap();
    (collection, lines(&seen), bank)
}

fn posts(bank: &SampleBank) -> usize {
    bank.requests().iter().filter(|request| request.method == "POST").count()
}

/// Mode, limits, what the run must be told as, what its author must be told.
type Line = (&'static str, &'static [(LimitName, u64)], &'static str, &'static str);

/// The attack; what the operator allows less of; what it is told as; what its author reads about it.
const TABLE: &[Line] = &[
    ("honest", &[], "person.name=1", ""),
    ("spins", &[(LimitName::Cpu, 200)], "limit-exceeded limit=cpu-milliseconds", ""),
    ("grows-memory", &[(LimitName::Memory, 8 << 20)], "limit-exceeded limit=memory", ""),
    ("grows-memory", &[], "limit-exceeded limit=memory", ""),
    ("sleeps", &[(LimitName::Wall, 1)], "flow-timeout limit=wall-seconds", ""),
    ("asks-too-often", &[], "limit-exceeded limit=prompts", ""),
    ("keeps-too-many-handles", &[], "limit-exceeded limit=handles", ""),
    ("keeps-too-many-blobs", &[(LimitName::BlobBytes, 4 << 20)], "limit-exceeded limit=blob-bytes", ""),
    ("sends-too-many-requests", &[(LimitName::Requests, 5)], "limit-exceeded @login limit=requests", ""),
    ("writes-endless-requests", &[], "limit-exceeded limit=bytes-out", ""),
    ("opens-too-large-a-document", &[], "limit-exceeded limit=document-bytes", ""),
    ("opens-a-deep-document", &[], "limit-exceeded limit=document-depth", ""),
    ("opens-a-tangled-document", &[], "limit-exceeded limit=document-nodes", ""),
    ("asks-a-document-too-much", &[], "limit-exceeded limit=selector-steps", ""),
    ("panics", &[], "trap", "guest_probe::misbehave::panics"),
    ("panics", &[], "trap", "error: panicked at"),
    ("aborts", &[], "trap", "guest_probe::misbehave::aborts"),
    ("recurses", &[], "trap", "StackOverflow\nguest_probe::misbehave::descends"),
    ("calls-session-state", &[], "capability-denied", r#"capabilities = ["session-state"]"#),
    ("calls-browser", &[], "capability-denied", r#"capabilities = ["browser"]"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_told_as_what_it_is() {
    let mut collector = collector().unwrap();
    let mut wrong = Vec::new();
    for (mode, limits, expected, author) in TABLE {
        collector.limits = Wishes::from_iter(limits.iter().copied());
        let (collection, lines, _bank) = outcome(&collector, mode).await;
        let (found, read) = (told(&collection), format!("{lines}\n{}", collection.trace.join("\n")));
        if found != *expected || !read.contains(author) {
            wrong.push(format!("{mode}\n  found    {found}: {read}\n  expected {expected}: {author}"));
        }
        assert!(!read.contains(MARIE.password) && !read.contains("nobody shall read"), "{mode}: {read}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_guest_in_text_can_do_is_told_too() {
    let collector = collector().unwrap();
    let whole = |memory: &str| {
        let text = format!(
            r#"(module (memory (export "memory") {memory}) (func (export "collect") (result i32) i32.const 0))"#
        );
        raw::guest(&text)
    };
    let spins_at_start = r#"(module (memory (export "memory") 1) (func $spin (loop $again (br $again))) (start $spin)
        (func (export "collect") (result i32) i32.const 0))"#;
    for (package, expected) in [
        (
            raw::doing("(drop (table.grow $table (ref.null func) (i32.const 5000)))"),
            "limit-exceeded limit=table-elements",
        ),
        (raw::doing("(drop (memory.grow (i32.const 600)))"), "limit-exceeded limit=memory"),
        (whole("600"), "limit-exceeded limit=memory"),
        (raw::guest(spins_at_start), "limit-exceeded limit=cpu-milliseconds"),
        (raw::doing("(drop (i32.load (i32.const 65536)))"), "trap"),
        // It says that it is done, and has brought nothing.
        (raw::doing(""), "page-unrecognised"),
    ] {
        let collection = Collecting::by(package).collect(&collector).await.unwrap();
        assert_eq!(told(&collection), expected, "{:?}", collection.trace);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_nowhere_but_into_its_sinks() {
    let collector = collector().unwrap();
    for (mode, request, slot, recipe) in [
        ("fills-another-slot", "POST {base}/login", "form:identifiant", "raw"),
        ("fills-another-place", "POST {base}/otp", "form:motdepasse", "raw"),
        ("fills-another-recipe", "POST {base}/login", "form:motdepasse", "join(text, raw)"),
    ] {
        let (collection, lines, bank) = outcome(&collector, mode).await;
        let found = told(&collection);
        assert!(found.starts_with("capability-denied"), "{mode}: {found}");
        let sink = format!(
            "# in [[field]] \"password\"\n[[field.sink]]\nrequest = \"{request}\"\nslot = \"{slot}\"\nrecipe = \"{recipe}\"\nmax = 1\n"
        );
        assert!(lines.contains(&sink), "{mode}: {lines}");
        assert!(bank.received().is_none() && posts(&bank) == 0, "{mode}: {:?}", bank.requests());
        assert!(!collection.login_submitted, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sent_as_often_as_its_sink_says() {
    let (collection, lines, bank) = outcome(&collector().unwrap(), "fills-too-often").await;
    assert_eq!(told(&collection), "capability-denied @login");
    assert!(lines.contains("as often as its sink allows (max = 1)"), "{lines}");
    assert_eq!(posts(&bank), 1);
    assert_eq!(bank.received().unwrap().password, MARIE.password);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_worth_nothing_after_the_login() {
    let (collection, lines, bank) = outcome(&collector().unwrap(), "logs-in-after-authenticated").await;
    assert_eq!(told(&collection), "capability-denied");
    assert!(lines.contains("field.password is destroyed") && !collection.login_submitted, "{lines}");
    assert_eq!(bank.requests(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_not_declared_hears_nothing() {
    let (collector, bank, elsewhere) = (collector().unwrap(), bank().await, bank().await);
    let attack = attack("asks-elsewhere", &bank).field("elsewhere", &elsewhere.site_url);
    let seen = attack.seen.clone();
    assert_eq!(told(&attack.collect(&collector).await.unwrap()), "capability-denied");
    let line = format!("origins = [\"{}\"]", elsewhere.site_url);
    assert!(lines(&seen).contains(&line), "{}", lines(&seen));
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_sent_comes_back_by_no_function() {
    let collector = collector().unwrap();
    // Each has seen what it looks for its secret in.
    for (mode, status) in [("searches-the-answer", "info: status 302"), ("searches-the-address", "info: status 200")] {
        let (collection, lines, bank) = outcome(&collector, mode).await;
        assert_eq!(told(&collection), "person.name=1", "{mode}");
        assert!(lines.contains(status) && lines.contains("header location ["), "{mode}: {lines}");
        let sent = bank.requests().iter().any(|request| request.fields.iter().any(|name| name == "motdepasse"));
        assert!(sent && collection.login_submitted, "{mode}");
        let found = lines.contains(MARIE.password) || lines.contains("Correct-Horse-7") || lines.contains("SESSIONID");
        assert!(!found, "{mode}: {lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_is_refused_and_counted() {
    let (collection, lines, _bank) = outcome(&collector().unwrap(), "emits-unrequested").await;
    assert_eq!(told(&collection), "person.name=1");
    assert_eq!((collection.unrequested, collection.items.len()), (3, 1));
    assert!(lines.contains("bank.transaction was not asked for"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_items_ends_at_the_limit() {
    let (collector, bank) = (collector().unwrap(), bank().await);
    let flood = attack("emits-too-many", &bank).wanting(&["bank.transaction"]);
    let collection = flood.collect(&collector).await.unwrap();
    assert_eq!(told(&collection), "bank.transaction=20000!limit-exceeded");
    assert_eq!(collection.items.len(), 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_lines_loses_lines_and_not_the_run() {
    let collector = collector().unwrap();
    for mode in ["writes-too-many-lines", "is-refused-too-often"] {
        let bank = bank().await;
        let attack = attack(mode, &bank);
        let seen = attack.seen.clone();
        assert_eq!(told(&attack.collect(&collector).await.unwrap()), "person.name=1", "{mode}");
        let lines = lock(&seen.lines);
        assert_eq!(lines.len(), 500, "{mode}");
        assert!(lines.iter().all(|line| line.len() <= "info: ".len() + 512), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_nothing_of_an_earlier_one() {
    let collector = collector().unwrap();
    let bank = bank().await;
    for run in 0..3 {
        let attack = attack("looks-for-earlier-runs", &bank);
        let seen = attack.seen.clone();
        assert_eq!(told(&attack.collect(&collector).await.unwrap()), "person.name=1");
        assert_eq!(lines(&seen), "info: before (0, false) after (1, true)", "run {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spinning_guests_stop_nobody_else() {
    let (collector, bank) = (Arc::new(collector().unwrap()), bank().await);
    let spinners: Vec<_> = (0..4)
        .map(|_| {
            let (spinner, collector) = (attack("spins", &bank), collector.clone());
            (spinner.stopper(), tokio::spawn(async move { spinner.collect(&collector).await.unwrap() }))
        })
        .collect();
    let honest = Collecting::with("sample-bank").unwrap().at(&bank.site_url).answering(|_| Reaction::Expire);
    let honest = honest.field("login", MARIE.login).field("password", MARIE.password).wanting(&["person.name"]);
    assert_eq!(told(&honest.collect(&collector).await.unwrap()), "person.name=1");
    for (stopper, spinner) in spinners {
        assert!(!spinner.is_finished(), "it was to spin all the while");
        stopper.stop(StopReason::Cancelled);
        assert_eq!(told(&spinner.await.unwrap()), "cancelled");
    }
}
