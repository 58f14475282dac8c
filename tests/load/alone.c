/* alone.c -- a server whose endpoint does not know it: the program profiles
 * itself, and the endpoint has no gp_server to ask for addresses or calls.
 *
 *   alone       Greeter on 127.0.0.1:0, for at most 60 s
 *
 * Prints both addresses; after SIGTERM, how many calls it answered and the CPU
 * time of its work, in ns. */
#include "grpcprof.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

static long calls, work_ns;             /* of the only loop's thread */

static long cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

__attribute__((noinline)) static void alone_work(void)
{
    for (volatile int i = 0; i < 200000; i++)
        ;
}

static void hello(struct gp_call *call, struct gp_slice request, void *service)
{
    (void)request;
    (void)service;
    long from = cpu_ns();
    alone_work();
    work_ns += cpu_ns() - from;
    calls++;
    gp_call_reply(call, (struct gp_slice){ NULL, 0 });
}

int main(void)
{
    static const struct gp_method method = {
        .path = "/helloworld.Greeter/SayHello", .on_message = hello };
    struct gp_server_config config = { .size = sizeof config, .threads = 1 };
    struct gp_server *server;
    struct gp_debug *debug;
    struct gp_why why;
    const char *at, *web;
    sigset_t term;
    struct timespec second = { 1, 0 };
    time_t end = time(NULL) + 60;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    if (gp_server_new(&server, &config, &why) ||
        gp_server_add(server, &method, &why) ||
        gp_server_listen(server, "127.0.0.1:0", &at, &why) ||
        gp_server_start(server, &why) ||
        gp_debug_new(&debug, "127.0.0.1:0", NULL, &web, &why) ||
        gp_debug_start(debug, &why)) {
        fprintf(stderr, "alone: %s\n", why.text);
        return 1;
    }
    printf("endpoint on %s\nlistening on %s\n", web, at);
    fflush(stdout);
    while (sigtimedwait(&term, NULL, &second) < 0 && time(NULL) < end)
        ;                               /* samples interrupt it */
    gp_debug_free(debug);
    gp_server_free(server);
    printf("calls %ld work_ns %ld\n", calls, work_ns);
    return 0;
}
