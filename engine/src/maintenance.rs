//! The maintenance programme: from a run that failed to a report in which there is nobody. A report is made and proved in memory, inside the
//! run's hour; it is kept only if the person agrees ([`reports`]). Who gave one may lend their login, too, so that the break can be tried
//! again on the live Data Source ([`lent`]).

pub mod announce;
pub mod failing;
pub mod good;
pub mod lent;
pub mod reports;

use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};
use consentry_contract::limits::Wishes;
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::network::TlsSettings;
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::ports::{self, Observer};
use consentry_host_api::tape::Matching;
use consentry_tape::{Allowed, Draft, Report, Tape};
use jiff::Timestamp;
use rustls::RootCertStore;

use crate::collect::Collector;
use crate::collect::cache::CompiledCache;
use crate::collect::compile::Compiler;
use crate::collect::package::Package;
use crate::collect::sandbox::{Sandbox, SandboxError, SandboxSettings};
use crate::collect::ways::Ways;

/// Makes a run's tape synthetic and tries at once whether the run fails there again. Nothing of the tape is left when this is done; there is
/// no report if the work was lost.
pub async fn report(
    collector: &Collector,
    package: &Package,
    plan: &SourcePlan,
    tape: Tape,
    failure: Failure,
) -> Option<Report> {
    let allowed = Arc::new(Allowed::of(package.manifest(), plan));
    let (known, digest) = (allowed.clone(), package.digest().to_owned());
    // It reads every answer of the run twice.
    let drafted =
        tokio::task::spawn_blocking(move || Draft::of(&failure, &tape, &known, &digest, env!("CARGO_PKG_VERSION")));
    let draft = drafted.await.ok()?;
    let replayed = match draft.recording() {
        Some(recording) => collector.replay(package, recording, Matching::Strict, Arc::new(Silent)).await.ok(),
        None => None,
    };
    Some(draft.proved(replayed.as_ref().map(|replayed| (replayed.collection.failure(), &replayed.seen)), &allowed))
}

/// A collector for recordings alone, on an author's desk: it has no way to a Data Source that anything here would use.
///
/// # Errors
/// When the sandbox can't be set up.
pub fn desk(compiler: Compiler) -> Result<Collector, SandboxError> {
    let settings = SandboxSettings { concurrent_runs: 4, guest_threads: 1 };
    Ok(Collector {
        sandbox: Sandbox::new(&settings)?,
        // Kept nowhere, so that nothing is authenticated by this key.
        compiled: CompiledCache::new(None, &[0; 32], compiler),
        tls: TlsSettings::trusting(RootCertStore::empty()).map_err(|error| SandboxError::Setup(error.into()))?,
        browser: None,
        limits: Wishes::new(),
        development: true,
        ways: Ways::new(GateBounds::default(), Arc::new(Stopped)),
        agent: String::new(),
    })
}

/// Time does not pass where nothing is waited for.
struct Stopped;

impl ports::Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// Nobody watches a proof, or a re-test.
pub(crate) struct Silent;

impl Observer for Silent {
    fn step(&self, _: &str) {}
    fn count(&self, _: u32, _: u32) {}
    fn login_submitted(&self) {}
    fn authenticated(&self) {}
    fn log(&self, _: &str, _: &str) {}
    fn refused(&self, _: Code, _: &str) {}
}
