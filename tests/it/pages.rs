//! Every function that a connector has on a page, by a guest in the real sandbox and a real browser, against sites of a few lines. What a
//! page of a whole Data Source is like stands in `sample_branch.rs`.

use std::path::Path;

use consentry::collect::Collector;
use consentry::collect::package::Package;
use consentry::collect::signature::Trust;
use consentry_host_api::browser::{BrowserSettings, Chromium};
use consentry_host_api::ports::Question;
use consentry_tests::collecting::{Collecting, Reaction, collector, lock, told};
use consentry_tests::echoing::{Answer, EchoSite, Sent};
use consentry_tests::versions::changed;

const PASSWORD: &str = "Correct-Horse-7!";
pub(crate) const HONEST: &str = "person.name=1";
/// Where the guest's manifest has its first sink, and its first page.
const SINK: &str = "[[field.sink]]\nrequest = \"POST {base}/login\"\nslot = \"form:motdepasse\"";
const PAGE: &str = "[[page]]\nid = \"login\"";

/// A guest that does these steps on pages.
#[derive(Clone)]
pub(crate) struct Steps {
    site: String,
    steps: String,
    password: String,
    manifest: Vec<(String, String)>,
}

pub(crate) fn steps(site: &str, steps: &str) -> Steps {
    let capability = ("\"http\", \"prompt\"".to_owned(), "\"http\", \"prompt\", \"browser\"".to_owned());
    let (site, steps, password) = (site.to_owned(), steps.to_owned(), PASSWORD.to_owned());
    Steps { site, steps, password, manifest: vec![capability] }
}

impl Steps {
    fn declaring(mut self, before: &str, text: &str) -> Self {
        self.manifest.push((before.to_owned(), format!("{text}\n{before}")));
        self
    }

    /// Whose password is this.
    pub(crate) fn password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    /// Its manifest has this page.
    pub(crate) fn page(self, id: &str, url: &str, requires: &str) -> Self {
        self.declaring(PAGE, &format!("[[page]]\nid = \"{id}\"\nurl = \"{url}\"\nrequires = [\"{requires}\"]\n"))
    }

    /// The password goes there.
    pub(crate) fn sink(self, at: &str, slot: &str) -> Self {
        self.declaring(SINK, &format!("[[field.sink]]\n{at}\nslot = \"{slot}\"\nrecipe = \"raw\"\nmax = 1\n"))
    }

    /// Another site is the Data Source's as well.
    pub(crate) fn also(mut self, origin: &str) -> Self {
        self.manifest.push(("origins = [\"{base}\"]".to_owned(), format!("origins = [\"{{base}}\", \"{origin}\"]")));
        self
    }

    pub(crate) fn collecting(self) -> Collecting {
        let changes: Vec<(&str, &str)> = self.manifest.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let made = changed("tests/hostile/probe", &changes).unwrap();
        let collecting = Collecting::by(Package::read(made, &Trust::default().or_unsigned()).unwrap());
        let collecting = collecting.at(&self.site).wanting(&["person.name"]).field("login", "marie");
        collecting.field("password", &self.password).field("mode", "browses").field("aim", &self.steps)
    }

    /// What it is told as, and what it said.
    pub(crate) async fn run(self, collector: &Collector) -> (String, String) {
        ran(self.collecting(), collector).await
    }
}

/// What a collection is told as, and what its guest said.
pub(crate) async fn ran(collecting: Collecting, collector: &Collector) -> (String, String) {
    let seen = collecting.seen.clone();
    let collection = collecting.collect(collector).await.unwrap();
    let said = lock(&seen.lines).join("\n");
    (told(&collection), said + "\n" + &collection.trace.join("\n"))
}

pub(crate) fn html(body: &str) -> Answer {
    Answer { body: ("text/html; charset=utf-8", format!("<!DOCTYPE html>{body}")), ..Answer::default() }
}

/// The other site that a query names.
fn to(sent: &Sent) -> &str {
    sent.query.strip_prefix("to=").unwrap_or_default()
}

