//! What a run is begun with: the plan of its Data Source, the fields that the connector asks for and nothing else, and what its
//! guest may do this time.

use std::collections::BTreeSet;
use std::sync::Arc;

use consentry_contract::manifest::SourcePlan;
use consentry_host_api::Grants;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::credentials::{Fields, Values};
use crate::data::Category;
use crate::engine::catalogue::Connector;
use crate::engine::{Engine, EngineError};

impl Engine {
    /// What a run is held to, at the address that the operator has set.
    pub(in crate::engine) fn plan(&self, connector: &Connector, source: &str) -> Result<Arc<SourcePlan>, EngineError> {
        let base = self.settings.base(connector.id(), source);
        connector.plan(source, base).map_err(|error| {
            let told = EngineError::Source(format!("{}/{source}: {error}", connector.id()));
            tracing::error!("{told}");
            told
        })
    }
}

/// Every field that must be there is there, none is unknown, each has its form.
pub(in crate::engine) fn check_fields(connector: &Connector, fields: Fields) -> Result<Values, EngineError> {
    let declared = connector.package.manifest().fields();
    // Its name is not repeated: whoever confuses names may have put a value there.
    if fields.names().any(|name| declared.iter().all(|field| field.name.as_str() != name)) {
        return Err(EngineError::Fields("there is a field that the connector does not ask for".to_owned()));
    }
    let values = fields.into_values();
    let mut values = values.map_err(|unusable| EngineError::Fields(format!("{} {unusable}", unusable.name)))?;
    values.retain(|(_, value)| !value.is_empty());
    for field in declared {
        let value = values.iter().find(|(name, _)| name == field.name.as_str()).map(|(_, value)| value);
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        let fits = |text: &str| field.pattern.as_ref().is_none_or(|pattern| pattern.matches(text));
        match text {
            None if !field.optional => return Err(EngineError::Fields(format!("{} is missing", field.name))),
            Some(text) if !fits(text) => return Err(EngineError::Fields(format!("{} has another form", field.name))),
            _ => {}
        }
    }
    Ok(values)
}

/// What this guest may do this time: the manifest, cut by the consent. The operator cuts limits and origins elsewhere.
pub(in crate::engine) fn grants(
    connector: &Connector,
    wanted: BTreeSet<Category>,
    history_days: Option<u16>,
    at: Timestamp,
    attended: bool,
) -> Grants {
    let today = at.to_zoned(TimeZone::UTC).date();
    Grants {
        capabilities: connector.package.manifest().capabilities().iter().map(|each| each.as_str().to_owned()).collect(),
        wanted: wanted.into_iter().map(|category| category.name().to_owned()).collect(),
        since: history_days.and_then(|days| today.checked_sub(i64::from(days).days()).ok()),
        attended,
        synchronised: None,
    }
}
