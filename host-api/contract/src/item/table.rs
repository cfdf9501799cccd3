//! The item table: what Shareable Data there is. Names are final once published: receivers, consents and connectors are written
//! against them; a family grows by new categories and new optional fields.

mod rows;

use crate::failure::Text;

pub use rows::CATEGORIES;

/// The families in which section 4 of the privacy policy lists Shareable Data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Names and ways to reach a person.
    Profile,
    /// Accounts, what happened on them, and what follows from it.
    Bank,
    /// Who a person is, and the papers that prove it.
    Identity,
    /// Certificates, notices and other papers of administrations.
    Administrative,
    /// Contracts with utilities and telecoms, and their bills.
    Contract,
}

/// One category of Shareable Data: what a consent names, what a connector emits.
#[derive(Debug)]
pub struct Category {
    /// Flat and dotted, `bank.account`.
    pub name: &'static str,
    /// Its family in the policy.
    pub family: Family,
    /// Whether one person can have several.
    pub many: bool,
    /// For people.
    pub label: Text,
    /// Id in the personal data extension of the W3C community's Data Privacy Vocabulary, prefix `https://w3id.org/dpv/pd#`.
    pub dpv: Option<&'static str>,
    /// At least one of these must be there; empty where the required fields say enough.
    pub any_of: &'static [&'static str],
    /// In the order in which they are shown and delivered.
    pub fields: &'static [Field],
}

/// One field of a category.
#[derive(Debug)]
pub struct Field {
    /// Flat and dotted, `value.date`.
    pub name: &'static str,
    /// The form in which the contract carries it.
    pub kind: Kind,
    /// Whether an item without it is refused.
    pub required: bool,
    /// What a value must be beyond its kind.
    pub check: Check,
    /// For people.
    pub label: Text,
}

/// The form of a value. These are the cases of the contract's `value`, which never grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// A whole number; for money the number of minor units.
    Integer,
    /// An exact number, `-12.50`.
    Decimal,
    /// A day, `2026-11-21`.
    Date,
    /// A point in time, RFC 3339.
    Instant,
    /// Yes or no.
    Flag,
    /// The bytes of a document or an image.
    Blob,
}

/// What a value must be beyond its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nothing more (numbers, flags, instants).
    Any,
    /// One line of at most so many characters, not blank, without control characters.
    Line(usize),
    /// As [`Check::Line`], with line breaks.
    Lines(usize),
    /// An IBAN, ISO 13616: check digits and the country's form; blanks are dropped.
    Iban,
    /// A BIC, ISO 9362.
    Bic,
    /// A country, ISO 3166-1 alpha-2.
    Country,
    /// A telephone number, E.164 with its plus sign.
    Phone,
    /// An e-mail address.
    Email,
    /// A currency, ISO 4217.
    Currency,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A name for this item that no other of its category has in the same run; never shown to people.
    Ref,
    /// The [`Check::Ref`] of an item of this category.
    RefOf(&'static str),
    /// A number between these two, both included.
    Range(i64, i64),
    /// A day from 1900 to the day after the observation (the source's calendar may be ahead of ours).
    Past,
    /// A day from 1900 to 2199.
    Calendar,
    /// A PDF, PNG or JPEG by its first bytes, at most [`Check::MAX_DOCUMENT`] long.
    Document,
    /// A PNG or JPEG by its first bytes, at most [`Check::MAX_DOCUMENT`] long.
    Image,
}

impl Check {
    /// Longest document, in bytes.
    pub const MAX_DOCUMENT: usize = 10 * 1024 * 1024;
}

/// The category of this name.
#[must_use]
pub fn category(name: &str) -> Option<&'static Category> {
    CATEGORIES.iter().find(|category| category.name == name)
}

