//! Contexts that are made ahead: there are as many as was said, each is given out once and was nobody's, and they go with their browser.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;

fn making(contexts_ready: usize) -> BrowserSettings {
    BrowserSettings { contexts_ready, ..BrowserSettings::at_a_desk() }
}

/// Waits until so many are ready, and no more come.
async fn ready(process: &Process, many: usize) {
    assert!(until(|| process.ready_count() == Some(many)).await, "{:?} are ready", process.ready_count());
}

/// The processes that show pages.
fn showing(browser: u32) -> Vec<u32> {
    check::descendants(browser).into_iter().filter(|pid| check::is_started_with(*pid, "--type=renderer")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_context_is_given_out_once_was_nobodys_and_another_takes_its_place() {
    let site = Site::start(|request| match request {
        "GET /worker.js" => site::answer("200 OK", "Content-Type: text/javascript\r\n", b"self.onfetch = () => {}"),
        "GET /cached" => site::answer("200 OK", "", b"once"),
        _ => page(KEEPS),
    })
    .await;
    let desk = Desk::with(making(2)).await;
    desk.chromium.warm_up().await.unwrap();
    let process = desk.chromium.process().await.unwrap();
    ready(&process, 2).await;
    let shown = showing(process.pid());
    assert!(shown.len() >= 2, "each has a page");
    let mut given = Vec::new();
    for _ in 0..5 {
        ready(&process, 2).await;
        let context = desk.context(&[&site]).await;
        let first = context.state().tabs.iter().map(|tab| tab.target.clone()).collect::<Vec<_>>();
        let at = context.at(&site.url("/")).await.unwrap();
        assert_eq!(first, [at.page.as_str()], "the page that it came with");
        assert!(context.is_seen(&at, "#done", true, soon()).await.unwrap());
        assert!(context.html(&at).await.contains("<p id=\"done\"></p>"), "nobody was here before");
        assert_ne!(context.open_page().await.unwrap(), at.page, "the next page is another");
        assert!(given.iter().all(|other: &Arc<Context>| other.id != context.id));
        // Some are kept, and some go.
        if given.len() < 2 {
            given.push(context);
        }
    }
    let heads = site.seen();
    let tongues: Vec<&str> =
        heads.iter().flat_map(|head| head.lines().filter(|line| line.starts_with("Accept-L"))).collect();
    assert!(tongues.len() >= 5 && tongues.iter().all(|line| *line == "Accept-Language: fr"), "{tongues:?}");
    drop((given, process));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_ahead_goes_when_the_browser_is_started_anew_or_is_idle() {
    let site = Site::start(|_| page("<p id=fine>fine</p>")).await;
    let desk = Desk::with(BrowserSettings { runs_each: 1, idle: Duration::from_millis(500), ..making(2) }).await;
    let first = desk.context(&[&site]).await;
    let at = first.at(&site.url("/")).await.unwrap();
    ready(&first.process, 2).await;
    let second = desk.context(&[&site]).await;
    assert_ne!(first.process.pid(), second.process.pid());
    assert_eq!(first.process.ready_count(), None, "nobody comes there any more");
    assert!(until(|| showing(first.process.pid()).len() == 1).await, "its own page alone is left");
    assert!(first.html(&at).await.contains("fine"));
    let pids = [first.process.pid(), second.process.pid()];
    drop((first, second));
    assert!(
        until(|| !pids.iter().any(|pid| alive(*pid))).await,
        "contexts that nobody has keep no browser from its end"
    );
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ended_while_it_waited_is_given_to_nobody_and_none_are_made_where_none_are_wanted() {
    let site = Site::start(|_| page("<p id=fine>fine</p>")).await;
    let desk = Desk::with(making(1)).await;
    desk.chromium.warm_up().await.unwrap();
    let process = desk.chromium.process().await.unwrap();
    ready(&process, 1).await;
    for pid in showing(process.pid()) {
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    }
    assert!(until(|| showing(process.pid()).is_empty()).await);
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    assert!(context.html(&at).await.contains("fine"));
    drop((context, process));
    desk.end().await;
    let desk = Desk::with(making(0)).await;
    let context = desk.context(&[&site]).await;
    assert_eq!(context.process.ready_count(), None);
    assert!(context.at(&site.url("/")).await.is_ok());
    drop(context);
    desk.end().await;
}
