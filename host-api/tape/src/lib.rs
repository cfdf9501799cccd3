//! What came from outside in one run of a connector, kept in order: in memory it is a *tape*, as a file a *recording*. A tape is made
//! synthetic here ([`redact`]), so that somebody who may see nothing of the person can still see how the run failed. Pure: no sockets, no
//! sandbox, no clock; whoever replays a tape does that elsewhere.
//!
//! What is pure on the other side is never taped: documents, recipes, page recognition and checks of items are computed again from the
//! answers, so that a connector with a corrected selector can be run against an old tape.

mod tape;
mod recording;
mod allowed;
mod vocabulary;
mod words;
mod dates;
mod url;
mod values;
mod body;
mod pdf;
mod redact;
mod point;
mod shape;
mod report;

pub use allowed::Allowed;
pub use body::{PDF, PNG};
pub use point::{LastCall, Point};
pub use recording::{RECORDING_BYTES_MAX, RecordingError};
pub use redact::{ReadPdf, Redacted, Rule, redact, redact_with};
pub use report::{Draft, NoReport, Proof, REPORT_VERSION, Report};
pub use shape::{PageShape, Shapes};
pub use tape::{Act, Body, EVENTS_MAX, Event, Exchange, Hop, How, Inputs, Outcome, Part, TAPE_BYTES_MAX, Tape};
