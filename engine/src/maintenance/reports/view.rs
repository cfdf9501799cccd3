//! Breaks and reports as somebody sees them: whoever keeps the node all of them, an author those of the connectors that they signed.

use consentry_tape::Report;
use jiff::Timestamp;

use super::{Given, Reports, Ticket, TicketState, name_of};
use crate::erase::retention::Term;
use crate::maintenance::announce::Happened;
use crate::operator::Sight;
use crate::store::{Expect, StoreError};

/// What somebody sees of the breaks and reports of a node. What they do not see is not there for them.
pub struct View<'a> {
    pub(super) reports: &'a Reports,
    pub(super) sight: Sight,
}

impl View<'_> {
    /// Every ticket, the one seen last first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tickets(&self) -> Result<Vec<Ticket>, StoreError> {
        let shelf = &self.reports.shelf;
        let mut tickets = Vec::new();
        for name in shelf.names::<Ticket>().await? {
            let ticket = shelf.get::<Ticket>(&name).await?.map(|stored| stored.value);
            tickets.extend(ticket.filter(|ticket| self.sight.has(&ticket.signers)));
        }
        tickets.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
        Ok(tickets)
    }

    /// The reports that were given for a break, the first one first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, fingerprint: &str) -> Result<Vec<Given>, StoreError> {
        let given = self.reports.given_for(fingerprint).await?;
        Ok(given.into_iter().filter(|given| self.sight.has(&given.signer)).collect())
    }

    /// The best report for an author: one with a recording, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn best_of(&self, fingerprint: &str) -> Result<Option<Given>, StoreError> {
        let mut given = self.of(fingerprint).await?;
        let has_recording = |Given { report: Report { recording, .. }, .. }: &Given| recording.is_some();
        let at = given.iter().position(has_recording).unwrap_or(0);
        Ok((at < given.len()).then(|| given.swap_remove(at)))
    }

    /// How many logins are lent for a break.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lent_for(&self, ticket: &Ticket) -> Result<usize, StoreError> {
        Ok(self.reports.lendings.of(&ticket.fingerprint).await?.len())
    }

    /// Closes a break: its reports and the logins that were lent for it are erased, its ticket says that it is mended. Answers how many
    /// reports there were, or none if there is no such ticket. Whoever sees a ticket closes it for all whom it hit.
    ///
    /// # Errors
    /// [`StoreError`]: ask again.
    pub async fn close(&self, fingerprint: &str, now: Timestamp) -> Result<Option<usize>, StoreError> {
        let (name, reports) = (name_of(fingerprint), self.reports);
        let Some(stored) = reports.shelf.get::<Ticket>(&name).await? else { return Ok(None) };
        if !self.sight.has(&stored.value.signers) {
            return Ok(None);
        }
        reports.lendings.end_of(fingerprint, now).await?;
        let all = reports.given_for(fingerprint).await?;
        for given in &all {
            reports.withdraw(given.id).await?;
        }
        let was_open = stored.value.state != TicketState::Fixed;
        let ticket = Ticket { state: TicketState::Fixed, ..stored.value };
        reports.shelf.put(&name, &ticket, Expect::At(stored.revision), Term::from(now)).await?;
        if was_open {
            reports.announcements.add(Happened::BreakFixed(ticket.fingerprint), now).await?;
        }
        Ok(Some(all.len()))
    }
}
