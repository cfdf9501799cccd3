//! The run's secrets: each value sealed in memory under a key that lives as long as the run, opened only while a recipe is evaluated
//! into a request. There is no reader; the one door is [`Reveal`], which only `evaluate` walks through.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use consentry_contract::recipe::{Leaf, LeafKind, Reveal};
use zeroize::Zeroizing;

use crate::clear::RunInClear;
use crate::memory::locked;

/// The vault can't be used; never says why in terms of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret could not be sealed for the run")]
pub struct VaultError;

/// No password is as long as that.
const COARSE_BYTES: u64 = 4096;

#[derive(Clone)]
struct SealedValue {
    nonce: [u8; 12],
    ciphertext: Vec<u8>,
}

/// Secrets of one run.
pub struct Vault {
    run_key: RandomizedNonceKey,
    values: HashMap<Leaf, SealedValue>,
    public: HashMap<String, String>,
    filled: Arc<AtomicBool>,
    stands_in: bool,
    in_clear: RunInClear,
}

/// Sealed copies of the secrets that a request carried, for the search in its answer: by then the secrets may be used up, destroyed or
/// replaced by others of the same name.
pub(crate) struct Kept(HashMap<Leaf, SealedValue>);

impl Kept {
    /// How many bytes the secrets have.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(|sealed| sealed.ciphertext.len() - AES_256_GCM.tag_len()).sum()
    }
}

/// Opens kept copies with the key of their vault.
pub(crate) struct WithKept<'v> {
    vault: &'v Vault,
    kept: &'v Kept,
}

impl Reveal for WithKept<'_> {
    fn reveal(&self, leaf: &Leaf) -> Option<Zeroizing<Vec<u8>>> {
        self.vault.open(leaf, self.kept.0.get(leaf)?)
    }
}

/// Looks at a vault from outside its run: whether anything is in it. It outlives the vault and keeps nothing of it.
#[derive(Debug, Clone)]
pub struct VaultWitness(Arc<AtomicBool>);

impl VaultWitness {
    /// Whether nothing is left: everything was destroyed, or the vault was dropped.
    pub fn is_empty(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("secrets", &self.values.len()).finish_non_exhaustive()
    }
}

impl Vault {
    /// An empty vault under this run key, which is wiped here.
    ///
    /// # Errors
    /// Never with 32 bytes; the key's length is checked by the library.
    pub fn new(run_key: Zeroizing<[u8; 32]>) -> Result<Self, VaultError> {
        let run_key = RandomizedNonceKey::new(&AES_256_GCM, run_key.as_ref()).map_err(|_| VaultError)?;
        Ok(Self {
            run_key,
            values: HashMap::new(),
            public: HashMap::new(),
            filled: Arc::default(),
            stands_in: false,
            in_clear: RunInClear::default(),
        })
    }

    /// The same, of a run whose secrets were in clear before.
    #[must_use]
    pub fn of(mut self, in_clear: RunInClear) -> Self {
        self.in_clear = in_clear;
        self
    }

    /// How long its secrets stand in clear, wherever they do.
    pub(crate) fn in_clear(&self) -> &RunInClear {
        &self.in_clear
    }

