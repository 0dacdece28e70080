//! Where the library is that is preloaded.

use std::env;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::SystemTime;

const NAME: &str = "liblisle_preload.so";

/// Folders in which it may be, from that of the command: as Cargo builds it, as it is installed.
const FOLDERS: [&str; 4] = [".", "deps", "../lib/lisle", "../lib"];

/// The newest of those that there are: what Cargo builds for the command alone it leaves in `deps`,
/// beside what an earlier build may have left elsewhere.
pub(super) fn find() -> Result<PathBuf, String> {
    let command = env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
    let here = command.parent().ok_or("it is in no folder")?;
    let candidates = FOLDERS.iter().map(|folder| here.join(folder).join(NAME));
    let made = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let existing = candidates.filter_map(|path| made(&path).map(|when| (when, path)));
    let Some((_, path)): Option<(SystemTime, PathBuf)> = existing.max() else {
        return Err(format!(
            "{NAME} is not there: it is looked for in {}, and in {} beside it. It is built with \
             the command: cargo build --release",
            here.display(),
            FOLDERS[1..].join(", "),
        ));
    };
    let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    // The loader takes these for separators, and knows no way to write them otherwise.
    if path.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b' ' | b':')) {
        return Err(format!(
            "the loader cannot preload {}: there is a blank or a colon in its path; move it",
            path.display()
        ));
    }
    Ok(path)
}
