//! One request with its redirects. Each hop is checked again; a hop to the run's own callback is not made but handed back; secrets never
//! ride along to a place that they were not admitted to. Runs where the run's sockets are and touches nothing of the run's context.

use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::manifest::{Capture, CaptureAt, SourcePlan};
use consentry_tape::Hop;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
};
use http::{HeaderMap, Method, StatusCode};
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use super::Jar;
use crate::egress::{Egress, EgressError};
use crate::network::{Identity, Incoming, Network, NetworkError, Outgoing, Payload};

/// A request under way.
pub(super) struct Flight {
    pub(super) network: Arc<dyn Network>,
    pub(super) egress: Egress,
    pub(super) plan: Arc<SourcePlan>,
    pub(super) jar: Jar,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The URL without the secrets of its query: what may be shown.
    pub(super) shown: Url,
    pub(super) headers: HeaderMap,
    pub(super) secret_headers: Vec<HeaderName>,
    pub(super) body: Option<Payload>,
    /// Some part of it was evaluated from a secret.
    pub(super) secret: bool,
    /// What the person typed is in it, or something made of that.
    pub(super) typed: bool,
    /// Single characters of a secret are in it: nobody may read the answer.
    pub(super) withheld: bool,
    /// It says who the operator is, and not who the person is.
    pub(super) operator: bool,
    /// The certificate that it is sent with.
    pub(super) identity: Option<Identity>,
    pub(super) follow: bool,
    pub(super) callback: (String, String),
    pub(super) redirects_max: u64,
    pub(super) answer_bytes_max: u64,
    /// What the hops before the last answered, for the tape.
    pub(super) passed: Passed,
}

/// Answers that redirected, and what of the last one's head is in no header any more: it outlives a flight that does not land.
#[derive(Clone, Default)]
pub(super) struct Passed(Arc<Mutex<Vec<Hop>>>);

impl Passed {
    fn add(&self, hop: Hop) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(hop);
    }

    /// All of them; none are left.
    pub(super) fn take(&self) -> Vec<Hop> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The answer at the end of it.
pub(super) struct Landed {
    pub(super) method: Method,
    /// Where it came from; captured and secret parts of the query are cut out.
    pub(super) url: Url,
    /// The URL that was asked, whole: capture rules look at it, nobody is shown it.
    pub(super) request_url: Url,
    /// The source sent the person back to this run: there is no page to recognise.
    pub(super) callback: bool,
    /// What answered was asked in the operator's name.
    pub(super) operator: bool,
    /// The answer is to be recognised, and not to be read.
    pub(super) withheld: bool,
    pub(super) incoming: Incoming,
    /// What the hops set, in order, for the run's jar.
    pub(super) cookies: Vec<(Url, String)>,
    /// What capture rules took from headers and redirect targets.
    pub(super) captured: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Requests made.
    pub(super) requests: u64,
    /// Bytes that came in.
    pub(super) bytes_in: u64,
    /// What was taken out of the head of the answer, for the tape: names, and stand-ins for values.
    pub(super) taken: Vec<(String, String)>,
}

/// Why it did not land.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlightError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("a redirect leads outside: {0}")]
    Redirect(#[from] EgressError),
    #[error("more redirects than the limit allows")]
    TooManyRedirects,
    #[error("the source redirects a request with a secret in its body to another place (status 307 or 308)")]
    SecretRedirect,
    #[error("the redirect to the callback carries another state than this run's")]
    ForeignState,
}

impl FlightError {
    /// Its name on a tape.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Network(NetworkError::Egress(_)) => "egress",
            Self::Network(NetworkError::Unreachable(_)) => "unreachable",
            Self::Network(NetworkError::Timeout) => "timeout",
            Self::Network(NetworkError::TooLarge(_)) => "too-large",
            Self::Network(NetworkError::HeadTooLarge(_)) => "head-too-large",
            Self::Network(NetworkError::WireBytes) => "wire-bytes",
            Self::Network(NetworkError::Proxy) => "proxy",
            Self::Network(NetworkError::Busy { .. }) => "busy",
            Self::Network(NetworkError::Resting { .. }) => "resting",
            Self::Network(NetworkError::Cancelled) => "cancelled",
            Self::Redirect(_) => "redirect",
            Self::TooManyRedirects => "too-many-redirects",
            Self::SecretRedirect => "secret-redirect",
            Self::ForeignState => "foreign-state",
        }
    }
}

impl Flight {
    pub(super) async fn fly(mut self) -> Result<Landed, FlightError> {
        let mut landing = Landing::default();
        loop {
            let mut incoming = self.hop().await?;
            landing.requests += 1;
            landing.bytes_in += incoming.body.len() as u64;
            landing.taken = self.take_cookies(&mut incoming.headers, &mut landing.cookies);
            self.capture_headers(&mut incoming.headers, &mut landing);
            let Some(target) = redirect_target(&incoming, &self.url) else {
                return Ok(landing.at(self, incoming));
            };
            let shown = self.capture_query(&target, &mut landing.captured);
            landing.callback = self.is_callback(&target)?;
            if landing.callback || !self.follow {
                hand_back(&mut incoming, &shown);
                if landing.callback {
                    self.shown = shown;
                }
                return Ok(landing.at(self, incoming));
            }
            self.pass(incoming.status, &shown, &mut landing.taken);
            if landing.requests > self.redirects_max {
                return Err(FlightError::TooManyRedirects);
            }
            self.egress.check(&target)?;
            self.turn(incoming.status, target, shown)?;
        }
    }

