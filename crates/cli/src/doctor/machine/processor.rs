//! The processor, and what the kernel lets user space do with it.

use lisle_sys::cpu;

use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = format!("{}, {usable} usable", std::env::consts::ARCH);
    vec![Check::good("processor", processor), fsgsbase(), shadow_stack()]
}

fn fsgsbase() -> Check {
    let name = "FSGSBASE";
    if cpu::has_fsgsbase() {
        return Check::good(name, "user space may set the FS base");
    }
    Check::fatal(
        name,
        "user space may not set the FS base",
        "each coroutine is an OS thread",
        "Linux 5.9 or later on a processor that has FSGSBASE (Intel since 2012, AMD since 2015), \
         and no `nofsgsbase` on the kernel's command line",
    )
}

fn shadow_stack() -> Check {
    let name = "shadow stack";
    if !cpu::has_shadow_stack() {
        return Check::good(name, "not in use");
    }
    Check::fatal(
        name,
        "in use",
        "each coroutine is an OS thread: switching stacks would violate it",
        "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
    )
}
