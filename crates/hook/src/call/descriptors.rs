//! Calls that change what a descriptor is, or that wait in ways nothing can be done about.

use libc::{c_int, c_uint, c_ulong, c_void, off_t, socklen_t};
use lisle_sys::syscall;

use crate::define::{elsewhere_if, stoppable_if};
use crate::facts;
use crate::real::real;
use crate::stop::elsewhere;

/// A number that is about to be closed, and was when this is dropped: also where an OS thread is
/// cancelled in the call, which may have closed it.
pub(super) struct Closing(i32);

impl Closing {
    pub(super) fn new(fd: i32) -> Self {
        lisle_rt::closing(fd);
        Closing(fd)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        lisle_rt::closed(self.0);
    }
}

/// See close(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn close(fd: i32) -> i32 {
    let lingers = facts::lingers(fd);
    let _closing = Closing::new(fd);
    let plain = || real!(close(fd): fn(i32) -> i32);
    if lingers { lisle_rt::blocking(plain) } else { plain() }
}

/// See close_range(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> i32 {
    // With a flag the descriptors stay open, or the table is no longer shared.
    let each = |tell: fn(i32)| {
        if flags == 0 {
            (first..=last.min(open_descriptors_end())).for_each(|fd| tell(fd as i32));
        }
    };
    each(lisle_rt::closing);
    let result = real!(close_range(first, last, flags): fn(c_uint, c_uint, c_int) -> i32);
    each(lisle_rt::closed);
    result
}

/// A number above all descriptors that can be open.
fn open_descriptors_end() -> c_uint {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let args = [0, libc::RLIMIT_NOFILE as usize, 0, (&raw mut limit) as usize, 0, 0];
    // SAFETY: the kernel writes one structure to the live place.
    let known = unsafe { syscall(libc::SYS_prlimit64, args) };
    // What is beyond was never waited for.
    if known.is_ok() { limit.rlim_max.min(1 << 22) as c_uint } else { 1 << 20 }
}

/// See vfork(2). The child would run these hooks on the parent's memory, so it gets a copy: a fork
/// does what `vfork` promises.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn vfork() -> libc::pid_t {
    // SAFETY: the caller's obligation.
    unsafe { libc::fork() }
}

/// See dup(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup(old: i32) -> i32 {
    facts::shared(old);
    let result = real!(dup(old): fn(i32) -> i32);
    facts::forget(result);
    result
}

/// See dup2(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup2(old: i32, new: i32) -> i32 {
    if old == new {
        return real!(dup2(old, new): fn(i32, i32) -> i32);
    }
    facts::shared(old);
    lisle_rt::closing(new);
    let result = real!(dup2(old, new): fn(i32, i32) -> i32);
    lisle_rt::closed(new);
    result
}

/// See dup3(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn dup3(old: i32, new: i32, flags: i32) -> i32 {
    facts::shared(old);
    lisle_rt::closing(new);
    let result = real!(dup3(old, new, flags): fn(i32, i32, i32) -> i32);
    lisle_rt::closed(new);
    result
}

/// The options that set a timeout, in both of their numbers.
const TIMEOUTS: [i32; 4] = [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO, 66, 67];

/// See setsockopt(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn setsockopt(
    fd: i32,
    level: i32,
    name: i32,
    value: *const c_void,
    len: socklen_t,
) -> i32 {
    let result = real!(
        setsockopt(fd, level, name, value, len):
            fn(i32, i32, i32, *const c_void, socklen_t) -> i32
    );
    if level == libc::SOL_SOCKET && TIMEOUTS.contains(&name) {
        facts::changed(fd);
    }
    if level == libc::SOL_SOCKET && name == libc::SO_LINGER {
        facts::set_linger(fd);
    }
    result
}

/// Requests that wait: for output to be sent, for a modem's lines, for a disk. What a driver does
/// with requests of its own is not known.
const SLOW: [c_ulong; 8] = [
    libc::TCSBRK,
    libc::TCSBRKP,
    libc::TCSETSW,
    libc::TCSETSF,
    libc::TIOCMIWAIT,
    libc::FICLONE,
    libc::FICLONERANGE,
    // FIDEDUPERANGE
    0xc018_9436,
];

/// See ioctl(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn ioctl(fd: i32, request: c_ulong, argument: usize) -> i32 {
    let plain = || real!(ioctl(fd, request, argument): fn(i32, c_ulong, usize) -> i32);
    let result = if SLOW.contains(&request) { lisle_rt::blocking(plain) } else { plain() };
    if request == libc::FIONBIO {
        facts::changed(fd);
    }
    result
}

/// What waits: `tcsetattr` after the output, `tcflow` to send a character.
const NOW: c_int = libc::TCSANOW;

elsewhere_if! {
    tcdrain(fd: c_int) -> c_int: true;
    tcsendbreak(fd: c_int, duration: c_int) -> c_int: true;
    tcsetattr(fd: c_int, actions: c_int, settings: *const libc::termios) -> c_int: actions != NOW;
    tcflow(fd: c_int, action: c_int) -> c_int: matches!(action, libc::TCIOFF | libc::TCION);
}

stoppable_if! {
    lockf(fd: c_int, command: c_int, len: off_t) -> c_int: command == libc::F_LOCK;
    lockf64(fd: c_int, command: c_int, len: off_t) -> c_int: command == libc::F_LOCK;
}

/// See closefrom(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn closefrom(first: c_int) {
    let each = |tell: fn(i32)| {
        let first = first.max(0) as c_uint;
        (first..=open_descriptors_end()).for_each(|fd| tell(fd as i32));
    };
    each(lisle_rt::closing);
    real!(closefrom(first): fn(c_int) -> ());
    each(lisle_rt::closed);
}

/// Defines hooks of `fcntl`. Most commands are nobody's business, so that they come first.
macro_rules! control {
    ($($name:ident $noted:ident)*) => {$(
        /// See fcntl(2).
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(fd: i32, command: i32, argument: usize) -> i32 {
            const NOTED: [i32; 5] = [
                libc::F_SETLKW,
                libc::F_OFD_SETLKW,
                libc::F_SETFL,
                libc::F_DUPFD,
                libc::F_DUPFD_CLOEXEC,
            ];
            if !NOTED.contains(&command) {
                return real!($name(fd, command, argument): fn(i32, i32, usize) -> i32);
            }
            $noted(fd, command, argument)
        }

        #[inline(never)]
        extern "C-unwind" fn $noted(fd: i32, command: i32, argument: usize) -> i32 {
            let plain = || real!($name(fd, command, argument): fn(i32, i32, usize) -> i32);
            match command {
                libc::F_SETLKW | libc::F_OFD_SETLKW => elsewhere(plain),
                libc::F_SETFL => {
                    let result = plain();
                    facts::changed(fd);
                    result
                }
                _ => {
                    facts::shared(fd);
                    let result = plain();
                    facts::forget(result);
                    result
                }
            }
        }
    )*};
}

control! { fcntl fcntl_noted fcntl64 fcntl64_noted }

/// See flock(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn flock(fd: i32, operation: i32) -> i32 {
    let plain = || real!(flock(fd, operation): fn(i32, i32) -> i32);
    if operation & libc::LOCK_NB != 0 { plain() } else { elsewhere(plain) }
}
