//! All automation of the repository, one file for each command. Run as `cargo xtask COMMAND`.

mod command;
mod connectors;
mod demo;
mod fuzz;
mod leaky;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation of the repository")]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything that is run: the connectors, the engine, the example sites
    Build,
    /// Build connectors: one WebAssembly component each, with its manifest inside
    Connectors(connectors::Args),
    /// Show one collection on this terminal: a bank, an engine, an Online Service, and a person
    Demo,
    /// Fuzz one reader of bytes from outside for some time; by hand, with cargo-fuzz installed
    Fuzz(fuzz::Args),
    /// Build an engine that leaks on purpose, and show that the search for planted values finds it out
    Leaky,
    /// Run every suite, or those whose name contains one of the words
    Test {
        /// Words
        words: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Xtask::parse().command {
        Command::Build => demo::build(&[]),
        Command::Connectors(args) => connectors::run(&args),
        Command::Demo => demo::run(),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Leaky => leaky::run(),
        Command::Test { words } => test::run(&words),
    }
}
