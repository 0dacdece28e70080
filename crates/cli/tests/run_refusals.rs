//! `lisle run`: what it runs without coroutines, and what it refuses to run, with one line that
//! tells why.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod running;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use running::{Ended, Folder, LISLE, build, build_with, command, lisle_run, run};

/// The statuses of env(1) and its like.
const FAILED: i32 = 125;
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// The lines of the command's own.
fn told(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter(|line| line.starts_with("lisle: ")).collect()
}

/// One line, which has these words.
#[track_caller]
fn expect_line(ended: &Ended, words: &[&str]) {
    let lines = told(ended);
    assert!(lines.len() == 1 && words.iter().all(|word| lines[0].contains(word)), "{ended}");
}

/// Runs a program under `lisle run --stats`.
fn with_stats(program: &Path, args: &[&str]) -> Ended {
    run(lisle_run(&["--stats", "--"]).arg(program).args(args))
}

/// Whether its threads were coroutines.
fn had_coroutines(ended: &Ended) -> bool {
    ended.stderr.contains("threads made as coroutines") && !ended.stderr.contains("none were made")
}

const ARGS: [&str; 2] = ["in-turn", "10"];
const SAID: &str = "in turn: 10, sum 45\n";

#[test]
fn statically_linked_programs_run_as_they_are() {
    let ended = with_stats(&build_with("many.c", &["-static"]), &ARGS);
    expect_line(&ended, &["runs without coroutines", "statically linked"]);
    assert!(ended.stdout == SAID && ended.code() == 0 && !had_coroutines(&ended), "{ended}");
}

/// The note is in an object of its own, since Go's linker would put it there.
#[test]
fn programs_made_by_go_run_as_they_are() {
    let folder = Folder::new("go");
    let note = "// A note as Go's linker makes it.\n\
                .section .note.go.buildid, \"a\", @note\n\
                .p2align 2\n.long 4\n.long 4\n.long 4\n.asciz \"Go\\0\"\n.ascii \"same\"\n\
                .section .note.GNU-stack, \"\", @progbits\n";
    let source = folder.file("note.s", note.as_bytes(), 0o644);
    // Alone in its segment: the linker joins what has the same alignment, so it must come first.
    let flags = [source.to_str().unwrap(), "-Wl,--build-id=none"];
    let ended = with_stats(&build_with("many.c", &flags), &ARGS);
    assert!(ended.stdout == SAID && ended.code() == 0, "{ended}");
    expect_line(&ended, &["runs without coroutines", "Go"]);
}

#[test]
fn programs_for_other_processors_are_left_to_the_system() {
    let folder = Folder::new("other");
    let mut elf = std::fs::read(build("many.c")).unwrap();
    // The machine: 64-bit Arm.
    elf[18..20].copy_from_slice(&183_u16.to_le_bytes());
    let ended = run(lisle_run(&["--"]).arg(folder.executable("other", &elf)));
    assert_eq!(ended.code(), NOT_EXECUTABLE, "{ended}");
    assert!(told(&ended)[0].contains("another processor than x86-64"), "{ended}");
}

#[test]
fn files_that_make_no_sense_do_no_harm() {
    let folder = Folder::new("nonsense");
    let elf = std::fs::read(build("many.c")).unwrap();
    // Cut anywhere: the kernel's own answer, and never a crash of the command.
    for len in [0, 3, 4, 19, 20, 63, 64, 100, 400, 1000, elf.len() / 2] {
        let ended = run(lisle_run(&["--"]).arg(folder.executable("cut", &elf[..len])));
        assert!(ended.code() != 101, "{len}: {ended}");
    }
    let mut odd = elf.clone();
    for at in [32, 40, 54, 56, 58, 60, 62] {
        odd.copy_from_slice(&elf);
        odd[at..at + 2].copy_from_slice(&[0xff, 0xff]);
        let ended = run(lisle_run(&["--"]).arg(folder.executable("odd", &odd)).args(ARGS));
        assert!(ended.code() != 101, "{at}: {ended}");
    }
}

#[test]
fn programs_that_have_lisle_run_as_they_are() {
    let ended = run(&mut lisle_run(&["--", LISLE, "hooks", "read"]));
    expect_line(&ended, &["runs without coroutines", "pthread_"]);
    assert!(ended.stdout.contains("read: hooked") && ended.code() == 0, "{ended}");
}

#[test]
fn scripts_are_judged_by_their_interpreters() {
    let folder = Folder::new("scripts");
    let program = build("many.c");
    let line = format!("#!{}\n", program.display());
    let script = folder.executable("script", line.as_bytes());
    let outer = folder.executable("outer", format!("#!{} x\n", script.display()).as_bytes());
    // The interpreter's argument is the script's name: nothing is done, and that as coroutines.
    for path in [&script, &outer] {
        let ended = with_stats(path, &[]);
        assert!(ended.code() == 0 && told(&ended) == ["lisle: statistics"], "{ended}");
    }
    let still = build_with("many.c", &["-static"]);
    let script = folder.executable("static", format!("#!{}\n", still.display()).as_bytes());
    expect_line(&with_stats(&script, &[]), &["statically linked"]);
    // The process executes `env`, and that the shell, and that the program.
    let text = format!("#!/usr/bin/env sh\nexec '{}' in-turn 10\n", program.display());
    let ended = with_stats(&folder.executable("env", text.as_bytes()), &[]);
    assert!(ended.stdout == SAID && had_coroutines(&ended), "{ended}");
}

