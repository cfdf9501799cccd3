//! Who looks at the reports of a node: whoever may use its data folder, or an operator who shows a key and sees what that operator may.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::audit::{noted, noted_by};
use crate::cli::{ConfigFile, setup};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::maintenance::reports::{Reports, View};
use crate::operator::audit::{About, Actor};
use crate::operator::{Deed, Operators, Sight};
use crate::secret_file;
use crate::store::Shelves;

/// Who looks, and at which node.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Who {
    #[command(flatten)]
    file: ConfigFile,
    /// A file with an operator's key: acts as that operator, who sees and does no more than their roles say. An author sees breaks of the
    /// connectors that they signed.
    #[arg(long, value_name = "FILE")]
    operator_key_file: Option<PathBuf>,
}

/// The reports of a node, and how much of them is seen.
pub(super) struct Desk {
    reports: Reports,
    sight: Sight,
}

impl Desk {
    pub(super) fn view(&self) -> View<'_> {
        self.reports.seen_by(self.sight.clone())
    }
}

impl Who {
    /// Opens the node's store for this deed, which is noted before.
    pub(super) async fn comes(&self, deed: Deed, about: Option<&str>) -> anyhow::Result<Desk> {
        let config = Config::read(&self.file.config)?;
        let entropy = Arc::new(Entropy::system());
        let operator = match &self.operator_key_file {
            None => None,
            Some(path) => {
                let told = || format!("{} can't be used as the file of an operator's key", path.display());
                let key = secret_file::read_private_line(path).with_context(told)?;
                let key = std::str::from_utf8(&key).with_context(told)?;
                let operators = Operators::new(config.operator_key.clone(), entropy.clone());
                let operator = operators.known(key).context("no operator of the configuration has this key")?;
                operator.check(deed)?;
                Some(operator)
            }
        };
        let keys = setup::keys(&config)?;
        let shelves = Shelves::sled(&config.engine.data_folder, keys, entropy.clone(), Arc::new(SystemClock)).await;
        let shelves =
            shelves.context("the store can't be opened; an engine that runs has it alone: use its console")?;
        let about = about.map(About::of);
        let sight = match operator {
            None => {
                noted(&config, deed, about)?;
                Sight::Node
            }
            Some(operator) => {
                noted_by(Actor::Operator(operator.id()), &config, deed, about)?;
                operator.sight()
            }
        };
        Ok(Desk { reports: Reports::new(&shelves, entropy), sight })
    }
}
