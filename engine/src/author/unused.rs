//! What a manifest declares and no recording needs: each is a permission that an operator would have to approve for nothing, or a page that nobody has
//! seen. Raised limits and `session-state` leave nothing on a recording, so nothing is said of them.

use std::collections::BTreeSet;

use consentry_contract::manifest::{Capability, FieldKind, Manifest, SourcePlan};
use consentry_contract::recipe::LeafKind;
use consentry_tape::{Event, Exchange, Tape};
use url::Url;

use super::shelf::Recording;
use crate::collect::package::Package;

/// What no recording needs, in sentences; nothing without recordings.
#[must_use]
pub fn of(package: &Package, recordings: &[Recording]) -> Vec<String> {
    if recordings.is_empty() {
        return Vec::new();
    }
    let manifest = package.manifest();
    let tapes: Vec<&Tape> = recordings.iter().map(|recording| &recording.tape).collect();
    let mut told = Vec::new();
    for source in manifest.sources() {
        let id = source.id.as_str();
        let own: Vec<&Tape> = tapes.iter().copied().filter(|tape| tape.inputs.source == id).collect();
        let base = own.first().and_then(|tape| tape.inputs.base.parse().ok());
        match package.plan(id, base.as_ref()) {
            Ok(plan) if !own.is_empty() => told.extend(origins(&plan, &own)),
            _ => told.push(format!("no recording is of the source {id}")),
        }
    }
    told.extend(categories(manifest, recordings));
    // What is declared once is declared for all sources, so the first that is on a recording speaks for all.
    let plan =
        tapes.first().and_then(|tape| package.plan(&tape.inputs.source, tape.inputs.base.parse().ok().as_ref()).ok());
    if let Some(plan) = plan {
        told.extend(pages(&plan, &tapes));
        told.extend(sinks(&plan, &tapes));
        told.extend(captures(&plan, &tapes));
    }
    told.extend(capabilities(manifest, &tapes));
    told.extend(asked(manifest, &tapes));
    told.extend(literals(manifest, &tapes));
    told
}

fn exchanges<'t>(tapes: &'t [&Tape]) -> impl Iterator<Item = &'t Exchange> {
    tapes.iter().flat_map(|tape| tape.exchanges())
}

fn origins(plan: &SourcePlan, tapes: &[&Tape]) -> Vec<String> {
    let urls: Vec<Url> = exchanges(tapes).filter_map(|exchange| Url::parse(&exchange.url).ok()).collect();
    // Where a redirect leads is a request, too.
    let moved = exchanges(tapes).flat_map(|exchange| {
        let from = Url::parse(&exchange.url).ok();
        let target = move |to: &str| from.as_ref()?.join(to).ok();
        exchange.hops.iter().filter_map(|hop| hop.header("location")).filter_map(target).collect::<Vec<_>>()
    });
    let gone: Vec<Url> = urls.into_iter().chain(moved).collect();
    let unused = plan.origins().iter().filter(|origin| !gone.iter().any(|url| origin.contains(url)));
    unused.map(|origin| format!("no recording goes to {origin} for the source {}", plan.id())).collect()
}

fn categories(manifest: &Manifest, recordings: &[Recording]) -> Vec<String> {
    let brought = |category: &str| {
        let mut lines = recordings.iter().flat_map(|recording| &recording.expected);
        lines.any(|line| {
            let mut words = line.split(' ');
            let outcome = |word: &str| {
                word.strip_prefix(category)
                    .and_then(|rest| rest.strip_prefix('='))
                    .is_some_and(|count| !count.starts_with('0'))
            };
            line.split(' ').next() == Some(category) || words.any(outcome)
        })
    };
    let unused = manifest.categories().iter().filter(|category| !brought(category));
    unused.map(|category| format!("no recording brings {category}")).collect()
}

/// Pages that nothing was recognised as. Those of rare states are one line: the suite draws them from their rules.
fn pages(plan: &SourcePlan, tapes: &[&Tape]) -> Vec<String> {
    let seen: BTreeSet<&str> = exchanges(tapes).filter_map(|exchange| exchange.page.as_deref()).collect();
    let unseen = plan.pages().iter().map(|rule| &rule.page).filter(|page| !seen.contains(page.id.as_str()));
    let (rare, common): (Vec<_>, Vec<_>) =
        unseen.partition(|page| page.failure.is_some() || page.empty.is_some() || !page.errors.is_empty());
    let mut told: Vec<String> =
        common.iter().map(|page| format!("the page `{}` matches nothing in any recording", page.id)).collect();
    if !rare.is_empty() {
        let ids: Vec<&str> = rare.iter().map(|page| page.id.as_str()).collect();
        told.push(format!("only their rules say how these pages look, no recording shows one: {}", ids.join(", ")));
    }
    told
}

