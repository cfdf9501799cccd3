//! Marked values go in through every door there is; then the real command looks for them in everything that the engine can write,
//! in what passed its port, in what a crash left, and in its memory.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use consentry_tests::capture::Capture;
use consentry_tests::journey::{Events, Journey};
use consentry_tests::node::binary;
use consentry_tests::service::next;
use online_service::receiver::Taken;
use sample_bank::{Change, JULIE, SiteState};

use super::{EVENT, LOGIN, World};

/// Long enough that its tail outlives a `free`, and nobody's.
const WRONG: &str = "a-password-nobody-has-0123456789-Canary-Tail-7!";

/// People come through a door that records.
struct Doors {
    world: World,
    capture: Capture,
}

impl Doors {
    async fn new(world: World) -> Self {
        let to: SocketAddr = world.node.url.trim_start_matches("http://").parse().unwrap();
        let capture = Capture::start(to, &world.node.path("capture")).await.unwrap();
        Self { world, capture }
    }

    async fn agreed(&self) -> (Journey, Events) {
        let asked = self.world.service.ask(&self.world.node).await.unwrap();
        let person = Journey::new(&self.capture.url, asked.session(), asked.token()).unwrap();
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        person.agree(&notice).await.unwrap();
        let events = person.events(0).await.unwrap();
        (person, events)
    }

    /// A wrong password, then the right one, a one-time password, a document, a delivery. Gives the one-time password.
    async fn collected(&mut self) -> String {
        let mut told = self.world.listen().await;
        self.world.ask_otp();
        let (person, mut events) = self.agreed().await;
        person.log_in(&[("login", JULIE.login), ("password", WRONG)]).await.unwrap();
        events.until("collecting", EVENT).await.unwrap();
        events.until("awaiting-credentials", EVENT).await.unwrap();
        person.log_in(&LOGIN).await.unwrap();
        let question = events.question(EVENT).await.unwrap();
        let code = self.world.answer(&person, &question).await;
        events.until("in-review", EVENT).await.unwrap();
        person.preview().await.unwrap();
        person.share(&[]).await.unwrap();
        assert!(matches!(next(&mut told, EVENT).await.unwrap(), Ok(Taken::Received(..))));
        events.until("completed", EVENT).await.unwrap();
        code
    }

    /// The site is another one than the connector knows.
    async fn failed(&self) {
        self.world.bank.change(Change { ask_otp: Some(false), state: Some(SiteState::BotWall), ..Change::default() });
        let (person, mut events) = self.agreed().await;
        person.log_in(&LOGIN).await.unwrap();
        events.until("failed", EVENT).await.unwrap();
        self.world.bank.change(Change { state: Some(SiteState::Ok), ..Change::default() });
    }

    /// The engine crashes while somebody looks at what was found. A core is written where the machine writes them.
    async fn crashed(&mut self) {
        let (person, mut events) = self.agreed().await;
        person.log_in(&LOGIN).await.unwrap();
        events.until("in-review", EVENT).await.unwrap();
        drop((person, events));
        tokio::task::block_in_place(|| self.world.node.abort()).unwrap();
        tokio::task::block_in_place(|| self.world.node.serve()).unwrap();
    }

    /// Runs the real command.
    fn look(&self, values: &[&str], arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("consentry").unwrap());
        command.args(["canary", "--values", "-"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(values.join("\n").as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn nothing_found(&self, values: &[&str], arguments: &[&str]) {
        let looked = self.look(values, arguments);
        let told = String::from_utf8_lossy(&looked.stdout).into_owned() + &String::from_utf8_lossy(&looked.stderr);
        println!("{told}");
        assert!(looked.status.success(), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planted_is_in_no_file_no_capture_and_no_memory() {
    let mut doors = Doors::new(World::new().await).await;
    let code = doors.collected().await;
    doors.failed().await;
    let folder = doors.world.node.path("").display().to_string();
    // The secrets are nowhere, the port of the engine included.
    let secrets = [JULIE.password, WRONG, code.as_str()];
    doors.nothing_found(&secrets, &["--in", &folder]);
    // What was found at the bank passed the port, to the person (her number stands in it, too); it is in no file of the engine.
    let collected = [JULIE.login, JULIE.last_name, JULIE.email, JULIE.accounts[0].iban];
    let config = doors.world.node.path("consentry.toml").display().to_string();
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| doors.world.node.path(name).display().to_string());
    doors.nothing_found(&collected, &["--config", &config, "--in", &stdout, "--in", &stderr]);
    assert!(!doors.look(&collected, &["--in", &folder]).status.success(), "the capture has what the person saw");
    doors.crashed().await;
    doors.nothing_found(&secrets, &["--in", &folder]);
    doors.nothing_found(&collected, &["--config", &config, "--in", &stdout, "--in", &stderr]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_planted_is_in_no_memory_after_the_session() {
    let mut doors = Doors::new(World::new().await).await;
    doors.collected().await;
    let process = doors.world.node.process().unwrap().to_string();
    doors.nothing_found(&[JULIE.password, WRONG], &["--process", &process]);
    // What is there is found.
    assert!(!doors.look(&["privacy@operator.example"], &["--process", &process]).status.success());
}

/// Run by `cargo xtask leaky`, which builds an engine that leaks on purpose.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an engine that was built to leak"]
async fn an_engine_that_leaks_is_caught() {
    let mut world = World::prepared().await;
    world.node.use_program("consentry-leaky");
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let doors = Doors::new(world).await;
    let (person, mut events) = doors.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    let folder = doors.world.node.path("").display().to_string();
    let process = doors.world.node.process().unwrap().to_string();
    let looked = doors.look(&[JULIE.password], &["--in", &folder, "--process", &process]);
    let told = String::from_utf8_lossy(&looked.stdout);
    assert_eq!(looked.status.code(), Some(1), "{told}");
    for place in ["stderr", "data/leak", "/mem at "] {
        assert!(told.lines().any(|line| line.starts_with("FOUND") && line.contains(place)), "{place}: {told}");
    }
    assert!(!told.contains(JULIE.password));
}
