//! Each state of the site, seen from outside.

use std::time::Duration;

use sample_bank::{Change, MARIE, SiteState};

use crate::visitor::{Visitor, bank, marie_at};

/// Long enough for any machine; nothing here waits for it unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The match has no rest arm, so that a new state without a test does not compile.
#[tokio::test]
async fn every_state_does_what_its_line_says() {
    for (state, name, _) in SiteState::TABLE {
        println!("state {name}"); // shown when one of them fails
        match state {
            SiteState::Ok => ok().await,
            SiteState::WrongPassword => refused(*state, "Identifiant ou mot de passe incorrect.").await,
            SiteState::AccountLocked => refused(*state, "Votre accès est bloqué.").await,
            SiteState::PasswordExpired => step(*state, "/password", "id=\"nouveau-mot-de-passe\"").await,
            SiteState::Otp => otp().await,
            SiteState::OtpWrong => otp_wrong().await,
            SiteState::OtpExpired => otp_expired().await,
            SiteState::ApproveInApp => approve_in_app().await,
            SiteState::Captcha => captcha().await,
            SiteState::Maintenance => outage(*state, 503, "1800", "class=\"maintenance\"").await,
            SiteState::BotWall => outage(*state, 403, "", "Access Denied").await,
            SiteState::RateLimit => outage(*state, 429, "120", "class=\"trop-de-demandes\"").await,
            SiteState::LayoutChanged => layout_changed().await,
            SiteState::TableText => table_text().await,
            SiteState::SessionLost => session_lost().await,
            SiteState::Empty => empty().await,
            SiteState::Slow => slow().await,
            SiteState::AcceptTerms => accept_terms().await,
            SiteState::ServerError => server_error().await,
            SiteState::WrongAmount => wrong_amount().await,
            SiteState::MissingColumn => missing_column().await,
            SiteState::NotACustomer => not_a_customer().await,
            SiteState::RedirectLoop => redirect_loop().await,
            SiteState::HugePage => huge_page().await,
            SiteState::GatewayTimeout => outage(*state, 504, "", "504 Gateway Time-out").await,
            SiteState::JsonError => json_error().await,
            SiteState::ClosedAccount => refused(*state, "Votre convention de banque à distance a pris fin.").await,
        }
    }
}

async fn ok() {
    let (bank, visitor, answer) = marie_at(SiteState::Ok).await;
    assert_eq!(answer.header("location"), "/accounts");
    assert!(visitor.get("/accounts/1/operations").await.has("<table id=\"operations\">"));
    bank.stop().await;
}

async fn json_error() {
    let (bank, visitor, _) = marie_at(SiteState::JsonError).await;
    let answer = visitor.get("/accounts").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(answer.has("E-4711"));
    bank.stop().await;
}

async fn refused(state: SiteState, text: &str) {
    let (bank, visitor, answer) = marie_at(state).await;
    assert_eq!(answer.status, 200);
    assert!(answer.has(&format!("<div class=\"message-erreur\" role=\"alert\">{text}")));
    assert!(answer.has("<form id=\"connexion\""));
    assert_eq!(visitor.get("/accounts").await.header("location"), "/login");
    bank.stop().await;
}

/// The password was right, and still every page behind the login leads to this step.
async fn step(state: SiteState, path: &str, marker: &str) {
    let (bank, visitor, answer) = marie_at(state).await;
    assert_eq!((answer.status, answer.header("location")), (302, path));
    for behind in ["/accounts", "/profile", "/documents/releve-2025-12.pdf"] {
        assert_eq!(visitor.get(behind).await.header("location"), path);
    }
    let page = visitor.get(path).await;
    assert!(page.has(marker) && !page.is_customers());
    bank.stop().await;
}

async fn otp() {
    step(SiteState::Otp, "/otp", "<form id=\"code-sms\"").await;
    let (bank, visitor, _) = marie_at(SiteState::Otp).await;
    let code = bank.last_otp().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let token = visitor.get("/otp").await.token();
    let answer = visitor.post("/otp", &[("code", wrong), ("jeton", &token)]).await;
    assert!(answer.status == 200 && answer.has("Le code saisi est incorrect."));
    let answer = visitor.post("/otp", &[("code", &code), ("jeton", &token)]).await;
    assert_eq!(answer.header("location"), "/otp", "the token was spent");
    let token = visitor.get("/otp").await.token();
    let answer = visitor.post("/otp", &[("code", &code), ("jeton", &token)]).await;
    assert_eq!((answer.status, answer.header("location")), (302, "/accounts"));
    assert!(visitor.get("/accounts").await.is_customers());
    bank.stop().await;
}

