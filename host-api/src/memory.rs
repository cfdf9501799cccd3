//! Memory that forgets: an allocator that wipes what is given back, and one region of locked pages for what is in clear.
//!
//! Libraries for HTTP, TLS and documents free buffers as they are; here nothing that was freed can be found again, whoever freed it.
//! Work that holds secrets in clear takes its memory from pages that are never written to a swap device nor to a core file. It has an end
//! (that is what makes it small), so the region is small, too; what does not fit comes from the heap, which is counted.
//!
//! Of the stack, what work in the clear left is wiped behind it ([`wipe_stack`]). What it can't reach: deeper stacks, registers, memory that a C library takes for itself, and the kernel's own copies.

#![expect(unsafe_code, reason = "an allocator is unsafe by its interface; locking pages is a call of the kernel")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// All locked pages: half of what Linux lets a service lock if nobody says otherwise.
const REGION_BYTES: usize = 4 * 1024 * 1024;
/// The smallest block, as a power of two.
const LEAST: u32 = 5;
/// The largest block: a login with its encoding, or what a search is made with.
const MOST: u32 = 17;
const CLASSES: usize = (MOST - LEAST + 1) as usize;
/// Beyond a page no alignment is promised.
const ALIGN_MAX: usize = 4096;

/// The program's allocator. It wipes what is given back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wiping;

thread_local! {
    /// How many [`locked`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Where the region begins; null before it is first needed, and for ever if it can't be had.
static REGION: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static BLOCKS: Mutex<Blocks> = Mutex::new(Blocks { state: State::New, next: 0, free: [0; CLASSES] });
static INSIDE: AtomicU64 = AtomicU64::new(0);
static BESIDE: AtomicU64 = AtomicU64::new(0);

/// Which blocks of the region are free, by size. Places are counted from the region's beginning, from one: zero is none.
struct Blocks {
    state: State,
    /// From here on nothing was ever given out.
    next: usize,
    free: [usize; CLASSES],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Locked,
    Refused,
}

/// Does work whose memory comes from locked pages, with a program that has [`Wiping`] for its allocator. What it leaves behind stays there
/// until it is freed, so it should leave little.
pub fn locked<T>(work: impl FnOnce() -> T) -> T {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
            wipe_stack();
        }
    }
    let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
    let _inside = Inside;
    work()
}

/// How deep the calls that work on secrets reach: those of ciphers and encoders.
const STACK_BYTES: usize = 32 << 10;

/// Wipes what calls that have returned left on the stack below: registers that were put aside, and pieces of texts that a cipher or a copy
/// worked on. For whoever has just let go of something in clear.
#[inline(never)]
pub fn wipe_stack() {
    std::hint::black_box(&mut [0_u8; STACK_BYTES]);
}

/// Whether there are locked pages; asks for them if nobody has yet.
pub fn can_lock() -> bool {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner).region().is_some()
}

/// How many blocks work in [`locked`] took from locked pages since the process began.
pub fn inside() -> u64 {
    INSIDE.load(Ordering::Relaxed)
}

/// How many it had to take from other memory since then.
pub fn beside() -> u64 {
    BESIDE.load(Ordering::Relaxed)
}

/// Whether this stands in a locked page.
pub fn is_locked(bytes: &[u8]) -> bool {
    in_region(bytes.as_ptr())
}

fn in_region(block: *const u8) -> bool {
    let region = REGION.load(Ordering::Acquire);
    !region.is_null() && (block as usize).wrapping_sub(region as usize) < REGION_BYTES
}

/// The size of block for a layout, if the region has such.
fn class(layout: &Layout) -> Option<usize> {
    let bytes = layout.size().max(layout.align()).max(1 << LEAST).checked_next_power_of_two()?;
    (bytes <= 1 << MOST && layout.align() <= ALIGN_MAX).then(|| (bytes.trailing_zeros() - LEAST) as usize)
}

impl Blocks {
    /// The region, asked for once.
    fn region(&mut self) -> Option<*mut u8> {
        if self.state == State::New {
            let region = lock_pages();
            self.state = if region.is_null() { State::Refused } else { State::Locked };
            REGION.store(region, Ordering::Release);
        }
        (self.state == State::Locked).then(|| REGION.load(Ordering::Acquire))
    }

