//! Requests. A value is a text, a secret, or several of them one behind the other in a tuple: `("Bearer ", &token)`.

pub use crate::contract::credentials::{Piece, Secret, Slot};
pub use crate::contract::document::Form;
pub use crate::contract::http::Response;

use crate::contract::{credentials, http};
use crate::fault::{Code, Result};
use crate::host::{Document, job};
use crate::page::Page;

/// A request in the making; nothing leaves before [`send`](Request::send).
#[must_use = "a request goes out only when it is sent"]
pub struct Request<'a> {
    method: String,
    url: String,
    query: Vec<Named<'a>>,
    headers: Vec<Named<'a>>,
    fields: Vec<Named<'a>>,
    body: Option<Named<'a>>,
    options: Vec<(String, String)>,
}

type Named<'a> = (String, Vec<Piece<'a>>);

/// A GET request. What begins with `/` is added to the source's base URL.
pub fn get<'a>(url: impl AsRef<str>) -> Request<'a> {
    Request::new("GET", url)
}

/// A POST request. What begins with `/` is added to the source's base URL.
pub fn post<'a>(url: impl AsRef<str>) -> Request<'a> {
    Request::new("POST", url)
}

/// Sends requests side by side; answers and cookies count in the order asked.
///
/// # Errors
/// The first fault.
pub fn send_all(requests: Vec<Request<'_>>) -> Result<Vec<Response>> {
    let requests = requests.into_iter().map(Request::build).collect();
    http::send_all(requests).into_iter().collect()
}

/// The login field of this name.
///
/// # Errors
/// If the person left it empty.
pub fn credential(field: &str) -> Result<Secret> {
    credentials::get(field)
        .ok_or_else(|| Code::Unclassified.fault(format!("the field {field} is empty, or not in the manifest")))
}

/// A secret in another encoding than the host's own for that place: `base64`, `percent`, …
pub fn encoded<'a>(encoding: &str, secret: &'a Secret) -> Piece<'a> {
    Piece::Secret(Slot { secret, encoding: encoding.to_owned() })
}

impl<'a> Request<'a> {
    /// A request with any method, in capitals.
    pub fn new(method: &str, url: impl AsRef<str>) -> Self {
        let url = url.as_ref();
        let base = if url.starts_with('/') { job::base() } else { String::new() };
        let (method, url) = (method.to_owned(), base + url);
        Self { method, url, query: vec![], headers: vec![], fields: vec![], body: None, options: vec![] }
    }

    /// Sets a form field: in place of one of that name, else behind the others.
    pub fn field(mut self, name: &str, value: impl Value<'a>) -> Self {
        set(&mut self.fields, name, value);
        self
    }

    /// Sets a query parameter, which is added to those of the URL.
    pub fn query(mut self, name: &str, value: impl Value<'a>) -> Self {
        set(&mut self.query, name, value);
        self
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: impl Value<'a>) -> Self {
        set(&mut self.headers, name, value);
        self
    }

    /// Sets the whole body.
    pub fn body(mut self, content_type: &str, value: impl Value<'a>) -> Self {
        self.body = Some((content_type.to_owned(), pieces(value)));
        self
    }

    /// Redirects are answered, not followed.
    pub fn no_redirects(mut self) -> Self {
        self.option("redirect", "manual");
        self
    }

    /// The fields go into this JSON text (`{}` will do): each is named by its JSON Pointer.
    pub fn json(mut self, text: &str) -> Self {
        self.option("form", "json");
        self.body("application/json", text)
    }

    /// The fields go into this XML text, `<a><b></b></a>`: each is named by its path, `/a/b` or `/a/b@attribute`, without prefixes.
    pub fn xml(mut self, text: &str) -> Self {
        self.option("form", "xml");
        self.body("application/xml", text)
    }

    /// Sets a file of a multipart form; the other fields become parts of it too.
    pub fn file(mut self, name: &str, filename: &str, content_type: &str, value: impl Value<'a>) -> Self {
        self.option("form", "multipart");
        self.option(&format!("filename:{name}"), filename);
        self.option(&format!("type:{name}"), content_type);
        self.field(name, value)
    }

    /// Sent over a connection that the operator's certificate of this name is presented on, where the manifest has a sink for it:
    /// `slot = "client-certificate"`.
    pub fn client_certificate(mut self, name: &str) -> Self {
        self.option("client-certificate", name);
        self
    }

    fn option(&mut self, name: &str, value: &str) {
        self.options.push((name.to_owned(), value.to_owned()));
    }

