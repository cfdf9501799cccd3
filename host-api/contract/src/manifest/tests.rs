//! The documented example is the base of all tests: each changes a line of it.

use super::{Capability, Manifest, ManifestError, PermissionKind, PlanError, UrlPattern};
use crate::failure::Code;
use crate::limits::LimitName;
use crate::recipe::{Encoding, Leaf, LeafKind, Piece, Recipe, Slot};
use url::Url;

const DOCUMENTED: &str = include_str!("../../../../docs/manifest.md");

pub(crate) fn example() -> &'static str {
    let (_, rest) = DOCUMENTED.split_once("```toml\n").unwrap();
    rest.split_once("\n```").unwrap().0
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn the_documented_example_is_a_manifest() {
    let manifest = Manifest::parse(example()).unwrap();
    assert_eq!(manifest.id().as_str(), "sample-bank");
    assert_eq!(manifest.contract(), "0.1");
    assert!(manifest.capabilities().contains(&Capability::Prompt));
    assert_eq!(manifest.limits().get(&LimitName::Requests), Some(&60));
    assert_eq!(manifest.operator_secrets().into_iter().collect::<Vec<_>>(), ["client-secret"]);
    let login = &manifest.fields()[0];
    assert!(login.login && !login.optional);
    assert_eq!((login.label.text("fr-CH"), login.label.text("de")), ("Numéro client", "Customer number"));
    let pattern = login.pattern.as_ref().unwrap();
    assert!(pattern.matches("12345678") && !pattern.matches("123456789") && !pattern.matches("12345678\n"));
    let plan = manifest.for_source("sample-bank", None).unwrap();
    assert_eq!(plan.base(), "http://127.0.0.1:18090");
    assert_eq!(plan.categories(), ["person.name", "bank.account", "bank.transaction"]);
    assert_eq!(plan.logout(), Some(("GET", url("http://127.0.0.1:18090/logout"))));
    assert_eq!(plan.pages()[1].page.errors[1].code, Code::AccountLocked);
    assert_eq!(plan.sinks().iter().count(), 6);
}

#[test]
fn the_documentation_lists_every_limit_and_every_code() {
    for limit in LimitName::ALL {
        let row = limit.row();
        let [name, unit, beyond, bounds]: [&dyn std::fmt::Display; 4] =
            [&row.name, &row.unit, &row.beyond, &row.bounds];
        let line = format!("| `{name}` | {unit} | {} | {} | {beyond} | {bounds} |", row.default, row.maximum);
        assert!(DOCUMENTED.contains(&line), "docs/manifest.md lacks:\n{line}");
    }
    for code in Code::ALL.iter().filter(|code| code.manifest_may_claim()) {
        assert!(DOCUMENTED.contains(&format!("`{code}`")), "docs/manifest.md lacks the code {code}");
    }
}

/// Each row: a text of the example, what takes its place, the key of the error to expect, and a part of its words. The error's line is
/// one that was changed.
#[track_caller]
fn refused(table: &str) {
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let cells: Vec<String> = row.split(" | ").map(|cell| cell.replace("\\n", "\n")).collect();
        let [from, to, key, problem] = cells.as_slice() else { panic!("no row: {row}") };
        assert!(example().contains(from), "the example has no {from}");
        let Err(errors) = Manifest::parse(&example().replacen(from, to, 1)) else { panic!("accepted: {row}") };
        let first = example()[..example().find(from).unwrap()].matches('\n').count() + 1;
        let touched = first..=first + to.lines().count();
        let expected = |error: &ManifestError| {
            error.key == *key && error.problem.contains(problem) && (to.is_empty() || touched.contains(&error.line))
        };
        assert!(errors.iter().any(expected), "{row}\nat lines {touched:?}, but got\n{errors}");
    }
}

