//! NAME: a login form, perhaps a code by SMS, then accounts and their operations, each only if it is wanted. What the pages look like and
//! what each refusal means stands in `manifest.toml`.

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

#[cfg(test)]
mod tests;

fn collect() -> Result {
    progress::step("login");
    let home = login()?;
    credentials::authenticated()?;
    progress::step("accounts");
    let accounts = accounts(&home)?;
    if job::wanted("bank.transaction") {
        progress::step("operations");
        for account in &accounts {
            operations(account).or_partial("bank.transaction")?;
        }
    }
    Ok(())
}

/// Fills in the form as the page has it, hidden fields and all.
fn login() -> Result<Page> {
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    let (login, password) = (credential("login")?, credential("password")?);
    let page = form.field("identifiant", &login).field("motdepasse", &password).page()?;
    if !page.is("otp") {
        return page.expect(&["accounts", "no-accounts"]);
    }
    let phone = page.need("masked-phone", ".telephone", "text")?;
    let code = ask("otp").detail("medium", "sms").detail("target", phone).secret("code")?;
    page.fill("otp-form", "form#code-sms")?.field("code", &code).expect(&["accounts", "no-accounts"])
}

struct Account {
    reference: String,
    currency: String,
    operations: String,
}

fn accounts(page: &Document) -> Result<Vec<Account>> {
    let columns = [
        link("operations", ".libelle a"),
        text("label", ".libelle"),
        text("iban", ".iban"),
        text("currency", ".devise"),
        text("balance", ".montant"),
    ];
    let mut accounts = Vec::new();
    for [operations, label, iban, currency, balance] in page.table("table#comptes tbody tr", columns)?.rows() {
        // …/accounts/NUMBER/operations
        let reference = operations.rsplit('/').nth(1).unwrap_or_default().to_owned();
        if job::wanted("bank.account") {
            let account = items::BankAccount::new(&reference).label(label).iban(iban).currency(currency);
            account.emit().or_partial("bank.account")?;
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

/// All pages of an account's operations, newest first, as far back as the person consented to.
fn operations(account: &Account) -> Result {
    let columns =
        [text("date", ".date"), text("label", ".libelle"), text("amount", ".montant"), text("reference", ".reference")];
    let (mut next, since) = (Some(account.operations.clone()), job::since());
    while let Some(url) = next {
        let page = get(url).expect(&["operations", "no-operations"])?;
        let mut batch = Batch::default();
        for [day, label, amount, reference] in page.table("table#operations tbody tr", columns.clone())?.rows() {
            let day = french::date(day)?;
            if since.as_ref().is_some_and(|since| day < *since) {
                items::BankTransaction::older(day)?;
                return batch.emit();
            }
            let amount = french::amount(amount, &account.currency)?;
            let item = items::BankTransaction::new(&account.reference, day, label, amount, &account.currency);
            batch.push(item.reference(reference));
        }
        batch.emit()?;
        next = page.find(".pagination a.suivante", "url:href")?;
    }
    Ok(())
}