    /// A vault for a replay: it knows which secrets there were and none of their values, so nothing is evaluated from it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn standing_in() -> Result<Self, VaultError> {
        let mut vault = Self::new(Zeroizing::new([0; 32]))?;
        vault.stands_in = true;
        Ok(vault)
    }

    /// Whether its values stand in for others.
    pub(crate) fn stands_in(&self) -> bool {
        self.stands_in
    }

    /// Takes a value in; the plaintext is wiped here.
    ///
    /// # Errors
    /// When sealing fails.
    pub fn put(&mut self, leaf: Leaf, value: Zeroizing<Vec<u8>>) -> Result<(), VaultError> {
        let mut ciphertext = value.to_vec();
        let aad = Aad::from(leaf.to_string());
        let sealed = self.run_key.seal_in_place_append_tag(aad, &mut ciphertext);
        let nonce = sealed.map_err(|_| VaultError)?;
        self.filled.store(true, Ordering::Release);
        self.values.insert(leaf, SealedValue { nonce: *nonce.as_ref(), ciphertext });
        Ok(())
    }

    /// Takes in a field that the manifest declares public.
    pub fn put_public(&mut self, field: &str, value: String) {
        self.filled.store(true, Ordering::Release);
        self.public.insert(field.to_owned(), value);
    }

    /// A public field.
    pub fn public(&self, field: &str) -> Option<&str> {
        self.public.get(field).map(String::as_str)
    }

    /// The names of what is in it, and the public fields.
    pub fn names(&self) -> (impl Iterator<Item = &Leaf>, &HashMap<String, String>) {
        (self.values.keys(), &self.public)
    }

    /// Whether there is such a secret.
    pub fn holds(&self, leaf: &Leaf) -> bool {
        self.values.contains_key(leaf)
    }

    /// So many bytes a secret counts towards what is sent: its length, made coarse enough that every login field counts alike.
    pub(crate) fn coarse_bytes(&self, leaf: &Leaf) -> u64 {
        let bytes = self.values.get(leaf).map_or(0, |sealed| sealed.ciphertext.len() as u64);
        bytes.next_multiple_of(COARSE_BYTES)
    }

    /// The login is over: its fields are gone, whatever handles remain.
    pub fn destroy_login(&mut self) {
        self.values.retain(|leaf, _| leaf.kind != LeafKind::Field);
    }

    /// An answer was used: it is gone, whatever handles remain.
    pub fn destroy_answer(&mut self, leaf: &Leaf) {
        if leaf.kind == LeafKind::Answer {
            self.values.remove(leaf);
        }
    }

    /// Every answer is gone.
    pub fn destroy_answers(&mut self) {
        self.values.retain(|leaf, _| leaf.kind != LeafKind::Answer);
    }

    /// Everything is gone.
    pub fn destroy(&mut self) {
        self.values.clear();
        self.public.clear();
        self.filled.store(false, Ordering::Release);
    }

    /// Copies of these secrets, sealed as they are.
    pub(crate) fn keep<'l>(&self, leaves: impl IntoIterator<Item = &'l Leaf>) -> Kept {
        let copy = |leaf: &Leaf| Some((leaf.clone(), self.values.get(leaf)?.clone()));
        Kept(leaves.into_iter().filter_map(copy).collect())
    }

    /// Seals a value as a secret of the vault, and leaves it out: what an earlier run kept is there once it is asked for.
    pub(crate) fn set_aside(&mut self, leaf: &Leaf, value: Zeroizing<Vec<u8>>) -> Result<Kept, VaultError> {
        let held = self.values.remove(leaf);
        self.put(leaf.clone(), value)?;
        let kept = self.keep([leaf]);
        self.values.remove(leaf);
        self.values.extend(held.map(|held| (leaf.clone(), held)));
        Ok(kept)
    }

    /// Opens what is kept of a captured secret, to be sealed for the next run; of no other kind.
    pub(crate) fn reveal_kept(&self, leaf: &Leaf, kept: &Kept) -> Option<Zeroizing<Vec<u8>>> {
        (leaf.kind == LeafKind::Captured).then(|| self.with(kept).reveal(leaf))?
    }

    /// Opens kept copies.
    pub(crate) fn with<'v>(&'v self, kept: &'v Kept) -> WithKept<'v> {
        WithKept { vault: self, kept }
    }

    fn open(&self, leaf: &Leaf, sealed: &SealedValue) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = locked(|| Zeroizing::new(sealed.ciphertext.clone()));
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let length = self.run_key.open_in_place(nonce, Aad::from(leaf.to_string()), &mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }

    /// Somebody who can look later whether anything is left: part of the evidence that a run was erased.
    pub fn witness(&self) -> VaultWitness {
        VaultWitness(self.filled.clone())
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.destroy();
    }
}

impl Reveal for Vault {
    fn reveal(&self, leaf: &Leaf) -> Option<Zeroizing<Vec<u8>>> {
        self.open(leaf, self.values.get(leaf)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(Zeroizing::new([7; 32])).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_of_an_evaluation_only_and_a_login_can_be_destroyed() {
        let mut vault = vault();
        let witness = vault.witness();
        assert!(witness.is_empty());
        let (password, token) = (Leaf::new(LeafKind::Field, "password"), Leaf::new(LeafKind::Captured, "token"));
        vault.put(password.clone(), Zeroizing::new(b"Correct-Horse-7!".to_vec())).unwrap();
        vault.put(token.clone(), Zeroizing::new(b"tok".to_vec())).unwrap();
        assert_eq!(vault.reveal(&password).unwrap().as_slice(), b"Correct-Horse-7!");
        vault.destroy_login();
        assert!(vault.reveal(&password).is_none() && vault.holds(&token) && !witness.is_empty());
        vault.destroy();
        assert!(witness.is_empty() && !vault.holds(&token));
        vault.put(token, Zeroizing::new(b"tok".to_vec())).unwrap();
        assert!(!witness.is_empty());
        drop(vault);
        assert!(witness.is_empty());
    }

    #[test]
    fn a_sealed_value_does_not_open_in_another_place_and_debug_shows_a_count() {
        let mut vault = vault();
        let password = Leaf::new(LeafKind::Field, "password");
        vault.put(password.clone(), Zeroizing::new(b"s3cret".to_vec())).unwrap();
        let moved = vault.values.remove(&password).unwrap();
        let other = Leaf::new(LeafKind::Field, "login");
        vault.values.insert(other.clone(), moved);
        assert!(vault.reveal(&other).is_none());
        assert_eq!(format!("{vault:?}"), "Vault { secrets: 1, .. }");
    }
}
