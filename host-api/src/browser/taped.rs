//! The interface as connectors call it. What each call brings from a page is taped; on a replay the tape stands in the browser's place: nothing
//! is started, no script of a site's runs, and a call that the tape does not have ends the run. Documents are scrubbed before they are taped,
//! and looked at anew on a replay: recognition, captures and failures are the host's own code again.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use consentry_contract::failure::{Code, Stage};
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::{LeafKind, Slot};
use consentry_tape::{Act, Body, Exchange, Outcome};
use http::Method;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::frame::At;
use super::reading::Came;
use super::{NAME, Page};
use crate::bindings::consentry::connector::browser;
use crate::blob::Blob;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::document::Parsed;
use crate::fault::Fail;
use crate::prompt::Challenge;
use crate::tape::Pages;

/// The same interface towards a browser that runs (`calls.rs`).
pub(super) struct Live<'c>(pub(super) &'c mut HostCtx);

impl Deref for Live<'_> {
    type Target = HostCtx;

    fn deref(&self) -> &HostCtx {
        self.0
    }
}

impl DerefMut for Live<'_> {
    fn deref_mut(&mut self) -> &mut HostCtx {
        self.0
    }
}

impl HostCtx {
    fn pages(&self) -> Option<Arc<dyn Pages>> {
        self.ports.pages.clone()
    }

    /// Tapes what a call came to.
    fn tape_act<T>(
        &mut self,
        call: &str,
        on: &str,
        result: Result<T, Fail>,
        outcome: impl FnOnce(&Self, &T) -> Outcome,
    ) -> Result<T, Fail> {
        let (shown, typed) = (self.browsing.shown.take(), std::mem::take(&mut self.browsing.typed));
        let outcome = match (&result, shown) {
            (_, Some(shown)) => Outcome::Document(shown),
            (Ok(value), None) => outcome(self, value),
            (Err(Fail::Fault(fault)), None) => Outcome::Failed(fault.code.clone()),
            // The run ends here, for a reason of its own.
            (Err(Fail::Stop(_)), None) => return result,
        };
        let act = Act { call: call.to_owned(), on: on.to_owned(), page: typed.0, secrets: typed.1, outcome };
        self.ports.tape.outside(consentry_tape::Event::Page(act));
        result
    }

    /// The next call of the tape, if it is this one.
    fn next_act(&mut self, pages: &Arc<dyn Pages>, call: &str, on: &str) -> Result<Act, Fail> {
        self.enter(NAME, "played")?;
        let act = pages.played(call, on).ok_or_else(Fail::stop)?;
        self.ports.tape.outside(consentry_tape::Event::Page(act.clone()));
        let kinds: BTreeSet<LeafKind> = [LeafKind::Field, LeafKind::Answer]
            .into_iter()
            .filter(|kind| act.secrets.iter().any(|secret| secret.starts_with(&format!("{}.", kind.as_str()))))
            .collect();
        if !kinds.is_empty() {
            self.note_secret(&kinds);
        }
        Ok(act)
    }

    /// A call that only does something.
    fn play(&mut self, pages: &Arc<dyn Pages>, call: &str, on: &str) -> Result<Outcome, Fail> {
        match self.next_act(pages, call, on)?.outcome {
            Outcome::Failed(code) => Err(self.failed_before(&code)),
            Outcome::Document(shown) => self.show_again(shown).map(|_| Outcome::Done),
            outcome => Ok(outcome),
        }
    }

    fn failed_before(&mut self, code: &str) -> Fail {
        let code = Code::ALL.iter().copied().find(|known| known.name() == code).unwrap_or(Code::Unclassified);
        if code == Code::PageUnrecognised {
            self.facts.missing = "element".parse().ok().map(consentry_contract::failure::Name::into);
        }
        self.refuse(code, "so it was when this was taped")
    }

    /// Looks at a taped document as if it came now.
    fn came(shown: Exchange) -> Option<Came> {
        let hop = shown.hops.into_iter().next_back()?;
        let kind = hop.header("content-type").unwrap_or_default().to_owned();
        Some(Came {
            method: shown.method.parse().unwrap_or(Method::GET),
            url: shown.url.parse().ok()?,
            status: hop.status,
            kind,
            bytes: hop.body.0.to_vec(),
            headers: hop.headers,
            veiled: false,
            began: String::new(),
        })
    }

    fn show_again(&mut self, shown: Exchange) -> Result<Resource<Parsed>, Fail> {
        let came = Self::came(shown).ok_or_else(Fail::stop)?;
        let looked = self.look(came)?;
        self.spend(LimitName::BytesIn, looked.bytes())?;
        self.give(looked)
    }

