/* perf.c -- unit tests of PERF: records in rings made here, processes that
 * start and end, stacks unwound by the files of this process. */

enum { PERF_MADE_BYTES = 4096 };

static struct {                         /* rings in place of the kernel's */
    struct perf_ring ring[2];
    struct perf_event_mmap_page page[2];
    uint8_t data[2][PERF_MADE_BYTES];
    struct ring_slot got[16];           /* what was drained */
    unsigned n;
} perf_made;

/* A pid of no process: above the kernel's highest. */
enum { PERF_PID = 0x7ffffff0 };

static void perf_made_begin(bool children)
{
    memset(&perf_made, 0, sizeof perf_made);
    for (int i = 0; i < 2; i++)
        perf_made.ring[i] = (struct perf_ring){
            .fd = -1, .page = &perf_made.page[i], .data = perf_made.data[i],
            .size = PERF_MADE_BYTES };
    memset(&perf_one, 0, sizeof perf_one);
    perf_one.config.children = children;
    perf_one.hz = 100;
    perf_one.ring = perf_made.ring;
    perf_one.nrings = 2;
    perf_one.page = calloc(PERF_PAGES, sizeof *perf_one.page);
    rec_one.engine = &smp_perf;
}

static void perf_made_end(void)
{
    for (size_t i = 0; i < tgt_all.nprocesses; i++)
        if (tgt_all.process[i])
            tgt_free(i);
    tgt_all.nprocesses = 0;
    tgt_all.short_ns = tgt_all.short_start_ns = 0;
    rec_data_fini();
    rec_one.engine = NULL;
    perf_fini();
    memset(&perf_one, 0, sizeof perf_one);
}

/* Let ring i begin at offset `at`. */
static void perf_made_at(int i, uint64_t at)
{
    perf_made.ring[i].tail = perf_made.ring[i].head = at;
    perf_made.page[i].data_head = perf_made.page[i].data_tail = at;
}

/* Append a record, which says that it has size bytes, to ring i. */
static void perf_made_put(int i, uint32_t type, uint16_t misc, size_t size,
                          const void *body, size_t n)
{
    struct perf_event_header h = { type, misc, (uint16_t)size };
    uint64_t at = perf_made.page[i].data_head;
    for (size_t k = 0; k < sizeof h + n; k++)
        perf_made.data[i][(at + k) % PERF_MADE_BYTES] = k < sizeof h ?
            ((const uint8_t *)&h)[k] : ((const uint8_t *)body)[k - sizeof h];
    perf_made.page[i].data_head = at + sizeof h + n;
}

/* The same for one of 8-byte words, with pid, tid and time at its end. */
static void perf_made_words(int i, uint32_t type, uint16_t misc,
                            const uint64_t *word, size_t n, uint64_t time_ns)
{
    uint64_t body[16];
    memcpy(body, word, n * 8);
    body[n] = 0;
    body[n + 1] = time_ns;
    perf_made_put(i, type, misc, 8 + (n + 2) * 8, body, (n + 2) * 8);
}

