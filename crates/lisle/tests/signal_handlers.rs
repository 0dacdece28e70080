//! Handlers: what they are told, what they may do, and that the program cannot see the wrapper.

mod util;

use std::cell::Cell;
use std::ffi::c_void;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use libc::{SIG_SETMASK, SIGALRM, SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2, c_int};
use util::signal::{
    bit, blocked, blocked_by_kernel, carriers, count, counted, disposition, install,
    install_masking, kill_process, mask, pending, set, strike,
};
use util::{Lines, Random, in_child, scaled, told, twins_alone, yield_until};

fn raise(signal: c_int) {
    // SAFETY: a plain call.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// Runs a case on a thread and on a coroutine, in a child process: dispositions are the process's.
macro_rules! twins {
    ($case:expr) => {
        twins_alone($case)
    };
}

/// A handler's address, by a name that lines can hold.
fn name_of(handler: usize) -> &'static str {
    match handler {
        libc::SIG_DFL => "default",
        libc::SIG_IGN => "ignored",
        2 => "held",
        libc::SIG_ERR => "error",
        other if other == count as *const () as usize => "count",
        other if other == told_all as *const () as usize => "told_all",
        _ => "another",
    }
}

fn seen(action: &libc::sigaction) -> String {
    // SAFETY: the kernel's set is the first word.
    let mask = unsafe { *(&raw const action.sa_mask).cast::<u64>() };
    format!("{} {:#x} {mask:#x}", name_of(action.sa_sigaction), action.sa_flags)
}

#[test]
fn the_program_sees_its_own_handlers() {
    twins!(|_| {
        let mut lines = Lines::new();
        // SAFETY: no handler.
        unsafe { libc::signal(SIGUSR1, libc::SIG_DFL) };
        lines.push(seen(&disposition(SIGUSR1)));
        lines.push(seen(&install_masking(SIGUSR1, count, libc::SA_RESTART, &[SIGHUP])));
        lines.push(seen(&disposition(SIGUSR1)));
        lines.push(seen(&install(SIGUSR1, count, libc::SA_RESETHAND | libc::SA_NODEFER)));
        lines.push(seen(&disposition(SIGUSR1)));
        lines.push(seen(&install(SIGUSR1, count, libc::SA_SIGINFO | libc::SA_ONSTACK)));
        lines.push(seen(&disposition(SIGUSR1)));
        // SAFETY: handlers of the right type; live places; calls that fail.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_IGN;
            let result = libc::sigaction(SIGUSR1, &raw const action, &raw mut action);
            lines.push(format!("{result} {}", seen(&action)));
            lines.push(seen(&disposition(SIGUSR1)));
            for signal in [0, -1, 32, 33, 65, libc::SIGKILL, libc::SIGSTOP] {
                action.sa_sigaction = count as *const () as usize;
                let result = libc::sigaction(signal, &raw const action, null_mut());
                lines.push(told("sigaction", result as isize));
                let result = libc::signal(signal, count as *const () as usize);
                lines.push(told("signal", result as isize));
            }
        }
        lines
    });
}

/// What a C program without Lisle sees of the calls below.
const AS_C_SEES_IT: [&str; 12] = [
    "signal: default count 0x14000000 0x800 []",
    "bsd_signal: count ignored 0x14000000 0x800 []",
    "siginterrupt: default ignored 0x4000000 0x800 []",
    "signal: ignored count 0x4000000 0x800 []",
    "siginterrupt: default count 0x14000000 0x800 []",
    "ssignal: count count 0x14000000 0x800 []",
    "sysv_signal: count count 0xc4000000 0x0 []",
    "__sysv_signal: count default 0xc4000000 0x0 []",
    "sigset: default count 0x4000000 0x0 []",
    "hold: count count 0x4000000 0x0 [12]",
    "held: held count 0x4000000 0x0 []",
    "sigignore: default ignored 0x4000000 0x0 []",
];

