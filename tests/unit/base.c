/* Unit tests of MEM, TXT, SYS, JS, PB, GZ and HDR. */

/* n bytes that end exactly where memory ends, so that an over-read traps. */
static uint8_t *unit_guard(const void *src, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (n + page - 1) / page * page;
    uint8_t *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + room, page, PROT_NONE);
    memcpy(p + room - n, src, n);
    return p + room - n;
}

/* Undo unit_guard. */
static void unit_unguard(uint8_t *p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (n + page - 1) / page * page;
    munmap(p + n - room, room + page);
}

/* True when b holds exactly text; empties b. */
static bool unit_is(struct buf *b, const char *text)
{
    bool same = b->len == strlen(text) && !memcmp(b->data, text, b->len);
    if (!same)
        printf("     got '%.*s', want '%s'\n", (int)b->len,
               b->data ? (const char *)b->data : "", text);
    b->len = 0;
    return same;
}

static void test_mem_buf_grows_and_keeps_its_bytes(void)
{
    struct buf b = {0};
    for (int i = 0; i < 10000; i++)
        mem_put_byte(&b, (uint8_t)i);
    CHECK(b.len == 10000 && b.cap >= b.len && !b.err);
    for (int i = 0; i < 10000; i++)
        CHECK(b.data[i] == (uint8_t)i);
    mem_fini(&b);
    CHECK(!b.data && !b.cap);
}

static void test_mem_failure_is_sticky(void)
{
    struct buf b = {0};
    mem_fuse = 0;
    mem_put(&b, "x", 1);
    mem_fuse = -1;
    mem_put(&b, "y", 1);
    CHECK(b.err == GP_ENOMEM && b.len == 0);
    mem_fini(&b);
}

/* In a hash by xor and multiplication, pairs of words could cancel out under
 * every seed: two bits of a product and the same two of the next word. */
static void test_mem_hash_has_no_cancelling_words(void)
{
    uint64_t word[2] = { 0x0123456789abcdef, 0x1122334455667788 };
    uint64_t plain = mem_hash(word, sizeof word);
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < 64; k++) {
            word[0] ^= UINT64_C(1) << 63;
            word[1] ^= UINT64_C(1) << i | UINT64_C(1) << k;
            CHECK(mem_hash(word, sizeof word) != plain);
            word[1] ^= UINT64_C(1) << i | UINT64_C(1) << k;
            word[0] ^= UINT64_C(1) << 63;
        }
    CHECK(mem_hash(word, sizeof word) == plain);
    CHECK(mem_hash_more(1, word, 8) != mem_hash_more(2, word, 8));
}

static void test_mem_index_finds_all(void)
{
    struct index x = {0};
    uint32_t at = 0;
    CHECK(mem_index_next(&x, 1, &at) == MEM_NONE);
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t h = mem_hash(&i, sizeof i) & ~(uint64_t)0xf;   /* collide */
        CHECK(!mem_index_put(&x, h, i));
    }
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t h = mem_hash(&i, sizeof i) & ~(uint64_t)0xf;
        uint32_t found = MEM_NONE, r;
        at = 0;
        while ((r = mem_index_next(&x, h, &at)) != MEM_NONE)
            if (r == i)
                found = r;
        CHECK(found == i);
    }
    mem_index_fini(&x);
}

