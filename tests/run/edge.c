/* edge [-s S] [-u FILE] MODE [ARG...] -- programs that a profiler can break.
 * Each prints, on stdout, a result that does not depend on whether it is
 * profiled.  -s is how many seconds of CPU time a mode burns (0.5).  -u appends
 * to FILE, before the program ends, "used NS": the CPU time of this process and
 * of the children that it waited for.
 *
 *   burn S               S seconds of CPU time
 *   ready                prints "ready" and burns, for a minute at most
 *   exit N, _exit N, rawexit N   burn and end with N: by return, or otherwise
 *   signal N             burns and sends itself the signal N
 *   abort, segv          burn and crash
 *   show WORD...         prints what a program sees of itself
 *   block, rawblock      burn with all signals blocked: by libc, by the kernel
 *   resetall, rawreset   burn after setting all signals to default
 *   sigwait              a thread waits for all signals, and gets its own only
 *   sigprof              a handler and timer for SIGPROF
 *   sigtrap              a handler for SIGTRAP, raised and by a trap
 *   eintr N              N rounds of twelve calls; how many failed with EINTR?
 *   closefd              closes all descriptors; which is the next one?
 *   daemon, dfork        burns in a daemon, in a child of a child
 *   fork, fork_exit      four children that burn and exit(), _exit()
 *   execchain N          executes itself N times
 *   clearenv S           executes "burn S" in an empty environment
 *   reaped N             N children that end at once, then one that burns
 *   zombies N            the same, waited for 100 ms later
 *   group                sends a signal to its process group, and counts it
 *   forkstorm N, spawnstorm N, forkexec N, vfork N   N children
 *   shell N              N times system() and popen()
 *   dlstorm N            N times six libraries, in two threads beside malloc
 *   threads N            N threads of half a millisecond
 *   coro                 coroutines on stacks of 8 KiB
 *   jit S                S seconds below code without unwind tables
 *   sandbox              burns where the agent's system calls end a process
 *   longjmp              leaves a handler of SIGTRAP by longjmp()
 *   sysv                 sets all signals to default by X/Open's signal()
 *   seccomp CMD...       executes CMD where perf_event_open is not permitted
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

extern char **environ;

static char *self, *used_file;          /* argv[0], -u */
static double burn_s = 0.5;             /* -s */

/* ---- what they share ---- */

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static unsigned long edge_loop(unsigned long n)
{
    unsigned long sum = 0;
    for (unsigned long i = 0; i < n; i++) {
        sum += i * i;
        __asm__ volatile("" : "+r"(sum));
    }
    return sum;
}

__attribute__((noinline)) static unsigned long edge_burn(double seconds)
{
    double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
    unsigned long sum = 0;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end)
        sum += edge_loop(200000);
    return sum;
}

static long long ns_of(const struct rusage *u)
{
    return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000LL +
           (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000LL;
}

/* Append a line to the file of -u. */
static void note(const char *key, long long n)
{
    char line[80];
    int fd = used_file ? open(used_file, O_WRONLY | O_APPEND | O_CREAT, 0666)
                       : -1;
    if (fd < 0)
        return;
    int len = snprintf(line, sizeof line, "%s %lld\n", key, n);
    if (write(fd, line, (size_t)len) != len)
        perror(used_file);
    close(fd);
}

static void note_used(void)
{
    struct rusage own, waited;
    fflush(stdout);
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &waited);
    note("used", ns_of(&own) + ns_of(&waited));
}

static void *thread_burn(void *seconds)
{
    edge_burn(*(double *)seconds);
    return NULL;
}

static void start(pthread_t *t, void *(*f)(void *), void *arg)
{
    if (pthread_create(t, NULL, f, arg)) {
        puts("no thread");
        exit(1);
    }
}

static volatile sig_atomic_t storm_over;

static void *thread_malloc(void *arg)
{
    while (!storm_over) {
        void *v[64];
        for (size_t i = 0; i < 64; i++)
            v[i] = malloc(i * 977 % 5000 + 1);
        for (size_t i = 0; i < 64; i++)
            free(v[i]);
    }
    return arg;
}

