//! One browser: started as an account of its own, in an empty network where there is one, with a profile in memory that goes with it.
//! It listens on no port, reads no setting of this machine, and ends when its pipe is closed, should this program end before it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt as _, FdMapping};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::json;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::BrowserError;
use super::account::Account;
use super::blank::{Blank, Maker};
use super::check;
use super::ground::Ground;
use super::limits::{self, Confines};
use super::settings::BrowserSettings;
use super::transport::{CallError, Transport};

/// How profiles are called, so that those of an engine that was killed are found.
const PREFIX: &str = "consentry-browser-";
/// How often, and after what rest, it is tried to remove a profile.
const REMOVALS: u32 = 100;
const REMOVAL: Duration = Duration::from_millis(20);
/// Longest wait for the first word of a browser.
const START: Duration = Duration::from_secs(30);

/// What is always asked for. No debugging port, no proxy but each collection's own, nothing that speaks to anybody by itself.
const ARGUMENTS: [&str; 25] = [
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--disable-breakpad",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--mute-audio",
    "--hide-scrollbars",
    "--no-pings",
    "--disable-quic",
    "--site-per-process",
    "--window-size=1280,1024",
    "--js-flags=--max-old-space-size=256",
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    // Behind the line: a process that is kept for the next page of this context, which has none; a page that was left and is kept; and
    // another frame for each page of a site.
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication,\
     SpareRendererForSitePerProcess,BackForwardCache,RenderDocument",
];

/// A document that a site shows in the page is a file, as it is to the shell, which has nothing to show one in.
const PREFERENCES: &str = r#"{"plugins":{"always_open_pdf_externally":true}}"#;

/// WebRTC by the proxy or not at all; the browser and its shell each read another of these.
const WEBRTC: [&str; 2] = [
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
];

/// A browser that runs.
pub(super) struct Process {
    pub(super) transport: Transport,
    pub(super) ground: Ground,
    /// What it calls itself towards sites.
    pub(super) agent: String,
    pid: u32,
    profile: Option<Profile>,
    confines: Option<Confines>,
    opened: AtomicU32,
    used: Mutex<Instant>,
    child: Option<Child>,
    /// Contexts that were made ahead.
    ready: Mutex<Option<mpsc::Receiver<Blank>>>,
}

impl Process {
    /// Starts a browser. Call it inside the runtime that serves sockets.
    pub(super) async fn start(settings: &BrowserSettings) -> Result<Self, BrowserError> {
        let program = settings.found().ok_or(BrowserError::NoProgram)?.to_owned();
        let account = Account::of(settings)?;
        let profile = Profile::make(settings, account)?;
        let ground = Ground::start().await.map_err(BrowserError::Start)?;
        let (for_it, to) = io::pipe().map_err(BrowserError::Start)?;
        let (from, its) = io::pipe().map_err(BrowserError::Start)?;
        let mut command = command(&program, &profile.path, account, for_it.into(), its.into())?;
        if settings.bypass() == "<-loopback>" {
            command.args(WEBRTC);
        }
        let child = ground.run(move || spawn(command, account)).await.map_err(BrowserError::Start)?;
        let pid = child.id();
        let confines = Confines::around(pid, settings);
        let from = pipe::Receiver::from_owned_fd(from.into()).map_err(BrowserError::Start)?;
        let to = pipe::Sender::from_owned_fd(to.into()).map_err(BrowserError::Start)?;
        let transport = Transport::start(from, to, settings.answer);
        let (opened, used) = (AtomicU32::new(0), Mutex::new(Instant::now()));
        let (profile, child, agent, ready) = (Some(profile), Some(child), String::new(), Mutex::default());
        let mut process = Self { transport, ground, agent, pid, profile, confines, opened, used, child, ready };
        process.begin(settings, account).await?;
        Ok(process)
    }

