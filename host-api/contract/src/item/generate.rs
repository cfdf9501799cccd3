//! What is written from the table for others: typed builders for connectors (Rust), and a table for readers (Markdown). Both follow
//! the table by construction, so neither can lag behind it.

use std::fmt::Write as _;

use super::table::{CATEGORIES, Category, Check, Field, Kind};

/// The parts of the generated file that do not depend on the table.
const PRELUDE: &str = r#"// Generated from the host's item table.

use crate::output::{Blob, Fault, Fields, Item, Kind, emit, older};

/// What may stand for a text that can be absent: a string, or what a document's `find` answered.
pub trait Words {
    /// The text, if there is one.
    fn words(self) -> Option<impl AsRef<str>>;
}
impl Words for String {
    fn words(self) -> Option<impl AsRef<str>> { Some(self) }
}
impl Words for &String {
    fn words(self) -> Option<impl AsRef<str>> { Some(self) }
}
impl Words for &str {
    fn words(self) -> Option<impl AsRef<str>> { Some(self) }
}
impl<T: Words> Words for Option<T> {
    fn words(self) -> Option<impl AsRef<str>> { self.and_then(Words::words) }
}
"#;

/// Rust source for connectors: for each category a struct whose `new` takes the required fields, with a setter for each optional
/// one and `emit`. It wants `Blob`, `Fault`, a trait `Item` of its category and fields, `emit(item: impl Item) -> Result<(), Fault>`,
/// `older(category, field, day) -> Result<(), Fault>`, and `Fields` in `crate::output`, which takes the name and value of each: `put(name, kind, text)`, `integer`, `flag` and `blob`.
#[must_use]
pub fn rust_constructors() -> String {
    let mut out = PRELUDE.to_owned();
    for category in CATEGORIES {
        for field in category.fields {
            if let Check::OneOf(words) = field.check {
                out += &choice(category, field, words);
            }
        }
        out += &builder(category);
    }
    out
}

/// Rust source for connectors: every currency with the digits of its minor unit.
#[must_use]
pub fn rust_currencies() -> String {
    let letters = || 'A'..='Z';
    let codes = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c].iter().collect::<String>())));
    let known: Vec<(String, u8)> =
        codes.filter_map(|code| super::minor_digits(&code).map(|digits| (code, digits))).collect();
    format!("static CURRENCIES: [(&str, u8); {}] = {known:?};\n", known.len())
}

fn builder(category: &Category) -> String {
    let name = pascal(category.name);
    let required: Vec<&Field> = category.fields.iter().filter(|field| field.required).collect();
    let parameters: Vec<String> =
        required.iter().map(|field| format!("{}: {}", ident(field), required_type(category, field))).collect();
    let values: String =
        required.iter().map(|field| format!("        {}\n", put("fields", field, &required_value(field)))).collect();
    let setters: String = optional_setters(category);
    let (label, at) = (category.label.en, category.name);
    let parameters = parameters.join(", ");
    let mutable = if required.is_empty() { "" } else { "mut " };
    let docs: String =
        required.iter().map(|field| format!("    /// - `{}`: {}.\n", ident(field), describe(field))).collect();
    let older = category.day().map_or_else(String::new, |day| older(category, day));
    let (docs, default) = if required.is_empty() {
        let default = format!("impl Default for {name} {{\n    fn default() -> Self {{ Self::new() }}\n}}\n");
        (format!("    /// Wants at least one of: {}.\n", category.any_of.join(", ")), default)
    } else {
        (format!("    /// Begins an item with what it must have.\n    ///\n{docs}"), String::new())
    };
    format!(
        "\n/// {label}, `{at}`.\n#[must_use = \"an item counts only once it is emitted\"]\npub struct {name} {{ fields: Fields }}\n\
         {default}impl {name} {{\n{docs}    pub fn new({parameters}) -> Self {{\n        let {mutable}fields = Fields::default();\n\
         {values}        Self {{ fields }}\n    }}\n{setters}    \
         /// Hands the item to the host.\n    ///\n    /// # Errors\n    /// A fault that names the field and the form that is wanted.\n    \
         pub fn emit(self) -> Result<(), Fault> {{ emit(self) }}\n{older}}}\n\
         impl Item for {name} {{\n    const CATEGORY: &'static str = \"{at}\";\n    \
         fn fields(self) -> Fields {{ self.fields }}\n}}\n"
    )
}

