//! The engine of a drill: a child process in a folder of its own, which is all that it can name. It logs everything.

use std::fs::{DirBuilder, File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::stand_in::wire::WAIT;
use crate::cli::stand_in::{take, write_private};
use crate::collect::package::Package;
use crate::entropy::Entropy;

/// How often it is looked whether the engine is there, or gone.
const LOOK: Duration = Duration::from_millis(20);
/// What the engine says once it listens, before the address.
const LISTENS: &str = " listens on http://";

/// A folder of a drill, and one in memory for a browser. Both go at the end.
pub(super) struct Home {
    folder: PathBuf,
    pub(super) browser: PathBuf,
}

/// An engine that runs.
pub(super) struct Engine {
    child: Child,
    pub(super) listens: SocketAddr,
}

impl Home {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut name = [0; 8];
        Entropy::system().with(|rng| rng.fill_bytes(&mut name));
        let name = format!("consentry-canary-{}", hex::encode(name));
        let home = Self { folder: std::env::temp_dir().join(&name), browser: Path::new("/dev/shm").join(name) };
        DirBuilder::new().mode(0o700).create(&home.folder)?;
        // The browser has an account of its own where the engine may change to it, which makes its profile there.
        DirBuilder::new().mode(0o700).create(&home.browser)?;
        std::fs::set_permissions(&home.browser, Permissions::from_mode(0o1777))?;
        for folder in ["engine", "engine/data", "engine/connectors", "engine/tmp", "wire"] {
            DirBuilder::new().mode(0o700).create(home.folder.join(folder))?;
        }
        Ok(home)
    }

    /// Everything that the engine can name; its working folder, too.
    pub(super) fn engine(&self) -> PathBuf {
        self.folder.join("engine")
    }

    /// What a port carried.
    pub(super) fn wire(&self, port: &str) -> PathBuf {
        self.folder.join("wire").join(port)
    }

    /// Writes a file that only its owner reads.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_private(&self.engine().join(name), bytes)
    }

    /// Puts a connector where the engine looks for it.
    pub(super) fn take(&self, connector: &Path) -> anyhow::Result<Package> {
        take(&self.engine().join("connectors"), connector)
    }

    /// This program, told where it is at home; nothing of our own surroundings.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let engine = self.engine();
        command.env_clear().env("HOME", &engine).env("TMPDIR", engine.join("tmp")).current_dir(&engine);
        command.stdin(Stdio::null());
        command
    }

    /// Makes the engine's keys.
    pub(super) fn make_keys(&self, program: &Path) -> anyhow::Result<()> {
        let made = self.command(program).args(["keys", "generate", "--config", "consentry.toml"]).output()?;
        if !made.status.success() {
            bail!("no keys: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(())
    }

    /// Tries a break again, beside the engine that runs: it fails as it did before, since the bank does.
    pub(super) fn retest(&self, program: &Path, ticket: &str) -> anyhow::Result<()> {
        let tried = self.command(program).args(["reports", "retest", ticket, "--config", "consentry.toml"]).output()?;
        if !String::from_utf8_lossy(&tried.stdout).contains("outcome") {
            bail!("nothing was tried again: {}", String::from_utf8_lossy(&tried.stderr));
        }
        Ok(())
    }

    /// Starts the engine, and waits until it listens.
    pub(super) fn serve(&self, program: &Path) -> anyhow::Result<Engine> {
        let log = |name: &str| File::options().create(true).append(true).open(self.engine().join(name));
        let before = log("stdout")?.metadata()?.len();
        let mut child = self
            .command(program)
            .args(["--log", "trace", "serve", "--config", "consentry.toml"])
            .stdout(log("stdout")?)
            .stderr(log("stderr")?)
            .spawn()?;
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            let said = std::fs::read(self.engine().join("stdout"))?;
            let said = String::from_utf8_lossy(&said[usize::try_from(before)?..]).into_owned();
            let address = said.lines().find_map(|line| line.split_once(LISTENS)?.1.parse().ok());
            if let Some(listens) = address {
                return Ok(Engine { child, listens });
            }
            if let Some(status) = child.try_wait()? {
                bail!("the engine ended ({status}) before it listened:\n{}", self.end_of_log());
            }
            std::thread::sleep(LOOK);
        }
        // Nobody needs it any more.
        let _ = child.kill();
        let _ = child.wait();
        bail!("the engine does not listen:\n{}", self.end_of_log())
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read(self.engine().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(2000)..]).into_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for folder in [&self.folder, &self.browser] {
            // Whoever can't remove it sees it: it is in the folder of temporary files.
            std::fs::remove_dir_all(folder).ok();
        }
    }
}

impl Engine {
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends it by this signal, and waits until it is gone.
    pub(super) fn end(mut self, signal: Signal) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?;
        let deadline = Instant::now() + WAIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the engine does not end");
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
