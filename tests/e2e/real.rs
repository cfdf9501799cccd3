//! The whole way with real applications: the real binary, a person's browser, an Online Service; from the request to the
//! receipt, and nothing of the person is left in any file of the engine, whose log tells all that it can.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use consentry_tests::canary;
use consentry_tests::journey::Journey;
use consentry_tests::node::{Node, SECRETS, Served, connector, free_address};
use consentry_tests::service::{BEARER, Service, next};
use consentry_tests::sources::OidcProvider;
use online_service::inbox::Kept;
use online_service::parcel::Opened;
use online_service::receiver::Taken;
use serde_json::{Value, json};

use crate::wire::Wire;
use crate::{cli, juntagrico, of, oidc_provider, person};

/// Longest wait for an event. A collection takes about three seconds in a build without optimisation.
const EVENT: Duration = Duration::from_secs(90);
/// What the Online Service asks for: all that one of the two applications has.
const CATEGORIES: [&str; 8] = [
    "person.name",
    "person.address",
    "person.phone",
    "person.email",
    "person.birth",
    "bank.account",
    "document.invoice",
    "document.certificate",
];
/// A secret that can be told from chance in some megabytes.
const TELLING: usize = 8;

/// Where the engine is that the provider knows.
fn engine() -> SocketAddr {
    static ENGINE: OnceLock<SocketAddr> = OnceLock::new();
    *ENGINE.get_or_init(|| free_address().unwrap())
}

/// The engine's callback, as its operator registers it with the provider.
pub fn callback() -> String {
    format!("http://{}/v1/callback", engine())
}

/// An engine for one application behind a wire, and the Online Service.
struct World {
    wire: Wire,
    node: Node,
    service: Service,
}

impl World {
    async fn new(address: SocketAddr, id: &str, application: &str, secrets: &[(&str, &str)]) -> Self {
        let wire = Wire::to(application).await;
        let service = Service::new().unwrap();
        let registered = service.registered().unwrap();
        let source = Served { id, base: &wire.url, secrets };
        let node = tokio::task::block_in_place(|| {
            let mut node = Node::prepare_at(address, source, &CATEGORIES, &registered).unwrap();
            node.serve().unwrap();
            node
        });
        Self { wire, node, service }
    }

