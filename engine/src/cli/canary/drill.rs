//! A drill: an engine of its own, a bank, a person and an Online Service, all on loopback; values go in by every door, on every path; after
//! each it is looked for them everywhere. What is known to be somewhere is looked for, too, so that a search that sees nothing is noticed.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use consentry_contract::manifest::Manifest;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::ended;
use super::home::{Engine, Home};
use super::person::Person;
use super::places::{Clear, Found, Planted, Report, may_look};
use super::returning::{Account, HOST};
use super::service::Service;
use crate::cli::stand_in::Node;
use crate::cli::stand_in::bank::{Bank, Customer};
use crate::cli::stand_in::wire::{Asked, Door};
use crate::entropy::Entropy;

/// Plants values and looks for them.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The bank that people log in at: the program `sample-bank`, or one with the same control port.
    #[arg(long, value_name = "PROGRAM")]
    bank: PathBuf,
    /// A connector for it. May be given several times: `sample-bank`, `sample-branch`, which opens pages in a browser, and `returning`, which
    /// keeps its session.
    #[arg(long, value_name = "FILE", required = true)]
    connector: Vec<PathBuf>,
    /// The engine that is looked into, where it is not this program.
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// Any free port of loopback.
const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Everything that a drill needs. The engine ends before its home goes.
struct Drill {
    program: PathBuf,
    engine: Option<Engine>,
    bank: Bank,
    service: Service,
    /// Where persons and the Online Service come in.
    persons: Door,
    customer: Customer,
    connectors: Vec<Arc<Manifest>>,
    planted: Planted,
    report: Report,
    home: Home,
}

pub(super) fn run(options: &Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    may_look()?;
    let mut drill = Drill::begin(options)?;
    drill.paths()?;
    let Report { looks, places, bytes, in_clear, found, not_searched, is_partial } = &drill.report;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&drill.report)?)?;
    } else {
        for when in looks {
            writeln!(out, "looked   {when}")?;
        }
        for Clear { moment, times, median_within_ms } in in_clear {
            writeln!(out, "in clear {moment}: {times} times, half of them within {median_within_ms} ms")?;
        }
        for Found { when, value, place } in found {
            writeln!(out, "FOUND    {value} in {place}: {when}")?;
        }
        for place in not_searched {
            writeln!(out, "NOT SEARCHED {place}")?;
        }
        writeln!(out, "{places} files and mappings, {bytes} bytes, {} found", found.len())?;
    }
    Ok(ended(!found.is_empty(), *is_partial))
}

/// A value that nobody has, with a tail that outlives a `free`, and that each encoding changes: what is found in one was found by it.
fn mark(name: &str) -> String {
    let mut random = [0; 12];
    Entropy::system().with(|rng| rng.fill_bytes(&mut random));
    format!("canary-{name}-{}-T\u{e4}il 7+&/<\">!", hex::encode(random))
}

impl Drill {
    fn begin(options: &Options) -> anyhow::Result<Self> {
        let program = match &options.engine {
            Some(program) => program.canonicalize().with_context(|| format!("{} is not there", program.display()))?,
            None => std::env::current_exe()?,
        };
        let (home, bank, service) = (Home::new()?, Bank::start(&options.bank, [ANY, ANY])?, Service::new()?);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let persons = Door::open(nowhere, &home.wire("persons"))?;
        let events = Door::open(service.events, &home.wire("events"))?;
        let site = Door::open(bank.site, &home.wire("site"))?;
        let taken: Vec<_> = options.connector.iter().map(|path| home.take(path)).collect::<Result<_, _>>()?;
        let connectors: Vec<_> = taken.iter().map(|package| package.manifest().clone()).collect();
        // Long ones, with what encodings change where a form takes it: the search must not miss them, nor find them by chance.
        bank.change(&json!({ "password": mark("the-password"), "code": digits() }))?;
        let customer = bank.customer()?;
        let mut planted = Planted::default();
        planted.typed.add("the password", &customer.password);
        planted.typed.add("the branch's code", &customer.code);
        planted.shown.add("the login", &customer.login);
        customer.shown.iter().for_each(|text| planted.shown.add("what was found", text));
        home.write("passphrase", mark("passphrase").as_bytes())?;
        service.member.write(&home.engine())?;
        let node = Node {
            name: "canary",
            title: "A drill",
            why: ["to look for planted values.", "pour chercher des valeurs posées."],
            listen: ANY,
            public: &format!("http://{HOST}:{}", persons.address.port()),
            events: &format!("http://{}/events", events.address),
            bearer: Some(&service.bearer_hash()),
            site: site.address,
            member: &service.member,
            connectors: &connectors,
        };
        let text = format!(
            "{node}\n[browser]\nfolder = {:?}\nshared-account = true\n\n[maintenance]\nreports = true\n",
            home.browser
        );
        home.write("consentry.toml", text.as_bytes())?;
        home.make_keys(&program)?;
        let report = Report::default();
        Ok(Self { program, engine: None, bank, service, persons, customer, connectors, planted, report, home })
    }

