//! Every limit of the table, by something that hits it; and what a hostile Data Source costs.

use std::collections::BTreeSet;

use consentry::collect::Collector;
use consentry::collect::package::Package;
use consentry::collect::signature::Trust;
use consentry_contract::limits::{Beyond, LimitName, Wishes};
use consentry_tests::collecting::{Collecting, collector, lock, told, told_whole};
use consentry_tests::versions::changed;
use sample_bank::{MARIE, SampleBank};

use crate::evil::EvilSite;

fn attack(mode: &str, site: &str) -> Collecting {
    let attack = Collecting::with("probe").unwrap().field("mode", mode).at(site).wanting(&["person.name"]);
    attack.field("login", MARIE.login).field("password", MARIE.password)
}

async fn bank() -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    SampleBank::start(any, any).await.unwrap()
}

/// Limit, what the operator allows, attack, what it is told as. Those without a row are hit in [`ELSEWHERE`].
const TABLE: &[(LimitName, Option<u64>, &str, &str)] = &[
    (LimitName::Memory, Some(8 << 20), "grows-memory", "limit-exceeded limit=memory"),
    (LimitName::Wall, Some(1), "sleeps", "flow-timeout limit=wall-seconds"),
    (LimitName::Cpu, Some(200), "spins", "limit-exceeded limit=cpu-milliseconds"),
    (LimitName::Cpu, Some(200), "churns-blobs", "limit-exceeded limit=cpu-milliseconds"),
    (LimitName::Requests, Some(3), "sends-too-many-requests", "limit-exceeded @login limit=requests"),
    (LimitName::BytesIn, Some(20_000), "reads-too-much", "limit-exceeded limit=bytes-in"),
    (LimitName::AnswerBytes, Some(500), "reads-too-much", "limit-exceeded limit=answer-bytes"),
    (LimitName::BytesOut, None, "writes-endless-requests", "limit-exceeded limit=bytes-out"),
    (LimitName::Prompts, None, "asks-too-often", "limit-exceeded limit=prompts"),
    (LimitName::Items, Some(50), "emits-too-much", "bank.transaction=50!limit-exceeded"),
    (LimitName::ItemBytes, Some(20_000), "emits-too-much", "!limit-exceeded"),
    (LimitName::Handles, None, "keeps-too-many-handles", "limit-exceeded limit=handles"),
    (LimitName::BlobBytes, Some(4 << 20), "keeps-too-many-blobs", "limit-exceeded limit=blob-bytes"),
    (LimitName::HostMemory, Some(4 << 20), "keeps-too-many-blobs", "limit-exceeded limit=host-memory"),
    (LimitName::HostMemory, None, "keeps-documents", "limit-exceeded limit=host-memory"),
    (LimitName::HostMemory, Some(100_000), "keeps-answers", "limit-exceeded limit=host-memory"),
    (LimitName::HostMemory, Some(1 << 20), "keeps-recipes", "limit-exceeded limit=host-memory"),
    (LimitName::HostMemory, Some(20_000), "emits-too-much", "!limit-exceeded"),
    (LimitName::Documents, None, "opens-too-many-documents", "limit-exceeded limit=documents"),
    (LimitName::DocumentBytes, None, "opens-too-large-a-document", "limit-exceeded limit=document-bytes"),
    (LimitName::DocumentNodes, None, "opens-a-tangled-document", "limit-exceeded limit=document-nodes"),
    (LimitName::DocumentDepth, None, "opens-a-deep-document", "limit-exceeded limit=document-depth"),
    (LimitName::DocumentJsonDepth, None, "opens-deep-json", "limit-exceeded limit=document-json-depth"),
    (LimitName::DocumentAttributes, None, "opens-many-attributes", "limit-exceeded limit=document-attributes"),
    (LimitName::DocumentTextBytes, Some(100_000), "opens-much-text", "limit-exceeded limit=document-text-bytes"),
    (LimitName::SelectorSteps, None, "asks-a-document-too-much", "limit-exceeded limit=selector-steps"),
    (
        LimitName::DocumentAnswerBytes,
        Some(100_000),
        "asks-for-a-long-answer",
        "limit-exceeded limit=document-answer-bytes",
    ),
    (LimitName::SecretBytes, Some(10), "logs-in-after-authenticated", "limit-exceeded limit=secret-bytes"),
    (LimitName::SelectorBytes, None, "asks-with-a-long-selector", "invalid-argument"),
    (LimitName::LogLines, None, "writes-too-many-lines", "person.name=1"),
    (LimitName::LogLineBytes, None, "writes-too-many-lines", "person.name=1"),
    (LimitName::Progress, Some(7), "reports-progress", "person.name=1"),
    (LimitName::Prompts, None, "asks-with-many-details", "invalid-argument"),
];

