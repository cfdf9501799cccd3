//! Taking so much that nothing is left for others: of time, of memory, of the source, of the person. What a probe wants lies between the
//! usual limit and the table's maximum; where the operator allows that maximum, it gets all of it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use consentry_contract::limits::LimitName;

use crate::evil::EvilSite;
use crate::suite::{Attack, Came, Coming, Defence, HONEST, Off, Run, Verdict, World, probe};

const RAISED: Off = Off::By("the operator allows the maximum", HONEST);
const TIME: &str = "CPU time, in the guest and in the host on its behalf";

const fn takes(
    name: &'static str,
    tries: &'static str,
    stopped_by: &'static str,
    (mode, aim): (&'static str, &'static str),
    (limit, allowed): (LimitName, Option<u64>),
) -> Attack {
    let run = Run::Takes { mode, aim, limit, allowed };
    Attack { name, tries, stopped_by, verdict: Verdict::Limit(limit), off: RAISED, run }
}

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    takes("spins", "turns in a loop", TIME, ("spins", "300000000"), (LimitName::Cpu, Some(100))),
    Attack { name: "spins-beside-others", tries: "spins four times at once, on the threads of everybody's runs, without a pause or with one of a millisecond now and then, to be taken for one that waits", stopped_by: "guests have threads of their own and hand over every 2 ms; who spins goes on behind all others, until what was spent has been waited for sixteen times as long", verdict: Verdict::Nothing, off: Off::Never("the engine has no other way to run; measured is the honest run beside them, which ends well while they spin; which guests go in front is tested beside the code"), run: Run::Story(|_, _| crate::neighbours::beside()) },
    takes("calls-without-end", "calls the host 200,000 times for nothing", TIME, ("calls", "200000"), (LimitName::Cpu, Some(50))),
    takes("churns-blobs", "has the host copy, count and wipe 20 times 8 MiB", TIME, ("churns-blobs", "20"), (LimitName::Cpu, Some(20))),
    takes("sleeps", "waits without end", "wall time", ("sleeps", "10000"), (LimitName::Wall, Some(1))),
    takes("grows-memory", "takes 64 MiB of memory", "the store asks before it grows", ("grows-memory", "64"), (LimitName::Memory, Some(8 << 20))),
    takes("keeps-handles", "keeps 2,000 secrets by handle", "handles are counted", ("keeps-too-many-handles", "2000"), (LimitName::Handles, None)),
    takes("keeps-blobs", "has the host keep 40 MiB of blobs", "blobs are counted", ("keeps-too-many-blobs", "40"), (LimitName::BlobBytes, None)),
    takes("keeps-recipes", "has the host keep 2.4 MB of recipes", "all that the host holds for a run is one sum", ("keeps-recipes", "40"), (LimitName::HostMemory, Some(1 << 20))),
    takes("keeps-large-documents", "has the host keep three trees of 480 kB of source each", "all that the host holds for a run is one sum", ("keeps-documents", "3"), (LimitName::HostMemory, Some(10 << 20))),
    takes("keeps-answers", "has the host keep 150 answers of the site", "all that the host holds for a run is one sum", ("keeps-answers", "150"), (LimitName::HostMemory, Some(100_000))),
    takes("reads-without-end", "reads a page 150 times", "what comes in is counted", ("reads-too-much", "150"), (LimitName::BytesIn, Some(20_000))),
    takes("opens-much-text", "has a document parsed that holds 500 kB of text", "the texts of a tree are counted while it grows", ("opens-much-text", ""), (LimitName::DocumentTextBytes, Some(100_000))),
    takes("opens-many-documents", "opens 300 documents and lets none go", "documents are counted", ("opens-too-many-documents", "300"), (LimitName::Documents, None)),
    takes("opens-a-large-document", "has 5 MiB parsed", "the source of a document is bounded", ("opens-too-large-a-document", ""), (LimitName::DocumentBytes, None)),
    takes("opens-a-deep-document", "has 600 nested elements parsed", "the depth of a tree is bounded while it grows", ("opens-a-deep-document", "600"), (LimitName::DocumentDepth, None)),
    takes("opens-a-tangled-document", "has HTML parsed whose tree grows with the square of its source", "the nodes of a tree are counted while it grows", ("opens-a-tangled-document", "1200"), (LimitName::DocumentNodes, None)),
    takes("opens-many-attributes", "has an element with 500 attributes parsed", "the attributes of an element are bounded", ("opens-many-attributes", "500"), (LimitName::DocumentAttributes, None)),
    takes("asks-with-a-quadratic-selector", "asks by a selector that looks at every pair of nodes", "the nodes that a question looks at are counted", ("asks-a-document-too-much", "1000"), (LimitName::SelectorSteps, Some(100_000))),
    takes("asks-for-a-long-answer", "asks for all that each of 400 nested elements holds", "the answer to a question is bounded", ("asks-for-a-long-answer", ""), (LimitName::DocumentAnswerBytes, Some(100_000))),
    takes("asks-the-person-without-end", "asks the person 20 questions", "questions are counted", ("asks-too-often", "20"), (LimitName::Prompts, None)),
    takes("floods-the-source", "sends 20 requests", "requests are counted", ("sends-too-many-requests", "20"), (LimitName::Requests, Some(5))),
    takes("writes-endless-requests", "writes 6 MiB into a request that it never sends", "what is written counts from then on", ("writes-endless-requests", "6"), (LimitName::BytesOut, None)),
    Attack { name: "floods-the-source-at-once", tries: "sends 40 requests at the same time", stopped_by: "so many are under way as the limit says, the others wait", verdict: Verdict::Nothing, off: RAISED, run: Run::Story(floods_at_once) },
    Attack { name: "floods-with-items", tries: "emits 60 items", stopped_by: "items are counted", verdict: Verdict::Told("bank.transaction=50!limit-exceeded person.name=0!limit-exceeded"), off: Off::By("the operator allows the maximum", "bank.transaction=60 person.name=1"), run: Run::Story(floods_with_items) },
    Attack { name: "floods-the-log", tries: "writes 600 lines of 2,000 bytes", stopped_by: "what is too long or too much is lost, not the run", verdict: Verdict::Nothing, off: RAISED, run: Run::Story(floods_the_log) },
    Attack { name: "is-refused-at-length", tries: "emits an item with 100,000 wrong fields, for the host to write a sentence about each", stopped_by: "of one item so many are told as a category may have", verdict: Verdict::Told("bank.account=0!value-unparsable person.name=1"), off: Off::Shown("a hundred items with forty wrong fields are a hundred times so much: there is something to write about each", "bank.account=0!value-unparsable person.name=1"), run: Run::Story(is_refused_at_length) },
    Attack { name: "floods-with-progress", tries: "reports 600 steps", stopped_by: "reports are counted, what is more is lost", verdict: Verdict::Nothing, off: RAISED, run: Run::Story(floods_with_progress) },
    Attack { name: "describes-endless-work", tries: "joins a secret to itself 40 times over, for the host to write it out, or asks for a key derivation of 4,294,967,295 rounds", stopped_by: "the steps and the work of a recipe are bounded when it is described", verdict: Verdict::Refused("invalid-argument", ""), off: Off::Shown("three times and 1,000 rounds are allowed; that each is as long again, and that a round costs what it costs, is shown beside the code", HONEST), run: Run::Story(|world, defence| refused(world, defence.pick([("doubles-a-recipe", "40"), ("stretches", "4294967295")], [("doubles-a-recipe", "3"), ("stretches", "1000")]))) },
    site("sends-a-body-without-end", "a site sends 64 KiB where the run may have less", LimitName::AnswerBytes, "bodies are counted as they arrive", |world, defence| hostile(world, defence, LimitName::AnswerBytes, 50_000, Sends { head: b"HTTP/1.1 200 OK\r\n\r\n", again: "body", times: 16_384, pause: 0 })),
    site("sends-a-head-without-end", "a site sends header after header", LimitName::HeadBytes, "heads are bounded", |world, defence| hostile(world, defence, LimitName::HeadBytes, 2_000, Sends { head: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", again: "x-more: a header that nobody needs\r\n", times: 200, pause: 0 })),
    site("answers-a-little-at-a-time", "a site sends a byte, waits, and sends another", LimitName::Wall, "wall time", |world, defence| hostile(world, defence, LimitName::Wall, 1, Sends { head: b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n", again: "x", times: 20, pause: 400 })),
    site("sends-a-bomb", "a site sends a kilobyte that unpacks to a megabyte", LimitName::AnswerBytes, "bodies are counted as they are unpacked", bomb),
    site("redirects-without-end", "a site redirects to itself", LimitName::Redirects, "redirects are counted", redirects),
];

const fn site(
    name: &'static str,
    tries: &'static str,
    limit: LimitName,
    stopped_by: &'static str,
    story: for<'w> fn(&'w mut World, Defence) -> Coming<'w>,
) -> Attack {
    Attack { name, tries, stopped_by, verdict: Verdict::Limit(limit), off: RAISED, run: Run::Story(story) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_that_starves_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

/// What the operator allows, and what the table of limits allows.
fn allowed(defence: Defence, limit: LimitName, lower: u64) -> u64 {
    defence.pick(lower, limit.row().maximum)
}

const NOTHING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn floods_at_once(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EvilSite::saying(NOTHING, "").await;
        let limit = LimitName::RequestsAtOnce;
        let flood = probe("keeps-requests-at-once", &site.url).allowing(limit, allowed(defence, limit, 2));
        let ran = world.run(flood).await;
        assert_eq!(site.asked().len(), 40);
        ran.came(site.most_at_once() > 2)
    })
}

fn floods_with_items(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let flood = probe("emits-too-many", &bank.site_url).aim("60").wanting(&["bank.transaction", "person.name"]);
        let flood = flood.allowing(LimitName::Items, allowed(defence, LimitName::Items, 50));
        let ran = world.run(flood).await;
        let count = ran.collection.items.len();
        ran.came(count > 50)
    })
}

fn floods_the_log(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let limit = LimitName::LogLines;
        let flood = probe("writes-too-many-lines", &bank.site_url).aim("600");
        let ran = world.run(flood.allowing(limit, allowed(defence, limit, 500))).await;
        assert!(ran.lines.iter().all(|line| line.len() <= "info: ".len() + 512));
        let count = ran.lines.len();
        Came { said: String::new(), ..ran.came(count > 500) }
    })
}

