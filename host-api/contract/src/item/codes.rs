//! Country and currency codes as small tables. Countries: ISO 3166-1 alpha-2 as of 2025. Currencies: ISO 4217 list one as of 2025
//! without funds, metals and testing codes, grouped by the number of digits of their minor unit.

use std::cmp::Ordering;

const COUNTRIES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH \
CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN \
GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI \
LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM \
PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD \
TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

const CURRENCIES: [(u8, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE \
         CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR \
         KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB \
         PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY \
         TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

/// Whether this is a country's two-letter code, in capitals.
#[must_use]
pub fn is_country(code: &str) -> bool {
    stands_in(COUNTRIES, code, 2)
}

/// Digits of a currency's minor unit: 2 for `EUR`, 0 for `JPY`, none for what is no currency. An amount of 1250 with two digits is
/// 12.50.
#[must_use]
pub fn minor_digits(currency: &str) -> Option<u8> {
    CURRENCIES.iter().find(|(_, codes)| stands_in(codes, currency, 3)).map(|(digits, _)| *digits)
}

/// Whether a code stands in a sorted list of codes of one length.
fn stands_in(codes: &str, code: &str, length: usize) -> bool {
    let (mut low, mut high) = (0, codes.len().div_ceil(length + 1));
    while low < high {
        let middle = low.midpoint(high);
        match codes[middle * (length + 1)..][..length].cmp(code) {
            Ordering::Equal => return true,
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_in_capitals_and_whole() {
        assert_eq!(COUNTRIES.split(' ').count(), 249);
        for country in COUNTRIES.split(' ') {
            assert!(is_country(country), "{country}");
        }
        for (digits, codes) in CURRENCIES {
            for currency in codes.split(' ') {
                assert_eq!(minor_digits(currency), Some(digits), "{currency}");
            }
        }
        for (code, known) in
            [("FR", true), ("CH", true), ("fr", false), ("F", false), ("UK", false), ("FR CH", false), ("", false)]
        {
            assert_eq!(is_country(code), known, "{code}");
        }
        let digits = [("EUR", Some(2)), ("JPY", Some(0)), ("TND", Some(3)), ("eur", None), ("XXX", None), ("", None)];
        for (code, wanted) in digits {
            assert_eq!(minor_digits(code), wanted, "{code}");
        }
    }
}
