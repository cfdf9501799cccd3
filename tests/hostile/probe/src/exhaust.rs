//! Takes more than a run may have, as much as its aim says. One that comes to its end has won.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use consentry_sdk::contract::document::open;
use consentry_sdk::contract::http;
use consentry_sdk::prelude::*;

use crate::{Modes, aim, amount, honest};

pub const MODES: Modes = &[
    ("spins", spins),
    ("spins-between-waits", spins_between_waits),
    ("grows-memory", grows_memory),
    ("sleeps", sleeps),
    ("calls", || times(|| Ok(drop(job::source())))),
    ("asks-too-often", || times(|| ask("text").show().map(drop))),
    ("keeps-too-many-handles", || keeps(|| credential("password"))),
    ("keeps-too-many-blobs", || keeps(|| Ok(Blob::new(&vec![0; 1 << 20])))),
    ("keeps-documents", keeps_documents),
    ("keeps-answers", || keeps(|| get("/login").send())),
    ("keeps-recipes", keeps_recipes),
    ("reads-too-much", || times(|| get("/login").send().map(drop))),
    ("sends-too-many-requests", || times(|| get("/login").send().map(drop))),
    ("writes-endless-requests", writes_endless_requests),
    ("writes-too-many-lines", || at_most(2_000, || Ok(log::write("info", &"x".repeat(2_000))))),
    // Each refusal is told to the author too, and is what is wanted.
    ("is-refused-too-often", || at_most(2_000, || Ok(drop(transaction("b").emit())))),
    ("emits-too-many", || times(|| transaction("b").emit())),
    ("emits-too-much", || times(|| transaction(&"x".repeat(100)).emit())),
    // Without ever waiting for an answer.
    ("opens-too-many-documents", || keeps(|| open("json", "1"))),
    ("opens-too-large-a-document", || opens("html", &"x".repeat(5 << 20))),
    ("opens-a-deep-document", || opens("html", &"<div>".repeat(amount().min(100_000)))),
    ("opens-a-tangled-document", opens_a_tangled_document),
    ("opens-deep-json", opens_deep_json),
    ("opens-many-attributes", opens_many_attributes),
    // A small source: an entity is one character here and five there.
    ("opens-much-text", || opens("html", &format!("<p>{}", "text ".repeat(100_000)))),
    ("asks-a-document-too-much", asks_a_document_too_much),
    ("asks-for-a-long-answer", asks_for_a_long_answer),
    ("asks-with-a-long-selector", || open("html", "<p>")?.find(&"p ".repeat(1_000), "text").map(drop)),
    ("asks-with-quadratic-selectors", asks_with_quadratic_selectors),
    ("asks-with-many-details", asks_with_many_details),
    ("reports-progress", || at_most(2_000, || Ok(consentry_sdk::contract::progress::step("first")))),
    ("churns-blobs", churns_blobs),
    ("doubles-a-recipe", doubles_a_recipe),
    ("stretches", stretches),
];

fn times(act: impl FnMut() -> Result) -> Result {
    at_most(usize::MAX, act)
}

/// Where nothing ends it.
fn at_most(times: usize, mut act: impl FnMut() -> Result) -> Result {
    for _ in 0..amount().min(times) {
        act()?;
    }
    honest()
}

/// Lets nothing go.
fn keeps<T>(mut take: impl FnMut() -> Result<T>) -> Result {
    let mut all = Vec::new();
    times(|| Ok(all.push(take()?)))
}

fn opens(format: &str, text: &str) -> Result {
    open(format, text)?;
    honest()
}

fn transaction(label: &str) -> items::BankTransaction {
    items::BankTransaction::new("a", "2025-01-01", label, 1, "EUR")
}

fn spins() -> Result {
    turn(amount());
    honest()
}

/// For a few ticks each time.
fn spins_between_waits() -> Result {
    loop {
        turn(amount());
        clock::sleep(1)?;
    }
}

/// A number that no compiler counts ahead.
fn turn(times: usize) {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    TURNS.store(0, Relaxed);
    while TURNS.fetch_add(1, Relaxed) < times {}
}

fn grows_memory() -> Result {
    keeps(|| Ok(black_box(vec![1_u8; 1 << 20])))
}

fn sleeps() -> Result {
    clock::sleep(aim().parse().unwrap_or(600_000))?;
    honest()
}

/// Few, but large.
fn keeps_documents() -> Result {
    let source = "<b>x</b>".repeat(60_000);
    keeps(|| open("html", &source))
}

fn keeps_recipes() -> Result {
    let text = "x".repeat(60_000);
    keeps(|| credentials::join(&[credentials::Piece::Text(text.clone())]))
}

/// And sends none of them.
fn writes_endless_requests() -> Result {
    let (request, text) = (http::Request::new("GET", &(job::base() + "/login")), "x".repeat(1 << 20));
    times(|| Ok(request.query("q", &[credentials::Piece::Text(text.clone())])))
}

/// Each `<p>` takes up again every formatting element before it: the tree grows with the square of its source.
fn opens_a_tangled_document() -> Result {
    let fonts: String = (0..200).map(|number| format!("<font size={number}>")).collect();
    opens("html", &("<p>".to_owned() + &fonts + &"<p>x".repeat(amount().min(20_000))))
}

fn opens_deep_json() -> Result {
    let levels = amount().min(100_000);
    opens("json", &("[".repeat(levels) + &"]".repeat(levels)))
}

fn opens_many_attributes() -> Result {
    let attributes: String = (0..amount().min(2_000)).map(|number| format!(" a{number}=b")).collect();
    opens("html", &format!("<p{attributes}>"))
}

/// A selector that looks at every pair of nodes.
fn asks_a_document_too_much() -> Result {
    open("html", &"<i></i>".repeat(amount().min(50_000)))?.find("b ~ i", "text")?;
    honest()
}

/// Each paragraph holds all that follow, and each is asked for with what it holds.
fn asks_for_a_long_answer() -> Result {
    let page = open("html", &("<div>word ".repeat(400) + &"word ".repeat(2_000)))?;
    let column = consentry_sdk::contract::document::Column {
        name: "all".to_owned(),
        at: String::new(),
        take: "html".to_owned(),
    };
    page.rows("div", &[column])?;
    honest()
}

/// Asks what the test says, of siblings that nothing tells apart.
fn asks_with_quadratic_selectors() -> Result {
    let page = open("html", &"<i class='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'></i>".repeat(20_000))?;
    let _ = page.find(&aim(), "text")?;
    honest()
}

fn asks_with_many_details() -> Result {
    let mut question = ask("choose");
    for number in 0..1_000 {
        question = question.detail(&format!("option:{number}"), "x");
    }
    question.show().map(drop)
}

/// The host copies, counts and wipes each; the guest does nothing.
fn churns_blobs() -> Result {
    let bytes = vec![0; 8 << 20];
    times(|| Ok(drop(Blob::new(&bytes))))
}

/// Twice as long each time, and never written out.
fn doubles_a_recipe() -> Result {
    let mut recipe = credential("password")?;
    times(|| Ok(recipe = secret::join((&recipe, &recipe))?))
}

/// Has the host work for it.
fn stretches() -> Result {
    let rounds = aim().parse().unwrap_or(u32::MAX);
    secret::stretch("pbkdf2-sha-512", &credential("password")?, "salt", rounds, 64)?;
    honest()
}
