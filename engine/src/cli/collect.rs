//! `consentry collect`: one flow from this terminal, told as the person lives it. It does nothing that the API does not: it
//! is a door like the others, with the person's browser and the Online Service in one place.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use consentry_contract::failure::{Blame, Code, EXIT_PARTIAL, Text};
use consentry_host_api::browser::BrowserSettings;
use serde_json::json;
use url::Url;

use super::harden::refuse_swap;
use super::interrupt::Interrupt;
use super::receive::{LocalReceiver, PURPOSE, Unwritable};
use super::terminal::{FromFile, Given, Terminal};
use super::{serve, setup};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::consent::notice::{Language, Operator};
use crate::data::Category;
use crate::engine::Engine;
use crate::engine::catalogue::{Folder, Offer};
use crate::entropy::Entropy;
use crate::id::OnlineServiceId;
use crate::online_service::OnlineService;
use crate::processing::Processing;
use crate::session::state::State;

mod flow;
mod show;
mod words;

use flow::{Ended, Flow};

/// What a script goes by.
pub(super) const EXIT_CODES: &str = "\
Exit codes, which stay as they are:
   0  everything asked for was delivered
   1  an error of the command itself; receipts of a login that was used are printed all the same
   2  wrong usage
   3  delivered, but not all that was asked for
  10  it is the person's turn: a wrong login, no answer, a no
  20  the Data Source's: down, in maintenance, blocking
  30  the connector's: a page has changed, it crashed
  40  the platform's: the engine, or whoever operates it
  50  the recipient's: nobody acknowledged the parcel, or the file can't be written
 130  ended at once by a second Ctrl-C; the first takes back what is under way";

/// Collects once, from this terminal.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The folder of connectors; with --config its own is the default.
    #[arg(long, value_name = "FOLDER", required_unless_present = "config")]
    connectors: Option<PathBuf>,
    /// A public key whose signatures on connectors are accepted. May be repeated.
    #[arg(long = "trust", value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Runs connectors that nobody known has signed; needs --development.
    #[arg(long, requires = "development")]
    unsigned: bool,
    /// The connector, by id.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// The Data Source, by id.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Another base address of the Data Source; needs --development.
    #[arg(long, value_name = "URL", requires = "development")]
    base: Option<Url>,
    /// Allows http and loopback towards Data Sources.
    #[arg(long)]
    development: bool,
    /// What to collect; everything that the source has, without it. May be repeated.
    #[arg(long = "category", value_name = "NAME")]
    categories: Vec<Category>,
    /// How far back, in days.
    #[arg(long, value_name = "DAYS")]
    history_days: Option<u16>,
    /// Delivers to this file: in clear, or sealed with --seal-to.
    #[arg(long, value_name = "FILE", required_unless_present = "online_service", conflicts_with = "online_service")]
    out: Option<PathBuf>,
    /// Seals what is delivered to the file to this public key (JWK, RSA-4096).
    #[arg(long, value_name = "FILE", requires = "out")]
    seal_to: Option<PathBuf>,
    /// The configuration of a node. Its store, keys and Online Services are used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Delivers to this registered Online Service, which fetches by the API.
    #[arg(long, value_name = "ID", requires = "config", requires = "purpose")]
    online_service: Option<OnlineServiceId>,
    /// The registered purpose.
    #[arg(long, value_name = "ID")]
    purpose: Option<String>,
    /// A login field. Others on this machine can see it: for tests. May be repeated.
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<Given>,
    /// A login field or an answer, from a file: all of it but one line end. May be repeated.
    #[arg(long = "field-file", value_name = "NAME=FILE")]
    field_files: Vec<FromFile>,
    /// One of the operator's own secrets towards the Data Source, from a file; needs --connector and --source. May be repeated.
    #[arg(long = "operator-file", value_name = "NAME=FILE", requires = "connector", requires = "source")]
    operator_files: Vec<FromFile>,
    /// An answer to a question, used once. May be repeated.
    #[arg(long = "answer", value_name = "NAME=VALUE")]
    answers: Vec<Given>,
    /// Leaves out a category in the preview. May be repeated.
    #[arg(long = "without", value_name = "NAME")]
    without: Vec<Category>,
    /// Says yes to the notice and to sharing what the preview shows.
    #[arg(long)]
    yes: bool,
    /// Writes one JSON object to standard output in the end, and nothing else.
    #[arg(long)]
    json: bool,
    /// The language that the person reads.
    #[arg(long, value_enum, default_value = "en")]
    language: Speech,
}

