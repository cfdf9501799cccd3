//! Waiting for something of a page, and where a page is: what a connector is told of it is told without secrets, and a pattern is held against
//! nothing else.

use std::time::Instant;

use consentry_contract::failure::Code;
use consentry_contract::limits::LimitName;
use consentry_contract::manifest::UrlPattern;
use url::Url;

use super::context::Context;
use super::frame::At;
use super::reading::{Came, path_of};
use crate::ctx::HostCtx;
use crate::fault::Fail;

/// What `wait-for` knows.
pub(super) const WAITS: [&str; 6] = ["selector", "gone", "network-idle", "url", "page", "load"];

impl HostCtx {
    /// Waits until one of these page rules recognises a frame's document.
    async fn wait_for_page(&mut self, at: &At, pages: &str, until: Instant) -> Result<bool, Fail> {
        let mut before = String::new();
        loop {
            // A rule of the manifest that is held against what was pressed would spell it out.
            let (context, page) = (self.context()?, at.page.clone());
            let readable = async move {
                let readable = context.wait(until, |state| {
                    let gone = state.tab(&page).is_none_or(|tab| tab.crashed);
                    (gone || !state.is_withheld()).then_some(())
                });
                let readable = readable.await?;
                context.session(&page).map(|_| readable)
            };
            if self.drive(readable).await?.is_none() {
                return Ok(false);
            }
            let (context, at_frame, last) = (self.context()?, at.clone(), before.clone());
            let changed = self.drive(async move { context.changed(&at_frame, &last, until).await }).await?;
            let Some(now) = changed else { return Ok(false) };
            before = now;
            let looked = self.look_at(at, false).await?;
            if looked.recognition.page.as_ref().is_some_and(|found| pages.split(' ').any(|page| page == found.as_str()))
            {
                return Ok(true);
            }
            self.declares(&looked)?;
        }
    }

    /// Where a frame is, as its connector may know it.
    pub(super) fn address(&mut self, context: &Context, at: &At) -> Result<Option<Url>, Fail> {
        let (frame, withheld) = {
            let state = context.state();
            (state.frames.get(at.frame()).cloned().unwrap_or_default(), state.is_withheld())
        };
        let url = Url::parse(&frame.url).ok().filter(|url| self.egress.check(url).is_ok());
        let Some(url) = url else { return Ok(None) };
        let url = self.shown_url(url)?;
        Ok(Some(match (withheld, frame.veiled) {
            (true, _) => url.join("/").unwrap_or(url),
            (false, true) => path_of(url),
            (false, false) => url,
        }))
    }

    /// Waits until a frame is where the pattern says, by what may be known of that: a pattern that is held against a secret would spell it
    /// out by yes and no.
    async fn wait_for_url(&mut self, at: &At, pattern: &UrlPattern, until: Instant) -> Result<bool, Fail> {
        let mut before = None;
        loop {
            let (context, at_frame, last) = (self.context()?, at.clone(), before.clone());
            let moved = self.drive(async move {
                let moved = context.wait(until, |state| {
                    let gone = state.tab(&at_frame.page).is_none_or(|tab| tab.crashed);
                    let url = state.frames.get(at_frame.frame()).map(|frame| frame.url.clone());
                    // What may be known of it is another when pages may be read again.
                    let now = Some((url, state.is_withheld()));
                    (gone || now != last).then_some(now)
                });
                let moved = moved.await?;
                context.session(&at_frame.page).map(|_| moved)
            });
            let Some(now) = moved.await? else { return Ok(false) };
            before = now;
            let context = self.context()?;
            if self.address(&context, at)?.is_some_and(|url| pattern.matches(&url)) {
                return Ok(true);
            }
        }
    }

    /// The next answer to a request of a page whose address, as it may be known, fits.
    pub(super) async fn next_answer(
        &mut self,
        at: &At,
        pattern: &UrlPattern,
        until: Instant,
    ) -> Result<Option<Came>, Fail> {
        let bytes_max = self.budget.limits().of(LimitName::AnswerBytes).min(self.budget.left(LimitName::BytesIn));
        let mut last = 0;
        loop {
            let (context, page) = (self.context()?, at.page.clone());
            let came = self.drive(async move {
                context.session(&page)?;
                context.answers_behind(last, until).await
            });
            let came = came.await?;
            let Some((newest, _)) = came.last() else { return Ok(None) };
            last = *newest;
            for (serial, url) in came {
                let Some(url) = Url::parse(&url).ok().filter(|url| pattern.origin().contains(url)) else { continue };
                if pattern.matches(&self.shown_url(url)?) {
                    let context = self.context()?;
                    return self.drive(async move { context.take_answer(serial, bytes_max).await }).await;
                }
            }
        }
    }

    pub(super) async fn wait(&mut self, at: At, what: &str, value: String, until: Instant) -> Result<bool, Fail> {
        let context = self.context()?;
        match what {
            "selector" | "gone" => {
                self.live(&value)?;
                self.shown()?;
                let seen = what == "selector";
                self.drive(async move { context.is_seen(&at, &value, seen, until).await }).await
            }
            "network-idle" => self.drive(async move { context.is_idle(until).await }).await,
            "url" => {
                let pattern = self.url_pattern(&value)?;
                self.wait_for_url(&at, &pattern, until).await
            }
            "load" => {
                self.drive(async move {
                    let loaded = context.wait(until, |state| {
                        let gone = state.tab(&at.page).is_none_or(|tab| tab.crashed);
                        (gone || state.frames.get(at.frame()).is_none_or(|frame| !frame.loading)).then_some(())
                    });
                    let loaded = loaded.await?.is_some();
                    context.frame(&at).map(|_| loaded)
                })
                .await
            }
            _ => self.wait_for_page(&at, &value, until).await,
        }
    }

    pub(super) fn url_pattern(&mut self, text: &str) -> Result<UrlPattern, Fail> {
        UrlPattern::parse(text).map_err(|problem| self.refuse(Code::InvalidArgument, problem.to_string()))
    }
}
