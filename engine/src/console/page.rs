//! How a page of the console is built. A page is made of [`Cell`]s and sentences that stand in the program; a cell has no way in for
//! a text that came from a person, so no such text is on a page that is built here. The desk (`desk.rs`) is the one place that writes
//! pages in another way, and only the data protection officer reads them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::data::Digest;
use crate::engine::catalogue::Connector;
use crate::health::{Fault, Place};
use crate::id::{Id, Kind, kind};
use crate::keys::KeyInfo;
use crate::maintenance::reports::Ticket;
use crate::operator::audit::{About, Actor};
use crate::operator::{Deed, Operator};

/// Hexadecimal digits of a digest that are shown; the whole of it is its title.
const DIGEST_SHOWN: usize = 12;

/// A name of the machine's. It is made of things that name no person, and of nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

/// Kinds of ids that may stand on a page: none that leads to one person.
pub(super) trait Shown: Kind {}
impl Shown for kind::OnlineService {}
impl Shown for kind::Parcel {}
impl Shown for kind::Operator {}

impl Name {
    pub(super) fn source(connector: &Connector, source: &consentry_contract::manifest::Source) -> Self {
        Self(format!("{}/{}", connector.id(), source.id.as_str()))
    }

    pub(super) fn connector(connector: &Connector) -> Self {
        Self(connector.id().to_owned())
    }

    pub(super) fn version(connector: &Connector) -> Self {
        Self(connector.package.manifest().version().to_string())
    }

    pub(super) fn version_of(place: &Place) -> Self {
        Self(place.version().to_owned())
    }

    pub(super) fn id<K: Shown>(id: Id<K>) -> Self {
        Self(id.to_string())
    }

    pub(super) fn key(key: &KeyInfo) -> Self {
        Self(key.kid.clone())
    }

    /// A break's name is made of words of a manifest and of the table of failures.
    pub(super) fn ticket(ticket: &Ticket) -> Self {
        Self(ticket.fingerprint.clone())
    }

    pub(super) fn versions(ticket: &Ticket) -> Self {
        Self(ticket.versions.iter().cloned().collect::<Vec<_>>().join(" "))
    }

    pub(super) fn fault(fault: &Fault) -> Self {
        Self(fault.code.name().to_owned())
    }

    pub(super) fn actor(actor: Actor) -> Self {
        Self(actor.to_string())
    }

    pub(super) fn about(about: &About) -> Self {
        Self(about.as_str().to_owned())
    }

