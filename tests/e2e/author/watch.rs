//! A run that watches its source: what is changed is built and run again, what is broken is told, and what is mended runs.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use consentry_tests::node::binary;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sample_bank::{MARIE, SampleBank};

use super::root;

/// Far beyond need: it takes about a second on a machine that does nothing else.
const WITHIN: Duration = Duration::from_secs(240);

/// The lines of a stream, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody may listen any more.
            let _ = send.send(line);
        }
    });
    lines
}

fn until(lines: &Receiver<String>, text: &str) {
    let mut seen = Vec::new();
    loop {
        let line = lines.recv_timeout(WITHIN).unwrap_or_else(|_| panic!("{text} never came: {seen:#?}"));
        if line.contains(text) {
            return;
        }
        seen.push(line);
    }
}

/// In the folder of a connector of the template `form-login`.
pub(super) async fn runs_what_is_changed(folder: &Path, name: &str) {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    let code = folder.join(name).join("src/lib.rs");
    let old = std::fs::read_to_string(&code).unwrap();
    let mut command = Command::new(binary("consentry").unwrap());
    command.args(["connector", "run", name, "--watch", "--base", &bank.site_url, "--category", "bank.account"]);
    command.args(["--field", &format!("login={}", MARIE.login), "--field", &format!("password={}", MARIE.password)]);
    command.current_dir(folder).env("CARGO_TARGET_DIR", root().join("target/tutorial-build"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    tokio::task::block_in_place(|| {
        until(&out, "bank.account ref=\"1\" label=\"Compte chèques\"");
        // From here on a change is seen.
        until(&err, "watching ");
        let changed = old.replace(".label(label)", ".label(label.to_uppercase())");
        assert_ne!(changed, old);
        std::fs::write(&code, changed).unwrap();
        until(&out, "bank.account ref=\"1\" label=\"COMPTE CHÈQUES\"");
        until(&out, "watching; the run took ");
        std::fs::write(
            &code,
            old.replacen("fn collect() -> Result {", "fn collect() -> Result { nothing_of_the_kind();", 1),
        )
        .unwrap();
        until(&err, "nothing_of_the_kind");
        std::fs::write(&code, &old).unwrap();
        until(&out, "bank.account ref=\"1\" label=\"Compte chèques\"");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        child.wait().unwrap();
    });
}
