/* Templates in messages and metadata; checks of replies. */

/* Write text to a new file, and return its path, static. */
static const char *test_tpl_file(const char *text, size_t n)
{
    static char path[] = "/tmp/tpl.XXXXXX";
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    close(fd);
    return path;
}

/* CSV, as RFC 4180 has it, and what it refuses. */
static void test_tpl_csv(void)
{
    static const struct { const char *text, *rows; } t[] = {
        { "a,b\n1,2\n", "a|b|;1|2|;" },
        { "a,b\r\n1,2", "a|b|;1|2|;" },
        { "\xef\xbb\xbf" "a,b\n\"1,\n\"\"x\"\"\",\n", "a|b|;1,\n\"x\"||;" },
        { "a\n\n\"\"\nx\n", "a|;|;x|;" },       /* an empty line is no row */
        { "a,b\n\n1, 2 \n\n", "a|b|;1| 2 |;" },
        { "a,b\n,\n", "a|b|;||;" },
        { "a,b\n1\"2,3\n", "a|b|;1\"2|3|;" },
        { "a\r\rb\nx\n", "a\r\rb|;x|;" },
        { "a,b\n1\n", NULL }, { "a,b\n1,2,3\n", NULL }, { "a,b\n", NULL },
        { "", NULL }, { "a\n\"x", NULL }, { "a\n\"x\"y\n", NULL },
        { "a\n\"", NULL }, { "a\n\xff\n", NULL },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        const char *path = test_tpl_file(t[i].text, strlen(t[i].text));
        struct tpl_set set = { .csv = path };
        struct gp_why why = {{0}};
        struct buf b = {0};
        const struct tpl_list *l = NULL;
        if (tpl_file(&set, txt_slice(path), true, &l, &why))
            l = NULL;
        for (size_t k = 0; l && k < l->ncell; k++)
            txt_putf(&b, "%.*s|%s", (int)l->cell[k].n, l->cell[k].p,
                     (k + 1) % l->columns ? "" : ";");
        CHECK(t[i].rows ? !strcmp(mem_string(&b), t[i].rows)
                        : !l && strstr(why.text, path));
        unlink(path);
        mem_fini(&b);
        tpl_set_fini(&set);
    }
}

/* Templates in text: what each call gets, and what is refused. */
static void test_tpl_text(void)
{
    static const struct { const char *text, *first, *fifth; } t[] = {
        { "plain }}", "plain }}", "plain }}" },
        { "{{seq}}-{{client}}", "0-7", "4-7" }, { "{{ seq }}", "0", "4" },
        { "{{csv.b}}{{csv.a}}", "x1", "y2" },   /* 3 rows: the second again */
        { "{{rand:1}}", "0", "0" }, { "{{now.s}}", "1", "1" },
        { "{{now}}", "1970-01-01T00:00:01.500000000Z",
          "1970-01-01T00:00:01.500000000Z" },
        { "{{foo}}", NULL, NULL }, { "{{seq", NULL, NULL },
        { "{{}}", NULL, NULL }, { "{{csv.}}", NULL, NULL },
        { "{{csv.c}}", NULL, NULL }, { "{{rand:0}}", NULL, NULL },
        { "{{rand:-1}}", NULL, NULL }, { "{{file:/nope}}", NULL, NULL },
        { "{{file:}}", NULL, NULL }, { "{{{{seq}}}}", NULL, NULL },
    };
    const char *path = test_tpl_file("a,b\n1,x\n2,y\n3,z\n", 16);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct tpl_set set = { .csv = path };
        struct tpl x = {0};
        struct gp_why why = {{0}};
        int e = tpl_compile(&x, &set, txt_slice(t[i].text), &why);
        CHECK(!e == !!t[i].first && !e == !*why.text);
        for (uint64_t seq = 0; seq < 5 && !e; seq += 4) {
            struct tpl_call c = { .seq = seq, .client = 7,
                                  .unix_ns = 1500000000 };
            struct buf b = {0};
            tpl_put(&x, &c, false, &b);
            CHECK(!strcmp(mem_string(&b), seq ? t[i].fifth : t[i].first));
            mem_fini(&b);
        }
        tpl_fini(&x);
        tpl_set_fini(&set);
    }
    struct tpl_set set = {0};
    struct tpl x = {0};
    struct gp_why why = {{0}};
    uint64_t rng = 1;
    struct tpl_call c = { .rng = &rng };
    struct buf b = {0};
    CHECK(!tpl_compile(&x, &set, txt_slice("{{uuid}}"), &why));
    tpl_put(&x, &c, false, &b);
    CHECK(b.len == 36 && b.data[14] == '4' && strchr("89ab", b.data[19]));
    mem_fini(&b);
    tpl_fini(&x);
    tpl_set_fini(&set);
    unlink(path);
    CHECK(!tpl_check_text(txt_slice("{{seq}}= {="), &why));
    CHECK(tpl_check_text(txt_slice("a{{=seq}}b"), &why) == GP_EUSAGE &&
          strstr(why.text, "{{=seq}} is no template"));
    CHECK(tpl_check_text(txt_slice("{{="), &why) == GP_EUSAGE);
}

