//! Keys that sign connectors, in the files of minisign: the secret one encrypted with a passphrase, for its owner only.

use std::io;
use std::path::Path;

use minisign::{KeyPair, SecretKey, SecretKeyBox};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::attach;
use crate::secret_file;

/// What is wrong with a signing key. It says nothing about the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read.
    #[error("the key file can't be read")]
    Io(#[from] io::Error),
    /// It is something else, or the passphrase is another one.
    #[error("this is no secret key, or its passphrase is another one")]
    Refused,
    /// There is a passphrase file for a key without a passphrase, or the other way round.
    #[error("the key has {}: {} --passphrase-file", if *.encrypted { "a passphrase" } else { "no passphrase" }, if *.encrypted { "name its file with" } else { "leave out" })]
    Passphrase {
        /// Whether the key is encrypted.
        encrypted: bool,
    },
    /// No guess without a passphrase.
    #[error("the passphrase is empty")]
    NoPassphrase,
    /// The library failed; out of randomness, memory or sense.
    #[error("the signature can't be made")]
    Failed,
}

/// A key that signs connectors.
pub struct SigningKey(SecretKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Makes a key, and gives the texts of its files: the secret half, encrypted with the passphrase, and the public one.
    ///
    /// # Errors
    /// [`KeyError::NoPassphrase`].
    pub fn generate(passphrase: &SecretString) -> Result<(Zeroizing<String>, String), KeyError> {
        if passphrase.expose_secret().is_empty() {
            return Err(KeyError::NoPassphrase);
        }
        let failed = |_| KeyError::Failed;
        let pair = KeyPair::generate_encrypted_keypair(Some(passphrase.expose_secret().to_owned())).map_err(failed)?;
        let secret = pair.sk.to_box(Some("secret key for connectors")).map_err(failed)?.into_string();
        Ok((Zeroizing::new(secret), pair.pk.to_box().map_err(failed)?.into_string()))
    }

    /// Makes a key that dies with the process, and the text of its public half's file.
    #[cfg(test)]
    pub(crate) fn ephemeral() -> (Self, String) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        (Self(pair.sk), pair.pk.to_box().unwrap().into_string())
    }

    /// Opens a key file of its owner's alone.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(path: &Path, passphrase: Option<&SecretString>) -> Result<Self, KeyError> {
        let bytes = secret_file::read_private(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::Refused)?;
        let refused = |_| KeyError::Refused;
        let boxed = || SecretKeyBox::from_string(text).map_err(refused);
        let encrypted = boxed()?.into_unencrypted_secret_key().map_or(true, |key| key.is_encrypted());
        match (encrypted, passphrase) {
            (true, Some(passphrase)) => {
                let key = boxed()?.into_secret_key(Some(passphrase.expose_secret().to_owned()));
                Ok(Self(key.map_err(refused)?))
            }
            (false, None) => Ok(Self(boxed()?.into_unencrypted_secret_key().map_err(refused)?)),
            (encrypted, _) => Err(KeyError::Passphrase { encrypted }),
        }
    }

    /// Puts a signature behind a connector. What the comment says is signed, too.
    ///
    /// # Errors
    /// [`KeyError::Failed`].
    pub fn sign(&self, connector: &[u8], comment: &str) -> Result<Vec<u8>, KeyError> {
        let signed = minisign::sign(None, &self.0, connector, Some(comment), Some("a connector of Consentry"));
        Ok(attach(connector, &signed.map_err(|_| KeyError::Failed)?.into_string()))
    }
}
