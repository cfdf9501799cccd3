//! Saying what is not so: to whoever receives the items, to the host about what happened, to the person.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::suite::{Attack, Coming, Defence, HONEST, Off, Run, Verdict, World, probe};

/// With an account too, of which a wrong one makes the dataset partial.
const ACCOUNTS: &[&str] = &["bank.account", "person.name"];
const REFUSED: Verdict = Verdict::Told("bank.account=0!value-unparsable person.name=1");
const TAKEN: &str = "bank.account=1 person.name=1";

/// Items that say this, wrong or right.
macro_rules! items {
    ($name:literal, $tries:literal, $stopped_by:literal, $verdict:expr, $how:literal => $told:expr, $wanted:expr, $wrong:literal, $right:literal) => {
        Attack {
            name: $name,
            tries: $tries,
            stopped_by: $stopped_by,
            verdict: $verdict,
            off: Off::By($how, $told),
            run: Run::Story(|world, defence| emits(world, defence, $wanted, [$wrong, $right])),
        }
    };
}

/// Many items in one text, whose lengths do not fit it, or do.
macro_rules! crooked {
    ($name:literal, $tries:literal, $wrong:literal, $right:literal) => {
        Attack {
            name: $name,
            tries: $tries,
            stopped_by: "the lengths are cut by the host, and must be those of the whole text",
            verdict: Verdict::Told("bank.account=0!invalid-argument person.name=1"),
            off: Off::By("they are", TAKEN),
            run: Run::Story(|world, defence| emits_all(world, defence.pick($wrong, $right))),
        }
    };
}

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "emits-what-nobody-asked-for", tries: "emits transactions where a name was consented to", stopped_by: "what was not consented to is refused and counted as the connector's doing", verdict: Verdict::Nothing, off: Off::By("the person consents to transactions too", "bank.transaction=1 person.name=1"), run: Run::Story(unrequested) },
    items!("forges-when-it-was-seen", "writes another day of observation into an item", "provenance is the host's: fields that the table does not have are refused", REFUSED, "the field is left out" => TAKEN, ACCOUNTS, "bank.account;text ref=1;instant observed=2001-01-01T00:00:00Z", "bank.account;text ref=1"),
    items!("emits-a-wrong-iban", "emits an IBAN with a wrong check digit", "each value is checked by the table of items", REFUSED, "the IBAN is right" => TAKEN, ACCOUNTS, "bank.account;text ref=1;text iban=FR7630006000011234567890180", "bank.account;text ref=1;text iban=FR7630006000011234567890189"),
    items!("hides-a-page-in-an-item", "puts 4,000 characters into the label of an account", "texts are bounded by the table of items", REFUSED, "the label is one" => TAKEN, ACCOUNTS, "bank.account;text ref=1;long label=page", "bank.account;text ref=1;text label=page"),
    items!("hides-lines-in-an-item", "puts control characters into a label, for whoever prints it", "texts are checked by the table of items", REFUSED, "the label is one line" => TAKEN, ACCOUNTS, "bank.account;text ref=1;text label=a\u{1b}[2Jb", "bank.account;text ref=1;text label=a[2Jb"),
    items!("emits-an-item-twice", "emits two accounts under one reference", "references are unique in a run", Verdict::Told("bank.account=1!value-unparsable person.name=1"), "the second has another reference" => "bank.account=2 person.name=1", ACCOUNTS, "bank.account;text ref=1\nbank.account;text ref=1", "bank.account;text ref=1\nbank.account;text ref=2"),
    items!("refers-to-nothing", "emits a transaction of an account that it never named", "a reference leads to an item of the same run", Verdict::Told("bank.account=1 bank.transaction=0!value-unparsable person.name=1"), "it refers to the account" => "bank.account=1 bank.transaction=1 person.name=1", &["bank.account", "bank.transaction", "person.name"], "bank.account;text ref=1\nbank.transaction;text account=2;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR", "bank.account;text ref=1\nbank.transaction;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR"),
    items!("hides-a-program-in-a-document", "emits a script as a bank statement", "a document is what its first bytes say", Verdict::Told("document.statement=0!value-unparsable person.name=1"), "it begins as a PDF does" => "document.statement=1 person.name=1", &["document.statement", "person.name"], "document.statement;text ref=1;blob file=#!/bin/sh", "document.statement;text ref=1;blob file=%PDF-1.7"),
    crooked!("emits-lengths-beyond-its-text", "says that a value is longer than the text it stands in", "ref,label;1é;1,3", "ref,label;1é;1,2"),
    crooked!("emits-a-length-that-wraps", "gives lengths whose sum begins anew at nought", "ref,label,kind;1é;1,4294967295,2", "ref,label,kind;1é;1,2,x"),
    crooked!("cuts-a-character-in-two", "gives lengths that end within a character", "ref,label,holder;1éa;1,1,2", "ref,label,holder;1éa;1,2,1"),
    crooked!("emits-half-an-item", "gives fewer lengths than an item has fields", "ref,label;1é;3", "ref,label;1é;1,2"),
    crooked!("leaves-text-over", "gives lengths that are not the whole text, for the rest to go along unread", "ref,label;1éa;1,2", "ref,label;1é;1,2"),
    Attack { name: "emits-what-is-older-than-consented", tries: "emits a transaction of 2001 where the consent begins in 2025", stopped_by: "what is older is not taken, whatever the connector filters", verdict: Verdict::Told("bank.transaction=0!page-unrecognised person.name=1"), off: Off::By("the consent names no first day", "bank.transaction=1 person.name=1"), run: Run::Story(too_old) },
    Attack { name: "says-that-there-is-nothing", tries: "ends as if all had gone well, without an item", stopped_by: "nothing counts as nothing only where the source says so, on a page that the manifest declares", verdict: Verdict::Told("page-unrecognised"), off: Off::By("the manifest calls that page empty", "person.name=empty@home"), run: Run::Story(empty) },
    Attack { name: "claims-a-failure-of-the-hosts", tries: "ends with `consent-withdrawn`, as if the person had", stopped_by: "a connector may claim the codes that are its own to know", verdict: Verdict::Told("unclassified"), off: Off::By("it claims a code that is", "not-a-customer"), run: Run::Story(claims_a_code) },
    Attack { name: "blames-the-person", tries: "says `credentials-rejected` where the source says that it is closed", stopped_by: "what the host saw comes first", verdict: Verdict::Told("source-maintenance @closed"), off: Off::By("the manifest does not say what that page means", "credentials-rejected @closed"), run: Run::Story(blames) },
    Attack { name: "reports-a-value-as-missing", tries: "misses something whose name is a telephone number", stopped_by: "what stands in a report is a name, with four digits at most", verdict: Verdict::Told("page-unrecognised missing=unnamed"), off: Off::By("its name is one", "page-unrecognised missing=holder-name"), run: Run::Story(misses) },
    Attack { name: "tells-a-value-by-its-code", tries: "ends with a value of the person as its code", stopped_by: "codes are the host's closed list", verdict: Verdict::Told("unclassified"), off: Off::By("it claims a code of the list", "not-a-customer"), run: Run::Story(tells_by_a_code) },
    Attack { name: "shows-a-step-of-its-own", tries: "reports a text of its own as progress", stopped_by: "steps are declared, others are not shown", verdict: Verdict::Nothing, off: Off::By("the step is declared", HONEST), run: Run::Story(steps) },
    Attack { name: "forges-a-line-of-the-log", tries: "writes line breaks and orders to the terminal into its log, for a line that looks like the engine's", stopped_by: "what is no letter is written as an escape; outside of development none of its lines is shown", verdict: Verdict::Nothing, off: Off::Never("no line is written in another way"), run: Run::Story(forges_a_line) },
    Attack { name: "asks-in-its-own-words", tries: "asks the person for the password in words of its own", stopped_by: "the words are the manifest's and the journey's; a question has a few details and no others", verdict: Verdict::Refused("invalid-argument", "a prompt's details are"), off: Off::By("the words stand in a detail that is shown as data", HONEST), run: Run::Story(own_words) },
    Attack { name: "asks-for-what-it-did-not-declare", tries: "asks a question, and for an answer in clear that no manifest declares", stopped_by: "what is not declared of an answer is dropped", verdict: Verdict::Nothing, off: Off::By("the manifest declares it, in clear", HONEST), run: Run::Story(undeclared_answer) },
    Attack { name: "sends-the-person-elsewhere", tries: "sends the person to another site, to log in there", stopped_by: "a person is sent where a request may go", verdict: Verdict::Refused("capability-denied", "origins = [\"https://evil.example\"]"), off: Off::By("the site is declared", HONEST), run: Run::Story(sends_elsewhere) },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

