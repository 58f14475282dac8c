/* elf.c -- code mapped in processes, names of JIT code, demangling, and
 * locations that several processes share. */

/* The mapping of s at pc, or one of kind ELF_MAP_OTHER without a path. */
static struct elf_map unit_map(const struct elf_space *s, uint64_t pc)
{
    const struct elf_map *k = elf_space_find(s, pc);
    return k ? *k : (struct elf_map){ .path = "", .kind = ELF_MAP_OTHER };
}

static void test_elf_reads_maps(void)
{
    static const struct {
        const char *line, *path;
        enum elf_kind kind;
    } t[] = {
        { "1000-2000 r-xp 00003000 fe:01 77    /usr/lib/a b.so",
          "/usr/lib/a b.so", ELF_MAP_FILE },
        { "2000-3000 r-xp 00000000 00:00 0 ", "", ELF_MAP_ANON },
        { "3000-4000 rwxp 00000000 00:00 0    [anon:v8]", "[anon:v8]",
          ELF_MAP_ANON },
        { "4000-5000 r-xs 00000000 00:01 9    /memfd:doublemapper (deleted)",
          "/memfd:doublemapper (deleted)", ELF_MAP_MEMFD },
        { "5000-6000 r-xp 00000000 00:00 0    [vdso]", "[vdso]", ELF_MAP_VDSO },
        { "6000-7000 --xp 00000000 00:00 0    [vsyscall]", "[vsyscall]",
          ELF_MAP_OTHER },
        { "7000-8000 r-xp 00000000 fe:01 78   /srv/x (deleted)",
          "/srv/x (deleted)", ELF_MAP_FILE },
        { "8000-9000 rwxs 00000000 00:01 5    /dev/zero (deleted)",
          "/dev/zero (deleted)", ELF_MAP_ANON },
    };
    static const char *const none[] = {
        "9000-a000 rw-p 00000000 fe:01 77   /x",    /* no code */
        "a000-9000 r-xp 00000000 fe:01 77   /x",
        "9000-9000 r-xp 00000000 fe:01 77   /x",
        "8800-9800 r-xp 00000000 fe:01 77   /x",    /* overlaps the last */
        "9000-a000 r-xp 00000000 fe:01", "9000-a000 r-xp", "9000", "",
        "r-xp 9000-a000 0 fe:01 77 /x",
    };
    struct elf_space s = {0};
    size_t n = sizeof t / sizeof *t;
    for (size_t i = 0; i < n; i++)
        CHECK(!elf_read_map(&s, t[i].line));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!elf_read_map(&s, none[i]));
    CHECK(s.nmaps == n);
    for (size_t i = 0; i < n && i < s.nmaps; i++) {
        CHECK(s.map[i].kind == t[i].kind && !strcmp(s.map[i].path, t[i].path));
        CHECK(elf_space_find(&s, 0x1fff + 0x1000 * i) == &s.map[i]);
    }
    CHECK(s.map[0].offset == 0x3000 && s.map[0].inode == 77 &&
          s.map[0].device == elf_device(0xfe, 1));
    CHECK(!elf_space_holds(&s, 0xfff) && elf_space_holds(&s, 0x1000));
    CHECK(elf_space_holds(&s, 0x8fff) && !elf_space_holds(&s, 0x9000));
    elf_space_fini(&s);
}

enum { UNIT_PAGES = 64 };

/* Fill s with random mappings of UNIT_PAGES addresses; name[i] is the path of
 * what is mapped at i, or 0; offsets are addresses plus 1000 times the path. */
static void unit_random_space(struct elf_space *s, char *name, unsigned *seed)
{
    memset(name, 0, UNIT_PAGES);
    for (uint64_t at = 0; at < UNIT_PAGES; ) {
        uint64_t end = at + 1 + (uint64_t)rand_r(seed) % 9;
        char path[2] = { (char)('a' + rand_r(seed) % 5), 0 };
        end = end < UNIT_PAGES ? end : UNIT_PAGES;
        struct elf_map k = { .start = at, .limit = end, .path = path,
                             .offset = at + 1000 * (uint64_t)path[0] };
        if (rand_r(seed) % 2) {
            CHECK(!elf_space_add(s, &k));
            memset(name + at, path[0], end - at);
        }
        at = end;
    }
}

