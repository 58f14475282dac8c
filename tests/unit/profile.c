/* Unit tests of ELF, SMP, PP, LEGACY, MERGE, REC and BUILD. */

/* A small profile: two types, a label, a location without a line. */
static void unit_small_profile(struct pp *p)
{
    uint32_t stack[2] = { 0, 1 };
    int64_t value[2] = { 3, 30000000 };
    struct pp_label label = { .key = txt_slice("thread"),
                              .str = txt_slice("main") };
    *p = (struct pp){0};
    CHECK(!pp_add_type(p, txt_slice("samples"), txt_slice("count")));
    CHECK(!pp_add_type(p, txt_slice("cpu"), txt_slice("nanoseconds")));
    struct pp_mapping *m = PP_NEW(p, mapping);
    *m = (struct pp_mapping){ .id = 1, .start = 0x1000, .limit = 0x9000,
                              .file = txt_slice("/bin/x"),
                              .build_id = txt_slice("abcd") };
    struct pp_function *f = PP_NEW(p, function);
    *f = (struct pp_function){ .id = 1, .name = txt_slice("f"),
                               .system_name = txt_slice("f"),
                               .file = txt_slice("x.c"), .start_line = 3 };
    struct pp_line *n = PP_NEW(p, line);
    *n = (struct pp_line){ 0, 7, 0 };
    struct pp_location *l = PP_NEW(p, location);
    *l = (struct pp_location){ .id = 1, .address = 0x1234, .nlines = 1 };
    l = PP_NEW(p, location);
    *l = (struct pp_location){ .id = 2, .address = 0x4321, .line = 1 };
    CHECK(!pp_add_sample(p, stack, 2, value, &label, 1));
    value[0] = -1;
    CHECK(!pp_add_sample(p, stack + 1, 1, value, NULL, 0));
    CHECK(!pp_add_comment(p, "requests=%d", 5000));
    p->period_type = p->type[1];
    p->period = 10000000;
    p->time_ns = 1700000000000000000;
    p->duration_ns = 30000000000;
    const struct pp_when when[] = { { 0, 2, 1 }, { 0, 0, 1 }, { 0, 0, 1 } };
    CHECK(!pp_set_blocks(p, 3, 10000000000, when, 3));
}

/* Return the samples of row i of p in block. */
static uint32_t unit_in_block(const struct pp *p, size_t i, uint32_t block)
{
    const struct pp_blocks *b = &p->blocks;
    for (uint32_t k = b->at[i]; k < b->at[i + 1]; k++)
        if (b->v[k].block == block)
            return b->v[k].n;
    return 0;
}

static void test_pp_round_trip(void)
{
    struct pp p, q;
    struct buf b = {0};
    struct gp_why why;
    unit_small_profile(&p);
    CHECK(!pp_write(&p, &b));
    CHECK(!pp_read(&q, &b, "x", 1 << 20, legacy_read, &why));
    CHECK(q.ntypes == 2 && txt_equal(q.type[1].unit, p.type[1].unit));
    CHECK(q.nsamples == 2 && q.value[0] == 3 && q.value[2] == -1);
    CHECK(q.stack_at[1] == 2 && q.stack[1] == 1 && q.stack[2] == 1);
    CHECK(q.label_at[1] == 1 && txt_equal(q.label[0].str, txt_slice("main")));
    CHECK(q.nmappings == 1 && q.mapping[0].limit == 0x9000);
    CHECK(q.location[0].mapping == 0 && q.location[0].nlines == 1);
    CHECK(q.location[1].nlines == 0 && q.location[1].address == 0x4321);
    CHECK(q.line[0].line == 7 && q.function[0].start_line == 3);
    CHECK(txt_equal(pp_comment(&q, "requests"), txt_slice("5000")));
    CHECK(pp_comment(&q, "request").n == 0);
    CHECK(q.period == p.period && q.time_ns == p.time_ns);
    CHECK(q.duration_ns == p.duration_ns && !q.repaired[PP_NO_LOCATION]);
    CHECK(q.blocks.n == 3 && q.blocks.ns == 10000000000);
    CHECK(q.blocks.at[1] == 2 && q.blocks.at[2] == 2);
    CHECK(unit_in_block(&q, 0, 0) == 2 && unit_in_block(&q, 0, 2) == 1);
    pp_fini(&p);
    pp_fini(&q);
}

/* Read the small profile, whose first sample counts 3, with the n bytes at
 * blocks as its blocks, given `times` times. */
static void unit_with_blocks(struct pp *p, const void *blocks, size_t n,
                             int times)
{
    struct buf b = {0}, raw = {0};
    size_t at;
    unit_small_profile(p);
    pp_drop_blocks(p);
    CHECK(!pp_write(p, &b));
    CHECK(!gz_gzip_unpack(b.data, b.len, 1 << 20, &raw, &at));
    pp_fini(p);
    mem_fini(&b);
    while (times-- > 0)
        pb_put_bytes(&raw, PP_BLOCKS_FIELD, blocks, n);
    CHECK(!pp_read(p, &raw, "x", 1 << 20, legacy_read, NULL));
}

/* The blocks in PP's banner are read; invalid ones are ignored. */
static void test_pp_reads_blocks(void)
{
#define BLOCKS(n, rows, step, count) \
    { "\x08" n "\x10\x05\x1a" rows "\x22" step "\x2a" count, \
      sizeof "\x08" n "\x10\x05\x1a" rows "\x22" step "\x2a" count - 1 }
    static const struct slice good[] = {
        BLOCKS("\x03", "\2\2\0", "\2\0\2", "\2\2\1"),
        BLOCKS("\x7f", "\2\1\0", "\1\x7e", "\1\3"),
        BLOCKS("\x7f", "\2\0\0", "\0", "\0"),
    }, bad[] = {
        { "", 0 }, { "\x08\x03\x10\x05", 4 },
        BLOCKS("\0", "\2\1\0", "\1\0", "\1\1"),         /* no block */
        BLOCKS("\x81\1", "\2\1\0", "\1\0", "\1\1"),     /* 129 of them */
        BLOCKS("\3", "\2\1\0", "\1\3", "\1\1"),         /* block 3 of 3 */
        BLOCKS("\3", "\2\2\0", "\2\2\1", "\2\1\1"),     /* likewise */
        BLOCKS("\3", "\2\2\0", "\2\0\0", "\2\1\1"),     /* one twice */
        BLOCKS("\3", "\2\1\0", "\1\0", "\1\0"),         /* of 0 samples */
        BLOCKS("\3", "\2\1\0", "\1\0", "\1\4"),         /* of 4, not 3 */
        BLOCKS("\3", "\2\2\0", "\2\0\1", "\2\2\2"),     /* likewise */
        BLOCKS("\3", "\2\0\1", "\1\0", "\1\1"),         /* of -1 */
        BLOCKS("\3", "\1\1", "\1\0", "\1\1"),           /* one row */
        BLOCKS("\3", "\3\1\0\0", "\1\0", "\1\1"),       /* three rows */
        BLOCKS("\3", "\2\1\0", "\2\0\1", "\2\1\1"),     /* left over */
        BLOCKS("\3", "\2\2\0", "\1\0", "\2\1\1"),       /* none left */
        BLOCKS("\3", "\2\2\0", "\2\0\1", "\1\1"),
        BLOCKS("\3", "\2\x80\x80", "\1\0", "\1\1"),     /* cut short */
        { "\x08\3\x1a\2\1\0\x22\1\0\x2a\1\1", 12 },      /* no length */
    };
#undef BLOCKS
    struct pp p;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        unit_with_blocks(&p, good[i].p, good[i].n, 1);
        CHECK(p.blocks.n && p.blocks.ns == 5 && !p.repaired[PP_BAD_BLOCKS]);
        pp_fini(&p);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unit_with_blocks(&p, bad[i].p, bad[i].n, 1);
        CHECK(!p.blocks.n && p.nsamples == 2);
        CHECK(p.repaired[PP_BAD_BLOCKS] == 1);
        pp_fini(&p);
    }
    unit_with_blocks(&p, good[0].p, good[0].n, 2);
    CHECK(!p.blocks.n && p.repaired[PP_BAD_BLOCKS] == 1);
    pp_fini(&p);
}

