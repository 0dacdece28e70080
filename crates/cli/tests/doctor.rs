//! `lisle doctor` as a user runs it, in good conditions and in bad ones.

use std::os::unix::process::CommandExt;
use std::process::Command;

const LISLE: &str = env!("CARGO_BIN_EXE_lisle");

/// What the doctor found.
struct Found {
    text: String,
    status: i32,
}

impl Found {
    /// The lines about one finding: its own, what follows of it, and its remedy.
    fn about(&self, name: &str) -> String {
        let is_begin = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        let mut lines = self.text.lines().skip_while(|line| {
            !(is_begin(line) && line.get(8..).is_some_and(|rest| rest.starts_with(name)))
        });
        let first = lines.next().unwrap_or_else(|| panic!("nothing about {name}: {}", self.text));
        let rest = lines.take_while(|line| line.starts_with("        "));
        [first].into_iter().chain(rest).collect::<Vec<_>>().join("\n")
    }

    /// Whether the finding is marked so.
    #[track_caller]
    fn expect(&self, mark: &str, name: &str) -> String {
        let about = self.about(name);
        assert_eq!(about[2..6].trim_end(), mark, "{about}");
        about
    }
}

/// Runs the doctor with the environment's own settings taken away, and these put there.
fn doctor(settings: &[(&str, &str)]) -> Found {
    run(Command::new(LISLE).arg("doctor"), settings)
}

/// Runs it under a limit of the shell's.
fn limited(ulimit: &str, settings: &[(&str, &str)]) -> Found {
    let script = format!("ulimit {ulimit} && exec '{LISLE}' doctor");
    run(Command::new("sh").args(["-c", &script]), settings)
}

fn run(command: &mut Command, settings: &[(&str, &str)]) -> Found {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LISLE_") {
            command.env_remove(name);
        }
    }
    let output = command.envs(settings.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = Found { text, status: output.status.code().unwrap() };
    check_form(&found.text);
    found
}

/// Every shortcoming has an effect and a remedy, and what is well has neither.
fn check_form(text: &str) {
    let mut lines = text.lines().peekable();
    let mut findings = 0;
    while let Some(line) = lines.next() {
        assert!(line.chars().count() <= 100, "{line}");
        let mark = line.get(..8).filter(|mark| mark.starts_with("  ") && !mark.trim().is_empty());
        let Some(mark) = mark else { continue };
        findings += 1;
        let mut more = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("        ")) {
            more.push_str(line);
        }
        let lacks = match mark.trim() {
            "ok" => false,
            "less" | "FAIL" => true,
            other => panic!("{other}: {line}"),
        };
        assert_eq!(more.contains("so: ") && more.contains("remedy: "), lacks, "{line}{more}");
    }
    assert!(findings > 20, "only {findings} findings: {text}");
}

/// Whether coroutines run on this machine. Where they do not, the doctor says so, and what follows
/// for each test is less.
fn coroutines_work() -> bool {
    let found = doctor(&[]);
    let works = found.about("mode").contains("coroutines on");
    if !works {
        println!("skipped in part: {}", found.about("mode"));
    }
    works
}

#[test]
fn the_status_tells_whether_coroutines_run() {
    let found = doctor(&[]);
    let fails = found.text.lines().any(|line| line.starts_with("  FAIL"));
    assert_eq!(found.status, i32::from(fails), "{}", found.text);
    for name in ["kernel", "processor", "FSGSBASE", "C library", "self-test", "hooks", "io_uring"] {
        found.about(name);
    }
    if !fails {
        found.expect("ok", "mode");
        found.expect("ok", "trial");
        found.expect("ok", "self-test");
        assert!(found.expect("ok", "variables").contains("none is set"));
    }
}

#[test]
fn all_hooks_are_in_the_program() {
    let found = doctor(&[]);
    let about = found.expect("ok", "hooks");
    let count: usize = about.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let symbols = lisle_hook::table::rows().flat_map(|row| row.symbols.split_whitespace());
    assert_eq!(count, symbols.count());
}

#[test]
fn threads_that_were_asked_for() {
    let found = doctor(&[("LISLE_MODE", "threads")]);
    assert_eq!(found.status, 1);
    found.expect("ok", "LISLE_MODE");
    if coroutines_work() {
        let about = found.expect("less", "mode");
        assert!(about.contains("as LISLE_MODE asks"), "{about}");
        assert!(about.contains("coroutines would run here"), "{about}");
        assert!(about.contains("unset LISLE_MODE"), "{about}");
        found.expect("ok", "trial");
    }
}

#[test]
fn epoll_that_was_asked_for() {
    let found = doctor(&[("LISLE_POLLER", "epoll")]);
    if coroutines_work() {
        assert_eq!(found.status, 0);
        assert!(found.expect("ok", "poller").contains("epoll, as LISLE_POLLER asks"));
    }
}

#[test]
fn the_poller_is_the_one_that_the_kernel_allows() {
    let found = doctor(&[]);
    if coroutines_work() {
        let is_there = found.about("io_uring ").starts_with("  ok");
        let about = found.expect(if is_there { "ok" } else { "less" }, "poller");
        assert_eq!(about.contains("epoll"), !is_there, "{about}");
    }
}

#[test]
fn values_that_make_no_sense_and_names_that_nobody_reads() {
    let settings = [("LISLE_WORKERS", "many"), ("LISLE_WORKER", "3"), ("LISLE_POLLER", "")];
    let found = doctor(&settings);
    assert_eq!(found.status == 0, coroutines_work());
    assert!(found.expect("less", "LISLE_WORKERS").contains("ignored"));
    let unknown = found.expect("less", "unknown");
    assert!(unknown.contains("LISLE_WORKER\n"), "{unknown}");
    // An empty value is none.
    assert!(!found.text.contains("LISLE_POLLER  "), "{}", found.text);
}

