//! Whatever a page may try to get past its proxy: dozens of ways, each towards listeners that nobody may reach, in the network that the browser
//! stands in. Counted is what arrives; the same page without a proxy shows that the ways are real.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// Where the listeners are: a network of its own has every port free.
const TCP: u16 = 4001;
const UDP: u16 = 4002;
/// What a browser passes its proxy by for, so that it can be seen that the ways are real.
const PAST: &str = "<-loopback>;127.0.0.1:4001;localhost:4001;[::1]:4001;*.leak.test";

/// Listeners in the browser's network, and what reached them.
struct Sinks {
    came: Arc<Mutex<BTreeSet<String>>>,
}

impl Sinks {
    /// Binds TCP and UDP listeners, and a name server at the address that this machine asks.
    async fn bind(process: &Process) -> Self {
        let came: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let (tcp, v6, udp, names) = process
            .ground
            .run(|| {
                let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, TCP))?;
                let v6 = TcpListener::bind(("::1", TCP)).ok();
                let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, UDP))?;
                if let Some(server) = name_server() {
                    add_address(server)?;
                }
                let names = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53))?;
                Ok((tcp, v6, udp, names))
            })
            .await
            .unwrap();
        for listener in [Some(tcp), v6].into_iter().flatten() {
            let came = came.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let Ok(mut stream) = stream else { return };
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                    let mut said = [0; 200];
                    let read = stream.read(&mut said).unwrap_or_default();
                    let said = String::from_utf8_lossy(&said[..read]);
                    came.lock().unwrap().insert(format!("tcp {}", said.lines().next().unwrap_or_default()));
                }
            });
        }
        for (socket, what) in [(udp, "udp"), (names, "name")] {
            let came = came.clone();
            std::thread::spawn(move || {
                let mut said = [0; 512];
                while let Ok((read, _)) = socket.recv_from(&mut said) {
                    let text: String = said[..read]
                        .iter()
                        .filter(|byte| byte.is_ascii_alphanumeric())
                        .map(|byte| char::from(*byte))
                        .collect();
                    let text = if what == "name" { text } else { String::new() };
                    came.lock().unwrap().insert(format!("{what} {text}"));
                }
            });
        }
        Self { came }
    }

    fn came(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.came.lock().unwrap())
    }
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

