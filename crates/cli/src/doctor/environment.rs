//! Which environment variables are set, and which of them are ignored.

use lisle::runtime;

use super::report::Check;

/// What tests and the laboratory read.
const OTHERS: [&str; 3] = ["LISLE_SEEDS", "LISLE_TEST_CHILD", "LISLE_TEST_UPDATE"];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    let known = runtime::variables();
    for variable in &known {
        let value = variable.value.to_string_lossy();
        checks.push(if variable.is_usable {
            Check::good(variable.name, value)
        } else {
            Check::less(
                variable.name,
                value,
                "it is ignored: not a value that it can have",
                format!("unset {}, or set a value that PLATFORM.md names", variable.name),
            )
        });
    }
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("LISLE_")) else { continue };
        let is_known = runtime::VARIABLES.contains(&name);
        if !is_known && !OTHERS.contains(&name) {
            checks.push(Check::less(
                "unknown",
                name,
                "it is ignored: no variable of this name is read",
                format!("unset {name}; those that there are: {}", runtime::VARIABLES.join(", ")),
            ));
        }
    }
    if checks.is_empty() {
        checks.push(Check::good("variables", "none is set"));
    }
    checks
}
