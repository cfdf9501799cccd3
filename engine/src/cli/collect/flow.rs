//! The flow itself: notice, consent, login, questions, preview, delivery.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use consentry_contract::failure::{Code, Text};

use super::super::interrupt::Interrupt;
use super::super::terminal::Terminal;
use super::{Options, Receiver, pick, request, show, words};
use crate::consent::notice;
use crate::credentials::{self, VALUE_BYTES_MAX, Values};
use crate::data::Category;
use crate::engine::catalogue::LoginField;
use crate::engine::{Engine, EngineError};
use crate::entropy::Entropy;
use crate::id::{QuestionId, ReceiptId};
use crate::jose::{PublicKey, RecipientKey, jwe};
use crate::receipt::file::ReceiptFile;
use crate::release::Decision;
use crate::session::Session;
use crate::session::events::{Question, What};
use crate::session::state::State;
use crate::trace::{Device, Language, Navigation};

/// How the operator's own secrets are given to this command.
const OPERATOR_FILE: &str = " (here: --operator-file NAME=FILE)";

/// One flow, with whoever sits at the terminal.
pub(super) struct Flow<'a> {
    pub(super) engine: Arc<Engine>,
    pub(super) options: &'a Options,
    pub(super) terminal: Terminal,
    pub(super) receiver: Receiver,
    /// Why files of the folder are not served.
    pub(super) refused: Vec<String>,
    pub(super) interrupt: Interrupt,
}

/// How a flow ended. It has receipts whether or not something went wrong at the terminal.
pub(super) struct Ended {
    pub(super) session: Arc<Session>,
    /// The public keys that its receipts are signed with.
    pub(super) keys: Vec<PublicKey>,
    /// The public keys of the ledger.
    pub(super) log_keys: Vec<PublicKey>,
    /// Its receipts with their proofs, filled in at the very end.
    pub(super) receipts: Vec<(ReceiptId, ReceiptFile)>,
    /// What went wrong here.
    pub(super) error: Option<anyhow::Error>,
}

