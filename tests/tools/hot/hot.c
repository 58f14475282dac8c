/* hot SECONDS: audit_orders of C, for seconds of CPU time.  It keeps memory, as
 * heap profiles want to see some. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static regex_t sku;
static char *kept[1000];

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

__attribute__((noinline)) int audit_orders(int n)
{
    char text[1000] = "";
    regmatch_t at[3];
    for (int i = 0; i < 20; i++)
        snprintf(text, sizeof text, "%.900s sku-%d-red %5.2f", text + 1, n + i,
                 n / 7.0);
    return regexec(&sku, text, 3, at, 0) ? 0 : at[1].rm_eo;
}

__attribute__((noinline)) int ship_order(int n)
{
    char name[30][16];
    for (int i = 0; i < 30; i++)
        snprintf(name[i], sizeof name[i], "sku-%d", (n * 7919 + i) % 9973);
    qsort(name, 30, sizeof *name, compare);
    return name[0][4];
}

__attribute__((noinline)) int place_order(int n)
{
    free(kept[n % 1000]);
    kept[n % 1000] = malloc(1000 + (size_t)n % 5000);
    return audit_orders(n) + ship_order(n);
}

int main(int argc, char **argv)
{
    double end = argc > 1 ? atof(argv[1]) * CLOCKS_PER_SEC : 0;
    int sum = 0;
    if (regcomp(&sku, "sku-([0-9]+)(-[a-z]+)* 99", REG_EXTENDED))
        return 1;
    for (int n = 0; (double)clock() < end; n++)
        sum += place_order(n);
    regfree(&sku);
    return sum == -1;
}
