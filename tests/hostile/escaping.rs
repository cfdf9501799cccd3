//! Getting out of the sandbox: by what is imported, by memory, tables and the stack, by what crosses the border in the wrong form, and by
//! files that nobody trusted has signed.

use consentry::collect::package::Package;
use consentry::collect::signature::{SigningKey, Trust, unsigned};
use consentry_contract::limits::LimitName;
use consentry_tests::collecting::{Collecting, connector_path, trust};
use consentry_tests::versions::changed;

use crate::raw::{Place, edge as guest};
use crate::suite::{Attack, Came, Coming, Defence, ENDED, HONEST, Off, PASSWORD, Rule, Run, Verdict, Without, World};

/// What a component is told as that a bare wasmtime has started.
const STARTED: &str = "started";

const WASM: &str = "wasm's own checks";
const BORDER: &str = "the checks of the component model, where a value crosses the border";
const HANDLES: &str = "handles are indices into a table of the run's own";
/// The same guest asks for another page of memory before it does anything else.
const MORE_MEMORY: Without = Without::Before(Place::Start, "(drop (memory.grow (i32.const 1)))");
const HAS_MORE: &str = "it has grown its memory by a page before";

const fn edge(
    name: &'static str,
    tries: &'static str,
    stopped_by: &'static str,
    (place, edge): (Place, &'static str),
    (how, without): (&'static str, Without),
) -> Attack {
    let (off, run) = (Off::By(how, ENDED), Run::Edge { place, edge, without });
    Attack { name, tries, stopped_by, verdict: Verdict::Trap, off, run }
}

const fn limited(
    name: &'static str,
    tries: &'static str,
    stopped_by: &'static str,
    (place, edge): (Place, &'static str),
    (limit, lower): (LimitName, u64),
) -> Attack {
    let without = ("the operator allows the maximum", Without::Raised(limit, lower));
    Attack { verdict: Verdict::Limit(limit), ..self::edge(name, tries, stopped_by, (place, edge), without) }
}

/// What no build of the host is without. Each of these with what keeps the rule, and what comes of that.
const RULES: &[Rule] = &[
    Rule(Place::Body, "(i32.store (i32.const -4) (i32.const 1))", "(i32.store (i32.const 4) (i32.const 1))", ENDED),
    Rule(Place::Body, "(unreachable)", "(nop)", ENDED),
    Rule(
        Place::Body,
        "(call $log (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const -1))",
        "(call $log (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))",
        ENDED,
    ),
    // The size of the list in bytes wraps around.
    Rule(
        Place::Body,
        "(call $join (i32.const 1056) (i32.const 0x10000001) (i32.const 2048))",
        "(call $join (i32.const 1056) (i32.const 1) (i32.const 2048))",
        ENDED,
    ),
    Rule(
        Place::Body,
        "(call $join (i32.const 1057) (i32.const 1) (i32.const 2048))",
        "(call $join (i32.const 1056) (i32.const 1) (i32.const 2048))",
        ENDED,
    ),
    Rule(
        Place::Body,
        "(i32.store8 (i32.const 1056) (i32.const 3)) (call $join (i32.const 1056) (i32.const 1) (i32.const 2048))",
        "(i32.store8 (i32.const 1056) (i32.const 0)) (call $join (i32.const 1056) (i32.const 1) (i32.const 2048))",
        ENDED,
    ),
    // The one that is legal is of a category that nobody asked for.
    Rule(
        Place::Body,
        "(i32.store8 (i32.const 1096) (i32.const 7)) (call $emit (i32.const 1040) (i32.const 4) (i32.const 1088) (i32.const 1) (i32.const 2048))",
        "(i32.store8 (i32.const 1096) (i32.const 5)) (call $emit (i32.const 1040) (i32.const 4) (i32.const 1088) (i32.const 1) (i32.const 2048))",
        "capability-denied",
    ),
    Rule(Place::Body, "(call $source (i32.const 2049))", "(call $source (i32.const 2048))", ENDED),
    Rule(Place::Room, "(drop (call $now)) (global.get $free)", "(global.get $free)", ENDED),
    Rule(
        Place::Body,
        "(drop (call $size (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))))",
        "(drop (call $size (call $blob (i32.const 1024) (i32.const 4))))",
        ENDED,
    ),
    // The request that is sent is none.
    Rule(
        Place::Body,
        "(local.set $handle (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))) (call $send (local.get $handle) (i32.const 2048)) (call $set (local.get $handle) (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))",
        "(local.set $handle (call $request (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4))) (call $set (local.get $handle) (i32.const 1024) (i32.const 4) (i32.const 1040) (i32.const 4)) (call $send (local.get $handle) (i32.const 2048))",
        "invalid-argument",
    ),
    Rule(Place::End, "(i32.const 2)", "(i32.const 0)", ENDED),
    Rule(
        Place::End,
        "(i32.store8 (i32.const 0) (i32.const 2)) (i32.const 0)",
        "(i32.store8 (i32.const 0) (i32.const 0)) (i32.const 0)",
        ENDED,
    ),
];

/// Imports that there are not, and what the operator reads.
const IMPORTS: [(Place, &str, &str); 4] = [
    (
        Place::Import,
        "wasi:clocks/monotonic-clk@0.2.0",
        "imports `wasi:clocks/monotonic-clk@0.2.0`, which is no capability",
    ),
    (
        Place::Import,
        "consentry:connector/files@0.1.0",
        "imports `consentry:connector/files@0.1.0`, which is no capability",
    ),
    (Place::Import, "consentry:connector/clock@0.9.0", "this host serves version 0.1"),
    (Place::Function, "uuie", "incompatible-world"),
];
/// Many more than fit a stack.
const DEEP: &str = "(call $deep (i32.const 10000000))";

#[rustfmt::skip] // a table
pub const ATTACKS: &[Attack] = &[
    Attack { name: "imports-what-is-not-there", tries: "imports a clock of WASI, an interface or a function that the contract does not have, a contract that this host does not serve", stopped_by: "imports are read before anything is compiled, and what is linked is the contract and nothing else", verdict: Verdict::NotLoaded(""), off: Off::Shown("a bare wasmtime that gives a guest whatever it imports starts each", STARTED), run: Run::Story(imports) },
    Attack { name: "is-signed-by-nobody", tries: "stands in the folder without a signature", stopped_by: "the signature is checked before anything else is read", verdict: Verdict::NotLoaded("it is not signed"), off: Off::By("development mode allows unsigned ones", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Unsigned)) },
    Attack { name: "was-changed-after-it-was-signed", tries: "has one more use of the password written into its signed manifest", stopped_by: "the signature is over the whole file", verdict: Verdict::NotLoaded("it was changed after it was signed"), off: Off::By("development mode allows unsigned ones", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Changed)) },
    Attack { name: "is-signed-by-a-stranger", tries: "is signed with a key that the operator does not know", stopped_by: "only trusted keys count", verdict: Verdict::NotLoaded("which is not trusted here"), off: Off::By("the operator trusts that key", HONEST), run: Run::Story(|world, defence| signed(world, defence, Forgery::Stranger)) },
    edge("reads-outside-its-memory", "reads behind the last byte of its memory", WASM, (Place::Body, "(drop (i32.load (i32.const 65536)))"), (HAS_MORE, MORE_MEMORY)),
    edge("writes-outside-its-memory", "writes behind the last byte of its memory", WASM, (Place::Body, "(i32.store (i32.const 65536) (i32.const 1))"), (HAS_MORE, MORE_MEMORY)),
    edge("calls-beyond-its-table", "calls what stands behind its table", WASM, (Place::Body, "(call_indirect $table (type $plain) (i32.const 2))"), ("it has grown its table by a function before", Without::Before(Place::Start, "(drop (table.grow $table (ref.func $nothing) (i32.const 1)))"))),
    edge("calls-as-another-type", "calls a function as one of another type", WASM, (Place::Body, "(call_indirect $table (type $plain) (i32.const 1))"), ("it has put a function of that type there before", Without::Before(Place::Start, "(table.set $table (i32.const 1) (ref.func $nothing))"))),
    Attack { name: "overflows-its-stack", tries: "calls itself without end", stopped_by: "a stack of its own, bounded", verdict: Verdict::Limit(LimitName::Stack), off: Off::Shown("stacks are as large for one as for another; a hundred calls in each other fit", ENDED), run: Run::Story(overflows) },
    Attack { name: "breaks-the-rules-of-wasm", tries: "writes before its memory; runs into `unreachable`; hands over 4 GiB of text, a list whose size wraps around or that stands at an odd address, a piece or a value of a kind that is none; takes an answer at an odd address; calls the host while the host waits for room; uses a request as a blob, or after it was sent; ends at an odd address, or neither well nor badly", stopped_by: "wasm's own checks, and those of the component model", verdict: Verdict::Trap, off: Off::Shown("each of these guests that keeps the rule comes past the same place; no build of the host is without them", ENDED), run: Run::Rules(RULES) },
    Attack { name: "tells-by-a-panic", tries: "panics with a value as its message", stopped_by: "of a crash only functions are named", verdict: Verdict::Trap, off: Off::By("it writes the value to the log, which a development run shows", HONEST), run: Run::Story(tells_by_a_panic) },
    edge("passes-text-out-of-bounds", "hands over a text that ends behind its memory", BORDER, (Place::Body, "(call $log (i32.const 1024) (i32.const 4) (i32.const 65530) (i32.const 100))"), (HAS_MORE, MORE_MEMORY)),
    edge("passes-broken-text", "hands over a text that is no UTF-8", BORDER, (Place::Body, "(i32.store8 (i32.const 1040) (i32.const 255)) (call $past)"), ("it hands them over as bytes", Without::Elsewhere("(i32.store8 (i32.const 1040) (i32.const 255)) (drop (call $blob (i32.const 1040) (i32.const 4))) (i32.store8 (i32.const 1040) (i32.const 112))"))),
    edge("takes-answers-outside", "has an answer written behind its memory", BORDER, (Place::Body, "(call $source (i32.const 65532))"), (HAS_MORE, MORE_MEMORY)),
    edge("gives-room-outside", "names a place outside its memory where the host asks for room", BORDER, (Place::Room, "(i32.const 65536)"), (HAS_MORE, MORE_MEMORY)),
    edge("uses-a-handle-it-never-had", "asks for the size of a blob by a number that it made up", HANDLES, (Place::Body, "(drop (call $size (i32.const 77)))"), ("it has so many blobs", Without::Before(Place::Body, "(loop $again (local.set $handle (call $blob (i32.const 1040) (i32.const 4))) (br_if $again (i32.lt_u (local.get $handle) (i32.const 77))))"))),
    edge("drops-a-handle-twice", "drops a blob twice by its number", HANDLES, (Place::Body, "(local.set $handle (call $blob (i32.const 1040) (i32.const 4))) (call $drop (local.get $handle)) (call $drop (local.get $handle))"), ("another blob has the number by then", Without::Elsewhere("(local.set $handle (call $blob (i32.const 1040) (i32.const 4))) (call $drop (local.get $handle)) (drop (call $blob (i32.const 1040) (i32.const 4))) (call $drop (local.get $handle))"))),
    edge("ends-outside-its-memory", "says that its result stands behind its memory", BORDER, (Place::End, "(i32.const 65532)"), (HAS_MORE, MORE_MEMORY)),
    Attack { off: Off::By("it has grown its memory by a page before; the text is no known code", "unclassified"), ..edge("ends-with-a-fault-out-of-bounds", "ends with a fault whose code stands behind its memory", BORDER, (Place::End, "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const 65532)) (i32.store (i32.const 8) (i32.const 8)) (i32.store (i32.const 20) (i32.const 0)) (i32.const 0)"), (HAS_MORE, MORE_MEMORY)) },
    limited("begins-with-much-memory", "declares 37 MiB of memory", "the limit holds for the first page as for the last", (Place::Memory, "600"), (LimitName::Memory, 32 << 20)),
    limited("grows-its-table", "grows its table to 5,000 elements", "a limit", (Place::Body, "(if (i32.eq (table.grow $table (ref.null func) (i32.const 5000)) (i32.const -1)) (then unreachable))"), (LimitName::TableElements, 4096)),
    limited("spins-at-its-start", "spins before it was called at all", "time counts from the first instruction", (Place::Start, "(local $turns i32) (loop $again (local.set $turns (i32.add (local.get $turns) (i32.const 1))) (br_if $again (i32.lt_u (local.get $turns) (i32.const 2000000000))))"), (LimitName::Cpu, 100)),
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

fn overflows(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        let calls = defence.pick(DEEP, "(call $deep (i32.const 100))");
        let package = Package::read(guest(&[(Place::Body, calls)]), &Trust::default().or_unsigned()).unwrap();
        let ran = world.ran(Collecting::by(package), &[]).await;
        let harm = ran.lines.contains(&"info: past".to_owned());
        ran.came(harm)
    })
}

fn imports(world: &mut World, defence: Defence) -> Coming<'_> {
    Box::pin(async move {
        for (place, import, expected) in IMPORTS {
            let bytes = guest(&[(place, import)]);
            let told = match defence {
                Defence::Off => started(&bytes).map_or_else(|error| format!("{error:#}"), |()| STARTED.to_owned()),
                Defence::On => match Package::read(bytes, &Trust::default().or_unsigned()) {
                    Ok(package) => world.ran(Collecting::by(package), &[]).await.told,
                    Err(error) => Came::not_loaded(error).told,
                },
            };
            if !told.contains(defence.pick(expected, STARTED)) {
                return Came { harm: defence == Defence::On, said: import.to_owned(), told };
            }
        }
        let told = defence.pick("not loaded: any", STARTED).to_owned();
        Came { harm: defence == Defence::Off, told, said: String::new() }
    })
}

/// By a wasmtime that looks at no name.
fn started(bytes: &[u8]) -> wasmtime::Result<()> {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::new(&engine, bytes)?;
    let mut linker = wasmtime::component::Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    linker.instantiate(wasmtime::Store::new(&engine, ()), &component).map(drop)
}
