//! session-state: only runs under the consent for automatic synchronisation may keep anything. This host starts none, so the capability is
//! never granted and every call ends in `enter` with `capability-denied`.

use consentry_contract::failure::Code;
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::session_state;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::fault::Fail;

const NAME: &str = "session-state";

impl HostCtx {
    fn not_synchronised(&mut self, function: &'static str) -> Fail {
        match self.enter(NAME, function) {
            Err(fail) => fail,
            Ok(()) => self.refuse(Code::CapabilityDenied, "this run has no consent for automatic synchronisation"),
        }
    }
}

impl session_state::Host for HostCtx {
    fn note(&mut self, _: String) -> Result<Option<String>, Fail> {
        Err(self.not_synchronised("note"))
    }

    fn keep_note(&mut self, _: String, _: String) -> Result<(), Fail> {
        Err(self.not_synchronised("keep-note"))
    }

    fn kept_secret(&mut self, _: String) -> Result<Option<Resource<Handle>>, Fail> {
        Err(self.not_synchronised("kept-secret"))
    }

    fn keep_secret(&mut self, _: String, _: Resource<Handle>) -> Result<(), Fail> {
        Err(self.not_synchronised("keep-secret"))
    }

    fn keep_cookies(&mut self, _: Vec<String>) -> Result<(), Fail> {
        Err(self.not_synchronised("keep-cookies"))
    }

    fn forget(&mut self) -> Result<(), Fail> {
        Err(self.not_synchronised("forget"))
    }
}