static uint64_t perf_pair(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* Fill body with a sample that has a callchain of two frames and n bytes of
 * stack; return its bytes. */
static size_t perf_made_sample(uint8_t *body, uint32_t pid, uint64_t time_ns,
                               uint64_t n)
{
    uint64_t w[16 + UNW_REGS] = { 0x1234, perf_pair(pid, pid + 1), time_ns, 3,
        (uint64_t)PERF_CONTEXT_USER, 0x1234, 0x5678,
        PERF_SAMPLE_REGS_ABI_64 };
    size_t at = 8;
    for (unsigned i = 0; i < UNW_REGS; i++)
        w[at++] = 0x100 + i;
    w[at++] = n;
    memcpy(body, w, at * 8);
    memset(body + at * 8, 0xab, n);
    w[0] = n / 2;
    memcpy(body + at * 8 + n, w, n ? 8 : 0);
    return at * 8 + n + (n ? 8 : 0);
}

static void perf_made_got(const struct ring_slot *s, void *user)
{
    (void)user;
    CHECK(perf_made.n < 16);
    if (perf_made.n < 16)
        memcpy(&perf_made.got[perf_made.n++], s, sizeof *s);
}

static void test_perf_samples_are_read(void)
{
    static uint8_t body[4096];
    struct perf_sample s;
    size_t n = perf_made_sample(body, 7, 99, 64);
    CHECK(perf_read_sample(&s, (struct perf_view){ body, n, false }));
    CHECK(s.ip == 0x1234 && s.pid == 7 && s.tid == 8 && s.time_ns == 99);
    CHECK(s.chain.n == 24 && s.regs_known && s.wanted == 64);
    CHECK(s.stack.n == 32 && s.stack.p[31] == 0xab);
#if defined __x86_64__                  /* the kernel's order: ax bx cx dx */
    CHECK(s.regs.r[0] == 0x100 && s.regs.r[3] == 0x101);
    CHECK(s.regs.r[UNW_SP] == 0x107 && s.regs.r[UNW_PC] == 0x108);
#endif
    for (size_t i = 0; i < n; i++) {    /* truncated: ASan finds over-reads */
        uint8_t *part = malloc(i + 1);
        memcpy(part, body, i);
        CHECK(!perf_read_sample(&s, (struct perf_view){ part, i, false }));
        free(part);
    }
    uint64_t huge = UINT64_MAX / 8 + 2; /* 16 when multiplied by 8 */
    memcpy(body + 24, &huge, 8);
    CHECK(!perf_read_sample(&s, (struct perf_view){ body, n, false }));
}

static void test_perf_records_wrap(void)
{
    static uint8_t body[1024];
    uint64_t lost[2] = { 0, 5 }, odd[3] = { 1, 2, 3 };
    for (uint64_t at = PERF_MADE_BYTES - 48; at < PERF_MADE_BYTES; at += 8) {
        perf_made_begin(true);
        perf_one.wide = true;           /* others' lost samples do not count */
        perf_made_at(0, at);
        perf_made_words(0, PERF_RECORD_LOST, 0, lost, 2, 10);
        perf_made_words(0, 99, 0, odd, 3, 11);          /* of a later kernel */
        size_t n = perf_made_sample(body, PERF_PID, 12, 64);
        perf_made_put(0, PERF_RECORD_SAMPLE, 0, 8 + n, body, n);
        perf_made_words(0, 13, 0, lost + 1, 1, 13);
        perf_drain(perf_made_got, NULL);
        CHECK(perf_one.lost == 10 && perf_made.n == 0);
        CHECK(perf_made.page[0].data_tail == perf_made.page[0].data_head);
        perf_made_end();
    }
}

static void test_perf_damaged_records(void)
{
    uint64_t lost[2] = { 0, 5 };
    static const uint16_t size[] = { 0, 4, 8, 16, 23, 56, 4096, 65535 };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        perf_made_begin(true);
        perf_made_put(0, PERF_RECORD_LOST, 0, size[i], lost, 16);
        perf_drain(perf_made_got, NULL);        /* all of it is dropped */
        CHECK(perf_one.lost == 1);
        CHECK(perf_made.page[0].data_tail == 24);
        perf_made_words(0, PERF_RECORD_LOST, 0, lost, 2, 1);
        perf_drain(perf_made_got, NULL);
        CHECK(perf_one.lost == 6);
        perf_made_end();
    }
    perf_made_begin(true);              /* more than fits */
    perf_made.page[0].data_head = PERF_MADE_BYTES + 8;
    perf_drain(perf_made_got, NULL);
    CHECK(perf_one.lost == 1);
    CHECK(perf_made.page[0].data_tail == PERF_MADE_BYTES + 8);
    perf_made_end();
}

