//! Lists for Online Services, page by page: the Data Sources that are served, and their own deliveries.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Engine, EngineError};
use crate::data::Category;
use crate::id::ParcelId;
use crate::online_service::OnlineService;
use crate::outbox::OwnDelivery;

/// A Data Source that is served here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceListed {
    /// The connector's id.
    pub connector: String,
    /// The Data Source's id.
    pub source: String,
    /// Its name, as a person knows it.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What it is.
    pub kind: &'static str,
    /// What it can give.
    pub categories: BTreeSet<Category>,
    /// The version of the connector that serves it.
    pub version: String,
}

/// Which Data Sources are listed. What is not said excludes nothing.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// A part of its name, of any case.
    pub search: Option<String>,
    /// Its country.
    pub country: Option<String>,
    /// What it is.
    pub kind: Option<String>,
    /// What it can give.
    pub category: Option<String>,
}

impl SourceFilter {
    fn takes(&self, source: &SourceListed) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        let named = |part: &String| source.name.to_lowercase().contains(&part.to_lowercase());
        let gives = |wanted: &String| source.categories.iter().any(|category| category.name() == wanted);
        self.search.as_ref().is_none_or(named)
            && is(&self.country, &source.country)
            && is(&self.kind, source.kind)
            && self.category.as_ref().is_none_or(gives)
    }
}

impl Engine {
    /// The Data Sources that are served, by connector and id, from the one after `after` (`CONNECTOR/ID`) on, `most` of them or fewer; and
    /// after which the next page begins, if there is one.
    pub fn sources(
        &self,
        filter: &SourceFilter,
        after: Option<&str>,
        most: usize,
    ) -> (Vec<SourceListed>, Option<String>) {
        let catalogue = self.catalogue();
        let mut all: Vec<(String, SourceListed)> = catalogue
            .served()
            .filter_map(|(connector, source)| {
                let told = connector.notice_source(source.id.as_str())?;
                Some(SourceListed {
                    connector: told.connector,
                    source: told.id,
                    name: told.name,
                    country: told.country,
                    kind: source.kind.as_str(),
                    categories: told.categories,
                    version: told.version,
                })
            })
            .filter(|source| filter.takes(source))
            .map(|source| (format!("{}/{}", source.connector, source.source), source))
            .filter(|(at, _)| after.is_none_or(|after| at.as_str() > after))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let next = all.get(most).and_then(|_| all.get(most - 1)).map(|(at, _)| at.clone());
        (all.into_iter().take(most).map(|(_, source)| source).collect(), next)
    }

    /// The deliveries of an Online Service, as [`Outbox::page`](crate::outbox::Outbox::page) gives them.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn own_deliveries(
        &self,
        by: &OnlineService,
        after: Option<ParcelId>,
        most: usize,
    ) -> Result<(Vec<OwnDelivery>, Option<ParcelId>), EngineError> {
        Ok(self.outbox.page(by.id(), after, most, self.clock.now()).await?)
    }
}
