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
