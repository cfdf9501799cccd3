//! progress: declared steps and counts; no text of the connector reaches the person.

use consentry_contract::limits::LimitName;

use crate::bindings::consentry::connector::progress;
use crate::ctx::HostCtx;

const NAME: &str = "progress";

impl progress::Host for HostCtx {
    fn step(&mut self, id: String) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "step")?;
        if self.manifest.steps().iter().any(|step| step.as_str() == id) && self.budget.spend(LimitName::Progress, 1) {
            self.ports.observer.step(&id);
        }
        Ok(())
    }

    fn count(&mut self, done: u32, total: u32) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "count")?;
        if self.budget.spend(LimitName::Progress, 1) {
            self.ports.observer.count(done, total);
        }
        Ok(())
    }
}