    /// Whether a page of the manifest comes next. What was waited for in vain is passed over, however long that took.
    fn wait_again(&mut self, pages: &Arc<dyn Pages>, what: &str, value: &str) -> Result<bool, Fail> {
        self.enter(NAME, "page.wait-for")?;
        if what == "page"
            && let Some(shown) = pages.ahead()
        {
            let looked = self.look(Self::came(shown).ok_or_else(Fail::stop)?)?;
            let found = looked.recognition.page.as_ref().map(|page| page.as_str().to_owned());
            if found.is_some_and(|found| value.split(' ').any(|page| page == found)) {
                pages.arrived();
                return Ok(true);
            }
            let declared = self.declares(&looked);
            if declared.is_err() {
                pages.arrived();
            }
            self.browsing.shown = None;
            declared?;
            pages.waited();
            return Ok(false);
        }
        match pages.waited() {
            Some(Outcome::Failed(code)) => Err(self.failed_before(&code)),
            Some(Outcome::Found(found)) => Ok(found),
            _ => Ok(false),
        }
    }

    /// A secret on a page: the sinks are asked again, the value is not there.
    fn type_again(
        &mut self,
        pages: &Arc<dyn Pages>,
        call: &str,
        slot: &Slot,
        secret: &Resource<Handle>,
    ) -> Result<(), Fail> {
        let on = match slot {
            Slot::Field(selector) => selector.clone(),
            _ => String::new(),
        };
        self.at(Stage::Login);
        let recipe = self.table.get(secret)?.0.clone();
        self.all_held(&recipe)?;
        let act = self.next_act(pages, call, &on)?;
        if let Some(page) = &act.page {
            self.admit_on_page(page, slot, &recipe)?;
            self.browsing.typed = Default::default();
        }
        match act.outcome {
            Outcome::Failed(code) => Err(self.failed_before(&code)),
            _ => {
                self.used_up(&recipe);
                Ok(())
            }
        }
    }

    fn new_page(&mut self) -> Result<Resource<Page>, Fail> {
        Ok(self.table.push(Page { at: At::page(String::new()), closed: false })?)
    }
}

/// What a call brought that only does something.
fn done<T>(_: &HostCtx, _: &T) -> Outcome {
    Outcome::Done
}

fn found(_: &HostCtx, found: &bool) -> Outcome {
    Outcome::Found(*found)
}

/// A call that only does something, live or from the tape.
macro_rules! does {
    ($self:ident, $call:literal, $on:expr, $live:expr) => {{
        let on: String = $on;
        if let Some(pages) = $self.pages() {
            return $self.play(&pages, $call, &on).map(drop);
        }
        let result = $live.await;
        $self.tape_act($call, &on, result, done)
    }};
}

impl browser::Host for HostCtx {
    async fn open(&mut self) -> Result<Resource<Page>, Fail> {
        if let Some(pages) = self.pages() {
            self.play(&pages, "open", "")?;
            return self.new_page();
        }
        let opened = Live(self).open().await;
        self.tape_act("open", "", opened, done)
    }
}

impl browser::HostPage for HostCtx {
    async fn go(&mut self, this: Resource<Page>, url: String) -> Result<(), Fail> {
        does!(self, "go", url.clone(), Live(self).go(this, url))
    }

    async fn wait_for(&mut self, this: Resource<Page>, what: String, value: String, max_ms: u32) -> Result<bool, Fail> {
        if let Some(pages) = self.pages() {
            return self.wait_again(&pages, &what, &value);
        }
        let on = if what == "page" { value.clone() } else { format!("{what} {value}") };
        let waited = Live(self).wait_for(this, what, value, max_ms).await;
        self.tape_act(Act::WAIT, &on, waited, found)
    }

    async fn snapshot(&mut self, this: Resource<Page>, frame: String) -> Result<Resource<Parsed>, Fail> {
        if let Some(pages) = self.pages() {
            return match self.next_act(&pages, "snapshot", &frame)?.outcome {
                Outcome::Document(shown) => self.show_again(shown),
                Outcome::Failed(code) => Err(self.failed_before(&code)),
                _ => Err(Fail::stop()),
            };
        }
        let shown = Live(self).snapshot(this, frame.clone()).await;
        self.tape_act("snapshot", &frame, shown, done)
    }

    fn url(&mut self, this: Resource<Page>) -> wasmtime::Result<String> {
        if let Some(pages) = self.pages() {
            return match self.next_act(&pages, "url", "") {
                Ok(Act { outcome: Outcome::Text(url), .. }) => Ok(url),
                Err(Fail::Stop(error)) => Err(error),
                _ => Ok(String::new()),
            };
        }
        let url = Live(self).url(this)?;
        // Nothing fails here.
        let _ = self.tape_act("url", "", Ok(url.clone()), |_, url: &String| Outcome::Text(url.clone()));
        Ok(url)
    }

    async fn fill(&mut self, this: Resource<Page>, selector: String, text: String) -> Result<(), Fail> {
        does!(self, "fill", selector.clone(), Live(self).fill(this, selector, text))
    }

    async fn fill_secret(
        &mut self,
        this: Resource<Page>,
        selector: String,
        secret: Resource<Handle>,
    ) -> Result<(), Fail> {
        if let Some(pages) = self.pages() {
            return self.type_again(&pages, "fill-secret", &Slot::Field(selector), &secret);
        }
        let typed = Live(self).fill_secret(this, selector.clone(), secret).await;
        self.tape_act("fill-secret", &selector, typed, done)
    }

