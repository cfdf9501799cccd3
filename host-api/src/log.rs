//! log: bounded lines for the connector's author. They may hold values, so only a development run shows them and nothing stores them.

use std::borrow::Cow;

use consentry_contract::limits::LimitName;

use crate::bindings::consentry::connector::log;
use crate::ctx::HostCtx;

const NAME: &str = "log";

/// What a terminal or a log would take for an order or for another line stands as an escape: no connector writes the engine's lines.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    // Of these, marks of direction let a line read as another one.
    let is_order = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_order) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .fold(String::with_capacity(text.len()), |mut line, c| {
            if is_order(c) {
                line.extend(c.escape_default())
            } else {
                line.push(c)
            }
            line
        })
        .into()
}

impl log::Host for HostCtx {
    fn write(&mut self, level: String, text: String) -> wasmtime::Result<()> {
        self.enter_infallible(NAME, "write")?;
        // A log that is full loses lines, not the run.
        if self.budget.spend(LimitName::LogLines, 1) {
            let most = self.budget.limits().size(LimitName::LogLineBytes);
            let text = one_line(&text[..text.floor_char_boundary(most)]);
            let end = text.floor_char_boundary(most);
            let level = ["debug", "info", "warn", "error"].into_iter().find(|known| *known == level).unwrap_or("info");
            self.ports.observer.log(level, &text[..end]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_gives_no_orders() {
        assert_eq!(one_line("plain, é, 1\u{a0}234"), "plain, é, 1\u{a0}234");
        assert_eq!(one_line("a\r\nb\u{1b}[2J\u{9b}"), "a\\r\\nb\\u{1b}[2J\\u{9b}");
        assert_eq!(one_line("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
    }
}
