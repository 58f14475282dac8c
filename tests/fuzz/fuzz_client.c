/* fuzz_client.c -- a client's HTTP/2 session on what libFuzzer makes of a
 * server's talk.
 *
 *   fuzz-client [libFuzzer's options] FOLDER...
 *   fuzz-client seeds FOLDER            write what to begin with into it
 *
 * The first bytes of an input decide how the rest is cut, what callbacks do and
 * when the session's output is taken; the rest is the talk.  Streams that are
 * open are those that on_close has not told of, whatever comes.
 */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main
#include "../unit/cs_talk.c"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { FUZZ_CALLS = 24, FUZZ_CHOICES = 16, FUZZ_BODY = 1 << 17 };

/* Stop where what must hold does not. */
#define MUST(cond) ((cond) ? (void)0 : fuzz_stop(#cond, __LINE__))

struct fuzz_call {
    struct cs_stream stream;
    int32_t id;                         /* 0: not open */
    size_t left;                        /* of the body, not given to it yet */
    bool ended, headed;                 /* on_end, on_headers came */
};

struct fuzz {
    struct cs s;
    struct pool pool;
    struct fuzz_call call[FUZZ_CALLS];
    uint8_t choice[FUZZ_CHOICES];
    uint32_t turn, open;                /* choices made; streams */
    bool goaway;
};

static uint8_t fuzz_body[FUZZ_BODY];
static struct fuzz fuzz;

/* Say what does not hold, and stop. */
static void fuzz_stop(const char *what, int line)
{
    fprintf(stderr, "fuzz_client.c:%d: %s\n", line, what);
    abort();
}

/* The next choice of the input, below most. */
static uint32_t fuzz_choose(uint32_t most)
{
    uint32_t turn = fuzz.turn++;
    return (fuzz.choice[turn % FUZZ_CHOICES] + turn / FUZZ_CHOICES) % most;
}

/* Open a stream where there is room for one. */
static void fuzz_open(void)
{
    static const nghttp2_nv nv[] = {
        { (uint8_t *)(uintptr_t)":method", (uint8_t *)(uintptr_t)"POST", 7, 4,
          0 },
        { (uint8_t *)(uintptr_t)":path", (uint8_t *)(uintptr_t)"/a.B/C", 5, 6,
          0 },
    };
    struct fuzz_call *c = &fuzz.call[fuzz_choose(FUZZ_CALLS)];
    if (c->id)
        return;
    uint32_t how = fuzz_choose(4);
    *c = (struct fuzz_call){ .left = how == 3 ? FUZZ_BODY : 0 };
    c->stream.p = fuzz_body;
    c->stream.n = how == 1 ? 7 : how == 2 ? FUZZ_BODY : 0;
    c->stream.more = how == 3;
    int e = cs_open(&fuzz.s, &c->stream, nv, 2, fuzz_choose(2));
    MUST(!e || e == GP_ESTATE);
    MUST(e || (!fuzz.goaway && c->stream.id > 0));
    c->id = e ? 0 : c->stream.id;
    fuzz.open += !e;
}

/* Give up the stream of c. */
static void fuzz_cancel(struct fuzz_call *c)
{
    cs_cancel(&fuzz.s, &c->stream, NGHTTP2_CANCEL);
    MUST(!c->stream.id && c->id);
    c->id = 0;
    fuzz.open--;
}

/* What a callback does: nothing, open, give up its own or another stream, tell
 * of more to send. */
static void fuzz_act(struct cs_stream *t)
{
    struct fuzz_call *c = &fuzz.call[fuzz_choose(FUZZ_CALLS)];
    size_t n = c->left < 9000 ? c->left : 9000;
    switch (fuzz_choose(8)) {
    case 0: case 1: fuzz_open(); break;
    case 2: if (t && t->id) fuzz_cancel(MEM_OF(t, struct fuzz_call, stream));
            break;
    case 3: if (c->id) fuzz_cancel(c); break;
    case 4: if (c->id && c->stream.more) {
                c->stream.n += n;
                c->left -= n;
                c->stream.more = c->left > 0;
                cs_resume(&fuzz.s, &c->stream);
            }
            break;
    default: break;
    }
}