    /// What a connector may do, as its manifest says.
    pub(super) fn permission(permission: &consentry_contract::manifest::Permission) -> Self {
        Self(permission.to_string())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a state looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Plain,
    Warn,
    Bad,
}

/// One cell of a table.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Nothing,
    Words(&'static str),
    Name(Name),
    Link(Name, String),
    Number(u64),
    /// From 0 to 1; none where there are too few to tell.
    Share(Option<f64>),
    /// None where there are too few to tell.
    Seconds(Option<f64>),
    Instant(Timestamp),
    Digest(Digest),
    State(&'static str, Tone),
    Button(Act),
    Many(Vec<Cell>),
}

/// A button, and what it sends.
#[derive(Debug, Clone)]
pub(super) struct Act {
    /// Where to.
    pub(super) to: &'static str,
    /// What is on it.
    pub(super) label: &'static str,
    /// What it is about, for who hears it and does not see the row.
    pub(super) about: Name,
    /// Fields that go with it.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// A page under construction.
pub(super) struct Page {
    title: &'static str,
    csrf: String,
    parts: Vec<Markup>,
}

impl Page {
    pub(super) fn new(title: &'static str, csrf: &str) -> Self {
        Self { title, csrf: csrf.to_owned(), parts: vec![] }
    }

    pub(super) fn heading(mut self, text: &'static str) -> Self {
        self.parts.push(html! { h2 { (text) } });
        self
    }

    pub(super) fn named(mut self, name: &Name) -> Self {
        self.parts.push(html! { p.subject { (name.as_str()) } });
        self
    }

    pub(super) fn text(mut self, text: &'static str) -> Self {
        self.parts.push(html! { p { (text) } });
        self
    }

    /// Few figures, each with its label.
    pub(super) fn facts(mut self, facts: Vec<(&'static str, Cell)>) -> Self {
        self.parts.push(html! {
            dl.facts { @for (label, cell) in &facts { div { dt { (label) } dd { (self.cell(cell)) } } } }
        });
        self
    }

    pub(super) fn table(mut self, caption: &'static str, head: &[&'static str], rows: Vec<Vec<Cell>>) -> Self {
        // A column of figures has its name above them.
        let column = |at: usize| rows.first().and_then(|row| row.get(at)).map_or("", Cell::column);
        let table = html! {
            // A wide table scrolls in itself, for the keyboard, too.
            div.wide tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead { tr { @for (at, name) in head.iter().enumerate() {
                        @if name.is_empty() { td {} } @else { th scope="col" class=(column(at)) { (name) } }
                    } } }
                    tbody {
                        @if rows.is_empty() { tr { td.none colspan=(head.len()) { "none" } } }
                        @for row in &rows { tr { @for cell in row { td class=(cell.class()) { (self.cell(cell)) } } } }
                    }
                }
            }
        };
        self.parts.push(table);
        self
    }

    fn cell(&self, cell: &Cell) -> Markup {
        match cell {
            Cell::Nothing => html! { span.none { "–" } },
            Cell::Words(text) => html! { (text) },
            Cell::Name(name) => html! { (name.as_str()) },
            Cell::Link(name, to) => html! { a href=(to) { (name.as_str()) } },
            Cell::Number(number) => html! { (number) },
            Cell::Share(None) | Cell::Seconds(None) => html! { span.none title="too few runs to tell" { "–" } },
            Cell::Share(Some(share)) => {
                html! { span class=(tone_of(*share).class()) { (format!("{:.1} %", share * 100.0)) } }
            }
            Cell::Seconds(Some(seconds)) => html! { (format!("{seconds:.1} s")) },
            Cell::Instant(at) => instant(*at),
            Cell::Digest(digest) => {
                let text = digest.to_string();
                let short: String = text.chars().take("sha256:".len() + DIGEST_SHOWN).collect();
                html! { code title=(text) { (short) "…" } }
            }
            Cell::State(text, tone) => html! { span class=(tone.class()) { (text) } },
            Cell::Button(act) => self.button(act),
            Cell::Many(cells) => html! { @for cell in cells { (self.cell(cell)) " " } },
        }
    }

    fn button(&self, act: &Act) -> Markup {
        html! {
            form method="post" action=(act.to) {
                input type="hidden" name="csrf" value=(self.csrf);
                @for (name, value) in &act.fields { input type="hidden" name=(name) value=(value); }
                button type="submit" { (act.label) span.heard { " " (act.about.as_str()) } }
            }
        }
    }

    /// Adds what the desk writes.
    pub(super) fn desk(mut self, part: Markup) -> Self {
        self.parts.push(part);
        self
    }

    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The whole page.
    pub(super) fn show(self, operator: &Operator) -> Markup {
        let places: Vec<_> = PLACES.iter().filter(|(_, _, deed)| operator.may(*deed)).collect();
        let head = html! {
            nav aria-label="Console" {
                @for (name, to, _) in places {
                    a href=(to) aria-current=[(*name == self.title).then_some("page")] { (name) }
                }
            }
            form.out method="post" action="/console/sign-out" {
                input type="hidden" name="csrf" value=(self.csrf);
                span.who { (operator.id()) }
                button type="submit" { "Sign out" }
            }
        };
        frame(self.title, &head, &html! { @for part in &self.parts { (part) } })
    }
}

/// The pages, and which deed it is to look at one.
const PLACES: [(&str, &str, Deed); 8] = [
    ("Health", "/console", Deed::HealthLook),
    ("Versions", "/console/versions", Deed::HealthLook),
    ("Deliveries", "/console/deliveries", Deed::OutboxLook),
    ("Breaks", "/console/breaks", Deed::ReportsLook),
    ("Retention", "/console/retention", Deed::RetentionLook),
    ("Keys", "/console/keys", Deed::KeysLook),
    ("Desk", "/console/desk", Deed::RightsLook),
    ("Audit", "/console/audit", Deed::AuditExport),
];

/// A page around this.
pub(super) fn frame(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " – Consentry console" }
                link rel="stylesheet" href="/console/style.css";
            }
            body {
                a.skip href="#main" { "Skip to the page" }
                header { strong { "Consentry" } (head) }
                main id="main" { h1 { (title) } (body) }
                footer { "Consentry " (env!("CARGO_PKG_VERSION")) " · times in UTC" }
            }
        }
    }
}

/// An instant, to the minute.
pub(super) fn instant(at: Timestamp) -> Markup {
    let text = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string();
    html! { time datetime=(at) { (text) } }
}

/// A span of time, in its largest unit.
pub(super) fn span(span: SignedDuration) -> String {
    match span.as_secs().abs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7200 => format!("{} min", seconds / 60),
        seconds if seconds < 2 * 86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn tone_of(share: f64) -> Tone {
    match share {
        share if share >= 0.95 => Tone::Good,
        share if share >= 0.8 => Tone::Warn,
        _ => Tone::Bad,
    }
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl Cell {
    const fn column(&self) -> &'static str {
        match self {
            Self::Number(_) | Self::Share(_) | Self::Seconds(_) => "figure",
            _ => "",
        }
    }

    const fn class(&self) -> &'static str {
        match self {
            Self::Number(_) | Self::Share(_) | Self::Seconds(_) => "figure",
            Self::Instant(_) | Self::Digest(_) => "fixed",
            _ => "",
        }
    }
}

/// The style of every page.
pub(super) const STYLE: PreEscaped<&str> = PreEscaped(include_str!("style.css"));
