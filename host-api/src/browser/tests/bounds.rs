//! What a browser, and each of its pages, may take of this machine; and that none shows a page which nothing confines.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::browser::context::PageError;
use crate::browser::transport::CallError;

const EATS: &str = "<p>.</p><script>const all = []; setInterval(() => {
    try { all.push(new Uint8Array(16 << 20).fill(7)); } catch { document.title = 'refused'; }
}, 1)</script>";
const SPINS: &str = "<p>.</p><script>const spins = URL.createObjectURL(new Blob(['while (true);']));
for (let i = 0; i < 4; i++) new Worker(spins);</script>";

async fn sites() -> Site {
    Site::start(|request| match request {
        "GET /eats" => page(EATS),
        "GET /spins" => page(SPINS),
        "GET /" => page("<p id=fine>fine</p>"),
        _ => site::missing(),
    })
    .await
}

/// Whether the page's process has ended in time.
async fn ends(context: &Context, at: &At) -> bool {
    until(|| context.session(&at.page) == Err(PageError::Call(CallError::Crashed))).await
}

async fn goes_on(desk: &Desk, site: &Site, pid: Option<u32>) {
    let other = desk.context(&[site]).await;
    let at = other.at(&site.url("/")).await.unwrap();
    assert!(other.html(&at).await.contains("fine"));
    assert_eq!(desk.chromium.pid(), pid, "the browser itself goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_gets_so_much_memory_and_time_and_no_more_wherever_it_runs() {
    let page_bytes = 768 << 20;
    let settings = BrowserSettings { page_bytes, page_cpu: Duration::from_secs(3), ..BrowserSettings::at_a_desk() };
    let (desk, site) = (Desk::with(settings).await, sites().await);
    let context = desk.context(&[&site]).await;
    let pid = desk.chromium.pid();
    let at = context.at(&site.url("/eats")).await.unwrap();
    let until = soon();
    while let Ok(false) = context.ask::<bool>(&at, "function() { return document.title === 'refused'; }", &[]).await {
        assert!(Instant::now() < until, "it is never refused memory");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pages = check::descendants(pid.unwrap());
    let pages = pages.into_iter().filter(|pid| check::is_started_with(*pid, "--type=renderer"));
    let most = pages.map(check::memory).max().unwrap();
    assert!(most < page_bytes, "{most}");
    goes_on(&desk, &site, pid).await;
    context.close_page(&at.page);
    let at = context.at(&site.url("/spins")).await.unwrap();
    assert!(ends(&context, &at).await);
    goes_on(&desk, &site, pid).await;
    drop(context);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_pages_together_the_largest_ends_before_nothing_gets_on() {
    let settings = BrowserSettings { memory_bytes: 800 << 20, page_bytes: 1 << 40, ..BrowserSettings::at_a_desk() };
    let (desk, site) = (Desk::with(settings).await, sites().await);
    let (context, other) = (desk.context(&[&site]).await, desk.context(&[&site]).await);
    let pid = desk.chromium.pid();
    let fine = other.at(&site.url("/")).await.unwrap();
    let at = context.at(&site.url("/eats")).await.unwrap();
    assert!(ends(&context, &at).await);
    assert!(other.html(&fine).await.contains("fine"), "a page that takes little stays");
    goes_on(&desk, &site, pid).await;
    drop((context, other));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_stands_in_a_control_group_where_one_may_be_made() {
    let page_cpu = Duration::from_secs(1 << 30);
    let settings =
        BrowserSettings { memory_bytes: 600 << 20, cpu_percent: 60, page_cpu, ..BrowserSettings::at_a_desk() };
    let (desk, site) = (Desk::with(settings.clone()).await, sites().await);
    let process = desk.chromium.process().await.unwrap();
    let groups = process.groups().to_vec();
    if groups.is_empty() {
        // Nobody may listen.
        let _ = writeln!(std::io::stderr(), "NOT RUN: a control group around the browser: none may be made here");
        drop(process);
        return desk.end().await;
    }
    let read = |group: &Path, file: &str| std::fs::read_to_string(group.join(file)).unwrap_or_default();
    let of = |file: &str| groups.iter().map(|group| read(group, file)).collect::<String>();
    let inside =
        |group: &Path| read(group, "cgroup.procs").lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>();
    // Some end while they are counted.
    let all = || {
        let all = [vec![process.pid()], check::descendants(process.pid())].concat();
        let inside: Vec<Vec<u32>> = groups.iter().map(|group| inside(group)).collect();
        all.len() >= 3 && all.iter().all(|pid| !alive(*pid) || inside.iter().all(|group| group.contains(pid)))
    };
    assert!(until(all).await, "all of it stands in them");
    let memory = of("memory.limit_in_bytes") + &of("memory.max");
    assert_eq!(memory.trim(), (600 << 20).to_string());
    assert_eq!(of("pids.max").trim(), "4096");
    assert!(["60000", "60000 100000"].contains(&(of("cpu.cfs_quota_us") + &of("cpu.max")).trim()));
    let context = desk.context(&[&site]).await;
    context.at(&site.url("/spins")).await.unwrap();
    let throttled = || of("cpu.stat").lines().any(|line| line.starts_with("nr_throttled ") && !line.ends_with(" 0"));
    assert!(until(throttled).await, "{}", of("cpu.stat"));
    // What an engine left that was killed: no process has this id, and this one is another's.
    let left = |pid: u32| groups.iter().map(move |group| group.with_file_name(format!("consentry-browser-{pid}")));
    left(u32::MAX).chain(left(1)).for_each(|group| std::fs::create_dir(group).unwrap());
    drop(Chromium::new(settings));
    assert!(!left(u32::MAX).any(|group| group.exists()), "groups of nobody go");
    assert!(left(1).chain(groups.iter().cloned()).all(|group| group.exists()), "and no other");
    left(1).for_each(|group| std::fs::remove_dir(group).unwrap());
    drop((context, process));
    goes_on(&desk, &site, desk.chromium.pid()).await;
    desk.end().await;
    assert!(!groups.iter().any(|group| group.exists()), "the groups go with the browser");
}

/// Starts a browser from a thread that stands under a filter which allows everything, as one of a container's profile would for what is
/// asked here: all that the thread starts inherits it.
async fn started_under_a_filter(settings: BrowserSettings) -> Result<(), BrowserError> {
    let started = std::thread::spawn(move || {
        let allow = seccompiler::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 };
        seccompiler::apply_filter(&[allow]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Process::start(&settings).await.map(drop) })
    });
    tokio::task::spawn_blocking(|| started.join().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_whose_pages_nothing_confines_is_refused() {
    let _alone = ALONE.lock().await;
    let folder = std::env::temp_dir().join(format!("consentry-unconfined-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("chromium-headless-shell");
    let usual = BrowserSettings::at_a_desk();
    let shell = usual.found().unwrap().display().to_string();
    std::fs::write(&program, format!("#!/bin/sh\nexec {shell} --no-sandbox \"$@\"\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let unconfined = BrowserSettings { program: Some(program), ..usual };
    let refused = Process::start(&unconfined).await.err();
    let filtered = started_under_a_filter(unconfined.clone()).await.err();
    let usual = started_under_a_filter(BrowserSettings::at_a_desk()).await;
    let allowed = Process::start(&BrowserSettings { unconfined: true, ..unconfined }).await.map(drop);
    std::fs::remove_dir_all(folder).unwrap();
    assert!(matches!(refused, Some(BrowserError::Unconfined)), "{refused:?}");
    assert!(
        matches!(filtered, Some(BrowserError::Unconfined)),
        "the filter that a page inherits is not its own: {filtered:?}"
    );
    usual.unwrap();
    allowed.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_ends_as_soon_as_it_is_started_is_refused_with_what_to_do() {
    let _alone = ALONE.lock().await;
    let ends = BrowserSettings { program: Some("/bin/true".into()), ..BrowserSettings::at_a_desk() };
    let refused = Process::start(&ends).await.err().unwrap();
    assert!(matches!(refused, BrowserError::Ended) && refused.to_string().contains("seccomp"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_holds_much_without_a_page_is_started_anew() {
    let site = sites().await;
    for (rest_bytes, anew) in [(1 << 20, true), (1 << 40, false)] {
        let desk = Desk::with(BrowserSettings { rest_bytes, ..BrowserSettings::at_a_desk() }).await;
        assert_eq!(desk.chromium.pid(), None, "there is none before somebody asks");
        let first = desk.context(&[&site]).await;
        let second = desk.context(&[&site]).await;
        assert_eq!(first.process.pid(), second.process.pid(), "never while somebody has a page in it");
        let pid = first.process.pid();
        drop((first, second));
        let process =
            || desk.chromium.running.try_lock().is_ok_and(|it| it.as_ref().is_none_or(|it| Arc::strong_count(it) == 1));
        assert!(until(process).await, "both are let go of");
        for _ in 2..10 {
            drop(desk.context(&[&site]).await);
            assert!(until(process).await, "it is let go of");
            assert_eq!(desk.chromium.pid(), Some(pid), "it is not looked at each time");
        }
        let next = desk.context(&[&site]).await;
        assert_eq!(next.process.pid() != pid, anew);
        drop(next);
        desk.end().await;
    }
}
