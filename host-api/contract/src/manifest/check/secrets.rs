//! Login fields, answers, the operator's secrets, cookies and captures, and where each of them may go.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::{Checker, check_at};
use crate::manifest::parts::{Answer, CaptureAt, CaptureTemplate, Field, FieldPattern, SinkIn, SinkTemplate};
use crate::manifest::raw;
use crate::manifest::words::{AnswerKind, Capability, FieldKind, PromptKind};
use crate::recipe::{Leaf, LeafKind, Pattern, SINK_USES_MAX, STEERED_USES_MAX, Slot};

/// What the manifest says about secrets.
#[derive(Default)]
pub(super) struct Secrets {
    pub fields: Vec<Field>,
    pub answers: Vec<Answer>,
    pub sinks: Vec<SinkTemplate>,
    pub captures: Vec<CaptureTemplate>,
}

impl Checker<'_> {
    pub(super) fn secrets(&mut self, raw: &raw::Manifest, capabilities: &BTreeSet<Capability>) -> Secrets {
        let mut secrets = Secrets::default();
        self.pages = raw.page.iter().map(|page| page.get_ref().id.get_ref().clone()).collect();
        self.unique(raw.field.iter().map(|field| &field.get_ref().name));
        self.unique(raw.answer.iter().map(|answer| &answer.get_ref().name));
        self.unique(raw.operator.iter().map(|operator| &operator.get_ref().name));
        self.unique(raw.cookie.iter().map(|cookie| &cookie.get_ref().name));
        self.unique(raw.capture.iter().map(|capture| &capture.get_ref().name));
        let declared = declared(raw);
        self.fields(raw, &declared, &mut secrets);
        self.answers(raw, capabilities, &declared, &mut secrets);
        for operator in &raw.operator {
            self.id(&operator.get_ref().name);
            let leaf = Leaf::new(LeafKind::Operator, operator.get_ref().name.get_ref());
            self.needs_sinks(&leaf, operator.span(), &operator.get_ref().sink);
            self.sinks(&leaf, &operator.get_ref().sink, &declared, &mut secrets.sinks);
        }
        for cookie in &raw.cookie {
            let leaf = Leaf::new(LeafKind::Cookie, cookie.get_ref().name.get_ref());
            if leaf.name.is_empty()
                || !leaf.name.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b))
            {
                self.fail(cookie.get_ref().name.span(), "this can't be the name of a cookie");
            }
            self.needs_sinks(&leaf, cookie.span(), &cookie.get_ref().sink);
            self.sinks(&leaf, &cookie.get_ref().sink, &declared, &mut secrets.sinks);
        }
        for capture in &raw.capture {
            self.capture(capture.get_ref(), &declared, &mut secrets);
        }
        secrets
    }

    fn fields(&mut self, raw: &raw::Manifest, declared: &BTreeSet<Leaf>, secrets: &mut Secrets) {
        let logins =
            raw.field.iter().filter_map(|field| field.get_ref().login.as_ref().filter(|login| *login.get_ref()));
        match (logins.collect::<Vec<_>>().as_slice(), raw.field.first()) {
            ([], Some(first)) => {
                self.fail(first.span(), "one [[field]] needs `login = true`: the one that says who logs in")
            }
            ([_, more @ ..], _) => {
                more.iter().for_each(|login| self.fail(login.span(), "only one [[field]] may have `login = true`"));
            }
            _ => {}
        }
        for field in &raw.field {
            let Some(checked) = self.field(field.get_ref()) else {
                continue;
            };
            let leaf = Leaf::new(LeafKind::Field, checked.name.as_str());
            if checked.kind == FieldKind::Public {
                self.needs_no_sinks(&field.get_ref().sink);
            } else {
                self.needs_sinks(&leaf, field.span(), &field.get_ref().sink);
                self.sinks(&leaf, &field.get_ref().sink, declared, &mut secrets.sinks);
            }
            secrets.fields.push(checked);
        }
    }

    fn field(&mut self, raw: &raw::Field) -> Option<Field> {
        let name = self.id(&raw.name);
        let kind = self.word(&raw.kind, FieldKind::parse, &FieldKind::ALLOWED.join(", "));
        let label = self.label(&raw.label);
        let login = raw.login.as_ref().is_some_and(|login| *login.get_ref());
        if login && raw.optional {
            self.fail(raw.name.span(), "the login can't be optional");
        }
        let pattern = raw.pattern.as_ref().and_then(|pattern| {
            let parsed = FieldPattern::parse(pattern.get_ref());
            parsed.map_err(|problem| self.fail(pattern.span(), problem)).ok()
        });
        Some(Field { name: name?, kind: kind?, login, optional: raw.optional, label, pattern })
    }

    fn answers(
        &mut self,
        raw: &raw::Manifest,
        can: &BTreeSet<Capability>,
        declared: &BTreeSet<Leaf>,
        secrets: &mut Secrets,
    ) {
        for answer in &raw.answer {
            if !can.contains(&Capability::Prompt) {
                self.fail(answer.span(), "answers need `prompt` among the capabilities");
            }
            let raw = answer.get_ref();
            let (name, label) = (self.id(&raw.name), self.label(&raw.label));
            let prompt = self.word(&raw.prompt, PromptKind::parse, &PromptKind::ALLOWED.join(", "));
            let kind = self.word(&raw.kind, AnswerKind::parse, &AnswerKind::ALLOWED.join(", "));
            let (Some(name), Some(prompt), Some(kind)) = (name, prompt, kind) else {
                continue;
            };
            let leaf = Leaf::new(LeafKind::Answer, name.as_str());
            if kind == AnswerKind::Public {
                self.needs_no_sinks(&raw.sink);
            } else {
                self.needs_sinks(&leaf, answer.span(), &raw.sink);
                self.sinks(&leaf, &raw.sink, declared, &mut secrets.sinks);
            }
            secrets.answers.push(Answer { prompt, name, kind, label });
        }
    }

    fn capture(&mut self, raw: &raw::Capture, declared: &BTreeSet<Leaf>, secrets: &mut Secrets) {
        let (name, from) = (self.id(&raw.name), self.request(&raw.from));
        self.seen(&raw.at);
        let at = match capture_at(raw.at.get_ref()) {
            Ok(at) => Some(at),
            Err(problem) => {
                self.fail(raw.at.span(), problem);
                None
            }
        };
        self.sinks(&Leaf::new(LeafKind::Captured, raw.name.get_ref()), &raw.sink, declared, &mut secrets.sinks);
        if let (Some(name), Some(from), Some(at)) = (name, from, at) {
            secrets.captures.push(CaptureTemplate { name, from, at });
        }
    }

    fn needs_sinks(&mut self, leaf: &Leaf, span: Range<usize>, sinks: &[Spanned<raw::Sink>]) {
        if sinks.is_empty() {
            let table = leaf.kind.table();
            self.fail(span, format!("`{leaf}` may go nowhere; declare where with [[{table}.sink]]"));
        }
    }

    fn needs_no_sinks(&mut self, sinks: &[Spanned<raw::Sink>]) {
        if let Some(sink) = sinks.first() {
            self.fail(sink.span(), "what is `public` is known to the connector's code and needs no sink");
        }
    }

    fn sinks(
        &mut self,
        leaf: &Leaf,
        raw: &[Spanned<raw::Sink>],
        declared: &BTreeSet<Leaf>,
        sinks: &mut Vec<SinkTemplate>,
    ) {
        for sink in raw.iter().map(Spanned::get_ref) {
            self.seen(&sink.slot);
            let slot = self.word(&sink.slot, Slot::parse, Slot::ALLOWED);
            let within = self.sink_in(sink, slot.as_ref());
            let recipe = self.recipe(leaf, &sink.recipe, declared);
            let max = *sink.max.get_ref();
            if !(1..=SINK_USES_MAX).contains(&max) {
                self.fail(sink.max.span(), format!("allowed: 1 to {SINK_USES_MAX} uses in one run"));
            }
            if matches!(slot, Some(Slot::Keypad(_))) && max > STEERED_USES_MAX {
                self.fail(sink.max.span(), format!("a keypad is pressed at most {STEERED_USES_MAX} times in one run"));
            }
            let as_it_is = leaf.kind == LeafKind::Operator && sink.recipe.get_ref() == "raw";
            if slot == Some(Slot::ClientCertificate) && !as_it_is {
                self.fail(
                    sink.slot.span(),
                    "a client certificate is an [[operator]] secret as it is: `recipe = \"raw\"`",
                );
            }
            if let Some(flaw) = recipe.as_ref().and_then(|recipe| recipe.flaw(leaf, max)) {
                self.fail(sink.recipe.span(), flaw);
            }
            if let (Some(within), Some(slot), Some(recipe)) = (within, slot, recipe) {
                sinks.push(SinkTemplate { leaf: leaf.clone(), within, slot, recipe, max });
            }
        }
    }

    /// A request, or a page of a browser; the slot says which.
    fn sink_in(&mut self, sink: &raw::Sink, slot: Option<&Slot>) -> Option<SinkIn> {
        let on_page = slot.map(Slot::is_on_page)?;
        match (&sink.request, &sink.page) {
            (Some(request), None) if !on_page => self.request(request).map(SinkIn::Request),
            (None, Some(page)) if on_page => {
                if !self.pages.contains(page.get_ref()) {
                    self.fail(page.span(), format!("the manifest declares no page `{}`", page.get_ref()));
                }
                self.id(page).map(SinkIn::Page)
            }
            _ => {
                let problem = "a sink has a `request`; with the slot `field:SELECTOR` or `keypad:SELECTOR` it has a `page` instead";
                self.fail(sink.slot.span(), problem);
                None
            }
        }
    }

    fn recipe(&mut self, leaf: &Leaf, text: &raw::Text, declared: &BTreeSet<Leaf>) -> Option<Pattern> {
        let recipe = match Pattern::parse(text.get_ref()) {
            Ok(recipe) => recipe,
            Err(error) => {
                self.fail(text.span(), format!("the recipe does not read: {error}"));
                return None;
            }
        };
        if !recipe.holds(leaf) {
            self.fail(text.span(), format!("the recipe never uses `raw`, which is `{leaf}`, whose sink this is"));
        }
        for named in recipe.named().into_iter().filter(|named| !declared.contains(named)) {
            self.fail(text.span(), format!("the manifest declares no secret `{named}`"));
        }
        Some(recipe)
    }
}

