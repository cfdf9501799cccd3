//! Days as pages write them, to ISO 8601. A day that no calendar has is none.

/// Day, month, year to `YYYY-MM-DD`. A year of two figures is the one of the hundred years from `first` on; without it, it is none.
pub(crate) fn iso(day: &str, month: u16, year: &str, first: Option<u16>) -> Option<String> {
    let (day, year) = (digits(day, 2)?, full(year, first)?);
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

fn full(year: &str, first: Option<u16>) -> Option<u16> {
    let figures = digits(year, 4)?;
    match (year.len(), first) {
        (4, _) => Some(figures),
        (2, Some(first)) => {
            let year = (first - first % 100).checked_add(figures)?;
            let year = if year < first { year.checked_add(100)? } else { year };
            (year < 10_000).then_some(year)
        }
        _ => None,
    }
}

/// A number of at most so many figures.
pub(crate) fn digits(text: &str, most: usize) -> Option<u16> {
    let right = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

/// The month of this name, or of its abbreviation by at least three letters if that fits one month only; with accents or without.
pub(crate) fn month(name: &str, months: &str) -> Option<u16> {
    let name = plain(name.trim_end_matches('.'));
    let fits = |month: &str| name.len() >= 3 && plain(month).starts_with(&name);
    let mut found = (1..).zip(months.split(' ')).filter(|(_, month)| fits(month));
    let (number, _) = found.next()?;
    found.next().is_none().then_some(number)
}

/// In small letters, without the accents that names of months have.
fn plain(name: &str) -> String {
    let letter = |c: char| match c {
        'é' | 'è' | 'ê' => 'e',
        'û' | 'ù' => 'u',
        // An accent that stands behind its letter, as a character of its own.
        '\u{300}'..='\u{302}' => '\0',
        _ => c,
    };
    name.to_lowercase().chars().map(letter).filter(|c| *c != '\0').collect()
}
