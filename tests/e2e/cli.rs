//! The `consentry` command as people and scripts call it: what it prints where, and how it exits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use consentry::collect::signature::unsigned;
use consentry::jose::{Algorithm, PublicKey};
use consentry::receipt::Receipt;
use consentry_tests::node::{Node, binary, connector, free_address};
use consentry_tests::service::{ID, Service, next};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use online_service::receiver::Taken;
use sample_bank::{Change, JULIE, SampleBank};
use serde_json::{Value, json};

mod failures;
mod papers;
mod terminal;
mod trust;

/// The longest that one call may take; a collection takes three seconds in a build without optimisation.
const WITHIN: Duration = Duration::from_secs(90);

/// What a call left behind.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Called {
    /// The one JSON object on standard output.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Calls the binary; nobody sits at a terminal.
pub(super) async fn call(arguments: Vec<String>) -> Called {
    let child = Command::new(binary("consentry").unwrap())
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = Pid::from_raw(child.id().try_into().unwrap());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    let Ok(output) = tokio::time::timeout(WITHIN, ended).await else {
        kill(id, Signal::SIGKILL).unwrap();
        panic!("{arguments:?} took too long");
    };
    let output = output.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Called { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub(super) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A bank, and a folder for what is delivered.
struct Desk {
    bank: SampleBank,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        // A test may stop it and start another one at the same address.
        let bank = SampleBank::start(free_address().unwrap(), any).await.unwrap();
        bank.change(Change { operations: Some([5, 0, 0]), ..Change::default() });
        Self { bank, folder: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("parcel.json")
    }

    /// `collect` from the bank to the file, with these flags more.
    fn collect(&self, more: &str) -> Vec<String> {
        let connectors = connector("sample-bank").unwrap();
        let mut arguments = words("collect --connector sample-bank --source sample-bank --development --base");
        arguments.push(self.bank.site_url.clone());
        arguments.extend(["--connectors".to_owned(), connectors.parent().unwrap().display().to_string()]);
        arguments.extend(["--trust".to_owned(), connectors.with_file_name("developer.pub").display().to_string()]);
        arguments.extend(["--out".to_owned(), self.out().display().to_string()]);
        arguments.extend(words(more));
        arguments
    }
}

/// Everything that a script gives for a login that works.
fn login() -> String {
    format!("--yes --json --field login={} --field password={}", JULIE.login, JULIE.password)
}

fn failure(called: &Called) -> (Option<i32>, Value) {
    (called.code, called.json()["failure"]["code"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_a_file_a_receipt_and_nothing_else() {
    let desk = Desk::new().await;
    let called = call(desk.collect(&format!("{} --answer shoe-size=43", login()))).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(called.err.contains("shoe-size was given, and nobody asked for it"), "{}", called.err);
    let told = called.json();
    assert_eq!((&told["status"]["state"], &told["file"]), (&json!("completed"), &json!(desk.out())));
    let receipt = &told["receipts"][0];
    assert_eq!((&receipt["facts"]["outcome"], &receipt["facts"]["kept"]), (&json!("delivered"), &json!([])));
    // The keys that it is checked with came with it: they die with the command.
    let keys = told["jwks"]["keys"].as_array().unwrap();
    let keys: Vec<PublicKey> =
        keys.iter().map(|key| PublicKey::from_jwk(&key.to_string(), Algorithm::Ps256).unwrap()).collect();
    Receipt::verify(receipt["token"].as_str().unwrap(), &keys).unwrap();
    let parcel: Value = serde_json::from_slice(&std::fs::read(desk.out()).unwrap()).unwrap();
    assert_eq!(parcel["schema"], "urn:consentry:schema:parcel:0.1");
    let items = parcel["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["fields"]["iban"] == JULIE.accounts[0].iban));
    let said = called.out + &called.err;
    for value in [JULIE.password, JULIE.login, JULIE.accounts[0].iban, JULIE.email] {
        assert!(!said.contains(value), "a value of the person was printed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_can_be_chosen_and_left_out() {
    let desk = Desk::new().await;
    let more = "--category person.name --category person.email --category bank.account --without person.email";
    let called = call(desk.collect(&format!("{} {more}", login()))).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    let parcel: Value = serde_json::from_slice(&std::fs::read(desk.out()).unwrap()).unwrap();
    let categories: Vec<&str> =
        parcel["items"].as_array().unwrap().iter().filter_map(|i| i["category"].as_str()).collect();
    assert_eq!(categories, ["person.name", "bank.account", "bank.account", "bank.account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_the_persons_turn() {
    let desk = Desk::new().await;
    let wrong = format!("--yes --json --field login={} --field password=Wrong-Horse-0!", JULIE.login);
    let called = call(desk.collect(&wrong)).await;
    assert_eq!(failure(&called), (Some(10), json!("credentials-rejected")), "{called:?}");
    assert!(!desk.out().exists() && called.json()["file"].is_null());
    assert!(!called.out.contains("Wrong-Horse") && !called.err.contains("Wrong-Horse"), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_another_form_goes_nowhere_and_nobody_is_said_to_have_refused_it() {
    let desk = Desk::new().await;
    let called = call(desk.collect("--yes --json --field login=abc --field password=Correct-Horse-7!")).await;
    assert_eq!(failure(&called), (Some(10), json!("secret-unusable")), "{called:?}");
    assert_eq!(called.json()["receipts"][0]["facts"]["code"], "secret-unusable");
    assert!(desk.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_and_can_not_be_used_is_said_before_the_login() {
    let desk = Desk::new().await;
    for (more, told) in [
        ("--field shoe-size=43", "--field shoe-size: the login of Banque du Vallon asks for login, password"),
        ("--category person.name --without bank.account", "--without bank.account: it is not among what is asked for"),
    ] {
        let called = call(desk.collect(&format!("{} {more}", login()))).await;
        assert_eq!(called.code, Some(1), "{called:?}");
        assert!(called.json()["error"].as_str().unwrap().contains(told), "{called:?}");
    }
    assert!(desk.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_given_by_a_flag_or_not_at_all() {
    let mut desk = Desk::new().await;
    desk.bank.change(Change { ask_otp: Some(true), ..Change::default() });
    let called = call(desk.collect(&login())).await;
    assert_eq!(failure(&called), (Some(10), json!("challenge-denied")), "{called:?}");
    let code = desk.bank.last_otp().unwrap();

    // The same bank again sends the same code: its tokens come from a generator that begins with the port.
    let address = desk.bank.site_url.trim_start_matches("http://").parse().unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    std::mem::replace(&mut desk.bank, SampleBank::start(any, any).await.unwrap()).stop().await;
    desk.bank = SampleBank::start(address, any).await.unwrap();
    desk.bank.change(Change { operations: Some([5, 0, 0]), ask_otp: Some(true), ..Change::default() });
    let called = call(desk.collect(&format!("{} --answer code={code}", login()))).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(desk.out().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_collected_without_a_yes() {
    let desk = Desk::new().await;
    let unasked = format!("--field login={} --field password={}", JULIE.login, JULIE.password);
    let called = call(desk.collect(&unasked)).await;
    assert_eq!(called.code, Some(1), "{called:?}");
    assert!(called.err.contains("--yes"), "{}", called.err);
    assert!(called.err.contains("Your rights"), "the notice is shown: {}", called.err);
    assert!(desk.bank.requests().is_empty() && !desk.out().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_is_the_sources_turn() {
    let mut desk = Desk::new().await;
    let arguments = desk.collect(&login());
    let any = "127.0.0.1:0".parse().unwrap();
    std::mem::replace(&mut desk.bank, SampleBank::start(any, any).await.unwrap()).stop().await;
    let called = call(arguments).await;
    assert_eq!(failure(&called), (Some(20), json!("source-unavailable")), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_written_is_said_and_leaves_nothing() {
    let desk = Desk::new().await;
    std::fs::create_dir(desk.out()).unwrap();
    let called = call(desk.collect(&login())).await;
    assert_eq!(called.code, Some(50), "{called:?}");
    assert!(called.err.contains("parcel.json can't be written"), "{}", called.err);
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_used_has_its_receipt_whatever_goes_wrong_here() {
    let desk = Desk::new().await;
    let nothing = desk.collect(&format!("{} --category person.name --without person.name", login()));
    let called = call(nothing).await;
    let told = called.json();
    assert!(told["error"].as_str().unwrap().contains("nothing to share"), "{told}");
    let facts = &told["receipts"][0]["facts"];
    assert_eq!((called.code, &facts["outcome"]), (Some(1), &json!("withdrawn")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cant_be_written_is_told_before_the_login_is_used() {
    let (desk, nowhere) = (Desk::new().await, "/proc/parcel.json");
    let arguments = desk.collect(&login()).join("\n").replace(&desk.out().display().to_string(), nowhere);
    let called = call(arguments.lines().map(str::to_owned).collect()).await;
    let told = called.json();
    assert!(told["error"].as_str().unwrap().contains("/proc/parcel.json can't be written"), "{told}");
    assert_eq!((called.code, &told["receipts"]), (Some(50), &Value::Null), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_online_service_fetches_while_the_command_waits() {
    let desk = Desk::new().await;
    let mut service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let node = tokio::task::block_in_place(|| Node::prepare(&desk.bank.site_url, &registered)).unwrap();
    let mut told = service.listen(&node).await.unwrap();
    let config = node.path("consentry.toml").display().to_string();
    let arguments = format!("collect {} --purpose tenant-check --online-service {ID} --config {config}", login());
    let called = call(words(&arguments)).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(matches!(next(&mut told, WITHIN).await.unwrap(), Ok(Taken::Received(..))));
}

/// A folder with one good connector and whatever else is put there.
fn folder_with(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(connector("sample-bank").unwrap(), folder.path().join("sample-bank.wasm")).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/sample-bank/manifest.toml")
}

/// The good connector with a text of its manifest replaced by one of the same length, and without a signature.
fn with_manifest(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = unsigned(&std::fs::read(connector("sample-bank").unwrap()).unwrap()).to_vec();
    let at = bytes.windows(from.len()).rposition(|window| window == from.as_bytes()).expect("it is in the manifest");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_connector_is_named_with_its_reason_and_spoils_no_other() {
    let good = std::fs::read(connector("sample-bank").unwrap()).unwrap();
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let line =
        std::fs::read_to_string(manifest()).unwrap().lines().position(|line| line == "kind = \"bank\"").unwrap() + 1;
    let kind = format!("line {line}, source[0].kind");
    let bad = [
        ("noise.wasm", b"not a component".to_vec(), "no WebAssembly component"),
        ("half.wasm", good[..good.len() / 2].to_vec(), "no WebAssembly component"),
        ("module.wasm", wat("(module)"), "core module"),
        (
            "wasi.wasm",
            wat(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#),
            "`wasi:cli/environment@0.2.0`",
        ),
        (
            "older.wasm",
            wat(r#"(component (import "consentry:connector/log@0.9.0" (instance)))"#),
            "this host serves version 0.1",
        ),
        ("kind.wasm", with_manifest("kind = \"bank\"", "kind = \"bonk\""), &kind),
        ("key.wasm", with_manifest("\ncountry = \"FR\"", "\ncuontry = \"FR\""), "cuontry"),
    ];
    let files: Vec<(&str, Vec<u8>)> = bad.iter().map(|(name, bytes, _)| (*name, bytes.clone())).collect();
    let folder = folder_with(&files);
    let listed = call(words(&format!("connector list --json {}", folder.path().display()))).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_eq!(listed.json().as_array().unwrap().len(), 1);
    for (name, _, reason) in &bad {
        let check = |text: &str| text.contains(name) && text.contains(reason);
        let path = folder.path().join(name).display().to_string();
        let checked = call(words(&format!("connector check {path}"))).await;
        assert!(checked.code == Some(1) && check(&checked.err), "{name}: {checked:?}");
        let told: Vec<&str> = listed.err.split("consentry: ").filter(|told| told.contains(name)).collect();
        assert!(told.len() == 1 && check(told[0]), "{name}: {told:?}");
    }

    let desk = Desk::new().await;
    let mut arguments = desk.collect(&login());
    let at = arguments.iter().position(|word| word == "--connectors").unwrap();
    arguments[at + 1] = folder.path().display().to_string();
    let called = call(arguments).await;
    assert_eq!(called.code, Some(0), "{called:?}");
}

/// A component around code that is no code: the outer layer is whole and has its manifest, and a function returns nothing of
/// what it promises.
fn with_damaged_code() -> Vec<u8> {
    let text = r#"(component
        (core module $code (func (export "collect") (result i32)))
        (core instance $made (instantiate $code))
        (func (export "collect") (result u32) (canon lift (core func $made "collect"))))"#;
    with_section(wat::parse_str(text).unwrap(), &std::fs::read(manifest()).unwrap())
}

/// The component with this manifest.
fn with_section(mut bytes: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    let name = b"consentry:manifest";
    // A custom section: 0, its length in base 128, its name, its content.
    let length = name.len() + 1 + manifest.len();
    bytes.extend([0, length as u8 & 0x7f | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    bytes.push(name.len() as u8);
    bytes.extend(name);
    bytes.extend(manifest);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_whose_code_is_damaged_is_the_operators_turn() {
    let folder = folder_with(&[("sample-bank.wasm", with_damaged_code())]);
    let desk = Desk::new().await;
    let mut arguments = desk.collect(&format!("{} --unsigned", login()));
    let at = arguments.iter().position(|word| word == "--connectors").unwrap();
    arguments[at + 1] = folder.path().display().to_string();
    let called = call(arguments).await;
    assert_eq!(failure(&called), (Some(40), json!("incompatible-world")), "{called:?}");
    assert!(called.err.contains("type mismatch"), "the log says why: {}", called.err);
    assert!(desk.bank.requests().is_empty());
    let path = folder.path().join("sample-bank.wasm").display().to_string();
    let checked = call(words(&format!("connector check {path}"))).await;
    assert!(checked.code == Some(1) && checked.err.contains("type mismatch"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_connector_category_or_flag_is_said_with_what_to_do() {
    let help = call(words("collect --help")).await;
    assert!(help.out.contains("Exit codes") && help.out.contains("50  the recipient's"), "{}", help.out);
    let desk = Desk::new().await;
    let folder = connector("sample-bank").unwrap().parent().unwrap().display().to_string();
    let out = desk.out().display().to_string();
    for (arguments, code, told) in [
        (
            format!("collect --connectors {folder} --connector no-bank --out {out} --yes --json"),
            1,
            "consentry connector list",
        ),
        (format!("collect --connectors {folder}/none --out {out} --yes --json"), 1, "can't be read"),
        (format!("collect --connectors {folder} --category shoe.size --out {out}"), 2, "shoe.size"),
        (format!("collect --connectors {folder}"), 2, "--out"),
        (format!("collect --connectors {folder} --out {out} --base http://127.0.0.1:1"), 2, "--development"),
        ("collect --config /nowhere.toml --out x".to_owned(), 1, "/nowhere.toml can't be read"),
    ] {
        let called = call(words(&arguments)).await;
        assert!(called.code == Some(code) && called.err.contains(told), "{arguments}: {called:?}");
    }
}

/// A configuration that is in order, and the folder it stands in.
async fn configuration() -> (Node, String) {
    let service = Service::new().unwrap().registered().unwrap();
    let node = tokio::task::block_in_place(|| Node::prepare("http://127.0.0.1:9", &service)).unwrap();
    let text = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    (node, text)
}

async fn check_config(node: &Node, text: &str) -> Called {
    let path: &Path = &node.path("consentry.toml");
    std::fs::write(path, text).unwrap();
    call(words(&format!("config check {}", path.display()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused_by_line_and_key() {
    let (node, good) = configuration().await;
    assert_eq!(check_config(&node, &good).await.code, Some(0));
    let told = call(words(&format!("config check --json {}", node.path("consentry.toml").display()))).await.json();
    assert_eq!((&told["node"], &told["online-services"]), (&json!("node-1"), &json!(1)), "{told}");
    let weak = r#"{"kty":"RSA","e":"AQAB","n":"wUBo9m0G0sM"}"#;
    std::fs::write(node.path("weak.jwk.json"), weak).unwrap();
    for (from, to, told) in [
        ("node = \"node-1\"", "node = \"node-1\"\nspeed = 9", vec!["line 3", "speed"]),
        ("sessions-max = 100", "sessions-max = \"many\"", vec!["line", "sessions-max"]),
        ("sessions-max = 100", "sessions-max = 0", vec!["api.sessions-max", "from 1"]),
        ("[keys]\n", "[kyes]\n", vec!["kyes"]),
        ("[events]\n", "[limits]\nrequestz = 5\n\n[events]\n", vec!["limits.requestz"]),
        ("\"service.jwk.json\"", "\"nothing.jwk.json\"", vec!["nothing.jwk.json", "can't be read"]),
        ("\"service.jwk.json\"", "\"weak.jwk.json\"", vec!["key-file", "4096"]),
        ("\"person.name\"", "\"person.shoe\"", vec!["line", "person.shoe"]),
        ("bearer-sha256 = \"", "bearer-sha256 = \"x", vec!["bearer-sha256", "64"]),
    ] {
        assert!(good.contains(from), "{from}");
        let called = check_config(&node, &good.replacen(from, to, 1)).await;
        let all = told.iter().all(|word| called.err.contains(word));
        assert!(called.code == Some(1) && all, "{to}: {called:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_keys_or_with_another_passphrase_says_what_to_do() {
    let (node, _) = configuration().await;
    let serve = format!("serve --config {}", node.path("consentry.toml").display());
    std::fs::write(node.path("passphrase"), "another one").unwrap();
    let called = call(words(&serve)).await;
    assert!(called.code == Some(4) && called.err.contains("passphrase"), "{called:?}");
    std::fs::remove_file(node.path("data/keys")).unwrap();
    let called = call(words(&serve)).await;
    assert!(called.code == Some(1) && called.err.contains("consentry keys generate"), "{called:?}");
}
