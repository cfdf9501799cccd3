//! The real `consentry` binary as a child process, in a folder of its own: configuration, keys, connectors, data, logs. It can
//! be killed and started again on the same folder and port.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a started engine may take until it answers: connectors are compiled first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Where ports for tests begin, and how many there are. Linux gives 32768 and up to outgoing connections.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long it may take to end when it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// An Online Service as the engine's configuration knows it.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its public key, a JWK.
    pub jwk: String,
    /// Where events go.
    pub events: String,
    /// The SHA-256 of its key to the API, in hexadecimal.
    pub bearer_sha256: String,
    /// Its public key that signs its answers, a JWK.
    pub signer: String,
    /// The code of trust, signed by it.
    pub commitments: String,
}

/// An engine on a folder of its own. Dropping it kills the process and removes the folder.
#[derive(Debug)]
pub struct Node {
    folder: tempfile::TempDir,
    /// The address of its HTTP interface, without a trailing slash.
    pub url: String,
    child: Option<Child>,
    variables: Vec<(String, PathBuf)>,
    program: &'static str,
}

/// A Data Source that an engine serves: the only one of its connector, and called like it.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The connector's id.
    pub id: &'a str,
    /// Where it stands.
    pub base: &'a str,
    /// The operator's own secrets towards it, by name. Each goes into a file of [`SECRETS`].
    pub secrets: &'a [(&'a str, &'a str)],
}

/// The folder of an engine's secret files.
pub const SECRETS: &str = "secrets";

/// The categories that the Online Service of a [`Node`] may ask for, unless a test says otherwise.
pub const CATEGORIES: [&str; 6] =
    ["person.name", "person.email", "bank.account", "bank.balance", "bank.transaction", "document.statement"];

impl Node {
    /// Writes the folder of an engine that reads the sample bank at `bank` for one Online Service, and starts the engine.
    ///
    /// # Errors
    /// Something is not built, or the engine does not answer in time; the end of its log is in the text.
    pub fn start(bank: &str, service: &Registered) -> anyhow::Result<Self> {
        let mut node = Self::prepare(bank, service)?;
        node.serve()?;
        Ok(node)
    }

