/* unw.c -- the stack unwinder, compared with backtrace(), and on tables, stacks
 * and code made here.  Also built for arm64, without other sections, by
 * unw_main.c. */

/* The handler's counts of walks compared with backtrace(), and of those that
 * differ; the first of these in text. */
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
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);       /* in the vDSO */
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

static void *unw_in_thread(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
    return NULL;
}

/* A signal frame under a signal frame, on both stacks; in a thread. */
static void test_unw_signal_in_signal(void)
{
    static char bytes[65536];
    stack_t stack = { .ss_sp = bytes, .ss_size = sizeof bytes }, before;
    struct sigaction old, old2;
    CHECK(!sigaltstack(&stack, &before));
    for (int flags = 0; flags < 4; flags++) {
        unw_handle(SIGUSR2, unw_on_signal, flags & 1 ? SA_ONSTACK : 0, &old2);
        unw_handle(SIGUSR1, unw_on_outer, flags & 2 ? SA_ONSTACK : 0, &old);
        pthread_t thread;
        raise(SIGUSR1);
        CHECK(!pthread_create(&thread, NULL, unw_in_thread, NULL));
        pthread_join(thread, NULL);
        sigaction(SIGUSR1, &old, NULL);
        sigaction(SIGUSR2, &old2, NULL);
        unw_judge(4);
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
#endif

/* Code without a table, as a JIT compiler's: with a frame pointer; with a
 * frame but no pointer; a leaf; and what musl's handlers return to. */
#if defined __x86_64__
__asm__(".text\n"
        ".p2align 4\n"
        "unw_bare_framed: endbr64\n"
        "push %rbp\n mov %rsp, %rbp\n push %rbx\n sub $8, %rsp\n"
        "unw_bare_call: call *%rdi\n"
        "unw_bare_called: add $8, %rsp\n pop %rbx\n pop %rbp\n ret\n"
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
        "unw_bare_call: blr x0\n"
        "unw_bare_called: ldp x29, x30, [sp], #32\n ret\n"
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
extern const uint8_t unw_bare_end[], unw_bare_call[], unw_bare_called[];
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
    stack[1] = to | UINT64_C(0x25) << 48;       /* signed */
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

/* ---- tables made here: of code at UNW_CODE, with a stack of words at
 * UNW_STACK, each of which holds UNW_VALUE plus its index ---- */

#define UNW_CODE  UINT64_C(0x400000)
#define UNW_STACK UINT64_C(0x10000)
#define UNW_VALUE UINT64_C(0xa000)
enum { UNW_SP_AT = 8, UNW_FP_AT = 20, UNW_STACKED = 64 };

static struct {
    uint8_t bytes[512];
    size_t n;
    struct unw_entry index[4];
    struct unw_table table;
    struct unw walk;
} unw_made;

static bool unw_made_read(void *user, uint64_t address, uint64_t *value)
{
    uint64_t i = (address - UNW_STACK) / 8;
    (void)user;
    *value = UNW_VALUE + i;
    return i < UNW_STACKED && address % 8 == 0;
}

static bool unw_made_table(void *user, uint64_t pc, struct unw_table *t)
{
    (void)user;
    *t = unw_made.table;
    return pc - UNW_CODE < 0x10000;
}

static bool unw_made_code(void *user, uint64_t pc)
{
    (void)user;
    return pc - UNW_VALUE < UNW_STACKED;
}

static const uint8_t *unw_made_text(void *user, uint64_t pc, unsigned n)
{
    (void)user;
    (void)pc;
    (void)n;
    return NULL;
}

static const struct unw_memory unw_made_memory = {
    .read = unw_made_read, .table = unw_made_table, .code = unw_made_code,
    .text = unw_made_text };

static void unw_made_put(const void *bytes, size_t n)
{
    if (n)
        memcpy(unw_made.bytes + unw_made.n, bytes, n);
    unw_made.n += n;
}

/* Set the length of the entry that began at from. */
static void unw_made_close(size_t from)
{
    uint32_t n = (uint32_t)(unw_made.n - from - 4);
    memcpy(unw_made.bytes + from, &n, sizeof n);
}

/* Make a table of a CIE with this augmentation, whose CFA is sp + 8 and whose
 * return address is just below it, and of an FDE for 0x100 bytes of code with
 * these instructions. */
static void unw_make(const char *augmentation, const uint8_t *code, size_t n)
{
    const uint8_t head[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    const uint8_t tail[] = { 1, 0x78, UNW_RA, 1, 0x04,  /* 8 bytes, absolute */
                             0x0c, UNW_SP, 8, 0x80 | UNW_RA, 1,
                             0x80 | 3, 2 };             /* register 3 too */
    uint64_t place[2] = { UNW_CODE, 0x100 };
    unw_made.n = 0;
    unw_made_put(head, sizeof head);
    unw_made_put(augmentation, strlen(augmentation) + 1);
    unw_made_put(tail, sizeof tail);
    unw_made_close(0);
    size_t fde = unw_made.n;
    uint32_t back = (uint32_t)fde + 4;
    unw_made_put(head, 4);
    unw_made_put(&back, sizeof back);
    unw_made_put(place, sizeof place);
    unw_made_put("", 1);                /* no augmentation data */
    unw_made_put(code, n);
    unw_made_close(fde);
    unw_made.table = (struct unw_table){
        .eh_frame = unw_made.bytes, .index = unw_made.index,
        .lo = unw_made.bytes, .hi = unw_made.bytes + unw_made.n,
        .bias = UNW_CODE + 0x1000 - (uintptr_t)unw_made.bytes };
    unw_made.table.entries = unw_index(&unw_made.walk, &unw_made.table,
                                       unw_made.index, 4);
}

/* Step from pc, the registers being as the constants above say and register 0
 * being 5; return why it ended, 0 if not. */
static int unw_made_step(uint64_t pc, bool exact)
{
    struct unw *u = &unw_made.walk;
    memset(u, 0, sizeof *u);
    u->regs.known = (UINT64_C(1) << UNW_REGS) - 1;
    u->regs.r[0] = 5;
    u->regs.r[UNW_SP] = UNW_STACK + 8 * UNW_SP_AT;
    u->regs.r[UNW_FP] = UNW_STACK + 8 * UNW_FP_AT;
#if defined __aarch64__
    u->regs.r[UNW_RA] = 77;
#endif
    u->regs.r[UNW_PC] = pc;
    u->exact = exact;
    return (int)unw_step_sig(u, &unw_made_memory);
}

/* The caller's register as it is after one step from the middle of the code by
 * its row; 99 if it is not known; UNW_UNSUPPORTED if the row cannot be used;
 * another end of the walk. */
static uint64_t unw_made_after(const uint8_t *code, size_t n, unsigned reg)
{
    unw_make("zR", code, n);
    int end = unw_made_step(UNW_CODE + 0x20, true);
    if (end)
        return (uint64_t)end;
    if (unw_made.walk.by_frame_pointer)
        return UNW_UNSUPPORTED;
    return unw_made.walk.regs.known >> reg & 1 ? unw_made.walk.regs.r[reg] : 99;
}

#define AFTER(reg, ...)                                                       \
    unw_made_after((const uint8_t[]){ __VA_ARGS__ },                          \
                   sizeof((const uint8_t[]){ __VA_ARGS__ }), reg)
#define WORD(i) (UNW_VALUE + (i))

static void test_unw_instructions_of_the_cfa(void)
{
    CHECK(unw_made_after(NULL, 0, UNW_PC) == WORD(8));
    CHECK(unw_made.walk.regs.r[UNW_SP] == UNW_STACK + 8 * 9);
    CHECK(AFTER(UNW_PC, 0x00) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x0e, 24) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x0c, UNW_FP, 16) == WORD(21));
    CHECK(AFTER(UNW_PC, 0x0d, UNW_FP) == WORD(20));
    CHECK(AFTER(UNW_PC, 0x12, UNW_FP, 0x7e) == WORD(21));
    CHECK(AFTER(UNW_PC, 0x13, 0x7d) == WORD(10));
    /* an offset of more than 16 bits, from register 0; one beyond the stack */
    CHECK(AFTER(UNW_PC, 0x0c, 0, 0x83, 0x80, 0x04) == WORD(0));
    CHECK(AFTER(UNW_PC, 0x0e, 0x80, 0x80, 0x04) == UNW_UNREADABLE);
    /* advances: to 0x20 and no further */
    CHECK(AFTER(UNW_PC, 0x60, 0x0e, 24, 0x41, 0x0e, 32) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x02, 0x20, 0x0e, 24) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x02, 0x21, 0x0e, 24) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x03, 0x20, 0, 0x0e, 24) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x03, 0x00, 1, 0x0e, 24) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x04, 0x20, 0, 0, 0, 0x0e, 24) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x04, 0, 0, 1, 0, 0x0e, 24) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x01, 0x20, 0, 0x40, 0, 0, 0, 0, 0, 0x0e, 24) ==
          WORD(10));
    CHECK(AFTER(UNW_PC, 0x01, 0x21, 0, 0x40, 0, 0, 0, 0, 0, 0x0e, 24) ==
          WORD(8));
    /* remember and restore: the CFA too, nested */
    CHECK(AFTER(UNW_PC, 0x0a, 0x0e, 24, 0x0b) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x0a, 0x0e, 24, 0x0a, 0x0e, 32, 0x0b) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x0a, 0x0d, UNW_FP, 0x0b) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x0b) == UNW_UNSUPPORTED);
    CHECK(AFTER(UNW_PC, 10, 10, 10, 10, 10, 10, 10, 10) == WORD(8));
    CHECK(AFTER(UNW_PC, 10, 10, 10, 10, 10, 10, 10, 10, 10) ==
          UNW_UNSUPPORTED);
    /* expressions: sp + 24; the word at fp, WORD(20), and 0x603c more; as in
     * .plt: 8 more from byte 11 of 16 on */
    CHECK(AFTER(UNW_PC, 0x0f, 2, 0x70 + UNW_SP, 24) == WORD(10));
    CHECK(AFTER(UNW_PC, 0x0f, 7, 0x70 + UNW_FP, 0, 0x06, 0x0a, 0x3c, 0x60,
                0x22) == WORD(9));
