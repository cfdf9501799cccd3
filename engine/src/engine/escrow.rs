//! Envelopes for an authority: sealed when somebody who signed in shares something, handed out on an order that is noted first.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Engine, EngineError};
use crate::data::Digest;
use crate::erase::retention::{R19EscrowLink, R28AuthorityDisclosure, Term};
use crate::escrow::{Escrowed, Identity, Lift, LiftFile};
use crate::id::{ConsentId, EventId, SubjectId};
use crate::jose::jwe::{self, Content};
use crate::ledger::Event;
use crate::session::Session;
use crate::store::Expect;

impl Engine {
    /// Seals who shares something to the authority's key, where somebody signed in and there is such a key. No envelope, no release.
    pub(super) async fn put_in_escrow(&self, session: &Session, now: Timestamp) -> Result<(), EngineError> {
        let (Some(link), Some(authority)) = (session.linked(), &self.settings.authority) else { return Ok(()) };
        let (Some(consent), Some(choice)) = (session.consent(), session.choice()) else { return Ok(()) };
        let account = self.accounts.get(&link.account).await?;
        let day = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |start| start.timestamp());
        let identity = Identity {
            subject: link.subject,
            online_service: session.request().online_service(),
            consent,
            data_source: choice.source,
            date: now.to_zoned(TimeZone::UTC).date(),
            account: link.account.as_str().to_owned(),
            opened_at: account.opened_at,
            contact: account.contact.as_ref().map(|contact| contact.as_str().to_owned()),
        };
        let refused = || EngineError::Platform("an envelope can't be sealed".into());
        let bytes = identity.to_bytes().ok_or_else(refused)?;
        let envelope =
            self.entropy.with(|rng| jwe::seal(&bytes, Content::Plain, authority, rng)).map_err(|_| refused())?;
        // One for each consent: to share once more, after a full disk, seals it once more.
        let name = format!("{}.{consent}", link.subject);
        let shelf = self.shelves.shelf::<R19EscrowLink>();
        shelf.put(&name, &Escrowed { consent, envelope }, Expect::Any, Term::from(day)).await?;
        session.note(|notes| notes.escrowed = true);
        Ok(())
    }

    /// Follows an authority's order to say who somebody is: notes it, has its leaf in the ledger, and only then gives out the newest envelope.
    /// Nobody here can open it.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] where there is no envelope of somebody whom an Online Service knows as this.
    pub async fn lift(
        &self,
        subject: SubjectId,
        authority: &str,
        basis: &str,
        untold_until: Option<Timestamp>,
    ) -> Result<(EventId, LiftFile), EngineError> {
        let now = self.clock.now();
        let shelf = self.shelves.shelf::<R19EscrowLink>();
        let of = format!("{subject}.");
        let names = shelf.names::<Escrowed>().await?;
        let newest = names.into_iter().rfind(|name| name.starts_with(&of)).ok_or(EngineError::NotFound)?;
        let Escrowed { consent, envelope } = shelf.get::<Escrowed>(&newest).await?.ok_or(EngineError::NotFound)?.value;
        let elements = vec!["who somebody is, sealed to the authority's key".to_owned()];
        let order = self.note_disclosure(authority, basis, elements, "the envelope").await?.id;
        let [authority, basis] = [authority, basis].map(str::to_owned);
        let lift = Lift { order, subject, consent, at: now, authority, basis, untold_until };
        let lifts = self.shelves.shelf::<R28AuthorityDisclosure>();
        lifts.put(&format!("{subject}.{order}"), &lift, Expect::Absent, Term::from(now)).await?;
        let event = Event::AnonymityLifted { consent, order, envelope: Digest::of(envelope.as_bytes()) };
        let leaf = self.ledger.accept(event.clone(), now).await?;
        self.ledger.sequence().await?;
        let proof = self.ledger.proof(leaf.id()).await?.ok_or(EngineError::NotFound)?;
        let salt = self.ledger.salt(consent).await?.ok_or(EngineError::NotFound)?;
        if !self.consents.record(consent).await.is_ok_and(|record| record.is_open()) {
            self.ledger.consent_terminated(consent, now).await?;
        }
        Ok((order, LiftFile { envelope, event, salt: hex::encode(salt.danger_bytes()), proof }))
    }

    /// The lifts that these people may know of, as they see them.
    pub(super) async fn lifts_told(&self, is_of: impl Fn(&Lift) -> bool) -> Result<Vec<Value>, EngineError> {
        let (now, shelf) = (self.clock.now(), self.shelves.shelf::<R28AuthorityDisclosure>());
        let mut told = vec![];
        for name in shelf.names::<Lift>().await? {
            let Some(lift) = shelf.get::<Lift>(&name).await?.map(|stored| stored.value) else { continue };
            if lift.may_be_told(now) && is_of(&lift) {
                told.push(json!({
                    "order": lift.order, "at": lift.at, "authority": lift.authority, "basis": lift.basis,
                    "consent": lift.consent,
                }));
            }
        }
        Ok(told)
    }

    /// The lifts of the anonymity under one consent.
    pub(super) async fn lifts_under(&self, consent: ConsentId) -> Result<Vec<Value>, EngineError> {
        self.lifts_told(|lift| lift.consent == consent).await
    }
}
