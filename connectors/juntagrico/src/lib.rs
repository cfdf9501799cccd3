//! Juntagrico, the member portal of cooperatives: login by form with a CSRF token, then profile, bills and share certificate, each only
//! if it is wanted. What its pages look like stands in `pages.rs`, what its refusals mean in `manifest.toml`.

mod pages;

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

/// Texts, days and amounts follow this; `pages.rs` and the manifest read French.
const LANGUAGE: &str = "fr";
/// Bills that are fetched side by side.
const BILLS_AT_ONCE: usize = 4;

/// A part of the portal, asked only if one of its categories is wanted.
struct Section {
    step: &'static str,
    path: &'static str,
    pages: &'static [&'static str],
    categories: &'static [&'static str],
    read: fn(&Page) -> Result,
}

const SECTIONS: [Section; 3] = [
    Section {
        step: "profile",
        path: "/my/profile",
        pages: &["profile", "profile-without-iban"],
        categories: &["person.name", "person.address", "person.phone", "person.email", "person.birth", "bank.account"],
        read: |page| pages::profile(page),
    },
    Section {
        step: "bills",
        path: "/jb/user_bills",
        pages: &["bills", "no-bills"],
        categories: &["document.invoice"],
        read: bills,
    },
    Section {
        step: "certificate",
        path: "/my/share/manage/",
        pages: &["shares", "no-shares"],
        categories: &["document.certificate"],
        read: certificate,
    },
];

fn collect() -> Result {
    let mut sections =
        SECTIONS.iter().filter(|section| section.categories.iter().any(|category| job::wanted(category)));
    let Some(first) = sections.next() else { return Ok(()) };
    progress::step("login");
    let landing = login(first)?;
    credentials::authenticated()?;
    progress::step(first.step);
    (first.read)(&landing)?;
    for section in sections {
        progress::step(section.step);
        (section.read)(&fetch(section.path).expect(section.pages)?)?;
    }
    Ok(())
}

fn fetch<'a>(url: impl AsRef<str>) -> Request<'a> {
    get(url).header("accept-language", LANGUAGE)
}

/// Logs in and lands on the first section, so that no page is asked for nothing.
fn login(first: &Section) -> Result<Page> {
    let page = fetch("/accounts/login/").query("next", first.path).expect(&["login"])?;
    let (login, password) = (credential("login")?, credential("password")?);
    let form = page.fill("login-form", "form[method=post]")?.field("username", &login).field("password", &password);
    // Over https the application takes a form only from a page of its own.
    form.header("accept-language", LANGUAGE).header("referer", page.response().url()).expect(first.pages)
}

fn bills(page: &Page) -> Result {
    let bills = pages::bills(page)?;
    let total = bills.len() as u32;
    for (done, bills) in (0..).step_by(BILLS_AT_ONCE).zip(bills.chunks(BILLS_AT_ONCE)) {
        progress::count(done, total);
        let files = send_all(bills.iter().map(|bill| fetch(&bill.pdf)).collect())?;
        for (bill, file) in bills.iter().zip(files) {
            bill.emit(file_of(&file, "bill-pdf")?).or_partial("document.invoice")?;
        }
    }
    Ok(())
}

/// The certificate of the latest year that is offered.
fn certificate(page: &Page) -> Result {
    let Some(year) = pages::latest_year(page)? else { return Ok(()) };
    let answer = fetch("/my/share/certificate").query("year", &year).send()?;
    pages::certificate(&year, file_of(&answer, "certificate-pdf")?)
}

/// The file; a page in its place is one that this connector does not know.
fn file_of(answer: &Response, page: &str) -> Result<Blob> {
    match answer.page() {
        Some(found) if found == page => answer.blob(),
        _ => Err(Code::PageUnrecognised.fault(format!("expected here: {page}"))),
    }
}
