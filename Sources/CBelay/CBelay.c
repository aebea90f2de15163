#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CBelay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(BELAY_READABLE == EPOLLIN, "epoll");
_Static_assert(BELAY_WRITABLE == EPOLLOUT, "epoll");
_Static_assert(BELAY_ERROR == EPOLLERR, "epoll");
_Static_assert(BELAY_HANGUP == EPOLLHUP, "epoll");
_Static_assert(BELAY_READ_HANGUP == EPOLLRDHUP, "epoll");

int belay_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int belay_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int belay_epoll_change(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

int belay_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int belay_epoll_wait(int epoll, struct belay_event *events, int count, int timeout_ms) {
    struct epoll_event raw[256];
    if (count > 256) count = 256;
    int found = epoll_wait(epoll, raw, count, timeout_ms);
    for (int i = 0; i < found; i++) {
        events[i].events = raw[i].events;
        events[i].token = raw[i].data.u64;
    }
    return found;
}

static socklen_t to_sockaddr(int is_v4, const uint8_t ip[16], uint16_t port,
                             struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (is_v4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip + 12, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip, 16);
    return sizeof *v6;
}

static void from_sockaddr(const struct sockaddr_storage *in, uint8_t ip[16], uint16_t *port) {
    if (in->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)in;
        memset(ip, 0, 10);
        ip[10] = ip[11] = 0xff;
        memcpy(ip + 12, &v4->sin_addr, 4);
        *port = ntohs(v4->sin_port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)in;
        memcpy(ip, &v6->sin6_addr, 16);
        *port = ntohs(v6->sin6_port);
    }
}

int belay_socket(int is_v4) {
    return socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int belay_bind(int fd, int is_v4, const uint8_t ip[16], uint16_t port) {
    struct sockaddr_storage address;
    socklen_t length = to_sockaddr(is_v4, ip, port, &address);
    return bind(fd, (struct sockaddr *)&address, length);
}

int belay_connect(int fd, int is_v4, const uint8_t ip[16], uint16_t port) {
    struct sockaddr_storage address;
    socklen_t length = to_sockaddr(is_v4, ip, port, &address);
    return connect(fd, (struct sockaddr *)&address, length);
}

int belay_accept(int fd, uint8_t ip[16], uint16_t *port) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int client = accept4(fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) from_sockaddr(&address, ip, port);
    return client;
}

int belay_local_address(int fd, uint8_t ip[16], uint16_t *port) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int result = getsockname(fd, (struct sockaddr *)&address, &length);
    if (result == 0) from_sockaddr(&address, ip, port);
    return result;
}

int belay_listen(int fd, int backlog) { return listen(fd, backlog); }

static int set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

int belay_set_reuse_address(int fd) { return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1); }
int belay_set_reuse_port(int fd) { return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1); }
int belay_set_no_delay(int fd) { return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); }
int belay_set_v6_only(int fd, int on) { return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, on); }
int belay_set_receive_buffer(int fd, int bytes) {
    return set_option(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

int belay_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

int belay_shutdown_write(int fd) { return shutdown(fd, SHUT_WR); }

int belay_set_reset_on_close(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

long belay_read(int fd, void *bytes, size_t count) { return recv(fd, bytes, count, 0); }

long belay_send(int fd, const void *bytes, size_t count, int more) {
    return send(fd, bytes, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

long belay_send2(int fd, const void *first, size_t first_count, const void *second,
                 size_t second_count) {
    struct iovec parts[2] = {{(void *)first, first_count}, {(void *)second, second_count}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

long belay_write(int fd, const void *bytes, size_t count) { return write(fd, bytes, count); }

long belay_peek(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

long belay_peek_at(int fd, void *bytes, size_t count) {
    return recv(fd, bytes, count, MSG_PEEK | MSG_DONTWAIT);
}

long belay_splice(int from, int to, size_t count, int more) {
    return splice(from, NULL, to, NULL, count,
                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
}

int belay_pipe(int ends[2]) { return pipe2(ends, O_NONBLOCK | O_CLOEXEC); }
int belay_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }
int belay_close(int fd) { return close(fd); }
int belay_set_non_blocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? flags : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int belay_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int belay_eventfd_post(int fd) {
    uint64_t one = 1;
    return write(fd, &one, sizeof one) == sizeof one ? 0 : -1;
}

int belay_eventfd_drain(int fd) {
    uint64_t count;
    return read(fd, &count, sizeof count) == sizeof count ? 0 : -1;
}

static void our_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
}

int belay_block_signals(void) {
    sigset_t set;
    our_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    return pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int belay_signalfd(void) {
    sigset_t set;
    our_signals(&set);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int belay_signalfd_next(int fd) {
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info) return 0;
    return (int)info.ssi_signo;
}

static int64_t clock_nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t belay_monotonic_nanoseconds(void) { return clock_nanoseconds(CLOCK_MONOTONIC); }
int64_t belay_unix_nanoseconds(void) { return clock_nanoseconds(CLOCK_REALTIME); }

int belay_pin_thread(int index) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return errno;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed)) continue;
        if (index-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        return pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    }
    return ENOENT;
}

int belay_core_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return CPU_COUNT(&set);
}

void *belay_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int belay_unmap(void *memory, size_t bytes) { return munmap(memory, bytes); }

int belay_release_pages(void *memory, size_t bytes) {
    return madvise(memory, bytes, MADV_DONTNEED);
}

int64_t belay_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return (int64_t)limit.rlim_cur;
}
