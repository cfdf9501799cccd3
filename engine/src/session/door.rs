//! How a person's browser comes into a session: by a code that works once, and from then on by a secret of its own. Both are
//! known here as hashes only. What a programme shows for the person, the session's token, is another secret.

use serde::{Deserialize, Serialize};

use super::Session;
use crate::online_service::KeyHash;

/// What a browser can come in by.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// The entry code, as long as nobody used it.
    entry: Option<KeyHash>,
    /// The secret of the browser that used it.
    pub(super) browser: Option<KeyHash>,
}

impl Session {
    /// Lets whoever shows this code in, once.
    pub fn open_door(&self, entry: KeyHash) {
        self.lock().door = Door { entry: Some(entry), browser: None };
    }

    /// Uses the entry code up for a browser. False: it is another code, or it was used.
    pub fn enter(&self, code: &str, browser: KeyHash) -> bool {
        let mut inner = self.lock();
        let fits = inner.door.entry.take_if(|entry| entry.matches(code)).is_some();
        if fits {
            inner.door.browser = Some(browser);
        }
        fits
    }

    /// Whether `secret` is that of the browser that came in, in constant time.
    pub fn knows_browser(&self, secret: &str) -> bool {
        self.lock().door.browser.as_ref().is_some_and(|browser| browser.matches(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{REQUEST, id, now, request};

    #[test]
    fn a_code_lets_one_browser_in_and_the_persons_token_none() {
        let session = Session::new(id(1), request(REQUEST), KeyHash::of("token"), now());
        assert!(!session.enter("code", KeyHash::of("browser")), "nobody opened the door");
        session.open_door(KeyHash::of("code"));
        assert!(!session.enter("token", KeyHash::of("browser")) && !session.knows_browser("browser"));
        assert!(session.knows("token"), "a programme may show pages of its own");
        assert!(session.enter("code", KeyHash::of("browser")));
        assert!(!session.knows("token"), "from now on the browser alone is the person");
        assert!(!session.enter("code", KeyHash::of("another")), "once");
        assert!(
            session.knows_browser("browser") && !session.knows_browser("another") && !session.knows_browser("token")
        );
        assert!(!session.knows("browser"));
        let row = session.row("node-1");
        let again = Session::resume(&row, request(REQUEST), None, now());
        assert!(again.knows_browser("browser") && !again.enter("code", KeyHash::of("another")), "also after a restart");
    }
}
