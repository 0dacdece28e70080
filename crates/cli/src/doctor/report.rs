//! What the doctor finds, line by line.

use crate::text::wrapped;

/// One finding.
#[derive(Clone, Debug)]
pub(super) struct Check {
    name: &'static str,
    value: String,
    lack: Option<Lack>,
}

#[derive(Clone, Debug)]
struct Lack {
    is_fatal: bool,
    /// What happens so.
    effect: String,
    remedy: String,
}

impl Check {
    /// All is well.
    pub(super) fn good(name: &'static str, value: impl Into<String>) -> Self {
        Check { name, value: value.into(), lack: None }
    }

    /// Something is missing that Lisle does without, or there is little of it.
    pub(super) fn less(
        name: &'static str,
        value: impl Into<String>,
        effect: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let lack = Lack { is_fatal: false, effect: effect.into(), remedy: remedy.into() };
        Check { name, value: value.into(), lack: Some(lack) }
    }

    /// Coroutines cannot run on a few OS threads.
    pub(super) fn fatal(
        name: &'static str,
        value: impl Into<String>,
        effect: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let lack = Lack { is_fatal: true, effect: effect.into(), remedy: remedy.into() };
        Check { name, value: value.into(), lack: Some(lack) }
    }
}

/// Prints what was found about one topic.
pub(super) fn print(title: &str, checks: &[Check]) {
    const INDENT: usize = 8;
    const VALUE: usize = 26;
    println!("{title}");
    for Check { name, value, lack } in checks {
        let mark = match lack {
            None => "ok",
            Some(Lack { is_fatal: false, .. }) => "less",
            Some(Lack { is_fatal: true, .. }) => "FAIL",
        };
        let value = wrapped(value, VALUE);
        print!("  {mark:<4}  {name:<17} {}", value.trim_start());
        if let Some(lack) = lack {
            print!("{}", wrapped(&format!("so: {}", lack.effect), INDENT));
            print!("{}", wrapped(&format!("remedy: {}", lack.remedy), INDENT));
        }
    }
    println!();
}
