/* big.c -- a large profile, as of a fleet of servers, for `make bench-report`.
 *
 *   big MIB >FILE      a gzip'd profile.proto of MIB MiB inflated, the same one
 *                      in every run: 60,000 functions in 40 packages of
 *                      hundreds of services, 200,000 locations, stacks of up to
 *                      100 frames, labels for thread and endpoint, and for one
 *                      sample in 16 that of a traced request
 *
 * A call site calls one function, one in four those of a library, which has a
 * few call sites of its own, the first of them the most likely.  The calls form
 * a tree: most continue the path made last, the others branch off any path, and
 * a sample is the path from a call to the root, that of an older call the more
 * likely.  So stacks share their callers and come again, as in real profiles.
 * What a stack calls from its ENTRY-th frame on decides its endpoint: pprof
 * keeps the labels of each function's samples apart. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FUNCTIONS = 60000, LOCATIONS = 200000, THREADS = 64, ENDPOINTS = 300,
       CALLS = 200000, ROOTS = 8, DEPTH = 100, ENTRY = 5, TRACED = 16,
       SPANS = 20000,
       LIBRARY = 2000 };                /* functions that most others call */

struct out {
    uint8_t data[4096];                 /* a message, before it is written */
    size_t n;
};

static gzFile big_file;
static uint64_t big_rng = 1;
static size_t big_made, big_strings;    /* bytes and strings written */

/* Return a number below n: xorshift64*. */
static uint32_t below(uint32_t n)
{
    big_rng ^= big_rng >> 12;
    big_rng ^= big_rng << 25;
    big_rng ^= big_rng >> 27;
    return (uint32_t)((big_rng * 0x2545f4914f6cdd1du >> 33) % n);
}

/* Return a number below n that i decides. */
static uint32_t hash(uint32_t i, uint32_t n)
{
    uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 31) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((h ^ h >> 29) >> 20) % n;
}

/* Append a varint to o. */
static void varint(struct out *o, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        o->data[o->n++] = (uint8_t)(v | 0x80);
    o->data[o->n++] = (uint8_t)v;
}

/* Append field number, a varint. */
static void number(struct out *o, uint32_t field, uint64_t v)
{
    varint(o, field << 3);
    varint(o, v);
}

/* Append field number with the n bytes at p. */
static void bytes(struct out *o, uint32_t field, const void *p, size_t n)
{
    varint(o, field << 3 | 2);
    varint(o, n);
    memcpy(o->data + o->n, p, n);
    o->n += n;
}

/* Write field number of the profile with the message m, and empty it. */
static void put(uint32_t field, struct out *m)
{
    static struct out o;
    o.n = 0;
    bytes(&o, field, m->data, m->n);
    if (gzwrite(big_file, o.data, (unsigned)o.n) != (int)o.n) {
        fprintf(stderr, "big: cannot write\n");
        exit(1);
    }
    big_made += o.n;
    m->n = 0;
}

/* Write text to the string table; return its number. */
static uint64_t string(const char *text)
{
    struct out o = {0};
    o.n = strlen(text);
    memcpy(o.data, text, o.n);
    put(6, &o);
    return big_strings++;
}

/* Write a sample type or, as field 11, the period's. */
static void type(uint32_t field, uint64_t name, uint64_t unit)
{
    struct out o = {0};
    number(&o, 1, name);
    number(&o, 2, unit);
    put(field, &o);
}

/* Write function i with strings of its own. */
static void function(uint32_t i)
{
    static const char *const package[] = {
        "cart", "catalog", "payment", "shipping", "search", "ranking", "user",
        "session", "ledger", "fraud", "mail", "quota", "image", "feature" };
    static const char *const verb[] = {
        "Get", "Put", "List", "Merge", "Validate", "Encode", "Resolve",
        "Fetch", "Apply", "Render", "Compare" };
    static uint64_t file;
    char text[160];
    struct out o = {0};
    uint32_t service = hash(i / 200, 14);
    if (i % 5 == 0) {
        snprintf(text, sizeof text, "/build/shop/%s/internal/part%u/file%u.go",
                 package[service], i / 200, i / 5);
        file = string(text);
    }
    snprintf(text, sizeof text,
             "example.com/shop/%s/internal/part%u.(*%sHandler%u).%sItem%u",
             package[service], i / 200, package[hash(i / 20, 14)],
             i / 20 % 10, verb[hash(i, 11)], i);
    uint64_t name = string(text);
    number(&o, 1, i + 1);
    number(&o, 2, name);
    number(&o, 3, name);
    number(&o, 4, file);
    number(&o, 5, 10 + hash(i, 2000));
    put(5, &o);
}

