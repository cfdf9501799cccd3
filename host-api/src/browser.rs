//! browser: this host drives none, so `open` is refused and no page ever exists: the resource has no value.

use consentry_contract::failure::Code;
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::browser;
use crate::blob::Blob;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::document::Parsed;
use crate::fault::{Fail, Stopped};
use crate::prompt::Challenge;

/// A page; there is none.
pub enum NoPage {}

const NAME: &str = "browser";

impl HostCtx {
    /// A handle to a page can't have come from `open`.
    fn no_page(&self, this: &Resource<NoPage>) -> Fail {
        match self.table.get(this) {
            Ok(page) => match *page {},
            Err(error) => error.into(),
        }
    }
}

impl browser::Host for HostCtx {
    fn open(&mut self) -> Result<Resource<NoPage>, Fail> {
        self.enter(NAME, "open")?;
        Err(self.refuse(Code::CapabilityDenied, "this host offers no browser"))
    }
}

impl browser::HostPage for HostCtx {
    fn go(&mut self, this: Resource<NoPage>, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn wait_for(&mut self, this: Resource<NoPage>, _: String, _: String, _: u32) -> Result<bool, Fail> {
        Err(self.no_page(&this))
    }
    fn snapshot(&mut self, this: Resource<NoPage>, _: String) -> Result<Resource<Parsed>, Fail> {
        Err(self.no_page(&this))
    }
    fn url(&mut self, _: Resource<NoPage>) -> wasmtime::Result<String> {
        Err(wasmtime::Error::new(Stopped))
    }
    fn fill(&mut self, this: Resource<NoPage>, _: String, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn fill_secret(&mut self, this: Resource<NoPage>, _: String, _: Resource<Handle>) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn click(&mut self, this: Resource<NoPage>, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn press_keypad(
        &mut self,
        this: Resource<NoPage>,
        _: Resource<Handle>,
        _: Vec<(String, String)>,
    ) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn select(&mut self, this: Resource<NoPage>, _: String, _: Vec<String>) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn key(&mut self, this: Resource<NoPage>, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn download(&mut self, this: Resource<NoPage>, _: String) -> Result<Resource<Blob>, Fail> {
        Err(self.no_page(&this))
    }
    fn response(&mut self, this: Resource<NoPage>, _: String, _: u32) -> Result<Option<Resource<Parsed>>, Fail> {
        Err(self.no_page(&this))
    }
    fn frame(&mut self, this: Resource<NoPage>, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn popup(&mut self, this: Resource<NoPage>, _: u32) -> Result<Option<Resource<NoPage>>, Fail> {
        Err(self.no_page(&this))
    }
    fn dialog(&mut self, this: Resource<NoPage>, _: String) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn show(
        &mut self,
        this: Resource<NoPage>,
        _: String,
        _: String,
        _: Vec<(String, String)>,
    ) -> Result<Resource<Challenge>, Fail> {
        Err(self.no_page(&this))
    }
    fn authenticate(
        &mut self,
        this: Resource<NoPage>,
        _: String,
        _: Resource<Handle>,
        _: Resource<Handle>,
    ) -> Result<(), Fail> {
        Err(self.no_page(&this))
    }
    fn close(&mut self, _: Resource<NoPage>) -> wasmtime::Result<()> {
        Err(wasmtime::Error::new(Stopped))
    }
    fn drop(&mut self, this: Resource<NoPage>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
