//! The node itself: deliveries, retention, keys, and what operators did.

use axum::extract::State;
use serde::Deserialize;

use super::page::{Act, Cell, Name, Page, Tone};
use super::{Answer, Sent, Signed, shown, to};
use crate::api::Shared;
use crate::engine::EngineError;
use crate::erase::retention::{Period, TABLE};
use crate::id::ParcelId;
use crate::keys::KeyState;
use crate::operator::Deed;
use crate::outbox::How;

/// Most ended deliveries, and most entries of the audit log, on a page.
const SHOWN_MAX: usize = 200;

pub(super) async fn deliveries(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::OutboxLook, None).await?;
    let all = engine.deliveries().await?;
    let waiting = all.iter().filter(|each| each.end.is_none()).map(|each| {
        let (told, tone) = match (each.fetched_at, each.tell_at) {
            (Some(_), _) => ("fetched", Tone::Good),
            (None, Some(_)) => ("is being told", Tone::Plain),
            (None, None) => ("told, or given up", Tone::Warn),
        };
        let fields = vec![("parcel", each.parcel.to_string())];
        let act = Act { to: "/console/tell-again", label: "Tell again", about: Name::id(each.parcel), fields };
        vec![
            Cell::Name(Name::id(each.parcel)),
            Cell::Name(Name::id(each.online_service)),
            Cell::Instant(each.queued_at),
            Cell::Instant(each.deadline),
            Cell::Number(u64::from(each.attempts)),
            Cell::State(told, tone),
            each.tell_at.map_or(Cell::Nothing, Cell::Instant),
            if each.fetched_at.is_none() { Cell::Button(act) } else { Cell::Nothing },
        ]
    });
    let waiting = waiting.collect();
    let mut ended: Vec<_> = all.iter().filter_map(|each| Some((each, each.end?))).collect();
    ended.retain(|(_, end)| end.how == How::Undelivered);
    ended.sort_by_key(|(_, end)| std::cmp::Reverse(end.at));
    let dead = ended.into_iter().take(SHOWN_MAX).map(|(each, end)| {
        vec![
            Cell::Name(Name::id(each.parcel)),
            Cell::Name(Name::id(each.online_service)),
            Cell::Instant(each.queued_at),
            Cell::Instant(end.at),
            Cell::Number(u64::from(each.attempts)),
            end.fetched_at.map_or(Cell::State("never fetched", Tone::Bad), Cell::Instant),
        ]
    });
    let page = Page::new("Deliveries", &signed.csrf())
        .table(
            "Parcels that wait to be fetched and acknowledged",
            &["parcel", "Online Service", "since", "until", "attempts to tell", "state", "next attempt", ""],
            waiting,
        )
        .table(
            "Dead letters: nobody acknowledged them within their hour",
            &["parcel", "Online Service", "since", "ended", "attempts to tell", "fetched"],
            dead.collect(),
        )
        .text("What is in a dead letter was erased when its hour was over: it can't be sent again, the person has to begin anew.");
    Ok(shown(page.show(&signed.operator)))
}

#[derive(Deserialize)]
pub(super) struct Which {
    parcel: String,
}

pub(super) async fn tell_again(State(engine): State<Shared>, Sent(signed, which): Sent<Which>) -> Answer {
    let parcel: ParcelId = which.parcel.parse().map_err(|_| EngineError::NotFound)?;
    engine.tell_again(&signed.operator, parcel).await?;
    Ok(to("/console/deliveries"))
}

pub(super) async fn retention(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::RetentionLook, None).await?;
    let passes = engine.passes();
    let erased = |row: &str| passes.iter().filter_map(|pass| pass.erased.get(row)).sum::<usize>() as u64;
    let rows = TABLE.iter().map(|row| {
        vec![
            Cell::Words(row.id),
            Cell::Many(row.categories.iter().map(|category| Cell::Words(category)).collect()),
            Cell::Many(row.triggers.iter().map(|trigger| Cell::Words(trigger)).collect()),
            period(row.period),
            Cell::Words(row.action),
            Cell::Number(erased(row.id)),
        ]
    });
    let runs = passes.iter().rev().take(SHOWN_MAX).map(|pass| {
        let rows = pass
            .erased
            .iter()
            .flat_map(|(row, count)| [Cell::Words(row), Cell::Words("×"), Cell::Number(*count as u64)]);
        vec![
            Cell::Instant(pass.at),
            Cell::Many(rows.collect()),
            Cell::Number(pass.keys as u64),
            Cell::Number(pass.dead as u64),
        ]
    });
    let page = Page::new("Retention", &signed.csrf())
        .facts(vec![("Last looked", engine.last_erasure().map_or(Cell::Nothing, Cell::Instant))])
        .table(
            "Runs that erased something, since the node started",
            &["when", "records, by row", "keys destroyed", "deliveries ended"],
            runs.collect(),
        )
        .table(
            "The table, and what was erased of it since the node started",
            &["row", "what", "counts from", "period", "then", "erased"],
            rows.collect(),
        );
    Ok(shown(page.show(&signed.operator)))
}

fn period(period: Option<Period>) -> Cell {
    match period {
        None => Cell::Words("for ever"),
        Some(Period::Seconds(0)) => Cell::Words("at once"),
        Some(Period::Months(months)) if months % 12 == 0 && months > 12 => {
            Cell::Many(vec![Cell::Number(u64::from(months / 12)), Cell::Words("years")])
        }
        Some(Period::Months(months)) => Cell::Many(vec![Cell::Number(months.into()), Cell::Words("months")]),
        Some(Period::Seconds(seconds)) if seconds >= 86_400 => {
            Cell::Many(vec![Cell::Number(u64::from(seconds / 86_400)), Cell::Words("days")])
        }
        Some(Period::Seconds(seconds)) => {
            Cell::Many(vec![Cell::Number(u64::from(seconds / 60)), Cell::Words("minutes")])
        }
    }
}

pub(super) async fn keys(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::KeysLook, None).await?;
    let keys = engine.key_states().await?;
    let rows = keys.iter().map(|key| {
        let tone = if matches!(key.state, KeyState::Current) { Tone::Good } else { Tone::Plain };
        vec![
            Cell::Words(key.duty.name()),
            Cell::State(key.state.name(), tone),
            Cell::Instant(key.made_at),
            Cell::Name(Name::key(key)),
        ]
    });
    let page = Page::new("Keys", &signed.csrf())
        .table("The node's own keys", &["duty", "state", "made", "key"], rows.collect())
        .text("They are made, rotated, retired and destroyed with consentry keys, beside a node that runs.");
    Ok(shown(page.show(&signed.operator)))
}

pub(super) async fn audit(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::AuditExport, None).await?;
    let entries = engine.audit_log().await?;
    let rows = entries.iter().rev().take(SHOWN_MAX).map(|entry| {
        vec![
            Cell::Instant(entry.at),
            Cell::Name(Name::actor(entry.by)),
            Cell::Words(entry.deed.name()),
            entry.about.as_ref().map_or(Cell::Nothing, |about| Cell::Name(Name::about(about))),
        ]
    });
    let page = Page::new("Audit", &signed.csrf())
        .facts(vec![("Entries kept", Cell::Number(entries.len() as u64))])
        .table("What operators did, the last first", &["when", "who", "what", "about"], rows.collect())
        .text("All of it: consentry audit export.");
    Ok(shown(page.show(&signed.operator)))
}
