// A client that wrk cannot be: it holds its connections between orders, counts exchanges to
// the last one, and sends at a fixed rate without waiting for answers (open loop), so that a
// slow answer delays nothing but is charged to every request that was due meanwhile.
//
// Usage: load PORT CONNECTIONS PATH [COOKIES [SOURCES]]
//   COOKIES  a file, one Cookie header's value a line; connection i presents line i (mod n)
//   SOURCES  how many client addresses (127.0.1.1, 127.0.1.2, ...) the connections come from
// Orders on standard input, one JSON line of figures on standard output for each:
//   open              connect all, one exchange on each
//   run N             N exchanges, as fast as the connections can
//   rate R S          R requests a second for S seconds, at random (exponential) distances
//   churn N           N exchanges, each on a connection of its own ("Connection: close")
// The end of input closes everything.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
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

enum {
    CONNECTIONS_MAX = 19000,
    HEAD_MAX = 4096,
    REQUEST_MAX = 4096,
    SCRATCH = 256 << 10,
    EVENTS = 1024,
    COOKIES_MAX = 20000,
    SAMPLES_MAX = 8 << 20,
};

static const double GIVE_UP_S = 15;   // Limit: without one answer for so long, an order ends

struct connection {
    int fd;
    int busy;            // a request is out
    long body_left;      // -1: the head is not complete
    double due;          // when the request ought to have gone out
    int head_count;
    int closes;
    char *request;
    int request_count;
    char head[HEAD_MAX];
};

static int port, connections_count, sources;
static const char *path;
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
    int count = snprintf(text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: shop.example\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        "Accept: */*\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
        "%s%s%s%s\r\n",
        path, closes ? "Connection: close\r\n" : "", cookies_count ? "Cookie: " : "",
        cookies_count ? cookies[number % cookies_count] : "", cookies_count ? "\r\n" : "");
    if (count >= (int)sizeof text) { fprintf(stderr, "the request is too long\n"); exit(1); }
    free(c->request);
    c->request = strdup(text);
    c->request_count = count;
    if (!c->request) die("strdup");
}

static int open_connection(struct connection *c) {
    int on = 1, number = (int)(c - all);
    if (c->fd >= 0) close(c->fd);
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
    c->busy = c->head_count = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void close_connection(struct connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
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

static void send_request(struct connection *c, double due) {
    if (churns && open_connection(c) < 0) die("connect");
    c->busy = 1;
    c->due = due;
    c->body_left = -1;
    c->head_count = 0;
    started++;
    if (send(c->fd, c->request, (size_t)c->request_count, MSG_NOSIGNAL) != c->request_count)
        fail(c, "could not send");
}

static void finished(struct connection *c) {
    double micros = (now() - c->due) * 1e6;
    if (samples_count < SAMPLES_MAX)
        samples[samples_count++] = micros < 4e9 ? (uint32_t)(micros + 0.5) : UINT32_MAX;
    answered++;
    c->busy = 0;
    if (churns) close_connection(c);
    else if (c->closes) {
        close_connection(c);
        if (open_connection(c) < 0) die("reconnect");
    }
    put_idle(c);
}

/// Reads a complete head. Returns -1 unless it is a 200 with a Content-Length.
static int read_head(struct connection *c, const char *head, size_t count) {
    char text[HEAD_MAX + 1];
    memcpy(text, head, count);
    text[count] = 0;
    if (strncmp(text, "HTTP/1.1 200 ", 13) != 0) return -1;
    const char *length = strcasestr(text, "\r\ncontent-length:");
    if (!length) return -1;
    c->body_left = atol(length + 17);
    c->closes = strcasestr(text, "\r\nconnection: close") != NULL;
    return 0;
}

static void readable(struct connection *c) {
    ssize_t count = recv(c->fd, scratch, SCRATCH, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) { fail(c, count ? "reset" : "closed"); return; }
    if (!c->busy) { fail(c, "bytes that nobody asked for"); return; }
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
        char *end = memmem(bytes, bytes_count, "\r\n\r\n", 4);
        if (!end) {
            if (bytes_count >= HEAD_MAX) { fail(c, "a head too long"); return; }
            if (!kept) memcpy(c->head, bytes, bytes_count);
            c->head_count = (int)bytes_count;
            return;
        }
        size_t head = (size_t)(end + 4 - bytes);
        if (head > HEAD_MAX || read_head(c, bytes, head) < 0) { fail(c, "a bad answer"); return; }
        body = count - (long)(head - kept);
    }
    if (body > c->body_left) { fail(c, "more bytes than announced"); return; }
    c->body_left -= body;
    if (c->body_left == 0) finished(c);
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

/// Exactly `count` exchanges in a closed loop.
static void run(long count) {
    double begin = now(), last = begin;
    long seen = 0;
    begin_order();
    while (answered < count) {
        while (idle_count && started < count) send_request(take_idle(), now());
        turn(now() + 1);
        if (answered != seen) { seen = answered; last = now(); }
        if (now() - last > GIVE_UP_S) { errors += count - answered; answered = count; }
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

static void churn(long count) {
    idle_first = idle_count = 0;
    for (int i = 0; i < connections_count; i++) {
        close_connection(&all[i]);
        put_idle(&all[i]);
        make_request(&all[i], i, 1);
    }
    churns = 1;
    run(count);
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

int main(int count, char **arguments) {
    if (count < 4) {
        fprintf(stderr, "usage: load PORT CONNECTIONS PATH [COOKIES [SOURCES]]\n");
        return 2;
    }
    port = atoi(arguments[1]);
    connections_count = atoi(arguments[2]);
    path = arguments[3];
    if (connections_count < 1 || connections_count > CONNECTIONS_MAX) return 2;
    if (count > 4 && arguments[4][0]) read_cookies(arguments[4]);
    if (count > 5) sources = atoi(arguments[5]);
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
    char line[256];
    long exchanges;
    double per_second, seconds;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "open", 4) == 0) {
            double begin = now();
            begin_order();
            open_all();
            report(begin);
        } else if (sscanf(line, "run %ld", &exchanges) == 1) run(exchanges);
        else if (sscanf(line, "churn %ld", &exchanges) == 1) churn(exchanges);
        else if (sscanf(line, "rate %lf %lf", &per_second, &seconds) == 2)
            rate(per_second, seconds);
        else { fprintf(stderr, "load: what is %s", line); return 2; }
    }
    return 0;
}
