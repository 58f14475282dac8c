#!/bin/sh
# Breaks a small good file in each way that layout.awk looks for, and expects
# that finding on that line.  Prints "ok name" or "FAIL name: why".
#   layout_test.sh [AWK]
set -u
awk=${1:-awk}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT INT TERM
failed=0

# The good file.  It holds what a careless reader of C trips over: braces and
# comment marks in literals, a cut literal, tables of function pointers, a
# signature over several lines, attributes, #if branches, calls by pointer.
cat >"$dir/good.c" <<'EOF'
/* sample -- every rule kept.
 *
 *  1  LIMITS   numbers
 *  2  MEM      memory
 *  3  SMP      signals
 *  4  API      promises
 *  5  OPT      options
 *  6  CLI      talk
 */
#include <stdio.h>

/* ================================ 1 LIMITS ==================================
 * for     numbers
 * uses    nothing
 * owns    nothing
 * spec    none
 * prefix  none
 * runs    nowhere
 */

/* ---- MEM, SMP ---- */
enum { LIMIT = 3 };
_Static_assert(LIMIT == 3, "printf(");

/* ---- all ---- */
#define LIMIT_ALL 4

/* ================================= 2 MEM ====================================
 * for     bytes that grow, told on
 *         two lines
 * uses    LIMITS
 * owns    struct buf
 * spec    none
 * prefix  mem_
 * runs    any thread
 *
 * uses    this line is prose, NOWHERE in particular
 */

struct buf { char *data; int (*free)(void *); };
typedef int mem_hook(int n);
enum mem_kind {
    MEM_SMALL = sizeof(int[2]),         /* not , a constant */
    MEM_LARGE
};
#define MEM_STEP 8
static int mem_count, mem_most[2] = { LIMIT, LIMIT_ALL };

/* Bytes, or NULL. */
static void *mem_get(size_t n)
{
    return malloc(n + MEM_STEP);
}

/* Give back. */
__attribute__((noinline, format(printf, 1, 2)))
static int
mem_put(void *p,
        int n)
{
    free(p);
    return n;
}

/* ================================= 3 SMP ====================================
 * for     signals
 * uses    MEM
 * owns    nothing
 * spec    none
 * prefix  smp_
 * runs    in a handler
 */

static mem_hook *smp_hook;
static int smp_least = LIMIT;
static const char smp_script[] =
    "function f(a) { return '}' + \"/* \" + malloc(a); } // strcpy(\n"
    "if (x) { goto bad; } /* { \
still { a literal\n";
static const char smp_marks[] = { '{', '"', '\'', '\\', '/' };

/* Count. */
static int smp_count_sig(int n)
{
    struct buf b = { 0 };
    clock_gettime(0, 0);
    b.free(0);
    if (smp_hook)
        smp_hook(n);
    return n;
}

static const struct { const char *name; int (*run)(int); } smp_table[] = {
    { "a{b", smp_count_sig },
    { "}", smp_count_sig },
};

#ifdef OTHER
/* One way. */
static int smp_way(int n) {
#else
/* Or another. */
static int smp_way(int n, int m) {
    n += m;
#endif
    void *p = mem_get(1);
    if (!p)
        goto out;
    mem_put(p, 1);
out:
    return smp_table[0].run(n);
}

/* ================================= 4 API ====================================
 * for     promises
 * uses    SMP
 * owns    nothing
 * spec    none
 * prefix  gp_
 * runs    any thread
 */

/* Promise. */
int gp_do(void) { return smp_count_sig(1); }

/* ================================= 5 OPT ====================================
 * for     options
 * uses    API
 * owns    nothing
 * spec    none
 * prefix  opt_
 * runs    main thread
 */

/* Read. */
static int opt_read(void) { return LIMIT_ALL + gp_do(); }

/* ================================= 6 CLI ====================================
 * for     talk
 * uses    all
 * owns    stderr and
 *         stdout
 * spec    none
 * prefix  cmd_
 * runs    main thread
 */

/* Talk. */
static void cmd_talk(void)
{
    printf("%d\n", opt_read());
}

/* Status. */
int main(void)
{
    cmd_talk();
    return 0;
}
EOF
# report NAME WHY: WHY is empty for a success
report()
{
    if [ -z "$2" ]; then
        echo "ok   layout, $1"
    else
        failed=$((failed + 1))
        echo "FAIL layout, $1: $2"
    fi
}

# breaks NAME RULE SED-SCRIPT: the edited file has a finding of RULE
breaks()
{
    sed -e "$3" "$dir/good.c" >"$dir/bad.c"
    why=''
    if cmp -s "$dir/good.c" "$dir/bad.c"; then
        why='the edit changed nothing'
    else
        "$awk" -f "$here/layout.awk" "$dir/bad.c" >"$dir/out" 2>&1
        st=$?
        [ $st -eq 1 ] || why="status $st"
        grep -q ":[0-9]*: $2: " "$dir/out" || why="$why, no $2 in: $(
            tail -n 3 "$dir/out" | tr '\n' ' ')"
    fi
    report "$1" "$why"
}

