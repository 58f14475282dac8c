/* Unit tests of IMPORT, and of LEGACY's text. */

/* A file, the sample type to count, and the folded stacks of it. */
static const struct {
    const char *name, *text, *sample, *want;
} unit_import[] = {
    { "folded", "# a comment\nmain;work (app.py:12);read_[k] 7\r\n"
      "main;work (app.py:12) 3\n", "samples", "main;work 3\nmain;work;read 7\n" },
    { "folded without counts", "a;b\na;b\na;c", "samples", "a;b 2\na;c 1\n" },
    { "folded with a heading", "stack count\na;b 2\na;b 3\n", "samples",
      "a;b 5\n" },
    { "folded with parts", "a;b 1.6\n", "samples", "a;b 2\n" },
    { "folded nanoseconds, samples", "a;b 30000000\na;c 10000000\n", "samples",
      "a;b 3\na;c 1\n" },
    { "folded nanoseconds", "a;b 30000000\na;c 10000000\n", "cpu",
      "a;b 30000000\na;c 10000000\n" },
    { "folded cycles", "a;b 30000001\na;c 90000000\n", "samples",
      "a;b 1\na;c 1\n" },
    { "folded by threads", "[main tid=12];a.B_[j];c_[i] 4\n", "samples",
      "a.B;c 4\n" },
    { "folded with modules", "x;libc.so.6`read 2\n/srv/web+0x55d0;y 3\n",
      "samples", "web+0x55d0;y 3\nx;read 2\n" },
    { "perf script", "# captured on: x\n#\n"
      "my web  812/813 [001] 4.100000:    2000 cycles:u: \n"
      "\t    55d0 work(int, char)+0x10 (/srv/web)\n"
      "\t     be [unknown] (/srv/web)\n\n"
      "my web  812/813 [001] 4.200000:    3000 cycles:u: \n"
      "\t    55d1 work(int, char)+0x11 (/srv/web (deleted))\n\n"
      "sh 5 5.000000: PERF_RECORD_MMAP2 5/5: [0x1000(0x2000) @ 0]: r-xp /x\n",
      "cycles:u", "web+0xbd;work(int, char) 2000\nwork(int, char) 3000\n" },
    { "perf script of two events",
      "a 1 1.0: 7 cycles: \n\t1 f+0x1 (/a)\n\t2 main+0x1 (/a)\n\n"
      "a 1 2.0: 1 sched:sched_switch: prev=a\n\t1 f+0x1 (/a)\n",
      "sched:sched_switch", "f 1\n" },
    { "perf script without chains",
      "     web   812  4.1:    250 cpu-clock:   7f10 work+0x10 (/srv/web)\n"
      "      dd     9  4.2:    250 cpu-clock:   7f10 [unknown] ([unknown])\n",
      "cpu", "[unknown] 250\nwork 250\n" },
    { "perf script of few fields",
      "java 71\n\t7f10 [unknown] (/tmp/perf-71.map)\n\t7f20 call (/l/libj.so)\n"
      "\njava 71\n\t7f10 [unknown] (/tmp/perf-71.map)\n\t7f20 call (/l/libj.so)",
      "samples", "call;perf-71.map+0x7f10 2\n" },
    { "perf script with lines",
      "a 1 1.0: 7 cpu-clock: \n\t1 f (/a)\n  src/f.c:12\n\t2 g (/a)\n  ??:0\n",
      "cpu", "g;f 7\n" },
    { "a heap of Go", "heap profile: 1: 1048576 [2: 2097152] @ heap/1048576\n"
      "1: 1048576 [2: 2097152] @ 0x6d3f85 0x46a5e1\n"
      "#\t0x6d3f84\tmain.alloc+0x24\t/src/main.go:21\n\n# runtime.MemStats\n"
      "# Alloc = 5\n", "alloc_space", "main.alloc 2425393\n" },
    { "a heap of gperftools", "heap profile:  3: 300 [ 3: 300] @ heapprofile\n"
      " 3: 300 [ 3: 300] @ 0x401010 0x401020\n\nMAPPED_LIBRARIES:\n"
      "00400000-00500000 r-xp 00000000 08:01 1 /srv/prog\n", "space",
      "prog+0x101f;prog+0x100f 300\n" },
    { "a heap's growth", "heap profile: 1: 200 [ 1: 200] @ growthz\n"
      "  1:  200 [     1:  200] @ 0x401010\n", "objects", "[unknown] 1\n" },
    { "a sampled heap of gperftools",
      "heap profile: 2: 64 [ 0: 0] @ heap_v2/64\n"
      " 2: 64 [ 0: 0] @ 0x401010\n", "space", "[unknown] 162\n" },
    { "goroutines", "goroutine profile: total 3\n2 @ 0x43a0f6 0x406bcd\n"
      "#\t0x43a0f5\tmain.worker+0x24\t/src/main.go:21\n\n1 @ 0x4643f1\n"
      "#\t0x4643f0\tmain.main+0x94\t/src/main.go:40\n", "goroutine",
      "main.main 1\nmain.worker 2\n" },
    { "threads of Go", "threadcreate profile: total 2\n2 @ 0x10\n",
      "threadcreate", "[unknown] 2\n" },
    { "a mutex profile", "--- mutex:\ncycles/second=2000000000\n"
      "sampling period=5\n4000 2 @ 0x10\n#\t0xf\tsync.(*Mutex).Unlock+0x1"
      "\t/go/mutex.go:9\n", "delay", "sync.(*Mutex).Unlock 10000\n" },
    { "contention of gperftools", "--- contentionz 1 ---\n"
      "cycles/second = 4000000000\nsampling period = 100\nms since reset = 7\n"
      "discarded samples = 0\n  400  27 @ 0x401011 0x401021\n"
      "--- Memory map: ---\n  00400000-00fcb000: /srv/prog\n", "contentions",
      "prog+0x1020;prog+0x1010 2700\n" },
    { "threadz", "--- threadz 1 ---\n\n--- Thread 7f (name: main/9) stack: ---\n"
      "  PC:  0x401010: work(arg)\n  0x401021: main\n"
      "--- Thread 7e (name: t/10) stack: ---\n  PC: 0x401030 0x401041\n"
      "      0x401051\n"
      "--- Thread 7d (name: t/11) stack: ---\n  [same as previous thread]\n"
      "--- Memory map: ---\n  00400000-00fcb000: /srv/prog\n", "thread",
      "main;work(arg) 1\nprog+0x1050;prog+0x1040;prog+0x1030 2\n" },
    { "Java's contention", "--- contentionz 1 ---\nformat = java\n"
      "resolution = microseconds\nsampling period = 100\nms since reset = 6\n"
      "  30  2 @ 0x3 0x4\n\n 0x3 a.B.run (B.java:7)\n 0x4 Main.main (M.java:1)\n",
      "delay", "Main.main;a.B.run 3000\n" },
    { "Java's heap", "--- heapz 1 ---\nformat = java\nresolution = bytes\n"
      "  7048  1 @ 0x3\n\n 0x3 GC\n", "inuse_space", "GC 527819\n" },
    { "jemalloc", "heap_v2/524288\n  t*: 13: 6688 [0: 0]\n  t0: 1: 2 [0: 0]\n"
      "@ 0x5f6d2a 0x5f6d9f\n  t*: 13: 6688 [0: 0]\n  t0: 13: 6688 [0: 0]\n\n"
      "MAPPED_LIBRARIES:\n00400000-00800000 r-xp 00000000 08:01 1 /srv/server\n",
      "inuse_space", "server+0x1f6d9e;server+0x1f6d29 6819088\n" },
    { "jemalloc with what was allocated", "heap_v2/1\n  t*: 1: 8 [3: 24]\n"
      "@ 0x5f6d2a\n  t*: 1: 8 [3: 24]\n", "alloc_objects", "[unknown] 3\n" },
    { "a .cpuprofile", "{\"nodes\":["
      "{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\"},\"children\":[2,3]},"
      "{\"id\":2,\"callFrame\":{\"functionName\":\"f\",\"url\":\"file:///a.js\","
      "\"lineNumber\":4}},"
      "{\"id\":3,\"callFrame\":{\"functionName\":\"(idle)\"}}],"
      "\"startTime\":0,\"endTime\":9000,\"samples\":[2,2,3,2],"
      "\"timeDeltas\":[1000,2000,1000,3000]}", "cpu", "(root);f 5000000\n" },
    { "a .cpuprofile without samples", "{\"nodes\":["
      "{\"id\":2,\"callFrame\":{\"functionName\":\"f\"},\"parent\":1,"
      "\"hitCount\":3},{\"id\":1,\"callFrame\":{\"functionName\":\"g\"},"
      "\"hitCount\":1}],\"startTime\":1000,\"endTime\":5000}", "cpu",
      "g 1000000\ng;f 3000000\n" },
    { "sampled speedscope", "{\"$schema\":\"x/speedscope\",\"shared\":"
      "{\"frames\":[{\"name\":\"a\"},{\"name\":\"b\",\"file\":\"b.js\","
      "\"line\":3}]},\"profiles\":["
      "{\"type\":\"sampled\",\"name\":\"t1\",\"unit\":\"milliseconds\","
      "\"samples\":[[0,1],[0]],\"weights\":[2,0.5]},"
      "{\"type\":\"evented\",\"name\":\"t2\",\"unit\":\"seconds\",\"events\":["
      "{\"type\":\"O\",\"frame\":0,\"at\":1},{\"type\":\"O\",\"frame\":1,"
      "\"at\":2},{\"type\":\"C\",\"frame\":1,\"at\":4},"
      "{\"type\":\"C\",\"frame\":0,\"at\":5}]},"
      "{\"type\":\"sampled\",\"name\":\"m\",\"unit\":\"bytes\","
      "\"samples\":[[1]],\"weights\":[64]}]}", "time",
      "a 2000500000\na;b 2002000000\n" },
};

