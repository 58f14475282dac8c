/* unit.c -- unit tests; grpcprof.c is included whole, so that they see all of
 * it.  Prints "ok   name" or "FAIL name: why", and closes with one line of
 * counts.  An argument runs only the tests whose names hold it; "-expressions"
 * answers about expressions instead, see re.c. */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main

#include <search.h>

static unsigned unit_passed, unit_failed, unit_bad;
static const char *unit_name;

#define CHECK(cond)                                                           \
    do {                                                                      \
        if (!(cond) && !unit_bad++)                                           \
            printf("FAIL %s: %s:%d: %s\n", unit_name, __FILE__, __LINE__,     \
                   #cond);                                                    \
    } while (0)

#include "unw.c"
#include "base.c"
#include "profile.c"
#include "elf.c"
#include "import.c"
#include "net.c"
#include "cs.c"
#include "report.c"
#include "re.c"

#define TEST(name) { #name, test_##name }

static const struct {
    const char *name;
    void (*run)(void);
} unit_tests[] = {
#include "list.h"
};

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    if (!strcmp(only, "-expressions"))
        return unit_expressions();
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof unit_tests / sizeof *unit_tests; i++) {
        unit_name = unit_tests[i].name;
        if (!strstr(unit_name, only))
            continue;
        unit_bad = 0;
        unit_tests[i].run();
        unit_failed += unit_bad > 0;
        unit_passed += !unit_bad;
        if (!unit_bad)
            printf("ok   %s\n", unit_name);
    }
    printf("%u passed, %u failed, 0 skipped\n", unit_passed, unit_failed);
    return unit_failed > 0;
}