/// Limits that need another guest or another site than the bank.
const ELSEWHERE: [LimitName; 5] =
    [LimitName::TableElements, LimitName::Stack, LimitName::RequestsAtOnce, LimitName::Redirects, LimitName::HeadBytes];

#[test]
fn every_limit_is_hit_by_something() {
    let hit: BTreeSet<_> = TABLE.iter().map(|(limit, ..)| *limit).chain(ELSEWHERE).collect();
    assert_eq!(hit, LimitName::ALL.iter().copied().collect());
}

/// The usual limits, and these instead. The probe asks for all that a manifest may ask for.
pub fn allowing(limits: &[(LimitName, u64)]) -> Wishes {
    let generous = [LimitName::Memory, LimitName::TableElements, LimitName::Cpu, LimitName::Wall];
    let usual = LimitName::ALL.iter().filter(|limit| !generous.contains(limit));
    usual.map(|limit| (*limit, limit.row().default)).chain(limits.iter().copied()).collect()
}

fn with(limits: &[(LimitName, u64)]) -> Collector {
    Collector { limits: allowing(limits), ..collector().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_ends_what_hits_it_by_its_own_name() {
    let (mut collector, bank, mut wrong) = (collector().unwrap(), bank().await, Vec::new());
    for (limit, allowed, mode, expected) in TABLE {
        collector.limits = allowing(&allowed.map(|allowed| (*limit, allowed)).into_iter().collect::<Vec<_>>());
        let attack = attack(mode, &bank.site_url);
        let attack = if *mode == "emits-too-much" { attack.wanting(&["bank.transaction"]) } else { attack };
        let seen = attack.seen.clone();
        let collection = attack.collect(&collector).await.unwrap();
        let (found, whole) = (told(&collection), told_whole(&collection));
        // What the table of limits says of it, too, but for questions with too many details, which no limit counts.
        let beyond = match limit.row().beyond {
            _ if *mode == "asks-with-many-details" => true,
            Beyond::Ends(code) => whole.contains(code.name()) && whole.ends_with(&format!(" limit={limit}")),
            Beyond::Lost | Beyond::Cut | Beyond::Waits => whole == "person.name=1",
            Beyond::Refused => whole == "invalid-argument",
        };
        let fits = found == *expected || expected.starts_with('!') && found.ends_with(expected);
        if !fits || !beyond {
            wrong
                .push(format!("{limit} by {mode}\n  found    {whole}: {:?}\n  expected {expected}", lock(&seen.lines)));
        }
        if *limit == LimitName::Progress {
            assert_eq!(lock(&seen.steps).len(), 7);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_asks_for_less_has_less() {
    let (collector, bank) = (with(&[]), bank().await);
    let usual = LimitName::Requests.row().default;
    // What the manifest asks for, and how many requests reach the site.
    for (asked, most) in [("requests = 2000\n", usual), ("requests = 3\n", 3)] {
        let changed = changed("tests/hostile/probe", &[("requests = 2000\n", asked)]).unwrap();
        let package = Package::read(changed, &Trust::default().or_unsigned()).unwrap();
        let attack = Collecting::by(package).field("mode", "sends-too-many-requests").at(&bank.site_url);
        let attack = attack.field("login", MARIE.login).field("password", MARIE.password).wanting(&["person.name"]);
        let before = bank.requests().len();
        let collection = attack.collect(&collector).await.unwrap();
        assert_eq!(told(&collection), "limit-exceeded @login limit=requests", "{asked}");
        assert_eq!((bank.requests().len() - before) as u64, most, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_looks_at_so_many_nodes_and_no_more() {
    let (collector, bank) = (with(&[(LimitName::SelectorSteps, 2_000_000)]), bank().await);
    let words = |count: usize| (0..count).map(|number| format!("[class*=aaab{number}]")).collect::<Vec<_>>().join(",");
    let nested = (0..6).fold("b ~ i".to_owned(), |inner, _| format!(":is({inner}) ~ i"));
    let ended = "limit-exceeded limit=selector-steps";
    for (selector, expected) in [
        ("b ~ i".to_owned(), ended),
        ("b ~ i:nth-child(odd):nth-last-child(3n)".to_owned(), ended),
        (":is(b, s, u) ~ i".to_owned(), ended),
        // These look at each node a few times.
        ("i:nth-child(2n+1):nth-last-child(3n):nth-of-type(2n):nth-last-of-type(3n+1)".to_owned(), "person.name=1"),
        (words(8), "person.name=1"),
        // These are not even tried.
        (":has(b)".to_owned(), "invalid-argument"),
        ("i:nth-child(2n of b ~ i)".to_owned(), "invalid-argument"),
        (nested, "invalid-argument"),
        (words(24), "invalid-argument"),
    ] {
        let attack = attack("asks-with-quadratic-selectors", &bank.site_url).field("aim", &selector);
        assert_eq!(told(&attack.collect(&collector).await.unwrap()), expected, "{selector}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_under_way_than_allowed() {
    for (limits, most) in [(vec![], 4), (vec![(LimitName::RequestsAtOnce, 2)], 2)] {
        let site = EvilSite::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "").await;
        let attack = attack("keeps-requests-at-once", &site.url);
        assert_eq!(told(&attack.collect(&with(&limits)).await.unwrap()), "person.name=1");
        assert_eq!((site.asked().len(), site.most_at_once()), (40, most));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_site_ends_the_run_by_the_limit_it_hits() {
    let found = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\nlocation: /\r\n\r\n";
    for (limits, answer, again, expected) in [
        (vec![], "HTTP/1.1 200 OK\r\n", "x-more: y\r\n", "limit-exceeded limit=head-bytes"),
        (
            vec![(LimitName::AnswerBytes, 50_000)],
            "HTTP/1.1 200 OK\r\n\r\n",
            "body",
            "limit-exceeded limit=answer-bytes",
        ),
        (vec![(LimitName::BytesIn, 50_000)], "HTTP/1.1 200 OK\r\n\r\n", "body", "limit-exceeded limit=bytes-in"),
        (
            vec![(LimitName::BytesIn, 50_000), (LimitName::Requests, 10)],
            "",
            "HTTP/1.1 102 Processing\r\n\r\n",
            "limit-exceeded limit=bytes-in",
        ),
        (vec![], found, "", "source-unavailable limit=redirects"),
        (vec![(LimitName::Requests, 5)], found, "", "limit-exceeded limit=requests"),
        (vec![], "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok", "", "source-unavailable"),
        (vec![], "HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\n\r\nok", "", "source-unavailable"),
        (vec![], "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "", "person.name=1"),
    ] {
        let site = EvilSite::saying(answer, again).await;
        let collection = attack("asks-once", &site.url).collect(&with(&limits)).await.unwrap();
        assert_eq!(told(&collection), expected, "{answer:?} {again:?}");
        assert!(!site.asked().is_empty(), "nobody came: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_only_where_a_request_may_go() {
    let collector = collector().unwrap();
    let elsewhere = EvilSite::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "").await;
    let other = elsewhere.url.clone();
    let port = other.rsplit(':').next().unwrap().to_owned();
    for target in [
        other.clone(),
        other.replace("http:", ""),
        format!("http://localhost:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://[::1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        other.replace("//", "//me:secret@"),
    ] {
        let answer = format!("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: {target}\r\n\r\n");
        let site = EvilSite::saying(answer, "").await;
        let collection = attack("asks-once", &site.url).collect(&collector).await.unwrap();
        assert_eq!(told(&collection), "source-unavailable", "{target}");
        assert_eq!((site.asked().len(), elsewhere.asked().len()), (1, 0), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_holds_no_header_of_the_hosts_and_no_second_request() {
    let site = EvilSite::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "").await;
    let attack = attack("asks-with-host-headers", &site.url);
    let seen = attack.seen.clone();
    // The header whose value holds a line break ends the run.
    assert_eq!(told(&attack.collect(&collector().unwrap()).await.unwrap()), "secret-unusable");
    let lines = lock(&seen.lines).join("\n");
    let set: Vec<_> = lines.lines().filter(|line| line.contains("could set")).collect();
    assert_eq!(set, ["info: could set \"X-Allowed\""]);
    let asked = site.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let host = site.url.trim_start_matches("http://");
    assert!(asked[0].contains("x-allowed: x\r\n") && asked[0].contains(&format!("host: {host}\r\n")), "{asked:?}");
    assert!(!asked[0].contains("evil"), "{asked:?}");
}
