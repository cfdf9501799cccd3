//! The formats of documents and how a source announces them.

use std::fmt;
use std::str::FromStr;

use super::DocumentError;

/// The formats a document can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Web pages, XHTML included: parsed as browsers do, whatever is wrong with them.
    Html,
    /// XML with or without namespaces; selectors see local names.
    Xml,
    /// RFC 8259; numbers keep their digits, and of members with the same name the last counts.
    Json,
}

impl Format {
    /// The format a `Content-Type` announces, if it is one of ours.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "text/xml" | "application/xml" => Some(Self::Xml),
            "application/json" | "text/json" => Some(Self::Json),
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }
}

impl FromStr for Format {
    type Err = DocumentError;

    fn from_str(name: &str) -> Result<Self, DocumentError> {
        match name {
            "html" => Ok(Self::Html),
            "xml" => Ok(Self::Xml),
            "json" => Ok(Self::Json),
            _ => Err(DocumentError::UnknownFormat),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Html => "html",
            Self::Xml => "xml",
            Self::Json => "json",
        })
    }
}
