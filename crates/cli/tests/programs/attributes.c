/* Attributes of threads: those they are made with, and those they are told to have. */
#define _GNU_SOURCE
#include "told.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static struct gate go = GATE, ready = GATE;

struct range {
    char *low;
    size_t size;
};

static int inside(void *low, size_t size, void *place) {
    return (char *)place >= (char *)low && (char *)place < (char *)low + size;
}

/* Uses most of a stack. */
__attribute__((noinline)) static int deep(size_t bytes) {
    volatile char place[4096];
    place[0] = (char)bytes;
    return bytes < 2 * sizeof place ? place[0] : deep(bytes - sizeof place) + place[0] * 0;
}

static void *on_given(void *argument) {
    struct range *range = argument;
    char local;
    pthread_attr_t own;
    void *low;
    size_t size, guard;
    tell("local in the given stack: %d", inside(range->low, range->size, &local));
    tell("getattr of self: %s", error_name(pthread_getattr_np(pthread_self(), &own)));
    pthread_attr_getstack(&own, &low, &size);
    pthread_attr_getguardsize(&own, &guard);
    tell("it tells the given stack: %d %d", low == range->low, size == range->size);
    pthread_attr_destroy(&own);
    deep(range->size / 2);
    return range->low;
}

static void given_stack(void) {
    struct range range = {NULL, 1 << 20};
    range.low = mmap(NULL, range.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    tell("setstack: %s", error_name(pthread_attr_setstack(&attributes, range.low, range.size)));
    pthread_t thread;
    void *value;
    for (int i = 0; i < 3; i++) {
        int error = pthread_create(&thread, &attributes, on_given, &range);
        pthread_join(thread, &value);
        tell("create: %s", error_name(error));
        tell("value: %d", value == range.low);
    }
    pthread_attr_destroy(&attributes);
    /* Nobody uses it any more. */
    memset(range.low, 1, range.size);
    munmap(range.low, range.size);
}

static void *with_size(void *argument) {
    size_t wanted = (size_t)argument, size, guard;
    char local;
    void *low;
    pthread_attr_t own;
    pthread_getattr_np(pthread_self(), &own);
    pthread_attr_getstack(&own, &low, &size);
    pthread_attr_getguardsize(&own, &guard);
    tell("size %zu: at least that: %d, local inside: %d, guard: %d", wanted, size + guard >= wanted,
         inside(low, size, &local), guard > 0);
    pthread_attr_destroy(&own);
    deep(wanted > 65536 ? wanted - 32768 : wanted / 8);
    return NULL;
}

static void sizes(void) {
    static const size_t all[] = {16384, 65536, 1 << 20, 3 << 20, 64 << 20};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        tell("setstacksize: %s", error_name(pthread_attr_setstacksize(&attributes, all[i])));
        pthread_t thread;
        int error = pthread_create(&thread, &attributes, with_size, (void *)all[i]);
        pthread_join(thread, NULL);
        tell("create: %s", error_name(error));
        pthread_attr_destroy(&attributes);
    }
    /* What a thread has that nobody said anything about. */
    pthread_join(start(with_size, (void *)(7 << 20)), NULL);
}

static void *wait_first(void *argument) {
    come(&ready);
    await(&go, (int)(long)argument);
    return argument;
}

static void of_other(void) {
    pthread_t thread = start(wait_first, (void *)1);
    pthread_attr_t attributes;
    int state;
    size_t size;
    void *low;
    await(&ready, 1);
    tell("getattr of another: %s", error_name(pthread_getattr_np(thread, &attributes)));
    pthread_attr_getdetachstate(&attributes, &state);
    tell("it is joinable: %d", state == PTHREAD_CREATE_JOINABLE);
    pthread_attr_getstack(&attributes, &low, &size);
    tell("it has a stack: %d", low != NULL && size >= (7 << 20));
    pthread_attr_destroy(&attributes);
    pthread_detach(thread);
    pthread_getattr_np(thread, &attributes);
    pthread_attr_getdetachstate(&attributes, &state);
    tell("it is detached: %d", state == PTHREAD_CREATE_DETACHED);
    pthread_attr_destroy(&attributes);
    come(&go);
    tell("getattr of main: %s", error_name(pthread_getattr_np(pthread_self(), &attributes)));
    pthread_attr_getstack(&attributes, &low, &size);
    tell("main's stack: %d", inside(low, size, &state));
    pthread_attr_destroy(&attributes);
}

