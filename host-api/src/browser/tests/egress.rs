//! Whatever a page may try to get past its proxy: dozens of ways, each towards listeners that nobody may reach, in the network that the browser
//! stands in. Counted is what arrives there: nothing. Two controls show that this means something: the same page in a browser with a hole in its
//! proxy reaches them by every way, and with the proxy whole, the same ways towards a declared site arrive there, behind all that was tried before.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// Where the listeners are: a network of its own has every port free. What arrives at the first two says by its path which way it came; the
/// others have one way each.
const TCP: u16 = 4001;
const TCP_WAYS: [(u16, &str); 4] = [(4003, "tls"), (4004, "turn-tcp"), (4007, "preconnect"), (4008, "late-preconnect")];
const UDP_WAYS: [(u16, &str); 3] = [(4002, "stun"), (4005, "turn-udp"), (4006, "webtransport")];
/// The device that pages' own connections look for: a loopback is none to them.
const DEVICE: [&[&str]; 5] = [
    &["link", "add", "v0", "type", "veth", "peer", "name", "v1"],
    &["address", "add", "10.77.0.1/24", "dev", "v0"],
    &["link", "set", "v0", "up"],
    &["link", "set", "v1", "up"],
    &["route", "add", "default", "via", "10.77.0.2"],
];
const WEBRTC: [&str; 4] = ["stun", "turn-udp", "turn-tcp", "stun-name"];
/// What a browser passes its proxy by for, so that it can be seen that the ways are real.
const PAST: &str = "<-loopback>;127.0.0.1:4001;127.0.0.1:4003;127.0.0.1:4006;127.0.0.1:4007;127.0.0.1:4008;10.77.0.1:4004;localhost:4001;[::1]:4001;*.leak.test";

/// Listeners in the browser's network, and the ways by which they were reached.
struct Sinks {
    came: Arc<Mutex<BTreeSet<String>>>,
    /// Name look-ups are listened for, too.
    names: bool,
    /// There is a device for WebRTC.
    device: bool,
}

impl Sinks {
    /// Binds TCP and UDP listeners, and a name server at the address that this machine asks.
    async fn bind(process: &Process) -> Self {
        let names = process.ground.is_isolated();
        if !names {
            let text =
                "NOT LOOKED AT: names that pages look up: only root may listen in a network of the browser's own";
            // Nobody may listen.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
        let device = names && process.ground.run(|| Ok(add_device())).await.unwrap();
        if !device {
            let _ = writeln!(
                std::io::stderr(),
                "NOT LOOKED AT: WebRTC, which needs a device: `ip link add` makes none here"
            );
        }
        let bound = process.ground.run(move || bind(names));
        let (tcp, udp) = bound.await.unwrap();
        let came: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        for (listener, way) in tcp {
            let came = came.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (Ok(mut stream), came) = (stream, came.clone()) else { return };
                    std::thread::spawn(move || {
                        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
                        let mut said = [0; 2000];
                        let read = if way.is_empty() { stream.read(&mut said).unwrap_or_default() } else { 0 };
                        let said = String::from_utf8_lossy(&said[..read]);
                        let path = said.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
                        came.lock().unwrap().insert(if way.is_empty() { path } else { way }.to_owned());
                    });
                }
            });
        }
        for (socket, way) in udp {
            let came = came.clone();
            std::thread::spawn(move || {
                let mut said = [0; 512];
                while let Ok((read, _)) = socket.recv_from(&mut said) {
                    // A question begins behind 12 bytes, with its first label.
                    let label = said[..read].get(12).and_then(|length| said.get(13..13 + usize::from(*length)));
                    let label = String::from_utf8_lossy(label.unwrap_or_default()).into_owned();
                    came.lock().unwrap().insert(if way.is_empty() { label } else { way.to_owned() });
                }
            });
        }
        Self { came, names, device }
    }

    fn came(&self) -> BTreeSet<String> {
        self.came.lock().unwrap().clone()
    }
}

type Ways<L> = Vec<(L, &'static str)>;

/// Run it where the browser's network is.
fn add_device() -> bool {
    DEVICE.iter().all(|arguments| {
        let made = std::process::Command::new("ip").args(*arguments).output();
        made.is_ok_and(|output| output.status.success())
    })
}

fn bind(names: bool) -> std::io::Result<(Ways<TcpListener>, Ways<UdpSocket>)> {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    tcp.push((TcpListener::bind((Ipv4Addr::LOCALHOST, TCP))?, ""));
    tcp.push((TcpListener::bind(("::1", TCP))?, ""));
    for (port, way) in TCP_WAYS {
        tcp.push((TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?, way));
    }
    for (port, way) in UDP_WAYS {
        udp.push((UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?, way));
    }
    if names {
        if let Some(server) = name_server() {
            add_address(server)?;
        }
        udp.push((UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53))?, ""));
    }
    Ok((tcp, udp))
}

