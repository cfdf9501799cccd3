//! The rows of the table of failure codes.

use super::{Claim, Code, Row, Text};
use crate::failure::Blame::{self, Connector, Person, Platform, Recipient, Source};
use crate::failure::Retry::{self, After, Never, NextVersion, WithPerson};
use crate::failure::Stage::{self, Challenge, Deliver, Extract, Login, Navigate, Start};

struct Facts(Blame, Retry, Stage, Claim);

const fn row(code: Code, facts: &Facts, what: [&'static str; 2], next: [&'static str; 2], author: &'static str) -> Row {
    let Facts(blame, retry, stage, claim) = *facts;
    let [what, next] = [Text { en: what[0], fr: what[1] }, Text { en: next[0], fr: next[1] }];
    Row { code, blame, retry, stage, claim, what, next, author }
}

/// One row for each code, in the order of [`Code::ALL`].
pub(super) static TABLE: [Row; Code::ALL.len()] = [
    row(
        Code::CredentialsRejected,
        &Facts(Person, WithPerson, Login, Claim::Page),
        ["The sign-in details were not accepted.", "Les identifiants n'ont pas été acceptés."],
        ["Check them and enter them again.", "Vérifiez-les et saisissez-les à nouveau."],
        "The source refused the login fields; the page text that says so is declared in the manifest.",
    ),
    row(
        Code::CredentialsExpired,
        &Facts(Person, WithPerson, Login, Claim::Page),
        ["Your password there has expired.", "Votre mot de passe y a expiré."],
        ["Choose a new one on their site, then come back.", "Choisissez-en un nouveau sur leur site, puis revenez."],
        "The source asks for a new password before it lets anybody in.",
    ),
    row(
        Code::SecretUnusable,
        &Facts(Person, WithPerson, Login, Claim::Host),
        [
            "What you entered does not have the form that their site asks for.",
            "Votre saisie n'a pas la forme que leur site demande.",
        ],
        ["Check your sign-in details and enter them again.", "Vérifiez vos identifiants et saisissez-les à nouveau."],
        "A field has not the declared form, or a recipe has no value; which is not told, it depends on what was entered.",
    ),
    row(
        Code::AccountLocked,
        &Facts(Person, WithPerson, Login, Claim::Page),
        ["Your account there is locked.", "Votre compte y est bloqué."],
        [
            "Unlock it on their site or by telephone, then come back.",
            "Débloquez-le sur leur site ou par téléphone, puis revenez.",
        ],
        "The source locked the account; never submit a login again by yourself.",
    ),
    row(
        Code::ChallengeRejected,
        &Facts(Person, WithPerson, Challenge, Claim::Page),
        ["The code or answer was not accepted.", "Le code ou la réponse n'a pas été accepté."],
        ["Start again and use the newest code.", "Recommencez avec le code le plus récent."],
        "The source refused the answer to its challenge.",
    ),
    row(
        Code::ChallengeTimeout,
        &Facts(Person, WithPerson, Challenge, Claim::Page),
        ["The confirmation did not come in time.", "La confirmation n'est pas arrivée à temps."],
        ["Start again and keep your telephone at hand.", "Recommencez en gardant votre téléphone à portée de main."],
        "Nobody answered the challenge before its deadline.",
    ),
    row(
        Code::ChallengeDenied,
        &Facts(Person, WithPerson, Challenge, Claim::Page),
        ["The confirmation was refused.", "La confirmation a été refusée."],
        ["If that was a mistake, start again.", "Si c'était une erreur, recommencez."],
        "The person refused the challenge, in the source's app or at our prompt.",
    ),
    row(
        Code::ChallengeUnsupported,
        &Facts(Connector, NextVersion, Challenge, Claim::Page),
        [
            "They ask for a kind of confirmation that can't be given here.",
            "Une confirmation impossible à donner ici est demandée.",
        ],
        [
            "Choose another way of confirming on their site, if they offer one.",
            "Choisissez sur leur site un autre moyen de confirmation, s'il existe.",
        ],
        "The source shows a challenge that the connector does not handle; add it, or tell people which one to choose.",
    ),
    row(
        Code::PersonAbsent,
        &Facts(Person, WithPerson, Challenge, Claim::Host),
        [
            "They want to hear from you, and you were not here.",
            "Une action de votre part est attendue, et vous n'étiez pas là.",
        ],
        ["Start the update yourself.", "Lancez vous-même la mise à jour."],
        "A scheduled run met a challenge; it needs a run with the person present.",
    ),
    row(
        Code::PersonActionRequired,
        &Facts(Person, WithPerson, Navigate, Claim::Page),
        [
            "They want something from you first, such as accepting new terms.",
            "Une démarche est demandée d'abord, comme accepter de nouvelles conditions.",
        ],
        [
            "Sign in on their site, do what it asks, then come back.",
            "Connectez-vous à leur site, faites le nécessaire, puis revenez.",
        ],
        "A page of the source stands in the way until the person has dealt with it.",
    ),
    row(
        Code::SessionConflict,
        &Facts(Person, WithPerson, Login, Claim::Page),
        ["You are signed in there already.", "Vous y êtes déjà connecté."],
        ["Sign out on their site, then start again.", "Déconnectez-vous de leur site, puis recommencez."],
        "The source allows one session at a time.",
    ),
    row(
        Code::SubjectMismatch,
        &Facts(Person, WithPerson, Extract, Claim::Guest),
        [
            "These sign-in details lead to another account than the one that is expected.",
            "Ces identifiants mènent à un autre compte que celui qui est attendu.",
        ],
        [
            "Sign in to your own account. If the name that was expected is wrong, tell the service.",
            "Connectez-vous à votre propre compte. Si le nom attendu est faux, dites-le au service.",
        ],
        "The account is not the linked one, or not in the name that `holder-matches` asks for: the host compares that.",
    ),
    row(
        Code::NotACustomer,
        &Facts(Person, Never, Navigate, Claim::Page),
        ["There is no contract behind this sign-in.", "Aucun contrat n'est associé à ces identifiants."],
        ["Choose a place where you are a customer.", "Choisissez un organisme dont vous êtes client."],
        "The login works, but the source has nothing on this person.",
    ),
    row(
        Code::ConsentExpired,
        &Facts(Person, WithPerson, Start, Claim::Page),
        ["Your permission has expired.", "Votre autorisation a expiré."],
        ["Give it again if you want to go on sharing.", "Renouvelez-la si vous voulez continuer à partager."],
        "The consent, or the source's own authorisation, is past its end.",
    ),
    row(
        Code::ConsentRevoked,
        &Facts(Person, WithPerson, Start, Claim::Page),
        ["The permission was taken back on their side.", "L'autorisation a été retirée de leur côté."],
        ["Give it again if you want to go on sharing.", "Renouvelez-la si vous voulez continuer à partager."],
        "The source no longer accepts the authorisation that was given to us.",
    ),
    row(
        Code::ConsentWithdrawn,
        &Facts(Person, Never, Start, Claim::Host),
        ["You withdrew your consent.", "Vous avez retiré votre consentement."],
        ["Nothing is left to do.", "Vous n'avez plus rien à faire."],
        "The consent was withdrawn while the run was under way; the run was stopped and forgotten.",
    ),
    row(
        Code::SourceUnavailable,
        &Facts(Source, After, Navigate, Claim::Page),
        ["Their site can't be reached.", "Leur site est injoignable."],
        ["Try again later.", "Réessayez plus tard."],
        "The source does not answer, answers 5xx, or redirects without end (`limit` is `redirects` then).",
    ),
    row(
        Code::SourceMaintenance,
        &Facts(Source, After, Navigate, Claim::Page),
        ["Their site is closed for maintenance.", "Leur site est fermé pour maintenance."],
        ["Try again later.", "Réessayez plus tard."],
        "The source shows its maintenance page.",
    ),
    row(
        Code::RateLimited,
        &Facts(Source, After, Navigate, Claim::Page),
        ["Their site asks us to slow down.", "Leur site nous demande de ralentir."],
        ["Try again later.", "Réessayez plus tard."],
        "The source answers 429 or says so; ask for fewer pages, or lower the number of collections at once.",
    ),
    row(
        Code::AutomationBlocked,
        &Facts(Source, After, Navigate, Claim::Page),
        ["Their site turned us away.", "Leur site nous a refusé l'accès."],
        ["Try again later, or send the document yourself.", "Réessayez plus tard, ou envoyez vous-même le document."],
        "A bot wall stood in the way; agree with the source on access, or on an interface made for it.",
    ),
    row(
        Code::CaptchaRequired,
        &Facts(Source, WithPerson, Challenge, Claim::Page),
        ["Their site wants proof that a person is there.", "Leur site veut la preuve qu'une personne est présente."],
        ["Start again and stay here.", "Recommencez et restez présent."],
        "The source shows a captcha that the connector did not pass to the person.",
    ),
    row(
        Code::CaptchaFailed,
        &Facts(Source, WithPerson, Challenge, Claim::Page),
        ["The picture puzzle was not solved.", "Le test visuel n'a pas été réussi."],
        ["Start again and have another try.", "Recommencez et réessayez."],
        "The source refused the captcha's answer.",
    ),
    row(
        Code::SessionLost,
        &Facts(Source, After, Extract, Claim::Page),
        ["Their site ended the session too early.", "Leur site a mis fin à la session trop tôt."],
        ["Start again.", "Recommencez."],
        "A session that was logged in met the login page again.",
    ),
    row(
        Code::SourceDiscontinued,
        &Facts(Source, Never, Start, Claim::Page),
        ["This site no longer exists.", "Ce site n'existe plus."],
        ["Choose another place that holds your data.", "Choisissez un autre organisme qui détient vos données."],
        "The source is gone for good; retire the connector.",
    ),
    row(
        Code::PageUnrecognised,
        &Facts(Connector, NextVersion, Navigate, Claim::Guest),
        [
            "Their site has changed and can't be read at the moment.",
            "Leur site a changé et ne peut pas être lu pour le moment.",
        ],
        ["We have to adapt; you did nothing wrong.", "C'est à nous de nous adapter ; vous n'y êtes pour rien."],
        "The named page is not what the manifest declares, or the named thing is missing on it: look there first.",
    ),
    row(
        Code::ValueUnparsable,
        &Facts(Connector, NextVersion, Extract, Claim::Guest),
        ["Some of the data there could not be understood.", "Certaines données n'ont pas pu être comprises."],
        ["We have to adapt; you did nothing wrong.", "C'est à nous de nous adapter ; vous n'y êtes pour rien."],
        "A value does not have the form of the named field; the host's table says which form is wanted.",
    ),
    row(
        Code::InvariantBroken,
        &Facts(Connector, NextVersion, Extract, Claim::Guest),
        ["The data there contradicts itself.", "Les données y sont contradictoires."],
        ["We have to look into it; you did nothing wrong.", "C'est à nous de l'examiner ; vous n'y êtes pour rien."],
        "A check of the connector across pages failed, such as a sum or a count.",
    ),
    row(
        Code::FlowTimeout,
        &Facts(Connector, After, Navigate, Claim::Guest),
        ["It took too long.", "L'opération a pris trop de temps."],
        ["Try again later.", "Réessayez plus tard."],
        "The run reached its time limit, or the state it polled for never came.",
    ),
    row(
        Code::LimitExceeded,
        &Facts(Connector, NextVersion, Navigate, Claim::Host),
        [
            "There is more there than can be fetched in one go.",
            "Il y a là plus de données qu'on ne peut en récupérer en une fois.",
        ],
        ["We have to adapt; you did nothing wrong.", "C'est à nous de nous adapter ; vous n'y êtes pour rien."],
        "The named limit was reached; raise it in the manifest, below the operator's maximum, or do with less.",
    ),
    row(
        Code::Trap,
        &Facts(Connector, NextVersion, Navigate, Claim::Host),
        ["Something broke on our side.", "Une erreur s'est produite de notre côté."],
        ["We have to repair it; you did nothing wrong.", "C'est à nous de la réparer ; vous n'y êtes pour rien."],
        "The connector crashed; the trace with symbol names is in the run's log.",
    ),
    row(
        Code::CapabilityDenied,
        &Facts(Connector, NextVersion, Navigate, Claim::Host),
        ["A step was stopped because it is not allowed.", "Une étape non autorisée a été arrêtée."],
        ["We have to look into it; you did nothing wrong.", "C'est à nous de l'examiner ; vous n'y êtes pour rien."],
        "The manifest, the operator or the consent does not allow the call; the log prints the line that would.",
    ),
    row(
        Code::InvalidArgument,
        &Facts(Connector, NextVersion, Navigate, Claim::Host),
        ["Something broke on our side.", "Une erreur s'est produite de notre côté."],
        ["We have to repair it; you did nothing wrong.", "C'est à nous de la réparer ; vous n'y êtes pour rien."],
        "The connector called a capability with an argument that makes no sense; the fault's text says which.",
    ),
    row(
        Code::EgressFailed,
        &Facts(Platform, After, Navigate, Claim::Host),
        ["We could not connect to their site.", "Nous n'avons pas pu nous connecter à leur site."],
        ["Try again later.", "Réessayez plus tard."],
        "No connection from our side: check name resolution, routes, proxies and trust roots.",
    ),
    row(
        Code::OperatorRejected,
        &Facts(Platform, NextVersion, Navigate, Claim::Host),
        ["Their site does not know us.", "Leur site ne nous reconnaît pas."],
        ["We have to look into it; you did nothing wrong.", "C'est à nous de l'examiner ; vous n'y êtes pour rien."],
        "The source answered 401 to the operator's own secret: check the secrets of this source in the configuration.",
    ),
    row(
        Code::BrowserUnavailable,
        &Facts(Platform, After, Start, Claim::Host),
        ["Too much is going on here at the moment.", "Le trafic est trop important pour le moment."],
        ["Try again later.", "Réessayez plus tard."],
        "No browser could be started, or all are taken.",
    ),
    row(
        Code::DecryptFailed,
        &Facts(Person, WithPerson, Start, Claim::Host),
        ["What you sent could not be opened.", "Votre envoi n'a pas pu être ouvert."],
        ["Reload the page and enter it again.", "Rechargez la page et saisissez-le à nouveau."],
        "The sealed fields do not open: an unknown key id, another algorithm, or a changed text.",
    ),
    row(
        Code::Cancelled,
        &Facts(Platform, WithPerson, Navigate, Claim::Host),
        ["It was stopped before its end.", "L'opération a été interrompue avant la fin."],
        ["Start again when you like.", "Recommencez quand vous voulez."],
        "The operator or a shutdown stopped the run.",
    ),
    row(
        Code::IncompatibleWorld,
        &Facts(Platform, NextVersion, Start, Claim::Host),
        ["This site can't be read here at the moment.", "Ce site ne peut pas être lu ici pour le moment."],
        ["We have to adapt; you did nothing wrong.", "C'est à nous de nous adapter ; vous n'y êtes pour rien."],
        "The connector was built for another version of the contract, or its code is damaged: rebuild it, or update the engine.",
    ),
    row(
        Code::ConnectorRevoked,
        &Facts(Platform, NextVersion, Start, Claim::Host),
        ["This site can't be read here at the moment.", "Ce site ne peut pas être lu ici pour le moment."],
        ["We have to adapt; you did nothing wrong.", "C'est à nous de nous adapter ; vous n'y êtes pour rien."],
        "The operator revoked this version or the key that signed it; `consentry connector list` says why.",
    ),
    row(
        Code::NodeLost,
        &Facts(Platform, WithPerson, Navigate, Claim::Host),
        ["Something broke on our side.", "Une erreur s'est produite de notre côté."],
        ["Start again; nothing was kept.", "Recommencez ; rien n'a été conservé."],
        "The node that held the run is gone; its grant is used up, and nothing of the run survives.",
    ),
    row(
        Code::PlatformFailed,
        &Facts(Platform, After, Start, Claim::Host),
        ["Something broke on our side.", "Une erreur s'est produite de notre côté."],
        ["Try again later.", "Réessayez plus tard."],
        "A disk, a store or another part of the platform failed; the log names it.",
    ),
    row(
        Code::DeliveryFailed,
        &Facts(Recipient, WithPerson, Deliver, Claim::Host),
        [
            "Your data could not be handed over, and has been erased here.",
            "Vos données n'ont pas pu être transmises et ont été effacées ici.",
        ],
        ["Ask the receiver, then start again.", "Contactez le destinataire, puis recommencez."],
        "The Online Service did not confirm the parcel's digest before the deadline.",
    ),
    row(
        Code::Unclassified,
        &Facts(Connector, NextVersion, Navigate, Claim::Guest),
        [
            "It did not work, and we don't know why yet.",
            "Cela n'a pas fonctionné, et nous ne savons pas encore pourquoi.",
        ],
        ["Try again later; we will look into it.", "Réessayez plus tard ; nous allons l'examiner."],
        "The connector ended with a code that is none of the list, or none that it may name.",
    ),
];
