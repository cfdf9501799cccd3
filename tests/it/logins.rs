//! Every technique of a recipe, from a connector's call to a site that verifies it; and what a connector gets that asks too much. The
//! guest is `tests/guests/logins`, the site `tests/src/logins.rs`.

use consentry::collect::Collector;
use consentry_tests::collecting::{Collecting, collector, lock, told};
use consentry_tests::logins::{API_KEY, LOGIN, Logins, PASSWORD, PIN};

/// Each with the one secret that is spoilt to show that the site looks.
const TECHNIQUES: [(&str, &str); 20] = [
    ("nonce-hash", "password"),
    ("http-digest-md5", "password"),
    ("http-digest-sha-256", "login"),
    ("signed-body", "api-key"),
    ("double-submit", "password"),
    ("pkce", "password"),
    ("private-key-jwt-rs256", "rsa-key"),
    ("private-key-jwt-es256", "password"),
    ("keypad", "pin"),
    ("characters", "password"),
    ("json", "login"),
    ("xml", "password"),
    ("multipart", "password"),
    ("aes-cbc", "password"),
    ("aes-gcm", "password"),
    ("aes-static", "password"),
    ("rsa-pkcs1", "password"),
    ("rsa-oaep", "password"),
    ("rsa-oaep-256", "password"),
    ("stretch", "password"),
];

/// What came of a login, and what its author was told.
async fn run(collector: &Collector, site: &Logins, source: &str, spoilt: &str) -> (String, String) {
    let mut collecting = Collecting::with("logins").unwrap().from_source(source).at(&site.url);
    for (name, value) in [("login", LOGIN), ("password", PASSWORD), ("pin", PIN)] {
        let value = if name == spoilt { value.chars().rev().collect() } else { value.to_owned() };
        collecting = collecting.field(name, &value);
    }
    let rsa = if spoilt == "rsa-key" { Logins::start().await.unwrap().operator_rsa } else { site.operator_rsa.clone() };
    let api_key = if spoilt == "api-key" { "another" } else { API_KEY };
    collecting =
        collecting.operator("api-key", api_key).operator("rsa-key", &rsa).operator("ec-key", &site.operator_ec);
    let seen = collecting.seen.clone();
    let collection = collecting.collect(collector).await.unwrap();
    let lines = lock(&seen.lines).join("\n");
    assert!(!lines.contains(PASSWORD) && !lines.contains(PIN), "{source}: {lines}");
    (told(&collection), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_technique_logs_in_and_only_with_the_right_secret() {
    let (collector, site) = (collector().unwrap(), Logins::start().await.unwrap());
    let mut wrong = Vec::new();
    for (source, spoilt) in TECHNIQUES {
        for (spoilt, expected) in [("", "person.name=1"), (spoilt, "credentials-rejected @wrong")] {
            let (found, lines) = run(&collector, &site, source, spoilt).await;
            if found != expected {
                wrong.push(format!(
                    "{source} with wrong {spoilt:?}\n  found    {found}: {lines}\n  expected {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_the_value_ends_the_run_always_alike() {
    let (collector, site) = (collector().unwrap(), Logins::start().await.unwrap());
    let mut ends = Vec::new();
    for source in ["beyond-the-end", "missing-key", "undecodable"] {
        ends.push(run(&collector, &site, source, "").await);
    }
    // What the connector would have gone on to do, it never did.
    assert_eq!(ends, vec![("secret-unusable".to_owned(), String::new()); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_encrypted_to_a_key_that_the_manifest_does_not_pin() {
    let (collector, site) = (collector().unwrap(), Logins::start().await.unwrap());
    let (found, lines) = run(&collector, &site, "own-key", "").await;
    assert_eq!(found, "capability-denied");
    // The line that an operator would have to sign: it shows whose key it is.
    assert!(lines.contains("recipe = 'hex(aes-cbc(\"fedcba9876543210\"; raw))'"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_single_characters_can_not_be_read() {
    let (collector, site) = (collector().unwrap(), Logins::start().await.unwrap());
    let (found, lines) = run(&collector, &site, "reads-one-character", "").await;
    let part: String = [2, 5, 7].iter().map(|at| PASSWORD.chars().nth(at - 1).unwrap()).collect();
    assert_eq!(
        (found.as_str(), site.received()),
        ("person.name=1", vec![part]),
        "the site was to have something to repeat"
    );
    assert_eq!(lines, r#"info: status 200 page None url false headers [] body "" text Some("")"#);
}