#if defined __x86_64__
    const uint8_t plt[] = { 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a,
                            0x33, 0x24, 0x22 };
    unw_make("zR", plt, sizeof plt);
    CHECK(unw_made_step(UNW_CODE + 10, true) == 0);
    CHECK(unw_made.walk.regs.r[UNW_PC] == WORD(8));
    CHECK(unw_made_step(UNW_CODE + 11, true) == 0);
    CHECK(unw_made.walk.regs.r[UNW_PC] == WORD(9));
#endif
    CHECK(AFTER(UNW_PC, 0x2e, 16, 0x2d) == WORD(8));
    CHECK(AFTER(UNW_PC, 0x3f) == UNW_UNSUPPORTED);
    CHECK(AFTER(UNW_PC, 0x0e) == UNW_UNSUPPORTED);
    CHECK(AFTER(UNW_PC, 0x0f, 9, 0x70) == UNW_UNSUPPORTED);
}

static void test_unw_instructions_of_registers(void)
{
    CHECK(AFTER(3, 0x00) == WORD(7));
    CHECK(AFTER(UNW_FP, 0x00) == UNW_STACK + 8 * UNW_FP_AT);
    CHECK(AFTER(0, 0x00) == 99);        /* not preserved */
    CHECK(AFTER(UNW_FP, 0x80 | UNW_FP, 3) == WORD(6));
    CHECK(AFTER(UNW_FP, 0x05, UNW_FP, 3) == WORD(6));
    CHECK(AFTER(UNW_FP, 0x11, UNW_FP, 0x7d) == WORD(12));
    CHECK(AFTER(UNW_FP, 0x2f, UNW_FP, 3) == WORD(12));
    CHECK(AFTER(UNW_FP, 0x14, UNW_FP, 1) == UNW_STACK + 8 * 8);
    CHECK(AFTER(UNW_FP, 0x15, UNW_FP, 0x7f) == UNW_STACK + 8 * 10);
    CHECK(AFTER(UNW_FP, 0x09, UNW_FP, 0) == 5);
    CHECK(AFTER(UNW_PC, 0x09, UNW_RA, 0) == 5);         /* vfork's is in rdi */
    CHECK(AFTER(UNW_PC, 0x07, UNW_RA) == UNW_ROOT);
    CHECK(AFTER(UNW_FP, 0x07, UNW_FP) == 99);
    CHECK(AFTER(3, 0x08, 3) == (UNW_PRESERVED & 8 ? 0 : 99));
    CHECK(AFTER(3, 0x07, 3, 0xc3) == WORD(7));
    CHECK(AFTER(3, 0x07, 3, 0x06, 3) == WORD(7));
    CHECK(AFTER(UNW_FP, 0x07, UNW_FP, 0xc0 | UNW_FP) ==
          UNW_STACK + 8 * UNW_FP_AT);
    /* the CFA, 9 words up, is on the expression's stack */
    CHECK(AFTER(UNW_FP, 0x10, UNW_FP, 2, 0x23, 8) == WORD(10));
    CHECK(AFTER(UNW_FP, 0x16, UNW_FP, 2, 0x23, 8) == UNW_STACK + 8 * 10);
    CHECK(AFTER(UNW_FP, 0x16, UNW_FP, 3, 0x70, 8, 0x13) == UNW_STACK + 8 * 9);
    /* registers that are not tracked: vectors */
    CHECK(AFTER(UNW_PC, 0x05, 64, 3, 0x07, 65, 0x06, 66, 0x08, 67, 0x09, 68, 1,
                0x16, 69, 1, 0x30) == WORD(8));
#if defined __aarch64__
    CHECK(AFTER(UNW_PC, 0x08, UNW_RA) == 77);   /* exact: in lr */
    unw_make("zR", (const uint8_t[]){ 0x08, UNW_RA }, 2);
    CHECK(unw_made_step(UNW_CODE + 0x20, false) == UNW_ROOT);
#endif
}

