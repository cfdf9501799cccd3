//! The live network against sites that were written to harm it: plain TCP on this machine, which says whatever bytes a test wants.

mod answers;
mod identity;
mod kept;
mod slow;
mod ways;

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use consentry_contract::manifest::Origin;
use http::HeaderMap;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::egress::{Egress, Resolver};

/// Most bytes that a body may have here.
const BODY_MAX: u64 = 100_000;

/// A site, and who called.
struct Site {
    address: SocketAddr,
    peers: Arc<Mutex<Vec<IpAddr>>>,
}

impl Site {
    /// One that does this with its first connection, its second, and so on.
    async fn doing<F>(act: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, peers) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<IpAddr>>>::default());
        let seen = peers.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, peer) = listener.accept().await.unwrap();
                seen.lock().unwrap().push(peer.ip());
                // The one who is harmed hangs up: that is what is tested, and no failure of the site's.
                tokio::spawn(act(number, stream));
            }
        });
        Self { address, peers }
    }

    /// One that reads a request, says these bytes, and hangs up.
    async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::doing(move |_, stream| {
            let bytes = bytes.clone();
            async move {
                let mut stream = request_of(stream).await?;
                stream.write_all(&bytes).await?;
                stream.shutdown().await
            }
        })
        .await
    }

    fn url(&self) -> Url {
        format!("http://{}/", self.address).parse().unwrap()
    }

    fn connections(&self) -> usize {
        self.peers.lock().unwrap().len()
    }
}

/// Reads the head of a request; the connection is what is left.
async fn request_of<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> std::io::Result<BufReader<S>> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    Ok(stream)
}

/// Answers a name with these addresses, the first time, the second time, and so on; the last ones from then on.
struct Names(Vec<Vec<IpAddr>>, AtomicUsize);

impl Names {
    fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(answers.iter().map(addresses).collect(), AtomicUsize::new(0)))
    }

    fn asked(&self) -> usize {
        self.1.load(SeqCst)
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let number = self.1.fetch_add(1, SeqCst);
        Ok(self.0[number.min(self.0.len() - 1)].clone())
    }
}

fn hasty() -> Patience {
    Patience {
        head: Duration::from_millis(600),
        idle: Duration::from_millis(400),
        whole: Duration::from_secs(20),
        grace: Duration::from_millis(300),
        bytes_per_second: 20_000,
    }
}

fn patient() -> Way {
    Way { patience: Patience { grace: Duration::from_secs(20), ..Patience::default() }, ..Way::default() }
}

fn no_roots() -> TlsSettings {
    TlsSettings::trusting(RootCertStore::empty()).unwrap()
}

/// A network that may reach this origin, on this machine.
fn towards(url: &Url, way: Way) -> LiveNetwork {
    let egress = Egress::new(&[Origin::of(url).unwrap()], true);
    LiveNetwork::by(way, &egress, &no_roots(), "tests").unwrap()
}

fn asking(url: &Url) -> Outgoing {
    Outgoing {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: None,
        body_bytes_max: BODY_MAX,
        repeatable: true,
        identity: None,
    }
}

/// What comes of one request, in a word.
async fn told(network: &LiveNetwork, request: Outgoing) -> String {
    match network.fetch(request).await {
        Ok(incoming) => format!("{} {}", incoming.status.as_u16(), String::from_utf8_lossy(&incoming.body)),
        Err(error) => error.to_string(),
    }
}