static void test_elf_keeps_what_is_gone(void)
{
    unsigned seed = 3;
    for (int round = 0; round < 2000; round++) {
        struct elf_space old = {0}, now = {0}, copy;
        char was[UNIT_PAGES], is[UNIT_PAGES];
        unit_random_space(&old, was, &seed);
        unit_random_space(&now, is, &seed);
        CHECK(!elf_space_keep(&now, &old));
        CHECK(!elf_space_copy(&copy, &now) && copy.nmaps == now.nmaps);
        elf_space_fini(&now);
        for (uint64_t i = 0; i < UNIT_PAGES; i++) {
            char want = is[i] ? is[i] : was[i];
            const struct elf_map *k = elf_space_find(&copy, i);
            CHECK(want ? k && *k->path == want : !k);
            CHECK(!k || i - k->start + k->offset == i + 1000 * (uint64_t)want);
        }
        elf_space_fini(&copy);
        elf_space_fini(&old);
    }
}

static void test_elf_reads_a_space_again(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *p = mmap(NULL, 4 * page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
                   (off_t)page);
    uint64_t at = (uint64_t)(uintptr_t)p;
    struct elf_space s = {0};
    CHECK(fd >= 0 && p != MAP_FAILED && !elf_space_read(&s, 0, NULL));
    close(fd);
    struct elf_map k = unit_map(&s, at + 3 * page);
    CHECK(k.kind == ELF_MAP_FILE && k.start == at && k.offset == page);
    CHECK(elf_is_program(&s, &k));
    CHECK(!munmap(p, 4 * page));
    CHECK(mmap(p + page, page, PROT_READ | PROT_EXEC,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
          p + page);
    CHECK(!elf_space_read(&s, 0, NULL));
    CHECK(unit_map(&s, at).kind == ELF_MAP_FILE);
    CHECK(unit_map(&s, at + page).kind == ELF_MAP_ANON);
    k = unit_map(&s, at + 2 * page);
    CHECK(k.kind == ELF_MAP_FILE && k.offset == 3 * page &&
          k.limit == at + 4 * page);
    CHECK(!munmap(p + page, page));
    elf_space_fini(&s);
    CHECK(!elf_space_read(&s, 0, NULL) && !elf_space_holds(&s, at));
    elf_space_fini(&s);
}

static void test_elf_reads_another_process(void)
{
    uint64_t pc = (uint64_t)(uintptr_t)test_elf_reads_another_process;
    struct elf_space s = {0};
    struct gp_why why;
    int status;
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    CHECK(pid > 0 && !elf_space_read(&s, pid, &why));
    struct elf_map k = unit_map(&s, pc);
    CHECK(elf_is_program(&s, &k) && s.uid == getuid() && s.inner_pid == pid);
    CHECK(!s.other_root);
    size_t n = s.nmaps;
    siginfo_t info;
    kill(pid, SIGKILL);
    CHECK(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK(elf_space_read(&s, pid, &why) == GP_EIO);     /* a zombie */
    CHECK(strstr(why.text, "has ended"));
    k = unit_map(&s, pc);
    CHECK(s.nmaps == n && elf_is_program(&s, &k));
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(elf_space_read(&s, pid, &why) == GP_EIO && strstr(why.text, "maps"));
    k = unit_map(&s, pc);
    CHECK(s.nmaps == n && elf_is_program(&s, &k));
    CHECK(!elf_space_read(&s, 0, &why));        /* of another: nothing stays */
    CHECK(s.pid == 0 && unit_map(&s, pc).kind == ELF_MAP_FILE);
    elf_space_fini(&s);
}

/* The name at offset 0x18 of the file that is mapped at pc in s, "" for none;
 * valid until the next call. */
static const char *unit_mapped_name(const struct elf_space *s, uint64_t pc)
{
    static char name[64];
    uint32_t file[512], row;
    struct elf m = {0};
    CHECK(s->nmaps < 512 && !elf_add_space(&m, s, file));
    const char *found = unit_own_name(&m, s, file, pc + 0x18, &row);
    snprintf(name, sizeof name, "%s", found ? found : "");
    elf_fini(&m);
    return name;
}

static void test_elf_names_the_mapped_file(void)
{
    _Alignas(16) uint8_t image[UNIT_SIZE];
    char dir[32], path[64], other[64];
    struct elf_space s = {0};
    unit_dir(dir);
    snprintf(path, sizeof path, "%s/a.so", dir);
    snprintf(other, sizeof other, "%s/b.so", dir);
    unit_elf(image, 0, NULL, 0, "mapped");
    unit_place(image, dir, "/a.so");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, UNIT_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    close(fd);
    uint64_t at = (uint64_t)(uintptr_t)p;
    CHECK(p != MAP_FAILED && !elf_space_read(&s, 0, NULL));
    CHECK(!strcmp(unit_mapped_name(&s, at), "mapped"));
    struct elf_map k = unit_map(&s, at);
    char whole[96];
    snprintf(whole, sizeof whole, "/proc/self/map_files/%" PRIx64 "-%" PRIx64,
             k.start, k.limit);
    fd = open(whole, O_RDONLY | O_CLOEXEC);     /* root may */
    const char *still = fd >= 0 ? "mapped" : "";
    close(fd);
    CHECK(!rename(path, other));
    CHECK(!strcmp(unit_mapped_name(&s, at), still));
    unit_elf(image, 0, NULL, 0, "replaced");
    unit_place(image, dir, "/a.so");
    CHECK(!strcmp(unit_mapped_name(&s, at), still));
    s.map[elf_space_find(&s, at) - s.map].limit -= 1;   /* no map_files */
    CHECK(!strcmp(unit_mapped_name(&s, at), ""));
    CHECK(!unlink(path) && !mkfifo(path, 0600));        /* nor does it hang */
    CHECK(!strcmp(unit_mapped_name(&s, at), ""));
    CHECK(!unlink(path) && !unlink(other));
    munmap(p, UNIT_SIZE);
    elf_space_fini(&s);
    unit_dir_end(dir);
}

/* The name of JIT code at 0x18 in the process of s, "" for none, "?" if there
 * is no map; valid until the next call. */
static const char *unit_jit_name(const struct elf_space *s)
{
    static char name[64];
    struct elf_image map;
    struct elf_jit_spot spot = { .pc = 0x18 };
    bool found;
    CHECK(!elf_name_jit(s, &spot, 1, &map, &found));
    snprintf(name, sizeof name, "%.*s", (int)spot.name.n,
             spot.name.n ? spot.name.p : "");
    elf_close(&map);
    return found ? name : "?";
}

/* Write text, or remove the file if NULL, to the map of this process. */
static void unit_jit_write(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    if (text)
        CHECK(!sys_write_file(path, text, strlen(text), NULL));
    else
        unlink(path);
}

/* Write text to a file of /proc. */
static bool unit_proc_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return n > 0;
}

/* Give this process a /tmp of its own, in which it maps an ELF file and has a
 * map of JIT code; write the address to fd, and wait.  Exit if refused. */
static void unit_live_elsewhere(int fd)
{
    _Alignas(16) uint8_t image[UNIT_SIZE];
    char uid[32], gid[32];
    snprintf(uid, sizeof uid, "0 %u 1", getuid());
    snprintf(gid, sizeof gid, "0 %u 1", getgid());
    if (unshare(CLONE_NEWNS) &&         /* root of a user namespace may */
        (unshare(CLONE_NEWNS | CLONE_NEWUSER) ||
         !unit_proc_write("/proc/self/uid_map", uid) ||
         !unit_proc_write("/proc/self/setgroups", "deny") ||
         !unit_proc_write("/proc/self/gid_map", gid)))
        _exit(0);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", "/tmp", "tmpfs", 0, NULL))
        _exit(0);
    unit_elf(image, 0, NULL, 0, "elsewhere");
    unit_place(image, "/tmp", "/a.so");
    unit_jit_write("10 10 f\n");
    int file = open("/tmp/a.so", O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, UNIT_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, file,
                   0);
    if (p == MAP_FAILED || write(fd, &p, sizeof p) != sizeof p)
        _exit(1);
    pause();
    _exit(1);
}

/* A process in a container has other files at its paths than we have. */
static void test_elf_reads_files_of_another_root(void)
{
    struct elf_space s = {0};
    void *p = NULL;
    int fd[2], status;
    CHECK(!pipe(fd));
    pid_t pid = fork();
    if (!pid)
        unit_live_elsewhere(fd[1]);
    close(fd[1]);
    if (read(fd[0], &p, sizeof p) == sizeof p) {
        uint64_t at = (uint64_t)(uintptr_t)p;
        CHECK(!elf_space_read(&s, pid, NULL) && s.other_root);
        CHECK(!strcmp(unit_mapped_name(&s, at), "elsewhere"));
        CHECK(!strcmp(unit_jit_name(&s), "f"));
        kill(pid, SIGKILL);
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(!strcmp(unit_mapped_name(&s, at), ""));
        CHECK(!strcmp(unit_jit_name(&s), "?"));
    } else {
        CHECK(waitpid(pid, &status, 0) == pid && !status);
        printf("# no mount namespaces here\n");
    }
    close(fd[0]);
    elf_space_fini(&s);
}

/* ---- locations ---- */

static void test_build_shares_the_code_of_processes(void)
{
    static const char *const lines[3][4] = {
        { "1000-3000 r-xp 00001000 fe:01 7   /none/prog",
          "9000-b000 r-xp 00004000 fe:01 8   /none/lib.so",
          "c000-d000 rwxp 00000000 00:00 0 ", NULL },
        { "5000-7000 r-xp 00004000 fe:01 8   /none/lib.so",
          "8000-a000 r-xp 00001000 fe:01 7   /none/prog",
          "c000-d000 rwxp 00000000 00:00 0 ",
          "e000-f000 r-xp 00008000 fe:01 8   /none/lib.so" },
        { "1000-3000 r-xp 00001000 fe:01 9   /none/prog", NULL, NULL, NULL },
    };
    struct elf_space s[3] = {{ .pid = 1 }, { .pid = 2 }, { .pid = 3 }};
    struct rec_process_name process[3];
    struct pp p = {0};
    struct build b = { .p = &p };
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 4 && lines[i][k]; k++)
            CHECK(!elf_read_map(&s[i], lines[i][k]));
        process[i] = (struct rec_process_name){ .space = &s[i] };
    }
    s[0].device = s[2].device = elf_device(0xfe, 1);
    s[0].inode = 7;
    s[2].inode = 9;
    struct rec_row row[2] = {{ .process = 2, .sum.ns = 1 },
                             { .process = 0, .sum.ns = 2 }};
    b.delta.row = row;
    b.delta.nrows = 2;
    b.delta.process = process;
    b.delta.nprocesses = 3;
    CHECK(!build_spaces(&b) && !build_program(&b));
    uint32_t lib = build_location(&b, 0x9123, 0);
    uint32_t prog = build_location(&b, 0x1456, 0);
    CHECK(build_location(&b, 0x5123, 1) == lib);
    CHECK(build_location(&b, 0x8456, 1) == prog && lib != prog);
    CHECK(p.location[lib].address == 0x9123 &&
          p.location[prog].address == 0x1456 && p.location[prog].mapping == 0);
    CHECK(txt_ends(p.mapping[0].file, "prog") && p.nmappings == 2);
    uint32_t first = build_location(&b, 0x5200, 1); /* in the first's mapping */
    CHECK(p.location[first].address == 0x9200 && p.nmappings == 2);
    uint32_t more = build_location(&b, 0xe010, 1);  /* not mapped there */
    CHECK(p.location[more].address == 0xe010 && p.nmappings == 3);
    uint32_t old = build_location(&b, 0x1456, 2);   /* another inode */
    CHECK(old != prog && p.nmappings == 4 && p.location[old].mapping == 3);
    CHECK(p.mapping[0].start == 0x1000 && b.mapped[0] == b.place[prog].file);
    uint32_t jit = build_location(&b, 0xc010, 0);
    CHECK(build_location(&b, 0xc010, 1) != jit &&
          build_location(&b, 0xc010, 0) == jit);
    CHECK(p.location[jit].mapping == MEM_NONE &&
          p.location[jit].address == 0xc010);
    uint32_t lost = build_location(&b, REC_LOST, 0);
    CHECK(build_location(&b, REC_LOST, 2) == lost && !p.location[lost].address);
    b.delta.process = NULL;
    b.delta.row = NULL;
    build_fini(&b);
    pp_fini(&p);
    for (int i = 0; i < 3; i++)
        elf_space_fini(&s[i]);
}

