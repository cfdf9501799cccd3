//! session-state: what a run under the consent for automatic synchronisation keeps for the next one of its connection. Such a run has a grant
//! of it ([`Synchronised`]); in every other run each call ends with `capability-denied`.
//!
//! Only what a Data Source gave is kept: captured secrets and cookies, beside notes. A field of the login, an answer, an operator's secret and
//! whatever is computed from one of them is refused. What is kept leaves the host as one [`SealedState`], which nothing but the host opens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use consentry_contract::failure::Code;
use consentry_contract::recipe::{Leaf, LeafKind};
use serde::{Deserialize, Serialize};
use url::Url;
use wasmtime::component::Resource;
use zeroize::{Zeroize as _, Zeroizing};

use crate::bindings::consentry::connector::session_state;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::memory::locked;
use crate::vault::Kept;

const NAME: &str = "session-state";
/// Most bytes of all notes, kept secrets and kept cookies together, their names included.
pub const STATE_BYTES_MAX: usize = 64 * 1024;
/// Most notes, and most kept secrets.
pub const STATE_ENTRIES_MAX: usize = 32;
/// Longest name of a note or of a kept secret, in bytes.
pub const STATE_NAME_BYTES_MAX: usize = 64;
/// What every seal is bound to.
const SEALED_AS: &[u8] = b"consentry-session-state-1";

/// The key of one connection, under which what its runs keep is sealed. Wiped when the last copy goes.
#[derive(Clone)]
pub struct StateKey(Arc<Zeroizing<[u8; 32]>>);

impl StateKey {
    /// Of 32 random bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(Arc::new(bytes))
    }

    /// For whoever stores it, sealed once more.
    pub fn danger_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.as_slice()).ok()
    }
}

/// What a run kept, sealed. There is no way to read it but a run with its key.
#[derive(Clone)]
pub struct SealedState(Vec<u8>);

impl SealedState {
    /// As it was stored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To store it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The grant of synchronisation: under which key a run keeps something, and what the last one kept.
#[derive(Clone)]
pub struct Synchronised {
    key: StateKey,
    last: Option<SealedState>,
}

impl Synchronised {
    /// For a run of the connection with this key.
    pub fn new(key: StateKey, last: Option<SealedState>) -> Self {
        Self { key, last }
    }
}

impl fmt::Debug for SealedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedState({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Synchronised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Synchronised").field("last", &self.last).finish_non_exhaustive()
    }
}

/// What a run with the grant keeps, as it stands.
#[derive(Default)]
pub(crate) struct State {
    notes: BTreeMap<String, String>,
    /// By the name it is kept under: which capture it came from, sealed as in the vault.
    secrets: BTreeMap<String, (Leaf, Kept)>,
    /// Whose cookies are kept.
    origins: BTreeSet<Url>,
}

/// The same in clear, for as long as it takes to seal or to open it. Wiped when dropped.
#[derive(Default, Serialize, Deserialize)]
struct Content {
    notes: BTreeMap<String, String>,
    secrets: BTreeMap<String, (String, Vec<u8>)>,
    origins: BTreeSet<Url>,
    /// Each with the address that set it.
    cookies: Vec<(Url, String)>,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.secrets.values_mut().for_each(|(_, value)| value.zeroize());
        self.cookies.iter_mut().for_each(|(_, cookie)| cookie.zeroize());
    }
}

impl State {
    /// Whether a run that ends leaves its session at the Data Source open for the next one.
    pub(crate) fn keeps_session(&self) -> bool {
        !self.origins.is_empty() || !self.secrets.is_empty()
    }

    fn bytes(&self) -> usize {
        let notes: usize = self.notes.iter().map(|(name, text)| name.len() + text.len()).sum();
        notes + self.secrets.iter().map(|(name, (_, kept))| name.len() + kept.bytes()).sum::<usize>()
    }
}

impl HostCtx {
    /// Gives a run back what the last one of its connection kept. What does not open, or was for an origin that the manifest does not name any
    /// more, is not there.
    pub(crate) fn restore_state(&mut self) {
        let Some(Synchronised { key, last: Some(last) }) = self.grants.synchronised.clone() else { return };
        let Some(mut content) = locked(|| open(&key, &last)) else { return };
        self.state.notes = std::mem::take(&mut content.notes);
        for (name, (captured, value)) in &content.secrets {
            let leaf = Leaf::new(LeafKind::Captured, captured);
            if let Ok(kept) = self.vault.set_aside(&leaf, Zeroizing::new(value.clone())) {
                self.state.secrets.insert(name.clone(), (leaf, kept));
            }
        }
        self.state.origins = content.origins.iter().filter(|url| self.egress.check(url).is_ok()).cloned().collect();
        for (url, cookie) in content.cookies.iter().filter(|(url, _)| self.egress.check(url).is_ok()) {
            self.jar.store(url, cookie);
        }
    }

    /// Seals what the run keeps. None without the grant, and where it is too much.
    pub(crate) fn seal_state(&mut self) -> Option<SealedState> {
        let key = self.grants.synchronised.as_ref()?.key.clone();
        let state = std::mem::take(&mut self.state);
        let sealed = locked(|| {
            let mut content = Content::default();
            (content.notes, content.origins) = (state.notes, state.origins);
            for (name, (leaf, kept)) in &state.secrets {
                let value = self.vault.reveal_kept(leaf, kept)?;
                content.secrets.insert(name.clone(), (leaf.name.to_string(), value.to_vec()));
            }
            content.cookies = content.origins.iter().flat_map(|origin| self.jar.set_by(origin)).collect();
            seal(&key, &content)
        });
        if sealed.is_none() {
            self.tell_author(&format!("nothing is kept: it is more than {STATE_BYTES_MAX} bytes"));
        }
        sealed
    }

