/*
 * busbar_sdk.h: what makes the contract pleasant in C.             SPDX-License-Identifier: Apache-2.0
 *
 * Convenience, not contract: inline, compiled into the plugin, free to change; valid C11 and C++. docs/sdk/c.md is its guide,
 * busbar_json.h reads settings, busbar_test.h tests components without busbar.
 *
 *   static const busbar_processor_t count = {
 *       .lifecycle = {.size = sizeof(busbar_processor_t), .create = create, .destroy = destroy},
 *       .process = process,
 *   };
 *   BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_PROCESSOR, "count", count))
 *
 * THREADS  Functions that take a context are [any-thread], except busbar_error(), which belongs to the call that fails. The others
 *          work on what they are given and take no lock: one thread at a time for each batch, buffer or call.
 * MEMORY   Nothing is allocated but by busbar_buffer_t, of busbar_buffer.h.
 */
#ifndef BUSBAR_SDK_H
#define BUSBAR_SDK_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "busbar.h"
#include "busbar_buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BUSBAR_PRINTF_(text, first) __attribute__((format(printf, text, first)))
#else
#define BUSBAR_PRINTF_(text, first)
#endif

/* ---- Declaring a plugin ------------------------------------------------------------------------------------------- */

/* One component of BUSBAR_PLUGIN: BUSBAR_SOURCE and so on, its name as in the manifest, and its table, a static const busbar_source_t
 * and so on. Also an initialiser of a busbar_component_t. */
#define BUSBAR_COMPONENT(kind, name, table) {(uint32_t)sizeof(busbar_component_t), kind, name, &(table)}

/* Defines busbar_plugin() with these components, in any order. Once in a plugin, at file scope, without a semicolon.
 * The other two symbols, hash and manifest, are added by `busbar plugin build`. */
#define BUSBAR_PLUGIN(...)                                                                                         \
  BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {                                  \
    static const busbar_component_t components[] = {__VA_ARGS__};                                                  \
    static const busbar_component_t *pointers[sizeof components / sizeof components[0]];                           \
    static const busbar_plugin_t plugin = {                                                                        \
        (uint32_t)sizeof(busbar_plugin_t), (uint32_t)(sizeof components / sizeof components[0]), pointers, NULL, {0}}; \
    size_t i;                                                                                                      \
    (void)host;                                                                                                    \
    for (i = 0; i < sizeof components / sizeof components[0]; i++) pointers[i] = &components[i];                   \
    return &plugin;                                                                                                \
  }

/* ---- Strings and errors ------------------------------------------------------------------------------------------- */

/* A literal or a NUL-terminated string as a busbar_string_t. */
static inline busbar_string_t busbar_string(const char *text) {
  busbar_string_t s = {text, text == NULL ? 0 : (uint64_t)strlen(text)};
  return s;
}

/* Writes the message of a call that is about to fail, cut to the buffer. Returns `status`, so that it can be returned. Not for calls
 * that are given a busbar_call_t: busbar_call_error(). */
BUSBAR_PRINTF_(3, 4)
static inline int32_t busbar_error(const busbar_context_t *context, int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (context->error_capacity > 0) vsnprintf(context->error, context->error_capacity, format, arguments);
  va_end(arguments);
  return status;
}

