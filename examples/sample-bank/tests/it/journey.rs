//! The site when nothing is wrong.

use std::collections::HashSet;

use sample_bank::{Change, JULIE, MARIE, SiteState};

use crate::visitor::{Visitor, bank, client, marie_at};

#[tokio::test]
async fn a_login_leads_to_the_accounts_and_gives_a_new_session() {
    let bank = bank(SiteState::Ok).await;
    let visitor = Visitor::of(&bank);
    let form = visitor.get("/login").await;
    let before = visitor.cookie().unwrap();
    assert!(form.header("set-cookie").contains("HttpOnly"));
    assert!(!form.is_customers());

    let answer = visitor.log_in_as(&MARIE).await;
    assert_eq!((answer.status, answer.header("location")), (302, "/accounts"));
    let inside = visitor.cookie().unwrap();
    assert_ne!(before, inside);
    assert!(visitor.get("/accounts").await.is_customers());

    visitor.set_cookie(Some(before));
    let answer = visitor.get("/accounts").await;
    assert_eq!(answer.header("location"), "/login?motif=session", "the session from before the login is dead");
    bank.stop().await;
}

#[tokio::test]
async fn the_accounts_show_label_holder_iban_currency_and_balance() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    let page = visitor.get("/accounts").await;
    assert_eq!(page.all("<td class=\"titulaire\">", "<"), ["Mme Marie Dupont"; 3]);
    assert_eq!(
        page.all("<td class=\"iban\">", "<"),
        ["FR76 3000 6000 0112 3456 7890 189", "FR76 3000 6000 0112 3456 7891 256", "FR76 3000 6000 0112 3456 7893 487"]
    );
    assert_eq!(page.all("<td class=\"devise\">", "<"), ["EUR"; 3]);
    assert_eq!(page.all("<td class=\"montant\">", "<"), ["1 234,56 €", "8 250,00 €", "-17,50 €"]);
    assert!(page.has("AGRIFRPP"));
    bank.stop().await;
}

#[tokio::test]
async fn three_hundred_operations_come_in_three_pages_and_none_comes_twice() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    let mut references = HashSet::new();
    let mut next = Some("/accounts/1/operations".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = visitor.get(&path).await;
        let rows = page.all("<td class=\"reference\">", "<");
        assert_eq!(rows.len(), 100);
        assert_eq!(page.all("<td class=\"montant\">", " €<").len(), 100);
        references.extend(rows);
        next = page.all("<a class=\"suivante\" href=\"", "\"").first().cloned();
        pages += 1;
    }
    assert_eq!((pages, references.len()), (3, 300));
    assert_eq!(visitor.get("/accounts/1/operations?page=4").await.status, 404);
    for path in [
        "/accounts/1/operations?page=0",
        "/accounts/1/operations?page=x",
        "/accounts/4/operations",
        "/accounts/0/operations",
    ] {
        assert_eq!(visitor.get(path).await.status, 404, "{path}");
    }
    let other = visitor.get("/accounts/2/operations").await;
    assert!(other.has("<p class=\"liste-vide\">Aucune opération sur la période.</p>"));
    bank.stop().await;
}

#[tokio::test]
async fn the_number_of_operations_can_be_set_for_each_account() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    bank.change(Change { operations: Some([101, 7, 100]), ..Change::default() });
    for (path, rows) in [
        ("/accounts/1/operations?page=1", 100),
        ("/accounts/1/operations?page=2", 1),
        ("/accounts/2/operations", 7),
        ("/accounts/3/operations", 100),
    ] {
        assert_eq!(visitor.get(path).await.all("<td class=\"reference\">", "<").len(), rows, "{path}");
    }
    assert_eq!(visitor.get("/accounts/3/operations?page=2").await.status, 404);
    bank.stop().await;
}

#[tokio::test]
async fn the_profile_is_a_list_of_terms_and_values() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    let values = visitor.get("/profile").await.all("<dd>", "</dd>");
    assert_eq!(
        values,
        [
            "Mme",
            "Dupont",
            "Marie",
            "25/12/1985",
            "Lyon",
            "12 rue de la République<br>69002 Lyon",
            "04 72 00 00 00",
            "marie.dupont@example.org"
        ]
    );
    bank.stop().await;
}

