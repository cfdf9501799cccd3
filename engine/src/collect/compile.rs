//! Compiling connectors, apart from everything else: a compiler is a large program, and what it is fed was written by others. So
//! the engine starts itself once more as a [`limited`] process, which gets the bytes of one connector and nothing besides: no
//! environment, no file, no network, bounded memory and time. What comes out is native code; the caller authenticates and keeps it.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

pub mod limited;

/// How long one connector may take to compile; a Python runtime of 20 MB takes half of it.
const WITHIN: Duration = Duration::from_secs(120);
/// The most compiled code of one connector, in bytes.
const CODE_BYTES_MAX: u64 = 512 << 20;
/// What the standard library says last of all when there is no memory left.
const OUT_OF_MEMORY: &[u8] = b"memory allocation of";
/// So much of a compiler's last words is read.
const LAST_WORDS_BYTES_MAX: u64 = 4096;
/// The name under which this program compiles: its one argument.
pub const COMMAND: &str = "compile-connector";

/// What the compiler says first: code follows, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Code = 1,
    Refused = 2,
}

/// Why a connector is not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The connector's own fault: the same bytes are refused again.
    #[error("{0}")]
    Refused(String),
    /// The compiler could not be started.
    #[error("the compiler {} can't be started", program.display())]
    Start {
        /// What was to be started.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It took too long and was ended.
    #[error("the compiler was ended after {} s; a connector this large or tangled is not run", .0.as_secs())]
    Late(Duration),
    /// It needed more memory than it may have.
    #[error("the compiler has {} GiB of memory at most; a connector this large or tangled is not run", limited::MEMORY_BYTES_MAX >> 30)]
    Memory,
    /// It ended without an answer.
    #[error("the compiler ended without an answer: it crashed")]
    NoAnswer,
}

/// Where connectors are compiled.
#[derive(Debug, Clone)]
pub struct Compiler(Where);

#[derive(Debug, Clone)]
enum Where {
    Process { program: PathBuf, within: Duration },
    Here,
}

impl Compiler {
    /// In a limited process of its own: a program that runs [`limited::run`] when its one argument is [`COMMAND`].
    pub fn process(program: impl Into<PathBuf>) -> Self {
        Self(Where::Process { program: program.into(), within: WITHIN })
    }

    /// In a limited process of this very program, also when its file has been replaced since it was started.
    pub fn this_program() -> Self {
        Self::process("/proc/self/exe")
    }

    /// In this process: for tests and for connectors that are trusted like the engine itself. A bug in the compiler is a bug in
    /// this process then, and nothing bounds what one connector takes.
    pub fn in_process() -> Self {
        Self(Where::Here)
    }

    /// Ends a compiler process after this time.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        if let Where::Process { within, .. } = &mut self.0 {
            *within = limit;
        }
        self
    }

    /// Compiles a component for the sandbox. Blocks for as long as it takes.
    ///
    /// # Errors
    /// [`CompileError`].
    pub(super) fn compile(&self, engine: &wasmtime::Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        match &self.0 {
            Where::Here => limited::precompile(engine, component).map_err(CompileError::Refused),
            Where::Process { program, within } => {
                let start = |source| CompileError::Start { program: program.clone(), source };
                let mut command = Command::new(program);
                command.arg0("consentry").arg(COMMAND).env_clear().current_dir("/").process_group(0);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                let mut child = Running(command.spawn().map_err(start)?);
                let Child { stdin, stdout, stderr, .. } = &mut child.0;
                match (stdin.take(), stdout.take(), stderr.take()) {
                    (Some(input), Some(output), Some(errors)) => child.ask((input, output, errors), component, *within),
                    _ => Err(start(std::io::Error::other("it has no pipes"))),
                }
            }
        }
    }
}

/// A compiler process; dropping this ends it.
struct Running(Child);

