
/* ---- reports: VIEW, ANL, SVG, OUT ---- */

/* Return the node of v called name, or an empty one. */
static struct view_node unit_node(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->nnodes; i++)
        if (txt_equal(v->node[i].name, txt_slice(name)))
            return v->node[i];
    return (struct view_node){0};
}

/* True when b holds text. */
static bool unit_has(const struct buf *b, const char *text)
{
    return b->len && memmem(b->data, b->len, text, strlen(text));
}

/* Student's t as in tables; Welch's interval worked by hand. */
static void test_stat_runs(void)
{
    static const double t[][2] = { { 1, 12.706 }, { 2, 4.303 }, { 3, 3.182 },
        { 5, 2.571 }, { 9.5, 2.244 }, { 10, 2.228 }, { 12, 2.179 },
        { 19, 2.093 }, { 30, 2.042 }, { 59, 2.001 }, { 1000, 1.962 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        CHECK(fabs(stat_student(t[i][0]) / t[i][1] - 1) < 0.005);
    static const double old[] = { 20, 22, 19, 21, 23 };
    static const double now[] = { 30, 35, 25, 33, 27, 36 };
    struct stat_change c = stat_change_runs(old, 5, now, 6);
    CHECK(fabs(c.delta - 10) < 1e-9 && c.significant);
    /* errors 2.5 / 5 and 19.6 / 6: 1.9408; df 6.46, t 2.405 */
    CHECK(fabs(c.low - 5.33) < 0.03 && fabs(c.high - 14.67) < 0.03);
    CHECK(fabs(c.p - 0.00173) < 0.0003);
    CHECK(isnan(stat_change_runs(old, 1, now, 6).low));
    CHECK(isnan(stat_change_runs(old, 5, now, 0).delta));
}

/* Student's tail: closed forms for 1 and 2 degrees of freedom, the quantiles of
 * tables, the normal distribution far out. */
static void test_stat_tail(void)
{
    for (double t = 0; t < 40; t = t * 1.7 + 0.01) {
        CHECK(fabs(stat_tail_student(t, 1) - (1 - 2 * atan(t) / M_PI)) < 1e-9);
        CHECK(fabs(stat_tail_student(-t, 2) - (1 - t / sqrt(2 + t * t))) <
              1e-9);
    }
    CHECK(fabs(stat_tail_student(2.228139, 10) - 0.05) < 1e-6);
    CHECK(fabs(stat_tail_student(2.845340, 20) - 0.01) < 1e-6);
    CHECK(fabs(stat_tail_student(1.163, 37.6) - 0.2522) < 1e-3);
    CHECK(fabs(stat_tail_student(1.96, 1e5) - 0.05) < 1e-4);
    CHECK(fabs(stat_tail_student(1.96, INFINITY) - stat_tail(1.96)) < 1e-12);
}

/* Wilson's intervals against a table, in per mille. */
static void test_wilson(void)
{
    static const struct { double n, p; int low, high; } row[] = {
        { 110, 0, 0, 34 }, { 110, 6.0 / 110, 25, 114 }, { 110, 0.1, 57, 170 },
        { 110, 0.3, 222, 391 }, { 110, 0.5, 408, 592 },
        { 300, 0, 0, 13 }, { 300, 0.05, 31, 81 }, { 300, 0.1, 71, 139 },
        { 300, 0.3, 251, 354 }, { 300, 0.5, 444, 556 },
        { 1000, 0, 0, 4 }, { 1000, 0.05, 38, 65 }, { 1000, 0.1, 83, 120 },
        { 1000, 0.3, 272, 329 }, { 1000, 0.5, 469, 531 },
        { 3000, 0, 0, 1 }, { 3000, 0.05, 43, 58 }, { 3000, 0.1, 90, 111 },
        { 3000, 0.3, 284, 317 }, { 3000, 0.5, 482, 518 },
        { 10000, 0.05, 46, 54 }, { 10000, 0.1, 94, 106 },
        { 10000, 0.3, 291, 309 }, { 10000, 0.5, 490, 510 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double low, high;
        stat_wilson(row[i].p, row[i].n, STAT_Z, &low, &high);
        CHECK(fabs(low * 1000 - row[i].low) < 0.6);
        CHECK(fabs(high * 1000 - row[i].high) < 0.6);
    }
}

/* Kish's effective sample size: with equal weights it is the number of samples,
 * with one heavy sample less; a share's own agrees if weights are equal. */
static void test_kish(void)
{
    struct view_sum equal = {0}, uneven = {0}, part = {0}, heavy = {0};
    double low, high;
    for (int i = 0; i < 100; i++) {
        view_sum_add(&equal, 5, 1);
        view_sum_add(&uneven, i ? 1 : 901, 1);
    }
    view_sum_add(&part, 50, 10);
    view_sum_add(&heavy, 901, 1);
    CHECK(fabs(view_effective(&equal) - 100) < 1e-9);
    CHECK(fabs(view_effective(&uneven) - 1.2318) < 1e-3);
    struct stat_share s = stat_share(&part, &equal);
    stat_wilson(0.1, 100, STAT_Z, &low, &high);
    CHECK(s.share == 0.1);
    CHECK(fabs(s.low - low) < 1e-9 && fabs(s.high - high) < 1e-9);
    s = stat_share(&heavy, &uneven);
    CHECK(s.share > 0.9 && s.low < 0.5);
    /* Rows that do not show how unequal their samples are: a share near 1 has
     * an interval as narrow as the share of the rest has. */
    struct view_sum most = { 99990, 9999, 0, 999900, 0, NULL };
    struct view_sum whole = { 100000, 10000, 0, 16 * 1e6, 1e6, NULL };
    s = stat_share(&most, &whole);
    CHECK(s.share > 0.999 && s.low > 0.99);
    s = stat_share(&(struct view_sum){0}, &(struct view_sum){0});
    CHECK(isnan(s.share) && isnan(s.low));
}

/* Make part and all sums of x and y, by n blocks, of samples of weight 1. */
static void unit_series(struct view_times *t, struct view_sum *part,
                        const float *x, struct view_sum *all, const float *y)
{
    for (size_t b = 0; b < t->n; b++) {
        view_sum_add(part, (int64_t)x[b], (int64_t)x[b]);
        view_sum_add(all, (int64_t)y[b], (int64_t)y[b]);
    }
    part->series = view_series(t);
    all->series = view_series(t);
    memcpy(part->series->sum, x, t->n * sizeof *x);
    memcpy(all->series->sum, y, t->n * sizeof *y);
}

/* Two shares by 20 blocks: variance and design effect worked by hand, Welch's
 * test of their difference; and blocks that cannot be used. */
static void test_stat_blocks(void)
{
    static const float x[][20] = {
        { 20, 19, 30, 21, 21, 26, 23, 14, 22, 19, 11, 22, 13, 21, 11, 27, 14,
          18, 24, 43 },
        { 36, 18, 16, 11, 19, 23, 20, 23, 42, 16, 20, 30, 34, 22, 33, 27, 21,
          19, 18, 21 } };
    static const float y[][20] = {
        { 99, 104, 104, 96, 100, 101, 101, 104, 101, 97, 96, 98, 102, 106, 96,
          101, 99, 95, 97, 103 },
        { 99, 96, 94, 97, 98, 103, 98, 106, 96, 105, 98, 98, 100, 95, 105, 97,
          104, 94, 99, 97 } };
    struct arena arena = {0};
    struct view_times t = { .arena = &arena, .n = 20, .each = 1, .ns = 1,
                            .room = 100, .effect = 2 };
    struct view_sum part[3] = {{0}}, all[3] = {{0}};
    struct stat_share s[2];
    for (int i = 0; i < 2; i++) {
        unit_series(&t, &part[i], x[i], &all[i], y[i]);
        s[i] = stat_share(&part[i], &all[i]);
        CHECK(s[i].blocks == 20 && s[i].df > 9.9 && s[i].df < 10.1);
    }
    CHECK(fabs(s[0].share - 0.2095) < 1e-9);
    CHECK(fabs(s[0].effect - 3.73477) < 0.001);
    CHECK(fabs(s[1].effect - 3.90863) < 0.001);
    CHECK(fabs(s[0].n * s[0].effect - 2000) < 1e-6);
    struct stat_change c = stat_change_share(s);
    CHECK(fabs(c.delta - 0.02749) < 1e-5);
    /* By the blocks alone, t is 1.06484 with 19.8973 degrees of freedom.  The
     * sampling variance of 800 samples a side is added, for unlike runs. */
    CHECK(fabs(c.p - stat_tail_student(0.82902, 54.159)) < 1e-4);
    CHECK(fabs(c.between - 0.3939) < 1e-3);
    CHECK(c.low < 0 && c.high > 0 && c.low > -0.05 && c.high < 0.11);
    CHECK(!c.dependent);
    /* A share of 0 has the profile's mean design effect. */
    s[0] = stat_share(&(struct view_sum){0}, &all[0]);
    CHECK(s[0].blocks == 20 && isinf(s[0].df));
    CHECK(fabs(s[0].n - 1000) < 1e-6 && s[0].low <= 0);
    CHECK(fabs(s[0].high - 3.8415 / 1003.8) < 1e-4);
    /* A share in only three blocks: its design effect is at least 1. */
    float few[20] = { [3] = 4, [4] = 3, [11] = 4 };
    unit_series(&t, &part[2], few, &all[2], y[0]);
    s[0] = stat_share(&part[2], &all[2]);
    CHECK(isinf(s[0].df) && s[0].effect >= 1);
    /* Nine of ten samples have no block: a tenth of what is known. */
    struct view_sum tenth[2] = { part[0], all[0] };
    for (int i = 0; i < 2; i++) {
        tenth[i].value *= 10;
        tenth[i].samples *= 10;
        tenth[i].squares *= 10;
    }
    s[0] = stat_share(&tenth[0], &tenth[1]);
    CHECK(fabs(s[0].effect - 3.73477) < 0.001 && fabs(s[0].n - 5355.1) < 0.1);
    /* A share of all that has blocks does not vary between them. */
    struct view_sum most = all[0];
    most.value -= 100;
    most.samples -= 100;
    most.squares -= 100;
    s[0] = stat_share(&most, &all[0]);
    CHECK(s[0].blocks == 20 && s[0].effect >= 1 && s[0].effect <= 2);
    /* A block with a third of the samples: fewer degrees of freedom, no smaller
     * variance.  With three quarters: blocks are not used. */
    float x2[20], y2[20];
    for (int i = 0; i < 2; i++) {
        struct view_sum in = {0}, of = {0};
        memcpy(x2, x[0], sizeof x2);
        memcpy(y2, y[0], sizeof y2);
        x2[2] = i ? 1500 : 250;
        y2[2] = i ? 6240 : 1040;
        unit_series(&t, &in, x2, &of, y2);
        s[i] = stat_share(&in, &of);
    }
    CHECK(fabs(s[0].effect - 3.85980) < 0.001 && s[0].blocks == 20);
    CHECK(fabs(s[0].df - 5.78223) < 0.001);
    CHECK(!s[1].blocks && isinf(s[1].df) && s[1].effect <= 1);
    /* An idle process: fewer blocks than needed. */
    float idle[20] = { 50, 60, 40, 55, 1 }, some[20] = { 20, 10, 15, 5 };
    struct view_sum in = {0}, of = {0};
    unit_series(&t, &in, some, &of, idle);
    s[0] = stat_share(&in, &of);
    CHECK(!s[0].blocks && isinf(s[0].df) && s[0].effect <= 1);
    CHECK(fabs(s[0].n - 206) < 1e-9);
    /* Phases too long in one: nothing is tested. */
    t.dependence = 1.1;
    s[0] = stat_share(&part[0], &all[0]);
    s[1] = stat_share(&part[1], &all[1]);
    CHECK(s[0].df < 4.1);
    c = stat_change_share(s);
    CHECK(c.dependent && isnan(c.p) && !isnan(c.low));
    /* A filtered profile: the whole's blocks are those of the functions. */
    struct view_times left = { .arena = &arena, .n = 20, .each = 1, .ns = 1,
                               .room = 1 };
    struct anl a = { .view.times = &left };
    anl_use_whole(&a, &all[0]);
    CHECK(view_by_block(&a.view.total)[3] >= y[0][3] && !left.room);
    anl_use_whole(&a, &all[0]);
    CHECK(a.view.total.value == all[0].value);
    CHECK(!view_by_block(&a.view.total) && left.full);
    t.full = true;                      /* no memory */
    s[0] = stat_share(&part[0], &all[0]);
    CHECK(!s[0].blocks && s[0].effect <= 1);
    mem_arena_fini(&arena);
}

/* Simulated programs with phases: equal ones do not differ, intervals cover the
 * truth, too long phases are recognised; make truth T=sim simulates more. */
static void test_stat_phases(void)
{
    static const struct phases two = { "", 2, { { 1, 0 }, { 0, 1 } }, 0.5,
                                       false };
    static const struct phases more = { "", 2, { { 1, 0 }, { 0, 1 } }, 0.6,
                                        false };
    static const struct phases many = { "", 8,
        { { .40, .20, .10, .10, .08, .06, .04, .02 },
          { .20, .10, .20, .15, .10, .10, .10, .05 } }, 0.5, false };
    struct phases_count n[5] = {{0}};
    struct cat_rules rules;
    uint64_t seed = 20230101;
    CHECK(!cat_rules_init(&rules, (struct slice){0}, "", NULL));
    for (int i = 0; i < 40; i++) {
        phases_pair(&two, &two, 10, 10000, 50, &seed, &rules, &n[0]);
        phases_pair(&many, &many, 50, 10000, 50, &seed, &rules, &n[1]);
    }
    for (int i = 0; i < 10; i++) {
        phases_pair(&two, &two, 1000, 10000, 50, &seed, &rules, &n[2]);
        phases_pair(&two, &more, 10, 10000, 50, &seed, &rules, &n[3]);
        phases_pair(&two, &two, 200, 10000, 0, &seed, &rules, &n[4]);
    }
    for (int i = 0; i < 2; i++) {       /* of 40: 6% and 2.5 of its errors */
        CHECK(n[i].different <= 6 && n[i].refused_pairs <= 2);
        CHECK(n[i].covered >= 0.9 * n[i].rows);
        CHECK(n[i].covered < n[i].rows);
    }
    CHECK(n[2].refused_pairs >= 9 && n[2].different == 0);
    CHECK(n[3].different >= 7);
    CHECK(n[4].different >= 5);         /* without blocks: they seem to */
    cat_rules_fini(&rules);
}

/* What report says of blocks: of one profile, of two merged, whose blocks are
 * longer, and of one without blocks. */
static void test_stat_trust(void)
{
    static const struct phases two = { "", 2, { { 1, 0 }, { 0, 1 } }, 0.5,
                                       false };
    static const struct { size_t blocks, of, seen; double ms; } row[] = {
        { 50, 1, 50, 200 }, { 50, 2, 50, 400 }, { 0, 1, 0, 0 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p[2] = {{ .type = NULL }}, both = { .type = NULL };
        const char *const name[] = { "a", "b" };
        struct anl a;
        uint64_t seed = 5;
        for (size_t k = 0; k < row[i].of; k++)
            phases_profile(&p[k], &two, 50, 10000, row[i].blocks, &seed);
        if (row[i].of > 1)
            CHECK(!merge_profiles(&both, p, 2, name, NULL));
        CHECK(!anl_run(row[i].of > 1 ? &both : &p[0],
                       &(struct anl_config){ .calls = 0 }, &a, NULL));
        CHECK(a.trust.blocks == row[i].seen && !a.trust.dependent);
        CHECK(fabs(a.trust.block_ns - row[i].ms * 1e6) < 1);
        if (row[i].seen) {
            double worth = a.trust.samples / a.trust.effective;
            CHECK(worth > 10 && worth < 150);   /* true: 50 */
            CHECK(fabs(worth - a.trust.design_effect) < 0.01 * worth);
        } else {
            CHECK(isnan(a.trust.design_effect));
            CHECK(fabs(a.trust.samples - a.trust.effective) < 1e-6);
        }
        anl_fini(&a);
        pp_fini(&p[0]);
        pp_fini(&p[1]);
        pp_fini(&both);
    }
}

/* A load that comes and goes is no phase, if the only function with blocks has
 * all samples that have blocks. */
static void test_stat_load(void)
{
    struct pp p;
    struct pp_when when[40];
    struct anl a;
    int64_t sum = 0;
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/srv/app", 0x400000);
    for (uint32_t b = 0; b < 40; b++) {
        when[b] = (struct pp_when){ 0, b, b < 20 ? 90 + b % 7 : 30 + b % 5 };
        sum += when[b].n;
    }
    unit_sample(&p, sum, unit_location(&p, m, 0x400000, "main"), MEM_NONE,
                MEM_NONE);
    unit_sample(&p, 20, unit_location(&p, 0, 4, "[unsampled]"), MEM_NONE,
                MEM_NONE);
    CHECK(!pp_set_blocks(&p, 40, 100000000, when, 40));
    CHECK(!anl_run(&p, &(struct anl_config){ .calls = 0 }, &a, NULL));
    CHECK(a.trust.blocks == 40 && !a.trust.dependent);
    CHECK(fabs(a.trust.design_effect - 1) < 1e-9);
    anl_fini(&a);
    pp_fini(&p);
}

/* Independent random samples in 60 blocks, one of which has 30 times as many as
 * any other: the design effect is 1 on average; intervals cover the truth. */
static void test_stat_burst(void)
{
    enum { DRAWS = 400, BLOCKS = 60 };
    double effect = 0;
    int covered = 0;
    uint64_t seed = 3;
    for (int i = 0; i < DRAWS; i++) {
        struct arena arena = {0};
        struct view_times t = { .arena = &arena, .n = BLOCKS, .each = 1,
                                .ns = 1, .room = 2, .effect = 1 };
        struct view_sum part = {0}, all = {0};
        float x[BLOCKS] = {0}, y[BLOCKS];
        for (int b = 0; b < BLOCKS; b++) {
            y[b] = (float)stat_random_count(&seed, b == 20 ? 300 : 10);
            for (int n = 0; n < (int)y[b]; n++)
                x[b] += stat_random_part(&seed) < 0.3;
        }
        unit_series(&t, &part, x, &all, y);
        struct stat_share s = stat_share(&part, &all);
        covered += s.blocks && s.low <= 0.3 && 0.3 <= s.high;
        effect += s.effect / DRAWS;
        mem_arena_fini(&arena);
    }
    CHECK(effect > 0.93 && effect < 1.07);
    CHECK(covered > 0.92 * DRAWS && covered < 0.98 * DRAWS);
}

/* The category of a function called name in a program, by the built-in rules.
 * hint is another function of the program, which tells its language; module and
 * file of the function may be "". */
static uint8_t unit_category(const char *program, const char *hint,
                             const char *name, const char *module,
                             const char *file)
{
    struct pp p;
    struct view v;
    struct cat_rules rules;
    struct cat_class *c = NULL;
    unit_profile(&p);
    uint32_t main = *program ? unit_mapping(&p, program, 0) : MEM_NONE;
    uint32_t libc = unit_mapping(&p, "/lib/libc.so.6", 0x800000);
    uint32_t m = strcmp(module, "libc") == 0 ? libc : strcmp(module, "none") == 0
               ? MEM_NONE : *module ? unit_mapping(&p, module, 0x900000) : main;
    unit_location(&p, m, 1, name);
    if (*file && p.nfunctions)
        p.function[0].file = txt_slice(file);
    unit_location(&p, main, 2, hint);
    CHECK(!view_init(&v, &p, 1, VIEW_APART, NULL));
    CHECK(!cat_rules_init(&rules, (struct slice){0}, "", NULL));
    c = cat_classify_all(&v, &rules, &(uint32_t){0});
    uint8_t category = c ? c[v.frame[0]].category : CAT_COUNT;
    mem_free(c);
    cat_rules_fini(&rules);
    view_fini(&v);
    pp_fini(&p);
    return category;
}

/* The built-in rules: name, module and file to category, by language. */
static void test_classes(void)
{
    static const char app[] = "/opt/server", h2[] = "/usr/lib/libnghttp2.so.14",
        z[] = "/lib/libz.so.1", go[] = "runtime.mcall", jvm[] = "java.lang.X.y",
        kernel[] = "[kernel.kallsyms]", own[] = "/usr/bin/grpcprof",
        py[] = "/usr/bin/python3";
    static const struct {
        const char *program, *hint, *name, *module, *file;
        uint8_t category;
    } row[] = {
        { app, "", "send", "libc", "", CAT_NETWORK },
        { app, "", "__libc_recv", "libc", "", CAT_NETWORK },
        { app, "", "__GI___libc_send", "libc", "", CAT_NETWORK },
        { app, "", "__epoll_pwait2", "libc", "", CAT_NETWORK },
        { app, "", "sendfile64", "libc", "", CAT_NETWORK },
        { app, "", "write", "libc", "", CAT_SYSCALLS },
        { app, "", "__fsync", "libc", "", CAT_SYSCALLS },
        { app, "", "_int_malloc", "libc", "", CAT_MEMORY },
        { app, "", "malloc@@GLIBC_2.2.5", "libc", "", CAT_MEMORY },
        { app, "", "unlink_chunk.isra.0", "libc", "", CAT_MEMORY },
        { app, "", "__memmove_avx_unaligned_erms", "libc", "", CAT_COPY },
        { app, "", "__strlen_avx2", "libc", "", CAT_LIBRARIES },
        { app, "", "___pthread_mutex_lock", "libc", "", CAT_LOCKS },
        { app, "", "__GI___clock_gettime", "libc", "", CAT_TIME },
        { app, "", "__vdso_clock_gettime", "[vdso]", "", CAT_TIME },
        { app, "", "qsort", "libc", "", CAT_LIBRARIES },
        { app, "", "send", "", "", CAT_APPLICATION },
        { app, "", "main", "", "", CAT_APPLICATION },
        { app, "", "h2_send", "", "", CAT_APPLICATION },
        { app, "", "helper", "/opt/libown.so", "", CAT_APPLICATION },
        { app, "", "helper", "/usr/lib/libfoo.so.1", "", CAT_LIBRARIES },
        { app, "", "hd_inflate_commit", h2, "", CAT_PROTOCOL },
        { app, "", "longest_match", z, "", CAT_COMPRESSION },
        { app, "", "operator new(unsigned long)", "", "", CAT_MEMORY },
        { app, "", "std::vector<int>::push_back", "", "", CAT_LIBRARIES },
        { app, "", "std::unique_ptr<X> grpc_core::Make<int>(int)", "", "",
          CAT_PROTOCOL },
        { app, "", "(anonymous namespace)::Cart::Add(int)", "", "",
          CAT_APPLICATION },
        { app, "", "shop::Req::_InternalSerialize(unsigned char*) const", "",
          "", CAT_SERIAL },
        { app, "", "<&mut h2::Codec<T> as core::fmt::Debug>::fmt", "", "",
          CAT_PROTOCOL },
        { app, "", "<shop::Cart as core::ops::Drop>::drop", "", "",
          CAT_APPLICATION },
        { app, "", "<str as core::fmt::Display>::fmt", "", "", CAT_LIBRARIES },
        { app, "", "tokio::runtime::task::Harness<T,S>::poll", "", "",
          CAT_LIBRARIES },
        { app, "", "tokio::net::tcp::read", "", "", CAT_NETWORK },
        { app, "", "src/a.rs:7 - prost::encode", "", "", CAT_SERIAL },
        { app, "", "pprof::profiler::perf_signal_handler", "", "",
          CAT_PROFILER },
        { app, "", "aesni_ctr32_encrypt_blocks", "", "", CAT_CRYPTO },
        { app, "", "tcp_sendmsg", kernel, "", CAT_NETWORK },
        { app, "", "do_syscall_64", kernel, "", CAT_SYSCALLS },
        { app, "", "futex_wait_queue", kernel, "", CAT_LOCKS },
        { app, "", "handle_mm_fault", kernel, "", CAT_MEMORY },
        { app, "", "", "", "", CAT_UNKNOWN }, { app, "", "", h2, "",
          CAT_PROTOCOL },
        { app, "", "", "libc", "", CAT_LIBRARIES },
        { app, "", "[unsampled]", "none", "", CAT_UNKNOWN },
        { app, "", "[profiler]", "none", "", CAT_PROFILER },
        { "", jvm, "java.net.Socket.read", "", "", CAT_NETWORK },
        { "", jvm, "java/util/HashMap.get", "", "", CAT_LIBRARIES },
        { "", jvm, "io.grpc.internal.X.run", "", "", CAT_PROTOCOL },
        { "", jvm, "com.google.protobuf.Parser.parse", "", "", CAT_SERIAL },
        { "", jvm, "com.example.Work.run", "", "", CAT_APPLICATION },
        { "", jvm, "net.example.Work.run", "", "", CAT_APPLICATION },
        { "", jvm, "G1ParScanThreadState::trim_queue", "/x/libjvm.so", "",
          CAT_MEMORY },
        { py, "", "_PyEval_EvalFrameDefault", "", "", CAT_LIBRARIES },
        { py, "", "take_gil", "", "", CAT_LOCKS },
        { "", "", "send", "", "/app/handlers.py", CAT_APPLICATION },
        { "", "", "send", "", "/usr/lib/python3.12/socket.py", CAT_NETWORK },
        { "", "", "x", "", "/v/site-packages/grpc/_channel.py", CAT_PROTOCOL },
        { "", "", "connect", "", "/app/db.js", CAT_APPLICATION },
        { "", "", "connect", "", "node:net", CAT_NETWORK },
        { "", "(root)", "(garbage collector)", "", "", CAT_MEMORY },
        { "", "(root)", "LazyCompile:*handle /app/a.js:10", "", "",
          CAT_APPLICATION },
        { "", "System.Threading.X.Y", "System!String.Concat", "", "",
          CAT_LIBRARIES },
        { "", "System.Threading.X.Y", "Shop!Cart.Total", "", "",
          CAT_APPLICATION },
        { "", "", "Order#total", "", "/app/order.rb", CAT_APPLICATION },
        { "", "", "Base#find", "", "/usr/lib/ruby/gems/3.2/gems/ar-7/b.rb",
          CAT_LIBRARIES },
        { own, "", "h2_send", "", "", CAT_PROTOCOL },
        { own, "", "net_loop", "", "", CAT_NETWORK },
        { own, "", "svc_say_hello", "", "", CAT_APPLICATION },
        { own, "", "rec_drain", "", "", CAT_PROFILER },
        { own, "", "main", "", "", CAT_LIBRARIES },
        { app, go, "main.handler", "", "", CAT_APPLICATION },
        { app, go, "main.coldStart", "", "", CAT_APPLICATION },
        { app, go, "encoding/json.Marshal", "", "", CAT_SERIAL },
        { app, go, "net/http.(*conn).serve", "", "", CAT_PROTOCOL },
        { app, go, "net.(*conn).Write", "", "", CAT_NETWORK },
        { app, go, "net/url.Parse", "", "", CAT_LIBRARIES },
        { app, go, "syscall.Syscall", "", "", CAT_SYSCALLS },
        { app, go, "os.(*File).Write", "", "", CAT_SYSCALLS },
        { app, go, "sync.(*Pool).Get", "", "", CAT_MEMORY },
        { app, go, "sync/atomic.AddInt64", "", "", CAT_LOCKS },
        { app, go, "runtime.findRunnable", "", "", CAT_LOCKS },
        { app, go, "strings.Split", "", "", CAT_LIBRARIES },
        { app, go, "runtime.gcDrain", "", "", CAT_MEMORY },
        { app, go, "google.golang.org/grpc/internal/x.F", "", "",
          CAT_PROTOCOL },
        { app, go, "example.org/shop.Buy", "", "", CAT_APPLICATION },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint8_t is = unit_category(row[i].program, row[i].hint, row[i].name,
                                   row[i].module, row[i].file);
        if (is != row[i].category)
            printf("%s %s is %s\n", row[i].name, row[i].file, cat_name[is]);
        CHECK(is == row[i].category);
    }
}

/* The user's rules: valid ones, and those that are refused. */
static void test_rules(void)
{
    static const struct { const char *text, *what; } bad[] = {
        { "nothing x*", "unknown category 'nothing'" },
        { "network", "no pattern" }, { "network lang=cobol x", "cobol" },
        { "network is=odd x", "unknown kind" },
        { "network under=x y", "unknown category" }, { "[go]", "not a scope" },
        { "+ x", "unknown category '+'" },
    };
    static const char good[] = "# mine\n[lang=go]\nlocks mine.*\n"
        "+ yours.*\n[any]\n"
        "network under=application step\nmemory file=*/pool.c\n"
        "crypto module=libx.so* # all of it\n";
    struct cat_rules r;
    struct gp_why why;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(cat_rules_init(&r, txt_slice(bad[i].text), "my.rules", &why) ==
              GP_EUSAGE);
        if (!strstr(why.text, bad[i].what))
            printf("%s: %s\n", bad[i].text, why.text);
        CHECK(strstr(why.text, bad[i].what) &&
              strstr(why.text, "my.rules:1: "));
        CHECK(!r.rule);
    }
    CHECK(!cat_rules_init(&r, txt_slice(good), "my.rules", &why));
    CHECK(txt_equal(r.rule[1].name, txt_slice("yours.*")) &&
          r.rule[1].lang == CAT_GO && r.rule[1].category == CAT_LOCKS);
    CHECK(r.own == 5 && r.rule[0].line == 3 && r.rule[1].line == 4);
    CHECK(r.rule[2].under == 1 << CAT_APPLICATION && r.rule[2].lang == CAT_ANY);
    CHECK(txt_equal(r.rule[3].name, txt_slice("*")) && r.rule[3].file.p &&
          r.rule[4].module.p && !r.rule[4].file.p);
    cat_rules_fini(&r);
}

/* A helper function of the kernel counts as its caller in the kernel. */
static void test_kernel_helpers(void)
{
    static const struct { const char *leaf, *caller; uint8_t category; } row[] =
    {
        { "_raw_spin_lock", "tcp_sendmsg", CAT_NETWORK },
        { "copy_user_generic", "ext4_file_write_iter", CAT_SYSCALLS },
        { "__schedule", "futex_wait_queue", CAT_LOCKS },
        { "clear_page_erms", "do_anonymous_page", CAT_MEMORY },
        { "apic_timer_interrupt", NULL, CAT_SYSCALLS },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct anl a;
        struct anl_config c = {0};
        unit_profile(&p);
        uint32_t k = unit_mapping(&p, "[kernel.kallsyms]", 0);
        uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
        uint32_t leaf = unit_location(&p, k, 1, row[i].leaf);
        uint32_t work = unit_location(&p, m, 0x400010, "work");
        uint32_t call = row[i].caller ? unit_location(&p, k, 2, row[i].caller)
                                      : work;
        unit_sample(&p, 1000, leaf, call, row[i].caller ? work : MEM_NONE);
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(a.by_share[0] == row[i].category);
        CHECK(a.napps == 1 && a.app[0].nparts == 1);
        CHECK(a.app[0].below[row[i].category].samples == 1000);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* The application's functions: by total, with those that only call others of
 * the application last, and without main; and the parts of their time. */
static void test_application_functions(void)
{
    struct pp p;
    struct anl a;
    struct anl_config c = {0};
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
    uint32_t l = unit_mapping(&p, "/usr/lib/libz.so.1", 0x800000);
    uint32_t root = unit_location(&p, m, 0x400000, "main");
    uint32_t serve = unit_location(&p, m, 0x400001, "serve");
    uint32_t audit = unit_location(&p, m, 0x400002, "audit");
    uint32_t price = unit_location(&p, m, 0x400003, "price");
    uint32_t zip = unit_location(&p, l, 0x800001, "deflate");
    const uint32_t deep[] = { zip, audit, serve, root };
    const uint32_t flat[] = { audit, serve, root };
    const uint32_t less[] = { price, serve, root };
    pp_add_sample(&p, deep, 4, (int64_t[]){ 600, 600000000 }, NULL, 0);
    pp_add_sample(&p, flat, 3, (int64_t[]){ 100, 100000000 }, NULL, 0);
    pp_add_sample(&p, less, 3, (int64_t[]){ 300, 300000000 }, NULL, 0);
    p.duration_ns = 1000000000;
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.napps == 3);
    static const char *const name[] = { "audit", "price", "serve" };
    static const int64_t total[] = { 700, 300, 1000 }, own[] = { 700, 300, 0 };
    for (size_t i = 0; i < 3; i++) {
        const struct anl_function *f = &a.function[a.app[i].row];
        CHECK(txt_equal(a.view.node[f->node].name, txt_slice(name[i])));
        CHECK(f->cum.sum.samples == total[i]);
        CHECK(a.app[i].own.sum.samples == own[i]);
        CHECK(a.app[i].passes == (i == 2));
    }
    CHECK(a.app[0].below[CAT_COMPRESSION].samples == 600);
    CHECK(a.app[0].below[CAT_APPLICATION].samples == 100);
    CHECK(a.app[0].nparts == 1 && a.app[0].part[0].sum.samples == 600);
    CHECK(txt_equal(a.view.node[a.app[0].part[0].node].name,
                    txt_slice("deflate")));
    CHECK(a.app[0].ncalls == 1 && a.app[0].call[0].node == a.app[0].part[0].node);
    CHECK(a.app[0].call[0].category == CAT_COMPRESSION && !a.app[2].ncalls);
    CHECK(strstr(a.verdict.text, "audit takes 70.0% of the CPU time, 60.0 "
                 "points of it in compression below it"));
    CHECK(a.nadvice && strstr(a.advice[0].text, "Optimise audit first"));
    anl_fini(&a);
    pp_fini(&p);
}

/* main is in the stacks of all that runs, so it is a frame of the application
 * only if there are no other functions of it. */
static void test_main_is_no_application_frame(void)
{
    for (int functions = 0; functions < 2; functions++) {
        struct pp p;
        struct anl a;
        struct anl_config c = {0};
        unit_profile(&p);
        uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
        uint32_t l = unit_mapping(&p, "/usr/lib/libz.so.1", 0x800000);
        uint32_t root = unit_location(&p, m, 0x400000, "main");
        uint32_t audit = unit_location(&p, m, 0x400001, "audit");
        uint32_t zip = unit_location(&p, l, 0x800001, "deflate");
        unit_sample(&p, 300, zip, root, MEM_NONE);
        unit_sample(&p, 200, zip, functions ? audit : root,
                    functions ? root : MEM_NONE);
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(a.napps == 1 && fabs(a.trust.no_app_frame -
                                   (functions ? 0.6 : 0)) < 1e-9);
        CHECK(fabs(a.finding[CAT_COMPRESSION].on_behalf -
                   (functions ? 0.4 : 1)) < 1e-9);
        CHECK(a.app[0].own.sum.samples == (functions ? 200 : 500));
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* What would resolve an assertion: a whole number of runs, times as many
 * samples, or nothing: too many would be needed, or the timer's error decides.
 */
static void test_assertions_need_more(void)
{
    static const struct { size_t runs; double more, timing; const char *want;
                          double bound; }      /* 0: 0.25 */
    row[] = {
        { 0, INFINITY, 0, ".  The bound is too close for more samples to "
                          "resolve it: set another", 0.30 },
        { 3, 1.1, 0, ".  To resolve it: about 4 runs on each side", 0 },
        { 3, 1, 0, ".  To resolve it: about 4 runs on each side", 0 },
        { 3, 2.1, 0, ".  To resolve it: about 7 runs on each side", 0 },
        { 5, 20.5, 0, ".  The bound is too close for more runs to resolve it: "
                      "set another", 0 },
        { 0, 1.12, 0, ".  To resolve it: about 1.2 times as many samples in "
                      "both profiles, or several runs: --runs", 0 },
        { 0, 601, 0, ".  The bound is too close for more samples to resolve "
                     "it: set another", 0 },
        { 0, 601, 0.01, ".  The bound is too close for more samples to resolve "
                        "it: set another", 0 },
        { 3, INFINITY, 0.06, ".  More runs narrow the interval but do not "
                             "resolve it: the bound is nearer to the value "
                             "than the timer's error", 0 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct compare_assert t = { .measure = COMPARE_DELTA,
            .runs = row[i].runs, .more = row[i].more, .timing = row[i].timing,
            .value = 0.30, .more_ns = NAN,
            .bound = { .value = row[i].bound > 0 ? row[i].bound : 0.25 } };
        struct buf b = {0};
        compare_put_more(&b, &t);
        CHECK(txt_equal(mem_slice(&b), txt_slice(row[i].want)));
        mem_fini(&b);
    }
}

/* Bounds of labels are read to the largest integer; a larger one is that, not an
 * expression. */
static void test_filter_bounds(void)
{
    static const struct { const char *text; bool range; double low, high; }
    row[] = {
        { "bytes=16:", true, 16, INFINITY }, { "bytes=:64", true, -INFINITY, 64 },
        { "bytes=922337203685477580:", true, 922337203685477580e0, INFINITY },
        { "bytes=922337203685477581", true, 922337203685477581e0,
          922337203685477581e0 },
        { "bytes=9223372036854775807:", true, (double)INT64_MAX, INFINITY },
        { "bytes=99999999999999999999:", true, (double)INT64_MAX, INFINITY },
        { "bytes=-99999999999999999999:1", true, -(double)INT64_MAX, 1 },
        { "bytes=1a2", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct filter f = {0};
        CHECK(!filter_condition_init(&f.tags[0], "--tagfocus", row[i].text,
                                     NULL));
        CHECK((f.tags[0].nre == 0) == row[i].range);
        CHECK(!row[i].range || (f.tags[0].low == row[i].low &&
                                f.tags[0].high == row[i].high));
        filter_fini(&f);
    }
}

/* Times of -f raw are as Go prints them, never with an exponent. */
static void test_pprof_raw_times(void)
{
    static const struct { int64_t ns; const char *want; } length[] = {
        { 1, "1ns" }, { 1500, "1.5\xc2\xb5" }, { 12345, "12.3" },
        { 999999, "999." }, { 1500000, "1.5m" }, { 1000000000, "1s" },
        { 1000000001, "1.00" }, { 6010000000, "6.01" }, { 59999999999, "59.9" },
        { 60000000000, "1m0s" }, { 60000010000, "1m0." },
        { 61500000000, "1m1." }, { 3600000000000, "1h0m" },
        { 36610000010000, "10h1" }, { -60000010000, "-1m0" },
    }, moment[] = {
        { 1764561600000012345, "2025-12-01 04:00:00.000012345 +0000 UTC" },
        { 1764561600000000001, "2025-12-01 04:00:00.000000001 +0000 UTC" },
        { 1764561600120000000, "2025-12-01 04:00:00.12 +0000 UTC" },
        { 1764561610000000000, "2025-12-01 04:00:10 +0000 UTC" },
        { -1, "1969-12-31 23:59:59.999999999 +0000 UTC" },
    };
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        struct buf b = {0};
        pprof_raw_duration(&b, length[i].ns);
        CHECK(txt_equal(mem_slice(&b), txt_slice(length[i].want)));
        mem_fini(&b);
    }
    for (size_t i = 0; i < sizeof moment / sizeof *moment; i++) {
        struct buf b = {0};
        pprof_raw_time(&b, moment[i].ns);
        CHECK(txt_equal(mem_slice(&b), txt_slice(moment[i].want)));
        mem_fini(&b);
    }
}

/* Changes of totals are in order of size: a function that passes most of its
 * change on comes after the one that has it, but not after small changes. */
static void test_changes_in_order(void)
{
    static const char *const name[] = { "audit", "serve", "format", "parse",
        "total", "price" };
    static const int64_t self[2][6] = { { 300, 100, 50, 60, 70, 600 },
                                        { 600, 130, 48, 61, 71, 600 } };
    struct pp p[2];
    struct anl a[2];
    struct anl_config c = {0};
    struct compare_diff d;
    for (int k = 0; k < 2; k++) {
        unit_profile(&p[k]);
        uint32_t m = unit_mapping(&p[k], "/opt/server", 0x400000), at[6];
        uint32_t root = unit_location(&p[k], m, 0x400000, "main");
        for (uint32_t i = 0; i < 6; i++)
            at[i] = unit_location(&p[k], m, 0x400001 + i, name[i]);
        for (int i = 0; i < 6; i++)     /* serve calls audit */
            unit_sample(&p[k], self[k][i], at[i], i ? root : at[1],
                        i ? MEM_NONE : root);
        CHECK(!anl_run(&p[k], &c, &a[k], NULL));
        a[k].calls = 1000;
    }
    CHECK(!compare_run(&d, &a[1], &a[0], NULL, true, false));
    CHECK(d.ntotal == 7);         /* main, too */
    for (size_t i = 0; i < 3 && i < d.ntotal; i++) {
        const struct compare_change *x = &d.change[d.by_total[i]];
        static const char *const want[] = { "audit", "serve", "format" };
        CHECK(txt_equal(a[1].view.node[x->now].name, txt_slice(want[i])));
        CHECK(x->passes == (i == 1));
        CHECK(x->total.significant == (i < 2));
    }
    for (size_t i = 0; i < d.ntotal; i++)       /* without significance, too */
        d.change[i].total.significant = false;
    qsort_r(d.by_total, d.ntotal, sizeof *d.by_total, compare_totals, d.change);
    CHECK(txt_equal(a[1].view.node[d.change[d.by_total[1]].now].name,
                    txt_slice("serve")));
    compare_fini(&d);
    for (int k = 0; k < 2; k++) {
        anl_fini(&a[k]);
        pp_fini(&p[k]);
    }
}

/* The time of a closure counts as its function's own, too. */
static void test_closures_of_functions(void)
{
    static const struct { const char *inner, *outer; bool nested; } row[] = {
        { "main.audit.func1", "main.audit", true },
        { "main.audit.func1.2", "main.audit.func1", true },
        { "shop::audit::{{closure}}", "shop::audit", true },
        { "lambda$audit$0", "Shop.audit", true },
        { "block in Shop#audit", "Shop#audit", true },
        { "<lambda>", "audit", true }, { "main.auditor", "main.audit", false },
        { "main.audit", "main.audit", false }, { "price", "audit", false },
        { "audit", "", false },
    };
    struct pp p;
    struct anl a;
    struct anl_config c = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (anl_nested(txt_slice(row[i].inner), txt_slice(row[i].outer)) !=
            row[i].nested)
            printf("%s in %s\n", row[i].inner, row[i].outer);
        CHECK(anl_nested(txt_slice(row[i].inner), txt_slice(row[i].outer)) ==
              row[i].nested);
    }
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
    uint32_t serve = unit_location(&p, m, 0x400001, "serve");
    uint32_t audit = unit_location(&p, m, 0x400002, "shop::audit");
    uint32_t each = unit_location(&p, m, 0x400003, "shop::audit::{{closure}}");
    const uint32_t deep[] = { each, audit, each, audit, serve };
    pp_add_sample(&p, deep, 5, (int64_t[]){ 600, 600000000 }, NULL, 0);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.napps == 3 && a.app[0].own.sum.samples == 600);
    CHECK(txt_equal(anl_app_name(&a, &a.app[0]), txt_slice("shop::audit")));
    CHECK(txt_equal(anl_app_name(&a, &a.app[2]), txt_slice("serve")));
    anl_fini(&a);
    pp_fini(&p);
}

/* Functions of one name in several files are nodes of their own. */
static void test_names_of_many_files(void)
{
    struct pp p;
    struct view v;
    unit_profile(&p);
    static const char *const file[] = { "/app/a/index.js", "/app/b/index.js",
                                        "/app/a/index.js" };
    for (size_t i = 0; i < 3; i++) {
        uint32_t at = unit_location(&p, MEM_NONE, i + 1, "(anonymous)");
        p.function[i].file = txt_slice(file[i]);
        unit_sample(&p, (int64_t)i + 1, at, MEM_NONE, MEM_NONE);
    }
    CHECK(!view_init(&v, &p, 1, VIEW_APART, NULL));
    CHECK(v.nnodes == 2 && v.frame[0] == v.frame[2] && v.frame[0] != v.frame[1]);
    CHECK(v.node[v.frame[0]].flat.samples == 4);
    CHECK(txt_equal(v.node[v.frame[1]].file, txt_slice("b/index.js")));
    view_fini(&v);
    CHECK(!view_init(&v, &p, 1, VIEW_PPROF, NULL));
    CHECK(v.nnodes == 1);
    view_fini(&v);
    pp_fini(&p);
}

/* Self and total values: recursion once, inlined lines as frames, places
 * without a line by file offset. */
static void test_view_counts(void)
{
    struct pp p;
    struct view v;
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
    uint32_t f = unit_location(&p, m, 0x400010, "f");
    uint32_t in = unit_location(&p, m, 0x400020, "inner,outer");
    uint32_t bare = unit_location(&p, m, 0x400030, "");
    uint32_t lost = unit_location(&p, MEM_NONE, 0x99, "");
    unit_sample(&p, 3, f, f, in);       /* f called by itself */
    unit_sample(&p, 2, in, bare, MEM_NONE);
    unit_sample(&p, 1, lost, MEM_NONE, MEM_NONE);
    unit_sample(&p, 4, MEM_NONE, MEM_NONE, MEM_NONE);
    CHECK(!view_init(&v, &p, 1, VIEW_APART, NULL));
    struct view_node n = unit_node(&v, "f");
    CHECK(n.flat.value == 3000000 && n.flat.samples == 3);
    CHECK(n.cum.value == 3000000 && n.cum.samples == 3 && n.symbol);
    n = unit_node(&v, "inner");
    CHECK(n.flat.samples == 2 && n.cum.samples == 5 && n.inlined);
    n = unit_node(&v, "outer");
    CHECK(n.flat.samples == 0 && n.cum.samples == 5 && !n.inlined);
    n = unit_node(&v, "server+0x1030");
    CHECK(n.cum.samples == 2 && !n.symbol);
    CHECK(unit_node(&v, "[unknown]").flat.samples == 1);
    CHECK(v.total.value == 10000000 && v.counted == 10 && v.net == 10000000);
    CHECK(fabs(view_effective(&v.total) - 10) < 1e-9);
    view_fini(&v);
    CHECK(!view_init(&v, &p, 0, VIEW_PPROF, NULL));
    CHECK(unit_node(&v, "[server]").cum.value == 2);
    CHECK(unit_node(&v, "<unknown>").cum.value == 1);
    CHECK(v.total.value == 10);
    view_fini(&v);
    pp_fini(&p);
}

/* Which sample type is the default, and what a wrong name gets. */
static void test_view_type(void)
{
    struct pp p;
    struct gp_why why = {{0}};
    size_t type = 9;
    unit_profile(&p);
    CHECK(!pp_find_type(&p, NULL, &type, &why) && type == 1);
    p.default_type = txt_slice("samples");
    CHECK(!pp_find_type(&p, NULL, &type, &why) && type == 0);
    CHECK(!pp_find_type(&p, "cpu", &type, &why) && type == 1);
    CHECK(!pp_find_type(&p, "0", &type, &why) && type == 0);
    CHECK(pp_find_type(&p, "heap", &type, &why) == GP_EUSAGE);
    CHECK(strstr(why.text, "samples, cpu") != NULL);
    pp_fini(&p);
}

/* Orders: by flat and name, by cum; equal names stay in order. */
static void test_view_order(void)
{
    struct pp p;
    struct view v;
    size_t n;
    unit_profile(&p);
    uint32_t b = unit_location(&p, MEM_NONE, 1, "b");
    uint32_t a = unit_location(&p, MEM_NONE, 2, "a");
    uint32_t c = unit_location(&p, MEM_NONE, 3, "c");
    unit_location(&p, MEM_NONE, 4, "never");
    unit_sample(&p, 2, a, c, MEM_NONE);
    unit_sample(&p, 2, b, c, MEM_NONE);
    CHECK(!view_init(&v, &p, 1, VIEW_APART, NULL));
    uint32_t *o = view_order(&v, VIEW_BY_FLAT, 0, &n);
    CHECK(o && n == 3);
    CHECK(o && v.node[o[0]].name.p[0] == 'a' && v.node[o[1]].name.p[0] == 'b');
    mem_free(o);
    o = view_order(&v, VIEW_BY_CUM, 0, &n);
    CHECK(o && n == 3 && v.node[o[0]].name.p[0] == 'c');
    mem_free(o);
    view_fini(&v);
    pp_fini(&p);
}

/* Folded stacks: merged, root first, in order, `;` replaced. */
static void test_folded(void)
{
    struct pp p;
    struct buf b = {0};
    struct doc_config c = {0};
    unit_profile(&p);
    uint32_t f = unit_location(&p, MEM_NONE, 1, "f;g h");
    uint32_t m = unit_location(&p, MEM_NONE, 2, "main");
    unit_sample(&p, 2, f, m, MEM_NONE);
    unit_sample(&p, 1, m, MEM_NONE, MEM_NONE);
    unit_sample(&p, 3, f, m, MEM_NONE);
    c.sample = "samples";
    CHECK(!foreign_folded(&b, &p, &c, NULL));
    CHECK(b.len == 20 && !memcmp(b.data, "main 1\nmain;f:g h 5\n", 20));
    mem_fini(&b);
    pp_fini(&p);
}

/* A profile of count samples of work under main, in window_s seconds, for the
 * verdict; comments as grpcprof writes them. */
static void unit_run(struct pp *p, int64_t count, int window_s)
{
    unit_profile(p);
    uint32_t m = unit_mapping(p, "/usr/bin/grpcprof", 0x400000);
    uint32_t c = unit_mapping(p, "/lib/libc.so.6", 0x800000);
    uint32_t work = unit_location(p, m, 0x400010, "svc_say_hello");
    uint32_t send = unit_location(p, c, 0x800010, "send");
    uint32_t loop = unit_location(p, m, 0x400020, "net_loop");
    uint32_t root = unit_location(p, m, 0x400030, "main");
    unit_sample(p, count * 7 / 10, work, loop, root);
    unit_sample(p, count - count * 7 / 10, send, loop, root);
    p->duration_ns = window_s * INT64_C(1000000000);
    pp_add_comment(p, "tool=grpcprof 0.1.0");
    pp_add_comment(p, "hz_asked=1000");
    pp_add_comment(p, "requests=%" PRId64, count * 50);
    pp_add_comment(p, "requests./helloworld.Greeter/SayHello=%" PRId64,
                   count * 50);
    pp_add_comment(p, "wall_ns=%" PRId64, p->duration_ns);
    pp_add_comment(p, "process_cpu_ns=%" PRId64, count * 1000000);
}

/* The CPU time per call is without the profiler's own, and has an interval
 * unless the process's clock measured it. */
static void test_call_cpu(void)
{
    for (int i = 0; i < 4; i++) {
        bool clock = i & 1, own = i & 2;
        struct pp p;
        struct anl a;
        struct buf b = {0};
        struct anl_config c = {0};
        struct doc_config o = { .age_ns = -1 };
        unit_profile(&p);
        uint32_t m = unit_mapping(&p, "/usr/bin/shop", 0x400000);
        uint32_t work = unit_location(&p, m, 0x400010, "main.audit");
        uint32_t self = unit_location(&p, MEM_NONE, 0, "[profiler]");
        unit_sample(&p, 900, work, MEM_NONE, MEM_NONE);
        if (own)
            unit_sample(&p, 300, self, MEM_NONE, MEM_NONE);
        if (clock)
            pp_add_comment(&p, "process_cpu_ns=%d", own ? 1200000000
                                                        : 900000000);
        CHECK(!fig_write_calls(&p, "shop.v1.Orders/Place", 450));
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(fabs(a.calls - 450) < 1e-6 && a.calls_of_load && !a.calls_given &&
              a.comment.nmethods == 1 &&
              txt_equal(a.comment.method[0].path,
                        txt_slice("/shop.v1.Orders/Place")));
        CHECK(fabs(a.cpu_ns_per_call - 2e6) < 1);       /* 900 ms / 450 */
        CHECK(fabs(a.profiler_ns_per_call - (own ? 3e8 / 450 : 0)) < 1);
        double half = clock ? own ? sqrt(300) * 1e6 : 0 : sqrt(900) * 1e6;
        half *= STAT_Z / 450;
        CHECK(fabs(a.cpu_high_ns_per_call - 2e6 - half) < 1e-3 * half + 1);
        CHECK(fabs(a.cpu_low_ns_per_call - 2e6 + half) < 1e-3 * half + 1);
        doc_report_text(&b, &a, &o, true);
        CHECK(unit_has(&b, "450 of the load, 2.00 ms of CPU each"));
        CHECK(unit_has(&b, "other clients' calls add to the CPU time"));
        CHECK(unit_has(&b, "667 us of the profiler's own (25.0%)") == own);
        CHECK(unit_has(&b, "CPU each (95% interval") == (half > 0));
        mem_fini(&b);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* The bound of the timer's error: part of its lateness at each switch, in the
 * CPU time; and a category that leads by less is not called the leader. */
static void test_timing_bound(void)
{
    static const struct { const char *engine; int switches, late; double bound; }
    row[] = {
        { "perf", 50000, 6000, ANL_LATE_PERF * 0.03 },  /* 300 ms of 10 s */
        { "thread", 50000, 6000, ANL_LATE_TICK * 0.03 },
        { "itimer", 50000, 6000, ANL_LATE_TICK * 0.03 },
        { "perf", 2000000, 20000, 1 }, { "perf", 0, 6000, 0 },
        { "perf", 800000, 12500, 0.25 }, { "perf", -1, 6000, 0 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct anl a;
        struct buf b = {0};
        struct anl_config c = {0};
        struct doc_config o = { .age_ns = -1 };
        unit_run(&p, 10000, 10);
        pp_add_comment(&p, "engine=%s", row[i].engine);
        if (row[i].switches >= 0)
            pp_add_comment(&p, "switches=%d", row[i].switches);
        pp_add_comment(&p, "timer_late_ns=%d", row[i].late);
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(fabs(a.trust.timing - row[i].bound) < 1e-9);
        CHECK((a.verdict.kind == ANL_V_APPLICATION) == (row[i].bound < 0.19));
        CHECK(strstr(a.verdict.text, "70.0% of the CPU time, all of it in"));
        doc_report_text(&b, &a, &o, false);
        CHECK(unit_has(&b, "code that runs just before or after a thread") ==
              (row[i].bound > 0));
        CHECK(unit_has(&b, "timer's error") == (row[i].bound > 0.2));
        b.len = 0;
        doc_report_json(&b, &a, &o);
        CHECK(unit_has(&b, "\"switches\":null") == (row[i].switches < 0));
        mem_fini(&b);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* A change as a part of base: exact without error; 0 is in the interval if it is
 * in that of the difference, which needs no base; no end if base may be 0. */
static void test_stat_change_part(void)
{
    static const struct { double low, delta, high, base, want[2]; } row[] = {
        { 10, 10, 10, 100, { 0.1, 0.1 } },
        { 2, 25, 48, 100, { 0.0179290, 0.5499925 } },
        { -2, 25, 52, 100, { -0.02, 0.6122026 } },
        { -60, -40, -20, 100, { -0.6, -0.2 } },
        { 0, 150, 300, 100, { 0, INFINITY } }, { NAN, 5, NAN, 100, { NAN, NAN } },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct stat_change c = { .low = row[i].low, .delta = row[i].delta,
                                 .high = row[i].high };
        c = stat_change_part(c, row[i].base);
        CHECK(fabs(c.delta - row[i].delta / row[i].base) < 1e-12);
        for (int k = 0; k < 2; k++) {
            double have = k ? c.high : c.low, want = row[i].want[k];
            CHECK(isnan(want) ? isnan(have) : have == want ||
                  fabs(have - want) < 1e-6);
        }
    }
}

/* The timer's error in a change: the difference of the two sides' bounds if one
 * timer sampled both, even if each is above 1; else their sum; shares stay
 * between 0 and 1. */
static void test_timing_change(void)
{
    static const struct { const char *engine; int base, now; double bound; }
    row[] = {
        { "perf", 100000, 50000, ANL_LATE_PERF * 0.03 },
        { "perf", 100000, 100000, 0 },
        { "thread", 100000, 50000, ANL_LATE_PERF * 0.06 + ANL_LATE_TICK * 0.03 },
        { "perf", 20000000, 19000000, ANL_LATE_PERF * 0.6 },
        { "", 100000, 50000, -1 },      /* unknown timer: at least the bound of
                                         * either side */
        { "perf", 100000, 20000000, 1 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p[2];
        struct anl a[2];
        struct anl_config c = {0};
        struct compare_assert t;
        const struct compare_diff d = { .now = &a[1], .base = &a[0] };
        for (int k = 0; k < 2; k++) {
            unit_run(&p[k], 10000, 10);
            pp_add_comment(&p[k], "engine=%s", k ? row[i].engine : "perf");
            pp_add_comment(&p[k], "switches=%d", k ? row[i].now : row[i].base);
            pp_add_comment(&p[k], "timer_late_ns=6000");
            CHECK(!anl_run(&p[k], &c, &a[k], NULL));
        }
        double bound = compare_timing_change(&d, false);
        double call = (double)a[1].view.total.value * a[1].ns_per_unit /
                      a[1].calls;
        CHECK(row[i].bound < 0 ? bound >= a[0].trust.timing
                               : fabs(bound - row[i].bound) < 1e-9);
        double in_ns = compare_timing_change(&d, true);
        CHECK(bound < 1 ? fabs(in_ns - bound * call) < 1e-3 : in_ns > call);
        CHECK(!compare_assert_init(&t, "share(^svc_say)<99%", NULL));
        CHECK(!compare_assert_test(&t, &d, NULL) && t.judged);
        CHECK(t.low >= 0 && t.high <= 1 && t.low < 0.7 && t.high > 0.7);
        compare_assert_fini(&t);
        for (int k = 0; k < 2; k++) {
            anl_fini(&a[k]);
            pp_fini(&p[k]);
        }
    }
}

/* The detectable change is the least significant one plus a standard error. */
static void test_detectable(void)
{
    const struct stat_change even = { .low = -STAT_Z, .high = STAT_Z,
                                      .df = INFINITY };
    const struct stat_change few = { .low = -2.228, .high = 2.228, .df = 10 };
    CHECK(fabs(stat_detectable(&even, 1) - 2.960) < 0.01);
    CHECK(fabs(stat_detectable(&even, 10) - 4.137) < 0.01);     /* p 0.0017 */
    CHECK(fabs(stat_detectable(&few, 1) - 3.228) < 0.01);
}

/* Merging profiles adds up their context switches, and keeps the lateness of
 * the timer that was latest. */
static void test_timing_merged(void)
{
    struct pp to, p[2];
    for (int i = 0; i < 2; i++) {
        unit_profile(&p[i]);
        pp_add_comment(&p[i], "switches=%d", 100 + i);
        pp_add_comment(&p[i], "timer_late_ns=%d", i ? 700 : 20000);
    }
    unit_profile(&to);
    CHECK(!fig_merge(&to, p, 2));
    CHECK(txt_equal(pp_comment(&to, "switches"), txt_slice("201")));
    CHECK(txt_equal(pp_comment(&to, "timer_late_ns"), txt_slice("20000")));
    pp_fini(&to);
    pp_fini(&p[0]);
    pp_fini(&p[1]);
}

/* 110 samples in 30 s: no verdict, the reason, the command that helps, and
 * nothing about input and output. */
static void test_verdict_withheld(void)
{
    struct pp p;
    struct anl a;
    struct buf b = {0};
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1 };
    unit_run(&p, 110, 30);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(!a.verdict.next_command && a.verdict.nreasons &&
          strstr(a.verdict.reason[a.verdict.nreasons - 1], "need a window of"));
    anl_fini(&a);
    pp_add_comment(&p, "work=50000");   /* now it is serve's */
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.verdict.kind == ANL_V_WITHHELD && a.nadvice == 0);
    CHECK(a.verdict.nreasons > 0 && strstr(a.verdict.reason[0], "110"));
    CHECK(strstr(a.verdict.reason[0], "5.7 to 17.0"));
    CHECK(a.verdict.next_command &&
          strstr(a.verdict.next_command, "grpcprof load -c 100 -d "));
    CHECK(fabs(a.use.window - 0.110 / 30) < 1e-9);
    doc_report_text(&b, &a, &o, false);
    CHECK(unit_has(&b, "cannot show what it") && !unit_has(&b, "I/O bound"));
    CHECK(unit_has(&b, "0.4% of one core"));
    mem_fini(&b);
    anl_fini(&a);
    pp_fini(&p);
}

/* 20,000 samples: a verdict with evidence, calls and the first function. */
static void test_verdict_given(void)
{
    struct pp p;
    struct anl a;
    struct anl_config c = {0};
    unit_run(&p, 20000, 20);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.verdict.kind == ANL_V_APPLICATION);
    CHECK(a.verdict.nreasons > 0 && strstr(a.verdict.reason[0], "70.0%"));
    CHECK(a.verdict.next_command == NULL && a.nadvice >= 1);
    CHECK(strstr(a.advice[0].text, "svc_say_hello") != NULL);
    CHECK(a.finding[CAT_NETWORK].share.sum.samples == 6000);
    CHECK(a.by_share[0] == CAT_APPLICATION && a.by_share[1] == CAT_NETWORK);
    CHECK(a.calls == 1000000 && a.comment.nmethods == 1);
    CHECK(fabs(a.cpu_ns_per_call - 20000) < 1e-6);
    CHECK(a.function[0].application && a.function[0].resolved);
    anl_fini(&a);
    pp_fini(&p);
}

/* Much of the window idle and little CPU: waiting, not "I/O bound". */
static void test_verdict_waiting(void)
{
    struct pp p;
    struct anl a;
    struct anl_config c = {0};
    unit_run(&p, 1000, 30);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.verdict.kind == ANL_V_WAITING && a.nadvice == 0);
    CHECK(!strstr(a.verdict.text, "I/O"));
    anl_fini(&a);
    pp_fini(&p);
}

/* Add count samples of 1 ms each at leaf, of a thread in a state (or ""). */
static void unit_labelled(struct pp *p, int64_t count, uint32_t leaf,
                          const char *thread, const char *state)
{
    struct pp_label label[] = {
        { .key = txt_slice("thread"), .str = txt_slice(thread) },
        { .key = txt_slice("state"), .str = txt_slice(state) } };
    int64_t value[] = { count, count * 1000000 };
    pp_add_sample(p, &leaf, 1, value, label, *state ? 2 : 1);
}

/* The number of samples at ticks is at most CPU time times tick rate, unless
 * work is synchronised with ticks: then there is no verdict.  REC's figure has
 * precedence. */
static void test_verdict_ticks(void)
{
    static const struct { const char *engine, *more; double clustered; } row[]
    = {
        { "engine=perf", "tick_hz=250", NAN },
        { "engine=thread", "tick_hz=1000", NAN },   /* power is gone */
        { "engine=thread", "tick_hz=250", 0.75 },
        { "engine=itimer", "tick_hz=250", 0.75 },
        { "engine=itimer", "tick_clustered=0.1", 0.1 },
    };
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1 };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct anl a;
        struct buf b = {0};
        unit_run(&p, 10, 20);
        uint32_t m = p.location[0].mapping;
        uint32_t work = unit_location(&p, m, 0x400050, "svc_work");
        uint32_t idle = unit_location(&p, MEM_NONE, 0, "[unsampled]");
        for (int k = 0; k < 8; k++) {
            /* 1 s of CPU: 500 samples synchronised, 250 if not */
            unit_labelled(&p, k < 6 ? 500 : 250, work,
                          k < 6 ? "in step" : "free", "");
            p.value[2 * p.nsamples - 1] = 1000000000;
        }
        pp_add_comment(&p, "%s", row[i].engine);
        pp_add_comment(&p, "%s", row[i].more);
        pp_add_comment(&p, "coverage=1");
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(isnan(row[i].clustered) ? isnan(a.trust.tick_clustered)
              : fabs(a.trust.tick_clustered - row[i].clustered) < 0.01);
        bool held = row[i].clustered > ANL_BROKEN_SHARE;
        CHECK((a.verdict.kind == ANL_V_WITHHELD) == held);
        CHECK(!held || strstr(a.verdict.reason[0], "synchronised"));
        doc_report_text(&b, &a, &o, false);
        CHECK(unit_has(&b, "time)") == (row[i].clustered > 0));
        b.len = 0;
        doc_report_json(&b, &a, &o);
        CHECK(unit_has(&b, "\"tick_clustered\":null") ==
              isnan(row[i].clustered));
        anl_fini(&a);
        unit_labelled(&p, 0, idle, "free", "");
        p.value[2 * p.nsamples - 1] = INT64_C(4000000000);
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(a.trust.unsampled > 0.3 && a.verdict.kind == ANL_V_WITHHELD);
        b.len = 0;
        doc_report_text(&b, &a, &o, false);
        CHECK(unit_has(&b, "66.7% of the CPU time that the process used (33"));
        mem_fini(&b);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* Stacks without outer callers make totals of functions too low: report and
 * load say by how much, from a few per cent on. */
static void test_stacks_cut(void)
{
    static const struct { const char *root; int cut; const char *text; } row[] =
    {
        { "[incomplete stack]", 500, " 50.0% broken off or truncated: totals" },
        { "[truncated]", 100, " 10.0% broken off or truncated: totals" },
        { "[incomplete stack]", 20, " 2.0% broken off or truncated\n" },
    };
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1, .width = 200 };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct anl a;
        struct res res;
        struct buf b = {0};
        unit_profile(&p);
        uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
        uint32_t work = unit_location(&p, m, 0x400100, "work");
        uint32_t top = unit_location(&p, m, 0x400200, "main");
        uint32_t root = unit_location(&p, MEM_NONE, 0, row[i].root);
        unit_sample(&p, 1000 - row[i].cut, work, top, MEM_NONE);
        unit_sample(&p, row[i].cut, root, root, MEM_NONE);    /* one cut */
        CHECK(!anl_run(&p, &c, &a, NULL));
        double cut = anl_cut(&a.trust);
        CHECK(fabs(cut - row[i].cut / 1000.0) < 1e-9);
        CHECK((a.verdict.kind == ANL_V_WITHHELD) == (cut > ANL_BROKEN_SHARE));
        doc_report_text(&b, &a, &o, false);
        CHECK(unit_has(&b, row[i].text));
        b.len = 0;
        doc_report_json(&b, &a, &o);
        CHECK(unit_has(&b, "\"cut\":0."));
        b.len = 0;
        CHECK(!res_init(&res, 0));
        struct judge_profile profile = { .calls = 1, .user_ns = NAN,
            .cpu_ns = 1, .anl = &a };
        struct judge_report t = { .result = &res, .profile = &profile };
        struct doc_doc d = { .b = &b, .width = 200 };
        loaddoc_profile_calls(&d, &t);
        mem_fini(&d.cell);
        CHECK(unit_has(&b, "too low") == (cut >= DOC_CUT));
        res_fini(&res);
        mem_fini(&b);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* The hint beside CPU time without samples suits the timer and how much it is.
 */
static void test_why_unsampled(void)
{
    static const struct { const char *engine; int hz, ms; const char *why; }
    row[] = {
        { "thread", 250, 2, "let it run for longer" },
        { "thread", 1000, 11, "let it run for longer" },
        { "perf", 1000, 2, "let it run for longer" },
        { "perf", 1000, 5, "a higher rate" },
        { "thread", 250, 50, "missed them; grpcprof run does" },
        { "thread", 1000, 50, "missed them; grpcprof run does" },
        { "thread", 99, 50, "if --timer and --hz are not given" },
    };
    struct anl_config c = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct anl a;
        unit_profile(&p);
        uint32_t idle = unit_location(&p, MEM_NONE, 0, "[unsampled]");
        unit_labelled(&p, 0, idle, "(ended)", "");
        p.value[2 * p.nsamples - 1] = row[i].ms * INT64_C(1000000);
        pp_add_comment(&p, "engine=%s", row[i].engine);
        pp_add_comment(&p, "hz_asked=%d", row[i].hz);
        pp_add_comment(&p, "tick_hz=250");
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(a.trust.unsampled == 1);
        CHECK(strstr(anl_unsampled_why(&a), row[i].why));
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* A wall profile: threads that all wait make a verdict, with its places; one
 * that runs is not hidden by others that wait; too few samples make none. */
static void test_verdict_wall(void)
{
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1 };
    for (int busy = 0; busy < 2; busy++) {
        struct pp p;
        struct anl a;
        struct buf b = {0};
        unit_profile(&p);
        p.type[1].type = p.period_type.type = txt_slice("wall");
        uint32_t l = unit_mapping(&p, "/lib/libc.so.6", 0x800000);
        uint32_t epoll = unit_location(&p, l, 0x800010, "epoll_wait");
        uint32_t poll = unit_location(&p, l, 0x800020, "poll");
        uint32_t work = unit_location(&p, MEM_NONE, 1, "work");
        unit_labelled(&p, 5000, poll, "main", "waiting");
        unit_labelled(&p, busy ? 300 : 9900, epoll, "loop-0", "waiting");
        unit_labelled(&p, busy ? 9700 : 100, work, "loop-0", "running");
        pp_add_comment(&p, "clock=wall");
        pp_add_comment(&p, "wall_ns=10000000000");
        pp_add_comment(&p, "process_cpu_ns=%s", busy ? "9700000000"
                                                      : "100000000");
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(a.wall && !a.cpu_profile && a.nadvice == 0);
        CHECK(a.verdict.kind == (busy ? ANL_V_MIXED : ANL_V_WAITING));
        CHECK(strstr(a.verdict.text, busy ? "Running: 1 of 2 threads"
                                          : "was waiting: 99.3%"));
        CHECK(a.waiting.sum.samples == (busy ? 5300 : 14900));
        CHECK(a.waiting.low < a.waiting.share &&
              a.waiting.share < a.waiting.high);
        CHECK(a.nplaces == 2);
        CHECK(txt_equal(a.view.node[a.place[0].node].name,
                        txt_slice(busy ? "poll" : "epoll_wait")));
        doc_report_text(&b, &a, &o, false);
        CHECK(unit_has(&b, busy ? "loop-0: 10.0 s, running 97.0%"
                                : "epoll_wait: 66.4% of the waiting"));
        CHECK(unit_has(&b, busy ? "9.70 s of CPU" : "0.10 s of CPU"));
        b.len = 0;
        doc_report_json(&b, &a, &o);
        CHECK(unit_has(&b, busy ? "\"kind\":\"mixed\""
                                : "\"kind\":\"waiting\""));
        CHECK(unit_has(&b, "\"where\":[{\"name\":"));
        mem_fini(&b);
        anl_fini(&a);
        pp_fini(&p);
    }
    struct pp p;
    struct anl a;
    unit_profile(&p);
    p.type[1].type = p.period_type.type = txt_slice("wall");
    uint32_t at = unit_location(&p, MEM_NONE, 1, "epoll_wait");
    unit_labelled(&p, 20, at, "main", "waiting");
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.verdict.kind == ANL_V_WITHHELD &&
          strstr(a.verdict.reason[0], "too few"));
    anl_fini(&a);
    pp_fini(&p);
}

/* Without usable stacks there is no verdict, however many samples there are; a
 * profiler's handler is skipped; write() below network code is network. */
static void test_stacks(void)
{
    struct pp p;
    struct anl a;
    struct anl_config c = {0};
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
    uint32_t l = unit_mapping(&p, "/lib/libc.so.6", 0x800000);
    uint32_t bare = unit_location(&p, m, 0x400100, "");
    uint32_t handler = unit_location(&p, m, 1, "perf_signal_handler");
    uint32_t tramp = unit_location(&p, l, 2, "__restore_rt");
    uint32_t work = unit_location(&p, m, 3, "work");
    uint32_t copy = unit_location(&p, l, 4, "memcpy");
    uint32_t out = unit_location(&p, l, 5, "write");
    uint32_t h2 = unit_location(&p, m, 6, "nghttp2_session_send");
    unit_sample(&p, 400, bare, MEM_NONE, MEM_NONE);
    unit_sample(&p, 100, handler, tramp, work);
    unit_sample(&p, 200, copy, work, MEM_NONE);
    unit_sample(&p, 60, out, h2, MEM_NONE);
    unit_sample(&p, 40, out, work, MEM_NONE);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.finding[CAT_APPLICATION].share.sum.samples == 300);
    CHECK(a.finding[CAT_NETWORK].share.sum.samples == 60);
    CHECK(a.finding[CAT_SYSCALLS].share.sum.samples == 40);
    CHECK(a.finding[CAT_SYSCALLS].on_behalf == 1);
    CHECK(a.finding[CAT_UNKNOWN].share.sum.samples == 400);
    CHECK(a.copy.sum.samples == 200 && a.trust.stripped == 200);
    CHECK(a.trust.unsymbolised == 0.5 && a.trust.broken == 0.5);
    CHECK(a.verdict.kind == ANL_V_WITHHELD);
    CHECK(strstr(a.verdict.reason[0], "unstripped binary"));
    anl_fini(&a);
    pp_add_comment(&p, "jit_hint=start it with --names");
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(strstr(a.verdict.reason[0], "symbols: start it with --names"));
    anl_fini(&a);
    pp_fini(&p);
}

/* Code without symbols in a known library leaves the verdict as it is, and its
 * share is said; in other code it withholds the verdict. */
static void test_nameless_libraries(void)
{
    static const char *const library[] = {
        "/venv/grpc/_cython/cygrpc.cpython-312-x86_64-linux-gnu.so",
        "/opt/lib/libshop.so" };
    for (int i = 0; i < 2; i++) {
        struct pp p;
        struct anl a;
        struct anl_config c = {0};
        unit_profile(&p);
        uint32_t m = unit_mapping(&p, "/opt/server", 0x400000);
        uint32_t l = unit_mapping(&p, library[i], 0x800000);
        uint32_t score = unit_location(&p, m, 0x400001, "score");
        unit_sample(&p, 650, score, MEM_NONE, MEM_NONE);
        unit_sample(&p, 350, unit_location(&p, l, 0x800001, ""), MEM_NONE,
                    MEM_NONE);
        CHECK(!anl_run(&p, &c, &a, NULL));
        CHECK(fabs(a.trust.unsymbolised - 0.35) < 1e-9);
        bool said = false;
        for (size_t k = 0; k < a.verdict.nreasons; k++)
            said |= strstr(a.verdict.reason[k],
                           "35.0% of the samples are in code without symbols")
                    != NULL;
        CHECK(said);
        CHECK(a.verdict.kind == (i ? ANL_V_WITHHELD : ANL_V_APPLICATION));
        CHECK(i || strstr(a.verdict.text, "score takes 65.0% of the CPU time"));
        CHECK((a.nadvice > 0) == !i);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* Rows of functions with one name show the start of their files' names where
 * these are cut; a line's number is kept. */
static void test_places_in_few_columns(void)
{
    static const struct { const char *name, *file; size_t most; const char *want;
    } row[] = {
        { "_PyEval_EvalFrameDefault", "/py/Python/bytecodes.c", 46,
          "_PyEval_EvalFrameDefault Python/bytecodes.c" },
        { "_PyEval_EvalFrameDefault", "/py/Python/bytecodes.c", 30,
          "..EvalFrameDefault bytecodes.c" },
        { "_PyEval_EvalFrameDefault", "/py/Python/generated_cases.c.h", 30,
          "..FrameDefault generated_cas.." },
        { "(anonymous)", "/app/shopping_cart_totals.js", 30,
          "(anonymous) shopping_cart..:10" },
    };
    struct pp p;
    struct view v;
    unit_profile(&p);
    uint32_t m = unit_mapping(&p, "/opt/python3", 0x400000);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t at = unit_location(&p, m, 0x400001 + i, row[i].name);
        p.function[p.nfunctions - 1].file = txt_slice(row[i].file);
        p.line[p.nlines - 1].line = 10;
        unit_sample(&p, 10, at, MEM_NONE, MEM_NONE);
    }
    CHECK(!view_init(&v, &p, 1, VIEW_APART, NULL));
    for (uint32_t i = 0; i < 4; i++) {
        struct doc_doc d = { .width = 80 };
        doc_node(&d, &v, v.frame[v.frame_at[i]], row[i].most);
        CHECK(txt_equal(mem_slice(&d.cell), txt_slice(row[i].want)));
        mem_fini(&d.cell);
    }
    view_fini(&v);
    pp_fini(&p);
}

/* Another allocator is recommended for malloc, not for an interpreter's; and an
 * application that an interpreter runs has no column of self times. */
static void test_functions_of_an_interpreter(void)
{
    for (int own = 0; own < 2; own++) {
        struct pp p;
        struct anl a;
        struct anl_config c = {0};
        struct doc_doc d = {0};
        unit_profile(&p);
        uint32_t m = unit_mapping(&p, "/usr/bin/python3.12", 0x400000);
        uint32_t l = unit_mapping(&p, "/usr/lib/libc.so.6", 0x800000);
        uint32_t total = unit_location(&p, MEM_NONE, 0, "total");
        p.function[p.nfunctions - 1].file = txt_slice("/app/cart.py");
        uint32_t eval = unit_location(&p, m, 2, "_PyEval_EvalFrameDefault");
        uint32_t leaf = own ? unit_location(&p, m, 3, "pymalloc_alloc")
                            : unit_location(&p, l, 4, "_int_malloc");
        unit_sample(&p, 600, leaf, eval, total);
        unit_sample(&p, 400, eval, total, MEM_NONE);
        CHECK(!anl_run(&p, &c, &a, NULL));
        bool memory = false, other = false;
        for (size_t i = 0; i < a.nadvice; i++) {
            memory |= strstr(a.advice[i].text, "memory management") != NULL;
            other |= strstr(a.advice[i].text, "another allocator") != NULL;
        }
        CHECK(memory && other == !own);
        struct buf b = {0};
        d.b = &b;
        doc_apps(&d, &a, &(struct doc_config){0});
        doc_level(&d, &a, &(struct doc_config){0}, true);
        mem_put_byte(&b, 0);
        CHECK(strstr((char *)b.data, "total time  function"));
        CHECK(strstr((char *)b.data, "None: the interpreter"));
        mem_fini(&b);
        mem_fini(&d.cell);
        anl_fini(&a);
        pp_fini(&p);
    }
}

/* Names that need escaping, in SVG: valid text, no markup. */
static void test_svg_escape(void)
{
    struct buf b = {0};
    static const char in[] = "<a b=\"c\">&\x1b\x7f\xff\xc2\x85"
                             "\xef\xbf\xbe]]>\t";
    txt_put_xml(&b, (struct slice){ in, sizeof in - 1 });
    mem_put_byte(&b, 0);
    CHECK(!b.err && !strcmp((const char *)b.data,
        "&lt;a b=&quot;c&quot;&gt;&amp;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
        "\xef\xbf\xbd\xef\xbf\xbd]]&gt; "));
    mem_fini(&b);
}

/* A flame graph: frames of the right place and width, the same bytes twice,
 * an error for nothing, and none of a hostile name's markup. */
static void test_svg(void)
{
    struct pp p;
    struct gp_why why;
    struct svg_config c = { .sample = "samples" };
    struct buf one = {0}, two = {0};
    unit_profile(&p);
    CHECK(svg_write(&p, &c, &one, &why) == GP_EFORMAT && one.len == 0);
    uint32_t f = unit_location(&p, MEM_NONE, 1, "</script><script>alert(1)");
    uint32_t m = unit_location(&p, MEM_NONE, 2, "main");
    unit_sample(&p, 40, f, m, MEM_NONE);
    unit_sample(&p, 60, m, MEM_NONE, MEM_NONE);
    CHECK(!svg_write(&p, &c, &one, &why) && !svg_write(&p, &c, &two, &why));
    CHECK(one.len == two.len && !memcmp(one.data, two.data, one.len));
    CHECK(unit_has(&one, "viewBox=\"0 0 100 3\""));
    CHECK(unit_has(&one, "M0 2h100v.94H0z"));       /* all */
    CHECK(unit_has(&one, "M60 0h40v.94H60z"));      /* the leaf */
    CHECK(!unit_has(&one, "<script>alert"));
    mem_fini(&one);
    mem_fini(&two);
    pp_fini(&p);
}

/* Long words of HTML may break after separators; short ones may not. */
static void test_doc_words(void)
{
    static const struct { const char *text, *want; } t[] = {
        { "", "" }, { "95.2%, of a/b", "95.2%, of a/b" },
        { "a<b>::c.d", "a&lt;b&gt;::c.d" },
        { "in github.com/a/b/transport.(*T).run: 4.5%",
          "in github.<wbr>com/<wbr>a/<wbr>b/<wbr>transport.<wbr>(*T).<wbr>run: "
          "4.5%" },
        { "google::protobuf::internal::Wire",
          "google::<wbr>protobuf::<wbr>internal::<wbr>Wire" },
        { "/usr/lib/x86_64-linux-gnu/..", "/<wbr>usr/<wbr>lib/<wbr>"
          "x86_64-linux-gnu/.." },
        { "  aaaaaaaaaaaaaaaaaaaaaaaaa.b ", "  aaaaaaaaaaaaaaaaaaaaaaaaa.<wbr>b " },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        doc_put_html(&b, txt_slice(t[i].text));
        CHECK(txt_equal(mem_slice(&b), txt_slice(t[i].want)));
        mem_fini(&b);
    }
}

/* load's table of server CPU keeps to the width, with the names' end. */
static void test_loaddoc_names(void)
{
    static const char name[] = "google::protobuf::internal::WireFormat::"
                               "InternalSerialize(int, char const*) const";
    static const struct doc_column column[] = {
        { "total/call", 11 }, { "95% interval", 18 }, { "samples", 9 },
        { "self/call", 10 }, { "function", 0 } };
    static const struct { size_t width; const char *end; } t[] = {
        { 80, "  ..InternalSerialize\n" },
        { 120, "  google::protobuf::internal::WireFormat::InternalSerialize\n" },
    };
    struct view_node node = { .name = txt_slice(name) };
    struct anl a = { .view = { .node = &node, .nnodes = 1,
                     .total = { .value = 1000 } },
                     .ns_per_unit = 1000, .calls = 10 };
    struct anl_function f = { .cum = { .share = 0.5, .low = 0.4, .high = 0.6,
                              .sum = { .value = 500, .samples = 500 } } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        struct doc_doc d = { .b = &b, .width = t[i].width, .column = column,
                             .ncolumns = sizeof column / sizeof *column };
        loaddoc_profile_row(&d, &a, &f, &f.cum, 7, " ");
        CHECK(txt_ends(mem_slice(&b), t[i].end));
        CHECK(b.len <= t[i].width + 1);
        mem_fini(&d.cell);
        mem_fini(&b);
    }
}

/* Each figure of a result that documents list has its meaning in its row, and
 * a name of its own. */
static void test_loaddoc_figures(void)
{
    const struct res_field *f = NULL, *g;
    while ((f = res_next(f, RES_WINDOW, RES_METHOD))) {
        bool listed = f->group <= RES_TOP || f->group == RES_METHOD;
        if (!listed || f->type == RES_MOMENT || f->type == RES_PACE)
            continue;
        CHECK(*f->about && strlen(loaddoc_name(f, 64).text) < 40);
        for (g = f; (g = res_next(g, RES_WINDOW, RES_TOP)); )
            CHECK(f->group == RES_LATENCY || g->group == RES_LATENCY ||
                  f->group == RES_METHOD ||
                  strcmp(loaddoc_name(f, 0).text, loaddoc_name(g, 0).text));
    }
}

/* The largest group of errors is first, in it the most frequent text; texts
 * without a row of their own are one, the last; a text takes one line. */
static void test_loaddoc_errors(void)
{
    struct res r;
    struct loaddoc_error row[RES_ERRORS];
    struct buf b = {0};
    CHECK(!res_init(&r, 0));
    res_error_add(&r, &(struct res_error){ CLIENT_LOST, 14, 0, 7, 5, "gone",
                                           false, 0 });
    for (int i = 0; i < 4; i++) {
        char text[] = "order\n1\r\nnot found";
        text[6] = (char)('1' + i);
        res_error_add(&r, &(struct res_error){ CLIENT_STATUS, 3, 0,
            i == 2 ? 5 : 1, 9 - i, text, false, 0 });
    }
    CHECK(loaddoc_error_rows(&r, RES_ERRORS, row) == 5);
    CHECK(row[0].count == 5 && row[1].first_ns == 6 && row[4].count == 7);
    CHECK(loaddoc_error_rows(&r, 2, row) == 4 && row[0].group == 8);
    CHECK(row[2].texts && row[2].count == 2);
    CHECK(row[3].e->kind == CLIENT_LOST && !row[3].texts);
    CHECK(loaddoc_error_rows(&r, 1, row) == 3);
    CHECK(row[1].texts && row[1].count == 3 && row[1].first_ns == 6);
    loaddoc_put_error(&b, &row[0], (struct slice){ "", 0 });
    CHECK(txt_equal(mem_slice(&b),
                    txt_slice("INVALID_ARGUMENT: order 3 not found")));
    b.len = 0;
    loaddoc_put_error(&b, &row[1], txt_slice("S/M"));
    CHECK(txt_equal(mem_slice(&b), txt_slice("INVALID_ARGUMENT in S/M: other "
                                             "texts, such as: order 4 not "
                                             "found")));
    b.len = 0;
    loaddoc_put_error(&b, &row[2], (struct slice){ "", 0 });
    CHECK(txt_equal(mem_slice(&b),
                    txt_slice("UNAVAILABLE (connection lost): gone")));
    mem_fini(&b);
    res_fini(&r);
}

/* A line breaks at a gap of three blanks if one is near, an option of a page
 * nowhere, and a row of a table has no blanks at its end; numbers have six
 * digits. */
static void test_doc_lines(void)
{
    static const struct doc_column column[] = { { "a", -4 }, { "b", 4 } };
    static const struct { double v; const char *text; } number[] = {
        { 3773.946265, "3,773.95" }, { 0.125, "0.125" }, { 12, "12" },
        { -1500, "-1,500" }, { 1999.999, "2,000" }, { 1234567.8, "1,234,568" } };
    struct buf b = {0};
    struct doc_doc d = { .b = &b, .width = 30 };
    doc_wrap(&d, "1 reconnect   2 GOAWAYs   3 connections lost", 0, 2);
    CHECK(txt_equal(mem_slice(&b), txt_slice("1 reconnect   2 GOAWAYs\n"
                                             "  3 connections lost\n")));
    b.len = 0;
    doc_put_html(&b, txt_slice("try --profile -m 1 <"));
    CHECK(txt_equal(mem_slice(&b), txt_slice("try <span class=\"o\">--profile"
                                             "</span> -m 1 &lt;")));
    b.len = 0;
    doc_table(&d, column, 2);
    txt_puts(&d.cell, "x");
    doc_cell(&d);
    doc_cell(&d);
    CHECK(txt_ends(mem_slice(&b), "\n  x\n"));
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        b.len = 0;
        loaddoc_put_number(&b, number[i].v);
        CHECK(txt_equal(mem_slice(&b), txt_slice(number[i].text)));
    }
    mem_fini(&d.cell);
    mem_fini(&b);
}

/* By size, the largest callee starts where its caller does, and self is last;
 * a callee cut off below the narrowest frame is nobody's self. */
static void test_svg_by_size(void)
{
    struct pp p;
    struct svg_config c = { .sample = "samples", .by_size = true,
                            .least_ppm = 50000 };
    struct buf b = {0};
    unit_profile(&p);
    uint32_t small = unit_location(&p, MEM_NONE, 1, "a");
    uint32_t large = unit_location(&p, MEM_NONE, 2, "b");
    uint32_t rare = unit_location(&p, MEM_NONE, 3, "c");
    uint32_t m = unit_location(&p, MEM_NONE, 4, "main");
    unit_sample(&p, 30, small, m, MEM_NONE);
    unit_sample(&p, 60, large, m, MEM_NONE);
    unit_sample(&p, 3, rare, m, MEM_NONE);
    unit_sample(&p, 7, m, MEM_NONE, MEM_NONE);
    CHECK(!svg_write(&p, &c, &b, NULL));
    CHECK(unit_has(&b, "M0 0h60v.94H0z"));          /* b */
    CHECK(unit_has(&b, "M60 0h30v.94H60z"));        /* a */
    CHECK(unit_has(&b, ">all\nmain\nb\na</metadata>") ||
          unit_has(&b, ">all\nmain\na\nb</metadata>"));
    CHECK(unit_has(&b, "1::7"));                    /* main's self */
    b.len = 0;
    c.by_size = false;
    CHECK(!svg_write(&p, &c, &b, NULL));
    CHECK(unit_has(&b, "M10 0h30v.94H10z"));          /* a */
    CHECK(unit_has(&b, "M40 0h60v.94H40z"));
    mem_fini(&b);
    pp_fini(&p);
}

/* JSON of a profile with names that need escaping, and without samples. */
static void test_report_json(void)
{
    struct pp p;
    struct anl a;
    struct buf b = {0};
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1 };
    unit_profile(&p);
    CHECK(!anl_run(&p, &c, &a, NULL));
    CHECK(a.verdict.kind == ANL_V_WITHHELD);
    doc_report_json(&b, &a, &o);
    CHECK(unit_has(&b, "\"schema\":\"grpcprof.report/1\""));
    CHECK(unit_has(&b, "\"duration_ns\":null"));
    CHECK(unit_has(&b, "\"diff\":null"));
    anl_fini(&a);
    uint32_t f = unit_location(&p, MEM_NONE, 1, "a\"b\\c\n\xff</script>");
    unit_sample(&p, 40, f, MEM_NONE, MEM_NONE);
    CHECK(!anl_run(&p, &c, &a, NULL));
    b.len = 0;
    doc_report_json(&b, &a, &o);
    CHECK(unit_has(&b, "a\\\"b\\\\c\\u000a\\ufffd</script>"));
    CHECK(!b.err);
    mem_fini(&b);
    anl_fini(&a);
    pp_fini(&p);
}

/* pprof's table: units, percentages, trimming, the inline marks. */
static void test_report_top(void)
{
    struct pp p;
    struct buf b = {0};
    struct doc_config c = {0};
    unit_profile(&p);
    uint32_t in = unit_location(&p, MEM_NONE, 1, "inner,outer");
    uint32_t leaf = unit_location(&p, MEM_NONE, 2, "leaf");
    uint32_t rare = unit_location(&p, MEM_NONE, 3, "rare");
    unit_sample(&p, 1500, in, MEM_NONE, MEM_NONE);
    unit_sample(&p, 500, leaf, in, MEM_NONE);
    unit_sample(&p, 1, rare, MEM_NONE, MEM_NONE);
    CHECK(!pprof_report_top(&b, &p, &c, NULL));
    CHECK(unit_has(&b, "Showing nodes accounting for 2000ms, 100% of 2001ms "
                       "total\nDropped 1 node (cum <= 10.01ms)\n"));
    CHECK(unit_has(&b, "      flat  flat%   sum%        cum   cum%\n"
                       "    1500ms 74.96% 74.96%     2000ms   100%  inner "
                       "(inline)\n"
                       "     500ms 24.99%   100%      500ms 24.99%  leaf\n"));
    mem_fini(&b);
    pp_fini(&p);
}

/* Every allocation of a report fails once: an error, no crash, no leak. */
static void test_report_memory(void)
{
    struct pp p;
    struct anl_config c = {0};
    struct doc_config o = { .age_ns = -1 };
    struct svg_config s = {0};
    int e = GP_ENOMEM;
    unit_run(&p, 500, 1);
    for (long fuse = 0; e && fuse < 10000; fuse++) {
        struct anl a = {0};
        struct buf b = {0};
        mem_fuse = fuse;
        e = anl_run(&p, &c, &a, NULL);
        if (!e) {
            doc_report_text(&b, &a, &o, false);
            doc_report_json(&b, &a, &o);
            e = b.err;
        }
        if (!e)
            e = svg_write(&p, &s, &b, NULL);
        if (!e)
            e = pprof_report_top(&b, &p, &o, NULL);
        if (!e)
            e = foreign_folded(&b, &p, &o, NULL);
        mem_fuse = -1;
        anl_fini(&a);
        mem_fini(&b);
    }
    CHECK(e == GP_OK);
    pp_fini(&p);
}


/* Holm: the least p-value is held to 5% / n, the next to 5% / (n - 1). */
static void test_stat_mark(void)
{
    static const struct { double p[4]; bool want[4]; } t[] = {
        { { .01, .02, .03, .04 }, { true, false, false, false } },
        { { .012, .016, .024, .05 }, { true, true, true, true } },
        { { .013, .001, NAN, .5 }, { true, true, false, false } },
        { { NAN, NAN, NAN, .05 }, { false, false, false, true } },
        { { .0126, .9, .9, .9 }, { false, false, false, false } },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct stat_change c[4];
        for (size_t k = 0; k < 4; k++)
            c[k] = (struct stat_change){ .p = t[i].p[k], .significant = true };
        stat_mark(c, 4);
        for (size_t k = 0; k < 4; k++)
            CHECK(c[k].significant == t[i].want[k]);
    }
}

/* Resamples of blocks that depend on their neighbours (an autoregressive series
 * of coefficient .6) have a mean with the true standard error, which is twice
 * that of independent ones, and 95% intervals hold the truth; of independent
 * ones the length is the cube root of their number. */
static void test_stat_resample(void)
{
    enum { N = 120, SERIES = 150, DRAWS = 300 };
    uint64_t state = 7;
    double longest[2] = { 0 }, square[2] = { 0 };
    int hold[2] = { 0 };
    for (int s = 0; s < 2 * SERIES; s++) {
        double v[N], means[DRAWS], part = s % 2 ? .6 : 0, x = 0;
        for (int i = -20; i < N; i++) {
            double u = 0;
            for (int k = 0; k < 12; k++)
                u += stat_random_part(&state) - .5;
            x = part * x + u;
            if (i >= 0)
                v[i] = x;
        }
        double length = stat_run_length(v, N), low, high;
        uint32_t times[N];
        longest[s % 2] += length / SERIES;
        for (int d = 0; d < DRAWS; d++) {
            double sum = 0, n = 0;
            stat_resample(&state, N, (size_t)fmin(ceil(length), N / 6), times);
            for (size_t i = 0; i < N; i++) {
                sum += times[i] * v[i];
                n += times[i];
            }
            means[d] = n > 0 ? sum / n : 0;
            square[s % 2] += means[d] * means[d] / DRAWS / SERIES;
        }
        stat_resampled(means, DRAWS, &low, &high);
        hold[s % 2] += low <= 0 && high >= 0;
    }
    CHECK(longest[0] < 12 && longest[1] > 12);
    CHECK(square[1] > 4 * square[0]);
    CHECK((hold[0] >= .92 * SERIES && hold[1] >= .90 * SERIES) ||
          (printf("lengths %.1f %.1f, hold %d %d of %d\n", longest[0],
                  longest[1], hold[0], hold[1], SERIES), 0));
}

/* ---- intervals and comparisons against known truth ---- */

enum { UNIT_FUNCTIONS = 12 };

/* The true shares of random profiles: from a half to 1 in 1000.  The even
 * functions are called by "even", the odd ones by "odd". */
static const double unit_share[UNIT_FUNCTIONS] = {
    0.5, 0.2, 0.1, 0.07, 0.05, 0.03, 0.02, 0.015, 0.008, 0.004, 0.002, 0.001,
};

/* The next number of a fixed sequence, 0 to 1 (splitmix64). */
static double unit_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Make a profile of n samples at random by share: of 1 ms each or, uneven, half
 * of 1 ms and half of 4 ms, with a row for each sample. */
static void unit_draw(struct pp *p, const double *share, int n, bool uneven,
                      uint64_t *seed)
{
    uint32_t leaf[UNIT_FUNCTIONS], by[2], main;
    int64_t count[UNIT_FUNCTIONS] = {0};
    char name[16];
    unit_profile(p);
    uint32_t m = unit_mapping(p, "/usr/bin/server", 0x400000);
    main = unit_location(p, m, 0x400001, "main");
    by[0] = unit_location(p, m, 0x400002, "even");
    by[1] = unit_location(p, m, 0x400003, "odd");
    for (uint32_t i = 0; i < UNIT_FUNCTIONS; i++) {
        snprintf(name, sizeof name, "f%u", i);
        leaf[i] = unit_location(p, m, 0x400010 + i, name);
    }
    for (int k = 0; k < n; k++) {
        double at = unit_random(seed);
        uint32_t i = 0;
        while (i < UNIT_FUNCTIONS - 1 && (at -= share[i]) >= 0)
            i++;
        count[i]++;
        if (uneven)
            pp_add_sample(p, (uint32_t[]){ leaf[i], by[i % 2], main }, 3,
                          (int64_t[]){ 1, unit_random(seed) < 0.5 ? 1000000
                                                                  : 4000000 },
                          NULL, 0);
    }
    for (uint32_t i = 0; i < UNIT_FUNCTIONS && !uneven; i++)
        if (count[i])
            unit_sample(p, count[i], leaf[i], by[i % 2], main);
    p->duration_ns = INT64_C(10000000000);
}

/* Return the true share of a function: self or, with cum, total. */
static double unit_truth(struct slice name, bool cum)
{
    char text[16] = "";
    double sum[2] = {0};
    snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    if (text[0] == 'f')
        return unit_share[atoi(text + 1)];
    for (int i = 0; i < UNIT_FUNCTIONS; i++)
        sum[i % 2] += unit_share[i];
    return !cum ? 0 : !strcmp(text, "even") ? sum[0]
           : !strcmp(text, "odd") ? sum[1] : 1;
}

/* Count the rows of a drawn profile whose expected samples are more than five
 * and not all, and those of them whose interval holds the truth. */
static void unit_cover(const struct anl *a, double n, long *rows, long *held)
{
    for (size_t i = 0; i < 2 * a->nfunctions; i++) {
        const struct anl_function *f = &a->function[i / 2];
        const struct stat_share *s = i % 2 ? &f->cum : &f->flat;
        double truth = unit_truth(a->view.node[f->node].name, i % 2);
        if (truth * n <= 5 || truth >= 1 || (i % 2 && f->flat.sum.value))
            continue;
        ++*rows;
        *held += s->low <= truth && truth <= s->high;
    }
}

/* In 2,000 profiles with 100 to 4,000 samples each, a tenth of them with
 * samples of two weights, 93 to 97% of the 95% intervals cover the truth, for
 * equal weights and for unequal ones.  A function without any sample has no
 * row; one with more than five expected samples hardly ever lacks it. */
static void test_intervals_cover(void)
{
    uint64_t seed = 20261125;
    long rows[2] = {0}, held[2] = {0};
    struct cat_rules rules;
    CHECK(!cat_rules_init(&rules, (struct slice){0}, "", NULL));
    for (int i = 0; i < 2000; i++) {
        struct pp p;
        struct anl a;
        struct anl_config c = { .rules = &rules };
        bool uneven = i % 10 == 9;
        int n = (int)(100 * pow(40, unit_random(&seed)));
        unit_draw(&p, unit_share, n, uneven, &seed);
        CHECK(!anl_run(&p, &c, &a, NULL));
        unit_cover(&a, n, &rows[uneven], &held[uneven]);
        anl_fini(&a);
        pp_fini(&p);
    }
    cat_rules_fini(&rules);
    for (int i = 0; i < 2; i++) {
        double share = (double)held[i] / (double)rows[i];
        CHECK(rows[i] > 1000 && share >= 0.93 && share <= 0.97);
    }
}

/* True if the picture of now beside base has a frame that differs. */
static bool unit_picture_differs(const struct pp p[2],
                                 const struct compare_diff *d)
{
    struct svg g = {0};
    struct svg_config c = { .base = &p[0], .diff = d,
                            .least_ppm = SVG_LEAST_PPM };
    bool differs = false;
    CHECK(!svg_build(&g, &p[1], &c, NULL));
    for (uint32_t i = 1; i < g.tree.n; i++)
        differs |= g.change[i] != SVG_SAME * SVG_SHADES;
    svg_fini(&g);
    return differs;
}

/* How many of 500 pairs of profiles, the first drawn from unit_share and the
 * second from share, have a significant row; *drawn: a frame that differs. */
static int unit_compare_many(const double *share, uint64_t seed, int *drawn)
{
    int marked = 0;
    struct cat_rules rules;             /* read once, not for each profile */
    CHECK(!cat_rules_init(&rules, (struct slice){0}, "", NULL));
    *drawn = 0;
    for (int i = 0; i < 500; i++) {
        struct pp p[2];
        struct anl a[2];
        struct anl_config c = { .rules = &rules };
        struct compare_diff d = {0};
        for (int k = 0; k < 2; k++) {
            int n = (int)(100 * pow(40, unit_random(&seed)));
            unit_draw(&p[k], k ? share : unit_share, n, false, &seed);
            CHECK(!anl_run(&p[k], &c, &a[k], NULL));
        }
        CHECK(!compare_run(&d, &a[1], &a[0], NULL, false, false));
        marked += d.significant > 0;
        *drawn += unit_picture_differs(p, &d);
        compare_fini(&d);
        for (int k = 0; k < 2; k++) {
            anl_fini(&a[k]);
            pp_fini(&p[k]);
        }
    }
    cat_rules_fini(&rules);
    return marked;
}

/* Two runs on each side, 20 rows: equal ones have a significant row in at most
 * 6% of 1,000 families, whether runs differ by as much as their samples do or
 * by ten times the variance; a difference of eight standard errors is found. */
static void test_stat_few_runs(void)
{
    uint64_t seed = 20261130;
    for (int wild = 0; wild < 2; wild++) {
        int false_alarms = 0, found = 0;
        double spread = wild ? sqrt(10) : 1, limit;
        for (int k = 0; k < 1000; k++) {
            double v[20][4], within[4] = { 1, 1, 1, 1 }, f[20], p[20];
            struct stat_runs r[20][2];
            for (int i = 0; i < 20; i++) {
                for (int j = 0; j < 4; j++)
                    v[i][j] = spread * sqrt(-2 * log(1 - unit_random(&seed))) *
                              cos(2 * M_PI * unit_random(&seed)) +
                              (k % 2 && i == 0 && j > 1 ? 8 * spread : 0);
                r[i][0] = (struct stat_runs){ v[i], within, 2 };
                r[i][1] = (struct stat_runs){ v[i] + 2, within, 2 };
                f[i] = stat_runs_factor(r[i]);
            }
            struct stat_prior prior = stat_runs_prior(f, 20, 2);
            for (int i = 0; i < 20; i++)
                p[i] = stat_change_of_runs(r[i], &prior).p;
            CHECK(!stat_significant(p, 20, &limit));
            found += k % 2 && p[0] <= limit;
            for (int i = k % 2; i < 20 && (i == 0 || k % 2 == 0); i++)
                if (p[i] <= limit) {
                    false_alarms++;
                    break;
                }
        }
        CHECK(false_alarms <= 30 && found >= 450);
    }
}

/* Equal runs: at most 6% of 500 comparisons have a significant row, in total or
 * self, or a marked frame.  A function that takes 30% instead of 20% is found
 * in most. */
static void test_comparisons_of_equals(void)
{
    double other[UNIT_FUNCTIONS];
    memcpy(other, unit_share, sizeof other);
    other[0] -= 0.1;
    other[1] += 0.1;
    int drawn;
    CHECK(unit_compare_many(unit_share, 20261125, &drawn) <= 30 && drawn <= 30);
    CHECK(unit_compare_many(other, 20261126, &drawn) > 300 && drawn > 300);
}