/* ---- JIT code ---- */

enum { UNIT_SPOTS = 40 };

/* Name n addresses by the lines of text in order, without the index: the slow
 * way that elf_jit_read is compared with. */
static void unit_jit_slowly(const char *text, size_t n, char *name)
{
    for (const char *end; (end = memchr(text, '\n', n)); text = end + 1) {
        unsigned start, size;
        char c;
        n -= (size_t)(end + 1 - text);
        if (sscanf(text, "%x %x %c", &start, &size, &c) == 3)
            for (unsigned i = start; i < start + size && i < UNIT_SPOTS; i++)
                name[i] = c;
    }
}

static void test_elf_jit_last_line_wins(void)
{
    unsigned seed = 11;
    for (int round = 0; round < 300; round++) {
        char text[2048], want[UNIT_SPOTS];
        size_t n = 0;
        for (int i = rand_r(&seed) % 30; i >= 0; i--)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%x %s%x %c%s\n",
                                  rand_r(&seed) % 2 ? "0x" : "",
                                  rand_r(&seed) % UNIT_SPOTS,
                                  rand_r(&seed) % 2 ? "0x0" : "",
                                  rand_r(&seed) % 12,
                                  'a' + rand_r(&seed) % 26,
                                  rand_r(&seed) % 2 ? " of  x" : "");
        n -= (size_t)rand_r(&seed) % 20 % n;    /* the last line is cut short */
        struct elf_jit_spot spot[UNIT_SPOTS] = {{0}};
        for (uint64_t i = 0; i < UNIT_SPOTS; i++)
            spot[i].pc = i;
        memset(want, 0, sizeof want);
        unit_jit_slowly(text, n, want);
        CHECK(!elf_jit_read((struct slice){ text, n }, spot, UNIT_SPOTS));
        for (size_t i = 0; i < UNIT_SPOTS; i++)
            CHECK(want[i] ? spot[i].name.n && *spot[i].name.p == want[i]
                          : !spot[i].name.n);
    }
}