/* A merged profile has the blocks of all, one after the other; that of 100
 * profiles has longer blocks; if one has no blocks, the merged one has none. */
static void test_merge_keeps_blocks(void)
{
    struct pp p[100], to;
    const char *name[100];
    uint64_t sum = 0;
    for (size_t i = 0; i < 100; i++) {
        unit_small_profile(&p[i]);
        name[i] = "x";
    }
    CHECK(!merge_profiles(&to, p, 2, name, NULL));
    CHECK(to.nsamples == 2 && to.blocks.n == 6);
    CHECK(to.blocks.ns == 10000000000);
    static const uint32_t want[] = { 2, 0, 1, 2, 0, 1 };
    for (uint32_t b = 0; b < 6; b++)
        CHECK(unit_in_block(&to, 0, b) == want[b]);
    pp_fini(&to);
    CHECK(!merge_profiles(&to, p, 100, name, NULL));
    CHECK(to.blocks.n == 100 && to.blocks.ns == 30000000000);
    for (uint32_t b = 0; b < 100; b++)
        sum += unit_in_block(&to, 0, b);
    CHECK(sum == 300 && to.value[0] == 300);
    pp_fini(&to);
    pp_drop_blocks(&p[1]);
    CHECK(!merge_profiles(&to, p, 2, name, NULL) && !to.blocks.n);
    pp_fini(&to);
    for (size_t i = 0; i < 100; i++)
        pp_fini(&p[i]);
}

/* The rows that a filter keeps keep their blocks. */
static void test_filter_keeps_blocks(void)
{
    int64_t value[2] = { 2, 20000000 };
    uint32_t stack = 0;
    const struct pp_when when[] = { { 0, 0, 3 }, { 2, 0, 1 }, { 2, 1, 1 } };
    struct pp p;
    unit_small_profile(&p);
    CHECK(!pp_add_sample(&p, &stack, 1, value, NULL, 0));
    CHECK(!pp_set_blocks(&p, 2, 1, when, 3));
    struct filter_sift s = { .p = &p };
    for (size_t i = 0; i < 3; i++)
        filter_sift_row(&s, i, i > 0, 0, filter_sift_depth(&s, i));
    CHECK(!filter_sift_end(&s, GP_OK) && p.nsamples == 2);
    CHECK(p.value[0] == -1 && p.value[2] == 2 && pp_is_sound(&p));
    CHECK(p.blocks.at[1] == 0 && p.blocks.at[2] == 2);
    CHECK(unit_in_block(&p, 1, 0) == 1 && unit_in_block(&p, 1, 1) == 1);
    pp_fini(&p);
}

/* Inflate a written profile: raw protobuf in b. */
static void unit_small_raw(struct buf *raw)
{
    struct pp p;
    struct buf b = {0};
    size_t at;
    unit_small_profile(&p);
    CHECK(!pp_write(&p, &b) && !gz_gzip_unpack(b.data, b.len, 1 << 20, raw, &at));
    pp_fini(&p);
    mem_fini(&b);
}

static void test_pp_every_truncation_is_an_error_or_a_profile(void)
{
    struct buf raw = {0};
    unit_small_raw(&raw);
    for (size_t cut = 0; cut < raw.len; cut++) {
        struct buf b = {0};
        struct pp p;
        struct gp_why why = {{0}};
        mem_put(&b, raw.data, cut);
        int e = pp_read(&p, &b, "cut", 1 << 20, legacy_read, &why);
        CHECK(!e || (!strncmp(why.text, "cut: ", 5) && !p.nsamples));
        CHECK(!b.data);
        pp_fini(&p);
    }
    mem_fini(&raw);
}

