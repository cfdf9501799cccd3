//! Reads HTML and XML into a [`Tree`], a piece at a time: after each piece the limits are looked at and the CPU time is charged.

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, driver as html};
use xml5ever::driver as xml;

use super::DocumentError;
use super::limits::{Limits, Meter, PIECE_BYTES};
use super::sink::Sink;
use super::tree::Tree;

pub(super) fn parse_html(source: &str, limits: &Limits, meter: &mut dyn Meter) -> Result<Tree, DocumentError> {
    // Nothing runs scripts here, so a page's `<noscript>` is part of it.
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts { scripting_enabled: false, ..Default::default() },
        ..Default::default()
    };
    let parser = html::parse_document(Sink::new(Tree::new(true, source.len()), *limits), options);
    feed(parser, source, meter, |parser| parser.tokenizer.sink.sink.check())
}

/// Well-formed or not: an XML source with errors gives the tree that can be made of it. Only the five entities of XML itself are known;
/// a document type is never fetched.
pub(super) fn parse_xml(source: &str, limits: &Limits, meter: &mut dyn Meter) -> Result<Tree, DocumentError> {
    let parser = xml::parse_document(Sink::new(Tree::new(false, source.len()), *limits), xml::XmlParseOpts::default());
    feed(parser, source, meter, |parser| parser.tokenizer.sink.sink.check())
}

fn feed<P>(
    mut parser: P,
    source: &str,
    meter: &mut dyn Meter,
    check: impl Fn(&P) -> Result<(), DocumentError>,
) -> Result<Tree, DocumentError>
where
    P: TendrilSink<html5ever::tendril::fmt::UTF8, Output = Result<Tree, DocumentError>>,
{
    let mut rest = source;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        parser.process(StrTendril::from_slice(piece));
        check(&parser)?;
        meter.check()?;
        rest = after;
    }
    let mut tree = parser.finish()?;
    tree.nodes.shrink_to_fit();
    tree.attributes.shrink_to_fit();
    tree.text.shrink_to_fit();
    Ok(tree)
}
