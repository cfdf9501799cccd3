//! Questions to the person, between a running connector and whoever answers. At most one is open in a session.
//!
//! An answer reaches the waiting run as a message and is never stored. A question goes when it is answered, refused, out
//! of time, or when the connector or the session is gone.

use std::sync::Arc;

use base64::Engine as _;
use consentry_contract::failure::Code;
use consentry_contract::manifest::{Answer as AnswerRule, AnswerKind};
use consentry_host_api::ports::{Answer, Asked, Prompter, Question as Wanted, Typed};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::Session;
use super::events::{AnswerField, Question, What};
use super::state::{State, Step};
use crate::clock::Clock;
use crate::credentials::Values;
use crate::entropy::Entropy;
use crate::id::QuestionId;
use crate::online_service::{KeyHash, Localised};

/// How long a question can be answered: the life of a one-time password (retention row R09).
pub const QUESTION_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// The kind of question that sends the person elsewhere.
const REDIRECT: &str = "redirect";
/// Largest image shown with a question, in bytes.
pub const IMAGE_BYTES_MAX: usize = 512 * 1024;

/// The open question's end that brings the answer.
pub(super) struct Pending {
    question: QuestionId,
    since: Timestamp,
    until: Timestamp,
    /// It was asked by sending the person elsewhere; the answer has these parts.
    redirect: Option<Vec<String>>,
    answer: oneshot::Sender<Answer>,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this question is not open (any more)")]
pub struct NotAsked;

/// Asks the person of one session. What the run's [`Prompter`] port is.
pub struct AskPerson {
    session: Arc<Session>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    rules: Vec<AnswerRule>,
}

impl AskPerson {
    /// Asks in this session; answers have the parts that the manifest declares.
    pub fn new(session: Arc<Session>, clock: Arc<dyn Clock>, entropy: Arc<Entropy>, rules: &[AnswerRule]) -> Self {
        Self { session, clock, entropy, rules: rules.to_vec() }
    }

    fn describe(&self, wanted: Wanted, now: Timestamp) -> Result<Question, Code> {
        let image = wanted.image.map(|bytes| data_address(&bytes).ok_or(Code::InvalidArgument)).transpose()?;
        let rules = self.rules.iter().filter(|rule| rule.prompt.as_str() == wanted.kind);
        let until = now.checked_add(QUESTION_LIFETIME).unwrap_or(Timestamp::MAX).min(self.session.deadline());
        Ok(Question {
            question: self.entropy.with(|rng| QuestionId::new(now, rng)),
            fields: rules.map(answer_field).collect(),
            kind: wanted.kind,
            details: wanted.details,
            image,
            until,
        })
    }
}

impl Prompter for AskPerson {
    fn ask(&self, wanted: Wanted) -> Result<Asked, Code> {
        let now = self.clock.now();
        let question = self.describe(wanted, now)?;
        let (answer, receiver) = oneshot::channel();
        let shown = Shown { session: self.session.clone(), clock: self.clock.clone(), question: question.question };
        self.session.open_question(question, answer, now)?;
        Ok(Asked { answer: receiver, shown: Box::new(shown) })
    }
}

/// Takes the question down when it goes.
struct Shown {
    session: Arc<Session>,
    clock: Arc<dyn Clock>,
    question: QuestionId,
}

impl Drop for Shown {
    fn drop(&mut self) {
        // A question that was answered is closed already.
        let _ = self.session.close_question(self.question, Answer::Expired, self.clock.now());
    }
}

impl Session {
    fn open_question(&self, question: Question, answer: oneshot::Sender<Answer>, now: Timestamp) -> Result<(), Code> {
        let mut inner = self.lock();
        let step = Step::Asked(question.question);
        // Another question is open: the connector must take that one down first.
        self.apply(&mut inner, step, now).map_err(|_| Code::InvalidArgument)?;
        let parts = || question.fields.iter().map(|field| field.name.clone()).collect();
        let redirect = (question.kind == REDIRECT).then(parts);
        inner.pending =
            Some(Pending { question: question.question, since: now, until: question.until, redirect, answer });
        self.events.push(now, What::Question { question: Arc::new(question) });
        Ok(())
    }

    /// Answers the open question with values that were opened just now.
    ///
    /// # Errors
    /// This question is not open, or its time is over.
    pub fn answer(&self, question: QuestionId, values: Values, now: Timestamp) -> Result<(), NotAsked> {
        self.close_question(question, Answer::Given(Typed::at(values.into_inner(), now)), now)
    }

    /// Remembers the state that a person who was sent elsewhere brings back; as a hash only.
    pub fn expect_back(&self, state: KeyHash) {
        self.lock().way_back = Some(state);
    }

    /// Whether the person whom this session's run sent elsewhere, and waits for, comes back with this state.
    pub fn waits_for(&self, state: &KeyHash) -> bool {
        let inner = self.lock();
        inner.pending.as_ref().is_some_and(|pending| pending.redirect.is_some())
            && inner.way_back.as_ref().is_some_and(|expected| expected.is(state))
    }

