/* grpcprof.h -- grpcprof as a library.
 *
 *   cc -DGRPCPROF_LIBRARY -c grpcprof.c
 *   cc app.c grpcprof.o -lnghttp2 -lz -lm -lpthread
 *
 * Three parts, each usable alone:
 *
 *   profiler   samples the CPU time of this process, writes a pprof profile
 *   endpoint   serves such profiles over HTTP, like Go's net/http/pprof
 *   server     gRPC over cleartext HTTP/2 with your own methods
 *
 * Errors: functions return 0, or a negative enum gp_err after writing one line
 * without a newline to *why; why may be NULL.  The library never prints or
 * exits.  It installs signal handlers only to profile: for SIGPROF, and with
 * the perf timer for SIGTRAP if that has no handler.
 *
 * Threads: functions of one object must not run at the same time, except those
 * marked "any thread".  gp_call_* may be called only in callbacks of that call.
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
    GP_EIO     = -2,            /* a system call failed; why names the object */
    GP_EFORMAT = -3,            /* the input is invalid */
    GP_ELIMIT  = -4,            /* a limit was reached */
    GP_ESTATE  = -5,            /* wrong state: already running or ended */
    GP_EUSAGE  = -6,            /* an argument is invalid */
};

struct gp_why { char text[256]; };      /* one line, no newline, no period */

/* Return the library's GP_VERSION; a static string. */
const char *gp_version(void);

/* ---- profiler ----------------------------------------------------------- */

struct gp_profiler;
struct gp_server;

enum gp_timer {                 /* source of the sampling signals */
    GP_TIMER_AUTO,              /* the best for the rate that is permitted */
    GP_TIMER_ITIMER,            /* setitimer: one timer for the process */
    GP_TIMER_THREAD,            /* timer_create: one timer per thread */
    GP_TIMER_PERF,              /* perf_event_open: one per thread, exact */
};

struct gp_profiler_config {
    size_t   size;              /* sizeof (struct gp_profiler_config) */
    enum gp_timer timer;
    bool     wall;              /* sample wall time, with waiting threads */
    unsigned hz;                /* samples per second of CPU time, 1..10000;
                                 * 0: 1000 */
    const struct gp_server *server;     /* the profile counts its calls;
                                 * borrowed; NULL: none */
};

struct gp_profiler_state {
    const char *engine;         /* the timer in use; a static string */
    const char *reason;         /* why it was chosen, or ""; borrowed from p */
    unsigned hz_expected;       /* samples per second of CPU time, per thread */
    double   cost_ns;           /* CPU time per sample; NAN: unknown */
    uint64_t samples;           /* taken since the start */
    int64_t  cpu_ns, wall_ns;   /* of the process since the start */
};

/* Start sampling this process; *p is owned by the caller.  Several profilers
 * may run at once, all at one rate: GP_ESTATE for another rate. */
int gp_profiler_start(struct gp_profiler **p,
                      const struct gp_profiler_config *config,
                      struct gp_why *why);

/* Add the comment key=value to p's profiles, such as "work", "50000". */
int gp_profiler_note(struct gp_profiler *p, const char *key,
                     const char *value);

/* Write the state of p so far to *state; any thread. */
void gp_profiler_progress(struct gp_profiler *p,
                          struct gp_profiler_state *state);

/* Write the samples since the start to the file pprof, a gzipped pprof profile,
 * and to the file svg, a flame graph; either may be NULL.  Files are replaced
 * atomically, by renaming.  Sampling continues. */
int gp_profiler_write(struct gp_profiler *p, const char *pprof,
                      const char *svg, struct gp_why *why);

/* Stop and free p; NULL is fine.  SIGPROF's handler stays installed, because a
 * signal may be pending. */
void gp_profiler_stop(struct gp_profiler *p);

/* ---- debug endpoint ------------------------------------------------------ */

struct gp_debug;

/* Default address. */
#define GP_DEBUG_ADDRESS "127.0.0.1:6060"