static void test_elf_jit_garbage(void)
{
    static const char *const bad[] = {
        "", "\n", "\n\n", "10", "10 ", "10 10", "10 10\n", "10 10 \n",
        " 10 10 f\n",
        "10  10 f\n", "0x 10 f\n", "10 0x f\n", "g 10 f\n", "-10 20 f\n",
        "10 0 f\n", "11111111111111111 10 f\n", "10 11111111111111111 f\n",
        "10 ffffffffffffffff f\n", "10 10 f\001g\n", "10 10 \377\n",
        "8 20 f\n10 10 \377\n", "10 10 f",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct elf_jit_spot spot = { .pc = 0x18 };
        CHECK(!elf_jit_read(txt_slice(bad[i]), &spot, 1));
        CHECK(!spot.name.n);
        if (unit_bad)
            printf("# the map is: %s\n", bad[i]);
    }
    struct elf_jit_spot spot = { .pc = UINT64_MAX - 1 };
    CHECK(!elf_jit_read(txt_slice("fffffffffffffff0 f f g\n"), &spot, 1));
    CHECK(txt_equal(spot.name, txt_slice("f g")));
    size_t n = 5000;                    /* a name too long, and one that fits */
    char *long_name = mem_zalloc(n);
    memset(long_name, 'x', n - 1);
    memcpy(long_name, "10 10 ", 6);
    long_name[n - 2] = '\n';
    spot = (struct elf_jit_spot){ .pc = 0x18 };
    CHECK(!elf_jit_read(txt_slice(long_name), &spot, 1) && !spot.name.n);
    long_name[6 + ELF_NAME_BYTES - 1] = '\n';
    CHECK(!elf_jit_read((struct slice){ long_name, 6 + ELF_NAME_BYTES }, &spot,
                        1));
    CHECK(spot.name.n == ELF_NAME_BYTES - 1);
    mem_free(long_name);
}

