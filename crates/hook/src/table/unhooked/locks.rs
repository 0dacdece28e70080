//! Not hooked: C's locks and threads.

use crate::table::Unhooked;

pub(super) const LOCKS: &[Unhooked] = &[
    Unhooked {
        what: "mutexes of C",
        symbols: "pthread_mutex_lock pthread_mutex_timedlock pthread_mutex_clocklock \
                  pthread_mutex_trylock pthread_mutex_unlock pthread_mutex_setprioceiling \
                  __pthread_mutex_lock __pthread_mutex_trylock __pthread_mutex_unlock mtx_lock \
                  mtx_timedlock mtx_trylock mtx_unlock",
        why: "waits in a futex inside of the C library. If the holder is a suspended coroutine, \
              all workers may come to wait for it: a deadlock",
        remedy: "do not suspend while holding one, or `lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "condition variables of C",
        symbols: "pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait \
                  pthread_cond_signal pthread_cond_broadcast pthread_cond_destroy cnd_wait \
                  cnd_timedwait cnd_signal cnd_broadcast cnd_destroy",
        why: "waits in a futex inside of the C library",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "read-write locks of C",
        symbols: "pthread_rwlock_rdlock pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock \
                  pthread_rwlock_tryrdlock pthread_rwlock_wrlock pthread_rwlock_timedwrlock \
                  pthread_rwlock_clockwrlock pthread_rwlock_trywrlock pthread_rwlock_unlock \
                  __pthread_rwlock_rdlock __pthread_rwlock_tryrdlock __pthread_rwlock_wrlock \
                  __pthread_rwlock_trywrlock __pthread_rwlock_unlock",
        why: "waits in a futex inside of the C library. If the holder is a suspended coroutine, \
              all workers may come to wait for it: a deadlock",
        remedy: "do not suspend while holding one, or `lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "semaphores of POSIX",
        symbols: "sem_wait sem_timedwait sem_clockwait sem_trywait sem_post",
        why: "waits in a futex inside of the C library",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "barriers of C",
        symbols: "pthread_barrier_wait pthread_barrier_destroy",
        why: "waits in a futex inside of the C library; all workers may come to wait for \
              coroutines that have no worker left to run on",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "spin locks of C",
        symbols: "pthread_spin_lock pthread_spin_trylock pthread_spin_unlock",
        why: "spins until the holder lets go. If that is a suspended coroutine, all workers may \
              come to spin",
        remedy: "do not suspend while holding one, or `lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "once",
        symbols: "pthread_once __pthread_once call_once",
        why: "waits in a futex while another thread or coroutine runs the initialiser. If that one \
              suspends, all workers may come to wait for it",
        remedy: "do not suspend while holding one, or `lisle::pin_to_os_thread`",
    },
    Unhooked {
        what: "joining with a time limit, and from C11",
        symbols: "pthread_timedjoin_np pthread_clockjoin_np thrd_join",
        why: "waits in a futex inside of the C library",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "sleeping and yielding under other names",
        symbols: "thrd_sleep __nanosleep thrd_yield pthread_yield __sched_yield",
        why: "aliases of hooked functions",
        remedy: "call the function of the usual name",
    },
    Unhooked {
        what: "sending to all threads",
        symbols: "setuid setgid setreuid setregid setresuid setresgid seteuid setegid setgroups",
        why: "waits until each OS thread has answered a signal, which is quick unless one is stuck \
              in the kernel. See \"Where a coroutine is not a thread\"",
        remedy: "none is needed as a rule",
    },
];
