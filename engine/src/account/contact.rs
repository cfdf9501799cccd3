//! Where a person is reached: an address of electronic mail, of which no more is known than that it has the form of one.

use serde::{Deserialize, Serialize};

/// Longest address, in bytes (RFC 5321, section 4.5.3.1.3).
pub const CONTACT_BYTES_MAX: usize = 254;

/// Where a person is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Contact(String);

/// A text that is no address of electronic mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is NAME@HOST, with {CONTACT_BYTES_MAX} bytes at most")]
pub struct NotAContact;

impl TryFrom<String> for Contact {
    type Error = NotAContact;

    fn try_from(text: String) -> Result<Self, NotAContact> {
        let parts = text.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
        let plain = !text.contains(|each: char| each.is_whitespace() || each.is_control());
        if parts.is_some() && plain && text.len() <= CONTACT_BYTES_MAX { Ok(Self(text)) } else { Err(NotAContact) }
    }
}

impl Contact {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Contact> for String {
    fn from(contact: Contact) -> Self {
        contact.0
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact")
    }
}
