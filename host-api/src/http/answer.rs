//! What came back: first what the request carried is taken out, then what capture rules name, then the page is recognised, and only what
//! is left can be asked for.

use std::sync::Arc;

use consentry_contract::document::{Document, Format, charset};
use consentry_contract::failure::{Code, Missing};
use consentry_contract::item::Bytes;
use consentry_contract::page::{self, Answer, Recognition};
use consentry_tape::{Event, Exchange, Hop};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::capture::Body;
use super::carried::Carried;
use super::flight::Landed;
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::document::{Parsed, Seed, Tree};
use crate::fault::Fail;
use crate::held::Held;

/// An answer by handle.
pub struct Response {
    status: u16,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    charset: Option<String>,
    tree: Option<Arc<Tree>>,
    page: Option<String>,
    held: Arc<Held>,
}

impl Response {
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    pub(super) fn body(&self) -> Bytes {
        self.body.clone()
    }

    pub(super) fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    pub(crate) fn tree(&self) -> Option<&Arc<Tree>> {
        self.tree.as_ref()
    }

    pub(super) fn header(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }
}

impl HostCtx {
    /// Scrubs, cuts, recognises, tapes. A page that is a failure, or says one, answers as a fault.
    pub(super) fn answer(
        &mut self,
        mut landed: Landed,
        carried: Option<Carried>,
        mut exchange: Exchange,
    ) -> Result<Response, Fail> {
        for (url, cookie) in &landed.cookies {
            self.jar.store(url, cookie);
        }
        let echoes = self.echoes(carried)?;
        self.scrub_passed(&mut exchange.hops, &echoes)?;
        let echoes = self.scrub_head(&mut landed, echoes)?;
        for (name, value) in landed.captured.iter() {
            self.take_captured(name, value.clone())?;
        }
        let content_type =
            landed.incoming.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = Format::of_content_type(content_type);
        let charset = charset::label_of(content_type).map(str::to_owned);
        let mut body = Body { bytes: landed.incoming.body, charset, document: None, changed: false };
        if !self.scrub_given(&echoes, format, &mut body, &landed.url)?
            && let Some(format) = format.filter(|_| !body.bytes.is_empty())
        {
            body.document = self.try_parse(format, &body.bytes, body.charset.as_deref(), &landed.url)?;
        }
        self.capture(&landed.method, &landed.request_url, landed.incoming.status, &mut body)?;
        self.scrub_taken(&echoes, format, &mut body, &landed.url)?;
        let Body { bytes, charset, document, changed } = body;
        let as_it_came = echoes.is_empty() && !changed;
        let grown = document.as_ref().map_or(0, Document::approximate_bytes);
        let held = self.hold(bytes.len() + head_bytes(&landed.incoming.headers) + grown)?;
        let status = landed.incoming.status.as_u16();
        let mut recognition = self.recognise(&landed.url, status, document.as_ref())?;
        if landed.operator && status == 401 {
            recognition.failure.get_or_insert(Code::OperatorRejected);
        }
        let page = recognition.page.as_ref().map(|page| page.as_str().to_owned());
        let (bytes, charset, shown, url) = if landed.withheld {
            drop(Zeroizing::new(bytes));
            (Vec::new(), None, None, withheld_url(&landed.url))
        } else {
            (bytes, charset, document.clone(), landed.url.clone())
        };
        let body: Bytes = Arc::new(Zeroizing::new(bytes));
        let tree = shown.map(|document| {
            let (bytes, format, charset) = (body.clone(), document.format(), charset.clone());
            let seed = as_it_came.then(|| Seed { bytes, format, charset, url: Some(landed.url.clone()) });
            Tree::new(document, seed)
        });
        let mut headers = landed.incoming.headers;
        let shown = if landed.withheld { Vec::new() } else { shown_head(&headers, charset.as_deref(), landed.taken) };
        exchange.hops.push(Hop { status, headers: shown, body: consentry_tape::Body(body.clone()) });
        exchange.page.clone_from(&page);
        self.ports.tape.outside(Event::Http(exchange));
        self.note(&recognition, status, &landed.url, &headers, document.as_ref())?;
        // Nobody declares this run's callback as a page, and it is where it should be.
        self.facts.unrecognised &= !landed.callback;
        if landed.withheld {
            headers.clear();
        }
        Ok(Response { status, url: url.to_string(), headers, body, charset, tree, page, held })
    }

