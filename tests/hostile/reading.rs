//! Reading secrets: from what a site repeats, by where a secret is sent, by what is asked about it, and tokens, codes and cookies on their way
//! past.

use std::time::Duration;

use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use consentry_contract::limits::LimitName;
use consentry_tests::collecting::CALLBACK;
use consentry_tests::echoing::{Answer, ECHOES, EchoSite, Sent};

use crate::echoes::{repeats_both, repeats_the_word, traces};
use crate::evil::EvilSite;
use crate::suite::{Attack, Came, Coming, Defence, HONEST, Off, PASSWORD, Probe, Ran, Run, Verdict, World, probe};
use crate::switchless::{BARE, cookie, header, keypad_code};

/// What a source gives: a token, a code, the name of a session.
pub const TOKEN: &str = "tok-4f9a8b7c6d5e";
const SCRUB: &str = "answers to a request with a secret are searched for it, in every spelling";
const SINKS: &str = "sinks: a secret goes where the manifest says, as it says, as often as it says";
const CAPTURE: &str = "capture rules cut it out before the connector sees the answer";
const NO_SECRET: Off = Off::By("the manifest calls the field an identifier", HONEST);
const DECLARED: Off = Off::By("the manifest declares it", HONEST);

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "reads-an-echo-on-a-page", tries: "logs in at a site that repeats the password in texts, attributes, comments, scripts, JSON, XML and bytes", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| echoes(world, defence, &["json-error", "json-name", "json-unicode", "hidden-input", "comment", "attribute", "script", "text", "split", "upper", "xml", "plain", "bytes"])) },
    Attack { name: "reads-an-echo-in-an-encoding", tries: "logs in at a site that repeats the password percent-encoded, in base64, hexadecimal, references, UTF-16, and two of them", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| echoes(world, defence, &["percent", "base64", "base64-url-inside", "hex", "entity-decimal", "entity-hex-twice", "percent-of-base64", "hex-of-utf16"])) },
    Attack { name: "reads-an-echo-in-a-redirect", tries: "logs in at a site that repeats the password in the address it redirects to", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| echoes(world, defence, &["redirect", "redirect-fragment"])) },
    Attack { name: "reads-an-echo-in-a-header", tries: "logs in at a site that repeats the password in its headers", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| echoes(world, defence, &["header", "header-base64"])) },
    Attack { name: "reads-an-echo-in-an-error", tries: "reads, in the reason why a redirect was not followed, a password that the site made a name of", stopped_by: "what the host says of a request with a secret is searched too", verdict: Verdict::Refused("source-unavailable", "https://***.example is not a declared origin"), off: Off::By("the manifest calls the field an identifier", "source-unavailable"), run: Run::Story(error) },
    Attack { name: "asks-letter-by-letter", tries: "asks by selectors whether a repeated password begins with C, Co, Cor …", stopped_by: "documents are searched before selectors see them", verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(letters) },
    Attack { name: "reads-a-length", tries: "compares lengths, digests and sizes of answers that repeat passwords of two lengths", stopped_by: "masks are all alike, and headers that tell a length are dropped", verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(length) },
    Attack { name: "measures-what-was-sent", tries: "logs in, and then counts how much it may still send", stopped_by: "what a secret takes of a limit does not depend on it", verdict: Verdict::Limit(LimitName::BytesOut), off: Off::By("what it sends is a text of its own", "limit-exceeded @login limit=bytes-out"), run: Run::Story(what_is_left) },
    Attack { name: "guesses-beside-a-secret", tries: "writes a guess beside the password and looks whether the answer hides it", stopped_by: "what the connector itself wrote is left alone, right or wrong", verdict: Verdict::Nothing, off: Off::By("the site repeats the password as well, see below", HONEST), run: Run::Story(guess) },
    fills("puts-a-secret-into-another-slot", "sends the password as the customer number, which pages show", "POST /login form:identifiant password raw 1", "slot = \"form:identifiant\"", ["slot = \"form:motdepasse\"\nrecipe = \"raw\"", "slot = \"form:identifiant\"\nrecipe = \"raw\""], "identifiant=Correct-Horse-7"),
    fills("puts-a-secret-into-another-place", "posts the password as a message on the same site", "POST /message form:motdepasse password raw 1", "/message\"", ["request = \"POST {base}/login\"\nslot = \"form:motdepasse\"", "request = \"POST {base}/message\"\nslot = \"form:motdepasse\""], "POST /message"),
    fills("puts-a-secret-into-another-recipe", "writes a text of its own before the password", "POST /login form:motdepasse password guess 1", "recipe = \"join(text, raw)\"", ["slot = \"form:motdepasse\"\nrecipe = \"raw\"", "slot = \"form:motdepasse\"\nrecipe = \"join(text, raw)\""], "guessCorrect-Horse-7"),
    fills("sends-a-secret-to-a-second-origin", "sends the password to another of its origins", "POST {second}/take form:motdepasse password raw 1", "/take\"", ["request = \"POST {base}/login\"\nslot = \"form:motdepasse\"", "request = \"POST {second}/take\"\nslot = \"form:motdepasse\""], "motdepasse=Correct-Horse-7"),
    fills("sends-a-token-to-a-second-origin", "sends a captured token to another of its origins", "GET {second}/me header:authorization captured:token bearer 1", "# in [[capture]] \"token\"", ["request = \"GET {base}/me\"", "request = \"GET {second}/me\""], "Bearer tok-4f9a8b7c6d5e"),
    fills("puts-a-cookie-into-another-place", "posts the session's cookie as a message", "POST /message header:x-note cookie:sid raw 1", "slot = \"header:x-note\"", ["request = \"POST {base}/home\"\nslot = \"header:x-csrf\"", "request = \"POST {base}/message\"\nslot = \"header:x-note\""], "\"x-note\": \"tok-4f9a8b7c6d5e\""),
    Attack { name: "sends-a-secret-too-often", tries: "tries a password twice, to ask the site about it", stopped_by: SINKS, verdict: Verdict::Refused("capability-denied", "as often as its sink allows (max = 1); the manifest line that would allow it, in that sink of field.password: max = 2"), off: Off::By("the manifest allows two", HONEST), run: Run::Story(too_often) },
    Attack { name: "encrypts-to-its-own-key", tries: "has the password encrypted with a key that it knows", stopped_by: "the manifest pins the key of every encryption, and the operator reads it", verdict: Verdict::Refused("capability-denied", "recipe = 'hex(aes-cbc(\"fedcba9876543210\"; raw))'"), off: Off::By("the manifest pins that key", HONEST), run: Run::Story(own_key) },
    Attack { name: "reads-four-characters", tries: "sends four characters of the password to a page that repeats them", stopped_by: "the answer to fewer than five characters is withheld: so few are not searched for", verdict: Verdict::Nothing, off: Off::By("it asks for five of what the manifest calls an identifier", HONEST), run: Run::Story(characters) },
    Attack { name: "asks-through-a-keypad", tries: "types a PIN on a keypad without a nine, to see whether it has one", stopped_by: "what depends on a value ends the run, always alike", verdict: Verdict::Told("secret-unusable"), off: Off::By("the PIN has no nine: it goes on, as everybody whose request was sent", HONEST), run: Run::Story(keypad) },
    Attack { name: "times-a-keypad", tries: "measures how long two PINs take to be typed on its keypad", stopped_by: "each character is compared with every key, which is counted beside the code, and its clock counts milliseconds", verdict: Verdict::Nothing, off: Off::Shown("where the site takes longer for one of them, the connector sees that", HONEST), run: Run::Story(times) },
    Attack { name: "reads-a-keypad-code", tries: "types a PIN with keys of one letter each, at a site that repeats them one by one", stopped_by: "the answer to what was typed on a keypad is withheld", verdict: Verdict::Nothing, off: Off::Shown("a client that shows the answer shows every key", BARE), run: Run::Story(keypad_code) },
    Attack { name: "smuggles-a-secret-into-an-item", tries: "logs in at a site that repeats the password, and emits what it reads there as the person's name", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(into_an_item) },
    Attack { name: "uses-a-handle-after-the-login", tries: "sends the password after it said that the login worked", stopped_by: "the login fields are destroyed then, whatever handles remain", verdict: Verdict::Refused("capability-denied", "field.password is destroyed"), off: Off::By("it does not say so", HONEST), run: Run::Story(after_the_login) },
    Attack { name: "uses-a-code-twice", tries: "sends a one-time code a second time", stopped_by: "an answer is destroyed with its first use", verdict: Verdict::Refused("capability-denied", "answer.code is destroyed"), off: Off::By("it asks the person again", HONEST), run: Run::Story(twice) },
    Attack { name: "reads-a-cookie", tries: "looks for the session's cookie in headers and bodies", stopped_by: "cookies stay in the host's jar; a handle is all there is", verdict: Verdict::Nothing, off: Off::Shown("a client without a jar is told the cookie by the same answer", BARE), run: Run::Story(cookie) },
    captured("reads-a-token", "reads an access token in an answer", "POST /token", "from = \"POST {base}/token\""),
    captured("reads-a-token-under-another-label", "reads an access token in an answer that calls itself plain text", "POST /token?plain", "from = \"POST {base}/token\""),
    captured("reads-a-code-in-a-redirect", "reads an authorisation code in the redirect to the callback", "GET /authorise", "from = \"GET {base}/authorise\""),
    Attack { name: "asks-an-undeclared-origin", tries: "sends what it has read to a site that the manifest does not name", stopped_by: "the list of origins", verdict: Verdict::Refused("capability-denied", "origins = [\"http://127.0.0.1:"), off: DECLARED, run: Run::Story(elsewhere) },
    Attack { name: "is-redirected-elsewhere", tries: "asks a site that redirects to one that the manifest does not name", stopped_by: "each redirect is checked as a request is", verdict: Verdict::Refused("source-unavailable", "origins = [\"http://127.0.0.1:"), off: DECLARED, run: Run::Story(|world, defence| redirected(world, "GET /", 302, false, defence == Defence::Off)) },
    Attack { name: "is-redirected-with-a-secret", tries: "logs in at a site that has the form sent again to another of its origins (status 307)", stopped_by: "a body with a secret is sent once, where its sink is", verdict: Verdict::Refused("source-unavailable", "status 307 or 308"), off: Off::By("the body holds a text of the connector's own", HONEST), run: Run::Story(|world, defence| redirected(world, defence.pick("", "text Correct-Horse-7!"), 307, true, true)) },
    Attack { name: "asks-this-machine", tries: "asks a declared origin on the engine's own machine", stopped_by: "https, and only public addresses, whatever is declared", verdict: Verdict::Refused("capability-denied", "scheme http is not allowed"), off: Off::By("the engine is in development mode", HONEST), run: Run::Story(this_machine) },
    Attack { name: "tells-by-a-name", tries: "asks for a host whose name is what it has read, for whoever answers for that zone", stopped_by: "origins are compared before a name is looked up, and are exact", verdict: Verdict::Refused("capability-denied", "is not a declared origin"), off: Off::By("the manifest declares that very name: it is looked up", "source-unavailable"), run: Run::Story(name) },
    Attack { name: "smuggles-a-second-header", tries: "sends a header whose value holds a line break and another header", stopped_by: "a value with a line break ends the run", verdict: Verdict::Told("secret-unusable"), off: Off::Shown("the same bytes of a client without that check are two headers to the site", BARE), run: Run::Story(|world, defence| header(world, defence, "X-Note a\r\nx-other: evil", "\"x-other\": \"evil\"")) },
    Attack { name: "sets-a-header-of-the-hosts", tries: "sets the cookie of a session of its own", stopped_by: "headers that frame, route or identify are the host's", verdict: Verdict::Refused("invalid-argument", ""), off: Off::Shown("the same header of a client without that list is the session to the site", BARE), run: Run::Story(|world, defence| header(world, defence, "Cookie sid=evil", "\"cookie\": \"sid=evil\"")) },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_that_reads_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

