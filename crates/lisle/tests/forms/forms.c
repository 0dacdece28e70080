/* Calls as C programs make them: variadic functions, macros, fortified names. Built by the tests
 * with optimisation and _FORTIFY_SOURCE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>

/* Arguments of every kind, more than the registers hold. */
int print_all(FILE *stream, int number) {
    return fprintf(stream, "%d %s %.3f %c %ld %g %d %d %d %f %.2Lf %d %f %f %f %f %f %f\n", number,
                   "text", 1.5, 'x', 123456789012L, 2.5e10, 1, 2, 3, 4.25, 5.5L, 6, 1.0, 2.0, 3.0,
                   4.0, 5.0, 6.0);
}

int print_descriptor(int fd, int number) {
    return dprintf(fd, "%d %s %.3f\n", number, "text", 1.5);
}

int print_output(int number) {
    int sum = printf("%d %s %.3f\n", number, "printf", 1.5);
    puts("puts");
    putchar('c');
    putchar('\n');
    fflush(stdout);
    return sum;
}

int print_wide(FILE *stream, int number) {
    return fwprintf(stream, L"%d %ls %.3f\n", number, L"wide", 1.5);
}

int scan_all(FILE *stream, int *number, double *real, char *word) {
    return fscanf(stream, "%d %lf %15s", number, real, word);
}

int scan_wide(FILE *stream, int *number, double *real) {
    return fwscanf(stream, L"%d %lf", number, real);
}

int put_by_macro(FILE *stream, const char *text) {
    for (; *text; text++)
        if (putc_unlocked(*text, stream) == EOF)
            return -1;
    return 0;
}

int get_by_macro(FILE *stream) { return getc_unlocked(stream); }

/* Fortified calls on a buffer of 16 bytes, of a length that the compiler does not know. */
ssize_t read_16(int fd, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    ssize_t got = read(fd, buffer, length);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

ssize_t recv_16(int fd, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    ssize_t got = recv(fd, buffer, length, 0);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

ssize_t recvfrom_16(int fd, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    ssize_t got = recvfrom(fd, buffer, length, 0, NULL, NULL);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

ssize_t pread_16(int fd, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    ssize_t got = pread(fd, buffer, length, 0);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

ssize_t readlink_16(const char *path, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    ssize_t got = readlink(path, buffer, length);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

int poll_1(int fd, nfds_t count, int timeout) {
    struct pollfd entry[1] = {{fd, POLLIN, 0}};
    return poll(entry, count, timeout);
}

char *gets_16(FILE *stream, int length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    char *got = fgets(buffer, length, stream);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

size_t fread_16(FILE *stream, size_t length, char *into) {
    char buffer[16];
    memset(buffer, 0, sizeof buffer);
    size_t got = fread(buffer, 1, length, stream);
    memcpy(into, buffer, sizeof buffer);
    return got;
}

/* A message of each kind on the standard error stream. */
void complain(int number) {
    errno = ENOENT;
    perror("perror");
    warnx("warnx %d %.1f", number, 2.5);
    errno = EACCES;
    warn("warn %s", "text");
    psignal(SIGINT, "psignal");
}

void log_line(int number) {
    openlog("forms", LOG_PERROR | LOG_PID * 0, LOG_USER);
    syslog(LOG_INFO, "a line %d %.1f %s", number, 1.5, "text");
    closelog();
}

/* A stream whose functions are the test's own. */
FILE *open_cookie(void *cookie, cookie_read_function_t *reads, cookie_write_function_t *writes) {
    cookie_io_functions_t functions = {reads, writes, NULL, NULL};
    return fopencookie(cookie, "r+", functions);
}

void *open_object(const char *name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); }
