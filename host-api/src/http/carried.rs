//! What a request carried, for the answer to it: the recipes that were evaluated into it and the connector's own words beside them. Its
//! answer is scrubbed of every value of those recipes before anybody looks at it. The values themselves are not kept meanwhile: they are
//! sealed as they were, evaluated again when the answer is there, and wiped with the search.

use std::collections::BTreeSet;
use std::sync::Arc;

use consentry_contract::document::{Document, DocumentError, Format};
use consentry_contract::failure::Code;
use consentry_contract::limits::LimitName;
use consentry_contract::manifest::{Field, FieldKind, Manifest};
use consentry_contract::recipe::{self, Leaf, LeafKind, Recipe, outputs};
use consentry_contract::scrub::{MASK, Scrub, VALUE_CHARS_MIN};
use consentry_tape::Hop;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use url::Url;

use super::capture::Body;
use super::flight::Landed;
use super::plan::Request;
use crate::clear::{Clear, Moment};
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::memory::locked;
use crate::meter::CpuMeter;
use crate::vault::Kept;

/// Texts of the connector's own beside a secret of the person. Each can be one guess, so they are few.
pub(crate) const OWN_TEXTS_MAX: usize = 128;
/// Their size together: room for what forms make a browser send back.
pub(crate) const OWN_BYTES_MAX: usize = 256 * 1024;
/// What ends one text inside a larger one: the syntax of forms, JSON and XML.
const SYNTAX: &str = "\"<>&=;,{}[]\r\n";
/// Headers from which a length or a digest of what is cut out could be told.
const TELLING: [HeaderName; 7] = [
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Secrets that one request carried.
pub(crate) struct Carried {
    recipes: Vec<Arc<Recipe>>,
    kept: Kept,
    own: Vec<Vec<u8>>,
}

/// What to look for in one answer.
#[derive(Default)]
pub(crate) struct Echoes {
    /// What the person or the operator gave: not even a capture rule shall take it.
    given: Option<Scrub>,
    /// What the source gave: a capture rule may take it again.
    taken: Option<Scrub>,
    /// It is searched for in clear.
    _clear: Option<Clear>,
}

impl Echoes {
    pub(crate) fn each(&self) -> impl Iterator<Item = &Scrub> {
        self.given.iter().chain(&self.taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.each().next().is_none()
    }
}

/// Identifiers are handles and no secrets: logins are often Shareable Data.
fn is_hidden(manifest: &Manifest, leaf: &Leaf) -> bool {
    let identifier = |field: &Field| field.kind == FieldKind::Identifier && field.name.as_str() == &*leaf.name;
    leaf.kind != LeafKind::Field || !manifest.fields().iter().any(identifier)
}

fn is_given(kind: LeafKind) -> bool {
    matches!(kind, LeafKind::Field | LeafKind::Answer | LeafKind::Operator)
}

impl HostCtx {
    /// Remembers what these recipes are about to put into a request; none if it is no secret.
    pub(crate) fn carry(&mut self, recipes: Vec<Arc<Recipe>>, own: BTreeSet<Vec<u8>>) -> Result<Option<Carried>, Fail> {
        let leaves: BTreeSet<Leaf> = recipes.iter().flat_map(|recipe| recipe.leaves()).cloned().collect();
        if !leaves.iter().any(|leaf| is_hidden(&self.manifest, leaf)) {
            return Ok(None);
        }
        let bytes: usize = own.iter().map(Vec::len).sum();
        let many = own.len() > OWN_TEXTS_MAX || bytes > OWN_BYTES_MAX;
        if many && leaves.iter().any(|leaf| matches!(leaf.kind, LeafKind::Field | LeafKind::Answer)) {
            let text = format!(
                "a request with a secret of the person holds at most {OWN_TEXTS_MAX} texts of the connector's own, of {OWN_BYTES_MAX} bytes together; this one holds {} of {bytes}",
                own.len()
            );
            return Err(self.refuse(Code::InvalidArgument, text));
        }
        // Nobody guesses a token: beyond the bound nothing is explained.
        let own = if many { Vec::new() } else { own.into_iter().collect() };
        Ok(Some(Carried { kept: self.vault.keep(&leaves), recipes, own }))
    }

    /// Evaluates the recipes once more.
    pub(super) fn echoes(&mut self, carried: Option<Carried>) -> Result<Echoes, Fail> {
        match carried {
            Some(carried) => self.echoes_of(std::slice::from_ref(&carried), &carried.own),
            None => Ok(Echoes::default()),
        }
    }

    /// The same, for all that was carried, next to these texts of the connector's own.
    pub(crate) fn echoes_of(&mut self, carried: &[Carried], own: &[Vec<u8>]) -> Result<Echoes, Fail> {
        if carried.is_empty() {
            return Ok(Echoes::default());
        }
        let clear = self.vault.in_clear().begin(Moment::Search);
        let manifest = self.manifest.clone();
        let hidden = |leaf: &Leaf| is_hidden(&manifest, leaf);
        let (mut given, mut taken) = (Vec::new(), Vec::new());
        let recipes = carried.iter().flat_map(|each| each.recipes.iter().map(|recipe| (recipe, &each.kept)));
        for (recipe, kept) in recipes {
            let values = self.charged(recipe.work(), |vault| locked(|| outputs(recipe, &vault.with(kept), &hidden)))?;
            let values = values.map_err(|_| self.unusable())?.into_iter().map(|output| output.value);
            let from_outside = recipe.leaves().iter().any(|leaf| is_given(leaf.kind) && hidden(leaf));
            if from_outside { given.extend(values) } else { taken.extend(values) }
        }
        let bytes_max = self.budget.limits().size(LimitName::SecretBytes);
        let search = |meter: &mut CpuMeter| {
            Ok(Echoes {
                given: Scrub::new(&given, own, bytes_max, meter)?,
                taken: Scrub::new(&taken, own, bytes_max, meter)?,
                _clear: Some(clear),
            })
        };
        self.metered(|meter| locked(|| search(meter)))
    }

    /// Takes the secrets out of everything but the body. Answers what is to be taken out of that: nothing, if what answered was asked
    /// without them, by a redirect that did not repeat them.
    pub(super) fn scrub_head(&mut self, landed: &mut Landed, echoes: Echoes) -> Result<Echoes, Fail> {
        if echoes.is_empty() {
            return Ok(echoes);
        }
        let repeats = self.metered(|meter| {
            let mut repeats = false;
            for scrub in echoes.each() {
                repeats |= scrub.url(&landed.request_url, meter)?.is_some();
                if let Some(masked) = scrub.url(&landed.url, meter)? {
                    landed.url = masked;
                }
                if let Some(location) = landed.incoming.headers.get_mut(LOCATION) {
                    mask(scrub, location, meter)?;
                }
            }
            if let Some(scrub) = &echoes.given {
                for (_, value) in &mut landed.captured {
                    if let Some(masked) = scrub.bytes(value, meter)? {
                        *value = masked.into();
                    }
                }
            }
            Ok(repeats)
        })?;
        if landed.requests > 1 && !repeats {
            return Ok(Echoes::default());
        }
        self.unpacked(&landed.incoming.headers)?;
        let headers = &mut landed.incoming.headers;
        TELLING.iter().for_each(|name| drop(headers.remove(name)));
        self.metered(|meter| {
            for scrub in echoes.each() {
                headers.values_mut().try_for_each(|value| mask(scrub, value, meter))?;
            }
            Ok(())
        })?;
        Ok(echoes)
    }

    /// The redirects of a request, which may repeat it.
    pub(super) fn scrub_passed(&mut self, passed: &mut [Hop], echoes: &Echoes) -> Result<(), Fail> {
        self.metered(|meter| {
            for scrub in echoes.each() {
                for (_, value) in passed.iter_mut().flat_map(|hop| &mut hop.headers) {
                    if let Some(masked) = scrub.bytes(value.as_bytes(), meter)? {
                        *value = String::from_utf8_lossy(&masked).into_owned();
                    }
                }
            }
            Ok(())
        })
    }

    /// A body that is still packed could be unpacked by the connector.
    fn unpacked(&mut self, headers: &HeaderMap) -> Result<(), Fail> {
        if headers.get_all(CONTENT_ENCODING).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Ok(());
        }
        let text = "the answer to a secret is packed in a way that this host can't unpack; it is withheld";
        Err(self.refuse(Code::SourceUnavailable, text))
    }

    /// Takes what the person gave out of a body, before capture rules look at it.
    pub(crate) fn scrub_given(
        &mut self,
        echoes: &Echoes,
        format: Option<Format>,
        body: &mut Body,
        url: &Url,
    ) -> Result<bool, Fail> {
        match &echoes.given {
            Some(scrub) => self.scrub_body(scrub, format, body, url).map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes what the source gave out of a body, after capture rules have taken what they may.
    pub(crate) fn scrub_taken(
        &mut self,
        echoes: &Echoes,
        format: Option<Format>,
        body: &mut Body,
        url: &Url,
    ) -> Result<(), Fail> {
        match &echoes.taken {
            Some(scrub) => {
                let format = body.document.as_ref().map(Document::format).or(format);
                self.scrub_body(scrub, format, body, url)
            }
            None => Ok(()),
        }
    }

    fn scrub_body(&mut self, scrub: &Scrub, format: Option<Format>, body: &mut Body, url: &Url) -> Result<(), Fail> {
        let (limits, bytes) = (self.budget.limits().document(), std::mem::take(&mut body.bytes));
        let charset = body.charset.take();
        body.document = None;
        let scrubbed = self.metered(|meter| scrub.body(format, bytes, charset.as_deref(), url, &limits, meter))?;
        body.bytes = scrubbed.bytes;
        body.charset = scrubbed.charset.map(str::to_owned).or(charset);
        body.document = scrubbed.document;
        Ok(())
    }

    /// A text of the host's own about an exchange that failed, which may quote what the source answered; and the redirects before.
    pub(super) fn scrub_failed(
        &mut self,
        reason: String,
        passed: &mut [Hop],
        carried: Option<Carried>,
    ) -> Result<String, Fail> {
        let echoes = self.echoes(carried)?;
        self.scrub_passed(passed, &echoes)?;
        self.metered(|meter| {
            echoes.each().try_fold(reason, |reason, scrub| Ok(scrub.text(&reason, meter)?.unwrap_or(reason)))
        })
    }
}

fn mask(scrub: &Scrub, value: &mut HeaderValue, meter: &mut CpuMeter) -> Result<(), DocumentError> {
    if let Some(masked) = scrub.bytes(value.as_bytes(), meter)? {
        *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(MASK));
    }
    Ok(())
}

/// The connector's own words in a request, as an answer may repeat them: each text whole, and what syntax parts in it.
pub(crate) fn own_texts(request: &Request, url: &Url) -> BTreeSet<Vec<u8>> {
    let mut own = BTreeSet::new();
    let mut add = |text: &[u8]| {
        let texts = text.split(|byte| SYNTAX.as_bytes().contains(byte)).chain([text]);
        own.extend(texts.filter(|text| text.len() >= VALUE_CHARS_MIN).map(<[u8]>::to_vec));
    };
    add(&url.as_str().as_bytes()[url[..url::Position::BeforePath].len()..]);
    add(url.path().as_bytes());
    url.path_segments().into_iter().flatten().for_each(|segment| {
        add(segment.as_bytes());
        add(&percent_decoded(segment));
    });
    for (name, value) in url.query_pairs() {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    let parts = request.query.iter().chain(&request.headers).chain(&request.fields).chain(&request.body);
    for (name, pieces) in parts {
        add(name.as_bytes());
        for piece in pieces {
            match piece {
                recipe::Piece::Text(text) => add(text.as_bytes()),
                recipe::Piece::Bytes(bytes) => add(bytes),
                recipe::Piece::Secret(..) => {}
            }
        }
    }
    own
}

/// A segment of a path as the site reads it.
fn percent_decoded(segment: &str) -> Vec<u8> {
    let mut query = Vec::from(b"=");
    query.extend(segment.bytes().flat_map(|byte| if byte == b'+' { b"%2B".to_vec() } else { vec![byte] }));
    url::form_urlencoded::parse(&query).next().map(|(_, value)| value.into_owned().into_bytes()).unwrap_or_default()
}
