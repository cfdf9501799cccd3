//! The same collection as a programmer writes it who has never heard of us: `reqwest` for the requests and `scraper` for the pages. The requests are
//! the same, one by one, and so is what comes of them (`whole.rs` compares). `native.rs` does it with the engine's own client and parser.

use anyhow::{Context, ensure};
use jiff::civil::Date;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode};
use sample_bank::MARIE;
use scraper::{ElementRef, Html, Selector};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::native::{Account, Collected, Operation, cents};

/// What is made once for all collections: who writes this by hand compiles selectors once.
pub struct Plain {
    tls: rustls::ClientConfig,
    form: Selector,
    field: Selector,
    bic: Selector,
    account: Selector,
    account_cells: [Selector; 5],
    link: Selector,
    operation: Selector,
    operation_cells: [Selector; 4],
    next: Selector,
}

impl Plain {
    pub fn new() -> anyhow::Result<Self> {
        let css = |selector: &str| Selector::parse(selector).map_err(|_| anyhow::anyhow!("no selector: {selector}"));
        Ok(Self {
            tls: rustls::ClientConfig::builder()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
            form: css("form#connexion")?,
            field: css("input[name]")?,
            bic: css("span.bic")?,
            account: css("table#comptes tbody tr")?,
            account_cells: [
                css("td.libelle")?,
                css("td.titulaire")?,
                css("td.iban")?,
                css("td.devise")?,
                css("td.montant")?,
            ],
            link: css("td.libelle a")?,
            operation: css("table#operations tbody tr")?,
            operation_cells: [css("td.reference")?, css("td.date")?, css("td.libelle")?, css("td.montant")?],
            next: css("p.pagination a.suivante")?,
        })
    }

    pub async fn collect(&self, base: &str) -> anyhow::Result<Collected> {
        let base: Url = base.parse()?;
        let client =
            Client::builder().tls_backend_preconfigured(self.tls.clone()).redirect(reqwest::redirect::Policy::none());
        let mut visitor = Visitor { client: client.build()?, cookie: None };
        let (accounts, urls) = self.accounts(&self.log_in(&mut visitor, &base).await?)?;
        let mut collected = Collected { accounts, operations: Vec::new() };
        for (account, url) in urls.into_iter().enumerate() {
            let mut next = Some(url);
            while let Some(url) = next {
                let page = visitor.page(&url).await?;
                let link = self.operations(&page, account, &mut collected.operations)?;
                next = link.map(|link| url.join(&link)).transpose()?;
            }
        }
        visitor.fetch(Method::GET, &base.join("/logout")?, None).await?;
        Ok(collected)
    }

    /// The page behind the login, and the address it stands at.
    async fn log_in(&self, visitor: &mut Visitor, base: &Url) -> anyhow::Result<(String, Url)> {
        let login = base.join("/login")?;
        let body = self.filled(&visitor.page(&login).await?)?;
        let answer = visitor.fetch(Method::POST, &login, Some(body)).await?;
        let home = login.join(answer.headers.get(LOCATION).context("the login was refused")?.to_str()?)?;
        Ok((visitor.page(&home).await?, home))
    }

    fn filled(&self, page: &str) -> anyhow::Result<String> {
        let page = Html::parse_document(page);
        let form = page.select(&self.form).next().context("no login form")?;
        let mut body = Serializer::new(String::new());
        for input in form.select(&self.field) {
            let name = input.attr("name").unwrap_or_default();
            let value = match name {
                "identifiant" => MARIE.login,
                "motdepasse" => MARIE.password,
                _ => input.attr("value").unwrap_or_default(),
            };
            body.append_pair(name, value);
        }
        Ok(body.finish())
    }

    fn accounts(&self, (page, at): &(String, Url)) -> anyhow::Result<(Vec<Account>, Vec<Url>)> {
        let page = Html::parse_document(page);
        let bic = page.select(&self.bic).next().map(text);
        let (mut accounts, mut urls) = (Vec::new(), Vec::new());
        for row in page.select(&self.account) {
            let [label, holder, iban, currency, balance] = cells(row, &self.account_cells)?;
            let link = row.select(&self.link).next().and_then(|link| link.attr("href")).context("no link")?;
            let kind = match label.as_str() {
                _ if label.starts_with("Compte chèques") => Some("current"),
                _ if label.starts_with("Livret") => Some("savings"),
                _ => None,
            };
            let reference = link.rsplit('/').nth(1).context("no number in the address")?.to_owned();
            let (iban, balance) = (iban.parse()?, cents(&balance)?);
            accounts.push(Account { reference, label, holder, iban, bic: bic.clone(), currency, kind, balance });
            urls.push(at.join(link)?);
        }
        Ok((accounts, urls))
    }

    /// Where the next page is.
    fn operations(&self, page: &str, account: usize, to: &mut Vec<Operation>) -> anyhow::Result<Option<String>> {
        let page = Html::parse_document(page);
        for row in page.select(&self.operation) {
            let [reference, date, label, amount] = cells(row, &self.operation_cells)?;
            let (date, amount) = (Date::strptime("%d/%m/%Y", date)?, cents(&amount)?);
            to.push(Operation { account, reference, date, label, amount });
        }
        Ok(page.select(&self.next).next().and_then(|link| link.attr("href")).map(str::to_owned))
    }
}

fn cells<const N: usize>(row: ElementRef<'_>, at: &[Selector; N]) -> anyhow::Result<[String; N]> {
    let mut cells = std::array::from_fn(|_| String::new());
    for (cell, at) in cells.iter_mut().zip(at) {
        *cell = text(row.select(at).next().context("a cell is missing")?);
    }
    Ok(cells)
}

/// As it is read, with single spaces between words.
fn text(element: ElementRef<'_>) -> String {
    let mut words = String::new();
    for word in element.text().flat_map(|text| text.split_ascii_whitespace()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

struct Visitor {
    client: Client,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Visitor {
    async fn page(&mut self, url: &Url) -> anyhow::Result<String> {
        let answer = self.fetch(Method::GET, url, None).await?;
        ensure!(answer.status.is_success(), "status {}", answer.status);
        Ok(answer.body)
    }

    async fn fetch(&mut self, method: Method, url: &Url, body: Option<String>) -> anyhow::Result<Answer> {
        let mut request = self.client.request(method, url.clone());
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await?;
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            self.cookie = cookie.to_str()?.split(';').next().map(str::to_owned);
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        // To its end, so that the connection is used again.
        Ok(Answer { status, headers, body: answer.text().await? })
    }
}
