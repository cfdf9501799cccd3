//! What is packed: members of gzip and zlib are unpacked wherever they begin in a file; what other programs pack is known by its first
//! bytes, and named.

use std::io::{self, Read as _};

/// Largest file that is looked through for packed members.
pub(super) const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most that one of them may unpack to.
const MEMBER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// So much of a file says what it is.
pub(super) const HEAD_BYTES: usize = 16;
/// The first bytes of a member.
const GZIP: u8 = 0x1f;
const ZLIB: u8 = 0x78;
/// Those of zstd, xz, bzip2, lz4, zip and 7z.
const OTHERS: [&[u8]; 6] =
    [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"\x04\x22\x4d\x18", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c"];
/// A journal of systemd, which packs long lines; by which programs, a byte of its head says.
const JOURNAL: &[u8] = b"LPKSHHRH";
const JOURNAL_PACKS_AT: usize = 12;
const JOURNAL_PACKS: u8 = 1 | 2 | 8;

/// Whether a file that begins so is packed, as a whole or in parts, and not by gzip or zlib.
pub(super) fn is_by_others(head: &[u8]) -> bool {
    let is_journal = head.starts_with(JOURNAL);
    let packs = head.get(JOURNAL_PACKS_AT).is_some_and(|flags| flags & JOURNAL_PACKS != 0);
    is_journal && packs || OTHERS.iter().any(|other| head.starts_with(other))
}

/// Whether a file that begins so is a member as a whole.
pub(super) fn is_ours(head: &[u8]) -> bool {
    packed_members(head).next() == Some(0)
}

/// What of a file is packed: each member of gzip or zlib that begins anywhere in it, unpacked.
pub(super) fn unpacked(bytes: &[u8], mut each: impl FnMut(&mut dyn io::Read) -> io::Result<()>) -> io::Result<()> {
    for at in packed_members(bytes) {
        let member = &bytes[at..];
        let mut reader: Box<dyn io::Read> = match member[0] {
            GZIP => Box::new(flate2::read::GzDecoder::new(member)),
            _ => Box::new(flate2::read::ZlibDecoder::new(member)),
        };
        each(&mut (&mut reader).take(MEMBER_BYTES_MAX))?;
    }
    Ok(())
}

/// Where a member of gzip or zlib may begin.
fn packed_members(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let begins = |at: &usize| match bytes[*at..] {
        [GZIP, 0x8b, 8, ..] => true,
        [ZLIB, kind, ..] => (u16::from(ZLIB) << 8 | u16::from(kind)).is_multiple_of(31) && kind & 0x20 == 0,
        _ => false,
    };
    (0..bytes.len()).filter(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_pack_is_known_by_its_head() {
        for head in [&b"\x28\xb5\x2f\xfd\x04"[..], b"\xfd7zXZ\0\0", b"PK\x03\x04", b"LPKSHHRH\0\0\0\0\x08\0\0\0"] {
            assert!(is_by_others(head), "{head:?}");
        }
        for head in [&b""[..], b"\x1f\x8b\x08", b"a log", b"LPKSHHRH\0\0\0\0\x04\0\0\0"] {
            assert!(!is_by_others(head), "{head:?}");
        }
        assert!(is_ours(b"\x1f\x8b\x08") && !is_ours(b"a \x1f\x8b\x08"));
    }
}
