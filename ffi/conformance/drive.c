/* Lives between start and stop, as the host would lead them. */
#include <time.h>
#include <unistd.h>

#include "conformance.h"

#define ROOMY (1u << 20)

static uint32_t batch_limit(const drive_t *how) { return how->limit > 0 ? how->limit : 16; }

void nap(int milliseconds) { nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL); }

void drive_free(drive_t *how) {
  for (uint32_t n = 0; n < OUTPUTS_MAX; n++) stream_free(&how->out[n]);
  free(how->position);
  how->position = NULL;
}

/* ---- Sources ------------------------------------------------------------------------------------------------------ */

static void check_sequences(instance_t *i, const busbar_batch_t *batch) {
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  uint64_t sequence = i->next_sequence;
  for (; (record = busbar_next(&it)) != NULL; sequence++) {
    if (record->sequence != sequence)
      fault(FAULT_SEQUENCE, "A record has sequence %llu where %llu follows", (unsigned long long)record->sequence,
            (unsigned long long)sequence);
    if (record->source != batch->source)
      fault(FAULT_SEQUENCE, "A record says it is of source %u, not %u", record->source, batch->source);
  }
  if (batch->next_sequence != sequence)
    fault(FAULT_SEQUENCE, "next_sequence is %llu after a batch, not %llu", (unsigned long long)batch->next_sequence,
          (unsigned long long)sequence);
}

/* Hands on what a poll gave: kept, committed, released. */
static void take_batch(instance_t *i, drive_t *how, arena_t *arena) {
  busbar_batch_t *batch = &arena->batch;
  if (!arena_check(arena))
    fail("poll gave a batch that cannot be read: %s",
         run.faults[FAULT_BATCH][0] ? run.faults[FAULT_BATCH] : run.faults[FAULT_BOUNDS]);
  check_sequences(i, batch);
  if (batch->loan != NULL) how->lent += 1;
  if (batch->count > 0) {
    stream_append(&how->out[0], batch);
    i->next_sequence += batch->count;
    how->accepted += batch->count;
    if (batch->position_length == 0) fault(FAULT_POSITION, "poll gave records without a position");
    if (batch->position_length > 0 && batch->position_length <= BUSBAR_POSITION_MAX) {
      free(how->position);
      how->position = malloc(batch->position_length);
      how->position_length = batch->position_length;
      if (how->position == NULL) fail("Cannot check: out of memory");
      memcpy(how->position, batch->position, batch->position_length);
    }
    if (how->batch != NULL) how->batch(i, how, batch);
  }
  if (batch->loan != NULL) invoke(i, OP_RELEASE, batch->loan);
  if (batch->count > 0 && batch->position_length > 0 && offers(OP_COMMIT)) {
    busbar_bytes_t position = {how->position, how->position_length};
    invoke(i, OP_COMMIT, &position);
  }
}

/* After AGAIN: feeds, waits. 0 when nothing more is to come. */
static int wait_for_events(instance_t *i, drive_t *how, uint64_t seen, uint64_t quiet_since) {
  uint64_t silence = (nanoseconds() - quiet_since) / 1000000;
  int known = how->expected >= 0;
  if (known && how->accepted >= how->expected) return 0;
  if (!world_feed(i->world) && !known && silence >= (uint64_t)(how->quiet_ms > 0 ? how->quiet_ms : 150)) return 0;
  if (how->only_woken) {
    if (wait_wake(i, seen, known ? (int)run.plan.patience_ms : 200)) return 1;
    if (!known) return 0;
    fail("poll answered AGAIN after %u of %lld events, and no wake came", how->accepted, (long long)how->expected);
  }
  if (known && silence > (uint64_t)run.plan.patience_ms)
    fail("Only %u of %lld events came", how->accepted, (long long)how->expected);
  wait_wake(i, seen, 2);
  return 1;
}

