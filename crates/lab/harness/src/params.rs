//! The command line of a harness program: `CASE name=value...`.

use std::process::ExitCode;

use crate::Outcome;

/// The case to run and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    case: String,
    values: Vec<(String, usize)>,
}

impl Params {
    /// Reads `CASE name=value...`.
    ///
    /// # Errors
    /// If there is no case, or a parameter is not a name and a number.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Outcome<Self> {
        let mut args = args.into_iter();
        let case = args.next().ok_or("usage: CASE name=value...")?;
        let values = args.map(|arg| Self::parse_value(&arg)).collect::<Outcome<_>>()?;
        Ok(Params { case, values })
    }

    fn parse_value(arg: &str) -> Outcome<(String, usize)> {
        let (name, value) = arg.split_once('=').ok_or(format!("not name=value: {arg}"))?;
        let value = value.parse().map_err(|_| format!("not a number: {arg}"))?;
        Ok((name.to_owned(), value))
    }

    /// The name of the case.
    pub fn case(&self) -> &str {
        &self.case
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// If it was not given.
    pub fn get(&self, name: &str) -> Outcome<usize> {
        self.values
            .iter()
            .find_map(|(given, value)| (given == name).then_some(*value))
            .ok_or(format!("{} needs {name}=NUMBER", self.case))
    }
}

/// The `main` of a harness program: runs `case` with the parameters in `args`.
pub fn run(
    args: impl IntoIterator<Item = String>,
    case: impl FnOnce(&Params) -> Outcome<()>,
) -> ExitCode {
    match Params::parse(args).and_then(|params| case(&params)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Params> {
        Params::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_case_and_values() {
        let params = parse("yield tasks=2 workers=1").unwrap();
        assert_eq!(params.case(), "yield");
        assert_eq!(params.get("tasks"), Ok(2));
        assert_eq!(params.get("ms"), Err("yield needs ms=NUMBER".to_owned()));
    }

    #[test]
    fn refuses_what_is_no_number() {
        assert!(parse("").is_err());
        assert!(parse("yield tasks").is_err());
        assert!(parse("yield tasks=two").is_err());
    }
}
