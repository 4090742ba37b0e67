/* Tests of access-log; tests/plugins/access_log_test.ts compiles and runs them. */
#include "busbar_test.h"

#include "busbar_json.h"

#define GOOD "203.0.113.7 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a?b=1 HTTP/1.0\" 200 2326 \"http://a/\" \"curl/8.8.0\""

static const char *library;

static test_component_t *open_parser(const char *config) {
  test_component_t *c = test_open(library, BUSBAR_PROCESSOR, "parse", config);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  return c;
}

static void append(test_batch_t *b, const void *payload, uint32_t length) {
  busbar_event_t event;
  memset(&event, 0, sizeof event);
  event.payload = payload;
  event.payload_length = length;
  event.content_type = BUSBAR_CONTENT_TEXT;
  if (!busbar_append(&b->batch, &event)) FAIL("the test's batch is full");
}

static int is_utf8(const uint8_t *at, uint64_t length) {
  const uint8_t *end = at + length;
  while (at < end) {
    uint32_t code, least;
    int more;
    if (*at < 0x80) {
      at++;
      continue;
    }
    if (*at < 0xc2 || *at > 0xf4) return 0;
    more = *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
    least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    code = *at++ & (0x3f >> more);
    for (; more > 0; more--, at++) {
      if (at == end || (*at & 0xc0) != 0x80) return 0;
      code = code << 6 | (*at & 0x3f);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  }
  return 1;
}

/* The record's JSON object, after checking that it is one. */
static busbar_json_t object_of(const busbar_record_t *record) {
  busbar_string_t text;
  busbar_json_t json;
  text.data = (const char *)busbar_payload(record);
  text.length = record->payload_length;
  json = busbar_json(text);
  CHECK_INT(record->content_type, BUSBAR_CONTENT_JSON);
  if (busbar_json_type(json) != BUSBAR_JSON_OBJECT) FAIL("not a JSON object: %.*s", (int)text.length, text.data);
  if (!is_utf8(busbar_payload(record), record->payload_length)) FAIL("not UTF-8: %.*s", (int)text.length, text.data);
  return json;
}

/* Parses one line and returns its record, valid until the next call. */
static const busbar_record_t *parse_bytes(const char *config, const void *line, uint32_t length) {
  static test_component_t *c;
  static test_batch_t *in, *out;
  if (c != NULL) {
    test_close(c);
    test_batch_free(in);
    test_batch_free(out);
  }
  c = open_parser(config);
  in = test_batch(1 << 16, 4);
  out = test_batch(1 << 18, 4);
  append(in, line, length);
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_INT(out->batch.count, 1);
  object_of(test_record(out, 0));
  return test_record(out, 0);
}

static const busbar_record_t *parse(const char *line) { return parse_bytes("{}", line, (uint32_t)strlen(line)); }

/* The member as JSON text; "missing" when there is none. */
static const char *member(const busbar_record_t *record, const char *name) {
  static char text[8][2048];
  static unsigned next;
  char *to = text[next++ % 8];
  busbar_json_t value = busbar_json_get(object_of(record), name);
  if (value.at == NULL) return "missing";
  snprintf(to, sizeof text[0], "%.*s", (int)(value.end - value.at), value.at);
  return to;
}

#define CHECK_MEMBER(record, name, expected)                                                           \
  do {                                                                                                 \
    const char *test_member = member(record, name);                                                    \
    if (strcmp(test_member, expected) != 0) FAIL("%s is %s, not %s", name, test_member, expected);     \
  } while (0)

static void combined_line_becomes_an_object(void) {
  const busbar_record_t *r = parse(GOOD);
  CHECK_TEXT(busbar_payload(r), r->payload_length,
             "{\"remote_addr\":\"203.0.113.7\",\"ident\":\"-\",\"user\":\"frank\",\"time\":\"2000-10-10T13:55:36-07:00\","
             "\"method\":\"GET\",\"path\":\"/a?b=1\",\"protocol\":\"HTTP/1.0\",\"status\":200,\"bytes\":2326,"
             "\"referer\":\"http://a/\",\"user_agent\":\"curl/8.8.0\"}");
  CHECK_INT(r->timestamp, 971211336000000000);
  CHECK_INT(r->flags, 0);
}

static void common_line_has_no_referer_and_no_agent(void) {
  const busbar_record_t *r = parse("::1 - - [29/Feb/2024:00:00:00 +0530] \"HEAD / HTTP/2.0\" 304 -");
  CHECK_MEMBER(r, "time", "\"2024-02-29T00:00:00+05:30\"");
  CHECK_MEMBER(r, "bytes", "null");
  CHECK_MEMBER(r, "referer", "null");
  CHECK_MEMBER(r, "user_agent", "null");
  CHECK_MEMBER(r, "status", "304");
  CHECK_INT(r->timestamp, 1709145000000000000);
}

static void format_decides_what_parses(void) {
  static const char common[] = "::1 - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5";
  CHECK_MEMBER(parse_bytes("{\"format\":\"common\"}", common, sizeof common - 1), "parse_error", "missing");
  CHECK_MEMBER(parse_bytes("{\"format\":\"combined\"}", GOOD, sizeof GOOD - 1), "parse_error", "missing");
  CHECK_MEMBER(parse_bytes("{\"format\":\"combined\"}", common, sizeof common - 1), "parse_error",
               "\"Cannot find the referer: the line ends (column 60)\"");
  CHECK_MEMBER(parse_bytes("{\"format\":\"common\"}", GOOD, sizeof GOOD - 1), "status", "200");
  CHECK(strcmp(member(parse_bytes("{\"format\":\"common\"}", GOOD, sizeof GOOD - 1), "parse_error"), "missing") != 0);
}

static void keep_raw_keeps_the_line(void) {
  CHECK_MEMBER(parse_bytes("{\"keep_raw\":true}", GOOD, sizeof GOOD - 1), "raw",
               "\"203.0.113.7 - frank [10/Oct/2000:13:55:36 -0700] \\\"GET /a?b=1 HTTP/1.0\\\" 200 2326 \\\"http://a/\\\" "
               "\\\"curl/8.8.0\\\"\"");
  CHECK_MEMBER(parse(GOOD), "raw", "missing");
}

static void bad_config_is_refused(void) {
  test_component_t *c = test_open(library, BUSBAR_PROCESSOR, "parse", "{\"keep_raw\":1}");
  CHECK_STATUS(test_create(c), BUSBAR_FAILED);
  test_close(c);
  c = test_open(library, BUSBAR_PROCESSOR, "parse", "{\"format\":\"iis\"}");
  CHECK_STATUS(test_create(c), BUSBAR_FAILED);
  CHECK_TEXT(c->error, strlen(c->error), "Cannot read config: \"format\" is not \"auto\", \"combined\" or \"common\"");
  test_close(c);
}

static void escapes_are_resolved(void) {
  const busbar_record_t *r = parse("1.2.3.4 - jos\\xc3\\xa9 [10/Oct/2000:13:55:36 +0000] \"GET /\\xD0\\x9f\\\"\\\\ HTTP/1.1\" 200 1 "
                                   "\"a\\tb\\x01\" \"\\x22\\q\\x5C\\xZZ\"");
  CHECK_MEMBER(r, "user", "\"jos\xc3\xa9\"");
  CHECK_MEMBER(r, "path", "\"/\xd0\x9f\\\"\\\\\"");
  CHECK_MEMBER(r, "referer", "\"a\\tb\\u0001\"");
  CHECK_MEMBER(r, "user_agent", "\"\\\"\\\\q\\\\\\\\xZZ\"");
}

static void invalid_utf8_becomes_the_replacement_character(void) {
  const busbar_record_t *r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /\xff\xe2\x82x\xed\xa0\x80 HTTP/1.1\" 200 1 \"\\xf0\\x9f\\x98\" \"\xe2\x82\xac\xc0\xaf\"");
#define BAD "\xef\xbf\xbd"
  CHECK_MEMBER(r, "path", "\"/" BAD BAD "x" BAD BAD BAD "\"");
  CHECK_MEMBER(r, "referer", "\"" BAD "\"");
  CHECK_MEMBER(r, "user_agent", "\"\xe2\x82\xac" BAD BAD "\"");
}

