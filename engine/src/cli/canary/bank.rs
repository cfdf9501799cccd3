//! The Data Source of a drill: a program that has a site and a control port, as `sample-bank` has. What its customer has, it says
//! itself, so nothing of them stands in this program.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::Asked;

/// How many operations its customer has: enough for a page.
const OPERATIONS: u32 = 20;

/// A bank that runs. Dropping it ends it.
pub(super) struct Bank {
    child: Child,
    pub(super) site: SocketAddr,
    control: SocketAddr,
}

/// What a customer types, and what a site shows of them.
#[derive(Deserialize)]
pub(super) struct Customer {
    pub(super) login: String,
    pub(super) password: String,
    /// Of the bank's online branch.
    pub(super) code: String,
    pub(super) shown: Vec<String>,
}

impl Bank {
    /// Starts the program on two free ports.
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--operations", &OPERATIONS.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} can't be started", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is a pipe")?).lines();
        let mut address = |word: &str| -> anyhow::Result<SocketAddr> {
            let line = lines.next().context("the bank ended")??;
            let url = line.strip_prefix(word).map(|rest| rest.trim().trim_start_matches("http://"));
            url.and_then(|address| address.parse().ok()).with_context(|| format!("the bank does not say its {word}"))
        };
        let (site, control) = (address("site")?, address("control")?);
        Ok(Self { child, site, control })
    }

    /// Its last customer, whose values stand nowhere by accident.
    pub(super) fn customer(&self) -> anyhow::Result<Customer> {
        let asked = Asked { method: "GET", path: "/customers", token: None, body: None };
        let mut all: Vec<Customer> = serde_json::from_slice(&asked.ask(self.control)?.good("the bank's customers")?)?;
        all.pop().context("the bank has no customer")
    }

    /// From now on its site is in this state, and asks for this code after a login.
    pub(super) fn is(&self, state: &str, code: Option<&str>) -> anyhow::Result<()> {
        let mut change = json!({ "state": state, "ask_otp": code.is_some() });
        if let Some(code) = code {
            change["otp"] = Value::from(code);
        }
        let change = change.to_string();
        let body = Some(("application/json", change.as_str()));
        Asked { method: "PUT", path: "/state", token: None, body }.ask(self.control)?.good("the bank's state").map(drop)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