    async fn begin(&mut self, settings: &BrowserSettings, account: Account) -> Result<(), BrowserError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            user_agent: String,
        }
        let version = self.transport.call::<Version>("", "Browser.getVersion", json!({}));
        let version = tokio::time::timeout(START, version).await.map_err(|_| BrowserError::Gone)?;
        let version = version.map_err(|error| match error {
            CallError::Gone => BrowserError::Ended,
            error => error.into(),
        })?;
        self.agent = version.user_agent;
        if let Some(confines) = &self.confines {
            confines.take_in(self.pid);
        }
        check::confined(&self.transport, self.pid, settings.unconfined).await?;
        limits::bound_pages(self.pid, account.other(), settings);
        if !self.ground.is_isolated() {
            tracing::info!("the browser has no network of its own: its proxies and settings alone keep pages inside");
        }
        let only = json!([{ "type": "page" }, { "type": "iframe" }, { "exclude": true }]);
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": only });
        self.transport.tell("", "Target.setAutoAttach", attach).await?;
        Ok(())
    }

    /// Counts one more collection, and says how many there were.
    pub(super) fn open(&self) -> u32 {
        self.used();
        self.opened.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Somebody used it just now.
    pub(super) fn used(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(super) fn idle(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Its process, whose group it leads.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Where what a collection downloads passes through.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.profile.as_ref().map(|profile| profile.path.as_path())
    }

    /// Takes a file out of there, or lets it go if it is not wanted.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn take_file(&self, name: &str, wanted: bool) -> io::Result<Vec<u8>> {
        let profile = self.profile.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let path = profile.path.join(name);
        profile.account.act(|| {
            let read = if wanted { std::fs::read(&path) } else { Ok(Vec::new()) };
            // A file that broke off is the browser's to remove.
            let _ = std::fs::remove_file(&path);
            read
        })
    }

    /// What makes contexts in it.
    pub(super) fn maker(&self, settings: &BrowserSettings) -> Option<Maker> {
        Some(Maker {
            transport: self.transport.clone(),
            ground: self.ground.clone(),
            folder: self.folder()?.to_owned(),
            agent: self.agent.clone(),
            bypass: settings.bypass(),
        })
    }

    /// Contexts that are made ahead come from there.
    pub(super) fn ready_from(&self, ready: mpsc::Receiver<Blank>) {
        *self.ready() = Some(ready);
    }

    /// A context that was made ahead, if there is one.
    pub(super) fn take_ready(&self) -> Option<Blank> {
        let mut ready = self.ready();
        let ready = ready.as_mut()?;
        std::iter::from_fn(|| ready.try_recv().ok()).find(Blank::is_whole)
    }

    /// How many are ready; none where none are made.
    #[cfg(test)]
    pub(super) fn ready_count(&self) -> Option<usize> {
        self.ready().as_ref().map(mpsc::Receiver::len)
    }

    /// Nobody new comes: what was made ahead goes.
    pub(super) fn retire(&self) {
        let Some(mut ready) = self.ready().take() else { return };
        ready.close();
        std::iter::from_fn(|| ready.try_recv().ok()).for_each(Blank::discard);
    }

    fn ready(&self) -> MutexGuard<'_, Option<mpsc::Receiver<Blank>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The control groups that it stands in.
    #[cfg(test)]
    pub(super) fn groups(&self) -> &[PathBuf] {
        self.confines.as_ref().map_or(&[], Confines::groups)
    }

    /// Ends it at once, with everything it started.
    pub(super) fn kill(&self) {
        kill(self.pid);
    }
}

fn kill(pid: u32) {
    if let Ok(group) = i32::try_from(pid) {
        // Gone already is what is wanted.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let (pid, child, profile, confines) = (self.pid, self.child.take(), self.profile.take(), self.confines.take());
        // On its own thread: it may take a moment until everything has ended, and only then can the profile go.
        self.ground.post(move || {
            kill(pid);
            // It was killed; how it ended is of no interest.
            child.map(|mut child| child.wait());
            drop(confines);
            drop(profile);
        });
    }
}

fn command(
    program: &Path,
    profile: &Path,
    account: Account,
    reads: OwnedFd,
    writes: OwnedFd,
) -> Result<Command, BrowserError> {
    let mut command = Command::new(program);
    if !program.ends_with("chromium-headless-shell") {
        command.arg("--headless=new");
    }
    command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.display()));
    command.env_clear().env("HOME", profile).env("TMPDIR", profile).env("LANG", "C.UTF-8").env("TZ", "Europe/Paris");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").process_group(0);
    if let Some((user, group)) = account.other() {
        command.uid(user).gid(group);
    }
    let mappings = vec![FdMapping { parent_fd: reads, child_fd: 3 }, FdMapping { parent_fd: writes, child_fd: 4 }];
    command.fd_mappings(mappings).map_err(|_| BrowserError::Start(io::ErrorKind::InvalidInput.into()))?;
    Ok(command)
}

