/* Tests of busbar_sdk.h, and of the test host with a component of each kind; tests/sdk/c_test.ts compiles and runs them. */
#include "busbar_test.h"

#include "busbar_json.h"
#include "sdk_plugin.h"

static test_component_t *open_kind(uint32_t kind, const char *name, const char *config) {
  return test_open_plugin(busbar_plugin, kind, name, config);
}

static test_component_t *open_started(uint32_t kind, const char *name) {
  test_component_t *c = open_kind(kind, name, "{}");
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  return c;
}

static void declares_all_components(void) {
  const busbar_plugin_t *plugin = busbar_plugin(&test_host);
  uint32_t i;
  CHECK_INT(plugin->size, sizeof *plugin);
  CHECK_INT(plugin->component_count, 6);
  for (i = 0; i < 6; i++) {
    CHECK_INT(plugin->components[i]->size, sizeof(busbar_component_t));
    CHECK_INT(plugin->components[i]->kind, i + 1);
  }
  CHECK(busbar_plugin(&test_host) == plugin);
}

static void logs_with_fields(void) {
  test_component_t *c = open_kind(BUSBAR_SOURCE, "lines", "{}");
  int evaluated = 0;
  BUSBAR_LOG(&c->context, BUSBAR_LOG_INFO, "Opened", BUSBAR_STRING("path", "a b"), BUSBAR_INTEGER("bytes", -9223372036854775807ll),
             BUSBAR_NUMBER("ratio", 0.5), BUSBAR_NUMBER("none", 1e308 * 10), BUSBAR_BOOL("new", 1));
  CHECK_INT(test_logged(c, BUSBAR_LOG_INFO, "Opened path=a b bytes=-9223372036854775807 ratio=0.5 none=null new=true"), 1);
  busbar_logf(&c->context, BUSBAR_LOG_WARNING, "Read %d of %s", 3, "a.log");
  CHECK_INT(test_logged(c, BUSBAR_LOG_WARNING, "Read 3 of a.log"), 1);
  test_log_level = BUSBAR_LOG_ERROR;
  BUSBAR_LOG(&c->context, BUSBAR_LOG_INFO, "Silent", BUSBAR_INTEGER("n", ++evaluated));
  busbar_logf(&c->context, BUSBAR_LOG_INFO, "Silent");
  CHECK_INT(evaluated, 0);
  CHECK_INT(test_logged(c, BUSBAR_LOG_TRACE, "Silent"), 0);
  test_close(c);
}

static void counts_and_wakes(void) {
  test_component_t *c = open_kind(BUSBAR_SOURCE, "lines", "{}");
  busbar_count(&c->context, "lines_total", 2);
  busbar_count(&c->context, "lines_total", 3);
  busbar_gauge(&c->context, "queue_bytes", 7);
  busbar_gauge(&c->context, "queue_bytes", 4);
  busbar_observe(&c->context, "wait_seconds", 0.25);
  busbar_wake(&c->context);
  CHECK(test_metric(c, "lines_total") == 5 && test_metric(c, "queue_bytes") == 4 && test_metric(c, "wait_seconds") == 0.25);
  CHECK_INT(test_wakes(c), 1);
  CHECK(busbar_host_extension(c->context.host, "busbar.none") == NULL);
  test_acknowledge(c, "a", 0, 10);
  test_acknowledge(c, "b", 7, 20);
  CHECK_INT(busbar_acknowledged_sequence(&c->context, 7), 20);
  CHECK_INT(busbar_acknowledged_sequence(&c->context, 8), 0);
  test_close(c);
}

static void errors_are_cut(void) {
  test_component_t *c = open_kind(BUSBAR_SOURCE, "lines", "{}");
  char *text = malloc(10001);
  memset(text, 'x', 10000);
  text[10000] = 0;
  CHECK_STATUS(busbar_error(&c->context, BUSBAR_FAILED, "%s", text), BUSBAR_FAILED);
  test_check_error(c, BUSBAR_FAILED);
  CHECK_INT(strlen(c->error), BUSBAR_ERROR_CAPACITY - 1);
  free(text);
  test_close(c);
}

static void writes_and_reads_attributes(void) {
  test_batch_t *b = test_batch(1024, 4);
  busbar_buffer_t attributes = {0};
  busbar_string_t value;
  busbar_event_t event = {.payload = "p", .payload_length = 1, .key = "k", .key_length = 1};
  busbar_buffer_attribute(&attributes, busbar_string("traceparent"), busbar_string("00-1"));
  busbar_buffer_attribute(&attributes, busbar_string("empty"), busbar_string(""));
  event.attributes = attributes.data;
  event.attributes_length = (uint32_t)attributes.length;
  CHECK(busbar_append(&b->batch, &event));
  CHECK(busbar_attribute(test_record(b, 0), "traceparent", &value));
  CHECK_TEXT(value.data, value.length, "00-1");
  CHECK(busbar_attribute(test_record(b, 0), "empty", &value));
  CHECK_INT(value.length, 0);
  CHECK(!busbar_attribute(test_record(b, 0), "trace", &value));
  free(attributes.data);
  test_batch_free(b);
}

