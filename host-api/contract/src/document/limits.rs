//! What one document and one question may cost. A page is hostile input: 256 KB of crafted HTML can keep a parser busy for half a
//! minute, and a short selector can be quadratic. Every cost has a number here; nothing in [`super`] loops without counting.

use std::cell::{Cell, RefCell};

use super::DocumentError;

/// A selector or pointer is at most this many bytes long.
pub const AT_BYTES: usize = 512;
/// A selector holds at most this many combinators (` `, `>`, `+`, `~`), all its alternatives together.
pub const COMBINATORS: usize = 16;
/// A selector has at most this many alternatives (`a, b`), those inside `:is()`, `:where()` and `:not()` included.
pub const ALTERNATIVES: usize = 16;
/// `:is()`, `:where()` and `:not()` stand inside each other at most this deep.
pub const NESTING: usize = 2;

/// The source is fed to the parser in pieces of this many bytes; limits and meter are looked at after each. Small, because one piece
/// of `<p>x<p>x` may clone a long list of open formatting elements for every tag in it.
pub(super) const PIECE_BYTES: usize = 1024;
/// The meter is asked once in so many steps of a selection.
const STEPS_BETWEEN_CHECKS: u64 = 1024;

/// The limits of one document, with their defaults. A host lowers or raises them; the SDK's native tests use the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the source in bytes, before it is decoded. 4 MiB.
    pub source_bytes: usize,
    /// Elements, texts, comments and attributes, or JSON values. 200,000.
    pub nodes: usize,
    /// Depth of the tree. 512 for HTML and XML.
    pub depth: usize,
    /// Depth of a JSON value, which is read by recursion. 256.
    pub json_depth: usize,
    /// Attributes of one element. 256.
    pub attributes: usize,
    /// Text and attribute values the tree holds, in bytes: formatting elements that a page leaves open are cloned. 16 MiB.
    pub text_bytes: usize,
    /// Nodes one question (`find`, `rows`, ...) may look at, each as often as it does. 20,000,000.
    pub steps: u64,
    /// Text one question may answer with, in bytes: nested matches repeat each other's text. 8 MiB.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes: 4 << 20,
            nodes: 200_000,
            depth: 512,
            json_depth: 256,
            attributes: 256,
            text_bytes: 16 << 20,
            steps: 20_000_000,
            answer_bytes: 8 << 20,
        }
    }
}

/// The run has used up its CPU time; what was being computed is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run has used up its CPU time")]
pub struct Exhausted;

/// The account that parsing and selecting are charged to. It is asked often (some hundred thousand times a second) and must be cheap.
pub trait Meter {
    /// Says whether work may go on.
    ///
    /// # Errors
    /// [`Exhausted`] once nothing is left; the document gives up at once.
    fn check(&mut self) -> Result<(), Exhausted>;
}

/// Charges nothing. For tests of connectors and for documents the host made itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unmetered;

impl Meter for Unmetered {
    fn check(&mut self) -> Result<(), Exhausted> {
        Ok(())
    }
}

/// The cost of one question while it is being answered. Shared by reference, since selector matching only reads.
pub(super) struct Work<'m> {
    meter: RefCell<&'m mut dyn Meter>,
    limits: Limits,
    steps: Cell<u64>,
    answer_bytes: Cell<usize>,
    stopped: Cell<Option<Stop>>,
}

#[derive(Clone, Copy)]
enum Stop {
    Meter,
    Steps,
}

impl<'m> Work<'m> {
    pub(super) fn new(meter: &'m mut dyn Meter, limits: Limits) -> Self {
        Self {
            meter: RefCell::new(meter),
            limits,
            steps: Cell::new(0),
            answer_bytes: Cell::new(0),
            stopped: Cell::new(None),
        }
    }

    /// Counts one step; `false` means: go no further, and report [`Work::done`].
    #[inline]
    pub(super) fn step(&self) -> bool {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps.is_multiple_of(STEPS_BETWEEN_CHECKS) {
            self.look(steps);
        }
        self.stopped.get().is_none()
    }

    #[cold]
    fn look(&self, steps: u64) {
        if steps > self.limits.steps {
            self.stopped.set(Some(Stop::Steps));
        } else if self.meter.borrow_mut().check().is_err() {
            self.stopped.set(Some(Stop::Meter));
        }
    }

    /// Counts `bytes` of answer.
    pub(super) fn answer(&self, bytes: usize) -> Result<(), DocumentError> {
        let total = self.answer_bytes.get() + bytes;
        self.answer_bytes.set(total);
        if total > self.limits.answer_bytes {
            return Err(DocumentError::limit("answer_bytes", self.limits.answer_bytes));
        }
        Ok(())
    }

    /// The end of a loop over [`Work::step`]: an answer that was cut short is no answer.
    pub(super) fn done(&self) -> Result<(), DocumentError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(Stop::Meter) => Err(DocumentError::Exhausted(Exhausted)),
            Some(Stop::Steps) => Err(DocumentError::Limit { which: "steps", max: self.limits.steps }),
        }
    }
}
