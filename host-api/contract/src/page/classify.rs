//! What an answer is that no page rule recognises. Only what is common to the web is known here: statuses, and the marks of the walls
//! that turn machines away. A wall is never taken for a wrong password: who stands before it has not been asked for one.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::exists;
use crate::document::{Document, DocumentError, Meter};
use crate::failure::Code;

/// An answer of the Data Source, as far as classification looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The URL that answered, after redirects.
    pub url: &'a Url,
    /// Names (of any case) and values.
    pub headers: &'a [(String, String)],
    /// The parsed body, if it is of a format that is parsed.
    pub document: Option<&'a Document>,
    /// Whether the run has declared itself logged in.
    pub authenticated: bool,
    /// When it was received.
    pub received: Timestamp,
}

/// What an unrecognised answer is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    /// The failure, if it turns out to be one.
    pub code: Code,
    /// How long the Data Source asks to wait.
    pub retry_after: Option<Duration>,
}

/// Longest wait that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Headers which only a wall sends: name, and a part of the value (empty for any).
const WALL_HEADERS: &[(&str, &str)] = &[
    ("cf-mitigated", "challenge"),
    ("x-datadome", ""),
    ("x-amzn-waf-action", ""),
    ("x-dd-b", ""),
    ("x-px-captcha", ""),
];

/// Elements which only a wall, or a captcha in place of a page, has.
const WALL_ELEMENTS: &[&str] = &[
    "#challenge-form, #challenge-running, #challenge-stage, #cf-challenge-running, .cf-turnstile, #cf-error-details",
    "script[src*='/cdn-cgi/challenge-platform/'], script[src*='challenges.cloudflare.com']",
    "iframe[src*='captcha-delivery.com'], script[src*='captcha-delivery.com'], #px-captcha",
    "iframe[src*='_Incapsula_Resource'], script[src*='_Incapsula_Resource'], #sec-if-cpt-container",
    ".g-recaptcha, .h-captcha, iframe[src*='/recaptcha/'], iframe[src*='hcaptcha.com'], #captcha-form",
    "script[src*='awswaf.com'], #captcha-container, form[action*='captcha' i], img[src*='captcha' i], input[name*='captcha' i]",
];

/// Classifies an answer that nothing recognises.
///
/// # Errors
/// If the document gives up: the run's CPU time is used up, or a limit of the document is hit.
pub fn classify(answer: &Answer<'_>, meter: &mut dyn Meter) -> Result<Classified, DocumentError> {
    let retry_after = retry_after(answer);
    let code = match answer.status {
        _ if is_wall(answer, meter)? => Code::AutomationBlocked,
        429 => Code::RateLimited,
        500.. => Code::SourceUnavailable,
        401 | 440 if answer.authenticated => Code::SessionLost,
        403 => Code::AutomationBlocked,
        _ => Code::PageUnrecognised,
    };
    let waiting = matches!(code, Code::RateLimited | Code::SourceUnavailable | Code::AutomationBlocked);
    Ok(Classified { code, retry_after: retry_after.filter(|_| waiting) })
}

fn is_wall(answer: &Answer<'_>, meter: &mut dyn Meter) -> Result<bool, DocumentError> {
    let mut headers = WALL_HEADERS.iter();
    if headers.any(|(name, part)| header(answer, name).is_some_and(|value| value.to_ascii_lowercase().contains(part))) {
        return Ok(true);
    }
    for at in WALL_ELEMENTS {
        if exists(answer.document, at, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn header<'a>(answer: &Answer<'a>, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// `Retry-After` as seconds or as a date.
fn retry_after(answer: &Answer<'_>) -> Option<Duration> {
    let value = header(answer, "retry-after")?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(then.duration_since(answer.received)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
