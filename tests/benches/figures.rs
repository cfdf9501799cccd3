//! Two figures as ratios, each taken in one run on one machine: the private operation of the software keys (RSA-4096, one core), signing and opening,
//! against `openssl speed` on the same core, and 10,000 sealed records of 1 KiB, written durably and read back, against sled bare. Prints them; nothing is
//! asserted about time. Run: `cargo bench --package consentry-tests --bench figures`; with `OPENSSL_ia32cap=:~0x200000` in the environment neither side
//! uses AVX512-IFMA.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use consentry::clock::{Clock as _, SystemClock};
use consentry::entropy::Entropy;
use consentry::erase::retention::{R24DeliveryOutcome, Term};
use consentry::jose::{RecipientKey, jwe};
use consentry::keys::{Duty, KeyProvider, SoftwareKeys};
use consentry::rights::declared::Declared;
use consentry::store::{Expect, Record, Shelves};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// How long each side of the first figure works.
const WORK: Duration = Duration::from_secs(10);
const RECORDS: usize = 10_000;
const BYTES: usize = 1024;
const AT_ONCE: usize = 64;

#[derive(Serialize, Deserialize, Clone)]
struct Text(String);

impl Record for Text {
    const NAMESPACE: &'static str = "text";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R24DeliveryOutcome;
}

fn main() -> anyhow::Result<()> {
    // The threads of a runtime, and the programs that it starts, stay where the thread stayed that made them.
    let here = Pid::from_raw(0);
    let all = sched_getaffinity(here)?;
    let first = (0..CpuSet::count()).find(|core| all.is_set(*core) == Ok(true)).context("no core")?;
    let mut one = CpuSet::new();
    one.set(first)?;
    sched_setaffinity(here, &one)?;
    runtime()?.block_on(private_operation())?;
    sched_setaffinity(here, &all)?;
    runtime()?.block_on(store())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

async fn private_operation() -> anyhow::Result<()> {
    let (now, entropy) = (SystemClock.now(), Entropy::system());
    let keys: Arc<dyn KeyProvider> = Arc::new(SoftwareKeys::ephemeral(now));
    let kid = keys.public(Duty::Signing).await?.kid().to_owned();
    let intake = RecipientKey::from_public(keys.public(Duty::Intake).await?)?;
    let sealed = entropy.with(|rng| jwe::seal(b"a login", jwe::Content::Plain, &intake, rng))?;
    // Before and after, since a machine is not alike at all times.
    let before = openssl()?;
    let (begun, mut signed) = (Instant::now(), 0_u32);
    while begun.elapsed() < WORK {
        keys.sign(Duty::Signing, &kid, b"what is signed").await?;
        signed += 1;
    }
    let signed = f64::from(signed) / begun.elapsed().as_secs_f64();
    let (begun, mut opened) = (Instant::now(), 0_u32);
    while begun.elapsed() < WORK {
        keys.open(Duty::Intake, &sealed, 4096).await?;
        opened += 1;
    }
    let opened = f64::from(opened) / begun.elapsed().as_secs_f64();
    let theirs = f64::midpoint(before, openssl()?);
    println!(
        "RSA-4096 private operations a second, one core: signing {signed:.1}, opening {opened:.1}; openssl speed: {theirs:.1}; ratios {:.2}, {:.2}",
        signed / theirs,
        opened / theirs
    );
    Ok(())
}

/// Private operations a second of the OpenSSL that is installed.
fn openssl() -> anyhow::Result<f64> {
    let seconds = WORK.as_secs().to_string();
    let output =
        Command::new("openssl").args(["speed", "-seconds", &seconds, "rsa4096"]).output().context("openssl")?;
    let told = String::from_utf8(output.stdout)?;
    // `rsa 4096 bits 0.002653s 0.000041s 376.9 24331.0`: times, then operations a second, of signatures first.
    let line =
        told.lines().find(|line| line.starts_with("rsa") && line.contains("4096 bits")).context("no line of it")?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "bits").skip(1);
    let first = words.find(|word| !word.ends_with('s')).context("no number")?;
    first.parse().with_context(|| line.to_owned())
}

/// As sled writes by itself, and as it would have to: with the file synced.
fn bare(folder: &Path, synced: bool) -> anyhow::Result<(Duration, Duration)> {
    let db = sled::Config::new().path(folder).flush_every_ms(None).open()?;
    let file = File::open(folder.join("db"))?;
    let value = vec![b'x'; BYTES];
    let begun = Instant::now();
    for number in 0..RECORDS {
        db.insert(format!("n{number}"), value.as_slice())?;
        db.flush()?;
        if synced {
            file.sync_all()?;
        }
    }
    let written = begun.elapsed();
    let begun = Instant::now();
    for number in 0..RECORDS {
        ensure!(db.get(format!("n{number}"))?.is_some_and(|value| value.len() == BYTES), "n{number} is not there");
    }
    Ok((written, begun.elapsed()))
}

async fn sealed(folder: &Path, at_once: usize) -> anyhow::Result<(Duration, Duration)> {
    let (now, entropy) = (SystemClock.now(), Arc::new(Entropy::system()));
    let keys = Arc::new(SoftwareKeys::ephemeral(now));
    let shelves = Shelves::sled(folder, keys, entropy, Arc::new(SystemClock)).await?;
    let (shelf, text, term) = (shelves.shelf(), Text("x".repeat(BYTES)), Term::from(now));
    let begun = Instant::now();
    let writers = (0..at_once).map(|writer| {
        let (shelf, text) = (shelf.clone(), text.clone());
        tokio::spawn(async move {
            for number in (writer..RECORDS).step_by(at_once) {
                shelf.put(&format!("n{number}"), &text, Expect::Absent, term).await?;
            }
            anyhow::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    let written = begun.elapsed();
    let begun = Instant::now();
    for number in 0..RECORDS {
        let read = shelf.get::<Text>(&format!("n{number}")).await?;
        ensure!(read.is_some_and(|read| read.value.0.len() == BYTES), "n{number} is not there");
    }
    Ok((written, begun.elapsed()))
}

async fn store() -> anyhow::Result<()> {
    // On the disk of the sources: a folder for temporary files may stand in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR"))?;
    let place = |name: &str| folder.path().join(name);
    let tell = |name: &str, (written, read): (Duration, Duration)| {
        println!("{name:<40}{:>9.2} s written{:>9.3} s read", written.as_secs_f64(), read.as_secs_f64());
        (written, read)
    };
    let plain = tell("sled bare, as it acknowledges", bare(&place("plain"), false)?);
    let synced = tell("sled bare, the file synced", bare(&place("synced"), true)?);
    let one = tell("sealed, one writer", sealed(&place("one"), 1).await?);
    let many = tell("sealed, 64 writers", sealed(&place("many"), AT_ONCE).await?);
    let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "ratios to sled with the file synced: one writer {:.2}, 64 writers {:.2}, read {:.1}; to sled as it acknowledges: {:.2}",
        ratio(one.0, synced.0),
        ratio(many.0, synced.0),
        ratio(one.1, synced.1),
        ratio(one.0, plain.0)
    );
    Ok(())
}
