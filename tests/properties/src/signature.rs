//! Signed connectors: what was signed is accepted as what it was, and nothing else is: not what nobody signed, not what another signed, and not
//! what was changed by one bit. The signed files are written by this module, so that writer and reader are not the same.

use std::ops::Range;
use std::sync::LazyLock;

use consentry::collect::package::{Package, PackageError};
use consentry::collect::signature::{SIGNATURE_SECTION, SignatureError, Trust, TrustedKey, unsigned};
use minisign::KeyPair;

use crate::bound::bounded;
use crate::text::plain;

const OWNER: &str = "an author";

/// Keys of this run: one is trusted, the other one isn't.
struct World {
    author: KeyPair,
    other: KeyPair,
    trust: Trust,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let [author, other] = [(); 2].map(|()| KeyPair::generate_unencrypted_keypair().unwrap());
    let trusted = TrustedKey::parse(OWNER, &author.pk.to_box().unwrap().into_string()).unwrap();
    World { author, other, trust: Trust::keys(vec![trusted]) }
});

/// Takes a letter and the rest: `F` a whole file; `S` a number of changes, three bytes each (see [`changed`]), then a connector to sign.
pub fn check(data: &[u8]) {
    match data {
        [b'F', file @ ..] => assert!(read(file).is_none(), "nobody signed it"),
        [b'S', count, rest @ ..] => {
            let changes = usize::from(count % 32) * 3;
            if let Some((changes, connector)) = rest.split_at_checked(changes) {
                signed(connector, changes);
            }
        }
        _ => {}
    }
}

/// Who answers for the file, and for how much of it; none if it is refused for its signature.
fn read(file: &[u8]) -> Option<Vec<u8>> {
    let read = bounded("reading a connector", file.len(), || Package::read(file.to_vec(), &WORLD.trust));
    match read {
        Ok(package) => {
            assert_eq!(package.signer().map(|signer| signer.owner.as_str()), Some(OWNER));
            assert_eq!(package.bytes(), unsigned(file));
            Some(package.bytes().to_vec())
        }
        Err(PackageError::Signature(error)) => {
            plain("a refusal", &error.to_string());
            None
        }
        Err(_) => Some(unsigned(file).to_vec()),
    }
}

fn signed(connector: &[u8], changes: &[u8]) {
    let (file, section) = file(connector, &WORLD.author);
    match read(&file) {
        Some(accepted) => assert_eq!(accepted.escape_ascii().to_string(), connector.escape_ascii().to_string()),
        None => assert!(!is_list_of_sections(connector), "{} is refused", file.escape_ascii()),
    }
    let (foreign, _) = self::file(connector, &WORLD.other);
    assert!(read(&foreign).is_none(), "signed by a key that nobody trusts");
    if is_list_of_sections(connector) {
        let refused = Package::read(foreign, &WORLD.trust);
        assert!(matches!(refused, Err(PackageError::Signature(SignatureError::UnknownKey { .. }))), "{refused:?}");
    }
    // The first line of a signature is a comment that nobody signs, and means nothing.
    let comment = section.start..section.start + file[section].iter().position(|byte| *byte == b'\n').unwrap();
    for change in changes.chunks_exact(3) {
        let other = changed(&file, connector.len(), change);
        let in_comment = other.len() == file.len()
            && file.iter().zip(&other).enumerate().all(|(at, (a, b))| a == b || comment.contains(&at));
        match read(&other) {
            Some(accepted) if in_comment => assert_eq!(accepted, connector),
            Some(_) => panic!("changed by {change:?}, and accepted: {}", other.escape_ascii()),
            None => {}
        }
    }
}

/// A connector with the signature behind it, and where the text of that stands.
fn file(connector: &[u8], by: &KeyPair) -> (Vec<u8>, Range<usize>) {
    let signature = minisign::sign(None, &by.sk, connector, Some("one"), Some("a connector")).unwrap().into_string();
    let mut content = vec![SIGNATURE_SECTION.len() as u8];
    content.extend_from_slice(SIGNATURE_SECTION.as_bytes());
    content.extend_from_slice(signature.as_bytes());
    let mut file = connector.to_vec();
    // A custom section; its length takes two bytes.
    assert!((0x80..0x4000).contains(&content.len()));
    file.extend([0, content.len() as u8 | 0x80, (content.len() >> 7) as u8]);
    file.extend_from_slice(&content);
    let end = file.len();
    (file, end - signature.len()..end)
}

/// Two bytes say where, the third what: a bit is flipped, the end is cut off, a byte or a section is put in.
fn changed(file: &[u8], connector: usize, change: &[u8]) -> Vec<u8> {
    let at = usize::from(change[0]) << 8 | usize::from(change[1]);
    let at = (at * file.len()) >> 16;
    let mut other = file.to_vec();
    match change[2] % 13 {
        bit @ 0..8 => other[at] ^= 1 << bit,
        8 => other.truncate(at),
        9 => other.insert(at, 0),
        10 => other.extend([0, 2, 1, b'x']),
        11 => drop(other.splice(connector..connector, [0, 2, 1, b'x'])),
        // The signature once more.
        _ => other.extend_from_slice(&file[connector..]),
    }
    other
}

/// Whether it is eight bytes and whole sections, none of them a signature.
fn is_list_of_sections(connector: &[u8]) -> bool {
    let Some((_, mut rest)) = connector.split_at_checked(8) else { return false };
    while let [id, after @ ..] = rest {
        let Some((length, after)) = number(after) else { return false };
        let Some((content, after)) = after.split_at_checked(length) else { return false };
        let named = number(content).and_then(|(length, rest)| rest.split_at_checked(length));
        if *id == 0 && named.is_some_and(|(name, _)| name == SIGNATURE_SECTION.as_bytes()) {
            return false;
        }
        rest = after;
    }
    true
}

/// LEB128, at most five bytes and 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
    let value = bytes[..length].iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((usize::try_from(value).ok().filter(|value| u32::try_from(*value).is_ok())?, &bytes[length..]))
}
