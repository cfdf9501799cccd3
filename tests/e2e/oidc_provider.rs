//! The OpenID provider: authorisation code with PKCE, login page, consent page, token, userinfo, revocation.

use std::sync::Arc;

use consentry_host_api::ports::Question;
use consentry_tests::collecting::{CALLBACK, Collecting, Reaction, collector, lock, told};
use consentry_tests::sources::{self, OidcProvider};
use tokio::sync::OnceCell;

use crate::wire::{Tape, Wire};
use crate::{lines, of, person, real};

/// The provider that the tests share. It calls back where they run without an engine, and at the one engine of `real.rs`.
pub async fn provider() -> &'static str {
    static PROVIDER: OnceCell<OidcProvider> = OnceCell::const_new();
    let start = || sources::OidcProvider::start(&[CALLBACK, &real::callback()]);
    &PROVIDER.get_or_init(|| async move { tokio::task::spawn_blocking(start).await.unwrap().unwrap() }).await.url
}

fn choosing(option: &'static str) -> impl Fn(&Question) -> Reaction + Send + Sync + 'static {
    move |question| {
        assert_eq!(question.kind, "choose");
        Reaction::Answer(vec![("decision".to_owned(), option.to_owned())])
    }
}

pub fn as_person(url: &str, name: &str) -> Collecting {
    let person = person(name);
    let collecting = Collecting::with("oidc-provider").unwrap().at(url).answering(choosing("allow"));
    let collecting = collecting.field("login", of(&person, "username")).field("password", of(&person, "password"));
    collecting.operator("client-id", OidcProvider::CLIENT_ID).operator("client-secret", OidcProvider::CLIENT_SECRET)
}

/// What a person's claims must bring.
pub fn claims(name: &str) -> Vec<String> {
    let person = person(name);
    let of = |key| of(&person, key);
    let (given, family) = (of("first_name"), of("last_name"));
    let mut expected = vec![
        format!("person.name given={given} family={family} full={given} {family}"),
        format!("person.birth date={}", of("birth_date")),
        format!("person.email address={} verified=true", of("email")),
    ];
    expected.extend(person["mobile_phone"].as_str().map(|number| format!("person.phone number={number}")));
    expected.extend([
        format!(
            "person.address lines={} postcode={} city={} country={}",
            of("street"),
            of("postcode"),
            of("city"),
            of("country")
        ),
        format!("bank.account ref=iban iban={}", of("iban")),
    ]);
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_collected_and_neither_code_nor_token_is_shown() {
    let wire = Wire::to(provider().await).await;
    let tape = Arc::new(Tape::default());
    let collecting = as_person(&wire.url, "marie").taping(tape.clone());
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    let counts = "bank.account=1 person.address=1 person.birth=1 person.email=1 person.name=1 person.phone=1";
    assert_eq!(told(&collection), counts, "{:?} {:?}", collection.trace, lock(&seen.lines));
    assert_eq!(lines(&collection), claims("marie"));
    assert_eq!(lock(&seen.steps).join(" "), "login (authenticated) consent claims");

    // As the wire knows them.
    let code = wire.said(&format!("{CALLBACK}?code="), "&");
    let tokens = [wire.said("\"access_token\":\"", "\""), wire.said("\"id_token\":\"", "\"")];
    let shown = tape.shown() + &lock(&seen.lines).concat();
    assert!(shown.contains(&format!("{CALLBACK}?code=captured&state=")), "the callback is shown: {shown}");
    assert!(shown.contains("\"access_token\":\"captured\""), "the answer of the token endpoint is shown: {shown}");
    for secret in [&code, &tokens[0], &tokens[1], OidcProvider::CLIENT_SECRET, of(&person("marie"), "password")] {
        assert!(secret.len() >= 10 && !shown.contains(secret));
    }
    // And the token is of no use to anybody any more.
    assert!(wire.requests().contains(&"POST /token/revocation".to_owned()));
    let answer = userinfo(provider().await, &tokens[0]).await;
    assert_eq!(answer, 401);
}

async fn userinfo(provider: &str, token: &str) -> u16 {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let request =
        reqwest::Client::new().get(format!("{provider}/me")).header("authorization", format!("Bearer {token}"));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_not_there_is_confirmed_empty() {
    let collection = as_person(provider().await, "zoe").collect(&collector().unwrap()).await.unwrap();
    let counts = "bank.account=1 person.address=1 person.birth=1 person.email=1 person.name=1 person.phone=empty@claims-without-phone";
    assert_eq!(told(&collection), counts);
    assert_eq!(lines(&collection), claims("zoe"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_scopes_of_what_is_wanted_are_asked_for() {
    let (wire, tape) = (Wire::to(provider().await).await, Arc::new(Tape::default()));
    let collecting = as_person(&wire.url, "marie").wanting(&["person.email"]).taping(tape.clone());
    let collecting = collecting.answering(|question| {
        let asked: Vec<_> = question.details.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(asked, ["target=openid, email", "option:allow=Allow", "option:deny=Deny"]);
        Reaction::Answer(vec![("decision".to_owned(), "allow".to_owned())])
    });
    let collection = collecting.collect(&collector().unwrap()).await.unwrap();
    assert_eq!(told(&collection), "person.email=1");
    let requests = wire.requests();
    assert!(requests.iter().any(|request| request.contains("scope=openid+email&")), "{requests:?}");
    let shown = tape.shown();
    assert!(shown.contains("marie.dupont@example.org") && !shown.contains("birthdate") && !shown.contains("FR76"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_own_code() {
    let (collector, url) = (collector().unwrap(), provider().await);
    let marie = || as_person(url, "marie");
    let table = [
        (marie().field("password", "no-such-password"), "credentials-rejected @login"),
        (as_person(url, "paul"), "account-locked @login"),
        (marie().operator("client-secret", "not-the-secret"), "operator-rejected"),
        (marie().answering(choosing("deny")), "challenge-denied"),
        (marie().answering(|_| Reaction::Deny), "challenge-denied"),
        (marie().answering(|_| Reaction::Expire), "challenge-timeout @consent"),
        (marie().unattended(), "person-absent @consent"),
    ];
    for (collecting, expected) in table {
        let collection = collecting.collect(&collector).await.unwrap();
        assert_eq!(told(&collection), expected, "{:?}", collection.trace);
        assert!(collection.items.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_told_to_the_provider_and_brings_no_code() {
    let wire = Wire::to(provider().await).await;
    let collection =
        as_person(&wire.url, "marie").answering(|_| Reaction::Deny).collect(&collector().unwrap()).await.unwrap();
    assert_eq!(told(&collection), "challenge-denied");
    assert_eq!(wire.said(&format!("{CALLBACK}?error="), "&"), "access_denied");
    assert!(!wire.requests().iter().any(|request| request.starts_with("POST /token")));
}
