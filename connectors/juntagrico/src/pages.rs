//! The portal's pages in French, and what becomes of them.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// The application writes amounts without a currency: they are in the francs of its country.
const CURRENCY: &str = "CHF";

/// A bill of the list.
pub struct Bill {
    number: String,
    day: String,
    title: String,
    amount: String,
    paid: String,
    /// Where its PDF is.
    pub pdf: String,
}

/// Emits what is wanted of the profile. It is read field by field: the form would leave out what a member can't change.
pub fn profile(page: &Document) -> Result {
    let need = |name: &str, field: &str| page.need(name, &input(field), "attr:value");
    let find = |field: &str| page.find(&input(field), "attr:value");
    let (given, family) = (need("given-name", "first_name")?, need("family-name", "last_name")?);
    if job::wanted("person.name") {
        items::PersonName::new().given(&given).family(&family).emit().or_partial("person.name")?;
    }
    if job::wanted("person.address") {
        let address =
            items::PersonAddress::new().kind(items::PersonAddressKind::Home).lines(need("street", "addr_street")?);
        let address = address.postcode(need("postcode", "addr_zipcode")?).city(need("city", "addr_location")?);
        address.emit().or_partial("person.address")?;
    }
    if job::wanted("person.phone") {
        phone_number(&need("phone", "phone")?, None).or_partial("person.phone")?;
        if let Some(number) = find("mobile_phone")? {
            phone_number(&number, Some(items::PersonPhoneKind::Mobile)).or_partial("person.phone")?;
        }
    }
    if job::wanted("person.email") {
        items::PersonEmail::new(need("email", "email")?).emit().or_partial("person.email")?;
    }
    if job::wanted("person.birth") {
        let day = french::date(&need("birthday", "birthday")?);
        day.and_then(|day| items::PersonBirth::new().date(day).emit()).or_partial("person.birth")?;
    }
    if job::wanted("bank.account")
        && let Some(iban) = find("iban")?
    {
        let account = items::BankAccount::new("iban").iban(iban).holder(format!("{given} {family}"));
        account.emit().or_partial("bank.account")?;
    }
    Ok(())
}

fn input(field: &str) -> String {
    format!("input[name={field}]")
}

fn phone_number(number: &str, kind: Option<items::PersonPhoneKind>) -> Result {
    items::PersonPhone::new(phone::e164(number, "CH")?).kind(kind).emit()
}

/// The bills since the day that the person consented to.
pub fn bills(page: &Document) -> Result<Vec<Bill>> {
    let columns = [
        text("number", "td:nth-child(1) a"),
        column("day", "td:nth-child(2)", "attr:data-order"),
        text("title", "td:nth-child(3)"),
        text("amount", "td:nth-child(4)"),
        text("paid", "td:nth-child(5)"),
        link("pdf", "a[href*=user_bill_pdf]"),
    ];
    let since = job::since();
    let bills = page.table("#filter-table tbody tr", columns)?;
    let bills = bills.rows().map(|row| {
        let [number, day, title, amount, paid, pdf] = row.map(str::to_owned);
        Bill { number, day, title, amount, paid, pdf }
    });
    // Both days are ISO 8601.
    let is_older = |bill: &Bill| since.as_ref().is_some_and(|since| bill.day < *since);
    let (older, wanted): (Vec<_>, Vec<_>) = bills.partition(is_older);
    older.first().map_or(Ok(()), |bill| items::DocumentInvoice::older(&bill.day))?;
    Ok(wanted)
}

impl Bill {
    pub fn emit(&self, file: Blob) -> Result {
        let amount = french::amount(&self.amount, CURRENCY)?;
        let paid = match self.paid.as_str() {
            "Oui" => true,
            "Non" => false,
            _ => return Err(Code::ValueUnparsable.fault("whether a bill is paid is Oui or Non")),
        };
        let bill = items::DocumentInvoice::new(&self.number, &self.day, amount, CURRENCY).number(&self.number);
        bill.title(&self.title).paid(paid).file(file).emit()
    }
}

/// The latest year for which there is a certificate.
pub fn latest_year(page: &Document) -> Result<Option<String>> {
    let years = page.list("select#year_select option", &[column("year", "", "attr:value")])?;
    // Years have four digits.
    Ok(years.into_iter().filter_map(|[year]| year).max())
}

pub fn certificate(year: &str, file: Blob) -> Result {
    let certificate = items::DocumentCertificate::new(format!("shares-{year}"), file);
    certificate.title(format!("Attestation de parts sociales {year}")).emit()
}
