//! The contract as wit-bindgen writes it. Nothing here is written by hand; the comforts stand in the modules beside it.
#![allow(missing_docs, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "connector",
    pub_export_macro: true,
    default_bindings_module: "consentry_sdk::bindings",
});