/* ---- ends ---- */

static int mode_burn(char **arg)
{
    edge_burn(*arg ? atof(*arg) : burn_s);
    return 0;
}

static int mode_ready(char **arg)
{
    (void)arg;
    edge_burn(burn_s);
    note_used();
    puts("ready");
    fflush(stdout);
    edge_burn(60);
    return 0;
}

static int mode_exit(char **arg)
{
    edge_burn(burn_s);
    return atoi(*arg);
}

static int mode__exit(char **arg)
{
    edge_burn(burn_s);
    note_used();
    _exit(atoi(*arg));
}

static int mode_rawexit(char **arg)
{
    edge_burn(burn_s);
    note_used();
    return (int)syscall(SYS_exit_group, atoi(*arg));
}

static int mode_signal(char **arg)
{
    edge_burn(burn_s);
    note_used();
    raise(atoi(*arg));
    return 99;
}

static int mode_abort(char **arg)
{
    (void)arg;
    edge_burn(burn_s);
    note_used();
    abort();
}

static int mode_segv(char **arg)
{
    volatile uintptr_t nowhere = 8;
    (void)arg;
    edge_burn(burn_s);
    note_used();
    *(volatile int *)nowhere = 1;
    return 99;
}

/* ---- what a program sees of itself ---- */

static void show_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char to[500] = "";
        int fd = atoi(e->d_name);
        if (*e->d_name == '.' || fd == dirfd(d))
            continue;
        ssize_t n = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        to[n > 0 ? n : 0] = '\0';
        if (strchr(to, ':'))            /* socket:[123], pipe:[123] */
            *strchr(to, ':') = '\0';
        printf("fd %d flags %d %s\n", fd, fcntl(fd, F_GETFD), to);
    }
    if (d)
        closedir(d);
}

static void show_status(void)
{
    static const char *const keys[] = { "Umask:", "TracerPid:", "SigPnd:",
        "ShdPnd:", "SigBlk:", "SigIgn:", "Threads:", "NoNewPrivs:",
        "Seccomp:" };
    char line[1000];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (!strncmp(line, keys[i], strlen(keys[i])))
                fputs(line, stdout);
    if (f)
        fclose(f);
}

static void show_limits(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit r;
        if (!getrlimit((__rlimit_resource_t)i, &r))
            printf("limit %d %llx %llx\n", i, (unsigned long long)r.rlim_cur,
                   (unsigned long long)r.rlim_max);
    }
}

static int mode_show(char **arg)
{
    char cwd[4096];
    sigset_t mask;
    for (; *arg; arg++)
        printf("arg %s\n", *arg);
    printf("name %s\n", self);
    for (char **e = environ; *e; e++)
        printf("env %s\n", *e);
    printf("cwd %s\n", getcwd(cwd, sizeof cwd) ? cwd : "none");
    printf("leads its group %d, its session %d, nice %d\n",
           getpgrp() == getpid(), getsid(0) == getpid(),
           getpriority(PRIO_PROCESS, 0));
    show_limits();
    show_status();
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) {
        struct sigaction s;
        if (sigaction(i, NULL, &s))
            continue;
        printf("signal %d %s flags %x blocked %d\n", i,
               s.sa_handler == SIG_DFL ? "default"
               : s.sa_handler == SIG_IGN ? "ignored" : "caught",
               (unsigned)s.sa_flags, sigismember(&mask, i));
    }
    show_descriptors();
    return 0;
}

/* ---- signals ---- */

static int mode_block(char **arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    mode_burn(arg);
    pthread_sigmask(SIG_BLOCK, NULL, &old);
    printf("blocked: SIGTRAP %d SIGPROF %d SIGUSR1 %d\n",
           sigismember(&old, SIGTRAP), sigismember(&old, SIGPROF),
           sigismember(&old, SIGUSR1));
    return 0;
}