/// A secret in a place where the manifest does not have it: the aim, what the author reads, what the manifest says instead, and what is
/// heard then. `{second}` is another site, declared all the while.
const fn fills(
    name: &'static str,
    tries: &'static str,
    aim: &'static str,
    author: &'static str,
    change: [&'static str; 2],
    heard: &'static str,
) -> Attack {
    let verdict = Verdict::Refused("capability-denied", author);
    Attack { name, tries, stopped_by: SINKS, verdict, off: DECLARED, run: Run::Fills { aim, change, heard } }
}

const fn captured(name: &'static str, tries: &'static str, aim: &'static str, from: &'static str) -> Attack {
    let off = Off::By("the manifest has no rule for that answer", HONEST);
    Attack { name, tries, stopped_by: CAPTURE, verdict: Verdict::Nothing, off, run: Run::Fetches { aim, from } }
}

/// A source with a session, a token and a code.
fn source(sent: &Sent) -> Answer {
    let token = format!(r#"{{"access_token":"{TOKEN}","expires_in":60}}"#);
    match sent.path.as_str() {
        "/session" => Answer { headers: vec![("set-cookie", format!("sid={TOKEN}; Path=/"))], ..Answer::default() },
        "/token" if sent.query == "plain" => Answer { body: ("text/plain", token), ..Answer::default() },
        "/token" => Answer { body: ("application/json", token), ..Answer::default() },
        "/authorise" => {
            let back = format!("{CALLBACK}?code={TOKEN}&state=state-of-this-run");
            Answer { status: 302, headers: vec![("location", back)], ..Answer::default() }
        }
        _ => Answer { body: ("text/html", "<p>Hello.</p>".to_owned()), ..Answer::default() },
    }
}

pub async fn site() -> EchoSite {
    EchoSite::start(source).await.unwrap()
}

pub fn fill<'w>(
    world: &'w mut World,
    defence: Defence,
    aim: &'static str,
    [from, to]: [&'static str; 2],
    heard: &'static str,
) -> Coming<'w> {
    Box::pin(async move {
        let (site, second) = (site().await, site().await);
        let with_second = |text: &str| text.replace("{second}", &second.url);
        let origins = format!("origins = [\"{{base}}\", \"{}\"]", second.url);
        let fills = probe("fills", &site.url).aim(with_second(aim)).manifest(true, "origins = [\"{base}\"]", origins);
        let ran = world.run(fills.manifest(defence == Defence::Off, from, with_second(to))).await;
        let all = [site.heard(), second.heard()].concat();
        let harm = all.iter().any(|request| request.contains(heard));
        ran.came(harm)
    })
}

pub fn fetch<'w>(world: &'w mut World, defence: Defence, aim: &'static str, from: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = site().await;
        let other = "from = \"PUT {base}/other\"";
        let ran = world.run(probe("fetches", &site.url).aim(aim).manifest(defence == Defence::Off, from, other)).await;
        assert!(ran.said().contains("status "), "it was to see the answer: {}", ran.said());
        let harm = ran.said().contains(TOKEN);
        ran.came(harm)
    })
}

