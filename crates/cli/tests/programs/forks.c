/* Processes that threads start, one way for each argument. */
#define _GNU_SOURCE
#include "told.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static struct gate go = GATE, ready = GATE;

static void *give_back(void *argument) {
    return argument;
}

static void *wait_first(void *argument) {
    come(&ready);
    await(&go, 1);
    return argument;
}

static void reap(const char *what, pid_t process) {
    int status = -1;
    pid_t got;
    while ((got = waitpid(process, &status, 0)) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        tell("%s: signal %d", what, WTERMSIG(status));
    } else {
        tell("%s: %d status %d", what, got == process, WEXITSTATUS(status));
    }
}

/* What a child of a fork does: it has threads of its own. */
static void work(void) {
    long sum = 0;
    tell("child: main's id is the process's: %d", gettid() == getpid());
    for (long i = 0; i < 20; i++) {
        void *value;
        pthread_t thread = start(give_back, (void *)i);
        pthread_join(thread, &value);
        sum += (long)value;
    }
    tell("child: sum %ld", sum);
}

static void prepare(void) {
    tell("prepare");
}

static void parent(void) {
    /* Before or after the child's lines, by chance. */
}

static void child(void) {
    tell("in the child");
}

static void forks(void) {
    int ends[2];
    char byte;
    if (pipe(ends)) {
        return;
    }
    pid_t process = fork();
    if (process == 0) {
        work();
        usleep(1000);
        exit(12);
    }
    reap("fork", process);
    process = fork();
    if (process == 0) {
        pid_t inner = fork();
        if (inner == 0) {
            work();
            _exit(3);
        }
        reap("fork in a fork", inner);
        _exit(4);
    }
    reap("outer fork", process);
    process = fork();
    if (process == 0) {
        execl("/bin/sh", "sh", "-c", "echo executed; exit 9", (char *)NULL);
        _exit(96);
    }
    reap("fork and exec", process);
    process = fork();
    if (process == 0) {
        close(ends[1]);
        raise(read(ends[0], &byte, 1) == 1 ? SIGTERM : SIGKILL);
    }
    /* Told only after the child's end: its handlers of forks tell something, too. */
    ssize_t written = write(ends[1], "x", 1);
    reap("fork and signal", process);
    tell("write: %zd", written);
    close(ends[0]);
    close(ends[1]);
}

static void *forks_in_thread(void *argument) {
    forks();
    return argument;
}

/* The child of a fork in a thread leaves that thread: there it is the only one. */
static void *fork_and_return(void *argument) {
    pid_t process = fork();
    if (process == 0) {
        tell("child returns");
        return argument;
    }
    reap("fork and return", process);
    process = fork();
    if (process == 0) {
        tell("child leaves");
        pthread_exit(NULL);
    }
    reap("fork and pthread_exit", process);
    return NULL;
}

static void others(void) {
    pid_t process = vfork();
    if (process == 0) {
        execl("/bin/sh", "sh", "-c", "exit 21", (char *)NULL);
        _exit(95);
    }
    reap("vfork", process);
    char *arguments[] = {"sh", "-c", "exit 22", NULL};
    int error = posix_spawn(&process, "/bin/sh", NULL, NULL, arguments, environ);
    tell("posix_spawn: %s", error_name(error));
    reap("posix_spawn", process);
    tell("system: %d", WEXITSTATUS(system("exit 23")));
    FILE *stream = popen("echo from popen", "r");
    char line[100] = "";
    tell("popen: %d", fgets(line, sizeof line, stream) != NULL);
    line[strcspn(line, "\n")] = 0;
    tell("it says: %s, status %d", line, WEXITSTATUS(pclose(stream)));
    error = posix_spawn(&process, "/no/such/program", NULL, NULL, arguments, environ);
    tell("posix_spawn of nothing: %s", error_name(error));
}

static void *others_in_thread(void *argument) {
    others();
    return argument;
}

static void *executes(void *argument) {
    execv("/bin/sh", (char *[]){"sh", "-c", "echo executed by a thread; exit 31", NULL});
    return argument;
}

static void daemonize(void) {
    int ends[2], back[2];
    char byte = 0;
    if (pipe(ends) || pipe(back)) {
        return;
    }
    pid_t process = fork();
    if (process == 0) {
        if (daemon(1, 1) != 0) {
            _exit(94);
        }
        (void)!read(ends[0], &byte, 1);
        work();
        (void)!write(back[1], "x", 1);
        _exit(0);
    }
    reap("daemon", process);
    (void)!write(ends[1], "x", 1);
    tell("read: %zd", read(back[0], &byte, 1));
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    pthread_t others_there[3];
    int threads = !strcmp(what, "daemon-first") ? 0 : 3;
    for (int i = 0; i < threads; i++) {
        others_there[i] = start(wait_first, NULL);
    }
    await(&ready, threads);
    if (!strcmp(what, "main")) {
        forks();
    } else if (!strcmp(what, "thread")) {
        pthread_join(start(forks_in_thread, NULL), NULL);
    } else if (!strcmp(what, "return")) {
        pthread_join(start(fork_and_return, NULL), NULL);
    } else if (!strcmp(what, "atfork")) {
        pthread_atfork(prepare, parent, child);
        pthread_join(start(forks_in_thread, NULL), NULL);
    } else if (!strcmp(what, "others")) {
        others();
        pthread_join(start(others_in_thread, NULL), NULL);
    } else if (!strcmp(what, "exec")) {
        pthread_join(start(executes, NULL), NULL);
    } else if (!strncmp(what, "daemon", 6)) {
        daemonize();
    }
    come(&go);
    for (int i = 0; i < threads; i++) {
        pthread_join(others_there[i], NULL);
    }
    return 1;
}
