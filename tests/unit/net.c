
/* ---- NET ---- */

/* The name to verify by TLS is the host, without port or brackets. */
static void test_tls_peer_name(void)
{
    static const struct { const char *authority, *name; } row[] = {
        { "a.example:443", "a.example" }, { "a.example", "a.example" },
        { "127.0.0.1:1", "127.0.0.1" }, { "[::1]:1", "::1" },
        { "[::1]", "::1" }, { "", "" } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct tls_peer p;
        tls_peer_name(&p, row[i].authority);
        CHECK(!strcmp(p.name, row[i].name));
    }
}

/* Addresses: which forms are accepted, and what they mean. */
static void test_net_addr(void)
{
    static const struct { const char *in; bool remote; const char *out; } ok[] =
    {
        { "127.0.0.1:50051", false, "127.0.0.1:50051" },
        { "[::1]:80", false, "[::1]:80" },
        { "50051", false, "127.0.0.1:50051" },
        { ":8080", false, "127.0.0.1:8080" },
        { "0.0.0.0:0", false, "0.0.0.0:0" },
        { "unix:/tmp/x", false, "unix:/tmp/x" },
        { "unix:///tmp/x", true, "unix:/tmp/x" },
        { "unix:x", true, "unix:x" },
        { "dns:///127.0.0.1:1", true, "127.0.0.1:1" },
        { "http://127.0.0.1:65535", true, "127.0.0.1:65535" },
        { "http://127.0.0.1:9/", true, "127.0.0.1:9" },
        { "dns:///[::1]:2", true, "[::1]:2" },
        { "unix:///tmp/a,b", false, "unix:/tmp/a,b" },
        { "unix:////x", false, "unix://x" },
        { "unix-abstract:a b/c", false, "unix-abstract:a b/c" },
        { "UNIX-Abstract:///x", true, "unix-abstract:/x" },
        { "dns:127.0.0.1:1", true, "127.0.0.1:1" },
        { "passthrough:///127.0.0.1:1", true, "127.0.0.1:1" },
        { "passthrough:[::1]:1", true, "[::1]:1" },
        { "dns:[::1]", true, "[::1]:443" },
        { "ipv4:127.0.0.1:1", true, "127.0.0.1:1" },
        { "ipv4:127.0.0.1", true, "127.0.0.1:443" },
        { "ipv4:///127.0.0.1:7", true, "127.0.0.1:7" },
        { "ipv6:[::1]:1", true, "[::1]:1" },
        { "ipv6:::1", true, "[::1]:443" }, { "ipv6:[::1]", true, "[::1]:443" },
        { "grpc://127.0.0.1:1", true, "127.0.0.1:1" },
        { "GRPC://127.0.0.1:1/", true, "127.0.0.1:1" },
        { "grpcs://127.0.0.1", true, "127.0.0.1:443" },
        { "https://[::1]", true, "[::1]:443" },
        { "https://127.0.0.1:1", true, "127.0.0.1:1" },
        { "http://127.0.0.1", true, "127.0.0.1:80" },
    };
    static const struct { const char *in; bool remote; } bad[] = {
        { "", false }, { ":", false }, { "localhost", false },
        { "127.0.0.1:", false }, { "127.0.0.1:x", false },
        { "127.0.0.1:65536", false }, { "127.0.0.1:0", true }, { "0", true },
        { "127.0.0.1:1x", false }, { "127.0.0.1: 1", false },
        { "::1:80", false }, { "[::1]", false }, { "[::1]80", false },
        { "[::1:80", false }, { "a b:1", false }, { "a/b:1", false },
        { "unix:", false }, { "http://127.0.0.1:1", false },
        { "http://127.0.0.1:1/x", true }, { "http://127.0.0.1:1//", true },
        { "dns:///", true }, { "-1", false }, { "+1", false },
        { "unix-abstract:", false }, { "unix:", true },
        { "unix://x", true }, { "unix-abstract://x", true },
        { "dns://127.0.0.1/h:1", true }, { "dns:50051", true },
        { "ipv4:localhost:1", true }, { "ipv4:[::1]:1", true },
        { "ipv4:::1", true }, { "ipv6:127.0.0.1:1", true },
        { "ipv4:", true }, { "ipv4:127.0.0.1:1,", true },
        { "ipv4:,127.0.0.1:1", true }, { "ipv4:127.0.0.1:0", true },
        { "dns:///127.0.0.1:1,127.0.0.1:2", true }, { "grpc://", true },
        { "grpc://127.0.0.1", true }, { "grpcs:127.0.0.1:1", true },
        { "https://u@127.0.0.1", true }, { "dns:127.0.0.1:1", false },
        { "ipv4:127.0.0.1:1", false }, { "https://127.0.0.1:1", false },
        { "grpc://127.0.0.1:1", false }, { "passthrough:///127.0.0.1", true },
        { "passthrough:///1", true }, { "passthrough:127.0.0.1:1", false },
    };
    static const struct { const char *in, *why; bool remote; } said[] = {
        { "tcp://127.0.0.1:1", "unknown scheme; write HOST:PORT, grpc", true },
        { "h2c://127.0.0.1:1", "unknown scheme; write HOST:PORT, grpc", true },
        { "xds:///x", "unknown scheme", true },
        { "tcp://127.0.0.1:1", "write HOST:PORT, unix: or", false },
        { "http://u:p@127.0.0.1:1", "no user may stand before the host", true },
        { "u:p@127.0.0.1:1", "no user may stand before the host", true },
        { "::1:80", "write an IPv6 address as [::1]:50051", true },
    };
    struct net_addr a[NET_ADDRS];
    struct gp_why why;
    size_t n;
    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++) {
        CHECK(!net_addr_parse(ok[i].in, ok[i].remote, a, &n, &why));
        CHECK(n >= 1 && !strcmp(a[0].text, ok[i].out));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why.text[0] = 0;
        CHECK(net_addr_parse(bad[i].in, bad[i].remote, a, &n, &why) < 0);
        CHECK(strstr(why.text, bad[i].in) != NULL);     /* names the text */
    }
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        CHECK(net_addr_parse(said[i].in, said[i].remote, a, &n, &why) ==
              GP_EUSAGE);
        CHECK(strstr(why.text, said[i].why) != NULL);
    }
    char path[200] = "unix:/";
    memset(path + 6, 'x', 120);
    CHECK(net_addr_parse(path, false, a, &n, &why) == GP_EUSAGE);
    memcpy(path, "unix-abstract:", 14);
    CHECK(net_addr_parse(path, false, a, &n, &why) == GP_EUSAGE);
    path[14 + 107] = 0;                 /* the longest */
    CHECK(!net_addr_parse(path, false, a, &n, &why));
    CHECK(a[0].len == sizeof a->un && !strcmp(a[0].text, path));
    /* A list: each address once, in order, and no more than fit. */
    CHECK(!net_addr_parse("ipv4:127.0.0.1:1,127.0.0.2,127.0.0.1:1,127.0.0.3:4",
                          true, a, &n, &why));
    CHECK(n == 3 && !strcmp(a[0].text, "127.0.0.1:1") &&
          !strcmp(a[1].text, "127.0.0.2:443") &&
          !strcmp(a[2].text, "127.0.0.3:4") && !a[2].tls);
    CHECK(!net_addr_parse("ipv4:127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,"
                          "127.0.0.1:4,127.0.0.1:5,127.0.0.1:6,127.0.0.1:7,"
                          "127.0.0.1:8,127.0.0.1:9", true, a, &n, &why));
    CHECK(n == NET_ADDRS && !strcmp(a[NET_ADDRS - 1].text, "127.0.0.1:8"));
    CHECK(!net_addr_parse("ipv6:[::1]:1,::2", true, a, &n, &why));
    CHECK(n == 2 && !strcmp(a[1].text, "[::2]:443"));
    CHECK(!net_addr_parse("grpcs://127.0.0.1:1", true, a, &n, &why));
    CHECK(a[0].tls);
}

/* The :authority: as gRPC's clients send it for each form of an address. */
static void test_net_authority(void)
{
    static const struct { const char *in, *out; } cases[] = {
        { "127.0.0.1:50051", "127.0.0.1:50051" }, { "[::1]:80", "[::1]:80" },
        { "50051", "127.0.0.1:50051" }, { ":8080", "127.0.0.1:8080" },
        { "unix:/tmp/x:y", "localhost" }, { "unix:///tmp/x", "localhost" },
        { "unix-abstract:x", "localhost" }, { "dns:127.0.0.1:1", "127.0.0.1:1" },
        { "dns:///127.0.0.1", "127.0.0.1" },
        { "passthrough:///127.0.0.1:1", "127.0.0.1:1" }, { "dns:///[::1]:2", "[::1]:2" },
        { "ipv4:127.0.0.1:1", "127.0.0.1:1" },
        { "ipv4:///127.0.0.1,127.0.0.2:5", "127.0.0.1" },
        { "ipv6:[::1]:1,[::2]:3", "[::1]:1" }, { "ipv6:::1", "[::1]" },
        { "grpc://127.0.0.1:1/", "127.0.0.1:1" },
        { "https://127.0.0.1", "127.0.0.1" },
        { "http://127.0.0.1:80", "127.0.0.1:80" },
    };
    struct net_addr a[NET_ADDRS];
    char host[NET_AUTHORITY_BYTES];
    struct gp_why why;
    size_t n;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(!net_addr_parse(cases[i].in, true, a, &n, &why));
        CHECK(!strcmp(net_authority(cases[i].in, a, host), cases[i].out));
    }
}

/* Listening on every address of a name: with one port; an address that the
 * machine lacks is left out, one that is taken is an error. */
static void test_net_listen(void)
{
    struct net_addr a[NET_ADDRS], b[NET_ADDRS];
    int fd[NET_ADDRS], other[NET_ADDRS];
    struct gp_why why;
    size_t n, one = 1;
    CHECK(!net_addr_parse("ipv4:127.0.0.1:1,192.0.2.1:1,127.0.0.2:1", true, a,
                          &n, &why) && n == 3);
    for (size_t i = 0; i < n; i++)
        *net_port(&a[i]) = 0;
    memcpy(b, a, sizeof a);
    CHECK(!net_listen(a, &n, fd, &why) && n == 2);
    CHECK(*net_port(&a[0]) && *net_port(&a[0]) == *net_port(&a[1]));
    CHECK(!strncmp(a[1].text, "127.0.0.2:", 10));
    b[0] = a[1];                        /* the same address again: taken */
    CHECK(net_listen(b, &one, other, &why) == GP_EIO);
    CHECK(strstr(why.text, b[0].text) && strstr(why.text, "another port"));
    b[0] = b[1];                        /* none is of this machine */
    CHECK(net_listen(b, &one, other, &why) == GP_EIO);
    CHECK(strstr(why.text, "not an address of this machine") != NULL);
    close(fd[0]);
    close(fd[1]);
    /* An abstract socket needs no file, and is gone with its descriptor. */
    char name[60];
    snprintf(name, sizeof name, "unix-abstract:grpcprof unit %d", getpid());
    CHECK(!net_addr_parse(name, false, a, &n, &why));
    CHECK(!net_listen(a, &n, fd, &why) && n == 1);
    CHECK(net_listen(a, &n, other, &why) == GP_EIO);
    CHECK(strstr(why.text, "choose another name") != NULL);
    int c = net_connect(a);
    CHECK(c >= 0);
    close(c);
    close(fd[0]);
    CHECK(net_connect(a) < 0 && errno == ECONNREFUSED);
}

/* Addresses of a table made of text, for sockets 7031 and 18446744073709551615;
 * joined by blanks into to. */
static const char *listens(bool local, const char *text, char to[400])
{
    uint64_t inode[] = { 7031, UINT64_MAX };
    struct net_listens l = { .inode = inode, .ninodes = 2,
                             .until_ns = INT64_MAX };
    const char *at = NULL;
    char path[] = "/tmp/grpcprof-table-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && !sys_write_fd(fd, text, strlen(text)));
    net_listens_table(&l, path, local ? net_listens_unix : net_listens_tcp);
    close(fd);
    unlink(path);
    for (*to = 0; (at = net_listens_next(&l, at)); )
        snprintf(to + strlen(to), 400 - strlen(to), "%s%s", *to ? " " : "", at);
    mem_fini(&l.text);
    return to;
}

#define TCP_REST " 00000000:00000000 00:00000000 00000000  0  0 "

/* Tables of /proc/PID/net, as the kernel writes them and as it does not. */
static void test_net_listens_text(void)
{
    static const struct { const char *line, *want; } tcp[] = {
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "7031 1 0",
          "127.0.0.1:50051" },
        { "9999: 00000000:0050 00000000:0000 0A" TCP_REST
          "18446744073709551615", "0.0.0.0:80" },
        { "0: 00000000000000000000000000000000:FFFF 0:0 0A" TCP_REST "7031",
          "[::]:65535" },
        { "0: 00000000000000000000000001000000:0001 0:0 0A" TCP_REST "7031",
          "[::1]:1" },
        { "0: B80D0120000000000000000001000000:0001 0:0 0A" TCP_REST "7031",
          "[2001:db8::1]:1" },
        { "0: 0000000000000000FFFF00000100007F:0001 0:0 0A" TCP_REST "7031",
          "127.0.0.1:1" },
        /* another socket; a connection; not an inode */
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "7030", "" },
        { "0: 0100007F:C383 0100007F:0001 01" TCP_REST "7031", "" },
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "0", "" },
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "7031x", "" },
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "-7031", "" },
        { "0: 0100007F:C383 00000000:0000 0A" TCP_REST "18446744073709558647",
          "" },
        /* not an address */
        { "0: 0100007F:C383: 0:0 0A" TCP_REST "7031", "" },
        { "0: 0100007FC3:83 0:0 0A" TCP_REST "7031", "" },
        { "0: 0100007G:C383 0:0 0A" TCP_REST "7031", "" },
        { "0: 0100007F:C38G 0:0 0A" TCP_REST "7031", "" },
        { "0: 0100007F0100007F:C383 0:0 0A" TCP_REST "7031", "" },
        { "0: :C383 0:0 0A" TCP_REST "7031", "" },
        { "0: 0100007F 0:0 0A" TCP_REST "7031", "" },
        { "0: 0000000000000000FFFF00000100007:0001 0:0 0A" TCP_REST "7031",
          "" },
        /* too short, too long */
        { "", "" }, { "0:", "" }, { "0: 0100007F:C383 00000000:0000 0A", "" },
        { "\n\n\n", "" },
        { "0: 0100007F:C383 00000000:0000 0AA" TCP_REST "7031", "" },
    };
    static const struct { const char *line, *want; } local[] = {
        { "0: 00000002 00000000 00010000 0001 01  7031 /tmp/a b",
          "unix:/tmp/a b" },
        { "0: 00000002 00000000 00010000 0001 01  7031 @name/@@",
          "unix-abstract:name/@@" },
        { "0: 00000002 00000000 00010000 0001 01  7031 x", "unix:x" },
        { "0: 00000002 00000000 00010000 0001 01  7031", "" },
        { "0: 00000002 00000000 00010000 0001 01  7031 @", "" },
        { "0: 00000003 00000000 00000000 0001 03  7031 /tmp/a", "" },
        { "0: 00000002 00000000 00010000 0005 01  7031 /tmp/a", "" },
        { "0: 00000002 00000000 00010000 0001 01  7032 /tmp/a", "" },
        { "0: 00000002 00000000 000100000 0001 01  7031 /tmp/a", "" },
        { "0: 00000002", "" },
    };
    char text[1000], got[400];
    for (size_t i = 0; i < sizeof tcp / sizeof *tcp; i++) {
        snprintf(text, sizeof text, "  sl  local_address\n%s", tcp[i].line);
        CHECK(!strcmp(listens(false, text, got), tcp[i].want));
        strcat(text, "\n");
        CHECK(!strcmp(listens(false, text, got), tcp[i].want));
        if (!*tcp[i].want)
            CHECK(!strcmp(listens(true, text, got), ""));
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        snprintf(text, sizeof text, "Num RefCount\n%s\n", local[i].line);
        CHECK(!strcmp(listens(true, text, got), local[i].want));
        CHECK(!strcmp(listens(false, text, got), ""));
    }
    /* The first line has titles, an address is there once, a path is cut. */
    snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n", tcp[1].line, tcp[0].line,
             tcp[0].line, tcp[3].line);
    CHECK(!strcmp(listens(false, text, got), "127.0.0.1:50051 [::1]:1"));
    CHECK(!strcmp(listens(false, tcp[0].line, got), ""));
    CHECK(!strcmp(listens(false, "", got), ""));
    /* Connections are after those that listen, and are not read. */
    snprintf(text, sizeof text, "t\n%s\n%s\n%s\n", tcp[0].line,
             "1: 0100007F:C383 0100007F:0001 01" TCP_REST "7031", tcp[3].line);
    CHECK(!strcmp(listens(false, text, got), "127.0.0.1:50051"));
    size_t n = (size_t)snprintf(text, sizeof text, "t\n%s", local[0].line);
    memset(text + n, 'x', 600);
    text[n + 600] = 0;
    CHECK(!strncmp(listens(true, text, got), "unix:/tmp/a bxxxx", 17));
    CHECK(strlen(got) < sizeof (struct net_addr));
}

/* True if one of the n processes pid listens on text.  The search has a time
 * limit, which a busy machine can reach: some tries. */
static bool listening(const pid_t *pid, size_t n, const char *text)
{
    const char *at = NULL;
    for (int i = 0; i < 5 && !at; i++) {
        struct net_listens l;
        net_listens_init(&l, pid, n);
        while ((at = net_listens_next(&l, at)) && strcmp(at, text))
            ;
        net_listens_fini(&l);
    }
    return at != NULL;
}

/* What this process and a child listen on. */
static void test_net_listens(void)
{
    char dir[] = "/tmp/grpcprof-unit-XXXXXX", path[64];
    const char *const where[] = { "127.0.0.1:0", "0.0.0.0:0", path, "[::1]:0",
                                  "[::]:0" };
    struct net_addr a[5][NET_ADDRS];
    int fd[5], got[NET_ADDRS], pipes[2];
    size_t n;
    struct gp_why why;
    CHECK(mkdtemp(dir) != NULL && !pipe(pipes));
    snprintf(path, sizeof path, "unix:%s/s", dir);
    for (int i = 0; i < 5; i++) {       /* IPv6 may be off */
        CHECK(!net_addr_parse(where[i], false, a[i], &n, &why));
        fd[i] = net_listen(a[i], &n, got, &why) ? -1 : got[0];
        CHECK(fd[i] >= 0 || i > 2);
    }
    pid_t child = fork();
    if (!child) {                       /* keeps its copies of the sockets */
        close(pipes[1]);
        _exit(read(pipes[0], path, 1) != 0);
    }
    const pid_t both[] = { 0, child }, nobody = 0x3fffffff;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 5; i++) {
            const char *text = a[i][0].text;
            if (fd[i] < 0)
                continue;
            CHECK(listening(&both[0], 1, text) == (turn == 0));
            CHECK(listening(&child, 1, text));
            CHECK(listening(both, 2, text));
            CHECK(!listening(&nobody, 1, text) && !listening(NULL, 0, text));
            if (turn == 0)
                close(fd[i]);
        }
    }
    close(pipes[1]);
    CHECK(waitpid(child, NULL, 0) == child);
    close(pipes[0]);
    unlink(path + 5);
    rmdir(dir);
}

