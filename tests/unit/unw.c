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

/* Walk from the context of a signal and compare with backtrace(); where a frame
 * has no table, as in arm64's .plt, backtrace() may end before us. */
static void unw_compare(const ucontext_t *context)
{
    static uint64_t ours[200];
    static void *theirs[220];
    struct unw *u = &unw_seen.walk;
    struct unw_memory m;
    unw_self_memory_sig(&m, &unw_seen.self);
    unw_regs_of_context_sig(&u->regs, context);
    unsigned n = unw_walk_sig(u, &m, ours, 200), at = 0;
    int all = backtrace(theirs, 220);
    unsigned most = all > 0 ? (unsigned)all : 0;
    while (at < most && (uintptr_t)theirs[at] != ours[0])
        at++;
    unw_seen.compared++;
    unw_seen.by_frame_pointer += u->by_frame_pointer;
    bool same = at < most && u->end == UNW_ROOT &&
                (u->by_frame_pointer ? most - at <= n : most - at == n);
    for (unsigned i = 0; same && i < most - at; i++)
        same = ours[i] == (uintptr_t)theirs[at + i];
    if (same || unw_seen.differed++)
        return;
    int k = snprintf(unw_seen.text, sizeof unw_seen.text, "end %d:",
                     (int)u->end);
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

/* Print and check what unw_compare saw, and that it saw at least some. */
static void unw_judge(unsigned least)
{
    if (unw_seen.differed)
        printf("%u of %u differ: %s\n", unw_seen.differed, unw_seen.compared,
               unw_seen.text);
    CHECK(unw_seen.differed == 0);
    CHECK(unw_seen.compared >= least);
#if defined __x86_64__
    CHECK(unw_seen.by_frame_pointer == 0);
#endif
}

/* Make handler that of signo, on the alternate stack if flags say so. */
static void unw_handle(int signo, void (*handler)(int, siginfo_t *, void *),
                       int flags, struct sigaction *old)
{
    struct sigaction act = { .sa_sigaction = handler,
                             .sa_flags = SA_SIGINFO | SA_RESTART | flags };
    void *one[1];
    backtrace(one, 1);                  /* loads its library */
    memset(&unw_seen, 0, sizeof unw_seen);
    sigaction(signo, &act, old);
}

static void test_unw_agrees_with_backtrace(void)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
    struct sigaction old;
    CHECK(unw_self_usable());
    unw_handle(SIGPROF, unw_on_signal, 0, &old);
    setitimer(ITIMER_PROF, &every, NULL);
    for (unsigned i = 0; unw_seen.compared < 100; i++)
        unw_work(i);
    setitimer(ITIMER_PROF, &off, NULL);
    sigaction(SIGPROF, &old, NULL);
    unw_judge(100);
}

/* Walk from here; the first frame is the caller's. */
__attribute__((noinline))
static unsigned unw_here(struct unw *u, uint64_t *pc, unsigned most)
{
    struct unw_self self;
    struct unw_memory m;
    ucontext_t here;
    getcontext(&here);
    unw_self_memory_sig(&m, &self);
    unw_regs_of_context_sig(&u->regs, &here);
#if defined __aarch64__
    u->regs.r[UNW_PC] = u->regs.r[UNW_RA];      /* getcontext returns there */
#endif
    unsigned n = unw_walk_sig(u, &m, pc, most);
    memmove(pc, pc + 1, (n - 1) * sizeof *pc);
    return n - 1;
}

/* The callers of a test: what each stack in it must end in. */
static uint64_t unw_tail[64];
static unsigned unw_tails;

static void unw_mark(const struct unw *u, const uint64_t *pc, unsigned n)
{
    CHECK(u->end == UNW_ROOT);
    CHECK(n > 1 && n < 64);
    unw_tails = n - 1;
    memcpy(unw_tail, pc + 1, unw_tails * sizeof *pc);
}

static bool unw_tail_is(const uint64_t *pc, unsigned n, unsigned before)
{
    return n == unw_tails + before &&
           !memcmp(pc + before, unw_tail, unw_tails * sizeof *pc);
}

static void unw_on_outer(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    unw_compare(context);
    raise(SIGUSR2);
}

/* A signal frame under a signal frame, on both stacks. */
static void test_unw_signal_in_signal(void)
{
    static char bytes[65536];
    stack_t stack = { .ss_sp = bytes, .ss_size = sizeof bytes }, before;
    struct sigaction old, old2;
    CHECK(!sigaltstack(&stack, &before));
    for (int flags = 0; flags < 4; flags++) {
        unw_handle(SIGUSR2, unw_on_signal, flags & 1 ? SA_ONSTACK : 0, &old2);
        unw_handle(SIGUSR1, unw_on_outer, flags & 2 ? SA_ONSTACK : 0, &old);
        raise(SIGUSR1);
        sigaction(SIGUSR1, &old, NULL);
        sigaction(SIGUSR2, &old2, NULL);
        unw_judge(2);
    }
    sigaltstack(&before, NULL);
}

