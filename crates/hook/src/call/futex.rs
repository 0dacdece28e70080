//! `syscall`, for the sake of futexes above all: what std, parking_lot and crossbeam block in.
//!
//! Coroutines wait in the runtime's lot, OS threads in the kernel; those who wake look in both.
//! Words shared between processes are the kernel's alone: coroutines wait for them on a spare
//! carrier.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_long, timespec};
use lisle_rt::lot;
use lisle_sys::{Errno, clock};

use super::numbers::{self, plain};
use crate::real::outcome;

/// See syscall(2).
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    match number {
        libc::SYS_futex => {
            let call = Futex {
                word: a as *const u32,
                op: b as i32,
                value: c as u32,
                timeout: d as *const timespec,
                second: e as *const u32,
                third: f as u32,
            };
            // SAFETY: the caller's obligation.
            unsafe { call.run() }
        }
        libc::SYS_rt_sigprocmask => {
            let result = plain(number, [a, b, c, d, e, f]);
            lisle_rt::signals::mask_changed(lisle_rt::thread::is_main_alone());
            result
        }
        libc::SYS_sched_yield if lisle_rt::can_suspend() => {
            lisle_rt::yield_now();
            0
        }
        _ => numbers::call(number, [a, b, c, d, e, f]),
    }
}

/// The arguments of futex(2).
#[derive(Clone, Copy)]
struct Futex {
    word: *const u32,
    op: i32,
    value: u32,
    timeout: *const timespec,
    second: *const u32,
    third: u32,
}

impl Futex {
    /// The C library's function does no more than this, which returns from one function less.
    #[inline]
    fn plain(self) -> c_long {
        let Futex { word, op, value, timeout, second, third } = self;
        let args = [word as usize, op as usize, value as usize, timeout as usize];
        let [a, b, c, d] = args;
        let args = [a, b, c, d, second as usize, third as usize];
        // SAFETY: the arguments of futex(2) are the caller's, who vouched for them.
        outcome(unsafe { lisle_sys::syscall(libc::SYS_futex, args) }) as c_long
    }

    /// # Safety
    /// As for futex(2).
    unsafe fn run(self) -> c_long {
        let private = self.op & libc::FUTEX_PRIVATE_FLAG != 0;
        let command = self.op & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
        let aligned = self.word.is_aligned() && !self.word.is_null();
        match command {
            _ if !private || !aligned => self.shared(command),
            libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
                if lisle_rt::can_suspend() {
                    // SAFETY: the caller's obligation.
                    unsafe { self.wait(command == libc::FUTEX_WAIT) }
                } else {
                    lot::counted_in_kernel(self.word, || self.plain())
                }
            }
            libc::FUTEX_WAKE => self.wake(lot::ANY),
            libc::FUTEX_WAKE_BITSET => self.wake(self.third),
            libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => {
                // SAFETY: the caller's obligation.
                unsafe { self.requeue(command) }
            }
            libc::FUTEX_WAKE_OP => self.wake_op(),
            // Priority inheritance is the kernel's business.
            _ => lisle_rt::blocking(|| self.plain()),
        }
    }

    /// Words shared between processes.
    fn shared(self, command: i32) -> c_long {
        match command {
            libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET | libc::FUTEX_WAKE_OP => self.plain(),
            _ => lisle_rt::blocking(|| self.plain()),
        }
    }

    /// # Safety
    /// As for futex(2).
    unsafe fn wait(self, relative: bool) -> c_long {
        // SAFETY: null or a live timespec, by the caller's obligation.
        let deadline = match unsafe { self.timeout.as_ref() } {
            None => None,
            Some(t) if t.tv_sec < 0 || !(0..1_000_000_000).contains(&t.tv_nsec) => {
                return outcome(Err(Errno::INVAL)) as c_long;
            }
            Some(t) => Some(self.deadline(t, relative)),
        };
        let mask = if relative { lot::ANY } else { self.third };
        if mask == 0 {
            return outcome(Err(Errno::INVAL)) as c_long;
        }
        // SAFETY: an aligned word that lives while it is waited for, by the caller's obligation.
        let word = unsafe { AtomicU32::from_ptr(self.word.cast_mut()) };
        outcome(lot::wait(word, self.value, mask, deadline).map(|()| 0)) as c_long
    }

    /// In nanoseconds of the monotonic clock.
    fn deadline(self, time: &timespec, relative: bool) -> u64 {
        let nanos =
            (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64);
        if relative {
            clock::now().saturating_add(nanos)
        } else if self.op & libc::FUTEX_CLOCK_REALTIME != 0 {
            let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: a live place; the clock exists.
            unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
            let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
            clock::now().saturating_add(nanos.saturating_sub(now))
        } else {
            nanos
        }
    }

    fn wake(self, mask: u32) -> c_long {
        if mask == 0 {
            return outcome(Err(Errno::INVAL)) as c_long;
        }
        let count = self.value as usize;
        if lisle_rt::can_suspend() {
            let woken = lot::wake(self.word, count, mask, |rest| {
                let rest = Futex { value: rest as u32, ..self };
                usize::try_from(rest.plain()).unwrap_or(0)
            });
            if woken != 0 {
                lot::after_waking();
            }
            return woken as c_long;
        }
        // Outside of coroutines the plain call comes first, whoever waits in it.
        let woken = self.plain();
        match usize::try_from(woken) {
            Ok(woken) if woken < count => {
                woken as c_long + lot::wake(self.word, count - woken, mask, |_| 0) as c_long
            }
            _ => woken,
        }
    }

    /// Nobody is moved: an OS thread that the kernel moved would be counted under the wrong word.
    /// Waking instead is allowed, since waiters must expect to wake for no reason.
    ///
    /// # Safety
    /// As for futex(2).
    unsafe fn requeue(self, command: i32) -> c_long {
        // SAFETY: an aligned word, by the caller's obligation.
        let word = unsafe { AtomicU32::from_ptr(self.word.cast_mut()) };
        if command == libc::FUTEX_CMP_REQUEUE && word.load(Ordering::SeqCst) != self.third {
            return outcome(Err(Errno::AGAIN)) as c_long;
        }
        // In this operation the timeout's place holds a second count.
        let count = (self.value as usize).saturating_add(self.timeout as usize);
        let value = count.min(i32::MAX as usize) as u32;
        let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        Futex { op, value, ..self }.wake(lot::ANY)
    }

    fn wake_op(self) -> c_long {
        let woken = self.plain();
        if woken < 0 {
            return woken;
        }
        // Whether the second word's waiters are due is known to the kernel alone; waking them for
        // no reason is allowed.
        let first = lot::wake(self.word, self.value as usize, lot::ANY, |_| 0);
        let second = lot::wake(self.second, self.timeout as usize, lot::ANY, |_| 0);
        woken + (first + second) as c_long
    }
}
