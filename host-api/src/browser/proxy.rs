//! The one way out of a collection's pages: a proxy that listens for them alone and asks of every connection what is asked of a request of
//! ours. The browser speaks TLS through it, so it sees names and ports, and nothing of what is said.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consentry_contract::limits::LimitName;
use consentry_contract::manifest::Origin;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::BrowserError;
use super::ground::Ground;
use crate::egress::{Egress, EgressError};
use crate::network::{NetworkError, Tunnels};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest wait for it: a browser opens connections ahead of need.
const HEAD: Duration = Duration::from_secs(60);
/// How long after a page was left it may not be known yet.
const LEAVES: Duration = Duration::from_millis(500);
/// Connections of one collection at once.
const CONNECTIONS_MAX: usize = 128;
/// So many different refusals are remembered.
const DENIED_MAX: usize = 20;
const REFUSED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const FAILED: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CONNECTED: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// Where a proxy will listen: what a browser connects to there waits, and nobody answers.
pub(super) struct Door {
    address: SocketAddr,
    listener: TcpListener,
}

/// What the pages of one collection reach, and how often they may ask.
pub(super) struct Reach {
    pub(super) egress: Egress,
    pub(super) tunnels: Tunnels,
    /// Connections, each at least one request.
    pub(super) connections_max: u64,
}

/// The proxy of one collection; it ends with its value.
pub(super) struct Proxy {
    rules: Arc<Rules>,
    _serves: AbortOnDropHandle<()>,
}

struct Rules {
    reach: Reach,
    /// Connections that were asked for.
    connections: AtomicU64,
    /// Where connections may go while a secret stands on a page; everywhere that is declared without.
    narrow: watch::Sender<Option<Vec<Origin>>>,
    /// Connections under way, so that they can be cut.
    open: Mutex<HashMap<u64, (Url, CancellationToken)>>,
    next: AtomicU64,
    seen: Mutex<Seen>,
}

/// What the run has to know of what pages tried.
#[derive(Default)]
struct Seen {
    denied: BTreeSet<String>,
    failed: Option<NetworkError>,
}

impl Door {
    /// Binds where the browser can reach it. Call it inside the runtime that serves sockets.
    pub(super) async fn open(ground: &Ground) -> Result<Self, BrowserError> {
        let listener = ground.listen().await.map_err(BrowserError::Start)?;
        let address = listener.local_addr().map_err(BrowserError::Start)?;
        let listener = TcpListener::from_std(listener).map_err(BrowserError::Start)?;
        Ok(Self { address, listener })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it serves this collection.
    pub(super) fn serve(self, reach: Reach) -> Proxy {
        let rules = Arc::new(Rules {
            reach,
            connections: AtomicU64::new(0),
            narrow: watch::Sender::new(None),
            open: Mutex::default(),
            next: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        let serves = AbortOnDropHandle::new(tokio::spawn(serve(self.listener, rules.clone())));
        Proxy { rules, _serves: serves }
    }
}

impl Proxy {
    /// From now on only these origins, or every declared one again. What is open to others is cut.
    pub(super) fn narrow(&self, to: Option<Vec<Origin>>) {
        if let Some(origins) = &to {
            let open = lock(&self.rules.open);
            open.values().filter(|(url, _)| !reaches(origins, url)).for_each(|(_, cut)| cut.cancel());
        }
        self.rules.narrow.send_replace(to);
    }

    /// What pages were not given since this was asked last, as lines for the author.
    pub(super) fn take_denied(&self) -> BTreeSet<String> {
        std::mem::take(&mut lock(&self.rules.seen).denied)
    }

    /// The last connection that could not be made.
    pub(super) fn take_failed(&self) -> Option<NetworkError> {
        lock(&self.rules.seen).failed.take()
    }

    /// Which bound on bytes pages have reached: nothing more goes or comes then.
    pub(super) fn used_up(&self) -> Option<LimitName> {
        self.rules.reach.tunnels.used_up()
    }

    /// Bytes that pages have sent.
    pub(super) fn sent(&self) -> u64 {
        self.rules.reach.tunnels.sent()
    }

    /// Connections that pages have asked for, the refused ones too.
    pub(super) fn connections(&self) -> u64 {
        self.rules.connections.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether one of the origins is at this host and port; a tunnel does not tell what is spoken in it.
fn reaches(origins: &[Origin], url: &Url) -> bool {
    let same = |scheme: &str| {
        let mut url = url.clone();
        let port = url.port_or_known_default();
        url.set_scheme(scheme).is_ok()
            && url.set_port(port).is_ok()
            && origins.iter().any(|origin| origin.contains(&url))
    };
    same("https") || same("http")
}

async fn serve(listener: TcpListener, rules: Arc<Rules>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let (Ok((stream, _)), Ok(place)) = (accepted, places.clone().try_acquire_owned()) else { continue };
                let rules = rules.clone();
                connections.spawn(async move {
                    // Whichever side breaks it off: the page sees it.
                    let _ = rules.connection(stream).await;
                    drop(place);
                });
            }
        }
    }
}

/// What a browser asks of its proxy.
enum Asked {
    /// A tunnel to a host.
    Tunnel(String),
    /// One request without TLS: where to, and its head as it goes on.
    Plain(Url, Vec<u8>),
}

impl Rules {
    async fn connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Ok(Ok((head, rest))) = tokio::time::timeout(HEAD, read_head(&mut stream)).await else { return Ok(()) };
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.reach.connections_max {
            return stream.write_all(REFUSED).await;
        }
        let (asked, head) = match parse(&head) {
            Some(Asked::Tunnel(authority)) => (self.tunnel(&authority), None),
            Some(Asked::Plain(url, head)) => (self.reach.egress.check(&url).map(|()| url), Some(head)),
            None => return stream.write_all(REFUSED).await,
        };
        let url = match asked {
            Ok(url) => self.not_narrow(url).await,
            Err(error) => Err(error),
        };
        let url = match url {
            Ok(url) => url,
            Err(error) => {
                self.deny(&error);
                return stream.write_all(REFUSED).await;
            }
        };
        let (id, cut) = (self.next.fetch_add(1, Ordering::Relaxed), CancellationToken::new());
        lock(&self.open).insert(id, (url.clone(), cut.clone()));
        let _closed = Closed(self, id);
        let mut source = match self.reach.tunnels.connect(&url).await {
            Ok(source) => source,
            Err(error) => {
                lock(&self.seen).failed = Some(error);
                return stream.write_all(FAILED).await;
            }
        };
        match &head {
            Some(head) => source.write_all(head).await?,
            None => stream.write_all(CONNECTED).await?,
        }
        source.write_all(&rest).await?;
        tokio::select! {
            () = cut.cancelled() => Ok(()),
            copied = tokio::io::copy_bidirectional(&mut stream, &mut source) => copied.map(drop),
        }
    }

    /// What is spoken in a tunnel is TLS, but for web sockets without it in development.
    fn tunnel(&self, authority: &str) -> Result<Url, EgressError> {
        let parsed = |scheme: &str| Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| EgressError::NoHost);
        let (tls, plain) = (parsed("https")?, parsed("http")?);
        self.reach.egress.check(&tls).map(|()| tls).or_else(|error| match self.reach.egress.check(&plain) {
            Ok(()) => Ok(plain),
            Err(_) => Err(error),
        })
    }

