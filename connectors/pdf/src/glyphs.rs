//! Letters by their names and codes, as simple fonts of western languages have them.

/// Bytes 0x80 to 0x9f of Windows Latin (code page 1252); a blank where there is nothing.
const WINDOWS: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";
/// Bytes 0x80 to 0xff of Mac Roman.
const MAC: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// What accents do to letters.
const ACCENTED: [(&str, &str, &str); 9] = [
    ("grave", "aeiou", "àèìòù"),
    ("acute", "aeiouyscnz", "áéíóúýśćńź"),
    ("circumflex", "aeiou", "âêîôû"),
    ("tilde", "ano", "ãñõ"),
    ("dieresis", "aeiouy", "äëïöüÿ"),
    ("ring", "au", "åů"),
    ("cedilla", "cs", "çş"),
    ("caron", "cerszdtn", "čěřšžďťň"),
    ("slash", "ol", "øł"),
];
/// Names that are no letter's.
const NAMES: &str = "space\u{20}exclam!quotedbl\"numbersign#dollar$percent%ampersand&quotesingle'parenleft(parenright)asterisk*plus+comma,hyphen-\
period.slash/zero0one1two2three3four4five5six6seven7eight8nine9colon:semicolon;less<equal=greater>question?at@bracketleft\u{5b}backslash\\\
bracketright\u{5d}asciicircum^underscore_grave`braceleft{bar|braceright}asciitilde~Euro€quoteleft‘quoteright’quotedblleft“quotedblright”\
endash–emdash—bullet•ellipsis…degree°section§guillemotleft«guillemotright»fiﬁflﬂae\u{e6}AE\u{c6}oeœOEŒgermandblsßsterling£cent¢yen¥\
minus−multiply×periodcentered·nbspace\u{a0}nonbreakingspace\u{a0}quotesinglbase‚quotedblbase„onesuperior¹twosuperior²threesuperior³";
/// Widths of Helvetica from the blank to the tilde, in thousandths.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];

/// The letter of a byte in Windows Latin, which is ASCII and Latin 1 for the most part.
pub(crate) fn latin(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => WINDOWS.chars().nth(usize::from(byte) - 0x80).filter(|letter| *letter != ' '),
        0..=0x1f | 0x7f => None,
        _ => Some(char::from(byte)),
    }
}

/// What is not ASCII in Mac Roman.
pub(crate) fn mac() -> impl Iterator<Item = (u8, char)> {
    (0x80..=0xff).zip(MAC.chars())
}

pub(crate) fn helvetica() -> impl Iterator<Item = (u32, f64)> {
    (32..).zip(HELVETICA.iter().map(|width| f64::from(*width)))
}

/// The text of a glyph's name.
pub(crate) fn named(name: &str) -> Option<String> {
    let name = name.split('.').next().unwrap_or_default();
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Some(letter.to_string());
    }
    sign(name).or_else(|| accented(name)).or_else(|| by_number(name))
}

/// A sign stands right behind its name in the list.
fn sign(name: &str) -> Option<String> {
    NAMES.match_indices(name).find_map(|(at, _)| {
        let before = NAMES.get(..at)?.chars().last();
        let sign = NAMES.get(at + name.len()..)?.chars().next()?;
        let whole = before.is_none_or(|before| !before.is_ascii_alphabetic()) && !sign.is_ascii_alphabetic();
        whole.then(|| sign.to_string())
    })
}

fn accented(name: &str) -> Option<String> {
    let letter = name.chars().next()?;
    let accent = name.get(letter.len_utf8()..)?;
    let (_, plain, with) = ACCENTED.iter().find(|(known, ..)| *known == accent)?;
    let at = plain.chars().position(|known| known == letter.to_ascii_lowercase())?;
    let found = with.chars().nth(at)?;
    Some(if letter.is_uppercase() { found.to_uppercase().collect() } else { found.to_string() })
}

/// `uni00E9`, `u1F600`.
fn by_number(name: &str) -> Option<String> {
    let digits = name.strip_prefix("uni").or_else(|| name.strip_prefix('u'))?;
    let number = digits.get(..digits.len().min(6))?;
    (number.len() >= 4)
        .then(|| u32::from_str_radix(number, 16).ok().and_then(char::from_u32))
        .flatten()
        .map(String::from)
}
