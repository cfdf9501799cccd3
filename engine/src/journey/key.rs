//! The key that a receipt is bound to. Whoever wants something by such a receipt proves that they hold its key, once for each thing they ask: the
//! script makes the proof from the key's file, and the key stays in the browser. Without a script a program of the person's makes it.

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};

use super::my_data;
use super::visitor::Reader;
use crate::engine::Engine;
use crate::receipt::Receipt;

/// What a proof has to name.
pub(super) struct Wanted {
    nonce: String,
    audience: String,
    /// `sd_hash`: of the receipt as it is shown.
    hash: String,
}

impl Wanted {
    /// For this receipt; none where it is bound to no key.
    pub(super) fn of(engine: &Engine, receipt: &Receipt) -> Option<Self> {
        receipt.facts().cnf.as_ref()?;
        let (nonce, audience) = engine.give_nonce();
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(receipt.token().as_bytes()));
        Some(Self { nonce, audience: audience.to_owned(), hash })
    }

    /// The fields that a form asks the key with; `form` tells those of several forms apart.
    pub(super) fn fields(&self, reader: &Reader, form: &str) -> Markup {
        html! {
            fieldset data-nonces={ (reader.place.base) "/v1/rights/nonce" } data-hash=(self.hash) {
                legend { (reader.say("Your key", "Votre clé")) }
                p .hint { (reader.say(
                    "This receipt is bound to a key of yours. The key stays on your device: what is sent is a proof, good once and for five minutes.",
                    "Ce reçu est lié à une clé à vous. La clé reste sur votre appareil : ce qui part est une preuve, valable une fois et cinq minutes.",
                )) }
                div .field data-key hidden {
                    label for={ (form) "-key" } { (reader.say("The file of your key (JWK)", "Le fichier de votre clé (JWK)")) }
                    // Without a name: it is not sent.
                    input id={ (form) "-key" } type="file" accept=".json,.jwk,application/json";
                    p .hint role="status" data-status
                        data-made=(reader.say("The proof is made. Send it within five minutes.", "La preuve est faite. Envoyez-la dans les cinq minutes."))
                        data-wrong=(reader.say(
                            "No proof can be made of this file. Choose the private key (EC, P-256) that you bound the receipt to.",
                            "Aucune preuve ne peut être faite avec ce fichier. Choisissez la clé privée (EC, P-256) à laquelle le reçu est lié.",
                        )) {}
                }
                div .field {
                    label for={ (form) "-proof" } { (reader.say("The proof", "La preuve")) }
                    p .hint id={ (form) "-proof-hint" } {
                        (reader.say(
                            "Made of the file above, or by a program of yours: a key binding JWT (RFC 9901, ES256) with ",
                            "Faite avec le fichier ci-dessus, ou par un programme à vous : un key binding JWT (RFC 9901, ES256) avec ",
                        ))
                        "nonce " span .code { (self.nonce) } ", aud " span .code { (self.audience) } ", sd_hash " span .code { (self.hash) } "."
                    }
                    textarea id={ (form) "-proof" } name="proof" rows="3" required spellcheck="false" autocomplete="off"
                        aria-describedby={ (form) "-proof-hint" } {}
                }
            }
        }
    }
}

/// Asks for the key before anything is shown; `refused` where a proof came, and does not hold.
pub(super) fn page(reader: &Reader, wanted: &Wanted, receipt: &str, refused: bool) -> Response {
    let alert = refused.then(|| {
        html! {
            p { strong { (reader.say("This proof does not hold.", "Cette preuve ne vaut pas.")) } }
            p { (reader.say(
                "It is by another key, too old or was used before; or nothing is kept about this receipt any more. Choose your key once more.",
                "Elle vient d'une autre clé, elle est trop ancienne ou a déjà servi ; ou plus rien n'est conservé au sujet de ce reçu. Choisissez votre clé encore une fois.",
            )) }
        }
    });
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    reader.frame(my_data::title(reader)).status(status).alert(alert).page(html! {
        h1 { (my_data::title(reader)) }
        form method="post" action={ (reader.place.base) "/my-data" } {
            input type="hidden" name="receipt" value=(receipt);
            (wanted.fields(reader, "look"))
            div .actions { button type="submit" { (reader.say("Show my data", "Voir mes données")) } }
        }
    })
}
