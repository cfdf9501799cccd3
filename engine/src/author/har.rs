//! A manifest proposed from what a browser recorded (HAR): origins, pages, fields and where they go. Names of the site stay only as far as they are
//! words that every report may show; values stay nowhere. Whoever reads the proposal learns how the site is built, and of nobody's account.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use consentry_contract::document::{Column, Document, Format, Limits, Unmetered};
use consentry_tape::Allowed;
use serde_json::Value;
use url::Url;

/// Most pages and fields that are proposed.
const PAGES_MAX: usize = 40;
const FIELDS_MAX: usize = 8;
/// Most selectors of one page.
const REQUIRES_MAX: usize = 2;
/// What a name of a secret field has in it.
const SECRET: [&str; 8] = ["pass", "pwd", "mdp", "secret", "pin", "kennwort", "contrasena", "code"];
/// What a name of a login field has in it.
const LOGIN: [&str; 8] = ["user", "login", "mail", "ident", "account", "client", "number", "name"];

/// The type of a form's body.
const FORM: &str = "application/x-www-form-urlencoded";
/// What hosts are called before their domain, and says nothing of anybody.
const HOSTS: [&str; 32] = [
    "www",
    "api",
    "app",
    "apps",
    "auth",
    "login",
    "sso",
    "id",
    "oauth",
    "accounts",
    "account",
    "my",
    "mon",
    "secure",
    "online",
    "web",
    "m",
    "mobile",
    "portal",
    "portail",
    "espace",
    "client",
    "clients",
    "espaceclient",
    "particuliers",
    "pro",
    "static",
    "cdn",
    "assets",
    "services",
    "service",
    "ws",
];
/// Stands for any other name before a domain: it may be a customer's.
const STRANGER: &str = "customer";

/// A file is no HAR, or there is nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HarError {
    /// It is something else.
    #[error("this is no HAR file: JSON with log.entries")]
    None,
    /// No page was loaded in it.
    #[error("no page stands in the HAR file")]
    Empty,
}

/// What is proposed.
#[derive(Debug, Default)]
struct Proposal {
    base: Option<Url>,
    origins: Vec<String>,
    fields: Vec<Field>,
    pages: Vec<Page>,
}

#[derive(Debug)]
struct Field {
    name: String,
    secret: bool,
    /// Where it goes: requests and slots.
    sinks: Vec<(String, String)>,
}

#[derive(Debug)]
struct Page {
    id: String,
    url: String,
    requires: Vec<String>,
    login: bool,
}

/// The text of a manifest for the site in this HAR. `NAME` stands for the connector's name.
///
/// # Errors
/// [`HarError`].
pub fn manifest(har: &[u8]) -> Result<String, HarError> {
    let har: Value = serde_json::from_slice(har).map_err(|_| HarError::None)?;
    let entries = har["log"]["entries"].as_array().ok_or(HarError::None)?;
    let mut proposal = Proposal::default();
    for entry in entries {
        proposal.entry(entry);
    }
    if proposal.pages.is_empty() {
        return Err(HarError::Empty);
    }
    Ok(proposal.written())
}

/// Whether a name is made of words that say nothing of anybody.
fn known(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && Allowed::default().named(&format!("https://a.example/{name}")) == format!("/{name}")
}

/// The origin, without what may tell about a person: of its host the domain stays, and before it words that many sites have.
fn origin(url: &Url) -> String {
    let whole = url.origin().ascii_serialization();
    let Some(url::Host::Domain(host)) = url.host() else { return whole };
    let labels: Vec<&str> = host.split('.').collect();
    // `example.co.uk` is one domain.
    let short =
        |at: usize| labels.len().checked_sub(at).and_then(|at| labels.get(at)).is_some_and(|label| label.len() <= 3);
    let domain = if labels.len() > 2 && labels.last().is_some_and(|last| last.len() == 2) && short(2) { 3 } else { 2 };
    let before = labels.len().saturating_sub(domain);
    let kept = labels
        .iter()
        .enumerate()
        .map(|(at, label)| if at < before && !HOSTS.contains(label) { STRANGER } else { label });
    let kept = kept.collect::<Vec<_>>().join(".");
    whole.replacen(host, &kept, 1)
}

