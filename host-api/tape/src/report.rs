//! The report of a failure: what broke, in words of the manifest; the shape of the page where it broke; and the recording that fails there
//! again, if there is one. Nothing in it is anybody's: it may be shown to the person whole, which is what happens before it is kept.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry_contract::failure::{Code, Failure, RunFacts};
use consentry_contract::limits::LimitName;
use serde::{Deserialize, Serialize};

use crate::allowed::Allowed;
use crate::point::Point;
use crate::redact::{Redacted, Rule};
use crate::shape::{PageShape, outline};
use crate::tape::Tape;

/// What a report is written as.
pub const REPORT_VERSION: u32 = 1;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// Version of the engine that made it.
    pub engine: String,
    /// The connector.
    pub connector: String,
    /// Its version.
    pub connector_version: String,
    /// Its digest.
    pub connector_digest: String,
    /// The Data Source.
    pub source: String,
    /// Where and how the run failed.
    pub point: Point,
    /// Whether the recording fails there again.
    pub proof: Proof,
    /// The page rules that recognised the answers, in order; `-` where none did.
    pub pages: Vec<String>,
    /// Shape of the last page: elements and members, no texts.
    pub shape: Vec<String>,
    /// Shape of the page that should have been there, of the last run that went well, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<PageShape>,
    /// Bytes that stayed readable, by reason.
    pub kept: BTreeMap<Rule, u64>,
    /// The recording, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// Whether a report's recording reproduces the failure, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It failed again at the same point, in the process that made it.
    Replayed,
    /// The run received more than a tape holds.
    TooLong,
    /// The run ended at a limit of time, which a replay does not meet.
    TimeLimit,
    /// The redacted recording fails elsewhere, or not at all: the failure hangs on values, on signed or encrypted content, or on images.
    Elsewhere,
    /// The connector or its sandbox can't be run again.
    NotRun,
}

impl Proof {
    /// Its one name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::TooLong => "too-long",
            Self::TimeLimit => "time-limit",
            Self::Elsewhere => "elsewhere",
            Self::NotRun => "not-run",
        }
    }
}

/// A file is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no report that this version can read")]
pub struct NoReport;

impl Report {
    /// What breaks in the same way has the same words here: source, code, page and rule, never a message, a version or a shape. The
    /// number in front changes when reports are grouped in another way.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let (page, missing) = (self.point.page.as_ref(), self.point.missing.as_ref());
        let (page, missing) = (page.map_or("-", |page| page.as_str()), missing.map_or("-", |missing| missing.as_str()));
        format!("1|{}|{}|{page}|{missing}", self.source, self.point.code)
    }

    /// The recording.
    #[must_use]
    pub fn tape(&self) -> Option<Tape> {
        let bytes = STANDARD.decode(self.recording.as_deref()?).ok()?;
        Tape::from_recording(&bytes).ok()
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`NoReport`].
    pub fn from_json(json: &[u8]) -> Result<Self, NoReport> {
        let report: Self = serde_json::from_slice(json).map_err(|_| NoReport)?;
        if report.version == REPORT_VERSION { Ok(report) } else { Err(NoReport) }
    }
}

/// A report that has yet to be proved.
#[derive(Debug)]
pub struct Draft {
    report: Report,
    redacted: Redacted,
}

impl Draft {
    /// Of a run on this tape that failed so, made by this connector and engine.
    #[must_use]
    pub fn of(failure: &Failure, tape: &Tape, allowed: &Allowed, digest: &str, engine: &str) -> Self {
        let redacted = crate::redact(tape, allowed);
        let report = Report {
            version: REPORT_VERSION,
            engine: engine.to_owned(),
            connector: tape.inputs.connector.clone(),
            connector_version: tape.inputs.version.clone(),
            connector_digest: digest.to_owned(),
            source: tape.inputs.source.clone(),
            point: Point::of(failure, tape, allowed),
            proof: Proof::Elsewhere,
            pages: tape.exchanges().map(|exchange| exchange.page.clone().unwrap_or_else(|| "-".to_owned())).collect(),
            shape: shape(&redacted.tape),
            good: None,
            kept: redacted.kept.clone(),
            recording: None,
        };
        Self { report, redacted }
    }

    /// The recording to be tried; none where it is known before that it can't fail in the same way.
    #[must_use]
    pub fn recording(&self) -> Option<&Tape> {
        Some(&self.redacted.tape).filter(|tape| !tape.cut && self.report.point.code != Code::SecretUnusable)
    }

    /// The report, given how the recording failed, if at all, and what the run had from outside then; none if it could not be tried.
    #[must_use]
    pub fn proved(mut self, again: Option<(Option<&Failure>, &Tape)>, allowed: &Allowed) -> Report {
        let point = again.and_then(|(failure, seen)| Some(Point::of(failure?, seen, allowed)));
        self.report.proof = match (again, &self.report.point) {
            _ if self.redacted.tape.cut => Proof::TooLong,
            (None, _) => Proof::NotRun,
            (_, first) if point.as_ref() == Some(first) => Proof::Replayed,
            (_, first) if is_time(first) => Proof::TimeLimit,
            _ => Proof::Elsewhere,
        };
        if self.report.proof == Proof::Replayed {
            self.report.recording = self.redacted.tape.to_recording().ok().map(|bytes| STANDARD.encode(bytes));
        }
        self.report
    }
}

fn is_time(point: &Point) -> bool {
    let limit = point.limit.as_ref().map(|limit| limit.as_str());
    matches!(limit, Some(limit) if limit == RunFacts::WALL_TIME || limit == LimitName::Cpu.as_str())
}

/// Of the last page that has one.
fn shape(redacted: &Tape) -> Vec<String> {
    let hops = redacted.exchanges().filter_map(|exchange| exchange.hops.last()).collect::<Vec<_>>();
    hops.into_iter().rev().find_map(outline).unwrap_or_default()
}