    /// Everything in all files of the engine but its secret files.
    fn nothing_is_left(&self, person: &Value, journey: &Journey, more: &[&str]) {
        let cookies = self.wire.cookies();
        assert!(!cookies.is_empty());
        let mut values: Vec<&str> =
            ["password", "email", "street", "phone", "iban"].map(|key| of(person, key)).to_vec();
        values.extend([journey.token(), BEARER]);
        values.extend(more.iter().copied().chain(cookies.iter().map(String::as_str)));
        assert!(values.iter().all(|value| value.len() >= TELLING), "too short to be told from chance");
        let searched = canary::search(&self.node.path(""), &values).unwrap();
        let log = std::fs::read_to_string(self.node.path("stderr")).unwrap();
        assert!(log.contains("TRACE") && log.contains("a run ended"), "the log was written, and all of it");
        let secret = self.node.path(SECRETS).join("client-secret");
        let (known, found): (Vec<_>, Vec<_>) = searched.found.into_iter().partition(|(file, _)| *file == secret);
        assert_eq!(known.len(), usize::from(secret.exists()), "the search finds what is there");
        let found: Vec<_> = found.iter().map(|(file, at)| (file, values[*at])).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Category and fields of every item of a parcel, in one line each; a document by its media type.
fn lines(parcel: &Value) -> Vec<String> {
    let line = |item: &Value| {
        let mut line = item["category"].as_str().unwrap().to_owned();
        for (name, value) in item["fields"].as_object().unwrap() {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Object(file) => {
                    let base64 = file["bytes"].as_str().unwrap();
                    assert!(base64.len() > 1000 && base64.starts_with("JVBERi"), "no PDF");
                    file["media"].as_str().unwrap().to_owned()
                }
                other => other.to_string(),
            };
            line += &format!(" {name}={value}");
        }
        line
    };
    parcel["items"].as_array().unwrap().iter().map(line).collect()
}

/// The receipt holds, and says of this parcel what is so.
async fn check_receipt(world: &World, journey: &Journey, parcel: &Opened, source: &str) {
    let receipts = world.service.receipts(&world.node, journey).await.unwrap();
    let [receipt] = &receipts[..] else { panic!("{receipts:?}") };
    assert_eq!((receipt.outcome.as_str(), &receipt.code), ("delivered", &None));
    assert_eq!((receipt.source.connector.as_str(), receipt.source.id.as_str()), (source, source));
    let facts = receipt.parcel.as_ref().unwrap();
    assert_eq!((facts.id.to_string(), facts.digest.to_string()), (parcel.id.clone(), parcel.digest.clone()));
    assert!(facts.fetched_at.is_some() && facts.acknowledged_at.is_some());
    let items = parcel.by_category();
    for counted in &receipt.categories {
        let told = items.get(counted.category.as_str()).map_or(0, Vec::len);
        assert_eq!((counted.collected, counted.shared), (told, told), "{}", counted.category);
    }
    assert_eq!(receipt.categories.iter().filter(|counted| counted.shared > 0).count(), items.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_data_goes_from_the_portal_to_the_receipt() {
    let mut world = World::new(free_address().unwrap(), "juntagrico", juntagrico::portal().await, &[]).await;
    let mut told = world.service.listen(&world.node).await.unwrap();
    let marie = person("marie");

    let journey = world.service.ask_for(&CATEGORIES, &world.node).await.unwrap();
    let notice = journey.choose("juntagrico", "juntagrico").await.unwrap();
    journey.agree(&notice).await.unwrap();
    let mut events = journey.events().await.unwrap();
    journey.log_in(&[("login", of(&marie, "email")), ("password", of(&marie, "password"))]).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    assert_eq!(lines(&journey.preview().await.unwrap()), juntagrico::everything_of_marie());
    journey.share(&[]).await.unwrap();

    // Told by a signed event, fetched, opened, its signature and its form checked, kept, acknowledged with its digest.
    let Ok(Taken::Received(parcel, Kept::New)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    assert_eq!(lines(&parcel.content), juntagrico::everything_of_marie());
    events.until("completed", EVENT).await.unwrap();
    check_receipt(&world, &journey, &parcel, "juntagrico").await;
    assert!(world.wire.requests().contains(&"GET /logout/".to_owned()));
    world.nothing_is_left(&marie, &journey, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_go_from_the_provider_to_the_receipt_with_the_operators_secrets_from_files() {
    let secrets = [("client-id", OidcProvider::CLIENT_ID), ("client-secret", OidcProvider::CLIENT_SECRET)];
    let mut world = World::new(engine(), "oidc-provider", oidc_provider::provider().await, &secrets).await;
    let mut told = world.service.listen(&world.node).await.unwrap();
    let marie = person("marie");

    let journey = world.service.ask_for(&CATEGORIES, &world.node).await.unwrap();
    let notice = journey.choose("oidc-provider", "oidc-provider").await.unwrap();
    journey.agree(&notice).await.unwrap();
    let mut events = journey.events().await.unwrap();
    journey.log_in(&[("login", of(&marie, "username")), ("password", of(&marie, "password"))]).await.unwrap();
    // What the provider's own consent page asks, only the person answers.
    let question = events.question(EVENT).await.unwrap();
    assert_eq!(
        (&question["kind"], &question["fields"][0]["name"]),
        (&json!("choose"), &json!("decision")),
        "{question}"
    );
    journey.answer(question["question"].as_str().unwrap(), &[("decision", "allow")]).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    assert_eq!(lines(&journey.preview().await.unwrap()), oidc_provider::claims("marie"));
    journey.share(&[]).await.unwrap();

    let Ok(Taken::Received(parcel, Kept::New)) = next(&mut told, EVENT).await.unwrap() else { panic!("not received") };
    assert_eq!(lines(&parcel.content), oidc_provider::claims("marie"));
    events.until("completed", EVENT).await.unwrap();
    check_receipt(&world, &journey, &parcel, "oidc-provider").await;

    // The provider called the engine back where it really is.
    let code = world.wire.said(&format!("{}?code=", callback()), "&");
    let tokens = [world.wire.said("\"access_token\":\"", "\""), world.wire.said("\"id_token\":\"", "\"")];
    world.nothing_is_left(&marie, &journey, &[&code, &tokens[0], &tokens[1], OidcProvider::CLIENT_SECRET]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_data_goes_to_a_file_by_the_command_line() {
    let portal = juntagrico::portal().await;
    let folder = tempfile::tempdir().unwrap();
    let (out, password) = (folder.path().join("parcel.json"), folder.path().join("password"));
    let marie = person("marie");
    std::fs::write(&password, of(&marie, "password")).unwrap();
    let connectors = connector("juntagrico").unwrap().parent().unwrap().display().to_string();
    let arguments = format!(
        "collect --connectors {connectors} --trust {connectors}/developer.pub --connector juntagrico --source juntagrico --development --base {portal} \
         --field login={} --field-file password={} --out {} --yes --json",
        of(&marie, "email"),
        password.display(),
        out.display()
    );
    let called = cli::call(cli::words(&arguments)).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    let told = called.json();
    assert_eq!((&told["status"]["state"], &told["file"]), (&json!("completed"), &json!(out)));
    let parcel: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../engine/schema/parcel-0.1.json")).unwrap();
    jsonschema::validate(&schema, &parcel).unwrap();
    assert_eq!(lines(&parcel), juntagrico::everything_of_marie());

    let facts = &told["receipts"][0]["facts"];
    assert_eq!((&facts["outcome"], &facts["parcel"]["id"]), (&json!("delivered"), &parcel["parcel"]), "{facts}");
    assert!(facts["parcel"]["acknowledged_at"].is_string(), "{facts}");
    for value in ["password", "email", "iban"].map(|key| of(&marie, key)) {
        assert!(!called.out.contains(value) && !called.err.contains(value), "a value of the person was printed");
    }
}
