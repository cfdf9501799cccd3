//! The browser itself, without a connector in front: a real one, against sites of a few lines.

mod account;
mod bounds;
mod egress;
mod faults;
mod site;
mod tls;
mod typing;
mod warm;
mod way;

use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use super::*;
use crate::browser::context::PageError;
use crate::browser::input::Text;
use crate::browser::launch::Process;
use crate::egress::Egress;
use crate::network::gate::{Gate, GateBounds};
use crate::network::{LiveNetwork, TlsSettings, Way};
use crate::ports::Clock;
use consentry_contract::manifest::Origin;
use site::{Site, page};

struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "a gate of its own for each test")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// A browser for one test, and the tracker of what works for it.
struct Desk {
    chromium: Arc<Chromium>,
    hops: TaskTracker,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

/// One browser at a time is enough for a small machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Desk {
    async fn new() -> Self {
        Self::with(BrowserSettings::at_a_desk()).await
    }

    async fn with(settings: BrowserSettings) -> Self {
        let _alone = ALONE.lock().await;
        Self { chromium: Chromium::new(settings), hops: TaskTracker::new(), _alone }
    }

    /// A context that reaches these sites.
    async fn context(&self, sites: &[&Site]) -> Arc<Context> {
        let origins: Vec<Origin> = sites.iter().map(|site| Origin::parse(&site.origin()).unwrap()).collect();
        self.reaching(&origins).await
    }

    async fn reaching(&self, origins: &[Origin]) -> Arc<Context> {
        self.by(origins, Way::default()).await
    }

    /// A context whose proxy takes this way out.
    async fn by(&self, origins: &[Origin], way: Way) -> Arc<Context> {
        let egress = Egress::new(origins, true);
        let network = LiveNetwork::by(way, &egress, &TlsSettings::of_this_machine().unwrap(), "t").unwrap();
        let tunnels = network.tunnels(Arc::new(Gate::new(GateBounds::default(), Arc::new(Now))), u64::MAX);
        let reach = Reach { egress, tunnels, connections_max: u64::MAX };
        let turn = self.chromium.turn(|_| ()).await.unwrap();
        let opened = Context::open(&self.chromium, reach, "fr".to_owned(), turn, self.hops.clone()).await;
        Arc::new(opened.unwrap())
    }

    /// Ends it, and says whether anything is left of it.
    async fn end(self) {
        self.hops.close();
        self.hops.wait().await;
        let folder = self.chromium.running.lock().await.as_ref().and_then(|it| it.folder().map(ToOwned::to_owned));
        let pid = self.chromium.pid();
        self.chromium.shut_down().await;
        assert!(folder.is_none_or(|folder| !folder.exists()), "its profile is gone");
        assert!(pid.is_none_or(|pid| !alive(pid)), "its process is gone");
    }
}

