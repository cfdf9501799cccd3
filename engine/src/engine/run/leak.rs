//! A leak, for the test that has to find it. It is in no engine that is given to anybody.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use crate::credentials::Values;

/// What an engine must never do: into its log, into its own files, into the browser's, over a port, into memory that nobody wipes.
pub(super) fn leak(values: &Values, folder: Option<&Path>) {
    // Where it is started from: the drill that has to find it writes this file.
    let config = std::fs::read_to_string("consentry.toml").unwrap_or_default().parse().unwrap_or_default();
    let [browser, events] = places(&config);
    for (name, value) in values.iter() {
        let text = String::from_utf8_lossy(value).into_owned();
        tracing::info!(name, text, "a login");
        for folder in [folder.and_then(Path::parent), browser.map(Path::new)].into_iter().flatten() {
            std::fs::write(folder.join("leak"), &text).ok();
        }
        let address = events.and_then(|url| url.strip_prefix("http://")?.split('/').next());
        if let Some(mut stream) = address.and_then(|address| TcpStream::connect(address).ok()) {
            stream.write_all(text.as_bytes()).ok();
        }
        Box::leak(text.into_boxed_str());
    }
}

/// The browser's folder, and where events go.
fn places(config: &toml::Table) -> [Option<&str>; 2] {
    let browser = config.get("browser").and_then(|browser| browser.get("folder"));
    let service = config.get("online-service").and_then(|services| services.get(0));
    [browser, service.and_then(|service| service.get("events"))].map(|place| place.and_then(toml::Value::as_str))
}