#[test]
fn the_simpler_ways_to_install() {
    unsafe extern "C" {
        fn bsd_signal(signal: c_int, handler: usize) -> usize;
        fn ssignal(signal: c_int, handler: usize) -> usize;
        fn sysv_signal(signal: c_int, handler: usize) -> usize;
        fn __sysv_signal(signal: c_int, handler: usize) -> usize;
        fn sigset(signal: c_int, handler: usize) -> usize;
        fn sigignore(signal: c_int) -> c_int;
        fn siginterrupt(signal: c_int, interrupt: c_int) -> c_int;
    }
    twins!(|_| {
        let handler = count as *const () as usize;
        // SAFETY: no handler.
        unsafe { libc::signal(SIGUSR2, libc::SIG_DFL) };
        let mut lines = Lines::new();
        let mut tell = |what: &str, old: usize| {
            lines.push(format!(
                "{what}: {} {} {:?}",
                name_of(old),
                seen(&disposition(SIGUSR2)),
                blocked()
            ));
        };
        // SAFETY: a handler of the right type.
        unsafe {
            tell("signal", libc::signal(SIGUSR2, handler));
            tell("bsd_signal", bsd_signal(SIGUSR2, libc::SIG_IGN));
            tell("siginterrupt", siginterrupt(SIGUSR2, 1) as usize);
            tell("signal", libc::signal(SIGUSR2, handler));
            tell("siginterrupt", siginterrupt(SIGUSR2, 0) as usize);
            tell("ssignal", ssignal(SIGUSR2, handler));
            tell("sysv_signal", sysv_signal(SIGUSR2, handler));
            tell("__sysv_signal", __sysv_signal(SIGUSR2, libc::SIG_DFL));
            tell("sigset", sigset(SIGUSR2, handler));
            tell("hold", sigset(SIGUSR2, 2));
            tell("held", sigset(SIGUSR2, handler));
            tell("sigignore", sigignore(SIGUSR2) as usize);
            tell("none", sigset(1000, handler));
            tell("none", siginterrupt(1000, 0) as usize);
        }
        assert_eq!(lines[..AS_C_SEES_IT.len()], AS_C_SEES_IT);
        lines
    });
}

thread_local! {
    static TOLD: Cell<(c_int, c_int, usize, bool)> = const { Cell::new((0, 0, 0, false)) };
}

extern "C" fn told_all(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's own arguments.
    let (info, value) = unsafe { (&*info, (*info).si_value().sival_ptr as usize) };
    TOLD.set((signal, info.si_code, value, !context.is_null()));
}

#[test]
fn what_a_handler_is_told() {
    twins!(|_| {
        // SAFETY: a handler with that type; live places.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = told_all as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(40, &raw const action, null_mut()), 0);
            let value = libc::sigval { sival_ptr: 4711 as *mut c_void };
            assert_eq!(libc::pthread_sigqueue(libc::pthread_self(), 40, value), 0);
        }
        vec![format!("{:?} {:?}", TOLD.get(), blocked_by_kernel())]
    });
}

static DURING: AtomicU64 = AtomicU64::new(0);

extern "C" fn look_at_mask(_: c_int) {
    DURING.store(blocked_by_kernel().into_iter().map(bit).sum(), Ordering::SeqCst);
    // Undone when the handler returns.
    mask(libc::SIG_BLOCK, &[50]);
}

#[test]
fn what_is_blocked_meanwhile() {
    twins!(|_| {
        let mut lines = Lines::new();
        mask(SIG_SETMASK, &[60]);
        for flags in [0, libc::SA_NODEFER, libc::SA_RESTART] {
            install_masking(SIGUSR1, look_at_mask, flags, &[SIGHUP, 45]);
            raise(SIGUSR1);
            lisle::yield_now();
            let during = DURING.load(Ordering::SeqCst);
            lines.push(format!("{during:#x} {:?} {:?}", blocked(), blocked_by_kernel()));
        }
        lines
    });
}

#[test]
fn reset_when_it_has_run() {
    twins!(|_| {
        let before = counted();
        install(SIGUSR1, count, libc::SA_RESETHAND | libc::SA_RESTART);
        raise(SIGUSR1);
        let mut lines = vec![format!("{} {}", counted() - before, seen(&disposition(SIGUSR1)))];
        lines.push(seen(&install(SIGUSR1, count, 0)));
        // As C programs see it that know nothing of hooks.
        assert_eq!(lines, ["1 default 0x94000000 0x0", "default 0x94000000 0x0"]);
        raise(SIGUSR1);
        raise(SIGUSR1);
        lines.push(format!("{} {}", counted() - before, seen(&disposition(SIGUSR1))));
        lines
    });
}

