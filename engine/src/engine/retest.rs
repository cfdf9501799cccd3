//! A live re-test of a break: one run of the connector that serves its Data Source now, with a login that somebody lent for that. The opening is
//! in the record that its person sees before the login is opened. Nobody answers what is asked meanwhile, and what the run brings is dropped:
//! all that is told is how it ended.

use std::path::PathBuf;
use std::sync::Arc;

use consentry_contract::failure::{Code, Failure, Gathered};
use consentry_host_api::clear::{Moment, RunInClear};
use consentry_host_api::memory::locked;
use consentry_host_api::ports::{Asked, Prompter, Question};
use consentry_host_api::stop::Stopper;
use consentry_host_api::tape::NoTape;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::catalogue::Connector;
use super::ports::{RunClock, RunRandom};
use super::run::begun::{check_fields, grants};
use super::{Engine, EngineError};
use crate::collect::Order;
use crate::consent::{Consent, Status};
use crate::credentials::Fields;
use crate::id::{ConsentId, ReportId};
use crate::jose::jwe::CREDENTIALS_BYTES_MAX;
use crate::keys::Duty;
use crate::maintenance::Silent;
use crate::maintenance::lent::{Lending, Why};
use crate::operator::audit::About;
use crate::operator::{Deed, Operator};

/// How a re-test ended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Retested {
    /// The report of whoever lent the login.
    report: ReportId,
    /// The version of the connector that ran.
    version: String,
    /// When the login was opened, as its person sees it.
    opened_at: Timestamp,
    /// `complete`, `partial`, or the code of the failure.
    outcome: String,
    /// Where and why not everything was brought.
    #[schemars(with = "Option<crate::schema::Failure>")]
    failure: Option<Failure>,
}

/// After these, a login is of no use, and to try it again could lock the account. The last is said of one that was sealed for something else.
const USELESS: [Code; 4] =
    [Code::CredentialsRejected, Code::CredentialsExpired, Code::AccountLocked, Code::DecryptFailed];

/// Nobody is there.
struct Nobody;

impl Prompter for Nobody {
    fn ask(&self, _: Question) -> Result<Asked, Code> {
        Err(Code::PersonAbsent)
    }
}

impl Engine {
    /// Tries a break again on its live Data Source, once, with the login of those that were lent for it that was opened least.
    ///
    /// # Errors
    /// [`EngineError::NotAllowed`]; [`EngineError::NotFound`] where no login is lent for it. A connector that can't run here: no login is
    /// opened.
    pub async fn retest(self: &Arc<Self>, by: &Operator, ticket: &str) -> Result<Retested, EngineError> {
        self.note(by, Deed::ReportRetest, Some(About::of(ticket))).await?;
        self.retest_noted(ticket).await
    }

    /// The same, once the deed is noted.
    ///
    /// # Errors
    /// As [`Engine::retest`].
    pub async fn retest_noted(self: &Arc<Self>, ticket: &str) -> Result<Retested, EngineError> {
        let (engine, ticket) = (self.clone(), ticket.to_owned());
        // Whoever asked may go away: the run goes on to its end, which its person is told.
        let tried = self.tasks.spawn(async move { engine.try_again(&ticket).await });
        tried.await.map_err(|lost| EngineError::Platform(Box::new(lost)))?
    }

