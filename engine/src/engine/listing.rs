//! Lists for Online Services, page by page: the Data Sources that are served and how they do, their own consents, their own deliveries.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Engine, EngineError};
use crate::consent::OwnConsent;
use crate::data::Category;
use crate::health::{Figures, Window};
use crate::id::{ConsentId, ParcelId};
use crate::online_service::OnlineService;
use crate::outbox::OwnDelivery;

/// A Data Source that is served here.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
    /// Since when it is in maintenance: until that is over, nobody can choose it.
    pub maintenance_since: Option<Timestamp>,
    /// How it does.
    pub health: SourceHealth,
}

/// How a Data Source did in the last 24 hours, over all versions of its connector. Few runs may say something about few people: nothing is
/// told of fewer than 20.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SourceHealth {
    /// The share of runs that brought everything that was granted, from 0 to 1, of those whose end was not the person's or the recipient's
    /// doing.
    pub success_share: Option<f64>,
    /// How long half of the collections took at most, in seconds, without what they waited for the person.
    pub p50_seconds: Option<f64>,
    /// The same for nine in ten.
    pub p90_seconds: Option<f64>,
}

impl From<Figures> for SourceHealth {
    fn from(figures: Figures) -> Self {
        let Figures { success_share, p50_seconds, p90_seconds, .. } = figures;
        Self { success_share, p50_seconds, p90_seconds }
    }
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
        let (catalogue, now) = (self.catalogue(), self.clock.now());
        let mut all: Vec<(String, SourceListed)> = catalogue
            .served()
            .filter_map(|(connector, source)| {
                let told = connector.notice_source(source.id.as_str())?;
                Some(SourceListed {
                    maintenance_since: catalogue.held(&told.connector, &told.id),
                    health: self.health.figures_of(&told.connector, &told.id, Window::Day, now).into(),
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

    /// A consent that this Online Service asked for.
    ///
    /// # Errors
    /// [`EngineError::Consent`] where there is none, or it is another's; [`EngineError::Platform`].
    pub async fn own_consent(&self, by: &OnlineService, consent: ConsentId) -> Result<OwnConsent, EngineError> {
        Ok(self.consents.own(by.id(), consent, self.clock.now()).await?)
    }

    /// The consents that an Online Service asked for, as [`ConsentRegister::page`](crate::consent::ConsentRegister::page) gives them.
    ///
    /// # Errors
    /// [`EngineError::Consent`] where the store fails.
    pub async fn own_consents(
        &self,
        by: &OnlineService,
        after: Option<ConsentId>,
        most: usize,
    ) -> Result<(Vec<OwnConsent>, Option<ConsentId>), EngineError> {
        Ok(self.consents.page(by.id(), after, most, self.clock.now()).await?)
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
