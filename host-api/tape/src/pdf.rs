//! A PDF of these lines and nothing else, each cell where a gap shows it to be one: what a remade file is.

use std::fmt::Write as _;

/// Size of the letters, in points; all have the same width.
const SIZE: f64 = 10.0;
const WIDTH: f64 = 0.6 * SIZE;
const LINE: f64 = 14.0;
const MARGIN: f64 = 36.0;
/// Between two cells.
const GAP: f64 = 3.0 * SIZE;

/// Lines of cells, from the top.
pub(crate) fn pdf(lines: &[Vec<String>]) -> Vec<u8> {
    let height = MARGIN.mul_add(2.0, lines.len() as f64 * LINE);
    let mut drawn = b"BT /F1 10 Tf\n".to_vec();
    for (at, line) in lines.iter().enumerate() {
        let (mut x, y) = (MARGIN, height - MARGIN - at as f64 * LINE);
        for cell in line {
            drawn.extend(format!("1 0 0 1 {x:.1} {y:.1} Tm (").bytes());
            drawn.extend(cell.chars().flat_map(escaped));
            drawn.extend(b") Tj\n");
            x += cell.chars().count() as f64 * WIDTH + GAP;
        }
    }
    drawn.extend(b"ET");
    let mut stream = format!("<</Length {}>>\nstream\n", drawn.len()).into_bytes();
    stream.extend(drawn);
    stream.extend(b"\nendstream");
    let page = format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 1000 {height:.0}]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    );
    let font = b"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding>>";
    file(&[b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page.as_bytes(), &stream, font])
}

fn file(objects: &[&[u8]]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        // A String takes all.
        let _ = writeln!(table, "{:010} 00000 n ", file.len());
        file.extend(format!("{} 0 obj", at + 1).bytes());
        file.extend(*object);
        file.extend(b"endobj\n");
    }
    let end = format!("trailer<</Size {}/Root 1 0 R>>\nstartxref\n{}\n%%EOF\n", objects.len() + 1, file.len());
    file.extend(table.bytes().chain(end.bytes()));
    file
}

/// A letter in Windows Latin; a question mark where that has none.
fn escaped(letter: char) -> Vec<u8> {
    const ABOVE: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";
    match letter {
        '(' | ')' | '\\' => vec![b'\\', letter as u8],
        ' '..='~' | '\u{a0}'..='ÿ' => vec![letter as u8],
        _ => vec![ABOVE.chars().zip(0x80..).find(|(known, _)| *known == letter).map_or(b'?', |(_, byte)| byte)],
    }
}
