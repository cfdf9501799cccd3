//! What a script and a person are told when something goes wrong, and what a connector's author finds on standard error.

use consentry_tests::disk::SmallDisk;
use sample_bank::{Change, JULIE, SiteState};
use serde_json::json;

use super::{Desk, call, connector, failure, folder_with, login, manifest, words};

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_stage_page_and_whose_turn_it_is() {
    let desk = Desk::new().await;
    desk.bank.change(Change { state: Some(SiteState::JsonError), ..Change::default() });
    let called = call(desk.collect(&login())).await;
    assert_eq!(called.code, Some(30), "{called:?}");
    let failure = &called.json()["failure"];
    let known = json!({
        "code": "page-unrecognised", "blame": "connector", "retry": "next-version", "stage": "login", "page": "accounts",
    });
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(&failure[name], value, "{failure}");
    }
    let human = format!("--yes --field login={} --field password={} --log info", JULIE.login, JULIE.password);
    let called = call(desk.collect(&human)).await;
    assert!(called.err.contains("stage: login, retry: next-version, page: accounts"), "{}", called.err);
    let logged = called.err.lines().find(|line| line.contains("a run ended")).expect("the log tells the end");
    assert!(logged.contains("page=\"accounts\"") && logged.contains("stage=\"login\""), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_no_login_has_is_named_before_anything_is_sent() {
    let desk = Desk::new().await;
    let latin = desk.folder.path().join("latin");
    std::fs::write(&latin, b"caf\xe9").unwrap();
    let long = format!("--yes --field login={} --field password={}", JULIE.login, "x".repeat(4097));
    let latin = format!("--yes --field login={} --field-file password={}", JULIE.login, latin.display());
    for given in [long, latin] {
        let called = call(desk.collect(&given)).await;
        assert_eq!(called.code, Some(1), "{}", called.err);
        assert!(called.err.contains("password is longer than 4096 bytes, or is not UTF-8"), "{}", called.err);
    }
    assert!(desk.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_from_a_file_keeps_its_blanks_and_loses_one_line_end() {
    let desk = Desk::new().await;
    let (file, password) = (desk.folder.path().join("password"), " Blank-Horse-7!\t ");
    desk.bank.change(Change { password: Some(password.to_owned()), ..Change::default() });
    let given = format!("--yes --json --field login={} --field-file password={}", JULIE.login, file.display());
    for (end, code) in [("", 0), ("\n", 0), ("\r\n", 0), ("\n\n", 10)] {
        std::fs::write(&file, format!("{password}{end}")).unwrap();
        let called = call(desk.collect(&given)).await;
        assert_eq!(called.code, Some(code), "{end:?}: {called:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_no_run_could_use_is_told_before_a_login_is_opened() {
    let desk = Desk::new().await;
    for (base, told) in [
        ("http://no-such.invalid", "http is"),
        ("https://bank.example/?a=b", "no query"),
        ("https://bank.example/#a", "no fragment"),
        ("ftp://bank.example", "the scheme"),
    ] {
        let mut flags = desk.collect(&login());
        let at = flags.iter().position(|word| *word == desk.bank.site_url).unwrap();
        flags[at] = base.to_owned();
        let called = call(flags).await;
        assert_eq!(called.code, Some(1), "{called:?}");
        let error = called.json()["error"].clone();
        assert!(error.as_str().is_some_and(|text| text.contains("base URL") && text.contains(told)), "{base}: {error}");
        assert_eq!(called.json()["receipts"], json!([]), "no login was opened");
    }
    assert!(desk.bank.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_half_of_a_parcel_and_names_the_file() {
    let desk = Desk::new().await;
    let Some(disk) = SmallDisk::at(&desk.folder.path().join("small"), 4) else { return };
    let mut flags = desk.collect(&login());
    let at = flags.iter().position(|word| *word == desk.out().display().to_string()).unwrap();
    flags[at] = desk.folder.path().join("small/parcel.json").display().to_string();
    let advice = "small/parcel.json can't be written: make room there, or name another file with --out";

    // Not a byte is free: told before the login is used.
    disk.fill();
    let called = call(flags.clone()).await;
    assert_eq!((called.code, &called.json()["receipts"]), (Some(50), &json!(null)), "{called:?}");
    assert!(called.err.contains(advice), "{}", called.err);
    assert!(desk.bank.requests().is_empty());

    // Less than a parcel is free: told when it is delivered.
    disk.clear();
    let called = call(flags.clone()).await;
    assert_eq!(failure(&called), (Some(50), json!("delivery-failed")), "{called:?}");
    assert!(called.err.contains(advice), "{}", called.err);
    let failed = &called.json()["failure"];
    let what = failed["what"].as_str().unwrap();
    assert!(what.contains("small/parcel.json can't be written: No space left"), "{failed}");
    assert!(failed["next"].as_str().unwrap().contains("name another file with --out"), "{failed}");
    let human = flags.iter().filter(|flag| *flag != "--json").cloned().chain(words("--language fr"));
    let called = call(human.collect()).await;
    assert!(called.code == Some(50) && called.err.contains("ne peut pas être écrit"), "{called:?}");
    assert!(!called.err.contains("did not confirm") && !called.err.contains("Contactez"), "{}", called.err);
    assert_eq!(disk.list(), []);

    disk.resize(64);
    let called = call(flags).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(matches!(&disk.list()[..], [(name, size)] if name == "parcel.json" && *size > 4096), "{:?}", disk.list());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_their_own_language_to_the_end() {
    let desk = Desk::new().await;
    let wrong = format!("--yes --language fr --field login={} --field password=Wrong-Horse-0!", JULIE.login);
    let called = call(desk.collect(&wrong)).await;
    for told in
        ["Ce terminal", "échec", "Les identifiants n'ont pas été acceptés.", "Vérifiez-les", "reçu rct_", "effacé"]
    {
        assert!(called.err.contains(told) || called.out.contains(told), "{told}: {called:?}");
    }
    assert!(
        !called.err.contains("This computer")
            && !called.err.contains("were not accepted")
            && !called.err.contains("erased"),
        "{called:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_secret_is_given_by_file_or_asked_for_by_name() {
    let desk = Desk::new().await;
    let folder = connector("oidc-provider").unwrap().parent().unwrap().display().to_string();
    let out = desk.out().display().to_string();
    let given = desk.folder.path().join("secret");
    std::fs::write(&given, "consentry\n").unwrap();
    let base = format!(
        "collect --connectors {folder} --trust {folder}/developer.pub --connector oidc-provider --source oidc-provider --development --base {} \
         --out {out} --yes --json --field login=marie --field password=No-Horse-Here-0",
        desk.bank.site_url
    );
    let called = call(words(&base)).await;
    assert_eq!((called.code, &called.json()["failure"]["code"]), (Some(40), &json!("operator-rejected")), "{called:?}");
    assert!(called.err.contains("client-id is not set") && called.err.contains("secret-files"), "{}", called.err);
    assert!(called.err.contains("--operator-file NAME=FILE"), "{}", called.err);
    assert_eq!(called.json()["receipts"], json!([]), "no login was opened");

    let file = given.display();
    let called =
        call(words(&format!("{base} --operator-file client-id={file} --operator-file client-secret={file}"))).await;
    // The bank is no such provider: the run began, and found out.
    assert_ne!(called.json()["failure"]["code"], "operator-rejected", "{called:?}");
    assert_eq!(called.json()["receipts"].as_array().map(Vec::len), Some(1), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_json_gets_json_when_nothing_could_begin() {
    let desk = Desk::new().await;
    let folder = connector("sample-bank").unwrap().parent().unwrap().display().to_string();
    let called = call(words(&format!(
        "collect --connectors {folder} --connector no-bank --out {} --yes --json",
        desk.out().display()
    )))
    .await;
    assert_eq!(called.code, Some(1), "{called:?}");
    assert!(called.json()["error"].as_str().unwrap().contains("consentry connector list"), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_filter_that_does_not_read_is_wrong_usage() {
    let called = call(words("--log consentry=loud config example")).await;
    assert_eq!((called.code, called.out.as_str()), (Some(2), ""), "{called:?}");
    assert!(called.err.contains("--log"), "{}", called.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_told_apart_from_all_of_it() {
    let desk = Desk::new().await;
    desk.bank.change(Change { state: Some(SiteState::LayoutChanged), ..Change::default() });
    let called = call(desk.collect(&login())).await;
    assert_eq!(called.code, Some(3), "{called:?}");
    assert_eq!(called.json()["file"], json!(desk.out()), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_of_what_it_should_be_is_refused_unread_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let [large, secret] = ["large", "passphrase"].map(|name| folder.path().join(name));
    std::fs::write(&large, "x".repeat(3 << 20)).unwrap();
    std::fs::write(&secret, "= Distant-Ocean-4!\n").unwrap();
    let nowhere = folder.path().join("nowhere");
    for (line, told) in [
        (format!("config check {}", large.display()), "more than 1048576 bytes"),
        ("config check /dev/zero".to_owned(), "more than 1048576 bytes"),
        (format!("config check {}", secret.display()), "line 1"),
        (format!("verify receipt /dev/zero --keys {}", large.display()), "can't be read"),
        (format!("connector list {}", nowhere.display()), "can't be read"),
        (format!("collect --connectors {} --out {}", nowhere.display(), large.display()), "can't be read"),
    ] {
        let called = call(words(&line)).await;
        assert_eq!((called.code, called.out.as_str()), (Some(1), ""), "{line}: {called:?}");
        assert!(called.err.contains(told) && called.err.len() < 2000, "{line}: {}", called.err.len());
        assert!(!called.err.contains("Ocean"), "{}", called.err);
    }
}

/// A connector that asks for what its manifest does not have, and crashes then.
const CRASHING: &str = r#"(component
    (import "consentry:connector/types@0.1.0" (instance $types
        (type $record (record (field "code" string) (field "text" string) (field "retry-after-ms" (option u32))))
        (export "fault" (type (eq $record)))))
    (alias export $types "fault" (type $fault))
    (import "consentry:connector/session-state@0.1.0" (instance $state
        (alias outer 1 $fault (type $same))
        (export "forget" (func (result (result (error $same)))))))
    (core module $memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $memory (instantiate $memory))
    (core func $forget (canon lower (func $state "forget")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $code
        (import "host" "forget" (func $forget (param i32)))
        (func $read_the_accounts (call $forget (i32.const 1024)) unreachable)
        (func (export "collect") (result i32) (call $read_the_accounts) (i32.const 0)))
    (core instance $code (instantiate $code
        (with "host" (instance (export "forget" (func $forget))))))
    (func (export "collect") (result (result (error $fault)))
        (canon lift (core func $code "collect") (memory (core memory $memory "memory")))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_author_reads_which_line_would_allow_it_and_where_it_crashed() {
    let crashing = super::with_section(wat::parse_str(CRASHING).unwrap(), &std::fs::read(manifest()).unwrap());
    let folder = folder_with(&[("sample-bank.wasm", crashing)]);
    let desk = Desk::new().await;
    let mut arguments = desk.collect(&format!("{} --unsigned", login()));
    let at = arguments.iter().position(|word| word == "--connectors").unwrap();
    arguments[at + 1] = folder.path().display().to_string();
    let called = call(arguments).await;
    assert_eq!(called.code, Some(30), "{called:?}");
    let line = "session-state.forget is not granted; the manifest line that would allow it: capabilities = [\"session-state\"]";
    assert!(called.err.contains(line), "{}", called.err);
    assert!(called.err.contains("the connector crashed") && called.err.contains("read_the_accounts"), "{}", called.err);
    assert!(!called.err.contains(JULIE.password) && !called.err.contains(JULIE.login));
}