/* Make a debug endpoint, owned by the caller: HTTP/1.1 on its own thread, with
 * the paths of Go's net/http/pprof, /debug/flamegraph, /debug/status, /metrics
 * and /healthz.  address is as for gp_server_listen, NULL: GP_DEBUG_ADDRESS;
 * *bound, if not NULL, becomes the bound address, borrowed until gp_debug_free.
 * config has the defaults of its profiles; NULL: those of gp_profiler_start.
 * /metrics and the profiles count the calls of config's server, which must be
 * started before gp_debug_start.  Without one, /debug/status has what this
 * process listens on, and load --profile counts its own calls. */
int gp_debug_new(struct gp_debug **d, const char *address,
                 const struct gp_profiler_config *config,
                 const char **bound, struct gp_why *why);

/* Add the comment key=value to d's profiles; before gp_debug_start. */
int gp_debug_note(struct gp_debug *d, const char *key, const char *value);

/* Start answering requests. */
int gp_debug_start(struct gp_debug *d, struct gp_why *why);

/* Stop and free d, before its server is freed; NULL is fine.  Requests for a
 * profile that is being taken are not answered. */
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
    GP_RUN_POOL,                /* on any idle loop: for handlers that take
                                 * more than a few microseconds */
};

/* A method.  Its callbacks run on an event loop's thread, those of one call one
 * after the other, and must not block.  All but on_message may be NULL.
 *
 *   GP_UNARY, GP_SERVER_STREAM   on_message once, when the request is complete,
 *                                then on_half_close
 *   GP_CLIENT_STREAM, GP_BIDI    on_start, on_message for each message,
 *                                on_half_close
 *
 * A unary method must end its call before on_message returns; the others end
 * it in any callback, with gp_call_finish, gp_call_reply or gp_call_fail. */
struct gp_method {
    const char *path;           /* "/package.Service/Method"; copied */
    void (*on_message)(struct gp_call *call, struct gp_slice request,
                       void *service);  /* borrowed until it returns */
    void *service;              /* passed to all callbacks */
    enum gp_kind kind;
    enum gp_run run;
    bool metadata;              /* keep request metadata: gp_call_metadata */
    void (*on_start)(struct gp_call *call, void *service);
    void (*on_half_close)(struct gp_call *call, void *service);
    void (*on_writable)(struct gp_call *call, void *service);   /* after
                                 * GP_ELIMIT: write again */
    void (*on_timer)(struct gp_call *call, void *service);  /* gp_call_after */
    void (*on_poke)(struct gp_call *call, void *service);   /* gp_server_poke */
    void (*on_done)(struct gp_call *call, enum gp_status status,
                    void *service);     /* last, once: ended or cancelled */
};

struct gp_server_config {
    size_t   size;              /* sizeof (struct gp_server_config) */
    unsigned threads;           /* event loops; 0: one per usable CPU */
    uint32_t max_streams;       /* concurrent calls per connection; 0: 100 */
    uint32_t max_message;       /* bytes of a request message; 0: 4 MiB */
    size_t   max_buffered;      /* bytes of requests and answers buffered for
                                 * all connections; 0: 1 GiB */
    uint32_t max_headers;       /* bytes of a header list; 0: 16 KiB */
    uint32_t max_connections;   /* 0: as many as descriptors allow */
    int64_t  idle_ns;           /* GOAWAY after this time without a call;
                                 * 0: never */
    int64_t  max_age_ns;        /* GOAWAY at this age; 0: never */
    int64_t  keepalive_ns;      /* PING after this time without input;
                                 * 0: 2 h */
    const char *tls_cert;       /* PEM file: certificate and chain; NULL:
                                 * without TLS.  Needs HAVE_OPENSSL */
    const char *tls_key;        /* PEM file; NULL: in tls_cert */
    const char *tls_client_ca;  /* PEM file: require clients' certificates from
                                 * these issuers; NULL: ask for none */
};

/* Make a server without addresses or methods; *s is owned by the caller. */
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

/* Add grpc.health.v1.Health: "" and every service of s are SERVING until
 * gp_server_health sets another status, and NOT_SERVING once gp_server_drain is
 * called.  Before gp_server_start. */
int gp_server_add_health(struct gp_server *s, struct gp_why *why);