static void test_elf_jit_map(void)
{
    struct elf_space s = {0};
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    CHECK(!elf_space_read(&s, 0, NULL));
    CHECK(!strcmp(unit_jit_name(&s), "?"));
    unit_jit_write("10 10 f\n");
    CHECK(!strcmp(unit_jit_name(&s), "f"));
    unit_jit_write("20 10 f\n");
    CHECK(!strcmp(unit_jit_name(&s), ""));
    unit_jit_write(NULL);
    CHECK(!mkfifo(path, 0600));         /* does not hang */
    CHECK(!strcmp(unit_jit_name(&s), "?"));
    unit_jit_write(NULL);
    if (!geteuid()) {                   /* only root can give a file away */
        unit_jit_write("10 10 f\n");
        CHECK(!chown(path, 12345, 12345));
        CHECK(!strcmp(unit_jit_name(&s), "?"));
        s.uid = 12345;
        CHECK(!strcmp(unit_jit_name(&s), "f"));
        unit_jit_write(NULL);
    }
    elf_space_fini(&s);
}

static void test_build_names_of_jits(void)
{
    static const struct {
        const char *raw, *name, *file;
        int64_t line;
    } t[] = {
        { "JS:*total /app/cart.js:10:3", "total", "/app/cart.js", 10 },
        { "LazyCompile:~next file:///app/m.mjs:7:1", "next", "/app/m.mjs", 7 },
        { "Function:^go node:internal/timers:12:20", "go",
          "node:internal/timers", 12 },
        { "Script:~ /app/main.js:1:1", "(anonymous)", "/app/main.js", 1 },
        { "Eval:+a b /x y.js:3:4", "a b /x", "y.js", 3 },
        { "JS:*plain", "plain", "", 0 },
        { "JS:f /app/x.js:5", "f", "/app/x.js", 5 },
        { "JS:f /app/x.js:99999999999:1", "f", "/app/x.js:99999999999", 1 },
        { "JS:", "(anonymous)", "", 0 },
        { "Builtin:ArrayMap", "Builtin:ArrayMap", "", 0 },
        { "py::Cart.total:/app/cart.py", "Cart.total", "/app/cart.py", 0 },
        { "py::", "py::", "", 0 },
        { "Lcom/shop/Cart;::total", "com.shop.Cart.total", "", 0 },
        { "long com.shop.Cart.total(int, java.lang.Object)",
          "com.shop.Cart.total", "", 0 },
        { "int[] Cart.all()", "Cart.all", "", 0 },
        { "int Cart$$Lambda$7/0x00007f0afc000c08.add(int)",
          "Cart$$Lambda$7.add", "", 0 },
        { "int Cart$$Lambda/0x1()", "int Cart$$Lambda/0x1()", "", 0 },
        { "Interpreter", "Interpreter", "", 0 },
        { "StubRoutines (1)", "StubRoutines (1)", "", 0 },
        { "L;::", ".", "", 0 },
        { "void [Shop] Shop.Cart::Total(int32)[Tier1]",
          "void [Shop] Shop.Cart::Total(int32)[Tier1]", "", 0 },
    };
    char text[ELF_NAME_BYTES];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct build_name f = build_jit_name(txt_slice(t[i].raw), text);
        CHECK(txt_equal(f.name, txt_slice(t[i].name)) &&
              txt_equal(f.file, txt_slice(t[i].file)) &&
              f.start_line == t[i].line);
        CHECK(txt_equal(f.symbol, txt_slice(t[i].raw)));
        if (unit_bad)
            printf("# %s is %.*s in %.*s\n", t[i].raw, (int)f.name.n, f.name.p,
                   (int)f.file.n, f.file.p);
    }
}

