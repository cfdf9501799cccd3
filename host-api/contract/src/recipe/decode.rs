//! Encodings undone. What is not in the encoding ends the run: how it fails would tell about the value.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::DecoderResult;
use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::{Charset, Encoding, EvaluationError};

type Decoded = Result<Zeroizing<Vec<u8>>, EvaluationError>;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const UNFIT: EvaluationError = EvaluationError::Unfit("decode");

pub(super) fn decode(value: &[u8], encoding: Encoding) -> Decoded {
    match encoding {
        Encoding::Raw => Ok(Zeroizing::new(value.to_vec())),
        Encoding::Form(charset) => unescaped(value, true).and_then(|bytes| recoded(&bytes, charset)),
        Encoding::Percent => unescaped(value, false),
        Encoding::Json => json(value),
        Encoding::Xml => xml(value),
        Encoding::Base64 => base64(value, &GeneralPurpose::new(&STANDARD, LENIENT)),
        Encoding::Base64Url => base64(value, &GeneralPurpose::new(&URL_SAFE, LENIENT)),
        Encoding::Hex => hex(value),
    }
}

/// With or without padding and line breaks, as sites serve keys.
pub(super) fn base64(value: &[u8], engine: &GeneralPurpose) -> Decoded {
    let mut packed = Buffer::with_capacity(value.len());
    value.iter().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| packed.push(&[*byte]));
    let packed = packed.into_bytes();
    let mut out = Zeroizing::new(vec![0; packed.len() / 4 * 3 + 3]);
    let written = engine.decode_slice(&packed, &mut out).map_err(|_| UNFIT)?;
    out.truncate(written);
    Ok(out)
}

/// The standard alphabet, padded or not.
pub(super) fn standard_base64(value: &[u8]) -> Decoded {
    base64(value, &GeneralPurpose::new(&STANDARD, LENIENT))
}

pub(super) fn hex(value: &[u8]) -> Decoded {
    let mut out = Zeroizing::new(vec![0; value.len() / 2]);
    hex::decode_to_slice(value, &mut out).map_err(|_| UNFIT)?;
    Ok(out)
}

fn unescaped(value: &[u8], plus: bool) -> Decoded {
    let mut out = Buffer::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                out.push(&hex(&[*high, *low])?);
                after
            }
            (b'%', _) => return Err(UNFIT),
            (b'+', after) if plus => {
                out.push(b" ");
                after
            }
            (other, after) => {
                out.push(&[*other]);
                after
            }
        };
    }
    Ok(out.into_bytes())
}

fn recoded(bytes: &[u8], charset: Charset) -> Decoded {
    if charset == Charset::UTF_8 {
        return Ok(Zeroizing::new(bytes.to_vec()));
    }
    let mut decoder = charset.decoder();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).ok_or(UNFIT)?;
    let mut out = Zeroizing::new(vec![0; most]);
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, &mut out, true);
    out.truncate(written);
    if result == DecoderResult::InputEmpty { Ok(out) } else { Err(UNFIT) }
}

fn json(value: &[u8]) -> Decoded {
    let mut out = Buffer::with_capacity(value.len());
    let mut rest = std::str::from_utf8(value).map_err(|_| UNFIT)?;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => rest = json_escape(rest, &mut out)?,
            '"' => return Err(UNFIT),
            c if u32::from(c) < 0x20 => return Err(UNFIT),
            c => push(&mut out, c),
        }
    }
    Ok(out.into_bytes())
}

fn json_escape<'t>(rest: &'t str, out: &mut Buffer) -> Result<&'t str, EvaluationError> {
    let (word, after) = rest.split_at_checked(1).ok_or(UNFIT)?;
    let plain: &[u8] = match word {
        "\"" => b"\"",
        "\\" => b"\\",
        "/" => b"/",
        "b" => b"\x08",
        "f" => b"\x0c",
        "n" => b"\n",
        "r" => b"\r",
        "t" => b"\t",
        "u" => return json_unit(after, out),
        _ => return Err(UNFIT),
    };
    out.push(plain);
    Ok(after)
}

fn json_unit<'t>(rest: &'t str, out: &mut Buffer) -> Result<&'t str, EvaluationError> {
    let unit = |text: &'t str| {
        let (digits, after) = text.split_at_checked(4).ok_or(UNFIT)?;
        let well = digits.bytes().all(|b| b.is_ascii_hexdigit());
        Ok((u16::from_str_radix(digits, 16).ok().filter(|_| well).ok_or(UNFIT)?, after))
    };
    let (first, mut rest) = unit(rest)?;
    let mut units = vec![first];
    if (0xd800..0xdc00).contains(&first) {
        let (second, after) = unit(rest.strip_prefix("\\u").ok_or(UNFIT)?)?;
        units.push(second);
        rest = after;
    }
    for character in char::decode_utf16(units) {
        push(out, character.map_err(|_| UNFIT)?);
    }
    Ok(rest)
}

fn xml(value: &[u8]) -> Decoded {
    let mut out = Buffer::with_capacity(value.len());
    let mut rest = std::str::from_utf8(value).map_err(|_| UNFIT)?;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '<' => return Err(UNFIT),
            '&' => {
                let (name, after) = rest.split_once(';').ok_or(UNFIT)?;
                push(&mut out, entity(name).ok_or(UNFIT)?);
                rest = after;
            }
            c => push(&mut out, c),
        }
    }
    Ok(out.into_bytes())
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}

fn push(out: &mut Buffer, character: char) {
    let mut bytes = Zeroizing::new([0_u8; 4]);
    out.push(character.encode_utf8(&mut *bytes).as_bytes());
}
