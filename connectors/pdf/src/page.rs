//! One page: its operators in their order, and where each leaves the pen.

use std::collections::BTreeMap;

use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Array, Dict, Name, Number, Object, Stream};
use hayro_syntax::page::{Page, Resources};

use crate::font::Font;
use crate::layout::Piece;

/// How deep forms may stand in forms.
const FORMS_DEEP: usize = 8;
/// Most pieces of one page.
const PIECES_MAX: usize = 100_000;
/// How deep states of drawing may be kept.
const STATES_MAX: usize = 64;

pub(crate) fn pieces(page: &Page<'_>) -> Vec<Piece> {
    let mut reader = Reader::default();
    reader.read(page.typed_operations(), page.resources(), 0);
    reader.pieces
}

/// `x' = a x + c y + e`, `y' = b x + d y + f`.
#[derive(Debug, Clone, Copy)]
struct Matrix([f64; 6]);

impl Default for Matrix {
    fn default() -> Self {
        Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    }
}

impl Matrix {
    fn of(numbers: [&Number; 6]) -> Self {
        Self(numbers.map(Number::as_f64))
    }

    /// This one first, then the other.
    fn then(self, other: Self) -> Self {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.0, other.0);
        Self([a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l])
    }

    fn moved(self, x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y]).then(self)
    }

    fn origin(self) -> (f64, f64) {
        let [.., x, y] = self.0;
        (x, y)
    }

    /// How tall something of height 1 becomes.
    fn height(self) -> f64 {
        let [_, _, across, up, ..] = self.0;
        across.hypot(up)
    }
}

#[derive(Clone)]
struct State {
    page: Matrix,
    font: Option<String>,
    size: f64,
    spacing: f64,
    word_spacing: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

impl Default for State {
    fn default() -> Self {
        let page = Matrix::default();
        Self { page, font: None, size: 0.0, spacing: 0.0, word_spacing: 0.0, stretch: 1.0, leading: 0.0, rise: 0.0 }
    }
}

#[derive(Default)]
struct Reader {
    state: State,
    kept: Vec<State>,
    /// Of the text, and of the line it is in.
    text: Matrix,
    line: Matrix,
    pieces: Vec<Piece>,
}

impl Reader {
    fn read(&mut self, mut ops: TypedIter<'_>, resources: &Resources<'_>, deep: usize) {
        let mut fonts = BTreeMap::new();
        while let Some(op) = ops.next() {
            if self.pieces.len() >= PIECES_MAX {
                return;
            }
            match op {
                Op::SaveState(_) if self.kept.len() < STATES_MAX => self.kept.push(self.state.clone()),
                Op::RestoreState(_) => self.state = self.kept.pop().unwrap_or_default(),
                Op::Transform(op) => {
                    self.state.page = Matrix::of([&op.0, &op.1, &op.2, &op.3, &op.4, &op.5]).then(self.state.page);
                }
                Op::XObject(op) => self.form(op.0, resources, deep),
                Op::TextFont(op) => {
                    let name = op.0.as_str().to_owned();
                    let of = |name: &Name<'_>| resources.get_font(name).map(|font| Font::of(&font)).unwrap_or_default();
                    fonts.entry(name.clone()).or_insert_with(|| of(op.0));
                    (self.state.font, self.state.size) = (Some(name), op.1.as_f64());
                }
                op => self.text_op(&op, &fonts),
            }
        }
    }

