// TCP echo on epoll, one thread, by hand: the limit that readiness sets.
//
// Usage: epoll echo [ignored parameters]. Prints "port N", then serves until it is killed.
#define _GNU_SOURCE
#include "listen.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512, BUFFER = 2048 };

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

static void accept_all(int epoll, int listener) {
    int stream;
    while ((stream = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        set_nodelay(stream);
        watch(epoll, stream);
    }
}

static void echo(int stream) {
    static char buffer[BUFFER];
    ssize_t length = recv(stream, buffer, sizeof buffer, 0);
    // Replies are smaller than a socket buffer, so a short write does not happen.
    if (length <= 0 || send(stream, buffer, length, MSG_NOSIGNAL) != length) {
        close(stream);
    }
}

int main(void) {
    int listener = listen_anywhere(SOCK_NONBLOCK);
    int epoll = epoll_create1(0);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                accept_all(epoll, listener);
            } else {
                echo(events[i].data.fd);
            }
        }
    }
}
