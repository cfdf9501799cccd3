//! Necessity: what a purpose needs to know, and which categories that needs. A purpose that asks for a category which none of its
//! needs explains is refused, whatever reason it writes beside it.

use serde::{Deserialize, Serialize};

use crate::data::Category;

/// What an Online Service needs to know for a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Who the person is.
    Identity,
    /// How to reach them.
    Contact,
    /// Where they live.
    Address,
    /// Which account is theirs, to pay to or to collect from.
    Account,
    /// What they earn.
    Income,
    /// What they can afford: means and burdens.
    Solvency,
    /// Their taxes.
    Tax,
    /// What they are entitled to.
    Entitlement,
    /// A contract they have, with its bills.
    Contract,
    /// A copy of their own data, for themself.
    OwnCopy,
}

impl Need {
    /// All needs.
    pub const ALL: [Self; 10] = [
        Self::Identity,
        Self::Contact,
        Self::Address,
        Self::Account,
        Self::Income,
        Self::Solvency,
        Self::Tax,
        Self::Entitlement,
        Self::Contract,
        Self::OwnCopy,
    ];

    /// Whether a category can be necessary for this.
    pub fn explains(self, category: Category) -> bool {
        let name = category.name();
        let any = |names: &[&str]| names.contains(&name);
        match self {
            Self::Identity => any(&[
                "person.name",
                "person.birth",
                "person.gender",
                "person.nationality",
                "identity.document",
                "identity.portrait",
            ]),
            Self::Contact => any(&["person.name", "person.phone", "person.email", "person.address"]),
            Self::Address => any(&["person.name", "person.address", "document.proof-of-address", "contract.utility"]),
            Self::Account => any(&["person.name", "bank.account"]),
            Self::Income => any(&[
                "person.name",
                "bank.account",
                "bank.transaction",
                "bank.balance",
                "document.statement",
                "document.tax-notice",
                "document.certificate",
            ]),
            Self::Solvency => any(&[
                "person.name",
                "bank.account",
                "bank.balance",
                "bank.transaction",
                "bank.solvency",
                "document.statement",
            ]),
            Self::Tax => any(&["person.name", "document.tax-notice"]),
            Self::Entitlement => any(&["person.name", "document.certificate-of-rights", "document.certificate"]),
            Self::Contract => {
                any(&["person.name", "contract.utility", "contract.telecom", "document.invoice", "person.address"])
            }
            Self::OwnCopy => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_is_explained_by_a_need_and_no_need_of_others_explains_all() {
        let of_others = || Need::ALL.into_iter().filter(|need| *need != Need::OwnCopy);
        for category in Category::all() {
            assert!(of_others().any(|need| need.explains(category)), "nobody could ever ask for {category}");
        }
        for need in of_others() {
            let explained = Category::all().filter(|category| need.explains(*category)).count();
            assert!((2..=7).contains(&explained), "{need:?} explains {explained}");
        }
    }
}
