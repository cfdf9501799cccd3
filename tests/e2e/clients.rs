//! A receiver in one file, as an integrator would write it with a common JOSE library: it takes a real delivery of the real binary from the
//! event to the acknowledgement. The one in Rust (`examples/online-service`) is in all other tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry_tests::node::Node;
use consentry_tests::service::{self, ID, Service};
use sample_bank::{Change, JULIE, SampleBank};
use serde_json::Value;

use crate::serve::{EVENT, LOGIN};

/// Lines that a receiver has at most.
const LINES_MAX: usize = 80;

/// A receiver as a program; dropping it ends it.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        // A failure means that it is gone already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/online-service").join(name)
}

/// Delivers to what this command starts.
async fn receives(mut command: Command) {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { operations: Some([5, 0, 0]), ..Change::default() });
    let service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let node = tokio::task::block_in_place(|| Node::start(&bank.site_url, &registered)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, der: &[u8]| {
        let path = folder.path().join(name);
        let text = STANDARD.encode(der);
        std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")).unwrap();
        path
    };
    let signing = write("signing", &service::signer().unwrap().danger_to_pkcs8());
    let opening = write("opening", &service::recipient().unwrap().danger_to_pkcs8());
    command.arg(&node.url).arg(ID).args([&signing, &opening]).arg(service.address().port().to_string());
    let receiver = Receiver(command.arg(folder.path()).stdout(Stdio::null()).spawn().unwrap());

    let person = service.ask(&node).await.unwrap();
    let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
    person.agree(&notice).await.unwrap();
    let mut events = person.events().await.unwrap();
    person.log_in(&LOGIN).await.unwrap();
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    events.until("completed", EVENT).await.unwrap();
    drop(receiver);

    let kept = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    let content: Value = serde_json::from_slice(&std::fs::read(&kept[0]).unwrap()).unwrap();
    assert_eq!((kept.len(), &content["online_service"]), (1, &Value::from(ID)));
    assert!(content.to_string().contains(JULIE.last_name));
}

fn lines(file: &str) -> usize {
    std::fs::read_to_string(example(file)).unwrap().lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_in_python_takes_a_delivery() {
    for file in ["receive.py", "src/receiver.rs"] {
        assert!(lines(file) <= LINES_MAX, "{file}");
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/venv/bin/python");
    let mut command = Command::new(python);
    command.arg(example("receive.py"));
    receives(command).await;
}
