//! Shareable Data as typed items. One table says what may exist at all: every category, its fields and the form of each; a
//! connector's item becomes an [`Item`] only by passing it. Items live in memory, are wiped when dropped, and are not serialisable:
//! only what was released may be written, and that is written elsewhere, through [`Item::fields`].

mod table;
mod value;
mod check;
mod codes;
mod run;
mod schema;
mod generate;

pub use check::{Columns, FieldError, Wanted};
pub use codes::{is_country, minor_digits};
pub use generate::{markdown_table, rust_constructors, rust_currencies};
pub use run::RunItems;
pub use schema::{SCHEMA_ID, SCHEMA_VERSION, json_schema};
pub use table::{CATEGORIES, Category, Check, Family, Field, Kind, category};
pub use value::{Bytes, Item, Media, RawValue, Value};
