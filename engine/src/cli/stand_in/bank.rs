//! The Data Source: a program that has a site and a control port, as `sample-bank` has. What its customer has, it says
//! itself, so nothing of them stands in this program. It ends with this one, however that ends.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::Asked;

/// How many operations its customer has: enough for a page.
const OPERATIONS: u32 = 20;

/// A bank that runs. Dropping it ends it.
pub(in crate::cli) struct Bank {
    child: Child,
    pub(in crate::cli) site: SocketAddr,
    pub(in crate::cli) control: SocketAddr,
}

/// A state that its site can be in.
#[derive(Deserialize)]
pub(in crate::cli) struct State {
    #[serde(rename = "state")]
    pub(in crate::cli) name: String,
    /// What the site then does.
    pub(in crate::cli) doc: String,
}

/// What a customer types, and what a site shows of them.
#[derive(Deserialize)]
pub(in crate::cli) struct Customer {
    pub(in crate::cli) login: String,
    pub(in crate::cli) password: String,
    /// Of the bank's online branch.
    pub(in crate::cli) code: String,
    pub(in crate::cli) shown: Vec<String>,
}

impl Bank {
    /// Starts the program with its site and its control port at these addresses; port 0 takes any free one.
    pub(in crate::cli) fn start(program: &Path, [site, control]: [SocketAddr; 2]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["--listen", &site.to_string(), "--control", &control.to_string(), "--until-input-ends"])
            .args(["--operations", &OPERATIONS.to_string()])
            // The end of this pipe is the end of this process, and the terminal's interrupt is not the bank's: it ends after who asks it.
            .stdin(Stdio::piped())
            .process_group(0)
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
    pub(in crate::cli) fn customer(&self) -> anyhow::Result<Customer> {
        let asked = Asked { method: "GET", path: "/customers", token: None, body: None };
        let mut all: Vec<Customer> = serde_json::from_slice(&asked.ask(self.control)?.good("the bank's customers")?)?;
        all.pop().context("the bank has no customer")
    }

    /// The values of the cookies of all sessions that are open at its site.
    pub(in crate::cli) fn cookies(&self) -> anyhow::Result<Vec<String>> {
        let asked = Asked { method: "GET", path: "/cookies", token: None, body: None };
        Ok(serde_json::from_slice(&asked.ask(self.control)?.good("the bank's cookies")?)?)
    }

    /// From now on its site is in this state, and asks for this code after a login.
    pub(in crate::cli) fn is(&self, state: &str, code: Option<&str>) -> anyhow::Result<()> {
        let mut change = json!({ "state": state, "ask_otp": code.is_some() });
        if let Some(code) = code {
            change["otp"] = Value::from(code);
        }
        self.change(&change)
    }

    /// Every state of its site.
    pub(in crate::cli) fn states(&self) -> anyhow::Result<Vec<State>> {
        let asked = Asked { method: "GET", path: "/states", token: None, body: None };
        Ok(serde_json::from_slice(&asked.ask(self.control)?.good("the bank's states")?)?)
    }

    /// Changes what is set of the bank.
    pub(in crate::cli) fn change(&self, change: &Value) -> anyhow::Result<()> {
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