/* Errors name the byte and the field. */
static void test_pp_errors_name_the_field(void)
{
    static const struct { const char *bytes; size_t n; const char *want; }
    row[] = {
#define ROW(bytes, want) { bytes, sizeof bytes - 1, want }
        ROW("no profile", "x: not a pprof profile; take one"),
        ROW("\x0a\x02\x08\x01\x12\x05\x0a\x03\x01\x02\x80",
            "byte 6 of the profile, sample[0].location_id: "),
        ROW("\x0a\x02\x08\x01\x12\x02\x10\x01\x12\x00",
            "byte 8 of the profile, sample[1]: 0 values for 1 sample types"),
        ROW("\x0a\x02\x08\x01\x12\x08\x10\x01\x1a\x00\x1a\x02\x08\xff",
            "byte 12 of the profile, sample[0].label[1].key: damaged"),
        ROW("\x0a\x02\x08\x01\x22\x05\x22\x00\x22\x01\x10",
            "byte 10 of the profile, location[0].line[1].line: damaged"),
        ROW("\x0a\x02\x08\x01\x1a\x0b\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff"
            "\x7f", "byte 6 of the profile, mapping[0].filename: damaged"),
        ROW("\x0a\x02\x08\x01\xf2\x3f\x01", "byte 4 of the profile, field 1022: "),
        ROW("\x0a\x02\x08\x01\x07", "byte 4 of the profile: damaged"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct buf b = {0};
        struct pp p;
        struct gp_why why = {0};
        mem_put(&b, row[i].bytes, row[i].n);
        CHECK(pp_read(&p, &b, "x", 1 << 20, legacy_read, &why));
        if (!strstr(why.text, row[i].want))
            printf("%s\n", why.text);
        CHECK(strstr(why.text, row[i].want));
        pp_fini(&p);
        mem_fini(&b);
    }
}

/* The memory of samples is freed after they are read, but not that of fields
 * between them; an error in a later one still has its number. */
static void test_pp_frees_samples(void)
{
    enum { SAMPLES = 20, PAD = 1 << 20 };
    const uint8_t *pad = mem_zalloc(PAD);
    for (int mixed = 0; mixed < 2; mixed++) {
        struct buf b = {0}, sample = {0};
        struct pp p = {0};
        struct pp_reader r = { .p = &p, .name = "x" };
        struct gp_why why = {{0}};
        mem_put(&b, "\x0a\x02\x08\x01", 4);
        for (int i = 0; i < SAMPLES; i++) {
            pb_put_uint(&sample, 2, 1);
            pb_put_bytes(&sample, 15, (const char *)pad, PAD);
            pb_put_message(&b, 2, &sample);
            if (mixed && i == 1)
                mem_put(&b, "\x32\x00\x32\x01k", 5);
        }
        mem_put(&b, "\x12\x02\x10\x01\x12\x00", 6);
        r.why = &why;
        p.raw = b;
        CHECK(pp_read_raw(&r) == GP_EFORMAT);
        CHECK(strstr(why.text, "profile, sample[21]: 0 values for 1 sample"));
        CHECK(p.nsamples == SAMPLES + 1);
        CHECK(mixed ? !r.freed : r.freed > p.raw.data + (SAMPLES / 2) * PAD);
        CHECK(!mixed || (r.nstrings == 2 && r.string[1].p[0] == 'k'));
        mem_free(r.string);
        pp_fini(&p);
        mem_fini(&sample);
    }
    mem_free((void *)(uintptr_t)pad);
}

/* A repeated label takes a number, not another row. */
static void test_pp_labels_once(void)
{
    struct pp p, q;
    struct buf b = {0};
    struct gp_why why;
    struct pp_label label[2] = {
        { .key = txt_slice("thread"), .str = txt_slice("main") },
        { .key = txt_slice("bytes"), .unit = txt_slice("bytes") } };
    uint32_t stack = 1;
    int64_t value[2] = { 1, 1 };
    unit_small_profile(&p);
    pp_drop_blocks(&p);                 /* they are of two samples */
    for (int i = 0; i < 9; i++) {
        label[1].num = i / 3 + 1;
        CHECK(!pp_add_sample(&p, &stack, 1, value, label, 2));
    }
    CHECK(!pp_write(&p, &b));
    CHECK(!pp_read(&q, &b, "x", 1 << 20, legacy_read, &why));
    CHECK(q.nsamples == 11 && q.nlabel_rows == 19 && q.nlabels == 4);
    CHECK(pp_label(&q, q.label_at[10])->str.n == 4);
    CHECK(pp_label(&q, q.label_at[10] + 1)->num == 3);
    CHECK(pp_is_sound(&q));
    q.label_row[18] = 4;
    CHECK(!pp_is_sound(&q));
    pp_fini(&p);
    pp_fini(&q);
}

/* The number of a sample's frames is limited while they are read, whatever
 * fields they are in. */
static void test_pp_bounds_a_sample(void)
{
    static const char head[] = "\x32\0\x0a\x02\x08\x01\x22\x02\x08\x01";
    struct buf ids = {0}, sample = {0}, b = {0};
    struct gp_why why = {0};
    struct pp p;
    size_t n = PP_MOST_ROWS / 2 + 1;
    memset(mem_reserve(&ids, n), 1, n);
    mem_put(&b, head, sizeof head - 1);
    for (int i = 0; i < 2; i++)
        pb_put_bytes(&sample, 1, ids.data, n);
    pb_put_uint(&sample, 2, 1);
    pb_put_bytes(&b, 2, sample.data, sample.len);
    CHECK(pp_read(&p, &b, "x", 1 << 30, legacy_read, &why) == GP_ELIMIT &&
          strstr(why.text, "sample[0].location_id: too many samples"));
    mem_fini(&ids);
    mem_fini(&sample);
}

static void test_pp_mutations_stay_in_bounds(void)
{
    struct buf raw = {0};
    unsigned seed = 1;
    unit_small_raw(&raw);
    for (int round = 0; round < 20000; round++) {
        struct buf b = {0};
        struct pp p;
        mem_put(&b, raw.data, raw.len);
        for (int k = 0; k < 3; k++)
            b.data[(size_t)rand_r(&seed) % b.len] = (uint8_t)rand_r(&seed);
        if (!pp_read(&p, &b, "mutant", 1 << 20, legacy_read, NULL))
            for (size_t i = 0; i < p.nstack; i++)
                CHECK(p.stack[i] < p.nlocations);
        for (size_t i = 0; i < p.nlocations; i++) {
            CHECK(p.location[i].mapping == MEM_NONE ||
                  p.location[i].mapping < p.nmappings);
            CHECK(p.location[i].line + p.location[i].nlines <= p.nlines);
        }
        for (size_t i = 0; i < p.nlines; i++)
            CHECK(p.line[i].function == MEM_NONE ||
                  p.line[i].function < p.nfunctions);
        pp_fini(&p);
    }
    mem_fini(&raw);
}

static void test_pp_survives_every_failed_allocation(void)
{
    struct buf raw = {0};
    unit_small_raw(&raw);
    int e = GP_ENOMEM;
    for (long k = 0; k < 200 && e; k++) {
        struct buf b = {0}, out = {0};
        struct pp p;
        mem_put(&b, raw.data, raw.len);
        mem_fuse = k;
        e = pp_read(&p, &b, "x", 1 << 20, legacy_read, NULL);
        if (!e)
            e = pp_write(&p, &out);
        mem_fuse = -1;
        CHECK(!e || e == GP_ENOMEM || e == GP_ELIMIT);
        pp_fini(&p);
        mem_fini(&out);
    }
    CHECK(e == GP_OK);
    mem_fini(&raw);
}

static void test_pp_takes_ids_in_any_order_and_unpacked(void)
{
    struct buf raw = {0}, part = {0}, sub = {0};
    struct pp p;
    /* string "" and "n"; type n/n; location 900 -> function 70; one sample
     * with unpacked fields, before the location that it names. */
    pb_put_uint(&part, 1, 900);
    pb_put_uint(&part, 2, 5);
    pb_put_message(&raw, 2, &part);
    pb_put_uint(&part, 1, 900);
    pb_put_uint(&sub, 1, 70);
    pb_put_message(&part, 4, &sub);
    pb_put_message(&raw, 4, &part);
    pb_put_uint(&part, 1, 70);
    pb_put_uint(&part, 2, 1);
    pb_put_message(&raw, 5, &part);
    pb_put_uint(&part, 1, 1);
    pb_put_uint(&part, 2, 1);
    pb_put_message(&raw, 1, &part);
    pb_put_bytes(&raw, 6, "", 0);
    pb_put_bytes(&raw, 6, "n", 1);
    CHECK(!pp_read(&p, &raw, "x", 1 << 20, legacy_read, NULL));
    CHECK(p.nsamples == 1 && p.value[0] == 5 && p.stack[0] == 0);
    CHECK(p.location[0].nlines == 1 && p.line[0].function == 0);
    CHECK(txt_equal(p.function[0].name, txt_slice("n")) && !p.repaired[PP_NO_STRING]);
    pp_fini(&p);
    mem_fini(&part);
    mem_fini(&sub);
}

/* The name of this process's function at pc, as m has it, whose rows for the
 * mappings of s are file; *row is the file's. */
static const char *unit_own_name(struct elf *m, const struct elf_space *s,
                                 const uint32_t *file, uint64_t pc,
                                 uint32_t *row)
{
    const struct elf_map *k = elf_space_find(s, pc);
    *row = k ? file[k - s->map] : MEM_NONE;
    return *row == MEM_NONE ? NULL
         : elf_find_name(m, *row, pc - k->start + k->offset);
}

static void test_elf_names_our_own_code(void)
{
    struct elf m = {0};
    struct elf_space s = {0};
    struct gp_why why;
    uint32_t file[512], row;
    CHECK(!elf_space_read(&s, 0, &why));
    CHECK(s.nmaps < 512 && !elf_add_space(&m, &s, file));
    uint64_t pc = (uint64_t)(uintptr_t)test_elf_names_our_own_code + 4;
    const struct elf_map *k = elf_space_find(&s, pc);
    CHECK(k && elf_is_program(&s, k));
    const char *name = unit_own_name(&m, &s, file, pc, &row);
    CHECK(name && !strcmp(name, "test_elf_names_our_own_code"));
    pc = (uint64_t)(uintptr_t)lsearch + 1;
    name = unit_own_name(&m, &s, file, pc, &row);
    CHECK(name && !strcmp(name, "lsearch"));
    CHECK(strlen(m.file[row].build_id) == 40);
    CHECK(!elf_space_holds(&s, 0) && !elf_space_holds(&s, UINT64_MAX));
    elf_fini(&m);
    elf_space_fini(&s);
}

static void test_elf_survives_damaged_files(void)
{
    struct elf_image self = elf_open("/proc/self/exe");
    unsigned seed = 7;
    CHECK(self.size > 4096);
    size_t n = self.size;
    uint8_t *copy = mem_zalloc(n);
    for (int round = 0; round < 60; round++) {
        struct elf_file f = { .path = "/none", .tried = false };
        const void *whole = elf_bytes(&self, 0, n);
        CHECK(whole);
        memcpy(copy, whole, n);
        for (int i = 0; i < 24; i++)    /* header, segments, sections */
            copy[(size_t)rand_r(&seed) % (i & 1 ? 1024 : n)] ^=
                (uint8_t)rand_r(&seed);
        const Elf64_Ehdr *h = (const Elf64_Ehdr *)(void *)copy;
        if (h->e_shoff < n - 4096)
            for (int i = 0; i < 24; i++)
                copy[h->e_shoff + (size_t)rand_r(&seed) % 2048] =
                    (uint8_t)rand_r(&seed);
        size_t cut = round % 3 ? n : (size_t)rand_r(&seed) % n;
        f.image = (struct elf_image){ copy, cut, -1, false };
        CHECK(!elf_load(&f));
        elf_close(&f.debug);
        mem_free(f.load);
        mem_free(f.symbol);
    }
    mem_free(copy);
    elf_close(&self);
}

/* A directory of this test alone in dir[32], removed by unit_dir_end. */
static void unit_dir(char *dir)
{
    strcpy(dir, "/tmp/grpcprof-unit-XXXXXX");
    CHECK(mkdtemp(dir));
}

/* Remove the directory and everything in it. */
static void unit_dir_end(const char *dir)
{
    char *argv[] = { "rm", "-rf", (char *)(uintptr_t)dir, NULL };
    struct buf out = {0};
    CHECK(!sys_run(argv, -1, false, "", 0, 0, INT64_MAX, &out, NULL));
    mem_fini(&out);
}

/* Where unit_elf places what it writes; all in the first page. */
enum { UNIT_NAMES = 0x400, UNIT_NOTE = 0x500, UNIT_LINK = 0x600,
       UNIT_SYMBOLS = 0x700, UNIT_TEXT = 0x800, UNIT_SIZE = 0x900 };

/* Fill image, UNIT_SIZE bytes, with an ELF file that has the build id of four
 * bytes id (0: none), a .gnu_debuglink to link (NULL: none) with crc, and the
 * function called name (NULL: none) at 0x10. */
static void unit_elf(uint8_t *image, uint8_t id, const char *link,
                     uint32_t crc, const char *name)
{
    static const char names[] = "\0.shstrtab\0.note.gnu.build-id\0"
                                ".gnu_debuglink\0.symtab\0.strtab";
    memset(image, 0, UNIT_SIZE);
    Elf64_Ehdr *h = (void *)image;
    Elf64_Phdr *ph = (void *)(image + sizeof *h);
    Elf64_Shdr *sh = (void *)(image + 0x200);
    memcpy(h->e_ident, ELFMAG, SELFMAG);
    h->e_ident[EI_CLASS] = ELFCLASS64;
    h->e_ident[EI_DATA] = ELFDATA2LSB;
    h->e_phoff = sizeof *h;
    h->e_phentsize = sizeof *ph;
    h->e_phnum = 2;
    h->e_shoff = 0x200;
    h->e_shentsize = sizeof *sh;
    h->e_shnum = 6;
    h->e_shstrndx = 1;
    ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_filesz = UNIT_SIZE };
    ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = UNIT_NOTE,
                          .p_filesz = id ? 20 : 0 };
    memcpy(image + UNIT_NAMES, names, sizeof names);
    sh[1] = (Elf64_Shdr){ 1, SHT_STRTAB, 0, 0, UNIT_NAMES, sizeof names, 0, 0,
                          1, 0 };
    sh[2] = (Elf64_Shdr){ 11, SHT_NOTE, 0, 0, UNIT_NOTE, id ? 20 : 0, 0, 0, 4,
                          0 };
    memcpy(image + UNIT_NOTE, "\4\0\0\0\4\0\0\0\3\0\0\0GNU", 16);
    memset(image + UNIT_NOTE + 16, id, 4);
    if (link) {
        size_t at = (strlen(link) + 4) & ~(size_t)3;
        memcpy(image + UNIT_LINK, link, strlen(link));
        memcpy(image + UNIT_LINK + at, &crc, 4);
        sh[3] = (Elf64_Shdr){ 30, SHT_PROGBITS, 0, 0, UNIT_LINK, at + 4, 0, 0,
                              4, 0 };
    }
    if (!name)
        return;
    Elf64_Sym *sym = (void *)(image + UNIT_SYMBOLS);
    sym[1] = (Elf64_Sym){ 1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, 0x10,
                          0x10 };
    memcpy(image + UNIT_TEXT + 1, name, strlen(name));
    sh[4] = (Elf64_Shdr){ 45, SHT_SYMTAB, 0, 0, UNIT_SYMBOLS, 2 * sizeof *sym,
                          5, 0, 8, sizeof *sym };
    sh[5] = (Elf64_Shdr){ 53, SHT_STRTAB, 0, 0, UNIT_TEXT, 64, 0, 0, 1, 0 };
}