static int mode_rawblock(char **arg)
{
    uint64_t all = ~UINT64_C(0), old = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
    mode_burn(arg);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8);
    printf("blocked: %llx\n", (unsigned long long)old);
    all = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
    edge_burn(0.1);
    return 0;
}

static int mode_resetall(char **arg)
{
    int refused = 0;
    for (int i = 1; i < NSIG; i++)
        refused += signal(i, SIG_DFL) == SIG_ERR;
    mode_burn(arg);
    printf("refused %d\n", refused);
    return 0;
}

static int mode_rawreset(char **arg)
{
    uint64_t zero[4] = { 0 };           /* the kernel's struct sigaction */
    for (int i = 1; i < NSIG; i++)
        syscall(SYS_rt_sigaction, i, zero, NULL, 8);
    return mode_burn(arg);
}

static sem_t got_one;

static void *thread_sigwait(void *arg)
{
    long *got = arg;                    /* SIGUSR2, others */
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        int s;
        if (sigwait(&all, &s))
            return "failed";
        if (s == SIGUSR1)
            return "ends";
        got[s != SIGUSR2]++;
        sem_post(&got_one);
    }
}

static int mode_sigwait(char **arg)
{
    static long got[2];
    sigset_t all;
    pthread_t waits, burns;
    void *how;
    (void)arg;
    sem_init(&got_one, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    start(&waits, thread_sigwait, got);
    start(&burns, thread_burn, &burn_s);
    for (int i = 0; i < 200; i++) {
        pthread_kill(waits, SIGUSR2);
        sem_wait(&got_one);
        edge_loop(100000);
    }
    pthread_join(burns, NULL);
    pthread_kill(waits, SIGUSR1);
    pthread_join(waits, &how);
    printf("SIGUSR2 %ld others %ld %s\n", got[0], got[1], (char *)how);
    return 0;
}

static volatile sig_atomic_t ticks, other_ticks;

static void on_tick(int s, siginfo_t *info, void *context)
{
    (void)s;
    (void)context;
    if (info->si_code == SI_KERNEL)
        ticks++;
    else
        other_ticks++;
}

static int mode_sigprof(char **arg)
{
    struct sigaction is, s = { .sa_sigaction = on_tick };
    struct itimerval t = { { 0, 10000 }, { 0, 10000 } }, off = { 0 };
    (void)arg;
    s.sa_flags = SA_RESTART | SA_SIGINFO;
    sigaction(SIGPROF, &s, &is);
    printf("before: %s\n", is.sa_handler == SIG_DFL ? "default" : "another");
    setitimer(ITIMER_PROF, &t, NULL);
    edge_burn(burn_s);
    for (int i = 0; i < 100 && !ticks; i++)
        edge_burn(0.01);
    getitimer(ITIMER_PROF, &t);
    setitimer(ITIMER_PROF, &off, NULL);
    sigaction(SIGPROF, NULL, &is);
    /* How many they are depends on when the kernel's ticks come. */
    note("ticks", ticks);
    printf("interval %ld us, ticks: %s, others %d, handler: %s\n",
           t.it_interval.tv_usec, ticks ? "some" : "none", (int)other_ticks,
           is.sa_sigaction == on_tick ? "as set" : "another");
    return 0;
}

static volatile sig_atomic_t raised, trapped, strange;

static void on_trap(int s, siginfo_t *info, void *context)
{
    (void)s;
    (void)context;
    if (info->si_code == SI_TKILL)
        raised++;
    else if (info->si_code == SI_KERNEL || info->si_code == TRAP_BRKPT)
        trapped++;
    else
        strange++;
#ifdef __aarch64__
    if (info->si_code == TRAP_BRKPT)
        ((ucontext_t *)context)->uc_mcontext.pc += 4;
#endif
}

static void trap(void)
{
#ifdef __aarch64__
    __asm__ volatile("brk #0");
#else
    __asm__ volatile("int3");
#endif
}

static int mode_sigtrap(char **arg)
{
    struct sigaction is, s = { .sa_sigaction = on_trap };
    sigset_t set, pending;
    (void)arg;
    s.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &s, &is);
    printf("before: %s\n", is.sa_handler == SIG_DFL ? "default" : "another");
    for (int i = 0; i < 1000; i++) {
        raise(SIGTRAP);
        trap();
        edge_loop(200000);
    }
    sigaction(SIGTRAP, NULL, &is);
    printf("raised %d trapped %d others %d handler %s\n", (int)raised,
           (int)trapped, (int)strange,
           is.sa_sigaction == on_trap ? "as set" : "another");
    /* A blocked one stays pending, and comes when it is permitted again. */
    sigemptyset(&set);
    sigaddset(&set, SIGTRAP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTRAP);
    edge_burn(0.1);
    sigpending(&pending);
    printf("blocked: raised %d pending %d\n", (int)raised,
           sigismember(&pending, SIGTRAP));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("permitted: raised %d\n", (int)raised);
    signal(SIGTRAP, SIG_IGN);
    raise(SIGTRAP);
    edge_burn(0.1);
    printf("ignored: raised %d others %d\n", (int)raised, (int)strange);
    return 0;
}

