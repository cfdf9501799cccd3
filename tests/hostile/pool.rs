//! A slot of the pool is used again and again, by one person's collection after another's. With a pool of one slot the next run has the slot
//! of the one before for certain; what that one wrote must be gone.

use std::sync::Arc;
use std::time::Duration;

use consentry::collect::Collector;
use consentry::collect::package::Package;
use consentry::collect::sandbox::{Sandbox, SandboxSettings};
use consentry_host_api::stop::StopReason;
use consentry_tests::collecting::{Collecting, collector, told};

use crate::raw;
use crate::suite::ENDED;

/// Pages that each run grows its memory by: all that the limit allows, besides the one it begins with.
const PAGES: u32 = 511;
/// Elements that each run grows its table by.
const ELEMENTS: u32 = 4000;

/// Memory, a table and globals, and a `collect` that does this.
fn guest(body: &str) -> Package {
    raw::guest(&format!(
        r#"(module
            (memory (export "memory") 1)
            (table $table 1 funcref)
            (global $number (mut i64) (i64.const 0))
            (global $place (mut funcref) (ref.null func))
            (func $self)
            (elem declare func $self)
            (func $grow
                (drop (memory.grow (i32.const {PAGES})))
                (drop (table.grow $table (ref.null func) (i32.const {ELEMENTS}))))
            (func (export "collect") (result i32) (local $at i32) (local $sum i64)
                (call $grow)
                {body}
                (i32.const 0)))"#
    ))
}

/// Fills everything it has with a pattern, and ends like this.
pub fn fills(end: &str) -> Package {
    guest(&format!(
        r#"(memory.fill (i32.const 0) (i32.const 0xa5) (i32.mul (memory.size) (i32.const 65536)))
        (table.fill $table (i32.const 0) (ref.func $self) (table.size $table))
        (global.set $number (i64.const 0xa5a5a5a5a5a5a5a5))
        (global.set $place (ref.func $self))
        ;; The answer of `collect` stands there: done.
        (i32.store (i32.const 0) (i32.const 0))
        {end}"#
    ))
}

/// Does this, then reads everything it has, and crashes if anything of it is not as it began.
pub fn searches(first: &str) -> Package {
    guest(&format!(
        r#"{first}
        (if (i32.ne (memory.size) (i32.const {memory})) (then unreachable))
        (if (i32.ne (table.size $table) (i32.const {table})) (then unreachable))
        (if (i64.ne (global.get $number) (i64.const 0)) (then unreachable))
        (if (i32.eqz (ref.is_null (global.get $place))) (then unreachable))
        (loop $bytes
            (local.set $sum (i64.or (local.get $sum) (i64.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $bytes (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
        (if (i64.ne (local.get $sum) (i64.const 0)) (then unreachable))
        (local.set $at (i32.const 0))
        (loop $elements
            (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then unreachable))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $elements (i32.lt_u (local.get $at) (table.size $table))))"#,
        memory = PAGES + 1,
        table = ELEMENTS + 1,
    ))
}

pub fn pool_of_one(keep_resident_bytes: usize) -> Arc<Collector> {
    let settings = SandboxSettings { concurrent_runs: 1, guest_threads: 1 };
    Arc::new(Collector { sandbox: Sandbox::keeping(&settings, keep_resident_bytes).unwrap(), ..collector().unwrap() })
}

pub async fn ran(collector: &Collector, package: Package) -> String {
    told(&Collecting::by(package).collect(collector).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_empty_for_the_next_run_however_the_last_one_ended() {
    // Given back to the system; kept and overwritten, in part and whole.
    for keep_resident_bytes in [0, 256 << 10, 64 << 20] {
        let collector = pool_of_one(keep_resident_bytes);
        for (end, expected) in [("", ENDED), ("unreachable", "trap")] {
            assert_eq!(ran(&collector, fills(end)).await, expected, "{end:?}");
            assert_eq!(ran(&collector, searches("")).await, ENDED, "after {end:?}, {keep_resident_bytes} kept");
        }
        let spins = Collecting::by(fills("(loop $spin (br $spin))"));
        let stopper = spins.stopper();
        let spinning = tokio::spawn({
            let collector = collector.clone();
            async move { told(&spins.collect(&collector).await.unwrap()) }
        });
        while !format!("{:?}", collector.sandbox).contains("free_slots: 0") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // There is no other slot: while it is taken, nobody else begins. As long as the same takes elsewhere, and once more.
        let next = tokio::spawn({
            let collector = collector.clone();
            async move { ran(&collector, searches("")).await }
        });
        let elsewhere = pool_of_one(keep_resident_bytes);
        for _ in 0..2 {
            assert_eq!(ran(&elsewhere, searches("")).await, ENDED);
        }
        assert!(!next.is_finished() && !spinning.is_finished());
        stopper.stop(StopReason::Cancelled);
        assert_eq!(spinning.await.unwrap(), "cancelled");
        assert_eq!(next.await.unwrap(), ENDED, "after a stop, {keep_resident_bytes} kept");
    }
}

/// The search finds what is there: in the first page, in what was grown, in the table, in the globals.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_something_says_so() {
    let collector = pool_of_one(0);
    for first in [
        "(i32.store8 (i32.const 0) (i32.const 1))",
        "(i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 1))",
        "(table.set $table (i32.const 0) (ref.func $self))",
        "(table.set $table (i32.sub (table.size $table) (i32.const 1)) (ref.func $self))",
        "(global.set $number (i64.const 1))",
        "(global.set $place (ref.func $self))",
        "(drop (memory.grow (i32.const 0))) (drop (table.grow $table (ref.null func) (i32.const 1)))",
    ] {
        assert_eq!(ran(&collector, searches(first)).await, "trap", "{first}");
    }
    assert_eq!(ran(&collector, searches("")).await, ENDED);
}