#[test]
fn what_the_connector_says_of_itself_is_checked() {
    refused(
        r#"
        contract = "0.1" | contract = "9.0" | contract | supported: 0.1
        id = "sample-bank" | id = "Sample_Bank" | id | kebab-case
        version = "0.1.0" | version = "one" | version | semver
        name = "Consentry authors" | name = "" | owner.name | 1 to 200
        "http", "prompt"] | "http", "shell"] | capabilities[1] | allowed: http, browser, prompt, session-state
        "bank.account",  | "bank.vault",  | categories[1] | allowed: 
        "bank.account",  | "person.name",  | categories[1] | unique
        "accounts",  | "login",  | steps[1] | unique
        steps =  | stepz =  | stepz | unknown field `stepz`, expected one of
        version = "0.1.0"\n |  | version | missing field `version`
        contract = "0.1" | contract = 0.1 | contract | expected a string
        contract = "0.1" | contract =  | manifest | string values must be quoted
        "#,
    );
}

#[test]
fn sources_and_their_urls_are_checked() {
    refused(
        r#"
        country = "FR" | country = "fr" | source[0].country | capitals
        kind = "bank" | kind = "shop" | source[0].kind | allowed: bank
        base = "http://127 | base = "http://10 | source[0].base | use https
        base = "http://127.0.0.1:18090" | base = "ftp://127.0.0.1" | source[0].base | use https
        base = "http://127.0.0.1:18090" | base = "https://a:b@bank.example" | source[0].base | no login
        base = "http://127.0.0.1:18090" | base = "https://*.bank.example" | source[0].base | written out
        origins = ["{base}"] | origins = [] | source[0].origins | at least one origin
        origins = ["{base}"] | origins = ["https://x.example/path"] | source[0].origins[0] | nothing else
        "person.name", "bank.account", "bank.transaction"] | "person.email"] | source[0].categories[0] | not among
        POST {base}/login" | POST https://elsewhere.example/login" | field[0].sink[0].request | outside of the origins
        POST {base}/login" | POST {base}.example.org/login" | field[0].sink[0].request | behind `{base}` comes
        POST {base}/login" | POST {host}/login" | field[0].sink[0].request | placeholders
        POST {base}/login" | {base}/login" | field[0].sink[0].request | methods: GET, POST
        url = "{base}/login" | url = "https://elsewhere.example/" | page[1].url | outside of the origins
        GET {base}/logout | GET {base}/log* | logout.request | not allowed here
        requests = 60 | request = 60 | limits.request | allowed: memory
        requests = 60 | requests = 0 | limits.requests | 1 to 2000
        requests = 60 | requests = 2001 | limits.requests | 1 to 2000
        "#,
    );
}

#[test]
fn secrets_are_checked() {
    refused(
        r#"
        login = true\n |  | field[0] | needs `login = true`
        kind = "secret"\n | kind = "secret"\nlogin = true\n | field[1].login | only one
        kind = "identifier" | kind = "plain" | field[0].kind | allowed: secret, identifier, public
        name = "password" | name = "login" | field[1].name | unique
        pattern = "[0-9]{8}" | pattern = "[0-9{8}" | field[0].pattern | unclosed
        pattern = "[0-9]{8}" | pattern = "a)|(b" | field[0].pattern | unopened group
        pattern = "[0-9]{8}" | pattern = "(?i)x" | field[0].pattern | in the page
        en = "Password",  |  | field[1].label | at least `en`
        slot = "form:login" | slot = "form" | field[0].sink[0].slot | form:NAME
        slot = "form:login" | slot = "header:x y" | field[0].sink[0].slot | form:NAME
        recipe = "raw" | recipe = "base64(raw" | field[0].sink[0].recipe | at character 11: expected `,` or `)`
        recipe = "raw" | recipe = "text" | field[0].sink[0].recipe | never uses `raw`
        recipe = "raw" | recipe = "join(raw, field.pin)" | field[0].sink[0].recipe | no secret `field.pin`
        max = 2 | max = 0 | field[0].sink[0].max | 1 to 1000
        max = 2\n |  | field[0].sink[0].max | missing field `max`
        prompt = "otp" | prompt = "fax" | answer[0].prompt | allowed: otp
        at = "/access_token" | at = "header:set-cookie" | capture[0].at | [[cookie]]
        at = "/access_token" | at = "input[name=@value" | capture[0].at | selector
        name = "csrftoken" | name = "csrf token" | cookie[0].name | cookie
        [[field]]\nname = "branch"\nkind = "public" | [[field]]\nname = "branch"\nkind = "secret" | field[2] | may go nowhere
        "#,
    );
}

