//! `consentry serve --sandbox`, started and used as an integrator does: by what it prints, over HTTP. Every fault login ends as the
//! printed table says, which is the one of the documentation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use consentry::jose::{Algorithm, PrivateKey};
use consentry_tests::child::Program;
use consentry_tests::journey::{Journey, client};
use consentry_tests::node::{binary, connector, free_address};
use online_service::engine::DataRequest;
use online_service::{Engine, Inbox, Receiver, endpoint};
use sample_bank::SiteState;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::serve::EVENT;

mod first_start;

/// Keys are made on first use.
const STARTS_WITHIN: Duration = Duration::from_secs(180);
/// Enough to meet every page of the bank that can fail.
const CATEGORIES: [&str; 3] = ["person.name", "bank.account", "bank.transaction"];

/// A sandbox that runs, and what it said.
struct Sandbox {
    #[expect(dead_code, reason = "it ends with this")]
    program: Program,
    engine: String,
    id: String,
    keys: [PathBuf; 2],
    control: String,
    login: [String; 2],
    code: String,
}

/// An address whose next two ports are free as well.
fn address() -> String {
    loop {
        let three = [(); 3].map(|()| free_address().unwrap());
        if three[0].port() + 2 == three[2].port() {
            return three[0].to_string();
        }
    }
}

fn command(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["serve", "--sandbox", "--folder"]).arg(folder).args(more);
    command
}

impl Sandbox {
    fn start(folder: &Path, more: &[&str], said: mpsc::UnboundedSender<String>) -> Self {
        let show = move |line: &str| drop(said.send(line.to_owned()));
        let program = Program::start("consentry", &mut command(folder, more), show).unwrap();
        let line = |word: &str| program.line(word, STARTS_WITHIN).unwrap();
        assert!(line("consentry: SANDBOX").contains("made up"));
        let (engine, id) = (line("engine "), line("id "));
        let keys = ["key-file ", "signing-key-file "].map(|word| PathBuf::from(line(word)));
        line("events ");
        let (control, login, code) = (line("control "), ["login ", "password "].map(line), line("code "));
        Self { program, engine, id, keys, control, login, code }
    }

    fn receiver(&self, inbox: &Path) -> Receiver {
        let key = |algorithm, path: &Path| PrivateKey::from_pkcs8(algorithm, &std::fs::read(path).unwrap()).unwrap();
        Receiver {
            engine: Engine::new(&self.engine, &self.id, key(Algorithm::Ps256, &self.keys[1])).unwrap(),
            id: self.id.clone(),
            key: key(Algorithm::RsaOaep256, &self.keys[0]),
            inbox: Inbox::open(inbox).unwrap(),
        }
    }

