/* make.c -- profiles made for tests. */

/* An empty profile with samples/count and cpu/nanoseconds, 1 kHz. */
static void unit_profile(struct pp *p)
{
    *p = (struct pp){ .period = 1000000 };
    pp_add_type(p, txt_slice("samples"), txt_slice("count"));
    pp_add_type(p, txt_slice("cpu"), txt_slice("nanoseconds"));
    p->period_type = p->type[1];
}

/* Add a mapping of file at start; its row. */
static uint32_t unit_mapping(struct pp *p, const char *file, uint64_t start)
{
    struct pp_mapping *m = PP_NEW(p, mapping);
    m->file = txt_slice(file);
    m->start = start;
    m->limit = start + 0x10000;
    m->offset = 0x1000;
    return (uint32_t)p->nmappings - 1;
}

/* Add a location in mapping whose lines, innermost first, are the functions
 * in names, separated by commas; none for "".  Its row. */
static uint32_t unit_location(struct pp *p, uint32_t mapping, uint64_t address,
                              const char *names)
{
    struct pp_location *l = PP_NEW(p, location);
    l->mapping = mapping;
    l->address = address;
    l->line = (uint32_t)p->nlines;
    while (*names) {
        size_t n = strcspn(names, ",");
        struct pp_function *f = PP_NEW(p, function);
        f->name = (struct slice){ mem_arena_dup(&p->arena, names, n), n };
        struct pp_line *k = PP_NEW(p, line);
        k->function = (uint32_t)p->nfunctions - 1;
        l->nlines++;
        names += n + (names[n] == ',');
    }
    return (uint32_t)p->nlocations - 1;
}

/* Add count samples of 1 ms each at the stack a b c, leaf first; MEM_NONE ends
 * it early. */
static void unit_sample(struct pp *p, int64_t count, uint32_t a, uint32_t b,
                        uint32_t c)
{
    uint32_t stack[] = { a, b, c };
    int64_t value[] = { count, count * 1000000 };
    size_t n = a == MEM_NONE ? 0 : b == MEM_NONE ? 1 : c == MEM_NONE ? 2 : 3;
    pp_add_sample(p, stack, n, value, NULL, 0);
}
