//! The sample bank by its online branch, in a real browser: keypad in a frame, code by SMS, files behind links.

use std::sync::{Arc, Mutex};

use consentry::author::shelf;
use consentry::maintenance;
use consentry_host_api::tape::{Call, Matching, PageSeen, Recorder, TapeSink};
use consentry_tape::{Act, Event, Outcome, Proof};
use consentry_tests::breaking::{Broken, Passing};
use consentry_tests::collecting::{Collecting, Reaction, Seen, collector, connector, lock, told, told_whole};
use sample_bank::{Change, MARIE, SampleBank, SiteState};

async fn bank(change: Change) -> Arc<SampleBank> {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(change);
    Arc::new(bank)
}

fn as_marie(bank: &Arc<SampleBank>) -> Collecting {
    let collecting = Collecting::with("sample-branch").unwrap().at(&bank.site_url);
    let phone = bank.clone();
    collecting.field("login", MARIE.login).field("code", MARIE.code).answering(move |question| {
        match (question.kind.as_str(), phone.last_otp()) {
            ("otp", Some(code)) => Reaction::Answer(vec![("code".to_owned(), code)]),
            _ => Reaction::Expire,
        }
    })
}

/// Everything that pages showed.
#[derive(Default)]
struct Tape(Mutex<Vec<PageSeen>>);