#[test]
fn workers_that_were_asked_for() {
    let found = doctor(&[("LISLE_WORKERS", "3")]);
    found.expect("ok", "LISLE_WORKERS");
    if coroutines_work() {
        assert!(found.expect("ok", "mode").contains("coroutines on 3 workers"));
    }
}

#[test]
fn a_start_that_fails() {
    let found = doctor(&[("LISLE_STACK_SIZE", "4000000000000")]);
    assert_eq!(found.status, 1);
    found.expect("FAIL", "mode");
    if coroutines_work() {
        let about = found.expect("FAIL", "trial");
        assert!(about.contains("4000000000000 bytes are too large"), "{about}");
        assert!(about.contains("LISLE_STACK_SIZE"), "{about}");
        // The platform is not to blame.
        found.expect("ok", "self-test");
    }
}

#[test]
fn few_open_files() {
    let found = limited("-n 64", &[]);
    assert_eq!(found.status == 0, coroutines_work());
    let about = found.expect("less", "open files");
    assert!(about.contains("64, at most 64") && about.contains("ulimit -n"), "{about}");
}

#[test]
fn so_few_open_files_that_nothing_can_be_waited_for() {
    if !coroutines_work() {
        return;
    }
    // One descriptor is left: enough to load libraries.
    let found = limited("-n 4", &[("LISLE_POLLER", "epoll"), ("LISLE_WORKERS", "1")]);
    assert_eq!(found.status, 1);
    let about = found.expect("FAIL", "mode");
    assert!(about.contains("ulimit -n"), "{about}");
    assert!(found.expect("FAIL", "trial").contains("epoll"), "{}", found.text);
    // A pipe takes two.
    let about = found.expect("less", "RWF_NOWAIT, pipes");
    assert!(about.contains("could not be tried"), "{about}");
}

#[test]
fn little_address_space() {
    let found = limited("-v 120000", &[("LISLE_WORKERS", "1")]);
    let about = found.expect("less", "address space");
    assert!(about.contains("117 MiB") && about.contains("ulimit -v unlimited"), "{about}");
    if coroutines_work() {
        assert_eq!(found.status, 0, "{}", found.text);
        // Allocation sets errno here and succeeds all the same.
        found.expect("ok", "self-test");
    }
}

#[test]
fn locked_memory_is_told() {
    let found = limited("-l 16", &[]);
    assert_eq!(found.status == 0, coroutines_work());
    let about = found.about("locked memory");
    assert!(about.contains("16384"), "{about}");
}

#[test]
fn calls_that_a_sandbox_refuses() {
    let found = sandboxed(&[
        (libc::SYS_io_uring_setup, libc::EPERM),
        (libc::SYS_pidfd_open, libc::ENOSYS),
        (libc::SYS_openat2, libc::EPERM),
        (libc::SYS_epoll_pwait2, libc::EPERM),
    ]);
    // None of them is needed.
    assert_eq!(found.status == 0, coroutines_work());
    let about = found.expect("less", "io_uring ");
    assert!(about.contains("io_uring_disabled") && about.contains("seccomp"), "{about}");
    for name in ["pidfd_open", "RESOLVE_CACHED", "epoll_pwait2"] {
        let about = found.expect("less", name);
        assert!(about.contains("refused: ") && about.contains("seccomp"), "{about}");
    }
    if coroutines_work() {
        let about = found.expect("less", "poller");
        assert!(about.contains("epoll, because the kernel refuses io_uring"), "{about}");
        found.expect("ok", "trial");
    }
}

#[test]
fn an_old_kernel() {
    // madvise: neither light guards nor wiping. preadv2: no reads without waiting.
    let found = sandboxed(&[
        (libc::SYS_madvise, libc::EINVAL),
        (libc::SYS_preadv2, libc::ENOSYS),
        (libc::SYS_prctl, libc::EINVAL),
    ]);
    assert_eq!(found.status == 0, coroutines_work());
    let names = [
        "light guards",
        "MADV_WIPEONFORK",
        "RWF_NOWAIT, pipes",
        "RWF_NOWAIT, files",
        "timer slack",
    ];
    for name in names {
        found.expect("less", name);
    }
}

/// Runs the doctor where the kernel answers these system calls with these errors.
fn sandboxed(refused: &[(libc::c_long, i32)]) -> Found {
    let filter = filter(refused);
    let mut command = Command::new(LISLE);
    let install = move || {
        let program =
            libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: a whole filter, which the kernel copies. In the child of a fork.
        let status = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        if status == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: two system calls and no allocation.
    unsafe { command.pre_exec(install) };
    run(command.arg("doctor"), &[])
}

/// The filter's program: the number of the call is compared with each.
fn filter(refused: &[(libc::c_long, i32)]) -> Vec<libc::sock_filter> {
    let step =
        |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    // At its beginning the structure that is looked at has the number.
    let mut steps = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for &(call, errno) in refused {
        steps.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, 0, 1));
        let answer = libc::SECCOMP_RET_ERRNO | errno as u32;
        steps.push(step(libc::BPF_RET | libc::BPF_K, answer, 0, 0));
    }
    steps.push(step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    steps
}

#[test]
fn arguments() {
    let help = Command::new(LISLE).args(["doctor", "--help"]).output().unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: lisle doctor"));
    let wrong = Command::new(LISLE).args(["doctor", "--quick"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
