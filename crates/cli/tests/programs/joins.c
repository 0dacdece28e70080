/* Joining and detaching: values, errors, deadlines. */
#define _GNU_SOURCE
#include "told.h"
#include <time.h>

static struct gate go = GATE, ready = GATE;

static void *give_back(void *argument) {
    return argument;
}

static void *wait_first(void *argument) {
    await(&go, (int)(long)argument);
    return argument;
}

static void *join_self(void *argument) {
    tell("join self: %s", error_name(pthread_join(pthread_self(), NULL)));
    return argument;
}

static pthread_t first;

static void *join_first(void *argument) {
    come(&ready);
    void *value;
    int error = pthread_join(first, &value);
    tell("the second joins the first: %s %ld", error_name(error), (long)value);
    return argument;
}

static pthread_t second;
static struct gate published = GATE;

static void *wait_then_join(void *argument) {
    /* The second waits for this one by now, or soon. */
    await(&ready, 1);
    await(&published, 1);
    tell("tryjoin of who joins: %s", error_name(pthread_tryjoin_np(second, NULL)));
    return argument;
}

static void values(void) {
    for (long i = -2; i < 3; i++) {
        void *value = NULL;
        pthread_t thread = start(give_back, (void *)i);
        int error = pthread_join(thread, &value);
        tell("join: %s %ld", error_name(error), (long)value);
    }
    tell("join without a place: %s", error_name(pthread_join(start(give_back, NULL), NULL)));
    enum { MANY = 50 };
    pthread_t threads[MANY];
    long sum = 0;
    for (long i = 0; i < MANY; i++) {
        threads[i] = start(give_back, (void *)i);
    }
    for (int i = MANY; i--;) {
        void *value;
        pthread_join(threads[i], &value);
        sum += (long)value;
    }
    tell("sum: %ld", sum);
}

static void detaching(void) {
    pthread_t thread = start(wait_first, (void *)1);
    tell("detach before the end: %s", error_name(pthread_detach(thread)));
    tell("detach again: %s", error_name(pthread_detach(thread)));
    tell("join detached: %s", error_name(pthread_join(thread, NULL)));
    come(&go);
    /* One that has ended, as far as can be seen without joining it. */
    thread = start(give_back, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, wait_first, (void *)2);
    tell("create detached: %s", error_name(error));
    tell("join one made detached: %s", error_name(pthread_join(thread, NULL)));
    tell("tryjoin one made detached: %s", error_name(pthread_tryjoin_np(thread, NULL)));
    come(&go);
    for (int i = 0; i < 1000; i++) {
        pthread_detach(start(give_back, NULL));
    }
    tell("a thousand detached");
}

static void deadlocks(void) {
    pthread_join(start(join_self, NULL), NULL);
    tell("join self from main: %s", error_name(pthread_join(pthread_self(), NULL)));
    first = start(wait_then_join, (void *)7);
    second = start(join_first, NULL);
    come(&published);
    tell("join the second: %s", error_name(pthread_join(second, NULL)));
}

static _Atomic int told_so, joined;

static void *join_other(void *argument) {
    pthread_t *other = argument;
    await(&ready, 1);
    int error = pthread_join(*other, NULL);
    told_so += error == EDEADLK;
    joined += error == 0;
    come(&go);
    return NULL;
}

static void mutual(void) {
    static pthread_t pair[2];
    pair[0] = start(join_other, &pair[1]);
    pair[1] = start(join_other, &pair[0]);
    come(&ready);
    /* One of them is told, which lets the other one go on; who, is chance. */
    await(&go, 2);
    tell("mutual: %d told, %d joined", told_so, joined);
}

static void timed(void) {
    go.count = 4;
    pthread_t thread = start(wait_first, (void *)5);
    void *value = (void *)5;
    tell("tryjoin: %s", error_name(pthread_tryjoin_np(thread, &value)));
    struct timespec time = {0, 0};
    tell("timedjoin, past: %s", error_name(pthread_timedjoin_np(thread, &value, &time)));
    tell("clockjoin, odd clock: %s",
         error_name(pthread_clockjoin_np(thread, &value, CLOCK_PROCESS_CPUTIME_ID, &time)));
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += 20000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    tell("clockjoin, soon: %s",
         error_name(pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &time)));
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell("not before: %d", now.tv_sec > time.tv_sec || now.tv_nsec >= time.tv_nsec);
    tell("the place: %ld", (long)value);
    go.count = 4;
    come(&go);
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += 50;
    tell("timedjoin: %s", error_name(pthread_timedjoin_np(thread, &value, &time)));
    tell("the place: %ld", (long)value);
    thread = start(give_back, (void *)9);
    int error;
    while ((error = pthread_tryjoin_np(thread, &value)) == EBUSY) {
        sched_yield();
    }
    tell("tryjoin in the end: %s %ld", error_name(error), (long)value);
    thread = start(give_back, (void *)11);
    error = pthread_timedjoin_np(thread, &value, NULL);
    tell("timedjoin without a time: %s %ld", error_name(error), (long)value);
}

static void *from_thread(void *argument) {
    values();
    timed();
    return argument;
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        mutual();
        return 0;
    }
    values();
    detaching();
    deadlocks();
    timed();
    pthread_join(start(from_thread, NULL), NULL);
    return 3;
}
