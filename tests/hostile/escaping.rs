//! Getting out of the sandbox: by what is imported, by memory, tables and the stack, by what crosses the border in the wrong form, and by
//! files that nobody trusted has signed.

use consentry::collect::package::Package;
use consentry::collect::signature::{SigningKey, Trust, unsigned};
use consentry_contract::limits::LimitName;
use consentry_tests::collecting::{Collecting, connector_path, trust};
use consentry_tests::versions::changed;

use crate::raw::Place;
use crate::suite::{Attack, Came, Coming, Defence, ENDED, HONEST, Off, PASSWORD, Run, Verdict, World};

/// What wasmtime stops can't be switched off: the same guest with a value that is legal comes past the same instruction.
const LEGAL: Off = Off::By("the value is a legal one", ENDED);
const WASM: &str = "wasm's own checks";
const BORDER: &str = "the checks of the component model, where a value crosses the border";

const fn edge(
    name: &'static str,
    tries: &'static str,
    stopped_by: &'static str,
    place: Place,
    [edge, legal]: [&'static str; 2],
) -> Attack {
    Attack { name, tries, stopped_by, verdict: Verdict::Trap, off: LEGAL, run: Run::Edge { place, edge, legal } }
}

const fn import(name: &'static str, tries: &'static str, edge: &'static str, text: &'static str) -> Attack {
    let run = Run::Edge { place: Place::Import, edge, legal: "consentry:connector/clock@0.1.1" };
    let off = Off::By("the import has the name of a capability", ENDED);
    Attack {
        name,
        tries,
        stopped_by: "imports are read before anything is compiled",
        verdict: Verdict::NotLoaded(text),
        off,
        run,
    }
}

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    import("imports-a-system-interface", "imports a clock of WASI", "wasi:clocks/monotonic-clk@0.2.0", "imports `wasi:clocks/monotonic-clk@0.2.0`, which is no capability"),
    import("imports-an-interface-of-its-own", "imports `files`, which the contract does not have", "consentry:connector/files@0.1.0", "imports `consentry:connector/files@0.1.0`, which is no capability"),
    import("imports-another-contract", "is built for a contract that this host does not serve", "consentry:connector/clock@0.9.0", "this host serves version 0.1"),
    Attack { verdict: Verdict::Told("incompatible-world"), off: Off::By("the function has the name that the contract gives it", ENDED), ..edge("imports-an-unknown-function", "imports a function that a capability does not have", "linking against the contract and nothing else", Place::Function, ["uuie", "uuid"]) },
    Attack { name: "is-signed-by-nobody", tries: "stands in the folder without a signature", stopped_by: "the signature is checked before anything else is read", verdict: Verdict::NotLoaded("it is not signed"), off: Off::By("development mode allows unsigned ones", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Unsigned)) },
    Attack { name: "was-changed-after-it-was-signed", tries: "has one more use of the password written into its signed manifest", stopped_by: "the signature is over the whole file", verdict: Verdict::NotLoaded("it was changed after it was signed"), off: Off::By("development mode allows unsigned ones", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Changed)) },
    Attack { name: "is-signed-by-a-stranger", tries: "is signed with a key that the operator does not know", stopped_by: "only trusted keys count", verdict: Verdict::NotLoaded("which is not trusted here"), off: Off::By("the operator trusts that key", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Stranger)) },
    edge("reads-outside-its-memory", "reads behind the last byte of its memory", WASM, Place::Body, ["(drop (i32.load (i32.const 65536)))", "(drop (i32.load (i32.const 65532)))"]),
    edge("writes-below-its-memory", "writes before the first byte of its memory", WASM, Place::Body, ["(i32.store (i32.const -4) (i32.const 1))", "(i32.store (i32.const 4) (i32.const 1))"]),
    edge("calls-beyond-its-table", "calls what stands behind its table", WASM, Place::Body, ["(call_indirect $table (type $plain) (i32.const 2))", "(call_indirect $table (type $plain) (i32.const 0))"]),
    edge("calls-as-another-type", "calls a function as one of another type", WASM, Place::Body, ["(call_indirect $table (type $plain) (i32.const 1))", "(call_indirect $table (type $plain) (i32.const 0))"]),
    Attack { verdict: Verdict::Limit(LimitName::Stack), ..edge("overflows-its-stack", "calls itself without end", "a stack of its own, bounded", Place::Body, ["(call $deep (i32.const 10000000))", "(call $deep (i32.const 100))"]) },
    edge("traps-on-purpose", "runs into `unreachable`, for the host to fall over it", "a trap ends the run and nothing else", Place::Body, ["(unreachable)", "(nop)"]),
    Attack { name: "tells-by-a-panic", tries: "panics with a value as its message", stopped_by: "of a crash only functions are named", verdict: Verdict::Trap, off: Off::By("it writes the value to the log, which a development run shows", HONEST), run: Run::Story(tells_by_a_panic) },
    edge("passes-text-out-of-bounds", "hands over a text that ends behind its memory", BORDER, Place::Body, ["(call $log (i32.const 1024) (i32.const 4) (i32.const 65530) (i32.const 100))", "(call $log (i32.const 1024) (i32.const 4) (i32.const 65530) (i32.const 4))"]),
    edge("passes-4-gib-of-text", "hands over a text of 4 GiB", BORDER, Place::Body, ["(call $log (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const -1))", "(call $log (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))"]),
    edge("passes-a-list-that-overflows", "hands over a list whose size in bytes wraps around", BORDER, Place::Body, ["(call $join (i32.const 1056) (i32.const 0x10000001) (i32.const 2048))", "(call $join (i32.const 1056) (i32.const 1) (i32.const 2048))"]),
    edge("passes-an-unaligned-list", "hands over a list at an odd address", BORDER, Place::Body, ["(call $join (i32.const 1057) (i32.const 1) (i32.const 2048))", "(call $join (i32.const 1056) (i32.const 1) (i32.const 2048))"]),
    edge("passes-broken-text", "hands over a text that is no UTF-8", BORDER, Place::Body, ["(i32.store8 (i32.const 1040) (i32.const 255)) (call $past) (i32.store8 (i32.const 1040) (i32.const 112))", "(i32.store8 (i32.const 1040) (i32.const 112)) (call $past)"]),
    edge("passes-a-case-that-is-not", "hands over a piece that is neither text, bytes nor secret", BORDER, Place::Body, ["(i32.store8 (i32.const 1056) (i32.const 3)) (call $join (i32.const 1056) (i32.const 1) (i32.const 2048))", "(i32.store8 (i32.const 1056) (i32.const 0)) (call $join (i32.const 1056) (i32.const 1) (i32.const 2048))"]),
    Attack { off: Off::By("the value is a legal one; its category is refused", "capability-denied"), ..edge("passes-a-value-that-is-not", "emits a value of a kind that does not exist", BORDER, Place::Body, ["(i32.store8 (i32.const 1096) (i32.const 7)) (call $emit (i32.const 1040) (i32.const 4) (i32.const 1088) (i32.const 1) (i32.const 2048))", "(i32.store8 (i32.const 1096) (i32.const 5)) (call $emit (i32.const 1040) (i32.const 4) (i32.const 1088) (i32.const 1) (i32.const 2048))"]) },
    edge("takes-answers-outside", "has an answer written behind its memory", BORDER, Place::Body, ["(call $source (i32.const 65532))", "(call $source (i32.const 65528))"]),
    edge("takes-answers-at-an-odd-address", "has an answer written to an odd address", BORDER, Place::Body, ["(call $source (i32.const 2049))", "(call $source (i32.const 2048))"]),
    edge("gives-room-outside", "names a place outside its memory where the host asks for room", BORDER, Place::Room, ["(i32.const -8)", "(global.get $free)"]),
    edge("calls-out-of-its-allocator", "calls the host while the host waits for room", BORDER, Place::Room, ["(drop (call $now)) (global.get $free)", "(global.get $free)"]),
    edge("uses-a-handle-it-never-had", "asks for the size of a blob by a number that it made up", "handles are indices into a table of the run's own", Place::Body, ["(drop (call $size (i32.const 77)))", "(drop (call $size (call $blob (i32.const 1040) (i32.const 4))))"]),
    edge("uses-a-handle-of-another-kind", "uses a request as a blob", "handles are indices into a table of the run's own", Place::Body, ["(drop (call $size (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))))", "(drop (call $size (call $blob (i32.const 1024) (i32.const 4))))"]),
    edge("drops-a-handle-twice", "drops a blob twice", "handles are indices into a table of the run's own", Place::Body, ["(local.set $handle (call $blob (i32.const 1040) (i32.const 4))) (call $drop (local.get $handle)) (call $drop (local.get $handle))", "(local.set $handle (call $blob (i32.const 1040) (i32.const 4))) (call $drop (local.get $handle)) (call $drop (call $blob (i32.const 1040) (i32.const 4)))"]),
    Attack { off: Off::By("it changes the request before it sends it; the request is none", "invalid-argument"), ..edge("uses-a-handle-it-gave-away", "changes a request after it was checked and sent", "sending takes the handle", Place::Body, ["(local.set $handle (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))) (call $send (local.get $handle) (i32.const 2048)) (call $set (local.get $handle) (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))", "(local.set $handle (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))) (call $set (local.get $handle) (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4)) (call $send (local.get $handle) (i32.const 2048))"]) },
    edge("ends-outside-its-memory", "says that its result stands behind its memory", BORDER, Place::End, ["(i32.const 65532)", "(i32.const 0)"]),
    edge("ends-at-an-odd-address", "says that its result stands at an odd address", BORDER, Place::End, ["(i32.const 2)", "(i32.const 0)"]),
    edge("ends-with-a-case-that-is-not", "ends neither well nor badly", BORDER, Place::End, ["(i32.store8 (i32.const 0) (i32.const 2)) (i32.const 0)", "(i32.store8 (i32.const 0) (i32.const 0)) (i32.const 0)"]),
    Attack { off: Off::By("the text is inside; it is no known code", "unclassified"), ..edge("ends-with-a-fault-out-of-bounds", "ends with a fault whose code stands behind its memory", BORDER, Place::End, [
        "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 65532)) (i32.store (i32.const 8) (i32.const 8)) (i32.store (i32.const 20) (i32.const 0)) (i32.const 0)",
        "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 1040)) (i32.store (i32.const 8) (i32.const 4)) (i32.store (i32.const 20) (i32.const 0)) (i32.const 0)",
    ]) },
    Attack { verdict: Verdict::Limit(LimitName::Memory), off: Off::By("it asks for what the limit allows", ENDED), ..edge("begins-with-much-memory", "declares 37 MiB of memory", "the limit holds for the first page as for the last", Place::Memory, ["600", "60"]) },
    Attack { verdict: Verdict::Limit(LimitName::TableElements), off: Off::By("it asks for what the limit allows", ENDED), ..edge("grows-its-table", "grows its table to 5,000 elements", "a limit", Place::Body, ["(if (i32.eq (table.grow $table (ref.null func) (i32.const 5000)) (i32.const -1)) (then unreachable))", "(if (i32.eq (table.grow $table (ref.null func) (i32.const 500)) (i32.const -1)) (then unreachable))"]) },
    Attack { verdict: Verdict::Limit(LimitName::Cpu), off: Off::By("it comes to an end", ENDED), ..edge("spins-at-its-start", "spins before it was called at all", "time counts from the first instruction", Place::Start, ["(loop $again (br $again))", "(nop)"]) },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_that_escapes_is_stopped_and_is_not_without_its_defence() {
    crate::suite::attacks(ATTACKS).await;
}

