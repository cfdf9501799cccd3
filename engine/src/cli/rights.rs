//! `consentry rights` and `consentry trace`: what an operator does about a person's rights, on the data folder of a node that is not
//! running. Persons and Online Services use the HTTP interface.

use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::audit::noted;
use super::{ConfigFile, setup};
use crate::config::Config;
use crate::engine::{Engine, declared};
use crate::id::RightsRequestId;
use crate::named_file;
use crate::online_service::Role;
use crate::operator::Deed;
use crate::operator::audit::About;
use crate::receipt::file::{FILE_BYTES_MAX, ReceiptFile};
use crate::rights::{Ask, Ground, Right, RightsRequest};

/// Longest login that is read.
const LOGIN_BYTES_MAX: u64 = 1024;

/// A person's rights.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Shows what becomes of each right under each role, and how each stored type answers to them.
    Table,
    /// Lists the requests that there are.
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Writes JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes a request of somebody who brings their receipt, and prints what they get.
    Ask(AskOptions),
    /// Says that a request takes up to two months longer, and why: once.
    Extend(Decision),
    /// Closes a request that can't be granted or that the Online Service does not answer, and says why.
    Refuse(Decision),
    /// Notes a disclosure to an authority: the basis, which elements, what was answered. No value of anybody.
    Disclosed {
        #[command(flatten)]
        file: ConfigFile,
        /// Which authority.
        #[arg(long)]
        authority: String,
        /// The law and the order it rests on.
        #[arg(long)]
        basis: String,
        /// A kind of data that was asked for. May be repeated.
        #[arg(long = "element", required = true)]
        elements: Vec<String>,
        /// What was given, or why not.
        #[arg(long)]
        answer: String,
    },
    /// Lists the disclosures to authorities.
    Disclosures(ConfigFile),
    /// Lists who looked for whose traces, and why.
    LookUps(ConfigFile),
    /// Lists the accesses to Data Sources that the law has logged: the hour, which elements, how many. No value of anybody.
    Accesses(ConfigFile),
}

/// Traces of transactions.
#[derive(Debug, Subcommand)]
pub(super) enum Traces {
    /// Finds the traces of a login, which is read from standard input. The look is logged, the login is not.
    Find {
        #[command(flatten)]
        file: ConfigFile,
        /// The Data Source's id.
        #[arg(long, value_name = "ID")]
        source: String,
        /// Who looks.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long)]
        why: String,
        /// Erases what is found: the person objects, or wants it erased.
        #[arg(long)]
        erase: bool,
    },
}

/// What is asked, by whom.
#[derive(Debug, clap::Args)]
pub(super) struct AskOptions {
    #[command(flatten)]
    file: ConfigFile,
    /// The right.
    #[arg(value_parser = right)]
    right: Right,
    /// The person's receipt.
    #[arg(long, value_name = "FILE")]
    receipt: PathBuf,
    /// For a restriction: accuracy-disputed, unlawful, claims or objection-pending.
    #[arg(long, value_parser = ground)]
    ground: Option<Ground>,
    /// In the person's words: what is wrong and how it is right, or what shall be done.
    #[arg(long)]
    statement: Option<String>,
}

/// A decision of the operator's.
#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    #[command(flatten)]
    file: ConfigFile,
    /// The request.
    request: RightsRequestId,
    /// Why, in words for the person.
    #[arg(long)]
    why: String,
}

