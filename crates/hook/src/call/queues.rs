//! Message queues and semaphores between processes: those of System V, and those of POSIX.
//!
//! System V's have no descriptors, so nothing tells when they are ready: what cannot be done at
//! once is done on a spare carrier. A queue of POSIX is a descriptor; it is tried with a deadline
//! that is over, which the kernel answers by what can be done at once, and waited for in between.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{mode_t, mq_attr, mqd_t, sembuf, size_t, ssize_t, timespec};
use lisle_rt::descriptor::Direction;
use lisle_sys::{Errno, clock, syscall};

use crate::facts;
use crate::real::{outcome, real};
use crate::stop::elsewhere;
use crate::transfer::Operation;

/// Operations of one call that are tried; more hop at once.
const FEW: usize = 8;

/// Does all operations by a call that does not wait; returns why not.
///
/// # Safety
/// As for `semop`.
unsafe fn operate_now(set: c_int, operations: *mut sembuf, count: size_t) -> Option<Errno> {
    let mut list = [sembuf { sem_num: 0, sem_op: 0, sem_flg: 0 }; FEW];
    // SAFETY: the caller vouches for its list; the copy has room for as many.
    unsafe { operations.copy_to_nonoverlapping(list.as_mut_ptr(), count) };
    list.iter_mut().for_each(|operation| operation.sem_flg |= libc::IPC_NOWAIT as i16);
    // SAFETY: a live list of that length.
    let done =
        unsafe { syscall(libc::SYS_semop, [set as usize, list.as_ptr() as usize, count, 0, 0, 0]) };
    done.err()
}

/// Tries first; `plain` is the caller's call.
///
/// # Safety
/// As for `semop`.
unsafe fn operate(
    set: c_int,
    operations: *mut sembuf,
    count: size_t,
    plain: impl FnOnce() -> c_int,
) -> c_int {
    if !lisle_rt::can_suspend() || operations.is_null() || !(1..=FEW).contains(&count) {
        return elsewhere(plain);
    }
    // SAFETY: the caller's obligation.
    match unsafe { operate_now(set, operations, count) } {
        None => 0,
        Some(Errno::AGAIN) => elsewhere(plain),
        Some(errno) => outcome(Err(errno)) as c_int,
    }
}

/// See semop(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn semop(set: c_int, operations: *mut sembuf, count: size_t) -> c_int {
    let plain = || real!(semop(set, operations, count): fn(c_int, *mut sembuf, size_t) -> c_int);
    // SAFETY: the caller's obligation.
    unsafe { operate(set, operations, count, plain) }
}

/// See semop(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn semtimedop(
    set: c_int,
    operations: *mut sembuf,
    count: size_t,
    timeout: *const timespec,
) -> c_int {
    let plain = || {
        real!(
            semtimedop(set, operations, count, timeout):
                fn(c_int, *mut sembuf, size_t, *const timespec) -> c_int
        )
    };
    // SAFETY: null or a live timespec, by the caller's obligation.
    let time = unsafe { timeout.as_ref() };
    if time.is_some_and(|t| t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec)) {
        // An error, at once.
        return plain();
    }
    // SAFETY: the caller's obligation.
    unsafe { operate(set, operations, count, plain) }
}

/// See msgsnd(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn msgsnd(
    queue: c_int,
    message: *const c_void,
    len: size_t,
    flags: c_int,
) -> c_int {
    let call = |flags: c_int| {
        real!(
            msgsnd(queue, message, len, flags):
                fn(c_int, *const c_void, size_t, c_int) -> c_int
        )
    };
    if flags & libc::IPC_NOWAIT != 0 || !lisle_rt::can_suspend() {
        return call(flags);
    }
    // SAFETY: the caller's obligation.
    let tried = unsafe {
        let flags = (flags | libc::IPC_NOWAIT) as usize;
        syscall(libc::SYS_msgsnd, [queue as usize, message as usize, len, flags, 0, 0])
    };
    match tried {
        Err(Errno::AGAIN) => elsewhere(|| call(flags)),
        result => outcome(result) as c_int,
    }
}

/// See msgrcv(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn msgrcv(
    queue: c_int,
    message: *mut c_void,
    len: size_t,
    kind: c_long,
    flags: c_int,
) -> ssize_t {
    let call = |flags: c_int| {
        real!(
            msgrcv(queue, message, len, kind, flags):
                fn(c_int, *mut c_void, size_t, c_long, c_int) -> ssize_t
        )
    };
    if flags & libc::IPC_NOWAIT != 0 || !lisle_rt::can_suspend() {
        return call(flags);
    }
    // SAFETY: the caller's obligation.
    let tried = unsafe {
        let (kind, flags) = (kind as usize, (flags | libc::IPC_NOWAIT) as usize);
        syscall(libc::SYS_msgrcv, [queue as usize, message as usize, len, kind, flags, 0])
    };
    match tried {
        Err(Errno(libc::ENOMSG)) => elsewhere(|| call(flags)),
        result => outcome(result),
    }
}

/// The deadline of a call on the monotonic clock. `Err` if the kernel would refuse it.
///
/// # Safety
/// Null or a live timespec.
unsafe fn deadline(time: *const timespec) -> Result<Option<u64>, ()> {
    // SAFETY: the caller's obligation.
    match unsafe { time.as_ref() } {
        None => Ok(None),
        Some(t) if t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec) => Err(()),
        Some(t) => {
            let nanos = (t.tv_sec as u64).saturating_mul(1_000_000_000);
            let nanos = nanos.saturating_add(t.tv_nsec as u64);
            let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: a live place; the clock exists.
            unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
            let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
            Ok(Some(clock::now().saturating_add(nanos.saturating_sub(now))))
        }
    }
}

