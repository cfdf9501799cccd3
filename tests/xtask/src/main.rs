//! All automation of the repository, one file for each command. Run as `cargo xtask COMMAND`.

mod connectors;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation of the repository")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build connectors: one WebAssembly component each, with its manifest inside
    Connectors(connectors::Args),
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Connectors(args) => connectors::run(&args),
    }
}
