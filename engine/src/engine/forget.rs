//! Erasure because somebody asked for it: of a session, of a person, of everything that an Online Service had done. What a law
//! keeps stays, and the receipt names it.

pub(super) mod asked;
mod survivors;
mod unproved;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use survivors::{Survivors, why_kept};
use unproved::Before;
pub(super) use unproved::Unproved;
use whose::Whose;

use super::rights::Directive;
use super::{Engine, EngineError, STOP_WAIT};
use crate::account::{AccountName, SourceAccess};
use crate::connection::{Connection, KeptSession};
use crate::consent::Consent;
use crate::erase::receipt::{ErasedRecord, ErasureReceipt, Facts, NOT_CLAIMED, Scope, Searched};
use crate::erase::retention::{
    R05TransactionTrace, R11ErrorReportRedacted, R13Account, R14ConsentRecord, R15ConsentLogLeaf, R16RightsRequest,
    R18SecurityAuditLog, R19EscrowLink, R21FallbackAccessLog, R22PostMortemDirective, R24DeliveryOutcome,
    Retained as _, Term,
};
use crate::escrow::Escrowed;
use crate::id::{ConsentId, ParcelId, ReceiptId, ReportId, SessionId};
use crate::keys::Destroyed;
use crate::maintenance::lent::{LentLogin, Why};
use crate::maintenance::reports::Given;
use crate::outbox::OutboxError;
use crate::receipt::Receipt;
use crate::session::Session;
use crate::session::row::SessionRow;
use crate::store::{Erasure, ROOTS_PROVIDER, Standing, StoreError, record_key};

/// How often it is looked whether a run has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What belongs to a scope.
#[derive(Default)]
struct Belongings {
    /// Keys in the store of what is erased.
    records: Vec<String>,
    parcels: Vec<ParcelId>,
    /// Under these consents a login was lent.
    lendings: Vec<ConsentId>,
    /// Reports of failures that were given.
    reports: BTreeSet<ReportId>,
    survivors: Survivors,
}

impl Engine {
    /// Erases what is kept of a scope, and says what is left. Sessions that run end first, as withdrawn. To erase again erases
    /// what has come since. What can't be noted, on a full disk for example, keeps nothing from being erased; then there is no receipt yet,
    /// and that of the next time names what went this time, too, as long as the engine lives.
    ///
    /// # Errors
    /// [`EngineError`]: ask again; what was erased stays erased.
    pub async fn erase(&self, scope: Scope) -> Result<ErasureReceipt, EngineError> {
        let mut whose = self.whose(scope).await?;
        // What the end of a session erases by itself is a part of it.
        let first = self.belongings(&whose).await?;
        let before = self.shelves.standing(&first.records).await?;
        let ended = self.end_what_runs(&whose).await;
        // A session that ends puts its receipt into its person's account.
        whose.receipts = self.receipts_of(&whose).await?;
        let mut belongings = self.belongings(&whose).await?;
        let unproved = self.unproved.of(scope);
        for parcel in first.parcels.into_iter().chain(unproved.parcels) {
            belongings.take_parcel(Some(parcel))?;
        }
        // Who gave a report is known as long as its session is here.
        belongings.take_reports(first.reports)?;
        let before = before.and(unproved.standing).and(self.shelves.standing(&belongings.records).await?);
        let parcels = belongings.parcels.clone();
        let erased = match ended {
            Ok(()) => self.erase_belongings(&whose, &mut belongings).await,
            // Nothing goes that a run still works with.
            Err(error) => Err(error),
        };
        let receipt = match erased {
            Ok(destroyed) => {
                self.receipt_of_erasure(&whose, before.clone(), destroyed, belongings.survivors, self.clock.now()).await
            }
            Err(error) => Err(error),
        };
        self.unproved.set(scope, receipt.is_err().then_some(Before { standing: before, parcels }));
        receipt
    }

    async fn end_what_runs(&self, whose: &Whose) -> Result<(), EngineError> {
        for session in self.sessions.all().into_iter().filter(|session| whose.has(session)) {
            if !session.state().is_end() {
                self.withdraw(&session).await?;
            }
            self.wait_for_its_end(&session).await?;
            self.sessions.remove(&session);
        }
        Ok(())
    }

