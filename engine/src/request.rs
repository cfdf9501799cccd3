//! What an Online Service asks for. A raw request is parsed once, here; a [`DataRequest`] that exists is bounded, asks for
//! nothing beyond its registered purpose, and speaks to the person only in words that were registered.

use std::collections::BTreeSet;
use std::fmt;

use consentry_contract::manifest::SourceKind;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::consent::Asked;
use crate::consent::notice::AskedPredicate;
use crate::data::Category;
use crate::id::{DataRequestId, OnlineServiceId};
use crate::online_service::{OnlineService, Purpose};
use crate::predicate::{NotAPredicate, PREDICATES_MAX, Predicate};

/// Largest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Longest reference of the Online Service's own, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 64;
/// Longest address a person is sent back to, in bytes.
pub const CALLBACK_BYTES_MAX: usize = 1024;

/// A request for Shareable Data, checked against what its Online Service registered.
#[derive(Clone, PartialEq, Eq)]
pub struct DataRequest {
    id: DataRequestId,
    json: String,
    online_service: OnlineServiceId,
    purpose: String,
    wanted: Vec<Asked>,
    predicates: Vec<(Predicate, AskedPredicate)>,
    sources: BTreeSet<SourceKind>,
    history_days: Option<u16>,
    callback: Option<Url>,
    reference: Option<String>,
}

/// Says why a request is refused. The texts may be shown to the Online Service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too large.
    #[error("a request has at most {REQUEST_BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON of the form of a request.
    #[error("the request is not valid JSON of the expected form: {at}")]
    Form {
        /// Where, and what was expected; a request holds no personal data.
        at: String,
    },
    /// The purpose is not registered.
    #[error("the purpose {0:?} is not registered")]
    UnknownPurpose(String),
    /// It asks for nothing.
    #[error("a request names at least one category")]
    NoCategories,
    /// No such category.
    #[error("there is no category {0:?}")]
    UnknownCategory(String),
    /// The category is not registered with the purpose.
    #[error("the purpose does not include the category {0}")]
    WiderThanPurpose(Category),
    /// No such question.
    #[error("{0}")]
    NotAPredicate(#[from] NotAPredicate),
    /// The kind of question is not registered with the purpose.
    #[error("the purpose does not include the predicate {0}")]
    PredicateNotRegistered(&'static str),
    /// Too many questions.
    #[error("a request has at most {PREDICATES_MAX} predicates, one of a kind: several would tell the value")]
    TooManyPredicates,
    /// No such kind of Data Source.
    #[error("there is no kind of Data Source called {0:?}")]
    UnknownSourceKind(String),
    /// More history than the purpose allows.
    #[error("the purpose allows {max} days of history at most")]
    TooMuchHistory {
        /// The most that may be asked for.
        max: u16,
    },
    /// The person may not be sent there.
    #[error("the callback is not below a registered address")]
    Callback,
    /// The reference is too long or holds other characters than letters, digits, `-`, `_`, `.` and `:`.
    #[error("the reference has at most {REFERENCE_BYTES_MAX} letters, digits, '-', '_', '.' or ':'")]
    Reference,
}

/// A data request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    /// A registered purpose.
    purpose: String,
    /// Categories of it.
    #[serde(default)]
    categories: Vec<String>,
    /// Questions that are answered here with yes, no or not known.
    #[serde(default)]
    predicates: Vec<String>,
    /// Kinds of Data Source; all without it.
    #[serde(default)]
    sources: Vec<String>,
    /// How far back; as far as the purpose allows without it.
    history_days: Option<u16>,
    /// Where the person is sent back to, below a registered address.
    callback: Option<String>,
    /// The Online Service's own name for it.
    reference: Option<String>,
}

