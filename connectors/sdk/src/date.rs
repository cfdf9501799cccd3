//! Days as pages write them, to ISO 8601. A day that no calendar has is none.

/// Day, month, year to `YYYY-MM-DD`.
pub(crate) fn iso(day: &str, month: u16, year: &str) -> Option<String> {
    let (day, year) = (digits(day, 2)?, digits(year, 4).filter(|_| year.len() == 4)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| {
        let mut text = String::with_capacity("1985-12-25".len());
        for (number, figures) in [(year, 4), (month, 2), (day, 2)] {
            if !text.is_empty() {
                text.push('-');
            }
            for figure in (0..figures).rev() {
                text.push(char::from(b'0' + (number / 10_u16.pow(figure) % 10) as u8));
            }
        }
        text
    })
}

/// A number of at most so many figures.
pub(crate) fn digits(text: &str, most: usize) -> Option<u16> {
    let right = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

/// The month of this name, or of its abbreviation by at least three letters if that fits one month only.
pub(crate) fn month(name: &str, months: &str) -> Option<u16> {
    let name = name.trim_end_matches('.').to_lowercase();
    let mut fits =
        (1..).zip(months.split(' ')).filter(|(_, month)| name.chars().count() >= 3 && month.starts_with(&name));
    let found = fits.next()?;
    fits.next().is_none().then_some(found.0)
}
