
/* ---- CS: a session, what it receives and what it sends ---- */

#include "cs_talk.c"

struct test_cs_call {
    struct cs_stream stream;
    int32_t id;                         /* of the stream, closed or not */
    int closed;                         /* calls of on_close */
};

struct test_cs {
    struct cs s;
    struct pool pool;
    struct buf log;                     /* a line for each callback */
    struct test_cs_call call[2];        /* streams 1 and 3 */
};

/* Return the call that has stream t. */
static struct test_cs_call *test_cs_call_of(struct cs_stream *t)
{
    return MEM_OF(t, struct test_cs_call, stream);
}

/* Return the log of s's callbacks. */
static struct buf *test_cs_log(struct cs *s)
{
    return &MEM_OF(s, struct test_cs, s)->log;
}

/* SETTINGS came. */
static void test_cs_on_ready(struct cs *s)
{
    txt_putf(test_cs_log(s), "ready\n");
}

/* The first GOAWAY came. */
static void test_cs_on_goaway(struct cs *s)
{
    txt_putf(test_cs_log(s), "goaway\n");
}

/* A header of t, which is open. */
static void test_cs_on_header(struct cs *s, struct cs_stream *t,
                              struct slice name, struct slice value)
{
    CHECK(t->id && t->id == test_cs_call_of(t)->id);
    txt_putf(test_cs_log(s), "%d %.*s=%.*s\n", t->id, (int)name.n, name.p,
             (int)value.n, value.p);
}

/* The end of a list of t's. */
static void test_cs_on_headers(struct cs *s, struct cs_stream *t, bool over)
{
    txt_putf(test_cs_log(s), "%d headers%s\n", t->id, over ? " over" : "");
}

/* Bytes of t, never none. */
static void test_cs_on_data(struct cs *s, struct cs_stream *t,
                            const uint8_t *p, size_t n)
{
    CHECK(n > 0);
    txt_putf(test_cs_log(s), "%d data %.*s\n", t->id, (int)n, (const char *)p);
}

/* END_STREAM of t. */
static void test_cs_on_end(struct cs *s, struct cs_stream *t)
{
    txt_putf(test_cs_log(s), "%d end\n", t->id);
}

/* t is closed, for the first time. */
static void test_cs_on_close(struct cs *s, struct cs_stream *t, uint32_t code,
                             bool by_peer)
{
    struct test_cs_call *c = test_cs_call_of(t);
    CHECK(t->id == 0 && !c->closed++);
    txt_putf(test_cs_log(s), "%d close %u%s\n", c->id, code,
             by_peer ? " by peer" : "");
}

static const struct cs_up test_cs_up = {
    test_cs_on_ready, test_cs_on_header, test_cs_on_headers, test_cs_on_data,
    test_cs_on_end, test_cs_on_close, test_cs_on_goaway,
};

/* Return a header for HPACK. */
static nghttp2_nv test_cs_nv(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name,
                         (uint8_t *)(uintptr_t)value, strlen(name),
                         strlen(value), NGHTTP2_NV_FLAG_NONE };
}

/* Open c with a small header list and what c->stream says of a body. */
static int test_cs_open(struct cs *s, struct test_cs_call *c)
{
    nghttp2_nv nv[] = { test_cs_nv(":method", "POST"),
                        test_cs_nv(":path", "/a.B/C") };
    int e = cs_open(s, &c->stream, nv, 2, false);
    c->id = e ? 0 : c->stream.id;
    c->closed = 0;
    return e;
}

/* A session with streams 1 and 3, whose requests have been sent. */
static void test_cs_begin(struct test_cs *k)
{
    *k = (struct test_cs){ .s = { .up = &test_cs_up, .list_bytes = 1024 } };
    CHECK(!cs_init(&k->s, &k->pool));
    for (int i = 0; i < 2; i++)
        CHECK(!test_cs_open(&k->s, &k->call[i]));
    CHECK(k->call[0].id == 1 && k->call[1].id == 3);
    CHECK(cs_unseen(&k->s, &k->call[1].stream));
    cs_sent(&k->s);
    CHECK(!cs_unseen(&k->s, &k->call[1].stream));
}

/* Release what test_cs_begin made. */
static void test_cs_finish(struct test_cs *k)
{
    cs_fini(&k->s);
    mem_pool_fini(&k->pool);
    mem_fini(&k->log);
}

/* Append to told, for each frame in out, a letter for the type, the stream, a
 * code, a number or a length, and '.' for END_STREAM. */
static void test_cs_tell(struct buf *told, const struct buf *out)
{
    const char type[] = "DHORSXPGWC";
    size_t at = 0;
    if (out->len >= CS_PREFACE_BYTES && out->data[0] == 'P')
        at = CS_PREFACE_BYTES;
    while (at < out->len) {
        const uint8_t *p = out->data + at;
        uint32_t n = cs_frame_bytes(p), id = num_get_be32(p + 5);
        at += CS_HEAD_BYTES + n;
        CHECK(at <= out->len && p[3] < sizeof type - 1);
        txt_putf(told, "%c", type[p[3]]);
        if (p[3] == NGHTTP2_GOAWAY)
            txt_putf(told, "%u ", num_get_be32(p + 13));
        else if (p[3] == NGHTTP2_RST_STREAM || p[3] == NGHTTP2_WINDOW_UPDATE)
            txt_putf(told, "%u:%u ", id, num_get_be32(p + 9));
        else if (p[3] == NGHTTP2_DATA)
            txt_putf(told, "%u:%u%s ", id, n, p[4] & 1 ? "." : "");
        else if (p[3] == NGHTTP2_SETTINGS || p[3] == NGHTTP2_PING)
            txt_putf(told, "%s ", p[4] & 1 ? "+" : "");
        else
            txt_putf(told, "%u ", id);
    }
}

/* True if b is want; else print both, and `of`, which names b. */
static bool test_cs_is(const char *of, const struct buf *b, const char *want)
{
    size_t n = strlen(want);
    bool same = b->len == n && (!n || !memcmp(b->data, want, n));
    if (!same)
        printf("  %s: got \"%.*s\", not \"%s\"\n", of, (int)b->len,
               (const char *)b->data, want);
    return same;
}

/* Callbacks and output do not depend on how the input is split. */
static void test_cs_talk_split(void)
{
    static const char heard[] =
        "ready\n" "1 :status=200\n" "1 a=b\n" "1 headers\n"
        "3 :status=200\n" "3 x=y\n" "3 headers\n" "1 data hello\n"
        "3 data world\n" "1 grpc-status=0\n" "1 headers\n" "1 end\n"
        "1 close 0\n" "3 x=y\n" "3 end=1\n" "3 headers\n" "3 end\n"
        "3 close 0\n" "goaway\n";
    struct buf in = {0}, told = {0};
    struct test_cs k;
    test_cs_put(&in, test_cs_talk);
    for (size_t cut = 0; cut <= in.len + 1; cut++) {
        test_cs_begin(&k);
        if (cut > in.len) {             /* byte by byte */
            for (size_t i = 0; i < in.len; i++)
                CHECK(!cs_take(&k.s, in.data + i, 1));
        } else {
            CHECK(!cs_take(&k.s, in.data, cut));
            CHECK(!cs_take(&k.s, in.data + cut, in.len - cut));
        }
        CHECK(test_cs_is("heard", &k.log, heard));
        told.len = 0;
        test_cs_tell(&told, &k.s.out);
        CHECK(test_cs_is("told", &told, "S+ P+ "));
        CHECK(memmem(k.s.out.data, k.s.out.len, "pingpong", 8));
        CHECK(k.s.acked && k.s.peer_streams == 100 && !k.s.streams);
        CHECK(k.s.window == 65535 + 0x100000 && k.s.first_window == 0x100000);
        CHECK(!cs_finished(&k.s));
        cs_sent(&k.s);
        CHECK(cs_finished(&k.s) && test_cs_open(&k.s, k.call) == GP_ESTATE);
        test_cs_finish(&k);
    }
    mem_fini(&in);
    mem_fini(&told);
}

/* ---- CS: what a server must not send ---- */

struct test_cs_rule {
    const char *talk;                   /* input; follows SETTINGS unless its
                                         * first character is '!' */
    const char *told;                   /* output after the ACK of SETTINGS */
    const char *closed;                 /* log of on_close and on_goaway */
};

