//! The notice: what a person is told before they decide, compiled from the request, the registration, the connector's
//! manifest and the retention table. Pure. Nobody writes a notice by hand, so none can say less than what will be done.
//!
//! A consent binds to the notice's digest, which covers the facts and every word in both languages. Another request, another
//! connector version, a longer period: another notice, and the person is asked again.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod words;

use super::record::Asked;
use crate::data::{Category, Digest};
use crate::id::OnlineServiceId;
use crate::online_service::{Identity, Localised, OnlineService, Role};
use crate::processing::Processing;
use crate::request::DataRequest;

/// The version of the notice's form; part of the digest.
const FORMAT: &str = "notice-0.2";

/// A language we speak to people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// The text of the two that is in this language.
    pub fn pick<'t>(self, en: &'t str, fr: &'t str) -> &'t str {
        match self {
            Self::En => en,
            Self::Fr => fr,
        }
    }
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Notice {
    digest: Digest,
    #[serde(flatten)]
    content: Content,
}

/// What the digest covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Content {
    format: &'static str,
    facts: Facts,
    en: Vec<Section>,
    fr: Vec<Section>,
}

/// What the words are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// Who operates this engine.
    pub operator: Operator,
    /// Who asks.
    pub online_service: Recipient,
    /// The purpose's id, and why.
    pub purpose: String,
    /// Why, in words.
    pub why: Localised,
    /// Where the data is.
    pub source: Source,
    /// What is asked for, each with its reason, as far as this source has it.
    pub asked: Vec<Asked>,
    /// What is asked for and this source can't give.
    pub not_there: BTreeSet<Category>,
    /// How far back, in days.
    pub history_days: Option<u16>,
    /// The names of the login fields the person will be asked for.
    pub login: Vec<Localised>,
    /// Where data is processed, by whom, under which policy.
    pub processing: Processing,
    /// Questions that are answered here, so that the value does not leave.
    pub predicates: Vec<AskedPredicate>,
    /// Why what transactions say of other people is asked for; none: it is cut out.
    pub third_parties: Option<Localised>,
    /// For automatic synchronisation: how often, and for how long; none for what is done once, with the person there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessTerms>,
}

/// How often an Online Service is served while nobody is there, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessTerms {
    frequency_per_day: u8,
    valid_days: u16,
}

impl AccessTerms {
    /// One to four times a day (RTS 2018/389 art. 36(5)(b)), for one to 180 days (art. 10a).
    pub fn new(frequency_per_day: u8, valid_days: u16) -> Option<Self> {
        let fit = (1..=4).contains(&frequency_per_day) && (1..=180).contains(&valid_days);
        fit.then_some(Self { frequency_per_day, valid_days })
    }

    /// How often in 24 hours at most.
    pub fn frequency_per_day(self) -> u8 {
        self.frequency_per_day
    }

    /// For so many days.
    pub fn valid_days(self) -> u16 {
        self.valid_days
    }

    /// The same as a length of time.
    pub fn validity(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_hours(24 * i64::from(self.valid_days))
    }
}

/// A question that is answered here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedPredicate {
    /// The question, without what it compares with where that is personal.
    pub predicate: String,
    /// What is looked at for it.
    pub category: Category,
    /// Why.
    pub why: Localised,
}

/// The operator of this engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// Where a person reaches it, for every right.
    pub contact: String,
    /// Its engine keeps records in memory only, which end with it. The words say so.
    #[serde(skip)]
    pub in_memory: bool,
    /// Where data is processed, by whom, under which policy.
    #[serde(skip)]
    pub processing: Processing,
}

/// The Online Service, as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    /// Its id.
    pub id: OnlineServiceId,
    /// Its name.
    pub name: String,
    /// Where a person reaches it.
    pub contact: String,
    /// Who it is in law; none where it is the person themself.
    pub identity: Option<Identity>,
    /// Who decides about the data.
    pub role: Role,
    /// How long it keeps what it receives, in days.
    pub keep_days: u16,
}

/// The Data Source and the connector that reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The Data Source's id.
    pub id: String,
    /// Its name, as a person knows it.
    pub name: String,
    /// Its country, ISO 3166-1 alpha-2.
    pub country: String,
    /// The connector's id.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// The digest of its one file.
    pub digest: Digest,
    /// What it can give from this Data Source.
    #[serde(skip)]
    pub categories: BTreeSet<Category>,
    /// The labels of the login fields.
    #[serde(skip)]
    pub login: Vec<Localised>,
}