fn echoes<'w>(world: &'w mut World, defence: Defence, names: &'static [&'static str]) -> Coming<'w> {
    Box::pin(async move {
        let (mut seen, mut last, mut said) = (Vec::new(), HONEST.to_owned(), String::new());
        for name in names {
            let (_, echo) = ECHOES.iter().find(|(known, _)| known == name).unwrap();
            let site = EchoSite::start(*echo).await.unwrap();
            let ran =
                world.run(probe("reads-an-echo", &site.url).aim(PASSWORD).not_secret(defence == Defence::Off)).await;
            let lines = ran.lines.join("\n");
            // An answer that did not carry it is whole.
            assert!(lines.contains("12 rue de Rivoli, 75001 Paris"), "{name}: {lines}");
            assert!(defence == Defence::Off || lines.contains("***"), "{name}: {lines}");
            seen.push(!traces(&lines).is_empty());
            said += &lines;
            if ran.told != HONEST {
                last = format!("{name}: {}", ran.told);
            }
        }
        // One that is seen is too many; and each is, where nothing is hidden.
        let harm = defence.pick(seen.contains(&true), !seen.contains(&false));
        Came { told: last, harm, said }
    })
}

fn error(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(|sent| Answer {
            status: 302,
            headers: vec![("location", format!("https://{}.example/", sent.password))],
            ..Answer::default()
        });
        let site = site.await.unwrap();
        let asks = probe("logs-in-after-authenticated", &site.url).password("correct-horse-7");
        let ran = world.run(asks.not_secret(defence == Defence::Off)).await;
        let harm = ran.said().contains("correct-horse-7");
        ran.came(harm)
    })
}

