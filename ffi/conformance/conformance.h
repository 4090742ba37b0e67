/*
 * conformance.h: what the files of the conformance driver share.       SPDX-License-Identifier: Apache-2.0
 *
 * The driver loads a plugin and plays the host's part, well and badly, to see whether the plugin keeps the contract. Each check runs
 * in a child process of its own (supervise.c); there it makes worlds (world.c) and instances (instance.c), drives them (drive.c),
 * and ends with pass, fail() or not_applicable(). docs/conformance.md is the guide.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "busbar_json.h"
#include "busbar_sdk.h"

#define KIND(kind) (1u << (kind))
#define ALL_KINDS                                                                                                         \
  (KIND(BUSBAR_SOURCE) | KIND(BUSBAR_PROCESSOR) | KIND(BUSBAR_REACTION) | KIND(BUSBAR_BOOTSTRAP) | KIND(BUSBAR_SERVICE) | \
   KIND(BUSBAR_HOOK))
#define OUTPUTS_MAX 64
#define MESSAGE_MAX 2048
#define NOTES_MAX 8
#define LOGS_MAX 20
#define LINE_MAX_BYTES 256

/* ---- The plan: plan.c --------------------------------------------------------------------------------------------- */

/* Texts, NUL-terminated; `lengths` because a config may hold NULs. */
typedef struct texts {
  char **at;
  size_t *lengths;
  size_t count;
} texts_t;

typedef struct plan {
  busbar_json_t root;
  char *library, *folder, *work, *component, *language, *config;
  size_t config_length;
  uint32_t kind, outputs, concurrency, seed;
  int64_t tick_ms, timeout_ms, memory_mb, events, slow_ms, patience_ms, orders_ms; /* events: -1 when not known */
  int blocking, replayable;
  texts_t valid, defaults, invalid, huge, random;
  busbar_json_t files, input, requests, feed, components, checks, bench;
} plan_t;

/* Reads a plan; ends the process with code 2 and a message where it cannot. */
void plan_read(plan_t *plan, const char *path);
/* The bytes of a base64 text, to be freed; ends the process with code 2 where it is none. */
uint8_t *plan_base64(busbar_json_t value, size_t *length);
uint32_t plan_kind(const char *name);
const char *kind_name(uint32_t kind);

/* ---- The run: what all checks share ------------------------------------------------------------------------------- */

/* Why a plugin may be at fault in any call; a check names those that it is about. */
enum fault {
  FAULT_STATUS,
  FAULT_MESSAGE,
  FAULT_BATCH,
  FAULT_BOUNDS,
  FAULT_SEQUENCE,
  FAULT_POSITION,
  FAULT_LOG,
  FAULT_METRIC,
  FAULT_COMPLETE,
  FAULTS
};

enum op {
  OP_LOAD,
  OP_ROOT,
  OP_CREATE,
  OP_RESTORE,
  OP_START,
  OP_STOP,
  OP_SAVE,
  OP_DESTROY,
  OP_HEALTH,
  OP_POLL,
  OP_COMMIT,
  OP_RELEASE,
  OP_PROCESS,
  OP_TICK,
  OP_WRITE,
  OP_FLUSH,
  OP_FETCH,
  OP_EXECUTE,
  OP_BEFORE,
  OP_HANDLE,
  OP_AFTER,
  OPS
};

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_NOT_APPLICABLE };

/* Shared between the child that runs a check and its supervisor. */
typedef struct shared {
  const char *volatile call; /* a literal: at the same address in both */
  volatile int verdict, exited, exit_code;
  char message[MESSAGE_MAX];
  const char *volatile hint; /* what a crash means here; a literal */
  char notes[NOTES_MAX][LINE_MAX_BYTES];
  uint32_t note_count;
  char logs[LOGS_MAX][LINE_MAX_BYTES];
  _Atomic uint32_t log_count;
} shared_t;

typedef struct check {
  const char *name;
  uint32_t kinds;
  const char *severity, *needs, *proves;
  void (*function)(void);
} check_t;

typedef struct run {
  plan_t plan;
  shared_t *shared;
  char root[1024]; /* folder of this check */
  _Atomic unsigned worlds;
  uint64_t random;
  const busbar_plugin_t *plugin;
  const void *table; /* of the component */
  /* How the host behaves in this check. */
  int guard;      /* arenas end at a page that faults, and the bytes up to it are watched */
  int seal;       /* what is read cannot be written */
  int new_thread; /* each call is made from a thread of its own */
  int slow_host;  /* log and metrics wait a little now and then */
  int lenient;    /* what the check "lifecycle" is about is not looked at */
  int tight;      /* arenas are exactly as large as they say, for a memory checker */
  /* What was seen. */
  char faults[FAULTS][LINE_MAX_BYTES];
  uint64_t slowest[OPS]; /* nanoseconds */
  _Atomic uint64_t logged, measured;
} run_t;

