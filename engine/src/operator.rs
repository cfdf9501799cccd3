//! Who operates a node: operators by keys of their own, each with roles, and what each role may do.
//!
//! A key is random and stands in the configuration as a hash only. An [`Operator`] is made by [`Operators`] and by nothing else, so
//! that whoever has one was known when they asked; what it may do is one table ([`Deed::roles`]), for the console and the
//! interface alike. An operator is an opaque id everywhere: who it is, is the business of whoever gave the key out.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::id::OperatorId;
use crate::online_service::KeyHash;

// What operators did.
pub mod audit;
// Browsers that showed a key.
mod sign_in;

pub use sign_in::{IDLE, LIFE, SIGN_INS_MAX, SignedIn};

use sign_in::SignIns;

/// What somebody is trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the node: keys, outbox, retention, everything that is not about a person.
    Platform,
    /// Writes connectors: sees how they do and what broke.
    Author,
    /// Keeps Data Sources reachable: holds and releases them, rolls versions out and back, closes breaks.
    Maintenance,
    /// The data protection officer: the desk of requests under a person's rights, and disclosures.
    Dpo,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Platform, Self::Author, Self::Maintenance, Self::Dpo];

    /// Its name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Author => "author",
            Self::Maintenance => "maintenance",
            Self::Dpo => "dpo",
        }
    }

    /// Reads a role from its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

macro_rules! deeds {
    ($($(#[$doc:meta])* $name:ident $text:literal $roles:expr;)*) => {
        /// What an operator does, or looks at. Every one that is done is in the audit log under its name, whichever door it came
        /// through.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Deed {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Deed {
            /// Every deed, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its one name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Who may do it.
            #[must_use]
            pub const fn roles(self) -> &'static [Role] {
                match self { $(Self::$name => &$roles,)* }
            }
        }
    };
}

use Role::{Author, Dpo, Maintenance, Platform};

deeds! {
    /// A browser signs in.
    SignIn "sign-in" [Platform, Author, Maintenance, Dpo];
    /// A browser signs out.
    SignOut "sign-out" [Platform, Author, Maintenance, Dpo];
    /// Looks at the health of connectors, their versions, and held sources.
    HealthLook "health-look" [Platform, Author, Maintenance, Dpo];
    /// Holds a Data Source: nobody can choose it.
    SourceHold "source-hold" [Platform, Maintenance];
    /// Releases a Data Source that was held.
    SourceRelease "source-release" [Platform, Maintenance];
    /// Says which version serves a Data Source.
    VersionChoose "version-choose" [Platform, Maintenance];
    /// Approves what a connector asks for.
    ConnectorApprove "connector-approve" [Platform];
    /// Revokes a version or a key of connectors.
    ConnectorRevoke "connector-revoke" [Platform];
    /// Looks at deliveries.
    OutboxLook "outbox-look" [Platform];
    /// Has an Online Service told again.
    DeliverySendAgain "delivery-send-again" [Platform];
    /// Looks at counts for invoices.
    MeteringLook "metering-look" [Platform];
    /// Looks at what was erased, and when.
    RetentionLook "retention-look" [Platform, Dpo];
    /// Looks at the states of the node's keys.
    KeysLook "keys-look" [Platform];
    /// Makes a node's keys.
    KeysGenerate "keys-generate" [Platform];
    /// Makes a new key for a duty.
    KeyRotate "key-rotate" [Platform];
    /// Publishes a key no more.
    KeyRetire "key-retire" [Platform];
    /// Destroys a key.
    KeyDestroy "key-destroy" [Platform];
    /// Takes the store that is there for that of the key tables.
    StoreAdopt "store-adopt" [Platform];
    /// Looks at breaks.
    ReportsLook "reports-look" [Platform, Author, Maintenance];
    /// Takes a report that was given out of the node.
    ReportPull "report-pull" [Author, Maintenance];
    /// Closes a break: its reports and the logins that were lent for it are erased.
    ReportClose "report-close" [Author, Maintenance];
    /// Tries a break again on its live Data Source, with a login that was lent for it: one deed, one opening.
    ReportRetest "report-retest" [Maintenance];
    /// Looks at requests under a person's rights, and at disclosures.
    RightsLook "rights-look" [Dpo];
    /// Takes a person's request.
    RightAsk "right-ask" [Dpo];
    /// Says that a request takes longer.
    RightExtend "right-extend" [Dpo];
    /// Closes a request with a reason.
    RightRefuse "right-refuse" [Dpo];
    /// Notes a disclosure to an authority.
    DisclosureNote "disclosure-note" [Dpo];
    /// Follows an authority's order to lift somebody's anonymity.
    AnonymityLift "anonymity-lift" [Dpo];
    /// Looks for the traces of a login.
    TraceFind "trace-find" [Dpo];
    /// Erases what is kept of a session, a person, an Online Service.
    Erase "erase" [Dpo];
    /// Reads the audit log.
    AuditExport "audit-export" [Platform, Dpo];
}

