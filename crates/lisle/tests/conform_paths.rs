//! Every hooked call about files and paths, under all of its names, as C code calls it: results,
//! `errno` and side effects are those that an OS thread sees.
//!
//! The calls are in `fixtures/paths.c`. More about single ones is in `files.rs` and `paths.rs`.

mod util;

use std::ffi::{CStr, c_char};

use util::{Folder, Witness, c_path, twins};

#[test]
fn every_call_under_every_name() {
    twins(|coroutine| {
        let library = util::load("paths.c", &[]);
        let folder = Folder::new("conform-paths", coroutine);
        let path = c_path(&folder.0);
        let mut text = vec![0_u8; 1 << 16];
        // SAFETY: the fixture's function has this type; a C string, a place of that length.
        let seen = unsafe {
            let report: extern "C" fn(*const c_char, *mut c_char, usize) = library.get("report");
            report(path.as_ptr(), text.as_mut_ptr().cast(), text.len());
            CStr::from_ptr(text.as_ptr().cast()).to_str().unwrap()
        };
        let lines: Vec<_> = seen.lines().map(str::to_owned).collect();
        assert!(lines.len() > 200 && lines.last().is_some_and(|line| line == "close(at): 0 77"));
        lines
    });
}

/// Calls about files that are slow, because something is to be written to the disk, let others run.
/// How slow they are depends on the machine, so they are repeated until somebody was seen to.
#[test]
fn others_run_while_files_are_synced() {
    twins(|coroutine| {
        let folder = Folder::new("conform-sync", coroutine);
        let (witness, stop) = Witness::start(coroutine);
        let before = witness.steps();
        let mut rounds = 0;
        while witness.steps() < before + 3 {
            let file = std::fs::File::create(folder.at("file")).unwrap();
            std::io::Write::write_all(&mut &file, &vec![7; 4 << 20]).unwrap();
            file.sync_all().unwrap();
            rounds += 1;
        }
        stop();
        vec![format!("{}", rounds > 0)]
    });
}
