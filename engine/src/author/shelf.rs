//! The recordings of a connector, in the folder `tape` beside its source: `NAME.recording`, which is redacted, and `NAME.txt`, the collection
//! that it has to come to. Both are made to be committed: nobody is in them.

use std::io;
use std::path::{Path, PathBuf};

use consentry_tape::{RecordingError, Tape};

use crate::collect::Collection;

use super::{carried, told};

/// The folder of recordings.
pub const FOLDER: &str = "tape";
/// How a recording's file name ends.
pub const ENDING: &str = ".recording";

/// Why recordings can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShelfError {
    /// The disk's.
    #[error("{} can't be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no recording.
    #[error("{} can't be used", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RecordingError,
    },
}

/// One recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its name: the state that it shows, or any other.
    pub name: String,
    /// What came from outside.
    pub tape: Tape,
    /// The collection that it comes to: how it ends, then its items.
    pub expected: Vec<String>,
}

/// A collection as it is expected again.
#[must_use]
pub fn lines(collection: &Collection) -> Vec<String> {
    let mut lines = vec![told::outcome(collection)];
    lines.extend(told::items(&collection.items));
    lines
}

/// All recordings of the connector in this folder, by name; none if there is no folder of them.
///
/// # Errors
/// [`ShelfError`].
pub fn read(connector: &Path) -> Result<Vec<Recording>, ShelfError> {
    let folder = connector.join(FOLDER);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let file = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(ENDING) {
            let bytes = read_file(&path)?;
            let tape = Tape::from_recording(&bytes).map_err(|source| ShelfError::Recording { path, source })?;
            let expected = String::from_utf8_lossy(&read_file(&folder.join(format!("{name}.txt")))?).into_owned();
            found.push(Recording {
                name: name.to_owned(),
                tape,
                expected: expected.lines().map(str::to_owned).collect(),
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Puts a recording on the shelf, in place of one of that name.
///
/// # Errors
/// [`ShelfError`].
pub fn write(connector: &Path, recording: &Recording) -> Result<PathBuf, ShelfError> {
    let path = connector.join(FOLDER).join(format!("{}{ENDING}", recording.name));
    let damaged = |source| ShelfError::Recording { path: path.clone(), source };
    let bytes = recording.tape.to_recording().map_err(damaged)?;
    let expected = recording.expected.join("\n") + "\n";
    for (path, bytes) in [(path.clone(), bytes), (path.with_extension("txt"), expected.into_bytes())] {
        carried::write(&path, &bytes).map_err(|source| ShelfError::File { path, source })?;
    }
    Ok(path)
}

fn read_file(path: &Path) -> Result<Vec<u8>, ShelfError> {
    std::fs::read(path).map_err(|source| ShelfError::File { path: path.to_owned(), source })
}
