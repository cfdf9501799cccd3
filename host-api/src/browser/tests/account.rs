//! Whom the browser runs as: by engines that are root, that may change to another account, and that may not.

use caps::{CapSet, Capability};
use nix::unistd::{User, geteuid};
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// The number of the browser's account, which whoever is root has on this machine.
pub(super) fn browser() -> u32 {
    let account = User::from_name("consentry-browser").unwrap();
    account.expect("no account consentry-browser: tests/debian makes it").uid.as_raw()
}

/// Whether this can be tried. What is left out is said aloud: the harness shows nothing of a test that passes.
fn is_root(what: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        writeln!(std::io::stderr(), "not tried, since only root can: {what}").unwrap();
    }
    root
}

/// The service of the test below: says whether it gets a browser without anybody's leave to share its account, shows a page and takes a file
/// with that leave, and says how the browser stands, which has none of its rights.
#[tokio::test]
#[ignore = "started by the test below"]
async fn shows_a_page_and_says_how_its_browser_stands() {
    // It was for the way to this program, wherever that was built; nothing else is opened by it.
    for rights in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted] {
        caps::drop(None, rights, Capability::CAP_DAC_READ_SEARCH).unwrap();
    }
    match Process::start(&BrowserSettings::default()).await {
        Ok(_) => println!("\nnot shared: starts"),
        Err(error) => println!("\nnot shared: {error}"),
    }
    let site = Site::start(|request| match request {
        "GET /file" => site::answer("200 OK", "Content-Disposition: attachment\r\n", b"these bytes"),
        _ => page("<p id=fine>fine</p><a id=file href=/file>a file</a>"),
    })
    .await;
    let desk = Desk::new().await;
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    assert!(context.html(&at).await.contains("fine"));
    assert_eq!(context.download(&at, "#file", 1 << 20).await.unwrap(), b"these bytes");
    let status = std::fs::read_to_string(format!("/proc/{}/status", context.process.pid())).unwrap();
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("CapAmb:\t0000000000000000"), "{status}");
    let account = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()).unwrap();
    println!("\nisolated {} account {account}", context.process.ground.is_isolated());
    drop(context);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_root_has_a_browser_of_another_account_or_its_operator_says_that_its_own_will_do() {
    const SERVICE: u32 = 65_534;
    if !is_root("browsers of engines that are not root") {
        return;
    }
    let _alone = ALONE.lock().await;
    let name = "browser::tests::account::shows_a_page_and_says_how_its_browser_stands";
    let changes = "+setuid,+setgid,+kill";
    for (rights, isolated, account) in [
        ("+sys_admin,+net_admin", true, SERVICE),
        ("+sys_admin", false, SERVICE),
        ("+net_admin,+setuid,+setgid", false, SERVICE),
        (changes, false, browser()),
        (&format!("{changes},+sys_admin,+net_admin"), true, browser()),
    ] {
        let given = format!("{rights},+dac_read_search");
        let mut service = Command::new("setpriv");
        service.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set", &format!("-all,{given}")]);
        service.args(["--inh-caps", &format!("-all,{given}"), "--ambient-caps", &format!("-all,{given}")]);
        service.arg(std::env::current_exe().unwrap()).args([name, "--exact", "--ignored", "--nocapture"]);
        let done = service.output().unwrap();
        let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        let stands = format!("\nisolated {isolated} account {account}\n");
        assert!(done.status.success() && said.contains(&stands), "{rights}: {said}");
        let alone = said.lines().find_map(|line| line.strip_prefix("not shared: ")).unwrap();
        let refused = alone.contains("CAP_SETUID") && alone.contains("browser.shared-account");
        assert_eq!((alone == "starts", refused), (account != SERVICE, account == SERVICE), "{rights}: {alone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_there_or_is_roots_is_refused_with_what_to_do() {
    if !is_root("an account of the browser that is not there") {
        return;
    }
    for name in ["root", "nobody-has-this-name"] {
        let settings = BrowserSettings { account: name.to_owned(), ..BrowserSettings::at_a_desk() };
        let refused = Process::start(&settings).await.err().unwrap();
        assert!(matches!(&refused, BrowserError::Account(account) if account == name), "{refused:?}");
        let advice = format!("`useradd --system --no-create-home --shell /usr/sbin/nologin {name}`");
        assert!(refused.to_string().contains(&advice), "{refused}");
    }
}

/// The engine of the test below, in a user namespace of its own which may hold no further one.
#[tokio::test]
#[ignore = "started by the test below"]
async fn shows_a_page_without_a_namespace() {
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
    assert!(!launch::has_namespaces(crate::browser::account::Account::Engines), "it still gives namespaces away");
    let site = Site::start(|_| page("<p id=fine>fine</p>")).await;
    let desk = Desk::new().await;
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/")).await.unwrap();
    assert!(context.html(&at).await.contains("fine"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", context.process.pid())).unwrap();
    assert!(status.contains("NoNewPrivs:\t0"), "the helper has no privileges to give up: {status}");
    assert!(!BrowserSettings::at_a_desk().unconfined, "it would not have started");
    drop(context);
    desk.end().await;
}

/// By a real kernel that gives none: a namespace says for itself how many it may hold.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_gets_a_user_namespace_pages_are_confined_by_root_in_their_place() {
    if !is_root("a browser without user namespaces") {
        return;
    }
    let _alone = ALONE.lock().await;
    let name = "browser::tests::account::shows_a_page_without_a_namespace";
    // The shell waits until its accounts are those outside, and starts what then has root's rights within.
    let mut engine = Command::new("unshare");
    engine.args(["--user", "sh", "-c", "read _; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    engine.args([name, "--exact", "--ignored", "--nocapture"]);
    let mut engine = engine.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ours = std::fs::read_link("/proc/self/ns/user").unwrap();
    let theirs = format!("/proc/{}/ns/user", engine.id());
    assert!(until(|| std::fs::read_link(&theirs).is_ok_and(|theirs| theirs != ours)).await, "it makes no namespace");
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", engine.id()), "0 0 65536").unwrap();
    }
    engine.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let done = engine.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}
