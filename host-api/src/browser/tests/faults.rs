//! What pages and their browser do when something goes wrong: each is told as what it is, in time, and others go on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::browser::context::PageError;
use crate::browser::launch::Profile;
use crate::browser::transport::CallError;

async fn sites() -> Site {
    Site::start(|request| match request {
        "GET /" => page("<p id=fine>fine</p>"),
        "GET /hangs" => page("<script>setTimeout(() => { while (true); }, 50)</script>"),
        "GET /round" => site::answer("302 Found", "Location: /round\r\n", b""),
        "GET /scripted" => page("<script>location.href = '/scripted'</script>"),
        "GET /silent" => Vec::new(),
        "GET /asks" => page("<script>fetch('/silent')</script>"),
        "GET /guards" => page("<button>x</button><script>onbeforeunload = told => told.preventDefault()</script>"),
        "GET /storm" => page("<script>for (let i = 0; i < 100; i++) alert(i)</script>"),
        "GET /popups" => page("<button onclick='for (let i = 0; i < 40; i++) window.open(\"/\")'>x</button>"),
        "GET /huge" => page(&format!("<p>{}</p>", "much ".repeat(1 << 18))),
        _ => site::missing(),
    })
    .await
}

/// Another collection of the same browser does what it did before.
async fn goes_on(desk: &Desk, site: &Site) {
    let other = desk.context(&[site]).await;
    let at = other.at(&site.url("/")).await.unwrap();
    assert!(other.html(&at).await.contains("fine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_does_wrong_is_its_own_loss() {
    let settings = BrowserSettings { answer: Duration::from_secs(5), ..BrowserSettings::at_a_desk() };
    let (desk, site) = (Desk::with(settings).await, sites().await);
    let context = desk.context(&[&site]).await;
    assert_eq!(context.at(&site.url("/round")).await.err(), Some(PageError::Redirects));
    let soon = |seconds| Instant::now() + Duration::from_secs(seconds);
    let at = At::page(context.open_page().await.unwrap());
    assert_eq!(context.go(&at, &site.url("/silent"), soon(1)).await, Err(PageError::Call(CallError::Late)));
    let asked = Instant::now();
    assert_eq!(context.go(&at, &site.url("/silent"), soon(6)).await, Err(PageError::Call(CallError::Late)));
    assert!(asked.elapsed() >= Duration::from_secs(6), "a site gets longer than the browser for an answer of its own");
    assert_eq!(context.go(&at, &site.url("/scripted"), soon(3)).await, Err(PageError::Call(CallError::Late)));
    let guards = context.at(&site.url("/guards")).await.unwrap();
    context.click(&guards, "button").await.unwrap();
    context.go(&guards, &site.url("/"), soon(60)).await.unwrap();
    assert!(context.html(&guards).await.contains("fine"), "a page that asks whether it may be left is left");
    let at = context.at(&site.url("/huge")).await.unwrap();
    assert_eq!(context.read(&at, false, 1 << 18).await.err(), Some(PageError::Large(1 << 18)));
    let storm = context.at(&site.url("/storm")).await;
    assert!(matches!(storm, Err(PageError::Storm)) || context.session("").is_err(), "{:?}", storm.err());
    goes_on(&desk, &site).await;
    drop(context);
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/popups")).await.unwrap();
    context.click(&at, "button").await.unwrap();
    assert!(until(|| context.state().tabs.len() > 1).await);
    assert!(context.state().tabs.len() <= 5);
    assert!(context.html(&at).await.contains("button"));
    let hangs = context.at(&site.url("/hangs")).await.unwrap();
    // It hangs a moment after it was loaded, and is freed when it was found to hang.
    let mut told = Vec::new();
    while told.len() < 5 && !told.contains(&Err(PageError::Call(CallError::Late))) {
        told.push(context.read(&hangs, false, 1 << 20).await.map(drop));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(told.last(), Some(&Err(PageError::Call(CallError::Late))), "{told:?}");
    goes_on(&desk, &site).await;
    drop(context);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_or_a_browser_that_ends_is_told_at_once() {
    let (desk, site) = (Desk::new().await, sites().await);
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    let session = context.session(&at.page).unwrap();
    let crash = context.transport().tell(&session, "Page.crash", serde_json::json!({})).await;
    assert_eq!(crash, Err(CallError::Crashed));
    assert_eq!(context.session(&at.page), Err(PageError::Call(CallError::Crashed)));
    goes_on(&desk, &site).await;
    let pid = desk.chromium.pid().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    let begun = Instant::now();
    let gone = context.open_page().await;
    assert_eq!(gone.err(), Some(PageError::Call(CallError::Gone)));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let folder = context.process.folder().unwrap().to_owned();
    drop(context);
    goes_on(&desk, &site).await;
    assert_ne!(desk.chromium.pid(), Some(pid));
    assert!(until(|| !folder.exists()).await, "the profile of the one that was killed goes, too");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_page_that_is_gone_are_waited_for_by_nobody() {
    let (desk, site) = (Desk::new().await, sites().await);
    for crashes in [false, true] {
        let context = desk.context(&[&site]).await;
        let at = context.at(&site.url("/asks")).await.unwrap();
        assert!(until(|| context.state().under_way() == 1).await);
        assert!(!context.is_idle(Instant::now() + Duration::from_secs(1)).await.unwrap());
        if crashes {
            let session = context.session(&at.page).unwrap();
            let _ = context.transport().tell(&session, "Page.crash", serde_json::json!({})).await;
        } else {
            context.close_page(&at.page);
        }
        assert!(context.is_idle(Instant::now() + Duration::from_secs(20)).await.unwrap());
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_started_anew_after_so_many_collections_and_ends_when_it_is_idle() {
    let settings = BrowserSettings { runs_each: 1, idle: Duration::from_millis(200), ..BrowserSettings::at_a_desk() };
    let (desk, site) = (Desk::with(settings).await, sites().await);
    let first = desk.context(&[&site]).await;
    let second = desk.context(&[&site]).await;
    assert_ne!(first.process.pid(), second.process.pid());
    assert!(first.at(&site.url("/")).await.is_ok() && second.at(&site.url("/")).await.is_ok());
    let pids = [first.process.pid(), second.process.pid()];
    drop((first, second));
    assert!(until(|| !pids.iter().any(|pid| alive(*pid))).await, "nobody uses them");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_turn_gets_it_in_the_order_of_asking_and_not_for_ever() {
    let settings = |queue| BrowserSettings { runs_max: 1, queue, ..BrowserSettings::at_a_desk() };
    let chromium = Chromium::new(settings(Duration::from_millis(300)));
    let turn = chromium.turn(|_| ()).await.unwrap();
    let ahead = std::sync::Mutex::new(Vec::new());
    let told = |count| ahead.lock().unwrap().push(count);
    let (one, two) = tokio::join!(chromium.turn(told), chromium.turn(told));
    assert!(matches!((one, two), (Err(BrowserError::Busy), Err(BrowserError::Busy))));
    assert_eq!(ahead.lock().unwrap()[..2], [0, 1]);
    drop(turn);
    let chromium = Chromium::new(settings(Duration::from_secs(60)));
    let (turn, came) = (chromium.turn(|_| ()).await.unwrap(), std::sync::Mutex::new(Vec::new()));
    // Each asks when it is polled first, and that is in this order.
    let heard = std::sync::Mutex::new(std::collections::BTreeMap::<u32, Vec<u32>>::new());
    let asks = |who: u32| {
        let (chromium, came, heard) = (&chromium, &came, &heard);
        async move {
            let turn = chromium.turn(|ahead| heard.lock().unwrap().entry(who).or_default().push(ahead)).await.unwrap();
            came.lock().unwrap().push(who);
            tokio::task::yield_now().await;
            drop(turn);
        }
    };
    let free = async { drop(turn) };
    tokio::join!(biased; asks(1), asks(2), asks(3), asks(4), free);
    assert_eq!(*came.lock().unwrap(), [1, 2, 3, 4]);
    // Each hears how many are before them, and that they become fewer.
    for (who, heard) in heard.into_inner().unwrap() {
        assert_eq!(heard.first(), Some(&(who - 1)), "{who}: {heard:?}");
        assert!(heard.is_sorted_by(|before, after| before > after) && heard.last() == Some(&0), "{who}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_made_while_another_engine_sweeps() {
    let settings = BrowserSettings::at_a_desk();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                launch::sweep(&settings);
            }
        });
        let account = crate::browser::account::Account::of(&settings).unwrap();
        let failed: Vec<_> = (0..300)
            .filter_map(|_| match Profile::make(&settings, account) {
                Ok(made) => (!made.path.join("Default/Preferences").exists()).then(|| "taken".to_owned()),
                Err(error) => Some(format!("{error:?}")),
            })
            .collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(failed, [""; 0]);
    });
}

/// The engine of the test below: has a browser with a page that hangs until its standard input ends, or it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
async fn holds_a_browser_until_its_input_ends() {
    let (desk, site) = (Desk::new().await, sites().await);
    let context = desk.context(&[&site]).await;
    context.at(&site.url("/hangs")).await.unwrap();
    println!("\nholds {} {}", context.process.pid(), context.process.folder().unwrap().display());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_leaves_no_browser_and_its_profile_goes_with_the_next_start() {
    let _alone = ALONE.lock().await;
    let name = "browser::tests::faults::holds_a_browser_until_its_input_ends";
    let mut engine = std::process::Command::new(std::env::current_exe().unwrap());
    let engine =
        engine.args([name, "--exact", "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut engine = engine.spawn().unwrap();
    let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines().map_while(Result::ok);
    let holds = lines.find(|line| line.starts_with("holds ")).unwrap();
    let words: Vec<&str> = holds.split(' ').collect();
    let (pid, folder) = (words[1].parse().unwrap(), std::path::Path::new(words[2]));
    let pids = check::descendants(pid);
    assert!(alive(pid) && pids.len() >= 3 && folder.exists());
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert!(until(|| !alive(pid) && !pids.iter().any(|pid| alive(*pid))).await, "its end is the browser's");
    assert!(
        until(|| {
            let _sweeps = Chromium::new(BrowserSettings::at_a_desk());
            !folder.exists()
        })
        .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_nobody_uses_is_swept_and_a_folder_on_a_disk_is_refused() {
    let folder = std::path::Path::new("/dev/shm/consentry-browser-0-left");
    std::fs::create_dir_all(folder.join("Default")).unwrap();
    let _sweeps = Chromium::new(BrowserSettings::at_a_desk());
    assert!(!folder.exists());
    let disk = BrowserSettings { folder: env!("CARGO_MANIFEST_DIR").into(), ..BrowserSettings::at_a_desk() };
    assert!(matches!(Process::start(&disk).await, Err(BrowserError::Folder { .. })));
}
