//! An engine that leaks on purpose, for the test that has to find it out. It is built with the feature `leaks-for-tests` only.

/// As in the real one: what leaks does so in spite of it.
#[global_allocator]
static MEMORY: consentry_host_api::memory::Wiping = consentry_host_api::memory::Wiping;

fn main() -> std::process::ExitCode {
    consentry::cli::run()
}
