//! A bank's web site that can be told to misbehave.
//!
//! It stands in for a Data Source in the demo and in end-to-end tests: pages, cookies, forms and failures as a person's
//! browser would meet them, and a second listener through which a test sets what goes wrong. It knows nothing of the
//! connector that reads it, keeps everything in memory, and its customers are made up.

mod authorisation;
mod bank;
mod captcha;
mod control;
mod operation;
mod person;
mod sample_bank;
mod session;
mod settings;
mod site;
mod state;
mod statement;

pub use bank::{Received, SeenRequest};
pub use operation::{Operation, operation};
pub use person::{Account, BIC, JULIE, MARIE, Person};
pub use sample_bank::{NoApprovalAwaited, SampleBank, StartError};
pub use settings::{Change, Settings};
pub use site::PAGE_SIZE;
pub use state::{SiteState, UnknownState};
