//! What a notice says: labels on the left, figures beside them.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// What amounts are in.
const CURRENCY: &str = "EUR";

/// What is read of a notice.
#[derive(Debug, PartialEq, Eq)]
pub struct Notice {
    number: String,
    issued: String,
    shares: String,
    income: i64,
    tax: i64,
}

/// Reads one.
pub fn read(text: &pdf::Text) -> Result<Notice> {
    Ok(Notice {
        number: text.beside("Référence de l’avis")?.to_owned(),
        issued: french::date(text.beside("Date d’établissement")?)?,
        shares: french::decimal(text.beside("Nombre de parts")?)?,
        income: french::amount(text.beside("Revenu fiscal de référence")?, CURRENCY)?,
        tax: french::amount(text.beside("Montant de l’impôt")?, CURRENCY)?,
    })
}

impl Notice {
    /// Puts it into an item.
    pub fn onto(self, item: items::DocumentTaxNotice) -> items::DocumentTaxNotice {
        let item = item.number(self.number).issued(self.issued).shares(self.shares);
        item.income_amount(self.income, CURRENCY).tax_amount(self.tax, CURRENCY)
    }
}
