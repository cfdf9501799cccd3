//! What an author looks with: a manifest proposed from a browser's recording of a real site, pages tried in the shell, what two versions differ in.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use consentry_contract::manifest::Manifest;
use consentry_tests::collecting::connector_path;
use consentry_tests::node::binary;
use sample_bank::{MARIE, SampleBank};
use serde_json::{Value, json};

use super::{consentry, root};

async fn bank() -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    SampleBank::start(any, any).await.unwrap()
}

/// A visit of the bank, kept as a browser keeps it: every value of it.
struct Visit {
    client: reqwest::Client,
    base: String,
    cookie: String,
    entries: Vec<Value>,
}

impl Visit {
    async fn to(bank: &SampleBank) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, base: bank.site_url.clone(), cookie: String::new(), entries: Vec::new() }
    }

    async fn ask(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        let url = format!("{}{path}", self.base);
        let mut request = if form.is_empty() { self.client.get(&url) } else { self.client.post(&url) };
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        if !form.is_empty() {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.clone());
        }
        let answer = request.header("cookie", &self.cookie).send().await.unwrap();
        let headers: Vec<Value> = answer
            .headers()
            .iter()
            .map(|(name, value)| json!({ "name": name.as_str(), "value": value.to_str().unwrap() }))
            .collect();
        if let Some(set) = answer.headers().get("set-cookie") {
            self.cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let text = answer.text().await.unwrap();
        let params: Vec<Value> = form.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let data = (!form.is_empty())
            .then(|| json!({ "mimeType": "application/x-www-form-urlencoded", "text": body, "params": params }));
        let kind = kind.map_or(String::new(), |kind| kind.to_str().unwrap().to_owned());
        self.entries.push(json!({
            "request": {
                "method": if form.is_empty() { "GET" } else { "POST" }, "url": url, "postData": data,
                "headers": [{ "name": "cookie", "value": self.cookie }], "cookies": [], "queryString": [],
            },
            "response": { "status": status, "headers": headers, "content": { "mimeType": kind, "text": text } },
        }));
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_recording_proposes_a_manifest_and_no_value_of_it_is_anywhere() {
    let bank = bank().await;
    let mut visit = Visit::to(&bank).await;
    let page = visit.ask("/login", &[]).await;
    let token =
        page.split("name=\"jeton\"").nth(1).unwrap().split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    visit.ask("/login", &[("identifiant", MARIE.login), ("motdepasse", MARIE.password), ("jeton", token)]).await;
    for path in ["/accounts", "/profile", "/documents"] {
        visit.ask(path, &[]).await;
    }
    let token = token.to_owned();
    let session = visit.cookie.split('=').nth(1).unwrap().to_owned();
    let whole = visit.entries.iter().map(Value::to_string).collect::<String>();
    let account = MARIE.accounts[0].iban;
    let grouped =
        account.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap()).collect::<Vec<_>>().join(" ");
    let values = [MARIE.login, MARIE.password, "Dupont", "69002", &token, &session, &grouped];
    // They are in there, all of them.
    values.iter().for_each(|value| assert!(whole.contains(value), "{value}"));
    let folder = tempfile::tempdir().unwrap();
    let har = json!({ "log": { "version": "1.2", "entries": visit.entries } });
    std::fs::write(folder.path().join("bank.har"), har.to_string()).unwrap();
    let (made, told) = consentry(folder.path(), &["connector", "new", "my-bank", "--from-har", "bank.har"]);
    assert!(made, "{told}");
    let proposed = std::fs::read_to_string(folder.path().join("my-bank/manifest.proposed.toml")).unwrap();
    for value in values.into_iter().chain([account]) {
        assert!(!proposed.contains(value) && !told.contains(value), "{value}:\n{proposed}");
    }
    let manifest = Manifest::parse(&proposed).unwrap_or_else(|errors| panic!("{errors}\n{proposed}"));
    let plan = manifest.for_source(manifest.sources()[0].id.as_str(), None).unwrap();
    let origins: Vec<String> = plan.origins().iter().map(ToString::to_string).collect();
    assert_eq!(origins, [bank.site_url.as_str()]);
    let slots: Vec<String> = plan.sinks().iter().map(|(_, sink)| sink.slot.to_string()).collect();
    assert!(slots.len() >= 2 && slots.iter().all(|slot| slot.starts_with("form:")), "{slots:?}");
    assert!(plan.pages().iter().any(|rule| rule.page.login), "{proposed}");
    assert!(plan.pages().len() >= 4, "{proposed}");
}