/* The call that t is, which is open. */
static struct fuzz_call *fuzz_call_of(struct cs *s, struct cs_stream *t)
{
    struct fuzz_call *c = MEM_OF(t, struct fuzz_call, stream);
    MUST(s == &fuzz.s && t->id && c->id == t->id && !c->ended);
    return c;
}

/* SETTINGS came. */
static void fuzz_on_ready(struct cs *s)
{
    MUST(s->greeted);
    fuzz_act(NULL);
}

/* GOAWAY came, once. */
static void fuzz_on_goaway(struct cs *s)
{
    MUST(s->goaway && !fuzz.goaway);
    fuzz.goaway = true;
    fuzz_act(NULL);
}

/* A header that HTTP/2 allows. */
static void fuzz_on_header(struct cs *s, struct cs_stream *t, struct slice name,
                           struct slice value)
{
    static volatile uint8_t sum;        /* every byte can be read */
    (void)fuzz_call_of(s, t);
    for (size_t i = 0; i < name.n; i++) {
        MUST(name.p[i] < 'A' || name.p[i] > 'Z');
        MUST(name.p[i] != ':' || i == 0);
    }
    for (size_t i = 0; i < value.n; i++)
        sum = (uint8_t)(sum + (uint8_t)value.p[i]);
    MUST(name.n > 0 && (name.p[0] != ':' || !t->begun));
    fuzz_act(t);
}

/* The end of a list. */
static void fuzz_on_headers(struct cs *s, struct cs_stream *t, bool over)
{
    (void)over;
    fuzz_call_of(s, t)->headed = true;
    fuzz_act(t);
}

/* DATA, after a list. */
static void fuzz_on_data(struct cs *s, struct cs_stream *t, const uint8_t *p,
                         size_t n)
{
    MUST(fuzz_call_of(s, t)->headed && p && n && n <= CS_FRAME_BYTES);
    fuzz_act(t);
}

/* END_STREAM, once. */
static void fuzz_on_end(struct cs *s, struct cs_stream *t)
{
    struct fuzz_call *c = fuzz_call_of(s, t);
    MUST(c->headed);
    c->ended = true;
    fuzz_act(t);
}

/* The end of a stream that is open, with a reason. */
static void fuzz_on_close(struct cs *s, struct cs_stream *t, uint32_t code,
                          bool by_peer)
{
    struct fuzz_call *c = MEM_OF(t, struct fuzz_call, stream);
    MUST(s == &fuzz.s && !t->id && c->id);
    MUST(!cs_find(s, c->id) && (c->ended || code || by_peer));
    c->id = 0;
    fuzz.open--;
    fuzz_act(t);
}

static const struct cs_up fuzz_up = {
    fuzz_on_ready, fuzz_on_header, fuzz_on_headers, fuzz_on_data, fuzz_on_end,
    fuzz_on_close, fuzz_on_goaway,
};

/* The streams are those that are open, and each is found. */
static void fuzz_check(void)
{
    uint32_t open = 0, walked = 0, at = 0;
    struct cs_stream *t = NULL;
    for (int i = 0; i < FUZZ_CALLS; i++) {
        struct fuzz_call *c = &fuzz.call[i];
        open += c->id != 0;
        MUST(c->stream.id == c->id);
        MUST(!c->id || cs_find(&fuzz.s, c->id) == &c->stream);
        MUST(!c->id || c->stream.window <= INT32_MAX || fuzz.s.failed);
        MUST(c->id <= fuzz.s.goaway_id || fuzz.s.failed);
    }
    while ((t = cs_next(&fuzz.s, t, &at)))
        walked++;
    MUST(open == fuzz.open && open == fuzz.s.streams && walked == open);
    MUST(fuzz.s.window >= 0 && fuzz.s.part.len <= CS_HEAD_BYTES +
                               CS_FRAME_BYTES);
    MUST(fuzz.s.failed == 0 || fuzz.s.failed == GP_EFORMAT);
}

/* What is to be sent is whole frames of no more than 16384 bytes, and taken. */
static void fuzz_drain(void)
{
    const struct buf *out = &fuzz.s.out;
    size_t at = 0;
    (void)cs_pump(&fuzz.s);
    if (out->len && out->data[0] == 'P')
        at = CS_PREFACE_BYTES;
    while (at < out->len) {
        MUST(out->len - at >= CS_HEAD_BYTES);
        uint32_t n = cs_frame_bytes(out->data + at);
        MUST(n <= CS_FRAME_BYTES && n <= out->len - at - CS_HEAD_BYTES);
        at += CS_HEAD_BYTES + n;
    }
    cs_sent(&fuzz.s);
}

