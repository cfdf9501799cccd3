//! Connectors that may not be published: one that does in some state what no connector may do, and one whose author says that states do not apply which
//! do. Both pass in every other respect.

use std::path::Path;

use super::{consentry, key};

/// What the template does, and in single states what it may not: each of them is one that the suite makes of the recording `ok`.
const CARELESS: &str = r#"
/// Does what it may not, in states that no recording shows.
fn careless(done: Result) -> Result {
    let Err(fault) = &done else { return done };
    if fault.is(Code::CredentialsRejected) {
        drop(get("http://127.0.0.1:9/elsewhere").send());
    }
    if fault.is(Code::AccountLocked) {
        drop(items::PersonName::new().full("Nobody").emit());
    }
    if fault.is(Code::CredentialsExpired) {
        let hog = std::hint::black_box(vec![1_u8; 64 << 20]);
        log::write("info", &hog.iter().filter(|byte| **byte == 1).count().to_string());
    }
    done
}
"#;

/// In the folder of a connector of the template `form-login` that was built and passes.
pub(super) fn is_not_published(folder: &Path, name: &str) {
    let (manifest, code) = (folder.join(name).join("manifest.toml"), folder.join(name).join("src/lib.rs"));
    let (old_manifest, old_code) =
        (std::fs::read_to_string(&manifest).unwrap(), std::fs::read_to_string(&code).unwrap());
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    // The code by SMS is read in clear: the manifest says so, and the connector tells it.
    let public = old_manifest.split("prompt = \"otp\"").nth(1).unwrap();
    let public = public.split("# ---").next().unwrap();
    let open = public.split("[[answer.sink]]").next().unwrap().replace("\"secret\"", "\"public\"");
    std::fs::write(&manifest, changed(&old_manifest, public, &open)).unwrap();
    let careless = changed(
        &old_code,
        "fn collect() -> Result {",
        "fn collect() -> Result {\n    careless(honest())\n}\n\nfn honest() -> Result {",
    );
    let careless = changed(&careless, ".secret(\"code\")?;", ".text(\"code\")?;\n    log::write(\"info\", &code);");
    let careless = changed(&careless, ".field(\"code\", &code)", ".field(\"code\", code)");
    // What is brought depends on chance where there are no accounts.
    let chance = "    if page.page().as_deref() == Some(\"no-accounts\") {\n        let label = consentry_sdk::contract::random::bytes(1).first().map(u8::to_string);\n        \
                  items::BankAccount::new(\"by-chance\").label(label).emit()?;\n    }\n    let mut accounts = Vec::new();";
    let careless = changed(&careless, "    let mut accounts = Vec::new();", chance);
    std::fs::write(&code, format!("{careless}{CARELESS}")).unwrap();
    let platform = folder.join("platform");
    std::fs::create_dir(&platform).unwrap();
    let (published, told) = consentry(folder, &["connector", "publish", name, "--to", "platform", "--key", &key()]);
    assert!(!published && told.contains("nothing is published"), "{told}");
    let of = |state: &str| {
        let section = told.split(&format!("\n{state}:\n")).nth(1).unwrap_or_else(|| panic!("{state} passed: {told}"));
        section.lines().take_while(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n")
    };
    for (state, wanted) in [
        ("rejected", "the answer to the login is the page `login`: refused, "),
        ("locked", "refused, "),
        ("expired", "the limit memory was reached"),
        ("empty", "it is not deterministic"),
        ("otp-ok", "a secret stands in an item or in a line of the log"),
        ("otp-wrong", "a secret stands in an item or in a line of the log"),
    ] {
        assert!(of(state).contains(wanted), "{state}: {told}");
    }
    for state in ["maintenance", "rate-limited", "automation-blocked", "layout-changed", "otp-timeout"] {
        assert!(!told.contains(&format!("\n{state}:\n")), "{state}: {told}");
    }
    assert_eq!(std::fs::read_dir(&platform).unwrap().count(), 0);
    std::fs::remove_dir(&platform).unwrap();
    std::fs::write(&manifest, old_manifest).unwrap();
    std::fs::write(&code, old_code).unwrap();
}

/// In the same folder: what the author says does not apply, and does.
pub(super) fn is_believed_only_where_nothing_contradicts(folder: &Path, name: &str) {
    let declared = folder.join(name).join("acceptance.toml");
    let old = std::fs::read_to_string(&declared).unwrap();
    let states =
        ["empty", "rejected", "otp-ok", "otp-wrong", "otp-timeout", "approve-denied", "session-lost", "partial"];
    let all: String = states.iter().map(|state| format!("{state} = \"this bank has nothing of the kind\"\n")).collect();
    std::fs::write(&declared, format!("[not-applicable]\n{all}expired = \"no\"\n")).unwrap();
    let (passed, told) = consentry(folder, &["connector", "test", name]);
    for (state, why) in [
        ("empty", "it applies: the page `no-accounts` of the manifest says when there is nothing"),
        ("rejected", "it applies: the page `login` of the manifest says credentials-rejected"),
        ("otp-ok", "acceptance.toml says that it does not apply; its recording says it does"),
        ("otp-wrong", "it applies: the manifest asks for a code (`otp`)"),
        ("otp-timeout", "it applies: the manifest asks the person (`prompt`)"),
        ("approve-denied", "it applies: the manifest asks the person (`prompt`)"),
        ("session-lost", "it applies: there is a login, and the recording `ok` asks for more after it"),
        ("partial", "it applies: data comes from several pages (accounts, "),
        ("expired", "the reason says nothing"),
    ] {
        assert!(!passed && told.contains(&format!("\n{state}:\n")) && told.contains(why), "{state}: {told}");
    }
    assert!(told.contains("6 passed, 9 failed\n"), "{told}");
    std::fs::write(&declared, old).unwrap();
}
