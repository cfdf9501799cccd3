//! Who answers for a connector's bytes. Its last section is a minisign signature over everything before it, so that one file stays
//! the whole connector. This is the first thing that looks at a file: it follows the lengths of sections and nothing else, and
//! what no trusted key has signed goes no further.

use minisign_verify::{PublicKey, Signature};

mod key;

pub use key::{KeyError, SigningKey};

/// Name of the custom section that holds the signature: the last one.
pub const SIGNATURE_SECTION: &str = "consentry:signature";
/// What every component begins with: magic and version.
const PREAMBLE_BYTES: usize = 8;

/// Why a file's signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is none.
    #[error(
        "it is not signed: get a signed one from its author, or sign your own with `consentry connector sign` (only in development can unsigned ones be allowed)"
    )]
    Unsigned,
    /// A key that nobody trusts here.
    #[error(
        "it is signed with the key {key}, which is not trusted here: make sure whose key that is, then name its file with --trust, or the key in [[connectors.trusted-key]] of a node's configuration"
    )]
    UnknownKey {
        /// Its id.
        key: String,
    },
    /// The signature is not one over these bytes.
    #[error("it was changed after it was signed, or damaged on its way: get it again from its author")]
    Damaged,
    /// Something stands behind the signature.
    #[error("something was added after its signature: get it again from its author")]
    Extended,
}

/// A text that is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no public key: it is the line that begins with RW in the .pub file of `consentry connector keygen` or of minisign"
)]
pub struct NotAKey;

/// A key, and who answers for what it signs.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    owner: String,
    text: String,
    key: PublicKey,
}

/// Whose signatures are accepted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    unsigned: bool,
}

/// Who signed a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The owner of the key, as the operator calls them.
    pub owner: String,
    /// The public key: one line.
    pub key: String,
}

impl TrustedKey {
    /// Reads a public key: its one line, or a whole `.pub` file.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn parse(owner: &str, text: &str) -> Result<Self, NotAKey> {
        let text = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(NotAKey)?;
        let key = PublicKey::from_base64(text).map_err(|_| NotAKey)?;
        Ok(Self { owner: owner.to_owned(), text: text.to_owned(), key })
    }

    /// The one line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its id, as minisign writes it.
    pub fn id(&self) -> String {
        key_id(&self.text).unwrap_or_default()
    }
}

impl Trust {
    /// Accepts what one of these keys has signed.
    pub fn keys(keys: Vec<TrustedKey>) -> Self {
        Self { keys, unsigned: false }
    }

    /// Accepts besides what nobody known has signed: for tests, and for authors on their own desks.
    #[must_use]
    pub fn or_unsigned(self) -> Self {
        Self { unsigned: true, ..self }
    }

    /// Tells how much of a file is the connector itself, and who signed that.
    pub(super) fn check(&self, file: &[u8]) -> Result<(usize, Option<Signer>), SignatureError> {
        let (length, signature) = split(file)?;
        let Some(signature) = signature else {
            return if self.unsigned { Ok((length, None)) } else { Err(SignatureError::Unsigned) };
        };
        let text = std::str::from_utf8(signature).map_err(|_| SignatureError::Damaged)?;
        let signature = Signature::decode(text).map_err(|_| SignatureError::Damaged)?;
        for known in &self.keys {
            match known.key.verify(&file[..length], &signature, false) {
                Ok(()) => {
                    let signer = Signer { owner: known.owner.clone(), key: known.text.clone() };
                    return Ok((length, Some(signer)));
                }
                // Another key may have the same id: it is eight bytes, and chosen by its maker.
                Err(minisign_verify::Error::UnexpectedKeyId) => {}
                Err(_) => return Err(SignatureError::Damaged),
            }
        }
        if self.unsigned {
            return Ok((length, None));
        }
        let key = text.lines().nth(1).and_then(key_id).unwrap_or_default();
        Err(SignatureError::UnknownKey { key })
    }
}

/// The id of the key in a public key or a signature: it stands behind the two letters of the algorithm.
fn key_id(line: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(line.trim()).ok()?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// The length of the connector itself, and the signature behind it. What has no sections has no signature.
fn split(file: &[u8]) -> Result<(usize, Option<&[u8]>), SignatureError> {
    let mut at = PREAMBLE_BYTES;
    while let Some((section, end)) = section(file, at) {
        if let Some(signature) = section.and_then(named) {
            return if end == file.len() { Ok((at, Some(signature))) } else { Err(SignatureError::Extended) };
        }
        at = end;
    }
    Ok((file.len(), None))
}

/// The content of a section if it is a custom one, and its end.
fn section(file: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let kind = *file.get(at)?;
    let (length, start) = length(file, at + 1)?;
    let end = start.checked_add(length)?;
    let content = file.get(start..end)?;
    Some(((kind == 0).then_some(content), end))
}

/// What follows the name, if it is ours.
fn named(content: &[u8]) -> Option<&[u8]> {
    let (length, start) = length(content, 0)?;
    let name = content.get(start..start.checked_add(length)?)?;
    (name == SIGNATURE_SECTION.as_bytes()).then(|| &content[start + length..])
}

/// A number of 32 bits, seven bits to the byte, and where it ends.
fn length(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut number = 0_u64;
    for (shift, byte) in (0..35).step_by(7).zip(bytes.get(start..)?) {
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let end = start + shift / 7 + 1;
            return u32::try_from(number).ok().map(|number| (number as usize, end));
        }
    }
    None
}

/// The connector in a file: without its signature, if it has one.
pub fn unsigned(file: &[u8]) -> &[u8] {
    split(file).map_or(file, |(length, _)| &file[..length])
}

/// The connector with this signature behind it.
fn attach(connector: &[u8], signature: &str) -> Vec<u8> {
    let name = SIGNATURE_SECTION.as_bytes();
    let mut file = connector.to_vec();
    file.push(0);
    write_length(&mut file, 1 + name.len() + signature.len());
    write_length(&mut file, name.len());
    file.extend_from_slice(name);
    file.extend_from_slice(signature.as_bytes());
    file
}

fn write_length(file: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        file.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    file.push(length as u8);
}

#[cfg(test)]
mod tests;
