//! Values of the configuration from the environment: `CONSENTRY__SECTION__KEY`, in upper case, `_` for `-`, two of them between a
//! section and a key. `CONSENTRY__API__LISTEN` is `listen` of `[api]`. A value is read as TOML where it is TOML (`true`, `12`, `["a"]`,
//! `"12"`), else as a text. It takes the place of the file's; a key that no section has is refused, as in the file. Lists of sections (`[[source]]`,
//! …) stand in the file alone.

use toml::{Table, Value};

/// What the names of these variables begin with.
const PREFIX: &str = "CONSENTRY__";

/// The variables of this process that are values of the configuration.
pub(super) fn of_this_process() -> Vec<(String, String)> {
    // The one other place where the environment is read is `clap`, for options of the command line.
    let named =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut all: Vec<_> = named.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    all.sort();
    all
}

/// Puts values into a configuration.
///
/// # Errors
/// The variable that leads nowhere.
pub(super) fn apply(table: &mut Table, variables: &[(String, String)]) -> Result<(), String> {
    for (name, text) in variables {
        let path: Vec<String> =
            name[PREFIX.len()..].split("__").map(|part| part.to_ascii_lowercase().replace('_', "-")).collect();
        let [sections @ .., key] = path.as_slice() else { return Err(name.clone()) };
        if sections.is_empty() || path.iter().any(String::is_empty) {
            return Err(name.clone());
        }
        let mut at = &mut *table;
        for section in sections {
            let next = at.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            at = next.as_table_mut().ok_or_else(|| name.clone())?;
        }
        at.insert(key.clone(), read(text));
    }
    Ok(())
}

fn read(text: &str) -> Value {
    let parsed: Option<Value> = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| {
        // More than one value is a text with a line end in it.
        if table.len() == 1 { table.remove("value") } else { None }
    });
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    const EXAMPLE: &str = include_str!("../../consentry.example.toml");

    fn with(variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::parse_with(EXAMPLE, &variables).map_err(|error| crate::causes::chain(&error))
    }

    #[test]
    fn a_variable_takes_the_place_of_the_files_value() {
        let config = with(&[
            ("CONSENTRY__API__LISTEN", "127.0.0.1:9000"),
            ("CONSENTRY__ENGINE__NODE", "node-7"),
            ("CONSENTRY__ENGINE__DEVELOPMENT", "true"),
            ("CONSENTRY__SANDBOX__CONCURRENT_RUNS_MAX", "7"),
            ("CONSENTRY__HOSTING__HOSTS", "[\"a.example\", \"b.example\"]"),
            ("CONSENTRY__BROWSER__QUEUE_SECONDS", "5"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.api.listen.port(), 9000);
        assert_eq!((config.engine.node.as_str(), config.engine.development), ("node-7", true));
        assert_eq!(config.sandbox.concurrent_runs_max, 7);
        assert_eq!(config.hosting.hosts.len(), 2);
        // A number that is meant as a text is quoted, as in the file.
        assert_eq!(with(&[("CONSENTRY__ENGINE__NODE", "\"12\"")]).unwrap().engine.node, "12");
        assert!(with(&[("CONSENTRY__ENGINE__NODE", "12")]).is_err());
    }

    #[test]
    fn a_variable_that_leads_nowhere_is_refused_by_its_name_or_key() {
        for (name, told) in [
            ("CONSENTRY__API__LISTN", "listn"),
            ("CONSENTRY__APPI__LISTEN", "appi"),
            ("CONSENTRY__LISTEN", "CONSENTRY__LISTEN"),
            ("CONSENTRY__API__", "CONSENTRY__API__"),
            ("CONSENTRY__SOURCE__VERSION", "CONSENTRY__SOURCE__VERSION"),
            ("CONSENTRY__ENGINE__NODE__NAME", "CONSENTRY__ENGINE__NODE__NAME"),
        ] {
            let error = with(&[(name, "x")]).unwrap_err();
            assert!(error.contains(told), "{name}: {error}");
        }
    }

    #[test]
    fn what_looks_like_two_values_is_one_text() {
        assert_eq!(read("1\nother = 2"), Value::String("1\nother = 2".to_owned()));
        assert_eq!(read("2026 and more"), Value::String("2026 and more".to_owned()));
    }
}