/// The text of an answer, which a browser may have written in base64.
fn body(content: &Value) -> String {
    let text = content["text"].as_str().unwrap_or_default();
    if content["encoding"].as_str() != Some("base64") {
        return text.to_owned();
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Proposal {
    fn entry(&mut self, entry: &Value) {
        let (request, response) = (&entry["request"], &entry["response"]);
        let (Some(method), Some(Ok(url))) = (request["method"].as_str(), request["url"].as_str().map(Url::parse))
        else {
            return;
        };
        let method = match method {
            "GET" => "GET",
            "POST" => "POST",
            "PUT" => "PUT",
            _ => return,
        };
        let media = response["content"]["mimeType"].as_str().unwrap_or_default();
        let format = Format::of_content_type(media).filter(|format| *format != Format::Xml);
        if format.is_none() && method == "GET" {
            return;
        }
        let origin = origin(&url);
        if self.base.is_none() {
            self.base = Url::parse(&origin).ok();
        }
        if !self.origins.contains(&origin) {
            self.origins.push(origin);
        }
        self.fields(method, &url, &request["postData"]);
        if let Some(format) = format.filter(|_| response["status"].as_u64() == Some(200)) {
            self.page(&url, format, &response["content"]);
        }
    }

    /// The URL as a pattern: what is no known word is `*`.
    fn pattern(&self, url: &Url) -> String {
        let path = Allowed::default().named(url.as_str());
        let origin = origin(url);
        let base = self.base.as_ref().map(|base| base.origin().ascii_serialization());
        let path = if path.is_empty() { "/".to_owned() } else { path };
        format!("{}{path}", if base.as_deref() == Some(&origin) { "{base}".to_owned() } else { origin })
    }

    fn fields(&mut self, method: &str, url: &Url, data: &Value) {
        let media = data["mimeType"].as_str().unwrap_or_default();
        let names: Vec<String> = if Format::of_content_type(media) == Some(Format::Json) {
            let body: Value = serde_json::from_str(data["text"].as_str().unwrap_or_default()).unwrap_or_default();
            body.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
        } else {
            let named = |param: &Value| Some(param["name"].as_str()?.to_owned());
            let params: Vec<String> = data["params"].as_array().into_iter().flatten().filter_map(named).collect();
            // Some browsers write the body alone.
            let text =
                data["text"].as_str().filter(|_| params.is_empty() && media.starts_with(FORM)).unwrap_or_default();
            let pairs = url::form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned());
            params.into_iter().chain(pairs).collect()
        };
        let slot = if Format::of_content_type(media) == Some(Format::Json) { "json:/" } else { "form:" };
        let has = |name: &str, words: &[&str]| words.iter().any(|word| name.to_lowercase().contains(word));
        if !names.iter().any(|name| has(name, &SECRET)) {
            return;
        }
        for name in names.into_iter().filter(|name| known(name)) {
            let secret = has(&name, &SECRET);
            let sink = (format!("{method} {}", self.pattern(url)), format!("{slot}{name}"));
            let name = kebab(&name);
            let known = self.fields.iter().position(|field| field.name == name);
            if let Some(sinks) = known.map(|at| &mut self.fields[at].sinks) {
                if sinks.iter().all(|(_, slot)| *slot != sink.1) {
                    sinks.push(sink);
                }
            } else if self.fields.len() < FIELDS_MAX && (secret || has(&name, &LOGIN)) {
                self.fields.push(Field { name, secret, sinks: vec![sink] });
            }
        }
    }

    fn page(&mut self, url: &Url, format: Format, content: &Value) {
        let pattern = self.pattern(url);
        if self.pages.len() >= PAGES_MAX || self.pages.iter().any(|page| page.url == pattern) {
            return;
        }
        let (requires, login) = marks(&body(content), format);
        let words: Vec<String> = pattern.split('/').skip(1).filter(|word| known(word)).map(kebab).collect();
        let mut id = if words.is_empty() { "home".to_owned() } else { words.join("-") };
        id.truncate(40);
        let id = id.trim_end_matches('-').to_owned();
        let id = match self.pages.iter().any(|page| page.id == id) {
            true => format!("{id}-{}", letters(self.pages.len())),
            false => id,
        };
        self.pages.push(Page { id, url: pattern, requires, login });
    }

    fn written(&self) -> String {
        let categories = "\"person.name\"";
        let base = self.base.as_ref().map_or("", |base| base.as_str().trim_end_matches('/'));
        let origins = self.origins.iter().map(|origin| if origin == base { "{base}" } else { origin });
        let origins: Vec<String> = origins.map(|origin| format!("{origin:?}")).collect();
        let mut out = format!(
            "# Proposed from what a browser recorded; no value of it is in here. Take what fits into manifest.toml. A `*` stands for what was no\n\
             # known word: put the site's own word back where it is the same for everybody. So does `customer` in the name of a host.\n\
             contract = \"0.1\"\nid = \"NAME\"\nversion = \"0.1.0\"\nowner = {{ name = \"Your name\", contact = \"you@example.org\" }}\n\
             capabilities = [\"http\", \"prompt\"]\ncategories = [{categories}]\nsteps = [\"login\"]\n\n\
             [[source]]\nid = \"NAME\"\nname = \"NAME\"\ncountry = \"FR\"\nkind = \"other\"\nbase = {base:?}\norigins = [{}]\n",
            origins.join(", ")
        );
        let mut login = self.fields.iter().position(|field| !field.secret);
        if login.is_none() && !self.fields.is_empty() {
            login = Some(0);
        }
        for (at, field) in self.fields.iter().enumerate() {
            let kind = if field.secret { "secret" } else { "identifier" };
            let login = if login == Some(at) { "login = true\n" } else { "" };
            // A String takes all.
            let _ = write!(
                out,
                "\n[[field]]\nname = {:?}\nkind = \"{kind}\"\n{login}label = {{ en = {:?} }}\n",
                field.name, field.name
            );
            for (request, slot) in &field.sinks {
                // As above.
                let _ =
                    write!(out, "[[field.sink]]\nrequest = {request:?}\nslot = {slot:?}\nrecipe = \"raw\"\nmax = 1\n");
            }
        }
        for page in &self.pages {
            let login = if page.login { "login = true\n" } else { "" };
            let requires: Vec<String> = page.requires.iter().map(|at| format!("{at:?}")).collect();
            let requires =
                if requires.is_empty() { String::new() } else { format!("requires = [{}]\n", requires.join(", ")) };
            let _ = write!(out, "\n[[page]]\nid = {:?}\nurl = {:?}\n{requires}{login}", page.id, page.url);
        }
        out
    }
}

/// What a page can be told by: forms and tables with an id, or members; and whether it asks for a password.
fn marks(text: &str, format: Format) -> (Vec<String>, bool) {
    let parsed = Document::parse(format, text.as_bytes(), Some("utf-8"), None, &Limits::default(), &mut Unmetered);
    let Ok(document) = parsed else { return (Vec::new(), false) };
    if format == Format::Json {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let members = body.as_object().into_iter().flat_map(|members| members.keys());
        let members = members.filter(|name| known(name)).take(REQUIRES_MAX);
        return (members.map(|name| format!("/{name}")).collect(), false);
    }
    let login = document.exists("input[type=password]", &mut Unmetered).unwrap_or(false);
    let mut found = BTreeSet::new();
    for tag in ["form", "table", "main", "section"] {
        let column = Column { name: "id".to_owned(), at: String::new(), take: "attr:id".to_owned() };
        let rows = document.rows(&format!("{tag}[id]"), &[column], &mut Unmetered).unwrap_or_default();
        let ids = rows.into_iter().filter_map(|mut row| row.pop().flatten());
        found.extend(ids.filter(|id| known(id)).map(|id| format!("{tag}#{id}")));
    }
    if login {
        found.insert("input[type=password]".to_owned());
    }
    let found = found.into_iter().rev().take(REQUIRES_MAX).collect();
    (found, login)
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'A'..='Z' if out.ends_with(|c: char| c.is_ascii_lowercase()) => {
                out.push('-');
                out.push(c.to_ascii_lowercase());
            }
            '_' | '-' if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            c if c.is_ascii_alphabetic() => out.push(c.to_ascii_lowercase()),
            _ => {}
        }
    }
    let out = out.trim_end_matches('-').to_owned();
    if out.is_empty() { "page".to_owned() } else { out }
}

