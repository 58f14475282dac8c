/* stall.c -- a gRPC server that takes exactly as long as it is told.
 *
 *   stall [-s US] [-b MS -l MS -e MS]
 *     -s   service time of a call (0): they are served one after the other
 *     -b   MS after the first call it stands still (never)
 *     -l   for so long (1000), calls in service too
 *     -e   and again so long after it last began to (10000)
 *
 * Says "listening on 127.0.0.1:PORT"; ends by SIGTERM, or by itself after two
 * minutes.  When each call ends follows from when it came and from the options
 * alone: being woken late delays that one answer, and none after it. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"

static const char reply[] = "\0\0\0\0\x04\n\x02ok";
static uint8_t in[65536];               /* of the connection whose turn it is */
static int64_t service, begins = -1, lasts = 1000000000, every = 10000000000;
static int64_t first, free_at;          /* when calls began; the last ended */

struct conn {
    nghttp2_session *session;           /* owned */
    int fd;                             /* owned; blocks */
};

/* The calls that wait, in their order; a ring.  conn is NULL for one that was
 * cancelled: it takes no time then. */
struct call { struct conn *conn; int32_t stream; int64_t came; };
enum { CALLS = 1 << 16 };
static struct call calls[CALLS];
static unsigned head, tail;

#define NV(n, v) { (uint8_t *)n, (uint8_t *)v, sizeof n - 1, sizeof v - 1, \
                   NGHTTP2_NV_FLAG_NO_COPY_NAME | \
                   NGHTTP2_NV_FLAG_NO_COPY_VALUE }
static const nghttp2_nv headers[] = { NV(":status", "200"),
                                      NV("content-type", "application/grpc") };
static const nghttp2_nv trailers[] = { NV("grpc-status", "0") };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* When a call that begins at t, or as soon as one can after it, has had its
 * service time.  The pauses are at first + begins + k * every. */
static int64_t served(int64_t t)
{
    int64_t left = service;
    if (begins < 0)
        return t + left;
    for (int64_t at = first + begins; ; at += every) {
        if (at + lasts <= t)
            continue;
        if (t + left < at)
            return t + left;
        left -= t < at ? at - t : 0;
        t = at + lasts;
    }
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)source, (void)user;
    if (n < sizeof reply - 1)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    memcpy(p, reply, sizeof reply - 1);
    *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(s, id, trailers, 1) ?
           NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)sizeof reply - 1;
}

/* A request has ended: it queues. */
static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    int64_t t = now();
    (void)s;
    if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
        return 0;
    if (first == 0)
        first = t;
    if (head - tail == CALLS)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    calls[head++ % CALLS] = (struct call){ user, f->hd.stream_id, t };
    return 0;
}

/* Stream of c, or all where it is 0, is over: what waits of it is cancelled. */
static void cancel(const struct conn *c, int32_t stream)
{
    for (unsigned i = tail; i != head; i++) {
        struct call *k = &calls[i % CALLS];
        if (k->conn == c && (stream == 0 || k->stream == stream))
            k->conn = NULL;
    }
}

static int on_close(nghttp2_session *s, int32_t stream, uint32_t code,
                    void *user)
{
    (void)s;
    if (code)
        cancel(user, stream);
    return 0;
}

/* Send all that nghttp2 has. */
static int flush(struct conn *c)
{
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(c->session, &p)) > 0)
        if (send(c->fd, p, (size_t)n, MSG_NOSIGNAL) != n)
            return -1;
    return (int)n;
}

/* c is over, and with it what waits there. */
static void drop(struct conn *c)
{
    cancel(c, 0);
    nghttp2_session_del(c->session);
    close(c->fd);
    free(c);
}

/* When the call that is served now will have been; 0 when there is none. */
static int64_t next_end(void)
{
    while (tail != head && !calls[tail % CALLS].conn)
        tail++;
    if (tail == head)
        return 0;
    int64_t came = calls[tail % CALLS].came;
    return served(came > free_at ? came : free_at);
}

/* Answer the calls that have been served, those of a connection together. */
static void answer(void)
{
    nghttp2_data_provider body = { .read_callback = on_read };
    int64_t ends, t = now();
    struct conn *c = NULL;
    while ((ends = next_end()) && ends <= t) {
        struct call *k = &calls[tail % CALLS];
        if (c && c != k->conn && flush(c))
            drop(c);                    /* perhaps with k */
        c = k->conn;
        if (!c)
            continue;
        free_at = ends;
        tail++;
        nghttp2_submit_response(c->session, k->stream, headers, 2, &body);
    }
    if (c && flush(c))
        drop(c);
}

static int turn(struct conn *c)
{
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n <= 0 || nghttp2_session_mem_recv(c->session, in, (size_t)n) != n)
        return -1;
    return flush(c);
}

static void welcome(int ep, int listener, nghttp2_session_callbacks *cb)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        exit(1);
    c->fd = accept_h2(ep, listener, &c->session, cb, CALLS, c);
}

/* The timer goes off when the next call ends. */
static void arm(int timer)
{
    struct itimerspec when = { { 0, 0 }, { 0, 0 } };
    int64_t t = next_end();
    if (t) {
        when.it_value.tv_sec = t / 1000000000;
        when.it_value.tv_nsec = t % 1000000000;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    nghttp2_session_callbacks *cb;
    struct epoll_event e = { .events = EPOLLIN }, ready[64];
    int c, ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    while ((c = getopt(argc, argv, "s:b:l:e:")) != -1) {
        int64_t n = c == '?' ? 0 : strtoll(optarg, NULL, 10);
        switch (c) {
        case 's': service = n * 1000; break;
        case 'b': begins = n * 1000000; break;
        case 'l': lasts = n * 1000000; break;
        case 'e': every = n * 1000000; break;
        default: return 2;
        }
    }
    if (every <= lasts)
        return fprintf(stderr, "stall: -e must be more than -l\n"), 2;
    prctl(PR_SET_TIMERSLACK, 1);
    alarm(120);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    e.data.ptr = &timer;
    if (nghttp2_session_callbacks_new(&cb) ||
        bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 4096) ||
        getsockname(l, (struct sockaddr *)&a, &size) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, timer, &e))
        return perror("stall"), 1;
    e.data.ptr = NULL;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, l, &e))
        return perror("stall"), 1;
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            struct conn *k = ready[i].data.ptr;
            uint64_t times;
            if (!k)
                welcome(ep, l, cb);
            else if (ready[i].data.ptr == &timer)
                c = (int)read(timer, &times, sizeof times);
            else if (turn(k))
                drop(k);
        }
        answer();
        arm(timer);
    }
}