fn answers(sent: &Sent) -> Answer {
    Answer { body: ("text/html", format!("<p>{}</p>", sent.path)), ..Answer::default() }
}

async fn site() -> EchoSite {
    EchoSite::start(answers).await.unwrap()
}

fn emits<'w>(
    world: &'w mut World,
    defence: Defence,
    wanted: &'static [&'static str],
    [wrong, right]: [&'static str; 2],
) -> Coming<'w> {
    Box::pin(async move {
        let site = site().await;
        let items = defence.pick(wrong, right);
        let ran = world.run(probe("emits", &site.url).aim(items).wanting(wanted)).await;
        // One of each line, and the name.
        let taken = ran.collection.items.len();
        ran.came(taken == items.lines().count() + 1)
    })
}

fn emits_all<'w>(world: &'w mut World, items: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let (site, aim) = (site().await, format!("bank.account;{items}"));
        let ran = world.run(probe("emits-all", &site.url).aim(&aim).wanting(ACCOUNTS)).await;
        let taken = ran.collection.items.len();
        ran.came(taken > 1)
    })
}

const TRANSACTION: &str =
    "bank.transaction;text account=1;date date=2001-01-01;text label=x;integer amount=1;text currency=EUR";

fn unrequested(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let wanted: &[&str] = defence.pick(&["person.name"], &["bank.transaction", "person.name"]);
        let ran = world.run(probe("emits", &site.url).aim(TRANSACTION).wanting(wanted)).await;
        assert_eq!(ran.collection.unrequested, defence.pick(1, 0));
        let line = "to declare it: categories = [\"bank.transaction\"]";
        assert_eq!(ran.said().contains(line), defence.pick(true, false), "{}", ran.said());
        let taken = ran.collection.items.len();
        ran.came(taken > 1)
    })
}