impl DataRequest {
    /// Reads a request of `online_service`.
    ///
    /// # Errors
    /// Says what is wrong with it, in words for the Online Service.
    pub fn parse(id: DataRequestId, json: &[u8], online_service: &OnlineService) -> Result<Self, RequestError> {
        if json.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let raw: Raw = serde_json::from_slice(json).map_err(|error| RequestError::Form { at: error.to_string() })?;
        let Some(purpose) = online_service.purpose(&raw.purpose) else {
            return Err(RequestError::UnknownPurpose(raw.purpose));
        };
        Ok(Self {
            id,
            json: String::from_utf8_lossy(json).into_owned(),
            online_service: online_service.id(),
            wanted: wanted(&raw, purpose)?,
            predicates: predicates(&raw.predicates, purpose)?,
            history_days: history(raw.history_days, purpose)?,
            callback: raw.callback.map(|text| callback(&text, online_service)).transpose()?,
            reference: raw.reference.map(reference).transpose()?,
            sources: raw.sources.iter().map(|word| source_kind(word)).collect::<Result<_, _>>()?,
            purpose: raw.purpose,
        })
    }

    /// Its id.
    pub fn id(&self) -> DataRequestId {
        self.id
    }

    /// As it was sent: what another node reads again, against the registration of that moment.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Who asks.
    pub fn online_service(&self) -> OnlineServiceId {
        self.online_service
    }

    /// What for, by the id of the registered purpose.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Each category wanted, and why.
    pub fn wanted(&self) -> &[Asked] {
        &self.wanted
    }

    /// Each question that is answered here, and why.
    pub fn predicates(&self) -> &[(Predicate, AskedPredicate)] {
        &self.predicates
    }

    /// Every category that is wanted, or looked at to answer a question.
    pub fn looked_at(&self) -> BTreeSet<Category> {
        let questions = self.predicates.iter().map(|(_, asked)| asked.category);
        self.wanted.iter().map(|asked| asked.category).chain(questions).collect()
    }

    /// Whether a Data Source of this kind may answer. A request that names no kind takes any.
    pub fn takes(&self, kind: SourceKind) -> bool {
        self.sources.is_empty() || self.sources.contains(&kind)
    }

    /// How far back, in days.
    pub fn history_days(&self) -> Option<u16> {
        self.history_days
    }

    /// Where the person is sent in the end.
    pub fn callback(&self) -> Option<&Url> {
        self.callback.as_ref()
    }

