//! An RSA private key in memory. Its operations run in aws-lc-rs, in constant time; it leaves this type as PKCS#8 only.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use consentry_host_api::memory::locked;
use zeroize::{Zeroize, Zeroizing};

use super::{Algorithm, PublicKey, Refused, jwe};

/// An RSA-4096 private key for one algorithm.
pub struct PrivateKey {
    key: Key,
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

enum Key {
    Decrypting(OaepPrivateDecryptingKey),
    Signing(KeyPair),
}

impl PrivateKey {
    /// Makes a new key. Takes half a second or more of CPU: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`Refused`] if the library fails, which it reports without a reason.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Refused> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa4096).map_err(|_| Refused)?;
        let pkcs8 = AsDer::as_der(&key).map_err(|_| Refused)?;
        Self::from_pkcs8(algorithm, pkcs8.as_ref())
    }

    /// Reads a key from PKCS#8 DER.
    ///
    /// # Errors
    /// [`Refused`] if it is not such a key, or smaller than 4096 bits.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, Refused> {
        let (key, spki) = match algorithm {
            Algorithm::RsaOaep256 => {
                let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| Refused)?;
                let spki = AsDer::as_der(&key.public_key()).map_err(|_| Refused)?;
                (Key::Decrypting(OaepPrivateDecryptingKey::new(key).map_err(|_| Refused)?), spki)
            }
            Algorithm::Ps256 => {
                let key = KeyPair::from_pkcs8(pkcs8).map_err(|_| Refused)?;
                let spki = AsDer::as_der(key.public_key()).map_err(|_| Refused)?;
                (Key::Signing(key), spki)
            }
        };
        let public = PublicKey::from_spki(spki.as_ref(), algorithm).map_err(|_| Refused)?;
        Ok(Self { key, pkcs8: Zeroizing::new(pkcs8.to_vec()), public })
    }

    /// Writes the key as PKCS#8 DER, unencrypted. It is the caller's to protect.
    pub fn danger_to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Decrypts a key that was encrypted to this one with RSA-OAEP-256 and no label.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn unwrap_key(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let Key::Decrypting(key) = &self.key else { return Err(Refused) };
        let mut buffer = locked(|| Zeroizing::new(vec![0; key.min_output_size()]));
        let length = key.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None).map_err(|_| Refused)?.len();
        // What lies beyond the plaintext is scratch; `truncate` alone would keep it.
        buffer[length..].zeroize();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Signs a message with PS256.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let Key::Signing(key) = &self.key else { return Err(Refused) };
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| Refused)?;
        Ok(signature)
    }

    /// Opens a JWE that was sealed to this key: what a recipient does.
    ///
    /// # Errors
    /// [`Refused`], whatever is wrong.
    pub fn open(&self, token: &str, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let token = jwe::Token::parse(token, bytes_max)?;
        if token.kid() != self.public.kid() {
            return Err(Refused);
        }
        let cek = self.unwrap_key(token.encrypted_key());
        token.open(cek)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}