/// On the browser's thread, which from here on can gain no privileges, nor can what it starts: the setuid helper is the exception, and
/// needed only where the kernel gives nobody a namespace.
fn spawn(mut command: Command, account: Account) -> io::Result<Child> {
    if has_namespaces(account) {
        nix::sys::prctl::set_no_new_privs()?;
    }
    command.spawn()
}

/// Whether the browser's account gets a user namespace here. It is tried, for settings of the kernel, of its security modules and of a
/// container have a say in it; where there is nothing to try it with, two settings of the kernel are asked.
pub(super) fn has_namespaces(account: Account) -> bool {
    let mut one = Command::new("/usr/bin/unshare");
    one.args(["--user", "--map-root-user", "/bin/true"]).env_clear().current_dir("/");
    one.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((user, group)) = account.other() {
        one.uid(user).gid(group);
    }
    let no = |path: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "0");
    one.status().map_or_else(
        |_| !no("/proc/sys/user/max_user_namespaces") && !no("/proc/sys/kernel/unprivileged_userns_clone"),
        |tried| tried.success(),
    )
}

/// How it shows that a folder is, or became, somebody else's.
const NOT_OURS: [io::ErrorKind; 3] = [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound, io::ErrorKind::WouldBlock];

/// A folder that goes with its browser. It is locked while it is used, so that one without a lock is known to be nobody's.
pub(super) struct Profile {
    pub(super) path: PathBuf,
    account: Account,
    _lock: std::fs::File,
}

impl Profile {
    pub(super) fn make(settings: &BrowserSettings, account: Account) -> Result<Self, BrowserError> {
        let fault = |source| BrowserError::Folder { folder: settings.folder.clone(), source };
        if !settings.unconfined && !in_memory(&settings.folder).map_err(fault)? {
            return Err(fault(io::Error::other("not a file system in memory (tmpfs)")));
        }
        static MADE: AtomicU32 = AtomicU32::new(0);
        let mut last = io::ErrorKind::AlreadyExists;
        for _ in 0..1000 {
            let (own, count) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
            let path = settings.folder.join(format!("{PREFIX}{own}-{count}"));
            let made = account.act(|| {
                std::fs::DirBuilder::new().mode(0o700).create(&path)?;
                let lock = std::fs::File::open(&path)?;
                lock.try_lock()?;
                Ok(lock)
            });
            // From here on it goes whatever happens.
            let made = made.map(|lock| Self { path, account, _lock: lock });
            match made.and_then(|made| account.act(|| made.prefer()).map(|()| made)) {
                Ok(made) => return Ok(made),
                // Somebody has this name, or another engine that starts took it for one of an engine that is gone, before it was locked.
                Err(error) if NOT_OURS.contains(&error.kind()) => last = error.kind(),
                Err(error) => return Err(fault(error)),
            }
        }
        Err(fault(last.into()))
    }

    fn prefer(&self) -> io::Result<()> {
        let folder = self.path.join("Default");
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        std::fs::write(folder.join("Preferences"), PREFERENCES)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // What was killed may still be writing for a moment; this is the browser's own thread, which has nothing else to do.
        for _ in 0..REMOVALS {
            match self.account.act(|| std::fs::remove_dir_all(&self.path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(REMOVAL),
                _ => return,
            }
        }
        tracing::warn!("a browser's profile could not be removed; the next start tries again");
    }
}

fn in_memory(folder: &Path) -> io::Result<bool> {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let kind = rustix::fs::statfs(folder)?.f_type as i64;
    Ok(kind == TMPFS || kind == RAMFS)
}

/// Removes the profiles of engines that were killed.
pub(super) fn sweep(settings: &BrowserSettings) {
    let Ok(entries) = std::fs::read_dir(&settings.folder) else { return };
    let account = Account::of(settings).unwrap_or(Account::Engines);
    for path in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path())
    {
        let remove = || {
            // Until it is gone: nobody takes it meanwhile.
            let held = std::fs::File::open(&path)?;
            held.try_lock()?;
            std::fs::remove_dir_all(&path)
        };
        let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
        // Of another account, if the setting was another then.
        if ours && account.act(remove).or_else(|_| remove()).is_ok() {
            tracing::info!("removed the profile of a browser whose engine is gone");
        }
    }
}
