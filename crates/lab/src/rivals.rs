//! Building the rivals' harness programs, on first use and never with the product.
//!
//! Sources are in `rival/` beside this crate; what is built goes to `lab-rival` in Cargo's target
//! directory. Cargo and Go know by themselves what is up to date. What cannot be built is skipped,
//! with the reason.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::system::Program;

/// Where the sources are.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rival")
}

/// Cargo's target directory.
pub(crate) fn target_directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").components().collect()
    })
}

/// The Go tool: `$GO`, else `go` on the path.
pub(crate) fn go() -> PathBuf {
    env::var_os("GO").map_or_else(|| "go".into(), PathBuf::from)
}

/// Builds a program and says where it is; none for the laboratory itself.
pub(crate) fn build(program: Program) -> Result<Option<PathBuf>, String> {
    if program == Program::Own {
        return Ok(None);
    }
    if !sources().is_dir() {
        return Err(format!("its sources are not at {}", sources().display()));
    }
    let target = target_directory().join("lab-rival");
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let built = match program {
        Program::Own => return Ok(None),
        Program::Cargo(name) => build_cargo(name, &target)?,
        Program::Go => build_go(&target)?,
        Program::C { name, library } => build_c(name, library, &target)?,
    };
    Ok(Some(built))
}

fn build_cargo(name: &str, target: &Path) -> Result<PathBuf, String> {
    let package = format!("rival-{name}");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", &package]);
    cargo.arg("--manifest-path").arg(sources().join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    succeed(cargo)?;
    Ok(target.join("release").join(package))
}

fn build_go(target: &Path) -> Result<PathBuf, String> {
    let program = target.join("rival-go");
    let mut command = Command::new(go());
    command.arg("build").arg("-o").arg(&program).arg(".").current_dir(sources().join("go"));
    // Neither another toolchain nor version control is to be asked.
    command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-buildvcs=false");
    command.env("GOCACHE", target.join("go-cache"));
    succeed(command)?;
    Ok(program)
}

fn build_c(name: &str, library: Option<&str>, target: &Path) -> Result<PathBuf, String> {
    let program = target.join(format!("rival-c-{name}"));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-o"]).arg(&program);
    cc.arg(sources().join("c").join(format!("{name}.c")));
    cc.args(library.map(|library| format!("-l{library}")));
    succeed(cc)?;
    Ok(program)
}

/// Runs a build; its first complaint is the reason if it fails.
fn succeed(mut command: Command) -> Result<(), String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let telling = |line: &&str| line.contains("error") || line.contains("required");
    let lines = || complaints.lines().map(str::trim).filter(|line| !line.is_empty());
    let reason = lines().find(telling).or_else(|| lines().next()).unwrap_or("no reason given");
    Err(format!("{program}: {reason}"))
}
