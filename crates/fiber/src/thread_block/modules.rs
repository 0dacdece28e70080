//! The thread-locals of every loaded object, and making them new again.
//!
//! A block is never freed: the C library's allocator keeps a cache in its thread-locals that
//! nobody outside can free. So a block is reused, and what the next coroutine finds in it must be
//! what a new thread finds: the initial image of each object's thread-locals. Only the C library's
//! own and the loader's stay as they are, cache included.
//!
//! Objects come and go with `dlopen` and `dlclose`. The loader notes each in a table with the
//! generation in which it came; the set of modules kept here is remade when that table changes,
//! which a few loads per coroutine's end find out.
//!
//! They may do so at any moment. An object is looked at while the loader's lock keeps it where it
//! is, and its image is copied then, since it may be gone when the copy is used. If the table is
//! another one after a block was made new, a library may have been given the place of one that has
//! gone, with values that were overwritten just now: then it is done once more. The loader notes a
//! library before it writes the initial values of it into the blocks that exist.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::symbols::{SlotInfo, Symbols};

/// One object's thread-locals.
#[derive(Clone, Copy, Debug)]
struct Module {
    /// The loader's number for it.
    id: usize,
    /// A copy of the initialised part. Never freed, as the sets.
    image: &'static [u8],
    /// All of it; what exceeds the image is zero.
    len: usize,
    /// Distance below the thread pointer, for those that have a fixed place in every block.
    below: Option<usize>,
}

/// The objects loaded at some moment.
#[derive(Debug)]
struct Set {
    signature: usize,
    /// Slots that the signature covers.
    slots: usize,
    modules: Vec<Module>,
}

/// The objects loaded now, shared by all blocks.
///
/// `current` points to a set that is never freed (sets change with `dlopen`, so there are few),
/// which is why readers need no lock. It is replaced by a plain swap: two threads that remake it
/// at the same moment make equal sets.
#[derive(Debug)]
pub(super) struct Modules {
    slots: SlotInfo,
    own_code: [usize; 2],
    current: AtomicPtr<Set>,
}

impl Modules {
    pub(super) fn new(symbols: &Symbols) -> Self {
        let modules = Modules {
            slots: symbols.slots,
            own_code: symbols.own_code,
            current: AtomicPtr::new(ptr::null_mut()),
        };
        modules.refresh();
        modules
    }

    /// Restores the initial images in the block of the running thread.
    ///
    /// # Safety
    /// The thread-locals of the running thread are destroyed already, and nothing refers to them.
    pub(super) unsafe fn restore(&self) {
        let thread_pointer = crate::arch::fs_base();
        let mut set = self.set();
        if self.signature(set.slots) != set.signature {
            set = self.refresh();
        }
        loop {
            let mut dynamic = false;
            for module in &set.modules {
                match module.below {
                    // SAFETY: the place belongs to the module in every block, or did; the caller
                    // says that it is free to be overwritten.
                    Some(below) => unsafe { module.write(thread_pointer - below) },
                    None => dynamic = true,
                }
            }
            if dynamic {
                // SAFETY: as above, for the places the loader names.
                unsafe { restore_dynamic(set) };
            }
            if self.signature(set.slots) == set.signature {
                return;
            }
            set = self.refresh();
        }
    }

    fn set(&self) -> &'static Set {
        // SAFETY: `new` stored a set; sets are leaked, so the reference stays valid.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    fn refresh(&self) -> &'static Set {
        // Taken before, so that what comes while we look makes the signature differ.
        let before = self.signature(usize::MAX);
        let known = self.current.load(Ordering::Acquire);
        let mut collect = Collect {
            own_code: self.own_code,
            slots: self.slots,
            // SAFETY: null, or a set, which is never freed.
            known: unsafe { known.as_ref() }.map_or(&[], |set| &set.modules),
            modules: Vec::new(),
            last: 0,
        };
        // SAFETY: the callback gets the pointer it is declared for, during the call.
        unsafe { libc::dl_iterate_phdr(Some(collect_one), (&raw mut collect).cast()) };
        let slots = collect.last + 2;
        let unchanged = before == self.signature(usize::MAX);
        let signature = if unchanged { self.signature(slots) } else { !self.signature(slots) };
        let set = Box::into_raw(Box::new(Set { signature, slots, modules: collect.modules }));
        self.current.store(set, Ordering::Release);
        // SAFETY: leaked just now.
        unsafe { &*set }
    }

    /// A number that changes when an object with thread-locals comes or goes. New objects take a
    /// free slot or the one after the last, which `slots` includes.
    fn signature(&self, slots: usize) -> usize {
        let mut signature = 0_usize;
        self.slots.each(slots, |generation, map| {
            signature = signature.rotate_left(7) ^ generation ^ map;
        });
        signature
    }
}

impl SlotInfo {
    /// Calls `f(generation, map)` for the first `count` slots.
    fn each(&self, count: usize, mut f: impl FnMut(usize, usize)) {
        // SAFETY: the loader's list is only ever appended to; words are read one by one, and a
        // torn picture only makes the signature differ, which is found out at the next look.
        unsafe {
            let read = |address: usize| ptr::read_volatile(address as *const usize);
            let (mut node, mut left) = (read(self.list), count);
            while node != 0 && left > 0 {
                let len = read(node + self.len).min(left);
                for index in 0..len {
                    let slot = node + self.first + index * self.stride;
                    f(read(slot + self.generation), read(slot + self.map));
                }
                left -= len;
                node = read(node + self.next);
            }
        }
    }