static void drive_source(instance_t *i, drive_t *how) {
  arena_t *arena = arena_new(how->capacity > 0 ? how->capacity : ROOMY, batch_limit(how));
  uint64_t quiet_since = nanoseconds();
  uint32_t failures = 0;
  for (;;) {
    uint64_t seen = wakes_of(i);
    int32_t status;
    arena_reset(arena);
    arena->batch.next_sequence = i->next_sequence;
    arena->batch.source = how->source;
    status = invoke(i, OP_POLL, &arena->batch);
    how->polls += 1;
    take_batch(i, how, arena);
    if (arena->batch.count > 0) quiet_since = nanoseconds(), failures = 0;
    if (status == BUSBAR_FATAL) fail("poll answered FATAL: %s", i->error);
    if (status == BUSBAR_DONE) how->done = 1;
    if (how->done || (how->events > 0 && how->accepted >= how->events)) break;
    if (how->expected >= 0 ? how->accepted > how->expected + 100 : how->accepted >= 1000) break;
    if (status == BUSBAR_FAILED) {
      if (++failures > 3) fail("poll answered FAILED again and again: %s", i->error);
      nap(1);
      continue;
    }
    if (arena->batch.count == 0 && (arena->batch.required > 0 || arena->batch.limit == 0) && arena_grow(&arena)) continue;
    if (status == BUSBAR_OK && arena->batch.count == 0) fault(FAULT_STATUS, "poll answered OK without a record");
    if (status == BUSBAR_OK && arena->batch.count > 0) continue;
    how->agains += 1;
    if (arena->batch.count > 0 && !how->only_woken) continue;
    if (!wait_for_events(i, how, seen, quiet_since)) break;
  }
  arena_free(arena);
}

/* ---- Processors --------------------------------------------------------------------------------------------------- */

typedef struct outputs {
  arena_t *arenas[OUTPUTS_MAX];
  busbar_batch_t *batches[OUTPUTS_MAX];
} outputs_t;

static void outputs_new(outputs_t *to, const drive_t *how) {
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    to->arenas[n] = arena_new(how->capacity > 0 ? how->capacity : ROOMY, how->out_limit > 0 ? how->out_limit : 65536);
    to->batches[n] = &to->arenas[n]->batch;
  }
}

static void outputs_offer(outputs_t *to, busbar_batch_t *batch) {
  for (uint32_t n = 0; n < run.plan.outputs; n++) arena_reset(to->arenas[n]);
  batch->out = to->batches;
  batch->out_count = run.plan.outputs;
}

/* Keeps what was written. Returns whether anything was, or a larger arena was asked for and made. */
static int outputs_take(outputs_t *from, drive_t *how, const char *call) {
  int moved = 0;
  for (uint32_t n = 0; n < run.plan.outputs; n++) {
    arena_t *arena = from->arenas[n];
    if (!arena_check(arena)) fail("%s gave a batch that cannot be read", call);
    stream_append(&how->out[n], &arena->batch);
    how->accepted += arena->batch.count;
    moved |= arena->batch.count > 0;
    if (arena->batch.count == 0) moved |= arena_grow(&from->arenas[n]);
    from->batches[n] = &from->arenas[n]->batch;
  }
  return moved;
}

static void outputs_free(outputs_t *outputs) {
  for (uint32_t n = 0; n < run.plan.outputs; n++) arena_free(outputs->arenas[n]);
}

uint64_t offset_after(const busbar_batch_t *batch, uint64_t from, uint32_t index, uint32_t *walked) {
  busbar_iterator_t it = busbar_iterate_from(batch, from);
  uint64_t at = from;
  *walked = 0;
  while (*walked < index && busbar_next(&it) != NULL) at = busbar_offset(&it), *walked += 1;
  return at;
}

void drive_input(instance_t *i, drive_t *how, arena_t *input) {
  busbar_batch_t *batch = &input->batch;
  uint32_t failures = 0, stuck = 0, walked;
  outputs_t outputs;
  outputs_new(&outputs, how);
  for (;;) {
    uint64_t before = batch->cursor;
    int32_t status;
    int moved;
    outputs_offer(&outputs, batch);
    batch->done = 0;
    status = invoke(i, OP_PROCESS, batch);
    moved = outputs_take(&outputs, how, "process") || batch->cursor > before;
    if (batch->cursor > batch->length)
      fail("process set the cursor to %llu in a batch of %llu bytes", (unsigned long long)batch->cursor,
           (unsigned long long)batch->length);
    if (status == BUSBAR_FATAL) fail("process answered FATAL: %s", i->error);
    if (status == BUSBAR_MORE) {
      how->mores += 1;
      if (!moved && ++stuck > 3) fail("process answered MORE again and again without going on");
      if (moved) stuck = 0;
      continue;
    }
    if (status != BUSBAR_FAILED && status != BUSBAR_INVALID) break;
    batch->cursor = offset_after(batch, before, batch->done, &walked);
    if (walked < batch->done || (status == BUSBAR_INVALID && batch->cursor >= batch->length))
      fault(FAULT_STATUS, "process answered %s with done %u, which is past the batch", status_name(status), batch->done);
    if (status == BUSBAR_INVALID || ++failures > 3) batch->cursor = offset_after(batch, batch->cursor, 1, &walked), failures = 0;
    if (batch->cursor >= batch->length) break;
  }
  outputs_free(&outputs);
}