impl Category {
    /// The day by which a consent's history window counts items of this category; none where there is no history.
    #[must_use]
    pub fn day(&self) -> Option<&'static Field> {
        let dated = |name| self.field(name).filter(|field| self.many && field.kind == Kind::Date);
        dated("date").or_else(|| dated("issued"))
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    const fn of(name: &'static str, kind: Kind, check: Check, label: [&'static str; 2]) -> Self {
        Self { name, kind, required: false, check, label: Text { en: label[0], fr: label[1] } }
    }

    const fn text(name: &'static str, check: Check, label: [&'static str; 2]) -> Self {
        Self::of(name, Kind::Text, check, label)
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The currency field that an amount needs beside it: `x.currency` for `x.amount`.
    #[must_use]
    pub fn currency(&self) -> Option<String> {
        let stem = self.name.strip_suffix("amount")?;
        (stem.is_empty() || stem.ends_with('.')).then(|| format!("{stem}currency"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Name;

    #[test]
    fn names_are_unique_and_may_stand_in_a_report() {
        for (at, category) in CATEGORIES.iter().enumerate() {
            assert!(category.name.parse::<Name>().is_ok(), "{}", category.name);
            assert!(CATEGORIES[..at].iter().all(|earlier| earlier.name != category.name), "{} twice", category.name);
            for (at, field) in category.fields.iter().enumerate() {
                assert!(field.name.parse::<Name>().is_ok(), "{}.{}", category.name, field.name);
                assert!(category.fields[..at].iter().all(|earlier| earlier.name != field.name), "{} twice", field.name);
            }
        }
    }

    #[test]
    fn every_amount_has_its_currency_and_every_reference_its_target() {
        for category in CATEGORIES {
            for field in category.fields {
                if let Some(currency) = field.currency() {
                    let currency = category.field(&currency).expect("a currency beside each amount");
                    assert_eq!(
                        (currency.check, currency.required),
                        (Check::Currency, field.required),
                        "{}",
                        category.name
                    );
                }
                if let Check::RefOf(target) = field.check {
                    let target = super::category(target).expect("the category referred to");
                    assert!(target.field("ref").is_some_and(|field| field.required), "{}", target.name);
                }
            }
            for name in category.any_of {
                assert!(category.field(name).is_some_and(|field| !field.required), "{}.{name}", category.name);
            }
            assert!(
                category.fields.iter().any(|field| field.required) || !category.any_of.is_empty(),
                "{}",
                category.name
            );
        }
    }

    /// What section 4 of the privacy policy names, in its words and order, and the category that carries it. It stands here a second time so that
    /// nothing goes missing from the table unseen. Of photographs and videos the item is the picture: no video is carried. Technical data (a session's) is
    /// no item: connectors keep it by `session-state`.
    const POLICY: [(&str, Family, &str); 15] = [
        ("surname, first name", Family::Profile, "person.name"),
        ("postal address", Family::Profile, "person.address"),
        ("telephone", Family::Profile, "person.phone"),
        ("first and last name of the account holder, IBAN, BIC", Family::Bank, "bank.account"),
        ("account statement: what is there", Family::Bank, "bank.balance"),
        ("account statement: what happened", Family::Bank, "bank.transaction"),
        ("account statement: the paper", Family::Bank, "document.statement"),
        ("solvency indicator", Family::Bank, "bank.solvency"),
        ("gender", Family::Identity, "person.gender"),
        ("date of birth, place of birth", Family::Identity, "person.birth"),
        ("photo or video of the identity document", Family::Identity, "identity.document"),
        ("photo or video of the face", Family::Identity, "identity.portrait"),
        ("certificate of rights", Family::Administrative, "document.certificate-of-rights"),
        ("tax notice", Family::Administrative, "document.tax-notice"),
        ("bills of the services a person uses", Family::Contract, "document.invoice"),
    ];

    #[test]
    fn what_the_policy_names_has_a_category() {
        for (words, family, name) in POLICY {
            let found = CATEGORIES.iter().find(|category| category.name == name);
            let found = found.unwrap_or_else(|| panic!("nothing carries `{words}` any more"));
            assert_eq!(found.family, family, "{name}");
        }
    }
}
