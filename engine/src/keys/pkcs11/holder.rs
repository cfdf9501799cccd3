//! What is done with the keys on the token. Everything here blocks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry_host_api::memory::locked;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::objects::{self, Catalogue, Key};
use super::token::{Failed, Settings, Token, TokenError};
use crate::clock::Month;
use crate::jose::{Algorithm, PublicKey, Refused, jwe, jws};
use crate::keys::{Destroyed, Duty, KeyError, KeyInfo, KeyState, RecordKey, Wrap, end_of, is_over, month_name};

/// How long what is on the token is taken to be as it was.
const FRESH: Duration = Duration::from_secs(1);
const SALT_BYTES: usize = 32;

/// What the blocking half works with.
pub(super) struct Holder {
    token: Token,
    known: RwLock<Option<Known>>,
    /// The public halves, by key id. They never change.
    publics: Mutex<BTreeMap<String, PublicKey>>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// What was on the token, when, and in which connection: handles mean nothing in the next one.
#[derive(Clone)]
struct Known {
    catalogue: Arc<Catalogue>,
    connection: u64,
    at: Instant,
}

impl Holder {
    pub(super) fn open(settings: Settings) -> Result<Self, KeyError> {
        let token = Token::open(settings)?;
        Ok(Self { token, known: RwLock::default(), publics: Mutex::default(), changing: Mutex::default() })
    }

    /// What is on the token: as it was a moment ago, or asked again.
    pub(super) fn catalogue(&self) -> Result<Arc<Catalogue>, KeyError> {
        self.known().map(|known| known.catalogue)
    }

    pub(super) fn catalogue_now(&self) -> Result<Arc<Catalogue>, KeyError> {
        self.known_now().map(|known| known.catalogue)
    }