/* ---- interrupted calls ---- */

static int eintr_rounds;
static long eintr_total;

#define TRY(name, call)                                                        \
    do {                                                                       \
        long failed = 0;                                                       \
        for (int k = 0; k < eintr_rounds; k++) {                               \
            edge_loop(1000 + (unsigned long)k * 7919 % 30000);                 \
            errno = 0;                                                         \
            failed += (call) == -1 && errno == EINTR;                          \
        }                                                                      \
        printf("%s: EINTR %ld\n", name, failed);                               \
        eintr_total += failed;                                                 \
    } while (0)

static int short_select(int fd)
{
    struct timeval t = { 0, 100 };
    fd_set f;
    FD_ZERO(&f);
    FD_SET(fd, &f);
    return select(fd + 1, &f, NULL, NULL, &t);
}

static int short_sem_wait(sem_t *sem)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 100000;
    if (t.tv_nsec > 999999999) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return sem_timedwait(sem, &t);
}

static void eintr_sockets(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    struct timeval ms = { 0, 1000 };
    int pair[2], l = socket(AF_INET, SOCK_STREAM, 0);
    char c;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        bind(l, (struct sockaddr *)&any, sizeof any) || listen(l, 10)) {
        perror("socket");
        exit(1);
    }
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof ms);
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof ms);
    /* With a time limit, the kernel does not restart either by itself. */
    TRY("recv", recv(pair[0], &c, 1, 0));
    TRY("accept", accept(l, NULL, NULL));
}

static void eintr_pipe(int *fd)
{
    static char block[65536];
    pid_t reads = fork();
    if (!reads) {
        close(fd[1]);
        while (read(fd[0], block, sizeof block) > 0)
            ;
        _exit(0);
    }
    TRY("write", write(fd[1], block, sizeof block));
    close(fd[1]);
    waitpid(reads, NULL, 0);
}

static int mode_eintr(char **arg)
{
    struct timespec t = { 0, 100000 };
    struct epoll_event want = { .events = EPOLLIN }, event;
    int ep = epoll_create1(0), fd[2];
    sigset_t none, usr1;
    sem_t sem;
    if (pipe(fd))
        return 1;
    struct pollfd pf = { fd[0], POLLIN, 0 };
    eintr_rounds = atoi(*arg);
    sem_init(&sem, 0, 0);
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &want);
    TRY("epoll_wait", epoll_wait(ep, &event, 1, 1));
    TRY("epoll_pwait2", syscall(SYS_epoll_pwait2, ep, &event, 1, &t, NULL, 0));
    TRY("nanosleep", nanosleep(&t, NULL));
    TRY("usleep", usleep(100));
    TRY("poll", poll(&pf, 1, 1));
    TRY("ppoll", ppoll(&pf, 1, &t, &none));
    TRY("select", short_select(fd[0]));
    TRY("sem_timedwait", short_sem_wait(&sem));
    TRY("sigtimedwait", sigtimedwait(&usr1, NULL, &t));
    eintr_sockets();
    eintr_pipe(fd);
    printf("EINTR in all %ld\n", eintr_total);
    return 0;
}

