/* execs.c -- programs that a profiled process starts, or is replaced by.
 *
 *   execs TIMER TIMES       TIMER: itimer thread perf wall
 *   execs check MASK        exit status 0 if signals are as MASK says, and none
 *                           comes
 *
 * A late signal of the sampler would end the new program, which has no handler
 * of it.  Each way to start one is gone in a child that profiles itself at a
 * high rate, TIMES times; the arguments are so long that exec takes several
 * periods.  A program that is started beside the profiled one, and an exec that
 * fails, must not end the profile.  Prints "ok name" or "FAIL name: why". */
#define _GNU_SOURCE
#include "grpcprof.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG_ARGS = 16, LONG_BYTES = 100000 };

/* Exit statuses of a child, by what went wrong. */
enum { NO_PROFILE = 80, NO_EXEC, NO_SAMPLES, OTHER_STATUS, WRONG_ERROR };

static struct gp_profiler_config config = { .size = sizeof config,
                                            .hz = 10000 };
static struct gp_profiler *profiler;
static char self[4096], mask_text[32], long_arg[LONG_BYTES];
static char *args[LONG_ARGS + 4];
static int failed;

static long cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void burn(long ms)
{
    for (long end = cpu_ms() + ms; cpu_ms() < end; )
        for (volatile int i = 0; i < 10000; i++)
            ;
}

static void *burn_on(void *arg)
{
    burn(3000);
    return arg;
}

/* ---- the program that is started ---- */

/* The signals of field name of /proc/self/status, without those of glibc, which
 * posix_spawn leaves ignored. */
static unsigned long status_field(const char *name)
{
    char line[256];
    unsigned long set = ~0ul;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            set = strtoul(line + strlen(name) + 1, NULL, 16);
    if (f)
        fclose(f);
    return set & ~(3ul << 31);
}

/* MASK is the blocked signals, a comma, and the ignored ones. */
static int check(const char *mask)
{
    char now[32];
    struct itimerval t;
    sigset_t none;
    snprintf(now, sizeof now, "%lx,%lx", status_field("SigBlk"),
             status_field("SigIgn"));
    if (strcmp(now, mask))
        return fprintf(stderr, "signals %s, not %s\n", now, mask), 1;
    if (status_field("SigPnd") || status_field("ShdPnd"))
        return fprintf(stderr, "a signal is pending\n"), 1;
    if (getitimer(ITIMER_PROF, &t) || t.it_value.tv_sec || t.it_value.tv_usec)
        return fprintf(stderr, "the process's timer is armed\n"), 1;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    burn(10);
    return 0;
}

/* ---- ways to start it, in a child that profiles itself ---- */

static void set_mask_text(void)
{
    snprintf(mask_text, sizeof mask_text, "%lx,%lx", status_field("SigBlk"),
             status_field("SigIgn"));
}

/* The profile must go on: samples of some CPU time arrive. */
static int samples_come(void)
{
    struct gp_profiler_state a, b;
    gp_profiler_progress(profiler, &a);
    for (int i = 0; i < 100; i++) {
        burn(20);
        gp_profiler_progress(profiler, &b);
        if (b.samples > a.samples)
            return 0;
    }
    return NO_SAMPLES;
}

/* What a started child's status means, and that the profile goes on. */
static int beside(int status)
{
    return status ? OTHER_STATUS : samples_come();
}

static int by_main(void)
{
    execv(self, args);
    return NO_EXEC;
}

static void *exec_in_thread(void *arg)
{
    burn(1);
    execve(self, args, environ);
    return arg;
}

static int by_thread(void)
{
    pthread_t t;
    for (int i = 0; i < 3; i++)
        pthread_create(&t, NULL, burn_on, NULL);
    pthread_create(&t, NULL, exec_in_thread, NULL);
    pthread_join(t, NULL);
    return NO_EXEC;
}

static int by_blocked(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    sigaddset(&set, SIGTRAP);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    set_mask_text();
    burn(20);
    execv(self, args);
    return NO_EXEC;
}

static void exec_in_handler(int signo)
{
    (void)signo;
    execve(self, args, environ);
}

static int by_handler(void)
{
    struct sigaction a = { .sa_handler = exec_in_handler,
                           .sa_flags = SA_NODEFER };
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    return NO_EXEC;
}

/* A name that PATH leads to, past directories that have none, one that may not
 * be searched and one that is no directory. */
static int by_search(void)
{
    char path[8192], *name = strrchr(self, '/');
    *name++ = 0;
    snprintf(path, sizeof path, "/nowhere::/dev/null:/proc/1/fdinfo:%s:/bin",
             self);
    setenv("PATH", path, 1);
    execvp("no-such-program", args);
    if (errno != ENOENT && errno != EACCES)
        return WRONG_ERROR;
    execvp("", args);
    if (errno != ENOENT)
        return WRONG_ERROR;
    execvp(name, args);
    return NO_EXEC;
}