static void odd_requests_stay_as_they_are(void) {
  const busbar_record_t *r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"-\" 408 - \"-\" \"-\"");
  CHECK_MEMBER(r, "request", "\"-\"");
  CHECK_MEMBER(r, "method", "null");
  CHECK_MEMBER(r, "status", "408");
  CHECK_MEMBER(r, "referer", "\"-\"");
  CHECK_INT(r->flags, 0);
  r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"\\x16\\x03\\x01\" 400 0 \"-\" \"-\"");
  CHECK_MEMBER(r, "request", "\"\\\\x16\\\\x03\\\\x01\"");
  r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"\x16\x03\x01\" 400 0 \"-\" \"-\"");
  CHECK_MEMBER(r, "request", "\"\\u0016\\u0003\\u0001\"");
  r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /a b c HTTP/1.1\" 200 0 \"-\" \"-\"");
  CHECK_MEMBER(r, "path", "\"/a b c\"");
  CHECK_MEMBER(r, "request", "missing");
  r = parse("1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /old\" 200 0 \"-\" \"-\"");
  CHECK_MEMBER(r, "path", "\"/old\"");
  CHECK_MEMBER(r, "protocol", "null");
  r = parse("1.2.3.4 - john doe [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 401 0 \"-\" \"-\"");
  CHECK_MEMBER(r, "user", "\"john doe\"");
  CHECK_MEMBER(r, "status", "401");
}

