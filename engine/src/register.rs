//! The record of processing activities (GDPR, Art. 30), compiled from what the software does: the operator's configuration, the
//! registrations of Online Services, the connectors and the retention table. Nobody writes it by hand, so it can't be out of date.

use std::fmt::Write as _;

use serde::Serialize;

use crate::consent::notice::Operator;
use crate::erase::retention::{Period, Row, TABLE};
use crate::online_service::necessity::Need;
use crate::online_service::{Identity, OnlineService, Role};
use crate::processing::Processing;

/// The whole record.
#[derive(Debug, Clone, Serialize)]
pub struct Register {
    /// Who keeps it.
    pub operator: Operator,
    /// Where data is processed, by whom, under which policy.
    pub processing: Processing,
    /// What each Online Service does with data.
    pub activities: Vec<Activity>,
    /// Where data comes from.
    pub sources: Vec<SourceLine>,
    /// What is kept here, why, on what basis, for how long.
    pub retention: Vec<RetentionLine>,
    /// What protects it.
    pub measures: Vec<&'static str>,
}

/// One purpose of one Online Service.
#[derive(Debug, Clone, Serialize)]
pub struct Activity {
    /// The Online Service.
    pub online_service: String,
    /// Who it is in law.
    pub identity: Option<Identity>,
    /// Where it is reached.
    pub contact: String,
    /// Its role, and ours.
    pub role: Role,
    /// What each of us is in the words of the GDPR.
    pub roles: &'static str,
    /// When it signed the code of trust, and who did.
    pub commitments: Option<String>,
    /// The purpose.
    pub purpose: String,
    /// Why.
    pub why: String,
    /// What it needs to know.
    pub needs: Vec<Need>,
    /// Each category of data, and why.
    pub categories: Vec<(String, String)>,
    /// How long it keeps what it receives, in days.
    pub keep_days: u16,
    /// The most history, in days.
    pub history_days_max: Option<u16>,
}

/// A Data Source.
#[derive(Debug, Clone, Serialize)]
pub struct SourceLine {
    /// Its name.
    pub name: String,
    /// Its country.
    pub country: String,
    /// The connector that reads it.
    pub connector: String,
    /// What it can give.
    pub categories: Vec<String>,
}

/// A row of the retention table.
#[derive(Debug, Clone, Serialize)]
pub struct RetentionLine {
    /// The row.
    pub row: &'static str,
    /// What is kept.
    pub categories: &'static [&'static str],
    /// Why.
    pub purpose: &'static str,
    /// On what basis.
    pub basis: &'static [&'static str],
    /// How long, in words.
    pub period: String,
    /// Where the period comes from.
    pub source: &'static str,
}

/// What protects data, as the software has it.
const MEASURES: [&str; 5] = [
    "Logins are encrypted in the browser to an RSA-4096 key and opened for the one request that carries them.",
    "Connectors run in a sandbox without network, files or environment of their own and hold handles, never values.",
    "Shareable Data is in memory only; parcels are signed, and encrypted to the Online Service's RSA-4096 key.",
    "Every stored record is sealed under a key of its own; erasure destroys that key.",
    "Every consent, use of a login, release and erasure has a salted leaf in a public transparency log.",
];

impl Register {
    /// Compiles the record.
    pub fn compile<'a>(
        operator: &Operator,
        services: impl Iterator<Item = &'a OnlineService>,
        sources: Vec<SourceLine>,
    ) -> Self {
        Self {
            operator: operator.clone(),
            processing: operator.processing.clone(),
            activities: services.flat_map(activities).collect(),
            sources,
            retention: TABLE.iter().copied().map(line).collect(),
            measures: MEASURES.to_vec(),
        }
    }

    /// The record for people.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "# Record of processing activities\n\nKept by {} ({}), under the privacy policy {}.\n",
            self.operator.name, self.operator.contact, self.processing.policy
        );
        self.write_processors(&mut text);
        for activity in &self.activities {
            activity.write(&mut text);
        }
        text.push_str("\n## Data Sources\n\n| source | country | connector | categories |\n|---|---|---|---|\n");
        for SourceLine { name, country, connector, categories } in &self.sources {
            let _ = writeln!(text, "| {name} | {country} | {connector} | {} |", categories.join(", "));
        }
        text.push_str(
            "\n## What is kept here\n\n| row | what | why | basis | how long | from |\n|---|---|---|---|---|---|\n",
        );
        for RetentionLine { row, categories, purpose, basis, period, source } in &self.retention {
            let (what, basis) = (categories.join(", "), basis.join(", "));
            let _ = writeln!(text, "| {row} | {what} | {purpose} | {basis} | {period} | {source} |");
        }
        text.push_str("\n## Measures\n\n");
        for measure in &self.measures {
            let _ = writeln!(text, "- {measure}");
        }
        text
    }

    fn write_processors(&self, text: &mut String) {
        text.push_str(
            "\n## Who works for the operator\n\n| who | task | data | country | protection |\n|---|---|---|---|---|\n",
        );
        for each in self.processing.all() {
            let transfer = serde_json::to_value(each.transfer).unwrap_or_default();
            let transfer = transfer.as_str().unwrap_or_default();
            let (task, data) = (&each.purpose.en, &each.data.en);
            let _ = writeln!(text, "| {} | {task} | {data} | {} | {transfer} |", each.name, each.country);
        }
    }
}