/* Read n bytes of text: from a file, line by line, if the format allows it and
 * stream is true. */
static int unit_import_read(const char *text, size_t n, bool stream,
                            struct pp *p, struct gp_why *why)
{
    struct slice begin = { text, n };
    struct buf b = {0};
    if (!stream || !import_streams(begin)) {
        mem_put(&b, text, n);
        return pp_read(p, &b, "cut", 1 << 20, import_read, why);
    }
    int fd = memfd_create("import", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n && !lseek(fd, 0, SEEK_SET));
    int e = import_stream(p, fd, begin, "cut", why);
    close(fd);
    return e;
}

/* Each format has the stacks that it should, read at once and line by line. */
static void test_import_formats(void)
{
    for (size_t i = 0; i < 2 * sizeof unit_import / sizeof *unit_import; i++) {
        const char *text = unit_import[i / 2].text;
        const char *want = unit_import[i / 2].want;
        struct pp p;
        struct buf b = {0};
        struct gp_why why = {{0}};
        struct doc_config c = { .sample = unit_import[i / 2].sample };
        int e = unit_import_read(text, strlen(text), i % 2, &p, &why);
        e = e ? e : foreign_folded(&b, &p, &c, &why);
        bool same = !e && txt_equal(mem_slice(&b), txt_slice(want));
        if (!same)
            printf("%s: %s%.*s", unit_import[i / 2].name, why.text, (int)b.len,
                   b.data ? (const char *)b.data : "");
        CHECK(same);
        mem_fini(&b);
        pp_fini(&p);
    }
}

