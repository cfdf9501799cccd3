//! The kept corpora, replayed; and inputs that nobody kept, made of them.

use std::path::{Path, PathBuf};

use consentry_properties::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).expect("a target of that name")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name)
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap_or_else(|error| panic!("the corpus of {name}: {error}"))
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

/// Says which file it was, since the panic doesn't.
fn replay(name: &str) {
    let target = target(name);
    let files = corpus(name);
    assert!(files.len() >= 4, "the corpus of {name} has {} files", files.len());
    for (path, data) in files {
        let held = std::panic::catch_unwind(|| (target.check)(&data));
        assert!(held.is_ok(), "{} breaks the property `{name}`", path.display());
    }
}

/// One change of an input: what fuzzers do, with words that this target knows.
#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index, usize),
    Put(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize, usize),
    Splice(prop::sample::Index, prop::sample::Index),
}

fn change(words: Vec<Vec<u8>>) -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), 1..40_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (at(), prop::sample::select(words)).prop_map(|(at, word)| Change::Put(at, word)),
        (at(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Change::Put(at, bytes)),
        (at(), 1..30_usize, 1..20_usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (at(), at()).prop_map(|(at, from)| Change::Splice(at, from)),
    ]
}

fn changed(mut data: Vec<u8>, changes: &[Change], others: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let place = |at: &prop::sample::Index| at.index(data.len() + 1);
        match change {
            Change::Flip(at, bit) if !data.is_empty() => {
                let at = at.index(data.len());
                data[at] ^= 1 << (bit % 8);
            }
            Change::Flip(..) => {}
            Change::Cut(at, length) => {
                let at = place(at);
                data.drain(at..(at + length).min(data.len()));
            }
            Change::Put(at, bytes) => {
                let at = place(at);
                data.splice(at..at, bytes.iter().copied());
            }
            Change::Repeat(at, length, times) => {
                let at = place(at);
                let piece = data[at..(at + length).min(data.len())].repeat(*times);
                data.splice(at..at, piece);
            }
            Change::Splice(at, from) => {
                let other = &others[from.index(others.len())];
                let at = place(at);
                data.truncate(at);
                data.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    data
}

/// The words of the fuzzer's dictionary: one on a line, in quotes.
fn words(name: &str) -> Vec<Vec<u8>> {
    let path = folder(name).join(format!("../../dictionaries/{name}.dict"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let word = |line: &str| {
        let word = line.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some(
            word.replace("\\x0a", "\n").replace("\\x09", "\t").replace("\\\"", "\"").replace("\\\\", "\\").into_bytes(),
        )
    };
    let mut words: Vec<_> = text.lines().filter_map(word).collect();
    words.push(b"\n".to_vec());
    words
}

/// The same inputs each time: what is green stays so until something changes. `PROPTEST_CASES` asks all of them more often, by as much as
/// it is above its default, and each time by other inputs.
fn twin(name: &str, cases: u32) {
    let times = Config::default().cases.div_ceil(256);
    let (cases, rng_seed) = (cases * times, if times > 1 { RngSeed::Random } else { RngSeed::Fixed(0) });
    let target = target(name);
    let files: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, data)| data).collect();
    let near = (prop::sample::select(files.clone()), prop::collection::vec(change(words(name)), 1..8))
        .prop_map(move |(data, changes)| changed(data, &changes, &files));
    let mut runner = TestRunner::new(Config { failure_persistence: None, rng_seed, ..Config::with_cases(cases) });
    let held = runner.run(&near, |data| {
        (target.check)(&data);
        Ok(())
    });
    match held {
        Ok(()) => {}
        Err(TestError::Fail(why, data)) => panic!("{name}: {why}\n{}", data.escape_ascii()),
        Err(error) => panic!("{name}: {error}"),
    }
}

macro_rules! suite {
    ($($name:ident $cases:literal;)*) => {$(
        mod $name {
            #[test]
            fn kept_inputs_hold() {
                super::replay(stringify!($name));
            }

            #[test]
            fn inputs_near_them_hold() {
                super::twin(stringify!($name), $cases);
            }
        }
    )*

    #[test]
    fn every_target_is_here() {
        let here = [$(stringify!($name)),*];
        assert!(TARGETS.iter().all(|target| here.contains(&target.name)) && here.len() == TARGETS.len());
    }};
}

suite! {
    document 300;
    egress 3000;
    item 1500;
    jwe 150;
    manifest 400;
    package 300;
    page 600;
    recipe 3000;
    redact 400;
    scrub 500;
    signature 300;
}

/// As large as a manifest may be: every source times every page, all of them right, and all of them wrong.
#[test]
fn the_largest_manifests_are_read_in_bounded_time() {
    let small = include_str!("../../fuzz/corpus/manifest/small");
    for (sources, origins, pages) in
        [(30, 50, 300), (1000, 3, 300), (1000, 1, 300), (50, 50, 10), (1001, 1, 1), (1, 51, 1), (1, 1, 4500)]
    {
        for host in ["a.example", "b.example"] {
            let mut text = small.to_owned();
            for source in 0..sources {
                let letters = |mut number: usize| {
                    let mut word = String::new();
                    for _ in 0..4 {
                        word.push((b'a' + (number % 26) as u8) as char);
                        number /= 26;
                    }
                    word
                };
                let more: String = (1..origins).map(|port| format!(",\"https://{host}:{port}\"")).collect();
                text.push_str(&format!(
                    "[[source]]\nid=\"{}\"\nname=\"A\"\ncountry=\"FR\"\nkind=\"bank\"\norigins=[\"https://{host}\"{more}]\n",
                    letters(source)
                ));
            }
            for page in 0..pages {
                let word: String =
                    [page / 676, page / 26, page].map(|n| (b'a' + (n % 26) as u8) as char).iter().collect();
                text.push_str(&format!("[[page]]\nid=\"{word}\"\nurl=\"https://a.example/\"\n"));
            }
            (target("manifest").check)(&text.as_bytes()[..text.len().min(300_000)]);
            println!("{sources} {origins} {pages} {host}: {} bytes", text.len());
        }
    }
}
