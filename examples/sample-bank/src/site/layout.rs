//! What every page shares: head, banner, menu, notice and foot.

use axum::http::header;
use axum::response::{Html, IntoResponse};
use maud::{DOCTYPE, Markup, html};

/// A line above the content.
#[derive(Clone, Copy)]
pub(crate) enum Notice {
    Error(&'static str),
    Info(&'static str),
}

pub(crate) const BANK_NAME: &str = "Banque du Vallon";

/// A page; `inside` shows the menu of a customer, with the link that logs out.
pub(crate) fn page(title: &str, inside: bool, notice: Option<Notice>, body: Markup) -> Html<String> {
    page_with_head(title, inside, notice, html! {}, body)
}

/// A page with more in its head.
pub(crate) fn page_with_head(
    title: &str,
    inside: bool,
    notice: Option<Notice>,
    head: Markup,
    body: Markup,
) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang="fr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " - " (BANK_NAME) }
                link rel="stylesheet" href="/style.css";
                (head)
            }
            body {
                div #entete { a href="/" { (BANK_NAME) } (menu(inside)) }
                div #contenu {
                    h1 { (title) }
                    @match notice {
                        Some(Notice::Error(text)) => div.message-erreur role="alert" { (text) },
                        Some(Notice::Info(text)) => div.message-info { (text) },
                        None => {}
                    }
                    (body)
                }
                div #pied { "© " (BANK_NAME) " - Site de démonstration, sans client ni argent réels." }
            }
        }
    };
    Html(whole.into_string())
}

fn menu(inside: bool) -> Markup {
    html! {
        ul #menu {
            @if inside {
                li { a href="/accounts" { "Mes comptes" } }
                li { a href="/documents" { "Mes documents" } }
                li { a href="/profile" { "Mon profil" } }
                li { a #deconnexion href="/logout" { "Se déconnecter" } }
            } @else {
                li { a href="/login" { "Accéder à mes comptes" } }
            }
        }
    }
}

/// A form by POST with its hidden token.
pub(crate) fn form(id: &str, action: &str, token: &str, fields: Markup, button: &str) -> Markup {
    html! {
        form id=(id) method="post" action=(action) {
            input type="hidden" name="jeton" value=(token);
            (fields)
            p { button type="submit" { (button) } }
        }
    }
}

pub(crate) async fn style() -> impl IntoResponse {
    const CSS: &str = "\
body{font:14px/1.5 Verdana,Arial,sans-serif;margin:0;background:#eef1ea;color:#222}\
#entete{background:#1f5132;color:#fff;padding:14px 24px;font-size:20px}#entete a{color:#fff;text-decoration:none}\
#menu{list-style:none;margin:8px 0 0;padding:0;font-size:13px}#menu li{display:inline-block;margin-right:20px}\
#contenu{max-width:920px;margin:20px auto;padding:12px 24px;background:#fff;border:1px solid #cdd5c6}\
#pied{text-align:center;font-size:11px;color:#666;padding:16px}h1{font-size:19px;color:#1f5132}\
table{border-collapse:collapse;width:100%}th{background:#dfe7d8;text-align:left}th,td{border:1px solid #cdd5c6;padding:4px 8px}\
.montant{text-align:right;white-space:nowrap}label{display:block;font-weight:bold}\
.message-erreur{border:1px solid #a00;background:#fdecec;color:#800;padding:8px;margin-bottom:12px}\
.message-info{border:1px solid #7a9;background:#eef7f0;padding:8px;margin-bottom:12px}\
.profil div{display:flex;border-bottom:1px solid #e3e8de}.profil dt{width:220px;font-weight:bold}.profil dd{margin:0}";
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], CSS)
}
