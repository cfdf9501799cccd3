//! What becomes of a collection whose page, browser or disk fails: each is told as what it is, with the right one to blame, and another
//! collection of the same browser goes on meanwhile. Who waits for a turn, and who needs no browser.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use consentry::collect::Collector;
use consentry_contract::limits::{LimitName, Wishes};
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::ports::Answer as Given;
use consentry_tests::collecting::{Collecting, Reaction, collector, lock, told};
use consentry_tests::disk::SmallDisk;
use consentry_tests::echoing::{Answer, EchoSite, Sent};
use tokio::sync::{mpsc, oneshot};

use super::pages::{HONEST, html, ran, steps};

/// Takes memory until there is none for it.
const EATS: &str = "<p>.</p><script>const all = []; setInterval(() => { for (let i = 0; i < 1e5; i++) all.push({ i, all: [i] }); }, 1)</script>";
const HANGS: &str = "<p>.</p><script>setTimeout(() => { while (true); }, 1)</script>";
const STORM: &str = "<script>for (let i = 0; i < 100; i++) alert(i)</script>";

fn site(sent: &Sent) -> Answer {
    match sent.path.as_str() {
        "/eats" => html(EATS),
        "/hangs" => html(HANGS),
        "/storm" => html(STORM),
        "/around" => html("<iframe id=inner src=/inner></iframe>"),
        "/inner" => html("<button id=away onclick='parent.location.href = \"/fine\"'>away</button>"),
        "/opens" => html("<button id=open onclick='window.open(\"/closes\")'>open</button>"),
        "/closes" => html("<button id=shut onclick='window.close()'>shut</button>"),
        "/round" => Answer { status: 302, headers: vec![("location", "/round".to_owned())], ..html("") },
        "/huge" => html(&format!("<p>{}</p>", "much ".repeat(1 << 19))),
        "/file" => html("<a id=file href=/large>a file</a>"),
        "/large" => Answer {
            headers: vec![("content-disposition", "attachment".to_owned())],
            body: ("application/octet-stream", "x".repeat(24 << 20)),
            ..Answer::default()
        },
        "/asks" => html("<canvas id=captcha width=20 height=20 style='display:block'></canvas>"),
        _ => html("<p class=fine>fine</p>"),
    }
}

/// What a collection is told as, behind whose fault that is, and what was said.
async fn blamed(collecting: Collecting, collector: &Collector) -> (String, String) {
    let seen = collecting.seen.clone();
    let collection = collecting.collect(collector).await.unwrap();
    let blame = collection.result.as_ref().err().map_or("nobody", |failure| failure.blame.name());
    (format!("{blame}: {}", told(&collection)), lock(&seen.lines).join("\n"))
}

fn with(settings: BrowserSettings) -> Collector {
    Collector { browser: Some(Chromium::new(settings)), ..collector().unwrap() }
}

