//! PKCS#11 tokens for tests: Kryoptic, which can do what an engine needs, and SoftHSM2, which can't. Each has a folder of its own, and is
//! found by a variable of the environment: so programs that use one are child processes.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The token's label.
pub const LABEL: &str = "consentry";
/// The PIN of its user.
pub const PIN: &str = "87654321";
/// How long a server may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// A token in a folder of its own.
#[derive(Debug)]
pub struct Token {
    folder: tempfile::TempDir,
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The variable that leads the module to this token.
    pub variable: (&'static str, PathBuf),
}

/// A program that stands between an engine and a token, as the network stands between an engine and an HSM.
#[derive(Debug)]
pub struct Server {
    child: Child,
    socket: PathBuf,
}

impl Token {
    /// A token that can do what an engine needs.
    ///
    /// # Errors
    /// It is not built.
    pub fn able() -> anyhow::Result<Self> {
        let module = Self::module()?;
        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("token.conf");
        let rows = folder.path().join("token.sql");
        std::fs::write(&settings, format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = {rows:?}\n"))?;
        let token = Self { folder, module, variable: ("KRYOPTIC_CONF", settings) };
        token.initialise(&["--slot", "1"])?;
        Ok(token)
    }

    /// A token that does not open RSA-OAEP with SHA-256.
    ///
    /// # Errors
    /// It is not installed.
    pub fn lacking() -> anyhow::Result<Self> {
        let module = PathBuf::from("/usr/lib/softhsm/libsofthsm2.so");
        ensure!(module.is_file(), "there is no SoftHSM2: run `tests/token/install target/token`");
        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("softhsm2.conf");
        std::fs::create_dir(folder.path().join("tokens"))?;
        std::fs::write(&settings, format!("directories.tokendir = {}\n", folder.path().join("tokens").display()))?;
        let token = Self { folder, module, variable: ("SOFTHSM2_CONF", settings) };
        token.initialise(&["--free"])?;
        Ok(token)
    }

    /// The PKCS#11 module of a token that can do what an engine needs.
    ///
    /// # Errors
    /// It is not built.
    pub fn module() -> anyhow::Result<PathBuf> {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/token/debug/libconsentry_test_token.so");
        module.canonicalize().context("there is no token: run `tests/token/install target/token`")
    }

    fn initialise(&self, slot: &[&str]) -> anyhow::Result<()> {
        let made = Command::new("softhsm2-util")
            .arg("--module")
            .arg(&self.module)
            .args(["--init-token", "--label", LABEL, "--so-pin", "12345678", "--pin", PIN])
            .args(slot)
            .env(self.variable.0, &self.variable.1)
            .output()
            .context("softhsm2-util: run `tests/token/install target/token`")?;
        ensure!(made.status.success(), "no token: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Gives it a key pair (PKCS#8 DER) that another program made, under this label.
    ///
    /// # Errors
    /// The token does not take it.
    pub fn import(&self, key: &[u8], label: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join("key.pem");
        let text = base64::engine::general_purpose::STANDARD.encode(key);
        std::fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))?;
        let made = Command::new("softhsm2-util")
            .arg("--module")
            .arg(&self.module)
            .args(["--token", LABEL, "--pin", PIN, "--id", "6b6579", "--label", label, "--import"])
            .arg(&file)
            .env(self.variable.0, &self.variable.1)
            .output()
            .context("softhsm2-util: run `tests/token/install target/token`")?;
        ensure!(made.status.success(), "not imported: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Puts a server in front of the token.
    ///
    /// # Errors
    /// It does not listen in time.
    pub fn serve(&self) -> anyhow::Result<Server> {
        let socket = self.folder.path().join("socket");
        // One that was killed left its socket.
        let _ = std::fs::remove_file(&socket);
        let child = Command::new("p11-kit")
            .args(["server", "--foreground", "--provider"])
            .arg(&self.module)
            .arg("--name")
            .arg(&socket)
            .arg("pkcs11:")
            .env(self.variable.0, &self.variable.1)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // All of it ends as one.
            .process_group(0)
            .spawn()
            .context("p11-kit: run `tests/token/install target/token`")?;
        let server = Server { child, socket };
        let deadline = Instant::now() + LISTENS_WITHIN;
        while std::os::unix::net::UnixStream::connect(&server.socket).is_err() {
            ensure!(Instant::now() < deadline, "p11-kit server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Server {
    /// The module through which an engine reaches the server.
    pub fn module() -> PathBuf {
        PathBuf::from(format!("/usr/lib/{}-linux-gnu/pkcs11/p11-kit-client.so", std::env::consts::ARCH))
    }

    /// The variable that leads this module to the server.
    pub fn variable(&self) -> (&'static str, PathBuf) {
        let mut address = std::ffi::OsString::from("unix:path=");
        address.push(&self.socket);
        ("P11_KIT_SERVER_ADDRESS", address.into())
    }

    /// From now on it answers nobody, and closes nothing: a token that hangs.
    ///
    /// # Errors
    /// It is gone.
    pub fn hang(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// It goes on where it hung.
    ///
    /// # Errors
    /// It is gone.
    pub fn go_on(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// It forks for each connection: all of it gets the signal.
    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(killpg(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failure means that it is gone already, which is what is wanted.
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