    /// The distance below the thread pointer of a module that has a fixed place.
    ///
    /// # Safety
    /// Within a callback of `dl_iterate_phdr`, which holds the lock under which objects go.
    unsafe fn static_offset(&self, module: usize) -> Option<usize> {
        let (mut index, mut found) = (0, 0);
        self.each(module + 1, |_, map| {
            if index == module {
                found = map;
            }
            index += 1;
        });
        if found == 0 {
            return None;
        }
        // SAFETY: the link map of an object that is loaded, since the loader names it just now and
        // holds its lock.
        let offset = unsafe { ptr::read_volatile((found + self.map_offset) as *const usize) };
        // 0: no place decided yet; -1: decided to have none.
        (offset != 0 && offset != usize::MAX).then_some(offset)
    }
}

impl Module {
    /// # Safety
    /// `place` has room for the module's thread-locals, which nobody uses.
    unsafe fn write(&self, place: usize) {
        // SAFETY: the caller's obligation.
        unsafe { write_image(self.image, place, self.len) };
    }
}

/// Writes an image, and zeros up to `len`.
///
/// # Safety
/// `place` has room for `len` bytes, which nobody uses.
unsafe fn write_image(image: &[u8], place: usize, len: usize) {
    let place = place as *mut u8;
    // SAFETY: the caller vouches for the place, and it is none of ours.
    unsafe {
        ptr::copy_nonoverlapping(image.as_ptr(), place, image.len());
        ptr::write_bytes(place.add(image.len()), 0, len - image.len());
    }
}

struct Collect {
    own_code: [usize; 2],
    slots: SlotInfo,
    /// The modules of the set before, whose copies will do where they are the same.
    known: &'static [Module],
    modules: Vec<Module>,
    /// The highest number of all, those included that are not noted.
    last: usize,
}

/// Notes one object's thread-locals, unless it is the C library or the loader.
unsafe extern "C" fn collect_one(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    collect: *mut c_void,
) -> c_int {
    // SAFETY: `refresh` passes this; the info is valid during the call.
    let (info, collect) = unsafe { (&*info, &mut *collect.cast::<Collect>()) };
    let base = info.dlpi_addr as usize;
    collect.last = collect.last.max(info.dlpi_tls_modid);
    // SAFETY: the info is valid.
    let is_own =
        unsafe { headers_of(info) }.iter().filter(|h| h.p_type == libc::PT_LOAD).any(|h| {
            let start = base + h.p_vaddr as usize;
            collect.own_code.iter().any(|code| (start..start + h.p_memsz as usize).contains(code))
        });
    if is_own {
        return 0;
    }
    // SAFETY: the info is valid.
    for (image, len) in unsafe { thread_locals_of(info) } {
        let id = info.dlpi_tls_modid;
        let known = collect.known.iter().map(|module| module.image).find(|known| *known == image);
        let image = known.unwrap_or_else(|| Box::leak(Box::from(image)));
        // SAFETY: this is the callback.
        let below = unsafe { collect.slots.static_offset(id) };
        collect.modules.push(Module { id, image, len, below });
    }
    0
}

/// # Safety
/// The loader passed `info`, and its callback goes on.
unsafe fn headers_of(info: &libc::dl_phdr_info) -> &[libc::Elf64_Phdr] {
    // SAFETY: the loader gives the address and the number of program headers.
    unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum as usize) }
}

/// The image and the size of an object's thread-locals: none or one.
///
/// # Safety
/// As [`headers_of`].
unsafe fn thread_locals_of(info: &libc::dl_phdr_info) -> impl Iterator<Item = (&[u8], usize)> {
    // SAFETY: the caller's obligation.
    let headers = unsafe { headers_of(info) };
    headers.iter().filter(|h| h.p_type == libc::PT_TLS).map(|header| {
        let image = (info.dlpi_addr as usize + header.p_vaddr as usize) as *const u8;
        // SAFETY: a part of the object, which is loaded during the callback.
        let image = unsafe { std::slice::from_raw_parts(image, header.p_filesz as usize) };
        (image, header.p_memsz as usize)
    })
}

/// Restores the modules whose place the loader chose for this thread when it first used them.
///
/// # Safety
/// As [`Modules::restore`].
unsafe fn restore_dynamic(set: &Set) {
    unsafe extern "C" fn one(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        set: *mut c_void,
    ) -> c_int {
        // SAFETY: `restore_dynamic` passes the set; the info is valid during the call.
        let (info, set) = unsafe { (&*info, &*set.cast::<Set>()) };
        let is_this = |m: &Module| m.below.is_none() && m.id == info.dlpi_tls_modid;
        if info.dlpi_tls_data.is_null() || !set.modules.iter().any(is_this) {
            return 0;
        }
        // The image is the one that is loaded now, whatever was when the set was made.
        // SAFETY: the loader's place for this module in the running thread, which the caller of
        // `restore` says is free to be overwritten.
        unsafe {
            for (image, len) in thread_locals_of(info) {
                write_image(image, info.dlpi_tls_data as usize, len);
            }
        }
        0
    }
    // SAFETY: the callback reads the set alone.
    unsafe { libc::dl_iterate_phdr(Some(one), ptr::from_ref(set).cast_mut().cast()) };
}
