//! Hooks of C's locks and threads.

use super::{Family, Row};

pub(super) const LOCKS: Family = Family {
    title: "Locks of C",
    rows: &[
        Row {
            symbols: "pthread_mutex_lock pthread_mutex_timedlock pthread_mutex_clocklock \
                      __pthread_mutex_lock mtx_lock mtx_timedlock",
            how: "tried, then waited for in the lot. Robust mutexes, those with a ceiling or \
                  shared between processes: tried, then a hop",
            differs: "mutexes with priority inheritance, on OS threads as well: as if without. \
                      Those with a ceiling: raising a coroutine's priority fails",
        },
        Row {
            symbols: "pthread_mutex_unlock __pthread_mutex_unlock mtx_unlock",
            how: "in place; whoever waits is woken, in the lot or in the kernel. The same on OS \
                  threads",
            differs: "",
        },
        Row {
            symbols: "pthread_mutex_trylock __pthread_mutex_trylock mtx_trylock",
            how: "plain; with priority inheritance in place",
            differs: "",
        },
        Row {
            symbols: "pthread_cond_init pthread_cond_destroy pthread_cond_wait \
                      pthread_cond_timedwait pthread_cond_clockwait pthread_cond_signal \
                      pthread_cond_broadcast cnd_init cnd_destroy cnd_wait cnd_timedwait \
                      cnd_signal cnd_broadcast",
            how: "waited for in the lot, in the order of arrival; the same on OS threads, in words \
                  of Lisle's own. Shared between processes: a hop to wait",
            differs: "no spurious wake-ups. One shared between processes that is used with a mutex \
                      that is not: coroutines that wait for the mutex may not be woken",
        },
        Row {
            symbols: "pthread_rwlock_rdlock pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock \
                      pthread_rwlock_tryrdlock pthread_rwlock_wrlock pthread_rwlock_timedwrlock \
                      pthread_rwlock_clockwrlock pthread_rwlock_trywrlock pthread_rwlock_unlock \
                      __pthread_rwlock_rdlock __pthread_rwlock_tryrdlock __pthread_rwlock_wrlock \
                      __pthread_rwlock_trywrlock __pthread_rwlock_unlock",
            how: "waited for in the lot; the same on OS threads, in words of Lisle's own. Shared \
                  between processes: a hop to wait",
            differs: "",
        },
        Row {
            symbols: "sem_wait sem_timedwait sem_clockwait",
            how: "tried, then waited for in the lot. Shared between processes, and named ones: a \
                  hop",
            differs: "",
        },
        Row {
            symbols: "sem_post",
            how: "in place; whoever waits is woken, in the lot or in the kernel. The same on OS \
                  threads",
            differs: "",
        },
        Row {
            symbols: "pthread_barrier_wait",
            how: "waited for in the lot; the same on OS threads. Shared between processes: a hop",
            differs: "",
        },
        Row {
            symbols: "pthread_once __pthread_once call_once",
            how: "waited for in the lot; the same on OS threads",
            differs: "",
        },
        Row {
            symbols: "pthread_spin_lock",
            how: "looked at again and again, with others running in between",
            differs: "",
        },
    ],
};
