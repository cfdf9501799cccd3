//! From a connector's request to the bytes that go out. Everything about it is checked before a secret is opened: method, origin, header
//! names, and for each part that holds a secret the manifest's sink. Evaluation comes last and its buffers wipe themselves.

mod body;
mod identity;

use std::collections::{BTreeMap, BTreeSet};

use consentry_contract::failure::{Code, Stage};
use consentry_contract::limits::LimitName;
use consentry_contract::recipe::{self, Charset, Leaf, LeafKind, Recipe, Sink, SinkId, Slot, evaluate};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use url::Url;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::carried::{Carried, own_texts};
use super::flight::{Flight, Passed};
use super::names;
use crate::clear::Moment;
use crate::ctx::HostCtx;
use crate::egress::EgressError;
use crate::fault::Fail;
use crate::guests;
use crate::memory::locked;
use crate::network::Payload;
use crate::vault::Vault;

/// A request as the connector put it together; nothing of it is checked before it is sent.
#[derive(Default)]
pub struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) query: Vec<(String, Vec<recipe::Piece>)>,
    pub(super) headers: Vec<(String, Vec<recipe::Piece>)>,
    pub(super) fields: Vec<(String, Vec<recipe::Piece>)>,
    pub(super) body: Option<(String, Vec<recipe::Piece>)>,
    pub(super) options: BTreeMap<String, String>,
    /// Bytes that are counted against the run while the request is not sent.
    pub(super) held: u64,
}

/// Options of `request.set` that this host knows, with their values.
const OPTIONS: &[(&str, &[&str])] =
    &[("form", &["urlencoded", "multipart", "json", "xml"]), ("redirect", &["follow", "manual"])];
/// Methods of RFC 9110 that make sense towards a Data Source.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// From this much work on, another thread takes the other guests meanwhile.
const LONG: u64 = 20_000;

type Value = Zeroizing<Vec<u8>>;

impl HostCtx {
    /// Checks the whole request, then evaluates it.
    pub(super) fn plan(&mut self, request: Request) -> Result<(Flight, Option<Carried>, Vec<String>), Fail> {
        let method = self.method(&request)?;
        let url = self.target(&request.url)?;
        self.check_options(&request)?;
        let own = own_texts(&request, &url);
        let mut parts = self.recipes(&method, &url, request)?;
        let carried =
            if parts.secret && !self.vault.stands_in() { self.carry(parts.with_secrets(), own)? } else { None };
        if parts.secret {
            self.note_secret(&parts.kinds);
        }
        let (answers, places) = (std::mem::take(&mut parts.answers), std::mem::take(&mut parts.places));
        let flight = if parts.secret {
            locked(|| self.assemble(method, url, parts))
        } else {
            self.assemble(method, url, parts)
        }?;
        // Retention R09: an answer is used once, in one request.
        for answer in &answers {
            self.vault.destroy_answer(answer);
        }
        Ok((flight, carried, places))
    }

    fn method(&mut self, request: &Request) -> Result<Method, Fail> {
        METHODS
            .into_iter()
            .find(|method| method.as_str() == request.method)
            .ok_or_else(|| self.refuse(Code::InvalidArgument, "a method is GET, HEAD, POST, PUT, PATCH or DELETE"))
    }

    /// A URL of the connector's, which lies in the declared origins: a request goes there, or the person.
    pub(crate) fn target(&mut self, text: &str) -> Result<Url, Fail> {
        let mut url = Url::parse(text).map_err(|_| {
            self.refuse(Code::InvalidArgument, "the URL of a request is absolute; this one can't be parsed")
        })?;
        url.set_fragment(None);
        match self.egress.check(&url) {
            Ok(()) => Ok(url),
            Err(error @ EgressError::Address { .. }) => Err(self.refuse(Code::EgressFailed, error.to_string())),
            Err(error) => Err(self.refuse(Code::CapabilityDenied, error.to_string())),
        }
    }

