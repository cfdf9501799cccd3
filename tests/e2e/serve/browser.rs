//! A node starts a browser when a connector that it serves needs one, and never otherwise; one that can't have it says so at once, with what
//! to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use consentry_host_api::browser::BrowserSettings;
use consentry_tests::journey::Events;
use consentry_tests::node::connector;
use reqwest::Method;
use sample_bank::JULIE;

use super::{EVENT, LOGIN, World};

/// How long a node may take to see a connector, start a browser, and make a page ahead.
const WITHIN: Duration = Duration::from_secs(60);

/// A program that says in a file beside it that it was started, and is the browser then.
struct Told(PathBuf);

impl Told {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("consentry-told-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // Its account is not the test's.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let told = Self(folder);
        let usual = BrowserSettings::default();
        let shell = usual.found().expect("a browser: tests/debian installs it").display();
        let text = format!("#!/bin/sh\necho started >> {}\nexec {shell} \"$@\"\n", told.starts_file().display());
        std::fs::write(told.program(), text).unwrap();
        std::fs::set_permissions(told.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        told
    }

    fn program(&self) -> PathBuf {
        self.0.join("chromium-headless-shell")
    }

    fn starts_file(&self) -> PathBuf {
        self.0.join("starts")
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.starts_file()).unwrap_or_default().lines().count()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // What is left of it is in the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Processes below this one that show pages.
fn pages_below(process: u32) -> usize {
    let all: Vec<(u32, u32, String)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())?;
            let arguments = std::fs::read(entry.path().join("cmdline")).ok()?;
            Some((pid, parent, String::from_utf8_lossy(&arguments).into_owned()))
        })
        .collect();
    let mut below = vec![process];
    let mut at = 0;
    while let Some(parent) = below.get(at).copied() {
        below.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, ..)| *pid));
        at += 1;
    }
    all.iter().filter(|(pid, _, arguments)| below.contains(pid) && arguments.contains("--type=renderer")).count()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl World {
    /// The bank's online branch, which opens pages, beside what is served.
    fn add_branch(&self) {
        let file = "connectors/sample-branch.wasm";
        std::fs::copy(connector("sample-branch").unwrap(), self.node.path(file)).unwrap();
        self.node.approve(file).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.node.path("stderr")).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_started_for_connectors_that_need_one_and_for_no_others() {
    let (told, mut world) = (Told::new(), World::prepared().await);
    world.node.set_variable("CONSENTRY__BROWSER__PROGRAM", &told.program());
    world.node.set_variable("CONSENTRY__BROWSER__SHARED_ACCOUNT", Path::new("true"));
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    let (person, mut events) = world.in_review().await;
    assert_eq!(told.starts(), 0, "a whole collection over HTTP");
    tokio::task::block_in_place(|| {
        world.add_branch();
        until("the connector came, and no browser", || told.starts() == 1);
        let process = world.node.process().unwrap();
        until("no page was made ahead", || pages_below(process) > 0);
    });
    person.share(&[]).await.unwrap();
    events.until("delivering", EVENT).await.unwrap();
    tokio::task::block_in_place(|| {
        world.node.stop().unwrap();
        world.node.serve().unwrap();
        until("a node that starts with the connector starts no browser", || told.starts() == 2);
        world.node.stop().unwrap();
        // Without it again, from start to end.
        std::fs::remove_file(world.node.path("connectors/sample-branch.wasm")).unwrap();
        world.node.serve().unwrap();
    });
    world.in_review().await;
    tokio::task::block_in_place(|| world.node.stop()).unwrap();
    assert_eq!(told.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_browser_hears_how_many_are_before_them() {
    let mut world = World::prepared().await;
    world.ask_otp();
    let config = world.node.path("consentry.toml");
    let source = "[[source]]\nconnector = \"sample-branch\"\nid = \"sample-branch\"\nbase = ";
    let text = format!("{}\n{source}{:?}\n", std::fs::read_to_string(&config).unwrap(), world.bank.site_url);
    std::fs::write(&config, text).unwrap();
    world.node.set_variable("CONSENTRY__BROWSER__RUNS_MAX", Path::new("1"));
    world.node.set_variable("CONSENTRY__BROWSER__SHARED_ACCOUNT", Path::new("true"));
    tokio::task::block_in_place(|| {
        world.add_branch();
        world.node.serve().unwrap();
    });
    let comes = async || {
        let person = world.service.ask_for(&["bank.account"], &world.node).await.unwrap();
        let notice = person.choose("sample-branch", "sample-branch").await.unwrap();
        person.agree(&notice).await.unwrap();
        let events = person.events().await.unwrap();
        person.log_in(&[("login", JULIE.login), ("code", JULIE.code)]).await.unwrap();
        (person, events)
    };
    let waits = async |events: &mut Events| loop {
        let event = events.next(EVENT).await.unwrap().expect("an event");
        if event["type"] == "waiting" {
            break event["ahead"].as_u64().unwrap();
        }
    };
    let (first, mut events) = comes().await;
    // It has the browser until its person gives the code.
    events.question(EVENT).await.unwrap();
    let (_second, mut second) = comes().await;
    assert_eq!(waits(&mut second).await, 0);
    let (_third, mut third) = comes().await;
    assert_eq!(waits(&mut third).await, 1);
    first.call(Method::POST, "withdraw", None).await.unwrap();
    second.question(EVENT).await.unwrap();
    assert_eq!(waits(&mut third).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_can_have_no_browser_says_what_to_do_and_serves_all_else() {
    let mut world = World::prepared().await;
    world.node.set_variable("CONSENTRY__BROWSER__ACCOUNT", Path::new("nobody-has-this-name"));
    tokio::task::block_in_place(|| {
        world.add_branch();
        world.node.serve().unwrap();
        // Who is not root is told of rights, who is, of the account.
        let advice = match nix::unistd::geteuid().is_root() {
            true => "useradd --system --no-create-home --shell /usr/sbin/nologin nobody-has-this-name",
            false => "browser.shared-account = true",
        };
        until("nobody is told what to do", || {
            world
                .log()
                .lines()
                .any(|line| line.contains("collections that need one are refused") && line.contains(advice))
        });
    });
    let (person, mut events) = world.agreed().await;
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
}
