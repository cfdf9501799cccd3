//! The `consentry` command. Everything is in the library.

fn main() -> std::process::ExitCode {
    consentry::cli::run()
}
