//! document: the connector asks, the host reads. The parsing itself is in the contract crate; here are the handles, the limits and what a
//! miss means: a name on the failure report.

use std::sync::Arc;

use consentry_contract::document::{Column, Document, DocumentError, Exhausted, Format};
use consentry_contract::failure::{Code, Name, Stage};
use consentry_contract::limits::LimitName;
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::document as wit;
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::held::Held;
use crate::meter::CpuMeter;

/// A document by handle, and the page rule that recognised the answer it came in.
#[derive(Clone)]
pub struct Parsed {
    pub(crate) document: Document,
    pub(crate) page: Option<String>,
    held: Arc<Held>,
}

const NAME: &str = "document";

impl HostCtx {
    /// Lets a document work at the run's expense.
    pub(crate) fn metered<T>(
        &mut self,
        work: impl FnOnce(&mut CpuMeter) -> Result<T, DocumentError>,
    ) -> Result<T, Fail> {
        let mut meter = self.cpu_meter();
        work(&mut meter).map_err(|error| self.document_fault(&error))
    }

    /// As [`Self::metered`]; a pointer where markup came is told as a page that is not the expected one.
    fn ask<T>(
        &mut self,
        document: &Document,
        at: &str,
        work: impl FnOnce(&mut CpuMeter) -> Result<T, DocumentError>,
    ) -> Result<T, Fail> {
        if document.format() != Format::Json && at.starts_with('/') {
            return Err(self.document_fault(&DocumentError::NotThisFormat { needs: Format::Json }));
        }
        self.metered(work)
    }

    fn document_fault(&mut self, error: &DocumentError) -> Fail {
        match error {
            DocumentError::Exhausted(Exhausted) => {
                self.reached(LimitName::Cpu);
                Fail::stop()
            }
            DocumentError::Limit { which, .. } => {
                self.reached(LimitName::of_document(which));
                Fail::stop()
            }
            // A selector for JSON, a pointer for markup: the answer is of another kind than the connector was written for.
            DocumentError::NotThisFormat { .. } | DocumentError::BadPointer { .. } => {
                self.refuse_page(error.to_string())
            }
            DocumentError::Malformed { .. } => self.refuse(Code::ValueUnparsable, error.to_string()),
            _ => self.refuse(Code::InvalidArgument, error.to_string()),
        }
    }

    pub(crate) fn parse(
        &mut self,
        format: Format,
        bytes: &[u8],
        charset: Option<&str>,
        url: Option<&url::Url>,
    ) -> Result<Document, Fail> {
        let limits = self.budget.limits().document();
        self.metered(|meter| Document::parse(format, bytes, charset, url, &limits, meter))
    }

    /// A document of its own, which counts as what it takes.
    pub(crate) fn keep(&mut self, document: Document, page: Option<String>) -> Result<Resource<Parsed>, Fail> {
        let held = self.hold(document.approximate_bytes())?;
        self.keep_held(document, page, held)
    }

    /// Another view of what is counted already.
    pub(crate) fn keep_held(
        &mut self,
        document: Document,
        page: Option<String>,
        held: Arc<Held>,
    ) -> Result<Resource<Parsed>, Fail> {
        self.spend(LimitName::Documents, 1)?;
        Ok(self.table.push(Parsed { document, page, held })?)
    }

    fn document(&self, this: &Resource<Parsed>) -> Result<Document, Fail> {
        Ok(self.table.get(this)?.document.clone())
    }

    fn page_of(&self, this: &Resource<Parsed>) -> Result<Option<String>, Fail> {
        Ok(self.table.get(this)?.page.clone())
    }

    fn read_rows(
        &mut self,
        function: &'static str,
        this: &Resource<Parsed>,
        at: &str,
        columns: Vec<wit::Column>,
    ) -> Result<Vec<Vec<Option<String>>>, Fail> {
        self.enter(NAME, function)?;
        self.at(Stage::Extract);
        let document = self.document(this)?;
        let columns: Vec<Column> =
            columns.into_iter().map(|column| Column { name: column.name, at: column.at, take: column.take }).collect();
        self.ask(&document, at, |meter| document.rows(at, &columns, meter))
    }

    /// Something that the connector needs is not there: the page is not what it was.
    fn missed(&mut self, this: &Resource<Parsed>, name: &str) -> Result<Fail, Fail> {
        let page = self.page_of(this)?;
        let name = name.parse::<Name>().ok();
        self.facts.page = page.and_then(|page| page.parse().ok()).or(self.facts.page.take());
        self.facts.missing = name.clone().or_else(|| "unnamed".parse().ok()).map(Name::into);
        let text = name.map_or_else(|| "what the connector needs".to_owned(), |name| name.as_str().to_owned());
        Ok(self.refuse_page(format!("{text} is not on the page")))
    }