/// A form with one of each, whose script says what happens to it.
const FORM: &str = "<form action=/said><input name=text id=text value=before><textarea name=area></textarea><input name=day type=date>
<select name=one><option value=a>A<option value=b>B</select><select name=many multiple><option value=a>A<option value=b>B<option value=c>C</select>
<input name=box type=checkbox></form><p id=keys></p><script>
document.addEventListener('keydown', event => { if (event.isTrusted) document.querySelector('#keys').textContent += event.key + ' '; });
document.cookie = 'of=this-run';
if (location.hash === '#cookie') document.querySelector('#keys').textContent = document.cookie;
</script>";
const CHANGES: &str = "<p id=before>before</p><script>
setTimeout(() => {
    document.querySelector('#before').remove();
    document.body.append(Object.assign(document.createElement('p'), { id: 'after' }));
    history.pushState({}, '', '/changed?to=done');
}, 300);
</script>";
const OUTER: &str = "<h1>around</h1><div style=height:1500px></div><iframe id=inner src={to}/inner width=300 height=200 style='padding:7px;border:3px solid'></iframe>";
const INNER: &str = "<div style=height:600px></div><p class=within>within</p><form action=/said><input id=password type=password name=word>
<button id=go onclick='if (!event.isTrusted) event.preventDefault()'>ok</button></form>";
pub(crate) const KEYPAD: &str = "<div style=height:900px></div><div id=keys></div><script>
for (let digit = 0; digit < 10; digit++) {
    const key = Object.assign(document.createElement('button'), { textContent: digit, style: 'width:40px;height:40px' });
    key.addEventListener('click', event => { if (event.isTrusted) fetch('/pressed?' + digit, { method: 'POST' }); });
    document.querySelector('#keys').append(key);
}
</script>";
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF";
const POPUP: &str = "<button id=open onclick='window.open(\"/small\")'>open</button>";
const DIALOGS: &str = "<button id=ask onclick='document.body.append(Object.assign(document.createElement(\"p\"), { className: confirm(\"sure?\") ? \"yes\" : \"no\" }))'>ask</button>";
const PICTURE: &str = "<div style=height:1300px></div><canvas id=captcha width=120 height=40 style='display:block'></canvas><script>
const canvas = document.querySelector('#captcha').getContext('2d'); canvas.fillStyle = 'rgb(12, 200, 99)'; canvas.fillRect(0, 0, 120, 40);
</script>";

fn site(sent: &Sent) -> Answer {
    match sent.path.as_str() {
        "/form" => html(FORM),
        "/changes" => html(CHANGES),
        "/outer" => html(&OUTER.replace("{to}", to(sent))),
        "/outer-pad" => html(&OUTER.replace("{to}/inner", &format!("{}/pad", to(sent)))),
        "/inner" => html(INNER),
        "/pad" => html(KEYPAD),
        "/opens" => html(POPUP),
        "/small" => html("<p class=small>a small window</p>"),
        "/asks" => html(DIALOGS),
        "/picture" => html(PICTURE),
        "/private" if !sent.authorization.is_empty() => html("<p class=private>come in</p>"),
        "/private" => Answer {
            status: 401,
            headers: vec![("www-authenticate", "Basic realm=\"here\"".to_owned())],
            ..html("<p class=asked>who are you?</p>")
        },
        "/files" => html(
            "<a id=file href=/file.pdf>a file</a><a id=shown href=/shown.pdf>one that is shown</a><a id=page href=/small>a page</a>",
        ),
        "/shown.pdf" => Answer { body: ("application/pdf", PDF.to_owned()), ..Answer::default() },
        "/file.pdf" => Answer {
            headers: vec![("content-disposition", "attachment; filename=\"../../evil.pdf\"".to_owned())],
            body: ("application/pdf", "%PDF-1.7 with these bytes".to_owned()),
            ..Answer::default()
        },
        "/said" => html(&format!("<p class=said>{}</p>", sent.query)),
        _ => html("<p>nothing here</p>"),
    }
}