#[test]
fn a_second_signal_after_the_reset_ends_the_process() {
    let ended = in_child(&[], || {
        lisle::spawn(|| {
            install(SIGUSR1, count, libc::SA_RESETHAND);
            raise(SIGUSR1);
            println!("still here");
            raise(SIGUSR1);
        })
        .join()
        .unwrap();
    });
    use std::os::unix::process::ExitStatusExt;
    assert!(ended.stdout.contains("still here"), "{ended}");
    assert_eq!(ended.status.signal(), Some(SIGUSR1), "{ended}");
}

extern "C" fn clobber(_: c_int) {
    // SAFETY: a descriptor that cannot be open.
    unsafe { libc::close(-1) };
}

#[test]
fn errno_is_as_the_handler_leaves_it() {
    twins!(|_| {
        install(SIGUSR1, clobber, 0);
        // SAFETY: every thread has one.
        unsafe { *libc::__errno_location() = 77 };
        raise(SIGUSR1);
        let clobbered = std::io::Error::last_os_error().raw_os_error();
        install(SIGUSR1, count, 0);
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = 77 };
        raise(SIGUSR1);
        vec![format!("{clobbered:?} {:?}", std::io::Error::last_os_error().raw_os_error())]
    });
}

static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn write_to_pipe(signal: c_int) {
    // SAFETY: errno is put back as handlers must; a live byte.
    unsafe {
        let errno = *libc::__errno_location();
        let byte = signal as u8;
        libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
        *libc::__errno_location() = errno;
    }
    count(signal);
}

#[test]
fn a_pipe_to_oneself() {
    twins!(|_| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        PIPE.store(theirs.as_raw_fd(), Ordering::Relaxed);
        install(SIGHUP, write_to_pipe, libc::SA_RESTART);
        let mut got = [0; 3];
        for place in &mut got {
            kill_process(SIGHUP);
            ours.read_exact(slice::from_mut(place)).unwrap();
        }
        vec![format!("{got:?}")]
    });
}

#[test]
fn children_that_end() {
    twins!(|_| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        PIPE.store(theirs.as_raw_fd(), Ordering::Relaxed);
        install(SIGCHLD, write_to_pipe, libc::SA_RESTART);
        let mut lines = Lines::new();
        for code in 0..5 {
            let mut child =
                Command::new("sh").args(["-c", &format!("exit {code}")]).spawn().unwrap();
            let mut byte = [0];
            ours.read_exact(&mut byte).unwrap();
            lines.push(format!("{byte:?} {:?}", child.wait().unwrap().code()));
        }
        // SAFETY: the default is no handler.
        unsafe { libc::signal(SIGCHLD, libc::SIG_DFL) };
        lines
    });
}

/// Starts a timer that raises `SIGALRM` every so often, until dropped.
struct Ticking;

impl Ticking {
    fn every(micros: i64) -> Ticking {
        Self::set(micros);
        Ticking
    }

    fn set(micros: i64) {
        let time = libc::timeval { tv_sec: 0, tv_usec: micros };
        let timer = libc::itimerval { it_interval: time, it_value: time };
        // SAFETY: live places.
        let result = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, null_mut()) };
        assert_eq!(result, 0);
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        Self::set(0);
    }
}

#[test]
fn timers_interrupt_work() {
    twins!(|_| {
        let before = counted();
        install(SIGALRM, count, libc::SA_RESTART);
        {
            let _ticking = Ticking::every(500);
            // Nothing in here suspends.
            while counted() < before + 20 {
                std::hint::spin_loop();
            }
        }
        // SAFETY: a plain call.
        unsafe { libc::alarm(1) };
        let after = counted();
        yield_until(|| counted() > after);
        vec!["all came".to_owned()]
    });
}

static FUTEX: AtomicUsize = AtomicUsize::new(0);

extern "C" fn wake_somebody(signal: c_int) {
    // What `sem_post` and the unlocking of a lock come to.
    FUTEX.fetch_add(1, Ordering::SeqCst);
    let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a live word.
    unsafe { libc::syscall(libc::SYS_futex, FUTEX.as_ptr(), op, i32::MAX) };
    write_to_pipe(signal);
}

/// Waits for the word to change, as a lock does.
fn wait_for_handler() {
    let seen = FUTEX.load(Ordering::SeqCst) as u32;
    let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a live word.
    unsafe { libc::syscall(libc::SYS_futex, FUTEX.as_ptr(), op, seen, null::<u8>()) };
}