/// Whether a process runs; one that has ended and that nobody has asked after does not.
fn alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Waits until something is so; it is a matter of moments on a machine that has nothing else to do.
async fn until(what: impl Fn() -> bool) -> bool {
    for _ in 0..3000 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

impl Context {
    /// A page at this address.
    async fn at(&self, url: &str) -> Result<At, PageError> {
        let at = At::page(self.open_page().await?);
        self.go(&at, url, soon()).await.map(|()| at)
    }

    async fn html(&self, at: &At) -> String {
        String::from_utf8(self.read(at, false, 1 << 20).await.unwrap().bytes).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_gone_to_filled_in_clicked_and_read() {
    goes_fills_clicks_and_reads(BrowserSettings::at_a_desk()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_shell_the_whole_browser_does_it_as_well() {
    let program = Some("/usr/lib/chromium/chromium".into());
    goes_fills_clicks_and_reads(BrowserSettings { program, ..BrowserSettings::at_a_desk() }).await;
}

async fn goes_fills_clicks_and_reads(settings: BrowserSettings) {
    let site = Site::start(|request| match request {
        "GET /" => page(
            "<form action=/done><input name=login><input type=password name=password value=old>
             <select name=kind><option value=a>A<option value=b>B</select><button>Go</button></form>
             <script>document.querySelector('button').addEventListener('click', e => {
                 if (!e.isTrusted) e.preventDefault(); })</script>",
        ),
        _ if request.starts_with("GET /done?") => page(&format!("<p id=said>{}</p>", &request[10..])),
        _ => site::missing(),
    })
    .await;
    let desk = Desk::with(settings).await;
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    context.fill(&at, "input[name=login]", Text::Open("Zoë \"7\""), None).await.unwrap();
    context.fill(&at, "input[name=password]", Text::Open("s3cret&more"), None).await.unwrap();
    context.choose(&at, "select[name=kind]", &["b".to_owned()]).await.unwrap();
    let html = context.html(&at).await;
    assert!(html.contains("value=\"Zoë &quot;7&quot;\""), "{html}");
    assert!(html.contains("<option value=\"b\" selected=\"\">"), "{html}");
    assert!(!html.contains("s3cret") && !html.contains("old"), "{html}");
    context.click(&at, "button").await.unwrap();
    assert!(context.is_seen(&at, "#said", true, soon()).await.unwrap());
    let html = context.html(&at).await;
    assert!(html.contains("login=Zo%C3%AB+%227%22&amp;password=s3cret%26more&amp;kind=b"), "{html}");
    assert_eq!(
        context.fill(&at, "#said", Text::Open("text"), None).await,
        Err(PageError::Unusable("no field of this kind"))
    );
    assert_eq!(context.click(&at, "#nowhere").await, Err(PageError::Nothing));
    drop(context);
    desk.end().await;
}

/// Says what it finds of what it kept the last time, and keeps it again.
const KEEPS: &str = "<body><script>(async () => {
    const found = [document.cookie, localStorage.c, (await caches.keys())[0], (await indexedDB.databases())[0]?.name,
        (await navigator.serviceWorker.getRegistrations())[0] && 'h', (await (await navigator.storage.getDirectory()).keys().next()).value];
    await fetch('/cached');
    document.cookie = 'a=b'; localStorage.c = 'd'; await caches.open('f');
    await new Promise(done => { indexedDB.open('g').onsuccess = done; });
    await navigator.serviceWorker.register('/worker.js');
    await (await navigator.storage.getDirectory()).getFileHandle('i', { create: true });
    document.body.append(Object.assign(document.createElement('p'), { id: 'done', textContent: found.filter(each => each).join(' ') }));
})()</script>";

#[tokio::test(flavor = "multi_thread")]
async fn contexts_share_nothing_but_the_browser() {
    let site = Site::start(|request| match request {
        "GET /cached" => site::answer("200 OK", "Cache-Control: max-age=3600\r\n", b"once"),
        "GET /worker.js" => site::answer("200 OK", "Content-Type: text/javascript\r\n", b"self.onfetch = () => {}"),
        _ => page(KEEPS),
    })
    .await;
    let show = Site::start(|_| page("")).await;
    let desk = Desk::new().await;
    let (one, two) = (desk.context(&[&site]).await, desk.context(&[&site, &show]).await);
    assert_eq!(one.process.pid(), two.process.pid());
    let kept = "a=b d f g h i";
    for (context, expected) in [(&one, ""), (&one, kept), (&two, ""), (&two, kept)] {
        let at = context.at(&site.url("/")).await.unwrap();
        assert!(context.is_seen(&at, "#done", true, soon()).await.unwrap());
        let html = context.html(&at).await;
        assert!(html.contains(&format!("<p id=\"done\">{expected}</p>")), "expected {expected:?}: {html}");
    }
    let asked = site.seen().iter().filter(|request| request.starts_with("GET /cached")).count();
    assert_eq!(asked, 2, "each has a cache of its own");
    drop(one);
    let three = desk.context(&[&site]).await;
    let at = three.at(&site.url("/")).await.unwrap();
    assert!(three.is_seen(&at, "#done", true, soon()).await.unwrap());
    assert!(three.html(&at).await.contains("<p id=\"done\"></p>"), "nothing outlives a collection");
    let one = three;
    let refused = one.at(&show.url("/")).await;
    assert!(refused.is_err() || !show.was_asked(), "what is not declared is not reached");
    assert!(!show.was_asked());
    two.at(&show.url("/")).await.unwrap();
    assert!(show.was_asked());
    drop((one, two));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_a_page_work() {
    let works = "<script>const works = URL.createObjectURL(new Blob(['postMessage(7)']));
        new Worker(works).onmessage = told => { document.body.innerHTML = '<p id=told>' + told.data; };</script>";
    let (site, desk) = (Site::start(move |_| page(works)).await, Desk::new().await);
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    assert!(context.is_seen(&at, "#told", true, soon()).await.unwrap());
    drop(context);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_confined_and_has_a_network_of_its_own() {
    let _alone = ALONE.lock().await;
    let process = Process::start(&BrowserSettings::at_a_desk()).await.unwrap();
    let pids = check::descendants(process.pid());
    assert!(pids.len() >= 3, "{pids:?}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    if nix::unistd::geteuid().is_root() {
        let browser = account::browser();
        assert!(status.contains(&format!("Uid:\t{browser}\t{browser}\t{browser}\t{browser}\n")), "{status}");
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        assert_eq!(groups.trim(), "", "and of no group of the engine's");
        assert!(process.ground.is_isolated());
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        assert_ne!(std::fs::read_link(format!("/proc/{}/ns/net", process.pid())).unwrap(), ours);
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("CapAmb:\t0000000000000000"), "{status}");
    let listening = std::fs::read_to_string(format!("/proc/{}/net/tcp", process.pid())).unwrap();
    assert_eq!(listening.lines().count(), 1, "nothing listens: {listening}");
    let folder = process.folder().unwrap().to_owned();
    let (pid, ground) = (process.pid(), process.ground.clone());
    drop(process);
    ground.run(|| Ok(())).await.unwrap();
    assert!(!folder.exists() && !alive(pid), "nothing is left");
    assert!(until(|| !pids.iter().any(|pid| alive(*pid))).await, "nothing that it started is left");
}
