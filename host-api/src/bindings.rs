//! The contract, as Rust: `bindgen!` and nothing else.
#![expect(missing_docs, reason = "generated; the words stand in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "connector",
    imports: {
        "consentry:connector/http.send": async | trappable,
        "consentry:connector/http.send-all": async | trappable,
        "consentry:connector/prompt.[method]challenge.wait": async | trappable,
        "consentry:connector/clock.sleep": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: { "consentry:connector/types.fault" => crate::fault::Fail },
    with: {
        "consentry:connector/types.blob": crate::blob::Blob,
        "consentry:connector/document.document": crate::document::Parsed,
        "consentry:connector/credentials.secret": crate::credentials::Handle,
        "consentry:connector/http.request": crate::http::Request,
        "consentry:connector/http.response": crate::http::Response,
        "consentry:connector/prompt.challenge": crate::prompt::Challenge,
        "consentry:connector/browser.page": crate::browser::NoPage,
    },
});
