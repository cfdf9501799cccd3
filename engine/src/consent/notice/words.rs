//! The words of the notice, in English and French. Plain ones: a sentence says one thing, and says who does it.

use consentry_contract::failure::Text;
use consentry_contract::item::Check;

use super::{AccessTerms, Facts, Language, Section};
use crate::data::Category;
use crate::online_service::{Identity, Role};
use crate::processing::Processor;

/// A sentence in both languages, of which one is wanted.
struct Pair(String, String);

impl Pair {
    fn take(self, language: Language) -> String {
        match language {
            Language::En => self.0,
            Language::Fr => self.1,
        }
    }
}

fn pair(en: impl Into<String>, fr: impl Into<String>) -> Pair {
    Pair(en.into(), fr.into())
}

/// What is kept here, how long at most, and when it ends earlier: row of the retention table, and the sentence about it.
/// The rows are the ones an anonymous session touches.
pub(super) const KEPT: &[(&str, Text)] = &[
    (
        "R03",
        Text {
            en: "Your data: in memory only, erased as soon as it is delivered or you change your mind, after 1 hour at the latest.",
            fr: "Vos données : en mémoire seulement, effacées dès leur remise ou dès que vous changez d'avis, au plus tard après 1 heure.",
        },
    ),
    (
        "R23",
        Text {
            en: "The sealed parcel, which we can't open: until it is delivered or you change your mind, 1 hour at most.",
            fr: "Le colis scellé, que nous ne pouvons pas ouvrir : jusqu'à sa remise ou votre changement d'avis, 1 heure au plus.",
        },
    ),
    (
        "R08",
        Text {
            en: "Your sign-in details: encrypted, in memory only, destroyed once the sign-in worked or failed, after 1 hour at the latest.",
            fr: "Vos identifiants : chiffrés, en mémoire seulement, détruits dès que la connexion a réussi ou échoué, au plus tard après 1 heure.",
        },
    ),
    (
        "R09",
        Text {
            en: "One-time codes: used once, kept 10 minutes at most.",
            fr: "Codes à usage unique : utilisés une fois, gardés 10 minutes au plus.",
        },
    ),
    (
        "R05",
        Text {
            en: "A trace that this took place (Data Source, a keyed fingerprint of your login, Online Service, kind of device and language, date): 13 months.",
            fr: "Une trace de l'opération (source, empreinte à clé de votre identifiant, service en ligne, type d'appareil et langue, date) : 13 mois.",
        },
    ),
    (
        "R14",
        Text {
            en: "The record of your decision: 13 months after it ends.",
            fr: "L'enregistrement de votre décision : 13 mois après sa fin.",
        },
    ),
];

/// What is said in the place of [`RECORDS`] where they are in memory only.
const IN_MEMORY: Text = Text {
    en: "The record of your decision, and a trace that this took place: in memory only, gone when this program ends.",
    fr: "L'enregistrement de votre décision et une trace de l'opération : en mémoire seulement, disparus à la fin de ce programme.",
};

/// What is kept beside that for automatic synchronisation (row R12).
const SESSION_KEPT: Text = Text {
    en: "For synchronisation: what keeps your session at the Data Source open, encrypted, never your sign-in details. It is erased as soon as you stop, close your account, or the agreed time is over: 180 days after you signed in there at most.",
    fr: "Pour la synchronisation : ce qui maintient votre session à la source, chiffré, jamais vos identifiants. Effacé dès que vous arrêtez, fermez votre compte, ou à la fin de la durée convenue : au plus 180 jours après votre connexion à la source.",
};

/// The rows that are kept on a disk, beyond a session.
const RECORDS: [&str; 2] = ["R05", "R14"];

/// The whole notice in one language.
pub(super) fn sections(facts: &Facts, language: Language) -> Vec<Section> {
    let always = [who(facts), what(facts, language), from_where(facts, language), how_long(facts), your_rights(facts)];
    facts
        .access
        .map(without_you)
        .into_iter()
        .chain(always)
        .map(|(title, lines)| Section {
            title: title.take(language),
            lines: lines.into_iter().map(|line| line.take(language)).collect(),
        })
        .collect()
}

type Draft = (Pair, Vec<Pair>);

