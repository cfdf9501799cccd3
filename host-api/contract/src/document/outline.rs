//! The shape of a document: its elements or members, one behind the other, with nothing of what they say. What repeats itself is there
//! once, with how often.

use html5ever::local_name;

use super::json::{Json, Kind as JsonKind, string};
use super::limits::{Meter, Work};
use super::tree::{Kind, NodeId, ROOT, Tree};
use super::{Body, Document, DocumentError};

/// What stands deeper is not shown.
const DEPTH_MAX: usize = 48;
/// Lines of one outline.
const LINES_MAX: usize = 2000;

impl Document {
    /// One line for each element or member, indented by its depth: `table#accounts.list ×3`.
    ///
    /// # Errors
    /// [`DocumentError::Limit`], [`DocumentError::Exhausted`].
    pub fn outline(&self, meter: &mut dyn Meter) -> Result<Vec<String>, DocumentError> {
        let work = self.work(meter);
        let mut lines = match &self.whole.body {
            Body::Markup(tree) => elements(tree, ROOT, 0, &work),
            Body::Json(json) => members(json, 0, 0, &work),
        };
        work.done()?;
        lines.truncate(LINES_MAX);
        Ok(lines)
    }
}

/// Puts a part behind the others; one that is as the one before is counted there.
fn add(lines: &mut Vec<String>, last: &mut (Vec<String>, usize, usize), part: Vec<String>) {
    let (before, at, count) = last;
    if *before == part && !part.is_empty() {
        *count += 1;
        lines[*at] = format!("{} ×{count}", before[0]);
        return;
    }
    *last = (part.clone(), lines.len(), 1);
    lines.extend(part);
}

fn elements(tree: &Tree, parent: NodeId, depth: usize, work: &Work<'_>) -> Vec<String> {
    let (mut lines, mut last) = (Vec::new(), (Vec::new(), 0, 0));
    for id in tree.children(parent).filter(|id| tree.is_element(*id)) {
        if depth > DEPTH_MAX || lines.len() > LINES_MAX || !work.step() {
            break;
        }
        let mut part = vec![format!("{}{}", "  ".repeat(depth), element(tree, id))];
        part.extend(elements(tree, id, depth + 1, work));
        add(&mut lines, &mut last, part);
    }
    lines
}

fn element(tree: &Tree, id: NodeId) -> String {
    let Kind::Element { name, .. } = &tree.node(id).kind else { return String::new() };
    let attribute = |name| tree.attribute(id, &name).filter(|value| !value.is_empty());
    let mut line = name.local.to_string();
    line.extend(attribute(local_name!("id")).map(|id| format!("#{id}")));
    let classes = attribute(local_name!("class")).unwrap_or_default();
    line.extend(classes.split_whitespace().map(|class| format!(".{class}")));
    for (name, shown) in [(local_name!("name"), "name"), (local_name!("type"), "type")] {
        line.extend(attribute(name).map(|value| format!("[{shown}={value}]")));
    }
    line
}

fn members(json: &Json, id: u32, depth: usize, work: &Work<'_>) -> Vec<String> {
    let name =
        json.name_span(id).map(|span| string::content(&json.source[span]).into_owned() + ": ").unwrap_or_default();
    let kind = match json.value(id).kind {
        JsonKind::Null => "null",
        JsonKind::Bool => "flag",
        JsonKind::Number => "number",
        JsonKind::String => "text",
        JsonKind::Array => "list",
        JsonKind::Object => "object",
    };
    let mut lines = vec![format!("{}{name}{kind}", "  ".repeat(depth))];
    let mut last = (Vec::new(), 0, 0);
    for child in json.children(id) {
        if depth > DEPTH_MAX || lines.len() > LINES_MAX || !work.step() {
            break;
        }
        add(&mut lines, &mut last, members(json, child, depth + 1, work));
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::document::{Document, Format, Limits, Unmetered};

    #[track_caller]
    fn check(format: Format, source: &str, wanted: &[&str]) {
        let read = Document::parse(format, source.as_bytes(), None, None, &Limits::default(), &mut Unmetered).unwrap();
        assert_eq!(read.outline(&mut Unmetered).unwrap(), wanted);
    }

    #[test]
    fn an_outline_has_the_shape_and_no_text() {
        check(
            Format::Html,
            "<table id=t class='a b'><tr><td>1<td>2<tr><td>3<td>4<tr><th>5</table><input name=n type=hidden value=v>",
            &[
                "html",
                "  head",
                "  body",
                "    table#t.a.b",
                "      tbody",
                "        tr ×2",
                "          td ×2",
                "        tr",
                "          th",
                "    input[name=n][type=hidden]",
            ],
        );
        check(
            Format::Json,
            r#"{"a":[{"b":1},{"b":2}],"c":null}"#,
            &["object", "  a: list", "    object ×2", "      b: number", "  c: null"],
        );
    }
}