static void test_unw_expressions(void)
{
#define RESULT(...) AFTER(UNW_FP, 0x16, UNW_FP,                               \
    sizeof((const uint8_t[]){ __VA_ARGS__ }), __VA_ARGS__)
    CHECK(RESULT(0x4f) == 31);
    CHECK(RESULT(0x70, 0x7f) == 4);                     /* register 0, - 1 */
    CHECK(RESULT(0x92, 0, 1) == 6);
    CHECK(RESULT(0x08, 0xff) == 0xff);
    CHECK(RESULT(0x09, 0xff) == UINT64_MAX);
    CHECK(RESULT(0x0a, 1, 2) == 0x201);
    CHECK(RESULT(0x0b, 0xfe, 0xff) == UINT64_MAX - 1);
    CHECK(RESULT(0x0c, 1, 2, 3, 4) == 0x4030201);
    CHECK(RESULT(0x0d, 0xfd, 0xff, 0xff, 0xff) == UINT64_MAX - 2);
    CHECK(RESULT(0x0e, 1, 0, 0, 0, 0, 0, 0, 1) == 0x100000000000001);
    CHECK(RESULT(0x10, 0x81, 0x01) == 129);
    CHECK(RESULT(0x11, 0x7f) == UINT64_MAX);
    CHECK(RESULT(0x35, 0x12, 0x1e) == 25);              /* dup, mul */
    CHECK(RESULT(0x36, 0x33, 0x1a) == 2);
    CHECK(RESULT(0x37, 0x32, 0x1b) == 3);
    CHECK(RESULT(0x11, 0x79, 0x32, 0x1b) == UINT64_MAX - 2);    /* -7 / 2 */
    CHECK(RESULT(0x35, 0x11, 0x7f, 0x1b) == UINT64_MAX - 4);
    CHECK(RESULT(0x37, 0x32, 0x1c) == 5);
    CHECK(RESULT(0x37, 0x34, 0x1d) == 3);
    CHECK(RESULT(0x31, 0x1f) == UINT64_MAX);
    CHECK(RESULT(0x30, 0x20) == UINT64_MAX);
    CHECK(RESULT(0x34, 0x31, 0x21) == 5);
    CHECK(RESULT(0x34, 0x34, 0x22) == 8);
    CHECK(RESULT(0x34, 0x23, 0x80, 0x01) == 132);
    CHECK(RESULT(0x33, 0x34, 0x24) == 48);
    CHECK(RESULT(0x33, 0x08, 64, 0x24) == 0);
    CHECK(RESULT(0x4f, 0x32, 0x25) == 7);
    CHECK(RESULT(0x11, 0x78, 0x31, 0x26) == UINT64_MAX - 3);
    CHECK(RESULT(0x36, 0x33, 0x27) == 5);
    CHECK(RESULT(0x36, 0x36, 0x29) == 1);
    CHECK(RESULT(0x36, 0x37, 0x2a) == 0 && RESULT(0x37, 0x37, 0x2a) == 1);
    CHECK(RESULT(0x36, 0x11, 0x7f, 0x2b) == 1);
    CHECK(RESULT(0x36, 0x37, 0x2c) == 1 && RESULT(0x37, 0x36, 0x2d) == 0);
    CHECK(RESULT(0x36, 0x37, 0x2e) == 1 && RESULT(0x36, 0x96) == 6);
    /* what has no result: the register is not known */
    CHECK(RESULT(0x13) == 99);                          /* an empty stack */
    CHECK(RESULT(0x13, 0x31, 0x22) == 99);              /* one operand */
    CHECK(RESULT(0x31, 0x30, 0x1b) == 99);              /* by zero */
    CHECK(RESULT(0x31, 0x30, 0x1d) == 99);
    CHECK(RESULT(0x30, 0x06) == 99);                    /* unreadable */
    CHECK(RESULT(0x2f, 0xfd, 0xff) == 99);              /* skip back */
    CHECK(RESULT(0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30,
                 0x30, 0x30, 0x30, 0x30, 0x30, 0x30) == 99);    /* too many */
    CHECK(RESULT(0x08) == 99);                          /* cut off */
