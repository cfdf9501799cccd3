//! Payment accounts, where the law asks third parties to say who they are (PSD2, article 67): the operator identifies itself, or the manifest says
//! by which ground nobody has to. What a source calls itself makes no difference: what is read there does. What stands on this machine is nobody's bank.

use super::parts::Source;
use super::url::Origin;

/// Where the directive, or the law that followed it, holds: the European Economic Area and the United Kingdom.
const COUNTRIES: [&str; 31] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
    "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];
/// What stands on a payment account.
const ACCOUNT: [&str; 3] = ["bank.account", "bank.balance", "bank.transaction"];

/// What of a payment account is read, where the law asks for identification.
pub(super) fn read(country: &str, categories: &[&'static str]) -> Option<&'static str> {
    categories.iter().copied().find(|category| ACCOUNT.contains(category)).filter(|_| COUNTRIES.contains(&country))
}

/// What is wrong if requests of this source go to these origins.
pub(super) fn problem(source: &Source, origins: &[Origin]) -> Option<String> {
    let category = read(&source.country, &source.categories)?;
    let told = source.tpp || source.tpp_exempt.is_some() || origins.iter().all(Origin::is_loopback);
    (!told).then(|| {
        format!(
            "{category} in {} is a payment account, where third parties identify themselves: `tpp = true`, or `tpp-exempt` with the ground \
             by which nobody has to",
            source.country
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;
    use crate::manifest::tests::example;

    #[test]
    fn a_payment_account_is_read_by_who_says_who_it_is_or_by_which_ground_it_need_not() {
        const GROUND: &str = "tpp-exempt = \"a bank of made-up people on this machine\"\n";
        let read = |text: &str| Manifest::parse(text).map_err(|errors| errors.to_string());
        let without = example().replace(GROUND, "");
        // What stands on this machine is nobody's bank; at another address of the operator's it is one.
        let elsewhere = "https://bank.example".parse().unwrap();
        let plan = |text: &str| {
            let resolved = read(text).unwrap().for_source("sample-bank", Some(&elsewhere));
            resolved.map(drop).map_err(|error| error.to_string())
        };
        assert!(read(&without).unwrap().for_source("sample-bank", None).is_ok());
        assert!(plan(&without).unwrap_err().contains("bank.account in FR is a payment account"));
        plan(example()).unwrap();
        for text in [without.clone(), without.replace("kind = \"bank\"", "kind = \"other\"")] {
            let errors = read(&text.replace("http://127.0.0.1:18090", "https://bank.example")).unwrap_err();
            assert!(errors.contains("source[0].origins[0]") && errors.contains("bank.account in FR"), "{errors}");
        }
        // Elsewhere no law asks for it.
        plan(&without.replace("country = \"FR\"", "country = \"CH\"")).unwrap();
        for (from, to, problem) in [
            ("params = {", "tpp = true\nparams = {", "nothing to be exempt from"),
            ("a bank of made-up people on this machine", "why not", "at least 10 characters"),
        ] {
            let errors = read(&example().replace(from, to)).unwrap_err();
            assert!(errors.contains("source[0].tpp-exempt") && errors.contains(problem), "{errors}");
        }
        let asked = read(example()).unwrap().permissions();
        let told = |sentence: &str| asked.iter().any(|permission| permission.sentence.contains(sentence));
        assert!(
            told("without identification as a third party at the source sample-bank, on this ground: \"a bank"),
            "{asked:?}"
        );
    }
}
