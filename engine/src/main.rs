//! The `consentry` command. Everything is in the library.

/// What is freed, by us or by a library, is wiped.
#[global_allocator]
static MEMORY: consentry_host_api::memory::Wiping = consentry_host_api::memory::Wiping;

fn main() -> std::process::ExitCode {
    consentry::cli::run()
}