/// What an operator says yes to is what is enforced: a line feed, an escape or a letter that looks like another would make it two.
#[test]
fn what_is_not_seen_can_not_stand_in_what_people_read() {
    let unseen = ['\n', '\u{1b}', '\u{200b}', '\u{202e}', '\u{2028}'];
    let escaped = |c: char| format!(r"\u{:04x}", u32::from(c));
    for c in unseen.map(escaped) {
        for (from, to, key) in [
            ("POST {base}/login\"", format!("POST {{base}}/lo{c}gin\""), "field[0].sink[0].request"),
            ("slot = \"form:login\"", format!("slot = \"form:log{c}in\""), "field[0].sink[0].slot"),
            ("at = \"/access_token\"", format!("at = \"/access{c}token\""), "capture[0].at"),
            ("name = \"Consentry authors\"", format!("name = \"Consentry{c}authors\""), "owner.name"),
            ("kind = \"bank\"", format!("kind = \"{c}bank\""), "source[0].kind"),
        ] {
            assert!(example().contains(from), "{from}");
            let errors = Manifest::parse(&example().replacen(from, &to, 1)).unwrap_err();
            assert!(errors.iter().any(|error| error.key == key), "{key}: {errors}");
            assert!(!errors.to_string().contains(&unseen[1..]), "{errors}");
            assert_eq!(errors.to_string().lines().count(), errors.iter().count(), "{errors}");
        }
    }
    // The same URL to a parser, another one to a reader; and a letter that looks like another.
    for base in ["https://127.0.0.1/a b", "https://127.0.0.1/b\u{430}nk"] {
        let errors = Manifest::parse(&example().replacen("http://127.0.0.1:18090", base, 1)).unwrap_err();
        assert!(errors.to_string().contains("ASCII"), "{errors}");
    }
}

#[test]
fn a_manifest_that_would_take_long_is_refused_and_not_everything_is_told() {
    let short = example().replace("tpp-exempt = \"a bank of made-up people on this machine\"\n", "");
    let source = short.split("[[source]]").nth(1).unwrap().split("\n[").next().unwrap();
    let sources: String = (0..1001).map(|_| format!("\n[[source]]{source}")).collect();
    let errors = Manifest::parse(&format!("{}{sources}", example())).unwrap_err();
    assert!(errors.to_string().contains("at most 1000 sources"), "{errors}");
    let pages: String = (0..301).map(|_| "\n[[page]]\nid = \"a\"\nurl = \"x\"").collect();
    let errors = Manifest::parse(&format!("{}{pages}", example())).unwrap_err();
    assert!(errors.to_string().contains("at most 300 pages, sinks and captures"), "{errors}");
    let many = "x\", \"".repeat(200);
    let errors = Manifest::parse(&example().replacen("\"bank.account\"", &format!("\"{many}y\""), 1)).unwrap_err();
    assert_eq!(errors.iter().count(), 100);
}

#[test]
fn answers_need_prompts() {
    let errors = Manifest::parse(&example().replace("\"http\", \"prompt\"]", "\"http\"]")).unwrap_err();
    let keys: Vec<_> = errors.iter().map(|error| (error.line, error.key.as_str())).collect();
    assert_eq!(keys, [(example().lines().position(|line| line == "[[answer]]").unwrap() + 1, "answer[0]")]);
}

#[test]
fn pages_are_checked() {
    refused(
        r#"
        status = [503] | status = [42] | page[0].status[0] | 100 to 599
        failure = "source-maintenance" | failure = "oops" | page[0].failure | allowed: credentials-rejected
        failure = "source-maintenance" | failure = "trap" | page[0].failure | can't name the failure `trap`
        requires = ["h1.maintenance"] | requires = ["h1..maintenance"] | page[0].requires[0] | selector
        requires = ["h1.maintenance"] | requires = ["h1:has(b)"] | page[0].requires[0] | selector
        code = "account-locked" | code = "limit-exceeded" | page[1].errors[1].code | can't name
        text = "compte bloqué" | text = " " | page[1].errors[1].text | empty
        feeds = ["bank.transaction"] | feeds = ["person.email"] | page[2].feeds[0] | not among
        id = "no-operations" | id = "operations" | page[3].id | unique
        empty = ".no-operations"\nfeeds = ["bank.transaction"] | empty = ".no-operations" | page[3].empty | not what
        "#,
    );
}

