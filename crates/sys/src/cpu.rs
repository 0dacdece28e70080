//! What this processor and kernel allow.

/// Whether user space may change the FS base with an instruction (Linux >= 5.9, and not switched
/// off): bit 1 of the second hardware word. The processor's own flag does not tell, since the
/// kernel may keep the instruction disabled.
pub fn has_fsgsbase() -> bool {
    // SAFETY: reads the process's auxiliary vector.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & 2 != 0 }
}

/// Whether this thread runs with a shadow stack, which a plain stack switch would violate.
pub fn has_shadow_stack() -> bool {
    const ARCH_SHSTK_STATUS: usize = 0x5005;
    const ARCH_SHSTK_SHSTK: u64 = 1;
    let mut features = 0_u64;
    // SAFETY: the call writes one word to the given place, or fails.
    let known = unsafe {
        crate::syscall(
            libc::SYS_arch_prctl,
            [ARCH_SHSTK_STATUS, (&raw mut features) as usize, 0, 0, 0, 0],
        )
    };
    known.is_ok() && features & ARCH_SHSTK_SHSTK != 0
}
