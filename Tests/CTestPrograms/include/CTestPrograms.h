// Starting programs from tests: the GNU extensions and macros that Swift cannot name.
// Each function returns 0 or an error number.
#ifndef CTESTPROGRAMS_H
#define CTESTPROGRAMS_H

#include <stddef.h>

/// A pipe whose ends no other program inherits.
int tests_pipe(int ends[2]);

/// Starts arguments[0], looked up in the path, with these three descriptors and no others, its
/// signals at their defaults and none blocked. An input below 0 stands for /dev/null.
int tests_spawn(int *identifier, char *const arguments[], char *const environment[],
                const char *directory, int input, int output, int errors);

/// Waits for the end of a child and leaves it to be reaped, so that its number stays its own.
int tests_await(int identifier);
/// Reaps a child that has ended: its exit code, or minus the signal that ended it.
int tests_reap(int identifier, int *status);

/// Writes some bytes, at least one; raises no SIGPIPE.
int tests_write(int descriptor, const void *bytes, size_t count, size_t *written);
/// Reads some bytes; 0 at the end.
int tests_read(int descriptor, void *bytes, size_t count, size_t *found);

#endif