async fn otp_wrong() {
    let (bank, visitor, _) = marie_at(SiteState::OtpWrong).await;
    let (code, token) = (bank.last_otp().unwrap(), visitor.get("/otp").await.token());
    let answer = visitor.post("/otp", &[("code", &code), ("jeton", &token)]).await;
    assert!(answer.status == 200 && answer.has("Le code saisi est incorrect.") && answer.has("id=\"code-sms\""));
    assert_eq!(visitor.get("/accounts").await.header("location"), "/otp");
    bank.stop().await;
}

async fn otp_expired() {
    let (bank, visitor, _) = marie_at(SiteState::OtpExpired).await;
    let (code, token) = (bank.last_otp().unwrap(), visitor.get("/otp").await.token());
    let answer = visitor.post("/otp", &[("code", &code), ("jeton", &token)]).await;
    assert!(answer.status == 200 && answer.has("Le code saisi a expiré.") && !answer.has("id=\"code-sms\""));
    assert_eq!(visitor.get("/accounts").await.header("location"), "/login?motif=session");
    bank.stop().await;
}

async fn approve_in_app() {
    step(SiteState::ApproveInApp, "/approval", "id=\"attente-validation\"").await;
    let (bank, visitor, _) = marie_at(SiteState::ApproveInApp).await;
    assert_eq!(visitor.get("/approval").await.status, 200);
    bank.approve().unwrap();
    assert_eq!(visitor.get("/approval").await.header("location"), "/accounts");
    assert!(visitor.get("/accounts").await.is_customers());
    assert!(bank.deny().is_err(), "nobody waits any more");

    let second = Visitor::of(&bank);
    second.log_in_as(&MARIE).await;
    bank.deny().unwrap();
    let page = second.get("/approval").await;
    assert!(
        page.status == 200 && page.has("Vous avez refusé cette connexion") && !page.has("id=\"attente-validation\"")
    );
    assert_eq!(second.get("/accounts").await.header("location"), "/approval");
    bank.stop().await;
}

async fn captcha() {
    let (bank, visitor, answer) = marie_at(SiteState::Captcha).await;
    assert!(answer.status == 200 && answer.has("<img id=\"captcha-image\"") && !answer.has("id=\"connexion\""));
    let image = visitor.get("/captcha.png").await;
    assert!(image.header("content-type") == "image/png" && image.bytes.starts_with(b"\x89PNG"));
    let code = bank.last_captcha().unwrap();
    let wrong = visitor.post("/captcha", &[("code", "?"), ("jeton", &answer.token())]).await;
    assert!(wrong.has("Les caractères saisis ne correspondent pas"));
    let right = visitor.post("/captcha", &[("code", &code), ("jeton", &wrong.token())]).await;
    assert_eq!(right.header("location"), "/accounts");
    assert!(visitor.get("/accounts").await.is_customers());
    bank.stop().await;
}

async fn outage(state: SiteState, status: u16, retry_after: &str, marker: &str) {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    bank.set_state(state);
    for path in ["/", "/login", "/accounts", "/documents/releve-2025-12.pdf"] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after), "{path}");
        assert!(answer.has(marker));
    }
    bank.set_state(SiteState::Ok);
    assert!(visitor.get("/accounts").await.is_customers(), "the session outlives the outage");
    bank.stop().await;
}

async fn layout_changed() {
    let (bank, visitor, _) = marie_at(SiteState::LayoutChanged).await;
    assert!(visitor.get("/accounts").await.has("<table id=\"comptes\">"));
    let page = visitor.get("/accounts/1/operations").await;
    assert!(page.status == 200 && page.is_customers());
    assert!(!page.has("<table") && !page.has("class=\"montant\"") && !page.has("liste-vide"));
    assert_eq!(page.all("<div class=\"mouvement\">", "<").len(), 100);
    bank.stop().await;
}

async fn table_text() {
    let (bank, visitor, _) = marie_at(SiteState::TableText).await;
    for path in ["/accounts", "/accounts/1/operations", "/profile", "/documents"] {
        let page = visitor.get(path).await;
        assert!(page.status == 200 && page.has("Block Automation"), "{path}");
        assert!(!page.has("<table") && !page.has("<dl") && !page.has("releves") && !page.has("liste-vide"), "{path}");
    }
    bank.stop().await;
}

