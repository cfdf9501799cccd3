//! The one table of limits: what a run may use, how much of it unless the manifest says otherwise, how much at most, and what happens
//! beyond it. All but a few end the run, with the limit's name in its failure.

use std::collections::BTreeMap;
use std::fmt;

use crate::document;
use crate::failure::Code;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds of wall time.
    Seconds,
    /// Milliseconds of CPU time.
    Milliseconds,
    /// Things.
    Count,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
            Unit::Milliseconds => "milliseconds",
            Unit::Count => "count",
        })
    }
}

/// What happens where more is wanted than a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The run ends with this code, and the failure names the limit. What it had emitted goes to the person, as incomplete. It is
    /// `flow-timeout` where the person or the Data Source may have taken so long, and `source-unavailable` where the Data Source sends from one
    /// place to the next without end: its connector can do nothing better.
    Ends(Code),
    /// What is more waits its turn. Nothing is lost by it.
    Waits,
    /// What is more is lost, and the run goes on: it says something to people who look on, and brings them nothing.
    Lost,
    /// What does not fit is lost, the rest is kept.
    Cut,
    /// The call is refused with `invalid-argument`, as every other fault in a text that the connector's author wrote; no run can be allowed more.
    Refused,
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ends(code) => return write!(f, "`{code}`"),
            Self::Waits => "waits",
            Self::Lost => "is lost",
            Self::Cut => "is cut off",
            Self::Refused => "`invalid-argument`",
        })
    }
}

/// What the host knows about a limit.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name in manifests, in the operator's configuration and in failures.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The value unless a manifest names another.
    pub default: u64,
    /// The most that a manifest may ask for. An operator may set less, never more.
    pub maximum: u64,
    /// What happens beyond it.
    pub beyond: Beyond,
    /// What it bounds, as a phrase.
    pub bounds: &'static str,
}

macro_rules! limits {
    ($($variant:ident $name:literal $unit:ident $default:expr, $maximum:expr, $beyond:expr, $bounds:literal;)*) => {
        /// The name of a limit.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum LimitName { $(#[doc = concat!("Bounds ", $bounds, ".")] $variant,)* }

        impl LimitName {
            /// Every limit, in the order of the table.
            pub const ALL: &'static [LimitName] = &[$(LimitName::$variant,)*];
        }

        const TABLE: [Row; LimitName::ALL.len()] = [$(
            Row {
                name: $name,
                unit: Unit::$unit,
                default: $default,
                maximum: $maximum,
                beyond: $beyond,
                bounds: $bounds,
            },
        )*];
    };
}

const ENDS: Beyond = Beyond::Ends(Code::LimitExceeded);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

