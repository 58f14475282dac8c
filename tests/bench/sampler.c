/* sampler.c -- what a sample costs: the same work in short windows, in
 * turn with and without sampling, in one process and one thread.
 *
 *   bench-sampler [PAIRS]           (300)
 *
 * A pair is a window of 20 ms of CPU time with and one without, the order
 * changing from pair to pair.  Extra CPU of a pair = what the work took more
 * for each turn of it, times the turns.  Printed: its mean without the tenth at
 * each end, where other programs disturbed it, by samples, with a 95 % interval
 * (winsorised variance), and the rate delivered.
 *   perf, thread, itimer   grpcprof's engines at 1000 Hz
 *   gperftools             libprofiler.so.0 at 1000 Hz, where it is installed
 *   perf record -g         the same event and rate, where perf is installed;
 *                          its reader's CPU time apart
 *   handler                our handler alone, called, at this depth of stack */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main
#include <dlfcn.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { HZ = 1000, DEPTH = 12, MOST = 4000, WINDOW_NS = 20000000 };

struct bench {
    const char *name;
    bool (*on)(struct bench *);         /* begin to sample; false: cannot */
    void (*off)(struct bench *);
    int64_t (*samples)(struct bench *); /* taken so far */
    const struct smp_engine *engine;
    struct smp_timer timer;
};

/* Some frames, and below them work that the compiler keeps. */
__attribute__((noinline)) static uint64_t bench_work(int depth)
{
    uint64_t sum = 0;
    if (depth > 0)
        sum = bench_work(depth - 1);
    else
        for (unsigned i = 0; i < 20000; i++)
            __asm__ volatile("imul %1, %0" : "+r"(sum) : "r"((uint64_t)i));
    __asm__ volatile("" : "+r"(sum));
    return sum;
}

/* ---- who samples ---- */

static int64_t bench_drained;

static void bench_slot(const struct ring_slot *s, void *user)
{
    (void)s, (void)user;
    bench_drained++;
}

static bool bench_own_on(struct bench *b)
{
    struct gp_why why;
    if (smp_start(b->engine, HZ, &why))
        return false;
    return !b->engine->arm ||
           !b->engine->arm(&b->timer, (uint32_t)syscall(SYS_gettid), HZ);
}

static void bench_own_off(struct bench *b)
{
    if (b->engine->disarm)
        b->engine->disarm(&b->timer);
    smp_stop(b->engine);
}

static int64_t bench_own_samples(struct bench *b)
{
    (void)b;
    if (smp_one.ring.shared)                  /* there is none before a start */
        smp_drain(bench_slot, NULL);
    return bench_drained;
}

struct google_state {                   /* gperftools/profiler.h */
    int enabled;
    time_t start;
    char name[1024];
    int samples;
};
static int (*google_start)(const char *);
static void (*google_stop)(void);
static void (*google_now)(struct google_state *);
static int64_t google_total;

static bool bench_google_on(struct bench *b)
{
    (void)b;
    if (!google_start) {
        void *h = dlopen("libprofiler.so.0", RTLD_NOW);
        if (!h)
            return false;
        *(void **)&google_start = dlsym(h, "ProfilerStart");
        *(void **)&google_stop = dlsym(h, "ProfilerStop");
        *(void **)&google_now = dlsym(h, "ProfilerGetCurrentState");
    }
    return google_start && google_stop && google_now &&
           google_start("/dev/null");
}

static void bench_google_off(struct bench *b)
{
    struct google_state s = {0};
    (void)b;
    google_now(&s);
    google_total += s.samples;
    google_stop();
}

static int64_t bench_google_samples(struct bench *b)
{
    (void)b;
    return google_total;
}

static int perf_control = -1, perf_answer = -1;
static pid_t perf_pid;
static int64_t perf_samples;
static char perf_file[] = "/tmp/bench_sampler.XXXXXX";

/* Say word to perf record and wait until it has done it. */
static bool bench_perf_say(const char *word)
{
    char ack[8];
    struct pollfd p = { perf_answer, POLLIN, 0 };
    return write(perf_control, word, strlen(word)) > 0 &&
           poll(&p, 1, 5000) == 1 && read(perf_answer, ack, sizeof ack) > 0;
}

static bool bench_perf_start(void)
{
    int to[2], from[2], fd = mkstemp(perf_file);
    char control[64], tid[16];
    if (fd < 0 || pipe(to) || pipe(from))
        return false;
    close(fd);
    snprintf(control, sizeof control, "--control=fd:%d,%d", to[0], from[1]);
    snprintf(tid, sizeof tid, "%d", (int)syscall(SYS_gettid));
    char *argv[] = { "perf", "record", "-q", "-g", "-e", "cpu-clock", "-F",
                     "1000", "-t", tid, "-D", "-1", control, "-o", perf_file,
                     NULL };
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&perf_pid, "perf", &quiet, NULL, argv, environ))
        return false;
    close(to[0]);
    close(from[1]);
    perf_control = to[1];
    perf_answer = from[0];
    return true;
}

static bool bench_perf_on(struct bench *b)
{
    (void)b;
    return (perf_pid || bench_perf_start()) && bench_perf_say("enable\n");
}

static void bench_perf_off(struct bench *b)
{
    (void)b;
    bench_perf_say("disable\n");
}

/* perf tells how many only at its end: bench_perf_end. */
static int64_t bench_perf_samples(struct bench *b)
{
    (void)b;
    return perf_samples;
}

