//! document: the connector asks, the host reads. The parsing itself is in the contract crate; here are the handles, the limits and what a
//! miss means: a name on the failure report.

use std::sync::{Arc, Mutex, PoisonError};

use consentry_contract::document::{Column, Document, DocumentError, Exhausted, Format, Part};
use consentry_contract::failure::{Code, Name, Stage};
use consentry_contract::item::Bytes;
use consentry_contract::limits::LimitName;
use url::Url;
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::document as wit;
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::held::Held;
use crate::http::Response;
use crate::meter::CpuMeter;

/// A document by handle, and the page rule that recognised the answer it came in.
#[derive(Clone)]
pub struct Parsed {
    tree: Arc<Tree>,
    part: Part,
    page: Option<String>,
    held: Arc<Held>,
}

/// A parsed document, which is many times as large as what it was parsed from: while a guest waits for a person it goes, and grows again
/// when it is asked next.
pub(crate) struct Tree {
    grown: Mutex<Option<Document>>,
    /// None: parsing would not give this tree, so it stays.
    seed: Option<Seed>,
}

/// What a tree was parsed from.
pub(crate) struct Seed {
    pub(crate) bytes: Bytes,
    pub(crate) format: Format,
    pub(crate) charset: Option<String>,
    pub(crate) url: Option<Url>,
}

impl Tree {
    pub(crate) fn new(document: Document, seed: Option<Seed>) -> Arc<Self> {
        Arc::new(Self { grown: Mutex::new(Some(document)), seed })
    }

    fn grown(&self) -> Option<Document> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(test)]
    pub(crate) fn is_grown(&self) -> bool {
        self.grown().is_some()
    }

    fn set(&self, document: Option<Document>) {
        *self.grown.lock().unwrap_or_else(PoisonError::into_inner) = document;
    }

    fn shrink(&self) {
        if self.seed.is_some() {
            self.set(None);
        }
    }
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
    pub(crate) fn keep(
        &mut self,
        document: Document,
        seed: Option<Seed>,
        page: Option<String>,
    ) -> Result<Resource<Parsed>, Fail> {
        let (held, part) = (self.hold(document.approximate_bytes())?, document.part());
        self.keep_held(Tree::new(document, seed), part, page, held)
    }

    /// Another view of what is counted already.
    pub(crate) fn keep_held(
        &mut self,
        tree: Arc<Tree>,
        part: Part,
        page: Option<String>,
        held: Arc<Held>,
    ) -> Result<Resource<Parsed>, Fail> {
        self.spend(LimitName::Documents, 1)?;
        Ok(self.table.push(Parsed { tree, part, page, held })?)
    }

    /// What a handle stands for.
    ///
    /// # Errors
    /// As [`Self::grown`].
    pub(crate) fn document(&mut self, this: &Resource<Parsed>) -> Result<Document, Fail> {
        let Parsed { tree, part, .. } = self.table.get(this)?;
        let (tree, part) = (tree.clone(), *part);
        Ok(self.grown(&tree)?.at(part))
    }

    /// The whole document; parsed again, at the run's expense, if its tree went while the guest waited.
    pub(crate) fn grown(&mut self, tree: &Tree) -> Result<Document, Fail> {
        if let Some(document) = tree.grown() {
            return Ok(document);
        }
        let Some(Seed { bytes, format, charset, url }) = &tree.seed else { return Err(Fail::stop()) };
        let document = self.parse(*format, bytes, charset.as_deref(), url.as_ref())?;
        tree.set(Some(document.clone()));
        Ok(document)
    }

    /// Lets the trees go that can grow again: the guest is about to wait for a person.
    pub(crate) fn shrink(&mut self) {
        for entry in self.table.iter_mut() {
            if let Some(parsed) = entry.downcast_ref::<Parsed>() {
                parsed.tree.shrink();
            } else if let Some(tree) = entry.downcast_ref::<Response>().and_then(Response::tree) {
                tree.shrink();
            }
        }
    }

    fn page_of(&self, this: &Resource<Parsed>) -> Result<Option<String>, Fail> {
        Ok(self.table.get(this)?.page.clone())
    }

    fn read_table<T>(
        &mut self,
        function: &'static str,
        this: &Resource<Parsed>,
        at: &str,
        columns: Vec<wit::Column>,
        read: impl FnOnce(&Document, &[Column], &mut CpuMeter) -> Result<T, DocumentError>,
    ) -> Result<T, Fail> {
        self.enter(NAME, function)?;
        self.at(Stage::Extract);
        let document = self.document(this)?;
        let columns: Vec<Column> =
            columns.into_iter().map(|column| Column { name: column.name, at: column.at, take: column.take }).collect();
        self.ask(&document, at, |meter| read(&document, &columns, meter))
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
        self.keep(document, None, None)
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
        self.read_table("document.rows", &this, &at, columns, |document, columns, meter| {
            document.rows(&at, columns, meter)
        })
    }

    fn cells(
        &mut self,
        this: Resource<Parsed>,
        at: String,
        columns: Vec<wit::Column>,
    ) -> Result<(String, Vec<Option<u32>>), Fail> {
        self.read_table("document.cells", &this, &at, columns, |document, columns, meter| {
            document.cells(&at, columns, meter)
        })
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
        let document = self.document(&this)?;
        let Parsed { tree, page, held, .. } = self.table.get(&this)?.clone();
        let parts = self.ask(&document, &at, |meter| document.parts(&at, meter))?;
        let mut keep = |part: Document| self.keep_held(tree.clone(), part.part(), page.clone(), held.clone());
        parts.into_iter().map(&mut keep).collect()
    }

    fn nested(&mut self, this: Resource<Parsed>, at: String, format: String) -> Result<Resource<Parsed>, Fail> {
        self.enter(NAME, "document.nested")?;
        let (document, page) = (self.document(&this)?, self.page_of(&this)?);
        let format = self.format(&format)?;
        match self.ask(&document, &at, |meter| document.nested(&at, format, meter))? {
            Some(nested) => self.keep(nested, None, page),
            None => Err(self.missed(&this, "nested-document")?),
        }
    }

    fn drop(&mut self, this: Resource<Parsed>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.budget.give_back(LimitName::Documents, 1);
        Ok(())
    }
}
