//! A tax notice as a PDF, made as real ones are: what is read together is not drawn together. Nothing in it is anybody's.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{CidFontType, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str};

use crate::Person;

/// A year's notice, its figures as they are written.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    /// Year of the income.
    pub year: u16,
    /// Reference of the notice.
    pub number: &'static str,
    /// The day it was made out.
    pub issued: &'static str,
    /// Reference tax income.
    pub income: &'static str,
    /// Shares of the household.
    pub shares: &'static str,
    /// What is to be paid.
    pub tax: &'static str,
    /// Somebody scanned it: there is no text in it.
    pub scanned: bool,
}

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const FIRST: Ref = Ref::new(3);
const SECOND: Ref = Ref::new(4);
const PLAIN: Ref = Ref::new(5);
const WIDE: Ref = Ref::new(6);
const INSIDE: Ref = Ref::new(7);
const MEANING: Ref = Ref::new(8);
const HEAD: Ref = Ref::new(9);
const LEFT: Ref = Ref::new(10);
const RIGHT: Ref = Ref::new(11);
const BACK: Ref = Ref::new(12);
/// Windows Latin.
const ONE: Name<'static> = Name(b"F1");
/// Codes of two bytes.
const TWO: Name<'static> = Name(b"F2");
const A4: Rect = Rect { x1: 0.0, y1: 0.0, x2: 595.0, y2: 842.0 };
const LABELS: f32 = 56.0;
const FIGURES: f32 = 400.0;
const FROM_TOP: f32 = 600.0;
const LINE: f32 = 24.0;

/// A notice of two pages.
#[must_use]
pub fn pdf(person: &Person, notice: &Notice) -> Vec<u8> {
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.pages(PAGES).kids([FIRST, SECOND]).count(2);
    page(&mut pdf, FIRST, &[LEFT, RIGHT]);
    page(&mut pdf, SECOND, &[BACK]);
    fonts(&mut pdf);
    let drawn = packed(&head(person, notice));
    let mut form = pdf.form_xobject(HEAD, &drawn);
    form.filter(Filter::FlateDecode);
    form.bbox(A4);
    form.resources().fonts().pair(ONE, PLAIN);
    form.finish();
    for (id, drawn) in [(LEFT, labels()), (RIGHT, figures(notice)), (BACK, back())] {
        pdf.stream(id, &packed(&drawn)).filter(Filter::FlateDecode);
    }
    pdf.finish()
}

/// A notice that is only a picture.
#[must_use]
pub fn scanned() -> Vec<u8> {
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.pages(PAGES).kids([FIRST]).count(1);
    let mut page = pdf.page(FIRST);
    page.media_box(A4).parent(PAGES).contents(LEFT);
    page.finish();
    let mut grey = Content::new();
    grey.set_fill_gray(0.9).rect(50.0, 50.0, 495.0, 742.0).fill_nonzero();
    pdf.stream(LEFT, &grey.finish());
    pdf.finish()
}

fn page(pdf: &mut Pdf, id: Ref, contents: &[Ref]) {
    let mut page = pdf.page(id);
    page.media_box(A4).parent(PAGES);
    page.contents_array(contents.iter().copied());
    let mut resources = page.resources();
    resources.fonts().pair(ONE, PLAIN).pair(TWO, WIDE);
    resources.x_objects().pair(Name(b"Head"), HEAD);
}

/// One font with the bytes of Windows Latin; one whose codes mean what a table says.
fn fonts(pdf: &mut Pdf) {
    pdf.type1_font(PLAIN).base_font(Name(b"Helvetica")).encoding_predefined(Name(b"WinAnsiEncoding"));
    let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    let mut wide = pdf.type0_font(WIDE);
    wide.base_font(Name(b"Vallon")).encoding_predefined(Name(b"Identity-H"));
    wide.descendant_font(INSIDE).to_unicode(MEANING);
    wide.finish();
    let mut inside = pdf.cid_font(INSIDE);
    inside.subtype(CidFontType::Type2).base_font(Name(b"Vallon")).system_info(system).default_width(556.0);
    inside.widths().consecutive(3, [278.0]);
    inside.finish();
    let mut meaning = UnicodeCmap::new(Name(b"Vallon-UCS2"), system);
    letters().for_each(|(code, letter)| meaning.pair(code, letter));
    pdf.cmap(MEANING, &meaning.finish());
}

