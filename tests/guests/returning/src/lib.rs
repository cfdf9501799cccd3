//! The sample bank by somebody who comes back: logs in when nothing is kept, keeps the session's cookie, and goes on with it the next time.

use consentry_sdk::contract::session_state;
use consentry_sdk::prelude::*;

consentry_sdk::connector!(collect);

fn collect() -> Result {
    progress::step("login");
    // Where nobody agreed to synchronisation there is no note, and nothing is kept.
    let visits = session_state::note("visits").ok().flatten();
    let accounts = get("/accounts").page()?;
    let home = if accounts.is("accounts") { accounts } else { login()? };
    credentials::authenticated()?;
    let visits = visits.and_then(|visits| visits.parse::<u32>().ok()).unwrap_or_default() + 1;
    if session_state::keep_note("visits", &visits.to_string()).is_ok() {
        session_state::keep_cookies(&[job::base()])?;
    }
    let holder = home.expect(&["accounts"])?.need("iban", "td.iban", "text")?;
    items::PersonName::new().full(format!("visit {visits} to {}", holder.replace(' ', ""))).emit()
}

fn login() -> Result<Page> {
    let form = get("/login").expect(&["login"])?.fill("login-form", "form#connexion")?;
    let (login, password) = (credential("login")?, credential("password")?);
    form.field("identifiant", &login).field("motdepasse", &password).expect(&["accounts"])
}