/// Sends or receives by `number`, whose arguments are `args` and a deadline. None where the plain
/// call is right.
///
/// # Safety
/// As for the call; `time` is null or a live timespec.
unsafe fn transfer(
    direction: Direction,
    number: c_long,
    [queue, place, len, priority]: [usize; 4],
    time: *const timespec,
) -> Option<Result<usize, Errno>> {
    let mut operation = Operation::new(queue as i32, direction)?;
    // SAFETY: the caller's obligation.
    let deadline = unsafe { deadline(time) }.ok()?;
    operation.give_up_at(deadline);
    let over = timespec { tv_sec: 0, tv_nsec: 0 };
    let mut kernel_says_again = false;
    let result = operation.run(|fd| {
        let args = [fd as usize, place, len, priority, (&raw const over) as usize, 0];
        // SAFETY: the caller's obligation.
        match unsafe { syscall(number, args) } {
            Err(Errno::TIMEDOUT) => Err(Errno::AGAIN),
            result => {
                kernel_says_again = result == Err(Errno::AGAIN);
                result
            }
        }
    });
    Some(match result {
        Err(Errno::AGAIN) if !kernel_says_again => Err(Errno::TIMEDOUT),
        result => result,
    })
}

/// See mq_send(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_send(
    queue: mqd_t,
    text: *const c_char,
    len: size_t,
    priority: c_uint,
) -> c_int {
    let args = [queue as usize, text as usize, len, priority as usize];
    // SAFETY: the caller's obligation.
    match unsafe { transfer(Direction::Write, libc::SYS_mq_timedsend, args, std::ptr::null()) } {
        Some(result) => outcome(result) as c_int,
        None => real!(
            mq_send(queue, text, len, priority): fn(mqd_t, *const c_char, size_t, c_uint) -> c_int
        ),
    }
}

/// See mq_send(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_timedsend(
    queue: mqd_t,
    text: *const c_char,
    len: size_t,
    priority: c_uint,
    time: *const timespec,
) -> c_int {
    let args = [queue as usize, text as usize, len, priority as usize];
    // SAFETY: the caller's obligation.
    match unsafe { transfer(Direction::Write, libc::SYS_mq_timedsend, args, time) } {
        Some(result) => outcome(result) as c_int,
        None => real!(
            mq_timedsend(queue, text, len, priority, time):
                fn(mqd_t, *const c_char, size_t, c_uint, *const timespec) -> c_int
        ),
    }
}

/// See mq_receive(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_receive(
    queue: mqd_t,
    text: *mut c_char,
    len: size_t,
    priority: *mut c_uint,
) -> ssize_t {
    let args = [queue as usize, text as usize, len, priority as usize];
    let none = std::ptr::null();
    // SAFETY: the caller's obligation.
    match unsafe { transfer(Direction::Read, libc::SYS_mq_timedreceive, args, none) } {
        Some(result) => outcome(result),
        None => real!(
            mq_receive(queue, text, len, priority):
                fn(mqd_t, *mut c_char, size_t, *mut c_uint) -> ssize_t
        ),
    }
}

/// See mq_receive(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_timedreceive(
    queue: mqd_t,
    text: *mut c_char,
    len: size_t,
    priority: *mut c_uint,
    time: *const timespec,
) -> ssize_t {
    let args = [queue as usize, text as usize, len, priority as usize];
    // SAFETY: the caller's obligation.
    match unsafe { transfer(Direction::Read, libc::SYS_mq_timedreceive, args, time) } {
        Some(result) => outcome(result),
        None => real!(
            mq_timedreceive(queue, text, len, priority, time):
                fn(mqd_t, *mut c_char, size_t, *mut c_uint, *const timespec) -> ssize_t
        ),
    }
}

/// See mq_setattr(3), which can set a queue not to block.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_setattr(
    queue: mqd_t,
    new: *const mq_attr,
    old: *mut mq_attr,
) -> c_int {
    let result = real!(
        mq_setattr(queue, new, old): fn(mqd_t, *const mq_attr, *mut mq_attr) -> c_int
    );
    facts::changed(queue);
    result
}

/// See mq_open(3). Variadic in C: see the crate.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_open(
    name: *const c_char,
    flags: c_int,
    mode: mode_t,
    settings: *mut mq_attr,
) -> mqd_t {
    let queue = real!(
        mq_open(name, flags, mode, settings):
            fn(*const c_char, c_int, mode_t, *mut mq_attr) -> mqd_t
    );
    facts::forget(queue);
    queue
}

/// What C code calls that was compiled with `_FORTIFY_SOURCE`, where it passes no mode.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn __mq_open_2(name: *const c_char, flags: c_int) -> mqd_t {
    let queue = real!(__mq_open_2(name, flags): fn(*const c_char, c_int) -> mqd_t);
    facts::forget(queue);
    queue
}

/// See mq_close(3).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn mq_close(queue: mqd_t) -> c_int {
    lisle_rt::closing(queue);
    let result = real!(mq_close(queue): fn(mqd_t) -> c_int);
    lisle_rt::closed(queue);
    result
}