/// A heading and its sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The sentences.
    pub lines: Vec<String>,
}

/// Why no notice can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// The Data Source has nothing of what is asked for.
    #[error("this Data Source has nothing of what is asked for")]
    NothingThere,
    /// The request is not of this Online Service, or its purpose is not registered any more.
    #[error("the request does not fit the registration of its Online Service")]
    OtherRegistration,
}

impl Notice {
    /// Compiles the notice.
    ///
    /// # Errors
    /// [`NoticeError`].
    pub fn compile(
        request: &DataRequest,
        online_service: &OnlineService,
        source: &Source,
        operator: &Operator,
    ) -> Result<Self, NoticeError> {
        let purpose = online_service.purpose(request.purpose()).ok_or(NoticeError::OtherRegistration)?;
        if request.online_service() != online_service.id() {
            return Err(NoticeError::OtherRegistration);
        }
        let there = |asked: &&Asked| source.categories.contains(&asked.category);
        let asked: Vec<Asked> = request.wanted().iter().filter(there).cloned().collect();
        let mut predicates: Vec<AskedPredicate> = request.predicates().iter().map(|(_, asked)| asked.clone()).collect();
        predicates.retain(|asked| source.categories.contains(&asked.category));
        if asked.is_empty() && predicates.is_empty() {
            return Err(NoticeError::NothingThere);
        }
        let not_there = request.wanted().iter().filter(|asked| !there(asked)).map(|asked| asked.category).collect();
        Ok(Self::of(Facts {
            operator: operator.clone(),
            online_service: Recipient {
                id: online_service.id(),
                name: online_service.name().to_owned(),
                contact: online_service.contact().to_owned(),
                identity: online_service.partner().identity.clone(),
                role: online_service.role(),
                keep_days: purpose.keep_days,
            },
            purpose: request.purpose().to_owned(),
            why: purpose.why.clone(),
            source: source.clone(),
            asked,
            not_there,
            history_days: request.history_days(),
            login: source.login.clone(),
            processing: operator.processing.clone(),
            predicates,
            third_parties: purpose.third_parties.clone(),
            access: None,
        }))
    }

    /// The same notice for automatic synchronisation on these terms.
    #[must_use]
    pub fn recurring(&self, terms: AccessTerms) -> Self {
        Self::of(Facts { access: Some(terms), ..self.content.facts.clone() })
    }

    fn of(facts: Facts) -> Self {
        let content = Content {
            format: FORMAT,
            en: words::sections(&facts, Language::En),
            fr: words::sections(&facts, Language::Fr),
            facts,
        };
        // Unwrap safety: the content is strings, numbers and lists; serde_json refuses none of them.
        let bytes = serde_json::to_vec(&content).expect("plain data is JSON");
        Self { digest: Digest::of(&bytes), content }
    }

    /// What a consent binds to.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the words are made of.
    pub fn facts(&self) -> &Facts {
        &self.content.facts
    }

    /// The words.
    pub fn sections(&self, language: Language) -> &[Section] {
        match language {
            Language::En => &self.content.en,
            Language::Fr => &self.content.fr,
        }
    }
}

impl Localised {
    /// The text in a language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Fr => &self.fr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erase::retention::{Period, Row};
    use crate::fixtures::{REQUEST, bank, both, categories, lender, notice, operator, request};