/* Nanoseconds since 1970, as in records and calls. */
static inline int64_t busbar_now(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- Logging ------------------------------------------------------------------------------------------------------ */

/* Whether records of this level are kept; a load. The functions below ask it themselves. */
static inline int busbar_logs(const busbar_context_t *context, int32_t level) { return level >= *context->host->log_level; }

/* Logs `message` with `field_count` fields. Costs a load when the level is off. */
static inline void busbar_log_fields(const busbar_context_t *context, int32_t level, const char *message,
                                     const busbar_field_t *fields, uint32_t field_count) {
  busbar_log_record_t record;
  if (!busbar_logs(context, level)) return;
  memset(&record, 0, sizeof record);
  record.size = (uint32_t)sizeof record;
  record.level = level;
  record.message = busbar_string(message);
  record.fields = fields;
  record.field_count = field_count;
  context->host->log(context, &record);
}

static inline void busbar_log(const busbar_context_t *context, int32_t level, const char *message) {
  busbar_log_fields(context, level, message, NULL, 0);
}

/* Like printf(); nothing is formatted when the level is off. Cut to 2047 bytes. */
BUSBAR_PRINTF_(3, 4)
static inline void busbar_logf(const busbar_context_t *context, int32_t level, const char *format, ...) {
  char message[2048];
  va_list arguments;
  if (!busbar_logs(context, level)) return;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  busbar_log(context, level, message);
}

static inline busbar_field_t busbar_field_(const char *name, busbar_string_t value, uint32_t type) {
  busbar_field_t field;
  memset(&field, 0, sizeof field);
  field.name = busbar_string(name);
  field.value = value;
  field.type = type;
  return field;
}

/* Fields. What they are given must stay until the record is logged; `text` is room for the digits, at least 32 bytes. */
static inline busbar_field_t busbar_string_field(const char *name, const char *value) {
  return busbar_field_(name, busbar_string(value), BUSBAR_FIELD_STRING);
}

static inline busbar_field_t busbar_json_field(const char *name, const char *json) {
  return busbar_field_(name, busbar_string(json), BUSBAR_FIELD_JSON);
}

static inline busbar_field_t busbar_bool_field(const char *name, int value) {
  return busbar_field_(name, busbar_string(value ? "true" : "false"), BUSBAR_FIELD_BOOL);
}

static inline busbar_field_t busbar_integer_field(const char *name, int64_t value, char *text) {
  snprintf(text, 32, "%lld", (long long)value);
  return busbar_field_(name, busbar_string(text), BUSBAR_FIELD_NUMBER);
}

/* What JSON has no number for, infinities and NaN, becomes null. */
static inline busbar_field_t busbar_number_field(const char *name, double value, char *text) {
  if (value - value != 0) return busbar_json_field(name, "null");
  snprintf(text, 32, "%.17g", value);
  return busbar_field_(name, busbar_string(text), BUSBAR_FIELD_NUMBER);
}

#ifndef __cplusplus
/* BUSBAR_LOG(context, BUSBAR_LOG_INFO, "Opened the file", BUSBAR_STRING("path", path), BUSBAR_INTEGER("bytes", size));
 * Nothing of it is evaluated when the level is off. At least one field: busbar_log() is for none. */
#define BUSBAR_STRING(name, value) busbar_string_field(name, value)
#define BUSBAR_INTEGER(name, value) busbar_integer_field(name, value, (char[32]){0})
#define BUSBAR_NUMBER(name, value) busbar_number_field(name, value, (char[32]){0})
#define BUSBAR_BOOL(name, value) busbar_bool_field(name, value)
#define BUSBAR_LOG(context, level, message, ...)                                                                   \
  do {                                                                                                             \
    if (busbar_logs(context, level)) {                                                                             \
      const busbar_field_t busbar_fields_[] = {__VA_ARGS__};                                                       \
      busbar_log_fields(context, level, message, busbar_fields_, sizeof busbar_fields_ / sizeof busbar_fields_[0]); \
    }                                                                                                              \
  } while (0)
#endif

/* ---- Other services of the host ----------------------------------------------------------------------------------- */

/* Names in snake_case with their unit, at most 63 bytes: "lines_parsed_total", "queue_bytes", "request_seconds". */
static inline void busbar_count(const busbar_context_t *context, const char *name, uint64_t add) {
  context->host->counter(context, busbar_string(name), add);
}

static inline void busbar_gauge(const busbar_context_t *context, const char *name, double value) {
  context->host->gauge(context, busbar_string(name), value);
}

static inline void busbar_observe(const busbar_context_t *context, const char *name, double value) {
  context->host->histogram(context, busbar_string(name), value);
}

/* Asks for a call soon: see busbar_host_t. Cheap to call often. */
static inline void busbar_wake(const busbar_context_t *context) { context->host->wake(context); }

/* Ends a PENDING write, exactly once: see busbar_host_t. The batch may be gone when it returns; `message` may be null. */
static inline void busbar_complete(const busbar_context_t *context, uint64_t batch_id, int32_t status, uint32_t done,
                                   const char *message) {
  context->host->complete(context, batch_id, status, done, busbar_string(message));
}

/* A later service by its id; null when the host does not have it. */
static inline const void *busbar_host_extension(const busbar_host_t *host, const char *id) {
  if (host->size < offsetof(busbar_host_t, extension) + sizeof host->extension || host->extension == NULL) return NULL;
  return host->extension(id);
}

/* From start on: the highest sequence of a source, by the number that its records carry, up to which everything is finished
 * everywhere; 0 when nothing is. What is beyond may be offered again. */
static inline uint64_t busbar_acknowledged_sequence(const busbar_context_t *context, uint32_t source) {
  uint32_t i;
  for (i = 0; i < context->acknowledged_count; i++)
    if (context->acknowledged[i].source == source) return context->acknowledged[i].sequence;
  return 0;
}

/* ---- Writing records ---------------------------------------------------------------------------------------------- */

/* What to append. Zero is a sensible default for every member. */
typedef struct busbar_event {
  const void *payload;
  const void *key;
  const void *attributes;
  uint32_t payload_length;
  uint32_t key_length;
  uint32_t attributes_length;
  uint32_t flags;
  int64_t timestamp;
  uint8_t operation;
  uint8_t content_type;
} busbar_event_t;

static inline uint64_t busbar_record_size(uint64_t key, uint64_t payload, uint64_t attributes) {
  return (sizeof(busbar_record_t) + key + payload + attributes + 7u) & ~(uint64_t)7u;
}

/* Makes room for a record with up to these lengths and returns its header, with sizes set and the rest zero, for the
 * caller to fill in behind it and end with busbar_commit(). Null when the batch is full: then it is left as it was, and
 * `required` says how many bytes were missing if even an empty arena would not do. */
static inline busbar_record_t *busbar_reserve(busbar_batch_t *batch, uint64_t key, uint64_t payload, uint64_t attributes) {
  uint64_t size = busbar_record_size(key, payload, attributes);
  busbar_record_t *record;
  if (batch->count >= batch->limit) return NULL;
  if (size > batch->capacity - batch->length) {
    if (size > batch->capacity) batch->required = size;
    return NULL;
  }
  record = (busbar_record_t *)(void *)(batch->data + batch->length);
  memset(record, 0, sizeof *record);
  record->size = (uint32_t)size;
  record->key_length = (uint32_t)key;
  record->payload_length = (uint32_t)payload;
  record->attributes_length = (uint32_t)attributes;
  return record;
}

/* Ends a record begun with busbar_reserve(), whose lengths may have been made smaller since. */
static inline void busbar_commit(busbar_batch_t *batch, busbar_record_t *record) {
  uint64_t used = sizeof *record + (uint64_t)record->key_length + record->payload_length + record->attributes_length;
  uint64_t size = (used + 7u) & ~(uint64_t)7u;
  if (size > used) { /* zeroes the padding; far cheaper than memset() for so few bytes. Little-endian, as all targets are */
    uint64_t last;
    memcpy(&last, (uint8_t *)record + size - 8, 8);
    last &= UINT64_MAX >> (8 * (size - used));
    memcpy((uint8_t *)record + size - 8, &last, 8);
  }
  record->size = (uint32_t)size;
  batch->length += size;
  batch->count += 1;
}

static inline busbar_record_t *busbar_put(busbar_batch_t *batch, const busbar_event_t *event) {
  busbar_record_t *record = busbar_reserve(batch, event->key_length, event->payload_length, event->attributes_length);
  uint8_t *to;
  if (record == NULL) return NULL;
  to = (uint8_t *)(record + 1);
  if (event->key_length > 0) memcpy(to, event->key, event->key_length);
  to += event->key_length;
  if (event->payload_length > 0) memcpy(to, event->payload, event->payload_length);
  to += event->payload_length;
  if (event->attributes_length > 0) memcpy(to, event->attributes, event->attributes_length);
  record->operation = event->operation;
  record->content_type = event->content_type;
  record->timestamp = event->timestamp;
  record->flags = event->flags;
  return record;
}

/* Sources: appends a new event and stamps its sequence and source. 1, or 0 when the batch is full. */
static inline int busbar_append(busbar_batch_t *batch, const busbar_event_t *event) {
  busbar_record_t *record = busbar_put(batch, event);
  if (record == NULL) return 0;
  record->source = (uint16_t)batch->source;
  record->sequence = batch->next_sequence++;
  busbar_commit(batch, record);
  return 1;
}

/* Sources: has busbar_append() write to `capacity` bytes of the source's own memory, 8-byte aligned, lent under a token that
 * is not null. For a batch that is still empty; the memory comes back through release(self, loan). */
static inline void busbar_lend(busbar_batch_t *batch, void *memory, uint64_t capacity, void *loan) {
  batch->data = (uint8_t *)memory;
  batch->capacity = capacity;
  batch->loan = loan;
}

/* Processors: appends an event that stems from `origin`, whose sequence and source it keeps. 1, or 0 when full. */
static inline int busbar_derive(busbar_batch_t *out, const busbar_record_t *origin, const busbar_event_t *event) {
  busbar_record_t *record = busbar_put(out, event);
  if (record == NULL) return 0;
  record->source = origin->source;
  record->sequence = origin->sequence;
  busbar_commit(out, record);
  return 1;
}

/* Processors: appends an event that stems from no single one, in tick; its sequence is 0. 1, or 0 when full. */
static inline int busbar_emit(busbar_batch_t *out, const busbar_event_t *event) {
  busbar_record_t *record = busbar_put(out, event);
  if (record == NULL) return 0;
  busbar_commit(out, record);
  return 1;
}

/* Processors: appends `record` as it is. 1, or 0 when full. */
static inline int busbar_copy(busbar_batch_t *out, const busbar_record_t *record) {
  if (out->count >= out->limit) return 0;
  if (record->size > out->capacity - out->length) {
    if (record->size > out->capacity) out->required = record->size;
    return 0;
  }
  memcpy(out->data + out->length, record, record->size);
  out->length += record->size;
  out->count += 1;
  return 1;
}

/* Sources: says where to resume after what the batch now holds. 1, or 0 when it is longer than position_capacity. */
static inline int busbar_set_position(busbar_batch_t *batch, const void *position, uint32_t length) {
  if (length > batch->position_capacity) return 0;
  memcpy(batch->position, position, length);
  batch->position_length = length;
  return 1;
}

/* ---- Reading records ---------------------------------------------------------------------------------------------- */

typedef struct busbar_iterator {
  const uint8_t *start;
  const uint8_t *at;
  const uint8_t *end;
  uint32_t index;     /* of the next record */
  uint32_t malformed; /* 1 once a record's lengths did not fit: stop, set done = index and return BUSBAR_INVALID */
} busbar_iterator_t;

/* From byte `cursor` of the batch on. */
static inline busbar_iterator_t busbar_iterate_from(const busbar_batch_t *batch, uint64_t cursor) {
  busbar_iterator_t it;
  it.start = batch->data;
  it.end = batch->data + batch->length;
  it.at = cursor <= batch->length ? batch->data + cursor : it.end;
  it.index = 0;
  it.malformed = 0;
  return it;
}

static inline busbar_iterator_t busbar_iterate(const busbar_batch_t *batch) { return busbar_iterate_from(batch, 0); }

/* The next record, or null at the end or where lengths do not fit; never reads past the batch. */
static inline const busbar_record_t *busbar_next(busbar_iterator_t *it) {
  const busbar_record_t *record = (const busbar_record_t *)(const void *)it->at;
  uint64_t left = (uint64_t)(it->end - it->at);
  if (left < sizeof *record) {
    if (left > 0) it->malformed = 1;
    return NULL;
  }
  if (record->size < sizeof *record || record->size > left || (record->size & 7u) != 0 ||
      (uint64_t)record->key_length + record->payload_length + record->attributes_length > record->size - sizeof *record) {
    it->malformed = 1;
    return NULL;
  }
  it->at += record->size;
  it->index += 1;
  return record;
}

/* Where reading ended at a record whose lengths do not fit: says so in `done` and in the error, for process and write to return. */
static inline int32_t busbar_malformed(const busbar_context_t *context, busbar_batch_t *batch, const busbar_iterator_t *it) {
  batch->done = it->index;
  return busbar_error(context, BUSBAR_INVALID, "Cannot read record %u of the batch: its lengths do not fit", (unsigned)it->index);
}

/* Byte of the next record in the batch: what to store in batch->cursor before returning BUSBAR_MORE. */
static inline uint64_t busbar_offset(const busbar_iterator_t *it) { return (uint64_t)(it->at - it->start); }

static inline const uint8_t *busbar_key(const busbar_record_t *record) { return (const uint8_t *)(record + 1); }

static inline const uint8_t *busbar_payload(const busbar_record_t *record) {
  return (const uint8_t *)(record + 1) + record->key_length;
}

/* The next attribute after `*offset` bytes of them (0 at first), which is moved on. 1, or 0 at the end or where lengths do not fit. */
static inline int busbar_next_attribute(const busbar_record_t *record, uint32_t *offset, busbar_string_t *name,
                                        busbar_string_t *value) {
  const uint8_t *at = busbar_payload(record) + record->payload_length + *offset;
  uint32_t left = record->attributes_length - *offset;
  uint32_t name_length, value_length;
  if (*offset > record->attributes_length || left < 8) return 0;
  memcpy(&name_length, at, 4);
  memcpy(&value_length, at + 4, 4);
  if ((uint64_t)name_length + value_length > left - 8u) return 0;
  name->data = (const char *)at + 8;
  name->length = name_length;
  value->data = (const char *)at + 8 + name_length;
  value->length = value_length;
  *offset += 8 + name_length + value_length;
  return 1;
}

/* The attribute `name`; of several the first. 1, or 0 when there is none. */
static inline int busbar_attribute(const busbar_record_t *record, const char *name, busbar_string_t *value) {
  uint64_t length = strlen(name);
  uint32_t offset = 0;
  busbar_string_t found;
  while (busbar_next_attribute(record, &offset, &found, value))
    if (found.length == length && memcmp(found.data, name, (size_t)length) == 0) return 1;
  return 0;
}

/* ---- Attributes and states ------------------------------------------------------------------------------------------ */

/* Adds one attribute; data and length of the buffer are then busbar_event_t's attributes. */
static inline void busbar_buffer_attribute(busbar_buffer_t *buffer, busbar_string_t name, busbar_string_t value) {
  busbar_buffer_u32(buffer, (uint32_t)name.length);
  busbar_buffer_u32(buffer, (uint32_t)value.length);
  busbar_buffer_bytes(buffer, name.data, (size_t)name.length);
  busbar_buffer_bytes(buffer, value.data, (size_t)value.length);
}

/* What save gives. OWNERSHIP: `data` stays the instance's own, unchanged until the next call on it. */
static inline void busbar_set_state(busbar_state_t *state, uint32_t version, const void *data, uint64_t length) {
  state->version = version;
  state->data.data = (const uint8_t *)data;
  state->data.length = length;
}

/* ---- Services and hooks ------------------------------------------------------------------------------------------- */

/* As busbar_error(), for execute and the calls of a hook: each call has a buffer of its own. */
BUSBAR_PRINTF_(3, 4)
static inline int32_t busbar_call_error(busbar_call_t *call, int32_t status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (call->error_capacity > 0) vsnprintf(call->error, call->error_capacity, format, arguments);
  va_end(arguments);
  return status;
}

/* The request's header `name`, in lower case. 1, or 0 when there is none. */
static inline int busbar_request_header(const busbar_call_t *call, const char *name, busbar_string_t *value) {
  uint64_t length = strlen(name);
  uint32_t i;
  for (i = 0; i < call->header_count; i++) {
    if (call->headers[i].name.length != length || memcmp(call->headers[i].name.data, name, (size_t)length) != 0) continue;
    *value = call->headers[i].value;
    return 1;
  }
  return 0;
}

/* Answers a call. OWNERSHIP: `data` and `headers` stay the plugin's, unchanged until the next call with the same slot: keep them in
 * the instance, in one place for each slot, not on the stack. `http_status` 0 means 200. */
static inline void busbar_answer(busbar_call_t *call, uint32_t http_status, const void *data, uint64_t length) {
  call->answer_status = http_status;
  call->answer.data = (const uint8_t *)data;
  call->answer.length = length;
}

static inline void busbar_answer_headers(busbar_call_t *call, const busbar_header_t *headers, uint32_t count) {
  call->answer_headers = headers;
  call->answer_header_count = count;
}

#ifdef __cplusplus
}
#endif
#endif
