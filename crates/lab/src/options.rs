//! The command line of `lab bench`.

use std::path::PathBuf;

use crate::USAGE;

/// What to run, how often, and where the figures go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Less of everything: a look, not a result.
    pub(crate) quick: bool,
    /// Rounds, if not the default.
    pub(crate) rounds: Option<usize>,
    /// Names of the systems; all if empty.
    pub(crate) systems: Vec<String>,
    /// Names of cases or variants; all if empty.
    pub(crate) cases: Vec<String>,
    /// A file for the figures.
    pub(crate) csv: Option<PathBuf>,
    /// The folder of published runs.
    pub(crate) publish: Option<PathBuf>,
    /// A neutral name of this machine, for a published run.
    pub(crate) host: Option<String>,
}

impl Options {
    /// Reads the arguments after `bench`.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options::default();
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(positive(&value()?)?),
                "--systems" => {
                    options.systems = value()?.split(',').map(str::to_owned).collect();
                }
                "--csv" => options.csv = Some(value()?.into()),
                "--publish" => options.publish = Some(value()?.into()),
                "--host" => options.host = Some(value()?),
                _ if arg.starts_with('-') => return Err(format!("unknown option {arg}\n{USAGE}")),
                _ => options.cases.push(arg),
            }
        }
        if options.publish.is_some() && options.host.is_none() {
            return Err("--publish needs --host NAME: runs are named by date and machine".into());
        }
        Ok(options)
    }

    /// The number of rounds.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 })
    }
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or(format!("not a positive number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_options_and_cases() {
        let options = parse("--quick --systems lisle,go --csv out.csv yield park").unwrap();
        assert!(options.quick);
        assert_eq!(options.rounds(), 3);
        assert_eq!(options.systems, ["lisle", "go"]);
        assert_eq!(options.csv, Some("out.csv".into()));
        assert_eq!(options.cases, ["yield", "park"]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(parse("--fast").is_err());
        assert!(parse("--csv").is_err());
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--publish runs").is_err());
    }
}
