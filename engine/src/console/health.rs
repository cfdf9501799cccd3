//! How connectors do: all Data Sources on one page, each on a page of its own; holding and releasing them.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use serde::Deserialize;

use super::page::{Act, Cell, Name, Page, Tone};
use super::versions::version_cells;
use super::{Answer, Sent, Signed, shown, to};
use crate::api::Shared;
use crate::engine::EngineError;
use crate::engine::catalogue::Catalogue;
use crate::health::{Figures, Window};
use crate::operator::Deed;

pub(super) async fn overview(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::HealthLook, None).await?;
    let catalogue = engine.catalogue();
    let mut rows: Vec<(bool, f64, Vec<Cell>)> = vec![];
    for (connector, source) in catalogue.all_sources() {
        let of = |window| engine.health().figures_of(connector.id(), source.id.as_str(), window, engine.now());
        let [hour, day, week] = Window::ALL.map(of);
        let (state, tone) = standing(&catalogue, connector.id(), source.id.as_str());
        let serving = catalogue.serving(connector.id(), source.id.as_str());
        let to = format!("/console/sources/{}/{}", connector.id(), source.id.as_str());
        let cells = vec![
            Cell::Link(Name::source(connector, source), to),
            Cell::State(state, tone),
            serving.map_or(Cell::Nothing, |serving| Cell::Name(Name::version(serving))),
            Cell::Number(day.runs),
            Cell::Share(hour.success_share),
            Cell::Share(day.success_share),
            Cell::Share(week.success_share),
            Cell::Seconds(day.p50_seconds),
            Cell::Seconds(day.p90_seconds),
            Cell::Seconds(day.p99_seconds),
            top_fault(&week),
        ];
        rows.push((tone == Tone::Good, day.success_share.or(week.success_share).unwrap_or(2.0), cells));
    }
    // What needs somebody comes first.
    rows.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let store = match engine.healthy().await {
        Ok(()) => Cell::State("takes writes", Tone::Good),
        Err(_) => Cell::State("does not work; see the log", Tone::Bad),
    };
    let page = Page::new("Health", &signed.csrf())
        .facts(vec![
            ("Store and keys", store),
            ("Open sessions", Cell::Number(engine.open_sessions() as u64)),
            ("Data Sources", Cell::Number(rows.len() as u64)),
            (
                "Mode",
                if engine.is_development() { Cell::State("development", Tone::Warn) } else { Cell::Words("production") },
            ),
        ])
        .table(
            "Data Sources; those that need somebody first",
            &[
                "Data Source",
                "state",
                "version",
                "runs 24 h",
                "success 1 h",
                "24 h",
                "7 d",
                "p50 24 h",
                "p90",
                "p99",
                "most frequent failure 7 d",
            ],
            rows.into_iter().map(|(_, _, cells)| cells).collect(),
        )
        .text("Success is the share of runs that brought everything, of those that did not end by the person's or the recipient's turn. It is told from 20 runs on. Times are those of collections, without what they waited for persons.");
    Ok(shown(page.show(&signed.operator)))
}

fn top_fault(figures: &Figures) -> Cell {
    match figures.faults.first() {
        None => Cell::Nothing,
        Some((fault, count)) => Cell::Many(vec![
            Cell::Name(Name::fault(fault)),
            Cell::Words("at"),
            Cell::Words(fault.stage.name()),
            Cell::Words("×"),
            Cell::Number(*count),
        ]),
    }
}

/// How a Data Source stands.
pub(super) fn standing(catalogue: &Catalogue, connector: &str, source: &str) -> (&'static str, Tone) {
    if catalogue.is_suspended(connector, source) {
        ("suspended: its runs fail", Tone::Bad)
    } else if catalogue.held(connector, source).is_some() {
        ("held", Tone::Warn)
    } else if catalogue.serving(connector, source).is_some() {
        ("serving", Tone::Good)
    } else {
        ("not served", Tone::Bad)
    }
}

