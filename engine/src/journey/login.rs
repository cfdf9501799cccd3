//! The third screen: the login form from the manifest. What is typed is encrypted by the script, in the browser, to a key of the engine's;
//! without the script the form can't be sent, and has nothing that could be.

use axum::response::Response;
use consentry_contract::failure::Code;
use maud::{Markup, html};

use super::frame::Step;
use super::trouble;
use super::visitor::{Reader, Visitor};
use crate::engine::EngineError;
use crate::engine::catalogue::{LoginField, login_fields};
use crate::session::state::LOGINS_REJECTED_MAX;

pub(super) async fn page(visitor: &Visitor, rejected: u8, again: bool) -> Response {
    let reader = &visitor.reader;
    let key = match visitor.engine.intake_keys().await {
        Ok(keys) => keys.first().map(|key| key.to_jwk().to_string()),
        Err(error) => return trouble::engine(visitor, error),
    };
    let fields = fields(visitor);
    let (Some(key), Some((source, fields))) = (key, fields) else {
        return trouble::engine(visitor, EngineError::Source("it is not served any more".to_owned()));
    };
    let title = match reader.say("en", "fr") {
        "en" => format!("Sign in to {source}"),
        _ => format!("Se connecter à {source}"),
    };
    reader.frame(&title).of(visitor, Step::SignIn).alert(wrong(visitor, rejected, again)).page(html! {
        h1 { (title) }
        p .lead { (reader.say(
            "With the same details as on their own site. They are encrypted here, on your device, go to ",
            "Avec les mêmes identifiants que sur leur propre site. Ils sont chiffrés ici, sur votre appareil, ne vont qu'à ",
        )) strong { (source) } (reader.say(" alone, and are destroyed after the sign-in.", ", et sont détruits après la connexion.")) }
        (no_script(visitor))
        form method="post" action=(visitor.at("/credentials")) data-seal=(key) data-session=(visitor.session.id())
            data-done=(visitor.at("")) autocomplete="off" novalidate {
            (errors(reader))
            @for field in &fields { (input(reader, field)) }
            (seal(reader, reader.say("Sign in", "Se connecter")))
        }
    })
}

/// The Data Source of a session, and what its connector asks for at the login.
pub(super) fn fields(visitor: &Visitor) -> Option<(String, Vec<LoginField>)> {
    let (choice, notice) = (visitor.session.choice()?, visitor.session.notice()?);
    let catalogue = visitor.engine.catalogue();
    let connector = catalogue.version(&choice.connector, &choice.digest)?;
    Some((notice.facts().source.name.clone(), login_fields(connector.package.manifest())))
}

/// Why the person is asked once more.
fn wrong(visitor: &Visitor, rejected: u8, again: bool) -> Option<Markup> {
    let reader = &visitor.reader;
    if rejected == 0 {
        let text = reader.say(
            "The page was too old or the connection broke. Please enter your sign-in details again.",
            "La page était trop ancienne ou la connexion a été coupée. Veuillez saisir à nouveau vos identifiants.",
        );
        return again.then(|| html! { p { (text) } });
    }
    let left = (LOGINS_REJECTED_MAX + 1).saturating_sub(rejected);
    let told = visitor.session.failure().map_or_else(
        || trouble::failure(reader, Code::CredentialsRejected),
        |failure| trouble::failed(reader, &failure),
    );
    Some(html! {
        (told)
        p { (reader.say("Tries left in this session: ", "Essais restants dans cette session : ")) (left) }
    })
}

/// What whoever has no script is told.
pub(super) fn no_script(visitor: &Visitor) -> Markup {
    let reader = &visitor.reader;
    html! {
        noscript {
            div .note {
                p { strong { (reader.say("Signing in needs JavaScript.", "La connexion nécessite JavaScript.")) } }
                p { (reader.say(
                    "Your details are encrypted on your device by a script of this page, so that nobody on the way can read them. Allow scripts for this site and reload the page, or open your request in another browser. Without it nothing can be sent from here.",
                    "Vos identifiants sont chiffrés sur votre appareil par un script de cette page, afin que personne ne puisse les lire en chemin. Autorisez les scripts pour ce site et rechargez la page, ou reprenez votre demande dans un autre navigateur. Sans cela, rien ne peut être envoyé d'ici.",
                )) }
                p { a .button href=(visitor.at("")) { (reader.say("Reload the page", "Recharger la page")) } }
            }
        }
    }
}

/// Where the script says what is missing; it has no words of its own.
pub(super) fn errors(reader: &Reader) -> Markup {
    html! {
        div .alert data-errors="" role="alert" tabindex="-1" hidden
            data-missing=(reader.say("Please fill in: ", "À compléter : "))
            data-form=(reader.say("This does not have the form that is asked for: ", "La forme attendue n'est pas respectée : "))
            data-broken=(reader.say("The connection broke. Nothing was sent; please try again.", "La connexion a été coupée. Rien n'a été envoyé ; veuillez réessayer.")) {
            p { strong { (reader.say("Please check", "Veuillez vérifier")) } }
            ul {}
        }
    }
}

/// A field has no name for the form: only the script reads it, by `data-name`.
pub(super) fn input(reader: &Reader, field: &LoginField) -> Markup {
    let id = format!("f-{}", field.name);
    let label = reader.localised(&field.label);
    html! {
        div .field {
            label for=(id) {
                (label)
                @if field.optional { span .hint { (reader.say(" (optional)", " (facultatif)")) } }
            }
            div .row {
                input id=(id) data-name=(field.name) data-label=(label) type=(if field.hidden { "password" } else { "text" })
                    required[!field.optional] pattern=[field.pattern.as_deref()] autocomplete="off" autocapitalize="none"
                    spellcheck="false" maxlength="1000" aria-describedby="sealed";
                @if field.hidden {
                    button .secondary type="button" data-reveal=(id) aria-pressed="false" hidden {
                        (reader.say("Show", "Afficher"))
                    }
                }
            }
        }
    }
}

/// The button, which only the script makes usable, and what the person sees of the encryption.
pub(super) fn seal(reader: &Reader, button: &str) -> Markup {
    html! {
        div .sealed #sealed {
            span .lock aria-hidden="true" {}
            p { (reader.say(
                "Encrypted on this device before it is sent (RSA 4096, AES 256).",
                "Chiffré sur cet appareil avant l'envoi (RSA 4096, AES 256).",
            )) }
        }
        p .status role="status" data-status=""
            data-working=(reader.say("Encrypting on your device…", "Chiffrement sur votre appareil…"))
            data-sealed=(reader.say("Encrypted. All that leaves your device: ", "Chiffré. Tout ce qui quitte votre appareil : ")) {}
        div .actions { button type="submit" disabled data-send="" { (button) } }
    }
}