static void buffers_round_trip(void) {
  busbar_buffer_t buffer = {0};
  busbar_bytes_t bytes;
  busbar_reader_t reader;
  uint32_t i;
  for (i = 0; i < 1000; i++) {
    busbar_buffer_u32(&buffer, i);
    busbar_buffer_u64(&buffer, (uint64_t)i << 40);
    busbar_buffer_bytes(&buffer, "abc", i % 4);
  }
  CHECK(!buffer.failed);
  bytes.data = buffer.data;
  bytes.length = buffer.length;
  reader = busbar_reader(bytes);
  for (i = 0; i < 1000; i++) {
    CHECK_INT(busbar_read_u32(&reader), i);
    CHECK_INT(busbar_read_u64(&reader), (uint64_t)i << 40);
    CHECK(memcmp(busbar_read_bytes(&reader, i % 4), "abc", i % 4) == 0);
  }
  CHECK(!reader.failed && reader.left == 0);
  CHECK_INT(busbar_read_u32(&reader), 0);
  CHECK(reader.failed);
  free(buffer.data);
}

static void reads_numbers(void) {
  double number = 1;
  busbar_json_t config = busbar_json(busbar_string("{\"a\":-1.5e3,\"b\":1e999,\"c\":\"1\"}"));
  CHECK(busbar_json_number(busbar_json_get(config, "a"), &number) && number == -1500);
  CHECK(!busbar_json_number(busbar_json_get(config, "b"), &number) && !busbar_json_number(busbar_json_get(config, "c"), &number));
  CHECK(!busbar_json_number(busbar_json_get(config, "d"), &number) && number == -1500);
}

static void a_source_resumes(void) {
  test_component_t *c = open_started(BUSBAR_SOURCE, "lines"), *next = open_kind(BUSBAR_SOURCE, "lines", "{}");
  test_batch_t *b = test_batch(1024, 2);
  CHECK_STATUS(test_poll(c, b), BUSBAR_OK);
  CHECK_INT(b->batch.count, 2);
  test_resume(next, b->batch.position, b->batch.position_length, 3);
  CHECK_STATUS(test_create(next), BUSBAR_OK);
  CHECK_STATUS(test_start(next), BUSBAR_OK);
  CHECK_STATUS(test_commit(next, b->batch.position, b->batch.position_length), BUSBAR_OK);
  test_batch_free(b);
  b = test_batch(1024, 64);
  CHECK_STATUS(test_poll(next, b), BUSBAR_DONE);
  CHECK_INT(b->batch.count, 1);
  CHECK_TEXT(busbar_payload(test_record(b, 0)), test_record(b, 0)->payload_length, "line 3");
  CHECK_INT(test_record(b, 0)->sequence, 3);
  test_close(c);
  test_close(next);
  test_batch_free(b);
}

static void a_source_lends(void) {
  test_component_t *c = open_kind(BUSBAR_SOURCE, "lines", "{\"lend\":true}");
  test_batch_t *b = test_batch(1024, 2);
  CHECK_STATUS(test_create(c), BUSBAR_OK);
  CHECK_STATUS(test_start(c), BUSBAR_OK);
  CHECK_STATUS(test_poll(c, b), BUSBAR_OK);
  CHECK(b->batch.loan != NULL && b->batch.data != b->memory);
  CHECK(test_metric(c, "loans") == 1);
  test_release(c, b);
  CHECK(test_metric(c, "loans") == 0);
  CHECK_INT(b->batch.count, 0);
  CHECK(b->batch.data == b->memory);
  test_close(c);
  test_batch_free(b);
}

static void a_processor_ticks_and_saves(void) {
  test_component_t *c = open_started(BUSBAR_PROCESSOR, "total"), *next = open_kind(BUSBAR_PROCESSOR, "total", "{}");
  test_batch_t *in = test_batch(1024, 4), *out = test_batch(1024, 4);
  test_state_t state;
  test_append_text(in, "a");
  test_append_text(in, "b");
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_OK);
  CHECK_STATUS(test_tick(c, 99, BUSBAR_BATCH_DRAIN, &out, 1), BUSBAR_OK);
  CHECK_TEXT(busbar_payload(test_record(out, 0)), test_record(out, 0)->payload_length, "2");
  CHECK_INT(test_record(out, 0)->timestamp, 99);
  state = test_save(c);
  CHECK_INT(state.version, 3);
  CHECK_STATUS(test_create(next), BUSBAR_OK);
  CHECK_STATUS(test_restore(next, 3, state.data, state.length), BUSBAR_OK);
  CHECK_STATUS(test_start(next), BUSBAR_OK);
  CHECK_STATUS(test_tick(next, 0, 0, &out, 1), BUSBAR_OK);
  CHECK_TEXT(busbar_payload(test_record(out, 0)), test_record(out, 0)->payload_length, "2");
  test_state_free(&state);
  test_close(c);
  test_close(next);
  test_batch_free(in);
  test_batch_free(out);
}

