//! Banks by the Berlin Group's NextGenPSD2 interface (account information, redirect approach): a consent is asked for, the person logs in and
//! agrees at the bank, then accounts, balances and transactions are read under it. Nobody's login is ever seen here: who asks is the
//! operator, by a signature on every request (`bank.rs`).

mod bank;
mod pages;

use bank::Bank;
use consentry_sdk::contract::prompt;
use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

/// How often the bank is asked whether the person has agreed, in milliseconds.
const LOOK_EVERY: u32 = 5_000;
/// How often at most: for a quarter of an hour.
const LOOKS: u32 = 180;

fn collect() -> Result {
    progress::step("consent");
    let bank = Bank::new()?;
    let consent = agree(&bank)?;
    credentials::authenticated()?;
    // A bank that refuses is asked for nothing more, and what it said stays the last that is known: the consent ends with the day.
    read(&bank, &consent)?;
    // It was for this once. What it brought is here already: a bank that can't be reached now makes no difference.
    if let Err(fault) = bank.withdraw(&consent) {
        log::write("warn", &format!("the consent stays: {}", fault.text));
    }
    Ok(())
}

/// Asks for a consent and sends the person to the bank; the bank says what came of it.
fn agree(bank: &Bank) -> Result<String> {
    let (callback, state) = prompt::callback();
    let asked = bank.consent(&access()?, &format!("{callback}?state={state}"))?;
    let consent = asked.need("consent-id", "/consentId", "text")?;
    let Some(url) = asked.find("/_links/scaRedirect/href", "text")? else {
        return Err(Code::ChallengeUnsupported.fault("the bank has another way than to send the person there"));
    };
    let agreed = || {
        let status = bank.read(&format!("/consents/{consent}/status"), &consent, &[], &["consent-status"])?;
        Ok((status.need("consent-status", "/consentStatus", "text")? == "valid").then_some(()))
    };
    ask("redirect").detail("url", url).until(LOOK_EVERY, LOOKS, agreed)?;
    Ok(consent)
}

/// What the consent is for: what is wanted, where the bank lets that be said.
fn access() -> Result<String> {
    let access = match job::param("consent").as_deref() {
        Some("all") => r#""allPsd2":"allAccounts""#.to_owned(),
        Some("offered") => {
            let parts = [("balances", "bank.balance"), ("transactions", "bank.transaction")];
            let parts = parts.into_iter().filter(|(_, category)| job::wanted(category));
            parts.fold(r#""accounts":[]"#.to_owned(), |access, (part, _)| format!(r#"{access},"{part}":[]"#))
        }
        _ => return Err(Code::Unclassified.fault("the source's parameter `consent` is `all` or `offered`")),
    };
    let until = clock::today();
    Ok(format!(
        r#"{{"access":{{{access}}},"recurringIndicator":false,"validUntil":"{until}","frequencyPerDay":1,"combinedServiceIndicator":false}}"#
    ))
}

fn read(bank: &Bank, consent: &str) -> Result {
    progress::step("accounts");
    let page = bank.read("/accounts", consent, &[], &["accounts", "no-accounts"])?;
    let accounts = pages::accounts(&page)?;
    for account in accounts.iter().filter(|account| account.has_balances && job::wanted("bank.balance")) {
        let path = format!("/accounts/{}/balances", account.id);
        let page = bank.read(&path, consent, &[], &["balances"]);
        page.and_then(|page| pages::balances(&page, account)).or_partial("bank.balance")?;
    }
    if job::wanted("bank.transaction") {
        progress::step("transactions");
        for account in accounts.iter().filter(|account| account.has_transactions) {
            transactions(bank, consent, account).or_partial("bank.transaction")?;
        }
    }
    Ok(())
}

fn transactions(bank: &Bank, consent: &str, account: &pages::Account) -> Result {
    let path = format!("/accounts/{}/transactions", account.id);
    let mut query = vec![("bookingStatus".to_owned(), "both".to_owned())];
    query.extend(job::since().map(|since| ("dateFrom".to_owned(), since)));
    loop {
        let page = bank.read(&path, consent, &query, &["transactions", "no-transactions"])?;
        match pages::transactions(&page, account)? {
            Some(next) => query = next,
            None => return Ok(()),
        }
    }
}