    /// Every way through.
    fn paths(&mut self) -> anyhow::Result<()> {
        let connector = self.connectors.iter().find(|each| !keeps_session(each)).cloned();
        let connector = connector.context("a connector that asks for a code is needed, too: `sample-bank`")?;
        self.serve()?;
        for connector in self.connectors.clone() {
            match keeps_session(&connector) {
                true => self.synchronised(&connector)?,
                false => self.delivered(&connector)?,
            }
            self.broken(&connector)?;
        }
        self.report.in_clear = self.in_clear()?;
        self.withdrawn(&connector)?;
        self.crashed(&connector)?;
        self.killed(&connector)?;
        if let Some(engine) = self.engine.take() {
            engine.end(Signal::SIGTERM)?;
        }
        self.report.look("stopped", &self.planted, &self.home, None)
    }

    fn serve(&mut self) -> anyhow::Result<()> {
        let engine = self.home.serve(&self.program)?;
        self.persons.leads_to(engine.listens);
        self.engine = Some(engine);
        Ok(())
    }

    fn process(&self) -> anyhow::Result<u32> {
        Ok(self.engine.as_ref().context("an engine runs")?.process())
    }

    /// Looks everywhere. `is_shown` while somebody looks at what was found.
    fn look(&mut self, when: &'static str, is_shown: bool) -> anyhow::Result<()> {
        let process = self.process()?;
        self.report.look(when, &self.planted, &self.home, Some((process, is_shown)))
    }

    /// How long secrets stood in the engine's memory in clear, as it counts itself.
    fn in_clear(&self) -> anyhow::Result<Vec<Clear>> {
        let listens = self.engine.as_ref().context("an engine runs")?.listens;
        let asked = Asked { method: "GET", path: "/v1/metrics", token: None, body: None };
        let metrics = String::from_utf8(asked.ask(listens)?.good("metrics")?)?;
        Ok(["open", "answer", "evaluate", "send", "search"]
            .into_iter()
            .filter_map(|moment| Clear::of(moment, &metrics))
            .collect())
    }

    /// Somebody who has agreed to everything that this connector can bring.
    fn agreed(&self, connector: &Manifest) -> anyhow::Result<Person> {
        let begun = self.service.ask(self.persons.address, connector.categories())?;
        let source = connector.sources().first().context("a connector has a source")?;
        Person::agreed(self.persons.address, begun, connector.id().as_str(), source.id.as_str())
    }

    /// The login by the names of the connector's fields; every secret is this one, or the right one.
    fn login(&self, connector: &Manifest, secret: Option<&str>) -> anyhow::Result<Vec<(String, String)>> {
        let Customer { login, password, code, .. } = &self.customer;
        let mut fields = vec![];
        for field in connector.fields() {
            let value = match (field.name.as_str(), secret) {
                ("login", _) => login,
                ("password" | "code", Some(secret)) => secret,
                ("password", None) => password,
                ("code", None) => code,
                (other, _) => bail!("{}: nobody here has a {other}", connector.id()),
            };
            fields.push((field.name.to_string(), value.to_owned()));
        }
        Ok(fields)
    }

    /// A wrong password, the right one, a one-time password, documents, a preview, a delivery.
    fn delivered(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        let in_browser = connector.fields().iter().any(|field| field.name.as_str() == "code");
        // A keypad has digits alone.
        let (wrong, otp) = match in_browser {
            true => (digits(), digits()),
            false => (mark("password"), mark("otp")),
        };
        self.planted.typed.add("a wrong password", &wrong);
        self.planted.typed.add("the one-time password", &otp);
        self.bank.is("ok", Some(&otp))?;
        let mut person = self.agreed(connector)?;
        person.log_in(&self.login(connector, Some(&wrong))?)?;
        person.until("collecting")?;
        person.until("awaiting-credentials")?;
        self.look("a wrong password was refused", false)?;
        person.log_in(&self.login(connector, None)?)?;
        let (question, field) = person.asked()?;
        self.look("a one-time password is asked", false)?;
        person.answer(&question, &field, &otp)?;
        person.until("in-review")?;
        // What was pressed on a keypad goes by other names; the one-time password goes as it is.
        self.planted.typed.are_in_file(&self.home.wire("site"))?;
        person.does("GET", "preview", None)?;
        self.planted.shown.are_in_memory(self.process()?)?;
        self.planted.shown.are_in_file(&self.home.wire("persons"))?;
        self.look("somebody reads what was found", true)?;
        person.does("POST", "share", Some(&json!({})))?;
        self.service.take(self.persons.address)?;
        person.until("completed")?;
        self.look("it was delivered", false)
    }