static void *tell_name(void *argument) {
    char name[16] = "";
    int error = pthread_getname_np(pthread_self(), name, sizeof name);
    tell("%s: %s %s", (char *)argument, error_name(error), name);
    return argument;
}

static void *names_inside(void *argument) {
    char name[16] = "";
    tell_name("inherited");
    tell("set own: %s", error_name(pthread_setname_np(pthread_self(), "own")));
    prctl(PR_GET_NAME, name);
    tell("prctl tells: %s", name);
    prctl(PR_SET_NAME, "longer than the kernel keeps");
    tell_name("cut");
    pthread_join(start(tell_name, "inherited from a thread"), NULL);
    tell("too long: %s", error_name(pthread_setname_np(pthread_self(), "0123456789abcdef")));
    tell("the longest: %s", error_name(pthread_setname_np(pthread_self(), "0123456789abcde")));
    tell("a small place: %s", error_name(pthread_getname_np(pthread_self(), name, 15)));
    tell_name("in the end");
    return argument;
}

static void names(void) {
    char name[16] = "";
    pthread_setname_np(pthread_self(), "main one");
    pthread_join(start(names_inside, NULL), NULL);
    prctl(PR_SET_NAME, "again");
    pthread_join(start(tell_name, "inherited from main"), NULL);
    ready.count = go.count = 0;
    pthread_t thread = start(wait_first, (void *)1);
    await(&ready, 1);
    tell("set another's: %s", error_name(pthread_setname_np(thread, "another")));
    tell("get another's: %s", error_name(pthread_getname_np(thread, name, sizeof name)));
    tell("it is: %s", name);
    come(&go);
    pthread_join(thread, NULL);
    tell_name("main");
}

static void *tell_mask(void *argument) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    tell("%s: USR1 %d USR2 %d", (char *)argument, sigismember(&mask, SIGUSR1),
         sigismember(&mask, SIGUSR2));
    return NULL;
}

static void masks(void) {
    sigset_t mask, old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    pthread_join(start(tell_mask, "inherited"), NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    tell("setsigmask: %s", error_name(pthread_attr_setsigmask_np(&attributes, &mask)));
    pthread_t thread;
    pthread_create(&thread, &attributes, tell_mask, "by attribute");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_join(start(tell_mask, "none"), NULL);
}

static void *scheduled(void *argument) {
    int policy;
    struct sched_param parameters;
    int error = pthread_getschedparam(pthread_self(), &policy, &parameters);
    tell("%s: %s %d %d", (char *)argument, error_name(error), policy, parameters.sched_priority);
    return NULL;
}

static void advice(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    tell("setaffinity: %s",
         error_name(pthread_attr_setaffinity_np(&attributes, sizeof set, &set)));
    ready.count = go.count = 0;
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, wait_first, (void *)1);
    tell("create: %s", error_name(error));
    CPU_ZERO(&set);
    tell("getaffinity: %s", error_name(pthread_getaffinity_np(thread, sizeof set, &set)));
    tell("it is: %d %d", CPU_COUNT(&set), CPU_ISSET(0, &set));
    tell("setaffinity later: %s", error_name(pthread_setaffinity_np(thread, sizeof set, &set)));
    CPU_ZERO(&set);
    tell("an empty set: %s", error_name(pthread_setaffinity_np(thread, sizeof set, &set)));
    come(&go);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    pthread_join(start(scheduled, "usual"), NULL);
    struct sched_param parameters = {0};
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_BATCH);
    pthread_attr_setschedparam(&attributes, &parameters);
    error = pthread_create(&thread, &attributes, scheduled, "batch");
    pthread_join(thread, NULL);
    tell("create: %s", error_name(error));
    pthread_attr_destroy(&attributes);
    parameters.sched_priority = 1000;
    thread = start(wait_first, (void *)2);
    tell("nonsense: %s", error_name(pthread_setschedparam(thread, SCHED_OTHER, &parameters)));
    come(&go);
    pthread_join(thread, NULL);
}

static void *inside_thread(void *argument) {
    given_stack();
    names();
    masks();
    advice();
    return argument;
}

int main(void) {
    given_stack();
    sizes();
    of_other();
    names();
    masks();
    advice();
    pthread_join(start(inside_thread, NULL), NULL);
    return 0;
}
