//! log: bounded lines for the connector's author. They may hold values, so only a development run shows them and nothing stores them.

use consentry_contract::limits::LimitName;
use consentry_contract::plain::plain;

use crate::bindings::consentry::connector::log;
use crate::ctx::HostCtx;

const NAME: &str = "log";

impl log::Host for HostCtx {
    fn write(&mut self, level: String, text: String) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "write")?;
        // A log that is full loses lines, not the run.
        if self.budget.spend(LimitName::LogLines, 1) {
            let most = self.budget.limits().size(LimitName::LogLineBytes);
            // What a terminal or a log would take for an order or for another line stands as an escape: no connector writes the engine's lines.
            let text = plain(&text[..text.floor_char_boundary(most)]);
            let end = text.floor_char_boundary(most);
            let level = ["debug", "info", "warn", "error"].into_iter().find(|known| *known == level).unwrap_or("info");
            self.ports.observer.log(level, &text[..end]);
        }
        Ok(())
    }
}