extern run_t run;

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void not_applicable(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Remembers the first fault of its sort. */
void fault(enum fault sort, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fails with what fault() remembered of this sort, if anything. */
void fail_on(enum fault sort);
uint64_t next_random(void);
uint64_t nanoseconds(void); /* monotonic */
void set_up_random(uint64_t seed);
void run_checks(const char *result_path);
/* Says in run.shared why a child ended without a verdict; `late`: it was killed for taking too long. *signal may be "". */
void judge(int status, int late, const char **signal);
int run_bench(const char *result_path);
void write_json_string(FILE *file, const char *text);
const char *status_name(int32_t status);
const char *op_name(enum op op);

/* ---- Worlds: world.c ---------------------------------------------------------------------------------------------- */

/* A private folder with the plan's files, a data folder, a free port, and how far the feed has come. */
typedef struct world {
  char files[1100], data[1100];
  unsigned port;
  uint32_t fed;
} world_t;

world_t *world_new(void);
void world_free(world_t *world); /* the folder stays until the end of the run */
/* Replaces ${dir} and ${port}; to be freed. */
char *world_text(const world_t *world, const char *text, size_t *length);
/* Does the next step of the feed; 0 when there is none left. */
int world_feed(world_t *world);

/* ---- The host and instances: host.c, instance.c ------------------------------------------------------------------- */

#define COMPLETIONS_MAX 512

typedef struct completion {
  uint64_t id;
  int32_t status;
  uint32_t done, times;
} completion_t;

typedef struct instance {
  busbar_context_t context; /* first: a context is its instance */
  world_t *world;
  char *config;
  char error[BUSBAR_ERROR_CAPACITY + 64];
  void *self;
  int created, started;
  uint64_t next_sequence, next_batch;
  busbar_acknowledged_t acknowledged;
  uint8_t *position;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  uint64_t wakes, late_completions;
  completion_t completions[COMPLETIONS_MAX]; /* of batches that are, or were, pending */
  uint32_t completion_count;
} instance_t;

extern const busbar_host_t conformance_host;
extern volatile int32_t host_log_level;

/* Loads the library and finds the component; once. */
void plugin_load(void);
/* Made, but create not yet called. `config` null: the plan's. */
instance_t *instance_new(world_t *world, const char *config, size_t length);
/* One call into the plugin, with everything that can be checked about it. `argument` is what the function takes after self; a request is
 * given an error buffer, which is this thread's until its next request. */
int32_t invoke(instance_t *i, enum op op, void *argument);
/* Whether the table offers it. */
int offers(enum op op);
/* create and start, which must answer OK; instance_try_start() takes any answer. */
instance_t *instance_running(world_t *world);
void instance_create(instance_t *i);
void instance_start(instance_t *i);
int32_t instance_try_start(instance_t *i);
void instance_stop(instance_t *i);
/* destroy, where it was created, and free. Does not stop it. */
void instance_free(instance_t *i);
/* The state, copied; null with length 0 where save is not offered or answered FAILED. */
uint8_t *instance_save(instance_t *i, uint32_t *version, uint64_t *length);
int32_t instance_restore(instance_t *i, const void *data, uint64_t length, uint32_t version);
typedef struct kept_state {
  uint8_t *data;
  uint64_t length;
  uint32_t version;
} kept_state_t;

/* What an instance that has worked a little saves; of a new instance in `world`, while it runs or stopped. */
kept_state_t state_of(world_t *world, int running);
void instance_position(instance_t *i, const void *position, uint64_t length);
/* Waits for more wakes than `seen`; 0 after `milliseconds`. */
int wait_wake(instance_t *i, uint64_t seen, int milliseconds);
uint64_t wakes_of(instance_t *i);
/* How often `id` was completed so far; fills in *out. */
uint32_t completion_of(instance_t *i, uint64_t id, completion_t *out);
/* Waits for a completion of `id`; 0 after `milliseconds`. */
int wait_completion(instance_t *i, uint64_t id, int milliseconds, completion_t *out);

/* ---- Batches: batch.c --------------------------------------------------------------------------------------------- */

typedef struct arena {
  busbar_batch_t batch; /* first */
  uint8_t *memory, *own;
  size_t mapped;
  uint64_t capacity;
  uint8_t *position;
} arena_t;

/* Records one after the other, kept for comparing. */
typedef struct stream {
  uint8_t *data;
  uint64_t length, capacity;
  uint32_t count;
} stream_t;

arena_t *arena_new(uint64_t capacity, uint32_t limit);
void arena_free(arena_t *arena);
void arena_reset(arena_t *arena);
/* A larger arena where `required` asks for one; 0 where it does not. */
int arena_grow(arena_t **arena);
/* Checks what a plugin wrote; notes faults. Returns whether the records can be walked. */
int arena_check(const arena_t *arena);
/* Makes it what a reader gets. */
void arena_seal(arena_t *arena);
void stream_append(stream_t *stream, const busbar_batch_t *batch);
void stream_free(stream_t *stream);
/* Where two streams of records first differ, from record `from` of `a` on, times apart; -1: nowhere. */
int64_t stream_difference(const stream_t *a, uint32_t from, const stream_t *b);
/* Byte of the record `index` records after the one at `from`; those there are before it are counted in *walked. */
uint64_t offset_after(const busbar_batch_t *batch, uint64_t from, uint32_t index, uint32_t *walked);
/* The plan's input, or a seeded mix: `count` records at most, from `first` on, in a sealed batch. Null at the end. */
arena_t *input_batch(uint32_t first, uint32_t count);
uint32_t input_count(void);
/* `count` records: the input again and again. */
arena_t *input_repeated(uint32_t count);

/* ---- Driving: drive.c --------------------------------------------------------------------------------------------- */

typedef struct drive {
  uint64_t capacity; /* of arenas that the plugin writes to; 0: roomy */
  uint32_t limit;    /* records for each batch, of a source's or to read; 0: 16 */
  uint32_t out_limit; /* records that a processor's output takes; 0: plenty */
  uint32_t events;   /* stop after so many; 0: all there are */
  int64_t expected;  /* source: how many are left; -1: not known */
  int quiet_ms;      /* source: end of silence where nobody knows how many come; 0: 150 */
  int only_woken;    /* source: after AGAIN, poll only when woken */
  uint32_t source;   /* index of the source */
  stream_t out[OUTPUTS_MAX];
  uint32_t polls, agains, accepted, pending, mores, lent;
  int done;
  uint8_t *position; /* source: the last one that came */
  uint64_t position_length;
  /* source: after each poll with records. Takes a loan over by setting it to null. */
  void (*batch)(instance_t *i, struct drive *how, busbar_batch_t *batch);
  void *data;
} drive_t;

#define DRIVE \
  (drive_t) { .expected = run.plan.events }
/* A few events, so that something has happened. */
#define SHORT_DRIVE (drive_t){.expected = -1, .events = 4, .limit = 4, .quiet_ms = 1}
#define NOW INT64_C(1700000000000000000)

/* A life between start and stop: reads, processes, writes, fetches or answers, by kind. */
void drive(instance_t *i, drive_t *how);
void drive_free(drive_t *how);
/* process over `input`, until all of it is read, with outputs of the drive's sizes. */
void drive_input(instance_t *i, drive_t *how, arena_t *input);
/* tick until it has no MORE. */
void drive_tick(instance_t *i, drive_t *how, int64_t now, uint32_t flags);
/* Offers a batch until it is taken, or at least not taken for ever; the last status. */
int32_t drive_write(instance_t *i, drive_t *how, arena_t *input, uint32_t flags);
/* The requests of the plan, or a seeded mix. To be freed with requests_free(). */
typedef struct request {
  busbar_call_t call;
  busbar_header_t headers[16];
  char *texts[40];
  uint32_t text_count;
} request_t;
request_t *requests_new(uint32_t *count);
void requests_free(request_t *requests, uint32_t count);
/* A whole life in a world of its own; the instance is gone afterwards. */
void live(drive_t *how);
void nap(int milliseconds);

/* ---- The checks --------------------------------------------------------------------------------------------------- */

extern const check_t *const check_lists[]; /* of arrays that end with a null name; ends with null */
const check_t *find_check(const char *name);

/* /proc/self, of the child. */
uint32_t count_threads(void);
uint32_t count_descriptors(void);

/* ---- Orders of lifecycle calls: checks_life.c --------------------------------------------------------------------- */

/* An order: restore or not, what happens when created, when started, when stopped, and whether it starts again. Each of the
 * three is one of none, save, health, save health, health save. */
#define VISITS 5
#define ORDERS (2 * VISITS * (1 + VISITS * VISITS * 2))

/* One life that makes its calls in this order, of 0 to ORDERS - 1. `state`: what restore is given. */
void try_order(world_t *world, const kept_state_t *state, unsigned order);

#endif