async fn session_lost() {
    let (bank, visitor, _) = marie_at(SiteState::SessionLost).await;
    assert!(visitor.get("/profile").await.is_customers());
    assert!(visitor.get("/accounts").await.has("<table id=\"comptes\">"));
    let answer = visitor.get("/accounts/1/operations").await;
    assert_eq!((answer.status, answer.header("location")), (302, "/login?motif=session"));
    let login = visitor.get("/login?motif=session").await;
    assert!(login.has("Votre session a expiré.") && login.has("id=\"connexion\""));
    bank.stop().await;
}

async fn empty() {
    let (bank, visitor, _) = marie_at(SiteState::Empty).await;
    for path in ["/accounts", "/accounts/1/operations", "/documents"] {
        let page = visitor.get(path).await;
        assert!(page.status == 200 && page.has("<p class=\"liste-vide\">") && page.is_customers(), "{path}");
        assert!(!page.has("<table") && !page.has("releves"), "{path}");
    }
    assert_eq!(visitor.get("/documents/releve-2025-12.pdf").await.status, 404);
    assert!(visitor.get("/profile").await.has("Dupont"));
    bank.stop().await;
}

/// An answer that comes in an hour has not come when the bank stops; one that comes in a millisecond comes.
async fn slow() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    bank.change(Change { state: Some(SiteState::Slow), slow_ms: Some(1), ..Change::default() });
    assert!(visitor.get("/accounts").await.is_customers());

    bank.change(Change { slow_ms: Some(3_600_000), ..Change::default() });
    let seen = bank.requests().len();
    let waiting = tokio::spawn(async move { visitor.response("/accounts").await.map(|answer| answer.status()) });
    while bank.requests().len() == seen {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    tokio::time::timeout(PATIENCE, bank.stop()).await.expect("a stop cuts off what waits");
    waiting.abort();
}

async fn accept_terms() {
    step(SiteState::AcceptTerms, "/terms", "<form id=\"conditions\"").await;
    let (bank, visitor, _) = marie_at(SiteState::AcceptTerms).await;
    let token = visitor.get("/terms").await.token();
    assert_eq!(visitor.post("/terms", &[("jeton", &token)]).await.header("location"), "/terms");
    let token = visitor.get("/terms").await.token();
    let answer = visitor.post("/terms", &[("accord", "oui"), ("jeton", &token)]).await;
    assert_eq!(answer.header("location"), "/accounts");
    bank.stop().await;
}

async fn server_error() {
    let (bank, visitor, answer) = marie_at(SiteState::ServerError).await;
    assert_eq!(answer.header("location"), "/accounts");
    for path in ["/accounts", "/accounts/1/operations", "/profile", "/documents"] {
        let page = visitor.get(path).await;
        assert!(page.status == 500 && page.has("class=\"erreur-technique\""), "{path}");
    }
    bank.stop().await;
}

async fn wrong_amount() {
    let (bank, visitor, _) = marie_at(SiteState::WrongAmount).await;
    for path in ["/accounts/1/operations", "/accounts/1/operations?page=2"] {
        let amounts = visitor.get(path).await.all("<td class=\"montant\">", "<");
        assert_eq!(amounts.len(), 100);
        assert_eq!(amounts.iter().filter(|text| !text.ends_with(" €")).collect::<Vec<_>>(), ["N/C"]);
    }
    bank.stop().await;
}

async fn missing_column() {
    let (bank, visitor, _) = marie_at(SiteState::MissingColumn).await;
    let page = visitor.get("/accounts/1/operations").await;
    assert_eq!(page.all("<td class=\"reference\">", "<").len(), 100);
    assert!(!page.has("montant") && !page.has("Montant"));
    bank.stop().await;
}

async fn not_a_customer() {
    let (bank, visitor, _) = marie_at(SiteState::NotACustomer).await;
    let page = visitor.get("/accounts").await;
    assert!(page.status == 200 && page.is_customers());
    assert!(page.has("<div class=\"devenir-client\">") && !page.has("liste-vide") && !page.has("<table"));
    assert_eq!(visitor.get("/accounts/1/operations").await.status, 404);
    bank.stop().await;
}

