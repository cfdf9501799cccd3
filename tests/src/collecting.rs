//! One collection by a real connector in the real sandbox, without the engine around it: the shortest way to ask what a connector makes
//! of a Data Source's state.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use consentry::collect::cache::CompiledCache;
use consentry::collect::compile::Compiler;
use consentry::collect::package::Package;
use consentry::collect::sandbox::{Sandbox, SandboxSettings};
use consentry::collect::signature::{Trust, TrustedKey};
use consentry::collect::ways::Ways;
use consentry::collect::{Collection, Collector, Order};
use consentry_contract::failure::{Code, Failure, Quality};
use consentry_contract::limits::Wishes;
use consentry_contract::manifest::{FieldKind, Manifest};
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_host_api::Grants;
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::network::TlsSettings;
use consentry_host_api::network::gate::GateBounds;
use consentry_host_api::ports::{Answer, Asked, Clock, Observer, Prompter, Question, Random};
use consentry_host_api::stop::Stopper;
use consentry_host_api::tape::{NoTape, TapeSink};
use consentry_host_api::vault::Vault;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

/// Where every run here is called back. Nobody listens there: the host never makes that request.
pub const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// Where `cargo xtask connectors` puts them.
pub fn connector_path(name: &str) -> PathBuf {
    let (folder, file) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/connectors"), format!("{name}.wasm"));
    let guest = folder.join("tests").join(&file);
    if guest.exists() { guest } else { folder.join(file) }
}

/// A built connector.
///
/// # Errors
/// When it was not built: run `cargo xtask connectors`.
pub fn connector(name: &str) -> anyhow::Result<Package> {
    let path = connector_path(name);
    Package::open(&path, &trust()?)
        .with_context(|| format!("the connector {name} is not built; run `cargo xtask connectors`"))
}

/// Trust in the key that `cargo xtask connectors` signs with.
///
/// # Errors
/// When nothing was built yet.
pub fn trust() -> anyhow::Result<Trust> {
    let path = connector_path("developer").with_extension("pub");
    let text = std::fs::read_to_string(path).context("no connector is built; run `cargo xtask connectors`")?;
    Ok(Trust::keys(vec![TrustedKey::parse("developer", &text)?]))
}

/// A collector that may reach loopback, for the whole test binary.
///
/// # Errors
/// When the sandbox can't be set up.
pub fn collector() -> anyhow::Result<Collector> {
    collector_of(64)
}

/// The same, for so many collections at once.
///
/// # Errors
/// When the sandbox can't be set up.
pub fn collector_of(concurrent_runs: u32) -> anyhow::Result<Collector> {
    let settings = SandboxSettings { concurrent_runs, ..SandboxSettings::default() };
    let sandbox = Sandbox::new(&settings)?;
    let browser = Chromium::new(BrowserSettings::at_a_desk());
    Ok(Collector {
        browser: Some(browser),
        sandbox,
        compiled: CompiledCache::new(None, &[7; 32], Compiler::in_process()),
        tls: TlsSettings::of_this_machine()?,
        limits: Wishes::new(),
        development: true,
        ways: Ways::new(GateBounds::default(), Arc::new(Now)),
        agent: "Consentry-tests/0.1".to_owned(),
    })
}

/// What the person does when asked: given the kind of question, names and values, or nothing to let it expire.
pub type Reply = Arc<dyn Fn(&Question) -> Reaction + Send + Sync>;

/// How a person reacts to a question.
#[derive(Clone)]
pub enum Reaction {
    /// Answers with these parts.
    Answer(Vec<(String, String)>),
    /// Says no.
    Deny,
    /// Does nothing until the question expires.
    Expire,
    /// Is still thinking when the run goes on: the question stays open.
    Wait,
    /// Answers later, through what is sent here.
    Later(mpsc::UnboundedSender<oneshot::Sender<Answer>>),
}

