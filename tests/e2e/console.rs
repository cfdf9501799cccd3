//! The console of the real binary: signing in, what each role sees, holding and releasing, versions, deliveries, the desk; and the health of
//! connectors, which a restart keeps.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use consentry_tests::journey::{Journey, Reply, client, send};
use consentry_tests::node::Node;
use consentry_tests::service::Service;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{RequestBuilder, Response, StatusCode};
use sample_bank::{Change, SampleBank};
use serde_json::{Value, json};

use super::operators::{Operator, consentry, register};
use super::serve::{EVENT, LOGIN};

/// A browser of an operator, without a script.
pub(crate) struct Browser {
    url: String,
    cookie: String,
}

impl Browser {
    /// Signs in.
    pub(crate) async fn new(node: &Node, operator: &Operator) -> Self {
        let answer = sign_in(node, &operator.key).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let set = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        for part in ["consentry-console=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(set.contains(part), "{set}");
        }
        Self { url: node.url.clone(), cookie: set.split(';').next().unwrap().to_owned() }
    }

    pub(crate) async fn look(&self, path: &str) -> Response {
        let request = client().unwrap().get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.look(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
        answer.text().await.unwrap()
    }

    /// Sends a form with the secret that pages of this browser hold, or with another.
    async fn post(&self, path: &str, csrf: Option<&str>, fields: &[(&str, &str)]) -> Response {
        let own = match csrf {
            Some(other) => other.to_owned(),
            None => between(&self.page("/console").await, "name=\"csrf\" value=\"", "\"").to_owned(),
        };
        let mut form: BTreeMap<&str, &str> = fields.iter().copied().collect();
        form.insert("csrf", &own);
        let request = client().unwrap().post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        as_form(request, form.iter().map(|(name, value)| (*name, *value))).send().await.unwrap()
    }

    async fn done(&self, path: &str, fields: &[(&str, &str)]) {
        let answer = self.post(path, None, fields).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}: {}", answer.text().await.unwrap());
    }
}

async fn sign_in(node: &Node, key: &str) -> Response {
    let request = client().unwrap().post(format!("{}/console/sign-in", node.url));
    as_form(request, [("key", key)]).send().await.unwrap()
}

fn as_form<'f>(request: RequestBuilder, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

fn as_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

pub(crate) struct World {
    /// It serves as long as this is here.
    _bank: SampleBank,
    pub(crate) service: Service,
    pub(crate) node: Node,
    pub(crate) platform: Operator,
    pub(crate) dpo: Operator,
    author: Operator,
}

impl World {
    pub(crate) async fn new() -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        let bank = SampleBank::start(any, any).await.unwrap();
        bank.change(Change { operations: Some([2, 0, 0]), ..Change::default() });
        let service = Service::new().unwrap();
        let mut node = Node::prepare(&bank.site_url, &service.registered().unwrap()).unwrap();
        let [platform, dpo, author] = [&["platform", "maintenance"][..], &["dpo"], &["author"]].map(Operator::new);
        register(&node, &[&platform, &dpo, &author]);
        tokio::task::block_in_place(|| node.serve()).unwrap();
        Self { _bank: bank, service, node, platform, dpo, author }
    }

    /// A person whom the bank refuses: one login was opened, one run has ended.
    pub(crate) async fn refused(&self) {
        let person = self.service.ask(&self.node).await.unwrap();
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        person.agree(&notice).await.unwrap();
        let mut events = person.events().await.unwrap();
        person.log_in(&[LOGIN[0], ("password", "another password")]).await.unwrap();
        events.until("collecting", EVENT).await.unwrap();
        events.until("awaiting-credentials", EVENT).await.unwrap();
        person.withdraw().await.unwrap();
    }

    async fn metrics(&self) -> String {
        let text = client().unwrap().get(format!("{}/v1/metrics", self.node.url)).send().await.unwrap();
        text.text().await.unwrap()
    }
}

async fn choose(person: &Journey) -> Reply {
    let body = json!({ "connector": "sample-bank", "source": "sample-bank" });
    person.call(reqwest::Method::POST, "source", Some(body)).await.unwrap()
}

