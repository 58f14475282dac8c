/* churn.c -- LD_PRELOAD=churn.so: two threads beside a program's own.  One
 * opens and closes libraries and looks up names, which moves the tables that
 * unwinding reads and holds the loader's locks; the other creates and joins
 * threads, which come and go under the sampler.  Says at the end how often. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_long opened, found, joined;
static atomic_bool ending;
static pthread_t loader, maker;
static bool started[2];

static void *load(void *arg)
{
    static const char *const names[] = {
        "libBrokenLocale.so.1", "libthread_db.so.1", "libanl.so.1",
        "libnss_compat.so.2", "libresolv.so.2", "libm.so.6",
    };
    (void)arg;
    for (unsigned i = 0; !ending; i++) {
        struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *all = NULL;
        void *h = dlopen(names[i % (sizeof names / sizeof *names)], RTLD_NOW);
        if (h) {
            dlclose(h);
            opened++;
        }
        hint.ai_flags = i % 2 ? AI_NUMERICHOST : 0;
        if (!getaddrinfo(i % 2 ? "127.0.0.1" : "localhost", NULL, &hint, &all))
            found++;
        if (all)
            freeaddrinfo(all);
    }
    return NULL;
}

/* A short life. */
static void *live(void *arg)
{
    for (volatile int i = 0; i < 20000; i++)
        ;
    return arg;
}

static void *make(void *arg)
{
    (void)arg;
    while (!ending) {
        pthread_t t[4];
        int n = 0;
        while (n < 4 && !pthread_create(&t[n], NULL, live, NULL))
            n++;
        while (n > 0)
            joined += !pthread_join(t[--n], NULL);
    }
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    started[0] = !pthread_create(&loader, NULL, load, NULL);
    started[1] = !pthread_create(&maker, NULL, make, NULL);
}

__attribute__((destructor)) static void end(void)
{
    ending = true;
    if (started[0])
        pthread_join(loader, NULL);
    if (started[1])
        pthread_join(maker, NULL);
    fprintf(stderr, "churn: %ld opened, %ld found, %ld joined\n", opened,
            found, joined);
}
