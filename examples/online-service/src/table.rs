//! What was received, as tables on a terminal: one for each category, long ones cut.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::parcel::Opened;

/// Most rows shown of one category.
pub const ROWS_MAX: usize = 8;

/// A parcel as text: where it comes from, and its items.
pub fn show(parcel: &Opened) -> String {
    let provenance = &parcel.content["provenance"];
    let told = |member: &str| provenance[member].as_str().unwrap_or("-").to_owned();
    let mut text = format!(
        "parcel {}\nfrom   {} by connector {} {} ({})\nseen   {}\n",
        parcel.id,
        told("source"),
        told("connector"),
        told("version"),
        told("digest"),
        told("observed_at"),
    );
    for (category, items) in parcel.by_category() {
        text.push_str(&format!("\n{category}: {}\n{}\n", items.len(), category_table(&items)));
        if items.len() > ROWS_MAX {
            text.push_str(&format!("... and {} more\n", items.len() - ROWS_MAX));
        }
    }
    text
}

fn category_table(items: &[&Value]) -> Table {
    let mut columns: Vec<&str> = vec![];
    for item in items.iter().filter_map(|item| item.as_object()) {
        for name in item.keys() {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(&columns);
    for item in items.iter().take(ROWS_MAX) {
        table.add_row(columns.iter().map(|column| cell(&item[*column])));
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // A document: what it is, not its bytes.
        Value::Object(blob) => {
            let bytes = blob.get("bytes").and_then(Value::as_str).map_or(0, |text| text.len() / 4 * 3);
            format!("{}, about {bytes} bytes", blob.get("media").and_then(Value::as_str).unwrap_or("document"))
        }
        other => other.to_string(),
    }
}
