//! The table of `SECURITY.md` is this one: written from the code, and compared with it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::suite::{Attack, Off, Theme};
use crate::{browsing, crossing, escaping, lying, reading, remaining, starving};

const BEGIN: &str = "<!-- attacks: written by `cargo test --test hostile -- --ignored write` -->\n";
const END: &str = "<!-- end of attacks -->\n";

fn themes() -> [(Theme, &'static str, &'static [Attack]); 6] {
    [
        (Theme::Reading, "Reading secrets", reading::ATTACKS),
        (Theme::Reading, "Reading secrets in a browser", browsing::ATTACKS),
        (Theme::Escaping, "Escaping", escaping::ATTACKS),
        (Theme::Starving, "Starving others", starving::ATTACKS),
        (Theme::Crossing, "Reaching another person's run", crossing::ATTACKS),
        (Theme::Lying, "Lying", lying::ATTACKS),
    ]
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn table() -> String {
    let mut text = BEGIN.to_owned();
    for (_, title, attacks) in themes() {
        text += &format!(
            "\n### {title}\n\n| attack | a connector or site … | is stopped by | verdict | and succeeds where |\n|---|---|---|---|---|\n"
        );
        for attack in attacks {
            let off = match attack.off {
                Off::By(how, _) => how.to_owned(),
                Off::Shown(how, _) => format!("(has no switch) {how}"),
                Off::Never(why) => format!("(not shown: {why})"),
            };
            let cells = [attack.tries, attack.stopped_by, &attack.verdict.shown(), &off].map(cell).join(" | ");
            text += &format!("| `{}` | {cells} |\n", attack.name);
        }
    }
    text +=
        "\n### What attacks still get\n\n| attack | a connector or site … | the risk that remains |\n|---|---|---|\n";
    for attack in remaining::ATTACKS {
        text += &format!("| `{}` | {} | {} |\n", attack.name, cell(attack.tries), cell(attack.risk));
    }
    text + "\n" + END
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../SECURITY.md")
}

/// What stands before, between and behind the marks.
fn parts(text: &str) -> [String; 3] {
    let begin = text.find(BEGIN).expect("SECURITY.md has the place");
    let end = text.find(END).expect("SECURITY.md has the place") + END.len();
    [&text[..begin], &text[begin..end], &text[end..]].map(str::to_owned)
}

#[test]
fn security_md_lists_every_attack_as_it_is_run() {
    let [_, found, _] = parts(&std::fs::read_to_string(path()).unwrap());
    let expected = table();
    let wrong: Vec<_> = found.lines().zip(expected.lines()).filter(|(found, expected)| found != expected).collect();
    assert!(found == expected, "write it anew: cargo test --test hostile -- --ignored write\n{wrong:#?}");
}

#[test]
#[ignore = "writes SECURITY.md"]
fn write_the_table() {
    let [before, _, behind] = parts(&std::fs::read_to_string(path()).unwrap());
    std::fs::write(path(), before + &table() + &behind).unwrap();
}

#[test]
fn attacks_are_many_have_names_of_their_own_and_nearly_all_have_been_seen_to_succeed() {
    let all: Vec<&Attack> = themes().iter().flat_map(|(_, _, attacks)| attacks.iter()).collect();
    let names: BTreeSet<_> = all.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() >= 40, "{}", all.len());
    let never: Vec<_> =
        all.iter().filter(|attack| matches!(attack.off, Off::Never(_))).map(|attack| attack.name).collect();
    assert_eq!(never, ["spins-beside-others", "forges-a-line-of-the-log"]);
    let without_a_switch: Vec<_> =
        all.iter().filter(|attack| !matches!(attack.off, Off::By(..))).map(|attack| attack.name).collect();
    let told = format!("{} of these {} attacks have no switch", without_a_switch.len(), all.len());
    let told_is_true = std::fs::read_to_string(path()).unwrap().contains(&told);
    assert!(told_is_true, "SECURITY.md has to say: {told}: {without_a_switch:?}");
    assert!(without_a_switch.len() * 8 < all.len(), "{told}: {without_a_switch:?}");
}
