//! Kresus, a finance application that a script builds in the browser: the site asks the browser who somebody is, the script asks the site
//! for everything at once, and that answer is read instead of what the script makes of it.

mod pages;

use consentry_sdk::browser;
use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

/// How long a page or an answer may take to come, in milliseconds.
const PATIENCE: u32 = 30_000;

fn collect() -> Result {
    progress::step("login");
    let page = browser::open()?;
    page.authenticate(&job::base(), &credential("login")?, &credential("password")?)?;
    page.visit("/")?;
    page.expect(&["application"], PATIENCE)?;
    credentials::authenticated()?;
    progress::step("accounts");
    pages::everything(&page.answer("/api/all/", PATIENCE)?)
}