/* The name that the image, as if at path, has for the function at 0x10; its
 * debug files are below root.  "" for none; valid until the next call. */
static const char *unit_name_of(uint8_t *image, const char *path,
                                const char *root)
{
    static char name[64];
    struct elf_file f = { .path = path, .image = { image, UNIT_SIZE, -1,
                                                   false } };
    struct elf m = { .file = &f, .nfiles = 1 };
    const char *was = elf_debug_root;
    elf_debug_root = root;
    const char *found = elf_find_name(&m, 0, 0x18);
    elf_debug_root = was;
    snprintf(name, sizeof name, "%s", found ? found : "");
    elf_close(&f.debug);
    mem_free(f.load);
    mem_free(f.symbol);
    return name;
}

/* Write the image at dir and the rest of the path, or remove it when NULL. */
static void unit_place(const uint8_t *image, const char *dir, const char *path)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", dir, path);
    if (!image) {
        CHECK(!unlink(full));
        return;
    }
    for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(full, 0700);
    }
    CHECK(!sys_write_file(full, image, UNIT_SIZE, NULL));
}

static void test_elf_debug_link(void)
{
    _Alignas(16) uint8_t image[UNIT_SIZE], debug[UNIT_SIZE];
    char dir[32], program[64], root[64], below[128];
    unit_dir(dir);
    snprintf(program, sizeof program, "%s/bin/a", dir);
    snprintf(root, sizeof root, "%s/root", dir);
    snprintf(below, sizeof below, "/root%s/bin/a.dbg", dir);
    unit_elf(debug, 0, NULL, 0, "linked");
    uint32_t crc = (uint32_t)crc32(0, debug, UNIT_SIZE);
    unit_elf(image, 0, "a.dbg", crc, NULL);
    CHECK(!strcmp(unit_name_of(image, program, root), ""));
    const char *places[] = { "/bin/a.dbg", "/bin/.debug/a.dbg", below };
    for (int i = 0; i < 3; i++) {
        unit_place(debug, dir, places[i]);
        CHECK(!strcmp(unit_name_of(image, program, root), "linked"));
        unit_place(NULL, dir, places[i]);
    }
    unit_place(debug, dir, places[1]);
    unit_place(image, dir, places[0]);  /* a wrong one does not hide it */
    CHECK(!strcmp(unit_name_of(image, program, root), "linked"));
    unit_place(NULL, dir, places[0]);
    unit_elf(image, 0, "a.dbg", crc + 1, NULL);
    CHECK(!strcmp(unit_name_of(image, program, root), ""));
    unit_elf(image, 0, ".debug/a.dbg", crc, NULL);  /* a name, not a path */
    CHECK(!strcmp(unit_name_of(image, program, root), ""));
    for (uint64_t n = 0; n < 12; n++) { /* "a.dbg" NUL pad CRC, cut short */
        unit_elf(image, 0, "a.dbg", crc, NULL);
        ((Elf64_Shdr *)(void *)(image + 0x200))[3].sh_size = n;
        CHECK(!strcmp(unit_name_of(image, program, root), ""));
    }
    unit_elf(image, 0, "a.dbg", crc, NULL);
    ((Elf64_Shdr *)(void *)(image + 0x200))[3].sh_offset = UINT64_MAX - 4;
    CHECK(!strcmp(unit_name_of(image, program, root), ""));
    unit_dir_end(dir);
}

