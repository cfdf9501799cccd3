//! The demo, ended before its end: it leaves neither programs nor files.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use consentry_tests::child::Program;
use consentry_tests::node::binary;
use nix::sys::signal::Signal;

/// A node's keys are made first.
const BEGINS: Duration = Duration::from_secs(120);
/// Nothing is waited for.
const ENDS: Duration = Duration::from_secs(10);

#[test]
fn a_demo_that_is_ended_leaves_no_program_and_no_file() {
    // Once while it waits for a program that starts, once while the person's part goes on.
    for (signal, code, at) in [(Signal::SIGTERM, 143, "bank"), (Signal::SIGINT, 130, "notice")] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary("demo").unwrap());
        let mut demo = Program::start("demo", command.env("TMPDIR", folder.path()), |_| {}).unwrap();
        let site = demo.line("   bank      | site", BEGINS).unwrap();
        if at != "bank" {
            demo.line(&format!("   {at}"), BEGINS).unwrap();
        }
        let bank: SocketAddr = site.trim_start_matches("http://").parse().unwrap();
        TcpStream::connect(bank).expect("the bank runs");
        demo.signal(signal).unwrap();
        assert_eq!(demo.ended(ENDS).unwrap().code(), Some(code));
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        TcpStream::connect(bank).expect_err("the bank has ended");
    }
}

#[test]
fn whoever_asks_for_help_gets_help_and_no_demo() {
    for (word, code, told) in [("--help", Some(0), "Usage: demo"), ("--quickly", Some(2), "takes no")] {
        let called = Command::new(binary("demo").unwrap()).arg(word).output().unwrap();
        let said = String::from_utf8([called.stdout, called.stderr].concat()).unwrap();
        assert!(called.status.code() == code && said.contains(told) && !said.contains("1. "), "{said}");
    }
}