/* ---- descriptors, processes ---- */

static int mode_closefd(char **arg)
{
    (void)arg;
    for (int i = 3; i < 1024; i++)
        close(i);
    printf("next descriptor %d\n", open("/dev/null", O_RDONLY));
    edge_burn(burn_s);
    return 0;
}

static int mode_daemon(char **arg)
{
    (void)arg;
    if (daemon(1, 1))
        return 1;
    edge_burn(burn_s);
    return 0;
}

static int mode_dfork(char **arg)
{
    (void)arg;
    pid_t child = fork();
    if (!child) {
        pid_t grandchild = fork();
        if (grandchild)
            _exit(3);
        edge_burn(burn_s);
        return 0;
    }
    int s;
    waitpid(child, &s, 0);
    printf("child %d\n", WEXITSTATUS(s));
    return 0;
}

/* Wait for p; is this its exit status? */
static int ended_with(pid_t p, int status)
{
    int s = 0;
    if (waitpid(p, &s, 0) == p && WIFEXITED(s) && WEXITSTATUS(s) == status)
        return 1;
    printf("a child's status is %x\n", (unsigned)s);
    return 0;
}

static int burning_children(int by__exit)
{
    pid_t child[4];
    int n = 0;
    for (int i = 0; i < 4; i++) {
        child[i] = fork();
        if (child[i])
            continue;
        edge_burn(burn_s / 2);
        if (by__exit)
            _exit(5);
        exit(5);
    }
    for (int i = 0; i < 4; i++)
        n += ended_with(child[i], 5);
    printf("children %d\n", n);
    return 0;
}

static int mode_fork(char **arg)
{
    (void)arg;
    edge_burn(burn_s / 2);
    return burning_children(0);
}

static int mode_fork_exit(char **arg)
{
    (void)arg;
    return burning_children(1);
}

/* Execute MODE ARG of this program, in the environment. */
static int again(char *mode, char *arg, char **env)
{
    char *v[] = { self, "-u", used_file, mode, arg, NULL };
    char *w[] = { self, mode, arg, NULL };
    fflush(stdout);
    execve("/proc/self/exe", used_file ? v : w, env);
    perror("exec");
    return 1;
}

static int mode_execchain(char **arg)
{
    char left[16];
    int n = atoi(*arg);
    edge_burn(0.003);
    if (n <= 0)
        return 4;
    snprintf(left, sizeof left, "%d", n - 1);
    return again("execchain", left, environ);
}

static int mode_clearenv(char **arg)
{
    char *none[] = { NULL };
    edge_burn(burn_s);
    return again("burn", *arg, none);
}

static int mode_forkstorm(char **arg)
{
    pthread_t t[2];
    int n = 0;
    for (int i = 0; i < 2; i++)
        start(&t[i], thread_malloc, NULL);
    for (int i = 0; i < atoi(*arg); i++) {
        pid_t p = fork();
        if (!p) {
            void *volatile v = malloc(100);
            free(v);
            _exit(3);
        }
        n += ended_with(p, 3);
    }
    storm_over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    printf("forks %d\n", n);
    return 0;
}

static char *const run_true[] = { "/bin/true", NULL };

static int mode_spawnstorm(char **arg)
{
    pthread_t t;
    int n = 0;
    start(&t, thread_malloc, NULL);
    for (int i = 0; i < atoi(*arg); i++) {
        pid_t p;
        if (!posix_spawn(&p, *run_true, NULL, NULL, run_true, environ))
            n += ended_with(p, 0);
    }
    storm_over = 1;
    pthread_join(t, NULL);
    printf("spawns %d\n", n);
    return 0;
}