static int by_list(void)
{
    execle(self, "execs", "check", mask_text, long_arg, long_arg, long_arg,
           long_arg, NULL, environ);
    return NO_EXEC;
}

static int by_descriptor(void)
{
    fexecve(open(self, O_RDONLY | O_CLOEXEC), args, environ);
    return NO_EXEC;
}

static int by_failing(void)
{
    for (int i = 0; i < 200; i++)
        if (execl("/nowhere/program", "program", NULL) != -1 ||
            errno != ENOENT)
            return WRONG_ERROR;
    if (execv("/dev", args) != -1 || errno != EACCES || fexecve(-1, args,
        environ) != -1 || errno != EINVAL)
        return WRONG_ERROR;
    int e = samples_come();
    if (!e)
        execv(self, args);
    return e ? e : NO_EXEC;
}

/* The new program is to find SIGPROF ignored, as this child did. */
static int by_ignored(void)
{
    execlp(self, "execs", "check", mask_text, long_arg, long_arg, NULL);
    return NO_EXEC;
}

static int by_fork(void)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        execv(self, args);
        _exit(NO_EXEC);
    }
    waitpid(pid, &status, 0);
    return beside(status);
}

static int by_vfork(void)
{
    int status;
    pid_t pid = vfork();
    if (!pid) {
        execv("/nowhere/program", args);
        execv(self, args);
        _exit(NO_EXEC);
    }
    waitpid(pid, &status, 0);
    return beside(status);
}

static int by_spawn(void)
{
    int status;
    pid_t pid;
    if (posix_spawn(&pid, self, NULL, NULL, args, environ))
        return NO_EXEC;
    waitpid(pid, &status, 0);
    return beside(status);
}

static int by_shell(void)
{
    char command[5000];
    snprintf(command, sizeof command, "'%s' check %s", self, mask_text);
    int status = system(command);
    FILE *f = popen(command, "re");
    return f ? beside(status | pclose(f)) : NO_EXEC;
}

static const struct way { const char *name; int (*run)(void); } ways[] = {
    { "main thread", by_main }, { "another thread", by_thread },
    { "signals blocked", by_blocked }, { "from a handler", by_handler },
    { "by PATH", by_search }, { "a list of arguments", by_list },
    { "by descriptor", by_descriptor }, { "after failures", by_failing },
    { "SIGPROF ignored", by_ignored }, { "child of fork", by_fork },
    { "child of vfork", by_vfork }, { "posix_spawn", by_spawn },
    { "system and popen", by_shell },
};

/* Go way w in a child.  Its status, or that of the program that replaced it. */
static int go(const struct way *w)
{
    struct gp_why why;
    int status;
    pid_t pid = fork();
    if (pid) {
        waitpid(pid, &status, 0);
        return status;
    }
    if (w->run == by_ignored)
        signal(SIGPROF, SIG_IGN);
    set_mask_text();
    if (gp_profiler_start(&profiler, &config, &why)) {
        fprintf(stderr, "%s\n", why.text);
        _exit(NO_PROFILE);
    }
    burn(5);
    _exit(w->run());
}

/* Go all ways, some of them often: with a signal per kernel tick, one exec in
 * five has one in it. */
static void go_all(const char *timer, int times)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int status = 0, n = i < 2 ? 4 * times : times;
        while (!status && n-- > 0)
            status = go(&ways[i]);
        if (config.timer == GP_TIMER_PERF && status == NO_PROFILE << 8) {
            printf("SKIP exec, perf: the engine is refused here\n");
            return;
        }
        if (status)
            printf("FAIL exec, %s, %s: status %x\n", timer, ways[i].name,
                   status);
        else
            printf("ok   exec, %s, %s\n", timer, ways[i].name);
        fflush(stdout);
        failed |= status;
    }
}

int main(int argc, char **argv)
{
    static const char *const timers[] = { "auto", "itimer", "thread", "perf" };
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (argc > 2 && !strcmp(argv[1], "check"))
        return check(argv[2]);
    if (argc != 3 || n < 0)
        return 2;
    memset(long_arg, 'x', sizeof long_arg - 1);
    for (int i = 0; i < LONG_ARGS + 3; i++)
        args[i] = i == 0 ? "execs" : i == 1 ? "check" : i == 2 ? mask_text
                : long_arg;
    for (int i = 0; i < 4; i++)
        if (!strcmp(argv[1], timers[i]))
            config.timer = (enum gp_timer)i;
    config.wall = !strcmp(argv[1], "wall");
    go_all(argv[1], atoi(argv[2]));
    return failed != 0;
}
