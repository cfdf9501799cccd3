//! An Online Service as a program: makes its key, asks for data, receives it, shows it.

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use consentry::jose::Algorithm;
use online_service::endpoint::{self, Told};
use online_service::engine::DataRequest;
use online_service::receiver::Taken;
use online_service::{Engine, Inbox, Receiver, key, table};
use tokio::sync::mpsc;

/// An Online Service that receives data through Consentry.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the public key to register with the engine (one JWK); makes the key pair first if there is none.
    Key {
        /// The private key: PKCS#8 DER, readable by you alone.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// It signs, instead of opening parcels.
        #[arg(long)]
        signing: bool,
    },
    /// Asks for data, prints what the person needs, and waits for the parcel.
    Ask(Ask),
    /// Receives what other sessions bring, until it is interrupted.
    Receive(Receive),
}

#[derive(Args)]
struct Receive {
    /// The engine's address.
    #[arg(long, value_name = "URL")]
    engine: String,
    /// Our id there.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Our private key that signs; see `online-service key --signing`.
    #[arg(long, value_name = "FILE")]
    signing_key_file: PathBuf,
    /// Our private key that opens parcels; see `online-service key`.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Where events are taken, at the path /consentry/events.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18092")]
    listen: SocketAddr,
    /// Where received parcels are kept.
    #[arg(long, value_name = "FOLDER", default_value = "inbox")]
    inbox: PathBuf,
}

#[derive(Args)]
struct Ask {
    #[command(flatten)]
    receive: Receive,
    /// A registered purpose.
    #[arg(long, default_value = "tenant-check")]
    purpose: String,
    /// What is asked for.
    #[arg(long = "category", value_name = "NAME", required = true)]
    categories: Vec<String>,
    /// How far back, in days.
    #[arg(long, value_name = "DAYS")]
    history_days: Option<u16>,
    /// Our own reference, without anything about the person.
    #[arg(long)]
    reference: Option<String>,
    /// How long to wait for the parcel, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    wait_seconds: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Options::parse().command {
        Command::Key { key_file, signing } => {
            let algorithm = if signing { Algorithm::Ps256 } else { Algorithm::RsaOaep256 };
            println!("{:#}", key::read_or_make(&key_file, algorithm)?.public().to_jwk());
        }
        Command::Ask(ask) => self::ask(ask).await?,
        Command::Receive(receive) => {
            let (_, mut told) = start(&receive).await?;
            loop {
                tokio::select! {
                    Some(told) = told.recv() => show(&told),
                    interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
                }
            }
        }
    }
    Ok(())
}

async fn ask(ask: Ask) -> anyhow::Result<()> {
    let (receiver, mut told) = start(&ask.receive).await?;
    let Ask { purpose, categories, history_days, reference, .. } = ask;
    let request = DataRequest { purpose, categories, history_days, reference };
    let session = receiver.engine.ask(&request).await?;
    println!("session    {}\ntoken      {}\nexpires    {}", session.id, session.token, session.expires_at);
    if let Some(url) = &session.url {
        println!("link       {url}");
    }
    let received = async {
        while let Some(told) = told.recv().await {
            show(&told);
            if matches!(told, Ok(Taken::Received(..))) {
                return Ok(());
            }
        }
        bail!("nothing listens for events any more")
    };
    let wait = Duration::from_secs(ask.wait_seconds);
    tokio::time::timeout(wait, received).await.context("no parcel came in time")?
}

/// Listens for events.
async fn start(options: &Receive) -> anyhow::Result<(Arc<Receiver>, mpsc::Receiver<Told>)> {
    let signer = key::read_or_make(&options.signing_key_file, Algorithm::Ps256)?;
    let receiver = Arc::new(Receiver {
        engine: Engine::new(&options.engine, &options.id, signer)?,
        id: options.id.clone(),
        key: key::read_or_make(&options.key_file, Algorithm::RsaOaep256)?,
        inbox: Inbox::open(&options.inbox).with_context(|| format!("{} can't be used", options.inbox.display()))?,
    });
    let (tell, told) = mpsc::channel(16);
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    println!("listening  http://{}{}", listener.local_addr()?, endpoint::PATH);
    let router = endpoint::router(receiver.clone(), tell);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((receiver, told))
}

fn show(told: &Told) {
    match told {
        Ok(Taken::Received(parcel, kept)) => {
            println!(
                "received   {} ({kept:?}): signature, schema and consent in order; acknowledged {}\n",
                parcel.id, parcel.digest
            );
            println!("{}", table::show(parcel));
        }
        Ok(Taken::Again) => println!("told again about a parcel that is here already"),
        Err(error) => {
            let inner = error.source().map(|inner| format!(": {inner}"));
            println!("refused    {error}{}", inner.unwrap_or_default());
        }
    }
}