/// Every secret that the manifest has, so that recipes may name it.
fn declared(raw: &raw::Manifest) -> BTreeSet<Leaf> {
    let fields = raw.field.iter().map(|field| (LeafKind::Field, &field.get_ref().name));
    let answers = raw.answer.iter().map(|answer| (LeafKind::Answer, &answer.get_ref().name));
    let operators = raw.operator.iter().map(|operator| (LeafKind::Operator, &operator.get_ref().name));
    let cookies = raw.cookie.iter().map(|cookie| (LeafKind::Cookie, &cookie.get_ref().name));
    let captures = raw.capture.iter().map(|capture| (LeafKind::Captured, &capture.get_ref().name));
    let every = fields.chain(answers).chain(operators).chain(cookies).chain(captures);
    every.map(|(kind, name)| Leaf::new(kind, name.get_ref())).collect()
}

fn capture_at(text: &str) -> Result<CaptureAt, String> {
    if text.starts_with('/') {
        check_at(text)?;
        return Ok(CaptureAt::Pointer(text.to_owned()));
    }
    if let Some(Slot::Header(name)) = Slot::parse(text) {
        return match name.as_str() {
            "set-cookie" => Err("cookies are handles already: see [[cookie]]".to_owned()),
            _ => Ok(CaptureAt::Header(name)),
        };
    }
    if let Some(Slot::Query(name)) = Slot::parse(text) {
        return Ok(CaptureAt::Query(name));
    }
    let attribute = text.rsplit_once('@').filter(|(_, name)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    let (selector, attribute) = match attribute {
        Some((selector, name)) => (selector, Some(name.to_ascii_lowercase())),
        None => (text, None),
    };
    if selector.trim().is_empty() {
        return Err("must be a JSON Pointer, SELECTOR, SELECTOR@ATTRIBUTE, header:NAME or query:NAME".to_owned());
    }
    check_at(selector)?;
    Ok(CaptureAt::Element { selector: selector.to_owned(), attribute })
}