    fn refuse_page(&mut self, text: String) -> Fail {
        self.tell_author(&text);
        Fail::fault(Code::PageUnrecognised, text)
    }
}

impl wit::Host for HostCtx {
    fn open(&mut self, format: String, text: String) -> Result<Resource<Parsed>, Fail> {
        self.enter(NAME, "open")?;
        let format = self.format(&format)?;
        let document = self.parse(format, text.as_bytes(), Some("utf-8"), None)?;
        self.keep(document, None)
    }
}

impl HostCtx {
    pub(crate) fn format(&mut self, name: &str) -> Result<Format, Fail> {
        name.parse::<Format>().map_err(|error| self.document_fault(&error))
    }
}

impl wit::HostDocument for HostCtx {
    fn page(&mut self, this: Resource<Parsed>) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "document.page")?;
        Ok(self.table.get(&this)?.page.clone())
    }

    fn find(&mut self, this: Resource<Parsed>, at: String, take: String) -> Result<Option<String>, Fail> {
        self.enter(NAME, "document.find")?;
        let document = self.document(&this)?;
        self.ask(&document, &at, |meter| document.find(&at, &take, meter))
    }

    fn need(&mut self, this: Resource<Parsed>, name: String, at: String, take: String) -> Result<String, Fail> {
        self.enter(NAME, "document.need")?;
        let document = self.document(&this)?;
        match self.ask(&document, &at, |meter| document.find(&at, &take, meter))? {
            Some(found) => Ok(found),
            None => Err(self.missed(&this, &name)?),
        }
    }

    fn missing(&mut self, this: Resource<Parsed>, name: String) -> wasmtime::Result<Fault> {
        self.enter_infallible(NAME, "document.missing")?;
        let (Ok(fail) | Err(fail)) = self.missed(&this, &name);
        match fail {
            Fail::Fault(fault) => Ok(fault),
            Fail::Stop(error) => Err(error),
        }
    }

    fn rows(
        &mut self,
        this: Resource<Parsed>,
        at: String,
        columns: Vec<wit::Column>,
    ) -> Result<Vec<Vec<Option<String>>>, Fail> {
        self.read_rows("document.rows", &this, &at, columns)
    }

    fn cells(
        &mut self,
        this: Resource<Parsed>,
        at: String,
        columns: Vec<wit::Column>,
    ) -> Result<(String, Vec<Option<u32>>), Fail> {
        let rows = self.read_rows("document.cells", &this, &at, columns)?;
        let cells = || rows.iter().flatten();
        let mut text = String::with_capacity(cells().flatten().map(String::len).sum());
        cells().flatten().for_each(|cell| text.push_str(cell));
        // Longer than a length can say, it would be above the limit of an answer.
        let length = |cell: &String| u32::try_from(cell.len()).unwrap_or(u32::MAX);
        let lengths = cells().map(|cell| cell.as_ref().map(length)).collect();
        Ok((text, lengths))
    }

    fn form(&mut self, this: Resource<Parsed>, name: String, at: String) -> Result<wit::Form, Fail> {
        self.enter(NAME, "document.form")?;
        let document = self.document(&this)?;
        match self.ask(&document, &at, |meter| document.form(&at, meter))? {
            Some(form) => Ok(wit::Form {
                action: form.action.clone(),
                method: form.method.clone(),
                encoding: form.encoding.clone(),
                charset: form.charset.clone(),
                fields: form.fields.clone(),
            }),
            None => Err(self.missed(&this, &name)?),
        }
    }

    fn parts(&mut self, this: Resource<Parsed>, at: String) -> Result<Vec<Resource<Parsed>>, Fail> {
        self.enter(NAME, "document.parts")?;
        let Parsed { document, page, held } = self.table.get(&this)?.clone();
        let parts = self.ask(&document, &at, |meter| document.parts(&at, meter))?;
        parts.into_iter().map(|part| self.keep_held(part, page.clone(), held.clone())).collect()
    }

    fn nested(&mut self, this: Resource<Parsed>, at: String, format: String) -> Result<Resource<Parsed>, Fail> {
        self.enter(NAME, "document.nested")?;
        let (document, page) = (self.document(&this)?, self.page_of(&this)?);
        let format = self.format(&format)?;
        match self.ask(&document, &at, |meter| document.nested(&at, format, meter))? {
            Some(nested) => self.keep(nested, page),
            None => Err(self.missed(&this, "nested-document")?),
        }
    }

    fn drop(&mut self, this: Resource<Parsed>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.budget.give_back(LimitName::Documents, 1);
        Ok(())
    }
}