void drive_tick(instance_t *i, drive_t *how, int64_t now, uint32_t flags) {
  busbar_batch_t batch = {.size = sizeof batch, .flags = flags, .now = now};
  uint32_t stuck = 0;
  int32_t status;
  outputs_t outputs;
  if (!offers(OP_TICK)) return;
  if (run.plan.kind == BUSBAR_REACTION) {
    status = invoke(i, OP_TICK, &batch);
    if (status == BUSBAR_FATAL) fail("tick answered FATAL: %s", i->error);
    if (status == BUSBAR_MORE) fault(FAULT_STATUS, "tick of a reaction answered MORE, which it must not");
    return;
  }
  outputs_new(&outputs, how);
  do {
    outputs_offer(&outputs, &batch);
    status = invoke(i, OP_TICK, &batch);
    if (status == BUSBAR_FATAL) fail("tick answered FATAL: %s", i->error);
    if (outputs_take(&outputs, how, "tick")) stuck = 0;
    else if (status == BUSBAR_MORE && ++stuck > 3) fail("tick answered MORE again and again without going on");
    how->mores += status == BUSBAR_MORE;
  } while (status == BUSBAR_MORE);
  outputs_free(&outputs);
}

static void drive_processor(instance_t *i, drive_t *how) {
  uint32_t limit = batch_limit(how), end = how->events > 0 ? how->events : UINT32_MAX;
  arena_t *input;
  for (uint32_t at = 0; at < end && (input = input_batch(at, limit)) != NULL; at += limit) {
    drive_input(i, how, input);
    arena_free(input);
    drive_tick(i, how, NOW + at, 0);
  }
  drive_tick(i, how, NOW + INT64_C(60000000000), BUSBAR_BATCH_DRAIN);
}

/* ---- Reactions ---------------------------------------------------------------------------------------------------- */

/* What is left of a batch after `skip` records. */
static void shorten(busbar_batch_t *batch, uint32_t skip) {
  uint32_t walked;
  uint64_t bytes = offset_after(batch, 0, skip, &walked);
  batch->data += bytes;
  batch->length -= bytes;
  batch->count -= walked;
}

int32_t drive_write(instance_t *i, drive_t *how, arena_t *input, uint32_t flags) {
  busbar_batch_t *batch = &input->batch;
  uint64_t begun = nanoseconds();
  uint32_t failures = 0;
  int32_t status;
  int backoff = 1;
  for (;;) {
    uint64_t seen = wakes_of(i);
    completion_t completion;
    batch->id = i->next_batch++;
    batch->flags = flags;
    batch->done = 0;
    status = invoke(i, OP_WRITE, batch);
    if (status == BUSBAR_PENDING) {
      how->pending += 1;
      if (!wait_completion(i, batch->id, (int)run.plan.patience_ms, &completion))
        fail("A PENDING batch was not completed within %lld ms", (long long)run.plan.patience_ms);
      status = completion.status;
      batch->done = completion.done;
    }
    if (status == BUSBAR_FATAL) fail("write answered FATAL: %s", i->error);
    if (status == BUSBAR_AGAIN) {
      how->agains += 1;
      if (nanoseconds() - begun > (uint64_t)run.plan.patience_ms * 1000000) return status;
      wait_wake(i, seen, backoff);
      backoff = backoff < 50 ? backoff * 2 : 100;
      continue;
    }
    if (status != BUSBAR_FAILED && status != BUSBAR_INVALID) break;
    if (batch->done > batch->count || (status == BUSBAR_INVALID && batch->done == batch->count && batch->count > 0))
      fault(FAULT_STATUS, "write answered %s with done %u in a batch of %u", status_name(status), batch->done, batch->count);
    how->accepted += batch->done < batch->count ? batch->done : batch->count;
    failures += status == BUSBAR_FAILED;
    shorten(batch, batch->done + (status == BUSBAR_INVALID || failures > 3));
    if (failures > 3) failures = 0;
    if (batch->count == 0) return status;
    flags |= BUSBAR_BATCH_REPLAY;
    nap(1);
  }
  how->accepted += batch->count;
  return status;
}