    /// The Online Service's own reference, given back in events and parcels.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

/// Each category once, in the order asked, with the words of the registration.
fn wanted(raw: &Raw, purpose: &Purpose) -> Result<Vec<Asked>, RequestError> {
    let mut wanted: Vec<Asked> = vec![];
    for name in &raw.categories {
        let category: Category = name.parse().map_err(|_| RequestError::UnknownCategory(name.clone()))?;
        let why = purpose.categories.get(&category).ok_or(RequestError::WiderThanPurpose(category))?;
        if wanted.iter().all(|asked| asked.category != category) {
            wanted.push(Asked { category, why: why.clone() });
        }
    }
    if wanted.is_empty() && raw.predicates.is_empty() { Err(RequestError::NoCategories) } else { Ok(wanted) }
}

/// Each question once, with the words of the registration.
fn predicates(texts: &[String], purpose: &Purpose) -> Result<Vec<(Predicate, AskedPredicate)>, RequestError> {
    let mut asked: Vec<(Predicate, AskedPredicate)> = vec![];
    for text in texts {
        let predicate: Predicate = text.parse()?;
        let kind = predicate.kind();
        let why = purpose.predicates.get(&kind).ok_or(RequestError::PredicateNotRegistered(kind.name()))?;
        let category = kind.category().parse().map_err(|_| NotAPredicate)?;
        let told = predicate.told();
        if asked.len() >= PREDICATES_MAX || asked.iter().any(|(known, _)| known.kind() == kind) {
            return Err(RequestError::TooManyPredicates);
        }
        asked.push((predicate, AskedPredicate { predicate: told, category, why: why.clone() }));
    }
    Ok(asked)
}

/// Hides the request as it was sent: what a question compares with may be personal.
impl fmt::Debug for DataRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataRequest").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

fn source_kind(word: &str) -> Result<SourceKind, RequestError> {
    SourceKind::parse(word).ok_or_else(|| RequestError::UnknownSourceKind(word.to_owned()))
}

/// What was not said is the most that was registered; what was said may be less.
fn history(asked: Option<u16>, purpose: &Purpose) -> Result<Option<u16>, RequestError> {
    match (asked, purpose.history_days_max) {
        (Some(days), Some(max)) if days > max => Err(RequestError::TooMuchHistory { max }),
        (Some(_), None) => Err(RequestError::TooMuchHistory { max: 0 }),
        (asked, max) => Ok(asked.or(max)),
    }
}

fn callback(text: &str, online_service: &OnlineService) -> Result<Url, RequestError> {
    if text.len() > CALLBACK_BYTES_MAX {
        return Err(RequestError::Callback);
    }
    let url: Url = text.parse().map_err(|_| RequestError::Callback)?;
    if online_service.may_call_back(&url) { Ok(url) } else { Err(RequestError::Callback) }
}

fn reference(text: String) -> Result<String, RequestError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if text.is_empty() || text.len() > REFERENCE_BYTES_MAX || !text.bytes().all(plain) {
        return Err(RequestError::Reference);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{id, lender};

    fn read(json: &str) -> Result<DataRequest, RequestError> {
        DataRequest::parse(id(1), json.as_bytes(), &lender())
    }

    #[test]
    fn a_request_speaks_to_the_person_in_registered_words_and_asks_for_each_thing_once() {
        let request = read(
            r#"{"purpose":"tenant-check","categories":["bank.account","person.name","bank.account"],"sources":["bank"],
                "callback":"https://lettings.example/apply/17?done=1","reference":"file-17"}"#,
        )
        .unwrap();
        let wanted: Vec<_> =
            request.wanted().iter().map(|asked| (asked.category.name(), asked.why.en.as_str())).collect();
        assert_eq!(wanted, [("bank.account", "to see the income."), ("person.name", "to see the income.")]);
        assert_eq!(request.history_days(), Some(90), "what was not said is the registered most");
        assert!(request.takes(SourceKind::Bank) && !request.takes(SourceKind::Telecom));
    }

    #[test]
    fn what_is_wider_than_the_registration_or_of_another_form_is_refused() {
        let ask = |rest: &str| format!(r#"{{"purpose":"tenant-check","categories":["person.name"]{rest}}}"#);
        let long = "x".repeat(REFERENCE_BYTES_MAX + 1);
        for (json, named) in [
            (r#"{"purpose":"tenant-check","categories":["person.email"]}"#.to_owned(), "does not include"),
            (r#"{"purpose":"tenant-check","categories":["person.shoe"]}"#.to_owned(), "no category"),
            (r#"{"purpose":"tenant-check","categories":[]}"#.to_owned(), "at least one"),
            (r#"{"purpose":"marketing","categories":["person.name"]}"#.to_owned(), "not registered"),
            (ask(r#","history_days":91"#), "90 days"),
            (ask(r#","sources":["casino"]"#), "no kind"),
            (ask(r#","callback":"https://lettings.example/applying""#), "callback"),
            (ask(r#","callback":"https://lettings.example.evil.example/apply""#), "callback"),
            (ask(r#","callback":"https://lettings.example@evil.example/apply""#), "callback"),
            (ask(r#","callback":"https://lettings.example/apply/../admin""#), "callback"),
            (ask(r#","reference":"a b""#), "reference"),
            (ask(&format!(r#","reference":"{long}""#)), "reference"),
            (ask(r#","why":"because""#), "unknown field"),
            (r#"{"purpose":"tenant-check","predicates":["shoe-size(43)"]}"#.to_owned(), "a predicate is"),
            (r#"{"purpose":"tenant-check","predicates":["age-over(18)","age-over(19)"]}"#.to_owned(), "one of a kind"),
            ("[]".to_owned(), "expected form"),
            (format!("{}{}", ask(""), " ".repeat(REQUEST_BYTES_MAX)), "at most"),
        ] {
            let error = read(&json).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
