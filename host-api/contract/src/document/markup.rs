//! Reads HTML and XML into a [`Tree`], a piece at a time: after each piece the limits are looked at and the CPU time is charged.

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts, TreeSink as _};
use html5gum::Tokenizer;
use xml5ever::driver as xml;

use super::DocumentError;
use super::limits::{Limits, Meter, PIECE_BYTES};
use super::sink::Sink;
use super::tokens::Tokens;
use super::tree::Tree;

pub(super) fn parse_html(source: &str, limits: &Limits, meter: &mut dyn Meter) -> Result<Tree, DocumentError> {
    // Nothing runs scripts here, so a page's `<noscript>` is part of it.
    let options = TreeBuilderOpts { scripting_enabled: false, ..Default::default() };
    let builder = TreeBuilder::new(Sink::new(Tree::new(true, source.len()), *limits), options);
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    match Tokenizer::new_with_emitter(source, Tokens::new(&builder, limits, meter)).next() {
        Some(Ok(stopped)) => Err(stopped),
        Some(Err(never)) => match never {},
        None => Ok(finished(builder.sink.finish()?)),
    }
}

/// Well-formed or not: an XML source with errors gives the tree that can be made of it. Only the five entities of XML itself are known;
/// a document type is never fetched.
pub(super) fn parse_xml(source: &str, limits: &Limits, meter: &mut dyn Meter) -> Result<Tree, DocumentError> {
    let mut parser =
        xml::parse_document(Sink::new(Tree::new(false, source.len()), *limits), xml::XmlParseOpts::default());
    let mut rest = source;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        parser.process(StrTendril::from_slice(piece));
        parser.tokenizer.sink.sink.check()?;
        meter.check()?;
        rest = after;
    }
    Ok(finished(parser.finish()?))
}

fn finished(mut tree: Tree) -> Tree {
    tree.nodes.shrink_to_fit();
    tree.attributes.shrink_to_fit();
    tree.text.shrink_to_fit();
    tree
}
