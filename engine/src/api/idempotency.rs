//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on what makes something: asked again with the same key and the same body,
//! the first answer is given again. In memory, for an hour, by caller: nobody's keys take the place of another's.
//!
//! Where nobody is known by a token (a person's request under their rights), what proves who asks is in the body; an answer is given
//! again to the same body only, so to nobody else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::limits::{Who, who};
use super::problem::{IDEMPOTENCY_KEY, IN_PROGRESS, OTHER_BODY, Problem};
use super::{Shared, body};

/// The header.
pub(super) const KEY: &str = "idempotency-key";
/// How long an answer is given again.
const LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Most answers that are kept.
const KEPT_MAX: usize = 4096;
/// Most answers that are kept for one caller, or for all of a network that show no key; the oldest of them goes.
const OF_ONE_MAX: usize = 256;
/// Largest answer that is kept. A larger one is made anew.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What was answered, by caller, path and key.
pub(super) struct Once {
    paths: Vec<String>,
    kept: Mutex<BTreeMap<[u8; 32], Kept>>,
}

struct Kept {
    by: Option<Who>,
    body: [u8; 32],
    at: Timestamp,
    /// None while the first one is at work.
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    head: Vec<(HeaderName, axum::http::HeaderValue)>,
    bytes: Zeroizing<Vec<u8>>,
}

/// Takes its place back when the answer was not one to keep, also when the caller hung up.
struct Place<'o> {
    once: &'o Once,
    name: Option<[u8; 32]>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            self.once.lock().remove(&name);
        }
    }
}

impl Once {
    /// For posts to these paths.
    pub(super) fn new(paths: Vec<String>) -> Self {
        Self { paths, kept: Mutex::default() }
    }

    /// The answer that there is; else a place for one.
    fn begin(
        &self,
        by: Option<Who>,
        name: [u8; 32],
        body: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Answer>, Problem> {
        let mut kept = self.lock();
        kept.retain(|_, kept| now.duration_since(kept.at) < LIFE);
        match kept.get(&name) {
            Some(known) if known.body != body => Err(Problem::of(&OTHER_BODY)),
            Some(Kept { answer: Some(answer), .. }) => Ok(Some(answer.clone())),
            Some(_) => Err(Problem::of(&IN_PROGRESS)),
            None => {
                if let Some(oldest) = one_too_many(&kept, by.as_ref()) {
                    kept.remove(&oldest);
                }
                kept.insert(name, Kept { by, body, at: now, answer: None });
                Ok(None)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Kept>> {
        // Each change is one insertion or removal.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The oldest of a caller who has as many as they may; where there are too many in all, of the one who has most.
fn one_too_many(kept: &BTreeMap<[u8; 32], Kept>, by: Option<&Who>) -> Option<[u8; 32]> {
    let mut counts: HashMap<Option<&Who>, usize> = HashMap::new();
    kept.values().for_each(|kept| *counts.entry(kept.by.as_ref()).or_default() += 1);
    let of = match counts.get(&by) {
        Some(count) if *count >= OF_ONE_MAX => by,
        _ if kept.len() >= KEPT_MAX => counts.into_iter().max_by_key(|(_, count)| *count)?.0,
        _ => return None,
    };
    let theirs = kept.iter().filter(|(_, kept)| kept.by.as_ref() == of);
    theirs.min_by_key(|(_, kept)| kept.at).map(|(name, _)| *name)
}

impl Answer {
    fn response(&self, again: bool) -> Response {
        let mut response = (self.status, self.bytes.to_vec()).into_response();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().extend(self.head.iter().cloned());
        if again {
            response.headers_mut().insert("idempotent-replayed", axum::http::HeaderValue::from_static("true"));
        }
        response
    }
}

/// Answers once for each key.
pub(super) async fn once(State((engine, once)): State<(Shared, Arc<Once>)>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(key) = request.headers().get(KEY).cloned() else { return next.run(request).await };
    if request.method() != Method::POST || !once.paths.contains(&path) {
        return next.run(request).await;
    }
    let key = key.to_str().ok().map(|key| key.trim_matches('"')).filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    let Some(key) = key else { return Problem::of(&IDEMPOTENCY_KEY).into_response() };
    let (caller, by) = (caller(&engine, request.headers()), who(&engine, &request));
    let name = digest(&[caller.as_bytes(), request.uri().path().as_bytes(), key.as_bytes()]);
    let (parts, sent) = request.into_parts();
    let sent = match body::read(Request::new(sent)).await {
        Ok(sent) => Zeroizing::new(sent),
        Err(problem) => return problem.into_response(),
    };
    match once.begin(by, name, digest(&[sent.as_slice()]), engine.clock().now()) {
        Err(problem) => return problem.into_response(),
        Ok(Some(answer)) => return answer.response(true),
        Ok(None) => {}
    }
    let mut place = Place { once: &once, name: Some(name) };
    let response = next.run(Request::from_parts(parts, Body::from(sent.to_vec()))).await;
    let status = response.status();
    // What may be another answer next time is not kept; nor does what is refused take up room.
    if !status.is_success() {
        return response;
    }
    let (head, bytes) = response.into_parts();
    let Ok(bytes) = to_bytes(bytes, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let kept = [CONTENT_TYPE, LOCATION].into_iter();
    let kept = kept.filter_map(|name| head.headers.get(&name).cloned().map(|value| (name, value)));
    let answer = Answer { status, head: kept.collect(), bytes: Zeroizing::new(bytes.to_vec()) };
    if bytes.len() <= ANSWER_BYTES_MAX
        && let Some(kept) = once.lock().get_mut(&name)
    {
        kept.answer = Some(answer.clone());
        place.name = None;
    }
    answer.response(false)
}

/// Who asks, as far as a token tells. A new token of the same Online Service is the same caller.
fn caller(engine: &Shared, headers: &HeaderMap) -> String {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = shown.split_once(' ').map_or("", |(_, token)| token);
    // What a caller writes must never read like the name of an Online Service.
    engine.caller(token).map_or_else(|| format!("shown {shown}"), |service| format!("online-service {}", service.id()))
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{id, now};

    #[test]
    fn nobodys_keys_take_the_place_of_anothers() {
        let once = Once::new(Vec::new());
        let name = |by: &str, number: usize| digest(&[by.as_bytes(), &number.to_be_bytes()]);
        let begin = |by: Option<Who>, name| once.begin(by, name, [0; 32], now());
        let service = Some(Who::Service(id(1)));
        assert!(begin(service.clone(), name("service", 0)).unwrap().is_none());
        for number in 0..2 * KEPT_MAX {
            let network = Some(Who::Network(format!("198.51.{}.0/16", number % 5)));
            assert!(begin(network, name("network", number)).unwrap().is_none());
        }
        assert_eq!(once.lock().len(), 5 * OF_ONE_MAX + 1);
        // It is known: the first one is still at work.
        assert!(begin(service.clone(), name("service", 0)).is_err());
        for number in 0..KEPT_MAX {
            let network = Some(Who::Network(format!("198.51.{number}.0/16")));
            assert!(begin(network, name("many networks", number)).unwrap().is_none());
        }
        assert_eq!(once.lock().len(), KEPT_MAX);
        assert!(begin(service, name("service", 0)).is_err(), "of those who have many the oldest go");
    }
}
