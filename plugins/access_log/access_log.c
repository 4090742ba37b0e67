/* access-log: turns lines of Apache's and nginx's access logs into JSON objects. See README.md. */
#include <stdlib.h>

#include "busbar_sdk.h"
#include "busbar_json.h"
#include "log_json.h"
#include "log_line.h"

typedef struct parser {
  const busbar_context_t *context;
  int format;
  int keep_raw;
} parser_t;

static int32_t parser_create(const busbar_context_t *context, void **self) {
  static const char *const formats[] = {"auto", "combined", "common"};
  busbar_json_t config = busbar_json(context->config);
  busbar_json_t format = busbar_json_get(config, "format");
  busbar_json_t keep_raw = busbar_json_get(config, "keep_raw");
  parser_t *parser = calloc(1, sizeof *parser);
  if (parser == NULL) return busbar_error(context, BUSBAR_FAILED, "Cannot create the parser: out of memory");
  parser->context = context;
  if (busbar_json_type(format) != BUSBAR_JSON_MISSING) {
    while (parser->format < 3 && !busbar_json_equals(format, formats[parser->format])) parser->format++;
  }
  if (parser->format == 3) {
    free(parser);
    return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"format\" is not \"auto\", \"combined\" or \"common\"");
  }
  if (busbar_json_type(keep_raw) != BUSBAR_JSON_MISSING && !busbar_json_bool(keep_raw, &parser->keep_raw)) {
    free(parser);
    return busbar_error(context, BUSBAR_FAILED, "Cannot read config: \"keep_raw\" is not true or false");
  }
  *self = parser;
  return BUSBAR_OK;
}

static void parser_destroy(void *self) { free(self); }

/* The payload without the line break that a source may have left at its end. */
static log_text_t line_of(const busbar_record_t *record) {
  log_text_t text;
  text.at = busbar_payload(record);
  text.end = text.at + record->payload_length;
  if (text.end > text.at && text.end[-1] == '\n') text.end--;
  if (text.end > text.at && text.end[-1] == '\r') text.end--;
  return text;
}

/* Writes the object straight into the arena, behind where header and key will be, and puts those before it once its length
 * is known. 1, or 0 when the output is full; `required` then says what the whole record needs. */
static int append_object(const parser_t *parser, busbar_batch_t *out, const busbar_record_t *origin, const log_line_t *line,
                         log_text_t text) {
  uint64_t before = sizeof *origin + origin->key_length, around = before + origin->attributes_length;
  uint64_t left = out->capacity - out->length;
  log_text_t none = {NULL, NULL};
  json_writer_t writer = {NULL, 0, 0};
  busbar_record_t *record;
  uint8_t *body;
  if (out->count >= out->limit) return 0;
  if (left > around) {
    writer.data = out->data + out->length + before;
    writer.capacity = left - around;
  }
  if (line->error == NULL) write_parsed(&writer, line, parser->keep_raw ? text : none);
  else write_unparsed(&writer, line, text);
  record = busbar_reserve(out, origin->key_length, writer.length, origin->attributes_length);
  if (record == NULL) return 0;
  body = (uint8_t *)(record + 1);
  memcpy(body, busbar_key(origin), origin->key_length);
  memcpy(body + origin->key_length + writer.length, busbar_payload(origin) + origin->payload_length, origin->attributes_length);
  record->operation = origin->operation;
  record->content_type = BUSBAR_CONTENT_JSON;
  record->source = origin->source;
  record->sequence = origin->sequence;
  record->timestamp = line->error == NULL ? line->timestamp : origin->timestamp;
  record->flags = origin->flags | (line->error == NULL ? 0 : BUSBAR_RECORD_MARKED);
  busbar_commit(out, record);
  return 1;
}

static int32_t parser_process(void *self, busbar_batch_t *batch) {
  const parser_t *parser = self;
  const busbar_context_t *context = parser->context;
  busbar_iterator_t it = busbar_iterate_from(batch, batch->cursor);
  const busbar_record_t *record;
  busbar_batch_t *out;
  uint64_t parsed = 0, unparsed = 0, at;
  int32_t status = BUSBAR_OK;
  if (batch->out_count == 0) return busbar_error(context, BUSBAR_FATAL, "Cannot process a batch: there is no output");
  out = batch->out[0];
  for (at = busbar_offset(&it); (record = busbar_next(&it)) != NULL; at = busbar_offset(&it)) {
    log_line_t line;
    log_text_t text = line_of(record);
    int appended;
    if (record->flags & BUSBAR_RECORD_MARKED) {
      appended = busbar_copy(out, record);
    } else {
      log_line_read(&line, text, parser->format);
      appended = append_object(parser, out, record, &line, text);
    }
    if (!appended) {
      if (out->required <= BUSBAR_RECORD_MAX) {
        batch->cursor = at;
        status = BUSBAR_MORE;
      } else {
        batch->done = it.index - 1;
        status = busbar_error(context, BUSBAR_INVALID, "Cannot parse a line of %lu bytes: its JSON is longer than a record may be",
                              (unsigned long)record->payload_length);
      }
      break;
    }
    if (record->flags & BUSBAR_RECORD_MARKED) continue;
    if (line.error == NULL) parsed++;
    else unparsed++;
  }
  if (it.malformed) status = busbar_malformed(context, batch, &it);
  if (parsed > 0) context->host->counter(context, busbar_string("lines_parsed_total"), parsed);
  if (unparsed > 0) context->host->counter(context, busbar_string("lines_unparsed_total"), unparsed);
  return status;
}

static const busbar_processor_t parse_table = {
    .lifecycle = {.size = sizeof(busbar_processor_t), .create = parser_create, .destroy = parser_destroy},
    .process = parser_process,
};

static const busbar_component_t parse_component = {
    .size = sizeof(busbar_component_t),
    .kind = BUSBAR_PROCESSOR,
    .name = "parse",
    .table = &parse_table,
};

static const busbar_component_t *const components[] = {&parse_component};

static const busbar_plugin_t plugin = {
    .size = sizeof(busbar_plugin_t),
    .component_count = 1,
    .components = components,
};

BUSBAR_EXPORT const busbar_plugin_t *busbar_plugin(const busbar_host_t *host) {
  (void)host;
  return &plugin;
}