#undef RESULT
}

/* Which addresses a row is for, and which frames are exact. */
static void test_unw_addresses_of_a_row(void)
{
    unw_make("zR", NULL, 0);
    CHECK(unw_made.table.entries == 1);
    CHECK(unw_made_step(UNW_CODE, true) == 0);
    CHECK(unw_made_step(UNW_CODE + 0xff, true) == 0);
    CHECK(!unw_made.walk.exact);
    /* past the end, without a frame pointer that leads anywhere */
    CHECK(unw_made_step(UNW_CODE + 0x100, true) == 0);
    CHECK(unw_made.walk.by_frame_pointer == 1);
    CHECK(unw_made_step(UNW_CODE - 1, true) == 0);
    CHECK(unw_made.walk.by_frame_pointer == 1);
    /* after a call that is the last instruction */
    CHECK(unw_made_step(UNW_CODE + 0x100, false) == 0);
    CHECK(unw_made.walk.by_frame_pointer == 0);
    CHECK(unw_made_step(UNW_CODE, false) == 0);
    CHECK(unw_made.walk.by_frame_pointer == 1);
    unw_make("zRS", NULL, 0);
    CHECK(unw_made_step(UNW_CODE, true) == 0);
    CHECK(unw_made.walk.exact);
    CHECK(unw_made.walk.regs.known >> 0 & 1);   /* all are preserved */
    unw_make("zX", NULL, 0);            /* not known: data is skipped */
    CHECK(unw_made_step(UNW_CODE, true) == 0);
    unw_make("R", NULL, 0);             /* no length: it cannot be */
    CHECK(unw_made_step(UNW_CODE, true) == 0);
    CHECK(unw_made.walk.by_frame_pointer == 1);
}