/* Damaged section headers and links: no crash, and nothing read outside of the
 * image, which ends where readable memory does. */
static void test_elf_survives_damaged_links(void)
{
    size_t page = 4096;
    uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED && !mprotect(map + page, page, PROT_NONE));
    uint8_t *image = map + page - UNIT_SIZE, link[64];
    unsigned seed = 7;
    memset(link, 'x', sizeof link);
    for (int round = 0; round < 20000; round++) {
        struct elf_file f = { .path = "/x/a", .image = { image, UNIT_SIZE, -1,
                                                         false } };
        link[(size_t)rand_r(&seed) % sizeof link] = 0;
        link[sizeof link - 1] = 0;
        unit_elf(image, 0xab, (char *)link, 1, "f");
        link[strlen((char *)link)] = 'x';
        for (int i = rand_r(&seed) % 8; i >= 0; i--)
            image[0x200 + (size_t)rand_r(&seed) % 0x4c0] =
                (uint8_t)rand_r(&seed);
        if (round % 100 == 0) {         /* a link that ends with the file */
            Elf64_Shdr *sh = (void *)(image + 0x200);
            memset(image + UNIT_SIZE - 8, 'x', 8);
            sh[3].sh_offset = UNIT_SIZE - 8;
            sh[3].sh_size = 8;
        } else if (round & 1)
            f.image.size = (size_t)rand_r(&seed) % UNIT_SIZE;
        f.image.fd = 0;                 /* as addr2line needs it */
        elf_with_lines(&f);
        f.image.fd = -1;
        CHECK(!elf_load(&f));
        elf_close(&f.debug);
        mem_free(f.load);
        mem_free(f.symbol);
    }
    munmap(map, 2 * page);
}

static void test_elf_build_id_file(void)
{
    _Alignas(16) uint8_t image[UNIT_SIZE], debug[UNIT_SIZE];
    static const char place[] = "/.build-id/ab/ababab.debug";
    char dir[32];
    unit_dir(dir);
    unit_elf(image, 0xab, NULL, 0, NULL);
    CHECK(!strcmp(unit_name_of(image, "/x/a", dir), ""));
    unit_elf(debug, 0xab, NULL, 0, "by_id");
    unit_place(debug, dir, place);
    CHECK(!strcmp(unit_name_of(image, "/x/a", dir), "by_id"));
    CHECK(!strcmp(unit_name_of(image, "[vdso]", dir), "by_id"));
    unit_elf(debug, 0xac, NULL, 0, "by_id");
    unit_place(debug, dir, place);
    CHECK(!strcmp(unit_name_of(image, "/x/a", dir), ""));
    unit_elf(debug, 0, NULL, 0, "by_id");
    unit_place(debug, dir, place);
    CHECK(!strcmp(unit_name_of(image, "/x/a", dir), ""));
    unit_dir_end(dir);
}

static const struct rec_config unit_1 = { .hz = 1 }, unit_250 = { .hz = 250 },
                               unit_999 = { .hz = 999 };

static const struct rec_source unit_source;

static volatile uint64_t unit_sink;

/* Work for the sampler to find; its address is taken, so that it keeps its
 * name. */
static void unit_spin(int64_t ns)
{
    int64_t end = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
    while (sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        for (unsigned i = 0; i < 20000; i++)
            unit_sink = unit_sink * 6364136223846793005u + i;
}

static void (*volatile unit_work)(int64_t) = unit_spin;

/* Flat samples of the function called name, and all samples, of p. */
static void unit_count(const struct pp *p, const char *name, uint64_t *flat,
                       uint64_t *cum, uint64_t *all)
{
    *flat = *cum = *all = 0;
    for (size_t i = 0; i < p->nsamples; i++) {
        bool seen = false;
        uint64_t n = (uint64_t)p->value[2 * i];
        *all += n;
        for (uint32_t k = p->stack_at[i]; k < p->stack_at[i + 1]; k++) {
            const struct pp_location *l = &p->location[p->stack[k]];
            if (!l->nlines || !txt_equal(txt_slice(name),
                    p->function[p->line[l->line].function].name))
                continue;
            *flat += k == p->stack_at[i] ? n : 0;
            *cum += seen ? 0 : n;
            seen = true;
        }
    }
}

static void test_rec_finds_the_work(void)
{
    struct rec_mark from, to;
    struct pp p;
    struct gp_why why;
    uint64_t flat, cum, all;
    CHECK(!rec_user_add(&unit_250, &why));
    CHECK(rec_user_add(&unit_999, &why) == GP_ESTATE);
    CHECK(!rec_mark(&from, &unit_source, &why));
    smp_label = smp_label_id("/a.B/C");
    unit_work(400000000);
    smp_label = 0;
    CHECK(!rec_mark(&to, &unit_source, &why));
    CHECK(!build_profile(&from, &to, &unit_source, &p, &why));
    unit_count(&p, "unit_spin", &flat, &cum, &all);
    CHECK(all > 20 && cum * 10 >= all * 9);
    CHECK(strtoull(pp_comment(&p, "samples").p, NULL, 10) == all);
    double coverage = strtod(pp_comment(&p, "coverage").p, NULL);
    CHECK(coverage > 0.97 && coverage < 1.03);
    uint64_t labelled = 0;
    for (size_t i = 0; i < p.nsamples; i++)
        for (uint32_t k = p.label_at[i]; k < p.label_at[i + 1]; k++)
            if (txt_equal(pp_label(&p, k)->str, txt_slice("/a.B/C")))
                labelled += (uint64_t)p.value[2 * i];
    CHECK(labelled * 10 >= all * 9);
    CHECK(p.nmappings && p.mapping[0].file.n);
    pp_fini(&p);
    rec_mark_fini(&from);
    rec_mark_fini(&to);
    rec_user_drop();
}

static void test_rec_windows_overlap(void)
{
    struct rec_mark a, b, c;
    struct pp p;
    uint64_t flat, cum, first, second, whole;
    CHECK(!rec_user_add(&unit_250, NULL));
    CHECK(!rec_mark(&a, &unit_source, NULL));
    unit_work(150000000);
    CHECK(!rec_mark(&b, &unit_source, NULL));
    unit_work(150000000);
    CHECK(!rec_mark(&c, &unit_source, NULL));
    CHECK(!build_profile(&a, &b, &unit_source, &p, NULL));
    unit_count(&p, "unit_spin", &flat, &cum, &first);
    pp_fini(&p);
    CHECK(!build_profile(&b, &c, &unit_source, &p, NULL));
    unit_count(&p, "unit_spin", &flat, &cum, &second);
    pp_fini(&p);
    CHECK(!build_profile(&a, &c, &unit_source, &p, NULL));
    unit_count(&p, "unit_spin", &flat, &cum, &whole);
    pp_fini(&p);
    CHECK(first && second && first + second == whole);
    rec_mark_fini(&a);
    rec_mark_fini(&b);
    rec_mark_fini(&c);
    rec_user_drop();
}

/* Return all samples of p in block. */
static uint64_t unit_all_in_block(const struct pp *p, uint32_t block)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->nsamples; i++)
        sum += unit_in_block(p, i, block);
    return sum;
}

/* The blocks of a window have all of its samples and no others: 1, 2 ... 20 in
 * 20 blocks, with perhaps an empty one by the drain thread.  The test sets each
 * block's length to 1,000 ns. */
