/* unw_main.c -- the unwinder's unit tests alone, in a program that needs nothing
 * but libc: cross-built for arm64 and run by qemu-aarch64.  Not linked static:
 * such a program has no .eh_frame_hdr. */
#define GRPCPROF_AGENT
#define GRPCPROF_ONLY_UNW
#include "../../grpcprof.c"

#include "check.h"
#include "unw.c"

static const struct unit_test unit_tests[] = {
#include "unw_list.h"
};

int main(int argc, char **argv)
{
    return unit_all(unit_tests, sizeof unit_tests / sizeof *unit_tests,
                    argc > 1 ? argv[1] : "");
}
