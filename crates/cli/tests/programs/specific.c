/* Data of threads: keys with destructors, _Thread_local, C11's threads. */
#define _GNU_SOURCE
#include "told.h"
#include <threads.h>

static pthread_key_t keys[4];
static int rounds;

static void destroy(void *value) {
    tell("destroy %s", (char *)value);
}

static void again(void *value) {
    tell("destroy again %d, it reads %d", rounds, pthread_getspecific(keys[2]) == NULL);
    if (rounds++ < 10) {
        pthread_setspecific(keys[2], value);
    }
}

static void last(void *value) {
    /* Sets another key, whose destructor has run before. */
    tell("destroy last");
    if (value == (void *)1) {
        pthread_setspecific(keys[0], "of the first, set by the last");
    }
}

static void *with_data(void *argument) {
    tell("at first: %d %d", pthread_getspecific(keys[0]) == NULL,
         pthread_getspecific(keys[3]) == NULL);
    pthread_setspecific(keys[0], "of the first");
    pthread_setspecific(keys[1], "of the second");
    pthread_setspecific(keys[2], argument);
    pthread_setspecific(keys[3], (void *)1);
    tell("then: %s", (char *)pthread_getspecific(keys[1]));
    return argument;
}

static void *with_many(void *argument) {
    enum { MANY = 900 };
    static pthread_key_t many[MANY];
    int made = 0, kept = 0;
    while (made < MANY && pthread_key_create(&many[made], NULL) == 0) {
        pthread_setspecific(many[made], &many[made]);
        made++;
    }
    for (int i = 0; i < made; i++) {
        kept += pthread_getspecific(many[i]) == &many[i];
        pthread_key_delete(many[i]);
    }
    tell("many keys: %d %d", made, kept);
    return argument;
}

static _Thread_local int own = 17;
static _Thread_local char large[20000];

static void *with_local(void *argument) {
    int clean = own == 17;
    for (unsigned i = 0; i < sizeof large; i++) {
        clean &= large[i] == 0;
    }
    own = 18;
    memset(large, 1, sizeof large);
    return clean ? argument : NULL;
}

static once_flag flag = ONCE_FLAG_INIT;
static tss_t c11_key;
static mtx_t lock;
static cnd_t changed;
static int count;

static void once(void) {
    tell("once");
}

static void c11_destroy(void *value) {
    tell("tss destroyed: %s", (char *)value);
}

static int c11(void *argument) {
    call_once(&flag, once);
    tss_set(c11_key, "value");
    mtx_lock(&lock);
    count++;
    cnd_signal(&changed);
    mtx_unlock(&lock);
    tell("equal: %d", thrd_equal(thrd_current(), thrd_current()) != 0);
    thrd_yield();
    if (argument) {
        thrd_exit(-5);
    }
    return 6;
}

static void c11_threads(void) {
    int result = 0;
    tell("tss_create: %d", tss_create(&c11_key, c11_destroy) == thrd_success);
    mtx_init(&lock, mtx_plain);
    cnd_init(&changed);
    for (long i = 0; i < 2; i++) {
        thrd_t thread;
        int made = thrd_create(&thread, c11, (void *)i);
        mtx_lock(&lock);
        while (count <= i) {
            cnd_wait(&changed, &lock);
        }
        mtx_unlock(&lock);
        tell("thrd_join: %d", thrd_join(thread, &result) == thrd_success);
        tell("thrd_create: %d", made == thrd_success);
        tell("result: %d", result);
    }
    thrd_t thread;
    thrd_create(&thread, c11, NULL);
    tell("thrd_join without a place: %d", thrd_join(thread, NULL) == thrd_success);
    struct timespec moment = {0, 1000000};
    tell("thrd_sleep: %d", thrd_sleep(&moment, NULL));
}

int main(void) {
    pthread_key_create(&keys[0], destroy);
    pthread_key_create(&keys[1], destroy);
    pthread_key_create(&keys[2], again);
    pthread_key_create(&keys[3], last);
    pthread_join(start(with_data, "x"), NULL);
    tell("rounds: %d", rounds);
    rounds = 0;
    pthread_join(start(with_data, "x"), NULL);
    pthread_join(start(with_many, NULL), NULL);
    for (int i = 0; i < 20; i++) {
        void *clean;
        pthread_join(start(with_local, "clean"), &clean);
        if (!clean) {
            tell("data of another thread");
        }
    }
    tell("own: %d", own);
    c11_threads();
    return 0;
}
