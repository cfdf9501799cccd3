//! The rows of the item table.

use super::Check::{
    Any, Bic, Calendar, Country, Currency, Document, Email, Iban, Image, Line, Lines, OneOf, Past, Phone, Range, Ref,
    RefOf,
};
use super::Family::{self, Administrative, Bank, Contract, Identity, Profile};
use super::{Category, Field, Kind};
use crate::failure::Text;

/// What a person's name may need.
const NAME: usize = 200;
/// A title or a label of the source.
const LABEL: usize = 300;
/// A number or code that the source gave.
const CODE: usize = 64;

const MONEY: Field = integer("amount", Any, ["Amount", "Montant"]);
const CURRENCY: Field = Field::text("currency", Currency, ["Currency", "Devise"]);
const REF: Field = Field::text("ref", Ref, ["Reference", "Référence"]);
const ACCOUNT: Field = Field::text("account", RefOf("bank.account"), ["Account", "Compte"]);
const ISSUER: Field = Field::text("issuer", Line(LABEL), ["Issued by", "Émis par"]);
const ISSUED: Field = date("issued", Past, ["Issued on", "Émis le"]);
const FROM: Field = date("from", Calendar, ["From", "Du"]);
const TO: Field = date("to", Calendar, ["To", "Au"]);
const HOLDER: Field = Field::text("holder", Line(NAME), ["Holder", "Titulaire"]);
const FILE: Field = Field::of("file", Kind::Blob, Document, ["Document", "Document"]);

const fn date(name: &'static str, check: super::Check, label: [&'static str; 2]) -> Field {
    Field::of(name, Kind::Date, check, label)
}

const fn integer(name: &'static str, check: super::Check, label: [&'static str; 2]) -> Field {
    Field::of(name, Kind::Integer, check, label)
}

const fn decimal(name: &'static str, label: [&'static str; 2]) -> Field {
    Field::of(name, Kind::Decimal, Any, label)
}

const fn flag(name: &'static str, label: [&'static str; 2]) -> Field {
    Field::of(name, Kind::Flag, Any, label)
}

const fn kind(words: &'static [&'static str]) -> Field {
    Field::text("kind", OneOf(words), ["Kind", "Nature"])
}

const fn one(
    name: &'static str,
    family: Family,
    label: [&'static str; 2],
    dpv: Option<&'static str>,
    any_of: &'static [&'static str],
    fields: &'static [Field],
) -> Category {
    Category { name, family, many: false, label: Text { en: label[0], fr: label[1] }, dpv, any_of, fields }
}

const fn many(
    name: &'static str,
    family: Family,
    label: [&'static str; 2],
    dpv: Option<&'static str>,
    any_of: &'static [&'static str],
    fields: &'static [Field],
) -> Category {
    Category { many: true, ..one(name, family, label, dpv, any_of, fields) }
}

