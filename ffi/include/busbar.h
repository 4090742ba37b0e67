/*
 * busbar.h: the C contract between busbar and a plugin.            SPDX-License-Identifier: Apache-2.0
 *
 * A plugin is a shared library that exports three symbols:
 *
 *   busbar_abi_hash   const char[65]   BUSBAR_ABI_HASH: which frozen version of this file it was compiled with
 *   busbar_manifest   const char[]     the manifest, JSON, NUL-terminated: what it is and how it was built
 *   busbar_plugin     function         gives the root table
 *
 * The first two are read from the file, before any code of the plugin runs, and once more after loading; the third is
 * called last, in a child process of busbar called a cell. docs/abi.md is the guide to this file.
 *
 * POLICY
 *   Every struct but the small ones that only occur inside others or in arrays (record, string, bytes, field, header,
 *   acknowledged) starts with `uint32_t size`: its sizeof as its *owner* compiled it. Structs grow only at their end;
 *   a member past `size`, or a null function pointer, means "not offered". Reserved members are zero. There are no
 *   bit-fields, no `long`, no `bool`, no enums inside structs, and padding is explicit: 64-bit targets only.
 *   What a function means is as frozen as its signature. The hash is SHA-256 over the declarations between the two
 *   FROZEN markers, without comments and white space: editing this prose does not change it, editing a struct does.
 *   While the version is 0.N every minor version has a hash of its own; from 1.0 on, each major version has.
 *
 * THREADS      each function carries one tag
 *   [serialised]  one call at a time for each instance, in order, each seeing the effects of the one before; but not
 *                 always from the same OS thread. Keep nothing of an instance in thread-local storage.
 *   [any-thread]  from any thread, at the same time as anything else.
 *   A component whose calls may wait (disk, network, locks) says `"blocking": true` in its manifest: it is then called
 *   on a pool, so that its neighbours go on. Otherwise a call must return within a few milliseconds.
 *
 * STATES       of an instance; each function says in which it is called
 *   created   create returned OK           nothing exclusive is held: no port, no lock, no output file
 *   started   start returned OK            everything is held, events flow
 *   stopped   stop returned                released again; save may follow, start again is legal
 *
 * MEMORY
 *   Each side frees only what it allocated. Strings and bytes are {pointer, length}, not NUL-terminated unless said;
 *   length 0 allows a null pointer. What is passed in is valid until the call returns, unless OWNERSHIP says otherwise.
 *
 * ERRORS
 *   A status, and a message written into context->error before returning; calls that are given a busbar_call_t write it
 *   into call->error instead, since several of an instance may fail at once. C++ exceptions, Rust panics and Go panics
 *   must not leave the plugin. A plugin replaces no signal handler of the process, and never calls exit().
 */
#ifndef BUSBAR_H
#define BUSBAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names the declarations below. Recomputed by a test; the list of all of them is ffi/abi_versions.json. */
#define BUSBAR_ABI_HASH "bd837497349b1a89fd5bd785b65086206a7e2590ce7b0049cb18bd700e218707"

/* ==== BUSBAR ABI FROZEN BEGIN ==== */

#define BUSBAR_ABI_MAJOR 0
#define BUSBAR_ABI_MINOR 1

/* ---- Statuses: the return value of a call, and nothing else ---------------------------------------------------- */

#define BUSBAR_OK 0       /* done; all of the batch is accepted */
#define BUSBAR_AGAIN 1    /* poll: nothing now. write: not yet. Not a failure: offered again after a wake or a backoff */
#define BUSBAR_MORE 2     /* process: an output is full, call again. fetch: there is more */
#define BUSBAR_DONE 3     /* poll, fetch: at the end, do not call again until start. hook: the call is answered */
#define BUSBAR_PENDING 4  /* write: kept; reported later through host->complete */
#define BUSBAR_FAILED -1  /* records before `done` are accepted, the rest is offered again after a backoff */
#define BUSBAR_INVALID -2 /* the record at index `done` can never be accepted; those before it are; the rest is offered again */
#define BUSBAR_FATAL -3   /* this instance is beyond repair: the cell is replaced */

/* ---- Kinds of component ---------------------------------------------------------------------------------------- */

#define BUSBAR_SOURCE 1
#define BUSBAR_PROCESSOR 2
#define BUSBAR_REACTION 3
#define BUSBAR_BOOTSTRAP 4
#define BUSBAR_SERVICE 5
#define BUSBAR_HOOK 6

/* ---- Events ---------------------------------------------------------------------------------------------------- */