/// An operator's key, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperatorKey {
    /// Whose it is; `consentry keys operator` makes one.
    pub id: OperatorId,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The key's hash.
    pub key_sha256: KeyHash,
    /// The public keys that an author signs connectors with: whose breaks and reports they see.
    #[serde(default)]
    pub signs: BTreeSet<String>,
}

/// An operator who showed a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    id: OperatorId,
    roles: BTreeSet<Role>,
    signs: BTreeSet<String>,
}

/// Whose breaks and reports somebody sees: of every connector of the node, or of those that were signed with these keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Whoever keeps the node.
    Node,
    /// An author: what their keys have signed, and nothing of others.
    Signed(BTreeSet<String>),
}

impl Sight {
    /// Whether what was signed with one of these keys is seen. Nobody but who keeps the node sees what nobody signed.
    #[must_use]
    pub fn has<'k>(&self, signers: impl IntoIterator<Item = &'k String>) -> bool {
        match self {
            Self::Node => true,
            Self::Signed(keys) => signers.into_iter().any(|signer| keys.contains(signer)),
        }
    }
}

/// An operator may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is for {}", .0.name(), .0.roles().iter().map(|role| role.name()).collect::<Vec<_>>().join(", "))]
pub struct NotAllowed(pub Deed);

impl Operator {
    /// Who it is.
    #[must_use]
    pub fn id(&self) -> OperatorId {
        self.id
    }

    /// What they are trusted with.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// Whether they may do this.
    #[must_use]
    pub fn may(&self, deed: Deed) -> bool {
        deed.roles().iter().any(|role| self.roles.contains(role))
    }

    /// Whose breaks and reports they see. Who has another role than that of an author sees those of the whole node, as far as that role
    /// looks at any.
    #[must_use]
    pub fn sight(&self) -> Sight {
        let keeps_the_node = [Role::Platform, Role::Maintenance].iter().any(|role| self.roles.contains(role));
        if keeps_the_node { Sight::Node } else { Sight::Signed(self.signs.clone()) }
    }

    /// Refuses what they may not do.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn check(&self, deed: Deed) -> Result<(), NotAllowed> {
        if self.may(deed) { Ok(()) } else { Err(NotAllowed(deed)) }
    }
}

/// The operators of a node, and the browsers they signed in with.
pub struct Operators {
    keys: RwLock<Vec<OperatorKey>>,
    sign_ins: SignIns,
}

impl Operators {
    /// Knows these keys.
    #[must_use]
    pub fn new(keys: Vec<OperatorKey>, entropy: Arc<Entropy>) -> Self {
        Self { keys: RwLock::new(keys), sign_ins: SignIns::new(entropy) }
    }

    /// Knows these keys from now on. Whoever signed in with one that is gone is signed out by it.
    pub fn replace(&self, keys: Vec<OperatorKey>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The operator who shows this key.
    #[must_use]
    pub fn known(&self, key: &str) -> Option<Operator> {
        let hash = KeyHash::of(key);
        self.by(|known| known.key_sha256.is(&hash))
    }

    /// Signs a browser in with a key; none if nobody has it.
    #[must_use]
    pub fn sign_in(&self, key: &str, now: Timestamp) -> Option<(Operator, SignedIn)> {
        let operator = self.known(key)?;
        let signed_in = self.sign_ins.begin(operator.id, KeyHash::of(key), now);
        Some((operator, signed_in))
    }

    /// The operator whose browser shows this token; none once it has ended, by the clock or because the key is gone.
    #[must_use]
    pub fn signed_in(&self, token: &str, now: Timestamp) -> Option<Operator> {
        let (id, key) = self.sign_ins.look(token, now)?;
        self.by(|known| known.id == id && known.key_sha256.is(&key))
    }

    /// Signs a browser out. To do it again changes nothing.
    pub fn sign_out(&self, token: &str) {
        self.sign_ins.end(token);
    }

    fn by(&self, is: impl Fn(&OperatorKey) -> bool) -> Option<Operator> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        // Every key is looked at, so that the time tells nothing of which one it was.
        let found = keys.iter().filter(|known| is(known)).last()?;
        Some(Operator { id: found.id, roles: found.roles.clone(), signs: found.signs.clone() })
    }
}

#[cfg(test)]
mod tests;