pub(super) async fn source(
    signed: Signed,
    State(engine): State<Shared>,
    Path((connector, source)): Path<(String, String)>,
) -> Answer {
    engine.note(&signed.operator, Deed::HealthLook, None).await?;
    let catalogue = engine.catalogue();
    let found = catalogue.all_sources().find(|(one, other)| one.id() == connector && other.id.as_str() == source);
    let Some((known, known_source)) = found else { return Err(EngineError::NotFound.into()) };
    let name = Name::source(known, known_source);
    let now = engine.now();
    let (state, tone) = standing(&catalogue, &connector, &source);
    let since = catalogue.held(&connector, &source);
    let windows = Window::ALL.map(|window| (window, engine.health().figures_of(&connector, &source, window, now)));
    let faults = windows[2].1.faults.clone();
    let figures = windows.iter().map(|(window, figures)| {
        let mut cells = vec![Cell::Words(window.name())];
        cells.extend(figure_cells(figures));
        cells
    });
    let by_version: BTreeMap<_, _> = engine.health().figures(Window::Week, now);
    let by_version = by_version.iter().filter(|(place, _)| place.connector() == connector && place.source() == source);
    let by_version = by_version.map(|(place, figures)| {
        let mut cells = vec![Cell::Name(Name::version_of(place))];
        cells.extend(figure_cells(figures));
        cells
    });
    let act = if since.is_some() { ("/console/release", "Release") } else { ("/console/hold", "Hold") };
    let fields = vec![("connector", connector.clone()), ("source", source.clone())];
    let button = Act { to: act.0, label: act.1, about: name.clone(), fields };
    let may = signed.operator.may(Deed::SourceHold);
    let page = Page::new("Data Source", &signed.csrf())
        .named(&name)
        .facts(vec![
            ("State", Cell::State(state, tone)),
            ("Held since", since.map_or(Cell::Nothing, Cell::Instant)),
            ("To do", if may { Cell::Button(button) } else { Cell::Nothing }),
        ])
        .table(
            "By window",
            &["window", "runs", "judged", "whole", "partial", "left", "success", "p50", "p90", "p99"],
            figures.collect(),
        )
        .table(
            "What went wrong in seven days",
            &["stage", "turn", "failure", "runs"],
            faults
                .iter()
                .map(|(fault, count)| {
                    vec![
                        Cell::Words(fault.stage.name()),
                        Cell::Words(fault.blame.name()),
                        Cell::Name(Name::fault(fault)),
                        Cell::Number(*count),
                    ]
                })
                .collect(),
        )
        .table(
            "By version, in seven days",
            &["version", "runs", "judged", "whole", "partial", "left", "success", "p50", "p90", "p99"],
            by_version.collect(),
        )
        .table(
            "Versions",
            &["version", "digest", "may run", "serves", ""],
            version_cells(&catalogue, &connector, &source, signed.operator.may(Deed::VersionChoose)),
        )
        .text("A source that is held can be chosen by nobody; persons read that it is in maintenance. Sessions that have chosen it go on. The engine holds one whose runs fail: until it is released, another version serves it, or a re-test brings everything.");
    Ok(shown(page.show(&signed.operator)))
}

fn figure_cells(figures: &Figures) -> [Cell; 9] {
    [
        Cell::Number(figures.runs),
        Cell::Number(figures.judged),
        Cell::Number(figures.whole),
        Cell::Number(figures.partial),
        Cell::Number(figures.left),
        Cell::Share(figures.success_share),
        Cell::Seconds(figures.p50_seconds),
        Cell::Seconds(figures.p90_seconds),
        Cell::Seconds(figures.p99_seconds),
    ]
}

#[derive(Deserialize)]
pub(super) struct Which {
    connector: String,
    source: String,
}

pub(super) async fn hold(State(engine): State<Shared>, Sent(signed, which): Sent<Which>) -> Answer {
    engine.hold(&signed.operator, &which.connector, &which.source).await?;
    Ok(to(&format!("/console/sources/{}/{}", which.connector, which.source)))
}

pub(super) async fn release(State(engine): State<Shared>, Sent(signed, which): Sent<Which>) -> Answer {
    engine.release_source(&signed.operator, &which.connector, &which.source).await?;
    Ok(to(&format!("/console/sources/{}/{}", which.connector, which.source)))
}
