//! One collection from the real Data Source, on the author's machine: the same sandbox, gate and limits as in an engine, and nothing behind
//! it. What is collected goes back to the caller; there is no consent, no store and nobody who receives.

use std::collections::BTreeSet;
use std::sync::Arc;

use consentry_contract::manifest::{FieldKind, PlanError};
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_host_api::Grants;
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::network::TlsSettings;
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::ports::{self, Observer, Prompter};
use consentry_host_api::stop::Stopper;
use consentry_host_api::tape::TapeSink;
use consentry_host_api::vault::{Vault, VaultError};
use jiff::Timestamp;
use jiff::civil::Date;
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{Clock as _, SystemClock};
use crate::collect::compile::Compiler;
use crate::collect::package::Package;
use crate::collect::sandbox::SandboxError;
use crate::collect::ways::Ways;
use crate::collect::{Collection, Collector, Order};
use crate::entropy::Entropy;
use crate::maintenance;

/// The `user-agent` towards Data Sources.
const AGENT: &str = concat!("Consentry/", env!("CARGO_PKG_VERSION"), " (connector author)");
/// Where a redirect comes back to. Nobody listens there: the host never makes that request.
const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// Why there is no collection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The connector does not serve it like this.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A secret can't be kept.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nothing is asked for by that name.
    #[error("the connector asks for no field {0}")]
    Field(String),
}

/// A value that is typed in, by its name.
pub type Typed = (String, Zeroizing<Vec<u8>>);

/// What a collection by hand is given.
pub struct Wish {
    /// The Data Source; the first of the manifest, without one.
    pub source: Option<String>,
    /// Another base address of it.
    pub base: Option<Url>,
    /// What is wanted; everything that the source has, if it is empty.
    pub wanted: BTreeSet<String>,
    /// How far back.
    pub since: Option<Date>,
    /// The login.
    pub fields: Vec<Typed>,
    /// The operator's own secrets.
    pub operator: Vec<Typed>,
    /// BCP 47.
    pub language: String,
}

/// A collector that reaches Data Sources on the author's word: loopback, and `http` to it, among them.
///
/// # Errors
/// When the sandbox, or TLS, can't be set up.
pub fn collector(compiler: Compiler) -> Result<Collector, SandboxError> {
    let tls = TlsSettings::of_this_machine().map_err(|error| SandboxError::Setup(error.into()))?;
    Ok(Collector {
        tls,
        browser: Some(Chromium::new(BrowserSettings::at_a_desk())),
        ways: Ways::new(GateBounds::default(), Arc::new(Now)),
        agent: AGENT.to_owned(),
        ..maintenance::desk(compiler)?
    })
}

/// Collects.
///
/// # Errors
/// [`LiveError`]; how the collection itself ended stands in it.
pub async fn collect(
    collector: &Collector,
    package: &Package,
    wish: Wish,
    prompter: Arc<dyn Prompter>,
    observer: Arc<dyn Observer>,
    tape: Arc<dyn TapeSink>,
) -> Result<Collection, LiveError> {
    let manifest = package.manifest();
    let source = wish.source.as_deref().unwrap_or_else(|| manifest.sources()[0].id.as_str());
    let plan = package.plan(source, wish.base.as_ref())?;
    let wanted = if wish.wanted.is_empty() {
        plan.categories().iter().map(|category| (*category).to_owned()).collect()
    } else {
        wish.wanted
    };
    let entropy = Arc::new(Entropy::system());
    let mut key = Zeroizing::new([0; 32]);
    entropy.with(|rng| rng.fill_bytes(key.as_mut()));
    let mut vault = Vault::new(key)?;
    for (name, value) in wish.fields {
        let field = manifest.fields().iter().find(|field| field.name.as_str() == name);
        match field.ok_or_else(|| LiveError::Field(name.clone()))?.kind {
            FieldKind::Public => vault.put_public(&name, String::from_utf8_lossy(&value).into_owned()),
            _ => vault.put(Leaf::new(LeafKind::Field, &name), value)?,
        }
    }
    for (name, value) in wish.operator {
        vault.put(Leaf::new(LeafKind::Operator, &name), value)?;
    }
    let capabilities = manifest.capabilities().iter().map(|capability| capability.as_str().to_owned()).collect();
    let order = Order {
        vault,
        grants: Grants { capabilities, wanted, since: wish.since, attended: true, synchronised: None },
        package: package.clone(),
        plan,
        language: wish.language,
        callback: (CALLBACK.to_owned(), state(&entropy)),
        prompter,
        observer,
        tape,
        clock: Arc::new(Now),
        random: Box::new(Drawn(entropy)),
        stopper: Stopper::default(),
    };
    Ok(collector.collect(order).await)
}

fn state(entropy: &Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.with(|rng| rng.fill_bytes(&mut bytes));
    hex::encode(bytes)
}

/// The machine's time.
struct Now;

impl ports::Clock for Now {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// The machine's randomness.
struct Drawn(Arc<Entropy>);

impl ports::Random for Drawn {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.with(|rng| rng.fill_bytes(bytes));
    }
}
