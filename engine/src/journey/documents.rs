//! Our own texts: the privacy policy, the code of trust, and the page that leads to them.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::visitor::Reader;
use crate::api::Shared;
use crate::online_service::commitment;
use crate::processing::policy_digest;

/// The code of trust in French; the English text is the one that is signed.
const TRUST_FR: &str = include_str!("../../../docs/policy/trust.fr.md");

/// What this address is, for whoever comes without a session.
pub(super) async fn home(reader: Reader, State(engine): State<Shared>) -> Response {
    let (title, base) = ("Consentry", &reader.place.base);
    reader.frame(title).page(html! {
        h1 { (reader.say("Your data, where you want it, and nowhere else", "Vos données, là où vous voulez, et nulle part ailleurs")) }
        p .lead {
            (engine.operated_by().name)
            (reader.say(
                " fetches data from your own accounts when you agree to it, hands it to the service that you chose, and forgets it.",
                " va chercher des données dans vos propres comptes quand vous y consentez, les remet au service que vous avez choisi, puis les oublie.",
            ))
        }
        p { (reader.say(
            "There is nothing to start here: a service that needs data sends you to a page of your own.",
            "Rien ne se lance d'ici : le service qui a besoin de données vous envoie vers une page à vous.",
        )) }
        ul .links {
            li { a href={ (base) "/my-data" } { (reader.say("I have a receipt: my data and rights", "J'ai un reçu : mes données et mes droits")) } }
            li { a href={ (base) "/policy" } { (reader.say("Privacy policy", "Politique de confidentialité")) } }
            li { a href={ (base) "/trust" } { (reader.say("Code of trust", "Code de confiance")) } }
        }
    })
}

/// The privacy policy that is in force here.
pub(super) async fn policy(reader: Reader, State(engine): State<Shared>) -> Response {
    let [en, fr] = engine.policy();
    let version = policy_digest([en, fr]).to_string();
    document(
        &reader,
        &engine,
        reader.say(en, fr),
        &version,
        reader.say(
            "Every notice and every receipt names this version.",
            "Chaque notice et chaque reçu nomme cette version.",
        ),
    )
}

/// The code of trust.
pub(super) async fn trust(reader: Reader, State(engine): State<Shared>) -> Response {
    let version = crate::data::Digest::of(commitment::TEXT.as_bytes()).to_string();
    document(
        &reader,
        &engine,
        reader.say(commitment::TEXT, TRUST_FR),
        &version,
        reader.say("Every Online Service has signed this version.", "Chaque service en ligne a signé cette version."),
    )
}

fn document(reader: &Reader, engine: &Shared, text: &str, version: &str, note: &str) -> Response {
    let title = text.lines().next().unwrap_or_default().trim_start_matches('#').trim();
    let operator = engine.operated_by();
    reader.frame(title).page(html! {
        article .document {
            h1 { (title) }
            dl .facts {
                div { dt { (reader.say("Operator", "Opérateur")) } dd { (operator.name) } }
                div { dt { (reader.say("Data protection contact", "Contact pour la protection des données")) } dd { (operator.contact) } }
                div { dt { (reader.say("Version", "Version")) } dd .code { (version) } }
            }
            p .hint { (note) }
            (rendered(text))
        }
    })
}

/// The few signs of Markdown that our texts use: headings, lists, paragraphs, strong words, code. Anything else stays text.
fn rendered(text: &str) -> Markup {
    let mut blocks = vec![];
    let mut open: Vec<String> = vec![];
    let mut flush = |open: &mut Vec<String>| {
        if !open.is_empty() {
            blocks.push(std::mem::take(open));
        }
    };
    for line in text.lines().skip(1) {
        let begins = line.starts_with(['#', '-']) || is_numbered(line);
        if line.trim().is_empty() || begins || open.first().is_some_and(|first| first.starts_with('#')) {
            flush(&mut open);
        }
        if !line.trim().is_empty() {
            open.push(line.to_owned());
        }
    }
    flush(&mut open);
    let blocks: Vec<String> = blocks.into_iter().map(|lines| lines.join(" ")).collect();
    html! { @for run in blocks.chunk_by(|a, b| kind(a) == kind(b)) { (block(run)) } }
}

fn is_numbered(line: &str) -> bool {
    line.split_once(". ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Section,
    Part,
    Points,
    Numbers,
    Text,
}

fn kind(block: &str) -> Kind {
    match block {
        block if block.starts_with("### ") => Kind::Part,
        block if block.starts_with("## ") => Kind::Section,
        block if block.starts_with("- ") => Kind::Points,
        block if is_numbered(block) => Kind::Numbers,
        _ => Kind::Text,
    }
}

fn block(run: &[String]) -> Markup {
    let Some(first) = run.first() else { return Markup::default() };
    let rest = |block: &str| inline(block.split_once(' ').map_or("", |(_, rest)| rest));
    match kind(first) {
        Kind::Section => html! { @for block in run { h2 { (rest(block)) } } },
        Kind::Part => html! { @for block in run { h3 { (rest(block)) } } },
        Kind::Points => html! { ul { @for block in run { li { (rest(block)) } } } },
        Kind::Numbers => html! { ol { @for block in run { li { (rest(block)) } } } },
        Kind::Text => html! { @for block in run { p { (inline(block)) } } },
    }
}

/// Strong words between `**`, code between backticks.
fn inline(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split("**").enumerate() {
            @if at % 2 == 1 { strong { (part) } } @else {
                @for (at, part) in part.split('`').enumerate() {
                    @if at % 2 == 1 { code { (part) } } @else { (part) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_texts_are_rendered_whole_and_nothing_in_them_is_markup() {
        let text = "# T\n\nA **b** `c`\nd <script>.\n\n## One\n1. x\n2. y\n   z\n- p\n### Two\nLast.";
        assert_eq!(
            rendered(text).into_string(),
            "<p>A <strong>b</strong> <code>c</code> d &lt;script&gt;.</p><h2>One</h2><ol><li>x</li><li>y    z</li></ol>\
             <ul><li>p</li></ul><h3>Two</h3><p>Last.</p>"
        );
        for text in [crate::processing::POLICY[0], crate::processing::POLICY[1], commitment::TEXT, TRUST_FR] {
            let html = rendered(text).into_string();
            let headings = text.lines().filter(|line| line.starts_with("## ")).count();
            assert_eq!(html.matches("<h2>").count(), headings);
        }
    }
}