/// Every category, in the order in which people see them.
pub static CATEGORIES: &[Category] = &[
    one(
        "person.name",
        Profile,
        ["Name", "Nom et prénom"],
        Some("Name"),
        &["family", "full"],
        &[
            Field::text("given", Line(NAME), ["First names", "Prénoms"]),
            Field::text("family", Line(NAME), ["Surname", "Nom"]),
            Field::text("birth.family", Line(NAME), ["Surname at birth", "Nom de naissance"]),
            Field::text("full", Line(NAME), ["Full name", "Nom complet"]),
        ],
    ),
    many(
        "person.address",
        Profile,
        ["Postal address", "Adresse postale"],
        Some("PhysicalAddress"),
        &["lines", "city"],
        &[
            kind(&["home", "postal", "billing", "other"]),
            Field::text("lines", Lines(400), ["Street and number", "Rue et numéro"]),
            Field::text("postcode", Line(20), ["Postcode", "Code postal"]),
            Field::text("city", Line(NAME), ["Town", "Ville"]),
            Field::text("region", Line(NAME), ["Region", "Région"]),
            Field::text("country", Country, ["Country", "Pays"]),
        ],
    ),
    many(
        "person.phone",
        Profile,
        ["Telephone number", "Numéro de téléphone"],
        Some("TelephoneNumber"),
        &[],
        &[
            Field::text("number", Phone, ["Number", "Numéro"]).required(),
            kind(&["mobile", "landline", "work", "other"]),
        ],
    ),
    many(
        "person.email",
        Profile,
        ["E-mail address", "Adresse e-mail"],
        Some("EmailAddress"),
        &[],
        &[
            Field::text("address", Email, ["Address", "Adresse"]).required(),
            flag("verified", ["Verified by the source", "Vérifiée par la source"]),
        ],
    ),
    many(
        "bank.account",
        Bank,
        ["Bank account", "Compte bancaire"],
        Some("BankAccount"),
        &[],
        &[
            REF.required(),
            Field::text("label", Line(LABEL), ["Account", "Compte"]),
            HOLDER,
            Field::text("holder.given", Line(NAME), ["First name of the holder", "Prénom du titulaire"]),
            Field::text("holder.family", Line(NAME), ["Surname of the holder", "Nom du titulaire"]),
            Field::text("iban", Iban, ["IBAN", "IBAN"]),
            Field::text("bic", Bic, ["BIC", "BIC"]),
            Field::text("number", Line(CODE), ["Account number", "Numéro de compte"]),
            Field::text("bank", Line(LABEL), ["Bank", "Banque"]),
            CURRENCY,
            kind(&["current", "savings", "card", "loan", "securities", "insurance", "other"]),
            date("opened", Past, ["Opened on", "Ouvert le"]),
        ],
    ),
    many(
        "bank.balance",
        Bank,
        ["Account balance", "Solde du compte"],
        Some("FinancialStatus"),
        &[],
        &[
            ACCOUNT.required(),
            kind(&["booked", "available", "expected"]),
            MONEY.required(),
            CURRENCY.required(),
            date("date", Calendar, ["On", "Au"]),
        ],
    ),
    many(
        "bank.transaction",
        Bank,
        ["Account transaction", "Opération bancaire"],
        Some("Transaction"),
        &[],
        &[
            ACCOUNT.required(),
            REF,
            date("date", Calendar, ["Booked on", "Date d'opération"]).required(),
            date("value.date", Calendar, ["Value date", "Date de valeur"]),
            Field::of("at", Kind::Instant, Any, ["Time", "Heure"]),
            Field::text("label", Line(LABEL), ["Label", "Libellé"]).required(),
            MONEY.required(),
            CURRENCY.required(),
            kind(&["transfer", "direct-debit", "card", "cash", "cheque", "fee", "interest", "other"]),
            Field::text("counterparty.name", Line(NAME), ["Other party", "Contrepartie"]),
            Field::text("counterparty.iban", Iban, ["IBAN of the other party", "IBAN de la contrepartie"]),
            Field::text("remittance", Lines(500), ["Purpose", "Motif"]),
            flag("pending", ["Not booked yet", "En attente"]),
        ],
    ),
    many(
        "document.statement",
        Bank,
        ["Account statement", "Relevé de compte"],
        Some("BankAccount"),
        &[],
        &[
            REF.required(),
            ACCOUNT,
            Field::text("title", Line(LABEL), ["Title", "Titre"]),
            ISSUED,
            FROM,
            TO,
            FILE.required(),
        ],
    ),
    many(
        "bank.solvency",
        Bank,
        ["Solvency indicator", "Indicateur de solvabilité"],
        Some("CreditWorthiness"),
        &["score", "rating", "incident", "income.amount"],
        &[
            decimal("score", ["Score", "Score"]),
            decimal("score.max", ["Highest score", "Score maximal"]),
            Field::text("rating", Line(CODE), ["Rating", "Note"]),
            flag("incident", ["Payment incident", "Incident de paiement"]),
            integer("income.amount", Any, ["Monthly income", "Revenus mensuels"]),
            Field::text("income.currency", Currency, ["Currency of the income", "Devise des revenus"]),
            integer("charges.amount", Any, ["Monthly charges", "Charges mensuelles"]),
            Field::text("charges.currency", Currency, ["Currency of the charges", "Devise des charges"]),
            FROM,
            TO,
        ],
    ),
    one(
        "person.gender",
        Identity,
        ["Gender", "Sexe"],
        Some("Gender"),
        &[],
        &[Field::text("gender", OneOf(&["female", "male", "other"]), ["Gender", "Sexe"]).required()],
    ),
    one(
        "person.birth",
        Identity,
        ["Date and place of birth", "Date et lieu de naissance"],
        Some("BirthDate"),
        &["date", "place"],
        &[
            date("date", Past, ["Date of birth", "Date de naissance"]),
            Field::text("place", Line(NAME), ["Place of birth", "Lieu de naissance"]),
            Field::text("country", Country, ["Country of birth", "Pays de naissance"]),
        ],
    ),
    many(
        "person.nationality",
        Identity,
        ["Nationality", "Nationalité"],
        Some("Nationality"),
        &[],
        &[Field::text("country", Country, ["Country", "Pays"]).required()],
    ),
    many(
        "identity.document",
        Identity,
        ["Identity document", "Pièce d'identité"],
        Some("OfficialID"),
        &[],
        &[
            kind(&["passport", "identity-card", "residence-permit", "driving-licence", "other"]).required(),
            Field::text("number", Line(CODE), ["Number", "Numéro"]),
            Field::text("country", Country, ["Issuing country", "Pays d'émission"]),
            ISSUER,
            ISSUED,
            date("expires", Calendar, ["Valid until", "Valable jusqu'au"]),
            Field::text("given", Line(NAME), ["First names on it", "Prénoms inscrits"]),
            Field::text("family", Line(NAME), ["Surname on it", "Nom inscrit"]),
            date("birth.date", Past, ["Date of birth on it", "Date de naissance inscrite"]),
            FILE,
        ],
    ),
    one(
        "identity.portrait",
        Identity,
        ["Photo of the face", "Photo du visage"],
        Some("Picture"),
        &[],
        &[
            Field::of("file", Kind::Blob, Image, ["Photo", "Photo"]).required(),
            date("taken", Past, ["Taken on", "Prise le"]),
        ],
    ),
    many(
        "document.certificate-of-rights",
        Administrative,
        ["Certificate of rights", "Attestation de droits"],
        Some("Insurance"),
        &[],
        &[
            REF.required(),
            Field::text("title", Line(LABEL), ["Title", "Titre"]),
            ISSUER,
            ISSUED,
            FROM,
            TO,
            FILE.required(),
        ],
    ),
    many(
        "document.tax-notice",
        Administrative,
        ["Tax notice", "Avis d'imposition"],
        Some("Tax"),
        &["number", "income.amount", "file"],
        &[
            REF.required(),
            integer("year", Range(1900, 2199), ["Year of the income", "Année des revenus"]).required(),
            Field::text("number", Line(CODE), ["Number of the notice", "Référence de l'avis"]),
            ISSUED,
            integer("income.amount", Any, ["Reference tax income", "Revenu fiscal de référence"]),
            Field::text("income.currency", Currency, ["Currency of the income", "Devise du revenu"]),
            integer("tax.amount", Any, ["Tax", "Impôt"]),
            Field::text("tax.currency", Currency, ["Currency of the tax", "Devise de l'impôt"]),
            decimal("shares", ["Household shares", "Parts du foyer"]),
            FILE,
        ],
    ),
    many(
        "document.proof-of-address",
        Administrative,
        ["Proof of address", "Justificatif de domicile"],
        Some("PhysicalAddress"),
        &[],
        &[
            REF.required(),
            kind(&["utility", "telecom", "rent", "insurance", "tax", "membership", "other"]),
            Field::text("title", Line(LABEL), ["Title", "Titre"]),
            ISSUER,
            ISSUED,
            FILE.required(),
        ],
    ),
    many(
        "document.certificate",
        Administrative,
        ["Certificate", "Attestation"],
        None,
        &[],
        &[
            REF.required(),
            Field::text("title", Line(LABEL), ["Title", "Titre"]),
            ISSUER,
            ISSUED,
            FROM,
            TO,
            FILE.required(),
        ],
    ),
    many(
        "document.invoice",
        Contract,
        ["Invoice", "Facture"],
        Some("Purchase"),
        &[],
        &[
            REF.required(),
            Field::text("number", Line(CODE), ["Number", "Numéro"]),
            Field::text("title", Line(LABEL), ["Title", "Titre"]),
            ISSUER,
            date("date", Past, ["Date", "Date"]).required(),
            date("due", Calendar, ["Due on", "Échéance"]),
            MONEY.required(),
            CURRENCY.required(),
            flag("paid", ["Paid", "Payée"]),
            FROM,
            TO,
            FILE,
        ],
    ),
    many(
        "contract.utility",
        Contract,
        ["Utility contract", "Contrat d'énergie ou d'eau"],
        None,
        &[],
        &[
            REF.required(),
            kind(&["electricity", "gas", "water", "heat", "waste", "other"]).required(),
            Field::text("provider", Line(LABEL), ["Provider", "Fournisseur"]),
            Field::text("number", Line(CODE), ["Contract number", "Numéro de contrat"]),
            HOLDER,
            Field::text("address", Lines(400), ["Supplied address", "Adresse desservie"]),
            Field::text("delivery.point", Line(CODE), ["Delivery point", "Point de livraison"]),
            date("since", Calendar, ["Since", "Depuis"]),
            date("until", Calendar, ["Until", "Jusqu'au"]),
        ],
    ),
    many(
        "contract.telecom",
        Contract,
        ["Telecom contract", "Contrat de télécommunication"],
        None,
        &[],
        &[
            REF.required(),
            kind(&["mobile", "landline", "internet", "television", "bundle", "other"]).required(),
            Field::text("provider", Line(LABEL), ["Provider", "Opérateur"]),
            Field::text("number", Line(CODE), ["Contract number", "Numéro de contrat"]),
            HOLDER,
            Field::text("phone", Phone, ["Telephone number", "Numéro de téléphone"]),
            Field::text("address", Lines(400), ["Address of the line", "Adresse de la ligne"]),
            date("since", Calendar, ["Since", "Depuis"]),
            date("until", Calendar, ["Until", "Jusqu'au"]),
        ],
    ),
];
