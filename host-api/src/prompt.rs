//! prompt: questions to the person. Asking and waiting are two calls; answers that are secrets go straight into the vault and reach the
//! connector as handles.

use std::sync::Arc;
use std::time::Duration;

use consentry_contract::failure::{Code, Stage};
use consentry_contract::item::Bytes;
use consentry_contract::limits::LimitName;
use consentry_contract::manifest::AnswerKind;
use consentry_contract::recipe::{Leaf, LeafKind};
use consentry_tape::{Event, How, Part};
use tokio::sync::oneshot;
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::prompt;
use crate::blob::Blob;
use crate::credentials::Handle;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::held::Held;
use crate::hop;
use crate::ports::{Answer, Question};

/// A question that is being shown, or its answer's place.
pub struct Challenge {
    kind: String,
    pending: Option<oneshot::Receiver<Answer>>,
    /// Takes the question down when the challenge goes.
    _shown: Box<dyn Send + Sync>,
    /// Its picture counts while it is shown.
    _image: Option<Arc<Held>>,
}

const NAME: &str = "prompt";
/// Retention R09: how long an answer that nobody uses is kept.
const ANSWER_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// Kinds of the contract.
const KINDS: [&str; 6] = ["otp", "approve", "choose", "captcha", "redirect", "text"];
/// Details that a kind may have; `option:ID` besides.
const DETAILS: [&str; 4] = ["medium", "target", "expires-seconds", "url"];
/// Longest detail, in bytes.
const DETAIL_BYTES_MAX: usize = 512;
/// Most details of one question.
const DETAILS_MAX: usize = 64;

impl HostCtx {
    fn question(
        &mut self,
        kind: String,
        details: Vec<(String, String)>,
        image: Option<Bytes>,
    ) -> Result<Question, Fail> {
        if !KINDS.contains(&kind.as_str()) {
            return Err(
                self.refuse(Code::ChallengeUnsupported, format!("a prompt's kind is one of {}", KINDS.join(", ")))
            );
        }
        if details.len() > DETAILS_MAX {
            return Err(self.refuse(Code::InvalidArgument, format!("a prompt has at most {DETAILS_MAX} details")));
        }
        for (name, value) in &details {
            if name.len() > DETAIL_BYTES_MAX
                || !DETAILS.contains(&name.as_str()) && !name.starts_with("option:")
                || value.len() > DETAIL_BYTES_MAX
            {
                return Err(self.refuse(
                    Code::InvalidArgument,
                    format!(
                        "a prompt's details are {} and option:ID, each at most {DETAIL_BYTES_MAX} bytes",
                        DETAILS.join(", ")
                    ),
                ));
            }
        }
        for (_, url) in details.iter().filter(|(name, _)| name == "url") {
            self.target(url)?;
        }
        Ok(Question { kind, details, image })
    }

    /// An answer for the tape: what the manifest does not declare public is there by its name.
    fn parts(&self, kind: &str, parts: &[(String, zeroize::Zeroizing<Vec<u8>>)]) -> Vec<Part> {
        let declared = |name: &str| {
            let mut answers = self.manifest.answers().iter();
            answers.find(|answer| answer.prompt.as_str() == kind && answer.name.as_str() == name)
        };
        let part = |(name, value): &(String, zeroize::Zeroizing<Vec<u8>>)| {
            let public = declared(name)?.kind == AnswerKind::Public;
            let public = public.then(|| String::from_utf8_lossy(value).into_owned());
            Some(Part { name: name.clone(), public })
        };
        parts.iter().filter_map(part).collect()
    }

    /// Shows a question.
    pub(crate) fn ask_person(
        &mut self,
        kind: String,
        details: Vec<(String, String)>,
        image: Option<Blob>,
    ) -> Result<Resource<Challenge>, Fail> {
        self.spend(LimitName::Prompts, 1)?;
        self.at(Stage::Challenge);
        let (image, held) = image.map_or((None, None), |Blob(bytes, held)| (Some(bytes), Some(held)));
        let question = self.question(kind.clone(), details, image)?;
        if !self.grants.attended {
            return Err(self.refuse(Code::PersonAbsent, "nobody is there to answer: this run is not attended"));
        }
        match self.ports.prompter.ask(question) {
            Ok(asked) => {
                let (pending, shown) = (Some(asked.answer), asked.shown);
                Ok(self.table.push(Challenge { kind, pending, _shown: shown, _image: held })?)
            }
            Err(code) => Err(self.refuse(code, "the question could not be asked")),
        }
    }