    fn text(notice: &Notice, language: Language) -> String {
        notice.sections(language).iter().flat_map(|section| section.lines.clone()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_notice_says_who_what_why_from_where_and_how_long_in_both_languages() {
        let notice = notice();
        for (language, words) in [
            (
                Language::En,
                [
                    "Example Lettings",
                    "acts on its behalf",
                    "Surname",
                    "Sample Bank",
                    "30 days",
                    "90 days",
                    "take it back",
                ],
            ),
            (
                Language::Fr,
                ["Example Lettings", "pour son compte", "Nom", "Sample Bank", "30 jours", "90 jours", "retirer"],
            ),
        ] {
            let text = text(&notice, language);
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
        assert!(!text(&notice, Language::En).contains("Bank account ("), "what is not asked for is not named");
    }

    #[test]
    fn another_request_another_connector_or_another_word_is_another_notice() {
        let digest = notice().digest();
        let compile = |request: &DataRequest, source: &Source, operator: &Operator| {
            Notice::compile(request, &lender(), source, operator).unwrap().digest()
        };
        assert_eq!(compile(&request(REQUEST), &bank(), &operator()), digest);
        let narrower = request(r#"{"purpose":"tenant-check","categories":["person.name"],"history_days":30}"#);
        assert_ne!(compile(&narrower, &bank(), &operator()), digest);
        let newer = Source { digest: Digest::of(b"newer"), ..bank() };
        assert_ne!(compile(&request(REQUEST), &newer, &operator()), digest);
        let more = Source { login: vec![both("Customer number"), both("Password"), both("Mother's name")], ..bank() };
        assert_ne!(compile(&request(REQUEST), &more, &operator()), digest);
        let moved = Operator { contact: "elsewhere".to_owned(), ..operator() };
        assert_ne!(compile(&request(REQUEST), &bank(), &moved), digest);
        let mut policy = operator();
        policy.processing.policy = Digest::of(b"a new policy");
        assert_ne!(compile(&request(REQUEST), &bank(), &policy), digest);
    }

    #[test]
    fn those_who_work_for_the_operator_are_named_with_task_data_country_and_protection() {
        let mut told = operator();
        let host = crate::processing::Processor {
            name: "Example Hosting".to_owned(),
            purpose: Localised { en: "runs our machines".to_owned(), fr: "fait tourner nos machines".to_owned() },
            data: Localised { en: "sealed records".to_owned(), fr: "des enregistrements scellés".to_owned() },
            country: "US".to_owned(),
            transfer: crate::processing::Transfer::Clauses,
            hosts: vec![],
        };
        told.processing.processors.push(host);
        let notice = Notice::compile(&request(REQUEST), &lender(), &bank(), &told).unwrap();
        for (language, sentence) in [
            (
                Language::En,
                "Example Hosting (US, protected by standard contractual clauses): runs our machines; it meets sealed records.",
            ),
            (
                Language::Fr,
                "Example Hosting (US, protégées par des clauses contractuelles types) : fait tourner nos machines ; rencontre des enregistrements scellés.",
            ),
        ] {
            assert!(text(&notice, language).contains(sentence), "{}", text(&notice, language));
        }
    }

    #[test]
    fn what_the_source_does_not_have_is_said_and_not_asked() {
        let poor = Source { categories: categories(&["person.name"]), ..bank() };
        let notice = Notice::compile(&request(REQUEST), &lender(), &poor, &operator()).unwrap();
        assert_eq!(notice.facts().not_there, categories(&["bank.transaction"]));
        assert!(
            text(&notice, Language::En).contains("not to be had from this source: Account transaction"),
            "{:?}",
            notice.facts().not_there
        );
        let empty = Source { categories: categories(&[]), ..bank() };
        let refused = Notice::compile(&request(REQUEST), &lender(), &empty, &operator());
        assert_eq!(refused.err(), Some(NoticeError::NothingThere));
    }

    #[test]
    fn what_is_kept_in_memory_only_is_not_said_to_be_kept_for_months() {
        let desk = Operator { in_memory: true, ..operator() };
        let notice = Notice::compile(&request(REQUEST), &lender(), &bank(), &desk).unwrap();
        for (language, kept, gone) in
            [(Language::En, "13 months", "this program ends"), (Language::Fr, "13 mois", "fin de ce programme")]
        {
            let text = text(&notice, language);
            assert!(text.contains(gone) && !text.contains(kept), "{text}");
        }
    }

    #[test]
    fn the_periods_that_are_told_are_those_of_the_retention_table() {
        for (row, told) in words::KEPT {
            let period = Row::by_id(row).unwrap().period.unwrap();
            let words = match period {
                Period::Seconds(3600) => "1 hour",
                Period::Seconds(600) => "10 minutes",
                Period::Months(13) => "13 months",
                other => panic!("{row}: no words for {other:?}"),
            };
            assert!(told.en.contains(words), "{row}: {}", told.en);
        }
    }
}
