//! A tax office: a login form, a list of documents, and what each notice says, read out of its PDF in the sandbox. What the site's pages
//! look like stands in `manifest.toml`, what a notice looks like in `notice.rs`.

mod notice;

use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

fn collect() -> Result {
    progress::step("login");
    let form = get("/connexion").expect(&["login"])?.fill("login-form", "form#connexion")?;
    let (login, password) = (credential("login")?, credential("password")?);
    let list = form.field("numero", &login).field("secret", &password).expect(&["documents", "no-documents"])?;
    credentials::authenticated()?;
    progress::step("notices");
    let columns = [text("year", ".annee"), link("file", "a")];
    for [year, file] in list.table("table#avis tbody tr", columns)?.rows() {
        let answer = get(file).send()?;
        if answer.page().as_deref() != Some("notice") {
            return Err(Code::PageUnrecognised.fault("expected here: notice"));
        }
        // A notice that can't be read is worth its file all the same.
        let (read, file) = (pdf::Text::of(&answer.blob()?), answer.blob()?);
        let number = year.parse().map_err(|_| Code::ValueUnparsable.fault("this is no year"))?;
        let item = items::DocumentTaxNotice::new(format!("avis-{year}"), number).file(file);
        match read.and_then(|text| notice::read(&text)) {
            Ok(notice) => notice.onto(item).emit().or_partial("document.tax-notice")?,
            Err(fault) => {
                item.emit().or_partial("document.tax-notice")?;
                Err(fault).or_partial("document.tax-notice")?;
            }
        }
    }
    Ok(())
}