static void test_build_hint_for_jit_code(void)
{
    static const struct { const char *path, *part; } t[] = {
        { "/usr/bin/node", "--interpreted-frames-native-stack" },
        { "/usr/lib/libnode.so.108", "--interpreted-frames-native-stack" },
        { "/opt/jdk/lib/server/libjvm.so", "Compiler.perfmap" },
        { "/usr/share/dotnet/libcoreclr.so", "DOTNET_PerfMapEnabled=1" },
        { "/usr/lib/libpython3.12.so.1.0", "-X perf" },
        { "/usr/bin/python3.13", "-X perf_jit" },
        { "/usr/bin/python3.11", "give them with -X perf" },
        { "/usr/bin/nodeploy", NULL },
        { "/usr/lib/libjvmti.so", NULL }, { "", NULL },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct elf_map k = { .path = t[i].path };
        struct elf_space s = { .map = &k, .nmaps = 1 };
        const char *hint = build_find_hint(&s);
        CHECK(t[i].part ? hint && txt_ends(txt_slice(hint), t[i].part) : !hint);
    }
    /* Java and Python in one process: without JIT code it is Python's turn */
    struct elf_map k[2] = { { .path = "/opt/libjvm.so" },
                            { .path = "/usr/lib/libpython3.11.so.1.0" } };
    struct elf_space s = { .map = k, .nmaps = 2 };
    const char *hint = build_interpreter_hint(&s);
    CHECK(hint && txt_ends(txt_slice(hint), "give them with -X perf"));
    s.nmaps = 1;
    CHECK(!build_interpreter_hint(&s));
}