said=$("$awk" -f "$here/layout.awk" "$dir/good.c" 2>&1) ||
    said="$said (status $?)"
report 'a good file has no finding' "$said"
said=$("$awk" -v stats=1 -f "$here/layout.awk" "$dir/good.c" 2>&1)
case $said in
*'8 functions: median 4 lines, p90 10, longest 10 (smp_way)') said='' ;;
esac
report 'function lengths are counted' "$said"

breaks 'section missing in the table'  toc    '/^ \*  3  SMP/d'
breaks 'table names another section'   toc    's/^ \*  3  SMP/ *  3  SMQ/'
breaks 'section missing in the file'   toc    's/^ \*  6  CLI.*/&\n *  7  OUT x/'
breaks 'numbers skip one'              toc    's/^\(.*\) 6 CLI/\1 7 CLI/
                                               s/^ \*  6  CLI/ *  7  CLI/'
breaks 'table in another order'        toc    's/^ \*  2  MEM/ *  2  SMP/
                                               s/^ \*  3  SMP/ *  3  MEM/'
breaks 'no table'                      toc    '/^ \*  [0-9]  /d'
for k in for uses owns spec prefix runs; do
    breaks "banner without $k"         banner "/ 3 SMP/,/\*\//{/^ \* $k  /d;}"
done
breaks 'uses a section below'          banner 's/^ \* uses    LIMITS/&, SMP/'
breaks 'uses an unknown section'       banner 's/^ \* uses    LIMITS/&, NONE/'
breaks 'uses itself'                   banner 's/^ \* uses    LIMITS/&, MEM/'
breaks 'prefix without underscore'     banner 's/prefix  mem_/prefix  mem/'
breaks 'two sections, one prefix'      banner 's/prefix  smp_/prefix  mem_/'
breaks 'call to a section not named'   uses   '/ 3 SMP/,/\*\//s/uses .*/uses    -/'
breaks 'call in a macro, not named'    uses   's/^ \* uses    SMP/ * uses    -/
                                               s/^int gp_do.*/#define X smp_way(1)/'
# uses WHAT CODE: CODE in API, whose banner names SMP alone, uses MEM
uses() { breaks "$1, not named" uses "s/^\/\* Promise/$2\n&/"; }
uses 'a struct'                        'static struct buf gp_b;'
uses 'an enum'                         'static enum mem_kind gp_k;'
uses 'a typedef'                       'static mem_hook *gp_h;'
uses 'a constant of an enum'           'static int gp_n = MEM_SMALL;'
uses 'the last constant of an enum'    'static int gp_n = MEM_LARGE;'
uses 'a macro'                         'static int gp_n = MEM_STEP;'
uses 'a variable'                      'static int *gp_n = \&mem_count;'
uses 'a variable after a comma'        'static int *gp_n = mem_most;'
uses 'the address of a function'       'static void *gp_f = mem_get;'
breaks 'a limit, not named'            uses   's/return LIMIT_ALL/return LIMIT/'
breaks 'a limit of no section'         uses   '/---- all ----/d;/---- MEM, /d'
breaks 'a limit of an unknown section' uses   's/---- MEM, SMP/---- MEN, SMP/'
breaks 'a section named in vain'       uses   's/LIMIT_ALL + gp_do()/1/'
breaks 'a section too long'            section "s/^int gp_do.*/&$(
    "$awk" 'BEGIN { for (; n < 2200; n++) printf "\\n" }')/"