    /// Takes the person back who was sent elsewhere: what the manifest declares of what they bring is the answer, an `error`
    /// that it does not declare is a no. The state is of no use a second time.
    ///
    /// # Errors
    /// Nobody was sent elsewhere with this state, or the question's time is over.
    pub fn come_back(&self, state: &KeyHash, mut brought: Values, now: Timestamp) -> Result<(), NotAsked> {
        let (question, parts) = {
            let mut inner = self.lock();
            let open = inner.pending.as_ref().and_then(|open| Some((open.question, open.redirect.clone()?)));
            let open = open.ok_or(NotAsked)?;
            inner.way_back.take_if(|expected| expected.is(state)).ok_or(NotAsked)?;
            open
        };
        let declared = |name: &String| parts.contains(name);
        let refused = brought.iter().any(|(name, _)| name == "error" && !declared(name));
        brought.retain(|(name, _)| declared(name));
        let answer = if refused { Answer::Denied } else { Answer::Given(Typed::at(brought.into_inner(), now)) };
        self.close_question(question, answer, now)
    }

    /// Says no to the open question.
    ///
    /// # Errors
    /// As [`Session::answer`].
    pub fn deny(&self, question: QuestionId, now: Timestamp) -> Result<(), NotAsked> {
        self.close_question(question, Answer::Denied, now)
    }

    /// Takes down a question whose time is over, and destroys an answer that the connector did not take within its time (retention row R09).
    pub(super) fn sweep_question(&self, now: Timestamp) {
        let typed = self.lock().typed.take_if(|(_, until)| now >= *until);
        drop(typed.and_then(|(typed, _)| typed.take()));
        let open = self.lock().pending.as_ref().map(|pending| (pending.question, pending.until));
        if let Some((question, until)) = open
            && now >= until
        {
            // Somebody answered in this very moment: then it is closed already.
            let _ = self.close_question(question, Answer::Expired, now);
        }
    }

