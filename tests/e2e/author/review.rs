//! What a reviewer does: every command of the guide, in the order in which it stands there, on a connector with its source beside it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use consentry_tests::node::binary;

use super::{commands, consentry, root};

/// With a connector of the template `form-login` that was built and passes.
pub(super) fn is_done_as_the_guide_says(folder: &Path, name: &str) {
    let mut passphrase =
        File::options().write(true).create_new(true).mode(0o600).open(folder.join("passphrase")).unwrap();
    passphrase.write_all(b"a passphrase for tests, and for nothing else").unwrap();
    for key in ["author", "reviewer"] {
        let (made, told) = consentry(folder, &["connector", "keygen", key, "--passphrase-file", "passphrase"]);
        assert!(made, "{told}");
    }
    std::fs::create_dir(folder.join("connectors")).unwrap();
    std::os::unix::fs::symlink(folder.join(name), folder.join("connectors/bank")).unwrap();
    for file in ["old.wasm", "new.wasm", "bank.wasm"] {
        let (built, told) = consentry(folder, &["connector", "build", name, "--out", file]);
        assert!(built, "{told}");
        let sign = ["connector", "sign", file, "--key", "author.key", "--passphrase-file", "passphrase"];
        let (signed, told) = consentry(folder, &sign);
        assert!(signed, "{told}");
    }
    let guide = std::fs::read_to_string(root().join("docs/review.md")).unwrap();
    let commands = commands(&guide);
    assert!(commands.lines().count() > 6, "{commands}");
    let program = binary("consentry").unwrap().canonicalize().unwrap();
    let script = format!("set -eo pipefail\nPATH=\"{}:$PATH\"\n{commands}", program.parent().unwrap().display());
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(folder);
    let done = bash.env("CARGO_TARGET_DIR", root().join("target/tutorial-build")).output().unwrap();
    let [out, err] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(done.status.success(), "{commands}\n{out}\n{err}");
    let (authors, told) = consentry(folder, &["connector", "verify", "bank.wasm", "--trust", "author.pub"]);
    assert!(!authors, "the author's signature is replaced: {told}");
    let digests = ["bank.wasm", "own.wasm"].map(|file| {
        let (checked, told) = consentry(folder, &["connector", "check", file]);
        assert!(checked, "{told}");
        told.lines().find(|line| line.contains("sha256:")).unwrap().trim().to_owned()
    });
    assert_eq!(digests[0], digests[1], "the signature is no part of it, and the same source is the same code");
}