static void drive_reaction(instance_t *i, drive_t *how) {
  uint32_t limit = batch_limit(how), end = how->events > 0 ? how->events : UINT32_MAX;
  arena_t *input;
  for (uint32_t at = 0; at < end && (input = input_batch(at, limit)) != NULL; at += limit) {
    if (drive_write(i, how, input, 0) == BUSBAR_AGAIN) fail("write answered AGAIN for %lld ms", (long long)run.plan.patience_ms);
    arena_free(input);
    drive_tick(i, how, NOW + at, 0);
  }
  for (int attempt = 0; attempt < 10 && offers(OP_FLUSH) && invoke(i, OP_FLUSH, NULL) == BUSBAR_AGAIN; attempt++) nap(1);
}

/* ---- Bootstrap ---------------------------------------------------------------------------------------------------- */

static void drive_bootstrap(instance_t *i, drive_t *how) {
  arena_t *arena = arena_new(how->capacity > 0 ? how->capacity : ROOMY, batch_limit(how));
  uint32_t stuck = 0;
  while (!how->done && (how->events == 0 || how->accepted < how->events)) {
    uint64_t seen = wakes_of(i);
    int32_t status;
    arena_reset(arena);
    arena->batch.next_sequence = i->next_sequence;
    status = invoke(i, OP_FETCH, &arena->batch);
    how->polls += 1;
    if (!arena_check(arena)) fail("fetch gave a batch that cannot be read");
    stream_append(&how->out[0], &arena->batch);
    i->next_sequence = arena->batch.next_sequence;
    how->accepted += arena->batch.count;
    if (status == BUSBAR_FATAL || status == BUSBAR_FAILED) fail("fetch answered %s: %s", status_name(status), i->error);
    if (status == BUSBAR_DONE) how->done = 1;
    if (arena->batch.count > 0 || arena_grow(&arena)) stuck = 0;
    else if (status == BUSBAR_MORE && ++stuck > 3) fail("fetch answered MORE again and again without going on");
    if (status == BUSBAR_AGAIN) wait_wake(i, seen, 2);
  }
  arena_free(arena);
}

/* ---- Services and hooks ------------------------------------------------------------------------------------------- */

static void own_request(request_t *request, const char *method, const char *path, const char *body) {
  busbar_call_t *call = &request->call;
  request->headers[0] = (busbar_header_t){busbar_string("content-type"), busbar_string("application/json")};
  request->headers[1] = (busbar_header_t){busbar_string("x-empty"), busbar_string("")};
  call->headers = request->headers;
  call->header_count = 2;
  call->method = busbar_string(method);
  call->path = busbar_string(path);
  call->query = busbar_string("a=1&b=%20");
  call->body = (busbar_bytes_t){(const uint8_t *)body, strlen(body)};
}

static void plan_request(request_t *request, busbar_json_t from) {
  busbar_json_iterator_t headers = busbar_json_iterate(busbar_json_get(from, "headers"));
  busbar_call_t *call = &request->call;
  busbar_string_t *const TEXTS[] = {&call->method, &call->path, &call->query};
  static const char *const NAMES[] = {"method", "path", "query"};
  size_t length;
  for (int n = 0; n < 3; n++) {
    char *text = busbar_json_text(busbar_json_get(from, NAMES[n]));
    request->texts[request->text_count++] = text;
    *TEXTS[n] = busbar_string(text);
  }
  request->texts[request->text_count++] = (char *)plan_base64(busbar_json_get(from, "body"), &length);
  call->body = (busbar_bytes_t){(const uint8_t *)request->texts[3], length};
  while (call->header_count < 16 && busbar_json_next(&headers)) {
    busbar_json_iterator_t pair = busbar_json_iterate(headers.value);
    busbar_header_t *header = &request->headers[call->header_count++];
    char *name = busbar_json_next(&pair) ? busbar_json_text(pair.value) : NULL,
         *value = busbar_json_next(&pair) ? busbar_json_text(pair.value) : NULL;
    request->texts[request->text_count++] = name;
    request->texts[request->text_count++] = value;
    *header = (busbar_header_t){busbar_string(name), busbar_string(value)};
  }
  call->headers = request->headers;
}

