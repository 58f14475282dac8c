/* floor.c -- what the sockets alone cost a server, or a client: epoll, a recv()
 * and a send() of fixed bytes for each request of fixed size, and no protocol.
 *
 *   floor [-p PORT]                              the server, on 127.0.0.1
 *   floor -c CLIENTS [-m STREAMS] [-n CALLS] [-d SECONDS] PORT    its client
 *   floor -2 -c CLIENTS ...                      the client of a gRPC server
 *
 * The client keeps STREAMS requests in flight on each of its CLIENTS
 * connections and answers what one recv() brought with as many requests in one
 * send(), as a gRPC client does; it prints the calls and the calls a second.
 * The sizes are those of a SayHello whose headers both ends have seen before.
 * With -2 the bytes are HTTP/2's, alike but for the stream's number, and of
 * what comes only the heads of frames are looked at, to see where replies end.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 60, REPLY_BYTES = 67, MOST = 65536 };

static char in[MOST], out[MOST];        /* out: only its length matters */
static int have[MOST];                  /* by fd: bytes of one not yet whole */

/* With -2: what a client says first, with the answer to the server's SETTINGS,
 * and a SayHello of "world", whose two stream numbers are to be filled in. */
#define FRAME(n, type, flags) "\0\0" n type flags "\0\0\0\0"
static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    FRAME("\6", "\4", "\0") "\0\4\x3f\xff\xff\xff"
    FRAME("\4", "\x8", "\0") "\x3f\xff\0\0" FRAME("\0", "\4", "\1");
static char request[] = FRAME("\x4b", "\1", "\4") "\x83\x86"
    "\x04\x1c/helloworld.Greeter/SayHello" "\x01\x09" "127.0.0.1"
    "\x0f\x10\x10" "application/grpc" "\0\2te\x8trailers"
    FRAME("\xc", "\0", "\1") "\0\0\0\0\7\n\5world";
enum { HEADERS = 9 + 0x4b, HEAD = 9 };
_Static_assert(sizeof request - 1 == HEADERS + HEAD + 12, "request");
static bool http2;
static struct { uint32_t id, left; unsigned char head[HEAD]; } stream[MOST];

/* Send n requests of HTTP/2 on fd. */
static bool floor_ask(int fd, long n)
{
    const int whole = sizeof request - 1;
    int at = 0;
    for (; n > 0; n--) {
        uint32_t id = htonl(2 * stream[fd].id++ + 1);
        memcpy(request + 5, &id, sizeof id);
        memcpy(request + HEADERS + 5, &id, sizeof id);
        memcpy(out + at, request, sizeof request - 1);
        at += whole;
        if (n > 1 && at + whole <= MOST)
            continue;
        if (send(fd, out, (size_t)at, MSG_NOSIGNAL) != at)
            return false;
        at = 0;
    }
    return true;
}

/* Receive frames on fd; how many ended a stream, -1 when fd is over. */
static int floor_replies(int fd)
{
    unsigned char *h = stream[fd].head;
    ssize_t n = recv(fd, in, sizeof in, 0);
    int whole = 0;
    for (ssize_t at = 0; at < n; ) {
        if (stream[fd].left) {
            uint32_t k = n - at < stream[fd].left ? (uint32_t)(n - at)
                                                  : stream[fd].left;
            stream[fd].left -= k;
            at += k;
            continue;
        }
        h[have[fd]++] = (unsigned char)in[at++];
        if (have[fd] < HEAD)
            continue;
        have[fd] = 0;
        stream[fd].left = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
        whole += h[3] < 2 && (h[4] & 1);        /* DATA, HEADERS: END_STREAM */
    }
    return n <= 0 ? -1 : whole;
}

/* Send n times unit bytes on fd, in as few pieces as fit in out. */
static bool floor_send(int fd, long n, int unit)
{
    while (n > 0) {
        long some = n < MOST / unit ? n : MOST / unit;
        if (send(fd, out, (size_t)(some * unit), MSG_NOSIGNAL) != some * unit)
            return false;
        n -= some;
    }
    return true;
}

/* Receive on fd; how many whole units there are now, -1 when fd is over. */
static int floor_recv(int fd, int unit)
{
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n <= 0)
        return -1;
    int whole = (have[fd] + (int)n) / unit;
    have[fd] = (have[fd] + (int)n) % unit;
    return whole;
}

static int floor_watch(int ep, int fd)
{
    struct epoll_event e = { EPOLLIN, { .fd = fd } };
    int one = 1;
    if (fd < 0 || fd >= MOST || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    have[fd] = 0;
    return 0;
}

static int floor_serve(struct sockaddr_in *a)
{
    socklen_t size = sizeof *a;
    struct epoll_event ready[256];
    int one = 1, ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0);
    if (setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(l, (struct sockaddr *)a, size) || listen(l, 4096) ||
        getsockname(l, (struct sockaddr *)a, &size) || floor_watch(ep, l))
        return perror("floor"), 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(a->sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd, whole;
            if (fd == l) {
                if (floor_watch(ep, accept(l, NULL, NULL)))
                    return perror("floor: accept"), 1;
            } else if ((whole = floor_recv(fd, REQUEST_BYTES)) < 0 ||
                       !floor_send(fd, whole, REPLY_BYTES))
                close(fd);
        }
    }
}

static double floor_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Send n requests. */
static bool floor_request(int fd, long n)
{
    return http2 ? floor_ask(fd, n) : floor_send(fd, n, REQUEST_BYTES);
}

/* Begin no call after the most given and the time given; finish those begun. */
static int floor_load(const struct sockaddr_in *a, long clients, long streams,
                      long calls, double seconds)
{
    struct epoll_event ready[256];
    int ep = epoll_create1(0);
    long sent = 0, done = 0;
    double began = floor_now();
    for (long i = 0; i < clients && sent < calls; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        long some = streams < calls - sent ? streams : calls - sent;
        if (connect(fd, (const struct sockaddr *)a, sizeof *a) ||
            floor_watch(ep, fd) ||
            (http2 && send(fd, greeting, sizeof greeting - 1, 0) < 0) ||
            !floor_request(fd, some))
            return perror("floor: connect"), 1;
        sent += some;
    }
    while (done < sent) {
        int n = epoll_wait(ep, ready, 256, -1);
        if (sent < calls && floor_now() - began > seconds)
            calls = sent;
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            int whole = http2 ? floor_replies(fd) : floor_recv(fd, REPLY_BYTES);
            long some = whole < calls - sent ? whole : calls - sent;
            if (whole < 0 || !floor_request(fd, some))
                return fputs("floor: the server hung up\n", stderr), 1;
            done += whole;
            sent += some;
        }
    }
    printf("%ld %.0f\n", done, (double)done / (floor_now() - began));
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    long clients = 0, streams = 1, calls = LONG_MAX;
    double seconds = HUGE_VAL;
    unsigned long port = 0;
    int c;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while ((c = getopt(argc, argv, "2p:c:m:n:d:")) != -1)
        switch (c) {
        case '2': http2 = true; break;
        case 'p': port = strtoul(optarg, NULL, 10); break;
        case 'c': clients = strtol(optarg, NULL, 10); break;
        case 'm': streams = strtol(optarg, NULL, 10); break;
        case 'n': calls = strtol(optarg, NULL, 10); break;
        case 'd': seconds = strtod(optarg, NULL); break;
        default: return 2;
        }
    a.sin_port = htons((uint16_t)port);
    if (!clients)
        return floor_serve(&a);
    if (optind == argc)
        return fputs("floor: no port\n", stderr), 2;
    a.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
    return floor_load(&a, clients, streams, calls, seconds);
}