/* A child in a network of its own: its addresses are found there, and the
 * network has another name. */
static void test_net_listens_elsewhere(void)
{
    char name[160] = "", own[NET_NETWORK_BYTES], its[NET_NETWORK_BYTES];
    struct net_addr a[NET_ADDRS];
    struct gp_why why;
    size_t n;
    int up[2], down[2];
    CHECK(!pipe(up) && !pipe(down));
    pid_t child = fork();
    if (!child) {
        close(down[1]);
        bool alone = !unshare(CLONE_NEWNET) ||
                     !unshare(CLONE_NEWUSER | CLONE_NEWNET);
        alone = alone && !net_addr_parse("0.0.0.0:0", false, a, &n, &why) &&
                net_listen_one(a) >= 0;
        snprintf(name, sizeof name, "%s", alone ? a->text : "-");
        (void)!write(up[1], name, sizeof name - 1);
        _exit(read(down[0], name, 1) != 0);
    }
    close(up[1]);
    CHECK(read(up[0], name, sizeof name - 1) > 0);
    if (*name != '-') {                 /* else it may not have one */
        net_network(0, own);
        net_network(child, its);
        CHECK(*its && strcmp(own, its));
        CHECK(listening(&child, 1, name));
        const pid_t both[] = { child, 0, child };
        CHECK(listening(both, 3, name));
    }
    close(down[1]);
    CHECK(waitpid(child, NULL, 0) == child);
    close(down[0]);
    close(up[0]);
}

static int64_t test_net_fired[200];
static size_t test_net_nfired;

/* A timer's callback: note when it was due. */
static void test_net_on_time(struct net_timer *t)
{
    CHECK(t->at == 0);
    test_net_fired[test_net_nfired++] = t->due_ns;
}

/* Timers fire in order, once, and not when stopped, whatever was armed,
 * moved and stopped before. */
static void test_net_timers(void)
{
    enum { N = 200 };
    static struct net_timer t[N];
    struct net_loop l;
    uint32_t seed = 1;
    CHECK(!net_loop_init(&l, NULL));
    for (int round = 0; round < 50; round++) {
        size_t armed = 0;
        test_net_nfired = 0;
        for (int i = 0; i < 3 * N; i++) {
            seed = seed * 1664525 + 1013904223;
            struct net_timer *x = &t[(seed >> 8) % N];
            x->on_time = test_net_on_time;
            if (seed >> 30 == 0)
                net_timer_stop(&l, x);
            else
                CHECK(!net_timer_arm(&l, x, 1 + (int64_t)(seed >> 16) % 1000));
        }
        for (int i = 0; i < N; i++)
            armed += t[i].at != 0;
        CHECK(armed == l.nheap);
        l.now_ns = 500;
        net_timers_run(&l);
        CHECK(!l.nheap || l.heap[0]->due_ns > 500);
        l.now_ns = 1000;
        net_timers_run(&l);
        CHECK(test_net_nfired == armed && l.nheap == 0);
        for (size_t i = 1; i < test_net_nfired; i++)
            CHECK(test_net_fired[i - 1] <= test_net_fired[i]);
    }
    net_loop_fini(&l);
}

struct test_net_posts { struct net_loop l; int got, last; };
static struct test_net_posts test_net_posts;

/* A posted task: they come in order. */
static void test_net_task(void *arg)
{
    int i = (int)(intptr_t)arg;
    CHECK(i == test_net_posts.last + 1);
    test_net_posts.last = i;
    test_net_posts.l.stop = ++test_net_posts.got == 10000;
}

/* A thread that posts; returns arg when all went well. */
static void *test_net_poster(void *arg)
{
    for (int i = 1; i <= 10000; i++) {
        if (net_loop_post(arg, test_net_task, (void *)(intptr_t)i))
            return NULL;
        if (i % 1000 == 0)
            usleep(1000);               /* let the loop fall asleep */
    }
    return arg;
}

/* Tasks posted by another thread all run, in order, and wake the loop. */
static void test_net_post(void)
{
    pthread_t thread;
    void *end = NULL;
    struct net_loop *l = &test_net_posts.l;
    test_net_posts.got = test_net_posts.last = 0;
    CHECK(!net_loop_init(l, NULL));
    CHECK(!sys_thread_start(&thread, "poster", true, test_net_poster, l,
                            NULL));
    net_loop_run(l);
    CHECK(test_net_posts.got == 10000);
    pthread_join(thread, &end);
    CHECK(end == l);
    net_loop_fini(l);
}

/* ---- FLOOD, on a simulated clock ---- */

static struct { unsigned frames; uint8_t type; } test_flood_heard;

/* Count a frame header, and note its type. */
static void test_flood_head(void *arg, const uint8_t *h)
{
    CHECK(arg == &test_flood_heard);
    test_flood_heard.frames++;
    test_flood_heard.type = h[3];
}

/* Receive a frame with n bytes of payload in pieces of at most step bytes. */
static bool test_flood_frame(struct flood *f, int64_t now_ns, uint8_t type,
                             uint8_t flags, uint8_t n, size_t step)
{
    uint8_t frame[9 + 255] = { 0, 0, n, type, flags, 0, 0, 0, 1 };
    size_t end = 9 + (size_t)n;
    bool ok = true;
    memset(frame + 9, 4, n);            /* no header is found in a payload */
    for (size_t at = 0, k; ok && at < end; at += k) {
        k = end - at < step ? end - at : step;
        size_t got = flood_scan(f, now_ns, frame + at, k, test_flood_head,
                                &test_flood_heard);
        ok = !f->reason;
        CHECK(!ok || got == k);
        CHECK(!ok || flood_midway(f) == (at + k < end || f->block));
    }
    return ok;
}

/* Each kind of frame exhausts the budget after as many as its cost says, and
 * its reason is kept; the budget refills with time and answered calls. */
static void test_flood_budgets(void)
{
    enum { LAST = NGHTTP2_FLAG_END_STREAM, OVER = NGHTTP2_FLAG_END_HEADERS,
           PAD = NGHTTP2_FLAG_PADDED };
    static const struct {
        uint8_t type, flags, bytes;
        int cost;                       /* 0: free */
        enum flood_reason reason;
    } row[] = {
        { NGHTTP2_DATA, 0, 1, 0, FLOOD_NONE },
        { NGHTTP2_DATA, LAST, 0, 0, FLOOD_NONE },
        { NGHTTP2_DATA, 0, 0, FLOOD_COST_EMPTY, FLOOD_EMPTY },
        { NGHTTP2_DATA, PAD, 5, FLOOD_COST_EMPTY, FLOOD_EMPTY },
        { NGHTTP2_DATA, PAD, 3, FLOOD_COST_EMPTY, FLOOD_EMPTY },
        { NGHTTP2_DATA, PAD, 6, 0, FLOOD_NONE },
        { NGHTTP2_DATA, PAD | LAST, 5, 0, FLOOD_NONE },
        { NGHTTP2_HEADERS, OVER | PAD, 5, 0, FLOOD_NONE },
        { NGHTTP2_HEADERS, OVER, 3, 0, FLOOD_NONE },
        { NGHTTP2_PRIORITY, 0, 5, FLOOD_COST_PRIORITY, FLOOD_PRIORITY },
        { NGHTTP2_RST_STREAM, 0, 4, 0, FLOOD_NONE },    /* flood_reset does */
        { NGHTTP2_SETTINGS, 0, 6, FLOOD_COST_SETTINGS, FLOOD_SETTINGS },
        { NGHTTP2_PUSH_PROMISE, 0, 4, FLOOD_COST_UNKNOWN, FLOOD_UNKNOWN },
        { NGHTTP2_PING, NGHTTP2_FLAG_ACK, 8, FLOOD_COST_PING, FLOOD_PING },
        { NGHTTP2_GOAWAY, 0, 8, FLOOD_COST_GOAWAY, FLOOD_GOAWAY },
        { NGHTTP2_WINDOW_UPDATE, 0, 4, FLOOD_COST_UPDATE, FLOOD_UPDATE },
        { NGHTTP2_CONTINUATION, OVER, 3, FLOOD_COST_CONTINUE,
          FLOOD_CONTINUATION },
        { 10, 0, 0, FLOOD_COST_UNKNOWN, FLOOD_UNKNOWN },
        { 255, 255, 200, FLOOD_COST_UNKNOWN, FLOOD_UNKNOWN },
    };
    struct flood f;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        int n = 0, want = row[i].cost ? FLOOD_BUDGET / row[i].cost - 1 : 5000;
        flood_init(&f, 7);
        while (n < 5000 && test_flood_frame(&f, 7, row[i].type, row[i].flags,
                                            row[i].bytes, 1 + i))
            n++;
        CHECK(n == want && f.reason == row[i].reason);
        if (f.reason)                   /* stays exhausted, whatever is next */
            CHECK(!flood_charge(&f, INT64_MAX / 2, 0, FLOOD_SETTINGS) &&
                  f.reason == row[i].reason && flood_name[f.reason]);
    }
    /* As many units a second as refill are free for ever; 50 more exhaust the
     * budget in 40 s; an answered call pays for two. */
    const int64_t rate = FLOOD_BUDGET_PER_SEC, s = 1000000000;
    for (int extra = 0; extra <= 50; extra += 50)
        for (int credit = 0; credit <= 1; credit++) {
            int64_t n = 0, most = 1000 * (rate + extra);
            flood_init(&f, 0);
            while (n < most && flood_charge(&f, n * s / (rate + extra), 1,
                                            FLOOD_UPDATE)) {
                if (credit && n % 2)
                    flood_credit(&f);
                CHECK(f.budget.left < FLOOD_BUDGET + FLOOD_CREDIT);
                n++;
            }
            CHECK(extra && !credit ? n / (rate + extra) >= 38 &&
                                     n / (rate + extra) <= 41 : n == most);
        }
    flood_init(&f, 0);                  /* an hour adds no more than is lost */
    for (int i = 0; i < 2; i++) {
        int n = 0;
        while (flood_take(&f.budget, i * 3600 * s, 1, FLOOD_BUDGET, (int)rate))
            n++;
        CHECK(n >= FLOOD_BUDGET - 1 && n <= 2 * FLOOD_BUDGET);
        CHECK(f.budget.left <= 0);
    }
}

/* Resets are charged by their reason: those of deadlines to a budget of their
 * own, and those that cross our own end of a stream to none. */
static void test_flood_resets(void)
{
    const int64_t s = 1000000000, rate = FLOOD_RESETS_PER_SEC;
    struct flood f;
    int n = 0;
    flood_init(&f, 5);
    while (n < 100000 && flood_reset(&f, 5, FLOOD_FREE))
        n++;
    CHECK(n == 100000);
    for (n = 0; flood_reset(&f, 5, FLOOD_DEADLINE); )
        n++;
    CHECK(n == FLOOD_RESET_BURST - 1 && f.reason == FLOOD_RESET);
    CHECK(f.budget.left == FLOOD_BUDGET);
    flood_init(&f, 5);
    for (n = 0; flood_reset(&f, 5, FLOOD_NO_EXCUSE); )
        n++;
    CHECK(n == FLOOD_BUDGET / FLOOD_COST_RESET - 1 && f.reason == FLOOD_RESET);
    flood_init(&f, 5);
    for (int i = 0; i < 1000; i++)      /* we closed 300 of 1,000 streams */
        flood_sent(&f, i < 300);
    for (n = 0; flood_reset_closed(&f, 5); )
        n++;
    CHECK(n == 300 + FLOOD_BUDGET / FLOOD_COST_RESET - 1 && !f.closed);
    flood_init(&f, 5);
    for (int i = 0; i < 2 * FLOOD_UPDATES_MOST; i++)
        flood_sent(&f, true);           /* what is free does not pile up */
    CHECK(f.closed == FLOOD_RESET_BURST && f.updates <= FLOOD_UPDATES_MOST + 1);
    /* Deadlines at the rate that refills: for ever; a fifth more: for 10 s. */
    for (int more = 0; more <= 1; more++) {
        int64_t k = 0, per_sec = rate + more * rate / 5, most = 60 * per_sec;
        flood_init(&f, 0);
        while (k < most && flood_reset(&f, k * s / per_sec, FLOOD_DEADLINE))
            k++;
        CHECK(more ? k / per_sec >= 9 && k / per_sec <= 11 : k == most);
    }
}

/* On streams that we reset, as many bytes are free as may be under way: a
 * window for each, and no more than the connection's. */
static void test_flood_late(void)
{
    struct flood f;
    int n = 0;
    flood_init(&f, 5);
    CHECK(flood_late(&f, 5, 1) && f.budget.left == FLOOD_BUDGET -
                                                   FLOOD_COST_LATE);
    for (int i = 0; i < 10; i++)
        flood_sent_reset(&f, 1000, 4000);
    CHECK(flood_late(&f, 5, 3900));
    for (; flood_late(&f, 5, 1); n++)
        CHECK(n < 100 || f.late == 0);
    CHECK(n == 100 + FLOOD_BUDGET / FLOOD_COST_LATE - 2);
    CHECK(f.reason == FLOOD_LATE);
    flood_init(&f, 5);
    flood_sent_reset(&f, 4 * FLOOD_LATE_BYTES, 8 * FLOOD_LATE_BYTES);
    CHECK(flood_late(&f, 5, 0) && f.late == 4 * FLOOD_LATE_BYTES);
    for (n = 0; flood_late(&f, 5, FLOOD_LATE_BYTES); )
        n++;
    CHECK(n == 4 + FLOOD_BUDGET / FLOOD_COST_LATE - 1);
}

/* An RST_STREAM ends a scan, so that the frame after it sees what it did. */
static void test_flood_scan_stops(void)
{
    static const uint8_t frames[] = {
        0, 0, 1, NGHTTP2_DATA, 0, 0, 0, 0, 1, 'x',
        0, 0, 4, NGHTTP2_RST_STREAM, 0, 0, 0, 0, 1, 0, 0, 0, 8,
        0, 0, 1, NGHTTP2_DATA, 0, 0, 0, 0, 1, 'x',
    };
    for (size_t step = 1; step <= sizeof frames; step++) {
        struct flood f;
        flood_init(&f, 5);
        test_flood_heard.frames = 0;
        for (size_t at = 0, k; at < sizeof frames; at += k) {
            size_t left = sizeof frames - at;
            k = flood_scan(&f, 5, frames + at, left < step ? left : step,
                           test_flood_head, &test_flood_heard);
            CHECK(k && (at >= 23 || at + k <= 23));
            CHECK(test_flood_heard.frames <= 2 || at >= 23);
        }
        CHECK(test_flood_heard.frames == 3 && !flood_midway(&f));
    }
}

/* What grpc-go normally does is free: window updates and PINGs that follow our
 * DATA, keepalive, deadlines.  PINGs without DATA are early. */
static void test_flood_honest(void)
{
    const int64_t ms = 1000000;
    struct flood f;
    bool ok = true;
    flood_init(&f, 0);
    test_flood_heard.frames = 0;
    ok = ok && test_flood_frame(&f, 0, NGHTTP2_SETTINGS, 0, 18, 5);
    ok = ok && test_flood_frame(&f, 0, NGHTTP2_SETTINGS, 1, 0, 5);
    for (int i = 0; i < 100 * 1000; i++) {      /* 100 s of download */
        int64_t now = i * ms;
        flood_sent(&f, i % 50 == 49);
        ok = ok && test_flood_frame(&f, now, NGHTTP2_WINDOW_UPDATE, 0, 4, 99);
        ok = ok && test_flood_frame(&f, now, NGHTTP2_WINDOW_UPDATE, 0, 4, 7);
        if (i % 3 == 0)
            ok = ok && test_flood_frame(&f, now, NGHTTP2_PING, 0, 8, 9);
        for (int k = 0; k < 2; k++)             /* 2,000 deadlines a second */
            ok = ok && flood_reset(&f, now, FLOOD_DEADLINE);
        if (i % 50 == 49)                       /* it crosses our END_STREAM */
            ok = ok && flood_reset_closed(&f, now);
    }
    CHECK(ok && !f.reason && test_flood_heard.type == NGHTTP2_PING);
    CHECK(test_flood_heard.frames == 2 + 200000 + 33334);
    CHECK(f.budget.left == FLOOD_BUDGET - 2 * FLOOD_COST_SETTINGS);
    int64_t now = 200000 * ms;
    for (int i = 0; i < 100; i++, now += 10000 * ms)    /* keepalive, idle */
        CHECK(test_flood_frame(&f, now, NGHTTP2_PING, 0, 8, 17));
    for (int i = 0; i < FLOOD_STRIKES; i++)
        CHECK(test_flood_frame(&f, now + i - 9000 * ms, NGHTTP2_PING, 0, 8, 1));
    flood_sent(&f, false);              /* DATA forgives them */
    CHECK(test_flood_frame(&f, now, NGHTTP2_PING, 0, 8, 17) && !f.strikes);
    for (int i = 0; i < FLOOD_STRIKES; i++)
        CHECK(test_flood_frame(&f, now + i, NGHTTP2_PING, 0, 8, 17));
    CHECK(!test_flood_frame(&f, now + 9, NGHTTP2_PING, 0, 8, 17));
    CHECK(f.reason == FLOOD_PING);
}

/* ---- RPC: framing, timeouts, texts ---- */

/* Run bytes through the framing in two or three pieces; the text of what came
 * out: "P5" prefix of size 5, bytes themselves, "." whole. */
static void test_rpc_cut(const uint8_t *p, size_t n, size_t a, size_t b,
                         struct buf *out)
{
    struct rpc_frame f = {0};
    const size_t end[] = { a, b, n, n };
    size_t at = 0;
    out->len = 0;
    for (int i = 0; i < 4; i++) {
        struct slice in = { (const char *)p + at, end[i] - at }, part;
        enum rpc_step step;
        at = end[i];
        while ((step = rpc_frame_next(&f, &in, &part)) != RPC_MORE)
            if (step == RPC_PREFIX)
                txt_putf(out, "P%u:%u ", f.prefix[0], f.size);
            else if (step == RPC_BYTES)
                mem_put(out, part.p, part.n);
            else
                mem_put_byte(out, '.');
        CHECK(in.n == 0);
    }
    txt_putf(out, "%s%u", rpc_frame_cut(&f) ? "cut" : "", f.count);
}

/* Every split of four messages into three pieces gives the same. */
static void test_rpc_framing(void)
{
    static const uint8_t in[] = "\0\0\0\0\3abc" "\0\0\0\0\0"
                                "\1\0\0\0\1z" "\0\0\0\0\2hi";
    static const char want[] = "P0:3 abc.P0:0 .P1:1 z.P0:2 hi.4";
    size_t n = sizeof in - 1;
    struct buf out = {0};
    for (size_t a = 0; a <= n; a++)
        for (size_t b = a; b <= n; b++) {
            test_rpc_cut(in, n, a, b, &out);
            CHECK(out.len == sizeof want - 1 &&
                  !memcmp(out.data, want, out.len));
        }
    for (size_t k = 0; k < n; k++) {    /* every truncation is seen as one */
        test_rpc_cut(in, k, 0, k, &out);
        bool between = k == 0 || k == 8 || k == 13 || k == 19;
        mem_put_byte(&out, 0);
        CHECK(!strstr((char *)out.data, "cut") == between);
    }
    uint8_t prefix[5];
    rpc_frame_prefix(prefix, 0x01020304);
    CHECK(!memcmp(prefix, "\0\1\2\3\4", 5));
    mem_fini(&out);
}