#define BUSBAR_OP_MESSAGE 0 /* something happened; appended, never replaced */
#define BUSBAR_OP_INSERT 1  /* the element `key` exists from now on */
#define BUSBAR_OP_UPDATE 2  /* the element `key` changed; what the payload leaves out keeps its value */
#define BUSBAR_OP_DELETE 3  /* the element `key` is gone */

#define BUSBAR_CONTENT_BYTES 0 /* opaque */
#define BUSBAR_CONTENT_TEXT 1  /* UTF-8 expected, not promised */
#define BUSBAR_CONTENT_JSON 2  /* one JSON value, UTF-8 */
#define BUSBAR_CONTENT_MSGPACK 3
#define BUSBAR_CONTENT_CBOR 4
#define BUSBAR_CONTENT_PROTOBUF 5
#define BUSBAR_CONTENT_AVRO 6
#define BUSBAR_CONTENT_ARROW 7 /* one IPC stream; 8 to 127 are reserved, 128 to 255 are private between plugins */

#define BUSBAR_RECORD_MARKED 1u    /* a processor passed this on without having understood it */
#define BUSBAR_RECORD_BOOTSTRAP 2u /* an element that existed before the source was started */
#define BUSBAR_RECORD_TRUNCATED 4u /* the payload was longer than the source's limit */

#define BUSBAR_RECORD_ALIGN 8u
#define BUSBAR_RECORD_MAX 0x7ffffff8u  /* bytes of one record with everything; the arena it must fit into is smaller */
#define BUSBAR_POSITION_MAX 65536u     /* bytes of a position */
#define BUSBAR_ERROR_CAPACITY 4096u    /* bytes of an error buffer, with the NUL */

/* One event in a batch: this header, then key, payload and attributes without gaps, then zeros up to `size`.
 * Records lie end to end, each at an address divisible by 8. In the machine's byte order. */
typedef struct busbar_record {
  uint32_t size;         /* bytes from this header to the next; a multiple of 8, at least sizeof(busbar_record_t) */
  uint8_t operation;     /* BUSBAR_OP_* */
  uint8_t content_type;  /* BUSBAR_CONTENT_* of the payload */
  uint16_t source;       /* which source of the pipeline it came from */
  int64_t timestamp;     /* when it happened, nanoseconds since 1970-01-01T00:00Z; 0: the source does not know */
  uint64_t sequence;     /* its number within that source, counted from 1 for the first event ever; a replay keeps it */
  uint32_t key_length;
  uint32_t payload_length;
  uint32_t attributes_length; /* pairs: uint32 name length, uint32 value length, name, value; not aligned */
  uint32_t flags;             /* BUSBAR_RECORD_* */
} busbar_record_t;

typedef struct busbar_string {
  const char *data;
  uint64_t length;
} busbar_string_t;

typedef struct busbar_bytes {
  const uint8_t *data;
  uint64_t length;
} busbar_bytes_t;

/* ---- A batch --------------------------------------------------------------------------------------------------- */

#define BUSBAR_BATCH_REPLAY 1u /* write: offered before, perhaps by a process that crashed; compare sequences if it matters */
#define BUSBAR_BATCH_DRAIN 2u  /* tick: the pipeline is stopping, emit what is complete */

/* Some thousand events in one arena of the host's memory, 64-byte aligned.
 * Readers never write to `data`: others may be reading it at the same time. */
typedef struct busbar_batch {
  uint32_t size;
  uint32_t flags;    /* BUSBAR_BATCH_* */
  uint8_t *data;     /* first record. OWNERSHIP: the host's; the source's own while `loan` is not null */
  uint64_t capacity; /* bytes that may be written at `data`; 0 when only readable */
  uint64_t length;   /* bytes of records at `data` */
  uint32_t count;    /* records at `data` */
  uint32_t limit;    /* records that may be appended in all; at least 1 */
  uint64_t next_sequence; /* poll: the sequence of the next record; whoever appends stamps it and counts on */
  uint32_t done;          /* write, process: how many records are accepted, or which one is invalid; see the statuses */
  uint32_t source;        /* poll: index of the source, stamped on each record as well */
  uint64_t cursor;   /* process: byte in `data` where to go on after MORE; 0 at first. The processor's to set */
  uint64_t required; /* writers: bytes that the record which did not fit needs; the host then offers a larger arena */
  uint64_t id;       /* write: names this batch in host->complete */
  int64_t now;       /* tick: the time, nanoseconds since 1970; otherwise 0 */
  uint8_t *position; /* poll: written by the source with every append: where to resume right after this batch.
                        OWNERSHIP: the host's, position_capacity bytes */
  uint32_t position_length;
  uint32_t position_capacity;
  void *loan; /* poll: not null when `data` was set to memory of the source's own, 8-byte aligned, at least `length` bytes, which
                 stays unchanged until release(self, loan) */
  struct busbar_batch **out; /* process, tick: one empty batch for each output, in the manifest's order */
  uint32_t out_count;
  uint32_t reserved0;
  uint64_t reserved[4];
} busbar_batch_t;