/// A number in letters: an id has few digits.
fn letters(number: usize) -> String {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    [letter(number / 26), letter(number)].iter().collect()
}

#[cfg(test)]
mod tests {
    use consentry_contract::manifest::Manifest;
    use serde_json::json;

    use super::*;

    /// Values of a person's, one in each place where a HAR can have one.
    const CANARIES: [&str; 16] = [
        "marie-dupont",
        "c4711",
        "Zorglub",
        "98765432",
        "Sesame-77",
        "FR7630006000011234567890189",
        "tok3n-abcdef",
        "q-canary",
        "h-canary",
        "b-canary",
        "c-canary",
        "k-canary",
        "i-canary",
        "f-canary",
        "segment-canary",
        "zz9-canary",
    ];

    fn entry(method: &str, url: &str, data: &Value, media: &str, text: &str) -> Value {
        json!({
            "request": {
                "method": method, "url": url, "postData": data,
                "headers": [{ "name": "authorization", "value": "Bearer tok3n-abcdef" }, { "name": "h-canary", "value": "h-canary" }],
                "cookies": [{ "name": "c-canary", "value": "c-canary" }],
                "queryString": [{ "name": "q-canary", "value": "q-canary" }],
            },
            "response": {
                "status": 200, "headers": [{ "name": "set-cookie", "value": "c-canary" }],
                "content": { "mimeType": media, "text": text },
            },
        })
    }

