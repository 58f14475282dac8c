/* record.c -- a gRPC server that counts what becomes of every call, and ends
 * calls, connections and itself in all ways that load has to count.
 *
 *   record -m STREAMS     calls that a client has in flight on a connection
 *
 * Of all calls, by their number from 1 on: every 41st gets RST_STREAM with
 * REFUSED_STREAM, every 101st with INTERNAL_ERROR, every 67th status 13.  Every
 * 997th is the last that its connection processes, by GOAWAY.
 * Every 1499th makes its connection stop answering and, once STREAMS calls wait
 * on it, be closed, and every 4999th does so to all connections: a restart.
 *
 * Says "listening on 127.0.0.1:PORT"; on SIGTERM what became of the calls, as
 * "ok N failed N refused N reset N lost N".  Ends by itself after three minutes. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "accept.h"

static const char reply[] = "\0\0\0\0\x04\n\x02ok";
static unsigned long calls, ok, failed, refused, reset, lost, streams = 1;
static volatile sig_atomic_t over;

struct conn {
    nghttp2_session *session;           /* owned */
    int fd;                             /* owned; blocks */
    unsigned waits;                     /* calls that get no answer */
    int64_t dies_at;                    /* when no more calls are awaited */
    int dies, shut;                     /* answers no more; is half closed */
    int32_t goaway;                     /* last stream processed; or 0 */
    struct conn *next;
};
static struct conn *conns;

#define NV(n, v) { (uint8_t *)n, (uint8_t *)v, sizeof n - 1, sizeof v - 1, \
                   NGHTTP2_NV_FLAG_NONE }
static const nghttp2_nv headers[] = { NV(":status", "200"),
                                      NV("content-type", "application/grpc") };
static const nghttp2_nv status13[] = { NV(":status", "200"),
                                      NV("content-type", "application/grpc"),
                                      NV("grpc-status", "13") };
static const nghttp2_nv trailers[] = { NV("grpc-status", "0") };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)source, (void)user;
    if (n < sizeof reply - 1)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    for (size_t i = 0; i < sizeof reply - 1; i++)
        p[i] = (uint8_t)reply[i];
    *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(s, id, trailers, 1) ?
           NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)sizeof reply - 1;
}

static void die(struct conn *c)
{
    if (!c->dies)
        c->dies_at = now() + 300;
    c->dies = 1;
}

/* A whole request has come. */
static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    nghttp2_data_provider body = { .read_callback = on_read };
    struct conn *c = user;
    int32_t id = f->hd.stream_id;
    if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS) ||
        (c->goaway && id > c->goaway))
        return 0;
    if (c->dies) {
        c->waits++;
        lost++;
        return 0;
    }
    calls++;
    if (calls % 4999 == 0)
        for (struct conn *k = conns; k; k = k->next)
            die(k);
    else if (calls % 1499 == 0)
        die(c);
    if (c->dies) {
        c->waits++;
        lost++;
    } else if (calls % 41 == 0) {
        refused++;
        nghttp2_submit_rst_stream(s, 0, id, NGHTTP2_REFUSED_STREAM);
    } else if (calls % 101 == 0) {
        reset++;
        nghttp2_submit_rst_stream(s, 0, id, NGHTTP2_INTERNAL_ERROR);
    } else if (calls % 67 == 0) {
        failed++;
        nghttp2_submit_response(s, id, status13, 3, NULL);
    } else {
        ok++;
        nghttp2_submit_response(s, id, headers, 2, &body);
        if (calls % 997 == 0) {
            c->goaway = id;
            nghttp2_submit_goaway(s, 0, id, NGHTTP2_NO_ERROR, NULL, 0);
        }
    }
    return 0;
}

/* Send all that nghttp2 has. */
static int flush(struct conn *c)
{
    const uint8_t *p;
    ssize_t n = 0;
    while (!c->shut && (n = nghttp2_session_mem_send(c->session, &p)) > 0)
        if (send(c->fd, p, (size_t)n, MSG_NOSIGNAL) != n)
            return -1;
    return (int)n;
}

static void drop(struct conn *c)
{
    struct conn **at = &conns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    nghttp2_session_del(c->session);
    close(c->fd);
    free(c);
}

/* Read until the peer closes, also after our own end: all its calls count. */
static int turn(struct conn *c)
{
    static uint8_t in[65536];
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
    c->fd = accept_h2(ep, listener, &c->session, cb, 1000, c);
    c->next = conns;
    conns = c;
    if (flush(c))
        drop(c);
}

static void on_term(int signo)
{
    over = signo;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    nghttp2_session_callbacks *cb;
    struct epoll_event e = { .events = EPOLLIN }, ready[64];
    int option, ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0);
    while ((option = getopt(argc, argv, "m:")) != -1) {
        if (option != 'm')
            return 2;
        streams = strtoul(optarg, NULL, 10);
    }
    alarm(180);
    signal(SIGTERM, on_term);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (nghttp2_session_callbacks_new(&cb) ||
        bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 4096) ||
        getsockname(l, (struct sockaddr *)&a, &size) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, l, &e))
        return perror("record"), 1;
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    while (!over) {
        int n = epoll_wait(ep, ready, 1, 50);
        for (int i = 0; i < n; i++)
            if (!ready[i].data.ptr)
                welcome(ep, l, cb);
            else if (turn(ready[i].data.ptr))
                drop(ready[i].data.ptr);
        for (struct conn *c = conns; c; c = c->next)
            if (c->dies && !c->shut &&
                (c->waits >= streams || now() >= c->dies_at)) {
                c->shut = 1;
                shutdown(c->fd, SHUT_WR);
            }
    }
    printf("ok %lu failed %lu refused %lu reset %lu lost %lu\n", ok, failed,
           refused, reset, lost);
    return 0;
}