    async fn click(&mut self, this: Resource<Page>, selector: String) -> Result<(), Fail> {
        does!(self, "click", selector.clone(), Live(self).click(this, selector))
    }

    async fn press_keypad(
        &mut self,
        this: Resource<Page>,
        secret: Resource<Handle>,
        keys: Vec<(String, String)>,
    ) -> Result<(), Fail> {
        if let Some(pages) = self.pages() {
            self.check_keys(&keys)?;
            return self.type_again(&pages, "press-keypad", &Slot::Keypad(String::new()), &secret);
        }
        let pressed = Live(self).press_keypad(this, secret, keys).await;
        self.tape_act("press-keypad", "", pressed, done)
    }

    async fn select(&mut self, this: Resource<Page>, selector: String, values: Vec<String>) -> Result<(), Fail> {
        does!(self, "select", selector.clone(), Live(self).select(this, selector, values))
    }

    async fn key(&mut self, this: Resource<Page>, name: String) -> Result<(), Fail> {
        does!(self, "key", String::new(), Live(self).key(this, name))
    }

    async fn download(&mut self, this: Resource<Page>, selector: String) -> Result<Resource<Blob>, Fail> {
        if let Some(pages) = self.pages() {
            let bytes = match self.next_act(&pages, "download", &selector)?.outcome {
                Outcome::File(Body(bytes)) => bytes,
                Outcome::Failed(code) => return Err(self.failed_before(&code)),
                _ => return Err(Fail::stop()),
            };
            self.spend(LimitName::BlobBytes, bytes.len() as u64)?;
            let held = self.hold(bytes.len())?;
            return Ok(self.table.push(Blob(Arc::new(Zeroizing::new(bytes.to_vec())), held))?);
        }
        let file = Live(self).download(this, selector.clone()).await;
        let bytes = |ctx: &Self, file: &Resource<Blob>| {
            let bytes = ctx.table.get(file).map(|blob| blob.0.clone()).unwrap_or_default();
            Outcome::File(Body(bytes))
        };
        self.tape_act("download", &selector, file, bytes)
    }

    async fn response(
        &mut self,
        this: Resource<Page>,
        url_pattern: String,
        max_ms: u32,
    ) -> Result<Option<Resource<Parsed>>, Fail> {
        if let Some(pages) = self.pages() {
            return match self.next_act(&pages, "response", &url_pattern)?.outcome {
                Outcome::Document(shown) => self.show_again(shown).map(Some),
                Outcome::Failed(code) => Err(self.failed_before(&code)),
                _ => Ok(None),
            };
        }
        let came = Live(self).response(this, url_pattern.clone(), max_ms).await;
        self.tape_act("response", &url_pattern, came, |_, _| Outcome::Found(false))
    }

    async fn frame(&mut self, this: Resource<Page>, selector: String) -> Result<(), Fail> {
        does!(self, "frame", selector.clone(), Live(self).frame(this, selector))
    }

    async fn popup(&mut self, this: Resource<Page>, max_ms: u32) -> Result<Option<Resource<Page>>, Fail> {
        if let Some(pages) = self.pages() {
            let opened = matches!(self.play(&pages, "popup", "")?, Outcome::Found(true));
            return if opened { self.new_page().map(Some) } else { Ok(None) };
        }
        let popup = Live(self).popup(this, max_ms).await;
        self.tape_act("popup", "", popup, |_, popup| Outcome::Found(popup.is_some()))
    }

    fn dialog(&mut self, this: Resource<Page>, answer: String) -> Result<(), Fail> {
        if let Some(pages) = self.pages() {
            return self.play(&pages, "dialog", "").map(drop);
        }
        let told = Live(self).dialog(this, answer);
        self.tape_act("dialog", "", told, done)
    }

    async fn show(
        &mut self,
        this: Resource<Page>,
        selector: String,
        kind: String,
        details: Vec<(String, String)>,
    ) -> Result<Resource<Challenge>, Fail> {
        if let Some(pages) = self.pages() {
            self.play(&pages, "show", &selector)?;
            return self.ask_person(kind, details, None);
        }
        let shown = Live(self).show(this, selector.clone(), kind, details).await;
        self.tape_act("show", &selector, shown, done)
    }

    async fn authenticate(
        &mut self,
        this: Resource<Page>,
        origin: String,
        login: Resource<Handle>,
        password: Resource<Handle>,
    ) -> Result<(), Fail> {
        does!(self, "authenticate", String::new(), Live(self).authenticate(this, origin, login, password))
    }

    fn close(&mut self, this: Resource<Page>) -> wasmtime::Result<()> {
        if self.pages().is_some() { Ok(()) } else { Live(self).close(this) }
    }

    fn drop(&mut self, this: Resource<Page>) -> wasmtime::Result<()> {
        Live(self).drop(this)
    }
}
