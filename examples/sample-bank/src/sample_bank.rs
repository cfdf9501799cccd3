//! A running bank: two listeners, and the same controls in process that the control port has over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bank::{Bank, Received, SeenRequest};
use crate::settings::{Change, Settings};
use crate::state::SiteState;
use crate::{control, site};

/// A bank site and its control port, running until stopped or dropped.
pub struct SampleBank {
    /// Where the site listens: `http://127.0.0.1:18090`.
    pub site_url: String,
    /// Where the control port listens.
    pub control_url: String,
    bank: Arc<Bank>,
    listeners: Vec<JoinHandle<std::io::Result<()>>>,
}

/// The bank could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address can't be listened on: taken, or not of this machine.
    #[error("can't listen on {address}; choose another with --listen or --control")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// Nobody is waiting for an approval in the app.
#[derive(Debug, thiserror::Error)]
#[error("no login waits for an approval: set the state approve-in-app and log in first")]
pub struct NoApprovalAwaited;

impl SampleBank {
    /// Starts with the default settings. Port 0 takes any free port.
    ///
    /// # Errors
    /// When an address can't be listened on.
    pub async fn start(site_address: SocketAddr, control_address: SocketAddr) -> Result<Self, StartError> {
        Self::start_with(site_address, control_address, Settings::default()).await
    }

    /// Starts with these settings, to which a reset returns.
    ///
    /// # Errors
    /// When an address can't be listened on.
    pub async fn start_with(
        site_address: SocketAddr,
        control_address: SocketAddr,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let (site_listener, site_address) = listen(site_address).await?;
        let (control_listener, control_address) = listen(control_address).await?;
        let stopping = CancellationToken::new();
        // The port as a seed: two banks at once never give out the same token.
        let bank = Arc::new(Bank::new(settings, u64::from(site_address.port()), stopping.clone()));
        let listeners = vec![
            serve(site_listener, site::router(bank.clone()), stopping.clone()),
            serve(control_listener, control::router(bank.clone()), stopping),
        ];
        Ok(Self {
            site_url: format!("http://{site_address}"),
            control_url: format!("http://{control_address}"),
            bank,
            listeners,
        })
    }

    /// Stops both listeners and returns once every connection has ended. Waits and endless bodies are cut off.
    pub async fn stop(mut self) {
        self.bank.stopping.cancel();
        for listener in self.listeners.drain(..) {
            // A listener fails only by panicking, and the panic was printed where it happened.
            let _ = listener.await;
        }
    }

    /// Sets the state, and leaves the other settings.
    pub fn set_state(&self, state: SiteState) {
        self.change(Change { state: Some(state), ..Change::default() });
    }

    /// Changes settings; returns what is now set.
    pub fn change(&self, change: Change) -> Settings {
        self.bank.memory().change(change)
    }

    /// What is set.
    pub fn settings(&self) -> Settings {
        self.bank.settings()
    }

    /// The values of the cookies of all sessions that are open, so that a test can look for them elsewhere.
    pub fn cookies(&self) -> Vec<String> {
        self.bank.memory().session_ids()
    }

    /// Returns to the settings of the start, and forgets sessions, codes and requests.
    pub fn reset(&self) {
        self.bank.memory().reset();
    }

    /// The code that was sent last.
    pub fn last_otp(&self) -> Option<String> {
        self.bank.memory().last_otp.clone()
    }

    /// The characters on the last captcha.
    pub fn last_captcha(&self) -> Option<String> {
        self.bank.memory().last_captcha.clone()
    }

    /// What the last login form carried.
    pub fn received(&self) -> Option<Received> {
        self.bank.memory().received.clone()
    }

    /// The requests the site has seen, oldest first, without values; the newest 10,000.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.bank.memory().requests()
    }

    /// Taps *approve* in the bank's app, for every login that waits for it.
    ///
    /// # Errors
    /// When none waits.
    pub fn approve(&self) -> Result<(), NoApprovalAwaited> {
        self.bank.memory().answer_approvals(true)
    }

    /// Taps *refuse* in the bank's app, for every login that waits for it.
    ///
    /// # Errors
    /// When none waits.
    pub fn deny(&self) -> Result<(), NoApprovalAwaited> {
        self.bank.memory().answer_approvals(false)
    }
}

impl Drop for SampleBank {
    fn drop(&mut self) {
        self.bank.stopping.cancel();
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) -> JoinHandle<std::io::Result<()>> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned());
    tokio::spawn(async move { serving.await })
}
