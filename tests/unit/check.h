/* check.h -- CHECK, and what runs a list of tests. */
static unsigned unit_passed, unit_failed, unit_bad;
static const char *unit_name;

#define CHECK(cond)                                                           \
    do {                                                                      \
        if (!(cond) && !unit_bad++)                                           \
            printf("FAIL %s: %s:%d: %s\n", unit_name, __FILE__, __LINE__,     \
                   #cond);                                                    \
    } while (0)

#define TEST(name) { #name, test_##name }

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* Run those of n tests whose names hold only; return the status to exit with. */
static __attribute__((unused)) int unit_all(const struct unit_test *t, size_t n,
                                            const char *only)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < n; i++) {
        unit_name = t[i].name;
        if (!strstr(unit_name, only))
            continue;
        unit_bad = 0;
        t[i].run();
        unit_failed += unit_bad > 0;
        unit_passed += !unit_bad;
        if (!unit_bad)
            printf("ok   %s\n", unit_name);
    }
    printf("%u passed, %u failed, 0 skipped\n", unit_passed, unit_failed);
    return unit_failed > 0;
}
