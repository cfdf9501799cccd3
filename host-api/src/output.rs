//! output: each item is checked by the table as it is emitted; what the person did not consent to is refused and counted. Items live here,
//! in memory, until the engine takes them.

use consentry_contract::failure::{Code, Incomplete, Name};
use consentry_contract::item::{FieldError, Item, RawValue, Value as ItemValue, category as category_of};
use consentry_contract::limits::LimitName;

use crate::bindings::consentry::connector::output::{self, Value};
use crate::bindings::consentry::connector::types::Fault;
use crate::ctx::HostCtx;
use crate::fault::Fail;

const NAME: &str = "output";

impl HostCtx {
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
        let day = item.category().day().and_then(|field| item.get(field.name));
        matches!((day, self.grants.since), (Some(ItemValue::Date(day)), Some(since)) if *day < since)
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
        self.check_wanted(&category)?;
        self.spend(LimitName::Items, 1)?;
        let fields = fields
            .into_iter()
            .map(|(name, value)| self.raw(value).map(|value| (name, value)))
            .collect::<Result<Vec<_>, _>>()?;
        let observed = self.ports.clock.now();
        let item = match Item::check(&category, fields, observed) {
            Ok(item) => item,
            Err(errors) => return Err(self.refused(&category, &errors)),
        };
        // Minimisation at the boundary: what is older than the consent allows is not taken, whatever the connector filters.
        if self.is_too_old(&item) {
            return Ok(());
        }
        self.spend(LimitName::ItemBytes, item.size())?;
        self.hold_for_good(usize::try_from(item.size()).unwrap_or(usize::MAX))?;
        if let Err(error) = self.items.add(item) {
            return Err(self.refused(&category, &[error]));
        }
        if let Some(dataset) = self.dataset(&category) {
            dataset.accepted += 1;
        }
        Ok(())
    }

    fn partial(&mut self, category: String, reason: Fault) -> Result<(), Fail> {
        self.enter(NAME, "partial")?;
        self.check_wanted(&category)?;
        let code = self.facts.admit(&reason.code);
        self.facts.incomplete(&category, Incomplete::Partial(code));
        Ok(())
    }
}