static void test_perf_order_of_rings(void)
{
    static uint8_t body[1024];
    uint64_t fork[4] = { perf_pair(PERF_PID + 1, PERF_PID),
                         perf_pair(PERF_PID + 1, PERF_PID), 0, 0 };
    perf_made_begin(true);
    uint64_t now = (uint64_t)sys_now_ns();
    CHECK(perf_add(PERF_PID, "parent", 0, 0, MEM_NONE) == 0);
    perf_one.process[0].time_ns = now - 900;
    /* the sample of a child; on another CPU the fork that created it */
    size_t n = perf_made_sample(body, PERF_PID + 1, now - 500, 64);
    perf_made_put(0, PERF_RECORD_SAMPLE, 0, 8 + n, body, n);
    n = perf_made_sample(body, PERF_PID + 1, now + 3600000000000u, 64);
    perf_made_put(0, PERF_RECORD_SAMPLE, 0, 8 + n, body, n);
    perf_made_words(1, PERF_RECORD_FORK, 0, fork, 3, now - 600);
    perf_drain(perf_made_got, NULL);
    CHECK(perf_made.n == 1 && perf_one.lost == 0);
    CHECK(perf_made.got[0].tid == PERF_PID + 2);
    CHECK(perf_made.got[0].wall_ns == (int64_t)now - 500);
    CHECK(rec_data.nprocesses == 1);
    CHECK(rec_data.process[0].pid == PERF_PID + 1);
    /* the child ended before the drain: it is charged one period */
    CHECK(perf_made.got[0].cpu_ns == 10000000);
    /* a record with a later time stays in the ring */
    CHECK(perf_made.page[0].data_head - perf_made.page[0].data_tail == 8 + n);
    perf_made_end();
}

/* The name of process pid, "" if it has ended or is not known. */
static const char *perf_made_name(pid_t pid)
{
    uint32_t i = perf_find(pid);
    return i == MEM_NONE || tgt_all.process[i]->gone ? ""
                                                     : tgt_all.process[i]->name;
}

static void test_perf_processes_come_and_go(void)
{
    enum { A = PERF_PID, B, C };
    perf_made_begin(true);
    uint64_t t = (uint64_t)sys_now_ns() - 1000000;
    uint64_t fork[3] = { perf_pair(B, A), perf_pair(B, A), 0 };
    uint64_t thread[3] = { perf_pair(A, A), perf_pair(C, A), 0 };
    uint64_t comm[2] = { perf_pair(B, B), 0 }, exit[3] = { perf_pair(B, A) };
    uint64_t end[2] = { perf_pair(B, B), 700 };
    perf_add(A, "a", 0, 0, MEM_NONE);
    perf_one.process[0].time_ns = t;
    memcpy(&comm[1], "other\0\0", 8);
    perf_made_words(0, PERF_RECORD_FORK, 0, fork, 3, t + 1);
    perf_made_words(0, PERF_RECORD_FORK, 0, fork, 3, t + 1);
    perf_made_words(0, PERF_RECORD_FORK, 0, thread, 3, t + 2);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.nprocesses == 2 && !strcmp(perf_made_name(B), "a"));
    uint32_t first = perf_find(B);
    CHECK(tgt_all.process[first]->parent == 0);
    /* a new name is no new program */
    perf_made_words(0, PERF_RECORD_COMM, 0, comm, 2, t + 3);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.nprocesses == 2 && perf_find(B) == first);
    perf_made_words(0, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, comm, 2,
                    t + 4);
    perf_drain(perf_made_got, NULL);
    uint32_t second = perf_find(B);
    CHECK(second != first && !strcmp(perf_made_name(B), "other"));
    CHECK(tgt_all.process[first]->gone);
    CHECK(tgt_all.process[second]->parent == MEM_NONE);
    /* two counters of its thread, of two CPUs; then it ends */
    perf_made_words(0, PERF_RECORD_READ, 0, end, 2, t + 5);
    perf_made_words(1, PERF_RECORD_READ, 0, end, 2, t + 6);
    perf_made_words(1, PERF_RECORD_EXIT, 0, exit, 3, t + 7);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.process[second]->cpu_ns == 1400);
    CHECK(tgt_all.process[second]->gone && *perf_made_name(B) == 0);
    /* the kernel gives its id to another */
    perf_made_words(0, PERF_RECORD_FORK, 0, fork, 3, t + 8);
    perf_drain(perf_made_got, NULL);
    CHECK(!strcmp(perf_made_name(B), "a") && perf_find(B) != second);
    perf_made_end();
    perf_made_begin(false);             /* --no-children */
    perf_add(A, "a", 0, 0, MEM_NONE);
    perf_made_words(0, PERF_RECORD_FORK, 0, fork, 3, t + 1);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.nprocesses == 1);
    perf_made_end();
}