    /// A body that is not what its content type says is kept as bytes: the connector learns of it when it asks for the document.
    pub(crate) fn try_parse(
        &mut self,
        format: Format,
        body: &[u8],
        charset: Option<&str>,
        url: &url::Url,
    ) -> Result<Option<Document>, Fail> {
        match self.parse(format, body, charset, Some(url)) {
            Ok(document) => Ok(Some(document)),
            Err(Fail::Fault(_)) => {
                self.facts.host = None;
                Ok(None)
            }
            Err(stop) => Err(stop),
        }
    }

    pub(crate) fn recognise(
        &mut self,
        url: &url::Url,
        status: u16,
        document: Option<&Document>,
    ) -> Result<Recognition, Fail> {
        let plan = self.plan.clone();
        self.metered(|meter| page::recognise(plan.pages(), url, status, document, meter))
    }

    /// Remembers what this answer says about the run; if it says a failure, the connector hears it as a fault.
    pub(crate) fn note(
        &mut self,
        seen: &Recognition,
        status: u16,
        url: &url::Url,
        headers: &HeaderMap,
        document: Option<&Document>,
    ) -> Result<(), Fail> {
        self.facts.left_page();
        self.facts.page.clone_from(&seen.page);
        self.facts.unrecognised = seen.page.is_none();
        for dataset in self.facts.datasets.iter_mut().filter(|dataset| seen.feeds.contains(&dataset.category.as_str()))
        {
            if seen.empty {
                dataset.empty.clone_from(&seen.page);
            } else {
                dataset.read = true;
            }
        }
        let failure = seen.failure_now(self.authenticated);
        if seen.page.is_none() || failure.is_some() {
            let pairs: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            let answer = Answer {
                status,
                url,
                headers: &pairs,
                document,
                authenticated: self.authenticated,
                received: self.ports.clock.now(),
            };
            let classified = self.metered(|meter| page::classify(&answer, meter))?;
            self.facts.retry_after_ms =
                classified.retry_after.map(|wait| wait.as_millis().try_into().unwrap_or(u64::MAX));
            self.facts.declared = failure.or(Some(classified.code).filter(|code| *code != Code::PageUnrecognised));
            if self.facts.declared.is_none() {
                // The page that it should have been.
                let nearest = seen.nearest(self.plan.pages());
                self.facts.page = nearest.map(|missing| missing.page.clone());
                self.facts.missing = nearest.map(|missing| Missing::required(&missing.at));
            }
        }
        match failure {
            Some(code) => {
                let page = seen.page.as_ref().map_or("", |page| page.as_str());
                let text = format!("the page {page} says {code}");
                self.tell_author(&text);
                let retry_after_ms = self.facts.retry_after_ms.map(|wait| u32::try_from(wait).unwrap_or(u32::MAX));
                Err(Fail::Fault(Fault { code: code.to_string(), text, retry_after_ms }))
            }
            None => Ok(()),
        }
    }

    /// The parsed body; another format than the answer's own is parsed anew, from what is left after cutting.
    pub(super) fn document_of(
        &mut self,
        this: &Resource<Response>,
        format: Option<&str>,
    ) -> Result<Resource<Parsed>, Fail> {
        let response = self.table.get(this)?;
        let (page, body, charset) = (response.page.clone(), response.body.clone(), response.charset.clone());
        let (tree, url, held) = (response.tree.clone(), response.url.clone(), response.held());
        let wanted = format.map(|name| self.format(name)).transpose()?;
        if let Some(tree) = tree {
            let document = self.grown(&tree)?;
            if wanted.is_none_or(|wanted| wanted == document.format()) {
                return self.keep_held(tree, document.part(), page, held);
            }
        }
        let Some(format) = wanted else {
            return Err(self.refuse(
                Code::ValueUnparsable,
                "the answer's content type is no document; name a format, or take the blob",
            ));
        };
        let url = url.parse().ok();
        let document = self.parse(format, &body, charset.as_deref(), url.as_ref())?;
        self.keep(document, Some(Seed { bytes: body, format, charset, url }), page)
    }
}

/// Of the address of a withheld answer only where it is: a path or a query may repeat what was sent.
fn withheld_url(url: &url::Url) -> url::Url {
    url.join("/").unwrap_or_else(|_| url.clone())
}

/// The head of an answer for the tape, which says in which charset the body is now.
fn shown_head(headers: &HeaderMap, charset: Option<&str>, taken: Vec<(String, String)>) -> Vec<(String, String)> {
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = match charset.filter(|_| *name == CONTENT_TYPE) {
            Some(charset) => {
                format!("{}; charset={charset}", value.split(';').next().unwrap_or_default().trim())
            }
            None => value,
        };
        (name.as_str().to_owned(), value)
    };
    headers.iter().map(shown).chain(taken).collect()
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
