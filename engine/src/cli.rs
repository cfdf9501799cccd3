//! The command line. Tables and sentences for people, `--json` for machines, and exit codes that tell whose turn it is:
//! 0 complete, 1 an error outside of a collection, 2 wrong usage, 3 partial, 4 keys that a passphrase or a PIN does not open, and 10, 20, 30, 40, 50 for a failure blamed on
//! the person, the Data Source, the connector, the platform, the recipient.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::collect::compile::limited;
use crate::keys::pkcs11::TokenError;
use crate::keys::software::KeyFileError;

mod anonymity;
mod audit;
mod canary;
mod collect;
mod config;
mod connector;
mod erase;
mod harden;
mod hidden;
mod interrupt;
mod keys;
mod metering;
mod panics;
mod papers;
mod receive;
mod rights;
mod reports;
mod sandbox;
mod serve;
mod setup;
mod sim;
mod source;
mod stand_in;
mod terminal;
mod verify;

/// How long work on threads of its own may go on once a command is done.
const THREADS_WAIT: Duration = Duration::from_secs(5);

/// A passphrase or a PIN does not open the keys. Whoever starts a node again by itself must not after this: a token locks itself after a few
/// wrong PINs.
const KEYS_REFUSED: u8 = 4;

/// Moves a person's data only on their consent, only to the Online Service they chose, and forgets it.
#[derive(Debug, Parser)]
#[command(name = "consentry", version, propagate_version = true, arg_required_else_help = true)]
struct Options {
    /// What is logged, to standard error: `error`, `warn`, `info`, `debug`, or by module.
    #[arg(
        long,
        global = true,
        env = "CONSENTRY_LOG",
        default_value = "warn",
        value_name = "FILTER",
        value_parser = log_filter
    )]
    log: String,
    /// How a line of the log looks.
    #[arg(long, global = true, env = "CONSENTRY_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collects once, from this terminal: consent, login, preview, delivery, receipt.
    #[command(after_help = collect::EXIT_CODES)]
    Collect(Box<collect::Options>),
    /// Serves the HTTP API.
    Serve(serve::Options),
    /// The configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Keys and ids.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Connectors.
    #[command(subcommand)]
    Connector(connector::Command),
    /// Writes the record of processing activities (GDPR, Art. 30), compiled from the configuration.
    Register(papers::RegisterOptions),
    /// Refuses purposes and requests that ask for more than they need.
    Lint(papers::LintOptions),
    /// Signs the code of trust for an Online Service.
    Commit(papers::CommitOptions),
    /// A person's rights: requests, deadlines, disclosures to authorities.
    #[command(subcommand)]
    Rights(Box<rights::Command>),
    /// Traces of transactions.
    #[command(subcommand)]
    Trace(rights::Traces),
    /// Anonymity towards Online Services: an authority's order to lift it, and the authority's own offline tool.
    #[command(subcommand)]
    Anonymity(anonymity::Command),
    /// What Online Services are invoiced for: counts of deliveries by month.
    Metering(metering::Options),
    /// Reports of failures: what broke, and the recordings that show it.
    #[command(subcommand)]
    Reports(reports::Command),
    /// Data Sources: which are held, which version serves each.
    #[command(subcommand)]
    Source(source::Command),
    /// What operators did.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Checks what somebody was given, offline.
    #[command(subcommand)]
    Verify(verify::Command),
    /// Erases what is kept of a session, a person or an Online Service, and writes the signed receipt.
    Erase(erase::Options),
    /// Plants marked values, and looks for them in everything that an engine can write, and in its memory.
    #[command(subcommand)]
    Canary(canary::Command),
    /// Simulations over the real store, keys and scheduler.
    #[command(subcommand)]
    Sim(sim::Command),
    /// Compiles one connector from standard input to standard output: what the engine starts itself as.
    #[command(hide = true)]
    CompileConnector,
    /// Writes a completion script for a shell to standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    panics::tell_places_only();
    let options = Options::parse();
    start_logging(&options.log, options.log_format);
    let run = || {
        harden::keep_to_itself()?;
        harden::hand_on_no_rights()?;
        match options.command {
            // It looks whether an engine that it starts writes one.
            Command::Canary(canary::Command::Run(_)) => harden::let_others_write_cores()?,
            _ => harden::write_no_core()?,
        }
        execute(options.command, &mut std::io::stdout().lock())
    };
    match run() {
        Ok(code) => code,
        // Whoever reads our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "consentry: {error:#}{}",
                if needs_room(&error) { "; make room there, and do it again" } else { "" }
            );
            if is_key_refused(&error) { ExitCode::from(KEYS_REFUSED) } else { ExitCode::FAILURE }
        }
    }
}

fn is_key_refused(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(TokenError::Pin))
            || matches!(cause.downcast_ref(), Some(KeyFileError::Damaged | KeyFileError::NoPassphrase))
    })
}

/// Whether a disk is full, and what went wrong there has not said yet what to do about it.
fn needs_room(error: &anyhow::Error) -> bool {
    let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(full)) && !format!("{error:#}").contains("make room")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(broken)
}

/// Runs a command. What it has to say goes to `out`, questions and progress go to standard error.
fn execute(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Collect(options) => block_on(collect::run(*options, out)),
        Command::Serve(options) => block_on(serve::run(options, out)),
        Command::Config(command) => config::run(&command, out),
        Command::Keys(command) => keys::run(command, out),
        Command::Connector(command) => connector::run(&command, out),
        Command::Register(options) => papers::register(&options, out),
        Command::Lint(options) => papers::lint(&options, out),
        Command::Commit(options) => papers::commit(&options, out),
        Command::Rights(command) => block_on(rights::run(*command, out)),
        Command::Trace(command) => block_on(rights::traces(command, out)),
        Command::Anonymity(command) => block_on(anonymity::run(command, out)),
        Command::Metering(options) => block_on(metering::run(options, out)),
        Command::Reports(command) => block_on(reports::run(command, out)),
        Command::Source(command) => source::run(&command, out),
        Command::Audit(command) => block_on(audit::run(command, out)),
        Command::Erase(options) => block_on(erase::run(options, out)),
        Command::Canary(command) => canary::run(&command, out),
        Command::Sim(command) => block_on(sim::run(&command, out)),
        Command::Verify(command) => verify::run(&command, out),
        Command::CompileConnector => limited::run().map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it can't write.
            let mut script = vec![];
            clap_complete::generate(shell, &mut Options::command(), "consentry", &mut script);
            out.write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // What still works on a thread of its own (a compiler, a disk that hangs) holds up no end.
    runtime.shutdown_timeout(THREADS_WAIT);
    done
}

/// Says what is wrong with a filter before anything is done with it.
fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}; write for example `info` or `warn,consentry::engine=debug`")),
    }
}

fn start_logging(filter: &str, format: LogFormat) {
    // It was read once before: what is wrong in it, if anything, was said then.
    let filter = EnvFilter::new(filter);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(subscriber.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish()),
    };
}

/// A configuration file, for commands that need one.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long, env = "CONSENTRY_CONFIG", value_name = "FILE")]
    config: PathBuf,
}
