//! What is told of a panic: in which thread and where, and nothing of what it was about. Its message may quote a value that was at hand.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::Location;

/// From here on a panic of this program prints its place, and its functions where `RUST_BACKTRACE` asks for them; never its message.
pub(super) fn tell_places_only() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{}", told(std::thread::current().name(), panic.location()));
        let functions = Backtrace::capture();
        if functions.status() == BacktraceStatus::Captured {
            eprintln!("{functions}");
        }
    }));
}

fn told(thread: Option<&str>, place: Option<&Location<'_>>) -> String {
    let thread = thread.unwrap_or("without a name");
    let place = place.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!(
        "consentry: a fault of ours: thread {thread} panicked at {place}; its message is not shown, since it may quote a secret"
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const SECRET: &str = "canary-beside-a-panic-7c21";

    #[test]
    #[ignore = "runs only as the child of the test below"]
    fn child_that_panics() {
        super::tell_places_only();
        let read = SECRET.parse::<u32>().map_err(|_| SECRET);
        read.unwrap();
    }

    #[test]
    fn a_panic_beside_a_secret_prints_its_place_and_not_the_secret() {
        let child =
            ["--exact", "cli::panics::tests::child_that_panics", "--ignored", "--nocapture", "--test-threads=1"];
        let ended = Command::new(std::env::current_exe().unwrap()).args(child).output().unwrap();
        let printed = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(!ended.status.success() && printed.contains("panics.rs:"), "{printed}");
        assert!(!printed.contains(SECRET), "{printed}");
    }
}
