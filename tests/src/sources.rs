//! Starts real third-party applications as Data Sources, so that connectors are proved on pages nobody here wrote.
//!
//! The scripts stand in `tests/sources`, one folder for each application, with the people they hold in `people.json`.
//! Each value here is one running server with data of its own; dropping it ends the server. Starting blocks: in an
//! async test, call it inside `spawn_blocking`. This module never reads a page: that is the connectors' work.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a started server may take until it answers. It needs one to four seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Another program may take the free port before the server does; then another port is tried.
const STARTS_MAX: usize = 3;
/// How much of the log goes into the error when a server does not come up.
const LOG_TAIL_BYTES: usize = 2000;

/// The member portal of a cooperative: form login with a CSRF token, a profile with an IBAN, bills and a certificate as PDF.
pub struct Juntagrico {
    /// Origin of the running server, without a trailing slash.
    pub url: String,
    _server: Server,
}

impl Juntagrico {
    /// Starts the portal with all people of `people.json` in a fresh database.
    ///
    /// # Errors
    /// When the application cannot be installed, or does not answer in time; the end of its log is in the text.
    pub fn start() -> anyhow::Result<Self> {
        let (server, url) = Server::start("juntagrico", ("/accounts/login/", 200), &[])?;
        Ok(Self { url, _server: server })
    }
}

/// A bank with the Berlin Group's interface: answers by the standard's own file, logins by the OpenID provider.
pub struct BerlinBank {
    /// Origin of the running server, without a trailing slash; the interface is below `/v1`.
    pub url: String,
    _server: Server,
}

impl BerlinBank {
    /// Starts the bank, for all people of `people.json`.
    ///
    /// # Errors
    /// When it cannot be installed, or does not answer in time; the end of its log is in the text.
    pub fn start() -> anyhow::Result<Self> {
        let (server, url) = Server::start("berlin-bank", ("/", 200), &[])?;
        Ok(Self { url, _server: server })
    }
}

/// A finance application that a script builds in the browser, with the accounts of its own demonstration bank.
pub struct Kresus {
    /// Origin of the running server, without a trailing slash.
    pub url: String,
    _server: Server,
}

impl Kresus {
    /// Starts the application; its bank has told it everything when this returns.
    ///
    /// # Errors
    /// When the application cannot be installed, or does not answer in time; the end of its log is in the text.
    pub fn start() -> anyhow::Result<Self> {
        // Without a login, every page is refused.
        let (server, url) = Server::start("kresus", ("/", 401), &[])?;
        Ok(Self { url, _server: server })
    }
}

/// An OpenID provider: authorisation code with PKCE, a login page, a consent page, refresh tokens and userinfo.
pub struct OidcProvider {
    /// Issuer and origin of the running server, without a trailing slash.
    pub url: String,
    _server: Server,
}

impl OidcProvider {
    /// The one registered client.
    pub const CLIENT_ID: &str = "engine";
    /// Its secret, sent by HTTP Basic to the token endpoint.
    pub const CLIENT_SECRET: &str = "engine-secret";

    /// Starts the provider; its client may be called back at these addresses only.
    ///
    /// # Errors
    /// When the provider cannot be installed, or does not answer in time; the end of its log is in the text.
    pub fn start(redirect_uris: &[&str]) -> anyhow::Result<Self> {
        let redirect_uris = redirect_uris.join(",");
        let variables = [("REDIRECT_URIS", redirect_uris.as_str())];
        let (server, url) = Server::start("oidc-provider", ("/.well-known/openid-configuration", 200), &variables)?;
        Ok(Self { url, _server: server })
    }
}

/// A server in a process group of its own. The group is killed on drop; a test that is killed itself closes the pipe on the
/// server's standard input, and the server ends by that.
struct Server {
    child: Child,
}

impl Server {
    fn start(name: &str, ready: (&str, u16), variables: &[(&str, &str)]) -> anyhow::Result<(Self, String)> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources").join(name);
        let installed = installed_in(name);
        // Without a deadline: the first time, this waits for a registry. `tests/sources/install` does it ahead.
        let status = Command::new(scripts.join("install")).arg(&installed).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "{name} could not be installed, see the lines above");

        let log_path = installed.join("log");
        let mut failure = String::new();
        for _ in 0..STARTS_MAX {
            let port = free_port()?;
            let log = OpenOptions::new().create(true).append(true).open(&log_path)?;
            let child = Command::new(scripts.join("start"))
                .arg(&installed)
                .arg(port.to_string())
                .envs(variables.iter().copied())
                .stdin(Stdio::piped())
                .stdout(log.try_clone()?)
                .stderr(log)
                .process_group(0)
                .spawn()
                .with_context(|| format!("{name} could not be started"))?;
            let mut server = Self { child };
            match server.wait_until_ready(port, ready)? {
                Start::Ready => return Ok((server, format!("http://127.0.0.1:{port}"))),
                Start::Ended(status) => failure = format!("ended ({status}) before it answered, {STARTS_MAX} times"),
                Start::Late => {
                    failure = format!("did not answer within {} s", READY_WITHIN.as_secs());
                    break;
                }
            }
        }
        bail!("{name} {failure}; the end of {}:\n{}", log_path.display(), tail(&log_path));
    }

    fn wait_until_ready(&mut self, port: u16, ready: (&str, u16)) -> anyhow::Result<Start> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Start::Ended(status));
            }
            if answers(port, ready) {
                return Ok(Start::Ready);
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(Start::Late)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failure means that the group is gone already, which is what is wanted.
        let _ = i32::try_from(self.child.id()).map(|id| killpg(Pid::from_raw(id), Signal::SIGKILL));
        let _ = self.child.wait();
    }
}

/// What became of a server that was started.
enum Start {
    Ready,
    Ended(ExitStatus),
    Late,
}

/// Where an application is installed and keeps its data and its log: `target/sources/NAME`.
#[must_use]
pub fn installed_in(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sources").join(name)
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether the page is served with this status. Any failure is a no: the server is still coming up.
fn answers(port: u16, (path, wanted): (&str, u16)) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == format!("HTTP/1.1 {wanted}").as_bytes())
    };
    ask().unwrap_or(false)
}

fn tail(log: &Path) -> String {
    let mut text = Vec::new();
    let _ = File::open(log).and_then(|mut file| file.read_to_end(&mut text));
    String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
}
