//! `lisle run`: programs whose threads are coroutines say and do what they do natively.
//!
//! Each test builds a program, runs it natively and under `lisle run`, with both pollers, with one
//! worker and with as many as there are processors, and compares the lines that it prints and how
//! it ends.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod running;

use running::{LISLE, WAYS, build, command, compare, lisle_run, run};

#[test]
fn joins() {
    let native = compare(&build("joins.c"), &[]);
    assert_eq!(native.code(), 3, "{native}");
}

/// The C library notices it only if the two do not come at the same time, and hangs then.
#[test]
fn of_two_who_join_each_other_one_is_told() {
    for way in WAYS {
        let ended = run(lisle_run(way).arg(build("joins.c")).arg("mutual"));
        assert_eq!(ended.stdout, "mutual: 1 told, 1 joined\n", "{way:?}: {ended}");
    }
}

#[test]
fn attributes() {
    compare(&build("attributes.c"), &[]);
}

#[test]
fn data_of_threads() {
    compare(&build("specific.c"), &[]);
}

#[test]
fn cancellation() {
    compare(&build("cancel.c"), &[]);
}

#[test]
fn ids_and_signals() {
    compare(&build("ids.c"), &[]);
    compare(&build("ids.c"), &["set-address"]);
}

#[test]
fn ends_of_threads_and_of_main() {
    let program = build("ends.c");
    for how in ["values", "return", "exit", "_exit"] {
        compare(&program, &[how]);
    }
    for how in ["main-exits", "main-exits-chain", "main-exits-alone", "main-exits-first"] {
        let native = compare(&program, &[how]);
        assert!(native.code() == 0 && native.stdout.contains("atexit"), "{how}: {native}");
    }
}

#[test]
fn ends_by_signals() {
    let program = build("ends.c");
    let ends = [
        ("abort", libc::SIGABRT),
        ("fault", libc::SIGSEGV),
        ("raise", libc::SIGTERM),
        ("kill", libc::SIGKILL),
        ("kill-int", libc::SIGINT),
    ];
    for (how, signal) in ends {
        assert_eq!(compare(&program, &[how]).code(), 1000 + signal, "{how}");
    }
}

/// Natively a plain fault.
#[test]
fn an_overflow_is_told() {
    let ended = run(lisle_run(&["--stack-size", "64k"]).arg(build("ends.c")).arg("overflow"));
    assert_eq!(ended.code(), 1000 + libc::SIGABRT, "{ended}");
    assert!(ended.stderr.contains("has overflowed its stack of 65536 bytes"), "{ended}");
}

#[test]
fn cxx() {
    let program = build("cpp.cpp");
    compare(&program, &[]);
    for how in ["uncaught", "noexcept", "joinable"] {
        assert_eq!(compare(&program, &[how]).code(), 1000 + libc::SIGABRT, "{how}");
    }
}

#[test]
fn forks_of_main() {
    compare(&build("forks.c"), &["main"]);
}

#[test]
fn forks_of_threads() {
    for how in ["thread", "return", "atfork"] {
        compare(&build("forks.c"), &[how]);
    }
}

#[test]
fn programs_started_by_threads() {
    compare(&build("forks.c"), &["others"]);
    assert_eq!(compare(&build("forks.c"), &["exec"]).code(), 31);
}

#[test]
fn daemons() {
    compare(&build("forks.c"), &["daemon"]);
    compare(&build("forks.c"), &["daemon-first"]);
}

#[test]
fn many_threads_at_once() {
    for way in WAYS {
        let ended = run(lisle_run(way).arg(build("many.c")).args(["at-once", "10000"]));
        assert_eq!(ended.stdout, "at once: 10000, sum 49995000\n", "{way:?}: {ended}");
    }
}

#[test]
fn many_threads_in_turn() {
    for way in WAYS {
        let ended = run(lisle_run(way).arg(build("many.c")).args(["in-turn", "100000"]));
        assert_eq!(ended.stdout, "in turn: 100000, sum 4999950000\n", "{way:?}: {ended}");
    }
}

#[test]
fn locks_between_threads_and_main() {
    compare(&build("many.c"), &["mixed"]);
}

#[test]
fn limits() {
    let program = build("many.c");
    compare(&program, &["exhaust"]);
    let ended = run(lisle_run(&[]).arg(program).arg("exhaust"));
    let told = ended.stderr.lines().filter(|line| line.starts_with("lisle: ")).count();
    assert!(told == 1 && ended.stderr.contains("ulimit -v"), "{ended}");
}

/// What is known only from outside: where the threads are.
#[test]
fn statistics() {
    let program = build("many.c");
    for (way, poller) in WAYS.iter().zip(["", "", "epoll", "epoll"]) {
        let args = ["--stats", "--"];
        let mut command = lisle_run(way);
        let ended = run(command.args(args).arg(&program).args(["in-turn", "50"]));
        assert_eq!(ended.stdout, "in turn: 50, sum 1225\n", "{ended}");
        let figure = |name: &str| {
            let line = ended.stderr.lines().find(|line| line.trim_start().starts_with(name));
            let line = line.unwrap_or_else(|| panic!("nothing about {name}: {ended}"));
            line.rsplit("  ").next().unwrap().trim().to_owned()
        };
        assert_eq!(figure("threads made as coroutines"), "50");
        assert!(figure("waiting by").contains(poller));
        if way.contains(&"1") {
            assert_eq!(figure("workers"), "1");
        }
    }
    let ended = run(lisle_run(&["--stats"]).args(["--", "true"]));
    assert!(ended.stderr.contains("none were made") && ended.stdout.is_empty(), "{ended}");
    // None without the option.
    let ended = run(lisle_run(&[]).arg(&program).args(["in-turn", "50"]));
    assert!(ended.stderr.is_empty(), "{ended}");
}

#[test]
fn threads_stay_threads_where_they_must() {
    let program = build("many.c");
    let sum = "in turn: 50, sum 1225\n";
    let mut command = lisle_run(&["--stats"]);
    command.env("LISLE_MODE", "threads").arg(&program).args(["in-turn", "50"]);
    let ended = run(&mut command);
    assert!(ended.stdout == sum && ended.code() == 0, "{ended}");
    assert!(ended.stderr.contains("none were made"), "{ended}");
}

#[test]
fn streams_may_be_closed() {
    let program = build("many.c").display().to_string();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script = format!("'{LISLE}' run --stats -- '{program}' mixed {closed}");
        let ended = run(command("sh").args(["-c", &script]));
        assert_eq!(ended.code(), 0, "{closed}: {ended}");
        assert_eq!(ended.stdout.contains("guarded"), !closed.contains(" >") && closed != ">&-");
    }
}