/// The codes of the second font: as a program numbers the letters that it needs.
fn letters() -> impl Iterator<Item = (u16, char)> {
    (3..).zip(" 0123456789-,€\u{a0}".chars())
}

fn head(person: &Person, notice: &Notice) -> Vec<u8> {
    let mut content = Content::new();
    content.begin_text().set_font(ONE, 14.0).set_leading(18.0).next_line(LABELS, 780.0);
    let title = format!("AVIS D’IMPÔT SUR LES REVENUS DE L’ANNÉE {}", notice.year);
    for line in ["CENTRE DES IMPÔTS DU VALLON", &title, person.name, person.street, person.town] {
        content.show(Str(&latin(line))).next_line_using_leading();
    }
    content.end_text();
    content.finish().into_vec()
}

/// The left column, the last line first and one of them in pieces.
fn labels() -> Vec<u8> {
    let mut content = Content::new();
    content.save_state().x_object(Name(b"Head")).restore_state();
    let lines = [
        "Référence de l’avis",
        "Date d’établissement",
        "Nombre de parts",
        "Revenu fiscal de référence",
        "Montant de l’impôt",
    ];
    content.begin_text().set_font(ONE, 11.0);
    for (at, line) in lines.iter().enumerate().rev() {
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, LABELS, FROM_TOP - LINE * at as f32]);
        let mut pieces = content.show_positioned();
        let mut items = pieces.items();
        let (begin, end) = line.split_at(line.char_indices().nth(5).map_or(0, |(at, _)| at));
        // Drawn apart by no more than letters are set tighter; a blank is a gap, and no letter.
        items.show(Str(&latin(begin))).adjust(12.0);
        for (place, word) in end.split(' ').enumerate() {
            if place > 0 {
                items.adjust(-278.0);
            }
            items.show(Str(&latin(word)));
        }
    }
    content.end_text();
    content.finish().into_vec()
}

/// The right column.
fn figures(notice: &Notice) -> Vec<u8> {
    let mut content = Content::new();
    content.begin_text();
    for (at, figure) in [notice.number, notice.issued, notice.shares, notice.income, notice.tax].iter().enumerate() {
        content.set_text_matrix([1.0, 0.0, 0.0, 1.0, FIGURES, FROM_TOP - LINE * at as f32]);
        let codes: Option<Vec<u8>> = figure.chars().map(code).collect::<Option<Vec<_>>>().map(|codes| codes.concat());
        match codes {
            Some(codes) => content.set_font(TWO, 11.0).show(Str(&codes)),
            None => content.set_font(ONE, 11.0).show(Str(&latin(figure))),
        };
    }
    content.end_text();
    content.finish().into_vec()
}

fn back() -> Vec<u8> {
    let mut content = Content::new();
    content.begin_text().set_font(ONE, 9.0).next_line(LABELS, 780.0);
    content.show(Str(&latin("Cet avis justifie du montant de vos revenus. Conservez-le.")));
    content.end_text();
    content.finish().into_vec()
}

fn code(letter: char) -> Option<[u8; 2]> {
    letters().find(|(_, known)| *known == letter).map(|(code, _)| code.to_be_bytes())
}

/// Bytes of Windows Latin; what it has not is a question mark.
fn latin(text: &str) -> Vec<u8> {
    let byte = |letter| match letter {
        '€' => 0x80,
        '’' => 0x92,
        'Œ' => 0x8c,
        ' '..='~' | '\u{a0}'..='ÿ' => letter as u8,
        _ => b'?',
    };
    text.chars().map(byte).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Memory takes all that is written.
    let _ = packed.write_all(bytes);
    packed.finish().unwrap_or_default()
}
