//! The table behind the codes: who is to blame, whether to retry, and the sentences. Sentences for the person name no product part and
//! blame nobody; the sentence for the author or operator says where to look. A sentence never has a place for a value.

mod rows;

use super::code::Code;
use super::{Blame, Retry, Stage};
use rows::TABLE;

/// A sentence in the languages we speak to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// French.
    pub fr: &'static str,
}

/// Who may name a code. Anything else that claims it becomes [`Code::Unclassified`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The host alone, from what it has seen itself.
    Host,
    /// Also the connector's code.
    Guest,
    /// Also a known error text of a page in the manifest.
    Page,
}

/// What the host knows about a code.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code.
    pub code: Code,
    /// Whose turn it is.
    pub blame: Blame,
    /// Whether trying again makes sense, as long as no login has been submitted.
    pub retry: Retry,
    /// The stage where it usually happens; taken when the run does not know better.
    pub stage: Stage,
    /// Who may name it.
    pub claim: Claim,
    /// For the person: what happened.
    pub what: Text,
    /// For the person: what to do next.
    pub next: Text,
    /// For the connector's author or the operator: what it means and where to look.
    pub author: &'static str,
}

impl Code {
    /// What the host knows about this code.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Whose turn it is.
    #[must_use]
    pub const fn blame(self) -> Blame {
        self.row().blame
    }

    /// Whether a connector may end with this code.
    #[must_use]
    pub const fn guest_may_claim(self) -> bool {
        !matches!(self.row().claim, Claim::Host)
    }

    /// Whether a manifest may give this code to a known error text.
    #[must_use]
    pub const fn manifest_may_claim(self) -> bool {
        matches!(self.row().claim, Claim::Page)
    }

    /// The exit code of `consentry` for this code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.blame().exit_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_row_and_the_last_is_unclassified() {
        for code in Code::ALL {
            assert_eq!(code.row().code, *code);
            assert_eq!(code.name().parse(), Ok(*code));
        }
        assert_eq!(Code::ALL.last(), Some(&Code::Unclassified));
    }

    #[test]
    fn nobody_but_the_host_names_what_the_platform_or_the_recipient_did() {
        for code in Code::ALL.iter().filter(|code| matches!(code.blame(), Blame::Platform | Blame::Recipient)) {
            assert!(!code.guest_may_claim(), "{code}");
        }
    }

    #[test]
    fn a_sentence_is_a_sentence_in_both_languages() {
        for row in &TABLE {
            let french = [row.what.fr, row.next.fr];
            for sentence in [row.what.en, row.next.en, row.author].iter().chain(&french) {
                assert!(sentence.ends_with('.') && sentence.len() < 120, "{}: {sentence}", row.code);
            }
            assert_ne!(row.what.en, row.what.fr, "{}", row.code);
        }
    }
}