static void test_rec_names_jit_code(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char line[128];
    void *code = mmap(NULL, page, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t pc = (uint64_t)(uintptr_t)code + 0x10;
    struct pp p;
    CHECK(code != MAP_FAILED);
    const struct pp_location *l = unit_sample_at(&p, pc, NULL);
    CHECK(l->nlines == 0 && l->mapping == MEM_NONE);
    pp_fini(&p);
    snprintf(line, sizeof line, "%" PRIx64 " 20 JS:*total /app/cart.js:10:3\n",
             pc - 0x10);
    unit_jit_write(line);
    l = unit_sample_at(&p, pc, NULL);
    unit_jit_write(NULL);
    CHECK(l->nlines == 1 && l->mapping == MEM_NONE);
    const struct pp_line *n = &p.line[l->line];
    const struct pp_function *f = &p.function[n->function];
    CHECK(txt_equal(f->name, txt_slice("total")) && n->line == 10 &&
          txt_equal(f->file, txt_slice("/app/cart.js")) && f->start_line == 10);
    CHECK(txt_equal(f->system_name,
                    txt_slice("JS:*total /app/cart.js:10:3")));
    pp_fini(&p);
    munmap(code, page);
}

/* ---- demangling ---- */

static void test_elf_knows_mangled_names(void)
{
    static const struct { const char *name; bool mangled; size_t hash; } t[] = {
        { "_ZN1G8SayHelloEi", true, 0 },
        { "_ZN4core3fmt5write17h0123456789abcdefE", true, 19 },
        { "_ZN4core3fmt5write17h0123456789abcdefE.llvm.42", true, 19 },
        { "_ZN4core3fmt5write17h0123456789abcdegE", true, 0 },
        { "_ZN4core3fmt5write17h0123456789abcdefEv", true, 0 },
        { "_ZN17h0123456789abcdefE", true, 0 },
        { "_ZN12_GLOBAL__N_13fooEv", true, 0 },
        { "_RNvC3foo3bar", true, 0 }, { "_R3foo", true, 0 },
        { "_Restore", false, 0 }, { "_Read", false, 0 }, { "_Z", true, 0 },
        { "_ZN1a\nb", false, 0 }, { "_ZN1a b", false, 0 },
        { "main", false, 0 }, { "_", false, 0 }, { "", false, 0 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        CHECK(elf_is_mangled(t[i].name) == t[i].mangled);
        CHECK(elf_rust_hash(t[i].name) == t[i].hash);
        if (unit_bad)
            printf("# %s\n", t[i].name);
    }
}

/* Set shown[2] to what two names are shown as when the shell script text, or
 * nothing if NULL, is c++filt. */
static void unit_filter(const char *dir, const char *text, char shown[2][64])
{
    static const char *const name[2] = {
        "_ZN4core3fmt5write17h0123456789abcdefE", "_ZN1G8SayHelloEi" };
    struct elf m = {0};
    struct elf_spot spot[2] = {{0}};
    char *was = getenv("PATH"), *kept = was ? strdup(was) : NULL;
    if (text)
        unit_fake(dir, "c++filt", text);
    for (int i = 0; i < 2; i++)
        spot[i].name = spot[i].symbol = name[i];
    setenv("PATH", dir, 1);
    elf_demangle_all(&m, spot, 2);
    if (kept)
        setenv("PATH", kept, 1);
    free(kept);
    for (int i = 0; i < 2; i++)
        snprintf(shown[i], 64, "%s", spot[i].name);
    CHECK(spot[0].symbol == name[0] && spot[1].symbol == name[1]);
    elf_fini(&m);
}

static void test_elf_demangles(void)
{
    static const char *const bad[] = {
        NULL,                           /* no c++filt at all */
        "exit 1", "exit 0", "kill -SEGV $$", "echo one",
        "echo a; echo b; exit 1", "echo a; echo b; echo c", "echo a; printf b",
        "echo a; printf '\\377\\n'",
        "echo; echo", "exec /usr/bin/yes", "exec /bin/cat",
    };
    char dir[32], shown[2][64];
    unit_dir(dir);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unit_filter(dir, bad[i], shown);
        CHECK(!strcmp(shown[0], "_ZN4core3fmt5write17h0123456789abcdefE"));
        CHECK(!strcmp(shown[1], "_ZN1G8SayHelloEi"));
        if (unit_bad)
            printf("# c++filt is: %s\n", bad[i] ? bad[i] : "absent");
    }
    unit_filter(dir, "[ $1 = -i ] && read a && read b && [ $b = "
                "_ZN1G8SayHelloEi ] && echo core::fmt::write::h0123456789abcdef"
                " && echo 'G::SayHello(int)'", shown);
    CHECK(!strcmp(shown[0], "core::fmt::write"));
    CHECK(!strcmp(shown[1], "G::SayHello(int)"));
    unit_filter(dir, "echo core::fmt::write; echo", shown);
    CHECK(!strcmp(shown[0], "core::fmt::write"));
    CHECK(!strcmp(shown[1], "_ZN1G8SayHelloEi"));
    unit_dir_end(dir);
}
