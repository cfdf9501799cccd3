//! Words that several pages use, in both languages: steps, kinds of Data Source, what a connector is at, how a value reads.

use consentry_contract::failure::Text;
use consentry_contract::item::Kind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::visitor::Reader;
use crate::data::Category;

const fn text(en: &'static str, fr: &'static str) -> Text {
    Text { en, fr }
}

/// The six steps, as `Step` has them.
pub(super) const STEPS: [Text; 6] = [
    text("choose a source", "choisir une source"),
    text("decide", "décider"),
    text("sign in", "se connecter"),
    text("collection", "collecte"),
    text("check and share", "vérifier et partager"),
    text("receipt", "reçu"),
];

/// Kinds of Data Source.
const KINDS: &[(&str, Text)] = &[
    ("bank", text("Bank", "Banque")),
    ("telecom", text("Telecom", "Télécoms")),
    ("energy", text("Energy", "Énergie")),
    ("tax", text("Tax office", "Impôts")),
    ("identity", text("Identity provider", "Fournisseur d'identité")),
    ("association", text("Association", "Association")),
    ("insurance", text("Insurance", "Assurance")),
    ("other", text("Other", "Autre")),
];

/// What connectors call their steps, where it is a common word.
const DOING: &[(&str, Text)] = &[
    ("login", text("Signing in", "Connexion")),
    ("profile", text("Reading your profile", "Lecture de votre profil")),
    ("accounts", text("Reading your accounts", "Lecture de vos comptes")),
    ("operations", text("Reading your transactions", "Lecture de vos opérations")),
    ("documents", text("Fetching your documents", "Récupération de vos documents")),
    ("subscriptions", text("Reading your subscriptions", "Lecture de vos abonnements")),
    ("shares", text("Reading your shares", "Lecture de vos parts")),
    ("bills", text("Fetching your bills", "Récupération de vos factures")),
    ("consent", text("Asking for your agreement there", "Demande de votre accord sur place")),
    ("claims", text("Reading your identity", "Lecture de votre identité")),
];

fn find(table: &'static [(&'static str, Text)], name: &str) -> Option<&'static Text> {
    table.iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}

/// A kind of Data Source in words; its own name if it has no other.
pub(super) fn kind(reader: &Reader, name: &str) -> String {
    find(KINDS, name).map_or_else(|| plain(name), |text| reader.text(text).to_owned())
}

/// A step of a connector in words.
pub(super) fn doing(reader: &Reader, step: &str) -> String {
    find(DOING, step).map_or_else(|| plain(step), |text| reader.text(text).to_owned())
}

/// `tax-office` as `Tax office`.
fn plain(name: &str) -> String {
    let spaced = name.replace(['-', '_'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A category's label.
pub(super) fn category(reader: &Reader, category: Category) -> &'static str {
    reader.text(&category.row().label)
}

/// A category's label, by its name; the name itself if it is none of ours.
pub(super) fn category_named(reader: &Reader, name: &str) -> String {
    name.parse::<Category>().map_or_else(|_| name.to_owned(), |known| category(reader, known).to_owned())
}

/// A point in time as people read it, in UTC, which is said.
pub(super) fn moment(reader: &Reader, at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let (day, month, year) = (at.day(), month(reader, at.month()), at.year());
    let (hour, minute) = (at.hour(), at.minute());
    match reader.say("en", "fr") {
        "en" => format!("{day} {month} {year}, {hour:02}:{minute:02} UTC"),
        _ => format!("{day} {month} {year} à {hour:02} h {minute:02} UTC"),
    }
}

/// The same, without the hour.
pub(super) fn day(reader: &Reader, at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    format!("{} {} {}", at.day(), month(reader, at.month()), at.year())
}

fn month(reader: &Reader, number: i8) -> &'static str {
    const EN: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const FR: [&str; 12] = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ];
    let at = usize::try_from(number).unwrap_or(1).clamp(1, 12) - 1;
    reader.language.pick(EN[at], FR[at])
}

/// A value of an item as people read it. Money has its currency beside it, and its minor units written as such.
pub(super) fn value(reader: &Reader, kind: Kind, name: &str, value: &Value, currency: Option<&str>) -> String {
    match (kind, value) {
        (Kind::Flag, Value::Bool(true)) => reader.say("yes", "oui").to_owned(),
        (Kind::Flag, Value::Bool(false)) => reader.say("no", "non").to_owned(),
        (Kind::Integer, Value::Number(number)) => match (currency, number.as_i64()) {
            (Some(currency), Some(minor)) if name == "amount" => money(reader, minor, currency),
            _ => number.to_string(),
        },
        (Kind::Instant, Value::String(text)) => {
            text.parse().map_or_else(|_| text.clone(), |at: Timestamp| moment(reader, at))
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

fn money(reader: &Reader, minor: i64, currency: &str) -> String {
    let digits = usize::from(consentry_contract::item::minor_digits(currency).unwrap_or(2));
    let sign = if minor < 0 { "−" } else { "" };
    let number = format!("{:0width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, part) = number.split_at(number.len() - digits);
    let point = if digits == 0 { "" } else { reader.say(".", ",") };
    format!("{sign}{whole}{point}{part}\u{a0}{currency}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::notice::Language;

    #[test]
    fn money_and_days_read_as_people_write_them() {
        let (en, fr) = (Reader::for_tests(Language::En), Reader::for_tests(Language::Fr));
        assert_eq!(money(&en, -1250, "EUR"), "−12.50\u{a0}EUR");
        assert_eq!(money(&fr, 5, "EUR"), "0,05\u{a0}EUR");
        assert_eq!(money(&en, 1250, "JPY"), "1250\u{a0}JPY");
        let at: Timestamp = "2026-08-03T09:05:00Z".parse().unwrap();
        assert_eq!(moment(&en, at), "3 August 2026, 09:05 UTC");
        assert_eq!(moment(&fr, at), "3 août 2026 à 09 h 05 UTC");
    }
}