    fn take(&mut self, class: usize) -> Option<*mut u8> {
        let region = self.region()?;
        let bytes = 1_usize << (class as u32 + LEAST);
        if let Some(place) = self.free[class].checked_sub(1) {
            // SAFETY: a free block of the region holds the place of the next one, written by `give_back`, at its beginning; blocks are
            // aligned to 32 bytes at least.
            let block = unsafe { region.add(place) };
            // SAFETY: as above.
            self.free[class] = unsafe { block.cast::<usize>().read() };
            return Some(block);
        }
        let place = self.next.next_multiple_of(bytes.min(ALIGN_MAX));
        if place + bytes > REGION_BYTES {
            return None;
        }
        self.next = place + bytes;
        // SAFETY: the block lies in the region, as was just checked.
        Some(unsafe { region.add(place) })
    }

    fn give_back(&mut self, block: *mut u8, class: usize) {
        let place = block as usize - REGION.load(Ordering::Acquire) as usize;
        // SAFETY: the block is of the region, wiped, of no use to anybody any more, and large and aligned enough for a number.
        unsafe { block.cast::<usize>().write(self.free[class]) };
        self.free[class] = place + 1;
    }
}

/// Pages that are not swapped, not dumped, and not there in a child. Null if that can't be had.
fn lock_pages() -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping of our own; the calls after it are about that mapping only.
    unsafe {
        let pages = libc::mmap(null_mut(), REGION_BYTES, access, kind, -1, 0);
        if pages == libc::MAP_FAILED {
            return null_mut();
        }
        let kept = libc::mlock(pages, REGION_BYTES) == 0
            && libc::madvise(pages, REGION_BYTES, libc::MADV_DONTDUMP) == 0
            && libc::madvise(pages, REGION_BYTES, libc::MADV_WIPEONFORK) == 0;
        if !kept {
            libc::munmap(pages, REGION_BYTES);
            return null_mut();
        }
        pages.cast()
    }
}

