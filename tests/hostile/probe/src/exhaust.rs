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
