//! Lists: Data Sources that there are, consents and deliveries of an Online Service. Each comes in pages: `next` of one is `after` of the following.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::Asked;
use super::problem::{Problem, QUERY};
use super::{Answer, At, Caller};
use crate::consent::OwnConsent;
use crate::engine::listing::{SourceFilter, SourceListed};
use crate::id::{ConsentId, ParcelId};
use crate::metering::Told;
use crate::outbox::OwnDelivery;

/// Things on a page, unless it is said.
const PAGE: u16 = 50;
/// Most things on a page.
const PAGE_MAX: u16 = 100;

/// Which Data Sources.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcesWanted {
    /// A part of the name, of any case.
    search: Option<String>,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    /// The kind of Data Source.
    kind: Option<String>,
    /// A category that it can give.
    category: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// How many, 1 to 100; 50 without it.
    limit: Option<u16>,
}

/// Data Sources.
#[derive(Serialize, JsonSchema)]
pub(super) struct Sources {
    sources: Vec<SourceListed>,
    /// Where the next page begins; none after the last one.
    next: Option<String>,
}

/// The Data Sources that are served here.
pub(super) async fn sources(
    _: Caller,
    State(engine): At,
    Asked(wanted): Asked<SourcesWanted>,
) -> Answer<Json<Sources>> {
    let most = page(wanted.limit)?;
    let filter =
        SourceFilter { search: wanted.search, country: wanted.country, kind: wanted.kind, category: wanted.category };
    let (sources, next) = engine.sources(&filter, wanted.after.as_deref(), most);
    Ok(Json(Sources { sources, next }))
}

/// Which consents.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentsWanted {
    /// `next` of the page before.
    after: Option<ConsentId>,
    /// How many, 1 to 100; 50 without it.
    limit: Option<u16>,
}

/// Consents, in the order in which they were asked for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Consents {
    consents: Vec<OwnConsent>,
    /// Where the next page begins; none after the last one.
    next: Option<ConsentId>,
}

/// What the Online Service asked persons for, and what they decided since.
pub(super) async fn consents(
    caller: Caller,
    State(engine): At,
    Asked(wanted): Asked<ConsentsWanted>,
) -> Answer<Json<Consents>> {
    let (consents, next) = engine.own_consents(&caller.0, wanted.after, page(wanted.limit)?).await?;
    Ok(Json(Consents { consents, next }))
}

/// One of them.
pub(super) async fn consent(
    caller: Caller,
    State(engine): At,
    Path(consent): Path<String>,
) -> Answer<Json<OwnConsent>> {
    let consent: ConsentId = consent.parse().map_err(|_| Problem::not_found())?;
    Ok(Json(engine.own_consent(&caller.0, consent).await?))
}

/// Which deliveries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesWanted {
    /// `next` of the page before.
    after: Option<ParcelId>,
    /// How many, 1 to 100; 50 without it.
    limit: Option<u16>,
}

/// Deliveries, in the order in which their parcels were made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<OwnDelivery>,
    /// Where the next page begins; none after the last one.
    next: Option<ParcelId>,
}

/// What waits for the Online Service, what it fetched, and how each delivery ended.
pub(super) async fn deliveries(
    caller: Caller,
    State(engine): At,
    Asked(wanted): Asked<DeliveriesWanted>,
) -> Answer<Json<Deliveries>> {
    let (deliveries, next) = engine.own_deliveries(&caller.0, wanted.after, page(wanted.limit)?).await?;
    Ok(Json(Deliveries { deliveries, next }))
}

/// Counts by month.
#[derive(Serialize, JsonSchema)]
pub(super) struct Months {
    months: Vec<Told>,
}

/// What the Online Service had delivered, month by month: what it is invoiced for.
pub(super) async fn metering(caller: Caller, State(engine): At) -> Answer<Json<Months>> {
    Ok(Json(Months { months: engine.metered(Some(caller.0.id())).await? }))
}

pub(super) fn page(limit: Option<u16>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE);
    let wrong = || Problem::of(&QUERY).detail(format!("`limit` is from 1 to {PAGE_MAX}"));
    (1..=PAGE_MAX).contains(&limit).then_some(usize::from(limit)).ok_or_else(wrong)
}
