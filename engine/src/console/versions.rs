//! Versions of connectors: which one serves what, which one waits for an approval and for what; promoting and rolling back with one
//! click.

use axum::extract::State;
use serde::Deserialize;

use super::page::{Act, Cell, Name, Page, Tone};
use super::{Answer, Sent, Signed, shown, to};
use crate::api::Shared;
use crate::data::Digest;
use crate::engine::EngineError;
use crate::engine::catalogue::{Catalogue, Connector, Standing};
use crate::operator::Deed;

pub(super) async fn page(signed: Signed, State(engine): State<Shared>) -> Answer {
    engine.note(&signed.operator, Deed::HealthLook, None).await?;
    let catalogue = engine.catalogue();
    let rows = catalogue.connectors().map(|connector| {
        let (state, tone) = standing(connector);
        let serves = catalogue.served().filter(|(serving, _)| serving.digest == connector.digest);
        let serves: Vec<Cell> = serves
            .map(|(serving, source)| {
                let to = format!("/console/sources/{}/{}", serving.id(), source.id.as_str());
                Cell::Link(Name::source(serving, source), to)
            })
            .collect();
        vec![
            Cell::Name(Name::connector(connector)),
            Cell::Name(Name::version(connector)),
            Cell::Digest(connector.digest),
            Cell::State(state, tone),
            if serves.is_empty() { Cell::Nothing } else { Cell::Many(serves) },
        ]
    });
    let mut page = Page::new("Versions", &signed.csrf()).table(
        "Every version of every connector",
        &["connector", "version", "digest", "state", "serves"],
        rows.collect(),
    );
    for connector in catalogue.connectors() {
        let Standing::Waiting(difference) = &connector.standing else { continue };
        let signs = [("asks for more", &difference.added), ("no longer asks for", &difference.removed)];
        let rows = signs.iter().flat_map(|(sign, all)| {
            all.iter().map(move |each| vec![Cell::Words(sign), Cell::Name(Name::permission(each))])
        });
        let fields = vec![("digest", connector.digest.to_string()), ("difference", difference.digest().to_string())];
        let about = Name::version(connector);
        let button = Act { to: "/console/approve", label: "Approve exactly this", about: about.clone(), fields };
        let may = signed.operator.may(Deed::ConnectorApprove);
        page = page.heading("Waits for approval").named(&Name::connector(connector)).facts(vec![
            ("Version", Cell::Name(about)),
            ("Digest", Cell::Digest(connector.digest)),
            ("To do", if may { Cell::Button(button) } else { Cell::Nothing }),
        ]);
        page = page.table("What it asks for, against the version before", &["", "permission"], rows.collect());
    }
    Ok(shown(page.show(&signed.operator)))
}

fn standing(connector: &Connector) -> (&'static str, Tone) {
    match &connector.standing {
        Standing::Given => ("given", Tone::Plain),
        Standing::Unsigned => ("unsigned", Tone::Warn),
        Standing::Approved => ("approved", Tone::Good),
        Standing::Covered(_) => ("covered by an approval", Tone::Good),
        Standing::Waiting(_) => ("waits for approval", Tone::Warn),
        Standing::Revoked(_) => ("revoked", Tone::Bad),
    }
}

/// Every version that has a Data Source, and what can be done about it.
pub(super) fn version_cells(catalogue: &Catalogue, connector: &str, source: &str, may: bool) -> Vec<Vec<Cell>> {
    let serving = catalogue.serving(connector, source).map(|serving| serving.digest);
    let number = |digest: &Digest| {
        let of = catalogue.versions(connector).find(|each| each.digest == *digest);
        of.map(|each| each.package.manifest().version().clone())
    };
    let now = serving.as_ref().and_then(number);
    let free = may && !catalogue.is_set_by_configuration(connector, source);
    let mut rows = vec![];
    for each in catalogue.versions(connector) {
        let (state, tone) = standing(each);
        let is_serving = serving == Some(each.digest);
        let label = if Some(each.package.manifest().version()) > now.as_ref() { "Promote" } else { "Roll back" };
        let fields = vec![
            ("connector", connector.to_owned()),
            ("source", source.to_owned()),
            ("digest", each.digest.to_string()),
        ];
        let act = Act { to: "/console/serve-version", label, about: Name::version(each), fields };
        rows.push(vec![
            Cell::Name(Name::version(each)),
            Cell::Digest(each.digest),
            Cell::State(state, tone),
            if is_serving { Cell::State("serves", Tone::Good) } else { Cell::Nothing },
            if free && !is_serving && each.may_run() { Cell::Button(act) } else { Cell::Nothing },
        ]);
    }
    rows
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    connector: String,
    source: String,
    digest: String,
}

pub(super) async fn choose(State(engine): State<Shared>, Sent(signed, chosen): Sent<Chosen>) -> Answer {
    let digest = Digest::try_from(chosen.digest).map_err(|_| EngineError::NotFound)?;
    engine.choose_version(&signed.operator, &chosen.connector, &chosen.source, Some(digest)).await?;
    Ok(to(&format!("/console/sources/{}/{}", chosen.connector, chosen.source)))
}

#[derive(Deserialize)]
pub(super) struct Approved {
    digest: String,
    difference: String,
}

pub(super) async fn approve(State(engine): State<Shared>, Sent(signed, sent): Sent<Approved>) -> Answer {
    let digest = Digest::try_from(sent.digest).map_err(|_| EngineError::NotFound)?;
    engine.approve_connector(&signed.operator, digest, &sent.difference).await?;
    Ok(to("/console/versions"))
}