/* Check that n bytes of text are a profile, or an error that names the file. */
static void unit_import_any(const char *text, size_t n, bool stream)
{
    struct pp p;
    struct gp_why why = {{0}};
    int e = unit_import_read(text, n, stream, &p, &why);
    CHECK(!e || (!strncmp(why.text, "cut: ", 5) && !p.nsamples));
    pp_fini(&p);
}

/* Each format is a profile or an error when it is cut after any byte, when bytes
 * are changed, and when any of its lines is there twice. */
static void test_import_damage(void)
{
    uint32_t dice = 1;
    for (size_t i = 0; i < sizeof unit_import / sizeof *unit_import; i++) {
        size_t n = strlen(unit_import[i].text);
        char *copy = mem_zalloc(2 * n + 1);
        const char *text = unit_import[i].text, *line = text;
        for (size_t k = 0; copy && k < n; k++) {
            if (text[k] != '\n')
                continue;
            size_t to = (size_t)(text + k + 1 - line), end = k + 1;
            memcpy(copy, text, end);
            memcpy(copy + end, line, to);
            memcpy(copy + end + to, text + end, n - end);
            unit_import_any(copy, n + to, k % 2);
            line = text + end;
        }
        for (size_t cut = 0; copy && cut < 3 * n; cut++) {
            size_t part = cut < n ? cut : n;
            memcpy(copy, text, n);
            for (int k = 0; cut >= n && k < 3; k++) {
                dice = dice * 1664525 + 1013904223;
                copy[(dice >> 8) % n] = "0;: \n9-\xff@[]{}\"(x"[dice >> 28];
            }
            unit_import_any(copy, part, cut % 2);
        }
        mem_free(copy);
    }
}

