//! Breaks: what failed for a reason that is the connector's or the Data Source's, one ticket for each.

use axum::extract::State;
use serde::Deserialize;

use super::page::{Act, Cell, Name, Page, Tone};
use super::{Answer, Sent, Signed, shown, to};
use crate::api::Shared;
use crate::maintenance::reports::TicketState;
use crate::operator::Deed;

pub(super) async fn page(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::ReportsLook, None).await?;
    let may = signed.operator.may(Deed::ReportClose);
    let tickets = engine.tickets(&signed.operator).await?;
    let rows = tickets.iter().map(|(ticket, given)| {
        let (tone, open) = match ticket.state {
            TicketState::New => (Tone::Warn, true),
            TicketState::Regressed => (Tone::Bad, true),
            TicketState::Fixed => (Tone::Good, false),
        };
        let fields = vec![("ticket", ticket.fingerprint.clone())];
        let act = Act { to: "/console/close-break", label: "Close", about: Name::ticket(ticket), fields };
        vec![
            Cell::Name(Name::ticket(ticket)),
            Cell::State(ticket.state.name(), tone),
            Cell::Number(ticket.failures),
            Cell::Number(*given as u64),
            Cell::Words(if ticket.replayable { "yes" } else { "no" }),
            Cell::Instant(ticket.first),
            Cell::Instant(ticket.last),
            Cell::Name(Name::versions(ticket)),
            if open && may { Cell::Button(act) } else { Cell::Nothing },
        ]
    });
    let page = Page::new("Breaks", &signed.csrf())
        .table(
            "Breaks, the one seen last first",
            &["break", "state", "failures", "reports", "recording", "first seen", "last seen", "versions", ""],
            rows.collect(),
        )
        .text("To close a break erases its reports and the logins that were lent for it. One that comes back is regressed. A report is taken out with consentry reports pull.");
    Ok(shown(page.show(&signed.operator)))
}

#[derive(Deserialize)]
pub(super) struct Which {
    ticket: String,
}

pub(super) async fn close(State(engine): State<Shared>, Sent(signed, which): Sent<Which>) -> Answer {
    engine.close_ticket(&signed.operator, &which.ticket).await?;
    Ok(to("/console/breaks"))
}