/* ---- Host services: callable [any-thread] from create to the end of destroy -------------------------------------- */

#define BUSBAR_LOG_TRACE 1
#define BUSBAR_LOG_DEBUG 2
#define BUSBAR_LOG_INFO 3
#define BUSBAR_LOG_WARNING 4
#define BUSBAR_LOG_ERROR 5
#define BUSBAR_LOG_FATAL 6

#define BUSBAR_FIELD_STRING 0
#define BUSBAR_FIELD_NUMBER 1 /* `value` is the number in JSON's notation */
#define BUSBAR_FIELD_BOOL 2   /* `value` is true or false */
#define BUSBAR_FIELD_JSON 3   /* `value` is any JSON */

typedef struct busbar_field {
  busbar_string_t name;
  busbar_string_t value;
  uint32_t type; /* BUSBAR_FIELD_* */
  uint32_t reserved0;
} busbar_field_t;

typedef struct busbar_log_record {
  uint32_t size;
  int32_t level;           /* BUSBAR_LOG_* */
  busbar_string_t target;  /* module or logger the record comes from; may be empty */
  busbar_string_t message;
  int64_t timestamp;       /* nanoseconds since 1970; 0: now */
  uint64_t span_id;        /* 0: none */
  uint64_t parent_span_id; /* 0: none */
  const busbar_field_t *fields;
  uint32_t field_count;
  uint32_t reserved0;
} busbar_log_record_t;

struct busbar_context;

/* What the host offers. Lock-free; never waits; when a ring is full the record is dropped and counted. */
typedef struct busbar_host {
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved0;
  /* Records below this level are thrown away: compare before formatting (a plain load). Never null. */
  const volatile int32_t *log_level;
  /* Logs one record; copied before it returns. `context` may be null outside of an instance. */
  void (*log)(const struct busbar_context *context, const busbar_log_record_t *record);
  /* Adds to a counter; sets a gauge; records one observation. `name` in snake_case with its unit, at most 63 bytes. */
  void (*counter)(const struct busbar_context *context, busbar_string_t name, uint64_t add);
  void (*gauge)(const struct busbar_context *context, busbar_string_t name, double value);
  void (*histogram)(const struct busbar_context *context, busbar_string_t name, double value);
  /* Asks for a call soon: poll of a source, tick of a processor or reaction, write of a reaction that answered AGAIN.
   * Coalesced: any number of wakes before that call are one, and at most one system call. */
  void (*wake)(const struct busbar_context *context);
  /* Ends a PENDING write: `status` OK, FAILED, INVALID or FATAL with `done` as for write, `message` for an error.
   * Exactly once for each PENDING batch, in any order, also from within write. The batch may be gone when it returns. */
  void (*complete)(const struct busbar_context *context, uint64_t batch_id, int32_t status, uint32_t done,
                   busbar_string_t message);
  /* Later services by name; null when the host does not have it. */
  const void *(*extension)(const char *id);
  uint64_t reserved[8];
} busbar_host_t;

/* How far a source's events are finished everywhere: what is beyond may come again, with the same sequence. */
typedef struct busbar_acknowledged {
  busbar_string_t source_id;
  uint64_t sequence; /* 0: none */
  uint32_t source;   /* as in records */
  uint32_t reserved0;
} busbar_acknowledged_t;