/* grpc-timeout, both ways. */
static void test_rpc_timeout_parse(void)
{
    static const struct { const char *text; int64_t ns; } ok[] = {
        { "1n", 1 }, { "1u", 1000 }, { "1m", 1000000 }, { "1S", 1000000000 },
        { "1M", 60000000000 }, { "1H", 3600000000000 }, { "0m", 0 },
        { "00000001S", 1000000000 }, { "99999999H", INT64_MAX / 2 },
        { "99999999M", 5999999940000000000 > INT64_MAX / 2 ? INT64_MAX / 2
                       : 5999999940000000000 },
        { "99999999n", 99999999 },
    };
    static const char *const bad[] = { "", "1", "S", "123456789S", "1s", "1h",
        "-1S", "+1S", " 1S", "1 S", "1S ", "1.5S", "0x1S", "1SS" };
    int64_t ns = 0;
    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++) {
        CHECK(!rpc_timeout_parse(txt_slice(ok[i].text), &ns));
        CHECK(ns == ok[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(rpc_timeout_parse(txt_slice(bad[i]), &ns) == GP_EFORMAT);
    static const struct { int64_t ns; const char *text; } out[] = {
        { 1, "1n" }, { 20000000000, "20S" }, { 1500000000, "1500m" },
        { 1234567, "1234567n" }, { 123456789, "123457u" },
        { 3600000000000, "3600S" }, { 1001, "1001n" },
    };
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        char text[12];
        rpc_timeout_text(out[i].ns, text);
        CHECK(!strcmp(text, out[i].text));
        CHECK(!rpc_timeout_parse(txt_slice(text), &ns) && ns >= out[i].ns);
    }
    for (int64_t x = 1; x < INT64_MAX / 8; x = x * 3 + 1) {
        char text[12];
        rpc_timeout_text(x, text);
        CHECK(!rpc_timeout_parse(txt_slice(text), &ns));
        CHECK(ns >= x && (double)(ns - x) <= (double)x * 1e-5);
    }
}

/* content-type: what counts as gRPC, and its codec. */
static void test_rpc_content_type(void)
{
    static const struct { const char *in; bool grpc; const char *codec; } t[] =
    {
        { "application/grpc", true, "" },
        { "application/grpc+proto", true, "proto" },
        { "Application/GRPC+Proto;x=y", true, "Proto" },
        { "application/grpc;charset=utf-8", true, "" },
        { "application/grpc+json", true, "json" },
        { "application/grpc+", true, "" },
        { "application/grpc-web", false, "" },
        { "application/grpcfoo", false, "" },
        { "application/grp", false, "" }, { "", false, "" },
        { "text/plain", false, "" }, { " application/grpc", false, "" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct slice codec;
        CHECK(rpc_content_type(txt_slice(t[i].in), &codec) == t[i].grpc);
        CHECK(txt_equal(codec, txt_slice(t[i].codec)));
    }
}

/* grpc-message of the interop test, there and back, cut between characters,
 * and bad escapes kept. */
static void test_rpc_percent(void)
{
    static const char text[] = "\t\ntest with whitespace\r\nand Unicode BMP "
        "\xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n";
    static const char want[] = "%09%0Atest with whitespace%0D%0Aand Unicode "
        "BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A";
    struct buf out = {0}, back = {0};
    txt_put_percent_encoded(&out, txt_slice(text), SERVER_TEXT_BYTES);
    CHECK(out.len == sizeof want - 1 && !memcmp(out.data, want, out.len));
    txt_put_percent_decoded(&back, (struct slice){ (char *)out.data, out.len },
                            SIZE_MAX);
    CHECK(back.len == sizeof text - 1 && !memcmp(back.data, text, back.len));
    for (size_t most = 0; most < sizeof want; most++) {
        out.len = back.len = 0;
        txt_put_percent_encoded(&out, txt_slice(text), most);
        CHECK(out.len <= most);
        txt_put_percent_decoded(&back, mem_slice(&out), SIZE_MAX);
        CHECK(!memcmp(back.data ? (char *)back.data : "", text, back.len));
    }
    out.len = back.len = 0;
    txt_put_percent_encoded(&out, txt_slice("\xff%"), 100);
    CHECK(out.len == 12 && !memcmp(out.data, "%EF%BF%BD%25", 12));
    txt_put_percent_decoded(&back, txt_slice("%4%zz%41%"), SIZE_MAX);
    CHECK(back.len == 7 && !memcmp(back.data, "%4%zzA%", 7));
    mem_fini(&out);
    mem_fini(&back);
}

/* Mappings from HTTP status and RST_STREAM to grpc status. */
static void test_rpc_mappings(void)
{
    static const int http[][2] = { { 400, 13 }, { 401, 16 }, { 403, 7 },
        { 404, 12 }, { 429, 14 }, { 431, 13 }, { 502, 14 }, { 503, 14 },
        { 504, 14 }, { 500, 2 }, { 200, 2 }, { 0, 2 }, { 302, 2 } };
    static const int rst[][2] = { { 0, 13 }, { 1, 13 }, { 2, 13 }, { 3, 13 },
        { 7, 14 }, { 8, 1 }, { 11, 8 }, { 12, 7 }, { 99, 13 } };
    for (size_t i = 0; i < sizeof http / sizeof *http; i++)
        CHECK(rpc_status_of_http(http[i][0]) == http[i][1]);
    for (size_t i = 0; i < sizeof rst / sizeof *rst; i++)
        CHECK(rpc_status_of_reset((uint32_t)rst[i][0]) == rst[i][1]);
    CHECK(!strcmp(rpc_status_name(13), "INTERNAL"));
    CHECK(!strcmp(rpc_status_name(17), "?"));
}

/* Metadata of an answer is bounded in number and in bytes, the 32 that HPACK
 * counts for each among them; what was added stays. */
static void test_rpc_metadata_bounds(void)
{
    static char big[RPC_META_BYTES];
    struct gp_call k = {0};
    size_t most = RPC_META_BYTES - 32 - strlen("big");
    memset(big, 'x', sizeof big);
    CHECK(server_call_add_meta(&k, "big", (struct gp_slice){ big, most + 1 },
                               true) ==
          GP_ELIMIT);
    CHECK(!server_call_add_meta(&k, "big", (struct gp_slice){ big, most },
                                true));
    CHECK(server_call_add_meta(&k, "a", (struct gp_slice){ "", 0 }, true) ==
          GP_ELIMIT);
    CHECK(k.answer.n == 1 && k.answer.first->value.n == most);
    mem_arena_fini(&k.arena);
    k = (struct gp_call){0};            /* in base64 it is a third more */
    most = (RPC_META_BYTES - 32 - strlen("x-bin")) / 4 * 3;
    CHECK(server_call_add_meta(&k, "x-bin", (struct gp_slice){ big, most + 3 },
                               true)
          == GP_ELIMIT);
    CHECK(!server_call_add_meta(&k, "x-bin", (struct gp_slice){ big, most },
                                true));
    mem_arena_fini(&k.arena);
    k = (struct gp_call){0};
    for (size_t i = 0; i < RPC_META_MOST; i++)
        CHECK(!server_call_add_meta(&k, "a", (struct gp_slice){ "b", 1 },
                                    i & 1));
    CHECK(server_call_add_meta(&k, "a", (struct gp_slice){ "b", 1 }, true) ==
          GP_ELIMIT);
    CHECK(k.answer.n == RPC_META_MOST);
    mem_arena_fini(&k.arena);
}

/* Settings of a server that could overflow are reduced; negative times are
 * refused. */
static void test_rpc_config(void)
{
    struct gp_server_config c = { .size = sizeof c, .threads = 1,
        .max_streams = UINT32_MAX, .idle_ns = INT64_MAX,
        .max_age_ns = INT64_MAX, .keepalive_ns = INT64_MAX };
    CHECK(!server_config_check(&c, NULL));
    CHECK(c.max_streams > 0 &&
          c.max_streams <= (uint32_t)INT32_MAX - H2_STREAMS_REFUSED);
    int64_t now = sys_now_ns(), sum;
    const int64_t *time[] = { &c.idle_ns, &c.max_age_ns, &c.keepalive_ns };
    for (size_t i = 0; i < sizeof time / sizeof *time; i++) {
        CHECK(*time[i] > 365 * 24 * 3600 * INT64_C(1000000000));
        CHECK(!__builtin_add_overflow(now, *time[i], &sum) &&
              !__builtin_add_overflow(sum, *time[i], &sum));
    }
    c = (struct gp_server_config){ .size = sizeof c };
    CHECK(!server_config_check(&c, NULL));
    CHECK(c.threads > 0 && c.max_streams == SERVER_STREAMS && !c.idle_ns &&
          !c.max_age_ns && c.keepalive_ns == SERVER_KEEPALIVE_NS);
    for (int i = 0; i < 3; i++) {
        struct gp_why why = {{0}};
        c = (struct gp_server_config){ .size = sizeof c, .threads = 1,
            .idle_ns = -(i == 0), .max_age_ns = i == 1 ? INT64_MIN : 0,
            .keepalive_ns = -(i == 2) };
        CHECK(server_config_check(&c, &why) == GP_EUSAGE);
        CHECK(strstr(why.text, "negative"));
    }
}

/* ---- SVC ---- */

/* The work is done: the sum is right, and more work takes longer. */
static void test_svc_work(void)
{
    for (uint64_t n = 0; n < 2000; n++)
        CHECK(svc_work(n) == (n ? (n - 1) * n * (2 * n - 1) / 6 : 0));
    int64_t t0 = sys_now_ns();
    svc_work(1000);
    int64_t t1 = sys_now_ns();
    svc_work(20000000);
    CHECK(sys_now_ns() - t1 > t1 - t0); /* 20,000 times as much */
}

/* HelloRequest: good, unknown fields, truncated, not UTF-8. */
static void test_svc_hello_parse(void)
{
    static const struct { const char *in; size_t n; int e; const char *name; }
    t[] = {
        { "", 0, 0, "" }, { "\x0a\x05world", 7, 0, "world" },
        { "\x0a\x00", 2, 0, "" }, { "\x0a\x01" "a\x0a\x01" "b", 6, 0, "b" },
        { "\x10\x05\x0a\x01x", 5, 0, "x" }, { "\x08\x01", 2, 0, "" },
        { "\x0a\x05worl", 6, GP_EFORMAT, "" }, { "\x0a", 1, GP_EFORMAT, "" },
        { "\x0a\x01\xff", 3, GP_EFORMAT, "" }, { "\x00", 1, GP_EFORMAT, "" },
        { "\x0a\x02\xc3\xa9", 4, 0, "\xc3\xa9" },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct slice name;
        int e = svc_hello_parse((struct gp_slice){ t[i].in, t[i].n }, &name);
        CHECK(e == t[i].e);
        CHECK(e || txt_equal(name, txt_slice(t[i].name)));
    }
    char text[20];
    CHECK(svc_digits(0, text) == 1 && text[0] == '0');
    CHECK(svc_digits(UINT64_MAX, text) == 20 &&
          !memcmp(text, "18446744073709551615", 20));
}

/* ---- H2 and RPC: hostile bytes ---- */

struct test_h2_peer {
    struct gp_server *s;                /* not started: the test runs it */
    struct svc_greeter greeter;
    int fd;                             /* the client's end */
};

/* A server with one connection, whose client end is p->fd. */
static void test_h2_open(struct test_h2_peer *p)
{
    const struct gp_server_config config = { .threads = 1,
        .max_message = 4096, .size = sizeof config };
    int fd[2];
    *p = (struct test_h2_peer){0};
    CHECK(!server_new(&p->s, &config, NULL));
    CHECK(!svc_greeter_add(p->s, &p->greeter, NULL));
    p->s->loop[0].tally = mem_zalloc((p->s->nmethod + 1) *
                                     sizeof *p->s->loop[0].tally);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
    CHECK(!server_assign(p->s, fd[1]));
    p->fd = fd[0];
}

/* Send n bytes, run the server's loop, and append its answer to out. */
static void test_h2_say(struct test_h2_peer *p, const void *bytes, size_t n,
                        struct buf *out)
{
    ssize_t k = send(p->fd, bytes, n, MSG_NOSIGNAL);
    (void)k;                            /* it may have closed already */
    for (int i = 0; i < 3; i++) {
        uint8_t *to = mem_reserve(out, 65536);
        net_loop_turn(&p->s->loop[0].net, 0);
        k = recv(p->fd, to, 65536, 0);
        out->len += k > 0 ? (size_t)k : 0;
    }
}

/* Close both ends; every call and connection must be gone. */
static void test_h2_close(struct test_h2_peer *p)
{
    close(p->fd);
    for (int i = 0; i < 3; i++)
        net_loop_turn(&p->s->loop[0].net, 0);
    CHECK(mem_link_alone(&p->s->loop[0].conns));
    CHECK(atomic_load(&p->s->loop[0].nconns) == 0);
    server_free(p->s);
}

/* A whole valid conversation: preface, SETTINGS, SayHello("A"). */
static const char test_h2_talk[] =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\x42\1\4\0\0\0\1"              /* HEADERS, 66 bytes */
    "\x83\x86\x44\x1c/helloworld.Greeter/SayHello"
    "\x41\1x\x5f\x10" "application/grpc\x40\2te\x08trailers"
    "\0\0\x08\0\1\0\0\0\1" "\0\0\0\0\3\x0a\1A";
enum { TEST_H2_TALK = sizeof test_h2_talk - 1 };

/* True when b holds the text. */
static bool test_h2_has(const struct buf *b, const char *text)
{
    return b->data && memmem(b->data, b->len, text, strlen(text));
}

/* The conversation works, whole and in every two pieces. */
static void test_h2_talk_split(void)
{
    for (size_t cut = 0; cut <= TEST_H2_TALK; cut++) {
        struct test_h2_peer p;
        struct buf out = {0};
        test_h2_open(&p);
        test_h2_say(&p, test_h2_talk, cut, &out);
        CHECK(test_h2_has(&out, "Hello A! (request #1)") ==
              (cut == TEST_H2_TALK));
        test_h2_say(&p, test_h2_talk + cut, TEST_H2_TALK - cut, &out);
        CHECK(test_h2_has(&out, "Hello A! (request #1)"));
        CHECK(server_calls(p.s) == 0);          /* it was never started */
        CHECK(net_get(&p.s->loop[0].tally[0].code[0]) == 1);
        test_h2_close(&p);
        mem_fini(&out);
    }
}

/* HTTP/1.1, in every two pieces, is answered in HTTP/1.1; other first bytes
 * are closed. */
static void test_h2_http1(void)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (size_t cut = 0; cut < sizeof get; cut++) {
        struct test_h2_peer p;
        struct buf out = {0};
        test_h2_open(&p);
        test_h2_say(&p, get, cut, &out);
        test_h2_say(&p, get + cut, sizeof get - 1 - cut, &out);
        CHECK(test_h2_has(&out, "HTTP/1.1 426 Upgrade Required\r\n"));
        CHECK(test_h2_has(&out, "gRPC"));
        test_h2_close(&p);
        mem_fini(&out);
    }
    static const char *const bad[] = { "\x16\x03\x01", "hello\n", "\n",
                                       "PRI * HTTP/2.0\r\n\r\nX\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct test_h2_peer p;
        struct buf out = {0};
        char c;
        test_h2_open(&p);
        test_h2_say(&p, bad[i], strlen(bad[i]), &out);
        CHECK(out.len == 0 && recv(p.fd, &c, 1, 0) == 0);
        test_h2_close(&p);
        mem_fini(&out);
    }
}

/* Mutations of the conversation, and random bytes after the preface: nothing
 * leaks, and the next connection is served. */
static void test_h2_hostile(void)
{
    uint32_t seed = 12345;
    for (int round = 0; round < 3000; round++) {
        struct test_h2_peer p;
        struct buf in = {0}, out = {0};
        test_h2_open(&p);
        mem_put(&in, test_h2_talk, TEST_H2_TALK);
        if (round % 3 == 2) {           /* frames of random bytes */
            in.len = 33;
            for (int i = 0; i < 300; i++) {
                seed = seed * 1664525 + 1013904223;
                mem_put_byte(&in, (uint8_t)(seed >> 24));
                if (i % 23 == 0)        /* a short frame of some type */
                    mem_put(&in, "\0\0\x08", 3);
            }
        }
        for (int i = 0; i < 1 + round % 5; i++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = 24 + (seed >> 8) % (in.len - 24);
            in.data[at] = (uint8_t)(seed >> 24);
            if (round % 4 == 3)         /* say it again from there */
                mem_put(&in, test_h2_talk + 33, TEST_H2_TALK - 33);
        }
        for (size_t at = 0, n; at < in.len; at += n) {
            seed = seed * 1664525 + 1013904223;
            n = 1 + (seed >> 16) % 200;
            n = n > in.len - at ? in.len - at : n;
            test_h2_say(&p, in.data + at, n, &out);
        }
        test_h2_close(&p);
        mem_fini(&in);
        mem_fini(&out);
    }
}

/* Every allocation that can fail while a connection is served, nghttp2's too:
 * there is an answer of some kind, or the connection is closed. */
static void test_h2_no_memory(void)
{
    for (long fuse = 0; fuse < 300; fuse++) {
        struct test_h2_peer p;
        struct buf out = {0};
        char byte;
        test_h2_open(&p);
        mem_reserve(&out, 1 << 20);
        mem_fuse = fuse;
        test_h2_say(&p, test_h2_talk, TEST_H2_TALK, &out);
        mem_fuse = -1;
        CHECK(out.len > 0 || recv(p.fd, &byte, 1, 0) == 0);
        test_h2_close(&p);
        mem_fini(&out);
    }
}

/* A unary call allocates nothing once a connection has had some: neither we
 * nor nghttp2 on our behalf. */
static void test_h2_no_allocation(void)
{
    enum { HELLO = 33, CALL = TEST_H2_TALK - HELLO };
    struct test_h2_peer p;
    struct buf out = {0};
    uint8_t call[CALL];
    test_h2_open(&p);
    mem_reserve(&out, 1 << 20);
    test_h2_say(&p, test_h2_talk, TEST_H2_TALK, &out);
    memcpy(call, test_h2_talk + HELLO, CALL);
    for (uint32_t i = 1; i < 1000; i++) {
        uint32_t id = 2 * i + 1;
        for (size_t at = 0; at < CALL; at += 9 + 66)    /* HEADERS, DATA */
            for (int k = 0; k < 4; k++)
                call[at + 5 + (size_t)k] = (uint8_t)(id >> (24 - 8 * k));
        out.len = 0;
#ifndef __SANITIZE_ADDRESS__            /* whose pools keep nothing */
        if (i == 500)                   /* closed streams are kept by then */
            mem_fuse = 0;
#endif
        test_h2_say(&p, call, CALL, &out);
        CHECK(test_h2_has(&out, "Hello A! (request #"));
    }
    mem_fuse = -1;
    CHECK(net_get(&p.s->loop[0].tally[0].code[0]) == 1000);
    test_h2_close(&p);
    mem_fini(&out);
}

/* ---- LOAD ---- */

/* Percentiles are refused when too few samples lie beyond them. */
static void test_load_percentiles(void)
{
    CHECK(!judge_percentile_ok(19, 50) && judge_percentile_ok(20, 50));
    CHECK(!judge_percentile_ok(999, 99) && judge_percentile_ok(1000, 99));
    CHECK(!judge_percentile_ok(9999, 99.9) && judge_percentile_ok(10000, 99.9));
    CHECK(!judge_percentile_ok(99999, 99.99));
    CHECK(judge_percentile_ok(100000, 99.99));
}

/* Method names. */
static void test_load_path(void)
{
    char path[64];
    CHECK(!load_path("a.B/C", path, sizeof path, NULL));
    CHECK(!strcmp(path, "/a.B/C"));
    CHECK(!load_path("/a.B/C", path, sizeof path, NULL));
    CHECK(!strcmp(path, "/a.B/C"));
    CHECK(!load_path("a.B.C", path, sizeof path, NULL));
    CHECK(!strcmp(path, "/a.B/C"));
    static const char *const bad[] = { "", "/", ".", "abc", "a/", "a.B." };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(load_path(bad[i], path, sizeof path, NULL) == GP_EUSAGE);
    char wide[100];
    memset(wide, 'x', sizeof wide);
    wide[3] = '/';
    wide[99] = 0;
    CHECK(load_path(wide, path, sizeof path, NULL) == GP_EUSAGE);
}

/* A server of our own on a free port; *address lives as long as it. */
static struct gp_server *test_load_server(struct svc_greeter *g,
                                          const char **address)
{
    const struct gp_server_config config = { .threads = 2,
                                             .size = sizeof config };
    struct gp_server *s = NULL;
    CHECK(!server_new(&s, &config, NULL));
    CHECK(!svc_greeter_add(s, g, NULL));
    CHECK(!server_listen(s, "127.0.0.1:0", address, NULL));
    CHECK(!server_start(s, NULL));
    return s;
}

/* A closed loop against our own server: every call is ok and in the histogram,
 * and the server counted as many; totals that do not divide evenly are spread;
 * the result is written, read, even truncated, and merged; the server
 * drains. */
static void test_load_run(void)
{
    static const struct { uint64_t clients, requests, total, streams;
                          unsigned threads; } t[] = {
        { 1, 1, 0, 1, 1 }, { 10, 50, 0, 1, 2 }, { 3, 100, 0, 7, 3 },
        { 7, 0, 100, 3, 2 }, { 5, 0, 3, 1, 1 }, { 2, 300, 0, 150, 1 },
    };
    struct svc_greeter g = { .work = 10 };
    struct client_payload hello = {0};
    const char *address;
    struct gp_server *s = test_load_server(&g, &address);
    uint64_t all = 0;
    CHECK(!client_payload_add(&hello, txt_slice("\x0a\1n"), false));
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct res_method method = { .call = "helloworld.Greeter/SayHello",
            .weight = 1, .payload = &hello, .npayload = 1 };
        struct res_config k = { .target = &address, .ntarget = 1,
            .call = "helloworld.Greeter/SayHello", .method = &method, .nmethod = 1,
            .clients = t[i].clients, .requests_per_client = t[i].requests,
            .total = t[i].total, .streams = t[i].streams,
            .threads = t[i].threads, .timeout_ns = 20000000000,
            .connect_timeout_ns = 5000000000, .drain_ns = 1000000000,
            .max_error_share = -1 };
        struct res r;
        struct gp_why why = {{0}};
        struct buf text = {0};
        CHECK(!load_run(&k, &r, &why));
        uint64_t planned = t[i].total ? t[i].total
                                      : t[i].clients * t[i].requests;
        all += planned;
        CHECK(r.planned == planned && r.ok == planned && r.failed == 0);
        CHECK(r.response.n == planned && r.failed_latency.n == 0);
        CHECK(r.status[0] == planned && r.connect.n == t[i].clients);
        CHECK(r.response.min > 0 && r.response.max <= r.elapsed_ns);
        CHECK(r.bytes_in > 0 && r.bytes_out > 0 && r.threads <= 3);
        CHECK(server_calls(s) == all && !res_exceeds(&k, &r));
        const double percent[] = { 50, 99 };
        struct judge_report report = { .config = &k, .result = &r,
            .percent = percent, .npercent = 2 };
        report.verdict = judge_run(&k, &r);
        const struct loaddoc_config look = { .width = LOADDOC_COLUMNS };
        loaddoc_text(&text, &report, &look);
        text.len = 0;
        lf_put_json(&text, &report);
        struct lf_saved saved;
        CHECK(!lf_read(&saved, (struct slice){ (const char *)text.data,
                                                 text.len }, &why));
        CHECK(saved.result.ok == planned && saved.result.response.n == planned);
        CHECK(!memcmp(saved.result.response.count, r.response.count,
                      HDR_COUNTS * sizeof *r.response.count));
        lf_saved_merge(&saved, &saved);
        CHECK(saved.result.ok == 2 * planned &&
              res_planned(&saved.config) == 2 * planned);
        lf_saved_fini(&saved);
        for (size_t n = 0; n < text.len; n += 1 + n / 50)
        {
            (void)lf_read(&saved, (struct slice){ (const char *)text.data, n },
                            &why);
            lf_saved_fini(&saved);
        }
        CHECK(!text.err && test_h2_has(&text, "grpcprof.load/1"));
        mem_fini(&text);
        res_fini(&r);
    }
    client_payload_fini(&hello);
    CHECK(server_drain(s, 1000000000) == 0);
    server_free(s);
}