request_t *requests_new(uint32_t *count) {
  busbar_json_iterator_t it = busbar_json_iterate(run.plan.requests);
  request_t *requests = calloc(64, sizeof *requests);
  uint32_t n = 0;
  if (requests == NULL) fail("Cannot check: out of memory");
  while (n < 64 && busbar_json_next(&it)) plan_request(&requests[n++], it.value);
  if (n == 0) {
    own_request(&requests[n++], "GET", "/", "");
    own_request(&requests[n++], "POST", "/api/v1/things", "{\"a\":1}");
    own_request(&requests[n++], "PUT", "/a%20b/\xc3\xa9", "some text");
    own_request(&requests[n++], "DELETE", "//", "[1,2,3]");
  }
  for (uint32_t at = 0; at < n; at++) {
    requests[at].call.size = sizeof requests[at].call;
    requests[at].call.id = at + 1;
    requests[at].call.deadline = NOW;
    requests[at].call.slot = run.plan.concurrency > 0 ? at % run.plan.concurrency : 0;
  }
  *count = n;
  return requests;
}

void requests_free(request_t *requests, uint32_t count) {
  for (uint32_t n = 0; n < count; n++)
    for (uint32_t t = 0; t < requests[n].text_count; t++) free(requests[n].texts[t]);
  free(requests);
}

/* An answer as a record, to compare. */
static void keep_answer(drive_t *how, const busbar_call_t *call, int32_t status) {
  uint64_t size = busbar_record_size(0, call->answer.length, 0);
  busbar_batch_t batch = {.data = malloc(size), .capacity = size, .limit = 1};
  busbar_event_t event = {.payload = call->answer.data,
                          .payload_length = (uint32_t)call->answer.length,
                          .flags = call->answer_status << 8 | (uint8_t)status};
  if (call->answer.length > 0 && call->answer.data == NULL)
    fail("The answer has %llu bytes at null", (unsigned long long)call->answer.length);
  if (batch.data == NULL || !busbar_append(&batch, &event)) fail("Cannot check: out of memory");
  stream_append(&how->out[0], &batch);
  free(batch.data);
}

static void drive_calls(instance_t *i, drive_t *how) {
  uint32_t count;
  request_t *requests = requests_new(&count);
  for (uint32_t n = 0; n < count; n++) {
    busbar_call_t *call = &requests[n].call;
    for (enum op op = run.plan.kind == BUSBAR_SERVICE ? OP_EXECUTE : OP_BEFORE;
         op <= (run.plan.kind == BUSBAR_SERVICE ? OP_EXECUTE : OP_AFTER); op++) {
      int32_t status = offers(op) ? invoke(i, op, call) : BUSBAR_OK;
      if (status == BUSBAR_FATAL) fail("%s answered FATAL: %s", op_name(op), call->error);
      if (offers(op)) keep_answer(how, call, status);
      how->accepted += 1;
    }
  }
  requests_free(requests, count);
}

void drive(instance_t *i, drive_t *how) {
  switch (run.plan.kind) {
    case BUSBAR_SOURCE:
      drive_source(i, how);
      break;
    case BUSBAR_PROCESSOR:
      drive_processor(i, how);
      break;
    case BUSBAR_REACTION:
      drive_reaction(i, how);
      break;
    case BUSBAR_BOOTSTRAP:
      drive_bootstrap(i, how);
      break;
    default:
      drive_calls(i, how);
  }
}

void live(drive_t *how) {
  world_t *world = world_new();
  instance_t *i = instance_running(world);
  drive(i, how);
  instance_stop(i);
  instance_free(i);
  world_free(world);
}