/// One collection to come.
pub struct Collecting {
    package: Package,
    source: String,
    base: Option<String>,
    fields: Vec<(String, String)>,
    operator: Vec<(String, String)>,
    wanted: Option<BTreeSet<String>>,
    reply: Reply,
    attended: bool,
    since: Option<Date>,
    tape: Arc<dyn TapeSink>,
    stopper: Stopper,
    /// What the observer saw.
    pub seen: Arc<Seen>,
}

impl Collecting {
    /// By this connector, from its first Data Source.
    ///
    /// # Errors
    /// When the connector was not built.
    pub fn with(name: &str) -> anyhow::Result<Self> {
        Ok(Self::by(connector(name)?))
    }

    /// By this connector, from its first Data Source.
    pub fn by(package: Package) -> Self {
        let source = package.manifest().sources()[0].id.as_str().to_owned();
        Self {
            package,
            source,
            base: None,
            fields: Vec::new(),
            operator: Vec::new(),
            wanted: None,
            reply: Arc::new(|_| Reaction::Expire),
            attended: true,
            since: None,
            tape: Arc::new(NoTape),
            stopper: Stopper::default(),
            seen: Arc::default(),
        }
    }

    /// From this Data Source of the connector.
    pub fn from_source(mut self, id: &str) -> Self {
        id.clone_into(&mut self.source);
        self
    }

    /// The Data Source stands here.
    pub fn at(mut self, base: &str) -> Self {
        self.base = Some(base.to_owned());
        self
    }

    /// The person types this.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The operator has this secret towards the source.
    pub fn operator(mut self, name: &str, value: &str) -> Self {
        self.operator.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only these categories are consented to.
    pub fn wanting(mut self, categories: &[&str]) -> Self {
        self.wanted = Some(categories.iter().map(|category| (*category).to_owned()).collect());
        self
    }

    /// The person answers prompts like this.
    pub fn answering(mut self, reply: impl Fn(&Question) -> Reaction + Send + Sync + 'static) -> Self {
        self.reply = Arc::new(reply);
        self
    }

    /// Nothing older is consented to.
    pub fn since(mut self, day: Date) -> Self {
        self.since = Some(day);
        self
    }

    /// Nobody is there.
    pub fn unattended(mut self) -> Self {
        self.attended = false;
        self
    }

    /// What passes between host and connector goes on this tape.
    pub fn taping(mut self, tape: Arc<dyn TapeSink>) -> Self {
        self.tape = tape;
        self
    }

    /// Ends the run from outside.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs it.
    ///
    /// # Errors
    /// When the source is unknown or a secret can't be sealed.
    pub async fn collect(self, collector: &Collector) -> anyhow::Result<Collection> {
        Ok(collector.collect(self.order()?).await)
    }

    /// What is to be run.
    ///
    /// # Errors
    /// When the source is unknown or a secret can't be sealed.
    pub fn order(self) -> anyhow::Result<Order> {
        let manifest = self.package.manifest().clone();
        let base = self.base.as_deref().map(str::parse).transpose()?;
        let plan = self.package.plan(&self.source, base.as_ref())?;
        let wanted =
            self.wanted.clone().unwrap_or_else(|| plan.categories().iter().map(|name| (*name).to_owned()).collect());
        let capabilities = manifest.capabilities().iter().map(|capability| capability.as_str().to_owned()).collect();
        Ok(Order {
            vault: self.vault(&manifest)?,
            grants: Grants { capabilities, wanted, since: self.since, attended: self.attended, synchronised: None },
            package: self.package,
            plan,
            language: "fr".to_owned(),
            callback: (CALLBACK.to_owned(), "state-of-this-run".to_owned()),
            prompter: Arc::new(Person { reply: self.reply }),
            observer: self.seen,
            tape: self.tape,
            clock: Arc::new(Now),
            random: Box::new(Counting(0)),
            stopper: self.stopper,
        })
    }

    fn vault(&self, manifest: &Manifest) -> anyhow::Result<Vault> {
        let mut vault = Vault::new(Zeroizing::new([9; 32]))?;
        for (name, value) in &self.fields {
            let field = manifest.fields().iter().find(|field| field.name.as_str() == name).context("no such field")?;
            match field.kind {
                FieldKind::Public => vault.put_public(name, value.clone()),
                _ => vault.put(Leaf::new(LeafKind::Field, name), Zeroizing::new(value.clone().into_bytes()))?,
            }
        }
        for (name, value) in &self.operator {
            vault.put(Leaf::new(LeafKind::Operator, name), Zeroizing::new(value.clone().into_bytes()))?;
        }
        Ok(vault)
    }
}

/// A person who reacts as the test says.
struct Person {
    reply: Reply,
}

impl Prompter for Person {
    fn ask(&self, question: Question) -> Result<Asked, Code> {
        let (send, answer) = oneshot::channel();
        let mut shown: Box<dyn Send + Sync> = Box::new(());
        match (self.reply)(&question) {
            Reaction::Answer(parts) => {
                let parts = parts.into_iter().map(|(name, value)| (name, Zeroizing::new(value.into_bytes())));
                // The run may have ended meanwhile.
                let _ = send.send(Answer::Given(parts.collect::<Vec<_>>().into()));
            }
            Reaction::Deny => drop(send.send(Answer::Denied)),
            Reaction::Expire => drop(send.send(Answer::Expired)),
            // Nobody may want to answer any more.
            Reaction::Later(take) => drop(take.send(send)),
            Reaction::Wait => shown = Box::new(Mutex::new(Some(send))),
        }
        Ok(Asked { answer, shown })
    }
}

/// What an observer of a run hears.
#[derive(Default)]
pub struct Seen {
    /// Steps, in order.
    pub steps: Mutex<Vec<String>>,
    /// Lines for the author.
    pub lines: Mutex<Vec<String>>,
    /// Whether the login went out.
    pub submitted: Mutex<bool>,
    /// How many were before it whenever it had to wait.
    pub waited: Mutex<Vec<u32>>,
}

impl Observer for Seen {
    fn step(&self, id: &str) {
        lock(&self.steps).push(id.to_owned());
    }
    fn count(&self, _: u32, _: u32) {}
    fn waits(&self, ahead: u32) {
        lock(&self.waited).push(ahead);
    }
    fn login_submitted(&self) {
        *lock(&self.submitted) = true;
    }
    fn authenticated(&self) {
        lock(&self.steps).push("(authenticated)".to_owned());
    }
    fn log(&self, level: &str, text: &str) {
        lock(&self.lines).push(format!("{level}: {text}"));
    }
}

/// A lock that a failed test can't poison for the next.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The real time.
pub struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the sites under test stamp their answers with the real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct Counting(u8);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(17);
            *byte = self.0;
        }
    }
}

