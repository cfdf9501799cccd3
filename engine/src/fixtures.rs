//! One small world for tests: a lender, a person's bank, a request, a notice, a consent register.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consentry_contract::failure::{Dataset, Gathered, Quality};
use consentry_contract::item::RawValue;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wasm_encoder::ComponentSection as _;

use crate::clock::{Clock, ManualClock};
use crate::collect::package::{MANIFEST_SECTION, Package};
use crate::collect::signature::Trust;
use crate::consent::notice::{Operator, Source};
use crate::consent::{ActiveConsent, ConsentRegister, Grant, Notice};
use crate::data::{Category, Collected, Data, Digest, Item, Provenance};
use crate::entropy::Entropy;
use crate::id::{ConsentId, GrantId, Id, Kind, OnlineServiceId, RunId};
use crate::online_service::commitment::Commitment;
use crate::online_service::necessity::Need;
use crate::online_service::{KeyHash, Localised, OnlineService, Partner, Purpose, Registration, Role};
use crate::predicate;
use crate::processing::Processing;
use crate::request::DataRequest;
use crate::store::Shelves;

pub(crate) mod disk;

pub(crate) const BEARER: &str = "test-bearer-key";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at("2026-11-21T10:00:00Z")
}

pub(crate) fn later() -> Timestamp {
    at("2026-11-21T10:30:00Z")
}

/// An id that is always the same, by its last digit.
pub(crate) fn id<K: Kind>(digit: u8) -> Id<K> {
    format!("{}_01JD8Z3M7K000000000000000{digit}", K::PREFIX).parse().unwrap()
}

pub(crate) fn entropy() -> Arc<Entropy> {
    Arc::new(Entropy::from(StdRng::seed_from_u64(7)))
}

pub(crate) fn both(text: &str) -> Localised {
    Localised { en: text.to_owned(), fr: text.to_owned() }
}

pub(crate) fn category(name: &str) -> Category {
    name.parse().unwrap()
}

pub(crate) fn categories(names: &[&str]) -> BTreeSet<Category> {
    names.iter().map(|name| category(name)).collect()
}

pub(crate) fn lender() -> OnlineService {
    lender_as(id::<crate::id::kind::OnlineService>(1))
}

/// The lender in a role.
pub(crate) fn lender_in(role: Role) -> OnlineService {
    lender_with(id::<crate::id::kind::OnlineService>(1), role)
}

pub(crate) fn lender_as(id: OnlineServiceId) -> OnlineService {
    lender_with(id, Role::Controller)
}

fn lender_with(id: OnlineServiceId, role: Role) -> OnlineService {
    let why = |name: &str| (category(name), both("to see the income."));
    let purpose = Purpose {
        why: both("to see whether the rent fits your means."),
        needs: [Need::Income].into(),
        keep_days: 90,
        history_days_max: Some(90),
        categories: BTreeMap::from(["person.name", "bank.account", "bank.transaction"].map(why)),
        predicates: predicate::Kind::ALL.map(|kind| (kind, both("to see whether you may."))).into(),
        third_parties: None,
    };
    let registration = Registration {
        id,
        name: "Example Lettings".to_owned(),
        contact: "data@lettings.example".to_owned(),
        role,
        events: None,
        callbacks: vec!["https://lettings.example/apply".parse().unwrap()],
        purposes: BTreeMap::from([("tenant-check".to_owned(), purpose)]),
        bearer: Some(KeyHash::of(BEARER)),
        partner: Partner {
            commitment: Some(Commitment::new(id, "Ada Martin", now())),
            signer: Some(crate::jose::tests::published_key(crate::jose::Algorithm::Ps256).public().clone()),
            ..Partner::default()
        },
    };
    OnlineService::register(registration, crate::jose::tests::recipient()).unwrap()
}

pub(crate) fn request(json: &str) -> DataRequest {
    DataRequest::parse(id(1), json.as_bytes(), &lender()).unwrap()
}

pub(crate) const REQUEST: &str =
    r#"{"purpose":"tenant-check","categories":["person.name","bank.transaction"],"history_days":30}"#;

pub(crate) fn bank() -> Source {
    Source {
        id: "sample-bank".to_owned(),
        name: "Sample Bank".to_owned(),
        country: "FR".to_owned(),
        connector: "sample-bank".to_owned(),
        version: "0.1.0".to_owned(),
        digest: Digest::of(b"connector"),
        categories: categories(&["person.name", "bank.account", "bank.transaction"]),
        login: vec![both("Customer number"), both("Password")],
    }
}

pub(crate) fn operator() -> Operator {
    Operator {
        name: "Example Operator".to_owned(),
        contact: "privacy@operator.example".to_owned(),
        in_memory: false,
        processing: Processing::default(),
    }
}

pub(crate) fn notice() -> Notice {
    Notice::compile(&request(REQUEST), &lender(), &bank(), &operator()).unwrap()
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(now()))
}

pub(crate) fn shelves() -> Shelves {
    Shelves::memory(crate::keys::software::tests::keys(), entropy(), clock())
}

pub(crate) fn register() -> ConsentRegister {
    ConsentRegister::new(shelves().shelf())
}

