/* unw.c -- the stack unwinder: beside backtrace() and on made tables, stacks
 * and code.  Also built for arm64, with no other section: unw_main.c. */

/* What a handler saw: walks that were compared with backtrace() and those that
 * differ, the first of these in text. */
static struct {
    volatile unsigned compared, differed, by_frame_pointer;
    char text[2048];
    struct unw walk;
    struct unw_self self;
} unw_seen;

/* Walk from the context of a signal and compare with backtrace(). */
static void unw_compare(const ucontext_t *context)
{
    static uint64_t ours[200];
    static void *theirs[220];
    struct unw_memory m;
    unw_self_memory_sig(&m, &unw_seen.self);
    unw_regs_of_context_sig(&unw_seen.walk.regs, context);
    unsigned n = unw_walk_sig(&unw_seen.walk, &m, ours, 200), at = 0;
    int all = backtrace(theirs, 220);
    unsigned most = all > 0 ? (unsigned)all : 0;
    while (at < most && (uintptr_t)theirs[at] != ours[0])
        at++;
    unw_seen.compared++;
    unw_seen.by_frame_pointer += unw_seen.walk.by_frame_pointer;
    bool same = most - at == n && unw_seen.walk.end == UNW_ROOT;
    for (unsigned i = 0; same && i < n; i++)
        same = ours[i] == (uintptr_t)theirs[at + i];
    if (same || unw_seen.differed++)
        return;
    int k = snprintf(unw_seen.text, sizeof unw_seen.text, "end %d:",
                     (int)unw_seen.walk.end);
    for (unsigned i = 0; (i < n || at + i < most) && i < 24; i++)
        k += snprintf(unw_seen.text + k, sizeof unw_seen.text - (size_t)k,
                      " %" PRIx64 "/%p", i < n ? ours[i] : 0,
                      at + i < most ? theirs[at + i] : NULL);
}

static void unw_on_signal(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)signo;
    (void)info;
    unw_compare(context);
    errno = saved;
}

static volatile uint64_t unw_sink;

__attribute__((noinline))
static uint64_t unw_leaf(uint64_t n)
{
    for (unsigned i = 0; i < 40; i++)
        n = n * 6364136223846793005u + 1;
    return n;
}

/* Recursion with a dynamic stack. */
__attribute__((noinline))
static uint64_t unw_deep(unsigned depth, uint64_t n)
{
    volatile char *bytes = __builtin_alloca(16 + n % 64);
    bytes[0] = (char)n;
    if (depth)
        n += unw_deep(depth - 1, n * 3);
    return n + (uint64_t)bytes[0] + unw_leaf(n);
}

/* A realigned stack: its CFA is found by an expression or another register. */
__attribute__((noinline))
static uint64_t unw_aligned(uint64_t n)
{
    volatile char bytes[192] __attribute__((aligned(64)));
    bytes[n % 192] = 1;
    return unw_deep((unsigned)(n % 5), n) + (uint64_t)bytes[n % 192];
}

static int unw_by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    unw_sink += unw_leaf(*x);
    return (*x > *y) - (*x < *y);
}

/* Work in this program and in libc, of the kinds that tables describe in
 * different ways. */
static void unw_work(unsigned n)
{
    static char from[4096], to[4096];
    uint32_t order[24];
    for (unsigned i = 0; i < 24; i++)
        order[i] = i * 2654435761u + n;
    qsort(order, 24, sizeof *order, unw_by_value);
    unw_sink += unw_aligned(n) + unw_deep(n % 40, n);
    memcpy(to, from, sizeof to - n % 64);
    snprintf(to, sizeof to, "%u %s %g", n, "text", n * 0.7);
    unw_sink += strlen(to);
}

/* Sends SIGPROF at every timer tick until some hundred are compared. */
static void test_unw_agrees_with_backtrace(void)
{
    struct sigaction act = { .sa_sigaction = unw_on_signal,
                             .sa_flags = SA_SIGINFO | SA_RESTART }, old;
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
    void *one[1];
    memset(&unw_seen, 0, sizeof unw_seen);
    CHECK(unw_self_usable());
    backtrace(one, 1);
    sigaction(SIGPROF, &act, &old);
    setitimer(ITIMER_PROF, &every, NULL);
    for (unsigned i = 0; unw_seen.compared < 100; i++)
        unw_work(i);
    setitimer(ITIMER_PROF, &off, NULL);
    sigaction(SIGPROF, &old, NULL);
    if (unw_seen.differed)
        printf("%u of %u differ: %s\n", unw_seen.differed, unw_seen.compared,
               unw_seen.text);
    CHECK(unw_seen.differed == 0);
    CHECK(unw_seen.by_frame_pointer == 0);
}
