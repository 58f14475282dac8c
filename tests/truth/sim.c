/* sim.c -- how often are equal programs called different, and how often do
 * intervals cover the truth?  Simulated profiles of programs with phases are
 * read by the functions that report uses.  sim [PAIRS [SEED]] prints a table,
 * and exits 1 if a limit is broken. */
#define main grpcprof_main
#include "../../grpcprof.c"
#undef main

#include "../unit/check.h"
#include "../unit/make.c"
#include "../unit/phases.c"

enum { SIM_MS = 10000 };                /* of a window */

static const struct phases sim_programs[] = {
    { "two phases", 2, { { 1, 0 }, { 0, 1 } }, 0.5, false },
    { "two, 1 to 4", 2, { { 1, 0 }, { 0, 1 } }, 0.2, false },
    { "eight, mixed", 8, { { .40, .20, .10, .10, .08, .06, .04, .02 },
                           { .20, .10, .20, .15, .10, .10, .10, .05 } },
      0.5, false },
    { "eight, apart", 8, { { .5, .3, .15, .05 }, { 0, 0, 0, 0, .5, .3, .15,
                                                  .05 } }, 0.5, false },
    { "eight, rare", 8, { { .55, .20, .10, .10, .03, .01, .008, .002 },
                          { .65, .25, .05, .04, .005, .004, .0008, .0002 } },
      0.3, false },
};

/* True if k / n is at most `most`; where n is small, chance may add to it. */
static bool sim_at_most(int k, int n, double most)
{
    double chance = n < 100 ? 2.33 * sqrt(most * (1 - most) * n) + 0.5 : 0;
    return k <= most * n + chance;
}

/* Draw pairs of c whose phases are dwell_ms long, print a line; true if the
 * limits hold. */
static bool sim_equal(const struct phases *c, double dwell_ms, int pairs,
                      const struct cat_rules *rules, uint64_t *seed)
{
    struct phases_count n = {0};
    for (int i = 0; i < pairs; i++)
        phases_pair(c, c, dwell_ms, SIM_MS, PHASES_BLOCKS, seed, rules, &n);
    int kept = n.pairs - n.refused_pairs;
    bool resolved = dwell_ms * 4 <= (double)SIM_MS / PHASES_BLOCKS;
    double cover = n.rows_kept ? (double)n.covered_kept / n.rows_kept : 1;
    double answer = (double)(n.covered_kept + n.rows - n.rows_kept) / n.rows;
    bool equal = sim_at_most(n.different, kept, 0.06);
    bool refuses = dwell_ms > 10 || sim_at_most(n.refused_pairs, n.pairs, .05);
    bool covers = resolved ? cover >= 0.93 && cover <= 0.97 : answer >= 0.90;
    printf("%-13s %5.0f ms %9.1f%% %10d of %3d %9.1f%% %11.1f%%  %s%s%s%s\n",
           c->name, dwell_ms, 100.0 * n.refused_pairs / n.pairs, n.different,
           kept, 100 * cover, 100 * answer,
           equal && refuses && covers ? "ok" : "FAIL:",
           equal ? "" : " called different", refuses ? "" : " refused",
           covers ? "" : " coverage");
    return equal && refuses && covers;
}

/* Draw pairs that differ by 10 points; true if 80% are found. */
static bool sim_differs(double dwell_ms, int pairs,
                        const struct cat_rules *rules, uint64_t *seed)
{
    const struct phases base = { "", 2, { { 1, 0 }, { 0, 1 } }, 0.45, false };
    const struct phases now = { "", 2, { { 1, 0 }, { 0, 1 } }, 0.55, false };
    struct phases_count n = {0};
    for (int i = 0; i < pairs; i++)
        phases_pair(&base, &now, dwell_ms, SIM_MS, PHASES_BLOCKS, seed, rules,
                    &n);
    bool found = n.different >= 0.8 * n.pairs || dwell_ms > 10;
    printf("10 points more %4.0f ms: found in %d of %d  %s\n", dwell_ms,
           n.different, n.pairs, found ? "ok" : "FAIL");
    return found;
}

int main(int argc, char **argv)
{
    static const double dwell_ms[] = { 1, 10, 50, 200, 1000 };
    int pairs = argc > 1 ? atoi(argv[1]) : 500;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 7;
    struct cat_rules rules;
    bool ok = !cat_rules_init(&rules, (struct slice){0}, "", NULL);
    unit_name = "sim";
    seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%d pairs each, windows of %d s, %d blocks\n"
           "%-13s %8s %10s %17s %10s %12s\n", pairs, SIM_MS / 1000,
           PHASES_BLOCKS, "program", "phases", "refused", "called different",
           "covered", "or refused");
    for (size_t i = 0; i < sizeof sim_programs / sizeof *sim_programs; i++)
        for (size_t d = 0; d < sizeof dwell_ms / sizeof *dwell_ms; d++)
            ok &= sim_equal(&sim_programs[i], dwell_ms[d], pairs, &rules,
                            &seed);
    for (size_t d = 0; d < sizeof dwell_ms / sizeof *dwell_ms; d++)
        ok &= sim_differs(dwell_ms[d], pairs, &rules, &seed);
    cat_rules_fini(&rules);
    return !ok || unit_bad;
}