    fn close_question(&self, question: QuestionId, answer: Answer, now: Timestamp) -> Result<(), NotAsked> {
        let mut inner = self.lock();
        let pending = inner.pending.take_if(|pending| pending.question == question).ok_or(NotAsked)?;
        self.events.push(now, What::QuestionClosed { question });
        inner.notes.waited += now.duration_since(pending.since);
        if matches!(inner.state, State::AwaitingPerson { .. }) {
            self.apply(&mut inner, Step::Answered(question), now).map_err(|_| NotAsked)?;
        }
        let late = now >= pending.until && !matches!(answer, Answer::Expired);
        if let Answer::Given(typed) = &answer {
            let until = now.checked_add(QUESTION_LIFETIME).unwrap_or(Timestamp::MAX);
            inner.typed = Some((typed.clone(), until)).filter(|_| !late);
        }
        drop(inner);
        // The connector may be gone; then nobody needs the answer, and it is wiped here.
        let _ = pending.answer.send(if late { Answer::Expired } else { answer });
        if late { Err(NotAsked) } else { Ok(()) }
    }
}

fn answer_field(rule: &AnswerRule) -> AnswerField {
    AnswerField {
        name: rule.name.as_str().to_owned(),
        secret: matches!(rule.kind, AnswerKind::Secret),
        label: localised(&rule.label),
    }
}

/// A manifest's label in the languages we speak.
pub fn localised(label: &consentry_contract::manifest::Label) -> Localised {
    Localised { en: label.text("en").to_owned(), fr: label.text("fr").to_owned() }
}

/// Only images that a browser shows as images, by their first bytes.
fn data_address(bytes: &[u8]) -> Option<String> {
    let media = match bytes {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        _ => return None,
    };
    let fits = bytes.len() <= IMAGE_BYTES_MAX;
    fits.then(|| format!("data:{media};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::fixtures::{REQUEST, entropy, hollow_connector, id, now, request};
    use crate::online_service::KeyHash;

    struct World {
        session: Arc<Session>,
        clock: Arc<ManualClock>,
        person: AskPerson,
    }

    /// A session whose connector is at work.
    fn world() -> World {
        let clock = Arc::new(ManualClock::new(now()));
        let session = Arc::new(Session::new(id(1), request(REQUEST), KeyHash::of("token"), now()));
        for step in [Step::NoticeShown, Step::ConsentGiven, Step::CredentialsGiven] {
            session.step(step, now()).unwrap();
        }
        let package = hollow_connector();
        let person = AskPerson::new(session.clone(), clock.clone(), entropy(), package.manifest().answers());
        World { session, clock, person }
    }

    fn otp() -> Wanted {
        Wanted { kind: "otp".to_owned(), details: vec![("medium".to_owned(), "sms".to_owned())], image: None }
    }

    fn open(world: &World) -> (Asked, QuestionId) {
        let asked = world.person.ask(otp()).unwrap();
        match world.session.state() {
            State::AwaitingPerson { question, .. } => (asked, question),
            other => panic!("{other:?}"),
        }
    }

    fn code() -> Values {
        Values::from_iter([("code".to_owned(), b"123456".to_vec().into())])
    }

    #[tokio::test]
    async fn an_answer_reaches_the_connector_once() {
        let world = world();
        let (asked, question) = open(&world);
        assert_eq!(world.session.answer(id(8), code(), now()), Err(NotAsked));
        assert_eq!(world.session.answer(question, code(), now()), Ok(()));
        assert_eq!(world.session.answer(question, code(), now()), Err(NotAsked));
        assert!(
            matches!(asked.answer.await.unwrap(), Answer::Given(typed) if typed.take() == Some(code().into_inner()))
        );
        assert!(matches!(world.session.state(), State::Collecting { .. }));
    }

    #[tokio::test]
    async fn an_answer_that_the_connector_does_not_take_is_gone_after_ten_minutes() {
        let world = world();
        let (asked, question) = open(&world);
        assert_eq!(world.session.answer(question, code(), now()), Ok(()));
        let Answer::Given(typed) = asked.answer.await.unwrap() else { panic!("no answer") };
        let kept = typed.clone();
        world.session.sweep_question(now() + QUESTION_LIFETIME - SignedDuration::from_nanos(1));
        let parts = typed.take();
        assert_eq!(parts, Some(code().into_inner()), "it is there until then");

        let (asked, question) = open(&world);
        assert_eq!(world.session.answer(question, code(), now()), Ok(()));
        world.session.sweep_question(now() + QUESTION_LIFETIME);
        let Answer::Given(typed) = asked.answer.await.unwrap() else { panic!("no answer") };
        assert_eq!((typed.take(), kept.take()), (None, None));
    }

    #[test]
    fn of_all_who_answer_refuse_and_sweep_at_once_one_is_heard() {
        for _ in 0..200 {
            let world = world();
            let (mut asked, question) = open(&world);
            let start = std::sync::Barrier::new(8);
            let heard = std::thread::scope(|scope| {
                let one = |number: usize| {
                    let (session, start) = (&world.session, &start);
                    scope.spawn(move || {
                        start.wait();
                        match number % 3 {
                            0 => session.answer(question, code(), now()).is_ok(),
                            1 => session.deny(question, now()).is_ok(),
                            // Who sweeps is told nothing.
                            _ => {
                                session.sweep_question(now() + QUESTION_LIFETIME);
                                false
                            }
                        }
                    })
                };
                let all: Vec<_> = (0..8).map(one).collect();
                all.into_iter().map(|one| one.join().unwrap()).filter(|heard| *heard).count()
            });
            let swept = matches!(asked.answer.try_recv().unwrap(), Answer::Expired);
            assert_eq!(heard + usize::from(swept), 1, "one answer, whoever gave it");
            assert!(matches!(world.session.state(), State::Collecting { .. }));
        }
    }

    #[tokio::test]
    async fn a_question_goes_when_it_is_refused_late_or_taken_down() {
        let refused = world();
        let (asked, question) = open(&refused);
        refused.session.deny(question, now()).unwrap();
        assert!(matches!(asked.answer.await.unwrap(), Answer::Denied));

        let late = world();
        let (asked, question) = open(&late);
        late.clock.advance(QUESTION_LIFETIME);
        assert_eq!(late.session.answer(question, code(), late.clock.now()), Err(NotAsked));
        assert!(matches!(asked.answer.await.unwrap(), Answer::Expired));

        let dropped = world();
        let (asked, question) = open(&dropped);
        drop(asked);
        assert!(matches!(dropped.session.state(), State::Collecting { .. }));
        assert_eq!(dropped.session.answer(question, code(), now()), Err(NotAsked));

        let swept = world();
        let (asked, _) = open(&swept);
        swept.session.sweep_question(now());
        assert!(matches!(swept.session.state(), State::AwaitingPerson { .. }));
        swept.session.sweep_question(now() + QUESTION_LIFETIME);
        assert!(matches!(asked.answer.await.unwrap(), Answer::Expired));
    }

    #[tokio::test]
    async fn a_withdrawal_takes_the_question_down_with_the_session() {
        let world = world();
        let (asked, question) = open(&world);
        world.session.step(Step::Withdrawn, now()).unwrap();
        assert!(asked.answer.await.is_err(), "the channel is closed");
        assert_eq!(world.session.answer(question, code(), now()), Err(NotAsked));
    }

    #[test]
    fn one_question_at_a_time_with_the_manifests_fields_and_images_only() {
        let world = world();
        let _open = open(&world);
        assert!(matches!(world.person.ask(otp()), Err(Code::InvalidArgument)));
        let question = world.person.describe(otp(), now()).unwrap();
        assert_eq!(
            question.fields.iter().map(|field| (field.name.as_str(), field.secret)).collect::<Vec<_>>(),
            [("code", true)]
        );
        assert!(!format!("{question:?}").contains("sms"));
        let image = |bytes: &[u8]| Wanted { image: Some(Arc::new(bytes.to_vec().into())), ..otp() };
        assert!(matches!(world.person.describe(image(b"<svg onload=alert(1)>"), now()), Err(Code::InvalidArgument)));
        let shown = world.person.describe(image(b"\x89PNG\r\n\x1a\n"), now()).unwrap().image;
        assert_eq!(shown.as_deref(), Some("data:image/png;base64,iVBORw0KGgo="));
    }
}
