//! `consentry serve --sandbox`: a node with a bank of made-up people and one registered Online Service, so that an integrator can try
//! everything on one machine. What fails is chosen by the password of a login.

mod half;
mod logins;

use std::fs::DirBuilder;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use url::{Host, Url};

use half::{EndsAtOnce, Half};

use super::stand_in::bank::{Bank, Customer};
use super::stand_in::{Member, Node, take, write_private};
use super::{keys, setup};
use crate::collect::package::Package;
use crate::collect::signature::{Trust, unsigned};
use crate::config::Config;
use crate::entropy::Entropy;

/// Where the node listens by default. Its bank's site and control port are the next two.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8700));
/// Where `online-service` takes events.
const EVENTS: &str = "http://127.0.0.1:18092/consentry/events";
/// The code that the bank sends after every login that asks for one.
const CODE: &str = "123456";
/// How late pages are in the state `slow`, in milliseconds.
const SLOW_MS: u32 = 500;

/// A sandbox.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Options {
    /// Serves a sandbox: a bank of made-up people, one registered Online Service, everything on this machine.
    #[arg(long, conflicts_with = "config")]
    sandbox: bool,
    /// Where the sandbox is kept; made on first use.
    #[arg(long, value_name = "DIR", default_value = "consentry-sandbox", requires = "sandbox")]
    folder: PathBuf,
    /// The sandbox's bank: the program `sample-bank`, by default the one beside this program.
    #[arg(long, value_name = "PROGRAM", requires = "sandbox")]
    bank: Option<PathBuf>,
    /// The connector of that bank, by default `sample-bank.wasm` beside this program, or in the folder `connectors` beside its folder. Taken on first use.
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    connector: Option<PathBuf>,
    /// Where the sandbox's events go: an address on loopback, `http://127.0.0.1:18092/consentry/events` by default. Taken on first use.
    #[arg(long, value_name = "URL", requires = "sandbox")]
    events: Option<Url>,
    /// Where the sandbox listens, `127.0.0.1:8700` by default. The bank's site and control port are the next two. Taken on first use.
    #[arg(long, value_name = "ADDRESS", requires = "sandbox")]
    listen: Option<SocketAddr>,
}

/// A sandbox whose bank runs. Dropping it ends the bank.
pub(super) struct Sandbox {
    pub(super) config: PathBuf,
    folder: PathBuf,
    read: Config,
    bank: Bank,
    /// None when it was made before. For whoever takes over the signals to end.
    pub(super) ends: Option<EndsAtOnce>,
}

impl Options {
    /// The sandbox, if one is wanted: made on first use, its bank started.
    pub(super) fn open(&self, out: &mut dyn Write) -> anyhow::Result<Option<Sandbox>> {
        if !self.sandbox {
            return Ok(None);
        }
        let config = self.folder.join("consentry.toml");
        let ends = if config.exists() { None } else { Some(self.make(&config, out)?) };
        let read = Config::read(&config)?;
        stays_here(&read).with_context(|| format!("{} is no sandbox's", config.display()))?;
        self.is_as_made(&read)?;
        let folder = self.folder.canonicalize()?;
        let program = match &self.bank {
            Some(program) => program.clone(),
            None => beside(&["sample-bank"]).context("there is no `sample-bank` beside this program: say --bank")?,
        };
        let site = site(&read)?;
        let mut control = site;
        control.set_port(site.port().checked_add(1).context("there is no port after the bank's")?);
        let bank =
            Bank::start(&program, [site, control]).with_context(|| format!("the bank on {site} and {control}"))?;
        bank.change(&json!({ "otp": CODE, "slow_ms": SLOW_MS }))?;
        Ok(Some(Sandbox { config, folder, read, bank, ends }))
    }

