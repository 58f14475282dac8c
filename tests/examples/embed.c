/* embed.c -- grpcprof's profiler inside somebody else's program.
 *
 *   cc -DGRPCPROF_LIBRARY -c grpcprof.c
 *   cc embed.c grpcprof.o -lnghttp2 -lz -lm -lpthread */
#include "grpcprof.h"
#include <math.h>
#include <stdio.h>

static double work(void)
{
    double sum = 0;
    for (int i = 1; i < 30000000; i++)
        sum += sqrt((double)i);
    return sum;
}

int main(void)
{
    struct gp_profiler *profiler;
    struct gp_why why;

    if (gp_profiler_start(&profiler, NULL, &why)) {
        fprintf(stderr, "no profile: %s\n", why.text);
        return 1;
    }
    printf("%g\n", work());
    if (gp_profiler_write(profiler, "embed.pb", "embed.svg", &why))
        fprintf(stderr, "not written: %s\n", why.text);
    gp_profiler_stop(profiler);
    return 0;
}
