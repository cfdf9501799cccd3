//! Connections for a browser, which speaks HTTP and TLS to a Data Source by itself: name, addresses, route, gate and the count of what
//! arrives are the same as for requests of ours.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::dial::{Dial, DialError};
use super::gate::Gate;
use super::{LiveNetwork, NetworkError};

/// The way out of one run, for a browser.
#[derive(Clone)]
pub struct Tunnels {
    dial: Dial,
    gate: Arc<Gate>,
}

impl std::fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tunnels")
    }
}

impl LiveNetwork {
    /// The same way out for a browser, through the gate of the Data Source.
    pub fn tunnels(&self, gate: Arc<Gate>) -> Tunnels {
        Tunnels { dial: self.dial.clone(), gate }
    }
}

impl Tunnels {
    /// Connects to a checked address of a URL's host.
    ///
    /// # Errors
    /// As a request would.
    pub(crate) async fn connect(
        &self,
        url: &Url,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, NetworkError> {
        let uri = url.as_str().parse().map_err(|_| NetworkError::Unreachable("the URL can't be asked for"))?;
        let connected = self.gate.connect(async {
            self.dial.connect(&uri).await.map(TokioIo::into_inner).map_err(|error| match error {
                DialError::Egress(error) => NetworkError::Egress(error),
                DialError::Proxy => NetworkError::Proxy,
                DialError::Unresolved => NetworkError::Unreachable("the name has no address"),
                DialError::Unreachable => NetworkError::Unreachable("no connection"),
            })
        });
        connected.await
    }

    /// Whether all has arrived that may arrive for this run.
    pub(crate) fn is_used_up(&self) -> bool {
        self.dial.allowance.is_used_up()
    }
}
