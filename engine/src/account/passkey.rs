//! Passkeys (WebAuthn level 3): made in the person's authenticator, checked here. What is asked of one is in memory for five minutes;
//! a restart lets go of it.
//!
//! Attestation is not asked for: which authenticator somebody has is none of our business.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Host, Url};
use webauthn_rp::bin::{Decode as _, Encode as _};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, USER_HANDLE_MAX_LEN, UserHandle64,
    Username,
};
use webauthn_rp::request::{AsciiDomain, FixedCapHashSet, InsertResult, PublicKeyCredentialDescriptor, RpId};
use webauthn_rp::response::register::{CompressedPubKey, DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication64, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

/// Most questions to authenticators at once; beyond that, new ones wait until old ones end.
const ASKED_MAX: usize = 10_000;

/// What a passkey knows its account by: random, and told to nobody but the person's authenticators.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(#[serde(with = "hex::serde")] [u8; USER_HANDLE_MAX_LEN]);

/// A passkey, as it is kept: its public half.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    #[serde(with = "hex::serde")]
    id: Vec<u8>,
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    #[serde(with = "hex::serde")]
    counter: [u8; 7],
    transports: u8,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What an authenticator answered to the question who is there.
#[derive(Debug)]
pub struct Shown(DiscoverableAuthentication64);

/// Why a passkey is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// It is not the form that browsers send.
    #[error("send what `toJSON()` of the browser's credential gives")]
    Form,
    /// It answers no question of the last five minutes.
    #[error("the question that it answers was not asked, or longer than five minutes ago: begin again")]
    NotAsked,
    /// No account has it, or what it signed is not right. Both are told alike.
    #[error("no account is opened by this passkey")]
    Unknown,
    /// Too many questions are open.
    #[error("too many people are signing in: try again in some minutes")]
    Busy,
    /// Passkeys need a name, and this engine is reached by a number.
    #[error("passkeys need an api.public-url with a host name")]
    NoName,
}

/// Asks for passkeys, and checks them.
pub struct Passkeys {
    /// The host that passkeys are made for, and the origin that they are used at; none where it has no name.
    place: Option<(RpId, String)>,
    making: Mutex<FixedCapHashSet<RegistrationServerState<USER_HANDLE_MAX_LEN>>>,
    asking: Mutex<FixedCapHashSet<DiscoverableAuthenticationServerState>>,
}

impl Passkeys {
    /// Passkeys for the pages at this address; none can be made without one.
    pub fn at(public_url: Option<&Url>) -> Self {
        let place = public_url.and_then(|url| match url.host() {
            Some(Host::Domain(name)) => {
                let name = AsciiDomain::try_from(name.to_owned()).ok()?;
                Some((RpId::Domain(name), url.origin().ascii_serialization()))
            }
            _ => None,
        });
        Self {
            place,
            making: Mutex::new(FixedCapHashSet::new(ASKED_MAX)),
            asking: Mutex::new(FixedCapHashSet::new(ASKED_MAX)),
        }
    }

    /// Begins to make the first passkey of an account that is not there yet.
    pub(super) fn begin_new(&self) -> Result<Value, PasskeyError> {
        self.begin_making(&UserHandle64::new(), &[])
    }

    /// Begins to make one more.
    pub(super) fn begin_another(&self, handle: &Handle, known: &[Passkey]) -> Result<Value, PasskeyError> {
        // Infallible.
        let handle = UserHandle64::decode(handle.0).map_err(|_| PasskeyError::Unknown)?;
        self.begin_making(&handle, known)
    }

    fn begin_making(&self, handle: &UserHandle64, known: &[Passkey]) -> Result<Value, PasskeyError> {
        let (name, _) = self.place()?;
        // What the authenticator shows beside the host: there may be several accounts, and they have no names.
        let label = format!("account-{}", hex::encode(&handle.as_ref()[..3]));
        let label = Username::try_from(label).map_err(|_| PasskeyError::Form)?;
        let entity = PublicKeyCredentialUserEntity { name: label, id: handle, display_name: None };
        let known = known.iter().map(Passkey::descriptor).collect::<Result<_, _>>()?;
        let mut options = PublicKeyCredentialCreationOptions::passkey(name, entity, known);
        // Where it is enforced, authenticators that do not know it refuse; we ask each time that the person is verified.
        options.extensions.cred_protect = CredProtect::None;
        let (server, client) = options.start_ceremony().map_err(|_| PasskeyError::Form)?;
        let told = serde_json::to_value(&client).map_err(|_| PasskeyError::Form)?;
        match lock(&self.making).insert_or_replace_all_expired(server) {
            InsertResult::Success => Ok(told),
            _ => Err(PasskeyError::Busy),
        }
    }