// SAFETY: memory comes from the system's allocator or from the region, never from both; a block of the region is told by its address,
// and its class by the layout, which is the one it was asked for with.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if DEPTH.try_with(Cell::get).unwrap_or(0) > 0 {
            let block =
                class(&layout).and_then(|class| BLOCKS.lock().unwrap_or_else(PoisonError::into_inner).take(class));
            if let Some(block) = block {
                INSIDE.fetch_add(1, Ordering::Relaxed);
                return block;
            }
            BESIDE.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller owns so many bytes at this place, and gives them up. The call is one that no compiler leaves out.
        unsafe { libc::explicit_bzero(block.cast(), layout.size()) };
        if in_region(block) {
            if let Some(class) = class(&layout) {
                BLOCKS.lock().unwrap_or_else(PoisonError::into_inner).give_back(block, class);
            }
            return;
        }
        // SAFETY: the block came from there, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
            // SAFETY: the caller's promise about the layout is handed on. New pages of the kernel need no wiping.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as above.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: so many bytes were just given.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    // `realloc` is the default: other memory, a copy, and the old memory wiped. The system's own would leave the old as it is.
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    /// All tests of this crate run with it.
    #[global_allocator]
    static WIPING: Wiping = Wiping;

    /// One of these takes the whole region, so no other may want some of it meanwhile.
    static ALONE: Mutex<()> = Mutex::new(());

    static MARK: [u8; 16] = *b"left-on-a-stack!";

    #[inline(never)]
    fn leave_marks() {
        let mut left = [0_u8; 24 << 10];
        left.chunks_exact_mut(MARK.len()).for_each(|chunk| chunk.copy_from_slice(&MARK));
        std::hint::black_box(&mut left);
    }

    /// How many marks stand below this call, where the calls were that have returned; read past the compiler.
    #[inline(never)]
    fn marks_below() -> usize {
        let here = std::hint::black_box(0_u8);
        let mut below = vec![0; 20 << 10];
        let from = std::ptr::from_ref(&here).addr() - below.len();
        std::fs::File::open("/proc/self/mem").unwrap().read_exact_at(&mut below, from as u64).unwrap();
        (0..below.len()).filter(|at| below[*at..].starts_with(&MARK)).count()
    }

    #[test]
    fn what_a_call_left_on_the_stack_is_gone_once_it_is_wiped() {
        leave_marks();
        assert!(marks_below() > 500, "what is looked for can be seen");
        wipe_stack();
        assert_eq!(marks_below(), 0);
        leave_marks();
        locked(|| ());
        assert_eq!(marks_below(), 0, "work in clear wipes behind itself");
    }

    #[test]
    fn work_in_clear_stands_in_locked_pages_and_other_work_does_not() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(can_lock());
        let (secret, other) = (locked(|| vec![7_u8; 300]), vec![7_u8; 300]);
        assert!(is_locked(&secret) && !is_locked(&other));
        // The mapping that the secret stands in, as the kernel sees it: locked, not dumped, wiped in a child.
        let flags = |bytes: &[u8]| {
            let at = bytes.as_ptr() as usize;
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let mut is_here = false;
            let flags = maps.lines().filter(|line| {
                if let Some((start, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
                    let number = |text| usize::from_str_radix(text, 16).unwrap();
                    is_here = (number(start)..number(end)).contains(&at);
                }
                is_here && line.starts_with("VmFlags:")
            });
            flags.map(|line| format!("{line} ")).collect::<String>()
        };
        let has = |bytes: &[u8], flag: &str| flags(bytes).contains(&format!(" {flag} "));
        assert!(["lo", "dd", "wf"].into_iter().all(|flag| has(&secret, flag)), "{}", flags(&secret));
        assert!(!has(&other, "lo") && !flags(&other).is_empty(), "{}", flags(&other));
        let grown = locked(|| {
            let mut grown = vec![1_u8];
            (0..10_000).for_each(|_| grown.push(1));
            grown
        });
        assert!(is_locked(&grown) && grown.iter().all(|byte| *byte == 1));
    }

    #[test]
    fn what_was_freed_is_wiped() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Read through a pointer that outlives its block: only in the region is such a read one of mapped memory for certain.
        let block = locked(|| vec![0xa5_u8; 4000]);
        let place = block.as_ptr();
        assert!(is_locked(&block));
        drop(block);
        // The beginning holds the place of the next free block.
        // SAFETY: the region is never unmapped.
        let left = (16..4000).filter(|at| unsafe { place.add(*at).read_volatile() } == 0xa5).count();
        // Another test may have taken the block meanwhile; it writes other bytes.
        assert_eq!(left, 0);
    }

    #[test]
    fn blocks_are_apart_and_what_does_not_fit_comes_from_the_heap() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = [1, 31, 32, 33, 100, 1000, 4096, 5000, 70_000, 131_072];
        // Nearly the whole region: of sizes that no test has had, the others get some.
        let blocks: Vec<Vec<u8>> =
            sizes.iter().cycle().take(140).enumerate().map(|(at, size)| locked(|| vec![at as u8; *size])).collect();
        for (at, block) in blocks.iter().enumerate() {
            assert!(block.iter().all(|byte| *byte == at as u8), "{at}");
        }
        let before = beside();
        let large = locked(|| vec![1_u8; 200_000]);
        assert!(!is_locked(&large) && beside() > before);
        drop(blocks);
        assert!(is_locked(&locked(|| vec![1_u8; 131_072])), "what is free is given out again");
        #[repr(align(8192))]
        struct Aligned(#[expect(dead_code, reason = "it is there to be aligned")] u8);
        assert_eq!(std::ptr::from_ref(&*locked(|| Box::new(Aligned(1)))) as usize % 8192, 0);
    }

    #[test]
    fn a_panic_inside_leaves_the_thread_outside() {
        // Not by `panic!`: where it prints a trace, that takes the region's room, which the other tests want.
        let _ = std::panic::catch_unwind(|| locked(|| std::panic::resume_unwind(Box::new("on purpose"))));
        assert!(!is_locked(&Vec::from([1_u8; 100])));
    }
}