static void test_rec_blocks_of_a_window(void)
{
    struct rec_mark from, to;
    struct ring_slot s = { .depth = 1, .tid = (uint32_t)syscall(SYS_gettid) };
    struct rec_log *g = &rec_data.log;
    struct pp p;
    uint32_t n = 0;
    CHECK(!rec_user_add(&unit_1, NULL));
    pthread_mutex_lock(&rec_one.lock);
    s.pc[0] = (uintptr_t)strlen;
    rec_on_sample(&s, NULL);
    pthread_mutex_unlock(&rec_one.lock);
    CHECK(!rec_mark(&from, &unit_source, NULL));
    pthread_mutex_lock(&rec_one.lock);
    for (int i = 1; i <= 20; i++) {
        rec_end_block(0);
        for (int k = 0; k < i; k++) {
            s.pc[0] = (uintptr_t)(k % 3 ? (void *)qsort : (void *)strlen);
            rec_on_sample(&s, NULL);
        }
    }
    pthread_mutex_unlock(&rec_one.lock);
    CHECK(!rec_mark(&to, &unit_source, NULL));
    pthread_mutex_lock(&rec_one.lock);
    s.pc[0] = (uintptr_t)strlen;
    rec_on_sample(&s, NULL);
    for (size_t i = 0; i < g->nblocks; i++)
        if (g->block[i].end_ns > from.wall_ns &&
            g->block[i].end_ns <= to.wall_ns)
            g->block[i].end_ns = from.wall_ns + 1000 * (int64_t)++n;
    to.wall_ns = from.wall_ns + 1000 * (int64_t)n;
    pthread_mutex_unlock(&rec_one.lock);
    CHECK(!build_profile(&from, &to, &unit_source, &p, NULL));
    CHECK(n > 20 && p.blocks.n == n && p.blocks.ns == 1000);
    uint64_t want = 1;
    for (uint32_t b = 0; b < n && want < 20; b++) {
        uint64_t sum = unit_all_in_block(&p, b);
        CHECK(!sum || sum == want);     /* the last may have a real sample */
        want += sum > 0;
    }
    CHECK(want == 20);
    for (size_t i = 0; i < p.nsamples; i++) {
        uint64_t sum = 0;
        for (uint32_t b = 0; b < n; b++)
            sum += unit_in_block(&p, i, b);
        CHECK(sum == (uint64_t)p.value[2 * i]);
    }
    pp_fini(&p);
    rec_mark_fini(&from);
    rec_mark_fini(&to);
    rec_user_drop();
}

/* Take a sample of t at now_ns, with this number of switches so far; return the
 * time charged to the kernel's switching. */
static int64_t unit_switch_ns(struct rec_thread *t, int64_t now_ns,
                              uint32_t switches)
{
    struct ring_slot s = { .cpu_ns = now_ns, .switches = switches };
    int64_t from = t->ns;
    rec_charge_switches(t, &s);
    int64_t charged = t->ns - from;
    rec_count_switches(t, switches);
    t->ns = t->sample_ns = now_ns;
    return charged;
}

/* Time beyond a period is charged to the kernel's switching, up to a limit per
 * switch, less the time that the sample before was early; not after several
 * periods without a sample. */
static void test_rec_time_of_switches(void)
{
    const int64_t period = 1000000000, us = 1000;
    int64_t now = period;
    CHECK(!rec_user_add(&unit_1, NULL));
    pthread_mutex_lock(&rec_one.lock);
    struct rec_thread *t = rec_find_thread(0, INT_MAX, 0, 0, true);
    CHECK(t && unit_switch_ns(t, now, 1) == 0);     /* the first */
    CHECK(unit_switch_ns(t, now += period + 20 * us, 5) == 20 * us);
    CHECK(unit_switch_ns(t, now += period + 700 * us, 7) == 2 * REC_SWITCH_NS);
    CHECK(unit_switch_ns(t, now += period, 9) == 0);
    CHECK(unit_switch_ns(t, now += 3 * period, 9) == 0);
    CHECK(unit_switch_ns(t, now += period - 30 * us, 11) == 0);
    CHECK(unit_switch_ns(t, now += period + 40 * us, 12) == 10 * us);
    CHECK(unit_switch_ns(t, now += 20 * period, 900) == 0);
    CHECK(unit_switch_ns(t, now += period + 9 * us, 901) == 9 * us);
    t->period_ns = period / 2;
    CHECK(unit_switch_ns(t, now += period / 2 + us, 903) == us);
    pthread_mutex_unlock(&rec_one.lock);
    rec_user_drop();
}

/* A profile says how often threads left their CPU and how late a timer is. */
static void test_rec_counts_switches(void)
{
    struct rec_mark from, to;
    struct timespec t = { 0, 100000 };
    struct fig f;
    struct pp p;
    CHECK(!rec_user_add(&unit_1, NULL));
    CHECK(!rec_mark(&from, &unit_source, NULL));
    for (int i = 0; i < 10; i++)
        nanosleep(&t, NULL);
    CHECK(!rec_mark(&to, &unit_source, NULL));
    CHECK(!build_profile(&from, &to, &unit_source, &p, NULL));
    CHECK(!fig_read(&f, &p));
    CHECK(f.switches >= 10 && f.timer_late_ns > 0);
    fig_fini(&f);
    pp_fini(&p);
    rec_mark_fini(&from);
    rec_mark_fini(&to);
    rec_user_drop();
}

/* Random periods are 3/4 to 5/4 of the requested one, and on average that. */
static void test_smp_random_period(void)
{
    static const unsigned hz[] = { 1, 99, 1000, SMP_MOST_HZ };
    for (size_t i = 0; i < sizeof hz / sizeof *hz; i++) {
        int64_t period = 1000000000 / hz[i];
        double sum = 0, n = 0;
        for (uint64_t r = 0; r <= UINT32_MAX; r += 99991, n++) {
            int64_t ns = smp_random_period(hz[i], (uint32_t)r);
            CHECK(ns >= period - period / 4 && ns <= period + period / 4);
            sum += (double)ns;
        }
        CHECK(fabs(sum / n / (double)period - 1) < 0.01);
    }
}

/* The log of a recorder that runs for long has few blocks, the later the
 * shorter, with every sample in one of them. */
static void test_rec_log_is_bounded(void)
{
    enum { ROWS = 50, BLOCKS = 20000 };
    struct rec_log *g = &rec_data.log;
    uint64_t want[ROWS] = {0}, have[ROWS] = {0};
    unsigned seed = 3;
    rec_data_fini();
    rec_data.row = mem_zalloc(ROWS * sizeof *rec_data.row);
    g->block = mem_zalloc(REC_MOST_BLOCKS * sizeof *g->block);
    g->begin_ns = sys_now_ns();
    for (int i = 0; i < BLOCKS; i++) {
        for (int k = rand_r(&seed) % 5; k > 0; k--) {
            uint32_t row = (uint32_t)(rand_r(&seed) % ROWS);
            rec_log_sample(row);
            want[row]++;
        }
        rec_end_block(0);
        CHECK(g->nblocks < REC_MOST_BLOCKS);
    }
    int64_t begin = g->begin_ns, now = g->block[g->nblocks - 1].end_ns;
    size_t at = 0;
    rec_log_merge(g, REC_AGE_PARTS);
    CHECK(g->nblocks > REC_AGE_PARTS && g->nblocks < REC_MOST_BLOCKS / 2);
    for (size_t i = 0; i < g->nblocks; i++) {
        bool seen[ROWS] = {0};
        CHECK(begin < g->block[i].end_ns && g->block[i].end_ns <= now);
        for (; at < g->block[i].end; at++) {
            CHECK(!seen[g->part[at].row]);
            seen[g->part[at].row] = true;
            have[g->part[at].row] += g->part[at].n;
        }
        begin = g->block[i].end_ns;
    }
    CHECK(begin == now && at == g->nparts && !memcmp(want, have, sizeof want));
    rec_log_merge(g, 0);
    CHECK(g->nblocks == 1 && g->nparts == ROWS);
    rec_data_fini();
}

