/* bare.c -- the least that a gRPC server on nghttp2 can do, as a yardstick.
 *
 *   bare [-p PORT] [-w ITERATIONS]      127.0.0.1, any port; no work
 *
 * One thread; a turn for a connection is one recv() and, of all that nghttp2
 * has to say after it, one send().  Whatever is asked, the answer is the same
 * greeting; neither the path nor the message is looked at, there are no limits,
 * deadlines or statistics, and a stream that is over is forgotten at once. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* As long as the reply to the one with a six-digit number at grpcprof serve. */
static const char reply[] = "\0\0\0\0\x20\n\x1eHello world! (request #123456)";
static uint64_t work;
static uint8_t in[65536], out[65536];   /* of the connection whose turn it is */

struct conn {
    nghttp2_session *session;           /* owned */
    int fd;                             /* owned; blocks */
};

#define NV(n, v) { (uint8_t *)n, (uint8_t *)v, sizeof n - 1, sizeof v - 1, \
                   NGHTTP2_NV_FLAG_NO_COPY_NAME | \
                   NGHTTP2_NV_FLAG_NO_COPY_VALUE }
static const nghttp2_nv head[] = { NV(":status", "200"),
                                   NV("content-type", "application/grpc") };
static const nghttp2_nv tail[] = { NV("grpc-status", "0") };

/* The loop of grpcprof's svc_work(), aligned for the same reason. */
__attribute__((noinline, aligned(64))) static uint64_t bare_work(uint64_t n)
{
    uint64_t sum = 0, i = 0;
    if (n == 0)
        return 0;
    __asm__ volatile(".p2align 6" : "+r"(sum), "+r"(i), "+r"(n));
    do {
        sum += i * i;
        __asm__ volatile("nop" : "+r"(sum));
    } while (++i < n);
    return sum;
}

/* The whole reply at once, and the trailers behind it. */
static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t n,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)source, (void)user;
    if (n < sizeof reply - 1)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    memcpy(p, reply, sizeof reply - 1);
    *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(s, id, tail, 1) ?
           NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)sizeof reply - 1;
}

/* A request has ended: work, and answer. */
static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    nghttp2_data_provider body = { .read_callback = on_read };
    (void)user;
    if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
        return 0;
    __asm__ volatile("" : : "r"(bare_work(work)));
    return nghttp2_submit_response(s, f->hd.stream_id, head, 2, &body) ?
           NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* Send all that nghttp2 has, in one piece but when it does not fit in out. */
static int bare_flush(struct conn *c)
{
    const uint8_t *p;
    size_t have = 0;
    for (;;) {
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (have && (n <= 0 || (size_t)n > sizeof out - have)) {
            if (send(c->fd, out, have, MSG_NOSIGNAL) != (ssize_t)have)
                return -1;
            have = 0;
        }
        if (n <= 0)
            return n < 0 ? -1 : 0;
        memcpy(out + have, p, (size_t)n);
        have += (size_t)n;
    }
}

/* What may be done with c now is one recv; -1 when c is over. */
static int bare_turn(struct conn *c)
{
    ssize_t n = recv(c->fd, in, sizeof in, 0);
    if (n <= 0 || nghttp2_session_mem_recv(c->session, in, (size_t)n) != n)
        return -1;
    return bare_flush(c);
}

/* A connection from listener, polled by ep; the server's SETTINGS wait for the
 * first turn. */
static void bare_accept(int ep, int listener, nghttp2_session_callbacks *cb,
                        nghttp2_option *option)
{
    nghttp2_settings_entry most = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                    1000 };
    struct conn *c = calloc(1, sizeof *c);
    struct epoll_event e = { EPOLLIN, { .ptr = c } };
    int one = 1;
    if (!c || (c->fd = accept(listener, NULL, NULL)) < 0 ||
        nghttp2_session_server_new2(&c->session, cb, c, option) ||
        nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, &most, 1) ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e)) {
        perror("bare: accept");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    struct epoll_event e = { .events = EPOLLIN }, ready[256];
    int c, one = 1, ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0);
    while ((c = getopt(argc, argv, "p:w:")) != -1)
        if (c == 'p')
            a.sin_port = htons((uint16_t)strtoul(optarg, NULL, 10));
        else if (c == 'w')
            work = strtoull(optarg, NULL, 10);
        else
            return 2;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (nghttp2_session_callbacks_new(&cb) || nghttp2_option_new(&option) ||
        setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 4096) ||
        getsockname(l, (struct sockaddr *)&a, &size) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, l, &e))
        return perror("bare"), 1;
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_option_set_no_closed_streams(option, 1);
    printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            struct conn *k = ready[i].data.ptr;
            if (!k)
                bare_accept(ep, l, cb, option);
            else if (bare_turn(k)) {
                nghttp2_session_del(k->session);
                close(k->fd);
                free(k);
            }
        }
    }
}
