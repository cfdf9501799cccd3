//! What can be counted about the process, in the text format of Prometheus: for this machine, and for components known by a certificate.
//! No name, no id and no value of anybody is in it.

use std::fmt::Write as _;

use axum::Extension;
use axum::extract::State;
use consentry_host_api::clear::{self, BOUNDS, Counted, Moment};
use consentry_host_api::memory;

use super::describe::Note;
use super::problem::Problem;
use super::tls::OverTls;
use super::{Answer, At};
use crate::engine::Engine;
use crate::health::{Figures, Place, Window};

pub(super) async fn metrics(State(engine): At, over: Option<Extension<OverTls>>) -> Answer<Note> {
    // Plain HTTP is served to this machine only.
    match over {
        Some(Extension(OverTls(None))) => Err(Problem::not_found()),
        _ => Ok(Note("text/plain; version=0.0.4; charset=utf-8", text() + &health(&engine))),
    }
}

fn text() -> String {
    let name = "consentry_plaintext_seconds";
    let mut text = format!(
        "# HELP {name} How long secrets stood in memory in clear: from their opening until they were sealed for the run, an answer until it was taken, while they were \
         evaluated into a request or for a page, while the client or the browser took it, while an answer was searched for them.\n# TYPE {name} histogram\n"
    );
    for moment in Moment::ALL {
        text += &histogram(name, &format!("moment=\"{}\"", moment.name()), moment.counted());
    }
    let name = "consentry_plaintext_run_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} Of each run, how long any of its secrets stood in memory in clear, all its moments together.\n\
         # TYPE {name} histogram"
    );
    text += &histogram(name, "", clear::runs());
    let name = "consentry_plaintext_blocks_total";
    let _ = writeln!(
        text,
        "# HELP {name} Blocks of memory that work with secrets in clear took: of locked pages, or beside them where they were too few.\n\
         # TYPE {name} counter\n{name}{{memory=\"locked\"}} {}\n{name}{{memory=\"beside\"}} {}",
        memory::inside(),
        memory::beside()
    );
    text
}

/// The lines of one histogram with these labels.
fn histogram(name: &str, labels: &str, counted: Counted) -> String {
    let (mut text, mut so_far) = (String::new(), 0);
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in BOUNDS.iter().zip(counted.within) {
        so_far += count;
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {so_far}", bound.as_secs_f64());
    }
    let all: u64 = counted.within.iter().sum();
    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}");
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = writeln!(text, "{name}_sum{labels} {}\n{name}_count{labels} {all}", counted.sum.as_secs_f64());
    text
}

/// What one gauge says of a place: more labels, and the number.
type Lines<'l> = dyn Fn(Window, &Place, &Figures) -> Vec<(String, f64)> + 'l;

/// How connectors do, by window, as the console shows it: gauges, since a window lets go of what it counted.
fn health(engine: &Engine) -> String {
    let all = Window::ALL.map(|window| (window, engine.health().figures(window, engine.now())));
    let all: Vec<(Window, &Place, &Figures)> =
        all.iter().flat_map(|(window, figures)| figures.iter().map(|(place, of)| (*window, place, of))).collect();
    let mut text = String::new();
    let mut family = |name: &str, help: &str, lines: &Lines<'_>| {
        let _ = writeln!(text, "# HELP consentry_{name} {help}\n# TYPE consentry_{name} gauge");
        for (window, place, figures) in &all {
            let (connector, source, version) = (place.connector(), place.source(), place.version());
            for (labels, value) in lines(*window, place, figures) {
                let window = window.name();
                let _ = writeln!(
                    text,
                    "consentry_{name}{{connector=\"{connector}\",source=\"{source}\",version=\"{version}\",window=\"{window}\"{labels}}} {value}"
                );
            }
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "far fewer runs than a double counts exactly")]
    let count = |number: u64| number as f64;
    family("source_runs", "Runs that ended.", &|_, _, of| vec![(String::new(), count(of.runs))]);
    family("source_judged_runs", "Runs that say something about the connector.", &|_, _, of| {
        vec![(String::new(), count(of.judged))]
    });
    family(
        "source_success_share",
        "Share of judged runs that brought everything; absent on fewer than 20.",
        &|_, _, of| of.success_share.map(|share| (String::new(), share)).into_iter().collect(),
    );
    family("source_failures", "Runs by what went wrong.", &|_, _, of| {
        let labels =
            |stage: &str, blame: &str, code: &str| format!(",stage=\"{stage}\",blame=\"{blame}\",code=\"{code}\"");
        let line = |(fault, runs): &(crate::health::Fault, u64)| {
            (labels(fault.stage.name(), fault.blame.name(), fault.code.name()), count(*runs))
        };
        of.faults.iter().map(line).collect()
    });
    let seconds = "Time of collections without what they waited for persons; absent on fewer than 20.";
    family("source_collection_seconds", seconds, &|_, _, of| {
        let all = [("0.5", of.p50_seconds), ("0.9", of.p90_seconds), ("0.99", of.p99_seconds)];
        all.iter().filter_map(|(rank, value)| Some((format!(",quantile=\"{rank}\""), (*value)?))).collect()
    });
    let _ = writeln!(
        text,
        "# HELP consentry_source_held Data Sources that an operator holds.\n# TYPE consentry_source_held gauge"
    );
    let catalogue = engine.catalogue();
    for (connector, source) in catalogue.all_sources() {
        let held = u8::from(catalogue.held(connector.id(), source.id.as_str()).is_some());
        let (connector, source) = (connector.id(), source.id.as_str());
        let _ = writeln!(text, "consentry_source_held{{connector=\"{connector}\",source=\"{source}\"}} {held}");
    }
    text
}