/* A frame keeps its module, file, line and offset. */
static void test_import_places(void)
{
    static const char text[] =
        "a 1 1.0: 7 cpu-clock: \n\t55d0 f+0x1 (/srv/web)\n  src/f.c:12\n"
        "\tff10 do_it+0x1 ([kernel.kallsyms])\n\n";
    static const char folded[] =
        "x;g (a.py:12x);f (app.py:12);/l/libc.so.6+0x10 1\n";
    static const char sums[] = "heap_v2/1\n  t*: 1: 8 [3: 24]\n"
        "  t*: 1: 8 [3: 24]\n@ 0x5f6d2a\n  t*: 1: 8 [3: 24]\n";
    struct gp_why why;
    static const char inlined[] =
        "a 1 1.0: 7 cpu-clock: \n\t55d0 part+0x1 (inlined)\n"
        "\t55d0 f+0x1 (/l/libc.so.6)\n\t77d0 sort+0x1 (inlined)\n"
        "\t10 main+0x1 (/srv/web)\n\n";
    struct pp p;
    CHECK(!unit_import_read(text, strlen(text), true, &p, NULL));
    const struct pp_location *l = &p.location[p.stack[0]];
    CHECK(p.nsamples == 1 && p.nstack == 2 && l->address == 0x55d0);
    CHECK(txt_equal(p.mapping[l->mapping].file, txt_slice("/srv/web")));
    CHECK(p.line[l->line].line == 12 && p.nlabels == 2);
    CHECK(txt_equal(p.function[p.line[l->line].function].file,
                    txt_slice("src/f.c")));
    l = &p.location[p.stack[1]];
    CHECK(txt_equal(p.mapping[l->mapping].file, txt_slice("[kernel.kallsyms]")));
    pp_fini(&p);
    CHECK(!unit_import_read(inlined, strlen(inlined), true, &p, NULL));
    CHECK(p.nstack == 4);
    for (size_t i = 0; i < 4; i++) {    /* sort is in what it calls: libc */
        l = &p.location[p.stack[i]];
        CHECK(txt_equal(p.mapping[l->mapping].file, i < 3
              ? txt_slice("/l/libc.so.6") : txt_slice("/srv/web")));
    }
    pp_fini(&p);
    CHECK(!unit_import_read(folded, strlen(folded), true, &p, NULL));
    l = &p.location[p.stack[0]];
    CHECK(p.nstack == 4 && !l->nlines && l->address == 0x10);
    CHECK(txt_equal(p.mapping[l->mapping].file, txt_slice("/l/libc.so.6")));
    l = &p.location[p.stack[1]];
    CHECK(p.line[l->line].line == 12);
    l = &p.location[p.stack[2]];        /* 12x is no line */
    CHECK(p.line[l->line].line == 0);
    CHECK(txt_equal(p.function[p.line[l->line].function].file,
                    txt_slice("a.py:12x")));
    pp_fini(&p);
    CHECK(unit_import_read(sums, strlen(sums), false, &p, &why) == GP_EFORMAT);
    CHECK(strstr(why.text, "the sum of all stacks is given twice"));
    pp_fini(&p);
}

