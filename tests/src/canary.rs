//! Looks for values in every file of a folder, in the encodings in which they could be there by accident.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use memchr::memmem::Finder;

/// What a search saw.
#[derive(Debug, Default)]
pub struct Searched {
    /// So many files.
    pub files: usize,
    /// With so many bytes.
    pub bytes: usize,
    /// Where a value was found: file, and the value's place in the list. Never the value.
    pub found: Vec<(PathBuf, usize)>,
}

/// Searches a folder and all below it.
///
/// # Errors
/// A file can't be read.
pub fn search(folder: &Path, values: &[&str]) -> anyhow::Result<Searched> {
    let mut needles: Vec<(usize, Finder<'static>)> = vec![];
    for (at, value) in values.iter().enumerate() {
        needles
            .extend(encodings(value).into_iter().map(|needle| (at, Finder::new(&one_alphabet(needle)).into_owned())));
    }
    let mut searched = Searched::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
            searched.files += 1;
            searched.bytes += bytes.len();
            let bytes = one_alphabet(bytes);
            let found: BTreeSet<usize> =
                needles.iter().filter(|(_, needle)| needle.find(&bytes).is_some()).map(|(at, _)| *at).collect();
            searched.found.extend(found.into_iter().map(|at| (path.clone(), at)));
        }
    }
    Ok(searched)
}

/// The value as it is, in UTF-16, in hexadecimal, in base64 at each of the three places where it can begin, and percent-encoded.
pub fn encodings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let utf16: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut all = vec![bytes.to_vec(), utf16, hex.to_uppercase().into_bytes(), hex.into_bytes(), percent.into_bytes()];
    for start in 0..3 {
        all.extend(base64_inside(bytes, start));
    }
    all
}

/// The characters that every base64 text has which holds these bytes at this offset from a multiple of three.
fn base64_inside(bytes: &[u8], offset: usize) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let whole = bytes.get((3 - offset) % 3..)?;
    let text = whole.chunks_exact(3).flat_map(|three| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
    });
    let text: Vec<u8> = text.collect();
    (text.len() >= 8).then_some(text)
}

/// The two alphabets of base64 differ in two characters.
fn one_alphabet(mut bytes: Vec<u8>) -> Vec<u8> {
    for byte in &mut bytes {
        *byte = match *byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_every_encoding_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let texts: [&[u8]; 7] = [
            b"x Correct-Horse-7! y",
            b"436f72726563742d486f7273652d3721",
            b"eHggQ29ycmVjdC1Ib3JzZS03ISB5", // base64 of `xx Correct-Horse-7! y`
            b"eCBDb3JyZWN0LUhvcnNlLTchIHk=",
            b"Q29ycmVjdC1Ib3JzZS03ISB5",
            b"a=Correct-Horse-7%21",
            b"C\0o\0r\0r\0e\0c\0t\0-\0H\0o\0r\0s\0e\0-\x007\0!\0",
        ];
        for (at, text) in texts.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{at}")), text).unwrap();
        }
        std::fs::write(folder.path().join("clean"), b"Correct-Horse-8!").unwrap();
        let searched = search(folder.path(), &["Correct-Horse-7!"]).unwrap();
        assert_eq!((searched.files, searched.found.len()), (8, 7), "{:?}", searched.found);
    }
}