#if defined __x86_64__
static volatile unsigned unw_steps;     /* left */

static void unw_on_step(int signo, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signo;
    (void)info;
    unw_compare(c);
    if (unw_steps == 0 || --unw_steps == 0)
        c->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

/* The processor's trap flag: a SIGTRAP after each instruction, so that every
 * prologue, epilogue and stub of .plt on the way is seen. */
static void test_unw_agrees_at_every_instruction(void)
{
    struct sigaction old;
    unw_handle(SIGTRAP, unw_on_step, 0, &old);
    unw_steps = 60000;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | 0x100);
#ifndef __SANITIZE_ADDRESS__            /* whose vfork() has no table */
    pid_t child = vfork();              /* its return address is in %rdi */
    if (child == 0)
        _exit(0);
#endif
    unw_sink += (uint64_t)getppid();
    while (unw_steps)
        unw_work(unw_steps);
    sigaction(SIGTRAP, &old, NULL);
#ifndef __SANITIZE_ADDRESS__
    waitpid(child, NULL, 0);
#endif
    unw_judge(60000);
}
#else
static void test_unw_agrees_at_every_instruction(void)
{
}
#endif

/* Code without a table, as a JIT compiler's: with a frame pointer; with a
 * frame but no pointer; a leaf; and what musl's handlers return to. */
#if defined __x86_64__
__asm__(".text\n"
        ".p2align 4\n"
        "unw_bare_framed: endbr64\n"
        "push %rbp\n mov %rsp, %rbp\n push %rbx\n sub $8, %rsp\n"
        "call *%rdi\n"
        "add $8, %rsp\n pop %rbx\n pop %rbp\n ret\n"
        ".p2align 4\n"
        "unw_bare_frame: sub $8, %rsp\n call *%rdi\n add $8, %rsp\n ret\n"
        ".p2align 4\n"
        "unw_bare_leaf: mov %rdi, %rax\n inc %rax\n ret\n"
        ".p2align 4\n nop\n"
        "unw_bare_sigreturn: mov $15, %rax\n syscall\n"
        ".p2align 4\n nop\n"
        "unw_bare_sigreturn_2: mov $15, %eax\n syscall\n"
        "unw_bare_end:\n");
enum { UNW_RESTORER = 0x04000000 };
#else
__asm__(".text\n"
        ".p2align 4\n"
        "unw_bare_framed: stp x29, x30, [sp, #-32]!\n mov x29, sp\n"
        "blr x0\n"
        "ldp x29, x30, [sp], #32\n ret\n"
        "unw_bare_leaf: add x0, x0, #1\n ret\n"
        ".p2align 4\n nop\n"
        "unw_bare_sigreturn: mov x8, #139\n svc #0\n"
        "unw_bare_end:\n");
enum { UNW_RESTORER = 0x04000000 };
#endif
#pragma GCC visibility push(hidden)    /* not by the GOT: they are local */
void unw_bare_framed(void (*fn)(void));
void unw_bare_frame(void (*fn)(void));
uint64_t unw_bare_leaf(uint64_t n);
void unw_bare_sigreturn(void);
void unw_bare_sigreturn_2(void);
extern const uint8_t unw_bare_end[];
#pragma GCC visibility pop

static void unw_from_bare(void)
{
    static struct unw u;
    uint64_t pc[64];
    unsigned n = unw_here(&u, pc, 64);
    CHECK(u.end == UNW_ROOT);
    CHECK(u.by_frame_pointer > 0);
    CHECK(unw_tail_is(pc, n, 3));
}

/* Code without a table called from code with one, and calling it. */
__attribute__((noinline))
static void test_unw_code_without_table(void)
{
    static struct unw u;
    uint64_t pc[64];
    unw_mark(&u, pc, unw_here(&u, pc, 64));
    unw_bare_framed(unw_from_bare);
#if defined __x86_64__
    unw_bare_frame(unw_from_bare);
#endif
    unw_sink += unw_bare_leaf(1);       /* not at the end: no tail call */
}

#if defined __x86_64__
static volatile unsigned unw_bare_seen, unw_bare_wrong;
static uint64_t unw_bare_first;         /* of the wrong ones */

static void unw_on_bare_step(int signo, siginfo_t *info, void *context)
{
    static uint64_t ours[64];
    ucontext_t *c = context;
    struct unw_memory m;
    (void)signo;
    (void)info;
    if (unw_steps == 0 || --unw_steps == 0)
        c->uc_mcontext.gregs[REG_EFL] &= ~0x100;
    unw_self_memory_sig(&m, &unw_seen.self);
    unw_regs_of_context_sig(&unw_seen.walk.regs, c);
    unsigned n = unw_walk_sig(&unw_seen.walk, &m, ours, 64);
    if (ours[0] < (uintptr_t)unw_bare_framed ||
        ours[0] >= (uintptr_t)unw_bare_end)
        return;
    unw_bare_seen++;
    if (unw_seen.walk.end != UNW_ROOT || !unw_tail_is(ours, n, 2)) {
        if (!unw_bare_wrong++)
            unw_bare_first = ours[0] - (uintptr_t)unw_bare_framed;
    }
}

