/* deep.c -- a program whose CPU time is all its own, below DEPTH frames: what
 * tests/bench/run.py starts with and without a profiler.
 *
 * It prints CLOCK_MONOTONIC in ns as of the start of main.  Each byte of its
 * input makes it do the same amount of work and print the CPU time, in ns, that
 * this took. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 20, TURNS = 2300, STEPS = 20000 };   /* 40 ms or so */

/* Return the time of clock id in ns. */
static int64_t deep_time(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Work below depth frames, in a way that the compiler keeps. */
__attribute__((noinline)) static uint64_t deep_work(int depth)
{
    uint64_t sum = 0;
    if (depth > 0)
        sum = deep_work(depth - 1);
    else
        for (unsigned i = 0; i < STEPS; i++)
            __asm__ volatile("imul %1, %0" : "+r"(sum) : "r"((uint64_t)i));
    __asm__ volatile("" : "+r"(sum));
    return sum;
}

int main(void)
{
    char c;
    printf("%lld\n", (long long)deep_time(CLOCK_MONOTONIC));
    fflush(stdout);
    while (read(0, &c, 1) == 1) {
        int64_t from = deep_time(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < TURNS; i++)
            deep_work(DEPTH);
        printf("%lld\n",
               (long long)(deep_time(CLOCK_THREAD_CPUTIME_ID) - from));
        fflush(stdout);
    }
    return 0;
}
