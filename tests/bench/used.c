/* used.c -- prints the CPU time of process PID so far, in ns: of all its
 * threads, those that have ended too, which no file in /proc has this finely.
 *
 *   used PID */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    clockid_t clock;
    struct timespec t;
    if (argc != 2)
        return 2;
    if (clock_getcpuclockid((pid_t)strtol(argv[1], NULL, 10), &clock) ||
        clock_gettime(clock, &t))
        return perror("used"), 1;
    printf("%lld\n", t.tv_sec * 1000000000LL + t.tv_nsec);
    return 0;
}
