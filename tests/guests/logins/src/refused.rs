//! What a connector must not get from a recipe.

use consentry_sdk::prelude::*;

/// Whoever gets this far has seen that the run went on.
fn harmless() -> Result {
    items::PersonName::new().full("Marie Dupont").emit()
}

/// Has the password encrypted to a key of its own choice.
pub fn own_key() -> Result {
    let hidden = secret::encrypt("aes-cbc", "fedcba9876543210", &[b'0'; 16], &credential("password")?)?;
    post("/aes-static").field("password", hidden.encoded("hex")).send().map(drop)
}

/// Asks whether the password has 40 characters.
pub fn beyond_the_end() -> Result {
    let part = credential("password")?.characters(&[1, 2, 40])?;
    let _ = post("/characters").field("part", &part).send();
    harmless()
}

/// Asks whether the PIN has a nine.
pub fn missing_key() -> Result {
    let keys: Vec<_> = (0..9).map(|digit| (digit.to_string(), format!("k{digit}"))).collect();
    let _ = post("/keypad").field("code", &credential("pin")?.typed(&keys)?).send();
    harmless()
}

/// Asks whether the password is hexadecimal.
pub fn undecodable() -> Result {
    let plain = credential("password")?.decoded("hex")?;
    let _ = post("/undecodable").field("password", &plain).send();
    harmless()
}

/// Sends three characters to a site that repeats them, and tells everything it can read of the answer.
pub fn reads_one_character() -> Result {
    let part = credential("password")?.characters(&[2, 5, 7])?;
    let answer = post("/echo").field("part", &part).send()?;
    let body = answer.blob().map(|blob| blob.read(0, 4096)).unwrap_or_default();
    let text = answer.document(Some("html")).and_then(|page| page.find("body", "text")).ok().flatten();
    let told = format!(
        "status {} page {:?} url {} headers {:?} body {:?} text {text:?}",
        answer.status(),
        answer.page(),
        answer.url().contains("echo"),
        answer.header("x-echo"),
        String::from_utf8_lossy(&body)
    );
    log::write("info", &told);
    harmless()
}

/// Presents the operator's certificate where the manifest has no place for it.
pub fn no_place_for_it() -> Result {
    get("/elsewhere").client_certificate("tls").send()?;
    harmless()
}
