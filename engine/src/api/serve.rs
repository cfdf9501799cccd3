//! Connections: how many there are at once, how long a head may take, and how they end.
//!
//! Whoever connects and says nothing, or half of something, takes a place for a while and no longer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::tls::{OverTls, Tls};
use super::{Shared, router};

/// Most connections at once; the next ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 1024;
/// Longest wait for the head of a request, the first as well as a later one.
const HEAD: Duration = Duration::from_secs(10);
/// Longest wait for the other side to take more of an answer.
const TAKE: Duration = Duration::from_secs(30);
/// Longest wait, once told to stop, for requests under way.
const GRACE: Duration = Duration::from_secs(10);
/// Wait after a connection could not be taken: most often too many files are open.
const PAUSE: Duration = Duration::from_millis(500);

/// A connection on which who takes nothing is let go.
type Bounded = Pin<Box<TimeoutStream<TcpStream>>>;

fn bounded(stream: TcpStream) -> Bounded {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKE));
    Box::pin(stream)
}

/// Serves the API over TLS until `stop` resolves; the rest is as [`serve`] has it.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Arc<Tls>,
    engine: Shared,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    serve_by(listener, Some(tls), engine, stop).await;
}

/// Serves the API over plain HTTP, for this machine, until `stop` resolves. Then collections and streams of events end, requests under way have ten seconds, and
/// what is left is cut off. A connection that can't be taken is logged, and taking the next one is tried.
pub async fn serve(listener: TcpListener, engine: Shared, stop: impl Future<Output = ()> + Send + 'static) {
    serve_by(listener, None, engine, stop).await;
}

async fn serve_by(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    engine: Shared,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let (app, closing) = (router(engine.clone()), CancellationToken::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accept = async { (places.clone().acquire_owned().await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = accept => next,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (app, closing) = (app.clone().layer(Extension(ConnectInfo(peer))), closing.clone());
                let tls = tls.clone();
                let stream = bounded(stream);
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, app, closing).await,
                        Some(tls) => secured(stream, &tls, app, closing).await,
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    engine.begin_stop();
    closing.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("connections that did not end were cut off");
    }
}

/// A connection over TLS: a component is known by its certificate, others show none. Who does not shake hands in time is let go.
async fn secured(stream: Bounded, tls: &Arc<Tls>, app: axum::Router, closing: CancellationToken) {
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(HEAD, tls.accept(stream)) => accepted,
        () = closing.cancelled() => return,
    };
    match accepted {
        Ok(Ok((stream, component))) => connection(stream, app.layer(Extension(OverTls(component))), closing).await,
        Ok(Err(error)) => tracing::debug!(%error, "no handshake"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: axum::Router,
    closing: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(connection);
    // How a connection ends is the other side's affair; what was answered has its line already.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_of_an_answer_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = bounded(listener.accept().await.unwrap().0);
        // Far more than the buffers of both sides take.
        let ended = stream.write_all(&vec![0; 256 * 1024 * 1024]).await;
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }
}
