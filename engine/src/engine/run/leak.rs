//! A leak, for the test that has to find it. It is in no engine that is given to anybody.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use crate::credentials::Values;

/// What an engine must never do: into its log, into its own files, into the browser's, over a port, into memory that nobody wipes. With
/// [`PANICS`] in its data folder it does none of that, and has a fault of another kind.
pub(super) fn leak(values: &Values, data: Option<&Path>) {
    if let Some(ends) = data.and_then(|data| std::fs::read_to_string(data.join(PANICS)).ok()) {
        return panic(values, ends == ENDS);
    }
    // Where it is started from: the drill that has to find it writes this file.
    let config = std::fs::read_to_string("consentry.toml").unwrap_or_default().parse().unwrap_or_default();
    let [browser, events] = places(&config);
    for (name, value) in values.iter() {
        let text = String::from_utf8_lossy(value).into_owned();
        tracing::info!(name, text, "a login");
        for folder in [data, browser.map(Path::new)].into_iter().flatten() {
            std::fs::write(folder.join("leak"), &text).ok();
        }
        let address = events.and_then(|url| url.strip_prefix("http://")?.split('/').next());
        if let Some(mut stream) = address.and_then(|address| TcpStream::connect(address).ok()) {
            stream.write_all(text.as_bytes()).ok();
        }
        Box::leak(text.into_boxed_str());
    }
}

/// A file of the data folder which says that the engine panics with an opened login at hand, and how: of itself, or, with [`ENDS`] in
/// it, so that the process ends.
const PANICS: &str = "panics";
const ENDS: &str = "ends";

/// A panic that quotes the login.
fn panic(values: &Values, ends: bool) {
    /// Panics once more while a panic is under way, which no process survives.
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            std::panic::panic_any("another one");
        }
    }
    let _again = ends.then_some(Again);
    let text: Vec<_> = values.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
    std::panic::panic_any(text.join(" "));
}

/// The browser's folder, and where events go.
fn places(config: &toml::Table) -> [Option<&str>; 2] {
    let browser = config.get("browser").and_then(|browser| browser.get("folder"));
    let service = config.get("online-service").and_then(|services| services.get(0));
    [browser, service.and_then(|service| service.get("events"))].map(|place| place.and_then(toml::Value::as_str))
}
