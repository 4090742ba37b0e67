/* The tables that the host calls, and the host's functions as Go calls them. SPDX-License-Identifier: Apache-2.0 */
#include "bridge.h"

#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

/* ---- From the host to Go: an instance is a handle, never a Go pointer ---------------------------------------------- */

static void *unshared(const void *p) { return (void *)(uintptr_t)p; }

static int32_t create(const busbar_context_t *context, void **self) {
  uintptr_t handle = 0;
  int32_t status = busbarGoCreate(unshared(context), &handle);
  if (status == BUSBAR_OK) *self = (void *)handle;
  return status;
}

static int32_t restore(void *self, const busbar_state_t *state) { return busbarGoRestore((uintptr_t)self, unshared(state)); }
static int32_t start(void *self) { return busbarGoStart((uintptr_t)self); }
static int32_t stop(void *self) { return busbarGoStop((uintptr_t)self); }
static int32_t save(void *self, busbar_state_t *state) { return busbarGoSave((uintptr_t)self, state); }
static void destroy(void *self) { busbarGoDestroy((uintptr_t)self); }
static int32_t health(void *self, busbar_health_t *health) { return busbarGoHealth((uintptr_t)self, health); }
static int32_t poll(void *self, busbar_batch_t *batch) { return busbarGoPoll((uintptr_t)self, batch); }
static int32_t commit(void *self, const busbar_bytes_t *position) { return busbarGoCommit((uintptr_t)self, unshared(position)); }
static void release(void *self, void *loan) { busbarGoRelease((uintptr_t)self, (uintptr_t)loan); }
static int32_t process(void *self, busbar_batch_t *batch) { return busbarGoProcess((uintptr_t)self, batch); }
static int32_t tick(void *self, busbar_batch_t *batch) { return busbarGoTick((uintptr_t)self, batch); }
static int32_t write(void *self, busbar_batch_t *batch) { return busbarGoWrite((uintptr_t)self, batch); }
static int32_t flush(void *self) { return busbarGoFlush((uintptr_t)self); }
static int32_t fetch(void *self, busbar_batch_t *batch) { return busbarGoFetch((uintptr_t)self, batch); }
static int32_t execute(void *self, busbar_call_t *call) { return busbarGoExecute((uintptr_t)self, call); }
static int32_t before_request(void *self, busbar_call_t *call) { return busbarGoBeforeRequest((uintptr_t)self, call); }
static int32_t handle(void *self, busbar_call_t *call) { return busbarGoHandle((uintptr_t)self, call); }
static int32_t after_response(void *self, busbar_call_t *call) { return busbarGoAfterResponse((uintptr_t)self, call); }

/* Bits as abi.Calls numbers them. */
#define OFFER(bit, function) ((calls >> (bit) & 1u) != 0 ? (function) : NULL)

const void *busbar_go_table(uint32_t kind, uint32_t calls) {
  union {
    busbar_lifecycle_t lifecycle;
    busbar_source_t source;
    busbar_processor_t processor;
    busbar_reaction_t reaction;
    busbar_bootstrap_t bootstrap;
    busbar_service_t service;
    busbar_hook_t hook;
  } *table = calloc(1, sizeof *table);
  if (table == NULL) return NULL;
  table->lifecycle.create = create;
  table->lifecycle.restore = OFFER(0, restore);
  table->lifecycle.start = OFFER(1, start);
  table->lifecycle.stop = OFFER(2, stop);
  table->lifecycle.save = OFFER(3, save);
  table->lifecycle.destroy = destroy;
  table->lifecycle.health = OFFER(4, health);
  switch (kind) {
    case BUSBAR_SOURCE:
      table->lifecycle.size = (uint32_t)sizeof table->source;
      table->source.poll = poll;
      table->source.commit = OFFER(6, commit);
      table->source.release = OFFER(7, release);
      break;
    case BUSBAR_PROCESSOR:
      table->lifecycle.size = (uint32_t)sizeof table->processor;
      table->processor.process = process;
      table->processor.tick = OFFER(9, tick);
      break;
    case BUSBAR_REACTION:
      table->lifecycle.size = (uint32_t)sizeof table->reaction;
      table->reaction.write = write;
      table->reaction.flush = OFFER(11, flush);
      table->reaction.tick = OFFER(9, tick);
      break;
    case BUSBAR_BOOTSTRAP:
      table->lifecycle.size = (uint32_t)sizeof table->bootstrap;
      table->bootstrap.fetch = fetch;
      break;
    case BUSBAR_SERVICE:
      table->lifecycle.size = (uint32_t)sizeof table->service;
      table->service.execute = execute;
      break;
    default:
      table->lifecycle.size = (uint32_t)sizeof table->hook;
      table->hook.before_request = OFFER(14, before_request);
      table->hook.handle = OFFER(15, handle);
      table->hook.after_response = OFFER(16, after_response);
  }
  return table;
}