/// What says that there was one which is too old to be emitted.
fn older(category: &Category, day: &Field) -> String {
    format!(
        "    /// Says that one of this day was left out because it is older than the person consented to (`job::since`). Where all are\n    \
         /// older, that tells a dataset which is rightly empty from a page that was not understood.\n    ///\n    /// # Errors\n    \
         /// A fault, for a day that is not older.\n    pub fn older(day: impl AsRef<str>) -> Result<(), Fault> {{\n        \
         older(\"{}\", \"{}\", day.as_ref())\n    }}\n",
        category.name, day.name
    )
}

/// A setter for each optional field; one for an amount with its currency, so that neither is forgotten.
fn optional_setters(category: &Category) -> String {
    let mut out = String::new();
    let mut paired: Option<String> = None;
    for field in category.fields.iter().filter(|field| !field.required) {
        if paired.take().as_deref() == Some(field.name) {
            continue;
        }
        let (ident, docs) = (ident(field), describe(field));
        if let Some(currency) = field.currency() {
            let _ = write!(
                out,
                "    /// {docs}, in minor units, and its currency (ISO 4217).\n    \
                 pub fn {ident}(mut self, minor_units: i64, currency: impl AsRef<str>) -> Self {{\n        \
                 {}\n        self.fields.put(\"{currency}\", Kind::Text, currency.as_ref());\n        self\n    }}\n",
                put("self.fields", field, "minor_units")
            );
            paired = Some(currency);
            continue;
        }
        let value = match (field.kind, field.check) {
            (Kind::Text, Check::OneOf(_)) => put("self.fields", field, "value.name()"),
            (Kind::Text | Kind::Decimal | Kind::Date | Kind::Instant, _) => put("self.fields", field, "value.as_ref()"),
            _ => put("self.fields", field, "value"),
        };
        let (ty, get) = match (field.kind, field.check) {
            (Kind::Text, Check::OneOf(_)) => (format!("impl Into<Option<{}>>", choice_name(category, field)), "into()"),
            (Kind::Text | Kind::Decimal | Kind::Date | Kind::Instant, _) => ("impl Words".to_owned(), "words()"),
            (kind, _) => (format!("impl Into<Option<{}>>", plain_type(kind)), "into()"),
        };
        let _ = write!(
            out,
            "    /// {docs}. Absent is left out.\n    pub fn {ident}(mut self, value: {ty}) -> Self {{\n        \
             if let Some(value) = value.{get} {{ {value} }}\n        self\n    }}\n"
        );
    }
    out
}

fn choice(category: &Category, field: &Field, words: &[&str]) -> String {
    let name = choice_name(category, field);
    let cases: String = words.iter().map(|word| format!("    /// `{word}`\n    {},\n", pascal(word))).collect();
    let arms: String =
        words.iter().map(|word| format!("            Self::{} => \"{word}\",\n", pascal(word))).collect();
    format!(
        "\n/// {}, `{}` of `{}`.\n#[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum {name} {{\n{cases}}}\nimpl {name} {{\n    \
         /// As the contract writes it.\n    #[must_use]\n    pub const fn name(self) -> &'static str {{\n        match self {{\n{arms}        \
         }}\n    }}\n}}\n",
        field.label.en, field.name, category.name
    )
}

fn choice_name(category: &Category, field: &Field) -> String {
    format!("{}{}", pascal(category.name), pascal(field.name))
}

fn required_type(category: &Category, field: &Field) -> String {
    match (field.kind, field.check) {
        (_, Check::OneOf(_)) => choice_name(category, field),
        (Kind::Text | Kind::Decimal | Kind::Date | Kind::Instant, _) => "impl AsRef<str>".to_owned(),
        (kind, _) => plain_type(kind).to_owned(),
    }
}

fn required_value(field: &Field) -> String {
    match (field.kind, field.check) {
        (_, Check::OneOf(_)) => format!("{}.name()", ident(field)),
        (Kind::Text | Kind::Decimal | Kind::Date | Kind::Instant, _) => format!("{}.as_ref()", ident(field)),
        _ => ident(field),
    }
}

const fn plain_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Decimal | Kind::Date | Kind::Instant => "String",
        Kind::Integer => "i64",
        Kind::Flag => "bool",
        Kind::Blob => "Blob",
    }
}

/// The statement that sets a field.
fn put(fields: &str, field: &Field, value: &str) -> String {
    match field.kind {
        Kind::Integer => format!("{fields}.integer(\"{}\", {value});", field.name),
        Kind::Flag => format!("{fields}.flag(\"{}\", {value});", field.name),
        Kind::Blob => format!("{fields}.blob(\"{}\", {value});", field.name),
        kind => format!("{fields}.put(\"{}\", Kind::{kind:?}, {value});", field.name),
    }
}

