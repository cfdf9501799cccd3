//! A person's rights over what is kept about them: access, rectification, erasure, restriction, portability, objection, withdrawal,
//! and directives for the time after death. There is one entry for all of them, whatever the role of the Online Service.
//!
//! Pure: what a request is, what is done about it here, what goes on to the Online Service, by when. Who asks is proved by the
//! receipt: it holds the salt of the consent, which nobody else has. No document of identity is asked for, and no proof is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::OnlineServiceId;
use crate::online_service::Role;

// How every stored type answers to the rights.
pub mod declared;
// Disclosures to authorities, and accesses that the law has logged.
pub mod disclosure;
// What somebody gets a copy of.
pub mod export;
// A request from its coming to its end.
mod request;

pub use request::{ANSWER_TYP, Answer, Forwarded, Outcome, PARTY_ANSWERS, Reason, RightsRequest, State};

/// Longest text of a request, in bytes.
pub const TEXT_BYTES_MAX: usize = 2000;
/// What somebody can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// To know what is kept, and a copy of it.
    Access,
    /// That it be put right.
    Rectification,
    /// That it be erased.
    Erasure,
    /// That nothing be done with it.
    Restriction,
    /// A copy that machines read, also for somebody else.
    Portability,
    /// That what rests on an interest of ours end.
    Objection,
    /// To take the consent back.
    Withdrawal,
    /// What shall happen after death.
    PostMortem,
}

/// Why processing is to be restricted (GDPR, Art. 18(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// It is disputed whether the data is right.
    AccuracyDisputed,
    /// The processing is unlawful, and the person wants no erasure.
    Unlawful,
    /// The person needs it for a claim.
    Claims,
    /// An objection is being decided.
    ObjectionPending,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Which right.
    pub right: Right,
    /// Why, for a restriction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// What is wrong and how it is right, or what shall be done: in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// To whom the copy goes, for portability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transmit_to: Option<OnlineServiceId>,
}

/// What an ask lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A restriction without a ground.
    #[error("a restriction needs its `ground`: accuracy-disputed, unlawful, claims or objection-pending")]
    Ground,
    /// No words where words are needed.
    #[error("say in `statement` what is wrong and how it is right, or what shall be done")]
    Statement,
    /// Too many words.
    #[error("a `statement` has at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// For another right.
    #[error("`ground` is for a restriction, `transmit_to` for portability")]
    OtherRight,
}

/// What is done here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Here {
    /// A copy of everything that is kept.
    Copy,
    /// The person's statement is put on the record, which itself stays what was decided.
    Statement,
    /// What runs is stopped, what is held is erased; proof is kept for its period, and said so.
    EraseAllButProof,
    /// The record is marked, and nothing is done under it.
    Mark,
    /// The objection is put on the record, and nothing is done under it while it is decided.
    Object,
    /// No login is opened and no send begins any more.
    Withdraw,
    /// The directive is kept, sealed.
    Keep,
}

/// What becomes of a right under a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Route {
    /// What is done here.
    pub here: Here,
    /// Whether it goes on to the Online Service, which has to answer.
    pub forward: bool,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 8] = [
        Self::Access,
        Self::Rectification,
        Self::Erasure,
        Self::Restriction,
        Self::Portability,
        Self::Objection,
        Self::Withdrawal,
        Self::PostMortem,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Rectification => "rectification",
            Self::Erasure => "erasure",
            Self::Restriction => "restriction",
            Self::Portability => "portability",
            Self::Objection => "objection",
            Self::Withdrawal => "withdrawal",
            Self::PostMortem => "post-mortem",
        }
    }

    /// Where the law has it, by the names of the W3C Data Privacy Vocabulary.
    pub fn law(self) -> &'static str {
        match self {
            Self::Access => "eu-gdpr:A15",
            Self::Rectification => "eu-gdpr:A16",
            Self::Erasure => "eu-gdpr:A17",
            Self::Restriction => "eu-gdpr:A18",
            Self::Portability => "eu-gdpr:A20",
            Self::Objection => "eu-gdpr:A21",
            Self::Withdrawal => "eu-gdpr:A7-3",
            Self::PostMortem => "fr:LIL-85",
        }
    }

    /// What becomes of it. Where the Online Service is controller, or one of two, it answers for its part. Where we alone are, it
    /// is told what it must know as one who received the data (GDPR, Art. 19).
    pub fn route(self, role: Role) -> Route {
        let here = match self {
            Self::Access | Self::Portability => Here::Copy,
            Self::Rectification => Here::Statement,
            Self::Erasure => Here::EraseAllButProof,
            Self::Restriction => Here::Mark,
            Self::Objection => Here::Object,
            Self::Withdrawal => Here::Withdraw,
            Self::PostMortem => Here::Keep,
        };
        let told = matches!(
            self,
            Self::Rectification | Self::Erasure | Self::Restriction | Self::Objection | Self::Withdrawal
        );
        Route { here, forward: role != Role::Processor || told }
    }
}

impl Ask {
    /// Checks that everything is there that the right needs.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn check(&self) -> Result<(), AskError> {
        let said = self.statement.as_deref().unwrap_or_default().trim();
        if said.len() > TEXT_BYTES_MAX {
            return Err(AskError::TooLong);
        }
        if (self.ground.is_some() && self.right != Right::Restriction)
            || (self.transmit_to.is_some() && self.right != Right::Portability)
        {
            return Err(AskError::OtherRight);
        }
        match self.right {
            Right::Restriction if self.ground.is_none() => Err(AskError::Ground),
            Right::Rectification | Right::PostMortem if said.is_empty() => Err(AskError::Statement),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