static void unw_nothing(void)
{
}

/* At each of its instructions too.  One stack lacks a caller: nothing tells the
 * size of the frame without a pointer in its middle. */
__attribute__((noinline))
static void test_unw_code_without_table_at_every_instruction(void)
{
    static struct unw u;
    struct sigaction old;
    uint64_t pc[64];
    unw_mark(&u, pc, unw_here(&u, pc, 64));
    unw_handle(SIGTRAP, unw_on_bare_step, 0, &old);
    unw_bare_seen = unw_bare_wrong = 0;
    unw_steps = 1000;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | 0x100);
    unw_bare_framed(unw_nothing);
    unw_bare_frame(unw_nothing);
    unw_sink += unw_bare_leaf(1);
    unw_steps = 0;
    unw_sink++;
    sigaction(SIGTRAP, &old, NULL);
    CHECK(unw_bare_seen == 10 + 4 + 3);
    CHECK(unw_bare_wrong == 1);
    CHECK(unw_bare_first ==
          (uintptr_t)unw_bare_frame - (uintptr_t)unw_bare_framed + 4);
}
#else
/* At each of its instructions too: with registers set by hand, over a stack of
 * words. */
__attribute__((noinline))
static void test_unw_code_without_table_at_every_instruction(void)
{
    static struct unw u;
    struct unw_self self;
    struct unw_memory m;
    uint64_t pc[64], code = (uintptr_t)unw_bare_framed;
    uint64_t to = code + 12;            /* what follows a call: blr x0 */
    uint64_t stack[8] = { 0, 0, 0, 0, 0, to };
    uint64_t base = (uintptr_t)stack;
    stack[0] = base + 32;               /* the frame's record: x29, x30 */
    stack[1] = to;
    stack[4] = 0;                       /* the caller's: x29 is the mark */
    struct { unsigned pc; uint64_t fp, sp; bool lr; } rows[] = {
        { 0,  base + 32, base + 16, true }, /* stp */
        { 4,  base + 32, base, true },  /* mov x29, sp */
        { 8,  base, base, false },      /* blr */
        { 12, base, base, false },      /* ldp */
        { 16, base + 32, base + 16, true },     /* ret */
        { 20, base + 32, base + 16, true },     /* the leaf */
        { 24, base + 32, base + 16, true },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        unw_self_memory_sig(&m, &self);
        u.regs.known = (UINT64_C(1) << UNW_REGS) - 1;
        u.regs.r[UNW_PC] = code + rows[i].pc;
        u.regs.r[UNW_FP] = rows[i].fp;
        u.regs.r[UNW_SP] = rows[i].sp;
        u.regs.r[UNW_RA] = rows[i].lr ? to | UINT64_C(0x25) << 48 : code;
        unsigned n = unw_walk_sig(&u, &m, pc, 64);
        CHECK(n == 3);
        CHECK(pc[1] == to);
        CHECK(pc[2] == to);
        CHECK(u.end == UNW_ROOT);
    }
}
#endif

static unsigned unw_restored;
static uint64_t unw_restored_at;

static void unw_on_bare_signal(int signo, siginfo_t *info, void *context)
{
    static struct unw u;
    uint64_t pc[64];
    (void)signo;
    (void)info;
    (void)context;
    unsigned n = unw_here(&u, pc, 64);
    CHECK(u.end == UNW_ROOT);
    CHECK(n > unw_tails);
    CHECK(n > 2 && pc[1] == unw_restored_at);
    unw_restored += n > unw_tails && unw_tail_is(pc, n, n - unw_tails);
}

/* Send SIGUSR1, whose handler returns to restorer, by the kernel's own call. */
static void unw_raise_bare(void (*restorer)(void))
{
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } act = { unw_on_bare_signal, SA_SIGINFO | UNW_RESTORER, restorer, 0 }, old;
    unw_restored_at = (uintptr_t)restorer;
    CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, &act, &old, 8));
    raise(SIGUSR1);
    CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, &old, NULL, 8));
}

/* musl's handlers return to code without a table: known by its bytes. */
__attribute__((noinline))
static void test_unw_signal_frame_without_table(void)
{
    static struct unw u;
    uint64_t pc[64];
    unw_mark(&u, pc, unw_here(&u, pc, 64));
    unw_restored = 0;
    unw_raise_bare(unw_bare_sigreturn);
#if defined __x86_64__
    unw_raise_bare(unw_bare_sigreturn_2);
#else
    unw_raise_bare(unw_bare_sigreturn);
#endif
    CHECK(unw_restored == 2);
}
