// A client that wrk cannot be: it holds its connections between orders, counts exchanges to
// the last one, and sends at a fixed rate without waiting for answers (open loop), so that a
// slow answer delays nothing but is charged to every request that was due meanwhile. It speaks
// TLS, too, and what passes through tunnels.
//
// Usage: load [-t VERSION] [-r] PORT CONNECTIONS PATH [COOKIES [SOURCES]]
//   -t       TLS, version 1.2 or 1.3
//   -r       connections resume: each with the session of the one before
//   PATH     of a GET; or ws:SIZE: messages of SIZE bytes through a WebSocket at /echo, each of
//            which comes back; or raw:SIZE: 100 bytes without HTTP, answered with SIZE bytes
//   COOKIES  a file, one Cookie header's value a line; connection i presents line i (mod n)
//   SOURCES  how many client addresses (127.0.1.1, 127.0.1.2, ...) the connections come from
// Orders on standard input, one JSON line of figures on standard output for each:
//   open              connect all, one exchange on each
//   run N             N exchanges, as fast as the connections can
//   run Ns            the same for N seconds
//   rate R S          R requests a second for S seconds, at random (exponential) distances
//   churn N           N exchanges, each on a connection of its own ("Connection: close")
//   churn Ns          the same for N seconds
// The end of input closes everything.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"

enum {
    CONNECTIONS_MAX = 19000,
    HEAD_MAX = 4096,
    REQUEST_MAX = 4096,
    SCRATCH = 256 << 10,
    EVENTS = 1024,
    COOKIES_MAX = 20000,
    SAMPLES_MAX = 8 << 20,
    MESSAGE_MAX = 60000,
    FRAME_MAX = MESSAGE_MAX + 8,
    RAW_COUNT = 100,
    INCOMPLETE = -1,     // of a head that was looked for
    BAD = -2,
};

enum speech { HTTP, WEBSOCKET, RAW };

static const double GIVE_UP_S = 15;   // Limit: without one answer for so long, an order ends

struct connection {
    int fd;
    int busy;            // a request is out
    long body_left;      // -1: the head is not complete
    double due;          // when the request ought to have gone out
    int head_count;
    int closes;
    int is_upgraded;     // a WebSocket's: from now on there are messages
    int is_shaken;       // the handshake of TLS is over
    SSL *tls;
    struct tls_memory memory;
    char *request;
    int request_count;
    char head[HEAD_MAX];
};

