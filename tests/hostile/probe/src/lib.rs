//! A connector that does what connectors must not: which attack, and its aim, it reads in two public fields. What must come of each stands
//! in the tables of `tests/hostile`.
#![expect(clippy::unit_arg, reason = "an attack is one line of a table")]

mod browse;
mod deceive;
mod echo;
mod exhaust;
mod fill;
mod misbehave;
mod network;

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

fn collect() -> Result {
    let mode = credentials::plain("mode").unwrap_or_default();
    let modes =
        [exhaust::MODES, misbehave::MODES, network::MODES, echo::MODES, fill::MODES, deceive::MODES, browse::MODES]
            .concat();
    match modes.iter().find(|(name, _)| *name == mode) {
        Some((_, attack)) => attack(),
        None => Err(Code::Unclassified.fault("no such attack")),
    }
}

/// Attacks by name.
type Modes = &'static [(&'static str, fn() -> Result)];

/// What was asked for, and nothing else: an attack that ends here has got what it wanted, or done no harm to its own run.
fn honest() -> Result {
    items::PersonName::new().full("Marie Dupont").emit()
}

/// What the test told it.
fn aim() -> String {
    credentials::plain("aim").unwrap_or_default()
}

/// How much to take; all there is, if the test says nothing.
fn amount() -> usize {
    aim().parse().unwrap_or(usize::MAX)
}

/// Tells its author why it was refused, and goes on with that.
fn told<T>(answer: Result<T>) -> Result<T> {
    answer.inspect_err(|fault| log::write("warn", &format!("fault {} {}", fault.code, fault.text)))
}