/* Write location i: a call site in a function. */
static void location(uint32_t i)
{
    struct out o = {0}, line = {0};
    uint32_t f = (uint32_t)((uint64_t)i * FUNCTIONS / LOCATIONS);
    number(&line, 1, f + 1);
    number(&line, 2, 10 + hash(f, 2000) + 7 * (i % 4));
    number(&o, 1, i + 1);
    number(&o, 2, 1);
    number(&o, 3, 0x400000 + 64 * (uint64_t)i);
    bytes(&o, 4, line.data, line.n);
    put(4, &o);
}

/* Return a call site in the function that call site i calls. */
static uint32_t callee(uint32_t i)
{
    bool library = i < LIBRARY * 3 ? hash(i, 10) : !hash(i, 4);
    uint64_t f = hash(i, library ? LIBRARY : FUNCTIONS);
    f = library ? f * f / LIBRARY * f / LIBRARY : f;    /* few are hot */
    uint32_t from = (uint32_t)((f * LOCATIONS + FUNCTIONS - 1) / FUNCTIONS);
    uint32_t to = (uint32_t)(((f + 1) * LOCATIONS + FUNCTIONS - 1) / FUNCTIONS);
    uint32_t which = below(100);        /* the first is the most likely */
    return from + (which < 70 ? 0 : which < 90 ? 1 : which % (to - from));
}

/* Choose a stack, leaf first; return its depth, at most DEPTH. */
static uint32_t choose(uint32_t *stack)
{
    static struct { uint32_t caller, site, depth; } call[CALLS];
    for (uint32_t i = 0; !call[CALLS - 1].depth && i < CALLS; i++) {
        uint32_t of = i && below(6) && call[i - 1].depth < DEPTH ? i - 1
                    : i ? below(i) : 0;
        while (i >= ROOTS && call[of].depth == DEPTH)
            of = call[of].caller;
        call[i].caller = i < ROOTS ? i : of;
        call[i].site = i < ROOTS ? i : callee(call[of].site);
        call[i].depth = i < ROOTS ? 1 : call[of].depth + 1;
    }
    uint32_t at = below(below(CALLS) + 1), depth = call[at].depth;
    for (uint32_t k = 0; k < depth; k++, at = call[at].caller)
        stack[k] = call[at].site;
    return depth;
}

/* Write a label of a sample to o: field 2 is a text, 3 a number. */
static void label(struct out *o, uint64_t key, uint32_t field, uint64_t v)
{
    struct out l = {0};
    number(&l, 1, key);
    number(&l, field, v);
    bytes(o, 3, l.data, l.n);
}

int main(int argc, char **argv)
{
    static const char *const text[] = { "", "samples", "count", "cpu",
        "nanoseconds", "thread", "endpoint", "span id",
        "/srv/shop/bin/shop" };
    struct out o = {0}, part = {0};
    char name[64];
    uint64_t thread[THREADS], endpoint[ENDPOINTS];
    size_t most = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
    big_file = most ? gzdopen(1, "wb1") : NULL;     /* Go's level, too */
    if (!big_file) {
        fprintf(stderr, "usage: big MIB >FILE\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        string(text[i]);
    type(1, 1, 2);
    type(1, 3, 4);
    type(11, 3, 4);
    part.n = 0;
    number(&o, 1, 1);
    number(&o, 2, 0x400000);
    number(&o, 3, 0x4000000);
    number(&o, 5, 8);
    number(&o, 7, 1);
    put(3, &o);
    for (uint32_t i = 0; i < THREADS; i++) {
        snprintf(name, sizeof name, "worker-%u", i);
        thread[i] = string(name);
    }
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        snprintf(name, sizeof name, "/shop.v1.Service%u/Method%u", i / 12, i);
        endpoint[i] = string(name);
    }
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        function(i);
    for (uint32_t i = 0; i < LOCATIONS; i++)
        location(i);
    while (big_made < most) {
        uint32_t stack[DEPTH], depth = choose(stack);
        uint32_t count = 1 + (below(8) ? 0 : below(20));
        for (uint32_t k = 0; k < depth; k++)
            varint(&part, stack[k] + 1);
        bytes(&o, 1, part.data, part.n);
        part.n = 0;
        varint(&part, count);
        varint(&part, (uint64_t)count * 10000000);
        bytes(&o, 2, part.data, part.n);
        part.n = 0;
        label(&o, 5, 2, thread[below(THREADS)]);
        if (depth > ENTRY)
            label(&o, 6, 2, endpoint[hash(stack[depth - ENTRY], ENDPOINTS)]);
        if (below(TRACED) == 0)
            label(&o, 7, 3, 1000000007 * (1 + (uint64_t)below(SPANS)));
        put(2, &o);
    }
    number(&part, 12, 10000000);        /* period; then duration */
    number(&part, 10, 60000000000);
    if (gzwrite(big_file, part.data, (unsigned)part.n) != (int)part.n ||
        gzclose(big_file) != Z_OK) {
        fprintf(stderr, "big: cannot write\n");
        return 1;
    }
    return 0;
}
