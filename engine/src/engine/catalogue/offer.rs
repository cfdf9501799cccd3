//! What a person is offered: the Data Sources that can answer a request, and what their logins ask for.

use std::collections::BTreeSet;

use consentry_contract::manifest::{Field, FieldKind, Manifest, Source};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::data::Category;
use crate::online_service::Localised;
use crate::session::question::localised;

/// A Data Source that can be chosen.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Offer {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What it is.
    pub kind: &'static str,
    /// What of the request it can give.
    pub categories: BTreeSet<Category>,
    /// The login fields, for a form.
    pub fields: Vec<LoginField>,
    /// Since when it is in maintenance: it can't be chosen until that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_since: Option<Timestamp>,
}

/// A login field, for a form.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LoginField {
    /// Its name.
    pub name: String,
    /// What the person reads.
    pub label: Localised,
    /// Whether it is hidden while it is typed.
    pub hidden: bool,
    /// Whether it may be left empty.
    pub optional: bool,
    /// What the whole value looks like, as an HTML pattern.
    pub pattern: Option<String>,
}

impl Offer {
    /// What this Data Source can give of what is wanted.
    pub(super) fn of(
        manifest: &Manifest,
        source: &Source,
        wanted: &BTreeSet<Category>,
        held: Option<Timestamp>,
    ) -> Self {
        Self {
            connector: manifest.id().as_str().to_owned(),
            source: source.id.as_str().to_owned(),
            name: source.name.clone(),
            country: source.country.clone(),
            kind: source.kind.as_str(),
            categories: categories(source).intersection(wanted).copied().collect(),
            fields: login_fields(manifest),
            maintenance_since: held,
        }
    }
}

/// The login fields of a connector.
pub fn login_fields(manifest: &Manifest) -> Vec<LoginField> {
    let field = |field: &Field| LoginField {
        name: field.name.as_str().to_owned(),
        label: localised(&field.label),
        hidden: field.kind == FieldKind::Secret,
        optional: field.optional,
        pattern: field.pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
    };
    manifest.fields().iter().map(field).collect()
}

/// What a Data Source can give. Names that are not in the item table can't be in a manifest.
pub(super) fn categories(source: &Source) -> BTreeSet<Category> {
    source.categories.iter().filter_map(|name| name.parse().ok()).collect()
}