static void test_perf_first_program(void)
{
    uint64_t comm[2] = { perf_pair(PERF_PID, PERF_PID), 0 };
    memcpy(&comm[1], "other\0\0", 8);
    perf_made_begin(true);
    perf_one.config.before_exec = true;
    perf_one.config.pid = PERF_PID;
    perf_add(PERF_PID, "program", 0, 0, MEM_NONE);
    perf_made_words(0, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, comm, 2, 1);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.nprocesses == 1);
    CHECK(!strcmp(perf_made_name(PERF_PID), "program"));
    perf_made_words(0, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, comm, 2, 2);
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.nprocesses == 2);
    CHECK(!strcmp(perf_made_name(PERF_PID), "other"));
    perf_made_end();
}

static void test_perf_code_of_short_lives(void)
{
    uint64_t map[11] = { perf_pair(PERF_PID, PERF_PID), 0x10000, 0x2000, 0x1000,
                         perf_pair(8, 1), 77, 0, 0, 0, 0, 0 };
    perf_made_begin(true);
    uint32_t i = perf_add(PERF_PID, "a", 0, 0, MEM_NONE);
    const struct elf_space *s = &tgt_all.process[i]->space;
    memcpy(&map[8], "/lib/libmade.so", 16);
    perf_made_words(0, PERF_RECORD_MMAP2, 0, map, 10, 1);
    perf_drain(perf_made_got, NULL);
    const struct elf_map *k = elf_space_find(s, 0x11fff);
    CHECK(k && k->start == 0x10000 && k->offset == 0x1000 && k->inode == 77);
    CHECK(k && k->device == elf_device(8, 1) && k->kind == ELF_MAP_FILE);
    CHECK(k && !strcmp(k->path, "/lib/libmade.so"));
    CHECK(s->pid == PERF_PID);
    perf_made_end();
    perf_made_begin(true);              /* a name without an end */
    i = perf_add(PERF_PID, "a", 0, 0, MEM_NONE);
    for (size_t at = 8; at < 11; at++)
        memset(&map[at], 'x', 8);
    perf_made_put(0, PERF_RECORD_MMAP2, 0, 96, map, 88);
    perf_made.page[0].data_head = 96;
    perf_drain(perf_made_got, NULL);
    CHECK(tgt_all.process[i]->space.nmaps == 0);
    perf_made_end();
}

/* Code of no file is read from the process: once a drain, and what was read
 * stays known after its end.  A stack is followed through it. */
static void test_perf_code_of_a_jit(void)
{
    static const uint8_t code[] = { 0x48, 0x83, 0xc4, 8, 0xc3 };
    static struct ring_slot slot;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t at = (uint64_t)(uintptr_t)p, last = at + page - sizeof code;
    CHECK(p != MAP_FAILED);
    memcpy(p + page - sizeof code, code, sizeof code);
    perf_made_begin(true);
    uint32_t i = perf_add(getpid(), NULL, 0, 0, MEM_NONE);
    struct tgt_process *t = tgt_all.process[i];
    struct perf_sample s = { .regs_known = true };
    struct perf_walk w = { .process = t, .sample = &s };
    const uint8_t *got = perf_walk_text(&w, last, sizeof code);
    CHECK(got && !memcmp(got, code, sizeof code));
    CHECK(!perf_walk_text(&w, last, 16 + PERF_PAST_BYTES));
    CHECK(!perf_walk_text(&w, 0x1000, 1));      /* in no mapping */
    uint64_t word[] = { 9, (uint64_t)(uintptr_t)perf_walk_text };
    s.regs.r[UNW_PC] = last;
    s.regs.r[UNW_SP] = 0x70000;
    s.regs.known = UINT64_C(1) << UNW_PC | UINT64_C(1) << UNW_SP;
    s.stack = (struct perf_view){ (const uint8_t *)word, sizeof word, false };
    s.wanted = PERF_STACK_BYTES;
    perf_unwind(&slot, &s, t);
#if defined __x86_64__
    CHECK(slot.depth >= 2 && slot.pc[1] == word[1]);
#endif
    p[page - 1] = 0xcc;                 /* made anew: seen at the next drain */
    got = perf_walk_text(&w, last, sizeof code);
    CHECK(got && got[4] == 0xc3);
    perf_one.drains++;
    got = perf_walk_text(&w, last, sizeof code);
    CHECK(got && got[4] == 0xcc);
    munmap(p, page);
    perf_one.drains++;
    got = perf_walk_text(&w, last, sizeof code);
    CHECK(got && got[4] == 0xcc);
    t->pid = PERF_PID;                  /* it was never read from this one */
    CHECK(!perf_walk_text(&w, last, sizeof code));
    perf_made_end();
}