/* Schedules: steps, a ramp, one from nothing, and what comes before time 0. */
static void test_res_when(void)
{
    const struct res_step flat = { 100, 100, 0 };
    const struct res_step steps[] = { { 100, 100, 2000000000 },
        { 0, 200, 4000000000 }, { 50, 50, 1000000000 } };
    struct res_config k = { .step = &flat, .nstep = 1 };
    CHECK(fabs(res_when(&k, 0)) < 1e-9 && fabs(res_when(&k, 1) - .01) < 1e-9);
    CHECK(fabs(res_when(&k, -50) + .5) < 1e-9 && res_schedule_ns(&k) == 0);
    CHECK(fabs(res_when(&k, 1e6) - 1e4) < 1e-6);
    k = (struct res_config){ .step = steps, .nstep = 3 };
    CHECK(res_schedule_ns(&k) == 7000000000);
    CHECK(fabs(res_when(&k, 199) - 1.99) < 1e-9);
    CHECK(fabs(res_when(&k, 200) - 2) < 1e-9);
    CHECK(fabs(res_when(&k, 200 + 100) - 4) < 1e-6);   /* 25 t^2 = 100 */
    CHECK(fabs(res_when(&k, 200 + 400) - 6) < 1e-6);
    CHECK(fabs(res_when(&k, 600 + 49) - 6.98) < 1e-6);
    CHECK(isinf(res_when(&k, 650)));
    const struct res_step pause[] = { { 10, 10, 1000000000 },
        { 0, 0, 1000000000 }, { 10, 10, 1000000000 } };
    k = (struct res_config){ .step = pause, .nstep = 3 };
    CHECK(fabs(res_when(&k, 9) - .9) < 1e-9);
    CHECK(fabs(res_when(&k, 10) - 2) < 1e-9 && isinf(res_when(&k, 20)));
}

/* URLs of endpoints: host and path, what is refused, and redirections. */
static void test_fetch_addresses(void)
{
    static const struct { const char *text, *host, *path; } good[] = {
        { "http://h:1/p?x=1#f", "h:1", "/p?x=1" }, { "h:1", "h:1", "/" },
        { "HTTP://h", "h", "/" }, { "[::1]:6060/p", "[::1]:6060", "/p" },
        { ":6060/p", "localhost:6060", "/p" }, { "h:1?x", "h:1", "/?x" },
        { "unix:/run/x/debug/pprof/", "unix:/run/x", "/debug/pprof/" },
        { "HTTPS://h:1/p", "h:1", "/p" },
        { "h:1/a b\xff\r\n", "h:1", "/a%20b%FF%0D%0A" } };
    static const char *const bad[] = { "https:///", "ftp://h/", "http:///p",
                                       "http://u:p@h/", "" };
    static const struct { const char *from, *to, *host, *path; } follow[] = {
        { "h:1/a/b?q", "c", "h:1", "/a/c" }, { "h:1/a/b", "/c", "h:1", "/c" },
        { "h:1/a/b", "../c?../d", "h:1", "/c?../d" },
        { "h:1/a/b", "../../../c/.", "h:1", "/c/" },
        { "h:1/a/b", "..", "h:1", "/" }, { "h:1/a/b", "?x", "h:1", "/a/b?x" },
        { "h:1/a", "//i:2/b/../c", "i:2", "/c" },
        { "h:1", "HTTP://i", "i", "/" }, { "h:1/a", "b:c/d", "h:1", "/b:c/d" } };
    struct fetch_url u;
    struct gp_why why;
    char text[2 * FETCH_URL_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(!fetch_url_parse(&u, good[i].text, &why) &&
              !strcmp(u.host, good[i].host) && !strcmp(u.path, good[i].path));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(fetch_url_parse(&u, bad[i], &why) == GP_EUSAGE);
    for (size_t i = 0; i < sizeof follow / sizeof *follow; i++)
        CHECK(!fetch_url_parse(&u, follow[i].from, &why) &&
              !fetch_follow(&u, follow[i].to, &why) &&
              !strcmp(u.host, follow[i].host) &&
              !strcmp(u.path, follow[i].path));
    CHECK(fetch_is_address("h:1") && fetch_is_address("[::1]:1/x") &&
          fetch_is_address(":1?x") && !fetch_is_address("h") &&
          !fetch_is_address("a/b:1") && !fetch_is_address("h:1x") &&
          !fetch_is_address("h:") && !fetch_is_address("[::1"));
    memset(text, 'x', sizeof text);
    memcpy(text, "h:1/", 4);
    for (size_t n = FETCH_URL_BYTES - 8; n < FETCH_URL_BYTES + 8; n++) {
        text[n] = 0;                    /* h:1 is not part of the path */
        CHECK(!fetch_url_parse(&u, text, &why) == (n < FETCH_URL_BYTES + 3));
        CHECK(fetch_url_parse(&u, "h:1/a", &why) == GP_OK &&
              !fetch_follow(&u, text + 3, &why) == (n < FETCH_URL_BYTES + 3));
        text[n] = 'x';
    }
}

/* The answer text as it comes in pieces of n bytes: its body is in *body. */
static const char *fetched(struct fetch_answer *r, const char *text, size_t all,
                           size_t n, struct buf *body)
{
    struct fetch_wait w = { .until_ns = sys_now_ns() + 5000000000 };
    int two[2], error;
    const char *wrong = NULL;
    *r = (struct fetch_answer){0};
    body->len = 0;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two));
    for (size_t at = 0; at < all && r->part != FETCH_DONE && !wrong; at += n) {
        size_t k = n < all - at ? n : all - at;
        mem_put(body, text + at, k);
        for (size_t was = 0; r->part == FETCH_HEAD && !wrong &&
                             was != body->len; ) {
            was = body->len;
            wrong = fetch_read_head(r, body);
        }
        if (r->part != FETCH_HEAD && !wrong)
            wrong = fetch_read_body(r, body);
    }
    close(two[1]);                      /* the end of the answer */
    struct fetch_line line = { .fd = two[0] };
    if (!wrong)
        wrong = fetch_read(&line, r, &w, body, &error);
    close(two[0]);
    return wrong;
}

static void test_fetch_answers(void)
{
    static const char *const good[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200\nX\n\nhello", "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 103 Y\r\nContent-Length: 9\r\n\r\nHTTP/1.1 100 \r\n\r\n"
        "HTTP/1.1 200 OK\r\ncontent-LENGTH:5 \r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"
        "\r\n1;a=b\r\nh\r\n00004\r\nello\r\n0\r\nT: x\r\n\r\n" };
    static const char *const bad[] = {
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "\r\n\r\n", "",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhellox\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1000000000000000\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n" };
    struct fetch_answer r;
    struct buf body = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t n = 1; n <= strlen(good[i]); n++) {
            size_t all = strlen(good[i]);
            CHECK(!fetched(&r, good[i], all, n, &body) && r.status == 200 &&
                  body.len == 5 && !memcmp(body.data, "hello", 5));
            bool until_closed = i == 1 || i == 2;
            if (n < all && !until_closed)       /* each truncation */
                CHECK(fetched(&r, good[i], all - n, all, &body) != NULL);
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t n = 1; n <= strlen(bad[i]) + 1; n++)
            CHECK(fetched(&r, bad[i], strlen(bad[i]), n, &body) != NULL);
    mem_fini(&body);
}

static uint64_t fetch_ended;
static uint64_t fetch_ended_now(void *arg) { (void)arg; return fetch_ended; }

/* 10 calls/ms; the profile's window is 1 s, and its answer comes later. */
static void test_fetch_calls(void)
{
    struct fetch_profile p = { .ended = fetch_ended_now };
    struct fetch_wait w = { .window_ns = 1000000000 };
    static const int64_t ms[] = { 0, 3, 250, 500, 740, 990, 1010, 1200, 1500 };
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        int64_t now_ns = 5000000000 + ms[i] * 1000000;
        fetch_ended = 70 + (uint64_t)ms[i] * 10;
        if (i == 1)                     /* before: while it connects */
            w.sent_ns = now_ns;
        CHECK(fetch_goes_on(&p, &w, now_ns));
        if (i == 5)                     /* the answer came too early */
            CHECK(fetch_calls(&p, w.window_ns) == 9870);
    }
    CHECK(fetch_calls(&p, w.window_ns) == 10000);
    w.sent_ns = 9000000000;             /* redirected: it starts again */
    CHECK(fetch_goes_on(&p, &w, w.sent_ns) && !fetch_calls(&p, w.window_ns));
}

/* Check what load says of the endpoint bound, for target; *note gets its note.
 * Return the error. */
static int fetch_checked(const char *bound, const char *target,
                         struct gp_why *note, struct gp_why *why)
{
    struct fetch_profile p = {0};
    CHECK(!fetch_init(&p, bound, why));
    int e = fetch_check(&p, target, why);
    CHECK(p.ours);
    *note = p.note;
    return e;
}

/* An endpoint of a program without a server of ours: it knows from the kernel
 * where the program listens, besides the endpoint itself. */
static void test_fetch_debug_alone(void)
{
    struct gp_debug *d;
    struct gp_why why, note;
    struct net_addr a[NET_ADDRS];
    size_t n;
    const char *bound;
    CHECK(!gp_debug_new(&d, "127.0.0.1:0", NULL, &bound, &why) &&
          !gp_debug_start(d, &why));
    static const char *const part[][2] = { { "", "" },
        { "http://", "/debug/pprof/" },
        { "", "/debug/pprof/profile?seconds=1" } };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        struct fetch_profile p = {0};
        char text[100];
        snprintf(text, sizeof text, "%s%s%s", part[i][0], bound, part[i][1]);
        CHECK(!fetch_init(&p, text, &why) &&
              !strcmp(p.url.path, "/debug/pprof/profile"));
        CHECK(!fetch_check(&p, "127.0.0.1:9", &why) && p.ours);
        CHECK(strstr(p.note.text, "does not say where its program listens"));
    }
    CHECK(!net_addr_parse("127.0.0.1:0", false, a, &n, &why));
    int fd = net_listen_one(a);
    CHECK(fd >= 0);
    CHECK(!fetch_checked(bound, a->text, &note, &why) && !*note.text);
    CHECK(fetch_checked(bound, "127.0.0.1:9", &note, &why) == GP_EUSAGE);
    CHECK(!*note.text && strstr(why.text, a->text) &&
          strstr(why.text, "not on 127.0.0.1:9"));
    CHECK(fetch_checked(bound, bound, &note, &why) == GP_EUSAGE);
    close(fd);
    gp_debug_free(d);
}

/* The profiled processes of test_web_program: their pids. */
static pid_t web_test_pid[2];
static size_t web_test_pids(void *arg, pid_t *out, size_t most)
{
    size_t n = *(size_t *)arg;
    CHECK(n <= most);
    memcpy(out, web_test_pid, n * sizeof *out);
    return n;
}
static int64_t web_test_cpu_ns(void *arg) { (void)arg; return 1234500000000; }
static void web_test_samples(void *arg, uint64_t *taken, uint64_t *lost)
{
    (void)arg;
    *taken = 77;
    *lost = 11;
}

/* GET path from the endpoint bound; true if the answer, without its white
 * space, has text. */
static bool web_says(const char *bound, const char *path, const char *text)
{
    struct fetch_wait w = { .until_ns = FETCH_ASK_NS };
    struct fetch_answer r;
    struct fetch_url u;
    struct gp_why why;
    struct buf body = {0};
    char name[100];
    snprintf(name, sizeof name, "%s%s", bound, path);
    CHECK(!fetch_url_parse(&u, name, &why));
    CHECK(!fetch_get(&u, &w, &r, &body, &why));
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        if (body.data[i] != ' ' && body.data[i] != '\n')
            body.data[n++] = body.data[i];
    bool says = n && memmem(body.data, n, text, strlen(text)) != NULL;
    mem_fini(&body);
    return says;
}