static int mode_forkexec(char **arg)
{
    int n = 0;
    for (int i = 0; i < atoi(*arg); i++) {
        pid_t p = fork();
        if (!p) {
            edge_loop(200000);
            execv(*run_true, run_true);
            _exit(99);
        }
        n += ended_with(p, 0);
    }
    printf("forks that executed %d\n", n);
    return 0;
}

static int mode_vfork(char **arg)
{
    int volatile n = 0;
    for (int volatile i = 0; i < atoi(*arg); i++) {
        edge_loop(200000);
        pid_t p = vfork();
        if (!p) {
            execv(*run_true, run_true);
            _exit(99);
        }
        n += ended_with(p, 0);
    }
    printf("vforks %d\n", n);
    return 0;
}

static int mode_shell(char **arg)
{
    int statuses = 0, lines = 0;
    for (int i = 0; i < atoi(*arg); i++) {
        char line[100];
        statuses += system("exit 6") == 6 << 8;
        FILE *f = popen("echo a line", "r");
        if (!f)
            continue;
        lines += fgets(line, sizeof line, f) && !strcmp(line, "a line\n");
        statuses += pclose(f) == 0;
    }
    printf("statuses %d lines %d\n", statuses, lines);
    return 0;
}

/* ---- libraries, threads, stacks ---- */

static int dl_rounds;

static void *thread_dlopen(void *arg)
{
    static const char *const libs[] = { "libm.so.6", "libz.so.1",
        "libresolv.so.2", "libnss_files.so.2", "libssl.so.3", "libexpat.so.1" };
    long *opened = arg;
    for (int i = 0; i < dl_rounds * 6; i++) {
        void *h = dlopen(libs[i % 6], RTLD_NOW);
        if (h) {
            ++*opened;
            dlclose(h);
        }
    }
    return NULL;
}

static int mode_dlstorm(char **arg)
{
    pthread_t t[4];
    long opened[2] = { 0 };
    dl_rounds = atoi(*arg);
    for (int i = 0; i < 2; i++) {
        start(&t[i], thread_dlopen, &opened[i]);
        start(&t[i + 2], thread_malloc, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        storm_over = i >= 1;
    }
    printf("dlopen %ld\n", opened[0] + opened[1]);
    return 0;
}

static int mode_threads(char **arg)
{
    double s = 0.0005;
    int n = 0;
    for (int i = 0; i < atoi(*arg); i++) {
        pthread_t t;
        start(&t, thread_burn, &s);
        n += !pthread_join(t, NULL);
    }
    printf("threads %d\n", n);
    return 0;
}

enum { CORO_BYTES = 8192, PAGE = 4096 };
static ucontext_t coro_main, coro_own[2];

static void coro(int which)
{
    for (;;) {
        edge_loop(200000);
        swapcontext(&coro_own[which], &coro_main);
    }
}

/* Below each stack lies a page that cannot be written. */
static unsigned char *coro_start(int which)
{
    unsigned char *p = mmap(NULL, CORO_BYTES + PAGE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE))
        exit(1);
    memset(p + PAGE, 0xa5, CORO_BYTES);
    getcontext(&coro_own[which]);
    coro_own[which].uc_stack.ss_sp = p + PAGE;
    coro_own[which].uc_stack.ss_size = CORO_BYTES;
    makecontext(&coro_own[which], (void (*)(void))coro, 1, which);
    return p + PAGE;
}

