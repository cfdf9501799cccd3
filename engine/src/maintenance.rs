//! The maintenance programme: from a run that failed to a report in which there is nobody. A report is made and proved in memory, inside the
//! run's hour; it is kept only if the person agrees.

use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};
use consentry_contract::manifest::SourcePlan;
use consentry_host_api::ports::Observer;
use consentry_host_api::tape::Matching;
use consentry_tape::{Allowed, Draft, Report, Tape};

use crate::collect::Collector;
use crate::collect::package::Package;

/// Makes a run's tape synthetic and tries at once whether the run fails there again.
pub async fn report(
    collector: &Collector,
    package: &Package,
    plan: &SourcePlan,
    tape: &Tape,
    failure: &Failure,
) -> Report {
    let allowed = Allowed::of(package.manifest(), plan);
    let draft = Draft::of(failure, tape, &allowed, package.digest(), env!("CARGO_PKG_VERSION"));
    let replayed = match draft.recording() {
        Some(recording) => collector.replay(package, recording, Matching::Strict, Arc::new(Silent)).await.ok(),
        None => None,
    };
    match &replayed {
        Some(replayed) => draft.proved(Some(replayed.collection.failure()), &replayed.seen, &allowed),
        None => draft.proved(None, tape, &allowed),
    }
}

/// Nobody watches a proof.
struct Silent;

impl Observer for Silent {
    fn step(&self, _: &str) {}
    fn count(&self, _: u32, _: u32) {}
    fn login_submitted(&self) {}
    fn authenticated(&self) {}
    fn log(&self, _: &str, _: &str) {}
    fn refused(&self, _: Code, _: &str) {}
}
