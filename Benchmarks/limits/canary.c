// The canary of counter.c: a thread that allocates a known number of times at each order.
// It reads lines; for each number it makes so many allocations of each kind, and prints "done".

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *volatile kept;  // so that no compiler removes a pair of malloc and free

static void once(void) {
    void *memory = NULL;
    kept = malloc(10);
    free(kept);
    kept = calloc(2, 10);
    kept = realloc(kept, 1000);
    free(kept);
    if (posix_memalign(&memory, 64, 100) == 0) kept = memory;
    free(kept);
    kept = aligned_alloc(64, 128);
    free(kept);
}

static void *work(void *unused) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        for (int left = atoi(line); left > 0; left--) once();
        if (puts("done") < 0 || fflush(stdout)) break;
    }
    return unused;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) return 1;
    return pthread_join(thread, NULL);
}
