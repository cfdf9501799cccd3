//! A monthly statement as a PDF of one page, written by hand: no library is needed for five objects.
//!
//! The text is in a standard font with the Windows Latin encoding; what that can't write becomes a question mark.

use std::fmt::Write as _;

use jiff::civil::{Date, date};

use crate::operation::{french_amount, french_date};
use crate::person::{BIC, Person};

/// Statements the site keeps for a customer: the months of 2025, newest first.
pub(crate) fn months() -> impl Iterator<Item = Date> {
    (1..=12).rev().map(|month| date(2025, month, 1).last_of_month())
}

/// The name of a statement in the URL and in the download: `releve-2025-12`.
pub(crate) fn name(month: Date) -> String {
    month.strftime("releve-%Y-%m").to_string()
}

/// The PDF of the statement of a month.
pub(crate) fn pdf(person: &Person, month: Date) -> Vec<u8> {
    let account = &person.accounts[0];
    let lines = [
        "BANQUE DU VALLON".to_owned(),
        format!("Relevé de compte au {}", french_date(month)),
        person.holder(),
        person.street.to_owned(),
        person.town.to_owned(),
        format!("{} - IBAN {} - BIC {BIC}", account.label, account.iban),
        format!("Solde : {}", french_amount(account.balance_cents)),
    ];
    let mut content = b"BT /F1 12 Tf 18 TL 56 780 Td\n".to_vec();
    for line in &lines {
        content.push(b'(');
        content.extend(line.chars().flat_map(escaped));
        content.extend(b") Tj T*\n");
    }
    content.extend(b"ET");
    assembled(&content)
}

/// A character as bytes of a PDF string in WinAnsiEncoding.
fn escaped(c: char) -> Vec<u8> {
    match c {
        '(' | ')' | '\\' => vec![b'\\', c as u8],
        '€' => vec![0x80],
        ' '..='~' | '\u{a0}'..='ÿ' => vec![c as u8],
        _ => vec![b'?'],
    }
}

fn assembled(content: &[u8]) -> Vec<u8> {
    let mut stream = format!("<< /Length {} >>\nstream\n", content.len()).into_bytes();
    stream.extend(content);
    stream.extend(b"\nendstream");
    let objects: [&[u8]; 5] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        &stream,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ];
    let mut file = b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = String::from("xref\n0 6\n0000000000 65535 f \n");
    for (place, object) in objects.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = writeln!(table, "{:010} 00000 n ", file.len());
        file.extend(format!("{} 0 obj\n", place + 1).bytes());
        file.extend(*object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(table.bytes());
    file.extend(format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::MARIE;

    /// Byte-wise, since text positions and file positions differ where a byte is no ASCII.
    fn text_at(file: &[u8], from: usize) -> String {
        file[from..].iter().map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn the_cross_reference_table_leads_to_every_object() {
        let file = pdf(&MARIE, date(2025, 3, 31));
        let whole = text_at(&file, 0);
        assert!(whole.starts_with("%PDF-1.4\n"));
        let start: usize = whole.lines().rev().nth(1).unwrap().parse().unwrap();
        let table = text_at(&file, start);
        let mut lines = table.lines();
        assert_eq!((lines.next(), lines.next()), (Some("xref"), Some("0 6")));
        for (number, line) in lines.take(6).enumerate().skip(1) {
            assert_eq!(line.len(), 19, "with its line end an entry is 20 bytes");
            let offset: usize = line[..10].parse().unwrap();
            assert!(text_at(&file, offset).starts_with(&format!("{number} 0 obj\n")));
        }
    }

    #[test]
    fn the_stream_is_as_long_as_it_says_and_names_the_holder() {
        let file = pdf(&MARIE, date(2025, 3, 31));
        let whole = text_at(&file, 0);
        let length: usize = whole.split("/Length ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let body = whole.split("stream\n").nth(1).unwrap();
        assert_eq!(body.chars().skip(length).collect::<String>(), "\nend", "a character is a byte of the file here");
        assert!(body.contains("Mme Marie Dupont") && body.contains("R\u{e9}publique"));
    }
}