#[test]
fn handlers_that_wake_while_everything_goes_on() {
    for workers in ["1", "4"] {
        let ended = in_child(&[("LISLE_WORKERS", workers)], || storm(10_000));
        ended.expect_return();
    }
}

fn storm(signals: usize) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    PIPE.store(theirs.as_raw_fd(), Ordering::Relaxed);
    install(SIGUSR1, wake_somebody, libc::SA_RESTART);
    install(SIGALRM, wake_somebody, libc::SA_RESTART);
    install(40, wake_somebody, libc::SA_RESTART);
    let over = Arc::new(AtomicBool::new(false));
    let lock = Arc::new(Mutex::new(0_u64));
    let reader = lisle::spawn(move || {
        let mut bytes = 0;
        let mut buffer = [0; 64];
        while bytes < 100 {
            bytes += ours.read(&mut buffer).unwrap();
        }
        loop {
            match ours.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    });
    let worker = |own: usize| {
        let (over, lock) = (Arc::clone(&over), Arc::clone(&lock));
        move || {
            let mut random = Random::new(own as u64);
            let (mut left, mut right) = UnixStream::pair().unwrap();
            let (sender, receiver) = mpsc::channel();
            while !over.load(Ordering::Relaxed) {
                match random.below(7) {
                    0 => wait_for_handler(),
                    1 => *lock.lock().unwrap() += 1,
                    2 => thread::sleep(Duration::from_micros(50)),
                    3 => {
                        left.write_all(b"x").unwrap();
                        right.read_exact(&mut [0]).unwrap();
                    }
                    4 => {
                        let sender = sender.clone();
                        lisle::spawn(move || sender.send(1).unwrap());
                        receiver.recv().unwrap();
                    }
                    5 => lisle::blocking(|| {
                        *lock.lock().unwrap() += 1;
                    }),
                    _ => lisle::yield_now(),
                }
            }
        }
    };
    let coroutines: Vec<_> = (0..scaled(40, 8)).map(|own| lisle::spawn(worker(own))).collect();
    send_until_over(signals, coroutines, &over);
    mask(SIG_SETMASK, &[SIGUSR1, SIGALRM, 40]);
    drop(theirs);
    reader.join().unwrap();
}

/// Sends signals while the coroutines work, to the process and to the threads that run them, and on
/// until they have ended: handlers wake them.
fn send_until_over(count: usize, coroutines: Vec<lisle::JoinHandle<()>>, over: &AtomicBool) {
    {
        let _ticking = Ticking::every(200);
        let mut struck = Vec::new();
        for sent in 0..count {
            kill_process(if sent % 2 == 0 { SIGUSR1 } else { 40 });
            if sent % 64 == 0 {
                struck = carriers();
            }
            // None as long as none has its name.
            let one = struck.get(sent % struck.len().max(1));
            strike(one.map_or(&[], slice::from_ref), SIGUSR1);
            if sent % 16 == 0 {
                thread::sleep(Duration::from_micros(100));
            }
        }
        over.store(true, Ordering::Relaxed);
        for coroutine in coroutines {
            while !coroutine.is_finished() {
                kill_process(SIGUSR1);
                thread::sleep(Duration::from_micros(100));
            }
            coroutine.join().unwrap();
        }
    }
}

extern "C" fn jump_away(_: c_int) {
    unsafe extern "C" {
        fn siglongjmp(buffer: *mut u64, value: c_int) -> !;
    }
    // SAFETY: the place lies in the function that raised the signal.
    unsafe { siglongjmp(PLACE.with(|place| place.as_ptr().cast()), 1) };
}

thread_local! {
    static PLACE: Cell<[u64; 32]> = const { Cell::new([0; 32]) };
}

/// Raises the signal and comes back by a jump out of its handler.
#[inline(never)]
fn jump_out_of(signal: c_int, depth: usize) -> bool {
    unsafe extern "C" {
        fn __sigsetjmp(buffer: *mut u64, save: c_int) -> c_int;
    }
    let jumped = AtomicBool::new(false);
    // SAFETY: nothing with a destructor lies in between, and what changes is read through memory.
    unsafe {
        if __sigsetjmp(PLACE.with(|place| place.as_ptr().cast()), 1) == 0 {
            jumped.store(true, Ordering::SeqCst);
            raise_at(signal, depth);
            return false;
        }
    }
    jumped.load(Ordering::SeqCst)
}