    /// As [`Node::start`], and does not start it yet.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn prepare(bank: &str, service: &Registered) -> anyhow::Result<Self> {
        let bank = Served { id: "sample-bank", base: bank, secrets: &[] };
        Self::prepare_at(free_address()?, bank, &CATEGORIES, service)
    }

    /// As [`Node::prepare`], at this address, for this Data Source and an Online Service that may ask for these categories.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn prepare_at(
        address: SocketAddr,
        source: Served<'_>,
        categories: &[&str],
        service: &Registered,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("consentry-").tempdir()?;
        let url = format!("http://{address}");
        let path = |name: &str| folder.path().join(name);
        for name in ["data", "connectors", SECRETS] {
            std::fs::create_dir(path(name))?;
        }
        std::fs::copy(connector(source.id)?, path("connectors").join(format!("{}.wasm", source.id)))?;
        for (name, value) in source.secrets {
            std::fs::write(path(SECRETS).join(name), value)?;
        }
        let mut passphrase = File::options().write(true).create_new(true).mode(0o600).open(path("passphrase"))?;
        passphrase.write_all(PASSPHRASE.as_bytes())?;
        std::fs::write(path("service.jwk.json"), &service.jwk)?;
        std::fs::write(path("signer.jwk.json"), &service.signer)?;
        std::fs::write(path("commitments"), &service.commitments)?;
        std::fs::write(path("consentry.toml"), configuration(&url, source, categories, service, &developer_key()?))?;
        let node = Self { folder, url, child: None, variables: vec![], program: "consentry" };
        node.take_keys()?;
        node.approve(&format!("connectors/{}.wasm", source.id))?;
        Ok(node)
    }

    /// The operator approves a connector of the engine, whatever it asks for.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn approve(&self, file: &str) -> anyhow::Result<()> {
        let approved = Command::new(binary("consentry")?)
            .args(["connector", "approve", "--yes", "--config"])
            .args([self.path("consentry.toml"), self.path(file)])
            .output()?;
        ensure!(approved.status.success(), "not approved: {}", String::from_utf8_lossy(&approved.stderr));
        Ok(())
    }

    /// Sets a variable of the environment for the engine, from its next start on.
    pub fn set_variable(&mut self, name: &str, value: &Path) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Another program than the engine that is given to people, from its next start on.
    pub fn set_program(&mut self, name: &'static str) {
        self.program = name;
    }

    /// Gives a command the variables of the engine.
    pub fn with_variables<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)))
    }

    /// A file or folder of the engine: `data`, `consentry.toml`, `stdout`, `stderr`, `connectors`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the engine, which logs all it can, and waits until it answers.
    ///
    /// # Errors
    /// It does not answer in time, or ended.
    pub fn serve(&mut self) -> anyhow::Result<()> {
        let log = |name| File::options().create(true).append(true).open(self.path(name));
        let mut command = Command::new(binary(self.program)?);
        let child = self
            .with_variables(&mut command)
            .args(["--log", "trace", "serve", "--config"])
            .arg(self.path("consentry.toml"))
            .stdin(Stdio::null())
            .stdout(log("stdout")?)
            .stderr(log("stderr")?)
            .spawn()?;
        let child = self.child.insert(child);
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait()? {
                bail!("the engine ended ({status}):\n{}", tail(&self.path("stderr")));
            }
            if listens(&self.url) {
                return Ok(());
            }
            std::thread::sleep(ASK_EVERY);
        }
        bail!("the engine did not answer within {} s:\n{}", READY_WITHIN.as_secs(), tail(&self.path("stderr")))
    }

    /// Ends the process as a power cut would: no handler runs.
    ///
    /// # Errors
    /// It was not running.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the engine is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks the process to end, and waits for it.
    ///
    /// # Errors
    /// It was not running, does not end, or not well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.process()?)?), Signal::SIGTERM)?;
        let status = self.ended()?;
        ensure!(status.success(), "the engine ended with {status}:\n{}", tail(&self.path("stderr")));
        Ok(())
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// It was not running, or does not end.
    pub fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let child = self.child.as_mut().context("the engine is not running")?;
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            std::thread::sleep(ASK_EVERY);
        }
        bail!("the engine did not end within {} s", ENDS_WITHIN.as_secs())
    }

    /// The process's number.
    ///
    /// # Errors
    /// It is not running.
    pub fn process(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("the engine is not running")?.id())
    }

    /// Tells the process to read its configuration again.
    ///
    /// # Errors
    /// It is not running.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("the engine is not running")?;
        Ok(kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGHUP)?)
    }

    /// Every node of one test program has the same keys: to make them takes seconds, and they are read from files all the same.
    fn take_keys(&self) -> anyhow::Result<()> {
        static KEYS: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
        if let Some(files) = KEYS.get() {
            for (name, bytes) in files {
                let path = self.path("data").join(name);
                std::fs::write(&path, bytes)?;
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            }
            return Ok(());
        }
        let made = Command::new(binary("consentry")?)
            .args(["keys", "generate", "--config"])
            .arg(self.path("consentry.toml"))
            .output()?;
        ensure!(made.status.success(), "no keys: {}", String::from_utf8_lossy(&made.stderr));
        let mut files = vec![];
        for entry in std::fs::read_dir(self.path("data"))? {
            let entry = entry?;
            // The audit log waits in a folder of its own.
            if !entry.file_type()?.is_file() {
                continue;
            }
            files.push((entry.file_name().into(), std::fs::read(entry.path())?));
        }
        ensure!(!files.is_empty(), "`keys generate` left nothing in the data folder");
        // Another test was as fast: its keys do as well.
        let _ = KEYS.set(files);
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A failure means that it is gone already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const PASSPHRASE: &str = "a passphrase for tests, and for nothing else";

/// A binary of this workspace, built before the tests.
///
/// # Errors
/// It is not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    built(
        &format!("debug/{name}"),
        "cargo build --package consentry-engine --package sample-bank --package online-service",
    )
}