static void what_follows_a_combined_line_is_kept(void) {
  CHECK_MEMBER(parse(GOOD " \"10.0.0.1\" 0.003"), "extra", "\"\\\"10.0.0.1\\\" 0.003\"");
}

static void lines_that_do_not_parse_are_passed_on_marked(void) {
  static const struct {
    const char *line, *status;
  } table[] = {
      {"", "missing"},
      {" ", "missing"},
      {"garbage", "missing"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 many \"-\" \"-\"", "200"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"cut", "200"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200", "200"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1", "missing"},
      {"1.2.3.4 - - [31/Feb/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 503 5 \"-\" \"-\"", "503"},
      {"1.2.3.4 - - [10/Oct/2000:24:55:36 +0000] \"GET / HTTP/1.1\" 000 5 \"-\" \"-\"", "0"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 20x 5 \"-\" \"-\"", "missing"},
      {"1.2.3.4  - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 404 5 \"-\" \"-\"", "404"},
      {"a b c d e f g h 999", "999"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"x", "200"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 99999999999999999999 \"-\" \"-\"", "200"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /\" 400 226 \"-\" \"-\"", "226"},
      {"1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /a b 500 HTTP/1.1\" 200 5 \"-\" \"-\"", "500"},
  };
  size_t i;
  for (i = 0; i < sizeof table / sizeof *table; i++) {
    const busbar_record_t *r = parse(table[i].line);
    char *raw;
    if (r->flags != BUSBAR_RECORD_MARKED) FAIL("line %zu is not marked: %s", i, table[i].line);
    CHECK_MEMBER(r, "status", table[i].status);
    CHECK(strcmp(member(r, "parse_error"), "missing") != 0);
    raw = busbar_json_text(busbar_json_get(object_of(r), "raw"));
    CHECK_TEXT(raw, strlen(raw), table[i].line);
    free(raw);
  }
}

static void line_break_at_the_end_is_no_part_of_the_line(void) {
  CHECK_MEMBER(parse(GOOD "\n"), "user_agent", "\"curl/8.8.0\"");
  CHECK_MEMBER(parse(GOOD "\r\n"), "user_agent", "\"curl/8.8.0\"");
}

