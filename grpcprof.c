/* grpcprof -- where the CPU of a gRPC service goes under load, per call.
 *
 *   grpcprof serve --profile 30s     Greeter on 127.0.0.1:50051, samples itself
 *   grpcprof load -c 100 -n 50       100 clients x 50 requests
 *   grpcprof report profile.pb       what the profile says, and how sure it is
 *
 * HOW TO READ IT.  Bottom-up.  There are no function prototypes in this file,
 * so a section can only call what is above it and the compiler keeps the
 * layers honest.  For the short version read the banners; for one feature,
 * find its cmd_ function in the last section and read backwards from there.
 *
 *  1  LIMITS   every tunable and hard cap, each with its reason
 *  2  MEM      growable buffer, arena, hash index; every allocation
 *  3  TXT      strict numbers, durations, UTF-8, percent codec
 *  4  SYS      clocks, whole files, threads, child processes, usable CPUs
 *  5  JS       JSON writer
 *  6  PB       protobuf wire: bounded reader, sticky-error writer
 *  7  GZ       gzip, both ways, bounded output
 *  8  HDR      latency histogram, fixed memory, mergeable
 *  9  ELF      address -> mapping, function and line
 * 10  SMP      sampler: the only code that runs in a signal handler
 * 11  PP       profile.proto model: read, build, write
 * 12  REC      recorder: windows as differences of one table
 * 13  VIEW     a profile by function: flat, cum, folded stacks
 * 14  ANL      categories, shares with intervals, trust, verdict
 * 15  SVG      flame graph: one self-contained picture
 * 16  DSC      protobuf descriptors: names and imports
 * 17  NET      addresses, sockets, event loop, timers, wake-ups
 * 18  H2       one HTTP/2 connection over nghttp2; no gRPC in here
 * 19  JOB      work that any loop of a pool may do
 * 20  RPC      gRPC on H2, both ends: framing, status, deadlines
 * 21  SVC      Greeter, Health, Reflection, TestService
 * 22  WEB      debug endpoint: HTTP/1.1
 * 23  API      what grpcprof.h promises
 * 24  LOAD     load generator
 * 25  OUT      writers of what ANL, VIEW and LOAD found
 * 26  CLI      option tables, help, the commands, main
 *
 * CONVENTIONS
 *
 *   Errors   int functions return 0 or a negative enum gp_err.  The place that
 *            fails fills struct gp_why once; callers pass it up untouched.
 *            Only section CLI prints or exits.
 *   Memory   x_init/x_fini for a struct the caller holds, x_new/x_free for
 *            one on the heap.  fini and free accept all-zero and NULL.
 *            A pointer field says "owned" or "borrowed" beside it.
 *   Cleanup  zero the locals, one label, out:, undo in reverse order.
 *   Units    live in the name: _ns, _bytes, _hz.  Time is CLOCK_MONOTONIC
 *            int64_t nanoseconds except where a format wants otherwise.
 *   Input    bytes from a socket, file or /proc are hostile: checked, never
 *            asserted.  assert() is for mistakes in this file.
 *   Threads  one event loop per thread; the sampler's ring is the only state
 *            that a signal handler shares; each banner says what runs where.
 *
 * SPECS    [H2] RFC 9113   [GRPC] grpc/doc/PROTOCOL-HTTP2.md   [ELF] gABI
 *          [PB] protobuf.dev/programming-guides/encoding
 *          [PP] google/pprof proto/profile.proto   [HDR] HdrHistogram
 *
 * TESTS    make test   every unit and end-to-end test, plain and under
 *                      ASan+UBSan, and the rules above that a machine checks
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "grpcprof.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <zlib.h>

#ifdef GRPCPROF_LIBRARY         /* the report's sections serve only the CLI */
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

/* ================================= 1 LIMITS =================================
 * for     every tunable and hard cap, each with its reason and its end
 * uses    nothing
 * owns    nothing
 * spec    none
 * prefix  none
 * runs    nowhere: constants only
 */

enum {
    /* An arena's first block suits one call or one small profile; blocks
     * double up to the last size, so that 1 GiB takes about 20 of them. */
    ARENA_FIRST_BYTES = 4096,
    ARENA_MOST_BYTES  = 64 << 20,

    /* zlib is asked for this much at a time: 64 KiB is past the point where
     * larger steps inflate faster. */
    GZ_STEP_BYTES = 65536,

    /* Containers in each other in JSON that is read. */
    JS_DEPTH = 128,

    /* Build ids are 20 bytes (SHA-1) or 16; a longer one is left out. */
    ELF_BUILD_ID_BYTES = 32,

    /* addr2line's answer on one file: 100,000 places, more than any profile
     * has in one, with six inlined calls each.  Past it the file's lines are
     * not known. */
    ELF_ANSWER_BYTES = 64 << 20,

    /* Frames of a sample: our own stacks stay under 30; a deeper one keeps its
     * leaf end and is counted as truncated.  backtrace() sees besides them the
     * handler's own frames, at most SMP_OWN. */
    SMP_DEPTH = 128,
    SMP_OWN = 6,

    /* The greatest rate: a sample costs some 50 us at most, so that 10,000 a
     * second would already take half of the CPU that they measure. */
    SMP_MOST_HZ = 10000,

    /* The ring holds what arrives in this time at the greatest rate on every
     * CPU; but never more slots than SMP_MOST_SLOTS, 36 MB.  The drain thread
     * empties it every REC_DRAIN_MS, or, at a fifth of that rate and below,
     * every REC_SLICE_MS: it should use less CPU than what it measures.  A
     * full ring loses samples, counted. */
    SMP_RING_MS = 100,
    SMP_MOST_SLOTS = 32768,
    REC_DRAIN_MS = 20,

    /* Labels (methods) that samples can carry; more stay unlabelled. */
    SMP_LABELS = 1024,
    SMP_LABEL_BYTES = 128,

    /* CPU use is called busy or idle by slices of this length. */
    REC_SLICE_MS = 100,

    /* Different stacks of one recording, 64 MB of them; more are lost. */
    REC_MOST_ROWS = 1 << 20,

    /* Rows of one table of a profile, and location references of all samples:
     * the largest real ones have 100,000 and 10 million.  A profile with more
     * is refused, before it takes the machine's memory. */
    PP_MOST_ROWS = 16 << 20,
    PP_MOST_REFS = 256 << 20,

    /* A profile inflates to at most this; the largest seen is 80 MB. */
    PP_MOST_BYTES = 1 << 30,

    /* Values of one option, and positional arguments: an error past it. */
    CMD_LIST_MOST = 64,
};

/* All lines of a profile together: addr2line takes 0.02 s for this program and
 * 0.13 s for 2,000 places of glibc, so that this is room for files fifty times
 * as large; pprof, which waits for the profile, gives up after half the window
 * more.  Past it lines that are not known yet stay so. */
#define ELF_LINES_NS INT64_C(5000000000)

/* Latencies past this count as this, and are counted as "over": no call may
 * wait longer, since --timeout ends at 1 h. */
#define HDR_MOST_NS INT64_C(3600000000000)

enum {
    /* Events taken from the kernel in one turn of a loop: a busy loop of a
     * thousand connections needs few turns; more wait for the next turn. */
    NET_EVENTS = 256,

    /* Connections that the kernel keeps for us before accept; it lowers this
     * to net.core.somaxconn.  Past it, clients retry by themselves. */
    NET_BACKLOG = 4096,

    /* Connections accepted in a turn, so that a storm of new ones does not
     * hold up the calls of the old ones; the rest wait for the next turn. */
    NET_ACCEPTS = 64,

    /* Freed blocks that a pool keeps for reuse, of each size up to the largest
     * that it serves: a busy loop's streams and frames, 8 MB at the most. */
    MEM_POOL_KEPT = 2048,
    MEM_POOL_BYTES = 1024,

    /* One receive and one send take at most this much: about 900 small calls.
     * The loop owns one buffer for each; connections own none. */
    NET_IO_BYTES = 65536,

    /* Past the send buffer's end: room for one whole HTTP/2 frame of 16 KiB,
     * so that the buffer is looked at before a frame and not inside it. */
    NET_SLACK_BYTES = 32768,

    /* Addresses tried for one host name; further ones are ignored. */
    NET_ADDRS = 8,

    /* First line of HTTP/1.1 that is waited for, to answer it in its own
     * language; a longer one is closed without a word. */
    H2_LINE_BYTES = 4096,

    /* Flow control.  A server's windows bound what a connection may have on
     * its way; a message larger than the window still comes through, because
     * bytes are given back as they are read.  A client that only measures
     * opens its windows wide, so that no WINDOW_UPDATE is in the figures. */
    H2_SERVER_STREAM_WINDOW = 256 << 10,
    H2_SERVER_CONN_WINDOW   = 1 << 20,
    H2_CLIENT_WINDOW        = (1 << 30) - 1,

    /* A header list past its limit is answered RESOURCE_EXHAUSTED; past this
     * many times the limit the stream is reset and nothing more is stored. */
    H2_HARD_HEADERS = 4,

    /* Flood budget of a connection to a server: units at once and per second,
     * and what a frame costs that an honest client sends seldom.  grpc-go
     * with deadlines of 50 ms sends 1,800 RST_STREAM a second, and a download
     * 930 PINGs and 4,000 WINDOW_UPDATEs in 3 s; these are free, see
     * h2_charge_frame.  Past it: GOAWAY, ENHANCE_YOUR_CALM. */
    H2_BUDGET         = 2000,
    H2_BUDGET_A_SEC   = 200,
    H2_COST_SETTINGS  = 10,
    H2_COST_RESET     = 10,             /* in; out too, but for our own ends */
    H2_COST_PING      = 5,
    H2_COST_EMPTY     = 5,              /* DATA that neither says nor ends */
    H2_COST_CONTINUE  = 5,
    H2_COST_PRIORITY  = 2,
    H2_COST_UNKNOWN   = 2,
    H2_COST_UPDATE    = 1,
    H2_REFUND         = 2,              /* a call that went well */

    /* WINDOW_UPDATEs that each frame of DATA or HEADERS that we send makes
     * free: one for the stream, one for the connection. */
    H2_UPDATES_A_DATA = 2,

    /* PINGs that come too soon, in a row; one more ends the connection. */
    H2_STRIKES = 2,

    /* Streams past the limit that are refused one by one; further ones end the
     * connection. */
    H2_STREAMS_REFUSED = 100,

    /* Streams of which it is known that, and how, they were closed, at 4 bytes
     * each: what comes late for older ones is ignored, or taken for HEADERS on
     * a number that was passed over. */
    H2_CLOSED = 128,

    /* RST_STREAM frames of calls with deadlines at once and per second: those
     * are dropped before they run, so that 5,000 cost 2 % of a CPU; grpc-go
     * with 50 ms deadlines honestly sends 1,800.  nghttp2, where it can count
     * them, is told twice that (the answer to CVE-2023-44487). */
    H2_RESET_BURST  = 10000,
    H2_RESETS_A_SEC = 5000,

    /* Frames that are suspicious at once and per second, where nghttp2 (1.67)
     * can count them: its own defaults; past it, it ends the connection. */
    H2_GLITCH_BURST   = 10000,
    H2_GLITCHES_A_SEC = 330,

    /* Defaults of struct gp_server_config. */
    RPC_STREAMS       = 100,            /* calls at once, a connection */
    RPC_MESSAGE_BYTES = 4 << 20,        /* as grpc-go, C-core and tonic */
    RPC_HEADERS_BYTES = 16 << 10,
    RPC_THREADS_MOST  = 256,            /* event loops; more: GP_EUSAGE */

    /* Request bytes that a connection may have buffered in calls that are not
     * complete, in whole messages of the largest size; past it the call that
     * asks for more ends with RESOURCE_EXHAUSTED. */
    RPC_BUFFERED_MESSAGES = 4,

    /* A client's reply that is kept, as reflection's are. */
    RPC_KEPT_REPLY_BYTES = 16 << 20,

    /* Bytes of requests and of answers that all connections may keep together,
     * shared by the loops.  Past it a call whose request brings more ends with
     * RESOURCE_EXHAUSTED, and connections with more than RPC_SEND_BYTES to send
     * have to send some before their handlers run. */
    RPC_BUFFERED_BYTES = 1 << 30,

    /* grpc-message after percent-coding: the trailers stay well under the
     * 8 KiB that clients may insist on; the rest of the text is cut. */
    RPC_TEXT_BYTES = 4096,

    /* Calls kept for reuse in each loop, and the largest buffer kept in one:
     * 1,024 busy calls cost no allocation, and 16 MiB is the bound. */
    RPC_POOL_CALLS = 1024,
    RPC_KEEP_BYTES = 4096,

    /* Calls of one connection that run one after the other before the next
     * connection has its turn, where that has as many: their answers leave in
     * one send. */
    RPC_TURN_CALLS = 32,

    /* Bytes of answers that a call may have waiting to be sent; past it its
     * handler is told "full" and hears on_writable below half of it.  As
     * grpc-go's write quota. */
    RPC_SEND_BYTES = 65536,

    /* The same of a connection: past it none of its handlers runs until some of
     * it is sent, so that it holds this and one more message at the most. */
    RPC_CONN_SEND_BYTES = 4 << 20,

    /* Metadata entries that a call may have in each direction; more are left
     * out of the request, or refused by gp_call_add. */
    RPC_META_MOST = 64,

    /* The same in bytes, as [H2] 6.5.2 counts: nghttp2 sends no header list of
     * more than 64 KiB, and clients may insist on much less. */
    RPC_META_BYTES = 32768,

    /* Descriptors left for files and for the debug endpoint when connections
     * have taken the rest; the acceptor then waits. */
    RPC_SPARE_FILES = 64,

    /* Debug endpoint.  A request's head, and the body of a POST to symbol, are
     * at most this; browsers send 2 KB.  More is 431 or 413. */
    WEB_HEAD_BYTES = 16384,
    WEB_BODY_BYTES = 65536,

    /* Connections at once: scrapers and people are few.  One more takes the
     * place of the one that has been silent for the longest; where all are
     * being answered it is told 503. */
    WEB_CONNS = 64,

    /* Windows at once, of waiting requests and of tokens; past it, 503. */
    WEB_WINDOWS = 64,

    /* The longest and the default window of ?seconds=N; the latter is Go's. */
    WEB_MOST_S = 3600,
    WEB_DEFAULT_S = 30,

    /* load: bounds of the options; more is an error that names the option. */
    LOAD_CLIENTS_MOST = 1000000,
    LOAD_STREAMS_MOST = 100000,         /* calls in flight, a client */
    LOAD_THREADS_MOST = 64,
    LOAD_TARGETS_MOST = 64,

    /* Threads when not asked for: more take CPU from a server on the same
     * machine, and one thread drives 300,000 calls a second. */
    LOAD_THREADS_AUTO = 4,

    /* Calls in flight in an open loop, of which what goes beyond is not
     * sent; and on a connection, as servers commonly allow. */
    LOAD_IN_FLIGHT = 10000,
    LOAD_OPEN_STREAMS = 100,

    /* Intervals of the time series, a thread: 2.7 KiB each.  When they are full
     * each becomes twice as long. */
    LOAD_INTERVALS = 512,

    /* load's table of a profile: rows; samples that all need together before
     * any is ranked, and one to be shown. */
    OUT_PROFILE_ROWS = 15,
    OUT_RANKED_SAMPLES = 30,
    OUT_RANKED_ROW = 5,

    /* A client of a debug endpoint reads so much at a time, and in all. */
    WEB_STEP_BYTES = 65536,
    WEB_ANSWER_BYTES = 256 << 20,

    /* Percentiles in a table, and the bytes of a result that is read. */
    CMD_PERCENTS_MOST = 32,
    CMD_RESULT_MOST = 64 << 20,

    /* A reply that is shown. */
    CMD_REPLY_BYTES = 1 << 20,

    /* Files that a server is asked for by reflection, one after the other. */
    LOAD_REFLECTED = 200,

    /* Lines of evidence of a verdict, and the calls that one needs. */
    LOAD_WHYS = 6,
    LOAD_JUDGED_CALLS = 100,

    /* Steps of a schedule, CPUs to pin threads to, and the bytes of a message
     * read from a file. */
    LOAD_STEPS_MOST = 64,
    LOAD_CPUS_MOST = 256,
    LOAD_MESSAGE_MOST = 64 << 20,

    /* Runs of --repeat. */
    LOAD_RUNS_MOST = 100,

    /* Rows of a log of requests are written when they are so long. */
    LOAD_LOG_BYTES = 65536,

    /* Connections being opened at a time, a thread: fewer than any backlog. */
    LOAD_CONNECTING = 100,

    /* Kinds of error told apart; further kinds are only counted. */
    LOAD_ERRORS = 24,

    /* Times in a row that a client's calls are sent again because the server
     * said it had not processed them; past it they count as failed. */
    LOAD_RESENDS = 20,

    /* Samples that must lie beyond a percentile before it is printed: with
     * fewer, the figure is the luck of a few calls. */
    OUT_TAIL_SAMPLES = 10,
};

/* A listener without descriptors or room waits this long before it tries
 * again, so that it does not spin (CVE-2023-4785). */
#define RPC_ACCEPT_PAUSE_NS INT64_C(100000000)

/* When a drain is over, a handler has this long to notice; then its loop's
 * memory is left to it. */
#define RPC_STUCK_NS INT64_C(100000000)

/* Preface, SETTINGS and their acknowledgement from a client, as nghttpd; then
 * SETTINGS_TIMEOUT. */
#define H2_HELLO_NS INT64_C(10000000000)

/* Handlers run for this long before the loop sends what they answered and
 * looks at its sockets again, so that the first of many heavy calls does not
 * wait for the last, and no connection for another.  Shorter ones mean smaller
 * writes, and more CPU time a call. */
#define RPC_SLICE_NS INT64_C(500000)

/* Answers wait for others to be sent with them while handlers run for so long:
 * the client that sleeps is woken once. */
#define RPC_HOLD_NS INT64_C(100000)

/* A loop that runs calls reads the clock when they should have taken so long
 * together, or are so many: a reading takes 25 ns, some calls 500. */
#define RPC_CLOCK_NS INT64_C(2000)
#define RPC_CLOCK_JOBS 8

/* Of jobs that take as long as this the CPU time of one in so many is taken, by
 * three readings of the thread's clock; of shorter ones that is a burden. */
#define RPC_TIMED_JOB_NS INT64_C(10000)
#define RPC_TIMED_EVERY 64

/* Calls shorter than this cost more to hand over than to run. */
#define RPC_SHARE_JOB_NS INT64_C(3000)

/* Work that waits behind a call is worth the wake-up of an idle thread, which
 * takes some 5 us of both, when it takes about this long. */
#define RPC_SHARE_NS INT64_C(40000)

/* A client may send a PING so often when nothing was sent to it meanwhile:
 * what grpc-go's clients are held to, and a tenth less for timers. */
#define H2_PING_NS INT64_C(9000000000)

/* A frame or a header block that has begun ends within this time. */
#define H2_FRAME_NS INT64_C(20000000000)

/* Server: how often a connection is looked at; see rpc_conn_tick. */
#define RPC_TICK_NS INT64_C(10000000000)

/* A unary request of which nothing comes, and an answer of which nothing goes
 * because the client keeps its window shut, are given up after this long. */
#define RPC_BODY_NS INT64_C(60000000000)

/* Keepalive, as grpc-go: a PING after so long without a byte, and the end after
 * so long without an answer. */
#define RPC_KEEPALIVE_NS INT64_C(7200000000000)
#define RPC_KEEPALIVE_WAIT_NS INT64_C(20000000000)

/* A connection that is to leave for its age closes after this long. */
#define RPC_AGE_GRACE_NS INT64_C(30000000000)

/* A peer that takes no bytes for this long is closed. */
#define H2_STALL_NS INT64_C(30000000000)

/* Between the notice of a shutdown and its final GOAWAY, when the PING that
 * measures the round trip is not answered. */
#define H2_NOTICE_NS INT64_C(1000000000)

/* Between our last byte and close(): a close with unread input resets the
 * connection, and the peer would lose the GOAWAY that says why. */
#define H2_LINGER_NS INT64_C(1000000000)

/* Debug endpoint: until a request is complete, from the connection's begin or
 * the last answer; until an answer is taken; and between it and close(), so
 * that what is still on its way does not reset it. */
#define WEB_READ_NS   INT64_C(10000000000)
#define WEB_WRITE_NS  INT64_C(60000000000)
#define WEB_LINGER_NS INT64_C(1000000000)

/* Debug endpoint: a window that nobody stops ends by itself. */
#define WEB_CLAIM_NS INT64_C(600000000000)

/* A loop wakes up at least so often. */
#define NET_WAIT_NS INT64_C(60000000000)

/* load: pause before the second attempt to reconnect; doubles up to the most.
 * --connect-timeout bounds all attempts together. */
#define LOAD_BACKOFF_NS      INT64_C(10000000)
#define LOAD_BACKOFF_MOST_NS INT64_C(500000000)

/* load: how often the stop flag is looked at, and progress told. */
#define LOAD_TICK_NS     INT64_C(50000000)
#define LOAD_PROGRESS_NS INT64_C(200000000)

/* load: how long an interval of the time series is when not asked for, and how
 * long the answer to a keepalive PING may take, as grpc-go. */
#define LOAD_INTERVAL_NS       INT64_C(1000000000)
#define LOAD_KEEPALIVE_WAIT_NS INT64_C(20000000000)

/* load: how long the server's debug endpoint may take to answer, and to make
 * the profile of a window. */
#define LOAD_ASK_NS  INT64_C(5000000000)
#define LOAD_STOP_NS INT64_C(60000000000)

/* load: a verdict needs so long a run.  Past these shares the client is what
 * limits it, by the time that a thread is busy, waits for a CPU, or is late by
 * as a part of the median latency, and more than LOAD_LAG_NS, which a sleeping
 * thread's wake-up can take; the server's settings, by the time that calls
 * wait for a stream; the network, by the time that TCP holds data back.  Behind
 * the schedule is a server with more than so many calls wrong or late. */
#define LOAD_JUDGED_NS     INT64_C(100000000)
#define LOAD_LAG_NS        1e6
#define LOAD_BUSY_SHARE    0.85
#define LOAD_WAIT_SHARE    0.05
#define LOAD_LAG_SHARE     0.10
#define LOAD_QUEUED_SHARE  0.05
#define LOAD_LIMITED_SHARE 0.10
#define LOAD_BEHIND_SHARE  0.05

/* load: after an interrupt, calls in flight have this long to end. */
#define LOAD_STOP_DRAIN_NS INT64_C(1000000000)

enum {
    /* Different thread names whose CPU time is kept apart; pools of servers
     * have up to some hundred.  The rest is added up as "(others)". */
    ANL_MOST_THREADS = 1024,

    /* Methods whose calls are kept apart, as SMP_LABELS; more are left out of
     * by_method, not out of the total. */
    ANL_MOST_METHODS = 1024,

    /* Fewer effective samples carry no verdict: at 300 a share of 10 % may be
     * 7.1 to 13.9 %, which is as much as the rules below can bear. */
    ANL_LEAST_SAMPLES = 300,

    /* With fewer, the rate that was delivered is not known. */
    ANL_RATE_SAMPLES = 30,

    /* What a next command asks for: at 3,000 samples 10 % is 9.0 to 11.1 %. */
    ANL_GOOD_SAMPLES = 3000,

    /* Seconds of load that a next command asks for: shorter ones are mostly
     * start and end, longer ones nobody waits for. */
    ANL_LEAST_LOAD_S = 20,
    ANL_MOST_LOAD_S = 600,

    /* Rows of a table of the text report; --top changes it. */
    OUT_ROWS = 20,

    /* Names in the text report are cut to this many columns, so that a line
     * stays near 100; the other formats have them whole. */
    OUT_NAME_COLUMNS = 46,

    /* Places named where the threads of a wall profile wait. */
    ANL_PLACES = 5,

    /* Geometry of the flame graph: pixels at the width drawn without scripts.
     * A row holds a 12 px line; 7.25 px is what the monospace fonts in use
     * need for a character at that size (0.55 to 0.602 em). */
    SVG_WIDTH = 1200,
    SVG_MARGIN = 10,
    SVG_ROW = 17,
    SVG_HEAD = 62,
    SVG_FOOT = 30,

    /* Rows drawn; a deeper stack is cut at its leaf end, and that is said.
     * The deepest real one seen has 125 rows, the tallest picture that browsers
     * draw is 32,767 px. */
    SVG_MOST_ROWS = 1024,

    /* Frames narrower than this many millionths of the whole are left out:
     * 0.01 % is an eighth of a pixel, and what inferno leaves out too. */
    SVG_LEAST_PPM = 100,

    /* Sample coordinates up to here are written as they are; larger totals are
     * scaled down.  A float, which renderers use, is exact up to 2^24. */
    SVG_MOST_UNITS = 10000000,
};

/* A verdict needs this share of whole, named stacks; profiler.md 7.3. */
#define ANL_BROKEN_SHARE 0.20

/* Below this many cores in use, waiting is what the process mostly does. */
#define ANL_LOW_CORES 0.30

/* Shorter busy time than this is no load to speak of. */
#define ANL_LEAST_BUSY_NS 1e9

/* A thread that uses this share of a core has no more to give. */
#define ANL_FULL_CORE 0.90

/* Work out of step with the kernel's tick is on at a tick as often as the CPU
 * time it uses says.  Threads that a timer of ticks finds this many times as
 * often, and by this many standard errors, keep step; measured: 0.8 to 1.0 for
 * servers and random bursts, 2.2 to 2.5 for work in step.  Below the second
 * ratio of the rate asked to the tick's, the timer itself hides the excess. */
#define ANL_TICK_RATIO 1.25
#define ANL_TICK_ERRORS 4
#define ANL_TICK_LEAST_RATE 1.5

/* serve: how often it looks at a window that is open. */
#define CMD_LOOK_NS INT64_C(250000000)

/* z of a two-sided 95 % interval. */
#define ANL_Z 1.959963984540054

/* As `go tool pprof` trims its tables by default: nodes below this share of
 * the total by cum, edges below that share of it. */
#define OUT_NODE_FRACTION 0.005
#define OUT_EDGE_FRACTION 0.001

/* ================================== 2 MEM ===================================
 * for     bytes that grow, arenas, vectors, hash indexes
 * uses    nothing
 * owns    every allocation in the program: nobody else calls the allocator
 * spec    none
 * prefix  mem_
 * runs    any thread, never in a signal handler; no object here is shared
 *
 * Invariant  len <= cap in every container; a failed growth leaves it as it
 *            was.  A buf's error is sticky, so that a writer may ignore the
 *            result of every call and look at err once, at the end.
 * Does not   shrink, and does not free single objects of an arena.
 */

struct buf {
    uint8_t *data;                      /* owned; NULL while cap == 0 */
    size_t   len, cap;                  /* bytes; len <= cap */
    int      err;                       /* first failure, sticky */
};

struct slice {                          /* bytes of somebody else */
    const char *p;                      /* borrowed; may be NULL if n == 0 */
    size_t      n;                      /* bytes */
};

struct arena {                          /* all zero is an empty arena */
    struct arena_block *head;           /* owned; newest block first */
    size_t used, cap;                   /* bytes of head; used <= cap */
};

struct arena_block {
    struct arena_block *next;           /* owned */
    _Alignas(16) uint8_t data[];
};

struct index {                          /* hash -> reference; all zero: empty */
    uint64_t *slot;                     /* owned; hash's top half | ref + 1 */
    uint32_t  mask, n;                  /* slots - 1; used, <= 3/4 of slots */
};

#define MEM_NONE UINT32_MAX             /* no reference */

/* Number of allocations to allow before failing them all; tests sweep it. */
static long mem_fuse = -1;

/* True when the next allocation must fail; counts it otherwise. */
static bool mem_fuse_blown(void)
{
    if (mem_fuse == 0)
        return true;
    if (mem_fuse > 0)                   /* no write while threads run */
        mem_fuse--;
    return false;
}

/* n zeroed bytes, owned by the caller until mem_free, or NULL. */
static void *mem_zalloc(size_t n)
{
    return mem_fuse_blown() ? NULL : calloc(1, n ? n : 1);
}

/* Release p; NULL is fine. */
static void mem_free(void *p)
{
    free(p);
}

/* Room for need elements of size bytes in the array p of *cap: p again, or a
 * moved copy (the old one is gone), or NULL with p and *cap untouched. */
static void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return p;
    size_t n = *cap + *cap / 2 + 8;
    if (n < need)
        n = need;
    if (n > SIZE_MAX / 2 / size || mem_fuse_blown())
        return NULL;
    void *q = realloc(p, n * size);
    if (q)
        *cap = n;
    return q;
}

/* Pointer to n writable bytes at b's end, or NULL after a failure; they count
 * once the caller adds them to b->len. */
static uint8_t *mem_reserve(struct buf *b, size_t n)
{
    if (b->err)
        return NULL;
    if (n > b->cap - b->len) {
        if (n > SIZE_MAX / 4 - b->cap) {
            b->err = GP_ENOMEM;
            return NULL;
        }
        size_t want = b->len + n < 64 ? 64 : b->len + n;
        uint8_t *p = mem_grow(b->data, &b->cap, want, 1);
        if (!p) {
            b->err = GP_ENOMEM;
            return NULL;
        }
        b->data = p;
    }
    return b->data + b->len;
}

/* Append n bytes; nothing after a failure. */
static void mem_put(struct buf *b, const void *src, size_t n)
{
    uint8_t *p = n ? mem_reserve(b, n) : NULL;
    if (p) {
        memcpy(p, src, n);
        b->len += n;
    }
}

/* Append one byte. */
static void mem_put_byte(struct buf *b, uint8_t c)
{
    mem_put(b, &c, 1);
}

/* Release b and leave it all zero, ready for reuse.  A zero b is fine. */
static void mem_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

/* n bytes of a, 16-byte aligned, zeroed, or NULL; they live until
 * mem_arena_fini(a). */
static void *mem_arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 4)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    if (!a->head || n > a->cap - a->used) {
        size_t cap = a->cap ? a->cap * 2 : ARENA_FIRST_BYTES;
        cap = cap > ARENA_MOST_BYTES ? ARENA_MOST_BYTES : cap;
        cap = cap < n ? n : cap;
        struct arena_block *k = mem_zalloc(sizeof *k + cap);
        if (!k)
            return NULL;
        k->next = a->head;
        a->head = k;
        a->cap = cap;
        a->used = 0;
    }
    void *p = a->head->data + a->used;
    a->used += n;
    return p;
}

/* A NUL-terminated copy of n bytes in a, or NULL. */
static char *mem_arena_dup(struct arena *a, const void *src, size_t n)
{
    char *p = mem_arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, src, n);
    return p;
}

/* Release everything in a and leave it empty. */
static void mem_arena_fini(struct arena *a)
{
    for (struct arena_block *k = a->head, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    *a = (struct arena){0};
}

/* ---- lists: a link inside each member, a link as the head ---- */

struct link {                           /* alone, or a head without members, */
    struct link *prev, *next;           /* it points to itself */
};

/* The struct of this type whose field is *p. */
#define MEM_OF(p, type, field)                                                \
    ((type *)(void *)((char *)(p) - offsetof(type, field)))

/* Make k a link that is alone, or an empty head. */
static inline void mem_link_init(struct link *k)
{
    k->prev = k->next = k;
}

/* True when head has no member, or k is in no list. */
static inline bool mem_link_alone(const struct link *k)
{
    return k->next == k;
}

/* Take k out of its list, if it is in one. */
static inline void mem_link_drop(struct link *k)
{
    k->prev->next = k->next;
    k->next->prev = k->prev;
    mem_link_init(k);
}

/* Append k, which is alone, to the list of head. */
static inline void mem_link_append(struct link *head, struct link *k)
{
    k->prev = head->prev;
    k->next = head;
    head->prev->next = k;
    head->prev = k;
}

/* ---- pools: small blocks of one thread, kept for reuse ---- */

enum { MEM_POOL_STEP = 32, MEM_POOL_SIZES = MEM_POOL_BYTES / MEM_POOL_STEP };

struct pool_block {                     /* before the bytes handed out */
    union {
        struct pool_block *next;        /* in the pool */
        size_t size;                    /* handed out: bytes of room */
    };
    _Alignas(16) uint8_t data[];
};

struct pool {                           /* all zero is an empty pool */
    struct pool_block *free[MEM_POOL_SIZES];    /* owned; by size */
    unsigned kept[MEM_POOL_SIZES];      /* blocks in each list */
    uint64_t made;                      /* blocks that malloc had to make */
};

/* n bytes from the pool arg, not zeroed, or NULL; an nghttp2_malloc. */
static void *mem_pool_get(size_t n, void *arg)
{
    struct pool *p = arg;
    size_t row = n ? (n - 1) / MEM_POOL_STEP : 0;
    struct pool_block *b = row < MEM_POOL_SIZES ? p->free[row] : NULL;
    if (b) {
        p->free[row] = b->next;
        p->kept[row]--;
        b->size = (row + 1) * MEM_POOL_STEP;
        return b->data;
    }
    size_t room = row < MEM_POOL_SIZES ? (row + 1) * MEM_POOL_STEP : n;
    if (room > SIZE_MAX / 2 || mem_fuse_blown() ||
        !(b = malloc(sizeof *b + room)))
        return NULL;
    p->made++;
    b->size = room;
    return b->data;
}

/* Give q back to the pool arg that it is from; NULL is fine.  Under ASan
 * nothing is kept, so that it sees who uses it afterwards. */
static void mem_pool_put(void *q, void *arg)
{
#ifdef __SANITIZE_ADDRESS__
    const unsigned most = 0;
#else
    const unsigned most = MEM_POOL_KEPT;
#endif
    struct pool *p = arg;
    if (!q)
        return;
    struct pool_block *b = MEM_OF(q, struct pool_block, data);
    size_t row = b->size / MEM_POOL_STEP - 1;
    if (b->size > MEM_POOL_BYTES || p->kept[row] >= most) {
        free(b);
        return;
    }
    b->next = p->free[row];
    p->free[row] = b;
    p->kept[row]++;
}

/* n zeroed bytes for count elements, or NULL; an nghttp2_calloc. */
static void *mem_pool_zero(size_t count, size_t n, void *arg)
{
    if (n && count > SIZE_MAX / n)
        return NULL;
    void *q = mem_pool_get(count * n, arg);
    return q ? memset(q, 0, count * n) : NULL;
}

/* q with room for n bytes, perhaps moved; an nghttp2_realloc. */
static void *mem_pool_grow(void *q, size_t n, void *arg)
{
    size_t room = q ? MEM_OF(q, struct pool_block, data)->size : 0;
    if (q && n <= room)
        return q;
    void *r = mem_pool_get(n, arg);
    if (r && q) {
        memcpy(r, q, room < n ? room : n);
        mem_pool_put(q, arg);
    }
    return r;
}

/* Release what p keeps. */
static void mem_pool_fini(struct pool *p)
{
    for (size_t i = 0; i < MEM_POOL_SIZES; i++)
        for (struct pool_block *b; (b = p->free[i]); ) {
            p->free[i] = b->next;
            free(b);
        }
    *p = (struct pool){0};
}

/* ---- hashes ---- */

/* What mem_hash begins with: of this process, so that nobody can prepare input
 * whose rows all fall into one place of an index. */
static uint64_t mem_seed;

/* Take the seed from the random bytes that the kernel gives every process. */
__attribute__((constructor)) static void mem_seed_init(void)
{
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    if (random)
        memcpy(&mem_seed, random, sizeof mem_seed);
}

/* A 64-bit hash of n bytes that depends on seed, mixed well enough for tables
 * of millions. */
static uint64_t mem_hash_seeded(uint64_t seed, const void *src, size_t n)
{
    const uint8_t *p = src;
    uint64_t h = seed ^ 0x9e3779b97f4a7c15u ^ n, w;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    if (n) {
        w = 0;
        memcpy(&w, p, n);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

/* A hash of n bytes for an index: another one in every process. */
static uint64_t mem_hash(const void *src, size_t n)
{
    return mem_hash_seeded(mem_seed, src, n);
}

/* The next reference stored under hash, or MEM_NONE.  *at is 0 at first and
 * belongs to the walk.  The caller compares: hashes may collide. */
static uint32_t mem_index_next(const struct index *x, uint64_t hash,
                               uint32_t *at)
{
    if (!x->slot)
        return MEM_NONE;
    for (;;) {
        uint64_t s = x->slot[((uint32_t)hash + *at) & x->mask];
        if (!s)
            return MEM_NONE;
        ++*at;
        if (s >> 32 == hash >> 32)
            return (uint32_t)s - 1;
    }
}

/* Double the slots of x; GP_ENOMEM leaves it as it was. */
static int mem_index_double(struct index *x)
{
    uint64_t count = x->slot ? ((uint64_t)x->mask + 1) * 2 : 64;
    if (count > UINT32_MAX)
        return GP_ENOMEM;
    /* A slot keeps half of the hash; the other half, which placed it, is in
     * hash_low beside it. */
    uint64_t *slot = mem_zalloc(count * 2 * sizeof *slot);
    if (!slot)
        return GP_ENOMEM;
    uint32_t mask = (uint32_t)(count - 1);
    for (uint64_t i = 0; x->slot && i <= x->mask; i++)
        if (x->slot[i]) {
            uint64_t low = x->slot[(uint64_t)x->mask + 1 + i];
            uint32_t k = (uint32_t)low & mask;
            while (slot[k])
                k = (k + 1) & mask;
            slot[k] = x->slot[i];
            slot[count + k] = low;
        }
    free(x->slot);
    x->slot = slot;
    x->mask = mask;
    return GP_OK;
}

/* Store ref, not MEM_NONE, under hash; the caller has seen it is not there. */
static int mem_index_put(struct index *x, uint64_t hash, uint32_t ref)
{
    if (!x->slot || x->n >= (uint64_t)x->mask * 3 / 4)
        if (mem_index_double(x))
            return GP_ENOMEM;
    uint32_t k = (uint32_t)hash & x->mask;
    while (x->slot[k])
        k = (k + 1) & x->mask;
    x->slot[k] = (hash >> 32 << 32) | ((uint64_t)ref + 1);
    x->slot[(uint64_t)x->mask + 1 + k] = (uint32_t)hash;
    x->n++;
    return GP_OK;
}

/* Release x and leave it empty. */
static void mem_index_fini(struct index *x)
{
    free(x->slot);
    *x = (struct index){0};
}

/* ================================== 3 TXT ===================================
 * for     text in and out: strict numbers, durations, sizes, UTF-8, percent
 *         codec, formatted appends, the one-line error
 * uses    MEM
 * owns    nothing
 * spec    [GRPC] PROTOCOL-HTTP2.md, Status-Message; RFC 3629 (UTF-8)
 * prefix  txt_
 * runs    any thread
 *
 * Invariant  a number is all of its text: anything left over is an error.
 * Does not   know locales; the decimal point is a dot.
 */

/* Fill *why, which may be NULL, with one line and return code. */
__attribute__((format(printf, 3, 4)))
static int txt_fail(struct gp_why *why, int code, const char *fmt, ...)
{
    if (why) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(why->text, sizeof why->text, fmt, ap);
        va_end(ap);
        for (char *p = why->text; *p; p++)      /* names may hold anything */
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = '?';
    }
    return code;
}

/* Append formatted text to b. */
__attribute__((format(printf, 2, 3)))
static void txt_putf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    uint8_t *p = n < 0 ? NULL : mem_reserve(b, (size_t)n + 1);
    if (p) {
        vsnprintf((char *)p, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

/* Append the NUL-terminated s. */
static void txt_puts(struct buf *b, const char *s)
{
    mem_put(b, s, strlen(s));
}

/* The text of s as a slice, borrowed. */
static struct slice txt_slice(const char *s)
{
    return (struct slice){ s, strlen(s) };
}

/* True when a and b hold the same bytes. */
static bool txt_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n));
}

/* True when s begins with the NUL-terminated prefix. */
static bool txt_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && !memcmp(s.p, prefix, n);
}

/* True when the list s, as in "identity, gzip", has word, in any case. */
static bool txt_lists(struct slice s, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = 0; at < s.n; at++) {
        size_t begin = at;
        while (at < s.n && s.p[at] != ',' && s.p[at] != ' ' && s.p[at] != '\t')
            at++;
        if (at - begin == n && !strncasecmp(s.p + begin, word, n))
            return true;
    }
    return false;
}

/* Append v in decimal with a comma between thousands: 5,000. */
static void txt_put_commas(struct buf *b, uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, v);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            mem_put_byte(b, ',');
        mem_put_byte(b, (uint8_t)digits[i]);
    }
}

/* Read decimal digits, with `_` allowed between two of them, from *s into *v
 * and move *s past them.  GP_EFORMAT: no digit; GP_ELIMIT: past 64 bits. */
static int txt_scan_digits(const char **s, uint64_t *v)
{
    const char *p = *s;
    uint64_t x = 0;
    if (*p < '0' || *p > '9')
        return GP_EFORMAT;
    for (;; p++) {
        if (*p == '_' && p[1] >= '0' && p[1] <= '9')
            continue;
        if (*p < '0' || *p > '9')
            break;
        uint64_t digit = (uint64_t)(*p - '0');
        if (x > (UINT64_MAX - digit) / 10)
            return GP_ELIMIT;
        x = x * 10 + digit;
    }
    *s = p;
    *v = x;
    return GP_OK;
}

/* All of s as a whole number in [min, max]. */
static int txt_number(const char *s, uint64_t min, uint64_t max, uint64_t *v)
{
    uint64_t x;
    int e = txt_scan_digits(&s, &x);
    if (e)
        return e;
    if (*s)
        return GP_EFORMAT;
    if (x < min || x > max)
        return GP_ELIMIT;
    *v = x;
    return GP_OK;
}

/* All of s, decimal digits alone, as a whole number in [min, max]. */
static int txt_slice_number(struct slice s, uint64_t min, uint64_t max,
                            uint64_t *v)
{
    char digits[24] = "";
    if (s.n >= sizeof digits)
        return GP_ELIMIT;
    if (s.n)
        memcpy(digits, s.p, s.n);
    return strspn(digits, "0123456789") == s.n ? txt_number(digits, min, max, v)
                                               : GP_EFORMAT;
}

/* All of s as a finite number, or NAN. */
static double txt_finite(struct slice s)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof text)
        return NAN;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = strtod(text, &end);
    return *end == 0 && isfinite(v) ? v : NAN;
}

/* All of s as a duration in ns: digits, perhaps a fraction, and one of us ms
 * s m h; or 0.  At most 1,000 hours. */
static int txt_duration(const char *s, int64_t *ns)
{
    static const struct { const char *name; uint64_t ns; } unit[] = {
        { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
        { "m", 60000000000 }, { "h", 3600000000000 },
    };
    uint64_t whole, part = 0, scale = 1;
    int e = txt_scan_digits(&s, &whole);
    if (e)
        return e;
    if (!*s && whole == 0) {            /* 0 needs no unit */
        *ns = 0;
        return GP_OK;
    }
    if (*s == '.') {
        const char *digit = ++s;
        for (; *s >= '0' && *s <= '9' && s - digit < 9; s++, scale *= 10)
            part = part * 10 + (uint64_t)(*s - '0');
        if (s == digit)
            return GP_EFORMAT;
    }
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++)
        if (!strcmp(s, unit[i].name)) {
            if (whole > 3600000000000000u / unit[i].ns)
                return GP_ELIMIT;
            *ns = (int64_t)(whole * unit[i].ns);
            *ns += (int64_t)((double)part * (double)unit[i].ns /
                             (double)scale);
            return GP_OK;
        }
    return GP_EFORMAT;
}

/* All of s as a size in bytes: digits and perhaps K, M or G (powers of 2). */
static int txt_size(const char *s, uint64_t min, uint64_t max, uint64_t *bytes)
{
    static const char unit[] = "KMG";
    uint64_t x;
    int e = txt_scan_digits(&s, &x);
    if (e)
        return e;
    const char *u = *s ? strchr(unit, *s) : NULL;
    if (*s && (!u || s[1]))
        return GP_EFORMAT;
    int shift = u ? 10 * (int)(u - unit + 1) : 0;
    if (x > UINT64_MAX >> shift)
        return GP_ELIMIT;
    x <<= shift;
    if (x < min || x > max)
        return GP_ELIMIT;
    *bytes = x;
    return GP_OK;
}

/* Append a time for people: 3 significant digits and a unit, as in 1.23ms. */
static void txt_put_time(struct buf *b, double ns)
{
    static const struct { double ns; const char *name; } unit[] = {
        { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" },
    };
    size_t i = 0;
    while (i < 3 && fabs(ns) < unit[i].ns * 0.9995)
        i++;
    double v = ns / unit[i].ns, size = fabs(v);
    txt_putf(b, "%.*f%s",
             unit[i].ns > 1 ? (size < 9.995 ? 2 : size < 99.95 ? 1 : 0) : 0,
             v, unit[i].name);
}

/* Append a size for people, as in 1.5 MB (powers of ten). */
static void txt_put_bytes(struct buf *b, double bytes)
{
    static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
    size_t i = 0;
    for (; i < 4 && bytes >= 999.5; i++)
        bytes /= 1000;
    txt_putf(b, "%.*f %s", i && bytes < 99.95 ? 1 : 0, bytes, unit[i]);
}

/* Length in bytes of the UTF-8 character at p, of n bytes left, n > 0; 0 when
 * it is not valid: overlong, a surrogate, past U+10FFFF, or cut short. */
static size_t txt_utf8(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

/* Append s as UTF-8 fit for one line of a terminal: a tab becomes a space,
 * other control characters and bytes that are not UTF-8 U+FFFD. */
static void txt_put_clean(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; ) {
        size_t n = txt_utf8(s.p + i, s.n - i);
        uint8_t c = (uint8_t)s.p[i];
        bool control = n == 1 ? c < 0x20 || c == 0x7f
                              : n == 2 && c == 0xc2 &&
                                (uint8_t)s.p[i + 1] < 0xa0;
        if (c == '\t')
            mem_put_byte(b, ' ');
        else if (n == 0 || control)
            mem_put(b, "\xef\xbf\xbd", 3);
        else
            mem_put(b, s.p + i, n);
        i += n ? n : 1;
    }
}

/* Append s as a grpc-message: printable ASCII but % as it is, the rest as %XX
 * [GRPC]; never more than most bytes, cut between characters. */
static void txt_put_percent(struct buf *b, struct slice s, size_t most)
{
    size_t begin = b->len;
    for (size_t i = 0; i < s.n; ) {
        size_t n = txt_utf8(s.p + i, s.n - i);
        const char *from = n ? s.p + i : "\xef\xbf\xbd";
        size_t count = n ? n : 3;
        bool plain = count == 1 && *from >= 0x20 && *from <= 0x7e &&
                     *from != '%';
        if (b->len - begin + (plain ? 1 : 3 * count) > most)
            return;
        for (size_t k = 0; k < count; k++)
            if (plain)
                mem_put_byte(b, (uint8_t)from[k]);
            else
                txt_putf(b, "%%%02X", (uint8_t)from[k]);
        i += n ? n : 1;
    }
}

/* Append the code point c, at most 0x10ffff, in UTF-8. */
static void txt_put_code(struct buf *b, uint32_t c)
{
    uint8_t t[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t head[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        t[i] = (uint8_t)(0x80 | (c & 0x3f));
    t[0] = (uint8_t)(head[n] | c);
    mem_put(b, t, n);
}

/* Value of the hexadecimal digit c, or -1. */
static int txt_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Append the grpc-message s decoded; a bad escape stays as it is [GRPC]. */
static void txt_put_unpercent(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && s.n - i > 2 ? txt_hex(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? txt_hex(s.p[i + 2]) : -1;
        if (lo >= 0) {
            mem_put_byte(b, (uint8_t)(hi << 4 | lo));
            i += 2;
        } else {
            mem_put_byte(b, (uint8_t)s.p[i]);
        }
    }
}

static const char txt_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789+/";

/* Append s in base64 without padding, as [GRPC] has binary metadata. */
static void txt_put_base64(struct buf *b, struct slice s)
{
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        v = v << 8 | (uint8_t)s.p[i];
        for (bits += 8; bits >= 6; bits -= 6)
            mem_put_byte(b, (uint8_t)txt_base64[v >> (bits - 6) & 63]);
    }
    if (bits)
        mem_put_byte(b, (uint8_t)txt_base64[v << (6 - bits) & 63]);
}

/* Append the bytes that s has in base64, padded or not; false where it is not
 * that. */
static bool txt_put_unbase64(struct buf *b, struct slice s)
{
    uint32_t v = 0;
    int bits = 0;
    if (s.n && s.n % 4 == 0 && s.p[s.n - 1] == '=')
        s.n -= s.p[s.n - 2] == '=' ? 2 : 1;
    if (s.n % 4 == 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(txt_base64, s.p[i]) : NULL;
        if (!at)
            return false;
        v = v << 6 | (uint32_t)(at - txt_base64);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            mem_put_byte(b, (uint8_t)(v >> bits));
        }
    }
    return true;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, to suggest
 * a name for a mistyped one; words past 31 bytes are "far". */
static unsigned txt_distance(const char *a, const char *b)
{
    unsigned d[32][32];
    size_t na = strlen(a), nb = strlen(b);
    if (na > 31 || nb > 31)
        return 99;
    for (size_t i = 0; i <= na; i++)
        for (size_t j = 0; j <= nb; j++) {
            if (!i || !j) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[na][nb];
}

/* ================================== 4 SYS ===================================
 * for     the system: clocks, files read whole, files replaced whole, named
 *         threads, child processes with a time limit, usable CPUs
 * uses    MEM, TXT
 * owns    the temporary file while sys_write_file runs; the child process and
 *         its group while sys_run does
 * spec    POSIX.1-2008; cgroups(7) for the CPU quota
 * prefix  sys_
 * runs    any thread
 *
 * Invariant  a file that sys_write_file replaces holds its old bytes or all of
 *            the new ones, never a part, whatever fails.
 */

/* Clock id's time in ns. */
static int64_t sys_clock_ns(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Monotonic time in ns, the time of everything here but calendars. */
static int64_t sys_now_ns(void)
{
    return sys_clock_ns(CLOCK_MONOTONIC);
}

/* Read descriptor fd to its end, at most most bytes, onto b. */
static int sys_read_fd(int fd, const char *name, size_t most, struct buf *b,
                       struct gp_why *why)
{
    for (;;) {
        uint8_t *p = mem_reserve(b, 65536);
        if (!p)
            return txt_fail(why, GP_ENOMEM, "%s: out of memory after %zu bytes",
                            name, b->len);
        ssize_t n = read(fd, p, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return txt_fail(why, GP_EIO, "%s: %s", name, strerror(errno));
        if (n == 0)
            return GP_OK;
        b->len += (size_t)n;
        if (b->len > most)
            return txt_fail(why, GP_ELIMIT, "%s: larger than %zu bytes", name,
                            most);
    }
}

/* Read the file at path, "-" for standard input, onto b. */
static int sys_read_file(const char *path, size_t most, struct buf *b,
                         struct gp_why *why)
{
    struct stat st;
    int e = GP_OK, fd = 0;
    if (!strcmp(path, "-"))
        return sys_read_fd(0, "standard input", most, b, why);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return txt_fail(why, GP_EIO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st))
        e = txt_fail(why, GP_EIO, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        e = txt_fail(why, GP_EIO, "%s: is a directory", path);
    else
        e = sys_read_fd(fd, path, most, b, why);
    close(fd);
    return e;
}

/* Write n bytes to fd, through interruptions; GP_EIO with errno set. */
static int sys_write_fd(int fd, const void *src, size_t n)
{
    const uint8_t *p = src;
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return GP_EIO;
        p += k;
        n -= (size_t)k;
    }
    return GP_OK;
}

/* Write path's directory, with its slash or "", into dir[size]. */
static int sys_dirname(const char *path, char *dir, size_t size,
                       struct gp_why *why)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    if (!*path || !path[n])
        return txt_fail(why, GP_EIO, "'%s': not the name of a file", path);
    if (n + 32 > size)
        return txt_fail(why, GP_EIO, "%.80s...: name too long", path);
    memcpy(dir, path, n);
    dir[n] = 0;
    return GP_OK;
}

/* Make a temporary file beside path; its name into tmp[size].  It has the mode
 * of the file at path, or that of any new file.  Returns the descriptor or a
 * negative gp_err. */
static int sys_temp_beside(const char *path, char *tmp, size_t size,
                           struct gp_why *why)
{
    struct stat st = {0};
    int e = sys_dirname(path, tmp, size, why), fd = -1;
    if (e)
        return e;
    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return txt_fail(why, GP_EIO, "%s: is not a regular file", path);
    size_t n = strlen(tmp);
    for (int tries = 0; fd < 0 && tries < 100; tries++) {
        uint64_t dice = (uint64_t)(sys_clock_ns(CLOCK_REALTIME) + tries);
        dice = mem_hash(&dice, sizeof dice);
        snprintf(tmp + n, size - n, ".grpcprof-%08x", (unsigned)dice);
        fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return txt_fail(why, GP_EIO, "%s: cannot write there: %s", path,
                        strerror(errno));
    if (st.st_mode)
        (void)!fchmod(fd, st.st_mode & 07777);
    return fd;
}

/* Sync the directory of the file at path, so that a rename in it lasts. */
static void sys_sync_dir(const char *path)
{
    char dir[PATH_MAX];
    if (sys_dirname(path, dir, sizeof dir, NULL))
        return;
    int fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

/* Check that sys_write_file(path) can begin: its directory takes new files. */
static int sys_write_check(const char *path, struct gp_why *why)
{
    char tmp[PATH_MAX];
    int fd = sys_temp_beside(path, tmp, sizeof tmp, why);
    if (fd < 0)
        return fd;
    close(fd);
    unlink(tmp);
    return GP_OK;
}

/* Replace the file at path by n bytes: written beside it, synced, renamed.
 * A symbolic link keeps pointing: its target is what is replaced. */
static int sys_write_file(const char *path, const void *src, size_t n,
                          struct gp_why *why)
{
    char tmp[PATH_MAX], real[PATH_MAX];
    const char *target = realpath(path, real) ? real : path;
    int fd = sys_temp_beside(target, tmp, sizeof tmp, why);
    if (fd < 0)
        return fd;
    bool ok = !sys_write_fd(fd, src, n) && !fsync(fd);
    int saved = errno;
    if (close(fd) && ok) {
        saved = errno;
        ok = false;
    }
    if (ok && rename(tmp, target)) {
        saved = errno;
        ok = false;
    }
    if (ok) {
        sys_sync_dir(target);
        return GP_OK;
    }
    unlink(tmp);
    return txt_fail(why, GP_EIO, "%s: not written, left as it was: %s", path,
                    strerror(saved));
}

/* Start fn(arg) on a new thread called name (at most 15 bytes), with every
 * signal blocked but SIGPROF and SIGTRAP, which sample; these too when quiet,
 * for threads that are not to be sampled. */
static int sys_thread_start(pthread_t *t, const char *name, bool quiet,
                            void *(*fn)(void *), void *arg, struct gp_why *why)
{
    sigset_t all, old;
    sigfillset(&all);
    if (!quiet) {
        sigdelset(&all, SIGPROF);
        sigdelset(&all, SIGTRAP);       /* perf's samples, see smp_trap_have */
    }
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e)
        return txt_fail(why, GP_EIO, "cannot start thread %s: %s", name,
                        strerror(e));
    pthread_setname_np(*t, name);
    return GP_OK;
}

/* Start argv[0], found in PATH, with the socket s as its standard input and
 * output, no standard error, and file, when not -1, as its descriptor 3: a
 * process group of its own, every signal unblocked and as by default.  Returns
 * its number, or a negative gp_err. */
static pid_t sys_spawn(char *const argv[], int s, int file, struct gp_why *why)
{
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    sigset_t all, none, old;
    pid_t pid = -1;
    sigfillset(&all);
    sigemptyset(&none);
    if (posix_spawn_file_actions_init(&acts))
        return txt_fail(why, GP_ENOMEM, "%s: out of memory", argv[0]);
    if (posix_spawnattr_init(&attr)) {
        posix_spawn_file_actions_destroy(&acts);
        return txt_fail(why, GP_ENOMEM, "%s: out of memory", argv[0]);
    }
    int e = posix_spawn_file_actions_adddup2(&acts, s, 0);
    e = e ? e : posix_spawn_file_actions_adddup2(&acts, s, 1);
    e = e ? e : posix_spawn_file_actions_addopen(&acts, 2, "/dev/null",
                                                 O_WRONLY, 0);
    if (file >= 0)
        e = e ? e : posix_spawn_file_actions_adddup2(&acts, file, 3);
    e = e ? e : posix_spawnattr_setsigmask(&attr, &none);
    e = e ? e : posix_spawnattr_setpgroup(&attr, 0);
    e = e ? e : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                         POSIX_SPAWN_SETSIGDEF |
                                         POSIX_SPAWN_SETPGROUP);
    pthread_sigmask(SIG_SETMASK, &all, &old);   /* no handler in between */
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    e = e ? e : posix_spawnattr_setsigdefault(&attr, &all);
    e = e ? e : posix_spawnp(&pid, argv[0], &acts, &attr, argv, environ);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&acts);
    return e ? txt_fail(why, GP_EIO, "%s: %s", argv[0], strerror(e)) : pid;
}

/* Send the n bytes at src through the socket s, close that direction, and
 * append what comes back, at most most bytes, to out, until the other end
 * closes or the time is deadline_ns. */
static int sys_converse(int s, const char *name, const void *src, size_t n,
                        size_t most, int64_t deadline_ns, struct buf *out,
                        struct gp_why *why)
{
    const char *p = src;
    size_t begin = out->len;
    bool sending = true;
    for (;;) {
        struct pollfd f = { .fd = s, .events = POLLIN };
        int64_t left = deadline_ns - sys_now_ns();
        if (left <= 0)
            return txt_fail(why, GP_ELIMIT, "%s: took too long", name);
        ssize_t k = sending && n ? send(s, p, n, MSG_NOSIGNAL | MSG_DONTWAIT)
                                 : 0;
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
        if (sending && (n == 0 || (k < 0 && errno == EPIPE))) {
            shutdown(s, SHUT_WR);       /* it has all, or wants no more */
            sending = false;
        }
        f.events = sending ? POLLIN | POLLOUT : POLLIN;
        int ms = left < 1000000 ? 1 : left > 1000000000 ? 1000
                                    : (int)(left / 1000000);
        if (poll(&f, 1, ms) <= 0 || !(f.revents & (POLLIN | POLLHUP)))
            continue;
        uint8_t *to = mem_reserve(out, 65536);
        if (!to)
            return txt_fail(why, GP_ENOMEM, "%s: out of memory", name);
        k = recv(s, to, 65536, MSG_DONTWAIT);
        if (k < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (k <= 0)                     /* reset: input that it did not read */
            return k == 0 || errno == ECONNRESET ? GP_OK
                 : txt_fail(why, GP_EIO, "%s: %s", name, strerror(errno));
        out->len += (size_t)k;
        if (out->len - begin > most)
            return txt_fail(why, GP_ELIMIT, "%s: said more than %zu bytes",
                            name, most);
    }
}

/* Wait until the child pid ends, at most until deadline_ns; past that it and
 * its group are killed.  It is gone then.  GP_OK for exit status 0, or where
 * the program that we are in has reaped it already. */
static int sys_reap(pid_t pid, const char *name, int64_t deadline_ns,
                    struct gp_why *why)
{
    struct timespec nap = { .tv_nsec = 1000000 };
    int status = 0;
    bool killed = false;
    for (;;) {
        if (!killed && sys_now_ns() >= deadline_ns) {
            kill(-pid, SIGKILL);
            killed = true;
        }
        pid_t got = waitpid(pid, &status, killed ? 0 : WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            break;
        if (!killed)
            nanosleep(&nap, NULL);
    }
    if (killed)
        return txt_fail(why, GP_ELIMIT, "%s: killed", name);
    if (status)
        return txt_fail(why, GP_EIO, "%s: ended with status %#x", name,
                        (unsigned)status);
    return GP_OK;
}

/* Run argv[0], found in PATH, with the n bytes at src as its standard input
 * and file, when not -1, as its descriptor 3; append its standard output, at
 * most most bytes, to out.  GP_OK when it ended by itself with status 0 before
 * deadline_ns.  Whatever happened, no process is left of it. */
static int sys_run(char *const argv[], int file, const void *src, size_t n,
                   size_t most, int64_t deadline_ns, struct buf *out,
                   struct gp_why *why)
{
    int s[2], e;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
        return txt_fail(why, GP_EIO, "%s: %s", argv[0], strerror(errno));
    /* The child's ends are moved away from 0 to 3, where they go in it. */
    int far = fcntl(s[1], F_DUPFD_CLOEXEC, 10);
    int kept = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 10);
    close(s[1]);
    pid_t pid = far < 0 || (file >= 0 && kept < 0)
        ? txt_fail(why, GP_EIO, "%s: %s", argv[0], strerror(errno))
        : sys_spawn(argv, far, kept, why);
    if (far >= 0)
        close(far);
    if (kept >= 0)
        close(kept);
    e = pid < 0 ? (int)pid : sys_converse(s[0], argv[0], src, n, most,
                                          deadline_ns, out, why);
    close(s[0]);
    if (pid < 0)
        return e;
    int ended = sys_reap(pid, argv[0], e ? 0 : deadline_ns, e ? NULL : why);
    return e ? e : ended;
}

/* The first two numbers in the file DIR/NAME; false when they are not there. */
static bool sys_read_two(const char *dir, const char *name, double v[2])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    int n = f ? fscanf(f, "%lf %lf", &v[0], &v[1]) : 0;
    if (f)
        fclose(f);
    return n > 0;
}

/* The least CPU quota, in CPUs, of the cgroup directory path and of those above
 * it, down to top; 0: none.  Version 2 has "quota period" in one file, version
 * 1 a file for each. */
static double sys_quota_of(char *path, size_t top)
{
    double least = 0;
    for (;;) {
        double v[2] = { -1, 100000 }, period[2];
        if (!sys_read_two(path, "cpu.max", v) &&
            sys_read_two(path, "cpu.cfs_quota_us", v))
            v[1] = sys_read_two(path, "cpu.cfs_period_us", period) ? period[0]
                                                                  : 100000;
        if (v[0] > 0 && v[1] > 0 && (least <= 0 || v[0] / v[1] < least))
            least = v[0] / v[1];
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) < top)
            return least;
        *slash = 0;
    }
}

/* The CPU quota of this process's cgroup (version 2 or 1) and of those around
 * it in whole CPUs, rounded up, or 0 when there is none. */
static unsigned sys_quota_cpus(void)
{
    static const char *const root[] = { "/sys/fs/cgroup",
                                        "/sys/fs/cgroup/cpu" };
    char line[PATH_MAX], path[PATH_MAX + 32];
    double least = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {  /* "number:controllers:path" */
        char *colon = strchr(line, ':');
        char *dir = colon ? strchr(colon + 1, ':') : NULL;
        if (!dir)
            continue;
        *dir++ = 0;
        dir[strcspn(dir, "\n")] = 0;
        bool v1 = strstr(colon + 1, "cpu") != NULL;
        if (!v1 && colon[1])
            continue;                   /* a controller of something else */
        snprintf(path, sizeof path, "%s%s", root[v1], dir);
        double q = sys_quota_of(path, strlen(root[v1]));
        least = q > 0 && (least <= 0 || q < least) ? q : least;
    }
    if (f)
        fclose(f);
    return (unsigned)ceil(least);
}

/* CPUs that this process may use at once: affinity mask and cgroup quota. */
static unsigned sys_cpus(void)
{
    cpu_set_t set;
    unsigned n = 1, quota = sys_quota_cpus();
    if (!sched_getaffinity(0, sizeof set, &set))
        n = (unsigned)CPU_COUNT(&set);
    if (quota && quota < n)
        n = quota;
    return n ? n : 1;
}

/* Raise the limit on open descriptors to what is allowed; returns it. */
static uint64_t sys_raise_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return 1024;
    if (r.rlim_cur < r.rlim_max) {
        struct rlimit up = { r.rlim_max, r.rlim_max };
        if (!setrlimit(RLIMIT_NOFILE, &up))
            r = up;
    }
    return r.rlim_cur;
}

/* =================================== 5 JS ===================================
 * for     JSON text: written as it goes, read in place
 * uses    MEM, TXT
 * owns    nothing: a writer borrows its buf
 * spec    RFC 8259
 * prefix  js_
 * runs    any thread
 *
 * Invariant  what is written is valid UTF-8 JSON whatever bytes the names
 *            hold; a number that JSON cannot hold is null.  What is read has
 *            been checked as a whole before any of it is looked at.
 */

struct js {
    struct buf *b;                      /* borrowed */
    unsigned    depth;                  /* open containers */
    bool        more;                   /* a value stands before the next one */
};

/* Before a value: the comma and the new line that it needs. */
static void js_next(struct js *j)
{
    if (j->more)
        mem_put_byte(j->b, ',');
    if (j->depth && j->more)
        txt_putf(j->b, j->depth < 3 ? "\n%*s" : " ", (int)j->depth, "");
    j->more = true;
}

/* A string value. */
static void js_put_str(struct js *j, struct slice s)
{
    js_next(j);
    mem_put_byte(j->b, '"');
    for (size_t i = 0; i < s.n; ) {
        size_t n = txt_utf8(s.p + i, s.n - i);
        uint8_t c = (uint8_t)s.p[i];
        if (n == 0)
            txt_puts(j->b, "\\ufffd");
        else if (c == '"' || c == '\\')
            txt_putf(j->b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            txt_putf(j->b, "\\u%04x", c);
        else
            mem_put(j->b, s.p + i, n);
        i += n ? n : 1;
    }
    mem_put_byte(j->b, '"');
}

/* A whole number. */
static void js_put_int(struct js *j, int64_t v)
{
    js_next(j);
    txt_putf(j->b, "%" PRId64, v);
}

/* A number with 6 significant digits; null when it is not finite. */
static void js_put_num(struct js *j, double v)
{
    js_next(j);
    if (isfinite(v))
        txt_putf(j->b, "%.6g", v);
    else
        txt_puts(j->b, "null");
}

/* true, false. */
static void js_put_bool(struct js *j, bool v)
{
    js_next(j);
    txt_puts(j->b, v ? "true" : "false");
}

/* null: a value that is not known. */
static void js_put_null(struct js *j)
{
    js_next(j);
    txt_puts(j->b, "null");
}

/* A value that is JSON already. */
static void js_put_raw(struct js *j, const char *text)
{
    js_next(j);
    txt_puts(j->b, text);
}

/* A member's key; its value follows. */
static void js_put_key(struct js *j, struct slice key)
{
    js_put_str(j, key);
    mem_put_byte(j->b, ':');
    j->more = false;
}

/* The same of a text. */
static void js_key(struct js *j, const char *key)
{
    js_put_key(j, txt_slice(key));
}

/* Open an object '{' or an array '['. */
static void js_open(struct js *j, char kind)
{
    js_next(j);
    mem_put_byte(j->b, (uint8_t)kind);
    j->depth++;
    j->more = false;
}

/* Close what js_open opened: '}' or ']'. */
static void js_close(struct js *j, char kind)
{
    assert(j->depth > 0);
    mem_put_byte(j->b, (uint8_t)kind);
    j->depth--;
    j->more = true;
}

/* ---- reading ---- */

enum js_kind { JS_NULL, JS_FALSE, JS_TRUE, JS_NUMBER, JS_STRING, JS_ARRAY,
               JS_OBJECT };

/* A value in a text that js_check has passed: where it begins.  Reading goes by
 * the text itself, so that nothing is allocated. */
struct js_value {
    enum js_kind kind;
    struct slice text;                  /* all of it, borrowed */
};

struct js_members {                     /* what js_next_member goes through */
    struct slice rest;
    char         end;                   /* ']' or '}' */
};

/* Past the white space in s. */
static struct slice js_skip(struct slice s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t' || *s.p == '\n' ||
                   *s.p == '\r')) {
        s.p++;
        s.n--;
    }
    return s;
}

/* Bytes of the string that s begins with, quotes and all; 0: it is none, or not
 * well formed (RFC 8259 7; a lone surrogate is not, I-JSON). */
static size_t js_string_bytes(struct slice s)
{
    size_t i = 1;
    bool high = false;
    if (!s.n || *s.p != '"')
        return 0;
    while (i < s.n) {
        uint8_t c = (uint8_t)s.p[i];
        bool escape = c == '\\' && i + 1 < s.n;
        if (escape && s.p[i + 1] == 'u') {
            unsigned v = 0;
            if (s.n - i < 6)
                return 0;
            for (size_t k = 2; k < 6; k++) {
                int digit = txt_hex(s.p[i + k]);
                if (digit < 0)
                    return 0;
                v = v << 4 | (unsigned)digit;
            }
            bool low = v >= 0xdc00 && v <= 0xdfff;
            if (low != high)
                return 0;
            high = v >= 0xd800 && v <= 0xdbff;
            i += 6;
            continue;
        }
        if (high)
            return 0;
        if (c == '"')
            return i + 1;
        if (escape && !strchr("\"\\/bfnrt", s.p[i + 1]))
            return 0;
        size_t n = escape ? 2 : c < 0x20 ? 0 : txt_utf8(s.p + i, s.n - i);
        if (!n)
            return 0;
        i += n;
    }
    return 0;
}

/* Bytes of the number that s begins with; 0: it is none. */
static size_t js_number_bytes(struct slice s)
{
    size_t i = s.n && *s.p == '-', from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    if (i == from || (s.p[from] == '0' && i > from + 1))
        return 0;
    if (i < s.n && s.p[i] == '.') {
        from = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        if (i == from)
            return 0;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        from = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        if (i == from)
            return 0;
    }
    return i;
}

/* Bytes of the value that s begins with, 0: none that is well formed, or one
 * deeper than JS_DEPTH.  *bad is where it went wrong.  LONG: one pass over all
 * kinds of values, without recursion. */
static size_t js_value_bytes(struct slice s, const char **bad)
{
    char open[JS_DEPTH];
    size_t depth = 0;
    struct slice at = s;
    bool value = true, key = false;     /* what may come */
    for (;;) {
        at = js_skip(at);
        *bad = at.p;
        if (!at.n)
            return 0;
        char c = *at.p;
        size_t n = 0;
        if (depth && (c == ']' || c == '}') && open[depth - 1] == c && !value &&
            !key) {
            depth--;
            n = 1;
        } else if (!value && !key && depth && c == ',') {
            at.p++;
            at.n--;
            at = js_skip(at);
            *bad = at.p;
            if (!at.n || *at.p == ']' || *at.p == '}')
                return 0;
            key = open[depth - 1] == '}';
            value = !key;
            continue;
        } else if (key) {
            n = js_string_bytes(at);
            struct slice after = js_skip((struct slice){ at.p + n, at.n - n });
            if (!n || !after.n || *after.p != ':')
                return 0;
            at = (struct slice){ after.p + 1, after.n - 1 };
            key = false;
            value = true;
            continue;
        } else if (!value) {
            return 0;
        } else if (c == '[' || c == '{') {
            if (depth == JS_DEPTH)
                return 0;
            open[depth++] = c == '[' ? ']' : '}';
            at.p++;
            at.n--;
            struct slice in = js_skip(at);
            bool empty = in.n && *in.p == open[depth - 1];
            key = c == '{' && !empty;
            value = c == '[' && !empty;
            continue;
        } else {
            n = c == '"' ? js_string_bytes(at)
              : txt_starts(at, "true") || txt_starts(at, "null") ? 4
              : txt_starts(at, "false") ? 5 : js_number_bytes(at);
            value = false;
        }
        if (!n)
            return 0;
        at.p += n;
        at.n -= n;
        if (!depth)
            return (size_t)(at.p - s.p);
    }
}

/* The value that the well-formed text s begins with. */
static struct js_value js_at(struct slice s)
{
    const char *bad;
    s = js_skip(s);
    size_t n = js_value_bytes(s, &bad);
    struct js_value v = { JS_NULL, { s.p, n } };
    if (n)
        v.kind = *s.p == '{' ? JS_OBJECT : *s.p == '[' ? JS_ARRAY
               : *s.p == '"' ? JS_STRING : *s.p == 't' ? JS_TRUE
               : *s.p == 'f' ? JS_FALSE : *s.p == 'n' ? JS_NULL : JS_NUMBER;
    return v;
}

/* The value that text is, all of it.  GP_EFORMAT: it is not JSON, and *why says
 * where. */
static int js_read(struct slice text, struct js_value *v, struct gp_why *why)
{
    const char *bad = text.p;
    struct slice s = js_skip(text);
    size_t n = js_value_bytes(s, &bad);
    if (n) {
        struct slice rest = js_skip((struct slice){ s.p + n, s.n - n });
        bad = rest.n ? rest.p : NULL;
    }
    if (n && !bad) {
        *v = js_at(s);
        return GP_OK;
    }
    size_t line = 1, column = 1;
    for (const char *p = text.p; p < bad; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return txt_fail(why, GP_EFORMAT, "line %zu, column %zu: not JSON", line,
                    column);
}

/* The members of an array or object. */
static struct js_members js_members(const struct js_value *v)
{
    struct js_members m = { {0}, v->kind == JS_ARRAY ? ']' : '}' };
    if (v->kind >= JS_ARRAY)
        m.rest = (struct slice){ v->text.p + 1, v->text.n - 1 };
    return m;
}

/* The next one, with its key, quotes and all, where it is an object's; false at
 * the end. */
static bool js_next_member(struct js_members *m, struct slice *key,
                           struct js_value *v)
{
    struct slice s = js_skip(m->rest);
    if (s.n && *s.p == ',')
        s = js_skip((struct slice){ s.p + 1, s.n - 1 });
    if (!s.n || *s.p == m->end)
        return false;
    *key = (struct slice){0};
    if (m->end == '}') {
        *key = (struct slice){ s.p, js_string_bytes(s) };
        s = js_skip((struct slice){ s.p + key->n, s.n - key->n });
        s = (struct slice){ s.p + 1, s.n - 1 };
    }
    *v = js_at(s);
    m->rest = (struct slice){ v->text.p + v->text.n,
                              s.n - (size_t)(v->text.p + v->text.n - s.p) };
    return true;
}

/* Append the text of a string value, or of a key, to b. */
static void js_get_string(struct slice s, struct buf *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t high = 0;
    for (size_t i = 1; i + 1 < s.n; ) {
        if (s.p[i] != '\\') {
            mem_put_byte(b, (uint8_t)s.p[i++]);
        } else if (s.p[i + 1] != 'u') {
            mem_put_byte(b, (uint8_t)to[strchr(from, s.p[i + 1]) - from]);
            i += 2;
        } else {
            uint32_t v = 0;
            for (size_t k = 2; k < 6; k++)
                v = v << 4 | (uint32_t)txt_hex(s.p[i + k]);
            i += 6;
            if (v >= 0xd800 && v <= 0xdbff) {
                high = v;
                continue;
            }
            if (v >= 0xdc00 && v <= 0xdfff)
                v = 0x10000 + (high - 0xd800) * 1024 + (v - 0xdc00);
            txt_put_code(b, v);
        }
    }
}

/* The member of the object v whose key is name, in plain letters; kind JS_NULL
 * where there is none. */
static struct js_value js_member(const struct js_value *v, const char *name)
{
    struct js_members m = js_members(v);
    struct js_value out;
    struct slice key;
    size_t n = strlen(name);
    while (v->kind == JS_OBJECT && js_next_member(&m, &key, &out))
        if (key.n == n + 2 && !memcmp(key.p + 1, name, n))
            return out;
    return (struct js_value){0};
}

/* A number as a double, NAN of anything else. */
static double js_get_num(const struct js_value *v)
{
    return v->kind == JS_NUMBER ? txt_finite(v->text) : (double)NAN;
}

/* A whole number that fits; 0 of anything else. */
static uint64_t js_get_uint(const struct js_value *v)
{
    uint64_t n = 0;
    return v->kind != JS_NUMBER ||
           txt_slice_number(v->text, 0, UINT64_MAX, &n) ? 0 : n;
}

/* =================================== 6 PB ===================================
 * for     protobuf wire format, both ways, no schema
 * uses    MEM
 * owns    nothing: a reader borrows its bytes, a writer borrows its buf
 * spec    [PB] protobuf.dev/programming-guides/encoding
 * prefix  pb_
 * runs    any thread
 *
 *   tag = field << 3 | type      0 varint, 1 eight bytes, 2 length + bytes,
 *                                5 four bytes; 3 and 4 (groups) are refused
 *   08 96 01                     field 1: 150
 *   12 07 74 65 73 74 69 6e 67   field 2: "testing"
 *
 * Invariant  input is hostile.  A length is compared with the bytes left and
 *            never added to a pointer first: p + n may wrap, end - p may not.
 */

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_in {
    const uint8_t *p, *end;             /* borrowed; p <= end */
};

struct pb_field {
    uint32_t     number;                /* 1.. */
    enum pb_type type;
    uint64_t     value;                 /* of a varint or a fixed one */
    struct pb_in bytes;                 /* of PB_BYTES; borrowed */
};

/* Read one varint into *v.  GP_EFORMAT when the input ends inside it or it
 * needs more than 64 bits ([PB]: at most ten bytes, the tenth 0 or 1). */
static inline int pb_get_varint(struct pb_in *in, uint64_t *v)
{
    uint64_t x = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (in->p == in->end)
            return GP_EFORMAT;
        uint8_t b = *in->p++;
        if (shift == 63 && b > 1)
            return GP_EFORMAT;
        x |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *v = x;
            return GP_OK;
        }
    }
    return GP_EFORMAT;
}

/* Read n <= 8 bytes, least significant first, into *v. */
static int pb_get_fixed(struct pb_in *in, size_t n, uint64_t *v)
{
    if ((size_t)(in->end - in->p) < n)
        return GP_EFORMAT;
    *v = 0;
    for (size_t i = 0; i < n; i++)
        *v |= (uint64_t)in->p[i] << (8 * i);
    in->p += n;
    return GP_OK;
}

/* Read the next field into *f: 1, 0 at the end, or GP_EFORMAT; in->p then
 * stands at or after the fault. */
static int pb_get_field(struct pb_in *in, struct pb_field *f)
{
    uint64_t tag;
    if (in->p == in->end)
        return 0;
    if (pb_get_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return GP_EFORMAT;
    f->number = (uint32_t)(tag >> 3);
    f->type = (enum pb_type)(tag & 7);
    f->bytes = (struct pb_in){0};
    int e = GP_EFORMAT;
    if (f->type == PB_VARINT)
        e = pb_get_varint(in, &f->value);
    else if (f->type == PB_FIXED64)
        e = pb_get_fixed(in, 8, &f->value);
    else if (f->type == PB_FIXED32)
        e = pb_get_fixed(in, 4, &f->value);
    else if (f->type == PB_BYTES && !pb_get_varint(in, &f->value) &&
             f->value <= (uint64_t)(in->end - in->p)) {
        f->bytes = (struct pb_in){ in->p, in->p + f->value };
        in->p += f->value;
        e = GP_OK;
    }
    return e ? e : 1;
}

/* The next of a repeated integer's values, packed or not: 1, 0 at the end, or
 * GP_EFORMAT.  Uses f up. */
static int pb_next_int(struct pb_field *f, uint64_t *v)
{
    if (f->type == PB_VARINT) {
        *v = f->value;
        f->type = PB_BYTES;
        return 1;
    }
    if (f->type != PB_BYTES)
        return GP_EFORMAT;
    if (f->bytes.p == f->bytes.end)
        return 0;
    return pb_get_varint(&f->bytes, v) ? GP_EFORMAT : 1;
}

/* Append v as a varint; errors stick to b. */
static void pb_put_varint(struct buf *b, uint64_t v)
{
    uint8_t t[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        t[n++] = (uint8_t)(v | 0x80);
    t[n++] = (uint8_t)v;
    mem_put(b, t, n);
}

/* Append field number as a varint; nothing when v is 0, the default. */
static void pb_put_uint(struct buf *b, uint32_t number, uint64_t v)
{
    if (v) {
        pb_put_varint(b, (uint64_t)number << 3 | PB_VARINT);
        pb_put_varint(b, v);
    }
}

/* Append field number as n bytes, even when n is 0. */
static void pb_put_bytes(struct buf *b, uint32_t number, const void *p,
                         size_t n)
{
    pb_put_varint(b, (uint64_t)number << 3 | PB_BYTES);
    pb_put_varint(b, n);
    mem_put(b, p, n);
}

/* Append field number as the message built in part, and empty part. */
static void pb_put_message(struct buf *b, uint32_t number, struct buf *part)
{
    if (part->err)
        b->err = part->err;
    pb_put_bytes(b, number, part->data, part->len);
    part->len = 0;
}

/* =================================== 7 GZ ===================================
 * for     gzip files, both ways
 * uses    MEM
 * owns    the zlib streams while a call runs
 * spec    RFC 1952 (several members may follow each other)
 * prefix  gz_
 * runs    any thread
 *
 * Invariant  inflating stops at the bound that the caller names: a small file
 *            cannot become a large allocation.
 */

/* True when the n bytes at p begin as a gzip file does. */
static bool gz_is(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

/* Inflate the one zlib stream (RFC 1950) in src onto out, at most most bytes;
 * errors as gz_inflate, which has files. */
static int gz_unzip(const uint8_t *src, size_t n, size_t most, struct buf *out)
{
    uint8_t *p = most < SIZE_MAX / 2 ? mem_reserve(out, most + 1) : NULL;
    uLongf len = most + 1;
    if (!p)
        return GP_ENOMEM;
    int r = uncompress(p, &len, src, n);
    if (r != Z_OK)
        return r == Z_MEM_ERROR ? GP_ENOMEM : r == Z_BUF_ERROR ? GP_ELIMIT
                                                               : GP_EFORMAT;
    out->len += len;
    return len > most ? GP_ELIMIT : GP_OK;
}

/* Append n bytes of src to out as a zlib stream. */
static int gz_zip(const void *src, size_t n, struct buf *out)
{
    uLongf len = compressBound(n);
    uint8_t *p = mem_reserve(out, len);
    if (!p || compress2(p, &len, src, n, Z_BEST_COMPRESSION) != Z_OK)
        return GP_ENOMEM;
    out->len += len;
    return GP_OK;
}

/* Inflate the gzip members in src onto out, at most most bytes.  GP_EFORMAT
 * for damaged or cut input, GP_ELIMIT past most; *at is then how far into src
 * it came. */
static int gz_inflate(const uint8_t *src, size_t n, size_t most,
                      struct buf *out, size_t *at)
{
    z_stream z = {0};
    size_t begin = out->len;
    int e = GP_ENOMEM;
    *at = 0;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return e;
    for (;;) {
        uint8_t *p = mem_reserve(out, GZ_STEP_BYTES);
        if (!p)
            break;
        size_t feed = n - *at > INT_MAX ? INT_MAX : n - *at;
        z.next_in = (Bytef *)(uintptr_t)(src + *at);
        z.avail_in = (uInt)feed;
        z.next_out = p;
        z.avail_out = GZ_STEP_BYTES;
        int r = inflate(&z, Z_NO_FLUSH);    /* Z_BUF_ERROR: input cut short */
        *at += feed - z.avail_in;
        out->len += GZ_STEP_BYTES - z.avail_out;
        e = out->len - begin > most ? GP_ELIMIT : GP_EFORMAT;
        if (e == GP_ELIMIT || (r != Z_OK && r != Z_STREAM_END))
            break;
        if (r == Z_STREAM_END) {
            e = *at == n ? GP_OK : GP_EFORMAT;
            if (e == GP_OK || !gz_is(src + *at, n - *at) || inflateReset(&z))
                break;
        }
    }
    inflateEnd(&z);
    return e;
}

/* Append n bytes of src to out as one gzip member, without name or time, so
 * that equal input gives equal output. */
static int gz_deflate(const void *src, size_t n, struct buf *out)
{
    z_stream z = {0};
    if (n > UINT_MAX / 2)
        return GP_ELIMIT;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return GP_ENOMEM;
    uLong bound = deflateBound(&z, (uLong)n);
    uint8_t *p = mem_reserve(out, bound);
    int e = GP_ENOMEM;
    if (p) {
        z.next_in = (Bytef *)(uintptr_t)src;
        z.avail_in = (uInt)n;
        z.next_out = p;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            out->len += bound - z.avail_out;
            e = GP_OK;
        }
    }
    deflateEnd(&z);
    return e;
}

/* ================================== 8 HDR ===================================
 * for     latency histogram: 1 ns to 1 h at 3 significant digits, fixed memory;
 *         HdrHistogram's own formats
 * uses    MEM, TXT, GZ
 * owns    struct hdr's counts
 * spec    [HDR] HdrHistogram: bucket layout and "highest equivalent value"
 * prefix  hdr_
 * runs    any thread; a histogram has one writer, and is merged after the run
 *
 *   bucket k holds values below 2048 << k in steps of 1 << k; the lower half
 *   of every bucket but the first is the bucket below, so index =
 *   k * 1024 + (value >> k)       e.g. 3000 -> k = 1, 1024 + 1500 = 2524
 *
 * Invariant  n is the sum of the counts; min, max and sum are exact, and a
 *            value past the range is counted at its end and in over.
 */

enum { HDR_HALF = 1024, HDR_BUCKETS = 32,
       HDR_COUNTS = (HDR_BUCKETS + 1) * HDR_HALF };

struct hdr {
    uint64_t *count;                    /* owned, HDR_COUNTS; NULL: empty */
    uint64_t  n, over;                  /* values; those past HDR_MOST_NS */
    int64_t   min, max;                 /* ns; of no values: 0 */
    double    sum;                      /* ns */
};

/* Make h ready; GP_ENOMEM. */
static int hdr_init(struct hdr *h)
{
    *h = (struct hdr){ .count = mem_zalloc(HDR_COUNTS * sizeof *h->count) };
    return h->count ? GP_OK : GP_ENOMEM;
}

/* Release h; a zero h is fine. */
static void hdr_fini(struct hdr *h)
{
    mem_free(h->count);
    *h = (struct hdr){0};
}

/* Index of the count for a value in [0, HDR_MOST_NS]. */
static inline uint32_t hdr_index(int64_t ns)
{
    uint32_t k = 53u - (uint32_t)__builtin_clzll((uint64_t)ns | 2047);
    return k * HDR_HALF + (uint32_t)((uint64_t)ns >> k);
}

/* Highest value that counts at index i, in ns. */
static int64_t hdr_value(uint32_t i)
{
    if (i < 2 * HDR_HALF)
        return (int64_t)i;
    uint32_t k = i / HDR_HALF - 1;
    return ((int64_t)(i - k * HDR_HALF + 1) << k) - 1;
}

/* Count one value. */
static inline void hdr_add(struct hdr *h, int64_t ns)
{
    ns = ns < 0 ? 0 : ns;
    int64_t in = ns > HDR_MOST_NS ? HDR_MOST_NS : ns;
    h->count[hdr_index(in)]++;
    h->over += in != ns;
    h->min = h->n == 0 || ns < h->min ? ns : h->min;
    h->max = ns > h->max ? ns : h->max;
    h->sum += (double)ns;
    h->n++;
}

/* Add all of from's values to h. */
static void hdr_merge(struct hdr *h, const struct hdr *from)
{
    if (from->n == 0)
        return;
    for (uint32_t i = 0; i < HDR_COUNTS; i++)
        h->count[i] += from->count[i];
    h->min = h->n == 0 || from->min < h->min ? from->min : h->min;
    h->max = from->max > h->max ? from->max : h->max;
    h->sum += from->sum;
    h->n += from->n;
    h->over += from->over;
}

/* The value in ns that percent % of the values do not exceed, by the method
 * of [HDR]; 0 of no values. */
static int64_t hdr_percentile(const struct hdr *h, double percent)
{
    double rank = ceil(percent / 100 * (double)h->n - 1e-9);
    uint64_t want = rank < 1 ? 1 : (uint64_t)rank, seen = 0;
    for (uint32_t i = 0; h->n && i < HDR_COUNTS; i++) {
        seen += h->count[i];
        if (seen >= want) {
            int64_t v = hdr_value(i);
            return v > h->max ? h->max : v;
        }
    }
    return h->max;
}

/* ---- HdrHistogram's formats ----
 *
 *   V2       1c849313 bytes 0 3 lowest highest ratio, big endian: 4 4 4 4 8 8 8
 *            bytes; then the counts as zigzag LEB128 of at most 9 bytes, where
 *            -n stands for n zeros, up to the last that is not zero
 *   packed   1c849314 bytes, and V2 as a zlib stream; in base64 as text
 *
 *   e.g. one value 3:  1c849313 00000002 ... 05 02   (-3 zeros, then 1)
 */

enum { HDR_V2 = 0x1c849313, HDR_V2_PACKED = 0x1c849314, HDR_V2_HEAD = 40,
       HDR_V2_MOST = HDR_V2_HEAD + 9 * HDR_COUNTS };

/* Append the n low bytes of v, big endian. */
static void hdr_put_big(struct buf *b, uint64_t v, unsigned n)
{
    while (n--)
        mem_put_byte(b, (uint8_t)(v >> 8 * n));
}

/* n bytes at p, big endian. */
static uint64_t hdr_get_big(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* Append v as zigzag LEB128: seven bits a byte, and eight in a ninth. */
static void hdr_put_zigzag(struct buf *b, int64_t v)
{
    uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    for (int i = 0; i < 8 && u >= 0x80; i++, u >>= 7)
        mem_put_byte(b, (uint8_t)(u | 0x80));
    mem_put_byte(b, (uint8_t)u);
}

/* Take the zigzag LEB128 at *p, which moves; false past end. */
static bool hdr_get_zigzag(const uint8_t **p, const uint8_t *end, int64_t *v)
{
    uint64_t u = 0;
    for (unsigned i = 0; *p < end; i++) {
        uint8_t c = *(*p)++;
        u |= (uint64_t)(i < 8 ? c & 0x7f : c) << 7 * i;
        if (i == 8 || c < 0x80) {
            *v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
            return true;
        }
    }
    return false;
}

/* Append h's counts in HdrHistogram's packed V2 format, in base64. */
static void hdr_put_v2(const struct hdr *h, struct buf *b)
{
    struct buf v2 = {0}, zip = {0}, counts = {0};
    uint32_t end = HDR_COUNTS, zeros = 0;
    while (end && !(h->count && h->count[end - 1]))
        end--;
    for (uint32_t i = 0; i < end; i++) {
        if (h->count[i] && zeros)
            hdr_put_zigzag(&counts, -(int64_t)zeros);
        zeros = h->count[i] ? 0 : zeros + 1;
        if (h->count[i])
            hdr_put_zigzag(&counts, (int64_t)h->count[i]);
    }
    hdr_put_big(&v2, HDR_V2, 4);
    hdr_put_big(&v2, counts.len, 4);
    hdr_put_big(&v2, 0, 4);             /* normalizing index offset */
    hdr_put_big(&v2, 3, 4);             /* significant digits */
    hdr_put_big(&v2, 1, 8);
    hdr_put_big(&v2, HDR_MOST_NS, 8);
    hdr_put_big(&v2, UINT64_C(0x3ff0000000000000), 8);      /* ratio 1.0 */
    mem_put(&v2, counts.data, counts.len);
    hdr_put_big(&zip, HDR_V2_PACKED, 4);
    hdr_put_big(&zip, 0, 4);            /* set below */
    int e = v2.err | counts.err | zip.err;
    if (e || gz_zip(v2.data, v2.len, &zip)) {
        b->err = GP_ENOMEM;
    } else {
        size_t n = zip.len - 8;
        for (unsigned i = 0; i < 4; i++)
            zip.data[4 + i] = (uint8_t)(n >> 8 * (3 - i));
        txt_put_base64(b, (struct slice){ (const char *)zip.data, zip.len });
        while (zip.len++ % 3)           /* as its readers want it */
            mem_put_byte(b, '=');
    }
    mem_fini(&v2);
    mem_fini(&zip);
    mem_fini(&counts);
}

/* Put the counts that the n bytes at p have into h, which is empty. */
static int hdr_read_counts(struct hdr *h, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    int64_t v;
    for (uint64_t i = 0; p < end; ) {
        if (!hdr_get_zigzag(&p, end, &v) || i >= HDR_COUNTS)
            return GP_EFORMAT;
        if (v < 0) {
            if (v < -(int64_t)HDR_COUNTS)
                return GP_EFORMAT;
            i += (uint64_t)-v;
            continue;
        }
        if (v > 0) {
            int64_t value = hdr_value((uint32_t)i);
            if ((uint64_t)v > UINT64_MAX / 2 - h->n)
                return GP_EFORMAT;
            h->min = h->n ? h->min : value;
            h->max = value;
            h->sum += (double)v * (double)value;
            h->n += (uint64_t)v;
        }
        h->count[i++] = (uint64_t)v;
    }
    return GP_OK;
}

/* Add what text, in HdrHistogram's packed V2 format with our range and digits,
 * has to h, which is empty; of its own min, max and sum only what the counts
 * say.  GP_EFORMAT, GP_ENOMEM. */
static int hdr_read_v2(struct hdr *h, struct slice text)
{
    struct buf zip = {0}, v2 = {0};
    int e = GP_EFORMAT;
    if (!txt_put_unbase64(&zip, text) || zip.len < 8 ||
        hdr_get_big(zip.data, 4) != HDR_V2_PACKED ||
        hdr_get_big(zip.data + 4, 4) != zip.len - 8)
        goto out;
    e = gz_unzip(zip.data + 8, zip.len - 8, HDR_V2_MOST, &v2);
    if (e)
        goto out;
    e = GP_EFORMAT;
    if (v2.len >= HDR_V2_HEAD && hdr_get_big(v2.data, 4) == HDR_V2 &&
        hdr_get_big(v2.data + 4, 4) == v2.len - HDR_V2_HEAD &&
        hdr_get_big(v2.data + 8, 4) == 0 && hdr_get_big(v2.data + 12, 4) == 3 &&
        hdr_get_big(v2.data + 16, 8) == 1)
        e = hdr_read_counts(h, v2.data + HDR_V2_HEAD, v2.len - HDR_V2_HEAD);
out:
    e = zip.err ? zip.err : e;
    mem_fini(&zip);
    mem_fini(&v2);
    return e;
}

/* Append h as the text that HdrHistogram's plotters read, values in ms: five
 * lines for each halving of the distance to 100 %. */
static void hdr_put_hgrm(const struct hdr *h, struct buf *b)
{
    uint64_t seen = 0;
    double next = 0, mean = h->n ? h->sum / (double)h->n : 0, squares = 0;
    txt_putf(b, "%12s %14s %10s %14s\n\n", "Value", "Percentile",
             "TotalCount", "1/(1-Percentile)");
    for (uint32_t i = 0; h->n && i < HDR_COUNTS; i++) {
        if (!h->count[i])
            continue;
        seen += h->count[i];
        double share = (double)seen / (double)h->n;
        double value = (double)hdr_value(i);
        squares += (value - mean) * (value - mean) * (double)h->count[i];
        if (share < next)
            continue;
        if (seen < h->n)
            txt_putf(b, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", value / 1e6,
                     share, seen, 1 / (1 - share));
        else
            txt_putf(b, "%12.3f %2.12f %10" PRIu64 "\n", value / 1e6, 1.0,
                     seen);
        while (next <= share && next < 1) {
            double half = ceil(log2(1 / (1 - next)) + 1e-9);
            next += 1 / (exp2(half < 1 ? 1 : half) * 5);
            if (1 - next < 1e-12)
                next = 1;
        }
    }
    txt_putf(b, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
             "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n"
             "#[Buckets = %12d, SubBuckets     = %12d]\n", mean / 1e6,
             h->n ? sqrt(squares / (double)h->n) / 1e6 : 0,
             (double)h->max / 1e6, h->n, HDR_BUCKETS, 2 * HDR_HALF);
}

/* ================================== 9 ELF ===================================
 * for     address -> mapping, function, line and inlined calls, from
 *         /proc/self/maps, the symbol tables of the files mapped there, and
 *         addr2line
 * uses    MEM, TXT, SYS
 * owns    struct elf: the mapped files and everything found in them
 * spec    [ELF] System V gABI; proc(5); vdso(7); addr2line(1), objcopy(1) for
 *         .gnu_debuglink
 * prefix  elf_
 * runs    any thread, after sampling; never in a signal handler
 *
 *   file offset = pc - mapping.start + mapping.offset
 *   symbol value = file offset - p_offset + p_vaddr   of its PT_LOAD segment
 *
 * Names come from .symtab, .dynsym, and the separate debug file: the one that
 * the build id names (/usr/lib/debug/.build-id/ab/cdef.debug), with that build
 * id in it, or else the one that .gnu_debuglink names (in the file's directory,
 * in .debug there, or below /usr/lib/debug), with that CRC:
 *
 *   .gnu_debuglink   61 2e 64 62 67 00  00 00   d2 02 96 49
 *                    "a.dbg" NUL        pad 4   CRC-32, in the file's order
 *
 * Lines come from addr2line, which reads what we do not: one process for each
 * file that has .debug_line, all its addresses at once.  It says for each
 *
 *   0x0000000000001149       the address that was asked
 *   mem_grow                 the innermost function, inlined
 *   /src/a.c:186             where; ?? or 0 is not known
 *   mem_put                  the one that it was inlined into
 *   /src/a.c:230 (discriminator 2)
 *
 * Invariant  every offset and count in a file is checked against its size; a
 *            pc outside every symbol's size gets no name, not a neighbour's;
 *            addr2line is believed only where all of its answer has that form.
 * Does not   read 32-bit files or DWARF; fail where addr2line does: then lines
 *            are not known.
 */

struct elf_symbol {
    uint64_t start, limit;              /* values: as the file has them */
    uint64_t reach;                     /* greatest limit up to this row */
    const char *name;                   /* borrowed from the mapped file */
    uint8_t rank;                       /* lower is the better alias */
};

struct elf_load {                       /* a PT_LOAD segment */
    uint64_t offset, vaddr, filesz;
};

struct elf_image {                      /* a file's bytes */
    const uint8_t *p;                   /* borrowed from mmap, or the vDSO */
    size_t size;                        /* bytes */
    int  fd;                            /* the file, open, when mapped */
    bool mapped;                        /* munmap and close it */
};

struct elf_file {
    const char *path;                   /* owned by elf's arena */
    struct elf_image image, debug;      /* the file; its debug file */
    struct buf answer;                  /* addr2line's, cut into strings */
    struct elf_load *load;              /* owned; grows like all vectors */
    struct elf_symbol *symbol;          /* owned; sorted by start */
    size_t nload, load_cap, nsymbols, symbol_cap;
    char build_id[2 * ELF_BUILD_ID_BYTES + 1];  /* hexadecimal, or "" */
    bool tried;                         /* read already, with or without luck */
};

struct elf_map {
    uint64_t start, limit, offset;      /* addresses; bytes into the file */
    uint32_t file;                      /* row of elf.file */
};

struct elf {
    struct arena arena;                 /* owned: paths */
    struct elf_map  *map;               /* owned; executable ones, by start */
    struct elf_file *file;              /* owned; row 0 is the program */
    struct elf_call *call;              /* owned: of all spots */
    size_t nmaps, map_cap, nfiles, file_cap, ncalls, call_cap;
};

struct elf_call {                       /* a function and a place in it */
    const char *name;                   /* borrowed from elf; NULL: not known */
    const char *file;                   /* the same; NULL where line is 0 */
    int64_t line;                       /* 0: not known */
};

struct elf_spot {                       /* an address, and what is there */
    uint64_t pc;                        /* of the process; the caller's */
    const struct elf_map *map;          /* borrowed from elf, or NULL */
    const char *name;                   /* the symbol's, as elf_find_name */
    uint64_t value;                     /* where name: pc as its file has it */
    size_t   call, ncalls;              /* in elf.call, innermost first */
};

/* Where distributions keep debug files; tests have their own. */
static const char *elf_debug_root = "/usr/lib/debug";

/* n bytes at offset of the image, or NULL when they are not all there. */
static const void *elf_view(const struct elf_image *m, uint64_t offset,
                            uint64_t n)
{
    return offset <= m->size && n <= m->size - offset ? m->p + offset : NULL;
}

/* The image's header when it is one that we read, or NULL. */
static const Elf64_Ehdr *elf_header(const struct elf_image *m)
{
    const Elf64_Ehdr *h = elf_view(m, 0, sizeof *h);
    static const uint16_t one = 1;
    uint8_t order = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    bool ok = h && !memcmp(h->e_ident, ELFMAG, SELFMAG) &&
              h->e_ident[EI_CLASS] == ELFCLASS64 &&
              h->e_ident[EI_DATA] == order &&
              h->e_phentsize == sizeof(Elf64_Phdr) &&
              h->e_phoff % 8 == 0 && h->e_shoff % 8 == 0;
    return ok ? h : NULL;
}

/* Map the file at path; an image of size 0 when that fails. */
static struct elf_image elf_open(const char *path)
{
    struct elf_image m = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return m;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
                       0);
        if (p != MAP_FAILED)
            m = (struct elf_image){ p, (size_t)st.st_size, fd, true };
    }
    if (!m.mapped)
        close(fd);
    return m;
}

/* Undo elf_open. */
static void elf_close(struct elf_image *m)
{
    if (m->mapped) {
        munmap((void *)(uintptr_t)m->p, m->size);
        close(m->fd);
    }
    *m = (struct elf_image){0};
}

/* Write the build id among the notes in the n bytes at p, hexadecimal, to
 * id[2 * ELF_BUILD_ID_BYTES + 1]; without one id stays as it is. */
static void elf_read_note(char *id, const uint8_t *p, uint64_t n)
{
    static const char hex[] = "0123456789abcdef";
    while (n >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr h;
        memcpy(&h, p, sizeof h);
        uint64_t name = ((uint64_t)h.n_namesz + 3) & ~(uint64_t)3;
        uint64_t desc = ((uint64_t)h.n_descsz + 3) & ~(uint64_t)3;
        if (name + desc > n - sizeof h)
            return;
        const uint8_t *bytes = p + sizeof h + name;
        if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
            !memcmp(p + sizeof h, "GNU", 4) &&
            h.n_descsz <= ELF_BUILD_ID_BYTES) {
            for (uint32_t i = 0; i < h.n_descsz; i++) {
                id[2 * i] = hex[bytes[i] >> 4];
                id[2 * i + 1] = hex[bytes[i] & 15];
            }
            id[2 * h.n_descsz] = 0;
            return;
        }
        p += sizeof h + name + desc;
        n -= sizeof h + name + desc;
    }
}

/* Read the segments of f's image: where code lies, and the build id. */
static int elf_read_segments(struct elf_file *f)
{
    const Elf64_Ehdr *h = elf_header(&f->image);
    const Elf64_Phdr *ph = h ? elf_view(&f->image, h->e_phoff,
                                        h->e_phnum * sizeof *ph) : NULL;
    for (int i = 0; ph && i < h->e_phnum; i++) {
        const uint8_t *p = elf_view(&f->image, ph[i].p_offset, ph[i].p_filesz);
        if (ph[i].p_type == PT_NOTE && p)
            elf_read_note(f->build_id, p, ph[i].p_filesz);
        if (ph[i].p_type != PT_LOAD)
            continue;
        struct elf_load *l = mem_grow(f->load, &f->load_cap, f->nload + 1,
                                      sizeof *l);
        if (!l)
            return GP_ENOMEM;
        f->load = l;
        l[f->nload++] = (struct elf_load){ ph[i].p_offset, ph[i].p_vaddr,
                                           ph[i].p_filesz };
    }
    return GP_OK;
}

/* How good a name is among aliases of one address: the fewer leading
 * underscores the better (send before __send), then global before weak before
 * local. */
static uint8_t elf_rank(uint8_t binding, const char *name)
{
    uint8_t under = 0;
    while (under < 15 && name[under] == '_')
        under++;
    return (uint8_t)(under * 4 + (binding == STB_GLOBAL ? 0 :
                                  binding == STB_WEAK ? 1 : 2));
}

/* Add the functions of one symbol table, section s of image m, to f. */
static int elf_read_table(struct elf_file *f, const struct elf_image *m,
                          const Elf64_Shdr *s, const Elf64_Shdr *names)
{
    const Elf64_Sym *sym = elf_view(m, s->sh_offset, s->sh_size);
    const char *text = elf_view(m, names->sh_offset, names->sh_size);
    if (!sym || !text || !names->sh_size || s->sh_offset % 8 ||
        text[names->sh_size - 1])
        return GP_OK;
    for (uint64_t i = 0; i < s->sh_size / sizeof *sym; i++) {
        int type = ELF64_ST_TYPE(sym[i].st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
            sym[i].st_shndx == SHN_UNDEF || sym[i].st_size == 0 ||
            sym[i].st_name >= names->sh_size || !text[sym[i].st_name] ||
            sym[i].st_size > UINT64_MAX - sym[i].st_value)
            continue;
        struct elf_symbol *p = mem_grow(f->symbol, &f->symbol_cap,
                                        f->nsymbols + 1, sizeof *p);
        if (!p)
            return GP_ENOMEM;
        f->symbol = p;
        p[f->nsymbols++] = (struct elf_symbol){
            .start = sym[i].st_value,
            .limit = sym[i].st_value + sym[i].st_size,
            .name = text + sym[i].st_name,
            .rank = elf_rank(ELF64_ST_BIND(sym[i].st_info),
                             text + sym[i].st_name),
        };
    }
    return GP_OK;
}

/* The section headers of image m, *n of them, or NULL and 0. */
static const Elf64_Shdr *elf_sections(const struct elf_image *m, uint16_t *n)
{
    const Elf64_Ehdr *h = elf_header(m);
    const Elf64_Shdr *sh = h && h->e_shentsize == sizeof *sh ?
        elf_view(m, h->e_shoff, h->e_shnum * sizeof *sh) : NULL;
    *n = sh ? h->e_shnum : 0;
    return sh;
}

/* The bytes of image m's section called name, *size of them, not 0; or NULL
 * where there is none or it has no bytes in the file. */
static const uint8_t *elf_section(const struct elf_image *m, const char *name,
                                  uint64_t *size)
{
    uint16_t n;
    const Elf64_Shdr *sh = elf_sections(m, &n);
    uint16_t at = n ? elf_header(m)->e_shstrndx : 0;
    const char *text = at < n ? elf_view(m, sh[at].sh_offset, sh[at].sh_size)
                              : NULL;
    if (!text || !sh[at].sh_size || text[sh[at].sh_size - 1])
        return NULL;
    for (uint16_t i = 0; i < n; i++)
        if (sh[i].sh_type != SHT_NOBITS && sh[i].sh_size &&
            sh[i].sh_name < sh[at].sh_size &&
            !strcmp(text + sh[i].sh_name, name)) {
            *size = sh[i].sh_size;
            return elf_view(m, sh[i].sh_offset, sh[i].sh_size);
        }
    return NULL;
}

/* Add the functions of all symbol tables of image m to f. */
static int elf_read_symbols(struct elf_file *f, const struct elf_image *m)
{
    uint16_t n;
    const Elf64_Shdr *sh = elf_sections(m, &n);
    for (uint16_t i = 0; i < n; i++)
        if ((sh[i].sh_type == SHT_SYMTAB || sh[i].sh_type == SHT_DYNSYM) &&
            sh[i].sh_link < n) {
            int e = elf_read_table(f, m, &sh[i], &sh[sh[i].sh_link]);
            if (e)
                return e;
        }
    return GP_OK;
}

/* Order symbols by start, then the best alias, then the name. */
static int elf_by_start(const void *a, const void *b)
{
    const struct elf_symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Open the debug file that f's build id names, and has itself. */
static struct elf_image elf_open_by_id(const struct elf_file *f)
{
    char path[PATH_MAX], id[sizeof f->build_id] = "";
    uint64_t size;
    if (strlen(f->build_id) <= 2)
        return (struct elf_image){0};
    snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", elf_debug_root,
             f->build_id, f->build_id + 2);
    struct elf_image m = elf_open(path);
    const uint8_t *note = elf_section(&m, ".note.gnu.build-id", &size);
    if (note)
        elf_read_note(id, note, size);
    if (strcmp(id, f->build_id))
        elf_close(&m);
    return m;
}

/* The CRC-32 of all of image m. */
static uint32_t elf_crc(const struct elf_image *m)
{
    uLong crc = crc32(0, NULL, 0);
    for (size_t at = 0, n; at < m->size; at += n) {
        n = m->size - at < 1 << 30 ? m->size - at : 1 << 30;
        crc = crc32(crc, m->p + at, (uInt)n);
    }
    return (uint32_t)crc;
}

/* Open the debug file that f's .gnu_debuglink names, with the CRC that stands
 * there; the first of the three places that has it. */
static struct elf_image elf_open_by_link(const struct elf_file *f)
{
    char path[PATH_MAX];
    uint64_t size;
    uint32_t crc;
    const uint8_t *p = elf_section(&f->image, ".gnu_debuglink", &size);
    const char *name = (const char *)p, *slash = strrchr(f->path, '/');
    const uint8_t *end = p ? memchr(p, 0, size) : NULL;
    uint64_t at = end ? ((uint64_t)(end - p) + 4) & ~(uint64_t)3 : 0;
    if (!at || at > size || size - at < sizeof crc || end == p ||
        strchr(name, '/') || *f->path != '/')
        return (struct elf_image){0};
    memcpy(&crc, p + at, sizeof crc);
    int dir = (int)(slash - f->path);
    for (int i = 0; i < 3; i++) {
        int n = snprintf(path, sizeof path, "%s%.*s/%s%s",
                         i == 2 ? elf_debug_root : "", dir, f->path,
                         i == 1 ? ".debug/" : "", name);
        struct elf_image m = {0};
        if (n > 0 && (size_t)n < sizeof path)
            m = elf_open(path);
        if (m.p && elf_crc(&m) == crc)
            return m;
        elf_close(&m);
    }
    return (struct elf_image){0};
}

/* Read f's tables, once; whatever is missing leaves its symbols unnamed. */
static int elf_load(struct elf_file *f)
{
    if (f->tried)
        return GP_OK;
    f->tried = true;
    if (!f->image.p)
        f->image = elf_open(f->path);
    int e = elf_read_segments(f);
    if (!e)
        e = elf_read_symbols(f, &f->image);
    f->debug = elf_open_by_id(f);
    if (!f->debug.p)
        f->debug = elf_open_by_link(f);
    if (!e)
        e = elf_read_symbols(f, &f->debug);
    if (f->nsymbols)
        qsort(f->symbol, f->nsymbols, sizeof *f->symbol, elf_by_start);
    uint64_t reach = 0;
    for (size_t i = 0; i < f->nsymbols; i++) {
        reach = f->symbol[i].limit > reach ? f->symbol[i].limit : reach;
        f->symbol[i].reach = reach;
    }
    return e;
}

/* Row of the file at path, entered if new, or MEM_NONE. */
static uint32_t elf_file_row(struct elf *m, const char *path)
{
    for (size_t i = 0; i < m->nfiles; i++)
        if (!strcmp(m->file[i].path, path))
            return (uint32_t)i;
    char *copy = mem_arena_dup(&m->arena, path, strlen(path));
    struct elf_file *f = copy ? mem_grow(m->file, &m->file_cap, m->nfiles + 1,
                                         sizeof *f) : NULL;
    if (!f)
        return MEM_NONE;
    m->file = f;
    f[m->nfiles] = (struct elf_file){ .path = copy };
    return (uint32_t)m->nfiles++;
}

/* Enter one line of /proc/self/maps when it is code from a file or the vDSO:
 * "start-limit perms offset device inode   path". */
static int elf_read_map(struct elf *m, char *line)
{
    struct elf_map k = {0};
    char perms[8];
    int path = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n",
               &k.start, &k.limit, perms, &k.offset, &path) != 4 ||
        !path || perms[2] != 'x' || k.limit <= k.start)
        return GP_OK;
    const char *name = line + path;
    bool vdso = !strcmp(name, "[vdso]");
    if (*name != '/' && !vdso)
        return GP_OK;
    k.file = elf_file_row(m, name);
    struct elf_map *p = mem_grow(m->map, &m->map_cap, m->nmaps + 1, sizeof *p);
    if (!p || k.file == MEM_NONE)
        return GP_ENOMEM;
    m->map = p;
    p[m->nmaps++] = k;
    if (vdso)                           /* its file is the mapping itself */
        m->file[k.file].image = (struct elf_image){
            (const uint8_t *)(uintptr_t)k.start, k.limit - k.start, -1,
            false };
    return GP_OK;
}

/* Release m and the files it maps. */
static void elf_fini(struct elf *m)
{
    for (size_t i = 0; i < m->nfiles; i++) {
        elf_close(&m->file[i].image);
        elf_close(&m->file[i].debug);
        mem_fini(&m->file[i].answer);
        mem_free(m->file[i].load);
        mem_free(m->file[i].symbol);
    }
    mem_free(m->call);
    mem_free(m->map);
    mem_free(m->file);
    mem_arena_fini(&m->arena);
    *m = (struct elf){0};
}

/* Read this process's mappings into m. */
static int elf_init(struct elf *m, struct gp_why *why)
{
    char line[PATH_MAX + 128], program[PATH_MAX];
    int e = GP_OK;
    *m = (struct elf){0};
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n < 0 ? 0 : n] = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    if (!f)
        return txt_fail(why, GP_EIO, "/proc/self/maps: %s", strerror(errno));
    if (elf_file_row(m, program) == MEM_NONE)
        e = GP_ENOMEM;
    else        /* a program replaced since it started is still open there */
        m->file[0].image = elf_open("/proc/self/exe");
    while (!e && fgets(line, sizeof line, f))
        e = elf_read_map(m, line);
    fclose(f);
    if (e) {
        txt_fail(why, e, "out of memory while reading /proc/self/maps");
        elf_fini(m);
    }
    return e;
}

/* The mapping that holds pc, borrowed from m, or NULL. */
static const struct elf_map *elf_find_map(const struct elf *m, uint64_t pc)
{
    size_t lo = 0, hi = m->nmaps;
    while (lo < hi) {                   /* first mapping that starts past pc */
        size_t mid = lo + (hi - lo) / 2;
        if (m->map[mid].start <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && pc < m->map[lo - 1].limit ? &m->map[lo - 1] : NULL;
}

/* The value in its file of pc, which lies in map k, into *v; false when that
 * is outside what the file has.  Reads the file's tables at its first use. */
static bool elf_value(struct elf *m, const struct elf_map *k, uint64_t pc,
                      uint64_t *v)
{
    struct elf_file *f = &m->file[k->file];
    uint64_t offset = pc - k->start + k->offset;
    if (elf_load(f))
        return false;
    for (size_t i = 0; i < f->nload; i++)
        if (offset >= f->load[i].offset &&
            offset - f->load[i].offset < f->load[i].filesz) {
            *v = offset - f->load[i].offset + f->load[i].vaddr;
            return true;
        }
    return false;
}

/* Name of the function that holds pc, which lies in map k, or NULL.  Borrowed
 * from m.  Reads the file's tables at its first use. */
static const char *elf_find_name(struct elf *m, const struct elf_map *k,
                                 uint64_t pc)
{
    struct elf_file *f = &m->file[k->file];
    uint64_t v = 0;
    size_t lo = 0, hi = elf_value(m, k, pc, &v) ? f->nsymbols : 0;
    while (lo < hi) {                   /* first symbol that starts past v */
        size_t mid = lo + (hi - lo) / 2;
        if (f->symbol[mid].start <= v)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct elf_symbol *best = NULL;
    while (lo-- && f->symbol[lo].reach > v)
        if (f->symbol[lo].limit > v &&
            (!best || f->symbol[lo].start == best->start))
            best = &f->symbol[lo];
        else if (best)
            break;
    return best ? best->name : NULL;
}

/* The image that addr2line is to read for f: the file or its debug file, the
 * first that has lines; NULL: none does. */
static const struct elf_image *elf_lined(const struct elf_file *f)
{
    const struct elf_image *m[2] = { &f->image, &f->debug };
    uint64_t size;
    for (int i = 0; i < 2; i++)
        if (m[i]->mapped && (elf_section(m[i], ".debug_line", &size) ||
                             elf_section(m[i], ".zdebug_line", &size)))
            return m[i];
    return NULL;
}

/* The next line of b, from *at on, as a string in it; *at moves past it.  NULL
 * at the end, and for what is not UTF-8, which a profile cannot hold. */
static char *elf_next_line(struct buf *b, size_t *at)
{
    uint8_t *p = b->data + *at;
    size_t left = b->len - *at;
    uint8_t *end = left ? memchr(p, '\n', left) : NULL;
    if (!end)
        return NULL;
    *end = 0;
    *at += (size_t)(end - p) + 1;
    for (size_t i = 0, n; p + i < end; i += n)
        if (!(n = txt_utf8((char *)p + i, (size_t)(end - p) - i)) || !p[i])
            return NULL;
    return (char *)p;
}

/* Add the call of function name at where, two lines of addr2line; where is
 * written on. */
static int elf_add_call(struct elf *m, char *name, char *where)
{
    struct elf_call *c = mem_grow(m->call, &m->call_cap, m->ncalls + 1,
                                  sizeof *c);
    uint64_t line;
    if (!c)
        return GP_ENOMEM;
    m->call = c;
    c += m->ncalls++;
    *c = (struct elf_call){ .name = strcmp(name, "??") ? name : NULL };
    char *mark = strstr(where, " (discriminator ");
    if (mark)
        *mark = 0;
    char *colon = strrchr(where, ':');
    if (!colon)
        return GP_EFORMAT;
    *colon = 0;
    if (*where && strcmp(where, "??") &&
        !txt_number(colon + 1, 1, INT32_MAX, &line)) {
        c->file = where;
        c->line = (int64_t)line;
    }
    return GP_OK;
}

/* Read addr2line's answer on those of the n spots that lie in file and have a
 * name, in that order.  After a failure nothing is believed. */
static int elf_read_answer(struct elf *m, uint32_t file, struct elf_spot *spot,
                           size_t n)
{
    struct buf *b = &m->file[file].answer;
    size_t at = 0;
    char *line = elf_next_line(b, &at), *end, *where;
    for (struct elf_spot *s = spot; s < spot + n; s++) {
        if (!s->name || s->map->file != file)
            continue;
        if (!line || strncmp(line, "0x", 2) ||
            strtoull(line, &end, 16) != s->value || *end)
            return GP_EFORMAT;
        s->call = m->ncalls;
        while ((line = elf_next_line(b, &at)) && strncmp(line, "0x", 2)) {
            if (!(where = elf_next_line(b, &at)) ||
                elf_add_call(m, line, where))
                return GP_EFORMAT;
            s->ncalls++;
        }
    }
    return !line && at == b->len ? GP_OK : GP_EFORMAT;
}

/* Ask addr2line, until deadline_ns, for the calls at those of the n spots that
 * lie in file and have a name. */
static void elf_ask(struct elf *m, uint32_t file, struct elf_spot *spot,
                    size_t n, int64_t deadline_ns)
{
    static const char *const words[] = { "addr2line", "-a", "-i", "-f", "-e",
                                         "/proc/self/fd/3", NULL };
    char *argv[sizeof words / sizeof *words];
    struct elf_file *f = &m->file[file];
    struct buf in = {0};
    const struct elf_image *from = elf_lined(f);
    for (size_t i = 0; from && i < n; i++)
        if (spot[i].name && spot[i].map->file == file)
            txt_putf(&in, "0x%" PRIx64 "\n", spot[i].value);
    memcpy(argv, words, sizeof argv);
    bool asked = in.len && !in.err && sys_now_ns() < deadline_ns;
    bool answered = asked && !sys_run(argv, from->fd, in.data, in.len,
                                      ELF_ANSWER_BYTES, deadline_ns,
                                      &f->answer, NULL) &&
                    !elf_read_answer(m, file, spot, n);
    for (size_t i = 0; asked && !answered && i < n; i++)
        if (spot[i].name && spot[i].map->file == file)
            spot[i].ncalls = 0;
    mem_fini(&in);
}

/* Fill in what is known of the pc of each of n spots: map, name, calls.  The
 * calls of all files take at most ELF_LINES_NS; what is not known then has
 * none.  Once for an elf. */
static void elf_find_all(struct elf *m, struct elf_spot *spot, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct elf_spot *s = &spot[i];
        *s = (struct elf_spot){ .pc = s->pc, .map = elf_find_map(m, s->pc) };
        if (s->map && elf_value(m, s->map, s->pc, &s->value))
            s->name = elf_find_name(m, s->map, s->pc);
    }
    int64_t deadline_ns = sys_now_ns() + ELF_LINES_NS;
    for (uint32_t i = 0; i < m->nfiles; i++)
        elf_ask(m, i, spot, n, deadline_ns);
}

/* ================================== 10 SMP ==================================
 * for     the sampler: clocks that send SIGPROF, a handler that stores one
 *         stack, a ring that hands it over
 * uses    MEM, TXT, SYS
 * owns    the SIGPROF handler, SIGTRAP's where nobody else has it, the timers
 *         and the ring, all for the life of the process: a late signal never
 *         finds them gone
 * spec    setitimer(2), timer_create(2), perf_event_open(2),
 *         signal-safety(7), backtrace(3)
 * prefix  smp_
 * runs    the _sig functions in a signal handler on any thread; smp_drain on
 *         one thread at a time; the rest anywhere but in a handler
 *
 * The handler may: read clocks, ask for its thread id, call backtrace() (which
 * smp_start has warmed, so that it loads and allocates nothing more; glibc 2.35
 * and libgcc 12 find unwind tables without a lock), write to the slot that it
 * claimed, and use atomics.  Nothing else.
 *
 * The ring is a bounded queue of many producers and one consumer.  Slot i of N
 * has a turn: i at first; a producer that owns ticket t may fill slot t % N
 * when its turn is t, and sets it to t + 1; the consumer takes it at t + 1 and
 * sets it to t + N.  So nobody waits: a full ring costs the sample, counted.
 *
 *   itimer  one timer for the process, on its CPU time; at kernel ticks
 *   thread  a timer for each thread, on its CPU time; at kernel ticks
 *   perf    a counter for each thread, on its CPU time; exact; by SIGTRAP
 *           where that can be had
 *   wall    a timer for each thread, on real time: threads that wait too
 *
 * Invariant  taken + lost == signals accepted.
 * Does not   see threads that block SIGPROF.
 */

struct smp_slot {
    _Atomic uint64_t turn;              /* who may use the slot, see above */
    int64_t  cpu_ns;                    /* CPU time of the thread so far */
    uint32_t tid;                       /* kernel's thread id */
    uint16_t depth;                     /* frames in pc, 1..SMP_DEPTH */
    uint16_t label;                     /* smp_label of the thread */
    bool     truncated, failed;         /* deeper than pc; only pc[0] known */
    bool     waiting;                   /* in a system call, cut short */
    int64_t  wall_ns;                   /* monotonic time */
    void    *pc[SMP_DEPTH + SMP_OWN];   /* leaf first; SMP_OWN: handler's */
};

static struct {
    struct smp_slot *slot;              /* never freed; NULL before a start */
    uint64_t count;                     /* slots, a power of 2 */
    _Atomic uint64_t head;              /* next ticket */
    uint64_t tail;                      /* next to take; the consumer's */
    _Atomic uint64_t lost;              /* signals that found it full */
    bool     blind;                     /* backtrace() has no libgcc_s */
    bool     trap;                      /* perf's samples come by SIGTRAP */
    atomic_bool on;                     /* the handler stores samples */
    atomic_bool wall;                   /* and whether their threads wait */
} smp_ring;

/* What the thread works on, an id from smp_label_id; 0: nothing.  Initial-exec
 * so that no access can allocate. */
static _Thread_local volatile uint16_t smp_label
    __attribute__((tls_model("initial-exec")));

static struct {
    pthread_mutex_t lock;               /* guards text and n */
    char text[SMP_LABELS][SMP_LABEL_BYTES]; /* row 0 is "" */
    uint16_t n;                         /* rows used beside row 0 */
} smp_labels = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Id of the label text, entered if new; 0 when the table is full or the text
 * does not fit. */
static uint16_t smp_label_id(const char *text)
{
    uint16_t id = 0;
    pthread_mutex_lock(&smp_labels.lock);
    for (uint16_t i = 1; i <= smp_labels.n && !id; i++)
        if (!strcmp(smp_labels.text[i], text))
            id = i;
    if (!id && *text && smp_labels.n + 1 < SMP_LABELS &&
        strlen(text) < SMP_LABEL_BYTES) {
        id = ++smp_labels.n;
        snprintf(smp_labels.text[id], SMP_LABEL_BYTES, "%s", text);
    }
    pthread_mutex_unlock(&smp_labels.lock);
    return id;
}

/* Text of label id; "" for 0.  Lives as long as the process. */
static const char *smp_label_text(uint16_t id)
{
    return smp_labels.text[id];
}

/* Claim the next free slot, or NULL after counting a lost sample. */
static struct smp_slot *smp_claim_sig(uint64_t *ticket)
{
    uint64_t t = atomic_load_explicit(&smp_ring.head, memory_order_relaxed);
    for (;;) {
        struct smp_slot *s = &smp_ring.slot[t & (smp_ring.count - 1)];
        uint64_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        if (turn == t) {
            if (atomic_compare_exchange_weak(&smp_ring.head, &t, t + 1)) {
                *ticket = t;
                return s;
            }
        } else if (turn < t) {
            atomic_fetch_add_explicit(&smp_ring.lost, 1, memory_order_relaxed);
            return NULL;
        } else {
            t = atomic_load_explicit(&smp_ring.head, memory_order_relaxed);
        }
    }
}

/* Clock id's time in ns. */
static int64_t smp_clock_sig(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The address that the signal interrupted. */
static void *smp_context_pc_sig(const ucontext_t *u)
{
#if defined __x86_64__
    return (void *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return (void *)(uintptr_t)u->uc_mcontext.pc;
#else
#error "grpcprof runs on x86-64 and arm64"
#endif
}

/* Store the interrupted stack in s, without the handler's own frames. */
static void smp_unwind_sig(struct smp_slot *s, const ucontext_t *u)
{
    void *pc = smp_context_pc_sig(u);
    int most = SMP_DEPTH + SMP_OWN;
    int n = backtrace(s->pc, most), own = 0;
    while (own < n && own < SMP_OWN && s->pc[own] != pc)
        own++;
    s->failed = own == n || s->pc[own] != pc;
    s->truncated = !s->failed && n == most;
    if (s->failed) {
        s->pc[0] = pc;
        s->depth = 1;
        return;
    }
    n -= own;
    n = n < SMP_DEPTH ? n : SMP_DEPTH;
    memmove(s->pc, s->pc + own, (size_t)n * sizeof s->pc[0]);
    while (n > 1 && !s->pc[n - 1])      /* some unwinders end with a zero */
        n--;
    s->depth = (uint16_t)n;
}

/* Whether the signal found its thread waiting: the kernel has cut a system
 * call short (it returns EINTR just behind the instruction), or will make it
 * again (it stands on the instruction). */
static bool smp_waiting_sig(const ucontext_t *u)
{
    const uint8_t *pc = smp_context_pc_sig(u);
#if defined __x86_64__
    static const uint8_t call[2] = { 0x0f, 0x05 };          /* syscall */
    int64_t result = u->uc_mcontext.gregs[REG_RAX];
#else
    static const uint8_t call[4] = { 0x01, 0x00, 0x00, 0xd4 };  /* svc #0 */
    int64_t result = (int64_t)u->uc_mcontext.regs[0];
#endif
    return (result == -EINTR && !memcmp(pc - sizeof call, call, sizeof call)) ||
           !memcmp(pc, call, sizeof call);
}

/* SIGPROF: store one sample.  A signal that kill() or another process sent is
 * not a timer's and says nothing. */
static void smp_signal_sig(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    bool timer = info->si_code > 0 || info->si_code == SI_TIMER;
    uint64_t ticket;
    struct smp_slot *s;
    (void)signo;
    if (timer && atomic_load(&smp_ring.on) && (s = smp_claim_sig(&ticket))) {
        s->cpu_ns = smp_clock_sig(CLOCK_THREAD_CPUTIME_ID);
        s->wall_ns = smp_clock_sig(CLOCK_MONOTONIC);
        s->tid = (uint32_t)syscall(SYS_gettid);
        s->label = smp_label;
        s->waiting = atomic_load_explicit(&smp_ring.wall,
                                          memory_order_relaxed) &&
                     smp_waiting_sig(context);
        smp_unwind_sig(s, context);
        atomic_store_explicit(&s->turn, ticket + 1, memory_order_release);
    }
    errno = saved;
}

/* How the kernel says that a perf counter sent a SIGTRAP. */
#ifndef TRAP_PERF
#define TRAP_PERF 6
#endif

/* SIGTRAP: a sample, where a counter of ours sent it; a breakpoint's or another
 * program's ends the process, as it does where nobody handles it. */
static void smp_trap_sig(int signo, siginfo_t *info, void *context)
{
    if (info->si_code == TRAP_PERF) {
        smp_signal_sig(signo, info, context);
        return;
    }
    signal(signo, SIG_DFL);
    raise(signo);                       /* comes when this returns */
}

/* Hand every stored sample to fn, oldest of a thread first, and free its slot.
 * One thread at a time.  Returns how many. */
static uint64_t smp_drain(void (*fn)(const struct smp_slot *, void *),
                          void *user)
{
    uint64_t begin = smp_ring.tail;
    for (;; smp_ring.tail++) {
        struct smp_slot *s =
            &smp_ring.slot[smp_ring.tail & (smp_ring.count - 1)];
        if (atomic_load_explicit(&s->turn, memory_order_acquire) !=
            smp_ring.tail + 1)
            return smp_ring.tail - begin;
        fn(s, user);
        atomic_store_explicit(&s->turn, smp_ring.tail + smp_ring.count,
                              memory_order_release);
    }
}

/* Ticks a second of the kernel, at which ITIMER_PROF is looked at. */
static unsigned smp_tick_hz(void)
{
    struct timespec t;
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &t) || t.tv_nsec <= 0)
        return 100;
    return (unsigned)(1000000000 / t.tv_nsec);
}

struct smp_timer {                      /* a thread's, of an engine */
    int     fd;                         /* perf's counter, owned */
    timer_t id;                         /* of timer_create, owned */
    bool    armed;
};

/* The clock of thread tid's CPU time, as pthread_getcpuclockid makes it. */
static clockid_t smp_thread_clock(uint32_t tid)
{
    return (clockid_t)(~tid << 3 | 6);
}

/* Set t's period to hz, 1 or more. */
static struct timespec smp_period(unsigned hz)
{
    return (struct timespec){ hz == 1, hz == 1 ? 0 : 1000000000 / hz };
}

/* itimer: arm or, with hz 0, disarm the process's CPU timer. */
static int smp_itimer_set(unsigned hz, struct gp_why *why)
{
    struct itimerval t = {0};
    if (hz == 1)
        t.it_interval.tv_sec = 1;
    else if (hz)
        t.it_interval.tv_usec = (suseconds_t)(1000000 / hz);
    t.it_value = t.it_interval;
    if (setitimer(ITIMER_PROF, &t, NULL))
        return txt_fail(why, GP_EIO, "setitimer: %s", strerror(errno));
    return GP_OK;
}

/* thread and wall: a timer that signals thread tid at hz of clock.  The first
 * time comes after a random part of the period, so that threads are not in
 * step and short-lived ones have their chance. */
static int smp_timer_arm(struct smp_timer *t, uint32_t tid, clockid_t clock,
                         unsigned hz)
{
    struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID,
                          .sigev_signo = SIGPROF };
    struct itimerspec when = { .it_interval = smp_period(hz) };
    uint32_t dice = 0;
    e._sigev_un._tid = (pid_t)tid;
    if (timer_create(clock, &e, &t->id))
        return GP_EIO;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) < 0)
        dice = tid * 2654435761u;
    when.it_value.tv_nsec = 1 + dice % (1000000000 / hz - 1);
    if (timer_settime(t->id, 0, &when, NULL)) {
        timer_delete(t->id);
        return GP_EIO;
    }
    return GP_OK;
}

/* thread: a timer on thread tid's CPU time. */
static int smp_thread_arm(struct smp_timer *t, uint32_t tid, unsigned hz)
{
    return smp_timer_arm(t, tid, smp_thread_clock(tid), hz);
}

/* wall: a timer on real time. */
static int smp_wall_arm(struct smp_timer *t, uint32_t tid, unsigned hz)
{
    return smp_timer_arm(t, tid, CLOCK_MONOTONIC, hz);
}

/* thread and wall: undo the arming. */
static void smp_timer_disarm(struct smp_timer *t)
{
    timer_delete(t->id);
}

/* Open a counter of thread tid's CPU time, kernel's included, that overflows
 * at hz; with trap each overflow is a SIGTRAP of that thread (Linux 5.13).  -1
 * with errno. */
static int smp_perf_open(uint32_t tid, unsigned hz, bool trap)
{
    struct perf_event_attr a = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof a,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = 1000000000u / hz, .disabled = 1, .exclude_hv = 1,
        .wakeup_events = 1,
    };
#ifdef PERF_ATTR_SIZE_VER7
    a.sigtrap = a.remove_on_exec = trap;
#else
    if (trap) {
        errno = EINVAL;
        return -1;
    }
#endif
    return (int)syscall(SYS_perf_event_open, &a, (pid_t)tid, -1, -1,
                        PERF_FLAG_FD_CLOEXEC);
}

/* Whether perf may signal by SIGTRAP, which the kernel hands over on its way
 * back to the program: 21 us a sample where SIGPROF, which takes an interrupt
 * of its own, costs 31.  Not where somebody else has SIGTRAP, a debugger or
 * a handler; not under TSan, which takes it for a fault.  Installs ours. */
static bool smp_trap_have(void)
{
#ifndef __SANITIZE_THREAD__
    struct sigaction old, act = { .sa_sigaction = smp_trap_sig,
                                  .sa_flags = SA_SIGINFO | SA_RESTART };
    char line[128];
    unsigned tracer = 0;
    sigfillset(&act.sa_mask);
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "TracerPid: %u", &tracer) == 1)
            break;
    if (f)
        fclose(f);
    if (tracer || sigaction(SIGTRAP, NULL, &old))
        return false;
    if ((old.sa_flags & SA_SIGINFO) && old.sa_sigaction == smp_trap_sig)
        return true;
    return !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL &&
           !sigaction(SIGTRAP, &act, NULL);
#else
    return false;
#endif
}

/* perf: a counter of thread tid's CPU time that signals it at each overflow. */
static int smp_perf_arm(struct smp_timer *t, uint32_t tid, unsigned hz)
{
    struct f_owner_ex owner = { F_OWNER_TID, (pid_t)tid };
    bool trap = smp_ring.trap;
    t->fd = smp_perf_open(tid, hz, trap);
    if (t->fd < 0 && trap && (errno == EINVAL || errno == E2BIG))
        t->fd = smp_perf_open(tid, hz, trap = false);   /* before Linux 5.13 */
    if (t->fd < 0)
        return GP_EIO;
    if (trap && !ioctl(t->fd, PERF_EVENT_IOC_ENABLE, 0))
        return GP_OK;
    if (fcntl(t->fd, F_SETFL, O_ASYNC | O_NONBLOCK) ||
        fcntl(t->fd, F_SETSIG, SIGPROF) ||
        fcntl(t->fd, F_SETOWN_EX, &owner) ||
        ioctl(t->fd, PERF_EVENT_IOC_REFRESH, INT_MAX)) {
        close(t->fd);
        return GP_EIO;
    }
    return GP_OK;
}

/* perf: undo the arming. */
static void smp_perf_disarm(struct smp_timer *t)
{
    close(t->fd);
}

struct smp_engine {
    const char *name;
    bool ticks;                         /* driven by the kernel's tick */
    bool wall;                          /* of real time, not CPU time */
    int (*set)(unsigned hz, struct gp_why *why);    /* process; 0: off */
    int (*arm)(struct smp_timer *t, uint32_t tid, unsigned hz); /* thread */
    void (*disarm)(struct smp_timer *t);
};

static const struct smp_engine smp_itimer = {
    "itimer", true, false, smp_itimer_set, NULL, NULL };
static const struct smp_engine smp_thread = {
    "thread", true, false, NULL, smp_thread_arm, smp_timer_disarm };
static const struct smp_engine smp_perf = {
    "perf", false, false, NULL, smp_perf_arm, smp_perf_disarm };
static const struct smp_engine smp_wall = {
    "wall", false, true, NULL, smp_wall_arm, smp_timer_disarm };

/* Samples a second of its clock that engine can deliver when asked for hz. */
static unsigned smp_expect(const struct smp_engine *engine, unsigned hz)
{
    unsigned tick = smp_tick_hz();
    return engine->ticks && tick < hz ? tick : hz;
}

/* Whether the kernel lets this process have engine, tried on this thread; if
 * not, errno says why. */
static bool smp_permitted(const struct smp_engine *engine)
{
    struct smp_timer t;
    if (!engine->arm)
        return true;
    if (engine->arm(&t, (uint32_t)syscall(SYS_gettid), 1))
        return false;
    engine->disarm(&t);
    return true;
}

/* Map the ring, prefaulted: room for SMP_RING_MS at the greatest rate on every
 * CPU. */
static int smp_ring_init(struct gp_why *why)
{
    uint64_t want = (uint64_t)sys_cpus() * SMP_MOST_HZ * SMP_RING_MS / 1000;
    uint64_t count = 256;
    while (count < want && count < SMP_MOST_SLOTS)
        count *= 2;
    void *p = mmap(NULL, count * sizeof *smp_ring.slot,
                   PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        return txt_fail(why, GP_ENOMEM, "no memory for the sampler's ring");
    smp_ring.slot = p;
    smp_ring.count = count;
    for (uint64_t i = 0; i < count; i++)
        atomic_init(&smp_ring.slot[i].turn, i);
    return GP_OK;
}

/* Start to sample at hz by engine.  The handler stays for good. */
static int smp_start(const struct smp_engine *engine, unsigned hz,
                     struct gp_why *why)
{
    void *warm[4];
    int e = GP_OK;
    if (!smp_ring.slot && (e = smp_ring_init(why)))
        return e;
    smp_ring.blind = backtrace(warm, 4) < 2;    /* loads libgcc_s: allocates */
    smp_ring.trap = engine == &smp_perf && smp_trap_have();
    struct sigaction act = { .sa_sigaction = smp_signal_sig,
                             .sa_flags = SA_SIGINFO | SA_RESTART };
    sigfillset(&act.sa_mask);
    if (sigaction(SIGPROF, &act, NULL))
        return txt_fail(why, GP_EIO, "sigaction: %s", strerror(errno));
    atomic_store(&smp_ring.wall, engine->wall);
    atomic_store(&smp_ring.on, true);
    if (engine->set && (e = engine->set(hz, why)))
        atomic_store(&smp_ring.on, false);
    return e;
}

/* CPU time in ns that this thread needs for n steps of nothing. */
static int64_t smp_spin(unsigned n)
{
    int64_t from = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < n; i++)
        __asm__ volatile("" : : "r"(i));
    return sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
}

/* Order two times. */
static int smp_by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* What a sample of engine costs in CPU time, in ns, timer and signal included:
 * the same work in turn with and without it, at the greatest rate, medians.
 * NAN for an engine of ticks, which fires too seldom to be measured so.  Takes
 * some 30 ms; the samples are in the ring afterwards. */
static double smp_calibrate(const struct smp_engine *engine)
{
    enum { ROUNDS = 15 };
    int64_t off[ROUNDS], on[ROUNDS];
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    uint64_t head = atomic_load(&smp_ring.head);
    struct smp_timer t;
    unsigned steps = 1000;
    if (engine->ticks)
        return NAN;
    while (smp_spin(steps) < 1000000 && steps < 1u << 30)
        steps *= 2;
    for (int i = 0; i < ROUNDS; i++) {
        off[i] = smp_spin(steps);
        if (engine->arm(&t, tid, SMP_MOST_HZ))
            return NAN;
        on[i] = smp_spin(steps);
        engine->disarm(&t);
    }
    double samples = (double)(atomic_load(&smp_ring.head) - head) / ROUNDS;
    qsort(off, ROUNDS, sizeof *off, smp_by_time);
    qsort(on, ROUNDS, sizeof *on, smp_by_time);
    double cost = (double)(on[ROUNDS / 2] - off[ROUNDS / 2]) / samples;
    return samples >= 1 && cost > 0 ? cost : NAN;
}

/* Stop engine, whose threads' timers are disarmed already; signals on their
 * way are ignored. */
static void smp_stop(const struct smp_engine *engine)
{
    if (engine->set)
        engine->set(0, NULL);
    atomic_store(&smp_ring.on, false);
}

/* False when stacks cannot be had: glibc loads libgcc_s.so.1 for backtrace(),
 * and there is none.  After smp_start. */
static bool smp_sees_stacks(void)
{
    return !smp_ring.blind;
}

/* Samples taken so far, in the life of the process. */
static uint64_t smp_taken(void)
{
    return atomic_load_explicit(&smp_ring.head, memory_order_relaxed);
}

/* Samples lost so far because the ring was full. */
static uint64_t smp_lost(void)
{
    return atomic_load_explicit(&smp_ring.lost, memory_order_relaxed);
}

/* ================================== 11 PP ===================================
 * for     profile.proto: read, check, build, write
 * uses    MEM, TXT, PB, GZ
 * owns    struct pp: everything in it lives until pp_fini
 * spec    [PP] google/pprof proto/profile.proto
 * prefix  pp_
 * runs    any thread; a struct pp has one user at a time
 *
 *   Profile  1 sample_type*  2 sample*  3 mapping*  4 location*  5 function*
 *            6 string*  9 time_nanos  10 duration_nanos  11 period_type
 *            12 period  13 comment*  14 default_sample_type
 *
 * A profile is columns: sample i has the locations stack[stack_at[i]] up to
 * stack[stack_at[i + 1]], leaf first, the values value[i * ntypes + t] and the
 * labels label[label_at[i]] up to label[label_at[i + 1]].  Ids become indexes
 * while reading, whatever their order in the file.
 *
 * Invariant  every index stored is in range or MEM_NONE; every slice points
 *            into raw, into arena, or to text that lives as long as p.
 * Does not   know what a profile means; columns, folded marks and links other
 *            than names are read as far as VIEW needs them.
 */

struct pp_type {                        /* "cpu" in "nanoseconds" */
    struct slice type, unit;
};

struct pp_mapping {
    uint64_t id, start, limit, offset;  /* addresses; bytes into the file */
    struct slice file, build_id;        /* build id in hexadecimal */
    bool has_functions, has_filenames, has_lines, has_inline;
};

struct pp_function {
    uint64_t id;
    struct slice name, system_name, file;
    int64_t start_line;                 /* 0: not known */
};

struct pp_line {
    uint32_t function;                  /* index, or MEM_NONE */
    int64_t  line;                      /* 0: not known */
};

struct pp_location {
    uint64_t id, address;
    uint32_t mapping;                   /* index, or MEM_NONE */
    uint32_t line, nlines;              /* into pp.line; innermost first */
};

struct pp_label {
    struct slice key, str, unit;        /* str.p NULL: a number */
    int64_t num;                        /* in unit, which may be empty */
};

struct pp {
    struct buf raw;                     /* owned: the inflated file */
    struct arena arena;                 /* owned: bytes that are not in raw */

    struct pp_type *type;               /* owned */
    size_t ntypes, type_cap;
    struct slice default_type;          /* may be empty */

    uint32_t *stack_at;                 /* owned, nsamples + 1 */
    uint32_t *label_at;                 /* owned, nsamples + 1 */
    int64_t  *value;                    /* owned, nsamples * ntypes */
    size_t nsamples, stack_at_cap, label_at_cap, value_cap;
    uint32_t *stack;                    /* owned: location indexes */
    size_t nstack, stack_cap;
    struct pp_label *label;             /* owned */
    size_t nlabels, label_cap;

    struct pp_mapping *mapping;         /* owned */
    size_t nmappings, mapping_cap;
    struct pp_location *location;       /* owned */
    size_t nlocations, location_cap;
    struct pp_line *line;               /* owned */
    size_t nlines, line_cap;
    struct pp_function *function;       /* owned */
    size_t nfunctions, function_cap;
    struct slice *comment;              /* owned */
    size_t ncomments, comment_cap;

    struct pp_type period_type;
    int64_t period, time_ns, duration_ns;   /* 0: not known */
    uint64_t repaired;                  /* defects mended while reading */
};

/* Release p and leave it empty. */
static void pp_fini(struct pp *p)
{
    mem_fini(&p->raw);
    mem_arena_fini(&p->arena);
    mem_free(p->type);
    mem_free(p->stack_at);
    mem_free(p->label_at);
    mem_free(p->value);
    mem_free(p->stack);
    mem_free(p->label);
    mem_free(p->mapping);
    mem_free(p->location);
    mem_free(p->line);
    mem_free(p->function);
    mem_free(p->comment);
    *p = (struct pp){0};
}

/* Append one zeroed element to the array *a of n elements: its address, or
 * NULL after GP_ENOMEM or at PP_MOST_ROWS. */
#define PP_ADD(a, n, cap) pp_add_row(&(a), &(n), &(cap), sizeof *(a))

/* What PP_ADD does; array is the address of a pointer of any type, which is
 * why it is read and written by memcpy. */
static void *pp_add_row(void *array, size_t *n, size_t *cap, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = *n < PP_MOST_ROWS ? mem_grow(old, cap, *n + 1, size) : NULL;
    if (!p)
        return NULL;
    memcpy(array, &p, sizeof p);
    return memset((char *)p + (*n)++ * size, 0, size);
}

/* Append a sample type to a profile being built. */
static int pp_add_type(struct pp *p, struct slice type, struct slice unit)
{
    struct pp_type *t = PP_ADD(p->type, p->ntypes, p->type_cap);
    if (!t)
        return GP_ENOMEM;
    *t = (struct pp_type){ type, unit };
    return GP_OK;
}

/* Append a sample: n location indexes, leaf first, a value for each type, and
 * nl labels; all are copied. */
static int pp_add_sample(struct pp *p, const uint32_t *stack, size_t n,
                         const int64_t *value, const struct pp_label *label,
                         size_t nl)
{
    size_t rows = p->nsamples + 1, nt = p->ntypes;
    if (rows > PP_MOST_ROWS || n > PP_MOST_REFS - p->nstack ||
        nl > PP_MOST_ROWS - p->nlabels)
        return GP_ELIMIT;
    void *a = mem_grow(p->stack_at, &p->stack_at_cap, rows + 1, sizeof *stack);
    p->stack_at = a ? a : p->stack_at;
    void *b = mem_grow(p->label_at, &p->label_at_cap, rows + 1, sizeof *stack);
    p->label_at = b ? b : p->label_at;
    void *c = mem_grow(p->value, &p->value_cap, rows * nt, sizeof *value);
    p->value = c ? c : p->value;
    void *d = mem_grow(p->stack, &p->stack_cap, p->nstack + n, sizeof *stack);
    p->stack = d ? d : p->stack;
    void *e = mem_grow(p->label, &p->label_cap, p->nlabels + nl,
                       sizeof *label);
    p->label = e ? e : p->label;
    if (!a || !b || !c || (!d && n) || (!e && nl))
        return GP_ENOMEM;
    if (p->nsamples == 0)
        p->stack_at[0] = p->label_at[0] = 0;
    if (n)
        memcpy(p->stack + p->nstack, stack, n * sizeof *stack);
    if (nl)
        memcpy(p->label + p->nlabels, label, nl * sizeof *label);
    memcpy(p->value + p->nsamples * nt, value, nt * sizeof *value);
    p->nstack += n;
    p->nlabels += nl;
    p->nsamples = rows;
    p->stack_at[rows] = (uint32_t)p->nstack;
    p->label_at[rows] = (uint32_t)p->nlabels;
    return GP_OK;
}

/* Append a comment, formatted into p's arena. */
__attribute__((format(printf, 2, 3)))
static int pp_add_comment(struct pp *p, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    n = n < 0 ? 0 : n < (int)sizeof line ? n : (int)sizeof line - 1;
    char *copy = mem_arena_dup(&p->arena, line, (size_t)n);
    struct slice *s = copy ? PP_ADD(p->comment, p->ncomments, p->comment_cap)
                           : NULL;
    if (s)
        *s = (struct slice){ copy, (size_t)n };
    return s ? GP_OK : GP_ENOMEM;
}

/* Value of the comment `key=value`, borrowed, or an empty slice. */
static struct slice pp_comment(const struct pp *p, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < p->ncomments; i++) {
        struct slice c = p->comment[i];
        if (txt_starts(c, key) && c.n > n && c.p[n] == '=')
            return (struct slice){ c.p + n + 1, c.n - n - 1 };
    }
    return (struct slice){0};
}

/* ---- reading ---- */

struct pp_ids {                         /* a table's ids, as they were read */
    uint64_t *id;                       /* owned */
    size_t n, cap;
    bool sparse;                        /* not 1, 2, 3 ...: look in x */
    struct index x;                     /* id -> row, once sealed */
};

struct pp_reader {
    struct pp *p;                       /* borrowed */
    const char *name;                   /* borrowed: the file, for errors */
    struct slice *string;               /* owned: the string table */
    size_t nstrings, string_cap;
    struct pp_ids mapping, location, function;
    const uint8_t *at;                  /* the field that is being read */
    struct gp_why *why;
};

/* Report a fault in the field that is being read. */
static int pp_bad(struct pp_reader *r, const char *what)
{
    return txt_fail(r->why, GP_EFORMAT, "%s: byte %zu of the profile: %s",
                    r->name, (size_t)(r->at - r->p->raw.data), what);
}

/* Report that a table is full. */
static int pp_full(struct pp_reader *r)
{
    pp_bad(r, "too many rows, or out of memory");
    return GP_ELIMIT;
}

/* Note row's id; ids out of order make the table sparse. */
static int pp_ids_add(struct pp_ids *t, uint64_t id)
{
    uint64_t *p = mem_grow(t->id, &t->cap, t->n + 1, sizeof *p);
    if (!p)
        return GP_ENOMEM;
    t->id = p;
    p[t->n++] = id;
    t->sparse |= id != t->n;
    return GP_OK;
}

/* Row of id, or MEM_NONE; id 0 means none. */
static uint32_t pp_ids_find(const struct pp_ids *t, uint64_t id)
{
    if (!t->sparse)
        return id && id <= t->n ? (uint32_t)(id - 1) : MEM_NONE;
    uint64_t h = mem_hash(&id, sizeof id);
    for (uint32_t at = 0, row;
         (row = mem_index_next(&t->x, h, &at)) != MEM_NONE;)
        if (t->id[row] == id)
            return id ? row : MEM_NONE;
    return MEM_NONE;
}

/* Make the table ready for pp_ids_find; counts duplicate and zero ids, of
 * which the first holds, in *repaired. */
static int pp_ids_seal(struct pp_ids *t, uint64_t *repaired)
{
    for (size_t i = 0; t->sparse && i < t->n; i++) {
        if (t->id[i] == 0 || pp_ids_find(t, t->id[i]) != MEM_NONE)
            ++*repaired;
        else if (mem_index_put(&t->x, mem_hash(&t->id[i], 8), (uint32_t)i))
            return GP_ENOMEM;
    }
    return GP_OK;
}

/* Release t. */
static void pp_ids_fini(struct pp_ids *t)
{
    mem_free(t->id);
    mem_index_fini(&t->x);
}

/* String number i; one that is not there is "" and counts as repaired. */
static struct slice pp_string(struct pp_reader *r, uint64_t i)
{
    if (i < r->nstrings)
        return r->string[i];
    r->p->repaired++;
    return (struct slice){ "", 0 };
}

/* Call fn for each of the message's fields, until it fails. */
static int pp_walk(struct pp_reader *r, struct pb_in in,
                   int (*fn)(struct pp_reader *, struct pb_field *, void *),
                   void *to)
{
    struct pb_field f;
    for (;;) {
        r->at = in.p;
        int e = pb_get_field(&in, &f);
        if (e == 0)
            return GP_OK;
        if (e < 0)
            return pp_bad(r, r->at == r->p->raw.data ?
                          "not a pprof profile" :
                          "damaged, cut short, or not a pprof profile");
        if ((e = fn(r, &f, to)))
            return e;
    }
}

/* A field of ValueType. */
static int pp_on_type(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_type *t = to;
    if (f->number == 1 && f->type == PB_VARINT)
        t->type = pp_string(r, f->value);
    if (f->number == 2 && f->type == PB_VARINT)
        t->unit = pp_string(r, f->value);
    return GP_OK;
}

/* A field of Mapping. */
static int pp_on_mapping(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_mapping *m = to;
    if (f->type != PB_VARINT)
        return GP_OK;
    switch (f->number) {
    case 1:  m->id = f->value; break;
    case 2:  m->start = f->value; break;
    case 3:  m->limit = f->value; break;
    case 4:  m->offset = f->value; break;
    case 5:  m->file = pp_string(r, f->value); break;
    case 6:  m->build_id = pp_string(r, f->value); break;
    case 7:  m->has_functions = f->value != 0; break;
    case 8:  m->has_filenames = f->value != 0; break;
    case 9:  m->has_lines = f->value != 0; break;
    case 10: m->has_inline = f->value != 0; break;
    }
    return GP_OK;
}

/* A field of Function. */
static int pp_on_function(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_function *n = to;
    if (f->type != PB_VARINT)
        return GP_OK;
    switch (f->number) {
    case 1: n->id = f->value; break;
    case 2: n->name = pp_string(r, f->value); break;
    case 3: n->system_name = pp_string(r, f->value); break;
    case 4: n->file = pp_string(r, f->value); break;
    case 5: n->start_line = (int64_t)f->value; break;
    }
    return GP_OK;
}

/* A field of Line. */
static int pp_on_line(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_line *l = to;
    if (f->number == 1 && f->type == PB_VARINT) {
        l->function = pp_ids_find(&r->function, f->value);
        r->p->repaired += l->function == MEM_NONE;
    }
    if (f->number == 2 && f->type == PB_VARINT)
        l->line = (int64_t)f->value;
    return GP_OK;
}

/* A field of Location. */
static int pp_on_location(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_location *l = to;
    struct pp *p = r->p;
    if (f->number == 1 && f->type == PB_VARINT)
        l->id = f->value;
    if (f->number == 2 && f->type == PB_VARINT && f->value) {
        l->mapping = pp_ids_find(&r->mapping, f->value);
        p->repaired += l->mapping == MEM_NONE;
    }
    if (f->number == 3 && f->type == PB_VARINT)
        l->address = f->value;
    if (f->number != 4 || f->type != PB_BYTES)
        return GP_OK;
    struct pp_line *line = PP_ADD(p->line, p->nlines, p->line_cap);
    if (!line)
        return pp_full(r);
    line->function = MEM_NONE;
    l->nlines++;
    return pp_walk(r, f->bytes, pp_on_line, line);
}

/* A field of Label. */
static int pp_on_label(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_label *l = to;
    if (f->type != PB_VARINT)
        return GP_OK;
    switch (f->number) {
    case 1: l->key = pp_string(r, f->value); break;
    case 2: l->str = pp_string(r, f->value); break;
    case 3: l->num = (int64_t)f->value; break;
    case 4: l->unit = pp_string(r, f->value); break;
    }
    return GP_OK;
}

struct pp_row {                         /* a sample while it is read */
    uint32_t *stack;                    /* owned */
    int64_t  *value;                    /* owned */
    struct pp_label *label;             /* owned */
    size_t n, cap, nvalues, value_cap, nlabels, label_cap;
};

/* A field of Sample, gathered in a row that is used again and again. */
static int pp_on_sample(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_row *row = to;
    uint64_t v;
    int e = 0;
    while (f->number == 1 && (e = pb_next_int(f, &v)) > 0) {
        uint32_t *s = PP_ADD(row->stack, row->n, row->cap);
        if (!s)
            return pp_full(r);
        *s = pp_ids_find(&r->location, v);
        if (*s == MEM_NONE) {
            row->n--;
            r->p->repaired++;
        }
    }
    while (f->number == 2 && (e = pb_next_int(f, &v)) > 0) {
        int64_t *s = PP_ADD(row->value, row->nvalues, row->value_cap);
        if (!s)
            return pp_full(r);
        *s = (int64_t)v;
    }
    if (f->number == 3 && f->type == PB_BYTES) {
        struct pp_label *l = PP_ADD(row->label, row->nlabels, row->label_cap);
        if (!l)
            return pp_full(r);
        return pp_walk(r, f->bytes, pp_on_label, l);
    }
    return e ? pp_bad(r, "a sample's numbers are damaged") : GP_OK;
}

/* First pass: the strings, because others refer to them. */
static int pp_pass_strings(struct pp_reader *r, struct pb_field *f, void *to)
{
    (void)to;
    if (f->number != 6)
        return GP_OK;
    if (f->type != PB_BYTES)
        return pp_bad(r, "string_table is not text");
    struct slice *s = PP_ADD(r->string, r->nstrings, r->string_cap);
    if (!s)
        return pp_full(r);
    *s = (struct slice){ (const char *)f->bytes.p,
                         (size_t)(f->bytes.end - f->bytes.p) };
    if (r->nstrings == 1 && s->n)
        return pp_bad(r, "string_table[0] is not empty: damaged, or not a "
                      "pprof profile");
    return GP_OK;
}

/* Second pass: types, mappings, functions and the profile's own figures. */
static int pp_pass_tables(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp *p = r->p;
    void *row = NULL;
    int e;
    (void)to;
    if (f->type == PB_VARINT)
        switch (f->number) {
        case 9:  p->time_ns = (int64_t)f->value; return GP_OK;
        case 10: p->duration_ns = (int64_t)f->value; return GP_OK;
        case 12: p->period = (int64_t)f->value; return GP_OK;
        case 14: p->default_type = pp_string(r, f->value); return GP_OK;
        }
    if (f->number == 13) {
        uint64_t v;
        while ((e = pb_next_int(f, &v)) > 0) {
            struct slice *c = PP_ADD(p->comment, p->ncomments, p->comment_cap);
            if (!c)
                return pp_full(r);
            *c = pp_string(r, v);
        }
        return e ? pp_bad(r, "comment is damaged") : GP_OK;
    }
    if (f->type != PB_BYTES)
        return GP_OK;
    if (f->number == 11)
        return pp_walk(r, f->bytes, pp_on_type, &p->period_type);
    if (f->number == 1 && !(row = PP_ADD(p->type, p->ntypes, p->type_cap)))
        return pp_full(r);
    if (f->number == 1)
        return pp_walk(r, f->bytes, pp_on_type, row);
    if (f->number == 3) {
        struct pp_mapping *m = PP_ADD(p->mapping, p->nmappings,
                                      p->mapping_cap);
        e = m ? pp_walk(r, f->bytes, pp_on_mapping, m) :
                pp_full(r);
        return e ? e : pp_ids_add(&r->mapping, m->id);
    }
    if (f->number == 5) {
        struct pp_function *n = PP_ADD(p->function, p->nfunctions,
                                       p->function_cap);
        e = n ? pp_walk(r, f->bytes, pp_on_function, n) :
                pp_full(r);
        return e ? e : pp_ids_add(&r->function, n->id);
    }
    return GP_OK;
}

/* Third pass: locations, which refer to mappings and functions. */
static int pp_pass_locations(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp *p = r->p;
    (void)to;
    if (f->number != 4 || f->type != PB_BYTES)
        return GP_OK;
    struct pp_location *l = PP_ADD(p->location, p->nlocations,
                                   p->location_cap);
    if (!l)
        return pp_full(r);
    l->mapping = MEM_NONE;
    l->line = (uint32_t)p->nlines;
    int e = pp_walk(r, f->bytes, pp_on_location, l);
    return e ? e : pp_ids_add(&r->location, l->id);
}

/* Fourth pass: samples, which refer to locations. */
static int pp_pass_samples(struct pp_reader *r, struct pb_field *f, void *to)
{
    struct pp_row *row = to;
    if (f->number != 2)
        return GP_OK;
    if (f->type != PB_BYTES)
        return pp_bad(r, "a sample is not a message");
    row->n = row->nvalues = row->nlabels = 0;
    int e = pp_walk(r, f->bytes, pp_on_sample, row);
    if (e)
        return e;
    if (row->nvalues != r->p->ntypes)
        return txt_fail(r->why, GP_EFORMAT, "%s: byte %zu of the profile: a "
                        "sample has %zu values for %zu types", r->name,
                        (size_t)(r->at - r->p->raw.data), row->nvalues,
                        r->p->ntypes);
    e = pp_add_sample(r->p, row->stack, row->n, row->value, row->label,
                      row->nlabels);
    return e ? pp_full(r) : GP_OK;
}

/* The four passes over the inflated profile, and what must hold after. */
static int pp_read_raw(struct pp_reader *r)
{
    struct pp *p = r->p;
    struct pb_in all = { p->raw.data, p->raw.data + p->raw.len };
    struct pp_row row = {0};
    int e;
    if ((e = pp_walk(r, all, pp_pass_strings, NULL)) ||
        (e = pp_walk(r, all, pp_pass_tables, NULL)))
        goto out;
    if (p->ntypes == 0) {
        e = txt_fail(r->why, GP_EFORMAT,
                     "%s: not a pprof profile: it has no sample types",
                     r->name);
        goto out;
    }
    if (pp_ids_seal(&r->mapping, &p->repaired) ||
        pp_ids_seal(&r->function, &p->repaired)) {
        e = txt_fail(r->why, GP_ENOMEM, "%s: out of memory", r->name);
        goto out;
    }
    if ((e = pp_walk(r, all, pp_pass_locations, NULL)))
        goto out;
    if (pp_ids_seal(&r->location, &p->repaired)) {
        e = txt_fail(r->why, GP_ENOMEM, "%s: out of memory", r->name);
        goto out;
    }
    e = pp_walk(r, all, pp_pass_samples, &row);
out:
    mem_free(row.stack);
    mem_free(row.value);
    mem_free(row.label);
    return e;
}

/* Read the profile in file, gzip'd or not, whose bytes p takes over (file is
 * left empty); name is for errors.  The inflated size is at most most.  After
 * a failure p is empty. */
static int pp_read(struct pp *p, struct buf *file, const char *name,
                   size_t most, struct gp_why *why)
{
    struct pp_reader r = { .p = p, .name = name, .why = why };
    struct buf in = *file;
    size_t at = 0;
    int e = GP_OK;
    *p = (struct pp){0};
    *file = (struct buf){0};
    if (in.len == 0)
        e = txt_fail(why, GP_EFORMAT, "%s: byte 0: is empty", name);
    else if (gz_is(in.data, in.len))
        e = gz_inflate(in.data, in.len, most, &p->raw, &at);
    else {
        p->raw = in;
        in = (struct buf){0};
    }
    if (e == GP_ELIMIT)
        txt_fail(why, e, "%s: inflates to more than %zu bytes", name, most);
    else if (e && in.len)
        txt_fail(why, e, "%s: byte %zu of %zu: gzip data is damaged or cut "
                 "short", name, at, in.len);
    else if (!e)
        e = pp_read_raw(&r);
    mem_fini(&in);
    mem_free(r.string);
    pp_ids_fini(&r.mapping);
    pp_ids_fini(&r.location);
    pp_ids_fini(&r.function);
    if (e)
        pp_fini(p);
    return e;
}

/* ---- writing ---- */

struct pp_writer {
    const struct pp *p;                 /* borrowed */
    struct buf out, part, sub;          /* owned: profile, message, packed */
    struct slice *string;               /* owned: the table so far */
    size_t nstrings, string_cap;
    struct index x;                     /* text -> row of string */
    int err;                            /* first failure, sticky */
};

/* Number of s in the string table, entered if new; "" is 0. */
static uint64_t pp_intern(struct pp_writer *w, struct slice s)
{
    if (s.n == 0)
        return 0;
    uint64_t h = mem_hash(s.p, s.n);
    for (uint32_t at = 0, i; (i = mem_index_next(&w->x, h, &at)) != MEM_NONE;)
        if (txt_equal(w->string[i], s))
            return i;
    struct slice *row = PP_ADD(w->string, w->nstrings, w->string_cap);
    if (!row || mem_index_put(&w->x, h, (uint32_t)w->nstrings - 1)) {
        w->err = GP_ENOMEM;
        return 0;
    }
    *row = s;
    return w->nstrings - 1;
}

/* A ValueType as field number of the profile. */
static void pp_write_type(struct pp_writer *w, uint32_t number,
                          const struct pp_type *t)
{
    pb_put_uint(&w->part, 1, pp_intern(w, t->type));
    pb_put_uint(&w->part, 2, pp_intern(w, t->unit));
    pb_put_message(&w->out, number, &w->part);
}

/* Sample number i. */
static void pp_write_sample(struct pp_writer *w, size_t i)
{
    const struct pp *p = w->p;
    for (uint32_t k = p->stack_at[i]; k < p->stack_at[i + 1]; k++)
        pb_put_varint(&w->sub, (uint64_t)p->stack[k] + 1);
    pb_put_message(&w->part, 1, &w->sub);
    for (size_t t = 0; t < p->ntypes; t++)
        pb_put_varint(&w->sub, (uint64_t)p->value[i * p->ntypes + t]);
    pb_put_message(&w->part, 2, &w->sub);
    for (uint32_t k = p->label_at[i]; k < p->label_at[i + 1]; k++) {
        const struct pp_label *l = &p->label[k];
        pb_put_uint(&w->sub, 1, pp_intern(w, l->key));
        pb_put_uint(&w->sub, 2, pp_intern(w, l->str));
        pb_put_uint(&w->sub, 3, (uint64_t)l->num);
        pb_put_uint(&w->sub, 4, pp_intern(w, l->unit));
        pb_put_message(&w->part, 3, &w->sub);
    }
    pb_put_message(&w->out, 2, &w->part);
}

/* Mapping number i. */
static void pp_write_mapping(struct pp_writer *w, size_t i)
{
    const struct pp_mapping *m = &w->p->mapping[i];
    pb_put_uint(&w->part, 1, i + 1);
    pb_put_uint(&w->part, 2, m->start);
    pb_put_uint(&w->part, 3, m->limit);
    pb_put_uint(&w->part, 4, m->offset);
    pb_put_uint(&w->part, 5, pp_intern(w, m->file));
    pb_put_uint(&w->part, 6, pp_intern(w, m->build_id));
    pb_put_uint(&w->part, 7, m->has_functions);
    pb_put_uint(&w->part, 8, m->has_filenames);
    pb_put_uint(&w->part, 9, m->has_lines);
    pb_put_uint(&w->part, 10, m->has_inline);
    pb_put_message(&w->out, 3, &w->part);
}

/* Location number i with its lines. */
static void pp_write_location(struct pp_writer *w, size_t i)
{
    const struct pp_location *l = &w->p->location[i];
    pb_put_uint(&w->part, 1, i + 1);
    if (l->mapping != MEM_NONE)
        pb_put_uint(&w->part, 2, (uint64_t)l->mapping + 1);
    pb_put_uint(&w->part, 3, l->address);
    for (uint32_t k = l->line; k < l->line + l->nlines; k++) {
        const struct pp_line *n = &w->p->line[k];
        if (n->function != MEM_NONE)
            pb_put_uint(&w->sub, 1, (uint64_t)n->function + 1);
        pb_put_uint(&w->sub, 2, (uint64_t)n->line);
        pb_put_message(&w->part, 4, &w->sub);
    }
    pb_put_message(&w->out, 4, &w->part);
}

/* Function number i. */
static void pp_write_function(struct pp_writer *w, size_t i)
{
    const struct pp_function *n = &w->p->function[i];
    pb_put_uint(&w->part, 1, i + 1);
    pb_put_uint(&w->part, 2, pp_intern(w, n->name));
    pb_put_uint(&w->part, 3, pp_intern(w, n->system_name));
    pb_put_uint(&w->part, 4, pp_intern(w, n->file));
    pb_put_uint(&w->part, 5, (uint64_t)n->start_line);
    pb_put_message(&w->out, 5, &w->part);
}

/* Append p as a gzip'd pprof profile to out, ids 1..N in order, the strings
 * last.  GP_ENOMEM, or GP_ELIMIT past 2 GiB, leaves out as it was. */
static int pp_write(const struct pp *p, struct buf *out)
{
    struct pp_writer w = { .p = p };
    if (!PP_ADD(w.string, w.nstrings, w.string_cap))
        return GP_ENOMEM;
    w.string[0] = (struct slice){ "", 0 };
    for (size_t i = 0; i < p->ntypes; i++)
        pp_write_type(&w, 1, &p->type[i]);
    for (size_t i = 0; i < p->nsamples; i++)
        pp_write_sample(&w, i);
    for (size_t i = 0; i < p->nmappings; i++)
        pp_write_mapping(&w, i);
    for (size_t i = 0; i < p->nlocations; i++)
        pp_write_location(&w, i);
    for (size_t i = 0; i < p->nfunctions; i++)
        pp_write_function(&w, i);
    pb_put_uint(&w.out, 9, (uint64_t)p->time_ns);
    pb_put_uint(&w.out, 10, (uint64_t)p->duration_ns);
    if (p->period_type.type.n)
        pp_write_type(&w, 11, &p->period_type);
    pb_put_uint(&w.out, 12, (uint64_t)p->period);
    for (size_t i = 0; i < p->ncomments; i++)
        pb_put_varint(&w.sub, pp_intern(&w, p->comment[i]));
    if (p->ncomments)
        pb_put_message(&w.out, 13, &w.sub);
    pb_put_uint(&w.out, 14, pp_intern(&w, p->default_type));
    for (size_t i = 0; i < w.nstrings; i++)
        pb_put_bytes(&w.out, 6, w.string[i].p, w.string[i].n);
    int e = w.err || w.out.err || w.part.err || w.sub.err ? GP_ENOMEM :
            gz_deflate(w.out.data, w.out.len, out);
    mem_fini(&w.out);
    mem_fini(&w.part);
    mem_fini(&w.sub);
    mem_free(w.string);
    mem_index_fini(&w.x);
    return e;
}

/* ================================== 12 REC ==================================
 * for     the recorder: threads found and their timers armed; samples from SMP
 *         into one cumulative table of stacks; a profile is the difference of
 *         two marks
 * uses    MEM, TXT, SYS, ELF, SMP, PP
 * owns    rec_one, the drain thread, struct rec_mark
 * spec    [PP]; proc(5) for threads and their names
 * prefix  rec_
 * runs    the drain thread takes samples at least every REC_SLICE_MS; marks
 *         are taken on any thread, under the lock
 *
 * A sample counts one, and carries the time that passed on its thread's clock
 * (CPU time, or real time with the wall engine) since the thread's last
 * sample.  A mark charges what each thread used since to the
 * frame [unsampled] (the drain thread: [profiler]), so that the times between
 * two marks add up to the CPU time used, whatever the timer did.
 *
 * Invariant  rows are only added while the recorder runs, so that a mark is
 *            their first n counts; the times in a row never go down.
 *            What threads used that ended since the last mark is charged to
 *            [unsampled] of the thread name "(ended)".
 * Does not   see into a thread that lives for less than REC_DRAIN_MS, where
 *            the engine has a timer for each thread: only its time.
 */

/* Frames that are not addresses: their "pc" is below any code. */
enum rec_pseudo { REC_LOST = 1, REC_TRUNCATED, REC_PROFILER, REC_UNSAMPLED,
                  REC_PSEUDO_LIMIT };

static const char *const rec_pseudo_name[REC_PSEUDO_LIMIT] = {
    [REC_LOST] = "[lost samples]", [REC_TRUNCATED] = "[truncated]",
    [REC_PROFILER] = "[profiler]", [REC_UNSAMPLED] = "[unsampled]",
};

enum rec_state { REC_ON_CPU, REC_RUNNING, REC_WAITING };    /* last: wall */

struct rec_count {
    uint64_t n;                         /* samples */
    int64_t  ns;                        /* CPU time, or real time */
};

struct rec_row {                        /* a stack of a thread at some work */
    size_t   at;                        /* first pc in rec_one.pc */
    uint32_t thread;                    /* row of rec_one.name */
    uint16_t depth, label;              /* frames; smp_label */
    enum rec_state state;
    struct rec_count sum;               /* since the recorder started */
};

struct rec_thread {
    uint32_t tid, name;                 /* kernel's id; row of rec_one.name */
    int64_t  ns;                        /* its clock's time already charged */
    int64_t  sample_ns;                 /* the same, of its last sample */
    struct smp_timer timer;             /* armed while the thread lives */
    uint32_t scan;                      /* the last scan that saw it */
    bool     alive;                     /* as far as known */
};

struct rec_totals {                     /* since the recorder started */
    uint64_t samples, lost, truncated, failed;
    uint64_t ended, unarmed;            /* threads; without a timer */
    int64_t  charged_ns;                /* time in all rows */
    double   squares;                   /* of the samples' times, in ns^2 */
    int64_t  busy_wall_ns, busy_cpu_ns; /* of slices with CPU use, below */
};

struct rec_config {
    unsigned hz;                        /* 1..SMP_MOST_HZ */
    enum gp_timer timer;                /* of a CPU profile */
    bool wall;                          /* real time */
};

/* Held while the recorder is started or stopped, which rec_one.lock cannot be:
 * the drain thread needs that to end. */
static pthread_mutex_t rec_life = PTHREAD_MUTEX_INITIALIZER;

static struct {
    pthread_mutex_t lock;               /* guards all below */
    pthread_cond_t  wake;               /* ends the drain thread's sleep */
    pthread_t       drain;
    unsigned        users, hz;          /* 0 users: not running */
    struct rec_config want;             /* as the first user asked */
    const struct smp_engine *engine;
    char            reason[224];        /* why this engine, for people */
    double          cost_ns;            /* CPU a sample; NAN: not known */
    const struct smp_engine *costed;    /* the engine that cost_ns is of */
    uint32_t        scan;               /* scans of the threads so far */
    int64_t         begin_cpu_ns;       /* the process's, when it started */
    uint64_t        ended_seen;         /* total.ended when last charged */
    bool            stop;               /* the drain thread is to end */
    long            drain_ns;           /* between two looks at the ring */
    uint32_t        drain_tid;
    struct rec_row *row;                /* owned */
    size_t          nrows, row_cap;
    struct index    row_index;          /* stack -> row */
    uint64_t       *pc;                 /* owned: the rows' stacks */
    size_t          npcs, pc_cap;
    struct rec_thread *thread;          /* owned */
    size_t          nthreads, thread_cap;
    struct index    thread_index;       /* tid -> row */
    struct slice   *name;               /* owned: thread names */
    size_t          nnames, name_cap;
    struct arena    arena;              /* the names' text */
    struct rec_totals total;
    int64_t         slice_wall_ns, slice_cpu_ns;    /* the slice's begin */
} rec_one = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct rec_notes {                      /* all zero is none */
    struct slice *v;                    /* owned: key=value */
    size_t n, cap;
    struct arena arena;                 /* their text */
};

struct rec_calls {                      /* of one method, so far */
    const char *path;                   /* borrowed from the server */
    uint64_t ended;                     /* calls */
    uint64_t timed, timed_cpu_ns;       /* runs of its handler whose CPU time
                                         * the server took itself, and that */
};

struct rec_source {                     /* what else a profile is to say */
    bool (*calls)(const void *server, size_t i, struct rec_calls *out);
                                        /* of method i; false: there is none */
    const void *server;                 /* for calls; borrowed; NULL: none */
    const struct rec_notes *notes;      /* borrowed; NULL: none */
};

struct rec_mark {                       /* the recorder at one moment */
    struct rec_calls *calls;            /* owned, by method of the source */
    size_t  ncalls;
    struct rec_count *row;              /* owned, nrows */
    size_t  nrows;
    struct rec_totals total;
    int64_t wall_ns, unix_ns, process_cpu_ns;
    struct timeval user, system;        /* of the process, as the kernel's tick
                                         * divides its CPU time */
    size_t  nthreads;                   /* threads alive */
};

/* Row of the thread name text, entered if new; MEM_NONE without memory. */
static uint32_t rec_name_row(const char *text)
{
    struct slice s = txt_slice(text);
    for (size_t i = 0; i < rec_one.nnames; i++)
        if (txt_equal(rec_one.name[i], s))
            return (uint32_t)i;
    char *copy = mem_arena_dup(&rec_one.arena, s.p, s.n);
    struct slice *row = copy ? PP_ADD(rec_one.name, rec_one.nnames,
                                      rec_one.name_cap) : NULL;
    if (!row)
        return MEM_NONE;
    *row = (struct slice){ copy, s.n };
    return (uint32_t)rec_one.nnames - 1;
}

/* Name of thread tid as the kernel has it, entered; "?" when it has ended. */
static uint32_t rec_read_name(uint32_t tid)
{
    char path[64], text[32] = "?";
    snprintf(path, sizeof path, "/proc/self/task/%u/comm", tid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(text, sizeof text, f))
            text[0] = '?';
        fclose(f);
        text[strcspn(text, "\n")] = 0;
    }
    return rec_name_row(text);
}

/* The thread tid, entered with charged_ns charged if new; NULL without memory.
 * A clock that went back means that tid names a new thread; but a sample may
 * be older than what a mark has charged since, though not than the one before
 * it. */
static struct rec_thread *rec_find_thread(uint32_t tid, int64_t now_ns,
                                          int64_t charged_ns, bool sample)
{
    uint64_t h = mem_hash(&tid, sizeof tid);
    uint32_t at = 0, i;
    while ((i = mem_index_next(&rec_one.thread_index, h, &at)) != MEM_NONE)
        if (rec_one.thread[i].tid == tid) {
            struct rec_thread *t = &rec_one.thread[i];
            if (now_ns < (sample && t->sample_ns < t->ns ? t->sample_ns
                                                         : t->ns)) {
                t->ns = t->sample_ns = 0;
                t->alive = false;
                t->name = rec_read_name(tid);
            }
            return t->name == MEM_NONE ? NULL : t;
        }
    uint32_t name = rec_read_name(tid);
    struct rec_thread *t = name == MEM_NONE ? NULL :
        PP_ADD(rec_one.thread, rec_one.nthreads, rec_one.thread_cap);
    if (!t)
        return NULL;
    *t = (struct rec_thread){ .tid = tid, .name = name, .ns = charged_ns };
    if (mem_index_put(&rec_one.thread_index, h,
                      (uint32_t)rec_one.nthreads - 1)) {
        rec_one.nthreads--;
        return NULL;
    }
    return t;
}

/* The row of a stack, entered if new; NULL without memory or at the cap. */
static struct rec_row *rec_find_row(const uint64_t *pc, uint16_t depth,
                                    uint32_t thread, uint16_t label,
                                    enum rec_state state)
{
    uint64_t h = mem_hash(pc, depth * sizeof *pc);
    uint64_t key[2] = { h, (uint64_t)thread << 32 | (uint64_t)state << 16 |
                           label };
    h = mem_hash(key, sizeof key);
    uint32_t at = 0, i;
    while ((i = mem_index_next(&rec_one.row_index, h, &at)) != MEM_NONE) {
        struct rec_row *r = &rec_one.row[i];
        if (r->thread == thread && r->label == label && r->depth == depth &&
            r->state == state &&
            !memcmp(rec_one.pc + r->at, pc, depth * sizeof *pc))
            return r;
    }
    if (rec_one.nrows >= REC_MOST_ROWS)
        return NULL;
    uint64_t *p = mem_grow(rec_one.pc, &rec_one.pc_cap, rec_one.npcs + depth,
                           sizeof *p);
    if (!p)
        return NULL;
    rec_one.pc = p;
    struct rec_row *r = PP_ADD(rec_one.row, rec_one.nrows, rec_one.row_cap);
    if (!r)
        return NULL;
    if (mem_index_put(&rec_one.row_index, h, (uint32_t)rec_one.nrows - 1)) {
        rec_one.nrows--;
        return NULL;
    }
    memcpy(p + rec_one.npcs, pc, depth * sizeof *pc);
    *r = (struct rec_row){ .at = rec_one.npcs, .thread = thread,
                           .depth = depth, .label = label,
                           .state = state };
    rec_one.npcs += depth;
    return r;
}

/* Charge row r with what passed on t's clock until now_ns and is not charged
 * yet; returns how much that was. */
static int64_t rec_charge(struct rec_row *r, struct rec_thread *t,
                          int64_t now_ns)
{
    int64_t ns = now_ns > t->ns ? now_ns - t->ns : 0;
    r->sum.ns += ns;
    rec_one.total.charged_ns += ns;
    t->ns += ns;
    return ns;
}

/* Enter one sample; smp_drain's callback, under the lock.  What the table
 * cannot take is lost, and counted so. */
static void rec_on_sample(const struct smp_slot *s, void *user)
{
    uint64_t pc[SMP_DEPTH + 1];
    uint16_t depth = s->depth;
    bool wall = rec_one.engine->wall;
    int64_t now = wall ? s->wall_ns : s->cpu_ns;
    (void)user;
    for (uint16_t i = 0; i < depth; i++)    /* call sites: in the call */
        pc[i] = (uint64_t)(uintptr_t)s->pc[i] - (i > 0);
    if (s->truncated)
        pc[depth++] = REC_TRUNCATED;
    enum rec_state state = !wall ? REC_ON_CPU :
                           s->waiting ? REC_WAITING : REC_RUNNING;
    struct rec_thread *t = rec_find_thread(s->tid, now, wall ? now : 0, true);
    struct rec_row *r = t ? rec_find_row(pc, depth, t->name, s->label, state)
                          : NULL;
    rec_one.total.truncated += s->truncated;
    rec_one.total.failed += s->failed;
    if (!r) {
        rec_one.total.lost++;
        return;
    }
    rec_one.total.samples++;
    r->sum.n++;
    t->sample_ns = now;
    double weight = (double)rec_charge(r, t, now);
    rec_one.total.squares += weight * weight;
}

/* Charge what t used since its last sample to [unsampled], the drain thread's
 * to [profiler]; in a wall profile the drain thread does not count. */
static void rec_charge_tail(struct rec_thread *t, int64_t now_ns)
{
    bool self = t->tid == rec_one.drain_tid;
    uint64_t pc = self ? REC_PROFILER : REC_UNSAMPLED;
    if (now_ns <= t->ns || (self && rec_one.engine->wall))
        return;
    struct rec_row *r = rec_find_row(&pc, 1, t->name, 0, REC_ON_CPU);
    if (r)
        rec_charge(r, t, now_ns);
}

/* The time on the engine's clock of thread tid, or -1 when it has ended. */
static int64_t rec_thread_ns(uint32_t tid)
{
    struct timespec t;
    if (rec_one.engine->wall)
        return sys_now_ns();
    if (clock_gettime(smp_thread_clock(tid), &t))
        return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Give t its timer, when the engine has one for each thread. */
static void rec_arm(struct rec_thread *t)
{
    const struct smp_engine *e = rec_one.engine;
    if (!e->arm || t->timer.armed || t->tid == rec_one.drain_tid)
        return;
    t->timer.armed = !e->arm(&t->timer, t->tid, rec_one.hz);
    rec_one.total.unarmed += !t->timer.armed;
}

/* Take t's timer away. */
static void rec_disarm(struct rec_thread *t)
{
    if (t->timer.armed)
        rec_one.engine->disarm(&t->timer);
    t->timer.armed = false;
}

/* See thread tid: enter and arm a new one.  What the recorder's first scan
 * finds begins there; what a later one finds began when it was made. */
static void rec_see(uint32_t tid, bool first, bool charge)
{
    int64_t now = rec_thread_ns(tid);
    if (now < 0)
        return;
    struct rec_thread *t = rec_find_thread(tid, now,
                               first || rec_one.engine->wall ? now : 0, false);
    if (!t)
        return;
    t->scan = rec_one.scan;
    if (!t->alive) {
        rec_disarm(t);                  /* another thread's, of this number */
        rec_arm(t);
    }
    t->alive = true;
    if (charge)
        rec_charge_tail(t, now);
}

/* Look at all threads of the process: arm the new ones, disarm those that
 * ended, and with charge charge what each used.  Returns how many live. */
static size_t rec_scan(bool first, bool charge)
{
    DIR *d = opendir("/proc/self/task");
    size_t n = 0;
    rec_one.scan++;
    for (struct dirent *e; d && (e = readdir(d));) {
        uint64_t tid;
        if (txt_number(e->d_name, 1, INT_MAX, &tid))
            continue;
        rec_see((uint32_t)tid, first, charge);
        n++;
    }
    for (size_t i = 0; d && i < rec_one.nthreads; i++) {
        struct rec_thread *t = &rec_one.thread[i];
        if (t->alive && t->scan != rec_one.scan) {
            rec_disarm(t);
            t->alive = false;
            rec_one.total.ended++;
        }
    }
    if (d)
        closedir(d);
    return n;
}

/* What the process used and no row has, to [unsampled] of "(ended)", when
 * threads ended since the last mark: nobody can read their clocks now. */
static void rec_charge_ended(int64_t process_ns)
{
    uint64_t pc = REC_UNSAMPLED;
    int64_t missing = process_ns - rec_one.begin_cpu_ns -
                      rec_one.total.charged_ns;
    uint32_t name = rec_name_row("(ended)");
    if (rec_one.engine->wall || missing <= 0 || name == MEM_NONE ||
        rec_one.ended_seen == rec_one.total.ended)
        return;
    rec_one.ended_seen = rec_one.total.ended;
    struct rec_row *r = rec_find_row(&pc, 1, name, 0, REC_ON_CPU);
    if (r) {
        r->sum.ns += missing;
        rec_one.total.charged_ns += missing;
    }
}

/* Close the slice of time that began with the last one, when it is at least
 * least_ns long: it was busy when the process used a tenth of a CPU in it. */
static void rec_slice(int64_t least_ns)
{
    int64_t wall = sys_now_ns();
    int64_t cpu = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    int64_t dw = wall - rec_one.slice_wall_ns;
    int64_t dc = cpu - rec_one.slice_cpu_ns;
    if (dw < least_ns)
        return;
    if (dc >= dw / 10) {
        rec_one.total.busy_wall_ns += dw;
        rec_one.total.busy_cpu_ns += dc;
    }
    rec_one.slice_wall_ns = wall;
    rec_one.slice_cpu_ns = cpu;
}

/* The drain thread. */
static void *rec_drain(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&rec_one.lock);
    rec_one.drain_tid = (uint32_t)syscall(SYS_gettid);
    while (!rec_one.stop) {
        struct timespec until;
        smp_drain(rec_on_sample, NULL);
        rec_scan(false, false);
        rec_slice(REC_SLICE_MS * 1000000);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += rec_one.drain_ns;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&rec_one.wake, &rec_one.lock, &until);
    }
    pthread_mutex_unlock(&rec_one.lock);
    return NULL;
}

/* Release the tables; the lock is held or nobody else is there. */
static void rec_reset(void)
{
    mem_free(rec_one.row);
    mem_free(rec_one.pc);
    mem_free(rec_one.thread);
    mem_free(rec_one.name);
    mem_index_fini(&rec_one.row_index);
    mem_index_fini(&rec_one.thread_index);
    mem_arena_fini(&rec_one.arena);
    rec_one.row = NULL;
    rec_one.pc = NULL;
    rec_one.thread = NULL;
    rec_one.name = NULL;
    rec_one.nrows = rec_one.row_cap = rec_one.npcs = rec_one.pc_cap = 0;
    rec_one.nthreads = rec_one.thread_cap = 0;
    rec_one.nnames = rec_one.name_cap = 0;
    rec_one.total = (struct rec_totals){0};
    rec_one.ended_seen = 0;
}

/* Stop the engine: no thread keeps a timer. */
static void rec_end(void)
{
    for (size_t i = 0; i < rec_one.nthreads; i++)
        rec_disarm(&rec_one.thread[i]);
    smp_stop(rec_one.engine);
}

/* Choose the engine for want, and say why in rec_one.reason.  itimer is the
 * cheapest and misses nothing while the kernel ticks often enough for every
 * CPU; perf is exact; thread is what is left. */
static int rec_choose(const struct rec_config *want, struct gp_why *why)
{
    static const struct smp_engine *const named[] = {
        [GP_TIMER_ITIMER] = &smp_itimer, [GP_TIMER_THREAD] = &smp_thread,
        [GP_TIMER_PERF] = &smp_perf,
    };
    unsigned tick = smp_tick_hz(), cpus = sys_cpus();
    char *reason = rec_one.reason;
    size_t size = sizeof rec_one.reason;
    reason[0] = 0;
    if (want->wall) {
        rec_one.engine = &smp_wall;
    } else if (want->timer != GP_TIMER_AUTO) {
        rec_one.engine = named[want->timer];
    } else if (want->hz * cpus <= tick) {
        rec_one.engine = &smp_itimer;
        snprintf(reason, size, "the kernel's %u ticks a second are enough for "
                 "%u CPUs", tick, cpus);
        return GP_OK;
    } else if (smp_permitted(&smp_perf)) {
        rec_one.engine = &smp_perf;
        snprintf(reason, size, "timers tick %u times a second here, too few",
                 tick);
        return GP_OK;
    } else {
        rec_one.engine = &smp_thread;
        snprintf(reason, size, "perf was refused (%s); sysctl "
                 "kernel.perf_event_paranoid=1 or CAP_PERFMON would allow it",
                 strerror(errno));
    }
    if (smp_permitted(rec_one.engine))
        return GP_OK;
    return txt_fail(why, GP_EIO, "timer %s was refused: %s%s",
                    rec_one.engine->name, strerror(errno),
                    rec_one.engine == &smp_perf ? "; sysctl kernel.perf_event_"
                    "paranoid=1 or CAP_PERFMON would allow it" : "");
}

/* Begin to record; the lock is held and there is no user yet. */
static int rec_begin(const struct rec_config *want, struct gp_why *why)
{
    pthread_condattr_t attr;
    int e = rec_choose(want, why);
    if (e)
        return e;
    rec_one.want = *want;
    rec_one.hz = want->hz;
    rec_one.stop = false;
    rec_one.drain_tid = 0;
    rec_one.drain_ns = want->hz * 5 > SMP_MOST_HZ || rec_one.engine->arm ?
                       REC_DRAIN_MS * 1000000L : REC_SLICE_MS * 1000000L;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&rec_one.wake, &attr);
    pthread_condattr_destroy(&attr);
    if ((e = smp_start(rec_one.engine, want->hz, why)))
        goto out;
    size_t n = strlen(rec_one.reason);
    if (!smp_sees_stacks())
        snprintf(rec_one.reason + n, sizeof rec_one.reason - n, "%slibgcc_s.so"
                 ".1 is not here: no stacks", n ? "; " : "");
    if (isnan(rec_one.cost_ns) || rec_one.costed != rec_one.engine)
        rec_one.cost_ns = smp_calibrate(rec_one.engine);
    rec_one.costed = rec_one.engine;
    smp_drain(rec_on_sample, NULL);     /* late ones of an earlier run */
    rec_reset();
    rec_one.slice_wall_ns = sys_now_ns();
    rec_one.slice_cpu_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    rec_one.begin_cpu_ns = rec_one.slice_cpu_ns;
    rec_scan(true, false);
    if ((e = sys_thread_start(&rec_one.drain, "profiler", true, rec_drain,
                              NULL, why))) {
        rec_end();
        rec_reset();
    }
out:
    if (e)
        pthread_cond_destroy(&rec_one.wake);
    return e;
}

/* Become a user of the recorder, which starts with the first one.  GP_ESTATE
 * when it runs otherwise than want. */
static int rec_open(const struct rec_config *want, struct gp_why *why)
{
    int e = GP_OK;
    pthread_mutex_lock(&rec_life);
    pthread_mutex_lock(&rec_one.lock);
    if (rec_one.users && (rec_one.want.hz != want->hz ||
                          rec_one.want.wall != want->wall))
        e = txt_fail(why, GP_ESTATE, "already profiling the %s clock at "
                     "%u Hz, cannot do the %s clock at %u Hz",
                     rec_one.want.wall ? "wall" : "CPU", rec_one.want.hz,
                     want->wall ? "wall" : "CPU", want->hz);
    else if (!rec_one.users)
        e = rec_begin(want, why);
    rec_one.users += !e;
    pthread_mutex_unlock(&rec_one.lock);
    pthread_mutex_unlock(&rec_life);
    return e;
}

/* Stop being a user; the last one stops the recorder and frees its tables. */
static void rec_close(void)
{
    pthread_mutex_lock(&rec_life);
    pthread_mutex_lock(&rec_one.lock);
    if (--rec_one.users == 0) {
        rec_end();
        rec_one.stop = true;
        pthread_cond_signal(&rec_one.wake);
        pthread_mutex_unlock(&rec_one.lock);
        pthread_join(rec_one.drain, NULL);
        pthread_mutex_lock(&rec_one.lock);
        pthread_cond_destroy(&rec_one.wake);
        rec_reset();
    }
    pthread_mutex_unlock(&rec_one.lock);
    pthread_mutex_unlock(&rec_life);
}

/* Release m. */
static void rec_mark_fini(struct rec_mark *m)
{
    mem_free(m->row);
    mem_free(m->calls);
    *m = (struct rec_mark){0};
}

/* Note in m the calls that source's server has answered so far. */
static int rec_mark_calls(struct rec_mark *m, const struct rec_source *source)
{
    struct rec_calls c;
    if (!source->server)
        return GP_OK;
    while (source->calls(source->server, m->ncalls, &c))
        m->ncalls++;
    m->calls = mem_zalloc(m->ncalls * sizeof *m->calls);
    for (size_t i = 0; m->calls && i < m->ncalls; i++)
        source->calls(source->server, i, &m->calls[i]);
    return m->calls ? GP_OK : GP_ENOMEM;
}

/* Note the recorder's state now in *m, owned by the caller; a user calls. */
static int rec_mark(struct rec_mark *m, const struct rec_source *source,
                    struct gp_why *why)
{
    pthread_mutex_lock(&rec_one.lock);
    assert(rec_one.users > 0);
    smp_drain(rec_on_sample, NULL);
    size_t threads = rec_scan(false, true);
    rec_slice(1);
    int64_t cpu_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    rec_charge_ended(cpu_ns);
    *m = (struct rec_mark){
        .nrows = rec_one.nrows,
        .total = rec_one.total,
        .wall_ns = sys_now_ns(),
        .unix_ns = sys_clock_ns(CLOCK_REALTIME),
        .process_cpu_ns = cpu_ns,
        .nthreads = threads,
    };
    struct rusage use = {0};
    getrusage(RUSAGE_SELF, &use);
    m->user = use.ru_utime;
    m->system = use.ru_stime;
    m->total.lost += smp_lost();
    m->row = mem_zalloc(m->nrows * sizeof *m->row);
    for (size_t i = 0; m->row && i < m->nrows; i++)
        m->row[i] = rec_one.row[i].sum;
    pthread_mutex_unlock(&rec_one.lock);
    if (m->row && !rec_mark_calls(m, source))
        return GP_OK;
    rec_mark_fini(m);
    return txt_fail(why, GP_ENOMEM, "out of memory");
}

/* What was recorded since the mark m, into *state; a user calls. */
static void rec_since(const struct rec_mark *m, struct gp_profiler_state *state)
{
    pthread_mutex_lock(&rec_one.lock);
    *state = (struct gp_profiler_state){
        .engine = rec_one.engine->name,
        .reason = rec_one.reason,
        .cost_ns = rec_one.cost_ns,
        .hz_expected = smp_expect(rec_one.engine, rec_one.hz),
        .samples = rec_one.total.samples - m->total.samples,
        .cpu_ns = sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - m->process_cpu_ns,
        .wall_ns = sys_now_ns() - m->wall_ns,
    };
    pthread_mutex_unlock(&rec_one.lock);
}

/* ---- a profile from two marks ---- */

struct rec_cut {                        /* what a window needs of rec_one */
    struct rec_row *row;                /* owned: those that grew; sum is the */
    size_t  nrows, row_cap;             /* window's, at and thread are here */
    uint64_t *pc;                       /* owned: the rows' stacks */
    size_t  npcs, pc_cap;
    struct slice *name;                 /* owned; text in the profile's arena */
    size_t  nnames;
    const struct smp_engine *engine;
    char    reason[sizeof rec_one.reason];      /* why that engine, or "" */
    unsigned hz;
};

struct rec_build {
    struct pp  *p;                      /* borrowed: being filled */
    struct rec_cut cut;
    struct elf  elf;
    struct index location, function;    /* address, name and file -> row of p */
    uint32_t   *mapping;                /* owned: elf.map row -> row of p */
    struct elf_spot *spot;              /* owned: p's locations */
};

/* Copy the rows that grew between the marks and their stacks into b->cut; the
 * lock is held. */
static int rec_cut_rows(struct rec_build *b, const struct rec_mark *from,
                        const struct rec_mark *to)
{
    struct rec_cut *c = &b->cut;
    for (size_t i = 0; i < to->nrows; i++) {
        struct rec_row r = rec_one.row[i];
        r.sum = to->row[i];
        if (i < from->nrows) {
            r.sum.n -= from->row[i].n;
            r.sum.ns -= from->row[i].ns;
        }
        if (!r.sum.n && !r.sum.ns)
            continue;
        uint64_t *pc = mem_grow(c->pc, &c->pc_cap, c->npcs + r.depth,
                                sizeof *pc);
        c->pc = pc ? pc : c->pc;
        struct rec_row *row = mem_grow(c->row, &c->row_cap, c->nrows + 1,
                                       sizeof *row);
        c->row = row ? row : c->row;
        if (!pc || !row)
            return GP_ENOMEM;
        memcpy(pc + c->npcs, rec_one.pc + r.at, r.depth * sizeof *pc);
        r.at = c->npcs;
        c->npcs += r.depth;
        row[c->nrows++] = r;
    }
    return GP_OK;
}

/* Copy into b->cut what the window between the marks needs of the recorder, so
 * that the lock is not held while files are read: no sample could be entered
 * in that time. */
static int rec_cut(struct rec_build *b, const struct rec_mark *from,
                   const struct rec_mark *to)
{
    struct rec_cut *c = &b->cut;
    pthread_mutex_lock(&rec_one.lock);
    c->engine = rec_one.engine;
    memcpy(c->reason, rec_one.reason, sizeof c->reason);
    c->hz = rec_one.hz;
    c->name = mem_zalloc(rec_one.nnames * sizeof *c->name);
    int e = c->name ? rec_cut_rows(b, from, to) : GP_ENOMEM;
    for (; !e && c->nnames < rec_one.nnames; c->nnames++) {
        struct slice s = rec_one.name[c->nnames];
        const char *copy = mem_arena_dup(&b->p->arena, s.p, s.n);
        c->name[c->nnames] = (struct slice){ copy, s.n };
        e = copy ? GP_OK : GP_ENOMEM;
    }
    pthread_mutex_unlock(&rec_one.lock);
    return e;
}

/* A copy of s in b's profile; *err is GP_ENOMEM where that fails. */
static struct slice rec_build_text(struct rec_build *b, const char *s,
                                   int *err)
{
    size_t n = strlen(s);
    const char *copy = mem_arena_dup(&b->p->arena, s, n);
    *err = copy ? *err : GP_ENOMEM;
    return (struct slice){ copy, copy ? n : 0 };
}

/* The function called name in file, entered if new; MEM_NONE without memory. */
static uint32_t rec_build_function(struct rec_build *b, const char *name,
                                   const char *file)
{
    struct slice s = txt_slice(name), in = txt_slice(file ? file : "");
    uint64_t key[2] = { mem_hash(s.p, s.n), mem_hash(in.p, in.n) };
    uint64_t h = mem_hash(key, sizeof key);
    struct pp *p = b->p;
    int err = GP_OK;
    for (uint32_t at = 0, i;
         (i = mem_index_next(&b->function, h, &at)) != MEM_NONE;)
        if (txt_equal(p->function[i].name, s) &&
            txt_equal(p->function[i].file, in))
            return i;
    struct pp_function *f = PP_ADD(p->function, p->nfunctions,
                                   p->function_cap);
    if (!f || mem_index_put(&b->function, h, (uint32_t)p->nfunctions - 1))
        return MEM_NONE;
    f->name = f->system_name = rec_build_text(b, name, &err);
    f->file = rec_build_text(b, in.p, &err);
    f->id = p->nfunctions;
    return err ? MEM_NONE : (uint32_t)p->nfunctions - 1;
}

/* Append the line of function name at line in file to location l, whose lines
 * are the last. */
static int rec_build_line(struct rec_build *b, struct pp_location *l,
                          const char *name, const char *file, int64_t line)
{
    struct pp *p = b->p;
    struct pp_line *n = PP_ADD(p->line, p->nlines, p->line_cap);
    if (!n)
        return GP_ENOMEM;
    n->line = line;
    n->function = rec_build_function(b, name, file);
    l->line = l->nlines ? l->line : (uint32_t)p->nlines - 1;
    l->nlines++;
    return n->function == MEM_NONE ? GP_ENOMEM : GP_OK;
}

/* Enter a mapping for map k of b->elf; MEM_NONE without memory. */
static uint32_t rec_build_mapping(struct rec_build *b, size_t k)
{
    struct pp *p = b->p;
    const struct elf_map *m = &b->elf.map[k];
    const struct elf_file *f = &b->elf.file[m->file];
    char *path = mem_arena_dup(&p->arena, f->path, strlen(f->path));
    struct pp_mapping *row = path ?
        PP_ADD(p->mapping, p->nmappings, p->mapping_cap) : NULL;
    if (!row)
        return MEM_NONE;
    *row = (struct pp_mapping){
        .id = p->nmappings, .start = m->start, .limit = m->limit,
        .offset = m->offset, .file = txt_slice(path),
    };
    return (uint32_t)p->nmappings - 1;
}

/* Fill location l for pc: its mapping; a frame that is no address also gets its
 * name, the others from rec_build_names. */
static int rec_build_frame(struct rec_build *b, struct pp_location *l,
                           uint64_t pc)
{
    l->mapping = MEM_NONE;
    if (pc < REC_PSEUDO_LIMIT)
        return rec_build_line(b, l, rec_pseudo_name[pc], NULL, 0);
    l->address = pc;
    const struct elf_map *m = elf_find_map(&b->elf, pc);
    if (!m)
        return GP_OK;
    uint32_t *mapping = &b->mapping[m - b->elf.map];
    if (*mapping == MEM_NONE)
        *mapping = rec_build_mapping(b, (size_t)(m - b->elf.map));
    l->mapping = *mapping;
    return l->mapping == MEM_NONE ? GP_ENOMEM : GP_OK;
}

/* The location of pc, entered if new; MEM_NONE without memory. */
static uint32_t rec_build_location(struct rec_build *b, uint64_t pc)
{
    struct pp *p = b->p;
    uint64_t h = mem_hash(&pc, sizeof pc);
    for (uint32_t at = 0, i;
         (i = mem_index_next(&b->location, h, &at)) != MEM_NONE;)
        if (pc < REC_PSEUDO_LIMIT ?
                !p->location[i].address && p->location[i].nlines &&
                !strcmp(p->function[p->line[p->location[i].line].function]
                            .name.p, rec_pseudo_name[pc])
              : p->location[i].address == pc)
            return i;
    struct pp_location *l = PP_ADD(p->location, p->nlocations,
                                   p->location_cap);
    if (!l || rec_build_frame(b, l, pc) ||
        mem_index_put(&b->location, h, (uint32_t)p->nlocations - 1))
        return MEM_NONE;
    l->id = p->nlocations;
    return (uint32_t)p->nlocations - 1;
}

/* Enter row r of b->cut as a sample with labels. */
static int rec_build_sample(struct rec_build *b, const struct rec_row *r)
{
    uint32_t stack[SMP_DEPTH + 1];
    const char *method = smp_label_text(r->label);
    struct pp_label label[3] = {
        { .key = txt_slice("thread"), .str = b->cut.name[r->thread] } };
    size_t n = 1;
    if (r->label)
        label[n++] = (struct pp_label){ .key = txt_slice("grpc.method"),
                                        .str = txt_slice(method) };
    if (r->state != REC_ON_CPU)
        label[n++] = (struct pp_label){ .key = txt_slice("state"),
            .str = txt_slice(r->state == REC_WAITING ? "waiting"
                                                     : "running") };
    for (uint16_t i = 0; i < r->depth; i++)
        if ((stack[i] = rec_build_location(b, b->cut.pc[r->at + i])) ==
            MEM_NONE)
            return GP_ENOMEM;
    int64_t value[2] = { (int64_t)r->sum.n, r->sum.ns };
    return pp_add_sample(b->p, stack, r->depth, value, label, n);
}

/* Enter all rows of b->cut, and [lost samples] between the marks. */
static int rec_build_samples(struct rec_build *b, const struct rec_mark *from,
                             const struct rec_mark *to)
{
    for (size_t i = 0; i < b->cut.nrows; i++)
        if (rec_build_sample(b, &b->cut.row[i]))
            return GP_ENOMEM;
    uint64_t lost = to->total.lost - from->total.lost;
    if (lost) {
        uint32_t at = rec_build_location(b, REC_LOST);
        int64_t value[2] = { (int64_t)lost, 0 };
        if (at == MEM_NONE || pp_add_sample(b->p, &at, 1, value, NULL, 0))
            return GP_ENOMEM;
    }
    return GP_OK;
}

/* The name of call k of spot s, c[0] the innermost, or NULL.  The outermost is
 * the symbol's function, by whatever alias addr2line calls it; so is an inlined
 * part of itself. */
static const char *rec_call_name(const struct elf_spot *s,
                                 const struct elf_call *c, size_t k)
{
    const char *own = c[s->ncalls - 1].name;
    bool same = c[k].name && own && !strcmp(c[k].name, own);
    return k + 1 == s->ncalls || same ? s->name : c[k].name;
}

/* Name the functions and lines of location i, an address. */
static int rec_build_name(struct rec_build *b, size_t i)
{
    struct pp_location *l = &b->p->location[i];
    const struct elf_spot *s = &b->spot[i];
    struct pp_mapping *m = s->map ? &b->p->mapping[l->mapping] : NULL;
    const struct elf_call *c = s->ncalls ? &b->elf.call[s->call] : NULL;
    bool placed = c != NULL;            /* file and line of all are known */
    int e = GP_OK;
    for (size_t k = 0; !e && k < s->ncalls; k++) {
        const char *name = rec_call_name(s, c, k);
        placed = placed && c[k].line && name;
        if (name)
            e = rec_build_line(b, l, name, c[k].file, c[k].line);
    }
    if (s->name && !c)
        e = rec_build_line(b, l, s->name, NULL, 0);
    if (m) {
        m->has_functions = m->has_functions && s->name;
        m->has_filenames = m->has_filenames && placed;
        m->has_lines = m->has_inline = m->has_filenames;
    }
    return e;
}

/* Name the functions and lines of all locations, and say of each mapping what
 * holds for all that lie in it. */
static int rec_build_names(struct rec_build *b)
{
    struct pp *p = b->p;
    b->spot = mem_zalloc(p->nlocations * sizeof *b->spot);
    if (!b->spot)
        return GP_ENOMEM;
    for (size_t i = 0; i < p->nlocations; i++) {
        struct pp_location *l = &p->location[i];
        b->spot[i].pc = l->address;
        if (l->mapping != MEM_NONE) {
            struct pp_mapping *m = &p->mapping[l->mapping];
            m->has_functions = m->has_filenames = true;
        }
    }
    elf_find_all(&b->elf, b->spot, p->nlocations);
    for (size_t i = 0; i < p->nlocations; i++)
        if (p->location[i].address && rec_build_name(b, i))
            return GP_ENOMEM;
    return GP_OK;
}

/* From a to b, in ns. */
static int64_t rec_between(const struct timeval *a, const struct timeval *b)
{
    return (int64_t)(b->tv_sec - a->tv_sec) * 1000000000 +
           (int64_t)(b->tv_usec - a->tv_usec) * 1000;
}

/* Enter the figures of the window as key=value comments. */
static int rec_build_comments(struct rec_build *b, const struct rec_mark *from,
                              const struct rec_mark *to)
{
    struct pp *p = b->p;
    const struct smp_engine *engine = b->cut.engine;
    uint64_t samples = to->total.samples - from->total.samples;
    double process = (double)(to->process_cpu_ns - from->process_cpu_ns);
    bool wall = engine->wall;
    int64_t sum = 0;
    int e = GP_OK;
    for (size_t i = 0; i < p->nsamples; i++)
        sum += p->value[2 * i + 1];
    double clock = wall ? (double)sum : process;
    if (!wall)
        e = pp_add_comment(p, "cpu_ns=%" PRId64, sum) |
            pp_add_comment(p, "coverage=%.4f",
                           process > 0 ? (double)sum / process : 1.0);
    if (engine->ticks)
        e |= pp_add_comment(p, "tick_hz=%u", smp_tick_hz());
    return e | pp_add_comment(p, "tool=grpcprof %s", GP_VERSION) |
        pp_add_comment(p, "engine=%s", engine->name) |
        (*b->cut.reason ? pp_add_comment(p, "engine_reason=%s", b->cut.reason)
                        : GP_OK) |
        pp_add_comment(p, "clock=%s", wall ? "wall" : "cpu") |
        pp_add_comment(p, "hz_asked=%u", b->cut.hz) |
        pp_add_comment(p, "hz_delivered=%.1f",
                       clock > 0 ? (double)samples / clock * 1e9 : 0.0) |
        pp_add_comment(p, "samples=%" PRIu64, samples) |
        pp_add_comment(p, "weight_squares=%.6g",
                       to->total.squares - from->total.squares) |
        pp_add_comment(p, "lost=%" PRIu64,
                       to->total.lost - from->total.lost) |
        pp_add_comment(p, "truncated=%" PRIu64,
                       to->total.truncated - from->total.truncated) |
        pp_add_comment(p, "unwind_failed=%" PRIu64,
                       to->total.failed - from->total.failed) |
        pp_add_comment(p, "process_cpu_ns=%.0f", process) |
        pp_add_comment(p, "process_user_ns=%" PRId64,
                       rec_between(&from->user, &to->user)) |
        pp_add_comment(p, "process_system_ns=%" PRId64,
                       rec_between(&from->system, &to->system)) |
        pp_add_comment(p, "threads_ended=%" PRIu64,
                       to->total.ended - from->total.ended) |
        pp_add_comment(p, "threads_without_timer=%" PRIu64,
                       to->total.unarmed - from->total.unarmed) |
        pp_add_comment(p, "wall_ns=%" PRId64, to->wall_ns - from->wall_ns) |
        pp_add_comment(p, "busy_wall_ns=%" PRId64,
                       to->total.busy_wall_ns - from->total.busy_wall_ns) |
        pp_add_comment(p, "busy_cpu_ns=%" PRId64,
                       to->total.busy_cpu_ns - from->total.busy_cpu_ns) |
        pp_add_comment(p, "cpus=%u", sys_cpus()) |
        pp_add_comment(p, "threads=%zu", to->nthreads);
}

/* Enter the calls in the window, by method and in all, and the notes. */
static int rec_build_calls(struct pp *p, const struct rec_mark *from,
                           const struct rec_mark *to,
                           const struct rec_source *source)
{
    static const struct rec_calls none;
    uint64_t all = 0;
    int e = GP_OK;
    for (size_t i = 0; i < to->ncalls; i++) {
        const struct rec_calls *b = &to->calls[i];
        const struct rec_calls *a = i < from->ncalls ? &from->calls[i] : &none;
        all += b->ended - a->ended;
        if (b->ended > a->ended)
            e |= pp_add_comment(p, "requests.%s=%" PRIu64, b->path,
                                b->ended - a->ended);
        if (b->timed > a->timed)
            e |= pp_add_comment(p, "handler_runs.%s=%" PRIu64, b->path,
                                b->timed - a->timed) |
                 pp_add_comment(p, "handler_cpu_ns.%s=%" PRIu64, b->path,
                                b->timed_cpu_ns - a->timed_cpu_ns);
    }
    if (source->server)
        e |= pp_add_comment(p, "requests=%" PRIu64, all);
    for (size_t i = 0; source->notes && i < source->notes->n; i++)
        e |= pp_add_comment(p, "%.*s", (int)source->notes->v[i].n,
                            source->notes->v[i].p);
    return e;
}

/* Everything of the profile but its calls and its release. */
static int rec_build(struct rec_build *b, const struct rec_mark *from,
                     const struct rec_mark *to)
{
    struct pp *p = b->p;
    size_t n = b->elf.nmaps;
    int err = GP_OK;
    b->mapping = mem_zalloc(n * sizeof *b->mapping);
    if (!b->mapping || rec_cut(b, from, to))
        return GP_ENOMEM;
    for (size_t k = 0; k < n; k++)
        b->mapping[k] = MEM_NONE;
    for (size_t k = 0; k < n; k++)      /* [PP]: mapping 1 is the program */
        if (b->elf.map[k].file == 0 && p->nmappings == 0) {
            if (elf_load(&b->elf.file[0]) ||
                (b->mapping[k] = rec_build_mapping(b, k)) == MEM_NONE)
                return GP_ENOMEM;
        }
    if (pp_add_type(p, txt_slice("samples"), txt_slice("count")) ||
        pp_add_type(p, txt_slice(b->cut.engine->wall ? "wall" : "cpu"),
                    txt_slice("nanoseconds")) ||
        rec_build_samples(b, from, to) || rec_build_names(b) ||
        rec_build_comments(b, from, to))
        return GP_ENOMEM;
    for (size_t k = 0; k < n; k++)      /* known once the file is read */
        if (b->mapping[k] != MEM_NONE)
            p->mapping[b->mapping[k]].build_id = rec_build_text(b,
                b->elf.file[b->elf.map[k].file].build_id, &err);
    p->period_type = p->type[1];
    p->period = 1000000000 / b->cut.hz;
    p->time_ns = from->unix_ns;
    p->duration_ns = to->wall_ns - from->wall_ns;
    return err;
}

/* Fill *p, empty, with the profile of what was recorded between two marks.  A
 * user calls; p is the caller's, and empty after a failure.  Reading lines
 * takes up to ELF_LINES_NS; the recorder and other windows go on meanwhile. */
static int rec_window(const struct rec_mark *from, const struct rec_mark *to,
                      const struct rec_source *source, struct pp *p,
                      struct gp_why *why)
{
    struct rec_build b = { .p = p };
    *p = (struct pp){0};
    int e = elf_init(&b.elf, why);
    if (e)
        return e;
    if (rec_build(&b, from, to) || rec_build_calls(p, from, to, source)) {
        e = txt_fail(why, GP_ENOMEM, "out of memory for the profile");
        pp_fini(p);
    }
    mem_free(b.cut.row);
    mem_free(b.cut.pc);
    mem_free(b.cut.name);
    mem_free(b.mapping);
    mem_free(b.spot);
    mem_index_fini(&b.location);
    mem_index_fini(&b.function);
    elf_fini(&b.elf);
    return e;
}

/* Put key=value among the notes t. */
static int rec_notes_add(struct rec_notes *t, const char *key,
                         const char *value)
{
    struct buf b = {0};
    txt_putf(&b, "%s=%s", key, value);
    char *copy = b.err ? NULL : mem_arena_dup(&t->arena, b.data, b.len);
    struct slice *s = copy ? PP_ADD(t->v, t->n, t->cap) : NULL;
    if (s)
        *s = (struct slice){ copy, b.len };
    mem_fini(&b);
    return s ? GP_OK : GP_ENOMEM;
}

/* Release t. */
static void rec_notes_fini(struct rec_notes *t)
{
    mem_free(t->v);
    mem_arena_fini(&t->arena);
    *t = (struct rec_notes){0};
}

/* Name of the engine that samples now and its rate, or NULL and 0. */
static const char *rec_running(unsigned *hz)
{
    pthread_mutex_lock(&rec_one.lock);
    const char *name = rec_one.users ? rec_one.engine->name : NULL;
    *hz = rec_one.users ? rec_one.hz : 0;
    pthread_mutex_unlock(&rec_one.lock);
    return name;
}

/* Become a user and begin a window at *from, as want says. */
static int rec_window_open(struct rec_mark *from, const struct rec_config *want,
                           const struct rec_source *source, struct gp_why *why)
{
    int e = rec_open(want, why);
    if (!e && (e = rec_mark(from, source, why)))
        rec_close();
    return e;
}

/* Fill *p, empty, with the profile of the window from *from until now, which
 * goes on; p is the caller's, and empty after a failure. */
static int rec_window_take(const struct rec_mark *from,
                           const struct rec_source *source, struct pp *p,
                           struct gp_why *why)
{
    struct rec_mark to;
    int e = rec_mark(&to, source, why);
    if (e)
        return e;
    e = rec_window(from, &to, source, p, why);
    rec_mark_fini(&to);
    return e;
}

/* End the window from *from: the last user stops the recorder. */
static void rec_window_close(struct rec_mark *from)
{
    rec_close();
    rec_mark_fini(from);
}

/* ================================= 13 VIEW ==================================
 * for     one sample type of a profile as functions: self and total values,
 *         sample counts, orders; call trees; folded stacks
 * uses    MEM, TXT, PP
 * owns    struct view, struct view_tree; names stay the profile's
 * spec    [PP]; pprof's rules for recursion, inlined lines and default type
 * prefix  view_
 * runs    any thread; a view has one user at a time, its profile may have many
 *
 * A frame is a line of a location, innermost first, or the location itself
 * when it has none.  Equal frames are one node.  Frames of location l are
 * frame[frame_at[l]] up to frame[frame_at[l + 1]]:
 *
 *   location 7: line 0 add (inlined), line 1 main   frames  3 1
 *   node 1 main, node 3 add
 *
 * Invariant  a node's cum has each sample at most once, however often the
 *            function stands in its stack; the flats of all nodes and the
 *            samples without a stack add up to net.
 * Does not   allocate per sample, interpret names, or trim.
 */

enum view_names {
    VIEW_APART,         /* a function is name and module; without a symbol
                         * it is module+0xoffset */
    VIEW_MERGED,        /* as VIEW_APART, but a function is its name alone */
    VIEW_PPROF,         /* a function is its name alone; without a symbol it
                         * is [module], as in pprof's tables */
};

struct view_sum {
    int64_t value;                      /* in the unit of the sample type */
    int64_t samples;                    /* how many samples it stands for */
    int64_t exact;                      /* of value: without a sample */
    double  squares;                    /* of the weights of those samples */
    double  merged;                     /* of all: squares as the rows show it,
                                         * equal weights in each; 0: no less */
};

struct view_node {
    struct slice name, file;            /* borrowed from view or profile */
    int64_t  line;                      /* where it begins; 0: not known */
    uint32_t module;                    /* row of pp.mapping, or MEM_NONE */
    bool     symbol;                    /* false: the name is an address */
    bool     inlined;                   /* somewhere not its outermost line */
    struct view_sum flat, cum;
};

struct view {
    const struct pp *pp;                /* borrowed */
    size_t type, count_type;            /* rows of pp.type; the second, of
                                         * samples/count, or SIZE_MAX */
    enum view_names names;
    struct arena arena;                 /* owned: names made here */
    struct view_node *node;             /* owned */
    size_t nnodes, node_cap;
    uint32_t *frame;                    /* owned: nodes */
    uint32_t *frame_at;                 /* owned: nlocations + 1 */
    uint32_t *module;                   /* owned, by mapping: the first of
                                         * the same file */
    struct index by_name;               /* hash of name and module -> node */
    struct view_sum total;              /* of absolute values, as in pprof */
    int64_t net;                        /* of values with their signs */
    int64_t counted;                    /* samples, weightless ones as well */
    size_t  negative;                   /* rows below 0: a difference */
};

/* a + b, or the end of the range that it would pass. */
static int64_t view_add(int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return b < 0 ? INT64_MIN : INT64_MAX;
    return r;
}

/* a - b, or the end of the range that it would pass. */
static int64_t view_sub(int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_sub_overflow(a, b, &r))
        return b < 0 ? INT64_MAX : INT64_MIN;
    return r;
}

/* a * b, or the end of the range that it would pass. */
static int64_t view_mul(int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return r;
}

/* |v|; INT64_MAX for the one value that has none. */
static int64_t view_abs(int64_t v)
{
    return v >= 0 ? v : v == INT64_MIN ? INT64_MAX : -v;
}

/* The last component of a path, borrowed. */
static struct slice view_base(struct slice path)
{
    size_t i = path.n;
    while (i > 0 && path.p[i - 1] != '/')
        i--;
    return (struct slice){ path.n ? path.p + i : path.p, path.n - i };
}

/* The sample type called name, or by its number; NULL: the one that pprof
 * would choose, default_sample_type or else the last. */
static int view_find_type(const struct pp *pp, const char *name, size_t *type,
                          struct gp_why *why)
{
    struct slice want = name ? txt_slice(name) : pp->default_type;
    uint64_t i;
    if (pp->ntypes == 0)
        return txt_fail(why, GP_EFORMAT, "the profile has no sample type");
    *type = pp->ntypes - 1;
    for (size_t t = 0; t < pp->ntypes; t++)
        if (want.n && txt_equal(pp->type[t].type, want)) {
            *type = t;
            return GP_OK;
        }
    if (!name)
        return GP_OK;
    if (!txt_number(name, 0, pp->ntypes - 1, &i)) {
        *type = (size_t)i;
        return GP_OK;
    }
    struct buf have = {0};
    for (size_t t = 0; t < pp->ntypes; t++) {
        txt_puts(&have, t ? ", " : "");
        mem_put(&have, pp->type[t].type.p, pp->type[t].type.n);
    }
    txt_fail(why, GP_EUSAGE, "no sample type '%s'; there are: %.*s", name,
             (int)(have.len > 150 ? 150 : have.len), (const char *)have.data);
    mem_fini(&have);
    return GP_EUSAGE;
}

/* Samples that row i with the weight w stands for: the count where the profile
 * has one, else w in periods, else one. */
static int64_t view_count(const struct view *v, size_t i, int64_t w)
{
    const struct pp *p = v->pp;
    if (v->count_type != SIZE_MAX)
        return view_abs(p->value[i * p->ntypes + v->count_type]);
    if (p->period > 0 && txt_equal(p->period_type.unit, p->type[v->type].unit))
        return view_abs(w) / p->period > 1 ? view_abs(w) / p->period : 1;
    return 1;
}

/* Add the weight w of count samples to s.  A weight without a sample was read
 * from a clock: it is exact, and adds nothing to the spread. */
static inline void view_sum_add(struct view_sum *s, int64_t w, int64_t count)
{
    s->value = view_add(s->value, w);
    s->samples = view_add(s->samples, count);
    if (count > 0)
        s->squares += (double)w * (double)w / (double)count;
    else
        s->exact = view_add(s->exact, w);
}

/* The number of equal samples that would be as uncertain as s: Kish's
 * (sum w)^2 / sum w^2; 0 when there are none. */
static double view_effective(const struct view_sum *s)
{
    double sampled = (double)s->value - (double)s->exact;
    return s->squares > 0 ? sampled * sampled / s->squares : 0;
}

/* The node of name in module, entered if new; MEM_NONE without memory. */
static uint32_t view_intern(struct view *v, struct slice name, uint32_t module)
{
    uint64_t h = mem_hash(name.p, name.n) ^
                 (uint64_t)module * 0x9e3779b97f4a7c15u;
    for (uint32_t at = 0, i;
         (i = mem_index_next(&v->by_name, h, &at)) != MEM_NONE;)
        if (v->node[i].module == module && txt_equal(v->node[i].name, name))
            return i;
    void *p = v->nnodes < MEM_NONE - 1 ?
        mem_grow(v->node, &v->node_cap, v->nnodes + 1, sizeof *v->node) : NULL;
    if (!p)
        return MEM_NONE;
    v->node = p;
    v->node[v->nnodes] = (struct view_node){ .name = name, .module = module };
    if (mem_index_put(&v->by_name, h, (uint32_t)v->nnodes))
        return MEM_NONE;
    return (uint32_t)v->nnodes++;
}

/* The node of a place without a symbol at l; MEM_NONE without memory. */
static uint32_t view_intern_address(struct view *v,
                                    const struct pp_location *l)
{
    static const struct slice none[] = { { "[unknown]", 9 },
                                         { "<unknown>", 9 } };
    bool pprof = v->names == VIEW_PPROF;
    const struct pp_mapping *m = l->mapping == MEM_NONE ? NULL
                                 : &v->pp->mapping[l->mapping];
    if (!m || m->file.n == 0)
        return view_intern(v, none[pprof], MEM_NONE);
    struct slice base = view_base(m->file);
    uint32_t module = v->module[l->mapping];
    size_t room = base.n + 24;
    char *text = mem_arena_alloc(&v->arena, room);
    if (!text)
        return MEM_NONE;
    int n = pprof
        ? snprintf(text, room, "[%.*s]", (int)base.n, base.p)
        : snprintf(text, room, "%.*s+0x%" PRIx64, (int)base.n, base.p,
                   l->address - m->start + m->offset);
    return view_intern(v, (struct slice){ text, n > 0 ? (size_t)n : 0 },
                       module);
}

/* The node of line of l, NULL when it has none; MEM_NONE without memory. */
static uint32_t view_intern_line(struct view *v, const struct pp_location *l,
                                 const struct pp_line *line)
{
    const struct pp_function *f = !line || line->function == MEM_NONE ? NULL
                                  : &v->pp->function[line->function];
    struct slice name = f ? f->name : (struct slice){0};
    if (f && name.n == 0 && v->names != VIEW_PPROF)
        name = f->system_name;
    if (name.n == 0)
        return view_intern_address(v, l);
    bool apart = v->names == VIEW_APART && l->mapping != MEM_NONE;
    uint32_t i = view_intern(v, name,
                             apart ? v->module[l->mapping] : MEM_NONE);
    if (i == MEM_NONE)
        return i;
    struct view_node *n = &v->node[i];
    n->symbol = true;
    if (n->file.n == 0) {
        n->file = f->file;
        n->line = f->start_line;
    }
    return i;
}

/* Fill v->module: mappings of one file are one module. */
static int view_init_modules(struct view *v)
{
    const struct pp *p = v->pp;
    struct index x = {0};
    int e = GP_OK;
    v->module = mem_zalloc(p->nmappings * sizeof *v->module);
    if (!v->module)
        return GP_ENOMEM;
    for (uint32_t i = 0; i < p->nmappings && !e; i++) {
        struct slice file = p->mapping[i].file;
        uint64_t h = mem_hash(file.p, file.n);
        uint32_t at = 0, k;
        while ((k = mem_index_next(&x, h, &at)) != MEM_NONE)
            if (txt_equal(p->mapping[k].file, file))
                break;
        v->module[i] = k == MEM_NONE ? i : k;
        if (k == MEM_NONE)
            e = mem_index_put(&x, h, i);
    }
    mem_index_fini(&x);
    return e;
}

/* Fill v->frame and v->frame_at, and the nodes that they name. */
static int view_init_frames(struct view *v)
{
    const struct pp *p = v->pp;
    uint64_t n = 0;
    for (size_t i = 0; i < p->nlocations; i++)
        n += p->location[i].nlines ? p->location[i].nlines : 1;
    if (n >= MEM_NONE)
        return GP_ELIMIT;
    v->frame = mem_zalloc(n * sizeof *v->frame);
    v->frame_at = mem_zalloc((p->nlocations + 1) * sizeof *v->frame_at);
    if (!v->frame || !v->frame_at)
        return GP_ENOMEM;
    uint32_t at = 0;
    for (size_t i = 0; i < p->nlocations; i++) {
        const struct pp_location *l = &p->location[i];
        for (uint32_t k = 0; k < l->nlines || k == 0; k++) {
            uint32_t node = view_intern_line(v, l, l->nlines ?
                                             &p->line[l->line + k] : NULL);
            if (node == MEM_NONE)
                return GP_ENOMEM;
            v->node[node].inlined |= k + 1 < l->nlines;
            v->frame[at++] = node;
        }
        v->frame_at[i + 1] = at;
    }
    return GP_OK;
}

/* Add row i to the nodes of its stack.  stamp[node] == i + 1 when the row has
 * been added to the node already. */
static void view_add_sample(struct view *v, size_t i, uint32_t *stamp)
{
    const struct pp *p = v->pp;
    int64_t w = p->value[i * p->ntypes + v->type];
    int64_t count = view_count(v, i, w);
    bool leaf = true;
    if (w || v->count_type != SIZE_MAX)
        v->counted = view_add(v->counted, count);
    if (w == 0)
        return;
    v->negative += w < 0;
    v->net = view_add(v->net, w);
    view_sum_add(&v->total, view_abs(w), count);
    for (uint32_t k = p->stack_at[i]; k < p->stack_at[i + 1]; k++) {
        uint32_t l = p->stack[k];
        for (uint32_t f = v->frame_at[l]; f < v->frame_at[l + 1]; f++) {
            uint32_t n = v->frame[f];
            if (leaf)
                view_sum_add(&v->node[n].flat, w, count);
            leaf = false;
            if (stamp[n] != (uint32_t)i + 1)
                view_sum_add(&v->node[n].cum, w, count);
            stamp[n] = (uint32_t)i + 1;
        }
    }
}

/* Release v and leave it all zero. */
static void view_fini(struct view *v)
{
    mem_arena_fini(&v->arena);
    mem_free(v->node);
    mem_free(v->frame);
    mem_free(v->frame_at);
    mem_free(v->module);
    mem_index_fini(&v->by_name);
    *v = (struct view){0};
}

/* Make v the view of one sample type of p (a row of p->type), which must
 * outlive it.  On failure v is all zero. */
static int view_init(struct view *v, const struct pp *p, size_t type,
                     enum view_names names, struct gp_why *why)
{
    *v = (struct view){ .pp = p, .type = type, .names = names,
                        .count_type = SIZE_MAX };
    for (size_t t = 0; t < p->ntypes; t++)
        if (txt_equal(p->type[t].type, txt_slice("samples")) &&
            txt_equal(p->type[t].unit, txt_slice("count")))
            v->count_type = t;
    int e = view_init_modules(v);
    if (!e)
        e = view_init_frames(v);
    uint32_t *stamp = e ? NULL : mem_zalloc(v->nnodes * sizeof *stamp);
    if (!e && !stamp)
        e = GP_ENOMEM;
    for (size_t i = 0; i < p->nsamples && !e; i++)
        view_add_sample(v, i, stamp);
    mem_free(stamp);
    /* Equal stacks are one row of the profile, which hides how the weights of
     * its samples differ; our own recorder has noted that. */
    double squares = txt_finite(pp_comment(p, "weight_squares"));
    if (type != v->count_type && squares > v->total.squares) {
        v->total.merged = v->total.squares;
        v->total.squares = squares;
    }
    if (e) {
        view_fini(v);
        txt_fail(why, e, e == GP_ENOMEM ? "out of memory" :
                 "the profile has too many frames");
    }
    return e;
}

/* ---- orders ---- */

enum view_by { VIEW_BY_NAME, VIEW_BY_FLAT, VIEW_BY_CUM };

struct view_sort {                      /* what qsort_r hands through */
    const struct view_node *node;       /* borrowed */
    enum view_by by;
};

/* Order of two names: by bytes, the shorter first. */
static int view_compare_names(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int r = n ? memcmp(a.p, b.p, n) : 0;
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

/* Order of two nodes, never 0 for different ones: by size down, as pprof does
 * by absolute value, then by name, then by age. */
static int view_compare(const void *a, const void *b, void *sort)
{
    const struct view_sort *s = sort;
    uint32_t i, k;
    memcpy(&i, a, sizeof i);
    memcpy(&k, b, sizeof k);
    const struct view_node *x = &s->node[i], *y = &s->node[k];
    int64_t xf = view_abs(x->flat.value), yf = view_abs(y->flat.value);
    int64_t xc = view_abs(x->cum.value), yc = view_abs(y->cum.value);
    if (s->by == VIEW_BY_FLAT && xf != yf)
        return xf < yf ? 1 : -1;
    if (s->by == VIEW_BY_CUM && xc != yc)
        return xc < yc ? 1 : -1;
    int r = view_compare_names(x->name, y->name);
    if (r || s->by == VIEW_BY_NAME)
        return r ? r : (i > k) - (i < k);
    if (xc != yc)
        return xc < yc ? 1 : -1;
    if (xf != yf)
        return xf < yf ? 1 : -1;
    return (i > k) - (i < k);
}

/* The nodes with a value (all of them by name) in order, *n of them; owned by
 * the caller until mem_free; NULL without memory. */
static uint32_t *view_order(const struct view *v, enum view_by by, size_t *n)
{
    uint32_t *order = mem_zalloc(v->nnodes * sizeof *order);
    struct view_sort sort = { v->node, by };
    *n = 0;
    if (!order)
        return NULL;
    for (uint32_t i = 0; i < v->nnodes; i++)
        if (by == VIEW_BY_NAME || v->node[i].cum.value ||
            v->node[i].flat.value)
            order[(*n)++] = i;
    qsort_r(order, *n, sizeof *order, view_compare, &sort);
    return order;
}

/* ---- call trees ---- */

struct view_call {                      /* a node in its calling context */
    uint32_t node;                      /* row of view.node; MEM_NONE: root */
    uint32_t depth;                     /* the root's is 0 */
    int64_t  start, self, total;        /* in the unit of the sample type; a
                                         * child's start and total lie inside
                                         * its parent's, its own come first */
    int64_t  samples;                   /* of total */
};

struct view_tree {
    const struct view *view;            /* borrowed */
    struct view_call *call;             /* owned; call[0]: the root; then
                                         * every call before those that it
                                         * makes, siblings by name */
    size_t n, cap;                      /* calls */
    size_t pruned;                      /* calls left out: too small */
    uint32_t depth;                     /* the greatest */
};

struct view_rows {                      /* samples as they are sorted */
    uint32_t *frame;                    /* owned: ranks of names, root first */
    size_t   *at;                       /* owned, by row: where its begin; the
                                         * row after ends them */
    uint32_t *row;                      /* owned: rows with a value */
    size_t    n;                        /* of row */
};

/* Release t and leave it all zero. */
static void view_tree_fini(struct view_tree *t)
{
    mem_free(t->call);
    *t = (struct view_tree){0};
}

/* Order of two rows: by their stacks from the root, the shorter first. */
static int view_compare_rows(const void *a, const void *b, void *rows)
{
    const struct view_rows *r = rows;
    uint32_t i, k;
    memcpy(&i, a, sizeof i);
    memcpy(&k, b, sizeof k);
    size_t x = r->at[i], y = r->at[k];
    while (x < r->at[i + 1] && y < r->at[k + 1] && r->frame[x] == r->frame[y])
        x++, y++;
    if (x == r->at[i + 1] || y == r->at[k + 1])
        return (x < r->at[i + 1]) - (y < r->at[k + 1]);
    return r->frame[x] < r->frame[y] ? -1 : 1;
}

/* Fill r with the rows of v that have a value, above 0 when positive, sorted;
 * rank[node] orders names. */
static int view_rows_init(struct view_rows *r, const struct view *v,
                          const uint32_t *rank, bool positive)
{
    const struct pp *p = v->pp;
    size_t n = 0;
    for (size_t k = 0; k < p->nstack; k++)
        n += v->frame_at[p->stack[k] + 1] - v->frame_at[p->stack[k]];
    r->frame = mem_zalloc(n * sizeof *r->frame);
    r->at = mem_zalloc((p->nsamples + 1) * sizeof *r->at);
    r->row = mem_zalloc(p->nsamples * sizeof *r->row);
    if (!r->frame || !r->at || !r->row)
        return GP_ENOMEM;
    n = 0;
    for (size_t i = 0; i < p->nsamples; i++) {
        int64_t w = p->value[i * p->ntypes + v->type];
        if (positive ? w > 0 : w != 0) {
            r->row[r->n++] = (uint32_t)i;
            for (uint32_t k = p->stack_at[i + 1]; k-- > p->stack_at[i];) {
                uint32_t l = p->stack[k];
                for (uint32_t f = v->frame_at[l + 1]; f-- > v->frame_at[l];)
                    r->frame[n++] = rank[v->frame[f]];
            }
        }
        r->at[i + 1] = n;
    }
    qsort_r(r->row, r->n, sizeof *r->row, view_compare_rows, r);
    return GP_OK;
}

/* End the open calls below depth, path[d] being the one at depth d: their
 * totals are what came since they began, at value and samples now.  A call
 * under least is taken back with those that it made, which all stand after
 * it. */
static void view_tree_close(struct view_tree *t, uint32_t *path,
                            uint32_t *open, uint32_t depth,
                            const struct view_sum *now, int64_t least)
{
    for (; *open > depth; --*open) {
        uint32_t i = path[*open - 1];
        struct view_call *c = &t->call[i];
        c->total = view_sub(now->value, c->start);
        c->samples = view_sub(now->samples, c->samples);
        if (c->total < least) {
            t->pruned += t->n - i;
            t->n = i;
        } else if (c->depth > t->depth) {
            t->depth = c->depth;
        }
    }
}

/* Open a call of node at depth; GP_ENOMEM leaves t as it was. */
static int view_tree_open(struct view_tree *t, uint32_t node, uint32_t depth,
                          const struct view_sum *now)
{
    void *p = t->n < MEM_NONE - 1 ?
        mem_grow(t->call, &t->cap, t->n + 1, sizeof *t->call) : NULL;
    if (!p)
        return GP_ENOMEM;
    t->call = p;
    t->call[t->n++] = (struct view_call){
        .node = node, .depth = depth, .start = now->value,
        .samples = now->samples };
    return GP_OK;
}

/* Build the calls of the sorted rows: what a row has in common with the one
 * before stays open, the rest is closed and opened.  path has room for the
 * deepest stack and the root. */
static int view_tree_build(struct view_tree *t, const struct view_rows *r,
                           const uint32_t *order, uint32_t *path,
                           int64_t least)
{
    const struct view *v = t->view;
    const struct pp *p = v->pp;
    struct view_sum now = {0};
    size_t before = 0;
    uint32_t open = 1;
    int e = view_tree_open(t, MEM_NONE, 0, &now);
    path[0] = 0;
    for (size_t k = 0; k < r->n && !e; k++) {
        uint32_t i = r->row[k], same = 0;
        size_t from = r->at[i], n = r->at[i + 1] - from;
        while (same < n && same + 1 < open &&
               r->frame[from + same] == r->frame[before + same])
            same++;
        view_tree_close(t, path, &open, same + 1, &now, least);
        for (; open <= n && !e; open++) {
            path[open] = (uint32_t)t->n;
            e = view_tree_open(t, order[r->frame[from + open - 1]], open,
                               &now);
        }
        int64_t w = p->value[i * p->ntypes + v->type];
        if (!e)
            t->call[path[n]].self = view_add(t->call[path[n]].self, w);
        now.value = view_add(now.value, w);
        now.samples = view_add(now.samples, view_count(v, i, w));
        before = from;
    }
    if (!e)
        view_tree_close(t, path, &open, 0, &now, INT64_MIN);
    return e;
}

/* Make t the call tree of v, which must outlive it; on failure t is all zero.
 * With least above 0 only rows above 0 count, and calls under least are left
 * out. */
static int view_tree_init(struct view_tree *t, const struct view *v,
                          int64_t least, struct gp_why *why)
{
    struct view_rows r = {0};
    size_t n, deepest = 0;
    *t = (struct view_tree){ .view = v };
    uint32_t *path = NULL, *rank = mem_zalloc(v->nnodes * sizeof *rank);
    uint32_t *order = view_order(v, VIEW_BY_NAME, &n);
    int e = rank && order ? GP_OK : GP_ENOMEM;
    for (uint32_t i = 0; i < n && !e; i++)
        rank[order[i]] = i;
    if (!e)
        e = view_rows_init(&r, v, rank, least > 0);
    for (size_t i = 0; i < v->pp->nsamples && !e; i++)
        if (r.at[i + 1] - r.at[i] > deepest)
            deepest = r.at[i + 1] - r.at[i];
    if (!e && !(path = mem_zalloc((deepest + 1) * sizeof *path)))
        e = GP_ENOMEM;
    if (!e)
        e = view_tree_build(t, &r, order, path, least > 0 ? least : INT64_MIN);
    mem_free(path);
    mem_free(rank);
    mem_free(order);
    mem_free(r.frame);
    mem_free(r.at);
    mem_free(r.row);
    if (e) {
        view_tree_fini(t);
        txt_fail(why, e, "out of memory");
    }
    return e;
}

/* name without the directories of its package, "github.com/a/b.f" to "b.f":
 * up to the last slash before its arguments. */
static struct slice view_short_name(struct slice name)
{
    size_t begin = 0;
    for (size_t i = 0; i < name.n && !strchr("([<{ ", name.p[i]); i++)
        if (name.p[i] == '/' && i + 1 < name.n)
            begin = i + 1;
    return (struct slice){ name.n ? name.p + begin : name.p, name.n - begin };
}

/* Append name as txt_put_clean does, but a tab, which stands in the names of
 * Linux's modules ("virtnet_poll\t[virtio_net]"), as the character tab. */
static void view_put_name(struct buf *b, struct slice name, char tab)
{
    for (const char *p; name.n; name.p = p, name.n--) {
        p = memchr(name.p, '\t', name.n);
        size_t n = p ? (size_t)(p - name.p) : name.n;
        txt_put_clean(b, (struct slice){ name.p, n });
        if (!p)
            return;
        mem_put_byte(b, (uint8_t)tab);
        p++;
        name.n -= n;
    }
}

/* Append name as folded stacks can hold it: `;` and line ends would end it. */
static void view_put_folded_name(struct buf *b, struct slice name)
{
    size_t begin = b->len;
    view_put_name(b, name, ' ');
    for (size_t i = begin; i < b->len; i++)
        if (b->data[i] == ';')
            b->data[i] = ':';
}

/* Append the folded stacks of t: `root;caller;leaf value` and a line end, each
 * stack once, in the order of their names. */
static int view_put_folded(const struct view_tree *t, struct buf *b)
{
    struct buf path = {0};
    size_t *end = mem_zalloc(((size_t)t->depth + 1) * sizeof *end);
    for (size_t i = 1; end && i < t->n; i++) {
        const struct view_call *c = &t->call[i];
        path.len = end[c->depth - 1];
        if (c->depth > 1)
            mem_put_byte(&path, ';');
        view_put_folded_name(&path, t->view->node[c->node].name);
        end[c->depth] = path.len;
        if (c->self) {
            mem_put(b, path.data, path.len);
            txt_putf(b, " %" PRId64 "\n", c->self);
        }
    }
    if (!end || path.err)
        b->err = GP_ENOMEM;
    mem_free(end);
    mem_fini(&path);
    return b->err;
}

/* ---- inlining, as pprof's tables tell it ---- */

enum { VIEW_INLINED = 1, VIEW_CALLED = 2 };     /* both: in part */

struct view_edge {
    uint32_t from, to;                  /* nodes */
    int64_t  value;                     /* each row once */
    size_t   stamp;                     /* row + 1 that was added last */
    bool     inlined;                   /* wherever it was seen */
};

struct view_edges {
    struct view_edge *edge;             /* owned */
    size_t n, cap;
    struct index by_ends;
};

/* The edge between two nodes, entered if new; NULL without memory. */
static struct view_edge *view_edge(struct view_edges *x, uint32_t from,
                                   uint32_t to)
{
    uint64_t ends = (uint64_t)from << 32 | to;
    uint64_t h = mem_hash(&ends, sizeof ends);
    for (uint32_t at = 0, i;
         (i = mem_index_next(&x->by_ends, h, &at)) != MEM_NONE;)
        if (x->edge[i].from == from && x->edge[i].to == to)
            return &x->edge[i];
    void *p = mem_grow(x->edge, &x->cap, x->n + 1, sizeof *x->edge);
    if (!p)
        return NULL;
    x->edge = p;
    x->edge[x->n] = (struct view_edge){ .from = from, .to = to,
                                        .inlined = true };
    if (mem_index_put(&x->by_ends, h, (uint32_t)x->n))
        return NULL;
    return &x->edge[x->n++];
}

/* Add the edges of row i into nodes that are inlined somewhere, with nodes
 * that are not in keep passed over. */
static int view_add_edges(const struct view *v, size_t i, const bool *keep,
                          struct view_edges *x)
{
    const struct pp *p = v->pp;
    int64_t w = p->value[i * p->ntypes + v->type];
    uint32_t parent = MEM_NONE;
    for (uint32_t k = w ? p->stack_at[i + 1] : 0; k-- > p->stack_at[i];) {
        uint32_t l = p->stack[k], last = v->frame_at[l + 1] - 1;
        for (uint32_t f = last + 1; f-- > v->frame_at[l];) {
            uint32_t n = v->frame[f];
            if (!keep[n])
                continue;
            if (v->node[n].inlined && parent != MEM_NONE && parent != n) {
                struct view_edge *e = view_edge(x, parent, n);
                if (!e)
                    return GP_ENOMEM;
                if (e->stamp != i + 1) {
                    e->stamp = i + 1;
                    e->value = view_add(e->value, w);
                    e->inlined &= f != last;
                }
            }
            parent = n;
        }
    }
    return GP_OK;
}

/* How each node in keep is entered, VIEW_INLINED or VIEW_CALLED or both, by
 * edges of at least cutoff: bytes owned by the caller until mem_free, or NULL
 * without memory. */
static uint8_t *view_inlining(const struct view *v, const bool *keep,
                              int64_t cutoff)
{
    struct view_edges x = {0};
    uint8_t *how = mem_zalloc(v->nnodes);
    bool any = false;
    int e = how ? GP_OK : GP_ENOMEM;
    for (size_t i = 0; i < v->nnodes; i++)
        any |= v->node[i].inlined && keep[i];
    for (size_t i = 0; any && i < v->pp->nsamples && !e; i++)
        e = view_add_edges(v, i, keep, &x);
    for (size_t i = 0; i < x.n && !e; i++)
        if (view_abs(x.edge[i].value) >= cutoff)
            how[x.edge[i].to] |= x.edge[i].inlined ? VIEW_INLINED
                                                   : VIEW_CALLED;
    mem_free(x.edge);
    mem_index_fini(&x.by_ends);
    if (e) {
        mem_free(how);
        how = NULL;
    }
    return how;
}

/* ================================== 14 ANL ==================================
 * for     what a profile says and how sure that is: categories, intervals,
 *         trust, utilisation, verdict, advice
 * uses    MEM, TXT, PP, VIEW
 * owns    struct anl and the texts in it
 * spec    Wilson 1927 (intervals), Kish 1965 (effective number of samples)
 * prefix  anl_
 * runs    any thread
 *
 * A sample has one category: that of its first frame, from the leaf, that the
 * tables below recognise.  Frames of a profiler's own signal handler are passed
 * over; so are memory copies, which work for their caller; read() and write()
 * are network only under a frame of network or protocol.  So shares add up to
 * the whole.  Whether an application's frame stands above it is a second,
 * independent question.
 *
 * Invariant  every share carries its samples and its interval; nothing that is
 *            unknown is a number: it is NAN, and prints as unknown.
 * Does not   print, and never infers waiting from a share of CPU time.
 */

/* ---- categories ---- */

enum anl_category {
    ANL_APPLICATION, ANL_NETWORK, ANL_SYSCALLS, ANL_PROTOCOL, ANL_MEMORY,
    ANL_LOCKS, ANL_SERIAL, ANL_CRYPTO, ANL_COMPRESSION, ANL_TIME,
    ANL_LIBRARIES, ANL_PROFILER, ANL_UNKNOWN,
    ANL_CATEGORIES,
    ANL_COPY = ANL_CATEGORIES,          /* of functions; no sample has it */
};

static const char *const anl_category_name[ANL_CATEGORIES + 1] = {
    [ANL_APPLICATION] = "application",
    [ANL_NETWORK]     = "network system calls",
    [ANL_SYSCALLS]    = "other system calls",
    [ANL_PROTOCOL]    = "HTTP/2 and gRPC protocol",
    [ANL_MEMORY]      = "memory management",
    [ANL_LOCKS]       = "atomics and locks",
    [ANL_SERIAL]      = "serialisation",
    [ANL_CRYPTO]      = "TLS and cryptography",
    [ANL_COMPRESSION] = "compression",
    [ANL_TIME]        = "reading the time",
    [ANL_LIBRARIES]   = "runtime and libraries",
    [ANL_PROFILER]    = "profiler",
    [ANL_UNKNOWN]     = "unknown",
    [ANL_COPY]        = "memory copy",
};

enum anl_flag {
    ANL_HANDLER    = 1,     /* a profiler's signal handler: it and all that it
                             * called did not run in the program's name */
    ANL_TRAMPOLINE = 2,     /* between such a handler and what it stopped */
    ANL_TRANSPARENT = 4,    /* works for its caller, whose category counts */
    ANL_BY_CALLER  = 8,     /* network under network frames, else as it says */
    ANL_ENTRY      = 16,    /* where threads begin: a stack down to it is
                             * whole */
    ANL_PSEUDO     = 32,    /* not a function: time without a stack */
};

/* Patterns match whole names.  `*` is any text, `.` is a dot or a slash (Java
 * has both), all else itself.  The first row that matches decides. */
struct anl_rule {
    const char *name;
    uint8_t category, flags;            /* enum anl_category, anl_flag */
};

/* Frames of grpcprof itself, by the prefixes of its sections. */
static const struct anl_rule anl_rules_own[] = {
    { "h2_*", ANL_PROTOCOL, 0 },    { "rpc_*", ANL_PROTOCOL, 0 },
    { "hpack_*", ANL_PROTOCOL, 0 }, { "pb_*", ANL_SERIAL, 0 },
    { "net_*", ANL_NETWORK, 0 },    { "svc_*", ANL_APPLICATION, 0 },
    { "gz_*", ANL_COMPRESSION, 0 }, { "mem_*", ANL_MEMORY, 0 },
    { "smp_on_*", ANL_PROFILER, ANL_HANDLER },
    { "smp_*_sig", ANL_PROFILER, ANL_HANDLER },
    { "smp_*", ANL_PROFILER, 0 },   { "rec_*", ANL_PROFILER, 0 },
    { "pp_*", ANL_PROFILER, 0 },    { "elf_*", ANL_PROFILER, 0 },
    { "svg_*", ANL_PROFILER, 0 },   { "view_*", ANL_PROFILER, 0 },
    { "anl_*", ANL_PROFILER, 0 },
    { "main", ANL_LIBRARIES, ANL_ENTRY },
    { "sys_thread_*", ANL_LIBRARIES, ANL_ENTRY },
    { "cmd_*", ANL_LIBRARIES, 0 },  { "gp_*", ANL_LIBRARIES, 0 },
    { "job_*", ANL_LIBRARIES, 0 },  { "sys_*", ANL_LIBRARIES, 0 },
    { "txt_*", ANL_LIBRARIES, 0 },  { "js_*", ANL_LIBRARIES, 0 },
    { "hdr_*", ANL_LIBRARIES, 0 },  { "web_*", ANL_LIBRARIES, 0 },
    { "load_*", ANL_APPLICATION, 0 },
};

/* Names that mean the same in whatever file they stand. */
static const struct anl_rule anl_rules[] = {
    /* time that has no stack, and where stacks begin */
    { "[profiler]", ANL_PROFILER, ANL_PSEUDO },
    { "[unsampled]", ANL_UNKNOWN, ANL_PSEUDO },
    { "[lost samples]", ANL_UNKNOWN, ANL_PSEUDO },
    { "[truncated]", ANL_UNKNOWN, ANL_PSEUDO },
    { "runtime._LostExternalCode", ANL_UNKNOWN, ANL_PSEUDO },
    { "runtime._ExternalCode", ANL_UNKNOWN, ANL_PSEUDO },
    { "_start", ANL_LIBRARIES, ANL_ENTRY },
    { "__libc_start_*", ANL_LIBRARIES, ANL_ENTRY },
    { "start_thread", ANL_LIBRARIES, ANL_ENTRY },
    { "clone", ANL_LIBRARIES, ANL_ENTRY },
    { "clone3", ANL_LIBRARIES, ANL_ENTRY },
    { "__clone*", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.goexit*", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.main", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.mstart*", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.mcall", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.morestack*", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.rt0_go*", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime.systemstack", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime._System", ANL_LIBRARIES, ANL_ENTRY },
    { "runtime._GC", ANL_MEMORY, ANL_ENTRY },
    { "java.lang.Thread.run*", ANL_LIBRARIES, ANL_ENTRY },
    { "thread_native_entry*", ANL_LIBRARIES, ANL_ENTRY },
    { "Py_RunMain", ANL_LIBRARIES, ANL_ENTRY },
    { "(root)", ANL_LIBRARIES, ANL_ENTRY },
    { "(program)", ANL_LIBRARIES, ANL_ENTRY },
    { "(idle)", ANL_LIBRARIES, ANL_ENTRY },
    { "std::rt::lang_start*", ANL_LIBRARIES, ANL_ENTRY },

    /* profilers */
    { "perf_signal_handler", ANL_PROFILER, ANL_HANDLER },
    { "pprof::*", ANL_PROFILER, ANL_HANDLER },
    { "<pprof::*", ANL_PROFILER, ANL_HANDLER },
    { "backtrace::backtrace::*", ANL_PROFILER, ANL_HANDLER },
    { "<backtrace::*", ANL_PROFILER, ANL_HANDLER },
    { "ProfileData::Add*", ANL_PROFILER, ANL_HANDLER },
    { "*CpuProfiler::prof_handler*", ANL_PROFILER, ANL_HANDLER },
    { "*ProfileHandler::SignalHandler*", ANL_PROFILER, ANL_HANDLER },
    { "runtime.sigprof*", ANL_PROFILER, ANL_HANDLER },
    { "__restore", ANL_PROFILER, ANL_TRAMPOLINE },
    { "__restore_rt", ANL_PROFILER, ANL_TRAMPOLINE },
    { "__kernel_rt_sigreturn", ANL_PROFILER, ANL_TRAMPOLINE },
    { "__pthread_sighandler", ANL_PROFILER, ANL_TRAMPOLINE },
    { "killpg", ANL_PROFILER, ANL_TRAMPOLINE },
    { "runtime.sigtramp*", ANL_PROFILER, ANL_TRAMPOLINE },
    { "runtime.sighandler", ANL_PROFILER, ANL_TRAMPOLINE },
    { "runtime.pprof.*", ANL_PROFILER, 0 },
    { "backtrace", ANL_PROFILER, 0 },
    { "__backtrace", ANL_PROFILER, 0 },
    { "backtrace_helper", ANL_PROFILER, 0 },
    { "_Unwind_Backtrace", ANL_PROFILER, 0 },
    { "_Unwind_*", ANL_LIBRARIES, 0 },

    /* copies */
    { "memcpy*", ANL_COPY, ANL_TRANSPARENT },
    { "memmove*", ANL_COPY, ANL_TRANSPARENT },
    { "memset*", ANL_COPY, ANL_TRANSPARENT },
    { "mempcpy*", ANL_COPY, ANL_TRANSPARENT },
    { "__memcpy*", ANL_COPY, ANL_TRANSPARENT },
    { "__memmove*", ANL_COPY, ANL_TRANSPARENT },
    { "__memset*", ANL_COPY, ANL_TRANSPARENT },
    { "__mempcpy*", ANL_COPY, ANL_TRANSPARENT },
    { "runtime.memmove", ANL_COPY, ANL_TRANSPARENT },
    { "runtime.duffcopy", ANL_COPY, ANL_TRANSPARENT },

    /* protocol: before the network and the languages that it is written in */
    { "nghttp2_*", ANL_PROTOCOL, 0 },
    { "nghttp3_*", ANL_PROTOCOL, 0 },
    { "h2::*", ANL_PROTOCOL, 0 },
    { "<h2::*", ANL_PROTOCOL, 0 },
    { "hyper::*", ANL_PROTOCOL, 0 },
    { "<hyper::*", ANL_PROTOCOL, 0 },
    { "hyper_util::*", ANL_PROTOCOL, 0 },
    { "<hyper_util::*", ANL_PROTOCOL, 0 },
    { "tonic::*", ANL_PROTOCOL, 0 },
    { "<tonic::*", ANL_PROTOCOL, 0 },
    { "tower*::*", ANL_PROTOCOL, 0 },
    { "<tower*::*", ANL_PROTOCOL, 0 },
    { "http::*", ANL_PROTOCOL, 0 },
    { "<http::*", ANL_PROTOCOL, 0 },
    { "grpc_core::*", ANL_PROTOCOL, 0 },
    { "grpc::*", ANL_PROTOCOL, 0 },
    { "grpc_*", ANL_PROTOCOL, 0 },
    { "chttp2*", ANL_PROTOCOL, 0 },
    { "_ZN9grpc_core*", ANL_PROTOCOL, 0 },
    { "_ZNK9grpc_core*", ANL_PROTOCOL, 0 },
    { "_ZN4grpc*", ANL_PROTOCOL, 0 },
    { "golang.org/x/net/http2*", ANL_PROTOCOL, 0 },
    { "vendor/golang.org/x/net/http*", ANL_PROTOCOL, 0 },
    { "net/http.*", ANL_PROTOCOL, 0 },
    { "net/textproto.*", ANL_PROTOCOL, 0 },
    { "google.golang.org/grpc*", ANL_PROTOCOL, 0 },
    { "connectrpc.com/connect*", ANL_PROTOCOL, 0 },
    { "io.grpc.*", ANL_PROTOCOL, 0 },
    { "io.netty.handler.codec.http*", ANL_PROTOCOL, 0 },

    /* network */
    { "internal/poll.*", ANL_NETWORK, 0 },
    { "runtime.netpoll*", ANL_NETWORK, 0 },
    { "runtime.epoll*", ANL_NETWORK, 0 },
    { "runtime.kevent*", ANL_NETWORK, 0 },
    { "internal/runtime/syscall.Epoll*", ANL_NETWORK, 0 },
    { "runtime/internal/syscall.Epoll*", ANL_NETWORK, 0 },
    { "internal/runtime/syscall.*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "runtime/internal/syscall.*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "internal/syscall*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "syscall.*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "net/*", ANL_LIBRARIES, 0 },
    { "net.*", ANL_NETWORK, 0 },
    { "mio::*", ANL_NETWORK, 0 },
    { "<mio::*", ANL_NETWORK, 0 },
    { "tokio::net::*", ANL_NETWORK, 0 },
    { "<*TcpStream as *", ANL_NETWORK, 0 },
    { "std::net::*", ANL_NETWORK, 0 },
    { "sun.nio.ch.*", ANL_NETWORK, 0 },
    { "java.net.*", ANL_NETWORK, 0 },
    { "io.netty.channel.*", ANL_NETWORK, 0 },
    { "io.netty.*", ANL_PROTOCOL, 0 },
    { "uv__io_poll", ANL_NETWORK, 0 },
    { "uv__read", ANL_NETWORK, 0 },
    { "uv__write", ANL_NETWORK, 0 },
    { "uv__stream_io", ANL_NETWORK, 0 },

    /* memory */
    { "operator new*", ANL_MEMORY, 0 },
    { "operator delete*", ANL_MEMORY, 0 },
    { "_Znwm*", ANL_MEMORY, 0 },
    { "_Znam*", ANL_MEMORY, 0 },
    { "_ZdlPv*", ANL_MEMORY, 0 },
    { "_ZdaPv*", ANL_MEMORY, 0 },
    { "je_*", ANL_MEMORY, 0 },
    { "_rjem_*", ANL_MEMORY, 0 },
    { "mi_*alloc*", ANL_MEMORY, 0 },
    { "mi_free*", ANL_MEMORY, 0 },
    { "_mi_*", ANL_MEMORY, 0 },
    { "tcmalloc::*", ANL_MEMORY, 0 },
    { "tc_*alloc*", ANL_MEMORY, 0 },
    { "tc_free*", ANL_MEMORY, 0 },
    { "tc_new*", ANL_MEMORY, 0 },
    { "tc_delete*", ANL_MEMORY, 0 },
    { "alloc::alloc::*", ANL_MEMORY, 0 },
    { "alloc::raw_vec::*", ANL_MEMORY, 0 },
    { "alloc::boxed::*", ANL_MEMORY, 0 },
    { "__rust_*alloc*", ANL_MEMORY, 0 },
    { "__rdl_*", ANL_MEMORY, 0 },
    { "__rg_*", ANL_MEMORY, 0 },
    { "runtime.mallocgc*", ANL_MEMORY, 0 },
    { "runtime.newobject*", ANL_MEMORY, 0 },
    { "runtime.makeslice*", ANL_MEMORY, 0 },
    { "runtime.growslice*", ANL_MEMORY, 0 },
    { "runtime.gc*", ANL_MEMORY, 0 },
    { "runtime.(*gc*", ANL_MEMORY, 0 },
    { "runtime.scan*", ANL_MEMORY, 0 },
    { "runtime.greyobject*", ANL_MEMORY, 0 },
    { "runtime.findObject*", ANL_MEMORY, 0 },
    { "runtime.markroot*", ANL_MEMORY, 0 },
    { "runtime.wbBuf*", ANL_MEMORY, 0 },
    { "runtime.(*wbBuf*", ANL_MEMORY, 0 },
    { "runtime.heapBits*", ANL_MEMORY, 0 },
    { "runtime.(*mspan*", ANL_MEMORY, 0 },
    { "runtime.(*mheap*", ANL_MEMORY, 0 },
    { "runtime.(*mcache*", ANL_MEMORY, 0 },
    { "runtime.(*mcentral*", ANL_MEMORY, 0 },
    { "runtime.(*pageAlloc*", ANL_MEMORY, 0 },
    { "runtime.(*sweepLocked*", ANL_MEMORY, 0 },
    { "runtime.mheap*", ANL_MEMORY, 0 },
    { "runtime.mcache*", ANL_MEMORY, 0 },
    { "runtime.memclr*", ANL_MEMORY, 0 },
    { "runtime.bgsweep*", ANL_MEMORY, 0 },
    { "runtime.bgscavenge*", ANL_MEMORY, 0 },
    { "runtime.sweepone*", ANL_MEMORY, 0 },
    { "runtime.madvise*", ANL_MEMORY, 0 },
    { "runtime.sys*Alloc*", ANL_MEMORY, 0 },
    { "runtime.sysUnused*", ANL_MEMORY, 0 },
    { "runtime.nextFreeFast*", ANL_MEMORY, 0 },
    { "runtime.deductAssistCredit*", ANL_MEMORY, 0 },
    { "G1*", ANL_MEMORY, 0 },
    { "GCTaskThread*", ANL_MEMORY, 0 },
    { "CollectedHeap*", ANL_MEMORY, 0 },
    { "*::mem_allocate*", ANL_MEMORY, 0 },
    { "_PyObject_Malloc*", ANL_MEMORY, 0 },
    { "_PyObject_Free*", ANL_MEMORY, 0 },
    { "PyObject_Malloc", ANL_MEMORY, 0 },
    { "PyObject_Free", ANL_MEMORY, 0 },
    { "PyMem_*", ANL_MEMORY, 0 },
    { "gc_collect*", ANL_MEMORY, 0 },
    { "(garbage collector)", ANL_MEMORY, 0 },
    { "v8::internal::*Heap*", ANL_MEMORY, 0 },

    /* atomics, locks, scheduling */
    { "futex*", ANL_LOCKS, 0 },
    { "__aarch64_*", ANL_LOCKS, 0 },
    { "core::sync::atomic::*", ANL_LOCKS, 0 },
    { "parking_lot*", ANL_LOCKS, 0 },
    { "crossbeam*", ANL_LOCKS, 0 },
    { "std::sync::*", ANL_LOCKS, 0 },
    { "std::mutex*", ANL_LOCKS, 0 },
    { "std::condition_variable*", ANL_LOCKS, 0 },
    { "std::*atomic*", ANL_LOCKS, 0 },
    { "absl::*Mutex*", ANL_LOCKS, 0 },
    { "tokio::*", ANL_LOCKS, 0 },
    { "<tokio::*", ANL_LOCKS, 0 },
    { "runtime.futex*", ANL_LOCKS, 0 },
    { "runtime.lock*", ANL_LOCKS, 0 },
    { "runtime.unlock*", ANL_LOCKS, 0 },
    { "runtime.sem*", ANL_LOCKS, 0 },
    { "runtime.chan*", ANL_LOCKS, 0 },
    { "runtime.selectgo*", ANL_LOCKS, 0 },
    { "runtime.schedule", ANL_LOCKS, 0 },
    { "runtime.find*unnable*", ANL_LOCKS, 0 },
    { "runtime.stealWork", ANL_LOCKS, 0 },
    { "runtime.runq*", ANL_LOCKS, 0 },
    { "runtime.park*", ANL_LOCKS, 0 },
    { "runtime.gopark*", ANL_LOCKS, 0 },
    { "runtime.goready*", ANL_LOCKS, 0 },
    { "runtime.ready*", ANL_LOCKS, 0 },
    { "runtime.wakep*", ANL_LOCKS, 0 },
    { "runtime.note*", ANL_LOCKS, 0 },
    { "runtime.pthread_*", ANL_LOCKS, 0 },
    { "runtime.mach_semaphore*", ANL_LOCKS, 0 },
    { "runtime.usleep*", ANL_LOCKS, 0 },
    { "runtime.procyield*", ANL_LOCKS, 0 },
    { "runtime.osyield*", ANL_LOCKS, 0 },
    { "sync.*", ANL_LOCKS, 0 },
    { "internal/sync.*", ANL_LOCKS, 0 },
    { "internal/runtime/atomic.*", ANL_LOCKS, 0 },
    { "runtime/internal/atomic.*", ANL_LOCKS, 0 },
    { "ObjectMonitor*", ANL_LOCKS, 0 },
    { "Unsafe_Park*", ANL_LOCKS, 0 },
    { "*.misc.Unsafe.park*", ANL_LOCKS, 0 },
    { "java.util.concurrent.locks.*", ANL_LOCKS, 0 },
    { "take_gil", ANL_LOCKS, 0 },
    { "drop_gil", ANL_LOCKS, 0 },

    /* serialisation, cryptography, compression, time */
    { "prost::*", ANL_SERIAL, 0 },
    { "<prost::*", ANL_SERIAL, 0 },
    { "serde*::*", ANL_SERIAL, 0 },
    { "<serde*::*", ANL_SERIAL, 0 },
    { "upb_*", ANL_SERIAL, 0 },
    { "_upb_*", ANL_SERIAL, 0 },
    { "google::protobuf::*", ANL_SERIAL, 0 },
    { "_ZN6google8protobuf*", ANL_SERIAL, 0 },
    { "_ZNK6google8protobuf*", ANL_SERIAL, 0 },
    { "google.golang.org/protobuf/*", ANL_SERIAL, 0 },
    { "github.com/golang/protobuf/*", ANL_SERIAL, 0 },
    { "github.com/gogo/protobuf/*", ANL_SERIAL, 0 },
    { "encoding/*", ANL_SERIAL, 0 },
    { "com.google.protobuf.*", ANL_SERIAL, 0 },
    { "SSL_*", ANL_CRYPTO, 0 },
    { "EVP_*", ANL_CRYPTO, 0 },
    { "CRYPTO_*", ANL_CRYPTO, 0 },
    { "bssl::*", ANL_CRYPTO, 0 },
    { "aes_*", ANL_CRYPTO, 0 },
    { "aesni_*", ANL_CRYPTO, 0 },
    { "ring::*", ANL_CRYPTO, 0 },
    { "rustls::*", ANL_CRYPTO, 0 },
    { "<rustls::*", ANL_CRYPTO, 0 },
    { "crypto/*", ANL_CRYPTO, 0 },
    { "vendor/golang.org/x/crypto/*", ANL_CRYPTO, 0 },
    { "golang.org/x/crypto/*", ANL_CRYPTO, 0 },
    { "deflate*", ANL_COMPRESSION, 0 },
    { "inflate*", ANL_COMPRESSION, 0 },
    { "crc32*", ANL_COMPRESSION, 0 },
    { "adler32*", ANL_COMPRESSION, 0 },
    { "longest_match", ANL_COMPRESSION, 0 },
    { "ZSTD_*", ANL_COMPRESSION, 0 },
    { "LZ4_*", ANL_COMPRESSION, 0 },
    { "Brotli*", ANL_COMPRESSION, 0 },
    { "snappy::*", ANL_COMPRESSION, 0 },
    { "flate2::*", ANL_COMPRESSION, 0 },
    { "<flate2::*", ANL_COMPRESSION, 0 },
    { "miniz_oxide::*", ANL_COMPRESSION, 0 },
    { "compress/*", ANL_COMPRESSION, 0 },
    { "hash/crc32.*", ANL_COMPRESSION, 0 },
    { "hash/adler32.*", ANL_COMPRESSION, 0 },
    { "github.com/klauspost/compress/*", ANL_COMPRESSION, 0 },
    { "__vdso_*", ANL_TIME, 0 },
    { "time.Now", ANL_TIME, 0 },
    { "time.now", ANL_TIME, 0 },
    { "time.Since", ANL_TIME, 0 },
    { "time.runtimeNano", ANL_TIME, 0 },
    { "runtime.nanotime*", ANL_TIME, 0 },
    { "runtime.walltime*", ANL_TIME, 0 },

    /* what is left of the languages' own code */
    { "runtime.*", ANL_LIBRARIES, 0 },
    { "indexbytebody", ANL_LIBRARIES, 0 },
    { "memeqbody", ANL_LIBRARIES, 0 },
    { "cmpbody", ANL_LIBRARIES, 0 },
    { "countbody", ANL_LIBRARIES, 0 },
    { "aeshashbody", ANL_LIBRARIES, 0 },
    { "gogo", ANL_LIBRARIES, 0 },
    { "internal/runtime/*", ANL_LIBRARIES, 0 },
    { "std::*", ANL_LIBRARIES, 0 },
    { "<std::*", ANL_LIBRARIES, 0 },
    { "_ZNSt*", ANL_LIBRARIES, 0 },
    { "_ZSt*", ANL_LIBRARIES, 0 },
    { "core::*", ANL_LIBRARIES, 0 },
    { "<core::*", ANL_LIBRARIES, 0 },
    { "alloc::*", ANL_LIBRARIES, 0 },
    { "<alloc::*", ANL_LIBRARIES, 0 },
    { "absl::*", ANL_LIBRARIES, 0 },
    { "java.*", ANL_LIBRARIES, 0 },
    { "javax.*", ANL_LIBRARIES, 0 },
    { "jdk.*", ANL_LIBRARIES, 0 },
    { "sun.*", ANL_LIBRARIES, 0 },
    { "com.sun.*", ANL_LIBRARIES, 0 },
    { "kotlin.*", ANL_LIBRARIES, 0 },
    { "scala.*", ANL_LIBRARIES, 0 },
    { "_PyEval_*", ANL_LIBRARIES, 0 },
    { "PyEval_*", ANL_LIBRARIES, 0 },
    { "_Py*_*", ANL_LIBRARIES, 0 },
    { "Py*_*", ANL_LIBRARIES, 0 },
    { "v8::*", ANL_LIBRARIES, 0 },
    { "Builtins_*", ANL_LIBRARIES, 0 },
    { "node::*", ANL_LIBRARIES, 0 },
    { "uv_*", ANL_LIBRARIES, 0 },
};

/* Names of libc, without the prefixes __GI_, __libc_ and __. */
static const struct anl_rule anl_rules_libc[] = {
    { "send", ANL_NETWORK, 0 }, { "sendto", ANL_NETWORK, 0 },
    { "sendmsg", ANL_NETWORK, 0 }, { "sendmmsg", ANL_NETWORK, 0 },
    { "sendfile*", ANL_NETWORK, 0 }, { "recv", ANL_NETWORK, 0 },
    { "recvfrom", ANL_NETWORK, 0 }, { "recvmsg", ANL_NETWORK, 0 },
    { "recvmmsg", ANL_NETWORK, 0 }, { "recv_chk", ANL_NETWORK, 0 },
    { "recvfrom_chk", ANL_NETWORK, 0 }, { "accept", ANL_NETWORK, 0 },
    { "accept4", ANL_NETWORK, 0 }, { "connect", ANL_NETWORK, 0 },
    { "shutdown", ANL_NETWORK, 0 }, { "setsockopt", ANL_NETWORK, 0 },
    { "getsockopt", ANL_NETWORK, 0 }, { "getsockname", ANL_NETWORK, 0 },
    { "getpeername", ANL_NETWORK, 0 }, { "socket", ANL_NETWORK, 0 },
    { "socketpair", ANL_NETWORK, 0 }, { "bind", ANL_NETWORK, 0 },
    { "listen", ANL_NETWORK, 0 }, { "epoll_*", ANL_NETWORK, 0 },
    { "poll", ANL_NETWORK, 0 }, { "ppoll", ANL_NETWORK, 0 },
    { "poll_chk", ANL_NETWORK, 0 }, { "select", ANL_NETWORK, 0 },
    { "pselect", ANL_NETWORK, 0 }, { "io_uring_*", ANL_NETWORK, 0 },
    { "read", ANL_SYSCALLS, ANL_BY_CALLER },
    { "write", ANL_SYSCALLS, ANL_BY_CALLER },
    { "readv", ANL_SYSCALLS, ANL_BY_CALLER },
    { "writev", ANL_SYSCALLS, ANL_BY_CALLER },
    { "close", ANL_SYSCALLS, ANL_BY_CALLER },
    { "syscall", ANL_SYSCALLS, ANL_BY_CALLER },
    { "syscall_cancel*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "internal_syscall_cancel*", ANL_SYSCALLS, ANL_BY_CALLER },
    { "open", ANL_SYSCALLS, 0 }, { "open64", ANL_SYSCALLS, 0 },
    { "openat", ANL_SYSCALLS, 0 }, { "openat64", ANL_SYSCALLS, 0 },
    { "fsync", ANL_SYSCALLS, 0 }, { "fdatasync", ANL_SYSCALLS, 0 },
    { "pread*", ANL_SYSCALLS, 0 }, { "pwrite*", ANL_SYSCALLS, 0 },
    { "lseek", ANL_SYSCALLS, 0 }, { "lseek64", ANL_SYSCALLS, 0 },
    { "stat", ANL_SYSCALLS, 0 }, { "stat64", ANL_SYSCALLS, 0 },
    { "fstat", ANL_SYSCALLS, 0 }, { "fstat64", ANL_SYSCALLS, 0 },
    { "fstatat*", ANL_SYSCALLS, 0 }, { "newfstatat", ANL_SYSCALLS, 0 },
    { "ioctl", ANL_SYSCALLS, 0 }, { "fcntl", ANL_SYSCALLS, 0 },
    { "fcntl64", ANL_SYSCALLS, 0 }, { "nanosleep", ANL_SYSCALLS, 0 },
    { "clock_nanosleep*", ANL_SYSCALLS, 0 }, { "getpid", ANL_SYSCALLS, 0 },
    { "gettid", ANL_SYSCALLS, 0 }, { "kill", ANL_SYSCALLS, 0 },
    { "tgkill", ANL_SYSCALLS, 0 }, { "sigprocmask", ANL_SYSCALLS, 0 },
    { "pthread_sigmask", ANL_SYSCALLS, 0 }, { "pipe", ANL_SYSCALLS, 0 },
    { "pipe2", ANL_SYSCALLS, 0 }, { "eventfd", ANL_SYSCALLS, 0 },
    { "timerfd_*", ANL_SYSCALLS, 0 },
    { "malloc", ANL_MEMORY, 0 }, { "malloc_*", ANL_MEMORY, 0 },
    { "free", ANL_MEMORY, 0 }, { "cfree", ANL_MEMORY, 0 },
    { "calloc", ANL_MEMORY, 0 }, { "realloc", ANL_MEMORY, 0 },
    { "reallocarray", ANL_MEMORY, 0 }, { "*memalign*", ANL_MEMORY, 0 },
    { "aligned_alloc", ANL_MEMORY, 0 }, { "_int_malloc", ANL_MEMORY, 0 },
    { "_int_free*", ANL_MEMORY, 0 }, { "_int_realloc", ANL_MEMORY, 0 },
    { "_int_memalign", ANL_MEMORY, 0 }, { "tcache_*", ANL_MEMORY, 0 },
    { "unlink_chunk", ANL_MEMORY, 0 }, { "sysmalloc*", ANL_MEMORY, 0 },
    { "systrim", ANL_MEMORY, 0 }, { "alloc_perturb", ANL_MEMORY, 0 },
    { "arena_get*", ANL_MEMORY, 0 }, { "checked_request2size", ANL_MEMORY, 0 },
    { "ptmalloc_*", ANL_MEMORY, 0 }, { "mmap", ANL_MEMORY, 0 },
    { "mmap64", ANL_MEMORY, 0 }, { "munmap", ANL_MEMORY, 0 },
    { "mremap", ANL_MEMORY, 0 }, { "madvise", ANL_MEMORY, 0 },
    { "mprotect", ANL_MEMORY, 0 }, { "brk", ANL_MEMORY, 0 },
    { "sbrk", ANL_MEMORY, 0 }, { "glibc_morecore", ANL_MEMORY, 0 },
    { "morecore", ANL_MEMORY, 0 },
    { "pthread_mutex_*", ANL_LOCKS, 0 }, { "pthread_rwlock_*", ANL_LOCKS, 0 },
    { "pthread_cond_*", ANL_LOCKS, 0 }, { "pthread_spin_*", ANL_LOCKS, 0 },
    { "pthread_once*", ANL_LOCKS, 0 }, { "lll_*", ANL_LOCKS, 0 },
    { "futex*", ANL_LOCKS, 0 }, { "sched_yield", ANL_LOCKS, 0 },
    { "cxa_guard_*", ANL_LOCKS, 0 }, { "sem_*", ANL_LOCKS, 0 },
    { "new_sem_*", ANL_LOCKS, 0 },
    { "clock_gettime", ANL_TIME, 0 }, { "clock_gettime64", ANL_TIME, 0 },
    { "gettimeofday", ANL_TIME, 0 }, { "time", ANL_TIME, 0 },
    { "strlen", ANL_COPY, ANL_TRANSPARENT },
    { "strlen_*", ANL_COPY, ANL_TRANSPARENT },
    { "bzero", ANL_COPY, ANL_TRANSPARENT },
    { "bzero_*", ANL_COPY, ANL_TRANSPARENT },
};

/* Base names of mapped files: what their functions do, with a symbol or
 * without one. */
static const struct anl_rule anl_rules_module[] = {
    { "libnghttp2.*", ANL_PROTOCOL, 0 },
    { "libnghttp3.*", ANL_PROTOCOL, 0 },
    { "libgrpc*.*", ANL_PROTOCOL, 0 },
    { "cygrpc.*", ANL_PROTOCOL, 0 },
    { "libcurl*.*", ANL_PROTOCOL, 0 },
    { "libprotobuf*.*", ANL_SERIAL, 0 },
    { "libupb.*", ANL_SERIAL, 0 },
    { "libz.*", ANL_COMPRESSION, 0 },
    { "libzstd.*", ANL_COMPRESSION, 0 },
    { "libbrotli*.*", ANL_COMPRESSION, 0 },
    { "liblz4.*", ANL_COMPRESSION, 0 },
    { "liblzma.*", ANL_COMPRESSION, 0 },
    { "libssl.*", ANL_CRYPTO, 0 },
    { "libcrypto.*", ANL_CRYPTO, 0 },
    { "libgnutls.*", ANL_CRYPTO, 0 },
    { "libjemalloc.*", ANL_MEMORY, 0 },
    { "libmimalloc.*", ANL_MEMORY, 0 },
    { "libtcmalloc*.*", ANL_MEMORY, 0 },
    { "[vdso]", ANL_TIME, 0 },
    { "linux-vdso*", ANL_TIME, 0 },
    { "[kernel*", ANL_SYSCALLS, 0 },
    { "[guest.kernel*", ANL_SYSCALLS, 0 },
    { "[vsyscall]", ANL_TIME, 0 },
    { "libc.*", ANL_LIBRARIES, 0 },
    { "libc-*", ANL_LIBRARIES, 0 },
    { "libm.*", ANL_LIBRARIES, 0 },
    { "libm-*", ANL_LIBRARIES, 0 },
    { "libpthread*", ANL_LIBRARIES, 0 },
    { "libgcc_s*", ANL_LIBRARIES, 0 },
    { "libstdc++*", ANL_LIBRARIES, 0 },
    { "libc++*", ANL_LIBRARIES, 0 },
    { "ld-linux*", ANL_LIBRARIES, 0 },
    { "ld-musl*", ANL_LIBRARIES, 0 },
    { "ld-2.*", ANL_LIBRARIES, 0 },
    { "libjvm.*", ANL_LIBRARIES, 0 },
    { "libpython*", ANL_LIBRARIES, 0 },
    { "libuv.*", ANL_LIBRARIES, 0 },
};

/* Names in the kernel that belong to its network part. */
static const char *const anl_kernel_network[] = {
    "tcp_*", "ip_*", "ip6_*", "inet*", "sock_*", "__sock*", "__sys_send*",
    "__sys_recv*", "__netif*", "netif_*", "__dev_queue*", "skb_*", "__skb*",
    "ep_*", "do_epoll*", "unix_stream*", "loopback_*", "nf_*",
};

/* Source files of languages whose names say nothing. */
static const struct anl_rule anl_rules_file[] = {
    { "*/grpc/*.py", ANL_PROTOCOL, 0 },
    { "*/h2/*.py", ANL_PROTOCOL, 0 },
    { "*/hpack/*.py", ANL_PROTOCOL, 0 },
    { "*/google/protobuf/*.py", ANL_SERIAL, 0 },
    { "*/json/*.py", ANL_SERIAL, 0 },
    { "*/site-packages/*.py", ANL_LIBRARIES, 0 },
    { "*/lib/python*/socket.py", ANL_NETWORK, 0 },
    { "*/lib/python*/selectors.py", ANL_NETWORK, 0 },
    { "*/lib/python*/ssl.py", ANL_CRYPTO, 0 },
    { "*/lib/python*/threading.py", ANL_LOCKS, 0 },
    { "*/lib/python*/asyncio/*.py", ANL_LOCKS, 0 },
    { "*/lib/python*.py", ANL_LIBRARIES, 0 },
    { "<frozen *", ANL_LIBRARIES, 0 },
    { "node:net", ANL_NETWORK, 0 },
    { "node:http*", ANL_PROTOCOL, 0 },
    { "node:internal/http2*", ANL_PROTOCOL, 0 },
    { "node:zlib", ANL_COMPRESSION, 0 },
    { "node:*", ANL_LIBRARIES, 0 },
    { "*/node_modules/@grpc/*", ANL_PROTOCOL, 0 },
    { "*/node_modules/protobufjs/*", ANL_SERIAL, 0 },
    { "*/node_modules/*", ANL_LIBRARIES, 0 },
};

/* Packages of Go's standard library that no rule above has taken. */
static const char *const anl_go_standard[] = {
    "archive", "bufio", "bytes", "cmp", "container", "context", "database",
    "debug", "embed", "errors", "expvar", "flag", "fmt", "go", "hash", "html",
    "image", "internal", "io", "iter", "log", "maps", "math", "mime", "os",
    "path", "plugin", "reflect", "regexp", "slices", "sort", "strconv",
    "strings", "structs", "testing", "text", "time", "type:", "unicode",
    "unique", "unsafe", "vendor", "weak",
};

/* True when all of s matches pattern (struct anl_rule).  No recursion: after a
 * mismatch only the last `*` can take one character more. */
static bool anl_match(const char *pattern, struct slice s)
{
    size_t i = 0, back = 0;
    const char *star = NULL;
    while (i < s.n) {
        if (*pattern == '*') {
            star = ++pattern;
            back = i;
            if (!*star)
                return true;
        } else if (*pattern == s.p[i] || (*pattern == '.' && s.p[i] == '/')) {
            pattern++;
            i++;
        } else if (star) {
            pattern = star;
            i = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* The first of n rules whose pattern matches s, or NULL. */
static const struct anl_rule *anl_find(const struct anl_rule *r, size_t n,
                                       struct slice s)
{
    for (size_t i = 0; i < n; i++)
        if ((r[i].name[0] == '*' || (s.n && r[i].name[0] == s.p[0])) &&
            anl_match(r[i].name, s))
            return &r[i];
    return NULL;
}

#define ANL_FIND(table, s) \
    anl_find(table, sizeof (table) / sizeof *(table), s)

/* name without what compilers and linkers append (.part.0, @@GLIBC_2.2.5) and
 * without the place that pprof-rs puts in front ("file:line - name"). */
static struct slice anl_bare_name(struct slice name)
{
    static const char *const tail[] = { ".part.", ".isra.", ".constprop.",
                                        ".cold", ".lto_priv.", ".llvm.", "@" };
    for (size_t i = 3; i < name.n; i++)
        if (!memcmp(name.p + i - 3, " - ", 3)) {
            name.p += i;
            name.n -= i;
            break;
        }
    for (size_t i = 1; i < name.n; i++)
        for (size_t k = 0; k < sizeof tail / sizeof *tail; k++)
            if (name.p[i] == tail[k][0] && txt_starts(
                    (struct slice){ name.p + i, name.n - i }, tail[k]))
                return (struct slice){ name.p, i };
    return name;
}

/* name without the prefixes that libc gives its aliases. */
static struct slice anl_libc_name(struct slice name)
{
    static const char *const head[] = { "__GI_", "__libc_", "__" };
    for (size_t k = 0; k < sizeof head / sizeof *head; k++)
        if (txt_starts(name, head[k])) {
            name.p += strlen(head[k]);
            name.n -= strlen(head[k]);
        }
    return name;
}

/* True when name is of a package of Go's standard library. */
static bool anl_go_library(struct slice name)
{
    for (size_t k = 0; k < sizeof anl_go_standard / sizeof *anl_go_standard;
         k++) {
        size_t n = strlen(anl_go_standard[k]);
        if (txt_starts(name, anl_go_standard[k]) && name.n > n &&
            (name.p[n] == '.' || name.p[n] == '/' || name.p[n - 1] == ':'))
            return true;
    }
    return false;
}

struct anl_class {
    uint8_t category, flags;            /* enum anl_category, anl_flag */
};

enum { ANL_RULES = sizeof anl_rules / sizeof *anl_rules };

struct anl_program {                    /* what classification must know */
    const struct view *view;            /* borrowed */
    uint32_t main;                      /* module of the program, MEM_NONE */
    bool own, go, has_libc;             /* grpcprof's own; Go; libc mapped */
    uint16_t first[256];                /* by a name's first byte: number + 1
                                         * of the first of anl_rules to try */
    uint16_t next[ANL_RULES];           /* by rule: the next one for the same
                                         * byte, as a number + 1, or 0 */
};

/* The base name of a module's file; empty for MEM_NONE. */
static struct slice anl_module(const struct view *v, uint32_t module)
{
    return module == MEM_NONE ? (struct slice){0}
                              : view_base(v->pp->mapping[module].file);
}

/* Chain anl_rules by the byte that they begin with, so that a name is compared
 * with a few of them only. */
static void anl_chain_rules(struct anl_program *g)
{
    for (size_t i = ANL_RULES; i-- > 0;) {
        uint8_t c = (uint8_t)anl_rules[i].name[0];
        g->next[i] = g->first[c];
        g->first[c] = (uint16_t)(i + 1);
    }
}

/* As ANL_FIND(anl_rules, s), of the chains for s's first byte and for `*` the
 * rule that stands first. */
static const struct anl_rule *anl_find_chained(const struct anl_program *g,
                                               struct slice s)
{
    size_t best = ANL_RULES;
    const uint8_t start[] = { s.n ? (uint8_t)s.p[0] : (uint8_t)'*', '*' };
    for (size_t k = 0; k < 2; k++)
        for (size_t i = g->first[start[k]]; i && i - 1 < best;
             i = g->next[i - 1])
            if (anl_match(anl_rules[i - 1].name, s))
                best = i - 1;
    return best < ANL_RULES ? &anl_rules[best] : NULL;
}

/* What v's program is. */
static struct anl_program anl_program(const struct view *v)
{
    struct anl_program g = { .view = v, .main = MEM_NONE };
    anl_chain_rules(&g);
    for (uint32_t i = 0; i < v->pp->nmappings; i++) {
        struct slice base = view_base(v->pp->mapping[i].file);
        bool library = base.n == 0 || base.p[0] == '[' ||
                       anl_match("*.so*", base) || anl_match("ld-*", base);
        if (!library && g.main == MEM_NONE)
            g.main = v->module[i];
        g.has_libc |= anl_match("libc.*", base) || anl_match("libc-*", base) ||
                      anl_match("ld-musl*", base);
    }
    g.own = anl_match("grpcprof*", anl_module(v, g.main));
    for (size_t i = 0; i < v->nnodes && !g.go; i++)
        g.go = txt_equal(v->node[i].name, txt_slice("runtime.mcall")) ||
               txt_equal(v->node[i].name, txt_slice("runtime.goexit")) ||
               txt_equal(v->node[i].name, txt_slice("runtime.main")) ||
               txt_equal(v->node[i].name, txt_slice("runtime.mallocgc"));
    return g;
}

/* True when libc's names are libc's functions in module: in libc, in what is
 * not the program, and in a program that is linked statically. */
static bool anl_libc_counts(const struct anl_program *g, uint32_t module,
                            struct slice name)
{
    return txt_starts(name, "__") || !g->has_libc ||
           (module != MEM_NONE && module != g->main);
}

/* The class by module alone: of an address without a symbol, or of a symbol
 * that no table has; named tells which. */
static struct anl_class anl_class_module(const struct anl_program *g,
                                         const struct view_node *n, bool named)
{
    const struct view *v = g->view;
    struct slice base = anl_module(v, n->module);
    const struct anl_rule *r = base.n ? ANL_FIND(anl_rules_module, base) : NULL;
    if (r && r->category == ANL_SYSCALLS)
        for (size_t i = 0; named && i < sizeof anl_kernel_network /
                                        sizeof *anl_kernel_network; i++)
            if (anl_match(anl_kernel_network[i], n->name))
                return (struct anl_class){ ANL_NETWORK, 0 };
    if (r)
        return (struct anl_class){ r->category, r->flags };
    if (!named)
        return (struct anl_class){ ANL_UNKNOWN, 0 };
    if (n->module != MEM_NONE && n->module != g->main && !g->go) {
        struct slice path = v->pp->mapping[n->module].file;
        if (anl_match("/lib*", path) || anl_match("/usr/lib*", path))
            return (struct anl_class){ ANL_LIBRARIES, 0 };
    }
    return (struct anl_class){ ANL_APPLICATION, 0 };
}

/* The class of the function n. */
static struct anl_class anl_classify(const struct anl_program *g,
                                     const struct view_node *n)
{
    struct slice name = anl_bare_name(n->name);
    const struct anl_rule *r = NULL;
    if (!n->symbol)
        return anl_class_module(g, n, false);
    if (g->own && (n->module == g->main || n->module == MEM_NONE))
        r = ANL_FIND(anl_rules_own, name);
    if (!r)
        r = anl_find_chained(g, name);
    if (!r && !g->go && anl_libc_counts(g, n->module, name))
        r = ANL_FIND(anl_rules_libc, anl_libc_name(name));
    if (!r && !g->go && n->file.n)
        r = ANL_FIND(anl_rules_file, n->file);
    if (r)
        return (struct anl_class){ r->category, r->flags };
    if (g->go && anl_go_library(name))
        return (struct anl_class){ ANL_LIBRARIES, 0 };
    struct anl_class c = anl_class_module(g, n, true);
    if (c.category == ANL_APPLICATION && txt_equal(name, txt_slice("main")))
        c.flags = ANL_ENTRY;
    return c;
}

/* The classes of all nodes of v, owned by the caller until mem_free, or NULL
 * without memory; *main becomes the program's module, or MEM_NONE. */
static struct anl_class *anl_classes(const struct view *v, uint32_t *main)
{
    struct anl_class *c = mem_zalloc(v->nnodes * sizeof *c);
    struct anl_program g = anl_program(v);
    *main = g.main;
    for (size_t i = 0; c && i < v->nnodes; i++)
        c[i] = anl_classify(&g, &v->node[i]);
    return c;
}

/* ---- intervals ---- */

struct anl_share {
    double share;                       /* 0 to 1; NAN: of nothing */
    double low, high;                   /* 95 %; NAN: no interval can be */
    struct view_sum sum;                /* what it is the share of */
};

/* The Wilson 95 % interval of share p of n samples, n > 0 and not needed to be
 * whole. */
static void anl_wilson(double p, double n, double *low, double *high)
{
    double z2 = ANL_Z * ANL_Z, middle = p + z2 / (2 * n);
    double half = ANL_Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *low = fmax(0, (middle - half) / (1 + z2 / n));
    *high = fmin(1, (middle + half) / (1 + z2 / n));
    if (p <= 0)
        *low = 0;
    if (p >= 1)
        *high = 1;
}

/* The share of part in all with its interval.  The effective number is Kish's
 * of all samples, or, where it is less (a part of heavy samples), that for this
 * share: the number of equal samples whose share would vary as much,
 * p (1 - p) (sum w)^2 / sum of (w (x - p))^2.  With equal weights both are the
 * number of samples. */
static struct anl_share anl_share(const struct view_sum *part,
                                  const struct view_sum *all)
{
    struct anl_share s = { NAN, NAN, NAN, *part };
    double n = view_effective(all), total = (double)all->value;
    if (all->value <= 0)
        return s;
    double p = s.share = (double)part->value / total;
    if (p < 0 || p > 1 || n <= 0)       /* a difference: no binomial */
        return s;
    double rows = all->merged > 0 ? all->merged : all->squares;
    double spread = (1 - 2 * p) * part->squares + p * p * rows;
    spread *= rows > 0 ? all->squares / rows : 1;   /* unequal ones in a row */
    if (p > 0 && p < 1 && spread > 0)
        n = fmin(n, p * (1 - p) * total * total / spread);
    anl_wilson(p, n, &s.low, &s.high);
    return s;
}

/* ---- results ---- */

struct anl_config {
    const char *sample;                 /* sample type; NULL: pprof's choice */
    double calls;                       /* in it, where it does not say; or 0 */
};

struct anl_function {
    uint32_t node;                      /* row of anl.view.node */
    uint8_t  category;                  /* enum anl_category or ANL_COPY */
    bool     application;               /* level; else system */
    bool     resolved;                  /* its interval is apart from those of
                                         * the rows beside it in its level */
    struct anl_share flat, cum;
    double   per_call_ns;               /* of flat; NAN: not known */
};

struct anl_finding {                    /* a category */
    struct anl_share share;
    double on_behalf;                   /* of it, with an application frame
                                         * above; NAN when there is none */
    uint32_t leader;                    /* the node that most of it is for, or
                                         * MEM_NONE */
    struct view_sum lead;               /* of the leader */
};

struct anl_thread {
    struct slice name;                  /* borrowed from the profile */
    double cpu_ns;
    double cores;                       /* cpu_ns of the window; NAN */
    struct view_sum all, running;       /* running: of a wall profile */
};

struct anl_place {                      /* where threads wait */
    uint32_t node;                      /* the leaf */
    struct anl_share share;             /* of the time waited */
};

struct anl_method {
    struct slice path;                  /* "/pkg.Service/Method"; borrowed */
    double calls;
};

struct anl_figures {                    /* comments; NAN: not there */
    double hz_asked, hz_delivered, samples, lost, truncated, unwind_failed;
    double cpu_ns, process_cpu_ns, process_user_ns, process_system_ns;
    double coverage, wall_ns, cpus, threads;
    double requests, work, busy_wall_ns, busy_cpu_ns;
    double tick_hz, tick_clustered;
    struct slice tool, engine, clock, engine_reason;    /* empty: not there */
};

struct anl_trust {
    double samples, effective;          /* counts */
    double hz_asked, hz_delivered;      /* a second of CPU time; NAN */
    double coverage;                    /* of the process's CPU time; NAN */
    double lost, truncated, unwind_failed;      /* samples; NAN */
    double truncated_share, lost_share; /* of the samples; NAN */
    double unsymbolised;                /* share: leaf has no symbol */
    double no_app_frame;                /* share: no application frame */
    double broken;                      /* share of those whose stack neither
                                         * reaches where threads begin nor
                                         * shows what it worked for */
    int64_t stripped;                   /* profilers' frames passed over */
    bool tick_driven;                   /* the timer fires at kernel ticks */
    double tick_clustered;              /* share of threads that keep step with
                                         * the tick; NAN: cannot be told */
    double unsampled;                   /* share that no sample shows */
};

struct anl_use {                        /* 1 is one core; NAN: not known */
    double window, busy;                /* cores over the window, and over its
                                         * busy time */
    double busy_ns, wall_ns;            /* lengths of both */
    double cpu_ns;                      /* of the process, or of the samples */
    double cpus;                        /* it may use at once */
};

enum anl_kind {
    ANL_WITHHELD, ANL_WAITING, ANL_V_SYSCALLS, ANL_V_PROTOCOL,
    ANL_V_ALLOCATOR, ANL_V_CONTENTION, ANL_V_APPLICATION, ANL_MIXED,
};

static const char *const anl_kind_name[] = {
    "withheld", "waiting", "syscalls", "protocol", "allocator", "contention",
    "application", "mixed",
};

struct anl_verdict {
    enum anl_kind kind;
    const char *text;                   /* one paragraph */
    const char *reason[8];              /* a sentence each */
    size_t nreasons;
    const char *next_command;           /* lines to type; NULL: none */
};

struct anl_advice {
    const char *text;                   /* one sentence */
    uint32_t node;                      /* function that it rests on */
    struct anl_share share;             /* of that function */
};

struct anl {
    const struct pp *pp;                /* borrowed */
    struct view view;                   /* owned */
    struct arena arena;                 /* owned: texts */
    struct anl_class *class;            /* owned, by node */
    struct anl_function *function;      /* owned, by flat down */
    size_t nfunctions;
    struct anl_finding finding[ANL_CATEGORIES];
    uint8_t by_share[ANL_CATEGORIES];   /* rows of finding, by share down */
    struct anl_share system, application, copy;
    struct anl_thread *thread;          /* owned, by CPU time down */
    size_t nthreads, thread_cap;
    struct anl_method *method;          /* owned, as in the profile */
    size_t nmethods, method_cap;
    struct anl_figures comment;
    struct anl_trust trust;
    struct anl_use use;
    struct anl_verdict verdict;
    struct anl_advice advice[8];
    size_t nadvice;
    double ns_per_unit;                 /* of the type's values; NAN: no time */
    double calls, cpu_ns_per_call;      /* NAN: not known */
    bool cpu_profile;                   /* values are CPU time or samples */
    bool wall;                          /* real time, with states */
    struct anl_share waiting;           /* of a wall profile */
    struct anl_place place[ANL_PLACES]; /* by share down */
    size_t nplaces;
    uint32_t main;                      /* module of the program, or MEM_NONE */
};

/* Formatted text in a's arena; "" when memory is gone. */
__attribute__((format(printf, 2, 3)))
static const char *anl_text(struct anl *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n < 0 ? NULL : mem_arena_alloc(&a->arena, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p ? p : "";
}

/* True when the intervals of x and y have a value in common, or are not
 * known. */
static bool anl_overlap(const struct anl_share *x, const struct anl_share *y)
{
    return !(x->low > y->high || y->low > x->high);
}

/* s for a sentence: at most 60 bytes of it, fit to print, in a's arena. */
static const char *anl_word(struct anl *a, struct slice s)
{
    struct buf b = {0};
    bool cut = s.n > 60;
    view_put_name(&b, (struct slice){ s.p, cut ? 57 : s.n }, ' ');
    const char *text = anl_text(a, "%.*s%s", (int)b.len,
                                b.len ? (const char *)b.data : "",
                                cut ? "..." : "");
    mem_fini(&b);
    return text;
}

/* The name of node for a sentence. */
static const char *anl_name(struct anl *a, uint32_t node)
{
    return anl_word(a, a->view.node[node].name);
}

/* ---- figures of the run ---- */

/* Read the key=value comments that grpcprof writes. */
static void anl_read_comments(struct anl *a)
{
    struct anl_figures *c = &a->comment;
    const struct { const char *key; double *to; } figure[] = {
        { "hz_asked", &c->hz_asked }, { "hz_delivered", &c->hz_delivered },
        { "samples", &c->samples }, { "lost", &c->lost },
        { "truncated", &c->truncated },
        { "unwind_failed", &c->unwind_failed }, { "cpu_ns", &c->cpu_ns },
        { "process_cpu_ns", &c->process_cpu_ns },
        { "process_user_ns", &c->process_user_ns },
        { "process_system_ns", &c->process_system_ns },
        { "coverage", &c->coverage }, { "wall_ns", &c->wall_ns },
        { "cpus", &c->cpus }, { "threads", &c->threads },
        { "requests", &c->requests }, { "work", &c->work },
        { "busy_wall_ns", &c->busy_wall_ns },
        { "busy_cpu_ns", &c->busy_cpu_ns }, { "tick_hz", &c->tick_hz },
        { "tick_clustered", &c->tick_clustered },
    };
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++) {
        *figure[i].to = txt_finite(pp_comment(a->pp, figure[i].key));
        if (*figure[i].to < 0)
            *figure[i].to = NAN;
    }
    c->tool = pp_comment(a->pp, "tool");
    c->engine = pp_comment(a->pp, "engine");
    c->clock = pp_comment(a->pp, "clock");
    c->engine_reason = pp_comment(a->pp, "engine_reason");
}

/* Read the comments requests./pkg.Service/Method=N. */
static int anl_read_methods(struct anl *a)
{
    static const char prefix[] = "requests./";
    for (size_t i = 0; i < a->pp->ncomments; i++) {
        struct slice c = a->pp->comment[i];
        const char *eq = c.n ? memrchr(c.p, '=', c.n) : NULL;
        if (!txt_starts(c, prefix) || !eq || a->nmethods == ANL_MOST_METHODS)
            continue;
        size_t n = (size_t)(eq - c.p), skip = sizeof prefix - 2;
        double calls = txt_finite((struct slice){ eq + 1, c.n - n - 1 });
        void *p = mem_grow(a->method, &a->method_cap, a->nmethods + 1,
                           sizeof *a->method);
        if (!p)
            return GP_ENOMEM;
        a->method = p;
        a->method[a->nmethods++] = (struct anl_method){
            { c.p + skip, n - skip }, calls };
    }
    return GP_OK;
}

/* Nanoseconds of one unit of time, or NAN for what is not one. */
static double anl_unit_ns(struct slice unit)
{
    static const struct { const char *name; double ns; } known[] = {
        { "nanoseconds", 1 }, { "nanosecond", 1 }, { "ns", 1 },
        { "microseconds", 1e3 }, { "microsecond", 1e3 }, { "us", 1e3 },
        { "milliseconds", 1e6 }, { "millisecond", 1e6 }, { "ms", 1e6 },
        { "seconds", 1e9 }, { "second", 1e9 }, { "s", 1e9 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (txt_equal(unit, txt_slice(known[i].name)))
            return known[i].ns;
    return NAN;
}

/* How many ns of CPU time a unit of the type's values is: by its unit, or, for
 * a count of samples, by the period.  Says whether it is CPU time at all. */
static void anl_read_unit(struct anl *a)
{
    const struct pp *p = a->pp;
    const struct pp_type *t = &p->type[a->view.type];
    double period = (double)p->period * anl_unit_ns(p->period_type.unit);
    bool samples = a->view.type == a->view.count_type;
    bool wall = txt_equal(a->comment.clock, txt_slice("wall")) ||
                txt_equal(p->period_type.type, txt_slice("wall"));
    a->ns_per_unit = anl_unit_ns(t->unit);
    if (samples && period > 0 &&
        txt_equal(p->period_type.type, txt_slice("cpu")))
        a->ns_per_unit = period;
    a->cpu_profile = !wall && (samples ||
                               txt_equal(t->type, txt_slice("cpu")) ||
                               txt_equal(t->type, txt_slice("cycles")));
    a->wall = wall;
}

/* ---- one pass over the samples ---- */

struct anl_pass {                       /* what a walk of a stack finds */
    const struct anl_class *class;      /* borrowed */
    uint32_t *frame;                    /* owned: nodes, leaf first */
    size_t n, cap;                      /* frames */
    struct view_sum *credit;            /* owned, two by node: samples whose
                                         * category it decided, by what it is
                                         * and by its caller */
    struct view_sum sum[ANL_CATEGORIES], behalf[ANL_CATEGORIES];
    struct view_sum unsymbolised, no_app, broken, truncated, copy, unsampled;
    struct view_sum waiting, *idle;     /* idle: owned, by leaf */
    struct index threads;               /* hash of name -> anl.thread */
};

/* Lay the stack of row i out in w->frame. */
static int anl_stack(struct anl_pass *w, const struct view *v, size_t i)
{
    const struct pp *p = v->pp;
    w->n = 0;
    for (uint32_t k = p->stack_at[i]; k < p->stack_at[i + 1]; k++) {
        uint32_t l = p->stack[k], from = v->frame_at[l];
        uint32_t n = v->frame_at[l + 1] - from;
        void *f = mem_grow(w->frame, &w->cap, w->n + n, sizeof *w->frame);
        if (!f)
            return GP_ENOMEM;
        w->frame = f;
        memcpy(w->frame + w->n, v->frame + from, n * sizeof *w->frame);
        w->n += n;
    }
    return GP_OK;
}

/* How many frames at the leaf are a profiler's: its handler, what that called,
 * and the trampoline below it. */
static size_t anl_handler_frames(const struct anl_pass *w)
{
    size_t n = 0;
    for (size_t k = 0; k < w->n; k++)
        if (w->class[w->frame[k]].flags & ANL_HANDLER)
            n = k + 1;
    while (n && n < w->n && w->class[w->frame[n]].flags & ANL_TRAMPOLINE)
        n++;
    return n;
}

/* True when a frame from k on is of the network or of a protocol. */
static bool anl_under_network(const struct anl_pass *w, size_t k)
{
    for (; k < w->n; k++) {
        uint8_t c = w->class[w->frame[k]].category;
        if (c == ANL_NETWORK || c == ANL_PROTOCOL)
            return true;
    }
    return false;
}

/* The category of the stack in w from frame k on; *by becomes the frame that
 * decided, *copied whether memory copies stood before it. */
static enum anl_category anl_decide(const struct anl_pass *w, size_t k,
                                    size_t *by, bool *copied)
{
    *by = k < w->n ? k : 0;
    *copied = false;
    for (; k < w->n; k++) {
        struct anl_class c = w->class[w->frame[k]];
        *copied |= c.category == ANL_COPY;
        if (c.flags & (ANL_TRANSPARENT | ANL_TRAMPOLINE))
            continue;
        *by = k;
        if (c.flags & ANL_BY_CALLER && anl_under_network(w, k + 1))
            return ANL_NETWORK;
        return (enum anl_category)c.category;
    }
    return *copied ? ANL_LIBRARIES : w->n ? ANL_PROFILER : ANL_UNKNOWN;
}

/* Add a weight of count samples, whose stack is in w. */
static void anl_add_stack(struct anl *a, struct anl_pass *w, int64_t weight,
                          int64_t count)
{
    size_t handler = anl_handler_frames(w), by;
    bool copied, app = false, whole = false, pseudo = false;
    enum anl_category c = anl_decide(w, handler, &by, &copied);
    a->trust.stripped = view_add(a->trust.stripped,
                                 view_mul((int64_t)handler,
                                          count > 0 ? count : 0));
    for (size_t k = handler; k < w->n; k++) {
        struct anl_class f = w->class[w->frame[k]];
        app |= f.category == ANL_APPLICATION;
        whole |= (f.flags & ANL_ENTRY) || f.category == ANL_PROTOCOL ||
                 f.category == ANL_NETWORK;
        pseudo |= (f.flags & ANL_PSEUDO) != 0;
    }
    view_sum_add(&w->sum[c], weight, count);
    if (w->n)
        view_sum_add(&w->credit[2 * w->frame[by] +
                                (c != w->class[w->frame[by]].category)],
                     weight, count);
    if (copied)
        view_sum_add(&w->copy, weight, count);
    if (w->n && !a->view.node[w->frame[handler < w->n ? handler : 0]].symbol)
        view_sum_add(&w->unsymbolised, weight, count);
    if (app)
        view_sum_add(&w->behalf[c], weight, count);
    else
        view_sum_add(&w->no_app, weight, count);
    if (!app && !whole && !pseudo)
        view_sum_add(&w->broken, weight, count);
    if (w->n && txt_equal(a->view.node[w->frame[w->n - 1]].name,
                          txt_slice("[truncated]")))
        view_sum_add(&w->truncated, weight, count);
    if (w->n && txt_equal(a->view.node[w->frame[0]].name,
                          txt_slice("[unsampled]")))
        view_sum_add(&w->unsampled, weight, count);
}

/* The thread called name, entered if new; NULL without memory. */
static struct anl_thread *anl_thread(struct anl *a, struct index *x,
                                     struct slice name)
{
    if (a->nthreads == ANL_MOST_THREADS)
        name = txt_slice("(others)");
    uint64_t h = mem_hash(name.p, name.n);
    for (uint32_t at = 0, i; (i = mem_index_next(x, h, &at)) != MEM_NONE;)
        if (txt_equal(a->thread[i].name, name))
            return &a->thread[i];
    void *p = mem_grow(a->thread, &a->thread_cap, a->nthreads + 1,
                       sizeof *a->thread);
    if (!p)
        return NULL;
    a->thread = p;
    a->thread[a->nthreads] = (struct anl_thread){ .name = name };
    if (mem_index_put(x, h, (uint32_t)a->nthreads))
        return NULL;
    return &a->thread[a->nthreads++];
}

/* The text of row i's label key; empty when it has none. */
static struct slice anl_label(const struct pp *p, size_t i, const char *key)
{
    for (uint32_t k = p->label_at[i]; k < p->label_at[i + 1]; k++)
        if (p->label[k].str.p && txt_equal(p->label[k].key, txt_slice(key)))
            return p->label[k].str;
    return (struct slice){0};
}

/* Add row i, whose stack is in w, to the thread that its label names and, in a
 * wall profile, to what waited. */
static int anl_add_thread(struct anl *a, struct anl_pass *w, size_t i,
                          int64_t weight, int64_t count)
{
    struct slice name = anl_label(a->pp, i, "thread");
    bool waits = a->wall && txt_equal(anl_label(a->pp, i, "state"),
                                      txt_slice("waiting"));
    if (!name.p)
        name = anl_label(a->pp, i, "thread_name");
    if (waits)
        view_sum_add(&w->waiting, weight, count);
    if (waits && w->n)
        view_sum_add(&w->idle[w->frame[0]], weight, count);
    if (!name.p)
        return GP_OK;
    struct anl_thread *t = anl_thread(a, &w->threads, name);
    if (!t)
        return GP_ENOMEM;
    t->cpu_ns += (double)weight * a->ns_per_unit;
    view_sum_add(&t->all, weight, count);
    if (!waits)
        view_sum_add(&t->running, weight, count);
    return GP_OK;
}

/* Order of two threads: by CPU time down, then by name. */
static int anl_compare_threads(const void *x, const void *y)
{
    const struct anl_thread *a = x, *b = y;
    if (a->cpu_ns != b->cpu_ns)
        return a->cpu_ns < b->cpu_ns ? 1 : -1;
    return view_compare_names(a->name, b->name);
}

/* Note the places where most of the waiting was done. */
static void anl_settle_waiting(struct anl *a, const struct anl_pass *w)
{
    a->waiting = anl_share(&w->waiting, &a->view.total);
    for (uint32_t i = 0; i < a->view.nnodes; i++) {
        if (w->idle[i].value <= 0)
            continue;
        size_t k = a->nplaces < ANL_PLACES ? a->nplaces++ : ANL_PLACES;
        for (; k > 0 && a->place[k - 1].share.sum.value < w->idle[i].value;
             k--)
            if (k < ANL_PLACES)
                a->place[k] = a->place[k - 1];
        if (k < ANL_PLACES)
            a->place[k] = (struct anl_place){
                i, anl_share(&w->idle[i], &w->waiting) };
    }
}

/* Turn what the pass summed into shares. */
static void anl_settle(struct anl *a, const struct anl_pass *w)
{
    const struct view_sum *all = &a->view.total;
    for (size_t c = 0; c < ANL_CATEGORIES; c++) {
        struct anl_finding *f = &a->finding[c];
        f->share = anl_share(&w->sum[c], all);
        f->on_behalf = w->sum[c].value ? (double)w->behalf[c].value /
                                         (double)w->sum[c].value : NAN;
        f->leader = MEM_NONE;
        a->by_share[c] = (uint8_t)c;
        for (size_t k = c; k > 0 && w->sum[a->by_share[k]].value >
                                    w->sum[a->by_share[k - 1]].value; k--) {
            uint8_t t = a->by_share[k];
            a->by_share[k] = a->by_share[k - 1];
            a->by_share[k - 1] = t;
        }
    }
    for (size_t i = 0; i < 2 * a->view.nnodes; i++) {
        uint8_t c = i % 2 ? ANL_NETWORK : a->class[i / 2].category;
        if (c < ANL_CATEGORIES &&
            w->credit[i].value > a->finding[c].lead.value) {
            a->finding[c].leader = (uint32_t)(i / 2);
            a->finding[c].lead = w->credit[i];
        }
    }
    a->copy = anl_share(&w->copy, all);
    a->trust.unsymbolised = anl_share(&w->unsymbolised, all).share;
    a->trust.no_app_frame = anl_share(&w->no_app, all).share;
    a->trust.broken = anl_share(&w->broken, all).share;
    a->trust.truncated_share = anl_share(&w->truncated, all).share;
    a->trust.unsampled = anl_share(&w->unsampled, all).share;
    if (a->wall)
        anl_settle_waiting(a, w);
}

/* The pass: categories, trust and threads of all samples. */
static int anl_run_samples(struct anl *a)
{
    const struct view *v = &a->view;
    const struct pp *p = a->pp;
    struct anl_pass w = { .class = a->class };
    w.credit = mem_zalloc(2 * v->nnodes * sizeof *w.credit);
    w.idle = mem_zalloc(v->nnodes * sizeof *w.idle);
    int e = w.credit && w.idle ? GP_OK : GP_ENOMEM;
    for (size_t i = 0; i < p->nsamples && !e; i++) {
        int64_t weight = p->value[i * p->ntypes + v->type];
        if (weight == 0)
            continue;
        if (!(e = anl_stack(&w, v, i))) {
            int64_t count = view_count(v, i, weight);
            anl_add_stack(a, &w, weight, count);
            e = anl_add_thread(a, &w, i, weight, count);
        }
    }
    if (!e)
        anl_settle(a, &w);
    if (a->nthreads)
        qsort(a->thread, a->nthreads, sizeof *a->thread, anl_compare_threads);
    mem_free(w.frame);
    mem_free(w.credit);
    mem_free(w.idle);
    mem_index_fini(&w.threads);
    return e;
}

/* The table of functions with their shares, and the sums of both levels. */
static int anl_run_functions(struct anl *a)
{
    const struct view *v = &a->view;
    struct view_sum level[2] = {{0}};
    struct anl_function *above[2] = { NULL, NULL };     /* the rows before */
    uint32_t *order = view_order(v, VIEW_BY_FLAT, &a->nfunctions);
    a->function = order ? mem_zalloc(a->nfunctions * sizeof *a->function)
                        : NULL;
    for (size_t i = 0; a->function && i < a->nfunctions; i++) {
        const struct view_node *n = &v->node[order[i]];
        struct anl_function *f = &a->function[i];
        *f = (struct anl_function){
            .node = order[i], .category = a->class[order[i]].category,
            .flat = anl_share(&n->flat, &v->total),
            .cum = anl_share(&n->cum, &v->total),
            .resolved = true,
            .per_call_ns = (double)n->flat.value * a->ns_per_unit / a->calls,
        };
        f->application = f->category == ANL_APPLICATION;
        struct view_sum *s = &level[f->application];
        s->value = view_add(s->value, n->flat.value);
        s->samples = view_add(s->samples, n->flat.samples);
        s->squares += n->flat.squares;
        struct anl_function *before = above[f->application];
        if (before && anl_overlap(&before->flat, &f->flat))
            before->resolved = f->resolved = false;
        above[f->application] = f;
    }
    a->system = anl_share(&level[0], &v->total);
    a->application = anl_share(&level[1], &v->total);
    mem_free(order);
    return a->function ? GP_OK : GP_ENOMEM;
}

/* ---- utilisation and trust ---- */

/* x, or otherwise when x is not known. */
static double anl_or(double x, double otherwise)
{
    return isnan(x) ? otherwise : x;
}

/* How much CPU the process and its threads used, over which time. */
static void anl_run_use(struct anl *a)
{
    const struct anl_figures *c = &a->comment;
    struct anl_use *u = &a->use;
    double sampled = a->cpu_profile
        ? (double)a->view.total.value * a->ns_per_unit : NAN;
    double duration = a->pp->duration_ns > 0 ? (double)a->pp->duration_ns
                                             : NAN;
    u->wall_ns = anl_or(c->wall_ns, duration);
    u->cpu_ns = anl_or(c->process_cpu_ns, sampled);
    u->cpus = c->cpus;
    u->window = u->wall_ns > 0 ? u->cpu_ns / u->wall_ns : NAN;
    u->busy_ns = c->busy_wall_ns;
    u->busy = c->busy_wall_ns > 0 ? c->busy_cpu_ns / c->busy_wall_ns : NAN;
    for (size_t i = 0; i < a->nthreads; i++) {
        struct anl_thread *t = &a->thread[i];
        if (!a->cpu_profile)
            t->cpu_ns = NAN;
        t->cores = u->wall_ns > 0 ? t->cpu_ns / u->wall_ns : NAN;
    }
    a->cpu_ns_per_call = a->calls > 0 ? u->cpu_ns / a->calls : NAN;
}

/* The share of the time in threads that a timer of ticks found oftener than it
 * finds work out of step with the ticks; NAN where that cannot be told.  Such
 * work is on at a tick with the chance that it is on at all, so that CPU time
 * times ticks a second is the most samples to expect, whatever its bursts. */
static double anl_tick_clustered(const struct anl *a)
{
    double tick = a->comment.tick_hz, in_step = 0, all = 0;
    if (!isnan(a->comment.tick_clustered))
        return a->comment.tick_clustered;
    if (!(a->trust.hz_asked >= ANL_TICK_LEAST_RATE * tick))
        return NAN;
    for (size_t i = 0; i < a->nthreads; i++) {
        const struct anl_thread *t = &a->thread[i];
        double n = (double)t->all.samples, most = t->cpu_ns * 1e-9 * tick;
        all += t->cpu_ns;
        if (n > ANL_TICK_RATIO * most &&
            n - most > ANL_TICK_ERRORS * sqrt(fmax(most, 1)))
            in_step += t->cpu_ns;
    }
    return all > 0 ? in_step / all : NAN;
}

/* How far the samples can be trusted. */
static void anl_run_trust(struct anl *a)
{
    const struct anl_figures *c = &a->comment;
    struct anl_trust *t = &a->trust;
    double period = (double)a->pp->period *
                    anl_unit_ns(a->pp->period_type.unit);
    t->samples = (double)a->view.counted;
    t->effective = view_effective(&a->view.total);
    t->hz_asked = anl_or(c->hz_asked, period > 0 ? 1e9 / period : NAN);
    t->hz_delivered = anl_or(c->hz_delivered, a->use.cpu_ns > 0 ?
                             t->samples / a->use.cpu_ns * 1e9 : NAN);
    t->coverage = c->coverage;
    t->lost = c->lost;
    t->truncated = c->truncated;
    t->unwind_failed = c->unwind_failed;
    double cut = t->truncated / t->samples;
    if (t->samples > 0 && cut > t->truncated_share)
        t->truncated_share = cut < 1 ? cut : 1;
    t->lost_share = t->lost / (t->samples + t->lost);
    t->tick_driven = txt_equal(c->engine, txt_slice("itimer")) ||
                     txt_equal(c->engine, txt_slice("thread"));
    t->tick_clustered = t->tick_driven && a->cpu_profile
        ? anl_tick_clustered(a) : NAN;
}

/* ---- verdict ---- */

/* Add a sentence to the verdict's reasons; what does not fit is left out. */
static void anl_reason(struct anl *a, const char *text)
{
    struct anl_verdict *v = &a->verdict;
    if (v->nreasons < sizeof v->reason / sizeof *v->reason)
        v->reason[v->nreasons++] = text;
}

/* True when little CPU was used: no busy time to speak of, or little in it. */
static bool anl_low_use(const struct anl_use *u)
{
    if (!(u->window < ANL_LOW_CORES))
        return false;
    return !(u->busy_ns >= ANL_LEAST_BUSY_NS) || u->busy < ANL_LOW_CORES;
}

/* Say why stacks cannot carry a verdict, as far as that is so. */
static void anl_doubt_stacks(struct anl *a)
{
    const struct anl_trust *t = &a->trust;
    if (t->unsymbolised > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.1f %% of it ran in code without a symbol,"
                   " so that nobody can say what it did",
                   100 * t->unsymbolised));
    if (t->truncated_share > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.1f %% of the stacks are cut off",
                   100 * t->truncated_share));
    if (t->broken > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.1f %% of the stacks have no application "
                   "frame and do not reach the start of a thread: the unwinder"
                   " lost its way", 100 * t->broken));
    if (t->lost_share > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.0f samples were lost beside %.0f taken",
                   t->lost, t->samples));
    if (t->coverage < 1 - ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "the samples account for only %.1f %% of the"
                   " CPU time used", 100 * t->coverage));
    if (t->tick_clustered > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.1f %% of it ran in step with the kernel's "
                   "tick: the timer fires there, and sees only what is on at a "
                   "tick; --timer perf sees all", 100 * t->tick_clustered));
    if (t->unsampled > ANL_BROKEN_SHARE)
        anl_reason(a, anl_text(a, "%.1f %% of the time has no sample: the timer"
                   " did not fire while it was used", 100 * t->unsampled));
}

/* Say why samples are too few, with what their intervals look like. */
static void anl_doubt_samples(struct anl *a)
{
    double n = a->trust.effective, low, high;
    if (a->view.total.value <= 0) {
        anl_reason(a, "the profile holds no samples");
        return;
    }
    if (n >= ANL_LEAST_SAMPLES)
        return;
    anl_wilson(0.1, n, &low, &high);
    anl_reason(a, anl_text(a, "%.0f samples are too few (%d are the least): "
               "a share of 10 %% could be anything from %.1f to %.1f %%", n,
               ANL_LEAST_SAMPLES, 100 * low, 100 * high));
}

/* Say what kind of profile cannot carry a verdict on CPU use. */
static void anl_doubt_type(struct anl *a)
{
    const struct pp_type *t = &a->pp->type[a->view.type];
    if (a->view.negative)
        anl_reason(a, anl_text(a, "%zu values are negative: this is a "
                   "difference of two profiles", a->view.negative));
    if (a->cpu_profile || a->wall)
        return;
    anl_reason(a, anl_text(a, "its values are %s, not CPU time",
                           anl_word(a, t->type)));
}

/* The smallest of 1, 2, 3, 5 times a power of ten that is at least x. */
static double anl_round_up(double x)
{
    static const double step[] = { 1, 2, 3, 5 };
    for (double unit = 1; unit < 1e15; unit *= 10)
        for (size_t i = 0; i < sizeof step / sizeof *step; i++)
            if (step[i] * unit >= x)
                return step[i] * unit;
    return x;
}

/* The commands that would give samples enough, for a profile of grpcprof's own
 * server; for others how long a window it takes, as a reason. */
static void anl_advise_next(struct anl *a)
{
    const struct anl_use *u = &a->use;
    double hz = a->trust.hz_delivered;
    if (!(hz > 0) || a->trust.samples < ANL_RATE_SAMPLES) {
        hz = a->trust.hz_asked > 0 ? a->trust.hz_asked : 1000;
        if (a->trust.tick_driven)       /* 250 is the usual tick */
            hz = fmin(hz, 250);
    }
    double cpu_s = ANL_GOOD_SAMPLES / hz;
    if (!txt_starts(a->comment.tool, "grpcprof")) {
        if (u->window > 0 && a->cpu_profile)
            anl_reason(a, anl_text(a, "at this use of the CPU %d samples take "
                       "a window of %.0f s", ANL_GOOD_SAMPLES,
                       ceil(cpu_s / u->window)));
        return;
    }
    /* The load keeps about one core busy at the least; half of it may be the
     * client's where both run on the same machine. */
    double load_s = fmax(ANL_LEAST_LOAD_S, anl_round_up(ceil(cpu_s * 2)));
    load_s = fmin(load_s, ANL_MOST_LOAD_S);
    if (a->calls > 0 && a->cpu_ns_per_call > 0)
        anl_reason(a, anl_text(a, "a call took %.1f us of CPU, so that %d "
                   "samples at %.0f a second of CPU take %.0f calls",
                   a->cpu_ns_per_call / 1e3, ANL_GOOD_SAMPLES, hz,
                   anl_round_up(cpu_s * 1e9 / a->cpu_ns_per_call)));
    const char *work = a->comment.work >= 0 && a->comment.work != 50000 ?
        anl_text(a, " --work %.0f", a->comment.work) : "";
    /* At a low rate the samples are soon had at the usual one. */
    const char *rate = a->trust.hz_asked > 1000 ?
        anl_text(a, " --hz %.0f", a->trust.hz_asked) : "";
    if (a->trust.hz_asked < 1000)
        load_s = ANL_LEAST_LOAD_S;
    struct slice at = pp_comment(a->pp, "listen");
    bool usual = at.n == 0 || txt_equal(at, txt_slice("127.0.0.1:50051"));
    const char *to = usual ? "" : anl_text(a, " %s", anl_word(a, at));
    a->verdict.next_command = anl_text(a,
        "grpcprof serve%s%s%s%s --profile %.0fs\n"
        "grpcprof load -c 100 -d %.0fs%s", usual ? "" : " -l", to, work, rate,
        load_s + 10, load_s, to);
}

/* Put into the verdict that it is withheld, for the reasons there are. */
static void anl_withhold(struct anl *a)
{
    struct anl_verdict *v = &a->verdict;
    v->kind = ANL_WITHHELD;
    v->text = "No verdict: what was sampled cannot carry one.";
    if (a->cpu_profile && anl_low_use(&a->use))
        anl_reason(a, anl_text(a, "the process used %.1f %% of one core; a "
                   "CPU profile cannot show what it waited for",
                   100 * a->use.window));
    if (a->cpu_profile && a->trust.effective < ANL_LEAST_SAMPLES)
        anl_advise_next(a);
    if (a->trust.lost_share > ANL_BROKEN_SHARE)
        anl_reason(a, "a lower --hz, or fewer threads, would lose fewer");
    if (a->trust.unsymbolised > ANL_BROKEN_SHARE)
        anl_reason(a, "with the program that was not stripped at hand: "
                   "pprof -top WHOLE_PROGRAM PROFILE");
}

/* Add what is known of single threads that have no more to give. */
static void anl_reason_threads(struct anl *a)
{
    size_t full = 0, idle = 0;
    for (size_t i = 0; i < a->nthreads; i++) {
        full += a->thread[i].cores >= ANL_FULL_CORE;
        idle += a->thread[i].cores < ANL_LOW_CORES;
    }
    if (full == 1 && idle + 1 == a->nthreads && a->use.cpus > 1)
        anl_reason(a, anl_text(a, "one thread does it all: %s used %.1f %% "
                   "of a core, no other more than %.0f %%",
                   anl_word(a, a->thread[0].name),
                   100 * a->thread[0].cores, 100 * ANL_LOW_CORES));
    if (a->use.busy_ns >= ANL_LEAST_BUSY_NS &&
        a->use.busy_ns < 0.8 * a->use.wall_ns)
        anl_reason(a, anl_text(a, "it was busy in %.1f of %.1f s, and used "
                   "%.2f cores then", a->use.busy_ns / 1e9,
                   a->use.wall_ns / 1e9, a->use.busy));
}

/* Rules: what must be larger than which share, surely, for which verdict. */
static const struct {
    enum anl_kind kind;
    uint8_t category[3];                /* summed; ANL_CATEGORIES: none */
    double  least;                      /* share that the interval is above */
    const char *text;
} anl_verdicts[] = {
    { ANL_V_APPLICATION, { ANL_APPLICATION, ANL_CATEGORIES, ANL_CATEGORIES },
      0.50, "The application's own code takes most of the CPU time." },
    { ANL_V_SYSCALLS, { ANL_NETWORK, ANL_SYSCALLS, ANL_CATEGORIES }, 0.50,
      "System calls take most of the CPU time.  This says what the CPU did, "
      "not that the process waits for input or output." },
    { ANL_V_PROTOCOL, { ANL_PROTOCOL, ANL_SERIAL, ANL_COMPRESSION }, 0.40,
      "The protocol (HTTP/2, gRPC, serialisation, compression) takes a large "
      "part of the CPU time." },
    { ANL_V_ALLOCATOR, { ANL_MEMORY, ANL_CATEGORIES, ANL_CATEGORIES }, 0.25,
      "Memory management takes a large part of the CPU time." },
    { ANL_V_CONTENTION, { ANL_LOCKS, ANL_CATEGORIES, ANL_CATEGORIES }, 0.15,
      "Atomics, locks and scheduling take a large part of the CPU time." },
};

/* The share of up to three categories together. */
static struct anl_share anl_together(const struct anl *a,
                                     const uint8_t category[3])
{
    struct view_sum sum = {0};
    for (size_t i = 0; i < 3; i++)
        if (category[i] < ANL_CATEGORIES) {
            const struct view_sum *s = &a->finding[category[i]].share.sum;
            sum.value = view_add(sum.value, s->value);
            sum.samples = view_add(sum.samples, s->samples);
            sum.squares += s->squares;
        }
    return anl_share(&sum, &a->view.total);
}

/* Put into the verdict that no rule holds, and what comes nearest. */
static void anl_judge_mixed(struct anl *a)
{
    const struct anl_finding *x = &a->finding[a->by_share[0]],
                             *y = &a->finding[a->by_share[1]];
    const char *xn = anl_category_name[a->by_share[0]],
               *yn = anl_category_name[a->by_share[1]];
    a->verdict.kind = ANL_MIXED;
    a->verdict.text = x->share.low > 0.5
        ? anl_text(a, "Most of the CPU time is one kind of work: %s.", xn)
        : "Mixed: no single kind of work dominates the CPU time.";
    if (!anl_overlap(&x->share, &y->share)) {
        anl_reason(a, anl_text(a, "the most is %s with %.1f %% (95 %% "
                   "interval %.1f to %.1f), then %s with %.1f %%", xn,
                   100 * x->share.share, 100 * x->share.low,
                   100 * x->share.high, yn, 100 * y->share.share));
        return;
    }
    anl_reason(a, anl_text(a, "%s (%.1f %%) and %s (%.1f %%) cannot be told "
               "apart at %.0f samples", xn, 100 * x->share.share, yn,
               100 * y->share.share, a->trust.effective));
    double gap = x->share.share - y->share.share;
    double spread = sqrt(x->share.share * (1 - x->share.share)) +
                    sqrt(y->share.share * (1 - y->share.share));
    double need = gap > 0.005 ? ANL_Z * ANL_Z * spread * spread / (gap * gap)
                              : NAN;
    if (need > a->trust.effective && a->use.wall_ns > 0)
        anl_reason(a, anl_text(a, "about %.0f samples would: a window of %.0f "
                   "s under the same load", anl_round_up(need),
                   anl_round_up(a->use.wall_ns / 1e9 * need /
                                a->trust.effective)));
}

/* The verdict by the rules: of those that surely hold, the one with the
 * greatest share. */
static void anl_judge_rules(struct anl *a)
{
    struct anl_verdict *v = &a->verdict;
    double most = 0;
    v->kind = ANL_MIXED;
    for (size_t i = 0; i < sizeof anl_verdicts / sizeof *anl_verdicts; i++) {
        struct anl_share s = anl_together(a, anl_verdicts[i].category);
        if (!(s.low > anl_verdicts[i].least))
            continue;
        if (s.share > most) {
            most = s.share;
            v->kind = anl_verdicts[i].kind;
            v->text = anl_verdicts[i].text;
        }
        anl_reason(a, anl_text(a, "%s: %.1f %% of %.0f samples, 95 %% "
                   "interval %.1f to %.1f, above the %.0f %% of the rule",
                   anl_kind_name[anl_verdicts[i].kind], 100 * s.share,
                   a->trust.effective, 100 * s.low, 100 * s.high,
                   100 * anl_verdicts[i].least));
    }
    if (v->kind == ANL_MIXED)
        anl_judge_mixed(a);
}

/* Add what a wall profile's verdict rests on: waiting, its places, and what
 * the CPU did meanwhile. */
static void anl_reason_wall(struct anl *a)
{
    anl_reason(a, anl_text(a, "waiting: %.1f %% of %.0f samples, 95 %% "
               "interval %.1f to %.1f", 100 * a->waiting.share,
               a->trust.samples, 100 * a->waiting.low, 100 * a->waiting.high));
    for (size_t i = 0; i < a->nplaces && i < 3; i++)
        anl_reason(a, anl_text(a, "%.1f %% of the waiting in %s, %" PRId64
                   " samples", 100 * a->place[i].share.share,
                   anl_name(a, a->place[i].node),
                   a->place[i].share.sum.samples));
    if (!isnan(a->use.window))
        anl_reason(a, anl_text(a, "%.2f s of CPU in %.1f s of time: %.1f %% of "
                   "one core", a->use.cpu_ns / 1e9, a->use.wall_ns / 1e9,
                   100 * a->use.window));
}

/* The verdict on a wall profile.  Threads that only wait, as every program has
 * some, do not hide one that runs. */
static void anl_judge_wall(struct anl *a)
{
    struct anl_verdict *v = &a->verdict;
    size_t running = 0;
    double most = 0;
    for (size_t i = 0; i < a->nthreads; i++) {
        const struct anl_thread *t = &a->thread[i];
        struct anl_share s = anl_share(&t->running, &t->all);
        if (!(s.low > 0.5))
            continue;
        running++;
        most = fmax(most, s.share);
        anl_reason(a, anl_text(a, "%s: running %.1f %% of its time, 95 %% "
                   "interval %.1f to %.1f", anl_word(a, t->name),
                   100 * s.share, 100 * s.low, 100 * s.high));
    }
    anl_reason_wall(a);
    v->kind = ANL_MIXED;
    if (running)
        v->text = anl_text(a, "Running: %zu of %zu threads ran, or were ready "
            "to run and had no CPU, more than half of their time (%.1f %% at "
            "the most).  A CPU profile shows what with.", running,
            a->nthreads, 100 * most);
    else if (a->waiting.low > 0.5) {
        v->kind = ANL_WAITING;
        v->text = anl_text(a, "The process was waiting: %.1f %% of its "
            "threads' time, and no thread ran more than half of it.  Most of "
            "it in %s.", 100 * a->waiting.share,
            a->nplaces ? anl_name(a, a->place[0].node) : "places unknown");
    } else {
        v->text = "Mixed: neither waiting nor running takes most of the "
                  "threads' time.";
    }
}

/* Reach the verdict, or say why there is none. */
static void anl_judge(struct anl *a)
{
    struct anl_verdict *v = &a->verdict;
    anl_doubt_type(a);
    anl_doubt_samples(a);
    anl_doubt_stacks(a);
    if (v->nreasons) {
        anl_withhold(a);
        return;
    }
    if (a->wall) {
        anl_judge_wall(a);
        return;
    }
    if (anl_low_use(&a->use)) {
        v->kind = ANL_WAITING;
        v->text = anl_text(a, "Mostly waiting: %.1f %% of one core was used.  "
            "A CPU profile cannot show what for: the network, a disk, locks, "
            "timers, or work that did not come.  The shares are shares of a "
            "small cost.", 100 * a->use.window);
        anl_reason(a, anl_text(a, "%.2f s of CPU in %.1f s of time",
                   a->use.cpu_ns / 1e9, a->use.wall_ns / 1e9));
    } else {
        anl_judge_rules(a);
    }
    if (isnan(a->use.window))
        anl_reason(a, "the profile has no duration: how much of the time the "
                   "CPU was used is not known, only the mix of what ran");
    anl_reason_threads(a);
}

/* ---- advice ---- */

/* What to do about a category whose interval is above a share. */
static const struct {
    uint8_t category;
    double  least;
    const char *text;
} anl_advices[] = {
    { ANL_NETWORK, 0.30, "make fewer system calls: more messages a call, "
      "larger reads and writes, fewer wake-ups" },
    { ANL_SYSCALLS, 0.20, "look at the system calls that are not network: "
      "which are needed on every call?" },
    { ANL_MEMORY, 0.15, "allocate less: reuse buffers, take a call's memory "
      "from one arena, or try another allocator" },
    { ANL_PROTOCOL, 0.40, "spread the cost of a call: larger messages or "
      "streams instead of many small calls, and no new connections" },
    { ANL_LOCKS, 0.10, "share less between threads: one counter, queue or "
      "pool for each of them" },
    { ANL_SERIAL, 0.15, "serialise less: smaller messages, fewer strings, "
      "fields that are not read left out" },
    { ANL_CRYPTO, 0.20, "see whether sessions are resumed and the cipher is "
      "one that this CPU has instructions for" },
    { ANL_COMPRESSION, 0.15, "compress less: a lower level, or not at all "
      "where the network is not the limit" },
    { ANL_TIME, 0.05, "read the clock less often: once a turn of the loop "
      "instead of once a call" },
    { ANL_PROFILER, 0.05, "sample less often (--hz): the profiler takes this "
      "much itself" },
};

/* Add an advice on node, when there is room. */
static void anl_advise(struct anl *a, uint32_t node, const struct view_sum *s,
                       const char *text)
{
    if (a->nadvice == sizeof a->advice / sizeof *a->advice)
        return;
    a->advice[a->nadvice++] = (struct anl_advice){
        text, node, anl_share(s, &a->view.total) };
}

/* Advise on the first application function, when its share is surely worth
 * it, and name the next one when it may as well be that. */
static void anl_advise_application(struct anl *a)
{
    const struct anl_function *first = NULL, *next = NULL;
    for (size_t i = 0; i < a->nfunctions && !next; i++)
        if (a->function[i].application)
            *(first ? &next : &first) = &a->function[i];
    if (!first || !(first->flat.low > 0.20))
        return;
    const char *name = anl_name(a, first->node);
    const char *also = next && anl_overlap(&first->flat, &next->flat)
        ? anl_text(a, " (or %s: which of them takes more is not resolved)",
                   anl_name(a, next->node)) : "";
    anl_advise(a, first->node, &first->flat.sum, anl_text(a,
        "Optimise %s first%s: making it twice as fast saves at most %.0f %% "
        "of the CPU time", name, also, 50 * first->flat.share));
}

/* Recommendations: only what the intervals carry, and none on top of a
 * withheld verdict or for a process that mostly waits. */
static void anl_run_advice(struct anl *a)
{
    if (a->verdict.kind == ANL_WITHHELD || a->verdict.kind == ANL_WAITING ||
        a->wall)
        return;
    anl_advise_application(a);
    for (size_t i = 0; i < sizeof anl_advices / sizeof *anl_advices; i++) {
        uint8_t c = anl_advices[i].category;
        const struct anl_finding *f = &a->finding[c];
        if (!(f->share.low > anl_advices[i].least) || f->leader == MEM_NONE)
            continue;
        anl_advise(a, f->leader, &f->lead, anl_text(a,
            "%s, %.1f %% (%.1f to %.1f), mostly %s: %s", anl_category_name[c],
            100 * f->share.share, 100 * f->share.low, 100 * f->share.high,
            anl_name(a, f->leader), anl_advices[i].text));
    }
    if (a->copy.low > 0.10)
        for (size_t i = 0; i < a->nfunctions; i++)
            if (a->function[i].category == ANL_COPY) {
                anl_advise(a, a->function[i].node, &a->function[i].flat.sum,
                    anl_text(a, "memory copies, %.1f %% (%.1f to %.1f): hand "
                    "buffers on instead of copying them",
                    100 * a->copy.share, 100 * a->copy.low,
                    100 * a->copy.high));
                break;
            }
}

/* Release a and leave it all zero. */
static void anl_fini(struct anl *a)
{
    view_fini(&a->view);
    mem_arena_fini(&a->arena);
    mem_free(a->class);
    mem_free(a->function);
    mem_free(a->thread);
    mem_free(a->method);
    *a = (struct anl){0};
}

/* Analyse p, which must outlive a.  On failure a is all zero. */
static int anl_run(const struct pp *p, const struct anl_config *config,
                   struct anl *a, struct gp_why *why)
{
    size_t type = 0;
    *a = (struct anl){ .pp = p };
    int e = view_find_type(p, config->sample, &type, why);
    if (!e)
        e = view_init(&a->view, p, type, VIEW_APART, why);
    if (e)
        return e;
    anl_read_comments(a);
    anl_read_unit(a);
    a->calls = a->comment.requests > 0 ? a->comment.requests
             : config->calls > 0 ? config->calls : NAN;
    a->class = anl_classes(&a->view, &a->main);
    e = a->class ? anl_read_methods(a) : GP_ENOMEM;
    if (!e)
        e = anl_run_functions(a);
    if (!e)
        e = anl_run_samples(a);
    if (e) {
        anl_fini(a);
        return txt_fail(why, e, "out of memory");
    }
    anl_run_use(a);
    anl_run_trust(a);
    anl_judge(a);
    anl_run_advice(a);
    return GP_OK;
}

/* ================================== 15 SVG ==================================
 * for     flame graph: a profile in, one self-contained SVG out
 * uses    MEM, TXT, PP, VIEW, ANL
 * owns    struct svg while svg_write runs
 * spec    SVG 1.1 and XML 1.0, CSS colour schemes, WAI-ARIA 1.2 (tree)
 * prefix  svg_
 * runs    any thread
 *
 * Frames are paths in whole units of the sample type, in an inner <svg> whose
 * viewBox is all units by all rows: the picture needs no script.  They stand
 * in groups by category and shade; the numbers that the script needs beside
 * the path stand in <metadata>, as text, in the order of the paths:
 *
 *   <g class="c0 s1"><path d="M120 3h40v.94H120z"/></g>     x, row, width
 *   <metadata id="n">all\nmain</metadata>                    names
 *   <metadata id="d">1:12</metadata>                         name : samples
 *
 * Invariant  a child lies inside its parent; the same profile gives the same
 *            bytes; names are only ever text, never markup or script.
 * Does not   recurse: stacks come from files.
 */

struct svg_config {
    const char *title;                  /* NULL: from the sample type */
    const char *sample;                 /* sample type; NULL: pprof's choice */
    unsigned    least_ppm;              /* narrowest frame; 0: SVG_LEAST_PPM */
    bool        inverted;               /* the root at the top */
};

enum { SVG_SHADES = 3, SVG_GROUPS = ANL_CATEGORIES * SVG_SHADES };

/* Light and dark fills; black and white text on them have a contrast of at
 * least 4.5, also in the palest shade. */
static const struct { const char *light, *dark; } svg_fill[ANL_CATEGORIES] = {
    [ANL_APPLICATION] = { "#f5a95c", "#a35a12" },
    [ANL_NETWORK] = { "#82b4e8", "#2a679f" },
    [ANL_SYSCALLS] = { "#8ecbd6", "#2c6f7c" },
    [ANL_PROTOCOL] = { "#bda0e6", "#6a4ba0" },
    [ANL_MEMORY] = { "#ee9494", "#9e4242" },
    [ANL_LOCKS] = { "#ecd05a", "#7d6a10" },
    [ANL_SERIAL] = { "#e2a6da", "#8a4a83" },
    [ANL_CRYPTO] = { "#8fd4ac", "#2a744a" },
    [ANL_COMPRESSION] = { "#bad680", "#587520" },
    [ANL_TIME] = { "#dcbc94", "#77562a" },
    [ANL_LIBRARIES] = { "#c6cbd1", "#525860" },
    [ANL_PROFILER] = { "#b0aaa2", "#66615a" },
    [ANL_UNKNOWN] = { "#e4e4e4", "#424549" },
};

static const char *const svg_style[] = {
    "text{font:12px Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#111}",
    ".t{font-size:16px;font-weight:bold}.q{fill:#555}.bg{fill:#fff}",
    "#t{pointer-events:none}#f path{cursor:pointer}",
    ".j #f path{stroke:#fff;stroke-width:.6;vector-effect:non-scaling-stroke}",
    ".j #f .n{stroke:none}#f .p{opacity:.5}svg{background:#fff}",
    ".j #f .k{stroke:#000;stroke-width:2.5}",
    "#f .h{fill:#f0f;fill-opacity:.75}.o{cursor:pointer}",
    ".o rect{fill:#eee;stroke:#888}.o:focus rect{stroke:#06c;stroke-width:2}",
    "#f:focus,.o:focus{outline:none}",
    ".s1{fill-opacity:.86}.s2{fill-opacity:.72}",
    "input{font:12px monospace;width:100%;box-sizing:border-box}",
};

static const char *const svg_style_dark[] = {
    "@media(prefers-color-scheme:dark){text{fill:#f4f4f4}.q{fill:#bbb}",
    ".bg{fill:#1c1d20}.j #f path{stroke:#1c1d20}.j #f .k{stroke:#fff}",
    ".o rect{fill:#333}#f .h{fill:#b0b}",
    "input{background:#333;color:#fff;border:1px solid #888}",
    "svg{background:#1c1d20}input::placeholder{color:#ccc}",
};

/* Loaded once; draws the same frames for the window's width, and then zoom,
 * search, keys.  `frame` is a path's record, `zoom` the frame that fills the
 * width, `down` is true when the root is at the top. */
static const char *const svg_script[] = {
    "(function () {",
    "'use strict';",
    "var svg = document.currentScript.closest('svg');",
    "var NS = svg.namespaceURI, XH = 'http://www.w3.org/1999/xhtml';",
    "var M = 10, ROW = 17, CHAR = 7.25;",
    "function $(id) { return svg.getElementById(id); }",
    "function set(e, a) {",
    "  for (var k in a) e.setAttribute(k, a[k]);",
    "  return e;",
    "}",
    "function make(name, a, parent) {",
    "  return parent.appendChild(set(document.createElementNS(NS, name), a));",
    "}",
    "",
    "/* The frames: x and w in units of the whole, y a row, n samples. */",
    "var meta = $('m').textContent.split(' '), units = +meta[0];",
    "var value = meta[1] / units, ns = +meta[2], kish = +meta[3];",
    "var rows = +meta[4], down = meta[5] === '1', unit = meta[6];",
    "var names = $('n').textContent.split('\\n');",
    "var data = $('d').textContent.split(' ');",
    "var layer = $('f'), texts = $('t'), info = $('i');",
    "var paths = layer.querySelectorAll('path');",
    "var frames = Array.from(paths, function (e, i) {",
    "  var d = e.getAttribute('d').match(/[\\d.]+/g), s = data[i].split(':');",
    "  var y = +d[1];",
    "  return e.frame = { e: e, x: +d[0], y: y, w: +d[2], name: names[+s[0]],",
    "    n: +(s[1] || d[2]), depth: down ? y : rows - 1 - y };",
    "});",
    "frames.sort(function (a, b) { return a.x - b.x || a.depth - b.depth; });",
    "var root = frames[0], zoom = root, current = root, pattern = '';",
    "",
    "function percent(x) {",
    "  return (100 * x).toFixed(x < 0.001 ? 3 : 1) + ' %';",
    "}",
    "function three(x) { return String(+x.toPrecision(3)); }",
    "function amount(v) {",
    "  var steps = ns ? [1e9, 's', 1e6, 'ms', 1e3, 'us', 1, 'ns']",
    "    : unit === 'bytes' ? [1e9, 'GB', 1e6, 'MB', 1e3, 'kB', 1, 'B']",
    "    : [1, ' ' + unit];",
    "  v *= ns || 1;",
    "  for (var i = 0; i < steps.length - 2 && v < steps[i]; ) i += 2;",
    "  return three(v / steps[i]) + steps[i + 1];",
    "}",
    "/* The Wilson 95 % interval of share p, as text. */",
    "function interval(p) {",
    "  var z = 3.8415, mid = p + z / 2 / kish, den = 1 + z / kish;",
    "  var half = Math.sqrt(z * (p * (1 - p) / kish + z / 4 / kish / kish));",
    "  return percent(Math.max(0, (mid - half) / den)) + ' to ' +",
    "    percent(Math.min(1, (mid + half) / den));",
    "}",
    "function describe(f) {",
    "  var p = f.w / units;",
    "  return f.name + ': ' + amount(f.w * value) + ', ' +",
    "    f.n.toLocaleString('en') + ' samples, ' + percent(p) +",
    "    (kish > 0 && f !== root ? ' (95 %: ' + interval(p) + ')' : '') +",
    "    (zoom !== root ? ', ' + percent(f.w / zoom.w) + ' of the part shown'",
    "      : '');",
    "}",
    "",
    "/* Text that fits: all, or without directories, or cut. */",
    "function fit(name, chars) {",
    "  if (name.length <= chars) return name;",
    "  name = name.replace(/^[^([<{ ]*\\/(?=.)/, '');",
    "  if (name.length <= chars) return name;",
    "  return Array.from(name).slice(0, chars - 2).join('') + '..';",
    "}",
    "function width() { return svg.getBoundingClientRect().width - 2 * M; }",
    "",
    "/* Place everything for the width of the window and the zoom. */",
    "function layout() {",
    "  var W = Math.max(width(), 100), k = W / zoom.w;",
    "  var x = 0, y = 62, list = [];",
    "  set(find, W > 640 ? { x: W - 250 + M, y: 6, width: 250 }",
    "    : { x: M, y: y - 14, width: Math.min(W, 250) });",
    "  y += W > 640 ? 0 : 30;",
    "  svg.querySelectorAll('.l').forEach(function (e) {",
    "    var w = 30 + CHAR * e.textContent.length;",
    "    if (x && x + w > W) { x = 0; y += 18; }",
    "    set(e, { transform: 'translate(' + (M + x) + ',' + y + ')' });",
    "    x += w;",
    "  });",
    "  var top = y + 14, H = rows * ROW;",
    "  set($('v'), { y: top, width: W, height: H,",
    "    viewBox: '0 0 ' + W + ' ' + rows });",
    "  set(texts, { transform: 'translate(' + M + ',' + top + ')' });",
    "  set(info, { y: top + H + 20 });",
    "  set(reset, { transform: W > 640",
    "    ? 'translate(' + (W - 350 + M) + ',8)'",
    "    : 'translate(' + (W - 90 + M) + ',51)' });",
    "  svg.setAttribute('height', top + H + 30);",
    "  texts.textContent = '';",
    "  frames.forEach(function (f) {",
    "    var a = Math.max(0, (f.x - zoom.x) * k);",
    "    var b = Math.min(W, (f.x + f.w - zoom.x) * k);",
    "    var parent = f.depth < zoom.depth, chars = ~~((b - a - 6) / CHAR);",
    "    f.shown = b - a > 0.05;",
    "    f.e.style.display = f.shown ? '' : 'none';",
    "    f.e.classList.toggle('p', parent);",
    "    f.e.classList.toggle('n', b - a < 2);",
    "    if (!f.shown) return;",
    "    f.e.setAttribute('d', 'M' + a.toFixed(2) + ' ' + f.y + 'H' +",
    "      b.toFixed(2) + 'v.94H' + a.toFixed(2) + 'z');",
    "    if (chars > 2)",
    "      list.push([a + 3, f.y * ROW + 12, fit(f.name, chars)]);",
    "  });",
    "  list.forEach(function (t) {",
    "    make('text', { x: t[0].toFixed(1), y: t[1] }, texts)",
    "      .textContent = t[2];",
    "  });",
    "  reset.style.display = zoom === root ? 'none' : '';",
    "}",
    "",
    "/* What the page's address remembers: the zoom and the search. */",
    "function remember() {",
    "  var s = [];",
    "  if (zoom !== root) s.push('z=' + zoom.depth + ',' + zoom.x);",
    "  if (pattern) s.push('s=' + encodeURIComponent(pattern));",
    "  try {",
    "    history.replaceState(null, '', '#' + s.join('&'));",
    "  } catch (e) { /* not allowed in some frames */ }",
    "}",
    "function recall() {",
    "  location.hash.slice(1).split('&').forEach(function (s) {",
    "    var v = s.slice(2), z = v.split(',');",
    "    if (s[0] === 's') input.value = decodeURIComponent(v);",
    "    frames.forEach(function (f) {",
    "      if (s[0] === 'z' && f.depth === +z[0] && f.x === +z[1]) zoom = f;",
    "    });",
    "  });",
    "}",
    "function show(f) {",
    "  current.e.classList.remove('k');",
    "  current = f;",
    "  info.textContent = describe(f);",
    "  f.e.insertBefore(tip, null).textContent = info.textContent;",
    "  layer.setAttribute('aria-activedescendant', f.e.id);",
    "}",
    "function enter(f) {",
    "  zoom = f;",
    "  layout();",
    "  show(f);",
    "  search(pattern);",
    "}",
    "",
    "/* Mark the names that match; a sample counts once, however often. */",
    "function search(s) {",
    "  var re, end = -1, sum = 0, part = 0, n = 0;",
    "  pattern = s;",
    "  try {",
    "    re = s && new RegExp(s, /[A-Z]/.test(s) ? '' : 'i');",
    "  } catch (e) {",
    "    info.textContent = 'Not a regular expression: ' + s;",
    "    return;",
    "  }",
    "  frames.forEach(function (f) {",
    "    var hit = !!re && re.test(f.name), to = f.x + f.w;",
    "    f.e.classList.toggle('h', hit);",
    "    if (!hit) return;",
    "    n++;",
    "    if (f.x < end) return;",
    "    end = to;",
    "    sum += f.w;",
    "    part += Math.max(0, Math.min(to, zoom.x + zoom.w) -",
    "      Math.max(f.x, zoom.x));",
    "  });",
    "  if (s)",
    "    info.textContent = 'Matched: ' + percent(sum / units) + ' in ' + n +",
    "      ' frames' + (zoom === root ? '' : ', ' +",
    "      percent(part / zoom.w) + ' of the part shown');",
    "  remember();",
    "}",
    "",
    "/* Where a key leads to: towards the leaf, the root, or beside. */",
    "function step(key) {",
    "  var c = current, leaf = key === (down ? 'ArrowDown' : 'ArrowUp');",
    "  var near = frames.filter(function (f) {",
    "    if (!f.shown) return false;",
    "    if (leaf || key === 'ArrowUp' || key === 'ArrowDown')",
    "      return leaf",
    "        ? f.depth === c.depth + 1 && f.x >= c.x && f.x < c.x + c.w",
    "        : f.depth === c.depth - 1 && f.x <= c.x && f.x + f.w > c.x;",
    "    return f.depth === c.depth && (key === 'ArrowLeft' ? f.x < c.x",
    "      : f.x > c.x);",
    "  });",
    "  return key === 'ArrowLeft' ? near.pop() : near[0];",
    "}",
    "",
    "var find = make('foreignObject', { height: 26 }, svg);",
    "var input = find.appendChild(document.createElementNS(XH, 'input'));",
    "set(input, { type: 'search', placeholder: 'Search: Ctrl-F, a regex',",
    "  'aria-label': 'Search frames by regular expression' });",
    "var reset = make('g', { class: 'o', role: 'button', tabindex: 0,",
    "  'aria-label': 'Reset zoom' }, svg);",
    "make('rect', { width: 90, height: 20, rx: 3 }, reset);",
    "make('text', { x: 8, y: 14 }, reset).textContent = 'Reset zoom';",
    "var tip = document.createElementNS(NS, 'title');",
    "",
    "frames.forEach(function (f, i) {",
    "  set(f.e, { id: 'f' + i, role: 'treeitem', 'aria-level': f.depth + 1,",
    "    'aria-label': describe(f) });",
    "});",
    "set(layer, { role: 'tree', tabindex: 0, 'aria-label': 'Call stacks' });",
    "layer.addEventListener('mouseover', function (e) {",
    "  if (e.target.frame) show(e.target.frame);",
    "});",
    "layer.addEventListener('click', function (e) {",
    "  if (e.target.frame) enter(e.target.frame);",
    "});",
    "layer.addEventListener('keydown', function (e) {",
    "  var f = /^Arrow/.test(e.key) ? step(e.key)",
    "    : e.key === 'Home' ? root : null;",
    "  if (e.key === 'Enter' || e.key === ' ') enter(current);",
    "  else if (!f) return;",
    "  else {",
    "    show(f);",
    "    f.e.classList.add('k');",
    "  }",
    "  e.preventDefault();",
    "});",
    "reset.addEventListener('click', function () { enter(root); });",
    "reset.addEventListener('keydown', function (e) {",
    "  if (e.key === 'Enter' || e.key === ' ') {",
    "    e.preventDefault();",
    "    enter(root);",
    "    layer.focus();",
    "  }",
    "});",
    "input.addEventListener('input', function () { search(input.value); });",
    "addEventListener('keydown', function (e) {",
    "  if (e.key === 'F3' || (e.key === 'f' && (e.ctrlKey || e.metaKey))) {",
    "    e.preventDefault();",
    "    input.focus();",
    "    input.select();",
    "  } else if (e.key === 'Escape') {",
    "    if (pattern) search(input.value = '');",
    "    else enter(root);",
    "  }",
    "});",
    "addEventListener('resize', layout);",
    "svg.removeAttribute('viewBox');",
    "set(svg, { width: '100%', class: 'j' });",
    "recall();",
    "enter(zoom);",
    "search(input.value);",
    "})();",
};

struct svg {
    struct view view;                   /* owned */
    struct view_tree tree;              /* owned */
    struct anl_class *class;            /* owned, by node */
    uint32_t *name;                     /* owned, by node: number + 1 in the
                                         * list of names, 0 not in it yet */
    uint32_t *drawn;                    /* owned: calls, by group */
    size_t    ndrawn, nnames;
    size_t    group[SVG_GROUPS + 1];    /* group g: drawn[group[g]] up to
                                         * drawn[group[g + 1]] */
    uint32_t  rows;                     /* drawn */
    uint64_t  units;                    /* width of the whole in the picture */
    bool      down;                     /* the root is row 0 */
};

/* Append lines, each with its end. */
static void svg_put_lines(struct buf *b, const char *const *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        txt_puts(b, line[i]);
        mem_put_byte(b, '\n');
    }
}

#define SVG_PUT_LINES(b, a) svg_put_lines(b, a, sizeof (a) / sizeof *(a))

/* Append s as XML text or attribute: what XML cannot hold (control bytes,
 * U+FFFE and U+FFFF, bytes that are not UTF-8) becomes U+FFFD. */
static void svg_put_text(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; ) {
        size_t n = txt_utf8(s.p + i, s.n - i);
        uint8_t c = (uint8_t)s.p[i];
        bool never = n == 0 || (n == 1 && (c < 0x20 || c == 0x7f)) ||
            (n == 2 && c == 0xc2 && (uint8_t)s.p[i + 1] < 0xa0) ||
            (n == 3 && !memcmp(s.p + i, "\xef\xbf", 2) &&
             (uint8_t)s.p[i + 2] >= 0xbe);
        if (c == '\t')
            mem_put_byte(b, ' ');
        else if (never)
            mem_put(b, "\xef\xbf\xbd", 3);
        else if (c == '&')
            txt_puts(b, "&amp;");
        else if (c == '<')
            txt_puts(b, "&lt;");
        else if (c == '>')
            txt_puts(b, "&gt;");
        else if (c == '"')
            txt_puts(b, "&quot;");
        else
            mem_put(b, s.p + i, n);
        i += n ? n : 1;
    }
}

/* The first bytes of s that make at most n characters. */
static struct slice svg_cut(struct slice s, size_t n)
{
    size_t i = 0;
    for (; i < s.n && n > 0; n--) {
        size_t k = txt_utf8(s.p + i, s.n - i);
        i += k ? k : 1;
    }
    return (struct slice){ s.p, i };
}

/* Append what of name fits in n >= 3 characters: all of it, or it without its
 * directories, or the beginning of that and two dots. */
static void svg_put_fitting(struct buf *b, struct slice name, size_t n)
{
    if (svg_cut(name, n).n < name.n)
        name = view_short_name(name);
    bool cut = svg_cut(name, n).n < name.n;
    svg_put_text(b, cut ? svg_cut(name, n - 2) : name);
    txt_puts(b, cut ? ".." : "");
}

/* Release everything in g and leave it all zero. */
static void svg_fini(struct svg *g)
{
    view_tree_fini(&g->tree);
    view_fini(&g->view);
    mem_free(g->class);
    mem_free(g->name);
    mem_free(g->drawn);
    *g = (struct svg){0};
}

/* v of the sample type's unit in units of the picture. */
static uint64_t svg_units(const struct svg *g, int64_t v)
{
    int64_t all = g->tree.call[0].total;
    if (v <= 0)
        return 0;
    if (v >= all)
        return g->units;
    if ((uint64_t)all == g->units)
        return (uint64_t)v;
    return (uint64_t)((double)v / (double)all * (double)g->units);
}

/* The group that call i is drawn in. */
static size_t svg_group(const struct svg *g, uint32_t i)
{
    uint32_t node = g->tree.call[i].node;
    if (node == MEM_NONE)
        return ANL_UNKNOWN * SVG_SHADES;
    struct slice name = g->view.node[node].name;
    uint8_t c = g->class[node].category;
    if (c >= ANL_CATEGORIES)
        c = ANL_LIBRARIES;
    return (size_t)c * SVG_SHADES + mem_hash_seeded(0, name.p, name.n) %
                                    SVG_SHADES;
}

/* Choose what is drawn: count the calls by group into g->group[group + 1], and
 * find how many rows they need. */
static void svg_place(struct svg *g)
{
    for (uint32_t i = 0; i < g->tree.n; i++) {
        const struct view_call *c = &g->tree.call[i];
        if (c->depth >= SVG_MOST_ROWS)
            continue;
        g->drawn[g->ndrawn++] = i;
        g->group[svg_group(g, i) + 1]++;
        g->rows = c->depth >= g->rows ? c->depth + 1 : g->rows;
    }
}

/* Sort g->drawn by group; in a group parents stay first. */
static int svg_sort(struct svg *g)
{
    size_t at[SVG_GROUPS];
    uint32_t *sorted = mem_zalloc(g->ndrawn * sizeof *sorted);
    if (!sorted)
        return GP_ENOMEM;
    for (size_t k = 0; k < SVG_GROUPS; k++) {
        g->group[k + 1] += g->group[k];
        at[k] = g->group[k];
    }
    for (size_t k = 0; k < g->ndrawn; k++)
        sorted[at[svg_group(g, g->drawn[k])]++] = g->drawn[k];
    mem_free(g->drawn);
    g->drawn = sorted;
    return GP_OK;
}

/* Build everything that is drawn from p.  On failure g is to be released. */
static int svg_build(struct svg *g, const struct pp *p,
                     const struct svg_config *config, struct gp_why *why)
{
    size_t type = 0;
    int e = view_find_type(p, config->sample, &type, why);
    if (!e)
        e = view_init(&g->view, p, type, VIEW_APART, why);
    if (e)
        return e;
    double least = ceil((double)g->view.total.value * config->least_ppm / 1e6);
    e = view_tree_init(&g->tree, &g->view,
                       least < 1 ? 1 : least < 9e18 ? (int64_t)least
                                                    : INT64_MAX, why);
    if (e)
        return e;
    int64_t all = g->tree.call[0].total;
    if (all <= 0)
        return txt_fail(why, GP_EFORMAT, "nothing to draw: the profile holds "
                        "no samples above 0");
    g->units = all > SVG_MOST_UNITS ? SVG_MOST_UNITS : (uint64_t)all;
    g->down = config->inverted;
    g->class = anl_classes(&g->view, &(uint32_t){0});
    g->name = mem_zalloc(g->view.nnodes * sizeof *g->name);
    g->drawn = mem_zalloc(g->tree.n * sizeof *g->drawn);
    if (!g->class || !g->name || !g->drawn)
        return txt_fail(why, GP_ENOMEM, "out of memory");
    svg_place(g);
    return svg_sort(g) ? txt_fail(why, GP_ENOMEM, "out of memory") : GP_OK;
}

/* The row of call i: 0 is the top one. */
static uint32_t svg_row(const struct svg *g, uint32_t i)
{
    uint32_t depth = g->tree.call[i].depth;
    return g->down ? depth : g->rows - 1 - depth;
}

/* The name of call i. */
static struct slice svg_name(const struct svg *g, uint32_t i)
{
    uint32_t node = g->tree.call[i].node;
    return node == MEM_NONE ? txt_slice("all") : g->view.node[node].name;
}

/* The left edge and the width of call i, in units: its parent's edges bound
 * it.  A frame that is drawn is at least one unit wide. */
static void svg_span(const struct svg *g, uint32_t i, uint64_t *x, uint64_t *w)
{
    const struct view_call *c = &g->tree.call[i];
    *x = svg_units(g, c->start);
    uint64_t end = svg_units(g, view_add(c->start, c->total));
    if (*x >= g->units)
        *x = g->units - 1;
    *w = end > *x ? end - *x : 1;
}

/* Append a legend entry for each category that is drawn; returns the y of the
 * last line. */
static int svg_put_legend(const struct svg *g, struct buf *b)
{
    size_t x = 0;
    int y = SVG_HEAD;
    for (size_t c = 0; c < ANL_CATEGORIES; c++) {
        size_t from = g->group[c * SVG_SHADES];
        size_t n = g->group[(c + 1) * SVG_SHADES] - from;
        size_t w = 30 + strlen(anl_category_name[c]) * 29 / 4;
        if (n == 0 || (n == 1 && g->drawn[from] == 0))
            continue;                   /* none, or the root alone */
        if (x && x + w > SVG_WIDTH - 2 * SVG_MARGIN) {
            x = 0;
            y += 18;
        }
        txt_putf(b, "<g class=\"l\" transform=\"translate(%zu,%d)\">"
                 "<rect class=\"c%zu\" y=\"-10\" width=\"12\" height=\"12\"/>"
                 "<text x=\"17\">%s</text></g>\n", SVG_MARGIN + x, y, c,
                 anl_category_name[c]);
        x += w;
    }
    return y;
}

/* Append the paths of the frames, and their texts where they fit. */
static void svg_put_frames(struct svg *g, struct buf *b, int top)
{
    int width = SVG_WIDTH - 2 * SVG_MARGIN;
    txt_putf(b, "<svg id=\"v\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%u\" "
             "viewBox=\"0 0 %" PRIu64 " %u\" preserveAspectRatio=\"none\">\n"
             "<g id=\"f\">\n", SVG_MARGIN, top, width, g->rows * SVG_ROW,
             g->units, g->rows);
    for (size_t k = 0; k < SVG_GROUPS; k++) {
        if (g->group[k] == g->group[k + 1])
            continue;
        txt_putf(b, "<g class=\"c%zu s%zu\">\n", k / SVG_SHADES,
                 k % SVG_SHADES);
        for (size_t j = g->group[k]; j < g->group[k + 1]; j++) {
            uint64_t x, w;
            svg_span(g, g->drawn[j], &x, &w);
            txt_putf(b, "<path d=\"M%" PRIu64 " %uh%" PRIu64 "v.94H%" PRIu64
                     "z\"/>\n", x, svg_row(g, g->drawn[j]), w, x);
        }
        txt_puts(b, "</g>\n");
    }
    txt_putf(b, "</g></svg>\n<g id=\"t\" transform=\"translate(%d,%d)\">\n",
             SVG_MARGIN, top);
    for (size_t j = 0; j < g->ndrawn; j++) {
        uint64_t x, w;
        svg_span(g, g->drawn[j], &x, &w);
        double scale = (double)width / (double)g->units;
        double chars = ((double)w * scale - 6) / 7.25;
        if (chars < 3)
            continue;
        txt_putf(b, "<text x=\"%.1f\" y=\"%u\">", (double)x * scale + 3,
                 svg_row(g, g->drawn[j]) * SVG_ROW + 12);
        svg_put_fitting(b, svg_name(g, g->drawn[j]), (size_t)chars);
        txt_puts(b, "</text>\n");
    }
    txt_puts(b, "</g>\n");
}

/* Append what the script reads beside the paths. */
static void svg_put_data(struct svg *g, struct buf *b)
{
    const struct pp *p = g->view.pp;
    const struct pp_type *t = &p->type[g->view.type];
    double ns = anl_unit_ns(t->unit);
    struct buf names = {0};
    txt_putf(b, "<metadata id=\"m\">%" PRIu64 " %" PRId64 " %.9g %.9g %u %d ",
             g->units, g->tree.call[0].total, isnan(ns) ? 0 : ns,
             g->view.negative ? 0 : view_effective(&g->view.total), g->rows,
             g->down);
    svg_put_text(b, t->unit);
    txt_puts(b, "</metadata>\n<metadata id=\"d\">");
    for (size_t j = 0; j < g->ndrawn; j++) {
        uint32_t i = g->drawn[j], node = g->tree.call[i].node;
        uint64_t x, w, samples = (uint64_t)g->tree.call[i].samples;
        uint32_t number = 0;
        svg_span(g, i, &x, &w);
        if (node != MEM_NONE && g->name[node] == 0) {
            mem_put_byte(&names, '\n');
            svg_put_text(&names, svg_name(g, i));
            g->name[node] = (uint32_t)++g->nnames;
        }
        if (node != MEM_NONE)
            number = g->name[node];
        txt_putf(b, j ? " %u" : "%u", number);
        if (samples != w)
            txt_putf(b, ":%" PRIu64, samples);
    }
    txt_puts(b, "</metadata>\n<metadata id=\"n\">all");
    mem_put(b, names.data, names.len);
    txt_puts(b, "</metadata>\n");
    b->err = b->err ? b->err : names.err;
    mem_fini(&names);
}

/* Append the style sheet. */
static void svg_put_style(struct buf *b)
{
    txt_puts(b, "<style>\n");
    SVG_PUT_LINES(b, svg_style);
    for (size_t c = 0; c < ANL_CATEGORIES; c++)
        txt_putf(b, ".c%zu{fill:%s}", c, svg_fill[c].light);
    txt_puts(b, "\n");
    SVG_PUT_LINES(b, svg_style_dark);
    for (size_t c = 0; c < ANL_CATEGORIES; c++)
        txt_putf(b, ".c%zu{fill:%s}", c, svg_fill[c].dark);
    txt_puts(b, "}\n</style>\n");
}

/* Append the line below the title: how much is drawn, and how much is not. */
static void svg_put_summary(const struct svg *g, struct buf *b,
                            unsigned least_ppm)
{
    const struct pp *p = g->view.pp;
    const struct pp_type *t = &p->type[g->view.type];
    double ns = anl_unit_ns(t->unit);
    size_t pruned = g->tree.pruned + g->tree.n - g->ndrawn;
    int64_t counted = g->view.counted;
    txt_put_commas(b, (uint64_t)(counted > 0 ? counted : 0));
    txt_puts(b, counted == 1 ? " sample, " : " samples, ");
    if (isnan(ns)) {
        txt_put_commas(b, (uint64_t)g->tree.call[0].total);
        mem_put_byte(b, ' ');
        svg_put_text(b, t->unit);
    } else {
        txt_put_time(b, (double)g->tree.call[0].total * ns);
    }
    if (p->duration_ns > 0) {
        txt_puts(b, " in ");
        txt_put_time(b, (double)p->duration_ns);
    }
    if (pruned) {
        txt_puts(b, "; ");
        txt_put_commas(b, pruned);
        txt_putf(b, " frame%s under %g %% left out",
                 pruned == 1 ? "" : "s", least_ppm / 1e4);
    }
}

/* Append the head of the picture down to the legend; returns the top of the
 * frames. */
static int svg_put_head(const struct svg *g, struct buf *b,
                        const struct svg_config *config)
{
    const struct pp_type *t = &g->view.pp->type[g->view.type];
    struct buf title = {0}, legend = {0};
    if (config->title) {
        svg_put_text(&title, txt_slice(config->title));
    } else {
        txt_puts(&title, "Flame graph: ");
        svg_put_text(&title, t->type);
    }
    int top = svg_put_legend(g, &legend) + 14;
    int height = top + (int)g->rows * SVG_ROW + SVG_FOOT;
    txt_putf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
             "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"figure\" "
             "aria-labelledby=\"h\">\n<title id=\"h\">", SVG_WIDTH, height,
             SVG_WIDTH, height);
    mem_put(b, title.data, title.len);
    txt_puts(b, "</title>\n");
    svg_put_style(b);
    txt_putf(b, "<rect class=\"bg\" width=\"100%%\" height=\"100%%\"/>\n"
             "<text class=\"t\" x=\"%d\" y=\"24\">", SVG_MARGIN);
    mem_put(b, title.data, title.len);
    txt_putf(b, "</text>\n<text class=\"q\" x=\"%d\" y=\"42\">", SVG_MARGIN);
    svg_put_summary(g, b, config->least_ppm);
    txt_puts(b, "</text>\n");
    mem_put(b, legend.data, legend.len);
    b->err = b->err ? b->err : title.err ? title.err : legend.err;
    mem_fini(&title);
    mem_fini(&legend);
    return top;
}

/* Append the flame graph of p to b.  GP_EFORMAT when there is nothing to draw;
 * b is then as it was. */
static int svg_write(const struct pp *p, const struct svg_config *config,
                     struct buf *b, struct gp_why *why)
{
    struct svg g = {0};
    struct svg_config c = *config;
    if (c.least_ppm == 0)
        c.least_ppm = SVG_LEAST_PPM;
    int e = svg_build(&g, p, &c, why);
    if (!e) {
        int top = svg_put_head(&g, b, &c);
        svg_put_frames(&g, b, top);
        txt_putf(b, "<text id=\"i\" x=\"%d\" y=\"%d\" role=\"status\"></text>"
                 "\n", SVG_MARGIN, top + (int)g.rows * SVG_ROW + 20);
        svg_put_data(&g, b);
        txt_puts(b, "<script><![CDATA[\n");
        SVG_PUT_LINES(b, svg_script);
        txt_puts(b, "]]></script>\n</svg>\n");
        if (b->err)
            e = txt_fail(why, b->err, "out of memory");
    }
    svg_fini(&g);
    return e;
}

/* ================================== 16 DSC ==================================
 * for     protobuf descriptors: which file defines a name, what it imports;
 *         JSON to messages by them, and back
 * uses    MEM, TXT, JS, PB
 * owns    struct dsc: its tables; the descriptors are borrowed
 * spec    google/protobuf/descriptor.proto
 * prefix  dsc_
 * runs    any thread; a struct dsc that is not changed has many readers
 *
 *   FileDescriptorSet    1 file*
 *   FileDescriptorProto  1 name  2 package  3 dependency*  4 message_type*
 *                        5 enum_type*  6 service*
 *   DescriptorProto      1 name  2 field*  3 nested_type*  4 enum_type*
 *   a field, an enum, a value, a service, a method       1 name
 *
 * Invariant  every symbol's file is one of file.
 * Does not   check that descriptors make sense beyond what it follows: what
 *            they say wrongly makes wrong messages, and nothing worse.
 */

struct dsc_file {
    struct slice bytes, name;           /* a FileDescriptorProto; its field 1 */
};

struct dsc_symbol {
    struct slice name;                  /* package.Type.member; in the arena */
    struct slice bytes;                 /* its descriptor; borrowed */
    uint32_t file;                      /* row of dsc.file */
    char     kind;                      /* 'M' message; 0: anything else */
};

struct dsc {
    struct arena arena;
    struct dsc_file   *file;            /* owned */
    struct dsc_symbol *symbol;          /* owned */
    size_t nfiles, file_cap, nsymbols, symbol_cap;
};

/* Nesting of messages that is followed: protoc itself stops at 32. */
enum { DSC_DEPTH = 32, DSC_JSON_DEPTH = 100 };

/* The last field number of kind PB_BYTES in the message m; empty: none. */
static struct slice dsc_bytes(struct slice m, uint32_t number)
{
    const uint8_t *p = (const uint8_t *)m.p;
    struct pb_in in = { p, p ? p + m.n : p };
    struct pb_field f;
    struct slice v = {0};
    while (pb_get_field(&in, &f) > 0)
        if (f.number == number && f.type == PB_BYTES)
            v = (struct slice){ (const char *)f.bytes.p,
                                (size_t)(f.bytes.end - f.bytes.p) };
    return v;
}

/* Enter what bytes describe as scope.name, or name where scope is empty; that
 * into *full. */
static int dsc_add(struct dsc *d, uint32_t file, struct slice scope,
                   struct slice bytes, char kind, struct slice *full)
{
    struct slice name = dsc_bytes(bytes, 1);
    struct buf b = {0};
    mem_put(&b, scope.p, scope.n);
    if (scope.n)
        mem_put_byte(&b, '.');
    mem_put(&b, name.p, name.n);
    char *copy = b.err ? NULL : mem_arena_dup(&d->arena, b.data, b.len);
    struct dsc_symbol *row = copy ? mem_grow(d->symbol, &d->symbol_cap,
                                             d->nsymbols + 1, sizeof *row)
                                  : NULL;
    size_t n = b.len;
    mem_fini(&b);
    if (!row)
        return GP_ENOMEM;
    d->symbol = row;
    *full = (struct slice){ copy, n };
    row[d->nsymbols++] = (struct dsc_symbol){ *full, bytes, file, kind };
    return GP_OK;
}

/* Enter what the message m of scope defines: its members by the field numbers
 * in inner, and where deep, messages and enums inside it. */
static int dsc_walk(struct dsc *d, uint32_t file, struct slice scope,
                    struct slice m, const char *inner, int depth)
{
    const uint8_t *p = (const uint8_t *)m.p;
    struct pb_in in = { p, p ? p + m.n : p };
    struct pb_field f;
    struct slice full;
    int e = dsc_add(d, file, scope, m, *inner == 'M' ? 'M' : 0, &full);
    if (depth >= DSC_DEPTH)
        return GP_EFORMAT;
    while (!e && pb_get_field(&in, &f) > 0) {
        struct slice part = { (const char *)f.bytes.p,
                              (size_t)(f.bytes.end - f.bytes.p) };
        if (f.type != PB_BYTES || f.number > 6 ||
            !strchr(inner, (int)('0' + f.number)))
            continue;
        if (*inner != 'M' || f.number == 2)     /* a name, no more */
            e = dsc_add(d, file, full, part, 0, &part);
        else if (f.number == 3)
            e = dsc_walk(d, file, full, part, "M234", depth + 1);
        else
            e = dsc_walk(d, file, full, part, "2", depth + 1);
    }
    return e;
}

/* Enter a file and all that it defines. */
static int dsc_add_file(struct dsc *d, struct slice bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct pb_in in = { p, p + bytes.n };
    struct pb_field f;
    struct slice package = dsc_bytes(bytes, 2);
    struct dsc_file *row = mem_grow(d->file, &d->file_cap, d->nfiles + 1,
                                    sizeof *row);
    int got, e = GP_OK;
    if (!row)
        return GP_ENOMEM;
    d->file = row;
    row[d->nfiles] = (struct dsc_file){ bytes, dsc_bytes(bytes, 1) };
    uint32_t file = (uint32_t)d->nfiles++;
    while (!e && (got = pb_get_field(&in, &f)) != 0) {
        if (got < 0)
            return GP_EFORMAT;
        struct slice part = { (const char *)f.bytes.p,
                              (size_t)(f.bytes.end - f.bytes.p) };
        if (f.type == PB_BYTES && f.number >= 4 && f.number <= 6)
            e = dsc_walk(d, file, package, part,
                         f.number == 4 ? "M234" : "2", 0);
    }
    return e;
}

/* Release d; a zero d is fine. */
static void dsc_fini(struct dsc *d)
{
    mem_arena_fini(&d->arena);
    mem_free(d->file);
    mem_free(d->symbol);
    *d = (struct dsc){0};
}

/* Fill *d from set, a FileDescriptorSet that outlives it. */
static int dsc_init(struct dsc *d, struct slice set, struct gp_why *why)
{
    const uint8_t *p = (const uint8_t *)set.p;
    struct pb_in in = { p, p ? p + set.n : p };
    struct pb_field f;
    int got = 0, e = GP_OK;
    *d = (struct dsc){0};
    while (!e && (got = pb_get_field(&in, &f)) > 0)
        if (f.number == 1 && f.type == PB_BYTES)
            e = dsc_add_file(d, (struct slice){ (const char *)f.bytes.p,
                                    (size_t)(f.bytes.end - f.bytes.p) });
    e = e ? e : got;
    if (e)
        dsc_fini(d);
    return e == GP_ENOMEM ? txt_fail(why, e, "out of memory for descriptors")
         : e ? txt_fail(why, e, "not a FileDescriptorSet") : GP_OK;
}

/* Row of the file called name, or MEM_NONE. */
static uint32_t dsc_find_file(const struct dsc *d, struct slice name)
{
    for (size_t i = 0; i < d->nfiles; i++)
        if (txt_equal(d->file[i].name, name))
            return (uint32_t)i;
    return MEM_NONE;
}

/* Row of the file that defines the symbol name, or MEM_NONE. */
static uint32_t dsc_find_symbol(const struct dsc *d, struct slice name)
{
    if (name.n && name.p[0] == '.') {   /* as descriptors write full names */
        name.p++;
        name.n--;
    }
    for (size_t i = 0; i < d->nsymbols; i++)
        if (txt_equal(d->symbol[i].name, name))
            return d->symbol[i].file;
    return MEM_NONE;
}

/* Append file i and all that it imports, each once, as fields number of b. */
static void dsc_put_closure(const struct dsc *d, uint32_t i, uint32_t number,
                            struct buf *b)
{
    struct buf rows = {0};              /* uint32_t each: those to append */
    mem_put(&rows, &i, sizeof i);
    for (size_t at = 0; at < rows.len && !rows.err; at += sizeof i) {
        memcpy(&i, rows.data + at, sizeof i);
        struct slice m = d->file[i].bytes;
        const uint8_t *p = (const uint8_t *)m.p;
        struct pb_in in = { p, p + m.n };
        struct pb_field f;
        pb_put_bytes(b, number, m.p, m.n);
        while (pb_get_field(&in, &f) > 0) {
            if (f.number != 3 || f.type != PB_BYTES)
                continue;
            uint32_t k = dsc_find_file(d, (struct slice){
                (const char *)f.bytes.p, (size_t)(f.bytes.end - f.bytes.p) });
            bool there = k == MEM_NONE;
            for (size_t n = 0; n < rows.len && !there; n += sizeof k)
                there = !memcmp(rows.data + n, &k, sizeof k);
            if (!there)
                mem_put(&rows, &k, sizeof k);
        }
    }
    b->err = b->err ? b->err : rows.err;
    mem_fini(&rows);
}

/* ---- types: what descriptors say, read where it stands ----
 *
 *   FieldDescriptorProto  1 name  3 number  4 label (3: repeated)  5 type
 *                         6 type_name  8 options (2 packed)  9 oneof_index
 *                         10 json_name  17 proto3_optional
 *   DescriptorProto       7 options (7 map_entry)
 *   EnumDescriptorProto   2 value*: 1 name  2 number
 *   MethodDescriptorProto 1 name  2 input_type  3 output_type
 *                         5 client_streaming  6 server_streaming
 *   FileDescriptorProto   12 syntax  14 edition
 */

enum dsc_type { DSC_DOUBLE = 1, DSC_FLOAT, DSC_INT64, DSC_UINT64, DSC_INT32,
                DSC_FIXED64, DSC_FIXED32, DSC_BOOL, DSC_STRING, DSC_GROUP,
                DSC_MESSAGE, DSC_BYTES, DSC_UINT32, DSC_ENUM, DSC_SFIXED32,
                DSC_SFIXED64, DSC_SINT32, DSC_SINT64 };

struct dsc_field {
    struct slice name, json, type_name; /* borrowed from the descriptors */
    uint32_t number;
    enum dsc_type type;
    bool repeated, packed;
    bool presence;                      /* a zero is written too */
    int64_t oneof;                      /* its index; -1: in none */
};

/* The last varint field number of the message m, or otherwise. */
static uint64_t dsc_varint(struct slice m, uint32_t number, uint64_t otherwise)
{
    const uint8_t *p = (const uint8_t *)m.p;
    struct pb_in in = { p, p ? p + m.n : p };
    struct pb_field f;
    while (pb_get_field(&in, &f) > 0)
        if (f.number == number && f.type == PB_VARINT)
            otherwise = f.value;
    return otherwise;
}

/* The next field number of kind PB_BYTES in *in; false: there is none. */
static bool dsc_next(struct pb_in *in, uint32_t number, struct slice *part)
{
    struct pb_field f;
    while (pb_get_field(in, &f) > 0)
        if (f.number == number && f.type == PB_BYTES) {
            *part = (struct slice){ (const char *)f.bytes.p,
                                    (size_t)(f.bytes.end - f.bytes.p) };
            return true;
        }
    return false;
}

/* m, to be gone through by dsc_next. */
static struct pb_in dsc_in(struct slice m)
{
    const uint8_t *p = (const uint8_t *)m.p;
    return (struct pb_in){ p, p ? p + m.n : p };
}

/* The symbol called name, with or without a dot before it, or NULL. */
static const struct dsc_symbol *dsc_symbol(const struct dsc *d,
                                           struct slice name)
{
    if (name.n && name.p[0] == '.') {
        name.p++;
        name.n--;
    }
    for (size_t i = 0; i < d->nsymbols; i++)
        if (txt_equal(d->symbol[i].name, name))
            return &d->symbol[i];
    return NULL;
}

/* Read the descriptor bytes of a field of message s. */
static struct dsc_field dsc_field(const struct dsc *d,
                                  const struct dsc_symbol *s,
                                  struct slice bytes)
{
    struct slice file = d->file[s->file].bytes, syntax = dsc_bytes(file, 12);
    bool proto3 = txt_equal(syntax, txt_slice("proto3"));
    bool modern = proto3 || dsc_varint(file, 14, 0) >= 1000;    /* 2023 on */
    struct dsc_field f = { .name = dsc_bytes(bytes, 1),
        .json = dsc_bytes(bytes, 10), .type_name = dsc_bytes(bytes, 6),
        .number = (uint32_t)dsc_varint(bytes, 3, 0),
        .type = (enum dsc_type)dsc_varint(bytes, 5, 0),
        .repeated = dsc_varint(bytes, 4, 1) == 3,
        .oneof = (int64_t)dsc_varint(bytes, 9, UINT64_MAX) };
    f.packed = dsc_varint(dsc_bytes(bytes, 8), 2, modern) && f.repeated &&
               f.type != DSC_STRING && f.type != DSC_BYTES &&
               f.type != DSC_MESSAGE && f.type != DSC_GROUP;
    f.presence = !proto3 || f.oneof >= 0 || f.type == DSC_MESSAGE;
    return f;
}

/* Find the field of message s that JSON calls key, or whose number is number
 * where that is not 0. */
static bool dsc_find_field(const struct dsc *d, const struct dsc_symbol *s,
                           struct slice key, uint32_t number,
                           struct dsc_field *f)
{
    struct pb_in in = dsc_in(s->bytes);
    struct slice part;
    while (dsc_next(&in, 2, &part)) {
        *f = dsc_field(d, s, part);
        if (number ? f->number == number
                   : txt_equal(f->name, key) || txt_equal(f->json, key))
            return true;
    }
    return false;
}

/* True when s is the type of a map's entries. */
static bool dsc_is_map(const struct dsc_symbol *s)
{
    return s && dsc_varint(dsc_bytes(s->bytes, 7), 7, 0);
}

struct dsc_method {
    const struct dsc_symbol *input, *output;
    bool client_streams, server_streams;
};

/* Find the method path, "package.Service/Method".  GP_EUSAGE names what there
 * is. */
static int dsc_find_method(const struct dsc *d, const char *path,
                           struct dsc_method *m, struct gp_why *why)
{
    struct slice full = txt_slice(path), name;
    const char *slash = memrchr(path, '/', full.n);
    const struct dsc_symbol *s = !slash ? NULL : dsc_symbol(d,
        (struct slice){ path, (size_t)(slash - path) });
    if (!s)
        return txt_fail(why, GP_EUSAGE, "no service '%.*s' in the descriptors",
                        slash ? (int)(slash - path) : (int)full.n, path);
    struct pb_in in = dsc_in(s->bytes);
    struct buf known = {0};
    while (dsc_next(&in, 2, &name)) {
        struct slice method = dsc_bytes(name, 1);
        mem_put(&known, known.len ? ", " : "", known.len ? 2 : 0);
        mem_put(&known, method.p, method.n);
        if (!txt_equal(method, txt_slice(slash + 1)))
            continue;
        mem_fini(&known);
        *m = (struct dsc_method){ dsc_symbol(d, dsc_bytes(name, 2)),
            dsc_symbol(d, dsc_bytes(name, 3)), dsc_varint(name, 5, 0),
            dsc_varint(name, 6, 0) };
        return m->input && m->output ? GP_OK : txt_fail(why, GP_EFORMAT,
            "the messages of %s are not in the descriptors", path);
    }
    txt_fail(why, GP_EUSAGE, "no method '%s' in %.*s, which has %.*s",
             slash + 1, (int)(slash - path), path, (int)known.len,
             known.data ? (const char *)known.data : "none");
    mem_fini(&known);
    return GP_EUSAGE;
}

/* ---- JSON to wire, by the proto3 JSON mapping ---- */

struct dsc_json {                       /* of one dsc_encode */
    const struct dsc *d;                /* borrowed */
    struct buf path;                    /* where it is: items[2].price */
    struct gp_why *why;
    int (*message)(struct dsc_json *j, const struct dsc_symbol *s,
                   const struct js_value *v, struct buf *b, int depth);
    int (*value)(struct dsc_json *j, const struct js_value *v, struct buf *b,
                 int depth);            /* they call each other by these */
};

/* Say what is wrong at the path so far. */
__attribute__((format(printf, 2, 3)))
static int dsc_wrong(struct dsc_json *j, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return txt_fail(j->why, GP_EFORMAT, "%.*s%s%s", (int)j->path.len,
                    j->path.data ? (const char *)j->path.data : "",
                    j->path.len ? ": " : "", text);
}

/* The whole number that v is, in [min, max], as a number or a string; *x has
 * its two's complement. */
static int dsc_whole(struct dsc_json *j, const struct js_value *v, int64_t min,
                     uint64_t max, uint64_t *x)
{
    struct slice s = v->text;
    if (v->kind == JS_STRING)
        s = (struct slice){ s.p + 1, s.n - 2 };
    bool minus = s.n && *s.p == '-';
    struct slice digits = { s.p + minus, s.n - minus };
    uint64_t n = 0;
    bool ok = (v->kind == JS_NUMBER || v->kind == JS_STRING) &&
              !txt_slice_number(digits, 0, UINT64_MAX, &n);
    if (!ok && (v->kind == JS_NUMBER || v->kind == JS_STRING)) {
        double f = fabs(txt_finite(s)); /* 1e3 and 5.0 are whole, too */
        ok = f < 9007199254740992.0 && f <= floor(f);
        n = ok ? (uint64_t)f : 0;
    }
    if (!ok)
        return dsc_wrong(j, "%.*s is not a whole number",
                         v->text.n < 40 ? (int)v->text.n : 40, v->text.p);
    uint64_t most = minus ? 0 - (uint64_t)min : max;
    if (n > most)
        return dsc_wrong(j, "%.*s is out of range",
                         v->text.n < 40 ? (int)v->text.n : 40, v->text.p);
    *x = minus ? 0 - n : n;
    return GP_OK;
}

/* The number that v is, or NaN, Infinity and -Infinity as strings. */
static int dsc_real(struct dsc_json *j, const struct js_value *v, bool single,
                    double *x)
{
    struct slice s = v->text;
    if (v->kind == JS_STRING) {
        s = (struct slice){ s.p + 1, s.n - 2 };
        *x = txt_equal(s, txt_slice("Infinity")) ? (double)INFINITY
           : txt_equal(s, txt_slice("-Infinity")) ? -(double)INFINITY
           : (double)NAN;
        if (!isnan(*x) || txt_equal(s, txt_slice("NaN")))
            return GP_OK;
    }
    *x = v->kind == JS_NUMBER || v->kind == JS_STRING ? txt_finite(s)
                                                      : (double)NAN;
    if (isnan(*x) || (single && fabs(*x) > 3.4028235677973366e38))
        return dsc_wrong(j, "%.*s is not a number that fits",
                         v->text.n < 40 ? (int)v->text.n : 40, v->text.p);
    return GP_OK;
}

/* The bytes that the string v has in base64, either alphabet, padded or not. */
static int dsc_base64(struct dsc_json *j, const struct js_value *v,
                      struct buf *out)
{
    struct buf text = {0};
    if (v->kind != JS_STRING)
        return dsc_wrong(j, "bytes are a string in base64");
    js_get_string(v->text, &text);
    for (size_t i = 0; i < text.len; i++)
        text.data[i] = text.data[i] == '-' ? '+'
                     : text.data[i] == '_' ? '/' : text.data[i];
    bool ok = txt_put_unbase64(out, (struct slice){ (const char *)text.data,
                                                    text.len });
    int e = text.err ? GP_ENOMEM : ok ? GP_OK : dsc_wrong(j, "not base64");
    mem_fini(&text);
    return e;
}

/* The number of the value of enum s that v names, or is. */
static int dsc_enum(struct dsc_json *j, const struct dsc_symbol *s,
                    const struct js_value *v, uint64_t *x)
{
    struct pb_in in = dsc_in(s->bytes);
    struct slice part;
    if (v->kind != JS_STRING)
        return dsc_whole(j, v, INT32_MIN, INT32_MAX, x);
    struct slice name = { v->text.p + 1, v->text.n - 2 };
    while (dsc_next(&in, 2, &part))
        if (txt_equal(dsc_bytes(part, 1), name)) {
            *x = dsc_varint(part, 2, 0);
            return GP_OK;
        }
    return dsc_wrong(j, "'%.*s' is no value of %.*s",
                     name.n < 60 ? (int)name.n : 60, name.p, (int)s->name.n,
                     s->name.p);
}

/* Append the scalar v of type to b; *zero: it is the type's default. */
static int dsc_scalar(struct dsc_json *j, const struct dsc_field *f,
                      const struct js_value *v, struct buf *b, bool *zero)
{
    const struct dsc_symbol *s = f->type == DSC_ENUM ?
                                 dsc_symbol(j->d, f->type_name) : NULL;
    uint64_t x = 0;
    double real = 0;
    float single;
    int e = GP_OK;
    switch (f->type) {
    case DSC_DOUBLE: case DSC_FLOAT:
        e = dsc_real(j, v, f->type == DSC_FLOAT, &real);
        single = (float)real;
        if (f->type == DSC_DOUBLE)
            memcpy(&x, &real, sizeof real);
        else
            memcpy(&x, &single, sizeof single);
        break;
    case DSC_BOOL:
        x = v->kind == JS_TRUE;
        e = x || v->kind == JS_FALSE ? GP_OK
          : dsc_wrong(j, "neither true nor false");
        break;
    case DSC_ENUM:
        e = s ? dsc_enum(j, s, v, &x)
              : dsc_wrong(j, "its enum is not in the descriptors");
        break;
    case DSC_INT64: case DSC_SFIXED64: case DSC_SINT64:
        e = dsc_whole(j, v, INT64_MIN, INT64_MAX, &x);
        break;
    case DSC_UINT64: case DSC_FIXED64:
        e = dsc_whole(j, v, 0, UINT64_MAX, &x);
        break;
    case DSC_UINT32: case DSC_FIXED32:
        e = dsc_whole(j, v, 0, UINT32_MAX, &x);
        break;
    default:
        e = dsc_whole(j, v, INT32_MIN, INT32_MAX, &x);
    }
    if (e)
        return e;
    *zero = x == 0;
    if (f->type == DSC_SINT64 || f->type == DSC_SINT32)
        x = x << 1 ^ (uint64_t)((int64_t)x >> 63);
    unsigned fixed = f->type == DSC_DOUBLE || f->type == DSC_FIXED64 ||
                     f->type == DSC_SFIXED64 ? 8
                   : f->type == DSC_FLOAT || f->type == DSC_FIXED32 ||
                     f->type == DSC_SFIXED32 ? 4 : 0;
    if (!fixed)
        pb_put_varint(b, x);
    for (unsigned i = 0; i < fixed; i++)
        mem_put_byte(b, (uint8_t)(x >> 8 * i));
    return b->err;
}

/* The wire type of a scalar. */
static enum pb_type dsc_wire(enum dsc_type t)
{
    switch (t) {
    case DSC_DOUBLE: case DSC_FIXED64: case DSC_SFIXED64: return PB_FIXED64;
    case DSC_FLOAT: case DSC_FIXED32: case DSC_SFIXED32: return PB_FIXED32;
    case DSC_STRING: case DSC_BYTES: case DSC_MESSAGE: return PB_BYTES;
    default: return PB_VARINT;
    }
}

/* Two digits at s[at] as a number in [min, max], or -1. */
static int dsc_digits(struct slice s, size_t at, size_t n, int min, int max)
{
    int v = 0;
    if (at + n > s.n)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v < min || v > max ? -1 : v;
}

/* The fraction of a second that s begins with, ".5", in ns; *n is its bytes, 0
 * for none; -1: more than nine digits, or none behind the dot. */
static int64_t dsc_fraction(struct slice s, size_t *n)
{
    int64_t ns = 0, unit = 100000000;
    *n = 0;
    if (!s.n || *s.p != '.')
        return 0;
    for (*n = 1; *n < s.n && s.p[*n] >= '0' && s.p[*n] <= '9'; ++*n) {
        ns += (s.p[*n] - '0') * unit;
        unit /= 10;
    }
    return *n < 2 || *n > 10 ? -1 : ns;
}

/* Append seconds and ns as fields 1 and 2. */
static void dsc_put_time(struct buf *b, int64_t seconds, int64_t ns)
{
    pb_put_uint(b, 1, (uint64_t)seconds);
    pb_put_uint(b, 2, (uint64_t)ns);
}

/* A Timestamp: RFC 3339, with Z or an offset. */
static int dsc_timestamp(struct dsc_json *j, struct slice s, struct buf *b)
{
    struct tm t = { .tm_year = dsc_digits(s, 0, 4, 1, 9999) - 1900,
        .tm_mon = dsc_digits(s, 5, 2, 1, 12) - 1,
        .tm_mday = dsc_digits(s, 8, 2, 1, 31),
        .tm_hour = dsc_digits(s, 11, 2, 0, 23),
        .tm_min = dsc_digits(s, 14, 2, 0, 59),
        .tm_sec = dsc_digits(s, 17, 2, 0, 59) };
    size_t n = 0;
    if (s.n < 20 || t.tm_year < -1899 || t.tm_mon < 0 || t.tm_mday < 1 ||
        t.tm_hour < 0 || t.tm_min < 0 || t.tm_sec < 0 || s.p[4] != '-' ||
        s.p[7] != '-' || s.p[10] != 'T' || s.p[13] != ':' || s.p[16] != ':')
        return dsc_wrong(j, "not a time such as 2026-11-25T12:00:00Z");
    int64_t ns = dsc_fraction((struct slice){ s.p + 19, s.n - 19 }, &n);
    struct slice zone = { s.p + 19 + n, s.n - 19 - n };
    int hours = dsc_digits(zone, 1, 2, 0, 23);
    int minutes = dsc_digits(zone, 4, 2, 0, 59);
    bool offset = zone.n == 6 && (*zone.p == '+' || *zone.p == '-') &&
                  zone.p[3] == ':' && hours >= 0 && minutes >= 0;
    int day = t.tm_mday;
    int64_t seconds = (int64_t)timegm(&t);
    if (ns < 0 || t.tm_mday != day ||
        !(offset || txt_equal(zone, txt_slice("Z"))))
        return dsc_wrong(j, "not a time such as 2026-11-25T12:00:00Z");
    if (offset)
        seconds -= (*zone.p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    dsc_put_time(b, seconds, ns);
    return b->err;
}

/* A Duration: seconds, perhaps with a fraction, and "s". */
static int dsc_duration(struct dsc_json *j, struct slice s, struct buf *b)
{
    bool minus = s.n && *s.p == '-';
    size_t from = minus, end = from, n = 0;
    uint64_t seconds = 0;
    while (end < s.n && s.p[end] >= '0' && s.p[end] <= '9')
        end++;
    int64_t ns = dsc_fraction((struct slice){ s.p + end, s.n - end }, &n);
    if (txt_slice_number((struct slice){ s.p + from, end - from }, 0,
                         UINT64_C(315576000000), &seconds) || ns < 0 ||
        !txt_equal((struct slice){ s.p + end + n, s.n - end - n },
                   txt_slice("s")))
        return dsc_wrong(j, "not a duration such as 1.5s");
    dsc_put_time(b, minus ? -(int64_t)seconds : (int64_t)seconds,
                 minus ? -ns : ns);
    return b->err;
}

/* A FieldMask: lowerCamelCase paths with commas, each a field 1 in
 * snake_case. */
static int dsc_mask(struct slice s, struct buf *b)
{
    struct buf path = {0};
    for (size_t i = 0; i <= s.n && s.n; i++) {
        if (i == s.n || s.p[i] == ',') {
            pb_put_bytes(b, 1, path.data, path.len);
            path.len = 0;
        } else if (s.p[i] >= 'A' && s.p[i] <= 'Z') {
            mem_put_byte(&path, '_');
            mem_put_byte(&path, (uint8_t)(s.p[i] - 'A' + 'a'));
        } else {
            mem_put_byte(&path, (uint8_t)s.p[i]);
        }
    }
    int e = path.err;
    mem_fini(&path);
    return e ? e : b->err;
}

/* Append the value v of f, which is no message, without its tag; *zero: it is
 * the default. */
static int dsc_plain(struct dsc_json *j, const struct dsc_field *f,
                     const struct js_value *v, struct buf *b, bool *zero)
{
    struct buf text = {0};
    int e = GP_OK;
    if (f->type != DSC_STRING && f->type != DSC_BYTES)
        return dsc_scalar(j, f, v, b, zero);
    if (f->type == DSC_BYTES)
        e = dsc_base64(j, v, &text);
    else if (v->kind == JS_STRING)
        js_get_string(v->text, &text);
    else
        e = dsc_wrong(j, "not a string");
    *zero = text.len == 0;
    if (!e) {
        pb_put_varint(b, text.len);
        mem_put(b, text.data, text.len);
    }
    e = e ? e : text.err ? text.err : b->err;
    mem_fini(&text);
    return e;
}

/* Append f, which is no message and not repeated, as v; its default only where
 * it has presence. */
static int dsc_put_plain(struct dsc_json *j, const struct dsc_field *f,
                         const struct js_value *v, struct buf *b)
{
    size_t before = b->len;
    bool zero = false;
    pb_put_varint(b, (uint64_t)f->number << 3 | dsc_wire(f->type));
    int e = dsc_plain(j, f, v, b, &zero);
    if (!e && zero && !f->presence)
        b->len = before;
    return e;
}

struct dsc_piece {                      /* what is to be sorted: an entry of a
                                         * map, a field */
    struct slice key;                   /* a map's string key, set to be
                                         * sorted by */
    size_t   key_at;                    /* where that is among the bytes */
    uint64_t number;                    /* another key; the field's number */
    bool     is_signed;
    size_t   at, n;                     /* its bytes */
};

/* The order of pieces. */
static int dsc_piece_order(const void *a, const void *b)
{
    const struct dsc_piece *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int c = n ? memcmp(x->key.p, y->key.p, n) : 0;
    if (c || x->key.n != y->key.n)
        return c ? c : x->key.n < y->key.n ? -1 : 1;
    if (x->is_signed)
        return (int64_t)x->number < (int64_t)y->number ? -1
             : (int64_t)x->number > (int64_t)y->number;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Append the n pieces v of from to b, in their order; false when two are
 * equal. */
static bool dsc_put_sorted(struct buf *b, const struct buf *from,
                           struct dsc_piece *v, size_t n)
{
    bool all = true;
    for (size_t i = 0; i < n; i++)
        v[i].key.p = (const char *)from->data + v[i].key_at;
    if (n)
        qsort(v, n, sizeof *v, dsc_piece_order);
    for (size_t i = 0; i < n; i++) {
        all = all && !(i && !dsc_piece_order(&v[i - 1], &v[i]));
        mem_put(b, from->data + v[i].at, v[i].n);
    }
    return all;
}

/* Append the members of v, an object or an array, as a Struct's or a
 * ListValue's fields 1: by key, as a deterministic serialisation has it.
 *
 *   Struct     1 map<string, Value>   Value      1 null  2 number  3 string  4
 * bool  5 Struct  6 ListValue   ListValue  1 Value*
 * */
static int dsc_put_values(struct dsc_json *j, const struct js_value *v,
                          struct buf *b, int depth)
{
    struct buf all = {0}, part = {0}, text = {0}, entry = {0};
    struct js_members m = js_members(v);
    struct dsc_piece *piece = NULL;
    struct js_value x;
    struct slice key;
    size_t n = 0, cap = 0;
    int e = depth > 0 ? GP_OK : dsc_wrong(j, "nested too deep");
    while (!e && js_next_member(&m, &key, &x)) {
        struct dsc_piece *p = mem_grow(piece, &cap, n + 1, sizeof *piece);
        if (!p) {
            e = GP_ENOMEM;
            break;
        }
        piece = p;
        part.len = entry.len = text.len = 0;
        piece[n] = (struct dsc_piece){ .at = all.len, .number = n };
        e = j->value(j, &x, &part, depth - 1);
        if (v->kind == JS_OBJECT) {
            js_get_string(key, &text);
            pb_put_bytes(&entry, 1, text.data, text.len);
            pb_put_message(&entry, 2, &part);
        }
        struct buf *what = v->kind == JS_OBJECT ? &entry : &part;
        size_t bytes = what->len;
        pb_put_message(&all, 1, what);
        piece[n].n = all.len - piece[n].at;
        if (v->kind == JS_OBJECT) {
            struct slice name = dsc_bytes((struct slice){
                (const char *)all.data + all.len - bytes, bytes }, 1);
            piece[n].key.n = name.n;
            piece[n].key_at = (size_t)(name.p - (const char *)all.data);
            piece[n].number = 0;
        }
        n++;
    }
    if (!e && !all.err && !dsc_put_sorted(b, &all, piece, n))
        e = dsc_wrong(j, "a key twice");
    e = e ? e : all.err | part.err | text.err | entry.err ? GP_ENOMEM : b->err;
    mem_free(piece);
    mem_fini(&all);
    mem_fini(&part);
    mem_fini(&text);
    mem_fini(&entry);
    return e;
}

/* Append a Value: any JSON.  depth is what may still be in it. */
static int dsc_put_value(struct dsc_json *j, const struct js_value *v,
                         struct buf *b, int depth)
{
    struct buf in = {0};
    double real = 0;
    int e = GP_OK;
    switch (v->kind) {
    case JS_NULL:
        pb_put_varint(b, 1 << 3 | PB_VARINT);
        pb_put_varint(b, 0);
        break;
    case JS_TRUE: case JS_FALSE:
        pb_put_varint(b, 4 << 3 | PB_VARINT);
        pb_put_varint(b, v->kind == JS_TRUE);
        break;
    case JS_NUMBER:
        e = dsc_real(j, v, false, &real);
        pb_put_varint(b, 2 << 3 | PB_FIXED64);
        mem_put(b, &real, sizeof real); /* little endian, as the wire */
        break;
    case JS_STRING:
        js_get_string(v->text, &in);
        pb_put_bytes(b, 3, in.data, in.len);
        break;
    default:
        e = dsc_put_values(j, v, &in, depth);
        pb_put_message(b, v->kind == JS_ARRAY ? 6 : 5, &in);
    }
    e = e ? e : in.err ? in.err : b->err;
    mem_fini(&in);
    return e;
}

/* Append v as the well-known type called name; *known: it is one that JSON does
 * not write as an object of its fields. */
static int dsc_well_known(struct dsc_json *j, struct slice name,
                          const struct js_value *v, struct buf *b, bool *known,
                          int depth)
{
    static const char *const text[] = { "Timestamp", "Duration", "FieldMask" };
    static const struct { const char *name; enum dsc_type type; } box[] = {
        { "DoubleValue", DSC_DOUBLE }, { "FloatValue", DSC_FLOAT },
        { "Int64Value", DSC_INT64 }, { "UInt64Value", DSC_UINT64 },
        { "Int32Value", DSC_INT32 }, { "UInt32Value", DSC_UINT32 },
        { "BoolValue", DSC_BOOL }, { "StringValue", DSC_STRING },
        { "BytesValue", DSC_BYTES },
    };
    *known = true;
    for (size_t i = 0; i < 3; i++)
        if (txt_equal(name, txt_slice(text[i]))) {
            struct slice s = { v->text.p + 1, v->text.n - 2 };
            if (v->kind != JS_STRING)
                return dsc_wrong(j, "a %s is a string", text[i]);
            return i == 0 ? dsc_timestamp(j, s, b)
                 : i == 1 ? dsc_duration(j, s, b) : dsc_mask(s, b);
        }
    bool list = txt_equal(name, txt_slice("ListValue"));
    if (txt_equal(name, txt_slice("Value")))
        return dsc_put_value(j, v, b, depth);
    if (list || txt_equal(name, txt_slice("Struct"))) {
        if (v->kind != (list ? JS_ARRAY : JS_OBJECT))
            return dsc_wrong(j, list ? "not an array" : "not an object");
        return dsc_put_values(j, v, b, depth);
    }
    for (size_t i = 0; i < sizeof box / sizeof *box; i++)
        if (txt_equal(name, txt_slice(box[i].name))) {
            const struct dsc_field f = { .number = 1, .type = box[i].type };
            return dsc_put_plain(j, &f, v, b);
        }
    *known = false;
    return GP_OK;
}

/* Append f, which is not repeated, as v. */
static int dsc_put_one(struct dsc_json *j, const struct dsc_field *f,
                       const struct js_value *v, struct buf *b, int depth)
{
    struct buf in = {0};
    if (f->type != DSC_MESSAGE)
        return f->type == DSC_GROUP ? dsc_wrong(j, "groups are not supported")
                                    : dsc_put_plain(j, f, v, b);
    const struct dsc_symbol *s = dsc_symbol(j->d, f->type_name);
    int e = s ? j->message(j, s, v, &in, depth - 1)
              : dsc_wrong(j, "its type is not in the descriptors");
    if (!e)
        pb_put_message(b, f->number, &in);
    e = e ? e : in.err ? in.err : b->err;
    mem_fini(&in);
    return e;
}

/* Append the repeated field f as the array v. */
static int dsc_put_list(struct dsc_json *j, const struct dsc_field *f,
                        const struct js_value *v, struct buf *b, int depth)
{
    struct js_members m = js_members(v);
    struct dsc_field one = *f;
    struct buf part = {0};
    struct slice key;
    struct js_value x;
    size_t i = 0, at = j->path.len;
    bool zero;
    int e = v->kind == JS_ARRAY ? GP_OK : dsc_wrong(j, "not an array");
    one.presence = true;                /* elements are written, whatever */
    for (; !e && js_next_member(&m, &key, &x); i++) {
        j->path.len = at;
        txt_putf(&j->path, "[%zu]", i);
        if (x.kind == JS_NULL && !txt_equal(f->type_name,
                                     txt_slice(".google.protobuf.Value")))
            e = dsc_wrong(j, "null in an array");
        else if (f->packed)
            e = dsc_plain(j, &one, &x, &part, &zero);
        else
            e = dsc_put_one(j, &one, &x, b, depth);
    }
    j->path.len = at;
    if (!e && f->packed && part.len)
        pb_put_message(b, f->number, &part);
    e = e ? e : part.err ? part.err : b->err;
    mem_fini(&part);
    return e;
}

/* Add the entry key: x of a map, whose type is s, to b, and what sorts it. */
static int dsc_put_entry(struct dsc_json *j, const struct dsc_field *f,
                         const struct dsc_symbol *s, struct slice key,
                         const struct js_value *x, struct buf *b,
                         struct dsc_piece *piece, int depth)
{
    struct dsc_field k = {0}, v = {0};
    struct buf in = {0};
    struct js_value name = { JS_STRING, key };
    struct slice bare = { key.p + 1, key.n - 2 };
    *piece = (struct dsc_piece){ .at = b->len };
    if (!dsc_find_field(j->d, s, key, 1, &k) ||
        !dsc_find_field(j->d, s, key, 2, &v))
        return dsc_wrong(j, "a map without key and value");
    if (k.type == DSC_BOOL)
        name = (struct js_value){ txt_equal(bare, txt_slice("true")) ? JS_TRUE
            : txt_equal(bare, txt_slice("false")) ? JS_FALSE : JS_NULL, bare };
    k.presence = v.presence = true;
    int e = dsc_put_plain(j, &k, &name, &in);
    if (!e && x->kind == JS_NULL && !txt_equal(v.type_name,
                                        txt_slice(".google.protobuf.Value")))
        e = dsc_wrong(j, "null in a map");
    struct pb_in got = dsc_in((struct slice){ (const char *)in.data, in.len });
    struct pb_field field;
    if (!e && pb_get_field(&got, &field) > 0) {
        bool zigzag = k.type == DSC_SINT32 || k.type == DSC_SINT64;
        piece->number = zigzag ? field.value >> 1 ^ (0 - (field.value & 1))
                      : k.type == DSC_SFIXED32 ? (uint64_t)(int32_t)field.value
                      : field.value;
        piece->is_signed = k.type != DSC_UINT64 && k.type != DSC_FIXED64;
    }
    if (!e)
        e = dsc_put_one(j, &v, x, &in, depth);
    size_t bytes = in.len;
    if (!e)
        pb_put_message(b, f->number, &in);
    piece->n = b->len - piece->at;
    if (!e && k.type == DSC_STRING && !b->err) {
        struct slice text = dsc_bytes((struct slice){
            (const char *)b->data + b->len - bytes, bytes }, 1);
        piece->key.n = text.n;
        piece->key_at = (size_t)(text.p - (const char *)b->data);
        piece->number = 0;
    }
    e = e ? e : in.err ? in.err : b->err;
    mem_fini(&in);
    return e;
}

/* Append the map f, whose entries are of type s, as the object v: by key, as a
 * deterministic serialisation has it. */
static int dsc_put_map(struct dsc_json *j, const struct dsc_field *f,
                       const struct dsc_symbol *s, const struct js_value *v,
                       struct buf *b, int depth)
{
    struct js_members m = js_members(v);
    struct dsc_piece *piece = NULL;
    struct buf all = {0};
    struct slice key;
    struct js_value x;
    size_t n = 0, cap = 0, at = j->path.len;
    int e = v->kind == JS_OBJECT ? GP_OK : dsc_wrong(j, "not an object");
    while (!e && js_next_member(&m, &key, &x)) {
        struct dsc_piece *p = mem_grow(piece, &cap, n + 1, sizeof *piece);
        if (!p) {
            e = GP_ENOMEM;
            break;
        }
        piece = p;
        j->path.len = at;
        txt_putf(&j->path, "[%.*s]", (int)(key.n < 60 ? key.n : 60), key.p);
        e = dsc_put_entry(j, f, s, key, &x, &all, &piece[n], depth);
        n++;
    }
    if (!e)
        j->path.len = at;
    if (!e && !all.err && !dsc_put_sorted(b, &all, piece, n))
        e = dsc_wrong(j, "a key twice");
    e = e ? e : all.err ? all.err : b->err;
    mem_free(piece);
    mem_fini(&all);
    return e;
}

/* Append an Any: {"@type": "host/pkg.Type", ...}, or with a "value" where that
 * type is not written as an object of its fields. */
static int dsc_put_any(struct dsc_json *j, const struct js_value *v,
                       struct buf *b, int depth)
{
    struct js_value type = js_member(v, "@type"), value = js_member(v, "value");
    struct buf url = {0}, in = {0};
    static const char google[] = "google.protobuf.";
    bool known = false;
    if (v->kind != JS_OBJECT || type.kind != JS_STRING)
        return dsc_wrong(j, "an Any has a \"@type\"");
    js_get_string(type.text, &url);
    struct slice name = { (const char *)url.data, url.len };
    const char *slash = url.len ? memrchr(url.data, '/', url.len) : NULL;
    if (slash)
        name = (struct slice){ slash + 1, (size_t)(name.p + name.n - slash) -
                                          1 };
    const struct dsc_symbol *s = dsc_symbol(j->d, name);
    int e = s && s->kind == 'M' ? GP_OK
          : dsc_wrong(j, "type '%.*s' is not in the descriptors",
                      name.n < 80 ? (int)name.n : 80, name.n ? name.p : "");
    if (!e && txt_starts(name, google) && value.text.p)
        e = dsc_well_known(j, (struct slice){ name.p + sizeof google - 1,
                                              name.n - (sizeof google - 1) },
                           &value, &in, &known, depth - 1);
    if (!e && !known)
        e = j->message(j, s, v, &in, depth - 1);
    if (!e) {
        pb_put_bytes(b, 1, url.data, url.len);
        if (in.len)
            pb_put_message(b, 2, &in);
    }
    e = e ? e : url.err | in.err ? GP_ENOMEM : b->err;
    mem_fini(&url);
    mem_fini(&in);
    return e;
}

/* The name of a field of s that is nearest to key, or empty. */
static struct slice dsc_nearest(const struct dsc_symbol *s, struct slice key)
{
    char word[32] = "", other[32];
    struct pb_in in = dsc_in(s->bytes);
    struct slice part, best = {0};
    unsigned least = 3;
    if (key.n >= sizeof word)
        return best;
    memcpy(word, key.p, key.n);
    while (dsc_next(&in, 2, &part)) {
        struct slice name = dsc_bytes(part, 1);
        if (!name.n || name.n >= sizeof other)
            continue;
        memcpy(other, name.p, name.n);
        other[name.n] = 0;
        unsigned d = txt_distance(word, other);
        if (d < least) {
            least = d;
            best = name;
        }
    }
    return best;
}

/* The member key: x of a message of type s onto b, and which field it is in
 * *f. */
static int dsc_put_member(struct dsc_json *j, const struct dsc_symbol *s,
                          struct slice key, const struct js_value *x,
                          struct buf *b, struct dsc_field *f, int depth)
{
    struct slice bare = { key.p + 1, key.n - 2 };
    size_t at = j->path.len;
    if (!dsc_find_field(j->d, s, bare, 0, f)) {
        struct slice near = dsc_nearest(s, bare);
        return dsc_wrong(j, "no field \"%.*s\" in %.*s%s%.*s%s",
                         bare.n < 60 ? (int)bare.n : 60, bare.p,
                         (int)s->name.n, s->name.p,
                         near.n ? " (did you mean \"" : "", (int)near.n,
                         near.n ? near.p : "", near.n ? "\"?)" : "");
    }
    txt_putf(&j->path, "%s%.*s", at ? "." : "", (int)f->name.n, f->name.p);
    const struct dsc_symbol *entry = f->repeated && f->type == DSC_MESSAGE ?
                                     dsc_symbol(j->d, f->type_name) : NULL;
    bool value = txt_equal(f->type_name, txt_slice(".google.protobuf.Value"));
    int e = GP_OK;
    if (x->kind == JS_NULL && !(value && !f->repeated))
        f->number = 0;                  /* absent */
    else if (dsc_is_map(entry))
        e = dsc_put_map(j, f, entry, x, b, depth);
    else if (f->repeated)
        e = dsc_put_list(j, f, x, b, depth);
    else
        e = dsc_put_one(j, f, x, b, depth);
    if (!e)
        j->path.len = at;
    return e;
}

/* Append the fields of a message of type s as the object v, in ascending order
 * of their numbers, as protoc does. */
static int dsc_put_fields(struct dsc_json *j, const struct dsc_symbol *s,
                          const struct js_value *v, struct buf *b, int depth)
{
    struct js_members m = js_members(v);
    struct dsc_piece *piece = NULL;
    struct buf all = {0};
    struct slice key;
    struct js_value x;
    size_t n = 0, cap = 0;
    int e = GP_OK;
    while (!e && js_next_member(&m, &key, &x)) {
        struct dsc_field f;
        struct dsc_piece *p = mem_grow(piece, &cap, n + 1, sizeof *piece);
        if (!p) {
            e = GP_ENOMEM;
            break;
        }
        piece = p;
        if (txt_equal(key, txt_slice("\"@type\"")))
            continue;                   /* of the Any around it */
        size_t at = all.len;
        e = dsc_put_member(j, s, key, &x, &all, &f, depth);
        if (e || !f.number)
            continue;
        piece[n] = (struct dsc_piece){ .number = f.number, .at = at,
                                       .n = all.len - at };
        for (size_t i = 0; !e && i < n; i++) {
            struct dsc_field g;
            if (piece[i].number == f.number)
                e = dsc_wrong(j, "\"%.*s\" twice", (int)f.name.n, f.name.p);
            else if (f.oneof >= 0 && dsc_find_field(j->d, s, key,
                         (uint32_t)piece[i].number, &g) && g.oneof == f.oneof)
                e = dsc_wrong(j, "\"%.*s\" and \"%.*s\" are of one oneof",
                              (int)g.name.n, g.name.p, (int)f.name.n,
                              f.name.p);
        }
        n++;
    }
    if (!e)
        (void)dsc_put_sorted(b, &all, piece, n);
    e = e ? e : all.err ? all.err : b->err;
    mem_free(piece);
    mem_fini(&all);
    return e;
}

/* Append a message of type s as v; depth is how many more may be in it. */
static int dsc_put_object(struct dsc_json *j, const struct dsc_symbol *s,
                          const struct js_value *v, struct buf *b, int depth)
{
    static const char google[] = "google.protobuf.";
    bool known = false;
    int e = depth > 0 ? GP_OK : dsc_wrong(j, "nested too deep");
    if (!e && txt_starts(s->name, google)) {
        struct slice name = { s->name.p + sizeof google - 1,
                              s->name.n - (sizeof google - 1) };
        if (txt_equal(name, txt_slice("Any")))
            return dsc_put_any(j, v, b, depth);
        e = dsc_well_known(j, name, v, b, &known, depth);
    }
    if (e || known)
        return e;
    return v->kind == JS_OBJECT ? dsc_put_fields(j, s, v, b, depth)
                                : dsc_wrong(j, "not an object");
}

/* Append to b, on the wire, the message of type s that the JSON v is.
 * GP_EFORMAT, and *why names the place in v; GP_ENOMEM. */
static int dsc_encode(const struct dsc *d, const struct dsc_symbol *s,
                      const struct js_value *v, struct buf *b,
                      struct gp_why *why)
{
    struct dsc_json j = { .d = d, .why = why, .message = dsc_put_object,
                          .value = dsc_put_value };
    int e = dsc_put_object(&j, s, v, b, DSC_JSON_DEPTH);
    mem_fini(&j.path);
    return e == GP_ENOMEM ? txt_fail(why, e, "out of memory for a message") : e;
}

/* ---- wire to JSON ---- */

struct dsc_text {                       /* of one dsc_decode */
    const struct dsc *d;                /* borrowed */
    struct js js;
    int (*message)(struct dsc_text *t, const struct dsc_symbol *s,
                   struct slice bytes, int depth);      /* they call each
                                         * other by it */
};

/* A number as JSON, in as few digits as read back as the same; of a float, as a
 * float; what JSON has no number for, as its name. */
static void dsc_say_real(struct dsc_text *t, double v, bool single)
{
    char text[40];
    if (!isfinite(v)) {
        js_put_str(&t->js, txt_slice(isnan(v) ? "NaN" : v > 0 ? "Infinity"
                                                              : "-Infinity"));
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (single ? (float)back <= (float)v && (float)back >= (float)v
                   : back <= v && back >= v)
            break;
    }
    js_put_raw(&t->js, text);
}

/* Bytes as base64 with padding. */
static void dsc_say_bytes(struct dsc_text *t, struct slice s)
{
    struct buf b = {0};
    txt_put_base64(&b, s);
    while (b.len % 4)
        mem_put_byte(&b, '=');
    js_put_str(&t->js, (struct slice){ (const char *)b.data, b.len });
    t->js.b->err = t->js.b->err ? t->js.b->err : b.err;
    mem_fini(&b);
}

/* The value of an enum: its name, or its number where it has none. */
static void dsc_say_enum(struct dsc_text *t, const struct dsc_symbol *s,
                         int32_t v)
{
    struct pb_in in = dsc_in(s ? s->bytes : (struct slice){0});
    struct slice part;
    while (dsc_next(&in, 2, &part))
        if ((int32_t)dsc_varint(part, 2, 0) == v) {
            js_put_str(&t->js, dsc_bytes(part, 1));
            return;
        }
    js_put_int(&t->js, v);
}

/* The scalar x of field f. */
static void dsc_say_scalar(struct dsc_text *t, const struct dsc_field *f,
                           uint64_t x)
{
    char text[24];
    double real;
    float single;
    uint32_t low = (uint32_t)x;
    switch (f->type) {
    case DSC_DOUBLE:
        memcpy(&real, &x, sizeof real);
        dsc_say_real(t, real, false);
        return;
    case DSC_FLOAT:
        memcpy(&single, &low, sizeof single);
        dsc_say_real(t, (double)single, true);
        return;
    case DSC_BOOL:
        js_put_bool(&t->js, x != 0);
        return;
    case DSC_ENUM:
        dsc_say_enum(t, dsc_symbol(t->d, f->type_name), (int32_t)x);
        return;
    case DSC_UINT32: case DSC_FIXED32:
        js_put_int(&t->js, (int64_t)low);
        return;
    case DSC_SINT32:
        js_put_int(&t->js, (int32_t)(low >> 1 ^ (0 - (low & 1))));
        return;
    case DSC_INT32: case DSC_SFIXED32:
        js_put_int(&t->js, (int32_t)low);
        return;
    case DSC_UINT64: case DSC_FIXED64:
        snprintf(text, sizeof text, "%" PRIu64, x);
        break;
    case DSC_SINT64:
        x = x >> 1 ^ (0 - (x & 1));
        /* fall through */
    default:
        snprintf(text, sizeof text, "%" PRId64, (int64_t)x);
    }
    js_put_str(&t->js, txt_slice(text));        /* 64 bits: as a string */
}

/* A value of f as it stands in field w of the wire. */
static int dsc_say_value(struct dsc_text *t, const struct dsc_field *f,
                         const struct pb_field *w, int depth)
{
    const struct dsc_symbol *s;
    struct slice bytes = { (const char *)w->bytes.p,
                           (size_t)(w->bytes.end - w->bytes.p) };
    if (w->type != dsc_wire(f->type))
        return GP_EFORMAT;
    switch (f->type) {
    case DSC_STRING:
        js_put_str(&t->js, bytes);
        return GP_OK;
    case DSC_BYTES:
        dsc_say_bytes(t, bytes);
        return GP_OK;
    case DSC_MESSAGE:
        s = dsc_symbol(t->d, f->type_name);
        return s ? t->message(t, s, bytes, depth - 1) : GP_EFORMAT;
    default:
        dsc_say_scalar(t, f, w->value);
        return GP_OK;
    }
}

/* The elements of a packed field. */
static int dsc_say_packed(struct dsc_text *t, const struct dsc_field *f,
                          struct pb_in in)
{
    struct pb_field w = { .type = dsc_wire(f->type) };
    int e = GP_OK;
    while (!e && in.p < in.end) {
        e = w.type == PB_VARINT ? pb_get_varint(&in, &w.value)
          : pb_get_fixed(&in, w.type == PB_FIXED64 ? 8 : 4, &w.value);
        if (!e)
            dsc_say_scalar(t, f, w.value);
    }
    return e;
}

/* An entry of a map, of type s: a member whose key is text whatever it is. */
static int dsc_say_entry(struct dsc_text *t, const struct dsc_symbol *s,
                         struct pb_in in, int depth)
{
    struct dsc_field k, v;
    struct pb_field w, key = {0}, value = {0};
    struct slice none = {0};
    struct buf name = {0};
    int got;
    if (!dsc_find_field(t->d, s, none, 1, &k) ||
        !dsc_find_field(t->d, s, none, 2, &v))
        return GP_EFORMAT;
    key.type = dsc_wire(k.type);
    value.type = dsc_wire(v.type);
    while ((got = pb_get_field(&in, &w)) > 0)
        *(w.number == 1 ? &key : &value) = w;
    struct dsc_text text = { .d = t->d, .js = { .b = &name, .depth = 3 },
                             .message = t->message };
    int e = got < 0 ? got : dsc_say_value(&text, &k, &key, 0);
    bool quoted = name.len && name.data[0] == '"';
    if (!e && !name.err) {
        js_next(&t->js);
        if (!quoted)
            mem_put_byte(t->js.b, '"');
        mem_put(t->js.b, name.data, name.len);
        txt_puts(t->js.b, quoted ? ":" : "\":");
        t->js.more = false;
        e = dsc_say_value(t, &v, &value, depth);
    }
    e = e ? e : name.err;
    mem_fini(&name);
    return e;
}

/* Field f of the message bytes, where it is there: all that stands of it. */
static int dsc_say_field(struct dsc_text *t, const struct dsc_field *f,
                         struct slice bytes, int depth)
{
    const struct dsc_symbol *s = f->type == DSC_MESSAGE ?
                                 dsc_symbol(t->d, f->type_name) : NULL;
    bool map = f->repeated && dsc_is_map(s), open = false;
    struct pb_in in = dsc_in(bytes);
    struct pb_field w, last = {0};
    int got, e = GP_OK;
    while (!e && (got = pb_get_field(&in, &w)) != 0) {
        if (got < 0)
            return got;
        if (w.number != f->number)
            continue;
        last = w;
        if (!f->repeated)
            continue;
        if (!open) {
            js_put_key(&t->js, f->json.n ? f->json : f->name);
            js_open(&t->js, map ? '{' : '[');
        }
        open = true;
        e = map ? dsc_say_entry(t, s, w.bytes, depth - 1)
          : w.type == PB_BYTES && dsc_wire(f->type) != PB_BYTES
          ? dsc_say_packed(t, f, w.bytes) : dsc_say_value(t, f, &w, depth);
    }
    if (open)
        js_close(&t->js, map ? '}' : ']');
    if (e || f->repeated || !last.number ||
        (!f->presence && dsc_wire(f->type) != PB_BYTES && !last.value))
        return e;
    js_put_key(&t->js, f->json.n ? f->json : f->name);
    return dsc_say_value(t, f, &last, depth);
}

/* A Timestamp or a Duration, whose fields are seconds and ns. */
static void dsc_say_time(struct dsc_text *t, struct slice m, bool duration)
{
    char text[64], fraction[16] = "";
    int64_t seconds = (int64_t)dsc_varint(m, 1, 0);
    int32_t ns = (int32_t)dsc_varint(m, 2, 0);
    struct tm tm = {0};
    time_t when = (time_t)seconds;
    bool minus = duration && (seconds < 0 || ns < 0);
    if (ns)
        snprintf(fraction, sizeof fraction, ".%09d", abs(ns) % 1000000000);
    size_t n = strlen(fraction);        /* 3, 6 or 9 digits */
    while (n > 4 && !strcmp(fraction + n - 3, "000"))
        fraction[n -= 3] = 0;
    if (duration) {
        snprintf(text, sizeof text, "%s%" PRIu64 "%ss", minus ? "-" : "",
                 seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds,
                 fraction);
    } else {
        gmtime_r(&when, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
                 tm.tm_year % 100000 + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
    }
    js_put_str(&t->js, txt_slice(text));
}

/* A FieldMask: its paths in lowerCamelCase, with commas. */
static void dsc_say_mask(struct dsc_text *t, struct slice m)
{
    struct buf b = {0};
    struct pb_in in = dsc_in(m);
    struct slice path;
    while (dsc_next(&in, 1, &path)) {
        if (b.len)
            mem_put_byte(&b, ',');
        for (size_t i = 0; i < path.n; i++) {
            bool up = path.p[i] == '_' && i + 1 < path.n;
            char c = path.p[i + up];
            i += up;
            mem_put_byte(&b, (uint8_t)(up && c >= 'a' && c <= 'z'
                                       ? c - 'a' + 'A' : c));
        }
    }
    js_put_str(&t->js, (struct slice){ (const char *)b.data, b.len });
    mem_fini(&b);
}

/* A Value, as the JSON that it is. */
static int dsc_say_json(struct dsc_text *t, struct slice m, int depth)
{
    struct pb_in in = dsc_in(m), list;
    struct pb_field w, last = {0};
    struct slice part;
    double real;
    int got, e = depth > 0 ? GP_OK : GP_EFORMAT;
    while (!e && (got = pb_get_field(&in, &w)) != 0) {
        if (got < 0)
            return got;
        last = w;
    }
    struct slice bytes = { (const char *)last.bytes.p, last.bytes.p ?
                           (size_t)(last.bytes.end - last.bytes.p) : 0 };
    switch (e ? 0 : last.number) {
    case 2:
        memcpy(&real, &last.value, sizeof real);
        dsc_say_real(t, real, false);
        break;
    case 3:
        js_put_str(&t->js, bytes);
        break;
    case 4:
        js_put_bool(&t->js, last.value != 0);
        break;
    case 5: case 6:
        js_open(&t->js, last.number == 5 ? '{' : '[');
        list = dsc_in(bytes);
        while (!e && dsc_next(&list, 1, &part)) {
            if (last.number == 5)
                js_put_key(&t->js, dsc_bytes(part, 1));
            e = dsc_say_json(t, last.number == 5 ? dsc_bytes(part, 2) : part,
                             depth - 1);
        }
        js_close(&t->js, last.number == 5 ? '}' : ']');
        break;
    default:
        js_put_null(&t->js);
    }
    return e;
}

/* The fields of a message, in the order of their numbers, as members. */
static int dsc_say_fields(struct dsc_text *t, const struct dsc_symbol *s,
                          struct slice bytes, int depth)
{
    struct dsc_field f;
    int e = GP_OK;
    for (uint32_t at = 0, next; !e; at = next) {
        struct pb_in in = dsc_in(s->bytes);
        struct slice part;
        next = UINT32_MAX;
        while (dsc_next(&in, 2, &part)) {
            uint32_t number = (uint32_t)dsc_varint(part, 3, 0);
            if (number <= at || number >= next)
                continue;
            next = number;
            f = dsc_field(t->d, s, part);
        }
        if (next == UINT32_MAX)
            break;
        e = dsc_say_field(t, &f, bytes, depth);
    }
    return e;
}

/* An Any: its type, and its fields, or its value where it has no fields. */
static int dsc_say_any(struct dsc_text *t, struct slice m, int depth)
{
    struct slice url = dsc_bytes(m, 1), value = dsc_bytes(m, 2), name = url;
    const char *slash = url.n ? memrchr(url.p, '/', url.n) : NULL;
    static const char google[] = "google.protobuf.";
    if (slash)
        name = (struct slice){ slash + 1, (size_t)(url.p + url.n - slash) - 1 };
    const struct dsc_symbol *s = dsc_symbol(t->d, name);
    js_open(&t->js, '{');
    js_key(&t->js, "@type");
    js_put_str(&t->js, url);
    int e = GP_OK;
    if (s && txt_starts(name, google)) {
        js_key(&t->js, "value");
        e = t->message(t, s, value, depth - 1);
    } else if (s) {
        e = dsc_say_fields(t, s, value, depth - 1);
    }
    js_close(&t->js, '}');
    return e;
}

/* A message of type s. */
static int dsc_say_message(struct dsc_text *t, const struct dsc_symbol *s,
                           struct slice bytes, int depth)
{
    static const char google[] = "google.protobuf.";
    struct dsc_field f;
    struct slice name = s->name, none = {0};
    if (depth <= 0)
        return GP_EFORMAT;
    if (txt_starts(name, google)) {
        name = (struct slice){ name.p + sizeof google - 1,
                               name.n - (sizeof google - 1) };
        bool list = txt_equal(name, txt_slice("ListValue"));
        if (txt_equal(name, txt_slice("Timestamp")) ||
            txt_equal(name, txt_slice("Duration"))) {
            dsc_say_time(t, bytes, *name.p == 'D');
            return GP_OK;
        }
        if (txt_equal(name, txt_slice("FieldMask"))) {
            dsc_say_mask(t, bytes);
            return GP_OK;
        }
        if (txt_equal(name, txt_slice("Any")))
            return dsc_say_any(t, bytes, depth);
        if (txt_equal(name, txt_slice("Value")))
            return dsc_say_json(t, bytes, depth);
        if (list || txt_equal(name, txt_slice("Struct"))) {
            struct buf b = {0};         /* as the Value that has it */
            pb_put_bytes(&b, list ? 6 : 5, bytes.p, bytes.n);
            int e = b.err ? b.err : dsc_say_json(t, (struct slice){
                        (const char *)b.data, b.len }, depth);
            mem_fini(&b);
            return e;
        }
        if (name.n > 5 && !memcmp(name.p + name.n - 5, "Value", 5) &&
            dsc_find_field(t->d, s, none, 1, &f)) {     /* a wrapper */
            struct pb_in in = dsc_in(bytes);
            struct pb_field w, last = { .type = dsc_wire(f.type) };
            while (pb_get_field(&in, &w) > 0)
                last = w.number == 1 ? w : last;
            return dsc_say_value(t, &f, &last, depth);
        }
    }
    js_open(&t->js, '{');
    int e = dsc_say_fields(t, s, bytes, depth);
    js_close(&t->js, '}');
    return e;
}

/* Append to b, as JSON in one line, the message of type s that bytes are.
 * GP_EFORMAT: they are no such message; b has a part of it then. */
static int dsc_decode(const struct dsc *d, const struct dsc_symbol *s,
                      struct slice bytes, struct buf *b)
{
    struct dsc_text t = { .d = d, .js = { .b = b, .depth = 3 },
                          .message = dsc_say_message };
    int e = dsc_say_message(&t, s, bytes, DSC_JSON_DEPTH);
    return e ? e : b->err;
}

/* ================================== 17 NET ==================================
 * for     addresses, sockets, one event loop a thread: readiness, timers,
 *         tasks from other threads
 * uses    MEM, TXT, SYS
 * owns    the loop's epoll and event descriptors and its buffers; sockets
 *         belong to whoever asked for them
 * spec    epoll(7), eventfd(2); gRPC naming for dns:/// and unix:
 * prefix  net_
 * runs    a loop belongs to one thread; only net_loop_post may be called by
 *         others
 *
 * Invariant  an io that net_io_del has seen gets no event any more, also not
 *            one that was already in the turn's batch; a timer fires at most
 *            once for each time it is armed, and never early.
 * Does not   block outside epoll_wait, except to look up a host name.
 */

struct net_io {                         /* a descriptor in a loop */
    int      fd;                        /* owned by the user of the io */
    uint32_t events;                    /* EPOLLIN, EPOLLOUT asked for */
    void   (*on_event)(struct net_io *io, uint32_t events);
    void    *arg;                       /* for on_event; borrowed */
};

struct net_timer {                      /* all zero: not armed */
    int64_t  due_ns;                    /* monotonic */
    size_t   at;                        /* place in the heap + 1; 0: none */
    void   (*on_time)(struct net_timer *t);
    void    *arg;                       /* for on_time; borrowed */
};

struct net_task {
    void (*fn)(void *arg);
    void  *arg;                         /* borrowed until fn has run */
};

struct net_tasks {
    struct net_task *v;                 /* owned */
    size_t           n, cap;            /* tasks; n <= cap */
};

struct net_loop {
    int               epfd;             /* owned */
    struct net_io     wake;             /* eventfd, owned */
    int64_t           now_ns;           /* monotonic; read after each wait */
    int64_t           woke_ns;          /* what it was then */
    bool            (*on_turn)(struct net_loop *l);     /* after the events;
                                         * true: there is more to do */
    bool              busy;             /* what on_turn said */
    atomic_uint      *idle;             /* counts loops that sleep; borrowed;
                                         * NULL: nobody asks */
    struct pool       pool;             /* for its connections */
    struct epoll_event event[NET_EVENTS];       /* this turn's batch */
    int               nevent, at;       /* in event; the one being handled */
    struct net_timer **heap;            /* owned; the timers are borrowed */
    size_t            nheap, heap_cap;  /* timers; nheap <= heap_cap */
    pthread_mutex_t   lock;             /* guards inbox */
    struct net_tasks  inbox;            /* posted, not yet run */
    struct net_tasks  turn;             /* being run; the loop's own */
    atomic_bool       pending;          /* inbox is not empty */
    bool              fine;             /* timers to the ns, not the ms */
    atomic_bool       sleeping;         /* in epoll_wait, or about to be */
    bool              stop;             /* set by the loop's own thread */
    uint8_t          *in;               /* owned, NET_IO_BYTES */
    uint8_t          *out;              /* owned, + NET_SLACK_BYTES */
    _Atomic uint64_t  bytes_in, bytes_out;      /* of all its sockets */
};

struct net_addr {
    struct sockaddr_storage sa;
    socklen_t len;                      /* bytes of sa */
    char      text[160];                /* host:port, [v6]:port, unix:/path */
};

/* Add n to a counter that only this thread writes and others may read. */
static inline void net_add(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

/* Value of a counter that another thread may be writing. */
static inline uint64_t net_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Time now; also becomes the loop's. */
static inline int64_t net_now(struct net_loop *l)
{
    return l->now_ns = sys_now_ns();
}

/* ---- addresses ---- */

/* Fill a->text from a->sa. */
static void net_addr_name(struct net_addr *a)
{
    char host[INET6_ADDRSTRLEN + 20] = "?", port[8] = "?";
    const struct sockaddr *sa = (const struct sockaddr *)&a->sa;
    if (a->sa.ss_family == AF_UNIX) {
        const struct sockaddr_un *u = (const struct sockaddr_un *)&a->sa;
        snprintf(a->text, sizeof a->text, "unix:%s", u->sun_path);
        return;
    }
    getnameinfo(sa, a->len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(a->text, sizeof a->text,
             a->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Make a of the file name path; text is the address as the user wrote it. */
static int net_addr_unix(const char *text, const char *path,
                         struct net_addr *a, struct gp_why *why)
{
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    if (!strncmp(path, "//", 2))        /* unix:///path, as in gRPC naming */
        path += 2;
    if (!*path)
        return txt_fail(why, GP_EUSAGE, "address '%s': no path after 'unix:'",
                        text);
    if (strlen(path) >= sizeof u.sun_path)
        return txt_fail(why, GP_EUSAGE, "address '%.60s...': path longer than "
                        "%zu bytes", text, sizeof u.sun_path - 1);
    memcpy(u.sun_path, path, strlen(path) + 1);
    *a = (struct net_addr){ .len = sizeof u };
    memcpy(&a->sa, &u, sizeof u);
    net_addr_name(a);
    return GP_OK;
}

/* Copy the host of s, which ends before its port, into host[size] and point
 * *port behind the colon.  "" is the loopback address.  NULL, or what is
 * wrong with s. */
static const char *net_addr_split(const char *s, char *host, size_t size,
                                  const char **port)
{
    const char *colon = strrchr(s, ':'), *first = s, *end = colon;
    if (*s == '[') {
        first = s + 1;
        end = strchr(s, ']');
        if (!end || end[1] != ':')
            return "write an IPv6 address as [::1]:50051";
        colon = end + 1;
    } else if (!colon && s[strspn(s, "0123456789")] == 0 && *s) {
        *port = s;                      /* a bare port */
        host[0] = 0;
        return NULL;
    } else if (!colon) {
        return "no port; write HOST:PORT";
    } else if (strchr(s, ':') != colon) {
        return "write an IPv6 address as [::1]:50051";
    }
    size_t n = (size_t)(end - first);
    *port = colon + 1;
    if (n >= size)
        return "host name too long";
    memcpy(host, first, n);
    host[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    "0123456789.-_:%", host[i]))
            return "a host name has letters, digits, '-' and '.'";
    return NULL;
}

/* Look up host and port; at most NET_ADDRS addresses into a, *n of them.
 * text is the address as the user wrote it. */
static int net_addr_lookup(const char *text, const char *host, uint64_t port,
                           struct net_addr *a, size_t *n, struct gp_why *why)
{
    struct addrinfo hint = { .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV }, *list = NULL;
    char digits[8];
    snprintf(digits, sizeof digits, "%" PRIu64, port);
    int e = getaddrinfo(*host ? host : "127.0.0.1", digits, &hint, &list);
    if (e)
        return txt_fail(why, GP_EIO, "address '%s': %s", text,
                        e == EAI_SYSTEM ? strerror(errno) : gai_strerror(e));
    *n = 0;
    for (struct addrinfo *i = list; i && *n < NET_ADDRS; i = i->ai_next) {
        if (i->ai_addrlen > sizeof a->sa)
            continue;
        a[*n] = (struct net_addr){ .len = i->ai_addrlen };
        memcpy(&a[*n].sa, i->ai_addr, i->ai_addrlen);
        net_addr_name(&a[(*n)++]);
    }
    freeaddrinfo(list);
    return *n ? GP_OK : txt_fail(why, GP_EIO, "address '%s': no address", text);
}

/* Read an address to listen on, or with remote one to connect to, which may
 * also be dns:///host:port or http://host:port and may not have port 0.  At
 * most NET_ADDRS addresses into a, *n of them, n > 0. */
static int net_addr_parse(const char *text, bool remote, struct net_addr *a,
                          size_t *n, struct gp_why *why)
{
    char host[256], copy[512];
    const char *s = text, *port = NULL;
    if (strlen(text) >= sizeof copy)
        return txt_fail(why, GP_EUSAGE, "address '%.60s...': too long", text);
    if (!strncmp(s, "https://", 8))
        return txt_fail(why, GP_EUSAGE, "address '%s': TLS is not supported; "
                        "use http:// or put a proxy in front", text);
    if (!remote && !strncmp(s, "http://", 7))
        return txt_fail(why, GP_EUSAGE, "address '%s': write the address to "
                        "listen on without http://", text);
    if (remote && (!strncmp(s, "http://", 7) || !strncmp(s, "dns:///", 7))) {
        snprintf(copy, sizeof copy, "%s", s + 7);
        size_t len = strlen(copy);
        if (*s == 'h' && len && copy[len - 1] == '/')
            copy[len - 1] = 0;
        s = copy;
    }
    *n = 1;
    if (!strncmp(s, "unix:", 5))
        return net_addr_unix(text, s + 5, a, why);
    const char *wrong = net_addr_split(s, host, sizeof host, &port);
    if (wrong)
        return txt_fail(why, GP_EUSAGE, "address '%s': %s", text, wrong);
    uint64_t number;
    if (txt_number(port, remote ? 1 : 0, 65535, &number))
        return txt_fail(why, GP_EUSAGE, "address '%s': '%s' is not a port "
                        "(%d to 65535)", text, port, remote ? 1 : 0);
    return net_addr_lookup(text, host, number, a, n, why);
}

/* ---- sockets ---- */

/* Switch an option of a socket on; what cannot be switched is left. */
static void net_sock_set(int fd, int level, int option)
{
    int on = 1;
    (void)setsockopt(fd, level, option, &on, sizeof on);
}

/* True when a socket stands at path, and not a file of another kind. */
static bool net_unix_is(const char *path)
{
    struct stat st;
    return !lstat(path, &st) && S_ISSOCK(st.st_mode);
}

/* True when the socket file at a is left over: nobody listens there. */
static bool net_unix_stale(const struct net_addr *a)
{
    const struct sockaddr_un *u = (const struct sockaddr_un *)&a->sa;
    int fd = net_unix_is(u->sun_path) ?
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd < 0)
        return false;
    int r = connect(fd, (const struct sockaddr *)&a->sa, a->len);
    bool stale = r < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

/* The error of bind or listen at a, number error, as one line. */
static int net_listen_fail(const struct net_addr *a, int error,
                           struct gp_why *why)
{
    const char *fix = "";
    if (error == EADDRINUSE && a->sa.ss_family == AF_UNIX &&
        !net_unix_is(((const struct sockaddr_un *)&a->sa)->sun_path))
        fix = "; what stands there is not a socket, and stays";
    else if (error == EADDRINUSE && a->sa.ss_family == AF_UNIX)
        fix = "; another program listens there, choose another path";
    else if (error == EADDRINUSE)
        fix = "; stop what listens there (ss -ltnp names it) or choose "
              "another port";
    else if (error == EADDRNOTAVAIL)
        fix = "; it is not an address of this machine";
    else if (error == EACCES && a->sa.ss_family != AF_UNIX)
        fix = "; ports below 1024 need root, choose a higher one";
    return txt_fail(why, GP_EIO, "cannot listen on %s: %s%s", a->text,
                    strerror(error), fix);
}

/* On the loopback interface nothing is ever congested: the simplest algorithm,
 * without the timers of one that paces, where the system has such a default.
 * Sockets accepted from fd inherit it. */
static void net_uncongested(int fd, const struct net_addr *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
    bool loopback = a->sa.ss_family == AF_INET
                  ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
                  : a->sa.ss_family == AF_INET6 &&
                    IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    if (loopback)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/* A socket that listens on *a, owned by the caller, or a negative gp_err; *a
 * becomes the address bound, which differs when the port was 0. */
static int net_listen(struct net_addr *a, struct gp_why *why)
{
    const struct sockaddr *sa = (const struct sockaddr *)&a->sa;
    const struct sockaddr_un *u = (const struct sockaddr_un *)&a->sa;
    int fd = socket(a->sa.ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return net_listen_fail(a, errno, why);
    bool local = a->sa.ss_family == AF_UNIX;
    if (!local)
        net_sock_set(fd, SOL_SOCKET, SO_REUSEADDR);
    net_uncongested(fd, a);
    int r = bind(fd, sa, a->len);
    if (r && errno == EADDRINUSE && local) {
        r = net_unix_stale(a) && !unlink(u->sun_path) ? bind(fd, sa, a->len)
                                                      : r;
        errno = r ? EADDRINUSE : 0;
    }
    if (r || listen(fd, NET_BACKLOG)) {
        int error = errno;
        close(fd);
        return net_listen_fail(a, error, why);
    }
    if (!local) {
        a->len = sizeof a->sa;
        (void)getsockname(fd, (struct sockaddr *)&a->sa, &a->len);
        net_addr_name(a);
    }
    return fd;
}

/* A socket that is connecting to a, owned by the caller: it becomes writable
 * when SO_ERROR says how that went.  -1 with errno when it cannot begin. */
static int net_connect(const struct net_addr *a)
{
    int fd = socket(a->sa.ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (a->sa.ss_family != AF_UNIX)
        net_sock_set(fd, IPPROTO_TCP, TCP_NODELAY);
    net_uncongested(fd, a);
    if (!connect(fd, (const struct sockaddr *)&a->sa, a->len) ||
        errno == EINPROGRESS || errno == EINTR)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A connection from the listening socket fd, owned by the caller, or -1 with
 * errno; EAGAIN when none waits. */
static int net_accept(int fd)
{
    int c;
    do
        c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (c < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (c >= 0)                         /* fails on a unix socket: no harm */
        net_sock_set(c, IPPROTO_TCP, TCP_NODELAY);
    return c;
}

/* ---- descriptors in a loop ---- */

/* Watch io->fd for io->events; io stays where it is until net_io_del. */
static int net_io_add(struct net_loop *l, struct net_io *io)
{
    struct epoll_event e = { .events = io->events, .data.ptr = io };
    return epoll_ctl(l->epfd, EPOLL_CTL_ADD, io->fd, &e) ? GP_EIO : GP_OK;
}

/* Watch io for other events; no system call when they are the same. */
static void net_io_want(struct net_loop *l, struct net_io *io, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = io };
    if (io->events != events)           /* cannot fail: io is registered */
        (void)epoll_ctl(l->epfd, EPOLL_CTL_MOD, io->fd, &e);
    io->events = events;
}

/* Have an edge-triggered io told of what there is now. */
static void net_io_again(struct net_loop *l, struct net_io *io)
{
    struct epoll_event e = { .events = io->events, .data.ptr = io };
    (void)epoll_ctl(l->epfd, EPOLL_CTL_MOD, io->fd, &e);
}

/* Stop watching io; before its descriptor is closed. */
static void net_io_del(struct net_loop *l, struct net_io *io)
{
    (void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = l->at; i < l->nevent; i++)
        if (l->event[i].data.ptr == io)
            l->event[i].data.ptr = NULL;
}

/* ---- timers ---- */

/* Put t at place i of the heap. */
static void net_heap_set(struct net_loop *l, size_t i, struct net_timer *t)
{
    l->heap[i] = t;
    t->at = i + 1;
}

/* Put t where it belongs, beginning at the free place i. */
static void net_heap_place(struct net_loop *l, size_t i, struct net_timer *t)
{
    while (i > 0 && l->heap[(i - 1) / 2]->due_ns > t->due_ns) {
        net_heap_set(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t k; (k = 2 * i + 1) < l->nheap; i = k) {
        if (k + 1 < l->nheap && l->heap[k + 1]->due_ns < l->heap[k]->due_ns)
            k++;
        if (l->heap[k]->due_ns >= t->due_ns)
            break;
        net_heap_set(l, i, l->heap[k]);
    }
    net_heap_set(l, i, t);
}

/* Disarm t; nothing when it is not armed. */
static void net_timer_stop(struct net_loop *l, struct net_timer *t)
{
    if (!t->at)
        return;
    size_t i = t->at - 1;
    struct net_timer *last = l->heap[--l->nheap];
    t->at = 0;
    if (last != t)
        net_heap_place(l, i, last);
}

/* Call t->on_time at due_ns or soon after, once; moves an armed t.
 * GP_ENOMEM, which an armed t cannot meet, leaves it not armed. */
static int net_timer_arm(struct net_loop *l, struct net_timer *t,
                         int64_t due_ns)
{
    size_t i = t->at ? t->at - 1 : l->nheap;
    if (!t->at) {
        void *p = mem_grow(l->heap, &l->heap_cap, l->nheap + 1,
                           sizeof(struct net_timer *));
        if (!p)
            return GP_ENOMEM;
        l->heap = p;
        l->nheap++;
    }
    t->due_ns = due_ns;
    net_heap_place(l, i, t);
    return GP_OK;
}

/* Run the timers that are due. */
static void net_timers_run(struct net_loop *l)
{
    while (l->nheap && l->heap[0]->due_ns <= l->now_ns) {
        struct net_timer *t = l->heap[0];
        net_timer_stop(l, t);
        t->on_time(t);
    }
}

/* Nanoseconds until the first timer; -1 for ever. */
static int64_t net_timers_wait(struct net_loop *l)
{
    if (!l->nheap)
        return -1;
    int64_t left = l->heap[0]->due_ns - sys_now_ns();
    return left <= 0 ? 0 : left < NET_WAIT_NS ? left : NET_WAIT_NS;
}

/* Wait for events for ns, -1: as long as it takes; milliseconds are rounded up,
 * so that no timer is early.  How many there are, or negative. */
static int net_wait(struct net_loop *l, int64_t ns)
{
    if (l->fine && ns > 0) {
        struct timespec t = { ns / 1000000000, ns % 1000000000 };
        int n = epoll_pwait2(l->epfd, l->event, NET_EVENTS, &t, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        l->fine = false;                /* before Linux 5.11, or not allowed */
    }
    int ms = ns < 0 ? -1 : (int)((ns + 999999) / 1000000);
    return epoll_wait(l->epfd, l->event, NET_EVENTS, ms);
}

/* ---- the loop ---- */

/* Empty the event descriptor that woke the loop. */
static void net_wake_event(struct net_io *io, uint32_t events)
{
    uint64_t n;
    (void)events;
    ssize_t r = read(io->fd, &n, sizeof n);
    (void)r;                            /* EAGAIN and EINTR: next turn */
}

/* Release l, whose thread has ended; a zero l is fine. */
static void net_loop_fini(struct net_loop *l)
{
    if (!l->in)
        return;
    if (l->wake.fd >= 0)
        close(l->wake.fd);
    if (l->epfd >= 0)
        close(l->epfd);
    pthread_mutex_destroy(&l->lock);
    mem_free(l->heap);
    mem_free(l->inbox.v);
    mem_free(l->turn.v);
    mem_free(l->in);
    mem_free(l->out);
    mem_pool_fini(&l->pool);
    *l = (struct net_loop){0};
}

/* Make l ready.  It must not move afterwards. */
static int net_loop_init(struct net_loop *l, struct gp_why *why)
{
    *l = (struct net_loop){ .epfd = -1, .wake = {
        .fd = -1, .events = EPOLLIN, .on_event = net_wake_event } };
    l->in = mem_zalloc(NET_IO_BYTES);
    l->out = mem_zalloc(NET_IO_BYTES + NET_SLACK_BYTES);
    if (!l->in || !l->out) {
        mem_free(l->in);
        mem_free(l->out);
        l->in = l->out = NULL;
        return txt_fail(why, GP_ENOMEM, "out of memory for an event loop");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    l->wake.fd = l->epfd < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake.fd < 0 || net_io_add(l, &l->wake)) {
        int error = errno;
        net_loop_fini(l);
        return txt_fail(why, GP_EIO, "cannot make an event loop: %s",
                        strerror(error));
    }
    net_now(l);
    return GP_OK;
}

/* Wake l if it sleeps, so that it runs what was left for it: the caller has set
 * l->pending first; the loop does it the other way round, so that one of the
 * two sees the other. */
static void net_loop_wake(struct net_loop *l)
{
    uint64_t one = 1;
    if (atomic_exchange(&l->sleeping, false))
        while (write(l->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

/* Have fn(arg) called on l's thread, in order; any thread.  One system call,
 * and only when l sleeps.  GP_ENOMEM: it will not be called. */
static int net_loop_post(struct net_loop *l, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&l->lock);
    struct net_task *v = mem_grow(l->inbox.v, &l->inbox.cap, l->inbox.n + 1,
                                  sizeof *v);
    if (v) {
        l->inbox.v = v;
        v[l->inbox.n++] = (struct net_task){ fn, arg };
        atomic_store(&l->pending, true);
    }
    pthread_mutex_unlock(&l->lock);
    if (v)
        net_loop_wake(l);
    return v ? GP_OK : GP_ENOMEM;
}

/* Run the tasks that were posted. */
static void net_tasks_run(struct net_loop *l)
{
    if (!atomic_exchange(&l->pending, false))
        return;
    pthread_mutex_lock(&l->lock);
    struct net_tasks t = l->inbox;
    l->inbox = l->turn;
    l->inbox.n = 0;
    l->turn = t;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->turn.n; i++)
        l->turn.v[i].fn(l->turn.v[i].arg);
}

/* One turn: wait at most most_ms (-1: as long as it takes) for something to
 * do, and do it. */
static void net_loop_turn(struct net_loop *l, int most_ms)
{
    int64_t ns = l->busy ? 0 : net_timers_wait(l), most = most_ms * 1000000ll;
    ns = most_ms >= 0 && (ns < 0 || ns > most) ? most : ns;
    if (ns && l->idle)
        atomic_fetch_add(l->idle, 1);
    if (ns)
        atomic_store(&l->sleeping, true);
    int n = net_wait(l, ns && atomic_load(&l->pending) ? 0 : ns);
    if (ns)
        atomic_store(&l->sleeping, false);
    if (ns && l->idle)
        atomic_fetch_sub(l->idle, 1);
    l->nevent = n < 0 ? 0 : n;          /* EINTR: SIGPROF, nothing to do */
    l->woke_ns = net_now(l);
    for (l->at = 0; l->at < l->nevent; l->at++) {
        struct net_io *io = l->event[l->at].data.ptr;
        if (io)
            io->on_event(io, l->event[l->at].events);
    }
    l->nevent = 0;
    net_tasks_run(l);
    net_timers_run(l);
    l->busy = l->on_turn && l->on_turn(l);
}

/* Turn until l->stop. */
static void net_loop_run(struct net_loop *l)
{
    while (!l->stop)
        net_loop_turn(l, -1);
}

/* ================================== 18 H2 ===================================
 * for     one HTTP/2 connection, either role, over nghttp2; no gRPC in here
 * uses    MEM, NET
 * owns    the socket, the nghttp2 session and the bytes not yet sent
 * spec    [H2] RFC 9113; RFC 9110 15.5.22 for the answer to HTTP/1.1
 * prefix  h2_
 * runs    on its loop's thread
 *
 *   one turn   recv() -> mem_recv -> callbacks, which only submit -> mem_send
 *              until nothing is left -> one send()
 *
 *   server  PREFACE -> OPEN -> LINGER -> GONE     (LINE: it is HTTP/1.1)
 *   client  CONNECTING -> OPEN -> GONE
 *
 * Invariant  on_lost is called once, when the connection stops to be of use,
 *            with the session still there; then on_gone once, after which
 *            nothing here touches the connection.  Neither is called inside
 *            an nghttp2 callback, and no callback sends or receives.
 * Does not   know what a header means, except where [H2] needs it.
 */

#define H2_NV(n, v) { (uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1,        \
                      sizeof(v) - 1, NGHTTP2_NV_FLAG_NO_COPY_NAME |         \
                                     NGHTTP2_NV_FLAG_NO_COPY_VALUE }

/* [H2] 3.4: what a client sends first. */
static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { H2_PREFACE_BYTES = sizeof h2_preface - 1 };

/* To be told of input once, when it comes: the kernel need not look again after
 * each turn whether there still is some. */
#define H2_READ (EPOLLIN | EPOLLRDHUP | EPOLLET)

enum h2_state { H2_CONNECTING, H2_PREFACE, H2_LINE, H2_OPEN, H2_LINGER,
                H2_GONE };

enum h2_end {                           /* why a connection ended */
    H2_ALIVE,                           /* it did not */
    H2_END_EOF,                         /* the peer closed it */
    H2_END_IO,                          /* the system said no: error */
    H2_END_TIMEOUT,                     /* connect, settings or a stall */
    H2_END_PROTOCOL,                    /* the peer broke HTTP/2 */
    H2_END_DONE,                        /* after a GOAWAY, all answered */
    H2_END_LOCAL,                       /* the owner closed it */
    H2_END_IDLE, H2_END_AGE,            /* it was told to leave, and did */
    H2_FLOOD_EMPTY, H2_FLOOD_CONTINUATION, H2_FLOOD_PRIORITY,
    H2_FLOOD_SETTINGS, H2_FLOOD_PING, H2_FLOOD_UPDATE, H2_FLOOD_UNKNOWN,
    H2_FLOOD_RESET, H2_FLOOD_ERROR,     /* ENHANCE_YOUR_CALM */
    H2_ENDS,                            /* how many there are */
};

/* The same in a word, for counters and for the peer's GOAWAY. */
static const char *const h2_end_name[H2_ENDS] = {
    [H2_ALIVE] = "alive", [H2_END_EOF] = "peer", [H2_END_IO] = "io",
    [H2_END_TIMEOUT] = "timeout", [H2_END_PROTOCOL] = "protocol",
    [H2_END_DONE] = "done", [H2_END_LOCAL] = "local",
    [H2_END_IDLE] = "max_idle", [H2_END_AGE] = "max_age",
    [H2_FLOOD_EMPTY] = "too_many_empty_frames",
    [H2_FLOOD_CONTINUATION] = "too_many_continuations",
    [H2_FLOOD_PRIORITY] = "too_many_priorities",
    [H2_FLOOD_SETTINGS] = "too_many_settings",
    [H2_FLOOD_PING] = "too_many_pings",
    [H2_FLOOD_UPDATE] = "too_many_window_updates",
    [H2_FLOOD_UNKNOWN] = "too_many_unknown_frames",
    [H2_FLOOD_RESET] = "too_many_resets",
    [H2_FLOOD_ERROR] = "too_many_errors",
};

enum h2_excuse {                        /* why a peer resets a stream */
    H2_NO_EXCUSE, H2_DEADLINE, H2_FREE, /* its time may be over; it has heard
                                         * from us */
};

struct h2_conn;

/* What the section above hears.  stream is what on_open returned, or what
 * h2_request was given; no more calls for a stream after its on_close. */
struct h2_up {
    void *(*on_open)(struct h2_conn *c, int32_t id);    /* NULL: refuse */
    void (*on_header)(struct h2_conn *c, void *stream, struct slice name,
                      struct slice value);
    void (*on_headers)(struct h2_conn *c, void *stream, bool over);
    void (*on_data)(struct h2_conn *c, void *stream, const uint8_t *p,
                    size_t n, bool last);       /* last: nothing follows, the
                                         * stream's window matters no more */
    void (*on_end)(struct h2_conn *c, void *stream);    /* END_STREAM */
    void (*on_close)(struct h2_conn *c, void *stream, uint32_t code,
                     bool by_peer);     /* by_peer: RST_STREAM came in */
    void (*on_ready)(struct h2_conn *c);        /* the peer's SETTINGS, the
                                         * first or others, came */
    void (*on_goaway)(struct h2_conn *c);       /* no new streams from now */
    void (*on_lost)(struct h2_conn *c);
    void (*on_gone)(struct h2_conn *c);         /* may release c */
    enum h2_excuse (*on_excuse)(struct h2_conn *c, void *stream);
    void (*on_taken)(struct h2_conn *c, size_t n);      /* bytes of a body went
                                         * to nghttp2; NULL: not told */
    void (*on_drain)(struct h2_conn *c, void *stream);  /* a body that asked
                                         * has few bytes left */
    void (*on_fed)(struct h2_conn *c);  /* input was read: the last thing that
                                         * h2_turn is to follow; NULL: it does
                                         * at once */
};

struct h2_kit {                         /* shared by connections; read only */
    nghttp2_session_callbacks *callbacks;       /* owned */
    nghttp2_option *option;             /* owned */
    const struct h2_up *up;             /* borrowed */
    const char *http1;                  /* response to HTTP/1.1; borrowed */
    bool     server;
    uint32_t streams;                   /* the peer may have open at once */
    uint32_t headers_bytes;             /* soft limit of a header list */
    int32_t  stream_window, conn_window;        /* bytes */
};

struct h2_bucket {                      /* of tokens, see h2_bucket_take */
    int32_t left;                       /* units */
    int64_t filled_ns;                  /* when it was last refilled */
};

struct h2_scan {                        /* frames cut out of the input */
    uint8_t  head[9];                   /* of the frame, as far as it came */
    uint8_t  have;                      /* bytes of head */
    bool     block;                     /* a header block has not ended */
    uint32_t left;                      /* bytes of the payload to come */
    int64_t  whole_ns;                  /* when it last was between frames */
};

struct h2_conn {                        /* all zero before h2_accept */
    struct net_io    io;
    struct net_loop *loop;              /* borrowed */
    const struct h2_kit *kit;           /* borrowed */
    nghttp2_session *session;           /* owned; NULL before and after use */
    struct buf       rest;              /* to send; in LINE what came in */
    size_t           rest_at;           /* bytes of rest already sent */
    struct net_timer timer;             /* hello, notice or linger */
    struct net_timer stall;             /* armed while rest is not empty */
    enum h2_state    state;
    enum h2_end      end;               /* to be acted on at the turn's end */
    int              error;             /* errno of H2_END_IO */
    uint32_t         goaway_code;       /* of the peer's GOAWAY */
    int32_t          top_id;            /* highest stream the peer opened */
    int32_t          closed[H2_CLOSED]; /* streams by number: id: the peer had
                                         * ended it; -id: we have */
    int32_t          reset_id;          /* stream of the last RST_STREAM in */
    uint32_t         headers_bytes;     /* of the block being read */
    void            *stream;            /* found last, or NULL: nobody's */
    int32_t          stream_id;         /* of it; 0: none is known */
    size_t           fed;               /* bytes of DATA to be given back */
    uint8_t          matched;           /* bytes of the preface seen */
    bool             busy;              /* inside nghttp2 */
    bool             got_settings, got_ack;     /* the hello's two halves */
    bool             ready;             /* both; timer disarmed */
    bool             leaving;           /* shutdown notice sent */
    bool             goaway;            /* a GOAWAY was received */
    bool             patched;           /* our first SETTINGS went out */
    enum h2_end      leave;             /* why it leaves; H2_ALIVE: no reason */
    enum h2_end      flood;             /* of what; H2_ALIVE: of nothing */
    enum h2_end      failed;            /* what nghttp2 ended it for, itself */

    /* A server's defence against floods. */
    struct h2_scan   scan;
    struct h2_bucket budget;            /* of what is seldom honest */
    struct h2_bucket resets;            /* of calls that have deadlines */
    int64_t          heard_ns;          /* when the last byte came */
    int64_t          ping_ns;           /* the last PING that came; 0: none */
    uint32_t         updates;           /* WINDOW_UPDATEs that are free */
    uint32_t         ended;             /* RST_STREAMs of closed streams too:
                                         * each may cross one of our ends */
    uint8_t          strikes;           /* PINGs too soon, in a row */
    bool             said;              /* DATA or HEADERS since the last */
};

struct h2_body {                        /* what a stream sends */
    const uint8_t *p;                   /* borrowed until the stream closes */
    size_t n;                           /* bytes left */
    size_t low;                         /* on_drain at this many left, once;
                                         * 0: never */
    bool   more;                        /* there will be: h2_resume then */
    bool   waits;                       /* nghttp2 has been told so */
    const nghttp2_nv *trailer;          /* borrowed; NULL: END_STREAM */
    size_t ntrailer;
};

/* ---- output ---- */

/* Write n bytes, keep what the socket does not take.  True when it took all;
 * otherwise EPOLLOUT is armed, or c->end says what is wrong. */
static bool h2_write(struct h2_conn *c, const uint8_t *p, size_t n)
{
    ssize_t k;
    do
        k = send(c->io.fd, p, n, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    if (k < 0 && errno != EAGAIN) {
        c->error = errno;
        c->end = H2_END_IO;
        return false;
    }
    size_t sent = k < 0 ? 0 : (size_t)k;
    net_add(&c->loop->bytes_out, sent);
    if (sent == n)
        return true;
    mem_put(&c->rest, p + sent, n - sent);
    if (c->rest.err || (c->kit->server &&
        net_timer_arm(c->loop, &c->stall, c->loop->now_ns + H2_STALL_NS))) {
        c->error = ENOMEM;
        c->end = H2_END_IO;
    }
    /* A server that cannot answer stops to listen, so that requests wait in
     * the peer and not here.  A client goes on: two that wait for each other
     * would wait for ever. */
    net_io_want(c->loop, &c->io, EPOLLOUT | (c->kit->server ? 0u : H2_READ));
    return false;
}

/* Send what is kept; true when nothing is left. */
static bool h2_write_rest(struct h2_conn *c)
{
    size_t n = c->rest.len - c->rest_at;
    ssize_t k;
    do
        k = send(c->io.fd, c->rest.data + c->rest_at, n, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    if (k < 0 && errno != EAGAIN) {
        c->error = errno;
        c->end = H2_END_IO;
        return false;
    }
    if (k > 0) {
        net_add(&c->loop->bytes_out, (size_t)k);
        c->rest_at += (size_t)k;
        if (c->stall.at)
            net_timer_arm(c->loop, &c->stall, c->loop->now_ns + H2_STALL_NS);
    }
    if (c->rest_at < c->rest.len)
        return false;
    mem_fini(&c->rest);                 /* few connections ever need one */
    c->rest_at = 0;
    net_timer_stop(c->loop, &c->stall);
    net_io_want(c->loop, &c->io, H2_READ);
    return true;
}

/* Write the limit on streams into our first SETTINGS, the n bytes at p, in the
 * place of the higher one that nghttp2 was told: past its own limit it ends the
 * connection, where [H2] 5.1.2 lets us refuse the stream. */
static void h2_patch(struct h2_conn *c, uint8_t *p, size_t n)
{
    uint32_t v = c->kit->streams;
    c->patched = true;
    for (size_t i = 9; i + 6 <= n && p[3] == NGHTTP2_SETTINGS; i += 6)
        if (p[i] == 0 && p[i + 1] == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
            p[i + 2] = (uint8_t)(v >> 24);
            p[i + 3] = (uint8_t)(v >> 16);
            p[i + 4] = (uint8_t)(v >> 8);
            p[i + 5] = (uint8_t)v;
        }
}

/* Take what nghttp2 wants to send into the loop's buffer; returns bytes. */
static size_t h2_collect(struct h2_conn *c)
{
    uint8_t *out = c->loop->out;
    size_t at = 0;
    while (at < NET_IO_BYTES) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n == 0)
            break;
        if (n < 0 || (size_t)n > NET_IO_BYTES + NET_SLACK_BYTES - at) {
            c->end = H2_END_PROTOCOL;
            break;
        }
        memcpy(out + at, p, (size_t)n);
        if (!c->patched && c->kit->server)
            h2_patch(c, out + at, (size_t)n);
        at += (size_t)n;
    }
    return at;
}

/* Send all that nghttp2 has, as far as the socket takes it. */
static void h2_send(struct h2_conn *c)
{
    size_t n = NET_IO_BYTES;
    bool was = c->busy;
    c->busy = true;                     /* on_close may be called in here */
    while (n >= NET_IO_BYTES && c->rest.len == 0) {
        n = h2_collect(c);
        if (n && !h2_write(c, c->loop->out, n))
            break;
    }
    c->busy = was;
}

/* nghttp2 asks for at most length bytes of a stream's body.  Never more is
 * given: the length is the flow-control window ([H2] 6.9). */
static ssize_t h2_on_read(nghttp2_session *s, int32_t id, uint8_t *to,
                          size_t length, uint32_t *flags,
                          nghttp2_data_source *source, void *arg)
{
    struct h2_body *b = source->ptr;
    struct h2_conn *c = arg;
    size_t n = b->n < length ? b->n : length;
    if (n == 0 && b->more) {
        b->waits = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n)
        memcpy(to, b->p, n);
    b->p += n;
    b->n -= n;
    if (c->kit->up->on_taken)
        c->kit->up->on_taken(c, n);
    if (b->low && b->n < b->low) {
        b->low = 0;
        c->kit->up->on_drain(c, nghttp2_session_get_stream_user_data(s, id));
    }
    if (b->n || b->more)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (b->trailer) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(s, id, b->trailer, b->ntrailer))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* ---- the end of a connection ---- */

/* Release all of c and tell the owner, who may free it. */
static void h2_release(struct h2_conn *c)
{
    net_timer_stop(c->loop, &c->timer);
    net_timer_stop(c->loop, &c->stall);
    nghttp2_session_del(c->session);
    c->session = NULL;
    mem_fini(&c->rest);
    if (c->io.fd >= 0) {
        net_io_del(c->loop, &c->io);
        close(c->io.fd);
    }
    c->io.fd = -1;
    c->state = H2_GONE;
    c->kit->up->on_gone(c);
}

/* Act on c->end: tell the owner, and close.  A server first shuts its side
 * down and reads on for a while, so that what it said last arrives. */
static void h2_finish(struct h2_conn *c)
{
    bool first = c->state != H2_LINGER;
    if (first)
        c->kit->up->on_lost(c);
    bool said = c->end != H2_END_EOF && c->end != H2_END_IO;
    if (!first || !said || !c->kit->server || shutdown(c->io.fd, SHUT_WR) ||
        net_timer_arm(c->loop, &c->timer, c->loop->now_ns + H2_LINGER_NS)) {
        h2_release(c);
        return;
    }
    nghttp2_session_del(c->session);
    c->session = NULL;
    mem_fini(&c->rest);
    net_timer_stop(c->loop, &c->stall);
    net_io_want(c->loop, &c->io, H2_READ);
    c->state = H2_LINGER;
    c->end = H2_ALIVE;
}

/* The end of a turn: send, and see whether the connection is over.  c may be
 * gone afterwards. */
static void h2_turn(struct h2_conn *c)
{
    if (c->session && !c->end)
        h2_send(c);
    if (c->session && !c->end && c->rest.len == 0 &&
        !nghttp2_session_want_read(c->session) &&
        !nghttp2_session_want_write(c->session))
        c->end = c->failed ? c->failed : c->leave ? c->leave : H2_END_DONE;
    if (c->end)
        h2_finish(c);
}

/* Send what was submitted outside a callback; inside one it does nothing,
 * because the turn does it.  c may be gone afterwards. */
static void h2_kick(struct h2_conn *c)
{
    if (!c->busy && c->state != H2_GONE)
        h2_turn(c);
}

/* Close c at once, outside callbacks, whatever its state; on_lost where it is
 * still owed, and on_gone, are called before this returns. */
static void h2_abort(struct h2_conn *c)
{
    assert(!c->busy);
    if (c->state == H2_GONE)
        return;
    c->end = H2_END_LOCAL;
    if (c->state != H2_LINGER)
        c->kit->up->on_lost(c);
    h2_release(c);
}

/* ---- floods ---- */

/* Take cost units from a bucket that holds most and gets a_sec more a second;
 * false once it is empty.  It is refilled only when it seems empty. */
static bool h2_bucket_take(struct h2_bucket *b, int64_t now_ns, int32_t cost,
                           int32_t most, int32_t a_sec)
{
    b->left -= cost;
    if (b->left > 0)
        return true;
    int64_t ns = now_ns - b->filled_ns;
    int64_t more = ns >= 60000000000 ? most : ns * a_sec / 1000000000;
    b->filled_ns = now_ns;
    b->left = (int32_t)(b->left + more < most ? b->left + more : most);
    return b->left > 0;
}

/* Charge c for something that an honest client does seldom; false once it has
 * had enough, and is to end. */
static bool h2_charge(struct h2_conn *c, int32_t cost, enum h2_end reason)
{
    if (c->kit->server && !c->flood &&
        !h2_bucket_take(&c->budget, c->loop->now_ns, cost, H2_BUDGET,
                        H2_BUDGET_A_SEC))
        c->flood = reason;
    return !c->flood;
}

/* A call of c went well. */
static void h2_refund(struct h2_conn *c)
{
    if (c->budget.left < H2_BUDGET)
        c->budget.left += H2_REFUND;
}

/* A PING came: whether it came too soon once too often.  After anything that we
 * sent it is welcome, since clients measure with it while they receive. */
static bool h2_ping_ok(struct h2_conn *c)
{
    int64_t now_ns = c->loop->now_ns;
    bool early = c->ping_ns && now_ns - c->ping_ns < H2_PING_NS;
    c->ping_ns = now_ns;
    if (c->said || !early)
        c->strikes = 0;
    else if (++c->strikes > H2_STRIKES)
        c->flood = H2_FLOOD_PING;
    c->said = false;
    return !c->flood;
}

/* Where c keeps what became of stream id. */
static int32_t *h2_closed(struct h2_conn *c, int32_t id)
{
    return &c->closed[(uint32_t)id / 2 % H2_CLOSED];
}

/* Charge DATA of n bytes on stream id.  After the peer's own end of the stream
 * it is an error of the connection ([H2] 5.1). */
static bool h2_charge_data(struct h2_conn *c, uint32_t n, uint8_t flags,
                           int32_t id)
{
    if (*h2_closed(c, id) == id)
        (void)nghttp2_session_terminate_session(c->session,
                                                NGHTTP2_STREAM_CLOSED);
    return n || (flags & NGHTTP2_FLAG_END_STREAM) ||
           h2_charge(c, H2_COST_EMPTY, H2_FLOOD_EMPTY);
}

/* Charge the frame whose head is h.  Here, ahead of nghttp2, because that tells
 * nobody of unknown frames or of what comes on closed streams; RST_STREAM is
 * charged when it is known what it ends. */
static bool h2_charge_frame(struct h2_conn *c, const uint8_t *h)
{
    uint32_t n = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
    uint8_t type = h[3], flags = h[4];
    int32_t id = (h[5] & 0x7f) << 24 | h[6] << 16 | h[7] << 8 | h[8];
    switch (type) {
    case NGHTTP2_DATA:
        return h2_charge_data(c, n, flags, id);
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        c->scan.block = !(flags & NGHTTP2_FLAG_END_HEADERS);
        return type == NGHTTP2_HEADERS ||
               h2_charge(c, H2_COST_CONTINUE, H2_FLOOD_CONTINUATION);
    case NGHTTP2_PRIORITY:
        return h2_charge(c, H2_COST_PRIORITY, H2_FLOOD_PRIORITY);
    case NGHTTP2_RST_STREAM:
        *h2_closed(c, id) = id;
        return true;
    case NGHTTP2_GOAWAY:
        return true;
    case NGHTTP2_SETTINGS:
        return h2_charge(c, H2_COST_SETTINGS, H2_FLOOD_SETTINGS);
    case NGHTTP2_PING:
        return flags & NGHTTP2_FLAG_ACK
             ? h2_charge(c, H2_COST_PING, H2_FLOOD_PING) : h2_ping_ok(c);
    case NGHTTP2_WINDOW_UPDATE:
        if (c->updates) {
            c->updates--;
            return true;
        }
        return h2_charge(c, H2_COST_UPDATE, H2_FLOOD_UPDATE);
    default:
        return h2_charge(c, H2_COST_UNKNOWN, H2_FLOOD_UNKNOWN);
    }
}

/* Look at the frames in n bytes of input; false when c has had enough. */
static bool h2_scan(struct h2_conn *c, const uint8_t *p, size_t n)
{
    struct h2_scan *s = &c->scan;
    while (n) {
        if (s->left) {
            size_t k = n < s->left ? n : s->left;
            s->left -= (uint32_t)k;
            p += k;
            n -= k;
            continue;
        }
        size_t k = sizeof s->head - s->have;
        k = n < k ? n : k;
        memcpy(s->head + s->have, p, k);
        s->have += (uint8_t)k;
        p += k;
        n -= k;
        if (s->have < sizeof s->head)
            return true;
        s->have = 0;
        s->left = (uint32_t)s->head[0] << 16 | (uint32_t)s->head[1] << 8 |
                  s->head[2];
        if (!h2_charge_frame(c, s->head))
            return false;
    }
    return true;
}

/* True while a frame or a header block of c has begun and not ended. */
static bool h2_midway(const struct h2_conn *c)
{
    return c->scan.have || c->scan.left || c->scan.block;
}

/* Tell a peer that floods why c ends, and end it. */
static void h2_calm_down(struct h2_conn *c)
{
    const char *why = h2_end_name[c->flood];
    if (c->end)
        return;
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(c->session),
        NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, strlen(why));
    h2_send(c);
    if (!c->end)
        c->end = c->flood;
}

/* ---- input ---- */

/* nghttp2 gave up with code r: say so to the peer, as far as that works. */
static void h2_fatal(struct h2_conn *c, ssize_t r)
{
    bool flood = r == NGHTTP2_ERR_FLOODED;
    if (r != NGHTTP2_ERR_NOMEM &&
        !nghttp2_session_terminate_session(c->session, flood ?
            NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR))
        h2_send(c);
    if (!c->end)
        c->end = H2_END_PROTOCOL;
}

/* Give n bytes from the peer to nghttp2. */
static void h2_feed(struct h2_conn *c, const uint8_t *p, size_t n)
{
    if (c->kit->server && !h2_scan(c, p, n)) {
        h2_calm_down(c);
        return;
    }
    if (!h2_midway(c))
        c->scan.whole_ns = c->loop->now_ns;
    c->busy = true;
    ssize_t r = nghttp2_session_mem_recv(c->session, p, n);
    if (r < 0 && !c->flood)
        h2_fatal(c, r);
    else if (c->kit->server && c->fed)
        (void)nghttp2_session_consume_connection(c->session, c->fed);
    c->fed = 0;
    c->busy = false;
    if (c->flood)
        h2_calm_down(c);
}

/* Make c's session and submit its SETTINGS. */
static int h2_start(struct h2_conn *c)
{
    const struct h2_kit *k = c->kit;
    nghttp2_settings_entry e[3] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)k->stream_window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, k->headers_bytes },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };
    if (k->server)
        e[2] = (nghttp2_settings_entry){
            NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
            k->streams + H2_STREAMS_REFUSED };
    c->budget = (struct h2_bucket){ H2_BUDGET, c->loop->now_ns };
    c->resets = (struct h2_bucket){ H2_RESET_BURST, c->loop->now_ns };
    nghttp2_mem mem = { &c->loop->pool, mem_pool_get, mem_pool_put,
                        mem_pool_zero, mem_pool_grow };
    int r = k->server ? nghttp2_session_server_new3(&c->session, k->callbacks,
                                                    c, k->option, &mem)
                      : nghttp2_session_client_new3(&c->session, k->callbacks,
                                                    c, k->option, &mem);
    if (r || nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, e, 3) ||
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                              k->conn_window)) {
        c->error = ENOMEM;
        c->end = H2_END_IO;
        return GP_ENOMEM;
    }
    c->state = H2_OPEN;
    return GP_OK;
}

/* The first line is not HTTP/2's: n more bytes of it.  Once it is whole, a
 * person with curl or a browser is told so; anything else is closed. */
static void h2_line(struct h2_conn *c, const uint8_t *p, size_t n)
{
    struct buf *line = &c->rest;
    mem_put(line, p, n);
    bool text = !line->err && line->len && line->data[0] >= 'A' &&
                line->data[0] <= 'Z';
    bool whole = text && memchr(line->data, '\n', line->len);
    if (text && !whole && line->len < H2_LINE_BYTES)
        return;
    bool http = whole && memmem(line->data, line->len, " HTTP/1.", 8);
    mem_fini(line);
    c->end = H2_END_PROTOCOL;
    if (http && c->kit->http1)          /* short: fits any socket buffer */
        (void)h2_write(c, (const uint8_t *)c->kit->http1,
                       strlen(c->kit->http1));
}

/* n bytes from a client that has not yet sent the whole preface. */
static void h2_greet(struct h2_conn *c, const uint8_t *p, size_t n)
{
    while (n && c->matched < H2_PREFACE_BYTES &&
           *p == (uint8_t)h2_preface[c->matched]) {
        c->matched++;
        p++;
        n--;
    }
    if (c->matched == H2_PREFACE_BYTES) {
        if (h2_start(c))
            return;
        ssize_t r = nghttp2_session_mem_recv(c->session,
                        (const uint8_t *)h2_preface, H2_PREFACE_BYTES);
        if (r < 0)
            h2_fatal(c, r);
        else if (n)
            h2_feed(c, p, n);
    } else if (n) {
        mem_put(&c->rest, h2_preface, c->matched);
        c->state = H2_LINE;
        h2_line(c, p, n);
    }
}

/* One recv(), never a second to see that nothing is left.  epoll tells of what
 * comes after it; where something may be left, and of an end that it has told
 * of, it is asked to tell again, behind the other connections. */
static void h2_receive(struct h2_conn *c, uint32_t events)
{
    uint8_t *in = c->loop->in;
    ssize_t n = recv(c->io.fd, in, NET_IO_BYTES, 0);
    if (n == NET_IO_BYTES || (n < 0 && errno == EINTR) ||
        (n > 0 && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))))
        net_io_again(c->loop, &c->io);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        c->error = n < 0 ? errno : 0;
        c->end = n < 0 ? H2_END_IO : H2_END_EOF;
        return;
    }
    net_add(&c->loop->bytes_in, (size_t)n);
    c->heard_ns = net_now(c->loop);
    if (c->state == H2_OPEN)
        h2_feed(c, in, (size_t)n);
    else if (c->state == H2_PREFACE)
        h2_greet(c, in, (size_t)n);
    else if (c->state == H2_LINE)
        h2_line(c, in, (size_t)n);
}

/* The socket of a client is connected, or is not going to be. */
static void h2_connected(struct h2_conn *c)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &n))
        error = errno;
    if (error) {
        c->error = error;
        c->end = H2_END_IO;
        return;
    }
    net_io_want(c->loop, &c->io, H2_READ);
    (void)h2_start(c);
}

/* The socket is ready. */
static void h2_on_event(struct net_io *io, uint32_t events)
{
    struct h2_conn *c = io->arg;
    if (c->state == H2_CONNECTING) {
        h2_connected(c);
    } else {
        if ((events & EPOLLOUT) && c->rest.len)
            (void)h2_write_rest(c);
        if (!c->end && (events & EPOLLIN))
            h2_receive(c, events);
        else if (!c->end && (events & (EPOLLERR | EPOLLHUP)))
            c->end = H2_END_EOF;
    }
    if (c->kit->up->on_fed && c->session && !c->end)
        c->kit->up->on_fed(c);
    else
        h2_turn(c);
}

/* ---- nghttp2's callbacks ---- */

/* A frame's nine bytes were read.  HEADERS on a stream that nghttp2 has
 * forgotten, or never knew, it takes for late and ignores; they are an error of
 * the connection after the peer's own end of the stream ([H2] 5.1), and on a
 * number that was passed over (5.1.1). */
static int h2_on_begin_frame(nghttp2_session *s, const nghttp2_frame_hd *hd,
                             void *arg)
{
    struct h2_conn *c = arg;
    int32_t id = hd->stream_id;
    uint32_t error = 0;
    if (hd->type != NGHTTP2_HEADERS || !c->kit->server)
        return 0;
    if (id > c->top_id)
        c->top_id = id;
    else if (*h2_closed(c, id) == id)
        error = NGHTTP2_STREAM_CLOSED;
    else if (*h2_closed(c, id) != -id && !nghttp2_session_find_stream(s, id))
        error = NGHTTP2_PROTOCOL_ERROR;
    return error && nghttp2_session_terminate_session(s, error) ?
           NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* What stands for stream id above, or NULL.  Frames of a stream come in rows:
 * the last one found is found again for nothing. */
static void *h2_stream(struct h2_conn *c, int32_t id)
{
    if (c->stream_id != id) {
        c->stream = nghttp2_session_get_stream_user_data(c->session, id);
        c->stream_id = id;
    }
    return c->stream;
}

/* Let stream stand for stream id, or NULL: no callback comes for it any more.
 * Nothing where there is no such stream. */
static void h2_stream_set(struct h2_conn *c, int32_t id, void *stream)
{
    bool set = c->session &&
               !nghttp2_session_set_stream_user_data(c->session, id, stream);
    c->stream = stream;
    c->stream_id = set ? id : 0;
}

/* A header block begins. */
static int h2_on_begin_headers(nghttp2_session *s, const nghttp2_frame *f,
                               void *arg)
{
    struct h2_conn *c = arg;
    c->headers_bytes = 0;
    if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    void *stream = c->kit->up->on_open(c, f->hd.stream_id);
    if (!stream)
        return nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id,
                   NGHTTP2_REFUSED_STREAM) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    h2_stream_set(c, f->hd.stream_id, stream);
    return 0;
}

/* A header.  nghttp2 advertises the limit of a list but does not count
 * ([H2] 6.5.2: name + value + 32 each). */
static int h2_on_header(nghttp2_session *s, const nghttp2_frame *f,
                        const uint8_t *name, size_t nlen, const uint8_t *value,
                        size_t vlen, uint8_t flags, void *arg)
{
    struct h2_conn *c = arg;
    uint32_t most = c->kit->headers_bytes;
    size_t n = nlen + vlen + 32;
    (void)s;
    (void)flags;
    if (n > most * (uint64_t)H2_HARD_HEADERS - c->headers_bytes)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    c->headers_bytes += (uint32_t)n;
    if (c->headers_bytes > most)
        return 0;
    void *stream = h2_stream(c, f->hd.stream_id);
    if (stream)
        c->kit->up->on_header(c, stream,
                              (struct slice){ (const char *)name, nlen },
                              (struct slice){ (const char *)value, vlen });
    return 0;
}

/* Bytes of a body.  The connection's window is given back once they are read,
 * so that no stream holds up another; a server's stream gives its own back by
 * h2_consume; for a client nghttp2 does both. */
static int h2_on_data(nghttp2_session *s, uint8_t flags, int32_t id,
                      const uint8_t *p, size_t n, void *arg)
{
    struct h2_conn *c = arg;
    void *stream = h2_stream(c, id);
    bool last = flags & NGHTTP2_FLAG_END_STREAM;
    c->fed += n;
    if (stream)
        c->kit->up->on_data(c, stream, p, n, last);
    else if (c->kit->server && !last)
        (void)nghttp2_session_consume_stream(s, id, n);
    return 0;
}

/* The peer's SETTINGS, or its acknowledgement of ours. */
static void h2_on_settings(struct h2_conn *c, bool ack)
{
    c->got_settings |= !ack;
    c->got_ack |= ack;
    if (!ack)
        c->kit->up->on_ready(c);
    if (c->got_settings && (c->got_ack || !c->kit->server) && !c->ready) {
        c->ready = true;
        if (!c->leaving)
            net_timer_stop(c->loop, &c->timer);
    }
}

/* The last word of a graceful shutdown: streams up to the last one seen are
 * served, later ones were not. */
static void h2_goaway(struct h2_conn *c)
{
    const char *why = c->leave ? h2_end_name[c->leave] : "";
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR,
        (const uint8_t *)why, strlen(why));
}

/* HEADERS or DATA came in whole. */
static void h2_on_message_frame(struct h2_conn *c, const nghttp2_frame *f)
{
    nghttp2_session *s = c->session;
    int32_t id = f->hd.stream_id;
    void *stream = h2_stream(c, id);
    if (!stream)
        return;
    if (f->hd.type == NGHTTP2_HEADERS)
        c->kit->up->on_headers(c, stream,
                               c->headers_bytes > c->kit->headers_bytes);
    if (!(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return;
    c->kit->up->on_end(c, stream);
    /* An answer before the end of the request: the rest is not wanted. */
    if (!c->kit->server && nghttp2_session_get_stream_local_close(s, id) == 0)
        (void)nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, id,
                                        NGHTTP2_NO_ERROR);
}

/* Charge an RST_STREAM.  One of a call that has begun to be answered is free;
 * one that a deadline may have caused has a bucket of its own. */
static bool h2_charge_reset(struct h2_conn *c, int32_t id)
{
    void *stream = h2_stream(c, id);
    enum h2_excuse excuse = stream ? c->kit->up->on_excuse(c, stream)
                          : c->ended ? H2_FREE : H2_NO_EXCUSE;
    c->ended -= !stream && c->ended;
    if (excuse == H2_FREE)
        return true;
    if (excuse == H2_NO_EXCUSE)
        return h2_charge(c, H2_COST_RESET, H2_FLOOD_RESET);
    if (!c->flood && !h2_bucket_take(&c->resets, c->loop->now_ns, 1,
                                     H2_RESET_BURST, H2_RESETS_A_SEC))
        c->flood = H2_FLOOD_RESET;
    return !c->flood;
}

/* A frame came in whole. */
static int h2_on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct h2_conn *c = arg;
    (void)s;
    switch (f->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        h2_on_message_frame(c, f);
        break;
    case NGHTTP2_RST_STREAM:
        c->reset_id = f->hd.stream_id;  /* on_stream_close is next */
        if (c->kit->server && f->rst_stream.error_code != NGHTTP2_NO_ERROR &&
            !h2_charge_reset(c, f->hd.stream_id))
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        break;
    case NGHTTP2_SETTINGS:
        h2_on_settings(c, f->hd.flags & NGHTTP2_FLAG_ACK);
        break;
    case NGHTTP2_PING:
        if ((f->hd.flags & NGHTTP2_FLAG_ACK) && c->leaving) {
            net_timer_stop(c->loop, &c->timer);
            h2_goaway(c);
        }
        break;
    case NGHTTP2_GOAWAY:
        c->goaway_code = f->goaway.error_code;
        if (!c->goaway) {               /* a graceful end sends two */
            c->goaway = true;
            c->kit->up->on_goaway(c);
        }
        break;
    default:
        break;
    }
    return 0;
}

/* A frame went out.  A server that has ended a response before the request's
 * end asks for no more of it ([H2] 8.1), after its last frame. */
static int h2_on_sent(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct h2_conn *c = arg;
    if (f->hd.type == NGHTTP2_GOAWAY && !c->failed)
        c->failed = f->goaway.error_code == NGHTTP2_NO_ERROR ? H2_ALIVE
                  : f->goaway.error_code == NGHTTP2_SETTINGS_TIMEOUT
                  ? H2_END_TIMEOUT : H2_END_PROTOCOL;
    if (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) {
        c->said = true;
        c->updates += H2_UPDATES_A_DATA;
        c->ended += (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    } else if (f->hd.type == NGHTTP2_RST_STREAM &&
               f->rst_stream.error_code != NGHTTP2_NO_ERROR &&
               f->rst_stream.error_code != NGHTTP2_CANCEL) {
        (void)h2_charge(c, H2_COST_RESET, H2_FLOOD_ERROR);
    }
    if (c->kit->server && (f->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
        nghttp2_session_get_stream_remote_close(s, f->hd.stream_id) == 0)
        (void)nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
    return 0;
}

/* A stream is over.  Always 0: an error here leaks in nghttp2 before 1.56
 * (CVE-2023-35945). */
static int h2_on_close(nghttp2_session *s, int32_t id, uint32_t code,
                       void *arg)
{
    struct h2_conn *c = arg;
    void *stream = h2_stream(c, id);
    bool by_peer = c->reset_id == id;
    c->stream_id = 0;
    if (c->kit->server)
        *h2_closed(c, id) = by_peer ||
            nghttp2_session_get_stream_remote_close(s, id) == 1 ? id : -id;
    if (stream)
        c->kit->up->on_close(c, stream, code, by_peer);
    return 0;
}

/* ---- opening and closing ---- */

/* A timer of c ran out: the stall, or what c's state is waiting for. */
static void h2_on_time(struct net_timer *t)
{
    struct h2_conn *c = t->arg;
    if (t == &c->timer && c->state == H2_OPEN && c->leaving)
        h2_goaway(c);
    else if (t == &c->timer && c->state == H2_OPEN && c->kit->server)
        (void)nghttp2_session_terminate_session(c->session,
                                                NGHTTP2_SETTINGS_TIMEOUT);
    else
        c->end = H2_END_TIMEOUT;
    h2_turn(c);
}

/* Take over the socket fd in state; GP_ENOMEM or GP_EIO close it, and c is as
 * if it never was. */
static int h2_open(struct h2_conn *c, const struct h2_kit *kit,
                   struct net_loop *loop, int fd, enum h2_state state,
                   int64_t timeout_ns)
{
    *c = (struct h2_conn){
        .io = { .fd = fd, .on_event = h2_on_event, .arg = c,
                .events = state == H2_CONNECTING ? EPOLLOUT : H2_READ },
        .loop = loop, .kit = kit, .state = state,
        .timer = { .on_time = h2_on_time, .arg = c },
        .stall = { .on_time = h2_on_time, .arg = c },
    };
    int e = net_timer_arm(loop, &c->timer, loop->now_ns + timeout_ns);
    if (!e && (e = net_io_add(loop, &c->io)))
        net_timer_stop(loop, &c->timer);
    if (e) {
        close(fd);
        c->io.fd = -1;
        c->state = H2_GONE;
    }
    return e;
}

/* Serve the accepted socket fd, which c then owns.  On an error it is closed
 * and on_gone is not called. */
static int h2_accept(struct h2_conn *c, const struct h2_kit *kit,
                     struct net_loop *loop, int fd)
{
    return h2_open(c, kit, loop, fd, H2_PREFACE, H2_HELLO_NS);
}

/* Connect to addr; on_ready, or on_lost, follows within timeout_ns.  On an
 * error c->error has errno, and on_gone is not called. */
static int h2_connect(struct h2_conn *c, const struct h2_kit *kit,
                      struct net_loop *loop, const struct net_addr *addr,
                      int64_t timeout_ns)
{
    int fd = net_connect(addr);
    int error = fd < 0 ? errno : ENOMEM;
    int e = fd < 0 ? GP_EIO
                   : h2_open(c, kit, loop, fd, H2_CONNECTING, timeout_ns);
    if (e) {
        *c = (struct h2_conn){ .io.fd = -1, .kit = kit, .loop = loop,
                               .state = H2_GONE, .error = error };
    }
    return e;
}

/* Begin to end a server's connection for a reason that the peer is told, or
 * H2_ALIVE: GOAWAY that still lets requests in, and a PING; when its answer is
 * here every request that had left the client has arrived, and the final GOAWAY
 * names the last.  c may be gone afterwards. */
static void h2_shutdown(struct h2_conn *c, enum h2_end reason)
{
    if (c->leaving || c->state >= H2_LINGER)
        return;
    c->leaving = true;
    c->leave = reason;
    if (c->state != H2_OPEN || net_timer_arm(c->loop, &c->timer,
                                   c->loop->now_ns + H2_NOTICE_NS) ||
        nghttp2_submit_shutdown_notice(c->session) ||
        nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL))
        c->end = H2_END_DONE;
    h2_kick(c);
}

/* Begin a request whose header list is nv and whose body is body; its id, or
 * a negative gp_err: GP_ESTATE when the connection takes no more.  All three
 * pointers are borrowed until on_close for stream, or h2_cancel. */
static int32_t h2_request(struct h2_conn *c, const nghttp2_nv *nv, size_t n,
                          struct h2_body *body, void *stream)
{
    nghttp2_data_provider d = { .source.ptr = body,
                                .read_callback = h2_on_read };
    int32_t id = nghttp2_submit_request(c->session, NULL, nv, n, &d, stream);
    return id > 0 ? id : id == NGHTTP2_ERR_NOMEM ? GP_ENOMEM : GP_ESTATE;
}

/* Answer stream id with the header list nv and body, or without one when body
 * is NULL: END_STREAM is then on the headers. */
static int h2_respond(struct h2_conn *c, int32_t id, const nghttp2_nv *nv,
                      size_t n, struct h2_body *body)
{
    nghttp2_data_provider d = { .source.ptr = body,
                                .read_callback = h2_on_read };
    return nghttp2_submit_response(c->session, id, nv, n, body ? &d : NULL) ?
           GP_ENOMEM : GP_OK;
}

/* Forget stream id: RST_STREAM with code goes out, no callback comes any
 * more.  Ahead of the stream's DATA, so that its body is not read again. */
static void h2_cancel(struct h2_conn *c, int32_t id, uint32_t code)
{
    h2_stream_set(c, id, NULL);
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, code);
}

/* Give n bytes of stream id's window back: its owner has taken them. */
static void h2_consume(struct h2_conn *c, int32_t id, size_t n)
{
    if (c->session)
        (void)nghttp2_session_consume_stream(c->session, id, n);
}

/* The body b of stream id has bytes, or its end, that nghttp2 was told would
 * come. */
static void h2_resume(struct h2_conn *c, int32_t id, struct h2_body *b)
{
    if (b->waits)
        (void)nghttp2_session_resume_data(c->session, id);
    b->waits = false;
}

/* End stream id with code, and hear of its close. */
static void h2_reset(struct h2_conn *c, int32_t id, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, code);
}

/* Streams that the peer allows at once. */
static uint32_t h2_peer_streams(const struct h2_conn *c)
{
    return nghttp2_session_get_remote_settings(c->session,
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* Release k, after the last connection that uses it; a zero k is fine. */
static void h2_kit_fini(struct h2_kit *k)
{
    nghttp2_session_callbacks_del(k->callbacks);
    nghttp2_option_del(k->option);
    k->callbacks = NULL;
    k->option = NULL;
}

/* nghttp2's options for k. */
static void h2_kit_options(const struct h2_kit *k)
{
#ifdef HAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
    /* Twice ours: nghttp2 would say INTERNAL_ERROR, and not why. */
    nghttp2_option_set_stream_reset_rate_limit(k->option, 2 * H2_RESET_BURST,
                                               2 * H2_RESETS_A_SEC);
#endif
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
    /* As many as the hard limit can fill (CVE-2024-28182), and a few. */
    nghttp2_option_set_max_continuations(k->option,
        (size_t)k->headers_bytes * H2_HARD_HEADERS / 16384 + 4);
#endif
#ifdef HAVE_NGHTTP2_OPTION_SET_GLITCH_RATE_LIMIT
    nghttp2_option_set_glitch_rate_limit(k->option, H2_GLITCH_BURST,
                                         H2_GLITCHES_A_SEC);
#endif
    nghttp2_option_set_no_auto_window_update(k->option, k->server);
    nghttp2_option_set_no_closed_streams(k->option, k->server);
}

/* Make k ready from its other fields, which the caller has set. */
static int h2_kit_init(struct h2_kit *k)
{
    k->callbacks = NULL;
    k->option = NULL;
    if (nghttp2_session_callbacks_new(&k->callbacks) ||
        nghttp2_option_new(&k->option)) {
        h2_kit_fini(k);
        return GP_ENOMEM;
    }
    nghttp2_session_callbacks *cb = k->callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb,
                                                          h2_on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb,
                                                          h2_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, h2_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, h2_on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_on_close);
    h2_kit_options(k);
    return GP_OK;
}

/* ================================== 19 JOB ==================================
 * for     work that any loop of a pool may do, and its way back
 * uses    MEM, NET
 * owns    nothing: jobs belong to whoever shares them
 * spec    none
 * prefix  job_
 * runs    any thread
 *
 * A loop shares work only while another one sleeps and the work that waits is
 * worth waking it; so a pool costs nothing where it has nothing to give.  Who
 * did a job hands it back to its own loop.
 *
 * Invariant  a job is in one list at most: the pool's, somebody's hands, or an
 *            inbox.
 */

struct job {
    struct link link;                   /* in the pool's queue */
    struct job *next;                   /* in an inbox */
};

struct job_pool {
    pthread_mutex_t lock;               /* guards queue */
    struct link     queue;              /* shared jobs, the oldest first */
    _Atomic unsigned waiting;           /* how many; read without the lock */
    atomic_uint     idle;               /* loops that sleep */
};

struct job_inbox {
    _Atomic(struct job *) last;         /* handed back, the newest first */
};

/* Make p ready. */
static void job_pool_init(struct job_pool *p)
{
    pthread_mutex_init(&p->lock, NULL);
    mem_link_init(&p->queue);
    atomic_init(&p->waiting, 0);
    atomic_init(&p->idle, 0);
}

/* Share the n jobs of the list, which is empty afterwards. */
static void job_share(struct job_pool *p, struct link *list, unsigned n)
{
    pthread_mutex_lock(&p->lock);
    while (!mem_link_alone(list)) {
        struct link *k = list->next;
        mem_link_drop(k);
        mem_link_append(&p->queue, k);
    }
    atomic_fetch_add(&p->waiting, n);
    pthread_mutex_unlock(&p->lock);
}

/* The oldest shared job, now the caller's, or NULL. */
static struct job *job_take(struct job_pool *p)
{
    struct link *k = NULL;
    if (!atomic_load(&p->waiting))
        return NULL;
    pthread_mutex_lock(&p->lock);
    if (!mem_link_alone(&p->queue)) {
        k = p->queue.next;
        mem_link_drop(k);
        atomic_fetch_sub(&p->waiting, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return k ? MEM_OF(k, struct job, link) : NULL;
}

/* Hand j back to the loop l, whose inbox this is, and wake it. */
static void job_return(struct job_inbox *in, struct job *j, struct net_loop *l)
{
    j->next = atomic_load(&in->last);
    while (!atomic_compare_exchange_weak(&in->last, &j->next, j))
        ;
    atomic_store(&l->pending, true);
    net_loop_wake(l);
}

/* All jobs handed back, linked by next, the oldest first; NULL: none. */
static struct job *job_collect(struct job_inbox *in)
{
    struct job *j = atomic_load(&in->last) ? atomic_exchange(&in->last, NULL)
                                           : NULL;
    struct job *first = NULL;
    while (j) {
        struct job *next = j->next;
        j->next = first;
        first = j;
        j = next;
    }
    return first;
}

/* ================================== 20 RPC ==================================
 * for     gRPC on HTTP/2, both ends: framing, status, deadlines, gzip; the
 *         server's loops and methods; a client's calls
 * uses    MEM, TXT, SYS, GZ, SMP, NET, H2, JOB
 * owns    struct gp_server with its threads and sockets; a call from its
 *         HEADERS until its stream closes
 * spec    [GRPC] grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md,
 *         http-grpc-status-mapping.md, compression.md
 * prefix  rpc_
 * runs    a connection and its calls on their loop's thread; rpc_server_* on
 *         any one thread that is not a loop's
 *
 *   message  flag(1) length(4, big endian) bytes
 *            00 00 00 00 03 0a 01 41    not compressed, 3 bytes: field 1 "A"
 *
 * Invariant  a call is answered exactly once, whatever the client sends and
 *            the handler does; what a call allocates goes with it.  A message
 *            longer than the limit is refused when its length has been read.
 * Does not   look into messages.
 *
 * Where the documents disagree: two messages or none on a unary method are
 * INTERNAL, as grpc-go and Java answer (statuscodes.md says UNIMPLEMENTED); an
 * unknown grpc-encoding is an error only for a message that uses it.
 */

/* ---- both ends: framing, status, timeouts ---- */

struct rpc_frame {                      /* messages cut out of DATA */
    uint8_t  prefix[5];                 /* flag and length, as they came */
    uint8_t  have;                      /* bytes of prefix */
    uint32_t left;                      /* bytes of the message to come */
    uint32_t size;                      /* bytes of the message */
    uint32_t count;                     /* messages complete */
};

enum rpc_step {
    RPC_MORE,                           /* the input is used up */
    RPC_PREFIX,                         /* size and prefix[0] are known */
    RPC_BYTES,                          /* some bytes of the message */
    RPC_WHOLE,                          /* the message is complete */
};

/* Take the next step through *in, which moves.  After RPC_BYTES *part has the
 * bytes, borrowed from in. */
static enum rpc_step rpc_frame_next(struct rpc_frame *f, struct slice *in,
                                    struct slice *part)
{
    if (f->have < sizeof f->prefix) {
        while (in->n && f->have < sizeof f->prefix) {
            f->prefix[f->have++] = (uint8_t)*in->p++;
            in->n--;
        }
        if (f->have < sizeof f->prefix)
            return RPC_MORE;
        f->size = (uint32_t)f->prefix[1] << 24 | (uint32_t)f->prefix[2] << 16 |
                  (uint32_t)f->prefix[3] << 8 | f->prefix[4];
        f->left = f->size;
        return RPC_PREFIX;
    }
    if (f->left == 0) {
        f->have = 0;
        f->count++;
        return RPC_WHOLE;
    }
    size_t n = in->n < f->left ? in->n : f->left;
    if (n == 0)
        return RPC_MORE;
    *part = (struct slice){ in->p, n };
    in->p += n;
    in->n -= n;
    f->left -= (uint32_t)n;
    return RPC_BYTES;
}

/* True when the bytes so far end inside a message. */
static bool rpc_frame_cut(const struct rpc_frame *f)
{
    return f->have > 0;
}

/* Write the five bytes before an uncompressed message of n bytes. */
static void rpc_frame_prefix(uint8_t *p, size_t n)
{
    p[0] = 0;
    p[1] = (uint8_t)(n >> 24);
    p[2] = (uint8_t)(n >> 16);
    p[3] = (uint8_t)(n >> 8);
    p[4] = (uint8_t)n;
}

/* grpc-timeout in ns: 1 to 8 digits and a unit; what does not fit becomes the
 * most that does. */
static int rpc_timeout(struct slice v, int64_t *ns)
{
    static const struct { char unit; int64_t ns; } unit[] = {
        { 'n', 1 }, { 'u', 1000 }, { 'm', 1000000 }, { 'S', 1000000000 },
        { 'M', 60000000000 }, { 'H', 3600000000000 },
    };
    int64_t x = 0, most = INT64_MAX / 2;        /* "now" can be added */
    if (v.n < 2 || v.n > 9)
        return GP_EFORMAT;
    for (size_t i = 0; i < v.n - 1; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return GP_EFORMAT;
        x = x * 10 + (v.p[i] - '0');
    }
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++)
        if (v.p[v.n - 1] == unit[i].unit) {
            *ns = x > most / unit[i].ns ? most : x * unit[i].ns;
            return GP_OK;
        }
    return GP_EFORMAT;
}

/* ns as grpc-timeout: the finest unit that holds it in 8 digits, rounded up;
 * text[12]. */
static void rpc_timeout_text(int64_t ns, char *text)
{
    static const struct { char unit; int64_t ns; } unit[] = {
        { 'n', 1 }, { 'u', 1000 }, { 'm', 1000000 }, { 'S', 1000000000 },
        { 'M', 60000000000 }, { 'H', 3600000000000 },
    };
    size_t i = 0;
    while (i < 5 && ns > 99999999 * unit[i].ns)
        i++;
    /* A coarser unit that is exact is shorter on the wire. */
    while (i < 3 && ns % unit[i + 1].ns == 0)
        i++;
    int64_t x = (ns - 1) / unit[i].ns + 1;
    snprintf(text, 12, "%d%c", (int)(x > 99999999 ? 99999999 : x),
             unit[i].unit);
}

/* Name of a grpc status, or "?"; static. */
static const char *rpc_status_name(int status)
{
    static const char *const name[] = {
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
        "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED",
    };
    return status >= 0 && status < 17 ? name[status] : "?";
}

/* True when a content-type is gRPC's: application/grpc, and then its end, '+'
 * or ';'.  *codec is what stands after '+', or empty; borrowed. */
static bool rpc_content_type(struct slice v, struct slice *codec)
{
    static const char want[] = "application/grpc";
    size_t n = sizeof want - 1;
    *codec = (struct slice){0};
    if (v.n < n || strncasecmp(v.p, want, n))
        return false;
    if (v.n == n || v.p[n] == ';')
        return true;
    if (v.p[n] != '+')
        return false;
    codec->p = v.p + n + 1;
    while (n + 1 + codec->n < v.n && codec->p[codec->n] != ';')
        codec->n++;
    return true;
}

/* ---- server: its parts ---- */

struct rpc_method {
    struct gp_method own;               /* path: owned by the server's arena */
    size_t   n;                         /* bytes of path */
    uint32_t index;                     /* place in the server's table */
    uint16_t label;                     /* of its samples */
    bool     single;                    /* one message in the request */
};

enum rpc_coding { RPC_IDENTITY, RPC_GZIP, RPC_UNKNOWN_CODING };

/* What a handler is to hear; rpc_call_job tells it in this order. */
enum rpc_event { RPC_START = 1, RPC_MESSAGE = 2, RPC_HALF = 4,
                 RPC_WRITABLE = 8, RPC_TIMER = 16, RPC_POKE = 32 };

struct rpc_meta {                       /* a header of the application */
    struct rpc_meta *next;              /* in the order of arrival */
    struct slice key, value;            /* in the call's arena */
    bool trailer;                       /* of an answer: goes behind it */
};

struct rpc_metas {
    struct rpc_meta *first, *last;
    size_t n, bytes;                    /* at most RPC_META_MOST; and
                                         * RPC_META_BYTES, 32 more for each */
};

struct gp_call {
    /* The loop's: only its thread looks at them. */
    struct job        job;              /* while away: in the pool or back */
    struct link       of_conn;          /* open calls of conn */
    struct link       of_ready;         /* conn's ready, or its partial */
    struct rpc_conn  *conn;             /* borrowed; NULL: the stream closed */
    struct rpc_loop  *loop;             /* borrowed: where it belongs */
    struct gp_call   *next;             /* in the loop's stock */
    int64_t           begun_ns;         /* monotonic; its HEADERS came */
    struct net_timer  timer;            /* of the deadline, while it is open */
    struct net_timer  wake;             /* of gp_call_after */
    struct rpc_frame  frame;
    size_t            whole;            /* bytes of in that are whole ones */
    size_t            held;             /* of the window, not given back yet */
    struct h2_body    body;             /* of the answer; points into out */
    int32_t           id;               /* of its stream */
    unsigned          events;           /* enum rpc_event: not told yet */
    enum rpc_coding   coding;           /* of compressed messages */
    bool              post, grpc, codec;        /* as the headers must be */
    bool              bad_timeout, bad_meta;
    bool              begun;            /* the headers are complete */
    bool              foreign;          /* not gRPC: told so at its end */
    bool              half;             /* the request is complete */
    bool              responded;        /* the answer's headers are submitted */
    bool              answered;         /* and so is its end */
    bool              waits;            /* it is in conn's ready */
    bool              away;             /* its job is the pool's */
    size_t            seen;             /* bytes waiting when last looked at */
    int64_t           seen_ns;          /* and since when it is so; 0: never */

    /* Set before the first job, then read only; or safe for all. */
    const struct rpc_method *method;    /* NULL: no such method */
    int64_t           deadline_ns;      /* monotonic; 0: none */
    struct rpc_metas  request;          /* its metadata */
    bool              takes_gzip;       /* grpc-accept-encoding has it */
    atomic_bool       cancelled;        /* nobody waits for it any more */

    /* The job's: of whichever thread runs it. */
    unsigned          telling;          /* enum rpc_event */
    size_t            taken_at;         /* bytes of taken already told */
    size_t            mark;             /* where the last one in made begins */
    size_t            unsent;           /* bytes of out when the job began */
    struct arena      arena;            /* for the handler and metadata */
    void             *state;            /* of gp_call_state; in arena */
    struct rpc_metas  answer;           /* metadata of the answer */
    int64_t           after_ns;         /* of gp_call_after; -1: not asked */
    enum gp_status    status;           /* when finished */
    bool              gzip;             /* messages are compressed */
    bool              gzipped;          /* the answer says so */
    bool              flagged;          /* the message told was compressed */
    bool              full;             /* the handler waits for on_writable */
    bool              finished;         /* no more is made */
    bool              told;             /* the handler knows of the call */

    /* Kept from call to call.  The loop's: */
    struct buf        in;               /* prefixes and messages as they came */
    struct buf        out;              /* prefixes and messages to be sent */
    struct buf        text;             /* grpc-message, encoded */
    /* The job's: */
    struct buf        taken;            /* prefixes and messages to be told */
    struct buf        plain;            /* a message, inflated */
    struct buf        made;             /* prefixes and messages to be sent */
    struct buf        message;          /* grpc-message, encoded */
};

/* Time that calls took, as a ladder: step i counts those of less than 2^i us,
 * the last all longer ones. */
enum { RPC_STEPS = 26 };

struct rpc_tally {                      /* a loop's calls of one method */
    _Atomic uint64_t begun;
    _Atomic uint64_t code[17];          /* ended, by grpc status */
    _Atomic uint64_t took[RPC_STEPS];   /* ended, by time */
    _Atomic uint64_t took_ns;           /* in all */
    _Atomic uint64_t timed;             /* jobs run here whose CPU time was
                                         * taken, and that */
    _Atomic uint64_t timed_cpu_ns;
    uint64_t         untimed;           /* long jobs run here; the loop's own */
    int64_t          job_ns;            /* what a job takes; a running mean, the
                                         * loop's own */
};

struct rpc_conn {
    struct h2_conn   h2;                /* first */
    struct rpc_loop *loop;              /* borrowed */
    struct link      of_loop;           /* the loop's connections */
    struct link      of_ready;          /* those with calls that wait */
    struct link      of_dirty;          /* those with something to send */
    struct link      calls;             /* open ones; owned */
    struct link      ready;             /* of them, those that wait for a run */
    struct link      partial;           /* those whose request is not whole and
                                         * whose deadline has no timer yet */
    size_t           buffered;          /* request bytes of open calls */
    size_t           pending;           /* bytes of answers not yet sent */
    uint32_t         ncalls;            /* in calls */
    uint32_t         turn;              /* calls run since its turn began */
    bool             held;              /* not in the loop's ready: blocked */
    struct net_timer tick;              /* always armed */
    int64_t          born_ns, idle_ns;  /* accepted; without a call since */
    int64_t          age_ns;            /* it may reach; 0: any */
    int64_t          pinged_ns;         /* our keepalive PING; 0: none */
};

struct rpc_loop {
    struct net_loop   net;
    struct gp_server *server;           /* borrowed */
    pthread_t         thread;
    struct link       conns;            /* owned, until on_gone */
    struct link       ready, dirty;     /* of them; see struct rpc_conn */
    unsigned          nready;           /* calls that wait for a run */
    size_t            held;             /* bytes buffered and pending, of all
                                         * its connections */
    int64_t           slice_ns;         /* handler time left in this turn */
    int64_t           slice_of_ns;      /* the turn: net.woke_ns */
    int64_t           flushed_ns;       /* slice_ns when all was last sent */
    const struct rpc_method *recent;    /* the one called last, or NULL */
    struct job_inbox  back;             /* calls that others ran */
    struct gp_call   *stock;            /* owned; linked by next */
    size_t            nstock;           /* at most RPC_POOL_CALLS */
    struct rpc_tally *tally;            /* owned; by method, then of none */
    _Atomic uint64_t  closed[H2_ENDS];  /* connections, by reason */
    _Atomic uint64_t  accepted;         /* connections */
    atomic_uint       nconns;           /* assigned and not gone */
    bool              running;          /* thread is to be joined */
    bool              draining;         /* new connections leave at once */
};

struct rpc_listener {
    struct net_io     io;               /* owns its descriptor */
    struct net_addr   addr;             /* bound */
    struct net_timer  pause;            /* armed while it does not accept */
    struct gp_server *server;           /* borrowed */
    struct rpc_listener *next;          /* owned */
};

struct rpc_kept {                       /* what a service keeps */
    struct rpc_kept *next;              /* in the server's arena */
    void  *arg;                         /* owned: freed with the server */
    void (*free)(void *arg);
    void (*on_drain)(void *arg);        /* the server leaves; or NULL */
};

struct gp_server {
    struct gp_server_config config;     /* with the defaults filled in */
    struct h2_kit     kit;
    struct arena      arena;            /* methods' paths and listeners */
    struct rpc_method *method;          /* owned */
    size_t            nmethod, method_cap;      /* methods */
    struct index      by_path;          /* path -> method */
    struct rpc_listener *listener;      /* in the arena */
    struct rpc_kept  *kept;             /* in the arena */
    struct rpc_loop  *loop;             /* owned, config.threads of them */
    struct job_pool   pool;             /* calls that any loop may run */
    _Atomic uint64_t  cut;              /* calls ended by the drain */
    atomic_uint       acks;             /* loops that have done their cutting */
    atomic_bool       started;
    bool              stuck;            /* a handler outlived the drain */
};

/* Pieces of answers, all constant. */
static const nghttp2_nv rpc_nv_200 = H2_NV(":status", "200");
static const nghttp2_nv rpc_nv_type = H2_NV("content-type",
                                            "application/grpc");
static const nghttp2_nv rpc_nv_accept = H2_NV("grpc-accept-encoding",
                                              "identity,gzip");
static const nghttp2_nv rpc_nv_gzip = H2_NV("grpc-encoding", "gzip");
static const nghttp2_nv rpc_nv_ok = H2_NV("grpc-status", "0");
static const nghttp2_nv rpc_nv_text = H2_NV("content-type", "text/plain");
static const nghttp2_nv rpc_nv_405 = H2_NV(":status", "405");
static const nghttp2_nv rpc_nv_allow = H2_NV("allow", "POST");
static const nghttp2_nv rpc_nv_415 = H2_NV(":status", "415");

#define RPC_HELP "This port speaks gRPC: HTTP/2 POST requests with content-" \
                 "type application/grpc.\nTry a gRPC client, such as " \
                 "grpcurl or grpcprof load.\n"

static const char rpc_help[] = RPC_HELP;

/* RFC 9110 15.5.22: a 426 names what to change to. */
static const char rpc_http1[] =
    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\n"
    "Connection: Upgrade, close\r\nContent-Type: text/plain\r\n\r\n" RPC_HELP;

/* ---- server: calls, from their begin to their end ---- */

/* A call for stream id of c, or NULL. */
static struct gp_call *rpc_call_open(struct rpc_conn *c, int32_t id)
{
    struct rpc_loop *l = c->loop;
    struct gp_call *k = l->stock;
    if (c->ncalls >= l->server->config.max_streams)
        return NULL;
    if (k) {
        l->stock = k->next;
        l->nstock--;
    } else if (!(k = mem_zalloc(sizeof *k))) {
        return NULL;
    }
    k->conn = c;
    k->loop = l;
    k->id = id;
    k->after_ns = -1;
    k->begun_ns = l->net.now_ns;
    mem_link_init(&k->job.link);
    mem_link_init(&k->of_ready);
    mem_link_init(&k->of_conn);
    mem_link_append(&c->calls, &k->of_conn);
    c->ncalls++;
    return k;
}

/* Empty b for the next call; a large one is not kept. */
static void rpc_buf_reset(struct buf *b)
{
    if (b->cap > RPC_KEEP_BYTES || b->err)
        mem_fini(b);
    b->len = 0;
}

/* Release k, which is in no list. */
static void rpc_call_free(struct gp_call *k)
{
    mem_fini(&k->in);
    mem_fini(&k->out);
    mem_fini(&k->text);
    mem_fini(&k->taken);
    mem_fini(&k->plain);
    mem_fini(&k->made);
    mem_fini(&k->message);
    mem_arena_fini(&k->arena);
    mem_free(k);
}

/* k is over, nobody has it: back to its loop's stock. */
static void rpc_call_stock(struct gp_call *k)
{
    struct rpc_loop *l = k->loop;
    if (l->nstock >= RPC_POOL_CALLS) {
        rpc_call_free(k);
        return;
    }
    rpc_buf_reset(&k->in);
    rpc_buf_reset(&k->out);
    rpc_buf_reset(&k->text);
    rpc_buf_reset(&k->taken);
    rpc_buf_reset(&k->plain);
    rpc_buf_reset(&k->made);
    rpc_buf_reset(&k->message);
    mem_arena_fini(&k->arena);
    memset(k, 0, offsetof(struct gp_call, in));
    k->next = l->stock;
    l->stock = k;
    l->nstock++;
}

/* Count that k has begun: its method is known, or that it has none. */
static void rpc_call_count(struct gp_call *k)
{
    const struct rpc_loop *l = k->loop;
    k->begun = true;
    net_add(&l->tally[k->method ? k->method->index
                                : l->server->nmethod].begun, 1);
}

/* The one moment at which k's end is submitted, or it is given up, with
 * status; false when that was before. */
static bool rpc_call_answer(struct gp_call *k, enum gp_status status)
{
    struct rpc_loop *l = k->loop;
    if (k->answered)
        return false;
    k->answered = true;
    net_timer_stop(&l->net, &k->timer);
    net_timer_stop(&l->net, &k->wake);
    struct rpc_tally *t = &l->tally[k->method ? k->method->index
                                              : l->server->nmethod];
    uint64_t ns = (uint64_t)(l->net.now_ns - k->begun_ns), us = ns / 1000;
    int step = us ? 64 - __builtin_clzll(us) : 0;
    net_add(&t->code[status], 1);
    net_add(&t->took[step < RPC_STEPS ? step : RPC_STEPS - 1], 1);
    net_add(&t->took_ns, ns);
    if (status == GP_STATUS_OK && k->conn)
        h2_refund(&k->conn->h2);
    return true;
}

/* The end of k, whose stream is closed and whose job is back: its handler
 * hears of it. */
static void rpc_call_over(struct gp_call *k)
{
    const struct rpc_method *m = k->method;
    if (k->told && m->own.on_done)
        m->own.on_done(k, k->finished ? k->status : GP_STATUS_CANCELLED,
                       m->own.service);
    rpc_call_stock(k);
}

/* Bytes that l's connections may keep together: its share of the server's. */
static size_t rpc_loop_may_hold(const struct rpc_loop *l)
{
    return l->server->config.max_buffered / l->server->config.threads;
}

/* Of c's bytes *what there are more and less than before. */
static void rpc_conn_hold(struct rpc_conn *c, size_t *what, size_t more,
                          size_t less)
{
    *what += more - less;
    c->loop->held += more - less;
}

/* k's stream is closed; what is away comes back later. */
static void rpc_call_close(struct gp_call *k)
{
    struct rpc_conn *c = k->conn;
    if (k->begun)
        (void)rpc_call_answer(k, GP_STATUS_CANCELLED);
    net_timer_stop(&k->loop->net, &k->timer);
    net_timer_stop(&k->loop->net, &k->wake);
    atomic_store_explicit(&k->cancelled, true, memory_order_relaxed);
    rpc_conn_hold(c, &c->buffered, 0, k->in.len);
    rpc_conn_hold(c, &c->pending, 0, k->body.n);
    mem_link_drop(&k->of_ready);
    k->loop->nready -= k->waits;
    k->waits = false;
    if (mem_link_alone(&c->ready))
        mem_link_drop(&c->of_ready);
    mem_link_drop(&k->of_conn);
    if (--c->ncalls == 0)
        c->idle_ns = k->loop->net.now_ns;
    k->conn = NULL;
    if (!k->away)
        rpc_call_over(k);
}

/* Watch k's deadline, from when it cannot be looked at before a run.  Most
 * calls never need it: they are answered in the turn that brings them. */
static void rpc_call_arm(struct gp_call *k)
{
    if (!k->deadline_ns || k->timer.at || k->answered)
        return;
    /* Without memory for it the deadline still holds before each run. */
    (void)net_timer_arm(&k->loop->net, &k->timer, k->deadline_ns);
}

/* Have k's handler hear events in one of the loop's next runs; while it is
 * away, when it is back. */
static void rpc_call_ready(struct gp_call *k, unsigned events)
{
    struct rpc_conn *c = k->conn;
    k->events |= events;
    if (k->away || k->waits)
        return;
    k->waits = true;
    mem_link_drop(&k->of_ready);        /* from conn's partial ones */
    mem_link_append(&c->ready, &k->of_ready);
    k->loop->nready++;
    if (c->held)
        rpc_call_arm(k);
    else if (mem_link_alone(&c->of_ready))
        mem_link_append(&c->loop->ready, &c->of_ready);
}

/* ---- server: answers ---- */

/* Append the metadata of k's answer, headers or trailers, to nv[*n], which has
 * room for RPC_META_MOST more. */
static void rpc_call_put_meta(const struct gp_call *k, bool trailer,
                              nghttp2_nv *nv, size_t *n)
{
    for (const struct rpc_meta *m = k->answer.first; m; m = m->next)
        if (m->trailer == trailer)
            nv[(*n)++] = (nghttp2_nv){
                (uint8_t *)(uintptr_t)m->key.p,
                (uint8_t *)(uintptr_t)m->value.p, m->key.n, m->value.n,
                NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
}

/* Append grpc-status, k->text as grpc-message, and the trailers' metadata. */
static void rpc_call_put_status(const struct gp_call *k, enum gp_status status,
                                nghttp2_nv *nv, size_t *n)
{
    static const char digits[17][3] = { "0", "1", "2", "3", "4", "5", "6", "7",
        "8", "9", "10", "11", "12", "13", "14", "15", "16" };
    nv[*n] = rpc_nv_ok;
    nv[*n].value = (uint8_t *)(uintptr_t)digits[status];
    nv[(*n)++].valuelen = strlen(digits[status]);
    if (k->text.len && !k->text.err) {
        nv[*n] = (nghttp2_nv)H2_NV("grpc-message", "");
        nv[*n].value = k->text.data;    /* lives until the stream closes */
        nv[(*n)++].valuelen = k->text.len;
    }
    if (status == GP_STATUS_UNIMPLEMENTED && k->coding == RPC_UNKNOWN_CODING)
        nv[(*n)++] = rpc_nv_accept;
    if (!k->away)
        rpc_call_put_meta(k, true, nv, n);
}

/* End k, whose headers went out, with status behind what is in out. */
static void rpc_call_trail(struct gp_call *k, enum gp_status status)
{
    nghttp2_nv nv[3 + RPC_META_MOST], *kept = NULL;
    size_t n = 0;
    k->body.more = false;
    k->body.trailer = &rpc_nv_ok;
    k->body.ntrailer = 1;
    rpc_call_put_status(k, status, nv, &n);
    if (n > 1 || status != GP_STATUS_OK) {
        /* The arena is the job's while it is away: then a reset is the status,
         * as [GRPC] has it for a server's own cancellation. */
        kept = k->away ? NULL : mem_arena_alloc(&k->arena, n * sizeof *nv);
        if (!kept) {
            h2_reset(&k->conn->h2, k->id, NGHTTP2_CANCEL);
            return;
        }
        memcpy(kept, nv, n * sizeof *nv);
        k->body.trailer = kept;
        k->body.ntrailer = n;
    }
    h2_resume(&k->conn->h2, k->id, &k->body);
}

/* End k with status, k->text its grpc-message: as trailers, or as the only
 * frame where nothing went out before ([GRPC] Trailers-Only). */
static void rpc_call_end(struct gp_call *k, enum gp_status status)
{
    nghttp2_nv nv[5 + RPC_META_MOST];   /* not zeroed: it is large */
    size_t n = 0;
    if (!rpc_call_answer(k, status))
        return;
    if (k->responded) {
        rpc_call_trail(k, status);
        return;
    }
    k->responded = true;
    nv[n++] = rpc_nv_200;
    nv[n++] = rpc_nv_type;
    rpc_call_put_status(k, status, nv, &n);
    if (h2_respond(&k->conn->h2, k->id, nv, n, NULL))
        h2_reset(&k->conn->h2, k->id, NGHTTP2_INTERNAL_ERROR);
}

/* End k from the loop's side, with a status other than OK and a text for
 * people; a job that is away is told that it is cancelled. */
static void rpc_call_refuse(struct gp_call *k, enum gp_status status,
                            const char *text)
{
    if (k->answered)
        return;
    atomic_store_explicit(&k->cancelled, true, memory_order_relaxed);
    k->text.len = 0;
    txt_put_percent(&k->text, txt_slice(text), RPC_TEXT_BYTES);
    rpc_call_end(k, status);
}

/* Answer k, which is not gRPC, in plain HTTP. */
static void rpc_call_http(struct gp_call *k)
{
    const nghttp2_nv no_post[3] = { rpc_nv_405, rpc_nv_text, rpc_nv_allow };
    const nghttp2_nv no_grpc[2] = { rpc_nv_415, rpc_nv_text };
    const nghttp2_nv *nv = k->post ? no_grpc : no_post;
    size_t n = k->post ? 2 : 3;
    if (!rpc_call_answer(k, GP_STATUS_INTERNAL))
        return;
    k->body = (struct h2_body){ .p = (const uint8_t *)rpc_help,
                                .n = sizeof rpc_help - 1 };
    rpc_conn_hold(k->conn, &k->conn->pending, k->body.n, 0);
    (void)h2_respond(&k->conn->h2, k->id, nv, n, &k->body);
}

/* Put what k's job made behind what its stream has yet to send. */
static void rpc_call_queue(struct gp_call *k)
{
    size_t before = k->body.n;
    if (k->body.n == 0) {
        struct buf empty = k->out;
        k->out = k->made;
        k->made = empty;
        k->body.p = k->out.data;
    } else {
        size_t at = k->out.len - k->body.n;
        if (at > k->out.len / 2) {      /* sent already: make room */
            memmove(k->out.data, k->out.data + at, k->body.n);
            k->out.len = k->body.n;
            at = 0;
        }
        mem_put(&k->out, k->made.data, k->made.len);
        k->body.p = k->out.data + at;
    }
    k->body.n = k->out.len - (size_t)(k->body.p - k->out.data);
    rpc_conn_hold(k->conn, &k->conn->pending, k->body.n, before);
    k->made.len = 0;
}

/* Submit the headers of k's answer, before its first message. */
static void rpc_call_respond(struct gp_call *k)
{
    nghttp2_nv nv[3 + RPC_META_MOST];   /* not zeroed: it is large */
    size_t n = 0;
    nv[n++] = rpc_nv_200;
    nv[n++] = rpc_nv_type;
    if (k->gzipped)
        nv[n++] = rpc_nv_gzip;
    rpc_call_put_meta(k, false, nv, &n);
    k->responded = true;
    if (h2_respond(&k->conn->h2, k->id, nv, n, &k->body))
        h2_reset(&k->conn->h2, k->id, NGHTTP2_INTERNAL_ERROR);
}

/* The deadline of a call came. */
static void rpc_call_on_time(struct net_timer *t)
{
    struct gp_call *k = t->arg;
    struct rpc_conn *c = k->conn;
    rpc_call_refuse(k, GP_STATUS_DEADLINE_EXCEEDED, k->half ?
                    "deadline exceeded" :
                    "deadline exceeded before the end of the request");
    h2_kick(&c->h2);
}

/* The time of gp_call_after came. */
static void rpc_call_on_wake(struct net_timer *t)
{
    rpc_call_ready(t->arg, RPC_TIMER);
}

/* k's job is done and here: submit what it made, and see what is next. */
static void rpc_call_settle(struct gp_call *k)
{
    struct rpc_loop *l = k->loop;
    bool unary = k->method->own.kind == GP_UNARY;
    if (k->answered)
        return;
    if (k->made.err || k->out.err) {
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (unary && !k->finished) {
        rpc_call_refuse(k, GP_STATUS_INTERNAL, "the method did not answer");
        return;
    }
    bool some = k->made.len > 0;
    if (some)
        rpc_call_queue(k);
    if (k->out.err) {
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    k->body.more = !k->finished;
    if (some && !k->responded && k->finished && k->status == GP_STATUS_OK &&
        !k->answer.n) {                 /* the unary case, in one go */
        k->body.trailer = &rpc_nv_ok;
        k->body.ntrailer = 1;
        (void)rpc_call_answer(k, GP_STATUS_OK);
        rpc_call_respond(k);
        return;
    }
    if (!k->responded && (some || (k->finished && k->answer.n)))
        rpc_call_respond(k);
    else if (some)
        h2_resume(&k->conn->h2, k->id, &k->body);
    if (k->finished) {
        struct buf empty = k->text;
        k->text = k->message;
        k->message = empty;
        rpc_call_end(k, k->status);
        return;
    }
    bool room = k->body.n < RPC_SEND_BYTES / 2;
    k->body.low = k->full && !room ? RPC_SEND_BYTES / 2 : 0;
    if (k->full && room)
        rpc_call_ready(k, RPC_WRITABLE);
    rpc_call_arm(k);
    if (k->after_ns >= 0 && net_timer_arm(&l->net, &k->wake, k->after_ns))
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    k->after_ns = -1;
    if (!k->full && (k->events || k->whole))
        rpc_call_ready(k, k->whole ? RPC_MESSAGE : 0);
}

/* ---- server: what a handler does; in its job, on any thread ---- */

/* The buffer to write k's next message into; its prefix is in it.  Borrowed
 * until rpc_message_end. */
static struct buf *rpc_message_begin(struct gp_call *k)
{
    k->mark = k->made.len;
    mem_put(&k->made, "\0\0\0\0", 5);
    return &k->made;
}

/* Compress the message that ends k->made. */
static void rpc_message_gzip(struct gp_call *k)
{
    size_t at = k->mark + 5;
    struct buf z = {0};
    if (gz_deflate(k->made.data + at, k->made.len - at, &z))
        z.err = GP_ENOMEM;
    k->made.len = at;
    mem_put(&k->made, z.data, z.len);
    k->made.err = k->made.err ? k->made.err : z.err;
    k->gzipped = true;
    mem_fini(&z);
}

/* The message in rpc_message_begin(k) is complete.  GP_ELIMIT: it will be
 * sent, but there is no room for another before on_writable. */
static int rpc_message_end(struct gp_call *k)
{
    if (k->finished) {                  /* nothing may follow the end */
        k->made.len = k->mark;
        return GP_ESTATE;
    }
    if (k->gzip && k->takes_gzip && !k->made.err)
        rpc_message_gzip(k);
    size_t n = k->made.len - k->mark - 5;
    if (n > UINT32_MAX)
        k->made.err = GP_ENOMEM;
    if (k->made.err)
        return k->made.err;
    rpc_frame_prefix(k->made.data + k->mark, n);
    k->made.data[k->mark] = k->gzip && k->takes_gzip;
    k->full = k->made.len + k->unsent >= RPC_SEND_BYTES;
    return k->full ? GP_ELIMIT : GP_OK;
}

/* End k with status and a text for people.  Nothing when it has ended. */
static void rpc_call_finish(struct gp_call *k, enum gp_status status,
                            const char *text)
{
    if (k->finished)
        return;
    k->finished = true;
    k->status = (unsigned)status > 16 ? GP_STATUS_UNKNOWN : status;
    k->message.len = 0;
    if (*text)
        txt_put_percent(&k->message, txt_slice(text), RPC_TEXT_BYTES);
}

/* End k with a status other than OK. */
static void rpc_call_fail(struct gp_call *k, enum gp_status status,
                          const char *text)
{
    rpc_call_finish(k, status == GP_STATUS_OK ? GP_STATUS_UNKNOWN : status,
                    text);
}

/* Send the message in rpc_message_begin(k) and end k with OK. */
static void rpc_call_send(struct gp_call *k)
{
    (void)rpc_message_end(k);
    rpc_call_finish(k, GP_STATUS_OK, "");
}

/* Send a message, which is copied; as rpc_message_end. */
static int rpc_call_write(struct gp_call *k, struct gp_slice message)
{
    mem_put(rpc_message_begin(k), message.data, message.len);
    return rpc_message_end(k);
}

/* n bytes that live as long as k, 16-byte aligned, or NULL. */
static void *rpc_call_alloc(struct gp_call *k, size_t n)
{
    return mem_arena_alloc(&k->arena, n);
}

/* A copy of s, with a zero behind it, that lives as long as k; or NULL. */
static const char *rpc_call_text(struct gp_call *k, struct slice s)
{
    return mem_arena_dup(&k->arena, s.p, s.n);
}

/* Compress the messages that follow, where the client takes gzip. */
static void rpc_call_compress(struct gp_call *k, bool on)
{
    k->gzip = on;
}

/* Whether the message being told came compressed. */
static bool rpc_call_compressed(const struct gp_call *k)
{
    return k->flagged;
}

/* Have on_timer called in ns. */
static void rpc_call_after(struct gp_call *k, int64_t ns)
{
    ns = ns < 0 ? 0 : ns < INT64_MAX / 4 ? ns : INT64_MAX / 4;
    k->after_ns = sys_now_ns() + ns;
}

/* n zeroed bytes, the same ones at each call for k; NULL without memory. */
static void *rpc_call_state(struct gp_call *k, size_t n)
{
    if (!k->state)
        k->state = mem_arena_alloc(&k->arena, n);
    return k->state;
}

/* What rpc_call_state gave before, or NULL. */
static void *rpc_call_kept(const struct gp_call *k)
{
    return k->state;
}

/* True once nobody waits for k any more. */
static bool rpc_call_cancelled(const struct gp_call *k)
{
    return atomic_load_explicit(&k->cancelled, memory_order_relaxed) ||
           (k->deadline_ns && sys_now_ns() >= k->deadline_ns);
}

/* Append key: value to the list t in k's arena.  GP_ELIMIT where it is full. */
static int rpc_meta_add(struct gp_call *k, struct rpc_metas *t,
                        struct slice key, struct slice value, bool trailer)
{
    size_t bytes = key.n + value.n + 32;
    if (t->n >= RPC_META_MOST || bytes > RPC_META_BYTES - t->bytes)
        return GP_ELIMIT;
    struct rpc_meta *m = mem_arena_alloc(&k->arena, sizeof *m);
    char *name = m ? mem_arena_dup(&k->arena, key.p, key.n) : NULL;
    char *text = name ? mem_arena_dup(&k->arena, value.p, value.n) : NULL;
    if (!text)
        return GP_ENOMEM;
    *m = (struct rpc_meta){ .key = { name, key.n }, .value = { text, value.n },
                            .trailer = trailer };
    *(t->last ? &t->last->next : &t->first) = m;
    t->last = m;
    t->n++;
    t->bytes += bytes;
    return GP_OK;
}

/* True when key may name metadata: [GRPC] Header-Name, and not reserved. */
static bool rpc_meta_name(struct slice key)
{
    for (size_t i = 0; i < key.n; i++)
        if (!key.p[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789_-.",
                                 key.p[i]))
            return false;
    return key.n && !txt_starts(key, "grpc-");
}

/* True when key names metadata in base64. */
static bool rpc_meta_binary(struct slice key)
{
    return key.n > 4 && !memcmp(key.p + key.n - 4, "-bin", 4);
}

/* Add metadata to k's answer; see gp_call_add. */
static int rpc_call_add(struct gp_call *k, const char *key,
                        struct gp_slice value, bool trailer)
{
    struct slice name = txt_slice(key), text = { value.data, value.len };
    struct buf b = {0};
    if (!rpc_meta_name(name))
        return GP_EUSAGE;
    if (rpc_meta_binary(name)) {
        txt_put_base64(&b, text);
        text = (struct slice){ (const char *)b.data, b.len };
    }
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return GP_EUSAGE;           /* b is empty then */
    int e = b.err ? b.err : rpc_meta_add(k, &k->answer, name, text, trailer);
    mem_fini(&b);
    return e;
}

/* Metadata of k's request; see gp_call_metadata. */
static struct gp_slice rpc_call_metadata(struct gp_call *k, const char *key,
                                         size_t nth)
{
    struct slice name = txt_slice(key);
    bool binary = rpc_meta_binary(name);
    for (const struct rpc_meta *m = k->request.first; m; m = m->next) {
        struct slice v = m->value;
        if (!txt_equal(m->key, name))
            continue;
        for (;;) {                      /* [GRPC]: binary ones join with ',' */
            const char *comma = binary && v.n ? memchr(v.p, ',', v.n) : NULL;
            size_t n = comma ? (size_t)(comma - v.p) : v.n;
            if (nth-- == 0) {
                struct buf b = {0};
                if (!binary)
                    return (struct gp_slice){ v.p, v.n };
                bool ok = txt_put_unbase64(&b, (struct slice){ v.p, n });
                const void *p = ok && !b.err ?
                    mem_arena_dup(&k->arena, b.data, b.len) : NULL;
                size_t len = p ? b.len : 0;
                mem_fini(&b);
                return (struct gp_slice){ p, len };
            }
            if (!comma)
                break;
            v = (struct slice){ comma + 1, v.n - n - 1 };
        }
    }
    return (struct gp_slice){ NULL, 0 };
}

/* ---- server: jobs ---- */

/* The next whole message of k->taken into *m, inflated where it is compressed;
 * false: there is none, or k has been failed. */
static bool rpc_call_next(struct gp_call *k, struct gp_slice *m)
{
    const uint8_t *p = k->taken.data + k->taken_at;
    size_t at = 0;
    if (k->taken_at >= k->taken.len)
        return false;
    size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 |
               p[4];
    k->taken_at += 5 + n;
    k->flagged = p[0] != 0;
    *m = (struct gp_slice){ p + 5, n };
    if (!k->flagged)
        return true;
    k->plain.len = 0;
    int e = gz_inflate(p + 5, n, k->loop->server->config.max_message,
                       &k->plain, &at);
    *m = (struct gp_slice){ k->plain.data, k->plain.len };
    if (e == GP_ELIMIT)
        rpc_call_fail(k, GP_STATUS_RESOURCE_EXHAUSTED,
                      "message larger than the limit once inflated");
    else if (e == GP_ENOMEM)
        rpc_call_fail(k, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    else if (e)
        rpc_call_fail(k, GP_STATUS_INTERNAL, "the gzip message is damaged");
    return !e;
}

/* Tell k's handler what there is; its samples carry the method's label.  On
 * any thread. */
static void rpc_call_job(struct gp_call *k)
{
    const struct gp_method *m = &k->method->own;
    struct gp_slice message;
    uint16_t old = smp_label;
    if (atomic_load_explicit(&k->cancelled, memory_order_relaxed))
        return;
    k->told = true;
    smp_label = k->method->label;
    if ((k->telling & RPC_START) && m->on_start)
        m->on_start(k, m->service);
    if ((k->telling & RPC_WRITABLE) && m->on_writable && !k->finished)
        m->on_writable(k, m->service);
    if ((k->telling & RPC_TIMER) && m->on_timer && !k->finished)
        m->on_timer(k, m->service);
    if ((k->telling & RPC_POKE) && !k->finished)
        m->on_poke(k, m->service);
    while (!k->finished && !k->full && rpc_call_next(k, &message))
        m->on_message(k, message, m->service);
    if (k->taken_at < k->taken.len)     /* full: half-close waits for them */
        k->telling &= RPC_HALF;
    else if ((k->telling & RPC_HALF) && m->on_half_close && !k->finished)
        m->on_half_close(k, m->service);
    if (k->taken_at >= k->taken.len)
        k->telling = 0;
    smp_label = old;
}

/* Give k's job what has come for it. */
static void rpc_call_take(struct gp_call *k)
{
    k->telling |= k->events;
    k->events = 0;
    k->unsent = k->body.n;
    if (k->telling & RPC_WRITABLE)
        k->full = false;
    if (k->full) {                      /* nothing is told before that */
        k->events = k->telling;
        k->telling = 0;
        return;
    }
    if (k->taken_at < k->taken.len && k->whole) {
        k->events = k->telling & RPC_HALF; /* what is in front comes first */
        k->telling &= ~(unsigned)RPC_HALF;
    }
    if (k->taken_at < k->taken.len || !k->whole)
        return;
    struct buf rest = k->taken;         /* its bytes have been told */
    rest.len = 0;
    mem_put(&rest, k->in.data + k->whole, k->in.len - k->whole);
    k->taken = k->in;
    k->taken.len = k->whole;
    k->taken_at = 0;
    k->in = rest;
    rpc_conn_hold(k->conn, &k->conn->buffered, 0, k->whole);
    k->whole = 0;
    if (k->held)
        h2_consume(&k->conn->h2, k->id, k->held);
    k->held = 0;
}

/* True when k's deadline has passed by the loop's clock; it is ended then. */
static bool rpc_call_expired(struct gp_call *k)
{
    if (!k->deadline_ns || k->loop->net.now_ns < k->deadline_ns)
        return false;
    rpc_call_refuse(k, GP_STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
    return true;
}

/* True while c has so much to send that its handlers have to wait: its socket
 * takes nothing, or its windows do not. */
static bool rpc_conn_blocked(const struct rpc_conn *c)
{
    return c->h2.rest.len > 0 || c->pending >= RPC_CONN_SEND_BYTES ||
           (c->pending >= RPC_SEND_BYTES &&
            c->loop->held > rpc_loop_may_hold(c->loop));
}

/* Let c's handlers run again, if they had to wait and need not any more. */
static void rpc_conn_release(struct rpc_conn *c)
{
    if (!c->held || rpc_conn_blocked(c))
        return;
    c->held = false;
    if (!mem_link_alone(&c->ready))
        mem_link_append(&c->loop->ready, &c->of_ready);
}

/* True when the connection at i, a link in l's ready list or its head, has one
 * call that waits: a turn of many calls before it would not be fair. */
static bool rpc_conn_small(const struct link *i, const struct rpc_loop *l)
{
    const struct rpc_conn *c = MEM_OF(i, struct rpc_conn, of_ready);
    return i != &l->ready && c->ready.next == c->ready.prev;
}

/* c's turn is over: it goes behind the others, if it has more calls. */
static void rpc_conn_yield(struct rpc_conn *c)
{
    c->turn = 0;
    mem_link_drop(&c->of_ready);
    if (!mem_link_alone(&c->ready))
        mem_link_append(&c->loop->ready, &c->of_ready);
}

/* The next call of l that waits, out of the lists, or NULL: connections have
 * turns, and each its own calls in their order. */
static struct gp_call *rpc_loop_next(struct rpc_loop *l)
{
    struct rpc_conn *c;
    for (;;) {
        if (mem_link_alone(&l->ready))
            return NULL;
        c = MEM_OF(l->ready.next, struct rpc_conn, of_ready);
        if (!rpc_conn_blocked(c))
            break;
        mem_link_drop(&c->of_ready);
        c->held = true;
        for (struct link *i = c->ready.next; i != &c->ready; i = i->next)
            rpc_call_arm(MEM_OF(i, struct gp_call, of_ready));
    }
    struct gp_call *k = MEM_OF(c->ready.next, struct gp_call, of_ready);
    mem_link_drop(&k->of_ready);
    k->waits = false;
    l->nready--;
    if (mem_link_alone(&c->ready) || ++c->turn >= RPC_TURN_CALLS ||
        rpc_conn_small(c->of_ready.next, l))
        rpc_conn_yield(c);
    return k;
}

/* Let c send at the end of the run. */
static void rpc_conn_dirty(struct rpc_conn *c)
{
    if (mem_link_alone(&c->of_dirty))
        mem_link_append(&c->loop->dirty, &c->of_dirty);
}

/* Share calls that wait in l with loops that sleep, as many as make all equally
 * busy, and wake these. */
static void rpc_loop_share(struct rpc_loop *l, unsigned idle)
{
    struct gp_server *s = l->server;
    struct link list;
    unsigned most = l->nready * idle / (idle + 1), n = 0;
    mem_link_init(&list);
    struct gp_call *k;
    for (unsigned looked = l->nready; looked && n < most &&
                                      (k = rpc_loop_next(l)); looked--) {
        if (k->method->own.run != GP_RUN_POOL) {
            rpc_call_ready(k, 0);
            continue;
        }
        if (k->answered || rpc_call_expired(k)) {
            rpc_conn_dirty(k->conn);
            continue;
        }
        rpc_call_take(k);
        rpc_call_arm(k);
        k->away = true;
        mem_link_append(&list, &k->job.link);
        n++;
    }
    if (!n)
        return;
    job_share(&s->pool, &list, n);
    for (unsigned i = 0; i < s->config.threads && idle && n; i++) {
        struct net_loop *other = &s->loop[i].net;
        if (other == &l->net || !atomic_load(&other->sleeping))
            continue;
        atomic_store(&other->pending, true);
        net_loop_wake(other);
        idle--;
        n--;
    }
}

/* Run k's job on l.  Of long ones the CPU time of one in RPC_TIMED_EVERY is
 * taken: a figure of the server's own beside what samples say. */
static void rpc_loop_job(struct rpc_loop *l, struct gp_call *k, bool is_long)
{
    struct rpc_tally *t = &l->tally[k->method->index];
    if (!is_long || t->untimed++ % RPC_TIMED_EVERY) {
        rpc_call_job(k);
        return;
    }
    int64_t first_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t from_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    rpc_call_job(k);
    int64_t cpu_ns = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - from_ns;
    cpu_ns -= from_ns - first_ns;       /* what a reading takes, here: 1 us
                                         * where the last one was long ago */
    net_add(&t->timed, 1);
    net_add(&t->timed_cpu_ns, cpu_ns > 0 ? (uint64_t)cpu_ns : 0);
}

/* Jobs of one method, and the clock that is read around them. */
struct rpc_clock {
    const struct rpc_method *method;
    int64_t from_ns, jobs;              /* the last reading; jobs since */
};

/* Read the clock where that is due before or after a job of m: when the jobs
 * since the last reading should have taken RPC_CLOCK_NS, or m is another.  What
 * they took is taken from the slice. */
static void rpc_clock_look(struct rpc_loop *l, struct rpc_clock *t,
                           const struct rpc_method *m)
{
    struct rpc_tally *y = t->method ? &l->tally[t->method->index] : NULL;
    if (t->jobs && (m != t->method || t->jobs == RPC_CLOCK_JOBS ||
                    t->jobs * y->job_ns >= RPC_CLOCK_NS)) {
        int64_t now_ns = net_now(&l->net);
        y->job_ns += ((now_ns - t->from_ns) / t->jobs - y->job_ns) / 8;
        l->slice_ns -= now_ns - t->from_ns;
        t->from_ns = now_ns;
        t->jobs = 0;
    }
    t->method = m;
}

/* Send what l's connections have; they may be gone afterwards. */
static void rpc_loop_flush(struct rpc_loop *l)
{
    while (!mem_link_alone(&l->dirty)) {
        struct rpc_conn *c = MEM_OF(l->dirty.next, struct rpc_conn, of_dirty);
        mem_link_drop(&c->of_dirty);
        h2_kick(&c->h2);
    }
    l->flushed_ns = l->slice_ns;
}

/* Run the calls of l that wait, until none does or the slice is over.  Then
 * send: at once behind short handlers, after RPC_HOLD_NS behind longer ones, so
 * that a client which sleeps is woken once for many: a wake-up costs 4 us.
 * Connections may be gone afterwards. */
static void rpc_loop_work(struct rpc_loop *l)
{
    struct rpc_clock clock = { .from_ns = net_now(&l->net) };
    struct gp_call *k;
    if (l->slice_of_ns != l->net.woke_ns) {
        l->slice_of_ns = l->net.woke_ns;
        l->slice_ns = l->flushed_ns = RPC_SLICE_NS;
    }
    while (l->slice_ns > 0 && (k = rpc_loop_next(l))) {
        struct rpc_conn *c = k->conn;
        unsigned idle = atomic_load_explicit(&l->server->pool.idle,
                                             memory_order_relaxed);
        rpc_conn_dirty(c);
        if (!k->answered && !rpc_call_expired(k)) {
            int64_t job_ns = l->tally[k->method->index].job_ns;
            if (idle && job_ns > RPC_SHARE_JOB_NS &&
                job_ns * l->nready > RPC_SHARE_NS)
                rpc_loop_share(l, idle);
            rpc_call_take(k);
            rpc_clock_look(l, &clock, k->method);
            rpc_loop_job(l, k, job_ns >= RPC_TIMED_JOB_NS);
            clock.jobs++;
            rpc_clock_look(l, &clock, k->method);
            rpc_call_settle(k);
        }
    }
    rpc_clock_look(l, &clock, NULL);
    if (!mem_link_alone(&l->ready)) {   /* the slice ended inside a turn */
        struct rpc_conn *c = MEM_OF(l->ready.next, struct rpc_conn, of_ready);
        if (c->turn)
            rpc_conn_yield(c);
    }
    int64_t held_ns = l->flushed_ns - l->slice_ns;
    if (l->slice_ns <= 0 || held_ns < RPC_CLOCK_NS || held_ns >= RPC_HOLD_NS)
        rpc_loop_flush(l);
}

/* Take back the calls that other loops ran for l. */
static void rpc_loop_collect(struct rpc_loop *l)
{
    for (struct job *j = job_collect(&l->back), *next; j; j = next) {
        struct gp_call *k = MEM_OF(j, struct gp_call, job);
        next = j->next;
        k->away = false;
        if (!k->conn) {
            rpc_call_over(k);
            continue;
        }
        rpc_call_settle(k);
        rpc_conn_dirty(k->conn);
    }
}

/* Run shared calls on l, whose own do not wait, and hand them back. */
static void rpc_loop_help(struct rpc_loop *l)
{
    int64_t end_ns = l->net.woke_ns + RPC_SLICE_NS;
    struct job *j;
    while (net_now(&l->net) < end_ns &&
           (j = job_take(&l->server->pool)) != NULL) {
        struct gp_call *k = MEM_OF(j, struct gp_call, job);
        if (k->deadline_ns && l->net.now_ns >= k->deadline_ns)
            rpc_call_fail(k, GP_STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
        else
            rpc_loop_job(l, k, true);
        job_return(&k->loop->back, j, &k->loop->net);
    }
}

/* The end of a turn of the loop; see net_loop. */
static bool rpc_loop_on_turn(struct net_loop *net)
{
    struct rpc_loop *l = MEM_OF(net, struct rpc_loop, net);
    rpc_loop_collect(l);
    if (!mem_link_alone(&l->ready) || !mem_link_alone(&l->dirty))
        rpc_loop_work(l);
    rpc_loop_flush(l);
    if (mem_link_alone(&l->ready))
        rpc_loop_help(l);
    return !mem_link_alone(&l->ready) ||
           atomic_load(&l->server->pool.waiting) > 0;
}

/* ---- server: what H2 tells ---- */

/* A request begins. */
static void *rpc_on_open(struct h2_conn *h2, int32_t id)
{
    struct gp_call *k = rpc_call_open((struct rpc_conn *)h2, id);
    if (k) {
        k->timer.on_time = rpc_call_on_time;
        k->wake.on_time = rpc_call_on_wake;
        k->timer.arg = k->wake.arg = k;
    }
    return k;
}

/* Keep a header that is metadata, where the method asked for it. */
static void rpc_call_keep_meta(struct gp_call *k, struct slice name,
                               struct slice value)
{
    struct buf b = {0};
    if (!rpc_meta_name(name))
        return;
    for (size_t at = 0; rpc_meta_binary(name) && at <= value.n; ) {
        const char *comma = memchr(value.p + at, ',', value.n - at);
        size_t n = comma ? (size_t)(comma - value.p) - at : value.n - at;
        if (!txt_put_unbase64(&b, (struct slice){ value.p + at, n }))
            k->bad_meta = true;
        at += n + 1;
    }
    mem_fini(&b);
    (void)rpc_meta_add(k, &k->request, name, value, false);
}

/* The method of l's server at path, or NULL.  The one called last is likely
 * to be called again. */
static const struct rpc_method *rpc_loop_find(struct rpc_loop *l,
                                              struct slice path)
{
    const struct rpc_method *m = l->recent;
    if (m && m->n == path.n && !memcmp(m->own.path, path.p, path.n))
        return m;
    const struct gp_server *s = l->server;
    uint64_t hash = mem_hash(path.p, path.n);
    uint32_t at = 0, i;
    while ((i = mem_index_next(&s->by_path, hash, &at)) != MEM_NONE)
        if (s->method[i].n == path.n &&
            !memcmp(s->method[i].own.path, path.p, path.n))
            return l->recent = &s->method[i];
    return NULL;
}

/* Take the header if it is one of the protocol's own. */
static bool rpc_call_header(struct gp_call *k, struct slice name,
                            struct slice value)
{
    struct slice codec;
    int64_t ns = 0;
#define RPC_IS(text) (!memcmp(name.p, text, sizeof text - 1))
    switch (name.n) {                   /* most differ in length */
    case 5:
        if (!RPC_IS(":path"))
            return false;
        k->method = rpc_loop_find(k->loop, value);
        return true;
    case 7:
        if (!RPC_IS(":method"))
            return RPC_IS(":scheme");
        k->post = value.n == 4 && !memcmp(value.p, "POST", 4);
        return true;
    case 12:
        if (RPC_IS("content-type")) {
            k->grpc = rpc_content_type(value, &codec);
            k->codec = codec.n == 0 ||
                       (codec.n == 5 && !strncasecmp(codec.p, "proto", 5));
            return true;
        }
        if (!RPC_IS("grpc-timeout"))
            return false;
        k->bad_timeout = rpc_timeout(value, &ns) != GP_OK;
        k->deadline_ns = k->loop->net.now_ns + ns;
        return true;
    case 13:
        if (!RPC_IS("grpc-encoding"))
            return false;
        k->coding = txt_equal(value, txt_slice("identity")) ? RPC_IDENTITY
                  : txt_equal(value, txt_slice("gzip")) ? RPC_GZIP
                  : RPC_UNKNOWN_CODING;
        return true;
    case 20:
        if (!RPC_IS("grpc-accept-encoding"))
            return false;
        k->takes_gzip |= txt_lists(value, "gzip");
        return true;
    default:
        return false;
    }
#undef RPC_IS
}

/* One header of a request; those that nobody needs cost a switch. */
static void rpc_on_header(struct h2_conn *h2, void *stream, struct slice name,
                          struct slice value)
{
    struct gp_call *k = stream;
    (void)h2;
    if (k->begun)                       /* trailers: gRPC requests have none */
        return;
    if (!rpc_call_header(k, name, value) && k->method &&
        k->method->own.metadata)
        rpc_call_keep_meta(k, name, value);
}

/* The request's headers are complete: refuse what cannot be served.  The
 * order is grpc-go's.  What is not gRPC is heard to its end first, as HTTP
 * clients expect that do not read while they send. */
static void rpc_on_headers(struct h2_conn *h2, void *stream, bool over)
{
    struct gp_call *k = stream;
    if (k->begun)
        return;
    rpc_call_count(k);
    k->foreign = !over && (!k->post || !k->grpc);
    if (k->foreign)
        return;
    if (over)
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED,
                        "header list larger than the limit");
    else if (!k->codec)
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "content-subtype not supported; use proto");
    else if (k->bad_timeout)
        rpc_call_refuse(k, GP_STATUS_INTERNAL, "malformed grpc-timeout");
    else if (k->bad_meta)
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "malformed base64 in binary metadata");
    else if (!k->method)
        rpc_call_refuse(k, GP_STATUS_UNIMPLEMENTED,
                        "unknown service or method");
    else if (!rpc_call_expired(k) && k->method->single)
        mem_link_append(&((struct rpc_conn *)h2)->partial, &k->of_ready);
    else
        rpc_call_ready(k, RPC_START);
}

/* The five bytes before a message are here: refuse what cannot be right, else
 * keep them. */
static void rpc_call_prefix(struct gp_call *k)
{
    const struct gp_server *s = k->loop->server;
    uint8_t flag = k->frame.prefix[0];
    if (k->frame.count && k->method->single)
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "more than one message for a method that takes one");
    else if (flag > 1)
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "the message's flag byte is neither 0 nor 1");
    else if (flag && k->coding == RPC_IDENTITY)
        rpc_call_refuse(k, GP_STATUS_INTERNAL, "compressed flag set, but "
                        "grpc-encoding is identity");
    else if (flag && k->coding == RPC_UNKNOWN_CODING)
        rpc_call_refuse(k, GP_STATUS_UNIMPLEMENTED,
                        "grpc-encoding not supported; use identity or gzip");
    else if (k->frame.size > s->config.max_message)
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED,
                        "message larger than the limit");
    else
        mem_put(&k->in, k->frame.prefix, sizeof k->frame.prefix);
}

/* Take n bytes of a request if they are one message, whole, alone, and of a
 * kind that needs no questions: the usual case, in one step. */
static bool rpc_call_take_whole(struct gp_call *k, const uint8_t *p, size_t n)
{
    if (k->frame.have || k->frame.count || n < sizeof k->frame.prefix || p[0] ||
        n > k->loop->server->config.max_message)
        return false;
    size_t size = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 |
                  p[4];
    if (size != n - sizeof k->frame.prefix)
        return false;
    mem_put(&k->in, p, n);
    k->frame.count = 1;
    k->whole = k->in.len;
    return true;
}

/* Bytes of a request.  A message that is being put together gives the window
 * back at once, so that it may be larger than that; those behind a whole one
 * wait until the handler takes it ([GRPC] back-pressure). */
static void rpc_on_data(struct h2_conn *h2, void *stream, const uint8_t *p,
                        size_t n, bool last)
{
    struct gp_call *k = stream;
    struct rpc_conn *c = (struct rpc_conn *)h2;
    struct slice in = { (const char *)p, n }, part;
    enum rpc_step step;
    size_t before = k->in.len, most =
        (size_t)c->loop->server->config.max_message * RPC_BUFFERED_MESSAGES;
    if (!last && k->whole && !k->answered)
        k->held += n;
    else if (!last)
        h2_consume(h2, k->id, n);
    bool skip = k->answered || k->foreign || rpc_call_take_whole(k, p, n);
    while (!skip && !k->answered &&
           (step = rpc_frame_next(&k->frame, &in, &part)) != RPC_MORE) {
        if (step == RPC_PREFIX)
            rpc_call_prefix(k);
        else if (step == RPC_BYTES)
            mem_put(&k->in, part.p, part.n);
        else
            k->whole = k->in.len;
    }
    rpc_conn_hold(c, &c->buffered, k->in.len, before);
    if (k->answered || k->foreign)
        return;
    if (k->in.err)
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    else if (c->buffered > most)
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED,
                        "too many request bytes buffered on this connection");
    else if (c->loop->held > rpc_loop_may_hold(c->loop))
        rpc_call_refuse(k, GP_STATUS_RESOURCE_EXHAUSTED,
                        "the server has too many bytes buffered");
    else if (k->whole && !k->method->single)
        rpc_call_ready(k, RPC_MESSAGE);
}

/* A request is complete. */
static void rpc_on_end(struct h2_conn *h2, void *stream)
{
    struct gp_call *k = stream;
    (void)h2;
    k->half = true;
    if (k->answered)
        return;
    if (k->foreign)
        rpc_call_http(k);
    else if (rpc_frame_cut(&k->frame))
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "the request ends inside a message");
    else if (k->frame.count == 0 && k->method->single)
        rpc_call_refuse(k, GP_STATUS_INTERNAL,
                        "no message for a method that takes one");
    else
        rpc_call_ready(k, k->whole ? RPC_MESSAGE | RPC_HALF : RPC_HALF);
}

/* A request's stream is closed, answered or not. */
static void rpc_on_close(struct h2_conn *h2, void *stream, uint32_t code,
                         bool by_peer)
{
    (void)h2;
    (void)code;
    (void)by_peer;
    rpc_call_close(stream);
}

/* Why a client may reset a call.  Its clock started the deadline before ours
 * did, by any time that the request waited to be read: whether it is over there
 * cannot be told here. */
static enum h2_excuse rpc_on_excuse(struct h2_conn *h2, void *stream)
{
    const struct gp_call *k = stream;
    (void)h2;
    return k->responded ? H2_FREE : k->deadline_ns ? H2_DEADLINE
                                                   : H2_NO_EXCUSE;
}

/* Bytes of an answer are on their way. */
static void rpc_on_taken(struct h2_conn *h2, size_t n)
{
    struct rpc_conn *c = (struct rpc_conn *)h2;
    assert(n <= c->pending);
    rpc_conn_hold(c, &c->pending, 0, n);
    rpc_conn_release(c);
}

/* There is room again for what a handler writes. */
static void rpc_on_drain(struct h2_conn *h2, void *stream)
{
    (void)h2;
    if (stream)
        rpc_call_ready(stream, RPC_WRITABLE);
}

/* Input of a connection was read: run what it brought, then send. */
static void rpc_on_fed(struct h2_conn *h2)
{
    struct rpc_conn *c = (struct rpc_conn *)h2;
    rpc_conn_release(c);
    while (!mem_link_alone(&c->partial)) {
        struct gp_call *k = MEM_OF(c->partial.next, struct gp_call, of_ready);
        mem_link_drop(&k->of_ready);
        rpc_call_arm(k);
    }
    if (mem_link_alone(&c->ready)) {
        h2_kick(h2);
        return;
    }
    rpc_conn_dirty(c);
    rpc_loop_work(c->loop);
}

/* A client's SETTINGS or GOAWAY: nothing to do. */
static void rpc_on_note(struct h2_conn *h2)
{
    (void)h2;
}

/* A connection is of no more use: its calls end with it. */
static void rpc_on_lost(struct h2_conn *h2)
{
    struct rpc_conn *c = (struct rpc_conn *)h2;
    net_add(&c->loop->closed[h2->end], 1);
    while (!mem_link_alone(&c->calls)) {
        struct gp_call *k = MEM_OF(c->calls.next, struct gp_call, of_conn);
        h2_stream_set(h2, k->id, NULL);
        rpc_call_close(k);
    }
}

/* A connection's socket is closed. */
static void rpc_on_gone(struct h2_conn *h2)
{
    struct rpc_conn *c = (struct rpc_conn *)h2;
    struct rpc_loop *l = c->loop;
    mem_link_drop(&c->of_loop);
    mem_link_drop(&c->of_ready);
    mem_link_drop(&c->of_dirty);
    net_timer_stop(&l->net, &c->tick);
    mem_free(c);
    atomic_fetch_sub(&l->nconns, 1);
}

static const struct h2_up rpc_server_up = {
    .on_open = rpc_on_open, .on_header = rpc_on_header,
    .on_headers = rpc_on_headers, .on_data = rpc_on_data,
    .on_end = rpc_on_end, .on_close = rpc_on_close,
    .on_ready = rpc_on_note, .on_goaway = rpc_on_note,
    .on_lost = rpc_on_lost, .on_gone = rpc_on_gone,
    .on_excuse = rpc_on_excuse, .on_taken = rpc_on_taken,
    .on_drain = rpc_on_drain,
    .on_fed = rpc_on_fed,
};

/* ---- server: connections ---- */

/* Give up what does not move: a unary request of which nothing comes, an answer
 * that the client's window holds back. */
static void rpc_conn_unstick(struct rpc_conn *c)
{
    int64_t now_ns = c->loop->net.now_ns;
    for (struct link *i = c->calls.next, *next; i != &c->calls; i = next) {
        struct gp_call *k = MEM_OF(i, struct gp_call, of_conn);
        next = i->next;
        size_t at = k->half ? k->body.n : k->in.len;
        bool waits = k->half ? k->body.n > 0
                             : k->begun && (!k->method || k->method->single);
        if (!waits || at != k->seen || !k->seen_ns) {
            k->seen = at;
            k->seen_ns = now_ns;
        } else if (now_ns - k->seen_ns >= RPC_BODY_NS) {
            h2_reset(&c->h2, k->id, NGHTTP2_CANCEL);
        }
    }
}

/* The age that c may reach: the one configured and up to a tenth more or less,
 * so that not all leave at once ([A9]); 0: any. */
static int64_t rpc_conn_age_ns(const struct rpc_conn *c)
{
    int64_t most = c->loop->server->config.max_age_ns;
    uint64_t dice = mem_hash(&c->born_ns, sizeof c->born_ns);
    return most - most / 10 + (int64_t)(dice % (uint64_t)(most / 5 + 1));
}

/* When a new connection is looked at first. */
static int64_t rpc_conn_first_ns(const struct rpc_conn *c)
{
    const struct gp_server_config *config = &c->loop->server->config;
    int64_t in_ns = RPC_TICK_NS;
    if (config->idle_ns && config->idle_ns < in_ns)
        in_ns = config->idle_ns;
    if (c->age_ns && c->age_ns < in_ns)
        in_ns = c->age_ns;
    if (config->keepalive_ns < in_ns)
        in_ns = config->keepalive_ns;
    return c->born_ns + in_ns;
}

/* When what is due at at_ns comes before *due_ns, it is that. */
static void rpc_tick_sooner(int64_t *due_ns, int64_t at_ns)
{
    *due_ns = at_ns < *due_ns ? at_ns : *due_ns;
}

/* Look at a connection: is it silent, idle, old, or stuck?  Then see when to
 * look again.  [A9] has the rules. */
static void rpc_conn_tick(struct net_timer *t)
{
    struct rpc_conn *c = t->arg;
    struct rpc_loop *l = c->loop;
    const struct gp_server_config *config = &l->server->config;
    int64_t now_ns = l->net.now_ns, due_ns = now_ns + RPC_TICK_NS;
    int64_t idle_ns = c->idle_ns + config->idle_ns;
    int64_t age_ns = c->born_ns + c->age_ns;
    int64_t silent_ns = c->h2.heard_ns + config->keepalive_ns;
    bool open = c->h2.state == H2_OPEN;
    if (open && h2_midway(&c->h2) &&
        now_ns - c->h2.scan.whole_ns >= H2_FRAME_NS)
        c->h2.end = H2_END_TIMEOUT;
    if (c->pinged_ns && c->h2.heard_ns >= c->pinged_ns)
        c->pinged_ns = 0;               /* it lives */
    if (open && c->pinged_ns && now_ns - c->pinged_ns >= RPC_KEEPALIVE_WAIT_NS)
        c->h2.end = H2_END_TIMEOUT;
    else if (open && !c->pinged_ns && now_ns >= silent_ns &&
             !nghttp2_submit_ping(c->h2.session, NGHTTP2_FLAG_NONE, NULL))
        c->pinged_ns = now_ns;
    if (open && c->age_ns && now_ns >= age_ns + RPC_AGE_GRACE_NS)
        c->h2.end = H2_END_TIMEOUT;
    if (open)
        rpc_conn_unstick(c);
    rpc_tick_sooner(&due_ns, c->pinged_ns ? now_ns + config->keepalive_ns
                                          : silent_ns);
    if (c->pinged_ns)
        rpc_tick_sooner(&due_ns, c->pinged_ns + RPC_KEEPALIVE_WAIT_NS);
    if (c->age_ns)
        rpc_tick_sooner(&due_ns, c->h2.leaving ? age_ns + RPC_AGE_GRACE_NS
                                               : age_ns);
    if (config->idle_ns && !c->h2.leaving)
        rpc_tick_sooner(&due_ns, c->ncalls ? now_ns + config->idle_ns
                                           : idle_ns);
    due_ns = due_ns > now_ns ? due_ns : now_ns + 1000000;
    (void)net_timer_arm(&l->net, t, due_ns);    /* it was armed: no memory */
    if (open && c->age_ns && !c->h2.leaving && now_ns >= age_ns)
        h2_shutdown(&c->h2, H2_END_AGE);
    else if (open && config->idle_ns && !c->h2.leaving && !c->ncalls &&
             now_ns >= idle_ns)
        h2_shutdown(&c->h2, H2_END_IDLE);
    else
        h2_kick(&c->h2);
}

/* Task: begin to serve the connection arg, whose loop this is. */
static void rpc_conn_adopt(void *arg)
{
    struct rpc_conn *c = arg;
    struct rpc_loop *l = c->loop;
    mem_link_init(&c->of_loop);
    mem_link_init(&c->of_ready);
    mem_link_init(&c->of_dirty);
    mem_link_init(&c->calls);
    mem_link_init(&c->ready);
    mem_link_init(&c->partial);
    if (h2_accept(&c->h2, &l->server->kit, &l->net, c->h2.io.fd)) {
        mem_free(c);
        atomic_fetch_sub(&l->nconns, 1);
        return;
    }
    c->born_ns = c->idle_ns = c->h2.heard_ns = l->net.now_ns;
    c->h2.scan.whole_ns = l->net.now_ns;
    c->age_ns = rpc_conn_age_ns(c);
    c->tick = (struct net_timer){ .on_time = rpc_conn_tick, .arg = c };
    net_add(&l->accepted, 1);
    mem_link_append(&l->conns, &c->of_loop);
    if (net_timer_arm(&l->net, &c->tick, rpc_conn_first_ns(c))) {
        h2_abort(&c->h2);
        return;
    }
    if (l->draining)
        h2_shutdown(&c->h2, H2_ALIVE);
}

/* Give the accepted socket fd to the loop with the fewest connections. */
static int rpc_server_assign(struct gp_server *s, int fd)
{
    struct rpc_loop *best = &s->loop[0];
    for (unsigned i = 1; i < s->config.threads; i++)
        if (atomic_load(&s->loop[i].nconns) < atomic_load(&best->nconns))
            best = &s->loop[i];
    struct rpc_conn *c = mem_zalloc(sizeof *c);
    if (c) {
        c->loop = best;
        c->h2.io.fd = fd;
        atomic_fetch_add(&best->nconns, 1);
        if (best == &s->loop[0]) {
            rpc_conn_adopt(c);
            return GP_OK;
        }
        if (!net_loop_post(&best->net, rpc_conn_adopt, c))
            return GP_OK;
        atomic_fetch_sub(&best->nconns, 1);
        mem_free(c);
    }
    close(fd);
    return GP_ENOMEM;
}

/* Connections that have not gone. */
static unsigned rpc_server_conns(const struct gp_server *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->config.threads; i++)
        n += atomic_load(&s->loop[i].nconns);
    return n;
}

/* Accept again after a pause. */
static void rpc_listener_on_time(struct net_timer *t)
{
    struct rpc_listener *p = t->arg;
    net_io_want(&p->server->loop[0].net, &p->io, EPOLLIN);
}

/* Connections wait: accept them.  Without room, descriptors or memory those
 * that wait go on waiting, and this is tried again in a while. */
static void rpc_listener_on_event(struct net_io *io, uint32_t events)
{
    struct rpc_listener *p = io->arg;
    struct gp_server *s = p->server;
    struct net_loop *net = &s->loop[0].net;
    (void)events;
    for (int i = 0; i < NET_ACCEPTS; i++) {
        bool full = rpc_server_conns(s) >= s->config.max_connections;
        int fd = full ? -1 : net_accept(io->fd);
        if (fd < 0 && !full && errno == EAGAIN)
            return;
        if (fd >= 0 && !rpc_server_assign(s, fd))
            continue;
        if (!net_timer_arm(net, &p->pause, net->now_ns + RPC_ACCEPT_PAUSE_NS))
            net_io_want(net, io, 0);
        return;
    }
}

/* Task: close the listeners; on loop 0. */
static void rpc_server_deafen(void *arg)
{
    struct gp_server *s = arg;
    for (struct rpc_listener *p = s->listener; p; p = p->next) {
        if (p->io.fd < 0)
            continue;
        net_timer_stop(&s->loop[0].net, &p->pause);
        net_io_del(&s->loop[0].net, &p->io);
        close(p->io.fd);
        p->io.fd = -1;
    }
}

/* Task: every connection of a loop begins to leave. */
static void rpc_loop_drain(void *arg)
{
    struct rpc_loop *l = arg;
    l->draining = true;
    for (struct link *i = l->conns.next, *next; i != &l->conns; i = next) {
        next = i->next;
        h2_shutdown(&MEM_OF(i, struct rpc_conn, of_loop)->h2, H2_ALIVE);
    }
}

/* Task: close every connection of a loop, counting the calls cut off. */
static void rpc_loop_cut(void *arg)
{
    struct rpc_loop *l = arg;
    uint64_t n = 0;
    while (!mem_link_alone(&l->conns)) {
        struct rpc_conn *c = MEM_OF(l->conns.next, struct rpc_conn, of_loop);
        for (struct link *i = c->calls.next; i != &c->calls; i = i->next)
            n++;
        h2_abort(&c->h2);
    }
    atomic_fetch_add(&l->server->cut, n);
    atomic_fetch_add(&l->server->acks, 1);
}

/* Task: end a loop's thread. */
static void rpc_loop_stop(void *arg)
{
    ((struct rpc_loop *)arg)->net.stop = true;
}

/* A loop's thread. */
static void *rpc_loop_main(void *arg)
{
    struct rpc_loop *l = arg;
    net_loop_run(&l->net);
    return NULL;
}

/* ---- server: life ---- */

/* Ask and wait for the end of the loops' threads. */
static void rpc_server_join(struct gp_server *s)
{
    for (unsigned i = 0; s->loop && i < s->config.threads; i++) {
        struct rpc_loop *l = &s->loop[i];
        if (!l->running)
            continue;
        while (net_loop_post(&l->net, rpc_loop_stop, l))
            sched_yield();              /* memory will come back */
        pthread_join(l->thread, NULL);
        l->running = false;
    }
}

/* The calls that were away are back: no thread runs any more. */
static void rpc_server_reclaim(struct gp_server *s)
{
    struct job *j;
    while ((j = job_take(&s->pool)) != NULL) {
        struct gp_call *k = MEM_OF(j, struct gp_call, job);
        atomic_store(&k->cancelled, true);
        job_return(&k->loop->back, j, &k->loop->net);
    }
    for (unsigned i = 0; i < s->config.threads; i++)
        if (s->loop[i].net.in)
            rpc_loop_collect(&s->loop[i]);
}

/* Release l, whose thread has ended. */
static void rpc_loop_fini(struct rpc_loop *l)
{
    if (l->net.in)
        net_tasks_run(&l->net);         /* connections not yet adopted */
    while (l->conns.next && !mem_link_alone(&l->conns))
        h2_abort(&MEM_OF(l->conns.next, struct rpc_conn, of_loop)->h2);
    for (struct gp_call *k; (k = l->stock); ) {
        l->stock = k->next;
        rpc_call_free(k);
    }
    mem_free(l->tally);
    net_loop_fini(&l->net);
}

/* Stop at once and free s; NULL is fine. */
static void rpc_server_free(struct gp_server *s)
{
    if (!s || s->stuck)
        return;
    rpc_server_join(s);
    for (struct rpc_listener *p = s->listener; p; p = p->next) {
        const struct sockaddr_un *u = (const struct sockaddr_un *)&p->addr.sa;
        if (u->sun_family == AF_UNIX && net_unix_is(u->sun_path))
            unlink(u->sun_path);
    }
    if (s->started)
        rpc_server_deafen(s);
    for (struct rpc_listener *p = s->listener; p; p = p->next)
        if (p->io.fd >= 0)
            close(p->io.fd);
    if (s->loop)
        rpc_server_reclaim(s);
    for (unsigned i = 0; s->loop && i < s->config.threads; i++)
        rpc_loop_fini(&s->loop[i]);
    for (struct rpc_kept *k = s->kept; k; k = k->next)
        k->free(k->arg);
    h2_kit_fini(&s->kit);
    mem_free(s->loop);
    mem_free(s->method);
    mem_index_fini(&s->by_path);
    mem_arena_fini(&s->arena);
    mem_free(s);
}

/* A time of the configuration, so that moments can be added to it. */
static int64_t rpc_time(int64_t ns)
{
    return ns < INT64_MAX / 4 ? ns : INT64_MAX / 4;
}

/* Fill in the defaults of c; GP_EUSAGE when a value makes no sense. */
static int rpc_config_check(struct gp_server_config *c, struct gp_why *why)
{
    struct rlimit files = { 1024, 1024 };
    (void)getrlimit(RLIMIT_NOFILE, &files);
    uint64_t most = files.rlim_cur > 2 * RPC_SPARE_FILES
                  ? files.rlim_cur - RPC_SPARE_FILES : RPC_SPARE_FILES;
    c->threads = c->threads ? c->threads : sys_cpus();
    c->max_streams = c->max_streams ? c->max_streams : RPC_STREAMS;
    c->max_message = c->max_message ? c->max_message : RPC_MESSAGE_BYTES;
    c->max_buffered = c->max_buffered ? c->max_buffered : RPC_BUFFERED_BYTES;
    c->max_headers = c->max_headers ? c->max_headers : RPC_HEADERS_BYTES;
    c->keepalive_ns = c->keepalive_ns ? c->keepalive_ns : RPC_KEEPALIVE_NS;
    if (!c->max_connections || c->max_connections > most)
        c->max_connections = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
    if (c->max_streams > INT32_MAX - H2_STREAMS_REFUSED)
        c->max_streams = INT32_MAX - H2_STREAMS_REFUSED;
    if (c->idle_ns < 0 || c->max_age_ns < 0 || c->keepalive_ns < 0)
        return txt_fail(why, GP_EUSAGE, "a time of the server is negative");
    c->idle_ns = rpc_time(c->idle_ns);
    c->max_age_ns = rpc_time(c->max_age_ns);
    c->keepalive_ns = rpc_time(c->keepalive_ns);
    if (c->threads > RPC_THREADS_MOST)
        return txt_fail(why, GP_EUSAGE, "%u threads: at most %d", c->threads,
                        RPC_THREADS_MOST);
    if (c->max_headers > UINT32_MAX / H2_HARD_HEADERS)
        return txt_fail(why, GP_EUSAGE, "headers of %u bytes: at most %u",
                        c->max_headers, UINT32_MAX / H2_HARD_HEADERS);
    return GP_OK;
}

/* A server without addresses or methods, owned by the caller. */
static int rpc_server_new(struct gp_server **out,
                          const struct gp_server_config *config,
                          struct gp_why *why)
{
    struct gp_server *s = mem_zalloc(sizeof *s);
    *out = NULL;
    if (!s)
        return txt_fail(why, GP_ENOMEM, "out of memory for a server");
    s->config = config ? *config : (struct gp_server_config){0};
    int e = rpc_config_check(&s->config, why);
    if (e)
        goto out;
    s->kit = (struct h2_kit){
        .up = &rpc_server_up, .http1 = rpc_http1, .server = true,
        .streams = s->config.max_streams,
        .headers_bytes = s->config.max_headers,
        .stream_window = H2_SERVER_STREAM_WINDOW,
        .conn_window = H2_SERVER_CONN_WINDOW };
    s->loop = mem_zalloc(s->config.threads * sizeof *s->loop);
    if (!s->loop || h2_kit_init(&s->kit)) {
        e = txt_fail(why, GP_ENOMEM, "out of memory for a server");
        goto out;
    }
    job_pool_init(&s->pool);
    for (unsigned i = 0; !e && i < s->config.threads; i++) {
        struct rpc_loop *l = &s->loop[i];
        e = net_loop_init(&l->net, why);
        l->server = s;
        l->net.on_turn = rpc_loop_on_turn;
        l->net.idle = &s->pool.idle;
        mem_link_init(&l->conns);
        mem_link_init(&l->ready);
        mem_link_init(&l->dirty);
    }
out:
    if (e)
        rpc_server_free(s);
    else
        *out = s;
    return e;
}

/* Add a method, whose path is copied; before the start. */
static int rpc_server_add(struct gp_server *s, const struct gp_method *method,
                          struct gp_why *why)
{
    const char *path = method->path;
    size_t n = strlen(path);
    if (s->started)
        return txt_fail(why, GP_ESTATE, "method %s: the server has started",
                        path);
    bool odd = *path != '/' || !strchr(path + 1, '/');
    for (const char *p = path; *p; p++) /* it stands in headers and metrics */
        odd |= *p <= ' ' || *p > '~' || *p == '"' || *p == '\\';
    if (odd || !method->on_message)
        return txt_fail(why, GP_EUSAGE, "method '%s': the path must look like "
                        "/package.Service/Method", path);
    for (size_t i = 0; i < s->nmethod; i++)
        if (!strcmp(s->method[i].own.path, path))
            return txt_fail(why, GP_EUSAGE, "method %s is there already",
                            path);
    struct rpc_method *v = mem_grow(s->method, &s->method_cap, s->nmethod + 1,
                                    sizeof *v);
    if (v)
        s->method = v;
    char *copy = v ? mem_arena_dup(&s->arena, path, n) : NULL;
    if (!copy || mem_index_put(&s->by_path, mem_hash(path, n),
                               (uint32_t)s->nmethod))
        return txt_fail(why, GP_ENOMEM, "out of memory for a method");
    v[s->nmethod] = (struct rpc_method){
        .own = *method, .n = n, .index = (uint32_t)s->nmethod,
        .label = smp_label_id(copy), .single = method->kind == GP_UNARY ||
                                           method->kind == GP_SERVER_STREAM };
    v[s->nmethod++].own.path = copy;
    return GP_OK;
}

/* Have s free arg with itself, and call on_drain when it begins to leave.  On
 * an error it is freed at once. */
static int rpc_server_keep(struct gp_server *s, void *arg,
                           void (*release)(void *), void (*on_drain)(void *),
                           struct gp_why *why)
{
    struct rpc_kept *k = mem_arena_alloc(&s->arena, sizeof *k);
    if (!k) {
        release(arg);
        return txt_fail(why, GP_ENOMEM, "out of memory for a service");
    }
    *k = (struct rpc_kept){ s->kept, arg, release, on_drain };
    s->kept = k;
    return GP_OK;
}

/* What is kept for s with this release function, or NULL. */
static void *rpc_server_kept(const struct gp_server *s,
                             void (*release)(void *))
{
    const struct rpc_kept *k = s->kept;
    while (k && k->free != release)
        k = k->next;
    return k ? k->arg : NULL;
}

/* The service of method number i, borrowed from s; empty where an earlier
 * method is of the same.  False past the last method. */
static bool rpc_server_service(const struct gp_server *s, size_t i,
                               struct slice *name)
{
    if (i >= s->nmethod)
        return false;
    const char *path = s->method[i].own.path;
    *name = (struct slice){ path + 1, strcspn(path + 1, "/") };
    for (size_t k = 0; k < i; k++)
        if (!strncmp(s->method[k].own.path, path, name->n + 2))
            name->n = 0;
    return true;
}

/* True when s has a method of the service. */
static bool rpc_server_serves(const struct gp_server *s, struct slice service)
{
    struct slice name;
    for (size_t i = 0; rpc_server_service(s, i, &name); i++)
        if (txt_equal(name, service) && service.n)
            return true;
    return false;
}

/* Listen on address; *bound, when not NULL, becomes the address bound, which
 * lives as long as s.  Before the start. */
static int rpc_server_listen(struct gp_server *s, const char *address,
                             const char **bound, struct gp_why *why)
{
    struct net_addr a[NET_ADDRS];
    size_t n;
    if (s->started)
        return txt_fail(why, GP_ESTATE, "cannot listen on %s: the server has "
                        "started", address);
    int e = net_addr_parse(address, false, a, &n, why);
    if (e)
        return e;
    struct rpc_listener *p = mem_arena_alloc(&s->arena, sizeof *p);
    if (!p)
        return txt_fail(why, GP_ENOMEM, "out of memory for a listener");
    int fd = net_listen(&a[0], why);
    if (fd < 0)
        return fd;
    *p = (struct rpc_listener){
        .io = { .fd = fd, .events = EPOLLIN, .arg = p,
                .on_event = rpc_listener_on_event },
        .addr = a[0], .pause = { .on_time = rpc_listener_on_time, .arg = p },
        .server = s, .next = s->listener };
    s->listener = p;
    if (bound)
        *bound = p->addr.text;
    return GP_OK;
}

/* Start the event loops; on an error nothing runs. */
static int rpc_server_start(struct gp_server *s, struct gp_why *why)
{
    int e = GP_OK;
    if (s->started)
        return txt_fail(why, GP_ESTATE, "the server has already started");
    for (unsigned i = 0; i < s->config.threads; i++) {
        mem_free(s->loop[i].tally);     /* of a start that failed */
        s->loop[i].tally = mem_zalloc((s->nmethod + 1) *
                                      sizeof *s->loop[i].tally);
        if (!s->loop[i].tally)
            return txt_fail(why, GP_ENOMEM, "out of memory for counters");
    }
    s->started = true;
    for (struct rpc_listener *p = s->listener; p && !e; p = p->next)
        if (net_io_add(&s->loop[0].net, &p->io))
            e = txt_fail(why, GP_EIO, "cannot watch %s: %s", p->addr.text,
                         strerror(errno));
    for (unsigned i = 0; !e && i < s->config.threads; i++) {
        char name[16];
        snprintf(name, sizeof name, "loop-%u", i % 1000);
        e = sys_thread_start(&s->loop[i].thread, name, false, rpc_loop_main,
                             &s->loop[i], why);
        s->loop[i].running = !e;
    }
    if (e)
        rpc_server_join(s);
    return e;
}

/* Calls of method i completed since the start, and its path, which lives as
 * long as s; false past the last method.  Any thread, after the start. */
static bool rpc_server_method(const struct gp_server *s, size_t i,
                              const char **path, uint64_t *calls)
{
    if (i >= s->nmethod)
        return false;
    *path = s->method[i].own.path;
    *calls = 0;
    for (unsigned k = 0; s->started && k < s->config.threads; k++)
        for (int code = 0; code < 17; code++)
            *calls += net_get(&s->loop[k].tally[i].code[code]);
    return true;
}

/* What a profile says of method i, for a caller that knows s only as somebody's
 * server. */
static bool rpc_server_calls_of(const void *server, size_t i,
                                struct rec_calls *out)
{
    const struct gp_server *s = server;
    *out = (struct rec_calls){0};
    if (!rpc_server_method(s, i, &out->path, &out->ended))
        return false;
    for (unsigned k = 0; s->started && k < s->config.threads; k++) {
        out->timed += net_get(&s->loop[k].tally[i].timed);
        out->timed_cpu_ns += net_get(&s->loop[k].tally[i].timed_cpu_ns);
    }
    return true;
}

/* Address number i that s listens on, the last first, as text that lives as
 * long as s; NULL past the last. */
static const char *rpc_server_address(const struct gp_server *s, size_t i)
{
    const struct rpc_listener *p = s->listener;
    while (p && i--)
        p = p->next;
    return p ? p->addr.text : NULL;
}

struct rpc_count {                      /* a method's calls, on all loops */
    const char *path;                   /* as long as the server; "": none */
    uint64_t begun, code[17], took[RPC_STEPS], took_ns;     /* as rpc_tally */
    uint64_t timed, timed_cpu_ns;
};

/* What is counted of method i, and last of the calls that reached none, into
 * *out; false past that.  Any thread, after the start. */
static bool rpc_server_count(const struct gp_server *s, size_t i,
                             struct rpc_count *out)
{
    struct rpc_count c = {
        .path = i < s->nmethod ? s->method[i].own.path : "" };
    if (i > s->nmethod)
        return false;
    for (unsigned k = 0; s->started && k < s->config.threads; k++) {
        const struct rpc_tally *t = &s->loop[k].tally[i];
        for (int code = 0; code < 17; code++)
            c.code[code] += net_get(&t->code[code]);
        for (int step = 0; step < RPC_STEPS; step++)
            c.took[step] += net_get(&t->took[step]);
        c.took_ns += net_get(&t->took_ns);
        c.timed += net_get(&t->timed);
        c.timed_cpu_ns += net_get(&t->timed_cpu_ns);
        c.begun += net_get(&t->begun);
    }
    *out = c;
    return true;
}

struct rpc_traffic {                    /* of all loops since the start */
    uint64_t accepted, closed[H2_ENDS]; /* connections; by reason */
    uint64_t bytes_in, bytes_out;
};

/* What is counted of connections; any thread. */
static struct rpc_traffic rpc_server_traffic(const struct gp_server *s)
{
    struct rpc_traffic t = {0};
    for (unsigned k = 0; k < s->config.threads; k++) {
        const struct rpc_loop *l = &s->loop[k];
        for (int end = 0; end < H2_ENDS; end++)
            t.closed[end] += net_get(&l->closed[end]);
        t.accepted += net_get(&l->accepted);
        t.bytes_in += net_get(&l->net.bytes_in);
        t.bytes_out += net_get(&l->net.bytes_out);
    }
    return t;
}

/* Calls completed since the start, on all methods; any thread. */
static uint64_t rpc_server_calls(const struct gp_server *s)
{
    uint64_t sum = 0, n;
    const char *path;
    for (size_t i = 0; rpc_server_method(s, i, &path, &n); i++)
        sum += n;
    return sum;
}

/* Give task(loop) to each loop of s; how many took it. */
static unsigned rpc_server_tell(struct gp_server *s, void (*task)(void *))
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->config.threads; i++)
        n += !net_loop_post(&s->loop[i].net, task, &s->loop[i]);
    return n;
}

/* Task: the open calls of methods that have on_poke hear it. */
static void rpc_loop_poke(void *arg)
{
    struct rpc_loop *l = arg;
    for (struct link *i = l->conns.next; i != &l->conns; i = i->next) {
        struct rpc_conn *c = MEM_OF(i, struct rpc_conn, of_loop);
        for (struct link *j = c->calls.next; j != &c->calls; j = j->next) {
            struct gp_call *k = MEM_OF(j, struct gp_call, of_conn);
            if (k->method && k->method->own.on_poke && !k->answered &&
                k->half)
                rpc_call_ready(k, RPC_POKE);
        }
    }
}

/* Have all open calls of methods that have on_poke hear it soon; any thread. */
static void rpc_server_poke(struct gp_server *s)
{
    if (s->started)
        (void)rpc_server_tell(s, rpc_loop_poke);
}

/* Stop accepting, tell the clients, and wait at most grace_ns for the calls in
 * flight; then close what is left.  Returns the calls that were cut off.  Looks
 * every millisecond: this happens once in a server's life. */
static uint64_t rpc_server_drain(struct gp_server *s, int64_t grace_ns)
{
    const struct timespec ms = { 0, 1000000 };
    if (!s->started || !s->loop[0].running)
        return 0;
    int64_t until = sys_now_ns() + grace_ns;
    for (struct rpc_kept *k = s->kept; k; k = k->next)
        if (k->on_drain)
            k->on_drain(k->arg);
    rpc_server_poke(s);
    (void)net_loop_post(&s->loop[0].net, rpc_server_deafen, s);
    (void)rpc_server_tell(s, rpc_loop_drain);
    while (rpc_server_conns(s) && sys_now_ns() < until)
        nanosleep(&ms, NULL);
    atomic_store(&s->acks, 0);
    unsigned told = rpc_server_tell(s, rpc_loop_cut);
    until = sys_now_ns() + RPC_STUCK_NS;
    while (atomic_load(&s->acks) < told && sys_now_ns() < until)
        nanosleep(&ms, NULL);
    s->stuck = atomic_load(&s->acks) < told;
    return net_get(&s->cut);
}

/* ---- client ---- */

enum rpc_kind {                         /* how a call ended */
    RPC_OK,                             /* status 0 and the messages it needs */
    RPC_STATUS,                         /* another grpc-status */
    RPC_HTTP,                           /* no grpc-status: detail is :status */
    RPC_RESET,                          /* RST_STREAM: detail is its code */
    RPC_PROTOCOL,                       /* not what gRPC allows */
    RPC_LOST,                           /* connection gone: an h2_end */
    RPC_DEADLINE,                       /* our own deadline */
};

struct rpc_result {
    enum rpc_kind kind;
    int           status;               /* grpc status, 0..16, or mapped */
    uint32_t      detail;               /* see rpc_kind */
    const char   *text;                 /* more about it; borrowed */
    bool          unseen;               /* not processed: may be sent again */
};

struct rpc_request {                    /* headers of calls; read only */
    nghttp2_nv    nv[10 + RPC_META_MOST];       /* point into text, constants */
    size_t        n;                    /* headers in nv */
    struct arena  text;                 /* of the headers' values */
};

struct rpc_payload {                    /* messages of a call, read only */
    struct buf    frames;               /* prefixes and messages */
    uint32_t      n;                    /* messages */
};

struct rpc_chan;
struct rpc_out;

struct rpc_chan_up {                    /* what the section above hears */
    void (*on_ready)(struct rpc_chan *ch);
    void (*on_first)(struct rpc_chan *ch, struct rpc_out *u);
                                        /* a response begins; or NULL */
    void (*on_message)(struct rpc_chan *ch, struct rpc_out *u);
                                        /* one is complete, in u->keep if that
                                         * is set; or NULL */
    void (*on_done)(struct rpc_chan *ch, struct rpc_out *u,
                    const struct rpc_result *r);        /* u may start again */
    void (*on_goaway)(struct rpc_chan *ch);     /* takes no new calls */
    void (*on_lost)(struct rpc_chan *ch);       /* after on_done of all */
    void (*on_gone)(struct rpc_chan *ch);       /* may release ch */
};

struct rpc_out {                        /* one call, client's end */
    struct rpc_chan  *chan;             /* borrowed; NULL: not in flight */
    struct rpc_out   *prev, *next;      /* of chan */
    struct h2_body    body;
    struct rpc_frame  frame;
    struct buf       *keep;             /* borrowed: the message that comes is
                                         * put in there, unless it is larger
                                         * than RPC_KEPT_REPLY_BYTES; NULL: it
                                         * is only counted */
    int32_t           id;               /* of its stream */
    int16_t           http;             /* :status; 0: none yet */
    int16_t           status;           /* grpc-status; -1: none yet */
    bool              many;             /* any number of messages is right */
    bool              begun;            /* a header came */
    bool              grpc;             /* content-type is gRPC's */
    bool              gzip;             /* grpc-encoding is gzip */
    bool              ended;            /* END_STREAM came */
    bool              bad;              /* a message that cannot be right */
    bool              over;             /* too many headers */
    char              text[64];         /* of grpc-message, as it came; cut */
};

struct rpc_chan {
    struct h2_conn    h2;               /* first */
    const struct rpc_chan_up *up;       /* borrowed */
    void             *owner;            /* of up's; borrowed */
    struct rpc_out   *calls;            /* in flight; borrowed */
    bool              gzip;             /* replies may be compressed */
};

/* The grpc status for a response without one ([GRPC] http mapping). */
static int rpc_status_of_http(int http)
{
    switch (http) {
    case 400: case 431: return GP_STATUS_INTERNAL;
    case 401: return GP_STATUS_UNAUTHENTICATED;
    case 403: return GP_STATUS_PERMISSION_DENIED;
    case 404: return GP_STATUS_UNIMPLEMENTED;
    case 429: case 502: case 503: case 504: return GP_STATUS_UNAVAILABLE;
    default: return GP_STATUS_UNKNOWN;
    }
}

/* The grpc status for an RST_STREAM's code ([GRPC] Errors). */
static int rpc_status_of_reset(uint32_t code)
{
    switch (code) {
    case NGHTTP2_REFUSED_STREAM: return GP_STATUS_UNAVAILABLE;
    case NGHTTP2_CANCEL: return GP_STATUS_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM: return GP_STATUS_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY: return GP_STATUS_PERMISSION_DENIED;
    default: return GP_STATUS_INTERNAL;
    }
}

/* Judge a response that came to its end. */
static struct rpc_result rpc_out_judge(const struct rpc_out *u)
{
    struct rpc_result r = { .kind = RPC_PROTOCOL,
                            .status = GP_STATUS_INTERNAL };
    if (u->over) {
        r.text = "more headers than the limit";
    } else if (u->status > 0) {
        r = (struct rpc_result){ RPC_STATUS, u->status, 0, u->text, false };
    } else if (u->status < 0) {
        r.kind = u->http == 200 && u->grpc ? RPC_PROTOCOL : RPC_HTTP;
        r.status = rpc_status_of_http(u->http);
        r.detail = (uint32_t)u->http;
        r.text = u->http != 200 ? "no grpc-status"
               : u->grpc ? "no grpc-status in the trailers"
                         : "no grpc-status; content-type is not gRPC's";
    } else if (u->bad || rpc_frame_cut(&u->frame)) {
        r.text = u->bad ? "malformed message" : "cut message";
    } else if (u->frame.count != 1 && !u->many) {
        r.text = u->frame.count ? "more than one message" : "no message";
    } else {
        r = (struct rpc_result){ .kind = RPC_OK };
    }
    return r;
}

/* Take u out of its channel's list. */
static void rpc_out_unlink(struct rpc_out *u)
{
    if (u->next)
        u->next->prev = u->prev;
    if (u->prev)
        u->prev->next = u->next;
    else
        u->chan->calls = u->next;
    u->chan = NULL;
}

/* One header of a response or of its trailers. */
static void rpc_chan_on_header(struct h2_conn *h2, void *stream,
                               struct slice name, struct slice value)
{
    struct rpc_out *u = stream;
    uint64_t n;
    char digits[8] = "";
    struct slice codec;
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    if (!u->begun && ch->up->on_first)
        ch->up->on_first(ch, u);
    u->begun = true;
    if (value.n < sizeof digits && value.n)
        memcpy(digits, value.p, value.n);
    if (name.n == 7 && !memcmp(name.p, ":status", 7)) {
        u->http = txt_number(digits, 100, 999, &n) ? 0 : (int16_t)n;
        u->status = -1;                 /* a 1xx before is forgotten */
    } else if (name.n == 11 && !memcmp(name.p, "grpc-status", 11)) {
        u->status = txt_number(digits, 0, 16, &n) ? GP_STATUS_UNKNOWN
                                                  : (int16_t)n;
    } else if (name.n == 12 && !memcmp(name.p, "grpc-message", 12)) {
        size_t k = value.n < sizeof u->text ? value.n : sizeof u->text - 1;
        memcpy(u->text, value.p, k);
        u->text[k] = 0;
    } else if (name.n == 12 && !memcmp(name.p, "content-type", 12)) {
        u->grpc = rpc_content_type(value, &codec);
    } else if (name.n == 13 && !memcmp(name.p, "grpc-encoding", 13)) {
        u->gzip = txt_equal(value, txt_slice("gzip"));
    }
}

/* A header block is complete. */
static void rpc_chan_on_headers(struct h2_conn *h2, void *stream, bool over)
{
    (void)h2;
    ((struct rpc_out *)stream)->over |= over;
}

/* Take the next steps through bytes of u's response.  Only their form is looked
 * at, unless they are to be kept. */
static void rpc_out_feed(struct rpc_chan *ch, struct rpc_out *u,
                         struct slice in)
{
    struct slice part;
    enum rpc_step step;
    while ((step = rpc_frame_next(&u->frame, &in, &part)) != RPC_MORE) {
        if (step == RPC_PREFIX) {
            uint8_t flag = u->frame.prefix[0];
            u->bad |= flag > 1 || (flag && !(ch->gzip && u->gzip));
            if (u->keep)
                u->keep->len = 0;
            if (u->frame.size > RPC_KEPT_REPLY_BYTES)
                u->keep = NULL;
        } else if (step == RPC_BYTES && u->keep) {
            mem_put(u->keep, part.p, part.n);
        } else if (step == RPC_WHOLE && ch->up->on_message) {
            ch->up->on_message(ch, u);
        }
    }
}

/* Bytes of a response. */
static void rpc_chan_on_data(struct h2_conn *h2, void *stream,
                             const uint8_t *p, size_t n, bool last)
{
    (void)last;
    rpc_out_feed((struct rpc_chan *)h2, stream,
                 (struct slice){ (const char *)p, n });
}

/* A response came to its end; the call is over when the stream closes. */
static void rpc_chan_on_end(struct h2_conn *h2, void *stream)
{
    struct rpc_out *u = stream;
    rpc_out_feed((struct rpc_chan *)h2, u, (struct slice){0});  /* an empty
                                         * message */
    u->ended = true;
}

/* A call's stream is closed. */
static void rpc_chan_on_close(struct h2_conn *h2, void *stream, uint32_t code,
                              bool by_peer)
{
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    struct rpc_out *u = stream;
    struct rpc_result r = { .kind = RPC_RESET, .detail = code,
                            .status = rpc_status_of_reset(code),
                            .text = nghttp2_http2_strerror(code) };
    if (u->ended) {
        r = rpc_out_judge(u);
    } else if (!by_peer && code == NGHTTP2_REFUSED_STREAM) {
        /* Closed by a GOAWAY that names an earlier stream as the last. */
        r.kind = RPC_LOST;
        r.unseen = true;
        r.text = "not processed before the server's GOAWAY";
    } else if (!by_peer) {
        r.kind = RPC_PROTOCOL;
        r.status = GP_STATUS_INTERNAL;
        r.text = "response that breaks HTTP/2";
    }
    rpc_out_unlink(u);
    ch->up->on_done(ch, u, &r);
}

/* The server's SETTINGS are here. */
static void rpc_chan_on_ready(struct h2_conn *h2)
{
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    ch->up->on_ready(ch);
}

/* The server's GOAWAY is here. */
static void rpc_chan_on_goaway(struct h2_conn *h2)
{
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    ch->up->on_goaway(ch);
}

/* The connection is of no more use: its calls end.  Those that never left
 * may be sent again elsewhere. */
static void rpc_chan_on_lost(struct h2_conn *h2)
{
    static const char *const text[] = {
        [H2_END_EOF] = "the server closed the connection",
        [H2_END_IO] = "connection lost",
        [H2_END_TIMEOUT] = "connection timed out",
        [H2_END_PROTOCOL] = "the server broke HTTP/2",
        [H2_END_DONE] = "HTTP/2 ended the connection",
        [H2_END_LOCAL] = "the client closed the connection",
    };
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    while (ch->calls) {
        struct rpc_out *u = ch->calls;
        struct rpc_result r = { .kind = RPC_LOST,
                                .status = GP_STATUS_UNAVAILABLE,
                                .detail = (uint32_t)h2->end,
                                .text = text[h2->end] };
        if (h2->session)
            r.unseen = !nghttp2_session_find_stream(h2->session, u->id);
        h2_stream_set(h2, u->id, NULL);
        rpc_out_unlink(u);
        ch->up->on_done(ch, u, &r);
    }
    ch->up->on_lost(ch);
}

/* The connection's socket is closed. */
static void rpc_chan_on_gone(struct h2_conn *h2)
{
    struct rpc_chan *ch = (struct rpc_chan *)h2;
    ch->up->on_gone(ch);
}

static const struct h2_up rpc_client_up = {
    .on_header = rpc_chan_on_header, .on_headers = rpc_chan_on_headers,
    .on_data = rpc_chan_on_data, .on_end = rpc_chan_on_end,
    .on_close = rpc_chan_on_close, .on_ready = rpc_chan_on_ready,
    .on_goaway = rpc_chan_on_goaway, .on_lost = rpc_chan_on_lost,
    .on_gone = rpc_chan_on_gone,
};

/* The kit for channels, to be made ready by h2_kit_init. */
static struct h2_kit rpc_client_kit(void)
{
    return (struct h2_kit){
        .up = &rpc_client_up, .headers_bytes = 4 * RPC_HEADERS_BYTES,
        .stream_window = H2_CLIENT_WINDOW, .conn_window = H2_CLIENT_WINDOW };
}

/* Connect ch, which must not move until on_gone, to addr: on_ready or on_lost
 * follows within timeout_ns.  On an error ch->h2.error has errno and nothing
 * follows. */
static int rpc_chan_open(struct rpc_chan *ch, const struct h2_kit *kit,
                         struct net_loop *loop, const struct net_addr *addr,
                         int64_t timeout_ns, const struct rpc_chan_up *up,
                         void *owner)
{
    ch->up = up;
    ch->owner = owner;
    ch->calls = NULL;
    return h2_connect(&ch->h2, kit, loop, addr, timeout_ns);
}

/* True while ch takes new calls. */
static bool rpc_chan_usable(const struct rpc_chan *ch)
{
    return ch->h2.state == H2_OPEN && !ch->h2.goaway && !ch->h2.end;
}

/* Bytes of the message at p, one of payload's, with its prefix. */
static size_t rpc_payload_next(const struct rpc_payload *payload,
                               const uint8_t *p)
{
    size_t left = payload->frames.len - (size_t)(p - payload->frames.data);
    return left < 5 ? left : 5 + ((size_t)p[1] << 24 | (size_t)p[2] << 16 |
                                  (size_t)p[3] << 8 | p[4]);
}

/* Begin u on ch with the n headers nv and the payload, which is borrowed
 * until on_done, as are values that nv says not to copy; the next h2_kick or
 * the end of ch's turn sends it.  u->many and u->keep are the caller's.
 * With wait only the first message is sent, and rpc_chan_more sends the
 * others.  GP_ESTATE: ch takes no more calls. */
static int rpc_chan_start(struct rpc_chan *ch, struct rpc_out *u,
                          const nghttp2_nv *nv, size_t n,
                          const struct rpc_payload *payload, bool wait)
{
    const struct buf *b = &payload->frames;
    u->frame = (struct rpc_frame){0};
    u->body = (struct h2_body){ .p = b->data, .n = b->len };
    if (wait && payload->n > 1) {
        u->body.n = rpc_payload_next(payload, b->data);
        u->body.more = true;
    }
    u->http = 0;
    u->status = -1;
    u->begun = u->grpc = u->gzip = u->ended = u->bad = u->over = false;
    u->text[0] = 0;
    if (!rpc_chan_usable(ch))
        return GP_ESTATE;
    u->id = h2_request(&ch->h2, nv, n, &u->body, u);
    if (u->id < 0)
        return u->id;
    u->chan = ch;
    u->prev = NULL;
    u->next = ch->calls;
    if (u->next)
        u->next->prev = u;
    ch->calls = u;
    return GP_OK;
}

/* Send the message of payload that u has not sent yet, and its end behind the
 * last one; false when that was it.  Outside callbacks the caller kicks. */
static bool rpc_chan_more(struct rpc_out *u, const struct rpc_payload *payload)
{
    const uint8_t *end = payload->frames.data + payload->frames.len;
    const uint8_t *next = u->body.p + u->body.n;
    u->body.n += rpc_payload_next(payload, next);
    next = u->body.p + u->body.n;
    u->body.more = next < end;
    h2_resume(&u->chan->h2, u->id, &u->body);
    return u->body.more;
}

/* Give u up: RST_STREAM(CANCEL), and no on_done. */
static void rpc_chan_cancel(struct rpc_out *u)
{
    h2_cancel(&u->chan->h2, u->id, NGHTTP2_CANCEL);
    rpc_out_unlink(u);
}

/* Add a header to q; both are copied.  GP_ELIMIT, GP_ENOMEM. */
static int rpc_request_header(struct rpc_request *q, struct slice name,
                              struct slice value)
{
    char *key = mem_arena_dup(&q->text, name.p, name.n);
    char *copy = key ? mem_arena_dup(&q->text, value.p, value.n) : NULL;
    if (q->n == sizeof q->nv / sizeof *q->nv)
        return GP_ELIMIT;
    if (!copy)
        return GP_ENOMEM;
    q->nv[q->n++] = (nghttp2_nv){
        (uint8_t *)key, (uint8_t *)copy, name.n, value.n,
        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };
    return GP_OK;
}

/* Release q; a zero q is fine. */
static void rpc_request_fini(struct rpc_request *q)
{
    mem_arena_fini(&q->text);
    *q = (struct rpc_request){0};
}

/* Make q: calls of path at authority, copied, in the order of [GRPC]; metadata
 * is for rpc_request_header.  The timeout is the same text for every call, so
 * that HPACK sends it as one byte; 0: none.  There is no content-length, which
 * nghttp2's HPACK never indexes. */
static int rpc_request_init(struct rpc_request *q, const char *path,
                            const char *authority, int64_t timeout_ns,
                            bool gzip)
{
    char timeout[12] = "";
    const char *const header[][2] = {
        { ":method", "POST" }, { ":scheme", "http" }, { ":path", path },
        { ":authority", authority }, { "grpc-timeout", timeout },
        { "te", "trailers" }, { "content-type", "application/grpc" },
        { "user-agent", "grpc-c-grpcprof/" GP_VERSION },
        { "grpc-encoding", gzip ? "gzip" : "" },
        { "grpc-accept-encoding", gzip ? "identity,gzip" : "" },
    };
    int e = GP_OK;
    *q = (struct rpc_request){0};
    if (timeout_ns)
        rpc_timeout_text(timeout_ns, timeout);
    for (size_t i = 0; !e && i < sizeof header / sizeof *header; i++)
        if (header[i][1][0])
            e = rpc_request_header(q, txt_slice(header[i][0]),
                                   txt_slice(header[i][1]));
    if (e)
        rpc_request_fini(q);
    return e;
}

/* Release p; a zero p is fine. */
static void rpc_payload_fini(struct rpc_payload *p)
{
    mem_fini(&p->frames);
    *p = (struct rpc_payload){0};
}

/* Append message, which is copied, to p; gzip: compressed. */
static int rpc_payload_add(struct rpc_payload *p, struct slice message,
                           bool gzip)
{
    uint8_t prefix[5];
    struct buf z = {0};
    if (gzip && gz_deflate(message.p, message.n, &z))
        z.err = GP_ENOMEM;
    size_t n = gzip ? z.len : message.n;
    rpc_frame_prefix(prefix, n);
    prefix[0] = gzip;
    mem_put(&p->frames, prefix, sizeof prefix);
    mem_put(&p->frames, gzip ? (const char *)z.data : message.p, n);
    p->n++;
    int e = z.err ? z.err : p->frames.err;
    mem_fini(&z);
    return e;
}

/* ================================== 21 SVC ==================================
 * for     the services that serve offers: Greeter, Health, Reflection, and
 *         TestService for interoperability tests
 * uses    MEM, TXT, PB, DSC, RPC
 * owns    what its services keep; the caller holds struct svc_greeter
 * spec    proto/ has a file for each; grpc/doc health-checking.md and
 *         server-reflection.md; interop-test-descriptions.md
 * prefix  svc_
 * runs    on the event loops, many at once
 *
 *   HelloRequest  0a 05 77 6f 72 6c 64       1: "world"
 *   HelloReply    1: "Hello world! (request #1)"
 *
 * Invariant  each SayHello gets a number of its own, from 1, in no order that
 *            clients may rely on.
 */

struct svc_greeter {
    uint64_t         work;              /* iterations in each call */
    _Atomic uint64_t count;             /* calls begun; shared by the loops */
};

/* The sum of i * i for i < n, modulo 2^64, computed the long way.
 *
 * The empty assembly after each addition is why: the compiler must have the
 * sum in a register there, so that it can neither skip the loop nor turn it
 * into n(n-1)(2n-1)/6 or vectors.  The alignment is why: the loop is five
 * instructions, and costs 14 us per 50,000 when they lie in one cache line
 * and 28 us when they straddle two. */
__attribute__((noinline, aligned(64)))
static uint64_t svc_work(uint64_t n)
{
    uint64_t sum = 0, i = 0;
    if (n == 0)
        return 0;
    __asm__ volatile(".p2align 6" : "+r"(sum), "+r"(i), "+r"(n));
    do {
        sum += i * i;
        __asm__ volatile("" : "+r"(sum));
    } while (++i < n);
    return sum;
}

/* The name in a HelloRequest, borrowed from it; "" when absent.  The last one
 * counts, and unknown fields are skipped [PB]. */
static int svc_hello_parse(struct gp_slice request, struct slice *name)
{
    const uint8_t *p = request.data;
    struct pb_in in = { p, p ? p + request.len : p };
    struct pb_field f;
    int r;
    *name = (struct slice){0};
    while ((r = pb_get_field(&in, &f)) > 0)
        if (f.number == 1 && f.type == PB_BYTES) {
            name->p = (const char *)f.bytes.p;
            name->n = (size_t)(f.bytes.end - f.bytes.p);
        }
    if (r < 0)
        return r;
    for (size_t i = 0, n; i < name->n; i += n)
        if (!(n = txt_utf8(name->p + i, name->n - i)))
            return GP_EFORMAT;
    return GP_OK;
}

/* Decimal digits of v into text[20]; returns how many. */
static size_t svc_digits(uint64_t v, char *text)
{
    char reversed[20];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + v % 10);
    while (v /= 10);
    for (size_t i = 0; i < n; i++)
        text[i] = reversed[n - 1 - i];
    return n;
}

/* ---- greeter ---- */

/* Send the greeting for one request, after the work; false when k has failed,
 * or takes no more for now. */
static bool svc_greet(struct gp_call *call, struct slice name,
                      struct svc_greeter *g)
{
    char number[20];
    uint64_t seq = atomic_fetch_add_explicit(&g->count, 1,
                                             memory_order_relaxed) + 1;
    /* The sum is used by nothing, in a way that the compiler cannot see. */
    __asm__ volatile("" : : "r"(svc_work(g->work)));
    size_t n = svc_digits(seq, number);
    struct buf *out = rpc_message_begin(call);
    pb_put_varint(out, 1 << 3 | PB_BYTES);
    pb_put_varint(out, name.n + n + sizeof "Hello ! (request #)" - 1);
    uint8_t *p = mem_reserve(out, name.n + n + sizeof "Hello ! (request #)");
    if (p) {
        memcpy(p, "Hello ", 6);
        if (name.n)
            memcpy(p + 6, name.p, name.n);
        memcpy(p + 6 + name.n, "! (request #", 12);
        memcpy(p + 18 + name.n, number, n);
        p[18 + name.n + n] = ')';
        out->len += 19 + name.n + n;
    }
    return !rpc_message_end(call);
}

/* The name in request; false after failing call. */
static bool svc_hello_name(struct gp_call *call, struct gp_slice request,
                           struct slice *name)
{
    if (!svc_hello_parse(request, name))
        return true;
    rpc_call_fail(call, GP_STATUS_INTERNAL,
                  "HelloRequest is not valid protobuf");
    return false;
}

/* Answer SayHello. */
static void svc_hello(struct gp_call *call, struct gp_slice request, void *arg)
{
    struct slice name;
    if (!svc_hello_name(call, request, &name))
        return;
    (void)svc_greet(call, name, arg);
    rpc_call_finish(call, GP_STATUS_OK, "");
}

/* Answer one message of SayHelloBidiStream. */
static void svc_hello_bidi(struct gp_call *call, struct gp_slice request,
                           void *arg)
{
    struct slice name;
    if (svc_hello_name(call, request, &name))
        (void)svc_greet(call, name, arg);
}

/* The client of a stream has said all: so have we. */
static void svc_half_close(struct gp_call *call, void *arg)
{
    (void)arg;
    rpc_call_finish(call, GP_STATUS_OK, "");
}

enum { SVC_GREETINGS = 10 };            /* of SayHelloStreamReply */

struct svc_stream {                     /* what is kept of one */
    struct slice name;                  /* in the call's arena */
    int left;                           /* greetings to be sent */
};

/* Send what is left of SayHelloStreamReply, as far as there is room. */
static void svc_hello_more(struct gp_call *call, void *arg)
{
    struct svc_stream *s = rpc_call_state(call, sizeof *s);
    while (s->left && !rpc_call_cancelled(call)) {
        s->left--;
        if (!svc_greet(call, s->name, arg))
            break;
    }
    if (!s->left)
        rpc_call_finish(call, GP_STATUS_OK, "");
}

/* Answer SayHelloStreamReply. */
static void svc_hello_stream(struct gp_call *call, struct gp_slice request,
                             void *arg)
{
    struct svc_stream *s = rpc_call_state(call, sizeof *s);
    struct slice name;
    const char *copy;
    if (!svc_hello_name(call, request, &name))
        return;
    if (!s || !(copy = rpc_call_text(call, name))) {
        rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *s = (struct svc_stream){ { copy, name.n }, SVC_GREETINGS };
    svc_hello_more(call, arg);
}

/* Add the n methods at m to s. */
static int svc_add(struct gp_server *s, const struct gp_method *m, size_t n,
                   struct gp_why *why)
{
    int e = GP_OK;
    for (size_t i = 0; !e && i < n; i++)
        e = rpc_server_add(s, &m[i], why);
    return e;
}

#define SVC_ADD(s, m, why) svc_add(s, m, sizeof(m) / sizeof *(m), why)

/* Offer helloworld.Greeter, answered by g, which outlives s. */
static int svc_greeter_add(struct gp_server *s, struct svc_greeter *g,
                           struct gp_why *why)
{
    const struct gp_method m[] = {
        { .path = "/helloworld.Greeter/SayHello", .on_message = svc_hello,
          .service = g, .run = GP_RUN_POOL },
        { .path = "/helloworld.Greeter/SayHelloStreamReply",
          .kind = GP_SERVER_STREAM, .on_message = svc_hello_stream,
          .on_writable = svc_hello_more, .service = g, .run = GP_RUN_POOL },
        { .path = "/helloworld.Greeter/SayHelloBidiStream", .kind = GP_BIDI,
          .on_message = svc_hello_bidi, .on_half_close = svc_half_close,
          .service = g, .run = GP_RUN_POOL },
    };
    return SVC_ADD(s, m, why);
}

/* ---- grpc.health.v1 ---- */

struct svc_status {                     /* what was said of a service */
    char *name;                         /* in the arena */
    enum gp_health status;
};

struct svc_health {
    const struct gp_server *server;     /* borrowed */
    pthread_mutex_t lock;               /* guards the rest */
    struct arena arena;
    struct svc_status *v;               /* owned */
    size_t n, cap;
    bool down;                          /* the server is draining */
};

/* The status of a service: "" and those that are served are SERVING until
 * something else is said. */
static enum gp_health svc_health_status(struct svc_health *h,
                                        struct slice service)
{
    enum gp_health status = GP_HEALTH_UNKNOWN_SERVICE;
    pthread_mutex_lock(&h->lock);
    if (!service.n || rpc_server_serves(h->server, service))
        status = GP_HEALTH_SERVING;
    for (size_t i = 0; i < h->n; i++)
        if (txt_equal(txt_slice(h->v[i].name), service))
            status = h->v[i].status;
    if (h->down && status != GP_HEALTH_UNKNOWN_SERVICE)
        status = GP_HEALTH_NOT_SERVING;
    pthread_mutex_unlock(&h->lock);
    return status;
}

/* Release the arg of svc_health_add. */
static void svc_health_free(void *arg)
{
    struct svc_health *h = arg;
    pthread_mutex_destroy(&h->lock);
    mem_arena_fini(&h->arena);
    mem_free(h->v);
    mem_free(h);
}

/* Note what is said of a service; its watchers hear of it soon.  GP_ESTATE: s
 * has no Health. */
static int svc_health_set(struct gp_server *s, const char *service,
                          enum gp_health status)
{
    struct svc_health *h = rpc_server_kept(s, svc_health_free);
    struct svc_status *row = NULL;
    if (!h)
        return GP_ESTATE;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->n && !row; i++)
        if (!strcmp(h->v[i].name, service))
            row = &h->v[i];
    char *name = row ? row->name
                     : mem_arena_dup(&h->arena, service, strlen(service));
    if (!row && name && (row = mem_grow(h->v, &h->cap, h->n + 1,
                                        sizeof *row))) {
        h->v = row;
        row += h->n++;
    }
    if (row && name)
        *row = (struct svc_status){ name, status };
    pthread_mutex_unlock(&h->lock);
    rpc_server_poke(s);
    return row && name ? GP_OK : GP_ENOMEM;
}

/* The server begins to leave. */
static void svc_health_drain(void *arg)
{
    struct svc_health *h = arg;
    pthread_mutex_lock(&h->lock);
    h->down = true;
    pthread_mutex_unlock(&h->lock);
}

/* The service that a HealthCheckRequest names; false after failing call. */
static bool svc_health_parse(struct gp_call *call, struct gp_slice request,
                             struct slice *service)
{
    if (!svc_hello_parse(request, service))     /* field 1, a string: alike */
        return true;
    rpc_call_fail(call, GP_STATUS_INTERNAL,
                  "HealthCheckRequest is not valid protobuf");
    return false;
}

/* Send a HealthCheckResponse. */
static void svc_health_say(struct gp_call *call, enum gp_health status)
{
    pb_put_uint(rpc_message_begin(call), 1, (uint64_t)status);
    (void)rpc_message_end(call);
}

/* Health.Check. */
static void svc_health_check(struct gp_call *call, struct gp_slice request,
                             void *arg)
{
    struct slice service;
    if (!svc_health_parse(call, request, &service))
        return;
    enum gp_health status = svc_health_status(arg, service);
    if (status == GP_HEALTH_UNKNOWN_SERVICE) {
        rpc_call_fail(call, GP_STATUS_NOT_FOUND, "unknown service");
        return;
    }
    svc_health_say(call, status);
    rpc_call_finish(call, GP_STATUS_OK, "");
}

struct svc_watch {                      /* what is kept of a Watch */
    struct slice service;               /* in the call's arena */
    enum gp_health said;
    bool begun;
};

/* Say the status where it has changed; a server that leaves ends the stream. */
static void svc_health_poke(struct gp_call *call, void *arg)
{
    struct svc_health *h = arg;
    struct svc_watch *w = rpc_call_state(call, sizeof *w);
    if (!w || !w->begun)
        return;
    enum gp_health status = svc_health_status(h, w->service);
    if (status != w->said)
        svc_health_say(call, status);
    w->said = status;
    pthread_mutex_lock(&h->lock);
    bool down = h->down;
    pthread_mutex_unlock(&h->lock);
    if (down)
        rpc_call_finish(call, GP_STATUS_UNAVAILABLE, "the server is leaving");
}

/* Health.Watch. */
static void svc_health_watch(struct gp_call *call, struct gp_slice request,
                             void *arg)
{
    struct svc_watch *w = rpc_call_state(call, sizeof *w);
    struct slice service;
    const char *copy;
    if (!svc_health_parse(call, request, &service))
        return;
    if (!w || !(copy = rpc_call_text(call, service))) {
        rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    w->service = (struct slice){ copy, service.n };
    w->said = svc_health_status(arg, w->service);
    w->begun = true;
    svc_health_say(call, w->said);
    svc_health_poke(call, arg);
}

/* Append an entry of List's map: the status of service. */
static void svc_health_entry(struct buf *b, struct svc_health *h,
                             struct slice service)
{
    struct buf entry = {0}, value = {0};
    pb_put_uint(&value, 1, (uint64_t)svc_health_status(h, service));
    pb_put_bytes(&entry, 1, service.p, service.n);
    pb_put_message(&entry, 2, &value);
    pb_put_message(b, 1, &entry);
    mem_fini(&entry);
    mem_fini(&value);
}

/* The name in row i of what was said; false past the last. */
static bool svc_health_row(struct svc_health *h, size_t i, struct slice *name)
{
    pthread_mutex_lock(&h->lock);
    bool there = i < h->n;
    if (there)
        *name = txt_slice(h->v[i].name);
    pthread_mutex_unlock(&h->lock);
    return there;
}

/* Health.List. */
static void svc_health_list(struct gp_call *call, struct gp_slice request,
                            void *arg)
{
    struct svc_health *h = arg;
    struct buf *out = rpc_message_begin(call);
    struct slice service;
    (void)request;
    svc_health_entry(out, h, txt_slice(""));
    for (size_t i = 0; rpc_server_service(h->server, i, &service); i++)
        if (service.n)
            svc_health_entry(out, h, service);
    for (size_t i = 0; svc_health_row(h, i, &service); i++)
        if (service.n && !rpc_server_serves(h->server, service))
            svc_health_entry(out, h, service);
    rpc_call_send(call);
}

/* Offer grpc.health.v1.Health. */
static int svc_health_add(struct gp_server *s, struct gp_why *why)
{
    struct svc_health *h = mem_zalloc(sizeof *h);
    if (!h)
        return txt_fail(why, GP_ENOMEM, "out of memory for a service");
    h->server = s;
    pthread_mutex_init(&h->lock, NULL);
    int e = rpc_server_keep(s, h, svc_health_free, svc_health_drain, why);
    if (e)
        return e;
    const struct gp_method m[] = {
        { .path = "/grpc.health.v1.Health/Check",
          .on_message = svc_health_check, .service = h },
        { .path = "/grpc.health.v1.Health/List",
          .on_message = svc_health_list, .service = h },
        { .path = "/grpc.health.v1.Health/Watch", .kind = GP_SERVER_STREAM,
          .on_message = svc_health_watch, .on_poke = svc_health_poke,
          .service = h },
    };
    return SVC_ADD(s, m, why);
}

/* ---- grpc.reflection, v1 and v1alpha ---- */

struct svc_reflection {
    const struct gp_server *server;     /* borrowed */
    struct dsc dsc;                     /* the files that it knows */
};

/* Append field 4, a FileDescriptorResponse: file i and all that it imports. */
static void svc_reflection_files(struct svc_reflection *r, uint32_t i,
                                 struct buf *out)
{
    struct buf part = {0};
    dsc_put_closure(&r->dsc, i, 1, &part);
    pb_put_message(out, 4, &part);
    mem_fini(&part);
}

/* Append field 7, an ErrorResponse; the stream goes on. */
static void svc_reflection_error(struct buf *out, enum gp_status code,
                                 const char *text)
{
    struct buf part = {0};
    pb_put_uint(&part, 1, (uint64_t)code);
    pb_put_bytes(&part, 2, text, strlen(text));
    pb_put_message(out, 7, &part);
    mem_fini(&part);
}

/* Append field 6, a ListServiceResponse. */
static void svc_reflection_list(const struct svc_reflection *r,
                                struct buf *out)
{
    struct buf part = {0}, service = {0};
    struct slice name;
    for (size_t i = 0; rpc_server_service(r->server, i, &name); i++) {
        if (!name.n)
            continue;
        pb_put_bytes(&service, 1, name.p, name.n);
        pb_put_message(&part, 1, &service);
    }
    pb_put_message(out, 6, &part);
    mem_fini(&part);
    mem_fini(&service);
}

/* Append the answer to f, a member of the oneof in a request. */
static void svc_reflection_answer(struct svc_reflection *r,
                                  const struct pb_field *f, struct buf *out)
{
    struct slice text = { (const char *)f->bytes.p,
                          (size_t)(f->bytes.end - f->bytes.p) };
    uint32_t i = f->number == 3 ? dsc_find_file(&r->dsc, text)
               : f->number == 4 ? dsc_find_symbol(&r->dsc, text) : MEM_NONE;
    if (f->number == 7)
        svc_reflection_list(r, out);
    else if (f->number == 5 || f->number == 6)
        svc_reflection_error(out, GP_STATUS_NOT_FOUND,
                             "there are no extensions");
    else if (i == MEM_NONE)
        svc_reflection_error(out, GP_STATUS_NOT_FOUND, f->number == 3 ?
                             "no such file" : "no such symbol");
    else
        svc_reflection_files(r, i, out);
}

/* ServerReflection.ServerReflectionInfo: one request of the stream. */
static void svc_reflection_info(struct gp_call *call, struct gp_slice request,
                                void *arg)
{
    const uint8_t *p = request.data;
    struct pb_in in = { p, p ? p + request.len : p };
    struct pb_field f, asked = {0};
    int got;
    struct buf *out = rpc_message_begin(call);
    while ((got = pb_get_field(&in, &f)) > 0) {
        if (f.number == 1 && f.type == PB_BYTES)        /* valid_host */
            pb_put_bytes(out, 1, f.bytes.p, (size_t)(f.bytes.end - f.bytes.p));
        else if (f.number >= 3 && f.number <= 7 && f.type == PB_BYTES)
            asked = f;                  /* of a oneof the last one counts */
    }
    pb_put_bytes(out, 2, request.data, request.len);
    if (got < 0)
        rpc_call_fail(call, GP_STATUS_INTERNAL,
                      "ServerReflectionRequest is not valid protobuf");
    else if (asked.number)
        svc_reflection_answer(arg, &asked, out);
    else
        svc_reflection_error(out, GP_STATUS_INVALID_ARGUMENT,
                             "the request asks for nothing");
    (void)rpc_message_end(call);
}

/* Release the arg of svc_reflection_add. */
static void svc_reflection_free(void *arg)
{
    struct svc_reflection *r = arg;
    dsc_fini(&r->dsc);
    mem_free(r);
}

/* Offer reflection of the files in set, a FileDescriptorSet that outlives s. */
static int svc_reflection_add(struct gp_server *s, struct slice set,
                              struct gp_why *why)
{
    struct svc_reflection *r = mem_zalloc(sizeof *r);
    if (!r)
        return txt_fail(why, GP_ENOMEM, "out of memory for a service");
    r->server = s;
    int e = rpc_server_keep(s, r, svc_reflection_free, NULL, why);
    e = e ? e : dsc_init(&r->dsc, set, why);
    if (e)
        return e;
    const struct gp_method m[] = {
        { .path = "/grpc.reflection.v1.ServerReflection/"
                  "ServerReflectionInfo", .kind = GP_BIDI,
          .on_message = svc_reflection_info, .on_half_close = svc_half_close,
          .service = r },
        { .path = "/grpc.reflection.v1alpha.ServerReflection/"
                  "ServerReflectionInfo", .kind = GP_BIDI,
          .on_message = svc_reflection_info, .on_half_close = svc_half_close,
          .service = r },
    };
    return SVC_ADD(s, m, why);
}

#ifdef SVC_PROTOS       /* the Makefile's: the file with a FileDescriptorSet of
                         * proto/, made by protoc; without it, no reflection */
static const unsigned char svc_protos[] = {
#include SVC_PROTOS
};
#endif

/* ---- grpc.testing.TestService ---- */

struct svc_output {                     /* a ResponseParameters */
    uint64_t size, interval_us;
    bool compressed;
};

struct svc_test {                       /* what is kept of a call */
    struct svc_output *output;          /* owned: to be sent */
    size_t n, cap, at;                  /* outputs; the next */
    uint64_t received;                  /* payload bytes */
    const char *text;                   /* of the status; in the call's arena */
    enum gp_status status;              /* to end with */
    bool waits, waited;                 /* for output[at]; long enough */
    bool over;                          /* end when all is sent */
};

struct svc_request {                    /* SimpleRequest and its like */
    uint64_t size;                      /* 2: response_size */
    uint64_t payload;                   /* 3, 1: bytes of the body */
    bool compress;                      /* 6: how to answer */
    bool expects, flagged;              /* 8, 2: how it was to be sent; said */
    uint64_t status;                    /* 7 */
    struct slice text;
};

enum {
    SVC_PAYLOAD_MOST = 64 << 20,        /* of a response: more is refused */
    SVC_OUTPUTS_MOST = 65536,           /* responses of a call not yet sent */
};

/* The varint in field number of the message in; 0 where it has none. */
static uint64_t svc_test_varint(struct pb_in in, uint32_t number)
{
    struct pb_field f;
    uint64_t v = 0;
    while (pb_get_field(&in, &f) > 0)
        if (f.number == number && f.type == PB_VARINT)
            v = f.value;
    return v;
}

/* The bytes in field number of the message in; empty where it has none. */
static struct slice svc_test_bytes(struct pb_in in, uint32_t number)
{
    struct pb_field f;
    struct slice v = {0};
    while (pb_get_field(&in, &f) > 0)
        if (f.number == number && f.type == PB_BYTES)
            v = (struct slice){ (const char *)f.bytes.p,
                                (size_t)(f.bytes.end - f.bytes.p) };
    return v;
}

/* Read a request; expect is the number of its expect_compressed, payload that
 * of its payload.  False after failing call. */
static bool svc_test_parse(struct gp_call *call, struct gp_slice request,
                           uint32_t payload, uint32_t expect,
                           struct svc_request *q)
{
    const uint8_t *p = request.data;
    struct pb_in in = { p, p ? p + request.len : p };
    struct pb_field f;
    int got;
    *q = (struct svc_request){0};
    while ((got = pb_get_field(&in, &f)) > 0) {
        if (f.type == PB_VARINT && f.number == 2)
            q->size = f.value;
        if (f.type != PB_BYTES)
            continue;
        if (f.number == payload)
            q->payload = svc_test_bytes(f.bytes, 2).n;
        else if (f.number == 6)
            q->compress = svc_test_varint(f.bytes, 1);
        else if (f.number == 7) {
            q->status = svc_test_varint(f.bytes, 1);
            q->text = svc_test_bytes(f.bytes, 2);
        }
        if (f.number == expect) {
            q->flagged = true;
            q->expects = svc_test_varint(f.bytes, 1);
        }
    }
    if (got < 0)
        rpc_call_fail(call, GP_STATUS_INTERNAL,
                      "the request is not valid protobuf");
    else if (q->flagged && q->expects && !rpc_call_compressed(call))
        rpc_call_fail(call, GP_STATUS_INVALID_ARGUMENT,
                      "the request was to be compressed, and is not");
    else
        return true;
    return false;
}

/* Send a payload of size zeros as field 1; as rpc_message_end. */
static int svc_test_payload(struct gp_call *call, uint64_t size)
{
    struct buf *out = rpc_message_begin(call), head = {0};
    pb_put_varint(&head, 2 << 3 | PB_BYTES);
    pb_put_varint(&head, size);
    pb_put_varint(out, 1 << 3 | PB_BYTES);
    pb_put_varint(out, head.len + size);
    mem_put(out, head.data, head.len);
    uint8_t *zeros = mem_reserve(out, size);
    if (zeros) {
        memset(zeros, 0, size);
        out->len += size;
    }
    mem_fini(&head);
    return rpc_message_end(call);
}

/* Echo the metadata that the interop cases ask for. */
static void svc_test_echo(struct gp_call *call)
{
    static const char head[] = "x-grpc-test-echo-initial";
    static const char trail[] = "x-grpc-test-echo-trailing-bin";
    struct gp_slice v = rpc_call_metadata(call, head, 0);
    if (v.data)
        (void)rpc_call_add(call, head, v, false);
    v = rpc_call_metadata(call, trail, 0);
    if (v.data)
        (void)rpc_call_add(call, trail, v, true);
}

/* End call with the status that a request asked for. */
static void svc_test_end(struct gp_call *call, uint64_t status,
                         struct slice text)
{
    const char *copy = rpc_call_text(call, text);
    rpc_call_finish(call, status > 16 ? GP_STATUS_UNKNOWN
                                      : (enum gp_status)status,
                    copy ? copy : "");
}

/* EmptyCall. */
static void svc_test_empty(struct gp_call *call, struct gp_slice request,
                           void *arg)
{
    (void)request;
    (void)arg;
    svc_test_echo(call);
    (void)rpc_message_begin(call);
    rpc_call_send(call);
}

/* UnaryCall. */
static void svc_test_unary(struct gp_call *call, struct gp_slice request,
                           void *arg)
{
    struct svc_request q;
    (void)arg;
    svc_test_echo(call);
    if (!svc_test_parse(call, request, 3, 8, &q))
        return;
    if (q.status) {
        svc_test_end(call, q.status, q.text);
        return;
    }
    if (q.size > SVC_PAYLOAD_MOST) {
        rpc_call_fail(call, GP_STATUS_INVALID_ARGUMENT,
                      "response_size is larger than this server makes");
        return;
    }
    rpc_call_compress(call, q.compress);
    (void)svc_test_payload(call, q.size);
    rpc_call_finish(call, GP_STATUS_OK, "");
}

/* Send what is due of a streaming call, as far as there is room; on_writable
 * and on_timer. */
static void svc_test_pump(struct gp_call *call, void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    (void)arg;
    while (t->at < t->n) {
        const struct svc_output *o = &t->output[t->at];
        if (o->interval_us && !t->waited) {
            if (!t->waits)              /* a message in between is no timer */
                rpc_call_after(call, (int64_t)o->interval_us * 1000);
            t->waits = true;
            return;
        }
        t->waits = t->waited = false;
        t->at++;
        rpc_call_compress(call, o->compressed);
        if (svc_test_payload(call, o->size))
            return;
    }
    if (t->status || t->over)
        rpc_call_finish(call, t->status, t->text ? t->text : "");
}

/* The interval of an output is over. */
static void svc_test_timer(struct gp_call *call, void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    t->waited = true;
    svc_test_pump(call, arg);
}

/* Add the outputs that a StreamingOutputCallRequest asks for to t; false after
 * failing call. */
static bool svc_test_outputs(struct gp_call *call, struct gp_slice request,
                             struct svc_test *t)
{
    const uint8_t *p = request.data;
    struct pb_in in = { p, p ? p + request.len : p };
    struct pb_field f;
    while (pb_get_field(&in, &f) > 0) {
        if (f.type != PB_BYTES || f.number != 2)
            continue;
        struct svc_output o = {
            .size = svc_test_varint(f.bytes, 1),
            .interval_us = svc_test_varint(f.bytes, 2),
        };
        struct slice flag = svc_test_bytes(f.bytes, 3);
        o.compressed = svc_test_varint((struct pb_in){
            (const uint8_t *)flag.p, (const uint8_t *)flag.p + flag.n }, 1);
        if (o.size > SVC_PAYLOAD_MOST || o.interval_us > 3600000000u) {
            rpc_call_fail(call, GP_STATUS_INVALID_ARGUMENT,
                          "size or interval_us is out of range");
            return false;
        }
        if (t->at == t->n)
            t->at = t->n = 0;
        if (t->n >= SVC_OUTPUTS_MOST) {
            rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED,
                          "more responses asked for than this server keeps");
            return false;
        }
        struct svc_output *v = mem_grow(t->output, &t->cap, t->n + 1,
                                        sizeof *v);
        if (!v) {
            rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
            return false;
        }
        t->output = v;
        v[t->n++] = o;
    }
    return true;
}

/* What the calls that use svc_test_output are, as their service. */
static char svc_test_single;            /* StreamingOutputCall: one request */
static char svc_test_later;             /* HalfDuplexCall: answers at its end */

/* One request of StreamingOutputCall, FullDuplexCall or HalfDuplexCall. */
static void svc_test_output(struct gp_call *call, struct gp_slice request,
                            void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    struct svc_request q;
    if (!t) {
        rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (!svc_test_parse(call, request, 3, 0, &q) ||
        !svc_test_outputs(call, request, t))
        return;
    if (q.status) {
        t->text = rpc_call_text(call, q.text);
        t->status = q.status > 16 ? GP_STATUS_UNKNOWN
                                  : (enum gp_status)q.status;
    }
    if (arg == &svc_test_single) {
        svc_test_echo(call);
        t->over = true;
    }
    if (arg != &svc_test_later)
        svc_test_pump(call, arg);
}

/* A call of TestService begins. */
static void svc_test_start(struct gp_call *call, void *arg)
{
    (void)arg;
    svc_test_echo(call);
}

/* The client of FullDuplexCall has said all. */
static void svc_test_half(struct gp_call *call, void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    if (!t) {
        rpc_call_fail(call, GP_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    t->over = true;
    svc_test_pump(call, arg);
}

/* One request of StreamingInputCall. */
static void svc_test_input(struct gp_call *call, struct gp_slice request,
                           void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    struct svc_request q;
    (void)arg;
    if (!svc_test_parse(call, request, 1, 2, &q))
        return;
    if (t)
        t->received += q.payload;
}

/* The client of StreamingInputCall has said all. */
static void svc_test_sum(struct gp_call *call, void *arg)
{
    struct svc_test *t = rpc_call_state(call, sizeof *t);
    (void)arg;
    pb_put_uint(rpc_message_begin(call), 1, t ? t->received : 0);
    rpc_call_send(call);
}

/* A streaming call is over. */
static void svc_test_done(struct gp_call *call, enum gp_status status,
                          void *arg)
{
    struct svc_test *t = rpc_call_kept(call);
    (void)status;
    (void)arg;
    if (t)
        mem_free(t->output);
}

/* Offer grpc.testing.TestService, for gRPC's interoperability tests. */
static int svc_test_add(struct gp_server *s, struct gp_why *why)
{
    const struct gp_method m[] = {
        { .path = "/grpc.testing.TestService/EmptyCall", .metadata = true,
          .on_message = svc_test_empty },
        { .path = "/grpc.testing.TestService/UnaryCall", .metadata = true,
          .on_message = svc_test_unary },
        { .path = "/grpc.testing.TestService/StreamingOutputCall",
          .kind = GP_SERVER_STREAM, .metadata = true,
          .on_message = svc_test_output, .service = &svc_test_single,
          .on_writable = svc_test_pump, .on_timer = svc_test_timer,
          .on_done = svc_test_done },
        { .path = "/grpc.testing.TestService/StreamingInputCall",
          .kind = GP_CLIENT_STREAM, .metadata = true,
          .on_start = svc_test_start, .on_message = svc_test_input,
          .on_half_close = svc_test_sum, .on_done = svc_test_done },
        { .path = "/grpc.testing.TestService/FullDuplexCall",
          .kind = GP_BIDI, .metadata = true, .on_start = svc_test_start,
          .on_message = svc_test_output, .on_half_close = svc_test_half,
          .on_writable = svc_test_pump, .on_timer = svc_test_timer,
          .on_done = svc_test_done },
        { .path = "/grpc.testing.TestService/HalfDuplexCall",
          .kind = GP_BIDI, .metadata = true, .on_start = svc_test_start,
          .service = &svc_test_later,
          .on_message = svc_test_output, .on_half_close = svc_test_half,
          .on_writable = svc_test_pump, .on_timer = svc_test_timer,
          .on_done = svc_test_done },
    };
    return SVC_ADD(s, m, why);
}

/* ================================== 22 WEB ==================================
 * for     the debug endpoint: HTTP/1.1 for people, scrapers and pprof
 * uses    MEM, TXT, SYS, JS, ELF, SMP, PP, REC, SVG, NET, H2, RPC
 * owns    struct gp_debug: its thread, its sockets, the windows that it opened
 * spec    RFC 9110, RFC 9112; net/http/pprof for paths, headers and errors;
 *         Prometheus text format 0.0.4; Fetch Metadata for Sec-Fetch-Site
 * prefix  web_
 * runs    on a thread of its own, so that nothing here delays a call; a second
 *         one makes profiles, so that they delay no other request; web_new to
 *         web_start and web_free on any other
 *
 *   READING -> WAITING -> WRITING -> READING   WAITING: for a window's end
 *                                 -> LINGERING, where the connection ends
 *
 * Invariant  a connection holds at most one window, which ends with it; a
 *            request is read whole before it is answered, and its answer is
 *            sent whole before the next one is read.
 * Does not   trust a browser: a Host, an Origin or a fetch that is not this
 *            listener's own is refused, so that no page can reach it.
 */

struct web_window {                     /* of a waiting request or a token */
    struct gp_debug   *web;             /* borrowed */
    struct link        of_claim;        /* of those with a token */
    struct net_timer   timer;           /* of a token: nobody claimed it */
    struct rec_mark    from;            /* owned; a user of the recorder */
    char               token[33];       /* 32 hexadecimal digits */
};

enum web_state { WEB_READING, WEB_WAITING, WEB_WRITING, WEB_LINGERING };

struct web_conn {
    struct net_io      io;              /* owns its descriptor */
    struct gp_debug   *web;             /* borrowed */
    struct link        of_web;          /* of web; who spoke last is last */
    struct net_timer   timer;           /* what its state waits for at most */
    struct buf         in, out;         /* read; to be sent */
    size_t             used, sent;      /* bytes of in parsed; of out sent */
    enum web_state     state;
    bool               keep, head;      /* stays open; the answer has no body */
    bool               urged;           /* it was told 100 */
    struct web_window *window;          /* owned; of WAITING, or NULL */
    struct web_build  *build;           /* borrowed; of WAITING, or NULL */
    bool               picture;         /* the window is to become an SVG */
};

struct web_config {
    const char *address;                /* see net_addr_parse */
    const struct gp_server *server;     /* whose calls; borrowed; NULL: none */
    struct rec_config sampling;         /* of a window that does not say */
};

struct gp_debug {
    struct net_loop    loop;
    struct net_loop    builder;         /* only for its tasks */
    void             (*on_built)(void *build);  /* task of loop */
    atomic_bool        stopping;        /* nothing more is to be made */
    struct net_io      listener;        /* owns its descriptor */
    struct net_timer   pause;           /* armed while it does not accept */
    struct net_addr    addr;            /* bound */
    struct link        conns;           /* owned; see web_conn */
    unsigned           nconns, nwindows;
    struct link        claim;           /* owned: windows with a token */
    struct web_config  config;
    struct rec_source  source;          /* borrows from the others */
    struct rec_notes   notes;           /* of its profiles */
    char               host[256];       /* as the user named it, no port */
    pthread_t          thread, builder_thread;
    bool               running, builds; /* they are to be joined */
};

struct web_request {                    /* borrowed from the connection's in */
    struct slice method, path, query, body;
    struct slice host, origin, site;    /* p NULL: no such header */
    uint64_t     length;                /* Content-Length */
    bool         old, close, sized, coded;  /* HTTP/1.0; Connection: close;
                                         * a length; a Transfer-Encoding */
    bool         expects, named;        /* Expect: 100-continue; Host */
};

/* ---- answers ---- */

/* The reason phrase of a status that is used here. */
static const char *web_reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default:  return "HTTP Version Not Supported";
    }
}

/* Of an answer to HEAD whose body would have to be made first. */
#define WEB_NO_LENGTH SIZE_MAX

/* Append the head of an answer of n bytes; also has more header lines. */
static void web_put_head(struct web_conn *c, int status, const char *type,
                         size_t n, const char *also)
{
    char date[40];
    struct tm tm;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT",
             gmtime_r(&now, &tm));
    txt_putf(&c->out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n"
             "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
             "%s%s", status, web_reason(status), date, type, also,
             c->keep ? "" : "Connection: close\r\n");
    if (n != WEB_NO_LENGTH)
        txt_putf(&c->out, "Content-Length: %zu\r\n", n);
    txt_puts(&c->out, "\r\n");
}

/* Answer with the bytes of body, which is released. */
static void web_answer(struct web_conn *c, int status, const char *type,
                       const char *also, struct buf *body)
{
    c->state = WEB_WRITING;
    if (!body->err) {
        web_put_head(c, status, type, body->len, also);
        if (!c->head)
            mem_put(&c->out, body->data, body->len);
    }
    if (body->err || c->out.err) {      /* no memory: closed without a word */
        mem_fini(&c->out);
        c->keep = false;
    }
    mem_fini(body);
}

/* Answer that it cannot be, in a line for people; also is as above. */
__attribute__((format(printf, 4, 5)))
static void web_refuse(struct web_conn *c, int status, const char *also,
                       const char *fmt, ...)
{
    struct gp_why why;
    struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof why.text, fmt, ap);
    va_end(ap);
    txt_put_clean(&b, txt_slice(why.text));
    mem_put_byte(&b, '\n');
    web_answer(c, status, "text/plain; charset=utf-8", also, &b);
}

/* As Go's net/http/pprof tells what is wrong: pprof prints the body then. */
#define WEB_GO_ERROR "X-Go-Pprof: 1\r\n"

/* And how it says that a profile is a file. */
#define WEB_GO_FILE "Content-Disposition: attachment; filename=\"profile\"\r\n"

/* ---- windows ---- */

/* End window w and release it; NULL is fine. */
static void web_window_free(struct web_window *w)
{
    if (!w)
        return;
    net_timer_stop(&w->web->loop, &w->timer);
    mem_link_drop(&w->of_claim);
    rec_window_close(&w->from);
    w->web->nwindows--;
    mem_free(w);
}

/* Open a window at hz (0: as configured) for c; NULL after refusing it. */
static struct web_window *web_window_new(struct web_conn *c, unsigned hz)
{
    struct gp_debug *web = c->web;
    struct rec_config want = web->config.sampling;
    struct gp_why why;
    want.hz = hz ? hz : want.hz;
    if (web->nwindows >= WEB_WINDOWS) {
        web_refuse(c, 503, WEB_GO_ERROR, "%d windows are open already; one "
                   "that nobody stops ends after %d minutes", WEB_WINDOWS,
                   (int)(WEB_CLAIM_NS / 60000000000));
        return NULL;
    }
    struct web_window *w = mem_zalloc(sizeof *w);
    int e = w ? rec_window_open(&w->from, &want, &web->source, &why)
              : txt_fail(&why, GP_ENOMEM, "out of memory");
    if (e) {
        web_refuse(c, 500, WEB_GO_ERROR, "Could not enable CPU profiling: %s",
                   why.text);
        mem_free(w);
        return NULL;
    }
    w->web = web;
    mem_link_init(&w->of_claim);
    web->nwindows++;
    return w;
}

/* What becomes of a window that has ended: a body, made on the builder's thread
 * because symbols and lines take their time, which no other request should. */
struct web_build {
    struct gp_debug   *web;             /* borrowed */
    struct web_conn   *conn;            /* whose it is; NULL: that is gone */
    struct web_window *window;          /* owned: a user of the recorder */
    struct rec_mark    to;              /* owned: the window's end */
    bool               picture;         /* an SVG, not a profile */
    struct buf         body;            /* owned: what was made */
    struct gp_why      why;             /* or why it was not */
    int                error;           /* gp_err */
};

/* Task, of the builder: make the body. */
static void web_build_run(void *arg)
{
    const struct svg_config config = {0};
    struct web_build *b = arg;
    struct pp profile = {0};
    int e = atomic_load(&b->web->stopping) ? GP_ESTATE
          : rec_window(&b->window->from, &b->to, &b->web->source, &profile,
                       &b->why);
    if (!e && b->picture)
        e = svg_write(&profile, &config, &b->body, &b->why);
    else if (!e && (e = pp_write(&profile, &b->body)))
        txt_fail(&b->why, e, "out of memory for the profile");
    pp_fini(&profile);
    b->error = e;
    while (net_loop_post(&b->web->loop, b->web->on_built, b))
        sched_yield();                  /* memory will come back */
}

/* End w, and answer c with its profile, or its picture, when that is made. */
static void web_window_answer(struct web_conn *c, struct web_window *w,
                              bool picture)
{
    struct web_build *b = mem_zalloc(sizeof *b);
    struct gp_why why;
    int e = b ? rec_mark(&b->to, &c->web->source, &why)
              : txt_fail(&why, GP_ENOMEM, "out of memory");
    if (b && !e) {
        b->web = c->web;
        b->conn = c;
        b->window = w;
        b->picture = picture;
        if (!net_loop_post(&c->web->builder, web_build_run, b)) {
            net_timer_stop(&c->web->loop, &c->timer);
            c->build = b;
            c->state = WEB_WAITING;
            return;
        }
        rec_mark_fini(&b->to);
        e = txt_fail(&why, GP_ENOMEM, "out of memory");
    }
    mem_free(b);
    web_window_free(w);
    web_refuse(c, 500, WEB_GO_ERROR, "%s", why.text);
}

/* A window that was started and never stopped has been open for long. */
static void web_window_on_time(struct net_timer *t)
{
    web_window_free(t->arg);
}

/* ---- what is at each path ---- */

/* The value of key in the query into *v; false where it is not there. */
static bool web_param(struct slice query, const char *key, struct slice *v)
{
    size_t n = strlen(key);
    while (query.n) {
        const char *amp = memchr(query.p, '&', query.n);
        size_t all = amp ? (size_t)(amp - query.p) : query.n;
        if (all >= n && !memcmp(query.p, key, n) &&
            (all == n || query.p[n] == '=')) {
            *v = (struct slice){ query.p + n + (all > n),
                                 all - n - (all > n) };
            return true;
        }
        query.p += all + (amp != NULL);
        query.n -= all + (amp != NULL);
    }
    return false;
}

/* True when the query has no key but those of list, as in "seconds hz", each
 * once; else it is refused. */
static bool web_param_known(struct web_conn *c, struct slice query,
                            const char *list)
{
    struct slice seen[8], all = query;
    size_t n = 0;
    while (query.n) {
        const char *amp = memchr(query.p, '&', query.n);
        size_t len = amp ? (size_t)(amp - query.p) : query.n;
        const char *eq = memchr(query.p, '=', len);
        struct slice key = { query.p, eq ? (size_t)(eq - query.p) : len };
        char word[16] = "";
        if (key.n < sizeof word)
            memcpy(word, key.p, key.n);
        bool again = false;
        for (size_t i = 0; i < n; i++)
            again |= txt_equal(seen[i], key);
        if (again || n == 8 || !*word || !txt_lists(txt_slice(list), word)) {
            web_refuse(c, 400, WEB_GO_ERROR, "?%.*s: takes %s, each once",
                       (int)(all.n < 60 ? all.n : 60), all.p, list);
            return false;
        }
        seen[n++] = key;
        query.p += len + (amp != NULL);
        query.n -= len + (amp != NULL);
    }
    return true;
}

/* The whole number key of the query, 1 to most; dflt where it is not given.
 * False after refusing another. */
static bool web_param_number(struct web_conn *c, struct slice query,
                             const char *key, uint64_t most, uint64_t dflt,
                             uint64_t *v)
{
    struct slice s;
    *v = dflt;
    if (!web_param(query, key, &s) || !txt_slice_number(s, 1, most, v))
        return true;
    web_refuse(c, 400, WEB_GO_ERROR, "%s=%.*s: takes a whole number from 1 to "
               "%" PRIu64, key, (int)(s.n < 40 ? s.n : 40), s.p, most);
    return false;
}

/* Begin a window of ?seconds=N, whose end answers. */
static void web_wait(struct web_conn *c, const struct web_request *q,
                     bool picture)
{
    uint64_t seconds, hz;
    if (!web_param_known(c, q->query, "seconds hz") ||
        !web_param_number(c, q->query, "seconds", WEB_MOST_S, WEB_DEFAULT_S,
                          &seconds) ||
        !web_param_number(c, q->query, "hz", SMP_MOST_HZ, 0, &hz))
        return;
    if (c->head) {                      /* what a GET would say, at once */
        c->state = WEB_WRITING;
        web_put_head(c, 200, picture ? "image/svg+xml"
                                     : "application/octet-stream",
                     WEB_NO_LENGTH, picture ? "" : WEB_GO_FILE);
        return;
    }
    if (!(c->window = web_window_new(c, (unsigned)hz)))
        return;
    c->picture = picture;
    c->state = WEB_WAITING;
    if (net_timer_arm(&c->web->loop, &c->timer, sys_now_ns() +
                                     (int64_t)seconds * 1000000000)) {
        web_window_free(c->window);
        c->window = NULL;
        web_refuse(c, 500, WEB_GO_ERROR, "out of memory");
    }
}

/* ?start: begin a window and answer the token that stops it. */
static void web_start_token(struct web_conn *c, const struct web_request *q)
{
    struct gp_debug *web = c->web;
    struct buf b = {0};
    uint64_t hz, dice[2];
    if (c->head) {
        web_refuse(c, 405, "Allow: GET\r\n", "?start changes things: GET it");
        return;
    }
    if (!web_param_known(c, q->query, "start hz") ||
        !web_param_number(c, q->query, "hz", SMP_MOST_HZ, 0, &hz))
        return;
    if (getrandom(dice, sizeof dice, 0) != sizeof dice) {
        web_refuse(c, 500, WEB_GO_ERROR, "no random bytes for a token");
        return;
    }
    struct web_window *w = web_window_new(c, (unsigned)hz);
    if (!w)
        return;
    snprintf(w->token, sizeof w->token, "%016" PRIx64 "%016" PRIx64, dice[0],
             dice[1]);
    w->timer.on_time = web_window_on_time;
    w->timer.arg = w;
    if (net_timer_arm(&web->loop, &w->timer, sys_now_ns() + WEB_CLAIM_NS)) {
        web_window_free(w);
        web_refuse(c, 500, WEB_GO_ERROR, "out of memory");
        return;
    }
    mem_link_append(&web->claim, &w->of_claim);
    txt_putf(&b, "%s\n", w->token);
    web_answer(c, 200, "text/plain; charset=utf-8", "", &b);
}

/* ?stop=TOKEN: answer the profile of the window that the token began. */
static void web_stop_token(struct web_conn *c, struct slice token)
{
    const struct link *head = &c->web->claim, *at = head->next;
    if (c->head) {
        web_refuse(c, 405, "Allow: GET\r\n", "?stop changes things: GET it");
        return;
    }
    while (at != head && !txt_equal(token,
               txt_slice(MEM_OF(at, struct web_window, of_claim)->token)))
        at = at->next;
    if (at == head) {
        web_refuse(c, 404, WEB_GO_ERROR, "no window has this token: it was "
                   "stopped, or not claimed in time");
        return;
    }
    struct web_window *w = MEM_OF(at, struct web_window, of_claim);
    net_timer_stop(&c->web->loop, &w->timer);
    mem_link_drop(&w->of_claim);
    web_window_answer(c, w, false);
}

/* /debug/pprof/profile */
static void web_profile(struct web_conn *c, const struct web_request *q)
{
    struct slice v;
    if (web_param(q->query, "start", &v))
        web_start_token(c, q);
    else if (!web_param(q->query, "stop", &v))
        web_wait(c, q, false);
    else if (web_param_known(c, q->query, "stop"))
        web_stop_token(c, v);
}

/* /debug/flamegraph */
static void web_flamegraph(struct web_conn *c, const struct web_request *q)
{
    web_wait(c, q, true);
}

/* /debug/pprof/cmdline: the arguments, with a zero between two, as Go's. */
static void web_cmdline(struct web_conn *c, const struct web_request *q)
{
    struct buf b = {0};
    struct gp_why why;
    (void)q;
    if (sys_read_file("/proc/self/cmdline", WEB_BODY_BYTES, &b, &why)) {
        mem_fini(&b);
        web_refuse(c, 500, WEB_GO_ERROR, "%s", why.text);
        return;
    }
    if (b.len && !b.data[b.len - 1])
        b.len--;
    web_answer(c, 200, "text/plain; charset=utf-8", "", &b);
}

/* /debug/pprof/symbol: names of addresses "0x1+0x2", in the query of a GET or
 * the body of a POST, as Go's. */
static void web_symbol(struct web_conn *c, const struct web_request *q)
{
    struct slice s = txt_equal(q->method, txt_slice("POST")) ? q->body
                                                             : q->query;
    struct elf elf;
    struct buf b = {0};
    struct gp_why why;
    if (elf_init(&elf, &why)) {
        web_refuse(c, 500, WEB_GO_ERROR, "%s", why.text);
        return;
    }
    txt_puts(&b, "num_symbols: 1\n");
    while (s.n) {
        const char *plus = memchr(s.p, '+', s.n);
        size_t n = plus ? (size_t)(plus - s.p) : s.n;
        uint64_t pc = 0;
        bool hex = n > 2 && n <= 18 && s.p[0] == '0' && s.p[1] == 'x';
        for (size_t i = 2; hex && i < n; i++) {
            hex = txt_hex(s.p[i]) >= 0;
            pc = pc << 4 | (uint64_t)(txt_hex(s.p[i]) & 15);
        }
        const struct elf_map *m = hex ? elf_find_map(&elf, pc) : NULL;
        const char *name = m ? elf_find_name(&elf, m, pc) : NULL;
        if (name)
            txt_putf(&b, "0x%" PRIx64 " %s\n", pc, name);
        s.p += n + (plus != NULL);
        s.n -= n + (plus != NULL);
    }
    elf_fini(&elf);
    web_answer(c, 200, "text/plain; charset=utf-8", "", &b);
}

/* /debug/status */
static void web_status(struct web_conn *c, const struct web_request *q)
{
    const struct gp_server *s = c->web->config.server;
    struct buf b = {0};
    struct js j = { .b = &b };
    unsigned hz;
    const char *engine = rec_running(&hz);
    (void)q;
    js_open(&j, '{');
    js_key(&j, "schema");
    js_put_str(&j, txt_slice("grpcprof.status/1"));
    js_key(&j, "pid");
    js_put_int(&j, getpid());
    js_key(&j, "version");
    js_put_str(&j, txt_slice(GP_VERSION));
    js_key(&j, "listen");
    js_open(&j, '[');
    const char *text;
    for (size_t i = 0; s && (text = rpc_server_address(s, i)); i++)
        js_put_str(&j, txt_slice(text));
    js_close(&j, ']');
    js_key(&j, "engine");               /* null: nothing is sampled now */
    engine ? js_put_str(&j, txt_slice(engine)) : js_put_null(&j);
    js_key(&j, "hz");
    js_put_int(&j, hz ? hz : c->web->config.sampling.hz);
    js_key(&j, "windows");
    js_put_int(&j, c->web->nwindows);
    js_key(&j, "requests");
    js_put_int(&j, s ? (int64_t)rpc_server_calls(s) : 0);
    js_close(&j, '}');
    mem_put_byte(&b, '\n');
    web_answer(c, 200, "application/json", "", &b);
}

/* /healthz */
static void web_healthz(struct web_conn *c, const struct web_request *q)
{
    struct buf b = {0};
    (void)q;
    txt_puts(&b, "ok\n");
    web_answer(c, 200, "text/plain; charset=utf-8", "", &b);
}

/* ---- /metrics ---- */

/* Append the labels of a method: "/pkg.Service/Method" or "" for none. */
static void web_put_labels(struct buf *b, const char *path)
{
    const char *slash = *path ? strchr(path + 1, '/') : NULL;
    txt_putf(b, "grpc_service=\"%.*s\",grpc_method=\"%s\"",
             slash ? (int)(slash - path) - 1 : 0, *path ? path + 1 : "",
             slash ? slash + 1 : "");
}

/* Append the head of a metric. */
static void web_put_metric(struct buf *b, const char *name, const char *type,
                           const char *help)
{
    txt_putf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Append a metric without labels. */
static void web_put_value(struct buf *b, const char *name, const char *type,
                          const char *help, double v)
{
    web_put_metric(b, name, type, help);
    txt_putf(b, "%s %.15g\n", name, v);
}

/* Append the calls of s by method and code. */
static void web_put_calls(struct buf *b, const struct gp_server *s)
{
    struct rpc_count k;
    double flying = 0;
    web_put_metric(b, "grpc_server_started_total", "counter",
                   "Calls begun.");
    for (size_t i = 0; rpc_server_count(s, i, &k); i++) {
        flying += (double)k.begun;
        txt_puts(b, "grpc_server_started_total{");
        web_put_labels(b, k.path);
        txt_putf(b, "} %" PRIu64 "\n", k.begun);
    }
    web_put_metric(b, "grpc_server_handled_total", "counter",
                   "Calls ended, by status; no method: none was reached.");
    for (size_t i = 0; rpc_server_count(s, i, &k); i++)
        for (int code = 0; code < 17; code++) {
            if (!k.code[code])
                continue;
            flying -= (double)k.code[code];
            txt_puts(b, "grpc_server_handled_total{");
            web_put_labels(b, k.path);
            txt_putf(b, ",grpc_code=\"%s\"} %" PRIu64 "\n",
                     rpc_status_name(code), k.code[code]);
        }
    web_put_value(b, "grpcprof_calls_in_flight", "gauge",
                  "Calls begun and not ended.", flying > 0 ? flying : 0);
}

/* Append how long the calls of s took. */
static void web_put_latency(struct buf *b, const struct gp_server *s)
{
    const char *name = "grpc_server_handling_seconds";
    struct rpc_count k;
    web_put_metric(b, name, "histogram",
                   "From a call's headers to its answer.");
    for (size_t i = 0; rpc_server_count(s, i, &k); i++) {
        uint64_t sum = 0;
        for (int step = 0; step < RPC_STEPS; step++) {
            bool last = step == RPC_STEPS - 1;
            sum += k.took[step];
            txt_putf(b, "%s_bucket{", name);
            web_put_labels(b, k.path);
            if (last)
                txt_puts(b, ",le=\"+Inf\"");
            else
                txt_putf(b, ",le=\"%.9g\"", ldexp(1e-6, step));
            txt_putf(b, "} %" PRIu64 "\n", sum);
        }
        txt_putf(b, "%s_sum{", name);
        web_put_labels(b, k.path);
        txt_putf(b, "} %.9g\n%s_count{", (double)k.took_ns / 1e9, name);
        web_put_labels(b, k.path);
        txt_putf(b, "} %" PRIu64 "\n", sum);
    }
}

/* Append one figure of each method of s whose handlers' CPU time was taken. */
static void web_put_timed(struct buf *b, const struct gp_server *s,
                          const char *name, const char *help, bool cpu)
{
    struct rpc_count k;
    web_put_metric(b, name, "counter", help);
    for (size_t i = 0; rpc_server_count(s, i, &k); i++) {
        if (!k.timed)
            continue;
        txt_putf(b, "%s{", name);
        web_put_labels(b, k.path);
        txt_putf(b, "} %.9g\n", cpu ? (double)k.timed_cpu_ns / 1e9
                                    : (double)k.timed);
    }
}

/* Append the connections and bytes of s. */
static void web_put_traffic(struct buf *b, const struct gp_server *s)
{
    struct rpc_traffic t = rpc_server_traffic(s);
    double open = (double)t.accepted;
    web_put_metric(b, "grpcprof_connections_closed_total", "counter",
                   "Connections ended, by reason.");
    for (int end = H2_ALIVE + 1; end < H2_ENDS; end++) {
        open -= (double)t.closed[end];
        txt_putf(b, "grpcprof_connections_closed_total{reason=\"%s\"} "
                 "%" PRIu64 "\n", h2_end_name[end], t.closed[end]);
    }
    web_put_value(b, "grpcprof_connections_accepted_total", "counter",
                  "Connections accepted.", (double)t.accepted);
    web_put_value(b, "grpcprof_connections", "gauge",
                  "Connections open.", open > 0 ? open : 0);
    web_put_value(b, "grpcprof_received_bytes_total", "counter",
                  "Bytes received on gRPC connections.", (double)t.bytes_in);
    web_put_value(b, "grpcprof_sent_bytes_total", "counter",
                  "Bytes sent on gRPC connections.", (double)t.bytes_out);
}

/* /metrics */
static void web_metrics(struct web_conn *c, const struct web_request *q)
{
    const struct gp_server *s = c->web->config.server;
    struct buf b = {0};
    double pages[2] = {0};              /* of memory: in all, resident */
    (void)q;
    if (s) {
        web_put_calls(&b, s);
        web_put_latency(&b, s);
        web_put_timed(&b, s, "grpcprof_handler_runs_total",
                      "Runs of handlers whose CPU time was taken.", false);
        web_put_timed(&b, s, "grpcprof_handler_cpu_seconds_total",
                      "CPU time of those runs, by the thread's clock.", true);
        web_put_traffic(&b, s);
    }
    web_put_value(&b, "process_cpu_seconds_total", "counter",
                  "CPU time used, user and system.",
                  (double)sys_clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
    if (sys_read_two("/proc/self", "statm", pages))
        web_put_value(&b, "process_resident_memory_bytes", "gauge",
                      "Resident memory.",
                      pages[1] * (double)sysconf(_SC_PAGESIZE));
    web_put_value(&b, "grpcprof_samples_total", "counter",
                  "Samples taken of this process.", (double)smp_taken());
    web_put_value(&b, "grpcprof_samples_lost_total", "counter",
                  "Samples that found the ring full.", (double)smp_lost());
    web_answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", "", &b);
}

/* ---- routes ---- */

struct web_route {
    const char *path;
    void (*answer)(struct web_conn *c, const struct web_request *q);
    bool post;                          /* takes POST too */
    const char *about;                  /* for the index; NULL: not in it */
    const char *query;                  /* of its link there */
};

static const struct web_route web_routes[] = {
    { "/debug/pprof/profile", web_profile, false,
      "CPU profile for pprof; seconds=N, hz=N; or start, then stop=TOKEN",
      "?seconds=5" },
    { "/debug/flamegraph", web_flamegraph, false,
      "flame graph; seconds=N, hz=N", "?seconds=5" },
    { "/debug/status", web_status, false, "who and what this is, as JSON", "" },
    { "/metrics", web_metrics, false, "counters for Prometheus", "" },
    { "/debug/pprof/cmdline", web_cmdline, false, "the command line", "" },
    { "/debug/pprof/symbol", web_symbol, true,
      "names of addresses, 0x1234+0x5678", "" },
    { "/healthz", web_healthz, false, "ok", "" },
};

enum { WEB_ROUTES = sizeof web_routes / sizeof *web_routes };

/* /debug/pprof/: the index, for people. */
static void web_index(struct web_conn *c)
{
    struct buf b = {0};
    txt_puts(&b, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width\">\n"
             "<title>grpcprof</title>\n<style>:root{color-scheme:light dark}"
             "body{font:1rem/1.6 sans-serif;max-width:44rem;margin:2rem auto;"
             "padding:0 1rem}dt{font-family:monospace}</style>\n"
             "<h1>grpcprof " GP_VERSION "</h1>\n<dl>\n");
    for (size_t i = 0; i < WEB_ROUTES; i++)
        txt_putf(&b, "<dt><a href=\"%s%s\">%s</a><dd>%s\n",
                 web_routes[i].path, web_routes[i].query, web_routes[i].path,
                 web_routes[i].about);
    txt_putf(&b, "</dl>\n<p>In a terminal: <code>go tool pprof http://%s/debug/"
             "pprof/profile?seconds=5</code></html>\n", c->web->addr.text);
    web_answer(c, 200, "text/html; charset=utf-8", "", &b);
}

/* True when host, of a Host header with or without port, is a name of this
 * listener: its address, or on the loopback any of its names.  A page whose
 * own name was made to point here (DNS rebinding) carries that name. */
static bool web_host_ours(const struct gp_debug *w, struct slice host)
{
    char name[128];
    size_t n = 0;
    const struct sockaddr *sa = (const struct sockaddr *)&w->addr.sa;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&w->addr.sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&w->addr.sa;
    struct in6_addr any;
    if (sa->sa_family == AF_UNIX)
        return true;
    bool bracket = host.n && host.p[0] == '[';
    while (n < host.n && host.p[n] != (bracket ? ']' : ':'))
        n++;
    if (n - bracket >= sizeof name || n < bracket)
        return false;
    memcpy(name, host.p + bracket, n - bracket);
    name[n - bracket] = 0;
    for (size_t k = n + bracket; k < host.n; k++)       /* any port: tunnels */
        if (host.p[k] != ':' && (host.p[k] < '0' || host.p[k] > '9'))
            return false;
    bool literal = inet_pton(bracket ? AF_INET6 : AF_INET, name, &any) == 1;
    bool all = sa->sa_family == AF_INET
        ? v4->sin_addr.s_addr == htonl(INADDR_ANY)
        : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    bool loop = sa->sa_family == AF_INET
        ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
        : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    size_t length = strlen(name);
    if (!strcasecmp(name, w->host) || (all && literal))
        return true;
    if (loop || all)
        return !strcasecmp(name, "localhost") || !strcmp(name, "::1") ||
               (literal && !strncmp(name, "127.", 4));
    return !strncmp(w->addr.text + bracket, name, length) &&
           strchr("]:", w->addr.text[bracket + length]) != NULL;
}

/* True when no web page but one of this listener's sent q; else it is
 * refused. */
static bool web_admit(struct web_conn *c, const struct web_request *q)
{
    static const char scheme[] = "http://";
    size_t n = sizeof scheme - 1;
    if (!q->host.p && !q->old) {
        c->keep = false;
        web_refuse(c, 400, "", "no Host");
    } else if (q->host.p && !web_host_ours(c->web, q->host)) {
        web_refuse(c, 403, "", "Host %.*s is not a name of this listener",
                   (int)(q->host.n < 100 ? q->host.n : 100), q->host.p);
    } else if (q->origin.p && (!q->host.p || q->origin.n < n ||
                   memcmp(q->origin.p, scheme, n) || !txt_equal(q->host,
                       (struct slice){ q->origin.p + n, q->origin.n - n }))) {
        web_refuse(c, 403, "", "Origin %.*s is not this listener",
                   (int)(q->origin.n < 100 ? q->origin.n : 100), q->origin.p);
    } else if (q->site.p && !txt_equal(q->site, txt_slice("none")) &&
               !txt_equal(q->site, txt_slice("same-origin"))) {
        web_refuse(c, 403, "", "not for pages of other sites");
    } else {
        return true;
    }
    return false;
}

/* Answer q, or begin to wait for what will. */
static void web_route(struct web_conn *c, const struct web_request *q)
{
    bool get = txt_equal(q->method, txt_slice("GET")) || c->head;
    bool post = txt_equal(q->method, txt_slice("POST"));
    const struct web_route *r = NULL;
    if (!web_admit(c, q))
        return;
    bool index = txt_equal(q->path, txt_slice("/debug/pprof/")) ||
                 txt_equal(q->path, txt_slice("/debug/pprof")) ||
                 txt_equal(q->path, txt_slice("/"));
    for (size_t i = 0; i < WEB_ROUTES && !r; i++)
        if (txt_equal(q->path, txt_slice(web_routes[i].path)))
            r = &web_routes[i];
    if (!r && !index)
        web_refuse(c, 404, "", "nothing at this path; see /debug/pprof/");
    else if (!get && !(post && r && r->post))
        web_refuse(c, 405, r && r->post ? "Allow: GET, HEAD, POST\r\n"
                                        : "Allow: GET, HEAD\r\n",
                   "only GET and HEAD%s", r && r->post ? ", or POST" : "");
    else if (index)
        web_index(c);
    else
        r->answer(c, q);
}

/* ---- requests ---- */

/* The next line of *in, which moves past it, without its end; false when there
 * is no whole one. */
static bool web_line(struct slice *in, struct slice *line)
{
    const char *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
    if (!end)
        return false;
    size_t n = (size_t)(end - in->p);
    *line = (struct slice){ in->p, n && end[-1] == '\r' ? n - 1 : n };
    in->p += n + 1;
    in->n -= n + 1;
    return true;
}

/* True when line is the header name; *v becomes its value without blanks. */
static bool web_header(struct slice line, const char *name, struct slice *v)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n))
        return false;
    *v = (struct slice){ line.p + n + 1, line.n - n - 1 };
    while (v->n && (v->p[0] == ' ' || v->p[0] == '\t')) {
        v->p++;
        v->n--;
    }
    while (v->n && (v->p[v->n - 1] == ' ' || v->p[v->n - 1] == '\t'))
        v->n--;
    return true;
}

/* Read "METHOD /path?query HTTP/1.1" into q; a status when it is not that. */
static int web_parse_first(struct web_request *q, struct slice line)
{
    const char *one = line.n ? memchr(line.p, ' ', line.n) : NULL;
    const char *two = one ? memchr(one + 1, ' ',
                              line.n - (size_t)(one + 1 - line.p)) : NULL;
    if (!two || one == line.p)
        return 400;
    struct slice version = { two + 1, line.n - (size_t)(two + 1 - line.p) };
    if (!txt_starts(version, "HTTP/"))
        return 400;
    q->old = txt_equal(version, txt_slice("HTTP/1.0"));
    if (!q->old && !txt_equal(version, txt_slice("HTTP/1.1")))
        return 505;
    q->method = (struct slice){ line.p, (size_t)(one - line.p) };
    q->path = (struct slice){ one + 1, (size_t)(two - one) - 1 };
    if (q->path.n > 7 && !strncasecmp(q->path.p, "http://", 7)) {
        const char *host = q->path.p + 7;       /* RFC 9112 3.2.2 */
        const char *slash = memchr(host, '/', q->path.n - 7);
        q->path.n = slash ? (size_t)(two - slash) : 0;
        q->path.p = slash;
        q->host = (struct slice){ host, slash ? (size_t)(slash - host) : 0 };
    }
    if (!q->path.n || q->path.p[0] != '/')
        return 400;
    const char *mark = memchr(q->path.p, '?', q->path.n);
    if (mark) {
        q->query = (struct slice){ mark + 1, (size_t)(two - mark) - 1 };
        q->path.n = (size_t)(mark - q->path.p);
    }
    return 0;
}

/* Read a header that matters into q; a status when it is wrong. */
static int web_parse_header(struct web_request *q, struct slice line)
{
    struct slice v;
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || colon == line.p)
        return 400;
    for (const char *at = line.p; at < line.p + line.n; at++)
        if (*at == 0x7f || (uint8_t)*at < (at < colon ? 0x21 : 0x20))
            if (at < colon || *at != '\t')
                return 400;             /* RFC 9112 5.1, RFC 9110 5.5 */
    if (web_header(line, "Host", &v)) {
        if (q->named)
            return 400;
        q->named = true;
        if (!q->host.p)                 /* the target's counts, if it has one */
            q->host = v;
    } else if (web_header(line, "Origin", &v)) {
        q->origin = v;
    } else if (web_header(line, "Sec-Fetch-Site", &v)) {
        q->site = v;
    } else if (web_header(line, "Connection", &v)) {
        q->close |= txt_lists(v, "close");
    } else if (web_header(line, "Expect", &v)) {
        q->expects = txt_lists(v, "100-continue");
    } else if (web_header(line, "Transfer-Encoding", &v)) {
        q->coded = true;
    } else if (web_header(line, "Content-Length", &v)) {
        if (q->sized || txt_slice_number(v, 0, INT64_MAX, &q->length))
            return 400;
        q->sized = true;
    }
    return 0;
}

/* Read the request at the begin of c->in into *q.  0: it is whole, and c->used
 * is past it; -1: more must come; a status: it cannot be answered otherwise. */
static int web_parse(struct web_conn *c, struct web_request *q)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct slice in = { (const char *)c->in.data, c->in.len }, line;
    int status = 0;
    *q = (struct web_request){0};
    do                                  /* RFC 9112 2.2: empty lines before */
        if (!web_line(&in, &line))
            return c->in.len > WEB_HEAD_BYTES ? 431 : -1;
    while (line.n == 0);
    status = web_parse_first(q, line);
    while (!status) {
        if (!web_line(&in, &line))
            return c->in.len > WEB_HEAD_BYTES ? 431 : -1;
        if (line.n == 0)
            break;
        status = web_parse_header(q, line);
    }
    if (status)
        return status;
    if (c->in.len - in.n > WEB_HEAD_BYTES)
        return 431;
    if (q->coded)
        return 501;
    if (q->length > WEB_BODY_BYTES)
        return 413;
    if (in.n < q->length) {
        if (q->expects && !c->urged)    /* RFC 9110 10.1.1; never blocks */
            (void)!send(c->io.fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
        c->urged = true;
        return -1;
    }
    c->urged = false;
    q->body = (struct slice){ in.p, q->length };
    c->used = c->in.len - in.n + q->length;
    return 0;
}

/* ---- connections ---- */

/* Close c and release it. */
static void web_conn_free(struct web_conn *c)
{
    struct gp_debug *w = c->web;
    web_window_free(c->window);
    if (c->build)
        c->build->conn = NULL;
    net_timer_stop(&w->loop, &c->timer);
    net_io_del(&w->loop, &c->io);
    close(c->io.fd);
    mem_link_drop(&c->of_web);
    mem_fini(&c->in);
    mem_fini(&c->out);
    mem_free(c);
    w->nconns--;
}

/* Wait in c's state for events, until in ns from now where that is not 0;
 * false after freeing c for want of memory. */
static bool web_conn_wait(struct web_conn *c, uint32_t events, int64_t in_ns)
{
    struct gp_debug *w = c->web;
    net_io_want(&w->loop, &c->io, events);
    if (!in_ns || !net_timer_arm(&w->loop, &c->timer, sys_now_ns() + in_ns))
        return true;
    web_conn_free(c);
    return false;
}

/* Send what c has to say; true when all of it is sent and c goes on.  c may be
 * gone otherwise. */
static bool web_conn_send(struct web_conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->io.fd, c->out.data + c->sent,
                         c->out.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (c->io.events != EPOLLOUT)
                (void)web_conn_wait(c, EPOLLOUT, WEB_WRITE_NS);
            return false;
        }
        if (n < 0) {
            web_conn_free(c);
            return false;
        }
        c->sent += (size_t)n;
    }
    mem_fini(&c->out);
    c->sent = 0;
    if (!c->keep) {
        c->state = WEB_LINGERING;
        shutdown(c->io.fd, SHUT_WR);
        (void)web_conn_wait(c, EPOLLIN, WEB_LINGER_NS);
        return false;
    }
    c->in.len -= c->used;               /* what follows moves to the front */
    memmove(c->in.data, c->in.data + c->used, c->in.len);
    c->used = 0;
    c->state = WEB_READING;
    return web_conn_wait(c, EPOLLIN, WEB_READ_NS);
}

/* Answer the requests that c has in whole, one after the other, as far as that
 * goes now.  c may be gone afterwards. */
static void web_conn_turn(struct web_conn *c)
{
    struct web_request q;
    do {
        if (c->state == WEB_READING) {
            int status = web_parse(c, &q);
            if (status < 0)
                return;
            c->head = !status && txt_equal(q.method, txt_slice("HEAD"));
            c->keep = !status && !q.old && !q.close;
            if (status)
                web_refuse(c, status, "", "%s", web_reason(status));
            else
                web_route(c, &q);
        }
        if (c->state == WEB_WAITING) {  /* only to see whether it goes away */
            net_io_want(&c->web->loop, &c->io, EPOLLRDHUP);
            return;
        }
    } while (web_conn_send(c));
}

/* Read what came for c. */
static void web_conn_read(struct web_conn *c)
{
    ssize_t n = recv(c->io.fd, c->web->loop.in, NET_IO_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        web_conn_free(c);
        return;
    }
    if (c->state == WEB_LINGERING)      /* nobody listens any more */
        return;
    mem_put(&c->in, c->web->loop.in, (size_t)n);
    if (c->in.err) {
        web_conn_free(c);
        return;
    }
    mem_link_drop(&c->of_web);
    mem_link_append(&c->web->conns, &c->of_web);
    web_conn_turn(c);
}

/* c's socket is ready. */
static void web_conn_on_event(struct net_io *io, uint32_t events)
{
    struct web_conn *c = io->arg;
    bool reads = c->state == WEB_READING || c->state == WEB_LINGERING;
    if (reads)
        web_conn_read(c);
    else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        web_conn_free(c);               /* a window ends with it */
    else if (c->state == WEB_WRITING && web_conn_send(c))
        web_conn_turn(c);
}

/* Task: what the builder made goes to whom it is for, if he is still there. */
static void web_build_done(void *arg)
{
    struct web_build *b = arg;
    struct web_conn *c = b->conn;
    rec_mark_fini(&b->to);
    web_window_free(b->window);
    if (c) {
        c->build = NULL;
        if (b->error)
            web_refuse(c, 500, WEB_GO_ERROR, "%s", b->why.text);
        else if (b->picture)
            web_answer(c, 200, "image/svg+xml", "", &b->body);
        else
            web_answer(c, 200, "application/octet-stream", WEB_GO_FILE,
                       &b->body);
        if (web_conn_send(c))
            web_conn_turn(c);
    }
    mem_fini(&b->body);
    mem_free(b);
}

/* What c waited for came, or did not come in time. */
static void web_conn_on_time(struct net_timer *t)
{
    struct web_conn *c = t->arg;
    if (c->state == WEB_WAITING) {
        struct web_window *w = c->window;
        c->window = NULL;
        web_window_answer(c, w, c->picture);
        if (c->state == WEB_WAITING)
            return;
    } else if (c->state == WEB_READING && c->in.len) {
        c->keep = c->head = false;
        web_refuse(c, 408, "", "the request did not end in time");
    } else {
        web_conn_free(c);
        return;
    }
    if (web_conn_send(c))
        web_conn_turn(c);
}

/* Make room for one more connection: the one that waits longest for a request
 * has to go.  False when there is none. */
static bool web_evict(struct gp_debug *w)
{
    for (struct link *i = w->conns.next; i != &w->conns; i = i->next) {
        struct web_conn *c = MEM_OF(i, struct web_conn, of_web);
        if (c->state == WEB_READING || c->state == WEB_LINGERING) {
            web_conn_free(c);
            return true;
        }
    }
    return false;
}

/* Take over the accepted socket fd. */
static void web_accept(struct gp_debug *w, int fd)
{
    static const char full[] = "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n";
    struct web_conn *c = w->nconns < WEB_CONNS || web_evict(w) ?
                         mem_zalloc(sizeof *c) : NULL;
    if (!c) {
        ssize_t n = send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
        (void)n;                        /* it is closed in any case */
        close(fd);
        return;
    }
    c->io = (struct net_io){ .fd = fd, .events = EPOLLIN, .arg = c,
                             .on_event = web_conn_on_event };
    c->timer = (struct net_timer){ .on_time = web_conn_on_time, .arg = c };
    c->web = w;
    w->nconns++;
    mem_link_init(&c->of_web);
    mem_link_append(&w->conns, &c->of_web);
    if (net_io_add(&w->loop, &c->io))
        web_conn_free(c);
    else
        (void)web_conn_wait(c, EPOLLIN, WEB_READ_NS);
}

/* Connections wait to be accepted.  Without descriptors one is closed that
 * waits for a request, or all wait. */
static void web_on_accept(struct net_io *io, uint32_t events)
{
    struct gp_debug *w = io->arg;
    (void)events;
    for (int i = 0; i < NET_ACCEPTS; i++) {
        int fd = net_accept(io->fd);
        if (fd >= 0) {
            web_accept(w, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!web_evict(w)) {
            if (!net_timer_arm(&w->loop, &w->pause, w->loop.now_ns +
                                                    RPC_ACCEPT_PAUSE_NS))
                net_io_want(&w->loop, io, 0);
            return;
        }
    }
}

/* Accept again after a pause. */
static void web_on_pause(struct net_timer *t)
{
    struct gp_debug *w = t->arg;
    net_io_want(&w->loop, &w->listener, EPOLLIN);
}

/* ---- life ---- */

/* A thread of the endpoint, for the loop arg. */
static void *web_main(void *arg)
{
    net_loop_run(arg);
    return NULL;
}

/* Task: end the thread of the loop arg. */
static void web_on_stop(void *arg)
{
    ((struct net_loop *)arg)->stop = true;
}

/* Ask for the end of a loop's thread, and wait for it. */
static void web_join(struct net_loop *loop, pthread_t thread, bool *running)
{
    while (*running && net_loop_post(loop, web_on_stop, loop))
        sched_yield();                  /* memory will come back */
    if (*running)
        pthread_join(thread, NULL);
    *running = false;
}

/* Stop, close and free w; NULL is fine.  Windows that are open end. */
static void web_free(struct gp_debug *w)
{
    if (!w)
        return;
    atomic_store(&w->stopping, true);
    web_join(&w->loop, w->thread, &w->running);
    web_join(&w->builder, w->builder_thread, &w->builds);
    while (!mem_link_alone(&w->conns))
        web_conn_free(MEM_OF(w->conns.next, struct web_conn, of_web));
    if (w->loop.in)
        net_tasks_run(&w->loop);        /* what was made for nobody */
    while (!mem_link_alone(&w->claim))
        web_window_free(MEM_OF(w->claim.next, struct web_window, of_claim));
    if (w->listener.fd >= 0)
        close(w->listener.fd);
    const struct sockaddr_un *u = (const struct sockaddr_un *)&w->addr.sa;
    if (w->addr.len && u->sun_family == AF_UNIX && net_unix_is(u->sun_path))
        unlink(u->sun_path);
    net_loop_fini(&w->builder);
    net_loop_fini(&w->loop);
    rec_notes_fini(&w->notes);
    mem_free(w);
}

/* Listen as config says, owned by the caller; it answers from web_start on. */
static int web_new(struct gp_debug **out, const struct web_config *config,
                   struct gp_why *why)
{
    struct net_addr a[NET_ADDRS];
    const char *port;
    size_t n;
    *out = NULL;
    int e = net_addr_parse(config->address, false, a, &n, why);
    if (e)
        return e;
    struct gp_debug *w = mem_zalloc(sizeof *w);
    if (!w)
        return txt_fail(why, GP_ENOMEM, "out of memory for the endpoint");
    w->config = *config;
    mem_link_init(&w->conns);
    mem_link_init(&w->claim);
    w->listener = (struct net_io){ .fd = -1, .events = EPOLLIN, .arg = w,
                                   .on_event = web_on_accept };
    w->source = (struct rec_source){ .calls = rpc_server_calls_of,
                                     .server = config->server,
                                     .notes = &w->notes };
    (void)net_addr_split(config->address, w->host, sizeof w->host, &port);
    w->pause = (struct net_timer){ .on_time = web_on_pause, .arg = w };
    w->on_built = web_build_done;
    if (!(e = net_loop_init(&w->loop, why)) &&
        !(e = net_loop_init(&w->builder, why)))
        w->listener.fd = net_listen(&a[0], why);
    if (!e && w->listener.fd < 0)
        e = w->listener.fd;
    if (!e)
        w->addr = a[0];
    if (!e && net_io_add(&w->loop, &w->listener))
        e = txt_fail(why, GP_EIO, "cannot watch %s: %s", w->addr.text,
                     strerror(errno));
    if (e)
        web_free(w);
    else
        *out = w;
    return e;
}

/* Put key=value among the comments of its profiles; before web_start. */
static int web_note(struct gp_debug *w, const char *key, const char *value)
{
    return rec_notes_add(&w->notes, key, value);
}

/* Begin to answer. */
static int web_start(struct gp_debug *w, struct gp_why *why)
{
    int e = sys_thread_start(&w->builder_thread, "debug-build", false,
                             web_main, &w->builder, why);
    w->builds = !e;
    if (!e)
        e = sys_thread_start(&w->thread, "debug", false, web_main, &w->loop,
                             why);
    w->running = w->builds && !e;
    return e;
}

/* ---- client: GET from another debug endpoint ---- */

/* Wait until fd is ready for events, or until_ns; false then. */
static bool web_ready(int fd, short events, int64_t until_ns)
{
    struct pollfd p = { .fd = fd, .events = events };
    int64_t left;
    while ((left = until_ns - sys_now_ns()) > 0) {
        int n = poll(&p, 1, (int)(left / 1000000 < 1000 ? left / 1000000 + 1
                                                        : 1000));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
    return false;
}

/* Send request to addr and take all that comes until the end. */
static int web_exchange(const struct net_addr *addr, struct slice request,
                        int64_t until_ns, struct buf *in, struct gp_why *why)
{
    int error = 0, fd = net_connect(addr);
    socklen_t len = sizeof error;
    ssize_t n = 0;
    bool late = false;
    if (fd < 0 || (late = !web_ready(fd, POLLOUT, until_ns)) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
        goto out;
    while (request.n &&                 /* it is short: a socket takes it */
           (n = send(fd, request.p, request.n, MSG_NOSIGNAL)) > 0) {
        request.p += n;
        request.n -= (size_t)n;
    }
    while (!request.n && !(late = !web_ready(fd, POLLIN, until_ns))) {
        uint8_t *p = mem_reserve(in, WEB_STEP_BYTES);
        n = p ? recv(fd, p, WEB_STEP_BYTES, 0) : -1;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0 || in->len > WEB_ANSWER_BYTES)
            break;
        in->len += (size_t)n;
    }
out:
    error = error ? error : n < 0 || fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (in->err)
        return txt_fail(why, GP_ENOMEM, "out of memory");
    if (late)
        return txt_fail(why, GP_EIO, "%s: no answer in time", addr->text);
    if (error)
        return txt_fail(why, GP_EIO, "%s: %s", addr->text, strerror(error));
    return GP_OK;
}

/* Undo the chunks of RFC 9112 7.1 in s, in place; false where they are not
 * well formed. */
static bool web_unchunk(uint8_t *p, size_t n, size_t *out)
{
    size_t at = 0;
    *out = 0;
    for (;;) {
        size_t size = 0, digits = 0;
        int digit;
        while (at < n && (digit = txt_hex((char)p[at])) >= 0 && digits++ < 7) {
            size = size << 4 | (size_t)digit;
            at++;
        }
        const uint8_t *line = at < n ? memchr(p + at, '\n', n - at) : NULL;
        if (!digits || digits > 7 || !line)
            return false;
        at = (size_t)(line - p) + 1;
        if (!size)
            return true;
        if (size > n - at)
            return false;
        memmove(p + *out, p + at, size);
        *out += size;
        at += size;
        at += at < n && p[at] == '\r';
        at += at < n && p[at] == '\n';
    }
}

/* GET path of base, "http://host:port" or "host:port", within ns: its
 * status, and the body in *body.  GP_EIO, GP_EFORMAT; another status than
 * 200 is none. */
static int web_get(const char *base, const char *path, int64_t ns, int *status,
                   struct buf *body, struct gp_why *why)
{
    struct net_addr addr[NET_ADDRS];
    struct buf request = {0};
    size_t naddr, head, n;
    *status = 0;
    body->len = 0;
    int e = net_addr_parse(base, true, addr, &naddr, why);
    if (e)
        return e;
    txt_putf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
             "User-Agent: grpcprof/" GP_VERSION "\r\n\r\n", path, addr->text);
    e = web_exchange(addr, (struct slice){ (const char *)request.data,
                                           request.len },
                     sys_now_ns() + ns, body, why);
    mem_fini(&request);
    if (e)
        return e;
    const uint8_t *end = !body->len ? NULL
                       : memmem(body->data, body->len, "\r\n\r\n", 4);
    if (!end || body->len < 12 || memcmp(body->data, "HTTP/1.", 7))
        return txt_fail(why, GP_EFORMAT, "%s: not an answer of HTTP/1.1",
                        addr->text);
    head = (size_t)(end - body->data) + 4;
    for (int i = 9; i < 12; i++)
        *status = *status * 10 + (body->data[i] - '0');
    body->data[head - 1] = 0;
    bool chunked = strcasestr((const char *)body->data,
                              "\ntransfer-encoding: chunked") != NULL;
    const char *length = strcasestr((const char *)body->data,
                                    "\ncontent-length: ");
    n = body->len - head;
    memmove(body->data, body->data + head, 0);
    unsigned long want = length ? strtoul(length + 17, NULL, 10) : n;
    memmove(body->data, body->data + head, n);
    body->len = n;
    if ((chunked && !web_unchunk(body->data, n, &body->len)) ||
        (!chunked && want != n))
        return txt_fail(why, GP_EFORMAT, "%s: its answer is cut off",
                        addr->text);
    return GP_OK;
}

/* ================================== 23 API ==================================
 * for     what grpcprof.h promises to other programs, and to CLI
 * uses    MEM, TXT, SYS, REC, PP, SVG, RPC, SVC, WEB
 * owns    struct gp_profiler; the server is RPC's, the endpoint WEB's
 * spec    grpcprof.h has the contracts
 * prefix  gp_
 * runs    any thread but a loop's, except gp_call_*, which run on the call's
 *
 * Invariant  thin: what it does is done below; it checks arguments and joins
 *            the recorder, the server and the writers.
 * Does not   print, exit, or keep state outside the objects it hands out.
 */

/* Version of the library. */
const char *gp_version(void)
{
    return GP_VERSION;
}

struct gp_profiler {
    struct rec_mark from;               /* where its window begins */
    struct rec_source source;           /* borrows from the others */
    struct rec_notes notes;
};

/* Stop and free p. */
void gp_profiler_stop(struct gp_profiler *p)
{
    if (!p)
        return;
    rec_window_close(&p->from);
    rec_notes_fini(&p->notes);
    mem_free(p);
}

/* What config, which may be NULL, asks the recorder for, and whose calls are
 * counted; GP_EUSAGE when it makes no sense. */
static int gp_profiler_want(const struct gp_profiler_config *config,
                            struct rec_config *want,
                            const struct gp_server **server,
                            struct gp_why *why)
{
    static const struct gp_profiler_config none = { .size = sizeof none };
    const struct gp_profiler_config *c = config ? config : &none;
    if (c->size != sizeof *c)
        return txt_fail(why, GP_EUSAGE, "config.size is not "
                        "sizeof (struct gp_profiler_config)");
    *want = (struct rec_config){ .hz = c->hz ? c->hz : 1000,
                                 .timer = c->timer, .wall = c->wall };
    *server = c->server;
    if (want->hz > SMP_MOST_HZ)
        return txt_fail(why, GP_EUSAGE, "%u Hz: the rate is 1 to %u", want->hz,
                        SMP_MOST_HZ);
    if ((unsigned)want->timer > GP_TIMER_PERF)
        return txt_fail(why, GP_EUSAGE, "no timer has number %d",
                        (int)want->timer);
    return GP_OK;
}

/* Begin to sample this process; see grpcprof.h. */
int gp_profiler_start(struct gp_profiler **out,
                      const struct gp_profiler_config *config,
                      struct gp_why *why)
{
    struct rec_config want;
    const struct gp_server *server;
    *out = NULL;
    int e = gp_profiler_want(config, &want, &server, why);
    if (e)
        return e;
    struct gp_profiler *p = mem_zalloc(sizeof *p);
    if (!p)
        return txt_fail(why, GP_ENOMEM, "out of memory");
    p->source = (struct rec_source){
        .calls = rpc_server_calls_of, .notes = &p->notes, .server = server };
    if ((e = rec_window_open(&p->from, &want, &p->source, why)))
        mem_free(p);
    else
        *out = p;
    return e;
}

/* Put key=value among the comments. */
int gp_profiler_note(struct gp_profiler *p, const char *key, const char *value)
{
    return rec_notes_add(&p->notes, key, value);
}

/* How far p is. */
void gp_profiler_progress(struct gp_profiler *p,
                          struct gp_profiler_state *state)
{
    rec_since(&p->from, state);
}

/* Write the profile and the flame graph; see grpcprof.h. */
int gp_profiler_write(struct gp_profiler *p, const char *pprof,
                      const char *svg, struct gp_why *why)
{
    struct pp profile = {0};
    struct buf file = {0}, picture = {0};
    const struct svg_config config = {0};
    int e;
    if ((e = rec_window_take(&p->from, &p->source, &profile, why)))
        goto out;
    if (pp_write(&profile, &file)) {
        e = txt_fail(why, GP_ENOMEM, "out of memory for the profile");
        goto out;
    }
    if (svg && (e = svg_write(&profile, &config, &picture, why)))
        goto out;
    if (pprof && (e = sys_write_file(pprof, file.data, file.len, why)))
        goto out;
    if (svg)
        e = sys_write_file(svg, picture.data, picture.len, why);
out:
    mem_fini(&file);
    mem_fini(&picture);
    pp_fini(&profile);
    return e;
}

/* Offer Health; see grpcprof.h. */
int gp_server_add_health(struct gp_server *s, struct gp_why *why)
{
    if (!s)
        return txt_fail(why, GP_EUSAGE, "no server");
    if (rpc_server_serves(s, txt_slice("grpc.health.v1.Health")))
        return txt_fail(why, GP_EUSAGE, "Health is there already");
    return svc_health_add(s, why);
}

/* What Health says of a service; see grpcprof.h. */
int gp_server_health(struct gp_server *s, const char *service,
                     enum gp_health status)
{
    return s && service ? svc_health_set(s, service, status) : GP_EUSAGE;
}

/* Offer Reflection; see grpcprof.h. */
int gp_server_add_reflection(struct gp_server *s, struct gp_slice set,
                             struct gp_why *why)
{
    if (!s)
        return txt_fail(why, GP_EUSAGE, "no server");
    return svc_reflection_add(s, (struct slice){ set.data, set.len }, why);
}

/* Have streams look whether there is something to say; see grpcprof.h. */
void gp_server_poke(struct gp_server *s)
{
    rpc_server_poke(s);
}

/* A debug endpoint that does not answer yet; see grpcprof.h. */
int gp_debug_new(struct gp_debug **d, const char *address,
                 const struct gp_profiler_config *config,
                 const char **bound, struct gp_why *why)
{
    struct web_config c = { .address = address ? address : GP_DEBUG_ADDRESS };
    int e = d ? gp_profiler_want(config, &c.sampling, &c.server, why)
              : txt_fail(why, GP_EUSAGE, "no place for the endpoint");
    if (!e && !(e = web_new(d, &c, why)) && bound)
        *bound = (*d)->addr.text;
    return e;
}

/* Put key=value among the comments of its profiles; see grpcprof.h. */
int gp_debug_note(struct gp_debug *d, const char *key, const char *value)
{
    return web_note(d, key, value);
}

/* Begin to answer; see grpcprof.h. */
int gp_debug_start(struct gp_debug *d, struct gp_why *why)
{
    return web_start(d, why);
}

/* Stop and free; see grpcprof.h. */
void gp_debug_free(struct gp_debug *d)
{
    web_free(d);
}

/* A new server without addresses or methods; see grpcprof.h. */
int gp_server_new(struct gp_server **s, const struct gp_server_config *config,
                  struct gp_why *why)
{
    struct gp_server_config known = {0};
    if (!s)
        return txt_fail(why, GP_EUSAGE, "no place for the server");
    /* A program built with an older header has a shorter struct. */
    if (config && (config->size < sizeof config->size ||
                   config->size > 4096))
        return txt_fail(why, GP_EUSAGE, "config.size is not "
                        "sizeof (struct gp_server_config)");
    if (config)
        memcpy(&known, config, config->size < sizeof known ? config->size
                                                           : sizeof known);
    return rpc_server_new(s, &known, why);
}

/* Add a method; see grpcprof.h. */
int gp_server_add(struct gp_server *s, const struct gp_method *method,
                  struct gp_why *why)
{
    if (!s || !method || !method->path)
        return txt_fail(why, GP_EUSAGE, "no server, method or path");
    return rpc_server_add(s, method, why);
}

/* Listen on an address; see grpcprof.h. */
int gp_server_listen(struct gp_server *s, const char *address,
                     const char **bound, struct gp_why *why)
{
    if (!s || !address)
        return txt_fail(why, GP_EUSAGE, "no server or address");
    return rpc_server_listen(s, address, bound, why);
}

/* Start the event loops; see grpcprof.h. */
int gp_server_start(struct gp_server *s, struct gp_why *why)
{
    return s ? rpc_server_start(s, why)
             : txt_fail(why, GP_EUSAGE, "no server");
}

/* Calls completed since the start; see grpcprof.h. */
uint64_t gp_server_calls(const struct gp_server *s)
{
    return s ? rpc_server_calls(s) : 0;
}

/* One method's calls; see grpcprof.h. */
bool gp_server_method(const struct gp_server *s, size_t i, const char **path,
                      uint64_t *calls)
{
    return s && path && calls && rpc_server_method(s, i, path, calls);
}

/* Drain; see grpcprof.h. */
uint64_t gp_server_drain(struct gp_server *s, int64_t grace_ns)
{
    return s ? rpc_server_drain(s, grace_ns) : 0;
}

/* Stop and free; see grpcprof.h. */
void gp_server_free(struct gp_server *s)
{
    rpc_server_free(s);
}

/* Answer with OK; see grpcprof.h. */
void gp_call_reply(struct gp_call *call, struct gp_slice message)
{
    (void)rpc_call_write(call, message);
    rpc_call_finish(call, GP_STATUS_OK, "");
}

/* Send a message; see grpcprof.h. */
int gp_call_write(struct gp_call *call, struct gp_slice message)
{
    return rpc_call_write(call, message);
}

/* End with a status; see grpcprof.h. */
void gp_call_finish(struct gp_call *call, enum gp_status status,
                    const char *message)
{
    rpc_call_finish(call, status, message ? message : "");
}

/* Metadata of the request; see grpcprof.h. */
struct gp_slice gp_call_metadata(struct gp_call *call, const char *key,
                                 size_t nth)
{
    return rpc_call_metadata(call, key, nth);
}

/* Metadata of the answer; see grpcprof.h. */
int gp_call_add(struct gp_call *call, const char *key, struct gp_slice value,
                bool trailer)
{
    return rpc_call_add(call, key, value, trailer);
}

/* Whether messages are compressed; see grpcprof.h. */
void gp_call_compress(struct gp_call *call, bool on)
{
    rpc_call_compress(call, on);
}

/* Ask for on_timer; see grpcprof.h. */
void gp_call_after(struct gp_call *call, int64_t ns)
{
    rpc_call_after(call, ns);
}

/* Whether anybody still waits; see grpcprof.h. */
bool gp_call_cancelled(const struct gp_call *call)
{
    return rpc_call_cancelled(call);
}

/* What the handler keeps of a call; see grpcprof.h. */
void *gp_call_state(struct gp_call *call, size_t n)
{
    return rpc_call_state(call, n);
}

/* Answer with another status; see grpcprof.h. */
void gp_call_fail(struct gp_call *call, enum gp_status status,
                  const char *message)
{
    rpc_call_fail(call, status, message ? message : "");
}

/* Memory of the call; see grpcprof.h. */
void *gp_call_alloc(struct gp_call *call, size_t n)
{
    return rpc_call_alloc(call, n);
}

#ifndef GRPCPROF_LIBRARY

/* ================================= 24 LOAD ==================================
 * for     the load generator: many clients, in a closed loop or by a schedule
 * uses    MEM, TXT, SYS, JS, PB, HDR, ANL, DSC, NET, H2, RPC, WEB
 * owns    its threads, connections and calls while load_run runs; struct
 *         load_result's histograms until load_result_fini
 * spec    none
 * prefix  load_
 * runs    load_run on the caller's thread, each worker on its own; they talk
 *         by net_loop_post, and share two counters for the progress line
 *
 *   connect all -> go -> [warm-up] -> measured -> drain -> cut off
 *
 *   closed loop   a client begins a call when one of its own has ended
 *   open loop     call n begins at its time in the schedule, whatever became of
 *                 the others; worker w of T has the calls n = w modulo T
 *
 * Invariant  planned = ok + failed + cut_off + not_sent, in every outcome; a
 *            failed call is in no latency of the good ones; every wait ends:
 *            by the call's timeout, the connect timeout, or the drain's end.
 * Does not   allocate for a call, or decode a reply.
 */

enum load_ended { LOAD_COUNT, LOAD_DURATION, LOAD_SIGNAL };

struct load_step {                      /* of a schedule */
    double  from, to;                   /* calls a second, at its two ends */
    int64_t ns;                         /* it lasts; 0: until the end */
};

struct load_header { struct slice name, value; };       /* metadata */

struct load_config {
    const char *const *target;          /* borrowed; used in turn */
    size_t      ntarget;                /* at least 1 */
    const char *call;                   /* "package.Service/Method" */
    enum gp_kind kind;                  /* of the method */
    const struct rpc_payload *payload;  /* borrowed; used in turn */
    size_t      npayload;               /* at least 1 */
    const struct load_header *header;   /* borrowed; {{}} in values is filled
                                         * in for each call */
    size_t      nheader;
    const char *authority;              /* NULL: the target's */
    bool        gzip;                   /* payloads are compressed, replies may
                                         * be */
    uint64_t    clients;                /* concurrent ones */
    uint64_t    connections;            /* they share; 0: one each */
    uint64_t    requests_per_client;    /* 0: see total and duration_ns */
    uint64_t    total;                  /* calls in all, when not 0; spread */
    int64_t     duration_ns;            /* 0: no end but the count */
    uint64_t    streams;                /* calls in flight: closed loop, a
                                         * client, 0: 1; open loop, a
                                         * connection, 0: LOAD_OPEN_STREAMS */
    const struct load_step *step;       /* borrowed; the open loop's schedule */
    size_t      nstep;                  /* 0: closed loop */
    bool        poisson;                /* arrivals: else evenly spaced */
    uint64_t    max_in_flight;          /* open loop; 0: LOAD_IN_FLIGHT */
    double      connect_rate;           /* connections a second; 0: any */
    int64_t     message_interval_ns;    /* between a stream's messages */
    unsigned    threads;                /* 0: load_threads() */
    const unsigned *cpu;                /* borrowed; threads are pinned to them
                                         * in turn */
    size_t      ncpu;                   /* 0: not pinned */
    int64_t     timeout_ns;             /* of a call; > 0 */
    int64_t     connect_timeout_ns;     /* > 0 */
    int64_t     keepalive_ns;           /* PINGs; 0: none */
    uint64_t    requests_per_connection;        /* then another one; 0: any */
    int64_t     start_unix_ns;          /* when to go; 0: at once */
    int64_t     warmup_ns;              /* not measured */
    int64_t     drain_ns;               /* for calls in flight at the end */
    int64_t     interval_ns;            /* of the time series */
    uint64_t    max_errors;             /* failed calls that are still fine */
    double      max_error_share;        /* the same as a share; < 0: none */
    bool        no_reconnect;           /* a lost client stays lost */
    int         log_fd;                 /* a row a call is written to it; 0:
                                         * none */
    atomic_int *stop;                   /* borrowed; not 0: end; may be NULL */
    struct load_profiler *profiler;     /* borrowed; of the server; or NULL */
    struct buf *reply;                  /* borrowed: where a reply to the first
                                         * call is put; or NULL */
    void      (*on_progress)(void *arg, uint64_t ok, uint64_t failed,
                             int64_t elapsed_ns);       /* may be NULL */
    void       *arg;                    /* of on_progress */
};

struct load_error {                     /* one kind of failure */
    enum rpc_kind kind;
    int           status;               /* grpc status, perhaps mapped */
    uint32_t      detail;               /* see rpc_kind */
    uint64_t      count;                /* calls */
    int64_t       first_ns;             /* after the start of measuring */
    char          text[64];             /* of the first one */
};

/* Latencies of an interval, as coarse counts: 16 for each power of two. */
enum { LOAD_COARSE = 16 * 42 };

struct load_interval {
    uint64_t ok, failed;                /* calls that ended in it */
    uint64_t in_flight;                 /* when it ended */
    uint32_t count[LOAD_COARSE];        /* of the good ones */
};

struct load_intervals {                 /* the time series */
    struct load_interval *v;            /* owned, LOAD_INTERVALS */
    size_t  n;                          /* begun */
    int64_t ns;                         /* of each; doubles when v is full */
};

struct load_thread {
    uint64_t clients;
    int64_t  cpu_ns, user_ns, sys_ns;   /* while measuring */
    int64_t  wall_ns;                   /* measuring */
    int64_t  wait_ns;                   /* ready, but another had the CPU */
    uint64_t switches;                  /* involuntary ones */
    int64_t  turn_most_ns;              /* the longest turn of its loop */
};

struct load_result {
    uint64_t planned, sent, ok, failed, cut_off, not_sent;      /* calls */
    uint64_t resent;                    /* not processed, sent again */
    uint64_t reconnects, goaways, lost; /* connections, after the start */
    uint64_t gave_up;                   /* clients that could not reconnect */
    uint64_t status[17];                /* calls by grpc status */
    struct load_error error[LOAD_ERRORS];
    size_t   nerror;                    /* of error */
    uint64_t other_errors;              /* calls that error had no room for */
    struct hdr latency;                 /* ns, of good calls, from where they
                                         * began: by the schedule, or when the
                                         * client was free for them */
    struct hdr service;                 /* ns, open loop: of good calls, from
                                         * their sending */
    struct hdr lag;                     /* ns, open loop: calls began late */
    struct hdr first, message;          /* ns, streams: first byte; messages */
    struct hdr failed_latency;          /* ns */
    struct hdr connect;                 /* ns, until SETTINGS; at the start */
    struct load_intervals intervals;
    int64_t  start_unix_ns, elapsed_ns; /* measuring */
    uint64_t bytes_in, bytes_out;       /* while measuring */
    uint64_t messages_in, messages_out; /* of counted calls */
    uint32_t peer_streams;              /* least allowed by a server */
    int64_t  queued_ns;                 /* calls waited for a stream, summed
                                         * over the threads */
    uint64_t tx_blocked;                /* writes that a socket did not take */
    int64_t  tcp_busy_ns, tcp_limited_ns;       /* of connections: had data to
                                         * send; and were held up by windows */
    struct load_thread thread[LOAD_THREADS_MOST];
    unsigned threads;                   /* of thread */
    enum load_ended ended;
    char     target[160];               /* the first one's address */
};

struct load_call {                      /* a slot: one call in flight */
    struct rpc_out      rpc;
    struct load_client *client;         /* borrowed; NULL: nobody's yet */
    struct load_call   *prev, *next;    /* by age, in the worker */
    struct load_call   *after;          /* in a queue, or among the free */
    const struct rpc_payload *payload;  /* borrowed */
    struct net_timer    pace;           /* of its next message */
    int64_t             start_ns;       /* when it was to begin */
    int64_t             sent_ns;        /* of the last sending */
    int64_t             heard_ns;       /* its last message came */
    bool                live;           /* begun, not counted yet */
    bool                waiting;        /* live, and in a queue */
    bool                counted;        /* begun while measuring */
};

struct load_queue { struct load_call *first, *last; };  /* linked by after */

struct load_conn {
    struct rpc_chan     chan;
    struct load_client *client;         /* borrowed */
    struct load_conn   *prev, *next;    /* of the worker */
    int64_t             begin_ns;       /* of connecting */
    uint64_t            used;           /* calls sent on it */
    uint64_t            flying;         /* of them, those not ended */
    int64_t             pinged_ns;      /* its last PING; 0: none */
    bool                ready;          /* SETTINGS seen */
    bool                retired;        /* it has had its calls: to be closed
                                         * when the last has ended */
};

struct load_target {
    struct net_addr     addr[NET_ADDRS];
    size_t              n;              /* of addr; > 0 */
    struct rpc_request  request;
    const char         *text;           /* as given; borrowed */
};

struct load_client {                    /* a place for a connection */
    struct load_worker *worker;         /* borrowed */
    struct load_target *target;         /* borrowed; read only */
    struct load_conn   *conn;           /* takes calls; NULL: none */
    struct load_client *touched;        /* next in the worker's list */
    struct load_queue   waiting;        /* closed loop: its calls */
    size_t              addr;           /* of target, being used */
    uint64_t            streams;        /* calls in flight, at most */
    uint64_t            left;           /* closed loop: calls not yet begun */
    uint64_t            live;           /* closed loop: begun, not counted */
    struct net_timer    retry;          /* armed while it backs off */
    int64_t             backoff_ns;     /* 0: connect at once */
    int64_t             lost_ns;        /* when it lost its connection; 0 */
    unsigned            resends;        /* in a row */
    bool                is_touched;     /* in the worker's list */
    bool                dead;           /* gave up connecting */
    bool                done;           /* nothing more to do */
};

struct load_worker {
    struct net_loop     net;
    struct load_run    *run;            /* borrowed */
    pthread_t           thread;
    unsigned            index;
    struct load_client *client;         /* borrowed slice of the run's */
    uint64_t            nclient;
    uint64_t            next, ready;    /* clients: to connect; connected */
    uint64_t            active;         /* clients not done */
    uint64_t            turn;           /* open loop: client to be asked next */
    struct load_call   *call;           /* owned; ncall */
    size_t              ncall;
    struct load_call   *free;           /* slots not live */
    struct load_call   *oldest, *newest;        /* live ones by age */
    struct load_queue   waiting;        /* open loop: for a stream */
    int64_t             queued_at_ns;   /* since when some wait; 0: none */
    struct load_client *touched;        /* have something to send */
    struct load_conn   *conns;          /* owned */
    struct net_timer    deadline;       /* of the oldest live call */
    struct net_timer    phase;          /* end of warm-up, run or drain */
    struct net_timer    arrival;        /* open loop: the next call's time */
    struct net_timer    beat;           /* keepalive, retired connections */
    double              position;       /* of that call in the schedule */
    uint64_t            arrivals;       /* measured ones so far */
    uint64_t            share;          /* of the count; open loop */
    uint64_t            seq;            /* calls begun */
    uint64_t            nsent;          /* sendings */
    uint64_t            dice;           /* state of load_random */
    struct hdr          ok, service, lag, first, message, failed, connect;
    struct load_intervals intervals;
    uint64_t            in_flight;      /* live calls */
    struct buf          log;            /* rows not yet written */
    _Atomic uint64_t    nok, nfailed;   /* for the progress line */
    uint64_t            sent, cut_off, resent, reconnects, goaways, lost;
    uint64_t            gave_up, tx_blocked, messages_in, messages_out;
    int64_t             queued_ns, tcp_busy_ns, tcp_limited_ns;
    uint64_t            status[17];
    struct load_error   error[LOAD_ERRORS];
    size_t              nerror;
    uint64_t            other_errors;
    int64_t             start_ns, last_ns;      /* measuring; last count */
    int64_t             end_ns;         /* no calls begin later; 0: none */
    struct load_thread  use;            /* at the start, then the difference */
    uint64_t            bytes_in, bytes_out;    /* likewise */
    int64_t             turn_most_ns;
    uint32_t            peer_streams;
    bool                going, measuring, ended;        /* phases begun */
    bool                started;        /* thread is to be joined */
    struct gp_why       why;            /* when connecting failed */
};

struct load_run {
    const struct load_config *config;   /* borrowed */
    struct net_loop     net;            /* of the caller's thread */
    struct h2_kit       kit;
    struct load_target *target;         /* owned */
    struct load_client *client;         /* owned */
    struct load_worker *worker;         /* owned */
    uint64_t            nclient;        /* places for connections */
    unsigned            threads, ready, done;   /* workers */
    bool                open;           /* loop */
    bool                templates;      /* headers to be filled in */
    bool                counted;        /* the number of calls is fixed */
    bool                failed;         /* connecting did */
    bool                stopping;
    bool                measured;       /* the profiler was told */
    struct net_timer    tick;
    int64_t             go_ns, told_ns; /* go: of the schedule's time 0 */
    int64_t             unix_ns;        /* of go */
    enum load_ended     ended;
    struct gp_why       why;
};

/* ---- schedules ---- */

/* True when k is an open loop. */
static bool load_open(const struct load_config *k)
{
    return k->nstep > 0;
}

/* How long k's schedule is; 0: it has no end. */
static int64_t load_schedule_ns(const struct load_config *k)
{
    int64_t ns = 0;
    for (size_t i = 0; i < k->nstep; i++) {
        if (!k->step[i].ns)
            return 0;
        ns += k->step[i].ns;
    }
    return ns;
}

/* When call x of k's schedule is to begin, in seconds from time 0; before that
 * the first rate holds, for the warm-up.  INFINITY past its end.
 *
 * In a step that begins at a and ends at b calls a second, t seconds bring
 * at + (b - a) t^2 / 2T calls; solved for t in the form that has no difference
 * of close numbers. */
static double load_when(const struct load_config *k, double x)
{
    double begin = 0;
    if (x < 0)
        return x / k->step[0].from;
    for (size_t i = 0; i < k->nstep; i++) {
        const struct load_step *s = &k->step[i];
        double T = (double)s->ns / 1e9, a = s->from;
        double slope = s->ns ? (s->to - a) / T : 0;
        double calls = s->ns ? (a + s->to) / 2 * T : (double)INFINITY;
        if (x <= 0 && calls > 0)
            return begin;
        if (x < calls)
            return begin + 2 * x / (a + sqrt(fmax(a * a + 2 * slope * x, 0)));
        x -= calls;
        begin += T;
    }
    return (double)INFINITY;
}

/* A number in (0, 1), evenly spread, from w's own sequence (splitmix64). */
static double load_random(struct load_worker *w)
{
    uint64_t z = w->dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

/* How far it is from one of w's calls to the next, in calls of all workers. */
static double load_stride(struct load_worker *w)
{
    double stride = w->run->threads;
    return w->run->config->poisson ? -log(load_random(w)) * stride : stride;
}

/* ---- the time series ---- */

/* Place of a latency among the coarse counts. */
static uint32_t load_coarse(int64_t ns)
{
    uint64_t v = ns < 16 ? 16 : (uint64_t)ns;
    uint32_t k = 63 - (uint32_t)__builtin_clzll(v);     /* >= 4 */
    uint32_t i = (k - 4) * 16 + (uint32_t)(v >> (k - 4)) - 16;
    return i < LOAD_COARSE ? i : LOAD_COARSE - 1;
}

/* The highest latency at place i, in ns. */
static int64_t load_coarse_value(uint32_t i)
{
    return ((int64_t)(i % 16 + 17) << i / 16) - 1;
}

/* The latency that percent % of an interval's good calls do not exceed, to 6 %;
 * 0 of none. */
static int64_t load_interval_percentile(const struct load_interval *v,
                                        double percent)
{
    uint64_t want = (uint64_t)ceil(percent / 100 * (double)v->ok), sum = 0;
    for (uint32_t i = 0; v->ok && i < LOAD_COARSE; i++)
        if ((sum += v->count[i]) >= want)
            return load_coarse_value(i);
    return 0;
}

/* Add what from counts to to. */
static void load_interval_add(struct load_interval *to,
                              const struct load_interval *from)
{
    to->ok += from->ok;
    to->failed += from->failed;
    for (uint32_t i = 0; i < LOAD_COARSE; i++)
        to->count[i] += from->count[i];
}

/* Make each interval of t twice as long. */
static void load_intervals_double(struct load_intervals *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i % 2) {
            load_interval_add(&t->v[i / 2], &t->v[i]);
            t->v[i / 2].in_flight = t->v[i].in_flight;
        } else if (i) {
            t->v[i / 2] = t->v[i];
        }
    }
    size_t n = (t->n + 1) / 2;
    memset(&t->v[n], 0, (t->n - n) * sizeof *t->v);
    t->n = n;
    t->ns *= 2;
}

/* The interval of t that at_ns after the start falls into; flying is how many
 * calls there are at the end of those before it. */
static struct load_interval *load_intervals_at(struct load_intervals *t,
                                               int64_t at_ns, uint64_t flying)
{
    size_t i = at_ns > 0 ? (size_t)(at_ns / t->ns) : 0;
    while (i >= LOAD_INTERVALS) {
        load_intervals_double(t);
        i = (size_t)(at_ns / t->ns);
    }
    for (; t->n <= i; t->n++)
        if (t->n)
            t->v[t->n - 1].in_flight = flying;
    return &t->v[i];
}

/* Add from's series to to's; the coarser of the two wins. */
static void load_intervals_merge(struct load_intervals *to,
                                 struct load_intervals *from)
{
    while (to->ns < from->ns)
        load_intervals_double(to);
    while (from->ns < to->ns)
        load_intervals_double(from);
    for (size_t i = 0; i < from->n; i++) {
        load_interval_add(&to->v[i], &from->v[i]);
        to->v[i].in_flight += from->v[i].in_flight;
    }
    to->n = from->n > to->n ? from->n : to->n;
}

/* Make t ready; GP_ENOMEM. */
static int load_intervals_init(struct load_intervals *t, int64_t ns)
{
    *t = (struct load_intervals){
        .v = mem_zalloc(LOAD_INTERVALS * sizeof *t->v), .ns = ns };
    return t->v ? GP_OK : GP_ENOMEM;
}

/* ---- a worker: counting ---- */

/* Count a call that did not succeed, by kind. */
static void load_count_error(struct load_worker *w, const struct rpc_result *r)
{
    struct load_error *e = w->error;
    size_t i = 0;
    while (i < w->nerror && (e[i].kind != r->kind || e[i].status != r->status ||
                             e[i].detail != r->detail))
        i++;
    if (i == LOAD_ERRORS) {
        w->other_errors++;
        return;
    }
    if (i == w->nerror) {
        e[i] = (struct load_error){ .kind = r->kind, .status = r->status,
            .detail = r->detail, .first_ns = w->net.now_ns - w->start_ns };
        if (r->text)
            snprintf(e[i].text, sizeof e[i].text, "%s", r->text);
        w->nerror++;
    }
    e[i].count++;
}

/* Write the rows of w's log that are left. */
static void load_log_flush(struct load_worker *w)
{
    for (size_t at = 0; at < w->log.len; ) {
        ssize_t n = write(w->run->config->log_fd, w->log.data + at,
                          w->log.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    w->log.len = 0;
}

/* Log k, which ended with r: when it was to begin, when it was sent, when it
 * ended, in ns after the start of measuring, its status, and the client. */
static void load_log(struct load_worker *w, const struct load_call *k,
                     const struct rpc_result *r)
{
    txt_putf(&w->log, "%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%d\t%td\n",
             k->start_ns - w->start_ns,
             k->sent_ns ? k->sent_ns - w->start_ns : -1,
             w->net.now_ns - w->start_ns, r->status,
             k->client ? k->client - w->run->client : -1);
    if (w->log.len >= LOAD_LOG_BYTES)
        load_log_flush(w);
}

/* Put k behind the others of q. */
static void load_queue_put(struct load_queue *q, struct load_call *k)
{
    k->after = NULL;
    k->waiting = true;
    *(q->first ? &q->last->after : &q->first) = k;
    q->last = k;
}

/* The first of q, out of it, or NULL. */
static struct load_call *load_queue_get(struct load_queue *q)
{
    struct load_call *k = q->first;
    if (k) {
        q->first = k->after;
        k->waiting = false;
    }
    return k;
}

/* Take k out of q, wherever it stands. */
static void load_queue_drop(struct load_queue *q, struct load_call *k)
{
    struct load_call **at = &q->first, *last = NULL;
    while (*at != k) {
        last = *at;
        at = &last->after;
    }
    *at = k->after;
    if (q->last == k)
        q->last = last;
    k->waiting = false;
}

/* The queue that k waits in. */
static struct load_queue *load_queue_of(struct load_worker *w,
                                        struct load_call *k)
{
    return w->run->open ? &w->waiting : &k->client->waiting;
}

/* Calls wait for a stream, or no longer do: keep the time. */
static void load_queue_clock(struct load_worker *w)
{
    if (w->waiting.first && !w->queued_at_ns) {
        w->queued_at_ns = w->net.now_ns;
    } else if (!w->waiting.first && w->queued_at_ns) {
        if (w->measuring)
            w->queued_ns += w->net.now_ns - w->queued_at_ns;
        w->queued_at_ns = 0;
    }
}

/* Take k from the live ones; its slot is free. */
static void load_call_retire(struct load_worker *w, struct load_call *k)
{
    if (k->prev)
        k->prev->next = k->next;
    else
        w->oldest = k->next;
    if (k->next)
        k->next->prev = k->prev;
    else
        w->newest = k->prev;
    k->prev = k->next = NULL;
    if (k->waiting)
        load_queue_drop(load_queue_of(w, k), k);
    k->live = false;
    net_timer_stop(&w->net, &k->pace);
    if (k->client)
        k->client->live--;
    k->after = w->free;
    w->free = k;
    w->in_flight--;
}

/* k is over: count it. */
static void load_call_count(struct load_worker *w, struct load_call *k,
                            const struct rpc_result *r)
{
    int64_t now_ns = w->net.now_ns;
    if (k->counted) {
        struct load_interval *v = load_intervals_at(&w->intervals,
                                      now_ns - w->start_ns, w->in_flight);
        w->last_ns = now_ns;
        w->status[r->status]++;
        if (r->kind == RPC_OK) {
            hdr_add(&w->ok, now_ns - k->start_ns);
            if (w->run->open)
                hdr_add(&w->service, now_ns - k->sent_ns);
            net_add(&w->nok, 1);
            v->ok++;
            v->count[load_coarse(now_ns - k->start_ns)]++;
        } else {
            hdr_add(&w->failed, now_ns - k->start_ns);
            net_add(&w->nfailed, 1);
            v->failed++;
            load_count_error(w, r);
        }
        if (w->run->config->log_fd)
            load_log(w, k, r);
    }
    load_call_retire(w, k);
}

/* What this thread has used since w->use, which becomes the difference. */
static void load_worker_use(struct load_worker *w)
{
    struct rusage u = {0};
    double sched[2] = {0};
    int64_t cpu = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    getrusage(RUSAGE_THREAD, &u);
    (void)sys_read_two("/proc/thread-self", "schedstat", sched);
    int64_t user = (int64_t)u.ru_utime.tv_sec * 1000000000 +
                   (int64_t)u.ru_utime.tv_usec * 1000;
    int64_t sys = (int64_t)u.ru_stime.tv_sec * 1000000000 +
                  (int64_t)u.ru_stime.tv_usec * 1000;
    w->use = (struct load_thread){
        .clients = w->nclient, .cpu_ns = cpu - w->use.cpu_ns,
        .user_ns = user - w->use.user_ns, .sys_ns = sys - w->use.sys_ns,
        .wall_ns = w->net.now_ns - w->use.wall_ns,
        .wait_ns = (int64_t)sched[1] - w->use.wait_ns,
        .switches = (uint64_t)u.ru_nivcsw - w->use.switches,
        .turn_most_ns = w->turn_most_ns };
    w->turn_most_ns = 0;
    w->bytes_in = w->net.bytes_in - w->bytes_in;
    w->bytes_out = w->net.bytes_out - w->bytes_out;
}

/* Add what the kernel says of n's sending, by struct tcp_info of
 * linux/tcp.h, which glibc's header does not have whole: busy time, and of
 * it the time that the receiver's window and the send buffer held it up, in
 * us. */
static void load_conn_tcp(struct load_worker *w, const struct load_conn *n)
{
    enum { BUSY = 168, RWND = 176, SNDBUF = 184, BYTES = 192 };
    uint8_t info[BYTES];
    socklen_t len = sizeof info;
    uint64_t busy, rwnd, sndbuf;
    if (n->chan.h2.io.fd < 0 || getsockopt(n->chan.h2.io.fd, IPPROTO_TCP,
                                           TCP_INFO, info, &len) || len < BYTES)
        return;
    memcpy(&busy, info + BUSY, sizeof busy);
    memcpy(&rwnd, info + RWND, sizeof rwnd);
    memcpy(&sndbuf, info + SNDBUF, sizeof sndbuf);
    w->tcp_busy_ns += (int64_t)busy * 1000;
    w->tcp_limited_ns += (int64_t)(rwnd + sndbuf) * 1000;
}

/* ---- a worker: clients ---- */

/* Task on the caller's loop: one worker is done. */
static void load_run_done(void *arg)
{
    struct load_run *r = arg;
    r->net.stop = ++r->done == r->threads;
}

/* Tell the caller's loop. */
static void load_tell(struct load_worker *w, void (*task)(void *), void *arg)
{
    while (net_loop_post(&w->run->net, task, arg))
        sched_yield();                  /* memory will come back */
}

/* True when c may begin another call now, by itself. */
static bool load_client_may(const struct load_client *c)
{
    const struct load_worker *w = c->worker;
    return w->going && !w->run->open && !w->ended && !c->dead &&
           (c->left || !w->run->counted) && c->live < c->streams &&
           (!w->end_ns || w->net.now_ns < w->end_ns);
}

/* w's calls are all over: its measuring ends. */
static void load_worker_over(struct load_worker *w)
{
    load_queue_clock(w);
    if (w->queued_at_ns && w->measuring)
        w->queued_ns += w->net.now_ns - w->queued_at_ns;
    for (struct load_conn *n = w->conns; n; n = n->next)
        load_conn_tcp(w, n);
    if (w->measuring)
        load_worker_use(w);
    w->net.stop = true;
    load_tell(w, load_run_done, w->run);
}

/* See whether w, in an open loop, has nothing more to do. */
static void load_worker_check(struct load_worker *w)
{
    if (w->run->open && w->ended && !w->oldest && !w->net.stop)
        load_worker_over(w);
}

/* See whether c, and with it its worker, has nothing more to do. */
static void load_client_check(struct load_client *c)
{
    struct load_worker *w = c->worker;
    bool over = w->ended || c->dead || (!c->left && w->run->counted);
    if (w->run->open) {
        load_worker_check(w);
        return;
    }
    if (c->done || c->live || !w->going || !over)
        return;
    c->done = true;
    net_timer_stop(&w->net, &c->retry);
    if (!--w->active)
        load_worker_over(w);
}

/* Have c look after its connection and its waiting calls in delay_ns, or at
 * this turn's end; callbacks may not do it themselves.  GP_ENOMEM. */
static int load_client_later(struct load_client *c, int64_t delay_ns)
{
    struct net_loop *net = &c->worker->net;
    if (c->done || c->dead || net->stop || c->retry.at)
        return GP_OK;
    return net_timer_arm(net, &c->retry, net->now_ns + delay_ns);
}

/* c will have no connection any more: what waits for it has failed, what is
 * left is not sent.  In an open loop that holds when no client is left. */
static void load_client_give_up(struct load_client *c)
{
    static const struct rpc_result gone = {
        RPC_LOST, GP_STATUS_UNAVAILABLE, 0, "cannot reconnect", false };
    struct load_worker *w = c->worker;
    struct load_call *k;
    bool all = true;
    c->dead = true;
    w->gave_up += !w->ended && (w->run->open || c->left || !w->run->counted);
    for (uint64_t i = 0; w->run->open && i < w->nclient && all; i++)
        all = w->client[i].dead;
    struct load_queue *q = w->run->open ? &w->waiting : &c->waiting;
    while (all && (k = q->first))
        load_call_count(w, k, &gone);
    load_client_check(c);
}

/* ---- a worker: calls ---- */

/* Begin a call that was to begin at start_ns, for c or, NULL, whoever has room;
 * w has a free slot. */
static struct load_call *load_call_begin(struct load_worker *w,
                                         struct load_client *c,
                                         int64_t start_ns)
{
    const struct load_config *config = w->run->config;
    struct load_call *k = w->free;
    w->free = k->after;
    k->client = c;
    k->live = true;
    k->counted = w->measuring && start_ns >= w->start_ns;
    k->start_ns = start_ns;
    k->sent_ns = 0;
    k->payload = &config->payload[(w->index + w->seq++ * w->run->threads) %
                                  config->npayload];
    k->next = NULL;
    k->prev = w->newest;
    if (k->prev)
        k->prev->next = k;
    else
        w->oldest = k;
    w->newest = k;
    w->in_flight++;
    w->sent += k->counted;
    if (c) {
        c->live++;
        c->left -= k->counted && w->run->counted;
    }
    if (!w->deadline.at)                /* has room: it was armed before */
        (void)net_timer_arm(&w->net, &w->deadline,
                            k->start_ns + config->timeout_ns);
    return k;
}

/* True when c has a connection that takes calls. */
static bool load_client_open(const struct load_client *c)
{
    const struct load_conn *n = c->conn;
    return n && n->ready && !n->retired && rpc_chan_usable(&n->chan);
}

/* True when c's connection takes one more call: more than the server allows
 * would wait inside nghttp2. */
static bool load_client_room(const struct load_client *c)
{
    if (!load_client_open(c) || c->conn->flying >= c->streams)
        return false;
    return c->conn->flying < h2_peer_streams(&c->conn->chan.h2);
}

/* c has something to send at the end of this turn of timers. */
static void load_client_touch(struct load_client *c)
{
    if (c->is_touched)
        return;
    c->is_touched = true;
    c->touched = c->worker->touched;
    c->worker->touched = c;
}

/* Send what the clients touched have; connections may be gone afterwards. */
static void load_worker_flush(struct load_worker *w)
{
    struct load_client *c;
    while ((c = w->touched)) {
        w->touched = c->touched;
        c->is_touched = false;
        if (c->conn)
            h2_kick(&c->conn->chan.h2);
    }
}

/* Put the value of a header with its {{}} filled in into b. */
static void load_put_template(struct buf *b, struct load_worker *w,
                              const struct load_call *k, struct slice t)
{
    static const char *const word[] = { "{{seq}}", "{{client}}", "{{rand}}",
                                        "{{uuid}}" };
    while (t.n) {
        size_t i = 0;
        while (i < 4 && !txt_starts(t, word[i]))
            i++;
        uint64_t dice[2] = { (uint64_t)(load_random(w) * 9007199254740992.0),
                             (uint64_t)(load_random(w) * 9007199254740992.0) };
        if (i == 0)
            txt_putf(b, "%" PRIu64, w->index + (w->seq - 1) * w->run->threads);
        else if (i == 1)
            txt_putf(b, "%td", k->client - w->run->client);
        else if (i == 2)
            txt_putf(b, "%" PRIu64, dice[0]);
        else if (i == 3)                /* RFC 9562: version 4, variant 10 */
            txt_putf(b, "%08x-%04x-4%03x-%x%03x-%012" PRIx64,
                     (unsigned)(dice[0] & 0xffffffff),
                     (unsigned)(dice[0] >> 32 & 0xffff),
                     (unsigned)(dice[1] & 0xfff),
                     8 + (unsigned)(dice[1] >> 12 & 3),
                     (unsigned)(dice[1] >> 14 & 0xfff),
                     dice[1] >> 5 & UINT64_C(0xffffffffffff));
        else
            mem_put_byte(b, (uint8_t)*t.p);
        size_t n = i < 4 ? strlen(word[i]) : 1;
        t.p += n;
        t.n -= n;
    }
}

/* Start k on its client's connection with headers of its own: those with {{}}
 * filled in, which HPACK is not to keep. */
static int load_call_start_own(struct load_worker *w, struct load_call *k,
                               bool wait)
{
    const struct rpc_request *q = &k->client->target->request;
    nghttp2_nv nv[sizeof q->nv / sizeof *q->nv];
    struct buf text = {0};
    size_t at[sizeof nv / sizeof *nv + 1];
    for (size_t i = 0; i < q->n; i++) {
        struct slice v = { (const char *)q->nv[i].value, q->nv[i].valuelen };
        at[i] = text.len;
        if (memmem(v.p, v.n, "{{", 2))
            load_put_template(&text, w, k, v);
    }
    at[q->n] = text.len;
    for (size_t i = 0; i < q->n; i++) {
        nv[i] = q->nv[i];
        if (at[i] == at[i + 1])
            continue;
        nv[i].value = text.data + at[i];
        nv[i].valuelen = at[i + 1] - at[i];
        nv[i].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX;
    }
    int e = text.err ? GP_ENOMEM : rpc_chan_start(&k->client->conn->chan,
                                       &k->rpc, nv, q->n, k->payload, wait);
    mem_fini(&text);
    return e;
}

/* n gets no more calls: another takes its place at this turn's end, and it is
 * closed when the last has ended. */
static void load_conn_retire(struct load_conn *n)
{
    n->retired = true;
    if (n->client->conn == n)
        (void)load_client_later(n->client, 0);
}

/* Send k on c's connection, which has room; false where that takes it no more:
 * it is out of stream numbers, and k has to wait. */
static bool load_call_send(struct load_worker *w, struct load_call *k,
                           struct load_client *c)
{
    const struct load_config *config = w->run->config;
    struct load_conn *n = c->conn;
    const struct rpc_request *q = &c->target->request;
    bool wait = config->message_interval_ns > 0;
    if (w->run->open && k->client != c) {
        if (k->client)
            k->client->live--;
        c->live++;
    }
    k->client = c;
    k->rpc.keep = w->index == 0 && w->nsent++ == 0 ? config->reply : NULL;
    k->rpc.many = config->kind == GP_SERVER_STREAM || config->kind == GP_BIDI;
    k->sent_ns = k->heard_ns = w->net.now_ns;
    if (w->run->templates ? load_call_start_own(w, k, wait)
                          : rpc_chan_start(&n->chan, &k->rpc, q->nv, q->n,
                                           k->payload, wait)) {
        load_conn_retire(n);
        return false;
    }
    n->flying++;
    w->tx_blocked += n->chan.h2.rest.len > 0;
    if (k->counted)
        w->messages_out += wait ? 1 : k->payload->n;
    if (wait && k->payload->n > 1)
        (void)net_timer_arm(&w->net, &k->pace,
                            w->net.now_ns + config->message_interval_ns);
    if (++n->used == config->requests_per_connection)
        load_conn_retire(n);
    return true;
}

/* Send k, or let it wait where c, NULL for nobody, has no room. */
static void load_call_place(struct load_worker *w, struct load_call *k,
                            struct load_client *c)
{
    if (!c || !load_client_room(c) || !load_call_send(w, k, c))
        load_queue_put(load_queue_of(w, k), k);
}

/* Give c's connection what waits and, in a closed loop, new calls, as many as
 * fit. */
static void load_client_fill(struct load_client *c)
{
    struct load_worker *w = c->worker;
    struct load_queue *q = w->run->open ? &w->waiting : &c->waiting;
    while (load_client_room(c)) {
        struct load_call *k = load_queue_get(q);
        if (!k && load_client_may(c))
            k = load_call_begin(w, c, w->net.now_ns);
        if (!k)
            break;
        if (!load_call_send(w, k, c)) {
            load_queue_put(q, k);
            break;
        }
    }
    if (w->run->open)
        load_queue_clock(w);
}

/* The time of k's next message. */
static void load_on_pace(struct net_timer *t)
{
    struct load_call *k = t->arg;
    struct load_worker *w = k->client->worker;
    if (!k->live || k->waiting)
        return;
    w->messages_out += k->counted;
    if (rpc_chan_more(&k->rpc, k->payload))
        (void)net_timer_arm(&w->net, t, t->due_ns +
                            w->run->config->message_interval_ns);
    h2_kick(&k->rpc.chan->h2);
}

/* ---- a worker: phases ---- */

/* No more calls begin; those in flight have drain_ns. */
static void load_worker_end(struct load_worker *w, int64_t drain_ns)
{
    w->ended = true;
    net_timer_stop(&w->net, &w->arrival);
    for (uint64_t i = 0; i < w->nclient; i++)
        load_client_check(&w->client[i]);
    if (!w->net.stop)                   /* has room: it was armed before */
        (void)net_timer_arm(&w->net, &w->phase, w->net.now_ns + drain_ns);
}

/* What is still in flight is cut off. */
static void load_worker_cut(struct load_worker *w)
{
    struct load_call *k;
    while ((k = w->oldest)) {
        struct load_client *c = k->client;
        if (!k->waiting)
            rpc_chan_cancel(&k->rpc);
        w->cut_off += k->counted;
        load_call_retire(w, k);
        if (c)
            load_client_check(c);
    }
    load_worker_check(w);
}

/* Measuring begins. */
static void load_worker_measure(struct load_worker *w)
{
    const struct load_config *k = w->run->config;
    int64_t most_ns = load_schedule_ns(k);
    w->measuring = true;
    w->start_ns = net_now(&w->net);
    load_worker_use(w);                 /* the baseline */
    if (w->run->open)
        w->start_ns = w->run->go_ns + k->warmup_ns;
    w->last_ns = w->start_ns;
    if (k->duration_ns && (!most_ns || k->duration_ns < most_ns))
        most_ns = k->duration_ns;
    if (!most_ns)
        return;
    w->end_ns = w->start_ns + most_ns;
    (void)net_timer_arm(&w->net, &w->phase, w->end_ns);
}

/* ---- a worker: arrivals of an open loop ---- */

/* A client with room, or NULL.  While calls wait there is none. */
static struct load_client *load_worker_pick(struct load_worker *w)
{
    for (uint64_t i = 0; i < w->nclient && !w->waiting.first; i++) {
        struct load_client *c = &w->client[w->turn];
        w->turn = w->turn + 1 < w->nclient ? w->turn + 1 : 0;
        if (load_client_room(c))
            return c;
    }
    return NULL;
}

/* The call that was to begin at due_ns does, or is not sent because too many
 * are in flight. */
static void load_arrive(struct load_worker *w, int64_t due_ns)
{
    bool counted = w->measuring && due_ns >= w->start_ns;
    w->arrivals += counted;
    if (!w->free)
        return;
    if (counted)
        hdr_add(&w->lag, w->net.now_ns - due_ns);
    struct load_call *k = load_call_begin(w, NULL, due_ns);
    struct load_client *c = load_worker_pick(w);
    load_call_place(w, k, c);
    if (c)
        load_client_touch(c);
}

/* When w's next call is due; INT64_MAX when there is none any more. */
static int64_t load_next_ns(const struct load_worker *w)
{
    const struct load_run *r = w->run;
    double s = load_when(r->config, w->position);
    if ((r->counted && w->arrivals >= w->share) || !(s < 1e9))
        return INT64_MAX;
    int64_t due_ns = r->go_ns + r->config->warmup_ns + (int64_t)(s * 1e9);
    return w->end_ns && due_ns >= w->end_ns ? INT64_MAX : due_ns;
}

/* Begin the calls of w that are due. */
static void load_worker_arrivals(struct load_worker *w)
{
    int64_t now_ns = net_now(&w->net), due_ns = 0;
    if (!w->measuring && now_ns >= w->run->go_ns + w->run->config->warmup_ns)
        load_worker_measure(w);
    while (!w->ended && (due_ns = load_next_ns(w)) <= now_ns) {
        load_arrive(w, due_ns);
        w->position += load_stride(w);
    }
    load_queue_clock(w);
    load_worker_flush(w);
    if (w->ended || w->net.stop)
        return;
    if (due_ns < INT64_MAX)
        (void)net_timer_arm(&w->net, &w->arrival, due_ns);
    else if (w->measuring)
        load_worker_end(w, w->run->config->drain_ns);
}

/* The time of w's next call. */
static void load_on_arrival(struct net_timer *t)
{
    load_worker_arrivals(t->arg);
}

/* ---- a worker: what calls tell ---- */

/* A response begins. */
static void load_on_first(struct rpc_chan *ch, struct rpc_out *u)
{
    struct load_call *k = (struct load_call *)u;
    struct load_worker *w = k->client->worker;
    (void)ch;
    if (k->counted && w->run->config->kind != GP_UNARY)
        hdr_add(&w->first, w->net.now_ns - k->sent_ns);
}

/* A message of a response is whole.  In a bidirectional stream it is taken for
 * the answer to the message with the same number; in another it is timed from
 * the one before it. */
static void load_on_message(struct rpc_chan *ch, struct rpc_out *u)
{
    struct load_call *k = (struct load_call *)u;
    struct load_worker *w = k->client->worker;
    const struct load_config *config = w->run->config;
    (void)ch;
    if (!k->counted)
        return;
    w->messages_in++;
    if (config->kind == GP_UNARY)
        return;
    int64_t from_ns = k->heard_ns;
    if (config->kind == GP_BIDI && u->frame.count <= k->payload->n)
        from_ns = k->sent_ns +
                  (u->frame.count - 1) * config->message_interval_ns;
    hdr_add(&w->message, w->net.now_ns - from_ns);
    k->heard_ns = w->net.now_ns;
}

/* k has been counted, or waits again: go on with c's next one, at once on the
 * connection whose turn this is, else at its end. */
static void load_client_next(struct load_client *c, const struct rpc_chan *ch)
{
    if (c->conn && &c->conn->chan == ch)
        load_client_fill(c);
    else if (load_client_may(c) || c->waiting.first ||
             c->worker->waiting.first)
        (void)load_client_later(c, 0);
    load_client_check(c);
}

/* A call ended. */
static void load_on_done(struct rpc_chan *ch, struct rpc_out *u,
                         const struct rpc_result *r)
{
    struct load_call *k = (struct load_call *)u;
    struct load_conn *n = ch->owner;
    struct load_client *c = k->client;
    struct load_worker *w = c->worker;
    n->flying--;
    c->resends = r->kind == RPC_OK ? 0 : c->resends;
    net_timer_stop(&w->net, &k->pace);
    if (r->unseen && !c->dead && c->resends < LOAD_RESENDS) {
        c->resends++;
        w->resent += k->counted;
        load_queue_put(load_queue_of(w, k), k);         /* keeps its time */
        (void)load_client_later(c, 0);
        return;
    }
    load_call_count(w, k, r);
    load_client_next(c, ch);
}

/* The oldest live call may have reached its deadline. */
static void load_on_deadline(struct net_timer *t)
{
    static const struct rpc_result late = {
        RPC_DEADLINE, GP_STATUS_DEADLINE_EXCEEDED, 0, "no answer in time",
        false };
    struct load_worker *w = t->arg;
    int64_t timeout_ns = w->run->config->timeout_ns;
    struct load_call *k;
    while ((k = w->oldest) && k->start_ns + timeout_ns <= w->net.now_ns) {
        struct load_client *c = k->client;
        struct rpc_chan *ch = k->waiting ? NULL : k->rpc.chan;
        if (ch) {
            rpc_chan_cancel(&k->rpc);
            ((struct load_conn *)ch->owner)->flying--;
        }
        load_call_count(w, k, &late);
        if (c)
            load_client_next(c, ch);
        else
            load_worker_check(w);
        if (ch)
            h2_kick(&ch->h2);
    }
    if (k)
        (void)net_timer_arm(&w->net, t, k->start_ns + timeout_ns);
}

/* ---- a worker: connections ---- */

/* Why n did not get as far as SETTINGS, into *why. */
static void load_conn_why(const struct load_conn *n, struct gp_why *why)
{
    const struct h2_conn *h = &n->chan.h2;
    const struct load_client *c = n->client;
    const char *addr = c->target->addr[c->addr].text;
    if (h->end == H2_END_TIMEOUT)
        txt_fail(why, GP_EIO, "%s: no HTTP/2 answer within the connect "
                 "timeout", addr);
    else if (h->error == EADDRNOTAVAIL)
        txt_fail(why, GP_EIO, "%s: local ports used up; wait a minute, or "
                 "widen net.ipv4.ip_local_port_range", addr);
    else if (h->error == EMFILE || h->error == ENFILE)
        txt_fail(why, GP_EIO, "%s: too many open descriptors; raise the limit "
                 "with ulimit -n", addr);
    else if (h->error)
        txt_fail(why, GP_EIO, "cannot connect to %s: %s%s", addr,
                 strerror(h->error), h->error == ECONNREFUSED
                 ? "; is the server running? 'grpcprof serve' starts ours"
                 : "");
    else if (h->end == H2_END_EOF)
        txt_fail(why, GP_EIO, "%s: closed the connection before HTTP/2 began",
                 addr);
    else
        txt_fail(why, GP_EIO, "%s: does not speak HTTP/2 without TLS", addr);
}

/* Task on the caller's loop: a worker could not connect. */
static void load_run_failed(void *arg)
{
    struct load_worker *w = arg;
    struct load_run *r = w->run;
    if (!r->failed)
        r->why = w->why;
    r->failed = true;
    r->net.stop = true;
}

/* Task on the caller's loop: a worker's clients are all connected. */
static void load_run_ready(void *arg)
{
    struct load_run *r = arg;
    if (++r->ready == r->threads)
        r->tick.on_time(&r->tick);      /* says go */
}

/* c could not connect: the next address, then later.  Before the run begins
 * that ends it; in the run c gives up after the connect timeout. */
static void load_conn_failed(struct load_conn *n)
{
    struct load_client *c = n->client;
    struct load_worker *w = c->worker;
    const struct load_config *k = w->run->config;
    if (w->net.stop || w->why.text[0])
        return;
    if (!w->going && c->addr + 1 == c->target->n) {
        load_conn_why(n, &w->why);
        load_tell(w, load_run_failed, w);
        return;
    }
    c->addr = (c->addr + 1) % c->target->n;
    c->backoff_ns = !w->going ? 0 : c->backoff_ns ? c->backoff_ns * 2
                                                  : LOAD_BACKOFF_NS;
    if (c->backoff_ns > LOAD_BACKOFF_MOST_NS)
        c->backoff_ns = LOAD_BACKOFF_MOST_NS;
    int64_t next_ns = w->net.now_ns + c->backoff_ns;
    if ((w->going && next_ns - c->lost_ns > k->connect_timeout_ns) ||
        load_client_later(c, c->backoff_ns))
        load_client_give_up(c);
}

/* SETTINGS of a connection, its first or others. */
static void load_on_ready(struct rpc_chan *ch)
{
    struct load_conn *n = ch->owner;
    struct load_client *c = n->client;
    struct load_worker *w = c->worker;
    uint32_t streams = h2_peer_streams(&ch->h2);
    w->peer_streams = streams < w->peer_streams ? streams : w->peer_streams;
    if (n->ready) {                     /* perhaps more streams than before */
        (void)load_client_later(c, 0);
        return;
    }
    n->ready = true;
    c->backoff_ns = 0;
    if (w->going) {
        w->reconnects++;
        (void)load_client_later(c, 0);
        return;
    }
    hdr_add(&w->connect, w->net.now_ns - n->begin_ns);
    if (w->next < w->nclient && !(w->run->config->connect_rate > 0))
        (void)load_client_later(&w->client[w->next++], 0);
    if (++w->ready == w->nclient)
        load_tell(w, load_run_ready, w->run);
}

/* c's connection takes no more calls: another one takes its place. */
static void load_conn_replace(struct load_conn *n)
{
    struct load_client *c = n->client;
    if (c->conn != n)
        return;
    c->conn = NULL;
    c->lost_ns = c->worker->net.now_ns;
    if (!c->worker->going)
        return;                         /* load_worker_go sees to it */
    /* A server that takes no calls at all is not asked in a tight loop. */
    if (c->worker->run->config->no_reconnect ||
        load_client_later(c, c->resends > 1 ? LOAD_BACKOFF_NS : 0))
        load_client_give_up(c);
}

/* The server says goodbye; calls that it has will still be answered. */
static void load_on_goaway(struct rpc_chan *ch)
{
    struct load_conn *n = ch->owner;
    n->client->worker->goaways++;
    if (n->ready)
        load_conn_replace(n);
}

/* A connection is over, and so are its calls. */
static void load_on_lost(struct rpc_chan *ch)
{
    struct load_conn *n = ch->owner;
    struct load_client *c = n->client;
    if (!n->ready) {
        if (c->conn == n)
            c->conn = NULL;
        load_conn_failed(n);
        return;
    }
    load_conn_tcp(c->worker, n);
    c->worker->lost += !ch->h2.goaway && ch->h2.end != H2_END_LOCAL;
    load_conn_replace(n);
}

/* A connection's memory can go. */
static void load_on_gone(struct rpc_chan *ch)
{
    struct load_conn *n = ch->owner;
    struct load_worker *w = n->client->worker;
    if (n->next)
        n->next->prev = n->prev;
    if (n->prev)
        n->prev->next = n->next;
    else
        w->conns = n->next;
    mem_free(n);
}

static const struct rpc_chan_up load_up = {
    .on_ready = load_on_ready, .on_first = load_on_first,
    .on_message = load_on_message, .on_done = load_on_done,
    .on_goaway = load_on_goaway, .on_lost = load_on_lost,
    .on_gone = load_on_gone,
};

/* Open a connection for c. */
static void load_client_connect(struct load_client *c)
{
    struct load_worker *w = c->worker;
    struct load_run *r = w->run;
    struct load_conn *n = mem_zalloc(sizeof *n);
    struct load_conn none = { .client = c };
    none.chan.h2.error = ENOMEM;
    if (!n) {
        load_conn_failed(&none);
        return;
    }
    n->client = c;
    n->begin_ns = net_now(&w->net);
    n->chan.gzip = r->config->gzip;
    if (rpc_chan_open(&n->chan, &r->kit, &w->net, &c->target->addr[c->addr],
                      r->config->connect_timeout_ns, &load_up, n)) {
        none.chan.h2.error = n->chan.h2.error;
        mem_free(n);
        load_conn_failed(&none);
        return;
    }
    n->next = w->conns;
    if (n->next)
        n->next->prev = n;
    w->conns = n;
    c->conn = n;
}

/* True when c has use for a connection. */
static bool load_client_needs(const struct load_client *c)
{
    const struct load_worker *w = c->worker;
    return !w->going || c->waiting.first || load_client_may(c) ||
           (w->run->open && (w->waiting.first || !w->ended));
}

/* Outside callbacks: see to c's connection and to its calls. */
static void load_on_later(struct net_timer *t)
{
    struct load_client *c = t->arg;
    struct load_conn *n = c->conn;
    if (n && n->retired) {
        c->conn = NULL;
        c->lost_ns = c->worker->net.now_ns;
        h2_kick(&n->chan.h2);
    }
    if (c->conn && c->conn->ready) {
        load_client_fill(c);
        if (c->conn)
            h2_kick(&c->conn->chan.h2);
    } else if (!c->conn && load_client_needs(c)) {
        load_client_connect(c);
    }
}

/* Now and then: PINGs on connections that are to be kept alive, and the end of
 * those that do not answer, or that have had their calls. */
static void load_on_beat(struct net_timer *t)
{
    struct load_worker *w = t->arg;
    int64_t keepalive_ns = w->run->config->keepalive_ns;
    int64_t now_ns = net_now(&w->net);
    struct load_conn *next;
    for (struct load_conn *n = w->conns; n; n = next) {
        struct h2_conn *h = &n->chan.h2;
        next = n->next;
        if (n->retired && !n->flying && n->client->conn != n) {
            h2_abort(h);
            continue;
        }
        if (!keepalive_ns || !n->ready || h->state != H2_OPEN)
            continue;
        if (n->pinged_ns && h->heard_ns < n->pinged_ns) {
            if (now_ns - n->pinged_ns >= LOAD_KEEPALIVE_WAIT_NS) {
                h->end = H2_END_TIMEOUT;
                h2_kick(h);
            }
        } else if (now_ns - n->pinged_ns >= keepalive_ns &&
                   !nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL)) {
            n->pinged_ns = now_ns;
            h2_kick(h);
        }
    }
    (void)net_timer_arm(&w->net, t, now_ns + LOAD_TICK_NS);
}

/* ---- a worker: from its start to its end ---- */

/* The next phase begins. */
static void load_on_phase(struct net_timer *t)
{
    struct load_worker *w = t->arg;
    if (w->ended) {
        load_worker_cut(w);
        return;
    }
    if (w->run->open)
        load_worker_arrivals(w);        /* those that are due yet */
    if (!w->measuring)
        load_worker_measure(w);
    else if (!w->ended && w->end_ns && w->net.now_ns >= w->end_ns)
        load_worker_end(w, w->run->config->drain_ns);
}

/* Task: the calls begin. */
static void load_worker_go(void *arg)
{
    struct load_worker *w = arg;
    struct load_run *r = w->run;
    int64_t warmup_ns = r->config->warmup_ns;
    w->going = true;
    net_now(&w->net);
    for (uint64_t i = 0; i < w->nclient; i++)
        w->client[i].lost_ns = w->net.now_ns;
    if (r->config->keepalive_ns || r->config->requests_per_connection)
        (void)net_timer_arm(&w->net, &w->beat, w->net.now_ns + LOAD_TICK_NS);
    if (r->open) {
        double ahead = (double)warmup_ns / 1e9 * r->config->step[0].from;
        w->position = -ahead + (r->config->poisson ? load_stride(w)
                                                   : (double)w->index);
        load_worker_arrivals(w);
    }
    if (warmup_ns && !w->measuring)
        (void)net_timer_arm(&w->net, &w->phase, r->go_ns + warmup_ns);
    else if (!w->measuring)
        load_worker_measure(w);
    for (uint64_t i = 0; i < w->nclient; i++) {
        struct load_client *c = &w->client[i];
        net_timer_stop(&w->net, &c->retry);
        load_on_later(&c->retry);
        load_client_check(c);           /* it may have no calls to make */
    }
}

/* Task: end early. */
static void load_worker_stop(void *arg)
{
    struct load_worker *w = arg;
    int64_t drain_ns = w->run->config->drain_ns;
    if (w->going && !w->ended)
        load_worker_end(w, drain_ns < LOAD_STOP_DRAIN_NS ? drain_ns
                                                         : LOAD_STOP_DRAIN_NS);
}

/* Task: end at once. */
static void load_worker_abort(void *arg)
{
    ((struct load_worker *)arg)->net.stop = true;
}

/* The end of a turn of the loop: how long was it? */
static bool load_on_turn(struct net_loop *net)
{
    struct load_worker *w = MEM_OF(net, struct load_worker, net);
    int64_t ns = net_now(net) - net->woke_ns;
    w->turn_most_ns = ns > w->turn_most_ns ? ns : w->turn_most_ns;
    return false;
}

/* A worker's thread: connect, then do as told. */
static void *load_worker_main(void *arg)
{
    struct load_worker *w = arg;
    const struct load_config *k = w->run->config;
    double gap_ns = k->connect_rate > 0 ? 1e9 / k->connect_rate : 0;
    if (k->ncpu) {                      /* cannot fail: it was tried before */
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(k->cpu[w->index % k->ncpu], &set);
        (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    if (w->run->open)                   /* wake up then, not 50 us later */
        (void)prctl(PR_SET_TIMERSLACK, 1);
    net_now(&w->net);
    while (w->next < w->nclient && (gap_ns > 0 ||
                                    w->next < LOAD_CONNECTING)) {
        double place = (double)(w->next * w->run->threads + w->index);
        (void)load_client_later(&w->client[w->next++],
                                (int64_t)(gap_ns * place));
    }
    net_loop_run(&w->net);
    if (w->run->config->log_fd)
        load_log_flush(w);
    return NULL;
}

/* Calls in flight that w can have. */
static size_t load_worker_slots(const struct load_worker *w)
{
    const struct load_run *r = w->run;
    uint64_t most = r->config->max_in_flight ? r->config->max_in_flight
                                             : LOAD_IN_FLIGHT;
    size_t sum = 0;
    if (r->open)
        return (size_t)(most / r->threads + (w->index < most % r->threads));
    for (uint64_t i = 0; i < w->nclient; i++)
        sum += w->client[i].streams;
    return sum;
}

/* Make w's histograms. */
static int load_worker_init_counts(struct load_worker *w)
{
    int64_t ns = w->run->config->interval_ns;
    return hdr_init(&w->ok) | hdr_init(&w->failed) | hdr_init(&w->connect) |
           hdr_init(&w->service) | hdr_init(&w->lag) | hdr_init(&w->first) |
           hdr_init(&w->message) |
           load_intervals_init(&w->intervals, ns ? ns : LOAD_INTERVAL_NS);
}

/* Make worker w ready, with its slice of the run's clients.  Its timers get
 * their room in the heap now, so that arming them cannot fail later. */
static int load_worker_init(struct load_worker *w, struct gp_why *why)
{
    struct load_run *r = w->run;
    bool paced = r->config->message_interval_ns > 0;
    int e = net_loop_init(&w->net, why);
    if (e)
        return e;
    w->ncall = load_worker_slots(w);
    void *heap = mem_grow(w->net.heap, &w->net.heap_cap,
                          2 * w->nclient + 8 + (paced ? w->ncall : 0),
                          sizeof(struct net_timer *));
    w->net.heap = heap ? heap : w->net.heap;
    w->net.on_turn = load_on_turn;
    w->net.fine = r->open;
    w->call = mem_zalloc(w->ncall * sizeof *w->call);
    if (!heap || !w->call || load_worker_init_counts(w))
        return txt_fail(why, GP_ENOMEM, "out of memory for %" PRIu64
                        " clients", w->nclient);
    w->deadline = (struct net_timer){ .on_time = load_on_deadline, .arg = w };
    w->phase = (struct net_timer){ .on_time = load_on_phase, .arg = w };
    w->arrival = (struct net_timer){ .on_time = load_on_arrival, .arg = w };
    w->beat = (struct net_timer){ .on_time = load_on_beat, .arg = w };
    w->dice = mem_hash(&w->index, sizeof w->index);
    w->active = w->nclient;
    w->peer_streams = UINT32_MAX;
    for (size_t i = w->ncall; i-- > 0; w->free = &w->call[i]) {
        w->call[i].after = w->free;
        w->call[i].pace = (struct net_timer){ .on_time = load_on_pace,
                                              .arg = &w->call[i] };
    }
    for (uint64_t i = 0; i < w->nclient; i++) {
        struct load_client *c = &w->client[i];
        c->worker = w;
        c->retry = (struct net_timer){ .on_time = load_on_later, .arg = c };
    }
    return GP_OK;
}

/* Release w, whose thread has ended; a zero w is fine. */
static void load_worker_fini(struct load_worker *w)
{
    w->net.stop = true;                 /* nothing reconnects any more */
    while (w->conns)
        h2_abort(&w->conns->chan.h2);
    net_loop_fini(&w->net);
    mem_free(w->call);
    mem_fini(&w->log);
    hdr_fini(&w->ok);
    hdr_fini(&w->service);
    hdr_fini(&w->lag);
    hdr_fini(&w->first);
    hdr_fini(&w->message);
    hdr_fini(&w->failed);
    hdr_fini(&w->connect);
    mem_free(w->intervals.v);
}

/* ---- the run ---- */

/* Threads for a run of so many connections, when not asked for. */
static unsigned load_threads(uint64_t connections)
{
    unsigned n = sys_cpus() / 2;
    n = n > LOAD_THREADS_AUTO ? LOAD_THREADS_AUTO : n ? n : 1;
    return connections && connections < n ? (unsigned)connections : n;
}

/* Calls planned by k, or 0 when only the time ends it. */
static uint64_t load_planned(const struct load_config *k)
{
    return k->total ? k->total : k->clients * k->requests_per_client;
}

/* Connections of k. */
static uint64_t load_connections(const struct load_config *k)
{
    return k->connections ? k->connections : k->clients;
}

/* Check how k's calls are to come. */
static int load_check_calls(const struct load_config *k, struct gp_why *why)
{
    uint64_t streams = k->streams ? k->streams : 1;
    if (streams > LOAD_STREAMS_MOST || (!load_open(k) &&
        streams * k->clients > 100 * (uint64_t)LOAD_STREAMS_MOST))
        return txt_fail(why, GP_EUSAGE, "calls in flight: at most %d a client "
                        "and %d in all", LOAD_STREAMS_MOST,
                        100 * LOAD_STREAMS_MOST);
    if (k->total && k->requests_per_client)
        return txt_fail(why, GP_EUSAGE, "requests: either per client or a "
                        "total");
    if (!load_planned(k) && !k->duration_ns && !load_schedule_ns(k))
        return txt_fail(why, GP_EUSAGE, "neither requests nor a duration");
    if (k->requests_per_client > UINT64_MAX / LOAD_CLIENTS_MOST)
        return txt_fail(why, GP_EUSAGE, "requests: too many");
    if (k->timeout_ns <= 0 || k->connect_timeout_ns <= 0 || k->drain_ns < 0)
        return txt_fail(why, GP_EUSAGE, "a timeout is not positive");
    if (!k->npayload)
        return txt_fail(why, GP_EUSAGE, "no message to send");
    double most = 0;
    for (size_t i = 0; i < k->nstep; i++) {
        most = fmax(most, fmax(k->step[i].from, k->step[i].to));
        if (!(k->step[i].from >= 0) || !(k->step[i].to >= 0))
            return txt_fail(why, GP_EUSAGE, "a rate is not positive");
    }
    if (load_open(k) && !(most > 0))
        return txt_fail(why, GP_EUSAGE, "a schedule without a call");
    return GP_OK;
}

/* Check what k asks for, but for its targets. */
static int load_check(const struct load_config *k, struct gp_why *why)
{
    if (!k->clients || k->clients > LOAD_CLIENTS_MOST)
        return txt_fail(why, GP_EUSAGE, "clients: 1 to %d", LOAD_CLIENTS_MOST);
    if (k->connections > k->clients)
        return txt_fail(why, GP_EUSAGE, "connections: %" PRIu64 " are more "
                        "than the %" PRIu64 " clients", k->connections,
                        k->clients);
    if (k->threads > LOAD_THREADS_MOST)
        return txt_fail(why, GP_EUSAGE, "threads: at most %d",
                        LOAD_THREADS_MOST);
    if (!k->ntarget || k->ntarget > LOAD_TARGETS_MOST)
        return txt_fail(why, GP_EUSAGE, "targets: 1 to %d", LOAD_TARGETS_MOST);
    int e = load_check_calls(k, why);
    uint64_t files = sys_raise_files(), need = load_connections(k) + 64;
    if (!e && need > files)
        return txt_fail(why, GP_ELIMIT, "%" PRIu64 " connections need %" PRIu64
                        " descriptors, the limit is %" PRIu64 ": raise it with "
                        "ulimit -n %" PRIu64, need - 64, need, files, need);
    return e;
}

/* "/package.Service/Method" of the call "package.Service/Method" or
 * "package.Service.Method" into path[size]. */
static int load_path(const char *call, char *path, size_t size,
                     struct gp_why *why)
{
    const char *from = *call == '/' ? call + 1 : call;
    int n = snprintf(path, size, "/%s", from);
    char *dot = strrchr(path, '.'), *slash = strchr(path + 1, '/');
    if (n < 0 || (size_t)n >= size || (!slash && !dot) ||
        path[strspn(path + 1, "/.") + 1] == 0 || path[n - 1] == '/' ||
        path[n - 1] == '.')
        return txt_fail(why, GP_EUSAGE, "call '%.100s': write "
                        "package.Service/Method", call);
    if (!slash)
        *dot = '/';
    return GP_OK;
}

/* The :authority for the address text, which parsed as *addr: its host and
 * port. */
static const char *load_authority(const char *text,
                                  const struct net_addr *addr)
{
    if (addr->sa.ss_family == AF_UNIX)
        return "localhost";
    if (strchr(text, '/')) {
        const char *last = strrchr(text, '/');
        return last[1] ? last + 1 : addr->text;
    }
    return strchr(text, ':') > text ? text : addr->text;
}

/* Make t of the address text: where it is, and the headers for it. */
static int load_target_init(struct load_target *t, const char *text,
                            const struct load_config *k, struct gp_why *why)
{
    char path[512];
    int e = net_addr_parse(text, true, t->addr, &t->n, why);
    t->text = text;
    if (e || (e = load_path(k->call, path, sizeof path, why)))
        return e;
    const char *authority = k->authority ? k->authority
                                         : load_authority(text, t->addr);
    e = rpc_request_init(&t->request, path, authority, k->timeout_ns, k->gzip);
    for (size_t i = 0; !e && i < k->nheader; i++)
        e = rpc_request_header(&t->request, k->header[i].name,
                               k->header[i].value);
    if (e == GP_ELIMIT)
        return txt_fail(why, GP_EUSAGE, "more metadata than %d headers",
                        RPC_META_MOST);
    return e ? txt_fail(why, e, "out of memory for the request") : GP_OK;
}

/* Calls that are over, for the progress line. */
static void load_run_sum(const struct load_run *r, uint64_t *ok,
                         uint64_t *failed)
{
    *ok = *failed = 0;
    for (unsigned i = 0; i < r->threads; i++) {
        *ok += net_get(&r->worker[i].nok);
        *failed += net_get(&r->worker[i].nfailed);
    }
}

/* ---- a profile of the server, of the time measured ---- */

struct load_profiler {
    const char *base;                   /* of its debug endpoint; borrowed */
    unsigned    hz;
    int64_t     seconds;                /* of a foreign one's window */
    bool        ours;                   /* its windows start and stop */
    bool        begun;
    char        token[64];              /* of that window */
    pthread_t   thread;                 /* of a foreign one */
    const struct load_run *run;         /* borrowed while it runs */
    uint64_t    calls;                  /* that ended meanwhile, by our count */
    struct buf  file;                   /* the profile */
    int         error;
    struct gp_why why;                  /* of error */
};

/* Release p; a zero p is fine. */
static void load_profiler_fini(struct load_profiler *p)
{
    mem_fini(&p->file);
}

/* True when address, host:port, is one that text, as a server listens on it,
 * covers: the same, or the same port of any address. */
static bool load_same_address(const char *address, const char *text)
{
    const char *port = strrchr(address, ':'), *other = strrchr(text, ':');
    bool any = !strncmp(text, "0.0.0.0:", 8) || !strncmp(text, "[::]:", 5);
    return !strcmp(address, text) ||
           (any && port && other && !strcmp(port, other));
}

/* See whose debug endpoint p's is: ours, that of the server that k loads, or
 * any other program's.  GP_EIO: nobody answers; GP_EUSAGE: it is another
 * server's. */
static int load_profiler_check(struct load_profiler *p,
                               const struct load_config *k, struct gp_why *why)
{
    struct net_addr addr[NET_ADDRS];
    struct js_value v, list, text;
    struct buf body = {0}, name = {0};
    struct slice key;
    size_t n = 0;
    int status, e = web_get(p->base, "/debug/status", LOAD_ASK_NS, &status,
                            &body, why);
    struct slice json = { (const char *)body.data, body.len };
    if (e || status != 200 || js_read(json, &v, NULL))
        goto out;
    text = js_member(&v, "schema");
    if (!txt_equal(text.text, txt_slice("\"grpcprof.status/1\"")))
        goto out;
    p->ours = true;
    list = js_member(&v, "listen");
    e = net_addr_parse(k->target[0], true, addr, &n, why);
    struct js_members m = js_members(&list);
    bool same = false;
    while (!e && js_next_member(&m, &key, &text)) {
        name.len = 0;
        js_get_string(text.text, &name);
        mem_put_byte(&name, 0);
        for (size_t i = 0; i < n && !name.err; i++)
            same |= load_same_address(addr[i].text, (const char *)name.data);
    }
    if (!e && !same)
        e = txt_fail(why, GP_EUSAGE, "--profile: the server at %s listens on "
                     "other addresses than %s", p->base, k->target[0]);
out:
    mem_fini(&body);
    mem_fini(&name);
    return e;
}

/* Calls that have ended on all workers of r. */
static uint64_t load_run_ended(const struct load_run *r)
{
    uint64_t ok, failed;
    load_run_sum(r, &ok, &failed);
    return ok + failed;
}

/* A thread: ask a foreign endpoint for its seconds, and count meanwhile. */
static void *load_profiler_main(void *arg)
{
    struct load_profiler *p = arg;
    char path[80];
    int status;
    uint64_t before = load_run_ended(p->run);
    snprintf(path, sizeof path, "/debug/pprof/profile?seconds=%" PRId64,
             p->seconds);
    p->error = web_get(p->base, path, p->seconds * 1000000000 + LOAD_ASK_NS,
                       &status, &p->file, &p->why);
    p->calls = load_run_ended(p->run) - before;
    if (!p->error && status != 200)
        p->error = txt_fail(&p->why, GP_EIO, "%s%s: status %d", p->base, path,
                            status);
    return NULL;
}

/* Measuring begins: so does the window. */
static void load_profiler_begin(struct load_profiler *p)
{
    struct gp_why *why = &p->why;
    char path[80];
    int status;
    if (!p->ours) {
        p->error = sys_thread_start(&p->thread, "load-profile", true,
                                    load_profiler_main, p, why);
        p->begun = !p->error;
        return;
    }
    snprintf(path, sizeof path, "/debug/pprof/profile?start&hz=%u", p->hz);
    p->error = web_get(p->base, path, LOAD_ASK_NS, &status, &p->file, why);
    size_t n = p->file.len;
    if (!p->error && (status != 200 || n < 2 || n >= sizeof p->token))
        p->error = txt_fail(why, GP_EIO, "%s: %.*s", p->base,
                            n < 200 ? (int)n : 200,
                            n ? (const char *)p->file.data : "");
    p->begun = !p->error;
    if (p->begun)
        snprintf(p->token, sizeof p->token, "%.*s", (int)n - 1,
                 (const char *)p->file.data);
}

/* Measuring has ended: take the profile. */
static void load_profiler_end(struct load_profiler *p)
{
    char path[128];
    int status;
    if (!p->begun)
        return;
    if (!p->ours) {
        pthread_join(p->thread, NULL);
        return;
    }
    p->calls = load_run_ended(p->run);
    snprintf(path, sizeof path, "/debug/pprof/profile?stop=%s", p->token);
    p->error = web_get(p->base, path, LOAD_STOP_NS, &status, &p->file, &p->why);
    if (!p->error && status != 200)
        p->error = txt_fail(&p->why, GP_EIO, "%s%s: status %d", p->base, path,
                            status);
}

/* Give task to the first n workers. */
static void load_run_tell(struct load_run *r, unsigned n, void (*task)(void *))
{
    for (unsigned i = 0; i < n; i++)
        while (net_loop_post(&r->worker[i].net, task, &r->worker[i]))
            sched_yield();              /* memory will come back */
}

/* All are connected, and it is time: go. */
static void load_run_begin(struct load_run *r, int64_t now_ns)
{
    const struct load_config *k = r->config;
    if (k->profiler && !k->warmup_ns) {
        r->measured = true;
        load_profiler_begin(k->profiler);
        now_ns = net_now(&r->net);
    }
    r->go_ns = r->told_ns = now_ns;
    r->unix_ns = sys_clock_ns(CLOCK_REALTIME) + k->warmup_ns;
    load_run_tell(r, r->threads, load_worker_go);
}

/* Every tick, and when all are connected: go, stop, tell how it goes. */
static void load_run_on_tick(struct net_timer *t)
{
    struct load_run *r = t->arg;
    const struct load_config *k = r->config;
    int64_t now = net_now(&r->net), next = now + LOAD_TICK_NS;
    uint64_t ok, failed;
    if (!r->go_ns && r->ready == r->threads) {
        int64_t left = k->start_unix_ns ? k->start_unix_ns -
                                          sys_clock_ns(CLOCK_REALTIME) : 0;
        if (left <= 0)
            load_run_begin(r, now);
        else if (now + left < next)
            next = now + left;
    }
    if (r->go_ns && k->profiler && !r->measured &&
        now >= r->go_ns + k->warmup_ns) {
        r->measured = true;
        load_profiler_begin(k->profiler);
    }
    if (k->stop && atomic_load(k->stop) && !r->stopping) {
        r->stopping = true;
        r->ended = LOAD_SIGNAL;
        r->net.stop |= !r->go_ns;       /* still connecting */
        load_run_tell(r, r->threads, load_worker_stop);
    }
    if (k->on_progress && r->go_ns && now - r->told_ns >= LOAD_PROGRESS_NS) {
        r->told_ns = now;
        load_run_sum(r, &ok, &failed);
        k->on_progress(k->arg, ok, failed, now - r->go_ns);
    }
    (void)net_timer_arm(&r->net, t, next);
}

/* Share i of n that make up all. */
static uint64_t load_share(uint64_t all, uint64_t i, uint64_t n)
{
    return all / n + (i < all % n);
}

/* Make the run's clients: each has its share of the calls in flight and, in a
 * closed loop, of the calls. */
static void load_run_init_clients(struct load_run *r)
{
    const struct load_config *k = r->config;
    uint64_t planned = load_planned(k), streams = k->streams ? k->streams : 1;
    for (uint64_t i = 0; i < r->nclient; i++) {
        struct load_client *c = &r->client[i];
        uint64_t clients = load_share(k->clients, i, r->nclient);
        c->target = &r->target[i % k->ntarget];
        c->streams = !r->open ? streams * clients
                   : k->streams ? k->streams : LOAD_OPEN_STREAMS;
        c->left = k->requests_per_client ? clients * k->requests_per_client
                                         : load_share(planned, i, r->nclient);
    }
}

/* Make the run's clients and workers; nothing runs yet. */
static int load_run_init(struct load_run *r, struct gp_why *why)
{
    const struct load_config *k = r->config;
    int e = net_loop_init(&r->net, why);
    uint64_t planned = load_planned(k), next = 0;
    r->nclient = load_connections(k);
    r->open = load_open(k);
    r->counted = planned != 0;
    r->ended = planned ? LOAD_COUNT : LOAD_DURATION;
    r->threads = k->threads ? k->threads : load_threads(r->nclient);
    r->threads = r->threads > r->nclient ? (unsigned)r->nclient : r->threads;
    r->kit = rpc_client_kit();
    r->tick = (struct net_timer){ .on_time = load_run_on_tick, .arg = r };
    r->target = mem_zalloc(k->ntarget * sizeof *r->target);
    r->client = mem_zalloc(r->nclient * sizeof *r->client);
    r->worker = mem_zalloc(r->threads * sizeof *r->worker);
    if (!e && (!r->target || !r->client || !r->worker || h2_kit_init(&r->kit)))
        e = txt_fail(why, GP_ENOMEM, "out of memory for the run");
    for (size_t i = 0; !e && i < k->ntarget; i++)
        e = load_target_init(&r->target[i], k->target[i], k, why);
    for (size_t i = 0; i < k->nheader; i++)
        r->templates |= memmem(k->header[i].value.p, k->header[i].value.n,
                               "{{", 2) != NULL;
    if (!e)
        load_run_init_clients(r);
    for (unsigned i = 0; !e && i < r->threads; i++) {
        struct load_worker *w = &r->worker[i];
        w->run = r;
        w->index = i;
        w->client = &r->client[next];
        w->nclient = load_share(r->nclient, i, r->threads);
        w->share = load_share(planned, i, r->threads);
        next += w->nclient;
        e = load_worker_init(w, why);
    }
    return e;
}

/* Start the workers, and stay until they are done. */
static int load_run_go(struct load_run *r, struct gp_why *why)
{
    const struct load_config *k = r->config;
    int e = net_timer_arm(&r->net, &r->tick, net_now(&r->net) + LOAD_TICK_NS);
    if (e)
        return txt_fail(why, e, "out of memory for the run");
    unsigned n = 0;
    for (; !e && n < r->threads; n += !e) {
        char name[16];
        snprintf(name, sizeof name, "load-%u", n % 1000);
        e = sys_thread_start(&r->worker[n].thread, name, false,
                             load_worker_main, &r->worker[n], why);
    }
    if (!e)
        net_loop_run(&r->net);
    if (r->measured)
        load_profiler_end(k->profiler);
    if (e || r->failed || !r->go_ns)
        load_run_tell(r, n, load_worker_abort);
    for (unsigned i = 0; i < n; i++)
        pthread_join(r->worker[i].thread, NULL);
    if (!e && r->failed) {
        e = GP_EIO;
        if (why)
            *why = r->why;
    }
    return e;
}

/* Add errors from[n] to the result's. */
static void load_merge_errors(struct load_result *to,
                              const struct load_error *from, size_t n)
{
    for (size_t i = 0; i < n; i++, from++) {
        struct load_error *e = to->error;
        size_t k = 0;
        while (k < to->nerror && (e[k].kind != from->kind ||
               e[k].status != from->status || e[k].detail != from->detail))
            k++;
        if (k == LOAD_ERRORS) {
            to->other_errors += from->count;
        } else if (k == to->nerror) {
            e[to->nerror++] = *from;
        } else {
            e[k].count += from->count;
            if (from->first_ns < e[k].first_ns)
                e[k].first_ns = from->first_ns;
        }
    }
}

/* Add one worker's figures to the result's. */
static void load_merge(struct load_result *to, struct load_worker *w)
{
    to->ok += net_get(&w->nok);
    to->failed += net_get(&w->nfailed);
    to->sent += w->sent;
    to->planned += w->arrivals;
    to->cut_off += w->cut_off;
    to->resent += w->resent;
    to->reconnects += w->reconnects;
    to->goaways += w->goaways;
    to->lost += w->lost;
    to->gave_up += w->gave_up;
    to->bytes_in += w->bytes_in;
    to->bytes_out += w->bytes_out;
    to->messages_in += w->messages_in;
    to->messages_out += w->messages_out;
    to->queued_ns += w->queued_ns;
    to->tx_blocked += w->tx_blocked;
    to->tcp_busy_ns += w->tcp_busy_ns;
    to->tcp_limited_ns += w->tcp_limited_ns;
    for (size_t i = 0; i < 17; i++)
        to->status[i] += w->status[i];
    if (w->peer_streams < to->peer_streams)
        to->peer_streams = w->peer_streams;
    hdr_merge(&to->latency, &w->ok);
    hdr_merge(&to->service, &w->service);
    hdr_merge(&to->lag, &w->lag);
    hdr_merge(&to->first, &w->first);
    hdr_merge(&to->message, &w->message);
    hdr_merge(&to->failed_latency, &w->failed);
    hdr_merge(&to->connect, &w->connect);
    load_intervals_merge(&to->intervals, &w->intervals);
    to->thread[to->threads++] = w->use;
    to->other_errors += w->other_errors;
    load_merge_errors(to, w->error, w->nerror);
}

/* Make r's histograms; interval_ns is of its series.  GP_ENOMEM. */
static int load_result_init(struct load_result *r, int64_t interval_ns)
{
    *r = (struct load_result){ .peer_streams = UINT32_MAX };
    return hdr_init(&r->latency) | hdr_init(&r->service) | hdr_init(&r->lag) |
           hdr_init(&r->first) | hdr_init(&r->message) |
           hdr_init(&r->failed_latency) | hdr_init(&r->connect) |
           load_intervals_init(&r->intervals, interval_ns ? interval_ns
                                                          : LOAD_INTERVAL_NS);
}

/* Fill in the result of the run. */
static int load_run_result(const struct load_run *r, struct load_result *to,
                           struct gp_why *why)
{
    const struct load_config *k = r->config;
    int64_t first = INT64_MAX, last = 0;
    if (load_result_init(to, k->interval_ns))
        return txt_fail(why, GP_ENOMEM, "out of memory for the result");
    for (unsigned i = 0; i < r->threads; i++) {
        struct load_worker *w = &r->worker[i];
        load_merge(to, w);
        if (w->measuring) {
            first = w->start_ns < first ? w->start_ns : first;
            last = w->last_ns > last ? w->last_ns : last;
        }
    }
    to->elapsed_ns = last > first ? last - first : 0;
    to->start_unix_ns = r->unix_ns;
    if (r->counted || !r->open)         /* else what the schedule had */
        to->planned = r->counted ? load_planned(k) : to->sent;
    to->not_sent = to->planned - to->sent;
    to->ended = r->ended;
    if (r->ended == LOAD_COUNT && to->not_sent && k->duration_ns)
        to->ended = LOAD_DURATION;
    snprintf(to->target, sizeof to->target, "%s", r->target[0].addr[0].text);
    return GP_OK;
}

/* Release r's memory; its threads have ended. */
static void load_run_fini(struct load_run *r)
{
    for (unsigned i = 0; r->worker && i < r->threads; i++)
        load_worker_fini(&r->worker[i]);
    for (size_t i = 0; r->target && i < r->config->ntarget; i++)
        rpc_request_fini(&r->target[i].request);
    h2_kit_fini(&r->kit);
    mem_free(r->worker);
    mem_free(r->client);
    mem_free(r->target);
    net_loop_fini(&r->net);
}

/* Release a result; a zero one is fine. */
static void load_result_fini(struct load_result *r)
{
    hdr_fini(&r->latency);
    hdr_fini(&r->service);
    hdr_fini(&r->lag);
    hdr_fini(&r->first);
    hdr_fini(&r->message);
    hdr_fini(&r->failed_latency);
    hdr_fini(&r->connect);
    mem_free(r->intervals.v);
    *r = (struct load_result){0};
}

/* Do what k asks for and fill in *result, which load_result_fini releases.
 * An error means that there is no result: wrong use, or no connection; failed
 * calls are a result. */
static int load_run(const struct load_config *k, struct load_result *result,
                    struct gp_why *why)
{
    struct load_run r = { .config = k };
    *result = (struct load_result){0};
    int e = load_check(k, why);
    if (e)
        return e;
    if (k->profiler)
        k->profiler->run = &r;
    e = load_run_init(&r, why);
    if (!e)
        e = load_run_go(&r, why);
    if (!e)
        e = load_run_result(&r, result, why);
    load_run_fini(&r);
    if (e)
        load_result_fini(result);
    return e;
}

/* True when more calls failed than k allows; cut-off ones are not failed.  When
 * not one call came to its end, or clients lost the server for good, the run
 * has failed in any case. */
static bool load_exceeds(const struct load_config *k,
                         const struct load_result *r)
{
    double done = (double)r->ok + (double)r->failed;
    if (r->gave_up || (r->planned && !r->ok && !r->failed &&
                       r->ended != LOAD_SIGNAL))
        return true;
    if (k->max_error_share >= 0 && k->max_error_share * done > 0)
        return (double)r->failed > k->max_error_share * done;
    return r->failed > k->max_errors;
}

/* ---- reflection: descriptors of a server ----
 *
 *   ServerReflectionRequest   3 file_by_filename  4 file_containing_symbol
 *   ServerReflectionResponse  4 FileDescriptorResponse: 1 FileDescriptorProto*
 *                             7 ErrorResponse: 1 error_code  2 error_message
 */

struct load_mirror {                    /* one question, one answer */
    struct net_loop net;
    struct rpc_chan chan;
    struct rpc_out  call;
    struct rpc_request request;
    struct rpc_payload question;
    struct buf      answer;
    struct rpc_result result;           /* of the call; text is copied */
    char            text[128];
    bool            asked, over;
};

/* SETTINGS are here: ask. */
static void load_mirror_ready(struct rpc_chan *ch)
{
    struct load_mirror *m = ch->owner;
    m->call.many = true;
    m->call.keep = &m->answer;
    if (!m->asked)
        m->over = rpc_chan_start(ch, &m->call, m->request.nv, m->request.n,
                                 &m->question, false) != GP_OK;
    m->asked = true;
}

/* The call is over. */
static void load_mirror_done(struct rpc_chan *ch, struct rpc_out *u,
                             const struct rpc_result *r)
{
    struct load_mirror *m = ch->owner;
    (void)u;
    m->result = *r;
    snprintf(m->text, sizeof m->text, "%s", r->text ? r->text : "");
    m->over = true;
}

/* A GOAWAY, or the end of the connection: nothing to do. */
static void load_mirror_note(struct rpc_chan *ch)
{
    (void)ch;
}

/* The connection is lost. */
static void load_mirror_lost(struct rpc_chan *ch)
{
    ((struct load_mirror *)ch->owner)->over = true;
}


static const struct rpc_chan_up load_mirror_up = {
    .on_ready = load_mirror_ready, .on_done = load_mirror_done,
    .on_goaway = load_mirror_note, .on_lost = load_mirror_lost,
    .on_gone = load_mirror_note,
};

/* Ask the server at target for the file that field number of the request names,
 * by reflection of version, "v1" or "v1alpha"; the response into *answer. */
static int load_ask(const char *target, const char *version, uint32_t number,
                    struct slice name, struct buf *answer, int *status,
                    struct gp_why *why)
{
    struct load_mirror m = { .chan.h2.state = H2_GONE };
    struct net_addr addr[NET_ADDRS];
    struct h2_kit kit = rpc_client_kit();
    struct buf message = {0};
    char path[96];
    size_t n;
    int64_t until = sys_now_ns() + LOAD_ASK_NS;
    int e = net_addr_parse(target, true, addr, &n, why);
    if (e || (e = net_loop_init(&m.net, why)))
        return e;
    snprintf(path, sizeof path, "/grpc.reflection.%s.ServerReflection/"
             "ServerReflectionInfo", version);
    pb_put_bytes(&message, number, name.p, name.n);
    e = message.err ? message.err : h2_kit_init(&kit);
    e = e ? e : rpc_request_init(&m.request, path, load_authority(target, addr),
                                 LOAD_ASK_NS, false);
    e = e ? e : rpc_payload_add(&m.question, (struct slice){
                    (const char *)message.data, message.len }, false);
    if (!e && rpc_chan_open(&m.chan, &kit, &m.net, addr, LOAD_ASK_NS,
                            &load_mirror_up, &m))
        e = txt_fail(why, GP_EIO, "cannot connect to %s: %s", addr->text,
                     strerror(m.chan.h2.error));
    while (!e && !m.over && sys_now_ns() < until)
        net_loop_turn(&m.net, 50);
    *status = m.result.status;
    if (!e && (!m.over || m.result.kind != RPC_OK || m.answer.err))
        e = txt_fail(why, GP_EIO, "%s: reflection %s: %s", target, version,
                     !m.over ? "no answer in time" : m.text[0] ? m.text
                     : rpc_status_name(m.result.status));
    h2_abort(&m.chan.h2);
    mem_put(answer, m.answer.data, m.answer.len);
    rpc_request_fini(&m.request);
    rpc_payload_fini(&m.question);
    mem_fini(&m.answer);
    mem_fini(&message);
    h2_kit_fini(&kit);
    net_loop_fini(&m.net);
    return e;
}

/* Add the files of a response to set, a FileDescriptorSet, but those that it
 * has. */
static int load_mirror_take(struct slice answer, const char *target,
                            struct buf *set, struct gp_why *why)
{
    struct slice error = dsc_bytes(answer, 7), file;
    struct slice files = dsc_bytes(answer, 4), text = dsc_bytes(error, 2);
    struct pb_in in = dsc_in(files);
    if (!files.n)
        return txt_fail(why, GP_EIO, "%s: reflection: %.*s", target,
                        text.n < 200 ? (int)text.n : 200,
                        text.n ? text.p : "no file");
    while (dsc_next(&in, 1, &file)) {
        struct pb_in had = dsc_in((struct slice){ (const char *)set->data,
                                                  set->len });
        struct slice other;
        bool there = false;
        while (!there && dsc_next(&had, 1, &other))
            there = txt_equal(dsc_bytes(other, 1), dsc_bytes(file, 1));
        if (!there)
            pb_put_bytes(set, 1, file.p, file.n);
    }
    return set->err;
}

/* A file that one of set imports and that set does not have; false: there is
 * none. */
static bool load_mirror_lacks(const struct buf *set, struct slice *name)
{
    struct slice all = { (const char *)set->data, set->len }, file, other;
    struct pb_in in = dsc_in(all);
    while (dsc_next(&in, 1, &file)) {
        struct pb_in imports = dsc_in(file);
        while (dsc_next(&imports, 3, name)) {
            struct pb_in had = dsc_in(all);
            bool there = false;
            while (!there && dsc_next(&had, 1, &other))
                there = txt_equal(dsc_bytes(other, 1), *name);
            if (!there)
                return true;
        }
    }
    return false;
}

/* Ask the server at target, by reflection v1 and then v1alpha, for the service
 * and all that its messages need: a FileDescriptorSet onto *set. */
static int load_reflect(const char *target, struct slice service,
                        struct buf *set, struct gp_why *why)
{
    const char *version = "v1";
    struct buf answer = {0}, name = {0};
    struct slice lacks;
    int status = 0;
    int e = load_ask(target, version, 4, service, &answer, &status, why);
    if (e && status == GP_STATUS_UNIMPLEMENTED) {
        version = "v1alpha";
        answer.len = 0;
        e = load_ask(target, version, 4, service, &answer, &status, why);
    }
    for (int files = 0; !e && files < LOAD_REFLECTED; files++) {
        e = load_mirror_take((struct slice){ (const char *)answer.data,
                                             answer.len }, target, set, why);
        if (e || !load_mirror_lacks(set, &lacks))
            break;
        name.len = answer.len = 0;      /* lacks points into set, which moves */
        mem_put(&name, lacks.p, lacks.n);
        e = load_ask(target, version, 3, (struct slice){
                (const char *)name.data, name.len }, &answer, &status, why);
    }
    mem_fini(&answer);
    mem_fini(&name);
    return e;
}

/* ---- what a result means ---- */

enum load_limit { LOAD_BY_SERVER, LOAD_BY_CLIENT, LOAD_BY_NETWORK,
                  LOAD_BY_SETTINGS, LOAD_BY_RATE, LOAD_BY_UNKNOWN };

struct load_verdict {                   /* what kept it from going faster */
    enum load_limit limit;
    double confidence;                  /* 0 to 1, by how far past its bounds
                                         * the evidence is; no probability */
    char   why[LOAD_WHYS][128];         /* the evidence */
    size_t nwhy;
};

/* Add a line to v's evidence. */
__attribute__((format(printf, 2, 3)))
static void load_because(struct load_verdict *v, const char *fmt, ...)
{
    va_list ap;
    if (v->nwhy == LOAD_WHYS)
        return;
    va_start(ap, fmt);
    vsnprintf(v->why[v->nwhy], sizeof v->why[0], fmt, ap);
    va_end(ap);
    v->nwhy++;
}

/* value is measured where most is the bound: when it is past that, v is limit,
 * the surer the further. */
static bool load_blame(struct load_verdict *v, enum load_limit limit,
                       double value, double most)
{
    if (!(value > most))
        return false;
    double sure = 0.5 + 0.5 * (value - most) / value;
    if (v->limit != limit || sure > v->confidence)
        v->confidence = sure;
    v->limit = limit;
    return true;
}

/* Is it the client?  A thread without time to spare, one that had to wait for a
 * CPU, or calls that begin late. */
static void load_judge_client(struct load_verdict *v,
                              const struct load_result *r)
{
    double busy = 0, wait = 0;
    for (unsigned i = 0; i < r->threads; i++) {
        double wall = (double)r->thread[i].wall_ns;
        busy = fmax(busy, (double)r->thread[i].cpu_ns / wall);
        wait = fmax(wait, (double)r->thread[i].wait_ns / wall);
    }
    if (load_blame(v, LOAD_BY_CLIENT, busy, LOAD_BUSY_SHARE))
        load_because(v, "a client thread was busy %.0f%% of the time",
                     100 * busy);
    if (load_blame(v, LOAD_BY_CLIENT, wait, LOAD_WAIT_SHARE))
        load_because(v, "a client thread waited for a CPU %.1f%% of the time",
                     100 * wait);
    double late = (double)hdr_percentile(&r->lag, 99);
    double half = (double)hdr_percentile(&r->latency, 50);
    if (r->lag.n >= LOAD_JUDGED_CALLS && half > 0 && late > LOAD_LAG_NS &&
        load_blame(v, LOAD_BY_CLIENT, late / half, LOAD_LAG_SHARE))
        load_because(v, "calls began late: p99 %.0f us, %.0f%% of the median "
                     "latency", late / 1e3, 100 * late / half);
}

/* Is it what the server allows, or the network? */
static void load_judge_path(struct load_verdict *v, const struct load_config *k,
                            const struct load_result *r)
{
    double wall = (double)r->elapsed_ns * r->threads;
    double queued = (double)r->queued_ns / wall;
    double per = (double)(k->streams ? k->streams : 1) * (double)k->clients /
                 (double)load_connections(k);
    if (load_open(k) &&
        load_blame(v, LOAD_BY_SETTINGS, queued, LOAD_QUEUED_SHARE))
        load_because(v, "calls waited for a stream %.0f%% of the time: %" PRIu64
                     " connections, of %" PRIu64 " streams each", 100 * queued,
                     load_connections(k), r->peer_streams < LOAD_OPEN_STREAMS ?
                     (uint64_t)r->peer_streams : k->streams ? k->streams :
                     LOAD_OPEN_STREAMS);
    if (!load_open(k) && load_blame(v, LOAD_BY_SETTINGS, per, r->peer_streams))
        load_because(v, "the server allows %" PRIu32 " of the %.0f calls in "
                     "flight on a connection", r->peer_streams, per);
    double limited = (double)r->tcp_limited_ns / (double)r->tcp_busy_ns;
    if ((double)r->tcp_busy_ns > 0.01 * wall &&
        load_blame(v, LOAD_BY_NETWORK, limited, LOAD_LIMITED_SHARE))
        load_because(v, "TCP held data back, by the receiver's window or the "
                     "send buffer, %.0f%% of the time that it had some",
                     100 * limited);
}

/* In an open loop that nothing else limits: did the server keep up? */
static void load_judge_rate(struct load_verdict *v, const struct load_config *k,
                            const struct load_result *r)
{
    int64_t most_ns = load_schedule_ns(k);
    double rest = r->planned ? (double)(r->planned - r->ok) / (double)r->planned
                             : 0;
    if (k->duration_ns && (!most_ns || k->duration_ns < most_ns))
        most_ns = k->duration_ns;
    double over = most_ns ? (double)r->elapsed_ns / (double)most_ns - 1 : 0;
    if (r->not_sent || rest > LOAD_BEHIND_SHARE || over > LOAD_BEHIND_SHARE) {
        v->limit = LOAD_BY_SERVER;
        v->confidence = fmin(1, 0.5 + fmax(rest, over));
        load_because(v, "the schedule was kept and the server was not: %.1f%% "
                     "of the calls went wrong, were cut off or not sent, and "
                     "the last came %.0f%% after its end", 100 * rest,
                     100 * fmax(over, 0));
        return;
    }
    v->limit = LOAD_BY_RATE;
    v->confidence = 1 - rest;
    load_because(v, "the server kept up with the schedule: it may be able to "
                 "do more");
}

/* What kept the run r of k from being faster. */
static struct load_verdict load_judge(const struct load_config *k,
                                      const struct load_result *r)
{
    struct load_verdict v = { .limit = LOAD_BY_UNKNOWN };
    double busy = 0;
    if (r->ok + r->failed < LOAD_JUDGED_CALLS ||
        r->elapsed_ns < LOAD_JUDGED_NS || !r->threads) {
        load_because(&v, "too short to tell: %" PRIu64 " calls in %.0f ms",
                     r->ok + r->failed, (double)r->elapsed_ns / 1e6);
        return v;
    }
    load_judge_path(&v, k, r);
    load_judge_client(&v, r);           /* stands over the others */
    if (v.limit != LOAD_BY_UNKNOWN)
        return v;
    for (unsigned i = 0; i < r->threads; i++)
        busy = fmax(busy, (double)r->thread[i].cpu_ns /
                          (double)r->thread[i].wall_ns);
    if (load_open(k)) {
        load_judge_rate(&v, k, r);
    } else {
        v.limit = LOAD_BY_SERVER;
        v.confidence = 1 - busy;
    }
    load_because(&v, "the client had time to spare: its busiest thread used "
                 "%.0f%% of a CPU", 100 * busy);
    return v;
}

/* ---- assertions ---- */

struct load_assert {
    const char *text;                   /* as given; borrowed */
    double      value;                  /* what it is about; NAN: not known */
    bool        pass;
};

struct load_profile {                   /* of the server, of the same window */
    const struct anl *anl;              /* borrowed */
    const char *file;                   /* where it was written; borrowed */
    double seconds;
};

struct load_spread {                    /* a run of several */
    double  rps;                        /* good calls a second */
    int64_t p50, p99;                   /* ns, of the latency */
};

struct load_report {                    /* a result, and what it means */
    const struct load_config *config;   /* borrowed, as all in here */
    const struct load_result *result;
    struct load_verdict verdict;
    const double *percent;              /* of the tables */
    size_t npercent;
    const char *const *label;           /* "key=value" */
    size_t nlabel;
    struct load_assert *assert;
    size_t nassert;
    const struct load_profile *profile; /* NULL: none was taken */
    struct slice reply;                 /* to the first call, as JSON; empty:
                                         * not known */
    const struct load_spread *run;      /* of --repeat */
    size_t nrun;                        /* 0: there was one run */
    int    exit;                        /* what the program ends with */
};

/* The figure called name of t; NAN where it is not known.  False: there is none
 * of that name. */
static bool load_figure(const struct load_report *t, struct slice name,
                        bool share, double *v)
{
    const struct load_result *r = t->result;
    double s = (double)r->elapsed_ns / 1e9, done = (double)(r->ok + r->failed);
    const struct hdr *h = &r->latency;
    double percent = name.n > 1 && *name.p == 'p' ?
        txt_finite((struct slice){ name.p + 1, name.n - 1 }) : (double)NAN;
    *v = NAN;
    if (percent >= 0 && percent <= 100)
        *v = h->n ? (double)hdr_percentile(h, percent) : (double)NAN;
    else if (txt_equal(name, txt_slice("mean")))
        *v = h->n ? h->sum / (double)h->n : (double)NAN;
    else if (txt_equal(name, txt_slice("min")))
        *v = h->n ? (double)h->min : (double)NAN;
    else if (txt_equal(name, txt_slice("max")))
        *v = h->n ? (double)h->max : (double)NAN;
    else if (txt_equal(name, txt_slice("rps")))
        *v = s > 0 ? (double)r->ok / s : (double)NAN;
    else if (txt_equal(name, txt_slice("errors")))
        *v = !share ? (double)r->failed
                    : done > 0 ? (double)r->failed / done : (double)NAN;
    else if (txt_equal(name, txt_slice("not_sent")))
        *v = !share ? (double)r->not_sent
                    : r->planned ? (double)r->not_sent / (double)r->planned : 0;
    else if (txt_equal(name, txt_slice("cpu_per_call")))
        *v = t->profile ? t->profile->anl->cpu_ns_per_call : (double)NAN;
    else
        return false;
    return true;
}

/* The bound of an assertion: a number, a share with %, or a duration in ns; NAN
 * where it is none. */
static double load_bound(struct slice text, bool *share)
{
    char word[40];
    int64_t ns;
    *share = text.n > 1 && text.p[text.n - 1] == '%';
    if (*share)
        return txt_finite((struct slice){ text.p, text.n - 1 }) / 100;
    double v = txt_finite(text);
    if (!isnan(v) || text.n >= sizeof word)
        return v;
    memcpy(word, text.p, text.n);
    word[text.n] = 0;
    return txt_duration(word, &ns) ? (double)NAN : (double)ns;
}

/* See whether a->text holds of t.  What is not known does not hold.  GP_EUSAGE:
 * it is no assertion. */
static int load_assert(const struct load_report *t, struct load_assert *a,
                       struct gp_why *why)
{
    size_t n = strcspn(a->text, "<>"), op = n + strspn(a->text + n, "<>=");
    struct slice name = { a->text, n };
    bool share, less = a->text[n] == '<', same = op == n + 2;
    double bound = load_bound(txt_slice(a->text + op), &share);
    if (!a->text[n] || op - n > 2 || (same && a->text[n + 1] != '=') ||
        isnan(bound) || !load_figure(t, name, share, &a->value))
        return txt_fail(why, GP_EUSAGE, "'%s': takes pN, mean, min, max, rps, "
                        "errors, not_sent or cpu_per_call, then < <= > or >=, "
                        "then a number, a share such as 1%% or a time such as "
                        "5ms", a->text);
    a->pass = less ? a->value < bound : a->value > bound;
    a->pass |= same && a->value >= bound && a->value <= bound;
    return GP_OK;
}

/* ---- results read back ---- */

struct load_saved {                     /* as far as JSON has it */
    struct load_config config;
    struct load_result result;
    struct load_step   step;            /* of config */
    const char        *target;          /* of config */
    struct arena       text;            /* of both */
    size_t             n;               /* results in it */
};

/* Release s; a zero s is fine. */
static void load_saved_fini(struct load_saved *s)
{
    load_result_fini(&s->result);
    mem_arena_fini(&s->text);
    *s = (struct load_saved){0};
}

/* The text of the member name of v, in s's arena; "" where there is none. */
static const char *load_saved_text(struct load_saved *s,
                                   const struct js_value *v, const char *name)
{
    struct js_value m = js_member(v, name);
    struct buf b = {0};
    const char *out = NULL;
    if (m.kind == JS_STRING)
        js_get_string(m.text, &b);
    if (!b.err)
        out = mem_arena_dup(&s->text, b.len ? (const char *)b.data : "", b.len);
    mem_fini(&b);
    return out ? out : "";
}

/* The whole number that is the member name of v. */
static uint64_t load_saved_count(const struct js_value *v, const char *name)
{
    struct js_value m = js_member(v, name);
    return js_get_uint(&m);
}

/* Read the histogram that is the member name of v into h, which is empty; none
 * is fine. */
static int load_saved_hdr(const struct js_value *v, const char *name,
                          struct hdr *h, struct gp_why *why)
{
    struct js_value m = js_member(v, name), in = js_member(&m, "hdr");
    struct js_value v2 = js_member(&in, "v2"), mean = js_member(&m, "mean");
    uint64_t n = load_saved_count(&m, "count");
    if (m.kind != JS_OBJECT || n == 0)
        return GP_OK;
    struct slice text = { v2.text.p + 1, v2.text.n - 2 };
    if (v2.kind != JS_STRING || hdr_read_v2(h, text))
        return txt_fail(why, GP_EFORMAT, "latency.%s.hdr.v2: no histogram of "
                        "HdrHistogram's V2 format", name);
    if (h->n != n)
        return txt_fail(why, GP_EFORMAT, "latency.%s: %" PRIu64 " in its "
                        "histogram, count is %" PRIu64, name, h->n, n);
    double average = js_get_num(&mean);
    h->sum = isnan(average) ? h->sum : average * (double)n;
    h->min = (int64_t)load_saved_count(&m, "min");
    h->max = (int64_t)load_saved_count(&m, "max");
    h->over = load_saved_count(&in, "overflow");
    return GP_OK;
}

/* Read the members status and errors of v. */
static void load_saved_errors(struct load_saved *s, const struct js_value *v)
{
    static const char *const kind[] = { "ok", "grpc_status", "http",
        "rst_stream", "protocol", "transport", "deadline" };
    struct load_result *r = &s->result;
    struct js_value list = js_member(v, "status"), e;
    struct js_members m = js_members(&list);
    struct slice key;
    while (list.kind == JS_ARRAY && js_next_member(&m, &key, &e)) {
        uint64_t code = load_saved_count(&e, "code");
        if (code < 17)
            r->status[code] += load_saved_count(&e, "count");
    }
    list = js_member(v, "errors");
    m = js_members(&list);
    while (list.kind == JS_ARRAY && js_next_member(&m, &key, &e)) {
        struct load_error x = { .status = (int)load_saved_count(&e, "status"),
            .detail = (uint32_t)load_saved_count(&e, "code"),
            .count = load_saved_count(&e, "count"),
            .first_ns = (int64_t)load_saved_count(&e, "first_ns") };
        const char *name = load_saved_text(s, &e, "kind");
        for (int i = 0; i < 7; i++)
            if (!strcmp(name, kind[i]))
                x.kind = (enum rpc_kind)i;
        x.status = x.status > 16 ? GP_STATUS_UNKNOWN : x.status;
        snprintf(x.text, sizeof x.text, "%s", load_saved_text(s, &e, "detail"));
        load_merge_errors(r, &x, 1);
    }
    r->other_errors += load_saved_count(v, "errors_of_other_kinds");
}

/* Read the members config and client of v. */
static void load_saved_config(struct load_saved *s, const struct js_value *v)
{
    struct js_value c = js_member(v, "config"), rate = js_member(&c, "rate");
    struct load_config *k = &s->config;
    s->target = load_saved_text(s, &c, "target");
    *k = (struct load_config){ .target = &s->target, .ntarget = 1,
        .call = load_saved_text(s, &c, "call"), .max_error_share = -1,
        .clients = load_saved_count(&c, "clients"),
        .connections = load_saved_count(&c, "connections"),
        .requests_per_client = load_saved_count(&c, "requests_per_client"),
        .total = load_saved_count(&c, "requests_per_client") ? 0
                 : load_saved_count(&c, "total"),
        .streams = load_saved_count(&c, "streams"),
        .threads = (unsigned)load_saved_count(&c, "threads"),
        .duration_ns = (int64_t)load_saved_count(&c, "duration_ns"),
        .timeout_ns = (int64_t)load_saved_count(&c, "timeout_ns"),
        .warmup_ns = (int64_t)load_saved_count(&c, "warmup_ns") };
    if (!strcmp(load_saved_text(s, &c, "mode"), "open")) {
        s->step.from = s->step.to = js_get_num(&rate);
        k->step = &s->step;
        k->nstep = 1;
    }
    struct js_value client = js_member(v, "client"), t, thread;
    t = js_member(&client, "threads");
    struct js_members m = js_members(&t);
    struct slice key;
    struct load_result *r = &s->result;
    while (t.kind == JS_ARRAY && r->threads < LOAD_THREADS_MOST &&
           js_next_member(&m, &key, &thread))
        r->thread[r->threads++] = (struct load_thread){
            .clients = load_saved_count(&thread, "clients"),
            .cpu_ns = (int64_t)load_saved_count(&thread, "cpu_ns"),
            .user_ns = (int64_t)load_saved_count(&thread, "user_ns"),
            .sys_ns = (int64_t)load_saved_count(&thread, "sys_ns"),
            .wall_ns = (int64_t)load_saved_count(&thread, "wall_ns"),
            .wait_ns = (int64_t)load_saved_count(&thread, "wait_ns") };
}

/* Read the counts and times of v. */
static int load_saved_result(struct load_saved *s, const struct js_value *v,
                             struct gp_why *why)
{
    struct load_result *r = &s->result;
    struct js_value c = js_member(v, "counts"), w = js_member(v, "window");
    struct js_value t = js_member(v, "throughput"), l = js_member(v, "latency");
    struct js_value n = js_member(v, "connect");
    bool open = load_open(&s->config);
    r->planned = load_saved_count(&c, "planned");
    r->sent = load_saved_count(&c, "sent");
    r->ok = load_saved_count(&c, "ok");
    r->failed = load_saved_count(&c, "failed");
    r->cut_off = load_saved_count(&c, "cut_off");
    r->not_sent = load_saved_count(&c, "not_sent");
    r->resent = load_saved_count(&c, "retried_after_goaway");
    r->start_unix_ns = (int64_t)load_saved_count(&w, "start_unix_ns");
    r->elapsed_ns = (int64_t)load_saved_count(&w, "elapsed_ns");
    r->bytes_in = load_saved_count(&t, "bytes_in");
    r->bytes_out = load_saved_count(&t, "bytes_out");
    r->messages_in = load_saved_count(&t, "messages_in");
    r->messages_out = load_saved_count(&t, "messages_out");
    r->reconnects = load_saved_count(&n, "reconnects");
    r->goaways = load_saved_count(&n, "goaways");
    r->lost = load_saved_count(&n, "lost");
    if (r->planned != r->ok + r->failed + r->cut_off + r->not_sent)
        return txt_fail(why, GP_EFORMAT, "counts: planned is not the sum of "
                        "ok, failed, cut_off and not_sent");
    int e = load_saved_hdr(&l, open ? "response" : "service", &r->latency, why);
    e = e || !open ? e : load_saved_hdr(&l, "service", &r->service, why);
    e = e ? e : load_saved_hdr(&l, "send_lag", &r->lag, why);
    e = e ? e : load_saved_hdr(&l, "first_byte", &r->first, why);
    e = e ? e : load_saved_hdr(&l, "message", &r->message, why);
    e = e ? e : load_saved_hdr(&l, "failed", &r->failed_latency, why);
    return e ? e : load_saved_hdr(&n, "settings", &r->connect, why);
}

/* Read the result that text is, JSON of schema grpcprof.load/1, into *s, which
 * load_saved_fini releases, also after an error. */
static int load_read(struct load_saved *s, struct slice text,
                     struct gp_why *why)
{
    struct js_value v;
    *s = (struct load_saved){ .n = 1 };
    int e = js_read(text, &v, why);
    if (e)
        return e;
    if (strcmp(load_saved_text(s, &v, "schema"), "grpcprof.load/1"))
        return txt_fail(why, GP_EFORMAT, "not a result of grpcprof load: its "
                        "schema is not grpcprof.load/1");
    if (load_result_init(&s->result, 0))
        return txt_fail(why, GP_ENOMEM, "out of memory for the result");
    load_saved_config(s, &v);
    e = load_saved_result(s, &v, why);
    if (!e)
        load_saved_errors(s, &v);
    return e;
}

/* Add from to to: counts add, histograms merge.  The times are the caller's. */
static void load_result_merge(struct load_result *r,
                              const struct load_result *f)
{
    uint64_t *const sum[] = { &r->planned, &r->sent, &r->ok, &r->failed,
        &r->cut_off, &r->not_sent, &r->resent, &r->reconnects, &r->goaways,
        &r->lost, &r->gave_up, &r->bytes_in, &r->bytes_out, &r->messages_in,
        &r->messages_out, &r->tx_blocked, &r->other_errors };
    const uint64_t part[] = { f->planned, f->sent, f->ok, f->failed,
        f->cut_off, f->not_sent, f->resent, f->reconnects, f->goaways,
        f->lost, f->gave_up, f->bytes_in, f->bytes_out, f->messages_in,
        f->messages_out, f->tx_blocked, f->other_errors };
    for (size_t i = 0; i < sizeof sum / sizeof *sum; i++)
        *sum[i] += part[i];
    for (size_t i = 0; i < 17; i++)
        r->status[i] += f->status[i];
    if (f->peer_streams < r->peer_streams)
        r->peer_streams = f->peer_streams;
    r->queued_ns += f->queued_ns;
    r->tcp_busy_ns += f->tcp_busy_ns;
    r->tcp_limited_ns += f->tcp_limited_ns;
    for (unsigned i = 0; i < f->threads && r->threads < LOAD_THREADS_MOST; i++)
        r->thread[r->threads++] = f->thread[i];
    hdr_merge(&r->latency, &f->latency);
    hdr_merge(&r->service, &f->service);
    hdr_merge(&r->lag, &f->lag);
    hdr_merge(&r->first, &f->first);
    hdr_merge(&r->message, &f->message);
    hdr_merge(&r->failed_latency, &f->failed_latency);
    hdr_merge(&r->connect, &f->connect);
    load_merge_errors(r, f->error, f->nerror);
    r->intervals.n = 0;                 /* they lie beside each other in time */
}

/* Add from to to, results of machines that ran together: the window covers
 * both. */
static void load_saved_merge(struct load_saved *to,
                             const struct load_saved *from)
{
    struct load_result *r = &to->result;
    const struct load_result *f = &from->result;
    int64_t end = r->start_unix_ns + r->elapsed_ns;
    int64_t other = f->start_unix_ns + f->elapsed_ns;
    int64_t start = r->start_unix_ns < f->start_unix_ns ? r->start_unix_ns
                                                        : f->start_unix_ns;
    if (to->config.requests_per_client != from->config.requests_per_client) {
        to->config.total = load_planned(&to->config);
        to->config.requests_per_client = 0;
    }
    if (!to->config.requests_per_client)
        to->config.total += load_planned(&from->config);
    to->n += from->n;
    to->config.clients += from->config.clients;
    to->config.connections += from->config.connections;
    to->step.from += from->step.from;
    to->step.to += from->step.to;
    r->elapsed_ns = (end > other ? end : other) - start;
    r->start_unix_ns = start;
    load_result_merge(r, f);
}

/* Add run f of several, one after the other, to r, which is zero before the
 * first: the times add.  f is empty afterwards. */
static void load_result_append(struct load_result *r, struct load_result *f)
{
    if (!r->latency.count) {
        *r = *f;
        *f = (struct load_result){0};
        return;
    }
    if (r->ended == LOAD_COUNT || f->ended == LOAD_SIGNAL)
        r->ended = f->ended;
    r->elapsed_ns += f->elapsed_ns;
    load_result_merge(r, f);
    load_result_fini(f);
}

/* ================================== 25 OUT ==================================
 * for     what report and load print: text, Markdown, JSON, pprof's table,
 *         folded stacks, CSV, HTML, Prometheus' text
 * uses    MEM, TXT, SYS, JS, HDR, PP, VIEW, ANL, SVG, RPC, LOAD
 * owns    nothing: writers append to the caller's buf
 * spec    schemas grpcprof.report/1 and grpcprof.load/1, with README; `go tool
 *         pprof -top` (units, trimming, columns); CommonMark 0.31
 * prefix  out_
 * runs    any thread
 *
 * Text and Markdown are one report, written through struct out_doc, so that
 * they cannot say different things.
 *
 * Invariant  a number that is not known is "n/a" or null, never 0; a name can
 *            neither end its line nor be markup.
 * Does not   compute: all results are in struct anl.
 */

struct out_config {
    bool color;                         /* escape sequences in the text */
    bool cum, all;                      /* sort by cum; no trimming, all rows */
    unsigned top;                       /* rows of a table; 0: the default */
    const char *sample;                 /* sample type; NULL: pprof's choice */
    const char *format;                 /* of the input: "pprof" */
    const char *const *file;            /* what was read; borrowed */
    size_t nfiles;
    const char *const *note;            /* lines on the profile: its age */
    size_t nnotes;
    const char *const *written;         /* lines on files written */
    size_t nwritten;
    int64_t age_ns;                     /* of the profile; -1: not known */
    int exit;                           /* status that the report will have */
};

/* ---- documents ---- */

struct out_column {
    const char *title;
    int width;                          /* characters; negative: left-aligned;
                                         * 0: the last, as long as it is */
};

struct out_doc {
    struct buf *b;                      /* borrowed */
    bool md, color;
    const struct out_column *column;    /* of the table that is open */
    size_t ncolumns, at;                /* at: the next cell */
    struct buf cell;                    /* owned */
};

/* Characters in n bytes of UTF-8. */
static size_t out_characters(const uint8_t *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += (p[i] & 0xc0) != 0x80;
    return count;
}

/* Append n blanks. */
static void out_blanks(struct buf *b, size_t n)
{
    while (n-- > 0)
        mem_put_byte(b, ' ');
}

/* Append text so that Markdown takes it as text. */
static void out_put_md(struct buf *b, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] && strchr("\\`*_[]<>|#&~", p[i]))
            mem_put_byte(b, '\\');
        mem_put_byte(b, p[i]);
    }
}

/* Open a part of the report. */
static void out_heading(struct out_doc *d, const char *text)
{
    if (d->md)
        txt_putf(d->b, "\n## %s\n\n", text);
    else if (d->color)
        txt_putf(d->b, "\n\033[1m%s\033[0m\n", text);
    else
        txt_putf(d->b, "\n%s\n", text);
}

/* Append text, broken between words at column 78; later lines begin with
 * indent blanks.  The line stands at column at already. */
static void out_wrap(struct buf *b, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, " "), gap = strspn(text + n, " ");
        mem_put(b, text, n);
        at += n + gap;
        text += n + gap;
        if (*text && at + strcspn(text, " ") > 78) {
            mem_put_byte(b, '\n');
            out_blanks(b, indent);
            at = indent;
        } else if (*text) {
            out_blanks(b, gap);
        }
    }
    mem_put_byte(b, '\n');
}

/* Append a paragraph. */
static void out_paragraph(struct out_doc *d, const char *text)
{
    if (d->md) {
        out_put_md(d->b, (const uint8_t *)text, strlen(text));
        txt_puts(d->b, "\n\n");
    } else {
        txt_puts(d->b, "  ");
        out_wrap(d->b, text, 2, 2);
    }
}

/* Append an item of a list. */
static void out_item(struct out_doc *d, const char *text)
{
    if (d->md) {
        txt_puts(d->b, "- ");
        out_put_md(d->b, (const uint8_t *)text, strlen(text));
        mem_put_byte(d->b, '\n');
    } else {
        txt_puts(d->b, "  - ");
        out_wrap(d->b, text, 4, 4);
    }
}

/* Append lines to type. */
static void out_code(struct out_doc *d, const char *text)
{
    txt_puts(d->b, d->md ? "\n```sh\n" : "      ");
    for (; *text; text++) {
        mem_put_byte(d->b, (uint8_t)*text);
        if (*text == '\n' && !d->md)
            txt_puts(d->b, "      ");
    }
    txt_puts(d->b, d->md ? "\n```\n" : "\n");
}

/* Append what stands in d->cell as the value of name, and empty it. */
static void out_field(struct out_doc *d, const char *name)
{
    if (d->md) {
        if (*name)
            txt_putf(d->b, "- **%s**: ", name);
        else
            txt_puts(d->b, "  - ");
        out_put_md(d->b, d->cell.data, d->cell.len);
        mem_put_byte(d->b, '\n');
    } else {
        txt_putf(d->b, "  %-22s", name);
        mem_put_byte(&d->cell, 0);
        if (!d->cell.err)
            out_wrap(d->b, (const char *)d->cell.data, 24, 24);
    }
    d->cell.len = 0;
}

/* Begin a table with n columns, which must outlive it. */
static void out_table(struct out_doc *d, const struct out_column *c, size_t n)
{
    d->column = c;
    d->ncolumns = n;
    d->at = 0;
    if (!d->md)
        txt_puts(d->b, d->color ? "  \033[2m" : "  ");
    for (size_t i = 0; i < n; i++)
        if (d->md)
            txt_putf(d->b, "| %s ", c[i].title);
        else
            txt_putf(d->b, "%s%*s", i ? "  " : "", c[i].width, c[i].title);
    txt_puts(d->b, d->md ? "|\n" : d->color ? "\033[0m\n" : "\n");
    for (size_t i = 0; d->md && i < n; i++)
        txt_puts(d->b, c[i].width > 0 ? "| ---: " : "| --- ");
    if (d->md)
        txt_puts(d->b, "|\n");
}

/* Append what stands in d->cell as the next cell, and empty it; the last cell
 * of a row ends the line. */
static void out_cell(struct out_doc *d)
{
    int width = d->column[d->at].width;
    size_t want = (size_t)abs(width);
    size_t have = out_characters(d->cell.data, d->cell.len);
    size_t pad = want > have ? want - have : 0;
    bool last = ++d->at == d->ncolumns;
    if (d->md) {
        txt_puts(d->b, "| ");
        out_put_md(d->b, d->cell.data, d->cell.len);
        txt_puts(d->b, last ? " |\n" : " ");
    } else {
        txt_puts(d->b, "  ");
        out_blanks(d->b, width > 0 ? pad : 0);
        mem_put(d->b, d->cell.data, d->cell.len);
        out_blanks(d->b, width < 0 && !last ? pad : 0);
        if (last)
            mem_put_byte(d->b, '\n');
    }
    if (last)
        d->at = 0;
    d->cell.len = 0;
}

/* Put s into the cell; in text without its directories if it is longer than
 * most characters, and then cut. */
static void out_name(struct out_doc *d, struct slice s, size_t most)
{
    size_t begin = d->cell.len, n = 0, end = 0;
    if (!d->md && s.n > most)
        s = view_short_name(s);
    view_put_name(&d->cell, s, ' ');
    for (size_t i = begin; i < d->cell.len && !d->md; i++) {
        if ((d->cell.data[i] & 0xc0) == 0x80)
            continue;
        end = n++ == most - 2 ? i : end;
        if (n > most) {
            d->cell.len = end;
            txt_puts(&d->cell, "..");
            return;
        }
    }
}

/* ---- values ---- */

/* Append a share as a percentage with one decimal. */
static void out_share(struct buf *b, double share)
{
    if (isnan(share))
        txt_puts(b, "n/a");
    else
        txt_putf(b, "%.1f %%", 100 * share);
}

/* Append a 95 % interval in percent. */
static void out_interval(struct buf *b, const struct anl_share *s)
{
    if (isnan(s->low))
        txt_puts(b, "n/a");
    else
        txt_putf(b, "%.1f to %.1f", 100 * s->low, 100 * s->high);
}

/* Append a count that may not be known. */
static void out_count(struct buf *b, double n)
{
    if (!(n >= 0 && n < 1.8e19))
        txt_puts(b, "n/a");
    else
        txt_put_commas(b, (uint64_t)n);
}

/* Append a time that may not be known. */
static void out_time(struct buf *b, double ns)
{
    if (isnan(ns))
        txt_puts(b, "n/a");
    else
        txt_put_time(b, ns);
}

/* Append v in the unit of the sample type. */
static void out_value(struct buf *b, const struct anl *a, int64_t v)
{
    struct slice unit = a->pp->type[a->view.type].unit;
    double ns = anl_unit_ns(unit);
    if (!isnan(ns)) {
        txt_put_time(b, (double)v * ns);
    } else if (txt_equal(unit, txt_slice("bytes")) && v >= 0) {
        txt_put_bytes(b, (double)v);
    } else {
        if (v < 0)
            mem_put_byte(b, '-');
        txt_put_commas(b, (uint64_t)view_abs(v));
    }
}

/* Append a moment in local time. */
static void out_moment(struct buf *b, int64_t unix_ns)
{
    time_t t = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    char text[64];
    if (localtime_r(&t, &tm) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &tm))
        txt_puts(b, text);
}

/* ---- parts of the report, in their order ---- */

/* The profile: where it is from, what it counts. */
static void out_profile(struct out_doc *d, const struct anl *a,
                        const struct out_config *c)
{
    const struct pp *p = a->pp;
    const struct pp_type *t = &p->type[a->view.type];
    out_heading(d, "Profile");
    txt_put_clean(&d->cell, t->type);
    txt_puts(&d->cell, ", ");
    out_value(&d->cell, a, a->view.total.value);
    txt_puts(&d->cell, " in all (");
    txt_put_clean(&d->cell, t->unit);
    txt_puts(&d->cell, ")");
    out_field(d, "Type");
    if (p->time_ns > 0) {
        out_moment(&d->cell, p->time_ns);
        out_field(d, "Time");
    }
    if (p->duration_ns > 0) {
        txt_put_time(&d->cell, (double)p->duration_ns);
        out_field(d, "Duration");
    }
    if (a->main != MEM_NONE) {
        const struct pp_mapping *m = &p->mapping[a->main];
        txt_put_clean(&d->cell, view_base(m->file));
        if (m->build_id.n) {
            txt_puts(&d->cell, ", build id ");
            out_name(d, m->build_id, 43);
        }
        out_field(d, "Program");
    }
    if (a->comment.tool.n) {
        txt_put_clean(&d->cell, a->comment.tool);
        txt_puts(&d->cell, ", engine ");
        txt_put_clean(&d->cell, a->comment.engine);
        txt_puts(&d->cell, ", clock ");
        txt_put_clean(&d->cell, a->comment.clock);
        out_field(d, "Sampled by");
    }
    if (a->comment.engine_reason.n) {
        txt_put_clean(&d->cell, a->comment.engine_reason);
        out_field(d, "Engine chosen");
    }
    for (size_t i = 0; i < c->nnotes; i++) {
        txt_puts(&d->cell, c->note[i]);
        out_field(d, i ? "" : "Age");
    }
}

/* Trust: what stands between the samples and the truth. */
static void out_trust(struct out_doc *d, const struct anl *a)
{
    const struct anl_trust *t = &a->trust;
    struct buf *b = &d->cell;
    out_heading(d, "Trust");
    out_count(b, t->samples);
    if (t->effective < 0.99 * t->samples)
        txt_putf(b, " of different weight: worth %.0f equal ones",
                 t->effective);
    out_field(d, "Samples");
    if (!isnan(t->hz_asked) || !isnan(t->hz_delivered)) {
        out_count(b, t->hz_asked);
        txt_puts(b, " Hz asked, ");
        if (isnan(t->hz_delivered))
            txt_puts(b, "n/a");
        else
            txt_putf(b, "%.1f", t->hz_delivered);
        txt_puts(b, a->wall ? " delivered per second of each thread's time"
                            : " delivered per second of CPU");
        if (t->tick_driven)
            txt_puts(b, "; tick-driven: work in step with the kernel's tick "
                        "is misjudged");
        if (t->tick_clustered > 0)
            txt_putf(b, ", and %.1f %% of this is in step",
                     100 * t->tick_clustered);
        out_field(d, "Rate");
    }
    if (isnan(t->lost) && isnan(t->truncated)) {
        txt_puts(b, "n/a: the profile does not say");
    } else {
        out_count(b, t->lost);
        txt_puts(b, " samples; stacks cut off ");
        out_count(b, t->truncated);
        txt_puts(b, ", not unwound ");
        out_count(b, t->unwind_failed);
    }
    out_field(d, "Lost");
    out_share(b, t->unsymbolised);
    out_field(d, "Without symbols");
    out_share(b, t->no_app_frame);
    txt_puts(b, " without an application frame, ");
    out_share(b, t->broken);
    txt_puts(b, " that lead nowhere");
    out_field(d, "Stacks");
    if (!isnan(t->coverage)) {
        out_share(b, t->coverage);
        txt_puts(b, " of what the process used");
        out_field(d, "CPU accounted for");
    }
    if (t->stripped) {
        txt_put_commas(b, (uint64_t)t->stripped);
        txt_puts(b, " frames of a profiler's own signal handler passed over");
        out_field(d, "Stripped");
    }
    if (a->pp->repaired) {
        txt_put_commas(b, a->pp->repaired);
        txt_puts(b, " defects of the file mended while reading");
        out_field(d, "Repaired");
    }
}

static const struct out_column out_function_columns[] = {
    { "share", 8 }, { "95 % interval", 13 }, { "samples", 9 }, { "self", 8 },
    { "total", 8 }, { "function", 0 },
};

/* One row of a table of functions; open: its rank is not resolved. */
static void out_function(struct out_doc *d, const struct anl *a,
                         const struct anl_function *f, bool open)
{
    const struct view_node *n = &a->view.node[f->node];
    struct slice module = anl_module(&a->view, n->module);
    out_share(&d->cell, f->flat.share);
    txt_puts(&d->cell, open ? "~" : " ");
    out_cell(d);
    out_interval(&d->cell, &f->flat);
    out_cell(d);
    out_count(&d->cell, (double)n->flat.samples);
    out_cell(d);
    out_value(&d->cell, a, n->flat.value);
    out_cell(d);
    out_share(&d->cell, f->cum.share);
    out_cell(d);
    bool where = n->symbol && module.n && n->module != a->main;
    size_t less = where ? (module.n < 20 ? module.n : 20) + 2 : 0;
    out_name(d, n->name, OUT_NAME_COLUMNS - less);
    if (where) {
        txt_puts(&d->cell, "  ");
        out_name(d, module, 20);
    }
    out_cell(d);
}

/* The next function of a level after row i with a value of its own (or, by
 * cum, any), or nfunctions. */
static size_t out_next_function(const struct anl *a, size_t i,
                                bool application)
{
    for (; i < a->nfunctions; i++)
        if (a->function[i].application == application &&
            a->view.node[a->function[i].node].flat.value)
            break;
    return i;
}

/* The functions of one level, by their own share. */
static void out_level(struct out_doc *d, const struct anl *a,
                      const struct out_config *c, bool application)
{
    const struct anl_share *s = application ? &a->application : &a->system;
    unsigned rows = c->top ? c->top : OUT_ROWS;
    size_t more = 0;
    bool open = false;
    struct buf title = {0};
    txt_putf(&title, "Top functions, %s level: ",
             application ? "application" : "system");
    out_share(&title, s->share);
    mem_put_byte(&title, 0);
    out_heading(d, title.err ? "Top functions" : (const char *)title.data);
    mem_fini(&title);
    size_t i = out_next_function(a, 0, application);
    if (i == a->nfunctions) {
        out_paragraph(d, "None.");
        return;
    }
    out_table(d, out_function_columns, sizeof out_function_columns /
                                       sizeof *out_function_columns);
    for (size_t next; i < a->nfunctions; i = next) {
        const struct anl_function *f = &a->function[i];
        next = out_next_function(a, i + 1, application);
        if (!c->all && (rows-- == 0 || f->flat.share < 0.0005)) {
            for (; i < a->nfunctions; more++)
                i = out_next_function(a, i + 1, application);
            break;
        }
        open |= !f->resolved;
        out_function(d, a, f, !f->resolved);
    }
    if (d->md)
        mem_put_byte(d->b, '\n');
    if (more) {
        txt_putf(&d->cell, "%zu more (--all shows them)%c", more, 0);
        if (!d->cell.err)
            out_paragraph(d, (const char *)d->cell.data);
        d->cell.len = 0;
    }
    if (open)
        out_paragraph(d, "~ the interval overlaps that of a row beside it: "
                         "which of them is larger is not resolved");
}

/* Key findings: one category for every sample. */
static void out_findings(struct out_doc *d, const struct anl *a)
{
    static const struct out_column column[] = {
        { "share", 8 }, { "95 % interval", 13 }, { "samples", 9 },
        { "for app", 8 }, { "category", -24 }, { "mostly", 0 },
    };
    out_heading(d, "Key findings by category");
    out_table(d, column, sizeof column / sizeof *column);
    for (size_t i = 0; i < ANL_CATEGORIES; i++) {
        const struct anl_finding *f = &a->finding[a->by_share[i]];
        if (f->share.sum.value == 0)
            continue;
        out_share(&d->cell, f->share.share);
        mem_put_byte(&d->cell, ' ');
        out_cell(d);
        out_interval(&d->cell, &f->share);
        out_cell(d);
        out_count(&d->cell, (double)f->share.sum.samples);
        out_cell(d);
        out_share(&d->cell, f->on_behalf);
        out_cell(d);
        txt_puts(&d->cell, anl_category_name[a->by_share[i]]);
        out_cell(d);
        if (f->leader != MEM_NONE)
            out_name(d, a->view.node[f->leader].name, 30);
        out_cell(d);
    }
    if (d->md)
        mem_put_byte(d->b, '\n');
    if (a->copy.sum.value) {
        txt_puts(&d->cell, "Memory copies, counted with their callers above: ");
        out_share(&d->cell, a->copy.share);
        mem_put_byte(&d->cell, 0);
        if (!d->cell.err)
            out_paragraph(d, (const char *)d->cell.data);
        d->cell.len = 0;
    }
}

/* A number of cores in use. */
static void out_cores(struct buf *b, double cores)
{
    if (isnan(cores))
        txt_puts(b, "n/a");
    else if (cores < 1)
        txt_putf(b, "%.1f %% of one core", 100 * cores);
    else
        txt_putf(b, "%.2f cores", cores);
}

/* The calls of the window and what they cost. */
static void out_calls(struct out_doc *d, const struct anl *a)
{
    struct buf *b = &d->cell;
    if (isnan(a->calls))
        return;
    out_count(b, a->calls);
    txt_puts(b, ", ");
    out_time(b, a->cpu_ns_per_call);
    txt_puts(b, " of CPU each");
    out_field(d, "Calls");
    for (size_t i = 0; i < a->nmethods && i < OUT_ROWS; i++) {
        out_count(b, a->method[i].calls);
        mem_put_byte(b, ' ');
        out_name(d, a->method[i].path, 60);
        out_field(d, "");
    }
}

/* One of "Threads". */
static void out_thread(struct out_doc *d, const struct anl *a,
                       const struct anl_thread *t)
{
    out_name(d, t->name, 20);
    txt_puts(&d->cell, ": ");
    if (a->wall) {
        struct anl_share s = anl_share(&t->running, &t->all);
        out_value(&d->cell, a, t->all.value);
        txt_puts(&d->cell, ", running ");
        out_share(&d->cell, s.share);
        txt_puts(&d->cell, ", 95 % ");
        out_interval(&d->cell, &s);
        return;
    }
    out_time(&d->cell, t->cpu_ns);
    txt_puts(&d->cell, ", ");
    out_cores(&d->cell, t->cores);
}

/* How much of a wall profile is waiting, and where. */
static void out_waiting(struct out_doc *d, const struct anl *a)
{
    if (!a->wall)
        return;
    out_share(&d->cell, a->waiting.share);
    txt_puts(&d->cell, " of the threads' time, 95 % ");
    out_interval(&d->cell, &a->waiting);
    out_field(d, "Waiting");
    for (size_t i = 0; i < a->nplaces; i++) {
        const struct anl_place *w = &a->place[i];
        out_name(d, a->view.node[w->node].name, OUT_NAME_COLUMNS);
        txt_puts(&d->cell, ": ");
        out_share(&d->cell, w->share.share);
        txt_puts(&d->cell, " of the waiting, 95 % ");
        out_interval(&d->cell, &w->share);
        out_field(d, i ? "" : "Waits in");
    }
}

/* Performance characteristics: use of the CPU, threads, calls. */
static void out_use(struct out_doc *d, const struct anl *a)
{
    const struct anl_use *u = &a->use;
    struct buf *b = &d->cell;
    out_heading(d, "Performance");
    out_time(b, u->cpu_ns);
    txt_puts(b, " of CPU in ");
    out_time(b, u->wall_ns);
    txt_puts(b, ": ");
    out_cores(b, u->window);
    if (u->cpus > 0)
        txt_putf(b, ", of %.0f that it may use", u->cpus);
    out_field(d, "CPU");
    if (!isnan(u->busy_ns)) {
        out_time(b, u->busy_ns);
        if (u->busy_ns > 0) {
            txt_puts(b, ", and used ");
            out_cores(b, u->busy);
            txt_puts(b, " then");
        }
        out_field(d, "Busy for");
    }
    out_waiting(d, a);
    out_calls(d, a);
    for (size_t i = 0; i < a->nthreads && i < OUT_ROWS; i++) {
        const struct anl_thread *t = &a->thread[i];
        if (i + 1 == OUT_ROWS && a->nthreads > OUT_ROWS) {
            txt_putf(b, "and %zu more threads", a->nthreads - i);
        } else {
            out_thread(d, a, t);
        }
        out_field(d, i ? "" : "Threads");
    }
}

/* The verdict and the recommendations. */
static void out_verdict(struct out_doc *d, const struct anl *a)
{
    const struct anl_verdict *v = &a->verdict;
    out_heading(d, "Verdict");
    out_paragraph(d, v->text);
    for (size_t i = 0; i < v->nreasons; i++)
        out_item(d, v->reason[i]);
    if (v->next_command) {
        out_item(d, "samples enough would come from this, in two terminals:");
        out_code(d, v->next_command);
    }
    out_heading(d, "Recommendations");
    for (size_t i = 0; i < a->nadvice; i++) {
        const struct anl_advice *r = &a->advice[i];
        txt_puts(&d->cell, r->text);
        txt_puts(&d->cell, " [");
        out_name(d, a->view.node[r->node].name, 60);
        txt_puts(&d->cell, ": ");
        out_share(&d->cell, r->share.share);
        txt_puts(&d->cell, ", 95 % ");
        out_interval(&d->cell, &r->share);
        txt_puts(&d->cell, ", ");
        out_count(&d->cell, (double)r->share.sum.samples);
        txt_puts(&d->cell, " samples]");
        mem_put_byte(&d->cell, 0);
        if (!d->cell.err)
            out_item(d, (const char *)d->cell.data);
        d->cell.len = 0;
    }
    if (a->nadvice == 0)
        out_paragraph(d, v->kind == ANL_WITHHELD
            ? v->next_command ? "None, without a verdict: more samples first."
                              : "None, without a verdict: see above what "
                                "stands in its way."
            : v->kind == ANL_WAITING
            ? "None on the CPU: look at where the time goes that is no CPU "
              "time."
            : "None: nothing is large enough to be sure that it pays.");
}

/* The report as a document, appended to d->b. */
static void out_report(struct out_doc *d, const struct anl *a,
                       const struct out_config *c)
{
    txt_puts(d->b, d->md ? "# " : d->color ? "\033[1m" : "");
    txt_puts(d->b, a->wall ? "Wall clock profile report"
                           : "CPU profile report");
    for (size_t i = 0; i < c->nfiles; i++) {
        txt_puts(d->b, i ? ", " : ": ");
        txt_put_clean(&d->cell, txt_slice(c->file[i]));
        if (d->md)
            out_put_md(d->b, d->cell.data, d->cell.len);
        else
            mem_put(d->b, d->cell.data, d->cell.len);
        d->cell.len = 0;
    }
    txt_puts(d->b, d->color && !d->md ? "\033[0m\n" : "\n");
    out_profile(d, a, c);
    out_trust(d, a);
    out_level(d, a, c, false);
    out_level(d, a, c, true);
    out_findings(d, a);
    out_use(d, a);
    out_verdict(d, a);
    if (c->nwritten)
        out_heading(d, "Files");
    for (size_t i = 0; i < c->nwritten; i++)
        out_item(d, c->written[i]);
    d->b->err = d->b->err ? d->b->err : d->cell.err;
    mem_fini(&d->cell);
}

/* Append the analysis for a terminal; errors stick to b. */
static void out_report_text(struct buf *b, const struct anl *a,
                            const struct out_config *c)
{
    struct out_doc d = { .b = b, .color = c->color };
    out_report(&d, a, c);
}

/* Append the analysis as Markdown; errors stick to b. */
static void out_report_md(struct buf *b, const struct anl *a,
                          const struct out_config *c)
{
    struct out_doc d = { .b = b, .md = true };
    out_report(&d, a, c);
}

/* ---- JSON ---- */

/* A key and a whole number, null when it is not known. */
static void out_js_int(struct js *j, const char *key, double v)
{
    js_key(j, key);
    if (v > -9.2e18 && v < 9.2e18)
        js_put_int(j, (int64_t)v);
    else
        js_put_null(j);
}

/* A key and a number, null when it is not known. */
static void out_js_num(struct js *j, const char *key, double v)
{
    js_key(j, key);
    js_put_num(j, v);
}

/* A key and a text. */
static void out_js_str(struct js *j, const char *key, struct slice s)
{
    js_key(j, key);
    js_put_str(j, s);
}

/* A key and an interval: two shares, or null. */
static void out_js_interval(struct js *j, const char *key,
                            const struct anl_share *s)
{
    js_key(j, key);
    if (isnan(s->low)) {
        js_put_null(j);
        return;
    }
    js_open(j, '[');
    js_put_num(j, s->low);
    js_put_num(j, s->high);
    js_close(j, ']');
}

/* The comments that are key=value, the first of each key. */
static void out_js_comments(struct js *j, const struct pp *p)
{
    js_key(j, "comments");
    js_open(j, '{');
    for (size_t i = 0; i < p->ncomments && i < ANL_MOST_METHODS; i++) {
        struct slice c = p->comment[i];
        const char *eq = c.n ? memchr(c.p, '=', c.n) : NULL;
        bool seen = !eq;
        size_t n = eq ? (size_t)(eq - c.p) : 0;
        for (size_t k = 0; k < i && !seen; k++)
            seen = p->comment[k].n > n && p->comment[k].p[n] == '=' &&
                   !memcmp(p->comment[k].p, c.p, n);
        if (seen)
            continue;
        js_put_str(j, (struct slice){ c.p, n });
        mem_put_byte(j->b, ':');
        j->more = false;
        js_put_str(j, (struct slice){ eq + 1, c.n - n - 1 });
    }
    js_close(j, '}');
}

/* "profile": what was read. */
static void out_js_profile(struct js *j, const struct anl *a,
                           const struct out_config *c)
{
    const struct pp *p = a->pp;
    const struct pp_type *t = &p->type[a->view.type];
    js_key(j, "profile");
    js_open(j, '{');
    js_key(j, "files");
    js_open(j, '[');
    for (size_t i = 0; i < c->nfiles; i++)
        js_put_str(j, txt_slice(c->file[i]));
    js_close(j, ']');
    out_js_str(j, "format", txt_slice(c->format ? c->format : "pprof"));
    js_key(j, "types");
    js_open(j, '[');
    for (size_t i = 0; i < p->ntypes; i++) {
        struct buf b = {0};
        mem_put(&b, p->type[i].type.p, p->type[i].type.n);
        mem_put_byte(&b, '/');
        mem_put(&b, p->type[i].unit.p, p->type[i].unit.n);
        js_put_str(j, (struct slice){ (const char *)b.data, b.len });
        mem_fini(&b);
    }
    js_close(j, ']');
    out_js_str(j, "type", t->type);
    out_js_str(j, "unit", t->unit);
    js_key(j, "samples");
    js_put_int(j, a->view.counted);
    js_key(j, "total");
    js_put_int(j, a->view.total.value);
    out_js_int(j, "duration_ns", p->duration_ns ? (double)p->duration_ns : NAN);
    out_js_int(j, "period_ns", p->period && !isnan(anl_unit_ns(
               p->period_type.unit)) ? (double)p->period *
               anl_unit_ns(p->period_type.unit) : NAN);
    js_key(j, "time_unix_ns");
    if (p->time_ns)
        js_put_int(j, p->time_ns);
    else
        js_put_null(j);
    out_js_int(j, "age_ns", c->age_ns >= 0 ? (double)c->age_ns : NAN);
    out_js_comments(j, p);
    js_close(j, '}');
}

/* "trust". */
static void out_js_trust(struct js *j, const struct anl *a)
{
    const struct anl_trust *t = &a->trust;
    js_key(j, "trust");
    js_open(j, '{');
    out_js_int(j, "samples", t->samples);
    out_js_num(j, "effective", t->effective);
    out_js_int(j, "hz_asked", t->hz_asked);
    out_js_num(j, "hz_delivered", t->hz_delivered);
    out_js_num(j, "coverage", t->coverage);
    out_js_int(j, "lost", t->lost);
    out_js_int(j, "truncated", t->truncated);
    out_js_int(j, "unwind_failed", t->unwind_failed);
    out_js_num(j, "unsymbolised", t->unsymbolised);
    out_js_num(j, "no_app_frame", t->no_app_frame);
    out_js_int(j, "stripped_frames", (double)t->stripped);
    js_key(j, "tick_driven");
    js_put_bool(j, t->tick_driven);
    out_js_num(j, "tick_clustered", t->tick_clustered);
    out_js_num(j, "unsampled", t->unsampled);
    js_key(j, "repaired");
    js_open(j, '[');
    if (a->pp->repaired) {
        char text[64];
        snprintf(text, sizeof text, "%" PRIu64 " defects mended while reading",
                 a->pp->repaired);
        js_put_str(j, txt_slice(text));
    }
    js_close(j, ']');
    js_close(j, '}');
}

/* One of "functions". */
static void out_js_function(struct js *j, const struct anl *a,
                            const struct anl_function *f)
{
    const struct view_node *n = &a->view.node[f->node];
    js_open(j, '{');
    out_js_str(j, "name", n->name);
    out_js_str(j, "file", n->file);
    js_key(j, "line");
    js_put_int(j, n->line);
    out_js_str(j, "module", anl_module(&a->view, n->module));
    out_js_str(j, "category", txt_slice(anl_category_name[f->category]));
    out_js_str(j, "level", txt_slice(f->application ? "application"
                                                    : "system"));
    js_key(j, "flat");
    js_put_int(j, n->flat.value);
    out_js_num(j, "flat_share", f->flat.share);
    out_js_interval(j, "flat_ci", &f->flat);
    js_key(j, "flat_samples");
    js_put_int(j, n->flat.samples);
    js_key(j, "cum");
    js_put_int(j, n->cum.value);
    out_js_num(j, "cum_share", f->cum.share);
    out_js_interval(j, "cum_ci", &f->cum);
    js_key(j, "cum_samples");
    js_put_int(j, n->cum.samples);
    out_js_num(j, "per_call_ns", f->per_call_ns);
    js_key(j, "rank_resolved");
    js_put_bool(j, f->resolved);
    js_close(j, '}');
}

/* "functions" (all, or the first ones with --top) and "categories". */
static void out_js_tables(struct js *j, const struct anl *a,
                          const struct out_config *c)
{
    js_key(j, "functions");
    js_open(j, '[');
    for (size_t i = 0; i < a->nfunctions && (!c->top || i < c->top); i++)
        out_js_function(j, a, &a->function[i]);
    js_close(j, ']');
    js_key(j, "categories");
    js_open(j, '[');
    for (size_t i = 0; i < ANL_CATEGORIES; i++) {
        const struct anl_finding *f = &a->finding[a->by_share[i]];
        if (f->share.sum.value == 0)
            continue;
        js_open(j, '{');
        out_js_str(j, "name", txt_slice(anl_category_name[a->by_share[i]]));
        js_key(j, "samples");
        js_put_int(j, f->share.sum.samples);
        out_js_num(j, "share", f->share.share);
        out_js_interval(j, "ci", &f->share);
        out_js_num(j, "on_behalf_of_application", f->on_behalf);
        js_close(j, '}');
    }
    js_close(j, ']');
}

/* "waiting", of a wall profile; null for others. */
static void out_js_waiting(struct js *j, const struct anl *a)
{
    js_key(j, "waiting");
    if (!a->wall) {
        js_put_null(j);
        return;
    }
    js_open(j, '{');
    out_js_num(j, "share", a->waiting.share);
    out_js_interval(j, "ci", &a->waiting);
    js_key(j, "samples");
    js_put_int(j, a->waiting.sum.samples);
    js_key(j, "where");
    js_open(j, '[');
    for (size_t i = 0; i < a->nplaces; i++) {
        const struct anl_place *w = &a->place[i];
        js_open(j, '{');
        out_js_str(j, "name", a->view.node[w->node].name);
        out_js_num(j, "share", w->share.share);
        out_js_interval(j, "ci", &w->share);
        js_key(j, "samples");
        js_put_int(j, w->share.sum.samples);
        js_close(j, '}');
    }
    js_close(j, ']');
    js_close(j, '}');
}

/* "use" and "calls". */
static void out_js_use(struct js *j, const struct anl *a)
{
    js_key(j, "use");
    js_open(j, '{');
    out_js_num(j, "cpu_of_window", a->use.window);
    out_js_num(j, "cpu_of_busy_seconds", a->use.busy);
    out_js_int(j, "cpus", a->use.cpus);
    js_key(j, "threads");
    js_open(j, '[');
    for (size_t i = 0; i < a->nthreads; i++) {
        js_open(j, '{');
        out_js_str(j, "name", a->thread[i].name);
        out_js_int(j, "cpu_ns", a->thread[i].cpu_ns);
        out_js_num(j, "share_of_window", a->thread[i].cores);
        out_js_num(j, "running", !a->wall ? NAN :
                   anl_share(&a->thread[i].running, &a->thread[i].all).share);
        js_close(j, '}');
    }
    js_close(j, ']');
    js_close(j, '}');
    js_key(j, "calls");
    js_open(j, '{');
    out_js_int(j, "total", a->calls);
    js_key(j, "by_method");
    js_open(j, '{');
    for (size_t i = 0; i < a->nmethods; i++) {
        js_put_str(j, a->method[i].path);
        mem_put_byte(j->b, ':');
        j->more = false;
        if (isnan(a->method[i].calls))
            js_put_null(j);
        else
            js_put_int(j, (int64_t)fmin(a->method[i].calls, 9e18));
    }
    js_close(j, '}');
    out_js_num(j, "cpu_ns_per_call", a->cpu_ns_per_call);
    js_close(j, '}');
}

/* "verdict" and "recommendations". */
static void out_js_verdict(struct js *j, const struct anl *a)
{
    const struct anl_verdict *v = &a->verdict;
    js_key(j, "verdict");
    js_open(j, '{');
    out_js_str(j, "kind", txt_slice(anl_kind_name[v->kind]));
    out_js_str(j, "text", txt_slice(v->text));
    js_key(j, "why");
    js_open(j, '[');
    for (size_t i = 0; i < v->nreasons; i++)
        js_put_str(j, txt_slice(v->reason[i]));
    js_close(j, ']');
    js_key(j, "next_command");
    if (v->next_command)
        js_put_str(j, txt_slice(v->next_command));
    else
        js_put_null(j);
    js_close(j, '}');
    js_key(j, "recommendations");
    js_open(j, '[');
    for (size_t i = 0; i < a->nadvice; i++) {
        const struct anl_advice *r = &a->advice[i];
        js_open(j, '{');
        out_js_str(j, "text", txt_slice(r->text));
        out_js_str(j, "function", a->view.node[r->node].name);
        out_js_num(j, "share", r->share.share);
        out_js_interval(j, "ci", &r->share);
        js_key(j, "samples");
        js_put_int(j, r->share.sum.samples);
        js_close(j, '}');
    }
    js_close(j, ']');
}

/* Append the analysis as JSON, schema grpcprof.report/1; errors stick to b. */
static void out_report_json(struct buf *b, const struct anl *a,
                            const struct out_config *c)
{
    struct js j = { .b = b };
    js_open(&j, '{');
    out_js_str(&j, "schema", txt_slice("grpcprof.report/1"));
    out_js_profile(&j, a, c);
    out_js_trust(&j, a);
    out_js_tables(&j, a, c);
    out_js_waiting(&j, a);
    out_js_use(&j, a);
    out_js_verdict(&j, a);
    js_key(&j, "diff");
    js_put_null(&j);
    js_key(&j, "asserts");
    js_open(&j, '[');
    js_close(&j, ']');
    js_key(&j, "exit");
    js_put_int(&j, c->exit);
    js_close(&j, '}');
    mem_put_byte(b, '\n');
}

/* ---- pprof's table ---- */

struct out_unit {
    const char *name;                   /* as it is printed */
    const char *alias[3];               /* in lower case, without a plural s */
    double factor;                      /* of the first unit of its kind */
};

enum { OUT_UNITS = 9 };

/* The kinds of units that pprof converts; [0] of a kind has the factor 1. */
static const struct out_unit out_units[][OUT_UNITS] = {
    { { "B", { "b", "byte" }, 1 },
      { "kB", { "kb", "kbyte", "kilobyte" }, 1024.0 },
      { "MB", { "mb", "mbyte", "megabyte" }, 1048576.0 },
      { "GB", { "gb", "gbyte", "gigabyte" }, 1073741824.0 },
      { "TB", { "tb", "tbyte", "terabyte" }, 1099511627776.0 },
      { "PB", { "pb", "pbyte", "petabyte" }, 1125899906842624.0 } },
    { { "ns", { "ns", "nanosecond" }, 1 },
      { "us", { "us", "microsecond" }, 1e3 },
      { "ms", { "ms", "millisecond" }, 1e6 },
      { "s", { "s", "sec", "second" }, 1e9 },
      { "hrs", { "hour", "hr" }, 3600e9 } },
    { { "n*GCU", { "nanogcu" }, 1e-9 }, { "u*GCU", { "microgcu" }, 1e-6 },
      { "m*GCU", { "milligcu" }, 1e-3 }, { "GCU", { "gcu" }, 1 },
      { "k*GCU", { "kilogcu" }, 1e3 }, { "M*GCU", { "megagcu" }, 1e6 },
      { "G*GCU", { "gigagcu" }, 1e9 }, { "T*GCU", { "teragcu" }, 1e12 },
      { "P*GCU", { "petagcu" }, 1e15 } },
};

/* What a kind falls back to where no unit fits: B, s, GCU. */
static const uint8_t out_unit_default[] = { 0, 3, 3 };

struct out_scale {                      /* how values become text */
    const struct out_unit *kind;        /* row of out_units; NULL: none */
    const struct out_unit *from, *to;   /* units of kind */
    const struct out_unit *fallback;    /* where a value is below every unit */
    struct slice label;                 /* the unit where there is no kind */
};

/* The scale of a unit, to itself. */
static struct out_scale out_scale(struct slice unit)
{
    static const char *const plain[] = { "count", "sample", "unit", "minimum",
                                         "auto" };
    struct out_scale s = { .label = unit };
    char lower[16];
    size_t n = unit.n < sizeof lower ? unit.n : 0;
    for (size_t i = 0; i < n; i++)
        lower[i] = unit.p[i] >= 'A' && unit.p[i] <= 'Z'
            ? (char)(unit.p[i] + 32) : unit.p[i];
    if (n > 2 && lower[n - 1] == 's')
        n--;
    for (size_t k = 0; k < sizeof out_units / sizeof *out_units; k++)
        for (size_t i = 0; i < OUT_UNITS && out_units[k][i].name; i++)
            for (size_t m = 0; m < 3 && out_units[k][i].alias[m]; m++)
                if (txt_equal((struct slice){ lower, n },
                              txt_slice(out_units[k][i].alias[m]))) {
                    s.kind = out_units[k];
                    s.from = s.to = &out_units[k][i];
                    s.fallback = &out_units[k][out_unit_default[k]];
                }
    for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
        if (txt_equal(unit, txt_slice(plain[k])))
            s.label.n = 0;
    return s;
}

/* The largest unit in which v, in the scale's own, is at least 1. */
static const struct out_unit *out_unit_for(const struct out_scale *s, double v)
{
    const struct out_unit *best = NULL;
    for (size_t i = 0; s->kind && i < OUT_UNITS && s->kind[i].name; i++)
        if ((!best || s->kind[i].factor >= best->factor) &&
            v * s->from->factor / s->kind[i].factor >= 1)
            best = &s->kind[i];
    return best ? best : s->fallback;
}

/* Append v as pprof does: two decimals unless they are .00, and the unit. */
static void out_scaled(struct buf *b, const struct out_scale *s, int64_t v)
{
    char text[64];
    double x = (double)v;
    if (s->kind)
        x = x * s->from->factor / s->to->factor;
    int n = snprintf(text, sizeof text, "%.2f", x);
    if (n > 3 && !memcmp(text + n - 3, ".00", 4))
        text[n - 3] = 0;
    if (!strcmp(text, "0") || !strcmp(text, "-0")) {
        mem_put_byte(b, '0');
        return;
    }
    txt_puts(b, text);
    if (s->kind)
        txt_puts(b, s->to->name);
    else
        txt_put_clean(b, s->label);
}

/* Append v aligned right in 10 columns. */
static void out_scaled10(struct buf *b, const struct out_scale *s, int64_t v)
{
    struct buf t = {0};
    out_scaled(&t, s, v);
    out_blanks(b, t.len < 10 ? 10 - t.len : 0);
    mem_put(b, t.data, t.len);
    mem_fini(&t);
}

/* The share of part in all as pprof prints it, into text[16]. */
static const char *out_percent(char *text, int64_t part, int64_t all)
{
    double r = all ? fabs((double)part / (double)all) * 100 : 0;
    if (r >= 99.95 && r <= 100.05)
        snprintf(text, 16, "  100%%");
    else
        snprintf(text, 16, r >= 1 ? "%5.2f%%" : "%5.2g%%", r);
    return text;
}

/* out_percent without the blanks in front. */
static const char *out_percent_bare(char *text, int64_t part, int64_t all)
{
    out_percent(text, part, all);
    return text + strspn(text, " ");
}

struct out_top {                        /* a table as pprof trims it */
    struct view view;                   /* owned; names as in pprof */
    uint32_t *order;                    /* owned: nodes */
    bool     *keep;                     /* owned, by node */
    uint8_t  *inlining;                 /* owned, by node */
    size_t    n, kept, dropped, shown;  /* of order: with a value, after
                                         * trimming, trimmed, listed */
    int64_t   total, cutoff;            /* of absolute values; cum is above */
    struct out_scale scale;
};

/* Choose the unit of the table: that of the smallest value shown, or, where
 * the total is far larger, one in which the smallest is 0.01. */
static void out_top_unit(struct out_top *t)
{
    int64_t least = 0;
    for (size_t i = 0; i < t->shown; i++) {
        const struct view_node *n = &t->view.node[t->order[i]];
        int64_t v = view_abs(n->flat.value ? n->flat.value : n->cum.value);
        if (v > 0 && (least == 0 || v < least))
            least = v;
    }
    if (t->shown == 0)
        return;
    least = least ? least : t->total;
    const struct out_unit *small = out_unit_for(&t->scale, (double)least),
                          *large = out_unit_for(&t->scale, (double)t->total);
    if (small != large && (double)least * 100 < (double)t->total)
        small = out_unit_for(&t->scale, 100 * (double)least);
    t->scale.to = small;
}

/* Release everything in t. */
static void out_top_fini(struct out_top *t)
{
    view_fini(&t->view);
    mem_free(t->order);
    mem_free(t->keep);
    mem_free(t->inlining);
}

/* Choose the nodes of the table, in order. */
static int out_top_init(struct out_top *t, const struct pp *p,
                        const struct out_config *c, struct gp_why *why)
{
    size_t type = 0;
    int e = view_find_type(p, c->sample, &type, why);
    if (!e)
        e = view_init(&t->view, p, type, VIEW_PPROF, why);
    if (e)
        return e;
    int64_t flat = 0, edge_cutoff;
    for (size_t i = 0; i < t->view.nnodes; i++)
        flat = view_add(flat, t->view.node[i].flat.value);
    double of = c->all ? 0 : (double)flat;
    int64_t cutoff = view_abs((int64_t)(of * OUT_NODE_FRACTION));
    edge_cutoff = view_abs((int64_t)(of * OUT_EDGE_FRACTION));
    t->total = t->view.total.value;
    t->cutoff = view_abs((int64_t)((double)t->total * OUT_NODE_FRACTION));
    t->scale = out_scale(p->type[type].unit);
    t->order = view_order(&t->view, c->cum ? VIEW_BY_CUM : VIEW_BY_FLAT,
                          &t->n);
    t->keep = mem_zalloc(t->view.nnodes);
    if (!t->order || !t->keep)
        return txt_fail(why, GP_ENOMEM, "out of memory");
    for (size_t i = 0; i < t->n; i++)
        if (view_abs(t->view.node[t->order[i]].cum.value) >= cutoff)
            t->order[t->kept++] = t->order[i];
    t->dropped = t->n - t->kept;
    t->shown = c->top && c->top < t->kept ? c->top : t->kept;
    for (size_t i = 0; i < t->shown; i++)
        t->keep[t->order[i]] = true;
    out_top_unit(t);
    t->inlining = view_inlining(&t->view, t->keep, edge_cutoff);
    return t->inlining ? GP_OK : txt_fail(why, GP_ENOMEM, "out of memory");
}

/* Append the lines on the profile that pprof puts above its tables. */
static void out_top_labels(const struct out_top *t, struct buf *b)
{
    const struct pp *p = t->view.pp;
    const struct pp_type *type = &p->type[t->view.type];
    char text[16];
    if (p->nmappings && p->mapping[0].file.n) {
        txt_puts(b, "File: ");
        txt_put_clean(b, view_base(p->mapping[0].file));
        mem_put_byte(b, '\n');
    }
    if (p->nmappings && p->mapping[0].build_id.n) {
        txt_puts(b, "Build ID: ");
        txt_put_clean(b, p->mapping[0].build_id);
        mem_put_byte(b, '\n');
    }
    for (size_t i = 0; i < p->ncomments; i++)
        if (!txt_starts(p->comment[i], "#")) {
            txt_put_clean(b, p->comment[i]);
            mem_put_byte(b, '\n');
        }
    if (type->type.n) {
        txt_puts(b, "Type: ");
        txt_put_clean(b, type->type);
        mem_put_byte(b, '\n');
    }
    if (p->time_ns) {
        char moment[64];
        struct tm tm;
        time_t at = (time_t)(p->time_ns / 1000000000);
        strftime(moment, sizeof moment, "%b %-d, %Y at %-I:%M%P (UTC)",
                 gmtime_r(&at, &tm));
        txt_putf(b, "Time: %s\n", moment);
    }
    if (p->duration_ns == 0)
        return;
    struct out_scale s = out_scale(txt_slice("nanoseconds"));
    s.to = out_unit_for(&s, (double)p->duration_ns);
    txt_puts(b, "Duration: ");
    out_scaled(b, &s, p->duration_ns);
    txt_puts(b, ", Total samples = ");
    out_scaled(b, &t->scale, t->total);
    mem_put_byte(b, ' ');
    if (t->scale.kind == out_units[1] && t->total)
        txt_putf(b, "(%s)", out_percent(text, (int64_t)((double)t->total *
                 t->scale.from->factor), p->duration_ns));
    mem_put_byte(b, '\n');
}

/* Append the rows. */
static void out_top_rows(const struct out_top *t, struct buf *b)
{
    static const char *const how[] = { "", " (inline)", "",
                                       " (partial-inline)" };
    char flat[16], sum[16], cum[16];
    int64_t all = 0;
    txt_putf(b, "%10s %5s%% %5s%% %10s %5s%%\n", "flat", "flat", "sum", "cum",
             "cum");
    for (size_t i = 0; i < t->shown; i++) {
        const struct view_node *n = &t->view.node[t->order[i]];
        all = view_add(all, n->flat.value);
        out_scaled10(b, &t->scale, n->flat.value);
        txt_putf(b, " %s %s ", out_percent(flat, n->flat.value, t->total),
                 out_percent(sum, all, t->total));
        out_scaled10(b, &t->scale, n->cum.value);
        txt_putf(b, " %s  ", out_percent(cum, n->cum.value, t->total));
        view_put_name(b, n->name, '\t');
        txt_puts(b, how[t->inlining[t->order[i]]]);
        mem_put_byte(b, '\n');
    }
}

/* Append the table of `go tool pprof -top` for p.  Errors as usual. */
static int out_report_top(struct buf *b, const struct pp *p,
                          const struct out_config *c, struct gp_why *why)
{
    struct out_top t = {0};
    char text[16];
    int64_t shown = 0;
    int e = out_top_init(&t, p, c, why);
    if (!e) {
        out_top_labels(&t, b);
        for (size_t i = 0; i < t.shown; i++)
            shown = view_add(shown, t.view.node[t.order[i]].flat.value);
        txt_puts(b, "Showing nodes accounting for ");
        out_scaled(b, &t.scale, shown);
        txt_putf(b, ", %s of ", out_percent_bare(text, shown, t.total));
        out_scaled(b, &t.scale, t.total);
        txt_puts(b, " total\n");
        if (t.dropped && t.total) {
            txt_putf(b, "Dropped %zu node%s (cum <= ", t.dropped,
                     t.dropped == 1 ? "" : "s");
            out_scaled(b, &t.scale, t.cutoff);
            txt_puts(b, ")\n");
        }
        if (t.shown && t.shown < t.kept && t.total)
            txt_putf(b, "Showing top %zu nodes out of %zu\n", t.shown, t.kept);
        out_top_rows(&t, b);
        e = b->err ? txt_fail(why, b->err, "out of memory") : GP_OK;
    }
    out_top_fini(&t);
    return e;
}

/* Append p as folded stacks, one a line, with the value of the sample type. */
static int out_report_folded(struct buf *b, const struct pp *p,
                             const struct out_config *c, struct gp_why *why)
{
    struct view v = {0};
    struct view_tree t = {0};
    size_t type = 0;
    int e = view_find_type(p, c->sample, &type, why);
    if (!e)
        e = view_init(&v, p, type, VIEW_MERGED, why);
    if (!e)
        e = view_tree_init(&t, &v, 0, why);
    if (!e && view_put_folded(&t, b))
        e = txt_fail(why, b->err, "out of memory");
    view_tree_fini(&t);
    view_fini(&v);
    return e;
}

/* ---- what LOAD found ---- */

/* Append text padded on the left to width. */
static void out_put_right(struct buf *b, const char *text, int width)
{
    txt_putf(b, "%*s", width, text);
}

/* Append a time padded on the left to width. */
static void out_put_time(struct buf *b, double ns, int width)
{
    struct buf t = {0};
    txt_put_time(&t, ns);
    mem_put_byte(&t, 0);
    out_put_right(b, t.err ? "?" : (const char *)t.data, width);
    mem_fini(&t);
}

/* Append a number with commas, padded on the left to width. */
static void out_put_count(struct buf *b, uint64_t n, int width)
{
    struct buf t = {0};
    txt_put_commas(&t, n);
    mem_put_byte(&t, 0);
    out_put_right(b, t.err ? "?" : (const char *)t.data, width);
    mem_fini(&t);
}

/* True when n samples support the percentile: OUT_TAIL_SAMPLES of them lie
 * beyond it, so p50 needs 20, p99 1,000 and p99.99 100,000. */
static bool out_percentile_ok(uint64_t n, double percent)
{
    return (double)n * (100 - percent) >= 100 * OUT_TAIL_SAMPLES - 1e-6;
}

/* Append a percentile as its name: "p99.9". */
static void out_put_percent(struct buf *b, double percent, int width)
{
    char name[24];
    snprintf(name, sizeof name, "p%.10g", percent);
    out_put_right(b, name, width);
}

/* Append the schedule of an open loop. */
static void out_load_schedule(struct buf *b, const struct load_config *k)
{
    txt_puts(b, "   open loop, ");
    for (size_t i = 0; i < k->nstep; i++) {
        const struct load_step *s = &k->step[i];
        txt_putf(b, i ? ", %.10g" : "%.10g", s->from);
        if (s->to < s->from || s->to > s->from)
            txt_putf(b, " to %.10g", s->to);
        txt_puts(b, "/s");
        if (s->ns) {
            txt_puts(b, " for ");
            txt_put_time(b, (double)s->ns);
        }
    }
    txt_puts(b, k->poisson ? ", Poisson arrivals" : "");
}

/* Append what is about to be done, two lines; true before and after a run. */
static void out_load_plan(struct buf *b, const struct load_config *k)
{
    uint64_t planned = load_planned(k), streams = k->streams ? k->streams : 1;
    uint64_t connections = load_connections(k);
    txt_puts(b, "grpcprof load  ");
    txt_put_clean(b, txt_slice(k->call));
    txt_puts(b, "  ->  ");
    for (size_t i = 0; i < k->ntarget; i++) {
        txt_puts(b, i ? ", " : "");
        txt_put_clean(b, txt_slice(k->target[i]));
    }
    txt_puts(b, " (h2c)\nplan      ");
    txt_put_commas(b, k->clients);
    txt_puts(b, k->clients == 1 ? " client" : " clients");
    if (k->requests_per_client) {
        txt_puts(b, " x ");
        txt_put_commas(b, k->requests_per_client);
        txt_puts(b, k->requests_per_client == 1 ? " request = "
                                                : " requests = ");
        txt_put_commas(b, planned);
    } else if (planned) {
        txt_puts(b, ", ");
        txt_put_commas(b, planned);
        txt_puts(b, planned == 1 ? " request" : " requests");
    }
    if (k->duration_ns) {
        txt_puts(b, planned ? ", at most " : ", for ");
        txt_put_time(b, (double)k->duration_ns);
    }
    if (load_open(k))
        out_load_schedule(b, k);
    else
        txt_puts(b, "   closed loop");
    if (streams > 1)
        txt_putf(b, "   %" PRIu64 " calls in flight each", streams);
    if (connections != k->clients)
        txt_putf(b, "   %" PRIu64 " connection%s", connections,
                 connections == 1 ? "" : "s");
    unsigned threads = k->threads ? k->threads : load_threads(connections);
    threads = threads > connections ? (unsigned)connections : threads;
    txt_putf(b, "   %u thread%s\n", threads, threads == 1 ? "" : "s");
}

/* Append the lines of counts, time and connections. */
static void out_load_counts(struct buf *b, const struct load_result *r)
{
    double s = (double)r->elapsed_ns / 1e9;
    txt_puts(b, "  done      ");
    txt_put_commas(b, r->ok);
    txt_puts(b, " ok        ");
    txt_put_commas(b, r->failed);
    txt_puts(b, " failed      ");
    txt_put_commas(b, r->cut_off);
    txt_puts(b, " cut off     ");
    txt_put_commas(b, r->not_sent);
    txt_puts(b, " not sent\n  elapsed   ");
    txt_put_time(b, (double)r->elapsed_ns);
    txt_puts(b, "         ");
    if (s > 0) {
        txt_put_commas(b, (uint64_t)((double)r->ok / s + 0.5));
        txt_puts(b, " req/s   in ");
        txt_put_bytes(b, (double)r->bytes_in / s);
        txt_puts(b, "/s   out ");
        txt_put_bytes(b, (double)r->bytes_out / s);
        txt_puts(b, "/s\n");
    } else {
        txt_puts(b, "n/a req/s\n");
    }
    if (r->message.n && s > 0) {
        txt_puts(b, "  messages  ");
        txt_put_commas(b, r->messages_in);
        txt_puts(b, " in, ");
        txt_put_commas(b, (uint64_t)((double)r->messages_in / s + 0.5));
        txt_puts(b, "/s   ");
        txt_put_commas(b, r->messages_out);
        txt_puts(b, " out, ");
        txt_put_commas(b, (uint64_t)((double)r->messages_out / s + 0.5));
        txt_puts(b, "/s\n");
    }
    txt_puts(b, "  connect   ");
    txt_put_commas(b, r->connect.n);
    txt_puts(b, " connections   mean ");
    txt_put_time(b, r->connect.n ? r->connect.sum / (double)r->connect.n : 0);
    txt_puts(b, "   max ");
    txt_put_time(b, (double)r->connect.max);
    txt_puts(b, "   (not part of latency)\n");
    if (r->reconnects || r->goaways || r->lost || r->resent)
        txt_putf(b, "  again     %" PRIu64 " reconnects   %" PRIu64
                 " GOAWAY   %" PRIu64 " connections lost   %" PRIu64
                 " calls sent again, not processed before\n", r->reconnects,
                 r->goaways, r->lost, r->resent);
}

/* Append one row of the latency table, nothing for no values. */
static void out_load_row(struct buf *b, const struct load_report *t,
                         const char *name, const struct hdr *h)
{
    if (!h->n)
        return;
    txt_putf(b, "  %-8s", name);
    for (size_t i = 0; i < t->npercent; i++)
        if (out_percentile_ok(h->n, t->percent[i]))
            out_put_time(b, (double)hdr_percentile(h, t->percent[i]), 9);
        else
            out_put_right(b, "n/a", 9);
    out_put_time(b, (double)h->max, 9);
    out_put_time(b, h->sum / (double)h->n, 9);
    mem_put_byte(b, '\n');
}

/* Append the latency table. */
static void out_load_latency(struct buf *b, const struct load_report *t)
{
    const struct load_result *r = t->result;
    if (!r->latency.n && !r->failed_latency.n)
        return;
    txt_puts(b, "\n  latency ");
    for (size_t i = 0; i < t->npercent; i++)
        out_put_percent(b, t->percent[i], 9);
    txt_puts(b, "      max     mean\n");
    out_load_row(b, t, load_open(t->config) ? "response" : "ok", &r->latency);
    out_load_row(b, t, "service", &r->service);
    out_load_row(b, t, "first", &r->first);
    out_load_row(b, t, "message", &r->message);
    out_load_row(b, t, "failed", &r->failed_latency);
    if (load_open(t->config))
        txt_puts(b, "  response is from the moment that the schedule had, "
                 "service from the sending\n");
}

/* Latencies in bins that double: bin k ends at 1 ms * 2^(k - 10): 1 us, 2 us,
 * ... 2 h. */
enum { OUT_BINS = 34 };

/* Count h's values into bin[OUT_BINS]; *low and *high are the first and last
 * that are not empty, low > high when all are. */
static void out_bins(const struct hdr *h, uint64_t *bin, size_t *low,
                     size_t *high)
{
    *low = OUT_BINS;
    *high = 0;
    memset(bin, 0, OUT_BINS * sizeof *bin);
    for (uint32_t i = 0, k = 0; h->count && i < HDR_COUNTS; i++) {
        if (!h->count[i])
            continue;
        while (k < OUT_BINS - 1 &&
               (double)hdr_value(i) > ldexp(1e6, (int)k - 10))
            k++;
        bin[k] += h->count[i];
        *low = k < *low ? k : *low;
        *high = k;
    }
}

/* Append the good calls' latencies in bins. */
static void out_load_bins(struct buf *b, const struct hdr *h)
{
    enum { WIDTH = 40 };
    uint64_t bin[OUT_BINS], most = 1;
    size_t low, high;
    out_bins(h, bin, &low, &high);
    for (size_t k = 0; k < OUT_BINS; k++)
        most = bin[k] > most ? bin[k] : most;
    mem_put_byte(b, '\n');
    for (size_t k = low; k <= high; k++) {
        int bar = (int)((double)bin[k] * WIDTH / (double)most + 0.5);
        txt_putf(b, "  <= %8.4g ms |%.*s%*s", ldexp(1, (int)k - 10), bar,
                 "########################################", WIDTH - bar, "");
        out_put_count(b, bin[k], 12);
        mem_put_byte(b, '\n');
    }
}

/* Name of a kind of failure, for text and JSON; static. */
static const char *out_load_kind(enum rpc_kind kind)
{
    static const char *const name[] = { "ok", "grpc_status", "http",
        "rst_stream", "protocol", "transport", "deadline" };
    return name[kind];
}

/* Append what an error says about itself, for people: a grpc-message is
 * decoded. */
static void out_load_detail(struct buf *b, const struct load_error *e)
{
    if (e->kind == RPC_STATUS)
        txt_put_unpercent(b, txt_slice(e->text));
    else
        txt_puts(b, e->text);
}

/* Append status and error tables; with color, errors stand out. */
static void out_load_errors(struct buf *b, const struct load_result *r,
                            bool color)
{
    const char *word = color ? "\033[31merror\033[0m" : "error";
    const char *gap = "";
    txt_puts(b, "\n  status    ");
    for (int i = 0; i < 17; i++)
        if (r->status[i]) {
            txt_putf(b, "%s%s ", gap, rpc_status_name(i));
            txt_put_commas(b, r->status[i]);
            gap = "   ";
        }
    txt_puts(b, *gap ? "\n" : "no call ended\n");
    for (size_t i = 0; i < r->nerror; i++) {
        const struct load_error *e = &r->error[i];
        txt_putf(b, "  %s     ", word);
        out_put_count(b, e->count, 9);
        txt_putf(b, "  %-11s %s", out_load_kind(e->kind),
                 rpc_status_name(e->status));
        if (e->kind == RPC_HTTP)
            txt_putf(b, "  :status %u", e->detail);
        if (e->text[0]) {
            struct buf detail = {0};
            out_load_detail(&detail, e);
            txt_puts(b, "  ");
            txt_put_clean(b, (struct slice){ (const char *)detail.data,
                                             detail.len });
            mem_fini(&detail);
        }
        txt_puts(b, "  (first after ");
        txt_put_time(b, (double)e->first_ns);
        txt_puts(b, ")\n");
    }
    if (r->other_errors)
        txt_putf(b, "  %s     %9" PRIu64 "  of further kinds\n", word,
                 r->other_errors);
}

/* Append what the client itself used, and the notes. */
static void out_load_notes(struct buf *b, const struct load_report *t)
{
    const struct load_result *r = t->result;
    double cpu = 0, user = 0, sys = 0, wait = 0, wall = 0;
    double done = (double)r->ok + (double)r->failed;
    for (unsigned i = 0; i < r->threads; i++) {
        cpu += (double)r->thread[i].cpu_ns;
        user += (double)r->thread[i].user_ns;
        sys += (double)r->thread[i].sys_ns;
        wait += (double)r->thread[i].wait_ns;
        wall += (double)r->thread[i].wall_ns;
    }
    if (wall > 0 && done > 0 && cpu > 0) {
        double parts = user + sys > 0 ? user + sys : 1;
        txt_putf(b, "  client    %.0f%% of %u thread%s busy   CPU %.2f us per "
                 "request (user %.0f%%, kernel %.0f%%)   waited for a CPU "
                 "%.1f%%", 100 * cpu / wall, r->threads,
                 r->threads == 1 ? "" : "s", cpu / done / 1e3,
                 100 * user / parts, 100 * sys / parts, 100 * wait / wall);
        if (r->lag.n) {
            txt_puts(b, "   send lag p99 ");
            txt_put_time(b, (double)hdr_percentile(&r->lag, 99));
        }
        mem_put_byte(b, '\n');
    }
    if (!load_open(t->config))
        txt_puts(b, "  note      closed loop: latency excludes queueing\n");
    if (r->gave_up)
        txt_putf(b, "  note      %" PRIu64 " clients lost the server and gave "
                 "up; the calls that they had left are not sent\n",
                 r->gave_up);
    if (r->ended == LOAD_SIGNAL)
        txt_puts(b, "  note      interrupted: these are the results so far\n");
}

/* ---- the server's CPU by call ---- */

/* A member that is a whole number. */
static void out_js_count(struct js *j, const char *key, uint64_t v)
{
    js_key(j, key);
    js_put_int(j, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* A member that is a text. */
static void out_js_text(struct js *j, const char *key, const char *text)
{
    js_key(j, key);
    js_put_str(j, txt_slice(text));
}

/* Append a time, or that it is not known. */
static void out_put_known(struct buf *b, double ns)
{
    if (isnan(ns))
        txt_puts(b, "n/a");
    else
        txt_put_time(b, ns);
}

/* Append what a's profile says of a call: in all, and by function; a function
 * that too few samples have is not ranked. */
static void out_load_profile(struct buf *b, const struct load_profile *p)
{
    const struct anl *a = p->anl;
    double per = a->cpu_ns_per_call, n = a->trust.effective;
    size_t shown = 0;
    txt_puts(b, "\n  server CPU  ");
    if (isnan(per)) {
        txt_puts(b, "n/a: the profile has no CPU time, or no call ended\n");
        return;
    }
    out_put_time(b, per, 0);
    txt_putf(b, " a call   %.0f samples in %.3g s, %.0f calls   user ",
             a->trust.samples, p->seconds, a->calls);
    out_put_known(b, a->comment.process_user_ns / a->calls);
    txt_puts(b, "   kernel ");
    out_put_known(b, a->comment.process_system_ns / a->calls);
    mem_put_byte(b, '\n');
    if (n < OUT_RANKED_SAMPLES) {
        txt_putf(b, "              %.0f samples rank nothing; use a longer -d, "
                 "or --profile-hz\n", a->trust.samples);
        return;
    }
    txt_puts(b, "      flat/call   95 % interval          samples   cum/call  "
             "function\n");
    for (size_t i = 0; i < a->nfunctions && shown < OUT_PROFILE_ROWS; i++) {
        const struct anl_function *f = &a->function[i];
        if ((double)f->flat.sum.samples < OUT_RANKED_ROW)
            continue;
        out_put_time(b, f->per_call_ns, 15);
        out_put_time(b, per * f->flat.low, 10);
        txt_puts(b, " to");
        out_put_time(b, per * f->flat.high, 9);
        out_put_count(b, (uint64_t)f->flat.sum.samples, 14);
        out_put_time(b, per * f->cum.share, 11);
        txt_puts(b, f->resolved ? "  " : " ~");
        view_put_name(b, a->view.node[f->node].name, ' ');
        mem_put_byte(b, '\n');
        shown++;
    }
    txt_puts(b, "      ~: its place among its neighbours is not certain\n");
}

/* The member profile. */
static void out_load_js_profile(struct js *j, const struct load_profile *p)
{
    js_key(j, "profile");
    if (!p) {
        js_put_null(j);
        return;
    }
    const struct anl *a = p->anl;
    double per = a->cpu_ns_per_call;
    js_open(j, '{');
    out_js_num(j, "seconds", p->seconds);
    out_js_num(j, "samples", a->trust.samples);
    out_js_num(j, "calls", a->calls);
    out_js_num(j, "cpu_ns_per_request", per);
    out_js_num(j, "user_ns_per_request",
               a->comment.process_user_ns / a->calls);
    out_js_num(j, "system_ns_per_request",
               a->comment.process_system_ns / a->calls);
    out_js_num(j, "rel_error", a->trust.effective > 0 ?
               1 / sqrt(a->trust.effective) : (double)NAN);
    out_js_text(j, "file", p->file);
    js_key(j, "functions");
    js_open(j, '[');
    for (size_t i = 0; i < a->nfunctions &&
                       a->trust.effective >= OUT_RANKED_SAMPLES; i++) {
        const struct anl_function *f = &a->function[i];
        if ((double)f->flat.sum.samples < OUT_RANKED_ROW)
            continue;
        js_open(j, '{');
        js_key(j, "name");
        js_put_str(j, a->view.node[f->node].name);
        out_js_count(j, "samples", (uint64_t)f->flat.sum.samples);
        out_js_num(j, "flat_ns", f->per_call_ns);
        out_js_num(j, "flat_low_ns", per * f->flat.low);
        out_js_num(j, "flat_high_ns", per * f->flat.high);
        out_js_num(j, "cum_ns", per * f->cum.share);
        out_js_num(j, "pct", 100 * f->flat.share);
        js_key(j, "rank_resolved");
        js_put_bool(j, f->resolved);
        js_close(j, '}');
    }
    js_close(j, ']');
    js_close(j, '}');
}

/* Append the first reply, cut to a line. */
static void out_load_reply(struct buf *b, const struct load_report *t)
{
    size_t n = t->reply.n, most = 100;
    while (n > most && most > 90 && ((uint8_t)t->reply.p[most] & 0xc0) == 0x80)
        most--;                         /* not inside a character */
    if (!n)
        return;
    txt_puts(b, "  reply     ");
    txt_put_clean(b, (struct slice){ t->reply.p, n < most ? n : most });
    txt_puts(b, n > most ? "...   (the first)\n" : "   (the first)\n");
}

/* The order of two numbers. */
static int out_number_order(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Append the median of a figure of the runs, and between which it lies. */
static void out_load_spread(struct buf *b, const char *name, double *v,
                            size_t n, bool time)
{
    qsort(v, n, sizeof *v, out_number_order);
    const double show[3] = { v[n / 2], v[0], v[n - 1] };
    txt_putf(b, "   %s ", name);
    for (int i = 0; i < 3; i++) {
        if (time)
            txt_put_time(b, show[i]);
        else
            txt_put_commas(b, (uint64_t)(show[i] + 0.5));
        txt_puts(b, i == 0 ? " (" : i == 1 ? " to " : ")");
    }
}

/* Append how the runs of --repeat differ. */
static void out_load_runs(struct buf *b, const struct load_report *t)
{
    double v[3][LOAD_RUNS_MOST];
    if (!t->nrun)
        return;
    for (size_t i = 0; i < t->nrun; i++) {
        v[0][i] = t->run[i].rps;
        v[1][i] = (double)t->run[i].p50;
        v[2][i] = (double)t->run[i].p99;
    }
    txt_putf(b, "  runs      %zu, median (least to most):", t->nrun);
    out_load_spread(b, "req/s", v[0], t->nrun, false);
    out_load_spread(b, "p50", v[1], t->nrun, true);
    out_load_spread(b, "p99", v[2], t->nrun, true);
    mem_put_byte(b, '\n');
}

/* What limited a run, for people and for programs; static. */
static const char *const out_limit[][2] = {
    [LOAD_BY_SERVER] = { "SERVER-LIMITED", "server" },
    [LOAD_BY_CLIENT] = { "CLIENT-LIMITED", "client" },
    [LOAD_BY_NETWORK] = { "NETWORK-LIMITED", "network" },
    [LOAD_BY_SETTINGS] = { "STREAM-LIMITED", "settings" },
    [LOAD_BY_RATE] = { "RATE-LIMITED", "rate" },
    [LOAD_BY_UNKNOWN] = { "UNKNOWN", "unknown" },
};

/* Append the verdict and its evidence. */
static void out_load_verdict(struct buf *b, const struct load_report *t)
{
    const struct load_verdict *v = &t->verdict;
    txt_putf(b, "  verdict   %s", out_limit[v->limit][0]);
    for (size_t i = 0; i < v->nwhy; i++)
        txt_putf(b, "%s%s", i ? "\n            " : "  ", v->why[i]);
    mem_put_byte(b, '\n');
    if (v->limit == LOAD_BY_CLIENT)
        txt_puts(b, "            these latencies are partly the client's\n");
}

/* Append a figure of an assertion: a time where it is about one. */
static void out_put_figure(struct buf *b, const struct load_assert *a)
{
    char first = a->text[0];
    if (isnan(a->value))
        txt_puts(b, "n/a");
    else if (first == 'p' || first == 'c' || (first == 'm'))
        txt_put_time(b, a->value);
    else if (strchr(a->text, '%'))
        txt_putf(b, "%.4g%%", 100 * a->value);
    else
        txt_putf(b, "%.10g", a->value);
}

/* Append what became of the assertions. */
static void out_load_asserts(struct buf *b, const struct load_report *t)
{
    for (size_t i = 0; i < t->nassert; i++) {
        const struct load_assert *a = &t->assert[i];
        txt_putf(b, "  assert    %s  ", a->pass ? "holds" : "FAILS");
        txt_put_clean(b, txt_slice(a->text));
        txt_puts(b, "   it is ");
        out_put_figure(b, a);
        mem_put_byte(b, '\n');
    }
}

/* Append the result of a run for people, to stand under its plan; color is for
 * a terminal. */
static void out_load_text(struct buf *b, const struct load_report *t,
                          bool color)
{
    const struct load_result *r = t->result;
    mem_put_byte(b, '\n');
    out_load_counts(b, r);
    out_load_latency(b, t);
    if (r->latency.n)
        out_load_bins(b, &r->latency);
    out_load_errors(b, r, color);
    out_load_reply(b, t);
    out_load_notes(b, t);
    out_load_runs(b, t);
    out_load_verdict(b, t);
    out_load_asserts(b, t);
    if (t->profile)
        out_load_profile(b, t->profile);
}

/* The members percentiles of h. */
static void out_js_percentiles(struct js *j, const struct load_report *t,
                               const struct hdr *h)
{
    char key[24];
    js_key(j, "percentiles");
    js_open(j, '{');
    for (size_t i = 0; i < t->npercent; i++) {
        snprintf(key, sizeof key, "%.10g", t->percent[i]);
        js_key(j, key);
        if (out_percentile_ok(h->n, t->percent[i]))
            js_put_int(j, hdr_percentile(h, t->percent[i]));
        else
            js_put_null(j);
    }
    js_close(j, '}');
}

/* The standard deviation of h's values, each taken for its bucket's highest;
 * NAN of none. */
static double out_deviation(const struct hdr *h)
{
    double mean = h->sum / (double)h->n, squares = 0;
    for (uint32_t i = 0; h->count && i < HDR_COUNTS; i++)
        if (h->count[i]) {
            double d = (double)hdr_value(i) - mean;
            squares += d * d * (double)h->count[i];
        }
    return h->n ? sqrt(squares / (double)h->n) : (double)NAN;
}

/* The member key: a histogram; null of no values where there may be none. */
static void out_js_hdr(struct js *j, const struct load_report *t,
                       const char *key, const struct hdr *h, bool always)
{
    js_key(j, key);
    if (!h->n && !always) {
        js_put_null(j);
        return;
    }
    js_open(j, '{');
    out_js_count(j, "count", h->n);
    out_js_count(j, "min", (uint64_t)h->min);
    out_js_count(j, "max", (uint64_t)h->max);
    out_js_num(j, "mean", h->n ? h->sum / (double)h->n : (double)NAN);
    out_js_num(j, "stddev", out_deviation(h));
    out_js_percentiles(j, t, h);
    js_key(j, "hdr");
    js_open(j, '{');
    out_js_count(j, "unit_ns", 1);
    out_js_count(j, "sigfig", 3);
    out_js_count(j, "overflow", h->over);
    js_key(j, "buckets");
    js_open(j, '[');
    for (uint32_t i = 0; h->count && i < HDR_COUNTS; i++)
        if (h->count[i]) {
            js_open(j, '[');
            js_put_int(j, hdr_value(i));
            js_put_int(j, (int64_t)h->count[i]);
            js_close(j, ']');
        }
    js_close(j, ']');
    struct buf v2 = {0};
    hdr_put_v2(h, &v2);
    js_key(j, "v2");
    js_put_str(j, (struct slice){ (const char *)v2.data, v2.len });
    mem_fini(&v2);
    js_close(j, '}');
    js_close(j, '}');
}

/* The member config. */
static void out_load_js_config(struct js *j, const struct load_report *t)
{
    static const char *const kind[] = { "unary", "client_stream",
                                        "server_stream", "bidi" };
    const struct load_config *k = t->config;
    js_key(j, "config");
    js_open(j, '{');
    out_js_text(j, "target", k->target[0]);
    out_js_text(j, "address", t->result->target);
    out_js_text(j, "call", k->call);
    out_js_text(j, "kind", kind[k->kind]);
    out_js_count(j, "clients", k->clients);
    out_js_count(j, "connections", load_connections(k));
    out_js_count(j, "requests_per_client", k->requests_per_client);
    out_js_count(j, "total", load_planned(k));
    out_js_count(j, "streams", k->streams ? k->streams :
                 load_open(k) ? LOAD_OPEN_STREAMS : 1);
    out_js_text(j, "mode", load_open(k) ? "open" : "closed");
    out_js_num(j, "rate", load_open(k) ? k->step[0].from : (double)NAN);
    js_key(j, "schedule");
    js_open(j, '[');
    for (size_t i = 0; i < k->nstep; i++) {
        js_open(j, '{');
        out_js_num(j, "from", k->step[i].from);
        out_js_num(j, "to", k->step[i].to);
        out_js_count(j, "ns", (uint64_t)k->step[i].ns);
        js_close(j, '}');
    }
    js_close(j, ']');
    out_js_text(j, "arrival", k->poisson ? "poisson" : "uniform");
    out_js_count(j, "threads", t->result->threads);
    out_js_count(j, "duration_ns", (uint64_t)k->duration_ns);
    out_js_count(j, "warmup_ns", (uint64_t)k->warmup_ns);
    out_js_count(j, "timeout_ns", (uint64_t)k->timeout_ns);
    js_key(j, "labels");
    js_open(j, '{');
    for (size_t i = 0; i < t->nlabel; i++) {
        const char *eq = strchr(t->label[i], '=');
        size_t n = eq ? (size_t)(eq - t->label[i]) : strlen(t->label[i]);
        js_put_str(j, (struct slice){ t->label[i], n });
        mem_put_byte(j->b, ':');
        j->more = false;
        js_put_str(j, txt_slice(eq ? eq + 1 : ""));
    }
    js_close(j, '}');
    js_close(j, '}');
}

/* The members window, counts and throughput. */
static void out_load_js_counts(struct js *j, const struct load_result *r)
{
    static const char *const ended[] = { "count", "duration", "signal" };
    double s = (double)r->elapsed_ns / 1e9;
    js_key(j, "window");
    js_open(j, '{');
    out_js_count(j, "start_unix_ns", (uint64_t)r->start_unix_ns);
    out_js_count(j, "elapsed_ns", (uint64_t)r->elapsed_ns);
    out_js_text(j, "ended", ended[r->ended]);
    js_close(j, '}');
    js_key(j, "counts");
    js_open(j, '{');
    out_js_count(j, "planned", r->planned);
    out_js_count(j, "sent", r->sent);
    out_js_count(j, "ok", r->ok);
    out_js_count(j, "failed", r->failed);
    out_js_count(j, "cut_off", r->cut_off);
    out_js_count(j, "not_sent", r->not_sent);
    out_js_count(j, "retried_after_goaway", r->resent);
    js_close(j, '}');
    js_key(j, "throughput");
    js_open(j, '{');
    out_js_num(j, "rps_ok", s > 0 ? (double)r->ok / s : (double)NAN);
    out_js_num(j, "rps_all", s > 0 ? (double)(r->ok + r->failed) / s
                                   : (double)NAN);
    out_js_count(j, "bytes_in", r->bytes_in);
    out_js_count(j, "bytes_out", r->bytes_out);
    out_js_count(j, "messages_in", r->messages_in);
    out_js_count(j, "messages_out", r->messages_out);
    js_close(j, '}');
}

/* The members latency, connect and intervals. */
static void out_load_js_times(struct js *j, const struct load_report *t)
{
    const struct load_result *r = t->result;
    bool open = load_open(t->config);
    js_key(j, "latency");
    js_open(j, '{');
    out_js_hdr(j, t, "response", open ? &r->latency : &r->service, open);
    out_js_hdr(j, t, "service", open ? &r->service : &r->latency, true);
    out_js_hdr(j, t, "failed", &r->failed_latency, true);
    out_js_hdr(j, t, "send_lag", &r->lag, false);
    out_js_hdr(j, t, "first_byte", &r->first, false);
    out_js_hdr(j, t, "message", &r->message, false);
    js_close(j, '}');
    js_key(j, "connect");
    js_open(j, '{');
    out_js_count(j, "ok", r->connect.n);
    out_js_hdr(j, t, "settings", &r->connect, true);
    out_js_count(j, "reconnects", r->reconnects);
    out_js_count(j, "goaways", r->goaways);
    out_js_count(j, "lost", r->lost);
    js_close(j, '}');
    js_key(j, "intervals");
    js_open(j, '[');
    for (size_t i = 0; i < r->intervals.n; i++) {
        const struct load_interval *v = &r->intervals.v[i];
        js_open(j, '{');
        out_js_count(j, "t_ns", i * (uint64_t)r->intervals.ns);
        out_js_count(j, "ok", v->ok);
        out_js_count(j, "failed", v->failed);
        out_js_count(j, "p50", (uint64_t)load_interval_percentile(v, 50));
        out_js_count(j, "p99", (uint64_t)load_interval_percentile(v, 99));
        out_js_count(j, "in_flight", v->in_flight);
        js_close(j, '}');
    }
    js_close(j, ']');
}

/* The members status and errors. */
static void out_load_js_errors(struct js *j, const struct load_result *r)
{
    js_key(j, "status");
    js_open(j, '[');
    for (int i = 0; i < 17; i++)
        if (r->status[i]) {
            js_open(j, '{');
            out_js_count(j, "code", (uint64_t)i);
            out_js_text(j, "name", rpc_status_name(i));
            out_js_count(j, "count", r->status[i]);
            js_close(j, '}');
        }
    js_close(j, ']');
    js_key(j, "errors");
    js_open(j, '[');
    for (size_t i = 0; i < r->nerror; i++) {
        const struct load_error *e = &r->error[i];
        js_open(j, '{');
        out_js_text(j, "kind", out_load_kind(e->kind));
        out_js_count(j, "status", (uint64_t)e->status);
        out_js_count(j, "code", e->detail);
        struct buf detail = {0};
        out_load_detail(&detail, e);
        js_key(j, "detail");
        js_put_str(j, (struct slice){ (const char *)detail.data,
                                      detail.len });
        mem_fini(&detail);
        out_js_count(j, "count", e->count);
        out_js_count(j, "first_ns", (uint64_t)e->first_ns);
        js_close(j, '}');
    }
    js_close(j, ']');
    out_js_count(j, "errors_of_other_kinds", r->other_errors);
}

/* The member client. */
static void out_load_js_client(struct js *j, const struct load_result *r)
{
    js_key(j, "client");
    js_open(j, '{');
    js_key(j, "threads");
    js_open(j, '[');
    for (unsigned i = 0; i < r->threads; i++) {
        const struct load_thread *t = &r->thread[i];
        double wall = (double)t->wall_ns;
        js_open(j, '{');
        out_js_count(j, "clients", t->clients);
        out_js_count(j, "cpu_ns", (uint64_t)t->cpu_ns);
        out_js_count(j, "user_ns", (uint64_t)t->user_ns);
        out_js_count(j, "sys_ns", (uint64_t)t->sys_ns);
        out_js_count(j, "wall_ns", (uint64_t)t->wall_ns);
        out_js_count(j, "wait_ns", (uint64_t)t->wait_ns);
        out_js_num(j, "cpu_pct", wall > 0 ? 100 * (double)t->cpu_ns / wall
                                          : (double)NAN);
        out_js_num(j, "runqueue_wait_pct", wall > 0 ?
                   100 * (double)t->wait_ns / wall : (double)NAN);
        out_js_count(j, "invol_switches", t->switches);
        out_js_count(j, "loop_max_ns", (uint64_t)t->turn_most_ns);
        js_close(j, '}');
    }
    js_close(j, ']');
    js_key(j, "peer_streams");
    if (r->peer_streams == UINT32_MAX)
        js_put_null(j);
    else
        js_put_int(j, r->peer_streams);
    out_js_count(j, "tx_blocked", r->tx_blocked);
    out_js_count(j, "streams_blocked_ns", (uint64_t)r->queued_ns);
    out_js_count(j, "tcp_busy_ns", (uint64_t)r->tcp_busy_ns);
    out_js_count(j, "tcp_limited_ns", (uint64_t)r->tcp_limited_ns);
    out_js_count(j, "gave_up", r->gave_up);
    js_close(j, '}');
}

/* The members verdict and asserts. */
static void out_load_js_verdict(struct js *j, const struct load_report *t)
{
    const struct load_verdict *v = &t->verdict;
    js_key(j, "verdict");
    js_open(j, '{');
    out_js_text(j, "limit", out_limit[v->limit][1]);
    out_js_num(j, "confidence", v->confidence);
    js_key(j, "why");
    js_open(j, '[');
    for (size_t i = 0; i < v->nwhy; i++)
        js_put_str(j, txt_slice(v->why[i]));
    js_close(j, ']');
    js_close(j, '}');
    js_key(j, "asserts");
    js_open(j, '[');
    for (size_t i = 0; i < t->nassert; i++) {
        js_open(j, '{');
        out_js_text(j, "expr", t->assert[i].text);
        out_js_num(j, "value", t->assert[i].value);
        js_key(j, "pass");
        js_put_bool(j, t->assert[i].pass);
        js_close(j, '}');
    }
    js_close(j, ']');
}

/* Append the result of a run as JSON, schema grpcprof.load/1. */
static void out_load_json(struct buf *b, const struct load_report *t)
{
    struct js j = { .b = b };
    struct utsname host = {0};
    (void)uname(&host);
    js_open(&j, '{');
    out_js_text(&j, "schema", "grpcprof.load/1");
    js_key(&j, "tool");
    js_open(&j, '{');
    out_js_text(&j, "version", GP_VERSION);
    out_js_text(&j, "host", host.nodename);
    out_js_count(&j, "cpus", sys_cpus());
    out_js_text(&j, "kernel", host.release);
    js_close(&j, '}');
    out_load_js_config(&j, t);
    out_load_js_counts(&j, t->result);
    out_load_js_times(&j, t);
    out_load_js_errors(&j, t->result);
    out_load_js_client(&j, t->result);
    out_load_js_verdict(&j, t);
    js_key(&j, "reply");
    if (t->reply.n)
        mem_put(b, t->reply.p, t->reply.n);
    else
        txt_puts(b, "null");
    j.more = true;
    js_key(&j, "runs");
    js_open(&j, '[');
    for (size_t i = 0; i < t->nrun; i++) {
        js_open(&j, '{');
        out_js_num(&j, "rps_ok", t->run[i].rps);
        out_js_count(&j, "p50", (uint64_t)t->run[i].p50);
        out_js_count(&j, "p99", (uint64_t)t->run[i].p99);
        js_close(&j, '}');
    }
    js_close(&j, ']');
    out_load_js_profile(&j, t->profile);
    js_key(&j, "exit");
    js_put_int(&j, t->exit);
    js_close(&j, '}');
    mem_put_byte(b, '\n');
}

/* ---- other formats of it ---- */

/* A figure of a result in a flat list; share: of seconds. */
struct out_figure { const char *name; double value; };

/* Call put for each figure of t that stands in one number. */
static void out_load_figures(const struct load_report *t, struct buf *b,
                             void (*put)(struct buf *b,
                                         const struct out_figure *f))
{
    const struct load_result *r = t->result;
    double s = (double)r->elapsed_ns / 1e9, cpu = 0;
    double done = (double)(r->ok + r->failed);
    for (unsigned i = 0; i < r->threads; i++)
        cpu += (double)r->thread[i].cpu_ns;
    const struct out_figure figure[] = {
        { "planned", (double)r->planned }, { "sent", (double)r->sent },
        { "ok", (double)r->ok }, { "failed", (double)r->failed },
        { "cut_off", (double)r->cut_off }, { "not_sent", (double)r->not_sent },
        { "retried_after_goaway", (double)r->resent },
        { "elapsed_ns", (double)r->elapsed_ns },
        { "rps_ok", s > 0 ? (double)r->ok / s : (double)NAN },
        { "bytes_in", (double)r->bytes_in },
        { "bytes_out", (double)r->bytes_out },
        { "messages_in", (double)r->messages_in },
        { "messages_out", (double)r->messages_out },
        { "connections", (double)r->connect.n },
        { "reconnects", (double)r->reconnects },
        { "client_cpu_ns_per_request", done > 0 ? cpu / done : (double)NAN },
    };
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++)
        put(b, &figure[i]);
}

/* A row of the CSV. */
static void out_csv_figure(struct buf *b, const struct out_figure *f)
{
    if (isnan(f->value))
        txt_putf(b, "%s,\r\n", f->name);
    else
        txt_putf(b, "%s,%.15g\r\n", f->name, f->value);
}

/* The latencies of t that have a name in its tables, in their order. */
enum { OUT_TIMES = 5 };

/* Put them into name[] and h[]; how many there are. */
static size_t out_load_times(const struct load_report *t, const char **name,
                             const struct hdr **h)
{
    const struct load_result *r = t->result;
    bool open = load_open(t->config);
    const char *const names[] = { open ? "response" : "service",
                                  open ? "service" : "", "first_byte",
                                  "message", "failed" };
    const struct hdr *const all[] = { &r->latency, &r->service, &r->first,
                                      &r->message, &r->failed_latency };
    size_t n = 0;
    for (size_t i = 0; i < OUT_TIMES; i++)
        if (all[i]->n) {
            name[n] = names[i];
            h[n++] = all[i];
        }
    return n;
}

/* Append t as CSV (RFC 4180): a name and a number a row; times in ns. */
static void out_load_csv(struct buf *b, const struct load_report *t)
{
    const char *name[OUT_TIMES];
    const struct hdr *h[OUT_TIMES];
    size_t n = out_load_times(t, name, h);
    txt_puts(b, "name,value\r\n");
    out_load_figures(t, b, out_csv_figure);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t->npercent; k++)
            if (out_percentile_ok(h[i]->n, t->percent[k]))
                txt_putf(b, "%s_p%.10g_ns,%" PRId64 "\r\n", name[i],
                         t->percent[k], hdr_percentile(h[i], t->percent[k]));
        txt_putf(b, "%s_count,%" PRIu64 "\r\n%s_mean_ns,%.10g\r\n"
                 "%s_max_ns,%" PRId64 "\r\n", name[i], h[i]->n, name[i],
                 h[i]->sum / (double)h[i]->n, name[i], h[i]->max);
    }
}

/* A metric without labels, in Prometheus' text format. */
static void out_prometheus_figure(struct buf *b, const struct out_figure *f)
{
    if (!isnan(f->value))
        txt_putf(b, "# TYPE grpcprof_load_%s gauge\ngrpcprof_load_%s %.15g\n",
                 f->name, f->name, f->value);
}

/* Append t in Prometheus' text format, as a textfile collector or a push
 * gateway takes it; latencies as histograms whose buckets double. */
static void out_load_prometheus(struct buf *b, const struct load_report *t)
{
    const char *name[OUT_TIMES];
    const struct hdr *h[OUT_TIMES];
    size_t n = out_load_times(t, name, h), low, high;
    uint64_t bin[OUT_BINS];
    out_load_figures(t, b, out_prometheus_figure);
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0;
        out_bins(h[i], bin, &low, &high);
        txt_putf(b, "# TYPE grpcprof_load_%s_seconds histogram\n", name[i]);
        for (size_t k = low; k <= high; k++) {
            sum += bin[k];
            txt_putf(b, "grpcprof_load_%s_seconds_bucket{le=\"%.9g\"} %" PRIu64
                     "\n", name[i], ldexp(1e-3, (int)k - 10), sum);
        }
        txt_putf(b, "grpcprof_load_%s_seconds_bucket{le=\"+Inf\"} %" PRIu64
                 "\ngrpcprof_load_%s_seconds_sum %.9g\n"
                 "grpcprof_load_%s_seconds_count %" PRIu64 "\n", name[i],
                 h[i]->n, name[i], h[i]->sum / 1e9, name[i], h[i]->n);
    }
    txt_puts(b, "# TYPE grpcprof_load_status_total counter\n");
    for (int i = 0; i < 17; i++)
        if (t->result->status[i])
            txt_putf(b, "grpcprof_load_status_total{grpc_code=\"%s\"} %" PRIu64
                     "\n", rpc_status_name(i), t->result->status[i]);
}

/* ---- the HTML page ---- */

static const char *const out_page_head[] = {
    "<!DOCTYPE html>",
    "<html lang=\"en\"><head><meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width\">",
    "<title>grpcprof load</title><style>",
    ":root{color-scheme:light dark}",
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;",
    "padding:0 1rem}h1{font-size:1.3rem}",
    "h2{font-size:1.05rem;margin:2rem 0 .5rem}",
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}",
    "th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}",
    "th:first-child,td:first-child{text-align:left}",
    "svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,",
    "sans-serif;fill:currentColor}.bar{fill:#4a7fb5}.bad{fill:#c0504d}",
    ".line{fill:none;stroke:#4a7fb5;stroke-width:1.5}.p99{stroke:#c0504d}",
    ".verdict{padding:.6rem 1rem;border-left:4px solid #4a7fb5;",
    "background:#8881}.scroll{overflow-x:auto}",
    "</style></head><body>",
};

/* A row of the page's table of figures; its data-key is what JSON calls it. */
static void out_page_figure(struct buf *b, const struct out_figure *f)
{
    struct buf t = {0};
    if (isnan(f->value))
        txt_puts(&t, "n/a");
    else if (strstr(f->name, "_ns"))
        txt_put_time(&t, f->value);
    else
        txt_put_commas(&t, (uint64_t)(f->value + 0.5));
    txt_putf(b, "<tr><td>%s</td><td data-key=\"%s\" data-value=\"%.15g\">%.*s"
             "</td></tr>\n", f->name, f->name, f->value, (int)t.len,
             t.data ? (const char *)t.data : "");
    mem_fini(&t);
}

/* The table of latencies. */
static void out_page_latency(struct buf *b, const struct load_report *t)
{
    const char *name[OUT_TIMES];
    const struct hdr *h[OUT_TIMES];
    size_t n = out_load_times(t, name, h);
    txt_puts(b, "<h2>Latency</h2>\n<div class=\"scroll\"><table><tr><th></th>");
    for (size_t k = 0; k < t->npercent; k++)
        txt_putf(b, "<th>p%.10g</th>", t->percent[k]);
    txt_puts(b, "<th>max</th><th>mean</th></tr>\n");
    for (size_t i = 0; i < n; i++) {
        txt_putf(b, "<tr><td>%s</td>", name[i]);
        for (size_t k = 0; k < t->npercent + 2; k++) {
            bool known = k >= t->npercent ||
                         out_percentile_ok(h[i]->n, t->percent[k]);
            double v = k == t->npercent ? (double)h[i]->max
                     : k > t->npercent ? h[i]->sum / (double)h[i]->n
                     : (double)hdr_percentile(h[i], t->percent[k]);
            txt_putf(b, "<td data-key=\"%s.", name[i]);
            if (k < t->npercent)
                txt_putf(b, "p%.10g\"", t->percent[k]);
            else
                txt_puts(b, k == t->npercent ? "max\"" : "mean\"");
            if (known)
                txt_putf(b, " data-value=\"%.15g\"", v);
            mem_put_byte(b, '>');
            if (known)
                txt_put_time(b, v);
            else
                txt_puts(b, "n/a");
            txt_puts(b, "</td>");
        }
        txt_puts(b, "</tr>\n");
    }
    txt_puts(b, "</table></div>\n");
}

/* The histogram, as a picture with its counts as text. */
static void out_page_bins(struct buf *b, const struct hdr *h)
{
    uint64_t bin[OUT_BINS], most = 1;
    size_t low, high;
    out_bins(h, bin, &low, &high);
    if (low > high)
        return;
    for (size_t k = low; k <= high; k++)
        most = bin[k] > most ? bin[k] : most;
    txt_putf(b, "<svg viewBox=\"0 0 720 %zu\" role=\"img\" "
             "aria-label=\"Latency histogram\">\n", (high - low + 1) * 18 + 4);
    for (size_t k = low; k <= high; k++) {
        size_t y = (k - low) * 18;
        double width = 480 * (double)bin[k] / (double)most;
        txt_putf(b, "<text x=\"100\" y=\"%zu\" text-anchor=\"end\">&#8804; "
                 "%.4g ms</text><rect class=\"bar\" x=\"106\" y=\"%zu\" "
                 "width=\"%.1f\" height=\"13\"/><text x=\"%.1f\" y=\"%zu\" "
                 "data-bin=\"%" PRIu64 "\">", y + 13, ldexp(1, (int)k - 10),
                 y + 2, width, 112 + width, y + 13, bin[k]);
        txt_put_commas(b, bin[k]);
        txt_puts(b, "</text>\n");
    }
    txt_puts(b, "</svg>\n");
}

/* A line of the time series: what get says of each interval. */
static void out_page_line(struct buf *b, const struct load_intervals *v,
                          const char *css, double most,
                          double (*get)(const struct load_interval *i))
{
    double step = v->n > 1 ? 660 / (double)(v->n - 1) : 0;
    txt_putf(b, "<polyline class=\"line%s\" points=\"", css);
    for (size_t i = 0; i < v->n; i++)
        txt_putf(b, "%.1f,%.1f ", 50 + step * (double)i,
                 110 - 100 * get(&v->v[i]) / most);
    txt_puts(b, "\"/>\n");
}

/* Good calls of an interval. */
static double out_interval_ok(const struct load_interval *i)
{
    return (double)i->ok;
}

/* Its median. */
static double out_interval_p50(const struct load_interval *i)
{
    return (double)load_interval_percentile(i, 50);
}

/* Its p99. */
static double out_interval_p99(const struct load_interval *i)
{
    return (double)load_interval_percentile(i, 99);
}

/* The time series: two pictures over the same seconds. */
static void out_page_series(struct buf *b, const struct load_result *r)
{
    const struct load_intervals *v = &r->intervals;
    double calls = 1, late = 1, s = (double)v->ns / 1e9;
    for (size_t i = 0; i < v->n; i++) {
        calls = fmax(calls, out_interval_ok(&v->v[i]));
        late = fmax(late, out_interval_p99(&v->v[i]));
    }
    txt_putf(b, "<h2>Every %.4g s</h2>\n<svg viewBox=\"0 0 720 120\" "
             "role=\"img\" aria-label=\"Good calls in each interval\">"
             "<text x=\"0\" y=\"12\">%.0f ok</text>\n", s, calls);
    out_page_line(b, v, "", calls, out_interval_ok);
    txt_puts(b, "</svg>\n<svg viewBox=\"0 0 720 120\" role=\"img\" "
             "aria-label=\"p50 and p99 in each interval\"><text x=\"0\" "
             "y=\"12\">");
    txt_put_time(b, late);
    txt_puts(b, "</text><text x=\"660\" y=\"12\">p50, p99</text>\n");
    out_page_line(b, v, "", late, out_interval_p50);
    out_page_line(b, v, " p99", late, out_interval_p99);
    txt_puts(b, "</svg>\n");
}

/* Append t as a page that needs nothing else: no network, no script. */
static void out_load_html(struct buf *b, const struct load_report *t)
{
    struct buf text = {0};
    svg_put_lines(b, out_page_head, sizeof out_page_head /
                                    sizeof *out_page_head);
    out_load_plan(&text, t->config);
    txt_puts(b, "<h1>grpcprof load</h1>\n<pre>");
    svg_put_text(b, (struct slice){ (const char *)text.data, text.len });
    txt_putf(b, "</pre>\n<p class=\"verdict\"><b data-key=\"verdict\">%s</b> ",
             out_limit[t->verdict.limit][0]);
    for (size_t i = 0; i < t->verdict.nwhy; i++) {
        txt_puts(b, i ? "; " : "");
        svg_put_text(b, txt_slice(t->verdict.why[i]));
    }
    txt_puts(b, "</p>\n");
    out_page_latency(b, t);
    out_page_bins(b, &t->result->latency);
    if (t->result->intervals.n > 1)
        out_page_series(b, t->result);
    txt_puts(b, "<h2>Counts</h2>\n<table>\n");
    out_load_figures(t, b, out_page_figure);
    txt_puts(b, "</table>\n<h2>Status and errors</h2>\n<pre>");
    text.len = 0;
    out_load_errors(&text, t->result, false);
    out_load_notes(&text, t);
    out_load_asserts(&text, t);
    svg_put_text(b, (struct slice){ (const char *)text.data, text.len });
    txt_puts(b, "</pre>\n</body></html>\n");
    b->err = b->err ? b->err : text.err;
    mem_fini(&text);
}

/* ---- two results beside each other ---- */

/* A line: a figure before and now, and by how much it changed. */
static void out_compare_line(struct buf *b, const char *name, double old,
                             double now, bool time)
{
    struct buf t[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        double v = i ? now : old;
        if (isnan(v))
            txt_puts(&t[i], "n/a");
        else if (time)
            txt_put_time(&t[i], v);
        else
            txt_putf(&t[i], "%.0f", v);
        mem_put_byte(&t[i], 0);
    }
    txt_putf(b, "  %-9s %10s  -> %10s", name, (char *)t[0].data,
             (char *)t[1].data);
    if (old > 0 && !isnan(now))
        txt_putf(b, "   %+.1f%%", 100 * (now / old - 1));
    mem_put_byte(b, '\n');
    mem_fini(&t[0]);
    mem_fini(&t[1]);
}

/* Append how t differs from the older result old. */
static void out_load_compare(struct buf *b, const struct load_report *t,
                             const struct load_result *old)
{
    const struct load_result *r = t->result;
    char name[24];
    double s = (double)r->elapsed_ns / 1e9, was = (double)old->elapsed_ns / 1e9;
    txt_puts(b, "\n  compared with the older result\n");
    out_compare_line(b, "req/s", was > 0 ? (double)old->ok / was : (double)NAN,
                     s > 0 ? (double)r->ok / s : (double)NAN, false);
    out_compare_line(b, "failed", (double)old->failed, (double)r->failed,
                     false);
    for (size_t i = 0; i < t->npercent; i++) {
        double p = t->percent[i];
        snprintf(name, sizeof name, "p%.10g", p);
        out_compare_line(b, name, out_percentile_ok(old->latency.n, p) ?
                         (double)hdr_percentile(&old->latency, p) : (double)NAN,
                         out_percentile_ok(r->latency.n, p) ?
                         (double)hdr_percentile(&r->latency, p) : (double)NAN,
                         true);
    }
    txt_puts(b, "  one run each: differences between runs of the same server "
             "are not known from this\n");
}

/* ================================== 26 CLI ==================================
 * for     option tables, help, the commands serve, load and report, main
 * uses    MEM, TXT, SYS, JS, PB, HDR, PP, ANL, SVG, DSC, RPC, SVC, API,
 *         LOAD, OUT
 * owns    stdout, stderr, the exit status, SIGINT and SIGTERM
 * spec    none
 * prefix  cmd_
 * runs    main thread; cmd_stop_sig in a signal handler
 *
 * One table a command drives parsing, --help, the defaults, the man page and
 * the completions, so that they cannot differ.
 *
 * Invariant  results go to stdout, talk and progress to stderr.
 */

enum cmd_status {                       /* exit status, all commands */
    CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_ERRORS = 3,
    CMD_ASSERT = 4, CMD_INVALID = 5,
    CMD_INTERRUPTED = 130, CMD_TERMINATED = 143,
};

enum cmd_kind {
    CMD_FLAG,                           /* bool */
    CMD_UINT,                           /* uint64_t in [min, max] */
    CMD_BYTES,                          /* uint64_t in [min, max], K M G */
    CMD_DURATION,                       /* int64_t ns in [min, max] */
    CMD_TEXT,                           /* const char *, borrowed from argv */
    CMD_OPTIONAL,                       /* the same; "" when only named, a value
                                         * only behind = */
    CMD_LIST,                           /* struct cmd_list of texts */
};

struct cmd_list {
    const char *text[CMD_LIST_MOST];    /* borrowed from argv */
    size_t n;
};

struct cmd_option {
    char        key;                    /* 0: only the long name */
    const char *name;                   /* without the dashes */
    const char *arg;                    /* metavariable, NULL for a flag */
    const char *dflt;                   /* parsed as if typed; "(...)": shown
                                         * only; NULL: none */
    const char *help;                   /* one line */
    enum cmd_kind kind;
    size_t      at;                     /* offset in the command's struct */
    uint64_t    min, max;               /* of a number, a size, or ns */
};

struct cmd_common {                     /* every command's struct begins so */
    bool help, quiet;
    const char *color;                  /* always, never, auto */
    struct cmd_list rest;               /* what is not an option */
};

struct cmd_command {
    const char *name, *args, *summary;  /* as shown in the usage line */
    const char *about;                  /* paragraph under it */
    const struct cmd_option *option;
    size_t noptions;
    int (*run)(const struct cmd_command *cmd);  /* returns exit status */
    void *config;                       /* begins with struct cmd_common */
    size_t most_args;                   /* positional arguments taken */
};

#define CMD_COMMON(type)                                                      \
    { 0, "color", "WHEN", "auto", "colour: always, never, auto",              \
      CMD_TEXT, offsetof(type, common.color), 0, 0 },                         \
    { 'q', "quiet", NULL, NULL, "no progress and no notes",                   \
      CMD_FLAG, offsetof(type, common.quiet), 0, 0 },                         \
    { 'h', "help", NULL, NULL, "this text",                                   \
      CMD_FLAG, offsetof(type, common.help), 0, 0 }

/* Set by the first SIGINT or SIGTERM while load or report runs. */
static atomic_int cmd_signal;

/* Print one line on stderr, with the program's name. */
__attribute__((format(printf, 1, 2)))
static void cmd_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("grpcprof: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

/* Say what is wrong with the command line; returns CMD_USAGE. */
__attribute__((format(printf, 2, 3)))
static int cmd_misuse(const struct cmd_command *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "grpcprof %s: ", c->name);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\ntry: grpcprof %s --help\n", c->name);
    va_end(ap);
    return CMD_USAGE;
}

/* Write all of b to stdout; CMD_FAILED when that fails, as on a full disk. */
static int cmd_print(const struct buf *b)
{
    if (b->err) {
        cmd_say("out of memory");
        return CMD_FAILED;
    }
    fwrite(b->data, 1, b->len, stdout);
    if (fflush(stdout) || ferror(stdout)) {
        if (errno != EPIPE)             /* who reads has seen enough */
            cmd_say("standard output: %s", strerror(errno));
        return CMD_FAILED;
    }
    return CMD_OK;
}

/* Whether to colour what goes to fd. */
static bool cmd_color(const struct cmd_common *c, int fd)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    if (!strcmp(c->color, "always"))
        return true;
    return !strcmp(c->color, "auto") && isatty(fd) && !(no && *no) && term &&
           strcmp(term, "dumb") != 0;
}

/* ---- options ---- */

/* Store text as option o's value at config; false when it is not one. */
static bool cmd_store(const struct cmd_option *o, const char *text,
                      char *config)
{
    void *at = config + o->at;
    struct cmd_list *list = at;
    int64_t ns;
    switch (o->kind) {
    case CMD_FLAG:
        *(bool *)at = true;
        return true;
    case CMD_UINT:
        return !txt_number(text, o->min, o->max, at);
    case CMD_BYTES:
        return !txt_size(text, o->min, o->max, at);
    case CMD_DURATION:
        if (txt_duration(text, &ns) || (uint64_t)ns < o->min ||
            (uint64_t)ns > o->max)
            return false;
        *(int64_t *)at = ns;
        return true;
    case CMD_TEXT:
        *(const char **)at = text;
        return *text != 0;
    case CMD_OPTIONAL:
        *(const char **)at = text;
        return true;
    case CMD_LIST:
        if (!*text || list->n == CMD_LIST_MOST)
            return false;
        list->text[list->n++] = text;
        return true;
    }
    return false;
}

/* Append what option o takes, as in "1 to 10,000". */
static void cmd_put_range(struct buf *b, const struct cmd_option *o)
{
    switch (o->kind) {
    case CMD_UINT:
        txt_puts(b, "a whole number from ");
        txt_put_commas(b, o->min);
        txt_puts(b, " to ");
        txt_put_commas(b, o->max);
        break;
    case CMD_BYTES:
        txt_puts(b, "a size such as 64K, 4M or 1G, from ");
        txt_put_commas(b, o->min);
        txt_puts(b, " to ");
        txt_put_commas(b, o->max);
        txt_puts(b, " bytes");
        break;
    case CMD_DURATION:
        txt_puts(b, "a duration such as 500us, 10ms, 2s, 3m or 1h, from ");
        txt_put_time(b, (double)o->min);
        txt_puts(b, " to ");
        txt_put_time(b, (double)o->max);
        break;
    case CMD_LIST:
        txt_putf(b, "a word, at most %d times", CMD_LIST_MOST);
        break;
    default:
        txt_puts(b, "a word that is not empty");
    }
}

/* Store text and say so when it does not fit. */
static int cmd_set(const struct cmd_command *c, const struct cmd_option *o,
                   const char *text)
{
    struct buf b = {0};
    if (cmd_store(o, text, c->config))
        return CMD_OK;
    cmd_put_range(&b, o);
    int e = cmd_misuse(c, "--%s '%s': takes %.*s", o->name, text, (int)b.len,
                       b.data ? (const char *)b.data : "");
    mem_fini(&b);
    return e;
}

/* The option called name, of n bytes, or NULL. */
static const struct cmd_option *cmd_find(const struct cmd_command *c,
                                         const char *name, size_t n)
{
    for (size_t i = 0; i < c->noptions; i++)
        if (strlen(c->option[i].name) == n &&
            !memcmp(c->option[i].name, name, n))
            return &c->option[i];
    return NULL;
}

/* Refuse the unknown long option word and suggest the nearest. */
static int cmd_unknown(const struct cmd_command *c, const char *word)
{
    const char *best = NULL;
    unsigned least = 4;
    for (size_t i = 0; i < c->noptions; i++) {
        unsigned d = txt_distance(word + 2, c->option[i].name);
        if (d < least) {
            least = d;
            best = c->option[i].name;
        }
    }
    if (best)
        return cmd_misuse(c, "unknown option '%s'; did you mean --%s?", word,
                          best);
    return cmd_misuse(c, "unknown option '%s'", word);
}

/* Parse "--name", "--name=value" or "--name value" at argv[*i]. */
static int cmd_parse_long(const struct cmd_command *c, int argc, char **argv,
                          int *i)
{
    const char *word = argv[*i], *eq = strchr(word, '=');
    size_t n = eq ? (size_t)(eq - word) - 2 : strlen(word) - 2;
    const struct cmd_option *o = cmd_find(c, word + 2, n);
    if (!o)
        return cmd_unknown(c, word);
    if (o->kind == CMD_FLAG)
        return eq ? cmd_misuse(c, "--%s takes no value", o->name)
                  : cmd_set(c, o, "");
    if (eq)
        return cmd_set(c, o, eq + 1);
    if (o->kind == CMD_OPTIONAL)
        return cmd_set(c, o, "");
    if (*i + 1 >= argc)
        return cmd_misuse(c, "--%s needs %s", o->name, o->arg);
    return cmd_set(c, o, argv[++*i]);
}

/* Parse "-k", "-kVALUE", "-k VALUE" or flags together, "-qh". */
static int cmd_parse_short(const struct cmd_command *c, int argc, char **argv,
                           int *i)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct cmd_option *o = NULL;
        for (size_t k = 0; k < c->noptions && !o; k++)
            if (c->option[k].key == *p)
                o = &c->option[k];
        if (!o)
            return cmd_misuse(c, "unknown option '-%c' in '%s'", *p, argv[*i]);
        if (o->kind != CMD_FLAG) {
            if (p[1])
                return cmd_set(c, o, p + 1);
            if (*i + 1 >= argc)
                return cmd_misuse(c, "-%c needs %s", *p, o->arg);
            return cmd_set(c, o, argv[++*i]);
        }
        cmd_set(c, o, "");
    }
    return CMD_OK;
}

/* Fill c's struct from its defaults and argv. */
static int cmd_parse(const struct cmd_command *c, int argc, char **argv)
{
    struct cmd_common *common = c->config;
    bool options = true;
    int e;
    for (size_t i = 0; i < c->noptions; i++)
        if (c->option[i].dflt && c->option[i].dflt[0] != '(') {
            bool ok = cmd_store(&c->option[i], c->option[i].dflt, c->config);
            assert(ok);
            (void)ok;
        }
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (options && !strcmp(word, "--")) {
            options = false;
            continue;
        }
        if (options && word[0] == '-' && word[1])
            e = word[1] == '-' ? cmd_parse_long(c, argc, argv, &i)
                               : cmd_parse_short(c, argc, argv, &i);
        else if (common->rest.n == c->most_args)
            e = cmd_misuse(c, "'%s' is one argument too many", word);
        else {
            common->rest.text[common->rest.n++] = word;
            e = CMD_OK;
        }
        if (e)
            return e;
    }
    if (strcmp(common->color, "auto") && strcmp(common->color, "always") &&
        strcmp(common->color, "never"))
        return cmd_misuse(c, "--color '%s': takes always, never or auto",
                          common->color);
    return CMD_OK;
}

/* Print text from column at on, words wrapped at 79 and indented alike. */
static void cmd_wrap(const char *text, size_t at)
{
    size_t column = at;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column > at && column + 1 + n > 79) {
            printf("\n%*s", (int)at, "");
            column = at;
        }
        column += (size_t)printf("%s%.*s", column > at ? " " : "", (int)n,
                                 text);
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

/* Print c's usage and options. */
static void cmd_help(const struct cmd_command *c)
{
    printf("usage: grpcprof %s [OPTIONS]%s%s\n\n%s\n\noptions:\n", c->name,
           *c->args ? " " : "", c->args, c->about);
    for (size_t i = 0; i < c->noptions; i++) {
        const struct cmd_option *o = &c->option[i];
        const char *dflt = o->dflt ? o->dflt : "";
        bool value = *dflt && *dflt != '(';
        bool optional = o->kind == CMD_OPTIONAL;
        char left[64], text[256], key[8] = "    ";
        if (o->key)
            snprintf(key, sizeof key, "-%c, ", o->key);
        snprintf(left, sizeof left, "%s--%s%s%s%s", key, o->name,
                 optional ? "[=" : o->arg ? " " : "", o->arg ? o->arg : "",
                 optional ? "]" : "");
        snprintf(text, sizeof text, "%s %s%s%s", o->help, value ? "[" : "",
                 dflt, value ? "]" : "");
        printf("  %-26s ", left);
        cmd_wrap(text, 29);
    }
}

/* ---- serve ---- */

struct cmd_serve {
    struct cmd_common common;           /* first */
    struct cmd_list listen;
    uint64_t work, threads, hz, max_connections, max_streams, max_message,
             max_buffered, max_headers;
    int64_t profile_ns, drain_ns;       /* 0: no profile */
    int64_t idle_ns, max_age_ns, keepalive_ns;  /* 0: for ever */
    const char *timer, *clock;          /* names, see cmd_serve_clock */
    const char *out, *svg;              /* files; svg "none": none */
    const char *debug;                  /* address, "off"; NULL: the default */
    bool exit, interop;

    struct gp_server *server;           /* owned while cmd_serve_run runs */
    struct gp_debug *endpoint;          /* owned likewise; NULL: none */
    struct svc_greeter greeter;
    const char *bound[CMD_LIST_MOST];   /* borrowed from server, by listen */
    struct gp_profiler_config sampling; /* from --hz, --timer and --clock */
    char work_text[24];                 /* work, for profiles */
    struct gp_profiler *profiler;       /* owned; NULL: no window is open */
    int pending_fd;                     /* locked while a window is open */
    char pending[PATH_MAX];             /* its file, "" for none */
    int64_t begin_ns;                   /* when the window began */
    bool warned, failed;                /* of little load; a file not written */
};

static struct cmd_serve cmd_serve = { .pending_fd = -1 };

static const struct cmd_option cmd_serve_options[] = {
    { 'l', "listen", "ADDR", "(127.0.0.1:50051)",
      "host:port, [v6]:port, port, unix:/path; repeatable",
      CMD_LIST, offsetof(struct cmd_serve, listen), 0, 0 },
    { 'w', "work", "N", "50000", "iterations of sum += i * i in each SayHello",
      CMD_UINT, offsetof(struct cmd_serve, work), 0, 1000000000000 },
    { 't', "threads", "N", "(the usable CPUs)", "event loops",
      CMD_UINT, offsetof(struct cmd_serve, threads), 1, RPC_THREADS_MOST },
    { 0, "profile", "DUR", NULL, "sample for DUR from the start, then write",
      CMD_DURATION, offsetof(struct cmd_serve, profile_ns), 10000000,
      24 * UINT64_C(3600000000000) },
    { 0, "hz", "N", "1000", "samples a second of CPU time, 1 to 10000",
      CMD_UINT, offsetof(struct cmd_serve, hz), 1, SMP_MOST_HZ },
    { 0, "timer", "NAME", "auto", "what samples: itimer, thread, perf, auto",
      CMD_TEXT, offsetof(struct cmd_serve, timer), 0, 0 },
    { 0, "clock", "NAME", "cpu",
      "cpu, or wall: real time, threads that wait too",
      CMD_TEXT, offsetof(struct cmd_serve, clock), 0, 0 },
    { 'o', "out", "FILE", "(profile.pb)", "the pprof profile",
      CMD_TEXT, offsetof(struct cmd_serve, out), 0, 0 },
    { 0, "svg", "FILE", "(flamegraph.svg)", "the flame graph; none: no file",
      CMD_TEXT, offsetof(struct cmd_serve, svg), 0, 0 },
    { 0, "exit", NULL, NULL, "stop when the profile is written",
      CMD_FLAG, offsetof(struct cmd_serve, exit), 0, 0 },
    { 0, "debug", "ADDR", "(" GP_DEBUG_ADDRESS ")",
      "HTTP endpoint for pprof, curl and Prometheus; off: none",
      CMD_TEXT, offsetof(struct cmd_serve, debug), 0, 0 },
    { 0, "interop", NULL, NULL, "also serve grpc.testing.TestService",
      CMD_FLAG, offsetof(struct cmd_serve, interop), 0, 0 },
    { 0, "max-connections", "N", "(what descriptors allow)",
      "connections at once",
      CMD_UINT, offsetof(struct cmd_serve, max_connections), 1, 1000000 },
    { 0, "max-streams", "N", "100", "calls at once on a connection",
      CMD_UINT, offsetof(struct cmd_serve, max_streams), 1, 10000 },
    { 0, "max-message", "SIZE", "4M", "bytes of a request message",
      CMD_BYTES, offsetof(struct cmd_serve, max_message), 1, 1 << 30 },
    { 0, "max-buffered", "SIZE", "1G", "bytes kept for all connections",
      CMD_BYTES, offsetof(struct cmd_serve, max_buffered), 1 << 16,
      UINT64_C(1) << 40 },
    { 0, "max-headers", "SIZE", "16K", "bytes of a request's headers",
      CMD_BYTES, offsetof(struct cmd_serve, max_headers), 1024, 1 << 20 },
    { 0, "idle", "DUR", "(for ever)", "a connection without calls so long ends",
      CMD_DURATION, offsetof(struct cmd_serve, idle_ns), 10000000,
      1000 * UINT64_C(3600000000000) },
    { 0, "max-age", "DUR", "(for ever)", "a connection so old ends, with grace",
      CMD_DURATION, offsetof(struct cmd_serve, max_age_ns), 10000000,
      1000 * UINT64_C(3600000000000) },
    { 0, "keepalive", "DUR", "2h", "a PING after so long without a byte",
      CMD_DURATION, offsetof(struct cmd_serve, keepalive_ns), 10000000,
      1000 * UINT64_C(3600000000000) },
    { 0, "drain", "DUR", "5s", "at the end, wait so long for calls in flight",
      CMD_DURATION, offsetof(struct cmd_serve, drain_ns), 0,
      UINT64_C(3600000000000) },
    CMD_COMMON(struct cmd_serve),
};

/* True when a and b are one file, by name or by what they name. */
static bool cmd_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !strcmp(a, b) || (!stat(a, &x) && !stat(b, &y) &&
                             S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
                             x.st_ino == y.st_ino);
}

/* Print that path was written and how large it is. */
static void cmd_wrote(const char *path, const char *what)
{
    struct stat st;
    struct buf b = {0};
    if (stat(path, &st))
        return;
    txt_put_bytes(&b, (double)st.st_size);
    printf("wrote %s (%s, %.*s)\n", path, what, (int)b.len,
           b.data ? (const char *)b.data : "");
    fflush(stdout);
    mem_fini(&b);
}

/* The name of the file beside path that a running serve keeps locked until it
 * has written path; report looks at it. */
static int cmd_pending_name(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    int n = snprintf(name, size, "%.*s.%s.pending", dir, path, path + dir);
    return n > 0 && (size_t)n < size ? GP_OK : GP_ELIMIT;
}

/* Take back what cmd_pending_open said. */
static void cmd_pending_close(struct cmd_serve *c)
{
    if (c->pending[0])
        unlink(c->pending);
    if (c->pending_fd >= 0)
        close(c->pending_fd);
    c->pending[0] = 0;
    c->pending_fd = -1;
}

/* Say to report that --out will be written at until_ns (Unix time). */
static void cmd_pending_open(struct cmd_serve *c, int64_t until_ns)
{
    char text[64];
    struct stat st;
    if (cmd_pending_name(c->out, c->pending, sizeof c->pending)) {
        c->pending[0] = 0;
        return;
    }
    c->pending_fd = open(c->pending, O_WRONLY | O_CREAT | O_CLOEXEC |
                                     O_NOFOLLOW | O_NONBLOCK, 0644);
    if (c->pending_fd < 0 || fstat(c->pending_fd, &st) ||
        !S_ISREG(st.st_mode) || flock(c->pending_fd, LOCK_EX | LOCK_NB)) {
        c->pending[0] = 0;              /* another serve's: leave it */
        return;
    }
    int n = snprintf(text, sizeof text, "%ld %" PRId64 "\n", (long)getpid(),
                     until_ns);
    if (ftruncate(c->pending_fd, 0) ||
        sys_write_fd(c->pending_fd, text, (size_t)n))
        cmd_pending_close(c);           /* no more than a courtesy */
}

/* Fill config from --timer and --clock; CMD_USAGE after saying what is bad. */
static int cmd_serve_clock(const struct cmd_serve *c,
                           const struct cmd_command *cmd,
                           struct gp_profiler_config *config)
{
    static const char *const names[] = { "auto", "itimer", "thread", "perf" };
    size_t i = 0;
    while (i < 4 && strcmp(c->timer, names[i]))
        i++;
    if (i == 4)
        return cmd_misuse(cmd, "--timer '%s': takes itimer, thread, perf or "
                          "auto", c->timer);
    if (strcmp(c->clock, "cpu") && strcmp(c->clock, "wall"))
        return cmd_misuse(cmd, "--clock '%s': takes cpu or wall", c->clock);
    if (i && !strcmp(c->clock, "wall"))
        return cmd_misuse(cmd, "--timer %s is for CPU time: not with --clock "
                          "wall", c->timer);
    *config = (struct gp_profiler_config){
        .size = sizeof *config, .hz = (unsigned)c->hz,
        .timer = (enum gp_timer)i, .wall = !strcmp(c->clock, "wall") };
    return CMD_OK;
}

/* Fill in and check the names of the files; CMD_USAGE after saying what is
 * wrong. */
static int cmd_serve_files(struct cmd_serve *c, const struct cmd_command *cmd)
{
    const char *needs = c->exit ? "exit" : c->out ? "out" : c->svg ? "svg" :
                        NULL;
    if (!c->profile_ns && needs)
        return cmd_misuse(cmd, "--%s needs --profile, as in --profile 30s",
                          needs);
    c->out = c->out ? c->out : "profile.pb";
    c->svg = c->svg ? c->svg : "flamegraph.svg";
    if (!strcmp(c->out, "-") || !strcmp(c->svg, "-"))
        return cmd_misuse(cmd, "serve writes when its window ends: name a "
                          "file, not -");
    if (cmd_same_file(c->out, c->svg))
        return cmd_misuse(cmd, "--out and --svg are both '%s'", c->out);
    return CMD_OK;
}

/* Say what samples, why, how often, and what it costs. */
static void cmd_serve_announce(const struct cmd_serve *c,
                               const struct gp_profiler_state *st)
{
    struct buf b = {0};
    bool wall = !strcmp(c->clock, "wall");
    txt_puts(&b, "profiling for ");
    txt_put_time(&b, (double)c->profile_ns);
    txt_putf(&b, " with %s", st->engine);
    if (*st->reason)
        txt_putf(&b, " (%s)", st->reason);
    txt_putf(&b, ": %u samples a second of %s", st->hz_expected,
             wall ? "each thread's time" : "CPU time");
    if (st->hz_expected < c->hz)
        txt_putf(&b, " at most, of %" PRIu64 " asked: it fires at the kernel's "
                 "ticks", c->hz);
    if (isnan(st->cost_ns)) {
        txt_puts(&b, "; what one costs cannot be told beforehand");
    } else {
        txt_puts(&b, "; each costs about ");
        txt_put_time(&b, st->cost_ns);
        txt_putf(&b, ", %.1f %% of a CPU for every thread%s",
                 100 * st->cost_ns * st->hz_expected / 1e9,
                 wall ? ", busy or not" : " that keeps one busy");
    }
    mem_put_byte(&b, 0);
    if (!b.err)
        cmd_say("%s", (const char *)b.data);
    mem_fini(&b);
}

/* Open the window of --profile. */
static int cmd_serve_profile(struct cmd_serve *c, struct gp_why *why)
{
    struct gp_profiler_state st;
    int e = gp_profiler_start(&c->profiler, &c->sampling, why);
    if (e)
        return e;
    gp_profiler_note(c->profiler, "work", c->work_text);
    gp_profiler_note(c->profiler, "listen", c->bound[0]);
    gp_profiler_progress(c->profiler, &st);
    c->begin_ns = sys_now_ns();
    cmd_pending_open(c, sys_clock_ns(CLOCK_REALTIME) + c->profile_ns);
    if (!c->common.quiet)
        cmd_serve_announce(c, &st);
    return GP_OK;
}

/* Write the files of the window so far. */
static void cmd_serve_write(struct cmd_serve *c)
{
    struct gp_why why;
    bool svg = strcmp(c->svg, "none") != 0;
    if (gp_profiler_write(c->profiler, c->out, svg ? c->svg : NULL, &why)) {
        cmd_say("%s", why.text);
        c->failed = true;
        return;
    }
    cmd_wrote(c->out, "pprof profile");
    if (svg)
        cmd_wrote(c->svg, "flame graph");
    if (!c->common.quiet)
        cmd_say("see it with: grpcprof report %s", c->out);
}

/* Close the window, if one is open, and write its files. */
static void cmd_serve_close(struct cmd_serve *c)
{
    if (!c->profiler)
        return;
    cmd_serve_write(c);
    gp_profiler_stop(c->profiler);
    c->profiler = NULL;
    cmd_pending_close(c);
}

/* Half way through a window: say so when there are too few samples. */
static void cmd_serve_check(struct cmd_serve *c)
{
    struct gp_profiler_state st;
    if (c->warned || c->common.quiet ||
        sys_now_ns() - c->begin_ns < c->profile_ns / 2)
        return;
    c->warned = true;
    gp_profiler_progress(c->profiler, &st);
    bool busy = (double)st.cpu_ns > 0.5 * (double)st.wall_ns;
    if (st.samples * 2 < ANL_LEAST_SAMPLES && busy)
        cmd_say("half of the window is over with %" PRIu64 " sample%s, at %u a "
                "second of CPU: a verdict takes %d; a longer --profile or a "
                "higher --hz gives more", st.samples, st.samples == 1 ? "" :
                "s", st.hz_expected, ANL_LEAST_SAMPLES);
    else if (st.samples * 2 < ANL_LEAST_SAMPLES)
        cmd_say("half of the window is over with %" PRIu64 " samples: too "
                "little load for a verdict, which takes %d; in another "
                "terminal: grpcprof load -c 100 -d %" PRId64 "s %s",
                st.samples, ANL_LEAST_SAMPLES,
                (c->profile_ns - st.wall_ns) / 1000000000 + 1,
                c->bound[0]);
}

/* Wait for a signal of set, which is blocked, the end of the window or the
 * next look at it; returns the signal that ends serve, or 0 when --exit does.
 * Not on a signalfd: the kernel wakes who polls one for every signal of the
 * process, SIGPROF too, which cost 16 us of CPU a sample. */
static int cmd_serve_wait(struct cmd_serve *c, const sigset_t *set)
{
    for (;;) {
        struct timespec most = { 3600, 0 };
        if (c->profiler) {
            int64_t left = c->begin_ns + c->profile_ns - sys_now_ns();
            if (left <= 0) {
                cmd_serve_close(c);
                if (c->exit)
                    return 0;
                continue;
            }
            left = left > CMD_LOOK_NS ? CMD_LOOK_NS : left;
            most = (struct timespec){ .tv_nsec = left };
        }
        int got = sigtimedwait(set, NULL, &most);
        if (got > 0 && got != SIGUSR1)
            return got;
        if (got > 0 && c->profiler)
            cmd_serve_write(c);
        else if (got > 0 && !c->common.quiet)
            cmd_say("SIGUSR1: no window of --profile is open");
        if (c->profiler)
            cmd_serve_check(c);
    }
}

/* Add to an error that advises "choose another port" the option that does; the
 * code e again. */
static int cmd_with(struct gp_why *why, const char *option, int e)
{
    size_t n = strlen(why->text);
    if (strstr(why->text, "; ") && strstr(why->text, "choose"))
        snprintf(why->text + n, sizeof why->text - n, " with %s", option);
    return e;
}

/* Open the debug endpoint, once the server has started.  Where the default
 * address cannot be had there is none, and that is said. */
static int cmd_serve_debug(struct cmd_serve *c, struct gp_why *why)
{
    const char *bound;
    if (c->debug && !strcmp(c->debug, "off"))
        return GP_OK;
    int e = gp_debug_new(&c->endpoint, c->debug, &c->sampling, &bound, why);
    if (e == GP_EIO && !c->debug) {
        if (!c->common.quiet)
            cmd_say("no debug endpoint: %s",
                    (cmd_with(why, "--debug", e), why->text));
        return GP_OK;
    }
    if (e)
        return e == GP_EIO ? cmd_with(why, "--debug", e) : e;
    gp_debug_note(c->endpoint, "work", c->work_text);
    gp_debug_note(c->endpoint, "listen", c->bound[0]);
    if ((e = gp_debug_start(c->endpoint, why)))
        return e;
    if (!c->common.quiet && !strncmp(bound, "unix:", 5))
        cmd_say("debug endpoint: curl --unix-socket %s "
                "http://localhost/debug/pprof/", bound + 5);
    else if (!c->common.quiet)
        cmd_say("debug endpoint on http://%s/debug/pprof/", bound);
    return GP_OK;
}

/* Make the server, listen, and say where. */
static int cmd_serve_listen(struct cmd_serve *c, struct gp_why *why)
{
    struct gp_server_config config = {
        .size = sizeof config, .threads = (unsigned)c->threads,
        .max_streams = (uint32_t)c->max_streams,
        .max_message = (uint32_t)c->max_message,
        .max_buffered = (size_t)c->max_buffered,
        .max_headers = (uint32_t)c->max_headers,
        .max_connections = (uint32_t)c->max_connections,
        .idle_ns = c->idle_ns, .max_age_ns = c->max_age_ns,
        .keepalive_ns = c->keepalive_ns };
    int e;
    sys_raise_files();
    c->greeter.work = c->work;
    snprintf(c->work_text, sizeof c->work_text, "%" PRIu64, c->work);
    if ((e = gp_server_new(&c->server, &config, why)) ||
        (e = svc_greeter_add(c->server, &c->greeter, why)) ||
        (e = gp_server_add_health(c->server, why)) ||
        (c->interop && (e = svc_test_add(c->server, why))))
        return e;
#ifdef SVC_PROTOS
    const struct gp_slice set = { svc_protos, sizeof svc_protos };
    if ((e = gp_server_add_reflection(c->server, set, why)))
        return e;
#endif
    c->sampling.server = c->server;
    if (!c->listen.n)
        c->listen.text[c->listen.n++] = "127.0.0.1:50051";
    for (size_t i = 0; i < c->listen.n; i++)
        if ((e = gp_server_listen(c->server, c->listen.text[i],
                                  &c->bound[i], why)))
            return e == GP_EIO ? cmd_with(why, "-l", e) : e;
    if ((c->profile_ns && (e = cmd_serve_profile(c, why))) ||
        (e = gp_server_start(c->server, why)) ||
        (e = cmd_serve_debug(c, why)))
        return e;
    for (size_t i = 0; i < c->listen.n; i++)
        printf("listening on %s\n", c->bound[i]);
    fflush(stdout);
    return GP_OK;
}

/* grpcprof serve. */
static int cmd_serve_run(const struct cmd_command *cmd)
{
    struct cmd_serve *c = cmd->config;
    struct gp_why why;
    struct sigaction hangup;
    sigset_t ends;
    int got = 0, status = CMD_FAILED;
    if (cmd_serve_clock(c, cmd, &c->sampling) || cmd_serve_files(c, cmd))
        return CMD_USAGE;
    if (c->profile_ns &&
        (sys_write_check(c->out, &why) ||
         (strcmp(c->svg, "none") && sys_write_check(c->svg, &why)))) {
        cmd_say("%s", why.text);
        return CMD_FAILED;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) || hangup.sa_handler != SIG_IGN)
        sigaddset(&ends, SIGHUP);       /* not under nohup */
    sigaddset(&ends, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    int e = cmd_serve_listen(c, &why);
    if (e) {
        cmd_say("%s", why.text);
        status = e == GP_EUSAGE ? CMD_USAGE : CMD_FAILED;
        goto out;
    }
    got = cmd_serve_wait(c, &ends);
    signal(SIGINT, SIG_DFL);            /* a second one ends it at once */
    signal(SIGTERM, SIG_DFL);
    sigdelset(&ends, SIGUSR1);          /* what it asks for comes anyway */
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
    uint64_t cut = gp_server_drain(c->server, c->drain_ns);
    cmd_serve_close(c);
    if (!c->common.quiet)
        cmd_say("%s after %" PRIu64 " calls, %" PRIu64 " cut off",
                got ? strsignal(got) : "done", gp_server_calls(c->server),
                cut);
    status = c->failed ? CMD_FAILED : CMD_OK;
out:
    gp_debug_free(c->endpoint);
    gp_profiler_stop(c->profiler);
    cmd_pending_close(c);
    gp_server_free(c->server);
    return status;
}

/* ---- load ---- */

struct cmd_load {
    struct cmd_common common;           /* first */
    uint64_t clients, requests, total, streams, threads, connections, flying,
             messages, payload_size, per_connection, repeat, profile_hz;
    int64_t duration_ns, timeout_ns, connect_ns, warmup_ns, drain_ns,
            interval_ns, message_ns, keepalive_ns;
    const char *rate, *schedule, *arrival, *connect_rate, *cpus, *start_at,
               *call, *data, *binary, *protoset, *compression, *authority,
               *max_errors, *format, *out, *percentiles, *log, *compare,
               *profile, *profile_out;
    struct cmd_list metadata, label, assert;
    bool no_reconnect, reflection, strict;
    struct cmd_load_parts {             /* what the texts above say */
        struct load_step   step[LOAD_STEPS_MOST];
        struct load_header header[CMD_LIST_MOST];
        unsigned           cpu[LOAD_CPUS_MOST];
        struct rpc_payload *payload;    /* owned */
        struct dsc         d;           /* of the call; or all zero */
        struct dsc_method  method;      /* likewise */
        struct buf         set;         /* d's descriptors */
        struct buf         reply, reply_json;   /* to the first call */
        size_t nstep, nheader, ncpu, npayload, payload_cap;
    } parts;
};

static struct cmd_load cmd_load = { .drain_ns = -1,
                                    .payload_size = UINT64_MAX };

#define CMD_AT(field) offsetof(struct cmd_load, field)
#define CMD_HOUR_NS UINT64_C(3600000000000)
#define CMD_PERCENTILES "50,75,90,95,99,99.9,99.99"

static const struct cmd_option cmd_load_options[] = {
    { 'c', "clients", "N", "1", "concurrent clients",
      CMD_UINT, CMD_AT(clients), 1, LOAD_CLIENTS_MOST },
    { 'n', "requests", "N", "(200; none with -d)", "requests of each client",
      CMD_UINT, CMD_AT(requests), 1, UINT32_MAX },
    { 'N', "total", "N", NULL, "requests in all, spread evenly; not with -n",
      CMD_UINT, CMD_AT(total), 1, UINT64_C(1) << 48 },
    { 'd', "duration", "DUR", NULL, "with -n or -N: whichever ends first",
      CMD_DURATION, CMD_AT(duration_ns), 1000000, 24 * CMD_HOUR_NS },
    { 'm', "streams", "N", "(1; with --rate 100)", "calls in flight, each "
      "client; with --rate, each connection",
      CMD_UINT, CMD_AT(streams), 1, LOAD_STREAMS_MOST },
    { 'r', "rate", "R[/s|/m]", "(closed loop)", "calls a second, begun at "
      "their time whatever became of the others",
      CMD_TEXT, CMD_AT(rate), 0, 0 },
    { 0, "schedule", "SPEC", NULL, "rates in turn: 100:10s,200:10s steps, "
      "100-1000:60s a ramp", CMD_TEXT, CMD_AT(schedule), 0, 0 },
    { 0, "arrival", "NAME", "uniform", "with --rate: uniform, poisson",
      CMD_TEXT, CMD_AT(arrival), 0, 0 },
    { 0, "max-in-flight", "N", "10000", "with --rate: what goes beyond is not "
      "sent", CMD_UINT, CMD_AT(flying), 1, 10000000 },
    { 0, "connections", "N", "(one for each client)", "shared by the clients",
      CMD_UINT, CMD_AT(connections), 1, LOAD_CLIENTS_MOST },
    { 0, "connect-rate", "N[/s|/m]", "(all at once)", "connections opened a "
      "second", CMD_TEXT, CMD_AT(connect_rate), 0, 0 },
    { 0, "connect-timeout", "DUR", "5s", "until the server's SETTINGS",
      CMD_DURATION, CMD_AT(connect_ns), 1000000, CMD_HOUR_NS },
    { 'w', "warmup", "DUR", "0s", "send so long before measuring",
      CMD_DURATION, CMD_AT(warmup_ns), 0, CMD_HOUR_NS },
    { 0, "drain", "DUR", "(--timeout)", "at the end, wait so long",
      CMD_DURATION, CMD_AT(drain_ns), 0, CMD_HOUR_NS },
    { 0, "repeat", "K", "1", "runs, one after the other: their results "
      "together, and how they differ",
      CMD_UINT, CMD_AT(repeat), 1, LOAD_RUNS_MOST },
    { 0, "start-at", "TIME", "(now)", "begin then: Unix seconds, or "
      "2026-11-25T12:00:00Z", CMD_TEXT, CMD_AT(start_at), 0, 0 },
    { 't', "threads", "N", "(by the usable CPUs)", "event loops",
      CMD_UINT, CMD_AT(threads), 1, LOAD_THREADS_MOST },
    { 0, "cpus", "LIST", NULL, "pin the threads to these, as in 0,2-3",
      CMD_TEXT, CMD_AT(cpus), 0, 0 },
    { 0, "call", "SVC/METHOD", "helloworld.Greeter/SayHello", "what to call",
      CMD_TEXT, CMD_AT(call), 0, 0 },
    { 0, "data", "JSON", "({\"name\":\"world\"}, or {})", "the message, or "
      "@FILE, @-; an array: in turn, or the messages of a stream",
      CMD_TEXT, CMD_AT(data), 0, 0 },
    { 0, "protoset", "FILE", NULL, "a FileDescriptorSet that has the call, by "
      "protoc --include_imports -o", CMD_TEXT, CMD_AT(protoset), 0, 0 },
    { 0, "reflection", NULL, NULL, "ask the server for the descriptors, also "
      "where they are built in", CMD_FLAG, CMD_AT(reflection), 0, 0 },
    { 'b', "binary", "FILE", NULL, "the message, as it goes over the wire",
      CMD_TEXT, CMD_AT(binary), 0, 0 },
    { 0, "payload-size", "SIZE", NULL, "a message of so many bytes: field 1",
      CMD_BYTES, CMD_AT(payload_size), 0, 64 << 20 },
    { 'H', "metadata", "'K: V'", NULL, "a header of each call; base64 for a "
      "key in -bin; {{seq}} {{client}} {{rand}} {{uuid}} are filled in",
      CMD_LIST, CMD_AT(metadata), 0, 0 },
    { 0, "authority", "NAME", "(the target)", ":authority of each call",
      CMD_TEXT, CMD_AT(authority), 0, 0 },
    { 0, "timeout", "DUR", "20s", "of a call: grpc-timeout, enforced here too",
      CMD_DURATION, CMD_AT(timeout_ns), 1000, CMD_HOUR_NS },
    { 0, "compression", "NAME", "identity", "identity, gzip",
      CMD_TEXT, CMD_AT(compression), 0, 0 },
    { 0, "messages", "N", "1", "messages that a streaming call sends",
      CMD_UINT, CMD_AT(messages), 1, 1000000 },
    { 0, "message-interval", "DUR", "0s", "time between them",
      CMD_DURATION, CMD_AT(message_ns), 0, CMD_HOUR_NS },
    { 0, "keepalive", "DUR", "(off)", "PING every so often",
      CMD_DURATION, CMD_AT(keepalive_ns), 100000000, CMD_HOUR_NS },
    { 0, "max-requests-per-connection", "N", "(any)", "then another connection",
      CMD_UINT, CMD_AT(per_connection), 1, UINT64_C(1) << 30 },
    { 0, "no-reconnect", NULL, NULL, "a lost connection stays lost",
      CMD_FLAG, CMD_AT(no_reconnect), 0, 0 },
    { 'f', "format", "NAME", "(text, or by --out's ending)", "text, json, csv, "
      "html, prometheus, hgrm", CMD_TEXT, CMD_AT(format), 0, 0 },
    { 'o', "out", "FILE", "(stdout)", "where the result goes; -: stdout",
      CMD_TEXT, CMD_AT(out), 0, 0 },
    { 'p', "percentiles", "LIST", CMD_PERCENTILES, "of the latency table",
      CMD_TEXT, CMD_AT(percentiles), 0, 0 },
    { 0, "interval", "DUR", "1s", "of the time series",
      CMD_DURATION, CMD_AT(interval_ns), 1000000, CMD_HOUR_NS },
    { 0, "log-requests", "FILE", NULL, "a line for each call",
      CMD_TEXT, CMD_AT(log), 0, 0 },
    { 0, "label", "K=V", NULL, "kept in the result",
      CMD_LIST, CMD_AT(label), 0, 0 },
    { 0, "assert", "EXPR", NULL, "exit 4 unless it holds: p99<5ms, rps>1000, "
      "errors<1%", CMD_LIST, CMD_AT(assert), 0, 0 },
    { 0, "compare", "OLD.json", NULL, "show the difference to an older result",
      CMD_TEXT, CMD_AT(compare), 0, 0 },
    { 0, "max-errors", "N|P%", "0", "failed calls that are still no exit 3",
      CMD_TEXT, CMD_AT(max_errors), 0, 0 },
    { 0, "profile", "URL", NULL, "take the server's CPU profile of the time "
      "measured, and divide it by the calls; of the debug endpoint at URL or "
      "127.0.0.1:6060", CMD_OPTIONAL, CMD_AT(profile), 0, 0 },
    { 0, "profile-out", "FILE", "profile.pb", "where that profile goes",
      CMD_TEXT, CMD_AT(profile_out), 0, 0 },
    { 0, "profile-hz", "N", "1000", "samples a second of CPU time",
      CMD_UINT, CMD_AT(profile_hz), 1, SMP_MOST_HZ },
    { 0, "strict", NULL, NULL, "exit 5 when the client was the limit",
      CMD_FLAG, CMD_AT(strict), 0, 0 },
    CMD_COMMON(struct cmd_load),
};

/* SIGINT and SIGTERM: the run is to end; a second one ends it at once. */
static void cmd_stop_sig(int signo)
{
    if (atomic_exchange(&cmd_signal, signo))
        _exit(128 + signo);
}

/* Redraw the progress line; load_run's callback. */
static void cmd_load_progress(void *arg, uint64_t ok, uint64_t failed,
                              int64_t elapsed_ns)
{
    const struct load_config *c = arg;
    double s = (double)elapsed_ns / 1e9, left = -1;
    uint64_t done = ok + failed, all = c->total ? c->total :
                                       c->clients * c->requests_per_client;
    if (all && done)
        left = s * (double)(all - done) / (double)done;
    if (c->duration_ns) {
        double end = (double)(c->duration_ns - elapsed_ns) / 1e9;
        left = left < 0 || end < left ? end : left;
    }
    fprintf(stderr, "\r%" PRIu64 " done, %.0f/s, %" PRIu64 " failed",
            done, s > 0 ? (double)done / s : 0.0, failed);
    if (left >= 0)
        fprintf(stderr, ", %.0f s left", left);
    fputs("   ", stderr);
    fflush(stderr);
}

/* Read --max-errors, "N" or "P%", into to. */
static bool cmd_load_errors(const char *text, struct load_config *to)
{
    size_t n = strlen(text);
    to->max_error_share = -1;
    if (n == 0 || text[n - 1] != '%')
        return !txt_number(text, 0, UINT64_MAX, &to->max_errors);
    double percent = txt_finite((struct slice){ text, n - 1 });
    to->max_error_share = percent / 100;
    return percent >= 0 && percent <= 100;
}

/* Read a rate, "R", "R/s" or "R/m", as calls a second; false: it is none. */
static bool cmd_load_rate(struct slice text, double *rate)
{
    double scale = 1;
    if (text.n > 2 && text.p[text.n - 2] == '/') {
        char unit = text.p[text.n - 1];
        scale = unit == 's' ? 1 : unit == 'm' ? 1.0 / 60 : 0;
        text.n -= 2;
    }
    *rate = txt_finite(text) * scale;
    return *rate >= 0 && *rate <= 1e9 && scale > 0;
}

/* Read one step of a schedule, "R:DUR" or "R-R:DUR". */
static bool cmd_load_step(struct slice text, struct load_step *step)
{
    char word[32];
    const char *colon = memchr(text.p, ':', text.n);
    size_t n = colon ? (size_t)(colon - text.p) : 0, m = text.n - n;
    if (!n || m < 2 || m > sizeof word)
        return false;
    memcpy(word, colon + 1, m - 1);
    word[m - 1] = 0;
    const char *dash = memchr(text.p, '-', n);
    size_t first = dash ? (size_t)(dash - text.p) : n;
    return cmd_load_rate((struct slice){ text.p, first }, &step->from) &&
           cmd_load_rate(dash ? (struct slice){ dash + 1, n - first - 1 }
                              : (struct slice){ text.p, n }, &step->to) &&
           !txt_duration(word, &step->ns) && step->ns > 0;
}

/* The next piece of a list with commas, out of *rest; false at its end. */
static bool cmd_next_piece(struct slice *rest, struct slice *piece)
{
    if (!rest->p)
        return false;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    *piece = (struct slice){ rest->p, n };
    *rest = comma ? (struct slice){ comma + 1, rest->n - n - 1 }
                  : (struct slice){0};
    return true;
}

/* Read --rate or --schedule into c's steps. */
static int cmd_load_steps(struct cmd_load *c, const struct cmd_command *cmd)
{
    struct cmd_load_parts *p = &c->parts;
    struct slice rest = txt_slice(c->schedule ? c->schedule : ""), piece;
    if (c->rate && c->schedule)
        return cmd_misuse(cmd, "--rate is one rate, --schedule several: not "
                          "both");
    if (c->rate) {
        if (!cmd_load_rate(txt_slice(c->rate), &p->step[0].from) ||
            !(p->step[0].from > 0))
            return cmd_misuse(cmd, "--rate '%s': takes calls a second, as in "
                              "1000, 1000/s or 600/m", c->rate);
        p->step[0].to = p->step[0].from;
        p->nstep = 1;
    }
    while (c->schedule && cmd_next_piece(&rest, &piece)) {
        if (p->nstep == LOAD_STEPS_MOST)
            return cmd_misuse(cmd, "--schedule: more than %d steps",
                              LOAD_STEPS_MOST);
        if (!cmd_load_step(piece, &p->step[p->nstep++]))
            return cmd_misuse(cmd, "--schedule '%s': takes steps such as "
                              "100:10s,200:10s and ramps such as 100-1000:60s",
                              c->schedule);
    }
    if (strcmp(c->arrival, "uniform") && strcmp(c->arrival, "poisson"))
        return cmd_misuse(cmd, "--arrival '%s': takes uniform or poisson",
                          c->arrival);
    return CMD_OK;
}

/* Read --cpus, as in "0,2-3". */
static int cmd_load_cpus(struct cmd_load *c, const struct cmd_command *cmd)
{
    struct cmd_load_parts *p = &c->parts;
    struct slice rest = txt_slice(c->cpus ? c->cpus : ""), piece;
    cpu_set_t usable;
    CPU_ZERO(&usable);
    (void)sched_getaffinity(0, sizeof usable, &usable);
    while (c->cpus && cmd_next_piece(&rest, &piece)) {
        char word[24] = "";
        uint64_t from, to;
        if (piece.n < sizeof word)
            memcpy(word, piece.p, piece.n);
        char *dash = strchr(word, '-');
        if (dash)
            *dash = 0;
        if (txt_number(word, 0, CPU_SETSIZE - 1, &from) ||
            txt_number(dash ? dash + 1 : word, from, CPU_SETSIZE - 1, &to))
            return cmd_misuse(cmd, "--cpus '%s': takes numbers of CPUs, as in "
                              "0,2-3", c->cpus);
        for (uint64_t i = from; i <= to; i++) {
            if (!CPU_ISSET(i, &usable))
                return cmd_misuse(cmd, "--cpus: CPU %" PRIu64 " is not to be "
                                  "used by this process", i);
            if (p->ncpu < LOAD_CPUS_MOST)
                p->cpu[p->ncpu++] = (unsigned)i;
        }
    }
    return CMD_OK;
}

/* Read --metadata, "key: value", into c's headers. */
static int cmd_load_metadata(struct cmd_load *c, const struct cmd_command *cmd)
{
    struct buf raw = {0};
    for (size_t i = 0; i < c->metadata.n; i++) {
        const char *text = c->metadata.text[i], *colon = strchr(text, ':');
        if (!colon)
            return cmd_misuse(cmd, "--metadata '%s': takes 'key: value'", text);
        struct slice key = { text, (size_t)(colon - text) };
        struct slice value = txt_slice(colon + 1 + strspn(colon + 1, " "));
        bool good = rpc_meta_name(key) && strncmp(text, "te:", 3) &&
                    strncmp(text, "content-type:", 13);
        if (!good)
            return cmd_misuse(cmd, "--metadata '%s': a key has lower-case "
                              "letters, digits and _ - . and is not one of "
                              "gRPC's own", text);
        for (size_t k = 0; k < value.n; k++)
            good = good && value.p[k] >= 0x20 && value.p[k] <= 0x7e;
        if (rpc_meta_binary(key) && !memmem(value.p, value.n, "{{", 2))
            good = good && txt_put_unbase64(&raw, value);
        mem_fini(&raw);
        raw = (struct buf){0};
        if (!good)
            return cmd_misuse(cmd, "--metadata '%s': the value is not %s", text,
                              rpc_meta_binary(key) ? "base64"
                                                   : "printable ASCII");
        c->parts.header[c->parts.nheader++] =
            (struct load_header){ key, value };
    }
    return CMD_OK;
}

/* ---- load: what is sent ---- */

/* Read the bytes that an option names, FILE or -, into b. */
static int cmd_load_file(const char *path, struct buf *b)
{
    struct gp_why why;
    int e = strcmp(path, "-") ? sys_read_file(path, LOAD_MESSAGE_MOST, b, &why)
          : sys_read_fd(STDIN_FILENO, "standard input", LOAD_MESSAGE_MOST, b,
                        &why);
    if (e)
        cmd_say("%s", why.text);
    return e ? CMD_FAILED : CMD_OK;
}

/* A message of exactly n bytes that is valid protobuf: field 1, of any length,
 * behind a varint field where one length would not come out even. */
static int cmd_load_filler(struct buf *b, size_t n)
{
    size_t head = n < 130 ? 2 : n < 16387 ? 3 : n < 2097156 ? 4 : 5;
    if (n == 130 || n == 16387 || n == 2097156) {
        mem_put(b, "\x78", 2);          /* field 15: 0 */
        n -= 2;
        head = n < 130 ? 2 : n < 16387 ? 3 : 4;
    }
    if (n < head)
        return b->err;
    pb_put_varint(b, 1 << 3 | PB_BYTES);
    pb_put_varint(b, n - head);
    uint8_t *p = mem_reserve(b, n - head + 1);
    if (p) {
        memset(p, 'x', n - head);
        b->len += n - head;
    }
    return b->err;
}

/* Find c's method: in --protoset, among our own, or by asking the server;
 * *set has the descriptors then, *m the method.  Without descriptors that
 * are at hand a raw message needs none: *m stays zero. */
static int cmd_load_method(const struct cmd_load *c, struct buf *set,
                           struct dsc *d, struct dsc_method *m)
{
    char path[512];
    struct gp_why why;
    bool raw = c->binary || c->payload_size != UINT64_MAX;
    int e = load_path(c->call, path, sizeof path, &why);
    if (!e && c->protoset) {
        if (cmd_load_file(c->protoset, set))
            return CMD_FAILED;
    } else if (!e && !c->reflection) {
#ifdef SVC_PROTOS
        mem_put(set, svc_protos, sizeof svc_protos);
#endif
        e = set->err ? set->err : dsc_init(d, (struct slice){
                (const char *)set->data, set->len }, &why);
        if (!e && !dsc_find_method(d, path + 1, m, &why))
            return CMD_OK;
        dsc_fini(d);
        set->len = 0;
        if (raw)
            return CMD_OK;
    }
    const char *slash = strrchr(path, '/');
    if (!e && !c->protoset)
        e = load_reflect(c->common.rest.text[0], (struct slice){ path + 1,
                         (size_t)(slash - path) - 1 }, set, &why);
    e = e ? e : set->err ? set->err : dsc_init(d, (struct slice){
            (const char *)set->data, set->len }, &why);
    e = e ? e : dsc_find_method(d, path + 1, m, &why);
    if (e)
        cmd_say("%s%s", why.text, e == GP_EIO ? "; --protoset FILE, or -b "
                "FILE, does without" : "");
    return !e ? CMD_OK : e == GP_EUSAGE ? CMD_USAGE : CMD_FAILED;
}

/* Room for one more payload of c's, or NULL. */
static struct rpc_payload *cmd_load_payload(struct cmd_load *c)
{
    struct cmd_load_parts *p = &c->parts;
    struct rpc_payload *v = mem_grow(p->payload, &p->payload_cap,
                                     p->npayload + 1, sizeof *v);
    if (!v)
        return NULL;
    p->payload = v;
    v[p->npayload] = (struct rpc_payload){0};
    return &v[p->npayload++];
}

/* Add the message that v is, by its descriptor, to p. */
static int cmd_load_message(const struct cmd_load *c, const struct dsc *d,
                            const struct dsc_method *m,
                            const struct js_value *v, struct rpc_payload *p)
{
    struct buf message = {0};
    struct gp_why why;
    int e = p ? dsc_encode(d, m->input, v, &message, &why)
              : txt_fail(&why, GP_ENOMEM, "out of memory");
    if (!e && rpc_payload_add(p, (struct slice){ (const char *)message.data,
                                  message.len }, !strcmp(c->compression,
                                                         "gzip")))
        e = txt_fail(&why, GP_ENOMEM, "out of memory");
    mem_fini(&message);
    if (e)
        cmd_say("--data: %s", why.text);
    return e ? CMD_FAILED : CMD_OK;
}

/* Add the messages of one call that v is: one, or, where many, a list of
 * them. */
static int cmd_load_call(struct cmd_load *c, const struct dsc *d,
                         const struct dsc_method *m, const struct js_value *v)
{
    struct rpc_payload *p = cmd_load_payload(c);
    struct js_members list = js_members(v);
    struct slice key;
    struct js_value x;
    int status = CMD_OK;
    if (v->kind != JS_ARRAY)
        return cmd_load_message(c, d, m, v, p);
    while (!status && js_next_member(&list, &key, &x))
        status = cmd_load_message(c, d, m, &x, p);
    return status;
}

/* Make payloads of --data: an object is a call's message; an array is calls in
 * turn, or, where a call has many messages, one call's messages, or calls that
 * are arrays of them. */
static int cmd_load_json(struct cmd_load *c, const struct dsc *d,
                         const struct dsc_method *m)
{
    const char *text = c->data ? c->data
                     : strstr(c->call, "helloworld.Greeter")
                     ? "{\"name\":\"world\"}" : "{}";
    struct buf b = {0};
    struct js_value v, x;
    struct gp_why why;
    struct slice key;
    if (*text == '@' && cmd_load_file(text + 1, &b))
        return CMD_FAILED;
    struct slice all = { (const char *)b.data, b.len };
    int status = CMD_OK;
    if (js_read(*text == '@' ? all : txt_slice(text), &v, &why)) {
        cmd_say("--data: %s", why.text);
        status = CMD_USAGE;
        v = (struct js_value){0};
    }
    struct js_members list = js_members(&v);
    struct js_members look = list;
    bool nested = js_next_member(&look, &key, &x) && x.kind == JS_ARRAY;
    if (!status && (v.kind != JS_ARRAY || (m->client_streams && !nested)))
        status = cmd_load_call(c, d, m, &v);
    else
        while (!status && js_next_member(&list, &key, &x))
            status = cmd_load_call(c, d, m, &x);
    mem_fini(&b);
    return status;
}

/* Make the payload of --binary or --payload-size. */
static int cmd_load_raw(struct cmd_load *c)
{
    struct buf message = {0};
    struct rpc_payload *p = cmd_load_payload(c);
    int e = p ? GP_OK : GP_ENOMEM;
    if (c->binary && cmd_load_file(c->binary, &message))
        return CMD_FAILED;
    if (!e && !c->binary)
        e = cmd_load_filler(&message, (size_t)c->payload_size);
    if (!e)
        e = rpc_payload_add(p, (struct slice){ (const char *)message.data,
                            message.len }, !strcmp(c->compression, "gzip"));
    mem_fini(&message);
    if (e)
        cmd_say("out of memory");
    return e ? CMD_FAILED : CMD_OK;
}

/* Let each call of c have n messages: its own, again and again. */
static int cmd_load_repeat(struct cmd_load *c, uint64_t n)
{
    for (size_t i = 0; i < c->parts.npayload; i++) {
        struct rpc_payload *p = &c->parts.payload[i];
        size_t from = 0;
        if (!p->n)
            continue;
        while (p->n < n) {
            size_t bytes = rpc_payload_next(p, p->frames.data + from);
            uint8_t *to = mem_reserve(&p->frames, bytes);
            if (!to) {
                cmd_say("out of memory for %" PRIu64 " messages", n);
                return CMD_FAILED;
            }
            memcpy(to, p->frames.data + from, bytes);
            p->frames.len += bytes;
            p->n++;
            from += bytes;
        }
    }
    return CMD_OK;
}

/* Make what c's calls send, and see what kind they are. */
static int cmd_load_payloads(struct cmd_load *c, const struct cmd_command *cmd,
                             enum gp_kind *kind)
{
    struct dsc_method *m = &c->parts.method;
    bool raw = c->binary || c->payload_size != UINT64_MAX;
    if (strcmp(c->compression, "gzip") && strcmp(c->compression, "identity"))
        return cmd_misuse(cmd, "--compression '%s': takes identity or gzip",
                          c->compression);
    if ((c->binary != NULL) + (c->payload_size != UINT64_MAX) +
        (c->data != NULL) > 1)
        return cmd_misuse(cmd, "--data, --binary and --payload-size: one of "
                          "them");
    if (c->payload_size == 1)
        return cmd_misuse(cmd, "--payload-size 1: no message has one byte");
    if (c->protoset && c->reflection)
        return cmd_misuse(cmd, "--protoset and --reflection: not both");
    int status = cmd_load_method(c, &c->parts.set, &c->parts.d, m);
    if (!status)
        status = raw ? cmd_load_raw(c) : cmd_load_json(c, &c->parts.d, m);
    bool many = m->client_streams || (!m->input && c->messages > 1);
    *kind = many ? m->server_streams || !m->input ? GP_BIDI : GP_CLIENT_STREAM
                 : m->server_streams ? GP_SERVER_STREAM : GP_UNARY;
    if (!status && c->messages > 1 && !many)
        status = cmd_misuse(cmd, "--messages: %s takes one message a call",
                            c->call);
    if (!status && many)
        status = cmd_load_repeat(c, c->messages);
    return status;
}

/* Release what cmd_load_plan made. */
static void cmd_load_release(struct cmd_load *c)
{
    for (size_t i = 0; c->parts.payload && i < c->parts.npayload; i++)
        rpc_payload_fini(&c->parts.payload[i]);
    mem_free(c->parts.payload);
    dsc_fini(&c->parts.d);
    mem_fini(&c->parts.set);
    mem_fini(&c->parts.reply);
    mem_fini(&c->parts.reply_json);
    c->parts = (struct cmd_load_parts){0};
}

/* Read a time, Unix seconds or as RFC 3339 in UTC, into ns; false: it is
 * none. */
static bool cmd_load_time(const char *text, int64_t *ns)
{
    struct tm t = {0};
    double s = txt_finite(txt_slice(text));
    if (s > 0 && s < 9e9) {
        *ns = (int64_t)(s * 1e9);
        return true;
    }
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
    *ns = end ? (int64_t)timegm(&t) * 1000000000 : 0;
    return end && !strcmp(end, "Z") && *ns > 0;
}

/* The run that c asks for; a status after saying what is wrong with it. */
static int cmd_load_plan(struct cmd_load *c, const struct cmd_command *cmd,
                         struct load_config *to)
{
    double connect_rate = 0;
    enum gp_kind kind = GP_UNARY;
    if (c->requests && c->total)
        return cmd_misuse(cmd, "-n is per client and -N in all: not both");
    if (!c->common.rest.n)
        c->common.rest.text[c->common.rest.n++] = "127.0.0.1:50051";
    if (!c->requests && !c->total && !c->duration_ns && !c->schedule)
        c->requests = 200;
    if (c->connect_rate && (!cmd_load_rate(txt_slice(c->connect_rate),
                                           &connect_rate) ||
                            !(connect_rate > 0)))
        return cmd_misuse(cmd, "--connect-rate '%s': takes connections a "
                          "second", c->connect_rate);
    int status = cmd_load_steps(c, cmd);
    status = status ? status : cmd_load_cpus(c, cmd);
    status = status ? status : cmd_load_metadata(c, cmd);
    status = status ? status : cmd_load_payloads(c, cmd, &kind);
    if (status)
        return status;
    int64_t start_ns = 0;
    if (c->start_at && !cmd_load_time(c->start_at, &start_ns))
        return cmd_misuse(cmd, "--start-at '%s': takes Unix seconds or a time "
                          "such as 2026-11-25T12:00:00Z", c->start_at);
    *to = (struct load_config){
        .target = c->common.rest.text, .ntarget = c->common.rest.n,
        .call = c->call, .kind = kind, .payload = c->parts.payload,
        .npayload = c->parts.npayload, .header = c->parts.header,
        .nheader = c->parts.nheader, .authority = c->authority,
        .gzip = !strcmp(c->compression, "gzip"), .clients = c->clients,
        .connections = c->connections, .requests_per_client = c->requests,
        .total = c->total, .duration_ns = c->duration_ns,
        .streams = c->streams, .step = c->parts.step,
        .nstep = c->parts.nstep, .poisson = !strcmp(c->arrival, "poisson"),
        .max_in_flight = c->flying, .connect_rate = connect_rate,
        .message_interval_ns = c->message_ns,
        .threads = (unsigned)c->threads, .cpu = c->parts.cpu,
        .ncpu = c->parts.ncpu, .timeout_ns = c->timeout_ns,
        .connect_timeout_ns = c->connect_ns, .keepalive_ns = c->keepalive_ns,
        .requests_per_connection = c->per_connection,
        .start_unix_ns = start_ns, .warmup_ns = c->warmup_ns,
        .interval_ns = c->interval_ns,
        .drain_ns = c->drain_ns >= 0 ? c->drain_ns : c->timeout_ns,
        .no_reconnect = c->no_reconnect, .stop = &cmd_signal,
        .reply = c->parts.method.output && strcmp(c->compression, "gzip") ?
                 &c->parts.reply : NULL,
    };
    if (!cmd_load_errors(c->max_errors, to))
        return cmd_misuse(cmd, "--max-errors '%s': takes a number of calls, "
                          "or a percentage such as 1%%", c->max_errors);
    return CMD_OK;
}

/* ---- load: its result ---- */

enum cmd_load_format { CMD_LOAD_TEXT, CMD_LOAD_JSON, CMD_LOAD_CSV,
                       CMD_LOAD_HTML, CMD_LOAD_PROMETHEUS, CMD_LOAD_HGRM,
                       CMD_LOAD_FORMATS };

/* Names of the formats, and the endings of files that have them. */
static const char *const cmd_load_formats[CMD_LOAD_FORMATS][2] = {
    { "text", ".txt" }, { "json", ".json" }, { "csv", ".csv" },
    { "html", ".html" }, { "prometheus", ".prom" }, { "hgrm", ".hgrm" },
};

/* The format asked for, by -f or --out's ending; -1 after saying what is
 * wrong. */
static int cmd_load_format(const struct cmd_load *c,
                           const struct cmd_command *cmd)
{
    const char *dot = c->out ? strrchr(c->out, '.') : NULL;
    for (int i = 0; i < CMD_LOAD_FORMATS; i++)
        if (c->format ? !strcmp(c->format, cmd_load_formats[i][0])
                      : dot && !strcmp(dot, cmd_load_formats[i][1]))
            return i;
    if (!c->format)
        return CMD_LOAD_TEXT;
    cmd_misuse(cmd, "--format '%s': takes text, json, csv, html, prometheus or "
               "hgrm", c->format);
    return -1;
}

/* Append t in a format. */
static void cmd_load_put(struct buf *b, int format, const struct load_report *t,
                         bool color)
{
    switch (format) {
    case CMD_LOAD_JSON: out_load_json(b, t); break;
    case CMD_LOAD_CSV: out_load_csv(b, t); break;
    case CMD_LOAD_HTML: out_load_html(b, t); break;
    case CMD_LOAD_PROMETHEUS: out_load_prometheus(b, t); break;
    case CMD_LOAD_HGRM: hdr_put_hgrm(&t->result->latency, b); break;
    default: out_load_text(b, t, color);
    }
}

/* What load and report have of results before they are written. */
struct cmd_result {
    struct load_report report;
    double percent[CMD_PERCENTS_MOST];
    struct load_assert assert[CMD_LIST_MOST];
    struct load_saved old;              /* of --compare */
    bool   compare;
};

/* Read --percentiles and --assert into to, and see whether they can be read. */
static int cmd_result_init(struct cmd_result *to, const struct cmd_load *c,
                           const struct cmd_command *cmd)
{
    struct load_result none = {0};
    struct load_report *t = &to->report;
    struct slice rest = txt_slice(c->percentiles), piece;
    struct gp_why why;
    t->percent = to->percent;
    t->assert = to->assert;
    t->label = c->label.text;
    t->nlabel = c->label.n;
    while (cmd_next_piece(&rest, &piece)) {
        double v = txt_finite(piece);
        if (!(v >= 0 && v <= 100) || t->npercent == CMD_PERCENTS_MOST)
            return cmd_misuse(cmd, "--percentiles '%s': takes at most %d "
                              "numbers up to 100, as in 50,99,99.9",
                              c->percentiles, CMD_PERCENTS_MOST);
        to->percent[t->npercent++] = v;
    }
    t->result = &none;
    for (size_t i = 0; i < c->assert.n; i++) {
        to->assert[i].text = c->assert.text[i];
        if (load_assert(t, &to->assert[i], &why))
            return cmd_misuse(cmd, "--assert %s", why.text);
    }
    t->result = NULL;
    t->nassert = c->assert.n;
    for (size_t i = 0; i < c->label.n; i++)
        if (!strchr(c->label.text[i], '='))
            return cmd_misuse(cmd, "--label '%s': takes KEY=VALUE",
                              c->label.text[i]);
    return CMD_OK;
}

/* Read a result in JSON from the file path into *s. */
static int cmd_result_read(const char *path, struct load_saved *s)
{
    struct buf b = {0};
    struct gp_why why = {{0}};
    *s = (struct load_saved){0};
    int e = sys_read_file(path, CMD_RESULT_MOST, &b, &why);
    if (e)
        cmd_say("%s", why.text);
    else if ((e = load_read(s, (struct slice){ (const char *)b.data, b.len },
                            &why)))
        cmd_say("%s: %s", path, why.text);
    mem_fini(&b);
    return e ? CMD_FAILED : CMD_OK;
}

/* What the program ends with for t: failed calls, then assertions, then a
 * measurement that is none. */
static int cmd_result_exit(const struct load_report *t, bool strict)
{
    if (load_exceeds(t->config, t->result))
        return CMD_ERRORS;
    for (size_t i = 0; i < t->nassert; i++)
        if (!t->assert[i].pass)
            return CMD_ASSERT;
    return strict && t->verdict.limit == LOAD_BY_CLIENT ? CMD_INVALID : CMD_OK;
}

/* Print or write what b has and to; returns the exit status. */
static int cmd_result_write(const struct cmd_load *c, int format,
                            struct buf *b, struct cmd_result *to)
{
    struct load_report *t = &to->report;
    struct gp_why why;
    bool file = c->out && strcmp(c->out, "-") != 0;
    int signo = t->result->ended == LOAD_SIGNAL ? atomic_load(&cmd_signal) : 0;
    t->verdict = load_judge(t->config, t->result);
    for (size_t i = 0; i < t->nassert; i++)
        (void)load_assert(t, &t->assert[i], &why);
    t->exit = signo ? 128 + signo : cmd_result_exit(t, c->strict);
    cmd_load_put(b, format, t, !file && cmd_color(&c->common, STDOUT_FILENO));
    if (to->compare && format == CMD_LOAD_TEXT)
        out_load_compare(b, t, &to->old.result);
    if (!file)
        return cmd_print(b) ? CMD_FAILED : t->exit;
    if (b->err || sys_write_file(c->out, b->data, b->len, &why)) {
        cmd_say("%s", b->err ? "out of memory" : why.text);
        return CMD_FAILED;
    }
    cmd_wrote(c->out, cmd_load_formats[format][0]);
    return t->exit;
}

/* Say what is about to be done: on stdout as the head of the text result,
 * else on stderr.  b is empty afterwards, or holds the head of a file. */
static int cmd_load_announce(const struct cmd_load *c, int format,
                             struct buf *b, const struct load_config *plan)
{
    bool file = c->out && strcmp(c->out, "-") != 0;
    bool text = format == CMD_LOAD_TEXT;
    int status = CMD_OK;
    out_load_plan(b, plan);
    if (text && !file)
        status = cmd_print(b);
    else if (!c->common.quiet)
        fwrite(b->data, 1, b->len, stderr);
    if (!text || !file)
        b->len = 0;
    return status;
}

/* Make ready to take the server's profile with plan; a status after saying what
 * is wrong. */
static int cmd_load_profiler(const struct cmd_load *c,
                             const struct cmd_command *cmd,
                             struct load_config *plan, struct load_profiler *p)
{
    struct gp_why why;
    int64_t ns = load_schedule_ns(plan);
    if (!c->profile)
        return CMD_OK;
    if (c->repeat > 1)
        return cmd_misuse(cmd, "--profile is of one run, --repeat of several: "
                          "not both");
    *p = (struct load_profiler){ .hz = (unsigned)c->profile_hz,
        .base = *c->profile ? c->profile : GP_DEBUG_ADDRESS };
    ns = plan->duration_ns && (!ns || plan->duration_ns < ns)
       ? plan->duration_ns : ns;
    p->seconds = ns / 1000000000;
    int e = load_profiler_check(p, plan, &why);
    if (e) {
        cmd_say("%s%s", why.text, e == GP_EIO ? "; --profile wants the "
                "server's debug endpoint" : "");
        return e == GP_EUSAGE ? CMD_USAGE : CMD_FAILED;
    }
    if (!p->ours && p->seconds < 1)
        return cmd_misuse(cmd, "--profile: the endpoint at %s takes a window "
                          "of whole seconds only: give -d 1s or more", p->base);
    if (sys_write_check(c->profile_out, &why)) {
        cmd_say("%s", why.text);
        return CMD_FAILED;
    }
    plan->profiler = p;
    return CMD_OK;
}

/* Write the profile that p took, and analyse it into a, which lives as long as
 * pp; false when there is none, after saying why. */
static bool cmd_load_profiled(const struct cmd_load *c, struct load_profiler *p,
                              struct pp *pp, struct anl *a,
                              struct load_profile *out)
{
    struct gp_why why = p->why;
    struct anl_config config = { .calls = (double)p->calls };
    int e = p->error ? p->error
          : sys_write_file(c->profile_out, p->file.data, p->file.len, &why);
    if (!e && !(e = pp_read(pp, &p->file, p->base, PP_MOST_BYTES, &why)))
        e = anl_run(pp, &config, a, &why);
    if (e) {
        cmd_say("no profile of the server: %s", why.text);
        return false;
    }
    if (!c->common.quiet)
        cmd_wrote(c->profile_out, "pprof");
    *out = (struct load_profile){ .anl = a, .file = c->profile_out,
                                  .seconds = (double)pp->duration_ns / 1e9 };
    return true;
}

/* Run plan as often as c asks; *r is all runs together, run[] each. */
static int cmd_load_repeat_runs(const struct cmd_load *c,
                                const struct load_config *plan,
                                struct load_result *r, struct load_spread *run,
                                struct gp_why *why)
{
    struct load_result one;
    for (uint64_t i = 0; i < c->repeat && !atomic_load(&cmd_signal); i++) {
        int e = load_run(plan, &one, why);
        if (e)
            return e;
        double s = (double)one.elapsed_ns / 1e9;
        run[i] = (struct load_spread){
            .rps = s > 0 ? (double)one.ok / s : 0,
            .p50 = hdr_percentile(&one.latency, 50),
            .p99 = hdr_percentile(&one.latency, 99) };
        load_result_append(r, &one);
    }
    return GP_OK;
}

/* Run plan, and write what came of it. */
static int cmd_load_measure(struct cmd_load *c, int format,
                            struct load_config *plan, struct cmd_result *to)
{
    struct sigaction act = { .sa_handler = cmd_stop_sig };
    struct load_spread run[LOAD_RUNS_MOST];
    struct load_profile profile;
    struct load_result r = {0};
    struct anl a = {0};
    struct pp pp = {0};
    struct buf b = {0};
    struct gp_why why;
    bool redraw = !c->common.quiet && isatty(STDERR_FILENO);
    int status = cmd_load_announce(c, format, &b, plan);
    if (redraw) {
        plan->on_progress = cmd_load_progress;
        plan->arg = plan;
    }
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    int e = status ? GP_OK : cmd_load_repeat_runs(c, plan, &r, run, &why);
    if (redraw)
        fputs("\r\033[K", stderr);
    if (e) {
        cmd_say("%s", why.text);
        status = e == GP_EUSAGE ? CMD_USAGE : CMD_FAILED;
    } else if (!status) {
        to->report.config = plan;
        to->report.result = &r;
        struct cmd_load_parts *p = &c->parts;
        if (plan->reply && r.ok && p->reply.len <= CMD_REPLY_BYTES &&
            !dsc_decode(&p->d, p->method.output, (struct slice){
                (const char *)p->reply.data, p->reply.len }, &p->reply_json))
            to->report.reply = (struct slice){
                (const char *)p->reply_json.data, p->reply_json.len };
        to->report.run = run;
        to->report.nrun = c->repeat > 1 && !atomic_load(&cmd_signal)
                        ? (size_t)c->repeat : 0;
        bool lacks = plan->profiler &&
            !cmd_load_profiled(c, plan->profiler, &pp, &a, &profile);
        to->report.profile = plan->profiler && !lacks ? &profile : NULL;
        status = cmd_result_write(c, format, &b, to);
        status = lacks && !status ? CMD_FAILED : status;
        if (status != CMD_FAILED && atomic_load(&cmd_signal))
            status = 128 + atomic_load(&cmd_signal);
    }
    load_result_fini(&r);
    anl_fini(&a);
    pp_fini(&pp);
    mem_fini(&b);
    return status;
}

/* grpcprof load. */
static int cmd_load_run(const struct cmd_command *cmd)
{
    struct cmd_load *c = cmd->config;
    struct load_config plan;
    struct cmd_result to = { .compare = c->compare != NULL };
    struct load_profiler profiler = {0};
    struct gp_why why;
    int format = cmd_load_format(c, cmd);
    int status = format < 0 ? CMD_USAGE : cmd_load_plan(c, cmd, &plan);
    if (!status)
        status = cmd_result_init(&to, c, cmd);
    int e = status ? GP_OK : load_check(&plan, &why);
    if (e) {
        cmd_say("%s", why.text);
        status = e == GP_EUSAGE ? CMD_USAGE : CMD_FAILED;
    }
    if (!status && c->out && strcmp(c->out, "-") &&
        sys_write_check(c->out, &why)) {
        cmd_say("%s", why.text);
        status = CMD_FAILED;
    }
    if (!status && c->compare)
        status = cmd_result_read(c->compare, &to.old);
    if (!status && c->log) {
        plan.log_fd = open(c->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
                                   O_CLOEXEC, 0666);
        if (plan.log_fd < 0) {
            cmd_say("%s: %s", c->log, strerror(errno));
            status = CMD_FAILED;
        }
    }
    if (!status)
        status = cmd_load_profiler(c, cmd, &plan, &profiler);
    if (!status)
        status = cmd_load_measure(c, format, &plan, &to);
    load_profiler_fini(&profiler);
    if (c->log && plan.log_fd > 0 && close(plan.log_fd) && !status)
        status = CMD_FAILED;
    load_saved_fini(&to.old);
    cmd_load_release(c);
    return status;
}

/* ---- report ---- */

struct cmd_report {
    struct cmd_common common;           /* first */
    const char *format, *out;           /* NULL: by out's ending; stdout */
    const char *sample;                 /* type to look at; NULL: default */
    uint64_t top;                       /* rows of a table */
    bool cum, all;
};

static struct cmd_report cmd_report;

static const struct cmd_option cmd_report_options[] = {
    { 'f', "format", "NAME", "(text, or by --out's ending)",
      "text, md, json, svg, folded, top",
      CMD_TEXT, offsetof(struct cmd_report, format), 0, 0 },
    { 'o', "out", "FILE", "(stdout)", "where the report goes; -: stdout",
      CMD_TEXT, offsetof(struct cmd_report, out), 0, 0 },
    { 0, "sample", "NAME", "(as pprof chooses)",
      "sample type to look at, as in cpu or samples",
      CMD_TEXT, offsetof(struct cmd_report, sample), 0, 0 },
    { 0, "top", "N", "(20; all in json and -f top)", "rows of a table",
      CMD_UINT, offsetof(struct cmd_report, top), 1, 1000000 },
    { 0, "cum", NULL, NULL, "order -f top by cumulative value",
      CMD_FLAG, offsetof(struct cmd_report, cum), 0, 0 },
    { 0, "all", NULL, NULL, "every row, nothing trimmed",
      CMD_FLAG, offsetof(struct cmd_report, all), 0, 0 },
    CMD_COMMON(struct cmd_report),
};

struct cmd_format {
    const char *name, *ending;          /* ending of --out that selects it */
};

static const struct cmd_format cmd_report_formats[] = {
    { "text", ".txt" }, { "md", ".md" }, { "json", ".json" },
    { "svg", ".svg" }, { "folded", ".folded" }, { "top", ".top" },
};

/* The format that -f or --out's ending names, "text" for neither; NULL after
 * saying what is wrong. */
static const char *cmd_report_format(const struct cmd_report *c,
                                     const struct cmd_command *cmd)
{
    size_t n = sizeof cmd_report_formats / sizeof *cmd_report_formats;
    const char *dot = c->out ? strrchr(c->out, '.') : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct cmd_format *f = &cmd_report_formats[i];
        if (c->format ? !strcmp(c->format, f->name)
                      : dot && !strcmp(dot, f->ending))
            return f->name;
    }
    if (!c->format)
        return "text";
    cmd_misuse(cmd, "--format '%s': takes text, md, json, svg, folded or top",
               c->format);
    return NULL;
}

/* If a running serve is about to write path, append how and when to b. */
static bool cmd_pending_read(const char *path, struct buf *b)
{
    char name[PATH_MAX], text[64] = "";
    long pid;
    int64_t until;
    if (cmd_pending_name(path, name, sizeof name))
        return false;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    bool alive = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) &&
                 errno == EWOULDBLOCK;
    bool ok = alive && read(fd, text, sizeof text - 1) > 0 &&
              sscanf(text, "%ld %" SCNd64, &pid, &until) == 2;
    if (fd >= 0)
        close(fd);
    if (!ok)
        return false;
    until -= sys_clock_ns(CLOCK_REALTIME);
    txt_puts(b, "a running serve writes it in ");
    txt_put_time(b, until > 0 ? (double)until : 0);
    txt_putf(b, "; to have it now: kill -USR1 %ld", pid);
    return true;
}

/* Append the profile's age to b, or that it has none. */
static void cmd_put_age(struct buf *b, const struct pp *p, int64_t *age_ns)
{
    int64_t end_ns;
    bool known = p->time_ns > 0 && !__builtin_add_overflow(p->time_ns,
                                       p->duration_ns, &end_ns) && end_ns > 0;
    *age_ns = known ? sys_clock_ns(CLOCK_REALTIME) - end_ns : -1;
    if (*age_ns >= 0) {
        int64_t s = *age_ns / 1000000000;
        if (s < 120)
            txt_putf(b, "%" PRId64 " s old", s);
        else if (s < 7200)
            txt_putf(b, "%" PRId64 " min old", s / 60);
        else if (s < 172800)
            txt_putf(b, "%" PRId64 " h old", s / 3600);
        else
            txt_putf(b, "%" PRId64 " days old", s / 86400);
    }
}

/* Append to b, each with a zero, a line on the profile at path and one on the
 * flame graph beside it that was written with it; returns how many. */
static size_t cmd_put_files(struct buf *b, const char *path)
{
    struct stat st[2];
    char svg[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (stat(path, &st[0]) || !S_ISREG(st[0].st_mode))
        return 0;
    txt_putf(b, "%s: pprof profile, ", path);
    txt_put_bytes(b, (double)st[0].st_size);
    mem_put_byte(b, 0);
    int n = snprintf(svg, sizeof svg, "%.*sflamegraph.svg",
                     slash ? (int)(slash - path) + 1 : 0, path);
    if (n < 0 || (size_t)n >= sizeof svg || stat(svg, &st[1]) ||
        llabs((long long)st[1].st_mtime - (long long)st[0].st_mtime) > 2)
        return 1;
    txt_putf(b, "%s: flame graph, ", svg);
    txt_put_bytes(b, (double)st[1].st_size);
    mem_put_byte(b, 0);
    return 2;
}

/* Read the profile at path into p and say what is notable about it. */
static int cmd_report_read(const struct cmd_report *c, const char *path,
                           struct pp *p)
{
    struct gp_why why;
    struct buf file = {0}, pending = {0};
    bool waiting = cmd_pending_read(path, &pending);
    mem_put_byte(&pending, 0);
    int e = sys_read_file(path, PP_MOST_BYTES, &file, &why);
    if (!e)
        e = pp_read(p, &file, path, PP_MOST_BYTES, &why);
    if (e && waiting)
        cmd_say("%s; %s", why.text, (const char *)pending.data);
    else if (e && !c->common.rest.n && !strncmp(why.text, path, strlen(path)))
        cmd_say("%s; make one with: grpcprof serve --profile 30s", why.text);
    else if (e)
        cmd_say("%s", why.text);
    else if (waiting && !c->common.quiet)
        cmd_say("%s is an older profile; %s", path,
                (const char *)pending.data);
    mem_fini(&file);
    mem_fini(&pending);
    return e;
}

/* Write the report in the format called name onto b. */
static int cmd_report_write(const struct cmd_report *c, const char *name,
                            const char *path, const struct pp *p,
                            struct buf *b, struct gp_why *why)
{
    struct anl a = {0};
    struct buf text = {0};
    const char *line[3];                /* the age, and two files */
    struct anl_config config = { .sample = c->sample };
    struct out_config out = {
        .file = &path, .nfiles = 1, .top = c->all ? 0 : (unsigned)c->top,
        .cum = c->cum, .all = c->all, .sample = c->sample, .format = "pprof",
        .color = !c->out && cmd_color(&c->common, STDOUT_FILENO),
        .note = line, .written = line + 1,
    };
    struct svg_config picture = { .sample = c->sample };
    if (!strcmp(name, "top"))
        return out_report_top(b, p, &out, why);
    if (!strcmp(name, "folded"))
        return out_report_folded(b, p, &out, why);
    if (!strcmp(name, "svg"))
        return svg_write(p, &picture, b, why);
    int e = anl_run(p, &config, &a, why);
    if (e)
        return e;
    cmd_put_age(&text, p, &out.age_ns);
    mem_put_byte(&text, 0);
    size_t files = text.len;
    out.nwritten = cmd_put_files(&text, path);
    line[0] = (const char *)text.data;
    line[1] = line[0] + files;
    if (text.err)
        out.nwritten = 0;
    else if (out.nwritten > 1)
        line[2] = line[1] + strlen(line[1]) + 1;
    out.nnotes = out.age_ns >= 0 && !text.err;
    if (!strcmp(name, "text"))
        out_report_text(b, &a, &out);
    else if (!strcmp(name, "md"))
        out_report_md(b, &a, &out);
    else
        out_report_json(b, &a, &out);
    mem_fini(&text);
    anl_fini(&a);
    return GP_OK;
}

/* True when the file path begins as JSON does; - is never looked at. */
static bool cmd_is_json(const char *path)
{
    char text[16];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    struct slice s = js_skip((struct slice){ text, n > 0 ? (size_t)n : 0 });
    return s.n && *s.p == '{';
}

/* grpcprof report of what load wrote: the results together. */
static int cmd_report_results(const struct cmd_report *c,
                              const struct cmd_command *cmd)
{
    struct cmd_load as = { .common = c->common, .format = c->format,
                           .out = c->out, .percentiles = CMD_PERCENTILES };
    struct cmd_result to = {0};
    struct load_saved all = {0}, one = {0};
    struct buf b = {0};
    int format = cmd_load_format(&as, cmd);
    int status = format < 0 ? CMD_USAGE : cmd_result_init(&to, &as, cmd);
    for (size_t i = 0; !status && i < c->common.rest.n; i++) {
        status = cmd_result_read(c->common.rest.text[i], i ? &one : &all);
        if (!status && i)
            load_saved_merge(&all, &one);
        load_saved_fini(&one);
    }
    if (!status) {
        to.report.config = &all.config;
        to.report.result = &all.result;
        if (format == CMD_LOAD_TEXT) {
            out_load_plan(&b, &all.config);
            txt_putf(&b, "  of        %zu result%s\n", all.n,
                     all.n == 1 ? "" : "s");
        }
        status = cmd_result_write(&as, format, &b, &to);
    }
    mem_fini(&b);
    load_saved_fini(&all);
    return status;
}

/* grpcprof report. */
static int cmd_report_run(const struct cmd_command *cmd)
{
    struct cmd_report *c = cmd->config;
    const char *path = c->common.rest.n ? c->common.rest.text[0]
                                        : "profile.pb";
    struct pp p = {0};
    struct buf b = {0};
    struct gp_why why;
    int status = CMD_FAILED;
    if (strcmp(path, "-") && cmd_is_json(path))
        return cmd_report_results(c, cmd);
    if (c->common.rest.n > 1)
        return cmd_misuse(cmd, "'%s' is one argument too many; only results of "
                          "load are read together", c->common.rest.text[1]);
    const char *name = cmd_report_format(c, cmd);
    if (!name)
        return CMD_USAGE;
    bool to_file = c->out && strcmp(c->out, "-") != 0;
    if (to_file && cmd_same_file(c->out, path))
        return cmd_misuse(cmd, "--out '%s' is the profile that is read",
                          c->out);
    if (to_file && sys_write_check(c->out, &why)) {
        cmd_say("%s", why.text);
        return CMD_FAILED;
    }
    if (cmd_report_read(c, path, &p))
        return CMD_FAILED;
    if (cmd_report_write(c, name, path, &p, &b, &why)) {
        cmd_say("%s", why.text);
        goto out;
    }
    if (!to_file) {
        status = cmd_print(&b);
    } else if (b.err || sys_write_file(c->out, b.data, b.len, &why)) {
        cmd_say("%s", b.err ? "out of memory" : why.text);
    } else {
        cmd_wrote(c->out, name);
        status = CMD_OK;
    }
out:
    mem_fini(&b);
    pp_fini(&p);
    return status;
}

/* ---- the commands, help, man page, completions ---- */

#define CMD_TABLE(t) t, sizeof t / sizeof *t

static const struct cmd_command cmd_commands[] = {
    { "serve", "", "answer gRPC, and profile itself",
      "Answers helloworld.Greeter/SayHello on gRPC.  With --profile it\n"
      "samples its own CPU time for so long, writes profile.pb and\n"
      "flamegraph.svg, and goes on serving.  SIGINT or SIGTERM: the calls in\n"
      "flight are finished and the profile of what was seen is written; a\n"
      "second one ends it at once.  SIGUSR1 writes the profile so far.",
      CMD_TABLE(cmd_serve_options), cmd_serve_run, &cmd_serve, 0 },
    { "load", "[TARGET...]", "load a gRPC server, and measure",
      "Calls a method of a gRPC server, from -c clients each one call at a\n"
      "time, or with --rate by a schedule that does not wait for answers,\n"
      "and prints how many were answered, how fast, why others were not, and\n"
      "whether the server or the client was the limit.  A TARGET is\n"
      "host:port, [v6]:port, dns:///host:port, http://host:port or\n"
      "unix:/path; 127.0.0.1:50051 when none is given, several are used in\n"
      "turn.",
      CMD_TABLE(cmd_load_options), cmd_load_run, &cmd_load, CMD_LIST_MOST },
    { "report", "[PROFILE|RESULT...]", "say what a profile shows, and how sure",
      "Reads a pprof profile of any program, gzip'd or not (-: standard\n"
      "input; profile.pb when none is given), and says where the CPU time\n"
      "went, each share with its samples and 95 % interval, and what can be\n"
      "concluded from that.  Or reads results of load in JSON, one or more:\n"
      "counts are added, and histograms merged.",
      CMD_TABLE(cmd_report_options), cmd_report_run, &cmd_report,
      CMD_LIST_MOST },
};

enum { CMD_COMMANDS = sizeof cmd_commands / sizeof *cmd_commands };

static const struct {
    const char *value, *meaning;
} cmd_statuses[] = {
    { "0", "all is well" },
    { "1", "it could not be done: connection refused, bad file, disk full" },
    { "2", "wrong use" },
    { "3", "load: requests failed, more than --max-errors" },
    { "4", "load: an --assert does not hold" },
    { "5", "load: under --strict, the client was the limit" },
    { "130, 143", "interrupted (SIGINT, SIGTERM), after the results so far" },
};

/* Print s for troff: dashes and backslashes escaped, no leading dot. */
static void cmd_roff(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++)
        if (*s == '-' || *s == '\\')
            printf(*s == '-' ? "\\-" : "\\e");
        else
            putchar(*s);
}

/* Print command c's section of the man page. */
static void cmd_man_command(const struct cmd_command *c)
{
    printf(".SH ");
    for (const char *p = c->name; *p; p++)
        putchar(*p - ('a' <= *p && *p <= 'z' ? 'a' - 'A' : 0));
    printf("\n.B grpcprof %s\n[OPTIONS] ", c->name);
    cmd_roff(c->args);
    printf("\n.PP\n");
    cmd_roff(c->about);
    putchar('\n');
    for (size_t i = 0; i < c->noptions; i++) {
        const struct cmd_option *o = &c->option[i];
        printf(".TP\n.B ");
        if (o->key)
            printf("\\-%c, ", o->key);
        printf("\\-\\-");
        cmd_roff(o->name);
        if (o->arg)
            printf(o->kind == CMD_OPTIONAL ? "[=%s]" : " %s", o->arg);
        putchar('\n');
        cmd_roff(o->help);
        if (o->dflt) {
            printf(*o->dflt == '(' ? " " : " [");
            cmd_roff(o->dflt);
            printf(*o->dflt == '(' ? "" : "]");
        }
        putchar('\n');
    }
}

/* Print the man page, grpcprof(1), in man(7) macros. */
static void cmd_man(void)
{
    printf(".TH GRPCPROF 1 \"\" \"grpcprof %s\"\n.SH NAME\ngrpcprof \\- "
           "where the CPU of a gRPC service goes under load, per call\n"
           ".SH SYNOPSIS\n", GP_VERSION);
    for (size_t i = 0; i < CMD_COMMANDS; i++) {
        const struct cmd_command *c = &cmd_commands[i];
        printf(".B grpcprof %s\n[OPTIONS] ", c->name);
        cmd_roff(c->args);
        printf("\n.br\n");
    }
    printf(".B grpcprof help\n[COMMAND]\n.br\n.B grpcprof \\-\\-version\n");
    for (size_t i = 0; i < CMD_COMMANDS; i++)
        cmd_man_command(&cmd_commands[i]);
    printf(".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof cmd_statuses / sizeof *cmd_statuses; i++) {
        printf(".TP\n.B %s\n", cmd_statuses[i].value);
        cmd_roff(cmd_statuses[i].meaning);
        putchar('\n');
    }
}

/* Print a bash completion. */
static void cmd_bash(void)
{
    printf("# bash completion of grpcprof %s\n_grpcprof() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} words\n"
           "    case ${COMP_WORDS[1]} in\n", GP_VERSION);
    for (size_t i = 0; i < CMD_COMMANDS; i++) {
        const struct cmd_command *c = &cmd_commands[i];
        printf("    %s) words='", c->name);
        for (size_t k = 0; k < c->noptions; k++)
            printf("--%s ", c->option[k].name);
        printf("' ;;\n");
    }
    printf("    *) words='");
    for (size_t i = 0; i < CMD_COMMANDS; i++)
        printf("%s ", cmd_commands[i].name);
    printf("help --version' ;;\n    esac\n"
           "    if [[ $COMP_CWORD -eq 1 || $cur == -* ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
           "    fi\n}\ncomplete -o filenames -F _grpcprof grpcprof\n");
}

/* Print what the program is and how it is used. */
static void cmd_usage(FILE *to)
{
    fprintf(to, "grpcprof %s: where the CPU of a gRPC service goes under "
            "load, per call\n\n", GP_VERSION);
    for (size_t i = 0; i < CMD_COMMANDS; i++) {
        const struct cmd_command *c = &cmd_commands[i];
        fprintf(to, "  grpcprof %-7s %s\n", c->name, c->summary);
    }
    fprintf(to, "\nthe job, in three commands:\n"
            "  grpcprof serve --profile 30s    in one terminal\n"
            "  grpcprof load -c 100 -n 50      in another\n"
            "  grpcprof report profile.pb      when serve has written it\n\n"
            "grpcprof help COMMAND tells its options; grpcprof --version\n");
}

/* The command called name, or NULL after saying so. */
static const struct cmd_command *cmd_lookup(const char *name)
{
    const char *best = NULL;
    unsigned least = 3;
    for (size_t i = 0; i < CMD_COMMANDS; i++) {
        unsigned d = txt_distance(name, cmd_commands[i].name);
        if (d == 0)
            return &cmd_commands[i];
        if (d < least) {
            least = d;
            best = cmd_commands[i].name;
        }
    }
    fprintf(stderr, "grpcprof: no command '%s'", name);
    if (best)
        fprintf(stderr, "; did you mean %s?", best);
    fprintf(stderr, "\ntry: grpcprof help\n");
    return NULL;
}

/* grpcprof help [COMMAND | --man | --bash]. */
static int cmd_help_run(int argc, char **argv)
{
    if (argc == 0) {
        cmd_usage(stdout);
    } else if (!strcmp(argv[0], "--man")) {
        cmd_man();
    } else if (!strcmp(argv[0], "--bash")) {
        cmd_bash();
    } else {
        const struct cmd_command *c = cmd_lookup(argv[0]);
        if (!c)
            return CMD_USAGE;
        cmd_help(c);
    }
    return fflush(stdout) ? CMD_FAILED : CMD_OK;
}

/* See enum cmd_status. */
int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    const char *word = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        cmd_usage(stderr);
        return CMD_USAGE;
    }
    if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        return printf("grpcprof %s\n", GP_VERSION) < 0 || fflush(stdout);
    if (!strcmp(word, "--help") || !strcmp(word, "-h"))
        return cmd_help_run(0, NULL);
    if (!strcmp(word, "help"))
        return cmd_help_run(argc - 2, argv + 2);
    const struct cmd_command *c = cmd_lookup(word);
    if (!c || cmd_parse(c, argc - 2, argv + 2))
        return CMD_USAGE;
    if (((struct cmd_common *)c->config)->help) {
        cmd_help(c);
        return fflush(stdout) ? CMD_FAILED : CMD_OK;
    }
    return c->run(c);
}

#endif /* GRPCPROF_LIBRARY */
