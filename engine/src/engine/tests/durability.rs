//! Whole flows over a store that fails at each of its durable operations in turn: the machine dies just before it or just
//! after it, or the disk is full from there on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use consentry_contract::failure::{Dataset, Failure, Gathered, Quality};
use consentry_host_api::ports::{Answer, Prompter as _, Question};

use super::*;
use crate::outbox::How;
use crate::session::question::AskPerson;
use crate::store::faulty::{Fault, Faulty, MemoryStore, memory};
use crate::store::{Shelves, Store};

mod check;
mod flow;
mod full;
mod keys;
mod killed;

use check::{check, check_openings, check_remains};
use flow::{FLOW, Flow, Outside, Stage, Stop, shelves_over};
use keys::CountingKeys;

pub(super) use flow::world_over;
