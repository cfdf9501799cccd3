use super::*;

fn parcel(category: &str, fields: Json) -> Json {
    let at = "2026-11-21T10:00:00Z";
    json!({
        "schema": SCHEMA_ID, "parcel": "p", "consent": "c", "online_service": "o", "released_at": at,
        "provenance": {
            "run": "r", "source": "s", "connector": "c", "version": "1.0.0", "observed_at": at,
            "digest": format!("sha256:{}", "0".repeat(64)),
        },
        "datasets": [{ "category": category, "result": "complete", "count": 1 }],
        "items": [{ "category": category, "observed_at": at, "fields": fields }],
    })
}

#[test]
fn the_schema_tells_parcels_from_other_things() {
    let schema = jsonschema::draft202012::new(&json_schema()).expect("a valid schema");
    let pdf = json!({ "media": "application/pdf", "bytes": "JVBERi0=" });
    let good = [
        parcel("person.name", json!({ "full": "Ada Roy" })),
        parcel("bank.balance", json!({ "account": "a1", "amount": -1250, "currency": "EUR" })),
        parcel("document.statement", json!({ "ref": "s1", "file": pdf })),
        parcel("bank.solvency", json!({ "income.amount": 1, "income.currency": "EUR" })),
    ];
    for parcel in &good {
        let errors: Vec<_> = schema.iter_errors(parcel).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    let mut partial = good[0].clone();
    partial["datasets"][0]["result"] = json!("partial");
    let bad = [
        partial,
        json!({ "items": [] }),
        parcel("person.name", json!({})),
        parcel("person.name", json!({ "full": "Ada Roy", "extra": "x" })),
        parcel("bank.balance", json!({ "account": "a1", "amount": 12.5, "currency": "EUR" })),
        parcel("bank.solvency", json!({ "income.amount": 1 })),
        parcel("identity.portrait", json!({ "file": pdf })),
        parcel("person.wealth", json!({ "full": "x" })),
    ];
    for (at, parcel) in bad.iter().enumerate() {
        assert!(!schema.is_valid(parcel), "number {at} is no parcel");
    }
}

#[test]
fn every_family_of_the_table_is_in_the_schema() {
    let schema = json_schema();
    for category in CATEGORIES {
        let fields = &schema["$defs"][category.name]["properties"]["fields"]["properties"];
        assert_eq!(fields.as_object().map(Map::len), Some(category.fields.len()), "{}", category.name);
    }
}
