//! The other side of [`super`]: a process that reads one connector, compiles it, answers and ends. It gives up everything else
//! before it reads the first byte: files, sockets, other programs, more memory or time than a connector may take. What it can
//! still do is compute and answer wrongly; its answer is native code, so a bug that lets a connector steer the compiler remains one.

use std::io::{Read as _, Write};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::super::package::CONNECTOR_BYTES_MAX;
use super::super::sandbox::code_config;
use super::{Said, write_answer};

/// Address space, in bytes.
pub(super) const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// CPU time, in seconds: as long as the caller waits.
const CPU_SECONDS_MAX: u64 = super::WITHIN.as_secs();

/// The longest reason, in characters.
const REASON_MAX: usize = 1000;

/// All that the kernel does for it: memory, the two pipes, its end.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Compiles what comes in on standard input and answers on standard output. Call it first thing in a program: it takes from the
/// process all that compiling does not need, for good.
///
/// # Errors
/// The process could not be limited, or its pipes are broken.
pub fn run() -> anyhow::Result<()> {
    let filter = calls()?;
    limit()?;
    // Asks the processor what it can do, and reads no file later on.
    let engine = wasmtime::Engine::new(&code_config())?;
    seccompiler::apply_filter(&filter)?;
    let mut component = Vec::new();
    std::io::stdin().lock().take(CONNECTOR_BYTES_MAX).read_to_end(&mut component)?;
    let output = std::io::stdout().lock();
    answer(output, &precompile(&engine, &component))?;
    Ok(())
}

fn answer(output: impl Write, compiled: &Result<Vec<u8>, String>) -> std::io::Result<()> {
    match compiled {
        Ok(code) => write_answer(output, Said::Code, code),
        Err(reason) => write_answer(output, Said::Refused, reason.as_bytes()),
    }
}

/// Compiles, or says why not in one line; the reason speaks of types and places in the code.
pub(super) fn precompile(engine: &wasmtime::Engine, component: &[u8]) -> Result<Vec<u8>, String> {
    let told = |error: wasmtime::Error| format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ");
    engine.precompile_component(component).map_err(|error| told(error).chars().take(REASON_MAX).collect())
}

fn limit() -> anyhow::Result<()> {
    // Whoever waits for the answer is gone: so is the work.
    set_pdeathsig(Signal::SIGKILL)?;
    for (resource, most) in [
        (Resource::RLIMIT_AS, MEMORY_BYTES_MAX),
        (Resource::RLIMIT_CPU, CPU_SECONDS_MAX),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NOFILE, 16),
    ] {
        // What whoever started the engine has bounded further stays so.
        let most = most.min(getrlimit(resource)?.1);
        setrlimit(resource, most, most)?;
    }
    Ok(())
}

/// A filter that refuses every other call of the kernel, as not permitted.
fn calls() -> anyhow::Result<BpfProgram> {
    let allowed = CALLS.iter().map(|call| (*call, vec![])).collect();
    let [otherwise, listed] = [SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow];
    Ok(SeccompFilter::new(allowed, otherwise, listed, std::env::consts::ARCH.try_into()?)?.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::PermissionDenied;

    use super::*;

    /// What a compiler that a connector has taken over would try: files, sockets, other programs, threads.
    fn tried() -> Vec<(&'static str, std::io::Result<()>)> {
        vec![
            ("read a file", std::fs::File::open("/etc/passwd").map(drop)),
            ("write a file", std::fs::OpenOptions::new().write(true).open("/dev/null").map(drop)),
            ("list a folder", std::fs::read_dir("/").map(drop)),
            ("look at a file", std::fs::metadata("/etc/passwd").map(drop)),
            ("listen", std::net::TcpListener::bind("127.0.0.1:0").map(drop)),
            ("send", std::net::UdpSocket::bind("127.0.0.1:0").map(drop)),
            ("open a pipe between programs", std::os::unix::net::UnixStream::pair().map(drop)),
            ("start a program", std::process::Command::new("/bin/true").status().map(drop)),
            (
                "start a thread",
                std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap_or_default()),
            ),
            ("signal another", nix::sys::signal::kill(nix::unistd::Pid::this(), None).map_err(Into::into)),
            ("give itself more", getrlimit(Resource::RLIMIT_AS).map(drop).map_err(Into::into)),
        ]
    }

    #[test]
    fn under_the_filter_there_are_no_files_no_sockets_no_programs_and_no_threads() {
        for (what, came) in tried() {
            assert!(came.is_ok(), "without the filter one can {what}: {came:?}");
        }
        let filter = calls().unwrap();
        // A filter is of the thread that takes it, and of what that starts.
        let limited = std::thread::spawn(move || {
            seccompiler::apply_filter(&filter).unwrap();
            tried()
        });
        for (what, came) in limited.join().unwrap() {
            assert_eq!(came.map_err(|error| error.kind()), Err(PermissionDenied), "{what}");
        }
    }
}
