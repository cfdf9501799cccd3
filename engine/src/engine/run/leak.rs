//! A leak, for the test that has to find it. It is in no engine that is given to anybody.

use crate::credentials::Values;

/// What an engine must never do: into its log, into a file, into memory that nobody wipes.
pub(super) fn leak(values: &Values, folder: Option<&std::path::Path>) {
    for (name, value) in values {
        let text = String::from_utf8_lossy(value).into_owned();
        tracing::info!(name, text, "a login");
        if let Some(data) = folder.and_then(std::path::Path::parent) {
            std::fs::write(data.join("leak"), &text).ok();
        }
        Box::leak(text.into_boxed_str());
    }
}
