//! Looks for marked values where no value of a person may be: in files, in what a network carried, in the memory of a process. It
//! looks for each value as it is and in the encodings in which it could be there by accident ([`encodings`]), in files also where they
//! are packed (gzip, zlib), and never says what it found, only which one and where.
//!
//! It shows absence in the places that it names, and nothing about others. What it was to look into and could not, it names ([`Unseen`]).

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::Serialize;

mod encodings;
mod packed;

pub use encodings::encodings;

/// Shortest value that is looked for in memory: shorter ones are there by chance.
pub const MEMORY_CHARS_MIN: usize = 10;
/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Memory that was never touched.
static NOTHING: [u8; PIECE_BYTES] = [0; PIECE_BYTES];
/// What a `free` of the C library writes over the head of what is freed.
const OVERWRITTEN_BYTES: usize = 16;

/// What a search saw.
#[derive(Debug, Default, Serialize)]
pub struct Searched {
    /// So many files, or mappings of memory.
    pub files: usize,
    /// With so many bytes.
    pub bytes: usize,
    /// Where a value was found: the place, and the value's place in the list. Never the value.
    pub found: Vec<(PathBuf, usize)>,
    /// Where it was not looked, or not for all. None of these is shown to hold nothing.
    pub unseen: Vec<(PathBuf, Unseen)>,
}

/// Why something was not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unseen {
    /// Neither a file nor a folder.
    #[error("it is neither a file nor a folder: copy what comes out of it into a file")]
    Device,
    /// Packed by something that is not unpacked here.
    #[error(
        "it is packed by something other than gzip or zlib, or too large to unpack here: unpack it, and search that"
    )]
    Packed,
    /// The value in this place of the list is there by chance too often.
    #[error("value {} is shorter than {MEMORY_CHARS_MIN} characters: plant a longer one", .0 + 1)]
    Short(usize),
}

/// Values in all their encodings, looked for in one pass.
struct Needles {
    automaton: AhoCorasick,
    /// Which value each of its patterns is.
    values: Vec<usize>,
    longest: usize,
}

/// Searches a folder and all below it, or one file.
///
/// # Errors
/// A file can't be read.
pub fn search(place: &Path, values: &[&str]) -> io::Result<Searched> {
    let needles = Needles::of(values.iter().copied().enumerate())?;
    let mut searched = Searched::default();
    let mut places = vec![place.to_owned()];
    while let Some(path) = places.pop() {
        // What was named may be a link, as the open files of a process are; links below are followed by nobody.
        let kind = if path == place { std::fs::metadata(&path) } else { std::fs::symlink_metadata(&path) };
        match kind.and_then(|kind| search_one(&path, &kind, &needles, &mut places)) {
            Ok(Some(Looked { bytes, found, is_packed })) => {
                searched.add(&path, bytes, found);
                searched.unseen.extend(is_packed.then(|| (path.clone(), Unseen::Packed)));
            }
            Ok(None) => {
                // A pipe or a socket in a folder holds nothing; a disk does, and so may whatever somebody names.
                let is_device = std::fs::metadata(&path)
                    .is_ok_and(|kind| kind.file_type().is_block_device() || path == place && !kind.is_dir());
                searched.unseen.extend(is_device.then(|| (path.clone(), Unseen::Device)));
            }
            // It went while we were looking, as files of an engine that runs do.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != place => {}
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("{} can't be read: {error}", path.display())));
            }
        }
    }
    Ok(searched)
}

/// What one file said.
struct Looked {
    bytes: usize,
    found: BTreeSet<usize>,
    /// Whether something in it is packed and was not unpacked.
    is_packed: bool,
}

/// Searches one file; of a folder it puts down what is in it. What is neither (a socket, a pipe) is not opened.
fn search_one(
    path: &Path,
    kind: &Metadata,
    needles: &Needles,
    places: &mut Vec<PathBuf>,
) -> io::Result<Option<Looked>> {
    if kind.is_dir() {
        for entry in std::fs::read_dir(path)? {
            places.push(entry?.path());
        }
    }
    if !kind.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let (bytes, mut found) = needles.find_in(|piece| file.read(piece))?;
    let is_small = kind.len() <= packed::BYTES_MAX;
    if is_small {
        packed::unpacked(&std::fs::read(path)?, |member| {
            // It ends where it is damaged, or was none.
            let inside = needles.find_in(|piece| Ok(member.read(piece).unwrap_or(0)))?;
            found.extend(inside.1);
            Ok(())
        })?;
    }
    let mut head = [0; packed::HEAD_BYTES];
    let length = File::open(path)?.read(&mut head)?;
    let is_packed = packed::is_by_others(&head[..length]) || !is_small && packed::is_ours(&head[..length]);
    Ok(Some(Looked { bytes, found, is_packed }))
}