fn name_server() -> Option<Ipv4Addr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok())?;
    match server {
        IpAddr::V4(server) if !server.is_loopback() => Some(server),
        _ => None,
    }
}

/// Gives the loopback one more address (rtnetlink(7): `RTM_NEWADDR` with `ifaddrmsg`).
fn add_address(address: Ipv4Addr) -> std::io::Result<()> {
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, send, socket};
    let mut message = Vec::new();
    message.extend(32u32.to_ne_bytes());
    message.extend(20u16.to_ne_bytes());
    message.extend((1u16 | 4 | 0x400 | 0x200).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([2, 32, 0, 0]);
    message.extend(1u32.to_ne_bytes());
    message.extend(8u16.to_ne_bytes());
    message.extend(2u16.to_ne_bytes());
    message.extend(address.octets());
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    send(std::os::fd::AsRawFd::as_raw_fd(&kernel), &message, MsgFlags::empty())?;
    let mut answer = [0; 64];
    nix::unistd::read(&kernel, &mut answer)?;
    if answer[16..20] == [0; 4] { Ok(()) } else { Err(std::io::Error::other("no address")) }
}

/// Ways that stand in a page's markup, each towards the host `T`, and named by its path; `P` is the port. Those without a name are reached by
/// a listener of their own, or by the name that is looked up.
const MARKUP: &str = "<link rel=dns-prefetch href=//dns-prefetch.leak.test><link rel=preconnect href=http://C>
<link rel=prefetch href=http://T/prefetch><link rel=preload as=script href=http://T/preload>
<link rel=modulepreload href=http://T/modulepreload><link rel=stylesheet href=http://T/css>
<link rel=icon href=http://T/favicon><link rel=manifest href=http://T/manifest>
<style>@import url(http://T/css-import); @font-face { font-family: f; src: url(http://T/css-font) }
body { font-family: f; background: url(http://T/css-background) }</style>
<script type=speculationrules>{\"prefetch\":[{\"source\":\"list\",\"urls\":[\"http://T/speculation\"]}]}</script>
<script src=http://T/script></script><img src=http://T/img><img src=http://localhost:P/localhost><img src=http://[::1]:P/ipv6>
<img srcset=http://T/srcset><iframe src=http://T/iframe></iframe><object data=http://T/object></object><embed src=http://T/embed>
<video src=http://T/video></video><video crossorigin><source src=http://T/source><track default kind=subtitles src=http://T/track></video><audio src=http://T/audio autoplay></audio>
<iframe srcdoc='<meta http-equiv=refresh content=\"0;url=http://T/refresh\">'></iframe><img src=/redirect>
<a id=ping ping=http://T/ping href=#here>.</a><iframe name=target></iframe>
<form id=form method=post target=target action=http://T/form></form><svg><image href=http://T/svg /></svg><input type=image src=http://T/input>
<button id=popup onclick=\"window.open('http://T/popup')\">.</button><button id=noopener onclick=\"window.open('http://T/noopener', '', 'noopener')\">.</button>
<button id=nav onclick=\"location = 'http://T/nav'\">.</button>";
/// Ways that a script takes; its title says that each has come to an end that has one.
const SCRIPT: &str = "const late = new Promise(done => setTimeout(done, 10000));
const safe = each => { try { return Promise.race([late, Promise.resolve(each()).catch(() => {})]); } catch {} };
const closed = socket => new Promise(done => { socket.onclose = socket.onerror = socket.onopen = done; });
const gathered = urls => new Promise(done => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls, username: 'a', credential: 'b' }] });
    peer.onicegatheringstatechange = () => { if (peer.iceGatheringState === 'complete') done(); };
    peer.createDataChannel('x');
    peer.createOffer().then(offer => peer.setLocalDescription(offer)).catch(done);
});
const hint = (rel, href) => document.head.append(Object.assign(document.createElement('link'), { rel, href }));
Promise.allSettled([
  () => fetch('http://T/fetch', { mode: 'no-cors' }),
  () => fetch('http://fetch-name.leak.test/', { mode: 'no-cors' }),
  () => fetch('https://S/tls', { mode: 'no-cors' }),
  () => fetch('http://T/keepalive', { mode: 'no-cors', keepalive: true, method: 'POST', body: 'x' }),
  () => new Promise(done => { const asked = new XMLHttpRequest(); asked.onloadend = done; asked.open('GET', 'http://T/xhr'); asked.send(); }),
  () => closed(new WebSocket('ws://T/websocket')), () => closed(new WebSocket('ws://websocket-name.leak.test/')),
  () => { new EventSource('http://T/eventsource'); }, () => { navigator.sendBeacon('http://T/beacon', 'x'); },
  () => import('http://T/import'),
  () => new Promise(done => {
      const says = `fetch('http://T/worker', {mode:'no-cors'}).catch(()=>{}); const socket = new WebSocket('ws://T/worker-websocket');
          socket.onopen = socket.onclose = socket.onerror = () => postMessage('')`;
      const worker = new Worker(URL.createObjectURL(new Blob([says])));
      worker.onmessage = worker.onerror = done;
  }),
  () => { new SharedWorker(URL.createObjectURL(new Blob([`fetch('http://T/sharedworker', {mode:'no-cors'})`]))); },
  () => navigator.serviceWorker.register('/service.js'),
  () => { document.querySelector('#ping').click(); }, () => { document.querySelector('#form').submit(); },
  () => new WebTransport('https://W/').ready, () => new WebTransport('https://webtransport-name.leak.test/').ready,
  () => gathered('stun:U'), () => gathered('stun:stun-name.leak.test'),
  () => gathered('turn:R?transport=tcp'), () => gathered('turn:V?transport=udp'),
  () => hint('dns-prefetch', '//late-dns-prefetch.leak.test'), () => hint('preconnect', 'http://L'),
].map(safe)).then(() => { document.title = 'tried'; });";