/* Every truncation of a table is refused or read, never read past. */
static void test_unw_truncated_tables(void)
{
    const uint8_t code[] = { 0x41, 0x0e, 16, 0x0f, 2, 0x70 + UNW_SP, 24 };
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(two != MAP_FAILED && !mprotect(two + page, page, PROT_NONE));
    unw_make("zR", code, sizeof code);
    struct unw_table whole = unw_made.table;
    for (size_t n = 0; n <= unw_made.n; n++) {
        uint8_t *at = two + page - n;
        memcpy(at, unw_made.bytes, n);
        unw_made.table = (struct unw_table){
            .eh_frame = at, .index = unw_made.index, .entries = 1, .lo = at,
            .hi = two + page, .bias = whole.bias + (uintptr_t)unw_made.bytes -
                                      (uintptr_t)at };
        CHECK(unw_made_step(UNW_CODE + 0x20, true) == 0);
        CHECK(unw_made.walk.by_frame_pointer == (n < unw_made.n));
        unw_made.table.hdr = at;
        unw_made_step(UNW_CODE + 0x20, true);
        struct unw_entry e[2];
        CHECK(unw_index(&unw_made.walk, &unw_made.table, e, 2) ==
              (n == unw_made.n));
    }
    munmap(two, 2 * page);
}

/* What the unwinder reads of this process, and what it leaves alone. */
static void test_unw_reads_only_what_is_readable(void)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), v, word = 7;
    uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes[16];
    struct unw_self self;
    struct unw_memory m;
    CHECK(two != MAP_FAILED && !mprotect(two + page, page, PROT_NONE));
    uint64_t at = (uintptr_t)two;
    unw_self_memory_sig(&m, &self);
    errno = 0;
    CHECK(unw_read_sig(&m, (uintptr_t)&word, &v) && v == 7);
    CHECK(unw_read_sig(&m, at + page - 8, &v));
    CHECK(!unw_read_sig(&m, at + page - 4, &v));    /* not aligned */
    CHECK(!unw_read_sig(&m, at + page, &v));
    CHECK(!unw_read_sig(&m, 0, &v) && !unw_read_sig(&m, 8, &v));
    CHECK(!unw_read_sig(&m, UINT64_MAX - 7, &v));
    CHECK(!unw_read_sig(&m, UINT64_C(1) << 47, &v));
    CHECK(!unw_read_sig(&m, UINT64_C(0xdead) << 48, &v));
    CHECK(unw_text_sig(&m, at + page - 16, 16, bytes));
    CHECK(!unw_text_sig(&m, at + page - 15, 16, bytes));
    CHECK(!unw_text_sig(&m, UINT64_MAX - 3, 16, bytes));
    CHECK(!unw_code_sig(&m, 0) && !unw_code_sig(&m, 7));
    CHECK(!unw_code_sig(&m, at + page + 4));
    CHECK(errno == 0);
    munmap(two, 2 * page);
}

/* Walk from the call in unw_bare_framed with its frame pointer at fp, which is
 * in stack; return how many frames, at most 1,000. */
static unsigned unw_from_frame(struct unw *u, const uint64_t *stack,
                               uint64_t fp)
{
    static uint64_t pc[1000];
    struct unw_self self;
    struct unw_memory m;
    unw_self_memory_sig(&m, &self);
    memset(u, 0, sizeof *u);
    u->regs.known = (UINT64_C(1) << UNW_REGS) - 1;
    u->regs.r[UNW_PC] = (uintptr_t)unw_bare_call;
    u->regs.r[UNW_SP] = (uintptr_t)stack;
    u->regs.r[UNW_FP] = fp;
    return unw_walk_sig(u, &m, pc, 1000);
}

