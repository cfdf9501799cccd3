//! What a manifest declares and no recording needs: pages that nothing was recognised as, places for secrets that none went to, capabilities
//! that were not called. Each is a permission that an operator would have to approve for nothing, or a page that nobody has seen.

use std::collections::BTreeSet;

use consentry_contract::manifest::SourcePlan;
use consentry_tape::{Event, Tape};

use crate::collect::package::Package;

/// What no recording needs, in sentences; nothing without recordings.
#[must_use]
pub fn of(package: &Package, tapes: &[&Tape]) -> Vec<String> {
    let mut told = Vec::new();
    let Some(first) = tapes.first() else { return told };
    let base = first.inputs.base.parse().ok();
    let Ok(plan) = package.plan(&first.inputs.source, base.as_ref()) else { return told };
    let seen: BTreeSet<&str> =
        tapes.iter().flat_map(|tape| tape.exchanges()).filter_map(|exchange| exchange.page.as_deref()).collect();
    for rule in plan.pages() {
        let page = &rule.page;
        // States that a source shows rarely are derived by the suite.
        let rare = page.failure.is_some() || page.empty.is_some() || !page.errors.is_empty();
        if !rare && !seen.contains(page.id.as_str()) {
            told.push(format!("the page `{}` matches nothing in any recording", page.id));
        }
    }
    told.extend(secrets(&plan, tapes));
    let prompts = tapes.iter().any(|tape| tape.events.iter().any(|event| matches!(event, Event::Prompt { .. })));
    let asks = package.manifest().capabilities().iter().any(|capability| capability.as_str() == "prompt");
    if asks && !prompts {
        told.push("the capability `prompt` is not used in any recording".to_owned());
    }
    told
}

/// Places for secrets that none went to.
fn secrets(plan: &SourcePlan, tapes: &[&Tape]) -> Vec<String> {
    let used: BTreeSet<&str> = tapes
        .iter()
        .flat_map(|tape| &tape.events)
        .flat_map(|event| event.secrets().iter().map(String::as_str))
        .collect();
    let unused = plan.sinks().iter().filter_map(|(_, sink)| {
        let written = format!("{} {} = {}", sink.leaf, sink.slot, sink.recipe);
        (!used.contains(written.as_str()))
            .then(|| format!("no recording puts {} into {} of {}", sink.leaf, sink.slot, sink.url))
    });
    unused.collect()
}
