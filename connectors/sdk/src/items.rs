//! Shareable Data: a builder for each category of the host's item table. `new` takes what an item must have, a setter takes what it
//! may have, `emit` hands it over.

include!(concat!(env!("OUT_DIR"), "/items.rs"));