/* [H2] 3.4, 4.2, 5.1.1: frames in the wrong place, or too long. */
static const struct test_cs_rule test_cs_places[] = {
    { "!1 4 1 88", "G1 ", "" }, { "!4 1 0", "G1 ", "" },
    { "!6 0 0 *8", "G1 ", "" }, { "!fa 0 0", "G1 ", "" },
    { "!7 0 0 *8", "G1 ", "" }, { "!4 0 1", "G1 ", "" },
    { "0 0 1 *16385", "G6 ", "" }, { "fa 0 0 *16385", "G6 ", "" },
    { "4 0 0 *16386", "G6 ", "" }, { "fa 0 0 *16384", "", "" },
    { "0 0 0 'x'", "G1 ", "" }, { "1 5 0 88", "G1 ", "" },
    { "0 0 2 'x'", "G1 ", "" }, { "1 5 2 88", "G1 ", "" },
    { "1 5 5 88", "G1 ", "" }, { "0 0 5 'x'", "G1 ", "" },
    { "3 0 5 *4", "G1 ", "" }, { "8 0 5 00000001", "G1 ", "" },
    { "3 0 2 *4", "G1 ", "" }, { "8 0 2 00000001", "G1 ", "" },
    { "3 0 0 *4", "G1 ", "" }, { "2 0 0 *5", "G1 ", "" },
    { "4 0 1", "G1 ", "" }, { "6 0 1 *8", "G1 ", "" },
    { "7 0 1 *8", "G1 ", "" }, { "5 4 1 00000002 88", "G1 ", "" },
    { "5 4 0 00000002 88", "G1 ", "" }, { "9 4 1 88", "G1 ", "" },
    { "1 1 1 88; 0 0 3 'x'", "G1 ", "" }, { "1 1 1 88; 9 4 3", "G1 ", "" },
    { "1 1 1 88; fa 0 0", "G1 ", "" }, { "1 1 1 88; 6 0 0 *8", "G1 ", "" },
    { "1 1 1 88; 1 5 1 88", "G1 ", "" }, { "1 5 1 88; 9 4 1", "G1 ",
                                           "1 close 0\n" },
    { "1 1 1 88; 9 4 1", "", "1 close 0\n" },
    { "1 5 80000001 88", "", "1 close 0\n" },   /* a bit that says nothing */
    { "2 0 9 *5; 2 0 2 *5; 2 0 1 0000000110", "", "" },
    { "fa ff 2 'x'", "", "" },
    { "1 5 1 88; 3 0 1 *4; 8 0 1 00000001; 2 0 1 *5", "", "1 close 0\n" },
    { "3 0 1 *4; 0 1 1 'x'; 1 5 1 88; 3 0 1 *4", "", "1 close 0 by peer\n" },
    { "3 0 1 00000008", "", "1 close 8 by peer\n" },
};

/* [H2] 6.5 to 6.9: sizes and values. */
static const struct test_cs_rule test_cs_values[] = {
    { "4 0 0 000300", "G6 ", "" }, { "4 0 0 *7", "G6 ", "" },
    { "4 1 0 000100000000", "G6 ", "" }, { "4 1 0; 4 1 0", "G1 ", "" },
    { "4 0 0 000480000000", "G3 ", "" }, { "4 0 0 0004ffffffff", "G3 ", "" },
    { "4 0 0 00047fffffff", "S+ ", "" }, { "4 0 0 000400000000", "S+ ", "" },
    { "4 0 0 000500003fff", "G1 ", "" }, { "4 0 0 000501000000", "G1 ", "" },
    { "4 0 0 000500004000 000500ffffff", "S+ ", "" },
    { "4 0 0 000200000001", "G1 ", "" }, { "4 0 0 000200000002", "G1 ", "" },
    { "4 0 0 000200000000 00ff00000001 000600000000", "S+ ", "" },
    { "4 0 0 *192", "S+ ", "" }, { "4 0 0 *198", "G11 ", "" },
    { "6 0 0 *7", "G6 ", "" }, { "6 0 0 *9", "G6 ", "" },
    { "6 1 0 *8", "", "" }, { "6 0 0 *8", "P+ ", "" },
    { "7 0 0 *7", "G6 ", "" }, { "3 0 1 *3", "G6 ", "" },
    { "3 0 1 *5", "G6 ", "" }, { "2 0 1 *4", "G6 ", "" },
    { "2 0 1 *6", "G6 ", "" }, { "8 0 0 *3", "G6 ", "" },
    { "8 0 1 *5", "G6 ", "" }, { "8 0 0 *4", "G1 ", "" },
    { "8 0 1 *4", "G1 ", "" },          /* of a stream, it may be more */
    { "8 0 0 80000000", "G1 ", "" },
    { "8 0 0 7fff0000", "", "" }, { "8 0 0 7fff0001", "G3 ", "" },
    { "8 0 1 7fff0000", "", "" }, { "8 0 1 7fff0001", "R1:3 ", "1 close 3\n" },
    { "8 0 3 00000001; 4 0 0 00047fffffff", "G3 ", "" },
    { "8 0 1 7fff0000; 4 0 0 00040000fffe; 8 0 1 00000001", "S+ ", "" },
    { "8 0 1 7fff0000; 4 0 0 000400010000", "G3 ", "" },
    { "7 0 0 00000001 00000000; 7 0 0 00000003 *4", "G1 ",
      "3 close 7\ngoaway\n" },
    { "7 0 0 7fffffff *4; 7 0 0 00000003 *4 'bye'", "", "goaway\n" },
    { "7 0 0 80000001 00000002", "", "3 close 7\ngoaway\n" },
    { "7 0 0 00000000 *4", "", "1 close 7\n3 close 7\ngoaway\n" },
};

/* [H2] 6.1, 6.2 and RFC 7541: what is in DATA and HEADERS cannot be read. */
static const struct test_cs_rule test_cs_insides[] = {
    { "0 8 1", "G6 ", "" }, { "0 8 1 01", "G1 ", "" },
    { "0 8 1 02 00", "G1 ", "" }, { "1 d 1", "G6 ", "" },
    { "1 d 1 04 88 0000", "G1 ", "" },
    { "1 d 1 03 88 0000", "R1:1 ", "1 close 1\n" },     /* an empty block */
    { "1 d 1 02 88 0000", "", "1 close 0\n" },
    { "1 25 1 *4", "G6 ", "" }, { "1 2d 1 *5", "G6 ", "" },
    { "1 2d 1 02 8000000110 88", "G1 ", "" },
    { "1 2d 1 01 8000000110 88 00", "", "1 close 0\n" },
    { "1 4 1 88; 0 9 1 03 *3", "", "1 close 0\n" },
    { "1 5 1 ffffffffffff", "G9 ", "" }, { "1 5 1 80", "G9 ", "" },
    { "1 5 1 88 be", "G9 ", "" }, { "1 5 1 88 ff 80", "G9 ", "" },
    { "1 5 1 88 00 05'a'", "G9 ", "" }, { "1 5 1 88 00 01'a'", "G9 ", "" },
    { "1 5 1 3fe21f 88", "G9 ", "" }, { "1 5 1 3fe11f 88", "", "1 close 0\n" },
    { "1 5 1 88 20", "G9 ", "" }, { "1 1 1 88 00 05'a'; 9 4 1", "G9 ", "" },
    { "1 5 1 88 00 01'a' 82 ffff", "G9 ", "" },         /* Huffman's EOS */
    { "3 0 1 *4; 1 5 1 be", "G9 ", "1 close 0 by peer\n" },
};

/* [H2] 8.1 to 8.3: a response that is malformed costs its stream. */
static const struct test_cs_rule test_cs_lists[] = {
    { "1 5 1", "R1:1 ", "1 close 1\n" },
    { "1 5 1 00 01'a' 01'b'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 88", "R1:1 ", "1 close 1\n" },
    { "1 5 1 00 01'a' 01'b' 88", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88; 1 5 1 88", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 84", "R1:1 ", "1 close 1\n" },          /* :path */
    { "1 5 1 88 00 04':abc' 01'x'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 08 02'99'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 08 03'099'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 08 03'2x0'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 08 04'2000'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 01'A' 01'b'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 03'abZ' 01'b'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 0a'connection' 05'close'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 0a'keep-alive' 01'1'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 10'proxy-connection' 01'1'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 11'transfer-encoding' 07'chunked'", "R1:1 ",
      "1 close 1\n" },
    { "1 5 1 88 00 07'upgrade' 01'1'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 02'te' 04'gzip'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 00 02'te' 08'trailers'", "", "1 close 0\n" },
    { "1 5 1 88 00 0b'connection-' 01'x'", "", "1 close 0\n" },
    { "1 4 1 88; 1 5 1 00 0a'connection' 01'x'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 08 03'100'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 08 03'101'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 08 03'100'; 0 0 1 'x'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 08 03'100'; 1 4 1 08 03'103'; 1 5 1 88", "", "1 close 0\n" },
    { "1 4 1 88; 1 4 1 00 01'a' 01'b'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88; 1 4 1 08 03'100'", "R1:1 ", "1 close 1\n" },
    { "0 0 1 'x'", "R1:1 ", "1 close 1\n" },
    { "0 1 1", "R1:1 ", "1 close 1\n" },
    { "0 1 1; 0 1 1 'x'; 1 5 1 88", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d01'5'; 0 1 1 'abcd'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d01'5'; 0 0 1 'abcdef'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d01'5'; 0 0 1 'abcd'; 0 0 1 'ef'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d01'5'; 0 0 1 'abc'; 0 9 1 02 'de' *2", "", "1 close 0\n" },
    { "1 4 1 88 0f0d01'5'; 0 0 1 'abc'; 1 5 1 00 01'a' 01'b'", "R1:1 ",
      "1 close 1\n" },
    { "1 4 1 88 0f0d01'3'; 0 0 1 'abc'; 1 5 1 00 01'a' 01'b'", "",
      "1 close 0\n" },
    { "1 4 1 88 0f0d01'5'; 0 1 1 'abcde'; 1 4 3 88 0f0d01'5'; 0 1 3 'abcd'",
      "R3:1 ", "1 close 0\n3 close 1\n" },   /* a list that is known */
    { "1 5 1 88 0f0d01'5'", "R1:1 ", "1 close 1\n" },
    { "1 5 1 88 0f0d01'0'", "", "1 close 0\n" },
    { "1 4 1 88 0f0d01'0'; 0 1 1", "", "1 close 0\n" },
    { "1 4 1 88 0f0d01'0'; 0 1 1 'x'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d02'5x'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d02'-5'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d00", "R1:1 ", "1 close 1\n" },
    { "1 4 1 88 0f0d01'5' 0f0d01'6'", "R1:1 ", "1 close 1\n" },
    { "1 4 1 08 03'103' 0f0d01'5'; 1 4 1 88; 0 1 1 'x'", "", "1 close 0\n" },
};

/* Append the lines of on_close and on_goaway in log to b. */
static void test_cs_ends(struct buf *b, const struct buf *log)
{
    for (size_t at = 0, n; at < log->len; at += n) {
        const char *p = (const char *)log->data + at;
        n = (size_t)((const char *)memchr(p, '\n', log->len - at) - p) + 1;
        if (memmem(p, n, "close", 5) || memmem(p, n, "goaway", 6))
            mem_put(b, p, n);
    }
}

/* Test one rule, with its input whole and byte by byte; unless the session has
 * failed, it works on. */
static void test_cs_rule(const struct test_cs_rule *r)
{
    struct buf in = {0}, told = {0}, ends = {0}, on = {0};
    bool first = *r->talk == '!';
    test_cs_put(&in, first ? r->talk + 1 : r->talk);
    test_cs_put(&on, "1 4 3 88; 0 1 3 'x'");
    for (int bytes = 0; bytes < 2; bytes++) {
        struct test_cs k;
        test_cs_begin(&k);
        CHECK(first || !cs_take(&k.s, (const uint8_t *)"\0\0\0\4\0\0\0\0", 9));
        cs_sent(&k.s);
        if (!bytes)
            (void)cs_take(&k.s, in.data, in.len);
        for (size_t i = 0; bytes && i < in.len; i++)
            (void)cs_take(&k.s, in.data + i, 1);
        told.len = ends.len = 0;
        test_cs_tell(&told, &k.s.out);
        test_cs_ends(&ends, &k.log);
        CHECK(test_cs_is(r->talk, &told, r->told));
        CHECK(test_cs_is(r->talk, &ends, r->closed));
        bool failed = strchr(r->told, 'G') != NULL;
        CHECK(k.s.failed == (failed ? GP_EFORMAT : 0));
        size_t n = k.s.out.len;
        bool open = cs_find(&k.s, 3) != NULL && !k.call[0].stream.id;
        CHECK(cs_take(&k.s, on.data, on.len) == k.s.failed);
        if (failed)                     /* it takes and says no more */
            CHECK(k.s.out.len == n && test_cs_open(&k.s, k.call) == GP_ESTATE);
        else if (open)
            CHECK(k.call[1].closed && test_h2_has(&k.log, "3 close 0\n"));
        test_cs_finish(&k);
    }
    mem_fini(&in);
    mem_fini(&told);
    mem_fini(&ends);
    mem_fini(&on);
}

/* Each violation by a server has its answer, and what it may send has none. */
static void test_cs_rules(void)
{
#define ALL(table)                                                            \
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)                 \
        test_cs_rule(&table[i])
    ALL(test_cs_places);
    ALL(test_cs_values);
    ALL(test_cs_insides);
    ALL(test_cs_lists);
#undef ALL
}