impl Options {
    /// A text in the language of the person.
    fn say(&self, text: &Text) -> &'static str {
        match self.language.into() {
            Language::En => text.en,
            Language::Fr => text.fr,
        }
    }
}

/// A language of the notice.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Speech {
    /// English.
    En,
    /// French.
    Fr,
}

impl From<Speech> for Language {
    fn from(speech: Speech) -> Self {
        match speech {
            Speech::En => Self::En,
            Speech::Fr => Self::Fr,
        }
    }
}

/// Who receives.
enum Receiver {
    Local(Box<LocalReceiver>),
    /// Fetches by the API, which is served meanwhile.
    Registered(Arc<OnlineService>, std::net::SocketAddr),
}

pub(super) async fn run(options: Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let ended = match collect(&options).await {
        Ok(ended) => ended,
        Err(error) => {
            // Whoever reads JSON gets JSON, whatever happens.
            if options.json {
                writeln!(out, "{}", json!({ "error": format!("{error:#}") }))?;
            }
            return if error.is::<Unwritable>() { Ok(by_failure(&error, Code::DeliveryFailed)) } else { Err(error) };
        }
    };
    show::end(&ended, &options, out)?;
    match (ended.error, ended.session.state()) {
        (None, state) => Ok(exit_code(&state)),
        (Some(error), State::Failed { code }) => Ok(by_failure(&error, code)),
        (Some(error), _) => Err(error),
    }
}

/// Tells an error that has a name in the table of failures, and ends as that says.
fn by_failure(error: &anyhow::Error, code: Code) -> ExitCode {
    eprintln!("consentry: {error:#}");
    ExitCode::from(code.exit_code())
}

async fn collect(options: &Options) -> anyhow::Result<Ended> {
    let interrupt = Interrupt::listen()?;
    let given: Vec<Given> = options.fields.iter().chain(&options.answers).cloned().collect();
    let unattended = options.json;
    let terminal = Terminal::new(&given, &options.field_files, unattended, options.language.into(), interrupt.clone())?;
    let Prepared { engine, receiver, refused } = prepare(options).await?;
    let sweeper = tokio::spawn(serve::sweep(engine.clone()));
    let served = match &receiver {
        Receiver::Registered(_, listen) => Some(serve_api(&engine, *listen).await?),
        Receiver::Local(_) => None,
    };
    let flow = Flow { engine: engine.clone(), options, terminal, receiver, refused, interrupt };
    let told = flow.run().await;
    if let Some(served) = served {
        served.abort();
    }
    sweeper.abort();
    // What was taken back ends before its receipt is shown.
    engine.shut_down().await;
    let mut ended = told?;
    // Nobody else writes the log of a command that is over.
    engine.write_log().await;
    ended.receipts = engine.receipt_files(&ended.session).await?;
    Ok(ended)
}

/// What a flow needs.
struct Prepared {
    engine: Arc<Engine>,
    receiver: Receiver,
    /// Why files of the folder are not served.
    refused: Vec<String>,
}

/// An engine of its own without a configuration: in memory, with keys that die with it.
async fn prepare(options: &Options) -> anyhow::Result<Prepared> {
    let entropy = Arc::new(Entropy::system());
    let now = SystemClock.now();
    let config = options.config.as_deref().map(Config::read).transpose()?;
    // Without a node's configuration these are the person's own data, at their own desk.
    refuse_swap(config.as_ref().is_none_or(|config| config.engine.development))?;
    let mut builder = match &config {
        Some(config) => setup::with_keys(config)?,
        None => {
            let [name, contact] = [&words::COMPUTER, &words::PERSON].map(|text| options.say(text).to_owned());
            let operator = Operator { name, contact, in_memory: true, processing: Processing::default() };
            setup::builder().operator(operator).browser(BrowserSettings::at_a_desk())
        }
    };
    let folder = folder(options, config.as_ref())?;
    setup::readable(&folder.path)?;
    let (catalogue, refused) = setup::catalogue(&folder);
    builder = builder.catalogue(catalogue);
    if options.development {
        builder = builder.development(true);
    }
    if let Some(base) = &options.base {
        let (Some(connector), Some(source)) = (&options.connector, &options.source) else {
            bail!("--base needs --connector and --source");
        };
        builder = builder.base(connector, source, base.clone());
    }
    if let (Some(connector), Some(source)) = (&options.connector, &options.source) {
        for file in &options.operator_files {
            builder = builder.secret(connector, source, &file.name, file.read()?);
        }
    }
    if let Some(out) = &options.out {
        let terminal = [&words::TERMINAL, &words::PERSON].map(|text| options.say(text));
        let local = LocalReceiver::new(out, options.seal_to.as_deref(), terminal, entropy, now)?;
        let engine = builder.online_service(local.service.clone()).build().await?;
        return Ok(Prepared { engine, receiver: Receiver::Local(Box::new(local)), refused });
    }
    let engine = builder.build().await?;
    let service = options.online_service.and_then(|id| engine.online_service(id));
    let service = service.ok_or_else(|| anyhow!("the configuration registers no such Online Service"))?;
    let listen = config.map(|config| config.api.listen).context("--config")?;
    Ok(Prepared { engine, receiver: Receiver::Registered(service, listen), refused })
}

