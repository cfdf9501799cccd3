//! One collection from request to receipt, with everything shown: a bank, an engine and an Online Service as three programs on
//! loopback, and a person who agrees, logs in, types the code of a text message, looks, and shares. Ends well only if all of
//! it happened.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use consentry::jose::{Algorithm, PublicKey};
use consentry::receipt::{Facts, Receipt};
use consentry_tests::child::Program;
use consentry_tests::journey::{self, Journey};
use consentry_tests::node::{CATEGORIES, Node, Registered, binary, free_address};
use sample_bank::MARIE;
use serde_json::{Value, json};

mod interrupt;
mod screen;

use interrupt::Interrupt;
use screen::{by, step};

/// The longest that all of it may take, from the first program started.
const WHOLE: Duration = Duration::from_secs(240);
/// The longest wait for a program's line.
const SOON: Duration = Duration::from_secs(30);
/// The longest wait for the next event of a collection.
const EVENT: Duration = Duration::from_secs(60);
const SERVICE: &str = "osv_01JD8Z3M7K0000000000000000";

const HELP: &str = "\
Shows one collection from request to receipt: a bank, an engine and an Online Service on loopback, and a person. Ctrl-C ends it.

Usage: demo

It starts the programs that `cargo xtask demo` builds, writes to a temporary folder, and leaves nothing.
";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("the demo takes no {other:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(run());
        runtime.shutdown_background();
        ended
    });
    ended.unwrap_or_else(|error| {
        eprintln!("\nthe demo failed: {error:#}");
        ExitCode::FAILURE
    })
}

/// The demo, unless it takes too long or somebody ends it. However it ends, its programs end and its folders go with it.
async fn run() -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::listen()?;
    let ended = tokio::select! {
        biased;
        came = interrupt.came() => came,
        ended = tokio::time::timeout(WHOLE, demo()) => {
            ended.unwrap_or_else(|_| bail!("it took longer than {} s", WHOLE.as_secs()))
        }
    };
    match interrupt.exit_code() {
        Some(code) => {
            eprintln!("\nthe demo was interrupted; nothing of it is left");
            Ok(ExitCode::from(code))
        }
        None => ended.map(|()| ExitCode::SUCCESS),
    }
}

async fn demo() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    step("Three programs start, on loopback");
    let (_bank_runs, bank, control) = start_bank()?;
    let (service, bearer) = register(folder.path())?;
    let node = Node::start(&bank, &service)?;
    by("consentry", &format!("serves {}", node.url));

    step("The Online Service asks for data; the person gets a link");
    let mut receiver = start_service(folder.path(), &node, &service)?;
    let session = receiver.line("session", SOON)?;
    let token = receiver.line("token", SOON)?;
    let person = Journey::new(&node.url, &session, &token)?;

    let events = collect(&person, &control).await?;
    let receipt = share(&person, &mut receiver, events).await?;
    step("The person's receipt");
    let receipt = Receipt::verify(&receipt, &signing_keys(&node).await?)?;
    screen::receipt(receipt.facts());
    ensure!(receipt.facts().outcome == "delivered", "the receipt says {}", receipt.facts().outcome);
    step("What is left at the engine");
    erased(&node, &bearer, receipt.facts()).await?;
    println!("\nDelivered, acknowledged, erased, with a receipt.");
    Ok(())
}

fn start_bank() -> anyhow::Result<(Program, String, String)> {
    let mut command = Command::new(binary("sample-bank")?);
    command.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--ask-otp"]);
    let bank = Program::start("sample-bank", &mut command, |line| by("bank", line))?;
    let (site, control) = (bank.line("site", SOON)?, bank.line("control", SOON)?);
    Ok((bank, site, control))
}

