//! How a connection is made: the name looked up, every address checked, one of them connected to, directly or through the operator's proxy.
//! A proxy is told the checked address and never a name, and TLS goes through it to the Data Source. What arrives is counted, packed and
//! framed as it is, so that nothing that a source sends is free.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tower_service::Service;

use super::route::{Proxy, ProxyKind, Route};
use crate::egress::{Egress, EgressError, Resolver};

/// Longest wait for a name's addresses, and for a connection to one of them.
const STEP: Duration = Duration::from_secs(5);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why there is no connection. Names no address: a name may stand for the person's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialError {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("the name has no address")]
    Unresolved,
    #[error("no connection to any address of the name")]
    Unreachable,
    #[error("no connection through the operator's proxy")]
    Proxy,
}

/// Makes connections for one run.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) egress: Egress,
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) route: Arc<Route>,
    /// What may still arrive.
    pub(super) allowance: Allowance,
    /// What may still be sent, where nobody counts it before.
    pub(super) sends: Allowance,
}

/// What may still come or go, in bytes, on all connections of a run together.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.left() == 0
    }

    pub(super) fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) {
        // Never fails: the closure always answers.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
    }
}

impl Dial {
    pub(super) async fn connect(&self, uri: &Uri) -> Result<TokioIo<Wire>, DialError> {
        let tls = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let found = match host.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => match tokio::time::timeout(STEP, self.resolver.resolve(host)).await {
                Ok(Ok(found)) if !found.is_empty() => found,
                _ => return Err(DialError::Unresolved),
            },
        };
        // An answer that mixes public and other addresses is used as far as it is public.
        let mut admitted = found.into_iter().filter(|address| self.egress.admits(tls, *address)).peekable();
        if admitted.peek().is_none() {
            return Err(EgressError::Address { host: host.to_owned() }.into());
        }
        let mut failed = DialError::Unreachable;
        for address in admitted.take(ADDRESSES_MAX) {
            match self.open(SocketAddr::new(address, port)).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn open(&self, to: SocketAddr) -> Result<TokioIo<Wire>, DialError> {
        let Route { proxy, source } = &*self.route;
        let Some(proxy) = proxy else {
            let first = self.first(Hop::Address(to), *source);
            let made = tokio::time::timeout(STEP, first.connect()).await;
            return made.ok().and_then(Result::ok).ok_or(DialError::Unreachable);
        };
        let first = self.first(Hop::Named(proxy.host.clone()), *source);
        let made = tokio::time::timeout(STEP, through(proxy, first, to)).await;
        made.ok().flatten().ok_or(DialError::Proxy)
    }
}

impl Dial {
    fn first(&self, to: Hop, source: Option<IpAddr>) -> Tcp {
        Tcp { to, source, allowance: self.allowance.clone(), sends: self.sends.clone() }
    }
}

/// A tunnel through the proxy to this address.
async fn through(proxy: &Proxy, first: Tcp, to: SocketAddr) -> Option<TokioIo<Wire>> {
    let target = Uri::builder().scheme("https").authority(to.to_string()).path_and_query("/").build().ok()?;
    // Neither asks where the proxy is: `first` knows.
    let nowhere = Uri::from_static("http://proxy");
    match proxy.kind {
        ProxyKind::Http => {
            let mut tunnel = Tunnel::new(nowhere, first);
            if let Some(login) = &proxy.login {
                tunnel = tunnel.with_auth(HeaderValue::from_str(&login.basic()).ok()?);
            }
            tunnel.call(target).await.ok()
        }
        ProxyKind::Socks5 => {
            let mut tunnel = SocksV5::new(nowhere, first);
            if let Some(login) = &proxy.login {
                tunnel = tunnel.with_auth(login.name.clone(), login.password.to_string());
            }
            tunnel.call(target).await.ok()
        }
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Wire>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move { dial.connect(&uri).await })
    }
}

#[derive(Clone)]
enum Hop {
    /// A checked address of a Data Source.
    Address(SocketAddr),
    /// The operator's proxy, by `host:port`; the operator may have it anywhere.
    Named(String),
}

/// The first hop, wherever a tunnel goes from there.
#[derive(Clone)]
struct Tcp {
    to: Hop,
    source: Option<IpAddr>,
    allowance: Allowance,
    sends: Allowance,
}

impl Tcp {
    async fn connect(self) -> std::io::Result<TokioIo<Wire>> {
        let stream = match &self.to {
            Hop::Address(to) => self.reach(*to).await?,
            Hop::Named(host) => {
                let mut last = std::io::ErrorKind::NotFound.into();
                let mut found = None;
                for to in tokio::net::lookup_host(host).await? {
                    match self.reach(to).await {
                        Ok(stream) => {
                            found = Some(stream);
                            break;
                        }
                        Err(error) => last = error,
                    }
                }
                found.ok_or(last)?
            }
        };
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(Wire { stream, allowance: self.allowance, sends: self.sends, answered: Answered::default() }))
    }

    async fn reach(&self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(to).await
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<Wire>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// Whether an answer came over this connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered(Arc<AtomicBool>);

impl Answered {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection whose bytes are counted.
pub(super) struct Wire {
    stream: TcpStream,
    allowance: Allowance,
    sends: Allowance,
    answered: Answered,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.answered.clone())
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.allowance.is_used_up() {
            return Poll::Ready(Err(std::io::Error::other("the run has received all that it may")));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(ctx, into))?;
        self.allowance.take((into.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl Wire {
    /// Counts what was written of what may be.
    fn wrote(&self, written: std::io::Result<usize>) -> Poll<std::io::Result<usize>> {
        if let Ok(bytes) = &written {
            self.sends.take(*bytes as u64);
        }
        Poll::Ready(written)
    }

    fn may_write(&self) -> std::io::Result<()> {
        if self.sends.is_used_up() {
            return Err(std::io::Error::other("the run has sent all that it may"));
        }
        Ok(())
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.may_write()?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(ctx, bytes));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.may_write()?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(ctx, parts));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}