static void test_unw_stacks_that_lead_nowhere(void)
{
    static struct unw u;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t to = (uintptr_t)unw_bare_called;
    uint64_t *stack = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t at = (uintptr_t)stack, last = page / 8 - 1;
    CHECK(!mprotect((uint8_t *)stack + page, page, PROT_NONE));
    stack[0] = at + 32;                 /* a chain of two, which ends by 0 */
    stack[1] = stack[5] = to;
    CHECK(unw_from_frame(&u, stack, at) == 3 && u.end == UNW_ROOT);
    CHECK(u.by_frame_pointer == 2);
    stack[5] = 0;                       /* by a return address of 0 */
    CHECK(unw_from_frame(&u, stack, at) == 2 && u.end == UNW_ROOT);
    stack[5] = to;
    stack[4] = at + 3;                  /* by what is no frame pointer */
    CHECK(unw_from_frame(&u, stack, at) == 3 && u.end == UNW_NO_TABLE);
    stack[4] = at + page - 8;           /* at the end of what is readable */
    stack[last] = at;
    CHECK(unw_from_frame(&u, stack, at) == 3 && u.end == UNW_UNREADABLE);
    stack[4] = at;                      /* in a ring of two */
    CHECK(unw_from_frame(&u, stack, at) < 20 && u.end == UNW_STUCK);
    stack[0] = at;                      /* of one */
    CHECK(unw_from_frame(&u, stack, at) < 20 && u.end == UNW_STUCK);
    stack[0] = at + 32;
    static volatile uint64_t zeros[4];  /* no call is before its elements */
    stack[1] = (uintptr_t)&zeros[2];
    CHECK(unw_from_frame(&u, stack, at) == 1 && u.end == UNW_NO_TABLE);
    stack[1] = (uintptr_t)stack + page; /* and cannot be read */
    CHECK(unw_from_frame(&u, stack, at) == 1 && u.end == UNW_NO_TABLE);
    /* more frames than asked for */
    for (uint64_t i = 0; i + 4 <= last; i += 4) {
        stack[i] = at + 8 * (i + 4);
        stack[i + 1] = to;
    }
    u.end = 0;
    struct unw_self self;
    struct unw_memory m;
    uint64_t pc[4];
    unw_self_memory_sig(&m, &self);
    unw_from_frame(&u, stack, at);
    CHECK(u.end == UNW_NO_TABLE || u.end == UNW_ROOT);
    u.regs.r[UNW_PC] = (uintptr_t)unw_bare_call;
    u.regs.r[UNW_FP] = u.regs.r[UNW_SP] = at;
    u.regs.known = (UINT64_C(1) << UNW_REGS) - 1;
    CHECK(unw_walk_sig(&u, &m, pc, 4) == 4 && u.end == UNW_FULL);
    munmap(stack, 2 * page);
}

/* A stack that was copied, and the tables from a copy of the file's bytes or
 * from an index of them: as attach uses the unwinder. */
static struct {
    struct unw_self self;
    struct unw_memory own;
    uint64_t from, words;               /* of the copied stack */
    uint64_t copy[16384];
    const uint8_t *real, *fake;         /* .eh_frame_hdr, and its copy */
    size_t bytes;                       /* of the copy */
    bool indexed;
    struct unw_entry *index;
    uint32_t entries;
    size_t eh_frame;                    /* in the copy */
} unw_far;

static bool unw_far_read(void *user, uint64_t address, uint64_t *value)
{
    uint64_t i = (address - unw_far.from) / 8;
    (void)user;
    if (i >= unw_far.words || address % 8)
        return false;
    *value = unw_far.copy[i];
    return true;
}

static bool unw_far_table(void *user, uint64_t pc, struct unw_table *t)
{
    (void)user;
    if (!unw_self_table_sig(pc, t))
        return false;
    if (t->hdr == unw_far.real) {
        t->lo = t->hdr = unw_far.fake;
        t->hi = unw_far.fake + unw_far.bytes;
        t->bias = (uintptr_t)unw_far.real - (uintptr_t)unw_far.fake;
        if (unw_far.indexed) {
            t->hdr = NULL;
            t->eh_frame = unw_far.fake + unw_far.eh_frame;
            t->index = unw_far.index;
            t->entries = unw_far.entries;
        }
    }
    return true;
}

static bool unw_far_code(void *user, uint64_t pc)
{
    (void)user;
    return unw_self_code_sig(&unw_far.self, pc);
}

static const uint8_t *unw_far_text(void *user, uint64_t pc, unsigned n)
{
    static uint8_t bytes[16];
    (void)user;
    return n <= 16 && unw_self_text_sig(&unw_far.self, pc, n, bytes) ? bytes
                                                                     : NULL;
}

static const struct unw_memory unw_far_memory = {
    .read = unw_far_read, .table = unw_far_table, .code = unw_far_code,
    .text = unw_far_text };

static struct unw_regs unw_far_regs;    /* of a frame in libc's qsort */
static uint64_t unw_far_pc[64];         /* the walk from there */
static unsigned unw_far_n;