static void dates_agree_with_the_c_library(void) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  test_component_t *c = open_parser("{}");
  test_batch_t *in = test_batch(1 << 20, 4096), *out = test_batch(1 << 22, 4096);
  int64_t expected[4096];
  uint32_t i;
  for (i = 0; i < 4096; i++) {
    struct tm tm;
    char line[200];
    time_t t = (time_t)i * 2249999 + (time_t)(i * 7919u % 86400u);
    int zone = (int)(i % 47) * 30 - 690;
    time_t local = t + zone * 60;
    gmtime_r(&local, &tm);
    snprintf(line, sizeof line, "::1 - - [%02d/%.3s/%04d:%02d:%02d:%02d %c%02d%02d] \"GET / HTTP/1.1\" 200 1", tm.tm_mday,
             months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+', abs(zone) / 60,
             abs(zone) % 60);
    expected[i] = local < 0 ? 0 : (int64_t)t * 1000000000;
    test_append_text(in, line);
  }
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  for (i = 0; i < 4096; i++) CHECK_INT(test_record(out, i)->timestamp, expected[i]);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

static void record_keeps_what_is_not_the_payload(void) {
  test_component_t *c = open_parser("{}");
  test_batch_t *in = test_batch(4096, 8), *out = test_batch(4096, 8);
  static const uint8_t attributes[] = "\1\0\0\0\2\0\0\0abc";
  const busbar_record_t *r;
  busbar_event_t event = {.payload = GOOD, .payload_length = sizeof GOOD - 1, .key = "the key", .key_length = 7,
                          .attributes = attributes, .attributes_length = 11, .flags = BUSBAR_RECORD_BOOTSTRAP,
                          .operation = BUSBAR_OP_INSERT};
  in->batch.next_sequence = 41;
  in->batch.source = 3;
  CHECK(busbar_append(&in->batch, &event));
  event.payload = "broken";
  event.payload_length = 6;
  event.timestamp = 5;
  CHECK(busbar_append(&in->batch, &event));
  event.flags = BUSBAR_RECORD_MARKED;
  CHECK(busbar_append(&in->batch, &event));
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_INT(out->batch.count, 3);
  r = test_record(out, 0);
  CHECK_TEXT(busbar_key(r), r->key_length, "the key");
  CHECK(r->attributes_length == 11 && memcmp(busbar_payload(r) + r->payload_length, attributes, 11) == 0);
  CHECK_INT(r->sequence, 41);
  CHECK_INT(r->source, 3);
  CHECK_INT(r->operation, BUSBAR_OP_INSERT);
  CHECK_INT(r->flags, BUSBAR_RECORD_BOOTSTRAP);
  r = test_record(out, 1);
  CHECK_INT(r->timestamp, 5);
  CHECK_INT(r->flags, BUSBAR_RECORD_BOOTSTRAP | BUSBAR_RECORD_MARKED);
  r = test_record(out, 2);
  CHECK_TEXT(busbar_payload(r), r->payload_length, "broken");
  CHECK_INT(test_metric(c, "lines_parsed_total"), 1);
  CHECK_INT(test_metric(c, "lines_unparsed_total"), 1);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

/* Every output size from nothing up, and every limit: the same records come out, in order, once. */
static void output_that_is_full_is_gone_on_with(void) {
  uint64_t capacity;
  for (capacity = 0; capacity < 1500; capacity += 37) {
    test_component_t *c = open_parser("{}");
    test_batch_t *in = test_batch(8192, 64), *out = test_batch(capacity, 1 + (uint32_t)(capacity % 5));
    uint64_t next = 1;
    int32_t status;
    int i;
    for (i = 0; i < 20; i++) test_append_text(in, i % 3 == 0 ? GOOD : i % 3 == 1 ? "broken \"line\" \x01" : "");
    test_batch_seal(in);
    do {
      const busbar_record_t *r;
      busbar_iterator_t it;
      status = test_process(c, in, &out, 1);
      for (it = busbar_iterate(&out->batch); (r = busbar_next(&it)) != NULL; next++) CHECK_INT(r->sequence, next);
      if (status == BUSBAR_MORE && out->batch.count == 0) {
        uint64_t required = out->batch.required;
        CHECK(required > out->capacity && required < 1500);
        test_batch_free(out);
        out = test_batch(required, 2);
      }
    } while (status == BUSBAR_MORE);
    CHECK_STATUS(status, BUSBAR_OK);
    CHECK_INT(next, 21);
    CHECK_INT(test_metric(c, "lines_parsed_total") + test_metric(c, "lines_unparsed_total"), 20);
    test_close(c);
    test_batch_free(in);
    test_batch_free(out);
  }
}

static void malformed_record_is_invalid(void) {
  test_component_t *c = open_parser("{}");
  test_batch_t *in = test_batch(4096, 8), *out = test_batch(4096, 2);
  int i;
  for (i = 0; i < 5; i++) test_append_text(in, GOOD);
  ((busbar_record_t *)(uintptr_t)test_record(in, 3))->payload_length = 0xffffffff;
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_MORE);
  CHECK_INT(out->batch.count, 2);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_INVALID);
  CHECK_INT(out->batch.count, 1);
  CHECK_INT(in->batch.done, 1); /* counted from the cursor */
  CHECK_TEXT(c->error, strlen(c->error), "Cannot read record 1 of the batch: its lengths do not fit");
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

