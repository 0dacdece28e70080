//! The memory that a ring shares with the kernel.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Answer, Entry};
use crate::{Errno, syscall};

/// `struct io_uring_params`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Params {
    pub(super) sq_entries: u32,
    pub(super) cq_entries: u32,
    pub(super) flags: u32,
    sq_thread: [u32; 2],
    pub(super) features: u32,
    reserved: [u32; 4],
    sq: SqOffsets,
    cq: CqOffsets,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct SqOffsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: u32,
    address: u64,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct CqOffsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    overflow: u32,
    answers: u32,
    flags: u32,
    reserved: u32,
    address: u64,
}

/// Where a ring's words are, and how many places it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offsets {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) entries: u32,
}

/// Both mappings of a ring, unmapped on drop.
#[derive(Debug)]
pub(super) struct Map {
    rings: Mapping,
    requests: Mapping,
    pub(super) sq: Offsets,
    pub(super) cq: Offsets,
    pub(super) flags: u32,
    first_answer: u32,
}

impl Map {
    pub(super) fn new(fd: i32, params: &Params) -> Result<Self, Errno> {
        const OFFSET_RINGS: usize = 0;
        const OFFSET_ENTRIES: usize = 0x1000_0000;
        let array_end = params.sq.array as usize + params.sq_entries as usize * size_of::<u32>();
        let answers_end =
            params.cq.answers as usize + params.cq_entries as usize * size_of::<Answer>();
        let requests = params.sq_entries as usize * size_of::<Entry>();
        let map = Map {
            rings: Mapping::new(fd, array_end.max(answers_end), OFFSET_RINGS)?,
            requests: Mapping::new(fd, requests, OFFSET_ENTRIES)?,
            sq: Offsets { head: params.sq.head, tail: params.sq.tail, entries: params.sq_entries },
            cq: Offsets { head: params.cq.head, tail: params.cq.tail, entries: params.cq_entries },
            flags: params.sq.flags,
            first_answer: params.cq.answers,
        };
        // Requests are submitted in the order of their places.
        for index in 0..params.sq_entries {
            let place = params.sq.array + index * size_of::<u32>() as u32;
            map.word(place).store(index, Ordering::Relaxed);
        }
        Ok(map)
    }

    pub(super) fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: an offset that the kernel gave, within the mapping and aligned.
        unsafe { &*self.rings.address.wrapping_add(offset as usize).cast::<AtomicU32>() }
    }

    pub(super) fn entries(&self) -> *mut Entry {
        self.requests.address.cast()
    }

    pub(super) fn answers(&self) -> *const Answer {
        self.rings.address.wrapping_add(self.first_answer as usize).cast::<Answer>()
    }
}

/// A mapping of a ring's descriptor.
#[derive(Debug)]
struct Mapping {
    address: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(fd: i32, len: usize, offset: usize) -> Result<Self, Errno> {
        let prot = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_SHARED | libc::MAP_POPULATE) as usize;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
        let address =
            unsafe { syscall(libc::SYS_mmap, [0, len, prot, flags, fd as usize, offset])? };
        let mapping = Mapping { address: address as *mut u8, len };
        // A child must not have memory that its parent's kernel side goes on using.
        let args = [address, len, libc::MADV_DONTFORK as usize, 0, 0, 0];
        // SAFETY: the mapping is ours; this changes what forks do.
        unsafe { syscall(libc::SYS_madvise, args)? };
        Ok(mapping)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody else has the address once the ring is dropped.
        let _ = unsafe { syscall(libc::SYS_munmap, [self.address as usize, self.len, 0, 0, 0, 0]) };
    }
}
