//! Questions to the person at the terminal, answered from flags where there are any.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use super::hidden;
use super::interrupt::Interrupt;
use crate::consent::notice::Language;
use crate::secret_file;

/// Where answers come from: flags first, then the terminal, if somebody may be asked.
pub(super) struct Terminal {
    given: VecDeque<(String, Zeroizing<Vec<u8>>)>,
    /// Nobody may be asked.
    unattended: bool,
    language: Language,
    interrupt: Interrupt,
}

impl Terminal {
    /// Answers from flags. `unattended` forbids to ask; without a terminal nobody can be asked either.
    pub(super) fn new(
        fields: &[Given],
        files: &[FromFile],
        unattended: bool,
        language: Language,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        let mut given = VecDeque::new();
        for Given { name, value } in fields {
            given.push_back((name.clone(), value.clone()));
        }
        for file in files {
            given.push_back((file.name.clone(), file.read()?));
        }
        Ok(Self { given, unattended: unattended || !std::io::stdin().is_terminal(), language, interrupt })
    }

    /// The next answer for a name: from a flag, used once, or from the person.
    pub(super) fn answer(&mut self, name: &str, label: &str, hidden: bool) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        if let Some(value) = self.take(name) {
            return Ok(value);
        }
        if self.unattended {
            bail!("{label}: nobody can be asked here; give it with --field {name}=… or --answer {name}=…");
        }
        if hidden {
            let hidden = self.either("hidden", "masqué");
            return hidden::read(&format!("{label} ({hidden}): "), &self.interrupt);
        }
        Ok(Zeroizing::new(self.read_line(&format!("{label}: "))?.into_bytes()))
    }

    /// Takes what a flag gave for a name.
    pub(super) fn take(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let at = self.given.iter().position(|(given, _)| given == name)?;
        self.given.remove(at).map(|(_, value)| value)
    }

    /// The names of what was given and not asked for.
    pub(super) fn left(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the person can be asked.
    pub(super) fn attended(&self) -> bool {
        !self.unattended
    }

    /// Yes or no. Nobody to ask is an error, never a yes.
    pub(super) fn confirm(&self, question: &str) -> anyhow::Result<bool> {
        if self.unattended {
            bail!("{question} Nobody can be asked here; --yes says yes to everything shown");
        }
        let answer = self.read_line(&format!("{question} {} ", self.either("[y/N]", "[o/N]")))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "o" | "oui"))
    }

    /// One of several, by its number.
    pub(super) fn choose(&self, question: &str, options: &[String]) -> anyhow::Result<usize> {
        if let [_] = options {
            return Ok(0);
        }
        if self.unattended {
            bail!("{question} Nobody can be asked here; choose with --connector and --source");
        }
        for (at, option) in options.iter().enumerate() {
            eprintln!("  {}  {option}", at + 1);
        }
        loop {
            let number = self.read_line(&format!("{question} [1-{}] ", options.len()))?;
            match number.trim().parse::<usize>() {
                Ok(number) if (1..=options.len()).contains(&number) => return Ok(number - 1),
                _ => eprintln!("{} {}", self.either("please, from 1 to", "s'il vous plaît, de 1 à"), options.len()),
            }
        }
    }

    fn read_line(&self, prompt: &str) -> anyhow::Result<String> {
        eprint!("{prompt}");
        std::io::stderr().flush()?;
        // A terminal hands lines over one by one, so nothing waits in a buffer of ours.
        self.interrupt.until_input()?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line)? == 0 {
            bail!("the input ended");
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }

    fn either(&self, en: &'static str, fr: &'static str) -> &'static str {
        match self.language {
            Language::En => en,
            Language::Fr => fr,
        }
    }
}

/// `NAME=VALUE` on the command line. Others on this machine may see it: for tests, not for real logins.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) name: String,
    value: Zeroizing<Vec<u8>>,
}

impl std::str::FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: Zeroizing::new(value.as_bytes().to_vec()) })
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

/// `NAME=FILE` on the command line.
#[derive(Debug, Clone)]
pub(super) struct FromFile {
    pub(super) name: String,
    path: PathBuf,
}

impl FromFile {
    /// What the file holds, without the one line end that an editor leaves.
    pub(super) fn read(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        secret_file::read_line(&self.path).with_context(|| format!("{} can't be read", self.path.display()))
    }
}

impl std::str::FromStr for FromFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once('=').ok_or("write NAME=FILE")?;
        Ok(Self { name: name.to_owned(), path: PathBuf::from(path) })
    }
}
