//! output: each item is checked by the table as it is emitted; what the person did not consent to is refused and counted. Items live here,
//! in memory, until the engine takes them.

use consentry_contract::failure::{Code, Incomplete, Name};
use consentry_contract::item::{Columns, FieldError, Item, RawValue, category as category_of};
use consentry_contract::limits::LimitName;
use jiff::civil::Date;
use zeroize::Zeroizing;

use crate::bindings::consentry::connector::output::{self, Value};
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::fault::Fail;

const NAME: &str = "output";
/// Refusals of one call that say what is wrong; the others only that something is.
const TOLD_MAX: usize = 256;

impl HostCtx {
    /// Checks and keeps items, each as the columns make it, none of one that is too old; answers with those that were refused.
    fn take_in(
        &mut self,
        columns: &Columns,
        items: impl Iterator<Item = Option<Result<Item, Vec<FieldError>>>>,
    ) -> Result<Vec<(u32, Fault)>, Fail> {
        let category = columns.category().name;
        let (mut refused, mut accepted, mut older, mut bytes, mut end) = (Vec::new(), 0, false, 0, Ok(()));
        for (at, item) in items.enumerate() {
            let taken = match item {
                None => {
                    older = true;
                    Ok(())
                }
                Some(Ok(item)) => {
                    let size = item.size();
                    end = self.spend(LimitName::ItemBytes, size);
                    if end.is_err() {
                        break;
                    }
                    bytes += size;
                    self.items.add(item).map(|()| accepted += 1).map_err(|error| vec![error])
                }
                Some(Err(errors)) => Err(errors),
            };
            if let Err(errors) = taken {
                let mut fault = self.refused(category, &errors);
                if refused.len() >= TOLD_MAX {
                    fault.text = String::new();
                }
                refused.push((u32::try_from(at).unwrap_or(u32::MAX), fault));
            }
        }
        if let Some(dataset) = self.facts.datasets.iter_mut().find(|dataset| dataset.category == category) {
            dataset.accepted += accepted;
            dataset.older |= older;
        }
        end?;
        self.hold_for_good(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(refused)
    }

    /// What the person consented to, and how many of it.
    fn columns(&mut self, category: &str, fields: Vec<String>, items: usize) -> Result<Columns, Fail> {
        self.check_wanted(category)?;
        self.spend(LimitName::Items, items as u64)?;
        Columns::of(category, fields).map_err(|error| Fail::Fault(self.refused(category, &[error])))
    }

    fn raw(&mut self, value: Value) -> Result<RawValue, Fail> {
        Ok(match value {
            Value::Text(text) => RawValue::Text(text),
            Value::Integer(number) => RawValue::Integer(number),
            Value::Decimal(text) => RawValue::Decimal(text),
            Value::Date(text) => RawValue::Date(text),
            Value::Instant(text) => RawValue::Instant(text),
            Value::Flag(flag) => RawValue::Flag(flag),
            Value::Blob(blob) => RawValue::Blob(self.table.get(&blob)?.0.clone()),
        })
    }

    /// Refuses an item and remembers it against its dataset, which is partial from now on.
    fn refused(&mut self, category: &str, errors: &[FieldError]) -> Fault {
        let first = errors.iter().find_map(|error| error.field.clone());
        self.facts.incomplete(category, Incomplete::Refused(first.unwrap_or_else(unnamed)));
        let text = errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; ");
        self.tell_author(&text);
        Fault { code: Code::ValueUnparsable.to_string(), text, retry_after_ms: None }
    }

    fn check_wanted(&mut self, category: &str) -> Result<(), Fail> {
        if self.grants.wanted.contains(category) {
            return Ok(());
        }
        self.unrequested += 1;
        // Only a known name is repeated: whoever confuses arguments may have put a value there.
        let named = category_of(category).map_or("this category", |known| known.name);
        let text = format!(
            "{named} was not asked for or not consented to (ask job.wanted first); to declare it: categories = [\"{named}\"]"
        );
        Err(self.refuse(Code::CapabilityDenied, text))
    }
}

/// Minimisation at the boundary: what is older than the consent allows is not taken, whatever the connector filters and whatever else it is.
fn is_too_old(since: Option<Date>, day: impl FnOnce() -> Option<Date>) -> bool {
    since.is_some_and(|since| day().is_some_and(|day| day < since))
}

/// The text by which a value gives a day.
fn day_of(value: &RawValue) -> Option<&str> {
    if let RawValue::Date(text) = value { Some(text) } else { None }
}

/// The texts of these lengths, one behind the other; none if they are not the whole text.
fn cells<'t>(text: &'t str, lengths: &[Option<u32>]) -> Option<Vec<Option<&'t str>>> {
    let mut end = 0_usize;
    let mut cell = |length: &Option<u32>| {
        let Some(length) = length else { return Some(None) };
        let begin = end;
        end = begin.checked_add(*length as usize)?;
        text.get(begin..end).map(Some)
    };
    let cells = lengths.iter().map(&mut cell).collect::<Option<_>>();
    cells.filter(|_| end == text.len())
}

fn unnamed() -> Name {
    // Unwrap safety: the text is a name by its form.
    "unnamed".parse().expect("a name")
}

impl output::Host for HostCtx {
    fn emit(&mut self, category: String, fields: Vec<(String, Value)>) -> Result<(), Fail> {
        self.enter(NAME, "emit")?;
        let mut values = Vec::with_capacity(fields.len());
        let mut names = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            names.push(name);
            values.push(Some(self.raw(value)?));
        }
        let (columns, observed) = (self.columns(&category, names, 1)?, self.ports.clock.now());
        let too_old = is_too_old(self.grants.since, || columns.day(|at| day_of(values.get(at)?.as_ref()?)));
        let item = (!too_old).then(|| columns.check(values, observed));
        match self.take_in(&columns, std::iter::once(item))?.pop() {
            Some((_, fault)) => Err(Fail::Fault(fault)),
            None => Ok(()),
        }
    }

    fn emit_all(
        &mut self,
        category: String,
        fields: Vec<String>,
        text: String,
        lengths: Vec<Option<u32>>,
    ) -> Result<Vec<(u32, Fault)>, Fail> {
        self.enter(NAME, "emit-all")?;
        let text = Zeroizing::new(text);
        let width = fields.len();
        let Some(cells) = cells(&text, &lengths).filter(|_| width > 0 && lengths.len().is_multiple_of(width)) else {
            let reason =
                "the lengths of `emit-all` are those of the values in the text, as many for each item as it has fields";
            return Err(self.refuse(Code::InvalidArgument, reason));
        };
        let (columns, observed) = (self.columns(&category, fields, lengths.len() / width)?, self.ports.clock.now());
        let since = self.grants.since;
        let item = |cells: &[Option<&str>]| {
            let too_old = is_too_old(since, || columns.day(|at| *cells.get(at)?));
            (!too_old).then(|| columns.read(cells.iter().copied(), observed))
        };
        self.take_in(&columns, cells.chunks(width).map(item))
    }

    fn partial(&mut self, category: String, reason: Fault) -> Result<(), Fail> {
        self.enter(NAME, "partial")?;
        self.check_wanted(&category)?;
        let code = self.facts.admit(&reason.code);
        self.facts.incomplete(&category, Incomplete::Partial(code));
        Ok(())
    }
}
