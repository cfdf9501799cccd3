//! Connections for a browser, which speaks HTTP and TLS to a Data Source by itself: name, addresses, route, gate and the count of what
//! arrives are the same as for requests of ours.

use std::sync::Arc;

use consentry_contract::limits::LimitName;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::dial::{Allowance, Dial, DialError};
use super::gate::Gate;
use super::{LiveNetwork, NetworkError};

/// The way out of one run, for a browser.
#[derive(Clone)]
pub struct Tunnels {
    dial: Dial,
    gate: Arc<Gate>,
    sent_bytes_max: u64,
}

impl std::fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tunnels")
    }
}

impl LiveNetwork {
    /// The same way out for a browser, through the gate of the Data Source; so many bytes may be sent by it.
    pub fn tunnels(&self, gate: Arc<Gate>, sent_bytes_max: u64) -> Tunnels {
        let sends = Allowance::new(sent_bytes_max);
        Tunnels { dial: Dial { sends, ..self.dial.clone() }, gate, sent_bytes_max }
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

    /// The limit that is reached, if one is: all has arrived that may arrive for this run, or all was sent that pages may send.
    pub(crate) fn used_up(&self) -> Option<LimitName> {
        let reached = [(&self.dial.allowance, LimitName::BytesIn), (&self.dial.sends, LimitName::BytesOut)];
        reached.into_iter().find(|(bytes, _)| bytes.is_used_up()).map(|(_, limit)| limit)
    }

    /// Bytes that were sent, as they are on the wire.
    pub(crate) fn sent(&self) -> u64 {
        self.sent_bytes_max.saturating_sub(self.dial.sends.left())
    }
}
