//! Online Services: who may ask for Shareable Data, for what, and with which key it is sealed to them.
//!
//! A registration is checked once, here, when it is read; an [`OnlineService`] that exists is a valid one. A wider ask than
//! its registered purpose is refused: the words and the categories that a person sees come from the registration, never
//! from the request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::data::Category;
use crate::id::OnlineServiceId;
use crate::jose::{PublicKey, RecipientKey};
use crate::predicate::Kind;

// How it says who it is.
pub mod assertion;
// The code of trust, signed.
pub mod commitment;
// Which categories a need explains.
pub mod necessity;

// Keys to the API, as hashes.
mod key_hash;

use commitment::Commitment;
pub use key_hash::{KeyHash, NotAHash};
use necessity::Need;

/// Longest text of a registration that a person reads, in bytes.
pub const TEXT_BYTES_MAX: usize = 500;
/// Most purposes of one Online Service.
pub const PURPOSES_MAX: usize = 32;
/// Longest history that can be asked for, in days: ten years.
pub const HISTORY_DAYS_MAX: u16 = 3653;

/// A text in the languages we speak to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Localised {
    /// English.
    pub en: String,
    /// French.
    pub fr: String,
}

/// Who decides about the data towards the person. It drives the notice and, later, where a right is exercised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The Online Service is the controller, the operator of this engine its processor.
    Controller,
    /// The operator of this engine is the controller.
    Processor,
    /// Both decide together.
    Joint,
}

/// A registered Online Service.
#[derive(Clone)]
pub struct OnlineService {
    id: OnlineServiceId,
    name: String,
    contact: String,
    role: Role,
    key: RecipientKey,
    events: Option<Url>,
    callbacks: Vec<Url>,
    purposes: BTreeMap<String, Purpose>,
    bearer: Option<KeyHash>,
    partner: Partner,
}

/// Who an Online Service is in law, and what it signed.
#[derive(Debug, Clone, Default)]
pub struct Partner {
    /// Who it is; none where it is the person themself.
    pub identity: Option<Identity>,
    /// The key that it signs its answers with, RSA-4096 at least.
    pub signer: Option<PublicKey>,
    /// The code of trust, signed with that key.
    pub commitment: Option<Commitment>,
    /// Its machines: those that its addresses may name.
    pub hosts: Vec<String>,
}

/// An organisation, as the law knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Its name in law.
    pub legal_name: String,
    /// The register that knows it, and its number there.
    pub registered: String,
    /// Its postal address.
    pub address: String,
    /// Its country, ISO 3166-1 alpha-2.
    pub country: String,
}

/// What an Online Service needs data for, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Why, in words for the person.
    pub why: Localised,
    /// What it needs to know for that.
    pub needs: BTreeSet<Need>,
    /// How long the Online Service keeps what it receives, in days.
    pub keep_days: u16,
    /// The most history it may ask for, in days.
    pub history_days_max: Option<u16>,
    /// Each category it may ask for, and why it needs it.
    pub categories: BTreeMap<Category, Localised>,
    /// Each kind of question it may have answered here, and why.
    pub predicates: BTreeMap<Kind, Localised>,
    /// Why it needs what transactions say of other people; without it that is cut out.
    pub third_parties: Option<Localised>,
}

/// The parts of a registration, unchecked.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id.
    pub id: OnlineServiceId,
    /// Its name, as a person knows it.
    pub name: String,
    /// Where a person reaches it.
    pub contact: String,
    /// Who decides about the data.
    pub role: Role,
    /// Where thin events go; without one it asks by itself.
    pub events: Option<Url>,
    /// Where a person may be sent back to: same origin, and a path below this one.
    pub callbacks: Vec<Url>,
    /// Its purposes by id.
    pub purposes: BTreeMap<String, Purpose>,
    /// The hash of its key to the API; without one it can't call.
    pub bearer: Option<KeyHash>,
    /// Who it is, and what it signed.
    pub partner: Partner,
}

/// Says what is wrong with a registration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A text is empty or too long.
    #[error("{field} must have 1 to {TEXT_BYTES_MAX} bytes")]
    Text {
        /// Which.
        field: String,
    },
    /// It has no purpose, or too many.
    #[error("an Online Service has 1 to {PURPOSES_MAX} purposes")]
    Purposes,
    /// A purpose asks for nothing.
    #[error("purpose {purpose} names no category")]
    NoCategories {
        /// Which.
        purpose: String,
    },
    /// A purpose asks for more history than anybody may.
    #[error("purpose {purpose} asks for more than {HISTORY_DAYS_MAX} days of history")]
    History {
        /// Which.
        purpose: String,
    },
    /// A category that nothing it says it needs explains.
    #[error(
        "purpose {purpose} asks for {category}, which none of its needs explains: ask for less, or declare the need"
    )]
    NotNecessary {
        /// Which purpose.
        purpose: String,
        /// Which category.
        category: Category,
    },
    /// An address of a machine that is not declared as its own.
    #[error("{field} names {host}, which is not among the Online Service's hosts")]
    Host {
        /// Which address.
        field: &'static str,
        /// Which host.
        host: String,
    },
    /// An address is neither https nor loopback.
    #[error("{field} must be an https address without user name, query or fragment")]
    Address {
        /// Which.
        field: &'static str,
    },
}

