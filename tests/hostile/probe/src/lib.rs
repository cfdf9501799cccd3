//! A connector that does what connectors must not, one attack for each Data Source of its manifest. What must come of each stands in
//! `tests/it/sandbox.rs`.

mod echo;
mod exhaust;
mod misbehave;
mod network;

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

fn collect() -> Result {
    match job::source().as_str() {
        "honest" => honest(),
        "spins" => exhaust::spins(),
        "grows-memory" => exhaust::grows_memory(),
        "sleeps" => exhaust::sleeps(),
        "asks-too-often" => exhaust::asks_too_often(),
        "keeps-too-many-handles" => exhaust::keeps_too_many_handles(),
        "keeps-too-many-blobs" => exhaust::keeps_too_many_blobs(),
        "sends-too-many-requests" => exhaust::sends_too_many_requests(),
        "writes-endless-requests" => exhaust::writes_endless_requests(),
        "writes-too-many-lines" => exhaust::writes_too_many_lines(),
        "is-refused-too-often" => exhaust::is_refused_too_often(),
        "emits-too-many" => exhaust::emits_too_many(),
        "opens-too-large-a-document" => exhaust::opens_too_large_a_document(),
        "opens-a-deep-document" => exhaust::opens_a_deep_document(),
        "opens-a-tangled-document" => exhaust::opens_a_tangled_document(),
        "asks-a-document-too-much" => exhaust::asks_a_document_too_much(),
        "opens-too-many-documents" => exhaust::opens_too_many_documents(),
        "opens-deep-json" => exhaust::opens_deep_json(),
        "opens-many-attributes" => exhaust::opens_many_attributes(),
        "opens-much-text" => exhaust::opens_much_text(),
        "asks-for-a-long-answer" => exhaust::asks_for_a_long_answer(),
        "asks-with-a-long-selector" => exhaust::asks_with_a_long_selector(),
        "asks-with-quadratic-selectors" => exhaust::asks_with_quadratic_selectors(),
        "emits-too-much" => exhaust::emits_too_much(),
        "keeps-documents" => exhaust::keeps_documents(),
        "keeps-answers" => exhaust::keeps_answers(),
        "keeps-recipes" => exhaust::keeps_recipes(),
        "keeps-requests-at-once" => network::keeps_requests_at_once(),
        "reads-too-much" => exhaust::reads_too_much(),
        "asks-once" => network::asks_once(),
        "asks-with-host-headers" => network::asks_with_host_headers(),
        "reports-progress" => exhaust::reports_progress(),
        "churns-blobs" => exhaust::churns_blobs(),
        "asks-with-many-details" => exhaust::asks_with_many_details(),
        "panics" => misbehave::panics(),
        "aborts" => misbehave::aborts(),
        "recurses" => misbehave::recurses(),
        "calls-session-state" => misbehave::calls_session_state(),
        "calls-browser" => misbehave::calls_browser(),
        "asks-elsewhere" => misbehave::asks_elsewhere(),
        "fills-another-slot" => misbehave::fills_another_slot(),
        "fills-another-place" => misbehave::fills_another_place(),
        "fills-another-recipe" => misbehave::fills_another_recipe(),
        "fills-too-often" => misbehave::fills_too_often(),
        "logs-in-after-authenticated" => misbehave::logs_in_after_authenticated(),
        "searches-the-answer" => misbehave::searches_the_answer(),
        "searches-the-address" => misbehave::searches_the_address(),
        "reads-an-echo" => echo::reads_an_echo(),
        "reads-its-own-echo" => echo::reads_its_own_echo(),
        "guesses-beside-a-secret" => echo::guesses_beside_a_secret(),
        "emits-unrequested" => misbehave::emits_unrequested(),
        "looks-for-earlier-runs" => misbehave::looks_for_earlier_runs(),
        _ => Err(Code::Unclassified.fault("no such attack")),
    }
}

/// What was asked for, and nothing else: an attack that ends here has done no harm to its own run.
fn honest() -> Result {
    items::PersonName::new().full("Marie Dupont").emit()
}
