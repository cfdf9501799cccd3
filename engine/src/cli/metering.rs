//! `consentry metering`: what Online Services are invoiced for, on the data folder of a node that is not running. A node that runs tells
//! each Online Service its own counts over HTTP.

use std::io::Write;
use std::process::ExitCode;

use comfy_table::Table;

use super::{ConfigFile, rights};
use crate::id::OnlineServiceId;
use crate::operator::Deed;

/// Whose counts.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Of one Online Service only.
    #[arg(long, value_name = "ID")]
    online_service: Option<OnlineServiceId>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let engine = rights::engine(&options.file, Deed::MeteringLook, None).await?;
    let months = engine.metered(options.online_service).await?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&months)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.set_header(["month", "Online Service", "delivered", "withdrawn", "undelivered", "settled"]);
    for told in months {
        let (counts, settled) = (told.counts, if told.settled { "yes" } else { "not yet" });
        let name = engine.online_service(counts.online_service).map(|service| service.name().to_owned());
        let numbers = [counts.delivered, counts.withdrawn, counts.undelivered].map(|count| count.to_string());
        let mut row = vec![counts.month.to_string(), name.unwrap_or_else(|| counts.online_service.to_string())];
        row.extend(numbers);
        row.push(settled.to_owned());
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(ExitCode::SUCCESS)
}
