// The system calls that Swift cannot name: GNU extensions, macros, variadic functions.
// No logic: each function is one call with its flags. Results are those of the call, errors in
// errno.
#ifndef CBELAY_H
#define CBELAY_H

#include <stddef.h>
#include <stdint.h>

/// One readiness report of epoll, unpacked.
struct belay_event {
    uint32_t events;
    uint64_t token;
};

enum {
    BELAY_READABLE = 0x001,
    BELAY_WRITABLE = 0x004,
    BELAY_ERROR = 0x008,
    BELAY_HANGUP = 0x010,
    BELAY_READ_HANGUP = 0x2000,
    BELAY_EXCLUSIVE = 0x10000000,
    BELAY_EDGE = (int)0x80000000u,
};

int belay_epoll_create(void);
int belay_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int belay_epoll_change(int epoll, int fd, uint32_t events, uint64_t token);
int belay_epoll_remove(int epoll, int fd);
int belay_epoll_wait(int epoll, struct belay_event *events, int count, int timeout_ms);

/// Addresses travel as 16 bytes (IPv4 in mapped form) and a port in host order.
int belay_socket(int is_v4);
int belay_bind(int fd, int is_v4, const uint8_t ip[16], uint16_t port);
int belay_connect(int fd, int is_v4, const uint8_t ip[16], uint16_t port);
int belay_accept(int fd, uint8_t ip[16], uint16_t *port);
int belay_local_address(int fd, uint8_t ip[16], uint16_t *port);
int belay_listen(int fd, int backlog);
int belay_set_reuse_address(int fd);
int belay_set_reuse_port(int fd);
int belay_set_no_delay(int fd);
int belay_set_v6_only(int fd, int on);
int belay_set_receive_buffer(int fd, int bytes);
int belay_socket_error(int fd);
/// Whether it is a TCP socket that listens.
int belay_is_listening(int fd);
int belay_shares_port(int fd);
/// Another descriptor of the same socket, closed on exec.
int belay_duplicate(int fd);
int belay_set_close_on_exec(int fd);
int belay_shutdown_write(int fd);
/// Closes with a reset instead of an orderly end.
int belay_set_reset_on_close(int fd);

long belay_read(int fd, void *bytes, size_t count);
/// Never raises SIGPIPE.
long belay_send(int fd, const void *bytes, size_t count, int more);
long belay_send2(int fd, const void *first, size_t first_count, const void *second,
                 size_t second_count);
long belay_write(int fd, const void *bytes, size_t count);
long belay_peek(int fd);
long belay_peek_at(int fd, void *bytes, size_t count);
long belay_splice(int from, int to, size_t count, int more);
int belay_pipe(int ends[2]);
int belay_pipe_size(int fd, int bytes);
int belay_close(int fd);
int belay_set_non_blocking(int fd);

/// 1: readable, 0: time is up.
int belay_wait_readable(int fd, int timeout_ms);
long belay_read_pipe(int fd, void *bytes, size_t count);

/// Sends a datagram to a socket in the file system, or in the abstract namespace (@).
int belay_notify(const char *path, const char *text);
/// Starts a program that inherits these descriptors, as 3, 4 and so on, beside 0, 1 and 2, and no
/// others; with all signals as at first. `count` is at least 1. Returns an error number.
int belay_spawn(const char *path, char *const arguments[], char *const environment[],
                const int *fds, int count, int *pid);
/// The status of a child that has ended, 128 and more for a signal; -1 if it runs.
int belay_reap(int pid, int wait);

int belay_eventfd(void);
int belay_eventfd_post(int fd);
int belay_eventfd_drain(int fd);
int belay_signalfd(void);
/// The next signal waiting there, or 0.
int belay_signalfd_next(int fd);
/// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 in this thread and those it starts; ignores
/// SIGPIPE.
int belay_block_signals(void);

int64_t belay_monotonic_nanoseconds(void);
int64_t belay_unix_nanoseconds(void);
/// Pins the calling thread to the `index`-th core that this process may use.
int belay_pin_thread(int index);
int belay_core_count(void);
void *belay_map(size_t bytes);
int belay_unmap(void *memory, size_t bytes);
/// Gives the pages back to the system; they read as zero afterwards.
int belay_release_pages(void *memory, size_t bytes);
/// The most descriptors this process may have open, after raising the soft limit to the hard one.
int64_t belay_raise_descriptor_limit(void);

/* What is asked of the domain name system. */
#define BELAY_DNS_A 1
#define BELAY_DNS_AAAA 2
#define BELAY_DNS_SRV 3

/// Asks these servers for the name as it is, or with a count of 0 the system's, with its search
/// domains. `timeout` is in seconds. The length of the answer as text, 0 when there is no such
/// record, -1 when nobody could say.
int belay_dns(const char *name, int kind, const uint8_t *ips, const uint16_t *ports, int count,
              int timeout, int attempts, char *text, size_t size);

#endif
