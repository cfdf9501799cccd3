//! What the program's allocator costs by wiping what is given back, against the system's own: blocks are taken, written and given back, by
//! calls of the one and the other in turns, and the ratio is of the best of several rounds. Prints it; nothing is asserted about time. Run:
//! `cargo bench --package consentry-tests --bench allocator`; with `-- --test` it does a little of all, to see that it works.

#![expect(
    unsafe_code,
    reason = "an allocator that is not the program's own is called by its interface, which is unsafe"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use consentry_host_api::memory::Wiping;

/// A field, a header, a page of the kernel's or four, a document, the largest answer of most Data Sources.
const SIZES: [usize; 5] = [64, 1024, 16_384, 262_144, 1_048_576];
const ROUNDS: usize = 5;
/// How much is written in a round.
const ROUND_BYTES: usize = 256 << 20;
/// The most blocks of a round.
const BLOCKS_MAX: usize = 1_000_000;

fn main() -> anyhow::Result<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    println!("{:>9} {:>12} {:>12} {:>6}", "bytes", "without, ns", "with, ns", "ratio");
    for size in SIZES {
        let blocks = if is_test { 10 } else { (ROUND_BYTES / size).min(BLOCKS_MAX) };
        let layout = Layout::from_size_align(size, 16)?;
        let (mut without, mut with) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            without = without.min(nanoseconds(&System, layout, blocks).context("no memory")?);
            with = with.min(nanoseconds(&Wiping, layout, blocks).context("no memory")?);
        }
        ensure!(without > 0.0 && with > 0.0, "the clock stands");
        println!("{size:>9} {without:>12.1} {with:>12.1} {:>6.2}", with / without);
    }
    Ok(())
}

/// How long a block takes from its taking to its giving back, on an average; none where there is no memory.
fn nanoseconds(allocator: &impl GlobalAlloc, layout: Layout, blocks: usize) -> Option<f64> {
    let begun = Instant::now();
    for _ in 0..blocks {
        // SAFETY: no layout here is of no bytes.
        let block = unsafe { allocator.alloc(layout) };
        if block.is_null() {
            return None;
        }
        // SAFETY: the block was just given, with so many bytes.
        unsafe { block.write_bytes(7, layout.size()) };
        // SAFETY: it is of this allocator, with this layout, and nobody has it any more.
        unsafe { allocator.dealloc(black_box(block), layout) };
    }
    Some(begun.elapsed().as_secs_f64() * 1e9 / blocks as f64)
}
