//! A bank with the Berlin Group's interface: consent, the person's own login at the bank, signed requests; answers by the standard's file.

mod address;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use consentry_host_api::ports::{Answer, Question};
use consentry_tests::collecting::{CALLBACK, Collecting, Reaction, collector, lock, told};
use consentry_tests::sources;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use tokio::sync::{OnceCell, mpsc};

use crate::wire::Wire;
use crate::{lines, of, person};

/// Where the person is.
const PERSON: &str = "192.0.2.7";

/// The bank that the tests share.
async fn bank() -> &'static str {
    static BANK: OnceCell<sources::BerlinBank> = OnceCell::const_new();
    let start = || async { tokio::task::spawn_blocking(sources::BerlinBank::start).await.unwrap().unwrap() };
    &BANK.get_or_init(start).await.url
}

/// Who the operator is: a key, the certificate of it, and what the certificate is called.
struct Seal {
    key: String,
    certificate: String,
    id: String,
}

impl Seal {
    fn new() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let key = pair.serialize_pem();
        let mut parameters = CertificateParams::new(vec!["third-party.example".to_owned()]).unwrap();
        parameters.serial_number = Some(vec![0x4f, 0x01, 0x02].into());
        let certificate = BASE64_STANDARD.encode(parameters.self_signed(&pair).unwrap().der());
        Self { key, certificate, id: "SN=4F0102,CA=CN=Nobody".to_owned() }
    }
}

/// One seal for all tests: a key takes a while.
async fn seal() -> &'static Seal {
    static SEAL: OnceCell<Seal> = OnceCell::const_new();
    SEAL.get_or_init(|| async { tokio::task::spawn_blocking(Seal::new).await.unwrap() }).await
}

async fn collecting(url: &str) -> Collecting {
    let seal = seal().await;
    let collecting = Collecting::with("berlin-group").unwrap().at(&format!("{url}/v1"));
    let collecting = collecting.operator("signing-key", &seal.key).operator("key-id", &seal.id);
    collecting.operator("certificate", &seal.certificate).operator("person-address", PERSON)
}

/// The person goes where they are sent, logs in there, presses this button, and comes back.
async fn going(collecting: Collecting, button: &'static str) -> Collecting {
    let (send, mut asked) = mpsc::unbounded_channel::<tokio::sync::oneshot::Sender<Answer>>();
    let url = Arc::new(Mutex::new(String::new()));
    let shown = url.clone();
    tokio::spawn(async move {
        while let Some(answer) = asked.recv().await {
            let url = lock(&url).clone();
            let back = visit(&url, button).await;
            assert!(back.starts_with(&format!("{CALLBACK}?state=")), "{back}");
            // The run may have found out by itself.
            let _ = answer.send(Answer::Given(Vec::new().into()));
        }
    });
    collecting.answering(move |question: &Question| {
        assert_eq!(question.kind, "redirect");
        let (_, value) = question.details.iter().find(|(name, _)| name == "url").unwrap();
        value.clone_into(&mut lock(&shown));
        Reaction::Later(send.clone())
    })
}

/// A browser of the simplest kind: cookies and redirects, no script. Answers where it is led to outside of the bank.
async fn visit(url: &str, button: &str) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let (marie, mut cookies) = (person("marie"), BTreeMap::new());
    let mut request = (url.parse::<url::Url>().unwrap(), None);
    loop {
        let (at, form) = request;
        if at.as_str().starts_with(CALLBACK) {
            return at.into();
        }
        let sent = match form {
            Some(form) => {
                client.post(at.clone()).header("content-type", "application/x-www-form-urlencoded").body(form)
            }
            None => client.get(at.clone()),
        };
        let cookie: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = sent.header("cookie", cookie.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        if let Some(next) = answer.headers().get("location") {
            request = (at.join(next.to_str().unwrap()).unwrap(), None);
            continue;
        }
        let page = answer.text().await.unwrap();
        request = if page.contains("id=\"login\"") {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([
                    ("prompt", "login"),
                    ("login", of(&marie, "username")),
                    ("password", of(&marie, "password")),
                ])
                .finish();
            (at.join(&format!("{}/login", at.path())).unwrap(), Some(form))
        } else {
            assert!(page.contains("id=\"consent\""), "{at}: {page}");
            (at.join(&format!("{}/{button}", at.path())).unwrap(), Some("prompt=consent".to_owned()))
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_person_agreed_to_at_the_bank_is_collected() {
    let (wire, collector) = (Wire::to(bank().await).await, collector().unwrap());
    for source in ["test-bank", "test-bank-offered"] {
        let collecting = going(collecting(&wire.url).await.from_source(source), "consent").await;
        let seen = collecting.seen.clone();
        let collection = collecting.collect(&collector).await.unwrap();
        // The IBANs of the standard's example are a digit short.
        let counts = "bank.account=2!value-unparsable bank.balance=4 bank.transaction=3";
        assert_eq!(told(&collection), counts, "{:?} {:?}", collection.trace, lock(&seen.lines));
        let first = "3dc3d5b3-7023-4848-9853-f5400a64e80f";
        let found = lines(&collection);
        for expected in [
            format!("bank.account ref={first} label=Main Account currency=EUR kind=current"),
            format!("bank.balance account={first} kind=booked amount=50000 currency=EUR date=2017-10-25"),
            format!("bank.balance account={first} kind=expected amount=90000 currency=EUR"),
            format!(
                "bank.transaction account={first} ref=1234568 date=2017-10-25 value.date=2017-10-26 label=Example 2 \
                 amount=34301 currency=EUR counterparty.name=Paul Simpson counterparty.iban=NL76RABO0359400371 pending=false"
            ),
        ] {
            assert!(found.contains(&expected), "{expected} is not in {found:#?}");
        }
        assert_eq!(found.iter().filter(|line| line.ends_with("pending=true")).count(), 1);
        assert!(!collection.login_submitted, "nobody's login was asked for");
        let told = wire.sent().to_lowercase();
        assert_eq!(
            told.matches("\r\nx-request-id: ").count(),
            told.matches(&format!("\r\npsu-ip-address: {PERSON}\r\n")).count()
        );
        let ended = wire.requests().into_iter().any(|request| request.starts_with("DELETE /v1/consents/"));
        assert!(ended, "{:?}", lock(&seen.lines));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_at_the_bank_is_a_no() {
    let collection = going(collecting(bank().await).await, "deny").await.collect(&collector().unwrap()).await.unwrap();
    assert_eq!(told(&collection), "challenge-denied @consent-status");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_with_another_key_than_the_certificates_is_nobody() {
    let other = tokio::task::spawn_blocking(Seal::new).await.unwrap();
    let collecting = collecting(bank().await).await.operator("signing-key", &other.key);
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    assert_eq!(told(&collection), "operator-rejected @refused", "{:?}", lock(&seen.lines));
}