/// Calls the shell with these lines.
fn shell(folder: &Path, arguments: &[&str], lines: &str) -> String {
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["connector", "shell"]).args(arguments).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{err}");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_asks_the_site_once_and_then_answers_selectors() {
    let bank = bank().await;
    let built = connector_path("sample-bank");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), MARIE.password).unwrap();
    let login = format!("login={}", MARIE.login);
    let arguments = [
        built.to_str().unwrap(),
        "--base",
        &bank.site_url,
        "--category",
        "bank.account",
        "--field",
        &login,
        "--field-file",
        "password=password",
    ];
    let lines = "pages\npage 1\nform form#connexion\npage 2\nfind h1\nrows table#comptes tbody tr => .libelle | .devise\nfind #nothing\n\
                 find a[ => text\nshape\nwhat\nquit\n";
    let told = tokio::task::block_in_place(|| shell(folder.path(), &arguments, lines));
    let asked = bank.requests().len();
    assert!(told.contains("  1  login                GET ") && told.contains("  2  accounts             "), "{told}");
    assert!(told.contains("post ") && told.contains("  identifiant = \n") && told.contains("  jeton = "), "{told}");
    assert!(told.contains("Compte chèques | EUR"), "{told}");
    assert!(told.contains("\nnothing\n") && told.contains("table#comptes") && told.contains("find SELECTOR"), "{told}");
    assert!(!told.contains(MARIE.password), "{told}");
    // Login, its answer and where that leads, and the way out: no selector asked the site again.
    assert!(asked <= 4, "{asked} requests");
    // A recording will do, without the site.
    drop(bank);
    let folder = root().join("connectors/sample-bank");
    let told = tokio::task::block_in_place(|| {
        shell(&folder, &["--recording", "ok"], "page 2\nrows table#comptes tbody tr => .devise\n")
    });
    assert!(told.contains("\nEUR\n"), "{told}");
}

/// What no recording needs, at the end of a manifest.
const MORE: &str = r#"
[[page]]
id = "never"
url = "{base}/never"
requires = ["p.never"]

[[operator]]
name = "unused"
[[operator.sink]]
request = "GET {base}/never"
slot = "header:x-unused"
recipe = "raw"
max = 1

[[capture]]
name = "never"
from = "GET {base}/never"
at = "/never"

[[field]]
name = "branch"
kind = "public"
optional = true
label = { en = "Branch" }

[[answer]]
prompt = "choose"
name = "account"
kind = "public"
label = { en = "Account" }
"#;

/// In the folder of a connector that was built and passes: what nobody needs is named, and what another version does is told.
pub(super) fn looks_are_told(folder: &Path, name: &str) {
    let (manifest, code) = (folder.join(name).join("manifest.toml"), folder.join(name).join("src/lib.rs"));
    let (old_manifest, old_code) =
        (std::fs::read_to_string(&manifest).unwrap(), std::fs::read_to_string(&code).unwrap());
    let build = |file: &str| {
        let (built, told) = consentry(folder, &["connector", "build", name, "--out", file]);
        assert!(built && told.contains(" KiB, unsigned\n  sha256:"), "{told}");
    };
    build("old.wasm");
    let wider = old_manifest
        .replace("origins = [\"{base}\"]", "origins = [\"{base}\", \"http://127.0.0.1:9\"]")
        .replace(
            "categories = [\"bank.account\"",
            "literals = [\"Never said\"]\ncategories = [\"person.name\", \"bank.account\"",
        )
        .replace("capabilities = [\"http\"", "capabilities = [\"browser\", \"http\"")
        .replace("code = \"account-locked\"", "code = \"credentials-expired\"")
        .replace("\n[logout]", &format!("{MORE}\n[logout]"))
        .replace("version = \"0.1.0\"", "version = \"0.2.0\"");
    std::fs::write(&manifest, wider).unwrap();
    std::fs::write(
        &code,
        old_code.replace(
            "BankAccount::new(&reference).label(label)",
            "BankAccount::new(&reference).label(label.to_uppercase())",
        ),
    )
    .unwrap();
    let (checked, told) = consentry(folder, &["connector", "check", name]);
    for line in [
        "the page `never` matches nothing in any recording",
        "no recording puts operator.unused into header:x-unused of ",
        "no recording goes to http://127.0.0.1:9 for the source my-form-login",
        "no recording brings person.name",
        "no recording asks for what captured.never is cut out of",
        "no recording needs the field branch",
        "no recording asks by choose for account",
        "the capability `browser` is not used in any recording",
        "the text \"Never said\" stands in no recording",
        "only their rules say how these pages look, no recording shows one: maintenance, ",
        "  asks for\n",
    ] {
        assert!(checked && told.contains(line), "{line}: {told}");
    }
    build("new.wasm");
    let (done, told) =
        consentry(folder, &["connector", "diff", "old.wasm", "new.wasm", "--recordings", name, "--json"]);
    // One line of its own; the connector's lines follow.
    let told: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap_or_else(|_| panic!("{told}"));
    assert!(done && told["widens"] == true, "{told}");
    assert!(told["pages"].to_string().contains("page never at "), "{told}");
    // What a text means is a part of its page.
    assert!(told["pages"].to_string().contains("is credentials-expired where "), "{told}");
    let of = |recording: &str| {
        let results = told["results"].as_array().unwrap();
        let found = results.iter().find(|result| result["recording"] == recording).unwrap();
        found["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let lines = of("ok");
    assert!(
        lines.len() == 6 && lines.iter().all(|line| line.contains("bank.account")),
        "three labels, before and after: {lines:?}"
    );
    std::fs::write(&manifest, old_manifest).unwrap();
    std::fs::write(&code, old_code).unwrap();
}
