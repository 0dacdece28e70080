/* Ends of threads and of processes, one for each argument. */
#define _GNU_SOURCE
#include "told.h"
#include <signal.h>
#include <sys/wait.h>

static struct gate go = GATE, ready = GATE;
static pthread_t main_thread;

static void at_exit(void) {
    tell("atexit");
}

__attribute__((destructor)) static void destructor(void) {
    tell("destructor");
}

static void cleanup(void *what) {
    tell("cleanup %s", (char *)what);
}

__attribute__((noinline)) static void leave(long depth) {
    if (depth == 0) {
        pthread_exit((void *)42);
    }
    pthread_cleanup_push(cleanup, depth == 1 ? "inner" : "outer");
    leave(depth - 1);
    pthread_cleanup_pop(0);
    tell("never");
}

static void *leaving(void *argument) {
    leave((long)argument);
    return NULL;
}

static void *for_ever(void *argument) {
    come(&ready);
    await(&go, 1);
    return argument;
}

static void *after_main(void *argument) {
    void *value = NULL;
    int error = pthread_join(main_thread, &value);
    tell("main is joined: %s %ld", error_name(error), (long)value);
    for (int i = 0; i < 100; i++) {
        usleep(100);
    }
    tell("still here");
    return argument;
}

static void *and_more(void *argument) {
    long left = (long)argument;
    if (left == 0) {
        tell("the last one");
    } else {
        pthread_detach(start(and_more, (void *)(left - 1)));
    }
    return NULL;
}

static void *exits(void *argument) {
    exit((int)(long)argument);
}

static void *exits_at_once(void *argument) {
    _exit((int)(long)argument);
}

static void *aborts(void *argument) {
    abort();
    return argument;
}

static void *faults(void *argument) {
    *(volatile int *)argument = 1;
    return argument;
}

static void *raises(void *argument) {
    raise((int)(long)argument);
    return argument;
}

static void *kills(void *argument) {
    kill(getpid(), (int)(long)argument);
    for (;;) {
        pause();
    }
    return argument;
}

__attribute__((noinline)) static int overflow(volatile char *above) {
    volatile char place[1024];
    place[0] = above[0];
    return overflow(place) + place[0];
}

static void *overflows(void *argument) {
    volatile char place = 0;
    overflow(&place);
    return argument;
}

static void values(void) {
    void *value;
    for (long i = 0; i < 3; i++) {
        pthread_join(start(leaving, (void *)i), &value);
        tell("value: %ld", (long)value);
    }
}

/* Cases in which main leaves by pthread_exit. */
static int main_leaves(const char *what) {
    main_thread = pthread_self();
    if (!strcmp(what, "main-exits")) {
        start(after_main, NULL);
        pthread_exit((void *)4);
    }
    if (!strcmp(what, "main-exits-chain")) {
        pthread_detach(start(and_more, (void *)20));
        pthread_exit(NULL);
    }
    if (!strcmp(what, "main-exits-alone")) {
        values();
        pthread_exit(NULL);
    }
    if (!strcmp(what, "main-exits-first")) {
        pthread_exit(NULL);
    }
    return 98;
}

static int dies(const char *what) {
    if (!strcmp(what, "abort")) {
        pthread_join(start(aborts, NULL), NULL);
    } else if (!strcmp(what, "fault")) {
        pthread_join(start(faults, NULL), NULL);
    } else if (!strcmp(what, "raise")) {
        pthread_join(start(raises, (void *)SIGTERM), NULL);
    } else if (!strcmp(what, "kill")) {
        pthread_join(start(kills, (void *)SIGKILL), NULL);
    } else if (!strcmp(what, "kill-int")) {
        /* Whoever started this may have had it ignored. */
        signal(SIGINT, SIG_DFL);
        pthread_join(start(kills, (void *)SIGINT), NULL);
    } else if (!strcmp(what, "overflow")) {
        pthread_join(start(overflows, NULL), NULL);
    }
    return main_leaves(what);
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    atexit(at_exit);
    if (!strcmp(what, "values")) {
        values();
        return 0;
    }
    if (!strcmp(what, "return")) {
        start(for_ever, NULL);
        await(&ready, 1);
        return 5;
    }
    if (!strcmp(what, "exit")) {
        start(for_ever, NULL);
        pthread_join(start(exits, (void *)6), NULL);
        return 97;
    }
    if (!strcmp(what, "_exit")) {
        pthread_join(start(exits_at_once, (void *)7), NULL);
        return 97;
    }
    return dies(what);
}