/* ---- Made-up lines ---------------------------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint32_t below(uint32_t limit) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 11) % limit;
}

/* A good line with up to a few pieces changed, inserted or cut. `binary`: any byte may come up, else none that ends a line. */
static uint32_t make_line(char *to, uint32_t capacity, int binary) {
  static const char *const pieces[] = {" ",  "  ", "\t", "\"", "\\",  "\\\"", " 404 ", "200", "999", "-",   "[",      "] ",   "\" 500 7",
                                       "é", "\\x", "\\x4", "HTTP/1.1", "\xc3", "\xe2\x82", "GET ", "\r", "\v", "abc def", "0"};
  static const char *const lines[] = {GOOD, "::1 - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 304 -",
                                      "10.0.0.1 - a b [01/Jan/2024:00:00:00 +0000] \"-\" 408 152 \"-\" \"-\"",
                                      "10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] \"GET /\" 400 226 \"-\" \"-\""};
  const char *line = lines[below(4)];
  uint32_t length = (uint32_t)strlen(line), changes = below(5);
  memcpy(to, line, length);
  for (; changes > 0; changes--) {
    uint32_t at = below(length + 1);
    if (below(4) == 0) {
      length = at;
    } else if (below(3) == 0 && at < length) {
      to[at] = (char)(binary ? below(256) : 32 + below(95));
    } else {
      const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
      uint32_t size = (uint32_t)strlen(piece);
      if (length + size > capacity) continue;
      memmove(to + at + size, to + at, length - at);
      memcpy(to + at, piece, size);
      length += size;
    }
  }
  return length;
}

