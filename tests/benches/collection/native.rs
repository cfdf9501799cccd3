//! The same collection as plain Rust from the same parts: the HTTP client and the parser of the host, no sandbox, no handles, no table of items. Requests are the
//! same, one by one, and so is what comes of them: `whole.rs` compares both parcels value by value. It checks what a careful
//! programmer checks by hand: statuses, that each cell is there, dates, the check digits of an IBAN, an account's kind.

use anyhow::{Context, ensure};
use consentry_contract::document::{Column, Document, Form, Format, Limits, Unmetered};
use consentry_contract::manifest::Origin;
use consentry_host_api::egress::Egress;
use consentry_host_api::network::{Incoming, LiveNetwork, Network, Outgoing, Payload, TlsSettings};
use iban::{Iban, IbanLike as _};
use jiff::civil::Date;
use sample_bank::MARIE;
use serde::Serialize;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// What was collected.
pub struct Collected {
    pub accounts: Vec<Account>,
    pub operations: Vec<Operation>,
}

pub struct Account {
    pub reference: String,
    pub label: String,
    pub holder: String,
    pub iban: Iban,
    pub bic: Option<String>,
    pub currency: String,
    pub kind: Option<&'static str>,
    /// In cents.
    pub balance: i64,
}

pub struct Operation {
    /// Place of its account.
    pub account: usize,
    pub reference: String,
    pub date: Date,
    pub label: String,
    /// In cents.
    pub amount: i64,
}

impl Collected {
    /// As a parcel tells it.
    pub fn in_items<'a>(&'a self, observed_at: &'a str) -> Vec<InItems<'a>> {
        let item = |category, fields| InItems { category, observed_at, fields };
        let accounts = self.accounts.iter().flat_map(|account| {
            let Account { reference, label, holder, iban, bic, currency, kind, balance } = account;
            let (iban, bic) = (iban.electronic_str(), bic.as_deref());
            let account = Fields::Account { r#ref: reference, label, kind: *kind, holder, iban, bic, currency };
            let balance = Fields::Balance { account: reference, amount: *balance, currency };
            [item("bank.account", account), item("bank.balance", balance)]
        });
        let operations = self.operations.iter().map(|operation| {
            let Operation { account, reference, date, label, amount } = operation;
            let Account { reference: account, currency, .. } = &self.accounts[*account];
            item(
                "bank.transaction",
                Fields::Operation { account, r#ref: reference, date, label, amount: *amount, currency },
            )
        });
        accounts.chain(operations).collect()
    }
}

/// An item of a parcel.
#[derive(Serialize)]
pub struct InItems<'a> {
    category: &'static str,
    observed_at: &'a str,
    fields: Fields<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    Account {
        r#ref: &'a str,
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
        holder: &'a str,
        iban: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        bic: Option<&'a str>,
        currency: &'a str,
    },
    Balance {
        account: &'a str,
        amount: i64,
        currency: &'a str,
    },
    Operation {
        account: &'a str,
        r#ref: &'a str,
        date: &'a Date,
        label: &'a str,
        amount: i64,
        currency: &'a str,
    },
}

struct Visitor {
    network: LiveNetwork,
    cookie: Option<String>,
}

pub async fn collect(base: &str, tls: &TlsSettings) -> anyhow::Result<Collected> {
    let base: Url = base.parse()?;
    let egress = Egress::new(&[Origin::of(&base)?], true);
    let mut visitor = Visitor { network: LiveNetwork::new(&egress, tls, "bench")?, cookie: None };
    let home = log_in(&mut visitor, &base).await?;
    let mut collected = Collected { accounts: Vec::new(), operations: Vec::new() };
    let columns = [
        ("td.libelle", "text"),
        ("td.titulaire", "text"),
        ("td.iban", "text"),
        ("td.devise", "text"),
        ("td.montant", "text"),
        ("td.libelle a", "url:href"),
    ];
    let bic = home.find("span.bic", "text", &mut Unmetered)?;
    let accounts = home.cells("table#comptes tbody tr", &named(&columns), &mut Unmetered)?;
    for row in rows(&accounts) {
        let [label, holder, iban, currency, balance, url] = row?;
        let kind = match label {
            _ if label.starts_with("Compte chèques") => Some("current"),
            _ if label.starts_with("Livret") => Some("savings"),
            _ => None,
        };
        let account = Account {
            // …/accounts/NUMBER/operations
            reference: url.rsplit('/').nth(1).context("no number in the address")?.to_owned(),
            label: label.to_owned(),
            holder: holder.to_owned(),
            iban: iban.parse()?,
            bic: bic.clone(),
            currency: currency.to_owned(),
            kind,
            balance: cents(balance)?,
        };
        collected.accounts.push(account);
        operations(&mut visitor, url.parse()?, &mut collected).await?;
    }
    visitor.fetch("GET", base.join("/logout")?, None).await?;
    Ok(collected)
}

async fn log_in(visitor: &mut Visitor, base: &Url) -> anyhow::Result<Document> {
    let login = base.join("/login")?;
    let page = visitor.page(login.clone()).await?;
    let form = page.form("form#connexion", &mut Unmetered)?.context("no login form")?;
    let answer = visitor.fetch("POST", login.clone(), Some(filled(&form))).await?;
    let location = answer.headers.get("location").context("the login was refused")?.to_str()?;
    visitor.page(login.join(location)?).await
}

fn filled(form: &Form) -> String {
    let mut body = Serializer::new(String::new());
    for (name, value) in &form.fields {
        let value = match name.as_str() {
            "identifiant" => MARIE.login,
            "motdepasse" => MARIE.password,
            _ => value,
        };
        body.append_pair(name, value);
    }
    body.finish()
}

async fn operations(visitor: &mut Visitor, url: Url, collected: &mut Collected) -> anyhow::Result<()> {
    let account = collected.accounts.len() - 1;
    let columns =
        named(&[("td.reference", "text"), ("td.date", "text"), ("td.libelle", "text"), ("td.montant", "text")]);
    let mut next = Some(url);
    while let Some(url) = next {
        let page = visitor.page(url).await?;
        for row in rows(&page.cells("table#operations tbody tr", &columns, &mut Unmetered)?) {
            let [reference, date, label, amount] = row?;
            let (reference, label) = (reference.to_owned(), label.to_owned());
            let (date, amount) = (Date::strptime("%d/%m/%Y", date)?, cents(amount)?);
            collected.operations.push(Operation { account, reference, date, label, amount });
        }
        let link = page.find("p.pagination a.suivante", "url:href", &mut Unmetered)?;
        next = link.map(|link| link.parse()).transpose()?;
    }
    Ok(())
}

impl Visitor {
    async fn page(&mut self, url: Url) -> anyhow::Result<Document> {
        let answer = self.fetch("GET", url.clone(), None).await?;
        ensure!(answer.status.is_success(), "status {}", answer.status);
        let limits = Limits::default();
        Ok(Document::parse(Format::Html, &answer.body, Some("utf-8"), Some(&url), &limits, &mut Unmetered)?)
    }