/// Searches what a process has in memory and could have written to. Of each value only the tail is looked for, since the head of
/// what was freed is overwritten while the rest is still there.
///
/// # Errors
/// It is not there, or not ours to look into.
pub fn search_memory(process: u32, values: &[&str]) -> io::Result<Searched> {
    let tails = values.iter().enumerate().filter(|(_, value)| value.chars().count() >= MEMORY_CHARS_MIN);
    let needles = Needles::of(tails.map(|(at, value)| (at, tail(value))))?;
    let path = PathBuf::from(format!("/proc/{process}/mem"));
    let memory = File::open(&path)?;
    let mut searched = Searched::default();
    let short = values.iter().enumerate().filter(|(_, value)| value.chars().count() < MEMORY_CHARS_MIN);
    searched.unseen.extend(short.map(|(at, _)| (path.clone(), Unseen::Short(at))));
    for line in std::fs::read_to_string(format!("/proc/{process}/maps"))?.lines() {
        let Some((start, end)) = writable(line) else { continue };
        let mut at = start;
        let read = |piece: &mut [u8]| {
            let length = piece.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            // A mapping that went meanwhile, or that has no bytes behind it, ends here.
            let read = if length == 0 { 0 } else { memory.read_at(&mut piece[..length], at).unwrap_or(0) };
            at += read as u64;
            Ok(read)
        };
        let (bytes, found) = needles.find_in(read)?;
        searched.add(Path::new(&format!("/proc/{process}/mem at {start:x}")), bytes, found);
    }
    Ok(searched)
}

impl Searched {
    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.files += other.files;
        self.bytes += other.bytes;
        self.found.extend(other.found);
        self.unseen.extend(other.unseen);
        self
    }

    fn add(&mut self, place: &Path, bytes: usize, found: BTreeSet<usize>) {
        self.files += 1;
        self.bytes += bytes;
        self.found.extend(found.into_iter().map(|at| (place.to_owned(), at)));
    }
}

