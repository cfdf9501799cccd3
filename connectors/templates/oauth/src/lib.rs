//! NAME: authorisation by redirect (OAuth 2.0 with PKCE, as in PSD2), then accounts and their operations as JSON, each only if it is wanted. What the answers look like and what each
//! refusal means stands in `manifest.toml`.

use consentry_sdk::contract::{prompt, random};
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

/// The request is pushed to the bank first (PAR), with the digest of a verifier that only this run knows (PKCE, S256), which the host makes. Then the person
/// logs in there, and comes back with a code; with code and verifier comes the token. Code and token are handles.
fn login() -> Result<Secret> {
    let (back, state) = prompt::callback();
    let verifier: String = random::bytes(32).iter().map(|byte| format!("{byte:02x}")).collect();
    let challenge = secret::digest("sha-256", &verifier)?;
    let request = post("/oauth/par").field("response_type", "code").field("client_id", "NAME").field("state", state);
    let request = request.field("redirect_uri", &back).field("code_challenge_method", "S256");
    let pushed = request.field("code_challenge", challenge.encoded("base64url")).expect(&["pushed"])?;
    let name = pushed.need("request-uri", "/request_uri", "text")?;
    let url = format!("{}/oauth/authorize?client_id=NAME&request_uri={name}", job::base());
    let code = ask("redirect").detail("url", url).secret("code")?;
    let request = post("/oauth/token").field("grant_type", "authorization_code").field("client_id", "NAME");
    let page = request.field("code", &code).field("redirect_uri", back).field("code_verifier", verifier).expect(&["token"])?;
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
