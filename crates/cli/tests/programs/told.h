/* What the programs share: lines that are compared, written at once and in order. */
#ifndef TOLD_H
#define TOLD_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes a line by one system call. */
__attribute__((format(printf, 1, 2))) static inline void tell(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (len > (int)sizeof line - 2) {
        len = sizeof line - 2;
    }
    line[len] = '\n';
    for (int sent = 0; sent <= len;) {
        ssize_t more = write(1, line + sent, len + 1 - sent);
        if (more < 0 && errno != EINTR) {
            return;
        }
        sent += more > 0 ? more : 0;
    }
}

/* The name of an error, or "ok". */
static inline const char *error_name(int error) {
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {0, "ok"},           {EPERM, "EPERM"},         {ESRCH, "ESRCH"},     {EINTR, "EINTR"},
        {EAGAIN, "EAGAIN"},  {ENOMEM, "ENOMEM"},       {EBUSY, "EBUSY"},     {EINVAL, "EINVAL"},
        {ERANGE, "ERANGE"},  {EDEADLK, "EDEADLK"},     {ENOSYS, "ENOSYS"},   {ECHILD, "ECHILD"},
        {ENOENT, "ENOENT"},  {ETIMEDOUT, "ETIMEDOUT"}, {EFAULT, "EFAULT"},   {EBADF, "EBADF"},
        {ENOTSUP, "ENOTSUP"}};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].error == error) {
            return names[i].name;
        }
    }
    return "another error";
}

/* A thread with default attributes, which must be had. */
static inline pthread_t start(void *(*routine)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, routine, argument);
    if (error) {
        tell("pthread_create: %s", error_name(error));
        _exit(99);
    }
    return thread;
}

/* A door, closed at first. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
};

#define GATE {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

/* Counts one more. */
static inline void come(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->count++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* Waits until so many came. */
static inline void await(struct gate *gate, int count) {
    pthread_mutex_lock(&gate->lock);
    while (gate->count < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

#endif
