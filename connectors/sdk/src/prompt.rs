//! Questions to the person: `ask("otp").detail("medium", "sms").secret("code")?`.

pub use crate::contract::prompt::Challenge;

use crate::contract::types::Blob;
use crate::contract::{clock, prompt};
use crate::fault::{Code, Result};
use crate::request::Secret;

/// How long one call waits for an answer; the run's own time bounds them all.
const PATIENCE_MS: u32 = 60_000;

/// A question in the making.
#[must_use = "a question is shown only when it is asked"]
pub struct Question<'a> {
    kind: &'a str,
    details: Vec<(String, String)>,
    image: Option<&'a Blob>,
}

/// A question: `otp`, `approve`, `choose`, `captcha`, `redirect`, `text`.
pub fn ask(kind: &str) -> Question<'_> {
    Question { kind, details: Vec::new(), image: None }
}

impl<'a> Question<'a> {
    /// Adds a detail of this kind: `medium`, `target` (masked), `expires-seconds`, `url`, `option:ID`.
    pub fn detail(mut self, name: &str, value: impl Into<String>) -> Self {
        self.details.push((name.to_owned(), value.into()));
        self
    }

    /// Adds the image that the question is about.
    pub fn image(mut self, image: &'a Blob) -> Self {
        self.image = Some(image);
        self
    }

    /// Shows it. It is taken down when the challenge is dropped.
    ///
    /// # Errors
    /// What the host answers: `person-absent` in scheduled runs.
    pub fn show(self) -> Result<Challenge> {
        prompt::ask(self.kind, &self.details, self.image)
    }

    /// Asks, waits, and answers with a part that the manifest declares `secret`.
    ///
    /// # Errors
    /// `challenge-denied`, `challenge-timeout`, `person-absent`.
    pub fn secret(self, name: &str) -> Result<Secret> {
        self.answered()?
            .secret(name)
            .ok_or_else(|| Code::Unclassified.fault(format!("the answer has no secret part {name}")))
    }

    /// Asks, waits, and answers with a part that the manifest declares `public`.
    ///
    /// # Errors
    /// `challenge-denied`, `challenge-timeout`, `person-absent`.
    pub fn text(self, name: &str) -> Result<String> {
        self.answered()?
            .text(name)
            .ok_or_else(|| Code::Unclassified.fault(format!("the answer has no public part {name}")))
    }

    /// Asks, and looks again and again whether the source has got what it waits for, at most so many times. An answer of the person
    /// here only ends the wait before the next look: the source decides.
    ///
    /// # Errors
    /// `challenge-timeout` after the last look, or any fault of the person's answer or of `look`.
    pub fn until<T>(self, every_ms: u32, looks: u32, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let challenge = self.show()?;
        let mut answered = false;
        for _ in 0..looks {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if answered {
                clock::sleep(every_ms)?;
            } else {
                answered = challenge.wait(every_ms)?;
            }
        }
        Err(Code::ChallengeTimeout.fault("the source still waits for the person"))
    }

    fn answered(self) -> Result<Challenge> {
        let challenge = self.show()?;
        while !challenge.wait(PATIENCE_MS)? {}
        Ok(challenge)
    }
}
