//! Banque du Vallon by its online branch, which works in a browser only: a form that a script builds, a secret code on a keypad in a
//! frame, a code by SMS, and statements behind links. What its pages look like stands in `manifest.toml`.

use consentry_sdk::browser::{self, Page};
use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

#[cfg(test)]
mod tests;

/// How long a page may take to come, in milliseconds.
const PATIENCE: u32 = 20_000;
/// Statements that are fetched; each is a click.
const STATEMENTS_MAX: usize = 3;

fn collect() -> Result {
    progress::step("login");
    let page = browser::open()?;
    let home = login(&page)?;
    credentials::authenticated()?;
    if ["bank.account", "bank.balance"].into_iter().any(job::wanted) {
        progress::step("accounts");
        accounts(&home)?;
    }
    if job::wanted("document.statement") {
        progress::step("documents");
        page.visit("/documents")?;
        statements(&page).or_partial("document.statement")?;
    }
    Ok(())
}

fn login(page: &Page) -> Result<Document> {
    page.visit("/branch")?;
    page.expect(&["branch"], PATIENCE)?;
    page.fill_secret("#client", &credential("login")?)?;
    page.frame("#clavier")?;
    let keys = keys(&page.expect(&["keypad"], PATIENCE)?)?;
    page.press_keypad(&credential("code")?, &keys)?;
    page.frame("")?;
    page.click("#entrer")?;
    let mut document = page.expect(&["otp", "accounts", "no-accounts"], PATIENCE)?;
    if document.page().as_deref() == Some("otp") {
        let phone = document.need("masked-phone", ".telephone", "text")?;
        let code = ask("otp").detail("medium", "sms").detail("target", phone).secret("code")?;
        page.fill_secret("#code", &code)?;
        page.key("Enter")?;
        document = page.expect(&["accounts", "no-accounts"], PATIENCE)?;
    }
    Ok(document)
}

/// Which key has which digit: they stand elsewhere each time.
fn keys(pad: &Document) -> Result<Vec<(String, String)>> {
    let digits = pad.list("#touches button", &[text("digit", "")])?;
    let key = |(place, [digit]): (usize, [Option<String>; 1])| {
        Some((digit?, format!("#touches button:nth-child({})", place + 1)))
    };
    Ok(digits.into_iter().enumerate().filter_map(key).collect())
}

fn accounts(page: &Document) -> Result {
    let columns = [
        link("operations", ".libelle a"),
        text("label", ".libelle"),
        text("holder", ".titulaire"),
        text("iban", ".iban"),
        text("currency", ".devise"),
        text("balance", ".montant"),
    ];
    for [operations, label, holder, iban, currency, balance] in page.table("table#comptes tbody tr", columns)?.rows() {
        // …/accounts/NUMBER/operations
        let reference = operations.rsplit('/').nth(1).unwrap_or_default();
        if job::wanted("bank.account") {
            let account = items::BankAccount::new(reference).label(label).holder(holder).iban(iban).currency(currency);
            account.emit().or_partial("bank.account")?;
        }
        if job::wanted("bank.balance") {
            let balance = french::amount(balance, currency);
            let balance = balance.and_then(|minor| items::BankBalance::new(reference, minor, currency).emit());
            balance.or_partial("bank.balance")?;
        }
    }
    Ok(())
}

fn statements(page: &Page) -> Result {
    let list = page.expect(&["documents", "no-documents"], PATIENCE)?;
    let rows = list.table("ul.releves li", [text("title", "a"), text("issued", ".date")])?;
    for (place, [title, issued]) in rows.rows().enumerate().take(STATEMENTS_MAX) {
        let file = page.download(&format!("ul.releves li:nth-child({}) a", place + 1))?;
        let issued = french::date(issued)?;
        let statement = items::DocumentStatement::new(&issued, file);
        statement.title(title).issued(&issued).emit().or_partial("document.statement")?;
    }
    Ok(())
}