limits! {
    Memory "memory" Bytes 32 * MIB, 128 * MIB, ENDS, "the connector's own memory";
    TableElements "table-elements" Count 4_096, 65_536, ENDS, "the connector's own tables (function pointers)";
    Stack "stack" Bytes 256 * KIB, 256 * KIB, ENDS, "the connector's own calls that are open in each other; the same for all";
    Wall "wall-seconds" Seconds 300, 1_800, Beyond::Ends(Code::FlowTimeout), "the time from start to end, waiting for the person included";
    Cpu "cpu-milliseconds" Milliseconds 5_000, 60_000, ENDS, "the CPU time of the connector and of the host on its behalf";
    Requests "requests" Count 200, 2_000, ENDS, "requests to the Data Source, redirects included";
    RequestsAtOnce "requests-at-once" Count 4, 16, Beyond::Waits, "requests that are under way at the same time";
    Redirects "redirects" Count 10, 20, Beyond::Ends(Code::SourceUnavailable), "redirects of one request";
    BytesIn "bytes-in" Bytes 64 * MIB, 512 * MIB, ENDS, "what comes from the Data Source, unpacked, and what of it comes over the wire, beside heads";
    BytesOut "bytes-out" Bytes 4 * MIB, 64 * MIB, ENDS, "what is sent to the Data Source, each secret as if it had 4 KiB";
    AnswerBytes "answer-bytes" Bytes 16 * MIB, 64 * MIB, ENDS, "one answer of the Data Source, after it is unpacked";
    HeadBytes "head-bytes" Bytes 64 * KIB, 256 * KIB, ENDS, "the head of one answer of the Data Source";
    Prompts "prompts" Count 10, 50, ENDS, "questions to the person";
    Items "items" Count 20_000, 200_000, ENDS, "items emitted";
    ItemBytes "item-bytes" Bytes 17 * MIB, 17 * MIB, ENDS, "all items together as a parcel writes them, their documents in Base64: what one parcel can hold";
    LogLines "log-lines" Count 500, 5_000, Beyond::Lost, "lines of log";
    LogLineBytes "log-line-bytes" Bytes 512, 4 * KIB, Beyond::Cut, "one line of log";
    Progress "progress" Count 500, 5_000, Beyond::Lost, "reports of progress";
    HostMemory "host-memory" Bytes 96 * MIB, 512 * MIB, ENDS, "what the host holds for the run: answers, documents, blobs, recipes and items";
    Handles "handles" Count 1_024, 8_192, ENDS, "secrets, requests, answers and blobs held at the same time";
    BlobBytes "blob-bytes" Bytes 32 * MIB, 128 * MIB, ENDS, "blobs held at the same time";
    Documents "documents" Count 256, 4_096, ENDS, "documents and their parts held at the same time";
    DocumentBytes "document-bytes" Bytes 4 * MIB, 16 * MIB, ENDS, "the source of one document";
    DocumentNodes "document-nodes" Count 200_000, 1_000_000, ENDS, "elements, texts and attributes, or JSON values, of one document";
    DocumentDepth "document-depth" Count 512, 1_024, ENDS, "the levels of one HTML or XML document";
    DocumentJsonDepth "document-json-depth" Count 256, 256, ENDS, "the levels of one JSON document";
    DocumentAttributes "document-attributes" Count 256, 1_024, ENDS, "the attributes of one element";
    DocumentTextBytes "document-text-bytes" Bytes 16 * MIB, 64 * MIB, ENDS, "the texts and attribute values that one document holds";
    SelectorBytes "selector-bytes" Bytes 512, 512, Beyond::Refused, "one selector or pointer; the same for all";
    SelectorSteps "selector-steps" Count 20_000_000, 200_000_000, ENDS, "the nodes that one question to a document looks at";
    DocumentAnswerBytes "document-answer-bytes" Bytes 8 * MIB, 32 * MIB, ENDS, "the answer to one question to a document";
    SecretBytes "secret-bytes" Bytes MIB, 4 * MIB, ENDS, "what the answer to a request with secrets is searched for, all spellings together";
}