static void test_mem_arena_is_aligned_and_zeroed(void)
{
    struct arena a = {0};
    for (size_t n = 0; n < 3000; n += 7) {
        uint8_t *p = mem_arena_alloc(&a, n);
        CHECK(p && (uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
        memset(p, 0xff, n);
    }
    CHECK(!mem_arena_alloc(&a, SIZE_MAX));
    mem_arena_fini(&a);
}

static void test_txt_numbers_are_strict(void)
{
    uint64_t v = 7;
    CHECK(!txt_number("50_000", 0, UINT64_MAX, &v) && v == 50000);
    CHECK(!txt_number("18446744073709551615", 0, UINT64_MAX, &v) && v + 1 == 0);
    static const char *const bad[] = { "", "-1", "+1", "1x", " 1", "1 ", "_1",
        "1_", "1__0", "0x10", "1e3", "1.5", "18446744073709551616" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(txt_number(bad[i], 0, UINT64_MAX, &v));
    static const char *const real[] = { "", "0x10", "0x1p4", "inf", "nan", " 1",
        "1 ", "1e", "1e999", "-", "1,5", "1_0" };
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        CHECK(isnan(txt_finite(txt_slice(real[i]))));
    char digits[201];                   /* longer than most */
    memset(digits, '3', 200);
    digits[1] = '.';
    digits[200] = 0;
    CHECK(fabs(txt_finite(txt_slice(digits)) - 10.0 / 3) < 1e-15);
    CHECK(txt_finite((struct slice){ "1e2x", 3 }) > 99.9);
    CHECK(txt_number("5", 6, 9, &v) == GP_ELIMIT);
    CHECK(txt_number("10", 6, 9, &v) == GP_ELIMIT);
}

static void test_txt_durations_and_sizes(void)
{
    int64_t ns;
    uint64_t n;
    CHECK(!txt_duration("500us", &ns) && ns == 500000);
    CHECK(!txt_duration("10ms", &ns) && ns == 10000000);
    CHECK(!txt_duration("1.5s", &ns) && ns == 1500000000);
    CHECK(!txt_duration("3m", &ns) && ns == 180000000000);
    CHECK(!txt_duration("1h", &ns) && ns == 3600000000000);
    CHECK(!txt_duration("0", &ns) && ns == 0);
    static const char *const bad[] = { "", "30", "30q", "s", "1.s", "1.5",
        "-1s", "1 s", "1ss", "99999h" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(txt_duration(bad[i], &ns));
    CHECK(!txt_size("64K", 0, UINT64_MAX, &n) && n == 65536);
    CHECK(!txt_size("4M", 0, UINT64_MAX, &n) && n == 4194304);
    CHECK(!txt_size("7", 0, UINT64_MAX, &n) && n == 7);
    CHECK(txt_size("4MB", 0, UINT64_MAX, &n));
    CHECK(txt_size("99999999999999G", 0, UINT64_MAX, &n));
}

static void test_txt_percent_codec(void)
{
    struct buf b = {0}, back = {0};
    /* The interop suite's special_status_message. */
    struct slice s = txt_slice("\t\ntest with whitespace\r\nand Unicode BMP "
                               "\xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n");
    txt_put_percent_encoded(&b, s, 1000);
    txt_put_percent_decoded(&back, (struct slice){ (char *)b.data, b.len },
                            SIZE_MAX);
    CHECK(back.len == s.n && !memcmp(back.data, s.p, s.n));
    CHECK(unit_is(&b, "%09%0Atest with whitespace%0D%0Aand Unicode BMP "
                      "%E2%98%BA and non-BMP %F0%9F%98%88%09%0A"));
    txt_put_percent_encoded(&b, txt_slice("100%"), 1000);
    CHECK(unit_is(&b, "100%25"));
    txt_put_percent_encoded(&b, txt_slice("ab\xe2\x98\xba"), 10);  /* never half */
    CHECK(unit_is(&b, "ab"));
    txt_put_percent_encoded(&b, txt_slice("\xff"), 100);
    CHECK(unit_is(&b, "%EF%BF%BD"));
    back.len = 0;
    txt_put_percent_decoded(&back, txt_slice("%zz%4"), SIZE_MAX);
    CHECK(unit_is(&back, "%zz%4"));
    back.len = 0;                       /* invalid UTF-8, and NUL */
    txt_put_percent_decoded(&back, txt_slice("a%ff%00\xe2\x98%61%E2%98%BA%C0"
                                             "%80\xe2\x98"), SIZE_MAX);
    CHECK(unit_is(&back, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                         "a\xe2\x98\xba\xef\xbf\xbd\xef\xbf\xbd"
                         "\xef\xbf\xbd\xef\xbf\xbd"));
    for (size_t most = 0; most < 12; most++) {  /* never half a character */
        back.len = 0;
        txt_put_percent_decoded(&back, txt_slice("ab%E2%98%BA%f0%9f%98%88c"),
                                most);
        CHECK(back.len == (most < 2 ? most : most < 5 ? 2 : most < 9 ? 5
                           : most < 10 ? 9 : 10));
    }
    mem_fini(&b);
    mem_fini(&back);
}

/* True if s is base64 of the n bytes of want. */
static bool unit_unbase64(const char *s, const char *want, size_t n)
{
    struct buf b = {0};
    bool ok = txt_put_base64_decoded(&b, txt_slice(s)) && b.len == n &&
              (!n || !memcmp(b.data, want, n));
    mem_fini(&b);
    return ok;
}

/* The vectors of RFC 4648, padded or not. */
static void test_txt_base64(void)
{
    static const struct { const char *plain, *padded, *bare; } t[] = {
        { "", "", "" }, { "f", "Zg==", "Zg" }, { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" }, { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        txt_put_base64(&b, txt_slice(t[i].plain));
        CHECK(b.len == strlen(t[i].bare) &&
              (!b.len || !memcmp(b.data, t[i].bare, b.len)));
        CHECK(unit_unbase64(t[i].padded, t[i].plain, strlen(t[i].plain)));
        CHECK(unit_unbase64(t[i].bare, t[i].plain, strlen(t[i].plain)));
        mem_fini(&b);
    }
    CHECK(unit_unbase64("AAECAw==", "\0\1\2\3", 4));
    CHECK(unit_unbase64("+/+/", "\xfb\xff\xbf", 3));
    static const char *const bad[] = { "A", "=", "==", "===", "====", "AA=",
        "A===", "AAECAw=", "AAECAw===", "AA==A", "AA==AA==", "AA=A", "AAEC=",
        "AAECA", "-_-_", "AA A", "AAE\n", "AA\xff" "A" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = {0};
        CHECK(!txt_put_base64_decoded(&b, txt_slice(bad[i])));
        mem_fini(&b);
    }
    struct buf b = {0};                 /* strchr finds the end of a text */
    CHECK(!txt_put_base64_decoded(&b, (struct slice){ "AA\0A", 4 }));
    mem_fini(&b);
}

static void test_txt_utf8(void)
{
    CHECK(txt_utf8("a", 1) == 1 && txt_utf8("\xc3\xa4", 2) == 2);
    CHECK(txt_utf8("\xf4\x8f\xbf\xbf", 4) == 4);
    CHECK(txt_utf8("\xc3", 1) == 0 && txt_utf8("\xc0\x80", 2) == 0);
    CHECK(txt_utf8("\xe0\x80\x80", 3) == 0 && txt_utf8("\xed\xa0\x80", 3) == 0);
    CHECK(txt_utf8("\xf4\x90\x80\x80", 4) == 0 && txt_utf8("\xff", 1) == 0);
    struct buf b = {0};
    txt_put_clean(&b, txt_slice("a\x1b[0m\xff\xc2\x85"));
    CHECK(unit_is(&b, "a\xef\xbf\xbd[0m\xef\xbf\xbd\xef\xbf\xbd"));
    mem_fini(&b);
    txt_put_clean(&b, txt_slice("\u202e\u2028\u2066\uffff|\u2027\u202f\uff41"));
    CHECK(unit_is(&b, "\ufffd\ufffd\ufffd\ufffd|\u2027\u202f\uff41"));
    mem_fini(&b);
}

/* Shortened names keep their end, from the beginning of one of their parts. */
static void test_txt_fitting(void)
{
    static const struct { const char *name; size_t n; const char *want; } t[] = {
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 70,
          "google.golang.org/grpc/internal/transport.(*loopyWriter).run" },
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 28,
          "transport.(*loopyWriter).run" },
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 27,
          "..(*loopyWriter).run" },
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 20,
          "..(*loopyWriter).run" },
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 19,
          "..run" },
        { "google.golang.org/grpc/internal/transport.(*loopyWriter).run", 4,
          "" },
        { "void shop::Cart<int>::total(std::vector<int> const&) const", 30,
          "void shop::Cart<int>::total" },
        { "void shop::Cart<int>::total(std::vector<int> const&) const", 26,
          "..shop::Cart<int>::total" },
        { "void shop::Cart<int>::total(std::vector<int> const&) const", 18,
          "..Cart<int>::total" },
        { "void shop::Cart<int>::total(std::vector<int> const&) const", 17,
          "..total" },
        { "core::ptr::drop_in_place<alloc::vec::Vec<u8>>", 20,
          "..ptr::drop_in_place" },
        { "<alloc::vec::Vec<T> as core::ops::Drop>::drop", 20, "..drop" },
        { "std::basic_ostream<char>::operator<<(int)", 14, "..operator<<" },
        { "app::Task::operator()(int)", 15, "..operator()" },
        { "Object.<anonymous>", 14, "..<anonymous>" },
        { "main.(*T)", 8, "..(*T)" },
        { "com.shop.Cart$Item.total", 19, "..Cart$Item.total" },
        { "a_long_name_of_c", 8, "..e_of_c" },
        { "operator.(*Reconciler).Run", 18, "..Run" },
        { "\u4e2d\u4e2d\u4e2d\u4e2d", 7, "..\u4e2d\u4e2d" },
        { "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", 5,
          "..\u00e9\u00e9\u00e9" },
        { "google::protobuf::internal::WireFormat::Serialize", 46,
          "..protobuf::internal::WireFormat::Serialize" },
        { "(program)", 6, "(pro.." }, { "[unknown]", 9, "[unknown]" },
        { "[unknown]", 8, "[unkno.." }, { "[unknown]", 4, "" },
        { "<\u4e2d\u4e2d\u4e2d>", 6, "<\u4e2d.." },
        { "[/usr/lib/libssl.so]", 12, "..libssl.so]" },
        { "foo(", 3, "" }, { "", 3, "" }, { "a<b", 3, "a<b" },
        { "f(int)", 3, "f" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        txt_put_fitting(&b, txt_slice(t[i].name), t[i].n, txt_put_clean);
        CHECK(txt_equal(mem_slice(&b), txt_slice(t[i].want)));
        mem_fini(&b);
    }
    struct buf b = {0};
    txt_put_fitting(&b, txt_slice("void A<int>::f(int) const"), 9, txt_put_xml);
    CHECK(txt_equal(mem_slice(&b), txt_slice("..f")));
    b.len = 0;
    txt_put_fitting(&b, txt_slice("void A<int>::f(int) const"), 13, txt_put_xml);
    CHECK(txt_equal(mem_slice(&b), txt_slice("..A&lt;int&gt;::f")));
    mem_fini(&b);
}

/* Text whose start matters is cut at its end: module names, build ids. */
static void test_txt_starts(void)
{
    static const struct { const char *s; size_t n; const char *want; } t[] = {
        { "libssl.so.3", 11, "libssl.so.3" }, { "libssl.so.3", 10, "libssl.s.." },
        { "libssl.so.3", SIZE_MAX, "libssl.so.3" }, { "", 2, "" },
        { "abc", 2, ".." }, { "\u4e2d\u4e2d\u4e2d", 5, "\u4e2d.." },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        txt_put_start(&b, txt_slice(t[i].s), t[i].n, txt_put_clean);
        CHECK(txt_equal(mem_slice(&b), txt_slice(t[i].want)));
        mem_fini(&b);
    }
}

static void test_txt_for_people(void)
{
    struct buf b = {0};
    txt_put_commas(&b, 5000);
    CHECK(unit_is(&b, "5,000"));
    txt_put_commas(&b, 999);
    CHECK(unit_is(&b, "999"));
    txt_put_time(&b, 1234567);
    CHECK(unit_is(&b, "1.23 ms"));
    txt_put_time(&b, 999.9e6);
    CHECK(unit_is(&b, "1.00 s"));
    txt_put_time(&b, 12);
    CHECK(unit_is(&b, "12 ns"));
    txt_put_duration(&b, 5400000000000);
    txt_put_duration(&b, 1500000000);
    txt_put_duration(&b, 0);
    CHECK(unit_is(&b, "90m1500ms0s"));
    txt_put_bytes(&b, 1500000);
    CHECK(unit_is(&b, "1.5 MB"));
    CHECK(txt_distance("prifile", "profile") == 1);
    CHECK(txt_distance("sevre", "serve") == 1);
    CHECK(txt_distance("laod", "report") > 3);
    CHECK(txt_near("") == 0 && txt_near("a") == 0 && txt_near("ab") == 1 &&
          txt_near("bogus") == 1 && txt_near("cleints") == 2 &&
          txt_near("max-requests-per-conection") == 3);
    mem_fini(&b);
}

/* 14,000 ns of work, by a CPU clock that takes 400 ns to read, and a monotonic
 * one that takes 20. */
static void test_sys_lap_leaves_out_what_is_no_work(void)
{
    static const struct { int64_t cpu_ns, mono_ns, ns; } laps[] = {
        { 14420, 14020, 14000 },        /* kept the CPU */
        { 14920, 14020, 14000 },        /* reading cost more: cold caches */
        { 14020, 14020, 14000 },        /* reading cost nothing */
        { 14420, 4014020, 14000 },      /* lost the CPU for 4 ms */
        { 14420, 14421, 14000 },        /* for 401 ns */
        { 420, 20, 0 }, { 419, 19, 0 }, { 0, 0, 0 },    /* no work */
        { 420, 5000020, 0 }, { 300, 5000000, 0 }        /* it only waited */
    };
    struct sys_lap empty = { 420, 20 };
    for (size_t i = 0; i < sizeof laps / sizeof *laps; i++) {
        struct sys_lap took = { laps[i].cpu_ns, laps[i].mono_ns };
        CHECK(sys_lap_cpu_ns(took, empty) == laps[i].ns);
    }
}

/* The subtracted cost of an empty lap is not 0, and less than that of work.  A
 * lap that sleeps takes less CPU time than it sleeps. */
static void test_sys_lap_empty_is_small(void)
{
    struct sys_lap empty = sys_lap_empty();
    struct timespec t = { 0, 20000000 };
    CHECK(empty.mono_ns >= 0 && empty.mono_ns <= empty.cpu_ns);
    CHECK(empty.cpu_ns > 0 && empty.cpu_ns < SERVER_TIMED_JOB_NS);
    struct sys_lap from = sys_lap_begin();
    nanosleep(&t, NULL);
    struct sys_lap took = sys_lap_end(from);
    CHECK(took.mono_ns >= 20000000);
    CHECK(sys_lap_cpu_ns(took, empty) == took.cpu_ns - empty.cpu_ns);
    CHECK(took.cpu_ns < 20000000);
}

static void test_sys_write_file_replaces_whole(void)
{
    char dir[] = "/tmp/grpcprof-unit-XXXXXX", path[64], link[64];
    struct gp_why why;
    struct buf b = {0};
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a", dir);
    snprintf(link, sizeof link, "%s/b", dir);
    CHECK(!symlink("a", link));
    CHECK(!sys_write_file(path, "one", 3, &why));
    CHECK(!sys_write_file(link, "three", 5, &why));     /* through the link */
    CHECK(!sys_read_file(path, 100, &b, &why));
    CHECK(unit_is(&b, "three"));
    CHECK(sys_read_file(path, 4, &b, &why) == GP_ELIMIT);
    b.len = 0;
    CHECK(sys_read_file(dir, 100, &b, &why) == GP_EIO);
    CHECK(strstr(why.text, "directory"));
    CHECK(sys_write_file("/no/such/dir/x", "", 0, &why) == GP_EIO);
    CHECK(!sys_write_file("/dev/null", "x", 1, &why));
    CHECK(sys_write_file("/dev/full", "x", 1, &why) == GP_EIO);
    CHECK(!sys_write_check("/dev/null", &why));
    CHECK(sys_write_check("/dev", &why) == GP_EIO);
    CHECK(sys_write_check("/no/such/dir/x", &why) == GP_EIO);
    unlink(path);
    CHECK(!sys_write_check(link, &why));        /* a dangling link */
    CHECK(!sys_write_file(link, "new", 3, &why));
    b.len = 0;
    CHECK(!sys_read_file(path, 100, &b, &why) && unit_is(&b, "new"));
    unlink(link);
    CHECK(!symlink(link, link));                        /* and to itself */
    CHECK(sys_write_file(link, "x", 1, &why) == GP_EIO);
    CHECK(strstr(why.text, strerror(ELOOP)));
    unlink(link);
    unlink(path);
    CHECK(!rmdir(dir));                                 /* nothing left over */
    mem_fini(&b);
}

static void test_js_is_json(void)
{
    struct buf b = {0};
    struct js j = { .b = &b };
    js_open(&j, '{');
    js_key(&j, "a\"\\\x01");
    js_put_str(&j, txt_slice("\xff</script>\n"));
    js_key(&j, "n");
    js_put_num(&j, NAN);
    js_key(&j, "l");
    js_open(&j, '[');
    js_put_int(&j, INT64_MIN);
    js_put_bool(&j, true);
    js_put_null(&j);
    js_close(&j, ']');
    js_close(&j, '}');
    CHECK(unit_is(&b, "{\"a\\\"\\\\\\u0001\":\"\\ufffd</script>\\u000a\",\n "
                      "\"n\":null,\n \"l\":[-9223372036854775808,\n  true,\n"
                      "  null]}"));
    mem_fini(&b);
}

static void test_pb_varints_round_trip(void)
{
    const uint64_t v[] = { 0, 1, 127, 128, 300, 16383, 16384, 1ull << 63,
                           UINT64_MAX };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct buf b = {0};
        uint64_t got = 0;
        pb_put_varint(&b, v[i]);
        struct pb_in in = { b.data, b.data + b.len };
        CHECK(!pb_get_varint(&in, &got) && got == v[i] && in.p == in.end);
        for (size_t cut = 0; cut < b.len; cut++) {
            in = (struct pb_in){ b.data, b.data + cut };
            CHECK(pb_get_varint(&in, &got) == GP_EFORMAT);
        }
        mem_fini(&b);
    }
    const uint8_t eleven[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                               0xff, 0xff, 0x01 };
    const uint8_t big[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                            0xff, 0x02 };
    uint64_t got;
    struct pb_in in = { eleven, eleven + sizeof eleven };
    CHECK(pb_get_varint(&in, &got) == GP_EFORMAT);
    in = (struct pb_in){ big, big + sizeof big };
    CHECK(pb_get_varint(&in, &got) == GP_EFORMAT);
}

