//! The two customers. Both are made up; every value of the second has the length and the shape of the first's, so that
//! what depends only on shape comes out alike for both.

use jiff::civil::{Date, date};

use crate::settings::Settings;
use crate::state::SiteState;

/// The bank's own code.
pub const BIC: &str = "AGRIFRPP";

/// A customer.
pub struct Person {
    /// Login number, eight digits.
    pub login: &'static str,
    /// Password.
    pub password: &'static str,
    /// Secret code of the online branch, six digits.
    pub code: &'static str,
    /// `Mme` or `M.`.
    pub title: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// First names.
    pub first_names: &'static str,
    /// Birth date.
    pub birth_date: Date,
    /// Town of birth.
    pub birth_place: &'static str,
    /// Number and street.
    pub street: &'static str,
    /// Postal code and town.
    pub town: &'static str,
    /// Telephone number as a French site writes it.
    pub phone: &'static str,
    /// E-mail address.
    pub email: &'static str,
    /// A current account, a savings account and a second current account.
    pub accounts: [Account; 3],
    /// The other side of the operations, in the order of the kinds in `operation.rs`.
    pub(crate) counterparts: [&'static str; 10],
    /// The bank's last day with operations for this customer.
    pub(crate) last_day: Date,
    /// Which digit stands for which in amounts and references: other values, same lengths.
    pub(crate) digits: [u8; 10],
}

/// A login that is right.
#[derive(Clone, Copy)]
pub(crate) struct RightLogin {
    pub(crate) person: &'static Person,
    /// In which state this session meets the site, whatever the others meet: the password was `fault-` and its name.
    pub(crate) fault: Option<SiteState>,
}

/// A bank account.
pub struct Account {
    /// What the bank calls it.
    pub label: &'static str,
    /// IBAN without spaces.
    pub iban: &'static str,
    /// Balance in cents.
    pub balance_cents: i64,
    /// ISO 4217.
    pub currency: &'static str,
}

impl Person {
    /// The holder's name as the accounts show it.
    pub fn holder(&self) -> String {
        format!("{} {} {}", self.title, self.first_names, self.last_name)
    }

    /// What the pages show of them, long enough to be looked for.
    pub(crate) fn shown(&self) -> Vec<String> {
        let texts = [self.street, self.town, self.phone, self.email].map(str::to_owned);
        let ibans = self.accounts.iter().map(|account| account.iban.to_owned());
        let others = self.counterparts.iter().map(|&name| name.to_owned());
        texts.into_iter().chain([self.holder()]).chain(ibans).chain(others).collect()
    }

    /// Who has this login number and this secret code.
    pub(crate) fn with_code(login: &str, code: &str, settings: &Settings) -> Option<RightLogin> {
        let person = Self::with_number(login).filter(|person| settings.code_of(person) == code)?;
        Some(RightLogin { person, fault: None })
    }

    /// Who has this login number and this password, or one that names a fault.
    pub(crate) fn with_login(login: &str, password: &str, settings: &Settings) -> Option<RightLogin> {
        let (person, fault) = (Self::with_number(login)?, SiteState::of_password(password));
        (settings.password_of(person) == password || fault.is_some()).then_some(RightLogin { person, fault })
    }

    fn with_number(login: &str) -> Option<&'static Person> {
        [&MARIE, &JULIE].into_iter().find(|person| person.login == login)
    }
}

/// Marie Dupont.
pub static MARIE: Person = Person {
    login: "12345678",
    password: "Correct-Horse-7!",
    code: "271828",
    title: "Mme",
    last_name: "Dupont",
    first_names: "Marie",
    birth_date: date(1985, 12, 25),
    birth_place: "Lyon",
    street: "12 rue de la République",
    town: "69002 Lyon",
    phone: "04 72 00 00 00",
    email: "marie.dupont@example.org",
    accounts: [
        account("Compte chèques", "FR7630006000011234567890189", 123_456),
        account("Livret A", "FR7630006000011234567891256", 825_000),
        account("Compte chèques secondaire", "FR7630006000011234567893487", -1_750),
    ],
    counterparts: [
        "BOULANGERIE MOREL",
        "MARCHE SAINT ANTOINE",
        "ENERGIE DU RHONE",
        "M PAUL BERNARD",
        "PHARMACIE BELLECOUR",
        "LYON PART DIEU",
        "TELECOM AZUR",
        "CINEMA LUMIERE",
        "ATELIERS DURAND SA",
        "MME ODILE PETIT",
    ],
    last_day: date(2025, 12, 31),
    digits: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
};