static int mode_coro(char **arg)
{
    unsigned char *stack[2];
    int most = 0;
    double end = now(CLOCK_THREAD_CPUTIME_ID) + burn_s;
    (void)arg;
    for (int i = 0; i < 2; i++)
        stack[i] = coro_start(i);
    while (now(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 2; i++)
            swapcontext(&coro_main, &coro_own[i]);
    for (int i = 0; i < 2; i++) {
        int free_bytes = 0;
        while (free_bytes < CORO_BYTES && stack[i][free_bytes] == 0xa5)
            free_bytes++;
        if (CORO_BYTES - free_bytes > most)
            most = CORO_BYTES - free_bytes;
    }
    note("stack", most);
    puts("both ran");
    return 0;
}

/* ---- code without a file ---- */

/* A function that calls its second argument.  On x86-64 it has no frame
 * pointer: so are CPython's trampolines for perf. */
static const unsigned char jit_code[] = {
#if defined __x86_64__
    0x48, 0x83, 0xec, 0x08,             /* sub $8, %rsp */
    0xff, 0xd6,                         /* call *%rsi */
    0x48, 0x83, 0xc4, 0x08, 0xc3,       /* add $8, %rsp; ret */
#else
    0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91,     /* stp; mov x29, sp */
    0x20, 0x00, 0x3f, 0xd6,                             /* blr x1 */
    0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6,     /* ldp; ret */
#endif
};

static double jit_seconds;

static void jit_burn(void)
{
    edge_burn(jit_seconds);
}

/* Calls code(code, burn), with a frame pointer that leads nowhere. */
#if defined __x86_64__
void jit_call(void *code, void (*burn)(void));
__asm__(".text\njit_call:\n.cfi_startproc\npush %rbp\n"
        ".cfi_def_cfa_offset 16\n.cfi_offset 6, -16\nmov $9, %ebp\n"
        "call *%rdi\npop %rbp\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc");
#else
static void jit_call(void *code, void (*burn)(void))
{
    ((void (*)(void *, void (*)(void)))code)(code, burn);
}
#endif

static int mode_jit(char **arg)
{
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 1;
    memcpy(p, jit_code, sizeof jit_code);
    __builtin___clear_cache((char *)p, (char *)p + sizeof jit_code);
    if (mprotect(p, PAGE, PROT_READ | PROT_EXEC))
        return 1;
    jit_seconds = *arg ? atof(*arg) : burn_s;
    jit_call(p, jit_burn);
    return 0;
}

/* ---- ends that are not seen ---- */

/* Children that are zombies when run looks at them, and then a busy one. */
static int mode_zombies(char **arg)
{
    for (int i = 0; i < atoi(*arg); i += 100) {
        for (int k = 0; k < 100; k++)
            if (!fork())
                _exit(0);
        usleep(100000);
        while (wait(NULL) > 0)
            ;
    }
    usleep(500000);
    pid_t pid = fork();
    if (!pid)
        mode_burn(arg + 1);
    if (!pid)
        _exit(0);
    puts(waitpid(pid, NULL, 0) == pid ? "all ended" : "none to wait for");
    return 0;
}

static int mode_reaped(char **arg)
{
    for (int i = 0; i <= atoi(*arg); i++) {
        int status;
        if (i == atoi(*arg))
            sleep(2);                   /* until run knows that they ended */
        pid_t pid = fork();
        if (!pid && i == atoi(*arg))
            mode_burn(arg + 1);
        if (!pid)
            _exit(0);
        if (waitpid(pid, &status, 0) != pid || status)
            puts("a child failed");
    }
    puts("all ended");
    return 0;
}

static volatile sig_atomic_t group_got;

static void on_group(int signo)
{
    (void)signo;
    group_got++;
}

static int mode_group(char **arg)
{
    struct timespec wait = { 0, 300000000 };
    (void)arg;
    signal(SIGUSR1, on_group);
    kill(0, SIGUSR1);
    while (nanosleep(&wait, &wait))
        ;
    printf("got %d\n", (int)group_got);
    return 0;
}

/* ---- without perf ---- */

static void *burn_silently(void *arg)
{
    for (volatile long i = 0; i < 200000000; i++)
        ;
    return arg;
}

static int mode_sandbox(char **arg)
{
    static const int calls[] = { SYS_timer_create, SYS_timer_settime,
        SYS_timer_delete, SYS_gettid, SYS_clock_gettime, SYS_faccessat2 };
    enum { N = sizeof calls / sizeof *calls };
    struct sock_filter rules[N + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog filter = { N + 3, rules };
    pthread_t thread;
    int status = -1;
    for (unsigned i = 0; i < N; i++)
        rules[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
            (unsigned)calls[i], (unsigned char)(N - i), 0);
    rules[N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                SECCOMP_RET_ALLOW);
    rules[N + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                SECCOMP_RET_KILL_PROCESS);
    (void)arg;
    burn_silently(NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        perror("seccomp");
        return 77;
    }
    pthread_create(&thread, NULL, burn_silently, NULL);
    burn_silently(NULL);
    pthread_join(thread, NULL);
    pid_t pid = fork();
    if (!pid) {
        burn_silently(NULL);
        execl("/bin/sh", "sh", "-c", "exit 7", NULL);
    }
    waitpid(pid, &status, 0);
    printf("status %d\n", status);
    return 0;
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
extern void (*__sysv_signal(int, void (*)(int)))(int);

static int mode_sysv(char **arg)
{
    int failed = __sysv_signal(SIGTRAP, SIG_ERR) == SIG_ERR;
    for (int i = 1; i < NSIG; i++)
        if (i != SIGKILL && i != SIGSTOP && i != 32 && i != 33) {
            __sysv_signal(i, SIG_DFL);
            siginterrupt(i, 1);
        }
    mode_burn(arg);
    printf("failed %d\n", failed);
    return 0;
}

static jmp_buf jump;

static void on_jump(int signo)
{
    longjmp(jump, signo);
}

static int mode_longjmp(char **arg)
{
    sigset_t mask;
    int n = 0;
    (void)arg;
    signal(SIGTRAP, on_jump);
    if (!setjmp(jump))
        raise(SIGTRAP);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < NSIG; i++)
        n += sigismember(&mask, i) == 1;
    printf("%d blocked\n", n);
    return 0;
}

static int mode_seccomp(char **arg)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof rules / sizeof *rules, rules };
    struct perf_event_attr a = { .size = sizeof a };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        perror("seccomp");
        return 77;
    }
    if (syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) != -1 || errno != EPERM)
        return 78;
    execvp(*arg, arg);
    perror(*arg);
    return 79;
}

