//! output: each item is checked by the table as it is emitted; what the person did not consent to is refused and counted. Items live here,
//! in memory, until the engine takes them.

use consentry_contract::failure::{Code, Incomplete, Name};
use consentry_contract::item::{Columns, FieldError, Item, RawValue, Value as ItemValue, category as category_of};
use consentry_contract::limits::LimitName;

use crate::bindings::consentry::connector::output::{self, Value};
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::fault::Fail;

const NAME: &str = "output";
/// Refusals of one call that say what is wrong; the others only that something is.
const TOLD_MAX: usize = 256;

impl HostCtx {
    /// Checks and keeps items; answers with those that were refused.
    fn take_in(
        &mut self,
        category: &str,
        fields: Vec<String>,
        rows: Vec<Vec<Option<Value>>>,
    ) -> Result<Vec<(u32, Fault)>, Fail> {
        self.check_wanted(category)?;
        self.spend(LimitName::Items, rows.len() as u64)?;
        let observed = self.ports.clock.now();
        let columns = Columns::of(category, fields).map_err(|error| self.refused(category, &[error]))?;
        let mut refused = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            let row = row.into_iter().map(|value| value.map(|value| self.raw(value)).transpose());
            let item = columns.check(row.collect::<Result<_, _>>()?, observed);
            match item.map_err(|errors| self.refused(category, &errors)).and_then(|item| self.take_item(item)) {
                Ok(()) => {}
                Err(Fail::Fault(mut fault)) => {
                    if refused.len() >= TOLD_MAX {
                        fault.text = String::new();
                    }
                    refused.push((u32::try_from(at).unwrap_or(u32::MAX), fault));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(refused)
    }

    fn take_item(&mut self, item: Item) -> Result<(), Fail> {
        // Minimisation at the boundary: what is older than the consent allows is not taken, whatever the connector filters.
        if self.is_too_old(&item) {
            return Ok(());
        }
        self.spend(LimitName::ItemBytes, item.size())?;
        self.hold_for_good(usize::try_from(item.size()).unwrap_or(usize::MAX))?;
        let category = item.category().name;
        self.items.add(item).map_err(|error| self.refused(category, &[error]))?;
        if let Some(dataset) = self.dataset(category) {
            dataset.accepted += 1;
        }
        Ok(())
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
    fn refused(&mut self, category: &str, errors: &[FieldError]) -> Fail {
        let first = errors.iter().find_map(|error| error.field.clone());
        self.facts.incomplete(category, Incomplete::Refused(first.unwrap_or_else(unnamed)));
        let text = errors.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; ");
        self.tell_author(&text);
        Fail::fault(Code::ValueUnparsable, text)
    }

    fn dataset(&mut self, category: &str) -> Option<&mut consentry_contract::failure::DatasetFacts> {
        self.facts.datasets.iter_mut().find(|dataset| dataset.category == category)
    }

    fn is_too_old(&self, item: &Item) -> bool {
        let Some(since) = self.grants.since else { return false };
        let day = item.category().day().and_then(|field| item.get(field.name));
        matches!(day, Some(ItemValue::Date(day)) if *day < since)
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

fn unnamed() -> Name {
    // Unwrap safety: the text is a name by its form.
    "unnamed".parse().expect("a name")
}

impl output::Host for HostCtx {
    fn emit(&mut self, category: String, fields: Vec<(String, Value)>) -> Result<(), Fail> {
        self.enter(NAME, "emit")?;
        let (names, values) = fields.into_iter().map(|(name, value)| (name, Some(value))).unzip();
        match self.take_in(&category, names, vec![values])?.pop() {
            Some((_, fault)) => Err(Fail::Fault(fault)),
            None => Ok(()),
        }
    }

    fn emit_all(
        &mut self,
        category: String,
        fields: Vec<String>,
        rows: Vec<Vec<Option<Value>>>,
    ) -> Result<Vec<(u32, Fault)>, Fail> {
        self.enter(NAME, "emit-all")?;
        self.take_in(&category, fields, rows)
    }

    fn partial(&mut self, category: String, reason: Fault) -> Result<(), Fail> {
        self.enter(NAME, "partial")?;
        self.check_wanted(&category)?;
        let code = self.facts.admit(&reason.code);
        self.facts.incomplete(&category, Incomplete::Partial(code));
        Ok(())
    }
}
