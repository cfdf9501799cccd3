//! Tokens of HTML, from html5gum's tokenizer to html5ever's tree builder; both keep to the letter of the WHATWG's standard. The limits are looked
//! at, and the CPU time is charged, between tokens: what stops the reading comes out as the only token of [`Tokens`].

use std::borrow::Cow;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Doctype, Tag, TagKind, Token, TokenSink as _, TokenSinkResult};
use html5ever::tree_builder::TreeBuilder;
use html5ever::{Attribute, LocalName, QualName, ns};
use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State};

use super::DocumentError;
use super::limits::{Limits, Meter, PIECE_BYTES};
use super::sink::Sink;
use super::tree::NodeId;

/// What a token takes of a piece besides its text.
const MARKUP_BYTES: usize = 8;

/// What the tokenizer hands its tokens to.
pub(super) struct Tokens<'p>(CallbackEmitter<Builder<'p>, DocumentError>);

struct Builder<'p> {
    tree: &'p TreeBuilder<NodeId, Sink>,
    limits: &'p Limits,
    meter: &'p mut dyn Meter,
    /// Read since the last look at the limits.
    since: usize,
    /// A start tag that is not closed yet.
    open: Option<Tag>,
    /// How many attributes that tag has named, double ones included.
    named: usize,
    /// Whether the last attribute is a double one, whose value does not count.
    double: bool,
    /// How the tokenizer is to read on.
    next: Option<State>,
    names: Names,
}

/// Names that were looked up last, by their length and ends: a page has few, and looking one up takes longer than the rest of its tag.
struct Names([Option<LocalName>; 64]);

impl Default for Names {
    fn default() -> Self {
        Self([const { None }; 64])
    }
}

impl Names {
    fn get(&mut self, name: &[u8]) -> LocalName {
        let (first, last) = (name.first().unwrap_or(&0), name.last().unwrap_or(&0));
        let place = usize::from(*first) * 7 + usize::from(*last) * 3 + name.len();
        let slot = &mut self.0[place % 64];
        if slot.as_ref().is_none_or(|known| known.as_bytes() != name) {
            *slot = Some(LocalName::from(&*utf8(name)));
        }
        slot.clone().unwrap_or_default()
    }
}

impl<'p> Tokens<'p> {
    pub(super) fn new(tree: &'p TreeBuilder<NodeId, Sink>, limits: &'p Limits, meter: &'p mut dyn Meter) -> Self {
        let builder = Builder {
            tree,
            limits,
            meter,
            since: 0,
            open: None,
            named: 0,
            double: false,
            next: None,
            names: Names::default(),
        };
        Self(CallbackEmitter::new(builder))
    }
}

impl ForwardingEmitter for Tokens<'_> {
    type Token = DocumentError;

    fn inner(&mut self) -> &mut impl Emitter<Token = DocumentError> {
        &mut self.0
    }

    // A page with errors is a page; looking for them takes as long as the tokens do.
    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_eof(&mut self) {
        self.0.emit_eof();
        let builder = self.0.callback_mut();
        builder.pass(Token::EOFToken);
        builder.tree.end();
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let next = self.0.emit_current_tag();
        self.0.callback_mut().next.take().or(next)
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.0.callback_mut().tree.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

impl Callback<DocumentError, ()> for Builder<'_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<DocumentError> {
        let bytes = self.take(event);
        self.look(bytes).err()
    }
}

impl Builder<'_> {
    /// How much was read for it.
    fn take(&mut self, event: CallbackEvent<'_>) -> usize {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.named = 0;
                self.open = Some(self.tag(TagKind::StartTag, name));
                name.len()
            }
            CallbackEvent::AttributeName { name } => {
                self.attribute(name);
                name.len()
            }
            CallbackEvent::AttributeValue { value } => {
                let attribute = self.open.as_mut().and_then(|tag| tag.attrs.last_mut());
                if let Some(attribute) = attribute.filter(|_| !self.double) {
                    attribute.value = text(value);
                }
                value.len()
            }
            CallbackEvent::CloseStartTag { self_closing } => {
                if let Some(tag) = self.open.take() {
                    self.pass(Token::TagToken(Tag { self_closing, ..tag }));
                }
                0
            }
            CallbackEvent::EndTag { name } => {
                let tag = self.tag(TagKind::EndTag, name);
                self.pass(Token::TagToken(tag));
                name.len()
            }
            CallbackEvent::String { value } => {
                self.characters(value);
                value.len()
            }
            CallbackEvent::Comment { value } => {
                self.pass(Token::CommentToken(text(value)));
                value.len()
            }
            CallbackEvent::Doctype { name, public_identifier, system_identifier, force_quirks } => {
                self.pass(Token::DoctypeToken(Doctype {
                    name: Some(name).filter(|name| !name.is_empty()).map(text),
                    public_id: public_identifier.map(text),
                    system_id: system_identifier.map(text),
                    force_quirks,
                }));
                name.len()
            }
            CallbackEvent::Error(_) => 0,
        }
    }

    fn tag(&mut self, kind: TagKind, name: &[u8]) -> Tag {
        let name = self.names.get(name);
        Tag { kind, name, self_closing: false, attrs: Vec::new(), had_duplicate_attributes: false }
    }

    /// The first of one name counts.
    fn attribute(&mut self, name: &[u8]) {
        let Some(tag) = &mut self.open else { return };
        self.named += 1;
        let name = self.names.get(name);
        self.double = tag.attrs.iter().any(|attribute| attribute.name.local == name);
        if !self.double {
            tag.attrs.push(Attribute { name: QualName::new(None, ns!(), name), value: StrTendril::new() });
        }
        tag.had_duplicate_attributes |= self.double;
    }

    /// U+0000 is a token of its own.
    fn characters(&mut self, value: &[u8]) {
        for (at, part) in value.split(|byte| *byte == 0).enumerate() {
            if at > 0 {
                self.pass(Token::NullCharacterToken);
            }
            if !part.is_empty() {
                self.pass(Token::CharacterTokens(text(part)));
            }
        }
    }

    fn pass(&mut self, token: Token) {
        // Nobody asks for a line.
        self.next = match self.tree.process_token(token, 1) {
            TokenSinkResult::Continue | TokenSinkResult::EncodingIndicator(_) => return,
            TokenSinkResult::Script(_) => Some(State::Data),
            TokenSinkResult::Plaintext => Some(State::PlainText),
            TokenSinkResult::RawData(RawKind::Rcdata) => Some(State::RcData),
            TokenSinkResult::RawData(RawKind::Rawtext) => Some(State::RawText),
            TokenSinkResult::RawData(RawKind::ScriptData | RawKind::ScriptDataEscaped(_)) => Some(State::ScriptData),
        };
    }

    fn look(&mut self, bytes: usize) -> Result<(), DocumentError> {
        // At once: each name is compared with those before it.
        if self.open.is_some() && self.named > self.limits.attributes {
            return Err(DocumentError::limit("attributes", self.limits.attributes));
        }
        self.since += bytes + MARKUP_BYTES;
        if self.since >= PIECE_BYTES {
            self.since = 0;
            self.tree.sink.check()?;
            self.meter.check()?;
        }
        Ok(())
    }
}

/// The source is UTF-8, and a token ends where a character does.
fn text(bytes: &[u8]) -> StrTendril {
    StrTendril::from_slice(&utf8(bytes))
}

fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    // Looking whether it is takes a fraction of what a look for what isn't takes.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