async fn sites() -> (EchoSite, EchoSite, Collector) {
    (EchoSite::start(site).await.unwrap(), EchoSite::start(site).await.unwrap(), collector().unwrap())
}

/// The same site as seen from pages of `127.0.0.1`: of the same site there (a port does not tell sites apart), or of another one, which
/// Chromium shows in a process of its own.
fn crossing(url: &str) -> [String; 2] {
    [url.to_owned(), url.replace("127.0.0.1", "localhost")]
}

pub(crate) async fn end(collector: &Collector) {
    collector.browser.as_ref().unwrap().shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_on_a_page_is_waited_for() {
    let (site, _, collector) = sites().await;
    let waiting = steps(
        &site.url,
        "go /changes; waits gone #before; waits selector #after; waits url /changed; waits load ; waits network-idle ; \
         waits page never changed; doubts selector #never; doubts url /never; doubts page never; tell ",
    );
    let waiting = waiting.page("changed", "{base}/changed", "#after").page("never", "{base}/never", "#never");
    let (told, said) = waiting.run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    for line in [
        "waits gone #before true",
        "waits selector #after true",
        "waits url /changed true",
        "waits load  true",
        "waits network-idle  true",
        "waits page never changed true",
        "doubts selector #never false",
        "doubts url /never false",
        "doubts page never false",
        &format!("url {}/changed?to=done", site.url),
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_filled_options_chosen_and_keys_pressed() {
    let (site, _, collector) = sites().await;
    let filling = steps(
        &site.url,
        "go /form; fill #text new & old; fill textarea[name=area] lines; fill input[name=day] 2026-11-22; select select[name=one] b; \
         select select[name=many] a c; click input[name=box]; key Tab; key ArrowDown; tell ; fill #text new & old; key Enter; sees .said; tell ; \
         page; go /form#cookie; tell ",
    );
    let (told, said) = filling.run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("Tab ArrowDown"), "{said}");
    let sent = "text=new+%26+old&area=lines&day=2026-11-22&one=b&many=a&many=c&box=on";
    assert!(site.heard().iter().any(|request| request.contains(&format!("GET /said?{sent} "))), "{:?}", site.heard());
    assert!(said.contains("of=this-run"), "cookies are kept within the run: {said}");
    let asked = |path: &str| site.heard().iter().filter(|request| request.contains(path)).count();
    let before = asked("of=this-run");
    let (_, said) = steps(&site.url, "go /small; tell ").run(&collector).await;
    assert!(said.contains("a small window") && asked("of=this-run") == before, "and in no other: {:?}", site.heard());
    for (wrong, expected) in [
        ("go /form; select select[name=one] z", "page-unrecognised missing=element"),
        ("go /form; select #text a", "page-unrecognised missing=element"),
        ("go /form; fill #nothing a", "page-unrecognised missing=element"),
        ("go /form; key F1", "page-unrecognised missing=element"),
        ("go /form; click input[value=before]", "invalid-argument"),
        ("go /form; close; click #text", "invalid-argument"),
    ] {
        let (told, said) = steps(&site.url, wrong).run(&collector).await;
        assert_eq!(told, expected, "{wrong}: {said}");
    }
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_this_or_another_site_is_read_filled_in_and_clicked() {
    let (site, second, collector) = sites().await;
    for second_url in crossing(&second.url) {
        let filling = format!(
            "go /outer?to={second_url}; tell #inner; frame #inner; secret #password; click #go; sees .said; tell ; frame ; tell "
        );
        let filling = steps(&site.url, &filling).also(&second_url);
        let filling = filling
            .page("inner", &format!("{second_url}/inner"), "#password")
            .sink("page = \"inner\"", "field:#password");
        let (told, said) = filling.run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
        assert!(said.contains("within") && said.contains("around") && !said.contains(PASSWORD), "{said}");
        assert!(said.contains(&format!("url {second_url}/said?word=")), "{said}");
        let typed =
            |site: &EchoSite| site.heard().iter().filter(|request| request.contains("word=Correct-Horse-7%21")).count();
        assert_eq!((typed(&site), typed(&second)), (0, 1), "{second_url}: {:?}", second.heard());
        let pressing = format!(
            "go /outer-pad?to={second_url}; frame #inner; waits page pad; keypad #keys button; waits network-idle "
        );
        let pressing = steps(&site.url, &pressing).also(&second_url);
        let pressing = pressing.password("271828");
        let pressing =
            pressing.page("pad", &format!("{second_url}/pad"), "#keys button").sink("page = \"pad\"", "keypad:#keys");
        let (told, said) = pressing.clone().run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
        let heard = second.heard();
        let mut pressed: Vec<&str> =
            heard.iter().filter_map(|request| request.strip_prefix("POST /pressed?")?.get(..1)).collect();
        // Which of two requests is heard first is nobody's promise.
        pressed.sort_unstable();
        assert_eq!(pressed.concat(), "122788", "{second_url}: {said}");
        // What stood there or was sent is not told, neither by what is on the page nor later.
        let asked = format!("go /small; answers {second_url}/pressed?2");
        for (then, ends) in [("frame ; click .nowhere", "secret-unusable"), (asked.as_str(), HONEST)] {
            let pressing = Steps { steps: format!("{}; {then}", pressing.steps), ..pressing.clone() };
            let (told, said) = pressing.run(&collector).await;
            assert_eq!(told, ends, "{said}");
            assert!(!said.contains("?2 true"), "{said}");
        }
        second.forget();
    }
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_a_site_that_is_not_declared_is_refused_and_a_secret_goes_into_no_frame_but_its_own() {
    let (site, second, collector) = sites().await;
    for second_url in crossing(&second.url) {
        let (told, said) = steps(&site.url, &format!("go /outer?to={second_url}; tell #inner")).run(&collector).await;
        assert_eq!(told, "source-unavailable", "{said}");
        assert!(second.heard().is_empty() && !said.contains("within"), "{said}");
        // The page is one that the sink names, and the frame is another.
        let other = format!("go /outer?to={second_url}; frame #inner; secret #password");
        let other = steps(&site.url, &other).also(&second_url);
        let other = other.page("inner", "{base}/inner", "#password").sink("page = \"inner\"", "field:#password");
        let (told, said) = other.run(&collector).await;
        assert_eq!(told, "capability-denied", "{said}");
        assert!(said.contains("no rule recognises this one"), "{said}");
        second.forget();
    }
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn popups_are_pages_and_dialogs_are_answered_as_was_said() {
    let (site, _, collector) = sites().await;
    let (told, said) =
        steps(&site.url, "go /opens; click #open; popup; waits selector .small; tell ; close").run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains(&format!("url {}/small", site.url)) && said.contains("a small window"), "{said}");
    for (dialog, class) in [("dialog accept; ", ".yes"), ("dialog dismiss; ", ".no"), ("", ".no")] {
        let (told, said) =
            steps(&site.url, &format!("go /asks; {dialog}click #ask; sees {class}")).run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
        assert!(said.contains(&format!("sees {class} true")), "{said}");
    }
    let (told, said) =
        steps(&site.url, "go /asks; dialog accept; click #ask; sees .yes; click #ask; sees .no").run(&collector).await;
    assert!(told == HONEST && said.contains("sees .no true"), "it was said of one: {said}");
    assert_eq!(steps(&site.url, "go /asks; dialog perhaps").run(&collector).await.0, "invalid-argument");
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_page_is_for_the_person_alone() {
    let (site, _, collector) = sites().await;
    let shown = std::sync::Arc::<std::sync::Mutex<Vec<Vec<u8>>>>::default();
    let pictures = shown.clone();
    let look = move |question: &Question| {
        assert_eq!(question.kind, "captcha");
        lock(&pictures).extend(question.image.as_ref().map(|image| image.to_vec()));
        Reaction::Answer(vec![("word".to_owned(), "green".to_owned())])
    };
    let showing = || {
        let answer =
            "[[answer]]\nprompt = \"captcha\"\nname = \"word\"\nkind = \"public\"\nlabel = { en = \"Word\" }\n";
        steps(&site.url, "go /picture; show #captcha; tell ").declaring("[[answer]]", answer).collecting()
    };
    let (told, said) = ran(showing().answering(look), &collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("the person reads green"), "{said}");
    let pictures = std::mem::take(&mut *lock(&shown));
    let [picture] = &pictures[..] else { panic!("{} pictures", pictures.len()) };
    assert_eq!(&picture[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (120, 40), "width and height of the element");
    assert!(!said.contains("PNG"), "{said}");
    assert_eq!(ran(showing().unattended(), &collector).await.0, "person-absent");
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_asks_the_browser_is_answered_where_the_manifest_says_and_nowhere_else() {
    let (site, second, collector) = sites().await;
    let login = |url: &str, places: &str| {
        let steps = steps(&site.url, url).also(&second.url);
        let sinks = |steps: Steps, before: &str| {
            let sink = format!(
                "[[field.sink]]\nrequest = \"GET {places}\"\nslot = \"authentication\"\nrecipe = \"raw\"\nmax = 1\n"
            );
            steps.declaring(before, &sink)
        };
        let steps = sinks(steps, SINK);
        sinks(steps, "[[field.sink]]\nrequest = \"POST {base}/login\"\nslot = \"form:identifiant\"")
    };
    let was_told =
        |site: &EchoSite| site.heard().iter().any(|request| request.contains("Basic bWFyaWU6Q29ycmVjdC1Ib3JzZS03IQ"));
    let away = format!("login /; go {}/private; tell ", second.url);
    let (told, said) = login(&away, "{base}/private").run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("who are you") && !was_told(&second), "another origin asks, too: {:?}", second.heard());
    let (told, said) = login("login /; go /private; tell ", "{base}/elsewhere").run(&collector).await;
    assert_eq!(told, "capability-denied", "{said}");
    assert!(said.contains("slot = \"authentication\"") && !was_told(&site), "{said}");
    let (told, said) = login("login /; go /private; tell ", "{base}/private").run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("come in") && was_told(&site), "{said}");
    let (told, said) = login("login http://127.0.0.1:9/", "{base}/private").run(&collector).await;
    assert_eq!(told, "capability-denied", "{said}");
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_click_brings_comes_as_its_bytes() {
    let site = EchoSite::start(site).await.unwrap();
    for program in ["chromium-headless-shell", "chromium"] {
        let program = Some(Path::new("/usr/lib/chromium").join(program));
        let browser = Chromium::new(BrowserSettings { program, ..BrowserSettings::at_a_desk() });
        let collector = Collector { browser: Some(browser), ..collector().unwrap() };
        let (told, said) = steps(&site.url, "go /files; download #file").run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
        assert!(said.contains("file %PDF-1.7 with these bytes") && said.contains("25 bytes"), "{said}");
        // One that a site would show in the page, where the browser can.
        let (told, said) = steps(&site.url, "go /files; download #shown").run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
        assert!(said.contains(&format!("{} bytes", PDF.len())), "{said}");
        end(&collector).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_gone_to_by_http_alone() {
    let (site, _, collector) = sites().await;
    let address = site.url.trim_start_matches("http://").to_owned();
    for url in [
        "file:///etc/passwd",
        "chrome://version",
        "chrome-untrusted://new-tab-page",
        "devtools://devtools/bundled/inspector.html",
        "about:blank",
        "data:text/html,here",
        "javascript:document.title",
        &format!("view-source:{}/small", site.url),
        &format!("blob:{}/0", site.url),
        &format!("filesystem:{}/temporary/x", site.url),
        &format!("ftp://{address}/small"),
        &format!("ws://{address}/small"),
        &format!("http://marie@{address}/small"),
    ] {
        let (told, said) = steps(&site.url, &format!("go {url}; tell ")).run(&collector).await;
        assert_eq!(told, "capability-denied", "{url}: {said}");
    }
    assert!(site.heard().is_empty(), "{:?}", site.heard());
    end(&collector).await;
}
