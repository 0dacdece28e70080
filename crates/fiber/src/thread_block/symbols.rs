//! The C library's private symbols, and the descriptors that tell where its fields are.
//!
//! For debuggers, glibc describes its layout in data of its own: `_thread_db_STRUCT_FIELD` is
//! three words, the size of the field in bits, the number of elements, and the offset. Reading
//! offsets from there instead of writing them down here is what makes the thread block survive
//! the next release of the library.

use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;

use super::Unsupported;
use super::exit::Exit;

/// `_dl_allocate_tls`: allocates the vector of thread-locals for the block at the given address
/// and initialises the static ones.
pub(super) type AllocateTls = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type StaticInfo = unsafe extern "C" fn(*mut usize, *mut usize);
type Plain = unsafe extern "C" fn();

/// Everything looked up by name, once.
#[derive(Debug)]
pub(super) struct Symbols {
    pub(super) allocate_tls: AllocateTls,
    pub(super) call_tls_destructors: Plain,
    /// Size of static thread-locals and control block, and their alignment.
    pub(super) tls_size: usize,
    pub(super) tls_align: usize,
    pub(super) sizeof_pthread: usize,
    pub(super) offset_tid: usize,
    /// Of older or newer libraries it may not be known.
    pub(super) exit: Option<Exit>,
    pub(super) offset_list: usize,
    pub(super) offset_dtv: usize,
    pub(super) offset_specific: usize,
    /// `_dl_stack_user` inside of the loader's globals: a list head.
    pub(super) stack_user: usize,
    /// `__pthread_keys`.
    pub(super) keys: usize,
    pub(super) slots: SlotInfo,
    /// Start of the area that the kernel writes the processor number to, from the thread pointer.
    pub(super) rseq: Option<isize>,
    /// An address in the C library and one in the loader, to tell which objects they are.
    pub(super) own_code: [usize; 2],
}

/// Where the loader notes which object owns which number of thread-locals.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotInfo {
    /// Address of the pointer to the first list node.
    pub(super) list: usize,
    pub(super) len: usize,
    pub(super) next: usize,
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) generation: usize,
    pub(super) map: usize,
    /// Offset of the static offset in a link map.
    pub(super) map_offset: usize,
}

impl Symbols {
    pub(super) fn look_up() -> Result<Self, Unsupported> {
        let static_info: StaticInfo = function(c"_dl_get_tls_static_info")?;
        let (mut tls_size, mut tls_align) = (0, 0);
        // SAFETY: the function writes two words to live places.
        unsafe { static_info(&raw mut tls_size, &raw mut tls_align) };
        let globals = address(c"_rtld_global")?;
        let allocate_tls = address(c"_dl_allocate_tls")?;
        Ok(Symbols {
            allocate_tls: function(c"_dl_allocate_tls")?,
            call_tls_destructors: function(c"__call_tls_dtors")?,
            tls_size,
            tls_align: tls_align.max(64),
            sizeof_pthread: number(c"_thread_db_sizeof_pthread")?,
            offset_tid: offset(c"_thread_db_pthread_tid")?,
            exit: offset(c"_thread_db_pthread_cancelhandling").ok().and_then(Exit::new),
            offset_list: offset(c"_thread_db_pthread_list")?,
            offset_dtv: offset(c"_thread_db_pthread_dtvp")?,
            offset_specific: offset(c"_thread_db_pthread_specific")?,
            stack_user: globals + offset(c"_thread_db_rtld_global__dl_stack_user")?,
            keys: address(c"__pthread_keys")?,
            slots: SlotInfo::look_up(globals)?,
            rseq: rseq_area(),
            own_code: [address(c"__call_tls_dtors")?, allocate_tls],
        })
    }
}

impl SlotInfo {
    fn look_up(globals: usize) -> Result<Self, Unsupported> {
        Ok(SlotInfo {
            list: globals + offset(c"_thread_db_rtld_global__dl_tls_dtv_slotinfo_list")?,
            len: offset(c"_thread_db_dtv_slotinfo_list_len")?,
            next: offset(c"_thread_db_dtv_slotinfo_list_next")?,
            first: offset(c"_thread_db_dtv_slotinfo_list_slotinfo")?,
            stride: number(c"_thread_db_sizeof_dtv_slotinfo")?,
            generation: offset(c"_thread_db_dtv_slotinfo_gen")?,
            map: offset(c"_thread_db_dtv_slotinfo_map")?,
            map_offset: offset(c"_thread_db_link_map_l_tls_offset")?,
        })
    }
}

/// The address of a symbol in any loaded object.
pub(super) fn address(name: &'static CStr) -> Result<usize, Unsupported> {
    // SAFETY: the name ends with NUL.
    match unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize {
        0 => Err(Unsupported::Symbol(name)),
        address => Ok(address),
    }
}

/// The function of that name.
fn function<F: Copy>(name: &'static CStr) -> Result<F, Unsupported> {
    let address = address(name)?;
    const { assert!(size_of::<F>() == size_of::<usize>()) };
    // SAFETY: F is a function pointer type, and the library's function has that signature.
    Ok(unsafe { transmute_copy(&address) })
}

/// The number that a symbol holds.
fn number(name: &'static CStr) -> Result<usize, Unsupported> {
    // SAFETY: these symbols are 32-bit numbers.
    Ok(unsafe { *(address(name)? as *const u32) } as usize)
}

/// The offset in a descriptor.
pub(super) fn offset(name: &'static CStr) -> Result<usize, Unsupported> {
    // SAFETY: descriptors are three 32-bit numbers, the offset last.
    Ok(unsafe { (*(address(name)? as *const [u32; 3]))[2] } as usize)
}

/// Where the kernel writes the processor number of a registered thread, if glibc registers them.
fn rseq_area() -> Option<isize> {
    let offset = address(c"__rseq_offset").ok()?;
    let size = address(c"__rseq_size").ok()?;
    // SAFETY: public symbols of glibc >= 2.35: a ptrdiff_t and an unsigned int.
    unsafe { (*(size as *const u32) != 0).then(|| *(offset as *const isize)) }
}
