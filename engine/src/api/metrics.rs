//! What can be counted about the process, in the text format of Prometheus: for this machine, and for components known by a certificate.
//! No name, no id and no value of anybody is in it.

use std::fmt::Write as _;

use axum::Extension;
use consentry_host_api::clear::{BOUNDS, Moment};

use super::Answer;
use super::describe::Note;
use super::problem::Problem;
use super::tls::OverTls;

pub(super) async fn metrics(over: Option<Extension<OverTls>>) -> Answer<Note> {
    // Plain HTTP is served to this machine only.
    match over {
        Some(Extension(OverTls(None))) => Err(Problem::not_found()),
        _ => Ok(Note("text/plain; version=0.0.4; charset=utf-8", text())),
    }
}

fn text() -> String {
    let name = "consentry_plaintext_seconds";
    let mut text = format!(
        "# HELP {name} How long secrets stood in memory in clear: while they were evaluated into a request, while the client sent it, \
         while its answer was searched for them.\n# TYPE {name} histogram\n"
    );
    for moment in Moment::ALL {
        let (counted, label) = (moment.counted(), moment.name());
        let mut so_far = 0;
        for (bound, count) in BOUNDS.iter().zip(counted.within) {
            so_far += count;
            let _ = writeln!(text, "{name}_bucket{{moment=\"{label}\",le=\"{}\"}} {so_far}", bound.as_secs_f64());
        }
        let all: u64 = counted.within.iter().sum();
        let _ = writeln!(text, "{name}_bucket{{moment=\"{label}\",le=\"+Inf\"}} {all}");
        let _ = writeln!(text, "{name}_sum{{moment=\"{label}\"}} {}", counted.sum.as_secs_f64());
        let _ = writeln!(text, "{name}_count{{moment=\"{label}\"}} {all}");
    }
    text
}