    /// A page that has just replaced the one with the secret may ask a moment before we hear of it.
    async fn not_narrow(&self, url: Url) -> Result<Url, EgressError> {
        let mut narrow = self.narrow.subscribe();
        let open = narrow.wait_for(|origins| origins.as_ref().is_none_or(|origins| reaches(origins, &url)));
        match tokio::time::timeout(LEAVES, open).await {
            Ok(Ok(_)) => Ok(url),
            _ => Err(EgressError::Narrow { origin: url.origin().ascii_serialization() }),
        }
    }

    fn deny(&self, error: &EgressError) {
        let mut seen = lock(&self.seen);
        if seen.denied.len() < DENIED_MAX {
            seen.denied.insert(format!("the page asked for more: {error}"));
        }
    }
}

/// Takes a connection off the list.
struct Closed<'r>(&'r Rules, u64);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        lock(&self.0.open).remove(&self.1);
    }
}

/// The head of a request, and what came behind it.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let mut read = Vec::with_capacity(2048);
    loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok((read, rest));
        }
        if read.len() > HEAD_BYTES_MAX || stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

fn parse(head: &[u8]) -> Option<Asked> {
    let head = std::str::from_utf8(head).ok()?;
    let (line, fields) = head.split_once("\r\n")?;
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || version != "HTTP/1.1" {
        return None;
    }
    if method == "CONNECT" {
        return Some(Asked::Tunnel(target.to_owned()));
    }
    let url = Url::parse(target).ok().filter(|url| url.scheme() == "http")?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    // One request for each connection: the next may be for another host.
    let mut sent = format!("{method} {path} HTTP/1.1\r\n");
    for field in fields.split_terminator("\r\n").filter(|field| !field.is_empty()) {
        let name = field.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if name != "connection" && !name.starts_with("proxy-") {
            sent.push_str(field);
            sent.push_str("\r\n");
        }
    }
    sent.push_str("Connection: close\r\n\r\n");
    Some(Asked::Plain(url, sent.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_asks_for_is_read_in_one_way() {
        let plain = |head: &str| match parse(head.as_bytes()) {
            Some(Asked::Plain(url, head)) => Some((url.to_string(), String::from_utf8(head).unwrap())),
            _ => None,
        };
        let (url, head) = plain(
            "GET http://127.0.0.1:8080/a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nProxy-Connection: keep-alive\r\n\r\n",
        )
        .unwrap();
        assert_eq!(url, "http://127.0.0.1:8080/a?b");
        assert_eq!(head, "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n");
        assert!(
            matches!(parse(b"CONNECT bank.example:443 HTTP/1.1\r\n\r\n"), Some(Asked::Tunnel(to)) if to == "bank.example:443")
        );
        for broken in
            ["GET / HTTP/1.1\r\n\r\n", "GET https://a/ HTTP/1.1\r\n\r\n", "GET  http://a/ HTTP/1.1\r\n\r\n", "x"]
        {
            assert!(parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    #[test]
    fn an_origin_is_reached_by_host_and_port() {
        let origins = ["https://bank.example", "http://127.0.0.1:8080"].map(|text| Origin::parse(text).unwrap());
        for (url, expected) in [
            ("https://bank.example/", true),
            ("http://127.0.0.1:8080/", true),
            ("https://127.0.0.1:8080/", true),
            ("https://bank.example:8443/", false),
            ("https://evil.example/", false),
        ] {
            assert_eq!(reaches(&origins, &Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