/* End perf record: count its samples, say what its reader used. */
static double bench_perf_end(void)
{
    char command[128];
    struct rusage use = {0};
    int status;
    kill(perf_pid, SIGINT);
    wait4(perf_pid, &status, 0, &use);
    snprintf(command, sizeof command, "perf script -F tid -G -i %s 2>/dev/null"
             " | grep -c .", perf_file);
    FILE *f = popen(command, "r");
    long n = 0;
    if (f && fscanf(f, "%ld", &n) == 1)
        perf_samples = n;
    if (f)
        pclose(f);
    unlink(perf_file);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

/* ---- windows ---- */

/* CPU time of a turn of the work, over a window; *turns becomes how many. */
static double bench_window(int64_t *turns)
{
    int64_t from = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID), at = from;
    *turns = 0;
    while (at - from < WINDOW_NS) {
        for (int i = 0; i < 8; i++)
            bench_work(DEPTH);
        *turns += 8;
        at = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    return (double)(at - from) / (double)*turns;
}

/* Windows of b: the extra CPU of each pair, and the CPU time of all those with
 * sampling; false when b cannot be had. */
static bool bench_pairs(struct bench *b, int pairs, double *extra, double *cpu)
{
    for (int i = 0; i < pairs; i++) {
        double with = 0, without = 0;
        int64_t turns = 0, other;
        for (int k = 0; k < 2; k++) {
            if (k == (i & 1)) {
                if (!b->on(b))
                    return false;
                with = bench_window(&turns);
                b->off(b);
            } else {
                without = bench_window(&other);
            }
        }
        extra[i] = (with - without) * (double)turns;
        b->samples(b);                  /* empties our ring */
        *cpu += with * (double)turns;
    }
    return true;
}

static int bench_order(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The mean of n values without a tenth at each end, and its standard error
 * from the winsorised variance; sorts them. */
static double bench_mean(double *v, int n, double *error)
{
    int cut = n / 10;
    double sum = 0, mean, all = 0, squares = 0;
    qsort(v, (size_t)n, sizeof *v, bench_order);
    for (int i = cut; i < n - cut; i++)
        sum += v[i];
    mean = sum / (n - 2 * cut);
    for (int i = 0; i < n; i++) {
        double x = v[i < cut ? cut : i >= n - cut ? n - cut - 1 : i] - mean;
        all += x;
        squares += x * x;
    }
    double variance = (squares - all * all / n) / (n - 1);
    *error = sqrt(variance / n) * n / (n - 2 * cut);
    return mean;
}

/* Measure and print b. */
static void bench_run(struct bench *b, int pairs)
{
    static double extra[MOST];
    double cpu = 0, reader = NAN, error;
    int64_t before = b->samples(b);
    if (!bench_pairs(b, pairs, extra, &cpu)) {
        printf("%-15s not here\n", b->name);
        return;
    }
    if (b->on == bench_perf_on)
        reader = bench_perf_end();
    double samples = (double)(b->samples(b) - before);
    if (samples < pairs / 10.0) {
        printf("%-15s delivered only %.0f samples\n", b->name, samples);
        return;
    }
    double mean = bench_mean(extra, pairs, &error) * pairs / samples / 1e3;
    error *= pairs / samples / 1e3;
    printf("%-15s %6.1f us a sample, %.1f to %.1f; %.0f samples, %.0f a CPU "
           "second", b->name, mean, mean - 1.96 * error, mean + 1.96 * error,
           samples, samples / cpu * 1e9);
    if (!isnan(reader))
        printf("; its reader %.1f us more", reader * 1e6 / samples);
    puts("");
}

/* The same in a process of its own: libprofiler wants a SIGPROF that nobody
 * has had, and talks. */
static void bench_apart(struct bench *b, int pairs)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        bench_run(b, pairs);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status)
        printf("%-15s failed\n", b->name);
}

/* Our handler at the bottom of DEPTH frames, called as a signal calls it. */
__attribute__((noinline)) static double bench_handler(int depth, int n)
{
    if (depth > 0) {
        double ns = bench_handler(depth - 1, n);
        __asm__ volatile("" : "+m"(ns));
        return ns;
    }
    siginfo_t info = { .si_code = SI_TIMER };
    ucontext_t u;
    getcontext(&u);
    int64_t from = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < n; i++)
        smp_signal_sig(SIGPROF, &info, &u);
    return (double)(sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - from) / n;
}

int main(int argc, char **argv)
{
    struct bench all[] = {
        { "perf", bench_own_on, bench_own_off, bench_own_samples, &smp_perf,
          {0} },
        { "thread", bench_own_on, bench_own_off, bench_own_samples,
          &smp_thread, {0} },
        { "itimer", bench_own_on, bench_own_off, bench_own_samples,
          &smp_itimer, {0} },
        { "gperftools", bench_google_on, bench_google_off,
          bench_google_samples, NULL, {0} },
        { "perf record -g", bench_perf_on, bench_perf_off, bench_perf_samples,
          NULL, {0} },
    };
    int pairs = argc > 1 ? atoi(argv[1]) : 300;
    double best = INFINITY;
    if (pairs < 10 || pairs > MOST)
        return 2;
    setenv("CPUPROFILE_FREQUENCY", "1000", 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    printf("extra CPU of a sample at %d Hz, with a 95 %% interval, of %d pairs "
           "of 20 ms\n", HZ, pairs);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        bench_apart(&all[i], pairs);
    struct bench *own = &all[2];        /* the ring must take samples */
    if (bench_own_on(own)) {
        smp_itimer_set(0, NULL);
        for (int i = 0; i < 50; i++) {
            smp_drain(bench_slot, NULL);
            best = fmin(best, bench_handler(DEPTH, 100));
        }
        printf("%-15s %6.1f us, called, at %d frames\n", "our handler",
               best / 1e3, DEPTH + 5);
        bench_own_off(own);
    }
    return 0;
}
