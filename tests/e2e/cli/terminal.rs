//! A person at a terminal: what is asked, what is shown, what is not echoed. `script` lends the terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use consentry_tests::breaking::{Broken, Passing};
use consentry_tests::node::{binary, connector};
use sample_bank::{Change, JULIE};

use super::{Desk, WITHIN, call};

/// A running command and the person who reads and types.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<u8>,
    /// All that was shown.
    shown: String,
    read: usize,
}

impl Terminal {
    fn start(arguments: &[String]) -> Self {
        Self::start_then(arguments, ":")
    }

    /// As [`Self::start`], and this afterwards, whatever came of it.
    fn start_then(arguments: &[String], then: &str) -> Self {
        let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        let program = quoted(&binary("consentry").unwrap().display().to_string());
        let command = format!("trap : INT; {program} {}; code=$?; {then}; exit $code", words.join(" "));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (send, screen) = channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while output.read_exact(&mut byte).is_ok() && send.send(byte[0]).is_ok() {}
        });
        Self { child, keys, screen, shown: String::new(), read: 0 }
    }

    /// Waits until this is shown after what was waited for before.
    fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + WITHIN;
        let mut bytes = vec![];
        while !self.shown[self.read..].contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(byte) => bytes.push(byte),
                Err(error) => panic!("no `{text}` ({error}) in: {}", self.shown),
            }
            if let Ok(whole) = std::str::from_utf8(&bytes) {
                self.shown.push_str(whole);
                bytes.clear();
            }
        }
        self.read += self.shown[self.read..].find(text).unwrap_or_default() + text.len();
    }

    fn types(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn interrupts(&mut self) {
        // Ctrl-C, as the terminal sends it.
        self.keys.write_all(b"\x03").unwrap();
    }

    /// The exit code, and everything that was shown.
    fn ends(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.shown);
            std::thread::sleep(Duration::from_millis(20));
        };
        let rest: Vec<u8> = self.screen.iter().collect();
        (status.code(), std::mem::take(&mut self.shown) + &String::from_utf8_lossy(&rest))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_for_everything_and_no_secret_is_echoed() {
    let desk = Desk::new().await;
    desk.bank.change(Change { ask_otp: Some(true), ..Change::default() });
    let code = tokio::task::block_in_place(|| {
        let mut terminal = Terminal::start(&desk.collect(""));
        terminal.sees("Your rights");
        terminal.sees("do you agree?");
        terminal.types("y");
        terminal.sees("Customer number: ");
        terminal.types(JULIE.login);
        terminal.sees("Password (hidden): ");
        terminal.types(JULIE.password);
        terminal.sees("Code received by SMS");
        let code = desk.bank.last_otp().unwrap();
        terminal.types(&code);
        terminal.sees(JULIE.accounts[0].iban);
        terminal.sees("Share this?");
        terminal.types("yes");
        terminal.sees("completed");
        let (exit, shown) = terminal.ends();
        assert_eq!(exit, Some(0), "{shown}");
        assert!(shown.contains("receipt rct_"), "{shown}");
        assert!(!shown.contains(JULIE.password) && !shown.contains(&code), "{shown}");
        code
    });
    assert!(desk.out().exists(), "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_chooses_among_the_sources_that_have_what_is_asked_for() {
    let desk = Desk::new().await;
    let mut arguments = desk.collect("--category person.name");
    // Whichever connector of the folder has a name to give, not one that the flags name.
    for flag in ["--connector", "--source", "--base"] {
        let at = arguments.iter().position(|word| word == flag).unwrap();
        arguments.drain(at..at + 2);
    }
    let unattended = call(arguments.clone()).await;
    assert_eq!(unattended.code, Some(1), "{unattended:?}");
    assert!(unattended.err.contains("choose with --connector and --source"), "{}", unattended.err);
    tokio::task::block_in_place(|| {
        let mut terminal = Terminal::start(&arguments);
        terminal.sees("Which source? [1-");
        let listed = terminal.shown.lines().find(|line| line.contains("Banque du Vallon (FR, bank)"));
        let number = listed.unwrap().split_whitespace().next().unwrap().to_owned();
        for nonsense in ["0", "99", "the bank"] {
            terminal.types(nonsense);
            terminal.sees("please, from 1 to");
        }
        terminal.types(&number);
        terminal.sees("Banque du Vallon");
        terminal.sees("do you agree?");
        terminal.types("n");
        let (exit, shown) = terminal.ends();
        assert_eq!(exit, Some(10), "{shown}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_say_no_at_the_notice_and_at_the_preview() {
    let desk = Desk::new().await;
    tokio::task::block_in_place(|| {
        let mut terminal = Terminal::start(&desk.collect("--language fr"));
        terminal.sees("Vos droits");
        terminal.sees("êtes-vous d'accord ?");
        terminal.types("n");
        let (exit, shown) = terminal.ends();
        assert_eq!(exit, Some(10), "{shown}");
        assert!(desk.bank.requests().is_empty());

        let given = format!("--field login={} --field password={}", JULIE.login, JULIE.password);
        let mut terminal = Terminal::start(&desk.collect(&given));
        terminal.sees("do you agree?");
        terminal.types("y");
        terminal.sees("Share this?");
        terminal.types("n");
        let (exit, shown) = terminal.ends();
        assert_eq!(exit, Some(10), "{shown}");
    });
    assert!(!desk.out().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_takes_back_what_is_under_way_and_leaves_the_terminal_its_echo() {
    let desk = Desk::new().await;
    desk.bank.change(Change { ask_otp: Some(true), ..Change::default() });
    tokio::task::block_in_place(|| {
        let begin = || {
            let mut terminal = Terminal::start_then(&desk.collect("--yes"), "stty -a");
            // The notice names them, too.
            terminal.sees("Customer number: ");
            terminal.types(JULIE.login);
            terminal.sees("Password (hidden): ");
            terminal
        };
        let ends = |mut terminal: Terminal| {
            terminal.interrupts();
            terminal.sees("withdrawn");
            let (exit, shown) = terminal.ends();
            assert_eq!(exit, Some(10), "{shown}");
            assert!(shown.contains(" echo ") && !shown.contains("-echo "), "{shown}");
            shown
        };
        // While the notice is shown: the decision may be under way.
        let mut terminal = Terminal::start(&desk.collect("--yes"));
        terminal.sees("Who asks");
        terminal.interrupts();
        let (exit, shown) = terminal.ends();
        assert_eq!(exit, Some(10), "{shown}");
        let shown = ends(begin());
        assert!(!shown.contains("receipt rct_"), "no login was opened: {shown}");
        assert!(desk.bank.requests().is_empty());

        let mut terminal = begin();
        terminal.types(JULIE.password);
        terminal.sees("Code received by SMS");
        let shown = ends(terminal);
        assert!(shown.contains("receipt rct_") && shown.contains("  withdrawn, from"), "{shown}");
    });
    assert!(!desk.out().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_turn_a_line_around_is_written_out_in_the_preview() {
    let desk = Desk::new().await;
    // Marks that an item may hold: in a name that is written from the right they have their place.
    let marks = ["\u{200f}", "\u{200e}", "\u{61c}", "\u{200b}"];
    let marked = format!("{}{}", JULIE.last_name, marks.concat());
    let source =
        Broken::before(&desk.bank.site_url, move |passing: &mut Passing| passing.replace(JULIE.last_name, &marked));
    let source = source.await.unwrap();
    let mut flags = desk.collect(&format!(
        "--yes --category person.name --field login={} --field password={}",
        JULIE.login, JULIE.password
    ));
    let at = flags.iter().position(|word| *word == desk.bank.site_url).unwrap();
    flags[at] = source.url.clone();
    let called = call(flags).await;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(called.err.contains(r"\u{200f}\u{200e}\u{61c}\u{200b}"), "{}", called.err);
    assert!(!marks.iter().any(|mark| called.err.contains(mark)), "{}", called.err);
    assert!(std::fs::read_to_string(desk.out()).unwrap().contains(&marks.concat()), "what is shared is as it came");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connector_asks_with_is_text_and_no_order_to_the_terminal() {
    let desk = Desk::new().await;
    let guests = connector("tests/probe").unwrap();
    let mut flags = desk.collect("--yes --category person.name --field login=x --field password=y --field mode=asks");
    for (flag, value) in
        [("--connector", "probe"), ("--source", "probe"), ("--connectors", guests.parent().unwrap().to_str().unwrap())]
    {
        let at = flags.iter().position(|word| word == flag).unwrap();
        flags[at + 1] = value.to_owned();
    }
    flags.extend(["--field".to_owned(), "aim=otp option:a\u{1b}[2K\u{202e}b=c\u{1b}[2K\u{200f}d".to_owned()]);
    let called = call(flags).await;
    assert!(called.err.contains(r"option:a\u{1b}[2K\u{202e}b: c\u{1b}[2K\u{200f}d"), "{called:?}");
    assert!(!["\u{1b}[2K", "\u{202e}", "\u{200f}"].iter().any(|order| called.err.contains(order)), "{called:?}");
}
