/* sleeper.c -- a thread that sleeps between bursts of known length, under
 * grpcprof's profiler or beneath `grpcprof run --no-children`.
 *
 *   sleeper TIMER HZ SECONDS BURST_US BURSTS SLEEP_US OUT.pb
 *
 * TIMER none: take no profile.  A burst is burn_f() for 3/5 of its length, some
 * system calls, and burn_g() for 2/5; the length is random, up to a third more
 * or less.  After BURSTS of them the thread waits for a byte from another
 * process, which sleeps SLEEP_US first.
 *
 * Long bursts are timed by the thread's CPU time.  Reading that takes 200 ns:
 * those of less than 100 us are timed by the monotonic clock, at 25 ns, and such
 * in which the thread lost its CPU, by their length, count as the mean of the
 * others.
 *
 * Prints "truth burn_f SHARE" and "truth burn_g SHARE" of the process's CPU
 * time, and "sleeps N" a second. */
#define _GNU_SOURCE
#include "grpcprof.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SYSCALLS = 4, TRIES = 101 };

struct kind {                           /* of a burst's half */
    void (*burn)(long steps);
    long steps;
    double usual_ns;                    /* its length, undisturbed */
    double sum_ns, counted, n;          /* of those that kept the CPU; all */
};

static bool cpu_clock;                  /* bursts are timed by CPU time */
static uint64_t dice = 88172645463325252;

static double now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Two loops that the compiler must not merge. */
__attribute__((noinline)) static void burn_f(long steps)
{
    while (steps-- > 0)
        __asm__ volatile("" : : "r"(steps));
    __asm__ volatile("");
}

__attribute__((noinline)) static void burn_g(long steps)
{
    while (steps-- > 0)
        __asm__ volatile("" : : "r"(~steps));
    __asm__ volatile("nop");
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median length of k, in ns. */
static double measure(const struct kind *k)
{
    double ns[TRIES];
    for (int i = 0; i < TRIES; i++) {
        double from = now_ns(CLOCK_MONOTONIC);
        k->burn(k->steps);
        ns[i] = now_ns(CLOCK_MONOTONIC) - from;
    }
    qsort(ns, TRIES, sizeof *ns, by_size);
    return ns[TRIES / 2];
}

/* Make k last want_ns. */
static void calibrate(struct kind *k, double want_ns)
{
    k->steps = 10000;
    for (int i = 0; i < 3; i++)
        k->steps = (long)((double)k->steps * want_ns / measure(k)) + 1;
    k->usual_ns = measure(k);
}

/* Run k once, of 2/3 to 4/3 of its length.  A sample in it takes up to 60 us. */
static void run(struct kind *k)
{
    clockid_t id = cpu_clock ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    long steps = k->steps * 2 / 3 +
                 (long)(dice % (uint64_t)(k->steps * 2 / 3 + 1));
    double from = now_ns(id);
    k->burn(steps);
    double ns = now_ns(id) - from;
    k->n++;
    if (cpu_clock || ns < 1.5 * k->usual_ns + 60000) {
        k->sum_ns += ns;
        k->counted++;
    }
}

/* Send a byte SLEEP_US after each one that comes, until there are no more. */
static void wake(int from, int to, long sleep_us)
{
    struct timespec t = { sleep_us / 1000000, sleep_us % 1000000 * 1000 };
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    while (read(from, &byte, 1) == 1 && !nanosleep(&t, NULL) &&
           write(to, &byte, 1) == 1)
        ;
    _exit(0);
}

int main(int argc, char **argv)
{
    static const char *const timers[] = { "auto", "itimer", "thread", "perf",
                                          "none" };
    struct gp_profiler_config config = { .size = sizeof config };
    struct gp_profiler *profiler = NULL;
    struct gp_why why;
    struct kind kind[2] = { { .burn = burn_f }, { .burn = burn_g } };
    int timer = 0, to[2], from[2];
    while (argc == 8 && timer < 5 && strcmp(argv[1], timers[timer]))
        timer++;
    if (argc != 8 || timer == 5 || pipe(to) || pipe(from))
        return 2;
    double seconds = atof(argv[3]), burst_ns = atof(argv[4]) * 1e3, turns = 0;
    long bursts = atol(argv[5]);
    cpu_clock = burst_ns >= 100e3;
    pid_t child = fork();
    if (!child) {
        close(to[1]);
        wake(to[0], from[1], atol(argv[6]));
    }
    calibrate(&kind[0], burst_ns * 0.6);
    calibrate(&kind[1], burst_ns * 0.4);
    config.timer = (enum gp_timer)(timer % 4);
    config.hz = (unsigned)atoi(argv[2]);
    if (timer < 4 && gp_profiler_start(&profiler, &config, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    double cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    double begin = now_ns(CLOCK_MONOTONIC), end = begin + seconds * 1e9;
    for (char byte = 0; now_ns(CLOCK_MONOTONIC) < end; turns++) {
        if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
            return 1;
        for (long i = 0; i < bursts; i++) {
            run(&kind[0]);
            for (int k = 0; k < SYSCALLS; k++)
                syscall(SYS_getppid);
            run(&kind[1]);
        }
    }
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    end = now_ns(CLOCK_MONOTONIC);
    if (profiler && gp_profiler_write(profiler, argv[7], NULL, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    if (profiler)
        gp_profiler_stop(profiler);
    close(to[1]);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++)
        printf("truth burn_%c %.6f\n", "fg"[i],
               kind[i].sum_ns / kind[i].counted * kind[i].n / cpu);
    printf("sleeps %.1f\n", turns / (end - begin) * 1e9);
    return 0;
}