/// Where connectors come from, and whose. Without a configuration, whoever sits at the terminal answers for the folder.
fn folder(options: &Options, config: Option<&Config>) -> anyhow::Result<Folder> {
    let given = super::connector::trust(&options.trust)?;
    let mut folder = match config {
        Some(config) if options.trust.is_empty() => config.connectors()?,
        Some(config) => Folder { trust: given, ..config.connectors()? },
        None => Folder::of(options.connectors.as_deref().context("--connectors or --config")?, given),
    };
    if let Some(path) = &options.connectors {
        folder.path.clone_from(path);
    }
    if options.unsigned {
        eprintln!("consentry: warning: unsigned connectors are run; nobody answers for what they do");
        folder.trust = folder.trust.or_unsigned();
    }
    Ok(folder)
}

async fn serve_api(engine: &Arc<Engine>, listen: std::net::SocketAddr) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    if !listen.ip().is_loopback() {
        bail!("{listen}: plain HTTP is served to this machine only; `consentry serve` has TLS");
    }
    let listener =
        tokio::net::TcpListener::bind(listen).await.with_context(|| format!("{listen} can't be listened on"))?;
    Ok(tokio::spawn(crate::api::serve(listener, engine.clone(), std::future::pending())))
}

impl Receiver {
    fn service(&self) -> &OnlineService {
        match self {
            Self::Local(local) => &local.service,
            Self::Registered(service, _) => service,
        }
    }
}

/// The request that the flags describe.
fn request(options: &Options, service: &OnlineService) -> anyhow::Result<String> {
    let purpose = options.purpose.as_deref().unwrap_or(PURPOSE);
    let registered = service.purpose(purpose).ok_or_else(|| anyhow!("there is no purpose {purpose:?}"))?;
    let all = || registered.categories.keys().map(|category| category.name()).collect();
    let some = || options.categories.iter().map(|category| category.name()).collect();
    let categories: Vec<&str> = if options.categories.is_empty() { all() } else { some() };
    if let Some(unasked) = options.without.iter().find(|category| !categories.contains(&category.name())) {
        bail!("--without {unasked}: it is not among what is asked for");
    }
    let mut request = json!({ "purpose": purpose, "categories": categories });
    if let Some(days) = options.history_days {
        request["history_days"] = days.into();
    }
    Ok(request.to_string())
}

/// The Data Source that the flags name, or that the person chooses.
fn pick(options: &Options, offers: Vec<Offer>, refused: &[String], terminal: &Terminal) -> anyhow::Result<Offer> {
    let fits = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
    let mut left: Vec<Offer> = offers
        .into_iter()
        .filter(|offer| fits(&options.connector, &offer.connector) && fits(&options.source, &offer.source))
        .collect();
    if left.is_empty() {
        let why: String = refused.iter().map(|why| format!("; {why}")).collect();
        bail!(
            "no connector of the folder serves such a source with what is asked for; see `consentry connector list`{why}"
        );
    }
    let names: Vec<String> =
        left.iter().map(|offer| format!("{} ({}, {})", offer.name, offer.country, offer.kind)).collect();
    let at = terminal.choose(options.say(&words::WHICH), &names)?;
    let offer = left.swap_remove(at);
    let asks = |given: &&Given| offer.fields.iter().all(|field| field.name != given.name);
    if let Some(unknown) = options.fields.iter().find(asks) {
        let asked: Vec<&str> = offer.fields.iter().map(|field| field.name.as_str()).collect();
        bail!("--field {}: the login of {} asks for {}", unknown.name, offer.name, asked.join(", "));
    }
    Ok(offer)
}

fn exit_code(state: &State) -> ExitCode {
    ExitCode::from(match state {
        State::Completed => 0,
        State::Partial => EXIT_PARTIAL,
        State::Failed { code } => code.exit_code(),
        // The person's word or time: theirs in either case.
        State::Withdrawn | State::Expired => Blame::Person.exit_code(),
        _ => 1,
    })
}