fn used<'t>(tapes: &'t [&Tape]) -> BTreeSet<&'t str> {
    tapes.iter().flat_map(|tape| &tape.events).flat_map(|event| event.secrets().iter().map(String::as_str)).collect()
}

/// Places for secrets that none went to.
fn sinks(plan: &SourcePlan, tapes: &[&Tape]) -> Vec<String> {
    let used = used(tapes);
    let unused = plan.sinks().iter().filter_map(|(_, sink)| {
        let written = format!("{} {} = {}", sink.leaf, sink.slot, sink.recipe);
        (!used.contains(written.as_str()))
            .then(|| format!("no recording puts {} into {} of {}", sink.leaf, sink.slot, sink.url))
    });
    unused.collect()
}

/// What would be cut out of answers that none asked for.
fn captures(plan: &SourcePlan, tapes: &[&Tape]) -> Vec<String> {
    let asked = |capture: &&consentry_contract::manifest::Capture| {
        exchanges(tapes).any(|exchange| {
            // A browser asks for itself: what is on the tape then has no method.
            Url::parse(&exchange.url).is_ok_and(|url| capture.from.matches(&exchange.method, &url))
        })
    };
    let unused = plan.captures().iter().filter(|capture| !asked(capture));
    unused.map(|capture| format!("no recording asks for what captured.{} is cut out of", capture.name)).collect()
}

fn capabilities(manifest: &Manifest, tapes: &[&Tape]) -> Vec<String> {
    let any = |is: fn(&Event) -> bool| tapes.iter().any(|tape| tape.events.iter().any(is));
    let used = |capability: &Capability| match capability {
        Capability::Http => any(|event| matches!(event, Event::Http(_))),
        Capability::Browser => any(|event| matches!(event, Event::Page(_))),
        Capability::Prompt => any(|event| matches!(event, Event::Prompt { .. })),
        Capability::SessionState => true,
    };
    let unused = manifest.capabilities().iter().filter(|capability| !used(capability));
    unused.map(|capability| format!("the capability `{capability}` is not used in any recording")).collect()
}

/// What the person is asked for, and no recording has.
fn asked(manifest: &Manifest, tapes: &[&Tape]) -> Vec<String> {
    let used = used(tapes);
    let goes = |leaf: &str| used.iter().any(|written| written.contains(leaf));
    let fields = manifest.fields().iter().filter(|field| match field.kind {
        FieldKind::Public => tapes.iter().all(|tape| !tape.inputs.public.contains_key(field.name.as_str())),
        _ => !goes(&format!("{}.{}", LeafKind::Field.as_str(), field.name)),
    });
    let fields = fields.map(|field| format!("no recording needs the field {}", field.name));
    let parts: BTreeSet<&str> = tapes
        .iter()
        .flat_map(|tape| &tape.events)
        .filter_map(|event| match event {
            Event::Prompt { parts, .. } => Some(parts),
            _ => None,
        })
        .flat_map(|parts| parts.iter().map(|part| part.name.as_str()))
        .collect();
    let answers = manifest.answers().iter().filter(|answer| !parts.contains(answer.name.as_str()));
    let answers = answers.map(|answer| format!("no recording asks by {} for {}", answer.prompt, answer.name));
    fields.chain(answers).collect()
}

/// Words that stay readable and stand in no answer. What stands in a file is not looked for, nor what may be written in several ways.
fn literals(manifest: &Manifest, tapes: &[&Tape]) -> Vec<String> {
    let bodies: Vec<&[u8]> =
        exchanges(tapes).flat_map(|exchange| &exchange.hops).map(|hop| hop.body.0.as_slice()).collect();
    if bodies.iter().any(|body| std::str::from_utf8(body).is_err()) {
        return Vec::new();
    }
    let stands = |literal: &&String| bodies.iter().any(|body| String::from_utf8_lossy(body).contains(literal.as_str()));
    let unused = manifest.literals().iter().filter(|literal| literal.is_ascii() && !stands(literal));
    unused.map(|literal| format!("the text {literal:?} stands in no recording")).collect()
}
