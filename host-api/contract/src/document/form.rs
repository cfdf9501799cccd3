//! The successful controls of a form, by the rules a browser submits it by. Buttons are left out, since nobody pressed one, and the
//! values of password fields are blank, since a page that fills one in has no say here.

use encoding_rs::Encoding;
use html5ever::{LocalName, local_name};
use url::Url;

use super::DocumentError;
use super::limits::Work;
use super::take::{fold, raw, resolve};
use super::tree::{NodeId, ROOT, Tree};

/// What submitting a form would send, without a button.
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, resolved; empty if the page has no address of its own.
    pub action: String,
    /// `get`, `post` or `dialog`.
    pub method: String,
    /// The encoding of the fields: `application/x-www-form-urlencoded`, `multipart/form-data` or `text/plain`.
    pub encoding: String,
    /// The charset it submits in, as the WHATWG standard names it.
    pub charset: String,
    /// Names and values in document order. Newlines are as in the page; whoever encodes them writes CRLF.
    pub fields: Vec<(String, String)>,
}

impl std::fmt::Debug for Form {
    /// Counts, since the values are a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form")
            .field("method", &self.method)
            .field("charset", &self.charset)
            .field("fields", &self.fields.len())
            .finish()
    }
}

/// The addresses and the charset of the page around a form.
pub(super) struct Page<'p> {
    pub(super) url: Option<&'p Url>,
    pub(super) base: Option<&'p Url>,
    pub(super) encoding: &'static Encoding,
}

/// Reads the form that `id` is, or stands in.
pub(super) fn read(tree: &Tree, id: NodeId, page: &Page<'_>, work: &Work<'_>) -> Result<Option<Form>, DocumentError> {
    let form = match is(tree, id, &local_name!("form")) {
        true => Some(id),
        false => owner(tree, id, work),
    };
    let Some(form) = form else {
        return Ok(None);
    };
    let charset = charset(tree, form, page);
    let mut fields = Fields { fields: Vec::new(), radios: Vec::new(), charset };
    for id in tree.descendants(ROOT).take_while(|_| work.step()) {
        if is_control(tree, id) && owner(tree, id, work) == Some(form) && !is_barred(tree, id, work) {
            fields.add(tree, id, work);
        }
    }
    let fields = fields.fields;
    work.answer(fields.iter().map(|(name, value)| name.len() + value.len()).sum())?;
    work.done()?;
    Ok(Some(Form {
        action: action(tree, form, page),
        method: method(tree, form),
        encoding: encoding(tree, form),
        charset: charset.to_owned(),
        fields,
    }))
}

fn is(tree: &Tree, id: NodeId, local: &LocalName) -> bool {
    tree.is_html(id, local)
}

fn action(tree: &Tree, form: NodeId, page: &Page<'_>) -> String {
    let action = tree.attribute(form, &local_name!("action")).map(str::trim).filter(|action| !action.is_empty());
    match action {
        Some(action) => resolve(page.base, action).map_or_else(|| action.to_owned(), String::from),
        None => page.url.map(Url::to_string).unwrap_or_default(),
    }
}

fn method(tree: &Tree, form: NodeId) -> String {
    let method = tree.attribute(form, &local_name!("method")).unwrap_or_default().to_ascii_lowercase();
    if matches!(method.as_str(), "post" | "dialog") { method } else { "get".to_owned() }
}

fn encoding(tree: &Tree, form: NodeId) -> String {
    let encoding = tree.attribute(form, &local_name!("enctype")).unwrap_or_default().to_ascii_lowercase();
    if matches!(encoding.as_str(), "multipart/form-data" | "text/plain") {
        encoding
    } else {
        "application/x-www-form-urlencoded".to_owned()
    }
}