/* A sample that was taken before a mark and drained after it must not be
 * charged again with what the mark has charged. */
static void test_rec_late_sample_is_not_charged_twice(void)
{
    struct rec_mark m;
    struct ring_slot s = { .depth = 1, .tid = (uint32_t)syscall(SYS_gettid) };
    s.pc[0] = (uintptr_t)qsort;
    CHECK(!rec_user_add(&unit_1, NULL));
    unit_work(5000000);
    s.cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    unit_work(5000000);
    CHECK(!rec_mark(&m, &unit_source, NULL));
    pthread_mutex_lock(&rec_one.lock);
    int64_t before = rec_data.total.charged_ns;
    uint64_t samples = rec_data.total.samples;
    rec_on_sample(&s, NULL);
    CHECK(rec_data.total.samples == samples + 1);
    CHECK(rec_data.total.charged_ns == before);
    pthread_mutex_unlock(&rec_one.lock);
    rec_mark_fini(&m);
    rec_user_drop();
}

/* Start and stop a profiler again and again. */
static void *unit_start_and_stop(void *arg)
{
    for (int i = 0; i < 60; i++) {
        struct rec_mark m;
        CHECK(!rec_user_add(&unit_250, NULL));
        CHECK(!rec_mark(&m, &unit_source, NULL));
        rec_mark_fini(&m);
        rec_user_drop();
    }
    return arg;
}

static void test_rec_many_may_start_and_stop_at_once(void)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_create(&t[i], NULL, unit_start_and_stop, NULL));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK(rec_one.users == 0);
}

/* Return the address at which its caller continues. */
__attribute__((noinline)) static uint64_t unit_here(void)
{
    uint64_t pc = (uint64_t)(uintptr_t)__builtin_return_address(0) - 1;
    __asm__ volatile ("" : "+r" (pc));
    return pc;
}

enum { UNIT_INLINED_LINE = __LINE__ + 4 };
/* An address in here, where it is inlined. */
__attribute__((always_inline)) static inline uint64_t unit_inlined(void)
{
    uint64_t pc = unit_here();
    unit_sink += pc;
    return pc;
}

enum { UNIT_OUTER_LINE = __LINE__ + 4 };
/* An address in unit_inlined(), inlined here. */
__attribute__((noinline)) static uint64_t unit_outer(void)
{
    uint64_t pc = unit_inlined();
    unit_sink++;
    return pc;
}

/* The profile of one sample, at pc, with the programs at path (or those that
 * are in PATH) as addr2line and c++filt; the location of it. */
static const struct pp_location *unit_sample_at(struct pp *p, uint64_t pc,
                                                const char *path)
{
    struct rec_mark from, to;
    struct ring_slot s = { .depth = 1, .tid = (uint32_t)syscall(SYS_gettid) };
    char *was = getenv("PATH"), *kept = was ? strdup(was) : NULL;
    s.pc[0] = (uintptr_t)pc;
    CHECK(!rec_user_add(&unit_1, NULL));
    CHECK(!rec_mark(&from, &unit_source, NULL));
    pthread_mutex_lock(&rec_one.lock);
    s.cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    rec_on_sample(&s, NULL);
    pthread_mutex_unlock(&rec_one.lock);
    CHECK(!rec_mark(&to, &unit_source, NULL));
    if (path)
        setenv("PATH", path, 1);
    CHECK(!build_profile(&from, &to, &unit_source, p, NULL));
    if (path && kept)
        setenv("PATH", kept, 1);
    free(kept);
    rec_mark_fini(&from);
    rec_mark_fini(&to);
    rec_user_drop();
    for (size_t i = 0; i < p->nlocations; i++)
        if (p->location[i].address == pc)
            return &p->location[i];
    CHECK(false);
    return &p->location[0];
}

/* The same of a pc in unit_outer. */
static const struct pp_location *unit_sample_outer(struct pp *p,
                                                   const char *path)
{
    return unit_sample_at(p, unit_outer(), path);
}

/* Is line k of location l in the function called name, at line? */
static bool unit_is_line(const struct pp *p, const struct pp_location *l,
                         uint32_t k, const char *name, int64_t line)
{
    static const char file[] = "unit/profile.c";
    if (k >= l->nlines)
        return false;
    const struct pp_line *n = &p->line[l->line + k];
    const struct pp_function *f = &p->function[n->function];
    bool placed = f->file.n > strlen(file) &&
        !memcmp(f->file.p + f->file.n - strlen(file), file, strlen(file));
    return txt_equal(f->name, txt_slice(name)) && n->line == line &&
           placed == (line > 0);
}