    /// Makes the folder whole or not at all. Of two starts at the same time one makes it, and both have it.
    fn make(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<EndsAtOnce> {
        let ends = EndsAtOnce::listen()?;
        let told = || format!("no sandbox could be made in {}", self.folder.display());
        let half =
            if self.folder.exists() { None } else { Half::begin(&self.folder, &ends, out).with_context(told)? };
        if let Some(half) = half {
            writeln!(out, "consentry: making a sandbox in {}; its keys take a while", self.folder.display())?;
            out.flush()?;
            self.make_in(half.path()).and_then(|()| Ok(half.finish(&self.folder)?)).with_context(told)?;
        } else if !config.exists() {
            bail!("{} exists and is no sandbox: say another --folder", self.folder.display());
        }
        Ok(ends)
    }

    fn make_in(&self, part: &Path) -> anyhow::Result<()> {
        DirBuilder::new().mode(0o700).create(part.join("connectors"))?;
        let connector = match &self.connector {
            Some(path) => path.clone(),
            None => beside(&["sample-bank.wasm", "../connectors/sample-bank.wasm"])
                .context("there is no `sample-bank.wasm` beside this program: say --connector")?,
        };
        let connector = take(&part.join("connectors"), &connector)?.manifest().clone();
        let member = Member::new("the sandbox")?;
        member.write(part)?;
        write_private(&part.join("service.key.der"), &member.key.danger_to_pkcs8())?;
        write_private(&part.join("signer.key.der"), &member.signer.danger_to_pkcs8())?;
        write_private(&part.join("passphrase"), keys::bearer(&Entropy::system()).as_bytes())?;
        let listen = self.listen.unwrap_or(LISTEN);
        let mut site = listen;
        site.set_port(listen.port().checked_add(1).context("--listen: there is no port after it")?);
        let node = Node {
            name: "sandbox",
            title: "Consentry sandbox",
            why: ["to try the sandbox, with made-up data.", "pour essayer le bac à sable, avec des données fictives."],
            listen,
            public: &format!("http://{listen}"),
            events: self.events.as_ref().map_or(EVENTS, Url::as_str),
            bearer: None,
            site,
            member: &member,
            connectors: &[connector],
        };
        let path = part.join("consentry.toml");
        write_private(&path, node.to_string().as_bytes())?;
        let config = Config::read(&path)?;
        stays_here(&config)?;
        setup::make_keys(&config).map(drop)
    }

    /// Refuses what another start has decided otherwise.
    fn is_as_made(&self, config: &Config) -> anyhow::Result<()> {
        let told = |what: &str| {
            format!(
                "--{what}: this sandbox has another in its consentry.toml: change it there, or say another --folder"
            )
        };
        if self.listen.is_some_and(|listen| listen != config.api.listen) {
            bail!(told("listen"));
        }
        let events = config.online_service.first().and_then(|service| service.events.as_ref());
        if self.events.is_some() && self.events.as_ref() != events {
            bail!(told("events"));
        }
        Ok(())
    }
}

/// Refuses a configuration that could reach anybody's real data: nothing of a sandbox leaves this machine.
fn stays_here(config: &Config) -> anyhow::Result<()> {
    if !config.engine.development || !config.api.listen.ip().is_loopback() {
        bail!("a sandbox is in development and listens on loopback only");
    }
    for source in &config.source {
        let here = source.base.as_ref().is_some_and(on_loopback) && source.proxy.is_none();
        if !here {
            bail!(
                "source {}: a sandbox's sources are on loopback: set `base` to an address of this machine",
                source.id
            );
        }
    }
    for service in &config.online_service {
        if !service.events.iter().all(on_loopback) {
            bail!("online-service {}: a sandbox tells events on loopback only", service.id);
        }
    }
    for entry in std::fs::read_dir(&config.connectors.folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let package = Package::read(unsigned(&std::fs::read(&path)?).to_vec(), &Trust::keys(vec![]).or_unsigned())?;
        let manifest = package.manifest();
        for source in manifest.sources() {
            let named = |section: &&crate::config::SourceSection| {
                section.connector == manifest.id().as_str() && section.id == source.id.as_str()
            };
            if config.source.iter().find(named).is_none() {
                bail!("{}: source {} has no [[source]] with a `base` on loopback", path.display(), source.id);
            }
        }
    }
    Ok(())
}

fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

/// Where the bank stands.
fn site(config: &Config) -> anyhow::Result<SocketAddr> {
    let base =
        config.source.first().and_then(|source| source.base.as_ref()).context("the sandbox has no [[source]]")?;
    let addresses = base.socket_addrs(|| None)?;
    addresses.first().copied().context("the source's `base` is no address")
}

/// The first of these that is there, from the folder of this program on.
fn beside(names: &[&str]) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    names.iter().map(|name| program.with_file_name(name)).find(|path| path.is_file())
}

impl Sandbox {
    /// Says that it is one, and what to use.
    pub(super) fn tell(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let Customer { login, password, .. } = self.bank.customer()?;
        let service = self.read.online_service.first().context("the sandbox has no [[online-service]]")?;
        let key = |name: &str| self.folder.join(name).display().to_string();
        let events = service.events.as_ref().map_or("none", Url::as_str);
        writeln!(
            out,
            "consentry: SANDBOX: the bank, its customers and their data are made up. Nothing real belongs here.\n"
        )?;
        for (what, is) in [
            ("engine", format!("http://{}", self.read.api.listen)),
            ("id", service.id.to_string()),
            ("key-file", key("service.key.der")),
            ("signing-key-file", key("signer.key.der")),
            ("events", events.to_owned()),
            ("bank", format!("http://{}", self.bank.site)),
            ("control", format!("http://{}", self.bank.control)),
            ("login", login),
            ("password", password),
            ("code", CODE.to_owned()),
        ] {
            writeln!(out, "{what:<17} {is}")?;
        }
        write!(out, "\n{}\n", logins::table(&self.bank.states()?))?;
        Ok(())
    }
}