/* An endpoint for another program, whose first process runs sleep. */
static void test_web_program(void)
{
    size_t n = 2;
    struct web_config k = { .address = "127.0.0.1:0", .sampling = { .hz = 100 },
        .program = { web_test_pids, web_test_cpu_ns, web_test_samples, &n } };
    struct gp_debug *d;
    struct gp_why why, note;
    struct net_addr a[NET_ADDRS];
    size_t one;
    char text[200], *argv[] = { "sleep", "60", NULL };
    CHECK(!net_addr_parse("127.0.0.1:0", false, a, &one, &why));
    int fd = net_listen_one(a);         /* the second process keeps it */
    CHECK(fd >= 0);
    CHECK(!posix_spawnp(&web_test_pid[0], *argv, NULL, NULL, argv, environ));
    if (!(web_test_pid[1] = fork())) {
        pause();
        _exit(0);
    }
    close(fd);
    CHECK(!web_new(&d, &k, &why) && !web_start(d, &why));
    const char *bound = d->addr[0].text;
    int tries = 500;                    /* posix_spawn() may return before the
                                         * new program has its arguments */
    while (tries && !web_says(bound, "/debug/pprof/cmdline", "sleep")) {
        usleep(10000);
        tries--;
    }
    CHECK(tries);
    snprintf(text, sizeof text, "\"pid\":%d,\"pids\":[%d,%d]", web_test_pid[0],
             web_test_pid[0], web_test_pid[1]);
    CHECK(web_says(bound, "/debug/status", text));
    snprintf(text, sizeof text, "\"listen\":[\"%s\"]", a->text);
    CHECK(web_says(bound, "/debug/status", text));
    CHECK(web_says(bound, "/debug/status", "\"requests\":null"));
    CHECK(web_says(bound, "/metrics", "_cpu_seconds_total1234.5#HELP"));
    CHECK(web_says(bound, "/metrics", "grpcprof_samples_total77#HELP"));
    CHECK(web_says(bound, "/metrics", "samples_lost_total11"));
    CHECK(web_says(bound, "/metrics", "gaugeprocess_resident_memory_bytes"));
    snprintf(text, sizeof text, "/debug/pprof/symbol?0x%" PRIxPTR,
             (uintptr_t)web_says);
    CHECK(!web_says(bound, text, "web_says"));
    pid_t first = web_test_pid[0];
    web_test_pid[0] = web_test_pid[1];  /* a copy of this process */
    web_test_pid[1] = first;
    CHECK(web_says(bound, text, "web_says"));
    CHECK(!fetch_checked(bound, a->text, &note, &why) && !*note.text);
    CHECK(fetch_checked(bound, "127.0.0.1:9", &note, &why) == GP_EUSAGE);
    CHECK(fetch_checked(bound, bound, &note, &why) == GP_EUSAGE);
    for (int i = 0; i < 2; i++) {
        kill(web_test_pid[i], SIGKILL);
        CHECK(waitpid(web_test_pid[i], NULL, 0) == web_test_pid[i]);
    }
    n = 0;                              /* the program has ended */
    CHECK(web_says(bound, "/debug/pprof/cmdline", "hasended"));
    CHECK(web_says(bound, "/debug/status", "\"pid\":null,\"pids\":[]"));
    CHECK(!web_says(bound, "/metrics", "process_resident_memory_bytes"));
    CHECK(!fetch_checked(bound, "127.0.0.1:9", &note, &why) && *note.text);
    web_free(d);
}

/* What load concludes from /debug/status, of its own network and of others. */
static void test_fetch_listen(void)
{
    char own[NET_NETWORK_BYTES], text[400];
    static const struct { const char *listen, *target; int e; bool note; } t[] =
    {
        { "\"127.0.0.1:5\"", "127.0.0.1:5", 0, false },
        { "\"127.0.0.1:5\",\"[::1]:6\"", "[::1]:6", 0, false },
        { "\"0.0.0.0:5\"", "127.0.0.1:5", 0, false },
        { "\"[::]:5\"", "192.0.2.1:5", 0, false },
        { "\"[::]:5\"", "192.0.2.1:55", GP_EUSAGE, false },
        { "\"0.0.0.0:5\"", "unix:/x:5", GP_EUSAGE, false },
        { "\"127.0.0.1:5\"", "127.0.0.2:5", GP_EUSAGE, false },
        { "\"unix:/a/x\"", "unix:/a/x", 0, false },
        { "\"unix:/a/x\"", "unix:/b/x", GP_EUSAGE, false },
        { "\"unix:/a/x\"", "unix:x", 0, false },
        { "\"unix:./x\"", "unix:/a/x", 0, false },
        { "\"unix:./x\"", "unix:/a/y", GP_EUSAGE, false },
        { "\"unix-abstract:x\"", "unix:x", GP_EUSAGE, false },
        { "", "127.0.0.1:5", 0, true },
        { "\"\"", "127.0.0.1:5", GP_EUSAGE, false },
        { "5,null,[],{}", "127.0.0.1:5", GP_EUSAGE, false },
    };
    net_network(0, own);
    CHECK(*own);                        /* CI has /proc */
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (int k = 0; k < 3; k++) {   /* own, another, unknown */
            struct fetch_profile p = { .base = "127.0.0.1:6060" };
            struct gp_why why;
            struct js_value v;
            snprintf(text, sizeof text, "{\"network\":%s%s\",\"listen\":[%s]}",
                     k == 0 ? "\"" : k == 1 ? "\"x" : "1,\"x\":\"", own,
                     t[i].listen);
            CHECK(!js_read(txt_slice(text), &v, &why));
            int e = fetch_check_listen(&p, &v, t[i].target, &why);
            CHECK(e == (k == 0 ? t[i].e : 0));
            CHECK((*p.note.text != 0) == (t[i].note || (k && t[i].e)));
        }
}

/* Results with the server's CPU, written, read and merged. */
static void test_res_profile(void)
{
    static const char *const target[] = { "127.0.0.1:1" };
    static const struct res_method method = { .call = "a.B/C", .weight = 1 };
    struct res_config k = { .target = target, .ntarget = 1,
        .call = "a.B/C", .method = &method, .nmethod = 1 };
    struct res r;
    struct judge_profile p = {
        .seconds = 2, .samples = 100, .effective = 100, .calls = 1000,
        .cpu_ns = 2000, .low_ns = 1700, .high_ns = 2300, .profiler_ns = 5,
        .user_ns = NAN, .system_ns = NAN, .file = "x.pb" };
    struct judge_report t = { .config = &k, .result = &r, .profile = &p };
    struct lf_saved s[4];
    struct gp_why why;
    CHECK(!res_init(&r, 0));
    for (size_t i = 0; i < 4; i++) {    /* ours, ours, foreign, none */
        struct buf text = {0};
        p.of_load = i == 2;
        p.calls = i == 1 ? 3000 : 1000;
        p.cpu_ns = i == 1 ? 4000 : 2000;
        p.low_ns = p.cpu_ns - 300;
        p.high_ns = p.cpu_ns + 300;
        t.profile = i == 3 ? NULL : &p;
        lf_put_json(&text, &t);
        CHECK(!lf_read(&s[i], mem_slice(&text), &why));
        mem_fini(&text);
        CHECK(s[i].profiled == (i < 3) && s[i].profile.of_load == (i == 2));
    }
    CHECK(fabs(s[0].profile.low_ns - 1700) < 1e-6 &&
          isnan(s[0].profile.user_ns) && !strcmp(s[0].profile.file, "x.pb") &&
          fabs(s[0].profile.effective - 100) < .01);
    lf_saved_merge(&s[3], &s[0]);      /* of the server: all calls are in it */
    CHECK(s[3].profiled && fabs(s[3].profile.cpu_ns - 2000) < 1e-6 &&
          !strcmp(s[3].profile.file, "x.pb"));
    lf_saved_merge(&s[0], &s[1]);
    CHECK(s[0].profiled && fabs(s[0].profile.cpu_ns - 3500) < 1e-6 &&
          fabs(s[0].profile.calls - 4000) < 1e-6);
    double half = hypot(300e3, 900e3) / 4000;
    CHECK(fabs(s[0].profile.high_ns - 3500 - half) < 1e-6 &&
          fabs(s[0].profile.low_ns - 3500 + half) < 1e-6);
    struct lf_saved none = { .n = 1 };
    CHECK(!res_init(&none.result, 0));
    none.config = k;
    lf_saved_merge(&s[2], &none);      /* of the load: not of the other's */
    CHECK(!s[2].profiled && s[2].unprofiled);
    lf_saved_merge(&s[2], &s[1]);
    CHECK(!s[2].profiled);
    for (size_t i = 0; i < 4; i++)
        lf_saved_fini(&s[i]);
    lf_saved_fini(&none);
    res_fini(&r);
}

static void test_res_intervals(void)
{
    struct res_intervals t, u;
    uint64_t ok = 0;
    for (int64_t ns = 16; ns < INT64_C(1) << 45; ns += ns / 7 + 1) {
        int64_t high = res_coarse_value(res_coarse(ns));
        CHECK(high >= ns && (double)high <= (double)ns * 1.0626);
    }
    CHECK(!res_intervals_init(&t, 1000) && !res_intervals_init(&u, 4000));
    for (int64_t at = 0; at < 3000000; at += 500) {
        struct res_interval *v = res_intervals_at(&t, at, 7);
        v->ok++;
        v->count[res_coarse(at)]++;
    }
    CHECK(t.ns == 8000 && t.n <= RES_INTERVALS && t.n == 375);
    res_intervals_at(&u, 5000, 1)->ok = 5;
    res_intervals_merge(&t, &u);
    for (size_t i = 0; i < t.n; i++)
        ok += t.v[i].ok;
    CHECK(ok == 6005 && t.v[0].ok == 16 + 5 && t.v[0].in_flight == 7);
    CHECK(t.ns == 8000 && u.ns == 8000);
    mem_free(t.v);
    mem_free(u.v);
    /* 2 and 3 have intervals of 6 in common; 1,000,003 and 1,000,000 none that
     * are shorter than the series. */
    static const int64_t width[][3] = { { 2, 3, 6 }, { 6, 4, 12 }, { 5, 5, 5 },
        { 3, 12, 12 }, { 1000003, 1000000, 0 } };
    for (size_t i = 0; i < sizeof width / sizeof *width; i++) {
        CHECK(!res_intervals_init(&t, width[i][0] * 1000));
        CHECK(!res_intervals_init(&u, width[i][1] * 1000));
        for (int64_t at = 0; at < 60000 * width[i][0]; at += 1000) {
            res_intervals_at(&t, at, 1)->ok++;
            res_intervals_at(&u, at, 2)->ok += 2;
            if (at > 200000)
                break;
        }
        bool both = res_intervals_merge(&t, &u);
        CHECK(both == (width[i][2] > 0));
        for (size_t k = 0; both && k + 1 < t.n; k++)
            CHECK(t.ns == width[i][2] * 1000 &&
                  t.v[k].ok == 3 * (uint64_t)width[i][2]);
        CHECK(!both || t.v[0].in_flight == 3);
        mem_free(t.v);
        mem_free(u.v);
    }
}

/* Results that are one run together, and those that are not. */
static void test_res_unlike(void)
{
    static const struct res_step step[][2] = {
        { { 100, 100, 1000 }, { 200, 200, 1000 } },
        { { 300, 300, 1000 }, { 200, 200, 1000 } },
        { { 100, 100, 2000 }, { 200, 200, 1000 } } };
    struct res_config a = { .call = "a.B/C", .step = step[0], .nstep = 2 }, b;
    static const char *const want[][2] = { { NULL, NULL }, { "call", "call" },
        { "kind", "kind" }, { "schedule", NULL }, { "schedule", "schedule" },
        { "schedule", "schedule" }, { NULL, "duration" } };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        for (int sum = 0; sum < 2; sum++) {
            b = a;
            b.call = i == 1 ? "a.B/D" : b.call;
            b.nstep = i == 2 ? 0 : b.nstep;
            b.step = i == 3 ? step[1] : i == 4 ? step[2] : b.step;
            b.poisson = i == 5;
            b.duration_ns = i == 6 ? 500 : 0;
            const char *got = lf_unlike(&a, &b, sum);
            CHECK(!got == !want[i][sum]);
            CHECK(!got || strstr(got, want[i][sum]));
        }
}

/* A case of test_res_judge; other figures are common to all. */
struct unit_run {
    enum judge_limit want;
    bool open;
    double busy, wait, slices;          /* client: shares, thousands a second */
    double idle;                        /* of 2 CPUs; 0: they were not watched */
    double cpu, server_wait, server_slices;     /* likewise; 0: not found */
    int shared;                         /* CPUs */
    void (*bend)(struct res *r);        /* or NULL */
};

static void unit_short(struct res *r)
{
    r->planned = r->sent = r->ok = 50;
}

static void unit_no_streams(struct res *r)
{
    r->peer_streams = 0;
}

static void unit_late(struct res *r)
{
    r->late_spells = 20;
    for (int k = 0; k < 1000; k++)
        hdr_add(&r->lag, 2000000);
}

/* As many calls are late, but by one stall. */
static void unit_late_once(struct res *r)
{
    unit_late(r);
    r->late_spells = 1;
}

static void unit_queue(struct res *r)
{
    r->streams_blocked_ns = 100000000;
}

/* All streams are in use at once: the few calls before say nothing. */
static void unit_queue_at_once(struct res *r, int64_t fast, int64_t slow)
{
    r->streams_blocked_ns = 900000000;
    r->streams_free = (struct res_pace){ 50, 50 * (fast + slow) / 2 };
    r->streams_blocked = (struct res_pace){ 950, 950 * slow };
    hdr_add(&r->service, fast);
}

static void unit_serial(struct res *r)
{
    unit_queue_at_once(r, 100000, 10000000);
}

static void unit_sleeps(struct res *r)
{
    unit_queue_at_once(r, 10000000, 10500000);
}

static void unit_full(struct res *r)
{
    r->tcp_limited_ns = 100000000;
}

/* Few calls, and p90 of them was in time. */
static void unit_late_few(struct res *r)
{
    r->late_spells = 20;
    for (int k = 0; k < 150; k++)
        hdr_add(&r->lag, k < 140 ? 50000 : 30000000);
}

static void unit_late_tenth(struct res *r)
{
    r->late_spells = 20;
    for (int k = 0; k < 150; k++)
        hdr_add(&r->lag, k < 100 ? 50000 : 30000000);
}

static void unit_all_failed(struct res *r)
{
    r->failed = r->ok;
    r->ok = 0;
}

static void unit_not_sent(struct res *r)
{
    r->not_sent = 100;
    r->planned += 100;
}

/* Most calls take 0.2 ms. */
static void unit_quick(struct res *r)
{
    for (int k = 0; k < 50000; k++)
        hdr_add(&r->response, 200000);
}

/* The verdict: each limit by its own evidence, the client above the others, and
 * none from a short run.  Waiting and CPU are as measured: client and server on
 * one CPU wait 5 us at a time, beside other programs 70 us to 1 ms. */
static void test_res_judge(void)
{
    static const struct unit_run t[] = {
        { RES_BY_SERVER, .busy = .3, .wait = .01, .slices = 4 },
        { RES_BY_UNKNOWN, .busy = .3, .bend = unit_short },
        { RES_BY_CLIENT, .busy = .9 },
        { RES_BY_STREAMS, .busy = .3, .bend = unit_no_streams },
        { RES_BY_CLIENT, true, .busy = .3, .bend = unit_late },
        { RES_BY_RATE, true, .busy = .3, .bend = unit_late_once },
        { RES_BY_RATE, true, .busy = .3, .bend = unit_late_few },
        { RES_BY_CLIENT, true, .busy = .3, .bend = unit_late_tenth },
        { RES_BY_UNKNOWN, .busy = .9, .bend = unit_all_failed },
        /* late, as other programs had the CPU at each of its few wake-ups */
        { RES_BY_MACHINE, true, .busy = .01, .wait = .04, .slices = .2,
          .bend = unit_late_tenth },
        { RES_BY_STREAMS, true, .busy = .3, .bend = unit_queue },
        { RES_BY_SERVER, true, .busy = .3, .bend = unit_serial },
        { RES_BY_STREAMS, true, .busy = .3, .bend = unit_sleeps },
        { RES_BY_NETWORK, true, .busy = .3, .bend = unit_full },
        { RES_BY_SERVER, true, .busy = .3, .bend = unit_not_sent },
        { RES_BY_RATE, true, .busy = .3 },
        /* 5% busy beside one busy server: many short waits are wake-ups */
        { RES_BY_SERVER, .busy = .05, .wait = .1, .slices = 20, .idle = .45,
          .cpu = 1, .server_slices = 8, .shared = 2 },
        /* a wait of 77 us at each wake-up, for calls of 0.4 and of 10 ms */
        { RES_BY_MACHINE, .busy = .05, .wait = .23, .slices = 3,
          .bend = unit_quick },
        { RES_BY_SERVER, .busy = .05, .wait = .23, .slices = 3 },
        /* an open loop in time: it delayed nothing */
        { RES_BY_RATE, true, .busy = .3, .wait = .23, .slices = 3 },
        { RES_BY_MACHINE, true, .busy = .3, .wait = .6, .slices = 3 },
        /* four ways: the client alone, the server alone, both, a stall */
        { RES_BY_CLIENT, .busy = .97, .idle = .1, .cpu = .6,
          .server_wait = .02, .server_slices = 1, .shared = 0 },
        { RES_BY_SERVER, .busy = .14, .wait = .01, .slices = 3, .idle = .43,
          .cpu = .99, .server_slices = .1, .shared = 0 },
        { RES_BY_MACHINE, .busy = .43, .wait = .15, .slices = 84, .idle = .01,
          .cpu = .53, .server_wait = .44, .server_slices = 84, .shared = 1 },
        { RES_BY_SERVER, .busy = .01, .wait = .01, .slices = .2, .idle = .98,
          .cpu = .01, .server_slices = .2, .shared = 2 },
        /* the same stall where other programs use all CPUs */
        { RES_BY_SERVER, .busy = .01, .wait = .04, .slices = .2, .idle = .001,
          .cpu = .01, .server_wait = .04, .server_slices = .2, .shared = 2 },
        /* one client and its server take turns on CPUs that idle */
        { RES_BY_SERVER, .busy = .36, .wait = .1, .slices = 94, .idle = .5,
          .cpu = .51, .server_wait = .46, .server_slices = 94, .shared = 2 },
        /* the server alone fills all CPUs: the client is no matter */
        { RES_BY_SERVER, .busy = .06, .wait = .05, .slices = 6, .idle = .01,
          .cpu = 1.88, .server_wait = .1, .server_slices = 7, .shared = 2 },
        /* other programs take the server's CPU, not the client's */
        { RES_BY_MACHINE, .busy = .04, .wait = .01, .slices = 3, .idle = .1,
          .cpu = .6, .server_wait = .39, .server_slices = 1, .shared = 2 },
    };
    const struct res_step step = { 1000, 1000, 1000000000 };
    struct res_config closed = { .clients = 10, .streams = 1 }, open = closed;
    struct res r;
    open.step = &step;
    open.nstep = 1;
    open.streams = 100;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        CHECK(!res_init(&r, 0));
        r.planned = r.sent = r.ok = 1000;
        r.elapsed_ns = 1000000000;
        r.threads = 1;
        r.thread[0] = (struct res_thread){ .wall_ns = 1000000000,
            .cpu_ns = (int64_t)(t[i].busy * 1e9),
            .wait_ns = (int64_t)(t[i].wait * 1e9),
            .timeslices = (uint64_t)(t[i].slices * 1e3) };
        if (t[i].idle > 0)
            r.machine = (struct res_machine){ 1000000000, 2000000000,
                                              (int64_t)(t[i].idle * 2e9) };
        if (t[i].shared == 1)           /* of one CPU that both may use */
            r.machine.cpus_ns /= 2;
        if (t[i].cpu > 0)
            r.server = (struct res_server){ .wall_ns = 1000000000,
                .processes = 1, .cpu_ns = (int64_t)(t[i].cpu * 1e9),
                .wait_ns = (int64_t)(t[i].server_wait * 1e9),
                .timeslices = (uint64_t)(t[i].server_slices * 1e3),
                .shared = (uint64_t)t[i].shared };
        for (int k = 0; k < 1000; k++) {
            hdr_add(&r.response, 10000000);
            if (t[i].open && t[i].bend != unit_late &&
                t[i].bend != unit_late_few && t[i].bend != unit_late_tenth)
                hdr_add(&r.lag, 50000);
        }
        r.peer_streams = 100;
        r.tcp_busy_ns = 500000000;
        if (t[i].bend)
            t[i].bend(&r);
        struct judge_verdict v = judge_run(t[i].open ? &open : &closed, &r);
        CHECK(v.nwhy > 0 && v.confidence >= 0 && v.confidence <= 1);
        CHECK(v.limit == t[i].want ||
              (printf("case %zu: %s\n", i, judge_limit_name[v.limit][0]), 0));
        res_fini(&r);
    }
}