    fn known(&self) -> Result<Known, KeyError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) if known.at.elapsed() < FRESH && known.connection == self.token.number() => Ok(known),
            _ => self.known_now(),
        }
    }

    fn known_now(&self) -> Result<Known, KeyError> {
        let read = |session: &Session, connection| Ok((Catalogue::read(session)?, connection));
        let (catalogue, connection) = self.token.work(read).map_err(failed)?;
        let known = Known { catalogue: Arc::new(catalogue), connection, at: Instant::now() };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    /// Does something with a key that `find` finds. A key that is not found, or whose handle is not good any more, is looked for once more.
    fn on_key<T>(
        &self,
        find: impl Fn(&Catalogue) -> Option<ObjectHandle>,
        work: impl Fn(&Session, ObjectHandle) -> Result<T, Error>,
    ) -> Result<Option<T>, KeyErrorOr> {
        let mut known = self.known()?;
        for last in [false, true] {
            let done = find(&known.catalogue).map(|handle| {
                self.token.work(|session, connection| {
                    // The token went away and is back: the handle may be another key's now.
                    if connection != known.connection { Err(Error::InvalidValue) } else { work(session, handle) }
                })
            });
            match done {
                Some(Ok(done)) => return Ok(Some(done)),
                None if last => return Ok(None),
                Some(Err(Failed::Refused(error))) if last || !is_stale(&error) => return Err(KeyErrorOr::Token(error)),
                Some(Err(gone @ Failed::Gone(_))) => return Err(failed(gone).into()),
                _ => known = self.known_now()?,
            }
        }
        Ok(None)
    }

    /// Changes what is on the token, as it is now.
    pub(super) fn change<T>(&self, change: impl Fn(&Session, &Catalogue) -> Result<T, Error>) -> Result<T, KeyError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = self.token.work(|session, _| change(session, &Catalogue::read(session)?)).map_err(failed);
        // Whatever became of it: what is known may be no more.
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = None;
        changed
    }

    pub(super) fn make(&self, duty: Duty, now: Timestamp) -> Result<KeyInfo, KeyError> {
        // The newest key seals: it is the one that was made last, also where the clock was ahead before.
        let next = |newest: &Key| newest.made_at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(newest.made_at);
        let now = self.catalogue_now()?.newest(duty).map_or(now, |newest| now.max(next(newest)));
        let kid = self.change(|session, _| {
            let kid = name_of_attempt()?;
            match duty.algorithm() {
                Some(_) => objects::make_pair(session, duty, &kid, now),
                None => objects::make_secret(session, duty, &kid, now),
            }?;
            Ok(kid)
        })?;
        let catalogue = self.catalogue_now()?;
        catalogue.key(duty, &kid).map(|key| catalogue.info(key)).ok_or(KeyError::Unknown(kid))
    }

    pub(super) fn newest(&self, duty: Duty) -> Result<Key, KeyError> {
        self.catalogue()?.newest(duty).cloned().ok_or(KeyError::Missing(duty))
    }

    pub(super) fn public(&self, key: &Key) -> Result<PublicKey, KeyError> {
        let algorithm = key.duty.algorithm().ok_or(KeyError::WrongDuty(key.duty))?;
        if let Some(public) = self.publics.lock().unwrap_or_else(PoisonError::into_inner).get(&key.kid) {
            return Ok(public.clone());
        }
        let parts = self.token.work(|session, _| objects::public_parts(session, &key.kid)).map_err(failed)?;
        let (modulus, exponent) = parts.ok_or_else(|| KeyError::Unknown(key.kid.clone()))?;
        let public = PublicKey::from_parts(&key.kid, algorithm, &modulus, &exponent)
            .map_err(|error| KeyError::Unavailable(Box::new(error)))?;
        self.publics.lock().unwrap_or_else(PoisonError::into_inner).insert(key.kid.clone(), public.clone());
        Ok(public)
    }

    pub(super) fn unwrap(&self, duty: Duty, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if duty.algorithm() != Some(Algorithm::RsaOaep256) {
            return Err(if duty.algorithm().is_none() { KeyError::WrongDuty(duty) } else { Refused.into() });
        }
        let find = |catalogue: &Catalogue| catalogue.key(duty, kid).map(|key| key.handle);
        let opened = self.on_key(find, |session, key| {
            let none = PkcsOaepSource::empty();
            let oaep = PkcsOaepParams::new(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, none);
            // What comes out opens a login: it stands where nothing is swapped.
            locked(|| session.decrypt(&Mechanism::RsaPkcsOaep(oaep), key, wrapped)).map(Zeroizing::new)
        });
        match opened {
            Ok(opened) => opened.ok_or(Refused.into()),
            // What a token says of a ciphertext that does not open differs from maker to maker. It answers, so this is it.
            Err(KeyErrorOr::Token(_)) => Err(Refused.into()),
            Err(KeyErrorOr::Key(error)) => Err(error),
        }
    }

    pub(super) fn sign(&self, duty: Duty, kid: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if duty.algorithm() != Some(Algorithm::Ps256) {
            return Err(if duty.algorithm().is_none() { KeyError::WrongDuty(duty) } else { Refused.into() });
        }
        let find = |catalogue: &Catalogue| catalogue.key(duty, kid).map(|key| key.handle);
        // The digest goes to the token, not what is signed: a parcel has megabytes.
        let digest = Sha256::digest(message);
        let signed = self.on_key(find, |session, key| {
            let (hash_alg, mgf) = (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256);
            let pss = PkcsPssParams { hash_alg, mgf, s_len: 32.into() };
            session.sign(&Mechanism::RsaPkcsPss(pss), key, &digest)
        })?;
        signed.ok_or(Refused.into())
    }

    /// The key that the storage key, or a root, gives for one wrap. The salt makes it another one each time, so its one nonce may be zero.
    fn derive(&self, kid: &str, salt: &[u8], aad: &[u8]) -> Result<Option<LessSafeKey>, KeyError> {
        let find = |catalogue: &Catalogue| catalogue.wraps(kid);
        let message = derivation(salt, aad);
        let derived =
            self.on_key(find, |session, key| session.sign(&Mechanism::Sha256Hmac, key, &message).map(Zeroizing::new))?;
        Ok(derived.map(|key| cipher(&key)).transpose()?)
    }

    pub(super) fn wrap_record(&self, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let (kid, salt) = (self.newest(Duty::Storage)?.kid, salt()?);
        let cipher = self.derive(&kid, &salt, aad)?.ok_or(KeyError::Missing(Duty::Storage))?;
        Ok(Wrap { kid, bytes: wrapped(&cipher, &salt, key, aad)? })
    }

    pub(super) fn wrap_under_root(&self, owner: &str, key: &RecordKey, aad: &[u8]) -> Result<Wrap, KeyError> {
        let salt = salt()?;
        let message = derivation(&salt, aad);
        let (kid, derived) = self.change(|session, _| {
            let kid = name_of_attempt()?;
            let root = objects::make_root(session, owner, &kid)?;
            let derived = session.sign(&Mechanism::Sha256Hmac, root, &message)?;
            Ok((kid, Zeroizing::new(derived)))
        })?;
        Ok(Wrap { kid, bytes: wrapped(&cipher(&derived)?, &salt, key, aad)? })
    }

    pub(super) fn destroy_roots(&self, owner: &str, but: &str, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        let gone = self.change(|session, catalogue| {
            let (kept, others): (Vec<_>, Vec<_>) =
                catalogue.roots.iter().filter(|root| root.owner == owner).partition(|root| root.kid == but);
            let others = if kept.is_empty() { vec![] } else { others };
            others.iter().try_for_each(|root| session.destroy_object(root.handle))?;
            Ok(others.into_iter().map(|root| root.kid.clone()).collect::<Vec<_>>())
        })?;
        Ok(gone.into_iter().map(|kid| self.destroyed(kid, now)).collect())
    }

    pub(super) fn unwrap_record(&self, wrap: &Wrap, aad: &[u8]) -> Result<RecordKey, KeyError> {
        let (salt, sealed) = wrap.bytes.split_at_checked(SALT_BYTES).ok_or(Refused)?;
        let cipher = self.derive(&wrap.kid, salt, aad)?.ok_or(Refused)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let opened = cipher.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| Refused)?;
        let mut key = Zeroizing::new([0; 32]);
        if opened.len() != key.len() {
            return Err(Refused.into());
        }
        key.copy_from_slice(opened);
        Ok(RecordKey::from_bytes(key))
    }

    pub(super) fn month_hmac(&self, month: Month, data: &[u8], now: Timestamp) -> Result<[u8; 32], KeyError> {
        let gone = || KeyError::Destroyed(month_name(month));
        let find = |catalogue: &Catalogue| catalogue.months.get(&month)?.first().copied();
        let over =
            |catalogue: &Catalogue| is_over(month, find(catalogue).is_none() && catalogue.over >= Some(month), now);
        if over(&*self.catalogue()?) {
            return Err(gone());
        }
        let tag = |session: &Session, key| session.sign(&Mechanism::Sha256Hmac, key, data);
        let tag = match self.on_key(find, tag)? {
            Some(tag) => tag,
            None => {
                self.change(|session, catalogue| match over(catalogue) || find(catalogue).is_some() {
                    true => Ok(()),
                    false => objects::make_month(session, month).map(drop),
                })?;
                self.on_key(find, tag)?.ok_or_else(gone)?
            }
        };
        tag.try_into().map_err(|_| Refused.into())
    }

    pub(super) fn destroy_due(&self, now: Timestamp) -> Result<Vec<Destroyed>, KeyError> {
        let due = |catalogue: &Catalogue| -> Vec<(Month, Vec<ObjectHandle>)> {
            let over = catalogue.months.iter().filter(|(month, _)| now >= end_of(**month));
            over.map(|(month, keys)| (*month, keys.clone())).collect()
        };
        if due(&*self.catalogue()?).is_empty() {
            return Ok(vec![]);
        }
        let gone = self.change(|session, catalogue| {
            let due = due(catalogue);
            // First that they are over, so that none is made anew in the place of one that is gone.
            objects::note_over(session, due.iter().map(|(month, _)| *month).max().max(catalogue.over))?;
            due.iter().flat_map(|(_, keys)| keys).try_for_each(|key| session.destroy_object(*key))?;
            Ok(due)
        })?;
        Ok(gone.into_iter().map(|(month, _)| self.destroyed(month_name(month), now)).collect())
    }

    /// A key that may go: the current one of a duty may not.
    pub(super) fn dispensable(&self, kid: &str) -> Result<Key, KeyError> {
        let catalogue = self.catalogue_now()?;
        let key = catalogue.keys.iter().find(|key| key.kid == kid).ok_or_else(|| KeyError::Unknown(kid.to_owned()))?;
        match catalogue.info(key).state {
            KeyState::Current => Err(KeyError::Current(kid.to_owned())),
            _ => Ok(key.clone()),
        }
    }

    /// Tries what a duty needs with its current key.
    pub(super) fn try_duty(&self, duty: Duty) -> Result<(), KeyError> {
        let key = self.newest(duty)?;
        let lacks = |what| {
            move |error: KeyError| match error {
                KeyError::Refused(_) | KeyError::Token(TokenError::Operation(_)) => TokenError::Lacks(what).into(),
                other => other,
            }
        };
        match duty.algorithm() {
            Some(Algorithm::RsaOaep256) => {
                let told =
                    "RSA-OAEP with SHA-256 (CKM_RSA_PKCS_OAEP with CKG_MGF1_SHA256), which every login is sealed with";
                let wrapped = jwe::encrypt_key(&[7; 32], &self.public(&key)?)?;
                let opened = self.unwrap(duty, &key.kid, &wrapped).map_err(lacks(told))?;
                if opened.as_slice() == [7; 32] { Ok(()) } else { Err(TokenError::Lacks(told).into()) }
            }
            Some(Algorithm::Ps256) => {
                let told = "RSA-PSS with SHA-256 (CKM_RSA_PKCS_PSS), which parcels and receipts are signed with";
                let unsigned = jws::Unsigned::new("trial", &key.kid, b"trial");
                let signature = self.sign(duty, &key.kid, unsigned.message()).map_err(lacks(told))?;
                let token = unsigned.with(&signature);
                let checked = jws::verify(&token, "trial", token.len(), &self.public(&key)?);
                checked.map(drop).map_err(|_| TokenError::Lacks(told).into())
            }
            None => {
                let told = "HMAC with SHA-256 (CKM_SHA256_HMAC), which the keys of stored records are derived with";
                let one = RecordKey::from_bytes(Zeroizing::new([7; 32]));
                let wrap = self.wrap_record(&one, b"trial").map_err(lacks(told))?;
                self.unwrap_record(&wrap, b"trial").map(drop).map_err(lacks(told))
            }
        }
    }

    /// The token's label.
    pub(super) fn label(&self) -> &str {
        self.token.label()
    }

    pub(super) fn destroyed(&self, key: String, at: Timestamp) -> Destroyed {
        Destroyed { key, at, provider: format!("token {}", self.label()) }
    }
}