impl TapeSink for Tape {
    fn call(&self, _: Call) {}
    fn refused(&self, _: u64, _: consentry_contract::failure::Code) {}
    fn outside(&self, _: Event) {}
    fn page(&self, seen: PageSeen) {
        lock(&self.0).push(seen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keypad_a_code_and_files_are_no_obstacle_and_no_secret_is_on_the_tape() {
    let bank = bank(Change { ask_otp: Some(true), otp: Some("824917".to_owned()), ..Change::default() }).await;
    let collector = collector().unwrap();
    let tape = Arc::new(Tape::default());
    let collecting = as_marie(&bank).taping(tape.clone());
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector).await.unwrap();
    let lines = lock(&seen.lines).join("\n");
    assert_eq!(told_whole(&collection), "bank.account=3 bank.balance=3 document.statement=3", "{lines}");
    assert!(collection.login_submitted);
    let received = bank.received().unwrap();
    assert_eq!((received.login.as_str(), received.password.as_str()), (MARIE.login, MARIE.code));
    let asked: Vec<String> = bank.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert!(asked.contains(&"GET /logout".to_owned()), "the host logs out: {asked:?}");
    let tape = std::mem::take(&mut *lock(&tape.0));
    let pages: Vec<String> = tape
        .iter()
        .map(|seen| {
            let body = String::from_utf8_lossy(&seen.body);
            assert!(!body.contains(MARIE.code) && !body.contains("824917"), "{:?}: {body}", seen.page);
            seen.page.clone().unwrap_or_default()
        })
        .collect();
    assert_eq!(pages, ["branch", "keypad", "otp", "accounts", "documents"]);
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_branch_says_is_what_a_collection_is_told_as() {
    let collector = collector().unwrap();
    let state = |state| Change { state: Some(state), ..Change::default() };
    for (change, code, expected) in [
        (Change::default(), "000000", "credentials-rejected @branch"),
        (state(SiteState::Maintenance), MARIE.code, "source-maintenance @maintenance"),
        (state(SiteState::BotWall), MARIE.code, "automation-blocked @wall"),
        (
            state(SiteState::Empty),
            MARIE.code,
            "bank.account=empty@no-accounts bank.balance=empty@no-accounts document.statement=empty@no-documents",
        ),
    ] {
        let bank = bank(change).await;
        let collecting = as_marie(&bank).field("code", code);
        let seen = collecting.seen.clone();
        let collection = collecting.collect(&collector).await.unwrap();
        assert_eq!(told(&collection), expected, "{:?}", lock(&seen.lines));
    }
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_killed_fails_its_collections_and_is_started_anew() {
    let (collector, bank) = (collector().unwrap(), bank(Change { ask_otp: Some(true), ..Change::default() }).await);
    let browser = collector.browser.clone().unwrap();
    // Killed while the person is asked.
    let kill = browser.clone();
    let killed = as_marie(&bank).answering(move |_| {
        let pid = i32::try_from(kill.pid().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        Reaction::Answer(vec![("code".to_owned(), "000000".to_owned())])
    });
    assert_eq!(told(&killed.collect(&collector).await.unwrap()), "browser-unavailable @otp");
    let again = as_marie(&bank).wanting(&["bank.account"]).collect(&collector).await.unwrap();
    assert_eq!(told(&again), "bank.account=3");
    browser.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pages_showed_is_played_without_a_browser_and_a_new_action_is_the_end_of_the_tape() {
    let bank = bank(Change { ask_otp: Some(true), otp: Some("824917".to_owned()), ..Change::default() }).await;
    let (collector, package) = (collector().unwrap(), connector("sample-branch").unwrap());
    let recorder = Arc::new(Recorder::default());
    let first = as_marie(&bank).taping(recorder.clone()).collect(&collector).await.unwrap();
    let tape = recorder.take().unwrap();
    assert!(!tape.cut);
    let written = serde_json::to_string(&tape).unwrap();
    assert!(
        !written.contains(MARIE.code)
            && !written.contains("824917")
            && written.contains("field.code keypad:#touches = raw")
    );
    // Neither the site nor a browser is there any more.
    collector.browser.as_ref().unwrap().shut_down().await;
    drop(bank);
    let desk = maintenance::desk(consentry::collect::compile::Compiler::in_process()).unwrap();
    let play = async |tape: &consentry_tape::Tape| {
        desk.replay(&package, tape, Matching::Strict, Arc::new(Seen::default())).await.unwrap()
    };
    let (again, third) = (play(&tape).await, play(&tape).await);
    assert_eq!(told_whole(&again.collection), told_whole(&first));
    assert_eq!(shelf::lines(&again.collection), shelf::lines(&first));
    assert_eq!((again.left, &again.divergence), (0, &None));
    assert!(again.seen.events == third.seen.events, "played twice, it is the same");
    // Somebody clicked somewhere else: from there on nothing is known.
    let mut other = tape.clone();
    let click = |event: &&mut Event| matches!(event, Event::Page(act) if act.call == "click");
    let Some(Event::Page(act)) = other.events.iter_mut().find(click) else { panic!("no click") };
    *act = Act { call: "key".to_owned(), outcome: Outcome::Done, ..act.clone() };
    let ended = play(&other).await;
    let divergence = ended.divergence.unwrap();
    assert!(
        divergence.asked.starts_with("click #") && divergence.taped.unwrap().starts_with("key "),
        "{}",
        divergence.asked
    );
    assert!(ended.collection.result.is_err());
}

type Breaks = fn(&mut Passing);

/// What may happen to the branch overnight.
const BREAKS: [(&str, Breaks); 5] = [
    ("the class of an amount is renamed", |page| page.replace("class=\"montant\"", "class=\"valeur\"")),
    ("the day of a statement moves", |page| page.replace("class=\"date\"", "class=\"jour\"")),
    ("the keypad has another name", |page| page.replace("id=\"touches\"", "id=\"clavier-numerique\"")),
    ("the table of accounts has another name", |page| page.replace("id=\"comptes\"", "id=\"avoirs\"")),
    ("a notice stands in between", |page| {
        if page.path == "/documents" {
            page.page("<h1>Avis</h1><form id=\"avis\" method=\"post\"><button>Continuer</button></form>");
        }
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_break_of_a_page_in_a_browser_fails_in_its_report_as_it_did() {
    let (collector, bank) = (Arc::new(collector().unwrap()), bank(Change::default()).await);
    // Side by side: most of each is waiting for a page that does not come.
    let broken = BREAKS.map(|(name, breaks)| {
        let (collector, bank) = (collector.clone(), bank.clone());
        tokio::spawn(async move {
            let site = Broken::before(&bank.site_url, breaks).await.unwrap();
            let recorder = Arc::new(Recorder::default());
            let collection = as_marie(&bank).at(&site.url).taping(recorder.clone()).collect(&collector).await.unwrap();
            let (package, tape) = (connector("sample-branch").unwrap(), recorder.take().unwrap());
            let plan = package.plan("sample-branch", Some(&tape.inputs.base.parse().unwrap())).unwrap();
            let failure = collection.failure().unwrap_or_else(|| panic!("{name}: nothing failed")).clone();
            let report = maintenance::report(&collector, &package, &plan, tape, failure.clone()).await.unwrap();
            let text = serde_json::to_string(&report).unwrap() + &serde_json::to_string(&report.tape()).unwrap();
            for canary in [MARIE.login, MARIE.code, MARIE.accounts[0].iban, "Dupont"] {
                assert!(!text.contains(canary), "{name}: {canary}");
            }
            let told = told_whole(&collection);
            assert_eq!(report.proof, Proof::Replayed, "{name}: {told}: {:?}", report.point);
            assert_eq!((report.point.code, &report.point.page), (failure.code, &failure.page), "{name}");
            assert_eq!(report.point.missing, failure.missing, "{name}: {told}");
            println!("{name}: {told}");
        })
    });
    for each in broken {
        each.await.unwrap();
    }
    collector.browser.as_ref().unwrap().shut_down().await;
}