    async fn control(&self, method: reqwest::Method, path: &str) -> Value {
        let answer = client().unwrap().request(method, format!("{}{path}", self.control)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    /// Goes through a session with this password, doing all that is asked, and says how it ended: state and failure.
    async fn end(&self, receiver: &Receiver, password: &str) -> (String, String) {
        let request = DataRequest {
            purpose: "tenant-check".to_owned(),
            categories: CATEGORIES.map(str::to_owned).to_vec(),
            history_days: None,
            reference: None,
        };
        let session = receiver.engine.ask(&request).await.unwrap();
        assert!(session.url.unwrap().starts_with(&self.engine));
        let person = Journey::new(&self.engine, &session.id, &session.token).unwrap();
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        assert!(notice.to_string().contains("Consentry sandbox"), "{notice}");
        person.agree(&notice).await.unwrap();
        let mut events = person.events().await.unwrap();
        let login = [("login", self.login[0].as_str()), ("password", password)];
        person.log_in(&login).await.unwrap();
        let mut collecting = false;
        let state = loop {
            let event = events.next(EVENT).await.unwrap().expect("an end");
            let state = event["state"].as_str().unwrap_or_default();
            match event["type"].as_str().unwrap_or_default() {
                "question" => self.answer(&person, &event).await,
                "state" if state == "collecting" => collecting = true,
                // A login that was refused may be tried again, three times in all.
                "state" if state == "awaiting-credentials" && collecting => person.log_in(&login).await.unwrap(),
                "state" if state == "in-review" => person.share(&[]).await.unwrap(),
                "state" if ["completed", "partial", "failed"].contains(&state) => break state.to_owned(),
                _ => {}
            }
        };
        let standing = receiver.engine.session(&session.id).await.unwrap();
        let code = standing["failure"]["code"].as_str().unwrap_or("none").to_owned();
        (state, code)
    }

    async fn answer(&self, person: &Journey, question: &Value) {
        let Some(field) = question["fields"][0]["name"].as_str() else {
            self.control(reqwest::Method::POST, "/approve").await;
            return;
        };
        let value = match field {
            "characters" => {
                let shown = self.control(reqwest::Method::GET, "/last-captcha").await;
                shown["code"].as_str().unwrap().to_owned()
            }
            _ => self.code.clone(),
        };
        person.answer(question["question"].as_str().unwrap(), &[(field, &value)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrator_finds_every_failure_by_the_printed_logins() {
    let home = tempfile::tempdir().unwrap();
    let (folder, inbox) = (home.path().join("sandbox"), home.path().join("inbox"));
    let (listen, events) = (address(), free_address().unwrap());
    let url = format!("http://{events}{}", endpoint::PATH);
    let (bank, wasm) = (binary("sample-bank").unwrap(), connector("sample-bank").unwrap());
    let given = ["--bank", bank.to_str().unwrap(), "--connector", wasm.to_str().unwrap()];
    let more = [&given[..], &["--listen", &listen, "--events", &url]].concat();
    let (say, mut said) = mpsc::unbounded_channel();
    let sandbox = tokio::task::block_in_place(|| Sandbox::start(&folder, &more, say));
    let receiver = Arc::new(sandbox.receiver(&inbox));
    let (tell, _told) = mpsc::channel(64);
    let router = endpoint::router(receiver.clone(), tell);
    let listener = tokio::net::TcpListener::bind(events).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    // The table is printed last, and ends with an empty line.
    let mut table = vec![];
    while let Some(line) = said.recv().await {
        if line.starts_with('|') {
            table.push(line);
        } else if !table.is_empty() {
            break;
        }
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/integrate.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    assert!(docs.contains(&table.join("\n")), "docs/integrate.md is to have\n{}", table.join("\n"));
    assert_eq!(table.len() - 2, SiteState::TABLE.len(), "each state of the bank has its login");

    // Without a fault first, whose parcel is here.
    assert_eq!(sandbox.end(&receiver, &sandbox.login[1]).await, ("completed".into(), "none".into()));
    let parcels = std::fs::read_dir(&inbox).unwrap().count();
    assert_eq!(parcels, 1);
    let mut wrong = vec![];
    for row in &table[2..] {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let found = sandbox.end(&receiver, cells[0]).await;
        if (found.0.as_str(), found.1.as_str()) != (cells[1], cells[2]) {
            wrong.push(format!("{row}\n  ends as {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));

    // It dies with what it started, and goes on where it was.
    let control = sandbox.control.clone();
    let id = sandbox.id.clone();
    drop(sandbox);
    let gone = async {
        while client().unwrap().get(format!("{control}/state")).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(EVENT, gone).await.expect("the bank ends with a node that was killed");
    let (say, _said) = mpsc::unbounded_channel();
    let again = tokio::task::block_in_place(|| Sandbox::start(&folder, &given[..2], say));
    assert_eq!(again.id, id);
    drop(again);

    // What could reach somebody's real data is no sandbox.
    let config = folder.join("consentry.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (_, port) = listen.rsplit_once(':').unwrap();
    let base = format!("base = \"http://127.0.0.1:{}\"", port.parse::<u16>().unwrap() + 1);
    for (from, to) in [
        (base.as_str(), "base = \"https://bank.example\""),
        (base.as_str(), ""),
        ("development = true", "development = false"),
        ("[[source]]\n", "[[source]]\nproxy = \"http://192.0.2.1:8080\"\n"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
        let refused = command(&folder, &given[..2]).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success(), "{to}: {told}");
    }
    std::fs::write(&config, &text).unwrap();
    let refused = command(&folder, &["--listen", "127.0.0.1:1"]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--listen"), "{refused:?}");
}