fn describe(field: &Field) -> String {
    match field.check {
        Check::Any => format!("{}, {}", field.label.en, field.kind),
        Check::Past | Check::Calendar => format!("{}, {}, {}", field.label.en, field.kind, field.check),
        check => format!("{}, {check}", field.label.en),
    }
}

/// `ref` is a word of Rust; nothing else in the table is (a test compiles it).
fn ident(field: &Field) -> String {
    if field.name == "ref" { "reference".to_owned() } else { field.name.replace(['.', '-'], "_") }
}

fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split(['.', '-']).map(word).collect()
}

/// The table for readers, in Markdown: one row for each field.
#[must_use]
pub fn markdown_table() -> String {
    let mut out =
        "| category | field | kind | required | wants | English | French |\n|---|---|---|---|---|---|---|\n".to_owned();
    for category in CATEGORIES {
        let Category { name, label, .. } = category;
        let _ = writeln!(out, "| **`{name}`** | | | | | **{}** | **{}** |", label.en, label.fr);
        for field in category.fields {
            let required = if field.required { "yes" } else { "" };
            let Field { name, kind, check, label, .. } = field;
            let kind = format!("{kind:?}").to_lowercase();
            let _ = writeln!(out, "| | `{name}` | {kind} | {required} | {check} | {} | {} |", label.en, label.fr);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"
        #![deny(warnings, missing_docs)]
        //! Stands for the SDK.
        /// Stands for the SDK's side of the contract.
        pub mod output {
            /// A handle.
            pub struct Blob;
            /// An error.
            pub struct Fault;
            /// The form of a text.
            pub enum Kind {
                /// 1
                Text, /// 2
                Decimal, /// 3
                Date, /// 4
                Instant,
            }
            /// Names and values.
            #[derive(Default)]
            pub struct Fields;
            impl Fields {
                /// 1
                pub fn put(&mut self, _: &'static str, _: Kind, _: &str) {}
                /// 2
                pub fn integer(&mut self, _: &'static str, _: i64) {}
                /// 3
                pub fn flag(&mut self, _: &'static str, _: bool) {}
                /// 4
                pub fn blob(&mut self, _: &'static str, _: Blob) {}
            }
            /// What is emitted.
            pub trait Item {
                /// Its category.
                const CATEGORY: &'static str;
                /// Its fields.
                fn fields(self) -> Fields;
            }
            /// Emits.
            pub fn emit(_: impl Item) -> Result<(), Fault> { Ok(()) }
            /// Says that one was left out.
            pub fn older(_: &str, _: &str, _: &str) -> Result<(), Fault> { Ok(()) }
        }
        /// Uses them.
        pub fn uses(found: Option<String>) -> Result<(), output::Fault> {
            items::PersonName::new().given(found).family("Roy").emit()?;
            items::BankAccount::new("a1").kind(items::BankAccountKind::Savings).iban(None::<&str>).emit()?;
            items::BankBalance::new("a1", 1250, "EUR").emit()?;
            items::BankTransaction::older("2001-01-01")?;
            items::DocumentTaxNotice::new("n1", 2025).income_amount(3_000_000, "EUR").file(output::Blob).emit()
        }
        /// The generated part.
        pub mod items {
    "#;

    #[test]
    fn the_builders_compile_and_read_well() {
        let source = format!("{OUTPUT}{}}}", rust_constructors());
        let folder = tempfile::tempdir().unwrap();
        let mut compiler = std::process::Command::new("rustc")
            .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"])
            .arg(folder.path())
            .arg("-")
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the compiler that built this test");
        std::io::Write::write_all(&mut compiler.stdin.take().expect("piped"), source.as_bytes()).unwrap();
        let done = compiler.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn page() -> String {
        format!(
            "# Items\n\nWhat a connector can emit and a parcel can hold: one family after the other, generated from the table in \
             `host-api/contract/src/item/table`.\n`wants` is what a value has to be like.\n\n{}",
            markdown_table()
        )
    }

    #[test]
    fn the_table_for_readers_is_the_one_in_the_docs() {
        let fields: usize = CATEGORIES.iter().map(|category| category.fields.len() + 1).sum();
        assert_eq!(markdown_table().lines().count(), fields + 2);
        assert!(
            include_str!("../../../../docs/items.md") == page(),
            "cargo test -p consentry-contract -- --ignored write_the_items"
        );
    }

    #[test]
    #[ignore = "writes docs/items.md"]
    fn write_the_items() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/items.md"), page()).unwrap();
    }
}