#[test]
fn several_errors_come_at_once_in_the_order_of_the_lines() {
    let text = example().replace("FR\"", "Z\"").replace("form:login", "x").replace("[503]", "[9]");
    let errors = Manifest::parse(&text).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["source[0].country", "field[0].sink[0].slot", "page[0].status[0]"]);
    assert!(errors.to_string().starts_with("line 12, source[0].country: a country is"));
}

#[test]
fn nonsense_is_an_error_and_never_a_panic() {
    for text in ["", "\u{feff}", "=", "[[", "[source]", "source = 1", "\"\"\"", "a.b.c = {", "field = [[[[]]]]"] {
        let errors = Manifest::parse(text).unwrap_err();
        assert!(
            errors.iter().all(|error| error.line >= 1 && !error.key.is_empty() && !error.problem.is_empty()),
            "{text}"
        );
    }
    let long = format!("{}\n#{}", example(), "x".repeat(super::MANIFEST_BYTES_MAX));
    assert!(Manifest::parse(&long).unwrap_err().to_string().contains("at most"));
}

#[test]
fn an_operator_may_set_another_base_within_the_rules() {
    let manifest = Manifest::parse(example()).unwrap();
    let plan = manifest.for_source("sample-bank", Some(&url("https://bank.example/app/"))).unwrap();
    assert_eq!(plan.base(), "https://bank.example/app");
    assert_eq!(plan.origins()[0].to_string(), "https://bank.example");
    assert_eq!(plan.origins()[0].port(), 443);
    assert_eq!(plan.logout().unwrap().1.as_str(), "https://bank.example/app/logout");
    assert!(plan.captures()[0].from.matches("POST", &url("https://bank.example/app/token?x=1")));
    assert!(!plan.captures()[0].from.matches("POST", &url("https://bank.example/token")));
    for base in ["http://bank.example", "https://bank.example/?q=1", "https://u:p@bank.example", "data:text/plain,x"] {
        assert!(matches!(manifest.for_source("sample-bank", Some(&url(base))), Err(PlanError::Base(_))), "{base}");
    }
    let Err(error) = manifest.for_source("other-bank", None) else { panic!("a source out of nowhere") };
    assert_eq!(error.to_string(), "the connector `sample-bank` has no source `other-bank`; it has: sample-bank");
    let fixed = example().replace("GET {base}/me", "GET http://127.0.0.1:18090/me");
    let fixed = Manifest::parse(&fixed).unwrap();
    let Err(PlanError::Manifest(errors)) = fixed.for_source("sample-bank", Some(&url("https://bank.example"))) else {
        panic!("a sink outside of the origins")
    };
    assert!(errors.iter().any(|error| error.key == "capture[0].sink[0].request"), "{errors}");
}

#[test]
fn url_patterns_match_what_they_say() {
    let cases = [
        ("https://a.example/login", "https://a.example/login", true),
        ("https://a.example/login", "https://a.example:443/login?next=1", true),
        ("https://a.example/login", "https://a.example/login/", false),
        ("https://a.example/login", "https://a.example/Login", false),
        ("https://a.example/login", "http://a.example/login", false),
        ("https://a.example/login", "https://b.a.example/login", false),
        ("https://a.example/login", "https://a.example:8443/login", false),
        ("https://a.example/login", "https://x@a.example/login", false),
        ("https://a.example/a/*/b", "https://a.example/a/1/b", true),
        ("https://a.example/a/*/b", "https://a.example/a/1/2/b", false),
        ("https://a.example/a/*/b", "https://a.example/a//b", false),
        ("https://a.example/a/*/b", "https://a.example/a/x/../b", false),
        ("https://a.example/a/*", "https://a.example/a/", true),
        ("https://a.example/a/*", "https://a.example/a/b/c", true),
        ("https://a.example/a*", "https://a.example/a", true),
        ("https://a.example/?page=login", "https://a.example/?x=1&page=login", true),
        ("https://a.example/?page=login", "https://a.example/?page=logins", false),
        ("https://a.example/?page=login", "https://a.example/", false),
        ("https://a.example/?page=*", "https://a.example/?page=", true),
        ("https://a.example/?page=*", "https://a.example/?p=1", false),
    ];
    for (pattern, subject, expected) in cases {
        assert_eq!(UrlPattern::parse(pattern).unwrap().matches(&url(subject)), expected, "{pattern} on {subject}");
    }
}

