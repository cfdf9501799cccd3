//! NAME: a login for a token, then accounts and their operations as JSON, each only if it is wanted. What the answers look like and what each
//! refusal means stands in `manifest.toml`.

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

#[cfg(test)]
mod tests;

fn collect() -> Result {
    progress::step("login");
    let token = login()?;
    credentials::authenticated()?;
    progress::step("accounts");
    let page = get("/api/accounts").header("authorization", ("Bearer ", &token)).expect(&["accounts", "no-accounts"])?;
    let accounts = accounts(&page)?;
    if job::wanted("bank.transaction") {
        progress::step("operations");
        for account in &accounts {
            operations(account, &token).or_partial("bank.transaction")?;
        }
    }
    Ok(())
}

/// The token is a handle: the host cut it out of the answer, and puts it where the manifest says.
fn login() -> Result<Secret> {
    let (login, password) = (credential("login")?, credential("password")?);
    let page = post("/api/token").json("{}").field("/login", &login).field("/password", &password).expect(&["token"])?;
    page.response().captured("token").ok_or_else(|| page.missing("token"))
}

struct Account {
    id: String,
    currency: String,
}

fn accounts(page: &Document) -> Result<Vec<Account>> {
    let columns = [
        text("id", "/id"),
        text("label", "/label"),
        text("iban", "/iban"),
        text("currency", "/currency"),
        text("balance", "/balance"),
    ];
    let mut accounts = Vec::new();
    for [id, label, iban, currency, balance] in page.table("/accounts/*", columns)?.rows() {
        if job::wanted("bank.account") {
            let account = items::BankAccount::new(id).label(label).iban(iban).currency(currency);
            account.emit().or_partial("bank.account")?;
        }
        if job::wanted("bank.balance") {
            let balance = english::amount(balance, currency);
            let balance = balance.and_then(|minor| items::BankBalance::new(id, minor, currency).emit());
            balance.or_partial("bank.balance")?;
        }
        accounts.push(Account { id: id.to_owned(), currency: currency.to_owned() });
    }
    Ok(accounts)
}

/// All pages of an account's operations, newest first, as far back as the person consented to.
fn operations(account: &Account, token: &Secret) -> Result {
    let columns = [text("id", "/id"), text("date", "/date"), text("label", "/label"), text("amount", "/amount")];
    let (mut next, since) = (Some("1".to_owned()), job::since());
    while let Some(number) = next {
        let request = get(format!("/api/accounts/{}/operations", account.id)).query("page", number);
        let page = request.header("authorization", ("Bearer ", token)).expect(&["operations", "no-operations"])?;
        let mut batch = Batch::default();
        for [id, date, label, amount] in page.table("/operations/*", columns.clone())?.rows() {
            if since.as_ref().is_some_and(|since| date < since.as_str()) {
                items::BankTransaction::older(date)?;
                return batch.emit();
            }
            let amount = english::amount(amount, &account.currency)?;
            let item = items::BankTransaction::new(&account.id, date, label, amount, &account.currency);
            batch.push(item.reference(id));
        }
        batch.emit()?;
        next = page.find("/next", "text")?;
    }
    Ok(())
}