    async fn fetch(&mut self, method: &str, url: Url, body: Option<String>) -> anyhow::Result<Incoming> {
        let mut headers = http::HeaderMap::new();
        if let Some(cookie) = &self.cookie {
            headers.insert("cookie", cookie.parse()?);
        }
        if body.is_some() {
            headers.insert("content-type", "application/x-www-form-urlencoded".parse()?);
        }
        let body = body.map(|body| Payload::plain(Zeroizing::new(body.into_bytes())));
        let request = Outgoing {
            method: method.parse()?,
            url,
            headers,
            body,
            body_bytes_max: 1 << 24,
            repeatable: true,
            identity: None,
        };
        let answer = self.network.fetch(request).await?;
        if let Some(cookie) = answer.headers.get("set-cookie") {
            self.cookie = cookie.to_str()?.split(';').next().map(str::to_owned);
        }
        Ok(answer)
    }
}

fn named(columns: &[(&str, &str)]) -> Vec<Column> {
    let column = |(at, take): &(&str, &str)| Column { name: (*at).into(), at: (*at).into(), take: (*take).into() };
    columns.iter().map(column).collect()
}

fn rows<const N: usize>(
    (text, lengths): &(String, Vec<Option<u32>>),
) -> impl Iterator<Item = anyhow::Result<[&str; N]>> {
    let mut end = 0;
    lengths.chunks_exact(N).map(move |lengths| {
        let mut row = [""; N];
        for (cell, length) in row.iter_mut().zip(lengths) {
            let begin = end;
            end += length.context("a cell is missing")? as usize;
            *cell = &text[begin..end];
        }
        Ok(row)
    })
}

/// `-1 234,56 €`, whatever its spaces are.
pub fn cents(text: &str) -> anyhow::Result<i64> {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
    Ok(digits.parse()?)
}
