//! What the terminal says to the person besides the notice, in both languages.

use consentry_contract::failure::Text;

use crate::session::state::State;

pub(super) const COMPUTER: Text = Text { en: "This computer", fr: "Cet ordinateur" };
pub(super) const TERMINAL: Text = Text { en: "This terminal", fr: "Ce terminal" };
pub(super) const PERSON: Text = Text { en: "the person who sits at it", fr: "la personne qui s'en sert" };
pub(super) const WHICH: Text = Text { en: "Which source?", fr: "Quelle source ?" };
pub(super) const AGREE: Text = Text {
    en: "Is the account yours, or may you use it, and do you agree?",
    fr: "Le compte est-il à vous, ou avez-vous le droit de l'utiliser, et êtes-vous d'accord ?",
};
pub(super) const SHARE: Text = Text { en: "Share this?", fr: "Partager ceci ?" };
pub(super) const ASKS: Text = Text { en: "The source asks", fr: "La source demande" };
pub(super) const IMAGE: Text =
    Text { en: "an image, which this terminal can't show", fr: "une image, que ce terminal ne peut pas montrer" };
pub(super) const COLLECTING: Text = Text { en: "collecting", fr: "collecte" };
pub(super) const QUEUE: Text =
    Text { en: "waiting for a free browser page", fr: "en attente d'une page de navigateur libre" };
pub(super) const MORE: Text = Text { en: "more", fr: "de plus" };
pub(super) const WAITS: Text = Text { en: "The parcel waits for", fr: "Le colis attend" };
pub(super) const DELIVERED_TO: Text = Text { en: "delivered to", fr: "remis dans" };
pub(super) const UNWRITABLE: Text = Text { en: "can't be written", fr: "ne peut pas être écrit" };
pub(super) const ELSEWHERE: Text = Text {
    en: "Make room there, or name another file with --out, and collect again.",
    fr: "Libérez de la place, ou nommez un autre fichier avec --out, puis recommencez.",
};
pub(super) const RECEIPT: Text = Text { en: "receipt", fr: "reçu" };
pub(super) const SIGNED: Text = Text {
    en: "Receipts are signed with one of these keys; keep them together.",
    fr: "Les reçus sont signés avec l'une de ces clés ; gardez-les ensemble.",
};
pub(super) const FROM: Text = Text { en: "from", fr: "de" };
pub(super) const TO: Text = Text { en: "to", fr: "à" };
pub(super) const COLLECTED: Text = Text { en: "collected", fr: "collectés" };
pub(super) const SHARED: Text = Text { en: "shared", fr: "partagés" };
pub(super) const PARCEL: Text = Text { en: "parcel", fr: "colis" };
pub(super) const FETCHED: Text = Text { en: "fetched", fr: "retiré" };
pub(super) const ACKNOWLEDGED: Text = Text { en: "acknowledged", fr: "confirmé" };
pub(super) const NEVER: Text = Text { en: "never", fr: "jamais" };
pub(super) const ERASED: Text = Text { en: "erased", fr: "effacé" };
pub(super) const KEPT: Text = Text { en: "kept", fr: "gardé" };
pub(super) const UNTIL: Text = Text { en: "until", fr: "jusqu'au" };
pub(super) const AS_LONG_AS_THE_LOG: Text = Text { en: "as long as the log", fr: "aussi longtemps que le journal" };
pub(super) const NOTHING_KEPT: Text = Text {
    en: "nothing is kept on this computer but what was delivered",
    fr: "rien n'est gardé sur cet ordinateur, sauf ce qui a été remis",
};
pub(super) const LEAVES: Text = Text { en: "entries in the ledger", fr: "entrées au registre" };

/// Where a session stands, for the person.
pub(super) fn state(state: &State) -> Text {
    let (en, fr) = match state {
        State::Requested => ("requested", "demandé"),
        State::AwaitingConsent => ("waiting for your decision", "en attente de votre décision"),
        State::AwaitingCredentials { .. } => ("waiting for your login", "en attente de vos identifiants"),
        State::Collecting { .. } => (COLLECTING.en, COLLECTING.fr),
        State::AwaitingPerson { .. } => ("waiting for you", "en attente de votre réponse"),
        State::InReview => ("waiting for your look at it", "en attente de votre regard"),
        State::Delivering => ("delivering", "remise en cours"),
        State::Completed => ("completed", "terminé"),
        State::Partial => ("partial", "terminé en partie"),
        State::Failed { .. } => ("failed", "échec"),
        State::Expired => ("expired", "expiré"),
        State::Withdrawn => ("withdrawn", "retiré"),
    };
    Text { en, fr }
}
