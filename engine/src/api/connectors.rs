//! What operators see of connectors over HTTP, and what they decide about them while the engine runs: approve, serve, hold, release.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::Asked;
use super::describe::NoContent;
use super::resources::page;
use super::{Answer, At, Body, Operator};
use crate::data::Digest;
use crate::engine::catalogue::{Catalogue, Connector, Standing};
use crate::operator::Deed;

/// Which connectors.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectorsWanted {
    /// `next` of the page before.
    after: Option<Digest>,
    /// How many, 1 to 100; 50 without it.
    limit: Option<u16>,
}

/// Versions of connectors: by connector, the highest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Connectors {
    connectors: Vec<Told>,
    /// Where the next page begins; none after the last one.
    next: Option<Digest>,
}

/// A version of a connector.
#[derive(Serialize, JsonSchema)]
struct Told {
    /// The connector's id.
    connector: String,
    version: String,
    /// Of the whole file.
    digest: Digest,
    /// `approved`, `covered` (it asks for no more than what was approved), `waiting` (for an approval), `revoked`, `given` or `unsigned` (in development).
    standing: &'static str,
    /// What is to be approved, where it waits for that.
    waiting: Option<Waiting>,
    /// The Data Sources that it has.
    sources: Vec<SourceTold>,
}

/// What a version asks for, against the one that was approved before.
#[derive(Serialize, JsonSchema)]
struct Waiting {
    /// Names exactly this difference; an approval says it.
    difference: Digest,
    /// What it asks for beyond the one before, in words.
    added: Vec<String>,
    /// What it asks for no more.
    removed: Vec<String>,
}

/// A Data Source of a version.
#[derive(Serialize, JsonSchema)]
struct SourceTold {
    source: String,
    /// Whether this version serves it to whoever begins now.
    serves: bool,
    /// Since when nobody can choose it.
    held_since: Option<jiff::Timestamp>,
    /// Whether that is because its runs fail.
    suspended: bool,
}

impl Told {
    fn of(catalogue: &Catalogue, connector: &Connector) -> Self {
        let (manifest, id) = (connector.package.manifest(), connector.id());
        let waiting = match &connector.standing {
            Standing::Waiting(difference) => Some(Waiting {
                difference: difference.digest(),
                added: difference.added.iter().map(ToString::to_string).collect(),
                removed: difference.removed.iter().map(ToString::to_string).collect(),
            }),
            _ => None,
        };
        let sources = manifest.sources().iter().map(|source| source.id.as_str()).map(|source| SourceTold {
            source: source.to_owned(),
            serves: catalogue.serving(id, source).is_some_and(|serving| serving.digest == connector.digest),
            held_since: catalogue.held(id, source),
            suspended: catalogue.is_suspended(id, source),
        });
        Self {
            connector: id.to_owned(),
            version: manifest.version().to_string(),
            digest: connector.digest,
            standing: connector.standing.name(),
            waiting,
            sources: sources.collect(),
        }
    }
}

/// Every version that is there.
pub(super) async fn list(
    by: Operator,
    State(engine): At,
    Asked(wanted): Asked<ConnectorsWanted>,
) -> Answer<Json<Connectors>> {
    let most = page(wanted.limit)?;
    engine.note(&by, Deed::HealthLook, None).await?;
    let catalogue = engine.catalogue();
    let mut after = catalogue.connectors().skip_while(|each| wanted.after.is_some_and(|after| each.digest != after));
    if wanted.after.is_some() {
        after.next();
    }
    let mut connectors: Vec<Told> = after.take(most + 1).map(|each| Told::of(&catalogue, each)).collect();
    let more = connectors.len() > most;
    connectors.truncate(most);
    let next = connectors.last().filter(|_| more).map(|last| last.digest);
    Ok(Json(Connectors { connectors, next }))
}

/// What an operator approves.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    /// The version that waits.
    digest: Digest,
    /// The difference that the operator saw.
    difference: Digest,
}

/// Approves what a version asks for.
pub(super) async fn approve(by: Operator, State(engine): At, Body(seen): Body<Approval>) -> Answer<NoContent> {
    engine.approve_connector(&by, seen.digest, &seen.difference.to_string()).await?;
    Ok(NoContent)
}

/// Which version serves a Data Source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Serving {
    connector: String,
    source: String,
    /// The version; without it the highest that may run.
    digest: Option<Digest>,
}

/// Promotes a version, or rolls back to it.
pub(super) async fn serve(by: Operator, State(engine): At, Body(chosen): Body<Serving>) -> Answer<NoContent> {
    engine.choose_version(&by, &chosen.connector, &chosen.source, chosen.digest).await?;
    Ok(NoContent)
}

/// A Data Source of a connector.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    connector: String,
    source: String,
}

/// Holds a Data Source: nobody can choose it.
pub(super) async fn hold(by: Operator, State(engine): At, Body(which): Body<Which>) -> Answer<NoContent> {
    engine.hold(&by, &which.connector, &which.source).await?;
    Ok(NoContent)
}

/// Releases it.
pub(super) async fn release(by: Operator, State(engine): At, Body(which): Body<Which>) -> Answer<NoContent> {
    engine.release_source(&by, &which.connector, &which.source).await?;
    Ok(NoContent)
}
