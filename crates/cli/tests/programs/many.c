/* Many threads, at once and in turn; locks between threads and main; limits. */
#define _GNU_SOURCE
#include "told.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>

static struct gate go = GATE, ready = GATE;

static void *wait_first(void *argument) {
    come(&ready);
    await(&go, 1);
    return argument;
}

static void *give_back(void *argument) {
    return argument;
}

static void at_once(int count) {
    pthread_t *threads = malloc(count * sizeof *threads);
    pthread_attr_t attributes;
    long sum = 0;
    int made = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (long i = 0; i < count; i++) {
        made += pthread_create(&threads[i], &attributes, wait_first, (void *)i) == 0;
    }
    await(&ready, made);
    come(&go);
    for (int i = 0; i < made; i++) {
        void *value;
        pthread_join(threads[i], &value);
        sum += (long)value;
    }
    tell("at once: %d, sum %ld", made, sum);
    free(threads);
}

static void in_turn(int count) {
    long sum = 0;
    for (long i = 0; i < count; i++) {
        void *value;
        pthread_join(start(give_back, (void *)i), &value);
        sum += (long)value;
    }
    tell("in turn: %d, sum %ld", count, sum);
}

enum { THREADS = 8, ROUNDS = 300 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static sem_t semaphore;
static long guarded, written, spun, torn, serial;

static void *locks(void *argument) {
    long last = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        long seen = guarded;
        if (i % 16 == 0) {
            sched_yield();
        }
        guarded = seen + 1;
        pthread_mutex_unlock(&lock);
        pthread_rwlock_wrlock(&shared);
        written++;
        pthread_rwlock_unlock(&shared);
        pthread_rwlock_rdlock(&shared);
        torn += written < last;
        last = written;
        pthread_rwlock_unlock(&shared);
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
        sem_wait(&semaphore);
        sem_post(&semaphore);
        if (i % 30 == 0 && pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            serial++;
        }
    }
    return argument;
}

/* Main, which is an OS thread, takes part. */
static void mixed(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    pthread_spin_init(&spin, 0);
    sem_init(&semaphore, 0, 2);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = start(locks, NULL);
    }
    locks(NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    tell("guarded %ld written %ld spun %ld torn %ld serial %ld", guarded, written, spun, torn,
         serial);
    tell("destroy: %s", error_name(pthread_barrier_destroy(&barrier)));
}

/* Until none can be had; then they end, and there are some again. */
static void exhaust(void) {
    enum { MOST = 200000 };
    static pthread_t threads[MOST];
    struct rlimit limit = {1UL << 31, 1UL << 31};
    pthread_attr_t attributes;
    int made = 0, error = 0;
    setrlimit(RLIMIT_AS, &limit);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    while (made < MOST && error == 0) {
        error = pthread_create(&threads[made], &attributes, wait_first, NULL);
        made += error == 0;
    }
    tell("some were made: %d, then: %s", made > 100, error_name(error));
    come(&go);
    for (int i = 0; i < made; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_t thread;
    error = pthread_create(&thread, &attributes, give_back, NULL);
    tell("again: %s", error_name(error));
    if (error == 0) {
        pthread_join(thread, NULL);
    }
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    int number = count > 2 ? atoi(arguments[2]) : 0;
    if (!strcmp(what, "at-once")) {
        at_once(number);
    } else if (!strcmp(what, "in-turn")) {
        in_turn(number);
    } else if (!strcmp(what, "mixed")) {
        mixed();
    } else if (!strcmp(what, "exhaust")) {
        exhaust();
    }
    return 0;
}
