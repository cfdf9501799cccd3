//! Takes more than a run may have. Each goes on until it is stopped; one that comes to its end has won.

use std::hint::black_box;

use consentry_sdk::contract::document::open;
use consentry_sdk::contract::http;
use consentry_sdk::prelude::*;

pub fn spins() -> Result {
    let mut turns = 0_u64;
    while black_box(true) {
        turns = black_box(turns.wrapping_add(1));
    }
    Ok(())
}

pub fn grows_memory() -> Result {
    let mut all: Vec<Vec<u8>> = Vec::new();
    while black_box(true) {
        all.push(vec![1; 1 << 20]);
    }
    Ok(())
}

pub fn sleeps() -> Result {
    clock::sleep(600_000)
}

/// Without ever waiting for an answer.
pub fn asks_too_often() -> Result {
    loop {
        drop(ask("text").show()?);
    }
}

pub fn keeps_too_many_handles() -> Result {
    let mut all = Vec::new();
    loop {
        all.push(credential("password")?);
    }
}

pub fn keeps_too_many_blobs() -> Result {
    let (bytes, mut all) = (vec![0; 1 << 20], Vec::new());
    while black_box(true) {
        all.push(consentry_sdk::output::Blob::new(&bytes));
    }
    Ok(())
}

pub fn sends_too_many_requests() -> Result {
    loop {
        get("/login").send()?;
    }
}

/// And sends none of them.
pub fn writes_endless_requests() -> Result {
    let (request, text) = (http::Request::new("GET", &(job::base() + "/login")), "x".repeat(1 << 20));
    while black_box(true) {
        request.query("q", &[credentials::Piece::Text(text.clone())]);
    }
    Ok(())
}

pub fn writes_too_many_lines() -> Result {
    for _ in 0..2_000 {
        log::write("info", &"x".repeat(2_000));
    }
    crate::honest()
}

/// Each refusal is told to the author too.
pub fn is_refused_too_often() -> Result {
    for _ in 0..2_000 {
        // The refusal is what is wanted.
        let _ = items::BankTransaction::new("a", "2025-01-01", "b", 1, "EUR").emit();
    }
    crate::honest()
}

pub fn emits_too_many() -> Result {
    for _ in 0..=20_000 {
        items::BankTransaction::new("a", "2025-01-01", "b", 1, "EUR").emit()?;
    }
    Ok(())
}

/// Larger than any document may be, in one call.
pub fn opens_too_large_a_document() -> Result {
    open("html", &"x".repeat(5 << 20)).map(drop)
}

pub fn opens_a_deep_document() -> Result {
    open("html", &"<div>".repeat(100_000)).map(drop)
}

/// Each `<p>` takes up again every formatting element before it: the tree grows with the square of its source.
pub fn opens_a_tangled_document() -> Result {
    let fonts: String = (0..200).map(|number| format!("<font size={number}>")).collect();
    open("html", &("<p>".to_owned() + &fonts + &"<p>x".repeat(20_000))).map(drop)
}

/// A selector that looks at every pair of nodes.
pub fn asks_a_document_too_much() -> Result {
    open("html", &"<i></i>".repeat(50_000))?.find("b ~ i", "text").map(drop)
}

pub fn opens_too_many_documents() -> Result {
    let mut all = Vec::new();
    loop {
        all.push(open("json", "1")?);
    }
}

pub fn opens_deep_json() -> Result {
    open("json", &"[".repeat(100_000)).map(drop)
}

pub fn opens_many_attributes() -> Result {
    let attributes: String = (0..2_000).map(|number| format!(" a{number}=b")).collect();
    open("html", &format!("<p{attributes}>")).map(drop)
}

/// A small source: an entity is one character here and five there.
pub fn opens_much_text() -> Result {
    open("html", &format!("<p>{}", "text ".repeat(100_000))).map(drop)
}

/// Each paragraph holds all that follow, and each is asked for with what it holds.
pub fn asks_for_a_long_answer() -> Result {
    let page = open("html", &("<div>word ".repeat(400) + &"word ".repeat(2_000)))?;
    let column = consentry_sdk::contract::document::Column {
        name: "all".to_owned(),
        at: String::new(),
        take: "html".to_owned(),
    };
    page.rows("div", &[column]).map(drop)
}

pub fn asks_with_a_long_selector() -> Result {
    open("html", "<p>")?.find(&"p ".repeat(1_000), "text").map(drop)
}

/// Asks what the test says, of siblings that nothing tells apart.
pub fn asks_with_quadratic_selectors() -> Result {
    let page = open("html", &"<i class='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'></i>".repeat(20_000))?;
    let _ = page.find(&credentials::plain("elsewhere").unwrap_or_default(), "text")?;
    crate::honest()
}

pub fn emits_too_much() -> Result {
    loop {
        items::BankTransaction::new("a", "2025-01-01", "x".repeat(100), 1, "EUR").emit()?;
    }
}

/// Few, but large.
pub fn keeps_documents() -> Result {
    let (source, mut all) = ("<b>x</b>".repeat(60_000), Vec::new());
    loop {
        all.push(open("html", &source)?);
    }
}

pub fn keeps_answers() -> Result {
    let mut all = Vec::new();
    loop {
        all.push(get("/login").send()?);
    }
}

pub fn keeps_recipes() -> Result {
    let (text, mut all) = ("x".repeat(60_000), Vec::new());
    loop {
        all.push(credentials::join(&[credentials::Piece::Text(text.clone())])?);
    }
}

pub fn reads_too_much() -> Result {
    loop {
        get("/login").send()?;
    }
}

pub fn reports_progress() -> Result {
    for _ in 0..2_000 {
        consentry_sdk::contract::progress::step("first");
    }
    crate::honest()
}

/// The host copies, counts and wipes each; the guest does nothing.
pub fn churns_blobs() -> Result {
    let bytes = vec![0; 8 << 20];
    while black_box(true) {
        drop(consentry_sdk::output::Blob::new(&bytes));
    }
    Ok(())
}

pub fn asks_with_many_details() -> Result {
    let mut question = ask("choose");
    for number in 0..1_000 {
        question = question.detail(&format!("option:{number}"), "x");
    }
    question.show().map(drop)
}