static void test_pb_banner_examples(void)
{
    const uint8_t text[] = { 0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73,
                             0x74, 0x69, 0x6e, 0x67 };
    uint8_t *p = unit_guard(text, sizeof text);
    struct pb_in in = { p, p + sizeof text };
    struct pb_field f;
    CHECK(pb_get_field(&in, &f) == 1 && f.number == 1 && f.value == 150);
    CHECK(pb_get_field(&in, &f) == 1 && f.number == 2 &&
          f.bytes.end - f.bytes.p == 7 && !memcmp(f.bytes.p, "testing", 7));
    CHECK(pb_get_field(&in, &f) == 0);
    struct buf b = {0};
    pb_put_uint(&b, 1, 150);
    pb_put_bytes(&b, 2, "testing", 7);
    CHECK(b.len == sizeof text && !memcmp(b.data, text, b.len));
    mem_fini(&b);
    unit_unguard(p, sizeof text);
}

static void test_pb_refuses_what_is_not_protobuf(void)
{
    static const struct { const char *bytes; size_t n; } bad[] = {
        { "\x00", 1 }, { "\x0b", 1 }, { "\x0c", 1 }, { "\x0f", 1 },
        { "\x12\x05" "ab", 4 }, { "\x09\x01\x02", 3 }, { "\x0d\x01", 2 },
        { "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
        /* groups: the end of another, without end, with a bad field in it */
        { "\x0b\x14", 2 }, { "\x0b\x08\x01", 3 }, { "\x0b\x13\x0c\x14", 4 },
        { "\x0b\x12\x05\x0c", 4 }, { "\x0b\x0f\x0c", 3 }, { "\x0b\x00\x0c", 3 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t *p = unit_guard(bad[i].bytes, bad[i].n);
        struct pb_in in = { p, p + bad[i].n };
        struct pb_field f;
        CHECK(pb_get_field(&in, &f) == GP_EFORMAT);
        unit_unguard(p, bad[i].n);
    }
}

/* A group is its fields, up to its own end; nested ones up to a limit. */
static void test_pb_groups(void)
{
    static const char text[] = "\x0b\x08\x05\x13\x12\x01\x0c\x14\x0c\x10\x07";
    struct pb_in in = pb_of((struct slice){ text, sizeof text - 1 });
    struct pb_field f;
    CHECK(pb_get_field(&in, &f) == 1 && f.type == PB_GROUP && f.number == 1);
    CHECK(pb_slice(&f).p == text + 1 && pb_slice(&f).n == 7);
    CHECK(pb_get_field(&in, &f) == 1 && f.number == 2 && f.value == 7);
    CHECK(pb_get_field(&in, &f) == 0);
    char deep[2 * PB_GROUP_DEPTH + 2];
    for (size_t n = PB_GROUP_DEPTH; n <= PB_GROUP_DEPTH + 1; n++) {
        memset(deep, 0x0b, n);
        memset(deep + n, 0x0c, n);
        in = pb_of((struct slice){ deep, 2 * n });
        CHECK((pb_get_field(&in, &f) == 1) == (n == PB_GROUP_DEPTH));
    }
}

static void test_gz_round_trip_and_bounds(void)
{
    struct buf in = {0}, out = {0}, back = {0};
    size_t at;
    for (unsigned i = 0; i < 300000; i++)
        mem_put_byte(&in, (uint8_t)(i * i >> 7));
    CHECK(!gz_gzip_pack(in.data, in.len, &out) && gz_is(out.data, out.len));
    size_t one = out.len;
    CHECK(!gz_gzip_unpack(out.data, out.len, in.len, &back, &at));
    CHECK(back.len == in.len && !memcmp(back.data, in.data, in.len));
    back.len = 0;
    CHECK(gz_gzip_unpack(out.data, out.len, in.len - 1, &back, &at) == GP_ELIMIT);
    for (size_t cut = 0; cut < out.len; cut += cut < 64 ? 1 : 997) {
        back.len = 0;
        CHECK(gz_gzip_unpack(out.data, cut, in.len, &back, &at) == GP_EFORMAT);
    }
    CHECK(!gz_gzip_pack("tail", 4, &out));                /* a second member */
    back.len = 0;
    CHECK(!gz_gzip_unpack(out.data, out.len, in.len + 4, &back, &at));
    CHECK(back.len == in.len + 4 && !memcmp(back.data + in.len, "tail", 4));
    out.len = one;
    mem_put(&out, "junk", 4);
    back.len = 0;
    CHECK(gz_gzip_unpack(out.data, out.len, 1 << 30, &back, &at) == GP_EFORMAT);
    CHECK(at == one);
    mem_fini(&in);
    mem_fini(&out);
    mem_fini(&back);
}

static void test_hdr_layout(void)
{
    CHECK(hdr_index(0) == 0 && hdr_index(2047) == 2047);
    CHECK(hdr_index(3000) == 2524);     /* the banner's example */
    CHECK(hdr_index(HDR_MOST_NS) < HDR_COUNTS);
    uint32_t last = 0;
    for (int64_t v = 1; v < HDR_MOST_NS; v += 1 + v / 1000) {
        uint32_t i = hdr_index(v);
        CHECK(i >= last && i - last <= 3);
        CHECK(hdr_value(i) >= v && hdr_value(i) - v <= v / 1000);
        last = i;
    }
}

static void test_hdr_percentiles_and_merge(void)
{
    struct hdr a, b, all;
    CHECK(!hdr_init(&a) && !hdr_init(&b) && !hdr_init(&all));
    CHECK(hdr_percentile(&a, 50) == 0);
    for (int64_t i = 1; i <= 1000; i++) {
        hdr_add(i % 2 ? &a : &b, i);
        hdr_add(&all, i);
    }
    hdr_merge(&a, &b);
    CHECK(a.n == 1000 && a.min == 1 && a.max == 1000 && a.sum == 500500);
    CHECK(!memcmp(a.count, all.count, HDR_COUNTS * sizeof *a.count));
    CHECK(hdr_percentile(&a, 50) == 500 && hdr_percentile(&a, 99) == 990);
    CHECK(hdr_percentile(&a, 100) == 1000 && hdr_percentile(&a, 0) == 1);
    hdr_add(&a, HDR_MOST_NS * 2);
    CHECK(a.over == 1 && a.max == HDR_MOST_NS * 2);
    hdr_fini(&a);
    hdr_fini(&b);
    hdr_fini(&all);
}

/* Run a shell command for at most ms milliseconds and 1 MiB. */
static int unit_shell(const char *command, int file, const char *in, int ms,
                      struct buf *out)
{
    char *argv[] = { "sh", "-c", (char *)(uintptr_t)command, NULL };
    out->len = 0;
    return sys_run(argv, file, false, in, strlen(in), 1 << 20,
                   sys_now_ns() + ms * INT64_C(1000000), out, NULL);
}

/* Return the number of open descriptors of this process. */
static int unit_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* True if process pid has ended. */
static bool unit_gone(long pid)
{
    char path[64], state = 'Z';
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        FILE *f = fopen(path, "re");
        if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        if (f)
            fclose(f);
        if (state == 'Z' || state == 'X')
            return true;
        usleep(10000);
    }
    return false;
}

/* Return how many descriptors below 256 are open. */
static int unit_open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* With room for the first pipe only, no descriptor is left open. */
static void test_sys_child_fork_closes_pipes(void)
{
    char *argv[] = { "true", NULL };
    struct sys_child c = {0};
    struct gp_why why = {{0}};
    struct rlimit was, less;
    sigset_t mask;
    sigemptyset(&mask);
    int open = unit_open_files(), fd = dup(0);
    CHECK(fd >= 0 && !close(fd) && !getrlimit(RLIMIT_NOFILE, &was));
    for (rlim_t room = 0; room < 4; room++) {
        less = was;
        less.rlim_cur = (rlim_t)fd + room;
        CHECK(!setrlimit(RLIMIT_NOFILE, &less));
        int e = sys_child_fork(&c, argv, environ, &mask, &why);
        CHECK(!setrlimit(RLIMIT_NOFILE, &was));
        CHECK(e == GP_EIO && c.pid == 0 && unit_open_files() == open);
        CHECK(strstr(why.text, "cannot start a process: "));
    }
}

static void test_sys_lists(void)
{
    static const char *const with[] = { "cpu", "cpu,cpuacct", "cpuacct,cpu",
                                        "a,cpu,b", ",cpu" };
    static const char *const without[] = { "", "cpuset", "cpuacct", "cp",
                                           "cpuset,cpuacct", "xcpu", "a,", "," };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        CHECK(sys_lists(with[i], "cpu"));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        CHECK(!sys_lists(without[i], "cpu"));
}

/* A path that is too long is refused, not cut: a part of it is another file. */
static void test_sys_follow_refuses_long_paths(void)
{
    static char path[PATH_MAX + 2], to[PATH_MAX];
    struct gp_why why = {{0}};
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? '.' : '/';
    CHECK(sys_follow(path, to, &why) == GP_EIO);
    CHECK(strstr(why.text, "too long"));
    path[PATH_MAX - 1] = 0;
    CHECK(!sys_follow(path, to, &why) && !strcmp(to, "/"));
}

static void test_sys_run_feeds_and_reads(void)
{
    static const struct rec_config wall = { .hz = 999, .wall = true };
    struct buf in = {0}, out = {0};
    char *cat[] = { "cat", NULL }, *none[] = { "grpcprof-no-such", NULL };
    struct gp_why why;
    int files = unit_files();
    for (unsigned i = 0; in.len < 4 << 20; i++)
        txt_putf(&in, "%u\n", i);
    CHECK(!rec_user_add(&wall, NULL));      /* a signal in every millisecond */
    CHECK(!sys_run(cat, -1, false, in.data, in.len, 8 << 20,
                   sys_now_ns() + INT64_C(60000000000), &out, NULL));
    rec_user_drop();
    CHECK(in.len == out.len && !memcmp(in.data, out.data, in.len));
    CHECK(!unit_shell("head -n 1", -1, "a\nb\n", 60000, &out) &&
          out.len == 2 && !memcmp(out.data, "a\n", 2));
    out.len = 0;                        /* one that does not read its input */
    void (*was)(int) = signal(SIGPIPE, SIG_DFL);
    CHECK(!sys_run((char *[]){ "true", NULL }, -1, false, in.data, in.len, 100,
                   sys_now_ns() + INT64_C(60000000000), &out, NULL));
    CHECK(!out.len);
    int s[2];                           /* and one that has ended already */
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    close(s[1]);
    CHECK(!sys_converse(s[0], "x", "y", 1, 100, INT64_MAX, &out, NULL));
    close(s[0]);
    signal(SIGPIPE, was);
    CHECK(unit_shell("echo x; exit 3", -1, "", 60000, &out) == GP_EIO);
    CHECK(unit_shell("kill -SEGV $$", -1, "", 60000, &out) == GP_EIO);
    CHECK(sys_run(none, -1, false, "", 0, 9, sys_now_ns() + 1000000000, &out, &why) ==
          GP_EIO && strstr(why.text, "grpcprof-no-such"));
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && !unit_shell("cat <&3", fd, "", 60000, &out));
    CHECK(out.len > 1);
    close(fd);
    CHECK(unit_files() == files);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    mem_fini(&in);
    mem_fini(&out);
}

