//! Banque du Vallon: login by form, with whatever the bank asks in between, then profile, accounts, operations and statements, each
//! only if it is wanted. What its pages look like stands in `pages.rs`, what its refusals mean in `manifest.toml`.

mod pages;

use consentry_sdk::prelude::*;
use pages::Account;

consentry_sdk::connector!(collect);

const PROFILE: [&str; 6] =
    ["person.name", "person.gender", "person.birth", "person.address", "person.phone", "person.email"];
const ACCOUNTS: [&str; 3] = ["bank.account", "bank.balance", "bank.transaction"];

fn collect() -> Result {
    progress::step("login");
    let home = login()?;
    credentials::authenticated()?;
    if PROFILE.into_iter().any(job::wanted) {
        progress::step("profile");
        let page = get("/profile").expect(&["profile"])?;
        pages::profile(&page)?;
    }
    if ACCOUNTS.into_iter().any(job::wanted) {
        progress::step("accounts");
        let page = home.expect(&["accounts", "no-accounts"])?;
        let accounts = pages::accounts(&page)?;
        progress::step("operations");
        operations(&accounts).or_partial("bank.transaction")?;
    }
    if job::wanted("document.statement") {
        progress::step("documents");
        statements().or_partial("document.statement")?;
    }
    Ok(())
}

/// Logs in and takes every step that the bank puts in between, until there is the link that leads out again.
fn login() -> Result<Page> {
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    let (login, password) = (credential("login")?, credential("password")?);
    let mut page = form.field("identifiant", &login).field("motdepasse", &password).page()?;
    loop {
        page = match page.id().as_deref() {
            Some("captcha") => captcha(&page)?,
            Some("otp") => otp(&page)?,
            Some("approval") => approval(&page)?,
            _ if page.has("a#deconnexion")? => return Ok(page),
            _ => return page.expect(&["captcha", "otp", "approval", "accounts"]),
        };
    }
}

fn captcha(page: &Page) -> Result<Page> {
    let image = get(page.need("captcha-image", "img#captcha-image", "url:src")?).send()?.blob()?;
    let characters = ask("captcha").image(&image).secret("characters")?;
    page.fill("captcha-form", "form#controle")?.field("code", &characters).page()
}

fn otp(page: &Page) -> Result<Page> {
    let phone = page.need("masked-phone", ".telephone", "text")?;
    let code = ask("otp").detail("medium", "sms").detail("target", phone).secret("code")?;
    page.fill("otp-form", "form#code-sms")?.field("code", &code).page()
}

/// The person taps in the bank's app, which the bank alone knows of: look every two seconds, for three minutes.
fn approval(page: &Page) -> Result<Page> {
    let phone = page.need("device", ".appareil", "text")?;
    ask("approve").detail("medium", "app").detail("target", phone).until(2_000, 90, || {
        let page = get("/approval").page()?;
        Ok((!page.is("approval")).then_some(page))
    })
}

fn operations(accounts: &[Account]) -> Result {
    for account in accounts.iter().filter(|_| job::wanted("bank.transaction")) {
        let mut next = Some(account.operations.clone());
        while let Some(url) = next {
            let page = get(url).expect(&["operations", "no-operations"])?;
            next = pages::operations(&page, account)?;
        }
    }
    Ok(())
}

fn statements() -> Result {
    let page = get("/documents").expect(&["documents", "no-documents"])?;
    let statements = pages::statements(&page)?;
    let files = send_all(statements.iter().map(|statement| get(&statement.url)).collect())?;
    for (statement, file) in statements.into_iter().zip(files) {
        let item = items::DocumentStatement::new(statement.reference, file.blob()?);
        item.title(statement.title).issued(statement.issued).emit().or_partial("document.statement")?;
    }
    Ok(())
}
