/* phases.c -- simulated profiles of programs that move through phases: one
 * thread, one sample per millisecond.  As in real profiles, samples that follow
 * each other are similar. */

enum { PHASES_FUNCTIONS = 8, PHASES_BLOCKS = 50 };

struct phases {
    const char *name;
    size_t functions;
    double mix[2][PHASES_FUNCTIONS];    /* shares of the functions by phase */
    double first;                       /* mean share of time in phase 0 */
    bool   periodic;                    /* all phases are equally long; else
                                         * lengths are exponentially random */
};

/* Return a random number from 0 to 1; *seed is not 0. */
static double phases_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

/* Return the length of a phase of mean ms. */
static double phases_length(const struct phases *c, double mean_ms,
                            uint64_t *seed)
{
    return c->periodic ? mean_ms : -mean_ms * log(1 - phases_random(seed));
}

/* Return the true share of function k. */
static double phases_share(const struct phases *c, size_t k)
{
    return c->first * c->mix[0][k] + (1 - c->first) * c->mix[1][k];
}

/* Make p the profile of ms milliseconds, which begin anywhere in a phase; the
 * phases' mean length is dwell_ms.  0 blocks: samples have no times. */
static void phases_profile(struct pp *p, const struct phases *c,
                           double dwell_ms, int ms, size_t blocks,
                           uint64_t *seed)
{
    static const char *const name[PHASES_FUNCTIONS] = {
        "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7" };
    double mean[2] = { 2 * dwell_ms * c->first, 2 * dwell_ms * (1 - c->first) };
    int phase = phases_random(seed) >= c->first;
    double end = phases_length(c, mean[phase], seed);
    uint32_t n[PHASES_FUNCTIONS][PHASES_BLOCKS] = {{0}};
    struct pp_when when[PHASES_FUNCTIONS * PHASES_BLOCKS];
    if (c->periodic)
        end *= phases_random(seed);
    for (int t = 0; t < ms; t++) {
        for (; end <= t; end += phases_length(c, mean[phase], seed))
            phase = !phase;
        double u = phases_random(seed);
        size_t k = 0;
        while (k + 1 < c->functions && (u -= c->mix[phase][k]) >= 0)
            k++;
        n[k][t * PHASES_BLOCKS / ms]++;
    }
    unit_profile(p);
    uint32_t m = unit_mapping(p, "/srv/app", 0x400000);
    uint32_t root = unit_location(p, m, 0x400000, "main");
    size_t nwhen = 0;
    uint32_t row = 0;
    for (uint32_t k = 0; k < c->functions; k++) {
        int64_t sum = 0;
        uint32_t at = unit_location(p, m, 0x400001 + k, name[k]);
        for (uint32_t b = 0; b < PHASES_BLOCKS; b++) {
            sum += n[k][b];
            if (n[k][b])
                when[nwhen++] = (struct pp_when){
                    row, (uint32_t)(b * blocks / PHASES_BLOCKS), n[k][b] };
        }
        if (sum) {
            unit_sample(p, sum, at, root, MEM_NONE);
            row++;
        }
    }
    p->duration_ns = ms * INT64_C(1000000);
    if (blocks)
        CHECK(!pp_set_blocks(p, blocks, p->duration_ns / (int64_t)blocks, when,
                             nwhen));
}

struct phases_count {                   /* of pairs of equal programs */
    int pairs, profiles, refused;       /* refused: of profiles */
    int refused_pairs, different;       /* different: of those not refused */
    int rows, covered, rows_kept, covered_kept;
};

/* Count in n whether the intervals of a's functions cover the truth of c. */
static void phases_cover(const struct anl *a, const struct phases *c,
                         struct phases_count *n)
{
    bool refused = a->trust.dependent;
    n->profiles++;
    n->refused += refused;
    for (size_t i = 0; i < a->nfunctions; i++) {
        const struct anl_function *f = &a->function[i];
        struct slice name = a->view.node[f->node].name;
        if (name.p[0] != 'f')
            continue;
        double truth = phases_share(c, (size_t)(name.p[1] - '0'));
        bool in = f->flat.low <= truth && truth <= f->flat.high;
        n->rows++;
        n->covered += in;
        n->rows_kept += !refused;
        n->covered_kept += in && !refused;
    }
}

/* Compare two profiles, of base and of now, as report does, and count. */
static void phases_pair(const struct phases *base, const struct phases *now,
                        double dwell_ms, int ms, size_t blocks, uint64_t *seed,
                        const struct cat_rules *rules, struct phases_count *n)
{
    const struct phases *of[2] = { base, now };
    const struct anl_config config = { .rules = rules };
    struct pp p[2];
    struct anl a[2];
    struct compare_diff d;
    for (int i = 0; i < 2; i++) {
        phases_profile(&p[i], of[i], dwell_ms, ms, blocks, seed);
        CHECK(!anl_run(&p[i], &config, &a[i], NULL));
        phases_cover(&a[i], of[i], n);
    }
    CHECK(!compare_run(&d, &a[1], &a[0], NULL, false, false));
    CHECK(!d.dependent || !d.significant);
    n->pairs++;
    n->refused_pairs += d.dependent;
    n->different += d.significant > 0;
    compare_fini(&d);
    for (int i = 0; i < 2; i++) {
        anl_fini(&a[i]);
        pp_fini(&p[i]);
    }
}
