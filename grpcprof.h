/* grpcprof.h -- what another program may use of grpcprof.c.
 *
 * Compile grpcprof.c with -DGRPCPROF_LIBRARY and link it, libnghttp2, libz and
 * libpthread.  Three parts, each usable alone:
 *
 *   profiler   samples the CPU time of this process and writes a pprof profile
 *   endpoint   hands such profiles out over HTTP, as Go's net/http/pprof does
 *   server     gRPC over cleartext HTTP/2 with methods of your own
 *
 * Errors: functions return 0 or a negative enum gp_err and then put one line,
 * without a newline, into *why (which may be NULL).  The library never prints,
 * never exits, and installs signal handlers only when it profiles: SIGPROF's,
 * and with the perf timer SIGTRAP's, if nobody else has that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GRPCPROF_H
#define GRPCPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GP_VERSION "0.1.0"

enum gp_err {
    GP_OK      = 0,
    GP_ENOMEM  = -1,            /* an allocation failed */
    GP_EIO     = -2,            /* the system said no; why names the object */
    GP_EFORMAT = -3,            /* input is not what it should be */
    GP_ELIMIT  = -4,            /* a bound of section LIMITS was reached */
    GP_ESTATE  = -5,            /* not now: already running, already ended */
    GP_EUSAGE  = -6,            /* an argument makes no sense */
};

struct gp_why { char text[256]; };      /* one line, no newline, no period */

/* Version of the library, as in GP_VERSION; a static string. */
const char *gp_version(void);

/* ---- profiler ----------------------------------------------------------- */

struct gp_profiler;
struct gp_server;

enum gp_timer {                 /* what sends the samples' signals */
    GP_TIMER_AUTO,              /* what fits the rate and is permitted */
    GP_TIMER_ITIMER,            /* setitimer: a timer for the process */
    GP_TIMER_THREAD,            /* timer_create: a timer for each thread */
    GP_TIMER_PERF,              /* perf_event_open: exact, each thread */
};

struct gp_profiler_config {
    size_t   size;              /* sizeof (struct gp_profiler_config) */
    enum gp_timer timer;        /* of CPU time */
    bool     wall;              /* sample real time: waiting threads too */
    unsigned hz;                /* samples a second of CPU time, 1..10000;
                                 * 0: 1000 */
    const struct gp_server *server;     /* its calls are counted into the
                                 * profile; NULL: none */
};

struct gp_profiler_state {
    const char *engine;         /* what sends the signals; a static string */
    const char *reason;         /* why it was chosen, or ""; of p */
    unsigned hz_expected;       /* samples a second of CPU, each thread */
    double   cost_ns;           /* CPU time of a sample; NAN: not known */
    uint64_t samples;           /* taken so far */
    int64_t  cpu_ns, wall_ns;   /* CPU time of the process and time so far */
};

/* Begin to sample this process.  Several profilers may overlap, all at one
 * rate: another rate is GP_ESTATE. */
int gp_profiler_start(struct gp_profiler **p,
                      const struct gp_profiler_config *config,
                      struct gp_why *why);

/* Put key=value among the profile's comments, as in "work", "50000". */
int gp_profiler_note(struct gp_profiler *p, const char *key,
                     const char *value);

/* How far p is; any thread. */
void gp_profiler_progress(struct gp_profiler *p,
                          struct gp_profiler_state *state);

/* Write what was sampled since the start, as a gzip'd pprof profile to the
 * file pprof and as a flame graph to the file svg; either may be NULL.  Files
 * are written beside their names and renamed.  Sampling goes on. */
int gp_profiler_write(struct gp_profiler *p, const char *pprof,
                      const char *svg, struct gp_why *why);

/* Stop and free p; NULL is fine.  SIGPROF's handler stays in place, because a
 * signal may still be on its way. */
void gp_profiler_stop(struct gp_profiler *p);

/* ---- debug endpoint ------------------------------------------------------ */

struct gp_debug;

/* Where it listens when no address is given. */
#define GP_DEBUG_ADDRESS "127.0.0.1:6060"

/* A debug endpoint over HTTP/1.1 with the paths of Go's net/http/pprof,
 * /debug/flamegraph, /debug/status, /metrics and /healthz, on a thread of its
 * own.  address is as for gp_server_listen, NULL: GP_DEBUG_ADDRESS; *bound,
 * when not NULL, becomes the address bound, borrowed until gp_debug_free.
 * config is what its windows take where a request does not say otherwise;
 * NULL: the defaults.  config's server, which must have been started before
 * gp_debug_start, is what /metrics and the profiles count. */
