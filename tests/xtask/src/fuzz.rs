//! Fuzzing, by hand: one target for so many seconds, on the compiler that builds everything else. New inputs go to `target/fuzz`; what
//! breaks a property is printed, and kept there. `--keep` adds to the kept corpus what reaches further than it does.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

#[derive(clap::Args)]
pub struct Args {
    /// The target, one of `tests/fuzz/targets`
    target: String,
    /// How long
    #[arg(default_value = "60")]
    seconds: u32,
    /// Add what was found to the kept corpus, minimised
    #[arg(long)]
    keep: bool,
    /// The sanitizer: `address`, or `none` for twice the speed
    #[arg(long, default_value = "address")]
    sanitizer: String,
}

/// Largest input, in bytes.
const INPUT_BYTES_MAX: &str = "-max_len=16384";

/// # Errors
/// When cargo-fuzz is missing, or a property does not hold.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let target = args.target.as_str();
    let kept = format!("tests/fuzz/corpus/{target}");
    if !Path::new(&kept).is_dir() {
        bail!("there is no target `{target}`; see tests/fuzz/targets");
    }
    let found = format!("target/fuzz/corpus/{target}");
    std::fs::create_dir_all(&found)?;
    // The very versions that are shipped.
    std::fs::copy("Cargo.lock", "tests/fuzz/Cargo.lock").context("the versions can't be copied")?;
    let words = format!("-dict=tests/fuzz/dictionaries/{target}.dict");
    let time = format!("-max_total_time={}", args.seconds);
    let mut options = vec![INPUT_BYTES_MAX, "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", &time];
    if Path::new(words.trim_start_matches("-dict=")).exists() {
        options.push(&words);
    }
    cargo_fuzz("run", args, &[&found, &kept], &options)?;
    if args.keep {
        cargo_fuzz("run", args, &[&kept, &found], &["-merge=1", INPUT_BYTES_MAX])?;
    }
    Ok(())
}

fn cargo_fuzz(command: &str, args: &Args, folders: &[&str], options: &[&str]) -> anyhow::Result<()> {
    let manifest = std::fs::read_to_string("tests/fuzz/Cargo.toml")?;
    let name = format!("name = \"{}\"", args.target);
    let entry = manifest.split("[[bin]]").find(|entry| entry.contains(&name)).unwrap_or_default();
    let features: &[&str] = if entry.contains("required-features") { &["--features", "engine"] } else { &[] };
    let status = Command::new("cargo")
        .args(["fuzz", command, "--fuzz-dir", "tests/fuzz", "--target-dir", "target/fuzz/build"])
        // The product as it is shipped, but for the sanitizer, which is a feature that the compiler has not promised to keep.
        .args(features)
        .args(["--release", "--no-cfg-fuzzing", "--sanitizer", &args.sanitizer, &args.target])
        .args(folders)
        .arg("--")
        .args(options)
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .context("cargo can't be started")?;
    if !status.success() {
        bail!("{}: a property does not hold, or `cargo install cargo-fuzz` is missing", args.target);
    }
    Ok(())
}