/* Messages with templates equal those from JSON that is filled in first. */
static void test_tpl_message(void)
{
#ifdef SVC_PROTOS
    static const char *const good[] = {
        "{\"responseSize\": {{seq}}, \"fillUsername\": true}",
        "{\"responseSize\": \"{{seq}}\"}",
        "{\"payload\": {\"body\": \"{{csv.b}}\", \"type\": 0}, "
            "\"responseStatus\": {\"message\": \"a\\n\\\"{{seq}}{{csv.a}}\\u00e9"
            "{{client}}\", \"code\": {{client}}}}",
        "{\"response_status\": {\"message\": \"{{csv.a}}\"}}",
        "{\"responseCompressed\": {\"value\": {{csv.flag}}}}",
        "{\"responseType\": \"{{csv.type}}\", \"responseSize\": 3}",
        "{\"responseSize\": 1{{seq}}}",
        "{\"responseStatus\": {\"message\": \"{\\u007bno}}{{seq}}\"}}",
    };
    static const char *const bad[] = {
        "{\"responseSize\": \"x{{seq}}\"}", "{\"responseSize\": {{uuid}}}",
        "{\"responseStatus\": {\"message\": {{seq}}}}", "{{seq}}",
        "{\"{{seq}}\": 1}", "{\"nope\": {{seq}}}", "[{{seq}}]",
        "{\"responseSize\": {{csv.a}}}", "{\"responseSize\": {{csv.two}}}",
        "{\"responseType\": \"{{csv.a}}\"}",
        "{\"responseSize\": {{seq}}, \"response_size\": 1}",
        "{\"responseSize\": {{seq}}", "{\"payload\": {\"body\": \"{{csv.a}}\"}}",
    };
    static const char csv[] = "a,b,flag,type,two\n"
        "\"x \"\"\\\",YQ==,true,COMPRESSABLE,\"1,\"\"fillUsername\"\":true\"\n"
        "\xc3\xa9,,false,COMPRESSABLE,2\n";
    const char *path = test_tpl_file(csv, sizeof csv - 1);
    struct tpl_set set = { .csv = path };
    struct slice protos = { (const char *)svc_protos, sizeof svc_protos };
    struct gp_why why = {{0}};
    struct dsc d = {0};
    CHECK(!dsc_init(&d, protos, &why));
    const struct dsc_symbol *s =
        dsc_symbol(&d, txt_slice("grpc.testing.SimpleRequest"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buf quoted = {0}, text = {0}, got = {0}, want = {0};
        struct tpl_message m = {0};
        struct tpl whole = {0};
        struct js_value v;
        tpl_quote(txt_slice(good[i]), &quoted);
        bool simple = !js_read(mem_slice(&quoted), &v, &why);
        CHECK(simple == (i != 6));      /* 1{{seq}} is no JSON */
        if (simple) {
            CHECK(!tpl_message_init(&m, &set, &d, s, &v, &why));
            CHECK(!tpl_compile(&whole, &set, mem_slice(&quoted), &why));
        }
        for (uint64_t seq = 0; simple && seq < 300; seq += 299) {
            struct tpl_call c = { .seq = seq, .client = seq };
            struct buf a = {0}, b = {0};
            got.len = want.len = 0;
            CHECK(!tpl_put_message(&m, &c, &text, &got, &why));
            CHECK(!tpl_put_json(&d, s, &whole, &c, &text, &want, &why));
            CHECK(!pj_decode(&d, s, mem_slice(&got), &a));
            CHECK(!pj_decode(&d, s, mem_slice(&want), &b));
            CHECK(txt_equal(mem_slice(&a), mem_slice(&b)));
            mem_fini(&a);
            mem_fini(&b);
        }
        tpl_fini(&whole);
        tpl_message_fini(&m);
        mem_fini(&quoted);
        mem_fini(&text);
        mem_fini(&got);
        mem_fini(&want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf quoted = {0};
        struct tpl_message m = {0};
        struct js_value v;
        *why.text = 0;
        tpl_quote(txt_slice(bad[i]), &quoted);
        CHECK(js_read(mem_slice(&quoted), &v, &why) ||
              tpl_message_init(&m, &set, &d, s, &v, &why));
        CHECK(*why.text);
        mem_fini(&quoted);
    }
    for (size_t i = 0; i < 2; i++) {    /* all messages have one budget */
        struct buf quoted = {0};
        struct tpl_message m = {0};
        struct js_value v;
        tpl_quote(txt_slice(good[2]), &quoted);
        CHECK(!js_read(mem_slice(&quoted), &v, &why));
        set.tried = i ? TPL_TRIED_BYTES : 0;
        int e = tpl_message_init(&m, &set, &d, s, &v, &why);
        CHECK(i ? e == GP_ELIMIT && strstr(why.text, "use fewer rows")
                : !e && set.tried >= 2 * TPL_TRY_BYTES);
        tpl_message_fini(&m);
        mem_fini(&quoted);
    }
    dsc_fini(&d);
    tpl_set_fini(&set);
    unlink(path);
#endif
}

#ifdef SVC_PROTOS
/* Check that the expression text of s holds of the reply m, 'y', does not, 'n',
 * or does not compile, 'e'; and that no part of m crashes. */
static void unit_holds(const struct dsc *d, const struct dsc_symbol *s,
                       const char *text, struct slice m, char holds)
{
    struct check c;
    struct buf b = {0};
    struct gp_why why = {{0}};
    int e = check_init(&c, d, s, text, &why);
    CHECK((e != 0) == (holds == 'e') && (e != 0) == (*why.text != 0));
    if (e)
        return;
    CHECK(check_holds(&c, m, &b) == (holds == 'y'));
    CHECK((b.len != 0) == (holds == 'n'));
    for (size_t n = 0; n < m.n; n++)
        (void)check_holds(&c, (struct slice){ m.p, n }, &b);
    mem_fini(&b);
    check_fini(&c);
}
#endif

/* Expressions on a reply: those that hold, and those that do not compile. */
static void test_check(void)
{
#ifdef SVC_PROTOS
    static const struct { const char *text; char holds; } t[] = {
        { "username", 'y' }, { "!username", 'n' }, { "oauthScope", 'n' },
        { "!oauth_scope", 'y' }, { "oauth_scope == \"\"", 'y' },
        { "username == \"tea\\u00e9\"", 'y' }, { "username=tea\xc3\xa9", 'y' },
        { "username != tea", 'y' }, { "username =~ ^t.a", 'y' },
        { "username =~ \"^e\"", 'n' }, { "username =~ x", 'n' },
        { "payload", 'y' }, { "payload.body == YWJj", 'y' },
        { "payload.body != YWJj", 'n' }, { "payload.body == aa=", 'e' },
        { "payload.type", 'n' }, { "payload.type == COMPRESSABLE", 'y' },
        { "payload.type == 0", 'y' }, { "payload.type != 0", 'n' },
        { "payload.type == NOPE", 'e' }, { "payload.type < 1", 'e' },
        { "payload == 1", 'e' }, { "payload.nope", 'e' }, { "payload.", 'e' },
        { "payload..body", 'e' }, { "username.x", 'e' }, { "a[0", 'e' },
        { "username[0]", 'e' }, { "username < a", 'e' }, { "username ==", 'e' },
        { "username =~ (", 'e' }, { "payload.type =~ a", 'e' }, { "!", 'e' },
        { "!username == a", 'e' }, { "username ? a", 'e' }, { "[0]", 'e' },
        { "username == \"a", 'e' }, { "#messages[0]", 'e' },
        { "#messages.a", 'e' }, { "#messages =~ 1", 'e' }, { "#message", 'e' },
    };
    static const struct { const char *text; bool none, two; } ends[] = {
        { "#messages", false, true }, { "!#messages", true, false },
        { "#messages == 2", false, true }, { "#messages<2", true, false },
        { "#messages >= 1", false, true }, { "username", false, true },
        { "!username", true, true }, { "username == a", false, true },
        { "oauth_scope == \"\"", false, true }, { "username != a", true, true },
    };
    /* payload (1) in two parts; fields of another wire type, which are not
     * there: username (2) a varint, payload.type (1) bytes */
    static const struct { const char *text, *reply; char holds; } parts[] = {
        { "payload.body == YWJj", "\x0a\x05\x12\x03" "abc\x0a\x02\x08\x01",
          'y' },
        { "payload.type == 1", "\x0a\x05\x12\x03" "abc\x0a\x02\x08\x01", 'y' },
        { "payload.type == 1", "\x0a\x02\x08\x01\x0a\x05\x12\x03" "abc",
          'y' },
        { "payload.body == YWJj", "\x0a\x03\x12\x01x\x0a\x05\x12\x03" "abc",
          'y' },
        { "payload.body == eA==", "\x0a\x03\x12\x01x\x0a\x05\x12\x03" "abc",
          'n' },
        { "username", "\x10\x01", 'n' }, { "!username", "\x10\x01", 'y' },
        { "username == a", "\x12\x01" "a\x10\x01", 'y' },
        { "payload.type", "\x0a\x03\x0a\x01\x01", 'n' },
        { "payload", "\x08\x01", 'n' },
        { "payload.type == 0", "\x08\x01", 'n' },
    };
    static const char reply[] = "\x0a\x05\x12\x03" "abc\x12\x05" "tea\xc3\xa9";
    struct slice protos = { (const char *)svc_protos, sizeof svc_protos };
    struct slice m = { reply, sizeof reply - 1 };
    struct gp_why why = {{0}};
    struct dsc d = {0};
    CHECK(!dsc_init(&d, protos, &why));
    const struct dsc_symbol *s =
        dsc_symbol(&d, txt_slice("grpc.testing.SimpleResponse"));
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        unit_holds(&d, s, t[i].text, m, t[i].holds);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        unit_holds(&d, s, parts[i].text, txt_slice(parts[i].reply),
                   parts[i].holds);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct check c;
        struct buf b = {0};
        CHECK(!check_init(&c, &d, s, ends[i].text, &why));
        CHECK(check_ends(&c, 0, &b) == ends[i].none && !b.len == ends[i].none);
        b.len = 0;
        CHECK(check_ends(&c, 2, &b) == ends[i].two && !b.len == ends[i].two);
        mem_fini(&b);
        check_fini(&c);
    }
    dsc_fini(&d);
#endif
}

/* Templates and checks when the nth allocation fails: an error, no crash. */
static void test_msgs_memory(void)
{
#ifdef SVC_PROTOS
    static const char text[] = "{\"responseSize\": {{seq}}, \"payload\": "
        "{\"body\": \"{{csv.b}}\"}, \"responseStatus\": {\"message\": "
        "\"x{{csv.a}}\\n\", \"code\": 3}}";
    const char *path = test_tpl_file("a,b\n\"x\"\"\",YQ==\n", 15);
    struct slice protos = { (const char *)svc_protos, sizeof svc_protos };
    struct gp_why why = {{0}};
    struct dsc d = {0};
    CHECK(!dsc_init(&d, protos, &why));
    const struct dsc_symbol *s =
        dsc_symbol(&d, txt_slice("grpc.testing.SimpleRequest"));
    for (long fuse = 0, done = 0; !done && fuse < 1000; fuse++) {
        struct tpl_set set = { .csv = path };
        struct tpl_message m = {0};
        struct check c = {0};
        struct buf quoted = {0}, b = {0}, out = {0};
        struct js_value v;
        struct tpl_call call = {0};
        tpl_quote(txt_slice(text), &quoted);
        CHECK(!js_read(mem_slice(&quoted), &v, &why));
        *why.text = 0;
        mem_fuse = fuse;
        int e = tpl_message_init(&m, &set, &d, s, &v, &why);
        e = e ? e : tpl_put_message(&m, &call, &b, &out, &why);
        e = e ? e : check_init(&c, &d, s, "responseStatus.message =~ \"^x\"",
                               &why);
        mem_fuse = -1;
        CHECK(!e == !*why.text);
        CHECK(e || check_holds(&c, mem_slice(&out), &b));
        done = !e;
        CHECK(fuse > 0 || e);
        check_fini(&c);
        tpl_message_fini(&m);
        tpl_set_fini(&set);
        mem_fini(&quoted);
        mem_fini(&b);
        mem_fini(&out);
    }
    dsc_fini(&d);
    unlink(path);
#endif
}