#define MODE(name, args) { #name, args, mode_##name }
static const struct mode {
    const char *name;
    int         args;                   /* that it needs */
    int       (*run)(char **arg);
} modes[] = {
    MODE(burn, 0), MODE(ready, 0), MODE(exit, 1), MODE(_exit, 1),
    MODE(rawexit, 1), MODE(signal, 1), MODE(abort, 0), MODE(segv, 0),
    MODE(show, 0), MODE(block, 0), MODE(rawblock, 0), MODE(resetall, 0),
    MODE(rawreset, 0), MODE(sigwait, 0), MODE(sigprof, 0), MODE(sigtrap, 0),
    MODE(eintr, 1), MODE(closefd, 0), MODE(daemon, 0), MODE(dfork, 0),
    MODE(fork, 0), MODE(fork_exit, 0), MODE(execchain, 1), MODE(clearenv, 1),
    MODE(forkstorm, 1), MODE(spawnstorm, 1), MODE(forkexec, 1), MODE(vfork, 1),
    MODE(reaped, 1), MODE(zombies, 1), MODE(group, 0), MODE(shell, 1),
    MODE(dlstorm, 1), MODE(threads, 1), MODE(coro, 0), MODE(jit, 0),
    MODE(sandbox, 0),
    MODE(sysv, 0), MODE(longjmp, 0), MODE(seccomp, 1),
};

int main(int argc, char **argv)
{
    self = argv[0];
    for (; argc > 2 && *argv[1] == '-'; argv += 2, argc -= 2) {
        if (!strcmp(argv[1], "-s"))
            burn_s = atof(argv[2]);
        else if (!strcmp(argv[1], "-u"))
            used_file = argv[2];
        else
            break;
    }
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(argv[1], modes[i].name) || argc - 2 < modes[i].args)
            continue;
        int status = modes[i].run(argv + 2);
        note_used();
        return status;
    }
    fprintf(stderr, "usage: edge [-s S] [-u FILE] MODE [ARG...]; see edge.c\n");
    return 2;
}
