/* Messages to and from JSON, for tests/load/mapping.py, which asks protobuf the
 * same.  The first record is a FileDescriptorSet.  Then three records a case: "E"
 * or "D", the full name of a type, and JSON (E) or a message (D).  A record is
 * its length, little-endian, 32 bits, and its bytes.  An answer is a line: "W"
 * and the message in hexadecimal, "J" and JSON, or "E" and the error. */

/* Answer for one case of set d. */
static void unit_message(const struct dsc *d, char kind, struct slice type,
                         struct slice text)
{
    const struct dsc_symbol *s = dsc_symbol(d, type);
    struct gp_why why = {{0}};
    struct js_value v;
    struct buf b = {0};
    int e = !s ? GP_EUSAGE : kind == 'D' ? pj_decode(d, s, text, &b)
          : js_read(text, &v, &why);
    if (!e && kind == 'E')
        e = pj_encode(d, s, &v, &b, &why);
    printf("%c ", e ? 'E' : kind == 'D' ? 'J' : 'W');
    if (e || kind == 'D')
        printf("%.*s", e ? (int)strcspn(why.text, "\n") : (int)b.len,
               e ? why.text : b.len ? (char *)b.data : "");
    for (size_t i = 0; !e && kind == 'E' && i < b.len; i++)
        printf("%02x", b.data[i]);
    putchar('\n');
    mem_fini(&b);
}

/* Answer for the cases on stdin. */
static int unit_messages(void)
{
    struct gp_why why = {{0}};
    struct dsc d;
    size_t n = unit_read_length();
    char *set = unit_read(n);
    int e = dsc_init(&d, (struct slice){ set, n }, &why);
    if (e)
        printf("E %s\n", why.text);
    for (int c; !e && (c = getchar()) != EOF; ) {
        ungetc(c, stdin);
        struct slice part[3];
        for (int i = 0; i < 3; i++) {
            part[i].n = unit_read_length();
            part[i].p = unit_read(part[i].n);
        }
        unit_message(&d, *part[0].p, part[1], part[2]);
        for (int i = 0; i < 3; i++)
            free((char *)part[i].p);
    }
    dsc_fini(&d);
    free(set);
    return e != 0;
}
