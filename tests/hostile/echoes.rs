//! Sites that repeat a password, and what a hostile connector makes of it. In each way the same connector sees its own text come back,
//! so what it does not see of a secret is the scrub's doing.

use consentry::collect::Collector;
use consentry_tests::canary::encodings;
use consentry_tests::collecting::{Collecting, collector, lock, told};
use consentry_tests::echoing::{Answer, Echo, EchoSite};

use crate::suite::PASSWORD;

/// Everything that a run of this attack told, and the site.
async fn attack(collector: &Collector, mode: &str, echo: Echo, password: &str, guess: &str) -> (String, EchoSite) {
    let site = EchoSite::start(echo).await.unwrap();
    let attack = Collecting::with("probe").unwrap().field("mode", mode).at(&site.url).wanting(&["person.name"]);
    let attack = attack.field("login", "marie").field("password", password).field("aim", guess);
    let seen = attack.seen.clone();
    let collection = attack.collect(collector).await.unwrap();
    let lines = lock(&seen.lines).join("\n");
    assert_eq!(told(&collection), "person.name=1", "{mode}: {lines}");
    (lines, site)
}

/// Every spelling that a search for a canary knows, and some of what is left of one that was not cut out whole.
pub fn traces(lines: &str) -> Vec<String> {
    let mut found: Vec<String> = encodings(PASSWORD)
        .into_iter()
        .map(|form| String::from_utf8_lossy(&form).into_owned())
        .filter(|form| lines.contains(form.as_str()))
        .collect();
    let parts = [
        "correct",
        "horse",
        "orse-7",
        "rrect",
        "%6f%72%72",
        "6f7272",
        "\\x6f\\x72",
        "&#111;",
        "#x6f;",
        "6f00",
        "%51%32",
        "\\u006f",
        "y29y",
        "ycmvjd",
    ];
    let lines = lines.to_lowercase();
    found.extend(parts.iter().filter(|part| lines.contains(*part)).map(|part| (*part).to_owned()));
    found
}

/// Repeats the word in every place, and the password in none.
pub fn repeats_the_word(sent: &consentry_tests::echoing::Sent) -> Answer {
    Answer {
        status: 200,
        headers: vec![("x-note", sent.word.clone())],
        body: (
            "text/html; charset=utf-8",
            format!(
                "<a href='/login?{1}'>{0}</a><input name=q value='{0}'><p>no result for {0}!</p><!-- {0} --><script>var q = '{0}'</script>",
                sent.word, sent.query
            ),
        ),
    }
}

/// Repeats the password in an input, and the word in a text.
pub fn repeats_both(sent: &consentry_tests::echoing::Sent) -> Answer {
    let body = format!("<input name=motdepasse value='{}'><p>{}</p>", sent.password, sent.word);
    Answer { body: ("text/html; charset=utf-8", body), ..Answer::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_guesses_teaches_nothing_even_where_the_secret_is_repeated() {
    let collector = collector().unwrap();
    let mut told = Vec::new();
    for right in [PASSWORD, "Correct-Horse-8!"] {
        let list = format!("Winter-Horse-1! {right} Summer-Horse-2!");
        let (lines, site) = attack(&collector, "guesses-beside-a-secret", repeats_both, PASSWORD, &list).await;
        assert!(site.told().contains(&format!("value='{PASSWORD}'")));
        assert!(lines.contains("value=\"***\"") && lines.contains(&list), "{lines}");
        let lines = lines.replace(&site.url, "SITE").replace(&list, "LIST");
        told.push(lines.replace(&list.replace(' ', "%20"), "LIST"));
    }
    assert_eq!(told[0], told[1]);
}

/// An address, as the page of a person's own.
fn shows_an_address(_: &consentry_tests::echoing::Sent) -> Answer {
    Answer { body: ("text/html", "<p>12 rue de Rivoli, 75001 Paris, comparison</p>".to_owned()), ..Answer::default() }
}

/// What a word costs: it is hidden on the very page that answers the login, and there only.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_as_a_password_leaves_addresses_whole_on_every_page_but_one() {
    let collector = collector().unwrap();
    let (lines, _site) = attack(&collector, "reads-an-echo", shows_an_address, "Paris", "Paris").await;
    assert!(lines.contains("75001 ***, comparison") && lines.contains("12 rue de Rivoli, 75001 Paris</p>"), "{lines}");
}

/// What short ones cost: nobody looks for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_pin_of_four_digits_is_not_searched_for() {
    let collector = collector().unwrap();
    let (lines, _site) = attack(&collector, "reads-an-echo", repeats_both, "7500", "7500").await;
    assert!(lines.contains("attr:value Some(\"7500\")"), "{lines}");
}