    async fn hop(&mut self) -> Result<Incoming, NetworkError> {
        let mut headers = self.headers.clone();
        if let Some(cookie) = self.jar.header(&self.url) {
            headers.insert(COOKIE, cookie);
        }
        // No other hop carries them.
        for name in std::mem::take(&mut self.secret_headers) {
            self.headers.remove(name);
        }
        let request = Outgoing {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            body: self.body.clone(),
            body_bytes_max: self.answer_bytes_max,
            repeatable: !self.typed,
            identity: self.identity.clone(),
        };
        self.network.fetch(request).await
    }

    /// Answers with the cookies as the tape may show them.
    fn take_cookies(&mut self, headers: &mut HeaderMap, cookies: &mut Vec<(Url, String)>) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        for value in headers.get_all(SET_COOKIE) {
            if let Ok(text) = value.to_str() {
                self.jar.store(&self.url, text);
                shown.push((SET_COOKIE.as_str().to_owned(), self.jar.shown(&self.url, text)));
                cookies.push((self.url.clone(), text.to_owned()));
            }
        }
        headers.remove(SET_COOKIE);
        shown
    }

    fn pass(&self, status: StatusCode, shown: &Url, taken: &mut Vec<(String, String)>) {
        let mut headers = std::mem::take(taken);
        headers.push((LOCATION.as_str().to_owned(), shown.to_string()));
        self.passed.add(Hop { status: status.as_u16(), headers, body: consentry_tape::Body::default() });
    }

    fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.plan.captures().iter().filter(|capture| capture.from.matches(self.method.as_str(), &self.url))
    }

    fn capture_headers(&self, headers: &mut HeaderMap, landing: &mut Landing) {
        for capture in self.captures() {
            if let CaptureAt::Header(name) = &capture.at
                && let Some(value) = headers.remove(name.as_str())
            {
                landing.captured.push((capture.name.as_str().to_owned(), Zeroizing::new(value.as_bytes().to_vec())));
                landing.taken.push((name.clone(), "captured".to_owned()));
            }
        }
    }

    /// Cuts captured parameters out of a redirect's target; what is left may be shown.
    fn capture_query(&self, target: &Url, captured: &mut Vec<(String, Zeroizing<Vec<u8>>)>) -> Url {
        let mut shown = target.clone();
        let rules: Vec<_> = self.captures().collect();
        let pairs: Vec<(String, String)> = target
            .query_pairs()
            .map(|(name, value)| {
                let rule = rules.iter().find(|rule| matches!(&rule.at, CaptureAt::Query(query) if *query == name));
                let value = match rule {
                    Some(rule) => {
                        captured.push((rule.name.as_str().to_owned(), Zeroizing::new(value.as_bytes().to_vec())));
                        "captured".to_owned()
                    }
                    None => value.into_owned(),
                };
                (name.into_owned(), value)
            })
            .collect();
        if !pairs.is_empty() {
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        shown
    }

    fn is_callback(&self, target: &Url) -> Result<bool, FlightError> {
        let Ok(callback) = Url::parse(&self.callback.0) else { return Ok(false) };
        if target.origin() != callback.origin() || target.path() != callback.path() {
            return Ok(false);
        }
        // RFC 6749 section 10.12: an answer for another run is not this run's.
        match target.query_pairs().find(|(name, _)| name == "state") {
            Some((_, state)) if state == self.callback.1 => Ok(true),
            _ => Err(FlightError::ForeignState),
        }
    }

    /// RFC 9110 section 15.4: what the next request is like.
    fn turn(&mut self, status: StatusCode, target: Url, shown: Url) -> Result<(), FlightError> {
        if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            if self.secret && self.body.is_some() {
                return Err(FlightError::SecretRedirect);
            }
        } else if self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
            self.headers.remove(CONTENT_LENGTH);
        }
        if target.origin() != self.url.origin() {
            self.headers.remove(AUTHORIZATION);
            self.identity = None;
        }
        self.operator = false;
        self.typed = false;
        self.url = target;
        self.shown = shown;
        Ok(())
    }
}

#[derive(Default)]
struct Landing {
    cookies: Vec<(Url, String)>,
    captured: Vec<(String, Zeroizing<Vec<u8>>)>,
    callback: bool,
    requests: u64,
    bytes_in: u64,
    taken: Vec<(String, String)>,
}

impl Landing {
    fn at(self, flight: Flight, incoming: Incoming) -> Landed {
        let Self { cookies, captured, callback, requests, bytes_in, taken } = self;
        let Flight { method, url: request_url, shown: url, operator, withheld, .. } = flight;
        Landed {
            method,
            url,
            request_url,
            callback,
            operator,
            withheld,
            incoming,
            cookies,
            captured,
            requests,
            bytes_in,
            taken,
        }
    }
}

/// A redirect that is not followed is its status and its target as it may be shown. Its other words mostly repeat the target
/// (RFC 9110, section 15.4), and with it what was captured.
fn hand_back(incoming: &mut Incoming, shown: &Url) {
    incoming.body.zeroize();
    incoming.headers.clear();
    incoming.headers.insert(LOCATION, HeaderValue::from_str(shown.as_str()).unwrap_or(HeaderValue::from_static("")));
}

fn redirect_target(incoming: &Incoming, from: &Url) -> Option<Url> {
    let redirects = [301, 302, 303, 307, 308];
    if !redirects.contains(&incoming.status.as_u16()) {
        return None;
    }
    let location = incoming.headers.get(LOCATION).map(HeaderValue::as_bytes)?;
    from.join(std::str::from_utf8(location).ok()?).ok()
}

#[cfg(test)]
mod tests;