int gp_debug_new(struct gp_debug **d, const char *address,
                 const struct gp_profiler_config *config,
                 const char **bound, struct gp_why *why);

/* Put key=value among the comments of its profiles; before gp_debug_start. */
int gp_debug_note(struct gp_debug *d, const char *key, const char *value);

/* Begin to answer. */
int gp_debug_start(struct gp_debug *d, struct gp_why *why);

/* Stop and free d, before its server is freed; NULL is fine.  Windows that are
 * open end without an answer. */
void gp_debug_free(struct gp_debug *d);

/* ---- server ------------------------------------------------------------- */

struct gp_call;

struct gp_slice { const void *data; size_t len; };      /* borrowed bytes */

/* gRPC status codes, [GRPC] doc/statuscodes.md. */
enum gp_status {
    GP_STATUS_OK = 0, GP_STATUS_CANCELLED = 1, GP_STATUS_UNKNOWN = 2,
    GP_STATUS_INVALID_ARGUMENT = 3, GP_STATUS_DEADLINE_EXCEEDED = 4,
    GP_STATUS_NOT_FOUND = 5, GP_STATUS_ALREADY_EXISTS = 6,
    GP_STATUS_PERMISSION_DENIED = 7, GP_STATUS_RESOURCE_EXHAUSTED = 8,
    GP_STATUS_FAILED_PRECONDITION = 9, GP_STATUS_ABORTED = 10,
    GP_STATUS_OUT_OF_RANGE = 11, GP_STATUS_UNIMPLEMENTED = 12,
    GP_STATUS_INTERNAL = 13, GP_STATUS_UNAVAILABLE = 14,
    GP_STATUS_DATA_LOSS = 15, GP_STATUS_UNAUTHENTICATED = 16,
};

enum gp_kind { GP_UNARY, GP_CLIENT_STREAM, GP_SERVER_STREAM, GP_BIDI };

enum gp_run {
    GP_RUN_INLINE,              /* on the loop of the call's connection */
    GP_RUN_POOL,                /* on any loop that has time: for work that
                                 * takes more than some microseconds */
};

/* A method.  Its callbacks run on an event loop's thread, those of one call one
 * after the other, and must not block; all but on_message may be NULL.
 *
 *   GP_UNARY, GP_SERVER_STREAM   on_message once, when the request is complete,
 *                                and then on_half_close
 *   GP_CLIENT_STREAM, GP_BIDI    on_start, on_message for each, on_half_close
 *
 * A unary one must be answered before on_message returns.  Others end with
 * gp_call_finish, gp_call_reply or gp_call_fail in any callback. */
struct gp_method {
    const char *path;           /* "/package.Service/Method"; copied */
    void (*on_message)(struct gp_call *call, struct gp_slice request,
                       void *service);  /* request is valid until it returns */
    void *service;              /* handed to all callbacks */
    enum gp_kind kind;
    enum gp_run run;
    bool metadata;              /* keep the request's for gp_call_metadata */
    void (*on_start)(struct gp_call *call, void *service);
    void (*on_half_close)(struct gp_call *call, void *service);
    void (*on_writable)(struct gp_call *call, void *service);   /* after
                                 * GP_ELIMIT: there is room again */
    void (*on_timer)(struct gp_call *call, void *service);  /* gp_call_after */
    void (*on_poke)(struct gp_call *call, void *service);   /* gp_server_poke */
    void (*on_done)(struct gp_call *call, enum gp_status status,
                    void *service);     /* once, last: finished, or cancelled */
};

struct gp_server_config {
    size_t   size;              /* sizeof (struct gp_server_config) */
    unsigned threads;           /* event loops; 0: the usable CPUs */
    uint32_t max_streams;       /* calls at once, a connection; 0: 100 */
    uint32_t max_message;       /* bytes of a request; 0: 4 MiB */
    size_t   max_buffered;      /* bytes of requests and answers that are kept
                                 * for all connections; 0: 1 GiB */
    uint32_t max_headers;       /* bytes of a header list; 0: 16 KiB */
    uint32_t max_connections;   /* 0: as many as descriptors allow */
    int64_t  idle_ns;           /* a connection without calls so long is told
                                 * to leave; 0: never */
    int64_t  max_age_ns;        /* one so old is, too; 0: never */
    int64_t  keepalive_ns;      /* PING after so long without a byte; 0: 2 h */
};

/* A new server without addresses or methods; *s is owned by the caller. */
int gp_server_new(struct gp_server **s, const struct gp_server_config *config,
                  struct gp_why *why);

