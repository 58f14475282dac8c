/* Answers about expressions and texts on stdin, for beside_re2.py, which asks
 * RE2 the same.  A record: the length of an expression, the number of texts, the
 * expression, and for each text its length and the text; lengths are
 * little-endian, 32 bits.  An answer is a line: "R why" where the expression is
 * refused, otherwise M (matches), N (does not) or ? (gave up) for each text. */
#include <endian.h>

/* Read n bytes, which the caller frees, with a zero after them. */
static char *unit_read(size_t n)
{
    char *p = calloc(1, n + 1);
    if (!p || fread(p, 1, n, stdin) != n)
        exit(1);
    return p;
}

static size_t unit_read_length(void)
{
    uint32_t n;
    if (fread(&n, sizeof n, 1, stdin) != 1)
        exit(1);
    return le32toh(n);
}

static int unit_expressions(void)
{
    for (int c; (c = getchar()) != EOF; ) {
        struct re re;
        struct gp_why why = {0};
        ungetc(c, stdin);
        size_t len = unit_read_length(), texts = unit_read_length();
        char *text = unit_read(len);
        int e = re_init(&re, "it", text, &why);
        for (char *p = why.text; *p; p++)
            *p = *p == '\n' || *p == '\r' ? ' ' : *p;
        if (e)
            printf("R %s", why.text);
        free(text);
        for (; texts > 0; texts--) {
            text = unit_read(len = unit_read_length());
            bool yes = !e && re_matches(&re, (struct slice){ text, len });
            if (!e)
                putchar(re_gave_up(&re) ? '?' : yes ? 'M' : 'N');
            free(text);
        }
        putchar('\n');
        re_fini(&re);
    }
    return 0;
}