static int port, connections_count, sources;
static const char *path;
static enum speech speech;
static long message_size;                      // of a WebSocket's message, of a raw answer
static char frame[FRAME_MAX];                  // what every WebSocket sends
static int frame_count;
static int uses_tls;
static struct connection *all;
static int *idle, idle_first, idle_count;      // a ring: the longest idle is used next
static double *queue;                          // due times of requests without a connection
static long queue_first, queue_count;
static int epoll;
static char scratch[SCRATCH];
static char **cookies;
static int cookies_count;
static uint32_t *samples;
static long samples_count, errors;
static long started, answered;                 // of the current order
static int churns;
static uint64_t seed = 0x9e3779b97f4a7c15u;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double exponential(void) {
    seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17;
    return -log(((double)(seed >> 11) + 1) / 9007199254740993.0);
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void make_request(struct connection *c, int number, int closes) {
    // What a browser sends, or nearly: a proxy has to read it all.
    char text[REQUEST_MAX];
    int count = RAW_COUNT;
    if (speech == RAW) snprintf(text, sizeof text, "~%-*ld", RAW_COUNT - 1, message_size);
    else count = snprintf(text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: shop.example\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
        "%s%s%s%s\r\n",
        speech == WEBSOCKET ? "/echo" : path,
        speech == WEBSOCKET
            ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            : closes ? "Connection: close\r\n" : "",
        cookies_count ? "Cookie: " : "",
        cookies_count ? cookies[number % cookies_count] : "", cookies_count ? "\r\n" : "");
    if (count >= (int)sizeof text) { fprintf(stderr, "the request is too long\n"); exit(1); }
    free(c->request);
    c->request = strdup(text);
    c->request_count = count;
    if (!c->request) die("strdup");
}

/// A frame with a mask, as clients send them, of `message_size` bytes.
static void make_frame(void) {
    static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    int head = message_size < 126 ? 2 : 4;
    frame[0] = (char)0x82;
    frame[1] = (char)(0x80 | (head == 2 ? message_size : 126));
    if (head == 4) { frame[2] = (char)(message_size >> 8); frame[3] = (char)message_size; }
    memcpy(frame + head, key, sizeof key);
    for (long i = 0; i < message_size; i++) frame[head + 4 + i] = (char)('w' ^ key[i % 4]);
    frame_count = head + 4 + (int)message_size;
}

static void close_connection(struct connection *c) {
    if (c->tls) tls_close(c->tls);
    if (c->fd >= 0) close(c->fd);
    c->tls = NULL;
    c->fd = -1;
}

static int open_connection(struct connection *c) {
    int on = 1, number = (int)(c - all);
    close_connection(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (sources > 0) {
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        address.sin_addr.s_addr = htonl(0x7f000101u + (uint32_t)(number % sources));
        if (bind(c->fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    }
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Blocking: on loopback a connect waits for nobody but a full accept queue.
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    c->body_left = -1;
    c->busy = c->head_count = c->is_upgraded = c->is_shaken = 0;
    if (uses_tls) {
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0) return -1;
        c->tls = tls_open(c->fd, &c->memory);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void put_idle(struct connection *c) {
    idle[(idle_first + idle_count++) % connections_count] = (int)(c - all);
}

static struct connection *take_idle(void) {
    struct connection *c = &all[idle[idle_first]];
    idle_first = (idle_first + 1) % connections_count;
    idle_count--;
    return c;
}

/// A connection that failed counts as one error and is opened anew.
static void fail(struct connection *c, const char *why) {
    if (errors++ < 3) fprintf(stderr, "load: %s (connection %ld)\n", why, (long)(c - all));
    if (c->busy) answered++;
    close_connection(c);
    if (open_connection(c) < 0) die("reconnect");
    put_idle(c);
}

static void put_request(struct connection *c) {
    const char *bytes = c->is_upgraded ? frame : c->request;
    size_t count = (size_t)(c->is_upgraded ? frame_count : c->request_count);
    ssize_t sent = c->tls ? tls_send(c->tls, bytes, count)
                          : send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (sent != (ssize_t)count) fail(c, "could not send");
}

/// Goes on with the handshake; when it is done, the request goes out.
static void shake(struct connection *c) {
    int done = tls_shake(c->tls);
    if (done < 0) { fail(c, "the handshake failed, or resumed nothing"); return; }
    c->is_shaken = done;
    if (done) put_request(c);
}

static void send_request(struct connection *c, double due) {
    if (churns && open_connection(c) < 0) die("connect");
    c->busy = 1;
    c->due = due;
    c->body_left = -1;
    c->head_count = 0;
    started++;
    if (c->tls && !c->is_shaken) shake(c);
    else put_request(c);
}

static void finished(struct connection *c) {
    double micros = (now() - c->due) * 1e6;
    if (samples_count < SAMPLES_MAX)
        samples[samples_count++] = micros < 4e9 ? (uint32_t)(micros + 0.5) : UINT32_MAX;
    answered++;
    c->busy = 0;
    c->is_upgraded = speech == WEBSOCKET;
    if (churns) close_connection(c);
    else if (c->closes) {
        close_connection(c);
        if (open_connection(c) < 0) die("reconnect");
    }
    put_idle(c);
}

/// Reads a complete head. Returns -1 unless it is a 200 with a Content-Length, or 101.
static int read_http(struct connection *c, const char *head, size_t count) {
    char text[HEAD_MAX + 1];
    memcpy(text, head, count);
    text[count] = 0;
    if (speech == WEBSOCKET) {
        c->body_left = 0;
        return strncmp(text, "HTTP/1.1 101 ", 13) == 0 ? 0 : -1;
    }
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0) return -1;
    const char *length = strcasestr(text, "\r\ncontent-length:");
    if (!length) return -1;
    c->body_left = atol(length + 17);
    c->closes = strcasestr(text, "\r\nconnection: close") != NULL;
    return 0;
}

/// The head of a message: as we sent it, but without a mask.
static long read_frame(struct connection *c, const unsigned char *bytes, size_t count) {
    long size;
    if (count < 2) return INCOMPLETE;
    if (bytes[0] != 0x82 || bytes[1] > 126) return BAD;
    if (bytes[1] == 126 && count < 4) return INCOMPLETE;
    size = bytes[1] < 126 ? bytes[1] : bytes[2] << 8 | bytes[3];
    if (size != message_size) return BAD;
    c->body_left = size;
    return bytes[1] < 126 ? 2 : 4;
}

/// Looks for what precedes the body. Returns how long it is, or INCOMPLETE, or BAD.
static long read_head(struct connection *c, const char *bytes, size_t count) {
    if (speech == RAW) {
        c->body_left = message_size;
        return 0;
    }
    if (c->is_upgraded) return read_frame(c, (const unsigned char *)bytes, count);
    char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (!end) return count >= HEAD_MAX ? BAD : INCOMPLETE;
    size_t head = (size_t)(end + 4 - bytes);
    return head > HEAD_MAX || read_http(c, bytes, head) < 0 ? BAD : (long)head;
}

/// Takes what has arrived. Returns 1 if the answer goes on.
static int receive(struct connection *c) {
    ssize_t count = c->tls ? tls_receive(c->tls, scratch, SCRATCH)
                           : recv(c->fd, scratch, SCRATCH, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (count <= 0) { fail(c, count ? "reset" : "closed"); return 0; }
    if (!c->busy) { fail(c, "bytes that nobody asked for"); return 0; }
    long body = count;
    if (c->body_left < 0) {
        // A head nearly always comes whole: only a cut one is copied.
        const char *bytes = scratch;
        size_t bytes_count = (size_t)count, kept = (size_t)c->head_count;
        if (kept) {
            size_t room = HEAD_MAX - kept;
            size_t take = bytes_count < room ? bytes_count : room;
            memcpy(c->head + kept, scratch, take);
            bytes = c->head;
            bytes_count = kept + take;
        }
        long head = read_head(c, bytes, bytes_count);
        if (head == BAD) { fail(c, "a bad answer"); return 0; }
        if (head == INCOMPLETE) {
            if (!kept) memcpy(c->head, bytes, bytes_count);
            c->head_count = (int)bytes_count;
            return 1;
        }
        body = count - (head - (long)kept);
    }
    if (body > c->body_left) { fail(c, "more bytes than announced"); return 0; }
    c->body_left -= body;
    if (c->body_left == 0) finished(c);
    return c->busy;
}

static void readable(struct connection *c) {
    if (c->tls && !c->is_shaken) {
        if (c->busy) shake(c);
        else fail(c, "closed before the handshake");
        return;
    }
    // One read is enough without TLS: epoll tells what is left. TLS may hold more records.
    while (receive(c) && c->tls) continue;
}

/// One turn of the loop: waits until an answer or `until`, at most.
static void turn(double until) {
    struct epoll_event events[EVENTS];
    double wait = until - now();
    if (wait < 0) wait = 0;
    struct timespec timeout = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
    int ready = epoll_pwait2(epoll, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < ready; i++) readable(events[i].data.ptr);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t percentile(double part) {
    if (!samples_count) return 0;
    long index = (long)ceil(part * (double)samples_count) - 1;
    return samples[index < 0 ? 0 : index];
}

static void report(double begin) {
    double seconds = now() - begin;
    qsort(samples, (size_t)samples_count, sizeof *samples, ascending);
    printf("{\"exchanges\": %ld, \"errors\": %ld, \"seconds\": %.6f, \"p50_us\": %u, "
           "\"p90_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n",
           answered - errors, errors, seconds, percentile(0.5), percentile(0.9),
           percentile(0.99), percentile(0.999), percentile(1));
    fflush(stdout);
}

static void begin_order(void) {
    samples_count = errors = started = answered = 0;
    queue_first = queue_count = 0;
}

/// Exactly `count` exchanges in a closed loop, or as many as begin within `seconds`.
static void run(long count, double seconds) {
    double begin = now(), last = begin;
    long seen = 0;
    begin_order();
    for (;;) {
        int more = started < count && now() < begin + seconds;
        if (!more && answered >= started) break;
        while (more && idle_count && started < count) send_request(take_idle(), now());
        turn(now() + 1);
        if (answered != seen) { seen = answered; last = now(); }
        if (now() - last > GIVE_UP_S) {
            long missing = (count < LONG_MAX ? count : started) - answered;
            errors += missing;
            answered += missing;
            break;
        }
    }
    report(begin);
}

static void rate(double per_second, double seconds) {
    double begin = now(), end = begin + seconds, due = begin, deadline = end + GIVE_UP_S;
    begin_order();
    long room = (long)(per_second * seconds * 1.2) + 1000;
    queue = realloc(queue, sizeof *queue * (size_t)room);
    if (!queue) die("realloc");
    while (due < end || queue_count || started > answered) {
        double time = now();
        if (time > deadline) { errors += started - answered + queue_count; break; }
        for (; due <= time && due < end; due += exponential() / per_second) {
            if (queue_count == room) { errors++; continue; }
            queue[(queue_first + queue_count++) % room] = due;
        }
        while (queue_count && idle_count) {
            double first = queue[queue_first];
            queue_first = (queue_first + 1) % room;
            queue_count--;
            send_request(take_idle(), first);
        }
        turn(due < end ? due : now() + 0.1);
    }
    report(begin);
}

static void open_all(void) {
    for (int i = 0; i < connections_count; i++) {
        if (all[i].fd >= 0) continue;
        if (open_connection(&all[i]) < 0) die("connect");
        put_idle(&all[i]);
        // In groups of 256, so that no accept queue overflows.
        if (i % 256 != 255 && i != connections_count - 1) continue;
        long group = i % 256 + 1, before = answered;
        for (long k = 0; k < group; k++) send_request(take_idle(), now());
        double last = now();
        while (answered - before < group && now() - last < GIVE_UP_S) turn(now() + 1);
        if (answered - before < group) errors += group - (answered - before);
    }
}

static void churn(long count, double seconds) {
    idle_first = idle_count = 0;
    for (int i = 0; i < connections_count; i++) {
        close_connection(&all[i]);
        put_idle(&all[i]);
        make_request(&all[i], i, 1);
    }
    churns = 1;
    run(count, seconds);
    churns = 0;
    idle_first = idle_count = 0;
    for (int i = 0; i < connections_count; i++) make_request(&all[i], i, 0);
}

static void read_cookies(const char *name) {
    char line[REQUEST_MAX / 2];
    FILE *file = fopen(name, "r");
    if (!file) die(name);
    cookies = calloc(COOKIES_MAX, sizeof *cookies);
    while (cookies && cookies_count < COOKIES_MAX && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0]) cookies[cookies_count++] = strdup(line);
    }
    fclose(file);
}

/// What PATH asks for.
static void choose_speech(void) {
    if (sscanf(path, "ws:%ld", &message_size) == 1) speech = WEBSOCKET;
    else if (sscanf(path, "raw:%ld", &message_size) == 1) speech = RAW;
    else return;
    if (message_size < 1 || (speech == WEBSOCKET && message_size > MESSAGE_MAX)) exit(2);
    if (speech == WEBSOCKET) make_frame();
}

static void start(int count, char **arguments) {
    port = atoi(arguments[0]);
    connections_count = atoi(arguments[1]);
    path = arguments[2];
    if (connections_count < 1 || connections_count > CONNECTIONS_MAX) exit(2);
    if (count > 3 && arguments[3][0]) read_cookies(arguments[3]);
    if (count > 4) sources = atoi(arguments[4]);
    choose_speech();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGPIPE, SIG_IGN);
    all = calloc((size_t)connections_count, sizeof *all);
    idle = calloc((size_t)connections_count, sizeof *idle);
    samples = malloc(sizeof *samples * SAMPLES_MAX);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !idle || !samples || epoll < 0) die("start");
    for (int i = 0; i < connections_count; i++) {
        all[i].fd = -1;
        make_request(&all[i], i, 0);
    }
}

/// "N" is a count, "Ns" a time. Returns 0 if it is neither.
static int amount(const char *text, long *count, double *seconds) {
    char unit = 0;
    double number;
    if (sscanf(text, "%lf%c", &number, &unit) < 1) return 0;
    *count = unit == 's' ? LONG_MAX : (long)number;
    *seconds = unit == 's' ? number : INFINITY;
    return 1;
}

int main(int count, char **arguments) {
    const char *version = NULL;
    int resumes = 0;
    for (int option; (option = getopt(count, arguments, "+t:r")) != -1;) {
        if (option == 't') version = optarg;
        else if (option == 'r') resumes = 1;
        else return 2;
    }
    if (count - optind < 3) {
        fprintf(stderr,
                "usage: load [-t VERSION] [-r] PORT CONNECTIONS PATH [COOKIES [SOURCES]]\n");
        return 2;
    }
    uses_tls = version != NULL;
    if (uses_tls) tls_prepare(version, resumes);
    start(count - optind, arguments + optind);
    char line[256];
    long exchanges;
    double per_second, seconds;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "open", 4) == 0) {
            double begin = now();
            begin_order();
            open_all();
            report(begin);
        } else if (!strncmp(line, "run ", 4) && amount(line + 4, &exchanges, &seconds))
            run(exchanges, seconds);
        else if (!strncmp(line, "churn ", 6) && amount(line + 6, &exchanges, &seconds))
            churn(exchanges, seconds);
        else if (sscanf(line, "rate %lf %lf", &per_second, &seconds) == 2)
            rate(per_second, seconds);
        else { fprintf(stderr, "load: what is %s", line); return 2; }
    }
    return 0;
}