pub(super) async fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Table => table(out)?,
        Command::List { file, json } => {
            list(&engine(&file, Deed::RightsLook, None).await?.rights_requests().await?, json, out)?
        }
        Command::Ask(options) => ask(options, out).await?,
        Command::Extend(Decision { file, request, why }) => {
            engine(&file, Deed::RightExtend, Some(request.to_string())).await?.extend_right(request, &why).await?;
            writeln!(out, "{request} takes longer; the person sees why")?;
        }
        Command::Refuse(Decision { file, request, why }) => {
            engine(&file, Deed::RightRefuse, Some(request.to_string())).await?.refuse_right(request, &why).await?;
            writeln!(out, "{request} is closed; the person sees why")?;
        }
        Command::Disclosed { file, authority, basis, elements, answer } => {
            let engine = engine(&file, Deed::DisclosureNote, None).await?;
            let noted = engine.note_disclosure(&authority, &basis, elements, &answer).await?;
            writeln!(out, "{} noted", noted.id)?;
        }
        Command::Disclosures(file) => {
            let engine = engine(&file, Deed::RightsLook, None).await?;
            writeln!(out, "{}", serde_json::to_string(&engine.disclosures().await?)?)?
        }
        Command::LookUps(file) => {
            let engine = engine(&file, Deed::RightsLook, None).await?;
            writeln!(out, "{}", serde_json::to_string(&engine.look_ups().await?)?)?
        }
        Command::Accesses(file) => {
            let engine = engine(&file, Deed::RightsLook, None).await?;
            writeln!(out, "{}", serde_json::to_string(&engine.accesses().await?)?)?
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn traces(command: Traces, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Traces::Find { file, source, by, why, erase } = command;
    let mut login = zeroize::Zeroizing::new(String::new());
    std::io::stdin().take(LOGIN_BYTES_MAX).read_to_string(&mut login)?;
    let login = login.trim();
    if login.is_empty() || by.trim().is_empty() || why.trim().is_empty() {
        bail!("the login comes from standard input; --by and --why say who looks and why");
    }
    let engine = engine(&file, Deed::TraceFind, None).await?;
    let found = engine.find_traces(&source, login, &by, &why, erase).await?;
    let rows: Vec<Value> = found
        .iter()
        .map(|(id, trace)| {
            json!({
                "trace": id, "data_source": trace.data_source, "online_service": trace.online_service,
                "device": trace.navigation.device, "language": trace.navigation.language, "date": trace.date,
            })
        })
        .collect();
    writeln!(out, "{}", json!({ "found": rows, "erased": erase }))?;
    Ok(ExitCode::SUCCESS)
}

/// The engine of a node that does not run, for something that stands in the audit log.
pub(super) async fn engine(file: &ConfigFile, deed: Deed, about: Option<String>) -> anyhow::Result<Arc<Engine>> {
    let config = Config::read(&file.config)?;
    let built = setup::with_keys(&config)?.build().await;
    let built =
        built.context("the node's data can't be opened; a node that runs holds it: use its console, or stop it")?;
    noted(&config, deed, about.map(About::of))?;
    Ok(built)
}

async fn ask(options: AskOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = named_file::read_text(&options.receipt, FILE_BYTES_MAX)
        .with_context(|| format!("{} can't be read", options.receipt.display()))?;
    let token = ReceiptFile::read(&text).map_or_else(|_| text.trim().to_owned(), |file| file.receipt);
    let ask = Ask { right: options.right, ground: options.ground, statement: options.statement, transmit_to: None };
    let answer = engine(&options.file, Deed::RightAsk, None).await?.ask_right(&token, ask).await?;
    writeln!(out, "{answer}")?;
    Ok(())
}

fn list(requests: &[RightsRequest], as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if as_json {
        return Ok(writeln!(out, "{}", serde_json::to_string(requests)?)?);
    }
    let mut table = Table::new();
    table.set_header(["request", "right", "state", "received", "answer by", "Online Service"]);
    for request in requests {
        let state = word(&request.state);
        let [received, by] = [request.received_at, request.expected_by].map(|at| at.to_string());
        let party = request.forwarded.as_ref().map_or("-".to_owned(), |forwarded| match forwarded.answer {
            Some(_) => "answered".to_owned(),
            None => format!("until {}", forwarded.answer_by),
        });
        table.add_row([request.id.to_string(), request.ask.right.name().to_owned(), state, received, by, party]);
    }
    Ok(writeln!(out, "{table}")?)
}

fn table(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut routes = Table::new();
    routes.set_header(["right", "law", "role", "here", "passed on"]);
    for right in Right::ALL {
        for role in [Role::Controller, Role::Processor, Role::Joint] {
            let route = right.route(role);
            let passed = if route.forward { "yes" } else { "no" };
            routes.add_row([right.name(), right.law(), &word(&role), &word(&route.here), passed]);
        }
    }
    writeln!(out, "{routes}")?;
    let mut types = Table::new();
    types.set_header(["row", "stored type", "export", "rectify", "erase", "restrict"]);
    for each in declared() {
        let [export, rectify] = [word(&each.rights.export), word(&each.rights.rectify)];
        types.add_row([
            each.row,
            each.name,
            &export,
            &rectify,
            &word(&each.rights.erase),
            &word(&each.rights.restrict),
        ]);
    }
    writeln!(out, "{types}")?;
    Ok(())
}

/// The name of a variant.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn right(name: &str) -> Result<Right, String> {
    Right::parse(name).ok_or_else(|| format!("one of {}", Right::ALL.map(Right::name).join(", ")))
}

fn ground(name: &str) -> Result<Ground, String> {
    serde_json::from_value(name.into())
        .map_err(|_| "one of accuracy-disputed, unlawful, claims, objection-pending".to_owned())
}
