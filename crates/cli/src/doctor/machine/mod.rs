//! What processor, kernel, C library and limits allow, on platforms that can have coroutines.

mod calls;
mod hooks;
mod kernel;
mod library;
mod memory;
mod processor;
mod threads;
mod uring;

use super::report::Check;

/// The findings by topic.
pub(super) fn checks() -> Vec<(&'static str, Vec<Check>)> {
    vec![
        ("Platform", [processor::checks(), library::checks(), hooks::checks()].concat()),
        ("Kernel", [kernel::checks(), uring::checks(), calls::checks()].concat()),
        ("Limits", [threads::checks(), memory::checks()].concat()),
    ]
}

/// The text of a file that the kernel makes, without the line's end.
fn kernel_text(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The number in such a file.
fn kernel_number(path: &str) -> Option<u64> {
    kernel_text(path)?.parse().ok()
}

/// A limit of this process, soft and hard; `None` stands for none.
fn limit(which: libc::__rlimit_resource_t) -> (Option<u64>, Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a live place, which the call fills in. Should it fail, none is known.
    unsafe { libc::getrlimit(which, &raw mut limit) };
    let known = |value| (value != libc::RLIM_INFINITY).then_some(value);
    (known(limit.rlim_cur), known(limit.rlim_max))
}

/// A limit as people read it.
fn shown(value: Option<u64>) -> String {
    value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string())
}
