//! Secrets on pages. Each is typed by the host, into a field that the manifest's sinks name, on the page that they name, in one go with the
//! look at the document, its origin and its focus. The connector learns that it was done, or the run ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use consentry_contract::failure::Code;
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::{Leaf, LeafKind, Recipe, Slot};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use super::context::{Context, PageError};
use super::frame::{At, Element, Seen};
use super::input::{AGAIN, SETTLE, may_pass, usable};
use super::reading::Looked;
use super::scripts;
use super::state::Challenge;
use super::transport::Secret;
use crate::clear::Moment;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::memory::locked;
use crate::network::Payload;

/// Most keys of a keypad.
const KEYS_MAX: usize = 64;

/// Who somebody is, as the protocol takes it: the browser's own table, which nothing of ours holds longer than it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Introduced<'s> {
    request_id: &'s str,
    auth_challenge_response: Credentials<'s>,
}

#[derive(Serialize)]
struct Credentials<'s> {
    response: &'static str,
    username: Secret<'s>,
    password: Secret<'s>,
}

impl Context {
    /// Waits for a site that asks who somebody is.
    pub(super) async fn challenge(&self) -> Challenge {
        let far = std::time::Instant::now() + std::time::Duration::from_secs(3600);
        match self.wait(far, |state| state.challenges.pop_front()).await {
            Ok(Some(challenge)) => challenge,
            // Whatever else waits for the page hears of it.
            _ => std::future::pending().await,
        }
    }

    /// From now on sites of this origin are told who somebody is when they ask. Every request waits a moment for that.
    pub(super) async fn answer_logins(&self, origin: String) -> Result<(), PageError> {
        let sessions: BTreeSet<String> = {
            let mut state = self.state();
            state.logins.insert(origin);
            state.frames.values().map(|frame| frame.session.clone()).collect()
        };
        for session in sessions {
            let asked = serde_json::json!({ "handleAuthRequests": true });
            self.transport().tell(&session, "Fetch.enable", asked).await?;
        }
        Ok(())
    }

    /// The keys of a keypad: each is another element, and all are of the document that was recognised and stand where the manifest says.
    pub(super) async fn keys(
        &self,
        at: &At,
        keys: &[(String, String)],
        containers: &[String],
        seen: &Seen,
    ) -> Result<Vec<(String, Element)>, PageError> {
        let found = try_join_all(keys.iter().map(|(_, selector)| self.key_of_pad(at, selector, containers, seen)));
        let found = found.await?;
        let each: BTreeSet<i64> = found.iter().map(|(_, identity)| *identity).collect();
        if each.len() < found.len() {
            return Err(PageError::Unusable("the key of another character too"));
        }
        let characters = keys.iter().map(|(character, _)| character.clone());
        Ok(characters.zip(found.into_iter().map(|(element, _)| element)).collect())
    }

    /// A key of a keypad, and what tells it from others.
    async fn key_of_pad(
        &self,
        at: &At,
        selector: &str,
        containers: &[String],
        seen: &Seen,
    ) -> Result<(Element, i64), PageError> {
        let element = self.element(at, selector).await?;
        usable(&self.ask_element::<String>(&element, scripts::IS_WITHIN, &[json!(containers), json!(seen)]).await?)?;
        let identity = self.identity(&element).await?;
        Ok((element, identity))
    }

    /// Presses the keys for each character; none if a character has no key. Between two of them the secret is sealed: a page takes its time.
    pub(super) async fn press(
        &self,
        at: &At,
        keys: &[(String, Element)],
        secret: &Payload,
        seen: &Seen,
    ) -> Result<Option<()>, PageError> {
        for place in 0.. {
            let key = {
                let _clear = secret.run().begin(Moment::Send);
                let text = secret.open_counted();
                let Some(character) = std::str::from_utf8(&text).ok().and_then(|text| text.chars().nth(place)) else {
                    break;
                };
                // Each of them is looked at, whichever it is.
                let is_it = |named: &str| named.chars().eq([character]);
                keys.iter().fold(None, |found, key| if is_it(&key.0) { Some(key) } else { found })
            };
            let Some((_, element)) = key else { return Ok(None) };
            self.press_key(at, element, seen).await?;
        }
        Ok(Some(()))
    }

