//! Digits as a picture: a grey PNG with uncompressed data, so that no image library is needed.

/// Columns and rows of a digit.
const GLYPH: (usize, usize) = (3, 5);
/// Pixels for one dot of a digit.
const SCALE: usize = 6;
/// Dots left and right of each digit, and above and below.
const GAP: usize = 1;

/// The ten digits, a row of three dots in the low bits of each byte.
const DIGITS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

/// A picture of these digits; other characters leave a blank.
pub(crate) fn png(code: &str) -> Vec<u8> {
    let digits: Vec<Option<u32>> = code.chars().map(|c| c.to_digit(10)).collect();
    let width = digits.len() * (GLYPH.0 + 2 * GAP) * SCALE;
    let height = (GLYPH.1 + 2 * GAP) * SCALE;
    let mut rows = Vec::with_capacity((width + 1) * height);
    for y in 0..height {
        rows.push(0); // no filter
        rows.extend((0..width).map(|x| if is_dark(&digits, x / SCALE, y / SCALE) { 0x30 } else { 0xF0 }));
    }
    let mut head = Vec::new();
    head.extend((width as u32).to_be_bytes());
    head.extend((height as u32).to_be_bytes());
    head.extend([8, 0, 0, 0, 0]); // eight bits of grey
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", &head);
    chunk(&mut file, b"IDAT", &stored(&rows));
    chunk(&mut file, b"IEND", &[]);
    file
}

fn is_dark(digits: &[Option<u32>], column: usize, row: usize) -> bool {
    let cell = GLYPH.0 + 2 * GAP;
    let (Some(Some(digit)), Some(x), Some(y)) =
        (digits.get(column / cell), (column % cell).checked_sub(GAP), row.checked_sub(GAP))
    else {
        return false;
    };
    x < GLYPH.0 && y < GLYPH.1 && DIGITS[*digit as usize][y] >> (GLYPH.0 - 1 - x) & 1 == 1
}

/// Data in zlib's wrapping, in stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = data.chunks(0xFFFF).count();
    for (place, block) in data.chunks(0xFFFF).enumerate() {
        let length = block.len() as u16;
        out.push(u8::from(place + 1 == blocks));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

fn crc32(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_published_values() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(stored(b"Wikipedia")[stored(b"Wikipedia").len() - 4..], 0x11E6_0398_u32.to_be_bytes());
    }

    #[test]
    fn different_codes_give_different_pictures_of_one_size() {
        assert_eq!(png("123456").len(), png("654321").len());
        assert_ne!(png("123456"), png("123457"));
    }
}