#[test]
fn permissions_are_sentences_and_differ_where_the_manifest_does() {
    let before = Manifest::parse(example()).unwrap().permissions();
    let sentences: Vec<String> = before.iter().map(ToString::to_string).collect();
    for expected in [
        "sends requests to http://127.0.0.1:18090 for the source sample-bank",
        "collects bank.account from the source sample-bank",
        "uses the interface prompt",
        "puts field.password into form:proof of POST {base}/login as hex(sha-256(text, hex(sha-256(raw)))), at most 2 times in a run",
        "keeps the JSON value /access_token in answers of POST {base}/token as captured.access-token",
        "sends the text \"Bearer \" with captured.access-token to GET {base}/me",
    ] {
        assert!(sentences.contains(&expected.to_owned()), "{expected}\nnot in\n{}", sentences.join("\n"));
    }
    let after = example().replace("hex(sha-256(raw)))", "hex(sha-512(raw)))").replace("Numéro", "Numero");
    let after = Manifest::parse(&after).unwrap().permissions();
    let new: Vec<_> = after.iter().filter(|permission| !before.contains(permission)).collect();
    assert!(matches!(new.as_slice(), [only] if only.kind == PermissionKind::Sink), "{new:?}");
}

/// What the second manifest asks for and the first does not allow.
#[test]
fn a_text_that_stays_readable_in_reports_is_short_one_of_few_and_a_permission() {
    let with = |literals: &str| example().replace("steps = [", &format!("literals = [{literals}]\nsteps = ["));
    assert_eq!(beyond(example(), &with("\"Montant\"")), [PermissionKind::Literal]);
    assert_eq!(Manifest::parse(&with("\"Montant\"")).unwrap().literals(), ["Montant"]);
    let many: String = (0..=super::LITERALS_MAX).map(|number| format!("\"l{number}\",")).collect();
    for (literals, problem) in [
        (format!("\"{}\"", "l".repeat(super::LITERAL_CHARS_MAX + 1)), "at most 64 characters"),
        (many, "at most 200 literals"),
        ("\"a\", \"a\"".to_owned(), "unique"),
        ("\" \"".to_owned(), "one line"),
    ] {
        let errors = Manifest::parse(&with(&literals)).unwrap_err().to_string();
        assert!(errors.contains(problem), "{errors}");
    }
}

fn beyond(before: &str, after: &str) -> Vec<PermissionKind> {
    let [before, after] = [before, after].map(|text| Manifest::parse(text).unwrap().permissions());
    let new = after.iter().filter(|asked| !before.iter().any(|permission| permission.allows(asked)));
    new.map(|permission| permission.kind).collect()
}

#[test]
fn less_of_the_same_is_allowed_and_more_or_other_is_not() {
    let bare = example().to_owned();
    let change = |from: &str, to: &str| {
        assert!(bare.contains(from), "{from}");
        bare.replacen(from, to, 1)
    };
    let (more, less) = (change("max = 2", "max = 3"), change("max = 2", "max = 1"));
    assert_eq!(beyond(&bare, &more), [PermissionKind::Sink]);
    assert_eq!(beyond(&bare, &less), []);
    // What was scrubbed from answers is scrubbed no more.
    let open = change("kind = \"secret\"", "kind = \"identifier\"");
    assert!(beyond(&bare, &open).contains(&PermissionKind::Field));
    let large = change("[limits]", "[limits]\nmemory = 134217728");
    assert_eq!(beyond(&bare, &large), [PermissionKind::Limit]);
    assert_eq!(beyond(&large, &bare), []);
}