    fn check_options(&mut self, request: &Request) -> Result<(), Fail> {
        for (name, value) in &request.options {
            let known = OPTIONS.iter().find(|(option, _)| option == name);
            let charset = name == "charset" && Charset::parse(value).is_some();
            let certificate = name == "client-certificate" && !value.is_empty();
            let file = (name.starts_with("filename:") || name.starts_with("type:"))
                && !value.is_empty()
                && value.chars().all(|c| !c.is_control());
            if !charset && !file && !certificate && !known.is_some_and(|(_, values)| values.contains(&value.as_str())) {
                return Err(self.refuse(
                    Code::InvalidArgument,
                    "this host knows the options form = urlencoded | multipart | json | xml, charset = a label of the Encoding Standard, redirect = follow | manual, client-certificate = a name, and filename:FIELD and type:FIELD for a file of a multipart form",
                ));
            }
        }
        if request.body.is_some() && !request.fields.is_empty() && !Form::of(&request.options).has_template() {
            let text =
                "a request has form fields or a body, not both; with form = json or xml the fields go into the body";
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        Ok(())
    }

    /// Every part as a recipe, each admitted by the manifest's sinks and counted against their maximum.
    fn recipes(&mut self, method: &Method, url: &Url, request: Request) -> Result<Parts, Fail> {
        let mut parts = Parts {
            own_bytes: request.held,
            form: Form::of(&request.options),
            charset: request.options.get("charset").and_then(|label| Charset::parse(label)),
            follow: request.options.get("redirect").is_none_or(|redirect| redirect == "follow"),
            ..Parts::default()
        };
        for (name, pieces) in request.query {
            let part = self.part(method, url, Slot::Query(name.clone()), pieces, &mut parts)?;
            parts.query.push((name, part));
        }
        for (name, pieces) in request.headers {
            let header = self.header_name(&name)?;
            let part = self.part(method, url, Slot::header(&name), pieces, &mut parts)?;
            parts.headers.push((header, part));
        }
        for (name, pieces) in request.fields {
            let slot = match parts.form {
                Form::Urlencoded => Slot::Form(name.clone()),
                Form::Multipart => Slot::Multipart(name.clone()),
                Form::Json => Slot::Json(name.clone()),
                Form::Xml => Slot::Xml(name.clone()),
            };
            let part = self.part(method, url, slot, pieces, &mut parts)?;
            parts.fields.push((name, part));
        }
        if let Some((content_type, pieces)) = request.body {
            let part = self.part(method, url, Slot::Body, pieces, &mut parts)?;
            parts.body = Some((content_type, part));
        }
        if let Some(name) = request.options.get("client-certificate") {
            self.identify(method, url, name, &mut parts)?;
        }
        parts.options = request.options;
        Ok(parts)
    }

    fn part(
        &mut self,
        method: &Method,
        url: &Url,
        slot: Slot,
        pieces: Vec<recipe::Piece>,
        parts: &mut Parts,
    ) -> Result<Part, Fail> {
        // The empty value is no recipe, and nothing secret is in it.
        let Ok(recipe) = Recipe::join(pieces.clone()) else {
            let empty = pieces.iter().all(|piece| matches!(piece, recipe::Piece::Text(text) if text.is_empty()));
            return if empty {
                Ok(None)
            } else {
                Err(self.refuse(Code::InvalidArgument, "a part of the request is too large"))
            };
        };
        let leaves = recipe.leaves();
        self.all_held(&recipe)?;
        if !leaves.is_empty() {
            parts.secret = true;
            parts.withheld |= recipe.is_withheld();
            parts.kinds.extend(leaves.iter().map(|leaf| leaf.kind));
            parts
                .answers
                .extend(leaves.iter().filter(|leaf| leaf.kind == LeafKind::Answer).map(|leaf| (*leaf).clone()));
            let places = self.admit(method, url, &slot, &recipe)?;
            parts.places.extend(places);
        }
        Ok(Some(recipe))
    }

    /// Whether every secret of a recipe is still there.
    pub(crate) fn all_held(&mut self, recipe: &Recipe) -> Result<(), Fail> {
        match recipe.leaves().into_iter().find(|leaf| !self.vault.holds(leaf)) {
            Some(gone) => {
                let text = format!("{gone} is destroyed: a login after `authenticated`, an answer after its use");
                Err(self.refuse(Code::CapabilityDenied, text))
            }
            None => Ok(()),
        }
    }

    /// Answers with the sinks, as the manifest writes them.
    fn admit(&mut self, method: &Method, url: &Url, slot: &Slot, recipe: &Recipe) -> Result<Vec<String>, Fail> {
        let admitted = match self.plan.sinks().admit(method.as_str(), url, slot, recipe) {
            Ok(admitted) => admitted,
            Err(refusal) => return Err(self.refuse(Code::CapabilityDenied, refusal.to_string())),
        };
        let places = self.plan.sinks();
        let places = admitted.sinks.iter().filter_map(|(sink, _)| places.sink(*sink));
        let places = places.map(|sink| format!("{} {slot} = {}", sink.leaf, sink.recipe)).collect();
        self.count_uses(admitted.sinks)?;
        Ok(places)
    }

    /// Counts a use of each sink against its maximum.
    pub(crate) fn count_uses(&mut self, sinks: Vec<(SinkId, u32)>) -> Result<(), Fail> {
        for (id, max) in sinks {
            let used = self.sink_uses.entry(id).or_default();
            *used += 1;
            if *used > max {
                let text = self.plan.sinks().sink(id).map(Sink::used_up).unwrap_or_default();
                return Err(self.refuse(Code::CapabilityDenied, text));
            }
        }
        Ok(())
    }

    fn header_name(&mut self, name: &str) -> Result<HeaderName, Fail> {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) if !names::is_host_header(header.as_str()) => Ok(header),
            _ => Err(self.refuse(Code::InvalidArgument, names::RULE)),
        }
    }

    /// From here on the person's login, or their answer, is on its way.
    pub(crate) fn note_secret(&mut self, kinds: &BTreeSet<LeafKind>) {
        if kinds.contains(&LeafKind::Field) {
            self.at(Stage::Login);
            if !self.facts.login_submitted {
                self.facts.login_submitted = true;
                self.ports.observer.login_submitted();
            }
        }
        if kinds.contains(&LeafKind::Answer) {
            self.at(Stage::Challenge);
        }
    }

    /// Opens what is needed. An error here may depend on a value, so it ends the run.
    fn value(&mut self, part: &Part) -> Result<Value, Fail> {
        match part {
            None => Ok(Zeroizing::default()),
            Some(recipe) => self.evaluated(recipe),
        }
    }

    pub(crate) fn evaluated(&mut self, recipe: &Recipe) -> Result<Value, Fail> {
        if self.vault.stands_in() && !recipe.leaves().is_empty() {
            return Ok(Zeroizing::new(b"stand-in".to_vec()));
        }
        self.charged(recipe.work(), |vault| evaluate(recipe, vault))?.map_err(|_| self.unusable())
    }

    /// A long evaluation makes no other guest of this thread wait.
    pub(crate) fn charged<T>(&mut self, work: u64, evaluate: impl FnOnce(&Vault) -> T) -> Result<T, Fail> {
        if !self.tick() {
            return Err(Fail::stop());
        }
        let vault = &self.vault;
        Ok(if work > LONG { guests::aside(|| locked(|| evaluate(vault))) } else { evaluate(vault) })
    }

    /// One end for whatever depends on a value.
    pub(crate) fn unusable(&mut self) -> Fail {
        self.facts.host = Some(Code::SecretUnusable);
        Fail::stop()
    }

    fn assemble(&mut self, method: Method, url: Url, parts: Parts) -> Result<Flight, Fail> {
        let in_clear = self.vault.in_clear().clone();
        let _clear = parts.secret.then(|| in_clear.begin(Moment::Evaluate));
        let shown = url.clone();
        let identity = self.identity(&parts)?;
        let url = self.with_query(url, &parts)?;
        let mut headers = HeaderMap::new();
        let mut secret_headers = Vec::new();
        for (name, part) in &parts.headers {
            let value = self.value(part)?;
            let mut value = HeaderValue::from_bytes(&value).map_err(|_| self.unusable())?;
            if part.as_ref().is_some_and(|recipe| !recipe.leaves().is_empty()) {
                value.set_sensitive(true);
                secret_headers.push(name.clone());
            }
            headers.append(name, value);
        }
        headers
            .entry("accept-language")
            .or_insert(HeaderValue::from_str(&self.language).unwrap_or_else(|_| HeaderValue::from_static("en")));
        let body = match self.encode_body(&parts, &mut headers)? {
            Some(body) if parts.secret => Some(Payload::secret_of(body, in_clear).map_err(|_| self.unusable())?),
            body => body.map(Payload::plain),
        };
        let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let size = url.as_str().len() + head + body.as_ref().map_or(0, Payload::len);
        self.spend(LimitName::BytesOut, if parts.secret { self.coarse_bytes(&parts) } else { size as u64 })?;
        Ok(Flight {
            network: self.ports.network.clone(),
            egress: self.egress.clone(),
            plan: self.plan.clone(),
            jar: self.jar.clone(),
            method,
            url,
            shown,
            headers,
            secret_headers,
            body,
            secret: parts.secret,
            typed: parts.kinds.contains(&LeafKind::Field) || parts.kinds.contains(&LeafKind::Answer),
            withheld: parts.withheld,
            operator: parts.kinds.contains(&LeafKind::Operator) && !parts.kinds.contains(&LeafKind::Field),
            identity,
            follow: parts.follow,
            callback: self.callback.clone(),
            redirects_max: self.budget.limits().of(LimitName::Redirects).min(self.budget.left(LimitName::Requests)),
            answer_bytes_max: self.budget.limits().of(LimitName::AnswerBytes).min(self.budget.left(LimitName::BytesIn)),
            passed: Passed::default(),
        })
    }

    /// What a request with secrets counts. Its size would tell their lengths: what is left of the limit can be tried out.
    fn coarse_bytes(&self, parts: &Parts) -> u64 {
        let secret = |recipe: std::sync::Arc<Recipe>| {
            let leaves = recipe.leaves().into_iter().map(|leaf| self.vault.coarse_bytes(leaf));
            recipe.approximate_bytes() as u64 + leaves.sum::<u64>()
        };
        parts.own_bytes + parts.with_secrets().into_iter().map(secret).sum::<u64>()
    }

    fn with_query(&mut self, mut url: Url, parts: &Parts) -> Result<Url, Fail> {
        if parts.query.is_empty() {
            return Ok(url);
        }
        let mut query = Zeroizing::new(url.query().unwrap_or_default().to_owned());
        for (name, part) in &parts.query {
            let value = self.value(part)?;
            append_pair(&mut query, name, &value);
        }
        url.set_query(Some(&query));
        Ok(url)
    }
}