/* A run whose calls failed: what they failed by, and what to try. */
static void test_res_judge_failed(void)
{
#define BY(outcome, code) .kind = CLIENT_##outcome, .status = (code)
    static const struct {
        uint64_t ok, failed[2];
        struct res_error error[2];
        const char *why, *next;
    } t[] = {
        { 0, { 3 }, { { BY(STATUS, 16), .text = "no token" } },
          "all 3 calls failed (UNAUTHENTICATED: no token): ",
          "-H 'authorization" },
        { 0, { 1 }, { { BY(STATUS, 7) } },
          "the only call failed (PERMISSION_DENIED): ", "-H 'authorization" },
        { 0, { 30 }, { { BY(HTTP, 14), .detail = 502 } },
          "all 30 calls failed (UNAVAILABLE, :status 502): ", "address" },
        { 0, { 135 }, { { BY(DEADLINE, 4), .text = "deadline" } },
          "(DEADLINE_EXCEEDED: --timeout is 150 ms): ", "--timeout" },
        { 0, { 5000, 2 }, { { BY(STATUS, 3), .text = "order 1" },
          { BY(STATUS, 3), .text = "order 2" } },
          "all 5,002 calls failed (INVALID_ARGUMENT, such as: order 1): ",
          "--data" },
        { 200, { 300, 301 }, { { BY(LOST, 14) },
          { BY(STATUS, 12), .text = "x" } },
          "601 of 801 calls failed (301 with UNIMPLEMENTED: x): ", "--list" },
        { 200, { 301, 300 }, { { BY(LOST, 14) }, { BY(STATUS, 12) } },
          "(301 with UNAVAILABLE): ", "why did it close connections?" },
        { 0, { 200 }, { { BY(CHECK, 0), .text = "a == 1: it is 2" } },
          "(CHECK_FAILED: a == 1: it is 2): ", "--check" },
        { 0, { 200 }, { { BY(STATUS, 13) } }, "INTERNAL", "log" },
        { 0, { 200 }, { { BY(STATUS, 14) } }, "UNAVAILABLE", "ready" },
        { 0, { 200 }, { { BY(STATUS, 8) } }, "RESOURCE_EXHAUSTED", "less" },
        { 200, { 200 }, { { BY(STATUS, 8) } }, "waited for the server",
          "-c 20" },
    };
#undef BY
    const struct res_config k = { .clients = 10, .streams = 1,
                                  .timeout_ns = 150000000 };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct res r;
        CHECK(!res_init(&r, 0));
        r.ok = t[i].ok;
        r.elapsed_ns = 1000000000;
        r.peer_streams = 100;
        r.threads = 1;
        r.thread[0] = (struct res_thread){ .wall_ns = 1000000000,
                                           .cpu_ns = 300000000 };
        for (int e = 0; e < 2 && t[i].failed[e]; e++) {
            struct res_error row = t[i].error[e];
            row.count = t[i].failed[e];
            res_error_add(&r, &row);
            r.failed += row.count;
        }
        r.planned = r.sent = r.ok + r.failed;
        struct judge_verdict v = judge_run(&k, &r);
        CHECK(strstr(v.why[0], t[i].why) && strstr(v.next, t[i].next));
        CHECK((v.limit == RES_BY_UNKNOWN) == (i < sizeof t / sizeof *t - 1));
        res_fini(&r);
    }
}

/* The CPU of the server as a share of the time of all its calls: those that
 * failed took time, too. */
static void test_res_judge_cpu(void)
{
    static const struct { int64_t failed_ns, cpu_ns; uint64_t cut_off;
                          const char *want; } t[] = {
        { 150000000, 20000000, 0, "which is 0.25% of the time of its calls" },
        { 0, 1000000000, 0, "which is 50% of the time of its calls" },
        { 0, 1000000000, 3, "at most 50% of the time of its calls" },
        { 0, 3000000000, 0, "more than the time of its calls" },
    };
    const struct res_config k = { .clients = 10, .streams = 1 };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct res r;
        bool said = false;
        CHECK(!res_init(&r, 0));
        r.ok = 200;
        r.failed = t[i].failed_ns ? 40 : 0;
        r.cut_off = t[i].cut_off;
        r.planned = r.sent = r.ok + r.failed + r.cut_off;
        r.elapsed_ns = 1000000000;
        r.peer_streams = 100;
        r.threads = 1;
        r.thread[0] = (struct res_thread){ .wall_ns = 1000000000,
                                           .cpu_ns = 100000000 };
        r.server = (struct res_server){ .wall_ns = 1000000000, .processes = 1,
                                        .cpu_ns = t[i].cpu_ns };
        for (uint64_t n = 0; n < r.ok; n++)
            hdr_add(&r.response, 10000000);
        for (uint64_t n = 0; n < r.failed; n++)
            hdr_add(&r.failed_latency, t[i].failed_ns);
        struct judge_verdict v = judge_run(&k, &r);
        for (size_t w = 0; w < v.nwhy; w++)
            said |= strstr(v.why[w], t[i].want) != NULL;
        CHECK(said);
        res_fini(&r);
    }
}

/* Percentiles of calls that are taken as independent: too few calls beyond one
 * leave it open above, and a bound within its interval is not resolved. */
static void test_res_assert_few(void)
{
    enum { HOLDS = STAT_HOLDS, FAILS = STAT_VIOLATED, OPEN = STAT_UNRESOLVED };
    static const struct { int n, beyond; const char *text; int want; } t[] = {
        { 500, 0, "p99<5ms", HOLDS }, { 500, 0, "p99>5ms", FAILS },
        { 500, 5, "p99<5ms", OPEN }, { 500, 5, "p99>5ms", OPEN },
        { 500, 12, "p99<5ms", FAILS }, { 500, 12, "p99>=5ms", HOLDS },
        { 300, 0, "p99<5ms", OPEN }, { 5, 0, "p98<=5ms", OPEN },
        { 5, 5, "p98<5ms", FAILS }, { 5, 0, "p100<5ms", HOLDS },
        { 5, 1, "p100<5ms", FAILS }, { 5, 1, "p0<5ms", HOLDS },
        { 50000, 50000, "p99.99<5ms", FAILS }, { 1000, 9, "p99<5ms", OPEN },
        { 1000, 2, "p99<5ms", HOLDS }, { 1000, 40, "p99<5ms", FAILS },
        { 1, 0, "p99.99<2h", OPEN }, { 500, 500, "p99<0s", FAILS },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct res r;
        struct gp_why why;
        struct judge_report report = { .result = &r };
        struct judge_assert a = { .text = t[i].text };
        CHECK(!res_init(&r, 0));
        for (int k = 0; k < t[i].n; k++)
            hdr_add(&r.response, k < t[i].beyond ? 80000000 : 400000);
        judge_resample(&report);
        CHECK(!judge_assert(&report, &a, &why));
        CHECK(report.boot.alone && ((int)a.outcome == t[i].want ||
              (printf("%s of %d\n", t[i].text, t[i].n), 0)));
        CHECK(isnan(a.more) == (a.outcome != STAT_UNRESOLVED) &&
              !(a.more < 1));
        judge_release(&report);
        res_fini(&r);
    }
}

/* A comparison says which changes need not be the server's, which have no
 * known interval, and compares the methods of a mix. */
static void test_res_compare(void)
{
    static const struct loaddoc_config look = { .width = LOADDOC_COLUMNS };
    static const double percent[] = { 50, 76, 99.9 };
    static const struct judge_spread run[] = { { .p50 = 10e6, .p999 = NAN },
                                               { .p50 = 30e6, .p999 = NAN } };
    const char *to = "127.0.0.1:1";
    struct client_payload none = {0};
    struct res_method m[] = {
        { .call = "a.B/C", .weight = 3, .payload = &none, .npayload = 1 },
        { .call = "a.B/D", .weight = 1, .payload = &none, .npayload = 1 } };
    for (int i = 0; i < 4; i++) {       /* alike; another call; a busy client;
                                         * runs */
        struct res_config k = { .target = &to, .ntarget = 1, .call = "x",
            .method = m, .nmethod = 2, .clients = 2, .timeout_ns = 1 };
        struct res_config other = k;
        struct res r;
        struct buf b = {0};
        CHECK(!res_init(&r, 0) && !res_init_methods(&r, 2));
        r.planned = r.sent = r.ok = 1000;
        r.elapsed_ns = 1000000000;
        r.peer_streams = 100;
        r.threads = 1;
        r.thread[0] = (struct res_thread){ .wall_ns = 1000000000,
            .cpu_ns = i == 2 ? 950000000 : 100000000 };
        r.method[0].ok = 700;
        for (int n = 0; n < 1000; n++)
            hdr_add(&r.response, 10000000);
        other.nmethod = i == 1 ? 1 : 2;
        struct judge_report t = { .config = &k, .result = &r, .old = &r,
            .old_config = &other, .percent = percent, .npercent = 3,
            .verdict = judge_run(&k, &r), .run = run, .old_run = run,
            .nrun = i == 3 ? 2 : 0, .old_nrun = i == 3 ? 2 : 0 };
        judge_resample(&t);
        loaddoc_text(&b, &t, &look);
        judge_release(&t);
        const char *text = strstr(mem_string(&b), "  compared");
        CHECK(text != NULL);
        text = text ? text : "";
        CHECK(!strstr(text, "calls another method than this one") == (i != 1));
        CHECK(!strstr(text, "CLIENT-LIMITED, this one CLIENT") == (i != 2));
        CHECK(!strstr(text, "req/s old") == (i == 1));
        CHECK(!strstr(text, "700      700") == (i == 1));
        CHECK(!strstr(text, "independent") == (i == 3));
        CHECK(!strstr(text, "No change is significant") == 0);
        CHECK(!strstr(text, "p99.9"));
        CHECK(!strstr(text, "Of all calls of the runs, and not tested: p76.") ==
              (i != 3));
        CHECK(!strstr(text, "5% counts as none") == (i == 3));
        b.len = 0;
        lf_put_json(&b, &t);
        CHECK(!strstr(mem_string(&b), "\"methods\":[{\"call\":\"a.B/C\", "
                      "\"rps_ok\":{\"old\":700, \"now\":700}") == (i == 1));
        mem_fini(&b);
        res_fini(&r);
    }
}

/* Assertions: each figure, each comparison, and invalid ones. */
static void test_res_assert(void)
{
    static const struct { const char *text; bool pass; } t[] = {
        { "rps>900", true }, { "rps<1100", true }, { "rps<=800", false },
        { "p50<11ms", true }, { "p50<=10ms", true }, { "p99.9>1ms", true },
        { "mean>=10ms", true }, { "max<9ms", false }, { "min>1us", true },
        { "errors<1%", true },
        { "errors<=0", false }, { "errors<11", true }, { "not_sent<=0", true },
        { "cpu_per_call<1s", false }, { "p50>5000ns", true },
        { "cut_off<1", true }, { "cut_off<1%", true },
        { "p50 < 11ms", true }, { " rps>9", true },
    };
    static const char *const bad[] = { "", "p50", "p50=1", "p50<", "p101<1s",
        "speed<1", "p50<1x", "p50<>1ms", "<1", "errors<%", "p50<5", "max<5%",
        "rps>1%", "rps>1ms", "errors<1ms", "cut_off<", "cpu_per_call<8",
        "p50<5ms ", "p 50<5ms", "p50<5ms && rps>1" };
    struct res r;
    struct judge_report report = { .result = &r };
    struct judge_assert a;
    struct gp_why why;
    CHECK(!res_init(&r, 0));
    r.planned = r.ok = 1000;
    r.failed = 10;
    r.elapsed_ns = 1000000000;
    for (int k = 0; k < 1000; k++)
        hdr_add(&r.response, 10000000);
    judge_resample(&report);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        a = (struct judge_assert){ .text = t[i].text };
        CHECK(!judge_assert(&report, &a, &why));
        CHECK(a.outcome == (t[i].pass ? STAT_HOLDS : STAT_VIOLATED) ||
              (printf("%s\n", t[i].text), 0));
    }
    a = (struct judge_assert){ .text = "rps>=1010" };   /* 1,000 +-6% */
    CHECK(!judge_assert(&report, &a, &why) && a.outcome == STAT_UNRESOLVED);
    CHECK(a.more > 30 && a.more < 50);
    judge_release(&report);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = (struct judge_assert){ .text = bad[i] };
        CHECK(judge_assert(&report, &a, &why) == GP_EUSAGE);
    }
    res_fini(&r);
}

/* The time that a client had no connection counts while measuring, and in an
 * open loop while calls waited; lost 0: it needed none. */
static void test_load_down(void)
{
    static const struct { int64_t lost, close, now, queued; bool open, dead;
                          int64_t down; } t[] = {
        { 50, INT64_MAX, 500, 0, false, false, 400 },
        { 200, INT64_MAX, 500, 0, false, false, 300 },
        { 200, 600, 500, 0, false, false, 300 },
        { 200, 400, 500, 0, false, false, 200 },
        { 450, 400, 500, 0, false, false, 0 },
        { 50, 400, 500, 0, false, false, 300 },
        { 0, 400, 500, 0, false, false, 0 },
        { 200, 600, 500, 0, true, false, 0 },
        { 200, 600, 500, 350, true, false, 150 },
        { 200, 600, 500, 150, true, false, 300 },
        { 200, 600, 500, 0, true, true, 300 },
    };
    static struct load_run run;
    static struct load_worker w = { .run = &run };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct load_client c = { .worker = &w, .lost_ns = t[i].lost,
                                 .dead = t[i].dead };
        run.open = t[i].open;
        w.measuring = true;
        w.start_ns = 100;
        w.queued_at_ns = t[i].queued;
        w.close_ns = t[i].close;
        w.net.now_ns = t[i].now;
        CHECK(load_client_down_ns(&c) == t[i].down);
        w.measuring = false;
        CHECK(load_client_down_ns(&c) == 0);
    }
}

/* Set r to a run of 5 s with 1,000 calls a second of 1 to 1.1 ms, and those of
 * a stall of 0.5 s length at each of n times, in ms. */
static void unit_stalled(struct res *r, const int *stall, size_t n, int calls)
{
    CHECK(!res_init(r, 1000000000));
    r->elapsed_ns = 5000000000;
    for (int64_t ms = 0; ms < 5000; ms++) {
        bool late = false;
        for (size_t i = 0; i < n; i++)
            late |= ms >= stall[i] && ms < stall[i] + calls;
        int64_t ns = late ? 500000000 + ms : 1000000 + ms * 37 % 101 * 1000;
        struct res_interval *v = res_intervals_at(&r->blocks, ms * 1000000, 0);
        v->ok++;
        v->count[res_coarse(ns)]++;
        hdr_add(&r->response, ns);
        r->ok++;
    }
    r->planned = r->sent = r->ok;
    r->runs = 1;
    res_intervals_split(&r->intervals, &r->blocks, r->intervals.ns);
    CHECK(r->intervals.n == 5 && r->blocks.n > RES_BLOCKS / 2);
}

/* Sixty values of one stall are one event: p99 is not bounded by them; ten each
 * of six stalls bound it. */
static void test_res_stall(void)
{
    static const int stall[] = { 600, 1400, 2300, 2900, 3700, 4600 };
    for (size_t n = 1; n <= 6; n += 5) {
        struct res r;
        struct gp_why why;
        struct judge_report report = { .result = &r };
        struct judge_assert a = { .text = "p99<600ms" };
        unit_stalled(&r, stall, n, n == 1 ? 60 : 10);
        judge_resample(&report);
        CHECK(!report.boot.alone && !judge_assert(&report, &a, &why));
        CHECK(a.outcome == (n == 1 ? STAT_UNRESOLVED : STAT_HOLDS));
        CHECK(isinf(a.high) == (n == 1) && a.low < 2e6 && a.value > 4e8);
        a = (struct judge_assert){ .text = "p50<1.2ms" };
        CHECK(!judge_assert(&report, &a, &why) && a.outcome == STAT_HOLDS);
        judge_release(&report);
        res_fini(&r);
    }
}

/* A result and its blocks, written and read again, merged with one of the same
 * time, and with a later run. */
static void test_res_blocks(void)
{
    static const char *const target[] = { "127.0.0.1:1" };
    static const int stall[] = { 600 };
    static const struct res_method method = { .call = "a.B/C", .weight = 1 };
    struct res_config k = { .target = target, .ntarget = 1, .call = "a.B/C",
        .method = &method, .nmethod = 1, .duration_ns = 5000000000 };
    struct res r;
    struct gp_why why;
    struct lf_saved a, b;
    struct buf text = {0};
    unit_stalled(&r, stall, 1, 5);
    r.blocks.v[7].failed = 3;
    r.failed = 3;
    r.planned += 3;
    r.start_unix_ns = 1000;
    k.interval_ns = r.intervals.ns;
    struct judge_report t = { .config = &k, .result = &r };
    lf_put_json(&text, &t);
    CHECK(text.len < 60000);
    CHECK(!lf_read(&a, mem_slice(&text), &why));
    CHECK(!lf_read(&b, mem_slice(&text), &why));
    size_t n = r.blocks.n;
    CHECK(a.result.blocks.n == n && a.result.blocks.ns == r.blocks.ns);
    for (size_t i = 0; i < n; i++) {
        r.blocks.v[i].in_flight = a.result.blocks.v[i].in_flight;
        CHECK(!memcmp(&a.result.blocks.v[i], &r.blocks.v[i], sizeof *r.blocks.v));
    }
    lf_saved_merge(&a, &b);
    CHECK(a.result.blocks.n == n && a.result.blocks.v[7].failed == 6 &&
          a.result.blocks.v[3].ok == 2 * r.blocks.v[3].ok);
    b.result.start_unix_ns += 6000000000;
    lf_saved_merge(&a, &b);
    CHECK(a.result.blocks.n == 0);
    struct res all = {0};
    lf_append(&all, &r);
    lf_append(&all, &b.result);
    CHECK(all.blocks.n == 2 * n && all.blocks.v[n + 7].failed == 3);
    res_fini(&all);
    lf_saved_fini(&a);
    lf_saved_fini(&b);
    static const char *const bad[] = { "[]", "[0,1]", "[0,672,1]", "7",
                                       "[0,671,4294967296]" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[400];
        snprintf(json, sizeof json, "{\"schema\":\"grpcprof.load/1\","
                 "\"blocks\":{\"ns\":5,\"each\":[[1,671,2],%s]}}", bad[i]);
        CHECK(lf_read(&a, txt_slice(json), &why) == GP_EFORMAT &&
              strstr(why.text, "blocks.each[1]"));
        lf_saved_fini(&a);
    }
    mem_fini(&text);
    CHECK(lf_read(&a, txt_slice("{\"schema\":\"grpcprof.load/1\",\"counts\":{"
              "\"planned\":5,\"ok\":4,\"failed\":1},\"blocks\":{\"ns\":5,"
              "\"each\":[[1,671,2],[0,0,1]]}}"), &why) == GP_EFORMAT);
    CHECK(strstr(why.text, "3 ok and 1 failed, in counts 4 and 1") != NULL);
    lf_saved_fini(&a);
}