#[derive(Clone, Copy, PartialEq)]
enum Forgery {
    Unsigned,
    Changed,
    Stranger,
}

/// A connector that would use the password twice if it were let in.
fn signed(world: &mut World, defence: Defence, forgery: Forgery) -> Coming<'_> {
    Box::pin(async move {
        let more = [(
            "recipe = \"raw\"\nmax = 1\n\n[[field]]\nname = \"password\"",
            "recipe = \"raw\"\nmax = 2\n\n[[field]]\nname = \"password\"",
        )];
        let (original, made) =
            (std::fs::read(connector_path("probe")).unwrap(), changed("tests/hostile/probe", &more).unwrap());
        let key = SigningKey::open(&connector_path("developer").with_extension("key"), None).unwrap();
        let bytes = match (forgery, defence) {
            (Forgery::Unsigned, _) | (Forgery::Changed, Defence::Off) => made,
            // The signature of the original, behind what it was changed to.
            (Forgery::Changed, Defence::On) => [made.as_slice(), &original[unsigned(&original).len()..]].concat(),
            (Forgery::Stranger, _) => key.sign(&made, "for a test").unwrap(),
        };
        let trust = match (forgery, defence) {
            // An operator who never heard of that key.
            (Forgery::Stranger, Defence::On) => Trust::default(),
            (Forgery::Stranger, Defence::Off) | (_, Defence::On) => trust().unwrap(),
            (_, Defence::Off) => trust().unwrap().or_unsigned(),
        };
        let package = match Package::read(bytes, &trust) {
            Ok(package) => package,
            Err(error) => return Came::not_loaded(error),
        };
        let bank = crate::bank().await;
        let collecting = Collecting::by(package).at(&bank.site_url).wanting(&["person.name"]).field("login", "marie");
        let collecting = collecting.field("password", PASSWORD).field("mode", "fills");
        let ran = world.ran(collecting.field("aim", "POST /login form:identifiant login raw 2"), &[]).await;
        let posts = bank.requests().iter().filter(|request| request.method == "POST").count();
        ran.came(posts == 2)
    })
}

fn tells_by_a_panic(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let bank = crate::bank().await;
        let ran = world.run(crate::suite::probe("panics", &bank.site_url).aim(defence.pick("", "log"))).await;
        let (harm, named) = (ran.said().contains("nobody shall read"), ran.said().contains("misbehave::panics"));
        assert_eq!(named, defence == Defence::On, "{}", ran.said());
        ran.came(harm)
    })
}