    /// Sends it. A page that the manifest calls a failure is a fault; another status than 200 alone is none.
    ///
    /// # Errors
    /// What the host answers.
    pub fn send(self) -> Result<Response> {
        http::send(self.build())
    }

    /// Sends it and reads the answer as a page.
    ///
    /// # Errors
    /// As [`send`](Self::send), or `value-unparsable` for what is no HTML, XML or JSON.
    pub fn page(self) -> Result<Page> {
        Page::of(self.send()?)
    }

    /// Sends it; the answer must be one of these pages of the manifest.
    ///
    /// # Errors
    /// As [`page`](Self::page), or `page-unrecognised`.
    pub fn expect(self, pages: &[&str]) -> Result<Page> {
        self.page()?.expect(pages)
    }

    fn build(self) -> http::Request {
        let request = http::Request::new(&self.method, &self.url);
        self.query.iter().for_each(|(name, value)| request.query(name, value));
        self.headers.iter().for_each(|(name, value)| request.header(name, value));
        self.fields.iter().for_each(|(name, value)| request.field(name, value));
        self.body.iter().for_each(|(content_type, data)| request.body(content_type, data));
        self.options.iter().for_each(|(name, value)| request.set(name, value));
        request
    }
}

impl Document {
    /// The form as the page fills it in, hidden fields and all, ready for the rest. Its absence is reported by `name`.
    ///
    /// # Errors
    /// `page-unrecognised` if it is not there.
    pub fn fill<'a>(&self, name: &str, at: &str) -> Result<Request<'a>> {
        let form = self.form(name, at)?;
        let mut request = Request::new(&form.method.to_uppercase(), form.action);
        let filled: Vec<Named<'a>> = form.fields.into_iter().map(|(name, value)| (name, pieces(value))).collect();
        if request.method == "GET" {
            request.query = filled
        } else {
            request.fields = filled
        }
        if !form.charset.eq_ignore_ascii_case("utf-8") {
            request.option("charset", &form.charset);
        }
        if form.encoding == "multipart/form-data" {
            request.option("form", "multipart");
        }
        Ok(request)
    }
}

/// What may stand as a value in a request.
pub trait Value<'a> {
    /// Adds its pieces.
    fn add_to(self, pieces: &mut Vec<Piece<'a>>);
}

impl<'a> Value<'a> for &str {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(Piece::Text(self.to_owned()));
    }
}

impl<'a> Value<'a> for String {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(Piece::Text(self));
    }
}

impl<'a> Value<'a> for &String {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        self.as_str().add_to(pieces);
    }
}

impl<'a> Value<'a> for &'a Secret {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(encoded("raw", self));
    }
}

impl<'a> Value<'a> for Piece<'a> {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(self);
    }
}

impl<'a> Value<'a> for Vec<Piece<'a>> {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.extend(self);
    }
}

impl<'a> Value<'a> for Vec<u8> {
    fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(Piece::Bytes(self));
    }
}

macro_rules! tuples {
    ($($($name:ident)+,)+) => {$(
        impl<'a, $($name: Value<'a>),+> Value<'a> for ($($name,)+) {
            fn add_to(self, pieces: &mut Vec<Piece<'a>>) {
                #[expect(non_snake_case, reason = "a part is called by its type")]
                let ($($name,)+) = self;
                $($name.add_to(pieces);)+
            }
        }
    )+};
}

tuples! { A B, A B C, A B C D, A B C D E, A B C D E F, }

pub(crate) fn pieces<'a>(value: impl Value<'a>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    value.add_to(&mut pieces);
    pieces
}

fn set<'a>(all: &mut Vec<Named<'a>>, name: &str, value: impl Value<'a>) {
    let value = pieces(value);
    match all.iter_mut().find(|(known, _)| known == name) {
        Some(known) => known.1 = value,
        None => all.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[Named<'_>]) -> Vec<String> {
        let text = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => text.clone(),
            _ => "?".to_owned(),
        };
        values
            .iter()
            .map(|(name, pieces)| format!("{name}={}", pieces.iter().map(text).collect::<Vec<_>>().join("+")))
            .collect()
    }

    #[test]
    fn a_field_is_replaced_in_its_place() {
        let request =
            post("https://a.example/login").field("token", "t").field("login", "").field("more", ("a", "b".to_owned()));
        let request = request.field("login", "x").header("accept", "text/html").query("q", "1");
        assert_eq!(texts(&request.fields), ["token=t", "login=x", "more=a+b"]);
        assert_eq!(
            (texts(&request.headers), texts(&request.query)),
            (vec!["accept=text/html".to_owned()], vec!["q=1".to_owned()])
        );
    }
}
