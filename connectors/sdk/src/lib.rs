//! What a connector is written with: the contract as Rust ([`contract`]), typed Shareable Data ([`items`]), and small comforts for
//! what every connector does: ask for a page, fill in a form, read a table, ask the person.
//!
//! Nothing here sees a value of a login: secrets are handles, and the host puts them in. Nothing here panics, and no fault's text ever
//! holds what stood on a page.
//!
//! ```no_run
//! use consentry_sdk::prelude::*;
//!
//! fn collect() -> Result {
//!     let login = get("/login").expect(&["login"])?;
//!     let (number, password) = (credential("number")?, credential("password")?);
//!     let form = login.fill("login-form", "form#login")?;
//!     let home = form.field("number", &number).field("password", &password).expect(&["home"])?;
//!     credentials::authenticated()?;
//!     items::PersonName::new().full(home.need("name", "h1.name", "text")?).emit()
//! }
//! # fn main() {}
//! ```
//!
//! What a page becomes is tested natively, with [`native`] in place of the host: a kept page in, lines of items out.
//!
//! At the top of the connector's `lib.rs`, `consentry_sdk::connector!(collect);` makes `collect` what the host runs.

#[doc(hidden)]
pub mod bindings;
pub mod browser;
pub mod english;
pub mod fault;
pub mod french;
pub mod items;
pub mod json;
pub mod output;
pub mod page;
#[cfg(feature = "pdf")]
pub mod pdf;
pub mod phone;
pub mod prompt;
pub mod request;
pub mod secret;

#[cfg(not(target_arch = "wasm32"))]
pub mod native;

mod date;
mod number;
#[cfg(test)]
mod readers;

/// Where calls of a connector's go: the host, or what stands where it is in native tests.
#[cfg(target_arch = "wasm32")]
mod host {
    pub use crate::contract::document::Document;
    pub use crate::contract::{job, log, output};
}
#[cfg(not(target_arch = "wasm32"))]
use native as host;

/// The snippets of the cookbook.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cookbook.md")]
struct Cookbook;

/// The contract itself, as wit-bindgen writes it.
pub use bindings::consentry::connector as contract;
pub use fault::{Code, Fault, Result};

/// Everything that most connectors use.
pub mod prelude {
    pub use crate::contract::{clock, credentials, progress};
    pub use crate::fault::{Code, Fault, OrPartial, Result};
    pub use crate::host::{job, log};
    pub use crate::output::{Batch, Blob};
    pub use crate::page::{Column, Document, Page, column, link, text};
    #[cfg(feature = "pdf")]
    pub use crate::pdf;
    pub use crate::prompt::ask;
    pub use crate::request::{Request, Response, Secret, credential, get, post, send_all};
    pub use crate::{english, french, items, json, phone, secret};
}

/// Makes a function `fn() -> consentry_sdk::Result` the one that the host runs.
#[macro_export]
macro_rules! connector {
    ($collect:path) => {
        struct Connector;

        impl $crate::bindings::Guest for Connector {
            fn collect() -> $crate::Result {
                $crate::run($collect)
            }
        }

        $crate::bindings::export!(Connector with_types_in $crate::bindings);
    };
}

/// Tells the author where a run broke: of a panic only the place, since its message may hold a value.
#[doc(hidden)]
pub fn run(collect: fn() -> Result) -> Result {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            host::log::write("error", &format!("panicked at {place}"));
        }
    }));
    let done = collect();
    if let Err(fault) = &done {
        host::log::write("warn", &format!("ends with {}: {}", fault.code, fault.text));
    }
    done
}
