//! A connector run against a tape: in the same sandbox, under the same limits, with nothing of the outside. The secrets are known by name
//! only, so that there is nothing that could be sent anywhere; and there is nowhere to send it.

use std::sync::Arc;

use consentry_contract::failure::{Code, Failure};
use consentry_contract::limits::Limits;
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_host_api::Grants;
use consentry_host_api::egress::Egress;
use consentry_host_api::ports::Observer;
use consentry_host_api::stop::Stopper;
use consentry_host_api::tape::{Divergence, Matching, Replay};
use consentry_host_api::vault::Vault;
use consentry_tape::{Allowed, Inputs, Tape};
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::package::Package;
use super::{Collection, Collector, Order};

/// Why a tape can't be played with a connector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is of another connector, or of a source that this version does not serve.
    #[error("the recording does not fit this connector: {0}")]
    Foreign(String),
    /// The connector can't be run at all.
    #[error("the connector can't be run: {0}")]
    Connector(Failure),
}

/// What a replay came to.
#[derive(Debug)]
pub struct Replayed {
    /// As of any run. Its items are made of what is on the tape.
    pub collection: Collection,
    /// What the run had from outside this time.
    pub seen: Tape,
    /// The first request that the tape has no answer to; the run ended there.
    pub divergence: Option<Divergence>,
    /// How many requests were answered when the connector said that the login worked.
    pub authenticated: Option<usize>,
    /// Requests on the tape that were not asked for.
    pub left: usize,
}

impl Collector {
    /// Runs a connector against a tape. What watches it hears its log.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn replay(
        &self,
        package: &Package,
        tape: &Tape,
        matching: Matching,
        observer: Arc<dyn Observer>,
    ) -> Result<Replayed, ReplayError> {
        let foreign = |reason: String| ReplayError::Foreign(reason);
        let inputs = &tape.inputs;
        if package.manifest().id().as_str() != inputs.connector {
            return Err(foreign(format!("it is of the connector `{}`", inputs.connector)));
        }
        let base = Some(inputs.base.as_str()).filter(|base| !base.is_empty()).map(str::parse).transpose();
        let base = base.map_err(|_| foreign("its base is no URL".to_owned()))?;
        let plan = package.plan(&inputs.source, base.as_ref()).map_err(|error| foreign(error.to_string()))?;
        let allowed = Allowed::of(package.manifest(), &plan);
        let naming = Arc::new(move |url: &str| allowed.named(url));
        let player = Replay::new(tape, matching, naming, plan.logout().map(|(_, url)| url));
        let prepared = match self.compiled.ready(package) {
            Some(ready) => ready,
            None => tokio::task::block_in_place(|| self.prepare(package)).map_err(ReplayError::Connector)?,
        };
        let limits = Limits::new(&self.limits, package.manifest().limits());
        // Addresses are checked as they were; nothing is connected to.
        let egress = Egress::new(plan.origins(), true);
        let order = Order {
            vault: vault(inputs).map_err(|()| ReplayError::Connector(Failure::new(Code::PlatformFailed)))?,
            grants: grants(package, inputs),
            package: package.clone(),
            plan,
            language: inputs.language.clone(),
            callback: (inputs.callback.clone(), inputs.state.clone()),
            prompter: player.clone(),
            observer,
            tape: player.clone(),
            clock: player.clone(),
            random: player.random(),
            stopper: Stopper::default(),
        };
        let hops = TaskTracker::new();
        let home = self.sandbox.home();
        let (ctx, wall) =
            self.context_by(order, limits, egress, (player.clone(), None, Some(player.clone())), hops.clone(), &home);
        let collection = self.run(&prepared, ctx, wall, hops, home).await;
        let (authenticated, divergence) = (player.authenticated(), player.divergence());
        Ok(Replayed { collection, seen: player.seen(), authenticated, divergence, left: player.left() })
    }
}

/// What a run is given, as its tape says it.
pub(super) fn inputs(order: &Order) -> Inputs {
    let manifest = order.package.manifest();
    let (secrets, public) = order.vault.names();
    Inputs {
        connector: manifest.id().to_string(),
        version: manifest.version().to_string(),
        source: order.plan.id().to_string(),
        base: order.plan.base().to_owned(),
        wanted: order.grants.wanted.clone(),
        since: order.grants.since,
        attended: order.grants.attended,
        language: order.language.clone(),
        callback: order.callback.0.clone(),
        state: order.callback.1.clone(),
        secrets: secrets.map(|leaf| (leaf.kind.as_str().to_owned(), leaf.name.to_string())).collect(),
        public: public.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        began_ms: order.clock.now().as_millisecond(),
    }
}

fn grants(package: &Package, inputs: &Inputs) -> Grants {
    let capabilities = package.manifest().capabilities().iter();
    Grants {
        capabilities: capabilities.map(|capability| capability.as_str().to_owned()).collect(),
        wanted: inputs.wanted.clone(),
        since: inputs.since,
        attended: inputs.attended,
        synchronised: None,
    }
}

fn vault(inputs: &Inputs) -> Result<Vault, ()> {
    let mut vault = Vault::standing_in().map_err(drop)?;
    for (kind, name) in &inputs.secrets {
        if let Some(kind) = LeafKind::ALL.iter().find(|known| known.as_str() == kind) {
            vault.put(Leaf::new(*kind, name), Zeroizing::new(b"stand-in".to_vec())).map_err(drop)?;
        }
    }
    inputs.public.iter().for_each(|(name, value)| vault.put_public(name, value.clone()));
    Ok(vault)
}