#[inline(never)]
fn raise_at(signal: c_int, depth: usize) {
    let mut room = [depth as u8; 512];
    std::hint::black_box(&mut room);
    if depth == 0 {
        raise(signal)
    } else {
        raise_at(signal, depth - 1)
    }
    std::hint::black_box(&mut room);
}

#[test]
fn handlers_that_jump_away() {
    twins!(|coroutine| {
        install(SIGUSR1, jump_away, 0);
        let mut lines = Lines::new();
        for depth in [0, 30] {
            let jumped = jump_out_of(SIGUSR1, depth);
            lines.push(format!("{jumped} {:?} {:?}", blocked(), blocked_by_kernel()));
            // Calls suspend as before: on a single worker this would never end otherwise.
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let partner = util::aside(coroutine, move || theirs.write_all(b"x").unwrap());
            ours.read_exact(&mut [0]).unwrap();
            partner();
        }
        lines
    });
}

extern "C" fn raise_other(_: c_int) {
    raise(SIGUSR2);
}

extern "C" fn wait_within(signal: c_int) {
    // Allowed in handlers, and plain there.
    // SAFETY: live places.
    unsafe {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 100_000 };
        libc::nanosleep(&raw const time, null_mut());
        libc::poll(null_mut(), 0, 1);
    }
    count(signal);
}

#[test]
fn handlers_within_handlers_and_calls_that_wait() {
    twins!(|_| {
        let before = counted();
        install(SIGUSR1, raise_other, 0);
        install(SIGUSR2, wait_within, 0);
        for _ in 0..10 {
            raise(SIGUSR1);
            lisle::yield_now();
        }
        vec![format!("{} {:?}", counted() - before, blocked())]
    });
}

#[test]
fn what_is_ignored_or_has_its_default() {
    twins!(|_| {
        // SAFETY: no handlers.
        unsafe { libc::signal(SIGUSR1, libc::SIG_IGN) };
        raise(SIGUSR1);
        // SAFETY: no handlers.
        unsafe { libc::signal(libc::SIGWINCH, libc::SIG_DFL) };
        raise(libc::SIGWINCH);
        let mut lines = vec![format!("{:?}", pending())];
        // A broken pipe: Rust's programs ignore the signal.
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        lines.push(format!("{:?}", ours.write(b"x").map_err(|error| error.kind())));
        install(libc::SIGPIPE, count, 0);
        let before = counted();
        let fd = ours.as_raw_fd();
        // SAFETY: a live buffer.
        lines.push(told("write", unsafe { libc::write(fd, b"x".as_ptr().cast(), 1) }));
        lines.push((counted() - before).to_string());
        // SAFETY: no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        lines
    });
}

#[test]
fn waits_for_signals() {
    twins!(|_| {
        let mut lines = Lines::new();
        install(SIGUSR1, count, 0);
        mask(SIG_SETMASK, &[SIGUSR1, SIGUSR2, 41]);
        let before = counted();
        raise(SIGUSR1);
        // SAFETY: live places.
        unsafe {
            let none = set(&[SIGUSR2, 41]);
            lines.push(told("sigsuspend", libc::sigsuspend(&raw const none) as isize));
            lines.push(format!("{} {:?}", counted() - before, blocked()));
            let of = set(&[41]);
            let short = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let result = libc::sigtimedwait(&raw const of, &raw mut info, &raw const short);
            lines.push(told("sigtimedwait", result as isize));
            libc::raise(41);
            let pending = pending();
            let mut number = 0;
            let result = libc::sigwait(&raw const of, &raw mut number);
            lines.push(format!("{pending:?} {result} {number}"));
            let me = libc::pthread_self();
            let value = libc::sigval { sival_ptr: 17 as *mut c_void };
            assert_eq!(libc::pthread_sigqueue(me, 41, value), 0);
            let result = libc::sigwaitinfo(&raw const of, &raw mut info);
            let value = info.si_value().sival_ptr as usize;
            lines.push(format!("{result} {} {value}", info.si_code));
        }
        mask(SIG_SETMASK, &[]);
        lines
    });
}
