//! The tape: what a run was given, and what came from outside in answer to it, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry_contract::item::Bytes;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// Most bytes of answers on one tape; a run that receives more is told by its structure alone.
pub const TAPE_BYTES_MAX: usize = 4 << 20;
/// Most events on one tape.
pub const EVENTS_MAX: usize = 20_000;

/// One run, as it was from outside. Its `Debug` shows counts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// What the run was given.
    pub inputs: Inputs,
    /// What came, in the order in which the connector asked for it.
    pub events: Vec<Event>,
    /// There was more than a tape may hold: the end is missing.
    pub cut: bool,
}

/// What a run is given before it starts. Secrets are here by name only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Id of the connector.
    pub connector: String,
    /// Its version.
    pub version: String,
    /// Id of the Data Source.
    pub source: String,
    /// Its base URL; empty where it has none.
    pub base: String,
    /// Categories that were consented to.
    pub wanted: BTreeSet<String>,
    /// First day of the history.
    pub since: Option<Date>,
    /// A person was there.
    pub attended: bool,
    /// BCP 47.
    pub language: String,
    /// Redirect URI of the run.
    pub callback: String,
    /// Its `state`.
    pub state: String,
    /// Names of the login fields and operator's secrets that were given, by kind.
    pub secrets: BTreeSet<(String, String)>,
    /// Fields that the manifest declares public, with what was given.
    pub public: BTreeMap<String, String>,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
}

/// Something that came from outside.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A request and its answer, or its failure.
    Http(Exchange),
    /// A wait for the person's answer came to an end.
    Prompt {
        /// How.
        how: How,
        /// The parts of an answer.
        parts: Vec<Part>,
    },
    /// The clock was read, in milliseconds since 1970.
    Clock(i64),
    /// Random bytes were drawn.
    Random(#[serde(with = "hex::serde")] Vec<u8>),
    /// A call on a page in a browser came to an end.
    Page(Act),
}

/// A call on a page in a browser, and what it brought.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// The function.
    pub call: String,
    /// What it was called on: a selector, an address, a pattern.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on: String,
    /// The page rule that the frame was recognised by, where a secret was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The secrets that were given to a page: slots and structures of recipes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Act {
    /// The call that waits.
    pub const WAIT: &'static str = "wait-for";
}

/// What a call on a page brought.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// What was waited for was there, or not.
    Found(bool),
    /// What a page showed, or was answered, after scrubbing and capture; with it the failure that it is, if it is one.
    Document(Exchange),
    /// A file.
    File(Body),
    /// An address.
    Text(String),
    /// It was not done: the name of a failure.
    Failed(String),
}

/// How a wait for the person ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// With an answer.
    Given,
    /// With a no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Not at all: it goes on.
    Waiting,
}

impl How {
    /// Its one name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Waiting => "waiting",
        }
    }
}

/// A part of an answer to a prompt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the manifest.
    pub name: String,
    /// What was said, where the manifest declares it public; a secret is never on a tape.
    pub public: Option<String>,
}

/// One request with everything that answered it, redirects among it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Method of the request.
    pub method: String,
    /// Its URL without the parts that are secret.
    pub url: String,
    /// Where it carried secrets: the slot and the structure of the recipe.
    pub secrets: Vec<String>,
    /// The answers, the last one whole.
    pub hops: Vec<Hop>,
    /// Why there is no last one: a name.
    pub failure: Option<String>,
    /// The page rule that recognised the last one.
    pub page: Option<String>,
    /// When it had come, in milliseconds since 1970.
    pub at_ms: i64,
}

/// One answer, as the connector could see it: scrubbed, captured parts replaced.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Status.
    pub status: u16,
    /// Headers; of a cookie the name and where it goes, never its value.
    pub headers: Vec<(String, String)>,
    /// Body; empty for a redirect that was followed.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

impl Hop {
    /// The first header of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The bytes of an answer, shared with the run; overwritten when the last holder lets go.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(pub Bytes);

impl Body {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Text as it is, everything else in base64.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => to.serialize_str(&format!("={text}")),
            Err(_) => to.serialize_str(&STANDARD.encode(&**self.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match text.strip_prefix('=') {
            Some(text) => Ok(Self::of(text.as_bytes().to_vec())),
            None => STANDARD.decode(text).map(Self::of).map_err(|_| D::Error::custom("a body is text or base64")),
        }
    }
}

impl Tape {
    /// An empty one.
    #[must_use]
    pub fn new(inputs: Inputs) -> Self {
        Self { inputs, events: Vec::new(), cut: false }
    }

    /// Bytes of the answers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.events.iter().map(Event::bytes).sum()
    }

    /// Requests with their answers, and what pages in a browser showed.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.events.iter().filter_map(Event::exchange)
    }
}

impl Event {
    /// An answer, or what a page showed.
    #[must_use]
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Http(exchange) | Self::Page(Act { outcome: Outcome::Document(exchange), .. }) => Some(exchange),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::Http(exchange) | Self::Page(Act { outcome: Outcome::Document(exchange), .. }) => Some(exchange),
            _ => None,
        }
    }

    /// Where secrets went with it.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        match self {
            Self::Http(exchange) => &exchange.secrets,
            Self::Page(act) => &act.secrets,
            _ => &[],
        }
    }

    /// Bytes of what came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let file = match self {
            Self::Page(Act { outcome: Outcome::File(body), .. }) => body.0.len(),
            _ => 0,
        };
        let hops = self.exchange().into_iter().flat_map(|exchange| &exchange.hops);
        file + hops.map(|hop| hop.body.0.len()).sum::<usize>()
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape")
            .field("source", &self.inputs.source)
            .field("events", &self.events.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(exchange) => exchange.fmt(f),
            Self::Prompt { how, .. } => write!(f, "Prompt({})", how.name()),
            Self::Clock(_) => f.write_str("Clock(..)"),
            Self::Page(act) => write!(f, "Page({})", act.call),
            Self::Random(bytes) => write!(f, "Random({} bytes)", bytes.len()),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({} -> {:?}, page {:?})", self.method, self.hops.last().map(|hop| hop.status), self.page)
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("source", &self.source).finish_non_exhaustive()
    }
}
