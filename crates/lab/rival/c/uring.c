// TCP echo on io_uring, one thread, by hand: the limit that completion sets. Needs liburing.
//
// Usage: uring echo [ignored parameters]. Prints "port N", then serves until it is killed.
#define _GNU_SOURCE
#include "listen.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRIES = 4096, COMPLETIONS = 16384, BUFFER = 2048 };

// What a completion completes: the low bits of its user data; the rest points to the connection.
enum { ACCEPT = 1, RECEIVE = 2, SEND = 3, OPERATION = 7 };

struct connection {
    int fd;
    char buffer[BUFFER];
};

static struct io_uring ring;

static struct io_uring_sqe *next_entry(void) {
    struct io_uring_sqe *entry;
    while ((entry = io_uring_get_sqe(&ring)) == NULL) {
        io_uring_submit(&ring);
    }
    return entry;
}

static void start_accept(int listener) {
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(entry, ACCEPT);
}

static void start_receive(struct connection *connection) {
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_recv(entry, connection->fd, connection->buffer, BUFFER, 0);
    io_uring_sqe_set_data64(entry, (uintptr_t)connection | RECEIVE);
}

static void start_send(struct connection *connection, int length) {
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_send(entry, connection->fd, connection->buffer, length, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(entry, (uintptr_t)connection | SEND);
}

static void open_connection(int fd) {
    struct connection *connection = malloc(sizeof *connection);
    connection->fd = fd;
    set_nodelay(fd);
    start_receive(connection);
}

static void close_connection(struct connection *connection) {
    close(connection->fd);
    free(connection);
}

static void complete(struct io_uring_cqe *completion, int listener) {
    uint64_t data = completion->user_data;
    struct connection *connection = (struct connection *)(data & ~(uint64_t)OPERATION);
    int result = completion->res;
    switch (data & OPERATION) {
    case ACCEPT:
        if (result >= 0) {
            open_connection(result);
        }
        if (!(completion->flags & IORING_CQE_F_MORE)) {
            start_accept(listener);
        }
        break;
    case RECEIVE:
        if (result <= 0) {
            close_connection(connection);
        } else {
            start_send(connection, result);
        }
        break;
    case SEND:
        if (result < 0) {
            close_connection(connection);
        } else {
            start_receive(connection);
        }
        break;
    }
}

int main(void) {
    int listener = listen_anywhere(0);
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int refused = io_uring_queue_init_params(ENTRIES, &ring, &params);
    if (refused != 0) {
        errno = -refused;
        fail("io_uring");
    }
    start_accept(listener);
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *completion;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, completion) {
            count++;
            complete(completion, listener);
        }
        io_uring_cq_advance(&ring, count);
    }
}
