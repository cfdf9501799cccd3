//! Where data is processed and by whom: the operator's hosting and those who work for it, each with its task, the data it meets,
//! its country and what protects the data there. Every notice, record and receipt names them, and a host that is not listed is
//! not used.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Digest;
use crate::online_service::Localised;

/// The privacy policy as it comes with the software, in English and French.
pub const POLICY: [&str; 2] =
    [include_str!("../../docs/policy/policy.en.md"), include_str!("../../docs/policy/policy.fr.md")];
/// The European Economic Area, ISO 3166-1 alpha-2.
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// What protects data outside of the European Economic Area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// Nothing leaves the European Economic Area.
    None,
    /// A decision that the country protects data as well (GDPR, Art. 45).
    Adequacy,
    /// Standard contractual clauses (Art. 46).
    Clauses,
    /// Binding corporate rules (Art. 47).
    CorporateRules,
}

/// Somebody who works for the operator, or the place where the operator's machines stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Processor {
    /// Its name.
    pub name: String,
    /// What it does.
    pub purpose: Localised,
    /// Which data it meets.
    pub data: Localised,
    /// Its country, ISO 3166-1 alpha-2.
    pub country: String,
    /// What protects data there.
    pub transfer: Transfer,
    /// The machines of it that the engine talks to, by host name or address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// Where data is processed, by whom, and under which policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Processing {
    /// The digest of the privacy policy, in both languages.
    pub policy: Digest,
    /// Where the machines stand; none where it is the person's own.
    pub hosting: Option<Processor>,
    /// Everybody else who works for the operator.
    pub processors: Vec<Processor>,
}

/// What is wrong with what is said of somebody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessingError {
    /// A text is missing.
    #[error("{name}: name, purpose and data must not be empty")]
    Text {
        /// Whose.
        name: String,
    },
    /// No country.
    #[error("{name}: the country must be two capital letters (ISO 3166-1)")]
    Country {
        /// Whose.
        name: String,
    },
    /// Outside of the European Economic Area, and nothing protects the data.
    #[error(
        "{name}: {country} is outside of the European Economic Area: `transfer` must be adequacy, clauses or corporate-rules"
    )]
    Transfer {
        /// Whose.
        name: String,
        /// Which country.
        country: String,
    },
}

impl Default for Processing {
    /// On the person's own machine, under the policy as it comes.
    fn default() -> Self {
        Self { policy: policy_digest(POLICY), hosting: None, processors: Vec::new() }
    }
}

/// The digest of a policy, English before French.
pub fn policy_digest(texts: [&str; 2]) -> Digest {
    Digest::of(texts.join("\u{0}").as_bytes())
}

impl Processing {
    /// Hosting and processors, one after the other.
    pub fn all(&self) -> impl Iterator<Item = &Processor> {
        self.hosting.iter().chain(&self.processors)
    }

    /// Whether a host is listed with one of them.
    pub fn lists(&self, host: &str) -> bool {
        let listed: BTreeSet<&str> = self.all().flat_map(|each| &each.hosts).map(String::as_str).collect();
        listed.contains(host)
    }

    /// Checks what is said of each.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ProcessingError> {
        self.all().try_for_each(Processor::check)
    }
}

impl Processor {
    fn check(&self) -> Result<(), ProcessingError> {
        let name = self.name.clone();
        let texts = [&self.name, &self.purpose.en, &self.purpose.fr, &self.data.en, &self.data.fr];
        if texts.iter().any(|text| text.trim().is_empty() || text.chars().any(char::is_control)) {
            return Err(ProcessingError::Text { name });
        }
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(ProcessingError::Country { name });
        }
        if self.transfer == Transfer::None && !EEA.contains(&self.country.as_str()) {
            return Err(ProcessingError::Transfer { name, country: self.country.clone() });
        }
        Ok(())
    }

    /// One sentence about it, in English and French.
    pub(crate) fn sentence(&self) -> [String; 2] {
        let [en, fr] = self.transfer.words();
        let Self { name, purpose, data, country, .. } = self;
        [
            format!("{name} ({country}{en}): {}; it meets {}.", purpose.en, data.en),
            format!("{name} ({country}{fr}) : {} ; rencontre {}.", purpose.fr, data.fr),
        ]
    }
}

impl Transfer {
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::None => ["", ""],
            Self::Adequacy => [", protected by a decision of adequacy", ", protégées par une décision d'adéquation"],
            Self::Clauses => {
                [", protected by standard contractual clauses", ", protégées par des clauses contractuelles types"]
            }
            Self::CorporateRules => {
                [", protected by binding corporate rules", ", protégées par des règles d'entreprise contraignantes"]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::both;

    fn somebody(country: &str, transfer: Transfer) -> Processor {
        Processor {
            name: "Example Hosting".to_owned(),
            purpose: both("runs the machines"),
            data: both("sealed records"),
            country: country.to_owned(),
            transfer,
            hosts: vec!["db.hosting.example".to_owned()],
        }
    }

    #[test]
    fn whoever_is_outside_of_the_area_needs_a_ground_and_everybody_a_task() {
        for (country, transfer, right) in [
            ("FR", Transfer::None, true),
            ("US", Transfer::Clauses, true),
            ("US", Transfer::None, false),
            ("France", Transfer::None, false),
            ("fr", Transfer::Adequacy, false),
        ] {
            assert_eq!(somebody(country, transfer).check().is_ok(), right, "{country} {transfer:?}");
        }
        let silent = Processor { purpose: both(" "), ..somebody("FR", Transfer::None) };
        assert!(matches!(silent.check(), Err(ProcessingError::Text { .. })));
        let all = Processing { hosting: Some(somebody("FR", Transfer::None)), ..Processing::default() };
        assert!(all.lists("db.hosting.example") && !all.lists("hosting.example"));
    }

    #[test]
    fn another_policy_has_another_digest() {
        let [en, fr] = POLICY;
        assert_eq!(policy_digest([en, fr]), Processing::default().policy);
        assert_ne!(policy_digest([en, &format!("{fr}\n")]), Processing::default().policy);
    }
}