    fn har() -> Value {
        let login = "<form id='login'><input name=user><input type=password name=password value='b-canary'></form>";
        let accounts = "<p>Zorglub</p><table id='accounts'><tr><td>FR7630006000011234567890189</td></tr></table>\
                        <table id='i-canary'></table>";
        let form = json!({ "mimeType": "application/x-www-form-urlencoded", "params": [
            { "name": "user", "value": "98765432" }, { "name": "password", "value": "Sesame-77" },
            { "name": "f-canary", "value": "f-canary" },
        ] });
        let text = json!({ "mimeType": "application/x-www-form-urlencoded; charset=utf-8", "text": "code=Sesame-77&f-canary=1" });
        let mut packed = entry("GET", "https://bank.example/profile", &Value::Null, "text/html", "");
        let page = "<p>Zorglub</p><form id='profile'></form>";
        packed["response"]["content"]["text"] = base64::engine::general_purpose::STANDARD.encode(page).into();
        packed["response"]["content"]["encoding"] = "base64".into();
        let api = r#"{"accounts":[{"holder":"Zorglub"}],"k-canary":1,"FR7630006000011234567890189":2}"#;
        json!({ "log": { "entries": [
            entry("GET", "https://bank.example/login?q-canary=q-canary", &Value::Null, "text/html", login),
            entry("POST", "https://bank.example/login", &form, "text/html", login),
            entry("GET", "https://bank.example/accounts/98765432/segment-canary", &Value::Null, "text/html; charset=utf-8", accounts),
            entry("GET", "https://api.bank.example/v1/accounts?iban=FR7630006000011234567890189#zz9-canary", &Value::Null, "application/json", api),
            entry("GET", "https://marie-dupont.bank.example/home", &Value::Null, "text/html", "<main id='home'></main>"),
            entry("GET", "https://c4711.marie-dupont.example.co.uk/home", &Value::Null, "text/html", "<main id='home'></main>"),
            entry("POST", "https://bank.example/second", &text, "text/html", login),
            packed,
            entry("POST", "https://api.bank.example/login", &json!({ "mimeType": "application/json", "text": "{\"user\":\"98765432\",\"password\":\"Sesame-77\"}" }), "application/json", api),
            entry("GET", "https://cdn.example/zz9-canary.css", &Value::Null, "text/css", "b-canary"),
        ] } })
    }

    #[test]
    fn a_proposal_holds_and_no_value_is_in_it() {
        let text = manifest(har().to_string().as_bytes()).unwrap();
        for canary in CANARIES {
            assert!(!text.to_lowercase().contains(&canary.to_lowercase()), "{canary}\n{text}");
        }
        let manifest =
            Manifest::parse(&text.replace("NAME", "my-bank")).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let fields: Vec<&str> = manifest.fields().iter().map(|field| field.name.as_str()).collect();
        assert_eq!(fields, ["user", "password", "code"], "{text}");
        for line in [
            "form#login",
            "form#profile",
            "https://customer.bank.example",
            "https://customer.customer.example.co.uk",
            "table#accounts",
            "\"/accounts\"",
            "https://api.bank.example",
            "{base}/accounts/*/*",
            // The same field of another login.
            "slot = \"json:/user\"",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("cdn.example"));
    }

    #[test]
    fn what_is_no_har_proposes_nothing() {
        assert_eq!(manifest(b"{"), Err(HarError::None));
        assert_eq!(manifest(b"{}"), Err(HarError::None));
        assert_eq!(manifest(br#"{"log":{"entries":[]}}"#), Err(HarError::Empty));
    }
}
