//! The sample bank by its online branch, in a real browser: keypad in a frame, code by SMS, files behind links.

use std::sync::{Arc, Mutex};

use consentry_host_api::tape::{Call, PageSeen, TapeSink};
use consentry_tape::Event;
use consentry_tests::collecting::{Collecting, Reaction, collector, lock, told, told_whole};
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