/* Called by qsort: take the registers, copy the stack, walk it here. */
__attribute__((noinline))
static int unw_far_take(const void *a, const void *b)
{
    static struct unw u;
    ucontext_t here;
    uint64_t sp;
    (void)a;
    (void)b;
    getcontext(&here);
    unw_self_memory_sig(&unw_far.own, &unw_far.self);
    unw_regs_of_context_sig(&unw_far_regs, &here);
#if defined __aarch64__
    unw_far_regs.r[UNW_PC] = unw_far_regs.r[UNW_RA];
#endif
    sp = unw_far.from = unw_far_regs.r[UNW_SP];
    for (unw_far.words = 0; unw_far.words < 16384; unw_far.words++)
        if (!unw_read_sig(&unw_far.own, sp + 8 * unw_far.words,
                          &unw_far.copy[unw_far.words]))
            break;
    u.regs = unw_far_regs;
    unw_far_n = unw_walk_sig(&u, &unw_far.own, unw_far_pc, 64);
    CHECK(u.end == UNW_ROOT);
    return 0;
}

/* Take a stack that passes through libc, and copy libc's tables to the end of a
 * page; return the copy's mapping and its bytes. */
static uint8_t *unw_far_begin(size_t *mapped)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int numbers[2] = { 2, 1 };
    struct unw_table t = {0};
    struct unw_cursor c;
    qsort(numbers, 2, sizeof *numbers, unw_far_take);
    CHECK(unw_far_n > 4 && unw_self_table_sig(unw_far_pc[1], &t));
    unw_far.real = t.hdr;
    c = (struct unw_cursor){ t.hdr + 4, t.hi, false };
    unw_far.eh_frame = unw_address_sig(&c, t.hdr[1], 0) - (uintptr_t)t.hdr;
    /* the entries end where their length is 0 */
    const uint8_t *p = t.hdr + unw_far.eh_frame;
    for (uint32_t n = 1; n; p += 4 + n)
        memcpy(&n, p, 4);
    unw_far.bytes = (size_t)(p - t.hdr);
    *mapped = (unw_far.bytes + 2 * page - 1) / page * page;
    uint8_t *map = mmap(NULL, *mapped, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(!mprotect(map + *mapped - page, page, PROT_NONE));
    uint8_t *fake = map + *mapped - page - unw_far.bytes;
    memcpy(fake, t.hdr, unw_far.bytes);
    unw_far.fake = fake;
    unw_far.indexed = false;
    return map;
}

/* Walk from where qsort called, over the copies. */
static unsigned unw_far_walk(struct unw *u, uint64_t *pc)
{
    u->regs = unw_far_regs;
    return unw_walk_sig(u, &unw_far_memory, pc, 64);
}

static void test_unw_copied_stack_and_tables(void)
{
    static struct unw u;
    uint64_t pc[64];
    size_t mapped;
    uint8_t *map = unw_far_begin(&mapped);
    CHECK(unw_far_walk(&u, pc) == unw_far_n && u.end == UNW_ROOT);
    CHECK(!memcmp(pc, unw_far_pc, unw_far_n * sizeof *pc));
    /* the same by an index of .eh_frame, which has as many entries */
    struct unw_table t = { .eh_frame = unw_far.fake + unw_far.eh_frame,
                           .lo = unw_far.fake,
                           .hi = unw_far.fake + unw_far.bytes,
                           .bias = (uintptr_t)unw_far.real -
                                   (uintptr_t)unw_far.fake };
    uint32_t most = unw_index(&u, &t, NULL, 0), listed;
    memcpy(&listed, unw_far.fake + 8, 4);
    CHECK(most == listed);
    unw_far.index = malloc(most * sizeof *unw_far.index);
    unw_far.entries = unw_index(&u, &t, unw_far.index, most);
    unw_far.indexed = true;
    CHECK(unw_far_walk(&u, pc) == unw_far_n && u.end == UNW_ROOT);
    CHECK(!memcmp(pc, unw_far_pc, unw_far_n * sizeof *pc));
    /* With half of the stack cut off each time, the walk returns the frames that
     * are left, then says that the rest is unreadable. */
    for (uint64_t all = unw_far.words; unw_far.words > 0; unw_far.words /= 2) {
        unsigned n = unw_far_walk(&u, pc);
        CHECK(n <= unw_far_n && !memcmp(pc, unw_far_pc, n * sizeof *pc));
        CHECK(u.end == UNW_ROOT || (u.end == UNW_UNREADABLE && n < unw_far_n));
        CHECK(unw_far.words == all || unw_far.words > 8 ||
              u.end == UNW_UNREADABLE);
    }
    free(unw_far.index);
    munmap(map, mapped);
}

/* Damaged tables: any number of frames, but the walk ends, and reads nothing
 * past them. */