impl OnlineService {
    /// Checks a registration. The key was checked when it was read: RSA-4096 at least.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn register(registration: Registration, key: RecipientKey) -> Result<Self, RegistrationError> {
        let Registration { id, name, contact, role, events, callbacks, purposes, bearer, partner } = registration;
        check_text("name", &name)?;
        check_text("contact", &contact)?;
        if purposes.is_empty() || purposes.len() > PURPOSES_MAX {
            return Err(RegistrationError::Purposes);
        }
        for (id, purpose) in &purposes {
            purpose.check(id)?;
        }
        events.iter().try_for_each(|url| check_address("events", url))?;
        callbacks.iter().try_for_each(|url| check_address("callbacks", url))?;
        partner
            .check(events.iter().map(|url| ("events", url)).chain(callbacks.iter().map(|url| ("callbacks", url))))?;
        Ok(Self { id, name, contact, role, key, events, callbacks, purposes, bearer, partner })
    }

    /// Its id.
    pub fn id(&self) -> OnlineServiceId {
        self.id
    }

    /// Its name, as a person knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a person reaches it.
    pub fn contact(&self) -> &str {
        &self.contact
    }

    /// Who decides about the data.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The key that parcels are sealed to.
    pub fn key(&self) -> &RecipientKey {
        &self.key
    }

    /// Where thin events go.
    pub fn events(&self) -> Option<&Url> {
        self.events.as_ref()
    }

    /// A purpose by its id.
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.purposes.get(id)
    }

    /// Its purposes by id.
    pub fn purposes(&self) -> &BTreeMap<String, Purpose> {
        &self.purposes
    }

    /// Whether a person may be sent back to `url`.
    pub fn may_call_back(&self, url: &Url) -> bool {
        self.callbacks.iter().any(|base| {
            let below = url.path().strip_prefix(base.path().trim_end_matches('/'));
            base.origin() == url.origin()
                && url.username().is_empty()
                && url.password().is_none()
                && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether `key` is its key to the API, in a time that does not depend on the key. No key is, as long as it has not signed
    /// the code of trust.
    pub fn knows(&self, key: &str) -> bool {
        self.bearer.as_ref().is_some_and(|hash| hash.matches(key)) && self.partner.commitment.is_some()
    }

    /// Registers why it needs what transactions say of other people.
    #[cfg(test)]
    pub(crate) fn allow_third_parties(&mut self, why: Localised) {
        self.purposes.values_mut().for_each(|purpose| purpose.third_parties = Some(why.clone()));
    }

    /// Registers how long it keeps what it receives.
    #[cfg(test)]
    pub(crate) fn keep_for(&mut self, days: u16) {
        self.purposes.values_mut().for_each(|purpose| purpose.keep_days = days);
    }

    /// Who it is, and what it signed.
    pub fn partner(&self) -> &Partner {
        &self.partner
    }
}

impl fmt::Debug for OnlineService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineService").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Partner {
    fn check<'a>(&self, addresses: impl Iterator<Item = (&'static str, &'a Url)>) -> Result<(), RegistrationError> {
        let Some(identity) = &self.identity else { return Ok(()) };
        for (field, text) in [
            ("identity.legal-name", &identity.legal_name),
            ("identity.registered", &identity.registered),
            ("identity.address", &identity.address),
            ("identity.country", &identity.country),
        ] {
            check_text(field, text)?;
        }
        for (field, url) in addresses {
            let host = url.host_str().unwrap_or_default();
            if !self.hosts.iter().any(|own| own == host) {
                return Err(RegistrationError::Host { field, host: host.to_owned() });
            }
        }
        Ok(())
    }
}

impl Purpose {
    fn check(&self, id: &str) -> Result<(), RegistrationError> {
        check_text(&format!("purpose {id}: why.en"), &self.why.en)?;
        check_text(&format!("purpose {id}: why.fr"), &self.why.fr)?;
        for (kind, why) in &self.predicates {
            check_text(&format!("purpose {id}: {}: en", kind.name()), &why.en)?;
            check_text(&format!("purpose {id}: {}: fr", kind.name()), &why.fr)?;
        }
        if let Some(why) = &self.third_parties {
            check_text(&format!("purpose {id}: third-parties: en"), &why.en)?;
            check_text(&format!("purpose {id}: third-parties: fr"), &why.fr)?;
        }
        if self.categories.is_empty() && self.predicates.is_empty() {
            return Err(RegistrationError::NoCategories { purpose: id.to_owned() });
        }
        if self.history_days_max.is_some_and(|days| days > HISTORY_DAYS_MAX) {
            return Err(RegistrationError::History { purpose: id.to_owned() });
        }
        for (category, why) in &self.categories {
            check_text(&format!("purpose {id}: {category}: en"), &why.en)?;
            check_text(&format!("purpose {id}: {category}: fr"), &why.fr)?;
            if !self.needs.iter().any(|need| need.explains(*category)) {
                return Err(RegistrationError::NotNecessary { purpose: id.to_owned(), category: *category });
            }
        }
        Ok(())
    }
}

fn check_text(field: &str, text: &str) -> Result<(), RegistrationError> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(RegistrationError::Text { field: field.to_owned() });
    }
    Ok(())
}

fn check_address(field: &'static str, url: &Url) -> Result<(), RegistrationError> {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if scheme && bare { Ok(()) } else { Err(RegistrationError::Address { field }) }
}

#[cfg(test)]
mod tests;
