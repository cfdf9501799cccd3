//! A test that fails in a full run and passes alone has not shown that what it tests is broken, nor that all is well. It is run once
//! more, by itself, and named at the end whatever comes of it, so that it is mended.

use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context as _;

/// Tests of these modules look for losses and leaks at moments that chance decides: to pass the second time is no excuse for the first.
const NEVER_AGAIN: [&str; 4] = ["serve::killed::", "serve::crash::", "serve::log::", "serve::canary::"];

/// Runs `cargo test`, and the tests that failed once more, one after the other. Tells how that ended, and which needed it.
///
/// # Errors
/// It can't be started, or its output can't be shown.
pub fn run(command: &[&str], out: &mut dyn Write) -> anyhow::Result<(ExitStatus, Vec<String>)> {
    let (status, failed) = once(command, out)?;
    // None is named if a test program did not come to its end: there is nothing to ask again.
    let by_chance = |name: &String| NEVER_AGAIN.iter().any(|module| name.starts_with(module));
    if status.success() || failed.is_empty() || failed.iter().any(by_chance) {
        return Ok((status, vec![]));
    }
    writeln!(out, "== once more, alone: {}", failed.join(" "))?;
    let alone = ["--", "--exact", "--test-threads=1"];
    let names = failed.iter().map(String::as_str);
    let again: Vec<&str> = command.iter().copied().chain(alone).chain(names).collect();
    let (status, _) = once(&again, out)?;
    Ok((status, failed))
}

fn once(command: &[&str], out: &mut dyn Write) -> anyhow::Result<(ExitStatus, Vec<String>)> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` can't be started", command.join(" ")))?;
    let mut failed = Failed::default();
    if let Some(output) = child.stdout.take() {
        // Read as bytes: a test may print what is no text, and the dots of a quiet run end no line for long.
        let mut lines = BufReader::new(output);
        let mut line = vec![];
        while lines.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            failed.read(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    Ok((child.wait()?, failed.names))
}

/// The names that test programs list at their end, each program its own.
#[derive(Default)]
struct Failed {
    list: Vec<String>,
    names: Vec<String>,
}

impl Failed {
    fn read(&mut self, line: &str) {
        if line == "failures:" {
            // It stands above what the tests printed, too; the list comes last.
            self.list.clear();
        } else if line.starts_with("test result: FAILED") {
            self.names.append(&mut self.list);
        } else if let Some(name) = line.strip_prefix("    ").filter(|name| !name.is_empty() && !name.contains(' ')) {
            self.list.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_come_from_the_list_and_not_from_what_tests_print() {
        let printed = "running 3 tests\n.\nfailures:\n\n---- a::b stdout ----\n    looks_like_a_name\n\nfailures:\n    a::b\n    c\n\n\
            test result: FAILED. 1 passed; 2 failed\nrunning 1 test\n    stray\ntest result: ok. 1 passed\nfailures:\n    d\n\
            test result: FAILED. 0 passed; 1 failed";
        let mut failed = Failed::default();
        printed.lines().for_each(|line| failed.read(line));
        assert_eq!(failed.names, ["a::b", "c", "d"]);
    }

    #[test]
    fn what_fails_twice_fails_and_what_passes_alone_is_named() {
        let script = |alone: &str| {
            format!(
                "[ $# -eq 0 ] || {{ [ \"$*\" = '-- --exact --test-threads=1 a::b' ] && exit {alone}; exit 9; }}; \
                 printf 'failures:\\n    a::b\\n\\ntest result: FAILED. 0 passed\\n'; exit 101"
            )
        };
        let (status, again) = run(&["sh", "-c", &script("0"), "sh"], &mut vec![]).unwrap();
        assert_eq!((status.code(), again), (Some(0), vec!["a::b".to_owned()]));
        let (status, again) = run(&["sh", "-c", &script("101"), "sh"], &mut vec![]).unwrap();
        assert_eq!((status.code(), again), (Some(101), vec!["a::b".to_owned()]));
        // What chance decides is not asked again.
        let script = script("0").replace("a::b", "serve::killed::b");
        let (status, again) = run(&["sh", "-c", &script, "sh"], &mut vec![]).unwrap();
        assert_eq!((status.code(), again), (Some(101), vec![]));
        // A program that dies names nothing.
        let (status, again) = run(&["sh", "-c", "[ $# -eq 0 ] && exit 7; exit 0", "sh"], &mut vec![]).unwrap();
        assert_eq!((status.code(), again), (Some(7), vec![]));
    }
}
