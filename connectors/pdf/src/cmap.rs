//! The map from a font's codes to text (`ToUnicode`): lists of single codes and of ranges, in the small language that the format has for it.

use std::collections::BTreeMap;

/// Most codes that one map explains.
const CODES_MAX: usize = 70_000;

enum Token<'t> {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(&'t [u8]),
}

/// The text of each code.
pub(crate) fn texts(map: &[u8]) -> BTreeMap<u32, String> {
    let (mut texts, mut section, mut held): (_, _, Vec<Vec<u8>>) = (BTreeMap::new(), None, Vec::new());
    let mut list: Option<Vec<Vec<u8>>> = None;
    let mut rest = map;
    while let Some(token) = next(&mut rest) {
        match (token, section, &mut list) {
            (Token::Word(b"beginbfchar"), ..) => section = Some(2),
            (Token::Word(b"beginbfrange"), ..) => section = Some(3),
            (Token::Word(_), ..) => (section, list) = (None, None),
            (Token::Open, Some(3), None) => list = Some(Vec::new()),
            (Token::Hex(bytes), Some(_), Some(list)) => list.push(bytes),
            (Token::Close, Some(3), Some(_)) => {
                if let [first, _] = held.as_slice() {
                    let each = list.take().unwrap_or_default();
                    texts.extend((number(first)..).zip(each).map(|(code, text)| (code, utf16(&text))));
                }
                list = None;
                held.clear();
            }
            (Token::Hex(bytes), Some(of), None) => {
                held.push(bytes);
                if held.len() == of {
                    told(&held, &mut texts);
                    held.clear();
                }
            }
            _ => held.clear(),
        }
        if texts.len() > CODES_MAX {
            break;
        }
    }
    texts
}

/// `<code> <text>`, or `<first> <last> <text of the first>`.
fn told(held: &[Vec<u8>], texts: &mut BTreeMap<u32, String>) {
    match held {
        [code, text] => {
            texts.insert(number(code), utf16(text));
        }
        [first, last, text] => {
            let Some((low, start)) = text.split_last() else { return };
            for (step, code) in (number(first)..=number(last)).take(256).enumerate() {
                // Only the last byte counts up.
                let Ok(next) = u8::try_from(usize::from(*low) + step) else { return };
                texts.insert(code, utf16(&[start, &[next]].concat()));
            }
        }
        _ => {}
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
    char::decode_utf16(units).filter_map(Result::ok).collect()
}

fn next<'t>(rest: &mut &'t [u8]) -> Option<Token<'t>> {
    let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    *rest = rest.get(start..)?;
    let (first, after) = rest.split_first()?;
    let single = |token| Some((token, 1));
    let (token, length) = match first {
        b'[' => single(Token::Open)?,
        b']' => single(Token::Close)?,
        b'<' if after.first() != Some(&b'<') => {
            let end = after.iter().position(|byte| *byte == b'>').unwrap_or(after.len());
            (Token::Hex(hex(after.get(..end)?)), end + 2)
        }
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b'<' | b'>');
            let end = after.iter().position(ends).unwrap_or(after.len());
            (Token::Word(rest.get(..=end)?), end + 1)
        }
    };
    *rest = rest.get(length..).unwrap_or_default();
    Some(token)
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let values: Vec<u8> =
        digits.iter().filter_map(|digit| char::from(*digit).to_digit(16)).map(|digit| digit as u8).collect();
    values
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit) << (4 * (2 - pair.len())))
        .collect()
}
