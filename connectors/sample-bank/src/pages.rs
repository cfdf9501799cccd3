//! The bank's pages, and what becomes of them.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// An account, as far as its operations need it.
pub struct Account {
    reference: String,
    currency: String,
    /// Where its operations are, newest first.
    pub operations: String,
}

/// A statement that can be downloaded.
pub struct Statement {
    pub reference: String,
    pub url: String,
    pub title: String,
    pub issued: String,
}

pub fn profile(page: &Document) -> Result {
    let entries = page.table("dl.profil > div", [text("label", "dt"), text("value", "dd")])?;
    let find = |name: &str, label: &str| {
        let entry = entries.rows().find(|[found, _]| *found == label);
        entry.map(|[_, value]| value).ok_or_else(|| page.missing(name))
    };
    if job::wanted("person.name") {
        let name = items::PersonName::new().given(find("given-name", "Prénom(s)")?);
        name.family(find("family-name", "Nom")?).emit()?;
    }
    if job::wanted("person.gender") {
        gender(find("title", "Civilité")?).or_partial("person.gender")?;
    }
    if job::wanted("person.birth") {
        birth(find("birth-date", "Date de naissance")?, find("birth-place", "Lieu de naissance")?)
            .or_partial("person.birth")?;
    }
    if job::wanted("person.address") {
        address(find("address", "Adresse postale")?).or_partial("person.address")?;
    }
    if job::wanted("person.phone") {
        let number = phone::e164(find("phone", "Téléphone")?, "FR");
        number.and_then(|number| items::PersonPhone::new(number).emit()).or_partial("person.phone")?;
    }
    if job::wanted("person.email") {
        items::PersonEmail::new(find("email", "Adresse e-mail")?).emit().or_partial("person.email")?;
    }
    Ok(())
}

fn gender(title: &str) -> Result {
    let gender = match title {
        "Mme" => items::PersonGenderGender::Female,
        "M." => items::PersonGenderGender::Male,
        _ => return Err(Code::ValueUnparsable.fault("a title is Mme or M.")),
    };
    items::PersonGender::new(gender).emit()
}

fn birth(day: &str, place: &str) -> Result {
    items::PersonBirth::new().date(french::date(day)?).place(place).emit()
}

/// Street on the first lines; postcode and town on the last.
fn address(text: &str) -> Result {
    let form = || Code::ValueUnparsable.fault("an address ends with a line of postcode and town");
    let (street, town) = text.rsplit_once('\n').ok_or_else(form)?;
    let (postcode, city) = town.split_once(' ').ok_or_else(form)?;
    let address = items::PersonAddress::new().kind(items::PersonAddressKind::Postal).lines(street);
    address.postcode(postcode).city(city).country("FR").emit()
}

/// Emits accounts and balances as they are wanted.
pub fn accounts(page: &Document) -> Result<Vec<Account>> {
    let columns = [
        link("operations", ".libelle a"),
        text("label", ".libelle"),
        text("holder", ".titulaire"),
        text("iban", ".iban"),
        text("currency", ".devise"),
        text("balance", ".montant"),
    ];
    let bic = page.find("span.bic", "text")?;
    let mut accounts = Vec::new();
    for [operations, label, holder, iban, currency, balance] in page.table("table#comptes tbody tr", columns)?.rows() {
        // …/accounts/NUMBER/operations
        let reference = operations.rsplit('/').nth(1).unwrap_or_default().to_owned();
        if job::wanted("bank.account") {
            let account = items::BankAccount::new(&reference).label(label).holder(holder).iban(iban).bic(bic.clone());
            account.currency(currency).kind(kind(label)).emit().or_partial("bank.account")?;
        }
        if job::wanted("bank.balance") {
            let balance = french::amount(balance, currency);
            let balance = balance.and_then(|minor| items::BankBalance::new(&reference, minor, currency).emit());
            balance.or_partial("bank.balance")?;
        }
        accounts.push(Account { reference, currency: currency.to_owned(), operations: operations.to_owned() });
    }
    Ok(accounts)
}

fn kind(label: &str) -> Option<items::BankAccountKind> {
    match label {
        _ if label.starts_with("Compte chèques") => Some(items::BankAccountKind::Current),
        _ if label.starts_with("Livret") => Some(items::BankAccountKind::Savings),
        _ => None,
    }
}

/// Emits one page of operations; answers with the next page, unless the days that the person consented to end here.
pub fn operations(page: &Document, account: &Account) -> Result<Option<String>> {
    let columns =
        [text("date", ".date"), text("label", ".libelle"), text("amount", ".montant"), text("reference", ".reference")];
    let since = job::since();
    let is_older = |day: &str| since.as_deref().is_some_and(|since| day < since);
    let (mut batch, mut older) = (Batch::default(), false);
    for [day, label, amount, reference] in page.table("table#operations tbody tr", columns)?.rows() {
        match french::date(day) {
            Ok(day) if is_older(&day) => {
                items::BankTransaction::older(day)?;
                older = true;
                break;
            }
            day => day.and_then(|day| operation(account, day, label, amount, reference)).map(|item| batch.push(item)),
        }
        .or_partial("bank.transaction")?;
    }
    batch.emit().or_partial("bank.transaction")?;
    if older { Ok(None) } else { page.find(".pagination a.suivante", "url:href") }
}

fn operation(
    account: &Account,
    day: String,
    label: &str,
    amount: &str,
    reference: &str,
) -> Result<items::BankTransaction> {
    let amount = french::amount(amount, &account.currency)?;
    let operation = items::BankTransaction::new(&account.reference, day, label, amount, &account.currency);
    Ok(operation.reference(reference))
}

pub fn statements(page: &Document) -> Result<Vec<Statement>> {
    let rows = page.table("ul.releves li", [link("statement", "a"), text("title", "a"), text("date", ".date")])?;
    let since = job::since();
    let statement = |[url, title, date]: [&str; 3]| {
        let issued = french::date(date)?;
        // …/documents/NAME.pdf
        let reference = url.rsplit('/').next().unwrap_or_default().trim_end_matches(".pdf").to_owned();
        Ok(Statement { reference, url: url.to_owned(), title: title.to_owned(), issued })
    };
    let statements: Vec<Statement> = rows.rows().map(statement).collect::<Result<_>>()?;
    let is_older = |statement: &Statement| since.as_ref().is_some_and(|since| statement.issued < *since);
    let (older, wanted): (Vec<_>, Vec<_>) = statements.into_iter().partition(is_older);
    older.first().map_or(Ok(()), |statement| items::DocumentStatement::older(&statement.issued))?;
    Ok(wanted)
}