/// What stands in the page's head and body, each towards `T` (TCP) or `U` (UDP), by address or by a name of its own.
const MARKUP: &str = "<link rel=dns-prefetch href=//w1.leak.test><link rel=preconnect href=http://T>
<link rel=prefetch href=http://T/prefetch><link rel=preload as=script href=http://T/preload>
<link rel=modulepreload href=http://T/modulepreload><link rel=stylesheet href=http://T/style>
<link rel=icon href=http://T/icon><link rel=manifest href=http://T/manifest><link rel=prerender href=http://T/prerender>
<style>@import url(http://T/import); @font-face { font-family: f; src: url(http://T/font) }
body { font-family: f; background: url(http://T/background) }</style>
<script type=speculationrules>{\"prefetch\":[{\"source\":\"list\",\"urls\":[\"http://T/speculation\"]}]}</script>
<script src=http://T/script></script><img src=http://T/img><img src=http://localhost:P/localhost><img src=http://[::1]:P/v6>
<img srcset=http://T/srcset><iframe src=http://T/iframe></iframe><object data=http://T/object></object><embed src=http://T/embed>
<video src=http://T/video></video><video><source src=http://T/x><track default src=http://T/track></video><audio src=http://T/audio autoplay></audio>
<iframe srcdoc='<meta http-equiv=refresh content=\"0;url=http://T/refresh\">'></iframe><img src=/redirect>
<a id=ping ping=http://T/ping href=#here>.</a><iframe name=target></iframe>
<form id=form method=post target=target action=http://T/form></form><svg><image href=http://T/svg /></svg><input type=image src=http://T/input>";
const SCRIPT: &str = "const [T, U] = ['T', 'U'];
const safe = each => { try { const made = each(); made?.catch?.(() => {}); } catch {} };
[
  () => fetch('http://T/fetch', { mode: 'no-cors' }),
  () => fetch('http://w2.leak.test/named', { mode: 'no-cors' }),
  () => fetch('https://T/tls', { mode: 'no-cors' }),
  () => fetch('http://T/keepalive', { mode: 'no-cors', keepalive: true, method: 'POST', body: 'x' }),
  () => { const asked = new XMLHttpRequest(); asked.open('GET', 'http://T/xhr'); asked.send(); },
  () => new WebSocket('ws://T/socket'), () => new WebSocket('ws://w3.leak.test/socket'),
  () => new EventSource('http://T/events'), () => navigator.sendBeacon('http://T/beacon', 'x'),
  () => import('http://T/module'),
  () => new Worker(URL.createObjectURL(new Blob([`fetch('http://T/worker', {mode:'no-cors'}).catch(()=>{}); new WebSocket('ws://T/workersocket')`]))),
  () => new SharedWorker(URL.createObjectURL(new Blob([`fetch('http://T/shared', {mode:'no-cors'})`]))),
  () => navigator.serviceWorker.register('/service.js'),
  () => window.open('http://T/popup'), () => window.open('http://T/noopener', '', 'noopener'),
  () => { document.querySelector('#ping').click(); }, () => { document.querySelector('#form').submit(); },
  () => new WebTransport('https://T/transport').ready, () => new WebTransport('https://w4.leak.test/').ready,
  () => {
      const peer = new RTCPeerConnection({ iceServers: [
          { urls: 'stun:U' }, { urls: 'stun:w5.leak.test' },
          { urls: 'turn:T?transport=tcp', username: 'a', credential: 'b' },
          { urls: 'turn:U?transport=udp', username: 'a', credential: 'b' } ] });
      peer.createDataChannel('x');
      return peer.createOffer().then(offer => peer.setLocalDescription(offer));
  },
  () => { const hint = document.createElement('link'); hint.rel = 'dns-prefetch'; hint.href = '//w6.leak.test'; document.head.append(hint); },
  () => { const hint = document.createElement('link'); hint.rel = 'preconnect'; hint.href = 'https://w7.leak.test'; document.head.append(hint); },
].forEach(safe);
document.title = 'tried';";

async fn site() -> Site {
    let told = |text: &str| {
        let (tcp, udp) = (format!("127.0.0.1:{TCP}"), format!("127.0.0.1:{UDP}"));
        let text = text.replace("//T", &format!("//{tcp}")).replace("turn:T", &format!("turn:{tcp}"));
        text.replace(":U", &format!(":{udp}")).replace(":P/", &format!(":{TCP}/"))
    };
    Site::start(move |request| match request {
        "GET /" => site::answer(
            "200 OK",
            &told("Content-Type: text/html\r\nLink: <http://T/link>; rel=preload; as=image\r\nContent-Security-Policy-Report-Only: img-src 'none'; report-uri http://T/report\r\n"),
            format!("<!DOCTYPE html>{}<script>{}</script>", told(MARKUP), told(SCRIPT)).as_bytes(),
        ),
        "GET /redirect" => site::answer("302 Found", &told("Location: http://T/redirected\r\n"), b""),
        "GET /service.js" => site::answer(
            "200 OK",
            "Content-Type: text/javascript\r\n",
            told("fetch('http://T/service', {mode:'no-cors'}).catch(()=>{}); self.addEventListener('install', () => {})").as_bytes(),
        ),
        _ => site::missing(),
    })
    .await
}

/// Opens the page, clicks on it as a person would, and lets it try for a while.
async fn tries(context: &Context, url: &str) {
    let at = context.at(url).await.unwrap();
    assert!(context.ask::<bool>(&at, "function() { return document.title === 'tried'; }", &[]).await.unwrap());
    let _ = context.key(&at, "Tab").await;
    // What is tried late is tried within moments.
    tokio::time::sleep(Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_past_the_proxy() {
    if !nix::unistd::geteuid().is_root() {
        // The listeners need a network of the test's own.
        return;
    }
    let site = site().await;
    for (bypass, past) in [(None, false), (Some(PAST), true)] {
        let desk = Desk::with(BrowserSettings { bypass, ..BrowserSettings::default() }).await;
        let process = desk.chromium.process().await.unwrap();
        let sinks = Sinks::bind(&process).await;
        let context = desk.context(&[&site]).await;
        tries(&context, &site.url("/")).await;
        let came = sinks.came();
        let of = |what: &str| came.iter().filter(|came| came.starts_with(what)).count();
        if past {
            assert!(of("tcp") >= 30 && of("name") >= 3, "{came:#?}");
        } else {
            assert!(came.is_empty(), "{came:#?}");
            assert!(!context.proxy.take_denied().is_empty(), "its proxy was asked, and said no");
        }
        drop((context, process));
        desk.end().await;
    }
}
