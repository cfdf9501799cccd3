//! Who says to whom who it is (PSD2): the operator to banks, and nobody's login to a bank that knows third parties.

use super::super::{PERSON_ADDRESS, raw};
use super::Checker;

/// Shortest ground that says something.
const GROUND_CHARS_MIN: usize = 10;

impl Checker<'_> {
    /// The ground by which a source's payment accounts are read without identification, if there is one.
    pub(super) fn exempt(&mut self, raw: &raw::Source) -> Option<String> {
        let ground = raw.tpp_exempt.as_ref()?;
        let text = self.text(ground);
        let problem = if raw.tpp.as_ref().is_some_and(|tpp| *tpp.get_ref()) {
            "where the operator identifies itself (`tpp`), there is nothing to be exempt from".to_owned()
        } else if text.chars().count() < GROUND_CHARS_MIN {
            format!("a ground is a sentence of at least {GROUND_CHARS_MIN} characters")
        } else {
            return Some(text);
        };
        self.fail(ground.span(), problem);
        None
    }

    /// Where the person is, is told to who must be told (PSD2): as it is, in a header, by a manifest all of whose sources ask for identification.
    pub(super) fn address(&mut self, raw: &raw::Manifest) {
        let Some(address) = raw.operator.iter().find(|operator| operator.get_ref().name.get_ref() == PERSON_ADDRESS)
        else {
            return;
        };
        let tpp = |source: &toml::Spanned<raw::Source>| source.get_ref().tpp.as_ref().is_some_and(|tpp| *tpp.get_ref());
        if !raw.source.get_ref().iter().all(tpp) {
            let problem =
                format!("`{PERSON_ADDRESS}` is for sources that third parties identify themselves to (`tpp`) alone");
            self.fail(address.get_ref().name.span(), problem);
        }
        for sink in &address.get_ref().sink {
            let sink = sink.get_ref();
            if !sink.slot.get_ref().starts_with("header:") || sink.recipe.get_ref() != "raw" {
                self.fail(sink.slot.span(), format!("`{PERSON_ADDRESS}` goes into a header, as it is (`raw`)"));
            }
        }
    }

    /// Where third parties must say who they are (PSD2), the operator does, and the person logs in with the source alone: there is no
    /// secret of theirs to ask for, and no browser to type it.
    pub(super) fn identified(&mut self, raw: &raw::Manifest) {
        let tpp = raw.source.get_ref().iter().filter_map(|source| source.get_ref().tpp.as_ref());
        let Some(tpp) = tpp.into_iter().find(|tpp| *tpp.get_ref()) else { return };
        const WHY: &str = "where third parties identify themselves (`tpp`), a person logs in with the source alone, by a prompt `redirect`";
        for field in raw.field.iter().filter(|field| field.get_ref().kind.get_ref() != "public") {
            self.fail(field.get_ref().kind.span(), format!("{WHY}: a field is `public`, or not there"));
        }
        if let Some(browser) = raw.capabilities.iter().find(|capability| capability.get_ref() == "browser") {
            self.fail(browser.span(), format!("{WHY}: not in a `browser`"));
        }
        if raw.operator.iter().all(|operator| operator.get_ref().name.get_ref() == PERSON_ADDRESS) {
            self.fail(
                tpp.span(),
                "who the operator is towards the source (`tpp`) is an [[operator]] secret; there is none",
            );
        }
    }
}