    /// Somebody with an account agrees to synchronisation, too; then there is an access while nobody is there, with what was kept of the
    /// session at the bank.
    fn synchronised(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        self.bank.is("ok", None)?;
        let account = Account::open(self.persons.address)?;
        let mut person = self.agreed(connector)?;
        account.goes_on(&person)?;
        person.log_in(&self.login(connector, None)?)?;
        person.until("in-review")?;
        person.does("POST", "share", Some(&json!({})))?;
        self.service.take(self.persons.address)?;
        person.until("completed")?;
        for cookie in self.bank.cookies()? {
            self.planted.typed.add("the session at the bank", &cookie);
        }
        self.planted.typed.are_in_file(&self.home.wire("site"))?;
        self.look("it was delivered, and the session at the bank is kept", false)?;
        account.access()?;
        self.service.take(self.persons.address)?;
        self.look("it was delivered while nobody was there", false)
    }

    /// A page is another one than the connector knows, the person gives the report of it, and lends their login; then there is none at all.
    fn broken(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        for state in ["json-error", "server-error"] {
            self.bank.is(state, None)?;
            let mut person = self.agreed(connector)?;
            person.log_in(&self.login(connector, None)?)?;
            person.until("failed")?;
            // There is one where the failure could be the connector's.
            if let Ok(shown) = person.does("GET", "report", None) {
                person.does("PUT", "report", None)?;
                person.lend(&self.login(connector, None)?)?;
                self.home.retest(&self.program, &break_of(&shown["report"]))?;
                self.look("a collection failed, its report was given, and a lent login was opened", false)?;
                person.does("DELETE", "report/login", None)?;
            } else {
                self.look("a collection failed", false)?;
            }
        }
        self.bank.is("ok", None)
    }

    /// Somebody who reads what was found, and is asked for nothing.
    fn in_review(&self, connector: &Manifest) -> anyhow::Result<Person> {
        self.bank.is("ok", None)?;
        let mut person = self.agreed(connector)?;
        person.log_in(&self.login(connector, None)?)?;
        person.until("in-review")?;
        Ok(person)
    }

    fn withdrawn(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        let person = self.in_review(connector)?;
        person.does("POST", "withdraw", None)?;
        self.look("the consent was withdrawn", false)
    }

    /// The engine crashes while somebody reads what was found. A core is written where the machine writes them.
    fn crashed(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        let _person = self.in_review(connector)?;
        self.ended(Signal::SIGABRT, "the engine crashed", "it was started after a crash")
    }

    /// It is killed with a code that somebody has just given.
    fn killed(&mut self, connector: &Manifest) -> anyhow::Result<()> {
        let otp = mark("otp");
        self.planted.typed.add("a one-time password at the moment of a kill", &otp);
        self.bank.is("ok", Some(&otp))?;
        let mut person = self.agreed(connector)?;
        person.log_in(&self.login(connector, None)?)?;
        let (question, field) = person.asked()?;
        person.answer(&question, &field, &otp)?;
        self.ended(Signal::SIGKILL, "the engine was killed", "it was started after it was killed")
    }

    fn ended(&mut self, signal: Signal, gone: &'static str, back: &'static str) -> anyhow::Result<()> {
        self.engine.take().context("an engine runs")?.end(signal)?;
        self.report.look(gone, &self.planted, &self.home, None)?;
        self.serve()?;
        self.look(back, false)
    }
}

/// Whether what it collects can be synchronised.
fn keeps_session(connector: &Manifest) -> bool {
    connector.capabilities().iter().any(|each| each.as_str() == "session-state")
}

/// A code that nobody has, of digits alone.
fn digits() -> String {
    let mut random = [0; 30];
    Entropy::system().with(|rng| rng.fill_bytes(&mut random));
    random.iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// The break of a report, as its ticket names it.
fn break_of(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let point = &report["point"];
    let [source, code, page, missing] =
        [&report["source"], &point["code"], &point["page"], &point["missing"]].map(text);
    format!("1|{source}|{code}|{page}|{missing}")
}