/// A consent that the person has given, for these categories.
pub(crate) async fn given(register: &ConsentRegister, digit: u8, names: &[&str]) -> ConsentId {
    given_of(register, digit, &["person.name", "bank.transaction"], names).await
}

/// Of what was asked for, so much.
pub(crate) async fn given_of(register: &ConsentRegister, digit: u8, asked: &[&str], names: &[&str]) -> ConsentId {
    let (consent, notice) = (id(digit), notice());
    let request = request(&REQUEST.replace(r#"["person.name","bank.transaction"]"#, &format!("{asked:?}")));
    register.ask(consent, id(digit), &request, &notice, later(), now()).await.unwrap();
    register.give(consent, &notice.digest(), &categories(names), now()).await.unwrap();
    consent
}

pub(crate) async fn proofs(register: &ConsentRegister, consent: ConsentId) -> (Grant, ActiveConsent) {
    let grant: GrantId = id(9);
    register.issue_grant(consent, grant, now()).await.unwrap();
    let grant = register.use_grant(consent, grant, "node-1", now()).await.unwrap();
    (grant, register.active(consent, now()).await.unwrap())
}

/// An item of these fields.
pub(crate) fn item(category: &str, fields: Vec<(&str, RawValue)>) -> Item {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Item::check(category, fields, now()).unwrap()
}

pub(crate) fn name_item(family: &str) -> Item {
    Item::check("person.name", vec![("family".to_owned(), RawValue::Text(family.to_owned()))], now()).unwrap()
}

pub(crate) fn transaction_item(label: &str, amount: i64) -> Item {
    let text = |name: &str, value: &str| (name.to_owned(), RawValue::Text(value.to_owned()));
    let fields = vec![
        text("ref", label),
        text("account", "a1"),
        text("label", label),
        text("currency", "EUR"),
        ("amount".to_owned(), RawValue::Integer(amount)),
        ("date".to_owned(), RawValue::Date("2026-11-02".to_owned())),
    ];
    Item::check("bank.transaction", fields, now()).unwrap()
}

pub(crate) fn collected(grant: &Grant, run: RunId, items: Vec<Item>) -> Data<Collected> {
    let dataset = |name: &str| Dataset {
        category: name.to_owned(),
        count: items.iter().filter(|item| item.category().name == name).count() as u64,
        quality: Quality::Complete,
    };
    let gathered = Gathered { datasets: ["person.name", "bank.transaction"].map(dataset).into(), shortfall: None };
    Data::collected(grant, items, gathered, provenance(run))
}

pub(crate) fn provenance(run: RunId) -> Provenance {
    Provenance {
        run,
        source: "sample-bank".to_owned(),
        connector: "sample-bank".to_owned(),
        version: "0.1.0".to_owned(),
        digest: Digest::of(b"connector"),
        observed_at: now(),
        subject: None,
    }
}

/// The smallest thing that is a connector: it compiles and fits, and whoever runs it sees it crash.
const HOLLOW: &str = r#"(component
    (import "consentry:connector/types@0.1.0" (instance $types
        (type $record (record (field "code" string) (field "text" string) (field "retry-after-ms" (option u32))))
        (export "fault" (type (eq $record)))))
    (alias export $types "fault" (type $fault))
    (core module $module (memory (export "memory") 1) (func (export "collect") (result i32) unreachable))
    (core instance $instance (instantiate $module))
    (alias core export $instance "memory" (core memory $memory))
    (func $collect (result (result (error $fault)))
        (canon lift (core func $instance "collect") (memory $memory)))
    (export "collect" (func $collect)))"#;

/// A connector that crashes at once.
pub(crate) fn hollow_connector() -> Package {
    hollow_connector_with(include_str!("../../connectors/sample-bank/manifest.toml"))
}

/// The same with another manifest.
pub(crate) fn hollow_connector_with(manifest: &str) -> Package {
    let mut component = wat::parse_str(HOLLOW).unwrap();
    custom(manifest).append_to_component(&mut component);
    Package::read(component, &Trust::default().or_unsigned()).unwrap()
}

/// A file that is a connector from outside, and nothing within.
pub(crate) fn damaged_connector() -> Package {
    let mut component = wasm_encoder::Component::new();
    component.section(&custom(include_str!("../../connectors/sample-bank/manifest.toml")));
    let mut exports = wasm_encoder::ComponentExportSection::new();
    exports.export("collect", wasm_encoder::ComponentExportKind::Func, 0, None);
    component.section(&exports);
    Package::read(component.finish(), &Trust::default().or_unsigned()).unwrap()
}

fn custom(manifest: &str) -> wasm_encoder::CustomSection<'_> {
    wasm_encoder::CustomSection { name: MANIFEST_SECTION.into(), data: manifest.as_bytes().into() }
}

/// Compares with a file of `engine/golden`. What it should be is left in the folder of build artefacts, to be looked at and taken over.
pub(crate) fn golden(name: &str, text: &str) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_to_string(root.join("golden").join(name)).unwrap_or_default();
    if kept != text {
        let now = root.join("../target").join(name);
        std::fs::write(&now, text).unwrap();
        panic!("engine/golden/{name} differs from {}", now.display());
    }
}