fn is_refused_at_length(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let adds = probe("adds-fields", &bank.site_url).aim(defence.pick("1 100000", "100 40"));
        let ran = world.run(adds.wanting(&["bank.account", "person.name"])).await;
        let told: usize = ran.lines.iter().find_map(|line| line.strip_prefix("info: told ")).unwrap().parse().unwrap();
        assert!(told > 0 && ran.lines.iter().all(|line| line.len() < 4200));
        ran.came(told > 10_000)
    })
}

fn floods_with_progress(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let limit = LimitName::Progress;
        let flood = probe("reports-progress", &bank.site_url).aim("600");
        let ran = world.run(flood.allowing(limit, allowed(defence, limit, 500))).await;
        let count = ran.steps.len();
        ran.came(count > 500)
    })
}

fn refused<'w>(world: &'w mut World, recipes: [(&'static str, &'static str); 2]) -> Coming<'w> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let [(mode, aim), second] = recipes;
        let first = world.run(probe(mode, &bank.site_url).aim(aim)).await;
        let (mode, aim) = second;
        let ran = world.run(probe(mode, &bank.site_url).aim(aim)).await;
        assert_eq!(first.told, ran.told, "both are stopped, or neither");
        let harm = ran.told == HONEST;
        ran.came(harm)
    })
}