#[test]
fn what_cannot_be_executed_is_told_by_the_status() {
    let folder = Folder::new("missing");
    for name in ["no-such-program-anywhere", "/no/such/program", "./no/such"] {
        let ended = run(&mut lisle_run(&["--", name]));
        assert_eq!(ended.code(), NOT_FOUND, "{ended}");
        expect_line(&ended, &[name]);
    }
    let plain = folder.file("plain", b"text\n", 0o644);
    let ended = run(lisle_run(&["--"]).arg(&plain));
    assert_eq!(ended.code(), NOT_EXECUTABLE, "{ended}");
    expect_line(&ended, &["cannot execute"]);
    let ended = run(lisle_run(&["--"]).arg(&folder.0));
    assert!(matches!(ended.code(), NOT_EXECUTABLE | NOT_FOUND), "{ended}");
    let interpreter = folder.executable("orphan", b"#!/no/such/interpreter\n");
    let ended = run(lisle_run(&["--"]).arg(interpreter));
    assert!(matches!(ended.code(), NOT_EXECUTABLE | NOT_FOUND), "{ended}");
}

#[test]
fn options_that_make_no_sense_are_told() {
    for args in [
        &[][..],
        &["--"],
        &["--stats"],
        &["--workers", "0", "true"],
        &["--workers", "many", "true"],
        &["--stack-size", "2G", "true"],
        &["--poller", "select", "true"],
        &["--fast", "true"],
        &["--stats=1", "true"],
    ] {
        let ended = run(&mut lisle_run(args));
        assert!(ended.code() == FAILED && ended.stdout.is_empty(), "{args:?}: {ended}");
        assert!(ended.stderr.contains("Usage: lisle run"), "{args:?}: {ended}");
    }
    let ended = run(&mut lisle_run(&["--help"]));
    assert!(ended.code() == 0 && ended.stdout.contains("--children"), "{ended}");
}

#[test]
fn set_user_id_programs_are_refused() {
    // SAFETY: no arguments.
    if unsafe { libc::getuid() } != 0 {
        eprintln!("not tested: only root gives files to others");
        return;
    }
    let folder = Folder::new("rights");
    let elf = std::fs::read(build("many.c")).unwrap();
    for (name, mode, user, group) in [("user", 0o4755, 12345, 0), ("group", 0o2755, 0, 12345)] {
        let path = folder.executable(name, &elf);
        std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let ended = run(lisle_run(&["--"]).arg(&path).args(ARGS));
        assert!(ended.code() == NOT_EXECUTABLE && ended.stdout.is_empty(), "{ended}");
        expect_line(&ended, &["cannot run here", &format!("set-{name}-ID"), "loader"]);
    }
    // With the caller's own rights there is nothing to gain.
    let path = folder.executable("own", &elf);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let ended = with_stats(&path, &ARGS);
    assert!(ended.stdout == SAID && had_coroutines(&ended), "{ended}");
}

#[test]
fn exit_statuses_are_the_programs() {
    for status in [0, 1, 77, 125, 126, 127, 255] {
        let script = format!("exit {status}");
        assert_eq!(run(lisle_run(&["--", "sh", "-c", &script]).env("X", "y")).code(), status);
    }
    let ended = run(&mut lisle_run(&["--", "sh", "-c", "kill -TERM $$"]));
    assert_eq!(ended.code(), 1000 + libc::SIGTERM);
}

#[test]
fn children_have_the_library_if_that_is_wanted() {
    let seen = "echo \"[$LD_PRELOAD] [$LISLE_RUN] [$X]\"; sh -c 'echo \"child [$LD_PRELOAD]\"'";
    let ended = run(lisle_run(&["--", "sh", "-c", seen]).env("X", "kept"));
    assert_eq!(ended.stdout, "[] [] [kept]\nchild []\n", "{ended}");
    let ended = run(&mut lisle_run(&["--children", "--", "sh", "-c", seen]));
    assert!(ended.stdout.matches("liblisle_preload.so").count() == 2, "{ended}");
    // Threads of a child: of the kernel's, or coroutines.
    let program = build("many.c").display().to_string();
    let script = format!("'{program}' in-turn 10; exit 3");
    let ended = run(&mut lisle_run(&["--stats", "--", "sh", "-c", &script]));
    assert!(ended.stdout == SAID && ended.code() == 3 && !had_coroutines(&ended), "{ended}");
    let ended = run(&mut lisle_run(&["--stats", "--children", "--", "sh", "-c", &script]));
    assert!(ended.stdout == SAID && had_coroutines(&ended), "{ended}");
    // The same process stays, whatever it executes.
    let script = format!("exec env exec=1 '{program}' in-turn 10");
    let ended = run(&mut lisle_run(&["--stats", "--", "sh", "-c", &script]));
    assert!(ended.stdout == SAID && had_coroutines(&ended), "{ended}");
}

#[test]
fn what_was_preloaded_before_still_is() {
    let folder = Folder::new("preload");
    let text = "#include <unistd.h>\n\
                __attribute__((constructor)) static void f(void) { write(1, \"first\\n\", 6); }\n";
    let source = folder.file("own.c", text.as_bytes(), 0o644);
    let library = folder.0.join("own.so");
    let mut compiler = command("cc");
    compiler.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).arg(source);
    assert_eq!(run(&mut compiler).code(), 0);
    // Once for the command itself, once for the shell, once for its child.
    let seen = format!("first\nfirst\n{}\nfirst\n", library.display());
    let script = "echo \"$LD_PRELOAD\"; /bin/true; exit 0";
    let ended = run(lisle_run(&["--", "sh", "-c", script]).env("LD_PRELOAD", &library));
    assert_eq!(ended.stdout, seen, "{ended}");
}
