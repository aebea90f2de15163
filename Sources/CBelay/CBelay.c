#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "CBelay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
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

static int get_option(int fd, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

int belay_is_listening(int fd) {
    int domain = get_option(fd, SO_DOMAIN);
    return get_option(fd, SO_ACCEPTCONN) == 1 && (domain == AF_INET || domain == AF_INET6);
}

int belay_shares_port(int fd) { return get_option(fd, SO_REUSEPORT) == 1; }
int belay_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }
int belay_set_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC); }

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

int belay_wait_readable(int fd, int timeout_ms) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, timeout_ms);
}

long belay_read_pipe(int fd, void *bytes, size_t count) { return read(fd, bytes, count); }

int belay_notify(const char *path, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) return -1;
    memcpy(address.sun_path, path, length);
    // A name that begins with @ is one of the abstract namespace.
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    long sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
    return sent < 0 ? -1 : 0;
}

int belay_spawn(const char *path, char *const arguments[], char *const environment[],
                const int *fds, int count, int *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int moved[count];
    for (int i = 0; i < count; i++) moved[i] = -1;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        // They are moved down in the child, and none of them may stand where another one goes.
        for (int i = 0; i < count && error == 0; i++) {
            moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + count);
            if (moved[i] < 0) error = errno;
        }
        for (int i = 0; i < count && error == 0; i++)
            error = posix_spawn_file_actions_adddup2(&actions, moved[i], 3 + i);
        // Libraries open descriptors that would be inherited.
        if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, 3 + count);
        if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
        if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
        short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
        if (error == 0) error = posix_spawnattr_setflags(&attributes, flags);
        if (error == 0)
            error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < count; i++)
        if (moved[i] >= 0) close(moved[i]);
    return error;
}

int belay_reap(int pid, int wait) {
    int status = 0;
    pid_t found = waitpid(pid, &status, wait ? 0 : WNOHANG);
    if (found != pid) return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
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

/* The servers that are asked, in the place of the system's. The C library takes those of IPv4 from
   `nsaddr_list`; one of IPv6 it takes from memory that res_nclose frees, if the other is empty. */
static int set_dns_servers(struct __res_state *state, const uint8_t *ips, const uint16_t *ports,
                           int count) {
    for (int index = 0; index < MAXNS; index++) {
        free(state->_u._ext.nsaddrs[index]);
        state->_u._ext.nsaddrs[index] = NULL;
    }
    state->_u._ext.nscount = 0;
    state->nscount = count;
    for (int index = 0; index < count; index++) {
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        const uint8_t *ip = ips + 16 * index;
        int is_v4 = memcmp(ip, mapped, sizeof mapped) == 0;
        struct sockaddr_storage address;
        socklen_t length = to_sockaddr(is_v4, ip, ports[index], &address);
        memset(&state->nsaddr_list[index], 0, sizeof state->nsaddr_list[index]);
        void *place = &state->nsaddr_list[index];
        if (!is_v4) {
            place = malloc(sizeof(struct sockaddr_in6));
            if (place == NULL) return -1;
            state->_u._ext.nsaddrs[index] = place;
            state->_u._ext.nssocks[index] = -1;
        }
        memcpy(place, &address, length);
    }
    return 0;
}

/* Records of the domain name system, a line of words for each: the time it may be kept, then the
   address, or priority, weight, port and target; for an alias on the way to it the time alone. */
int belay_dns(const char *name, int kind, const uint8_t *ips, const uint16_t *ports, int count,
              int timeout, int attempts, char *text, size_t size) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return -1;
    state.retrans = timeout;
    state.retry = attempts;
    if (count > MAXNS || (count > 0 && set_dns_servers(&state, ips, ports, count) != 0)) {
        res_nclose(&state);
        return -1;
    }
    int type = kind == BELAY_DNS_SRV ? ns_t_srv : kind == BELAY_DNS_AAAA ? ns_t_aaaa : ns_t_a;
    static const size_t answer_max = 65536;
    unsigned char *answer = malloc(answer_max);
    if (answer == NULL) {
        res_nclose(&state);
        return -1;
    }
    int length = (count > 0 ? res_nquery : res_nsearch)(&state, name, ns_c_in, type, answer,
                                                        (int)answer_max);
    int is_sure = state.res_h_errno == HOST_NOT_FOUND || state.res_h_errno == NO_DATA;
    res_nclose(&state);
    if (length < 0 && is_sure) {
        free(answer);
        return 0;
    }
    ns_msg message;
    size_t used = 0;
    if (length <= 0 || length > (int)answer_max
        || ns_initparse(answer, length, &message) != 0) {
        free(answer);
        return -1;
    }
    for (int index = 0; index < ns_msg_count(message, ns_s_an); index++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, index, &record) != 0) break;
        const unsigned char *data = ns_rr_rdata(record);
        int written = 0;
        if (ns_rr_type(record) == ns_t_cname) {
            written = snprintf(text + used, size - used, "%u\n", (unsigned)ns_rr_ttl(record));
        } else if (ns_rr_type(record) != type) {
            continue;
        } else if (type == ns_t_srv) {
            char target[NS_MAXDNAME];
            if (ns_rr_rdlen(record) < 7) continue;
            if (dn_expand(ns_msg_base(message), ns_msg_end(message), data + 6, target,
                          sizeof target) < 0) continue;
            written = snprintf(text + used, size - used, "%u %u %u %u %s\n",
                               (unsigned)ns_rr_ttl(record), (unsigned)ns_get16(data),
                               (unsigned)ns_get16(data + 2), (unsigned)ns_get16(data + 4), target);
        } else {
            char address[INET6_ADDRSTRLEN];
            int family = type == ns_t_a ? AF_INET : AF_INET6;
            if (ns_rr_rdlen(record) != (type == ns_t_a ? 4 : 16)) continue;
            if (inet_ntop(family, data, address, sizeof address) == NULL) continue;
            written = snprintf(text + used, size - used, "%u %s\n", (unsigned)ns_rr_ttl(record),
                               address);
        }
        if (written < 0 || (size_t)written >= size - used) break;
        used += (size_t)written;
    }
    free(answer);
    return (int)used;
}