/* Errors name the format of a file that is no profile, and say what to do. */
static void test_import_names_formats(void)
{
    static const struct { const char *bytes; size_t n; const char *want; }
    row[] = {
#define ROW(bytes, want) { bytes, sizeof bytes - 1, want }
        ROW("PERFILE2\x68\0\0", "perf data. Convert it: perf script -i FILE |"),
        ROW("FLR\0\0\x02", "jfrconv -o collapsed"),
        ROW("\x7f" "ELF\x02\x01\x01", "(ELF), not a profile"),
        ROW("PK\x03\x04", "a zip archive. Unpack it first"),
        ROW("{\"traceEvents\": [", "a trace of Chrome"),
        ROW("[{\"pid\":1,\"ph\":\"X\"}]", "a trace of Chrome"),
        ROW("{\"snapshot\":{\"meta\":{}}}", "a heap snapshot of V8"),
        ROW("{\"a\":1}", "neither a whole .cpuprofile of V8 nor a whole "
            "speedscope file"),
        ROW("<!DOCTYPE html>\n<head><title>\n 502 Bad Gateway</title>",
            "an HTML page: \"502 Bad Gateway\""),
        ROW("<title>Caf\u00e9 \xc2\x9b" "1m</title>", "\"Caf\u00e9 ??1m\""),
        ROW("\n Could not enable\nmore", "but text: \"Could not enable\". Prof"),
        ROW("goroutine profile: total 3\nx", "line 2: expected values"),
        ROW("heap_v2/0\n", "line 1: expected heap_v2/ and"),
        ROW("a;b 1\na;b\n", "not a profile but text: \"a;b 1\""),
        ROW("{\"shared\":{\"frames\":[]},\"profiles\":[{\"type\":\"evented\","
            "\"events\":[{\"type\":\"O\",\"frame\":1,\"at\":1}]}]}", "damaged"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pp p;
        struct gp_why why = {{0}};
        int e = unit_import_read(row[i].bytes, row[i].n, true, &p, &why);
        if (!strstr(why.text, row[i].want))
            printf("%s\n", why.text);
        CHECK(e == GP_EFORMAT && strstr(why.text, row[i].want));
        pp_fini(&p);
    }
}

/* Nested events take no more memory than their own bytes; deeper ones, a cycle
 * and a long line are refused, with the name of the limit. */
static void test_import_limits(void)
{
    struct buf b = {0};
    struct pp p;
    struct gp_why why = {{0}};
    for (size_t depth = 1000; depth <= 100000; depth *= 100) {
        b.len = 0;
        txt_puts(&b, "{\"shared\":{\"frames\":[{\"name\":\"f\"}]},\"profiles\":"
                 "[{\"type\":\"evented\",\"unit\":\"seconds\",\"events\":[");
        for (size_t i = 0; i < depth; i++)
            txt_putf(&b, "%s{\"type\":\"O\",\"frame\":0,\"at\":0}",
                     i ? "," : "");
        for (size_t i = 0; i < depth; i++)
            txt_putf(&b, ",{\"type\":\"C\",\"frame\":0,\"at\":1}");
        txt_puts(&b, "]}]}");
        int e = unit_import_read((const char *)b.data, b.len, false, &p, &why);
        if (depth == 1000)
            CHECK(!e && p.nsamples == 1 && p.nstack == depth);
        else
            CHECK(e && strstr(why.text, ": more than 65536 frames in a"));
        pp_fini(&p);
    }
    static const char cycle[] = "{\"nodes\":[{\"id\":1,\"callFrame\":{},"
        "\"hitCount\":1,\"children\":[2]},{\"id\":2,\"callFrame\":{},"
        "\"children\":[1]}]}";
    CHECK(unit_import_read(cycle, strlen(cycle), false, &p, &why) ==
          GP_ELIMIT && strstr(why.text, "frames in a stack"));
    b.len = 0;
    txt_puts(&b, "a;b 1\n");
    uint8_t *line = mem_reserve(&b, IMPORT_LINE_BYTES + 2);
    if (line)
        memset(line, 'x', IMPORT_LINE_BYTES + 2);
    b.len += IMPORT_LINE_BYTES + 2;
    int fd = memfd_create("import", MFD_CLOEXEC);
    CHECK(line && write(fd, b.data, b.len) == (ssize_t)b.len);
    CHECK(!lseek(fd, 0, SEEK_SET));
    CHECK(import_stream(&p, fd, txt_slice("a;b 1\n"), "cut", &why) ==
          GP_ELIMIT && strstr(why.text, "bytes in a line"));
    close(fd);
    mem_fini(&b);
}
