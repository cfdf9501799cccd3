use pdf_writer::types::{CidFontType, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str};
use proptest::prelude::*;

use super::*;

/// A file of one page, drawn so, with a font whose bytes are Latin and one whose codes are two bytes.
fn file(draw: impl FnOnce(&mut Content)) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let [catalog, pages, page, drawn, plain, wide, inside, meaning] = [1, 2, 3, 4, 5, 6, 7, 8].map(Ref::new);
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut only = pdf.page(page);
    only.media_box(Rect::new(0.0, 0.0, 595.0, 842.0)).parent(pages).contents(drawn);
    only.resources().fonts().pair(Name(b"F1"), plain).pair(Name(b"F2"), wide);
    only.finish();
    let mut content = Content::new();
    draw(&mut content);
    pdf.stream(drawn, &content.finish());
    let mut font = pdf.type1_font(plain);
    font.base_font(Name(b"Helvetica"));
    font.encoding_custom()
        .base_encoding(Name(b"WinAnsiEncoding"))
        .differences()
        .consecutive(1, [Name(b"eacute"), Name(b"Euro"), Name(b"uni20AC"), Name(b"Odieresis")]);
    font.finish();
    let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    let mut font = pdf.type0_font(wide);
    font.base_font(Name(b"W")).encoding_predefined(Name(b"Identity-H")).descendant_font(inside).to_unicode(meaning);
    font.finish();
    let mut font = pdf.cid_font(inside);
    font.subtype(CidFontType::Type2).base_font(Name(b"W")).system_info(system).default_width(500.0);
    font.finish();
    let mut map = UnicodeCmap::new(Name(b"W"), system);
    (0_u16..).zip("Żółw ﬁn".chars()).for_each(|(code, letter)| map.pair(code, letter));
    pdf.cmap(meaning, &map.finish());
    pdf.finish()
}

fn told(draw: impl FnOnce(&mut Content)) -> Vec<String> {
    lines(file(draw)).unwrap().iter().map(|line| line.join(" | ")).collect()
}

#[test]
fn lines_are_read_from_the_top_however_they_were_drawn() {
    let found = told(|content| {
        content.begin_text().set_font(Name(b"F1"), 10.0);
        for (x, y, text) in
            [(300.0, 700.0, "12,50"), (50.0, 650.0, "below"), (50.0, 701.0, "Label"), (90.0, 701.0, "goes on")]
        {
            content.set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y]).show(Str(text.as_bytes()));
        }
        content.end_text();
    });
    assert_eq!(found, ["Label goes on | 12,50", "below"]);
}

#[test]
fn pieces_of_a_word_are_one_and_a_gap_is_a_blank() {
    let found = told(|content| {
        content.begin_text().set_font(Name(b"F1"), 10.0).set_leading(20.0).next_line(50.0, 700.0);
        let mut pieces = content.show_positioned();
        pieces.items().show(Str(b"Re")).adjust(15.0).show(Str(b"venu")).adjust(-278.0).show(Str(b"net"));
        pieces.finish();
        content.next_line_using_leading().show(Str(b"a  b\x01\x02\x03\x04 \xe9\x80"));
        content
            .next_line_using_leading()
            .set_font(Name(b"F2"), 10.0)
            .show(Str(&[0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]));
        content.end_text();
    });
    assert_eq!(found, ["Revenu net", "a bé€€Ö é€", "Żółw ﬁn"]);
}

#[test]
fn what_is_drawn_larger_by_a_matrix_is_measured_so() {
    let found = told(|content| {
        content.save_state().transform([10.0, 0.0, 0.0, 10.0, 0.0, 0.0]);
        content.begin_text().set_font(Name(b"F1"), 1.0).next_line(5.0, 70.0).show(Str(b"Total"));
        content.next_line(30.0, 0.0).show(Str(b"7")).end_text();
        content
            .restore_state()
            .begin_text()
            .set_font(Name(b"F1"), 10.0)
            .next_line(50.0, 600.0)
            .show(Str(b"End"))
            .end_text();
    });
    assert_eq!(found, ["Total | 7", "End"]);
}

#[test]
fn names_of_letters_are_known() {
    let cases =
        [("A", "A"), ("eacute", "é"), ("Eacute", "É"), ("oe", "œ"), ("OE", "Œ"), ("ccedilla", "ç"), ("space", " ")];
    let more = [
        ("quoteright", "’"),
        ("nine", "9"),
        ("hyphen", "-"),
        ("fi", "ﬁ"),
        ("a.alt", "a"),
        ("u1F600", "\u{1f600}"),
        ("at", "@"),
    ];
    for (name, letter) in cases.into_iter().chain(more) {
        assert_eq!(glyphs::named(name).as_deref(), Some(letter), "{name}");
    }
    assert_eq!([glyphs::named("g123"), glyphs::named("uniXYZ")], [None, None]);
}

#[test]
fn a_map_of_ranges_and_lists_is_read() {
    let map =
        b"/CMapName /X def 1 begincodespacerange <0000> <ffff> endcodespacerange\n2 beginbfrange <0001> <0003> <0041> \
        <0010> <0011> [<00e9> <d83dde00>] endbfrange 1 beginbfchar <20><0020> endbfchar";
    let texts: Vec<(u32, String)> = cmap::texts(map).into_iter().collect();
    let wanted = [(1, "A"), (2, "B"), (3, "C"), (0x10, "é"), (0x11, "\u{1f600}"), (0x20, " ")];
    assert_eq!(texts, wanted.map(|(code, text)| (code, text.to_owned())));
}

#[test]
fn what_can_t_be_read_is_said_so() {
    assert_eq!(lines(b"no file".to_vec()), Err(Unreadable::Malformed));
    assert_eq!(lines(file(|_| ())), Err(Unreadable::Wordless));
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused(at in 0.0..1.0_f64, bytes in prop::collection::vec(any::<u8>(), 1..12), cut in any::<bool>()) {
        let mut whole = file(|content| {
            content.begin_text().set_font(Name(b"F2"), 10.0).next_line(50.0, 700.0).show(Str(&[0, 0, 0, 1])).end_text();
        });
        let place = (whole.len() as f64 * at) as usize;
        if cut {
            whole.truncate(place);
        } else {
            for (old, new) in whole[place..].iter_mut().zip(bytes) {
                *old = new;
            }
        }
        let _ = lines(whole);
    }

    #[test]
    fn any_drawing_is_read_or_refused(drawing in "[ -~]{0,120}") {
        let mut whole = file(|content| { content.begin_text().set_font(Name(b"F1"), 10.0).next_line(1.0, 1.0).show(Str(&[b'.'; 200])).end_text(); });
        if let Some(place) = whole.windows(4).position(|part| part == b"....") {
            // Ends the text, and goes on with whatever it is.
            whole.splice(place..place + drawing.len() + 4, [b") Tj".as_slice(), drawing.as_bytes()].concat());
        }
        let _ = lines(whole);
    }
}