/// What a hostile site sends: a head, then this so often, each time after so many milliseconds.
struct Sends {
    head: &'static [u8],
    again: &'static str,
    times: usize,
    pause: u64,
}

fn hostile<'w>(world: &'w mut World, defence: Defence, limit: LimitName, lower: u64, sends: Sends) -> Coming<'w> {
    Box::pin(async move {
        let Sends { head, again, times, pause } = sends;
        // A head that was begun before is ended here.
        let open_head = !head.ends_with(b"\r\n\r\n");
        let again: Arc<[u8]> = Arc::from(again.as_bytes());
        let site =
            EvilSite::sending(head, again, times, Duration::from_millis(pause), if open_head { "\r\n" } else { "" });
        let site = site.await;
        let ran = world.run(probe("asks-once", &site.url).allowing(limit, allowed(defence, limit, lower))).await;
        assert!(!site.asked().is_empty(), "nobody came");
        let harm = ran.told == HONEST;
        ran.came(harm)
    })
}

/// Of an answer that is much smaller as it is sent, and much larger as it is read.
const PACKED_ALLOWED: u64 = 100_000;

fn bomb(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![0; 1 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < PACKED_ALLOWED as usize / 50, "whoever counts what is sent lets it through");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len());
        let answer = [head.as_bytes(), &packed].concat();
        let site = EvilSite::sending(answer, Arc::from([]), 0, Duration::ZERO, "").await;
        let limit = LimitName::AnswerBytes;
        let asks = probe("asks-once", &site.url).allowing(limit, allowed(defence, limit, PACKED_ALLOWED));
        let ran = world.run(asks).await;
        // What it had the host unpack, not what was sent.
        let harm = ran.said().contains("1048576 bytes");
        ran.came(harm)
    })
}

/// Five times, so that somebody who is patient comes to an end.
fn redirects(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = consentry_tests::echoing::EchoSite::start(|sent| consentry_tests::echoing::Answer {
            status: if sent.path.len() < 6 { 302 } else { 200 },
            headers: vec![("location", format!("{}x", sent.path))],
            ..consentry_tests::echoing::Answer::default()
        });
        let site = site.await.unwrap();
        let limit = LimitName::Redirects;
        let ran = world.run(probe("asks-once", &site.url).allowing(limit, allowed(defence, limit, 3))).await;
        let requests = site.heard().len();
        ran.came(requests > 4)
    })
}