breaks 'foreign prefix'                prefix 's/static void \*mem_get/static void *get/'
breaks 'gp_ outside API'               prefix 's/void cmd_talk/void gp_talk/'
breaks 'gp_ called above API'          prefix 's/    clock_gettime(0, 0)/    gp_do()/'
breaks 'function before any banner'    prefix 's/^#include.*/int f(void)\n{\n}/'
breaks 'prototype'                     order  's/^enum { LIMIT/int x_f(int a);\n&/'
breaks 'prototype over two lines'      order  's/^enum { LIMIT/void *x_f(int a,\n b);\n&/'
breaks 'function after main'           order  '$s/$/\n\/* x *\/\nint cmd_x(void)\n{\n}/'
breaks 'no main'                       order  's/^int main/int cmd_main/'
breaks 'a brace too many'              order  's/    b.free(0);/    {/'
breaks 'no comment above'              comment '/^\/\* Talk/d'
breaks 'blank line after the comment'  comment 's/^\/\* Talk.*/&\n/'
breaks 'comment only above a table'    comment '/^\/\* Promise/d'
breaks 'remark beside other code'      comment 's/^\/\* Talk.*/int x; &/'
breaks 'function too long'             length \
    's/^    printf/\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n&/'
breaks 'main too long'                 length \
    's/^    cmd_talk();/&\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n/'
breaks 'goto elsewhere'                goto   's/goto out/goto done/;s/^out:/done:/'
breaks 'prints without stdout'         quiet  's/clock_gettime(0, 0)/puts("x")/'
breaks 'stdout not owned'              quiet  's/^ \*         stdout/ *         stdin/'
breaks 'exits without stdout'             quiet  's/clock_gettime(0, 0)/exit(1)/'
breaks 'prints in a macro'             quiet  's/^enum { LIMIT/#define P \\\n  puts("x")\n&/'
breaks 'allocates outside MEM'         alloc  's/mem_get(1)/malloc (1)/'
breaks 'frees outside MEM'             alloc  's/mem_put(p, 1)/free(p)/'
breaks 'strcpy'                        banned 's/printf(/strcpy(/'
breaks 'atoi'                          banned 's/printf(/atoi(/'
breaks 'lock in a handler'             signal 's/clock_gettime/pthread_mutex_lock/'
breaks 'malloc in a handler'           signal 's/clock_gettime(0, 0)/malloc(1)/'
breaks 'snprintf in a handler'         signal 's/clock_gettime/snprintf/'
breaks 'trailing blank'                text   's/^struct buf.*/& /'
breaks 'tab'                           text   's/^    free(p)/	free(p)/'
breaks '81 columns'                    text   \
    's/^#include.*/\/* 3456789012345678901234567890123456789012345678901234567890123456789012345678 *\//'
breaks 'not ASCII'                     text   's/^\/\* Talk/\/* T\xc3\xa4lk/'

# MEM as the agent, which maps its memory and calls no other section.
sed -e 's/MEM/AGT/g; s/mem_/agt_/g; s/malloc(n + /mmap(n + /' \
    -e 's/^    free(p)/    munmap(p)/' "$dir/good.c" >"$dir/agent.c"
mv "$dir/agent.c" "$dir/good.c"
said=$("$awk" -f "$here/layout.awk" "$dir/good.c" 2>&1) ||
    said="$said (status $?)"
report 'a good agent has no finding' "$said"
breaks 'lock in the agent'             agent  's/^    munmap(p)/    pthread_mutex_lock(p)/'
breaks 'malloc in the agent'           agent  's/^    munmap(p)/    free(p)/'
breaks 'snprintf in the agent'         agent  's/^    munmap(p)/    snprintf(p)/'
breaks 'lock above the agent'          agent  's/^_Static_assert.*/\/* Set. *\/\
static int set(void) { pthread_once(0); }/'
breaks 'mmap in its handler'           signal 's/agt_put/agt_put_sig/g'
breaks 'agent that names a section'    agent  's/AGT/XXX/g; s/agt_/xxx_/g
                                               s/SMP/AGT/g; s/smp_/agt_/g'
exit $((failed > 0))
