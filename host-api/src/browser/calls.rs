//! The interface itself: what each call checks before it does something on a page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consentry_contract::failure::{Code, Stage};
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::Slot;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::frame::At;
use super::input::Text;
use super::reading::Looked;
use super::taped::Live;
use super::waiting::WAITS;
use super::{LOAD, NAME, Page};
use crate::bindings::consentry::connector::browser;
use crate::blob::Blob;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::document::Parsed;
use crate::fault::Fail;
use crate::http::Request;
use crate::http::carried::own_texts;
use crate::prompt::Challenge;

impl HostCtx {
    /// Reads a frame's document and takes out what nobody may see.
    pub(super) async fn look_at(&mut self, at: &At, to_read: bool) -> Result<Looked, Fail> {
        let (context, at_frame) = (self.context()?, at.clone());
        let typed = !self.browsing.carried.is_empty();
        let bytes_max = self.budget.limits().size(LimitName::DocumentBytes);
        let came = self.drive(async move { context.read(&at_frame, typed, bytes_max).await }).await?;
        if to_read {
            self.readable(&came)?;
        }
        self.look(came)
    }

    async fn type_secret(&mut self, at: At, selector: String, secret: Resource<Handle>) -> Result<(), Fail> {
        self.live(&selector)?;
        let recipe = self.table.get(&secret)?.0.clone();
        self.all_held(&recipe)?;
        let looked = self.look_at(&at, false).await?;
        let page = self.page_for_secret(&looked)?;
        self.admit_on_page(&page, &Slot::Field(selector.clone()), &recipe)?;
        let seen = Arc::new(looked.seen);
        let (context, at_frame, field, of) = (self.context()?, at.clone(), selector.clone(), seen.clone());
        self.drive(async move { context.fill(&at_frame, &field, Text::None, Some(&of)).await }).await?;
        self.give_to_page(&recipe, Some((&at, recipe.is_withheld())))?;
        let text = self.typed(&recipe)?;
        let context = self.context()?;
        self.drive(async move { context.fill(&at, &selector, Text::Secret(&text), Some(&seen)).await }).await?;
        self.used_up(&recipe);
        Ok(())
    }

    async fn press(&mut self, at: At, secret: Resource<Handle>, keys: Vec<(String, String)>) -> Result<(), Fail> {
        self.check_keys(&keys)?;
        let recipe = self.table.get(&secret)?.0.clone();
        self.all_held(&recipe)?;
        let looked = self.look_at(&at, false).await?;
        let page = self.page_for_secret(&looked)?;
        let containers = self.admit_on_page(&page, &Slot::Keypad("SELECTOR".to_owned()), &recipe)?;
        let seen = Arc::new(looked.seen);
        let (context, at_frame, of) = (self.context()?, at.clone(), seen.clone());
        let keys = self.drive(async move { context.keys(&at_frame, &keys, &containers, &of).await }).await?;
        self.give_to_page(&recipe, Some((&at, true)))?;
        let text = self.typed(&recipe)?;
        let context = self.context()?;
        let pressed = self.drive(async move { context.press(&at, &keys, &text, &seen).await }).await;
        self.used_up(&recipe);
        // A key that can't be pressed is known by the character that was to be pressed.
        let pressed = pressed.map_err(|fail| if matches!(fail, Fail::Fault(_)) { self.unusable() } else { fail })?;
        // Which character it was is no business of the connector's.
        pressed.ok_or_else(|| self.unusable())
    }

    async fn download_by(&mut self, at: At, selector: String) -> Result<Resource<Blob>, Fail> {
        self.shown()?;
        let context = self.context()?;
        let most = self.budget.limits().of(LimitName::AnswerBytes).min(self.budget.left(LimitName::BytesIn));
        let loading = context.clone();
        let got = self.drive(async move { loading.download(&at, &selector, most).await }).await;
        context.downloads_end();
        let bytes = got?;
        self.spend(LimitName::BytesIn, bytes.len() as u64)?;
        let bytes = self.scrubbed(bytes)?;
        self.spend(LimitName::BlobBytes, bytes.len() as u64)?;
        let held = self.hold(bytes.len())?;
        Ok(self.table.push(Blob(Arc::new(Zeroizing::new(bytes)), held))?)
    }
}

impl browser::Host for Live<'_> {
    async fn open(&mut self) -> Result<Resource<Page>, Fail> {
        self.enter(NAME, "open")?;
        self.spend(LimitName::Requests, 1)?;
        let context = self.open_context().await?;
        let page = self.drive(async move { context.open_page().await }).await?;
        Ok(self.table.push(Page { at: At::page(page), closed: false })?)
    }
}

