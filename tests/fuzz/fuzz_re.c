/* fuzz_re.c -- regular expressions on what libFuzzer makes of expressions.
 *
 *   fuzz-re [libFuzzer's options] FOLDER...
 *
 * An input is an expression, a zero byte and a text.  The expression is refused
 * with GP_EUSAGE and a message, or its program is within the limits and sound,
 * and matches the text as it does when it is written in two other ways.
 */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { FUZZ_STEPS = 400000 };           /* not RE_MOST_STEPS, half a second */

/* Stop if r's program leaves itself or its ranges, or is past a limit. */
static void fuzz_check(const struct re *r)
{
    if (r->nstates > RE_MOST_STATES || r->nranges > RE_MOST_RANGES ||
        !r->nstates || r->state[r->nstates - 1].op != RE_MATCH)
        abort();
    for (size_t i = 0; i < r->nstates; i++) {
        const struct re_state *s = &r->state[i];
        int64_t to = (int64_t)i + s->to, first = s->to;
        if ((s->op == RE_SPLIT || s->op == RE_JUMP) &&
            (to < 0 || to >= (int64_t)r->nstates))
            abort();
        if (s->op == RE_SET && first + s->n > (int64_t)r->nranges)
            abort();
        for (size_t k = 0; s->op == RE_SET && k < s->n; k++) {
            const struct re_range *g = &r->range[s->to] + k;
            if (g->from > g->to || g->to > RE_LAST_CHAR ||
                (k && g->from <= g[-1].to))
                abort();
        }
    }
}

/* True, false, or -1: it is refused, or gives up. */
static int fuzz_match(const char *expression, struct slice text, bool valid)
{
    struct re r;
    struct gp_why why = {0};
    int yes = -1, e = re_init(&r, "it", expression, &why);
    if (!e) {
        fuzz_check(&r);
        r.run->steps = FUZZ_STEPS;
        yes = re_matches(&r, text);
        if (re_matches(&r, text) != yes && !re_gave_up(&r))
            abort();                    /* it keeps nothing of the first */
        if (re_gave_up(&r))
            yes = -1;
    } else if (e != GP_EUSAGE || !*why.text ||
               (valid && !strstr(why.text, "too large") &&
                !strstr(why.text, "expression over") &&
                !strstr(why.text, "two groups"))) {
        fprintf(stderr, "%s\n", why.text);
        abort();
    }
    re_fini(&r);
    return yes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *zero = n ? memchr(data, 0, n) : NULL;
    size_t len = zero ? (size_t)(zero - data) : n;
    struct buf e = {0}, other = {0};
    mem_put(&e, data, len);
    mem_put(&e, "", 1);
    const char *text = (const char *)e.data;
    struct slice s = { (const char *)data + len + (zero != NULL),
                       n - len - (zero != NULL) };
    int yes = fuzz_match(text, s, false);
    if (yes >= 0) {
        /* A \Q without its \E would take what follows for text. */
        const char *end = strstr(text, "\\Q") ? "" : ")";
        txt_putf(&other, "^(?s:.)*%s%s%s", *end ? "(?:" : "", text, end);
        mem_put(&other, "", 1);
        if (*end) {
            int same = fuzz_match((const char *)other.data, s, true);
            if (same >= 0 && same != yes)
                abort();
            other.len = 0;
            txt_putf(&other, "(?:%s)|[^\\x{0}-\\x{10ffff}]", text);
            mem_put(&other, "", 1);
            same = fuzz_match((const char *)other.data, s, true);
            if (same >= 0 && same != yes)
                abort();
        }
    }
    mem_fini(&e);
    mem_fini(&other);
    return 0;
}
