//! What the engine's own memory holds of a login after it was used, and what the kernel may do with that memory.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use consentry_tests::canary::encodings;
use consentry_tests::journey::{client, send};
use consentry_tests::node::binary;
use memchr::memmem::find;
use sample_bank::JULIE;

use super::{EVENT, World};

/// In how many mappings of a process one of these values is, in any encoding.
pub(super) fn mappings_with(process: u32, value: &str) -> Vec<String> {
    let needles = encodings(value);
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut found = vec![];
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|access| access.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
        let [mut from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        // In pieces that overlap, so that nothing lies between two.
        let mut piece = vec![0; 4 << 20];
        while from < to {
            let want = piece.len().min((to - from) as usize);
            // A page that was never touched, or is gone by now.
            let Ok(read) = memory.read_at(&mut piece[..want], from) else { break };
            if needles.iter().any(|needle| find(&piece[..read], needle).is_some()) {
                found.push(line.to_owned());
                break;
            }
            from +=
                if read > 4096 && read == want && from + (read as u64) < to { read as u64 - 4096 } else { to - from };
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_nowhere_in_memory_once_it_was_used() {
    let world = World::new().await;
    let process = world.node.process().unwrap();
    let (person, mut events, question) = world.asked().await;
    let code = world.answer(&person, &question).await;
    events.until("in-review", EVENT).await.unwrap();
    tokio::task::block_in_place(|| {
        assert!(!mappings_with(process, JULIE.accounts[0].iban).is_empty(), "what is reviewed is there, and is found");
        for (what, value) in [("password", JULIE.password), ("one-time password", &format!("code={code}"))] {
            assert_eq!(mappings_with(process, value), [""; 0], "{what}");
        }
    });

    let metrics = send(client().unwrap().get(format!("{}/v1/metrics", world.node.url))).await.unwrap();
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    for moment in ["evaluate", "send", "search"] {
        let counted = format!("consentry_plaintext_seconds_count{{moment=\"{moment}\"}} ");
        let counted = metrics.lines().find_map(|line| line.strip_prefix(&counted)).unwrap();
        assert!(counted.parse::<u64>().unwrap() >= 2, "a login and a code: {metrics}");
    }
    assert!(
        metrics.contains("consentry_plaintext_seconds_count{moment=\"answer\"} 1\n"),
        "the code, until it was taken: {metrics}"
    );
    assert_eq!(runs_in_clear(&metrics).0, 1, "the collection is one run: {metrics}");
    for value in [JULIE.login, JULIE.password, person.session()] {
        assert!(!metrics.contains(value));
    }
    person.share(&[]).await.unwrap();
    events.until("delivering", EVENT).await.unwrap();
    tokio::task::block_in_place(|| {
        assert_eq!(mappings_with(process, JULIE.accounts[0].iban), [""; 0], "what was shared is sealed")
    });
}

/// Of how many runs it was counted how long a secret of theirs stood in clear, and the seconds of them all.
fn runs_in_clear(metrics: &str) -> (u64, f64) {
    let of = |what: &str| {
        let name = format!("consentry_plaintext_run_seconds_{what} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap()
    };
    (of("count").parse().unwrap(), of("sum").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_secrets_stand_in_clear_is_counted_for_each_run() {
    let world = World::new().await;
    let metrics = async || {
        let metrics = send(client().unwrap().get(format!("{}/v1/metrics", world.node.url))).await.unwrap();
        runs_in_clear(&String::from_utf8(metrics.bytes).unwrap())
    };
    let mut before = metrics().await;
    assert_eq!(before, (0, 0.0));
    for runs in 1..=2 {
        let begun = Instant::now();
        let (_person, _events) = world.in_review().await;
        let took = begun.elapsed().as_secs_f64();
        let (count, sum) = metrics().await;
        assert_eq!(count, runs);
        assert!(sum > before.1 && sum - before.1 < took, "{sum} after {before:?}, and {took} by the clock");
        before = (count, sum);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_in_clear_is_locked_and_no_core_is_written() {
    let world = World::new().await;
    let process = world.node.process().unwrap();
    let blocks = async |memory: &str| {
        let metrics = send(client().unwrap().get(format!("{}/v1/metrics", world.node.url))).await.unwrap();
        let metrics = String::from_utf8(metrics.bytes).unwrap();
        let name = format!("consentry_plaintext_blocks_total{{memory=\"{memory}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    let (locked, beside) = (blocks("locked").await, blocks("beside").await);
    let (_person, _events) = world.in_review().await;
    assert!(blocks("locked").await > locked, "a login was in clear in locked pages");
    assert_eq!(blocks("beside").await, beside, "and nowhere else");
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap();
    let status = read("status");
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim();
    assert_eq!(locked, "4096 kB");
    let limits = read("limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
}

#[test]
fn others_of_the_same_account_can_not_look_into_it() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let (built, program) = (binary("consentry").unwrap(), folder.path().join("consentry"));
    std::fs::hard_link(&built, &program).or_else(|_| std::fs::copy(&built, &program).map(drop)).unwrap();
    // It waits for values on its standard input.
    let mut command = Command::new(&program);
    command.args(["canary", "search", "--values", "-"]).stdin(Stdio::piped()).current_dir("/");
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().unwrap();
    // Whoever runs it does not own its memory: the kernel gives what can't be dumped to root.
    let owner = || std::fs::metadata(format!("/proc/{}/mem", child.id())).unwrap().uid();
    let begun = Instant::now();
    while owner() != 0 && begun.elapsed() < EVENT {
        std::thread::yield_now();
    }
    assert_eq!(owner(), 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_memory_may_be_written_to_a_disk_does_not_start() {
    let mut world = World::prepared().await;
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let events = world.service.registered().unwrap().events;
    let config = config.replace("development = true", "development = false");
    let config = config.replace(&world.bank.site_url, "https://bank.example");
    let config = config.replace(&events, &events.replace("http:", "https:")).replace("[\"http:", "[\"https:");
    let lines = config.lines().filter(|line| !line.starts_with("bearer-sha256")).collect::<Vec<_>>();
    std::fs::write(&path, lines.join("\n")).unwrap();

    let mut command = Command::new("prlimit");
    if nix::unistd::geteuid().is_root() {
        // Who may lock what they like is asked for no limit.
        command = Command::new("setpriv");
        command.args(["--bounding-set=-ipc_lock", "prlimit"]);
    }
    command.arg("--memlock=0:0").arg(binary("consentry").unwrap()).args(["serve", "--config"]).arg(&path);
    let done = tokio::task::block_in_place(|| command.output()).unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success(), "{said}");
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1;
    if swaps {
        assert!(said.contains("turn that off (swapoff -a)") || said.contains("LimitMEMLOCK=8M"), "{said}");
        return;
    }
    assert!(said.contains("let this service lock 8 MiB (LimitMEMLOCK=8M in its unit)"), "{said}");
    // Nothing else is wrong with it.
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
}