/* One component in one pipeline. OWNERSHIP: the host's, valid from create to the end of destroy. */
typedef struct busbar_context {
  uint32_t size;
  uint32_t reserved0;
  const busbar_host_t *host;
  busbar_string_t pipeline_id;
  busbar_string_t component_id;     /* its id in the pipeline */
  busbar_string_t config;           /* JSON object, checked against the manifest's schema, defaults filled in */
  busbar_string_t plugin_directory; /* folder of the plugin's files, read-only */
  busbar_string_t data_directory;   /* private to this component, created on demand by the host, kept over restarts */
  char *error;                      /* message of a call that did not return OK, NUL-terminated; cut to error_capacity.
                                       A call with a busbar_call_t has a buffer of its own there */
  uint32_t error_capacity;
  uint32_t partition_index;         /* which of the pipeline's cells this is, below partition_count */
  uint32_t partition_count;         /* a source that declares "partitioned" gives each cell its share of the keys */
  uint32_t acknowledged_count;
  const busbar_acknowledged_t *acknowledged; /* of the sources upstream; set before start, not yet at create */
  busbar_bytes_t position;                   /* sources: resume right after it; empty: from the beginning. Set before start */
  void *internal;                            /* the host's own */
  busbar_string_t component;                 /* its name in the plugin, as in the manifest */
  uint64_t reserved[2];
} busbar_context_t;

/* ---- Lifecycle: first in every component's table ------------------------------------------------------------------ */

/* OWNERSHIP: `data` belongs to who fills it in: the plugin's in save (until the next call on the instance), the host's in restore. */
typedef struct busbar_state {
  uint32_t size;
  uint32_t version; /* the component's own number for the layout of `data` */
  busbar_bytes_t data;
} busbar_state_t;

/* OWNERSHIP: `message` is the plugin's, valid until the next call on the instance. */
typedef struct busbar_health {
  uint32_t size;
  uint32_t reserved0;
  busbar_string_t message;
} busbar_health_t;

/* All [serialised]. create and destroy must be there. Of services and hooks, health and save may come while calls of slots
 * run; the others come only when none does. */
typedef struct busbar_lifecycle {
  uint32_t size; /* of the whole table that starts with this */
  uint32_t reserved0;
  /* Makes an instance and stores it in *self. OK, FAILED (bad config, with a message) or FATAL; then *self is ignored.
   * Takes nothing exclusive: it may run beside its predecessor. */
  int32_t (*create)(const busbar_context_t *context, void **self);
  /* [created] At most once, before start. OK, INVALID (a state it cannot read) or FATAL. Takes nothing exclusive. */
  int32_t (*restore)(void *self, const busbar_state_t *state);
  /* [created, stopped] Opens, binds, locks. OK, FAILED or FATAL. context->position and ->acknowledged are set. */
  int32_t (*start)(void *self);
  /* [started] Releases what start took; no threads of its own run afterwards, no completions follow. OK or FAILED. */
  int32_t (*stop)(void *self);
  /* [created, stopped; started for a checkpoint] What restore needs to go on. OK, FAILED or FATAL. */
  int32_t (*save)(void *self, busbar_state_t *state);
  /* [created, stopped] The last call. Everything the instance has is freed, its threads have ended. */
  void (*destroy)(void *self);
  /* [created, started, stopped] Cheap; OK, or FAILED with a message for the operator. */
  int32_t (*health)(void *self, busbar_health_t *health);
  void (*reserved[4])(void);
} busbar_lifecycle_t;

/* ---- Components --------------------------------------------------------------------------------------------------- */

typedef struct busbar_source {
  busbar_lifecycle_t lifecycle;
  /* [serialised] [started] Appends events and sets the position after them, up to the limits of the batch.
   * OK (something was appended, there may be more), AGAIN (nothing now; a few records may have been appended all the same),
   * DONE (the end, perhaps with the last records), FAILED (asked again after a backoff), FATAL. When not even one record
   * fits, `required` must be set: OK or AGAIN, and the next call comes with a larger arena. */
  int32_t (*poll)(void *self, busbar_batch_t *batch);
  /* [serialised] [started, stopped] Everything up to `position` is finished everywhere and never asked for again; the last time
   * comes after stop, when all that was under way has arrived. OK or FAILED. */
  int32_t (*commit)(void *self, const busbar_bytes_t *position);
  /* [serialised] [started, stopped] Gives a loan back, exactly once for each. */
  void (*release)(void *self, void *loan);
} busbar_source_t;

typedef struct busbar_processor {
  busbar_lifecycle_t lifecycle;
  /* [serialised] [started] Reads `batch` from `cursor`, appends to batch->out[n]. OK (all of it is read), MORE (an output is full;
   * cursor says where to go on), FAILED, INVALID, FATAL. On FAILED and INVALID the outputs hold what came of the records before
   * `done`, which counts from the record that `cursor` pointed to when the call was made. */
  int32_t (*process)(void *self, busbar_batch_t *batch);
  /* [serialised] [started] Emits without input, every `tick_ms` of the manifest and after a wake; `batch` has only outputs,
   * `now` and flags. A record that stems from no single event has sequence 0. OK, MORE, FAILED or FATAL. */
  int32_t (*tick)(void *self, busbar_batch_t *batch);
} busbar_processor_t;

