/* Load for echo_threads: so many connections to a port of this machine, each with one message on
   its way, for some seconds. Prints messages per second; fails if an answer is wrong or late. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, EVENTS = 512 };

static const char message[SIZE] = "a message of sixty-four bytes, which comes back as it went";

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int connected(int port) {
    static int number;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in own = {.sin_family = AF_INET}, address = {.sin_family = AF_INET};
    /* Several addresses of our own, so that ports suffice. */
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number++ / 20000);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) ||
        connect(fd, (struct sockaddr *)&address, sizeof address)) {
        fail("connect");
    }
    return fd;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: echo_load PORT CONNECTIONS SECONDS\n");
        return 2;
    }
    int port = atoi(arguments[1]), connections = atoi(arguments[2]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int poll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        int fd = connected(port);
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted);
        if (write(fd, message, SIZE) != SIZE) {
            fail("write");
        }
    }
    double start = now(), end = start + atof(arguments[3]);
    long answers = 0;
    while (now() < end) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, 10000);
        if (ready == 0) {
            fprintf(stderr, "no answer for ten seconds\n");
            return 1;
        }
        for (int i = 0; i < ready; i++) {
            char answer[SIZE];
            int fd = events[i].data.fd;
            if (recv(fd, answer, SIZE, MSG_WAITALL) != SIZE || memcmp(answer, message, SIZE)) {
                fail("a wrong answer");
            }
            answers++;
            if (write(fd, message, SIZE) != SIZE) {
                fail("write");
            }
        }
    }
    printf("%.0f\n", answers / (now() - start));
    return 0;
}