/// Automatic synchronisation: what is other than when the person is there comes first.
fn without_you(terms: AccessTerms) -> Draft {
    let (times, days) = (terms.frequency_per_day(), terms.valid_days());
    let lines = vec![
        pair(
            format!("This is about what happens without you: up to {times} times in 24 hours, for {days} days."),
            format!(
                "Il s'agit de ce qui se passe sans vous : jusqu'à {times} fois en 24 heures, pendant {days} jours."
            ),
        ),
        pair(
            "Nobody is there to look, so there is no preview: all that you agreed to share is shared each time. Each time leaves a receipt in your account.",
            "Personne n'est là pour regarder : il n'y a donc pas d'aperçu, et tout ce que vous avez accepté de partager l'est à chaque fois. Chaque fois laisse un reçu dans votre compte.",
        ),
        pair(
            "Your sign-in details are not kept. When the Data Source asks for them, or for anything that only you can answer, nothing is tried any more until you come back.",
            "Vos identifiants ne sont pas gardés. Dès que la source les demande, ou pose une question à laquelle vous seul pouvez répondre, plus rien n'est tenté jusqu'à votre retour.",
        ),
        pair(
            "You can stop it in your account at any moment. What you shared yourself is not touched by that.",
            "Vous pouvez l'arrêter à tout moment dans votre compte. Ce que vous avez partagé vous-même n'en est pas touché.",
        ),
    ];
    (pair("Automatic synchronisation", "Synchronisation automatique"), lines)
}

fn who(facts: &Facts) -> Draft {
    let (name, operator) = (&facts.online_service.name, &facts.operator.name);
    let role = match facts.online_service.role {
        Role::Controller => pair(
            format!("{name} is responsible for this use of your data; {operator} acts on its behalf."),
            format!("{name} est responsable de cet usage de vos données ; {operator} agit pour son compte."),
        ),
        Role::Processor => pair(
            format!("{operator} is responsible for this use of your data."),
            format!("{operator} est responsable de cet usage de vos données."),
        ),
        Role::Joint => pair(
            format!("{name} and {operator} are jointly responsible for this use of your data."),
            format!("{name} et {operator} sont conjointement responsables de cet usage de vos données."),
        ),
    };
    let asks =
        pair(format!("{name} asks for it: {}", facts.why.en), format!("{name} vous le demande : {}", facts.why.fr));
    let mut lines = vec![asks, role];
    if let Some(identity) = &facts.online_service.identity {
        let Identity { legal_name, registered, address, country } = identity;
        let who = format!("{name}: {legal_name}, {registered}, {address} ({country}).");
        let qui = format!("{name} : {legal_name}, {registered}, {address} ({country}).");
        lines.push(pair(who, qui));
    }
    let only = pair(
        format!("It goes to {name} only, encrypted so that nobody else can read it on the way."),
        format!("Elles ne vont qu'à {name}, chiffrées de sorte que personne d'autre ne puisse les lire en route."),
    );
    (pair("Who asks, and why", "Qui demande, et pourquoi"), {
        lines.push(only);
        let helps = facts.processing.all().map(Processor::sentence);
        lines.extend(helps.map(|[en, fr]| pair(en, fr)));
        lines
    })
}

fn what(facts: &Facts, language: Language) -> Draft {
    let mut lines: Vec<Pair> =
        facts.asked.iter().map(|asked| data_line(asked.category, &asked.why.en, &asked.why.fr)).collect();
    for asked in &facts.predicates {
        let (name, fr_name) = (label(asked.category, Language::En), label(asked.category, Language::Fr));
        lines.push(pair(
            format!("Only yes or no, never the value: {} (we look at: {name}): {}", asked.predicate, asked.why.en),
            format!(
                "Seulement oui ou non, jamais la valeur : {} (nous regardons : {fr_name}) : {}",
                asked.predicate, asked.why.fr
            ),
        ));
    }
    if facts.asked.iter().any(|asked| asked.category.name() == "bank.transaction") {
        lines.push(match &facts.third_parties {
            Some(why) => pair(
                format!("Also what your transactions say of other people: {}", why.en),
                format!("Aussi ce que vos opérations disent d'autres personnes : {}", why.fr),
            ),
            None => pair(
                "What your transactions say of other people is cut out.",
                "Ce que vos opérations disent d'autres personnes est retiré.",
            ),
        });
    }
    if let Some(days) = facts.history_days {
        lines.push(pair(format!("Not older than {days} days."), format!("Pas plus vieux que {days} jours.")));
    }
    if !facts.not_there.is_empty() {
        let names: Vec<&str> = facts.not_there.iter().map(|category| label(*category, language)).collect();
        let names = names.join(", ");
        lines.push(pair(
            format!("Asked for, but not to be had from this source: {names}."),
            format!("Demandé, mais absent de cette source : {names}."),
        ));
    }
    if facts.access.is_none() {
        lines.push(pair(
            "You see everything before it is shared, and can leave out what you want.",
            "Vous voyez tout avant le partage et pouvez retirer ce que vous voulez.",
        ));
    }
    (pair("What is shared", "Ce qui est partagé"), lines)
}