/// A key's name. Random, so that it stands on the key from its first moment; a thumbprint would be known only after that. Another one for each
/// attempt: where the answer to one was lost on its way, the token may hold a key by that name all the same.
fn name_of_attempt() -> Result<String, Error> {
    let mut name = [0; 16];
    aws_lc_rs::rand::fill(&mut name).map_err(|_| Error::InvalidValue)?;
    Ok(URL_SAFE_NO_PAD.encode(name))
}

fn salt() -> Result<[u8; SALT_BYTES], Refused> {
    let mut salt = [0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Refused)?;
    Ok(salt)
}

/// What the key of one wrap is derived from.
fn derivation(salt: &[u8], aad: &[u8]) -> Vec<u8> {
    [b"consentry record key\0", salt, aad].concat()
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, Refused> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| Refused)
}

fn wrapped(cipher: &LessSafeKey, salt: &[u8], key: &RecordKey, aad: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut sealed = Zeroizing::new(key.danger_bytes().to_vec());
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed).map_err(|_| Refused)?;
    Ok([salt, &sealed, tag.as_ref()].concat())
}

/// An error of ours, or what a token that answers said of an operation.
enum KeyErrorOr {
    Key(KeyError),
    Token(Error),
}

impl From<KeyError> for KeyErrorOr {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<KeyErrorOr> for KeyError {
    fn from(error: KeyErrorOr) -> Self {
        match error {
            KeyErrorOr::Key(error) => error,
            KeyErrorOr::Token(error) => Self::Token(error.into()),
        }
    }
}

fn failed(failed: Failed) -> KeyError {
    match failed {
        Failed::Gone(error) => KeyError::Unavailable(Box::new(error)),
        Failed::Refused(error) => KeyError::Token(error.into()),
    }
}

/// Whether a handle may stand for nothing any more.
fn is_stale(error: &Error) -> bool {
    use RvError::{KeyHandleInvalid, ObjectHandleInvalid};
    matches!(error, Error::InvalidValue | Error::Pkcs11(KeyHandleInvalid | ObjectHandleInvalid, _))
}