/// Ways that say who they are by the path that they ask for.
const PATHS: [&str; 38] = [
    "prefetch",
    "preload",
    "modulepreload",
    "css",
    "favicon",
    "manifest",
    "css-import",
    "css-font",
    "css-background",
    "speculation",
    "script",
    "img",
    "localhost",
    "ipv6",
    "srcset",
    "iframe",
    "object",
    "embed",
    "video",
    "source",
    "track",
    "audio",
    "refresh",
    "redirected",
    "ping",
    "form",
    "svg",
    "input",
    "popup",
    "noopener",
    "fetch",
    "keepalive",
    "xhr",
    "websocket",
    "eventsource",
    "beacon",
    "import",
    "worker",
];
const MORE_PATHS: [&str; 5] = ["worker-websocket", "sharedworker", "serviceworker", "link-header", "csp-report"];
/// And those that are names to be looked up.
const NAMES: [&str; 6] =
    ["dns-prefetch", "late-dns-prefetch", "fetch-name", "websocket-name", "webtransport-name", "stun-name"];

/// The way that only the whole browser takes: its shell asks for no icon.
const WHOLE: &[&str] = &["favicon"];
/// Ways that neither takes in a context of its own, whatever stands in them: nothing is said of them. They are tried all the same.
const UNTAKEN: [&str; 5] = ["manifest", "preconnect", "late-preconnect", "dns-prefetch", "late-dns-prefetch"];

/// A text of the page, towards the listeners that nobody may reach, or towards a site.
fn told(text: &str, host: &str) -> String {
    let port = host.rsplit(':').next().unwrap_or_default();
    let at = |port: u16| format!("127.0.0.1:{port}");
    let text = text.replace("//T", &format!("//{host}")).replace(":P/", &format!(":{port}/"));
    let text = text.replace("//C", &format!("//{}", at(4007))).replace("//L", &format!("//{}", at(4008)));
    let text = text.replace("//S", &format!("//{}", at(4003))).replace("//W", &format!("//{}", at(4006)));
    let text = text.replace("stun:U", "stun:10.77.0.1:4002").replace("turn:R", "turn:10.77.0.1:4004");
    text.replace("turn:V", "turn:10.77.0.1:4005")
}

/// A site whose page tries everything, towards this host; its own answers say nothing.
async fn site(towards: Option<String>) -> Site {
    let forbidden = format!("127.0.0.1:{TCP}");
    let host = towards.unwrap_or(forbidden);
    Site::start(move |request| match request {
        "GET /" => site::answer(
            "200 OK",
            &told("Content-Type: text/html\r\nLink: <http://T/link-header>; rel=preload; as=image\r\nContent-Security-Policy-Report-Only: img-src 'none'; report-uri http://T/csp-report\r\n", &host),
            format!("<!DOCTYPE html>{}<script>{}</script>", told(MARKUP, &host), told(SCRIPT, &host)).as_bytes(),
        ),
        "GET /redirect" => site::answer("302 Found", &told("Location: http://T/redirected\r\n", &host), b""),
        "GET /service.js" => site::answer(
            "200 OK",
            "Content-Type: text/javascript\r\n",
            told("fetch('http://T/serviceworker', {mode:'no-cors'}).catch(()=>{}); self.addEventListener('install', () => {})", &host).as_bytes(),
        ),
        _ => site::answer("200 OK", "Content-Type: text/plain\r\nAccess-Control-Allow-Origin: *\r\n", b""),
    })
    .await
}