/// Every field that a category can hold is named: a person agrees to data, not to headings.
fn data_line(category: Category, why_en: &str, why_fr: &str) -> Pair {
    let fields = |language| {
        let shown = category.row().fields.iter().filter(|field| !matches!(field.check, Check::Ref | Check::RefOf(_)));
        shown.map(|field| in_language(&field.label, language)).collect::<Vec<_>>().join(", ")
    };
    let (en, fr) = (Language::En, Language::Fr);
    pair(
        format!("{} ({}): {why_en}", label(category, en), fields(en)),
        format!("{} ({}) : {why_fr}", label(category, fr), fields(fr)),
    )
}

fn from_where(facts: &Facts, _language: Language) -> Draft {
    let source = &facts.source;
    let labels = |take: fn(&crate::online_service::Localised) -> &str| {
        facts.login.iter().map(take).collect::<Vec<_>>().join(", ")
    };
    let place = pair(
        format!("From {} ({}), where you have an account.", source.name, source.country),
        format!("De {} ({}), où vous avez un compte.", source.name, source.country),
    );
    let login = pair(
        format!(
            "You will be asked for: {}. They are encrypted before they leave your device and go to {} alone; the program that reads the pages (connector {} {}) never sees them.",
            labels(|text| &text.en),
            source.name,
            source.connector,
            source.version
        ),
        format!(
            "On vous demandera : {}. Ils sont chiffrés avant de quitter votre appareil et ne vont qu'à {} ; le programme qui lit les pages (connecteur {} {}) ne les voit jamais.",
            labels(|text| &text.fr),
            source.name,
            source.connector,
            source.version
        ),
    );
    let own = pair(
        "Use only an account that is yours or that you may use.",
        "N'utilisez qu'un compte qui est le vôtre ou que vous avez le droit d'utiliser.",
    );
    let lines = if facts.access.is_none() { vec![place, login, own] } else { vec![place] };
    (pair("Where it comes from", "D'où elles viennent"), lines)
}

fn how_long(facts: &Facts) -> Draft {
    let in_memory = facts.operator.in_memory;
    let said = KEPT.iter().filter(|(row, _)| !in_memory || !RECORDS.contains(row)).map(|(_, text)| text);
    let mut lines: Vec<Pair> = said
        .chain(in_memory.then_some(&IN_MEMORY))
        .chain(facts.access.map(|_| &SESSION_KEPT))
        .map(|text| pair(text.en, text.fr))
        .collect();
    let (name, days) = (&facts.online_service.name, facts.online_service.keep_days);
    lines.push(match days {
        0 => pair(
            format!("{name} hands on what it receives, and keeps nothing of it."),
            format!("{name} remet ce qu'il reçoit et n'en garde rien."),
        ),
        _ => pair(
            format!("{name} keeps what it receives for {days} days."),
            format!("{name} garde ce qu'il reçoit pendant {days} jours."),
        ),
    });
    (pair("How long", "Combien de temps"), lines)
}

fn your_rights(facts: &Facts) -> Draft {
    let lines = vec![
        pair(
            "You decide freely, and can say no. The legal basis is your consent.",
            "Vous décidez librement et pouvez refuser. La base légale est votre consentement.",
        ),
        pair(
            "You can take it back at any moment: what we hold is then erased, and nothing more is sent.",
            "Vous pouvez le retirer à tout moment : ce que nous détenons est alors effacé et plus rien n'est envoyé.",
        ),
        pair(
            "You have the right to access, rectify, erase, restrict, receive and object, and to complain to your data protection authority.",
            "Vous avez un droit d'accès, de rectification, d'effacement, de limitation, de portabilité et d'opposition, et celui de saisir votre autorité de protection des données.",
        ),
        pair(
            format!(
                "Write to {} ({}) or {} ({}).",
                facts.operator.name, facts.operator.contact, facts.online_service.name, facts.online_service.contact
            ),
            format!(
                "Écrivez à {} ({}) ou {} ({}).",
                facts.operator.name, facts.operator.contact, facts.online_service.name, facts.online_service.contact
            ),
        ),
    ];
    (pair("Your rights", "Vos droits"), lines)
}

fn label(category: Category, language: Language) -> &'static str {
    in_language(&category.row().label, language)
}

fn in_language(text: &Text, language: Language) -> &'static str {
    match language {
        Language::En => text.en,
        Language::Fr => text.fr,
    }
}