/// A collection that waits on its page for a person until it is told to go on, and what that is told by.
fn waiting(site: &EchoSite) -> (Collecting, mpsc::UnboundedReceiver<oneshot::Sender<Given>>) {
    let (asked, answers) = mpsc::unbounded_channel();
    let waiting = steps(&site.url, "go /asks; show #captcha; go /fine; sees .fine").collecting();
    (waiting.answering(move |_| Reaction::Later(asked.clone())), answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_is_told_as_what_it_is_and_harms_no_other_collection() {
    let site = EchoSite::start(site).await.unwrap();
    let usual = BrowserSettings::at_a_desk();
    let settings = BrowserSettings { answer: Duration::from_secs(5), ..usual };
    let collector =
        Arc::new(Collector { limits: Wishes::from_iter([(LimitName::DocumentBytes, 1 << 20)]), ..with(settings) });
    let (beside, mut asked) = waiting(&site);
    let by = collector.clone();
    let beside = tokio::spawn(async move { ran(beside, &by).await });
    let answer = asked.recv().await.unwrap();
    let pid = collector.browser.as_ref().unwrap().pid();
    for (aim, expected) in [
        ("go /round", "source: source-unavailable limit=redirects"),
        ("go /around; frame #inner; click #away; waits selector #never", "source: source-unavailable"),
        ("go /opens; click #open; popup; click #shut; waits selector #never", "source: source-unavailable"),
        ("go /huge; tell ", "connector: limit-exceeded limit=document-bytes"),
        ("go /storm; tell ", "source: source-unavailable"),
        ("go /hangs; doubts network-idle ; tell ; tell ", "source: source-unavailable"),
        ("go /eats; doubts selector #never; waits selector #never", "source: source-unavailable"),
        ("go /fine; close; tell ", "connector: invalid-argument"),
    ] {
        let (told, said) = blamed(steps(&site.url, aim).collecting(), &collector).await;
        assert_eq!(told, expected, "{aim}: {said}");
    }
    assert_eq!(collector.browser.as_ref().unwrap().pid(), pid, "the browser itself goes on");
    let _ = answer.send(Given::Given(Vec::new().into()));
    let (told, said) = beside.await.unwrap();
    assert_eq!(told, HONEST, "{said}");
    // It is killed in mid-flow.
    let (killed, mut asked) = waiting(&site);
    let kill = async {
        let answer = asked.recv().await.unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid.unwrap()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        let _ = answer.send(Given::Given(Vec::new().into()));
    };
    let ((told, said), ()) = tokio::join!(blamed(killed, &collector), kill);
    assert_eq!(told, "platform: browser-unavailable", "{said}");
    collector.browser.as_ref().unwrap().shut_down().await;
}

/// Processes of a browser whose profile stands there.
fn browsers_at(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(folder)
    })
    .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_the_platforms_fault_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // The browser's own user writes there.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    let Some(disk) = SmallDisk::at(folder.path(), 16 * 1024) else { return };
    let site = EchoSite::start(site).await.unwrap();
    let settings = BrowserSettings { folder: folder.path().to_owned(), ..BrowserSettings::at_a_desk() };
    let collector = with(settings);
    // All that is asked of a source may be as large as this file.
    let collector = Collector {
        limits: Wishes::from_iter([(LimitName::AnswerBytes, 64 << 20), (LimitName::BytesIn, 512 << 20)]),
        ..collector
    };
    let (beside, mut asked) = waiting(&site);
    let (told, said) = {
        let full = async {
            let answer = asked.recv().await.unwrap();
            let full = blamed(steps(&site.url, "go /file; download #file").collecting(), &collector).await;
            let _ = answer.send(Given::Given(Vec::new().into()));
            full
        };
        let (full, beside) = tokio::join!(full, ran(beside, &collector));
        assert_eq!(beside.0, HONEST, "the other goes on: {}", beside.1);
        full
    };
    assert_eq!(told, "platform: browser-unavailable", "{said}");
    assert!(said.contains("no room"), "{said}");
    // And one that has no room to begin with.
    let browser = collector.browser.as_ref().unwrap();
    browser.shut_down().await;
    assert!(disk.list().is_empty() && browsers_at(folder.path()) == 0, "no profile, no process");
    disk.fill();
    let (told, said) = blamed(steps(&site.url, "go /file; download #file").collecting(), &collector).await;
    assert_eq!(told, "platform: browser-unavailable", "{said}");
    browser.shut_down().await;
    disk.clear();
    let (told, said) = ran(steps(&site.url, "go /fine; sees .fine").collecting(), &collector).await;
    assert_eq!(told, HONEST, "with room again: {said}");
    browser.shut_down().await;
    assert!(disk.list().is_empty() && browsers_at(folder.path()) == 0, "no profile, no process");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_page_is_told_how_many_are_before_and_comes_in_the_order_of_asking() {
    let site = EchoSite::start(site).await.unwrap();
    let collector = with(BrowserSettings { runs_max: 1, ..BrowserSettings::at_a_desk() });
    let (first, mut asked) = waiting(&site);
    let numbered = |number: u32| steps(&site.url, &format!("go /{number}")).collecting();
    let (second, third) = (numbered(2), numbered(3));
    let (of_second, of_third) = (second.seen.clone(), third.seen.clone());
    let said_to = |seen: &consentry_tests::collecting::Seen| lock(&seen.waited).clone();
    let all = async {
        let answer = asked.recv().await.unwrap();
        let second = async { ran(second, &collector).await };
        let third = async {
            until(|| !said_to(&of_second).is_empty()).await;
            ran(third, &collector).await
        };
        let free = async {
            until(|| !said_to(&of_third).is_empty()).await;
            assert!(!site.heard().iter().any(|request| request.contains("GET /2") || request.contains("GET /3")));
            let _ = answer.send(Given::Given(Vec::new().into()));
        };
        let (second, third, ()) = tokio::join!(second, third, free);
        assert_eq!((second.0.as_str(), third.0.as_str()), (HONEST, HONEST));
    };
    let (first, ()) = tokio::join!(ran(first, &collector), all);
    assert_eq!(first.0, HONEST, "{}", first.1);
    assert_eq!((said_to(&of_second), said_to(&of_third)), (vec![0], vec![1, 0]));
    let heard = site.heard();
    let pages: Vec<&str> = heard.iter().filter_map(|request| request.strip_prefix("GET /")?.get(..1)).collect();
    assert_eq!(pages.concat(), "af23", "{heard:?}");
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_browser_once_a_connector_asks_for_a_page() {
    let site = EchoSite::start(site).await.unwrap();
    let collector = collector().unwrap();
    let browser = collector.browser.clone().unwrap();
    // It has the capability, and does not use it.
    let other = steps(&site.url, "go /fine").collecting().field("mode", "spins-not");
    assert_eq!(ran(other, &collector).await.0, "unclassified");
    assert_eq!(browser.pid(), None);
    assert_eq!(ran(steps(&site.url, "go /fine").collecting(), &collector).await.0, HONEST);
    let pid = browser.pid();
    assert!(pid.is_some());
    assert_eq!(ran(steps(&site.url, "go /fine").collecting(), &collector).await.0, HONEST);
    assert_eq!(browser.pid(), pid, "it stays warm between collections");
    browser.shut_down().await;
    // One that can't be started is the platform's fault.
    let nowhere = with(BrowserSettings { program: Some("/nowhere/chromium".into()), ..BrowserSettings::at_a_desk() });
    assert_eq!(ran(steps(&site.url, "go /fine").collecting(), &nowhere).await.0, "browser-unavailable");
    assert_eq!(site.heard().len(), 2, "{:?}", site.heard());
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