/// Opens the page, clicks on it as a person would, and waits until all that has an end has come to it.
async fn tries(context: &Context, url: &str) -> At {
    let at = context.at(url).await.unwrap();
    for button in ["#popup", "#noopener"] {
        context.click(&at, button).await.unwrap();
    }
    let tried = Instant::now() + Duration::from_secs(60);
    while !context.ask::<bool>(&at, "function() { return document.title === 'tried'; }", &[]).await.unwrap() {
        assert!(Instant::now() < tried, "each has an end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    at
}

/// Waits until all of these have come; what is missing when they do not.
async fn missing(ways: &[&'static str], came: impl Fn() -> BTreeSet<String>) -> Vec<&'static str> {
    let missing = || ways.iter().copied().filter(|way| !came().contains(*way)).collect::<Vec<_>>();
    until(|| missing().is_empty()).await;
    missing()
}

/// Which ways the shell takes when nothing stands in them: all that are listed, less those that it does not know.
fn real(sinks: &Sinks) -> Vec<&'static str> {
    let names = sinks.names;
    let by_port = TCP_WAYS.iter().chain(&UDP_WAYS).map(|(_, way)| *way);
    let all = PATHS.into_iter().chain(MORE_PATHS).chain(by_port).chain(names.then_some(NAMES).into_iter().flatten());
    all.filter(|way| !WHOLE.contains(way) && !UNTAKEN.contains(way) && (sinks.device || !WEBRTC.contains(way)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_is_real_where_the_proxy_has_a_hole() {
    are_real(BrowserSettings::at_a_desk(), &[], "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_every_way_of_the_whole_browser_and_those_that_it_alone_knows() {
    let program = Some("/usr/lib/chromium/chromium".into());
    are_real(BrowserSettings { program, ..BrowserSettings::at_a_desk() }, WHOLE, "ping").await;
}

async fn are_real(settings: BrowserSettings, more: &[&'static str], heeded: &str) {
    let settings = BrowserSettings { bypass: Some(PAST), ..settings };
    let (desk, site) = (Desk::with(settings).await, site(None).await);
    let process = desk.chromium.process().await.unwrap();
    let sinks = Sinks::bind(&process).await;
    let context = desk.context(&[&site]).await;
    let at = tries(&context, &site.url("/")).await;
    let ways = real(&sinks).into_iter().chain(more.iter().copied()).filter(|way| *way != heeded);
    let ways: Vec<&str> = ways.collect();
    assert_eq!(missing(&ways, || sinks.came()).await, [""; 0], "{:#?}", sinks.came());
    // It ends the page, and whatever has not come yet.
    context.click(&at, "#nav").await.unwrap();
    assert_eq!(missing(&["nav"], || sinks.came()).await, [""; 0]);
    assert!(ways.len() >= 36, "{}", ways.len());
    drop((context, process));
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_past_the_proxy() {
    leads_nowhere(BrowserSettings::at_a_desk(), "none").await;
}

/// It heeds `--no-pings`, so that one way is not tried.
#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_past_the_proxy_of_the_whole_browser() {
    let program = Some("/usr/lib/chromium/chromium".into());
    leads_nowhere(BrowserSettings { program, ..BrowserSettings::at_a_desk() }, "ping").await;
}

async fn leads_nowhere(settings: BrowserSettings, heeded: &str) {
    let desk = Desk::with(settings).await;
    let declared = Site::start(|_| site::answer("200 OK", "Access-Control-Allow-Origin: *\r\n", b"")).await;
    let (forbidden, allowed) = (site(None).await, site(Some(declared.address())).await);
    let process = desk.chromium.process().await.unwrap();
    let sinks = Sinks::bind(&process).await;
    let context = desk.context(&[&forbidden, &allowed, &declared]).await;
    let first = tries(&context, &forbidden.url("/")).await;
    // The same again, behind all of that, to where it may go: whatever comes at all has come when this has.
    let second = tries(&context, &allowed.url("/")).await;
    let through: Vec<&str> = PATHS.into_iter().chain(MORE_PATHS).collect();
    let through: Vec<&str> = through.into_iter().filter(|way| !WHOLE.contains(way) && !UNTAKEN.contains(way)).collect();
    let through: Vec<&str> = through.into_iter().filter(|way| !["localhost", "ipv6", heeded].contains(way)).collect();
    let came = || {
        let path = |head: &String| Some(head.split(' ').nth(1)?.trim_start_matches('/').to_owned());
        declared.seen().iter().filter_map(path).collect()
    };
    assert_eq!(missing(&through, came).await, [""; 0], "{:#?}", came());
    for at in [&first, &second] {
        context.click(at, "#nav").await.unwrap();
    }
    assert_eq!(missing(&["nav"], came).await, [""; 0]);
    assert_eq!(sinks.came(), BTreeSet::new());
    assert!(!context.proxy.take_denied().is_empty(), "its proxy was asked, and said no");
    drop((context, process));
    desk.end().await;
}