async fn redirect_loop() {
    let (bank, visitor, _) = marie_at(SiteState::RedirectLoop).await;
    assert!(visitor.follow("/accounts").await.is_none());
    assert!(visitor.get("/profile").await.is_customers());
    bank.set_state(SiteState::Ok);
    assert!(visitor.follow("/accounts").await.unwrap().is_customers());
    bank.stop().await;
}

async fn huge_page() {
    const ENOUGH: usize = 32 * 1024 * 1024;
    let (bank, visitor, _) = marie_at(SiteState::HugePage).await;
    let mut response = visitor.response("/accounts/1/operations").await.unwrap();
    assert_eq!((response.status().as_u16(), response.content_length()), (200, None));
    let (mut read, mut start) = (0, Vec::new());
    while read < ENOUGH {
        let chunk = response.chunk().await.unwrap().expect("no end");
        if start.len() < 4_096 {
            start.extend_from_slice(&chunk);
        }
        read += chunk.len();
    }
    let start = String::from_utf8_lossy(&start);
    assert!(start.contains("<table id=\"operations\">") && start.contains("<td class=\"reference\">"));
    let reader = tokio::spawn(async move { while let Ok(Some(_)) = response.chunk().await {} });
    tokio::time::timeout(PATIENCE, bank.stop()).await.expect("a stop cuts off an endless body");
    reader.await.unwrap();
}

#[tokio::test]
async fn a_code_can_be_asked_in_any_state() {
    let bank = bank(SiteState::AcceptTerms).await;
    bank.change(Change { ask_otp: Some(true), ..Change::default() });
    let visitor = Visitor::of(&bank);
    assert_eq!(visitor.log_in_as(&MARIE).await.header("location"), "/otp");
    let (code, token) = (bank.last_otp().unwrap(), visitor.get("/otp").await.token());
    let answer = visitor.post("/otp", &[("code", &code), ("jeton", &token)]).await;
    assert_eq!(answer.header("location"), "/terms");
    bank.stop().await;
}

#[tokio::test]
async fn a_state_set_in_the_middle_of_a_session_holds_from_the_next_request() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    assert!(visitor.get("/accounts/1/operations").await.has("id=\"operations\""));
    bank.set_state(SiteState::LayoutChanged);
    assert!(!visitor.get("/accounts/1/operations?page=2").await.has("id=\"operations\""));
    bank.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_alike_whatever_else_is_wrong() {
    let states =
        [SiteState::Ok, SiteState::AccountLocked, SiteState::Captcha, SiteState::Otp, SiteState::PasswordExpired];
    for state in states {
        let bank = bank(state).await;
        for (login, password) in [(MARIE.login, "Wrong-Horse-7!"), ("00000000", MARIE.password), ("", "")] {
            let answer = Visitor::of(&bank).log_in(login, password).await;
            assert!(answer.status == 200 && answer.has("Identifiant ou mot de passe incorrect."), "{state:?}");
        }
        bank.stop().await;
    }
}

#[tokio::test]
async fn a_password_that_names_a_state_sets_it_for_that_login_alone() {
    let bank = bank(SiteState::Ok).await;
    let usual = Visitor::of(&bank);
    usual.log_in_as(&MARIE).await;
    for (name, status, path, is_shown) in [
        ("maintenance", 503, "/accounts", "class=\"maintenance\""),
        ("bot-wall", 403, "/profile", "Access Denied"),
        ("wrong-password", 200, "/login", "id=\"connexion\""),
        ("account-locked", 200, "/login", "id=\"connexion\""),
        ("accept-terms", 302, "/terms", "<form id=\"conditions\""),
        ("otp", 302, "/otp", "<form id=\"code-sms\""),
        ("layout-changed", 302, "/accounts/1/operations", "class=\"mouvements\""),
    ] {
        let visitor = Visitor::of(&bank);
        let answer = visitor.log_in(MARIE.login, &format!("fault-{name}")).await;
        assert_eq!(answer.status, status, "{name}");
        assert!(visitor.get(path).await.has(is_shown), "{name}");
        assert!(usual.get("/accounts/1/operations").await.has("id=\"operations\""), "{name}");
        assert_eq!(bank.settings().state, SiteState::Ok);
    }
    for (login, password) in [(MARIE.login, "fault-"), (MARIE.login, "fault-none"), ("00000000", "fault-otp")] {
        let answer = Visitor::of(&bank).log_in(login, password).await;
        assert!(answer.has("Identifiant ou mot de passe incorrect."), "{password}");
    }
    bank.stop().await;
}
