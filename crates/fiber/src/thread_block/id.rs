//! Who the C library thinks is running: the thread id in the control block.

use std::arch::asm;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ThreadBlock, symbols};

/// Pseudo thread ids: above every id the kernel gives (2^22), below the bits that futexes of
/// owned locks use (2^30). The kernel answers "no such thread" for them, which the library takes
/// for one that has just ended.
pub(super) const FIRST_ID: u32 = 0x2000_0000;
pub(super) const LAST_ID: u32 = 0x3fff_ffff;
/// Up to here they are those of blocks; above, those of lives (see `registry`): as many as the
/// kernel has ids at most.
pub(super) const LAST_OF_BLOCKS: u32 = FIRST_OF_LIVES - 1;
pub(super) const FIRST_OF_LIVES: u32 = LAST_ID - (1 << 22) + 1;

/// Offset of the thread id in control blocks.
///
/// | value | meaning |
/// |---|---|
/// | 0 | nobody has asked yet |
/// | [`UNKNOWN`] | the C library does not tell, or not the truth |
/// | other | the offset |
///
/// Relaxed: it is a constant of the process, and guards nothing.
static OFFSET: AtomicUsize = AtomicUsize::new(0);
const UNKNOWN: usize = usize::MAX;

/// The id by which the C library's locks know the running thread, OS thread or coroutine.
#[inline]
pub fn thread_id() -> u32 {
    match OFFSET.load(Ordering::Relaxed) {
        0 => look_up(),
        UNKNOWN => lisle_sys::thread::id() as u32,
        // SAFETY: the offset is that of a field of the running thread's control block.
        offset => unsafe { own_field(offset) },
    }
}

/// Where the id is in the control blocks, once there are blocks.
pub(super) fn offset() -> usize {
    OFFSET.load(Ordering::Relaxed)
}

/// The id of the thread whose block it is.
pub fn id_of(block: &ThreadBlock) -> u32 {
    // SAFETY: blocks are never freed.
    unsafe { ptr::read_volatile((block.fs + offset()) as *const u32) }
}

/// # Safety
/// `offset` is that of a 32-bit field in control blocks.
#[inline]
unsafe fn own_field(offset: usize) -> u32 {
    let id: u32;
    // SAFETY: the caller's obligation. Not `pure`: another thread may run this code next.
    unsafe {
        asm!(
            "mov {id:e}, fs:[{offset}]",
            id = out(reg) id,
            offset = in(reg) offset,
            options(nostack, readonly, preserves_flags),
        );
    }
    id
}

#[cold]
fn look_up() -> u32 {
    let id = lisle_sys::thread::id() as u32;
    // No coroutine has run before `note`, so this is an OS thread, and its id the kernel's.
    let offset = symbols::offset(c"_thread_db_pthread_tid")
        .ok()
        // SAFETY: where the library's descriptor says.
        .filter(|offset| unsafe { own_field(*offset) } == id);
    OFFSET.store(offset.unwrap_or(UNKNOWN), Ordering::Relaxed);
    id
}

/// Notes the offset, before there are blocks.
pub(super) fn note(offset: usize) {
    OFFSET.store(offset, Ordering::Relaxed);
}

/// Whether the FS base `fs` of a running thread selects a block of ours rather than an OS thread's
/// own: its id is one that the kernel never gives. Allowed in signal handlers.
///
/// # Safety
/// `fs` is the FS base of a thread.
pub unsafe fn is_block(fs: usize) -> bool {
    let offset = OFFSET.load(Ordering::Relaxed);
    if matches!(offset, 0 | UNKNOWN) {
        return false;
    }
    // SAFETY: a field of the thread's control block, by the caller's obligation.
    let id = unsafe { ptr::read_volatile((fs + offset) as *const u32) };
    (FIRST_ID..=LAST_ID).contains(&id)
}
