//! The file of a tape: one line that says what it is, then JSON lines, packed. The first of them is what the run was given, each of the
//! others one event.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::tape::{EVENTS_MAX, Event, Inputs, Tape};

/// What a recording begins with. The number changes when an older engine could not read what follows.
const HEAD: &[u8] = b"consentry-recording 1\n";
/// The same, of a run with pages in a browser.
const HEAD_WITH_PAGES: &[u8] = b"consentry-recording 2\n";
/// Most bytes that a recording unpacks to: twice what answers may have, since text is written with escapes.
pub const RECORDING_BYTES_MAX: u64 = 16 << 20;

/// Why a file is no recording. Holds nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// Another kind of file, or a later version.
    #[error("this is no recording that this version can read")]
    Head,
    /// More than a tape holds.
    #[error("a recording has at most {RECORDING_BYTES_MAX} bytes and {EVENTS_MAX} events")]
    TooLarge,
    /// It is cut off, or was changed.
    #[error("the recording is damaged at line {line}")]
    Damaged {
        /// Counted from 1.
        line: usize,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    inputs: Inputs,
    cut: bool,
    events: usize,
}

impl Tape {
    /// The bytes of its recording; the same for equal tapes.
    ///
    /// # Errors
    /// Never for a tape within its bounds: writing into memory does not fail.
    pub fn to_recording(&self) -> Result<Vec<u8>, RecordingError> {
        let damaged = |line| move |_| RecordingError::Damaged { line };
        let pages = self.events.iter().any(|event| matches!(event, Event::Page(_)));
        let head = if pages { HEAD_WITH_PAGES } else { HEAD };
        let mut packed = DeflateEncoder::new(head.to_vec(), Compression::default());
        let first = First { inputs: self.inputs.clone(), cut: self.cut, events: self.events.len() };
        serde_json::to_writer(&mut packed, &first).map_err(damaged(1))?;
        for (at, event) in self.events.iter().enumerate() {
            packed.write_all(b"\n").map_err(|_| RecordingError::Damaged { line: at + 2 })?;
            serde_json::to_writer(&mut packed, event).map_err(damaged(at + 2))?;
        }
        packed.finish().map_err(|_| RecordingError::TooLarge)
    }

    /// Reads a recording.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn from_recording(bytes: &[u8]) -> Result<Self, RecordingError> {
        let packed = bytes.strip_prefix(HEAD).or_else(|| bytes.strip_prefix(HEAD_WITH_PAGES));
        let packed = packed.ok_or(RecordingError::Head)?;
        let mut lines = BufReader::new(DeflateDecoder::new(packed).take(RECORDING_BYTES_MAX + 1)).lines();
        let mut read = 0;
        let mut line = |number: usize| {
            let line = lines.next().transpose().map_err(|_| RecordingError::Damaged { line: number })?;
            read += line.as_ref().map_or(0, |line| line.len() as u64 + 1);
            if read > RECORDING_BYTES_MAX { Err(RecordingError::TooLarge) } else { Ok(line) }
        };
        let first = line(1)?.ok_or(RecordingError::Damaged { line: 1 })?;
        let First { inputs, cut, events: count } =
            serde_json::from_str(&first).map_err(|_| RecordingError::Damaged { line: 1 })?;
        if count > EVENTS_MAX {
            return Err(RecordingError::TooLarge);
        }
        let mut events = Vec::new();
        while let Some(text) = line(events.len() + 2)? {
            let damaged = RecordingError::Damaged { line: events.len() + 2 };
            events.push(serde_json::from_str::<Event>(&text).map_err(|_| damaged)?);
            if events.len() > count {
                return Err(damaged);
            }
        }
        match events.len() == count {
            true => Ok(Self { inputs, events, cut }),
            false => Err(RecordingError::Damaged { line: events.len() + 2 }),
        }
    }
}