impl Activity {
    fn write(&self, text: &mut String) {
        let Self { online_service, contact, roles, purpose, why, keep_days, .. } = self;
        let _ =
            writeln!(text, "\n## {online_service}: {purpose}\n\n- Why: {why}\n- Roles: {roles}\n- Contact: {contact}");
        if let Some(Identity { legal_name, registered, address, country }) = &self.identity {
            let _ = writeln!(text, "- In law: {legal_name}, {registered}, {address} ({country})");
        }
        if let Some(signed) = &self.commitments {
            let _ = writeln!(text, "- Code of trust: {signed}");
        }
        let _ = writeln!(text, "- Basis: the person's consent (Art. 6(1)(a))\n- Kept by it: {keep_days} days");
        if let Some(days) = self.history_days_max {
            let _ = writeln!(text, "- History: {days} days at most");
        }
        text.push_str("\n| category | necessary |\n|---|---|\n");
        for (category, why) in &self.categories {
            let _ = writeln!(text, "| {category} | {why} |");
        }
    }
}

fn activities(service: &OnlineService) -> Vec<Activity> {
    let partner = service.partner();
    let signed = partner.commitment.as_ref().map(|signed| format!("signed by {} at {}", signed.by(), signed.at()));
    let activity = |(id, purpose): (&String, &crate::online_service::Purpose)| Activity {
        online_service: service.name().to_owned(),
        identity: partner.identity.clone(),
        contact: service.contact().to_owned(),
        role: service.role(),
        roles: roles(service.role()),
        commitments: signed.clone(),
        purpose: id.clone(),
        why: purpose.why.en.clone(),
        needs: purpose.needs.iter().copied().collect(),
        categories: purpose.categories.iter().map(|(name, why)| (name.to_string(), why.en.clone())).collect(),
        keep_days: purpose.keep_days,
        history_days_max: purpose.history_days_max,
    };
    service.purposes().iter().map(activity).collect()
}

/// Who is what.
pub fn roles(role: Role) -> &'static str {
    match role {
        Role::Controller => "the Online Service is controller, the operator its processor (Art. 30(2))",
        Role::Processor => "the operator is controller, the Online Service its recipient (Art. 30(1))",
        Role::Joint => "both are joint controllers (Art. 26, 30(1))",
    }
}

fn line(row: &'static Row) -> RetentionLine {
    let words = |period: Option<Period>| match period {
        None => "for ever".to_owned(),
        Some(Period::Months(months)) => format!("{months} months"),
        Some(Period::Seconds(0)) => "no time".to_owned(),
        Some(Period::Seconds(seconds)) if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        Some(Period::Seconds(seconds)) if seconds % 3600 == 0 => format!("{} hours", seconds / 3600),
        Some(Period::Seconds(seconds)) => format!("{} minutes", seconds / 60),
    };
    let (after, most) = (row.triggers.join(" or "), words(row.cap));
    RetentionLine {
        row: row.id,
        categories: row.categories,
        purpose: row.purpose,
        basis: row.basis,
        period: format!("{} after {after}, at most {most}", words(row.period)),
        source: row.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{lender, operator};

    #[test]
    fn the_record_names_every_purpose_every_role_and_every_period() {
        let service = lender();
        let source = SourceLine {
            name: "Sample Bank".to_owned(),
            country: "FR".to_owned(),
            connector: "sample-bank 0.1.0".to_owned(),
            categories: vec!["bank.account".to_owned()],
        };
        let register = Register::compile(&operator(), [&service].into_iter(), vec![source]);
        let text = register.to_markdown();
        for words in [
            "Example Operator (privacy@operator.example)",
            "## Example Lettings: tenant-check",
            "the Online Service is controller, the operator its processor",
            "Code of trust: signed by Ada Martin",
            "Kept by it: 90 days",
            "| bank.transaction | to see the income. |",
            "| Sample Bank | FR | sample-bank 0.1.0 | bank.account |",
            "13 months after transaction.date, at most 13 months",
            "3 days after identity.collected",
            "RSA-4096",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(TABLE.iter().all(|row| text.contains(&format!("| {} |", row.id))));
        assert_eq!(serde_json::to_value(&register).unwrap()["activities"][0]["role"], "controller");
    }
}
