/* A component of each kind, as small as it can be. */
#ifndef SDK_PLUGIN_H
#define SDK_PLUGIN_H

#include "busbar_sdk.h"
#include "busbar_json.h"

/* All kinds share this. */
typedef struct small {
  const busbar_context_t *context;
  uint64_t count;
  uint64_t batch_id;
  int lend;
  busbar_buffer_t bytes;
  uint64_t memory[64];
} small_t;

static int32_t small_create(const busbar_context_t *context, void **self) {
  small_t *small = calloc(1, sizeof *small);
  if (small == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the component: out of memory");
  small->context = context;
  busbar_json_bool(busbar_json_get(busbar_json(context->config), "lend"), &small->lend);
  *self = small;
  return BUSBAR_OK;
}

static int32_t small_start(void *self) {
  small_t *small = self;
  busbar_reader_t reader = busbar_reader(small->context->position);
  if (small->context->position.length > 0) small->count = busbar_read_u64(&reader);
  return reader.failed ? busbar_error(small->context, BUSBAR_FAILED, "Cannot resume: the position does not fit") : BUSBAR_OK;
}

static void small_destroy(void *self) {
  free(((small_t *)self)->bytes.data);
  free(self);
}

static int32_t small_save(void *self, busbar_state_t *state) {
  small_t *small = self;
  small->bytes.length = 0;
  busbar_buffer_u64(&small->bytes, small->count);
  busbar_set_state(state, 3, small->bytes.data, small->bytes.length);
  return BUSBAR_OK;
}

static int32_t small_restore(void *self, const busbar_state_t *state) {
  small_t *small = self;
  busbar_reader_t reader = busbar_reader(state->data);
  small->count = busbar_read_u64(&reader);
  if (reader.failed || reader.left > 0) return busbar_error(small->context, BUSBAR_INVALID, "Cannot restore: the state does not fit");
  return BUSBAR_OK;
}

/* Three lines, then the end. */
static int32_t lines_poll(void *self, busbar_batch_t *batch) {
  small_t *small = self;
  char text[16];
  busbar_event_t event = {.payload = text, .content_type = BUSBAR_CONTENT_TEXT};
  if (small->lend) {
    busbar_lend(batch, small->memory, sizeof small->memory, small);
    busbar_gauge(small->context, "loans", 1);
  }
  for (; small->count < 3; small->count++) {
    event.payload_length = (uint32_t)snprintf(text, sizeof text, "line %d", (int)small->count + 1);
    if (!busbar_append(batch, &event)) break;
  }
  busbar_set_position(batch, &small->count, sizeof small->count);
  return small->count < 3 ? BUSBAR_OK : BUSBAR_DONE;
}

static int32_t lines_commit(void *self, const busbar_bytes_t *position) {
  if (position->length == sizeof(uint64_t)) return BUSBAR_OK;
  return busbar_error(((small_t *)self)->context, BUSBAR_FAILED, "Cannot commit a position of another size");
}

static void lines_release(void *self, void *loan) {
  if (loan == self) busbar_gauge(((small_t *)self)->context, "loans", 0);
}

static int32_t total_process(void *self, busbar_batch_t *batch) {
  small_t *small = self;
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  while (busbar_next(&it) != NULL) small->count++;
  return it.malformed ? busbar_malformed(small->context, batch, &it) : BUSBAR_OK;
}

static int32_t total_tick(void *self, busbar_batch_t *batch) {
  char text[32];
  busbar_event_t event = {.payload = text, .timestamp = batch->now};
  event.payload_length = (uint32_t)snprintf(text, sizeof text, "%d", (int)((small_t *)self)->count);
  return busbar_emit(batch->out[0], &event) ? BUSBAR_OK : BUSBAR_MORE;
}

static int32_t slow_write(void *self, busbar_batch_t *batch) {
  ((small_t *)self)->batch_id = batch->id;
  return BUSBAR_PENDING;
}

static int32_t slow_tick(void *self, busbar_batch_t *batch) {
  small_t *small = self;
  if (batch->now > 0) busbar_complete(small->context, small->batch_id, BUSBAR_FAILED, 0, "too slow");
  return BUSBAR_OK;
}

static int32_t elements_fetch(void *self, busbar_batch_t *batch) {
  small_t *small = self;
  busbar_event_t event = {.key = "abc", .key_length = 1, .operation = BUSBAR_OP_INSERT};
  for (; small->count < 3; small->count++) {
    event.key = "abc" + small->count;
    if (!busbar_append(batch, &event)) return BUSBAR_MORE;
  }
  return BUSBAR_DONE;
}

static int32_t echo_execute(void *self, busbar_call_t *call) {
  static const busbar_header_t plain[] = {{{"content-type", 12}, {"text/plain", 10}}};
  small_t *small = self;
  busbar_string_t type;
  if (!busbar_request_header(call, "content-type", &type)) {
    char path[32];
    snprintf(path, sizeof path, "%.*s", (int)call->path.length, call->path.data);
    return busbar_call_error(call, BUSBAR_INVALID, "Cannot echo %s without a type", path);
  }
  small->bytes.length = 0;
  busbar_buffer_bytes(&small->bytes, call->body.data, (size_t)call->body.length);
  busbar_answer(call, 201, small->bytes.data, small->bytes.length);
  busbar_answer_headers(call, plain, 1);
  return BUSBAR_OK;
}

static int32_t guard_before_request(void *self, busbar_call_t *call) {
  (void)self;
  if (call->path.length < 8 || memcmp(call->path.data, "/private", 8) != 0) return BUSBAR_OK;
  busbar_answer(call, 403, "no", 2);
  return BUSBAR_DONE;
}

#define SMALL_LIFECYCLE(type) \
  {.size = sizeof(type), .create = small_create, .restore = small_restore, .start = small_start, .save = small_save, .destroy = small_destroy}

static const busbar_source_t lines = {
    .lifecycle = SMALL_LIFECYCLE(busbar_source_t), .poll = lines_poll, .commit = lines_commit, .release = lines_release};
static const busbar_processor_t total = {.lifecycle = SMALL_LIFECYCLE(busbar_processor_t), .process = total_process, .tick = total_tick};
static const busbar_reaction_t slow = {.lifecycle = SMALL_LIFECYCLE(busbar_reaction_t), .write = slow_write, .tick = slow_tick};
static const busbar_bootstrap_t elements = {.lifecycle = SMALL_LIFECYCLE(busbar_bootstrap_t), .fetch = elements_fetch};
static const busbar_service_t echo = {.lifecycle = SMALL_LIFECYCLE(busbar_service_t), .execute = echo_execute};
static const busbar_hook_t guard = {.lifecycle = SMALL_LIFECYCLE(busbar_hook_t), .before_request = guard_before_request};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_SOURCE, "lines", lines),
              BUSBAR_COMPONENT(BUSBAR_PROCESSOR, "total", total),
              BUSBAR_COMPONENT(BUSBAR_REACTION, "slow", slow),
              BUSBAR_COMPONENT(BUSBAR_BOOTSTRAP, "elements", elements),
              BUSBAR_COMPONENT(BUSBAR_SERVICE, "echo", echo),
              BUSBAR_COMPONENT(BUSBAR_HOOK, "guard", guard))

#endif