impl Needles {
    fn of<'v>(values: impl Iterator<Item = (usize, &'v str)>) -> io::Result<Self> {
        let (mut patterns, mut places) = (vec![], vec![]);
        for (at, value) in values {
            for pattern in encodings(value) {
                patterns.push(pattern);
                places.push(at);
            }
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or_default();
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(patterns);
        Ok(Self { automaton: automaton.map_err(io::Error::other)?, values: places, longest })
    }

    /// Reads to the end, piece by piece; what lies across two pieces is found, too.
    fn find_in(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<(usize, BTreeSet<usize>)> {
        let (mut all, mut found) = (0, BTreeSet::new());
        let (mut window, mut kept) = (vec![0; self.longest + PIECE_BYTES], 0);
        loop {
            let length = read(&mut window[kept..kept + PIECE_BYTES])?;
            if length == 0 {
                return Ok((all, found));
            }
            all += length;
            // Of nothing at all its beginning is enough: something may end there.
            let is_nothing = window[kept..kept + length] == NOTHING[..length];
            let news = if is_nothing { length.min(self.longest) } else { length };
            let seen = self.automaton.find_overlapping_iter(&window[..kept + news]);
            found.extend(seen.map(|seen| self.values[seen.pattern().as_usize()]));
            let keep = self.longest.min(kept + length);
            let from = kept + length - keep;
            window.copy_within(from..from + keep, 0);
            kept = keep;
        }
    }
}

/// The end of a value that is still there when its head was overwritten.
fn tail(value: &str) -> &str {
    let least = value.char_indices().rev().nth(MEMORY_CHARS_MIN - 1).map_or(0, |(at, _)| at);
    let from = (0..=OVERWRITTEN_BYTES.min(least)).rev().find(|at| value.is_char_boundary(*at));
    &value[from.unwrap_or(0)..]
}

/// A mapping that is read and written, by a line of `/proc/PID/maps`.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let range = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    rights.starts_with("rw").then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_every_encoding_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let texts: [&[u8]; 8] = [
            b"x Correct-Horse-7! y",
            b"436f72726563742d486f7273652d3721",
            b"eHggQ29ycmVjdC1Ib3JzZS03ISB5", // base64 of `xx Correct-Horse-7! y`
            b"eCBDb3JyZWN0LUhvcnNlLTchIHk=",
            b"Q29ycmVjdC1Ib3JzZS03ISB5",
            b"a=Correct-Horse-7%21",
            b"C\0o\0r\0r\0e\0c\0t\0-\0H\0o\0r\0s\0e\0-\x007\0!\0",
            b"436F72726563742D486F7273652D3721",
        ];
        for (at, text) in texts.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{at}")), text).unwrap();
        }
        std::fs::write(folder.path().join("clean"), b"Correct-Horse-8!").unwrap();
        let searched = search(folder.path(), &["Correct-Horse-7!"]).unwrap();
        assert_eq!((searched.files, searched.found.len()), (9, 8), "{:?}", searched.found);
        // Base64 with characters in which its alphabets differ.
        for text in ["Pz8/Pj4+Pz8_", "Pz8/Pj4+Pz8/", "Pz8_Pj4-Pz8_"] {
            std::fs::write(folder.path().join("clean"), text).unwrap();
            let found = search(&folder.path().join("clean"), &["???>>>???"]).unwrap().found;
            assert_eq!(found.len(), usize::from(text != "Pz8/Pj4+Pz8_"), "{text}: of one alphabet or the other");
        }
    }

    #[test]
    fn a_value_in_a_packed_member_is_found_and_a_named_link_is_followed() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("log"), folder.path().join("link"));
        let line = "p=Correct-Horse-7%21\n".repeat(10).into_bytes();
        let mut gzip = flate2::write::GzEncoder::new(b"before".to_vec(), flate2::Compression::best());
        gzip.write_all(&line).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(vec![0x78, 0x78, 0x9c], flate2::Compression::fast());
        zlib.write_all(&line).unwrap();
        for bytes in [gzip.finish().unwrap(), zlib.finish().unwrap()] {
            assert!(!String::from_utf8_lossy(&bytes).contains("Horse"));
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(search(&path, &["Correct-Horse-7!"]).unwrap().found, [(path.clone(), 0)]);
        }
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(search(&link, &["Correct-Horse-7!"]).unwrap().found, [(link.clone(), 0)]);
        assert_eq!(search(folder.path(), &["Correct-Horse-7!"]).unwrap().found, [(path, 0)], "once");
    }

    #[test]
    fn a_value_across_two_pieces_is_found_and_one_file_is_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for at in [0, 5, PIECE_BYTES - 16, PIECE_BYTES - 20, PIECE_BYTES - 5, PIECE_BYTES, 2 * PIECE_BYTES + 80] {
            for around in [b'.', 0] {
                let mut bytes = vec![around; 3 * PIECE_BYTES];
                bytes[at..at + 16].copy_from_slice(b"Correct-Horse-7!");
                std::fs::write(&path, bytes).unwrap();
                assert_eq!(search(&path, &["no", "Correct-Horse-7!"]).unwrap().found, [(path.clone(), 1)], "{at}");
            }
        }
    }

    #[test]
    fn a_tail_is_what_stays_when_the_head_is_overwritten() {
        assert_eq!(tail("0123456789abcdefTAIL-OF-IT"), "TAIL-OF-IT");
        assert_eq!(tail("0123456789abcdefTAIL"), "abcdefTAIL".split_at(0).1);
        assert_eq!(tail("0123456789"), "0123456789");
        assert_eq!(tail("éééééééééééé"), "éééééééééé");
    }

    #[test]
    fn a_value_in_this_process_is_found_by_its_tail() {
        let value = format!("{}-{}-{}", "a head that is overwritten", "and a", std::process::id());
        let mut freed = format!("{}{value}", "x").into_bytes();
        freed[..OVERWRITTEN_BYTES + 1].fill(0);
        let searched = search_memory(std::process::id(), &[&value, "short"]).unwrap();
        assert!(searched.bytes > 1_000_000);
        assert!(searched.found.iter().any(|(_, at)| *at == 0) && searched.found.iter().all(|(_, at)| *at == 0));
        drop(freed);
    }
}
