//! A person's rights: one entry, whatever the role. Who asks shows the receipt, which holds the salt of the consent; nothing else
//! is asked for, and the proof is not kept.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Engine, EngineError};
use crate::account::{Account, SourceAccess};
use crate::consent::{Consent, ConsentError, PassedOn, Refusal};
use crate::erase::retention::{R14ConsentRecord, R22PostMortemDirective, Retained as _, Term};
use crate::id::{ConsentId, OnlineServiceId, RightsRequestId};
use crate::ledger::Event;
use crate::maintenance::announce::Announcement;
use crate::maintenance::good::GoodRun;
use crate::maintenance::reports::{Given, Ticket};
use crate::online_service::OnlineService;
use crate::outbox::OutboxError;
use crate::receipt::{Facts, Receipt, split_binding};
use crate::rights::declared::{Declaration, Declared, Erase, Export, Rectify, Restrict};
use crate::rights::disclosure::{Access, Disclosure, LookUp};
use crate::rights::{Ask, Ground, Here, Reason, Right, RightsRequest, export};
use crate::session::Session;
use crate::session::row::SessionRow;
use crate::store::{Expect, Record, StoreError};
use crate::trace::Trace;

/// How often a write is tried again because somebody else wrote first.
const ATTEMPTS_MAX: u32 = 16;
/// Most requests about one consent.
const REQUESTS_MAX: usize = 64;

/// What shall happen with what is kept after a person's death, in their words.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directive {
    words: String,
    made_at: Timestamp,
}

impl Record for Directive {
    const NAMESPACE: &'static str = "directive";
    const RIGHTS: Declared = Declared {
        export: Export::InAccess,
        rectify: Rectify::ByBeginningAnew,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneWithIt,
    };
    type Row = R22PostMortemDirective;
}

/// Every stored type, and what it declares about a person's rights.
pub fn declared() -> Vec<Declaration> {
    let mut all = vec![
        Declaration::of::<Consent>(),
        Declaration::of::<SessionRow>(),
        Declaration::of::<Trace>(),
        Declaration::of::<RightsRequest>(),
        Declaration::of::<Directive>(),
        Declaration::of::<Disclosure>(),
        Declaration::of::<Access>(),
        Declaration::of::<LookUp>(),
        Declaration::of::<crate::operator::audit::Entry>(),
        Declaration::of::<Given>(),
        Declaration::of::<Ticket>(),
        Declaration::of::<GoodRun>(),
        Declaration::of::<Announcement>(),
        Declaration::of::<Account>(),
        Declaration::of::<SourceAccess>(),
    ];
    all.extend(crate::ledger::declared());
    all.extend(crate::outbox::declared());
    all.extend(crate::escrow::declared());
    all.extend(crate::connection::declared());
    all.extend(crate::maintenance::lent::declared());
    all.push(crate::health::declared());
    all.push(crate::metering::declared());
    all.sort_by_key(|each| (each.row, each.name));
    all
}

impl Engine {
    /// Takes a person's request and does what is to be done here at once.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for whoever has no receipt of ours, or one of what is not kept any more.
    pub async fn ask_right(&self, receipt: &str, ask: Ask) -> Result<Value, EngineError> {
        ask.check().map_err(|error| EngineError::Right(error.to_string()))?;
        let (facts, consent) = self.proven(receipt).await?;
        self.ask_proven(facts, consent, ask).await
    }

    /// The same, for whoever has proved who they are.
    pub(super) async fn ask_proven(&self, facts: Facts, consent: ConsentId, ask: Ask) -> Result<Value, EngineError> {
        ask.check().map_err(|error| EngineError::Right(error.to_string()))?;
        let now = self.clock.now();
        let known = self.requests_about(facts.online_service, consent).await?;
        if let Some(open) = known.iter().find(|known| known.closed_at.is_none() && known.ask == ask) {
            let mut told = export::request(open, now);
            told["duplicate"] = true.into();
            return Ok(told);
        }
        if known.len() >= REQUESTS_MAX {
            return Err(EngineError::Right(format!("there are {REQUESTS_MAX} requests about this consent already")));
        }
        let (reasons, result) = self.do_here(&facts, consent, &ask, now).await?;
        let role = self.consents.record(consent).await?.told().online_service.role;
        let id = self.entropy.with(|rng| RightsRequestId::new(now, rng));
        let mut request = RightsRequest::received(id, ask, (consent, facts.online_service, role), reasons, now);
        if facts.cnf.is_some() {
            request.identity = "receipt, by its key".to_owned();
        }
        self.shelves.shelf().put(&request.stored_as(), &request, Expect::Absent, request.term()).await?;
        let mut told = export::request(&request, now);
        told["result"] = result;
        Ok(told)
    }