/// A connector of this workspace.
///
/// # Errors
/// It is not built.
pub fn connector(name: &str) -> anyhow::Result<PathBuf> {
    built(&format!("connectors/{name}.wasm"), "cargo xtask connectors")
}

fn built(path: &str, command: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(path);
    ensure!(path.is_file(), "{} is not built: run `{command}`", path.display());
    Ok(path)
}

/// The line of the public key that `cargo xtask connectors` signs with.
///
/// # Errors
/// Nothing is built.
pub fn developer_key() -> anyhow::Result<String> {
    let text = std::fs::read_to_string(built("connectors/developer.pub", "cargo xtask connectors")?)?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

fn configuration(url: &str, source: Served<'_>, categories: &[&str], service: &Registered, key: &str) -> String {
    let listen = url.trim_start_matches("http://");
    let Registered { id, events, bearer_sha256, .. } = service;
    let Served { id: source, base, secrets } = source;
    let secrets: Vec<String> = secrets.iter().map(|(name, _)| format!("{name} = \"{SECRETS}/{name}\"")).collect();
    let secrets = secrets.join(", ");
    // A person may be sent back to one place of the Online Service.
    let service = events.split('/').nth(2).unwrap_or_default();
    let categories: String = categories
        .iter()
        .map(|name| format!("{name:?} = {{ en = \"to know you.\", fr = \"pour vous connaître.\" }}\n"))
        .collect();
    format!(
        r#"[engine]
node = "node-1"
data-folder = "data"
development = true

[operator]
name = "Example Operator"
contact = "privacy@operator.example"

[hosting]
name = "Example Hosting"
purpose = {{ en = "runs our machines", fr = "fait tourner nos machines" }}
data = {{ en = "sealed records", fr = "des enregistrements scellés" }}
country = "FR"
transfer = "none"

[api]
listen = "{listen}"
public-url = "{url}"
sessions-max = 100
sessions-per-online-service-max = 100
requests-per-minute-max = 1000000

[keys]
passphrase-file = "passphrase"

[connectors]
folder = "connectors"
[[connectors.trusted-key]]
owner = "developer"
key = "{key}"

[sandbox]
concurrent-runs-max = 8
guest-threads = 1

[events]
timeout-seconds = 5

[[source]]
connector = "{source}"
id = "{source}"
base = "{base}"
secret-files = {{ {secrets} }}

[[online-service]]
id = "{id}"
name = "Example Lettings"
contact = "data@lettings.example"
role = "controller"
identity = {{ legal-name = "Example Lettings SAS", registered = "RCS 1", address = "Nanterre", country = "FR" }}
hosts = ["127.0.0.1"]
signing-key-file = "signer.jwk.json"
commitments-file = "commitments"
key-file = "service.jwk.json"
events = "{events}"
callbacks = ["http://{service}/apply"]
bearer-sha256 = "{bearer_sha256}"

[[online-service.purpose]]
id = "tenant-check"
why = {{ en = "to see whether the rent fits your means.", fr = "pour voir si le loyer convient à vos moyens." }}
needs = ["income", "contact", "identity", "tax", "contract", "entitlement", "solvency"]
keep-days = 90
history-days-max = 3653
[online-service.purpose.categories]
{categories}"#
    )
}

/// An address on loopback that can be listened on, now and again after a restart: it lies below the ports that the system
/// gives to outgoing connections, and this program gives it to nobody else.
///
/// # Errors
/// Every port that was tried is taken.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other programs of this kind begin elsewhere.
    let first = FIRST_PORT + std::process::id() as u16 % PORTS;
    for _ in 0..PORTS {
        let port = FIRST_PORT + (first - FIRST_PORT + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {FIRST_PORT} to {} is free", FIRST_PORT + PORTS - 1)
}

fn listens(url: &str) -> bool {
    use std::io::Read as _;
    if let Some(address) = url.strip_prefix("https://") {
        // It listens once it is ready; who asks knows whose certificate it has.
        return std::net::TcpStream::connect(address).is_ok();
    }
    let ask = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://"))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// The end of a log.
pub fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned()
}
