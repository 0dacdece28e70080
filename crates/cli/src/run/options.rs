//! The arguments of `lisle run`.

use std::ffi::{OsStr, OsString};

pub(super) const USAGE: &str = "\
Run an unmodified program, with its threads as coroutines.

Usage: lisle run [options] [--] PROGRAM [ARGUMENT]...

Options:
  --workers N       OS threads that run coroutines at the same time [default: the CPUs]
  --stack-size S    Stack of threads that are made without saying how large, in bytes, or with k,
                    M or G behind the number [default: as without Lisle, mostly 8M]
  --poller P        How coroutines wait: uring or epoll [default: uring where it works]
  --slice T         How long a thread may compute while others wait: 10ms, 500us or off, for ever
                    [default: 10ms]
  --stats           When the program ends, tell on standard error what it took
  --children        Preload the library also into programs that the program starts
  -h, --help        Print this help

The exit status is the program's; 125 if the options make no sense, 126 if the program cannot be
executed or must not be, 127 if it is not there.
";

/// What to run.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Variables of the runtime, with their values.
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) stats: bool,
    pub(super) children: bool,
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Run(Options),
    Help,
}

/// Reads the arguments; the error says what is wrong with them.
pub(super) fn parse(args: Vec<OsString>) -> Result<Request, String> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    let program = loop {
        let arg = args.next().ok_or("a program is missing")?;
        let Some(text) = arg.to_str().filter(|text| text.starts_with('-')) else { break arg };
        if text == "--" {
            break args.next().ok_or("a program is missing")?;
        }
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text, None),
        };
        match (name, &attached) {
            ("-h" | "--help", None) => return Ok(Request::Help),
            ("--stats", None) => options.stats = true,
            ("--children", None) => options.children = true,
            ("--workers" | "--stack-size" | "--poller" | "--slice", _) => {
                let value = attached.or_else(|| args.next()).unwrap_or_default();
                options.settings.push(setting(name, &value)?);
            }
            _ => return Err(format!("run has no option {text:?}")),
        }
    };
    options.program = program;
    options.arguments = args.collect();
    Ok(Request::Run(options))
}

/// The variable that an option sets, and to what.
fn setting(name: &str, value: &OsStr) -> Result<(&'static str, String), String> {
    let text = value.to_str().unwrap_or_default();
    let wrong = |what: &str| format!("{name} is {what}, not {value:?}");
    match name {
        "--workers" => {
            let count: Option<usize> = text.parse().ok().filter(|n| (1..=1024).contains(n));
            let count = count.ok_or_else(|| wrong("a number from 1 to 1024"))?;
            Ok(("LISLE_WORKERS", count.to_string()))
        }
        "--stack-size" => {
            let bytes = bytes(text).filter(|bytes| (1..=1 << 30).contains(bytes));
            let bytes =
                bytes.ok_or_else(|| wrong("a size up to 1G, such as 262144, 256k or 8M"))?;
            Ok(("LISLE_STACK_SIZE", bytes.to_string()))
        }
        "--slice" => match is_slice(text) {
            true => Ok(("LISLE_SLICE", text.to_owned())),
            false => Err(wrong("a time, such as 10ms or 500us, or off")),
        },
        _ => match text {
            "uring" | "epoll" => Ok(("LISLE_POLLER", text.to_owned())),
            _ => Err(wrong("uring or epoll")),
        },
    }
}

/// Whether it is what `LISLE_SLICE` can be.
fn is_slice(text: &str) -> bool {
    let number = ["us", "ms", "s"].iter().find_map(|unit| text.strip_suffix(unit));
    text == "off" || number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// A number of bytes, which a unit may follow.
fn bytes(text: &str) -> Option<u64> {
    let shift = match text.chars().last()?.to_ascii_lowercase() {
        'k' => 10,
        'm' => 20,
        'g' => 30,
        _ => return text.parse().ok(),
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Options {
        match parse(args.iter().map(OsString::from).collect()) {
            Ok(Request::Run(options)) => options,
            other => panic!("{args:?}: {other:?}"),
        }
    }

    fn problem(args: &[&str]) -> String {
        parse(args.iter().map(OsString::from).collect()).unwrap_err()
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        let options = run(&["--stats", "ls", "--workers", "-l"]);
        assert_eq!((options.program, options.stats), ("ls".into(), true));
        assert_eq!(options.arguments, ["--workers", "-l"]);
        assert!(options.settings.is_empty());
        let options = run(&["--", "--odd", "--", "x"]);
        assert_eq!(options.program, "--odd");
        assert_eq!(options.arguments, ["--", "x"]);
    }

    #[test]
    fn options_become_variables() {
        let options =
            run(&["--workers=3", "--stack-size", "256k", "--poller", "epoll", "--slice=off", "p"]);
        let set = |name, value: &str| (name, value.to_owned());
        let wanted = [
            set("LISLE_WORKERS", "3"),
            set("LISLE_STACK_SIZE", "262144"),
            set("LISLE_POLLER", "epoll"),
            set("LISLE_SLICE", "off"),
        ];
        assert_eq!(options.settings, wanted);
    }

    #[test]
    fn nonsense_is_told() {
        assert!(problem(&[]).contains("missing"));
        assert!(problem(&["--stats", "--"]).contains("missing"));
        assert!(problem(&["--workers", "0", "p"]).contains("1 to 1024"));
        assert!(problem(&["--workers"]).contains("1 to 1024"));
        assert!(problem(&["--stack-size=2G", "p"]).contains("up to 1G"));
        assert!(problem(&["--poller", "select", "p"]).contains("uring or epoll"));
        assert!(problem(&["--slice=soon", "p"]).contains("10ms"));
        assert!(problem(&["--stats=1", "p"]).contains("no option"));
        assert!(problem(&["--fast", "p"]).contains("--fast"));
    }
}