    /// Puts an answer where the manifest declares it: a secret into the vault, a public part beside it; what is not declared is dropped.
    fn take_answer(&mut self, kind: &str, parts: Vec<(String, zeroize::Zeroizing<Vec<u8>>)>) -> Result<(), Fail> {
        for (name, value) in parts {
            let declared = self.manifest.answers().iter();
            let mut declared = declared.filter(|answer| answer.prompt.as_str() == kind && answer.name.as_str() == name);
            match declared.next().map(|answer| answer.kind) {
                Some(AnswerKind::Secret) => {
                    let put = self.vault.put(Leaf::new(LeafKind::Answer, &name), value);
                    put.map_err(|error| Fail::Stop(error.into()))?;
                }
                Some(AnswerKind::Public) => {
                    let text = String::from_utf8_lossy(&value).into_owned();
                    self.vault.put_public(&format!("answer.{name}"), text);
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl prompt::Host for HostCtx {
    fn ask(
        &mut self,
        kind: String,
        details: Vec<(String, String)>,
        image: Option<Resource<Blob>>,
    ) -> Result<Resource<Challenge>, Fail> {
        self.enter(NAME, "ask")?;
        let image = image.map(|blob| self.table.get(&blob).cloned()).transpose()?;
        self.ask_person(kind, details, image)
    }

    fn callback(&mut self) -> wasmtime::Result<(String, String)> {
        self.enter_infallible(NAME, "callback")?;
        Ok(self.callback.clone())
    }
}

impl prompt::HostChallenge for HostCtx {
    async fn wait(&mut self, this: Resource<Challenge>, max_ms: u32) -> Result<bool, Fail> {
        self.enter(NAME, "challenge.wait")?;
        let challenge = self.table.get_mut(&this)?;
        let kind = challenge.kind.clone();
        let Some(mut receiver) = challenge.pending.take() else { return Ok(true) };
        self.shrink();
        let pause = self.ports.clock.pause(Duration::from_millis(max_ms.into()));
        let waited = hop::hop(self, async move {
            match tokio::time::timeout(pause, &mut receiver).await {
                Ok(answer) => Ok(answer),
                Err(_) => Err(receiver),
            }
        });
        let answer = match waited.await? {
            Ok(answer) => answer.unwrap_or(Answer::Expired),
            Err(receiver) => {
                self.table.get_mut(&this)?.pending = Some(receiver);
                self.ports.tape.outside(Event::Prompt { how: How::Waiting, parts: Vec::new() });
                return Ok(false);
            }
        };
        let given = match answer {
            // One that nobody waited for as long as it may be kept is gone.
            Answer::Given(typed) => {
                let taken = typed.take_in(self.vault.in_clear());
                taken.map(|(parts, clear)| (typed.came(), parts, clear)).ok_or(How::Expired)
            }
            Answer::Denied => Err(How::Denied),
            Answer::Expired => Err(How::Expired),
        };
        let (how, parts) = match &given {
            Ok((_, parts, _)) => (How::Given, self.parts(&kind, parts)),
            Err(how) => (*how, Vec::new()),
        };
        self.ports.tape.outside(Event::Prompt { how, parts });
        match given {
            Ok((came, parts, _clear)) => {
                self.facts.host = None;
                self.answers_until = came.unwrap_or_else(|| self.ports.clock.now()).checked_add(ANSWER_LIFE).ok();
                self.take_answer(&kind, parts).map(|()| true)
            }
            Err(How::Denied) => Err(self.refuse(Code::ChallengeDenied, "the person said no")),
            Err(_) => Err(self.refuse(Code::ChallengeTimeout, "nobody answered in time")),
        }
    }

    fn secret(&mut self, _: Resource<Challenge>, name: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "challenge.secret")?;
        self.handle_if_held(Leaf::new(LeafKind::Answer, &name))
    }

    fn text(&mut self, _: Resource<Challenge>, name: String) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "challenge.text")?;
        Ok(self.vault.public(&format!("answer.{name}")).map(str::to_owned))
    }

    fn drop(&mut self, this: Resource<Challenge>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
