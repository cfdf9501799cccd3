//! A tax office: a login, a list of documents, and notices as PDFs. It knows four made-up people and keeps nothing.

mod notice;
mod site;

use std::net::SocketAddr;

pub use notice::{Notice, pdf, scanned};

/// Somebody who pays taxes.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Thirteen digits.
    pub login: &'static str,
    /// Password.
    pub password: &'static str,
    /// As a notice writes it.
    pub name: &'static str,
    /// Street.
    pub street: &'static str,
    /// Postcode and town.
    pub town: &'static str,
    /// Whether the office lets nobody in any more.
    pub locked: bool,
    /// Newest first.
    pub notices: &'static [Notice],
}

const fn notice(year: u16, number: &'static str, issued: &'static str, euros: [&'static str; 3]) -> Notice {
    Notice { year, number, issued, income: euros[0], shares: euros[1], tax: euros[2], scanned: false }
}

/// Everybody the office knows.
pub const PEOPLE: [Person; 4] = [
    Person {
        login: "1234567890123",
        password: "Correct-Horse-7!",
        name: "DUPONT Marie",
        street: "12 rue de la République",
        town: "69002 LYON",
        locked: false,
        notices: &[
            notice(2025, "26 69 1234567 89", "31/07/2026", ["38 250 €", "2,5", "1 214 €"]),
            notice(2024, "25 69 7654321 98", "1er août 2025", ["36 940 €", "2,5", "1 087 €"]),
            notice(2023, "24 69 1122334 45", "02/08/2024", ["-412 €", "1", "0 €"]),
        ],
    },
    Person {
        login: "2345678901234",
        password: "Distant-Ocean-4!",
        name: "NGUYEN Paul",
        street: "3 place du Marché",
        town: "31000 TOULOUSE",
        locked: false,
        notices: &[],
    },
    Person {
        login: "3456789012345",
        password: "Gentle-Harbour-2!",
        name: "LEFÈVRE Zoë",
        street: "8 chemin des Œillets",
        town: "33000 BORDEAUX",
        locked: false,
        notices: &[
            notice(2025, "26 33 5566778 89", "31/07/2026", ["21 030 €", "1", "605 €"]),
            Notice { scanned: true, ..notice(2024, "25 33 9988776 65", "31/07/2025", ["20 100 €", "1", "588 €"]) },
        ],
    },
    Person {
        login: "4567890123456",
        password: "Silent-Meadow-9!",
        name: "MARTIN Luc",
        street: "1 quai des Brumes",
        town: "29200 BREST",
        locked: true,
        notices: &[],
    },
];

/// The office, open as long as this lives.
#[derive(Debug)]
pub struct TaxOffice {
    /// Its address, without a slash at the end.
    pub url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl TaxOffice {
    /// Opens it there.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn start(listen: SocketAddr) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            // It ends with the program.
            let _ = axum::serve(listener, site::router()).await;
        });
        Ok(Self { url, serving })
    }
}

impl Drop for TaxOffice {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