static void test_unw_damaged_tables(void)
{
    static struct unw u;
    uint64_t pc[64], seed = 1, changed = 0;
    size_t mapped, places[64], n = 0;
    uint8_t *map = unw_far_begin(&mapped), *fake = (uint8_t *)unw_far.fake;
    /* what the walk reads of libc: its head, and each FDE and CIE */
    for (unsigned i = 0; i < unw_far_n && n < 60; i++) {
        if (unw_find_sig(&u, &unw_far_memory, unw_far_pc[i] - 1) ||
            u.table.lo != fake)
            continue;
        places[n++] = (size_t)(unw_pick_sig(&u, unw_far_pc[i] - 1) - fake);
        places[n++] = (size_t)(u.cie.at - fake);
    }
    CHECK(n >= 2);
    places[n++] = 0;
    for (unsigned round = 0; round < 30000; round++) {
        uint8_t was[4];
        size_t at[4];
        for (unsigned i = 0; i < 4; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            at[i] = places[(seed >> 33) % n] + (seed >> 48) % 64;
            at[i] %= unw_far.bytes;
            was[i] = fake[at[i]];
            fake[at[i]] = (uint8_t)(seed >> 40);
        }
        unsigned frames = unw_far_walk(&u, pc);
        CHECK(frames >= 1 && frames <= 64 && u.end != 0);
        changed += frames != unw_far_n ||
                   memcmp(pc, unw_far_pc, frames * sizeof *pc);
        for (unsigned i = 4; i-- > 0; )
            fake[at[i]] = was[i];
    }
    CHECK(changed > 100);
    CHECK(unw_far_walk(&u, pc) == unw_far_n && u.end == UNW_ROOT);
    munmap(map, mapped);
}

/* perf's order of registers, and that of a signal's context. */
static void test_unw_registers(void)
{
    uint64_t values[UNW_REGS];
    struct unw_regs r;
    for (unsigned i = 0; i < UNW_REGS; i++)
        values[i] = 100 + i;
    unw_regs_of_perf(&r, values);
    CHECK(r.known == (UINT64_C(1) << UNW_REGS) - 1);
    CHECK((unsigned)__builtin_popcountll(UNW_PERF_REGS) == UNW_REGS);
#if defined __x86_64__
    /* ax bx cx dx si di bp sp ip, r8 to r15 */
    CHECK(r.r[0] == 100 && r.r[3] == 101 && r.r[2] == 102 && r.r[1] == 103);
    CHECK(r.r[4] == 104 && r.r[5] == 105);
    CHECK(r.r[UNW_FP] == 106 && r.r[UNW_SP] == 107 && r.r[UNW_PC] == 108);
    CHECK(r.r[8] == 109 && r.r[15] == 116);
#else
    CHECK(r.r[0] == 100 && r.r[30] == 130);
    CHECK(r.r[UNW_SP] == 131 && r.r[UNW_PC] == 132);
#endif
    ucontext_t c;
    memset(&c, 0, sizeof c);
#if defined __x86_64__
    c.uc_mcontext.gregs[REG_RIP] = 1;
    c.uc_mcontext.gregs[REG_RSP] = 2;
    c.uc_mcontext.gregs[REG_RBP] = 3;
    c.uc_mcontext.gregs[REG_R15] = 4;
    unw_regs_of_context_sig(&r, &c);
    CHECK(r.r[15] == 4);
#else
    c.uc_mcontext.pc = 1;
    c.uc_mcontext.sp = 2;
    c.uc_mcontext.regs[29] = 3;
    unw_regs_of_context_sig(&r, &c);
#endif
    CHECK(r.r[UNW_PC] == 1 && r.r[UNW_SP] == 2 && r.r[UNW_FP] == 3);
    CHECK(r.known == (UINT64_C(1) << UNW_REGS) - 1);
}

/* Random registers: any pc of this program, of libc or of code without a table,
 * over any words of this stack. */
static void test_unw_any_registers(void)
{
    static struct unw u;
    const uint64_t code[] = { (uintptr_t)test_unw_any_registers,
                              (uintptr_t)qsort, (uintptr_t)snprintf,
                              (uintptr_t)unw_bare_framed, 0, UINT64_MAX - 64 };
    uint64_t seed = 1, pc[64], stack = (uintptr_t)&seed & ~UINT64_C(7);
    unsigned ends[UNW_UNSUPPORTED + 1] = { 0 };
    struct unw_self self;
    struct unw_memory m;
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < UNW_REGS; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            u.regs.r[i] = seed >> 63 ? stack + 8 * (seed >> 40 & 127) - 128
                                     : seed >> (seed >> 40 & 31);
        }
        u.regs.r[UNW_PC] = code[(seed >> 33) % 6] + (seed >> 45 & 63);
        u.regs.known = seed >> 20 | UINT64_C(1) << UNW_PC;
        unw_self_memory_sig(&m, &self);
        unsigned n = unw_walk_sig(&u, &m, pc, 64);
        CHECK(n >= 1 && n <= 64);
        CHECK(u.end >= UNW_ROOT && u.end <= UNW_UNSUPPORTED);
        ends[u.end]++;
    }
    CHECK(ends[UNW_NO_TABLE] > 100 && ends[UNW_UNREADABLE] > 100);
}