fn letters(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(|sent| Answer {
            body: ("text/html", format!("<input value='{}'>", sent.password)),
            ..Answer::default()
        });
        let site = site.await.unwrap();
        let ran = world.run(probe("reads-an-echo", &site.url).aim(PASSWORD).not_secret(defence == Defence::Off)).await;
        let harm = ran.said().contains("begins with");
        ran.came(harm)
    })
}

/// Whether two runs look alike to the connector.
async fn differ(world: &mut World, site: &EchoSite, probes: [Probe; 2], hidden: [&str; 2]) -> Came {
    let mut seen = Vec::new();
    for (probe, hidden) in probes.into_iter().zip(hidden) {
        let ran = world.run(probe).await;
        let mut said = ran.said().replace(&site.url, "SITE");
        if !hidden.is_empty() {
            said = said.replace(hidden, "GUESS");
        }
        seen.push((said, ran.told));
    }
    let harm = seen[0] != seen[1];
    let (said, told) = seen.pop().unwrap();
    Came { told, harm, said: format!("{said}\n---\n{}", seen.pop().unwrap().0) }
}

const LONG: &str =
    "A-much-longer-password-8!-with-many-words-in-it-9!-and-still-more-of-them-10!-and-no-end-in-sight-11!";

fn length(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(|sent| Answer {
            headers: vec![("etag", format!("\"{}\"", sent.password.len())), ("x-note", sent.password.clone())],
            body: ("text/html", format!("<p>{} is wrong</p>", sent.password)),
            ..Answer::default()
        });
        let site = site.await.unwrap();
        let reads =
            |password: &str| probe("reads-an-echo", &site.url).password(password).not_secret(defence == Defence::Off);
        differ(world, &site, [reads(PASSWORD), reads(LONG)], ["", ""]).await
    })
}

