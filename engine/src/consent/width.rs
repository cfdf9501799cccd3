//! Whether what is asked is narrower than what was agreed to, the same, or wider. Pure. A wider use is not covered, whatever it is that
//! is wider: the person is asked again.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Consent;
use super::notice::Facts;
use crate::data::Category;
use crate::id::OnlineServiceId;
use crate::online_service::Role;
use crate::processing::{Processing, Processor};

/// How something that is asked stands to something that was agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Width {
    /// Less of something, and more of nothing.
    Narrower,
    /// The same.
    Equal,
    /// More of something, or something else.
    Wider,
}

/// What decides how far a use goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms<'a> {
    online_service: OnlineServiceId,
    role: Role,
    purpose: &'a str,
    source: &'a str,
    categories: BTreeSet<Category>,
    predicates: BTreeSet<&'a str>,
    third_parties: bool,
    history_days: Option<u16>,
    keep_days: u16,
    processing: &'a Processing,
}

impl<'a> Terms<'a> {
    /// All that a notice asks for.
    pub fn asked(facts: &'a Facts) -> Self {
        Self {
            online_service: facts.online_service.id,
            role: facts.online_service.role,
            purpose: &facts.purpose,
            source: &facts.source.id,
            categories: facts.asked.iter().map(|asked| asked.category).collect(),
            predicates: facts.predicates.iter().map(|asked| asked.predicate.as_str()).collect(),
            third_parties: facts.third_parties.is_some(),
            history_days: facts.history_days,
            keep_days: facts.online_service.keep_days,
            processing: &facts.processing,
        }
    }

    /// All that a person agreed to: what they did not tick is not a part of it.
    pub fn granted(consent: &'a Consent) -> Self {
        Self {
            categories: consent.granted().clone(),
            predicates: consent.predicates().iter().map(String::as_str).collect(),
            ..Self::asked(consent.told())
        }
    }

    /// How this stands to what was agreed to before.
    pub fn compared_with(&self, agreed: &Self) -> Width {
        if self == agreed {
            Width::Equal
        } else if self.beyond(agreed).is_empty() {
            Width::Narrower
        } else {
            Width::Wider
        }
    }

    /// What goes beyond what was agreed to, by name.
    pub fn beyond(&self, agreed: &Self) -> Vec<String> {
        let mut more: Vec<String> = vec![];
        let mut note = |is_more: bool, name: &str| {
            if is_more {
                more.push(name.to_owned());
            }
        };
        note(self.online_service != agreed.online_service, "online-service");
        note(self.role != agreed.role, "role");
        note(self.purpose != agreed.purpose, "purpose");
        note(self.source != agreed.source, "source");
        // What has no history has none that could be longer.
        note(self.history_days > agreed.history_days, "history");
        note(self.keep_days > agreed.keep_days, "retention");
        note(self.third_parties && !agreed.third_parties, "third-parties");
        note(self.processing.policy != agreed.processing.policy, "policy");
        let known: Vec<&Processor> = agreed.processing.all().collect();
        note(self.processing.all().any(|each| !known.contains(&each)), "processors");
        more.extend(self.categories.difference(&agreed.categories).map(|category| category.name().to_owned()));
        more.extend(self.predicates.difference(&agreed.predicates).map(|name| (*name).to_owned()));
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Notice;
    use crate::consent::notice::{Operator, Source};
    use crate::data::Digest;
    use crate::fixtures::{bank, lender, lender_in, operator, request};
    use crate::online_service::OnlineService;

    const ASKED: &str = r#"{"purpose":"tenant-check","categories":["person.name","bank.transaction"],
        "predicates":["age-over(18)"],"history_days":30}"#;

    fn facts(json: &str, service: &OnlineService, operator: &Operator) -> Facts {
        let has = crate::fixtures::categories(&["person.name", "bank.account", "bank.transaction", "person.birth"]);
        let source = Source { categories: has, ..bank() };
        Notice::compile(&request(json), service, &source, operator).unwrap().facts().clone()
    }

    #[track_caller]
    fn check(what: &str, asked: &Facts, width: Width, beyond: &[&str]) {
        let agreed = facts(ASKED, &lender(), &operator());
        let (asked, agreed) = (Terms::asked(asked), Terms::asked(&agreed));
        assert_eq!(
            (asked.compared_with(&agreed), asked.beyond(&agreed)),
            (width, beyond.iter().map(|&word| word.to_owned()).collect()),
            "{what}"
        );
    }

    #[test]
    fn less_is_covered_and_more_of_anything_is_not() {
        let of = |json: &str| facts(json, &lender(), &operator());
        check("the same", &of(ASKED), Width::Equal, &[]);
        check("a category less", &of(&ASKED.replace(",\"bank.transaction\"", "")), Width::Narrower, &[]);
        check("no question", &of(&ASKED.replace("\"age-over(18)\"", "")), Width::Narrower, &[]);
        check("less history", &of(&ASKED.replace(":30", ":7")), Width::Narrower, &[]);
        check("more history", &of(&ASKED.replace(":30", ":31")), Width::Wider, &["history"]);
        let account = ASKED.replace("\"person.name\"", "\"bank.account\"");
        check("another category", &of(&account), Width::Wider, &["bank.account"]);
        let older = ASKED.replace("age-over(18)", "age-over(21)");
        check("another question", &of(&older), Width::Wider, &["age-over(21)"]);
        check("another role", &facts(ASKED, &lender_in(Role::Joint), &operator()), Width::Wider, &["role"]);
        let mut longer = of(ASKED);
        longer.online_service.keep_days = 91;
        check("kept longer", &longer, Width::Wider, &["retention"]);
        longer.online_service.keep_days = 89;
        check("kept shorter", &longer, Width::Narrower, &[]);
        let mut others = of(ASKED);
        others.third_parties = Some(crate::fixtures::both("to see who pays."));
        check("what is said of others", &others, Width::Wider, &["third-parties"]);
        let mut elsewhere = of(ASKED);
        elsewhere.source.id = "another-bank".to_owned();
        elsewhere.purpose = "marketing".to_owned();
        check("elsewhere, for something else", &elsewhere, Width::Wider, &["purpose", "source"]);
        // A newer connector reads no more than was granted.
        let mut newer = of(ASKED);
        newer.source.digest = Digest::of(b"newer");
        check("a newer connector", &newer, Width::Equal, &[]);
    }

    #[test]
    fn a_changed_policy_or_somebody_else_who_works_for_the_operator_is_wider() {
        let mut changed = operator();
        changed.processing.policy = Digest::of(b"a new policy");
        check("another policy", &facts(ASKED, &lender(), &changed), Width::Wider, &["policy"]);
        let mut more = operator();
        more.processing.processors.push(crate::processing::Processor {
            name: "Example Mail".to_owned(),
            purpose: crate::fixtures::both("sends mail"),
            data: crate::fixtures::both("addresses"),
            country: "FR".to_owned(),
            transfer: crate::processing::Transfer::None,
            hosts: vec![],
        });
        check("one more processor", &facts(ASKED, &lender(), &more), Width::Wider, &["processors"]);
    }

    #[tokio::test]
    async fn what_was_not_ticked_was_not_agreed_to() {
        let register = crate::fixtures::register();
        let consent = crate::fixtures::given(&register, 1, &["person.name"]).await;
        let record = register.record(consent).await.unwrap();
        let again = Terms::asked(record.told());
        assert_eq!(again.compared_with(&Terms::granted(&record)), Width::Wider);
        assert_eq!(again.beyond(&Terms::granted(&record)), ["bank.transaction"]);
    }
}
