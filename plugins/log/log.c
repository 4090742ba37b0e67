/* log: writes events as log records. See README.md. */
#include <stdlib.h>

#include "busbar_sdk.h"
#include "busbar_json.h"
#include "text.h"

/* A log record has room for about 2 KB with all its fields. */
#define LONGEST_PAYLOAD 1024
#define LONGEST_KEY 256
#define MOST_FIELDS 9
#define NUMBER_CAPACITY 32

typedef struct logger {
  const busbar_context_t *context;
  int32_t level;
  size_t max_payload;
} logger_t;

/* Fields of one record, and the room for texts that are made. */
typedef struct fields {
  busbar_field_t field[MOST_FIELDS];
  uint32_t count;
  char sequence[NUMBER_CAPACITY];
  char source[NUMBER_CAPACITY];
  char operation[NUMBER_CAPACITY];
  char bytes[NUMBER_CAPACITY];
  char time[TIME_CAPACITY];
  char key[BASE64_LENGTH(LONGEST_KEY)];
  char payload[BASE64_LENGTH(LONGEST_PAYLOAD)];
} fields_t;

static int32_t logger_create(const busbar_context_t *context, void **self) {
  static const char *const levels[] = {"trace", "debug", "info", "warning", "error", "fatal"};
  busbar_json_t config = busbar_json(context->config);
  busbar_json_t level = busbar_json_get(config, "level");
  busbar_json_t max_payload = busbar_json_get(config, "max_payload");
  int64_t most = LONGEST_PAYLOAD;
  int32_t i = BUSBAR_LOG_INFO - 1;
  logger_t *logger;
  if (busbar_json_type(level) != BUSBAR_JSON_MISSING)
    for (i = 0; i < 6 && !busbar_json_equals(level, levels[i]); i++) continue;
  if (i == 6) return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"level\" is no level of log records");
  if (busbar_json_type(max_payload) != BUSBAR_JSON_MISSING && !busbar_json_size(max_payload, &most))
    return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"max_payload\" is not a size");
  if (most > LONGEST_PAYLOAD)
    return busbar_error(context, BUSBAR_FAILED, "Cannot log payloads of %lld bytes: max_payload is at most %d", (long long)most, LONGEST_PAYLOAD);
  logger = calloc(1, sizeof *logger);
  if (logger == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the reaction: out of memory");
  logger->context = context;
  logger->level = BUSBAR_LOG_TRACE + i;
  logger->max_payload = (size_t)most;
  *self = logger;
  return BUSBAR_OK;
}

static void logger_destroy(void *self) { free(self); }

static void add(fields_t *fields, const char *name, busbar_string_t value, uint32_t type) {
  fields->field[fields->count++] = busbar_field_(name, value, type);
}

/* A field `name` with up to `limit` bytes, or `name_base64`, no longer than that, where they are not UTF-8; `room` is for its digits. */
static void add_bytes(fields_t *fields, const char *const names[2], busbar_bytes_t bytes, size_t limit, char *room) {
  size_t length = text_cut(bytes.data, (size_t)bytes.length, limit);
  busbar_string_t text = {(const char *)bytes.data, length};
  if (text_is_utf8(bytes.data, length)) {
    add(fields, names[0], text, BUSBAR_FIELD_STRING);
    return;
  }
  length = limit / 4 * 3 < bytes.length ? limit / 4 * 3 : (size_t)bytes.length;
  text_base64(bytes.data, length, room);
  text.data = room;
  text.length = BASE64_LENGTH(length);
  add(fields, names[1], text, BUSBAR_FIELD_STRING);
}

/* The id of the record's source, or its number where it is none of those upstream. */
static void add_source(fields_t *fields, const busbar_context_t *context, uint32_t source) {
  uint32_t i;
  for (i = 0; i < context->acknowledged_count; i++) {
    if (context->acknowledged[i].source != source) continue;
    add(fields, "source", context->acknowledged[i].source_id, BUSBAR_FIELD_STRING);
    return;
  }
  fields->field[fields->count++] = busbar_integer_field("source", source, fields->source);
}

static void add_operation(fields_t *fields, uint8_t operation) {
  static const char *const names[] = {"message", "insert", "update", "delete"};
  snprintf(fields->operation, sizeof fields->operation, "%d", operation);
  add(fields, "operation", busbar_string(operation < 4 ? names[operation] : fields->operation), BUSBAR_FIELD_STRING);
}

static void log_event(const logger_t *logger, const busbar_record_t *record) {
  static const char *const key_names[2] = {"key", "key_base64"}, *const payload_names[2] = {"payload", "payload_base64"};
  busbar_bytes_t key = {busbar_key(record), record->key_length}, payload = {busbar_payload(record), record->payload_length};
  fields_t fields;
  fields.count = 0;
  snprintf(fields.sequence, sizeof fields.sequence, "%llu", (unsigned long long)record->sequence);
  add(&fields, "sequence", busbar_string(fields.sequence), BUSBAR_FIELD_NUMBER);
  add_source(&fields, logger->context, record->source);
  add_operation(&fields, record->operation);
  if (record->timestamp != 0) {
    text_time(record->timestamp, fields.time);
    add(&fields, "timestamp", busbar_string(fields.time), BUSBAR_FIELD_STRING);
  }
  if (key.length > 0) add_bytes(&fields, key_names, key, LONGEST_KEY, fields.key);
  add_bytes(&fields, payload_names, payload, logger->max_payload, fields.payload);
  if (payload.length > logger->max_payload) fields.field[fields.count++] = busbar_integer_field("payload_bytes", (int64_t)payload.length, fields.bytes);
  if (record->flags & BUSBAR_RECORD_MARKED) fields.field[fields.count++] = busbar_bool_field("marked", 1);
  busbar_log_fields(logger->context, logger->level, "Event", fields.field, fields.count);
}

static int32_t logger_write(void *self, busbar_batch_t *batch) {
  const logger_t *logger = self;
  busbar_iterator_t it = busbar_iterate(batch);
  const busbar_record_t *record;
  int wanted = busbar_logs(logger->context, logger->level);
  while ((record = busbar_next(&it)) != NULL)
    if (wanted) log_event(logger, record);
  return it.malformed ? busbar_malformed(logger->context, batch, &it) : BUSBAR_OK;
}

static const busbar_reaction_t table = {
    .lifecycle = {.size = sizeof(busbar_reaction_t), .create = logger_create, .destroy = logger_destroy},
    .write = logger_write,
};

BUSBAR_PLUGIN(BUSBAR_COMPONENT(BUSBAR_REACTION, "log", table))
