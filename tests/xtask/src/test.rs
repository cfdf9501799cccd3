//! Every suite, cheap ones first, each with its time. Stops at the first that fails.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::command;

mod again;

/// One suite: what it shows, and the command that shows it, its words apart by blanks.
struct Suite {
    name: &'static str,
    command: &'static str,
    /// Without this it is not run, and the table says so.
    needs: Option<Tool>,
    /// It starts applications and browsers of others, which may fail by themselves: what fails is run once more, alone.
    again: bool,
}

/// A tool that nothing here installs: the probe says whether it is there.
#[derive(Clone, Copy)]
struct Tool {
    name: &'static str,
    probe: &'static [&'static str],
}

const DENY: Tool = Tool { name: "cargo-deny", probe: &["cargo", "deny", "--version"] };

/// What is built and tested is always the whole workspace with its tests, cut down by kind of target only: one selection gives
/// every dependency one set of features, and so it is compiled once.
const SUITES: &[Suite] = &[
    suite("format", "cargo fmt --all --check"),
    Suite { needs: Some(DENY), ..suite("lints: licences, sources, bans", "cargo deny check bans licenses sources") },
    suite("connectors build", "cargo xtask connectors"),
    suite("binaries and tests build", super::demo::BUILD),
    suite("Debian's packages", "tests/debian"),
    suite("units: tables, documents, recipes, stores, the host, the engine, connectors", UNITS),
    suite("what must not compile, and examples in the docs", MUST_NOT_COMPILE),
    suite("sources install", "tests/sources/install target/sources"),
    suite("components: connectors in the sandbox; examples", COMPONENTS),
    suite("pages: the browser itself, and what it may do", PAGES),
    suite("attacks: hostile connectors and sites", "cargo test --quiet --workspace --test hostile"),
    suite(
        "properties: kept inputs of the fuzzers, and inputs near them",
        "cargo test --quiet --workspace --test corpus",
    ),
    suite("crashes: kills, losses of power, full disks, years of retention", CRASHES),
    suite("other implementations install", "tests/peers/install target/peers"),
    suite("what asks for the description installs", "tests/schema/install target/schema"),
    suite("token installs", "tests/token/install target/token"),
    Suite {
        again: true,
        ..suite("end to end: real applications, the binary", "cargo test --quiet --workspace --test e2e")
    },
    suite("planted values: an engine that leaks is caught", "cargo xtask leaky"),
    suite("demo", "cargo xtask demo"),
    suite("lints: clippy", "cargo clippy --quiet --workspace --all-targets -- --deny warnings"),
];

const UNITS: &str = "cargo test --quiet --no-fail-fast --workspace --lib --bins -- \
    --skip durability --skip power_loss --skip simulation --skip browser::tests";

/// Units by their kind, which take their time: each takes a node through its life at hundreds of places.
const CRASHES: &str = "cargo test --quiet --no-fail-fast --workspace --lib -- durability power_loss simulation";

const COMPONENTS: &str = "cargo test --quiet --workspace --test it -- --skip pages:: --skip sample_branch::";

/// Units and components by their kind, which start the real browser.
const PAGES: &str =
    "cargo test --quiet --no-fail-fast --workspace --lib --test it -- browser::tests pages:: sample_branch::";

const MUST_NOT_COMPILE: &str = "cargo test --quiet --workspace --doc --config build.rustdoc='tests/xtask/rustdoc'";

const fn suite(name: &'static str, command: &'static str) -> Suite {
    Suite { name, command, needs: None, again: false }
}

/// What became of a suite that was run.
struct Ran {
    passed: bool,
    took: Duration,
    /// Tests that failed among others and passed alone.
    again: Vec<String>,
}

/// Runs them all, or those whose name contains one of the words.
///
/// # Errors
/// When a suite fails.
pub fn run(words: &[String]) -> anyhow::Result<()> {
    let chosen = |suite: &&Suite| words.is_empty() || words.iter().any(|word| suite.name.contains(word.as_str()));
    let mut results: Vec<(&Suite, Option<Ran>)> = Vec::new();
    for suite in SUITES.iter().filter(chosen) {
        let ran = suite.run()?;
        let failed = ran.as_ref().is_some_and(|ran| !ran.passed);
        results.push((suite, ran));
        if failed {
            table(&results);
            bail!("the suite `{}` failed", suite.name);
        }
    }
    if results.is_empty() {
        bail!("no suite has such a name");
    }
    table(&results);
    let passed = results.iter().filter(|(_, ran)| ran.is_some()).count();
    println!("{passed} passed, 0 failed, {} not run", results.len() - passed);
    Ok(())
}

impl Suite {
    fn run(&self) -> anyhow::Result<Option<Ran>> {
        if let Some(tool) = self.needs.filter(|tool| !tool.is_there()) {
            println!("== {}: NOT RUN: {} is not installed", self.name, tool.name);
            return Ok(None);
        }
        println!("== {}: {}", self.name, self.command);
        let words: Vec<&str> = self.command.split_whitespace().collect();
        let started = Instant::now();
        let (status, again) = match self.again {
            true => again::run(&words, &mut std::io::stdout())?,
            false => (command::status(words[0], &words[1..])?, vec![]),
        };
        let took = started.elapsed();
        let how = if status.success() { "passed" } else { "FAILED" };
        println!("== {}: {how} in {:.1} s", self.name, took.as_secs_f64());
        Ok(Some(Ran { passed: status.success(), took, again }))
    }
}

impl Tool {
    fn is_there(self) -> bool {
        let mut probe = Command::new(self.probe[0]);
        probe.args(&self.probe[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    }
}

fn table(results: &[(&Suite, Option<Ran>)]) {
    println!("\n{:>8}  suite", "seconds");
    for (suite, ran) in results {
        match ran {
            Some(ran) => println!("{:>8.1}  {}", ran.took.as_secs_f64(), suite.name),
            None => println!("{:>8}  {}", "not run", suite.name),
        }
    }
    let ran = || results.iter().filter_map(|(_, ran)| ran.as_ref());
    println!("{:>8.1}  together\n", ran().map(|ran| ran.took).sum::<Duration>().as_secs_f64());
    for test in ran().flat_map(|ran| &ran.again) {
        println!("UNSTEADY: {test} failed among the others and was run again, alone");
    }
}