impl browser::HostPage for Live<'_> {
    async fn go(&mut self, this: Resource<Page>, url: String) -> Result<(), Fail> {
        self.enter(NAME, "page.go")?;
        let page = self.at_of(&this)?.page;
        let url = self.target(&url)?;
        self.wrote(own_texts(&Request::default(), &url))?;
        self.spend(LimitName::BytesOut, url.as_str().len() as u64)?;
        let at = At::page(page);
        self.table.get_mut(&this)?.at = at.clone();
        let context = self.context()?;
        self.drive(async move { context.go(&at, url.as_str(), Instant::now() + LOAD).await }).await
    }

    async fn wait_for(&mut self, this: Resource<Page>, what: String, value: String, max_ms: u32) -> Result<bool, Fail> {
        self.enter(NAME, "page.wait-for")?;
        if !WAITS.contains(&what.as_str()) {
            let text = format!("a page is waited for by {}", WAITS.join(", "));
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        let at = self.at_of(&this)?;
        self.wait(at, &what, value, Instant::now() + Duration::from_millis(max_ms.into())).await
    }

    async fn snapshot(&mut self, this: Resource<Page>, frame: String) -> Result<Resource<Parsed>, Fail> {
        self.enter(NAME, "page.snapshot")?;
        let mut at = self.at_of(&this)?;
        self.shown()?;
        if !frame.is_empty() {
            self.live(&frame)?;
            let (context, above) = (self.context()?, at);
            at = self.drive(async move { context.inside(&above, &frame).await }).await?;
        }
        let looked = self.look_at(&at, true).await?;
        self.spend(LimitName::BytesIn, looked.bytes())?;
        self.give(looked)
    }

    fn url(&mut self, this: Resource<Page>) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "page.url")?;
        let at = self.table.get(&this)?.at.clone();
        let Some(context) = self.browsing.context.clone() else { return Ok(String::new()) };
        match self.address(&context, &at) {
            Ok(url) => Ok(url.map(String::from).unwrap_or_default()),
            Err(Fail::Stop(error)) => Err(error),
            Err(Fail::Fault(_)) => Ok(String::new()),
        }
    }

    async fn fill(&mut self, this: Resource<Page>, selector: String, text: String) -> Result<(), Fail> {
        self.enter(NAME, "page.fill")?;
        self.live(&selector)?;
        self.wrote([text.clone().into_bytes()])?;
        self.spend(LimitName::BytesOut, text.len() as u64)?;
        let at = self.at_of(&this)?;
        let context = self.context()?;
        let withheld = self.is_withheld();
        let filled = self.drive(async move { context.fill(&at, &selector, Text::Open(&text), None).await }).await;
        self.acted(withheld, filled)
    }

    async fn fill_secret(
        &mut self,
        this: Resource<Page>,
        selector: String,
        secret: Resource<Handle>,
    ) -> Result<(), Fail> {
        self.enter(NAME, "page.fill-secret")?;
        self.at(Stage::Login);
        let (at, withheld) = (self.at_of(&this)?, self.is_withheld());
        let typed = self.type_secret(at, selector, secret).await;
        self.acted(withheld, typed)
    }

    async fn click(&mut self, this: Resource<Page>, selector: String) -> Result<(), Fail> {
        self.enter(NAME, "page.click")?;
        self.live(&selector)?;
        let (at, context) = (self.at_of(&this)?, self.context()?);
        let withheld = self.is_withheld();
        let clicked = self.drive(async move { context.click(&at, &selector).await }).await;
        self.acted(withheld, clicked)
    }

    async fn press_keypad(
        &mut self,
        this: Resource<Page>,
        secret: Resource<Handle>,
        keys: Vec<(String, String)>,
    ) -> Result<(), Fail> {
        self.enter(NAME, "page.press-keypad")?;
        self.at(Stage::Login);
        let (at, withheld) = (self.at_of(&this)?, self.is_withheld());
        let pressed = self.press(at, secret, keys).await;
        self.acted(withheld, pressed)
    }

    async fn select(&mut self, this: Resource<Page>, selector: String, values: Vec<String>) -> Result<(), Fail> {
        self.enter(NAME, "page.select")?;
        self.live(&selector)?;
        self.wrote(values.iter().map(|value| value.clone().into_bytes()))?;
        let (at, context) = (self.at_of(&this)?, self.context()?);
        let withheld = self.is_withheld();
        let chosen = self.drive(async move { context.choose(&at, &selector, &values).await }).await;
        self.acted(withheld, chosen)
    }

    async fn key(&mut self, this: Resource<Page>, name: String) -> Result<(), Fail> {
        self.enter(NAME, "page.key")?;
        let (at, context) = (self.at_of(&this)?, self.context()?);
        let withheld = self.is_withheld();
        let pressed = self.drive(async move { context.key(&at, &name).await }).await;
        self.acted(withheld, pressed)
    }

    async fn download(&mut self, this: Resource<Page>, selector: String) -> Result<Resource<Blob>, Fail> {
        self.enter(NAME, "page.download")?;
        self.live(&selector)?;
        let at = self.at_of(&this)?;
        self.download_by(at, selector).await
    }

    async fn response(
        &mut self,
        this: Resource<Page>,
        url_pattern: String,
        max_ms: u32,
    ) -> Result<Option<Resource<Parsed>>, Fail> {
        self.enter(NAME, "page.response")?;
        let pattern = self.url_pattern(&url_pattern)?;
        let at = self.at_of(&this)?;
        let until = Instant::now() + Duration::from_millis(max_ms.into());
        // Before anything is compared with the pattern: that there is such an answer would say which key was pressed.
        self.shown()?;
        let Some(came) = self.next_answer(&at, &pattern, until).await? else { return Ok(None) };
        self.readable(&came)?;
        let looked = self.look(came)?;
        self.spend(LimitName::BytesIn, looked.bytes())?;
        self.give(looked).map(Some)
    }

    async fn frame(&mut self, this: Resource<Page>, selector: String) -> Result<(), Fail> {
        self.enter(NAME, "page.frame")?;
        let at = self.at_of(&this)?;
        let inside = if selector.is_empty() {
            At::page(at.page)
        } else {
            self.live(&selector)?;
            let context = self.context()?;
            let withheld = self.is_withheld();
            let inside = self.drive(async move { context.inside(&at, &selector).await }).await;
            self.acted(withheld, inside)?
        };
        self.table.get_mut(&this)?.at = inside;
        Ok(())
    }

    async fn popup(&mut self, this: Resource<Page>, max_ms: u32) -> Result<Option<Resource<Page>>, Fail> {
        self.enter(NAME, "page.popup")?;
        let (at, context) = (self.at_of(&this)?, self.context()?);
        let until = Instant::now() + Duration::from_millis(max_ms.into());
        let found = self.drive(async move {
            context.session(&at.page)?;
            context
                .wait(until, |state| {
                    let open: Vec<String> = state.tabs.iter().map(|tab| tab.target.clone()).collect();
                    // What a frame with a process of its own opened is nobody's page, so it is any page's.
                    let own = |opener: &String| *opener == at.page || !open.contains(opener);
                    let mut tabs = state.tabs.iter_mut();
                    let popup = tabs.find(|tab| !tab.taken && tab.opener.as_ref().is_some_and(own))?;
                    popup.taken = true;
                    Some(popup.target.clone())
                })
                .await
        });
        let Some(page) = found.await? else { return Ok(None) };
        Ok(Some(self.table.push(Page { at: At::page(page), closed: false })?))
    }

    fn dialog(&mut self, this: Resource<Page>, answer: String) -> Result<(), Fail> {
        self.enter(NAME, "page.dialog")?;
        self.table.get(&this)?;
        let accept = match answer.as_str() {
            "accept" => true,
            "dismiss" => false,
            _ => return Err(self.refuse(Code::InvalidArgument, "a dialog is answered by accept or dismiss")),
        };
        self.context()?.state().dialog = Some(accept);
        Ok(())
    }

    async fn show(
        &mut self,
        this: Resource<Page>,
        selector: String,
        kind: String,
        details: Vec<(String, String)>,
    ) -> Result<Resource<Challenge>, Fail> {
        self.enter(NAME, "page.show")?;
        self.live(&selector)?;
        let (at, context) = (self.at_of(&this)?, self.context()?);
        let withheld = self.is_withheld();
        let picture = self.drive(async move { context.picture(&at, &selector).await }).await;
        let picture = self.acted(withheld, picture)?;
        let held = self.hold(picture.len())?;
        self.ask_person(kind, details, Some(Blob(Arc::new(Zeroizing::new(picture)), held)))
    }

    async fn authenticate(
        &mut self,
        this: Resource<Page>,
        origin: String,
        login: Resource<Handle>,
        password: Resource<Handle>,
    ) -> Result<(), Fail> {
        self.enter(NAME, "page.authenticate")?;
        self.table.get(&this)?;
        let origin = self.target(&origin)?.origin().ascii_serialization();
        let recipes = (self.table.get(&login)?.0.clone(), self.table.get(&password)?.0.clone());
        self.browsing.logins.insert(origin.clone(), recipes);
        let context = self.context()?;
        self.drive(async move { context.answer_logins(origin).await }).await
    }

    fn close(&mut self, this: Resource<Page>) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "page.close")?;
        let page = self.table.get_mut(&this)?;
        page.closed = true;
        let page = page.at.page.clone();
        if let Some(context) = &self.browsing.context {
            context.close_page(&page);
        }
        Ok(())
    }

    fn drop(&mut self, this: Resource<Page>) -> wasmtime::Result<()> {
        let page = self.table.delete(this)?.at.page;
        if let Some(context) = &self.browsing.context {
            context.close_page(&page);
        }
        Ok(())
    }
}