    /// Presses a key, as soon as it lies open.
    pub(super) async fn press_key(&self, at: &At, key: &Element, seen: &Seen) -> Result<(), PageError> {
        let until = Instant::now() + SETTLE;
        loop {
            match self.press_now(at, key, seen).await {
                Err(error) if may_pass(&error) && Instant::now() < until => tokio::time::sleep(AGAIN).await,
                pressed => return pressed,
            }
        }
    }

    /// Where it was pressed is the character. A page may bring something else there between the look and the press, a frame of another origin
    /// too: so the document is asked whether its key has heard it.
    async fn press_now(&self, at: &At, key: &Element, seen: &Seen) -> Result<(), PageError> {
        let place = self.aim(at, key).await?;
        usable(&self.ask_element::<String>(key, scripts::LISTEN, &[json!(seen)]).await?)?;
        let struck = async {
            let struck = self.strike(at, &place).await;
            // Whoever was to hear it has heard it by now. A document that has gone on since said so before.
            let _ = self.ask_element::<Value>(key, scripts::SILENCE, &[]).await;
            struck
        };
        let heard = self.ask_element::<bool>(key, scripts::IS_HEARD, &[]);
        match tokio::join!(heard, struck) {
            (Ok(true), _) => Ok(()),
            (Err(error), _) | (_, Err(error)) if !may_pass(&error) => Err(error),
            _ => Err(PageError::Elsewhere),
        }
    }
}

impl HostCtx {
    /// What a page is in the manifest's words; a secret goes into no other.
    pub(super) fn page_for_secret(&mut self, looked: &Looked) -> Result<String, Fail> {
        match &looked.recognition.page {
            Some(page) => Ok(page.as_str().to_owned()),
            None => {
                let text = self.plan.sinks().unrecognised(&looked.url);
                Err(self.refuse(Code::CapabilityDenied, text))
            }
        }
    }

    /// Counts a use of the sinks, and remembers what goes where.
    pub(super) fn admit_on_page(&mut self, page: &str, slot: &Slot, recipe: &Recipe) -> Result<Vec<String>, Fail> {
        let sinks = self.plan.sinks();
        let admitted = match slot {
            Slot::Field(selector) => sinks.admit_field(page, selector, recipe),
            _ => sinks.admit_keypad(page, recipe),
        };
        let admitted = admitted.map_err(|refusal| self.refuse(Code::CapabilityDenied, refusal.to_string()))?;
        let plan = self.plan.clone();
        let slots = admitted.sinks.iter().filter_map(|(id, _)| plan.sinks().sink(*id));
        let containers = slots.filter_map(|sink| match &sink.slot {
            Slot::Keypad(container) => Some(container.clone()),
            _ => None,
        });
        let containers = containers.collect();
        let places = admitted.sinks.iter().filter_map(|(id, _)| plan.sinks().sink(*id));
        let places = places.map(|sink| format!("{} {} = {}", sink.leaf, sink.slot, sink.recipe)).collect();
        self.browsing.typed = (Some(page.to_owned()), places);
        self.count_uses(admitted.sinks)?;
        Ok(containers)
    }

    /// Remembers that these secrets are about to be given to a page, and which origins it may reach from then on.
    pub(super) fn give_to_page(&mut self, recipe: &Arc<Recipe>, at: Option<(&At, bool)>) -> Result<(), Fail> {
        let own = std::mem::take(&mut self.browsing.own);
        let carried = self.carry(vec![recipe.clone()], own.clone());
        self.browsing.own = own;
        let carried = carried?;
        // Who somebody is may be read.
        let secret = carried.is_some();
        self.browsing.carried.extend(carried);
        self.note_secret(&recipe.leaves().iter().map(|leaf| leaf.kind).collect());
        if let Some((at, withheld)) = at {
            let context = self.context()?;
            let origins = self.plan.sinks().origins(&recipe.leaves());
            let narrow = context.state().stands(at, origins, withheld && secret);
            context.proxy.narrow(narrow);
        }
        Ok(())
    }

