//! What is printed of whatever holds a secret or a value of a person: names, counts, sizes. Each is made with a word that must not appear.

use consentry::credentials::{self, Fields};
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content, Token};
use consentry::jose::{Algorithm, PrivateKey, RecipientKey};
use consentry::keys::{RecordKey, Wrap};
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_host_api::network::{Incoming, Outgoing, Payload, Proxy, ProxyLogin};
use consentry_host_api::ports::{Answer, Question};
use consentry_host_api::vault::Vault;
use url::Url;
use zeroize::Zeroizing;

const WORD: &str = "Correct-Horse-7!";

fn word() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(WORD.as_bytes().to_vec())
}

#[track_caller]
fn prints(what: &impl std::fmt::Debug, wanted: &str) {
    let printed = format!("{what:?}");
    assert_eq!(printed, wanted);
    // Pretty printing is another way through the same code, and a derived one would show here, too.
    for printed in [printed, format!("{what:#?}")] {
        assert!(!printed.contains("Horse") && !printed.contains("67, 111, 114"), "{printed}");
    }
}

#[test]
fn secrets_and_values_print_as_names_counts_and_sizes() {
    let session = "ses_01JD8Z3M7K0000000000000000";
    let typed = credentials::write(session.parse().unwrap(), None, &[("password".to_owned(), word())]);
    let fields = Fields::read(&typed).unwrap();
    prints(&fields, &format!("Fields {{ session: {session}, values: Values {{ count: 1, .. }}, .. }}"));
    prints(&fields.into_values().unwrap(), "Values { count: 1, .. }");
    // Whoever confuses names and values may have put it into the name.
    let unusable = [(WORD.to_owned(), Zeroizing::new(vec![0xff]))];
    let unusable = Fields::read(&credentials::write(session.parse().unwrap(), None, &unusable)).unwrap();
    prints(&unusable.into_values(), "Err(Unusable)");

    let key = PrivateKey::generate(Algorithm::RsaOaep256).unwrap();
    let to = RecipientKey::from_public(key.public().clone()).unwrap();
    let sealed = Entropy::system().with(|rng| jwe::seal(WORD.as_bytes(), Content::Plain, &to, rng)).unwrap();
    let token = Token::parse(&sealed, CREDENTIALS_BYTES_MAX).unwrap();
    prints(&token, &format!("Token {{ kid: {:?}, bytes: 32, .. }}", key.public().kid()));
    prints(&RecordKey::from_bytes(Zeroizing::new(*b"Correct-Horse-7!Correct-Horse-7!")), "RecordKey");
    prints(&Wrap { kid: "k".into(), bytes: WORD.into() }, "Wrap { kid: \"k\", .. }");

    let mut vault = Vault::new(Zeroizing::new([7; 32])).unwrap();
    vault.put(Leaf::new(LeafKind::Field, "password"), word()).unwrap();
    vault.put_public("bank", WORD.to_owned());
    prints(&vault, "Vault { secrets: 1, .. }");

    let url = Url::parse(&format!("https://bank.example/login?q={WORD}")).unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-password", WORD.parse().unwrap());
    let body = Some(Payload::secret(word()).unwrap());
    let method = http::Method::POST;
    let request =
        Outgoing { method, url, headers: headers.clone(), body, body_bytes_max: 1, repeatable: false, identity: None };
    prints(&request, "Outgoing(POST https://bank.example)");
    prints(&Payload::plain(word()), "Payload(16 bytes)");
    prints(&Incoming { status: http::StatusCode::OK, headers, body: WORD.into() }, "Incoming(200 OK, 16 bytes)");
    prints(&Answer::Given(vec![("otp".to_owned(), word())].into()), "Given(..)");
    let details = vec![("hint".to_owned(), WORD.to_owned())];
    prints(&Question { kind: "otp".to_owned(), details, image: None }, "Question { kind: \"otp\", .. }");
    let login = ProxyLogin::parse(&format!("node:{WORD}"));
    let proxy = Proxy::new(&Url::parse("http://proxy.example:3128").unwrap(), login).unwrap();
    assert!(!format!("{proxy:?} {proxy:#?}").contains("Horse"));
}

#[test]
fn an_error_about_a_secret_does_not_quote_it() {
    let session = "ses_01JD8Z3M7K0000000000000000";
    // In clear instead of in base64url; with an escape; not closed.
    for wrong in [
        format!(r#"{{"session":"{session}","fields":{{"password":"{WORD}"}}}}"#),
        format!(r#"{{"session":"{session}","fields":{{"password":"\u0043{WORD}"}}}}"#),
        format!(r#"{{"session":"{session}","fields":{{"password":"{WORD}"#),
    ] {
        let error = Fields::read(&Zeroizing::new(wrong.into_bytes())).unwrap_err();
        assert_eq!(format!("{error} {error:?}"), "the sealed message is not of the expected form FieldsError");
    }
    let refused = Token::parse(WORD, CREDENTIALS_BYTES_MAX).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("Horse"));
    // What a panic would say, had somebody unwrapped it.
    let panic = std::panic::catch_unwind(|| Fields::read(&Zeroizing::new(WORD.into())).map(drop).unwrap()).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("FieldsError") && !said.contains("Horse"), "{said}");
}