/// Julie Martin.
pub static JULIE: Person = Person {
    login: "87654321",
    password: "Distant-Ocean-4!",
    code: "314159",
    title: "Mme",
    last_name: "Martin",
    first_names: "Julie",
    birth_date: date(1979, 10, 14),
    birth_place: "Metz",
    street: "10 rue de la Préfecture",
    town: "57000 Metz",
    phone: "03 53 01 01 01",
    email: "julie.martin@example.org",
    accounts: [
        account("Compte chèques", "FR7630006000019876543210949", 987_654),
        account("Livret A", "FR7630006000019876543211822", 285_000),
        account("Compte chèques secondaire", "FR7630006000019876543213665", -9_350),
    ],
    counterparts: [
        "BOULANGERIE FABRE",
        "MARCHE SAINT JACQUES",
        "ENERGIE DU DOUBS",
        "M JEAN LAURENT",
        "PHARMACIE ESPLANADE",
        "METZ PONT NEUF",
        "TELECOM IRIS",
        "CINEMA CENTRAL",
        "ATELIERS ROBERT SA",
        "MME IRENE SIMON",
    ],
    last_day: date(2025, 12, 14),
    digits: [0, 9, 8, 7, 6, 5, 4, 3, 2, 1],
};

const fn account(label: &'static str, iban: &'static str, balance_cents: i64) -> Account {
    Account { label, iban, balance_cents, currency: "EUR" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remainder_97(digits: &str) -> u64 {
        digits.bytes().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97)
    }

    #[test]
    fn every_iban_and_its_national_key_are_valid() {
        for account in MARIE.accounts.iter().chain(&JULIE.accounts) {
            let (check, bban) = account.iban.strip_prefix("FR").unwrap().split_at(2);
            assert_eq!(remainder_97(&format!("{bban}1527{check}")), 1, "{}", account.iban);
            let number = |range: std::ops::Range<usize>| bban[range].parse::<u64>().unwrap();
            let (bank, branch, account_number, key) = (number(0..5), number(5..10), number(10..21), number(21..23));
            assert_eq!(key, 97 - (89 * bank + 15 * branch + 3 * account_number) % 97, "{}", account.iban);
        }
    }

    /// A value with every letter, digit and other character replaced by its class.
    fn shape(text: &str) -> String {
        let class = |c: char| match c {
            c if c.is_ascii_digit() => '9',
            c if c.is_alphabetic() && c.is_uppercase() => 'A',
            c if c.is_alphabetic() => 'a',
            other => other,
        };
        text.chars().map(class).collect()
    }

    #[test]
    fn both_persons_have_values_of_the_same_shape_and_no_value_in_common() {
        let values = |person: &Person| {
            let mut all = vec![
                person.login.to_owned(),
                person.password.to_owned(),
                person.code.to_owned(),
                person.last_name.to_owned(),
                person.first_names.to_owned(),
                person.birth_date.to_string(),
                person.birth_place.to_owned(),
                person.street.to_owned(),
                person.town.to_owned(),
                person.phone.to_owned(),
                person.email.to_owned(),
            ];
            all.extend(person.accounts.iter().flat_map(|a| [a.iban.to_owned(), a.balance_cents.to_string()]));
            all.extend(person.counterparts.iter().map(|text| (*text).to_owned()));
            all
        };
        for (marie, julie) in values(&MARIE).iter().zip(values(&JULIE)) {
            assert_eq!(shape(marie), shape(&julie));
            assert_ne!(*marie, julie);
        }
    }
}
