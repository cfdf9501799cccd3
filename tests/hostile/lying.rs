//! Saying what is not so: to whoever receives the items, to the host about what happened, to the person.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::suite::{Attack, Came, Coming, Defence, HONEST, Off, Run, Verdict, World, probe};

/// With an account too, of which a wrong one makes the dataset partial.
const ACCOUNTS: &[&str] = &["bank.account", "person.name"];
const REFUSED: Verdict = Verdict::Told("bank.account=0!value-unparsable person.name=1");
const TAKEN: &str = "bank.account=1 person.name=1";

/// Items that say this where it is checked, and where it is not.
macro_rules! items {
    ($name:literal, $tries:literal, $stopped_by:literal, $verdict:expr, $how:literal => $told:expr, $wanted:expr, $wrong:expr, $right:expr) => {
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

/// Many items in one text, whose lengths do not fit it, and the same with lengths that do.
const CROOKED: [(&str, &str); 5] = [
    ("ref,label;1é;1,3", "ref,label;1é;1,2"),
    // Their sum begins anew at nought.
    ("ref,label,kind;1é;1,4294967295,2", "ref,label,kind;1é;1,2,x"),
    ("ref,label,holder;1éa;1,1,2", "ref,label,holder;1éa;1,2,1"),
    ("ref,label;1é;3", "ref,label;1é;1,2"),
    ("ref,label;1éa;1,2", "ref,label;1é;1,2"),
];
const MOVES: &[&str] = &["bank.account", "bank.transaction", "person.name"];
const STATEMENTS: &[&str] = &["document.statement", "person.name"];
const NO_STATEMENT: Verdict = Verdict::Told("document.statement=0!value-unparsable person.name=1");
const A_STATEMENT: &str = "document.statement=1 person.name=1";

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "emits-what-nobody-asked-for", tries: "emits transactions where a name was consented to", stopped_by: "what was not consented to is refused and counted as the connector's doing", verdict: Verdict::Nothing, off: Off::By("the person consents to transactions too", "bank.transaction=1 person.name=1"), run: Run::Story(unrequested) },
    items!("forges-when-it-was-seen", "writes another day of observation into an item", "provenance is the host's: fields that the table does not have are refused", Verdict::Told("bank.account=1 bank.transaction=0!value-unparsable person.name=1"), "it writes that day where the table has a time, which is the connector's to say: when a transaction was" => "bank.account=1 bank.transaction=1 person.name=1", MOVES, "bank.account;text ref=1\nbank.transaction;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR;instant observed=2001-01-01T00:00:00Z", "bank.account;text ref=1\nbank.transaction;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR;instant at=2001-01-01T00:00:00Z"),
    items!("emits-a-wrong-iban", "emits an IBAN with a wrong check digit", "each value is checked by the table of items", REFUSED, "it stands in a field that takes any line: an account's number" => TAKEN, ACCOUNTS, "bank.account;text ref=1;text iban=FR7630006000011234567890180", "bank.account;text ref=1;text number=FR7630006000011234567890180"),
    items!("hides-a-page-in-an-item", "puts 4,000 characters into the label of an account", "texts are bounded by the table of items", REFUSED, "it puts 300 each into the labels of fourteen accounts" => "bank.account=14 person.name=1", ACCOUNTS, "bank.account;text ref=1;long label=page", PIECES),
    items!("hides-lines-in-an-item", "puts control characters into a title, for whoever prints it", "texts are checked by the table of items", NO_STATEMENT, "they stand in a document, which nobody prints as it is" => A_STATEMENT, STATEMENTS, "document.statement;text ref=1;text title=a\u{1b}[2Jb;blob file=%PDF-1.7", "document.statement;text ref=1;text title=ab;blob file=%PDF-1.7 a\u{1b}[2Jb"),
    items!("emits-an-item-twice", "emits one transaction twice", "references are unique in a run", Verdict::Told("bank.account=1 bank.transaction=1!value-unparsable person.name=1"), "it gives it no reference, which it need not" => "bank.account=1 bank.transaction=2 person.name=1", MOVES, "bank.account;text ref=1\nbank.transaction;text ref=7;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR\nbank.transaction;text ref=7;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR", "bank.account;text ref=1\nbank.transaction;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR\nbank.transaction;text account=1;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR"),
    items!("refers-to-nothing", "emits a transaction of an account that it never named", "a reference leads to an item of the same run", Verdict::Told("bank.account=1 bank.transaction=0!value-unparsable person.name=1"), "it names that account in a text" => "bank.account=1 bank.transaction=1 person.name=1", MOVES, "bank.account;text ref=1\nbank.transaction;text account=2;date date=2025-01-01;text label=x;integer amount=1;text currency=EUR", "bank.account;text ref=1\nbank.transaction;text account=1;date date=2025-01-01;text label=of account 2;integer amount=1;text currency=EUR"),
    items!("hides-a-program-in-a-document", "emits a script as a bank statement", "a document is what its first bytes say", NO_STATEMENT, "the script stands behind the first bytes of a PDF: what follows them is for whoever opens documents" => A_STATEMENT, STATEMENTS, "document.statement;text ref=1;blob file=#!/bin/sh", "document.statement;text ref=1;blob file=%PDF-1.7 #!/bin/sh"),
    Attack { name: "emits-crooked-lengths", tries: "emits many items at once with lengths that go beyond their text, wrap around, cut a character in two, are fewer than the fields or leave text over", stopped_by: "the lengths are cut by the host, and must be those of the whole text", verdict: Verdict::Told("bank.account=0!invalid-argument person.name=1"), off: Off::Shown("with the right lengths the same texts are items; a text can't be cut otherwise", TAKEN), run: Run::Story(crooked) },
    Attack { name: "emits-what-is-older-than-consented", tries: "emits a transaction of 2001 where the consent begins in 2025", stopped_by: "what is older is not taken, whatever the connector filters", verdict: Verdict::Told("bank.transaction=0 person.name=1"), off: Off::By("the consent names no first day", "bank.transaction=1 person.name=1"), run: Run::Story(too_old) },
    Attack { name: "says-that-there-is-nothing", tries: "ends as if all had gone well, without an item", stopped_by: "nothing counts as nothing only where the source says so, on a page that the manifest declares", verdict: Verdict::Told("page-unrecognised"), off: Off::By("the manifest calls that page empty", "person.name=empty@home"), run: Run::Story(empty) },
    Attack { name: "claims-a-code-that-is-not-its-own", tries: "ends with `consent-withdrawn`, as if the person had, or with a value of the person as its code", stopped_by: "a connector may claim the codes of the host's closed list that are its own to know", verdict: Verdict::Told("unclassified"), off: Off::Shown("a code that is its own is believed, rightly or wrongly", "not-a-customer"), run: Run::Story(claims_a_code) },
    Attack { name: "blames-the-person", tries: "says `credentials-rejected` where the source says that it is closed", stopped_by: "what the host saw comes first", verdict: Verdict::Told("source-maintenance @closed"), off: Off::By("the manifest does not say what that page means", "credentials-rejected @closed"), run: Run::Story(blames) },
    Attack { name: "reports-a-value-as-missing", tries: "misses something whose name is a telephone number", stopped_by: "what stands in a report is a name, with four digits at most", verdict: Verdict::Told("page-unrecognised missing=unnamed"), off: Off::By("it is letters alone, as names are (see below)", "page-unrecognised missing=marie-dupont"), run: Run::Story(misses) },
    Attack { name: "shows-a-step-of-its-own", tries: "reports a text of its own as progress", stopped_by: "steps are declared, others are not shown", verdict: Verdict::Nothing, off: Off::By("the step is declared", HONEST), run: Run::Story(steps) },
    Attack { name: "forges-a-line-of-the-log", tries: "writes line breaks and orders to the terminal into its log, for a line that looks like the engine's", stopped_by: "what is no letter is written as an escape; outside of development none of its lines is shown", verdict: Verdict::Nothing, off: Off::Never("no line is written in another way"), run: Run::Story(forges_a_line) },
    Attack { name: "asks-in-its-own-words", tries: "asks the person for the password in words of its own", stopped_by: "the words are the manifest's and the journey's; a question has a few details and no others", verdict: Verdict::Refused("invalid-argument", "a prompt's details are"), off: Off::By("the words stand in a detail, which the page shows as data in words of its own", HONEST), run: Run::Story(own_words) },
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

fn crooked(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let (site, mut last) = (site().await, None);
        for (wrong, right) in CROOKED {
            let aim = format!("bank.account;{}", defence.pick(wrong, right));
            let ran = world.run(probe("emits-all", &site.url).aim(&aim).wanting(ACCOUNTS)).await;
            let taken = ran.collection.items.len() > 1;
            let came = ran.came(taken);
            if taken == (defence == Defence::On) {
                return Came { told: format!("{}: {aim}", came.told), ..came };
            }
            last = Some(came);
        }
        last.unwrap()
    })
}

