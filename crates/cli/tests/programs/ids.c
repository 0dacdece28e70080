/* Ids of threads, and signals that are sent to them. */
#define _GNU_SOURCE
#include "told.h"
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

enum { MANY = 200 };

static struct gate go = GATE, ready = GATE;
static pid_t ids[MANY + 1];
static _Atomic pid_t taker;
static sem_t taken;

static pid_t own_id(void) {
    return (pid_t)syscall(SYS_gettid);
}

static void *keep_id(void *argument) {
    long index = (long)argument;
    ids[index] = gettid();
    come(&ready);
    await(&go, 1);
    usleep(100);
    return (void *)(long)(ids[index] == gettid() && ids[index] == own_id());
}

static int ascending(const void *a, const void *b) {
    return *(const pid_t *)a - *(const pid_t *)b;
}

static void ids_differ(void) {
    pthread_t threads[MANY];
    long stable = 0;
    for (long i = 0; i < MANY; i++) {
        threads[i] = start(keep_id, (void *)i);
    }
    await(&ready, MANY);
    come(&go);
    for (int i = 0; i < MANY; i++) {
        void *value;
        pthread_join(threads[i], &value);
        stable += (long)value;
    }
    ids[MANY] = getpid();
    tell("main's id is the process's: %d", gettid() == getpid() && own_id() == getpid());
    qsort(ids, MANY + 1, sizeof *ids, ascending);
    int different = 1;
    for (int i = 0; i < MANY; i++) {
        different += ids[i] != ids[i + 1];
    }
    tell("ids: %ld stable, %d different, positive: %d", stable, different, ids[0] > 0);
}

static void note_taker(int signal) {
    (void)signal;
    atomic_store(&taker, gettid());
    sem_post(&taken);
}

static void *take(void *argument) {
    *(pid_t *)argument = gettid();
    come(&ready);
    await(&go, 1);
    return NULL;
}

static void told_by(const char *what, long result, pid_t wanted) {
    if (result == 0) {
        while (sem_wait(&taken) != 0) {
        }
    }
    tell("%s: %ld, by the right one: %d", what, result, atomic_load(&taker) == wanted);
    atomic_store(&taker, 0);
}

static void *sends_itself(void *argument) {
    told_by("own tgkill", tgkill(getpid(), gettid(), SIGUSR1), gettid());
    told_by("own syscall", syscall(SYS_tgkill, getpid(), own_id(), SIGUSR1), gettid());
    told_by("own tkill", syscall(SYS_tkill, own_id(), SIGUSR1), gettid());
    told_by("own pthread_kill", pthread_kill(pthread_self(), SIGUSR1), gettid());
    told_by("own raise", raise(SIGUSR1), gettid());
    tell("signal 0: %ld", syscall(SYS_tgkill, getpid(), own_id(), 0));
    tell("nonsense: %ld %s", syscall(SYS_tgkill, getpid(), own_id(), 1000), error_name(errno));
    tell("other process: %ld %s", syscall(SYS_tgkill, 1, own_id(), SIGUSR1), error_name(errno));
    return argument;
}

static void sending(void) {
    struct sigaction action = {.sa_handler = note_taker, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    ready.count = go.count = 0;
    pid_t id;
    pthread_t thread = start(take, &id);
    await(&ready, 1);
    told_by("tgkill", tgkill(getpid(), id, SIGUSR1), id);
    told_by("syscall", syscall(SYS_tgkill, getpid(), id, SIGUSR1), id);
    told_by("tkill", syscall(SYS_tkill, id, SIGUSR1), id);
    told_by("pthread_kill", pthread_kill(thread, SIGUSR1), id);
    tell("pthread_kill 0: %s", error_name(pthread_kill(thread, 0)));
    tell("pthread_kill nonsense: %s", error_name(pthread_kill(thread, 1000)));
    come(&go);
    pthread_join(thread, NULL);
    /* The kernel may need a moment until it is gone. */
    int result;
    while ((result = tgkill(getpid(), id, 0)) == 0) {
        sched_yield();
    }
    tell("after its end: %d %s", result, error_name(errno));
    pthread_join(start(sends_itself, NULL), NULL);
    told_by("main itself", tgkill(getpid(), gettid(), SIGUSR1), getpid());
}

static void *wait_signal(void *argument) {
    sigset_t *set = argument;
    for (int signal = 0; signal != SIGTERM;) {
        int error = sigwait(set, &signal);
        tell("sigwait: %s %d", error_name(error), signal);
        come(&ready);
    }
    return NULL;
}

/* The usual way: one thread takes the signals of the process. */
static void signal_thread(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    ready.count = 0;
    pthread_t thread = start(wait_signal, &set);
    kill(getpid(), SIGUSR2);
    await(&ready, 1);
    pthread_kill(thread, SIGUSR2);
    await(&ready, 2);
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static volatile sig_atomic_t alarms;

static void note_alarm(int signal) {
    alarms += signal == SIGALRM;
}

static void *until_alarm(void *argument) {
    while (!alarms) {
        usleep(1000);
    }
    return argument;
}

/* A signal to the process while main waits in join. */
static void alarm_while_joining(void) {
    struct sigaction action = {.sa_handler = note_alarm};
    sigaction(SIGALRM, &action, NULL);
    pthread_t thread = start(until_alarm, (void *)3);
    ualarm(20000, 0);
    void *value;
    int error = pthread_join(thread, &value);
    tell("join: %s %ld, alarms: %d", error_name(error), (long)value, (int)alarms);
}

/* Natively nobody can join it after that. */
static void *set_address(void *argument) {
    static int word;
    tell("set_tid_address: %d", syscall(SYS_set_tid_address, &word) == gettid());
    _exit(0);
    return argument;
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        pthread_join(start(set_address, NULL), NULL);
    }
    sem_init(&taken, 0, 0);
    ids_differ();
    sending();
    signal_thread();
    alarm_while_joining();
    return 0;
}
