//! `lisle run`: an unmodified program, its threads as coroutines.
//!
//! The program is looked at, and executed with the library in `LD_PRELOAD`, if that can work. What
//! cannot is executed as it is, or refused, and one line tells why.

mod library;
mod options;
mod program;

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use options::{Options, Request};
use program::Verdict;

/// Statuses as of env(1) and its like: of ours, of what cannot be executed, of what is not there.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The subcommand. Returns only if the program is not executed.
pub(crate) fn main(args: Vec<OsString>) -> ExitCode {
    let options = match options::parse(args) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            print!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprint!("lisle: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(FAILED);
        }
    };
    let name = options.program.display().to_string();
    let Some(path) = program::find(&options.program) else {
        eprintln!("lisle: there is no program {name}");
        return ExitCode::from(NOT_FOUND);
    };
    match program::judge(&path) {
        Verdict::Fit => with_library(&options, &name),
        Verdict::Unfit(reason) => {
            eprintln!("lisle: {name} runs without coroutines: {reason}");
            failed(&execute_file(&path, &options), &name)
        }
        Verdict::Refused(reason) => {
            eprintln!("lisle: {name} cannot run here: {reason}");
            ExitCode::from(NOT_EXECUTABLE)
        }
    }
}

fn plain(options: &Options) -> Command {
    let mut command = Command::new(&options.program);
    command.args(&options.arguments);
    command
}

/// Executes the program with the library.
fn with_library(options: &Options, name: &str) -> ExitCode {
    let library = match library::find() {
        Ok(library) => library,
        Err(problem) => {
            eprintln!("lisle: {problem}");
            return ExitCode::from(FAILED);
        }
    };
    let mut command = plain(options);
    command.env("LD_PRELOAD", preload(&library));
    // The process stays this one when it executes the program.
    let whom = match options.children {
        true => "children".to_owned(),
        false => std::process::id().to_string(),
    };
    command.env("LISLE_RUN", if options.stats { whom + ",stats" } else { whom });
    for (variable, value) in &options.settings {
        command.env(variable, value);
    }
    execute(command, name)
}

/// What is to be preloaded: the library, then what already was.
fn preload(library: &Path) -> OsString {
    let mut all = library.as_os_str().to_owned();
    let before = std::env::var_os("LD_PRELOAD").filter(|before| !before.is_empty());
    if let Some(before) = before {
        all.push(OsStr::new(":"));
        all.push(before);
    }
    all
}

/// Executes the file as it is. `Command` would have a shell read what the kernel cannot execute.
fn execute_file(path: &Path, options: &Options) -> Error {
    let string = |text: &OsStr| CString::new(text.as_bytes()).ok();
    let all = [&options.program].into_iter().chain(&options.arguments);
    let all: Option<Vec<CString>> = all.map(|text| string(text)).collect();
    let (Some(path), Some(all)) = (string(path.as_os_str()), all) else {
        return ErrorKind::InvalidInput.into();
    };
    let mut pointers: Vec<*const c_char> = all.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: C strings, and a vector of them that ends with null. What Rust's start ignores is
    // not to be ignored there.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execv(path.as_ptr(), pointers.as_ptr());
    }
    Error::last_os_error()
}

fn execute(mut command: Command, name: &str) -> ExitCode {
    failed(&command.exec(), name)
}

fn failed(error: &Error, name: &str) -> ExitCode {
    eprintln!("lisle: cannot execute {name}: {error}");
    ExitCode::from(match error.kind() {
        ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    })
}