impl Flow<'_> {
    /// Runs the flow to its end, whatever it is.
    pub(super) async fn run(mut self) -> anyhow::Result<Ended> {
        let asked = request(self.options, self.receiver.service())?;
        let session = self.engine.create_session(self.receiver.service(), asked.as_bytes()).await?.session;
        let (keys, log_keys) = (self.engine.signing_keys().await?, self.engine.log_keys().await?);
        let (engine, interrupt) = (self.engine.clone(), self.interrupt.clone());
        let done = {
            let mut going = std::pin::pin!(self.go(&session));
            tokio::select! {
                biased;
                // It is not cut off: it sees that its session has ended. Nor does it stand still meanwhile: it may be in the middle of what taking
                // back has to wait for.
                () = interrupt.asked() => tokio::join!(take_back(&engine, &session), going).1,
                done = &mut going => done,
            }
        };
        let error = done.err();
        if error.is_none() && !interrupt.is_asked() {
            self.terminal.left().for_each(|name| eprintln!("consentry: {name} was given, and nobody asked for it"));
        }
        match (&error, session.state()) {
            // This terminal could not take what was handed to it.
            (Some(_), State::Delivering) if !interrupt.is_asked() => engine.fail(&session, Code::DeliveryFailed).await,
            // Whatever went wrong here: what is under way ends, and what is held is erased.
            (Some(_), _) => take_back(&engine, &session).await,
            (None, _) => {}
        }
        // To interrupt is a word of the person's, and no error.
        let error = error.filter(|_| !interrupt.is_asked());
        Ok(Ended { session, keys, log_keys, receipts: vec![], error })
    }

    async fn go(&mut self, session: &Arc<Session>) -> anyhow::Result<()> {
        let offers = self.engine.sources_for(session.request());
        let offer = pick(self.options, offers, &self.refused, &self.terminal)?;
        let notice = match self.engine.choose_source(session, &offer.connector, &offer.source).await {
            Err(error @ (EngineError::Operator { .. } | EngineError::Connector(_))) => {
                let hint = if matches!(error, EngineError::Operator { .. }) { OPERATOR_FILE } else { "" };
                show::Progress::new(self.options).say(&format!("{error}{hint}"));
                self.engine.fail(session, error.code()).await;
                return Ok(());
            }
            chosen => chosen?,
        };
        show::notice(&notice, self.options);
        if !self.yes(&words::AGREE)? {
            return Ok(self.engine.refuse_consent(session).await?);
        }
        let granted: BTreeSet<Category> = notice.facts().asked.iter().map(|asked| asked.category).collect();
        self.engine.give_consent(session, &notice.digest(), &granted).await?;
        self.watch(session, &offer.fields).await
    }

    /// Follows the session's events and does what each asks for.
    async fn watch(&mut self, session: &Arc<Session>, fields: &[LoginField]) -> anyhow::Result<()> {
        let progress = show::Progress::new(self.options);
        let mut events = session.subscribe(0);
        while let Some(event) = events.next().await {
            match event.what {
                What::State { state, .. } => {
                    progress.state(&state, self.options);
                    self.on_state(session, &state, fields, &progress).await?;
                }
                What::Progress { step } => progress.step(&step, self.options),
                What::Count { done, total } => progress.count(done, total, self.options),
                What::Waiting { ahead } => progress.waits(ahead, self.options),
                What::Question { question } => match progress.pause(|| self.answers(&question))? {
                    Some(values) => self.answer(session, question.question, values).await?,
                    None => self.deny(session, question.question, &progress),
                },
                What::QuestionClosed { .. } | What::ReportOffered { .. } | What::Receipt { .. } => {}
            }
        }
        progress.finish();
        Ok(())
    }

    async fn on_state(
        &mut self,
        session: &Arc<Session>,
        state: &State,
        fields: &[LoginField],
        progress: &show::Progress,
    ) -> anyhow::Result<()> {
        match state {
            State::AwaitingCredentials { rejected } => self.log_in(session, *rejected, fields, progress).await,
            State::InReview => self.review(session, progress).await,
            State::Delivering => self.deliver(session).await,
            _ => Ok(()),
        }
    }

    /// Asks for the login, seals it as a browser does, and hands it over.
    async fn log_in(
        &mut self,
        session: &Arc<Session>,
        rejected: u8,
        fields: &[LoginField],
        progress: &show::Progress,
    ) -> anyhow::Result<()> {
        if rejected > 0 {
            let code = session.failure().map_or(Code::CredentialsRejected, |failure| failure.code);
            let row = code.row();
            progress.say(&format!("{} {}", self.options.say(&row.what), self.options.say(&row.next)));
            if !self.terminal.attended() {
                // Nobody can type another login; the session ends as what happened.
                self.engine.fail(session, code).await;
                return Ok(());
            }
        }
        let values = progress.pause(|| self.login(fields))?;
        let sealed = self.seal(session, None, &values).await?;
        match self.engine.open_login(session, &sealed, self.navigation()).await {
            // The session says how it goes on; the fields are asked for again, or it has ended.
            Err(error @ EngineError::Fields(_)) => {
                progress.say(&format!("{:#}", anyhow::Error::from(error)));
                Ok(())
            }
            opened => Ok(opened?),
        }
    }

    /// What a terminal tells about the one who sits at it.
    fn navigation(&self) -> Navigation {
        let language = match self.options.language.into() {
            notice::Language::En => "en",
            notice::Language::Fr => "fr",
        };
        Navigation { device: Device::Desktop, language: Language::of_accept_language(language) }
    }

    fn login(&mut self, fields: &[LoginField]) -> anyhow::Result<Values> {
        let language = self.options.language.into();
        let mut values = Values::default();
        for field in fields {
            let value = match self.terminal.take(&field.name) {
                Some(value) => value,
                None if field.optional && !self.terminal.attended() => continue,
                None => self.terminal.answer(&field.name, field.label.in_language(language), field.hidden)?,
            };
            values.push(field.name.clone(), value);
        }
        Ok(values)
    }

    /// The answers to a question; none when there is neither a flag nor a person to give them.
    fn answers(&mut self, question: &Question) -> anyhow::Result<Option<Values>> {
        show::question(question, self.options);
        let language = self.options.language.into();
        let mut values = Values::default();
        for field in &question.fields {
            let value = match self.terminal.take(&field.name) {
                Some(value) => value,
                None if !self.terminal.attended() => return Ok(None),
                None => self.terminal.answer(&field.name, field.label.in_language(language), field.secret)?,
            };
            values.push(field.name.clone(), value);
        }
        Ok(Some(values))
    }

    /// Says no to a question that nobody here can answer.
    fn deny(&self, session: &Session, question: QuestionId, progress: &show::Progress) {
        progress.say("nobody can be asked here: give answers with --answer NAME=VALUE");
        // The connector may have taken the question down meanwhile.
        let denied = self.engine.deny(session, question);
        tracing::debug!(ok = denied.is_ok(), "a question was refused");
    }

    async fn answer(&self, session: &Arc<Session>, question: QuestionId, values: Values) -> anyhow::Result<()> {
        let sealed = self.seal(session, Some(question), &values).await?;
        match self.engine.answer(session, &sealed).await {
            // The connector took the question down while it was being answered.
            Err(EngineError::NotAsked(_)) => Ok(()),
            answered => Ok(answered?),
        }
    }

    async fn seal(&self, session: &Session, question: Option<QuestionId>, values: &Values) -> anyhow::Result<String> {
        let keys = self.engine.intake_keys().await?;
        let key = RecipientKey::from_public(keys.into_iter().next().context("the engine has no key for logins")?)?;
        // Sealed, it would be refused without a word about which one it was.
        let is_wrong = |value: &[u8]| value.len() > VALUE_BYTES_MAX || std::str::from_utf8(value).is_err();
        if let Some((name, _)) = values.iter().find(|(_, value)| is_wrong(value)) {
            bail!(
                "{name} is longer than {VALUE_BYTES_MAX} bytes, or is not UTF-8: give another one; this was sent to nobody"
            );
        }
        let message = credentials::write(session.id(), question, values);
        Ok(Entropy::system().with(|rng| jwe::seal(&message, jwe::Content::Plain, &key, rng))?)
    }

    async fn review(&self, session: &Arc<Session>, progress: &show::Progress) -> anyhow::Result<()> {
        let preview = self.engine.preview(session)?;
        let yes = progress.pause(|| {
            show::preview(&preview, self.options);
            self.yes(&words::SHARE)
        });
        if !yes? {
            self.engine.withdraw(session).await?;
            return Ok(());
        }
        let decision = self
            .options
            .without
            .iter()
            .fold(Decision::all(), |decision, category| decision.without_category(*category));
        self.engine.share(session, &decision).await?;
        Ok(())
    }

    async fn deliver(&self, session: &Arc<Session>) -> anyhow::Result<()> {
        match &self.receiver {
            Receiver::Local(local) => {
                let parcel = session.parcel().context("the parcel is gone")?;
                local.receive(&self.engine, parcel).await?;
            }
            Receiver::Registered(service, _) => show::waiting(service, self.options),
        }
        Ok(())
    }

    fn yes(&self, question: &Text) -> anyhow::Result<bool> {
        if self.options.yes { Ok(true) } else { self.terminal.confirm(self.options.say(question)) }
    }
}

/// Takes the consent back: what is under way ends, and what is held is erased.
async fn take_back(engine: &Engine, session: &Arc<Session>) {
    if let Err(error) = engine.withdraw(session).await {
        let error = crate::causes::chain(&error);
        tracing::error!(error, "what was under way can't be taken back; it ends with this command");
    }
}
