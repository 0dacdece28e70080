//! Hooks of calls about signals.

use super::{Family, Row};

pub(super) const SIGNALS: Family = Family {
    title: "Signals",
    rows: &[
        Row {
            symbols: "sigaction __sigaction signal bsd_signal ssignal sysv_signal __sysv_signal \
                      sigset sigignore siginterrupt",
            how: "plain; handlers get a wrapper, which the caller does not see. On OS threads too",
            differs: "a handler is put off while the runtime holds a lock on that OS thread",
        },
        Row {
            symbols: "pthread_sigmask sigprocmask sighold sigrelse sigblock sigsetmask",
            how: "plain, then noted as the coroutine's",
            differs: "",
        },
        Row {
            symbols: "sigaltstack",
            how: "the coroutine's own stack, which its OS thread has while it runs",
            differs: "",
        },
        Row {
            symbols: "longjmp _longjmp siglongjmp __longjmp_chk",
            how: "told to the runtime, since they may leave a handler; then plain",
            differs: "out of a handler that interrupted a suspended call: undefined",
        },
        Row {
            symbols: "pthread_kill pthread_sigqueue",
            how: "to a coroutine: queued, its wait is ended, and it takes the signal when it runs. \
                  To an OS thread: plain",
            differs: "256 such signals wait at most, then `EAGAIN`",
        },
        Row {
            symbols: "raise gsignal",
            how: "plain; a signal that the coroutine blocks is queued for it",
            differs: "",
        },
        Row {
            symbols: "sigwait sigwaitinfo sigtimedwait sigsuspend __sigsuspend pause sigpause \
                      __sigpause __xpg_sigpause",
            how: "signals of the coroutine's own first, then a hop",
            differs: "",
        },
        Row { symbols: "sigpending", how: "plain, and the coroutine's own besides", differs: "" },
    ],
};