/* Set the status of service, "" for the server, and notify its watchers; any
 * thread.  GP_ESTATE: s has no Health. */
int gp_server_health(struct gp_server *s, const char *service,
                     enum gp_health status);

/* Add grpc.reflection, v1 and v1alpha, of the files in set, a FileDescriptorSet
 * (protoc --include_imports --descriptor_set_out) borrowed until
 * gp_server_free.  Before gp_server_start. */
int gp_server_add_reflection(struct gp_server *s, struct gp_slice set,
                             struct gp_why *why);

/* Call on_poke soon for every open call whose request is complete and whose
 * method has on_poke; any thread. */
void gp_server_poke(struct gp_server *s);

/* Listen on "host:port", "[v6]:port", "port" (loopback), "unix:/path" or
 * "unix-abstract:name"; on all addresses of a host, at one port.  Port 0 picks
 * a free port; *bound, if not NULL, becomes the bound address, the first one,
 * borrowed until gp_server_free.  Connections are accepted from
 * gp_server_start on. */
int gp_server_listen(struct gp_server *s, const char *address,
                     const char **bound, struct gp_why *why);

/* Start the event loops. */
int gp_server_start(struct gp_server *s, struct gp_why *why);

/* Return the number of calls completed by all methods; any thread. */
uint64_t gp_server_calls(const struct gp_server *s);

/* Put the path of the i-th method added, borrowed from s, and the number of its
 * completed calls into *path and *calls; false past the last one.  Any
 * thread. */
bool gp_server_method(const struct gp_server *s, size_t i, const char **path,
                      uint64_t *calls);

/* Stop accepting, send GOAWAY, wait up to grace_ns for calls in flight, and
 * close all connections.  Returns the number of calls cut off. */
uint64_t gp_server_drain(struct gp_server *s, int64_t grace_ns);

/* Stop at once and free s; NULL is fine. */
void gp_server_free(struct gp_server *s);

/* Send a copy of message.  GP_ELIMIT: it will be sent, but write no more before
 * on_writable; on_message is not called until then.  GP_ESTATE: the call has
 * ended. */
int gp_call_write(struct gp_call *call, struct gp_slice message);

/* End call with status and a grpc-message, copied; NULL: none. */
void gp_call_finish(struct gp_call *call, enum gp_status status,
                    const char *message);

/* Send a copy of message and end call with OK. */
void gp_call_reply(struct gp_call *call, struct gp_slice message);

/* End call with a status other than OK and a grpc-message, copied; NULL:
 * none. */
void gp_call_fail(struct gp_call *call, enum gp_status status,
                  const char *message);

/* Return the nth value, from 0, of the request's metadata key, decoded if key
 * ends in "-bin"; data is NULL if there is none.  It lives as long as call.
 * The method must set .metadata. */
struct gp_slice gp_call_metadata(struct gp_call *call, const char *key,
                                 size_t nth);

/* Add metadata, copied, to the answer: to its headers, before the first
 * message, or to its trailers.  A value may have any bytes if key ends in
 * "-bin", else printable ASCII.  GP_EUSAGE: key or value is invalid; GP_ELIMIT:
 * more than 64 entries or 32 KiB. */
int gp_call_add(struct gp_call *call, const char *key, struct gp_slice value,
                bool trailer);

/* Compress the messages that follow if the client accepts gzip. */
void gp_call_compress(struct gp_call *call, bool on);

/* Call on_timer once, ns from now; replaces an earlier gp_call_after. */
void gp_call_after(struct gp_call *call, int64_t ns);

/* True once call is cancelled or its deadline has passed; cheap enough for a
 * loop. */
bool gp_call_cancelled(const struct gp_call *call);

/* Return n zeroed bytes for the handler's state of call, the same ones each
 * time; NULL without memory. */
void *gp_call_state(struct gp_call *call, size_t n);

/* Return n bytes that live as long as call, 16-byte aligned; NULL without
 * memory. */
void *gp_call_alloc(struct gp_call *call, size_t n);

#ifdef __cplusplus
}
#endif
#endif