static void test_rec_inlined_calls(void)
{
    struct pp p;
    const struct pp_location *l = unit_sample_outer(&p, NULL);
    CHECK(l->nlines == 2);
    CHECK(unit_is_line(&p, l, 0, "unit_inlined", UNIT_INLINED_LINE));
    CHECK(unit_is_line(&p, l, 1, "unit_outer", UNIT_OUTER_LINE));
    CHECK(p.mapping[l->mapping].has_functions);
    for (size_t i = 0; i < p.nmappings; i++)
        CHECK(p.mapping[i].has_filenames == p.mapping[i].has_lines &&
              p.mapping[i].has_lines == p.mapping[i].has_inline);
    for (size_t i = 0; i < p.nfunctions; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(!txt_equal(p.function[i].name, p.function[k].name) ||
                  !txt_equal(p.function[i].file, p.function[k].file));
    pp_fini(&p);
}

/* Make the file name in dir: a shell script. */
static void unit_fake(const char *dir, const char *name, const char *text)
{
    char path[64];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK((f = fopen(path, "we")) && fprintf(f, "#!/bin/sh\n%s\n", text) > 0);
    fclose(f);
    CHECK(!chmod(path, 0700));
}

static void test_rec_without_addr2line(void)
{
    static const char *const fake[] = {
        NULL,                           /* none at all */
        "exit 0", "exit 1", "kill -SEGV $$",
        "echo", "echo garbage", "printf 0x", "echo 0x1", "cat",
        "/bin/cat; /bin/cat </dev/zero",
        "exec /usr/bin/yes ??",
        "echo 0x1; echo f; echo f.c:1",
        "read a; echo ${a}g; echo f; echo f.c:1",
        "read a; echo $a; echo f; echo f.c:1; echo more",
        "read a; echo $a; echo f; echo f.c:1; echo 0x9",
        "read a; echo $a; echo f; echo f.c:1; printf more",
        "read a; echo $a; echo f; echo f.c:1; exit 1",
        "read a; echo $a; printf 'f\\nf.c:1'",
        "read a; echo $a; echo f; echo f.c",
        "read a; echo $a; echo f; printf '\\377:1\\n'",
        "read a; echo $a; echo '?''?'; echo '?''?:0'",
        "read a; echo $a; echo '?''?'; echo '?''?:?'",
        "read a; echo $a; echo f; echo '/unit/profile.c:?'",
        "read a; echo $a; echo f; echo /unit/profile.c:0",
        "read a; echo $a; echo f; echo 'f.c:99999999999'",
        "read a; echo $a; echo f; echo 'f.c:-1'",
        "read a; echo $a; echo f; echo ':7'",
    };
    char dir[32];
    unit_dir(dir);
    for (size_t i = 0; i < sizeof fake / sizeof *fake; i++) {
        struct pp p;
        if (fake[i])
            unit_fake(dir, "addr2line", fake[i]);
        const struct pp_location *l = unit_sample_outer(&p, dir);
        CHECK(l->nlines == 1 && unit_is_line(&p, l, 0, "unit_outer", 0));
        CHECK(p.mapping[l->mapping].has_functions &&
              !p.mapping[l->mapping].has_filenames &&
              !p.mapping[l->mapping].has_lines &&
              !p.mapping[l->mapping].has_inline);
        if (unit_bad)
            printf("# addr2line is: %s\n", fake[i] ? fake[i] : "absent");
        pp_fini(&p);
    }
    unit_fake(dir, "addr2line", "read a; echo $a; echo x; echo '/a b/unit/profile.c:7"
              " (discriminator 3)'; echo x; echo /c/unit/profile.c:8;"
              "echo z; echo /unit/profile.c:9");
    struct pp p;                        /* the fakes above are well made */
    const struct pp_location *l = unit_sample_outer(&p, dir);
    CHECK(l->nlines == 3 && unit_is_line(&p, l, 0, "x", 7) &&
          unit_is_line(&p, l, 1, "x", 8));
    CHECK(unit_is_line(&p, l, 2, "unit_outer", 9)); /* the symbol's name */
    const struct pp_line *n = &p.line[l->line];
    CHECK(n[0].function != n[1].function);          /* x of another file */
    pp_fini(&p);
    unit_dir_end(dir);
}

/* Take the window of the sample with addr2line from the directory arg; *done
 * then. */
static atomic_bool unit_done;
static void *unit_slow_window(void *arg)
{
    struct pp p;
    unit_sample_outer(&p, arg);
    pp_fini(&p);
    atomic_store(&unit_done, true);
    return NULL;
}

/* While one window waits for addr2line, the recorder takes samples. */
static void test_rec_records_while_lines_are_read(void)
{
    char dir[32], script[192], started[64], go[64];
    struct rec_mark m;
    pthread_t t;
    unit_dir(dir);
    snprintf(started, sizeof started, "%s/started", dir);
    snprintf(go, sizeof go, "%s/go", dir);
    snprintf(script, sizeof script, ": >%s; until [ -e %s ]; do "
             "/bin/sleep 0.02; done", started, go);
    unit_fake(dir, "addr2line", script);
    CHECK(!rec_user_add(&unit_1, NULL));
    atomic_store(&unit_done, false);
    CHECK(!pthread_create(&t, NULL, unit_slow_window, dir));
    while (access(started, F_OK) && !atomic_load(&unit_done))
        usleep(1000);
    CHECK(!rec_mark(&m, &unit_source, NULL));
    CHECK(!atomic_load(&unit_done));
    close(open(go, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    pthread_join(t, NULL);
    CHECK(atomic_load(&unit_done));
    rec_mark_fini(&m);
    rec_user_drop();
    unit_dir_end(dir);
}

/* A trap that is not perf's, as after a breakpoint, ends the process as ever;
 * somebody else's handler of SIGTRAP stays. */
static void test_smp_trap(void)
{
    for (int theirs = 0; theirs < 2; theirs++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            if (theirs)
                signal(SIGTRAP, SIG_IGN);
            if (smp_start(&smp_perf, 100, NULL) || (theirs && smp_one.trap))
                _exit(1);
            raise(SIGTRAP);
            _exit(theirs ? 0 : 2);
        }
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        if (theirs)
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP);
    }
}

/* True if a thread at pc counts as waiting; eintr: its result is -EINTR. */
static bool smp_waiting_at(const uint8_t *pc, bool eintr)
{
    ucontext_t u = {0};
#if defined __x86_64__
    u.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)pc;
    u.uc_mcontext.gregs[REG_RAX] = eintr ? -EINTR : 0;
#else
    u.uc_mcontext.pc = (uint64_t)(uintptr_t)pc;
    u.uc_mcontext.regs[0] = eintr ? (uint64_t)-EINTR : 0;
#endif
    return smp_waiting_sig(&u);
}

/* Of three pages the middle one can be read: a pc at its first byte, at its
 * last and outside of it is none of a system call, and no fault. */
static void test_smp_waiting_reads_no_foreign_page(void)
{
#if defined __x86_64__
    static const uint8_t call[] = { 0x0f, 0x05 };
#else
    static const uint8_t call[] = { 0x01, 0x00, 0x00, 0xd4 };
#endif
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = sizeof call;
    uint8_t *p = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0);
    CHECK(p != MAP_FAILED);
    p += page;
    CHECK(!mprotect(p, page, PROT_READ | PROT_WRITE));
    CHECK(unw_self_usable());
    memcpy(p, call, n);
    memcpy(p + page - n, call, n);
    CHECK(smp_waiting_at(p, true) && smp_waiting_at(p, false));
    CHECK(smp_waiting_at(p + n, true) && !smp_waiting_at(p + n, false));
    CHECK(smp_waiting_at(p + page, true) && !smp_waiting_at(p + page, false));
    CHECK(smp_waiting_at(p + page - n, false));
    CHECK(!smp_waiting_at(p + page - 1, true));
    CHECK(!smp_waiting_at(p + 1, true) && !smp_waiting_at(p - 1, true));
    CHECK(!smp_waiting_at(p + 2 * page, true) && !smp_waiting_at(NULL, true));
    CHECK(!smp_waiting_at((const uint8_t *)1, true));
    memset(p, 0, page);
    CHECK(!smp_waiting_at(p, true) && !smp_waiting_at(p, false));
    munmap(p - page, 3 * page);
}

static void test_smp_full_ring_counts_what_it_loses(void)
{
    struct gp_why why;
    ucontext_t u;
    uint64_t ticket, before;
    CHECK(!rec_user_add(&unit_1, &why));          /* makes the ring */
    pthread_mutex_lock(&rec_one.lock);  /* nobody drains it now */
    getcontext(&u);
    before = smp_lost();
    for (uint64_t i = 0; i < smp_one.ring.count + 10; i++) {
        struct ring_slot *s = ring_claim_sig(&smp_one.ring, &ticket);
        if (!s)
            continue;
        s->tid = (uint32_t)getpid();
        s->depth = 1;
        s->pc[0] = (uintptr_t)qsort;
        s->cpu_ns = 0;
        s->truncated = s->failed = false;
        atomic_store(&s->turn, ticket + 1);
    }
    uint64_t lost = smp_lost() - before;
    CHECK(lost >= 10 && lost <= 12);    /* a late signal may be among them */
    pthread_mutex_unlock(&rec_one.lock);
    rec_user_drop();
}

static void test_profiler_api_writes_both_files(void)
{
    char dir[] = "/tmp/grpcprof-unit-XXXXXX", pprof[64], svg[64];
    struct gp_profiler *p, *q;
    struct gp_profiler_config config = { .size = sizeof config, .hz = 200 };
    struct gp_why why;
    struct stat st;
    CHECK(mkdtemp(dir));
    snprintf(pprof, sizeof pprof, "%s/p.pb", dir);
    snprintf(svg, sizeof svg, "%s/f.svg", dir);
    CHECK(!gp_profiler_start(&p, &config, &why));
    CHECK(!gp_profiler_start(&q, &config, &why));       /* they overlap */
    CHECK(!gp_profiler_note(p, "work", "7"));
    unit_work(100000000);
    gp_profiler_stop(q);
    CHECK(!gp_profiler_write(p, pprof, svg, &why));
    gp_profiler_stop(p);
    CHECK(!stat(pprof, &st) && st.st_size > 200);
    CHECK(!stat(svg, &st) && st.st_size > 2000);
    unlink(pprof);
    unlink(svg);
    CHECK(!rmdir(dir));
    config.hz = 20000;
    CHECK(gp_profiler_start(&p, &config, &why) == GP_EUSAGE && !p);
}
