//! What the demo shows: who does what, in the order in which it happens.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use serde_json::Value;

/// Begins a numbered step.
pub(crate) fn step(title: &str) {
    static STEPS: AtomicUsize = AtomicUsize::new(1);
    println!("\n{}. {title}", STEPS.fetch_add(1, Ordering::Relaxed));
}

/// Says who does what.
pub(crate) fn by(who: &str, what: &str) {
    println!("   {who:<9} | {what}");
}

/// The notice, as the person reads it.
pub(crate) fn notice(notice: &Value) {
    for section in notice["en"].as_array().into_iter().flatten() {
        by("notice", section["title"].as_str().unwrap_or_default());
        for line in section["lines"].as_array().into_iter().flatten() {
            by("", &format!("  {}", line.as_str().unwrap_or_default()));
        }
    }
    by("notice", &format!("digest {}", notice["digest"].as_str().unwrap_or_default()));
}

/// One event of the session.
pub(crate) fn event(event: &Value) {
    let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
    let told = match event["type"].as_str().unwrap_or_default() {
        "state" => format!("state      {}", text("state")),
        "progress" => format!("progress   {}", text("step")),
        "count" => format!("progress   {} of {}", event["done"], event["total"]),
        "question" => format!("question   {} {}", text("kind"), event["details"]),
        other => other.to_owned(),
    };
    by("event", &told);
}

/// What was found, by category.
pub(crate) fn preview(preview: &Value) {
    let mut counts: Vec<(String, usize)> = vec![];
    for item in preview["items"].as_array().into_iter().flatten() {
        let category = item["category"].as_str().unwrap_or_default().to_owned();
        match counts.iter_mut().find(|(name, _)| *name == category) {
            Some((_, count)) => *count += 1,
            None => counts.push((category, 1)),
        }
    }
    for (category, count) in counts {
        by("preview", &format!("{count:>4} {category}"));
    }
}

/// The receipt, as its signature covers it.
pub(crate) fn receipt(receipt: &Value) -> anyhow::Result<()> {
    let content = content(receipt)?;
    for line in format!("{content:#}").lines() {
        by("receipt", line);
    }
    Ok(())
}

/// The parcel that a receipt names.
pub(crate) fn parcel_of(receipt: &Value) -> anyhow::Result<String> {
    let text = content(receipt)?.to_string();
    let at = text.find("pcl_").context("the receipt names the parcel")?;
    Ok(text[at..].chars().take(30).collect())
}

/// What a signed receipt says. Whether the signature holds was not looked at.
fn content(receipt: &Value) -> anyhow::Result<Value> {
    let token = receipt["receipt"].as_str().context("a receipt is a token")?;
    let payload = token.split('.').nth(1).context("a token has three parts")?;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload)?;
    Ok(serde_json::from_slice(&bytes)?)
}