    /// Has the Online Service say what becomes of what it received, now that the person took the consent back. There is one such request for
    /// a consent, whoever asks for it, and how often.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub(super) async fn pass_withdrawal_on(&self, consent: ConsentId, now: Timestamp) -> Result<PassedOn, EngineError> {
        let record = self.consents.record(consent).await?;
        let service = record.online_service();
        let known = self.requests_about(service, consent).await?;
        let request = match known.into_iter().find(|known| known.ask.right == Right::Withdrawal) {
            Some(known) => known,
            None => {
                let id = self.entropy.with(|rng| RightsRequestId::new(now, rng));
                let ask = Ask { right: Right::Withdrawal, ground: None, statement: None, transmit_to: None };
                let about = (consent, service, record.told().online_service.role);
                let request = RightsRequest::received(id, ask, about, vec![], now);
                self.shelves.shelf().put(&request.stored_as(), &request, Expect::Absent, request.term()).await?;
                request
            }
        };
        let answer_by = request.forwarded.as_ref().map_or(request.expected_by, |forwarded| forwarded.answer_by);
        Ok(PassedOn { request: request.id, answer_by })
    }

    /// What the Online Service of a session has to answer, because the person took back what it may have received.
    pub async fn passed_on(&self, session: &Session) -> Option<PassedOn> {
        let consent = session.consent()?;
        let known = self.requests_about(session.request().online_service(), consent).await.ok()?;
        let request = known.into_iter().find(|known| known.ask.right == Right::Withdrawal)?;
        Some(PassedOn { request: request.id, answer_by: request.forwarded?.answer_by })
    }

    /// Where a person's requests about one consent stand.
    ///
    /// # Errors
    /// As [`Engine::ask_right`].
    pub async fn look_at_rights(&self, receipt: &str) -> Result<Value, EngineError> {
        let (facts, consent) = self.proven(receipt).await?;
        self.look_proven(&facts, consent).await
    }

    /// The same, for whoever has proved who they are.
    pub(super) async fn look_proven(&self, facts: &Facts, consent: ConsentId) -> Result<Value, EngineError> {
        let (requests, now) = (self.requests_about(facts.online_service, consent).await?, self.clock.now());
        let requests: Vec<Value> = requests.iter().map(|request| export::request(request, now)).collect();
        Ok(json!({ "requests": requests, "lent": self.lent_under(consent).await? }))
    }

    /// What an Online Service has to answer. To look is to have fetched it.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn rights_for(&self, by: &OnlineService) -> Result<Value, EngineError> {
        let now = self.clock.now();
        let mut open = Vec::new();
        for request in self.requests_named(&format!("{}.", by.id())).await? {
            let Some(forwarded) = request.forwarded.as_ref().filter(|_| request.closed_at.is_none()) else { continue };
            open.push(json!({
                "request": request.id, "right": request.ask.right, "law": request.ask.right.law(), "consent": request.consent,
                "ground": request.ask.ground, "statement": request.ask.statement, "transmit_to": request.ask.transmit_to,
                "received_at": request.received_at, "answer_by": forwarded.answer_by,
            }));
            if forwarded.fetched_at.is_none() {
                self.change_request(&request.stored_as(), |mut request| {
                    if let Some(forwarded) = request.forwarded.as_mut() {
                        forwarded.fetched_at.get_or_insert(now);
                    }
                    Ok(request)
                })
                .await?;
            }
        }
        Ok(json!({ "requests": open }))
    }

    /// Takes an Online Service's signed answer.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], and [`EngineError::Right`] for an answer that is not signed as it must be.
    pub async fn answer_right(
        &self,
        by: &OnlineService,
        request: RightsRequestId,
        token: &str,
    ) -> Result<(), EngineError> {
        let signer = by.partner().signer.as_ref().ok_or(EngineError::NotFound)?;
        let named = self.requests_named(&format!("{}.", by.id())).await?;
        let found = named.into_iter().find(|known| known.id == request).ok_or(EngineError::NotFound)?;
        let now = self.clock.now();
        let refused = |_| {
            let form =
                "an answer is a JWS of your signing key with request, outcome (done, partly, refused), reason and at";
            EngineError::Right(form.to_owned())
        };
        self.change_request(&found.stored_as(), |request| request.answered(token, signer, now).map_err(refused)).await
    }

    /// Every request that there is, for the operator.
    ///
    /// # Errors
    /// [`EngineError::Platform`].
    pub async fn rights_requests(&self) -> Result<Vec<RightsRequest>, EngineError> {
        self.requests_named("").await
    }

    /// The operator says that a request takes longer, and why.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] and [`EngineError::Right`].
    pub async fn extend_right(&self, request: RightsRequestId, why: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        let told = "it is closed, late, or was extended before";
        self.decide(request, |known| known.extend(why, now).map_err(|_| EngineError::Right(told.to_owned()))).await
    }

    /// The operator closes a request, and says why.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] and [`EngineError::Right`].
    pub async fn refuse_right(&self, request: RightsRequestId, why: &str) -> Result<(), EngineError> {
        let now = self.clock.now();
        let told = "it is closed, or there is no reason";
        self.decide(request, |known| known.refuse(why, now).map_err(|_| EngineError::Right(told.to_owned()))).await
    }

    async fn decide(
        &self,
        request: RightsRequestId,
        change: impl Fn(RightsRequest) -> Result<RightsRequest, EngineError>,
    ) -> Result<(), EngineError> {
        let all = self.requests_named("").await?;
        let found = all.into_iter().find(|known| known.id == request).ok_or(EngineError::NotFound)?;
        self.change_request(&found.stored_as(), change).await
    }

    /// What the receipt says, and the consent that it proves. Where it is bound to a key, the proof of that key stands behind it.
    pub(super) async fn proven(&self, shown: &str) -> Result<(Facts, ConsentId), EngineError> {
        let (receipt, proof) = split_binding(shown);
        let (facts, consent) = self.issued(receipt).await?;
        self.check_holder(&facts, receipt, proof)?;
        Ok((facts, consent))
    }

    /// What a receipt says, and its consent: it is signed by us, and holds the salt that only the person has.
    pub(super) async fn issued(&self, receipt: &str) -> Result<(Facts, ConsentId), EngineError> {
        let receipt = Receipt::verify(receipt, &self.signing_keys().await?).map_err(|_| EngineError::NotFound)?;
        let facts = receipt.facts().clone();
        let salt = self.ledger.salt(facts.consent).await?.ok_or(EngineError::NotFound)?;
        let mut shown = zeroize::Zeroizing::new([0; 32]);
        hex::decode_to_slice(&facts.salt, shown.as_mut_slice()).map_err(|_| EngineError::NotFound)?;
        verify_slices_are_equal(salt.danger_bytes(), shown.as_slice()).map_err(|_| EngineError::NotFound)?;
        let consent = facts.consent;
        Ok((facts, consent))
    }

    async fn do_here(
        &self,
        facts: &Facts,
        consent: ConsentId,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<(Vec<Reason>, Value), EngineError> {
        let words = ask.statement.as_deref().unwrap_or_default();
        let role = self.consents.record(consent).await?.told().online_service.role;
        match ask.right.route(role).here {
            Here::Copy => Ok((vec![], self.copy(facts, consent, now).await?)),
            Here::Statement => {
                self.consents.state(consent, words, now).await?;
                Ok((vec![], Value::Null))
            }
            Here::Mark => {
                let ground = ask.ground.unwrap_or(Ground::Claims);
                self.consents.restrict(consent, ground, now).await?;
                Ok((vec![], Value::Null))
            }
            Here::Object => {
                self.consents.state(consent, &format!("objection: {words}"), now).await?;
                self.consents.restrict(consent, Ground::ObjectionPending, now).await?;
                // What rests on an interest of ours is the trace, and nothing leads to it but the login.
                Ok((vec![Reason::NotFoundWithoutLogin], Value::Null))
            }
            Here::Withdraw => Ok((self.withdraw_by_receipt(facts, consent, now).await?, Value::Null)),
            Here::EraseAllButProof => {
                self.withdraw_by_receipt(facts, consent, now).await?;
                self.shelves.shelf::<R22PostMortemDirective>().delete::<Directive>(&consent.to_string()).await?;
                let record = self.consents.record(consent).await?;
                let until = R14ConsentRecord::ROW.deadline(&Term::from(record.changed_at()));
                let survives = json!([
                    { "row": "R14", "what": "the record of the decision and the salt of its leaves", "until": until },
                    { "row": "R15", "what": "leaves of the ledger, which say nothing once the salt is gone" },
                ]);
                Ok((vec![Reason::ProofIsKept], json!({ "survives": survives })))
            }
            Here::Keep => {
                let directive = Directive { words: words.to_owned(), made_at: now };
                let shelf = self.shelves.shelf::<R22PostMortemDirective>();
                // What was wanted before is no more wanted.
                shelf.put_anew(&consent.to_string(), &directive, Expect::Any, Term::open()).await?;
                Ok((vec![], Value::Null))
            }
        }
    }

    /// Takes a consent back for whoever has the receipt: through its session where that is still here.
    async fn withdraw_by_receipt(
        &self,
        facts: &Facts,
        consent: ConsentId,
        now: Timestamp,
    ) -> Result<Vec<Reason>, EngineError> {
        self.end_lending(consent).await?;
        let held: Option<Arc<Session>> = self.session(facts.session).filter(|held| held.consent() == Some(consent));
        if let Some(session) = held {
            self.withdraw(&session).await?;
        } else {
            match self.consents.withdraw(consent, now).await {
                Ok(_) => {
                    let _ = self.ledger.accept(Event::ConsentWithdrawn { consent }, now).await?;
                }
                Err(ConsentError::Refused(Refusal::NotGiven | Refusal::Refused)) => {
                    return Ok(vec![Reason::AlreadyOver]);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(parcel) = &facts.parcel {
            match self.outbox.withdraw(parcel.id, now).await {
                Ok(_) | Err(OutboxError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(vec![])
    }

    /// Everything that is kept about a consent.
    async fn copy(&self, facts: &Facts, consent: ConsentId, now: Timestamp) -> Result<Value, EngineError> {
        let record = self.consents.record(consent).await?;
        let directive = self.shelves.shelf::<R22PostMortemDirective>().get::<Directive>(&consent.to_string()).await?;
        let mut leaves = Vec::new();
        for leaf in &facts.leaves {
            let kept = self.ledger.commitment(leaf.leaf).await?;
            leaves.push(json!({ "leaf": leaf.leaf, "event": leaf.event.name(), "commitment": kept }));
        }
        let delivery = match &facts.parcel {
            Some(parcel) => self.outbox.look(parcel.id).await?.map(|seen| {
                let end = seen.end.map(|end| json!({ "how": end.how.name(), "at": end.at }));
                json!({ "parcel": parcel.id, "digest": seen.digest, "fetched_at": seen.fetched_at, "end": end })
            }),
            None => None,
        };
        let requests = self.requests_about(facts.online_service, consent).await?;
        let told = record.told();
        Ok(json!({
            "schema": export::SCHEMA,
            "made_at": now,
            "consent": export::record(&record),
            "receipt": facts,
            "leaves": leaves,
            "delivery": delivery,
            "lifted": self.lifts_under(consent).await?,
            "lent": self.lent_under(consent).await?,
            "directive": directive.map(|kept| json!({ "words": kept.value.words, "made_at": kept.value.made_at })),
            "requests": requests.iter().map(|request| export::request(request, now)).collect::<Vec<_>>(),
            "not_kept_here": "the data itself and the login: in memory only, erased when the receipt says",
            "by_login_only": "a trace of the transaction (Data Source, keyed fingerprint of the login, Online Service, kind of device, day)",
            "elsewhere": { "who": told.online_service.name, "contact": told.online_service.contact, "days": told.online_service.keep_days },
        }))
    }

    async fn requests_about(
        &self,
        service: OnlineServiceId,
        consent: ConsentId,
    ) -> Result<Vec<RightsRequest>, EngineError> {
        self.requests_named(&format!("{service}.{consent}.")).await
    }

    async fn requests_named(&self, prefix: &str) -> Result<Vec<RightsRequest>, EngineError> {
        let shelf = self.shelves.shelf();
        let mut found = Vec::new();
        for name in shelf.names::<RightsRequest>().await? {
            if name.starts_with(prefix)
                && let Some(stored) = shelf.get::<RightsRequest>(&name).await?
            {
                found.push(stored.value);
            }
        }
        Ok(found)
    }

    async fn change_request(
        &self,
        name: &str,
        change: impl Fn(RightsRequest) -> Result<RightsRequest, EngineError>,
    ) -> Result<(), EngineError> {
        let shelf = self.shelves.shelf();
        for _ in 0..ATTEMPTS_MAX {
            let stored = shelf.get::<RightsRequest>(name).await?.ok_or(EngineError::NotFound)?;
            let changed = change(stored.value)?;
            match shelf.put(name, &changed, Expect::At(stored.revision), changed.term()).await {
                Err(StoreError::Conflict) => {}
                written => {
                    written?;
                    return Ok(());
                }
            }
        }
        Err(StoreError::Conflict.into())
    }
}

impl Right {
    /// Reads a right from its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }
}