impl LimitName {
    /// Finds a limit by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.as_str() == name)
    }

    /// What the host knows about it.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The least that may be asked for. Stacks are as large for one connector as for another.
    #[must_use]
    pub const fn minimum(self) -> u64 {
        match self {
            Self::Stack => self.row().maximum,
            _ => 1,
        }
    }

    /// The name in manifests, in the operator's configuration and in failures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The limit behind a field of [`document::Limits`], which is what a document says it broke.
    #[must_use]
    pub fn of_document(field: &str) -> Self {
        match field {
            "source_bytes" => Self::DocumentBytes,
            "depth" => Self::DocumentDepth,
            "json_depth" => Self::DocumentJsonDepth,
            "attributes" => Self::DocumentAttributes,
            "text_bytes" => Self::DocumentTextBytes,
            "steps" => Self::SelectorSteps,
            "answer_bytes" => Self::DocumentAnswerBytes,
            "secret_bytes" => Self::SecretBytes,
            _ => Self::DocumentNodes,
        }
    }

    /// The names, for messages.
    pub(crate) fn allowed() -> String {
        Self::ALL.iter().map(|limit| limit.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Values for some of the limits: what an operator sets as maximum, or what a manifest asks for.
pub type Wishes = BTreeMap<LimitName, u64>;

/// The limits of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([u64; LimitName::ALL.len()]);

impl Limits {
    /// What the manifest asks for, else the default; never more than the operator's maximum, nor the table's.
    #[must_use]
    pub fn new(operator: &Wishes, manifest: &Wishes) -> Self {
        Self(std::array::from_fn(|index| {
            let (name, row) = (LimitName::ALL[index], TABLE[index]);
            let maximum = operator.get(&name).copied().unwrap_or(row.maximum).min(row.maximum);
            manifest.get(&name).copied().unwrap_or(row.default).min(maximum)
        }))
    }

    /// The value of a limit, in the unit of its row.
    #[must_use]
    pub const fn of(&self, name: LimitName) -> u64 {
        self.0[name as usize]
    }

    /// What may arrive over the wire in all: as much as may be unpacked from it, and a head of usual size for each request.
    #[must_use]
    pub const fn wire_bytes(&self) -> u64 {
        self.of(LimitName::BytesIn) + self.of(LimitName::Requests) * 16 * KIB
    }

    /// The value as a size in memory.
    #[must_use]
    pub fn size(&self, name: LimitName) -> usize {
        usize::try_from(self.of(name)).unwrap_or(usize::MAX)
    }

    /// The limits of each document.
    #[must_use]
    pub fn document(&self) -> document::Limits {
        document::Limits {
            source_bytes: self.size(LimitName::DocumentBytes),
            nodes: self.size(LimitName::DocumentNodes),
            depth: self.size(LimitName::DocumentDepth),
            json_depth: self.size(LimitName::DocumentJsonDepth),
            attributes: self.size(LimitName::DocumentAttributes),
            text_bytes: self.size(LimitName::DocumentTextBytes),
            steps: self.of(LimitName::SelectorSteps),
            answer_bytes: self.size(LimitName::DocumentAnswerBytes),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(&Wishes::new(), &Wishes::new())
    }
}

#[cfg(test)]
mod tests {
    use super::{LimitName, Limits, Wishes};
    use crate::document;

    #[test]
    fn every_limit_is_found_by_its_name_and_its_default_is_within_its_maximum() {
        for &limit in LimitName::ALL {
            let row = limit.row();
            assert_eq!(LimitName::parse(row.name), Some(limit));
            assert!(0 < row.default && row.default <= row.maximum, "{limit}");
            assert_eq!(Limits::default().of(limit), row.default);
            assert!(row.name.parse::<crate::failure::Name>().is_ok(), "{limit} can't stand in a failure");
        }
        assert_eq!(LimitName::parse("fuel"), None);
    }

    #[test]
    fn a_document_alone_has_the_defaults_of_the_table() {
        assert_eq!(Limits::default().document(), document::Limits::default());
        assert_eq!(Limits::default().size(LimitName::SelectorBytes), document::limits::AT_BYTES);
        let shown = format!("{:?}", document::Limits::default());
        let fields = shown.split(['{', ',']).skip(1).filter_map(|field| field.split(':').next()).map(str::trim);
        let named: std::collections::BTreeSet<_> = fields.map(LimitName::of_document).collect();
        assert_eq!(named.len(), 8, "{shown}");
    }

    #[test]
    fn a_manifest_moves_a_limit_but_never_above_the_operator_nor_an_operator_above_the_table() {
        let row = LimitName::Requests.row();
        let wish = |value| Wishes::from([(LimitName::Requests, value)]);
        let cases = [
            (Wishes::new(), Wishes::new(), row.default),
            (Wishes::new(), wish(60), 60),
            (Wishes::new(), wish(row.maximum), row.maximum),
            (Wishes::new(), wish(row.maximum + 1), row.maximum),
            (wish(50), Wishes::new(), 50),
            (wish(50), wish(60), 50),
            (wish(50), wish(40), 40),
            (wish(row.maximum + 1), wish(row.maximum + 1), row.maximum),
        ];
        for (operator, manifest, expected) in cases {
            assert_eq!(
                Limits::new(&operator, &manifest).of(LimitName::Requests),
                expected,
                "{operator:?} {manifest:?}"
            );
        }
    }
}
