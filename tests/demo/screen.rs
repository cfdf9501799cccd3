//! What the demo shows: who does what, in the order in which it happens.

use std::sync::atomic::{AtomicUsize, Ordering};

use consentry::receipt::Facts;
use jiff::Timestamp;
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
        "receipt" => format!("receipt    {}", text("receipt")),
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

/// What a receipt says.
pub(crate) fn receipt(facts: &Facts) {
    by("receipt", &format!("{}, signature in order", facts.receipt));
    by("receipt", &format!("outcome    {}, login opened {}, ended {}", facts.outcome, facts.began_at, facts.ended_at));
    by(
        "receipt",
        &format!("for        {} under {} and the notice {}", facts.online_service, facts.consent, facts.notice),
    );
    let source = &facts.source;
    by(
        "receipt",
        &format!("from       {} by connector {} {} ({})", source.id, source.connector, source.version, source.digest),
    );
    for each in &facts.categories {
        by("receipt", &format!("shared     {:>3} of {:>3} {}", each.shared, each.collected, each.category));
    }
    if let Some(parcel) = &facts.parcel {
        let at = |time: Option<Timestamp>| time.map_or("never".to_owned(), |time| time.to_string());
        by("receipt", &format!("parcel     {} {}", parcel.id, parcel.digest));
        by(
            "receipt",
            &format!("           fetched {}, acknowledged {}", at(parcel.fetched_at), at(parcel.acknowledged_at)),
        );
    }
    for leaf in &facts.leaves {
        by("receipt", &format!("ledger     {} {}", leaf.leaf, leaf.commitment));
    }
    by("receipt", &format!("erased     {}: nothing left at {}", facts.erased.parts.join(", "), facts.erased.at));
    for kept in &facts.kept {
        let until = kept.until.map_or("see the retention table".to_owned(), |until| format!("until {until}"));
        by("receipt", &format!("kept       {} {}, {until}", kept.row, kept.what.join(", ")));
    }
}
