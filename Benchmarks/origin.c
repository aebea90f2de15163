// The servers behind the proxies that are compared: many ports, one thread, one epoll.
// It answers as little as a server can, so that it is never what is measured:
//   GET  /b/SIZE   SIZE bytes ("x"), at most 16 MiB
//   POST /...      reads the body, by length or in chunks, and answers how many bytes it had
//   GET  /head     the request's head as it arrived, to see what a proxy adds and removes
//   GET  /count    {"requests": .., "connections": .., "body_bytes": ..} since the start
//   GET  /echo     with "Upgrade: websocket": every frame comes back, pings as pongs
//   ~SIZE...       not HTTP: 100 bytes that begin so are answered with SIZE bytes ("x")
// Each HTTP answer carries X-Server, the number of the port that answered.
// Usage: origin FIRST_PORT PORTS        It prints "ready" once every port listens.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    BODY_MAX = 16 << 20,
    HEAD_MAX = 16 << 10,
    ANSWER_MAX = HEAD_MAX + 1024,
    SCRATCH = 256 << 10,
    EVENTS = 512,
    PORTS_MAX = 4096,
    RAW_COUNT = 100,             // bytes of a request that is not HTTP
    FRAMES_MAX = (64 << 10) + 14,
    MASK = 4,
};

enum body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };
enum chunk { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

struct connection {
    int fd;
    int server;          // which port, from 1
    int is_listener;
    int closes;          // after this answer
    int wants_write;     // epoll was asked for EPOLLOUT
    enum body body;      // of the request being read
    enum chunk chunk;
    int line;            // bytes in the current line of a chunked body
    long left;           // bytes still to come of a body or a chunk
    long received;       // body bytes of this request
    int head_count;      // bytes in `head`: the start of a request
    int answers_count;   // the path was known before the body: 1 if the answer is the count
    long answer_size;    // size asked for by /b/SIZE
    long out_head_count, out_head_sent;
    long out_body_count, out_body_sent;
    const char *out_body;
    unsigned char *frames;           // of a WebSocket: what arrived and is not echoed yet
    long frames_count, frames_used;  // used: the first of them, being sent back
    char head[HEAD_MAX];
    char out_head[ANSWER_MAX];
};

static int epoll;
static char *filler;                 // BODY_MAX times 'x'
static char scratch[SCRATCH];
static unsigned long requests, connections, body_bytes;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct connection *add(int fd, int server, int is_listener) {
    struct connection *c = calloc(1, is_listener ? offsetof(struct connection, head) : sizeof *c);
    if (!c) die("calloc");
    c->fd = fd;
    c->server = server;
    c->is_listener = is_listener;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
    return c;
}

static void drop(struct connection *c) {
    close(c->fd);
    free(c->frames);
    free(c);
}

static void listen_on(int port, int server) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);   // accepted sockets inherit it
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(fd, 4096) < 0) die("listen");
    add(fd, server, 1);
}

/// The value of a header in a head that ends with an empty line, or NULL.
static const char *header(const char *head, const char *name) {
    size_t count = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r';
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, count) == 0 && line[2 + count] == ':') {
            line += 3 + count;
            while (*line == ' ') line++;
            return line;
        }
    }
    return NULL;
}

static void answer_head(struct connection *c, long count) {
    c->out_head_count = snprintf(
        c->out_head, ANSWER_MAX,
        "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nCache-Control: private, max-age=0\r\n"
        "X-Server: %d\r\n%sContent-Length: %ld\r\n\r\n",
        c->server, c->closes ? "Connection: close\r\n" : "", count);
    c->out_head_sent = c->out_body_sent = 0;
    c->out_body_count = 0;
}

static void answer_text(struct connection *c, const char *text, long count) {
    answer_head(c, count);
    memcpy(c->out_head + c->out_head_count, text, (size_t)count);
    c->out_head_count += count;
}

/// Answers 101 and makes the connection a WebSocket's.
static void upgrade(struct connection *c, const char *key) {
    char text[128];
    unsigned char digest[SHA_DIGEST_LENGTH], accept[64];
    int count = snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                         (int)strcspn(key, "\r\n"), key);
    if (count >= (int)sizeof text) count = 0;
    SHA1((unsigned char *)text, (size_t)count, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    c->frames = malloc(FRAMES_MAX);
    if (!c->frames) die("malloc");
    c->out_head_count = snprintf(
        c->out_head, ANSWER_MAX,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "X-Server: %d\r\nSec-WebSocket-Accept: %s\r\n\r\n", c->server, accept);
}

