//! Every suite, cheap ones first, each with its time. Stops at the first that fails.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// One suite: what it shows, and the command that shows it.
struct Suite {
    name: &'static str,
    command: &'static [&'static str],
}

const SUITES: &[Suite] = &[
    Suite { name: "format", command: &["cargo", "fmt", "--all", "--check"] },
    Suite {
        name: "contract: tables, documents, manifests, recipes",
        command: &["cargo", "test", "--quiet", "--package", "consentry-contract", "--package", "consentry-sdk"],
    },
    Suite { name: "connectors build", command: &["cargo", "xtask", "connectors"] },
    Suite {
        name: "host and engine: units",
        command: &[
            "cargo",
            "test",
            "--quiet",
            "--package",
            "consentry-host-api",
            "--package",
            "consentry-engine",
            "--lib",
            "--bins",
        ],
    },
    Suite {
        name: "engine: what must not compile",
        command: &["cargo", "test", "--quiet", "--package", "consentry-engine", "--doc"],
    },
    Suite {
        name: "examples: a bank that misbehaves, an Online Service that receives",
        command: &["cargo", "test", "--quiet", "--package", "sample-bank", "--package", "online-service"],
    },
    Suite {
        name: "components: connectors in the sandbox",
        command: &["cargo", "test", "--quiet", "--package", "consentry-tests", "--test", "it"],
    },
    Suite {
        name: "binaries build",
        command: &[
            "cargo",
            "build",
            "--quiet",
            "--package",
            "consentry-engine",
            "--package",
            "sample-bank",
            "--package",
            "online-service",
        ],
    },
    Suite {
        name: "properties: kept inputs of the fuzzers, and inputs near them",
        command: &["cargo", "test", "--quiet", "--package", "consentry-properties"],
    },
    Suite { name: "sources install", command: &["tests/sources/install", "target/sources"] },
    Suite {
        name: "end to end: real applications, the binary",
        command: &["cargo", "test", "--quiet", "--package", "consentry-tests", "--test", "e2e"],
    },
    Suite { name: "demo", command: &["cargo", "xtask", "demo"] },
    Suite {
        name: "lints",
        command: &["cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"],
    },
];

/// Runs them all, or those whose name contains one of the words.
///
/// # Errors
/// When a suite fails.
pub fn run(words: &[String]) -> anyhow::Result<()> {
    let chosen = |suite: &&Suite| words.is_empty() || words.iter().any(|word| suite.name.contains(word.as_str()));
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for suite in SUITES.iter().filter(chosen) {
        println!("== {}: {}", suite.name, suite.command.join(" "));
        let started = Instant::now();
        let status = Command::new(suite.command[0])
            .args(&suite.command[1..])
            .status()
            .with_context(|| format!("{} can't be started", suite.command[0]))?;
        let took = started.elapsed();
        println!(
            "== {}: {} in {:.1} s",
            suite.name,
            if status.success() { "passed" } else { "FAILED" },
            took.as_secs_f64()
        );
        times.push((suite.name, took));
        if !status.success() {
            table(&times);
            bail!("the suite `{}` failed", suite.name);
        }
    }
    if times.is_empty() {
        bail!("no suite has such a name");
    }
    table(&times);
    println!("{} passed, 0 failed", times.len());
    Ok(())
}

fn table(times: &[(&str, Duration)]) {
    println!("\n{:>8}  suite", "seconds");
    for (name, took) in times {
        println!("{:>8.1}  {name}", took.as_secs_f64());
    }
    println!("{:>8.1}  together\n", times.iter().map(|(_, took)| took.as_secs_f64()).sum::<f64>());
}
