#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CTestPrograms.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int tests_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }

static int arrange(posix_spawn_file_actions_t *actions, const char *directory, int input,
                   int output, int errors) {
    int error = input < 0 ? posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0)
                          : posix_spawn_file_actions_adddup2(actions, input, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(actions, output, 1);
    if (error == 0) error = posix_spawn_file_actions_adddup2(actions, errors, 2);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (error == 0) error = posix_spawn_file_actions_addchdir_np(actions, directory);
    return error;
}

static int reset_signals(posix_spawnattr_t *attributes) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0) error = posix_spawnattr_setsigmask(attributes, &none);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (error == 0) error = posix_spawnattr_setflags(attributes, flags);
    return error;
}

int tests_spawn(int *identifier, char *const arguments[], char *const environment[],
                const char *directory, int input, int output, int errors) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    posix_spawnattr_t attributes;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = arrange(&actions, directory, input, output, errors);
        if (error == 0) error = reset_signals(&attributes);
        if (error == 0) {
            error = posix_spawnp(identifier, arguments[0], &actions, &attributes, arguments,
                                 environment);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int tests_await(int identifier) {
    siginfo_t ignored;
    int result;
    do {
        result = waitid(P_PID, (id_t)identifier, &ignored, WEXITED | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

int tests_reap(int identifier, int *status) {
    int raw;
    pid_t result;
    do {
        result = waitpid(identifier, &raw, 0);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno;
    *status = WIFSIGNALED(raw) ? -WTERMSIG(raw) : WEXITSTATUS(raw);
    return 0;
}

int tests_write(int descriptor, const void *bytes, size_t count, size_t *written) {
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    int error = pthread_sigmask(SIG_BLOCK, &broken, &before);
    if (error != 0) return error;
    ssize_t result;
    do {
        result = write(descriptor, bytes, count);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        error = errno;
        // The signal waits for this thread; it must be gone before signals come through again.
        struct timespec at_once = {0, 0};
        if (error == EPIPE) sigtimedwait(&broken, NULL, &at_once);
    } else {
        *written = (size_t)result;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int tests_read(int descriptor, void *bytes, size_t count, size_t *found) {
    ssize_t result;
    do {
        result = read(descriptor, bytes, count);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno;
    *found = (size_t)result;
    return 0;
}