typedef struct busbar_reaction {
  busbar_lifecycle_t lifecycle;
  /* [serialised] [started] Takes the records. OK, AGAIN (none taken), FAILED, INVALID, FATAL, or PENDING: then `batch` and
   * its memory stay as they are until host->complete. */
  int32_t (*write)(void *self, busbar_batch_t *batch);
  /* [serialised] [started] Makes durable what was accepted; until it returns OK, that may come again. OK, AGAIN, FAILED, FATAL. */
  int32_t (*flush)(void *self);
  /* [serialised] [started] For what depends on time, such as closing a file that has been open for an hour: every `tick_ms` of the
   * manifest and after a wake; `batch` has only `now` and flags. OK, FAILED or FATAL. */
  int32_t (*tick)(void *self, busbar_batch_t *batch);
} busbar_reaction_t;

typedef struct busbar_bootstrap {
  busbar_lifecycle_t lifecycle;
  /* [serialised] [started] Appends elements that exist, as INSERT with a key. MORE, DONE, AGAIN, FAILED, FATAL. */
  int32_t (*fetch)(void *self, busbar_batch_t *batch);
} busbar_bootstrap_t;

typedef struct busbar_header {
  busbar_string_t name; /* lower case */
  busbar_string_t value;
} busbar_header_t;

/* One request and its answer. What the plugin sets is its own, valid until the next call with the same `slot`. */
typedef struct busbar_call {
  uint32_t size;
  uint32_t slot; /* below the manifest's `concurrency`; one call at a time for each slot */
  uint64_t id;
  int64_t deadline; /* nanoseconds since 1970; nobody waits for the answer after it */
  busbar_string_t method;
  busbar_string_t path;
  busbar_string_t query; /* without the question mark */
  const busbar_header_t *headers;
  busbar_bytes_t body; /* service: the input */
  uint32_t header_count;
  uint32_t answer_status; /* HTTP status; 0 means 200 */
  const busbar_header_t *answer_headers;
  busbar_bytes_t answer;
  uint32_t answer_header_count;
  uint32_t reserved0;
  char *error; /* message of this call when it returns INVALID, FAILED or FATAL, NUL-terminated; instead of context->error, since
                  calls of several slots may fail at once */
  uint32_t error_capacity;
  uint32_t reserved1;
  uint64_t reserved[2];
} busbar_call_t;

typedef struct busbar_service {
  busbar_lifecycle_t lifecycle;
  /* [serialised for each slot] [started] OK, INVALID (a bad request), FAILED or FATAL. */
  int32_t (*execute)(void *self, busbar_call_t *call);
} busbar_service_t;

/* [serialised for each slot] [started] OK goes on, with what it changed in the call; DONE: answered; FAILED, INVALID or FATAL. */
typedef struct busbar_hook {
  busbar_lifecycle_t lifecycle;
  int32_t (*before_request)(void *self, busbar_call_t *call);
  int32_t (*handle)(void *self, busbar_call_t *call);
  int32_t (*after_response)(void *self, busbar_call_t *call);
} busbar_hook_t;

/* ---- Root --------------------------------------------------------------------------------------------------------- */

typedef struct busbar_component {
  uint32_t size;
  uint32_t kind;      /* BUSBAR_SOURCE … */
  const char *name;   /* as in the manifest, NUL-terminated */
  const void *table;  /* busbar_source_t … by kind */
} busbar_component_t;

/* OWNERSHIP: the plugin's, constant, valid until the process ends. Must agree with the manifest. */
typedef struct busbar_plugin {
  uint32_t size;
  uint32_t component_count;
  const busbar_component_t *const *components;
  const void *(*extension)(const char *id); /* [any-thread] may be null */
  uint64_t reserved[4];
} busbar_plugin_t;

/* [serialised] Called once, before everything else. Null refuses to be loaded. */
typedef const busbar_plugin_t *(*busbar_plugin_function)(const busbar_host_t *host);

/* ==== BUSBAR ABI FROZEN END ==== */

/* Not contract: marks the three exported symbols. */
#if defined(_WIN32)
#define BUSBAR_EXPORT __declspec(dllexport)
#elif defined(__cplusplus)
#define BUSBAR_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define BUSBAR_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
}
#endif
#endif
