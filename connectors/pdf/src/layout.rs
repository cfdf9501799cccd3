//! From pieces of text somewhere on a page to lines of cells.

use crate::Line;

/// A piece of text where it was drawn, in points from the lower left corner.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Where the next letter would stand.
    pub(crate) end: f64,
    /// Height of the letters.
    pub(crate) size: f64,
    pub(crate) text: String,
}

/// Pieces whose heights differ by less than this part of a letter stand on one line.
const SAME_LINE: f64 = 0.45;
/// A gap of this part of a letter is a blank.
const BLANK: f64 = 0.16;
/// A gap of so many letters parts two cells.
const CELL: f64 = 1.6;

pub(crate) fn lines(mut pieces: Vec<Piece>) -> Vec<Line> {
    pieces.retain(|piece| {
        !piece.text.is_empty() && [piece.x, piece.y, piece.end, piece.size].iter().all(|n| n.is_finite())
    });
    pieces.sort_by(|a, b| b.y.total_cmp(&a.y));
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line)
                if line.first().is_some_and(|first| first.y - piece.y < SAME_LINE * first.size.max(piece.size)) =>
            {
                line.push(piece);
            }
            _ => lines.push(vec![piece]),
        }
    }
    lines.into_iter().map(cells).filter(|line| !line.is_empty()).collect()
}

fn cells(mut line: Vec<Piece>) -> Line {
    // Stable: pieces that stand at one place keep the order in which they were drawn.
    line.sort_by(|a, b| a.x.total_cmp(&b.x));
    let (mut cells, mut end): (Vec<String>, Option<f64>) = (Vec::new(), None);
    for piece in line {
        let gap = end.map_or(f64::INFINITY, |end| (piece.x - end) / piece.size.max(1.0));
        match cells.last_mut() {
            Some(cell) if gap < CELL => {
                if gap > BLANK && !cell.ends_with(' ') && !piece.text.starts_with(' ') {
                    cell.push(' ');
                }
                cell.push_str(&piece.text);
            }
            _ => cells.push(piece.text),
        }
        end = Some(end.unwrap_or(f64::MIN).max(piece.end));
    }
    cells.iter().map(|cell| folded(cell)).filter(|cell| !cell.is_empty()).collect()
}

/// One blank between words; blanks that hold together (U+00A0) stay, since amounts are written with them.
fn folded(cell: &str) -> String {
    cell.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
