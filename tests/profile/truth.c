/* truth.c -- a program whose threads spend known shares of their CPU time in
 * known functions, by their own clock reads, under grpcprof's profiler.
 *
 *   truth TIMER HZ SECONDS THREADS MODE OUT.pb
 *
 * MODE, where a burst is burn_one(), burn_two() and burn_three() in turn:
 *   free   bursts of random length without a pause
 *   pause  such bursts, with pauses of random length between them
 *   tick   burn_one() begins before each tick of the kernel and goes on until
 *          after it, then burn_two(): what looks at ticks sees only the first
 *   away   a burst between two ticks: what looks at ticks never sees it
 *
 * Prints "engine NAME", "reason TEXT", and for each function "truth NAME
 * SHARE". */
#define _GNU_SOURCE
#include "grpcprof.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum mode { FREE, PAUSE, TICK, AWAY };

static double seconds;
static enum mode mode;
static double spent[64][3];             /* by thread and function, s */

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Spend s seconds of this thread's CPU time; returns what it really was. */
static inline __attribute__((always_inline)) double burn(double s)
{
    int64_t from = now_ns(CLOCK_THREAD_CPUTIME_ID), at = from;
    for (volatile int i = 0; (double)(at - from) < s * 1e9;
         at = now_ns(CLOCK_THREAD_CPUTIME_ID))
        for (i = 0; i < 200; i++)
            ;
    return (double)(at - from) * 1e-9;
}

/* Three of them, which the compiler must not merge. */
__attribute__((noinline)) static double burn_one(double s)
{
    return burn(s) + 0 * s;
}

__attribute__((noinline)) static double burn_two(double s)
{
    return burn(s) + 1e-300 * s;
}

__attribute__((noinline)) static double burn_three(double s)
{
    return burn(s) - 1e-300 * s;
}

/* A moment at which the kernel ticked: the coarse clock moves then. */
static int64_t see_a_tick(void)
{
    int64_t best = 0, least = INT64_MAX;
    for (int i = 0; i < 16; i++) {
        int64_t was = now_ns(CLOCK_MONOTONIC_COARSE), at, is;
        do {
            at = now_ns(CLOCK_MONOTONIC);
            is = now_ns(CLOCK_MONOTONIC_COARSE);
        } while (is == was);
        if (at - is < least) {          /* seen with the least delay */
            least = at - is;
            best = at;
        }
    }
    return best;
}

/* Sleep until at. */
static void sleep_until(int64_t at)
{
    struct timespec t = { at / 1000000000, at % 1000000000 };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

/* Time from tick to tick. */
static int64_t tick_ns(void)
{
    struct timespec r;
    clock_getres(CLOCK_MONOTONIC_COARSE, &r);
    return r.tv_nsec;
}

/* A burst of 3/8 of the time between ticks, from after_ns behind a tick on. */
static void burst_at(long me, int64_t tick, int64_t after_ns)
{
    int64_t first = tick + after_ns, now = now_ns(CLOCK_MONOTONIC);
    sleep_until(first + ((now - first) / tick_ns() + 1) * tick_ns());
    spent[me][0] += burn_one((double)tick_ns() * 1e-9 / 4);
    spent[me][1] += burn_two((double)tick_ns() * 1e-9 / 8);
}

/* One turn of thread me. */
static void turn(long me, unsigned *seed, int64_t tick)
{
    switch (mode) {
    case PAUSE:
        sleep_until(now_ns(CLOCK_MONOTONIC) + rand_r(seed) % 4000000);
        /* fall through */
    case FREE:
        spent[me][0] += burn_one(1e-6 * (rand_r(seed) % 600));
        spent[me][1] += burn_two(1e-6 * (rand_r(seed) % 1200));
        spent[me][2] += burn_three(1e-6 * (rand_r(seed) % 200));
        return;
    case TICK:
        burst_at(me, tick, -tick_ns() / 8);
        return;
    case AWAY:
        burst_at(me, tick, tick_ns() / 8);
        return;
    }
}

static void *work(void *arg)
{
    long me = (long)arg;
    unsigned seed = (unsigned)me * 77 + 1;
    int64_t tick = mode >= TICK ? see_a_tick() : 0;
    int64_t end = now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    prctl(PR_SET_TIMERSLACK, 1);
    while (now_ns(CLOCK_MONOTONIC) < end)
        turn(me, &seed, tick);
    return NULL;
}

/* The place of word among n names, or -1. */
static int find(const char *word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, names[i]))
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    static const char *const timers[] = { "auto", "itimer", "thread", "perf" };
    static const char *const modes[] = { "free", "pause", "tick", "away" };
    static const char *const names[] = { "burn_one", "burn_two",
                                         "burn_three" };
    struct gp_profiler_config config = { .size = sizeof config };
    struct gp_profiler_state state;
    struct gp_profiler *profiler;
    struct gp_why why;
    pthread_t thread[64];
    double sum[3] = {0}, all = 0;
    int timer = argc == 7 ? find(argv[1], timers, 4) : -1;
    int m = argc == 7 ? find(argv[5], modes, 4) : -1;
    int n = argc == 7 ? atoi(argv[4]) : 0;
    if (timer < 0 || m < 0 || n < 1 || n > 64)
        return 2;
    config.timer = (enum gp_timer)timer;
    config.hz = (unsigned)atoi(argv[2]);
    seconds = atof(argv[3]);
    mode = (enum mode)m;
    if (gp_profiler_start(&profiler, &config, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    gp_profiler_progress(profiler, &state);
    printf("engine %s\nreason %s\n", state.engine, state.reason);
    for (long i = 0; i < n; i++)
        pthread_create(&thread[i], NULL, work, (void *)i);
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    if (gp_profiler_write(profiler, argv[6], NULL, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    gp_profiler_stop(profiler);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            sum[k] += spent[i][k];
            all += spent[i][k];
        }
    for (int k = 0; k < 3; k++)
        printf("truth %s %.6f\n", names[k], sum[k] / all);
    return 0;
}