fn what_is_left(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let measures = |password: &str| {
            let own = if defence == Defence::Off { password } else { "" };
            let limit = LimitName::BytesOut;
            probe("measures-what-is-left", &site.url).password(password).aim(own).allowing(limit, 12_000)
        };
        differ(world, &site, [measures(PASSWORD), measures(LONG)], ["", ""]).await
    })
}

fn guess(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(defence.pick(repeats_the_word, repeats_both)).await.unwrap();
        let wrong = "Correct-Horse-8!";
        let guesses = |guess: &str| probe("guesses-beside-a-secret", &site.url).aim(guess);
        differ(world, &site, [guesses(PASSWORD), guesses(wrong)], [PASSWORD, wrong]).await
    })
}

fn too_often(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let fills = probe("fills", &site.url).aim("POST /login form:motdepasse password raw 2");
        let once = "slot = \"form:motdepasse\"\nrecipe = \"raw\"\nmax = 1";
        let ran = world.run(fills.manifest(defence == Defence::Off, once, once.replace('1', "2"))).await;
        let heard = site.heard().iter().filter(|request| request.contains("motdepasse=Correct-Horse-7")).count();
        assert!(heard > 0);
        ran.came(heard > 1)
    })
}

fn own_key(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let fills = probe("fills", &site.url).aim("POST /login form:motdepasse password own-key 1");
        let from = "slot = \"form:motdepasse\"\nrecipe = \"raw\"";
        let to = "slot = \"form:motdepasse\"\nrecipe = 'hex(aes-cbc(\"fedcba9876543210\"; raw))'";
        let ran = world.run(fills.manifest(defence == Defence::Off, from, to)).await;
        let opened = site.heard().iter().any(|request| {
            let Some((_, hidden)) = request.split_once("motdepasse=") else { return false };
            let mut bytes = hex::decode(hidden.trim()).unwrap();
            let key = UnboundCipherKey::new(&AES_128, b"fedcba9876543210").unwrap();
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).unwrap();
            let iv = DecryptionContext::Iv128(FixedLength::from(*b"0000000000000000"));
            key.decrypt(&mut bytes, iv).unwrap() == PASSWORD.as_bytes()
        });
        ran.came(opened)
    })
}

fn characters(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(|sent| Answer {
            headers: vec![("x-note", sent.password.clone())],
            body: ("text/html", format!("<input value='{0}'><p>{0}</p>", sent.password)),
            ..Answer::default()
        });
        let site = site.await.unwrap();
        let aim =
            defence.pick("POST /part form:motdepasse password four 1", "POST /part form:motdepasse password five 1");
        let fills = probe("fills", &site.url).aim(aim).not_secret(defence == Defence::Off);
        let ran = world.run(fills.manifest(defence == Defence::Off, "characters:4(raw)", "characters:5(raw)")).await;
        assert!(site.told().contains("Corr"), "the site was to repeat them");
        let harm = ran.said().contains("Corr");
        ran.came(harm)
    })
}

