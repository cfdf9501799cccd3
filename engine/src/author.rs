//! What the author of a connector works with: a connector from a template, its build, one collection by hand, recordings of it, and the suite
//! that every connector has to pass before it is published. All of it on the author's machine: nothing here knows a person, a store or an
//! Online Service.

// The SDK, the contract and the templates, as this program carries them.
pub mod carried;
// A new connector.
pub mod template;
// A manifest proposed from what a browser recorded.
pub mod har;
// A folder with a connector's source.
pub mod project;
// One collection from the real Data Source.
pub mod live;
// A collection in lines that can be compared.
pub mod told;
// The recordings of a connector.
pub mod shelf;
// A page that a rule of the manifest recognises.
pub mod sketch;
// A recording, and what may happen to it.
pub mod mutate;
// The contract as a page for authors.
pub mod reference;
// The failure states, and how a connector tells each.
pub mod acceptance;
// What a manifest asks for and the recordings do not need.
pub mod unused;
