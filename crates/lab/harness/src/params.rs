//! The command line of a harness program: `CASE name=value...`.

use std::process::ExitCode;

use crate::Outcome;

/// The case to run and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    case: String,
    values: Vec<(String, String)>,
}

impl Params {
    /// Reads `CASE name=value...`.
    ///
    /// # Errors
    /// If there is no case, or a parameter is not a name and a value.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Outcome<Self> {
        let mut args = args.into_iter();
        let case = args.next().ok_or("usage: CASE name=value...")?;
        let parameter = |arg: String| {
            let (name, value) = arg.split_once('=').ok_or(format!("not name=value: {arg}"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        let values = args.map(parameter).collect::<Outcome<_>>()?;
        Ok(Params { case, values })
    }

    /// The name of the case.
    pub fn case(&self) -> &str {
        &self.case
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// If it was not given, or is no number.
    pub fn get(&self, name: &str) -> Outcome<usize> {
        let text = self.text(name)?;
        text.parse().map_err(|_| format!("not a number: {name}={text}"))
    }

    /// The value of a parameter that need not be a number.
    ///
    /// # Errors
    /// If it was not given.
    pub fn text(&self, name: &str) -> Outcome<&str> {
        let value = self.values.iter().find(|(given, _)| given == name);
        value.map(|(_, value)| &**value).ok_or(format!("{} needs {name}=VALUE", self.case))
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
        assert_eq!(params.get("ms"), Err("yield needs ms=VALUE".to_owned()));
    }

    #[test]
    fn values_may_be_texts() {
        assert_eq!(parse("files path=/a=b").unwrap().text("path"), Ok("/a=b"));
    }

    #[test]
    fn refuses_what_is_no_number() {
        assert!(parse("").is_err());
        assert!(parse("yield tasks").is_err());
        assert!(parse("yield tasks=two").unwrap().get("tasks").is_err());
    }
}