impl Running {
    fn ask(
        &mut self,
        (mut input, output, errors): (impl Write + Send, impl Read + Send, impl Read + Send),
        component: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, CompileError> {
        let (answer, last_words) = std::thread::scope(|scope| {
            // If it does not read to the end, its answer says more than that.
            scope.spawn(move || drop(input.write_all(component)));
            let last_words = scope.spawn(move || last_words(errors));
            let (send, answer) = channel();
            // Nobody waits for an answer that comes late.
            scope.spawn(move || drop(send.send(read_answer(output))));
            let answer = answer.recv_timeout(within);
            // Its work is done or overdue. With its end the pipes end, and the threads with them.
            self.end();
            (answer, last_words.join().unwrap_or_default())
        });
        match answer {
            Ok(Some((Said::Code, code))) => Ok(code),
            Ok(Some((Said::Refused, reason))) => {
                Err(CompileError::Refused(String::from_utf8_lossy(&reason).into_owned()))
            }
            Ok(None) if last_words.windows(OUT_OF_MEMORY.len()).any(|words| words == OUT_OF_MEMORY) => {
                Err(CompileError::Memory)
            }
            Ok(None) => Err(CompileError::NoAnswer),
            Err(_) => Err(CompileError::Late(within)),
        }
    }

    /// Ends it and whatever it has started, which in a limited process is nothing.
    fn end(&self) {
        let group = i32::try_from(self.0.id()).map(Pid::from_raw);
        // It may have ended by itself, which is as good. Its id is its own until it is waited for.
        let _ = group.map(|group| killpg(group, Signal::SIGKILL));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        let _ = self.0.wait();
    }
}

/// What it says beside its answer. It is told to nobody: a connector may have had a hand in it.
fn last_words(mut errors: impl Read) -> Vec<u8> {
    let mut words = Vec::new();
    // If it says more, it does not wait for us to read that.
    let read = errors.by_ref().take(LAST_WORDS_BYTES_MAX).read_to_end(&mut words);
    let _ = read.and_then(|_| std::io::copy(&mut errors, &mut std::io::sink()));
    words
}

/// One byte, the length, then as many bytes: an answer that was cut off is none.
fn read_answer(mut output: impl Read) -> Option<(Said, Vec<u8>)> {
    let mut head = [0; 9];
    output.read_exact(&mut head).ok()?;
    let said = [Said::Code, Said::Refused].into_iter().find(|said| *said as u8 == head[0])?;
    let length = head[1..].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > CODE_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    output.take(length).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == length).then_some((said, bytes))
}

fn write_answer(mut output: impl Write, said: Said, bytes: &[u8]) -> std::io::Result<()> {
    output.write_all(&[said as u8])?;
    output.write_all(&(bytes.len() as u64).to_be_bytes())?;
    output.write_all(bytes)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What comes of a compiler that is this shell script.
    fn compiled_by(script: &str, within: Duration) -> Result<Vec<u8>, CompileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compiler");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let large = vec![b'x'; 1 << 20];
        Compiler::process(path).within(within).compile(&wasmtime::Engine::default(), &large)
    }

    #[test]
    fn a_compiler_that_crashes_or_talks_nonsense_is_one_error() {
        let long = Duration::from_secs(60);
        for (script, told) in [
            ("kill -9 $$", "ended without an answer"),
            ("exit 3", "ended without an answer"),
            ("/bin/cat", "ended without an answer"),
            ("echo 'memory allocation of 64 bytes failed' >&2; kill -6 $$", "4 GiB of memory at most"),
            ("/usr/bin/head -c 1000000 /dev/zero >&2; exit 1", "ended without an answer"),
            // Says that code follows, and stops in the middle of it.
            (r"printf '\001\000\000\000\000\000\000\000\010half'", "ended without an answer"),
            // Promises more than is ever taken.
            (r"printf '\001\377\377\377\377\377\377\377\377'; /bin/cat", "ended without an answer"),
            (r"printf '\002\000\000\000\000\000\000\000\007because'", "because"),
        ] {
            let error = compiled_by(script, long).unwrap_err().to_string();
            assert!(error.contains(told), "{script}: {error}");
        }
        let code = compiled_by(r"printf '\001\000\000\000\000\000\000\000\004code'; /bin/sleep 600", long);
        assert_eq!(code.unwrap(), b"code");
    }

    #[test]
    fn a_compiler_that_hangs_is_ended() {
        let error = compiled_by("exec /bin/sleep 600", Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, CompileError::Late(_)), "{error}");
        let error = Compiler::process("/nowhere/compiler").compile(&wasmtime::Engine::default(), b"").unwrap_err();
        assert!(error.to_string().contains("/nowhere/compiler can't be started"), "{error}");
    }

    #[test]
    fn a_compiler_is_told_nothing_but_the_connector() {
        let script = r#"set -- "$(/usr/bin/env | /bin/grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD=')$(pwd)"
            printf '\002\000\000\000\000\000\000\000\001%s' "$1""#;
        assert_eq!(compiled_by(script, Duration::from_secs(60)).unwrap_err().to_string(), "/");
    }
}