/* Make the lengths and stream numbers of the frames in the n bytes at p small,
 * so that more of what libFuzzer does reaches what is in the frames. */
static void fuzz_mend(uint8_t *p, size_t n)
{
    while (n >= CS_HEAD_BYTES) {
        size_t k = p[2] < n - CS_HEAD_BYTES ? p[2] : n - CS_HEAD_BYTES;
        p[0] = p[1] = 0;
        p[2] = (uint8_t)k;
        p[3] %= 11;
        p[5] = p[6] = p[7] = 0;
        p += CS_HEAD_BYTES + k;
        n -= CS_HEAD_BYTES + k;
    }
}

/* Write the seed text, as raw and as mended talk, into folder. */
static void fuzz_seed(const char *folder, const char *name, const char *text)
{
    struct buf b = {0};
    char path[4096];
    test_cs_put(&b, text);
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t choice[FUZZ_CHOICES + 1] = { [2] = 5, [6] = 4, [9] = 7 };
        choice[0] = i;
        snprintf(path, sizeof path, "%s/%s%d", folder, name, i);
        FILE *f = fopen(path, "w");
        if (!f || fwrite(choice, sizeof choice, 1, f) != 1 ||
            fwrite(b.data, b.len, 1, f) != 1 || fclose(f))
            abort();
    }
    mem_fini(&b);
}

/* With "seeds" write them and exit. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc != 3 || strcmp((*argv)[1], "seeds"))
        return 0;
    const char *to = (*argv)[2];
    fuzz_seed(to, "talk", test_cs_talk);
    fuzz_seed(to, "windows", "4 0 0 000400000005 000100000000; 8 0 0 00010000;"
              "8 0 1 00000100; 4 0 0 000400100000; 8 0 3 00001000;"
              "4 0 0 000400000000 000300000001; 6 0 0 *8; 6 1 0 *8");
    fuzz_seed(to, "ends", "4 0 0; 3 0 1 00000008; 1 4 3 08 03'100'; 1 5 3 88;"
              "1 4 5 88 0f0d01'5'; 0 9 5 01 'abcde' 00; 7 0 0 00000007 *4;"
              "7 0 0 00000005 *4 'bye'");
    fuzz_seed(to, "hpack", "4 0 0; 1 4 1 88 40 01'x' 01'y'; 1 5 1 be;"
              "1 4 3 88 be; 1 4 3 3fe11f 88 be; 1 0 5 88; 9 0 5 10 02'ab';"
              "9 4 5 82 0b62; 1 4 5 88 be; 1 5 5 be");
    exit(0);
}

/* A session with one input, from its beginning to its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n <= FUZZ_CHOICES + 1)
        return 0;
    fuzz = (struct fuzz){ .s = { .up = &fuzz_up, .list_bytes = 256 } };
    memcpy(fuzz.choice, data + 1, FUZZ_CHOICES);
    bool mend = data[0] & 1, cut = data[0] & 2, lazy = data[0] & 4;
    data += FUZZ_CHOICES + 1;
    n -= FUZZ_CHOICES + 1;
    uint8_t *talk = malloc(n);
    memcpy(talk, data, n);
    if (mend)
        fuzz_mend(talk, n);
    MUST(!cs_init(&fuzz.s, &fuzz.pool));
    for (int i = 0; i < 6; i++)
        fuzz_open();
    fuzz_drain();                       /* the server has heard of them */
    for (size_t at = 0, k; at < n; at += k) {
        k = cut ? 1 + fuzz_choose(60) : n;
        k = k < n - at ? k : n - at;
        uint8_t *part = malloc(k);      /* so that ASan knows its end */
        memcpy(part, talk + at, k);
        int e = cs_take(&fuzz.s, part, k);
        MUST(e == fuzz.s.failed);
        free(part);
        fuzz_check();
        MUST(fuzz.s.out.len < 2 * CS_OUT_BYTES + 100 * n);
        if (!lazy || fuzz_choose(4) == 0)
            fuzz_drain();
    }
    fuzz_drain();
    cs_fini(&fuzz.s);
    mem_pool_fini(&fuzz.pool);
    free(talk);
    return 0;
}
