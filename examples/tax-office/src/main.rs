//! The tax office as a program: it says where it listens, and stops on an interrupt.

use std::net::SocketAddr;

use clap::Parser;

/// A tax office whose notices are PDFs. Its people are made up: README.md names their logins.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Where the site listens.
    #[arg(long, default_value = "127.0.0.1:18092", value_name = "ADDRESS")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let office = tax_office::TaxOffice::start(Options::parse().listen).await?;
    println!("{}", office.url);
    tokio::signal::ctrl_c().await?;
    Ok(())
}
