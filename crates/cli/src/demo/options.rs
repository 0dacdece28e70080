//! The arguments of `lisle demo`. Four options need no parser crate.

use std::path::PathBuf;

pub(super) const USAGE: &str = "\
Run one HTTP server on coroutines, then on OS threads, under the same load, and compare them.

Usage: lisle demo [options]

Options:
  --connections N    Keep-alive connections to open [default: 10000]
  --seconds S        Seconds of load on each of the two systems [default: 5]
  --report FILE      Where to write the HTML report [default: in the temporary directory]
  --json FILE        Also write the figures as JSON
  -h, --help         Print this help
";

/// What to run.
#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub(super) connections: usize,
    pub(super) seconds: f64,
    pub(super) report: Option<PathBuf>,
    pub(super) json: Option<PathBuf>,
}

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
pub(super) enum Request {
    Run(Options),
    Help,
}

/// Reads the arguments; the error says what is wrong with them.
pub(super) fn parse(args: &[String]) -> Result<Request, String> {
    let mut options = Options { connections: 10_000, seconds: 5.0, report: None, json: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (name, attached) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        if matches!(name, "-h" | "--help") {
            return Ok(Request::Help);
        }
        if !matches!(name, "--connections" | "--seconds" | "--report" | "--json") {
            return Err(format!("there is no option {name:?}"));
        }
        let value = attached
            .or_else(|| args.next().cloned())
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("{name} needs a value"))?;
        match name {
            "--connections" => options.connections = connections(&value)?,
            "--seconds" => options.seconds = seconds(&value)?,
            "--report" => options.report = Some(value.into()),
            _ => options.json = Some(value.into()),
        }
    }
    Ok(Request::Run(options))
}

fn connections(value: &str) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|count| (1..=10_000_000).contains(count))
        .ok_or_else(|| format!("--connections is from 1 to 10000000, not {value:?}"))
}

fn seconds(value: &str) -> Result<f64, String> {
    value
        .parse()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds))
        .ok_or_else(|| format!("--seconds is from 0.1 to 3600, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Request, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn defaults() {
        let defaults = Options { connections: 10_000, seconds: 5.0, report: None, json: None };
        assert_eq!(parse_words(""), Ok(Request::Run(defaults)));
    }

    #[test]
    fn values_apart_and_attached() {
        let wanted = Options {
            connections: 7,
            seconds: 0.5,
            report: Some("r.html".into()),
            json: Some("j".into()),
        };
        let line = "--connections 7 --seconds=0.5 --report r.html --json=j";
        assert_eq!(parse_words(line), Ok(Request::Run(wanted)));
    }

    #[test]
    fn refused() {
        for line in [
            "--connections",
            "--connections 0",
            "--connections -1",
            "--connections=",
            "--seconds NaN",
            "--seconds 0",
            "--fast",
            "here",
        ] {
            assert!(parse_words(line).is_err(), "{line}");
        }
    }

    #[test]
    fn help_wins() {
        assert_eq!(parse_words("--connections 7 --help"), Ok(Request::Help));
    }
}
