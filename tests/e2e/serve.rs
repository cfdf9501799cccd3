//! The real `consentry serve` as a child process, over HTTP: a bank, a person, an Online Service that honours the parcel's id.

use std::time::Duration;

use consentry_tests::journey::{Events, Journey, Reply, client, send};
use consentry_tests::node::{Node, free_address};
use consentry_tests::service::Service;
use online_service::endpoint::Told;
use sample_bank::{Change, JULIE, SampleBank};
use serde_json::Value;
use tokio::sync::mpsc;

mod browser;
mod canary;
mod crash;
mod delivery;
mod erase;
mod flow;
mod full;
mod keys;
mod killed;
mod lending;
mod log;
mod memory;
mod mount;
mod power_loss;
mod questions;
mod receipt;
mod refusals;
mod reports;
mod sealed;
mod suspension;
mod tls;
mod versions;

/// Longest wait for an event of a session. A collection of the sample bank takes two seconds in a build without optimisation.
pub(crate) const EVENT: Duration = Duration::from_secs(60);
/// Her values are nowhere by accident; her login is not in order, as a table of digits in a program is.
pub(crate) const LOGIN: [(&str, &str); 2] = [("login", JULIE.login), ("password", JULIE.password)];

/// A bank, an engine, and an Online Service that is not listening yet.
struct World {
    bank: SampleBank,
    service: Service,
    node: Node,
}

/// Asks the node, with a key if one is given.
async fn post(world: &World, path: &str, key: Option<&str>, body: Value) -> Reply {
    let mut request = client().unwrap().post(format!("{}{path}", world.node.url)).body(body.to_string());
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    send(request.header("content-type", "application/json")).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        // A test may stop it and start another one at the same address.
        let bank = SampleBank::start(free_address().unwrap(), any).await.unwrap();
        bank.change(Change { operations: Some([20, 0, 0]), ..Change::default() });
        let service = Service::new().unwrap();
        let registered = service.registered().unwrap();
        let node = tokio::task::block_in_place(|| Node::start(&bank.site_url, &registered)).unwrap();
        Self { bank, service, node }
    }

    /// The same, with an engine that is not started yet.
    async fn prepared() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let bank = SampleBank::start(any, any).await.unwrap();
        let service = Service::new().unwrap();
        let registered = service.registered().unwrap();
        let node = tokio::task::block_in_place(|| Node::prepare(&bank.site_url, &registered)).unwrap();
        Self { bank, service, node }
    }

    /// The bank asks for a code after the password: the collection stays where it is until it is answered.
    fn ask_otp(&self) {
        self.bank.change(Change { ask_otp: Some(true), ..Change::default() });
    }

    async fn listen(&mut self) -> mpsc::Receiver<Told> {
        self.service.listen(&self.node).await.unwrap()
    }

    /// A person who has read the notice and agreed.
    async fn agreed(&self) -> (Journey, Events) {
        let person = self.service.ask(&self.node).await.unwrap();
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        person.agree(&notice).await.unwrap();
        let events = person.events().await.unwrap();
        (person, events)
    }

    /// A person who waits for the code of the bank.
    async fn asked(&self) -> (Journey, Events, Value) {
        self.ask_otp();
        let (person, mut events) = self.agreed().await;
        person.log_in(&LOGIN).await.unwrap();
        let question = events.question(EVENT).await.unwrap();
        (person, events, question)
    }

    /// A person who looks at what was found.
    async fn in_review(&self) -> (Journey, Events) {
        let (person, mut events) = self.agreed().await;
        person.log_in(&LOGIN).await.unwrap();
        events.until("in-review", EVENT).await.unwrap();
        (person, events)
    }

    async fn answer(&self, person: &Journey, question: &Value) -> String {
        let code = self.bank.last_otp().expect("the bank sent a code");
        let field = question["fields"][0]["name"].as_str().expect("the question names a field");
        person.answer(question["question"].as_str().unwrap(), &[(field, &code)]).await.unwrap();
        code
    }

    /// Kills the engine as a power cut would, and starts it again.
    fn kill_and_restart(&mut self) {
        tokio::task::block_in_place(|| {
            self.node.kill().unwrap();
            self.node.serve().unwrap();
        });
    }
}