/// Fourteen accounts with 300 characters each.
const PIECES: &str = "\
    bank.account;text ref=1;piece label=page\nbank.account;text ref=2;piece label=page\nbank.account;text ref=3;piece label=page\n\
    bank.account;text ref=4;piece label=page\nbank.account;text ref=5;piece label=page\nbank.account;text ref=6;piece label=page\n\
    bank.account;text ref=7;piece label=page\nbank.account;text ref=8;piece label=page\nbank.account;text ref=9;piece label=page\n\
    bank.account;text ref=10;piece label=page\nbank.account;text ref=11;piece label=page\nbank.account;text ref=12;piece label=page\n\
    bank.account;text ref=13;piece label=page\nbank.account;text ref=14;piece label=page";

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
        // Nor is it excused by a window in which there may be nothing.
        let page = page.replace("person.name", "bank.transaction");
        let page = if defence == Defence::Off { page } else { page.replace("empty = \"p\"\n", "") };
        let within = probe("brings-nothing", &site.url).declaring(true, page).wanting(&["bank.transaction"]);
        let since = Some(jiff::civil::date(2025, 1, 1));
        let within = world.run(crate::suite::Probe { since, ..within }).await;
        assert_eq!(within.collection.result.is_ok(), defence == Defence::Off, "{}", within.said());
        ran.came(harm)
    })
}

/// Ends with codes that it may not have, or with one that it may.
fn claims_a_code(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let (site, mut last) = (site().await, None);
        for code in defence.pick(&["consent-withdrawn", "marie-dupont-lives-in-paris"][..], &["not-a-customer"]) {
            let ran = world.run(probe("claims", &site.url).aim(*code)).await;
            let harm = ran.told == *code;
            let came = ran.came(harm);
            if harm {
                return came;
            }
            last = Some(came);
        }
        last.unwrap()
    })
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
        let name = defence.pick("marie-0612345678", "marie-dupont");
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
