//! What attacks still get. Nothing here can be prevented, or is worth what it would cost; each is shown, so that nobody thinks otherwise.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::echoes::repeats_both;
use crate::suite::{HONEST, PASSWORD, Probe, Ran, World, probe};

/// An attack that succeeds.
pub struct Attack {
    pub name: &'static str,
    pub tries: &'static str,
    pub risk: &'static str,
    site: fn(&Sent) -> Answer,
    go: fn(Probe) -> Probe,
    /// What it got, as the run and the site show it.
    got: fn(&Ran, &EchoSite) -> bool,
}

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "signals-by-pauses", tries: "tells a letter of a page by how long it waits between requests to a declared origin", risk: "What a connector reads on pages it can tell whoever sees its requests: by pauses as well as by addresses and texts. It never reads a secret; origins are few, and the operator reads them.", site: home, go: |probe| Probe { mode: "signals-by-pauses", ..probe }, got: |ran, site| pauses(ran, site) },
    Attack { name: "sends-a-page-to-a-declared-origin", tries: "puts what it has read into the address of a request to a declared origin", risk: "The same, at once and in clear. Origins that are not the Data Source's own stand out in the list that an operator approves.", site: home, go: |probe| Probe { mode: "fetches", aim: "GET /take?read=Marie".to_owned(), ..probe }, got: |_, site| site.heard().iter().any(|request| request.contains("read=Marie")) },
    Attack { name: "lies-about-a-value", tries: "emits a name that stands on no page", risk: "A value in the right form may be wrong. The parcel says which connector brought it, by digest and author; the person sees it before it is shared.", site: home, go: |probe| Probe { mode: "honest", ..probe }, got: |ran, site| site.heard().is_empty() && ran.collection.items.len() == 1 },
    Attack { name: "asks-by-a-page-rule", tries: "has a rule in its manifest that recognises a page by the first letter of what it repeats", risk: "One bit for each rule and use, of single characters that a site repeats. The operator reads the rules, and such a rule stands out; at most 5 uses.", site: repeats, go: |probe| Probe { mode: "fills", aim: "POST /part form:motdepasse password four 1".to_owned(), ..probe }.declaring(true, "[[page]]\nid = \"begins-with-c\"\nurl = \"{base}/part\"\nrequires = [\"input[value^='C']\"]\n"), got: |ran, _| ran.said().contains("page Some(\"begins-with-c\")") && !ran.said().contains("Corr") },
    Attack { name: "guesses-the-whole-beside-an-echo", tries: "writes the whole password, guessed, beside the password at a site that repeats it", risk: "It sees that its own text was left standing where the other is. One guess for each text, at most 128 in a request, and as many requests as the sink allows.", site: repeats_both, go: |probe| Probe { mode: "guesses-beside-a-secret", aim: PASSWORD.to_owned(), ..probe }, got: |ran, _| !ran.said().contains("***") },
    Attack { name: "reads-an-echo-backwards", tries: "logs in at a site that repeats the password in a spelling that nobody searches for", risk: "The search covers what sites do by carelessness. A site that works for a connector needs no connector: it has the password.", site: backwards, go: |probe| Probe { mode: "reads-an-echo", ..probe }, got: |ran, _| ran.said().contains("!7-esroH-tcerroC") },
    Attack { name: "reads-a-token-elsewhere", tries: "reads a token on a page that no capture rule names", risk: "A rule covers the answers it names. A token opens what the Data Source lets it open, for as long as it lives, and reaches no origin but the declared ones.", site: prints_a_token, go: |probe| Probe { mode: "fetches", aim: "GET /settings".to_owned(), ..probe }, got: |ran, _| ran.said().contains("tok-4f9a8b7c6d5e") },
    Attack { name: "names-a-person-in-a-report", tries: "misses something whose name is a person's", risk: "64 letters of what it has read, in a failure that the Online Service and the operator see: no upper case, at most four digits, once for each run.", site: home, go: |probe| Probe { mode: "misses", aim: "marie-dupont".to_owned(), ..probe }, got: |ran, _| ran.told.contains("missing=marie-dupont") },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_remain_remains() {
    let mut world = World::new();
    for attack in ATTACKS {
        let site = EchoSite::start(attack.site).await.unwrap();
        let ran = world.run((attack.go)(probe("", &site.url))).await;
        assert!((attack.got)(&ran, &site), "{}: {} {}", attack.name, ran.told, ran.said());
        assert!(ran.told == HONEST || attack.name == "names-a-person-in-a-report", "{}: {}", attack.name, ran.told);
    }
}

fn home(_: &Sent) -> Answer {
    Answer { body: ("text/html", "<p>Hello.</p>".to_owned()), ..Answer::default() }
}

fn repeats(sent: &Sent) -> Answer {
    Answer { body: ("text/html", format!("<input value='{}'>", sent.password)), ..Answer::default() }
}

fn backwards(sent: &Sent) -> Answer {
    let password: String = sent.password.chars().rev().collect();
    Answer { body: ("text/html", format!("<p>{password}</p>")), ..Answer::default() }
}

fn prints_a_token(_: &Sent) -> Answer {
    Answer { body: ("text/html", "<p>Your token: tok-4f9a8b7c6d5e</p>".to_owned()), ..Answer::default() }
}

/// The letter, by the time between requests.
fn pauses(_: &Ran, site: &EchoSite) -> bool {
    let at = site.heard_at();
    let bits = at.windows(2).map(|two| two[1].duration_since(two[0]).as_millis() > 200);
    // The first letter of the page; its first pause before the first of the eight requests.
    bits.zip((0..8).skip(1)).all(|(bit, place)| bit == (b'1' >> place & 1 == 1)) && at.len() == 8
}