static void test_sys_run_ends_what_does_not_end(void)
{
    struct buf out = {0};
    int files = unit_files();
    int64_t begin = sys_now_ns();
    CHECK(unit_shell("sleep 600", -1, "", 50, &out) == GP_ELIMIT);
    CHECK(unit_shell("exec <&- >&-; sleep 600", -1, "", 50, &out) == GP_ELIMIT);
    CHECK(unit_shell("trap '' TERM INT; sleep 600 & echo $!; wait", -1, "", 300,
                   &out) == GP_ELIMIT);
    mem_put_byte(&out, 0);
    long pid = strtol((char *)out.data, NULL, 10);
    CHECK(pid > 1 && unit_gone(pid));   /* its children too */
    CHECK(unit_shell("yes", -1, "", 60000, &out) == GP_ELIMIT);
    CHECK(out.len > 1 << 20 && out.len < 2 << 20);
    CHECK(sys_now_ns() - begin < INT64_C(300000000000));
    CHECK(unit_files() == files);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    mem_fini(&out);
}

static void test_sys_run_gives_signals_back(void)
{
    struct buf out = {0};
    sigset_t all, old, now;
    void (*was)(int) = signal(SIGHUP, SIG_IGN);
    sigfillset(&all);
    sigdelset(&all, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    CHECK(!unit_shell("grep -E 'Sig(Blk|Ign)' /proc/self/status", -1, "", 60000,
                    &out));
    pthread_sigmask(SIG_SETMASK, &old, &now);
    signal(SIGHUP, was);
    mem_put_byte(&out, 0);
    uint64_t blocked = 1, ignored = 1;  /* glibc ignores 32 and 33, its own */
    CHECK(sscanf((char *)out.data, "SigBlk: %" SCNx64 " SigIgn: %" SCNx64,
                 &blocked, &ignored) == 2);
    CHECK(!blocked && !(ignored & 0x7fffffff));
    CHECK(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
    was = signal(SIGCHLD, SIG_IGN);     /* nobody can tell its status then */
    CHECK(!unit_shell("echo x", -1, "", 60000, &out) && out.len == 2);
    CHECK(unit_shell("sleep 600", -1, "", 50, &out) == GP_ELIMIT);
    signal(SIGCHLD, was);
    mem_fini(&out);
}

/* Raise signals in a child that catches them: first, again soon, then last
 * after ms.  Return its status, or -1 if the second one was not soon. */
static int unit_stopped(int first, int again, int last, int ms)
{
    int status = 0;
    pid_t pid = fork();
    if (!pid) {
        signal(SIGHUP, SIG_IGN);
        sys_stop_catch();
        int64_t from = sys_now_ns();
        raise(SIGHUP);                  /* under nohup: none */
        raise(first);
        if (sys_stop_signal != first)
            _exit(1);
        if (sys_now_ns() - from > SYS_STOP_AGAIN_NS / 2)
            _exit(255);
        raise(again);
        usleep((useconds_t)ms * 1000);
        raise(last);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return !WIFEXITED(status) ? 254 : WEXITSTATUS(status) == 255
         ? -1 : WEXITSTATUS(status);
}

static void test_sys_stop_takes_a_repeated_signal_for_one(void)
{
    static const struct { int first, again, last, ms, want; } c[] = {
        { SIGINT, SIGINT, SIGINT, 0, 0 }, { SIGTERM, SIGTERM, SIGTERM, 0, 0 },
        { SIGINT, SIGTERM, SIGINT, 0, 143 }, { SIGTERM, SIGINT, 0, 0, 130 },
        { SIGINT, SIGINT, SIGINT, 250, 130 },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        int got = -1;
        for (int tries = 0; got < 0 && tries < 100; tries++)
            got = unit_stopped(c[i].first, c[i].again, c[i].last, c[i].ms);
        CHECK(got == c[i].want);
    }
}

/* JSON that is read: RFC 8259's own cases, by hand, and where it goes wrong. */
static void test_js_read(void)
{
    static const char *const good[] = { "0", "-0.5e+3", " [ ] ", "{}", "[[],{}]",
        "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\\ud83d\\ude00\\n\"}",
        "\"\"", "true", "[false,null]", "1E9", "\"\xc3\xa9\"" };
    static const char *const bad[] = { "", " ", "01", "1.", "-", "[1,]", "{,}",
        "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "\"\\ud83d\"", "\"\\ude00\"",
        "\"\n\"", "\"\\x\"", "\"abc", "tru", "[1}", "{\"a\":1]", "1 2", "+1",
        ".5", "nul", "[", "{\"a\":1,}", "\"\xff\"", "'a'", "[,1]", "NaN" };
#define WHERE(line, column) "line " line ", column " column ": not JSON: "
    static const char *const want[][2] = {
        { "{\n  \"a\" 1}",
          WHERE("2", "3") "a key in quotes and a colon expected" },
        { "{\"a\":1,}",
          WHERE("1", "8") "a key in quotes and a colon expected" },
        { "{\"a\":tru}", WHERE("1", "6") "a value expected" },
        { "[1,", WHERE("1", "4") "a value expected" },
        { "[1 2]", WHERE("1", "4") "',' or ']' expected" },
        { "{\"a\":1]", WHERE("1", "7") "',' or '}' expected" },
        { "1\n\n2", WHERE("3", "1") "nothing more expected" },
        { "", WHERE("1", "1") "a value expected" } };
#undef WHERE
    struct gp_why why;
    struct js_value v, x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(!js_read(txt_slice(good[i]), &v, &why));
        for (size_t n = 0; n < strlen(good[i]); n++)    /* no crash */
            (void)js_read((struct slice){ good[i], n }, &x, &why);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(js_read(txt_slice(bad[i]), &v, &why) == GP_EFORMAT);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        CHECK(js_read(txt_slice(want[i][0]), &v, &why) == GP_EFORMAT &&
              !strcmp(why.text, want[i][1]));
    CHECK(!js_read(txt_slice(good[5]), &v, &why) && v.kind == JS_OBJECT);
    x = js_member(&v, "a");
    struct js_members m = js_members(&x);
    struct slice key;
    struct js_value e[3];
    for (int i = 0; i < 3; i++)
        CHECK(js_next_member(&m, &key, &e[i]) && !key.n);
    CHECK(!js_next_member(&m, &key, &x) && js_get_uint(&e[1]) == 2);
    CHECK(js_member(&e[2], "b").kind == JS_NULL && e[2].kind == JS_OBJECT);
    struct buf b = {0};
    x = js_member(&v, "c");
    js_get_string(x.text, &b);
    CHECK(b.len == 7 && !memcmp(b.data, "\xc3\xa9\xf0\x9f\x98\x80\n", 7));
    mem_fini(&b);
    static const char nul[] = "\"a\\\0b\"";
    CHECK(js_read((struct slice){ nul, sizeof nul - 1 }, &v, &why));
    CHECK(!js_read(txt_slice("\xef\xbb\xbf {\"\\u0061\\/\":[\"\\ud83d\\ude00\"]}"),
                   &v, &why));
    CHECK(js_member(&v, "a/").kind == JS_ARRAY && !js_member(&v, "a").text.n);
    CHECK(!js_member(&v, "a/b").text.n && !js_member(&v, "").text.n);
    CHECK(js_read(txt_slice(" \xef\xbb\xbf{}"), &v, &why) == GP_EFORMAT);
    char deep[400];
    for (int i = 0; i < 200; i++)
        deep[i] = '[', deep[399 - i] = ']';
    CHECK(js_read((struct slice){ deep, 400 }, &v, &why) == GP_EFORMAT &&
          strstr(why.text, "column 129: not JSON: less nesting expected"));
    CHECK(!js_read((struct slice){ deep + 100, 200 }, &v, &why));
}

/* HdrHistogram's V2: what is read is what was written; hostile input fails. */
static void test_hdr_v2(void)
{
    struct hdr h, g;
    struct buf b = {0}, bytes = {0}, zip = {0};
    CHECK(!hdr_init(&h) && !hdr_init(&g));
    for (int64_t ns = 1; ns < HDR_MOST_NS; ns += ns / 3 + 1)
        for (int k = 0; k < 1 + ns % 5; k++)
            hdr_add(&h, ns);
    h.count[5] = UINT64_C(1) << 60;     /* takes nine bytes */
    h.n += h.count[5];
    hdr_put_v2(&h, &b);
    struct slice text = { (const char *)b.data, b.len };
    CHECK(!b.err && b.len % 4 == 0 && !hdr_read_v2(&g, text));
    CHECK(g.n == h.n - 1 || g.n == h.n);
    CHECK(!memcmp(g.count, h.count, HDR_COUNTS * sizeof *g.count));
    CHECK(hdr_percentile(&g, 50) == hdr_percentile(&h, 50));
    CHECK(txt_put_base64_decoded(&bytes, text));
    for (size_t n = 0; n < b.len; n += n < 100 ? 1 : 97) {
        hdr_fini(&g);
        CHECK(!hdr_init(&g));
        CHECK(hdr_read_v2(&g, (struct slice){ text.p, n }) == GP_EFORMAT);
    }
    static const uint8_t long_run[] = { 0x1c, 0x84, 0x93, 0x13, 0, 0, 0, 9, 0, 0,
        0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    mem_put(&zip, "\x1c\x84\x93\x14\0\0\0", 8);
    CHECK(!gz_zlib_pack(long_run, sizeof long_run, &zip));
    zip.data[7] = (uint8_t)(zip.len - 8);
    b.len = 0;
    txt_put_base64(&b, (struct slice){ (const char *)zip.data, zip.len });
    CHECK(hdr_read_v2(&g, (struct slice){ (const char *)b.data, b.len }) ==
          GP_EFORMAT);
    mem_fini(&b);
    mem_fini(&bytes);
    mem_fini(&zip);
    hdr_fini(&h);
    hdr_fini(&g);
}

/* Each expression matches the first text and not the second; NULL: no such
 * text.  RE2's answers are those of pprof's -focus. */
static void test_re_matches(void)
{
    static const char *const row[][3] = {
        { "main", "a main b", "mai" }, { "^main$", "main", "main." },
        { "a.c", "abc", "a\nc" }, { "(?s)a.c", "a\nc", "ac" }, { "\\d+?\\.\\w*", "x1.", "x." },
        { "(?:ab|cd){2}", "abcd", "ab" }, { "(?i)MaIn", "mAIN", "man" },
        { "[[:alpha:]]\\z", "1a", "a1" },
        { "\\Afoo\\b", "foo bar", "food" }, { "\\Bo", "foo", "o" },
        { "[^a-c]", "d", "abc" }, { "[]x]", "]", "y" }, { "[\\d_]", "_", "x" },
        { "\\x41\\x{1f525}", "A\U0001f525", "A" }, { "\\Qa.b\\E", "a.b", "axb" },
        { "(?P<n>a)|b", "b", "c" }, { "\\pN?x", NULL, NULL },
        { "operator\\(\\)", "operator()", "operator" }, { "", "", NULL },
        { "a|", "zzz", NULL }, { "\\s\\S", " x", "xx" },
        { "^\\S+$", "\u4e2da]^-[", "a b" }, { "^\\D$", "\u4e2d", "7" },
        { "[^\\S]", " ", "\u4e2dx" }, { "x[^\\s\\S]*y", "xy", "x y" },
        { "[\\s\\S]", "\u4e2d", "" }, { "[\u4e00-\u4eff]", "\u4e2d", "\u5000" },
        { "[^\xc2\x80-\U0010ffff]", "a", "\u4e2d" }, { "\\W", "\u4e2d", "a_9" }, { "x{0,2}y", "y", "x" },
        { "\u4e2d.", "\u4e2d\u6587", "\u4e2d" }, { "\\t", "\t", "t" },
        { "[a^-]", "-", "b" }, { "x[^^-]", "xa", "x-" }, { "[_^]", "^", "-" },
        { "[\\^-]", "-", "a" }, { "[[:^alpha:]]", "\u4e2d", "a" },
        { "[[:word:]]+", "_", "-" }, { "[[:ascii:]]", "a", "\u4e2d" },
        { "^a{40}b{40}$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "ab" },
        { "a{,2}", "a{,2}", "aa" }, { "\\*\\+", "*+", "*" },
        { "(?i:a)b", "Ab", "AB" }, { "a(?i)b(?-i)c", "aBc", "aBC" },
        { "(?i)k\u00e9", "\u212a\u00c9", "x" }, { "(?i)[^k]", "x", "\u212a" },
        { "(?m)^b$", "a\nb\nc", "a\nbb" }, { "^b", "b", "a\nb" },
        { "\\bcaf\\b", "caf\u00e9", "cafe" }, { "^*a", "ba", "b" },
        { "(a|b|c)*d$", "abcd", "abce" }, { "^(|a)$", "a", "aa" },
        { "(a{3}|b{2,}){2}c", "aaabbc", "aabbc" }, { "x{0}y", "y", "x" },
        { "[\u4e00-\U0001ffff]", "\U0001f525", "a" }, { "\\101\\0?", "A", "B" },
        { "\\Qa\\E+b", "aab", "b" }, { "^.$", "\xff", "\xff\xff" },
        { "[a-z&&[b]]", "&]", "ab" }, { "(?P<a>x)(?<b>y)", "xy", "x" },
        { "\\x{00000061}", "a", "b" }, { "[\\ \\\n]\\\x7f", " \x7f", "\x7f" },
        { "\ufffd", "\xff", "a" }, { "[[:]a]", ":a]", "a" },
        { "a+\\Q\\E*b", "b", "a" }, { "a{9999999999}", "a{9999999999}", "a" },
        { "(a{2}|b{500}){2}c", "aaaac", "aac" },
    };
    struct gp_why why;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct re re = {0};
        if (!row[i][1]) {
            CHECK(re_init(&re, "--focus", row[i][0], &why) == GP_EUSAGE);
            continue;
        }
        int e = re_init(&re, "--focus", row[i][0], &why);
        if (e)
            printf("%s\n", why.text);
        CHECK(!e);
        if (!e && !re_matches(&re, txt_slice(row[i][1])))
            printf("%s does not match %s\n", row[i][0], row[i][1]);
        if (!e && row[i][2] && re_matches(&re, txt_slice(row[i][2])))
            printf("%s matches %s\n", row[i][0], row[i][2]);
        CHECK(!e && re_matches(&re, txt_slice(row[i][1])));
        CHECK(!e && (!row[i][2] || !re_matches(&re, txt_slice(row[i][2]))));
        re_fini(&re);
    }
}

/* Unsupported constructs are refused by name, with the option. */
static void test_re_refuses(void)
{
    static const char *const row[][2] = {
        { "(", "missing )" }, { "a)", ")" }, { "[a", "]" }, { "*a", "*" },
        { "a**", "**" }, { "\\1", "\\1" }, { "(?=a)", "(?=" },
        { "(?<!a)", "(?<" }, { "\\pL", "\\p" }, { "a{2000}", "2000" },
        { "(a{999}){999}", "{999}" }, { "((a{2}){501}b)?", "{501}" },
        { "(a{2,}|(b{40}){0}){26}", "{26}" }, { "a{999999999}", "{999999999}" },
        { "\\x{000110000}", "\\x{0" },
        { "[b-a]", "b-a" }, { "\\", "\\" }, { "(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}"
          "(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}(a{99}b{99}){10}", "too large" },
        { "\\Cx", "\\C" }, { "[[:foo:]]", "[:foo:]" }, { "(?x)a", "(?x" },
        { "(?P<a>x)(?P<a>y)", "this name" }, { "(?P<>x)", "name" },
        { "\\8", "\\8" }, { "\\xg", "\\xg" }, { "(|*)", "nothing" },
    };
    char many[20000];
    struct gp_why why;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct re re = {0};
        CHECK(re_init(&re, "--focus", row[i][0], &why) == GP_EUSAGE);
        if (!strstr(why.text, row[i][1]))
            printf("%s: %s\n", row[i][0], why.text);
        CHECK(strstr(why.text, row[i][1]) && strstr(why.text, "--focus"));
        re_fini(&re);
    }
    memset(many, '(', sizeof many);
    many[sizeof many - 1] = 0;
    struct re re = {0};
    CHECK(re_init(&re, "--focus", many, &why) == GP_EUSAGE);
    re_fini(&re);
}

/* Nested repetitions, for which a backtracking matcher would need years, take
 * steps in proportion to the text, and fewer with the cache; past the limit a
 * match gives up and says so; memory is bounded. */
static void test_re_gives_up(void)
{
    struct re re;
    struct gp_why why;
    char text[6000];
    memset(text, 'a', sizeof text);
    struct slice s = { text, sizeof text };
    CHECK(!re_init(&re, "--focus", "(a*)*(a*)*(a*)*b", &why));
    CHECK(!re_matches(&re, s) && !re_gave_up(&re));
    uint64_t left = re.run->steps;
    CHECK(!re_matches(&re, s) && !re_gave_up(&re));
    CHECK(re.run->steps == left + sizeof text * RE_STEPS_A_BYTE);
    CHECK(re.run->ndfa < 10);
    re_fini(&re);
    for (size_t i = 0, x = 1; i < sizeof text; i++)
        text[i] = (x = x * 1103515245 + 12345) >> 16 & 1 ? 'a' : 'b';
    char many[200] = "";
    for (int i = 0; i < 15; i++)
        strcat(many, ".*a.{990}");
    CHECK(!re_init(&re, "--focus", strcat(many, "c"), &why));
    CHECK(re.nstates > 14000 && re.nstates <= RE_MOST_STATES);
    for (int i = 0; i < 40 && !re_gave_up(&re); i++)
        CHECK(!re_matches(&re, s));
    CHECK(re_gave_up(&re) && re.run->ndfa <= RE_MOST_DFA_STATES);
    CHECK(re.run->waiting_cap <= 2 * RE_MOST_WAITING);
    re_fini(&re);
    /* The cache overflows, and the answers stay right. */
    CHECK(!re_init(&re, "--focus", "a.{14}c", &why));
    CHECK(!re_matches(&re, s));
    CHECK(re.run->resets > 1);
    text[sizeof text - 1] = 'c';
    text[sizeof text - 16] = 'a';
    CHECK(re_matches(&re, s) && !re_gave_up(&re));
    text[sizeof text - 16] = 'b';
    CHECK(!re_matches(&re, s) && !re_gave_up(&re));
    re_fini(&re);
}