static void malformed_records_are_refused(void) {
  test_component_t *c = open_started(BUSBAR_PROCESSOR, "total");
  test_batch_t *in = test_batch(1024, 4), *out = test_batch(1024, 4);
  test_append_text(in, "good");
  test_append_text(in, "bad");
  ((busbar_record_t *)(void *)(in->batch.data + test_record(in, 0)->size))->payload_length = 1000;
  test_batch_seal(in);
  CHECK_STATUS(test_process(c, in, &out, 1), BUSBAR_INVALID);
  CHECK_INT(in->batch.done, 1);
  CHECK(strstr(c->error, "record 1") != NULL);
  test_close(c);
  test_batch_free(in);
  test_batch_free(out);
}

static void a_reaction_completes_and_ticks(void) {
  test_component_t *c = open_started(BUSBAR_REACTION, "slow");
  test_batch_t *b = test_batch(1024, 4);
  const test_completion_t *completion;
  test_append_text(b, "x");
  test_batch_seal(b);
  b->batch.id = 42;
  CHECK_STATUS(test_write(c, b), BUSBAR_PENDING);
  CHECK_STATUS(test_tick(c, 1, 0, NULL, 0), BUSBAR_OK);
  completion = test_wait_completions(c, 1);
  CHECK_INT(completion->batch_id, 42);
  CHECK_STATUS(completion->status, BUSBAR_FAILED);
  CHECK_TEXT(completion->message, strlen(completion->message), "too slow");
  test_close(c);
  test_batch_free(b);
}

static void a_bootstrap_fetches(void) {
  test_component_t *c = open_started(BUSBAR_BOOTSTRAP, "elements");
  test_batch_t *b = test_batch(1024, 2);
  CHECK_STATUS(test_fetch(c, b), BUSBAR_MORE);
  CHECK_INT(b->batch.count, 2);
  CHECK_STATUS(test_fetch(c, b), BUSBAR_DONE);
  CHECK_INT(b->batch.count, 1);
  test_close(c);
  test_batch_free(b);
}

static void a_service_answers(void) {
  test_component_t *c = open_started(BUSBAR_SERVICE, "echo");
  busbar_header_t header = {busbar_string("content-type"), busbar_string("text/plain")};
  busbar_call_t call = test_call("POST", "/a", "hello");
  call.headers = &header;
  call.header_count = 1;
  CHECK_STATUS(test_execute(c, &call), BUSBAR_OK);
  CHECK_TEXT(call.answer.data, call.answer.length, "hello");
  CHECK_INT(call.answer_status, 201);
  CHECK_TEXT(call.answer_headers[0].value.data, call.answer_headers[0].value.length, "text/plain");
  call = test_call("POST", "/a", NULL);
  CHECK_STATUS(test_execute(c, &call), BUSBAR_INVALID);
  test_close(c);
}

static void calls_that_fail_keep_their_own_messages(void) {
  test_component_t *c = open_started(BUSBAR_SERVICE, "echo");
  busbar_call_t first = test_call("POST", "/a", NULL), second = test_call("POST", "/b", NULL);
  second.slot = 1;
  CHECK_STATUS(test_execute(c, &first), BUSBAR_INVALID);
  CHECK_STATUS(test_execute(c, &second), BUSBAR_INVALID);
  CHECK_TEXT(first.error, strlen(first.error), "Cannot echo /a without a type");
  CHECK_TEXT(second.error, strlen(second.error), "Cannot echo /b without a type");
  CHECK_TEXT(c->error, strlen(c->error), "");
  CHECK_TEXT(c->context.component.data, c->context.component.length, "echo");
  test_close(c);
}

static void a_hook_is_called_where_it_offers(void) {
  test_component_t *c = open_started(BUSBAR_HOOK, "guard");
  busbar_call_t call = test_call("GET", "/private", NULL);
  CHECK_STATUS(test_before_request(c, &call), BUSBAR_DONE);
  CHECK_INT(call.answer_status, 403);
  call = test_call("GET", "/public", NULL);
  CHECK_STATUS(test_before_request(c, &call), BUSBAR_OK);
  CHECK_STATUS(test_handle(c, &call), BUSBAR_OK);
  CHECK_STATUS(test_after_response(c, &call), BUSBAR_OK);
  test_close(c);
}

int main(int argc, char **argv) {
  test_main_static(argc, argv);
  TEST(declares_all_components);
  TEST(logs_with_fields);
  TEST(counts_and_wakes);
  TEST(errors_are_cut);
  TEST(writes_and_reads_attributes);
  TEST(buffers_round_trip);
  TEST(reads_numbers);
  TEST(a_source_resumes);
  TEST(a_source_lends);
  TEST(a_processor_ticks_and_saves);
  TEST(malformed_records_are_refused);
  TEST(a_reaction_completes_and_ticks);
  TEST(a_bootstrap_fetches);
  TEST(a_service_answers);
  TEST(calls_that_fail_keep_their_own_messages);
  TEST(a_hook_is_called_where_it_offers);
  return test_end();
}
