/* cs_talk.c -- a server's frames, written as text; and a talk made of them that
 * cs.c tests and fuzz_client.c begins with.  Part of those two. */

/* Set the length in the head of the frame that is b's bytes from at on. */
static void test_cs_patch(struct buf *b, size_t at)
{
    size_t n = b->len - at - CS_HEAD_BYTES;
    b->data[at] = (uint8_t)(n >> 16);
    b->data[at + 1] = (uint8_t)(n >> 8);
    b->data[at + 2] = (uint8_t)n;
}

/* Append a frame with n bytes of payload to b. */
static void test_cs_frame(struct buf *b, uint8_t type, uint8_t flags,
                          uint32_t id, const void *payload, size_t n)
{
    uint8_t head[CS_HEAD_BYTES] = { 0, 0, 0, type, flags };
    size_t at = b->len;
    num_set_be32(head + 5, id);
    mem_put(b, head, sizeof head);
    mem_put(b, payload, n);
    test_cs_patch(b, at);
}

/* Append the payload at p to b: pairs of hex digits, 'text', *N for N zeroes;
 * returns where it ends. */
static const char *test_cs_payload(struct buf *b, const char *p)
{
    while (*p && *p != ';') {
        char pair[3] = { p[0], p[1], 0 }, *end;
        if (*p == '\'') {
            const char *close = strchr(p + 1, '\'');
            mem_put(b, p + 1, (size_t)(close - p - 1));
            p = close + 1;
        } else if (*p == '*') {
            for (unsigned long n = strtoul(p + 1, &end, 10); n; n--)
                mem_put_byte(b, 0);
            p = end;
        } else if (*p == ' ') {
            p++;
        } else {
            mem_put_byte(b, (uint8_t)strtoul(pair, &end, 16));
            assert(end == pair + 2);
            p += 2;
        }
    }
    return p;
}

/* Append the frames of text to b: TYPE FLAGS STREAM PAYLOAD each, in hex, with
 * ';' between them. */
static void test_cs_put(struct buf *b, const char *text)
{
    while (*text) {
        uint32_t v[3];
        char *end;
        for (int i = 0; i < 3; i++) {
            v[i] = (uint32_t)strtoul(text, &end, 16);
            assert(end != text);
            text = end;
        }
        size_t at = b->len;
        test_cs_frame(b, (uint8_t)v[0], (uint8_t)v[1], v[2], NULL, 0);
        text = test_cs_payload(b, text);
        test_cs_patch(b, at);
        text += *text == ';';
    }
}

/* What a server sends on streams 1 and 3: padding, priorities, references to
 * HPACK's table, CONTINUATION, frames without effect. */
static const char test_cs_talk[] =
    "4 0 0 000300000064 000400100000; 4 1 0; 8 0 0 00100000;"
    "1 4 1 88 00 01'a' 01'b';"
    "1 2c 3 02 80000001 10 88 40 01'x' 01'y' 0000;"
    "0 0 1 'hello'; fa 3f 7 'zz'; 0 8 3 03 'world' *3; 6 0 0 'pingpong';"
    "2 0 1 0000000310; 0 0 1; 8 0 3 00000007;"
    "1 5 1 00 0b'grpc-status' 01'0';"
    "1 21 3 00000001ff be; 9 0 3; 9 4 3 00 03'end' 01'1'; 7 0 0 00000003 *4";