    /// Checks a passkey that was made. It opens nothing until it is kept.
    pub(super) fn finish(&self, made: &[u8], now: Timestamp) -> Result<(Handle, Passkey), PasskeyError> {
        let (name, origin) = self.place()?;
        let made = Registration::from_json_relaxed(made).map_err(|_| PasskeyError::Form)?;
        let challenge = made.challenge_relaxed().map_err(|_| PasskeyError::Form)?;
        let asked = lock(&self.making).take(&challenge).ok_or(PasskeyError::NotAsked)?;
        let options = RegistrationVerificationOptions::<&str, &str> {
            allowed_origins: &[origin],
            error_on_unsolicited_extensions: false,
            ..RegistrationVerificationOptions::default()
        };
        let made = asked.verify(name, &made, &options).map_err(|_| PasskeyError::Unknown)?;
        let Ok(handle) = made.user_id().encode();
        let Ok(key) = made.static_state().encode();
        let Ok(counter) = made.dynamic_state().encode();
        let Ok(transports) = made.transports().encode();
        let passkey = Passkey { id: made.id().as_ref().to_vec(), key, counter, transports, made_at: now };
        Ok((Handle(handle), passkey))
    }

    /// Begins to ask who is there.
    pub(super) fn begin_sign_in(&self) -> Result<Value, PasskeyError> {
        let (name, _) = self.place()?;
        let options = DiscoverableCredentialRequestOptions::passkey(name);
        let (server, client) = options.start_ceremony().map_err(|_| PasskeyError::Form)?;
        let told = serde_json::to_value(&client).map_err(|_| PasskeyError::Form)?;
        match lock(&self.asking).insert_or_replace_all_expired(server) {
            InsertResult::Success => Ok(told),
            _ => Err(PasskeyError::Busy),
        }
    }

    /// Reads what an authenticator answered.
    pub(super) fn read(&self, shown: &[u8]) -> Result<Shown, PasskeyError> {
        DiscoverableAuthentication64::from_json_relaxed(shown).map(Shown).map_err(|_| PasskeyError::Form)
    }

    /// Checks it against the passkey that it names. Says whether what is kept of that changed.
    pub(super) fn check(&self, shown: Shown, passkey: &mut Passkey) -> Result<bool, PasskeyError> {
        let (name, origin) = self.place()?;
        let challenge = shown.0.challenge_relaxed().map_err(|_| PasskeyError::Form)?;
        let asked = lock(&self.asking).take(&challenge).ok_or(PasskeyError::NotAsked)?;
        let key: StaticState<CompressedPubKey<_, _, _, _>> =
            StaticState::decode(&passkey.key).map_err(|_| PasskeyError::Unknown)?;
        let counter = DynamicState::decode(passkey.counter).map_err(|_| PasskeyError::Unknown)?;
        let handle = shown.0.response().user_handle();
        let mut known =
            AuthenticatedCredential::new(shown.0.raw_id(), handle, key, counter).map_err(|_| PasskeyError::Unknown)?;
        let options = AuthenticationVerificationOptions::<&str, &str> {
            allowed_origins: &[origin],
            error_on_unsolicited_extensions: false,
            ..AuthenticationVerificationOptions::default()
        };
        let changed = asked.verify(name, &shown.0, &mut known, &options).map_err(|_| PasskeyError::Unknown)?;
        let Ok(counter) = known.dynamic_state().encode();
        passkey.counter = counter;
        Ok(changed)
    }

    fn place(&self) -> Result<(&RpId, &str), PasskeyError> {
        self.place.as_ref().map(|(name, origin)| (name, origin.as_str())).ok_or(PasskeyError::NoName)
    }
}

impl Shown {
    /// Whose it says it is. Nothing is proved by that.
    pub(super) fn handle(&self) -> Handle {
        let Ok(handle) = self.0.response().user_handle().encode();
        Handle(handle)
    }

    pub(super) fn is_of(&self, passkey: &Passkey) -> bool {
        self.0.raw_id().as_ref() == passkey.id
    }
}

impl Passkey {
    /// Its name, as browsers write it.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.id)
    }

    /// One that no authenticator has.
    #[cfg(test)]
    pub(super) fn made_up(byte: u8, made_at: Timestamp) -> Self {
        Self { id: vec![byte; 16], key: vec![], counter: [0; 7], transports: 0, made_at }
    }

    fn descriptor(&self) -> Result<PublicKeyCredentialDescriptor<Vec<u8>>, PasskeyError> {
        let id = CredentialId::decode(self.id.clone()).map_err(|_| PasskeyError::Form)?;
        let transports = AuthTransports::decode(self.transports).map_err(|_| PasskeyError::Form)?;
        Ok(PublicKeyCredentialDescriptor { id, transports })
    }
}

impl Handle {
    #[cfg(test)]
    pub(super) fn made_up(byte: u8) -> Self {
        Self([byte; USER_HANDLE_MAX_LEN])
    }

    /// What the account is stored under.
    pub(super) fn name(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    // An entry is put in or taken out in one step.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passkeys")
            .field("origin", &self.place.as_ref().map(|(_, origin)| origin))
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl std::fmt::Debug for Passkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passkey").field("made_at", &self.made_at).finish_non_exhaustive()
    }
}