fn keypad(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let fills = probe("fills", &site.url).aim("POST /keypad form:motdepasse password no-nine 1");
        let ran = world.run(fills.password(defence.pick("489203", "482203"))).await;
        let harm = !ran.lines.is_empty() || !site.heard().is_empty();
        ran.came(harm)
    })
}

fn into_an_item(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(|sent| Answer {
            body: ("text/html", format!("<p>{}</p>", sent.password)),
            ..Answer::default()
        });
        let site = site.await.unwrap();
        let emits = probe("emits-an-echo", &site.url).not_secret(defence == Defence::Off);
        let ran = world.run(emits).await;
        assert!(site.told().contains(PASSWORD), "the site was to repeat it");
        let names = ran.collection.items.iter().filter_map(|item| item.get("full")?.as_text());
        let harm = names.map(str::to_owned).collect::<String>().contains(PASSWORD);
        ran.came(harm)
    })
}

fn times(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let slow: fn(&Sent) -> Answer = |sent| {
            if sent.password.contains("k9") {
                std::thread::sleep(Duration::from_millis(250));
            }
            Answer::default()
        };
        let site = EchoSite::start(defence.pick(source, slow)).await.unwrap();
        let (mut took, mut last) = (Vec::new(), None::<Ran>);
        for pin in ["000000", "999999"] {
            let ran = world.run(probe("times-a-keypad", &site.url).password(pin)).await;
            took.push(ran.lines[0].rsplit(' ').next().unwrap().parse::<u64>().unwrap());
            last = Some(ran);
        }
        last.unwrap().came(took[0].abs_diff(took[1]) >= 150)
    })
}

fn after_the_login(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let ran =
            world.run(probe("logs-in-after-authenticated", &site.url).aim(defence.pick("authenticated", ""))).await;
        assert_eq!(ran.collection.login_submitted, defence == Defence::Off);
        ran.came(!site.heard().is_empty())
    })
}

fn twice(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let aim = defence.pick("answer:code", "anew-answer:code");
        let fills = probe("fills", &site.url).aim(format!("POST /otp form:motdepasse {aim} raw 2"));
        let ran = world.run(fills.answering("code", "271828")).await;
        let heard = site.heard().iter().filter(|request| request.contains("motdepasse=271828")).count();
        assert!(heard > 0);
        ran.came(heard > 1)
    })
}

fn elsewhere(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let (site, second) = (site().await, site().await);
        let fetches = probe("fetches", &site.url).aim(format!("GET {}/take?read=Marie", second.url));
        let origins = format!("origins = [\"{{base}}\", \"{}\"]", second.url);
        let ran = world.run(fetches.manifest(defence == Defence::Off, "origins = [\"{base}\"]", origins)).await;
        ran.came(second.heard().iter().any(|request| request.contains("read=Marie")))
    })
}

/// By a plain request, or by a form with a secret.
fn redirected<'w>(world: &'w mut World, aim: &'static str, status: u16, login: bool, declared: bool) -> Coming<'w> {
    Box::pin(async move {
        let second = site().await;
        let answer = format!("HTTP/1.1 {status} Go\r\ncontent-length: 0\r\nlocation: {}/take\r\n\r\n", second.url);
        let first = EvilSite::saying(answer, "").await;
        let asks = probe(if login { "logs-in-after-authenticated" } else { "asks-once" }, &first.url).aim(aim);
        let origins = format!("origins = [\"{{base}}\", \"{}\"]", second.url);
        let ran = world.run(asks.manifest(declared, "origins = [\"{base}\"]", origins)).await;
        assert_eq!(first.asked().len(), 1);
        ran.came(second.heard().iter().any(|request| !login || request.contains("Correct-Horse-7")))
    })
}

fn this_machine(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        world.collector.development = defence == Defence::Off;
        let ran = world.run(probe("fetches", &site.url).aim("GET /")).await;
        world.collector.development = true;
        ran.came(!site.heard().is_empty())
    })
}

fn name(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        let fetches = probe("fetches", &site.url).aim("GET https://marie-dupont.zone.invalid/");
        let origins = "origins = [\"{base}\", \"https://marie-dupont.zone.invalid\"]";
        let ran = world.run(fetches.manifest(defence == Defence::Off, "origins = [\"{base}\"]", origins)).await;
        let looked_up = ran.said().contains("no address");
        ran.came(looked_up)
    })
}
