//! The same collection as plain Rust: the HTTP client and the parser of the host, no sandbox, no handles, no items, no checks beyond
//! what a careful programmer writes by hand. Requests are the same, one by one.

use anyhow::{Context, ensure};
use consentry_contract::document::{Column, Document, Form, Format, Limits, Unmetered};
use consentry_contract::manifest::Origin;
use consentry_host_api::egress::Egress;
use consentry_host_api::network::{Incoming, LiveNetwork, Network, Outgoing, TlsSettings};
use jiff::civil::Date;
use sample_bank::MARIE;
use serde::Serialize;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// What was collected.
pub struct Collected {
    /// Label, IBAN, balance in cents.
    pub accounts: Vec<(String, String, i64)>,
    /// Reference, date, label, amount in cents.
    pub operations: Vec<(String, Date, String, i64)>,
}

impl Collected {
    /// As a parcel tells it.
    pub fn in_items<'a>(&'a self, observed_at: &'a str) -> Vec<InItems<'a>> {
        let accounts = self.accounts.iter().map(|(label, iban, balance)| {
            let currency = "EUR";
            let fields = Fields::Account { r#ref: iban, label, iban, minor_units: *balance, currency };
            InItems { category: "bank.account", observed_at, fields }
        });
        let operations = self.operations.iter().map(|(reference, date, label, amount)| {
            let (account, currency) = (self.accounts[0].1.as_str(), "EUR");
            let fields = Fields::Operation { account, date, label, amount: *amount, currency, reference };
            InItems { category: "bank.transaction", observed_at, fields }
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
        iban: &'a str,
        minor_units: i64,
        currency: &'static str,
    },
    Operation {
        account: &'a str,
        date: &'a Date,
        label: &'a str,
        amount: i64,
        currency: &'static str,
        reference: &'a str,
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
    let columns = [("td.libelle", "text"), ("td.iban", "text"), ("td.montant", "text"), ("td.libelle a", "url:href")];
    for row in home.rows("table#comptes tbody tr", &named(&columns), &mut Unmetered)? {
        let [label, iban, balance, url] = whole(row)?;
        collected.accounts.push((label, iban.replace(' ', ""), cents(&balance)?));
        operations(&mut visitor, url.parse()?, &mut collected.operations).await?;
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

async fn operations(
    visitor: &mut Visitor,
    url: Url,
    found: &mut Vec<(String, Date, String, i64)>,
) -> anyhow::Result<()> {
    let columns =
        named(&[("td.reference", "text"), ("td.date", "text"), ("td.libelle", "text"), ("td.montant", "text")]);
    let mut next = Some(url);
    while let Some(url) = next {
        let page = visitor.page(url).await?;
        for row in page.rows("table#operations tbody tr", &columns, &mut Unmetered)? {
            let [reference, date, label, amount] = whole(row)?;
            found.push((reference, Date::strptime("%d/%m/%Y", &date)?, label, cents(&amount)?));
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
        let body = body.map(|body| Zeroizing::new(body.into_bytes()));
        let request =
            Outgoing { method: method.parse()?, url, headers, body, body_bytes_max: 1 << 24, repeatable: true };
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

fn whole<const N: usize>(row: Vec<Option<String>>) -> anyhow::Result<[String; N]> {
    let cells = row.into_iter().collect::<Option<Vec<_>>>().context("a cell is missing")?;
    cells.try_into().ok().context("a row of another width")
}

/// `-1 234,56 €`, whatever its spaces are.
fn cents(text: &str) -> anyhow::Result<i64> {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
    Ok(digits.parse()?)
}