    /// Does the re-tests that were asked for through files of the data folder, which only its owner can write, and leaves what came of them
    /// beside. A request is taken away first: one request, one opening.
    pub(super) fn answer_retests(self: &Arc<Self>) {
        let Some(files) = self.data_folder().and_then(|data| std::fs::read_dir(data.join("retest")).ok()) else {
            return;
        };
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            if path.extension().is_some_and(|end| end == "request") {
                let engine = self.clone();
                self.tasks.spawn(async move { engine.answer_retest(path).await });
            }
        }
    }

    async fn answer_retest(self: Arc<Self>, path: PathBuf) {
        let taken = crate::secret_file::read_private(&path).and_then(|text| {
            std::fs::remove_file(&path)?;
            Ok(text)
        });
        // Another pass was faster, or it is not its owner's.
        let Ok(text) = taken else { return };
        let answer = match self.retest_noted(String::from_utf8_lossy(&text).trim_end()).await {
            Ok(retested) => serde_json::json!({ "retested": retested }),
            Err(error) => serde_json::json!({ "refused": crate::causes::chain(&error).to_string() }),
        };
        let answer = answer.to_string();
        if let Err(error) =
            crate::forward::file::receive(&path.with_extension("answer"), answer.as_bytes(), &self.entropy)
        {
            tracing::error!(%error, "what came of a re-test can't be left where it was asked for");
        }
    }

    async fn try_again(&self, ticket: &str) -> Result<Retested, EngineError> {
        let (lending, consent) = self.next_lent(ticket).await?;
        let catalogue = self.catalogue();
        let unserved = || EngineError::Source(format!("nothing serves {} now", lending.source));
        let connector = catalogue.serving(&lending.connector, &lending.source).cloned().ok_or_else(unserved)?;
        self.check_usable(&connector, &lending.source).await?;
        let lendings = self.reports.lendings();
        let running = lendings.begin(lending.consent).await.ok_or(EngineError::NotFound)?;
        let opened_at = self.clock.now();
        let jwe = lendings.open(lending.consent, opened_at).await?.ok_or(EngineError::NotFound)?;
        let ran = self.run_with(&lending, &consent, &connector, &jwe, running.stopper()).await;
        // Whoever ends it meanwhile waits for this.
        drop((jwe, running));
        let (outcome, failure) = match ran {
            Ok(Gathered { shortfall: None, .. }) => ("complete".to_owned(), None),
            Ok(Gathered { shortfall, .. }) => ("partial".to_owned(), shortfall),
            Err(failure) => (failure.code.to_string(), Some(failure)),
        };
        tracing::info!(report = %lending.report, source = lending.source, outcome, "a break was tried again");
        // First what needs no room.
        if failure.as_ref().is_some_and(|failure| USELESS.contains(&failure.code)) {
            lendings.end(lending.consent, Why::Unusable, self.clock.now()).await?;
        }
        lendings.note(lending.consent, opened_at, &outcome).await?;
        if outcome == "complete" {
            self.lift_suspension(connector.id(), &lending.source).await?;
        }
        let version = connector.package.manifest().version().to_string();
        Ok(Retested { report: lending.report, version, opened_at, outcome, failure })
    }

    /// The one that was opened least, of people whose consent stands.
    async fn next_lent(&self, ticket: &str) -> Result<(Lending, Consent), EngineError> {
        if !self.reports.is_open(ticket).await? {
            return Err(EngineError::NotFound);
        }
        for lending in self.reports.lendings().of(ticket).await? {
            if let Some(consent) = self.stands(lending.consent).await {
                return Ok((lending, consent));
            }
        }
        Err(EngineError::NotFound)
    }

    /// A consent that was neither withdrawn nor restricted.
    pub(super) async fn stands(&self, consent: ConsentId) -> Option<Consent> {
        let consent = self.consents.record(consent).await.ok()?;
        let withdrawn = matches!(consent.status(), Status::Withdrawn | Status::Refused);
        (!withdrawn && consent.restriction().is_none()).then_some(consent)
    }

    /// One run. Its items end here.
    async fn run_with(
        &self,
        lending: &Lending,
        consent: &Consent,
        connector: &Connector,
        jwe: &str,
        stopper: Stopper,
    ) -> Result<Gathered, Failure> {
        let order = self.lent_order(lending, consent, connector, jwe, stopper).await.map_err(|error| {
            tracing::warn!(report = %lending.report, error = crate::causes::chain(&error), "a re-test did not begin");
            Failure::new(error.code())
        })?;
        let collection = self.collector.collect(order).await;
        if let Err(error) = self.note_access(&lending.source, &collection.items).await {
            tracing::error!(error = crate::causes::chain(&error), "an access has no entry in the log");
        }
        collection.result
    }

    async fn lent_order(
        &self,
        lending: &Lending,
        consent: &Consent,
        connector: &Connector,
        jwe: &str,
        stopper: Stopper,
    ) -> Result<Order, EngineError> {
        // A token that is away refuses as one does to which it was not sealed: neither makes the login useless.
        let opened = self.keys.open(Duty::Maintenance, jwe, CREDENTIALS_BYTES_MAX).await;
        let plaintext = opened.map_err(|_| EngineError::Platform("a lent login does not open now".into()))?;
        let in_clear = RunInClear::default();
        let _clear = in_clear.begin(Moment::Open);
        let fields = locked(|| Fields::read(&plaintext)).map_err(|_| EngineError::Sealed)?;
        drop(plaintext);
        if fields.session() != lending.session || fields.question().is_some() {
            return Err(EngineError::Sealed);
        }
        let values = check_fields(connector, fields)?;
        let plan = self.plan(connector, &lending.source)?;
        Ok(Order {
            package: connector.package.clone(),
            plan,
            grants: grants(connector, consent.collected(), consent.history_days(), self.clock.now(), false),
            vault: self.fill_vault(connector, &lending.source, values, None)?.of(in_clear),
            language: lending.language.clone(),
            callback: (self.settings.callback().to_owned(), self.secret()),
            prompter: Arc::new(Nobody),
            observer: Arc::new(Silent),
            tape: Arc::new(NoTape),
            clock: Arc::new(RunClock(self.clock.clone())),
            random: Box::new(RunRandom(self.entropy.clone())),
            stopper,
        })
    }
}