    /// Whether the run is one that nobody gave a login to, because the last one of its connection kept a session.
    pub(crate) fn has_no_login(&self) -> bool {
        self.grants.synchronised.is_some() && !self.grants.attended
    }

    fn synchronised(&mut self, function: &'static str) -> Result<(), Fail> {
        self.enter(NAME, function)?;
        match self.grants.synchronised {
            Some(_) => Ok(()),
            None => Err(self.refuse(Code::CapabilityDenied, "this run has no consent for automatic synchronisation")),
        }
    }

    /// One more thing of this name fits in beside so many others.
    fn fits(&mut self, name: &str, bytes: usize, others: usize) -> Result<(), Fail> {
        let named = (1..=STATE_NAME_BYTES_MAX).contains(&name.len());
        if named && others < STATE_ENTRIES_MAX && self.state.bytes() + name.len() + bytes <= STATE_BYTES_MAX {
            return Ok(());
        }
        let text = format!(
            "at most {STATE_ENTRIES_MAX} notes and as many secrets are kept, {STATE_BYTES_MAX} bytes in all, under names of 1 to {STATE_NAME_BYTES_MAX} bytes"
        );
        Err(self.refuse(Code::InvalidArgument, text))
    }
}

fn seal(key: &StateKey, content: &Content) -> Option<SealedState> {
    // JSON writes a byte of a secret as up to four characters; what counts is what is kept.
    let secrets: usize = content.secrets.iter().map(|(name, (_, value))| name.len() + value.len()).sum();
    let notes: usize = content.notes.iter().map(|(name, text)| name.len() + text.len()).sum();
    let cookies: usize = content.cookies.iter().map(|(url, cookie)| url.as_str().len() + cookie.len()).sum();
    if secrets + notes + cookies > STATE_BYTES_MAX {
        return None;
    }
    let mut bytes = serde_json::to_vec(content).ok()?;
    let sealed = key.cipher()?.seal_in_place_append_tag(Aad::from(SEALED_AS), &mut bytes);
    let Ok(nonce) = sealed else {
        bytes.zeroize();
        return None;
    };
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut bytes);
    Some(SealedState(sealed))
}

fn open(key: &StateKey, sealed: &SealedState) -> Option<Content> {
    let (nonce, sealed) = sealed.0.split_at_checked(NONCE_LEN)?;
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let opened = key.cipher()?.open_in_place(nonce, Aad::from(SEALED_AS), &mut bytes).ok()?;
    serde_json::from_slice(opened).ok()
}

impl session_state::Host for HostCtx {
    fn note(&mut self, name: String) -> Result<Option<String>, Fail> {
        self.synchronised("note")?;
        Ok(self.state.notes.get(&name).cloned())
    }

    fn keep_note(&mut self, name: String, text: String) -> Result<(), Fail> {
        self.synchronised("keep-note")?;
        self.state.notes.remove(&name);
        self.fits(&name, text.len(), self.state.notes.len())?;
        self.state.notes.insert(name, text);
        Ok(())
    }

    fn kept_secret(&mut self, name: String) -> Result<Option<Resource<Handle>>, Fail> {
        self.synchronised("kept-secret")?;
        let Some((leaf, kept)) = self.state.secrets.get(&name) else { return Ok(None) };
        let (leaf, value) = (leaf.clone(), locked(|| self.vault.reveal_kept(leaf, kept)));
        let Some(value) = value else { return Ok(None) };
        // Another one of the same capture may have taken its place.
        self.vault.put(leaf.clone(), value).map_err(|error| Fail::Stop(wasmtime::Error::new(error)))?;
        self.handle_if_held(leaf).map_err(Fail::Stop)
    }

    fn keep_secret(&mut self, name: String, secret: Resource<Handle>) -> Result<(), Fail> {
        self.synchronised("keep-secret")?;
        let recipe = self.table.get(&secret)?.0.clone();
        let Some(leaf) = recipe.as_secret().filter(|leaf| leaf.kind == LeafKind::Captured).cloned() else {
            let text =
                "only what was captured from an answer is kept, as it is: never a login, nor what was made of it";
            return Err(self.refuse(Code::InvalidArgument, text));
        };
        let kept = self.vault.keep([&leaf]);
        self.state.secrets.remove(&name);
        self.fits(&name, kept.bytes(), self.state.secrets.len())?;
        self.state.secrets.insert(name, (leaf, kept));
        Ok(())
    }

    fn keep_cookies(&mut self, origins: Vec<String>) -> Result<(), Fail> {
        self.synchronised("keep-cookies")?;
        let mut kept = BTreeSet::new();
        for origin in origins {
            let url = Url::parse(&origin).ok().filter(|url| url.path() == "/" && url.query().is_none());
            let Some(url) = url.filter(|url| self.egress.check(url).is_ok()) else {
                return Err(self.refuse(Code::InvalidArgument, "cookies are kept for origins of the manifest only"));
            };
            kept.insert(url);
        }
        self.state.origins = kept;
        Ok(())
    }

    fn forget(&mut self) -> Result<(), Fail> {
        self.synchronised("forget")?;
        self.state = State::default();
        Ok(())
    }
}