    /// The value, which is text, sealed until the browser takes it. An error here may depend on it, so it ends the run.
    pub(super) fn typed(&mut self, recipe: &Recipe) -> Result<Payload, Fail> {
        let run = self.vault.in_clear().clone();
        let _clear = run.begin(Moment::Evaluate);
        locked(|| {
            let value = self.evaluated(recipe)?;
            let is_text = std::str::from_utf8(&value).is_ok();
            let sealed = Payload::secret_of(value, run.clone()).ok().filter(|_| is_text);
            sealed.ok_or_else(|| self.unusable())
        })
    }

    /// Retention R09: an answer is used once.
    pub(super) fn used_up(&mut self, recipe: &Recipe) {
        let answers: Vec<Leaf> =
            recipe.leaves().into_iter().filter(|leaf| leaf.kind == LeafKind::Answer).cloned().collect();
        answers.iter().for_each(|answer| self.vault.destroy_answer(answer));
    }

    /// Checks the keys that a connector says a keypad has. None of this looks at the secret.
    pub(super) fn check_keys(&mut self, keys: &[(String, String)]) -> Result<(), Fail> {
        let named: BTreeSet<&str> = keys.iter().map(|(character, _)| character.as_str()).collect();
        let single = keys.iter().all(|(character, _)| character.chars().count() == 1);
        if keys.is_empty() || keys.len() > KEYS_MAX || named.len() < keys.len() || !single {
            let text = format!("a keypad has 1 to {KEYS_MAX} keys, each for one character, and each character once");
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        keys.iter().try_for_each(|(_, selector)| self.live(selector))
    }

    /// Tells a site that asks who somebody is. If it asks again, the login was refused, and it gets no other.
    pub(super) fn introduce(&mut self, context: &Context, challenge: &Challenge) -> Result<(), Fail> {
        let Ok(url) = url::Url::parse(&challenge.url) else { return Ok(()) };
        let origin = url.origin().ascii_serialization();
        let Some((login, password)) = self.browsing.logins.get(&origin).cloned() else { return Ok(()) };
        let mut uses = Vec::new();
        for recipe in [&login, &password] {
            self.all_held(recipe)?;
            match self.plan.sinks().admit("GET", &url, &Slot::Authentication, recipe) {
                Ok(admitted) => uses.extend(admitted.sinks),
                Err(refusal) => return Err(self.refuse(Code::CapabilityDenied, refusal.to_string())),
            }
        }
        let left = uses.iter().all(|(sink, max)| self.sink_uses.get(sink).is_none_or(|used| used < max));
        if !left {
            let no = serde_json::json!({
                "requestId": challenge.request, "authChallengeResponse": { "response": "CancelAuth" },
            });
            context.transport().post(&challenge.session, "Fetch.continueWithAuth", no);
            return Ok(());
        }
        let plan = self.plan.clone();
        let places = uses.iter().filter_map(|(id, _)| plan.sinks().sink(*id));
        self.browsing.typed.1.extend(places.map(|sink| format!("{} {} = {}", sink.leaf, sink.slot, sink.recipe)));
        self.count_uses(uses)?;
        self.give_to_page(&login, None)?;
        self.give_to_page(&password, None)?;
        let (username, password_text) = (self.typed(&login)?, self.typed(&password)?);
        let run = self.vault.in_clear().clone();
        let (username, password_text) = (Secret(&username), Secret(&password_text));
        let response = Credentials { response: "ProvideCredentials", username, password: password_text };
        let introduced = Introduced { request_id: &challenge.request, auth_challenge_response: response };
        context.transport().post_secret(&run, &challenge.session, "Fetch.continueWithAuth", introduced);
        [&login, &password].into_iter().for_each(|recipe| self.used_up(recipe));
        self.spend(LimitName::BytesOut, 4096)
    }
}