/* Set r to a simulated run of 3 s: calls arrive at random, 2,000 a second, queue
 * for a server that takes 0.3 ms of each on average, and 2% of them wait for
 * 10 ms, times slow, thereafter; the server stalls now and then. */
static void unit_queued(struct res *r, uint64_t *state, double slow)
{
    double now = 0, free = 0, stall = 0;
    CHECK(!res_init(r, 1000000000));
    r->elapsed_ns = 3000000000;
    r->runs = 1;
    while (now < 3e9) {
        double u = stat_random_part(state);
        now -= 5e5 * log(stat_random_part(state));
        if (now > stall) {
            free = fmax(free, now + 4e6);
            stall = now - 4e8 * log(stat_random_part(state));
        }
        free = fmax(free, now) - 3e5 * log(stat_random_part(state));
        double end = free + (u < .02 ? slow * (8e6 + 2e8 * u) : 0);
        int64_t ns = (int64_t)(end - now);
        if (end >= 3e9)
            continue;
        struct res_interval *v = res_intervals_at(&r->blocks, (int64_t)end, 0);
        v->ok++;
        v->count[res_coarse(ns)]++;
        hdr_add(&r->response, ns);
        r->ok++;
    }
    r->planned = r->sent = r->ok;
    res_intervals_split(&r->intervals, &r->blocks, r->intervals.ns);
}

/* Of pairs of equal runs at most one of ten has a significant change; a p99 that
 * is 30% worse is found in nine of ten. */
static void test_res_pairs(void)
{
    enum { PAIRS = 12 };
    static const double percent[] = { 50, 75, 90, 95, 99, 99.9 };
    uint64_t state = 11;
    int alarms = 0, found = 0;
    for (int i = 0; i < 2 * PAIRS; i++) {
        struct res_config k = { .clients = 1 };
        struct lf_change c[LF_CHANGES];
        struct res old, now;
        bool any = false;
        unit_queued(&old, &state, 1);
        unit_queued(&now, &state, i % 2 ? 1.3 : 1);
        struct judge_report t = { .config = &k, .old_config = &k, .old = &old,
            .result = &now, .percent = percent, .npercent = 6 };
        judge_resample(&t);
        CHECK(t.boot.r && !t.boot.alone);
        for (size_t n = lf_changes(&t, c), f = 0; f < n; f++) {
            any |= c[f].change.significant;
            found += i % 2 && c[f].change.significant &&
                     !strcmp(c[f].name, "p99");
        }
        alarms += i % 2 == 0 && any;
        judge_release(&t);
        res_fini(&old);
        res_fini(&now);
    }
    CHECK((alarms <= PAIRS / 10 && found >= PAIRS * .9) ||
          (printf("of %d: %d alarms, %d found\n", PAIRS, alarms, found), 0));
}

/* A run without a successful call has no latencies, but a rate, which is 0, and
 * failures, which are more than those of an older run. */
static void test_res_all_failed(void)
{
    static const double percent[] = { 50 };
    static const struct { const char *text; enum stat_outcome want; } t[] = {
        { "rps>1", STAT_VIOLATED }, { "rps<1", STAT_HOLDS },
        { "delta(rps)>-50%", STAT_VIOLATED }, { "p50<1s", STAT_VIOLATED } };
    for (int blocks = 0; blocks < 2; blocks++) {
        struct res_config k = { .clients = 1 };
        struct res old, r;
        struct lf_change c[LF_CHANGES];
        struct gp_why why;
        unit_stalled(&old, NULL, 0, 0);
        CHECK(!res_init(&r, 1000000000));
        r.elapsed_ns = 5000000000;
        r.planned = r.failed = 5000;
        for (int64_t ms = 0; ms < 5000 && blocks; ms++)
            res_intervals_at(&r.blocks, ms * 1000000, 0)->failed++;
        struct judge_report j = { .config = &k, .old_config = &k, .old = &old,
            .result = &r, .percent = percent, .npercent = 1 };
        judge_resample(&j);
        CHECK(lf_changes(&j, c) == 3 && c[0].change.significant &&
              c[1].change.significant && isnan(c[2].change.delta));
        for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
            struct judge_assert a = { .text = t[i].text };
            CHECK(!judge_assert(&j, &a, &why) && (a.outcome == t[i].want ||
                  (printf("%s\n", t[i].text), 0)));
        }
        judge_release(&j);
        res_fini(&r);
        res_fini(&old);
    }
}

/* Failures of runs are compared as shares of their calls, and differ by no less
 * than by chance. */
static void test_res_runs_failed(void)
{
    static const struct { double calls, failed[2]; bool differs; } t[] = {
        { 1000, { 1, 1 }, false }, { 2000, { 22, 26 }, false },
        { 1000, { 100, 100 }, true }, { 1000, { 1000, 1000 }, true },
        { 1000, { 0, 0 }, false } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        double had = i == 1 ? 11 : 0, mean[2];
        const struct judge_spread old[] = {
            { .calls = 1000, .failed = had },
            { .calls = 1000, .failed = had } };
        const struct judge_spread now[] = {
            { .calls = t[i].calls, .failed = t[i].failed[0] },
            { .calls = t[i].calls, .failed = t[i].failed[1] } };
        struct judge_report j = { .old_run = old, .old_nrun = 2, .run = now,
                                  .nrun = 2 };
        double p = judge_run_change(&j, judge_run_row(txt_slice("errors")),
                                    mean).p;
        CHECK((p < 0.01) == t[i].differs && (p > 0.1) != t[i].differs);
    }
}

/* Results are runs of one side if none ran at the time of another, in whatever
 * order they are given; as many as there is room for. */
static void test_res_run_order(void)
{
    static const int64_t from[] = { 0, 22, 11, 5 };
    struct lf_saved *s = mem_zalloc(5 * sizeof *s);
    CHECK(s != NULL);
    for (size_t i = 0; s && i < 4; i++) {
        CHECK(!res_init(&s[i].result, 0));
        s[i].result.start_unix_ns = from[i];
        s[i].result.elapsed_ns = 10;
        s[i].result.runs = 1;
        s[i].n = 1;
        s[i].result.threads = i ? 2 : 1;
        s[i].result.thread[i ? 1 : 0].cpu_ns = 7;
        lf_span_one(&s[i]);
    }
    for (size_t i = 1; s && i < 3; i++)
        CHECK(lf_apart(&s[0], &s[i]) && !lf_saved_append(&s[0], &s[i]));
    CHECK(s && !lf_apart(&s[0], &s[3]) && s[0].nrun == 3 && s[0].nspan == 3);
    CHECK(s && s[0].result.threads == 2 && s[0].result.thread[1].cpu_ns == 14);
    for (size_t i = 0; s && i < 5; i++) {
        s[4].nrun = i ? s[4].nrun : RES_RUNS_MOST - 2;
        CHECK(i || lf_saved_append(&s[0], &s[4]) == GP_ELIMIT);
        lf_saved_fini(&s[i]);
    }
    mem_free(s);
}

/* The CPU per call of one run a side: what is exact in both is not tested, and
 * what differs by less than runs do is not significant.  Too few samples or
 * calls decide no bound. */
static void test_res_cpu(void)
{
    static const struct { double now, error, effective; int calls, few, out;
                          bool tested, differs; } t[] = {
        { 12e3, 0, 500, 500, 0, STAT_UNRESOLVED, false, false },
        { 10.4e3, 0.1e3, 500, 500, 0, STAT_HOLDS, true, false },
        { 12e3, 0.1e3, 500, 500, 0, STAT_VIOLATED, true, true },
        { 12e3, 0.1e3, 3, 500, 1, STAT_UNRESOLVED, true, true },
        { 12e3, 0.1e3, 500, 50, 1, STAT_UNRESOLVED, true, true },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct judge_profile old = { .cpu_ns = 10e3, .effective = 500,
            .low_ns = 10e3 - t[i].error, .high_ns = 10e3 + t[i].error };
        struct judge_profile now = { .cpu_ns = t[i].now,
            .effective = t[i].effective, .low_ns = t[i].now - t[i].error,
            .high_ns = t[i].now + t[i].error };
        struct judge_assert a = { .text = "delta(cpu_per_call)<1us" };
        struct judge_assert one = { .text = "cpu_per_call<11us" };
        struct gp_why why;
        struct res r;
        struct lf_change c;
        CHECK(!res_init(&r, 0));
        r.ok = (uint64_t)t[i].calls;
        struct judge_report report = { .result = &r, .old = &r,
            .profile = &now, .old_profile = &old };
        CHECK(!judge_assert(&report, &a, &why) && !a.few == !t[i].few);
        CHECK((int)a.outcome == t[i].out);
        CHECK(!judge_assert(&report, &one, &why) && !one.few == !t[i].few);
        CHECK(one.outcome == (t[i].few ? STAT_UNRESOLVED
              : t[i].now < 11e3 ? STAT_HOLDS : STAT_VIOLATED));
        lf_change(&report, "cpu_per_call", "cpu_per_call", NAN, &c);
        CHECK(!isnan(c.change.p) == t[i].tested);
        CHECK((c.change.p < 0.05) == t[i].differs);
        res_fini(&r);
    }
}

/* Changes from an older result: of one run each, and of the means of several
 * with Welch's interval.  The runs are 10 and 30, and 20 and 30 ms: a change of
 * 5 ms with an interval that is far wider. */
static void test_res_delta(void)
{
    static const struct judge_spread old_run[] = {
        { .rps = 100, .p50 = 10e6, .p99 = NAN }, { .rps = 100, .p50 = 30e6 } };
    static const struct judge_spread run[] = {
        { .rps = 90, .p50 = 20e6, .p99 = 1 }, { .rps = 90, .p50 = 30e6 } };
    static const struct { const char *text; bool pass; double value; } t[] = {
        { "delta(p50)<90%", false, 1 }, { "delta(p50)<=12ms", true, 10e6 },
        { "delta(rps)>-50%", true, -0.3 }, { "delta(rps)>-20%", false, -0.3 },
        { "delta(errors)<2%", true, 0.01 },
        { "delta(errors)<9", false, 10 }, { "delta(p50)>-1ms", true, 10e6 },
    };
    static const char *const bad[] = { "delta()<1%", "delta(p50<1%",
        "delta(speed)<1%", "delta(p50)<5", "delta(p50)", "delta<1%",
        "delta(delta(p50))<1%" };
    struct res r, old;
    struct gp_why why;
    struct judge_assert a;
    CHECK(!res_init(&r, 0) && !res_init(&old, 0));
    old.planned = old.ok = 1000;
    r.planned = 1000;
    r.ok = 700;
    r.failed = 0;
    old.elapsed_ns = r.elapsed_ns = 1000000000;
    for (int k = 0; k < 1000; k++) {
        hdr_add(&old.response, 10000000);
        hdr_add(&r.response, 20000000);
    }
    struct judge_report none = { .result = &r }, both = none;
    both.old = &old;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        r.failed = strstr(t[i].text, "errors") ? 10 : 0;
        r.ok = r.failed ? 990 : 700;
        judge_resample(&both);
        a = (struct judge_assert){ .text = t[i].text };
        CHECK(!judge_assert(&both, &a, &why));
        CHECK(a.outcome == (t[i].pass ? STAT_HOLDS : STAT_VIOLATED) ||
              (printf("%s\n", t[i].text), 0));
        CHECK(fabs(a.value - t[i].value) <= 0.001 * fabs(t[i].value));
        CHECK(a.delta && a.low <= a.value && a.value <= a.high);
        a = (struct judge_assert){ .text = t[i].text };
        CHECK(!judge_assert(&none, &a, &why) && isnan(a.value));
        CHECK(a.outcome == STAT_VIOLATED);
        judge_release(&both);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a = (struct judge_assert){ .text = bad[i] };
        CHECK(judge_assert(&both, &a, &why) == GP_EUSAGE);
    }
    both.run = run;
    both.old_run = old_run;
    both.nrun = both.old_nrun = 2;
    a = (struct judge_assert){ .text = "delta(p50)<30%" };
    CHECK(!judge_assert(&both, &a, &why) && a.outcome == STAT_UNRESOLVED);
    CHECK(fabs(a.value - 0.25) < 1e-9);
    CHECK(fabs(a.low + 1) < 1e-9 && isinf(a.high));     /* old may be 0 */
    a = (struct judge_assert){ .text = "delta(rps)>-9%" };     /* no scatter */
    CHECK(!judge_assert(&both, &a, &why) && a.outcome == STAT_VIOLATED);
    CHECK(fabs(a.low + 0.1) < 1e-9 && fabs(a.high + 0.1) < 1e-9);
    a = (struct judge_assert){ .text = "delta(p99)<9%" };      /* not known */
    CHECK(!judge_assert(&both, &a, &why) && isnan(a.low) && isnan(a.value));
    r.failed = 3;                       /* runs have no shares: of all calls */
    r.ok = 997;
    a = (struct judge_assert){ .text = "delta(errors)<1%" };
    CHECK(!judge_assert(&both, &a, &why) && a.outcome == STAT_HOLDS);
    CHECK(!a.runs && fabs(a.value - 0.003) < 1e-9);
    struct stat_change none_known = { .delta = NAN, .low = NAN };
    CHECK(isnan(judge_change_within(none_known, 5).low));
    both.old_nrun = 0;
    judge_resample(&both);
    a = (struct judge_assert){ .text = "delta(p50)<30%" };
    CHECK(!judge_assert(&both, &a, &why) && a.outcome == STAT_VIOLATED);
    CHECK(!a.runs && a.low >= 0.99 && a.high <= 1.01);
    judge_release(&both);
    res_fini(&r);
    res_fini(&old);
}

/* An open loop: as many calls as the schedule has, each timed from when it was
 * due; those beyond the limit are not sent; the counts add up. */
static void test_res_open(void)
{
    const struct res_step step[] = { { 2000, 2000, 100000000 },
                                      { 1000, 3000, 100000000 } };
    struct svc_greeter g = { .work = 10 };
    struct client_payload hello = {0};
    const char *address;
    struct gp_server *s = test_load_server(&g, &address);
    struct gp_why why = {{0}};
    CHECK(!client_payload_add(&hello, txt_slice("\x0a\1n"), false));
    for (int i = 0; i < 4; i++) {
        struct res_method method = { .call = "helloworld.Greeter/SayHello",
            .weight = 1, .payload = &hello, .npayload = 1 };
        struct res_config k = { .target = &address, .ntarget = 1,
            .call = "helloworld.Greeter/SayHello", .method = &method, .nmethod = 1,
            .clients = 3, .threads = i % 2 ? 2 : 1,
            .step = step, .nstep = 2, .timeout_ns = 20000000000,
            .connect_timeout_ns = 5000000000, .drain_ns = 1000000000,
            .warmup_ns = i == 2 ? 20000000 : 0, .max_in_flight = i == 3 ? 2 : 0,
            .connections = i == 1 ? 2 : 0, .max_error_share = -1 };
        struct res r;
        g.work = i == 3 ? 5000000 : 10;
        CHECK(!load_run(&k, &r, &why));
        CHECK(r.planned == 400 && r.failed == 0 && r.gave_up == 0);
        CHECK(r.planned == r.ok + r.failed + r.cut_off + r.not_sent);
        CHECK((r.not_sent > 0) == (i == 3));
        CHECK(r.response.n == r.ok && r.service.n == r.ok && r.lag.n == r.sent);
        CHECK(r.response.max >= r.service.max && r.service.min > 0);
        CHECK(r.connect.n == (i == 1 ? 2 : 3));
        res_fini(&r);
    }
    client_payload_fini(&hello);
    server_free(s);
}

/* A mix: each method has its share of the calls and its own figures, which are
 * written, read and merged. */
static void test_load_mix(void)
{
    struct svc_greeter g = {0};
    struct client_payload none = {0};
    const char *address;
    struct gp_server *s = test_load_server(&g, &address);
    CHECK(!client_payload_add(&none, (struct slice){0}, false));
    struct res_method m[] = {
        { .call = "helloworld.Greeter/SayHello", .weight = 3,
          .payload = &none, .npayload = 1 },
        { .call = "helloworld.Greeter/Nope", .weight = 1,
          .payload = &none, .npayload = 1 },
        { .call = "helloworld.Greeter/SayHello", .weight = 1,
          .payload = &none, .npayload = 1 } };
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct res_config k = { .target = &address, .ntarget = 1,
            .call = "a mix", .method = m, .nmethod = 3, .clients = 2,
            .requests_per_client = 100, .threads = threads,
            .timeout_ns = 20000000000, .connect_timeout_ns = 5000000000,
            .drain_ns = 1000000000, .max_errors = 40, .allow_not_sent = true,
            .max_error_share = threads == 1 ? -1 : 0.25 };
        struct res r;
        struct gp_why why = {{0}};
        struct lf_saved saved[2];
        struct buf text = {0};
        CHECK(!load_run(&k, &r, &why) && r.nmethod == 3);
        CHECK(r.method[0].ok == 120 && r.method[0].response.n == 120);
        CHECK(r.method[1].ok == 0 && r.method[1].failed == 40);
        CHECK(r.method[1].sent == 40 && !r.method[1].response.n);
        CHECK(r.method[2].ok == 40 && !r.method[2].failed);
        CHECK(r.ok == 160 && r.failed == 40);
        struct judge_report t = { .config = &k, .result = &r };
        lf_put_json(&text, &t);
        for (size_t i = 0; i < 2; i++)
            CHECK(!lf_read(&saved[i], mem_slice(&text), &why));
        CHECK(saved[0].config.nmethod == 3 && saved[0].result.nmethod == 3);
        CHECK(saved[0].method[0].weight == 3 &&
              !strcmp(saved[0].method[1].call, m[1].call));
        CHECK(!lf_unlike(&saved[0].config, &saved[1].config, false));
        CHECK(!res_exceeds(&k, &r) &&
              !res_exceeds(&saved[0].config, &saved[0].result));
        saved[1].config.allow_not_sent = false;
        saved[1].method[1].weight = 2;
        CHECK(lf_unlike(&saved[0].config, &saved[1].config, false));
        lf_saved_merge(&saved[0], &saved[1]);
        CHECK(saved[0].result.method[0].ok == 240 &&
              saved[0].result.method[0].response.n == 240 &&
              saved[0].result.method[1].failed == 80);
        CHECK(!res_exceeds(&saved[0].config, &saved[0].result) &&
              saved[0].config.max_errors == 80 &&
              !saved[0].config.allow_not_sent &&
              (saved[0].config.max_error_share < 0) == (threads == 1));
        lf_saved_fini(&saved[0]);
        lf_saved_fini(&saved[1]);
        mem_fini(&text);
        res_fini(&r);
    }
    client_payload_fini(&none);
    server_free(s);
}

/* A merged result has the hosts of all, once each, even if one name begins like
 * another. */
