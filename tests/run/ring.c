/* ring.c -- a program under `grpcprof run` that attacks what samples it.
 *
 *   ring MODE SECONDS [PID]
 *
 *   random, ones, zeros   overwrites all of the shared memory, again and again
 *   table                 overwrites the table of processes only
 *   pids                  registers processes that are none of its own: 1, PID,
 *                         its parent, its parent's parent, numbers of no process
 *   samples               puts samples in the ring, with anything in them
 *   turns                 leaves slots that are claimed and never filled
 *   files                 tries to change the length of the memory, and the
 *                         agent's file; says which of it worked
 *
 * It finds the memory as the agent does.  Ends with status 7; prints "done". */
#define GRPCPROF_LIBRARY
#include "grpcprof.c"

static struct agt_shared *shared;
static size_t shared_bytes;
static uint64_t state = 88172645463325252u;

static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* A number that is small, large, near a power of 2, or anything. */
static uint64_t odd(void)
{
    switch (any() % 4) {
    case 0: return any() % 16;
    case 1: return (UINT64_C(1) << any() % 64) + any() % 3 - 1;
    case 2: return UINT64_MAX - any() % 16;
    default: return any();
    }
}

static void fill_any(void *to, size_t n)
{
    uint64_t word;
    for (size_t i = 0; i + sizeof word <= n; i += sizeof word) {
        word = odd();
        memcpy((char *)to + i, &word, sizeof word);
    }
}

static int open_shared(void)
{
    const char *path = getenv("GRPCPROF_RUN");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st))
        return -1;
    shared_bytes = (size_t)st.st_size;
    shared = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                  0);
    return shared == MAP_FAILED ? -1 : fd;
}

/* Register as process pid in some row. */
static void claim_row(pid_t pid)
{
    struct agt_process *p = &shared->process[any() % AGT_MOST_PROCESSES];
    p->pid = (uint32_t)pid;
    p->parent = (uint32_t)odd();
    p->begin_cpu_ns = (int64_t)odd();
    atomic_store(&p->end_cpu_ns, (int64_t)odd());
    fill_any(p->name, sizeof p->name);
    atomic_store(&p->state, AGT_NEW);
    atomic_fetch_add(&shared->bell, 1);
}

static void wrong_pids(pid_t victim)
{
    char text[256] = "";
    pid_t parent = getppid(), above = 0;
    snprintf(text, sizeof text, "/proc/%d/stat", (int)parent);
    FILE *f = fopen(text, "re");
    if (f && fscanf(f, "%*d (%*[^)]) %*c %d", &above) != 1)
        above = 0;
    if (f)
        fclose(f);
    const pid_t pids[] = { 1, victim, parent, above, getpid(), 0, -1, -victim,
                           INT_MAX, INT_MIN, (pid_t)any() };
    for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
        claim_row(pids[i]);
}

/* Put a sample in the ring as the agent does, with anything in it. */
static void forge_sample(const struct ring *r)
{
    uint64_t ticket;
    uint64_t cpu = (uint64_t)sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct ring_slot *s = ring_claim_sig(r, &ticket);
    if (!s)
        return;
    fill_any((char *)s + sizeof s->turn, sizeof *s - sizeof s->turn);
    if (any() % 4)
        s->process = 0;
    if (any() % 4)
        s->cpu_ns = (int64_t)(any() % cpu);
    if (any() % 4)
        s->depth = (uint16_t)(any() % RING_DEPTH);
    s->depth |= 1;                      /* with 0, run would drop the ring */
    if (any() % 2)
        for (unsigned i = 0; i < RING_DEPTH; i++)
            s->pc[i] = (uint64_t)(uintptr_t)&forge_sample + any() % 65536;
    ring_publish_sig(s, ticket);
}

/* Try what must not work; print what did. */
static void attack_files(int fd)
{
    char path[PATH_MAX], byte = 0;
    snprintf(path, sizeof path, "%s", getenv("LD_PRELOAD"));
    path[strcspn(path, ": ")] = 0;
    if (!ftruncate(fd, 0) || !ftruncate(fd, 4096))
        printf("the memory was cut\n");
    if (!ftruncate(fd, (off_t)shared_bytes * 2))
        printf("the memory has grown\n");
    if (!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
        printf("the memory was sealed\n");
    int agent = open(path, O_RDWR | O_CLOEXEC);
    if (agent >= 0 && strstr(path, "/fd/") &&
        (write(agent, &byte, 1) == 1 || !ftruncate(agent, 0)))
        printf("the agent was changed\n");
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
              (off_t)shared_bytes);
}

/* Attack once. */
static void attack(const char *mode, int fd, pid_t victim)
{
    struct ring r;
    uint64_t ticket, count = 1;
    while (agt_bytes(count * 2) <= shared_bytes)
        count *= 2;
    agt_view(&r, shared, count);
    if (!strcmp(mode, "random"))
        fill_any(shared, shared_bytes);
    else if (!strcmp(mode, "ones") || !strcmp(mode, "zeros"))
        memset(shared, *mode == 'o' ? 255 : 0, shared_bytes);
    else if (!strcmp(mode, "table"))
        fill_any(shared->process, sizeof shared->process);
    else if (!strcmp(mode, "pids"))
        wrong_pids(victim);
    else if (!strcmp(mode, "samples"))
        for (int i = 0; i < 64; i++)
            forge_sample(&r);
    else if (!strcmp(mode, "turns"))
        ring_claim_sig(&r, &ticket);
    else
        attack_files(fd);
}

int main(int argc, char **argv)
{
    int fd = argc > 2 ? open_shared() : -1;
    if (fd < 0)
        return 2;
    int64_t end = sys_now_ns() + atoll(argv[2]) * 1000000000;
    for (volatile int i = 0; i < 30000000; i++)     /* some samples are there */
        ;
    while (sys_now_ns() < end) {
        attack(argv[1], fd, argc > 3 ? atoi(argv[3]) : 0);
        for (volatile int i = 0; i < 1000; i++)
            ;
    }
    printf("done\n");
    return 7;
}