const busbar_plugin_t *busbar_go_plugin(uint32_t count, const uint32_t *kinds, const uint32_t *calls, const char *names, size_t size) {
  busbar_plugin_t *plugin = calloc(1, sizeof *plugin);
  busbar_component_t *components = calloc(count, sizeof *components);
  const busbar_component_t **pointers = calloc(count, sizeof *pointers);
  char *copies = malloc(size);
  if (plugin == NULL || components == NULL || pointers == NULL || copies == NULL) return NULL;
  memcpy(copies, names, size);
  for (uint32_t i = 0; i < count; i++) {
    components[i].size = (uint32_t)sizeof components[i];
    components[i].kind = kinds[i];
    components[i].name = copies;
    components[i].table = busbar_go_table(kinds[i], calls[i]);
    if (components[i].table == NULL) return NULL;
    copies += strlen(copies) + 1;
    pointers[i] = &components[i];
  }
  plugin->size = (uint32_t)sizeof *plugin;
  plugin->component_count = count;
  plugin->components = pointers;
  return plugin;
}

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  (void)host;
  return busbarGoPlugin();
}

/* ---- From Go to the host -------------------------------------------------------------------------------------------- */

static busbar_string_t string(const char *data, uint64_t length) {
  busbar_string_t s = {data, length};
  return s;
}

const volatile int32_t *busbar_go_level(const busbar_context_t *context) { return context->host->log_level; }

#define FIELDS 64u /* the host keeps 1984 bytes of a record: more would not fit */

void busbar_go_log(const busbar_context_t *context, int32_t level, int64_t timestamp, const char *text,
                   const busbar_go_span_t *spans, const uint32_t *types, uint32_t count) {
  busbar_field_t fields[FIELDS];
  busbar_log_record_t record;
  if (count > FIELDS) count = FIELDS;
  for (uint32_t i = 0; i < count; i++) {
    const busbar_go_span_t *name = &spans[1 + 2 * i], *value = name + 1;
    fields[i].name = string(text + name->offset, name->length);
    fields[i].value = string(text + value->offset, value->length);
    fields[i].type = types[i];
    fields[i].reserved0 = 0;
  }
  memset(&record, 0, sizeof record);
  record.size = (uint32_t)sizeof record;
  record.level = level;
  record.timestamp = timestamp;
  record.message = string(text + spans[0].offset, spans[0].length);
  record.fields = fields;
  record.field_count = count;
  context->host->log(context, &record);
}

void busbar_go_counter(const busbar_context_t *context, const char *name, uint64_t length, uint64_t add) {
  context->host->counter(context, string(name, length), add);
}

void busbar_go_gauge(const busbar_context_t *context, const char *name, uint64_t length, double value) {
  context->host->gauge(context, string(name, length), value);
}

void busbar_go_histogram(const busbar_context_t *context, const char *name, uint64_t length, double value) {
  context->host->histogram(context, string(name, length), value);
}

void busbar_go_wake(const busbar_context_t *context) { context->host->wake(context); }

void busbar_go_complete(const busbar_context_t *context, uint64_t batch, int32_t status, uint32_t done, const char *message,
                        uint64_t length) {
  context->host->complete(context, batch, status, done, string(message, length));
}