static void answer(struct connection *c) {
    char text[128];
    const char *key;
    requests++;
    body_bytes += (unsigned long)c->received;
    if (c->answers_count) {
        answer_text(c, text, snprintf(text, sizeof text, "%ld\n", c->received));
    } else if (strncmp(c->head, "GET /count ", 11) == 0) {
        answer_text(c, text, snprintf(text, sizeof text,
            "{\"requests\": %lu, \"connections\": %lu, \"body_bytes\": %lu}\n",
            requests, connections, body_bytes));
    } else if (strncmp(c->head, "GET /head ", 10) == 0) {
        answer_text(c, c->head, (long)strlen(c->head));
    } else if (strncmp(c->head, "GET /echo ", 10) == 0
               && (key = header(c->head, "sec-websocket-key"))) {
        upgrade(c, key);
    } else {
        answer_head(c, c->answer_size);
        c->out_body = filler;
        c->out_body_count = c->answer_size;
    }
}

/// Sends what is left of the answer. Returns -1 if the connection is lost, 1 if all is sent.
static int flush(struct connection *c) {
    while (c->out_head_sent < c->out_head_count || c->out_body_sent < c->out_body_count) {
        struct iovec parts[2] = {
            {c->out_head + c->out_head_sent, (size_t)(c->out_head_count - c->out_head_sent)},
            {(char *)c->out_body + c->out_body_sent,
             (size_t)(c->out_body_count - c->out_body_sent)},
        };
        int first = parts[0].iov_len ? 0 : 1, last = parts[1].iov_len ? 2 : 1;
        ssize_t sent = writev(c->fd, parts + first, last - first);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return -1;
        if (sent < 0) {
            if (!c->wants_write) {
                struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
                epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
                c->wants_write = 1;
            }
            return 0;
        }
        long head = c->out_head_count - c->out_head_sent;
        if (head > sent) head = sent;
        c->out_head_sent += head;
        c->out_body_sent += sent - head;
    }
    c->out_head_count = c->out_head_sent = c->out_body_count = c->out_body_sent = 0;
    if (c->wants_write) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->wants_write = 0;
    }
    return c->closes ? -1 : 1;
}

/// Takes body bytes; returns how many it used. `*done` says that the body has ended.
static long take_chunked(struct connection *c, const char *bytes, long count, int *done) {
    long used = 0;
    while (used < count) {
        if (c->chunk == CHUNK_DATA) {
            long take = c->left < count - used ? c->left : count - used;
            used += take;
            c->left -= take;
            c->received += take;
            if (c->left == 0) c->chunk = CHUNK_DATA_END;
            continue;
        }
        char byte = bytes[used++];
        if (byte == '\n') {
            if (c->chunk == CHUNK_DATA_END) {
                c->chunk = CHUNK_SIZE;
                c->left = 0;
            } else if (c->chunk == CHUNK_TRAILER) {
                if (c->line == 0) { *done = 1; return used; }
            } else {
                c->chunk = c->left ? CHUNK_DATA : CHUNK_TRAILER;
            }
            c->line = 0;
        } else if (byte != '\r') {
            c->line++;
            if (c->chunk != CHUNK_SIZE) continue;
            if (byte >= '0' && byte <= '9') c->left = c->left * 16 + (byte - '0');
            else if ((byte | 32) >= 'a' && (byte | 32) <= 'f')
                c->left = c->left * 16 + ((byte | 32) - 'a' + 10);
            else c->chunk = CHUNK_EXTENSION;
        }
    }
    return used;
}

static long take_body(struct connection *c, const char *bytes, long count, int *done) {
    if (c->body == BODY_CHUNKED) return take_chunked(c, bytes, count, done);
    long take = c->left < count ? c->left : count;
    c->left -= take;
    c->received += take;
    *done = c->left == 0;
    return take;
}

/// Reads the head that ends before `end`; says what the body is.
static void begin(struct connection *c, char *end) {
    char kept = *end;
    *end = 0;
    const char *length = header(c->head, "content-length");
    const char *coding = header(c->head, "transfer-encoding");
    const char *connection = header(c->head, "connection");
    c->closes = connection && strncasecmp(connection, "close", 5) == 0;
    c->received = c->left = c->line = 0;
    c->chunk = CHUNK_SIZE;
    c->body = coding ? BODY_CHUNKED : length && atol(length) > 0 ? BODY_LENGTH : BODY_NONE;
    if (c->body == BODY_LENGTH) c->left = atol(length);
    c->answers_count = strncmp(c->head, "GET ", 4) != 0;
    c->answer_size = strncmp(c->head, "GET /b/", 7) == 0 ? atol(c->head + 7) : 0;
    if (c->answer_size < 0 || c->answer_size > BODY_MAX) c->answer_size = 0;
    if (c->body == BODY_NONE) answer(c);
    *end = kept;
}