#[tokio::test]
async fn statements_are_pdfs_served_as_bytes_with_a_name() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    let links = visitor.get("/documents").await.all("<a href=\"/documents/", "\"");
    assert_eq!(links.len(), 12);
    for name in links {
        let file = visitor.get(&format!("/documents/{name}")).await;
        assert_eq!(file.header("content-type"), "application/octet-stream");
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert!(file.bytes.starts_with(b"%PDF-") && file.bytes.ends_with(b"%%EOF\n"));
    }
    assert_eq!(visitor.get("/documents/releve-2024-01.pdf").await.status, 404);
    bank.stop().await;
}

#[tokio::test]
async fn nothing_behind_the_login_opens_without_it() {
    let bank = bank(SiteState::Ok).await;
    let visitor = Visitor::of(&bank);
    for path in ["/accounts", "/accounts/1/operations", "/profile", "/documents", "/documents/releve-2025-12.pdf"] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/login"), "{path}");
    }
    bank.stop().await;
}

#[tokio::test]
async fn a_form_is_taken_once_and_only_from_the_session_it_was_given_to() {
    let bank = bank(SiteState::Ok).await;
    let visitor = Visitor::of(&bank);
    let token = visitor.get("/login").await.token();
    let form = |password: &'static str, token: &str| {
        [("identifiant", MARIE.login.to_owned()), ("motdepasse", password.to_owned()), ("jeton", token.to_owned())]
    };
    let send = async |visitor: &Visitor, fields: [(&str, String); 3]| {
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        visitor.post("/login", &fields).await.status
    };
    let stranger = Visitor::of(&bank);
    stranger.get("/login").await;
    assert_eq!(send(&stranger, form(MARIE.password, &token)).await, 403);
    assert_eq!(send(&visitor, form("wrong", &token)).await, 200);
    assert_eq!(send(&visitor, form(MARIE.password, &token)).await, 403);
    assert_eq!(send(&visitor, form(MARIE.password, "")).await, 403);
    assert_eq!(visitor.log_in_as(&MARIE).await.status, 302);
    bank.stop().await;
}

#[tokio::test]
async fn a_logout_ends_the_session_for_good() {
    let (bank, visitor, _) = marie_at(SiteState::Ok).await;
    let cookie = visitor.cookie();
    let answer = visitor.get("/logout").await;
    assert_eq!((answer.status, answer.header("location")), (302, "/"));
    visitor.set_cookie(cookie);
    assert_eq!(visitor.get("/accounts").await.header("location"), "/login?motif=session");
    bank.stop().await;
}

#[tokio::test]
async fn the_login_decides_who_the_customer_is() {
    let bank = bank(SiteState::Ok).await;
    let (marie, julie) = (Visitor::of(&bank), Visitor::of(&bank));
    assert_eq!(marie.log_in_as(&MARIE).await.status, 302);
    assert_eq!(julie.log_in_as(&JULIE).await.status, 302);
    for path in ["/accounts", "/accounts/1/operations", "/accounts/1/operations?page=3", "/profile"] {
        let (first, second) = (marie.get(path).await.text(), julie.get(path).await.text());
        assert_eq!(first.chars().count(), second.chars().count(), "{path}");
        assert_ne!(first, second, "{path}");
        assert!(!second.contains("Marie") && !second.contains("Dupont"), "{path}");
    }
    let stranger = Visitor::of(&bank);
    assert_eq!(stranger.log_in(MARIE.login, JULIE.password).await.status, 200);
    assert_eq!(stranger.get("/accounts").await.status, 302);
    bank.stop().await;
}

#[tokio::test]
async fn a_stopped_bank_listens_no_more() {
    let bank = bank(SiteState::Ok).await;
    let (site, control) = (bank.site_url.clone(), bank.control_url.clone());
    assert!(client().get(&site).send().await.is_ok());
    bank.stop().await;
    assert!(client().get(&site).send().await.is_err());
    assert!(client().get(format!("{control}/state")).send().await.is_err());
}
