//! Which kernel this is.

use super::kernel_text;
use crate::doctor::report::Check;

pub(super) fn checks() -> Vec<Check> {
    let text = |name| kernel_text(&format!("/proc/sys/kernel/{name}"));
    let text = |name| text(name).unwrap_or_else(|| "unknown".to_owned());
    vec![Check::good("kernel", format!("{} {}", text("ostype"), text("osrelease")))]
}