    /// Takes every step, and tells the first that failed.
    async fn erase_belongings(
        &self,
        whose: &Whose,
        belongings: &mut Belongings,
    ) -> Result<Vec<Destroyed>, EngineError> {
        let now = self.clock.now();
        let mut all = self.end_connections(|connection| whose.connected(connection)).await;
        for consent in self.consents_of(whose).await? {
            // Its period begins now, if it has not begun.
            let ended = self.end_consent(consent.id(), now).await;
            all = all.and(ended);
        }
        let records = std::mem::take(&mut belongings.records);
        let Erasure { destroyed, failures, .. } = self.shelves.erase_records(records, now).await;
        all = all.and(failures.into_iter().next().map_or(Ok(()), |error| Err(error.into())));
        for consent in &belongings.lendings {
            // The login is gone; the record of its consent says so.
            let ended = self.reports.lendings().end(*consent, whose.scope.why_lending_ends(), now).await;
            all = all.and(ended.map(drop).map_err(EngineError::from));
        }
        for parcel in &belongings.parcels {
            // Its bytes are gone; its end is noted.
            match self.outbox.give_up(*parcel, now).await {
                Ok(_) => belongings.survivors.survive(R24DeliveryOutcome::ROW, &Term::from(now), Some(1)),
                Err(OutboxError::Unknown) => {}
                Err(error) => all = all.and(Err(error.into())),
            }
        }
        all = all.and(self.forget_names(whose).await);
        // What is still open anywhere in an older copy of our files closes here.
        let closed = self.shelves.destroy_due(now).await;
        all?;
        Ok(destroyed.into_iter().chain(closed?).collect())
    }

    async fn end_consent(&self, consent: ConsentId, now: Timestamp) -> Result<(), EngineError> {
        self.consents.expire(consent, now).await?;
        self.ledger.consent_terminated(consent, now).await?;
        Ok(())
    }

    async fn receipt_of_erasure(
        &self,
        whose: &Whose,
        before: Standing,
        destroyed: Vec<Destroyed>,
        survivors: Survivors,
        now: Timestamp,
    ) -> Result<ErasureReceipt, EngineError> {
        let (mut searched, mut keys) = self.shelves.search(&before, now).await?;
        // The end of a session destroys keys, too: what this erasure destroyed itself is not all.
        keys.extend(destroyed);
        keys.sort_by(|one, other| one.key.cmp(&other.key));
        keys.dedup_by(|one, other| one.key == other.key);
        let held = self.sessions.all();
        let found = held.iter().filter(|session| whose.has(session)).count();
        searched.push(Searched { place: "sessions in memory".to_owned(), looked_at: held.len(), found });
        let facts = Facts {
            format: 0,
            receipt: self.entropy.with(|rng| ReceiptId::new(now, rng)),
            node: self.node.clone(),
            scope: whose.scope,
            at: now,
            destroyed: counts(&before.records, &keys),
            erased: before.records,
            keys,
            unnamed: 0,
            searched,
            survives: survivors.at(now),
            not_claimed: NOT_CLAIMED.map(str::to_owned).into(),
        };
        Ok(ErasureReceipt::sign(facts, &*self.keys).await?)
    }

