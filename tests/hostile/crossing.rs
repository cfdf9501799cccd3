//! Getting at another person's collection: what an earlier run left in memory, in the cookie jar, in the pool, in the cache of compiled code.

use consentry_tests::echoing::{Answer, EchoSite, Sent};

use crate::suite::{Attack, Came, Coming, Defence, ENDED, HONEST, Off, Ran, Run, Verdict, World, probe};
use crate::{cache, pool};

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "looks-for-an-earlier-run", tries: "looks in its own variables for what it kept there in the run before", stopped_by: "a fresh instance for each run", verdict: Verdict::Nothing, off: Off::By("it looks again in the same run", HONEST), run: Run::Story(|world, defence| earlier(world, defence, |line| !line.contains("found 0 "))) },
    Attack { name: "looks-for-anothers-cookies", tries: "looks for a session that another run opened at the same site", stopped_by: "a cookie jar for each run", verdict: Verdict::Nothing, off: Off::By("it looks again in the same run", HONEST), run: Run::Story(|world, defence| earlier(world, defence, |line| line.ends_with(" true"))) },
    Attack { name: "searches-the-slot-of-another", tries: "searches memory, table and globals of the pool's one slot for what the run before filled them with", stopped_by: "what a run leaves is given back or overwritten", verdict: Verdict::Told(ENDED), off: Off::By("the same run has filled them: it finds that, and crashes for joy", "trap"), run: Run::Story(searches) },
    Attack { name: "plants-compiled-code", tries: "puts machine code of its own into the cache, under the name of a connector", stopped_by: "only code with this engine's tag is loaded", verdict: Verdict::Told("compiled again"), off: Off::By("the engine that wrote it has the same key", "loaded"), run: Run::Story(plants) },
    Attack { name: "keeps-a-note", tries: "keeps a note for the next run, whether its manifest asks for that or not", stopped_by: "capabilities are granted one by one, and no run here has the consent for this one, whatever the manifest says", verdict: Verdict::Refused("capability-denied", "no consent for automatic synchronisation"), off: Off::Shown("what it keeps in its own memory is there later in the same run", HONEST), run: Run::Story(notes) },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_on_another_person_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

fn sets_a_cookie(_: &Sent) -> Answer {
    Answer { headers: vec![("set-cookie", "sid=4f9a8b7c6d5e; Path=/".to_owned())], ..Answer::default() }
}

/// Three runs, one after the other, each of which leaves what it can.
fn earlier(world: &mut World, defence: Defence, found: fn(&str) -> bool) -> Coming<'_> {
    Box::pin(async move {
        let site = EchoSite::start(sets_a_cookie).await.unwrap();
        let (mut harm, mut last): (bool, Option<Ran>) = (false, None);
        for _ in 0..3 {
            let ran = world.run(probe("looks-for-earlier-runs", &site.url).aim(defence.pick("", "again"))).await;
            assert!(!ran.lines.is_empty(), "it was to look");
            harm |= ran.lines.iter().any(|line| found(line));
            last = Some(ran);
        }
        last.unwrap().came(harm)
    })
}

fn searches(_: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let collector = pool::pool_of_one(0);
        pool::ran(&collector, pool::fills("")).await;
        let filled = "(memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 65536))";
        let told = pool::ran(&collector, pool::searches(defence.pick("", filled))).await;
        Came { harm: told == "trap", told, said: String::new() }
    })
}

fn plants(_: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let another = [2; 32];
        let compiled = cache::compiles_after(defence.pick(another, cache::KEY), |_| {});
        let told = if compiled { "compiled again" } else { "loaded" };
        Came { harm: !compiled, told: told.to_owned(), said: String::new() }
    })
}

fn keeps<'w>(world: &'w mut World, mode: &'static str, aim: &'static str, declared: bool) -> Coming<'w> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let keeps = probe(mode, &bank.site_url).aim(aim);
        let granted = "\"http\", \"prompt\", \"session-state\"";
        let ran = world.run(keeps.manifest(declared, "\"http\", \"prompt\"", granted)).await;
        let harm = ran.said().contains("found Some(\"read of Marie\")");
        ran.came(harm)
    })
}

fn notes(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let aim = defence.pick("", "memory");
        let unasked = keeps(world, "keeps-a-note", aim, false).await;
        let line = r#"capabilities = ["session-state"]"#;
        if defence == Defence::On && (unasked.told != "capability-denied" || !unasked.said.contains(line)) {
            return Came { harm: true, ..unasked };
        }
        keeps(world, "keeps-a-note", aim, true).await
    })
}

/// A secret of the person's, for a run that they do not know of.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_kept_for_a_later_run_where_the_manifest_asks_for_it() {
    let came = keeps(&mut World::new(), "keeps-a-secret", "", true).await;
    assert_eq!(came.told, "capability-denied", "{}", came.said);
    assert!(came.said.contains("no consent for automatic synchronisation"), "{}", came.said);
}