/// Makes the first whole frame its own echo. Returns 0 if there is none yet, -1 if it is none.
static int turn_frame(struct connection *c) {
    unsigned char *frame = c->frames;
    if (c->frames_count < 2 + MASK) return 0;
    if (!(frame[1] & 0x80)) return -1;   // a client must mask
    long size = frame[1] & 0x7f, head = 2;
    if (size == 127) return -1;
    if (size == 126) { size = frame[2] << 8 | frame[3]; head = 4; }
    if (c->frames_count < head + MASK + size) return 0;
    unsigned char *key = frame + head, *payload = key + MASK;
    uint64_t eight, keys;
    long at = 0;
    memcpy(&keys, key, MASK);
    keys |= keys << 32;
    for (; at + 8 <= size; at += 8) {
        memcpy(&eight, payload + at, 8);
        eight ^= keys;
        memcpy(payload + at, &eight, 8);
    }
    for (; at < size; at++) payload[at] ^= key[at % MASK];
    // The echo has no key, so its head moves up to the payload.
    c->closes = (frame[0] & 0x0f) == 8;
    if ((frame[0] & 0x0f) == 9) frame[0] ^= 9 ^ 10;
    frame[1] &= 0x7f;
    memmove(frame + MASK, frame, (size_t)head);
    c->out_body = (char *)frame + MASK;
    c->out_body_count = head + size;
    c->frames_used = head + MASK + size;
    return 1;
}

/// Echoes the frames that are whole. Returns -1 if the connection must be dropped.
static int serve_frames(struct connection *c) {
    for (;;) {
        if (c->frames_used) {
            int sent = flush(c);
            if (sent <= 0) return sent;
            c->frames_count -= c->frames_used;
            memmove(c->frames, c->frames + c->frames_used, (size_t)c->frames_count);
            c->frames_used = 0;
        }
        int turned = turn_frame(c);
        if (turned <= 0) return turned;
        requests++;
    }
}

static int frames_readable(struct connection *c) {
    ssize_t count = read(c->fd, c->frames + c->frames_count,
                         (size_t)(FRAMES_MAX - c->frames_count));
    if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    c->frames_count += count;
    return serve_frames(c);
}

/// A request that is not HTTP: says how long it is, 0 if it is not whole.
static long begin_raw(struct connection *c) {
    if (c->head_count < RAW_COUNT) return 0;
    c->head[RAW_COUNT - 1] = 0;
    c->out_body_count = atol(c->head + 1);
    if (c->out_body_count < 1 || c->out_body_count > BODY_MAX) c->out_body_count = 1;
    c->out_body = filler;
    c->closes = 0;
    requests++;
    return RAW_COUNT;
}

/// Works off what is in `head`. Returns -1 if the connection must be dropped.
static int serve_buffered(struct connection *c) {
    while (c->body == BODY_NONE && c->head_count && !c->frames) {
        char *end;
        if (c->head[0] == '~') {
            end = c->head + begin_raw(c);
            if (end == c->head) return 0;
        } else {
            end = memmem(c->head, (size_t)c->head_count, "\r\n\r\n", 4);
            if (!end) return c->head_count == HEAD_MAX - 1 ? -1 : 0;
            end += 4;
            begin(c, end);
        }
        long rest = c->head_count - (end - c->head);
        memmove(c->head, end, (size_t)rest);
        c->head_count = (int)rest;
        if (c->body != BODY_NONE && rest) {
            int done = 0;
            long used = take_body(c, c->head, rest, &done);
            memmove(c->head, c->head + used, (size_t)(rest - used));
            c->head_count = (int)(rest - used);
            if (done) { c->body = BODY_NONE; answer(c); }
        }
        if (c->out_head_count || c->out_body_count) {
            int sent = flush(c);
            if (sent <= 0) return sent;
        }
    }
    return 0;
}

static int readable(struct connection *c) {
    if (c->frames) return frames_readable(c);
    if (c->body == BODY_NONE) {
        ssize_t count = read(c->fd, c->head + c->head_count,
                             (size_t)(HEAD_MAX - 1 - c->head_count));
        if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        c->head_count += (int)count;
        return serve_buffered(c);
    }
    ssize_t count = read(c->fd, scratch, SCRATCH);
    if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    int done = 0;
    long used = take_body(c, scratch, count, &done);
    if (!done) return 0;
    if (count - used > HEAD_MAX - 1) return -1;
    memcpy(c->head, scratch + used, (size_t)(count - used));
    c->head_count = (int)(count - used);
    c->body = BODY_NONE;
    answer(c);
    int sent = flush(c);
    return sent > 0 ? serve_buffered(c) : sent;
}

static void accept_all(struct connection *listener) {
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        connections++;
        add(fd, listener->server, 0);
    }
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: origin FIRST_PORT PORTS\n");
        return 2;
    }
    int first = atoi(arguments[1]), ports = atoi(arguments[2]);
    if (first < 1 || ports < 1 || ports > PORTS_MAX || first + ports > 65536) return 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    filler = malloc(BODY_MAX);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!filler || epoll < 0) die("start");
    memset(filler, 'x', BODY_MAX);
    for (int i = 0; i < ports; i++) listen_on(first + i, i + 1);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            int kept = 0;
            if (c->is_listener) accept_all(c);
            else if (events[i].events & EPOLLOUT) {
                kept = c->frames_used ? serve_frames(c) : flush(c);
                if (kept > 0 && !c->frames) kept = serve_buffered(c);
            } else kept = readable(c);
            if (kept < 0) drop(c);
        }
    }
}
