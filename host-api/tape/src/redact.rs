//! A tape made synthetic: what it says of a person is replaced by something of the same form, and the rest stays only for a reason that is
//! counted. What is replaced by what depends on form and place alone, so the same break reads the same for two people whose values have
//! the same forms. Days keep their order; amounts keep their length, not their order.
//!
//! Not kept: the values of cookies, comments, styles, scripts that are no data, and whatever no rule names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::allowed::Allowed;
use crate::dates::{Dates, Found, TODAY};
use crate::tape::{Act, Body, Event, Exchange, Hop, Inputs, Outcome, Part, Tape};
use crate::words::Words;

/// Why something stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A name made of the words that every report may show, or named by the manifest.
    Name,
    /// A text that the manifest names.
    Literal,
    /// One word of a few: yes or no, the value of a type or status.
    Choice,
    /// A code of a currency or country.
    Code,
    /// An origin that the manifest declares.
    Origin,
    /// A single digit that stands alone, or an exponent.
    Digit,
    /// A small number of the page's layout.
    Layout,
    /// The value of a header that says how to read or when to come again.
    Header,
}

/// A tape with nobody's values in it.
#[derive(Debug, Clone)]
pub struct Redacted {
    /// The tape.
    pub tape: Tape,
    /// Bytes that stayed, by reason.
    pub kept: BTreeMap<Rule, u64>,
}

/// Reads the text of a PDF: lines from the top, each of cells; none where it can't.
pub type ReadPdf<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<Vec<String>>>;

/// Makes a tape synthetic. A PDF becomes one without a word: reading files of a stranger's takes a sandbox, and here is none.
#[must_use]
pub fn redact(tape: &Tape, allowed: &Allowed) -> Redacted {
    redact_with(tape, allowed, &|_| None)
}

/// The same; a PDF that can be read becomes one of the same lines, each made synthetic. For an author's own desk.
#[must_use]
pub fn redact_with(tape: &Tape, allowed: &Allowed, read_pdf: ReadPdf<'_>) -> Redacted {
    let today = day_of(tape.inputs.began_ms);
    let mut redactor = Redactor {
        allowed,
        read_pdf,
        words: Words::default(),
        dates: Dates::new(today, tape.inputs.since),
        kept: BTreeMap::new(),
        looking: true,
    };
    allowed.words().for_each(|word| redactor.words.reserve(word));
    // Once to see what there is, then for good.
    redactor.tape(tape);
    redactor.dates.settle();
    redactor.looking = false;
    redactor.kept.clear();
    let tape = redactor.tape(tape);
    Redacted { tape, kept: redactor.kept }
}

fn day_of(ms: i64) -> jiff::civil::Date {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

/// Remakes the parts of one tape.
pub(crate) struct Redactor<'a> {
    pub(crate) allowed: &'a Allowed,
    pub(crate) read_pdf: ReadPdf<'a>,
    words: Words,
    dates: Dates,
    kept: BTreeMap<Rule, u64>,
    /// Nothing is replaced yet: days and pieces are being looked at.
    pub(crate) looking: bool,
}