/* Give the session the frames in text; check its output and callbacks. */
static void test_cs_say(struct test_cs *k, const char *text, const char *told,
                        const char *heard)
{
    struct buf in = {0}, out = {0};
    k->log.len = 0;
    test_cs_put(&in, text);
    (void)cs_take(&k->s, in.data, in.len);
    test_cs_tell(&out, &k->s.out);
    CHECK(test_cs_is(text, &out, told));
    CHECK(test_cs_is(text, &k->log, heard));
    if (!k->s.failed)
        cs_sent(&k->s);
    mem_fini(&in);
    mem_fini(&out);
}

/* Append a literal header of n bytes in all, name and the 32 included, that is
 * called a; n is 160 to 16000. */
static void test_cs_wide(struct buf *b, size_t n)
{
    size_t value = n - 33, more = value - 127;
    mem_put(b, "\0\1a\x7f", 4);
    mem_put_byte(b, (uint8_t)(more % 128 | 128));
    mem_put_byte(b, (uint8_t)(more / 128));
    memset(mem_reserve(b, value), 'v', value);
    b->len += value;
}

/* A header list up to the limit is passed on; a longer one is cut, and
 * on_headers says so; past the hard limit its stream is reset, and the next
 * list is decoded correctly. */
static void test_cs_large_lists(void)
{
    static const struct { size_t n; const char *told, *end; int fields; } t[] =
    {
        { 1024 - 42, "", "1 headers\n1 end\n1 close 0\n", 2 },
        { 1024 - 42 + 1, "", "1 headers over\n1 end\n1 close 0\n", 1 },
        { 4096 - 42, "", "1 headers over\n1 end\n1 close 0\n", 1 },
        { 4096 - 42 + 1, "R1:2 ", "1 headers over\n1 close 2\n", 1 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct test_cs k;
        struct buf in = {0}, told = {0};
        test_cs_begin(&k);
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        test_cs_put(&in, "1 5 1 88");
        test_cs_wide(&in, t[i].n);
        mem_put(&in, "\x40\1t\1u", i == 3 ? 5 : 0);
        test_cs_patch(&in, 0);
        k.log.len = 0;
        CHECK(!cs_take(&k.s, in.data, in.len));
        test_cs_tell(&told, &k.s.out);
        CHECK(test_cs_is("list", &told, t[i].told));
        CHECK(k.log.len > strlen(t[i].end) && !memcmp(k.log.data + k.log.len -
              strlen(t[i].end), t[i].end, strlen(t[i].end)));
        int fields = 0;
        for (size_t at = 0; at < k.log.len; at++)
            fields += k.log.data[at] == '=';
        CHECK(fields == t[i].fields);
        cs_sent(&k.s);
        if (i == 3)                     /* what it put in the table is there */
            test_cs_say(&k, "1 5 3 88 be", "", "3 :status=200\n3 t=u\n"
                        "3 headers\n3 end\n3 close 0\n");
        test_cs_finish(&k);
        mem_fini(&in);
        mem_fini(&told);
    }
}

/* Floods of CONTINUATION, PING and SETTINGS, DATA past our windows; and the
 * window that is given back. */
static void test_cs_floods(void)
{
    struct test_cs k;
    uint8_t ping[17] = { 0, 0, 8, 6 }, part[9 + 4096] = { 0, 0, 0, 9 };
    memset(part + 9, 0x88, 4096);
    part[8] = 1;
    for (int i = 0; i < 3; i++) {       /* of a stream; of nobody, and long */
        test_cs_begin(&k);
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        if (i)
            cs_cancel(&k.s, &k.call[0].stream, 8);
        test_cs_say(&k, "1 1 1 88", i ? "R1:8 " : "",
                    i ? "" : "1 :status=200\n");
        part[1] = i == 2 ? 16 : 0;
        for (int n = 0; n < (i == 2 ? 2 : 1000); n++)
            CHECK(!cs_take(&k.s, part, i == 2 ? sizeof part : 9));
        test_cs_say(&k, i == 2 ? "9 0 1 88" : "9 0 1", "G11 ", "");
        test_cs_finish(&k);
    }
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
    for (int i = 0; i < 1000; i++)
        CHECK(!cs_take(&k.s, ping, sizeof ping));
    cs_sent(&k.s);
    for (int i = 0; i < 1000; i++)
        CHECK(!cs_take(&k.s, ping, sizeof ping));
    size_t n = k.s.out.len;
    CHECK(n == 1000 * sizeof ping && k.s.out.data[4] == 1);
    CHECK(cs_take(&k.s, ping, sizeof ping) == GP_EFORMAT);
    CHECK(k.s.out.data[n + 3] == 7 && num_get_be32(k.s.out.data + n + 13) == 11);
    test_cs_finish(&k);
    for (int i = 0; i < 5; i++) {
        test_cs_begin(&k);
        test_cs_say(&k, "4 0 0; 1 4 1 88", "S+ ",
                    "ready\n1 :status=200\n1 headers\n");
        uint32_t most = CS_WINDOW_BYTES, half = most / 2;
        k.s.owed = i == 0 ? most - 3 : i == 3 ? half - 4 : 0;
        k.call[0].stream.owed = i == 1 ? most - 3 : i == 4 ? half - 4 : 0;
        char back[40] = "G3 ";
        if (i == 1)
            strcpy(back, "R1:3 ");
        else if (i)
            snprintf(back, sizeof back, "W%d:%u ", i == 4, half);
        if (i == 2)
            *back = 0;
        test_cs_say(&k, "0 8 1 01 'ab' 00", back, i == 0 ? "" :
                    i == 1 ? "1 close 3\n" : "1 data ab\n");
        CHECK(i < 2 || k.s.owed == (i == 3 ? 0 : 4));
        CHECK(i < 2 || k.call[0].stream.owed == (i == 4 ? 0 : 4));
        test_cs_finish(&k);
    }
}

/* ---- CS: DATA and its windows ---- */

enum { TEST_CS_BODIES = 40, TEST_CS_BODY = 200000 };

struct test_cs_body {                   /* the server's view of a stream */
    struct test_cs_call call;
    uint32_t size, sent;                /* bytes to come in all, and here */
    int64_t window;
    bool begun, ended;
};

struct test_cs_model {
    struct test_cs k;
    struct test_cs_body body[TEST_CS_BODIES];
    int n;                              /* bodies opened */
    uint8_t *bytes;                     /* of all bodies */
    int64_t window, first_window;
    size_t seen;                        /* bytes of out that were looked at */
    uint64_t rng;
};

/* Return a random number below most. */
static uint32_t test_cs_roll(uint64_t *rng, uint32_t most)
{
    *rng = *rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((*rng >> 33) % most);
}

/* Check a DATA frame: it continues its stream's body, within the windows. */
static void test_cs_model_data(struct test_cs_model *m, int at,
                               const uint8_t *p, uint32_t n, bool last)
{
    CHECK(at < m->n && n <= 16384);
    struct test_cs_body *b = &m->body[at];
    CHECK(b->begun && !b->ended && n <= b->size - b->sent);
    CHECK(n == 0 || ((int64_t)n <= b->window && (int64_t)n <= m->window));
    CHECK(n > 0 || last);               /* an empty one only ends a body */
    CHECK(!memcmp(p, m->bytes + (unsigned)at + b->sent, n));
    b->window -= n;
    m->window -= n;
    b->sent += n;
    b->ended = last;
    CHECK(!last || b->sent == b->size);
}

/* Check the frames that the session wrote since the last look; all: pump it,
 * then take its output as sent. */
static void test_cs_model_look(struct test_cs_model *m, bool all)
{
    const struct buf *out = &m->k.s.out;
    if (all)
        (void)cs_pump(&m->k.s);
    while (m->seen < out->len && !unit_bad) {
        const uint8_t *p = out->data + m->seen;
        uint32_t n = cs_frame_bytes(p), id = num_get_be32(p + 5);
        m->seen += CS_HEAD_BYTES + n;
        CHECK(m->seen <= out->len);
        if (p[3] == NGHTTP2_HEADERS) {
            struct test_cs_body *b = &m->body[id / 2];
            CHECK(!b->begun && (int)id / 2 == m->n - 1 && p[4] == 4);
            b->begun = true;
            b->window = m->first_window;
        } else if (p[3] == NGHTTP2_DATA) {
            test_cs_model_data(m, (int)id / 2, p + CS_HEAD_BYTES, n, p[4] & 1);
        } else {
            CHECK(p[3] == NGHTTP2_SETTINGS && p[4] == 1);
        }
    }
    if (all) {
        cs_sent(&m->k.s);
        m->seen = 0;
    }
}

/* Give m's session a frame whose payload ends with v. */
static void test_cs_model_give(struct test_cs_model *m, uint8_t type,
                               uint32_t id, uint32_t v)
{
    uint8_t p[6] = { 0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE };
    size_t cut = type == NGHTTP2_SETTINGS ? 0 : 2;
    struct buf in = {0};
    m->k.s.left_id = m->k.s.next_id;    /* the peer knows all streams */
    num_set_be32(p + 2, v);
    test_cs_frame(&in, type, 0, id, p + cut, sizeof p - cut);
    CHECK(!cs_take(&m->k.s, in.data, in.len));
    mem_fini(&in);
    if (type == NGHTTP2_SETTINGS) {
        for (int i = 0; i < m->n; i++)
            m->body[i].window += (int64_t)v - m->first_window;
        m->first_window = v;
    } else if (id == 0) {
        m->window += v;
    } else {
        m->body[id / 2].window += v;
    }
}

/* Open one more body of size bytes, the first `some` of which are available. */
static void test_cs_model_open(struct test_cs_model *m, uint32_t size,
                               uint32_t some)
{
    struct test_cs_body *b = &m->body[m->n];
    struct cs_stream *t = &b->call.stream;
    b->size = size;
    t->p = m->bytes + m->n++;
    t->n = some;
    t->more = some < size;
    CHECK(!test_cs_open(&m->k.s, &b->call));
}

/* Make more of body b available: some bytes, or nothing but its end. */
static void test_cs_model_more(struct test_cs_model *m, struct test_cs_body *b,
                               uint32_t some)
{
    struct cs_stream *t = &b->call.stream;
    size_t left = b->size - (size_t)(t->p - m->bytes - (b - m->body)) - t->n;
    t->n += some < left ? some : left;
    t->more = some <= left && test_cs_roll(&m->rng, 4) > 0;
    t->more |= some < left;
    cs_resume(&m->k.s, t);
}

/* Do one random step; down: the streams' windows may get smaller. */
static void test_cs_model_step(struct test_cs_model *m, bool down)
{
    uint32_t what = test_cs_roll(&m->rng, 8), most = 1 << 17;
    struct test_cs_body *b = m->n ? &m->body[test_cs_roll(&m->rng,
                                             (uint32_t)m->n)] : m->body;
    uint32_t v = test_cs_roll(&m->rng, 3) ? test_cs_roll(&m->rng, 20000) : 0;
    if (what == 0 && m->n < TEST_CS_BODIES) {
        uint32_t size = test_cs_roll(&m->rng, 3) * v * 4;
        size = size > TEST_CS_BODY ? TEST_CS_BODY : size;
        test_cs_model_open(m, size, test_cs_roll(&m->rng, 2) ? size
                           : test_cs_roll(&m->rng, size + 1));
    } else if (what == 1) {
        test_cs_model_give(m, NGHTTP2_WINDOW_UPDATE, 0, v + 1);
    } else if (what <= 3 && m->n) {
        test_cs_model_give(m, NGHTTP2_WINDOW_UPDATE,
                           (uint32_t)(b - m->body) * 2 + 1, v + 1);
    } else if (what == 4 && (!down || test_cs_roll(&m->rng, 2))) {
        v += down ? 0 : (uint32_t)m->first_window;
        if (m->first_window < most * 8)
            test_cs_model_give(m, NGHTTP2_SETTINGS, 0, v);
    } else if (what == 5 && m->n && b->call.stream.more) {
        test_cs_model_more(m, b, v);
    } else if (what == 6) {
        test_cs_model_look(m, true);
    }
    test_cs_model_look(m, false);
    for (int i = 0; i < m->n; i++)
        CHECK(m->body[i].window == m->body[i].call.stream.window);
    CHECK(m->window == m->k.s.window);
    CHECK(m->k.s.out.len < CS_OUT_BYTES + 16393 + 100 * 1100);
}

/* Make m, with bytes for all bodies. */
static void test_cs_model_init(struct test_cs_model *m, uint64_t rng)
{
    *m = (struct test_cs_model){ .rng = rng, .window = 65535,
                                 .first_window = 65535 };
    m->k.s = (struct cs){ .up = &test_cs_up, .list_bytes = 1024 };
    m->bytes = mem_zalloc(TEST_CS_BODY + TEST_CS_BODIES);
    for (uint32_t i = 0; i < TEST_CS_BODY + TEST_CS_BODIES; i++)
        m->bytes[i] = (uint8_t)(i * 2654435761u >> 23);
    CHECK(!cs_init(&m->k.s, &m->k.pool));
    cs_sent(&m->k.s);
    test_cs_model_give(m, NGHTTP2_SETTINGS, 0, 65535);
}

/* Open all windows as far as needed: every body is sent to its end. */
static void test_cs_model_finish(struct test_cs_model *m)
{
    for (int i = 0; i < m->n; i++)
        while (m->body[i].call.stream.more)
            test_cs_model_more(m, &m->body[i], 50000);
    test_cs_model_give(m, NGHTTP2_WINDOW_UPDATE, 0, 1 << 30);
    test_cs_model_give(m, NGHTTP2_SETTINGS, 0, 1 << 30);
    for (int i = 0; i < 2000; i++)
        test_cs_model_look(m, true);
    for (int i = 0; i < m->n; i++)
        CHECK(m->body[i].ended && m->body[i].sent == m->body[i].size);
    CHECK(mem_link_alone(&m->k.s.row) && !m->k.s.out.len);
    mem_free(m->bytes);
    test_cs_finish(&m->k);
}

/* Bodies go out as the windows let them, once and in order; down: also when
 * SETTINGS make the windows of open streams smaller, to less than nothing. */
static void test_cs_schedule(bool down)
{
    static struct test_cs_model m;
    for (uint64_t seed = 1; seed <= 150 && !unit_bad; seed++) {
        test_cs_model_init(&m, seed);
        for (int i = 0; i < 400; i++)
            test_cs_model_step(&m, down);
        test_cs_model_finish(&m);
    }
}

/* Bodies larger than the windows, which only grow. */
static void test_cs_windows(void)
{
    test_cs_schedule(false);
}

/* The same where SETTINGS_INITIAL_WINDOW_SIZE goes down and up. */
static void test_cs_windows_shrink(void)
{
    test_cs_schedule(true);
}

/* If a stream waits for the connection's window, and its own window falls below
 * 0, it sends nothing until that is positive again ([H2] 6.9.2). */
static void test_cs_window_below_0(void)
{
    static uint8_t body[100000];
    struct test_cs k;
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0 00040000c350", "S+ ", "ready\n");    /* 50000 */
    for (int i = 0; i < 2; i++) {
        cs_cancel(&k.s, &k.call[i].stream, 8);
        k.call[i].stream.p = body;
        k.call[i].stream.n = sizeof body;
    }
    cs_sent(&k.s);
    CHECK(!test_cs_open(&k.s, &k.call[0]) && !test_cs_open(&k.s, &k.call[1]));
    test_cs_say(&k, "4 0 0 000400000064", "H5 D5:16384 D5:16384 D5:16384 "
                "D5:848 H7 D7:15535 S+ ", "ready\n");
    CHECK(k.call[1].stream.window == 100 - 15535);
    test_cs_say(&k, "8 0 0 00100000", "", "");
    CHECK(cs_pump(&k.s) == false);
    test_cs_say(&k, "8 0 7 00003c4b", "", "");          /* 15435: 0 */
    CHECK(cs_pump(&k.s) == false);
    test_cs_say(&k, "8 0 7 00000001", "", "");
    CHECK(cs_pump(&k.s) == true);
    test_cs_say(&k, "fa 0 0", "D7:1 ", "");
    test_cs_finish(&k);
}

/* Streams that wait for the connection's window send in turn; an empty body
 * ends with an empty frame, as does one without more bytes. */
static void test_cs_turns(void)
{
    static uint8_t body[100000];
    struct test_cs_call call[4] = {0};
    struct test_cs k;
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0 000400100000", "S+ ", "ready\n");
    for (int i = 0; i < 3; i++) {
        call[i].stream.p = body;
        call[i].stream.n = i ? 40000 : 65535;
        CHECK(!test_cs_open(&k.s, &call[i]));
    }
    test_cs_say(&k, "8 0 0 00100000", "H5 D5:16384 D5:16384 D5:16384 "
                "D5:16383. H7 H9 ", "");
    CHECK(!test_cs_open(&k.s, &call[3]));
    test_cs_say(&k, "fa 0 0", "H11 D11:0. D7:16384 D9:16384 D7:16384 "
                "D9:16384 ", "");       /* CS_OUT_BYTES */
    CHECK(cs_pump(&k.s));
    test_cs_say(&k, "fa 0 0", "D7:7232. D9:7232. ", "");
    CHECK(!cs_pump(&k.s));
    call[0].stream.more = true;
    call[0].stream.n = 0;
    CHECK(!test_cs_open(&k.s, &call[0]) && cs_pump(&k.s));
    test_cs_say(&k, "fa 0 0", "H13 ", "");
    call[0].stream.p = body;
    call[0].stream.n = 5;
    cs_resume(&k.s, &call[0].stream);
    test_cs_say(&k, "fa 0 0", "D13:5 ", "");
    call[0].stream.more = false;
    cs_resume(&k.s, &call[0].stream);
    cs_resume(&k.s, &call[0].stream);
    test_cs_say(&k, "fa 0 0", "D13:0. ", "");
    test_cs_say(&k, "1 5 d 88", "", "13 :status=200\n13 headers\n13 end\n"
                "13 close 0\n");
    call[1].stream.more = true;         /* an answer before the request's end */
    call[1].stream.n = 0;
    cs_cancel(&k.s, &call[1].stream, 8);
    CHECK(!test_cs_open(&k.s, &call[1]));
    test_cs_say(&k, "fa 0 0", "R7:8 H15 ", "");
    test_cs_say(&k, "1 5 f 88", "R15:0 ", "15 :status=200\n15 headers\n"
                "15 end\n15 close 0\n");
    test_cs_finish(&k);
}

/* ---- CS: header lists, both ways ---- */

enum { TEST_CS_NAMES = 12, TEST_CS_VALUES = 6, TEST_CS_MOST = 9 };

/* A small vocabulary, so that much of it is in HPACK's table; short ones first,
 * of which a list of many is small. */
static const char *const test_cs_names[TEST_CS_NAMES] = {
    "x-a", "x-b", "vary", "date", "server", "grpc-status", "grpc-message",
    "content-type", "x-trace-id", "set-cookie", "grpc-encoding",
    "a-long-name-that-takes-room-in-tables",
};
static const char *const test_cs_texts[TEST_CS_VALUES] = {
    "0", "", "gzip", "application/grpc", "a value with words, and marks: \"~\"",
    "no cookies in the jar today, none at all, and none tomorrow, "
    "which is why this is long enough not to be remembered",
};

struct test_cs_list {                   /* a header list made of them */
    nghttp2_nv nv[TEST_CS_MOST + 2];
    size_t n;
    char text[TEST_CS_MOST][24];        /* values of their own */
    uint32_t names, values;             /* so many of the vocabulary */
};

/* Append a name and a value to l, perhaps one that HPACK shall not keep. */
static void test_cs_list_add(struct test_cs_list *l, const char *name,
                             const char *value, bool secret)
{
    l->nv[l->n] = test_cs_nv(name, value);
    l->nv[l->n++].flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX
                                 : NGHTTP2_NV_FLAG_NONE;
}

/* Append up to most fields at random, of l's part of the vocabulary; one in
 * fresh has a value that was not seen before. */
static void test_cs_list_fill(struct test_cs_list *l, uint64_t *rng,
                              uint32_t most, uint32_t fresh)
{
    uint32_t n = test_cs_roll(rng, most + 1);
    for (uint32_t i = 0; i < n; i++) {
        const char *v = test_cs_texts[test_cs_roll(rng, l->values)];
        if (test_cs_roll(rng, fresh) == 0) {
            snprintf(l->text[i], sizeof l->text[i], "%" PRIx64, *rng);
            v = l->text[i];
        }
        test_cs_list_add(l, test_cs_names[test_cs_roll(rng, l->names)], v,
                         test_cs_roll(rng, 6) == 0);
    }
}

/* Append to b what the callbacks log for l on stream id. */
static void test_cs_list_tell(const struct test_cs_list *l, int32_t id,
                              struct buf *b)
{
    for (size_t i = 0; i < l->n; i++)
        txt_putf(b, "%d %s=%s\n", id, (char *)l->nv[i].name,
                 (char *)l->nv[i].value);
    txt_putf(b, "%d headers\n", id);
}

/* Append l, encoded by d, to in as HEADERS of stream id with these flags, and
 * perhaps CONTINUATION, padding and a priority. */
static void test_cs_list_put(const struct test_cs_list *l, int32_t id,
                             uint8_t flags, nghttp2_hd_deflater *d,
                             uint64_t *rng, struct buf *in)
{
    uint8_t block[4096], frame[4096 + 6] = {0}, type = NGHTTP2_HEADERS;
    ssize_t n = nghttp2_hd_deflate_hd(d, block, sizeof block, l->nv, l->n);
    CHECK(n >= 0 && n < (ssize_t)sizeof block);
    size_t at = 0, all = (size_t)n, front = 0;
    do {
        size_t k = all - at;
        if (test_cs_roll(rng, 5) == 0)
            k = test_cs_roll(rng, (uint32_t)k + 1);
        uint8_t f = flags | (at + k == all ? NGHTTP2_FLAG_END_HEADERS : 0);
        if (type == NGHTTP2_HEADERS && test_cs_roll(rng, 9) == 0) {
            f |= NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY;
            front = 6;
        }
        memcpy(frame + front, block + at, k);
        test_cs_frame(in, type, f, (uint32_t)id, frame, front + k);
        at += k;
        type = NGHTTP2_CONTINUATION;
        flags = 0;
        front = 0;
    } while (at < all);
}

/* Give in to k in random pieces, and check that its callbacks log want. */
static void test_cs_list_give(struct test_cs *k, struct buf *in,
                              struct buf *want, uint64_t *rng)
{
    bool pieces = test_cs_roll(rng, 3) == 0;
    for (size_t at = 0, n; at < in->len; at += n) {
        n = pieces ? 1 + test_cs_roll(rng, 40) : in->len;
        n = n < in->len - at ? n : in->len - at;
        CHECK(!cs_take(&k->s, in->data + at, n));
    }
    mem_put_byte(want, 0);
    CHECK(test_cs_is("list", &k->log, (char *)want->data));
    k->log.len = in->len = want->len = 0;
}

/* A stream's whole response, or a block of one that is closed already. */
static void test_cs_response(struct test_cs *k, nghttp2_hd_deflater *d,
                             uint32_t few, uint64_t *rng, struct buf *in,
                             struct buf *want)
{
    static const char *const status[] = { "200", "200", "200", "404", "103" };
    struct test_cs_call *c = &k->call[test_cs_roll(rng, 2)];
    bool open = c->stream.id != 0;
    if (!open && test_cs_roll(rng, 3)) {
        CHECK(!test_cs_open(&k->s, c));
        open = true;
    } else if (open && test_cs_roll(rng, 9) == 0) {
        cs_cancel(&k->s, &c->stream, NGHTTP2_CANCEL);
        return;
    }
    cs_sent(&k->s);
    struct test_cs_list l = { .names = few, .values = 1 + few / 2 };
    bool last = open ? c->stream.begun : test_cs_roll(rng, 2);
    if (!last)
        test_cs_list_add(&l, ":status", status[test_cs_roll(rng, 5)], false);
    bool empty = !last && *l.nv[0].value == '2' && test_cs_roll(rng, 9) == 0;
    bool again = few < 4;               /* the same lists again and again */
    test_cs_list_fill(&l, rng, again ? 1 : test_cs_roll(rng, 4) ? 3
                      : TEST_CS_MOST, again ? 4000 : 40);
    if (test_cs_roll(rng, 50) == 0)
        CHECK(!nghttp2_hd_deflate_change_table_size(d, test_cs_roll(rng, 3)
                                                    * 400));
    else if (test_cs_roll(rng, 50) == 0)
        CHECK(!nghttp2_hd_deflate_change_table_size(d, 4096));
    test_cs_list_put(&l, c->id, last || empty ? NGHTTP2_FLAG_END_STREAM : 0, d,
                     rng, in);
    if (!open)
        return;
    test_cs_list_tell(&l, c->id, want);
    if (last || empty)
        txt_putf(want, "%d end\n%d close 0\n", c->id, c->id);
}

/* HPACK's integers: the examples of RFC 7541, C.1, each cut short; bounds. */
static void test_cs_hpack_ints(void)
{
    static const struct { const char *in; size_t n; int bits, want; } t[] = {
        { "\xea", 1, 5, 10 }, { "\x1f\x9a\x0a", 3, 5, 1337 },
        { "\x2a", 1, 7, 42 }, { "\xff\x00", 2, 7, 127 },
        { "\x7f\x80\x01", 3, 7, 255 }, { "\x7f\x81\x80\x01", 4, 7, 16512 },
        { "\x0f\x0d", 2, 4, 28 }, { "\x7f\xff\xff\x7f", 4, 7, 2097278 },
        { "\x7f\xff\xff\xff\x00", 5, 7, -1 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t n = 0; n <= t[i].n; n++) {
            const uint8_t *from = (const uint8_t *)t[i].in, *p = from;
            CHECK(cs_hpack_int(&p, from + n, t[i].bits) ==
                  (n < t[i].n ? -1 : t[i].want));
            CHECK(p <= from + n && (n < t[i].n || t[i].want < 0 ||
                                    p == from + n));
        }
}

/* True if the frame in has a header block that s remembers. */
static bool test_cs_known(const struct cs *s, const struct buf *in)
{
    for (int i = 0; i < 2 && in->len > 9 && in->data[3] == 1; i++)
        if (s->seen[i].n && s->seen[i].n + 9u == in->len &&
            !memcmp(s->seen[i].block, in->data + 9, s->seen[i].n))
            return true;
    return false;
}

/* on_header gets the headers that a server encoded, in any state of the HPACK
 * table, for open and closed streams. */
static void test_cs_hpack_in(void)
{
    struct buf in = {0}, want = {0};
    size_t known = 0, rounds = 0;
    for (uint64_t seed = 1; seed <= 22 && !unit_bad; seed++) {
        struct test_cs k;
        uint64_t rng = seed;
        nghttp2_hd_deflater *d = NULL;
        test_cs_begin(&k);
        k.s.list_bytes = 4096;
        CHECK(!nghttp2_hd_deflate_new(&d, 4096));
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        k.log.len = 0;
        for (int i = 0; i < 1500 && !unit_bad; i++) {
            test_cs_response(&k, d, (uint32_t)seed % 11 + 1, &rng, &in,
                             &want);
            known += test_cs_known(&k.s, &in);
            test_cs_list_give(&k, &in, &want, &rng);
            rounds++;
        }
        nghttp2_hd_deflate_del(d);
        test_cs_finish(&k);
    }
    CHECK(known > rounds / 100);        /* remembered blocks were used */
    mem_fini(&in);
    mem_fini(&want);
}

/* Check that the one header block in out is that of list, for a peer with the
 * table of inflater. */
static void test_cs_decoded(struct buf *out, nghttp2_hd_inflater *inflater,
                            const struct test_cs_list *l)
{
    struct buf block = {0};
    size_t field = 0, at = 0;
    int flags = 0;
    for (size_t n; at < out->len; at += CS_HEAD_BYTES + n) {
        const uint8_t *p = out->data + at;
        n = cs_frame_bytes(p);
        CHECK(n <= 16384);
        bool end = at + CS_HEAD_BYTES + n == out->len;
        if (p[3] == NGHTTP2_DATA)
            break;
        CHECK(p[3] == (block.len ? NGHTTP2_CONTINUATION : NGHTTP2_HEADERS));
        end |= out->len >= at + 18 + n && p[12 + n] == NGHTTP2_DATA;
        CHECK((p[4] == NGHTTP2_FLAG_END_HEADERS) == end);
        mem_put(&block, p + CS_HEAD_BYTES, n);
    }
    for (at = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL); ) {
        nghttp2_nv nv;
        ssize_t k = nghttp2_hd_inflate_hd2(inflater, &nv, &flags,
                                           block.data + at, block.len - at, 1);
        CHECK(k >= 0);
        if (k < 0)
            break;
        at += (size_t)k;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        const nghttp2_nv *want = &l->nv[field < l->n ? field : 0];
        CHECK(field++ < l->n);
        CHECK(nv.namelen == want->namelen && nv.valuelen == want->valuelen);
        CHECK(!memcmp(nv.name, want->name, nv.namelen) &&
              !memcmp(nv.value, want->value, nv.valuelen));
    }
    nghttp2_hd_inflate_end_headers(inflater);
    CHECK(field == l->n);
    mem_fini(&block);
}

/* A request's list at random; wide, where it is not NULL, makes it larger
 * than a frame. */
static void test_cs_request(struct test_cs_list *l, uint64_t *rng,
                            const char *wide)
{
    static const char *const path[] = { "/a.B/C", "/a.B/D", "/long/path/of/X" };
    *l = (struct test_cs_list){ .names = TEST_CS_NAMES,
                                .values = TEST_CS_VALUES };
    test_cs_list_add(l, ":method", "POST", false);
    test_cs_list_add(l, ":path", path[test_cs_roll(rng, 3)], false);
    test_cs_list_fill(l, rng, TEST_CS_MOST, 12);
    if (wide)
        l->nv[l->n - 1] = test_cs_nv("wide", wide);
}

/* A peer decodes the lists that we encode, repeated ones and others, with any
 * size of table that it allows. */
static void test_cs_hpack_out(void)
{
    static struct test_cs_list fixed[4], other;
    static char wide[40001];
    memset(wide, '~', sizeof wide - 1);
    for (uint64_t seed = 1; seed <= 12 && !unit_bad; seed++) {
        struct test_cs k;
        uint64_t rng = seed;
        nghttp2_hd_inflater *inflater = NULL;
        test_cs_begin(&k);
        cs_fini(&k.s);
        k.s = (struct cs){ .up = &test_cs_up, .list_bytes = 1024 };
        CHECK(!cs_init(&k.s, &k.pool) && !nghttp2_hd_inflate_new(&inflater));
        cs_sent(&k.s);
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        for (int i = 0; i < 4; i++)
            test_cs_request(&fixed[i], &rng, NULL);
        for (int i = 0; i < 1500 && !unit_bad; i++) {
            struct test_cs_call *c = &k.call[0];
            bool stays = test_cs_roll(&rng, 4) > 0;
            struct test_cs_list *l = stays ? &fixed[test_cs_roll(&rng, 40) ? 0
                                     : test_cs_roll(&rng, 4)] : &other;
            if (!stays)
                test_cs_request(&other, &rng, test_cs_roll(&rng, 30) ? NULL
                                : wide);
            c->closed = 0;
            CHECK(!cs_open(&k.s, &c->stream, l->nv, l->n, stays));
            c->id = c->stream.id;
            test_cs_decoded(&k.s.out, inflater, l);
            cs_sent(&k.s);
            cs_cancel(&k.s, &c->stream, NGHTTP2_CANCEL);
            cs_sent(&k.s);
            for (uint32_t n = test_cs_roll(&rng, 30) ? 0 :
                 1 + test_cs_roll(&rng, 2); n; n--) {
                char text[40];
                uint32_t size = test_cs_roll(&rng, 3) * 150 +
                                test_cs_roll(&rng, 2) * 6000;
                snprintf(text, sizeof text, "4 0 0 0001%08x", size);
                test_cs_say(&k, text, "S+ ", "ready\n");
                CHECK(!nghttp2_hd_inflate_change_table_size(inflater, size));
            }
        }
        nghttp2_hd_inflate_del(inflater);
        test_cs_finish(&k);
    }
}

/* ---- CS: streams ---- */

enum { TEST_CS_OPEN = 300 };

struct test_cs_set {
    struct test_cs k;
    struct test_cs_call call[TEST_CS_OPEN];
    int32_t open[TEST_CS_OPEN];         /* what the stream should be; 0: none */
    uint32_t n;                         /* how many are open */
    uint32_t first;                     /* stream's number */
    uint64_t rng;
};

/* Every stream of m is found, and no other; a walk meets each once. */
static void test_cs_set_agrees(const struct test_cs_set *m)
{
    const struct cs *s = &m->k.s;
    static bool met[TEST_CS_OPEN];
    struct cs_stream *t = NULL;
    uint32_t found = 0, walked = 0;
    CHECK(s->streams == m->n);
    for (uint32_t id = m->first; id < s->next_id + 8; id += 2) {
        t = cs_find(s, (int32_t)id);
        CHECK(!t || (t->id == (int32_t)id &&
                     m->open[test_cs_call_of(t) - m->call] == t->id));
        found += t != NULL;
    }
    CHECK(found == m->n);
    memset(met, 0, sizeof met);
    t = NULL;
    for (uint32_t at = 0; (t = cs_next(s, t, &at)) && walked <= m->n;
         walked++) {
        size_t i = (size_t)(test_cs_call_of(t) - m->call);
        CHECK(!met[i] && m->open[i] == t->id);
        met[i] = true;
    }
    CHECK(walked == m->n);
    for (int i = 0; i < TEST_CS_OPEN; i++)
        CHECK(m->call[i].stream.id == m->open[i]);
}

/* Note that call i of m is closed: by on_close if calls is 1, by us if 0. */
static void test_cs_set_closed(struct test_cs_set *m, uint32_t i, int calls)
{
    CHECK(m->call[i].closed == calls && m->open[i]);
    m->open[i] = 0;
    m->n--;
}

/* End stream i of m in one of three ways. */
static void test_cs_set_end(struct test_cs_set *m, uint32_t i)
{
    uint32_t how = test_cs_roll(&m->rng, 3), id = (uint32_t)m->open[i];
    struct buf in = {0};
    if (how == 0) {
        cs_cancel(&m->k.s, &m->call[i].stream, NGHTTP2_CANCEL);
        test_cs_set_closed(m, i, 0);
        return;
    }
    if (how == 1)
        test_cs_frame(&in, NGHTTP2_HEADERS, 5, id, "\x88", 1);
    else
        test_cs_frame(&in, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x8", 4);
    CHECK(!cs_take(&m->k.s, in.data, in.len));
    test_cs_set_closed(m, i, 1);
    mem_fini(&in);
}

/* The server goes away: later streams than a random one close. */
static void test_cs_set_goaway(struct test_cs_set *m)
{
    uint8_t p[8] = {0};
    uint32_t last = m->first + 2 * test_cs_roll(&m->rng,
                    (m->k.s.next_id - m->first) / 2);
    struct buf in = {0};
    num_set_be32(p, last);
    test_cs_frame(&in, NGHTTP2_GOAWAY, 0, 0, p, sizeof p);
    CHECK(!cs_take(&m->k.s, in.data, in.len));
    for (uint32_t i = 0; i < TEST_CS_OPEN; i++)
        if ((uint32_t)m->open[i] > last)
            test_cs_set_closed(m, i, 1);
    mem_fini(&in);
}

/* Streams come and go at random, up to most at a time. */
static void test_cs_set_turn(struct test_cs_set *m, uint32_t most)
{
    *m = (struct test_cs_set){ .rng = most, .first = most * 154 + 1 };
    m->k.s = (struct cs){ .up = &test_cs_up, .list_bytes = 1024 };
    CHECK(!cs_init(&m->k.s, &m->k.pool));
    test_cs_say(&m->k, "4 0 0", "S W0:1073676288 S+ ", "ready\n");
    m->k.s.next_id = m->first;
    uint32_t gone = 500 + test_cs_roll(&m->rng, 500);
    for (uint32_t i = 0; i < 1000 && !unit_bad; i++) {
        uint32_t at = test_cs_roll(&m->rng, most);
        uint32_t upward = i % 200 < 120 ? 4 : 1;
        if (i == gone)
            test_cs_set_goaway(m);
        if (m->open[at] && test_cs_roll(&m->rng, 5) >= upward) {
            test_cs_set_end(m, at);
        } else if (!m->open[at]) {
            int e = test_cs_open(&m->k.s, &m->call[at]);
            CHECK(e == (i >= gone ? GP_ESTATE : 0));
            m->open[at] = m->call[at].stream.id;
            m->n += !e;
        }
        test_cs_set_agrees(m);
        cs_sent(&m->k.s);
        m->k.log.len = 0;
    }
    struct cs_stream *t = NULL;         /* each can be closed on the walk */
    for (uint32_t k = 0; (t = cs_next(&m->k.s, t, &k)); ) {
        cs_forget(&m->k.s, t);
        test_cs_set_closed(m, (uint32_t)(test_cs_call_of(t) - m->call), 0);
    }
    test_cs_set_agrees(m);
    CHECK(m->n == 0 && cs_finished(&m->k.s));
    test_cs_finish(&m->k);
}

/* The set of open streams has those that were opened and not closed. */
static void test_cs_streams(void)
{
    static struct test_cs_set m;
    static const uint32_t most[] = { 1, 2, 3, 4, 5, 7, 8, 16, 31, 100, 300 };
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        test_cs_set_turn(&m, most[i]);
}

/* Frames for a stream whose HEADERS were not sent yet are a connection error;
 * after that they are not. */
static void test_cs_unsent(void)
{
    static const char *const talk[] = { "1 5 5 88", "0 0 5 'x'", "3 0 5 *4",
                                        "8 0 5 00000001" };
    static const char *const heard[] = {
        "5 :status=200\n5 headers\n5 end\n5 close 0\n", "5 close 1\n",
        "5 close 0 by peer\n", "",
    };
    for (size_t i = 0; i < 2 * sizeof talk / sizeof *talk; i++) {
        struct test_cs k;
        struct test_cs_call more = {0};
        bool sent = i % 2;
        test_cs_begin(&k);
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        CHECK(!test_cs_open(&k.s, &more) && cs_unseen(&k.s, &more.stream));
        if (sent)
            cs_sent(&k.s);
        test_cs_say(&k, talk[i / 2], !sent ? "H5 D5:0. G1 " : i / 2 == 1 ?
                    "R5:1 " : "", sent ? heard[i / 2] : "");
        CHECK(k.s.failed == (sent ? 0 : GP_EFORMAT));
        test_cs_finish(&k);
    }
}

/* Each malformed response resets its stream, and the session says why. */
static void test_cs_faults(void)
{
    static const char *const fault[][2] = {
        { "88 00 03'a b' 01'x'", "invalid name of a field: a?b" },
        { "88 00 00 01'x'", "invalid name of a field" },
        { "88 00 02'a' 00 01'x'", "invalid name of a field: a?" },
        { "88 00 02'a:' 01'x'", "invalid name of a field: a:" },
        { "88 00 03'a' 1b 'b' 01'x'", "invalid name of a field: a?b" },
        { "88 00 07'X-Upper' 01'x'",
          "upper case in the name of a field: X-Upper" },
        { "88 00 01'a' 02' x'", "blank around the value of a field: a" },
        { "88 00 01'a' 02'x '", "blank around the value of a field: a" },
        { "88 00 01'a' 02 09'x'", "blank around the value of a field: a" },
        { "88 00 01'a' 02'x' 09", "blank around the value of a field: a" },
        { "88 00 01'a' 01' '", "blank around the value of a field: a" },
        { "88 00 01'a' 02'x' 00", "invalid byte in the value of a field: a" },
        { "88 00 01'a' 03'x' 0a 'y'",
          "invalid byte in the value of a field: a" },
        { "88 00 01'a' 03'x' 0d 'y'",
          "invalid byte in the value of a field: a" },
        { "88 00 01'a' 01 7f", "invalid byte in the value of a field: a" },
        { "88 00 0a'connection' 05'close'",
          "connection-specific field: connection" },
        { "88 00 11'transfer-encoding' 07'chunked'",
          "connection-specific field: transfer-encoding" },
        { "88 00 02'te' 04'gzip'", "connection-specific field: te" },
        { "88 88", "pseudo-header field twice: :status" },
        { "00 01'a' 01'b' 88",
          "pseudo-header field after another field: :status" },
        { "88 84", "pseudo-header field that no response has: :path" },
        { "08 03'099'", "value that is no number from 100 to 999: :status" },
        { "00 01'a' 01'b'", "no :status" },
        { "08 03'101'", ":status 101" },
        { "08 03'100'", ":status 1xx with END_STREAM" },
        { "88 0f0d01'5'", "less data than content-length" },
        { "88 0f0d02'5x'",
          "value that is no length, or a second one: content-length" },
    };
    for (size_t i = 0; i < sizeof fault / sizeof *fault; i++) {
        struct test_cs k;
        struct buf in = {0}, told = {0};
        test_cs_begin(&k);
        test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
        for (int id = 1; id <= 3; id += 2) {
            char talk[100], want[8];
            snprintf(talk, sizeof talk, "1 5 %d %s", id, fault[i][0]);
            snprintf(want, sizeof want, "R%d:1 ", id);
            in.len = told.len = 0;
            test_cs_put(&in, talk);
            CHECK(!cs_take(&k.s, in.data, in.len));
            test_cs_tell(&told, &k.s.out);
            cs_sent(&k.s);
            CHECK(test_cs_is(talk, &told, want) && k.call[id / 2].closed);
            CHECK(!strcmp(k.s.fault, fault[i][1]));
        }
        test_cs_finish(&k);
        mem_fini(&in);
        mem_fini(&told);
    }
}

/* The name of a field in a fault is cut where there is no room. */
static void test_cs_long_fault(void)
{
    struct test_cs k;
    uint8_t list[3 + 127 + 2] = { 0x88, 0, 0x7e };
    struct buf in = {0};
    memset(list + 3, 'Z', 126);
    list[3 + 126] = 0;
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
    test_cs_frame(&in, NGHTTP2_HEADERS, 5, 1, list, 3 + 126 + 1);
    CHECK(!cs_take(&k.s, in.data, in.len) && k.call[0].closed);
    CHECK(strlen(k.s.fault) == CS_FAULT_TEXT - 1);
    test_cs_finish(&k);
    mem_fini(&in);
}

/* Data after the first headers but before the response's are malformed, and so
 * are headers between them and the trailers. */
static void test_cs_order_faults(void)
{
    struct test_cs k;
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0", "S+ ", "ready\n");
    test_cs_say(&k, "0 0 1 'x'", "R1:1 ", "1 close 1\n");
    CHECK(!strcmp(k.s.fault, "data before headers"));
    test_cs_say(&k, "1 4 3 88; 1 4 3 00 01'a' 01'b'", "R3:1 ",
                "3 :status=200\n3 headers\n3 a=b\n3 close 1\n");
    CHECK(!strcmp(k.s.fault, "trailers without END_STREAM"));
    test_cs_finish(&k);
}

/* Leaving sends GOAWAY, unless the session failed; SETTINGS that are not
 * acknowledged in time make it fail. */
static void test_cs_leave_and_ack(void)
{
    for (int ack = 0; ack < 2; ack++) {
        struct test_cs k;
        test_cs_begin(&k);
        test_cs_say(&k, ack ? "4 0 0; 4 1 0" : "4 0 0", "S+ ", "ready\n");
        cs_expect_ack(&k.s);
        CHECK((k.s.failed == 0) == ack);
        if (ack)
            cs_leave(&k.s);
        size_t n = k.s.out.len;
        CHECK(n >= 17 && k.s.out.data[3] == NGHTTP2_GOAWAY);
        CHECK(num_get_be32(k.s.out.data + 13) ==
              (ack ? NGHTTP2_NO_ERROR : NGHTTP2_SETTINGS_TIMEOUT));
        if (!ack) {
            cs_expect_ack(&k.s);
            cs_leave(&k.s);
            CHECK(k.s.out.len == n);    /* once is enough */
        }
        test_cs_finish(&k);
    }
}

/* The debug data of the last GOAWAY is kept, as printable text. */
static void test_cs_goaway(void)
{
    struct buf in = {0};
    struct test_cs k;
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0; 7 0 0 00000003 0000000b 'a' 0a 7f c3a9 '~'", "S+ ",
                "ready\ngoaway\n");
    CHECK(!strcmp(k.s.goaway_text, "a????~") && k.s.goaway_code == 11);
    for (size_t n = 60; n < 70; n++) {
        uint8_t p[8 + 70] = { 0, 0, 0, 3, 0, 0, 0, (uint8_t)n };
        memset(p + 8, 'x', 70);
        in.len = 0;
        test_cs_frame(&in, NGHTTP2_GOAWAY, 0, 0, p, 8 + n);
        CHECK(!cs_take(&k.s, in.data, in.len) && k.s.goaway_code == n);
        CHECK(strlen(k.s.goaway_text) ==
              (n < CS_DEBUG_TEXT ? n : CS_DEBUG_TEXT - 1));
        CHECK(strspn(k.s.goaway_text, "x") == strlen(k.s.goaway_text));
    }
    test_cs_say(&k, "7 0 0 00000001 *4", "", "3 close 7\n");
    CHECK(!*k.s.goaway_text && !k.s.goaway_code && k.s.streams == 1);
    CHECK(!cs_finished(&k.s));
    test_cs_say(&k, "1 5 1 88", "", "1 :status=200\n1 headers\n1 end\n"
                "1 close 0\n");
    CHECK(cs_finished(&k.s));
    test_cs_finish(&k);
    mem_fini(&in);
}

/* The peer's limit on open streams, and the last possible stream number. */
static void test_cs_bounds(void)
{
    struct test_cs k;
    struct test_cs_call more = {0};
    test_cs_begin(&k);
    test_cs_say(&k, "4 0 0 000300000003", "S+ ", "ready\n");
    more.stream.owed = 77;              /* left from an earlier stream */
    CHECK(!test_cs_open(&k.s, &more) && more.id == 5 && !more.stream.owed);
    cs_cancel(&k.s, &k.call[0].stream, 8);
    test_cs_say(&k, "4 0 0 000300000002", "H5 D5:0. R1:8 S+ ", "ready\n");
    CHECK(test_cs_open(&k.s, &k.call[0]) == GP_ESTATE && k.s.streams == 2);
    test_cs_say(&k, "4 0 0 0003ffffffff", "S+ ", "ready\n");
    k.s.next_id = INT32_MAX;
    CHECK(!test_cs_open(&k.s, &k.call[0]) && k.call[0].id == INT32_MAX);
    CHECK(cs_find(&k.s, INT32_MAX) == &k.call[0].stream);
    cs_sent(&k.s);
    test_cs_say(&k, "1 5 7fffffff 88", "", "2147483647 :status=200\n2147483647"
                " headers\n2147483647 end\n2147483647 close 0\n");
    CHECK(test_cs_open(&k.s, &k.call[0]) == GP_ESTATE && k.s.streams == 2);
    test_cs_finish(&k);
}

/* ---- CS: callbacks that close or open streams, and failed allocations ---- */

/* What a callback does to its stream: closes it, and perhaps reopens it. */
static struct test_cs_act { const char *at; bool again; int acts; } test_cs_act;

/* Do it, if this is the place. */
static void test_cs_acts(struct cs *s, struct cs_stream *t, const char *at)
{
    struct test_cs_call *c = test_cs_call_of(t);
    if (strcmp(at, test_cs_act.at) || c->id != 1)
        return;
    test_cs_act.acts++;
    if (t->id)
        cs_cancel(s, t, NGHTTP2_CANCEL);
    if (test_cs_act.again)
        CHECK(!test_cs_open(s, c));
}

/* test_cs_on_header, then test_cs_acts; the next four are alike. */
static void test_cs_act_header(struct cs *s, struct cs_stream *t,
                               struct slice name, struct slice value)
{
    test_cs_on_header(s, t, name, value);
    test_cs_acts(s, t, "header");
}

/* After a list. */
static void test_cs_act_headers(struct cs *s, struct cs_stream *t, bool over)
{
    test_cs_on_headers(s, t, over);
    test_cs_acts(s, t, "headers");
}

/* After DATA. */
static void test_cs_act_data(struct cs *s, struct cs_stream *t,
                             const uint8_t *p, size_t n)
{
    test_cs_on_data(s, t, p, n);
    test_cs_acts(s, t, "data");
}

/* After END_STREAM. */
static void test_cs_act_end(struct cs *s, struct cs_stream *t)
{
    test_cs_on_end(s, t);
    test_cs_acts(s, t, "end");
}

/* After the close: t may be another stream then. */
static void test_cs_act_close(struct cs *s, struct cs_stream *t, uint32_t code,
                              bool by_peer)
{
    test_cs_on_close(s, t, code, by_peer);
    test_cs_acts(s, t, "close");
}

/* If a callback closes its stream, or reopens it as another one, no callbacks
 * for the old one follow; other streams get all of theirs. */
static void test_cs_callbacks(void)
{
    static const struct cs_up up = {
        test_cs_on_ready, test_cs_act_header, test_cs_act_headers,
        test_cs_act_data, test_cs_act_end, test_cs_act_close, test_cs_on_goaway,
    };
    static const struct { const char *at, *talk, *heard, *told; } t[] = {
        { "header", "1 4 1 88 be; 0 1 1 'x'", "", "R1:8 " },
        { "header", "1 5 1 88; 1 5 1 88", "", "R1:8 " },
        { "headers", "1 4 1 88; 0 1 1 'x'", "1 headers\n", "R1:8 " },
        { "headers", "1 5 1 88", "1 headers\n", "R1:8 " },
        { "data", "1 4 1 88; 0 1 1 'x'", "1 headers\n1 data x\n", "R1:8 " },
        { "data", "1 4 1 88; 0 0 1 'x'; 0 1 1 'y'", "1 headers\n1 data x\n",
          "R1:8 " },
        { "end", "1 4 1 88; 0 1 1 'x'", "1 headers\n1 data x\n1 end\n",
          "R1:8 " },
        { "close", "1 4 1 88; 0 1 1 'x'", "1 headers\n1 data x\n1 end\n"
          "1 close 0\n", "" },
        { "close", "1 1 1 88; 9 4 1 00 0a'connection' 00 40 01'a' 01'b'",
          "1 close 1\n", "R1:1 " },
    };
    for (size_t i = 0; i < 2 * sizeof t / sizeof *t; i++) {
        struct test_cs k;
        char heard[200], told[40];
        bool again = i % 2;
        test_cs_act = (struct test_cs_act){ t[i / 2].at, again, 0 };
        test_cs_begin(&k);
        k.s.up = &up;
        test_cs_say(&k, "4 0 0; 1 5 3 88 40 01'x' 01'y'", "S+ ", "ready\n"
                    "3 :status=200\n3 x=y\n3 headers\n3 end\n3 close 0\n");
        snprintf(heard, sizeof heard, "1 :status=200\n%s", t[i / 2].heard);
        snprintf(told, sizeof told, "%s%s", t[i / 2].told,
                 again ? "H5 D5:0. " : "");
        test_cs_say(&k, t[i / 2].talk, told, heard);
        CHECK(test_cs_act.acts == 1 && k.s.streams == again);
        if (again)
            test_cs_say(&k, "1 5 5 88", "", "5 :status=200\n5 headers\n5 end\n"
                        "5 close 0\n");
        test_cs_finish(&k);
    }
}

/* Do all that a session can do, in turn, until something fails. */
static int test_cs_all(struct test_cs *k, struct test_cs_call *call, int n)
{
    static uint8_t body[70000];
    static char wide[20000];
    struct buf in = {0};
    int e = cs_init(&k->s, &k->pool);
    long fuse = mem_fuse;
    mem_fuse = -1;                      /* the test's own do not fail */
    memset(wide, 'w', sizeof wide - 1);
    test_cs_put(&in, test_cs_talk);
    in.len -= CS_HEAD_BYTES + 8;        /* GOAWAY */
    test_cs_put(&in, "4 0 0 000100000000; 8 0 5 00010000; 0 0 5; 3 0 9 *4;"
                "1 4 7 88 40 01'n' 01'1'; 6 0 0 *8; 1 5 7 be 00 01'a' 01'b'");
    mem_reserve(&k->log, 1 << 16);
    mem_fuse = fuse;
    for (int i = 0; !e && i < n; i++) {
        nghttp2_nv nv[] = { test_cs_nv(":method", "POST"),
                            test_cs_nv("wide", wide) };
        call[i].stream.p = body;
        call[i].stream.n = i == 2 ? sizeof body : 10;
        e = i == 3 ? cs_open(&k->s, &call[i].stream, nv, 2, false)
                   : test_cs_open(&k->s, &call[i]);
        call[i].id = call[i].stream.id;
        CHECK(!e == !!call[i].id);
    }
    cs_sent(&k->s);                     /* the peer has heard of all */
    for (size_t at = 0, m = 150; !e && at < in.len; at += m) {
        m = m < in.len - at ? m : in.len - at;
        e = cs_take(&k->s, in.data + at, m);
        (void)cs_pump(&k->s);
        e = e ? e : k->s.failed;
        if (at)
            cs_sent(&k->s);
    }
    if (!e) {
        e = test_cs_open(&k->s, &call[0]);
        CHECK(!e == !!call[0].stream.id);
    }
    mem_fuse = -1;
    mem_fini(&in);
    return e;
}

/* Each failed allocation is reported, and nothing leaks. */
static void test_cs_no_memory(void)
{
    long fuse = 0;
    for (int e = GP_ENOMEM; e && fuse < 1000; fuse++) {
        struct test_cs_call call[8] = {0};
        struct test_cs k = { .s = { .up = &test_cs_up, .list_bytes = 1024 } };
        mem_fuse = fuse;
        e = test_cs_all(&k, call, 8);
        CHECK(e == GP_ENOMEM || e == 0);
        uint32_t open = 0;
        for (int i = 0; i < 8; i++)
            open += call[i].stream.id != 0;
        CHECK(open == k.s.streams);
        struct cs_stream *t = NULL;
        for (uint32_t at = 0; (t = cs_next(&k.s, t, &at)); )
            cs_forget(&k.s, t);
        CHECK(e || (call[0].closed == 0 && call[1].closed == 1));
        test_cs_finish(&k);
    }
    CHECK(fuse > 20 && fuse < 1000);
}
