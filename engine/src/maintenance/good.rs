//! What the pages of a Data Source look like when all is well: shapes without a text, of the last run that brought everything. They say
//! nothing about anybody, so nobody is asked for them; a report shows the difference.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::manifest::SourcePlan;
use consentry_tape::{Allowed, PageShape, Report, Shapes, Tape};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reports::name_of;
use crate::collect::package::Package;
use crate::erase::retention::{R11ErrorReportRedacted, Term};
use crate::rights::declared::Declared;
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

/// How often the shapes of one Data Source are taken anew: to take them, a whole tape is made synthetic.
const ANEW: SignedDuration = SignedDuration::from_hours(24);

/// The last good run of one Data Source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodRun {
    at: Timestamp,
    shapes: Shapes,
}

impl Record for GoodRun {
    const NAMESPACE: &'static str = "good-run";
    type Row = R11ErrorReportRedacted;
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
}

/// The last good runs of a node.
#[derive(Debug)]
pub struct GoodRuns {
    shelf: Shelf<R11ErrorReportRedacted>,
    /// By Data Source: which connector, and when.
    noted: Mutex<HashMap<String, (String, Timestamp)>>,
}

impl GoodRuns {
    /// On these shelves.
    #[must_use]
    pub fn new(shelves: &Shelves) -> Self {
        Self { shelf: shelves.shelf(), noted: Mutex::default() }
    }

    /// Notes the shapes of a run that brought everything: at most once a day for each version of a connector. Nothing of the tape is
    /// left when this is done.
    ///
    /// # Errors
    /// [`StoreError`]: they are not noted.
    pub async fn note(
        &self,
        package: &Package,
        plan: &Arc<SourcePlan>,
        tape: Tape,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (source, digest) = (tape.inputs.source.clone(), package.digest().to_owned());
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |(of, at): &(String, Timestamp)| *of == digest && now.duration_since(*at) < ANEW;
            if noted.get(&source).is_some_and(fresh) {
                return Ok(());
            }
            noted.insert(source.clone(), (digest, now));
        }
        let allowed = Allowed::of(package.manifest(), plan);
        let shapes = tokio::task::spawn_blocking(move || Shapes::of(&tape, &allowed));
        let Ok(shapes) = shapes.await else { return Err(StoreError::Interrupted) };
        let run = GoodRun { at: now, shapes };
        self.shelf.put(&name_of(&source), &run, Expect::Any, Term::from(now)).await.map(drop)
    }

    /// The page that a failed run should have met where it broke.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn beside(&self, report: &Report) -> Result<Option<PageShape>, StoreError> {
        let stored = self.shelf.get::<GoodRun>(&name_of(&report.source)).await?;
        Ok(stored.and_then(|stored| stored.value.shapes.expected(report).cloned()))
    }
}
