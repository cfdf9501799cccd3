//! Reads the retention table strictly and writes it down as Rust. Used by `build.rs`, and by the tests of
//! `src/erase/retention.rs`, which show that a wrong table does not build.

use std::fmt::Write as _;

const COLUMNS: [&str; 12] = [
    "id",
    "category",
    "purpose",
    "basis",
    "trigger",
    "period",
    "early_end",
    "cap",
    "action",
    "store",
    "backup",
    "source",
];
const STORES: [&str; 20] = [
    "stats",
    "contact",
    "ram",
    "sessions",
    "trace",
    "vault",
    "maintenance_vault",
    "reports",
    "accounts",
    "consents",
    "log",
    "rights",
    "audit",
    "escrow",
    "billing",
    "regulator",
    "outbox",
    "partners",
    "operators",
    "connectors",
];

/// One row, as it stands in the table.
pub struct Row(Vec<String>);

impl Row {
    fn cell(&self, column: &str) -> &str {
        let at = COLUMNS.iter().position(|name| *name == column);
        at.and_then(|at| self.0.get(at)).map_or("", String::as_str)
    }

    /// `R23` and `sealed_parcel` make `R23SealedParcel`; of several categories, what they begin with alike.
    fn type_name(&self) -> String {
        let categories: Vec<Vec<&str>> = self.cell("category").split('|').map(|c| c.split('_').collect()).collect();
        let shared = (0..categories[0].len())
            .take_while(|at| categories.iter().all(|words| words.get(*at) == Some(&categories[0][*at])));
        let mut name = self.cell("id").to_owned();
        for word in shared.map(|at| categories[0][at]) {
            name.push_str(&word[..1].to_uppercase());
            name.push_str(&word[1..]);
        }
        name
    }
}

/// Reads the table.
pub fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| e.to_string())?;
    if header.iter().ne(COLUMNS) {
        return Err(format!("retention.csv: the columns must be {}", COLUMNS.join(",")));
    }
    let mut rows = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let row = Row(record.map_err(|e| e.to_string())?.iter().map(str::to_owned).collect());
        check(&row, at + 1).map_err(|what| format!("retention.csv, row {}: {what}", at + 1))?;
        rows.push(row);
    }
    if rows.is_empty() { Err("retention.csv: no rows".to_owned()) } else { Ok(rows) }
}

fn check(row: &Row, number: usize) -> Result<(), String> {
    if row.cell("id") != format!("R{number:02}") {
        return Err(format!("the id must be R{number:02}, rows are numbered without a gap"));
    }
    for column in ["purpose", "basis", "trigger", "early_end", "action", "source"] {
        if row.cell(column).is_empty() {
            return Err(format!("`{column}` is empty"));
        }
    }
    let word =
        |c: &str| !c.is_empty() && c.split('_').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()));
    if !row.cell("category").split('|').all(word) {
        return Err("a category is lower-case words joined by `_`".to_owned());
    }
    let (period, cap) = (period(row.cell("period"))?, period(row.cell("cap"))?);
    if period.is_none() != cap.is_none() {
        return Err("`period` and `cap` are both `keep` or neither is".to_owned());
    }
    let store = row.cell("store");
    if !STORES.contains(&store) {
        return Err(format!("no store is called `{store}`"));
    }
    match row.cell("backup") {
        "yes" | "never" => Ok(()),
        other => Err(format!("`backup` is yes or never, not `{other}`")),
    }
}

/// Reads one ISO 8601 duration of a single unit as the Rust expression of a `Period`; `keep` is none.
fn period(text: &str) -> Result<Option<String>, String> {
    if text == "keep" {
        return Ok(None);
    }
    let wrong =
        || format!("`{text}` is not a period: one number and one unit, as P13M, P120D, P5Y, PT72H, PT10M, or keep");
    let (body, units): (&str, &[(char, &str, u32)]) = match (text.strip_prefix("PT"), text.strip_prefix('P')) {
        (Some(body), _) => (body, &[('S', "Seconds", 1), ('M', "Seconds", 60), ('H', "Seconds", 3600)]),
        (None, Some(body)) => (body, &[('D', "Seconds", 86_400), ('M', "Months", 1), ('Y', "Months", 12)]),
        (None, None) => return Err(wrong()),
    };
    let unit = body.chars().last().ok_or_else(wrong)?;
    let (_, name, factor) = units.iter().find(|(letter, _, _)| *letter == unit).ok_or_else(wrong)?;
    let digits = &body[..body.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(*factor)).ok_or_else(wrong)?;
    Ok(Some(format!("Period::{name}({number})")))
}

/// Writes the rows as Rust: an uninhabited type for each, and the whole table.
pub fn generate(rows: &[Row]) -> String {
    let mut code = String::from("// Generated from retention.csv.\n");
    for row in rows {
        let name = row.type_name();
        let optional = |column| match period(row.cell(column)) {
            Ok(Some(expression)) => format!("Some({expression})"),
            _ => "None".to_owned(),
        };
        let list = |column| format!("&{:?}", row.cell(column).split('|').filter(|e| *e != "-").collect::<Vec<_>>());
        let _ = write!(
            code,
            "\n/// {id}, {category}: {period} after {trigger}, at most {cap} ({source}).\n#[derive(Debug)]\npub enum {name} {{}}\n\
             impl Retained for {name} {{\n    const ROW: &'static Row = &Row {{\n        id: {id:?}, categories: {categories}, \
             purpose: {purpose:?}, basis: {basis}, triggers: {triggers},\n        period: {period_code}, early_ends: {ends}, \
             cap: {cap_code}, action: {action:?}, store: {store:?}, backup: {backup}, source: {source:?},\n    }};\n}}\n",
            id = row.cell("id"),
            category = row.cell("category").replace('|', ", "),
            period = row.cell("period"),
            trigger = row.cell("trigger").replace('|', " or "),
            cap = row.cell("cap"),
            source = row.cell("source"),
            categories = list("category"),
            purpose = row.cell("purpose"),
            basis = list("basis"),
            triggers = list("trigger"),
            period_code = optional("period"),
            ends = list("early_end"),
            cap_code = optional("cap"),
            action = row.cell("action"),
            store = row.cell("store"),
            backup = row.cell("backup") == "yes",
        );
        if row.cell("store") != "ram" {
            let _ = writeln!(code, "impl Storable for {name} {{}}");
        }
    }
    let names: Vec<_> = rows.iter().map(|row| format!("{}::ROW", row.type_name())).collect();
    let _ = write!(
        code,
        "\n/// Every row, in the order of the table.\npub const TABLE: &[&Row] = &[{}];\n",
        names.join(", ")
    );
    code
}