/* Add a method; before gp_server_start. */
int gp_server_add(struct gp_server *s, const struct gp_method *method,
                  struct gp_why *why);

/* grpc.health.v1.Health.ServingStatus. */
enum gp_health {
    GP_HEALTH_UNKNOWN = 0, GP_HEALTH_SERVING = 1, GP_HEALTH_NOT_SERVING = 2,
    GP_HEALTH_UNKNOWN_SERVICE = 3,
};

/* Offer grpc.health.v1.Health: "" and every service that s has are SERVING until
 * gp_server_health says something else, and NOT_SERVING from gp_server_drain
 * on.  Before gp_server_start. */
int gp_server_add_health(struct gp_server *s, struct gp_why *why);

/* What Health says of service from now on; who watches it hears of it.  Any
 * thread. */
int gp_server_health(struct gp_server *s, const char *service,
                     enum gp_health status);

/* Offer grpc.reflection, v1 and v1alpha, with the files in set, the bytes of a
 * FileDescriptorSet (protoc --include_imports --descriptor_set_out), borrowed
 * until gp_server_free.  Before gp_server_start. */
int gp_server_add_reflection(struct gp_server *s, struct gp_slice set,
                             struct gp_why *why);

/* Have on_poke called soon for every open call of the methods that have it and
 * whose request is complete; any thread. */
void gp_server_poke(struct gp_server *s);

/* Listen on "host:port", "[v6]:port", "port" (loopback) or "unix:/path".
 * Port 0 takes a free one; *bound, when not NULL, becomes the address bound,
 * borrowed until gp_server_free.  Connections wait until gp_server_start. */
int gp_server_listen(struct gp_server *s, const char *address,
                     const char **bound, struct gp_why *why);

/* Start the event loops. */
int gp_server_start(struct gp_server *s, struct gp_why *why);

/* Calls completed since the start, on all methods; any thread. */
uint64_t gp_server_calls(const struct gp_server *s);

/* Method number i as it was added: its path, borrowed from s, and the calls of
 * it that were answered; false when there is no such method.  Any thread. */
bool gp_server_method(const struct gp_server *s, size_t i, const char **path,
                      uint64_t *calls);

/* Stop accepting, tell the clients (GOAWAY), and wait at most grace_ns for
 * the calls in flight.  Returns the number of calls that were cut off. */
uint64_t gp_server_drain(struct gp_server *s, int64_t grace_ns);

/* Stop at once and free s; NULL is fine. */
void gp_server_free(struct gp_server *s);

/* Send a message, which is copied.  GP_ELIMIT: it will be sent, but send no
 * more before on_writable; no further request message comes until then.
 * GP_ESTATE: the call has ended. */
int gp_call_write(struct gp_call *call, struct gp_slice message);

/* End call, with a text for people, copied; NULL: none. */
void gp_call_finish(struct gp_call *call, enum gp_status status,
                    const char *message);

/* Send a message and end call with OK. */
void gp_call_reply(struct gp_call *call, struct gp_slice message);

/* End call with a status other than OK and a message for people, copied. */
void gp_call_fail(struct gp_call *call, enum gp_status status,
                  const char *message);

/* Value number nth, from 0, of the request's metadata called key; decoded where
 * key ends in "-bin".  data is NULL where there is none.  Lives as long as call.
 * Only for a method that has .metadata. */
struct gp_slice gp_call_metadata(struct gp_call *call, const char *key,
                                 size_t nth);

/* Add metadata to the answer: to its headers, before the first message, or to
 * its trailers.  All is copied; a value is any bytes where key ends in "-bin",
 * else printable ASCII.  GP_EUSAGE for another, GP_ELIMIT past 64. */
int gp_call_add(struct gp_call *call, const char *key, struct gp_slice value,
                bool trailer);

/* Compress the messages that follow, where the client takes gzip. */
void gp_call_compress(struct gp_call *call, bool on);

/* Call on_timer in ns; a later call takes the place of an earlier one. */
void gp_call_after(struct gp_call *call, int64_t ns);

/* True once nobody waits for the answer: cheap enough to ask in a loop. */
bool gp_call_cancelled(const struct gp_call *call);

/* n zeroed bytes for what the handler keeps of call, the same ones each time;
 * NULL without memory. */
void *gp_call_state(struct gp_call *call, size_t n);

/* n bytes that live as long as call, or NULL; 16-byte aligned. */
void *gp_call_alloc(struct gp_call *call, size_t n);

#ifdef __cplusplus
}
#endif
#endif
