//! Attacks on what has no switch, since it is part of how the host is made. What is shown instead: a client without it, byte for byte, gets what
//! the attack is after, by the same measure.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::evil::bare;
use crate::reading::{TOKEN, site};
use crate::suite::{Came, Coming, Defence, World, probe};

/// What such a client is told as.
pub const BARE: &str = "answered";

/// The same request by a client that checks and hides nothing; it got what the attack is after if the site heard this or its answer tells it.
async fn answered(site: &EchoSite, request: &str, sought: &str) -> Came {
    let said = bare(&site.url, request).await;
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    let harm = said.contains(sought) || site.heard().iter().any(|request| request.contains(sought));
    Came { told: BARE.to_owned(), harm, said }
}

pub fn cookie(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = site().await;
        if defence == Defence::Off {
            let asks = "GET /session HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n";
            return answered(&site, asks, TOKEN).await;
        }
        let ran = world.run(probe("fetches", &site.url).aim("GET /session")).await;
        assert!(site.told().contains(TOKEN) && ran.said().contains("status 200"), "{}", ran.said());
        let harm = ran.said().contains(TOKEN);
        ran.came(harm)
    })
}

/// Each letter for itself, in the body and in a header.
fn one_by_one(sent: &Sent) -> Answer {
    let keys: String = sent.password.chars().map(|key| format!("<li>{key}</li>")).collect();
    let listed = sent.password.chars().map(String::from).collect::<Vec<_>>().join(" ");
    Answer { headers: vec![("x-note", listed)], body: ("text/html", format!("<ul>{keys}</ul>")), ..Answer::default() }
}

pub fn keypad_code(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(one_by_one).await.unwrap();
        if defence == Defence::Off {
            let body = "motdepasse=cibfyx";
            let length = body.len();
            let head = "POST /keypad HTTP/1.1\r\nhost: site\r\nconnection: close";
            let asks = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
            return answered(&site, &asks, "c i b f y x").await;
        }
        let fills = probe("fills", &site.url).aim("POST /keypad form:motdepasse password letters 1").password("281593");
        let ran = world.run(fills).await;
        assert!(site.told().contains("c i b f j d"), "the site was to repeat them: {}", site.told());
        let harm = ["c i b", "<li>", "Some(\"c"].iter().any(|each| ran.said().contains(each));
        ran.came(harm)
    })
}

pub fn header<'w>(world: &'w mut World, defence: Defence, header: &'static str, heard: &'static str) -> Coming<'w> {
    Box::pin(async move {
        let site = site().await;
        if defence == Defence::Off {
            let header = header.replacen(' ', ": ", 1);
            let asks = format!("GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n{header}\r\n\r\n");
            return answered(&site, &asks, heard).await;
        }
        let ran = world.run(probe("sets-a-header", &site.url).aim(header)).await;
        ran.came(site.heard().iter().any(|request| request.contains(heard)))
    })
}