impl Redactor<'_> {
    /// What stays, and why.
    pub(crate) fn kept(&mut self, rule: Rule, text: &str) -> String {
        *self.kept.entry(rule).or_default() += text.len() as u64;
        text.to_owned()
    }

    /// What does not stay, by nothing: only that it must not come back.
    pub(crate) fn dropped(&mut self, text: &str) -> String {
        if self.looking {
            text.split(|c: char| !c.is_alphanumeric()).for_each(|word| self.words.avoid(word));
        }
        String::new()
    }

    pub(crate) fn word(&mut self, word: &str) -> String {
        if self.looking {
            self.words.avoid(word);
            return word.to_owned();
        }
        self.words.word(word)
    }

    pub(crate) fn digits(&mut self, digits: &str) -> String {
        if self.looking {
            self.words.avoid(digits);
            return digits.to_owned();
        }
        self.words.number(digits)
    }

    pub(crate) fn opaque(&mut self, token: &str) -> String {
        if self.looking {
            self.words.avoid(token);
            return token.to_owned();
        }
        self.words.opaque(token)
    }

    /// Another word whose characters are of these kinds.
    pub(crate) fn shaped(&mut self, word: &str, kinds: &str) -> String {
        if self.looking {
            self.words.avoid(word);
            return word.to_owned();
        }
        self.words.shaped(word, kinds.chars())
    }

    pub(crate) fn bic(&mut self, bic: &str) -> String {
        if self.looking {
            self.words.avoid(bic);
            return bic.to_owned();
        }
        self.words.bic(bic)
    }

    pub(crate) fn day(&mut self, found: &Found, text: &str) -> String {
        if self.looking {
            self.dates.see(found.day);
        }
        self.dates.other(found, text)
    }

    fn tape(&mut self, tape: &Tape) -> Tape {
        let inputs = self.inputs(&tape.inputs);
        let mut times = Times { real: tape.inputs.began_ms, other: inputs.began_ms };
        let events = tape.events.iter().map(|event| self.event(event, &mut times)).collect();
        Tape { inputs, events, cut: tape.cut }
    }

    fn inputs(&mut self, inputs: &Inputs) -> Inputs {
        let noon = TODAY.at(12, 0, 0, 0).to_zoned(TimeZone::UTC);
        let began_ms = noon.map_or(0, |noon| noon.timestamp().as_millisecond());
        let public = inputs.public.iter().map(|(name, value)| (name.clone(), self.choice(None, value))).collect();
        Inputs {
            callback: self.url(&inputs.callback),
            state: self.choice(None, &inputs.state),
            since: self.dates.since(),
            public,
            began_ms,
            ..inputs.clone()
        }
    }

    fn event(&mut self, event: &Event, times: &mut Times) -> Event {
        match event {
            Event::Http(exchange) => Event::Http(self.exchange(exchange, times)),
            Event::Prompt { how, parts } => {
                let parts = parts.iter().map(|part| {
                    let public = part.public.as_deref().map(|public| self.choice(None, public));
                    Part { name: part.name.clone(), public }
                });
                Event::Prompt { how: *how, parts: parts.collect() }
            }
            Event::Page(act) => Event::Page(self.act(act, times)),
            Event::Clock(ms) => Event::Clock(times.pass(*ms)),
            Event::Random(bytes) => {
                Event::Random((0..bytes.len()).map(|at| (at as u8).wrapping_mul(31).wrapping_add(17)).collect())
            }
        }
    }

    fn act(&mut self, act: &Act, times: &Times) -> Act {
        self.dropped(&act.on);
        let outcome = match &act.outcome {
            Outcome::Document(exchange) => Outcome::Document(self.exchange(exchange, times)),
            Outcome::File(Body(bytes)) => Outcome::File(Body::of(self.body("", bytes))),
            Outcome::Text(url) => Outcome::Text(self.url(url)),
            plain @ (Outcome::Done | Outcome::Found(_) | Outcome::Failed(_)) => plain.clone(),
        };
        Act { on: self.allowed.named(&act.on), outcome, ..act.clone() }
    }

    fn exchange(&mut self, exchange: &Exchange, times: &Times) -> Exchange {
        self.dropped(&exchange.url);
        Exchange {
            method: exchange.method.clone(),
            url: self.url(&exchange.url),
            secrets: exchange.secrets.clone(),
            hops: exchange.hops.iter().map(|hop| self.hop(hop)).collect(),
            failure: exchange.failure.clone(),
            page: exchange.page.clone(),
            at_ms: times.other,
        }
    }

    fn hop(&mut self, hop: &Hop) -> Hop {
        let content_type = hop.header("content-type").unwrap_or_default();
        let body = self.body(content_type, &hop.body.0);
        let headers = hop.headers.iter().filter_map(|(name, value)| {
            let value = self.header(name, value)?;
            Some((self.name(name), value))
        });
        Hop { status: hop.status, headers: headers.collect(), body: Body::of(body) }
    }

    fn header(&mut self, name: &str, value: &str) -> Option<String> {
        self.dropped(value);
        Some(match name {
            "content-type" => {
                let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                let text = essence.starts_with("text/") || essence.ends_with("json") || essence.ends_with("xml");
                let essence = self.name(&essence);
                if text { format!("{essence}; charset=utf-8") } else { essence }
            }
            "location" | "content-location" | "refresh" => self.url(value),
            "set-cookie" => self.cookie(value),
            "link" => self.link(value),
            "retry-after" if value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.kept(Rule::Header, value)
            }
            // They say how the bytes were sent, which are others now.
            "content-length" | "content-encoding" | "transfer-encoding" | "date" | "etag" | "last-modified" => {
                return None;
            }
            _ => self.choice(None, value),
        })
    }

    /// The name, where it goes, and whether it is taken away.
    fn cookie(&mut self, cookie: &str) -> String {
        let mut parts = cookie.split(';').map(str::trim);
        let name = parts.next().and_then(|pair| pair.split_once('=')).map_or("", |(name, _)| name);
        let mut out = format!("{}=cookie", self.name(name));
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.to_ascii_lowercase().as_str() {
                "path" => out += &format!("; Path={}", self.url(value)),
                "max-age" if value.trim_start_matches('-').bytes().all(|b| b == b'0') || value.starts_with('-') => {
                    out += "; Max-Age=0";
                }
                _ => {}
            }
        }
        out
    }

    /// `<url>; rel="next", …`
    fn link(&mut self, link: &str) -> String {
        let links = link.split(',').map(|link| match link.trim().strip_prefix('<').and_then(|l| l.split_once('>')) {
            Some((url, rest)) => {
                let rest: Vec<String> = rest.split(';').map(|part| self.name(part.trim())).collect();
                format!("<{}>{}", self.url(url), rest.join("; "))
            }
            None => self.value(link),
        });
        links.collect::<Vec<_>>().join(", ")
    }
}

/// Time passes in whole seconds.
struct Times {
    real: i64,
    other: i64,
}

impl Times {
    fn pass(&mut self, ms: i64) -> i64 {
        self.other += (ms - self.real).max(0) / 1000 * 1000;
        self.real = ms;
        self.other
    }
}