/// A collection in one line, for tables of expectations: `ok`, `partial(code)`, or the failure's code with page and limit.
pub fn told(collection: &Collection) -> String {
    match &collection.result {
        Ok(gathered) => {
            let datasets = gathered.datasets.iter().map(|dataset| {
                let quality = match &dataset.quality {
                    Quality::Complete => dataset.count.to_string(),
                    Quality::Partial(code) => format!("{}!{code}", dataset.count),
                    Quality::EmptyConfirmed(page) => format!("empty@{}", page.as_str()),
                };
                format!("{}={quality}", dataset.category)
            });
            datasets.collect::<Vec<_>>().join(" ")
        }
        Err(failure) => failed(failure),
    }
}

/// As [`told`], and why something is missing where something was brought.
pub fn told_whole(collection: &Collection) -> String {
    let shortfall = collection.result.as_ref().ok().and_then(|gathered| gathered.shortfall.as_ref());
    let why = shortfall.map(|shortfall| format!(" because {}", failed(shortfall)));
    told(collection) + &why.unwrap_or_default()
}

fn failed(failure: &Failure) -> String {
    let page = failure.page.as_ref().map(|page| format!(" @{}", page.as_str()));
    let limit = failure.limit.as_ref().map(|limit| format!(" limit={}", limit.as_str()));
    let missing = failure.missing.as_ref().map(|missing| format!(" missing={}", missing.as_str()));
    format!("{}{}{}{}", failure.code, page.unwrap_or_default(), missing.unwrap_or_default(), limit.unwrap_or_default())
}
