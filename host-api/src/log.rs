//! log: bounded lines for the connector's author. They may hold values, so only a development run shows them and nothing stores them.

use consentry_contract::limits::LimitName;

use crate::bindings::consentry::connector::log;
use crate::ctx::HostCtx;

const NAME: &str = "log";

impl log::Host for HostCtx {
    fn write(&mut self, level: String, text: String) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "write")?;
        // A log that is full loses lines, not the run.
        if self.budget.spend(LimitName::LogLines, 1) {
            let end = text.floor_char_boundary(self.budget.limits().size(LimitName::LogLineBytes));
            let level = ["debug", "info", "warn", "error"].into_iter().find(|known| *known == level).unwrap_or("info");
            self.ports.observer.log(level, &text[..end]);
        }
        Ok(())
    }
}
