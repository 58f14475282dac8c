/* unit.c -- unit tests; grpcprof.c is included whole, so that they can call its
 * static functions.  Prints "ok   name" or "FAIL name: why", then one line of
 * counts.  An argument runs only the tests whose names contain it; arguments
 * -expressions and -messages answer questions instead: see re.c and json.c. */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main

#include <sched.h>
#include <search.h>
#include <sys/mount.h>

#include "check.h"
#include "unw.c"
#include "base.c"
#include "profile.c"
#include "elf.c"
#include "import.c"
#include "net.c"
#include "msgs.c"
#include "cs.c"
#include "make.c"
#include "phases.c"
#include "report.c"
#include "re.c"
#include "json.c"
#include "perf.c"

static const struct unit_test unit_tests[] = {
#include "list.h"
};

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    if (!strcmp(only, "-expressions"))
        return unit_expressions();
    if (!strcmp(only, "-messages"))
        return unit_messages();
    return unit_all(unit_tests, sizeof unit_tests / sizeof *unit_tests, only);
}
