/* Cancellation of threads, in the calls where they wait. */
#define _GNU_SOURCE
#include "told.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>

static struct gate go = GATE, ready = GATE;
static int ends[2];
static sem_t semaphore;

static void cleanup(void *what) {
    tell("cleanup %s", (char *)what);
}

static void *in_read(void *argument) {
    char byte;
    pthread_cleanup_push(cleanup, "of read");
    come(&ready);
    if (read(ends[0], &byte, 1) != 1) {
        argument = NULL;
    }
    pthread_cleanup_pop(0);
    return argument;
}

static void *in_join(void *argument) {
    pthread_cleanup_push(cleanup, "of join");
    come(&ready);
    pthread_join(*(pthread_t *)argument, NULL);
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void unlock(void *what) {
    tell("unlock: %s", error_name(pthread_mutex_unlock(what)));
}

static void *in_cond(void *argument) {
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    come(&ready);
    for (;;) {
        pthread_cond_wait(&never, &lock);
    }
    pthread_cleanup_pop(0);
    return argument;
}

static void *in_sem(void *argument) {
    come(&ready);
    sem_wait(&semaphore);
    return argument;
}

static void *in_sleep(void *argument) {
    come(&ready);
    sleep(100);
    return argument;
}

static void *in_poll(void *argument) {
    struct pollfd wanted = {ends[0], POLLIN, 0};
    come(&ready);
    poll(&wanted, 1, -1);
    return argument;
}

static void *in_receive(void *argument) {
    int pair[2];
    char byte;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
        come(&ready);
        recv(pair[0], &byte, 1, 0);
    }
    return argument;
}

static void *in_testcancel(void *argument) {
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    tell("it was enabled: %d", old == PTHREAD_CANCEL_ENABLE);
    come(&ready);
    await(&go, 1);
    pthread_testcancel();
    tell("not while it is disabled");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    pthread_testcancel();
    tell("never");
    return argument;
}

static void cancel(const char *what, void *(*routine)(void *), void *argument) {
    ready.count = 0;
    pthread_t thread = start(routine, argument);
    await(&ready, 1);
    int cancelled = pthread_cancel(thread);
    come(&go);
    void *value = NULL;
    int error = pthread_join(thread, &value);
    tell("%s: cancel: %s", what, error_name(cancelled));
    tell("%s: join: %s %d", what, error_name(error), value == PTHREAD_CANCELED);
}

static void all(void) {
    pthread_t waiting = start(in_read, &ready);
    cancel("read", in_read, NULL);
    cancel("join", in_join, &waiting);
    cancel("cond", in_cond, NULL);
    cancel("sem", in_sem, NULL);
    cancel("sleep", in_sleep, NULL);
    cancel("poll", in_poll, NULL);
    cancel("socket", in_receive, NULL);
    go.count = 0;
    cancel("disabled", in_testcancel, NULL);
    tell("the other one is still there: %s", error_name(pthread_tryjoin_np(waiting, NULL)));
    tell("write: %zd", write(ends[1], "x", 1));
    void *value;
    int error = pthread_join(waiting, &value);
    tell("join: %s, it has read: %d", error_name(error), value == &ready);
}

static void *from_thread(void *argument) {
    all();
    return argument;
}

int main(void) {
    if (pipe(ends) != 0) {
        return 1;
    }
    sem_init(&semaphore, 0, 0);
    all();
    pthread_join(start(from_thread, NULL), NULL);
    return 0;
}