static void test_res_join(void)
{
    static const char *const host[] = { "web10", "web1", "b1", "web1", "1",
                                        "", "web10", "web" };
    struct res_text to = {0}, from = {0};
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) {
        snprintf(from.s, sizeof from.s, "%s", host[i]);
        res_join(&to, &from);
    }
    CHECK(!strcmp(to.s, "web10, web1, b1, 1, web"));
    memset(from.s, 'x', sizeof from.s - 1);
    res_join(&to, &from);
    CHECK(strlen(to.s) == sizeof to.s - 1);
}

/* Of two machines the result names the larger number of CPUs, and of two
 * servers the smaller limit of streams, in either order. */
static void test_res_extremes(void)
{
    for (int turn = 0; turn < 2; turn++) {
        struct res r[2];
        for (int i = 0; i < 2; i++) {
            CHECK(!res_init(&r[i], 0));
            r[i].tool.cpus = i == turn ? 64 : 2;
            r[i].peer_streams = i == turn ? UINT32_MAX : 100;
            r[i].server.processes = i == turn ? 3 : 1;
        }
        res_add(&r[0], &r[1]);
        CHECK(r[0].tool.cpus == 64 && r[0].peer_streams == 100);
        CHECK(r[0].server.processes == 3);
        res_fini(&r[0]);
        res_fini(&r[1]);
    }
}

/* Failures have a row for each kind and text, then one for the other texts of a
 * kind, then none; what two results have of one kind and text is added up. */
static void test_res_errors(void)
{
    struct res a, b;
    char text[32];
    CHECK(!res_init(&a, 0) && !res_init(&b, 0));
    for (int64_t i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "order %d", (int)i % 20);
        res_error_add(&a, &(struct res_error){ CLIENT_STATUS, 3, 0, 1, 100 - i,
                                               text, false, 0 });
    }
    CHECK(a.nerror == RES_ERROR_TEXTS + 1 && !a.other_errors);
    for (size_t i = 0; i < RES_ERROR_TEXTS; i++) {
        snprintf(text, sizeof text, "order %zu", i);
        CHECK(a.error[i].count == 2 && !a.error[i].varies &&
              !strcmp(a.error[i].text, text));
        CHECK(a.error[i].first_ns == 80 - (int64_t)i);
    }
    CHECK(a.error[RES_ERROR_TEXTS].varies &&
          a.error[RES_ERROR_TEXTS].count == 8 &&
          !strcmp(a.error[RES_ERROR_TEXTS].text, "order 16"));
    res_error_add(&b, &(struct res_error){ CLIENT_STATUS, 3, 0, 5, 1,
                                           "order 3", false, 0 });
    res_error_add(&b, &(struct res_error){ CLIENT_STATUS, 3, 0, 7, 1, "new",
                                           false, 0 });
    res_error_add(&b, &(struct res_error){ CLIENT_STATUS, 4, 0, 1, 1, NULL,
                                           false, 0 });
    res_add(&b, &a);                    /* "new" takes the place of order 15 */
    res_fini(&a);
    CHECK(b.nerror == RES_ERROR_TEXTS + 2 && b.error[0].count == 7 &&
          b.error[1].count == 7 && !b.error[2].text);
    CHECK(b.error[b.nerror - 1].varies && b.error[b.nerror - 1].count == 10);
    for (uint32_t i = 0; i < 2 * RES_ERRORS; i++)
        res_error_add(&b, &(struct res_error){ CLIENT_RESET, 13, i, 1, 1, "x",
                                               false, 0 });
    CHECK(b.nerror == RES_ERRORS && b.other_errors ==
          RES_ERRORS + RES_ERROR_TEXTS + 2);
    res_error_add(&b, &(struct res_error){ CLIENT_STATUS, 3, 0, 3, 1, "more",
                                           false, 0 });
    CHECK(b.error[RES_ERROR_TEXTS + 1].count == 13);
    res_fini(&b);
    CHECK(!res_init(&b, 0));
    for (size_t i = 0; i < 4; i++)      /* each method has its own row */
        res_error_add(&b, &(struct res_error){ CLIENT_STATUS, 3, 0, 1, 1, "x",
                                               false, i / 2 });
    CHECK(b.nerror == 2 && b.error[1].count == 2 && b.error[1].method == 1);
    res_fini(&b);
}

/* Failed calls are failed, whatever else: unknown method, no server. */
static void test_load_failures(void)
{
    struct svc_greeter g = {0};
    struct client_payload nothing = {0};
    const char *address;
    struct gp_server *s = test_load_server(&g, &address);
    CHECK(!client_payload_add(&nothing, (struct slice){0}, false));
    struct res_method method = { .call = "helloworld.Greeter/Nope",
        .weight = 1, .payload = &nothing, .npayload = 1 };
    struct res_config k = { .target = &address, .ntarget = 1,
        .call = "helloworld.Greeter/Nope", .clients = 3, .method = &method,
        .nmethod = 1, .requests_per_client = 40, .timeout_ns = 1000000000,
        .connect_timeout_ns = 1000000000, .max_error_share = -1 };
    struct res r;
    struct gp_why why = {{0}};
    CHECK(!load_run(&k, &r, &why));
    CHECK(r.planned == 120 && r.failed == 120 && r.ok == 0);
    CHECK(r.status[12] == 120 && r.response.n == 0);
    CHECK(r.failed_latency.n == 120 && r.nerror == 1);
    CHECK(r.error[0].kind == CLIENT_STATUS && r.error[0].count == 120);
    CHECK(res_exceeds(&k, &r));
    res_fini(&r);
    char copy[64];
    snprintf(copy, sizeof copy, "%s", address);
    address = copy;
    server_free(s);
    CHECK(load_run(&k, &r, &why) == GP_EIO);
    CHECK(strstr(why.text, copy) && strstr(why.text, "refused"));
    k.clients = 0;
    CHECK(load_run(&k, &r, &why) == GP_EUSAGE);
    client_payload_fini(&nothing);
}

/* Messages by our own descriptors; then descriptors and JSON that were damaged:
 * an error or a message, and no crash. */
static void test_dsc_encode(void)
{
    static const char text[] = "{\"responseSize\":70000,\"payload\":{\"body\":"
        "\"AAEC\",\"type\":\"COMPRESSABLE\"},\"responseStatus\":{\"code\":-3,"
        "\"message\":\"\\u00e9\"},\"fill_username\":true,"
        "\"expectCompressed\":{\"value\":true}}";
    static const char path[] = "grpc.testing.TestService/UnaryCall";
    struct slice set = { (const char *)svc_protos, sizeof svc_protos };
    char *copy = mem_zalloc(set.n), json[sizeof text];
    struct dsc d;
    struct dsc_method m;
    struct js_value v;
    struct buf b = {0};
    struct gp_why why;
    uint64_t rng = 7;
    CHECK(copy && !dsc_init(&d, set, &why) &&
          !dsc_find_method(&d, path, &m, &why));
    CHECK(!m.client_streams && !m.server_streams);
    CHECK(!js_read(txt_slice(text), &v, &why));
    CHECK(!pj_encode(&d, m.input, &v, &b, &why) && b.len > 20);
    dsc_fini(&d);
    for (long fuse = 0, done = 0; !done && fuse < 100000; fuse += 1 + fuse / 9) {
        mem_fuse = fuse;
        b.err = 0;
        int e = dsc_init(&d, set, &why);
        if (!e)
            e = dsc_find_method(&d, path, &m, &why);
        if (!e)
            e = pj_encode(&d, m.input, &v, &b, &why);
        mem_fuse = -1;
        CHECK(!e || e == GP_ENOMEM);
        done = !e;
        dsc_fini(&d);
        mem_fini(&b);
    }
    for (int i = 0; copy && i < 4000; i++) {
        memcpy(copy, set.p, set.n);
        memcpy(json, text, sizeof text);
        for (int k = 0; k < 1 + i % 5; k++) {
            rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
            size_t at = (size_t)(rng >> 33);
            if (i % 2)
                copy[at % set.n] = (char)(rng >> 20);
            else
                json[at % (sizeof text - 1)] = (char)(rng >> 20);
        }
        struct slice damaged = { copy, set.n - (size_t)(i % 7) * 50 };
        b.len = 0;
        if (dsc_init(&d, damaged, &why))
            continue;
        if (!dsc_find_method(&d, path, &m, &why) &&
            !js_read((struct slice){ json, sizeof text - 1 }, &v, &why))
            (void)pj_encode(&d, m.input, &v, &b, &why);
        dsc_fini(&d);
    }
    mem_fini(&b);
    mem_free(copy);
}

/* Append to b, as field number, a descriptor with a name and the fields in
 * more, which is released. */
static void put_named(struct buf *b, uint32_t number, const char *name,
                      struct buf *more)
{
    struct buf m = {0};
    pb_put_bytes(&m, 1, name, strlen(name));
    if (more)
        mem_put_buf(&m, more);
    pb_put_message(b, number, &m);
    mem_fini(&m);
}

/* Append to b, as field 2, or 7 for an extension of the message extendee, the
 * field name of a type, by its name. */
static void put_field(struct buf *b, const char *name, uint32_t number,
                      enum dsc_type type, const char *type_name,
                      const char *extendee)
{
    struct buf m = {0};
    if (extendee)
        pb_put_bytes(&m, 2, extendee, strlen(extendee));
    pb_put_uint(&m, 3, number);
    pb_put_uint(&m, 4, strchr("*%", *name) ? 3 : 1);
    pb_put_uint(&m, 5, type);
    if (type_name)
        pb_put_bytes(&m, 6, type_name, strlen(type_name));
    put_named(b, extendee ? 7 : 2, name + (strchr("*%", *name) != NULL), &m);
}

/* Make set a FileDescriptorSet of two files: a.X and a.Y; a.b.X, a.b.M with
 * fields of many types, and extensions of it. */
static void put_types(struct buf *set)
{
    struct buf file = {0}, m = {0}, inner = {0}, options = {0}, entry = {0};
    pb_put_bytes(&file, 2, "a", 1);
    put_named(&file, 4, "X", NULL);
    put_named(&file, 4, "Y", NULL);
    put_named(set, 1, "one.proto", &file);
    pb_put_bytes(&file, 2, "a.b", 3);
    put_named(&file, 4, "X", NULL);
    put_field(&m, "in", 1, 0, "N", NULL);
    put_field(&m, "full_name", 2, DSC_MESSAGE, "b.M.N", NULL);
    put_field(&m, "whole", 3, DSC_MESSAGE, ".a.X", NULL);
    put_field(&m, "near", 4, DSC_MESSAGE, "X", NULL);
    put_field(&m, "outer", 5, DSC_MESSAGE, "Y", NULL);
    put_field(&m, "lost", 6, DSC_MESSAGE, "Z", NULL);
    put_field(&m, "field", 7, DSC_MESSAGE, "M.in", NULL);
    put_field(&m, "self", 8, DSC_MESSAGE, "M", NULL);
    put_field(&m, "*selves", 9, DSC_MESSAGE, "M", NULL);
    put_field(&m, "*by", 10, DSC_MESSAGE, "ByEntry", NULL);
    put_field(&m, "kind", 11, 0, "K", NULL);
    put_field(&m, "in", 1, DSC_INT32, NULL, NULL);       /* a second time */
    put_field(&inner, "u64", 1, DSC_UINT64, NULL, NULL);
    put_named(&m, 3, "N", &inner);
    put_field(&entry, "key", 1, DSC_STRING, NULL, NULL);
    put_field(&entry, "value", 2, DSC_MESSAGE, "M", NULL);
    pb_put_uint(&options, 7, 1);
    pb_put_message(&entry, 7, &options);
    put_named(&m, 3, "ByEntry", &entry);
    pb_put_uint(&inner, 2, 5);
    struct buf value = {0};
    put_named(&value, 2, "FIVE", &inner);
    put_named(&m, 4, "K", &value);
    put_named(&file, 4, "M", &m);
    put_named(&file, 4, "M", NULL);                     /* a second time */
    put_field(&file, "ext", 100, DSC_INT32, NULL, "M");
    put_field(&file, "other", 100, DSC_INT32, NULL, ".c.M");
    put_named(set, 1, "two.proto", &file);
    put_named(set, 1, "two.proto", NULL);
    mem_fini(&options);
}

/* Names are resolved in their scope, the first of two counts, and extensions
 * belong to what they extend. */
static void test_dsc_names(void)
{
    static const struct { const char *field, *type; } want[] = {
        { "in", "a.b.M.N" }, { "fullName", "a.b.M.N" },
        { "full_name", "a.b.M.N" }, { "whole", "a.X" }, { "near", "a.b.X" },
        { "outer", "a.Y" }, { "lost", NULL }, { "field", NULL },
        { "self", "a.b.M" }, { "kind", "a.b.M.K" } };
    struct buf set = {0};
    struct dsc d;
    struct dsc_field f;
    struct gp_why why;
    struct slice none = {0};
    put_types(&set);
    CHECK(!set.err && !dsc_init(&d, mem_slice(&set), &why));
    const struct dsc_symbol *m = dsc_symbol(&d, txt_slice(".a.b.M"));
    CHECK(m && m->kind == 'M' && d.nfiles == 2);
    for (size_t i = 0; m && i < sizeof want / sizeof *want; i++) {
        CHECK(dsc_find_field(&d, m, txt_slice(want[i].field), 0, &f));
        CHECK(want[i].type ? f.of && txt_equal(f.of->name,
                                               txt_slice(want[i].type))
                           : !f.of);
    }
    CHECK(m && dsc_find_field(&d, m, none, 1, &f) && f.type == DSC_MESSAGE);
    CHECK(m && dsc_find_field(&d, m, none, 11, &f) && f.type == DSC_ENUM &&
          f.of && dsc_part(&d, f.of, NULL, 5) && !dsc_part(&d, f.of, NULL, 0));
    CHECK(m && !dsc_find_field(&d, m, none, 12, &f) &&
          !dsc_find_field(&d, m, txt_slice("Full_Name"), 0, &f));
    CHECK(m && dsc_find_field(&d, m, none, 100, &f) && f.extension &&
          txt_equal(f.name, txt_slice("ext")));
    CHECK(m && dsc_find_field(&d, m, txt_slice("[a.b.ext]"), 0, &f));
    CHECK(m && !dsc_find_field(&d, m, txt_slice("[a.b.other]"), 0, &f) &&
          !dsc_find_field(&d, m, txt_slice("[a.b.M]"), 0, &f));
    CHECK(dsc_file_of(&d, txt_slice("a.X")) == 0 &&
          dsc_file_of(&d, txt_slice("a.b.M.near")) == 1 &&
          dsc_file_of(&d, txt_slice("a.b.M.FIVE")) == 1 &&
          dsc_file_of(&d, txt_slice("a.b.M.none")) == MEM_NONE);
    dsc_fini(&d);
    mem_fini(&set);
}

/* Names that are too long, and more names than the tables may have, are errors,
 * and take no more memory than the limit. */
static void test_dsc_budget(void)
{
    struct buf set = {0}, file = {0};
    char name[DSC_NAME_BYTES + 1];
    struct dsc d;
    struct gp_why why;
    memset(name, 'n', sizeof name);
    for (size_t n = DSC_NAME_BYTES - 2; n <= DSC_NAME_BYTES; n++) {
        pb_put_bytes(&file, 2, name, n - 1);
        put_named(&file, 4, "M", NULL);                 /* n + 1 bytes */
        put_named(&set, 1, "f", &file);
        int e = dsc_init(&d, mem_slice(&set), &why);
        CHECK(e == (n + 1 > DSC_NAME_BYTES ? GP_ELIMIT : GP_OK));
        dsc_fini(&d);
        set.len = 0;
    }
    size_t symbols = DSC_TABLE_BYTES / sizeof(struct dsc_symbol);
    for (size_t i = 0; i < symbols; i++) {
        snprintf(name, sizeof name, "%zu", i);
        put_named(&file, 4, name, NULL);
    }
    put_named(&set, 1, "f", &file);
    d = (struct dsc){0};
    CHECK(dsc_add(&d, mem_slice(&set), 1, &why) == GP_ELIMIT);
    CHECK(d.bytes < DSC_TABLE_BYTES + 1000 && d.nsymbols < symbols);
    dsc_fini(&d);
    mem_fini(&set);
}

/* The names most similar to a mistyped one come first. */
static void test_dsc_near(void)
{
    static const char *const name[] = { "a.Zebra", "b.OrderService", "a.Item",
        "Orders", "c.d.Oders", "a.Quite", "a.Other", "a.Else", "a.Ninth",
        "a.ORDERS" };
    struct dsc_near near = { .want = txt_slice("a.b.Orders") };
    struct buf b = {0};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        dsc_near_add(&near, txt_slice(name[i]));
    dsc_near_put(&near, &b);
    CHECK(!strncmp(mem_string(&b), "Orders, a.ORDERS, c.d.Oders, ", 29));
    CHECK(near.n == DSC_NEAR && near.all == 10 && strstr(mem_string(&b),
                                                         ", ..."));
    mem_fini(&b);
}

/* A message to fill in ends where types contain themselves; damaged descriptors
 * are described, or not, without harm. */
static void test_schema_describe(void)
{
    static const char want[] = "{\n"
        "  \"in\": {\n    \"u64\": \"0\"\n  },\n"
        "  \"fullName\": {\n    \"u64\": \"0\"\n  },\n"
        "  \"whole\": {},\n  \"near\": {},\n  \"outer\": {},\n"
        "  \"selves\": [],\n  \"by\": {},\n  \"kind\": \"FIVE\"\n}\n";
    static const char *const none[] = { "none.pb" };
    struct schema s = { .protoset = none, .nprotoset = 1 };
    struct buf set = {0}, b = {0}, damaged = {0};
    struct gp_why why;
    uint64_t rng = 11;
    put_types(&set);
    CHECK(!dsc_init(&s.d, mem_slice(&set), &why));
    CHECK(!schema_describe(&s, "a.b.M", true, &b, &why));
    CHECK(!strcmp(mem_string(&b), want));
    CHECK(schema_describe(&s, "a.b.M.K", true, &b, &why) == GP_EUSAGE);
    CHECK(schema_describe(&s, "a.b.m", false, &b, &why) == GP_EUSAGE);
    CHECK(strstr(why.text, "there are a.b.M, "));
    schema_fini(&s);
    for (int i = 0; i < 3000; i++) {
        damaged.len = b.len = 0;
        mem_put(&damaged, set.data, set.len - (size_t)(i % 3) * 20);
        for (int k = 0; k < 1 + i % 4; k++) {
            rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
            damaged.data[(rng >> 33) % damaged.len] = (uint8_t)(rng >> 20);
        }
        s = (struct schema){ .protoset = none, .nprotoset = 1 };
        if (dsc_init(&s.d, mem_slice(&damaged), &why))
            continue;
        (void)schema_describe(&s, "a.b.M", i % 2, &b, &why);
        (void)schema_describe(&s, "a.b.ext", false, &b, &why);
        (void)schema_list(&s, i % 2, &b, &why);
        CHECK(b.len < 100000);
        schema_fini(&s);
    }
    mem_fini(&set);
    mem_fini(&damaged);
    mem_fini(&b);
}