    fn text_op(&mut self, op: &Op<'_, '_>, fonts: &BTreeMap<String, Font>) {
        match op {
            Op::BeginText(_) => (self.text, self.line) = Default::default(),
            Op::CharacterSpacing(op) => self.state.spacing = op.0.as_f64(),
            Op::WordSpacing(op) => self.state.word_spacing = op.0.as_f64(),
            Op::HorizontalScaling(op) => self.state.stretch = op.0.as_f64() / 100.0,
            Op::TextLeading(op) => self.state.leading = op.0.as_f64(),
            Op::TextRise(op) => self.state.rise = op.0.as_f64(),
            Op::NextLine(op) => self.next_line(op.0.as_f64(), op.1.as_f64()),
            Op::NextLineAndSetLeading(op) => {
                self.state.leading = -op.1.as_f64();
                self.next_line(op.0.as_f64(), op.1.as_f64());
            }
            Op::SetTextMatrix(op) => {
                self.line = Matrix::of([&op.0, &op.1, &op.2, &op.3, &op.4, &op.5]);
                self.text = self.line;
            }
            Op::NextLineUsingLeading(_) => self.next_line(0.0, -self.state.leading),
            Op::ShowText(op) => self.show(op.0.as_bytes(), fonts),
            Op::NextLineAndShowText(op) => {
                self.next_line(0.0, -self.state.leading);
                self.show(op.0.as_bytes(), fonts);
            }
            Op::ShowTextWithParameters(op) => {
                (self.state.word_spacing, self.state.spacing) = (op.0.as_f64(), op.1.as_f64());
                self.next_line(0.0, -self.state.leading);
                self.show(op.2.as_bytes(), fonts);
            }
            Op::ShowTexts(op) => self.show_all(op.0, fonts),
            _ => {}
        }
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line = self.line.moved(x, y);
        self.text = self.line;
    }

    fn show_all(&mut self, all: &Array<'_>, fonts: &BTreeMap<String, Font>) {
        for each in all.iter::<Object<'_>>() {
            match each {
                Object::String(text) => self.show(text.as_bytes(), fonts),
                Object::Number(back) => {
                    let back = -back.as_f64() / 1000.0 * self.state.size * self.state.stretch;
                    self.text = self.text.moved(back, 0.0);
                }
                _ => {}
            }
        }
    }

    fn show(&mut self, bytes: &[u8], fonts: &BTreeMap<String, Font>) {
        let Some(font) = self.state.font.as_ref().and_then(|name| fonts.get(name)) else { return };
        let state = &self.state;
        let (mut text, mut wide) = (String::new(), 0.0);
        for code in font.codes(bytes) {
            text.push_str(&font.text(code));
            let word = if font.is_blank(code) { state.word_spacing } else { 0.0 };
            wide += (font.width(code) * state.size + state.spacing + word) * state.stretch;
        }
        let (from, to) = (self.text.moved(0.0, state.rise), self.text.moved(wide, state.rise));
        let (at, end) = (from.then(state.page), to.then(state.page));
        let ((x, y), size) = (at.origin(), at.height() * state.size.abs());
        self.pieces.push(Piece { x, y, end: end.origin().0, size, text });
        self.text = self.text.moved(wide, 0.0);
    }

    /// A form is drawn as if it stood here; an image has no text.
    fn form(&mut self, name: &Name<'_>, resources: &Resources<'_>, deep: usize) {
        let Some(form) = resources.get_x_object(name).filter(|form| deep < FORMS_DEEP && is_form(form)) else { return };
        let (Ok(data), dict) = (form.decoded_data(), form.dict()) else { return };
        let before = (self.state.clone(), std::mem::take(&mut self.kept), self.text, self.line);
        if let Some(matrix) = dict.get::<Array<'_>>(b"Matrix") {
            let numbers: Vec<f64> = matrix.iter::<f64>().collect();
            if let Ok(numbers) = <[f64; 6]>::try_from(numbers) {
                self.state.page = Matrix(numbers).then(self.state.page);
            }
        }
        let own = dict.get::<Dict<'_>>(b"Resources").map(Resources::new);
        self.read(TypedIter::new(&data), own.as_ref().unwrap_or(resources), deep + 1);
        (self.state, self.kept, self.text, self.line) = before;
    }
}

fn is_form(stream: &Stream<'_>) -> bool {
    stream.dict().get::<Name<'_>>(b"Subtype").is_some_and(|name| name.as_str() == "Form")
}