fn too_old(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let emits = probe("emits", &site.url).aim(TRANSACTION).wanting(&["bank.transaction", "person.name"]);
        let since = defence.pick(Some(jiff::civil::date(2025, 1, 1)), None);
        let ran = world.run(crate::suite::Probe { since, ..emits }).await;
        let taken = ran.collection.items.len();
        ran.came(taken > 1)
    })
}

fn empty(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let page = "[[page]]\nid = \"home\"\nurl = \"{base}/home\"\nfeeds = [\"person.name\"]\nempty = \"p\"\n";
        let ran = world.run(probe("brings-nothing", &site.url).declaring(defence == Defence::Off, page)).await;
        let harm = ran.collection.result.is_ok();
        ran.came(harm)
    })
}

/// Ends with a code that it may not have, or with one that it may.
fn claims<'w>(world: &'w mut World, code: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = site().await;
        let ran = world.run(probe("claims", &site.url).aim(code)).await;
        let harm = ran.told == code;
        ran.came(harm)
    })
}

fn claims_a_code(world: &mut World, defence: Defence) -> Coming<'_> {
    let code = defence.pick("consent-withdrawn", "not-a-customer");
    claims(world, code)
}

fn tells_by_a_code(world: &mut World, defence: Defence) -> Coming<'_> {
    let code = defence.pick("marie-dupont-lives-in-paris", "not-a-customer");
    claims(world, code)
}

fn blames(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let closed = "failure = \"source-maintenance\"\n";
        let claims = probe("claims", &site.url).aim("/closed credentials-rejected");
        let ran = world.run(claims.manifest(defence == Defence::Off, closed, "")).await;
        let harm = ran.told.starts_with("credentials-rejected");
        ran.came(harm)
    })
}

fn misses(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let name = defence.pick("marie-0612345678", "holder-name");
        let ran = world.run(probe("misses", &site.url).aim(name)).await;
        let harm = ran.told.contains(name);
        ran.came(harm)
    })
}

fn steps(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let declared = "steps = [\"first\"]";
        let steps = probe("steps", &site.url).aim("marie-dupont");
        let ran =
            world.run(steps.manifest(defence == Defence::Off, declared, "steps = [\"first\", \"marie-dupont\"]")).await;
        let harm = ran.steps.contains(&"marie-dupont".to_owned());
        ran.came(harm)
    })
}

fn forges_a_line(world: &mut World, _: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let ran = world.run(probe("forges-a-line", &site.url)).await;
        assert!(ran.said().contains("all keys are lost"), "it was to write: {}", ran.said());
        let orders = ['\r', '\n', '\u{1b}', '\u{202e}'];
        let harm = ran.lines.iter().any(|line| line.contains(orders));
        ran.came(harm)
    })
}

fn own_words(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let aim = defence.pick("text message=Your password, please", "text target=Your password, please");
        let ran = world.run(probe("asks", &site.url).aim(aim)).await;
        let harm = ran.asked.iter().any(|asked| asked.contains("Your password, please"));
        ran.came(harm)
    })
}

fn undeclared_answer(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let answer = "[[answer]]\nprompt = \"text\"\nname = \"word\"\nkind = \"public\"\nlabel = { en = \"Word\" }\n";
        let asks = probe("asks", &site.url).aim("text target=x").answering("word", "what-was-typed");
        let ran = world.run(asks.declaring(defence == Defence::Off, answer)).await;
        let harm = ran.said().contains("what-was-typed");
        assert_eq!(ran.asked.len(), 1);
        ran.came(harm)
    })
}

fn sends_elsewhere(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let asks = probe("asks", &site.url).aim("redirect url=https://evil.example/login");
        let origins = "origins = [\"{base}\", \"https://evil.example\"]";
        let ran = world.run(asks.manifest(defence == Defence::Off, "origins = [\"{base}\"]", origins)).await;
        let harm = ran.asked.iter().any(|asked| asked.contains("evil.example"));
        ran.came(harm)
    })
}