#[test]
fn the_lines_of_a_refusal_make_the_manifest_admit_it() {
    let plan = Manifest::parse(example()).unwrap().for_source("sample-bank", None).unwrap();
    let password = || Piece::Secret(Recipe::secret(Leaf::new(LeafKind::Field, "password")), Encoding::Base64);
    let cookie = Piece::Secret(Recipe::secret(Leaf::new(LeafKind::Cookie, "sid")), Encoding::Raw);
    let recipe = Recipe::join(vec![Piece::Text("a".into()), password(), Piece::Bytes(vec![0]), cookie]).unwrap();
    let target = url("http://127.0.0.1:18090/accounts/12345678/unlock?pin=1");
    let slot = Slot::header("X-\"Proof");
    let refusal = plan.sinks().admit("POST", &target, &slot, &recipe).unwrap_err();
    assert_eq!(refusal.missing.len(), 2);
    assert!(!refusal.to_string().contains("12345678") && !refusal.to_string().contains("pin"), "{refusal}");
    let slot = Slot::header("X-Proof");
    let refusal = plan.sinks().admit("POST", &target, &slot, &recipe).unwrap_err();
    let mut text = example().to_owned();
    for missing in &refusal.missing {
        let at = match missing.leaf.kind {
            LeafKind::Cookie => text.len(),
            _ => text.find("[[field]]\nname = \"branch\"").unwrap(),
        };
        text.insert_str(at, &format!("\n{}\n", missing.lines()));
    }
    let plan = Manifest::parse(&text)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
        .for_source("sample-bank", None)
        .unwrap();
    assert_eq!(plan.sinks().admit("POST", &target, &slot, &recipe).unwrap().sinks.len(), 2);
}

#[test]
fn where_third_parties_identify_themselves_nobody_is_asked_for_a_login() {
    let tpp = |more: &dyn Fn(String) -> String| {
        let text = more(example().replace("params = {", "tpp = true\nparams = {"));
        Manifest::parse(&text).map(|manifest| manifest.sources()[0].tpp).map_err(|errors| errors.to_string())
    };
    let errors = tpp(&|text| text.replace("\"http\", \"prompt\"", "\"http\", \"browser\", \"prompt\"")).unwrap_err();
    for wanted in ["field[0].kind", "field[1].kind", "not in a `browser`"] {
        assert!(errors.contains(wanted), "{wanted}: {errors}");
    }
    assert!(!errors.contains("field[2]"), "a public field is no login: {errors}");
    // Who only sends the person there, and says who the operator is, is let in.
    let redirected = r#"
contract = "0.1"
id = "bank"
version = "0.1.0"
owner = { name = "A", contact = "a@example.org" }
capabilities = ["http", "prompt"]
categories = ["bank.account"]
[[source]]
id = "bank"
name = "Bank"
country = "FR"
kind = "bank"
origins = ["https://bank.example"]
tpp = true
"#;
    let errors = Manifest::parse(redirected).unwrap_err().to_string();
    assert!(errors.contains("[[operator]]"), "{errors}");
    let operator = "[[operator]]\nname = \"client-id\"\n[[operator.sink]]\nrequest = \"GET https://bank.example/\"\nslot = \"header:x-client\"\n\
                    recipe = \"raw\"\nmax = 1\n";
    assert!(Manifest::parse(&format!("{redirected}{operator}")).unwrap().sources()[0].tpp);
    // Where the person is says nothing of who the operator is, and goes nowhere else.
    let address = operator.replace("client-id", "person-address");
    assert!(Manifest::parse(&format!("{redirected}{address}")).unwrap_err().to_string().contains("there is none"));
    let both = format!("{redirected}{operator}{address}");
    let manifest = Manifest::parse(&both).unwrap();
    assert!(manifest.hands_on_address() && manifest.operator_secrets().into_iter().eq(["client-id"]));
    let scraped = both.replace("tpp = true", "tpp-exempt = \"a bank of this test alone\"");
    assert!(Manifest::parse(&scraped).unwrap_err().to_string().contains("(`tpp`) alone"));
    let elsewhere = format!("{redirected}{operator}{}", address.replace("header:x-client", "query:from"));
    assert!(Manifest::parse(&elsewhere).unwrap_err().to_string().contains("into a header"));
}
