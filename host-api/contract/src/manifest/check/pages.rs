//! Pages.

use std::sync::Arc;

use toml::Spanned;

use super::{Checker, check_at};
use crate::failure::Code;
use crate::manifest::PageTemplate;
use crate::manifest::raw::{self, Text};
use crate::page::{ErrorText, Page, fold};

impl Checker<'_> {
    pub(super) fn pages(&mut self, raw: &[Spanned<raw::Page>], categories: &[&'static str]) -> Vec<PageTemplate> {
        self.unique(raw.iter().map(|page| &page.get_ref().id));
        raw.iter().filter_map(|page| self.page(page.get_ref(), categories)).collect()
    }

    fn page(&mut self, raw: &raw::Page, categories: &[&'static str]) -> Option<PageTemplate> {
        for status in raw.status.iter().filter(|status| !(100..=599).contains(status.get_ref())) {
            self.fail(status.span(), "a status is a number from 100 to 599");
        }
        for at in raw.requires.iter().chain(&raw.lacks).chain(&raw.empty) {
            self.at(at);
        }
        self.unique(&raw.feeds);
        if let Some(empty) = raw.empty.as_ref().filter(|_| raw.feeds.is_empty()) {
            self.fail(empty.span(), "says that something is empty, but not what: `feeds` names the categories");
        }
        let page = Page {
            id: self.id(&raw.id)?,
            status: raw.status.iter().map(|status| *status.get_ref()).collect(),
            requires: raw.requires.iter().map(|at| at.get_ref().clone()).collect(),
            lacks: raw.lacks.iter().map(|at| at.get_ref().clone()).collect(),
            failure: raw.failure.as_ref().and_then(|code| self.code(code)),
            errors: raw.errors.iter().filter_map(|error| self.error_text(error)).collect(),
            empty: raw.empty.as_ref().map(|at| at.get_ref().clone()),
            feeds: raw.feeds.iter().filter_map(|text| self.category(text, Some(categories))).collect(),
            login: raw.login,
        };
        Some(PageTemplate { url: self.template(&raw.url), page: Arc::new(page) })
    }

    fn error_text(&mut self, raw: &raw::ErrorText) -> Option<ErrorText> {
        self.at(&raw.at);
        let folded = fold(raw.text.get_ref());
        if folded.is_empty() {
            self.fail(raw.text.span(), "the text is empty");
        }
        Some(ErrorText { at: raw.at.get_ref().clone(), folded, code: self.code(&raw.code)? })
    }

    fn code(&mut self, text: &Text) -> Option<Code> {
        let code = text.get_ref().parse::<Code>().ok().filter(|code| code.manifest_may_claim());
        if code.is_none() {
            let allowed = Code::ALL.iter().filter(|code| code.manifest_may_claim());
            let allowed = allowed.map(|code| code.name()).collect::<Vec<_>>().join(", ");
            self.fail(
                text.span(),
                format!("a manifest can't name the failure `{}`; allowed: {allowed}", text.get_ref()),
            );
        }
        code
    }

    /// A selector or pointer that the document capability takes.
    fn at(&mut self, text: &Text) {
        self.seen(text);
        if text.get_ref().is_empty() {
            self.fail(text.span(), "must be a CSS selector or a JSON Pointer");
        } else if let Err(problem) = check_at(text.get_ref()) {
            self.fail(text.span(), problem);
        }
    }
}
