use consentry_sdk::prelude::*;

use super::{Notice, read};

/// A kept notice of the example office.
const NOTICE: &[u8] = include_bytes!("../../pages/notice.pdf");

#[test]
fn a_notice_is_read_label_by_label() {
    let text = pdf::Text::read(NOTICE.to_vec()).unwrap();
    let wanted = Notice {
        number: "26 69 1234567 89".to_owned(),
        issued: "2026-07-31".to_owned(),
        shares: "2.5".to_owned(),
        income: 3_825_000,
        tax: 121_400,
    };
    assert_eq!(read(&text).unwrap(), wanted);
    let lines: Vec<String> = text.lines().map(|line| line.join(" | ")).collect();
    assert_eq!(lines[..2], ["CENTRE DES IMPÔTS DU VALLON", "AVIS D’IMPÔT SUR LES REVENUS DE L’ANNÉE 2025"]);
    assert!(lines.contains(&"Revenu fiscal de référence | 38 250 €".to_owned()), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "Cet avis justifie du montant de vos revenus. Conservez-le.");
}

#[test]
fn another_file_is_no_notice() {
    // The first label is another one there.
    let other =
        pdf::Text::read(NOTICE.to_vec()).map(|text| text.beside("Numéro de sécurité sociale").map(str::to_owned));
    assert_eq!(other.unwrap().unwrap_err().code, Code::PageUnrecognised.name());
}