static void test_perf_stacks(void)
{
    static struct ring_slot slot;
    size_t mapped;
    uint8_t *fake = unw_far_begin(&mapped);
    perf_made_begin(true);
    uint32_t i = perf_add(getpid(), NULL, 0, 0, MEM_NONE);
    const struct tgt_process *p = tgt_all.process[i];
    uint64_t n = unw_far.words * 8;
    struct perf_sample s = { .regs = unw_far_regs, .regs_known = true,
        .stack = { (const uint8_t *)unw_far.copy, n, false }, .wanted = n };
    perf_unwind(&slot, &s, p);
    CHECK(slot.depth == unw_far_n && !slot.truncated && !slot.broken);
    CHECK(!memcmp(slot.pc, unw_far_pc, unw_far_n * sizeof *slot.pc));
    CHECK(perf_one.nfiles >= 2);        /* this program and libc */
    /* the kernel copied as much as was asked for, and that was too little */
    s.stack.n = s.wanted = 64;
    memset(&slot, 0, sizeof slot);
    perf_unwind(&slot, &s, p);
    CHECK(slot.depth >= 1 && slot.depth < unw_far_n);
    CHECK(slot.truncated && !slot.broken);
    /* the callchain goes on from there, but not to a known start */
    uint64_t chain[4] = { (uint64_t)PERF_CONTEXT_USER,
                          slot.pc[slot.depth - 1], 0xabc0, 0xdef0 };
    uint16_t depth = slot.depth;
    s.chain = (struct perf_view){ (const uint8_t *)chain, sizeof chain, false };
    perf_unwind(&slot, &s, p);
    CHECK(slot.depth == depth + 2 && slot.pc[depth + 1] == 0xdef0);
    CHECK(slot.broken && !slot.truncated);
    /* frames of the kernel are not followed */
    chain[0] = (uint64_t)PERF_CONTEXT_KERNEL;
    perf_unwind(&slot, &s, p);
    CHECK(slot.depth == depth && slot.truncated);
    /* without registers: what the counter saw */
    s.regs_known = false;
    s.ip = 0x4000;
    perf_unwind(&slot, &s, p);
    CHECK(slot.depth == 1 && slot.pc[0] == 0x4000 && slot.failed);
    munmap(fake, mapped);
    perf_made_end();
}

/* The kernel's four reasons to refuse a counter, and our messages. */
static void test_perf_refusals(void)
{
    struct gp_why why;
    perf_explain(7, ESRCH, &why);
    CHECK(!strcmp(why.text, "process 7 does not exist"));
    int level = perf_paranoid();
    if (level <= 2) {
        perf_explain(7, EPERM, &why);
        CHECK(strstr(why.text, "seccomp") && strstr(why.text, "PERFMON"));
        perf_explain(7, EACCES, &why);
        CHECK(strstr(why.text, "another user"));
    } else if (level < INT_MAX) {
        perf_explain(7, EACCES, &why);
        CHECK(strstr(why.text, "perf_event_paranoid=1"));
    }
}