fn charset(tree: &Tree, form: NodeId, page: &Page<'_>) -> &'static str {
    let accepted = tree.attribute(form, &local_name!("accept-charset")).unwrap_or_default();
    let accepted = accepted.split_ascii_whitespace().find_map(|label| Encoding::for_label(label.as_bytes()));
    accepted.unwrap_or(page.encoding).output_encoding().name()
}

fn is_control(tree: &Tree, id: NodeId) -> bool {
    [local_name!("input"), local_name!("select"), local_name!("textarea")].iter().any(|local| is(tree, id, local))
}

/// The form a control belongs to: the one it names, the one the parser tied it to, the one it stands in.
fn owner(tree: &Tree, control: NodeId, work: &Work<'_>) -> Option<NodeId> {
    if let Some(named) = tree.attribute(control, &local_name!("form")) {
        let mut all = tree.descendants(ROOT).take_while(|_| work.step());
        let first = all.find(|id| tree.attribute(*id, &local_name!("id")) == Some(named))?;
        return is(tree, first, &local_name!("form")).then_some(first);
    }
    // Filled by the parser as controls come, so sorted by control.
    if let Ok(at) = tree.owners.binary_search_by_key(&control, |(control, _)| *control) {
        return Some(tree.owners[at].1);
    }
    tree.ancestors(control).take_while(|_| work.step()).find(|above| is(tree, *above, &local_name!("form")))
}

/// Disabled, in a disabled fieldset (but not in its first legend), in a datalist or a template.
fn is_barred(tree: &Tree, id: NodeId, work: &Work<'_>) -> bool {
    if tree.attribute(id, &local_name!("disabled")).is_some() {
        return true;
    }
    let mut below = id;
    for above in tree.ancestors(id).take_while(|_| work.step()) {
        if is(tree, above, &local_name!("datalist")) || is(tree, above, &local_name!("template")) {
            return true;
        }
        if is(tree, above, &local_name!("fieldset")) && tree.attribute(above, &local_name!("disabled")).is_some() {
            let legend =
                tree.children(above).take_while(|_| work.step()).find(|child| is(tree, *child, &local_name!("legend")));
            if legend != Some(below) {
                return true;
            }
        }
        below = above;
    }
    false
}

struct Fields {
    fields: Vec<(String, String)>,
    /// Positions of radio buttons in `fields`: of one group only the last checked one is.
    radios: Vec<usize>,
    charset: &'static str,
}

impl Fields {
    fn add(&mut self, tree: &Tree, id: NodeId, work: &Work<'_>) {
        let Some(name) = tree.attribute(id, &local_name!("name")).filter(|name| !name.is_empty()) else {
            return;
        };
        if is(tree, id, &local_name!("select")) {
            self.fields.extend(selected(tree, id, work).into_iter().map(|value| (name.to_owned(), value)));
        } else if is(tree, id, &local_name!("textarea")) {
            self.fields.push((name.to_owned(), raw(tree, id, work)));
        } else {
            self.input(tree, id, name);
        }
    }

    fn input(&mut self, tree: &Tree, id: NodeId, name: &str) {
        let kind = tree.attribute(id, &local_name!("type")).unwrap_or_default().to_ascii_lowercase();
        let value = tree.attribute(id, &local_name!("value"));
        let checked = tree.attribute(id, &local_name!("checked")).is_some();
        let value = match kind.as_str() {
            "submit" | "button" | "reset" | "image" => return,
            "checkbox" | "radio" if !checked => return,
            "checkbox" | "radio" => value.unwrap_or("on").to_owned(),
            "password" | "file" => String::new(),
            "hidden" if name.eq_ignore_ascii_case("_charset_") => self.charset.to_owned(),
            "hidden" => value.unwrap_or_default().to_owned(),
            "email" | "url" => one_line(value.unwrap_or_default()).trim().to_owned(),
            _ => one_line(value.unwrap_or_default()),
        };
        if kind == "radio" {
            let earlier = self.radios.iter().position(|at| self.fields[*at].0 == name);
            if let Some(earlier) = earlier {
                let gone = self.radios.remove(earlier);
                self.fields.remove(gone);
                self.radios.iter_mut().filter(|at| **at > gone).for_each(|at| *at -= 1);
            }
            self.radios.push(self.fields.len());
        }
        self.fields.push((name.to_owned(), value));
    }
}

/// Fields of one line have no newlines, whatever the page wrote into them.
fn one_line(value: &str) -> String {
    value.replace(['\n', '\r'], "")
}

fn selected(tree: &Tree, select: NodeId, work: &Work<'_>) -> Vec<String> {
    let options: Vec<NodeId> = tree
        .descendants(select)
        .take_while(|_| work.step())
        .filter(|id| is(tree, *id, &local_name!("option")))
        .collect();
    let is_disabled = |option: NodeId| {
        let has = |id| tree.attribute(id, &local_name!("disabled")).is_some();
        has(option)
            || tree
                .ancestors(option)
                .next()
                .is_some_and(|group| is(tree, group, &local_name!("optgroup")) && has(group))
    };
    let chosen = |option: &NodeId| tree.attribute(*option, &local_name!("selected")).is_some();
    let value = |option: NodeId| match tree.attribute(option, &local_name!("value")) {
        Some(value) => value.to_owned(),
        None => fold(&raw(tree, option, work)),
    };
    if tree.attribute(select, &local_name!("multiple")).is_some() {
        return options.into_iter().filter(|option| chosen(option) && !is_disabled(*option)).map(value).collect();
    }
    let size: u32 = tree.attribute(select, &local_name!("size")).and_then(|size| size.trim().parse().ok()).unwrap_or(1);
    let shown = options.iter().copied().rfind(chosen);
    // A drop-down always shows something: the first option that can be chosen.
    let shown = shown.or_else(|| options.iter().copied().find(|option| size <= 1 && !is_disabled(*option)));
    shown.filter(|option| !is_disabled(*option)).map(value).into_iter().collect()
}
