/* windows.c -- profiles started and stopped again and again in one process
 * whose threads are busy.
 *
 *   windows TIMER TIMES DIR     TIMER: auto itimer thread perf wall
 *
 * First TIMES profiles one after the other, so that the sampler itself starts
 * and stops each time; then TIMES by four threads at once inside one long
 * profile.  Some are written.  All must start, and a signal after the last stop
 * must find its handler; what is in the files is for others to judge.  Prints
 * "ok name" or "FAIL name: why". */
#define _GNU_SOURCE
#include "grpcprof.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct gp_profiler_config config = { .size = sizeof config, .hz = 2000 };
static const char *dir;
static int times;
static atomic_bool ending;
static atomic_int failed, with_samples;

static void say(const char *name, bool good, const char *why)
{
    printf(good ? "ok   %s\n" : "FAIL %s: %s\n", name, why);
}

static void doze(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&t, &t))
        ;
}

static void *burn(void *arg)
{
    for (volatile unsigned long i = 0; !ending; i++)
        ;
    return arg;
}

/* One profile of some ms; written when it is the right turn. */
static void window(int i, long ms)
{
    struct gp_profiler *p;
    struct gp_profiler_state state;
    struct gp_why why;
    char path[256];
    if (gp_profiler_start(&p, &config, &why)) {
        fprintf(stderr, "start: %s\n", why.text);
        failed++;
        return;
    }
    gp_profiler_note(p, "window", "one of many");
    doze(ms);
    gp_profiler_progress(p, &state);
    with_samples += state.samples > 0;
    snprintf(path, sizeof path, "%s/window%d.pb", dir, i);
    if (i % 16 == 0 && gp_profiler_write(p, path, NULL, &why)) {
        fprintf(stderr, "write: %s\n", why.text);
        failed++;
    }
    gp_profiler_stop(p);
}

static void *windows(void *arg)
{
    long me = (long)arg;
    for (int i = 0; i < times / 4; i++)
        window(1000 + (int)me + 4 * i, 1 + (i * 7 + me * 3) % 20);
    return NULL;
}

int main(int argc, char **argv)
{
    static const char *const timers[] = { "auto", "itimer", "thread", "perf",
                                          "wall" };
    struct gp_profiler *whole;
    struct gp_why why;
    pthread_t worker[2], user[4];
    char path[256], text[128];
    int timer = -1;
    for (int i = 0; i < 5 && argc == 4; i++)
        if (!strcmp(argv[1], timers[i]))
            timer = i;
    if (timer < 0)
        return 2;
    config.wall = timer == 4;
    config.timer = timer == 4 ? GP_TIMER_AUTO : (enum gp_timer)timer;
    times = atoi(argv[2]);
    dir = argv[3];
    for (int i = 0; i < 2; i++)
        pthread_create(&worker[i], NULL, burn, NULL);

    for (int i = 0; i < times; i++)
        window(i, 5);
    for (int i = 0; i < 100 && !with_samples; i++)      /* on a busy machine */
        window(1, 100);
    snprintf(text, sizeof text, "%d failed, %d had samples", failed,
             with_samples);
    say("one after the other", !failed && with_samples, text);

    failed = with_samples = 0;
    snprintf(path, sizeof path, "%s/whole.pb", dir);
    if (gp_profiler_start(&whole, &config, &why)) {
        say("the long one starts", false, why.text);
        return 1;
    }
    for (long i = 0; i < 4; i++)
        pthread_create(&user[i], NULL, windows, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(user[i], NULL);
    for (int i = 0; i < 100 && !with_samples; i++)
        window(1, 100);
    say("the long one is written",
        !gp_profiler_write(whole, path, NULL, &why), why.text);
    gp_profiler_stop(whole);
    snprintf(text, sizeof text, "%d failed, %d had samples", failed,
             with_samples);
    say("four at once in a long one", !failed && with_samples, text);

    for (int i = 0; i < 1000; i++)
        raise(SIGPROF);
    kill(getpid(), SIGPROF);
    doze(100);
    ending = true;
    for (int i = 0; i < 2; i++)
        pthread_join(worker[i], NULL);
    say("a late SIGPROF kills nobody", true, "");
    return 0;
}