    async fn wait_for_its_end(&self, session: &Arc<Session>) -> Result<(), EngineError> {
        let ended = async {
            while session.is_busy() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // No receipt for what is still in memory. The session stays where it is, for whoever asks again.
        let unfinished = |_| EngineError::Platform("a run goes on that was told to end: ask again".into());
        tokio::time::timeout(STOP_WAIT, ended).await.map_err(unfinished)
    }

    async fn whose(&self, scope: Scope) -> Result<Whose, EngineError> {
        let account = match scope {
            Scope::Subject(id) => self.accounts.of_subject(id).await?,
            Scope::Session(_) | Scope::OnlineService(_) | Scope::LentLogin(_) => None,
        };
        let mut whose = Whose { scope, account, sessions: BTreeSet::new(), receipts: vec![] };
        let rows = self.rows.all().await?;
        let held = self.sessions.all();
        let stored = rows.iter().filter(|row| whose.has_row(row)).map(|row| row.id);
        let here = held.iter().filter(|session| whose.has(session)).map(|session| session.id());
        whose.sessions = stored.chain(here).collect();
        whose.receipts = self.receipts_of(&whose).await?;
        Ok(whose)
    }

    async fn receipts_of(&self, whose: &Whose) -> Result<Vec<(AccountName, SourceAccess)>, EngineError> {
        let is_of = |account: &AccountName, kept: &SourceAccess| match whose.scope {
            // We checked it when it was put there.
            Scope::Session(id) => Receipt::unverified(&kept.token).is_some_and(|facts| facts.session == id),
            Scope::OnlineService(id) => kept.online_service == id,
            Scope::Subject(_) => {
                whose.account.as_ref().is_some_and(|(of, with)| of == account && *with == kept.online_service)
            }
            Scope::LentLogin(_) => false,
        };
        Ok(self.accounts.receipts_where(is_of).await?)
    }

    async fn consents_of(&self, whose: &Whose) -> Result<Vec<Consent>, EngineError> {
        let is_of = |consent: &Consent| match whose.scope {
            Scope::Session(id) => consent.session() == id,
            Scope::OnlineService(id) => consent.online_service() == id,
            Scope::Subject(_) => {
                whose.sessions.contains(&consent.session())
                    || whose.receipts.iter().any(|(_, kept)| kept.consent == consent.id())
            }
            Scope::LentLogin(_) => false,
        };
        Ok(self.consents.all().await?.into_iter().filter(is_of).collect())
    }

    /// Takes the names under which Online Services know persons out of their accounts. Of one session nothing goes: the name is as old as
    /// the first one.
    async fn forget_names(&self, whose: &Whose) -> Result<(), EngineError> {
        match (whose.scope, &whose.account) {
            (Scope::Session(_) | Scope::LentLogin(_), _) | (Scope::Subject(_), None) => {}
            (Scope::Subject(_), Some((account, with))) => self.accounts.forget_subject(account, *with).await?,
            (Scope::OnlineService(with), _) => {
                for account in self.accounts.known_to(with).await? {
                    self.accounts.forget_subject(&account, with).await?;
                }
            }
        }
        Ok(())
    }

    /// What else is kept about these consents: what a person asked for and what an authority may have opened, by order only, survives;
    /// what they wanted after their death goes, as if they had revoked it.
    async fn about(
        &self,
        whose: &Whose,
        consents: &BTreeSet<ConsentId>,
        all: &mut Belongings,
    ) -> Result<(), EngineError> {
        for request in self.rights_requests().await? {
            let is_theirs = whose.scope == Scope::OnlineService(request.online_service);
            if is_theirs || consents.contains(&request.consent) {
                all.survivors.survive(R16RightsRequest::ROW, &request.term(), Some(1));
            }
        }
        for name in self.shelves.shelf::<R22PostMortemDirective>().names::<Directive>().await? {
            if name.parse().is_ok_and(|consent: ConsentId| consents.contains(&consent)) {
                all.records.push(record_key::<Directive>(&name)?);
            }
        }
        if matches!(whose.scope, Scope::Subject(_)) {
            // Those are found by the person's name, also where the consent is over.
            return Ok(());
        }
        let shelf = self.shelves.shelf::<R19EscrowLink>();
        for name in shelf.names::<Escrowed>().await? {
            let of = name.split_once('.').and_then(|(_, consent)| consent.parse().ok());
            if of.is_some_and(|consent: ConsentId| consents.contains(&consent))
                && let Some(stored) = shelf.get::<Escrowed>(&name).await?
            {
                all.survivors.survive(R19EscrowLink::ROW, &stored.term, Some(1));
            }
        }
        Ok(())
    }

    /// The keys of what is kept of their connections.
    async fn connected(&self, whose: &Whose) -> Result<Vec<String>, EngineError> {
        let mut records = vec![];
        for connection in self.connections.all().await?.into_iter().filter(|each| whose.connected(each)) {
            let name = connection.consent.to_string();
            records.extend([record_key::<Connection>(&name)?, record_key::<KeptSession>(&name)?]);
        }
        Ok(records)
    }

    async fn belongings(&self, whose: &Whose) -> Result<Belongings, EngineError> {
        let now = self.clock.now();
        let mut all = Belongings::default();
        for row in self.rows.all().await? {
            if whose.has_row(&row) {
                all.records.push(record_key::<SessionRow>(&row.id.to_string())?);
                all.take_parcel(row.notes.parcel.map(|parcel| parcel.id))?;
            }
        }
        let mut consents: BTreeSet<_> = whose.receipts.iter().map(|(_, kept)| kept.consent).collect();
        for consent in self.consents_of(whose).await? {
            consents.insert(consent.id());
            let term = if consent.is_open() { Term::open() } else { Term::from(consent.changed_at()) };
            all.survivors.survive(R14ConsentRecord::ROW, &term, Some(1));
            all.survivors.survive(R15ConsentLogLeaf::ROW, &Term::from(now), None);
            all.take_parcel(consent.sending())?;
        }
        all.records.extend(self.connected(whose).await?);
        for lending in self.reports.lendings().all().await?.into_iter().filter(|lending| whose.lent(lending)) {
            all.records.push(record_key::<LentLogin>(&lending.consent.to_string())?);
            all.survivors.survive(R14ConsentRecord::ROW, &lending.term(), Some(1));
            all.lendings.push(lending.consent);
            // To take a login back takes no report back: each was a consent of its own.
            if !matches!(whose.scope, Scope::LentLogin(_)) {
                all.take_reports([lending.report])?;
            }
        }
        let sessions = self.sessions.all();
        let given = sessions.iter().filter(|session| whose.has(session)).filter_map(|session| session.offered()?.given);
        all.take_reports(given)?;
        for (account, kept) in &whose.receipts {
            all.records.push(record_key::<SourceAccess>(&account.access(kept.receipt))?);
        }
        self.about(whose, &consents, &mut all).await?;
        if !matches!(whose.scope, Scope::LentLogin(_)) {
            let since = if let Scope::Session(id) = whose.scope { began(id) } else { now };
            // One that was given in a session that is not here any more names nobody.
            all.survivors.survive(R11ErrorReportRedacted::ROW, &Term::from(since), None);
            // Nor does the count of what was read at a Data Source.
            all.survivors.survive(R21FallbackAccessLog::ROW, &Term::from(since), None);
        }
        match whose.scope {
            Scope::LentLogin(_) => {}
            Scope::OnlineService(id) => {
                for trace in self.traces.of(id).await? {
                    all.records.push(record_key::<crate::trace::Trace>(&trace.to_string())?);
                }
            }
            Scope::Session(id) => {
                let accounts: BTreeSet<_> = whose.receipts.iter().map(|(account, _)| account.as_str()).collect();
                if !accounts.is_empty() {
                    all.survivors.survive(R13Account::ROW, &Term::open(), Some(accounts.len()));
                }
                // A trace names no session and no person.
                all.survivors.survive(R05TransactionTrace::ROW, &Term::from(began(id)), None);
            }
            Scope::Subject(id) => {
                all.survivors.survive(R05TransactionTrace::ROW, &Term::from(now), None);
                for (key, row, term) in self.shelves.named(&id.to_string()).await? {
                    match why_kept(row) {
                        Some(_) => all.survivors.survive(row, &term, Some(1)),
                        None => all.records.push(key),
                    }
                }
            }
        }
        for entry in self.audit_log().await? {
            if entry.about.is_some_and(|about| about.as_str() == whose.scope.to_string()) {
                all.survivors.survive(R18SecurityAuditLog::ROW, &Term::from(entry.at), Some(1));
            }
        }
        Ok(all)
    }
}

/// How many keys of each kind are gone.
fn counts(records: &[ErasedRecord], keys: &[Destroyed]) -> BTreeMap<String, usize> {
    let of_tables = keys.iter().filter(|key| key.provider == ROOTS_PROVIDER).count();
    let counts = [
        ("keys of records", records.len()),
        ("root keys of key tables", of_tables),
        ("roots of the key provider", keys.len() - of_tables),
    ];
    counts.map(|(kind, count)| (kind.to_owned(), count)).into()
}

impl Belongings {
    fn take_reports(&mut self, reports: impl IntoIterator<Item = ReportId>) -> Result<(), StoreError> {
        for report in reports {
            if self.reports.insert(report) {
                self.records.push(record_key::<Given>(&report.to_string())?);
            }
        }
        Ok(())
    }

    fn take_parcel(&mut self, parcel: Option<ParcelId>) -> Result<(), StoreError> {
        if let Some(parcel) = parcel.filter(|parcel| !self.parcels.contains(parcel)) {
            self.parcels.push(parcel);
            self.records.push(crate::outbox::record_key(parcel)?);
        }
        Ok(())
    }
}

impl Scope {
    /// What the record of a lent login says of its end.
    fn why_lending_ends(self) -> Why {
        if matches!(self, Self::LentLogin(_)) { Why::Withdrawn } else { Why::Erased }
    }
}

/// When a session began: its id tells.
fn began(id: SessionId) -> Timestamp {
    id.made_at()
}