/// Makes the Online Service's keys, and says what the engine's configuration must know of it.
fn register(folder: &Path) -> anyhow::Result<(Registered, String)> {
    let made =
        Command::new(binary("online-service")?).arg("key").arg("--key-file").arg(folder.join("key.der")).output()?;
    ensure!(made.status.success(), "no key: {}", String::from_utf8_lossy(&made.stderr));
    let bearer = consentry::entropy::Entropy::system().with(|rng| {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    std::fs::write(folder.join("signer.der"), consentry_tests::service::signer()?.danger_to_pkcs8())?;
    let address = free_address()?;
    let service = Registered {
        id: SERVICE.to_owned(),
        jwk: String::from_utf8(made.stdout)?,
        events: format!("http://{address}{}", online_service::endpoint::PATH),
        bearer_sha256: consentry::online_service::KeyHash::of(&bearer).to_hex(),
        signer: consentry_tests::service::signer()?.public().to_jwk().to_string(),
        commitments: consentry_tests::service::commitments(SERVICE)?,
    };
    Ok((service, bearer))
}

fn start_service(folder: &Path, node: &Node, service: &Registered) -> anyhow::Result<Program> {
    let listen = service.events.trim_start_matches("http://").trim_end_matches(online_service::endpoint::PATH);
    let mut command = Command::new(binary("online-service")?);
    command.args(["ask", "--engine", &node.url, "--id", SERVICE, "--listen", listen, "--reference", "application-7"]);
    command.arg("--signing-key-file").arg(folder.join("signer.der")).arg("--key-file").arg(folder.join("key.der"));
    command.arg("--inbox").arg(folder.join("inbox"));
    command.args(CATEGORIES.iter().flat_map(|category| ["--category", category]));
    // Token and link are the person's; a terminal is no place for them.
    let show = |line: &str| {
        let hidden = [("token", "token      (goes to the person's browser)"), ("link", "link       (the same)")];
        by("service", hidden.iter().find(|(word, _)| line.starts_with(word)).map_or(line, |(_, told)| told));
    };
    Program::start("online-service", &mut command, show)
}

/// The person's part up to the review.
async fn collect(person: &Journey, control: &str) -> anyhow::Result<journey::Events> {
    step("The person chooses a source and reads the notice");
    let sources = person.sources().await?;
    let source = &sources[0];
    by("person", &format!("chooses {}", source["name"]));
    let (connector, id) = (text(source, "connector")?, text(source, "source")?);
    let notice = person.choose(connector, id).await?;
    screen::notice(&notice);

    step("The person agrees and logs in; login and password are encrypted in the browser");
    person.agree(&notice).await?;
    let mut events = person.events().await?;
    person.log_in(&[("login", MARIE.login), ("password", MARIE.password)]).await?;
    by("person", "login and password sent as one JWE (RSA-OAEP-256, A256GCM, RSA-4096)");

    step("The connector works in its sandbox; the bank asks for a code");
    while let Some(event) = events.next(EVENT).await? {
        screen::event(&event);
        match (event["type"].as_str(), event["state"].as_str()) {
            (Some("question"), _) => answer(person, control, &event).await?,
            (Some("state"), Some("in-review")) => return Ok(events),
            (Some("state"), Some(state @ ("failed" | "expired" | "withdrawn"))) => bail!("the session ended: {state}"),
            _ => {}
        }
    }
    bail!("the events ended before the review")
}

async fn answer(person: &Journey, control: &str, question: &Value) -> anyhow::Result<()> {
    ensure!(question["kind"] == "otp", "asked for something else than a code: {}", question["kind"]);
    let sent = journey::send(journey::client()?.get(format!("{control}/last-otp"))).await?.good()?;
    let code = text(&sent, "code")?;
    let name = question["fields"][0]["name"].as_str().context("the question names a field")?;
    person.answer(text(question, "question")?, &[(name, code)]).await?;
    by("person", "the code of the text message, sent encrypted like the password");
    Ok(())
}

/// Preview, share, delivery, receipt.
async fn share(person: &Journey, receiver: &mut Program, mut events: journey::Events) -> anyhow::Result<String> {
    step("The person looks at what was found, leaves one item out, and shares the rest");
    let preview = person.preview().await?;
    screen::preview(&preview);
    person.share(&[0]).await?;
    let mut seen = vec![];
    while let Some(event) = events.next(EVENT).await? {
        screen::event(&event);
        seen.push(json!([event["type"], event["state"]]));
    }
    ensure!(seen.contains(&json!(["state", "completed"])), "the session did not complete: {seen:?}");
    let status = receiver.ended(SOON)?;
    ensure!(status.success(), "the Online Service ended with {status}");
    let receipts = person.receipts().await?;
    let last = receipts.last().context("there is a receipt")?;
    Ok(text(last, "receipt")?.to_owned())
}

/// The published keys that receipts are signed with.
async fn signing_keys(node: &Node) -> anyhow::Result<Vec<PublicKey>> {
    let jwks = journey::send(journey::client()?.get(format!("{}/v1/keys", node.url))).await?.good()?;
    let keys = jwks["keys"].as_array().context("a JWKS")?.iter().filter(|key| key["use"] == "sig");
    Ok(keys.map(|key| PublicKey::from_jwk(&key.to_string(), Algorithm::Ps256)).collect::<Result<_, _>>()?)
}

/// The parcel is gone, and nothing of the person is in any file of the engine.
async fn erased(node: &Node, bearer: &str, receipt: &Facts) -> anyhow::Result<()> {
    let parcel = receipt.parcel.as_ref().context("the receipt names the parcel")?.id;
    let request = journey::client()?.get(format!("{}/v1/parcels/{parcel}", node.url)).bearer_auth(bearer);
    let answer = journey::send(request).await?;
    ensure!(answer.status.as_u16() == 410, "the parcel is still there: {}", answer.status);
    by("consentry", &format!("GET /v1/parcels/{parcel}: 410 Gone, {}", answer.json()["title"]));
    let values = [MARIE.password, MARIE.accounts[0].iban, MARIE.last_name, MARIE.email];
    let searched = consentry_tests::canary::search(&node.path(""), &values)?;
    ensure!(searched.found.is_empty(), "found in clear: {:?}", searched.found);
    let (files, bytes) = (searched.files, searched.bytes);
    by(
        "consentry",
        &format!("password, IBAN, name and e-mail: in none of {files} files ({bytes} bytes) of its folder and logs"),
    );
    Ok(())
}

fn text<'a>(value: &'a Value, member: &str) -> anyhow::Result<&'a str> {
    value[member].as_str().with_context(|| format!("`{member}` is there"))
}