const PAGES: [&str; 8] = [
    "/console",
    "/console/versions",
    "/console/deliveries",
    "/console/breaks",
    "/console/retention",
    "/console/keys",
    "/console/desk",
    "/console/audit",
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_key_and_each_role_sees_its_pages_only() {
    let world = World::new().await;
    for path in PAGES {
        let answer = client().unwrap().get(format!("{}{path}", world.node.url)).send().await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()[LOCATION]),
            (StatusCode::SEE_OTHER, &"/console/sign-in".parse().unwrap())
        );
    }
    assert_eq!(sign_in(&world.node, "a key that nobody has").await.status(), StatusCode::FORBIDDEN);
    let sees = |operator: &'static [u16]| PAGES.into_iter().zip(operator.iter().copied());
    let browsers = [
        (Browser::new(&world.node, &world.platform).await, sees(&[200, 200, 200, 200, 200, 200, 403, 200])),
        (Browser::new(&world.node, &world.dpo).await, sees(&[200, 200, 403, 403, 200, 403, 200, 200])),
        (Browser::new(&world.node, &world.author).await, sees(&[200, 200, 403, 200, 403, 403, 403, 403])),
    ];
    for (browser, pages) in browsers {
        for (path, status) in pages {
            assert_eq!(browser.look(path).await.status(), status, "{path}");
        }
    }
    // A form from elsewhere has not the secret, and who signed out is out.
    let browser = Browser::new(&world.node, &world.platform).await;
    let fields = [("connector", "sample-bank"), ("source", "sample-bank")];
    for csrf in ["", &"0".repeat(64)] {
        assert_eq!(browser.post("/console/hold", Some(csrf), &fields).await.status(), StatusCode::BAD_REQUEST);
    }
    browser.done("/console/sign-out", &[]).await;
    assert_eq!(browser.look("/console").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_held_and_released_by_either_door_and_persons_read_so() {
    let world = World::new().await;
    let person = world.service.ask(&world.node).await.unwrap();
    let browser = Browser::new(&world.node, &world.platform).await;
    let fields = [("connector", "sample-bank"), ("source", "sample-bank")];
    browser.done("/console/hold", &fields).await;
    let refused = choose(&person).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["type"], "urn:consentry:problem:maintenance");
    assert!(person.sources().await.unwrap()[0]["maintenance_since"].is_string());
    assert!(browser.page("/console/sources/sample-bank/sample-bank").await.contains("held"));
    assert!(
        world.metrics().await.contains("consentry_source_held{connector=\"sample-bank\",source=\"sample-bank\"} 1")
    );
    browser.done("/console/release", &fields).await;
    assert_eq!(choose(&person).await.status, StatusCode::OK);
    assert!(person.sources().await.unwrap()[0]["maintenance_since"].is_null());

    // By the command line, beside the engine.
    let config = world.node.path("consentry.toml").to_str().unwrap().to_owned();
    consentry(&["source", "hold", "sample-bank", "sample-bank", "--config", &config], &[]);
    let mut looked = 0;
    while choose(&person).await.status != StatusCode::SERVICE_UNAVAILABLE {
        looked += 1;
        assert!(looked < 600, "the engine does not take it");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // A source that is not there can't be held, and an author can hold none.
    let nowhere = [("connector", "sample-bank"), ("source", "elsewhere")];
    assert_eq!(browser.post("/console/hold", None, &nowhere).await.status(), StatusCode::NOT_FOUND);
    let author = Browser::new(&world.node, &world.author).await;
    assert_eq!(author.post("/console/release", None, &fields).await.status(), StatusCode::FORBIDDEN);

    let audit = browser.page("/console/audit").await;
    for deed in ["source-hold", "source-release", "sign-in", "account:"] {
        assert!(audit.contains(deed), "{deed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_counts_runs_by_what_they_came_to_and_a_restart_keeps_it() {
    let mut world = World::new().await;
    world.refused().await;
    let is_counted = |text: &str| {
        let labels = "connector=\"sample-bank\",source=\"sample-bank\"";
        let mut lines = text.lines().filter(|line| line.contains(labels) && line.contains("window=\"1h\""));
        let runs = text.lines().any(|line| line.starts_with("consentry_source_runs") && line.ends_with(" 1"));
        runs && lines.any(|line| line.contains("blame=\"person\",code=\"credentials-rejected\""))
    };
    let text = world.metrics().await;
    assert!(is_counted(&text), "{text}");
    // The person's turn says nothing about the connector, and one run is too few to tell.
    assert!(!text.contains("consentry_source_success_share{"), "{text}");
    for _ in 0..2 {
        tokio::task::block_in_place(|| world.node.stop()).unwrap();
        tokio::task::block_in_place(|| world.node.serve()).unwrap();
        assert!(is_counted(&world.metrics().await));
    }
    let page = Browser::new(&world.node, &world.platform).await.page("/console/sources/sample-bank/sample-bank").await;
    assert!(page.contains("credentials-rejected"), "{page}");
    assert!(!page.contains("ses_") && !page.contains("run_") && !page.contains(LOGIN[0].1), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_shows_a_request_with_its_clock_and_takes_the_officers_decision() {
    let world = World::new().await;
    let person = world.service.ask(&world.node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    person.log_in(&[LOGIN[0], ("password", "another password")]).await.unwrap();
    events.until("collecting", EVENT).await.unwrap();
    events.until("awaiting-credentials", EVENT).await.unwrap();
    let receipts = person.receipts().await.unwrap();
    let receipt = receipts[0]["receipt"].as_str().unwrap();
    let words = "The address is an old one: <b>please</b> mend it";
    let ask = json!({ "receipt": receipt, "ask": { "right": "rectification", "statement": words } });
    let asked = client().unwrap().post(format!("{}/v1/rights", world.node.url));
    let asked = send(as_json(asked, &ask)).await.unwrap().good().unwrap();
    let request = asked["request"].as_str().unwrap();

    let officer = Browser::new(&world.node, &world.dpo).await;
    let desk = officer.page("/console/desk").await;
    assert!(desk.contains(request) && desk.contains("&lt;b&gt;please&lt;/b&gt;") && desk.contains("(in "), "{desk}");
    officer.done("/console/desk/extend", &[("request", request), ("why", "We have to ask the bank.")]).await;
    officer.done("/console/desk/refuse", &[("request", request), ("why", "It is kept as it was given.")]).await;
    let disclosure =
        [("authority", "A court"), ("basis", "An order"), ("elements", "name, address"), ("answer", "nothing is kept")];
    officer.done("/console/desk/disclosure", &disclosure).await;
    let desk = officer.page("/console/desk").await;
    assert!(desk.contains("It is kept as it was given.") && desk.contains("A court"), "{desk}");

    // The person reads it, and the platform's pages have nothing of it.
    let look = client().unwrap().post(format!("{}/v1/rights/look", world.node.url));
    let seen = send(as_json(look, &json!({ "receipt": receipt }))).await.unwrap().good().unwrap();
    assert_eq!(seen["requests"][0]["decision"], "It is kept as it was given.");
    let platform = Browser::new(&world.node, &world.platform).await;
    for path in PAGES.into_iter().filter(|path| *path != "/console/desk") {
        let page = platform.page(path).await;
        assert!(!page.contains("please") && !page.contains("ses_") && !page.contains("cns_"), "{path}: {page}");
    }
}

/// What a browser found, as `tests/peers/console.mjs` tells it.
fn drive(url: &str, key: &str, pages: &[&str], shots: Option<&Path>) -> Value {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = tests.join("../target/peers").canonicalize().expect("run `tests/peers/install target/peers`");
    let mut child = Command::new(installed.join("venv/bin/node"))
        .arg(tests.join("peers/console.mjs"))
        .current_dir(&installed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}: run `tests/peers/install target/peers`"));
    let given = json!({ "url": url, "key": key, "pages": pages, "shots": shots });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "console.mjs failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_in_a_real_browser_is_usable_by_everybody_and_loads_nothing_from_elsewhere() {
    let world = World::new().await;
    world.refused().await;
    let all = Operator::new(&["platform", "maintenance", "author", "dpo"]);
    register(&world.node, &[&all]);
    world.node.hang_up().unwrap();
    while sign_in(&world.node, &all.key).await.status() != StatusCode::SEE_OTHER {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut pages = PAGES.to_vec();
    pages.push("/console/sources/sample-bank/sample-bank");
    // Kept out of the repository: for whoever wants to look.
    let shots = world.node.path("data").join("shots");
    std::fs::create_dir(&shots).unwrap();
    let told = tokio::task::block_in_place(|| drive(&world.node.url, &all.key, &pages, Some(&shots)));
    if let Some(folder) = std::env::var_os("CONSENTRY_SHOTS") {
        std::fs::create_dir_all(&folder).unwrap();
        for shot in std::fs::read_dir(&shots).unwrap() {
            let shot = shot.unwrap();
            std::fs::copy(shot.path(), Path::new(&folder).join(shot.file_name())).unwrap();
        }
    }
    assert_eq!((&told["foreign"], &told["refused"]), (&json!([]), &json!([])), "{told}");
    assert_eq!(told["pages"].as_object().unwrap().len(), pages.len() + 1);
    for (path, page) in told["pages"].as_object().unwrap() {
        assert_eq!(
            (&page["violations"], &page["scripts"], &page["wide"]),
            (&json!([]), &json!(0), &json!(false)),
            "{path}: {page}"
        );
        assert!(page["title"].as_str().unwrap().ends_with(" – Consentry console"), "{page}");
    }
    assert_eq!(told["skip"], "Skip to the page");
    assert_eq!(told["narrow"], true);
    assert_eq!(told["cookie"], json!([{ "httpOnly": true, "secure": true, "sameSite": "Strict" }]));
    assert_eq!(told["out"], true);
}
