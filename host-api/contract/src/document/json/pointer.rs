//! JSON Pointer (RFC 6901), with `*` for every element of an array or member of an object. A member that is really named `*` can't be
//! pointed at.

use std::ops::ControlFlow;

use super::string::content;
use super::{Json, Kind};
use crate::document::DocumentError;
use crate::document::limits::{AT_BYTES, Work};

/// A compiled pointer; without steps it is the root of the view.
pub(in super::super) struct Pointer {
    steps: Vec<Step>,
}

enum Step {
    Every,
    Named { name: String, index: Option<usize> },
}

/// Which members count where several have the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Duplicates {
    /// The last one, as every browser reads it.
    Last,
    /// All, when nothing may be left behind.
    All,
}

impl Pointer {
    pub(in super::super) fn compile(at: &str) -> Result<Self, DocumentError> {
        if at.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        if at.len() > AT_BYTES {
            return Err(DocumentError::BadPointer { reason: "a pointer has at most 512 bytes" });
        }
        let Some(rest) = at.strip_prefix('/') else {
            return Err(DocumentError::BadPointer { reason: "a pointer is \"\" or starts with '/'" });
        };
        let steps = rest.split('/').map(|step| match step {
            "*" => Ok(Step::Every),
            step => {
                if step.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
                    return Err(DocumentError::BadPointer { reason: "'~' is written \"~0\" and '/' in a name \"~1\"" });
                }
                let name = step.replace("~1", "/").replace("~0", "~");
                let plain = name == "0" || !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
                Ok(Step::Named { index: plain.then(|| name.parse().ok()).flatten(), name })
            }
        });
        Ok(Self { steps: steps.collect::<Result<_, _>>()? })
    }

    /// Calls `found` for every match, in document order, until it breaks off.
    pub(in super::super) fn each<B>(
        &self,
        json: &Json,
        root: u32,
        duplicates: Duplicates,
        work: &Work<'_>,
        mut found: impl FnMut(u32) -> ControlFlow<B>,
    ) -> Result<Option<B>, DocumentError> {
        let answer = walk(&self.steps, json, root, duplicates, work, &mut found).break_value();
        work.done()?;
        Ok(answer)
    }

    pub(in super::super) fn first(
        &self,
        json: &Json,
        root: u32,
        work: &Work<'_>,
    ) -> Result<Option<u32>, DocumentError> {
        self.each(json, root, Duplicates::Last, work, ControlFlow::Break)
    }

    pub(in super::super) fn all(
        &self,
        json: &Json,
        root: u32,
        duplicates: Duplicates,
        work: &Work<'_>,
    ) -> Result<Vec<u32>, DocumentError> {
        let mut all = Vec::new();
        self.each(json, root, duplicates, work, |id| {
            all.push(id);
            ControlFlow::<()>::Continue(())
        })?;
        Ok(all)
    }
}

/// The recursion is as deep as the pointer has steps, at most 256.
fn walk<B>(
    steps: &[Step],
    json: &Json,
    id: u32,
    duplicates: Duplicates,
    work: &Work<'_>,
    found: &mut impl FnMut(u32) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let Some((step, rest)) = steps.split_first() else {
        return found(id);
    };
    match (step, json.value(id).kind) {
        (Step::Every, Kind::Array | Kind::Object) => {
            for child in json.children(id).take_while(|_| work.step()) {
                walk(rest, json, child, duplicates, work, found)?;
            }
        }
        (Step::Named { index: Some(index), .. }, Kind::Array) => {
            if let Some(child) = json.children(id).take_while(|_| work.step()).nth(*index) {
                walk(rest, json, child, duplicates, work, found)?;
            }
        }
        (Step::Named { name, .. }, Kind::Object) => {
            let mut named = json.children(id).take_while(|_| work.step()).filter(|child| is_named(json, *child, name));
            match duplicates {
                Duplicates::Last => {
                    if let Some(child) = named.last() {
                        walk(rest, json, child, duplicates, work, found)?;
                    }
                }
                Duplicates::All => named.try_for_each(|child| walk(rest, json, child, duplicates, work, found))?,
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

fn is_named(json: &Json, id: u32, name: &str) -> bool {
    json.name_span(id).is_some_and(|span| content(&json.source[span]) == name)
}