/* $BUSBAR_TEST_OUTPUT, if set, gets every object, a line each, for another reader of JSON. */
static void made_up_lines_always_give_json(void) {
  const char *path = getenv("BUSBAR_TEST_OUTPUT");
  FILE *output = path == NULL ? NULL : fopen(path, "w");
  test_component_t *c = open_parser("{\"keep_raw\":true}");
  test_batch_t *in = test_batch(1 << 20, 1000), *out = test_batch(1 << 22, 1000);
  int round, i;
  for (round = 0; round < 20; round++) {
    const busbar_record_t *r;
    busbar_iterator_t it;
    test_batch_reset(in);
    for (i = 0; i < 1000; i++) {
      char line[400];
      append(in, line, make_line(line, sizeof line, 1));
    }
    test_batch_seal(in);
    CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
    CHECK_INT(out->batch.count, 1000);
    for (it = busbar_iterate(&out->batch); (r = busbar_next(&it)) != NULL;) {
      object_of(r);
      if (output != NULL) fprintf(output, "%.*s\n", (int)r->payload_length, (const char *)busbar_payload(r));
    }
  }
  if (output != NULL) fclose(output);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

/* The same lines to awk and to the plugin. */
static void status_is_the_one_that_awk_prints(void) {
  static const char *const tricky[] = {GOOD,
                                       "",
                                       "\t1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /a b 500 HTTP/1.1\" 200 5 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\"\t200 5 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /\t\t HTTP/1.1\" 201 5 \"-\" \"-\"",
                                       "1.2.3.4 - a 1 [10/Oct/2000:13:55:36 +0000] \"x 202 \" 200 5 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET /\" 400 226 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"\" 400 0 226 \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 007 5 \"-\" \"-\"",
                                       "1.2.3.4 - - [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200\v 5 \"-\" \"-\"",
                                       "1 2 3 4 5 6 7 8 404",
                                       "1 2 3 4 5 6 7 8 404x"};
  enum { LINES = 20000, TRICKY = sizeof tricky / sizeof *tricky };
  const char *parent = getenv("TMPDIR");
  char folder[256], path[300], command[400], line[400];
  test_component_t *c = open_parser("{}");
  test_batch_t *in = test_batch(8 << 20, LINES), *out = test_batch(64 << 20, LINES);
  const busbar_record_t *r;
  busbar_iterator_t it;
  FILE *file;
  int i, numbers = 0;
  snprintf(folder, sizeof folder, "%.200s/busbar_access_log_XXXXXX", parent == NULL ? "/tmp" : parent);
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/lines", folder);
  file = fopen(path, "w");
  for (i = 0; i < LINES; i++) {
    uint32_t length;
    if (i < TRICKY) length = (uint32_t)snprintf(line, sizeof line, "%s", tricky[i]);
    else length = make_line(line, sizeof line, 0);
    append(in, line, length);
    fwrite(line, 1, length, file);
    fputc('\n', file);
  }
  fclose(file);
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  snprintf(command, sizeof command, "LC_ALL=C awk '{print $9}' %s", path);
  file = popen(command, "r");
  for (it = busbar_iterate(&out->batch), i = 0; (r = busbar_next(&it)) != NULL; i++) {
    char *end;
    int64_t status = -1;
    long ninth;
    if (fgets(line, sizeof line, file) == NULL) FAIL("awk printed only %d lines", i);
    busbar_json_integer(busbar_json_get(object_of(r), "status"), &status);
    ninth = strtol(line, &end, 10);
    if (strspn(line, "0123456789") == 3 && end == line + 3 && *end == '\n') {
      numbers++;
      if (status != ninth) FAIL("line %d: status %d, awk says %s%.*s", i, (int)status, line, (int)r->payload_length, (const char *)busbar_payload(r));
    } else if ((r->flags & BUSBAR_RECORD_MARKED) && status >= 0 && strchr(line, '\r') == NULL) {
      FAIL("line %d: status %d, awk says %s", i, (int)status, line);
    }
  }
  CHECK_INT(i, LINES);
  CHECK(fgetc(file) == EOF);
  CHECK(numbers > LINES / 10);
  pclose(file);
  unlink(path);
  rmdir(folder);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

int main(int argc, char **argv) {
  test_main(argc, argv);
  library = argv[1];
  TEST(combined_line_becomes_an_object);
  TEST(common_line_has_no_referer_and_no_agent);
  TEST(format_decides_what_parses);
  TEST(keep_raw_keeps_the_line);
  TEST(bad_config_is_refused);
  TEST(escapes_are_resolved);
  TEST(invalid_utf8_becomes_the_replacement_character);
  TEST(odd_requests_stay_as_they_are);
  TEST(what_follows_a_combined_line_is_kept);
  TEST(lines_that_do_not_parse_are_passed_on_marked);
  TEST(line_break_at_the_end_is_no_part_of_the_line);
  TEST(dates_agree_with_the_c_library);
  TEST(record_keeps_what_is_not_the_payload);
  TEST(output_that_is_full_is_gone_on_with);
  TEST(malformed_record_is_invalid);
  TEST(made_up_lines_always_give_json);
  TEST(status_is_the_one_that_awk_prints);
  return test_end();
}