/// WHATWG URL, application/x-www-form-urlencoded serializing.
fn append_pair(text: &mut String, name: &str, value: &[u8]) {
    // Reserved before the secret is written, so that growing leaves no copy behind.
    text.reserve(name.len() * 3 + value.len() * 3 + 2);
    if !text.is_empty() {
        text.push('&');
    }
    text.extend(byte_serialize(name.as_bytes()));
    text.push('=');
    text.extend(byte_serialize(value));
}

type Part = Option<std::sync::Arc<Recipe>>;

/// How the fields of a request become its body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Urlencoded,
    Multipart,
    /// Strings of a JSON text, by their pointers.
    Json,
    /// Texts and attributes of an XML text, by their paths.
    Xml,
}

impl Form {
    fn of(options: &BTreeMap<String, String>) -> Self {
        match options.get("form").map(String::as_str) {
            Some("multipart") => Self::Multipart,
            Some("json") => Self::Json,
            Some("xml") => Self::Xml,
            _ => Self::Urlencoded,
        }
    }

    /// Whether the fields go into the body, which the connector writes.
    fn has_template(self) -> bool {
        matches!(self, Self::Json | Self::Xml)
    }
}

#[derive(Default)]
struct Parts {
    /// What the connector wrote, as it was counted meanwhile.
    own_bytes: u64,
    query: Vec<(String, Part)>,
    headers: Vec<(HeaderName, Part)>,
    fields: Vec<(String, Part)>,
    body: Option<(String, Part)>,
    form: Form,
    charset: Option<Charset>,
    options: BTreeMap<String, String>,
    follow: bool,
    secret: bool,
    /// Single characters of a secret are in it: nobody may read the answer.
    withheld: bool,
    kinds: BTreeSet<LeafKind>,
    answers: BTreeSet<Leaf>,
    /// The sinks that let secrets in, for the tape.
    places: Vec<String>,
    /// The operator's certificate, by name.
    identity: Option<(String, std::sync::Arc<Recipe>)>,
}

impl Parts {
    fn with_secrets(&self) -> Vec<std::sync::Arc<Recipe>> {
        let named = self.query.iter().map(|(_, part)| part).chain(self.headers.iter().map(|(_, part)| part));
        let named = named.chain(self.fields.iter().map(|(_, part)| part)).chain(self.body.iter().map(|(_, part)| part));
        named.flatten().filter(|recipe| !recipe.leaves().is_empty()).cloned().collect()
    }
}
